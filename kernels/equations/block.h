// SPDX-License-Identifier: MIT
// One Mamba block, forward and backward, composed of the operators of this folder:
//
//   x, z     = split(in_proj . u)            dt, B, C = split(x_proj . x)
//   x        = silu(conv1d(x))               dt       = softplus(dt_proj . dt + dt_proj_bias)
//   y        = selective_scan(x, dt, -exp(A_log), B, C, D)            or rotating_scan, with the angles A_imag
//   out      = out_proj . (y silu(z))
//
// Shapes    u, out (length, d_model); weights as in core's LayerWeights; state: the last taps - 1 inputs of the
//           convolution (history, d_inner), and h (d_inner, d_state).
// Aliasing  none.
// Source    Gu and Dao, "Mamba" (2023), figure 3; the Mamba module of the public PyTorch implementation.
#pragma once

#include "equations/activations.h"
#include "equations/conv1d.h"
#include "equations/gate.h"
#include "equations/linear.h"
#include "equations/rotating_scan.h"
#include "equations/selective_scan.h"
#include "serpent/kernels/block.h"

#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <vector>

namespace serpent::equations {

struct BlockShape {
    std::size_t length, d_model, d_inner, d_state, d_conv, dt_rank;
    bool tied = false;
    InputRule rule = InputRule::euler;
    std::size_t dilation = 1;
    bool rotating = false;
    double step_ratio = 1;

    /// Throws std::invalid_argument for a kind of block that is another one's file: time_invariant_scan.h.
    static BlockShape of(const kernels::BlockShape& b, std::size_t length) {
        if (b.kind == kernels::BlockKind::time_invariant) throw std::invalid_argument("block() is selective or rotating");
        const auto size = [](int n) { return static_cast<std::size_t>(n); };
        return {length, size(b.d_model), size(b.d_inner), size(b.d_state), size(b.d_conv), size(b.dt_rank), b.tied,
                b.ema ? InputRule::ema : InputRule::euler, size(b.dilation), b.kind == kernels::BlockKind::rotating, double(b.step_ratio)};
    }

