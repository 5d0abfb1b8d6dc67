// SPDX-License-Identifier: MIT
// What a .nam file says, read and checked. Weights are as they stand in the file; nam/plain.h is what they mean.
#pragma once

#include "serpent/kernels/network.h"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace serpent::nam {

using Function = kernels::NetFunction;

/// weight (out, in / groups, kernel), the newest tap last; bias (out) or empty. Causal.
struct Conv {
    int in = 1, out = 1, kernel = 1, dilation = 1, groups = 1;
    std::vector<float> weight, bias;

    int past() const { return (kernel - 1) * dilation; }
};

/// x <- scale x (+ shift), both from the condition: conv makes all scales, then all shifts.
struct Film {
    Conv conv;
    bool shift = true;
};
enum FilmPlace {
    conv_pre_film, conv_post_film, input_mixin_pre_film, input_mixin_post_film, activation_pre_film, activation_post_film,
    layer1x1_post_film, head1x1_post_film
};
inline constexpr std::array film_names{"conv_pre_film",       "conv_post_film",       "input_mixin_pre_film", "input_mixin_post_film",
                                       "activation_pre_film", "activation_post_film", "layer1x1_post_film",   "head1x1_post_film"};

enum class Gating { none, gated, blended };

struct Layer {
    Conv conv, mixin;  // to bottleneck channels, or twice as many with gating
    Function f, g;
    Gating gating = Gating::none;
    std::optional<Conv> layer1x1, head1x1;
    std::array<std::optional<Film>, film_names.size()> films;
};

struct LayerArray {
    int channels = 1, bottleneck = 1;
    Conv rechannel, head;
    std::vector<Layer> layers;
    std::vector<int> allowed;  // channels that it may be cut to, the last all; empty: only as it is
};

struct Network;

struct WaveNet {
    std::shared_ptr<const Network> condition;  // or none: the input
    std::vector<LayerArray> arrays;
    float head_scale = 1.0f;
    std::vector<std::pair<Function, Conv>> head;  // behind it all
};

/// weight (4 hidden, in + hidden) for the gates i, f, g, o.
struct LstmCell {
    int in = 1, hidden = 1;
    std::vector<float> weight, bias, h, c;
};
struct Lstm {
    std::vector<LstmCell> cells;
    Conv head;
};

/// out = f(scale conv + offset); the two may be empty.
struct ConvNetBlock {
    Conv conv;
    std::vector<float> scale, offset;
    Function f;
};
struct ConvNet {
    std::vector<ConvNetBlock> blocks;
    Conv head;
};

/// The tap of the present sample first.
struct Linear {
    std::vector<float> taps;
    float bias = 0.0f;
};

struct Network {
    std::string version, architecture;
    int in_channels = 1, out_channels = 1;
    std::optional<double> sample_rate_hz;
    std::size_t parameters = 0;
    std::variant<WaveNet, Lstm, ConvNet, Linear> what;
};

/// A file: one network, or several of which one is chosen by its size.
struct File {
    struct Choice {
        double below;  // sizes up to here choose it
        std::shared_ptr<const Network> network;
    };
    std::vector<Choice> choices;
};

} // namespace serpent::nam
