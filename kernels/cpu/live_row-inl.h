// SPDX-License-Identifier: MIT
// Rows of the live engine (live_data.h) as vectors, and the product of a matrix with some of them. Included once per target.
#if defined(SERPENT_KERNELS_CPU_LIVE_ROW_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SERPENT_KERNELS_CPU_LIVE_ROW_INL_H_
#undef SERPENT_KERNELS_CPU_LIVE_ROW_INL_H_
#else
#define SERPENT_KERNELS_CPU_LIVE_ROW_INL_H_
#endif

#include <hwy/highway.h>

#include <cstring>

#include "cpu/live_data.h"

HWY_BEFORE_NAMESPACE();
namespace serpent::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using std::size_t;

/// A number of samples that is known when compiling, beside size_t for any number.
struct One {
    constexpr operator size_t() const { return 1; }
};

/// How one instance of the engine computes: the vector type, how many sequences share a vector, and the sizes of the
/// model, each a constant, or 0 for what the LiveData says. One source serves both; constants let the compiler unroll.
template <class D_, size_t instances_, size_t model_ = 0, size_t inner_ = 0, size_t states_ = 0, size_t decays_ = 0>
struct Shape {
    using D = D_;
    using V = hn::Vec<D>;
    static constexpr D d{};
    static constexpr size_t lanes = hn::MaxLanes(D()), instances = instances_;
    static constexpr size_t fixed_states = states_, fixed_decays = decays_;
    static constexpr bool fixed = model_ != 0;
    static constexpr size_t chains = lanes >= 16 ? 4 : 2;  // of a product: with AVX-512 come 32 registers
    const LiveData& data;

    static constexpr size_t stride_of(size_t width) { return (width * instances + lanes - 1) / lanes * lanes; }
    HWY_INLINE size_t d_model() const { return fixed ? model_ : static_cast<size_t>(data.config.d_model); }
    HWY_INLINE size_t d_inner() const { return fixed ? inner_ : static_cast<size_t>(data.config.d_inner); }
    HWY_INLINE size_t d_state() const { return fixed ? states_ : static_cast<size_t>(data.config.d_state); }
    HWY_INLINE size_t rank() const { return fixed ? 1 : static_cast<size_t>(data.config.dt_rank); }
    HWY_INLINE size_t model() const { return fixed ? stride_of(model_) : data.model_stride; }
    HWY_INLINE size_t inner() const { return fixed ? stride_of(inner_) : data.inner_stride; }
    HWY_INLINE size_t B_C() const { return fixed ? stride_of(2 * states_) : data.layers[0].B_C.out_stride; }

    /// One value per instance, each to all of its lanes: for two, one load that repeats 64 bits.
    static HWY_INLINE V spread(const float* values) {
        if constexpr (instances == 1) return hn::Set(d, values[0]);
        else {
            static_assert(instances == 2);
            double both;
            std::memcpy(&both, values, sizeof both);
            return hn::BitCast(d, hn::Set(hn::Repartition<double, D>(), both));
        }
    }

    /// Channel i of a row, each instance's to all of its lanes.
    static HWY_INLINE V broadcast(const float* row, size_t i) { return spread(row + i * instances); }

    /// The sum over the lanes of each instance, in all of them.
    static HWY_INLINE V sum_channels(V v) {
#if HWY_TARGET != HWY_SCALAR
        v = hn::Add(v, hn::Shuffle1032(v));
        if constexpr (instances == 1) v = hn::Add(v, hn::Shuffle2301(v));
        if constexpr (lanes >= 8) v = hn::Add(v, hn::SwapAdjacentBlocks(v));
        if constexpr (lanes >= 16) v = hn::Add(v, hn::ReverseBlocks(d, v));
#endif
        return v;
    }

    /// One value per instance out of what sum_channels() gives.
    static HWY_INLINE void store_instances(V v, float* values) {
        values[0] = hn::GetLane(v);
        if constexpr (instances == 2) values[1] = hn::ExtractLane(v, 1);
    }
};

