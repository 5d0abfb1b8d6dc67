// SPDX-License-Identifier: MIT
#include "nam/read.h"

#include "model/safetensors.h"
#include "serpent/errors.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>

namespace serpent::nam {

using nlohmann::json;

namespace {

constexpr std::size_t max_macs = std::size_t{1} << 24;    // multiplications for each sample
constexpr std::size_t max_floats = std::size_t{1} << 24;  // of signals and their pasts
constexpr int newest_minor = 7;

/// Throws Error unless it is from 0.5.0 to 0.7.x.
std::string read_version(const json& value, const std::string& where) {
    const std::string name = "\"" + where + "version\"";
    if (!value.contains("version")) throw Error(name + " is missing");
    if (!value["version"].is_string()) throw Error(name + " must be a text like \"0.5.4\"");
    const std::string text = value["version"].get<std::string>();
    std::array<int, 3> parts{};
    const char *at = text.data(), *const end = at + text.size();
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (i > 0 && (at == end || *at++ != '.')) throw Error(name + " is " + printable(text) + "; it must be like \"0.5.4\"");
        const auto [next, error] = std::from_chars(at, end, parts[i]);
        if (error != std::errc() || parts[i] < 0) throw Error(name + " is " + printable(text) + "; it must be like \"0.5.4\"");
        at = next;
    }
    if (at != end || parts[0] != 0 || parts[1] < 5 || parts[1] > newest_minor)
        throw Error(name + " is " + printable(text) + "; Serpent reads 0.5.0 to 0." + std::to_string(newest_minor) + ".x");
    return text;
}

std::optional<double> read_rate(const json& value, const std::string& where, const std::string& version) {
    const auto found = value.find("sample_rate");
    if (found == value.end() || found->is_null()) return std::nullopt;
    const double rate_hz = found->is_number() ? found->get<double>() : 0.0;
    if (!(rate_hz >= 1000.0 && rate_hz <= 768000.0))
        throw Error("\"" + where + "sample_rate\" must be a number from 1000 to 768000 Hz (version " + version + ")");
    return rate_hz;
}

const std::map<std::string, kernels::NetFunctionKind>& function_names() {
    using K = kernels::NetFunctionKind;
    static const std::map<std::string, K> names{
        {"Identity", K::identity},          {"Tanh", K::tanh},           {"Hardtanh", K::hard_tanh},   {"Fasttanh", K::fast_tanh},
        {"ReLU", K::relu},                  {"LeakyReLU", K::leaky_relu}, {"PReLU", K::leaky_relu},     {"Sigmoid", K::sigmoid},
        {"SiLU", K::silu},                  {"Hardswish", K::hard_swish}, {"HardSwish", K::hard_swish}, {"LeakyHardtanh", K::leaky_hard_tanh},
        {"LeakyHardTanh", K::leaky_hard_tanh}, {"Softsign", K::softsign}, {"Softsigmoid", K::softsigmoid}};
    return names;
}

kernels::NetFunctionKind function_kind(const std::string& name, const std::string& where, const std::string& version) {
    const auto found = function_names().find(name);
    if (found == function_names().end())
        throw Error("\"" + where + "\" is " + printable(name) + ", an activation that Serpent does not know (version " + version + ")");
    return found->second;
}

std::vector<float> read_slopes(Fields& fields) {
    const json& list = fields.at("negative_slopes");
    if (!list.is_array() || list.empty()) fields.refuse("negative_slopes", "must be a list of numbers");
    std::vector<float> slopes;
    for (const json& value : list) {
        slopes.push_back(value.is_number() ? value.get<float>() : NAN);
        if (!std::isfinite(slopes.back())) fields.refuse("negative_slopes", "must be a list of numbers");
    }
    return slopes;
}

} // namespace

std::size_t Budget::row(int channels) {
    const auto n = static_cast<std::size_t>(channels);
    return n <= 4 ? 4 : (n + 7) / 8 * 8;
}

void Budget::add_macs(std::size_t macs) {
    macs_ += macs;
    if (macs_ > max_macs) throw Error("the file takes more than " + std::to_string(max_macs) + " multiplications for each sample");
}

