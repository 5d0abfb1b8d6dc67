// SPDX-License-Identifier: GPL-3.0-or-later
#include "interrupt.h"

#include <csignal>
#include <initializer_list>

namespace {

volatile std::sig_atomic_t signalled = 0;

extern "C" void note_signal(int number) {
    signalled = 1;
    std::signal(number, SIG_DFL);
}

} // namespace

void watch_interrupts() {
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
        // Someone who started us with a signal ignored (nohup) wants it to stay so.
        if (std::signal(number, note_signal) == SIG_IGN) std::signal(number, SIG_IGN);
    }
}

bool interrupted() noexcept { return signalled != 0; }
