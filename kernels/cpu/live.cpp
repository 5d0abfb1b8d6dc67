// SPDX-License-Identifier: MIT
// LiveEngine outside the callback: lays out memory, packs the weights, and carries state in and out.
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

size_t padded(size_t width, size_t lanes) { return (width + lanes - 1) / lanes * lanes; }

/// Floats of a row of `width` channels.
size_t row_stride(const LiveData& data, size_t width) { return padded(width * data.instances, data.lanes); }

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

void lay_out_layer(Layout& layout, LiveLayer& layer, const LiveData& data) {
    const LiveConfig& config = data.config;
    const auto n_states = static_cast<size_t>(config.d_state), taps = static_cast<size_t>(config.d_conv);
    const auto rank = static_cast<size_t>(config.dt_rank), d_inner = static_cast<size_t>(config.d_inner);
    const size_t inner = data.inner_stride;
    for (LiveFilm* film : {&layer.from, &layer.to}) {
        layout.array(film->gain, data.model_stride);
        layout.array(film->bias, 2 * inner);
    }
    layout.linear(layer.in_proj, static_cast<size_t>(config.d_model), 2 * inner);
    layout.array(layer.conv_weight, taps * inner);
    layout.array(layer.conv_bias, inner);
    layout.linear(layer.B_C, d_inner, row_stride(data, 2 * n_states));
    layout.array(layer.dt_low, rank * inner);
    layout.array(layer.dt_proj, rank * inner);
    layout.array(layer.dt_bias, inner);
    layout.array(layer.A, (config.tied ? 1 : n_states) * inner);
    layout.array(layer.D, inner);
    layout.linear(layer.out_proj, d_inner, data.model_stride);
    layout.array(layer.window, (taps - 1 + live_window) * inner);
    layout.array(layer.h, n_states * inner);
    layout.array(layer.h_low, n_states * inner);
}

void lay_out_scratch(Layout& layout, LiveData& data) {
    LiveScratch& s = data.scratch;
    const size_t rows = live_block;
    layout.array(s.input, rows * data.instances * data.encoder.in);
    layout.array(s.e, rows * data.model_stride);
    layout.array(s.z, rows * data.inner_stride);
    layout.array(s.x, rows * data.inner_stride);
    layout.array(s.B_C, rows * data.layers[0].B_C.out_stride);
    layout.array(s.dt, rows * std::max(data.inner_stride, data.model_stride));
    s.u = s.dt;  // a callback after a pause fetches all it touches anew: u's last reader precedes dt's writer,
    s.y = s.z;   // and y replaces z value by value
    layout.array(s.scale, rows * data.instances);
    layout.array(s.ramp, rows);
}

void lay_out(Layout& layout, LiveData& data) {
    const auto channels = static_cast<size_t>(data.config.channels);
    layout.linear(data.encoder, channels, data.model_stride);
    for (int i = 0; i < data.config.n_layers; ++i) lay_out_layer(layout, data.layers[i], data);
    layout.array(data.decoder, channels * data.model_stride);
    layout.array(data.decoder_bias, channels);
    layout.array(data.skip, channels);
    lay_out_scratch(layout, data);
}

/// from: (rows, columns) to [columns][stride], the rows as channels from `first` on, once for every instance.
void transpose(const LiveData& data, const float* from, size_t rows, size_t columns, float* to, size_t stride,
               size_t first = 0) {
    for (size_t r = 0; r < rows; ++r)
        for (size_t c = 0; c < columns; ++c)
            for (size_t k = 0; k < data.instances; ++k) to[c * stride + first + live_place(data, r, k)] = from[r * columns + c];
}

/// One row: n values once for every instance; null: leaves what is there.
void fill_row(const LiveData& data, const float* from, size_t n, float* to) {
    if (from) transpose(data, from, n, 1, to, 0);
}

void pack(const LiveData& data, LiveLinear& linear, const float* weight, const float* bias, size_t rows) {
    transpose(data, weight, rows, linear.in, linear.weight, linear.out_stride);
    fill_row(data, bias, rows, linear.bias);
}

void pack_decays(const LiveData& data, LiveLayer& layer, const float* A_log) {
    const size_t decays = data.config.tied ? 1 : static_cast<size_t>(data.config.d_state);
    for (size_t c = 0; c < static_cast<size_t>(data.config.d_inner); ++c)
        for (size_t s = 0; s < decays; ++s) {
            const double A = -std::exp(static_cast<double>(A_log[c * decays + s])) * std::numbers::log2e;
            for (size_t k = 0; k < data.instances; ++k)
                layer.A[s * data.inner_stride + live_place(data, c, k)] = static_cast<float>(A);
        }
}