void Budget::add_floats(std::size_t floats) {
    floats_ += floats;
    if (floats_ > max_floats) throw Error("the file's networks are too large, or reach back further than Serpent has memory for");
}

void Budget::add_signal(int channels, int past) {
    const std::size_t ring = past > 0 ? static_cast<std::size_t>(past) + kernels::net_block : 0;
    add_floats((ring + kernels::net_block) * row(channels));
}

std::vector<float> Weights::take(std::size_t n) {
    if (n > all_.size() - next_)
        throw Error("\"" + where_ + "weights\" has " + std::to_string(all_.size()) + " numbers, but the config calls for more (" +
                    std::to_string(next_) + " and " + std::to_string(n) + " and what follows)");
    const auto first = all_.begin() + static_cast<std::ptrdiff_t>(next_);
    next_ += n;
    return {first, first + static_cast<std::ptrdiff_t>(n)};
}

void Weights::fill(Conv& conv, bool bias) {
    const auto size = [](int value) { return static_cast<std::size_t>(value); };
    if (conv.in % conv.groups != 0 || conv.out % conv.groups != 0)
        throw Error("a convolution of " + std::to_string(conv.in) + " to " + std::to_string(conv.out) + " channels cannot have " +
                    std::to_string(conv.groups) + " groups; they must divide both");
    const std::int64_t past = std::int64_t{conv.kernel - 1} * conv.dilation;
    if (past > max_past)
        throw Error("a convolution with a kernel of " + std::to_string(conv.kernel) + " and a dilation of " + std::to_string(conv.dilation) +
                    " reaches back further than " + std::to_string(max_past) + " samples");
    const std::size_t taps = size(conv.in) * size(conv.kernel);
    budget.add_signal(conv.in, static_cast<int>(past));
    budget.add_signal(conv.out, 0);
    budget.add_macs(Budget::row(conv.out) * taps);
    conv.weight = take(size(conv.out) * (taps / size(conv.groups)));
    if (bias) conv.bias = take(size(conv.out));
}

void Weights::require_all_taken() const {
    if (next_ != all_.size())
        throw Error("\"" + where_ + "weights\" has " + std::to_string(all_.size()) + " numbers, but the config calls for " +
                    std::to_string(next_));
}

Function read_function(const json& value, const std::string& where, const std::string& version) {
    if (value.is_string()) return {.kind = function_kind(value.get<std::string>(), where, version)};
    Fields fields(value, where, version);
    const std::string name = fields.text("type");
    Function f{.kind = function_kind(name, where + ".type", version)};
    if (f.kind == kernels::NetFunctionKind::leaky_relu) f.slope = fields.number_or("negative_slope", 0.01f);
    if (name == "PReLU" && fields.has("negative_slopes") && !fields.has("negative_slope")) {
        f.slopes = read_slopes(fields);
        if (f.slopes.size() == 1) f.slope = f.slopes.front(), f.slopes.clear();
    }
    const bool leaky = f.kind == kernels::NetFunctionKind::leaky_hard_tanh;
    if (leaky || f.kind == kernels::NetFunctionKind::hard_tanh) {
        f.low = fields.number_or("min_val", -1.0f), f.high = fields.number_or("max_val", 1.0f);
        if (f.low > f.high) fields.refuse("min_val", "must not be above \"max_val\"");
    }
    if (leaky) f.low_slope = fields.number_or("min_slope", 0.01f), f.high_slope = fields.number_or("max_slope", 0.01f);
    (void)fields.has("negative_slopes"), (void)fields.has("inplace");
    fields.require_all_known();
    return f;
}

void check_slopes(const Function& f, int channels, const std::string& where, const std::string& version) {
    if (!f.slopes.empty() && f.slopes.size() != static_cast<std::size_t>(channels))
        throw Error("\"" + where + ".negative_slopes\" has " + std::to_string(f.slopes.size()) + " entries for " +
                    std::to_string(channels) + " channels (version " + version + ")");
}

