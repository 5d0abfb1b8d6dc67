// SPDX-License-Identifier: MIT
#include "training/device_training.h"

#include "gpu/model_layout.h"
#include "serpent/metrics.h"

#include <algorithm>
#include <utility>

namespace serpent {
namespace {

std::size_t size(int a) { return static_cast<std::size_t>(a); }

std::vector<std::vector<float>> scaled(const std::vector<std::vector<float>>& channels, double scale) {
    std::vector<std::vector<float>> out = channels;
    const float factor = static_cast<float>(scale);
    for (auto& channel : out)
        for (float& v : channel) v *= factor;
    return out;
}

std::vector<float> positions(const std::vector<Control>& controls, const std::vector<float>& values) {
    std::vector<float> out;
    for (std::size_t i = 0; i < controls.size(); ++i) {
        const Control& k = controls[i];
        out.push_back(2 * (std::clamp(values[i], k.min, k.max) - k.min) / (k.max - k.min) - 1);
    }
    return out;
}

kernels::StatePointers<const float> pointers(const State& s) { return {s.conv.data(), s.h.data(), s.fir_in.data(), s.fir_out.data()}; }
kernels::StatePointers<float> pointers(State& s) { return {s.conv.data(), s.h.data(), s.fir_in.data(), s.fir_out.data()}; }

std::vector<float> flat_decay(TrainerState& s) {
    std::vector<float> decay;
    for (const TensorRef& t : tensors(s.net.config, s.net.weights))
        decay.insert(decay.end(), t.data.size(), static_cast<float>(weight_decay_of(s.options.schedule, t)));
    return decay;
}

} // namespace

DeviceTraining::DeviceTraining(const TrainingSet& data, TrainerState& s, const SegmentSampler& sampler, const std::vector<float>& take_weights)
    : take_weights_(take_weights),
      trainer_(device_layout(s.net.config, s.net.weights), s.options.schedule.lanes, sampler.longest_segment(), flat_decay(s)),
      sequences_(size(s.options.schedule.lanes)) {
    for (const TrainingTake& take : data.train)
        trainer_.add_take(scaled(take.dry, 1 / s.scale.dry), scaled(take.wet, 1 / s.scale.wet), positions(data.controls, take.controls));
    send_weights(s);
    for (std::size_t sequence = 0; sequence < s.lane_states.size(); ++sequence)
        trainer_.set_sequence(static_cast<int>(sequence), pointers(std::as_const(s.lane_states[sequence])), s.lane_errors[sequence].data());
    s.lane_states.clear();
    s.lane_errors.clear();
}

void DeviceTraining::update(TrainerState& s, const SegmentSampler& sampler, int samples, const SegmentLoss& loss, double rate,
                            double average_keep) {
    for (std::size_t sequence = 0; sequence < sequences_.size(); ++sequence) {
        LaneRun& run = s.runs[sequence];
        const RunBegin begin = sampler.advance(run, static_cast<int>(sequence), samples, !s.played.empty());
        if (begin == RunBegin::from_played) {
            const State state = s.played.at(s.net.config, run.take, run.position);
            const std::vector<float> no_error(size(s.net.config.channels));
            trainer_.set_sequence(static_cast<int>(sequence), pointers(state), no_error.data());
        }
        const int unscored = static_cast<int>(std::min<std::size_t>(run.unscored, size(samples)));
        sequences_[sequence] = {static_cast<int>(run.take), run.position, unscored,
                                begin == RunBegin::from_silence ? kernels::SequenceStart::silence : kernels::SequenceStart::carried,
                                take_weights_[run.take]};
        run.unscored -= size(unscored);
        run.position += size(samples);
    }
    kernels::DeviceStep step;
    step.samples = samples;
    step.plain = static_cast<float>(loss.esr_weight / (loss.samples * loss.target_power));
    step.emphasised = static_cast<float>(loss.pre_emphasis_weight / (loss.samples * loss.pre_emphasised_power));
    step.emphasis = static_cast<float>(pre_emphasis_coefficient);
    step.mrstft = static_cast<float>(loss.mrstft_weight / loss.sequences);
    step.rate = rate;
    step.clip = s.options.schedule.clip;
    step.average_keep = average_keep;
    step.number = s.step + 1;
    trainer_.step(sequences_, step);
}

void DeviceTraining::send_weights(TrainerState& s) {
    trainer_.set_vectors({s.net.weights.values, s.average.values, s.m.values, s.v.values});
}

void DeviceTraining::fetch_weights(TrainerState& s) const {
    const kernels::DeviceTrainVectors v = trainer_.vectors();
    std::ranges::copy(v.weights, s.net.weights.values.begin());
    std::ranges::copy(v.average, s.average.values.begin());
    std::ranges::copy(v.m, s.m.values.begin());
    std::ranges::copy(v.v, s.v.values.begin());
}

void DeviceTraining::collect_lanes(TrainerState& into) const {
    for (std::size_t sequence = 0; sequence < sequences_.size(); ++sequence) {
        State& state = into.lane_states.emplace_back(zero_state(into.net.config));
        std::vector<float>& error = into.lane_errors.emplace_back(size(into.net.config.channels));
        trainer_.get_sequence(static_cast<int>(sequence), pointers(state), error.data());
    }
}

} // namespace serpent
