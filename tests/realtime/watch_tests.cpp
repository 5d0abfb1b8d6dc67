// SPDX-License-Identifier: GPL-3.0-or-later
// The nets hold: each forbidden thing, done on purpose, is seen.
#include "watch.h"

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <linux/futex.h>
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <shared_mutex>

using namespace serpent::test;

namespace {

volatile std::size_t some_size = 100;  // the compiler must not see through the allocations

template <class Work>
bool saw(const std::string& name, Work&& work) {
    const auto calls = forbidden_calls(work);
    return std::find(calls.begin(), calls.end(), name) != calls.end();
}

void use(void* p) { asm volatile("" : : "r"(p) : "memory"); }

struct alignas(64) Wide {
    float lanes[16];
};

} // namespace

TEST_CASE("the watch sees memory", "[watch]") {
    void* p = nullptr;
    CHECK(saw("malloc", [&] { use(p = std::malloc(some_size)); }));
    CHECK(saw("realloc", [&] { use(p = std::realloc(p, 2 * some_size)); }));
    CHECK(saw("free", [&] { std::free(p); }));
    CHECK(saw("calloc", [&] { use(p = std::calloc(some_size, 2)); }));
    std::free(p);
    CHECK(saw("posix_memalign", [&] { (void)!posix_memalign(&p, 64, some_size); }));
    std::free(p);
    CHECK(saw("aligned_alloc", [&] { use(p = std::aligned_alloc(64, 64)); }));
    std::free(p);
    CHECK(saw("memalign", [&] { use(p = memalign(64, some_size)); }));
    std::free(p);
    std::unique_ptr<int> plain;
    CHECK(saw("operator new", [&] { plain = std::make_unique<int>(1), use(plain.get()); }));
    CHECK(saw("operator delete", [&] { plain.reset(); }));
    std::unique_ptr<Wide> wide;
    CHECK(saw("aligned operator new", [&] { wide = std::make_unique<Wide>(), use(wide.get()); }));
    CHECK(saw("aligned operator delete", [&] { wide.reset(); }));
    CHECK(saw("operator new", [&] { use(std::make_unique<char[]>(some_size).get()); }));
}

TEST_CASE("the watch sees locks", "[watch]") {
    std::mutex mutex;
    std::shared_mutex shared;
    CHECK(saw("pthread_mutex_lock", [&] { mutex.lock(); }));
    CHECK(saw("pthread_mutex_unlock", [&] { mutex.unlock(); }));
    CHECK(saw("pthread_mutex_trylock", [&] { if (mutex.try_lock()) mutex.unlock(); }));
    CHECK(saw("pthread_rwlock_wrlock", [&] { shared.lock(); }));
    shared.unlock();
    CHECK(saw("pthread_rwlock_rdlock", [&] { shared.lock_shared(); }));
    CHECK(saw("pthread_rwlock_unlock", [&] { shared.unlock_shared(); }));
    pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
    CHECK(saw("pthread_cond_signal", [&] { pthread_cond_signal(&condition); }));
    CHECK(saw("pthread_cond_broadcast", [&] { pthread_cond_broadcast(&condition); }));
    const timespec past{0, 0};
    CHECK(saw("pthread_mutex_timedlock", [&] { pthread_mutex_timedlock(mutex.native_handle(), &past); }));
    CHECK(saw("pthread_cond_timedwait", [&] { pthread_cond_timedwait(&condition, mutex.native_handle(), &past); }));
    mutex.unlock();
    sem_t semaphore;
    sem_init(&semaphore, 0, 0);
    CHECK(saw("sem_post", [&] { sem_post(&semaphore); }));
    CHECK(saw("sem_wait", [&] { sem_wait(&semaphore); }));
    pthread_spinlock_t spin;
    pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
    CHECK(saw("pthread_spin_lock", [&] { pthread_spin_lock(&spin); }));
    pthread_spin_unlock(&spin);
}

TEST_CASE("the watch sees files, output and the kernel", "[watch]") {
    int fd = -1, word = 0;
    char byte = 0;
    CHECK(saw("open", [&] { fd = open("/dev/null", O_RDWR); }));
    REQUIRE(fd >= 0);
    CHECK(saw("write", [&] { (void)!write(fd, &byte, 1); }));
    CHECK(saw("pwrite", [&] { (void)!pwrite(fd, &byte, 1, 0); }));
    CHECK(saw("send", [&] { (void)!send(fd, &byte, 1, MSG_NOSIGNAL); }));
    iovec piece{&byte, 1};
    CHECK(saw("writev", [&] { (void)!writev(fd, &piece, 1); }));
    CHECK(saw("read", [&] { (void)!read(fd, &byte, 1); }));
    CHECK(saw("close", [&] { close(fd); }));
    FILE* file = nullptr;
    CHECK(saw("fopen", [&] { file = std::fopen("/dev/null", "w"); }));
    REQUIRE(file);
    CHECK(saw("fwrite", [&] { std::fwrite(&byte, 1, some_size / 100, file); }));
    CHECK(saw("fprintf", [&] { std::fprintf(file, "%zu", some_size); }));
    const char* volatile text = "a word";  // else the compiler makes it an fwrite()
    CHECK(saw("fputs", [&] { std::fputs(text, file); }));
    CHECK(saw("fflush", [&] { std::fflush(file); }));
    std::fclose(file);
    CHECK(saw("printf", [&] { std::printf("%s", some_size == 1 ? "!" : ""); }));
    CHECK(saw("syscall", [&] { syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0); }));
    const timespec at_once{0, 0};
    CHECK(saw("nanosleep", [&] { nanosleep(&at_once, nullptr); }));
}

TEST_CASE("the watch sees nothing where nothing is", "[watch]") {
    float sum = 0.0f;
    CHECK(forbidden_calls([&] { for (int i = 0; i < 100; ++i) sum += static_cast<float>(i); }).empty());
    CHECK(sum == 4950.0f);
}

TEST_CASE("the kernel sees any system call", "[watch]") {
    volatile float sum = 0.0f;
    const SystemCalls none = system_calls([&] { for (int i = 0; i < 100; ++i) sum = sum + static_cast<float>(i); });
    if (none == SystemCalls::unknown) {
        WARN("this kernel or container has no filter of system calls");
        return;
    }
    CHECK(none == SystemCalls::none);
    CHECK(system_calls([] { (void)getppid(); }) == SystemCalls::some);
    CHECK(system_calls([] { sleep(0); }) == SystemCalls::some);
    CHECK(system_calls([] { use(std::malloc(100'000'000)); }) == SystemCalls::some);
}
