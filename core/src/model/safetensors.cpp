// SPDX-License-Identifier: MIT
#include "model/safetensors.h"

#include "model/half.h"
#include "model/json_text.h"
#include "serpent/errors.h"
#include "serpent/file_kind.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <system_error>

namespace serpent {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "the file's data is little-endian and read in place");

namespace {

constexpr std::size_t length_bytes = 8;
constexpr std::size_t max_rank = 8;

struct TypeName {
    TensorType type;
    const char* name;
    std::size_t bytes;
};
constexpr TypeName type_names[] = {{TensorType::f32, "F32", 4}, {TensorType::f16, "F16", 2}, {TensorType::bf16, "BF16", 2}};

const TypeName& entry_of(TensorType type) {
    return *std::find_if(std::begin(type_names), std::end(type_names), [&](const auto& t) { return t.type == type; });
}

const json& field(const json& object, const char* key, const std::string& owner) {
    const auto found = object.find(key);
    if (found == object.end()) throw Error(owner + " has no \"" + key + "\"");
    return *found;
}

std::vector<std::size_t> parse_sizes(const json& array, std::size_t max_length, const std::string& what) {
    if (!array.is_array() || array.size() > max_length) {
        throw Error(what + " must be a list of at most " + std::to_string(max_length) + " numbers");
    }
    std::vector<std::size_t> sizes;
    for (const json& value : array) {
        if (!value.is_number_unsigned()) throw Error(what + " must hold whole numbers from 0 to 2^64 - 1");
        sizes.push_back(value.get<std::uint64_t>());
    }
    return sizes;
}

/// Bytes that a tensor of this shape fills; throws when that is more than `available`.
std::size_t bytes_of(std::span<const std::size_t> shape, std::size_t element_bytes, std::size_t available,
                     const std::string& owner) {
    if (std::find(shape.begin(), shape.end(), 0u) != shape.end()) return 0;
    std::size_t bytes = element_bytes;
    for (const std::size_t size : shape) {
        if (size > available / bytes) throw Error(owner + " has shape " + shape_text(shape) + ", more than the file holds");
        bytes *= size;
    }
    return bytes;
}

TensorView parse_tensor(const std::string& name, const json& entry, std::span<const std::byte> data) {
    const std::string owner = "tensor " + printable(name);
    if (!entry.is_object()) throw Error(owner + " must be a JSON object");
    const json& dtype = field(entry, "dtype", owner);
    if (!dtype.is_string()) throw Error(owner + " has a \"dtype\" that is not a text");
    const auto& type_text = dtype.get_ref<const std::string&>();
    const auto type = std::find_if(std::begin(type_names), std::end(type_names),
                                   [&](const TypeName& t) { return type_text == t.name; });
    if (type == std::end(type_names)) {
        throw Error(owner + " has dtype " + printable(type_text) + "; only F32, F16 and BF16 are supported");
    }
    TensorView tensor{name, type->type, parse_sizes(field(entry, "shape", owner), max_rank, owner + ": \"shape\""), {}};
    const auto offsets = parse_sizes(field(entry, "data_offsets", owner), 2, owner + ": \"data_offsets\"");
    if (offsets.size() != 2) throw Error(owner + ": \"data_offsets\" must hold two numbers");
    const std::size_t begin = offsets[0], end = offsets[1];
    if (begin > end || end > data.size()) {
        throw Error(owner + " has data_offsets " + shape_text(offsets) + ", but the file holds " +
                    std::to_string(data.size()) + " bytes of data");
    }
    const std::size_t bytes = bytes_of(tensor.shape, type->bytes, data.size(), owner);
    if (end - begin != bytes) {
        throw Error(owner + " has " + std::to_string(end - begin) + " bytes of data, its shape " +
                    shape_text(tensor.shape) + " needs " + std::to_string(bytes));
    }
    tensor.bytes = data.subspan(begin, bytes);
    return tensor;
}

std::map<std::string, std::string> parse_metadata(const json& entry) {
    if (!entry.is_object()) throw Error("__metadata__ must be a JSON object");
    std::map<std::string, std::string> metadata;
    for (const auto& [key, value] : entry.items()) {
        if (!value.is_string()) throw Error("__metadata__ entry " + printable(key) + " must be a text");
        metadata[key] = value.get<std::string>();
    }
    return metadata;
}

/// Sorts by place and proves that the tensors tile the data exactly.
void check_layout(std::vector<TensorView>& tensors, std::span<const std::byte> data) {
    const auto end_of = [](const TensorView& t) { return t.bytes.data() + t.bytes.size(); };
    std::stable_sort(tensors.begin(), tensors.end(), [&](const TensorView& a, const TensorView& b) {
        return a.bytes.data() != b.bytes.data() ? a.bytes.data() < b.bytes.data() : end_of(a) < end_of(b);
    });
    const std::byte* place = data.data();
    for (const TensorView& tensor : tensors) {
        if (tensor.bytes.data() < place) throw Error("tensor " + printable(tensor.name) + " overlaps the tensor before it");
        if (tensor.bytes.data() > place) throw Error("there are unused bytes before tensor " + printable(tensor.name));
        place = end_of(tensor);
    }
    const std::size_t rest = static_cast<std::size_t>(data.data() + data.size() - place);
    if (rest != 0) throw Error("there are " + std::to_string(rest) + " unused bytes after the last tensor");
}

template <class Element, class Convert>
void convert_all(std::span<const std::byte> bytes, std::span<float> values, Convert convert) {
    for (std::size_t i = 0; i < values.size(); ++i) {
        Element element;
        std::memcpy(&element, bytes.data() + i * sizeof element, sizeof element);
        values[i] = convert(element);
    }
}

void append_values(std::vector<std::byte>& out, const TensorRef& tensor, TensorType type, Values values) {
    const auto append = [&](const auto element) {
        const auto* bytes = reinterpret_cast<const std::byte*>(&element);
        out.insert(out.end(), bytes, bytes + sizeof element);
    };
    for (const float value : tensor.data) {
        const std::uint16_t half = type == TensorType::f16 ? float_to_f16(value) : float_to_bf16(value);
        const float stored = type == TensorType::f32 ? value : type == TensorType::f16 ? f16_to_float(half) : bf16_to_float(half);
        if (values == Values::finite && !std::isfinite(stored)) {
            throw Error("tensor " + printable(tensor.name) + " holds " + std::to_string(value) + ", which " +
                        entry_of(type).name + " cannot express" +
                        (std::isfinite(value) ? "; save as F32" : "; the training has diverged"));
        }
        if (type == TensorType::f32) append(value);
        else append(half);
    }
}

} // namespace

