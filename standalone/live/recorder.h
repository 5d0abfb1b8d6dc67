// SPDX-License-Identifier: GPL-3.0-or-later
// Keeps what was heard and what was played: the audio thread leaves it in a ring, another thread writes the file.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace serpent {
class AudioWriter;
}

/// The file opens at any moment, also when this process is killed, and keeps what was written when the disk is full.
class Recorder {
public:
    /// Two channels: heard, played. Throws serpent::Error when the file cannot be made, or is there already.
    Recorder(const std::filesystem::path& path, int rate_hz);
    ~Recorder();  ///< finish()

    /// From the audio thread: n samples; what finds no room is lost, and counted.
    void add(const float* heard, const float* played, int n) noexcept;
    /// Writes the rest and closes the file.
    void finish() noexcept;

    double seconds() const noexcept { return static_cast<double>(written_.load()) / rate_hz_; }
    std::uint64_t lost_samples() const noexcept { return lost_; }
    /// Why nothing more is written (disk full...), from the moment on that it is so.
    std::optional<std::string> trouble() const;
    const std::filesystem::path& path() const noexcept { return path_; }

private:
    void serve() noexcept;
    void drain();

    std::filesystem::path path_;
    double rate_hz_;
    std::unique_ptr<serpent::AudioWriter> writer_;
    std::vector<float> ring_;  // frames of two
    std::atomic<std::size_t> put_{0}, taken_{0};
    std::atomic<std::uint64_t> lost_{0};
    std::atomic<std::int64_t> written_{0};
    std::atomic<bool> over_{false}, failed_{false};
    std::string error_;  // constant once failed_ is set
    std::thread thread_;
};
