// SPDX-License-Identifier: MIT
// The selective scan in its three-phase, time-parallel form: the CPU twin of the CUDA kernels. Chunks are independent
// of each other within phases 1 and 3, so a device takes one warp per chunk; phase 2 walks the few chunk ends.
//
//   forward   1  every chunk from h = 0: its end state, and its sum of dt
//             2  over the chunks: start state of the next = join_chunks(start, expm1(A sum dt), end from zero)
//             3  every chunk again from its true start state: y
//   backward  1  every chunk from g = 0, in reverse: gradient at its start
//             2  over the chunks in reverse: gradient at the end of the one before
//             3  every chunk in reverse from its true g, with h recomputed from checkpoints: all gradients.
//                Gradients of A and D are one partial sum per chunk, added in the order of the chunks: no atomics, two
//                runs give the same bits.
//
// Shapes, units, aliasing, error: as selective_scan.h, for any chunk >= 1; length need not be a multiple of it.
// Source    Blelloch, "Prefix sums and their applications" (1990); Gu and Dao, "Mamba" (2023), section 3.3.
#pragma once

#include "equations/selective_scan.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace serpent::equations {

/// Samples between two states that the backward pass keeps; those between are computed again.
inline constexpr std::size_t checkpoint_samples = 16;

struct Chunk {
    std::size_t begin, end;
};

inline std::size_t chunk_count(std::size_t length, std::size_t chunk) { return (length + chunk - 1) / chunk; }

inline Chunk chunk_at(std::size_t length, std::size_t chunk, std::size_t k) {
    return {k * chunk, std::min(length, (k + 1) * chunk)};
}

/// Phase 1: end_from_zero (channels, states) and dt_sum (channels) of one chunk.
template <class T>
void scan_chunk_from_zero(const ScanShape& shape, const ScanInputs<T>& in, Chunk chunk, T* end_from_zero, T* dt_sum) {
    std::fill_n(end_from_zero, shape.state_size(), T(0));
    std::fill_n(dt_sum, shape.channels, T(0));
    for (std::size_t t = chunk.begin; t < chunk.end; ++t) {
        advance_states(shape, in, t, end_from_zero);
        for (std::size_t c = 0; c < shape.channels; ++c)
            dt_sum[c] += in.dt[t * shape.channels + c];
    }
}

/// Phase 2, for one chunk: carry is its start state on the way in, its end state on the way out. The backward pass uses
/// it too, from a chunk's end to its start.
template <class T>
void carry_over_chunk(const ScanShape& shape, const T* A, const T* from_zero, const T* dt_sum, T* carry) {
    for (std::size_t c = 0; c < shape.channels; ++c)
        for (std::size_t n = 0; n < shape.states; ++n) {
            const std::size_t cn = c * shape.states + n;
            const T q = decay_minus_one(dt_sum[c], A[shape.decay_index(c, n)]);
            carry[cn] = join_chunks(carry[cn], q, from_zero[cn]);
        }
}

/// What phases 1 and 2 leave: (chunks + 1) start states, the last of them being the end state, and the sums of dt.
template <class T>
struct ChunkStates {
    std::vector<T> start, dt_sum;
};

template <class T>
ChunkStates<T> scan_chunk_states(const ScanShape& shape, const ScanInputs<T>& in, std::size_t chunk) {
    const std::size_t chunks = chunk_count(shape.length, chunk), size = shape.state_size();
    std::vector<T> from_zero(chunks * size);
    ChunkStates<T> states{start_state(shape, in.h_start), std::vector<T>(chunks * shape.channels)};
    states.start.resize((chunks + 1) * size);
    for (std::size_t k = 0; k < chunks; ++k)
        scan_chunk_from_zero(shape, in, chunk_at(shape.length, chunk, k), &from_zero[k * size],
                             &states.dt_sum[k * shape.channels]);
    for (std::size_t k = 0; k < chunks; ++k) {
        std::copy_n(&states.start[k * size], size, &states.start[(k + 1) * size]);
        carry_over_chunk(shape, in.A, &from_zero[k * size], &states.dt_sum[k * shape.channels],
                         &states.start[(k + 1) * size]);
    }
    return states;
}

/// Phase 3: y of one chunk from its true start state.
template <class T>
void scan_chunk_output(const ScanShape& shape, const ScanInputs<T>& in, Chunk chunk, const T* start, T* y) {
    std::vector<T> h(start, start + shape.state_size());
    for (std::size_t t = chunk.begin; t < chunk.end; ++t) {
        advance_states(shape, in, t, h.data());
        read_out(shape, in, t, h.data(), y);
    }
}

template <class T>
void selective_scan_chunked(const ScanShape& shape, const ScanInputs<T>& in, T* y, T* h_end, std::size_t chunk) {
    const std::size_t chunks = chunk_count(shape.length, chunk), size = shape.state_size();
    const ChunkStates<T> states = scan_chunk_states(shape, in, chunk);
    for (std::size_t k = 0; k < chunks; ++k)
        scan_chunk_output(shape, in, chunk_at(shape.length, chunk, k), &states.start[k * size], y);
    if (h_end)
        std::copy_n(states.start.data() + chunks * size, size, h_end);
}

