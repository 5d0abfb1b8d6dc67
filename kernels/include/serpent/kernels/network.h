// SPDX-License-Identifier: MIT
// Feed-forward and LSTM networks, played live: any block size, no look-ahead, no allocation. A network is data: signals, and
// operators that make one signal of others, in the order in which they run. Convolutions reach back in time, so that a signal
// which one of them reads keeps as much of its past.
//
//   convolve  out[o] = f(bias[o] + sum_{i,k} weight[o][i][k] in[i][t - (kernel - 1 - k) dilation] + sum_j side_weight[o][j] side[j]
//                     + plus[o]);   where `sum` is set: sum = sum_from + out
//   gate      out = f(first half of in) g(second half)
//   blend     a = g(second half);  out = a f(first half) + (1 - a) first half;   both: `sum` as above, and in is spoiled
//   modulate  out = scale in + shift
//   activate  out = f(in);   `sum` as above
//   lstm      i, f, g, o = weight (in, h) + bias;  c = s(f) c + s(i) tanh(g);  h = s(o) tanh(c);  out = h;  s(x) = 1 / (1 + exp(-x))
//   fir       out[0] = bias[0] + sum_k weight[k] in[0][t - k]
//
// Channels lie in SIMD lanes. Up to net_block samples pass operator by operator, and every sample sees the same arithmetic in the
// same order however the signal is cut into blocks, so all cuts give the same bits on one ISA.
//
// Error   of the functions 4 ulp, of sums that of float32 in two chains; whole captures of 20 to 23 layers stay within 1e-6 rms and
//         1e-5 maximum of float64, relative to the rms of the output.
#pragma once

#include "serpent/kernels/isa.h"

#include <cstddef>
#include <memory>
#include <vector>

namespace serpent::kernels {

/// Most samples of one NetEngine::process() call.
inline constexpr int net_block = 64;

enum class NetFunctionKind {
    identity, tanh, hard_tanh, fast_tanh, relu, leaky_relu, sigmoid, silu, hard_swish, leaky_hard_tanh, softsign, softsigmoid
};

/// fast_tanh is a quotient of polynomials that the public player calls so. hard_tanh and leaky_hard_tanh use low and high,
/// leaky_hard_tanh the slopes beyond them; leaky_relu the slope below 0, or slopes, one for each channel, where there are any.
struct NetFunction {
    NetFunctionKind kind = NetFunctionKind::identity;
    float low = -1.0f, high = 1.0f, low_slope = 0.01f, high_slope = 0.01f, slope = 0.01f;
    std::vector<float> slopes;
};

/// `halves`: what a gate reads, its channels in two halves that the engine keeps apart.
struct NetSignal {
    int channels = 1;
    bool halves = false;
};

enum class NetOpKind { convolve, gate, blend, modulate, activate, lstm, fir };

/// One operator; signals are given by their number, -1: none. What a kind does not use is left out.
struct NetOp {
    NetOpKind kind = NetOpKind::activate;
    int in = -1, out = -1, side = -1, plus = -1;
    int sum = -1, sum_from = -1;
    int scale = -1, shift = -1;          ///< modulate
    int kernel = 1, dilation = 1;
    std::vector<float> weight;           ///< convolve (out, in, kernel); lstm (4 hidden, in + hidden); fir (taps)
    std::vector<float> bias;             ///< convolve (out) or empty; lstm (4 hidden); fir (1)
    std::vector<float> side_weight;      ///< (out, side)
    NetFunction f, g;
    std::vector<float> h, c;             ///< lstm: where it starts
};

struct Network {
    std::vector<NetSignal> signals;
    std::vector<NetOp> ops;
    int input = 0, output = 0;           ///< signals
    int settling = 0;                    ///< samples of silence after which a network with an lstm counts as settled
};

struct NetOptions {
    Isa isa = default_isa();
};

/// One network on one sequence; starts settled: as after silence without end. One thread at a time. Only the constructor and state()
/// allocate.
class NetEngine {
public:
    /// Throws std::invalid_argument when the ISA is not available or an operator is not one that runs (sizes that do not fit, a
    /// signal that is read before it is made).
    explicit NetEngine(const Network& network, const NetOptions& options = {});
    ~NetEngine();
    NetEngine(NetEngine&&) noexcept;
    NetEngine& operator=(NetEngine&&) noexcept;

    int in_channels() const noexcept;
    int out_channels() const noexcept;

    /// Samples [first, first + n) of in[c] to those of out[c]; 0 <= n <= net_block; in and out may be the same. NaN and Inf in the
    /// input count as 0. False when the answer was not finite all the same: then those n samples are 0, and it must be reset.
    [[nodiscard]] bool process(const float* const* in, float* const* out, int first, int n) noexcept;

    /// As after silence without end (with an lstm: after `settling` samples of it).
    void settle() noexcept;
    /// All histories zero, an lstm where its weights say.
    void clear() noexcept;

    /// Floats of a state, and all of them: the same on every ISA.
    std::size_t state_size() const noexcept;
    void get_state(float* to) const noexcept;
    void set_state(const float* from) noexcept;

    Isa isa() const noexcept;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace serpent::kernels
