// SPDX-License-Identifier: MIT
// A checkpoint is a safetensors file: five sets of weights and the lanes as tensors, the rest as JSON in its metadata.
#include "training/trainer_state.h"

#include "model/atomic_file.h"
#include "model/bound_memory.h"
#include "model/config_json.h"
#include "model/silence.h"
#include "serpent/errors.h"
#include "training/loop_checkpoint.h"
#include "training/schedule.h"
#include "training/schedule_json.h"

#include <array>
#include <cmath>

namespace serpent {
namespace {

using namespace checkpoint;
using nlohmann::json;

constexpr Format format{"serpent-checkpoint", "2"};
constexpr LoopNames names{"best_valid_esr", "loss_sum", "loss_count", "train_loss", "valid_esr"};

using PlayedSizes = std::vector<std::array<std::size_t, std::size(state_parts)>>;  ///< floats of every take and part of its states

/// visit(name, size, values) for all that lanes and played states consist of.
template <class Visit>
void each_state(TrainerState& s, const PlayedSizes& played, const Visit& visit) {
    const State one = zero_state(s.net.config);
    for (std::size_t lane = 0; lane < s.lane_states.size(); ++lane) {
        const std::string prefix = "lane." + std::to_string(lane) + ".";
        for (const StatePart& part : state_parts)
            if (const std::size_t floats = (one.*part.values).size(); floats > 0 || part.always)
                visit(prefix + part.name, floats, s.lane_states[lane].*part.values);
        visit(prefix + "error", static_cast<std::size_t>(s.net.config.channels), s.lane_errors[lane]);
    }
    for (std::size_t k = 0; k < s.played.takes.size(); ++k) {
        const std::string prefix = "played." + std::to_string(k) + ".";
        for (std::size_t i = 0; i < std::size(state_parts); ++i)
            if (played[k][i] > 0 || state_parts[i].always)
                visit(prefix + state_parts[i].name, played[k][i], s.played.takes[k].*state_parts[i].values);
    }
}

PlayedSizes played_sizes(const TrainerState& s) {
    PlayedSizes sizes;
    for (const State& take : s.played.takes) {
        sizes.emplace_back();
        for (std::size_t i = 0; i < std::size(state_parts); ++i) sizes.back()[i] = (take.*state_parts[i].values).size();
    }
    return sizes;
}

json run_json(const LaneRun& r) { return {r.index, r.take, r.position, r.end, r.unscored}; }

LaneRun run_of(const json& j) {
    const auto count = [&](std::size_t i) { return static_cast<std::size_t>(count_of(j.at(i), "place in the recordings")); };
    return {bits_of(j.at(0), "number of a stretch"), count(1), count(2), count(3), count(4)};
}

json progress_json(const TrainerState& s) {
    json j = common_json(s, names), runs = json::array();
    for (const LaneRun& r : s.runs) runs.push_back(run_json(r));
    j.update({{"config", config_text(s.net.config)},
              {"scale", {s.scale.dry, s.scale.wet, s.scale.pre_emphasised}},
              {"runs", runs},
              {"played", played_sizes(s)}});
    return j;
}

double scale_of(const json& j) {
    const double scale = number_of(j);
    if (!(scale > 0 && std::isfinite(scale))) throw Error("its scale of the recordings is out of range");
    return scale;
}

/// All but the tensors; returns the sizes of the played states.
PlayedSizes read_progress(const json& j, TrainerState& s) {
    s.net.config = s.options.config = parse_config(j.at("config").get<std::string>());
    read_common(j, names, s);
    s.scale = {scale_of(j.at("scale").at(0)), scale_of(j.at("scale").at(1)), scale_of(j.at("scale").at(2))};
    for (const json& r : j.at("runs")) s.runs.push_back(run_of(r));
    const auto lanes = static_cast<std::size_t>(s.options.schedule.lanes);
    if (s.runs.size() != lanes) throw Error("its number of lanes is not that of the schedule");
    PlayedSizes sizes;
    for (const json& pair : j.at("played")) {
        sizes.emplace_back();  // before there were filters, checkpoints had two
        for (std::size_t i = 0; i < std::min(pair.size(), std::size(state_parts)); ++i)
            sizes.back()[i] = static_cast<std::size_t>(count_of(pair.at(i), "size of a state"));
    }
    s.played.takes.resize(sizes.size());
    s.lane_states.resize(lanes);
    s.lane_errors.resize(lanes);
    return sizes;
}

} // namespace

std::uint64_t fingerprint(const TrainingSet& data) {
    Fingerprint hash;
    for (const auto* takes : {&data.train, &data.valid})
        for (const TrainingTake& take : *takes) {
            hash.add<float>(take.controls);
            for (const auto* side : {&take.dry, &take.wet})
                for (const std::vector<float>& channel : *side) hash.add<float>(channel);
        }
    return hash.value;
}

std::vector<std::byte> checkpoint_bytes(const TrainerState& state) {
    TrainerState copy = state;
    std::vector<TensorRef> list;
    each_weights(copy, copy.net.weights,
                 [&](const char* prefix, const Weights& weights) { add_tensors(copy.net.config, prefix, weights, list); });
    each_state(copy, played_sizes(copy), [&](const std::string& name, std::size_t size, std::vector<float>& values) {
        list.push_back({name, {size}, values});
    });
    return file_bytes(format, progress_json(copy), list);
}

TrainerState parse_checkpoint(std::span<const std::byte> bytes) {
    const File file(bytes, format);
    TrainerState s;
    const PlayedSizes played = read_progress(file.progress(), s);
    each_weights(s, s.net.weights, [&](const char* prefix, Weights& weights) { file.take(s.net.config, prefix, weights); });
    each_state(s, played, [&](const std::string& name, std::size_t size, std::vector<float>& values) { file.take(name, size, values); });
    return s;
}

void write_checkpoint(const TrainerState& state, const std::filesystem::path& path) {
    write_file_atomically(path, checkpoint_bytes(state));
}

TrainerState read_checkpoint(const std::filesystem::path& path, const TrainingSet& data) {
    TrainerState state;
    read_file_with(path, [&](std::span<const std::byte> bytes) {
        state = parse_checkpoint(bytes);
        check_fits(state, data);
    });
    return state;
}

void check_fits(const TrainerState& s, const TrainingSet& data) {
    ModelConfig config = s.net.config;
    config.sample_rate = data.sample_rate;
    config.channels = static_cast<int>(data.train.front().dry.size());
    config.controls = data.controls;
    if (s.data_fingerprint != fingerprint(data) || config_text(config) != config_text(s.net.config))
        throw Error("it was made on other recordings, so give the same dry and wet files");
    const auto length = [&](std::size_t take) { return data.train[take].dry.front().size(); };
    for (const LaneRun& run : s.runs)
        if (run.take >= data.train.size() || run.end > length(run.take) || run.position > run.end)
            throw Error("it has a lane outside the recordings");
    if (s.played.empty()) return;
    if (s.played.takes.size() != data.train.size()) throw Error("it has states of other recordings");
    const State one = zero_state(s.net.config);
    for (std::size_t k = 0; k < s.played.takes.size(); ++k) {
        const std::size_t places = (length(k) + PlayedStates::spacing_samples - 1) / PlayedStates::spacing_samples;
        for (const StatePart& part : state_parts)
            if ((s.played.takes[k].*part.values).size() != places * (one.*part.values).size())
                throw Error("it has too many or too few states of the recordings");
    }
}

Model export_model(const TrainerState& state, const Weights& weights) {
    Model model;
    model.config = state.net.config;
    model.config.output_peak = state.output_peak;
    model.weights = weights;
    const auto scale = [](Tensor tensor, double factor) {
        for (float& x : tensor) x = static_cast<float>(x * factor);
    };
    scale(model.weights.encoder_weight, 1 / state.scale.dry);
    scale(model.weights.decoder_weight, state.scale.wet);
    scale(model.weights.decoder_bias, state.scale.wet);
    scale(model.weights.skip, state.scale.wet / state.scale.dry);
    bound_memory(model, longest_memory_samples(state.options.schedule, model.config.sample_rate));
    return model;
}

} // namespace serpent
