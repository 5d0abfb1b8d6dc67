// SPDX-License-Identifier: MIT
#include "cpu/targets.h"

#include "cpu/network_data.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/network_ops.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "cpu/network_convolution-inl.h"

HWY_BEFORE_NAMESPACE();
namespace serpent::kernels::HWY_NAMESPACE {
namespace {

/// Where a row's results go: to out, and added to what `from` has to `sum`, where those are set.
struct Sink {
    float *out, *sum;
    const float* from;

    template <class D, class V = hn::Vec<D>>
    HWY_INLINE void put(D d, std::size_t at, V value) const {
        hn::StoreU(value, d, out + at);
        if (sum) hn::StoreU(from ? hn::Add(hn::LoadU(d, from + at), value) : value, d, sum + at);
    }
};

HWY_INLINE Sink sink_of(const NetStep& s) {
    return {s.out->now(), s.sum ? s.sum->now() : nullptr, s.sum_from ? s.sum_from->now() : nullptr};
}

/// f(d, at, lane) for every vector of n rows of `stride` floats; `at` counts from the first row.
template <bool by_row, class F>
HWY_INLINE void for_rows(size_t n, size_t stride, const F& f) {
    const hn::CappedTag<float, lanes_for(4)> narrow;
    const hn::CappedTag<float, lanes_for(8)> middle;
    if (by_row) {
        for (size_t t = 0; t < n; ++t) {
            if (stride == 4) for (size_t lane = 0; lane < stride; lane += lanes_for(4)) f(narrow, t * stride + lane, lane);
            else for (size_t lane = 0; lane < stride; lane += lanes_for(8)) f(middle, t * stride + lane, lane);
        }
        return;
    }
    const hn::CappedTag<float, lanes_for(16)> wide;
    size_t at = 0;
    for (; at + lanes_for(16) <= n * stride; at += lanes_for(16)) f(wide, at, size_t{0});
    for (; at < n * stride; at += lanes_for(4)) f(narrow, at, size_t{0});
}

struct Activate {
    const NetStep& s;
    size_t n;

    template <class F>
    HWY_INLINE void operator()(const F& f) const {
        const float* in = s.in->now();
        const Sink sink = sink_of(s);
        for_rows<F::wants_lane>(n, s.out->stride, [&](auto d, size_t at, size_t lane) HWY_ATTR {
            sink.put(d, at, f(d, hn::LoadU(d, in + at), lane));
        });
    }
};

void activate(const NetStep& s, size_t n) { with_curve(s.f, Activate{s, n}); }

/// The second halves, in place.
struct GateShares {
    const NetStep& s;
    size_t n;

    template <class G>
    HWY_INLINE void operator()(const G& g) const {
        const size_t stride = s.out->stride;
        float* in = s.in->now() + stride;
        for_rows<true>(n, stride, [&](auto d, size_t at, size_t lane) HWY_ATTR {
            float* x = in + 2 * at - lane;  // rows of in are twice as long
            hn::StoreU(g(d, hn::LoadU(d, x), lane), d, x);
        });
    }
};

struct GateValues {
    const NetStep& s;
    size_t n;

