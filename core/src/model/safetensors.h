// SPDX-License-Identifier: MIT
// The container of a model file: named tensors and free texts. Knows nothing of models.
#pragma once

#include "serpent/model.h"

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace serpent {

/// A tensor inside somebody else's bytes.
struct TensorView {
    std::string name;
    TensorType type = TensorType::f32;
    std::vector<std::size_t> shape;
    std::span<const std::byte> bytes;
};

struct Safetensors {
    std::map<std::string, std::string> metadata;
    std::vector<TensorView> tensors;  ///< in the order of their data
};

/// Largest header that is read: 64 layers need some 200 kB, the rest is room for the training record.
inline constexpr std::size_t max_header_bytes = 8u << 20;

/// Checks the whole container: header length, JSON (depth, duplicate keys), types, shapes, offsets. The tensors' data
/// must follow one another from first to last byte, without gap or overlap. The views point into `bytes`.
/// Throws Error naming the field or tensor (not the file: the caller knows it).
Safetensors parse_safetensors(std::span<const std::byte> bytes);

/// Whether infinity and NaN, which a model must not have, are an Error; a training that diverged has them.
enum class Values { finite, any };

/// The values as float, as many as the tensor has; throws Error naming it at the first that `values` does not allow.
void read_values(const TensorView& tensor, std::span<float> to, Values values = Values::finite);

using TensorMap = std::map<std::string, TensorView>;

/// A whole file, as bytes. Throws Error naming the tensor if a value, as `type` has it, is not one that `values` allows.
std::vector<std::byte> write_safetensors(const std::map<std::string, std::string>& metadata, std::span<const TensorRef> tensors,
                                         TensorType type, Values values = Values::finite);

/// Largest file that is read: room for 256 million float32 weights.
inline constexpr std::size_t max_file_bytes = std::size_t{1} << 30;

/// Reads a whole file. Throws Error naming the file, before reading anything, when it has more than `max_bytes`.
std::vector<std::byte> read_file(const std::filesystem::path& path, std::size_t max_bytes = max_file_bytes);

/// "(16, 1, 4)"
std::string shape_text(std::span<const std::size_t> shape);

/// A name out of a stranger's file, safe to print: quoted, shortened, without control characters.
std::string printable(std::string_view text);

} // namespace serpent
