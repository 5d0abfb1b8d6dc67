// SPDX-License-Identifier: MIT
// Lays out a LiveEngine's memory and packs the weights into it.
#include "cpu/live_data.h"
#include "equations/rotating_scan.h"
#include "equations/time_invariant_scan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

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

void lay_out_layer(Layout& layout, LiveLayer& layer, const LiveData& data) {
    const LiveConfig& config = data.config;
    const auto n_states = static_cast<size_t>(config.d_state);
    const auto rank = static_cast<size_t>(config.dt_rank), d_inner = static_cast<size_t>(config.d_inner);
    const size_t inner = data.inner_stride;
    for (LiveFilm* film : {&layer.from, &layer.to}) {
        layout.array(film->gain, data.model_stride);
        layout.array(film->bias, 2 * inner);
    }
    layout.linear(layer.in_proj, static_cast<size_t>(config.d_model), 2 * inner);
    layout.array(layer.conv_weight, layer.taps * inner);
    layout.array(layer.conv_bias, inner);
    layout.linear(layer.B_C, d_inner, row_stride(data, 2 * n_states));
    layout.array(layer.dt_low, rank * inner);
    layout.array(layer.dt_proj, rank * inner);
    layout.array(layer.dt_bias, inner);
    layout.array(layer.A, (config.tied ? 1 : n_states) * inner);
    layout.array(layer.D, inner);
    if (layer.kind != BlockKind::selective) layout.array(layer.pair_constants, n_states / 2 * oscillator_rows * inner);
    layout.linear(layer.out_proj, d_inner, data.model_stride);
    layout.array(layer.window, (layer.history + layer.spare) * inner);
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

void lay_out_filter(Layout& layout, LiveFilter& filter, const LiveData& data) {
    if (filter.taps == 0) return;
    const auto channels = static_cast<size_t>(data.config.channels);
    filter.padded = fir_padded(filter.taps);
    filter.stride = padded(filter.padded - 1 + live_spare(filter.padded), 16);
    layout.array(filter.packed, channels * filter.padded);
    layout.array(filter.signal, data.instances * channels * filter.stride);
}

void lay_out(Layout& layout, LiveData& data) {
    const auto channels = static_cast<size_t>(data.config.channels);
    layout.linear(data.encoder, channels, data.model_stride);
    for (int i = 0; i < data.config.n_layers; ++i) lay_out_layer(layout, data.layers[i], data);
    layout.array(data.decoder, channels * data.model_stride);
    layout.array(data.decoder_bias, channels);
    layout.array(data.skip, channels);
    lay_out_filter(layout, data.fir_in, data);
    lay_out_filter(layout, data.fir_out, data);
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
    const auto states = static_cast<size_t>(data.config.d_state);
    const size_t decays = data.config.tied ? 1 : layer.kind == BlockKind::rotating ? states / 2 : states;
    for (size_t c = 0; c < static_cast<size_t>(data.config.d_inner); ++c)
        for (size_t s = 0; s < decays; ++s) {
            const double A = -std::exp(static_cast<double>(A_log[c * decays + s])) * std::numbers::log2e;
            for (size_t k = 0; k < data.instances; ++k)
                layer.A[s * data.inner_stride + live_place(data, c, k)] = static_cast<float>(A);
        }
}

/// What a pair of states never changes: [pairs][values.size()][inner_stride], `values` of pair i = channel * pairs + m.
template <class Values>
void pack_pairs(const LiveData& data, LiveLayer& layer, Values values) {
    const size_t pairs = static_cast<size_t>(data.config.d_state) / 2;
    for (size_t c = 0; c < static_cast<size_t>(data.config.d_inner); ++c)
        for (size_t m = 0; m < pairs; ++m) {
            const auto row = values(c * pairs + m);
            for (size_t i = 0; i < row.size(); ++i)
                for (size_t k = 0; k < data.instances; ++k)
                    layer.pair_constants[(m * row.size() + i) * data.inner_stride + live_place(data, c, k)] = row[i];
        }
}

/// A float, and what rounding left out of it.
std::array<float, 2> split(double value) {
    const auto high = static_cast<float>(value);
    return {high, static_cast<float>(value - static_cast<double>(high))};
}

void pack_rotation(const LiveData& data, LiveLayer& layer, const float* angle) {
    pack_pairs(data, layer, [&](size_t i) {
        const auto turn = equations::Turn<double>::exactly(angle[i]);
        const auto [t, t_low] = split(turn.t);
        const auto [s, s_low] = split(turn.s);
        return std::array<float, turn_rows>{t, s, t_low, s_low, static_cast<float>(1.0 + turn.t)};
    });
}

void pack_oscillators(const LiveData& data, LiveLayer& layer, const BlockFields<const float*>& w) {
    pack_pairs(data, layer, [&](size_t i) {
        const auto o = equations::oscillator(static_cast<double>(w.A_log[i]), static_cast<double>(w.A_imag[i]));
        const auto [re, re_low] = split(o.q_re);
        const auto [im, im_low] = split(o.q_im);
        return std::array<float, oscillator_rows>{re, im, re_low, im_low, static_cast<float>(o.b), w.C[2 * i], w.C[2 * i + 1]};
    });
}

/// x_proj and dt_proj.
void pack_selection(LiveLayer& layer, const BlockFields<const float*>& w, const LiveData& data) {
    const auto d_inner = static_cast<size_t>(data.config.d_inner), rank = static_cast<size_t>(data.config.dt_rank);
    const size_t stride = data.inner_stride;
    pack(data, layer.B_C, w.x_proj + rank * d_inner, w.x_proj_bias ? w.x_proj_bias + rank : nullptr,
         2 * static_cast<size_t>(data.config.d_state));
    for (size_t r = 0; r < rank; ++r) fill_row(data, w.x_proj + r * d_inner, d_inner, layer.dt_low + r * stride);
    transpose(data, w.dt_proj, d_inner, rank, layer.dt_proj, stride);
    std::vector<float> dt_bias(w.dt_proj_bias, w.dt_proj_bias + d_inner);
    for (size_t r = 0; w.x_proj_bias && r < rank; ++r)
        for (size_t c = 0; c < d_inner; ++c) dt_bias[c] += w.dt_proj[c * rank + r] * w.x_proj_bias[r];
    fill_row(data, dt_bias.data(), d_inner, layer.dt_bias);
    pack_decays(data, layer, w.A_log);
}

void pack_layer(LiveLayer& layer, const BlockFields<const float*>& w, const LiveData& data) {
    const LiveConfig& config = data.config;
    const auto d_model = static_cast<size_t>(config.d_model), d_inner = static_cast<size_t>(config.d_inner);
    const size_t stride = data.inner_stride;
    for (size_t half = 0; half < 2; ++half) {  // x and z each start on a vector
        const size_t first = half * stride;
        transpose(data, w.in_proj + half * d_inner * d_model, d_inner, d_model, layer.in_proj.weight, 2 * stride, first);
        if (w.in_proj_bias) fill_row(data, w.in_proj_bias + half * d_inner, d_inner, layer.in_proj.bias + first);
    }
    for (size_t tap = 0; tap < layer.taps; ++tap)
        for (size_t c = 0; c < d_inner; ++c)
            for (size_t k = 0; k < data.instances; ++k)
                layer.conv_weight[tap * stride + live_place(data, c, k)] = w.conv_weight[c * layer.d_conv + layer.tap[tap].column];
    fill_row(data, w.conv_bias, d_inner, layer.conv_bias);
    if (layer.kind != BlockKind::time_invariant) pack_selection(layer, w, data);
    if (layer.kind == BlockKind::rotating) pack_rotation(data, layer, w.A_imag);
    if (layer.kind == BlockKind::time_invariant) pack_oscillators(data, layer, w);
    fill_row(data, w.D, d_inner, layer.D);
    pack(data, layer.out_proj, w.out_proj, w.out_proj_bias, d_model);
}

} // namespace

