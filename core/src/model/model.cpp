// SPDX-License-Identifier: MIT
#include "serpent/model.h"

#include "model/as_error.h"
#include "model/atomic_file.h"
#include "model/config_json.h"
#include "model/model_texts.h"
#include "model/safetensors.h"
#include "serpent/errors.h"

namespace serpent {

namespace {

/// tensors() for reading only: with as many layers as the configuration asks for it writes nothing.
std::vector<TensorRef> tensors_of(const Model& model) {
    if (model.weights.layers.size() != static_cast<std::size_t>(model.config.n_layers)) {
        throw Error("the model has weights for " + std::to_string(model.weights.layers.size()) + " layers, \"n_layers\" is " +
                    std::to_string(model.config.n_layers));
    }
    return tensors(model.config, const_cast<Weights&>(model.weights));
}

} // namespace

Model Model::parse(std::span<const std::byte> bytes, std::string_view source) try {
    const Safetensors file = parse_safetensors(bytes);
    const int version = check_format(file.metadata);
    Model model;
    model.config = parse_config(file.metadata.at("config"), version);
    model.metadata = metadata_from(file.metadata);
    TensorMap found;
    for (const TensorView& tensor : file.tensors) found[tensor.name] = tensor;
    for (const TensorRef& wanted : tensors(model.config, model.weights)) take_tensor(wanted, found);
    if (!found.empty()) {
        throw Error("tensor " + printable(found.begin()->first) + " is not one that the config calls for");
    }
    model.validate();
    return model;
} catch (const Error& error) {
    throw Error(std::string(source) + ": " + why_no_model(bytes, error.what()));
} catch (...) {
    rethrow_as_error("read " + std::string(source));
}

Model Model::load(const std::filesystem::path& path) try {
    return parse(read_file(path), path.string());
} catch (...) {
    rethrow_as_error("read " + path.string());
}

void Model::save(const std::filesystem::path& path, TensorType type) const {
    std::vector<std::byte> bytes;
    try {
        validate();
        bytes = write_safetensors(texts_from(metadata, config_text(config), format_version(config)), tensors_of(*this), type);
    } catch (const Error& error) {
        throw Error("cannot write " + path.string() + ": " + error.what());
    }
    write_file_atomically(path, bytes);
}

void Model::validate() const {
    check_config(config);
    for (const TensorRef& tensor : tensors_of(*this)) check_values(tensor);
}

std::size_t Model::parameter_count() const {
    std::size_t count = 0;
    for (const TensorRef& tensor : tensors_of(*this)) count += tensor.data->size();
    return count;
}

std::size_t Model::macs_per_sample() const {
    const auto size = [](int value) { return static_cast<std::size_t>(value); };
    const std::size_t filters = size(config.fir_in) + size(config.fir_out);
    std::size_t sum = size(config.channels) * (2 * size(config.d_model) + (config.skip ? 1 : 0) + filters);
    for (int l = 0; l < config.n_layers; ++l) sum += config.block(l).macs();
    return sum;
}

} // namespace serpent
