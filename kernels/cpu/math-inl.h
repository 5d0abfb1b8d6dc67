// SPDX-License-Identifier: MIT
// exp, expm1, sigmoid, silu, log1p and softplus on Highway vectors of float. Included once per target.
//
// exp(x) = 2^n (1 + p), n = round(x / ln 2), p = expm1(r), r = x - n ln 2 in [-0.347, 0.347]. p = r + r^2 s(r), s the
// polynomial of degree 4 whose largest relative error in p is least (1.4e-8, a quarter of a rounding). expm1(x) =
// 2^n p + (2^n - 1) keeps full *relative* accuracy near 0, which is what long memories need (docs/architecture.md,
// numerics): 1 - exp(-1/48000) formed by subtraction would lose 15 bits. All stay within 4 ulp;
// tests/kernels/math_tests.cpp sweeps them against float64. The last functions are the live engine's own: quicker, some with a
// wider bound.
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

/// h += step, and *low = what rounding leaves out of h (Fast2Sum; Dekker 1971): part of the next step. Exact where |step| <= |h|, as in
/// a slow state; else as good as a plain sum.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void add_compensated(D, V step, V* h, V* low) {
    const V sum = hn::Add(*h, step);
    *low = hn::Sub(step, hn::Sub(sum, *h));
    *h = sum;
}

/// Splits t into n, as *power = 2^n, and *f = t - n in [-0.5, 0.5], exactly; for t in [-126, 127].
template <class D, class V = hn::Vec<D>>
HWY_INLINE void split_power(D d, V t, V* power, V* f) {
    const V magic = hn::Set(d, 12582912.0f + 127.0f);  // as in split_exp
    const V rounded = hn::Add(t, magic);
    *f = hn::Sub(t, hn::Sub(rounded, magic));
    const hn::RebindToSigned<D> di;
    *power = hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(di, rounded)));
}

/// 2^t - 1 for t <= 127; below -126 it is -1. With t = x log2(e) it is expm1(x), and costs fewer multiplications: the live
/// engine keeps its decays in that unit. 2^f - 1 = f g(f), g's largest relative error 1.3e-8: within 3 ulp.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp2m1_v(D d, V t) {
    V power, f;
    split_power(d, hn::Max(t, hn::Set(d, -126.0f)), &power, &f);
    V g = hn::MulAdd(f, hn::Set(d, 1.53822320e-4f), hn::Set(d, 1.33873767e-3f));
    g = hn::MulAdd(g, f, hn::Set(d, 9.61831119e-3f));
    g = hn::MulAdd(g, f, hn::Set(d, 5.55036739e-2f));
    g = hn::MulAdd(g, f, hn::Set(d, 2.40226492e-1f));
    g = hn::MulAdd(g, f, hn::Set(d, 6.93147182e-1f));
    return hn::MulAdd(power, hn::Mul(f, g), hn::Sub(power, hn::Set(d, 1.0f)));
}

/// 2^f for f in [-0.5, 0.5], relative error 9.4e-8 and some roundings; in halves, which is quicker than one chain.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp2_fraction_v(D d, V f) {
    const V f2 = hn::Mul(f, f);
    const V low = hn::MulAdd(f, hn::Set(d, 6.93147004e-1f), hn::Set(d, 1.0f));
    const V middle = hn::MulAdd(f, hn::Set(d, 5.55071086e-2f), hn::Set(d, 2.40222469e-1f));
    const V high = hn::MulAdd(f, hn::Set(d, 1.32695190e-3f), hn::Set(d, 9.67129134e-3f));
    return hn::MulAdd(f2, hn::MulAdd(f2, high, middle), low);
}

/// x / (1 + exp(-x)) sooner and in fewer operations than silu_v: relative error within (4 + |x|) ulp for |x| <= 87, since
/// -x log2(e) is rounded once; beyond -87 it goes to x 1e-38.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V quick_silu_v(D d, V x) {
    const V limit = hn::Set(d, 126.0f);
    V power, f;
    split_power(d, hn::Max(hn::Min(hn::Mul(x, hn::Set(d, -1.44269504f)), limit), hn::Neg(limit)), &power, &f);
    return hn::Div(x, hn::MulAdd(power, exp2_fraction_v(d, f), hn::Set(d, 1.0f)));
}

/// softplus_v, sooner: the same polynomials, in halves. Within 5 ulp; 1e-38 below -87.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V quick_softplus_v(D d, V x) {
    const V magic = hn::Set(d, 12582912.0f + 127.0f);  // y = exp(-|x|) as in split_exp
    const V negative = hn::Max(hn::Or(x, hn::SignBit(d)), hn::Set(d, -87.0f));
    const V rounded = hn::MulAdd(negative, hn::Set(d, 1.44269504f), magic);
    const V n = hn::Sub(rounded, magic);
    const V r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), hn::NegMulAdd(n, hn::Set(d, 0.693359375f), negative));
    const V r2 = hn::Mul(r, r);
    const V exp_low = hn::MulAdd(r, hn::Set(d, 1.66665424e-1f), hn::Set(d, 4.99999981e-1f));
    const V exp_high = hn::MulAdd(r, hn::Set(d, 8.36669157e-3f), hn::Set(d, 4.16672054e-2f));
    const V p = hn::MulAdd(r2, hn::MulAdd(r2, hn::MulAdd(r2, hn::Set(d, 1.38824888e-3f), exp_high), exp_low), r);
    const hn::RebindToSigned<D> di;
    const V power = hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(di, rounded)));
    const V y = hn::MulAdd(power, p, power);
    const V s = hn::Div(y, hn::Add(y, hn::Set(d, 2.0f)));  // ln(1 + y) as in log1p_unit_v
    const V s2 = hn::Mul(s, s);
    const V low = hn::MulAdd(s2, hn::Set(d, 0.400215272f), hn::Set(d, 0.666664163f));
    const V high = hn::MulAdd(s2, hn::Set(d, 0.280119871f), hn::Set(d, 0.280018052f));
    const V q = hn::MulAdd(hn::Mul(s2, s2), high, low);
    return hn::MulAdd(hn::Mul(s, s2), q, hn::Add(hn::Add(s, s), hn::Max(x, hn::Zero(d))));
}

} // namespace HWY_NAMESPACE
} // namespace serpent::kernels
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
