// SPDX-License-Identifier: MIT
#include "serpent/model.h"

#include "model/as_error.h"
#include "model/atomic_file.h"
#include "model/config_json.h"
#include "model/model_texts.h"
#include "model/safetensors.h"
#include "model/tensors.h"
#include "nam/capture.h"
#include "nam/document.h"
#include "nam/network.h"
#include "serpent/errors.h"
#include "serpent/file_kind.h"
#include "serpent/nam.h"

namespace serpent {

Model Model::parse(std::span<const std::byte> bytes, std::string_view source) try {
    if (kind_of(bytes).is_nam()) return nam::read_model({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    const Safetensors file = parse_safetensors(bytes);
    const int version = check_format(file.metadata);
    Model model;
    model.config = parse_config(file.metadata.at("config"), version);
    model.metadata = metadata_from(file.metadata);
    TensorMap found;
    for (const TensorView& tensor : file.tensors) found[tensor.name] = tensor;
    take_tensors(model.config, found, model.weights);
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
    std::error_code unknown;
    const bool large = std::filesystem::file_size(path, unknown) > nam::max_bytes && !unknown;
    return parse(read_file(path, large && kind_of_file(path).is_nam() ? nam::max_bytes : max_file_bytes), path.string());
} catch (...) {
    rethrow_as_error("read " + path.string());
}

void Model::save(const std::filesystem::path& path, TensorType type) const {
    std::vector<std::byte> bytes;
    try {
        validate();
        if (nam) throw Error("a .nam capture is not a Serpent model; copy its file");
        bytes = write_safetensors(texts_from(metadata, config_text(config), format_version(config)), tensors(config, weights), type);
    } catch (const Error& error) {
        throw Error("cannot write " + path.string() + ": " + error.what());
    }
    write_file_atomically(path, bytes);
}

void Model::validate() const {
    if (nam) {
        if (!nam->network || config.channels != nam->network->in_channels) throw Error("the capture has no network, or other channels");
        check_rate_and_channels(config);
        return;
    }
    check_config(config);
    for (const TensorRef& tensor : tensors(config, weights)) check_values(tensor);
}

std::size_t Model::parameter_count() const { return nam ? nam->parameters : weights.values.size(); }

std::size_t Model::macs_per_sample() const {
    if (nam) return nam->macs_per_sample;
    const auto size = [](int value) { return static_cast<std::size_t>(value); };
    const std::size_t filters = size(config.fir_in) + size(config.fir_out);
    std::size_t sum = size(config.channels) * (2 * size(config.d_model) + (config.skip ? 1 : 0) + filters);
    for (int l = 0; l < config.n_layers; ++l) sum += config.block(l).macs();
    return sum;
}

} // namespace serpent