void pack_layer(LiveLayer& layer, const BlockFields<const float*>& w, const LiveData& data) {
    const LiveConfig& config = data.config;
    const auto d_model = static_cast<size_t>(config.d_model), d_inner = static_cast<size_t>(config.d_inner);
    const auto n_states = static_cast<size_t>(config.d_state), rank = static_cast<size_t>(config.dt_rank);
    const size_t stride = data.inner_stride;
    for (size_t half = 0; half < 2; ++half) {  // x and z each start on a vector
        const size_t first = half * stride;
        transpose(data, w.in_proj + half * d_inner * d_model, d_inner, d_model, layer.in_proj.weight, 2 * stride, first);
        if (w.in_proj_bias) fill_row(data, w.in_proj_bias + half * d_inner, d_inner, layer.in_proj.bias + first);
    }
    transpose(data, w.conv_weight, d_inner, static_cast<size_t>(config.d_conv), layer.conv_weight, stride);
    fill_row(data, w.conv_bias, d_inner, layer.conv_bias);
    pack(data, layer.B_C, w.x_proj + rank * d_inner, w.x_proj_bias ? w.x_proj_bias + rank : nullptr, 2 * n_states);
    for (size_t r = 0; r < rank; ++r) fill_row(data, w.x_proj + r * d_inner, d_inner, layer.dt_low + r * stride);
    transpose(data, w.dt_proj, d_inner, rank, layer.dt_proj, stride);
    std::vector<float> dt_bias(w.dt_proj_bias, w.dt_proj_bias + d_inner);
    for (size_t r = 0; w.x_proj_bias && r < rank; ++r)
        for (size_t c = 0; c < d_inner; ++c) dt_bias[c] += w.dt_proj[c * rank + r] * w.x_proj_bias[r];
    fill_row(data, dt_bias.data(), d_inner, layer.dt_bias);
    pack_decays(data, layer, w.A_log);
    fill_row(data, w.D, d_inner, layer.D);
    pack(data, layer.out_proj, w.out_proj, w.out_proj_bias, d_model);
}

void pack_all(LiveData& data, const WeightPointers& w) {
    const auto channels = static_cast<size_t>(data.config.channels), d_model = static_cast<size_t>(data.config.d_model);
    pack(data, data.encoder, w.encoder_weight, w.encoder_bias, d_model);
    for (int i = 0; i < data.config.n_layers; ++i) pack_layer(data.layers[i], w.layers[static_cast<size_t>(i)], data);
    std::vector<float> row(d_model);
    for (size_t c = 0; c < channels; ++c) {
        for (size_t i = 0; i < d_model; ++i) row[i] = w.decoder_weight[c * d_model + i] * (w.norm_f ? w.norm_f[i] : 1.0f);
        fill_row(data, row.data(), d_model, data.decoder + c * data.model_stride);
    }
    data.final_norm = w.norm_f != nullptr;
    data.output_bound = reference::OutputBound<float>(data.config.output_peak);
    std::copy_n(w.decoder_bias, channels, data.decoder_bias);
    if (w.skip) std::copy_n(w.skip, channels, data.skip);
}

/// Where a ramp stands that has come `position` (0..1) of its way.
void move_start(const LiveData& data, LiveLayer& layer, float position) {
    const auto move = [position](float* from, const float* to, size_t n) {
        for (size_t i = 0; i < n; ++i) from[i] = position * to[i] + (1.0f - position) * from[i];
    };
    move(layer.from.gain, layer.to.gain, data.model_stride);
    move(layer.from.bias, layer.to.bias, 2 * data.inner_stride);
}

/// scale and shift null: 1 and 0.
void set_target(const LiveData& data, LiveLayer& layer, const float* norm, const float* scale, const float* shift) {
    const size_t columns = 2 * data.inner_stride;
    std::copy_n(layer.in_proj.bias, columns, layer.to.bias);
    for (size_t i = 0; i < static_cast<size_t>(data.config.d_model); ++i) {
        for (size_t k = 0; k < data.instances; ++k)
            layer.to.gain[live_place(data, i, k)] = norm[i] * (scale ? scale[i] : 1.0f);
        if (shift)
            for (size_t j = 0; j < columns; ++j) layer.to.bias[j] += layer.in_proj.weight[i * columns + j] * shift[i];
    }
}

