// SPDX-License-Identifier: GPL-3.0-or-later
// Keeps what was heard and what was played: the audio thread leaves it in a ring, another thread writes the file.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <memory>
#include <thread>
#include <vector>

namespace serpent {
class AudioWriter;
}

class Recorder {
public:
    /// Two channels: heard, played. Throws serpent::Error when the file cannot be made.
    Recorder(const std::filesystem::path& path, int rate_hz);
    ~Recorder();  ///< finish() without its errors

    /// From the audio thread: n samples; what finds no room is lost, and counted.
    void add(const float* heard, const float* played, int n) noexcept;
    /// Writes the rest and gives the file its name. Throws serpent::Error (disk full...).
    void finish();

    std::uint64_t lost_samples() const noexcept { return lost_; }
    std::int64_t written_samples() const noexcept { return written_; }

private:
    void serve();
    void drain();

    std::unique_ptr<serpent::AudioWriter> writer_;
    std::vector<float> ring_;  // frames of two
    std::atomic<std::size_t> put_{0}, taken_{0};
    std::atomic<std::uint64_t> lost_{0};
    std::atomic<std::int64_t> written_{0};
    std::atomic<bool> over_{false};
    std::exception_ptr error_;
    std::thread thread_;
};
