// SPDX-License-Identifier: MIT
// What the checkpoints of effects and of generators have in common: a safetensors file with weights and lanes as tensors, all
// else as JSON in its metadata. Readers trust nothing in it, since disks and other programs damage files.
#pragma once

#include "model/tensors.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace serpent::checkpoint {

struct Format {
    const char *name, *version;
};

class File {
public:
    /// The views point into `bytes`. Throws Error unless it is a checkpoint of this format.
    File(std::span<const std::byte> bytes, const Format& format);

    const nlohmann::json& progress() const noexcept { return progress_; }
    // Values may be infinite or NaN. Throws Error when a tensor is missing or has another shape: memory is only taken for what the
    // file holds.
    void take(const std::string& name, std::size_t size, std::vector<float>& values) const;
    /// All tensors of a model, under their names behind `prefix`.
    template <class Config, class Weights>
    void take(const Config& config, const std::string& prefix, Weights& weights) const {
        for (const TensorPlace& t : tensor_places(config, weights)) (void)found(prefix + t.name, t.shape);
        lay_out(config, weights);
        for (const TensorRef& t : tensors(config, weights)) read_values(found(prefix + t.name, t.shape), t.data, Values::any);
    }

private:
    const TensorView& found(const std::string& name, const std::vector<std::size_t>& shape) const;

    TensorMap tensors_;
    nlohmann::json progress_;
};

std::vector<std::byte> file_bytes(const Format& format, const nlohmann::json& progress, std::span<const TensorRef> tensors);

/// Calls `read` with the bytes of the file. Whatever it throws becomes an Error that names the file and says what to do.
void read_file_with(const std::filesystem::path& path, const std::function<void(std::span<const std::byte>)>& read);

/// FNV-1a over the bytes of all that is added.
struct Fingerprint {
    std::uint64_t value = 0xcbf29ce484222325u;

    template <class T>
    void add(std::span<const T> values) {
        for (const std::byte b : std::as_bytes(values)) value = (value ^ static_cast<std::uint64_t>(b)) * 0x100000001b3u;
    }
};

/// Numbers as JSON, which has no infinity and no NaN: those are texts.
nlohmann::json number_json(double value);
double number_of(const nlohmann::json& value);

/// Throws Error naming `what` unless `value` is a whole number from `least` to `most`.
std::int64_t count_of(const nlohmann::json& value, const char* what, std::int64_t most = std::numeric_limits<std::int64_t>::max(),
                      std::int64_t least = 0);
/// Any 64 bits.
std::uint64_t bits_of(const nlohmann::json& value, const char* what);

} // namespace serpent::checkpoint
