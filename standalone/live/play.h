// SPDX-License-Identifier: GPL-3.0-or-later
// A session on a stream, from the first callback to the last.
#pragma once

#include "live/audio_device.h"
#include "live/recorder.h"
#include "serpent/live.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

/// What the audio thread measures of itself.
class CallbackFigures {
public:
    using Clock = std::chrono::steady_clock;

    explicit CallbackFigures(unsigned int rate_hz) : rate_hz_(rate_hz) {}
    Clock::time_point begin(bool lost) noexcept {
        if (lost) xruns_.fetch_add(1, std::memory_order_relaxed);
        return Clock::now();
    }
    void end(Clock::time_point begin, int n) noexcept {
        const double share = std::chrono::duration<double>(Clock::now() - begin).count() * rate_hz_ / n;
        load_.store(load_.load(std::memory_order_relaxed) * 0.95 + 0.05 * share, std::memory_order_relaxed);
        samples_.fetch_add(n, std::memory_order_relaxed);
    }
    double load() const noexcept { return load_; }  ///< share of the block's time, lately
    std::uint64_t xruns() const noexcept { return xruns_; }
    double seconds() const noexcept { return double(samples_) / rate_hz_; }

private:
    double rate_hz_;
    std::atomic<double> load_{0};
    std::atomic<std::uint64_t> xruns_{0};
    std::atomic<std::int64_t> samples_{0};
};

/// All that the audio thread works with.
struct Performance {
    serpent::LiveSession& session;
    AudioStream& stream;
    CallbackFigures figures;
    std::unique_ptr<Recorder> recorder;  ///< or none
};

/// Watches over a performance until it is over; returns what is wrong with the stream, if that ended it.
using Monitor = std::function<std::optional<std::string>(Performance&)>;

/// Plays while `monitor` runs, and returns what it returned. Nothing calls into `performance` any more when this is left, by an
/// exception of the monitor too.
std::optional<std::string> play(Performance& performance, const Monitor& monitor);
