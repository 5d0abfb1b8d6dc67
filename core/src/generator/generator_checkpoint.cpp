// SPDX-License-Identifier: MIT
// A checkpoint is a safetensors file: five sets of weights and the lanes' states as tensors, the rest as JSON in its metadata.
#include "generator/generator_state.h"

#include "generator/generator_schedule_json.h"
#include "model/atomic_file.h"
#include "serpent/errors.h"
#include "training/loop_checkpoint.h"

#include <algorithm>

namespace serpent {
namespace {

using namespace checkpoint;
using nlohmann::json;

constexpr Format format{"serpent-generator-checkpoint", "1"};
constexpr LoopNames names{"best_valid_bits", "nats_sum", "scored_sum", "train_bits", "valid_bits"};
constexpr std::int64_t longest_visit = std::int64_t{1} << 48;  // samples: no recording is longer

/// Calls `visit(name, buffer)` for all that a group of 16 lanes carries.
template <class Group, class Visit>
void each_state(Group& group, std::size_t g, const Visit& visit) {
    for (std::size_t k = 0; k < group.tiers.size(); ++k) {
        const std::string prefix = "group." + std::to_string(g) + ".tier." + std::to_string(k) + ".";
        visit(prefix + "conv", group.tiers[k].conv);
        visit(prefix + "h", group.tiers[k].h);
        visit(prefix + "delayed", group.delayed[k]);
    }
}

json lane_json(const GeneratorLane& l) {
    return {l.visit, l.recording, l.gap, l.length, l.position, l.last_class, l.conditions};
}

GeneratorLane lane_of(const json& j, const GeneratorConfig& config) {
    const auto place = [&](std::size_t i, std::int64_t least = 0) { return count_of(j.at(i), "place in the recordings", longest_visit, least); };
    GeneratorLane l{place(0, -1), place(1), place(2, -longest_visit), place(3), place(4),
                    count_of(j.at(5), "last sample of a lane", mu_law_classes - 1), {}};
    for (const json& value : j.at(6)) {
        const std::size_t i = l.conditions.size();
        if (i >= config.conditions.size()) throw Error("it has a lane with too many conditions");
        const auto values = static_cast<std::int64_t>(config.conditions[i].values.size());
        l.conditions.push_back(static_cast<int>(count_of(value, "condition of a lane", values)));
    }
    if (l.conditions.size() != config.conditions.size()) throw Error("it has a lane with too few conditions");
    if (l.position > l.length) throw Error("it has a lane outside the recordings");
    return l;
}

json progress_json(const GeneratorTrainerState& s) {
    json j = common_json(s, names), lanes = json::array();
    for (const GeneratorLane& l : s.lanes) lanes.push_back(lane_json(l));
    j.update({{"config", generator_config_text(s.options.config)}, {"lanes", lanes}});
    return j;
}

void read_progress(const json& j, GeneratorTrainerState& s) {
    s.options.config = parse_generator_config(j.at("config").get<std::string>());
    read_common(j, names, s);
    for (const json& lane : j.at("lanes")) s.lanes.push_back(lane_of(lane, s.options.config));
    if (s.lanes.size() != static_cast<std::size_t>(s.options.schedule.lanes))
        throw Error("its number of lanes is not that of the schedule");
}

} // namespace

std::uint64_t fingerprint(const GeneratorData& data) {
    Fingerprint hash;
    for (const auto* list : {&data.train, &data.valid})
        for (const GeneratorRecording& r : *list) {
            hash.add<std::uint8_t>(r.classes);
            hash.add<int>(r.conditions);
        }
    return hash.value;
}

std::vector<std::byte> checkpoint_bytes(const GeneratorTrainerState& state) {
    GeneratorTrainerState copy = state;
    std::vector<std::pair<std::string, std::vector<float>>> states;
    for (std::size_t g = 0; g < copy.groups.size(); ++g)
        each_state(copy.groups[g], g, [&](const std::string& name, const lanes::LaneBuffer& buffer) {
            states.emplace_back(name, std::vector<float>(buffer.begin(), buffer.end()));
        });
    std::vector<TensorRef> list;
    each_weights(copy, copy.net,
                 [&](const char* prefix, const GeneratorWeights& w) { add_tensors(copy.options.config, prefix, w, list); });
    for (auto& [name, values] : states) list.push_back({name, {values.size()}, values});
    return file_bytes(format, progress_json(copy), list);
}

GeneratorTrainerState parse_generator_checkpoint(std::span<const std::byte> bytes) {
    const File file(bytes, format);
    GeneratorTrainerState s;
    read_progress(file.progress(), s);
    // First: the states are no larger than they.
    each_weights(s, s.net, [&](const char* prefix, GeneratorWeights& w) { file.take(s.options.config, prefix, w); });
    const std::size_t groups = s.lanes.size() / lanes::lane_count;
    for (std::size_t g = 0; g < groups; ++g)
        each_state(s.groups.emplace_back(s.options.config), g, [&](const std::string& name, lanes::LaneBuffer& buffer) {
            std::vector<float> values;
            file.take(name, buffer.size(), values);
            std::ranges::copy(values, buffer.begin());
        });
    return s;
}

void write_checkpoint(const GeneratorTrainerState& state, const std::filesystem::path& path) {
    write_file_atomically(path, checkpoint_bytes(state));
}

GeneratorTrainerState read_checkpoint(const std::filesystem::path& path, const GeneratorData& data) {
    GeneratorTrainerState state;
    read_file_with(path, [&](std::span<const std::byte> bytes) {
        state = parse_generator_checkpoint(bytes);
        check_fits(state, data);
    });
    return state;
}

void check_fits(const GeneratorTrainerState& s, const GeneratorData& data) {
    GeneratorConfig config = s.options.config;
    config.sample_rate = data.sample_rate;
    config.conditions = data.conditions;
    if (s.data_fingerprint != fingerprint(data) || generator_config_text(config) != generator_config_text(s.options.config))
        throw Error("it was made on other recordings, so give the same folder and options");
    for (const GeneratorLane& lane : s.lanes)
        if (static_cast<std::size_t>(lane.recording) >= data.train.size()) throw Error("it has a lane outside the recordings");
}

} // namespace serpent
