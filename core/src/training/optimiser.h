// SPDX-License-Identifier: MIT
// AdamW with clipping and averaged weights, for any list of tensors.
#pragma once

#include "lanes/workers.h"
#include "serpent/model.h"

#include <cstdint>
#include <vector>

namespace serpent {

/// The same tensors in the same order: being trained, their moving average and AdamW's moments; and AdamW's decay of each.
struct TrainedTensors {
    std::vector<TensorRef> weights, average, m, v;
    std::vector<double> weight_decay;
};

/// `decay_of(tensor)`: as above.
template <class Config, class Weights, class DecayOf>
TrainedTensors trained_tensors(const Config& config, Weights& net, Weights& average, Weights& m, Weights& v, const DecayOf& decay_of) {
    TrainedTensors t{tensors(config, net), tensors(config, average), tensors(config, m), tensors(config, v), {}};
    for (const TensorRef& tensor : t.weights) t.weight_decay.push_back(decay_of(tensor));
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
    /// The tensors must stay where they are.
    explicit Optimiser(TrainedTensors tensors) : tensors_(std::move(tensors)) {}

    /// One update by `gradient`, flat in the order of the tensors and, for those that stand for A = -exp(weight), that of A; it is
    /// left clipped, of the weights. False when its norm is not finite: then nothing moves.
    bool update(std::vector<float>& gradient, const UpdateRates& rates, Workers& workers);

private:
    void find_weight_gradients(std::vector<float>& gradient) const;
    void update_tensor(std::size_t i, const float* gradient, const UpdateRates& rates);

    TrainedTensors tensors_;
};

} // namespace serpent
