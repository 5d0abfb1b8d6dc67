// SPDX-License-Identifier: MIT
// One sub-block of the live engine, compiled per ISA, for any model and once more with the sizes of the presets as
// constants. The order of operations per sample depends neither on that nor on the number of samples in the sub-block or
// of instances in a vector: every cut of the signal gives the same bits.
#include "cpu/targets.h"

#include "cpu/live_data.h"

#include <cmath>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/live_ops.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "cpu/live_layer-inl.h"

HWY_BEFORE_NAMESPACE();
namespace serpent::kernels::HWY_NAMESPACE {
namespace {

/// Makes room for n samples behind the past of every signal of a filter.
template <class S>
HWY_INLINE void advance_filter(S s, LiveFilter& filter, size_t n) {
    const size_t past = filter.padded - 1;
    if (filter.at + past + n <= filter.stride) return;
    for (size_t i = 0; i < s.data.encoder.in * S::instances; ++i) {
        float* signal = filter.signal + i * filter.stride;
        std::memmove(signal, signal + filter.at, past * sizeof(float));
    }
    filter.at = 0;
}

/// Where the next samples of a signal go.
HWY_INLINE float* next_samples(const LiveFilter& filter, size_t signal) {
    return filter.signal + signal * filter.stride + filter.at + filter.padded - 1;
}

/// A sample that is not finite would live in the state for ever, so it counts as 0.
HWY_INLINE float finite(float sample) { return std::isfinite(sample) ? sample : 0.0f; }

/// Interleaves channels and instances, behind the filter where there is one.
template <class S>
HWY_INLINE void read_input(S s, LiveFilter& filter, const float* const* in, size_t first, size_t n) {
    const size_t channels = s.data.encoder.in, columns = channels * S::instances;
    if (filter.taps) advance_filter(s, filter, n);
    for (size_t k = 0; k < S::instances; ++k)
        for (size_t c = 0; c < channels; ++c) {
            float* input = s.data.scratch.input + c * S::instances + k;
            if (filter.taps) {
                float filtered[live_block];
                float* samples = next_samples(filter, k * channels + c);
                for (size_t t = 0; t < n; ++t) samples[t] = finite(in[k * channels + c][first + t]);
                filter.filter(filter.padded, filter.packed + c * filter.padded, samples, filtered, n);
                for (size_t t = 0; t < n; ++t) input[t * columns] = filtered[t];
            } else {
                for (size_t t = 0; t < n; ++t) input[t * columns] = finite(in[k * channels + c][first + t]);
            }
        }
    filter.at += filter.taps ? n : 0;
}

template <class S, class Count>
HWY_INLINE void encode(S s, Count n) {
    const typename S::D d;
    const LiveScratch& scratch = s.data.scratch;
    const LiveLinear& encoder = s.data.encoder;
    for (size_t t = 0; t < n; ++t)
        for (size_t i = 0; i < s.model(); i += S::lanes) {
            auto sum = hn::Load(d, encoder.bias + i);
            for (size_t c = 0; c < encoder.in; ++c)
                sum = hn::MulAdd(hn::Load(d, encoder.weight + c * s.model() + i),
                                 S::spread(scratch.input + (t * encoder.in + c) * S::instances), sum);
            hn::Store(sum, d, scratch.e + t * s.model() + i);
        }
}

/// put(k, c, t, sample) of every sample of decoder . norm(e) + bias + skip . in.
template <class S, class Count, class Put>
HWY_INLINE void decode_to(S s, Count n, Put put) {
    const typename S::D d;
    const LiveData& data = s.data;
    const LiveScratch& scratch = data.scratch;
    const size_t channels = data.encoder.in, columns = channels * S::instances;
    if (data.final_norm)
        measure_rms(s, n, [](size_t, size_t, auto) HWY_ATTR {});
    else
        for (size_t i = 0; i < n * S::instances; ++i) scratch.scale[i] = 1.0f;
    for (size_t c = 0; c < channels; ++c)
        for (size_t t = 0; t < n; ++t) {
            auto sum = hn::Zero(d);
            for (size_t i = 0; i < s.model(); i += S::lanes)
                sum = hn::MulAdd(hn::Load(d, scratch.e + t * s.model() + i),
                                 hn::Load(d, data.decoder + c * s.model() + i), sum);
            float answer[S::instances];
            S::store_instances(S::sum_channels(sum), answer);
            for (size_t k = 0; k < S::instances; ++k) {
                const float input = scratch.input[t * columns + c * S::instances + k];
                const float scale = scratch.scale[t * S::instances + k];
                put(k, c, t, answer[k] * scale + data.decoder_bias[c] + data.skip[c] * input);
            }
        }
}

/// out = bound(filter(decoded)). Returns the instances whose output was not finite, a bit each.
template <class S, class Count>
HWY_INLINE unsigned decode(S s, LiveFilter& filter, float* const* out, size_t first, Count n) {
    const LiveData& data = s.data;
    const size_t channels = data.encoder.in;
    unsigned failed = 0;
    const auto finish = [&](size_t k, size_t c, size_t t, float sample) HWY_ATTR {
        failed |= static_cast<unsigned>(!std::isfinite(sample)) << k;
        out[k * channels + c][first + t] = data.output_bound(sample);
    };
    if (filter.taps == 0) {
        decode_to(s, n, finish);
        return failed;
    }
    advance_filter(s, filter, n);
    decode_to(s, n, [&](size_t k, size_t c, size_t t, float sample) HWY_ATTR { next_samples(filter, k * channels + c)[t] = sample; });
    for (size_t k = 0; k < S::instances; ++k)
        for (size_t c = 0; c < channels; ++c) {
            float filtered[live_block];
            filter.filter(filter.padded, filter.packed + c * filter.padded, next_samples(filter, k * channels + c), filtered, n);
            for (size_t t = 0; t < n; ++t) finish(k, c, t, filtered[t]);
        }
    filter.at += n;
    return failed;
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

/// Makes room for n rows behind the history of a layer.
template <class S>
HWY_INLINE void advance_window(S s, LiveLayer& layer, size_t n) {
    if (layer.window_at + n <= layer.spare) return;
    const size_t inner = s.inner();
    std::memmove(layer.window, layer.window + layer.window_at * inner, layer.history * inner * sizeof(float));
    layer.window_at = 0;
}

template <class S, class Count>
HWY_INLINE unsigned run(LiveData& data, const float* const* in, float* const* out, size_t first, Count n) {
    const S s{data};
    read_input(s, data.fir_in, in, first, n);
    const bool moving = advance_ramp(data, n);
    encode(s, n);
    for (int i = 0; i < data.config.n_layers; ++i) {
        LiveLayer& layer = data.layers[i];
        advance_window(s, layer, n);
        if (moving)
            add_block(s, layer, MovingFilm{layer.from, layer.to, data.scratch.ramp}, static_cast<size_t>(n));
        else
            add_block(s, layer, StillFilm{layer.to}, n);
        layer.window_at += n;
    }
    return decode(s, data.fir_out, out, first, n);
}

template <class S>
unsigned process(LiveData& data, const float* const* in, float* const* out, size_t first, size_t n) {
    unsigned failed = 0;
    if (S::fixed && n == 1)
        failed = run<S>(data, in, out, first, One());
    else
        failed = run<S>(data, in, out, first, n);
    for (size_t k = 0; failed >> k; ++k)
        if (failed >> k & 1)
            for (size_t c = 0; c < data.encoder.in; ++c)
                std::memset(out[k * data.encoder.in + c] + first, 0, n * sizeof(float));
    return failed;
}

using Wide = hn::ScalableTag<float>;
using Narrow = hn::CappedTag<float, 8>;  // for models whose widths would leave wider vectors half empty
constexpr size_t pair = hn::MaxLanes(Wide()) / 8 ? hn::MaxLanes(Wide()) / 8 : 1;  // sequences of 8 channels in one vector

/// S for models of the given sizes, 0 for any.
template <class D, size_t instances, size_t model = 0, size_t inner = 0, size_t states = 0, size_t decays = 0>
constexpr LiveOps entry() {
    return {SERPENT_TARGET_ISA, hn::MaxLanes(D()), instances, {model, inner, states, decays},
            process<Shape<D, instances, model, inner, states, decays>>};
}

} // namespace

constexpr LiveOps live_ops[]{
#if HWY_TARGET != HWY_SCALAR  // whose lanes are single floats: nothing to gain
    // The presets' shape, and those of the presets before 8 channels: alone and, where a vector has room for it, two at a time.
    entry<Narrow, 1, 8, 8, 4, 4>(), entry<Wide, 1, 8, 16, 4, 1>(), entry<Wide, 1, 8, 16, 8, 8>(),
    entry<Wide, pair, 8, 8, 4, 4>(), entry<Wide, pair, 8, 16, 4, 1>(), entry<Wide, pair, 8, 16, 8, 8>(),
#endif
    entry<Narrow, 1>(), entry<Wide, 1>(), entry<Wide, pair>()};
constexpr LiveOpsList live_list{live_ops, sizeof(live_ops) / sizeof(live_ops[0])};

} // namespace serpent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace serpent::kernels {

LiveOpsList live_ops_list(Isa isa) {
    return *SERPENT_SELECT(isa, live_list);
}

} // namespace serpent::kernels
#endif
