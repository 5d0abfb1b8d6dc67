// SPDX-License-Identifier: MIT
#include "training/signal_scale.h"

#include "model/config_json.h"
#include "serpent/errors.h"
#include "serpent/metrics.h"

#include <algorithm>
#include <cmath>

namespace serpent {

void check_training_set(const TrainingSet& data) {
    if (data.train.empty()) throw Error("There is nothing to train on; give at least one dry/wet pair.");
    const std::size_t channels = data.train.front().dry.size();
    for (const auto* takes : {&data.train, &data.valid})
        for (const TrainingTake& take : *takes) {
            if (take.dry.size() != channels || take.wet.size() != channels || channels == 0)
                throw Error("Dry and wet must have the same number of channels in every take.");
            if (take.controls.size() != data.controls.size())
                throw Error("Every take must say the value of every control.");
            for (std::size_t c = 0; c < channels; ++c)
                if (take.dry[c].size() != take.dry[0].size() || take.wet[c].size() != take.dry[0].size() || take.dry[c].empty())
                    throw Error("Dry and wet must be equally long and not empty in every take.");
        }
}

SignalScale measure_scale(const TrainingSet& data) {
    double dry = 0, wet = 0, emphasised = 0, count = 0;
    for (const TrainingTake& take : data.train)
        for (std::size_t c = 0; c < take.dry.size(); ++c) {
            double before = 0;
            for (std::size_t t = 0; t < take.dry[c].size(); ++t) {
                const double x = take.dry[c][t], y = take.wet[c][t];
                dry += x * x;
                wet += y * y;
                emphasised += std::pow(y - pre_emphasis_coefficient * before, 2);
                before = y;
            }
            count += double(take.dry[c].size());
        }
    if (!(dry > 0) || !(wet > 0)) throw Error("The training recordings are silent; record the device while something plays.");
    return {std::sqrt(dry / count), std::sqrt(wet / count), emphasised / wet};
}

float output_peak(const TrainingSet& data) {
    float peak = 0;
    for (const auto* takes : {&data.train, &data.valid})
        for (const TrainingTake& take : *takes)
            for (const std::vector<float>& channel : take.wet)
                for (const float y : channel) peak = std::max(peak, std::abs(y));
    return peak >= least_output_peak && peak <= most_output_peak ? peak : 0.0f;
}

float take_weight(const TrainingTake& take, const SignalScale& scale) {
    double power = 0, count = 0;
    for (const std::vector<float>& channel : take.wet) {
        for (const float y : channel) power += double(y) * double(y);
        count += double(channel.size());
    }
    return static_cast<float>(1 / std::max(power / count / (scale.wet * scale.wet), 1e-4));
}

} // namespace serpent
