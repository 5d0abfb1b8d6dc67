// SPDX-License-Identifier: GPL-3.0-or-later
// The audio callback neither allocates nor locks: malloc and pthread_mutex_lock of this binary count calls while watched.
#include "stream_helpers.h"

#include <catch2/catch.hpp>

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SERPENT_WATCH_CALLS 1

#include <dlfcn.h>
#include <pthread.h>

namespace {
thread_local bool watching = false;
thread_local int watched_calls = 0;

void count() noexcept {
    if (watching) ++watched_calls;
}
} // namespace

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);

void* malloc(std::size_t size) { return count(), __libc_malloc(size); }
void* calloc(std::size_t n, std::size_t size) { return count(), __libc_calloc(n, size); }
void* realloc(void* p, std::size_t size) { return count(), __libc_realloc(p, size); }
void* aligned_alloc(std::size_t alignment, std::size_t size) { return count(), __libc_memalign(alignment, size); }
void free(void* p) { count(), __libc_free(p); }

int pthread_mutex_lock(pthread_mutex_t* mutex) {
    count();
    using Lock = int (*)(pthread_mutex_t*);
    static const auto real = reinterpret_cast<Lock>(dlsym(RTLD_NEXT, "pthread_mutex_lock"));
    return real(mutex);
}
}
#endif

using namespace serpent;
using namespace serpent::test;

#ifdef SERPENT_WATCH_CALLS

namespace {

template <class Work>
int calls_during(Work work) {
    watched_calls = 0;
    watching = true;
    work();
    watching = false;
    return watched_calls;
}

} // namespace

TEST_CASE("the watch sees allocations and locks", "[realtime]") {
    std::vector<float> v;
    CHECK(calls_during([&] { v.resize(1000); }) > 0);
    CHECK(calls_during([&] { std::vector<float>().swap(v); }) > 0);
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    CHECK(calls_during([&] {
              pthread_mutex_lock(&mutex);
              pthread_mutex_unlock(&mutex);
          }) == 1);
}

TEST_CASE("process, set_control and reset neither allocate nor lock", "[realtime]") {
    for (const char* name : {"film_8_16_4_2", "stereo_6_12_4_2", "mamba_reference_16_32_16_4"}) {
        const auto model = golden_model(name);
        for (const kernels::Isa isa : kernels::available_isas()) {
            CAPTURE(name, kernels::isa_name(isa));
            Stream stream(model, {.isa = isa});
            const auto channels = static_cast<std::size_t>(model->config.channels);
            Planar buffer = noise(channels, 512);
            std::vector<float*> pointers;
            for (auto& channel : buffer) pointers.push_back(channel.data());
            const int calls = calls_during([&] {
                for (const int n : {1, 33, 0, 512}) {
                    stream.set_control(0, static_cast<float>(n));
                    stream.process(pointers.data(), pointers.data(), n);
                }
                buffer[0][5] = NAN;
                buffer[0][6] = 3e38f;
                stream.process(pointers.data(), pointers.data(), 512);
                stream.reset();
            });
            CHECK(calls == 0);
        }
    }
}

#endif

TEST_CASE("the calls of the audio thread are noexcept", "[realtime]") {
    STATIC_REQUIRE(noexcept(std::declval<Stream&>().process(nullptr, nullptr, 0)));
    STATIC_REQUIRE(noexcept(std::declval<Stream&>().set_control(0, 0.0f)));
    STATIC_REQUIRE(noexcept(std::declval<Stream&>().reset()));
}
