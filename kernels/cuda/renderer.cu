// SPDX-License-Identifier: MIT
// Blocks of a signal on their way through the GPU: copied there, rendered, copied back, three blocks at a time in three streams.
#include "cuda/filter.cuh"
#include "cuda/render_path.h"
#include "cuda/support.cuh"
#include "equations/output_bound.h"
#include "serpent/kernels/device_render.h"

#include <algorithm>

namespace serpent::kernels {

using cuda::DeviceArray;
using cuda::DeviceSignal;
using cuda::Event;
using cuda::Pinned;
using cuda::Stream;

namespace {

constexpr std::size_t largest_block = std::size_t{1} << 22, smallest_block = std::size_t{1} << 14;
constexpr int bound_threads = 256;

std::size_t as_size(int n) { return static_cast<std::size_t>(n); }

/// What is in flight of one block.
struct Slot {
    Pinned<float> in, out;
    DeviceArray<float> device_in, device_out;
    Event arrived, rendered, returned;
    float* const* target = nullptr;  ///< where the answer goes; null: nothing in flight
    std::size_t first = 0, count = 0;

    explicit Slot(std::size_t floats) : in(floats), out(floats), device_in(floats), device_out(floats) {}
};

__global__ void bound_kernel(float* out, std::int64_t floats, equations::OutputBound<float> bound) {
    const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (i < floats) out[i] = bound(out[i]);
}

} // namespace

struct DeviceRenderer::Impl {
    ModelShape config;
    int chunk;
    std::size_t block = 0;
    bool is_fused = false;
    Stream up, compute, down;  ///< compute: all that touches the state, whoever calls
    Event asked, answered;     ///< between compute and the default stream
    std::unique_ptr<cuda::RenderPath> path;
    DeviceArray<float> history, h;
    cuda::Filter fir_in, fir_out;
    std::vector<std::unique_ptr<Slot>> slots;

    Impl(const ModelShape& c, const WeightPointers& weights, cuda::FilmCoefficients film, const DeviceRenderOptions& options)
        : config(c), chunk(options.chunk),
          history(std::max<std::size_t>(1, c.conv_floats())), h(c.h_floats()) {
        if (options.chunk != 0 && (options.chunk < 16 || options.chunk % 4 != 0))
            throw std::invalid_argument("DeviceRenderOptions: chunk must be 0, or a multiple of 4 of 16 or more");
        const std::size_t wanted = options.block_samples ? options.block_samples : largest_block;
        // Take less at a time where memory is short.
        for (block = wanted;; block /= 2) {
            try {
                take_memory(weights, film, options.fused);
                break;
            } catch (const DeviceError& error) {
                path.reset();
                fir_in = {}, fir_out = {};
                if (error.kind() != DeviceError::Kind::out_of_memory || options.block_samples || block / 2 < smallest_block) throw;
            }
        }
        history.clear(compute);
        h.clear(compute);
        fir_in.clear(compute);
        fir_out.clear(compute);
    }

    void take_memory(const WeightPointers& weights, cuda::FilmCoefficients film, bool fused_wanted) {
        const auto samples = static_cast<std::int64_t>(block);
        path = fused_wanted ? cuda::make_fused_path(config, weights, film, samples) : nullptr;
        is_fused = path != nullptr;
        if (!path) path = cuda::make_generic_path(config, weights, film, samples);
        fir_in = cuda::Filter(config.channels, config.fir_in, weights.fir_in, samples, true);
        fir_out = cuda::Filter(config.channels, config.fir_out, weights.fir_out, samples, false);
    }

    /// Room for calls of n samples. Page-locked memory takes long to get: no more than the calls need.
    void prepare_slots(std::size_t n) {
        for (const auto& slot : slots)
            if (slot->target) {  // of a call that failed on its way, whose audio may be gone
                for (const Stream* stream : {&up, &compute, &down}) stream->wait();
                slot->target = nullptr;
            }
        const std::size_t wanted = std::min(n, block) * as_size(config.channels);
        if (!slots.empty() && slots.front()->in.size() >= wanted) return;
        slots.clear();
        for (int i = 0; i < 2; ++i) slots.push_back(std::make_unique<Slot>(wanted));
    }

    void render(DeviceSignal in, DeviceSignal out, std::size_t n) {
        const auto samples = static_cast<std::int64_t>(n);
        const DeviceSignal heard = fir_in.exists() ? fir_in.own_output() : in, answer = fir_out.exists() ? fir_out.own_input() : out;
        if (fir_in.exists()) fir_in.process(compute, in, heard, samples);
        path->process(compute, heard, answer, samples, chunk != 0 ? chunk : path->chunk_for(samples), history.data(), h.data());
        if (fir_out.exists()) fir_out.process(compute, answer, out, samples);
        const equations::OutputBound<float> bound(config.output_peak);
        if (!bound.bounds()) return;
        const std::int64_t floats = samples * config.channels;  // the channels lie one behind the other
        bound_kernel<<<cuda::blocks_for(floats, bound_threads), bound_threads, 0, compute>>>(out.data, floats, bound);
        cuda::check_launch("bounding the output");
    }

