// SPDX-License-Identifier: MIT
// A checkpoint is a safetensors file: five sets of weights and the lanes' states as tensors, the rest as JSON in its metadata.
#include "generator/generator_state.h"
#include "model/isa.h"
#include "model/atomic_file.h"
#include "model/json_text.h"
#include "model/safetensors.h"
#include "generator/generator_schedule_json.h"
#include "serpent/errors.h"

#include <algorithm>
#include <bit>

namespace serpent {
namespace {

constexpr const char* checkpoint_format = "serpent-generator-checkpoint";
constexpr const char* checkpoint_version = "1";
constexpr std::size_t max_checkpoint_bytes = std::size_t{1} << 30;

using nlohmann::json;

TensorRef flat(const std::string& name, std::vector<float>& copy) { return {name, {copy.size()}, &copy}; }

/// Weights of several kinds under prefixed names; lane states, copied into `states`, as flat tensors.
std::vector<TensorRef> all_tensors(GeneratorTrainerState& s, std::vector<std::vector<float>>& states) {
    std::vector<TensorRef> list;
    const std::pair<const char*, GeneratorWeights*> sets[] = {
        {"net.", &s.net}, {"average.", &s.average}, {"m.", &s.m}, {"v.", &s.v}, {"best.", &s.best}};
    for (const auto& [prefix, weights] : sets)
        for (TensorRef t : tensors(s.options.config, *weights)) {
            t.name = prefix + t.name;
            list.push_back(t);
        }
    const std::size_t tiers = s.options.config.tiers.size();
    states.clear();
    states.reserve(s.groups.size() * tiers * 3);
    for (std::size_t g = 0; g < s.groups.size(); ++g)
        for (std::size_t k = 0; k < tiers; ++k) {
            const std::string prefix = "group." + std::to_string(g) + ".tier." + std::to_string(k) + ".";
            const GeneratorLaneState& group = s.groups[g];
            states.emplace_back(group.tiers[k].conv.begin(), group.tiers[k].conv.end());
            list.push_back(flat(prefix + "conv", states.back()));
            states.emplace_back(group.tiers[k].h.begin(), group.tiers[k].h.end());
            list.push_back(flat(prefix + "h", states.back()));
            states.emplace_back(group.delayed[k].begin(), group.delayed[k].end());
            list.push_back(flat(prefix + "delayed", states.back()));
        }
    return list;
}

void take_states(GeneratorTrainerState& s, const std::vector<std::vector<float>>& states) {
    std::size_t at = 0;
    for (GeneratorLaneState& group : s.groups)
        for (std::size_t k = 0; k < group.tiers.size(); ++k)
            for (lanes::LaneBuffer* to : {&group.tiers[k].conv, &group.tiers[k].h, &group.delayed[k]})
                std::ranges::copy(states[at++], to->begin());
}

json lane_json(const GeneratorLane& l) {
    return {l.visit, l.recording, l.gap, l.length, l.position, l.last_class, l.conditions};
}

GeneratorLane lane_of(const json& j, const GeneratorConfig& config) {
    GeneratorLane l{j.at(0), j.at(1), j.at(2), j.at(3), j.at(4), j.at(5), j.at(6)};
    bool ok = l.last_class >= 0 && l.last_class < mu_law_classes && l.conditions.size() == config.conditions.size();
    for (std::size_t i = 0; ok && i < l.conditions.size(); ++i)
        ok = l.conditions[i] >= 0 && l.conditions[i] <= static_cast<int>(config.conditions[i].values.size());
    if (!ok || l.recording < 0 || l.position < 0) throw Error("a lane is out of range");
    return l;
}

json progress_json(const GeneratorTrainerState& s) {
    json lanes = json::array();
    for (const GeneratorLane& l : s.lanes) lanes.push_back(lane_json(l));
    return {{"config", generator_config_text(s.options.config)},
            {"schedule", s.options.schedule},
            {"seed", s.options.seed},
            {"isa", std::string(kernels::isa_name(required_isa(s.options.isa)))},
            {"step", s.step},
            {"best_valid_bits", std::bit_cast<std::uint64_t>(s.best_valid_bits)},  // may be infinite, which JSON lacks
            {"nats_sum", s.nats_sum},
            {"scored_sum", s.scored_sum},
            {"curve", s.curve},
            {"lanes", lanes},
            {"data_fingerprint", s.data_fingerprint}};
}

void read_progress(const json& j, GeneratorTrainerState& s) {
    s.options.config = parse_generator_config(j.at("config").get<std::string>());
    s.options.schedule = j.at("schedule").get<GeneratorSchedule>();
    s.options.seed = j.at("seed");
    s.options.isa = kernels::isa_from_name(j.at("isa").get<std::string>());
    s.step = j.at("step");
    s.best_valid_bits = std::bit_cast<double>(j.at("best_valid_bits").get<std::uint64_t>());
    s.nats_sum = j.at("nats_sum");
    s.scored_sum = j.at("scored_sum");
    s.curve = j.at("curve").get<std::vector<GeneratorPoint>>();
    s.data_fingerprint = j.at("data_fingerprint");
    for (const json& lane : j.at("lanes")) s.lanes.push_back(lane_of(lane, s.options.config));
    const int lanes = s.options.schedule.lanes;
    if (lanes < 16 || lanes % 16 != 0 || lanes > 4096 || s.lanes.size() != static_cast<std::size_t>(lanes))
        throw Error("the number of lanes is not that of the schedule");
    s.groups.assign(static_cast<std::size_t>(lanes) / 16, GeneratorLaneState(s.options.config));
    for (GeneratorWeights* w : {&s.net, &s.average, &s.m, &s.v, &s.best}) resize_weights(s.options.config, *w);
}

void fill(std::uint64_t& hash, const void* bytes, std::size_t count) {
    const auto* p = static_cast<const unsigned char*>(bytes);
    for (std::size_t i = 0; i < count; ++i) hash = (hash ^ p[i]) * 0x100000001b3u;
}

} // namespace

std::uint64_t fingerprint(const GeneratorData& data) {
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (const auto* list : {&data.train, &data.valid})
        for (const GeneratorRecording& r : *list) {
            fill(hash, r.classes.data(), r.classes.size());
            fill(hash, r.conditions.data(), r.conditions.size() * sizeof(int));
        }
    return hash;
}

void write_checkpoint(const GeneratorTrainerState& state, const std::filesystem::path& path) {
    GeneratorTrainerState copy = state;
    std::vector<std::vector<float>> states;
    const std::vector<TensorRef> list = all_tensors(copy, states);
    write_file_atomically(path, write_safetensors({{"format", checkpoint_format},
                                                   {"format_version", checkpoint_version},
                                                   {"progress", json_text(progress_json(copy))}},
                                                  list, TensorType::f32));
}

GeneratorTrainerState read_generator_checkpoint(const std::filesystem::path& path) {
    const std::vector<std::byte> bytes = read_file(path, max_checkpoint_bytes);
    try {
        const Safetensors file = parse_safetensors(bytes);
        const auto text = [&](const char* key) {
            const auto found = file.metadata.find(key);
            return found == file.metadata.end() ? std::string() : found->second;
        };
        if (text("format") != checkpoint_format || text("format_version") != checkpoint_version)
            throw Error("it is not a generator's checkpoint of this version of serpent");
        GeneratorTrainerState s;
        read_progress(json::parse(text("progress")), s);
        std::vector<std::vector<float>> states;
        for (const TensorRef& t : all_tensors(s, states)) {
            const auto found = std::ranges::find(file.tensors, t.name, &TensorView::name);
            if (found == file.tensors.end() || found->shape != t.shape)
                throw Error("its tensor " + t.name + " is missing or has the wrong shape");
            *t.data = values_of(*found);
        }
        take_states(s, states);
        return s;
    } catch (const std::exception& e) {
        throw Error("the checkpoint " + path.string() + " cannot be used: " + e.what() +
                    "; train anew without --resume, or delete the file");
    }
}

} // namespace serpent
