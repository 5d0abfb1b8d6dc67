// SPDX-License-Identifier: MIT
// Operators of a team over signals with time innermost: row c of channel c, so that neighbouring threads touch neighbouring
// samples. Any width. None of them calls sync(): whoever chains them does, between writing and reading.
//
// Error     float32, (terms + 1) roundings of a sum; the functions of math.h.
// Source    the plain forms of the same names in kernels/equations.
#pragma once

#include "equations/rms_norm.h"
#include "gpu/group.h"
#include "gpu/math.h"

#include <type_traits>

namespace serpent::kernels::gpu {

using Index = std::int64_t;

/// Row c begins at data + c * stride.
template <class T>
struct RowsOf {
    T* data;
    Index stride;
    SERPENT_HD T& operator()(Index row, Index t) const { return data[row * stride + t]; }
    SERPENT_HD RowsOf from(Index row) const { return {data + row * stride, stride}; }
    template <class Const = const T>
        requires(!std::is_const_v<T>)
    SERPENT_HD operator RowsOf<Const>() const {
        return {data, stride};
    }
};
using Rows = RowsOf<float>;
using ConstRows = RowsOf<const float>;

/// function(row, t) for every row and sample.
template <class Team, class Function>
SERPENT_HD void each_sample(const Team& team, int rows, Index steps, const Function& function) {
    const auto count = static_cast<std::uint32_t>(rows * steps), length = static_cast<std::uint32_t>(steps);
    for (std::uint32_t i = static_cast<std::uint32_t>(team.rank()); i < count; i += static_cast<std::uint32_t>(team.size()))
        function(static_cast<int>(i / length), static_cast<Index>(i % length));
}

template <class Team, class Function>
SERPENT_HD void each_item(const Team& team, Index count, const Function& function) {
    for (Index i = team.rank(); i < count; i += team.size()) function(i);
}

/// Weight of output o and input i at w[o * w_out + i * w_in]; the transpose needs no copy.
struct LinearMap {
    const float* w;
    const float* bias;  ///< may be null
    int in, out, w_out, w_in;
};
SERPENT_HD inline LinearMap linear_map(const float* w, const float* bias, int in, int out) { return {w, bias, in, out, in, 1}; }
SERPENT_HD inline LinearMap transposed_map(const float* w, int in, int out) { return {w, nullptr, out, in, 1, in}; }

/// y = W x + bias; with kAdd, y += W x + bias. Four outputs at a time share what they read.
template <bool kAdd, class Team>
SERPENT_HD void linear(const Team& team, const LinearMap& map, Index steps, ConstRows x, Rows y) {
    each_sample(team, (map.out + 3) / 4, steps, [&](int block, Index t) {
        const int first = block * 4, last = map.out - 1;
        float sum[4] = {0, 0, 0, 0};
        const float* w[4];
        for (int k = 0; k < 4; ++k) {
            const int o = first + k < last ? first + k : last;
            w[k] = map.w + o * map.w_out;
            if (map.bias) sum[k] = map.bias[o];
        }
        for (int i = 0; i < map.in; ++i) {
            const float value = x(i, t);
            for (int k = 0; k < 4; ++k) sum[k] = fused(w[k][i * map.w_in], value, sum[k]);
        }
        for (int k = 0; k < 4; ++k)
            if (first + k <= last) y(first + k, t) = kAdd ? y(first + k, t) + sum[k] : sum[k];
    });
}

/// Sums over time are cut into so many interleaved parts (t = part, part + sum_parts, ...), added up in order.
inline constexpr int sum_parts = 32;

/// partial[item][part] = sum over the part's samples of value(item, t).
template <class Team, class Value>
SERPENT_HD void sum_in_parts(const Team& team, Index items, Index steps, float* partial, const Value& value) {
    each_item(team, items * sum_parts, [&](Index i) {
        const Index item = i / sum_parts;
        float sum = 0.0f;
        for (Index t = i % sum_parts; t < steps; t += sum_parts) sum += value(item, t);
        partial[i] = sum;
    });
}

SERPENT_HD inline float sum_of_parts(const float* partial, Index item) {
    float sum = 0.0f;
    for (int part = 0; part < sum_parts; ++part) sum += partial[item * sum_parts + part];
    return sum;
}

/// dw[o][i] = sum_t dy[o][t] x[i][t], dbias[o] = sum_t dy[o][t] (dbias may be null). partial: (in + 1) out sum_parts floats.
/// Two halves with a sync() of the caller's between them.
template <class Team>
SERPENT_HD void linear_gradient_parts(const Team& team, int in, int out, Index steps, ConstRows dy, ConstRows x, float* partial) {
    const int blocks = in / 4 + 1;  // the last block: what is left of the inputs, and the bias
    each_item(team, Index{out} * blocks * sum_parts, [&](Index i) {
        const int part = static_cast<int>(i % sum_parts), block = static_cast<int>(i / sum_parts % blocks);
        const int o = static_cast<int>(i / sum_parts / blocks), first = block * 4;
        const int inputs = in - first < 4 ? in - first : 4;
        float sum[4] = {0, 0, 0, 0};
        for (Index t = part; t < steps; t += sum_parts) {
            const float g = dy(o, t);
            for (int k = 0; k < 4; ++k) {
                const float value = k < inputs ? x(first + k, t) : 1.0f;
                sum[k] = fused(g, value, sum[k]);
            }
        }
        for (int k = 0; k < 4 && first + k <= in; ++k) partial[(Index{o} * (in + 1) + first + k) * sum_parts + part] = sum[k];
    });
}

template <class Team>
SERPENT_HD void linear_gradient_sums(const Team& team, int in, int out, const float* partial, float* dw, float* dbias) {
    each_item(team, Index{out} * (in + 1), [&](Index i) {
        const Index o = i / (in + 1), k = i % (in + 1);
        if (k < in) dw[o * in + k] = sum_of_parts(partial, i);
        else if (dbias) dbias[o] = sum_of_parts(partial, i);
    });
}

/// u = e r w * scale + shift with r = 1 / rms; scale and shift may be null. r: (steps).
template <class Team>
SERPENT_HD void rms_norm(const Team& team, int channels, Index steps, const float* w, const float* scale, const float* shift,
                         ConstRows e, Rows u, float* r) {
    each_item(team, steps, [&](Index t) {
        float sum = 0.0f;
        for (int c = 0; c < channels; ++c) sum = fused(e(c, t), e(c, t), sum);
        const float inverse = inverse_sqrt(sum / static_cast<float>(channels) + static_cast<float>(equations::rms_norm_eps));
        r[t] = inverse;
        for (int c = 0; c < channels; ++c) {
            const float v = e(c, t) * inverse * w[c];
            u(c, t) = scale ? fused(v, scale[c], shift[c]) : v;
        }
    });
}

/// Adds to de.
template <class Team>
SERPENT_HD void rms_norm_backward(const Team& team, int channels, Index steps, const float* w, const float* scale, ConstRows e,
                                  const float* r, ConstRows du, Rows de) {
    each_item(team, steps, [&](Index t) {
        const float inverse = r[t];
        float projection = 0.0f;
        const auto slope = [&](int c) { return du(c, t) * w[c] * (scale ? scale[c] : 1.0f); };
        for (int c = 0; c < channels; ++c) projection = fused(slope(c), e(c, t), projection);
        projection *= inverse * inverse * inverse / static_cast<float>(channels);
        for (int c = 0; c < channels; ++c) de(c, t) += inverse * slope(c) - projection * e(c, t);
    });
}

/// The input of a convolution over time: rows, of which `before` samples lie in front of the first, and what was still before
/// those: a history of `history_samples`, [history_samples][channels], oldest first.
struct ConvInput {
    ConstRows x;
    const float* history;
    int channels, taps, dilation;
    Index before = 0;

