// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "close.h"
#include "nam/nam_writer.h"
#include "random.h"
#include "serpent/nam.h"
#include "serpent/stream.h"

#include "nam/network.h"
#include "nam/plain.h"

#include <cmath>
#include <memory>
#include <string>
#include <vector>

namespace serpent::test {

inline std::shared_ptr<const Model> nam_model(const std::string& text) {
    return std::make_shared<const Model>(Model::parse(std::as_bytes(std::span(text)), "test.nam"));
}
inline std::shared_ptr<const Model> nam_model(const json& file) { return nam_model(file.dump()); }

using Planar = std::vector<std::vector<float>>;

/// Noise that comes and goes, another in every channel.
inline Planar nam_signal(int channels, std::size_t n) {
    Random random(99);
    Planar signal;
    for (int c = 0; c < channels; ++c) {
        signal.push_back(random.vector<float>(n, -0.5, 0.5));
        for (std::size_t t = 0; t < n; ++t) signal.back()[t] *= static_cast<float>(0.5 + 0.5 * std::sin(0.003 * static_cast<double>(t)));
    }
    return signal;
}

/// In float64, after `zeros` samples of silence.
inline std::vector<std::vector<double>> plain_answer(const Model& model, const Planar& in, std::size_t zeros) {
    nam::Signal<double> padded;
    for (const auto& channel : in) {
        padded.emplace_back(zeros, 0.0);
        padded.back().insert(padded.back().end(), channel.begin(), channel.end());
    }
    nam::Signal<double> out = nam::plain_network(*model.nam->network, padded);
    for (auto& channel : out) channel.erase(channel.begin(), channel.begin() + static_cast<std::ptrdiff_t>(zeros));
    return out;
}

template <class Plays>
Planar play_blocks(Plays& stream, const Planar& in, const std::vector<int>& blocks) {
    Planar out(in.size(), std::vector<float>(in[0].size(), NAN));
    std::vector<const float*> from(in.size());
    std::vector<float*> to(in.size());
    const int n = static_cast<int>(in[0].size());
    for (int first = 0, i = 0; first < n; ++i) {
        const int part = std::min(blocks[static_cast<std::size_t>(i) % blocks.size()], n - first);
        for (std::size_t c = 0; c < in.size(); ++c) from[c] = in[c].data() + first, to[c] = out[c].data() + first;
        stream.process(from.data(), to.data(), part);
        first += part;
    }
    return out;
}

} // namespace serpent::test
