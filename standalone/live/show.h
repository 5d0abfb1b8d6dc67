// SPDX-License-Identifier: GPL-3.0-or-later
// What a live session looks like from outside: a screen with meters and keys, or a log.
#pragma once

#include "live/audio_device.h"
#include "serpent/live.h"

#include <atomic>
#include <chrono>
#include <cstdint>
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

/// Both return when interrupted, after `seconds` of audio, or with what is wrong with the stream.
std::optional<std::string> show_until_over(serpent::LiveSession& session, const AudioStream& stream, const CallbackFigures& figures,
                                           std::optional<double> seconds);
std::optional<std::string> log_until_over(serpent::LiveSession& session, const AudioStream& stream, const CallbackFigures& figures,
                                          std::optional<double> seconds);
