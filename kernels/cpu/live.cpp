// SPDX-License-Identifier: MIT
// LiveEngine outside the callback: lays out memory, packs the weights, and carries state in and out.
#include "serpent/kernels/live.h"

#include "cpu/live_data.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <cmath>

namespace serpent::kernels {

namespace {

using std::size_t;

size_t padded(size_t width, size_t lanes) { return (width + lanes - 1) / lanes * lanes; }

/// Walks the arrays of a LiveData: once to add up their sizes, once more to place them in memory.
class Layout {
public:
    explicit Layout(float* memory = nullptr) : memory_(memory) {}

    void array(float*& place, size_t size) {
        if (memory_) place = memory_ + used_;
        used_ += padded(size, 16);  // every array starts on a cache line
    }
    void linear(LiveLinear& linear, size_t in, size_t out_stride) {
        linear.in = in;
        linear.out_stride = out_stride;
        array(linear.weight, in * out_stride);
        array(linear.bias, out_stride);
    }
    size_t used() const { return used_; }

private:
    float* memory_;
    size_t used_ = 0;
};

void lay_out_layer(Layout& layout, LiveLayer& layer, const LiveData& data, size_t lanes) {
    const LiveConfig& config = data.config;
    const auto n_states = static_cast<size_t>(config.d_state), taps = static_cast<size_t>(config.d_conv);
    const auto rank = static_cast<size_t>(config.dt_rank), d_inner = static_cast<size_t>(config.d_inner);
    layout.array(layer.norm, data.model_stride);
    for (LiveFilm* film : {&layer.from, &layer.to}) {
        layout.array(film->gain, data.model_stride);
        layout.array(film->shift, data.model_stride);
    }
    layout.linear(layer.in_proj, static_cast<size_t>(config.d_model), 2 * data.inner_stride);
    layout.array(layer.conv_weight, taps * data.inner_stride);
    layout.array(layer.conv_bias, data.inner_stride);
    layout.linear(layer.x_proj, d_inner, padded(rank + 2 * n_states, lanes));
    layout.linear(layer.dt_proj, rank, data.inner_stride);
    layout.array(layer.A, (config.tied ? 1 : n_states) * data.inner_stride);
    layout.array(layer.D, data.inner_stride);
    layout.linear(layer.out_proj, d_inner, data.model_stride);
    layout.array(layer.history, (taps - 1) * data.inner_stride);
    layout.array(layer.h, n_states * data.inner_stride);
}

void lay_out_scratch(Layout& layout, LiveData& data) {
    LiveScratch& s = data.scratch;
    const size_t rows = live_block, history = static_cast<size_t>(data.config.d_conv) - 1;
    layout.array(s.input, rows * data.encoder.in);
    layout.array(s.e, rows * data.model_stride);
    layout.array(s.u, rows * data.model_stride);
    layout.array(s.xz, (history + rows) * 2 * data.inner_stride);
    layout.array(s.x, rows * data.inner_stride);
    layout.array(s.dt_B_C, rows * data.layers[0].x_proj.out_stride);
    layout.array(s.dt, rows * data.inner_stride);
    layout.array(s.y, rows * data.inner_stride);
    layout.array(s.output, rows * data.decoder.out_stride);
    layout.array(s.row, rows);
    layout.array(s.ramp, rows);
}

void lay_out(Layout& layout, LiveData& data, const LiveWeights& weights, size_t lanes) {
    const auto channels = static_cast<size_t>(data.config.channels);
    layout.linear(data.encoder, channels, data.model_stride);
    for (int i = 0; i < data.config.n_layers; ++i) lay_out_layer(layout, data.layers[i], data, lanes);
    layout.linear(data.decoder, static_cast<size_t>(data.config.d_model), padded(channels, lanes));
    layout.array(data.zero, data.model_stride);
    if (weights.norm_f) layout.array(data.norm_f, data.model_stride);
    if (weights.skip) layout.array(data.skip, channels);
    lay_out_scratch(layout, data);
}

/// from: (rows, columns); to: [columns][stride], rows from `first`.
void transpose(const float* from, size_t rows, size_t columns, float* to, size_t stride, size_t first = 0) {
    for (size_t r = 0; r < rows; ++r)
        for (size_t c = 0; c < columns; ++c) to[c * stride + first + r] = from[r * columns + c];
}

void pack(LiveLinear& linear, const float* weight, const float* bias, size_t rows) {
    transpose(weight, rows, linear.in, linear.weight, linear.out_stride);
    if (bias) std::copy_n(bias, rows, linear.bias);
}

void pack_layer(LiveLayer& layer, const LiveLayerWeights& w, const LiveData& data) {
    const LiveConfig& config = data.config;
    const auto d_model = static_cast<size_t>(config.d_model), d_inner = static_cast<size_t>(config.d_inner);
    const auto n_states = static_cast<size_t>(config.d_state), stride = data.inner_stride;
    std::copy_n(w.norm, d_model, layer.norm);
    for (size_t half = 0; half < 2; ++half) {  // x and z each start on a vector
        const size_t first = half * stride;
        transpose(w.in_proj + half * d_inner * d_model, d_inner, d_model, layer.in_proj.weight, 2 * stride, first);
        if (w.in_proj_bias) std::copy_n(w.in_proj_bias + half * d_inner, d_inner, layer.in_proj.bias + first);
    }
    transpose(w.conv_weight, d_inner, static_cast<size_t>(config.d_conv), layer.conv_weight, stride);
    std::copy_n(w.conv_bias, d_inner, layer.conv_bias);
    pack(layer.x_proj, w.x_proj, w.x_proj_bias, static_cast<size_t>(config.dt_rank) + 2 * n_states);
    pack(layer.dt_proj, w.dt_proj, w.dt_proj_bias, d_inner);
    const size_t decays = config.tied ? 1 : n_states;
    for (size_t c = 0; c < d_inner; ++c)
        for (size_t s = 0; s < decays; ++s)
            layer.A[s * stride + c] = static_cast<float>(-std::exp(static_cast<double>(w.A_log[c * decays + s])));
    std::copy_n(w.D, d_inner, layer.D);
    pack(layer.out_proj, w.out_proj, w.out_proj_bias, d_model);
}

void pack_all(LiveData& data, const LiveWeights& w) {
    const auto channels = static_cast<size_t>(data.config.channels), d_model = static_cast<size_t>(data.config.d_model);
    pack(data.encoder, w.encoder_weight, w.encoder_bias, d_model);
    for (int i = 0; i < data.config.n_layers; ++i) pack_layer(data.layers[i], w.layers[static_cast<size_t>(i)], data);
    pack(data.decoder, w.decoder_weight, w.decoder_bias, channels);
    if (w.norm_f) std::copy_n(w.norm_f, d_model, data.norm_f);
    if (w.skip) std::copy_n(w.skip, channels, data.skip);
}

/// Where a ramp stands that has come `position` (0..1) of its way.
void move_start(LiveLayer& layer, size_t width, float position) {
    const auto between = [&](float from, float to) { return position * to + (1.0f - position) * from; };
    for (size_t i = 0; i < width; ++i) {
        layer.from.gain[i] = between(layer.from.gain[i], layer.to.gain[i]);
        layer.from.shift[i] = between(layer.from.shift[i], layer.to.shift[i]);
    }
}

} // namespace

struct LiveEngine::Impl {
    const LiveOps* ops;
    LiveData data;
    std::vector<LiveLayer> layers;
    hwy::AlignedFreeUniquePtr<float[]> memory;
};

LiveEngine::LiveEngine(const LiveConfig& config, const LiveWeights& weights, Isa isa) : impl_(std::make_unique<Impl>()) {
    const bool narrow = std::max(config.d_model, config.d_inner) <= 8;
    impl_->ops = &live_ops_for(isa, narrow);
    impl_->layers.resize(static_cast<size_t>(config.n_layers));
    const size_t lanes = impl_->ops->lanes;
    LiveData& data = impl_->data;
    data.config = config;
    data.model_stride = padded(static_cast<size_t>(config.d_model), lanes);
    data.inner_stride = padded(static_cast<size_t>(config.d_inner), lanes);
    data.layers = impl_->layers.data();

    Layout measure;
    lay_out(measure, data, weights, lanes);
    impl_->memory = hwy::AllocateAligned<float>(measure.used());
    if (!impl_->memory) throw std::bad_alloc();
    std::fill_n(impl_->memory.get(), measure.used(), 0.0f);
    Layout place(impl_->memory.get());
    lay_out(place, data, weights, lanes);

    pack_all(data, weights);
    for (LiveLayer& layer : impl_->layers) std::copy_n(layer.norm, data.model_stride, layer.to.gain);
}

LiveEngine::~LiveEngine() = default;
LiveEngine::LiveEngine(LiveEngine&&) noexcept = default;
LiveEngine& LiveEngine::operator=(LiveEngine&&) noexcept = default;

bool LiveEngine::process(const float* const* in, float* const* out, int first, int n) noexcept {
    return impl_->ops->process(impl_->data, in, out, static_cast<size_t>(first), static_cast<size_t>(n));
}

void LiveEngine::set_film(const float* scale, const float* shift, int ramp_samples) noexcept {
    LiveData& data = impl_->data;
    const auto d_model = static_cast<size_t>(data.config.d_model);
    const bool moving = data.ramp_done < data.ramp_samples;
    const float position = moving ? static_cast<float>(data.ramp_done) / static_cast<float>(data.ramp_samples) : 1.0f;
    for (LiveLayer& layer : impl_->layers) {
        move_start(layer, d_model, position);
        for (size_t i = 0; i < d_model; ++i) {
            layer.to.gain[i] = layer.norm[i] * *scale++;
            layer.to.shift[i] = *shift++;
        }
    }
    data.ramp_done = 0;
    data.ramp_samples = ramp_samples;
}

void LiveEngine::get_state(float* conv, float* h) const noexcept {
    const LiveConfig& config = impl_->data.config;
    const auto d_inner = static_cast<size_t>(config.d_inner), n_states = static_cast<size_t>(config.d_state);
    const size_t stride = impl_->data.inner_stride;
    for (const LiveLayer& layer : impl_->layers) {
        for (size_t row = 0; row + 1 < static_cast<size_t>(config.d_conv); ++row, conv += d_inner)
            std::copy_n(layer.history + row * stride, d_inner, conv);
        for (size_t c = 0; c < d_inner; ++c)
            for (size_t s = 0; s < n_states; ++s) *h++ = layer.h[s * stride + c];
    }
}

void LiveEngine::set_state(const float* conv, const float* h) noexcept {
    const LiveConfig& config = impl_->data.config;
    const auto d_inner = static_cast<size_t>(config.d_inner), n_states = static_cast<size_t>(config.d_state);
    const size_t stride = impl_->data.inner_stride, history = static_cast<size_t>(config.d_conv) - 1;
    for (LiveLayer& layer : impl_->layers) {
        // The padding too: whatever was there may not be finite.
        std::fill_n(layer.history, history * stride, 0.0f);
        std::fill_n(layer.h, n_states * stride, 0.0f);
        for (size_t row = 0; row < history; ++row, conv += d_inner) std::copy_n(conv, d_inner, layer.history + row * stride);
        transpose(h, d_inner, n_states, layer.h, stride);
        h += d_inner * n_states;
    }
}

Isa LiveEngine::isa() const noexcept {
    return impl_->ops->isa;
}

} // namespace serpent::kernels
