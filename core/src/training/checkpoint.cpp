// SPDX-License-Identifier: MIT
// A checkpoint is a safetensors file: five sets of weights and the lanes as tensors, the rest as JSON in its metadata.
#include "training/trainer_state.h"

#include "model/isa.h"
#include "model/atomic_file.h"
#include "model/config_json.h"
#include "model/json_text.h"
#include "model/safetensors.h"
#include "serpent/errors.h"
#include "training/schedule_json.h"

#include <algorithm>
#include <bit>

namespace serpent {
namespace {

constexpr const char* checkpoint_format = "serpent-checkpoint";
constexpr const char* checkpoint_version = "2";
constexpr std::size_t max_checkpoint_bytes = std::size_t{1} << 30;

using nlohmann::json;

/// Weights of several kinds under prefixed names; lanes as flat tensors.
std::vector<TensorRef> all_tensors(TrainerState& s) {
    std::vector<TensorRef> list;
    const std::pair<const char*, Weights*> sets[] = {
        {"net.", &s.net.weights}, {"average.", &s.average}, {"m.", &s.m}, {"v.", &s.v}, {"best.", &s.best}};
    for (const auto& [prefix, weights] : sets)
        for (TensorRef t : tensors(s.net.config, *weights)) {
            t.name = prefix + t.name;
            list.push_back(t);
        }
    for (std::size_t lane = 0; lane < s.lane_states.size(); ++lane) {
        const std::string prefix = "lane." + std::to_string(lane) + ".";
        list.push_back({prefix + "conv", {s.lane_states[lane].conv.size()}, &s.lane_states[lane].conv});
        list.push_back({prefix + "h", {s.lane_states[lane].h.size()}, &s.lane_states[lane].h});
        list.push_back({prefix + "error", {s.lane_errors[lane].size()}, &s.lane_errors[lane]});
    }
    for (std::size_t k = 0; k < s.played.takes.size(); ++k) {
        const std::string prefix = "played." + std::to_string(k) + ".";
        list.push_back({prefix + "conv", {s.played.takes[k].conv.size()}, &s.played.takes[k].conv});
        list.push_back({prefix + "h", {s.played.takes[k].h.size()}, &s.played.takes[k].h});
    }
    return list;
}

json run_json(const LaneRun& r) { return {r.index, r.take, r.position, r.end, r.unscored}; }
LaneRun run_of(const json& j) { return {j.at(0), j.at(1), j.at(2), j.at(3), j.at(4)}; }

json progress_json(const TrainerState& s) {
    json runs = json::array();
    for (const LaneRun& r : s.runs) runs.push_back(run_json(r));
    json played = json::array();
    for (const PlayedStates::Take& take : s.played.takes) played.push_back({take.conv.size(), take.h.size()});
    return {{"config", config_text(s.net.config)},
            {"schedule", s.options.schedule},
            {"seed", s.options.seed},
            {"isa", std::string(kernels::isa_name(required_isa(s.options.isa)))},
            {"scale", {s.scale.dry, s.scale.wet, s.scale.pre_emphasised}},
            {"step", s.step},
            {"best_valid_esr", std::bit_cast<std::uint64_t>(s.best_valid_esr)},  // may be infinite, which JSON lacks
            {"best_step", s.best_step},
            {"loss_sum", s.loss_sum},
            {"loss_count", s.loss_count},
            {"curve", s.curve},
            {"runs", runs},
            {"played", played},
            {"data_fingerprint", s.data_fingerprint}};
}

void read_progress(const json& j, TrainerState& s) {
    s.net.config = s.options.config = parse_config(j.at("config").get<std::string>());
    s.options.schedule = j.at("schedule").get<TrainSchedule>();
    s.options.seed = j.at("seed");
    s.options.isa = kernels::isa_from_name(j.at("isa").get<std::string>());
    s.scale = {j.at("scale").at(0), j.at("scale").at(1), j.at("scale").at(2)};
    s.step = j.at("step");
    s.best_valid_esr = std::bit_cast<double>(j.at("best_valid_esr").get<std::uint64_t>());
    s.best_step = j.at("best_step");
    s.loss_sum = j.at("loss_sum");
    s.loss_count = j.at("loss_count");
    s.curve = j.at("curve").get<std::vector<TrainPoint>>();
    for (const json& r : j.at("runs")) s.runs.push_back(run_of(r));
    for (const json& sizes : j.at("played")) {
        PlayedStates::Take& take = s.played.takes.emplace_back();
        take.conv.resize(sizes.at(0).get<std::size_t>());
        take.h.resize(sizes.at(1).get<std::size_t>());
    }
    s.data_fingerprint = j.at("data_fingerprint");
    const auto lanes = static_cast<std::size_t>(s.options.schedule.lanes);
    if (s.runs.size() != lanes) throw Error("the number of lanes is not that of the schedule");
    s.lane_states.assign(lanes, zero_state(s.net.config));
    s.lane_errors.assign(lanes, std::vector<float>(static_cast<std::size_t>(s.net.config.channels)));
    for (Weights* w : {&s.net.weights, &s.average, &s.m, &s.v, &s.best})
        for (const TensorRef& t : tensors(s.net.config, *w)) {
            std::size_t count = 1;
            for (const std::size_t n : t.shape) count *= n;
            t.data->resize(count);
        }
}

void fill(std::uint64_t& hash, const void* bytes, std::size_t count) {
    const auto* p = static_cast<const unsigned char*>(bytes);
    for (std::size_t i = 0; i < count; ++i) hash = (hash ^ p[i]) * 0x100000001b3u;
}

} // namespace

std::uint64_t fingerprint(const TrainingSet& data) {
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (const auto* takes : {&data.train, &data.valid})
        for (const TrainingTake& take : *takes) {
            fill(hash, take.controls.data(), take.controls.size() * sizeof(float));
            for (const auto* side : {&take.dry, &take.wet})
                for (const std::vector<float>& channel : *side)
                    fill(hash, channel.data(), channel.size() * sizeof(float));
        }
    return hash;
}

void write_checkpoint(const TrainerState& state, const std::filesystem::path& path) {
    TrainerState copy = state;
    const std::vector<TensorRef> list = all_tensors(copy);
    write_file_atomically(path, write_safetensors({{"format", checkpoint_format},
                                                   {"format_version", checkpoint_version},
                                                   {"progress", json_text(progress_json(copy))}},
                                                  list, TensorType::f32));
}

TrainerState read_checkpoint(const std::filesystem::path& path) {
    const std::vector<std::byte> bytes = read_file(path, max_checkpoint_bytes);
    try {
        const Safetensors file = parse_safetensors(bytes);
        const auto text = [&](const char* key) {
            const auto found = file.metadata.find(key);
            return found == file.metadata.end() ? std::string() : found->second;
        };
        if (text("format") != checkpoint_format || text("format_version") != checkpoint_version)
            throw Error("it is not a checkpoint of this version of serpent");
        TrainerState s;
        read_progress(json::parse(text("progress")), s);
        const std::vector<TensorRef> wanted = all_tensors(s);
        for (const TensorRef& t : wanted) {
            const auto found = std::ranges::find(file.tensors, t.name, &TensorView::name);
            if (found == file.tensors.end() || found->shape != t.shape)
                throw Error("its tensor " + t.name + " is missing or has the wrong shape");
            *t.data = values_of(*found);
        }
        return s;
    } catch (const std::exception& e) {
        throw Error("The checkpoint " + path.string() + " cannot be used: " + e.what() +
                    ". Train anew without --resume, or delete the file.");
    }
}

Model export_model(const TrainerState& state, const Weights& weights) {
    Model model;
    model.config = state.net.config;
    model.weights = weights;
    const auto scale = [](std::vector<float>& v, double factor) {
        for (float& x : v) x = static_cast<float>(x * factor);
    };
    scale(model.weights.encoder_weight, 1 / state.scale.dry);
    scale(model.weights.decoder_weight, state.scale.wet);
    scale(model.weights.decoder_bias, state.scale.wet);
    scale(model.weights.skip, state.scale.wet / state.scale.dry);
    return model;
}

} // namespace serpent
