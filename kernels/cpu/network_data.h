// SPDX-License-Identifier: MIT
// What the network engine's code for every ISA shares: signals in rows of channels, and steps.
#pragma once

#include "serpent/kernels/network.h"

#include <cstddef>

namespace serpent::kernels {

/// Floats of a row. Rows of up to four channels fill one 128-bit vector, others whole ones of eight.
constexpr std::size_t net_stride(std::size_t channels) { return channels <= 4 ? 4 : (channels + 7) / 8 * 8; }

/// A signal: `ring` rows that repeat in the net_block rows after them, so that any block that begins in the ring is in one piece. The
/// next block goes to row `at`. Without a past, ring is 0 and so is `at`.
struct NetRows {
    float* rows = nullptr;
    std::size_t channels = 0, stride = 0, past = 0, ring = 0, at = 0;
    bool halves = false;

    float* now() const noexcept { return rows + at * stride; }
    const float* before(std::size_t samples) const noexcept {
        return rows + (at >= samples ? at - samples : at + ring - samples) * stride;
    }
    /// Where a channel lies in a row.
    std::size_t lane(std::size_t c) const noexcept { return halves && c >= channels / 2 ? stride / 2 + c - channels / 2 : c; }
};

struct NetCurve {
    NetFunctionKind kind = NetFunctionKind::identity;
    float low = 0, high = 0, low_slope = 0, high_slope = 0, slope = 0;
    const float* slopes = nullptr;  // one per lane of a row, aligned, where they differ
};

struct NetLstm {
    std::size_t hidden = 0, stride = 0;                  // of a row of hidden values
    float *h = nullptr, *c = nullptr, *c_low = nullptr;  // [stride]; c_low: what rounding left out of c
    float* gates = nullptr;                              // [4][stride]
    const float *first_h = nullptr, *first_c = nullptr;
};

/// The past of a filter's input, in front of what comes: at least `padded` floats, then net_block.
struct NetFir {
    std::size_t taps = 0, padded = 0, at = 0, size = 0;
    float *signal = nullptr, *answer = nullptr;
    void (*filter)(std::size_t padded, const float* packed, const float* x, float* y, std::size_t n) = nullptr;
};

struct NetStep {
    using Run = void (*)(const NetStep&, std::size_t n);
    Run run = nullptr;
    NetOpKind kind = NetOpKind::activate;
    NetRows *in = nullptr, *out = nullptr, *side = nullptr, *plus = nullptr;
    NetRows *sum = nullptr, *sum_from = nullptr, *scale = nullptr, *shift = nullptr;
    std::size_t kernel = 1, dilation = 1;
    bool dot = false;                // one channel comes out: lanes are those of the input
    bool leaky = false;              // a convolution that ends with a leaky_relu, or a sum; other functions are steps of their own
    bool repeat_out = false, repeat_sum = false;  // nothing more is added to their rows: they repeat now
    const float* weight = nullptr;   // packed for the step's code
    float bias = 0;                  // of a dot or a filter
    NetCurve f, g;
    NetLstm* lstm = nullptr;
    NetFir* fir = nullptr;
};

/// How a convolution's weights lie: for every `width` lanes of a row of out: bias, slopes where `leaky`, then side [side
/// channels][width], then [kernel][in channels][width]. A dot's: [kernel][stride of in].
struct NetConvCode {
    NetStep::Run run;
    std::size_t width;
};

struct NetOps {
    Isa isa;
    NetConvCode (*convolution)(const NetStep&);  // never a dot
    NetStep::Run dot, gate, modulate, activate, lstm, fir;  // gate: and blend
};

/// Throws std::invalid_argument when `isa` is not available.
const NetOps& net_ops_for(Isa isa);

} // namespace serpent::kernels
