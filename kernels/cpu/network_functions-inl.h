// SPDX-License-Identifier: MIT
// The functions of networks on Highway vectors of float. Included once per target.
#if defined(SERPENT_KERNELS_CPU_NETWORK_FUNCTIONS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SERPENT_KERNELS_CPU_NETWORK_FUNCTIONS_INL_H_
#undef SERPENT_KERNELS_CPU_NETWORK_FUNCTIONS_INL_H_
#else
#define SERPENT_KERNELS_CPU_NETWORK_FUNCTIONS_INL_H_
#endif

#include "cpu/math-inl.h"
#include "cpu/network_data.h"

HWY_BEFORE_NAMESPACE();
namespace serpent::kernels {
namespace HWY_NAMESPACE {

/// e / (e + 2), e = exp(2 x) - 1 to full relative accuracy: within 4 ulp. Beyond 9 it is 1 to the last bit but one.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V tanh_v(D d, V x) {
    const V limit = hn::Set(d, 26.0f);
    const V t = hn::Max(hn::Min(hn::Mul(x, hn::Set(d, 2.88539008f)), limit), hn::Neg(limit));
    const V e = exp2m1_v(d, t);
    return hn::Div(e, hn::Add(e, hn::Set(d, 2.0f)));
}

/// 1 / (1 + exp(-x)), absolute error 1e-7.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V quick_sigmoid_v(D d, V x) {
    const V limit = hn::Set(d, 126.0f), one = hn::Set(d, 1.0f);
    V power, f;
    split_power(d, hn::Max(hn::Min(hn::Mul(x, hn::Set(d, -1.44269504f)), limit), hn::Neg(limit)), &power, &f);
    return hn::Div(one, hn::MulAdd(power, exp2_fraction_v(d, f), one));
}

/// The quotient of polynomials that the public player plays for "Fasttanh". Beyond 1e8, where powers would overflow, it stands still.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V fast_tanh_v(D d, V x) {
    x = hn::Max(hn::Min(x, hn::Set(d, 1e8f)), hn::Set(d, -1e8f));
    const V ax = hn::Abs(x), x2 = hn::Mul(x, x);
    const V a = hn::Set(d, 2.45550750702956f), b = hn::Set(d, 2.44506634652299f);
    const V cubic = hn::MulAdd(hn::Set(d, 0.821226666969744f), ax, hn::Set(d, 0.893229853513558f));
    const V above = hn::Mul(x, hn::MulAdd(cubic, x2, hn::MulAdd(a, ax, a)));
    const V bent = hn::Abs(hn::MulAdd(hn::Mul(hn::Set(d, 0.814642734961073f), x), ax, x));
    return hn::Div(above, hn::MulAdd(hn::Add(b, x2), bent, b));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V softsign_v(D d, V x) {
    return hn::Div(x, hn::Add(hn::Set(d, 1.0f), hn::Abs(x)));
}

/// A curve of one kind as a function; `lane` is where x lies in its row.
template <NetFunctionKind kind>
struct Curve {
    const NetCurve& curve;
    static constexpr bool wants_lane = false;

    template <class D, class V = hn::Vec<D>>
    HWY_INLINE V operator()(D d, V x, std::size_t = 0) const {
        using K = NetFunctionKind;
        if constexpr (kind == K::tanh) return tanh_v(d, x);
        else if constexpr (kind == K::fast_tanh) return fast_tanh_v(d, x);
        else if constexpr (kind == K::hard_tanh) return hn::Max(hn::Min(x, hn::Set(d, curve.high)), hn::Set(d, curve.low));
        else if constexpr (kind == K::relu) return hn::Max(x, hn::Zero(d));
        else if constexpr (kind == K::leaky_relu) return hn::MulAdd(hn::Min(x, hn::Zero(d)), hn::Set(d, curve.slope), hn::Max(x, hn::Zero(d)));
        else if constexpr (kind == K::sigmoid) return quick_sigmoid_v(d, x);
        else if constexpr (kind == K::silu) return quick_silu_v(d, x);
        else if constexpr (kind == K::hard_swish) return hard_swish(d, x);
        else if constexpr (kind == K::leaky_hard_tanh) return leaky_hard_tanh(d, x);
        else if constexpr (kind == K::softsign) return softsign_v(d, x);
        else if constexpr (kind == K::softsigmoid) return hn::MulAdd(softsign_v(d, x), hn::Set(d, 0.5f), hn::Set(d, 0.5f));
        else return x;
    }

private:
    template <class D, class V = hn::Vec<D>>
    static HWY_INLINE V hard_swish(D d, V x) {
        const V shifted = hn::Max(hn::Min(hn::Add(x, hn::Set(d, 3.0f)), hn::Set(d, 6.0f)), hn::Zero(d));
        return hn::Mul(hn::Mul(x, shifted), hn::Set(d, 1.0f / 6.0f));
    }
    template <class D, class V = hn::Vec<D>>
    HWY_INLINE V leaky_hard_tanh(D d, V x) const {
        const V low = hn::Set(d, curve.low), high = hn::Set(d, curve.high);
        const V middle = hn::Max(hn::Min(x, high), low);
        const V below = hn::MulAdd(hn::Sub(x, low), hn::Set(d, curve.low_slope), low);
        const V above = hn::MulAdd(hn::Sub(x, high), hn::Set(d, curve.high_slope), high);
        return hn::IfThenElse(hn::Lt(x, low), below, hn::IfThenElse(hn::Gt(x, high), above, middle));
    }
};

/// leaky_relu with a slope for every channel.
struct SlopesCurve {
    const NetCurve& curve;
    static constexpr bool wants_lane = true;

    template <class D, class V = hn::Vec<D>>
    HWY_INLINE V operator()(D d, V x, std::size_t lane) const {
        return hn::MulAdd(hn::Min(x, hn::Zero(d)), hn::Load(d, curve.slopes + lane), hn::Max(x, hn::Zero(d)));
    }
};

/// use(function of `curve`).
template <class Use>
HWY_INLINE void with_curve(const NetCurve& curve, const Use& use) {
    using K = NetFunctionKind;
    if (curve.slopes) return use(SlopesCurve{curve});
    switch (curve.kind) {
    case K::identity: return use(Curve<K::identity>{curve});
    case K::tanh: return use(Curve<K::tanh>{curve});
    case K::hard_tanh: return use(Curve<K::hard_tanh>{curve});
    case K::fast_tanh: return use(Curve<K::fast_tanh>{curve});
    case K::relu: return use(Curve<K::relu>{curve});
    case K::leaky_relu: return use(Curve<K::leaky_relu>{curve});
    case K::sigmoid: return use(Curve<K::sigmoid>{curve});
    case K::silu: return use(Curve<K::silu>{curve});
    case K::hard_swish: return use(Curve<K::hard_swish>{curve});
    case K::leaky_hard_tanh: return use(Curve<K::leaky_hard_tanh>{curve});
    case K::softsign: return use(Curve<K::softsign>{curve});
    case K::softsigmoid: return use(Curve<K::softsigmoid>{curve});
    }
}

} // namespace HWY_NAMESPACE
} // namespace serpent::kernels
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
