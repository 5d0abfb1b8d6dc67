// SPDX-License-Identifier: MIT
#include "nam/read.h"

#include "model/safetensors.h"
#include "serpent/errors.h"

#include <algorithm>
#include <numeric>

namespace serpent::nam {

using nlohmann::json;

namespace {

std::string item(const Fields& of, const char* key, std::size_t i) { return of.where() + "." + key + "[" + std::to_string(i) + "]"; }

/// One value for each of n layers, from a list of n or one value for all; null where there is none. A value that all share is not
/// copied: it may be large, and n as well.
std::vector<const json*> for_layers(Fields& fields, const char* key, std::size_t n) {
    if (!fields.has(key)) return std::vector<const json*>(n, nullptr);
    const json& value = fields.at(key);
    if (!value.is_array()) return std::vector<const json*>(n, &value);
    if (value.size() != n)
        fields.refuse(key, "has " + std::to_string(value.size()) + " entries for " + std::to_string(n) + " layers");
    std::vector<const json*> each;
    for (const json& one : value) each.push_back(&one);
    return each;
}

/// That of layer i, whose slopes are checked before there are more of them.
Function function_of(Fields& fields, const char* key, std::size_t i, const json& value, int channels) {
    const Function f = read_function(value, item(fields, key, i), fields.version());
    check_slopes(f, channels, item(fields, key, i), fields.version());
    return f;
}

Gating gating_of(Fields& fields, const json& value) {
    if (value == "none") return Gating::none;
    if (value == "gated") return Gating::gated;
    if (value == "blended") return Gating::blended;
    fields.refuse("gating_mode", "must be \"none\", \"gated\" or \"blended\"");
}

void read_gating(Fields& fields, LayerArray& array) {
    const std::size_t n = array.layers.size();
    const bool named = fields.has("gating_mode"), gated = fields.flag_or("gated", false);
    const std::vector<const json*> modes = for_layers(fields, "gating_mode", n), seconds = for_layers(fields, "secondary_activation", n);
    for (std::size_t i = 0; i < n; ++i) {
        Layer& layer = array.layers[i];
        layer.gating = modes[i] ? gating_of(fields, *modes[i]) : gated ? Gating::gated : Gating::none;
        if (layer.gating == Gating::none) continue;
        const bool given = named && seconds[i] && !seconds[i]->is_null();
        layer.g = given ? function_of(fields, "secondary_activation", i, *seconds[i], array.bottleneck)
                        : Function{.kind = kernels::NetFunctionKind::sigmoid};
    }
}

std::vector<int> kernels_of(Fields& fields, std::size_t n) {
    if (fields.has("kernel_size") && fields.has("kernel_sizes"))
        fields.refuse("kernel_size", "and \"kernel_sizes\" are both there; only one can be meant");
    if (fields.has("kernel_size")) return std::vector<int>(n, fields.whole("kernel_size", 1, max_kernel));
    const std::vector<int> sizes = fields.wholes("kernel_sizes", 1, max_kernel);
    if (sizes.size() != n)
        fields.refuse("kernel_sizes", "has " + std::to_string(sizes.size()) + " entries for " + std::to_string(n) + " layers");
    return sizes;
}

/// {"active": ..., "out_channels": ..., "groups": ...}; sizes only.
std::optional<Conv> read_one_by_one(Fields& fields, const char* key, bool otherwise, int in, int out, bool own_out) {
    if (!fields.has(key)) return otherwise ? std::optional(Conv{.in = in, .out = out}) : std::nullopt;
    Fields given = fields.object(key);
    Conv conv{.in = in, .out = out};
    if (own_out) conv.out = given.whole_or("out_channels", 1, max_channels, out);
    else (void)given.has("out_channels");
    conv.groups = given.whole_or("groups", 1, max_channels, 1);
    const bool active = given.flag("active");
    given.require_all_known();
    return active ? std::optional(conv) : std::nullopt;
}

std::optional<Film> read_film(Fields& fields, const char* key) {
    if (!fields.has(key) || fields.at(key) == false) return std::nullopt;
    Fields given = fields.object(key);
    Film film;
    film.shift = given.flag_or("shift", true);
    film.conv.groups = given.whole_or("groups", 1, max_channels, 1);
    const bool active = given.flag_or("active", true);
    given.require_all_known();
    return active ? std::optional(film) : std::nullopt;
}

/// Channels of what a FiLM changes.
int film_channels(FilmPlace place, const Layer& layer, const LayerArray& array) {
    switch (place) {
    case conv_pre_film:
    case layer1x1_post_film: return array.channels;
    case conv_post_film:
    case input_mixin_post_film:
    case activation_pre_film: return layer.conv.out;
    case input_mixin_pre_film: return layer.mixin.in;
    case activation_post_film: return array.bottleneck;
    default: return layer.head1x1 ? layer.head1x1->out : 0;
    }
}

/// What is the same in all layers of an array.
void read_common(Fields& fields, LayerArray& array, int condition_size) {
    Layer common;
    common.conv.in = array.channels, common.conv.groups = fields.whole_or("groups_input", 1, max_channels, 1);
    common.mixin.in = condition_size, common.mixin.groups = fields.whole_or("groups_input_mixin", 1, max_channels, 1);
    common.layer1x1 = read_one_by_one(fields, "layer1x1", true, array.bottleneck, array.channels, false);
    common.head1x1 = read_one_by_one(fields, "head1x1", false, array.bottleneck, array.channels, true);
    for (std::size_t i = 0; i < film_names.size(); ++i) common.films[i] = read_film(fields, film_names[i]);
    if (!common.layer1x1 && array.bottleneck != array.channels)
        fields.refuse("bottleneck", "differs from \"channels\", which needs a \"layer1x1\" that is active");
    if (!common.layer1x1 && common.films[layer1x1_post_film]) fields.refuse("layer1x1_post_film", "needs a \"layer1x1\" that is active");
    if (!common.head1x1 && common.films[head1x1_post_film]) fields.refuse("head1x1_post_film", "needs a \"head1x1\" that is active");
    std::fill(array.layers.begin(), array.layers.end(), common);
}

void read_layers(Fields& fields, LayerArray& array, int condition_size) {
    const std::vector<int> dilations = fields.wholes("dilations", 1, max_dilation);
    const std::size_t n = dilations.size();
    if (n > max_layers)
        fields.refuse("dilations", "has " + std::to_string(n) + " entries; Serpent plays at most " + std::to_string(max_layers));
    array.layers.resize(n);
    read_common(fields, array, condition_size);
    const std::vector<int> sizes = kernels_of(fields, n);
    (void)fields.at("activation");  // there must be one
    const std::vector<const json*> functions = for_layers(fields, "activation", n);
    read_gating(fields, array);
    for (std::size_t i = 0; i < n; ++i) {
        Layer& layer = array.layers[i];
        layer.f = function_of(fields, "activation", i, *functions[i], array.bottleneck);
        const int out = layer.gating == Gating::none ? array.bottleneck : 2 * array.bottleneck;
        layer.conv.out = layer.mixin.out = out;
        layer.conv.kernel = sizes[i], layer.conv.dilation = dilations[i];
        for (std::size_t place = 0; place < layer.films.size(); ++place) {
            if (!layer.films[place]) continue;
            Film& film = *layer.films[place];
            film.conv.in = condition_size;
            film.conv.out = (film.shift ? 2 : 1) * film_channels(static_cast<FilmPlace>(place), layer, array);
        }
    }
}

/// "head": {...}, or "head_size" and "head_bias" before version 0.7. Returns whether it has a bias.
bool read_array_head(Fields& fields, LayerArray& array) {
    const Layer& first = array.layers.front();
    array.head.in = first.head1x1 ? first.head1x1->out : array.bottleneck;
    if (!fields.has("head")) {
        if (!fields.has("head_size")) fields.refuse("head", "is missing, and so is \"head_size\"");
        array.head.out = fields.whole("head_size", 1, max_channels);
        return fields.flag("head_bias");
    }
    Fields head = fields.object("head");
    (void)fields.has("head_size"), (void)fields.has("head_bias");
    array.head.out = head.whole("out_channels", 1, max_channels);
    array.head.kernel = head.whole("kernel_size", 1, max_kernel);
    array.head.dilation = head.whole_or("head_dilation", 1, max_dilation, 1);
    const bool bias = head.flag("bias");
    head.require_all_known();
    return bias;
}

void read_slimmable(Fields& fields, LayerArray& array) {
    if (!fields.has("slimmable")) return;
    Fields slim = fields.object("slimmable");
    if (slim.text("method") != "slice_channels_uniform") slim.refuse("method", "must be \"slice_channels_uniform\"");
    if (slim.has("kwargs")) {
        Fields how = slim.object("kwargs");
        if (how.has("allowed_channels")) array.allowed = how.wholes("allowed_channels", 1, array.channels);
        (void)how.has("boosting"), (void)how.has("init_strategy");  // of training
        how.require_all_known();
    }
    slim.require_all_known();
    if (array.allowed.empty()) {
        array.allowed.resize(static_cast<std::size_t>(array.channels));
        std::iota(array.allowed.begin(), array.allowed.end(), 1);
    }
    const bool rising = std::adjacent_find(array.allowed.begin(), array.allowed.end(), std::greater_equal<>()) == array.allowed.end();
    if (!rising || array.allowed.back() != array.channels)
        fields.refuse("slimmable", "must list rising \"allowed_channels\" that end with \"channels\"");
}

/// In the file's order.
void take_weights(LayerArray& array, bool head_bias, Weights& weights) {
    weights.fill(array.rechannel, false);
    for (Layer& layer : array.layers) {
        weights.fill(layer.conv, true);
        weights.fill(layer.mixin, false);
        if (layer.layer1x1) weights.fill(*layer.layer1x1, true);
        if (layer.head1x1) weights.fill(*layer.head1x1, true);
        for (auto& film : layer.films)
            if (film) weights.fill(film->conv, true);
    }
    weights.fill(array.head, head_bias);
}

LayerArray read_array(Fields fields, Weights& weights) {
    LayerArray array;
    array.channels = fields.whole("channels", 1, max_channels);
    array.bottleneck = fields.whole_or("bottleneck", 1, max_channels, array.channels);
    array.rechannel = {.in = fields.whole("input_size", 1, max_channels), .out = array.channels};
    read_layers(fields, array, fields.whole("condition_size", 1, max_channels));
    const bool head_bias = read_array_head(fields, array);
    read_slimmable(fields, array);
    fields.require_all_known();
    take_weights(array, head_bias, weights);
    return array;
}

/// What comes behind all arrays.
void read_head(Fields head, WaveNet& net, Weights& weights) {
    const Function f = read_function(head.at("activation"), head.where() + ".activation", head.version());
    const int channels = head.whole("channels", 1, max_channels), out = head.whole("out_channels", 1, max_channels);
    const std::vector<int> sizes = head.wholes("kernel_sizes", 1, max_kernel);
    int in = net.arrays.back().head.out;
    if (head.has("in_channels") && head.whole("in_channels", 1, max_channels) != in)
        head.refuse("in_channels", "must be the " + std::to_string(in) + " that the last layers' head has");
    head.require_all_known();
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        Conv conv{.in = in, .out = i + 1 == sizes.size() ? out : channels, .kernel = sizes[i]};
        check_slopes(f, in, head.where() + ".activation", head.version());
        weights.fill(conv, true);
        in = conv.out;
        net.head.emplace_back(f, std::move(conv));
    }
}

void check_array_joins(const Fields& config, const WaveNet& net, int in_channels, int condition_channels) {
    for (std::size_t i = 0; i < net.arrays.size(); ++i) {
        const LayerArray& array = net.arrays[i];
        const auto refuse = [&](const char* key, const std::string& why) {
            throw Error("\"" + item(config, "layers", i) + "." + key + "\" " + why + " (version " + config.version() + ")");
        };
        const int input = i == 0 ? in_channels : net.arrays[i - 1].channels;
        if (array.rechannel.in != input) refuse("input_size", "must be the " + std::to_string(input) + " channels that come before");
        if (array.layers.front().mixin.in != condition_channels)
            refuse("condition_size", "must be " + std::to_string(condition_channels) + ", as many as the condition has");
        if (i > 0 && array.head.in != net.arrays[i - 1].head.out)
            refuse("channels", "must be the " + std::to_string(net.arrays[i - 1].head.out) + " that the head before gives");
    }
}

} // namespace