/// Backward phase 1: gradient at the start of one chunk when nothing comes from later chunks.
template <class T>
void adjoint_chunk_from_zero(const ScanShape& shape, const ScanInputs<T>& in, Chunk chunk, const T* dy, T* g) {
    std::fill_n(g, shape.state_size(), T(0));
    for (std::size_t t = chunk.end; t-- > chunk.begin;)
        for (std::size_t c = 0; c < shape.channels; ++c)
            for (std::size_t n = 0; n < shape.states; ++n) {
                T& g_cn = g[c * shape.states + n];
                const T q = decay_minus_one(in.dt[t * shape.channels + c], in.A[shape.decay_index(c, n)]);
                g_cn = adjoint_step(g_cn + dy[t * shape.channels + c] * in.C[t * shape.states + n], q);
            }
}

/// Backward phase 3 of one chunk. start: its true start state; g: the true gradient with respect to its end state.
template <class T>
void backward_chunk(const ScanShape& shape, const ScanInputs<T>& in, Chunk chunk, const T* start, const T* dy, T* g,
                    const ScanGradients<T>& out) {
    const std::size_t size = shape.state_size();
    std::vector<T> checkpoints(start, start + size), h(start, start + size);
    for (std::size_t t = chunk.begin; t < chunk.end; ++t) {
        advance_states(shape, in, t, h.data());
        if ((t + 1 - chunk.begin) % checkpoint_samples == 0)
            checkpoints.insert(checkpoints.end(), h.begin(), h.end());
    }
    std::vector<T> states((checkpoint_samples + 1) * size);
    for (std::size_t k = chunk_count(chunk.end - chunk.begin, checkpoint_samples); k-- > 0;) {
        const std::size_t begin = chunk.begin + k * checkpoint_samples;
        const std::size_t end = std::min(chunk.end, begin + checkpoint_samples);
        std::copy_n(&checkpoints[k * size], size, states.data());
        for (std::size_t t = begin; t < end; ++t) {
            std::copy_n(&states[(t - begin) * size], size, &states[(t - begin + 1) * size]);
            advance_states(shape, in, t, &states[(t - begin + 1) * size]);
        }
        for (std::size_t t = end; t-- > begin;)
            backward_step(shape, in, t, &states[(t - begin) * size], &states[(t - begin + 1) * size], dy, g, out);
    }
}

/// Backward phases 1 and 2: the gradient with respect to every chunk's end state, and (first) to the start state:
/// (chunks + 1) rows, row k being the gradient at the start of chunk k.
template <class T>
std::vector<T> adjoint_chunk_states(const ScanShape& shape, const ScanInputs<T>& in, const std::vector<T>& dt_sum,
                                    const T* dy, const T* dh_end, std::size_t chunk) {
    const std::size_t chunks = chunk_count(shape.length, chunk), size = shape.state_size();
    std::vector<T> from_zero(chunks * size), g((chunks + 1) * size, T(0));
    if (dh_end)
        std::copy_n(dh_end, size, g.data() + chunks * size);
    for (std::size_t k = 0; k < chunks; ++k)
        adjoint_chunk_from_zero(shape, in, chunk_at(shape.length, chunk, k), dy, &from_zero[k * size]);
    for (std::size_t k = chunks; k-- > 0;) {
        std::copy_n(&g[(k + 1) * size], size, &g[k * size]);
        carry_over_chunk(shape, in.A, &from_zero[k * size], &dt_sum[k * shape.channels], &g[k * size]);
    }
    return g;
}

template <class T>
void selective_scan_chunked_backward(const ScanShape& shape, const ScanInputs<T>& in, const T* dy, const T* dh_end,
                                     const ScanGradients<T>& out, std::size_t chunk) {
    const std::size_t chunks = chunk_count(shape.length, chunk), size = shape.state_size();
    const ChunkStates<T> states = scan_chunk_states(shape, in, chunk);
    const std::vector<T> g = adjoint_chunk_states(shape, in, states.dt_sum, dy, dh_end, chunk);
    std::vector<T> dA(chunks * shape.decays(), T(0)), dD(chunks * shape.channels, T(0));
    for (std::size_t k = 0; k < chunks; ++k) {
        ScanGradients<T> partial = out;
        partial.A = out.A ? &dA[k * shape.decays()] : nullptr;
        partial.D = out.D ? &dD[k * shape.channels] : nullptr;
        std::vector<T> g_end(&g[(k + 1) * size], &g[(k + 1) * size] + size);
        backward_chunk(shape, in, chunk_at(shape.length, chunk, k), &states.start[k * size], dy, g_end.data(), partial);
    }
    for (std::size_t k = 0; k < chunks; ++k) {
        for (std::size_t i = 0; out.A && i < shape.decays(); ++i)
            out.A[i] += dA[k * shape.decays() + i];
        for (std::size_t i = 0; out.D && i < shape.channels; ++i)
            out.D[i] += dD[k * shape.channels + i];
    }
    for (std::size_t i = 0; out.h_start && i < size; ++i)
        out.h_start[i] += g[i];
}

} // namespace serpent::equations
