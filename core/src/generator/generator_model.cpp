// SPDX-License-Identifier: MIT
#include "serpent/generator_model.h"

#include "model/as_error.h"
#include "model/atomic_file.h"
#include "model/config_fields.h"
#include "model/json_text.h"
#include "model/model_texts.h"
#include "model/safetensors.h"
#include "model/tensors.h"
#include "serpent/errors.h"
#include "serpent/file_kind.h"

#include <algorithm>
#include <cmath>

namespace serpent {

namespace {

constexpr double mu = 255.0;
constexpr double mu_law_half = 127.0;  // classes on either side of silence

std::size_t size(int value) { return static_cast<std::size_t>(value); }

} // namespace

int mu_law_class(float sample) noexcept {
    const double x = std::isnan(sample) ? 0.0 : std::clamp(double(sample), -1.0, 1.0);
    const double companded = std::log1p(mu * std::abs(x)) / std::log1p(mu);
    return mu_law_silence + static_cast<int>(std::lround(std::copysign(mu_law_half * companded, x)));
}

float mu_law_sample(int mu_law_class) noexcept {
    const double y = double(std::clamp(mu_law_class, 1, mu_law_classes - 1) - mu_law_silence) / mu_law_half;
    return static_cast<float>(std::copysign(std::expm1(std::abs(y) * std::log1p(mu)) / mu, y));
}

int GeneratorConfig::samples_per_step(int k) const noexcept {
    int samples = 1;
    for (int i = 0; i <= k; ++i) samples *= tiers[size(i)].pool;
    return samples;
}

std::vector<TensorPlace> tensor_places(const GeneratorConfig& config, GeneratorTensors& weights) {
    weights.tiers.resize(config.tiers.size());
    const std::size_t outer = size(config.tiers.front().stack.d_model), classes = mu_law_classes;
    std::vector<TensorPlace> list{{"embedding.weight", {classes, outer}, &weights.embedding}};
    for (std::size_t k = 0; k < config.tiers.size(); ++k) {
        const GeneratorTier& tier = config.tiers[k];
        TierWeights& w = weights.tiers[k];
        const std::string prefix = "tiers." + std::to_string(k) + ".";
        const std::size_t d = size(tier.stack.d_model);
        const std::size_t pooled = k > 0 ? size(tier.pool) * size(config.tiers[k - 1].stack.d_model) : 0;
        if (k > 0) {
            list.push_back({prefix + "pool.weight", {d, pooled}, &w.pool_weight});
            list.push_back({prefix + "pool.bias", {d}, &w.pool_bias});
        }
        w.conditions.resize(config.conditions.size());
        for (std::size_t i = 0; i < config.conditions.size(); ++i)
            list.push_back({prefix + "conditions." + std::to_string(i) + ".weight", {1 + config.conditions[i].values.size(), d},
                            &w.conditions[i]});
        w.stack.layers.resize(size(tier.stack.n_layers));
        for (std::size_t i = 0; i < w.stack.layers.size(); ++i)
            add_layer(tier.stack.block(static_cast<int>(i)), prefix + "layers." + std::to_string(i) + ".", w.stack.layers[i], list);
        list.push_back({prefix + "norm_f.weight", {d}, &w.stack.norm_f});
        if (k > 0) {
            list.push_back({prefix + "unpool.weight", {pooled, d}, &w.unpool_weight});
            list.push_back({prefix + "unpool.bias", {pooled}, &w.unpool_bias});
        }
    }
    list.push_back({"decoder.weight", {classes, outer}, &weights.decoder_weight});
    list.push_back({"decoder.bias", {classes}, &weights.decoder_bias});
    return list;
}

std::vector<TensorRef> tensors(const GeneratorConfig& config, const GeneratorTensors& weights) {
    bool fits = weights.tiers.size() == config.tiers.size();
    for (std::size_t k = 0; fits && k < weights.tiers.size(); ++k)
        fits = weights.tiers[k].stack.layers.size() == size(config.tiers[k].stack.n_layers) &&
               weights.tiers[k].conditions.size() == config.conditions.size();
    if (!fits) throw Error("the generator's weights have not the tiers, layers and conditions of its config");
    return refs(tensor_places(config, const_cast<GeneratorTensors&>(weights)));  // with these lists it writes nothing
}

void lay_out(const GeneratorConfig& config, GeneratorWeights& weights, const TensorChoice& has) { lay_out_weights(config, weights, has); }

GeneratorModel GeneratorModel::parse(std::span<const std::byte> bytes, std::string_view source) try {
    if (const FileKind kind = kind_of(bytes); kind.is_nam()) throw Error("it is " + kind.name + ", not a generator");
    const Safetensors file = parse_safetensors(bytes);
    const int version = check_format(file.metadata);
    GeneratorModel model;
    model.config = parse_generator_config(file.metadata.at("config"), version);
    model.metadata = metadata_from(file.metadata);
    TensorMap found;
    for (const TensorView& tensor : file.tensors) found[tensor.name] = tensor;
    take_tensors(model.config, found, model.weights);
    if (!found.empty()) throw Error("tensor " + printable(found.begin()->first) + " is not one that the config calls for");
    model.validate();
    return model;
} catch (const Error& error) {
    throw Error(std::string(source) + ": " + why_no_model(bytes, error.what()));
} catch (...) {
    rethrow_as_error("read " + std::string(source));
}

GeneratorModel GeneratorModel::load(const std::filesystem::path& path) try {
    return parse(read_file(path), path.string());
} catch (...) {
    rethrow_as_error("read " + path.string());
}

void GeneratorModel::save(const std::filesystem::path& path, TensorType type) const {
    std::vector<std::byte> bytes;
    try {
        validate();
        bytes = write_safetensors(texts_from(metadata, generator_config_text(config), format_version(config)),
                                  tensors(config, weights), type);
    } catch (const Error& error) {
        throw Error("cannot write " + path.string() + ": " + error.what());
    }
    write_file_atomically(path, bytes);
}

void GeneratorModel::validate() const {
    (void)parse_generator_config(generator_config_text(config));
    for (const TensorRef& tensor : tensors(config, weights)) check_values(tensor);
}

std::size_t GeneratorModel::parameter_count() const { return weights.values.size(); }

std::size_t GeneratorModel::macs_per_sample() const {
    double macs = double(mu_law_classes) * config.tiers.front().stack.d_model;
    for (std::size_t k = 0; k < config.tiers.size(); ++k) {
        const ModelConfig& stack = config.tiers[k].stack;
        double step = 0;
        for (int l = 0; l < stack.n_layers; ++l) step += double(stack.block(l).macs());
        if (k > 0) step += 2.0 * stack.d_model * config.tiers[k].pool * config.tiers[k - 1].stack.d_model;
        macs += step / config.samples_per_step(static_cast<int>(k));
    }
    return static_cast<std::size_t>(std::lround(macs));
}

bool is_generator(const std::filesystem::path& path) {
    const std::vector<std::byte> bytes = read_file(path);
    if (kind_of(bytes).is_nam()) return false;
    try {
        const Safetensors file = parse_safetensors(bytes);
        check_format(file.metadata);
        const nlohmann::json config = parse_json(file.metadata.at("config"), "config");
        const nlohmann::json* kind = config.is_object() ? fields::find(config, "kind") : nullptr;
        return kind && kind->is_string() && kind->get<std::string>() == "generator";
    } catch (const Error& error) {
        throw Error(path.string() + ": " + why_no_model(bytes, error.what()));
    }
}

} // namespace serpent