/// Throws std::invalid_argument for a model that the engine does not run.
LiveConfig config_of(const ModelShape& shape) {
    const BlockShape& b = shape.blocks.front();
    for (const BlockShape& other : shape.blocks)
        if (other != b || b.kind != BlockKind::selective || b.dilation != 1 || shape.fir_in + shape.fir_out > 0)
            throw std::invalid_argument("The live engine runs models of selective blocks, all alike, so far.");
    return {shape.channels, b.d_model, b.d_inner, b.d_state, b.d_conv, b.dt_rank, static_cast<int>(shape.blocks.size()), b.tied, b.ema,
            shape.output_peak};
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
    std::vector<float> norm;  // [n_layers][d_model]
    hwy::AlignedFreeUniquePtr<float[]> memory;
};

LiveEngine::LiveEngine(const ModelShape& shape, const WeightPointers& weights, const LiveOptions& options)
    : impl_(std::make_unique<Impl>()) {
    const LiveConfig config = config_of(shape);
    impl_->ops = &choose(options.isa, config, static_cast<size_t>(options.instances), options.specialised);
    impl_->layers.resize(static_cast<size_t>(config.n_layers));
    LiveData& data = impl_->data;
    data.config = config;
    data.instances = impl_->ops->instances, data.lanes = impl_->ops->lanes;
    data.model_stride = row_stride(data, static_cast<size_t>(config.d_model));
    data.inner_stride = row_stride(data, static_cast<size_t>(config.d_inner));
    data.layers = impl_->layers.data();

    Layout measure;
    lay_out(measure, data);
    impl_->memory = hwy::AllocateAligned<float>(measure.used());
    if (!impl_->memory) throw std::bad_alloc();
    std::fill_n(impl_->memory.get(), measure.used(), 0.0f);
    Layout place(impl_->memory.get());
    lay_out(place, data);

    pack_all(data, weights);
    for (size_t i = 0; i < impl_->layers.size(); ++i) {
        const float* norm = weights.layers[i].norm;
        impl_->norm.insert(impl_->norm.end(), norm, norm + config.d_model);
        set_target(data, impl_->layers[i], norm, nullptr, nullptr);
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
        set_target(data, impl_->layers[i], impl_->norm.data() + first, scale + first, shift + first);
    }
    data.ramp_done = 0;
    data.ramp_samples = ramp_samples;
}

void LiveEngine::get_state(float* conv, float* h, float* h_low, int instance) const noexcept {
    const LiveData& data = impl_->data;
    const auto d_inner = static_cast<size_t>(data.config.d_inner), n_states = static_cast<size_t>(data.config.d_state);
    const auto history = static_cast<size_t>(data.config.d_conv) - 1, k = static_cast<size_t>(instance);
    for (const LiveLayer& layer : impl_->layers) {
        for (size_t row = data.window_at; row < data.window_at + history; ++row)
            for (size_t c = 0; c < d_inner; ++c) *conv++ = layer.window[row * data.inner_stride + live_place(data, c, k)];
        for (size_t c = 0; c < d_inner; ++c)
            for (size_t s = 0; s < n_states; ++s) {
                const size_t place = s * data.inner_stride + live_place(data, c, k);
                *h++ = layer.h[place];
                *h_low++ = layer.h_low[place];
            }
    }
}

void LiveEngine::set_state(const float* conv, const float* h, const float* h_low, int instance) noexcept {
    const LiveData& data = impl_->data;
    const auto d_inner = static_cast<size_t>(data.config.d_inner), n_states = static_cast<size_t>(data.config.d_state);
    const auto history = static_cast<size_t>(data.config.d_conv) - 1, k = static_cast<size_t>(instance);
    const size_t channels = data.inner_stride / data.instances;  // the padding too: it may not be finite
    for (LiveLayer& layer : impl_->layers) {
        for (size_t row = data.window_at; row < data.window_at + history; ++row, conv += d_inner)
            for (size_t c = 0; c < channels; ++c)
                layer.window[row * data.inner_stride + live_place(data, c, k)] = c < d_inner ? conv[c] : 0.0f;
        for (size_t s = 0; s < n_states; ++s)
            for (size_t c = 0; c < channels; ++c) {
                const size_t place = s * data.inner_stride + live_place(data, c, k), from = c * n_states + s;
                layer.h[place] = c < d_inner ? h[from] : 0.0f;
                layer.h_low[place] = c < d_inner ? h_low[from] : 0.0f;
            }
        h += d_inner * n_states;
        h_low += d_inner * n_states;
    }
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
