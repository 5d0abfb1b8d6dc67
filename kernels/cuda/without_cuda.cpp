// SPDX-License-Identifier: MIT
// In place of the GPU code where there was no CUDA compiler.
#include "serpent/kernels/device_peak.h"
#include "serpent/kernels/device_render.h"
#include "serpent/kernels/device_train.h"

namespace serpent::kernels {

const DeviceStatus& device_status() noexcept {
    static const DeviceStatus status{false, false, "this build has no GPU support", 0, 0};
    return status;
}

void require_device() {
    throw DeviceError(DeviceError::Kind::not_built,
                      "This build has no GPU support: build Serpent where the CUDA compiler nvcc is, or compute on the CPU.");
}

DeviceBuffer::DeviceBuffer(std::size_t) { require_device(); }
DeviceBuffer::~DeviceBuffer() = default;
DeviceBuffer::DeviceBuffer(DeviceBuffer&&) noexcept = default;
DeviceBuffer& DeviceBuffer::operator=(DeviceBuffer&&) noexcept = default;
void DeviceBuffer::upload(const float*, std::size_t, std::size_t) { require_device(); }
void DeviceBuffer::download(float*, std::size_t, std::size_t) const { require_device(); }

struct DeviceTimer::Impl {};
DeviceTimer::DeviceTimer() { require_device(); }
DeviceTimer::~DeviceTimer() = default;
void DeviceTimer::start() {}
double DeviceTimer::stop_ms() { return 0.0; }

DevicePeaks measure_device_peaks() {
    require_device();
    return {};
}

struct DeviceRenderer::Impl {};
DeviceRenderer::DeviceRenderer(const ModelShape&, const WeightPointers&, const float*, const float*, const DeviceRenderOptions&) {
    require_device();
}
DeviceRenderer::~DeviceRenderer() = default;
DeviceRenderer::DeviceRenderer(DeviceRenderer&&) noexcept = default;
DeviceRenderer& DeviceRenderer::operator=(DeviceRenderer&&) noexcept = default;
void DeviceRenderer::process(const float* const*, float* const*, std::size_t) {}
void DeviceRenderer::process(const DeviceBuffer&, DeviceBuffer&, std::size_t) {}
std::size_t DeviceRenderer::block_samples() const noexcept { return 0; }
bool DeviceRenderer::fused() const noexcept { return false; }
void DeviceRenderer::get_state(const StatePointers<float>&) const {}
void DeviceRenderer::set_state(const StatePointers<const float>&) {}

struct DeviceTrainer::Impl {};
DeviceTrainer::DeviceTrainer(const DeviceModelLayout&, int, int, const std::vector<float>&, const DeviceTrainOptions&) { require_device(); }
DeviceTrainer::~DeviceTrainer() = default;
DeviceTrainer::DeviceTrainer(DeviceTrainer&&) noexcept = default;
DeviceTrainer& DeviceTrainer::operator=(DeviceTrainer&&) noexcept = default;
void DeviceTrainer::add_take(const std::vector<std::vector<float>>&, const std::vector<std::vector<float>>&, const std::vector<float>&) {}
void DeviceTrainer::set_vectors(const DeviceTrainVectors&) {}
DeviceTrainVectors DeviceTrainer::vectors() const { return {}; }
void DeviceTrainer::set_sequence(int, const StatePointers<const float>&, const float*) {}
void DeviceTrainer::get_sequence(int, const StatePointers<float>&, float*) const {}
std::size_t DeviceTrainer::memory_bytes() const noexcept { return 0; }
int DeviceTrainer::blocks_per_sequence() const noexcept { return 0; }
void DeviceTrainer::step(const std::vector<DeviceSequence>&, const DeviceStep&) {}
double DeviceTrainer::take_loss() { return 0.0; }
std::vector<float> DeviceTrainer::gradient() const { return {}; }

} // namespace serpent::kernels