std::string shape_text(std::span<const std::size_t> shape) {
    std::string text;
    for (const std::size_t size : shape) text += (text.empty() ? "" : ", ") + std::to_string(size);
    return "(" + text + ")";
}

std::string printable(std::string_view text) {
    constexpr std::size_t longest = 80;
    std::string shown;
    for (const char c : text.substr(0, longest)) {
        const auto code = static_cast<unsigned char>(c);
        shown += code < 0x20 || code >= 0x7f ? '?' : c;
    }
    return "\"" + shown + (text.size() > longest ? "...\"" : "\"");
}

Safetensors parse_safetensors(std::span<const std::byte> bytes) {
    if (bytes.empty()) throw Error("the file is empty");
    if (bytes.size() < length_bytes) throw Error("the file is too short to be a safetensors file");
    std::uint64_t header_bytes = 0;
    std::memcpy(&header_bytes, bytes.data(), length_bytes);
    const std::size_t available = bytes.size() - length_bytes;
    if (header_bytes > available) {
        throw Error("not a safetensors file, or cut short: its header should have " + std::to_string(header_bytes) +
                    " bytes, but only " + std::to_string(available) + " follow");
    }
    if (header_bytes > max_header_bytes) {
        throw Error("the header has " + std::to_string(header_bytes) + " bytes; at most " +
                    std::to_string(max_header_bytes) + " are read");
    }
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + length_bytes, header_bytes);
    const std::span<const std::byte> data = bytes.subspan(length_bytes + header_bytes);
    const json header = parse_json(text, "the header");
    if (!header.is_object()) throw Error("the header must be a JSON object");

    Safetensors file;
    for (const auto& [name, entry] : header.items()) {
        if (name == "__metadata__") file.metadata = parse_metadata(entry);
        else file.tensors.push_back(parse_tensor(name, entry, data));
    }
    check_layout(file.tensors, data);
    return file;
}

