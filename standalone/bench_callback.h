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

/// Every `block` samples of real time the thread wakes up: to a callback of a Stream, or, every other time, to a loop that
/// computes in registers for as long as the median callback: what its times show beyond their median is the machine's doing.
struct CallbackReport {
    std::size_t callbacks = 0;
    int block = 0, overruns = 0;  ///< overruns: callbacks longer than the time that their samples last
    Percentiles stream, control;
};

/// Runs for `seconds` in real time, at the default ISA, with a progress bar on a terminal.
CallbackReport bench_callback(const std::shared_ptr<const serpent::Model>& model, int block, double seconds);
