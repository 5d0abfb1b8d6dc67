// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "random.h"
#include "serpent/kernels/device_peak.h"
#include "serpent/model.h"

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

namespace serpent::bench {

/// What a floor is computed from.
struct Machine {
    kernels::DevicePeaks peaks;
};

Machine measure_machine();
/// Rotating layers of 8/8/4 with dilations that grow by 3 from layer to layer, up to 243, and filters.
inline ModelConfig rotating_config(int layers) {
    ModelConfig c;
    c.d_model = 8, c.expand = 1, c.d_state = 4, c.n_layers = layers, c.skip = true, c.fir_in = 64, c.fir_out = 256;
    c.blocks = {BlockKind::rotating};
    c.dilations.clear();
    for (int l = 0, dilation = 1; l < layers; ++l, dilation = dilation < 243 ? 3 * dilation : 1) c.dilations.push_back(dilation);
    return c;
}

/// only_power: only the single sequence of 2^only_power samples; 0: all.
void print_scans(const Machine& machine, int only_power);
/// only: the name of one model; empty: all.
void print_models(const Machine& machine, const std::string& only);
void print_lengths();
void print_training();

/// Milliseconds of one call: the median of `runs` after a warm-up.
inline double median_ms(const std::function<void()>& call, int runs = 9) {
    kernels::DeviceTimer timer;
    call();
    std::vector<double> ms;
    for (int i = 0; i < runs; ++i) {
        timer.start();
        call();
        ms.push_back(timer.stop_ms());
    }
    std::nth_element(ms.begin(), ms.begin() + runs / 2, ms.end());
    return ms[static_cast<std::size_t>(runs / 2)];
}

inline kernels::DeviceBuffer random_buffer(std::size_t n, double low, double high, std::uint64_t seed) {
    std::vector<float> values(std::min<std::size_t>(n, 1 << 20));
    test::Random random(seed);
    for (float& v : values) v = static_cast<float>(random.uniform(low, high));
    kernels::DeviceBuffer buffer(n);
    for (std::size_t at = 0; at < n; at += values.size()) buffer.upload(values.data(), std::min(values.size(), n - at), at);
    return buffer;
}

} // namespace serpent::bench