WaveNet read_wavenet(Fields config, Weights& weights, const Document& document, Network& network) {
    WaveNet net;
    network.in_channels = config.whole_or("in_channels", 1, max_channels, 1);
    int condition_channels = network.in_channels;
    if (config.has("condition_dsp")) {
        net.condition = read_network(config.at("condition_dsp"), config.where() + ".condition_dsp", document, weights.budget);
        if (net.condition->in_channels != network.in_channels)
            config.refuse("condition_dsp", "takes " + std::to_string(net.condition->in_channels) + " channels, not the " +
                                               std::to_string(network.in_channels) + " of the input");
        if (net.condition->sample_rate_hz && network.sample_rate_hz && net.condition->sample_rate_hz != network.sample_rate_hz)
            config.refuse("condition_dsp", "has another sample rate than the network around it");
        if (!network.sample_rate_hz) network.sample_rate_hz = net.condition->sample_rate_hz;
        condition_channels = net.condition->out_channels;
        network.parameters += net.condition->parameters;
    }
    const json& layers = config.at("layers");
    if (!layers.is_array() || layers.empty()) config.refuse("layers", "must be a list of arrays of layers");
    for (std::size_t i = 0; i < layers.size(); ++i)
        net.arrays.push_back(read_array(Fields(layers[i], item(config, "layers", i), config.version()), weights));
    check_array_joins(config, net, network.in_channels, condition_channels);
    network.out_channels = net.arrays.back().head.out;
    if (config.has("head")) {
        read_head(config.object("head"), net, weights);
        network.out_channels = net.head.back().second.out;
    }
    (void)config.number_or("head_scale", 1.0f);  // the last weight is what counts
    net.head_scale = weights.take_one();
    config.require_all_known();
    return net;
}

} // namespace serpent::nam
