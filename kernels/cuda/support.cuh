// SPDX-License-Identifier: MIT
// Errors, streams, events and memory of the CUDA runtime as C++ objects.
//
// An object that computes has one stream for all that touches its memory: kernels, copies and clearing, so that they cannot
// overtake each other. Other streams join it by events.
#pragma once

#include "serpent/kernels/device.h"

#include <cuda_runtime.h>

#include <cstring>
#include <utility>
#include <vector>

namespace serpent::kernels::cuda {

inline void check(cudaError_t status, const char* doing) {
    if (status == cudaSuccess) return;
    (void)cudaGetLastError();  // do not report it once more at the next call
    const std::string message = std::string("The GPU failed while ") + doing + ": " + cudaGetErrorString(status);
    if (status == cudaErrorMemoryAllocation)
        throw DeviceError(DeviceError::Kind::out_of_memory, message + "; close other programs that use it, or compute on the CPU");
    throw DeviceError(DeviceError::Kind::failed, message + "; compute on the CPU instead");
}
inline void check_launch(const char* doing) { check(cudaGetLastError(), doing); }

class Stream {
public:
    Stream() { check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "creating a stream"); }
    ~Stream() {
        if (stream_) cudaStreamDestroy(stream_);
    }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    operator cudaStream_t() const { return stream_; }
    void wait() const { check(cudaStreamSynchronize(stream_), "computing"); }

private:
    cudaStream_t stream_ = nullptr;
};

class Event {
public:
    explicit Event(unsigned flags = cudaEventDisableTiming) { check(cudaEventCreateWithFlags(&event_, flags), "creating an event"); }
    ~Event() {
        if (event_) cudaEventDestroy(event_);
    }
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    operator cudaEvent_t() const { return event_; }
    void record(cudaStream_t stream) { check(cudaEventRecord(event_, stream), "recording an event"); }
    void wait() const { check(cudaEventSynchronize(event_), "computing"); }

private:
    cudaEvent_t event_ = nullptr;
};

inline void wait_for(cudaStream_t stream, const Event& event) { check(cudaStreamWaitEvent(stream, event), "waiting for an event"); }

/// Page-locked memory of the computer: copies from and to it run beside everything else.
template <class T>
class Pinned {
public:
    explicit Pinned(std::size_t size) : size_(size) {
        void* p = nullptr;
        check(cudaMallocHost(&p, size * sizeof(T)), "taking page-locked memory");
        data_ = static_cast<T*>(p);
    }
    ~Pinned() {
        if (data_) cudaFreeHost(data_);
    }
    Pinned(Pinned&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(other.size_) {}
    Pinned(const Pinned&) = delete;
    Pinned& operator=(const Pinned&) = delete;
    T* data() const { return data_; }
    std::size_t size() const { return size_; }

private:
    T* data_;
    std::size_t size_;
};

/// Plain objects in the GPU's memory.
template <class T>
class DeviceArray {
public:
    DeviceArray() = default;
    explicit DeviceArray(std::size_t size) : size_(size) {
        if (size == 0) return;
        void* p = nullptr;
        check(cudaMalloc(&p, size * sizeof(T)), "taking memory");
        data_ = static_cast<T*>(p);
    }
    /// Filled when this returns: whatever stream is the first to read it need not wait.
    explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) {
        upload(nullptr, values.data(), values.size());
    }
    ~DeviceArray() {
        if (data_) cudaFree(data_);
    }
    DeviceArray(DeviceArray&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    DeviceArray& operator=(DeviceArray&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    T* data() const { return data_; }
    std::size_t size() const { return size_; }
    /// Behind all that is in `stream`, and done when it returns.
    void upload(cudaStream_t stream, const T* from, std::size_t count, std::size_t first = 0) {
        copy(stream, data_ + first, from, count, cudaMemcpyHostToDevice, "copying to it");
    }
    void download(cudaStream_t stream, T* to, std::size_t count, std::size_t first = 0) const {
        copy(stream, to, data_ + first, count, cudaMemcpyDeviceToHost, "copying from it");
    }
    std::vector<T> values(cudaStream_t stream) const {
        std::vector<T> v(size_);
        download(stream, v.data(), size_);
        return v;
    }
    /// Zeros; queued.
    void clear(cudaStream_t stream) { check(cudaMemsetAsync(data_, 0, size_ * sizeof(T), stream), "clearing"); }

private:
    static void copy(cudaStream_t stream, T* to, const T* from, std::size_t count, cudaMemcpyKind kind, const char* doing) {
        if (count == 0) return;
        check(cudaMemcpyAsync(to, from, count * sizeof(T), kind, stream), doing);
        check(cudaStreamSynchronize(stream), doing);  // from ordinary memory it may return before the GPU has it all
    }

    T* data_ = nullptr;
    std::size_t size_ = 0;
};

inline unsigned blocks_for(std::int64_t items, int per_block) { return static_cast<unsigned>((items + per_block - 1) / per_block); }

} // namespace serpent::kernels::cuda
