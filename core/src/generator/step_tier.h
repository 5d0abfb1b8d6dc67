// SPDX-License-Identifier: MIT
// One tier of a running generator: its packed weights, its state, and its step cut into jobs, so that the step of an inner
// tier can be worked off a piece per sample.
#pragma once

#include "lanes/lane_buffer.h"
#include "serpent/generator_model.h"
#include "serpent/kernels/step.h"

#include <vector>

namespace serpent {

/// W x + b with columns and inputs where padded rows have them.
struct PackedLinear {
    lanes::LaneBuffer weight, bias;
    int in = 0, stride = 0;

    kernels::StepLinear view() const { return {weight.data(), bias.data(), in, stride}; }
};

class StepTier {
public:
    /// `inner`: the tier inside this one, which must outlive it; null for the innermost.
    StepTier(const GeneratorConfig& config, const GeneratorWeights& weights, int k, const kernels::StepOps& ops, StepTier* inner);
    StepTier(const StepTier&) = delete;
    StepTier& operator=(const StepTier&) = delete;

    void reset() noexcept;
    void set_conditions(const TierWeights& weights, const std::vector<int>& conditions);

    /// The step's input, [stride]: the outer tier's is written here, an inner tier's comes from its pool.
    float* e() noexcept { return e_.data(); }
    /// rms_norm of the last layer's output.
    const float* normed() const noexcept { return normed_.data(); }

    /// One sample's share of the work, of this tier and of those inside it.
    void work() noexcept;

private:
    enum class Kind { pool, join, in_proj, conv, x_proj, mix, out_proj, norm_out, unpool };
    struct Job {
        Kind kind;
        int layer, first, count;
        double cost;
    };
    struct Layer {
        kernels::BlockShape shape;
        PackedLinear in_proj, x_proj, dt_proj, out_proj;
        lanes::LaneBuffer norm, conv_weight, conv_bias, D;
        lanes::LaneBuffer A;                          // not time-invariant: [decays][stride]
        lanes::LaneBuffer turn_t, turn_s;             // rotating: [pairs][stride]
        lanes::LaneBuffer q_re, q_im, b, c_re, c_im;  // time-invariant: [pairs][stride]
        lanes::LaneBuffer history, h;                 // [history + 1][stride], a ring; [d_state][stride], real parts before imaginary
        int newest = 0;                               // row of the present sample
    };

    void pack_layer(const kernels::BlockShape& shape, const LayerWeights& w);
    void pack_decays(const LayerWeights& w, Layer& layer) const;
    void pack_oscillators(const LayerWeights& w, Layer& layer) const;
    void make_jobs();
    void share_out(int slices);
    void cut(Kind kind, int layer, int width, double cost_per_channel);
    void run(const Job& job) noexcept;
    void hear_outer(float* e, int stride) noexcept;
    void convolve(Layer& layer) noexcept;
    void mix(Layer& layer, int first, int count) noexcept;

    const kernels::StepOps& ops_;
    StepTier* inner_;
    ModelConfig config_;
    int k_, pool_ = 1, stride_, inner_stride_, outer_stride_ = 0;
    std::vector<Layer> layers_;
    PackedLinear pool_linear_, unpool_linear_;
    lanes::LaneBuffer norm_f_, condition_sum_, e_, u_, xz_, x_, dt_B_C_, y_, normed_;
    // Towards the tier outside: rows [pool][outer stride] coming in, being worked on, being given out, and coming next.
    lanes::LaneBuffer gathered_, pooling_, given_, coming_;
    int row_ = 0;          // of gathered_ and given_
    std::vector<Job> jobs_;
    std::vector<int> slice_begin_;  // first job of every slice, and the number of jobs
    int slice_ = 0;
    bool busy_ = false;    // a step is in work; not before the first one has been gathered
};

} // namespace serpent
