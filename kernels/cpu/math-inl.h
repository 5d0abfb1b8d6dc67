// SPDX-License-Identifier: MIT
// exp, expm1, sigmoid, silu, log1p and softplus on Highway vectors of float. Included once per target.
//
// exp(x) = 2^n (1 + p), n = round(x / ln 2), p = expm1(r), r = x - n ln 2 in [-0.347, 0.347]. p = r + r^2 s(r), s the
// polynomial of degree 4 whose largest relative error in p is least (1.4e-8, a quarter of a rounding). expm1(x) =
// 2^n p + (2^n - 1) keeps full *relative* accuracy near 0, which is what long memories need (docs/architecture.md,
// numerics): 1 - exp(-1/48000) formed by subtraction would lose 15 bits. All stay within 4 ulp;
// tests/kernels/math_tests.cpp sweeps them against float64.
#if defined(SERPENT_KERNELS_CPU_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SERPENT_KERNELS_CPU_MATH_INL_H_
#undef SERPENT_KERNELS_CPU_MATH_INL_H_
#else
#define SERPENT_KERNELS_CPU_MATH_INL_H_
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace serpent::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Splits exp(x) into *power = 2^n and *p = expm1(x - n ln 2), for x in [-87, 88].
template <class D, class V = hn::Vec<D>>
HWY_INLINE void split_exp(D d, V x, V* power, V* p) {
    // Adding 1.5 * 2^23 rounds to an integer; the 127 more leave n's biased exponent in the lowest bits.
    const V magic = hn::Set(d, 12582912.0f + 127.0f);
    const V rounded = hn::MulAdd(x, hn::Set(d, 1.44269504f), magic);
    const V n = hn::Sub(rounded, magic);
    V r = hn::NegMulAdd(n, hn::Set(d, 0.693359375f), x);
    r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), r);
    V s = hn::MulAdd(r, hn::Set(d, 1.38824888e-3f), hn::Set(d, 8.36669157e-3f));
    s = hn::MulAdd(s, r, hn::Set(d, 4.16672054e-2f));
    s = hn::MulAdd(s, r, hn::Set(d, 1.66665424e-1f));
    s = hn::MulAdd(s, r, hn::Set(d, 4.99999981e-1f));
    *p = hn::MulAdd(hn::Mul(r, r), s, r);
    const hn::RebindToSigned<D> di;
    *power = hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(di, rounded)));
}

/// x <= 88; below -87 it stays at exp(-87).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp_v(D d, V x) {
    V power, p;
    split_exp(d, hn::Max(x, hn::Set(d, -87.0f)), &power, &p);
    return hn::MulAdd(power, p, power);
}

/// x <= 88.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V expm1_v(D d, V x) {
    V power, p;
    split_exp(d, hn::Max(x, hn::Set(d, -87.0f)), &power, &p);
    return hn::MulAdd(power, p, hn::Sub(power, hn::Set(d, 1.0f)));
}

/// 1 + exp(-x), any x; beyond -88 it stays at exp(88).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V one_plus_exp_neg_v(D d, V x) {
    return hn::Add(hn::Set(d, 1.0f), exp_v(d, hn::Neg(hn::Max(x, hn::Set(d, -88.0f)))));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V sigmoid_v(D d, V x) {
    return hn::Div(hn::Set(d, 1.0f), one_plus_exp_neg_v(d, x));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V silu_v(D d, V x) {
    return hn::Div(x, one_plus_exp_neg_v(d, x));
}

/// ln(1 + y) for y in [0, 1]: 2 artanh(s) = 2 s + s^3 q(s^2), s = y / (2 + y) <= 1/3; q's least largest error: 4.5e-9.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V log1p_unit_v(D d, V y) {
    const V s = hn::Div(y, hn::Add(y, hn::Set(d, 2.0f)));
    const V s2 = hn::Mul(s, s);
    V q = hn::MulAdd(s2, hn::Set(d, 0.280119871f), hn::Set(d, 0.280018052f));
    q = hn::MulAdd(q, s2, hn::Set(d, 0.400215272f));
    q = hn::MulAdd(q, s2, hn::Set(d, 0.666664163f));
    return hn::MulAdd(hn::Mul(s, s2), q, hn::Add(s, s));
}

/// max(x, 0) + log1p(exp(-|x|)): relative accuracy is kept for very negative x, where dt = exp(x).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V softplus_v(D d, V x) {
    return hn::Add(hn::Max(x, hn::Zero(d)), log1p_unit_v(d, exp_v(d, hn::Neg(hn::Abs(x)))));
}

} // namespace HWY_NAMESPACE
} // namespace serpent::kernels
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
