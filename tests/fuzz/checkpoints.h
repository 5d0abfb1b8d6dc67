// SPDX-License-Identifier: GPL-3.0-or-later
// Small checkpoints, the recordings that they were made on, and what must hold for one that is read.
#pragma once

#include "generator/generator_state.h"
#include "serpent/errors.h"
#include "training/trainer_state.h"

#include <cmath>
#include <cstdlib>

namespace serpent::test {

inline std::shared_ptr<const TrainingSet> tiny_recordings() {
    auto set = std::make_shared<TrainingSet>();
    set->sample_rate = 8000;
    set->controls = {{"Drive", 1, 5, 3, ""}};
    for (const float drive : {1.0f, 5.0f}) {
        TrainingTake take{{std::vector<float>(13000)}, {std::vector<float>(13000)}, {drive}};
        for (std::size_t t = 0; t < take.dry[0].size(); ++t) {
            take.dry[0][t] = 0.4f * std::sin(0.05f * float(t) + 1e-6f * float(t) * float(t));
            take.wet[0][t] = std::tanh(drive * take.dry[0][t]);
        }
        set->train.push_back(take);
    }
    return set;
}

inline TrainOptions tiny_training() {
    TrainOptions o = train_preset("nano");
    o.config.d_model = o.config.d_state = 2;
    o.config.n_layers = 1;
    o.schedule.lanes = 16;
    o.schedule.steps = 40;
    o.schedule.segment = o.schedule.late_segment = 64;
    o.schedule.rate_warmup = 5;
    o.schedule.validate_every = 5;
    o.schedule.silence_share = 0.5;
    o.schedule.replay_every = 3;
    o.threads = 1;
    o.isa = kernels::Isa::scalar;
    return o;
}

inline std::shared_ptr<const GeneratorData> tiny_sounds() {
    auto data = std::make_shared<GeneratorData>();
    data->sample_rate = 8000;
    data->conditions = {{"voice", {"high", "low"}}};
    for (int i = 0; i < 4; ++i) {
        GeneratorRecording recording{"", std::vector<std::uint8_t>(400), {1 + i % 2}};
        for (std::size_t t = 0; t < recording.classes.size(); ++t)
            recording.classes[t] = static_cast<std::uint8_t>(mu_law_class(0.3f * std::sin(0.1f * float(t) * float(1 + i % 2))));
        (i < 3 ? data->train : data->valid).push_back(recording);
    }
    return data;
}

inline GeneratorTrainOptions tiny_generator_training() {
    GeneratorTrainOptions o = generator_preset("small");
    for (GeneratorTier& tier : o.config.tiers) {
        tier.stack.d_model = tier.stack.d_state = 2;
        tier.stack.n_layers = 1;
        tier.stack.dt_rank = 1;
    }
    o.schedule.lanes = 16;
    o.schedule.steps = 20;
    o.schedule.segment = 32;
    o.schedule.validate_every = 4;
    o.threads = 1;
    o.isa = kernels::Isa::scalar;
    return o;
}

/// Reads `bytes` as a checkpoint of an effect. False when they are refused with an Error or, as damaged JSON may be, an exception
/// of the JSON library; what is accepted can be written and read again.
inline bool exercise_checkpoint(std::span<const std::byte> bytes, const TrainingSet& data) {
    try {
        const TrainerState state = parse_checkpoint(bytes);
        check_fits(state, data);
        if (checkpoint_bytes(parse_checkpoint(checkpoint_bytes(state))) != checkpoint_bytes(state)) std::abort();
        return true;
    } catch (const Error&) {
    } catch (const nlohmann::json::exception&) {
    }
    return false;
}

inline bool exercise_checkpoint(std::span<const std::byte> bytes, const GeneratorData& data) {
    try {
        const GeneratorTrainerState state = parse_generator_checkpoint(bytes);
        check_fits(state, data);
        if (checkpoint_bytes(parse_generator_checkpoint(checkpoint_bytes(state))) != checkpoint_bytes(state)) std::abort();
        return true;
    } catch (const Error&) {
    } catch (const nlohmann::json::exception&) {
    }
    return false;
}

} // namespace serpent::test
