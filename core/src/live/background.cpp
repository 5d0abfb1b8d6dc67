// SPDX-License-Identifier: MIT
#include "live/background.h"

#include "serpent/errors.h"

#include <algorithm>
#include <chrono>
#include <system_error>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <sched.h>
#endif

namespace serpent {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t piece = 8;  // samples: how long the other side may have to wait
constexpr std::int64_t room = 8192;  // samples beyond the delay
constexpr auto patience = std::chrono::milliseconds(50);

/// As urgent as the audio thread, where the system lets us; else as any other.
void ask_for_real_time() noexcept {
#if defined(__unix__) || defined(__APPLE__)
    sched_param parameters{};
    parameters.sched_priority = std::max(1, sched_get_priority_max(SCHED_FIFO) / 2);
    (void)pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameters);
#endif
}

} // namespace

Background::Background(Work work, int delay_samples, double rate_hz)
    : work_(std::move(work)), delay_(std::max(1, delay_samples)), rate_hz_(rate_hz),
      ring_(static_cast<std::size_t>(delay_ + room)), put_(delay_), done_(delay_) {
    try {
        thread_ = std::thread([this] { serve(); });
    } catch (const std::system_error&) {
        throw Error("the system starts no further thread for the model to work ahead on; end other programs, or raise the "
                    "limit of processes (ulimit -u)");
    }
}

Background::~Background() {
    over_ = true;
    thread_.join();
}

bool Background::take(std::int64_t end) noexcept {
    if (busy_.test_and_set(std::memory_order_acquire)) return false;
    const auto size = static_cast<std::int64_t>(ring_.size());
    const std::int64_t first = done_.load(std::memory_order_relaxed);
    const std::int64_t n = std::min({piece, end - first, size - first % size});
    if (n > 0) {
        work_(ring_.data() + first % size, static_cast<int>(n));
        done_.store(first + n, std::memory_order_release);
    }
    busy_.clear(std::memory_order_release);
    return true;
}

/// The audio thread sets no event for this one, which would be a call of the system: it looks every quarter of the delay.
void Background::serve() {
    ask_for_real_time();
    const std::chrono::duration<double> nap(std::clamp(0.25 * double(delay_) / rate_hz_, 1e-4, 5e-3));
    while (!over_) {
        const std::int64_t put = put_.load(std::memory_order_acquire);
        if (done_.load(std::memory_order_relaxed) >= put || !take(put)) std::this_thread::sleep_for(nap);
    }
}

bool Background::catch_up(std::int64_t end) noexcept {
    Clock::time_point until{};
    for (std::int64_t done; (done = done_.load(std::memory_order_acquire)) < end;) {
        if (take(end)) continue;
        if (done == stuck_at_) return false;  // it was waited for before
        const auto now = Clock::now();
        if (until == Clock::time_point{}) until = now + patience;
        if (now > until) {
            stuck_at_ = done;
            return false;
        }
    }
    return true;
}

void Background::process(float* audio, int n) noexcept {
    const auto size = static_cast<std::int64_t>(ring_.size());
    for (std::int64_t at = 0; at < n;) {
        const std::int64_t put = put_.load(std::memory_order_relaxed);
        const std::int64_t part = std::min<std::int64_t>({n - at, delay_, piece});
        const std::int64_t due = put + part - delay_;
        if (put + part - done_.load(std::memory_order_acquire) > size) {  // stuck for a second: its time stands still
            std::fill_n(audio + at, part, 0.0f);
            late_.fetch_add(static_cast<std::uint64_t>(part), std::memory_order_relaxed);
            at += part;
            continue;
        }
        for (std::int64_t i = 0; i < part; ++i) ring_[static_cast<std::size_t>((put + i) % size)] = audio[at + i];
        put_.store(put + part, std::memory_order_release);
        const bool there = catch_up(due);
        if (!there) late_.fetch_add(static_cast<std::uint64_t>(part), std::memory_order_relaxed);
        for (std::int64_t i = 0; i < part; ++i)
            audio[at + i] = there ? ring_[static_cast<std::size_t>((due - part + i) % size)] : 0.0f;
        at += part;
    }
}

} // namespace serpent
