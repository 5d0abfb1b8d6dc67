// SPDX-License-Identifier: MIT
#include "serpent/import.h"

#include "model/as_error.h"
#include "model/config_json.h"
#include "model/model_texts.h"
#include "model/tensors.h"
#include "serpent/errors.h"

#include <algorithm>
#include <array>

namespace serpent {

namespace {

constexpr std::array language_tensors = {"embedding.weight", "embeddings.weight", "lm_head.weight"};

std::string without_prefix(const std::string& name) {
    constexpr std::string_view prefix = "backbone.";
    return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

/// The checkpoint's tensors under Serpent's names; those of language models go to `ignored`.
TensorMap named_tensors(const Safetensors& file, std::vector<std::string>& ignored) {
    TensorMap found;
    for (const TensorView& tensor : file.tensors) {
        const std::string name = without_prefix(tensor.name);
        if (std::find(language_tensors.begin(), language_tensors.end(), name) != language_tensors.end()) {
            ignored.push_back(tensor.name);
        } else if (!found.emplace(name, tensor).second) {
            throw Error("tensor " + printable(name) + " is there with and without the prefix \"backbone.\"");
        }
    }
    return found;
}

/// Shape of a tensor that must have `rank` dimensions of at most 2^20, which any config limit is below.
std::vector<int> shape_of(const TensorMap& found, const std::string& name, std::size_t rank) {
    const auto entry = found.find(name);
    if (entry == found.end()) throw Error("not a Mamba checkpoint: tensor " + printable(name) + " is missing");
    const std::vector<std::size_t>& shape = entry->second.shape;
    const bool fits = std::all_of(shape.begin(), shape.end(), [](std::size_t size) { return size >= 1 && size <= 1u << 20; });
    if (shape.size() != rank || !fits) throw Error("tensor " + printable(name) + " has the shape " + shape_text(shape));
    return {shape.begin(), shape.end()};
}

ModelConfig config_from_shapes(const TensorMap& found, int sample_rate_hz) {
    const std::string mixer = "layers.0.mixer.";
    const auto out_proj = shape_of(found, mixer + "out_proj.weight", 2);
    const auto conv = shape_of(found, mixer + "conv1d.weight", 3);
    const auto dt_proj = shape_of(found, mixer + "dt_proj.weight", 2);
    const auto x_proj = shape_of(found, mixer + "x_proj.weight", 2);
    ModelConfig config;
    config.sample_rate = sample_rate_hz;
    config.d_model = out_proj[0];
    if (out_proj[1] % out_proj[0] != 0) {
        throw Error("tensor \"" + mixer + "out_proj.weight\" maps " + std::to_string(out_proj[1]) + " channels to " +
                    std::to_string(out_proj[0]) + "; the first must be a whole multiple of the second");
    }
    config.expand = out_proj[1] / out_proj[0];
    config.d_conv = conv[2];
    config.dt_rank = dt_proj[1];
    config.d_state = (x_proj[0] - dt_proj[1]) / 2;
    const auto a_log = found.find(mixer + "A_log");
    if (a_log != found.end() && a_log->second.shape.size() == 1) config.a = DecayShape::tied;
    config.n_layers = 0;
    while (found.contains("layers." + std::to_string(config.n_layers) + ".mixer.A_log")) ++config.n_layers;
    config.final_norm = found.contains("norm_f.weight");
    return config;
}

bool is_end(const TensorRef& t) { return t.name.starts_with("encoder.") || t.name.starts_with("decoder.") || t.name == "skip"; }

/// Where all is zero so far.
void put_neutral_ends(Weights& weights) {
    std::ranges::fill(weights.encoder_weight, 1.0f);
    // A bias that differs from channel to channel: without one the norm would leave only the sign of the input.
    const std::size_t d_model = weights.encoder_bias.size();
    for (std::size_t i = 0; i < d_model; ++i) {
        weights.encoder_bias[i] = (2.0f * static_cast<float>(i) + 1.0f) / static_cast<float>(d_model) - 1.0f;
    }
    weights.skip[0] = 1.0f;
}

ImportedModel import_tensors(const Safetensors& file, int sample_rate_hz) {
    const auto format = file.metadata.find("format");
    if (format != file.metadata.end() && format->second == "serpent") {
        throw Error("already a Serpent model; use it as it is");
    }
    ImportedModel result;
    TensorMap found = named_tensors(file, result.ignored);
    Model& model = result.model;
    model.config = config_from_shapes(found, sample_rate_hz);
    result.neutral_ends = !found.contains("encoder.weight") && !found.contains("decoder.weight");
    model.config.channels = result.neutral_ends ? 1 : shape_of(found, "encoder.weight", 2)[1];
    model.config.skip = result.neutral_ends || found.contains("skip");
    check_config(model.config);
    take_tensors(model.config, found, model.weights, result.neutral_ends ? is_end : TensorChoice{});
    if (result.neutral_ends) put_neutral_ends(model.weights);
    if (!found.empty()) throw Error("tensor " + printable(found.begin()->first) + " has no place in a Serpent model");
    model.validate();
    return result;
}

} // namespace

ImportedModel import_checkpoint(const std::filesystem::path& path, int sample_rate_hz) try {
    const std::vector<std::byte> bytes = read_file(path);
    try {
        ImportedModel result = import_tensors(parse_safetensors(bytes), sample_rate_hz);
        result.model.metadata.name = path.stem().string();
        return result;
    } catch (const Error& error) {
        throw Error(path.string() + ": " + why_no_model(bytes, error.what()));
    }
} catch (...) {
    rethrow_as_error("read " + path.string());
}

} // namespace serpent
