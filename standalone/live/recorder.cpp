// SPDX-License-Identifier: GPL-3.0-or-later
#include "live/recorder.h"

#include "serpent/audio_file.h"
#include "serpent/errors.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <system_error>

namespace {

constexpr std::size_t ring_s = 20;  // how long the disk may be busy
constexpr auto drain_every = std::chrono::milliseconds(20);
constexpr auto sync_every = std::chrono::seconds(2);  // what a power cut costs at most, plus what the disk holds back

} // namespace

Recorder::Recorder(const std::filesystem::path& path, int rate_hz)
    : path_(path), rate_hz_(rate_hz), ring_(2 * ring_s * static_cast<std::size_t>(rate_hz)) {
    const serpent::AudioFormat format = serpent::closest_format(path, {rate_hz, 2, serpent::Subtype::float32});
    writer_ = std::make_unique<serpent::AudioWriter>(serpent::AudioWriter::recording(path, format));
    try {
        thread_ = std::thread([this] { serve(); });
    } catch (const std::system_error&) {
        throw serpent::Error("the system starts no further thread to write " + path.string() +
                             "; end other programs, or raise the limit of processes (ulimit -u)");
    }
}

Recorder::~Recorder() { finish(); }

void Recorder::add(const float* heard, const float* played, int n) noexcept {
    if (failed_.load(std::memory_order_relaxed)) return;
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
    const std::int64_t before = written_;
    for (std::size_t taken = taken_; taken != put_.load(std::memory_order_acquire);) {
        const std::size_t first = taken % frames, n = std::min(put_.load() - taken, frames - first);
        writer_->write(ring_.data() + 2 * first, n);
        taken += n;
        taken_.store(taken, std::memory_order_release);
        written_ = writer_->frames_written();
    }
    if (written_ > before) writer_->flush();
}

void Recorder::serve() noexcept {
    using Clock = std::chrono::steady_clock;
    try {
        for (auto synced = Clock::now(); !over_;) {
            drain();
            if (Clock::now() - synced > sync_every) {
                writer_->sync();
                synced = Clock::now();
            }
            std::this_thread::sleep_for(drain_every);
        }
        drain();
        writer_->commit();
    } catch (const std::exception& problem) {
        written_ = writer_->frames_written();
        writer_.reset();  // closes the file, which keeps what it has
        error_ = problem.what();
        failed_ = true;
    }
}

void Recorder::finish() noexcept {
    over_ = true;
    if (thread_.joinable()) thread_.join();
}

std::optional<std::string> Recorder::trouble() const {
    return failed_ ? std::optional(error_) : std::nullopt;
}
