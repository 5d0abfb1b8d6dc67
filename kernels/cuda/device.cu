// SPDX-License-Identifier: MIT
#include "cuda/support.cuh"

namespace serpent::kernels {
namespace {

DeviceStatus look() noexcept {
    DeviceStatus status;
    status.built = true;
    int count = 0, device = 0;
    cudaDeviceProp properties{};
    if (const cudaError_t e = cudaGetDeviceCount(&count); e != cudaSuccess || count == 0) {
        status.description = std::string("no GPU found") + (e == cudaSuccess ? "" : std::string(" (") + cudaGetErrorString(e) + ")");
    } else if (cudaGetDevice(&device) != cudaSuccess || cudaGetDeviceProperties(&properties, device) != cudaSuccess) {
        status.description = "the GPU does not answer";
    } else if (properties.major < 8) {
        status.description = std::string(properties.name) + " is too old: compute capability 8.0 is needed";
    } else {
        status.available = true;
        status.description = properties.name;
        status.multiprocessors = properties.multiProcessorCount;
        status.memory_bytes = properties.totalGlobalMem;
    }
    (void)cudaGetLastError();
    return status;
}

} // namespace

const DeviceStatus& device_status() noexcept {
    static const DeviceStatus status = look();
    return status;
}

void require_device() {
    const DeviceStatus& status = device_status();
    if (!status.available) throw DeviceError(DeviceError::Kind::no_device, "There is no GPU to compute on: " + status.description + ".");
}

DeviceBuffer::DeviceBuffer(std::size_t size) : size_(size) {
    require_device();
    if (size == 0) return;
    void* p = nullptr;
    cuda::check(cudaMalloc(&p, size * sizeof(float)), "taking memory");
    data_ = static_cast<float*>(p);
}
DeviceBuffer::~DeviceBuffer() {
    if (data_) cudaFree(data_);
}
DeviceBuffer::DeviceBuffer(DeviceBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
DeviceBuffer& DeviceBuffer::operator=(DeviceBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

void DeviceBuffer::upload(const float* from, std::size_t count, std::size_t first) {
    if (first > size_ || count > size_ - first) throw std::out_of_range("DeviceBuffer::upload");
    if (count > 0) cuda::check(cudaMemcpy(data_ + first, from, count * sizeof(float), cudaMemcpyHostToDevice), "copying to it");
}
void DeviceBuffer::download(float* to, std::size_t count, std::size_t first) const {
    if (first > size_ || count > size_ - first) throw std::out_of_range("DeviceBuffer::download");
    if (count > 0) cuda::check(cudaMemcpy(to, data_ + first, count * sizeof(float), cudaMemcpyDeviceToHost), "copying from it");
}

struct DeviceTimer::Impl {
    cuda::Event begin{cudaEventDefault}, end{cudaEventDefault};
};
DeviceTimer::DeviceTimer() {
    require_device();
    impl_ = std::make_unique<Impl>();
}
DeviceTimer::~DeviceTimer() = default;
void DeviceTimer::start() { impl_->begin.record(nullptr); }
double DeviceTimer::stop_ms() {
    impl_->end.record(nullptr);
    impl_->end.wait();
    float ms = 0;
    cuda::check(cudaEventElapsedTime(&ms, impl_->begin, impl_->end), "timing");
    return ms;
}

} // namespace serpent::kernels
