// SPDX-License-Identifier: MIT
#include "c_api/handles.h"

#include <filesystem>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

using namespace serpent;
using namespace serpent::c_api;

namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

void hand_over(Model model, serpent_model*& to) {
    to = new serpent_model{std::make_shared<const Model>(std::move(model))};
}

const Control* control_of(const serpent_model* model, int index) noexcept {
    if (!model || index < 0 || static_cast<std::size_t>(index) >= model->model->config.controls.size()) return nullptr;
    return &model->model->config.controls[static_cast<std::size_t>(index)];
}

const std::string* text_of(const Model& model, std::string_view key) noexcept {
    const Metadata& texts = model.metadata;
    const std::pair<std::string_view, const std::string*> known[] = {
        {"kind", &model.config.kind}, {"name", &texts.name}, {"author", &texts.author}, {"license", &texts.license},
        {"description", &texts.description}, {"gear", &texts.gear}, {"training", &texts.training}};
    for (const auto& [name, text] : known)
        if (key == name) return text;
    for (const auto& [name, text] : texts.other)
        if (key == name) return &text;
    return nullptr;
}

float control_value(const serpent_model* model, int index, float Control::*member) noexcept {
    const Control* control = control_of(model, index);
    return control ? control->*member : std::numeric_limits<float>::quiet_NaN();
}

} // namespace

serpent_status serpent_model_load(const char* path, serpent_model** model) {
    if (model) *model = nullptr;
    return guarded([&] {
        required(model, "model");
        required(path, "path");
        hand_over(Model::load(std::filesystem::path(reinterpret_cast<const char8_t*>(path))), *model);
    });
}

serpent_status serpent_model_load_memory(const void* bytes, size_t size, const char* name, serpent_model** model) {
    if (model) *model = nullptr;
    return guarded([&] {
        required(model, "model");
        if (!bytes) throw Misuse("bytes is null.");
        hand_over(Model::parse({static_cast<const std::byte*>(bytes), size}, name ? name : "the model"), *model);
    });
}

void serpent_model_free(serpent_model* model) { delete model; }

const char* serpent_model_text(const serpent_model* model, const char* key) {
    const std::string* text = model && key ? text_of(*model->model, key) : nullptr;
    return text ? text->c_str() : "";
}

int serpent_model_sample_rate(const serpent_model* model) { return model ? model->model->config.sample_rate : 0; }
int serpent_model_channels(const serpent_model* model) { return model ? model->model->config.channels : 0; }

double serpent_model_loudness_db(const serpent_model* model) {
    return model ? model->model->metadata.loudness_db.value_or(unknown) : unknown;
}

double serpent_model_input_level_dbu(const serpent_model* model) {
    return model ? model->model->metadata.input_level_dbu.value_or(unknown) : unknown;
}

int serpent_model_control_count(const serpent_model* model) {
    return model ? static_cast<int>(model->model->config.controls.size()) : 0;
}

const char* serpent_model_control_name(const serpent_model* model, int control) {
    const Control* known = control_of(model, control);
    return known ? known->name.c_str() : "";
}

const char* serpent_model_control_unit(const serpent_model* model, int control) {
    const Control* known = control_of(model, control);
    return known ? known->unit.c_str() : "";
}

float serpent_model_control_min(const serpent_model* model, int control) { return control_value(model, control, &Control::min); }
float serpent_model_control_max(const serpent_model* model, int control) { return control_value(model, control, &Control::max); }

float serpent_model_control_default(const serpent_model* model, int control) {
    return control_value(model, control, &Control::default_value);
}
