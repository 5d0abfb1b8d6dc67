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

/// Interleaves channels and instances; a sample that is not finite would live in the state for ever, so it counts as 0.
template <class S>
HWY_INLINE void read_input(S s, const float* const* in, size_t first, size_t n) {
    const size_t channels = s.data.encoder.in, columns = channels * S::instances;
    for (size_t k = 0; k < S::instances; ++k)
        for (size_t c = 0; c < channels; ++c)
            for (size_t t = 0; t < n; ++t) {
                const float sample = in[k * channels + c][first + t];
                s.data.scratch.input[t * columns + c * S::instances + k] = std::isfinite(sample) ? sample : 0.0f;
            }
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

/// out = bound(decoder . norm(e) + bias + skip . in). Returns the instances whose output was not finite, a bit each.
template <class S, class Count>
HWY_INLINE unsigned decode(S s, float* const* out, size_t first, Count n) {
    const typename S::D d;
    const LiveData& data = s.data;
    const LiveScratch& scratch = data.scratch;
    const size_t channels = data.encoder.in, columns = channels * S::instances;
    if (data.final_norm)
        measure_rms(s, n, [](size_t, size_t, auto) HWY_ATTR {});
    else
        for (size_t i = 0; i < n * S::instances; ++i) scratch.scale[i] = 1.0f;
    unsigned failed = 0;
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
                const float sample = answer[k] * scale + data.decoder_bias[c] + data.skip[c] * input;
                failed |= static_cast<unsigned>(!std::isfinite(sample)) << k;
                out[k * channels + c][first + t] = data.output_bound(sample);
            }
        }
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

/// Makes room for n rows behind the history of every layer.
template <class S>
HWY_INLINE void advance_window(S s, LiveData& data, size_t n) {
    if (data.window_at + n <= live_window) return;
    const size_t inner = s.inner(), history = static_cast<size_t>(data.config.d_conv) - 1;
    for (int i = 0; i < data.config.n_layers; ++i) {
        float* window = data.layers[i].window;
        std::memmove(window, window + data.window_at * inner, history * inner * sizeof(float));
    }
    data.window_at = 0;
}

template <class S, class Count>
HWY_INLINE unsigned run(LiveData& data, const float* const* in, float* const* out, size_t first, Count n) {
    const S s{data};
    read_input(s, in, first, n);
    const bool moving = advance_ramp(data, n);
    advance_window(s, data, n);
    encode(s, n);
    for (int i = 0; i < data.config.n_layers; ++i) {
        const LiveLayer& layer = data.layers[i];
        if (moving)
            add_block(s, layer, MovingFilm{layer.from, layer.to, data.scratch.ramp}, static_cast<size_t>(n));
        else
            add_block(s, layer, StillFilm{layer.to}, n);
    }
    data.window_at += n;
    return decode(s, out, first, n);
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
