// SPDX-License-Identifier: MIT
#include "generator/conditions.h"
#include "model/config_fields.h"
#include "model/json_text.h"
#include "serpent/generator_model.h"
#include "serpent/text.h"

#include <set>

namespace serpent {

using nlohmann::json;
using namespace fields;

namespace {

constexpr int max_tiers = 4, max_pool = 64, max_period = 1024, max_conditions = 8, max_values = 1024;

const json& required_list(const json& object, const char* key) {
    const json* list = find(object, key);
    if (!list) fail(key, "is missing");
    if (!list->is_array()) fail(key, "must be a list");
    return *list;
}

GeneratorTier parse_tier(const json& entry, const std::string& field, int version) {
    if (!entry.is_object()) fail(field, "must be a JSON object");
    GeneratorTier tier;
    tier.stack.b_bar = BBar::ema;
    optional(entry, field + ".", "pool", tier.pool);
    bool selective = true;
    optional(entry, field + ".", "selective", selective);
    tier.stack.blocks = {selective ? BlockKind::selective : BlockKind::time_invariant};
    read_stack(entry, field + ".", tier.stack);
    if (version >= 2) read_blocks(entry, field + ".", tier.stack);
    return tier;
}

Condition parse_condition(const json& entry, const std::string& field) {
    if (!entry.is_object()) fail(field, "must be a JSON object");
    Condition condition;
    required(entry, field + ".", "name", condition.name);
    const json* values = find(entry, "values");
    if (!values || !values->is_array()) fail(field + ".values", "must be a list of texts");
    for (const json& value : *values) {
        if (!value.is_string()) fail(field + ".values", "must be a list of texts");
        condition.values.push_back(value.get<std::string>());
    }
    return condition;
}

void check_tiers(const GeneratorConfig& config) {
    check_range("tiers", static_cast<int>(config.tiers.size()), 1, max_tiers);
    int period = 1;
    for (std::size_t k = 0; k < config.tiers.size(); ++k) {
        const std::string field = "tiers[" + std::to_string(k) + "].";
        const GeneratorTier& tier = config.tiers[k];
        if (k == 0) check_range(field + "pool", tier.pool, 1, 1);
        else check_range(field + "pool", tier.pool, 2, max_pool);
        period *= tier.pool;
        if (period > max_period) fail(field + "pool", "makes a step of more than " + std::to_string(max_period) + " samples");
        check_stack(tier.stack, field);
    }
}

void check_conditions(const std::vector<Condition>& conditions) {
    check_range("conditions", static_cast<int>(conditions.size()), 0, max_conditions);
    std::set<std::string> names;
    for (std::size_t i = 0; i < conditions.size(); ++i) {
        const std::string field = "conditions[" + std::to_string(i) + "]";
        const Condition& c = conditions[i];
        if (c.name.empty()) fail(field + ".name", "is empty");
        if (!names.insert(c.name).second) fail(field + ".name", "is " + printable(c.name) + " again; names must differ");
        check_range(field + ".values", static_cast<int>(c.values.size()), 1, max_values);
        const std::set<std::string> values(c.values.begin(), c.values.end());
        if (values.size() != c.values.size() || values.contains("")) fail(field + ".values", "must differ and not be empty");
    }
}

} // namespace

GeneratorConfig parse_generator_config(std::string_view text, int version) {
    const json object = parse_json(text, "config");
    if (!object.is_object()) throw Error("config must be a JSON object");
    std::string kind, coding = "mu_law";
    int classes = mu_law_classes;
    required(object, "", "kind", kind);
    if (kind != "generator") fail("kind", "is " + printable(kind) + "; generators are of kind \"generator\"");
    optional(object, "", "coding", coding);
    if (coding != "mu_law") fail("coding", "is " + printable(coding) + "; it must be \"mu_law\"");
    optional(object, "", "classes", classes);
    check_range("classes", classes, mu_law_classes, mu_law_classes);

    GeneratorConfig config;
    required(object, "", "sample_rate", config.sample_rate);
    for (const json& entry : required_list(object, "tiers"))
        config.tiers.push_back(parse_tier(entry, "tiers[" + std::to_string(config.tiers.size()) + "]", version));
    if (find(object, "conditions"))
        for (const json& entry : required_list(object, "conditions"))
            config.conditions.push_back(parse_condition(entry, "conditions[" + std::to_string(config.conditions.size()) + "]"));
    check_range("sample_rate", config.sample_rate, 1000, 768000);
    check_tiers(config);
    check_conditions(config.conditions);
    return config;
}

namespace {

/// Tiers of one of the two kinds that version 1 knows, without dilation, need no more than that.
int version_of(const ModelConfig& stack) {
    const bool plain = stack.dilations == std::vector<int>(stack.dilations.size(), 1);
    return plain && (stack.all_blocks(BlockKind::selective) || stack.all_blocks(BlockKind::time_invariant)) ? 1 : 2;
}

} // namespace

int format_version(const GeneratorConfig& config) {
    int version = 1;
    for (const GeneratorTier& tier : config.tiers) version = std::max(version, version_of(tier.stack));
    return version;
}

std::string generator_config_text(const GeneratorConfig& config) {
    nlohmann::ordered_json tiers = nlohmann::ordered_json::array(), conditions = tiers;
    for (const GeneratorTier& tier : config.tiers) {
        const bool all_time_invariant = tier.stack.all_blocks(BlockKind::time_invariant);
        nlohmann::ordered_json entry = {{"pool", tier.pool}, {"selective", !all_time_invariant}};
        write_stack(tier.stack, entry);
        if (version_of(tier.stack) >= 2) write_blocks(tier.stack, entry);
        tiers.push_back(std::move(entry));
    }
    for (const Condition& c : config.conditions) {
        nlohmann::ordered_json values = nlohmann::ordered_json::array();
        for (const std::string& value : c.values) values.push_back(valid_utf8(value));
        conditions.push_back({{"name", valid_utf8(c.name)}, {"values", values}});
    }
    const nlohmann::ordered_json object = {{"kind", "generator"},   {"sample_rate", config.sample_rate},
                                           {"coding", "mu_law"},    {"classes", mu_law_classes},
                                           {"tiers", tiers},        {"conditions", conditions}};
    return json_text(object);
}

namespace {

void add_to_list(std::string& list, const std::string& item) {
    if (!list.empty()) list += ", ";
    list += item;
}

} // namespace

void check_conditions(const GeneratorConfig& config, const std::vector<int>& conditions) {
    bool ok = conditions.size() == config.conditions.size();
    for (std::size_t j = 0; ok && j < conditions.size(); ++j)
        ok = conditions[j] >= 0 && conditions[j] <= static_cast<int>(config.conditions[j].values.size());
    if (!ok) throw Error("the generator has no such conditions; it has " + std::to_string(config.conditions.size()));
}

std::vector<int> condition_values(const GeneratorConfig& config, const std::vector<std::string>& settings) {
    std::vector<int> chosen(config.conditions.size(), 0);
    for (const std::string& bytes : settings) {
        const std::string setting = valid_utf8(bytes);
        const std::size_t equals = setting.find('=');
        const std::string name = setting.substr(0, equals);
        if (equals == std::string::npos) throw Error("\"" + setting + "\" is not of the form NAME=VALUE");
        const auto condition = std::ranges::find(config.conditions, name, &Condition::name);
        std::string known;
        if (condition == config.conditions.end()) {
            for (const Condition& c : config.conditions) add_to_list(known, c.name);
            throw Error("this generator has no condition \"" + name + "\"; it has " + (known.empty() ? "none" : known));
        }
        const auto value = std::ranges::find(condition->values, setting.substr(equals + 1));
        if (value == condition->values.end()) {
            for (const std::string& v : condition->values) add_to_list(known, v);
            throw Error("\"" + setting + "\": " + name + " is one of " + known);
        }
        chosen[static_cast<std::size_t>(condition - config.conditions.begin())] =
            static_cast<int>(value - condition->values.begin()) + 1;
    }
    return chosen;
}

} // namespace serpent
