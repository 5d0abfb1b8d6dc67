// SPDX-License-Identifier: MIT
// AdamW with clipping and averaged weights, for the tensors of any model.
#pragma once

#include "lanes/workers.h"
#include "serpent/model.h"

#include <cstdint>
#include <span>
#include <vector>

namespace serpent {

/// The same values in the same order: being trained, their moving average and AdamW's moments; and the tensors that they are.
struct TrainedWeights {
    struct Part {
        std::size_t size;
        kernels::Transform transform;
        double decay;  ///< AdamW's
    };
    std::span<float> weights, average, m, v;
    std::vector<Part> tensors;
};

/// `decay_of(tensor)`: as above.
template <class Config, class Weights, class DecayOf>
TrainedWeights trained_weights(const Config& config, Weights& net, Weights& average, Weights& m, Weights& v, const DecayOf& decay_of) {
    TrainedWeights t{net.values, average.values, m.values, v.values, {}};
    for (const TensorRef& tensor : tensors(config, net)) t.tensors.push_back({tensor.data.size(), tensor.transform, decay_of(tensor)});
    return t;
}

/// What the schedule says about one update.
struct UpdateRates {
    std::int64_t number = 1;   ///< of the update, from 1
    double rate = 0;
    double clip = 1;           ///< largest norm of the gradient
    float average_keep = 0;    ///< of the averaged weights
};

class Optimiser {
public:
    /// The values must stay where they are.
    explicit Optimiser(TrainedWeights trained) : trained_(std::move(trained)) {}

    /// One update by `gradient`, in the order of the weights and, for those that stand for A = -exp(weight), that of A; it is left
    /// clipped, of the weights. False when its norm is not finite: then nothing moves.
    bool update(std::vector<float>& gradient, const UpdateRates& rates, Workers& workers);

private:
    void find_weight_gradients(std::vector<float>& gradient) const;

    TrainedWeights trained_;
};

} // namespace serpent