void pack_live(LiveData& data, const WeightPointers& w) {
    const auto channels = static_cast<size_t>(data.config.channels), d_model = static_cast<size_t>(data.config.d_model);
    pack(data, data.encoder, w.encoder_weight, w.encoder_bias, d_model);
    for (int i = 0; i < data.config.n_layers; ++i) pack_layer(data.layers[i], w.layers[static_cast<size_t>(i)], data);
    std::vector<float> row(d_model);
    for (size_t c = 0; c < channels; ++c) {
        for (size_t i = 0; i < d_model; ++i) row[i] = w.decoder_weight[c * d_model + i] * (w.norm_f ? w.norm_f[i] : 1.0f);
        fill_row(data, row.data(), d_model, data.decoder + c * data.model_stride);
    }
    data.final_norm = w.norm_f != nullptr;
    data.output_bound = equations::OutputBound<float>(data.config.output_peak);
    std::copy_n(w.decoder_bias, channels, data.decoder_bias);
    if (w.skip) std::copy_n(w.skip, channels, data.skip);
    for (size_t c = 0; c < channels; ++c) {
        if (data.fir_in.taps) pack_fir(data.fir_in.taps, w.fir_in + c * data.fir_in.taps, data.fir_in.packed + c * data.fir_in.padded);
        if (data.fir_out.taps)
            pack_fir(data.fir_out.taps, w.fir_out + c * data.fir_out.taps, data.fir_out.packed + c * data.fir_out.padded);
    }
}

size_t lay_out_live(LiveData& data, float* memory) {
    Layout layout(memory);
    lay_out(layout, data);
    return layout.used();
}

void set_live_film(const LiveData& data, LiveLayer& layer, const float* norm, const float* scale, const float* shift) {
    const size_t columns = 2 * data.inner_stride;
    std::copy_n(layer.in_proj.bias, columns, layer.to.bias);
    for (size_t i = 0; i < static_cast<size_t>(data.config.d_model); ++i) {
        for (size_t k = 0; k < data.instances; ++k)
            layer.to.gain[live_place(data, i, k)] = norm[i] * (scale ? scale[i] : 1.0f);
        if (shift)
            for (size_t j = 0; j < columns; ++j) layer.to.bias[j] += layer.in_proj.weight[i * columns + j] * shift[i];
    }
}

} // namespace serpent::kernels
