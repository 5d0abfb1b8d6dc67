// SPDX-License-Identifier: GPL-3.0-or-later
// What an audio callback must not do, caught in the act. Two nets: functions of libc that this binary overrides (they see
// what needs no system call, an uncontended lock or a malloc from a free list), and the kernel's own filter of system calls.
#pragma once

#include <string>
#include <vector>

namespace serpent::test {

/// Starts watching this thread. While it is watched nothing else may run on it but what is under test.
void start_watching() noexcept;
/// The names of the forbidden functions called meanwhile, in order, at most 16.
std::vector<std::string> stop_watching();

/// The forbidden functions that `work` calls.
template <class Work>
std::vector<std::string> forbidden_calls(Work&& work) {
    start_watching();
    work();
    return stop_watching();
}

enum class SystemCalls { none, some, unknown };  ///< unknown: this kernel or container cannot tell

/// Runs `work` in a child process which the kernel kills at the first system call.
SystemCalls system_calls_during(void (*work)(void*), void* argument);

template <class Work>
SystemCalls system_calls(Work work) {
    return system_calls_during([](void* f) { (*static_cast<Work*>(f))(); }, &work);
}

} // namespace serpent::test
