// SPDX-License-Identifier: GPL-3.0-or-later
// Writes .nam files with random weights, from the public description of the format; knows nothing of the reader.
#pragma once

#include "random.h"

#include <nlohmann/json.hpp>

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace serpent::test {

using nlohmann::json;

inline json film(bool shift, int groups = 1) { return {{"active", true}, {"shift", shift}, {"groups", groups}}; }
inline json one_by_one(int out_channels, int groups) { return {{"active", true}, {"out_channels", out_channels}, {"groups", groups}}; }

/// An array of layers as every version may have it; `more` adds or replaces fields.
inline json layer_array(int input, int condition, int channels, std::vector<int> dilations, json more) {
    json layers = {{"input_size", input}, {"condition_size", condition}, {"channels", channels}, {"dilations", std::move(dilations)},
                   {"activation", "Tanh"}, {"head_bias", false}};
    layers.update(more);
    return layers;
}

class NamWriter {
public:
    explicit NamWriter(std::uint64_t seed) : random_(seed) {}

    json wavenet(std::vector<json> arrays, json more = json::object(), const char* version = "0.7.0") {
        weights_.clear();
        for (const json& array : arrays) add_array(array);
        json config = {{"layers", arrays}, {"head", nullptr}, {"head_scale", 0.5}};
        config.update(more);
        if (config["head"].is_object()) add_head(config["head"], head_size(arrays.back()));
        weights_.push_back(0.5f);
        return file("WaveNet", config, version);
    }

    json lstm(int layers, int hidden, json more = json::object()) {
        weights_.clear();
        const int inputs = more.value("input_size", 1), outputs = more.value("out_channels", 1);
        for (int l = 0; l < layers; ++l) {
            const int in = l == 0 ? inputs : hidden;
            add(4 * hidden * (in + hidden), in + hidden), add(4 * hidden, 4), add(2 * hidden, 4);
        }
        add(outputs * hidden, hidden), add(outputs, 16);
        json config = {{"num_layers", layers}, {"input_size", inputs}, {"hidden_size", hidden}};
        config.update(more);
        return file("LSTM", config, "0.5.4");
    }

    json conv_net(int channels, std::vector<int> dilations, bool batchnorm, json more = json::object()) {
        weights_.clear();
        const int groups = more.value("groups", 1);
        int in = more.value("in_channels", 1);
        const int out = more.value("out_channels", 1);
        for (std::size_t i = 0; i < dilations.size(); ++i, in = channels) {
            add(channels * (in / groups) * 2, 2 * in / groups);
            if (!batchnorm) add(channels, 4);
            else add(channels, 9), add_between(channels, 0.1, 1.5), add_between(channels, 0.5, 1.5), add(channels, 9), weights_.push_back(1e-5f);
        }
        add(out * channels, channels), add(out, 16);
        json config = {{"channels", channels}, {"dilations", dilations}, {"batchnorm", batchnorm}, {"activation", "Tanh"}};
        config.update(more);
        return file("ConvNet", config, "0.5.2");
    }

    json linear(int taps, bool bias) {
        weights_.clear();
        add(taps, taps);
        if (bias) add(1, 16);
        return file("Linear", {{"receptive_field", taps}, {"bias", bias}}, "0.5.0");
    }

    static json container(std::vector<std::pair<double, json>> parts) {
        json submodels = json::array();
        for (auto& [max_value, model] : parts) submodels.push_back({{"max_value", max_value}, {"model", model}});
        return {{"version", "0.7.0"}, {"architecture", "SlimmableContainer"}, {"config", {{"submodels", submodels}}},
                {"weights", json::array()}, {"sample_rate", 48000}};
    }

private:
    /// n weights, such that a sum over `fan` of them keeps signals of order 1.
    void add(int n, int fan) { add_between(n, -1.5 / std::sqrt(fan), 1.5 / std::sqrt(fan)); }
    void add_between(int n, double low, double high) {
        for (const float w : random_.vector<float>(static_cast<std::size_t>(n), low, high)) weights_.push_back(w);
    }
    void add_conv(int in, int out, int kernel, int groups, bool bias) {
        add(out * (in / groups) * kernel, in / groups * kernel);
        if (bias) add(out, 9);
    }

    static int head_size(const json& a) { return a.contains("head") ? a["head"]["out_channels"].get<int>() : a["head_size"].get<int>(); }

    void add_array(const json& a) {
        const int channels = a["channels"], bottleneck = a.value("bottleneck", channels), condition = a["condition_size"];
        const bool head1x1 = a.contains("head1x1") && a["head1x1"]["active"], layer1x1 = !a.contains("layer1x1") || a["layer1x1"]["active"];
        const int head_channels = head1x1 ? a["head1x1"]["out_channels"].get<int>() : bottleneck;
        add_conv(a["input_size"], channels, 1, 1, false);
        for (std::size_t l = 0; l < a["dilations"].size(); ++l) {
            const json mode = !a.contains("gating_mode") ? json(a.value("gated", false) ? "gated" : "none")
                              : a["gating_mode"].is_array() ? a["gating_mode"][l] : a["gating_mode"];
            const int middle = mode == "none" ? bottleneck : 2 * bottleneck;
            add_conv(channels, middle, a.contains("kernel_sizes") ? a["kernel_sizes"][l].get<int>() : a["kernel_size"].get<int>(),
                     a.value("groups_input", 1), true);
            add_conv(condition, middle, 1, a.value("groups_input_mixin", 1), false);
            if (layer1x1) add_conv(bottleneck, channels, 1, a.contains("layer1x1") ? a["layer1x1"].value("groups", 1) : 1, true);
            if (head1x1) add_conv(bottleneck, head_channels, 1, a["head1x1"].value("groups", 1), true);
            const std::pair<const char*, int> films[] = {
                {"conv_pre_film", channels}, {"conv_post_film", middle}, {"input_mixin_pre_film", condition},
                {"input_mixin_post_film", middle}, {"activation_pre_film", middle}, {"activation_post_film", bottleneck},
                {"layer1x1_post_film", channels}, {"head1x1_post_film", head_channels}};
            for (const auto& [name, width] : films)
                if (a.contains(name) && a[name].is_object() && a[name]["active"])
                    add_conv(condition, (a[name].value("shift", true) ? 2 : 1) * width, 1, a[name].value("groups", 1), true);
        }
        const bool has_head = a.contains("head");
        add_conv(head_channels, head_size(a), has_head ? a["head"]["kernel_size"].get<int>() : 1, 1,
                 has_head ? a["head"]["bias"].get<bool>() : a["head_bias"].get<bool>());
    }

    void add_head(const json& head, int in) {
        const json& kernels = head["kernel_sizes"];
        for (std::size_t i = 0; i < kernels.size(); ++i) {
            const int out = head[i + 1 == kernels.size() ? "out_channels" : "channels"];
            add_conv(in, out, kernels[i], 1, true);
            in = out;
        }
    }

    json file(const char* architecture, json config, const char* version) {
        return {{"version", version}, {"architecture", architecture}, {"config", std::move(config)}, {"weights", weights_},
                {"sample_rate", 48000}};
    }

    Random random_;
    std::vector<float> weights_;
};

struct NamCase {
    std::string name;
    json file;
};

/// The kernel, dilations and functions of the larger of the two sizes that most captures now have.
inline json many_kernels(int channels) {
    std::vector<int> dilations, sizes;
    for (const int d : {1, 3, 7, 17, 41, 101, 239}) dilations.push_back(d), sizes.push_back(6);
    dilations.push_back(1), sizes.push_back(15);
    return layer_array(1, 1, channels, dilations,
                       {{"kernel_sizes", sizes}, {"activation", {{"type", "LeakyReLU"}, {"negative_slope", 0.01}}},
                        {"head", {{"out_channels", 1}, {"kernel_size", 16}, {"bias", true}}}, {"bottleneck", channels},
                        {"gating_mode", std::vector<std::string>(dilations.size(), "none")}, {"slimmable", nullptr}});
}

inline json all_films(bool shift) {
    json films;
    for (const char* name : {"conv_pre_film", "conv_post_film", "input_mixin_pre_film", "input_mixin_post_film", "activation_pre_film",
                             "activation_post_film", "layer1x1_post_film", "head1x1_post_film"})
        films[name] = film(shift);
    return films;
}

/// One file for every architecture and option.
inline std::vector<NamCase> nam_cases() {
    NamWriter w(7);
    std::vector<NamCase> cases;
    const json head1 = {{"head_size", 1}, {"kernel_size", 3}};
    const auto with = [](json a, const json& b) { a.update(b); return a; };
    cases.push_back({"two arrays", w.wavenet({layer_array(1, 1, 16, {1, 2, 4, 8, 16}, {{"head_size", 8}, {"kernel_size", 3}, {"gated", false}}),
                                              layer_array(16, 1, 8, {1, 2, 4, 8}, with(head1, {{"head_bias", true}}))}, json::object(), "0.5.0")});
    cases.push_back({"gated", w.wavenet({layer_array(1, 1, 6, {1, 2, 4}, with(head1, {{"gated", true}}))}, json::object(), "0.5.2")});
    cases.push_back({"many kernels, 8 channels", w.wavenet({many_kernels(8)})});
    cases.push_back({"many kernels, 3 channels", w.wavenet({many_kernels(3)})});
    const std::vector<json> functions = {
        "Tanh", {{"type", "Hardtanh"}, {"min_val", -0.5}, {"max_val", 0.75}}, "Fasttanh", {{"type", "ReLU"}}, {{"type", "LeakyReLU"}, {"negative_slope", 0.2}},
        "PReLU", {{"type", "PReLU"}, {"negative_slopes", {0.1, -0.2, 0.3, 0.4, 0.5}}}, "Sigmoid", "SiLU", "Hardswish", "LeakyHardtanh",
        {{"type", "LeakyHardtanh"}, {"min_val", -0.4}, {"max_val", 0.3}, {"min_slope", 0.1}, {"max_slope", 0.2}}, "Softsign", "Softsigmoid", "Identity"};
    std::vector<int> ones(functions.size(), 1);
    cases.push_back({"every function", w.wavenet({layer_array(1, 1, 5, ones, with(head1, {{"activation", functions}}))})});
    std::vector<std::string> modes;
    std::vector<json> seconds(functions.rbegin(), functions.rend());
    for (std::size_t i = 0; i < functions.size(); ++i) modes.push_back(i % 3 == 0 ? "blended" : i % 3 == 1 ? "gated" : "none");
    cases.push_back({"every gate", w.wavenet({layer_array(1, 1, 5, ones, with(head1, {{"activation", functions}, {"gating_mode", modes},
                                                                                       {"secondary_activation", seconds}}))})});
    for (const bool shift : {true, false})
        for (const char* mode : {"none", "gated", "blended"})
            cases.push_back({std::string("every film, ") + mode + (shift ? ", with shift" : ""),
                             w.wavenet({layer_array(1, 1, 4, {1, 5}, with(with(head1, all_films(shift)),
                                                                          {{"gating_mode", mode}, {"bottleneck", 6}, {"head1x1", one_by_one(3, 1)}}))})});
    for (const char* name : {"conv_pre_film", "conv_post_film", "input_mixin_pre_film", "input_mixin_post_film", "activation_pre_film",
                             "activation_post_film", "layer1x1_post_film"})
        cases.push_back({std::string("only ") + name, w.wavenet({layer_array(1, 1, 9, {1, 3}, with(head1, {{name, film(true)}}))})});
    const json condition = w.wavenet({layer_array(1, 1, 3, {1, 2}, {{"head_size", 3}, {"kernel_size", 3}})}, json::object(), "0.6.0");
    const json grouped = with(head1, {{"groups_input", 4}, {"bottleneck", 4}, {"layer1x1", one_by_one(1, 2)}, {"head1x1", one_by_one(6, 2)},
                                      {"conv_post_film", film(true)}});
    cases.push_back({"groups", w.wavenet({layer_array(1, 3, 8, {1, 2}, grouped)}, {{"condition_dsp", condition}}, "0.6.0")});
    const json halves = with(head1, {{"groups_input_mixin", 2}, {"activation_pre_film", film(true, 2)}});
    cases.push_back({"groups of the condition", w.wavenet({layer_array(2, 2, 8, {1, 2}, with(halves, {{"head_size", 2}}))}, {{"in_channels", 2}})});
    const json recurrent = w.lstm(1, 4, {{"out_channels", 2}});
    cases.push_back({"conditioned on an LSTM", w.wavenet({layer_array(1, 2, 4, {1, 9}, head1)}, {{"condition_dsp", recurrent}})});
    cases.push_back({"a head behind all", w.wavenet({layer_array(1, 1, 6, {1, 2}, {{"head_size", 5}, {"kernel_size", 3}})},
                                                    {{"head", {{"channels", 7}, {"out_channels", 1}, {"kernel_sizes", {3, 1, 4}}, {"activation", "ReLU"}}}})});
    cases.push_back({"no layer1x1", w.wavenet({layer_array(1, 1, 6, {1, 2, 4}, with(head1, {{"layer1x1", {{"active", false}, {"groups", 1}}}}))})});
    cases.push_back({"two channels", w.wavenet({layer_array(2, 2, 12, {1, 30}, {{"kernel_size", 2}, {"head", {{"out_channels", 2}, {"kernel_size", 3},
                                                                                                            {"bias", true}, {"head_dilation", 4}}}})},
                                               {{"in_channels", 2}})});
    cases.push_back({"32 channels", w.wavenet({layer_array(1, 1, 32, {1, 100}, head1)})});
    cases.push_back({"LSTM 1 x 16", w.lstm(1, 16)});
    cases.push_back({"LSTM 2 x 24", w.lstm(2, 24)});
    cases.push_back({"LSTM 3 x 3", w.lstm(3, 3)});
    cases.push_back({"ConvNet", w.conv_net(8, {1, 2, 4, 8, 16}, false)});
    cases.push_back({"ConvNet with normalisation and groups", w.conv_net(6, {1, 2, 4}, true, {{"groups", 1}, {"activation", "ReLU"}})});
    cases.push_back({"Linear, 32 taps", w.linear(32, true)});
    cases.push_back({"Linear, 1000 taps", w.linear(1000, false)});
    return cases;
}

} // namespace serpent::test