    template <class F>
    HWY_INLINE void operator()(const F& f) const {
        const float* in = s.in->now();
        const Sink sink = sink_of(s);
        const size_t stride = s.out->stride;
        const bool blend = s.kind == NetOpKind::blend;
        for_rows<true>(n, stride, [&](auto d, size_t at, size_t lane) HWY_ATTR {
            const float* x = in + 2 * at - lane;
            const auto first = hn::LoadU(d, x), share = hn::LoadU(d, x + stride), value = f(d, first, lane);
            if (blend) sink.put(d, at, hn::MulAdd(share, value, hn::Mul(hn::Sub(hn::Set(d, 1.0f), share), first)));
            else sink.put(d, at, hn::Mul(value, share));
        });
    }
};

void gate(const NetStep& s, size_t n) {
    with_curve(s.g, GateShares{s, n});
    with_curve(s.f, GateValues{s, n});
}

void modulate(const NetStep& s, size_t n) {
    const float *in = s.in->now(), *scale = s.scale->now(), *shift = s.shift ? s.shift->now() : nullptr;
    const Sink sink = sink_of(s);
    for_rows<false>(n, s.out->stride, [&](auto d, size_t at, size_t) HWY_ATTR {
        const auto x = hn::LoadU(d, in + at), factor = hn::LoadU(d, scale + at);
        sink.put(d, at, shift ? hn::MulAdd(x, factor, hn::LoadU(d, shift + at)) : hn::Mul(x, factor));
    });
}

/// gates = bias + weight (x, h), for `lanes * vectors` of them at a time.
template <size_t lanes, size_t vectors>
void lstm_gates(const NetStep& s, const float* x) {
    const hn::CappedTag<float, lanes> d;
    const NetLstm& l = *s.lstm;
    const size_t all = 4 * l.stride;
    for (size_t first = 0; first < all; first += lanes * vectors) {
        hn::Vec<decltype(d)> sum[vectors];
        const float* weight = s.weight + first;
        for (size_t v = 0; v < vectors; ++v) sum[v] = hn::Load(d, weight + v * lanes);
        const auto add = [&](float value) HWY_ATTR {
            weight += all;
            for (size_t v = 0; v < vectors; ++v) sum[v] = hn::MulAdd(hn::Set(d, value), hn::Load(d, weight + v * lanes), sum[v]);
        };
        for (size_t i = 0; i < s.in->channels; ++i) add(x[i]);
        for (size_t i = 0; i < l.hidden; ++i) add(l.h[i]);
        for (size_t v = 0; v < vectors; ++v) hn::Store(sum[v], d, l.gates + first + v * lanes);
    }
}

template <size_t lanes>
void lstm_rows(const NetStep& s, size_t n) {
    const hn::CappedTag<float, lanes> d;
    const NetLstm& l = *s.lstm;
    const size_t all = 4 * l.stride;
    const auto gates = all % (8 * lanes) == 0 ? lstm_gates<lanes, 8> : all % (6 * lanes) == 0 ? lstm_gates<lanes, 6> : lstm_gates<lanes, 4>;
    for (size_t t = 0; t < n; ++t) {
        gates(s, s.in->now() + t * s.in->stride);
        float* out = s.out->now() + t * s.out->stride;
        for (size_t i = 0; i < l.stride; i += lanes) {
            const auto gate = [&](size_t which) HWY_ATTR { return hn::Load(d, l.gates + which * l.stride + i); };
            auto c = hn::Load(d, l.c + i), low = hn::Load(d, l.c_low + i);
            // s(f) c = c - s(-f) c: what a slow cell forgets in a step keeps its relative accuracy.
            const auto lost = hn::NegMulAdd(quick_sigmoid_v(d, hn::Neg(gate(1))), c, low);
            add_compensated(d, hn::MulAdd(quick_sigmoid_v(d, gate(0)), tanh_v(d, gate(2)), lost), &c, &low);
            const auto h = hn::Mul(quick_sigmoid_v(d, gate(3)), tanh_v(d, c));
            hn::Store(c, d, l.c + i);
            hn::Store(low, d, l.c_low + i);
            hn::Store(h, d, l.h + i);
            hn::StoreU(h, d, out + i);
        }
    }
}

void lstm(const NetStep& s, size_t n) {
    if (s.lstm->stride == 4) lstm_rows<lanes_for(4)>(s, n);
    else lstm_rows<lanes_for(8)>(s, n);
}

void fir(const NetStep& s, size_t n) {
    NetFir& fir = *s.fir;
    if (fir.at + n > fir.size) {
        std::memmove(fir.signal, fir.signal + fir.at - (fir.padded - 1), (fir.padded - 1) * sizeof(float));
        fir.at = fir.padded - 1;
    }
    float* x = fir.signal + fir.at;
    for (size_t t = 0; t < n; ++t) x[t] = s.in->now()[t * s.in->stride];
    fir.filter(fir.padded, s.weight, x, fir.answer, n);
    for (size_t t = 0; t < n; ++t) s.out->now()[t * s.out->stride] = fir.answer[t] + s.bias;
    fir.at += n;
}

} // namespace

constexpr NetOps net_ops{SERPENT_TARGET_ISA, convolution, dot, gate, modulate, activate, lstm, fir};

} // namespace serpent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace serpent::kernels {

const NetOps& net_ops_for(Isa isa) {
    return *SERPENT_SELECT(isa, net_ops);
}

} // namespace serpent::kernels
#endif
