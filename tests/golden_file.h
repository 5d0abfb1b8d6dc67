// SPDX-License-Identifier: GPL-3.0-or-later
// Readers for the golden files under tests/data, independent of the library's own: float32 safetensors and float32 WAV.
#pragma once

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace serpent::test {

inline std::string read_bytes(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file)
        throw std::runtime_error("cannot open " + path);
    return {std::istreambuf_iterator<char>(file), {}};
}

struct GoldenTensor {
    std::vector<std::size_t> shape;
    std::vector<double> values; // float32 in the file
};

class GoldenFile {
public:
    /// name: relative to tests/data/golden.
    explicit GoldenFile(const std::string& name) {
        const std::string bytes = read_bytes(std::string(SERPENT_TEST_DATA) + "/golden/" + name);
        std::uint64_t header_size = 0;
        std::memcpy(&header_size, bytes.data(), 8);
        const auto header = nlohmann::json::parse(bytes.substr(8, header_size));
        for (const auto& [key, entry] : header.items()) {
            if (key == "__metadata__") {
                metadata_ = entry;
                continue;
            }
            if (entry.at("dtype") != "F32")
                throw std::runtime_error(name + ": " + key + " is not F32");
            const auto begin = entry.at("data_offsets").at(0).get<std::size_t>();
            const auto end = entry.at("data_offsets").at(1).get<std::size_t>();
            std::vector<float> raw((end - begin) / sizeof(float));
            std::memcpy(raw.data(), bytes.data() + 8 + header_size + begin, end - begin);
            tensors_[key] = {entry.at("shape").get<std::vector<std::size_t>>(), {raw.begin(), raw.end()}};
        }
    }

    bool has(const std::string& name) const { return tensors_.count(name) != 0; }
    const GoldenTensor& operator[](const std::string& name) const { return tensors_.at(name); }
    const nlohmann::json& metadata() const { return metadata_; }

private:
    std::map<std::string, GoldenTensor> tensors_;
    nlohmann::json metadata_;
};

/// Interleaved samples of a float32 WAV file, at most 4 GiB, whose path is relative to tests/data.
struct GoldenWav {
    int channels = 0;
    std::vector<float> samples;

    explicit GoldenWav(const std::string& name) {
        const std::string bytes = read_bytes(std::string(SERPENT_TEST_DATA) + "/" + name);
        for (std::size_t at = 12; at + 8 <= bytes.size();) {
            std::uint32_t size = 0;
            std::memcpy(&size, bytes.data() + at + 4, 4);
            const std::string id = bytes.substr(at, 4);
            if (id == "fmt ")
                channels = static_cast<unsigned char>(bytes.at(at + 10));
            if (id == "data") {
                samples.resize(size / sizeof(float));
                std::memcpy(samples.data(), bytes.data() + at + 8, samples.size() * sizeof(float));
            }
            at += 8 + size + size % 2;
        }
        if (channels == 0 || samples.empty())
            throw std::runtime_error(name + " is not a WAV file with samples");
    }
};

} // namespace serpent::test