void read_values(const TensorView& tensor, std::span<float> to, Values allowed) {
    switch (tensor.type) {
    case TensorType::f32: convert_all<float>(tensor.bytes, to, [](float v) { return v; }); break;
    case TensorType::f16: convert_all<std::uint16_t>(tensor.bytes, to, f16_to_float); break;
    case TensorType::bf16: convert_all<std::uint16_t>(tensor.bytes, to, bf16_to_float); break;
    }
    if (allowed == Values::any) return;
    const auto bad = std::find_if(to.begin(), to.end(), [](float v) { return !std::isfinite(v); });
    if (bad != to.end()) {
        throw Error("tensor " + printable(tensor.name) + " holds a value that is not finite, at index " + std::to_string(bad - to.begin()));
    }
}

std::vector<std::byte> write_safetensors(const std::map<std::string, std::string>& metadata, std::span<const TensorRef> tensors,
                                         TensorType type, Values values) {
    nlohmann::ordered_json header;
    header["__metadata__"] = metadata;
    std::vector<std::byte> data;
    for (const TensorRef& tensor : tensors) {
        if (tensor.optional && tensor.data.empty()) continue;
        const std::size_t begin = data.size();
        append_values(data, tensor, type, values);
        header[tensor.name] = {{"dtype", entry_of(type).name}, {"shape", tensor.shape}, {"data_offsets", {begin, data.size()}}};
    }
    std::string text = json_text(header);
    text.resize((text.size() + length_bytes - 1) / length_bytes * length_bytes, ' ');  // aligns the data
    if (text.size() > max_header_bytes) throw Error("the metadata texts are too long; shorten them");
    const std::uint64_t header_bytes = text.size();
    std::vector<std::byte> file(length_bytes + text.size() + data.size());
    std::memcpy(file.data(), &header_bytes, length_bytes);
    std::memcpy(file.data() + length_bytes, text.data(), text.size());
    std::copy(data.begin(), data.end(), file.begin() + static_cast<std::ptrdiff_t>(length_bytes + text.size()));
    return file;
}

std::vector<std::byte> read_file(const std::filesystem::path& path, std::size_t max_bytes) {
    const auto fail = [&](const std::string& reason) { throw Error("cannot read " + path.string() + ": " + reason); };
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (!std::filesystem::exists(status)) fail(error ? error.message() : "there is no such file");
    if (std::filesystem::is_directory(status)) fail("it is a folder; give a file");
    if (!std::filesystem::is_regular_file(status)) fail("it is not a regular file");
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.string().c_str(), "rb"), std::fclose);
    if (!file) fail(std::generic_category().message(errno));
    const std::uintmax_t size = std::filesystem::file_size(path, error);
    if (error) fail(error.message());
    if (size > max_bytes) {
        if (const std::string other = kind_of_file(path).instead_of_model(); !other.empty()) fail(other);
        fail("it has " + std::to_string(size) + " bytes; at most " + std::to_string(max_bytes) + " are read");
    }
    std::vector<std::byte> bytes(static_cast<std::size_t>(size));
    if (std::fread(bytes.data(), 1, bytes.size(), file.get()) != bytes.size()) fail("it could not be read to its end");
    return bytes;
}

} // namespace serpent
