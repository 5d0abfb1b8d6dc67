// SPDX-License-Identifier: GPL-3.0-or-later
// libFuzzer target for .nam captures: the reader, and the engine on what the reader accepts.
#include "nam/build.h"
#include "serpent/errors.h"
#include "serpent/kernels/network.h"
#include "serpent/nam.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <optional>

using namespace serpent;

namespace {

constexpr std::size_t most_macs = 20000;
constexpr int samples = 100, longest_reach = 3000, longest_settling = 200;

/// Plays loud noise in two ways of cutting it; both must give the same finite samples.
void play(const Model& model) {
    kernels::Network network = nam::engine_network(*model.nam->network);
    network.settling = std::min(longest_settling, nam::settling_of(*model.nam->network));
    kernels::NetEngine whole(network), parts(network);
    const auto channels = static_cast<std::size_t>(model.config.channels);
    std::vector<std::vector<float>> in(channels, std::vector<float>(samples)), a = in, b = in;
    std::uint32_t noise = 1;
    for (auto& channel : in)
        for (float& x : channel) noise = noise * 1664525u + 1013904223u, x = static_cast<float>(noise >> 8) / 8388608.0f - 1.0f;
    std::vector<const float*> from;
    std::vector<float*> to_a, to_b;
    for (std::size_t c = 0; c < channels; ++c) from.push_back(in[c].data()), to_a.push_back(a[c].data()), to_b.push_back(b[c].data());
    bool finite = true;
    for (int t = 0; t < samples; t += 50) finite = whole.process(from.data(), to_a.data(), t, 50) && finite;
    for (int t = 0; t < samples; ++t) finite = parts.process(from.data(), to_b.data(), t, 1) && finite;
    if (finite && a != b) std::abort();
    for (const auto& channel : a)
        for (const float y : channel)
            if (!std::isfinite(y)) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::optional<Model> model;
    try {
        model = Model::parse(std::as_bytes(std::span(data, size)), "fuzz");
        if (!model->nam) return 0;
    } catch (const Error&) {
        return 0;
    }
    if (model->parameter_count() == 0) std::abort();
    for (const double wanted : model->nam->sizes) {
        try {
            const Model sized = nam_at_size(*model, wanted);
            if (sized.macs_per_sample() <= most_macs && sized.nam->reach <= longest_reach) play(sized);
        } catch (const Error&) {
        }
    }
    return 0;
}
