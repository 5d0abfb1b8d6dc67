// SPDX-License-Identifier: GPL-3.0-or-later
#include "live/recorder.h"

#include "serpent/audio_file.h"

#include <algorithm>
#include <chrono>

namespace {

constexpr std::size_t ring_s = 20;           // how long the disk may be busy
constexpr std::int64_t usual_length_s = 3600;  // a WAV file grows beyond that all the same

} // namespace

Recorder::Recorder(const std::filesystem::path& path, int rate_hz) : ring_(2 * ring_s * static_cast<std::size_t>(rate_hz)) {
    const serpent::AudioFormat format = serpent::closest_format(path, {rate_hz, 2, serpent::Subtype::float32});
    writer_ = std::make_unique<serpent::AudioWriter>(path, format, usual_length_s * rate_hz);
    thread_ = std::thread([this] { serve(); });
}

Recorder::~Recorder() {
    try {
        finish();
    } catch (...) {
        // told by finish() to whoever called it
    }
}

void Recorder::add(const float* heard, const float* played, int n) noexcept {
    const std::size_t frames = ring_.size() / 2, put = put_.load(std::memory_order_relaxed);
    const std::size_t room = frames - (put - taken_.load(std::memory_order_acquire));
    const std::size_t count = std::min(room, static_cast<std::size_t>(n));
    for (std::size_t t = 0; t < count; ++t) {
        ring_[2 * ((put + t) % frames)] = heard[t];
        ring_[2 * ((put + t) % frames) + 1] = played[t];
    }
    put_.store(put + count, std::memory_order_release);
    lost_.fetch_add(static_cast<std::size_t>(n) - count, std::memory_order_relaxed);
}

void Recorder::drain() {
    const std::size_t frames = ring_.size() / 2;
    for (std::size_t taken = taken_; taken != put_.load(std::memory_order_acquire);) {
        const std::size_t first = taken % frames, n = std::min(put_.load() - taken, frames - first);
        writer_->write(ring_.data() + 2 * first, n);
        taken += n;
        taken_.store(taken, std::memory_order_release);
        written_ += static_cast<std::int64_t>(n);
    }
}

void Recorder::serve() {
    try {
        while (!over_) {
            drain();
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
        drain();
        writer_->commit();
    } catch (...) {
        error_ = std::current_exception();
    }
}

void Recorder::finish() {
    if (!thread_.joinable()) return;
    over_ = true;
    thread_.join();
    if (error_) std::rethrow_exception(error_);
}
