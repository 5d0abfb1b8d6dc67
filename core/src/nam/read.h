// SPDX-License-Identifier: MIT
// A .nam file's document as networks. Throws Error naming the field and the version, or how many weights are missing or left.
#pragma once

#include "nam/document.h"
#include "nam/fields.h"
#include "nam/network.h"

#include <memory>
#include <string>
#include <string_view>

namespace serpent::nam {

/// The weights of one network, in the file's order.
class Weights {
public:
    Weights(const std::vector<float>& all, std::string where) : all_(all), where_(std::move(where)) {}

    std::vector<float> take(std::size_t n);
    float take_one() { return take(1).front(); }
    /// Sizes of `conv` are set; its weights, and a bias if it is to have one, come next. Throws Error, also where it would cost too much.
    void fill(Conv& conv, bool bias);
    std::size_t taken() const { return next_; }
    void require_all_taken() const;

private:
    const std::vector<float>& all_;
    std::string where_;
    std::size_t next_ = 0, dense_ = 0, past_floats_ = 0;
};

inline constexpr int max_channels = 1024, max_kernel = 1 << 16, max_dilation = 1 << 20;
/// Layers of one array, and blocks of one ConvNet. Captures have some twenty.
inline constexpr std::size_t max_layers = 1024;
/// Samples that one convolution may reach back, and floats that all of a network's pasts may fill.
inline constexpr int max_past = 1 << 20;
inline constexpr std::size_t max_past_floats = std::size_t{1} << 24;

Function read_function(const nlohmann::json& value, const std::string& where, const std::string& version);
/// Throws Error unless one slope serves all, or there is one for each channel.
void check_slopes(const Function& f, int channels, const std::string& where, const std::string& version);

WaveNet read_wavenet(Fields config, Weights& weights, const Document& document, Network& network);
Lstm read_lstm(Fields config, Weights& weights, Network& network);
ConvNet read_conv_net(Fields config, Weights& weights, Network& network);
Linear read_linear(Fields config, Weights& weights, Network& network);

/// A whole network: an object with "version", "architecture", "config" and "weights".
std::shared_ptr<const Network> read_network(const nlohmann::json& value, const std::string& where, const Document& document);
std::shared_ptr<const File> read_file_of(const Document& document);

} // namespace serpent::nam
