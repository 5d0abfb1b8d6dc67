// SPDX-License-Identifier: MIT
// LiveEngine outside the callback: chooses the code, and carries state in and out.
#include "serpent/kernels/live.h"

#include "cpu/live_data.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>
#include <string>

namespace serpent::kernels {

namespace {

using std::size_t;

/// Where a ramp stands that has come `position` (0..1) of its way.
void move_start(const LiveData& data, LiveLayer& layer, float position) {
    const auto move = [position](float* from, const float* to, size_t n) {
        for (size_t i = 0; i < n; ++i) from[i] = position * to[i] + (1.0f - position) * from[i];
    };
    move(layer.from.gain, layer.to.gain, data.model_stride);
    move(layer.from.bias, layer.to.bias, 2 * data.inner_stride);
}

/// Throws std::invalid_argument for a model that the engine does not run.
LiveConfig config_of(const ModelShape& shape) {
    const BlockShape& b = shape.blocks.front();
    for (const BlockShape& other : shape.blocks)
        if (other.d_model != b.d_model || other.d_inner != b.d_inner || other.d_state != b.d_state || other.dt_rank != b.dt_rank ||
            other.tied != b.tied || other.ema != b.ema)
            throw std::invalid_argument("The live engine runs blocks of the same widths, which may differ in kind and convolution.");
    return {shape.channels, b.d_model, b.d_inner, b.d_state, b.dt_rank, static_cast<int>(shape.blocks.size()), b.tied, b.ema,
            shape.output_peak};
}

/// Whether a tap of any channel counts. A stretched convolution has few that do.
bool tap_counts(const float* weight, size_t channels, size_t taps, size_t tap) {
    for (size_t c = 0; c < channels; ++c)
        if (weight[c * taps + tap] != 0.0f) return true;
    return false;
}

/// The taps that count, oldest first.
std::vector<LiveTap> taps_of(const BlockShape& shape, const float* weight) {
    const auto d_conv = static_cast<size_t>(shape.d_conv), dilation = static_cast<size_t>(shape.dilation);
    std::vector<LiveTap> taps;
    for (size_t tap = 0; tap < d_conv; ++tap)
        if (tap_counts(weight, static_cast<size_t>(shape.d_inner), d_conv, tap)) taps.push_back({tap, tap * dilation});
    return taps;
}

/// The first of the list that computes `config`.
const LiveOps& choose(Isa isa, const LiveConfig& config, size_t instances, bool specialised) {
    const LiveOpsList list = live_ops_list(isa);
    size_t lanes = 0;
    for (size_t i = 0; i < list.count; ++i) lanes = std::max(lanes, list.begin[i].lanes);
    if (instances == 1 && std::max(config.d_model, config.d_inner) <= 8) lanes = std::min<size_t>(lanes, 8);
    const auto decays = static_cast<size_t>(config.tied ? 1 : config.d_state);
    for (size_t i = 0; i < list.count; ++i) {
        const LiveOps& ops = list.begin[i];
        const LiveShape& shape = ops.shape;
        const bool fits = specialised && config.dt_rank == 1 && shape.d_model == static_cast<size_t>(config.d_model) &&
                          shape.d_inner == static_cast<size_t>(config.d_inner) &&
                          shape.d_state == static_cast<size_t>(config.d_state) && shape.decays == decays;
        if (ops.instances == instances && ops.lanes == lanes && (shape.d_model == 0 || fits)) return ops;
    }
    throw std::invalid_argument("The instruction set " + std::string(isa_name(isa)) + " does not run " +
                                std::to_string(instances) + " instances at a time.");
}

} // namespace

struct LiveEngine::Impl {
    const LiveOps* ops;
    LiveData data;
    std::vector<LiveLayer> layers;
    std::vector<std::vector<LiveTap>> taps;  // of every layer
    std::vector<float> norm;  // [n_layers][d_model]
    hwy::AlignedFreeUniquePtr<float[]> memory;