Lstm read_lstm(Fields config, Weights& weights, Network& network) {
    Lstm net;
    const int layers = config.whole("num_layers", 1, 64), hidden = config.whole("hidden_size", 1, max_channels);
    network.in_channels = config.whole("input_size", 1, max_channels);
    if (config.has("in_channels") && config.whole("in_channels", 1, max_channels) != network.in_channels)
        config.refuse("in_channels", "must equal \"input_size\"");
    network.out_channels = config.whole_or("out_channels", 1, max_channels, 1);
    config.require_all_known();
    const auto size = static_cast<std::size_t>(hidden);
    for (int l = 0; l < layers; ++l) {
        const int in = l == 0 ? network.in_channels : hidden;
        LstmCell& cell = net.cells.emplace_back(LstmCell{.in = in, .hidden = hidden});
        weights.budget.add_macs(4 * Budget::row(hidden) * (static_cast<std::size_t>(in) + size));
        weights.budget.add_signal(hidden, 0);
        cell.weight = weights.take(4 * size * (static_cast<std::size_t>(in) + size));
        cell.bias = weights.take(4 * size);
        cell.h = weights.take(size), cell.c = weights.take(size);
    }
    net.head = {.in = hidden, .out = network.out_channels};
    weights.fill(net.head, true);
    return net;
}

ConvNet read_conv_net(Fields config, Weights& weights, Network& network) {
    ConvNet net;
    const int channels = config.whole("channels", 1, max_channels), groups = config.whole_or("groups", 1, max_channels, 1);
    const bool normed = config.flag("batchnorm");
    const Function f = read_function(config.at("activation"), config.where() + ".activation", config.version());
    check_slopes(f, channels, config.where() + ".activation", config.version());
    network.in_channels = config.whole_or("in_channels", 1, max_channels, 1);
    network.out_channels = config.whole_or("out_channels", 1, max_channels, 1);
    const std::vector<int> dilations = config.wholes("dilations", 1, max_dilation);
    if (dilations.size() > max_layers)
        config.refuse("dilations", "has " + std::to_string(dilations.size()) + " entries; Serpent plays at most " +
                                       std::to_string(max_layers));
    config.require_all_known();
    const auto size = static_cast<std::size_t>(channels);
    int in = network.in_channels;
    for (const int dilation : dilations) {
        ConvNetBlock block;
        block.conv = {.in = in, .out = channels, .kernel = 2, .dilation = dilation, .groups = groups};
        block.f = f;
        weights.fill(block.conv, !normed);
        if (normed) {
            const std::vector<float> mean = weights.take(size), variance = weights.take(size);
            block.scale = weights.take(size), block.offset = weights.take(size);
            const double floor = weights.take_one();
            for (std::size_t c = 0; c < size; ++c) {
                const double scale = block.scale[c] / std::sqrt(floor + variance[c]);
                if (!std::isfinite(scale)) throw Error("\"" + config.where() + ".batchnorm\" has a variance that is not positive");
                block.offset[c] = static_cast<float>(block.offset[c] - scale * mean[c]), block.scale[c] = static_cast<float>(scale);
            }
        }
        net.blocks.push_back(std::move(block));
        in = channels;
    }
    net.head = {.in = channels, .out = network.out_channels};
    weights.fill(net.head, true);
    return net;
}

Linear read_linear(Fields config, Weights& weights, Network& network) {
    Linear net;
    const int taps = config.whole("receptive_field", 1, max_past);
    const bool bias = config.flag("bias");
    const int in = config.whole_or("in_channels", 1, max_channels, 1), out = config.whole_or("out_channels", 1, max_channels, 1);
    if (in != out) config.refuse("in_channels", "must equal \"out_channels\": each channel is filtered alone");
    (void)config.has("implementation");  // of the same answer
    config.require_all_known();
    network.in_channels = network.out_channels = 1;  // of any number, each alone
    weights.budget.add_macs(static_cast<std::size_t>(taps));
    weights.budget.add_floats(3 * static_cast<std::size_t>(taps));  // of the input, which is moved back now and then, and the filter
    net.taps = weights.take(static_cast<std::size_t>(taps));
    if (bias) net.bias = weights.take_one();
    return net;
}

