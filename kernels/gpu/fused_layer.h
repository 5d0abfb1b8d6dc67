// SPDX-License-Identifier: MIT
// One layer of a model over one chunk of time, from the residual stream to the residual stream, by a group of threads: thread c
// is channel c, with its states in registers and its share of the weights there or in memory.
//
//   phase 1  fused_scan.h    from h = 0: what the scan answers, the chunk's end state and its sum of dt;
//            fused_block.h   then each chunk's start state within its block of chunks, and the block's end state and sum of dt
//   phase 2  carry.h         the blocks' true start states
//   phase 3  fused_output.h  e + block(norm(e)). The scan is linear in its state: of the true start state h0 phase 1's answer
//                            lacks only sum_n C_n exp(A_n sum dt) h0_n, so that the states need not be walked again. This exp is
//                            the hardware's: nothing amplifies its error.
//
// The first layer computes e from the signal, the last one decodes it: what is before and behind the layers costs no pass of its own.
//
// Time goes in tiles of 4 samples, or 8 for wide layers. What is one number to a sample and width, as e is, is spread over all threads:
// Shape::sample_threads of them hold one sample's. Phase 1 leaves to phase 3 the scan's answers y and what is cheaper to read than to
// compute again: C and dt's row of x_proj.
// Shapes    e (length, d_model); states (chunks, d_inner, d_state); dt_before (chunks, d_inner); block_* the same per block;
//           history (3, d_inner), oldest first; y (length / 4, d_inner, 4), in whole tiles; rows (tiles, Shape::row_floats): C
//           (tile_steps, d_state), then dt's row of x_proj (tile_steps)
// Aliasing  e_out may not be e_in, nor history_out history_in: other chunks still read them. out may be in.
// Limits    d_conv 4, dt_rank 1, d_model <= d_inner <= 32, d_model a power of two, d_state a multiple of 4; chunks a multiple of
//           Shape::tile_steps samples.
// Source    docs/architecture.md, "GPU"; kernels/equations/selective_scan_chunked.h is the plain form.
#pragma once

#include "equations/scan_step.h"
#include "gpu/group.h"
#include "gpu/math.h"

namespace serpent::kernels::gpu {

constexpr int power_of_two_from(int n) {
    int p = 1;
    while (p < n) p *= 2;
    return p;
}

/// kComplex: a rotating layer, whose states are pairs; d_state counts their parts. kFromMemory: the convolution's inputs come from
/// memory, and may be dilated (fused_dilated.h).
template <int kDModel, int kDInner, int kDState, bool kTiedDecay, bool kEmaRule, bool kComplex = false, bool kFromMemory = kComplex>
struct FusedShape {
    static constexpr int model = kDModel, inner = kDInner, state = kDState, conv = 4;
    static constexpr bool tied = kTiedDecay, by_matrix = false, rotating = kComplex, dilated = kFromMemory;
    static constexpr int pairs = kComplex ? kDState / 2 : 0;
    static_assert(!kComplex || (kFromMemory && !kEmaRule));
    static constexpr equations::InputRule rule = kEmaRule ? equations::InputRule::ema : equations::InputRule::euler;
    static constexpr int threads = power_of_two_from(kDInner);
    static constexpr int decays = kTiedDecay ? 1 : kComplex ? kDState / 2 : kDState;
    static constexpr int rows = (2 * kDState + threads - 1) / threads;    ///< outputs of x_proj (B, C) per thread
    static constexpr int parts = threads / kDModel;                     ///< threads that share one output of out_proj
    static constexpr int part = (kDInner + parts - 1) / parts;        ///< channels each of them adds up
    static_assert(kDInner % 4 == 0 && part % 4 == 0 && kDState % 4 == 0 && kDModel <= threads && threads <= 32);

    static constexpr int tile_steps = threads >= 16 ? 8 : 4;
    static constexpr int sample_threads = threads / tile_steps;           ///< threads that share one sample of a tile
    static constexpr int share = kDModel / sample_threads;              ///< values of e each of them holds
    static_assert(kDModel == power_of_two_from(kDModel) && share >= 1 && share <= 4);

    /// Whether a thread keeps its rows of the projections in registers, or for want of them reads them from memory at every tile.
    static constexpr bool keeps_weights = threads < 32 && kDState <= 4;

    static constexpr int y_floats = tile_steps * kDInner;             ///< of a tile
    static constexpr int row_floats = tile_steps * (kDState + 1);
    static constexpr int dt_rows_at = tile_steps * kDState;           ///< in a row
    static constexpr int columns = kDInner * kDState;

