// SPDX-License-Identifier: MIT
// The live engine: one running model, any block size, no look-ahead, no allocation.
//
//   e = encoder . in + bias;  e += block(norm(e) * gain + shift) for every layer;
//   out = bound(decoder . norm_f(e) + bias (+ skip in))        the bound: kernels/equations/output_bound.h
//   with filters: in = fir_in(in) before all this, and fir_out last before the bound       kernels/equations/fir.h
//   block:  x, z = split(in_proj . u);  x = silu(conv(x));  dt, B, C = split(x_proj . x);  dt = softplus(dt_proj . dt + bias)
//           euler:  h += q h + dt x B        ema:  h += q (h - x B)        with q = expm1(-dt exp(A_log)) in both
//           out_proj . ((C h + D x) silu(z))
//   Blocks of the other kinds and what they do instead: kernels/equations/{rotating_scan,time_invariant_scan}.h. The kinds may be
//   mixed; taps of a convolution that no channel uses cost nothing.
//
// Channels lie in SIMD lanes, so that B and C are broadcast and no projection needs a horizontal sum. A sub-block of up
// to live_block samples passes layer by layer; only the recurrence walks sample by sample. Every sample sees the same
// arithmetic in the same order however the signal is cut into blocks, so all cuts give the same bits on one ISA.
//
// Error   1e-5 rms, 1e-4 max relative to the rms of a float64 evaluation, time constants up to 96,000 samples.
// Source  Gu and Dao, "Mamba" (2023), equation 2 and figure 3; the expm1 form: docs/architecture.md, numerics.
#pragma once

#include "serpent/kernels/block.h"
#include "serpent/kernels/isa.h"

#include <memory>
#include <vector>

namespace serpent::kernels {

/// Most samples of one LiveEngine::process() call: enough to share weights and overlap samples, few enough that a callback
/// finds its data in few cache lines (nano, 64 samples: 317; with 32 a third more, and no faster).
inline constexpr int live_block = 16;

struct LiveOptions {
    Isa isa = default_isa();
    int instances = 1;        ///< sequences in the lanes of one engine, at most most_instances(isa)
    bool specialised = true;  ///< use code made for the sizes of this model where there is some: the same bits, faster
};

/// A running state of one instance, layer after layer, with the histories of the filters (block.h and serpent/model.h say more).
/// conv: [history][d_inner], oldest sample first. h, h_low: [d_inner][d_state]; h_low is what rounding left out of h. fir_in, fir_out:
/// [channels][taps - 1], oldest sample first. On the way in h_low, fir_in and fir_out may be null: zeros.
template <class T>
struct LiveState {
    T *conv = nullptr, *h = nullptr, *h_low = nullptr, *fir_in = nullptr, *fir_out = nullptr;
};

/// One model on one or several independent sequences. Starts from state zero and without FiLM (scale 1, shift 0). One
/// thread at a time. Only the constructor allocates.
class LiveEngine {
public:
    /// Throws std::invalid_argument when the ISA is not available or does not run that many instances, or when blocks differ
    /// in more than kind and convolution.
    LiveEngine(const ModelShape& shape, const WeightPointers& weights, const LiveOptions& options = {});
    ~LiveEngine();
    LiveEngine(LiveEngine&&) noexcept;
    LiveEngine& operator=(LiveEngine&&) noexcept;

    /// How many sequences an engine can run in the lanes of one vector: 2 with AVX-512, else 1.
    static int most_instances(Isa isa);

    /// Samples [first, first + n) of in[c] to those of out[c], c < instances channels, those of the first instance first;
    /// 0 <= n <= live_block; in and out may be the same. NaN and Inf in the input count as 0. Returns a bit per instance
    /// whose answer was not finite all the same: then its n samples are 0 and its state must be set anew.
    [[nodiscard]] unsigned process(const float* const* in, float* const* out, int first, int n) noexcept;

    /// FiLM of every layer, [n_layers][d_model] each: reached linearly over the next ramp_samples samples, at once if 0.
    void set_film(const float* scale, const float* shift, int ramp_samples) noexcept;

    void get_state(const LiveState<float>& to, int instance = 0) const noexcept;
    void set_state(const LiveState<const float>& from, int instance = 0) noexcept;

    int instances() const noexcept;
    /// The ISA as the code compiled for it reports it.
    Isa isa() const noexcept;
    /// Whether the code was made for the sizes of this model.
    bool specialised() const noexcept;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace serpent::kernels