/// finish(row, column, sum) for `vectors` vectors of outputs of W in[row], row < rows. `chains` (1, 2 or 4)
/// of multiply-adds take turns with the inputs, so that a single sample does not wait for one long chain.
template <size_t rows, size_t vectors, size_t chains, class S, class Finish>
HWY_INLINE void multiply_tile(S, const float* weight, size_t weight_stride, size_t n_in, const float* in, size_t in_stride,
                              Finish finish) {
    using V = typename S::V;
    constexpr typename S::D d{};
    V sum[chains][rows][vectors];
    const auto add_input = [&](size_t i, size_t chain, bool begin) HWY_ATTR {
        V w[vectors];
        for (size_t v = 0; v < vectors; ++v) w[v] = hn::Load(d, weight + i * weight_stride + v * S::lanes);
        for (size_t row = 0; row < rows; ++row) {
            const V value = S::broadcast(in + row * in_stride, i);
            for (size_t v = 0; v < vectors; ++v) {
                V& place = sum[chain][row][v];
                place = begin ? hn::Mul(w[v], value) : hn::MulAdd(w[v], value, place);
            }
        }
    };
    size_t i = 0;
    for (; i < chains && i < n_in; ++i) add_input(i, i, true);
    for (size_t chain = i; chain < chains; ++chain)  // fewer inputs than chains
        for (size_t row = 0; row < rows; ++row)
            for (size_t v = 0; v < vectors; ++v) sum[chain][row][v] = hn::Zero(d);
    for (; i + chains <= n_in; i += chains)
        for (size_t chain = 0; chain < chains; ++chain) add_input(i + chain, chain, false);
    for (size_t chain = 0; i < n_in; ++i, ++chain) add_input(i, chain, false);
    for (size_t row = 0; row < rows; ++row)
        for (size_t v = 0; v < vectors; ++v) {
            V total = sum[0][row][v];
            if constexpr (chains >= 2) total = hn::Add(total, sum[1][row][v]);
            if constexpr (chains == 4) total = hn::Add(total, hn::Add(sum[2][row][v], sum[3][row][v]));
            finish(row, v * S::lanes, total);
        }
}

template <size_t rows, size_t chains, class S, class Finish>
HWY_INLINE void multiply_rows(S s, const float* weight, size_t out_stride, size_t n_in, const float* in, size_t in_stride,
                              Finish finish) {
    size_t first = 0;
    for (; first + 2 * S::lanes <= out_stride; first += 2 * S::lanes)
        multiply_tile<rows, 2, chains>(s, weight + first, out_stride, n_in, in, in_stride,
                                       [&](size_t row, size_t column, auto sum) HWY_ATTR { finish(row, first + column, sum); });
    if (first < out_stride)
        multiply_tile<rows, 1, chains>(s, weight + first, out_stride, n_in, in, in_stride,
                                       [&](size_t row, size_t column, auto sum) HWY_ATTR { finish(row, first + column, sum); });
}

/// finish(t, column, W in[t]) for all n samples and every vector of out_stride outputs. Weights are read once for four
/// samples.
template <size_t chains, class S, class Count, class Finish>
HWY_INLINE void multiply(S s, const float* weight, size_t out_stride, size_t n_in, const float* in, size_t in_stride,
                         Count n, Finish finish) {
    constexpr size_t tile = 4;
    size_t t = 0;
    for (; t + tile <= n; t += tile)
        multiply_rows<tile, chains>(s, weight, out_stride, n_in, in + t * in_stride, in_stride,
                                    [&](size_t row, size_t column, auto sum) HWY_ATTR { finish(t + row, column, sum); });
    for (; t < n; ++t)
        multiply_rows<1, chains>(s, weight, out_stride, n_in, in + t * in_stride, in_stride,
                                 [&](size_t, size_t column, auto sum) HWY_ATTR { finish(t, column, sum); });
}

} // namespace
} // namespace serpent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
