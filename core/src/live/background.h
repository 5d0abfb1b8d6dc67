// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace serpent {

/// Samples are worked on by a thread of its own and come back a fixed delay later. Where a sample is due and the thread has
/// not come to it, process() works it off itself: a host that runs faster than real time gets the same samples.
class Background {
public:
    /// In place, n samples of one channel, in order; never by two threads at once. Must be fit for an audio thread.
    using Work = std::function<void(float* audio, int n)>;

    Background(Work work, int delay_samples, double rate_hz);
    ~Background();
    Background(const Background&) = delete;
    Background& operator=(const Background&) = delete;

    /// In place, any n. Does not allocate, lock or call the system; at the worst it waits for a piece of work in progress,
    /// 50 ms at most.
    void process(float* audio, int n) noexcept;

    /// Samples that were not there in time and were silence.
    std::uint64_t late_samples() const noexcept { return late_; }

private:
    void serve();
    /// Takes one piece of what waits, up to index `end`, if nobody else is at it.
    bool take(std::int64_t end) noexcept;
    bool catch_up(std::int64_t end) noexcept;

    Work work_;
    std::int64_t delay_;
    double rate_hz_;
    std::vector<float> ring_;  // sample i at i modulo the size: heard up to put_, worked on up to done_
    std::atomic<std::int64_t> put_, done_;
    std::int64_t stuck_at_ = -1;  // of done_, when process() waited in vain
    std::atomic_flag busy_ = ATOMIC_FLAG_INIT;
    std::atomic<std::uint64_t> late_{0};
    std::atomic<bool> over_{false};
    std::thread thread_;
};

} // namespace serpent
