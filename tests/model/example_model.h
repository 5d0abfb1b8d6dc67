// SPDX-License-Identifier: GPL-3.0-or-later
// Models and files for tests: a random model of any configuration, and a model file taken apart into header and data.
#pragma once

#include "serpent/model.h"

#include <nlohmann/json.hpp>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

namespace serpent::test {

/// Widths of no particular multiple, every option on: skip, final norm, two channels, controls, biases.
inline ModelConfig full_config() {
    ModelConfig config;
    config.channels = 2;
    config.d_model = 5;
    config.n_layers = 2;
    config.d_state = 3;
    config.d_conv = 3;
    config.dt_rank = 2;
    config.skip = true;
    config.controls = {{"Drive", 0.0f, 10.0f, 4.0f, ""}, {"Tone", -12.0f, 12.0f, 0.0f, "dB"}};
    return config;
}

/// What version 2 of the format adds, all of it: kinds and dilations that differ from layer to layer, filters at both ends.
inline ModelConfig resonant_config() {
    ModelConfig config = full_config();
    config.n_layers = 4;
    config.d_state = 4;
    config.blocks = {BlockKind::rotating, BlockKind::selective, BlockKind::time_invariant, BlockKind::rotating};
    config.dilations = {1, 4, 3, 17};
    config.fir_in = 5;
    config.fir_out = 12;
    return config;
}

/// Rotating blocks, their taps ever further apart, and filters as long as the presets' ends have them.
inline ModelConfig resonant_preset(int expand = 1) {
    ModelConfig config;
    config.expand = expand;
    config.n_layers = 6;
    config.blocks = {BlockKind::rotating};
    config.dilations = {1, 3, 9, 27, 81, 243};
    config.fir_in = 64, config.fir_out = 256;
    config.skip = true;
    return config;
}

/// Uniform weights that keep every signal of order 1; with `slowest_samples` the time constants are spread
/// log-uniformly from 2 samples to that.
inline Model random_model(const ModelConfig& config, bool with_biases = true, double slowest_samples = 100.0) {
    Model model;
    model.config = config;
    model.metadata.name = "random";
    std::mt19937 random(7);
    const auto uniform = [&](double low, double high) {
        return low + (high - low) * static_cast<double>(random()) / 4294967296.0;
    };
    lay_out(model.config, model.weights, [&](const TensorRef&) { return with_biases; });
    for (const TensorRef& tensor : tensors(model.config, model.weights)) {
        const double bound = 1.0 / std::sqrt(static_cast<double>(tensor.shape.back()));
        for (float& weight : tensor.data) {
            double value = uniform(-bound, bound);
            if (tensor.name.ends_with("norm.weight")) value = uniform(0.5, 1.5);
            const bool time_invariant = tensor.name.ends_with("A_log") && tensor.transform == kernels::Transform::none;
            if (tensor.name.ends_with("A_log")) value = uniform(-0.5, 0.5) - (time_invariant ? 3.0 : 0.0);
            if (tensor.name.ends_with("A_imag")) value = uniform(-3.0, 3.0);
            // softplus(log(expm1(dt))) = dt
            if (tensor.name.ends_with("dt_proj.bias")) {
                value = std::log(std::expm1(0.5 * std::pow(2.0 / slowest_samples, uniform(0.0, 1.0))));
            }
            weight = static_cast<float>(value);
        }
    }
    return model;
}

/// A folder of its own, removed at the end.
class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "serpent-test-XXXXXX").string();
        if (!::mkdtemp(name.data())) throw std::runtime_error("cannot make a temporary folder");
        path_ = name;
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

inline std::string file_text(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_text(const std::filesystem::path& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
}

/// A model file as header and data, to be spoilt and put together again.
struct FileParts {
    nlohmann::json header;
    std::string data;

    explicit FileParts(const std::string& file) {
        std::uint64_t length = 0;
        std::memcpy(&length, file.data(), sizeof length);
        header = nlohmann::json::parse(file.substr(8, length));
        data = file.substr(8 + length);
    }
    explicit FileParts(const Model& model, TensorType type = TensorType::f32) : FileParts(saved(model, type)) {}

    static std::string saved(const Model& model, TensorType type = TensorType::f32) {
        const TemporaryFolder folder;
        model.save(folder / "model.safetensors", type);
        return file_text(folder / "model.safetensors");
    }
    static std::string joined(const std::string& header_text, const std::string& data) {
        const std::uint64_t length = header_text.size();
        std::string file(reinterpret_cast<const char*>(&length), sizeof length);
        return file + header_text + data;
    }
    std::string joined() const { return joined(header.dump(), data); }

    void set_config(const std::string& key, const nlohmann::json& value) {
        auto config = nlohmann::json::parse(header["__metadata__"]["config"].get<std::string>());
        config[key] = value;
        header["__metadata__"]["config"] = config.dump();
    }
    void erase_config(const std::string& key) {
        auto config = nlohmann::json::parse(header["__metadata__"]["config"].get<std::string>());
        config.erase(key);
        header["__metadata__"]["config"] = config.dump();
    }
    /// Overwrites one float32 of a tensor.
    void set_value(const std::string& tensor, std::size_t index, float value) {
        const auto begin = header[tensor]["data_offsets"][0].get<std::size_t>();
        std::memcpy(data.data() + begin + index * sizeof value, &value, sizeof value);
    }
};

inline Model parse_text(const std::string& file) {
    return Model::parse(std::as_bytes(std::span(file)), "test.safetensors");
}

} // namespace serpent::test