    SERPENT_HD int history_samples() const { return (taps - 1) * dilation; }
    SERPENT_HD float operator()(int c, Index t) const {
        return t >= -before ? x(c, t) : history[(history_samples() + t + before) * channels + c];
    }
    /// What tap k sees at time t.
    SERPENT_HD float tap(int c, Index t, int k) const { return (*this)(c, t - Index{taps - 1 - k} * dilation); }
};

/// y[c][t] = bias[c] + sum_k w[c][k] x[c][t - (taps - 1 - k) dilation], then s = silu(y).
template <class Team>
SERPENT_HD void conv_silu(const Team& team, Index steps, const float* w, const float* bias, const ConvInput& x, Rows y, Rows s) {
    each_sample(team, x.channels, steps, [&](int c, Index t) {
        float sum = bias[c];
        for (int k = 0; k < x.taps; ++k) sum = fused(w[c * x.taps + k], x.tap(c, t, k), sum);
        y(c, t) = sum;
        s(c, t) = silu(sum);
    });
}

/// dx of a convolution whose output's later samples, beyond steps, have no gradient.
template <class Team>
SERPENT_HD void conv_backward(const Team& team, int channels, int taps, int dilation, Index steps, const float* w, ConstRows dy, Rows dx) {
    each_sample(team, channels, steps, [&](int c, Index t) {
        float sum = 0.0f;
        for (int k = 0; k < taps; ++k) {
            const Index later = t + Index{taps - 1 - k} * dilation;
            if (later < steps) sum = fused(w[c * taps + k], dy(c, later), sum);
        }
        dx(c, t) = sum;
    });
}

/// The history behind sample `steps`. history_out may not be the input's.
template <class Team>
SERPENT_HD void advance_history(const Team& team, Index steps, const ConvInput& x, float* history_out) {
    each_item(team, Index{x.history_samples()} * x.channels, [&](Index i) {
        const int k = static_cast<int>(i / x.channels), c = static_cast<int>(i % x.channels);
        history_out[i] = x(c, steps - x.history_samples() + k);
    });
}

} // namespace serpent::kernels::gpu
