// SPDX-License-Identifier: MIT
// One segment of 16 sequences through a generator's tiers: forward, cross-entropy, backward. The layers of a tier are those
// of every other model (lanes/); what is new is what joins the tiers.
#pragma once

#include "lanes/lane_gradient.h"
#include "serpent/generator_model.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace serpent {

/// The tiers' layers, shared by all segments. Keeps references: config and weights must outlive it.
class GeneratorNet {
public:
    GeneratorNet(const GeneratorConfig& config, const GeneratorWeights& weights, const kernels::LaneOps& ops);
    void weights_changed();

    const GeneratorConfig& config;
    const GeneratorWeights& weights;
    const kernels::LaneOps& ops;
    std::vector<std::unique_ptr<lanes::LaneModel>> tiers;
};

/// What 16 sequences carry from segment to segment.
struct GeneratorLaneState {
    std::vector<lanes::LaneState> tiers;
    std::vector<lanes::LaneBuffer> delayed;  ///< normed outputs of the last two steps of every inner tier: [2][d_k][16]

    explicit GeneratorLaneState(const GeneratorConfig& config);
    void clear_lane(int lane);
};

class GeneratorSegment {
public:
    /// `longest` samples at most, a multiple of the period.
    GeneratorSegment(const GeneratorNet& net, int longest, bool with_gradient);

    GeneratorLaneState state;
    std::vector<std::int32_t> input, target;  ///< [samples][16]: class of the sample before, and of this one
    lanes::LaneBuffer weight;                 ///< [samples][16]: of each sample in the loss; 0: not scored
    std::vector<std::int32_t> conditions;     ///< [samples / period][conditions][16]

    /// Sum over samples of weight > 0 of their cross-entropy, in nats; moves the state on. With gradient, the gradients of
    /// the weighted sum replace those of the last call.
    double run(int samples, bool gradient);

    /// Where the gradient of a tensor is: one number for each value, or 16 lanes of it.
    struct Accumulator {
        const float* values;
        bool lanes;
    };
    Accumulator accumulator(Tensor tensor);

private:
    struct Plain {
        const float* tensor;
        std::vector<float> gradient;
    };

    void embed(int samples);
    void pool(int k, int samples);
    void add_conditions(int k, int samples, float* e) const;
    void unpool(int k, int samples);
    void forward(int k, int samples);
    double score(int samples, bool gradient);
    void backward(int k, int samples);
    void unpool_backward(int k, int samples);
    void pool_backward(int k, int samples);
    void embed_backward(int samples);
    void conditions_backward(int k, int samples);
    std::vector<float>& plain(Tensor tensor);
    int steps(int k, int samples) const { return samples / net_.config.samples_per_step(k); }

    struct Tier {
        int sub_steps;
        lanes::LaneActivations activations;
        std::unique_ptr<lanes::LaneBackward> backward;      // with gradient
        std::vector<lanes::LaneBuffer> stream;              // input of every layer, and the last one's output
        lanes::LaneBuffer raw;                              // input before the inner tier's part is added
        lanes::LaneBuffer normed;                           // inner tiers: [2 + steps][d_k], the delayed rows first
        std::unique_ptr<lanes::ConvRows> conv_rows, dconv_rows;  // the second with gradient
        std::vector<lanes::LaneBuffer> snapshots;           // h at the start of every sub-block
        lanes::LaneBuffer dh;
        lanes::LaneBuffer de, dnormed, inverse_rms;
    };

    const GeneratorNet& net_;
    std::vector<Tier> tiers_;
    std::vector<Plain> plain_;                       // embedding and conditions: few values of each step
    std::unique_ptr<lanes::LaneGradients> joints_;   // pools, unpools, decoder
    lanes::LaneBuffer logits_, u_, du_, probability_;
};

} // namespace serpent