    // Places of a thread's weights, in units of `threads` floats. Those of the projections lie in fours (ThreadRow).
    static constexpr int norm = 0, shift = norm + share, in_x = shift + share, in_z = in_x + model, in_x_bias = in_z + model,
                         in_z_bias = in_x_bias + 1, conv_weight = in_z_bias + 1, conv_bias = conv_weight + conv,
                         proj = conv_bias + 1, proj_bias = proj + rows * inner, dt_row = proj_bias + rows,
                         dt_row_bias = dt_row + tile_steps, dt_scale = dt_row_bias + 1, dt_bias = dt_scale + 1, rate = dt_bias + 1,
                         skip = rate + decays, out = skip + 1, out_bias = out + part, turn = out_bias + share, angle = turn + 2 * pairs,
                         weights = angle + pairs;  // turn: t of every pair, then s
};

/// Whether layers of the two may follow one another: the same chunks, tiles and memory; and where phase 3 of one computes x_in of the
/// other, it finds that one's weights where it has its own.
template <class A, class B>
constexpr bool fused_together() {
    bool together = A::dilated == B::dilated && A::model == B::model && A::inner == B::inner && A::threads == B::threads &&
                    A::tile_steps == B::tile_steps && A::y_floats == B::y_floats && A::row_floats == B::row_floats &&
                    A::columns == B::columns;
    if constexpr (A::dilated)
        together = together && A::norm == B::norm && A::shift == B::shift && A::share == B::share && A::in_x == B::in_x &&
                   A::in_x_bias == B::in_x_bias && A::keeps_weights == B::keeps_weights;
    return together;
}

/// Floats of a group's tile of shared memory: so many that neighbouring groups of a warp meet in other banks.
template <class Shape>
constexpr int padded_tile(int floats) {
    while (Shape::threads < 32 ? floats % 32 != Shape::threads : floats % 4 != 0) ++floats;
    return floats;
}

/// What is before the first layer and behind the last one.
struct FusedEnds {
    const float *encoder, *encoder_bias;           ///< (channels, d_model), (d_model)
    const float *decoder, *decoder_bias, *skip;    ///< (channels, d_model), (channels), (channels) or null
    int channels;
    bool normed;                                   ///< the decoder reads norm(e); the norm's weights are in its own
    const float* in;                               ///< channel c begins at in + c * in_stride
    float* out;
    std::int64_t in_stride, out_stride;
};

/// Everything but the chunk's number.
struct FusedLayer {
    const float* weights;      ///< [Shape::weights][threads], as pack_fused_layer() leaves them
    const float* e_in;         ///< not read by the first layer
    float* e_out;              ///< phase 3 writes it, but in the last layer
    FusedEnds ends;
    const float* history_in;   ///< before the first sample
    float* history_out;        ///< behind the last one; phase 1 writes it
    float *states, *dt_before; ///< at the chunk's start, from zero at its block's; phase 1 writes them, for whole blocks
    float *block_states;       ///< end states from zero (phase 1 writes them), start states (phase 3 reads them)
    float *block_dt;           ///< phase 1 writes it
    float *y, *rows;           ///< from phase 1 to phase 3
    std::int64_t length;
    int chunk, block_chunks;   ///< samples to a chunk, chunks to a block
    // Of dilated shapes:
    const float* x_in = nullptr;          ///< the convolution's inputs (length, d_inner), its history in front of them
    float* next_x_in = nullptr;           ///< phase 3 writes those of the next layer
    const float* next_weights = nullptr;  ///< that layer's
    int dilation = 1;
};

/// A chunk; behind the end of the signal it has no samples.
struct FusedSpan {
    std::int64_t chunk, begin;
    int samples;
    SERPENT_HD FusedSpan(const FusedLayer& layer, std::int64_t k) : chunk(k), begin(k * layer.chunk) {
        const std::int64_t left = layer.length - begin;
        samples = left >= layer.chunk ? layer.chunk : left > 0 ? static_cast<int>(left) : 0;
    }
};

/// kCount weights of a thread, four together: at `place`, weight i of thread l is (place + i / 4 * 4) * threads + l * 4 + i % 4.
template <class Shape, int kCount>
struct ThreadRow {
    static_assert(kCount % 4 == 0);
    float kept[Shape::keeps_weights ? kCount : 1];
    const float* at;

    SERPENT_HD void load(const float* weights, int place, int thread) {
        at = weights + (place * Shape::threads + thread * 4);
        if constexpr (Shape::keeps_weights)
            SERPENT_UNROLL
            for (int i = 0; i < kCount; i += 4) {
                const Float4 w = load4(at + i * Shape::threads);
                SERPENT_UNROLL
                for (int k = 0; k < 4; ++k) kept[i + k] = w.v[k];
            }
    }
    SERPENT_HD Float4 four(int i) const {
        if constexpr (Shape::keeps_weights) return {{kept[i], kept[i + 1], kept[i + 2], kept[i + 3]}};
        return load4(at + i * Shape::threads);
    }
};

/// sums[i] += weights . values of sample i, whose values begin at values + i * stride. Four samples side by side: one sum alone would
/// wait for itself at every step.
template <class Shape, int kCount, int kSamples>
SERPENT_HD inline void dots(const ThreadRow<Shape, kCount>& weights, const float* values, int stride, float (&sums)[kSamples]) {
    SERPENT_UNROLL
    for (int c = 0; c < kCount; c += 4) {
        const Float4 w = weights.four(c);
        SERPENT_UNROLL
        for (int first = 0; first < kSamples; first += 4) {
            Float4 v[4];
            SERPENT_UNROLL
            for (int i = 0; i < 4; ++i) v[i] = load4(values + (first + i) * stride + c);
            SERPENT_UNROLL
            for (int k = 0; k < 4; ++k)
                SERPENT_UNROLL
                for (int i = 0; i < 4; ++i) sums[first + i] = fused(w.v[k], v[i].v[k], sums[first + i]);
        }
    }
}

template <int kCount>
SERPENT_HD inline void load_weights(float (&to)[kCount], const float* from, int threads) {
    SERPENT_UNROLL
    for (int i = 0; i < kCount; ++i) to[i] = from[i * threads];
}

} // namespace serpent::kernels::gpu
