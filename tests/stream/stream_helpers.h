// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "close.h"
#include "golden_file.h"
#include "random.h"
#include "serpent/stream.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace serpent::test {

/// docs/architecture.md, numerics: the float32 budget against float64, relative to the rms of the reference output.
inline bool within_budget(const Distance& d) { return d.within(1e-5, 1e-4); }

using Planar = std::vector<std::vector<float>>;  // [channel][sample]

inline Planar planar(const std::vector<float>& interleaved, std::size_t channels) {
    Planar signal(channels, std::vector<float>(interleaved.size() / channels));
    for (std::size_t i = 0; i < interleaved.size(); ++i) signal[i % channels][i / channels] = interleaved[i];
    return signal;
}

inline std::vector<float> interleaved(const Planar& signal) {
    std::vector<float> samples;
    for (std::size_t t = 0; t < signal[0].size(); ++t)
        for (const auto& channel : signal) samples.push_back(channel[t]);
    return samples;
}

/// One process() call of a Stream or a Player on samples [first, first + n).
template <class Plays>
void process(Plays& stream, const Planar& in, Planar& out, std::size_t first, std::size_t n) {
    std::vector<const float*> from;
    std::vector<float*> to;
    for (const auto& channel : in) from.push_back(channel.data() + first);
    for (auto& channel : out) to.push_back(channel.data() + first);
    stream.process(from.data(), to.data(), static_cast<int>(n));
}

/// The whole signal in blocks of the given sizes, over and over.
template <class Plays>
Planar play(Plays& stream, const Planar& in, const std::vector<std::size_t>& blocks) {
    Planar out(in.size(), std::vector<float>(in[0].size(), NAN));
    std::size_t at = 0;
    for (std::size_t i = 0; at < in[0].size(); ++i) {
        const std::size_t n = std::min(blocks[i % blocks.size()], in[0].size() - at);
        process(stream, in, out, at, n);
        at += n;
    }
    return out;
}

inline std::shared_ptr<const Model> golden_model(const std::string& name) {
    return std::make_shared<Model>(Model::load(std::string(SERPENT_TEST_DATA) + "/models/" + name + ".safetensors"));
}

inline std::shared_ptr<const Model> shipped_model(const std::string& name) {
    return std::make_shared<Model>(Model::load(std::string(SERPENT_ASSETS) + "/models/" + name + ".safetensors"));
}

/// Of the effects among the models in assets.
inline std::vector<std::string> shipped_names() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(SERPENT_ASSETS "/models"))
        if (entry.path().extension() == ".safetensors") names.push_back(entry.path().stem().string());
    std::sort(names.begin(), names.end());
    return names;
}

/// `suffix` is "in", "out" and the like.
inline Planar golden_audio(const std::string& name, const std::string& suffix) {
    const GoldenWav wav("models/" + name + "_" + suffix + ".wav");
    return planar(wav.samples, static_cast<std::size_t>(wav.channels));
}

inline Planar first_samples(Planar signal, std::size_t n) {
    for (auto& channel : signal) channel.resize(std::min(n, channel.size()));
    return signal;
}

inline Planar noise(std::size_t channels, std::size_t n, std::uint64_t seed = 1) {
    Random random(seed);
    Planar signal;
    for (std::size_t c = 0; c < channels; ++c) signal.push_back(random.vector<float>(n, -0.7, 0.7));
    return signal;
}

inline Planar silence(std::size_t channels, std::size_t n) { return Planar(channels, std::vector<float>(n, 0.0f)); }

} // namespace serpent::test