    std::size_t x_proj_rows() const { return dt_rank + 2 * d_state; }
    std::size_t decays() const { return tied ? d_inner : d_inner * (rotating ? d_state / 2 : d_state); }
    LinearShape in_proj() const { return {length, d_model, 2 * d_inner}; }
    ConvShape conv() const { return {length, d_inner, d_conv, dilation}; }
    LinearShape x_proj() const { return {length, d_inner, x_proj_rows()}; }
    LinearShape dt_proj() const { return {length, dt_rank, d_inner}; }
    ScanShape scan() const { return {length, d_inner, d_state, tied, rule}; }
    RotatingShape rotation() const { return {length, d_inner, d_state / 2, tied, step_ratio}; }
    LinearShape out_proj() const { return {length, d_inner, d_model}; }
};

/// P: T const for the parameters, T for their gradients. The three biases of in_proj, x_proj and out_proj may be null,
/// and so may any gradient.
template <class P>
using BlockParameters = kernels::BlockFields<P*>;

/// Start or end state, or the gradient with respect to one. Null: zeros on the way in, not wanted on the way out.
template <class P>
struct BlockState {
    P* conv = nullptr;
    P* h = nullptr;
};

/// What the forward pass leaves for the backward pass.
template <class T>
struct BlockTape {
    std::vector<T> x_in, z, x_conv, x, dt_low, B, C, dt_raw, dt, A, y, gated;
};

/// Columns [first, first + width) of (length, stride).
template <class T>
std::vector<T> take_columns(const std::vector<T>& from, std::size_t stride, std::size_t first, std::size_t width) {
    const std::size_t length = stride ? from.size() / stride : 0;
    std::vector<T> columns(length * width);
    for (std::size_t t = 0; t < length; ++t)
        for (std::size_t i = 0; i < width; ++i)
            columns[t * width + i] = from[t * stride + first + i];
    return columns;
}

template <class T>
void put_columns(const std::vector<T>& columns, std::size_t width, std::size_t first, std::size_t stride,
                 std::vector<T>& into) {
    const std::size_t length = width ? columns.size() / width : 0;
    for (std::size_t t = 0; t < length; ++t)
        for (std::size_t i = 0; i < width; ++i)
            into[t * stride + first + i] = columns[t * width + i];
}

template <class T>
std::vector<T> decays_from_log(std::size_t n, const T* A_log) {
    std::vector<T> A(n);
    for (std::size_t i = 0; i < n; ++i)
        A[i] = -std::exp(A_log[i]);
    return A;
}

template <class T>
BlockTape<T> block(const BlockShape& shape, const T* u, const BlockParameters<const T>& p,
                   const BlockState<const T>& start, T* out, const BlockState<T>& end) {
    const std::size_t L = shape.length, d = shape.d_inner, N = shape.d_state, R = shape.dt_rank;
    BlockTape<T> tape;
    std::vector<T> xz(L * 2 * d), dt_B_C(L * shape.x_proj_rows());
    tape.x_conv.resize(L * d), tape.x.resize(L * d), tape.dt_raw.resize(L * d), tape.dt.resize(L * d);
    tape.y.resize(L * d), tape.gated.resize(L * d);

    linear(shape.in_proj(), u, p.in_proj, p.in_proj_bias, xz.data());
    tape.x_in = take_columns(xz, 2 * d, 0, d);
    tape.z = take_columns(xz, 2 * d, d, d);
    conv1d(shape.conv(), tape.x_in.data(), p.conv_weight, p.conv_bias, start.conv, tape.x_conv.data(), end.conv);
    silu(L * d, tape.x_conv.data(), tape.x.data());

    linear(shape.x_proj(), tape.x.data(), p.x_proj, p.x_proj_bias, dt_B_C.data());
    tape.dt_low = take_columns(dt_B_C, shape.x_proj_rows(), 0, R);
    tape.B = take_columns(dt_B_C, shape.x_proj_rows(), R, N);
    tape.C = take_columns(dt_B_C, shape.x_proj_rows(), R + N, N);
    linear(shape.dt_proj(), tape.dt_low.data(), p.dt_proj, p.dt_proj_bias, tape.dt_raw.data());
    softplus(L * d, tape.dt_raw.data(), tape.dt.data());

    tape.A = decays_from_log(shape.decays(), p.A_log);
    if (shape.rotating) {
        const RotatingInputs<T> scan{tape.x.data(), tape.dt.data(), tape.A.data(), p.A_imag, tape.B.data(), tape.C.data(), p.D, start.h};
        rotating_scan(shape.rotation(), scan, tape.y.data(), end.h);
    } else {
        const ScanInputs<T> scan{tape.x.data(), tape.dt.data(), tape.A.data(), tape.B.data(), tape.C.data(), p.D, start.h};
        selective_scan(shape.scan(), scan, tape.y.data(), end.h);
    }
    gate(L * d, tape.y.data(), tape.z.data(), tape.gated.data());
    linear(shape.out_proj(), tape.gated.data(), p.out_proj, p.out_proj_bias, out);
    return tape;
}

/// Gradients of the part from x_proj to the scan's output, whose gradient is dy. Adds to dx (length, d_inner).
template <class T>
void block_scan_backward(const BlockShape& shape, const BlockParameters<const T>& p, const BlockTape<T>& tape,
                         const T* h_start, const T* dy, const T* dh_end, T* dx, T* dh_start,
                         const BlockParameters<T>& gradients) {
    const std::size_t L = shape.length, d = shape.d_inner, N = shape.d_state, R = shape.dt_rank;
    std::vector<T> ddt(L * d), dA(shape.decays()), dB(L * N), dC(L * N);
    if (shape.rotating) {
        const RotatingInputs<T> scan{tape.x.data(), tape.dt.data(), tape.A.data(), p.A_imag, tape.B.data(), tape.C.data(), p.D, h_start};
        rotating_scan_backward<T>(shape.rotation(), scan, dy, dh_end,
                                  {dx, ddt.data(), dA.data(), gradients.A_imag, dB.data(), dC.data(), gradients.D, dh_start});
    } else {
        const ScanInputs<T> scan{tape.x.data(), tape.dt.data(), tape.A.data(), tape.B.data(), tape.C.data(), p.D, h_start};
        selective_scan_backward<T>(shape.scan(), scan, dy, dh_end,
                                   {dx, ddt.data(), dA.data(), dB.data(), dC.data(), gradients.D, dh_start});
    }
    for (std::size_t i = 0; gradients.A_log && i < dA.size(); ++i)
        gradients.A_log[i] += dA[i] * tape.A[i]; // A = -exp(A_log) is its own derivative

    std::vector<T> ddt_raw(L * d), ddt_low(L * R), ddt_B_C(L * shape.x_proj_rows());
    softplus_backward(L * d, tape.dt_raw.data(), ddt.data(), ddt_raw.data());
    linear_backward(shape.dt_proj(), tape.dt_low.data(), p.dt_proj, ddt_raw.data(), ddt_low.data(), gradients.dt_proj,
                    gradients.dt_proj_bias);
    put_columns(ddt_low, R, 0, shape.x_proj_rows(), ddt_B_C);
    put_columns(dB, N, R, shape.x_proj_rows(), ddt_B_C);
    put_columns(dC, N, R + N, shape.x_proj_rows(), ddt_B_C);
    linear_backward(shape.x_proj(), tape.x.data(), p.x_proj, ddt_B_C.data(), dx, gradients.x_proj,
                    gradients.x_proj_bias);
}

/// dend: gradient with respect to the end state. Adds to du, to dstart and to the gradients of the parameters.
template <class T>
void block_backward(const BlockShape& shape, const T* u, const BlockParameters<const T>& p, const BlockTape<T>& tape,
                    const BlockState<const T>& start, const T* dout, const BlockState<const T>& dend, T* du,
                    const BlockState<T>& dstart, const BlockParameters<T>& gradients) {
    const std::size_t L = shape.length, d = shape.d_inner;
    std::vector<T> dgated(L * d), dy(L * d), dz(L * d), dx(L * d), dx_conv(L * d), dx_in(L * d), dxz(L * 2 * d);
    linear_backward(shape.out_proj(), tape.gated.data(), p.out_proj, dout, dgated.data(), gradients.out_proj,
                    gradients.out_proj_bias);
    gate_backward(L * d, tape.y.data(), tape.z.data(), dgated.data(), dy.data(), dz.data());
    block_scan_backward(shape, p, tape, start.h, dy.data(), dend.h, dx.data(), dstart.h, gradients);
    silu_backward(L * d, tape.x_conv.data(), dx.data(), dx_conv.data());
    conv1d_backward<T>(shape.conv(), tape.x_in.data(), p.conv_weight, start.conv, dx_conv.data(), dend.conv,
                       {dx_in.data(), gradients.conv_weight, gradients.conv_bias, dstart.conv});
    put_columns(dx_in, d, 0, 2 * d, dxz);
    put_columns(dz, d, d, 2 * d, dxz);
    linear_backward(shape.in_proj(), u, p.in_proj, dxz.data(), du, gradients.in_proj, gradients.in_proj_bias);
}

} // namespace serpent::equations