    void send(Slot& slot, const float* const* in, float* const* out, std::size_t first, std::size_t count) {
        for (std::size_t c = 0; c < as_size(config.channels); ++c)
            std::copy_n(in[c] + first, count, slot.in.data() + c * count);
        const std::size_t bytes = as_size(config.channels) * count * sizeof(float);
        const auto stride = static_cast<std::int64_t>(count);
        cuda::check(cudaMemcpyAsync(slot.device_in.data(), slot.in.data(), bytes, cudaMemcpyHostToDevice, up), "copying to it");
        slot.arrived.record(up);
        cuda::wait_for(compute, slot.arrived);
        render({slot.device_in.data(), stride}, {slot.device_out.data(), stride}, count);
        slot.rendered.record(compute);
        cuda::wait_for(down, slot.rendered);
        cuda::check(cudaMemcpyAsync(slot.out.data(), slot.device_out.data(), bytes, cudaMemcpyDeviceToHost, down), "copying from it");
        slot.returned.record(down);
        slot.target = out;
        slot.first = first;
        slot.count = count;
    }

    void receive(Slot& slot) {
        if (!slot.target) return;
        slot.returned.wait();
        for (std::size_t c = 0; c < as_size(config.channels); ++c)
            std::copy_n(slot.out.data() + c * slot.count, slot.count, slot.target[c] + slot.first);
        slot.target = nullptr;
    }
};

DeviceRenderer::DeviceRenderer(const ModelShape& config, const WeightPointers& weights, const float* film_scale, const float* film_shift,
                               const DeviceRenderOptions& options) {
    require_device();
    impl_ = std::make_unique<Impl>(config, weights, cuda::FilmCoefficients{film_scale, film_shift}, options);
}
DeviceRenderer::~DeviceRenderer() = default;
DeviceRenderer::DeviceRenderer(DeviceRenderer&&) noexcept = default;
DeviceRenderer& DeviceRenderer::operator=(DeviceRenderer&&) noexcept = default;

void DeviceRenderer::process(const float* const* in, float* const* out, std::size_t n) {
    if (n == 0) return;
    impl_->prepare_slots(n);
    std::size_t index = 0;
    for (std::size_t first = 0; first < n; first += impl_->block, ++index) {
        Slot& slot = *impl_->slots[index % impl_->slots.size()];
        impl_->receive(slot);
        impl_->send(slot, in, out, first, std::min(impl_->block, n - first));
    }
    for (std::size_t i = 0; i < impl_->slots.size(); ++i, ++index) impl_->receive(*impl_->slots[index % impl_->slots.size()]);
}

void DeviceRenderer::process(const DeviceBuffer& in, DeviceBuffer& out, std::size_t n) {
    const std::size_t floats = n * as_size(impl_->config.channels);
    if (n > impl_->block || floats > in.size() || floats > out.size()) throw std::out_of_range("DeviceRenderer::process");
    if (n == 0) return;
    const auto stride = static_cast<std::int64_t>(n);
    // The buffers belong to the default stream, where what was queued before them and what comes behind keep their order.
    impl_->asked.record(nullptr);
    cuda::wait_for(impl_->compute, impl_->asked);
    impl_->render({in.data(), stride}, {out.data(), stride}, n);
    impl_->answered.record(impl_->compute);
    cuda::wait_for(nullptr, impl_->answered);
}

std::size_t DeviceRenderer::block_samples() const noexcept { return impl_->block; }
bool DeviceRenderer::fused() const noexcept { return impl_->is_fused; }

void DeviceRenderer::get_state(const StatePointers<float>& to) const {
    impl_->history.download(impl_->compute, to.conv, impl_->config.conv_floats());
    impl_->h.download(impl_->compute, to.h, impl_->h.size());
    impl_->fir_in.history().download(impl_->compute, to.fir_in, impl_->fir_in.history().size());
    impl_->fir_out.history().download(impl_->compute, to.fir_out, impl_->fir_out.history().size());
}

void DeviceRenderer::set_state(const StatePointers<const float>& from) {
    impl_->history.upload(impl_->compute, from.conv, impl_->config.conv_floats());
    impl_->h.upload(impl_->compute, from.h, impl_->h.size());
    impl_->fir_in.history().upload(impl_->compute, from.fir_in, impl_->fir_in.history().size());
    impl_->fir_out.history().upload(impl_->compute, from.fir_out, impl_->fir_out.history().size());
}

} // namespace serpent::kernels