    void make_layers(const ModelShape& shape, const WeightPointers& weights);
    void make_filters(const ModelShape& shape, const FirOps& fir);
};

/// What a layer is, before it has memory.
void LiveEngine::Impl::make_layers(const ModelShape& shape, const WeightPointers& weights) {
    for (size_t i = 0; i < shape.blocks.size(); ++i) {
        const BlockShape& block = shape.blocks[i];
        taps.push_back(taps_of(block, weights.layers[i].conv_weight));
        LiveLayer& layer = layers.emplace_back();
        layer.kind = block.kind, layer.step_ratio = block.step_ratio;
        layer.d_conv = static_cast<size_t>(block.d_conv), layer.history = static_cast<size_t>(block.history());
        layer.spare = live_spare(layer.history);
        layer.taps = taps[i].size();
        layer.dense = block.dilation == 1 && layer.taps == layer.d_conv;
    }
    for (size_t i = 0; i < layers.size(); ++i) layers[i].tap = taps[i].data();
    data.layers = layers.data();
}

void LiveEngine::Impl::make_filters(const ModelShape& shape, const FirOps& fir) {
    data.fir_in.taps = static_cast<size_t>(shape.fir_in), data.fir_out.taps = static_cast<size_t>(shape.fir_out);
    data.fir_in.filter = data.fir_out.filter = fir.filter;
}

LiveEngine::LiveEngine(const ModelShape& shape, const WeightPointers& weights, const LiveOptions& options)
    : impl_(std::make_unique<Impl>()) {
    const LiveConfig config = config_of(shape);
    impl_->ops = &choose(options.isa, config, static_cast<size_t>(options.instances), options.specialised);
    LiveData& data = impl_->data;
    data.config = config;
    data.instances = impl_->ops->instances, data.lanes = impl_->ops->lanes;
    data.model_stride = row_stride(data, static_cast<size_t>(config.d_model));
    data.inner_stride = row_stride(data, static_cast<size_t>(config.d_inner));
    impl_->make_layers(shape, weights);
    impl_->make_filters(shape, fir_ops_for(options.isa));

    const size_t floats = lay_out_live(data, nullptr);
    impl_->memory = hwy::AllocateAligned<float>(floats);
    if (!impl_->memory) throw std::bad_alloc();
    std::fill_n(impl_->memory.get(), floats, 0.0f);
    lay_out_live(data, impl_->memory.get());

    pack_live(data, weights);
    for (size_t i = 0; i < impl_->layers.size(); ++i) {
        const float* norm = weights.layers[i].norm;
        impl_->norm.insert(impl_->norm.end(), norm, norm + config.d_model);
        set_live_film(data, impl_->layers[i], norm, nullptr, nullptr);
    }
}

LiveEngine::~LiveEngine() = default;
LiveEngine::LiveEngine(LiveEngine&&) noexcept = default;
LiveEngine& LiveEngine::operator=(LiveEngine&&) noexcept = default;

int LiveEngine::most_instances(Isa isa) {
    size_t most = 1;
    const LiveOpsList list = live_ops_list(isa);
    for (size_t i = 0; i < list.count; ++i) most = std::max(most, list.begin[i].instances);
    return static_cast<int>(most);
}

unsigned LiveEngine::process(const float* const* in, float* const* out, int first, int n) noexcept {
    return impl_->ops->process(impl_->data, in, out, static_cast<size_t>(first), static_cast<size_t>(n));
}

void LiveEngine::set_film(const float* scale, const float* shift, int ramp_samples) noexcept {
    LiveData& data = impl_->data;
    const auto d_model = static_cast<size_t>(data.config.d_model);
    const bool moving = data.ramp_done < data.ramp_samples;
    const float position = moving ? static_cast<float>(data.ramp_done) / static_cast<float>(data.ramp_samples) : 1.0f;
    for (size_t i = 0; i < impl_->layers.size(); ++i) {
        move_start(data, impl_->layers[i], position);
        const size_t first = i * d_model;
        set_live_film(data, impl_->layers[i], impl_->norm.data() + first, scale + first, shift + first);
    }
    data.ramp_done = 0;
    data.ramp_samples = ramp_samples;
}

namespace {

/// The history of channel c of an instance: taps - 1 samples, oldest first.
float* history_of(const LiveData& data, const LiveFilter& filter, size_t c, size_t instance) {
    const size_t signal = instance * static_cast<size_t>(data.config.channels) + c;
    return filter.signal + signal * filter.stride + filter.at + filter.padded - filter.taps;
}

void get_history(const LiveData& data, const LiveFilter& filter, size_t instance, float* to) {
    if (filter.taps <= 1) return;
    for (size_t c = 0; c < static_cast<size_t>(data.config.channels); ++c)
        to = std::copy_n(history_of(data, filter, c, instance), filter.taps - 1, to);
}

/// from null: zeros. What lies in front of the history becomes 0 too: it has weight 0, but may not be finite.
void set_history(const LiveData& data, const LiveFilter& filter, size_t instance, const float* from) {
    if (filter.taps == 0) return;
    for (size_t c = 0; c < static_cast<size_t>(data.config.channels); ++c) {
        float* history = history_of(data, filter, c, instance);
        std::fill(history - (filter.padded - filter.taps), history + filter.taps - 1, 0.0f);
        if (from) std::copy_n(from + c * (filter.taps - 1), filter.taps - 1, history);
    }
}

} // namespace

void LiveEngine::get_state(const LiveState<float>& to, int instance) const noexcept {
    const LiveData& data = impl_->data;
    const auto d_inner = static_cast<size_t>(data.config.d_inner), n_states = static_cast<size_t>(data.config.d_state);
    const auto k = static_cast<size_t>(instance);
    float *conv = to.conv, *h = to.h, *h_low = to.h_low;
    for (const LiveLayer& layer : impl_->layers) {
        for (size_t row = layer.window_at; row < layer.window_at + layer.history; ++row)
            for (size_t c = 0; c < d_inner; ++c) *conv++ = layer.window[row * data.inner_stride + live_place(data, c, k)];
        for (size_t c = 0; c < d_inner; ++c)
            for (size_t s = 0; s < n_states; ++s) {
                const size_t place = s * data.inner_stride + live_place(data, c, k);
                *h++ = layer.h[place];
                *h_low++ = layer.h_low[place];
            }
    }
    get_history(data, data.fir_in, k, to.fir_in);
    get_history(data, data.fir_out, k, to.fir_out);
}

void LiveEngine::set_state(const LiveState<const float>& from, int instance) noexcept {
    const LiveData& data = impl_->data;
    const auto d_inner = static_cast<size_t>(data.config.d_inner), n_states = static_cast<size_t>(data.config.d_state);
    const auto k = static_cast<size_t>(instance);
    const size_t channels = data.inner_stride / data.instances;  // the padding too: it may not be finite
    const float *conv = from.conv, *h = from.h, *h_low = from.h_low;
    for (LiveLayer& layer : impl_->layers) {
        for (size_t row = layer.window_at; row < layer.window_at + layer.history; ++row, conv += d_inner)
            for (size_t c = 0; c < channels; ++c)
                layer.window[row * data.inner_stride + live_place(data, c, k)] = c < d_inner ? conv[c] : 0.0f;
        for (size_t s = 0; s < n_states; ++s)
            for (size_t c = 0; c < channels; ++c) {
                const size_t place = s * data.inner_stride + live_place(data, c, k), at = c * n_states + s;
                layer.h[place] = c < d_inner ? h[at] : 0.0f;
                layer.h_low[place] = c < d_inner && h_low ? h_low[at] : 0.0f;
            }
        h += d_inner * n_states;
        if (h_low) h_low += d_inner * n_states;
    }
    set_history(data, data.fir_in, k, from.fir_in);
    set_history(data, data.fir_out, k, from.fir_out);
}

int LiveEngine::instances() const noexcept {
    return static_cast<int>(impl_->data.instances);
}

Isa LiveEngine::isa() const noexcept {
    return impl_->ops->isa;
}

bool LiveEngine::specialised() const noexcept {
    return impl_->ops->shape.d_model != 0;
}

} // namespace serpent::kernels
