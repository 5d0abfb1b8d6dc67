// SPDX-License-Identifier: GPL-3.0-or-later
// A function defined in the program itself goes before that of any shared library, for all of them. Each override notes
// its name while its thread is watched, and passes on to the real one.
#include "watch.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <new>

namespace {

constexpr std::size_t most_names = 16;
thread_local bool watching = false;
thread_local std::array<const char*, most_names> names;
thread_local std::size_t name_count = 0;

void note(const char* name) noexcept {
    if (watching && name_count < most_names) names[name_count++] = name;
}

template <class Function>
Function* real(const char* name) noexcept {
    return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

} // namespace

/// An override that passes on to the next library's function of that name.
#define SERPENT_WATCH(result, name, parameters, arguments)                    \
    extern "C" result name parameters {                                       \
        note(#name);                                                          \
        static auto* const next = real<result parameters>(#name);             \
        return next arguments;                                                \
    }

#pragma GCC diagnostic ignored "-Wattributes"  // glibc declares some of these with attributes of its own

// --- memory: glibc's own entry points, since dlsym() itself allocates ----------------------------------------------
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);

void* malloc(std::size_t size) { return note("malloc"), __libc_malloc(size); }
void* calloc(std::size_t n, std::size_t size) { return note("calloc"), __libc_calloc(n, size); }
void* realloc(void* p, std::size_t size) { return note("realloc"), __libc_realloc(p, size); }
void* memalign(std::size_t alignment, std::size_t size) { return note("memalign"), __libc_memalign(alignment, size); }
void* aligned_alloc(std::size_t alignment, std::size_t size) { return note("aligned_alloc"), __libc_memalign(alignment, size); }
int posix_memalign(void** p, std::size_t alignment, std::size_t size) {
    note("posix_memalign");
    *p = __libc_memalign(alignment, size);
    return *p ? 0 : ENOMEM;
}
void free(void* p) { note("free"), __libc_free(p); }
}

void* operator new(std::size_t size) {
    note("operator new");
    if (void* p = __libc_malloc(size)) return p;
    throw std::bad_alloc();
}
void* operator new(std::size_t size, std::align_val_t alignment) {
    note("aligned operator new");
    if (void* p = __libc_memalign(static_cast<std::size_t>(alignment), size)) return p;
    throw std::bad_alloc();
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new[](std::size_t size, std::align_val_t alignment) { return operator new(size, alignment); }
void operator delete(void* p) noexcept { note("operator delete"), __libc_free(p); }
void operator delete(void* p, std::size_t) noexcept { operator delete(p); }
void operator delete(void* p, std::align_val_t) noexcept { note("aligned operator delete"), __libc_free(p); }
void operator delete(void* p, std::size_t, std::align_val_t alignment) noexcept { operator delete(p, alignment); }
void operator delete[](void* p) noexcept { operator delete(p); }
void operator delete[](void* p, std::size_t) noexcept { operator delete(p); }
void operator delete[](void* p, std::align_val_t alignment) noexcept { operator delete(p, alignment); }
void operator delete[](void* p, std::size_t, std::align_val_t alignment) noexcept { operator delete(p, alignment); }

// --- locks -----------------------------------------------------------------------------------------------------------
SERPENT_WATCH(int, pthread_mutex_lock, (pthread_mutex_t* m), (m))
SERPENT_WATCH(int, pthread_mutex_trylock, (pthread_mutex_t* m), (m))
SERPENT_WATCH(int, pthread_mutex_unlock, (pthread_mutex_t* m), (m))
SERPENT_WATCH(int, pthread_rwlock_rdlock, (pthread_rwlock_t* l), (l))
SERPENT_WATCH(int, pthread_rwlock_wrlock, (pthread_rwlock_t* l), (l))
SERPENT_WATCH(int, pthread_rwlock_unlock, (pthread_rwlock_t* l), (l))
SERPENT_WATCH(int, pthread_cond_wait, (pthread_cond_t* c, pthread_mutex_t* m), (c, m))
SERPENT_WATCH(int, pthread_cond_signal, (pthread_cond_t* c), (c))
SERPENT_WATCH(int, pthread_cond_broadcast, (pthread_cond_t* c), (c))
SERPENT_WATCH(int, pthread_mutex_timedlock, (pthread_mutex_t* m, const timespec* until), (m, until))
SERPENT_WATCH(int, pthread_cond_timedwait, (pthread_cond_t* c, pthread_mutex_t* m, const timespec* until), (c, m, until))
SERPENT_WATCH(int, sem_wait, (sem_t* s), (s))
SERPENT_WATCH(int, sem_post, (sem_t* s), (s))
SERPENT_WATCH(int, pthread_spin_lock, (pthread_spinlock_t* l), (l))

// --- files, output, sleep ----------------------------------------------------------------------------------------------
SERPENT_WATCH(ssize_t, write, (int fd, const void* p, std::size_t n), (fd, p, n))
SERPENT_WATCH(ssize_t, writev, (int fd, const iovec* p, int n), (fd, p, n))
SERPENT_WATCH(ssize_t, pwrite, (int fd, const void* p, std::size_t n, off_t at), (fd, p, n, at))
SERPENT_WATCH(ssize_t, send, (int fd, const void* p, std::size_t n, int flags), (fd, p, n, flags))
SERPENT_WATCH(ssize_t, read, (int fd, void* p, std::size_t n), (fd, p, n))
SERPENT_WATCH(int, close, (int fd), (fd))
SERPENT_WATCH(FILE*, fopen, (const char* name, const char* mode), (name, mode))
SERPENT_WATCH(std::size_t, fwrite, (const void* p, std::size_t size, std::size_t n, FILE* f), (p, size, n, f))
SERPENT_WATCH(int, fputs, (const char* s, FILE* f), (s, f))
SERPENT_WATCH(int, fputc, (int c, FILE* f), (c, f))
SERPENT_WATCH(int, puts, (const char* s), (s))
SERPENT_WATCH(int, putchar, (int c), (c))
SERPENT_WATCH(int, fflush, (FILE* f), (f))
SERPENT_WATCH(int, vfprintf, (FILE* f, const char* format, va_list a), (f, format, a))
SERPENT_WATCH(int, nanosleep, (const timespec* wanted, timespec* left), (wanted, left))
SERPENT_WATCH(int, sched_yield, (), ())
SERPENT_WATCH(int, munmap, (void* p, std::size_t n), (p, n))
SERPENT_WATCH(void*, mmap, (void* p, std::size_t n, int protection, int flags, int fd, off_t offset),
              (p, n, protection, flags, fd, offset))

extern "C" int printf(const char* format, ...) {
    note("printf");
    va_list a;
    va_start(a, format);
    const int written = real<int(FILE*, const char*, va_list)>("vfprintf")(stdout, format, a);
    va_end(a);
    return written;
}

extern "C" int fprintf(FILE* f, const char* format, ...) {
    note("fprintf");
    va_list a;
    va_start(a, format);
    const int written = real<int(FILE*, const char*, va_list)>("vfprintf")(f, format, a);
    va_end(a);
    return written;
}

extern "C" int open(const char* name, int flags, ...) {
    note("open");
    va_list a;
    va_start(a, flags);
    const int mode = va_arg(a, int);
    va_end(a);
    return real<int(const char*, int, ...)>("open")(name, flags, mode);
}

/// How std::atomic::wait() and std::call_once() reach the kernel's futex.
extern "C" long syscall(long number, ...) noexcept {
    note("syscall");
    va_list a;
    va_start(a, number);
    std::array<long, 6> v;
    for (long& argument : v) argument = va_arg(a, long);
    va_end(a);
    return real<long(long, ...)>("syscall")(number, v[0], v[1], v[2], v[3], v[4], v[5]);
}

namespace serpent::test {

void start_watching() noexcept {
    name_count = 0;
    watching = true;
}

std::vector<std::string> stop_watching() {
    watching = false;
    return {names.begin(), names.begin() + static_cast<std::ptrdiff_t>(name_count)};
}

SystemCalls system_calls_during(void (*work)(void*), void* argument) {
    constexpr int no_filter = 77;
    const pid_t child = fork();
    if (child < 0) return SystemCalls::unknown;
    if (child == 0) {
        // Let exit_group through, kill at anything else.
        sock_filter filter[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_exit_group, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        };
        const sock_fprog program{sizeof filter / sizeof *filter, filter};
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
            _exit(no_filter);
        work(argument);
        _exit(0);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child) return SystemCalls::unknown;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return SystemCalls::none;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) return SystemCalls::some;
    return SystemCalls::unknown;
}

} // namespace serpent::test
