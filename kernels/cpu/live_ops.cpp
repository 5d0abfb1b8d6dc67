// SPDX-License-Identifier: MIT
// One sub-block of the live engine, compiled per ISA. The order of operations per sample never depends on the number of
// samples in the sub-block: that is what makes every cut of the signal give the same bits.
#include "cpu/targets.h"

#include "cpu/live_data.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/live_ops.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace serpent::kernels::HWY_NAMESPACE {
namespace {

using std::size_t;
namespace hn = hwy::HWY_NAMESPACE;

constexpr float rms_epsilon = 1e-5f;

/// out[t] = W in[t] + b for `rows` samples, `vectors` output vectors from column `first`. Weights are read once for all
/// rows; every output is one chain of multiply-adds in the order of the inputs.
template <int rows, int vectors, class D>
HWY_INLINE void linear_tile(D d, const LiveLinear& linear, const float* in, size_t in_stride, float* out, size_t first) {
    constexpr size_t lanes = hn::MaxLanes(D());
    hn::Vec<D> sum[rows][vectors];
    for (int v = 0; v < vectors; ++v) {
        const auto bias = hn::Load(d, linear.bias + first + v * lanes);
        for (int row = 0; row < rows; ++row) sum[row][v] = bias;
    }
    const float* weight = linear.weight + first;
    const size_t weight_stride = linear.out_stride;
    const auto add_input = [&](size_t i) HWY_ATTR {
        hn::Vec<D> w[vectors];
        for (int v = 0; v < vectors; ++v) w[v] = hn::Load(d, weight + v * lanes);
        for (int row = 0; row < rows; ++row) {
            const auto value = hn::Set(d, in[row * in_stride + i]);
            for (int v = 0; v < vectors; ++v) sum[row][v] = hn::MulAdd(w[v], value, sum[row][v]);
        }
        weight += weight_stride;
    };
    size_t i = 0;
    for (; i + 4 <= linear.in; i += 4)
        for (size_t step = 0; step < 4; ++step) add_input(i + step);
    for (; i < linear.in; ++i) add_input(i);
    for (int row = 0; row < rows; ++row)
        for (int v = 0; v < vectors; ++v) hn::Store(sum[row][v], d, out + row * linear.out_stride + first + v * lanes);
}

template <int rows, class D>
HWY_INLINE void linear_rows(D d, const LiveLinear& linear, const float* in, size_t in_stride, float* out) {
    constexpr size_t lanes = hn::MaxLanes(D());
    size_t first = 0;
    for (; first + 2 * lanes <= linear.out_stride; first += 2 * lanes)
        linear_tile<rows, 2>(d, linear, in, in_stride, out, first);
    if (first < linear.out_stride) linear_tile<rows, 1>(d, linear, in, in_stride, out, first);
}

template <class D>
void linear(D d, const LiveLinear& linear, const float* in, size_t in_stride, float* out, size_t n) {
    size_t t = 0;
    for (; t + 4 <= n; t += 4) linear_rows<4>(d, linear, in + t * in_stride, in_stride, out + t * linear.out_stride);
    for (; t < n; ++t) linear_rows<1>(d, linear, in + t * in_stride, in_stride, out + t * linear.out_stride);
}

/// row[t] = 1 / rms(e[t])
template <class D>
void inverse_rms(D d, const LiveData& data, size_t n) {
    constexpr size_t lanes = hn::MaxLanes(D());
    const LiveScratch& s = data.scratch;
    for (size_t t = 0; t < n; ++t) {
        const float* e = s.e + t * data.model_stride;
        auto sum = hn::Zero(d);
        for (size_t i = 0; i < data.model_stride; i += lanes) {
            const auto value = hn::Load(d, e + i);
            sum = hn::MulAdd(value, value, sum);
        }
        s.row[t] = hn::GetLane(hn::SumOfLanes(d, sum));
    }
    const auto scale = hn::Set(d, 1.0f / static_cast<float>(data.config.d_model));
    for (size_t t = 0; t < n; t += lanes) {
        const auto mean = hn::MulAdd(hn::Load(d, s.row + t), scale, hn::Set(d, rms_epsilon));
        hn::Store(hn::Div(hn::Set(d, 1.0f), hn::Sqrt(mean)), d, s.row + t);
    }
}

/// u = e / rms(e) * gain + shift
template <class D>
void norm(D d, const LiveData& data, const float* gain, const float* shift, size_t n) {
    inverse_rms(d, data, n);
    const LiveScratch& s = data.scratch;
    for (size_t t = 0; t < n; ++t) {
        const auto scale = hn::Set(d, s.row[t]);
        for (size_t i = 0; i < data.model_stride; i += hn::MaxLanes(D())) {
            const size_t place = t * data.model_stride + i;
            const auto normed = hn::Mul(hn::Load(d, s.e + place), scale);
            hn::Store(hn::MulAdd(normed, hn::Load(d, gain + i), hn::Load(d, shift + i)), d, s.u + place);
        }
    }
}

/// The same while FiLM moves; ramp = 1 gives exactly `to`, so that the ramp may end anywhere in a sub-block.
template <class D>
void norm_ramped(D d, const LiveData& data, const LiveFilm& from, const LiveFilm& to, size_t n) {
    inverse_rms(d, data, n);
    const LiveScratch& s = data.scratch;
    const auto between = [d](const float* a, const float* b, auto ramp) HWY_ATTR {
        return hn::MulAdd(ramp, hn::Load(d, b), hn::Mul(hn::Sub(hn::Set(d, 1.0f), ramp), hn::Load(d, a)));
    };
    for (size_t t = 0; t < n; ++t) {
        const auto scale = hn::Set(d, s.row[t]), ramp = hn::Set(d, s.ramp[t]);
        for (size_t i = 0; i < data.model_stride; i += hn::MaxLanes(D())) {
            const size_t place = t * data.model_stride + i;
            const auto normed = hn::Mul(hn::Load(d, s.e + place), scale);
            const auto gain = between(from.gain + i, to.gain + i, ramp), shift = between(from.shift + i, to.shift + i, ramp);
            hn::Store(hn::MulAdd(normed, gain, shift), d, s.u + place);
        }
    }
}

template <class D>
HWY_INLINE hn::Vec<D> silu(D d, hn::Vec<D> x) {
    return silu_v(d, x);
}

/// Rows [0, d_conv - 1) of xz hold the history; x = silu(conv(xz's x)).
template <class D>
void convolve(D d, const LiveData& data, const LiveLayer& layer, size_t n) {
    const LiveScratch& s = data.scratch;
    const size_t stride = 2 * data.inner_stride, taps = static_cast<size_t>(data.config.d_conv);
    for (size_t t = 0; t < n; ++t) {
        for (size_t c = 0; c < data.inner_stride; c += hn::MaxLanes(D())) {
            auto sum = hn::Load(d, layer.conv_bias + c);
            for (size_t tap = 0; tap < taps; ++tap)
                sum = hn::MulAdd(hn::Load(d, layer.conv_weight + tap * data.inner_stride + c),
                                 hn::Load(d, s.xz + (t + tap) * stride + c), sum);
            hn::Store(silu(d, sum), d, s.x + t * data.inner_stride + c);
        }
    }
}

/// dt = softplus(dt_proj . dt_low + bias)
template <class D>
void time_steps(D d, const LiveData& data, const LiveLayer& layer, size_t n) {
    const LiveScratch& s = data.scratch;
    const LiveLinear& dt_proj = layer.dt_proj;
    for (size_t t = 0; t < n; ++t) {
        const float* dt_low = s.dt_B_C + t * layer.x_proj.out_stride;
        for (size_t c = 0; c < data.inner_stride; c += hn::MaxLanes(D())) {
            auto sum = hn::Load(d, dt_proj.bias + c);
            for (size_t r = 0; r < dt_proj.in; ++r)
                sum = hn::MulAdd(hn::Load(d, dt_proj.weight + r * data.inner_stride + c), hn::Set(d, dt_low[r]), sum);
            hn::Store(softplus_v(d, sum), d, s.dt + t * data.inner_stride + c);
        }
    }
}

/// y = (C h + D x) silu(z), walking h sample by sample. With n_fixed states h stays in registers; 0: any number.
template <size_t n_fixed, bool tied, bool ema, class D>
void scan(D d, const LiveData& data, const LiveLayer& layer, size_t n) {
    using V = hn::Vec<D>;
    const LiveScratch& s = data.scratch;
    const size_t stride = data.inner_stride, n_states = n_fixed ? n_fixed : static_cast<size_t>(data.config.d_state);
    const size_t history = static_cast<size_t>(data.config.d_conv) - 1;
    for (size_t c = 0; c < stride; c += hn::MaxLanes(D())) {
        V held[n_fixed + 1];
        for (size_t state = 0; state < n_fixed; ++state) held[state] = hn::Load(d, layer.h + state * stride + c);
        for (size_t t = 0; t < n; ++t) {
            const V x = hn::Load(d, s.x + t * stride + c), dt = hn::Load(d, s.dt + t * stride + c);
            const V input = ema ? x : hn::Mul(dt, x);
            const float* B = s.dt_B_C + t * layer.x_proj.out_stride + layer.dt_proj.in;
            const float* C = B + n_states;
            V y = hn::Mul(hn::Load(d, layer.D + c), x), q;
            if (tied) q = expm1_v(d, hn::Mul(dt, hn::Load(d, layer.A + c)));
            for (size_t state = 0; state < n_states; ++state) {
                float* place = layer.h + state * stride + c;
                V h = n_fixed ? held[state] : hn::Load(d, place);
                if (!tied) q = expm1_v(d, hn::Mul(dt, hn::Load(d, layer.A + state * stride + c)));
                if (ema)
                    h = hn::MulAdd(q, hn::NegMulAdd(input, hn::Set(d, B[state]), h), h);
                else
                    h = hn::Add(h, hn::MulAdd(q, h, hn::Mul(input, hn::Set(d, B[state]))));
                if (n_fixed)
                    held[state] = h;
                else
                    hn::Store(h, d, place);
                y = hn::MulAdd(h, hn::Set(d, C[state]), y);
            }
            const V z = hn::Load(d, s.xz + (history + t) * 2 * stride + stride + c);
            hn::Store(hn::Mul(y, silu_v(d, z)), d, s.y + t * stride + c);
        }
        for (size_t state = 0; state < n_fixed; ++state) hn::Store(held[state], d, layer.h + state * stride + c);
    }
}

template <size_t n_fixed, class D>
void scan_with(D d, const LiveData& data, const LiveLayer& layer, size_t n) {
    if (data.config.tied)
        data.config.ema ? scan<n_fixed, true, true>(d, data, layer, n) : scan<n_fixed, true, false>(d, data, layer, n);
    else
        data.config.ema ? scan<n_fixed, false, true>(d, data, layer, n) : scan<n_fixed, false, false>(d, data, layer, n);
}

template <class D>
void add_block(D d, const LiveData& data, const LiveLayer& layer, size_t n) {
    const LiveScratch& s = data.scratch;
    const size_t inner = data.inner_stride, history = static_cast<size_t>(data.config.d_conv) - 1;
    for (size_t row = 0; row < history; ++row)
        std::memcpy(s.xz + row * 2 * inner, layer.history + row * inner, inner * sizeof(float));
    linear(d, layer.in_proj, s.u, data.model_stride, s.xz + history * 2 * inner, n);
    convolve(d, data, layer, n);
    for (size_t row = 0; row < history; ++row)
        std::memcpy(layer.history + row * inner, s.xz + (n + row) * 2 * inner, inner * sizeof(float));

    linear(d, layer.x_proj, s.x, inner, s.dt_B_C, n);
    time_steps(d, data, layer, n);
    switch (data.config.d_state) {
    case 4: scan_with<4>(d, data, layer, n); break;
    case 8: scan_with<8>(d, data, layer, n); break;
    default: scan_with<0>(d, data, layer, n);
    }
    linear(d, layer.out_proj, s.y, inner, s.u, n);
    for (size_t i = 0; i < n * data.model_stride; i += hn::MaxLanes(D()))
        hn::Store(hn::Add(hn::Load(d, s.e + i), hn::Load(d, s.u + i)), d, s.e + i);
}

/// Interleaves the channels; a sample that is not finite would live in the state for ever, so it counts as 0.
void read_input(const LiveData& data, const float* const* in, size_t first, size_t n) {
    const size_t channels = data.encoder.in;
    for (size_t c = 0; c < channels; ++c)
        for (size_t t = 0; t < n; ++t) {
            const float sample = in[c][first + t];
            data.scratch.input[t * channels + c] = std::isfinite(sample) ? sample : 0.0f;
        }
}

bool write_output(const LiveData& data, float* const* out, size_t first, size_t n) {
    const LiveScratch& s = data.scratch;
    const size_t channels = data.encoder.in;
    bool finite = true;
    for (size_t c = 0; c < channels; ++c)
        for (size_t t = 0; t < n; ++t) {
            float sample = s.output[t * data.decoder.out_stride + c];
            if (data.skip) sample += data.skip[c] * s.input[t * channels + c];
            finite = finite && std::isfinite(sample);
            out[c][first + t] = sample;
        }
    if (!finite)
        for (size_t c = 0; c < channels; ++c) std::memset(out[c] + first, 0, n * sizeof(float));
    return finite;
}

/// Fills the ramp's position at every sample. Returns false when FiLM stands still.
bool advance_ramp(LiveData& data, size_t n) {
    if (data.ramp_done >= data.ramp_samples) return false;
    for (size_t t = 0; t < n; ++t) {
        data.ramp_done += data.ramp_done < data.ramp_samples;
        data.scratch.ramp[t] = static_cast<float>(data.ramp_done) / static_cast<float>(data.ramp_samples);
    }
    return true;
}

template <class D>
bool process(LiveData& data, const float* const* in, float* const* out, size_t first, size_t n) {
    const D d;
    const LiveScratch& s = data.scratch;
    read_input(data, in, first, n);
    const bool moving = advance_ramp(data, n);
    linear(d, data.encoder, s.input, data.encoder.in, s.e, n);
    for (int i = 0; i < data.config.n_layers; ++i) {
        const LiveLayer& layer = data.layers[i];
        if (moving)
            norm_ramped(d, data, layer.from, layer.to, n);
        else
            norm(d, data, layer.to.gain, layer.to.shift, n);
        add_block(d, data, layer, n);
    }
    if (data.norm_f) norm(d, data, data.norm_f, data.zero, n);
    linear(d, data.decoder, data.norm_f ? s.u : s.e, data.model_stride, s.output, n);
    return write_output(data, out, first, n);
}

using Wide = hn::ScalableTag<float>;
using Narrow = hn::CappedTag<float, 8>;

} // namespace

constexpr LiveOps live_ops{SERPENT_TARGET_ISA, hn::MaxLanes(Wide()), process<Wide>};
constexpr LiveOps live_ops_narrow{SERPENT_TARGET_ISA, hn::MaxLanes(Narrow()), process<Narrow>};

} // namespace serpent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace serpent::kernels {

const LiveOps& live_ops_for(Isa isa, bool narrow) {
    return narrow ? *SERPENT_SELECT(isa, live_ops_narrow) : *SERPENT_SELECT(isa, live_ops);
}

} // namespace serpent::kernels
#endif
