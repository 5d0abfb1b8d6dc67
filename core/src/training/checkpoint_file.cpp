// SPDX-License-Identifier: MIT
#include "training/checkpoint_file.h"

#include "model/json_text.h"
#include "serpent/errors.h"
#include "serpent/file_kind.h"

#include <cmath>

namespace serpent::checkpoint {
namespace {

constexpr std::size_t max_bytes = std::size_t{1} << 30;

using nlohmann::json;

} // namespace

File::File(std::span<const std::byte> bytes, const Format& format) {
    Safetensors file = parse_safetensors(bytes);
    if (file.metadata["format"] != format.name || file.metadata["format_version"] != format.version)
        throw Error(std::string("it is not a ") + format.name + " of this version of serpent");
    progress_ = parse_json(file.metadata["progress"], "its progress");
    for (TensorView& tensor : file.tensors) tensors_.emplace(tensor.name, tensor);
}

const TensorView& File::found(const std::string& name, const std::vector<std::size_t>& shape) const {
    const auto entry = tensors_.find(name);
    if (entry == tensors_.end() || entry->second.shape != shape) throw Error("its tensor " + name + " is missing or has the wrong shape");
    return entry->second;
}

void File::take(const std::string& name, std::size_t size, std::vector<float>& values) const {
    const TensorView& tensor = found(name, {size});
    values.resize(size);
    read_values(tensor, values, Values::any);
}

std::vector<std::byte> file_bytes(const Format& format, const json& progress, std::span<const TensorRef> tensors) {
    return write_safetensors({{"format", format.name}, {"format_version", format.version}, {"progress", json_text(progress)}}, tensors,
                             TensorType::f32, Values::any);
}

void read_file_with(const std::filesystem::path& path, const std::function<void(std::span<const std::byte>)>& read) {
    const std::vector<std::byte> bytes = read_file(path, max_bytes);
    const auto fail = [&](const std::string& why) {
        throw Error("the checkpoint " + path.string() + " cannot be used: " + why + "; train anew with --force instead of --resume");
    };
    try {
        read(bytes);
    } catch (const json::exception& error) {
        fail(std::string("its progress is damaged (") + error.what() + ")");
    } catch (const Error& error) {
        const FileKind kind = kind_of(bytes);
        const bool other = kind.group == FileKind::Group::model || kind.group == FileKind::Group::audio;
        fail(other ? "it is " + kind.name + ", not a checkpoint" : error.what());
    }
}

json number_json(double value) {
    if (std::isfinite(value)) return value;
    return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

double number_of(const json& value) {
    if (value.is_number()) return value.get<double>();
    if (value == "inf") return std::numeric_limits<double>::infinity();
    if (value == "-inf") return -std::numeric_limits<double>::infinity();
    if (value == "nan") return std::numeric_limits<double>::quiet_NaN();
    throw Error("it has " + json_text(value).substr(0, 40) + " in the place of a number");
}

std::int64_t count_of(const json& value, const char* what, std::int64_t most, std::int64_t least) {
    const bool whole = value.is_number_unsigned() ? value.get<std::uint64_t>() <= std::uint64_t(std::numeric_limits<std::int64_t>::max())
                                                  : value.is_number_integer();
    const std::int64_t count = whole ? value.get<std::int64_t>() : 0;
    if (!whole || count < least || count > most)
        throw Error(std::string("its ") + what + " is " + json_text(value).substr(0, 40) + ", which is out of range");
    return count;
}

std::uint64_t bits_of(const json& value, const char* what) {
    if (!value.is_number_unsigned()) throw Error(std::string("its ") + what + " is no whole number");
    return value.get<std::uint64_t>();
}

} // namespace serpent::checkpoint
