// SPDX-License-Identifier: MIT
// What the GPU operators share: whether there is a GPU, its memory, its errors. No CUDA header is seen from here, and all of it
// links in a build without CUDA: then device_status() says so, and everything else throws DeviceError.
// Objects belong to one thread at a time; different objects may be used by different threads. The default stream of the GPU has
// the buffers' copies, the scans and the timer, in the order of the calls; the renderer and the trainer work in streams of their
// own, and wait for it where they are given a buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

namespace serpent::kernels {

/// One sentence for a person: what failed and what to do.
class DeviceError : public std::runtime_error {
public:
    enum class Kind { not_built, no_device, out_of_memory, failed };
    DeviceError(Kind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
    Kind kind() const noexcept { return kind_; }

private:
    Kind kind_;
};

struct DeviceStatus {
    bool built = false;       ///< this build has GPU code
    bool available = false;   ///< and there is a GPU that it runs on
    std::string description;  ///< the GPU's name, or why there is none
    int multiprocessors = 0;
    std::size_t memory_bytes = 0;
};

/// Looks once and remembers. Never throws.
const DeviceStatus& device_status() noexcept;

/// Throws DeviceError (not_built, no_device) unless a GPU is available.
void require_device();

/// Floats in the GPU's memory. Contents are undefined at first.
class DeviceBuffer {
public:
    DeviceBuffer() = default;
    explicit DeviceBuffer(std::size_t size);
    ~DeviceBuffer();
    DeviceBuffer(DeviceBuffer&& other) noexcept;
    DeviceBuffer& operator=(DeviceBuffer&& other) noexcept;

    float* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    /// Synchronous copies of `count` floats from or to place `first`. std::out_of_range beyond the end.
    void upload(const float* from, std::size_t count, std::size_t first = 0);
    void download(float* to, std::size_t count, std::size_t first = 0) const;

private:
    float* data_ = nullptr;
    std::size_t size_ = 0;
};

/// Time on the GPU between two points of its default stream.
class DeviceTimer {
public:
    DeviceTimer();
    ~DeviceTimer();
    DeviceTimer(const DeviceTimer&) = delete;
    DeviceTimer& operator=(const DeviceTimer&) = delete;
    void start();
    double stop_ms();  ///< waits for the GPU

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace serpent::kernels
