// SPDX-License-Identifier: GPL-3.0-or-later
// How long an audio callback takes, one by one: what a mean hides is what makes a dropout.
#pragma once

#include "serpent/model.h"

#include <cstddef>
#include <memory>

/// Microseconds.
struct Percentiles {
    double p50 = 0, p99 = 0, p99_9 = 0, max = 0;
};

/// Every `block` samples of real time the thread wakes up: to a callback of a Stream, or, every other time, to one of two
/// controls in turns, each as long as the median callback. What their times show beyond their median is the machine's doing.
/// control: an empty loop, which needs neither memory nor much of the core; busy: touches as much memory as a callback of the
/// nano preset, then keeps the core's units busy, and so meets what the model meets where a core has two threads.
struct CallbackReport {
    std::size_t callbacks = 0;
    int block = 0, overruns = 0;  ///< overruns: callbacks longer than the time that their samples last
    Percentiles stream, control, busy;
};

/// Runs for `seconds` in real time, at the default ISA, with a progress bar on a terminal.
CallbackReport bench_callback(const std::shared_ptr<const serpent::Model>& model, int block, double seconds);
