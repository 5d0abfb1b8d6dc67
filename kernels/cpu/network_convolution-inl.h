// SPDX-License-Identifier: MIT
// Convolutions of networks. Included once per target. A sample's sum runs in two chains, over even and over odd input channels, from
// the oldest tap to the newest, so that what an earlier layer has only just made comes last.
#if defined(SERPENT_KERNELS_CPU_NETWORK_CONVOLUTION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SERPENT_KERNELS_CPU_NETWORK_CONVOLUTION_INL_H_
#undef SERPENT_KERNELS_CPU_NETWORK_CONVOLUTION_INL_H_
#else
#define SERPENT_KERNELS_CPU_NETWORK_CONVOLUTION_INL_H_
#endif

#include "cpu/network_functions-inl.h"

HWY_BEFORE_NAMESPACE();
namespace serpent::kernels {
namespace HWY_NAMESPACE {
namespace {

using std::size_t;

constexpr size_t most_lanes = hn::MaxLanes(hn::ScalableTag<float>());
/// Of vectors that hold at most `wanted` floats.
constexpr size_t lanes_for(size_t wanted) { return wanted < most_lanes ? wanted : most_lanes; }

/// `samples` rows from row t on of the `lanes * vectors` lanes of out from `first_lane` on. fixed: the input's channels, 0: any.
template <size_t lanes, size_t vectors, size_t samples, size_t fixed, bool leaky>
HWY_INLINE void convolve_rows(const NetStep& s, const float* weight, size_t t, size_t first_lane) {
    const hn::CappedTag<float, lanes> d;
    using V = hn::Vec<decltype(d)>;
    constexpr size_t width = lanes * vectors;
    const size_t channels = fixed ? fixed : s.in->channels, stride = fixed ? net_stride(fixed) : s.in->stride;
    V even[samples][vectors], odd[samples][vectors];
    for (size_t v = 0; v < vectors; ++v) {
        const V bias = hn::Load(d, weight + v * lanes);
        for (size_t i = 0; i < samples; ++i) even[i][v] = bias, odd[i][v] = hn::Zero(d);
    }
    const float* slopes = weight + width;
    weight += leaky ? 2 * width : width;
    if (s.side) {
        const float* side = s.side->now() + t * s.side->stride;
        for (size_t j = 0; j < s.side->channels; ++j, weight += width)
            for (size_t i = 0; i < samples; ++i) {
                const V x = hn::Set(d, side[i * s.side->stride + j]);
                for (size_t v = 0; v < vectors; ++v) even[i][v] = hn::MulAdd(x, hn::Load(d, weight + v * lanes), even[i][v]);
            }
    }
    for (size_t k = 0; k < s.kernel; ++k) {
        const float* x = s.in->before((s.kernel - 1 - k) * s.dilation) + t * stride;
        const auto add = [&](size_t channel, V(&sum)[samples][vectors]) HWY_ATTR {
            for (size_t i = 0; i < samples; ++i) {
                const V value = hn::Set(d, x[i * stride + channel]);
                for (size_t v = 0; v < vectors; ++v) sum[i][v] = hn::MulAdd(value, hn::Load(d, weight + v * lanes), sum[i][v]);
            }
            weight += width;
        };
        size_t c = 0;
        for (; c + 2 <= channels; c += 2) add(c, even), add(c + 1, odd);
        if (c < channels) add(c, even);
    }
    const size_t to = t * s.out->stride + first_lane;
    for (size_t i = 0; i < samples; ++i)
        for (size_t v = 0; v < vectors; ++v) {
            const size_t at = to + i * s.out->stride + v * lanes;
            V sum = hn::Add(even[i][v], odd[i][v]);
            if (s.plus) sum = hn::Add(sum, hn::LoadU(d, s.plus->now() + at));
            if (leaky) sum = hn::MulAdd(hn::Min(sum, hn::Zero(d)), hn::Load(d, slopes + v * lanes), hn::Max(sum, hn::Zero(d)));
            hn::StoreU(sum, d, s.out->now() + at);
            if (!leaky || !s.sum) continue;
            hn::StoreU(s.sum_from ? hn::Add(hn::LoadU(d, s.sum_from->now() + at), sum) : sum, d, s.sum->now() + at);
        }
}

template <size_t lanes, size_t vectors, size_t fixed, bool leaky>
void convolve(const NetStep& s, size_t n) {
    constexpr size_t width = lanes * vectors, together = vectors == 1 ? 4 : 2;  // eight sums at a time
    const size_t side = s.side ? s.side->channels : 0, group = width * (1 + leaky + side + s.kernel * s.in->channels);
    const float* weight = s.weight;
    for (size_t first = 0; first < s.out->stride; first += width, weight += group) {
        size_t t = 0;
        for (; t + together <= n; t += together) convolve_rows<lanes, vectors, together, fixed, leaky>(s, weight, t, first);
        for (; t < n; ++t) convolve_rows<lanes, vectors, 1, fixed, leaky>(s, weight, t, first);
    }
}

template <size_t lanes, size_t vectors, bool leaky>
NetConvCode convolution_for(size_t channels) {
    const auto code = [](NetStep::Run run) { return NetConvCode{run, lanes * vectors}; };
    switch (channels) {
    case 1: return code(convolve<lanes, vectors, 1, leaky>);
    case 2: return code(convolve<lanes, vectors, 2, leaky>);
    case 3: return code(convolve<lanes, vectors, 3, leaky>);
    case 4: return code(convolve<lanes, vectors, 4, leaky>);
    case 6: return code(convolve<lanes, vectors, 6, leaky>);
    case 8: return code(convolve<lanes, vectors, 8, leaky>);
    case 12: return code(convolve<lanes, vectors, 12, leaky>);
    case 16: return code(convolve<lanes, vectors, 16, leaky>);
    default: return code(convolve<lanes, vectors, 0, leaky>);
    }
}

template <size_t lanes, size_t vectors>
NetConvCode convolution_of(const NetStep& s) {
    return s.leaky ? convolution_for<lanes, vectors, true>(s.in->channels) : convolution_for<lanes, vectors, false>(s.in->channels);
}

NetConvCode convolution(const NetStep& s) {
    const size_t stride = s.out->stride;
    constexpr size_t narrow = lanes_for(4), middle = lanes_for(8), wide = lanes_for(16);
    if (stride == 4) return convolution_of<narrow, 1>(s);
    if (stride % (2 * wide) == 0) return convolution_of<wide, 2>(s);
    if (stride % wide == 0) return convolution_of<wide, 1>(s);
    return convolution_of<middle, 1>(s);
}

/// One channel out: the lanes are those of the input, even and odd taps are the chains, and a fixed tree adds up the lanes.
template <size_t lanes>
void dot_rows(const NetStep& s, size_t n) {
    const hn::CappedTag<float, lanes> d;
    using V = hn::Vec<decltype(d)>;
    const size_t stride = s.in->stride;
    for (size_t t = 0; t < n; ++t) {
        V even = hn::Zero(d), odd = hn::Zero(d);
        const auto add = [&](size_t k, V& sum) HWY_ATTR {
            const float* x = s.in->before((s.kernel - 1 - k) * s.dilation) + t * stride;
            for (size_t c = 0; c < stride; c += lanes) sum = hn::MulAdd(hn::LoadU(d, x + c), hn::Load(d, s.weight + k * stride + c), sum);
        };
        size_t k = 0;
        for (; k + 2 <= s.kernel; k += 2) add(k, even), add(k + 1, odd);
        if (k < s.kernel) add(k, even);
        float* out = s.out->now() + t * s.out->stride;
        out[0] = s.bias + hn::GetLane(hn::SumOfLanes(d, hn::Add(even, odd)));
        if (s.plus) out[0] += s.plus->now()[t * s.plus->stride];
    }
}

void dot(const NetStep& s, size_t n) {
    if (s.in->stride == 4) dot_rows<lanes_for(4)>(s, n);
    else dot_rows<lanes_for(8)>(s, n);
}

} // namespace
} // namespace HWY_NAMESPACE
} // namespace serpent::kernels
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