std::shared_ptr<const Network> read_network(const json& value, const std::string& where, const Document& document, Budget& budget,
                                            std::optional<double> outer_hz) {
    const std::string prefix = where.empty() ? "" : where + ".";
    if (!value.is_object()) throw Error((where.empty() ? "the file" : "\"" + where + "\"") + " must be an object");
    auto network = std::make_shared<Network>();
    network->version = read_version(value, prefix);
    Fields fields(value, where, network->version);
    network->architecture = fields.text("architecture");
    network->sample_rate_hz = read_rate(value, prefix, network->version);
    if (network->sample_rate_hz && outer_hz && *network->sample_rate_hz != *outer_hz)
        throw Error("\"" + where + "\" has another sample rate than the file around it (version " + network->version + ")");
    if (!network->sample_rate_hz) network->sample_rate_hz = outer_hz;
    const json& list = fields.at("weights");
    if (!list.is_binary()) fields.refuse("weights", "must be a list of numbers");
    Weights weights(document.weights[list.get_binary().subtype()], prefix, budget);
    const Fields config = fields.object("config");
    if (network->architecture == "WaveNet") network->what = read_wavenet(config, weights, document, *network);
    else if (network->architecture == "LSTM") network->what = read_lstm(config, weights, *network);
    else if (network->architecture == "ConvNet") network->what = read_conv_net(config, weights, *network);
    else if (network->architecture == "Linear") network->what = read_linear(config, weights, *network);
    else fields.refuse("architecture", "is " + printable(network->architecture) + "; Serpent plays WaveNet, LSTM, ConvNet, Linear and " +
                                           "SlimmableContainer");
    weights.require_all_taken();
    network->parameters += weights.taken();
    return network;
}

namespace {

std::shared_ptr<const File> read_container(Fields fields, const Document& document) {
    auto file = std::make_shared<File>();
    Budget budget;
    Fields config = fields.object("config");
    const json& parts = config.at("submodels");
    if (!parts.is_array() || parts.empty()) config.refuse("submodels", "must be a list of networks");
    std::optional<double> known_hz = read_rate(fields.whole_object(), "", fields.version());
    for (std::size_t i = 0; i < parts.size(); ++i) {
        Fields part(parts[i], std::string("config.submodels[").append(std::to_string(i)).append("]"), fields.version());
        const double below = part.number("max_value");
        if (i > 0 && below <= file->choices.back().below) part.refuse("max_value", "must be larger than that before");
        auto network = read_network(part.at("model"), part.where() + ".model", document, budget, known_hz);
        const auto& first = file->choices.empty() ? network : file->choices.front().network;
        if (network->in_channels != first->in_channels || network->out_channels != first->out_channels)
            part.refuse("model", "has other channels than the first");
        known_hz = network->sample_rate_hz;
        part.require_all_known();
        file->choices.push_back({below, std::move(network)});
    }
    if (file->choices.back().below < 1.0) config.refuse("submodels", "must end with a \"max_value\" of 1 or more");
    config.require_all_known();
    for (File::Choice& choice : file->choices) {  // those before the first that says one
        if (!known_hz || choice.network->sample_rate_hz) continue;
        auto network = std::make_shared<Network>(*choice.network);
        network->sample_rate_hz = known_hz;
        choice.network = std::move(network);
    }
    return file;
}

} // namespace

std::shared_ptr<const File> read_file_of(const Document& document) {
    const json& value = document.json;
    if (!value.is_object()) throw Error("the file must be an object with \"version\", \"architecture\", \"config\" and \"weights\"");
    const std::string version = read_version(value, "");
    Fields fields(value, "", version);
    if (fields.text("architecture") == "SlimmableContainer") return read_container(fields, document);
    auto file = std::make_shared<File>();
    Budget budget;
    file->choices.push_back({1.0, read_network(value, "", document, budget)});
    return file;
}

} // namespace serpent::nam
