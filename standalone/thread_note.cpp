// SPDX-License-Identifier: GPL-3.0-or-later
#include "thread_note.h"

#include <algorithm>
#include <thread>

std::string thread_note(int asked, int running) {
    if (asked < 1) asked = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    if (running < 1 || running >= asked) return {};
    return "note: only " + std::to_string(running) + " of " + std::to_string(asked) +
           " threads could be started; it takes longer, with the same result (end other programs, or raise the limit of processes, "
           "ulimit -u)";
}
