// SPDX-License-Identifier: MIT
// A .nam file's document as networks. Throws Error naming the field and the version, or how many weights are missing or left.
#pragma once

#include "nam/document.h"
#include "nam/fields.h"
#include "nam/network.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace serpent::nam {

/// What all networks of a file together may cost, counted as the engine lays it out: rows of channels are padded, groups filled up.
class Budget {
public:
    /// Both throw Error beyond what one file may have.
    void add_macs(std::size_t macs);
    void add_floats(std::size_t floats);
    /// What a signal of `channels` takes, of which `past` samples are kept.
    void add_signal(int channels, int past);

    /// Floats of a row of so many channels.
    static std::size_t row(int channels);

private:
    std::size_t macs_ = 0, floats_ = 0;
};

/// The weights of one network, in the file's order.
class Weights {
public:
    Weights(const std::vector<float>& all, std::string where, Budget& of_file) : budget(of_file), all_(all), where_(std::move(where)) {}

    Budget& budget;  ///< of the whole file

    std::vector<float> take(std::size_t n);
    float take_one() { return take(1).front(); }
    /// Sizes of `conv` are set; its weights, and a bias if it is to have one, come next. Throws Error, also where it would cost too much.
    void fill(Conv& conv, bool bias);
    std::size_t taken() const { return next_; }
    void require_all_taken() const;

private:
    const std::vector<float>& all_;
    std::string where_;
    std::size_t next_ = 0;
};

inline constexpr int max_channels = 1024, max_kernel = 1 << 16, max_dilation = 1 << 20;
/// Layers of one array, and blocks of one ConvNet. Captures have some twenty.
inline constexpr std::size_t max_layers = 1024;
/// Samples that one convolution may reach back.
inline constexpr int max_past = 1 << 20;

Function read_function(const nlohmann::json& value, const std::string& where, const std::string& version);
/// Throws Error unless one slope serves all, or there is one for each channel.
void check_slopes(const Function& f, int channels, const std::string& where, const std::string& version);

WaveNet read_wavenet(Fields config, Weights& weights, const Document& document, Network& network);
Lstm read_lstm(Fields config, Weights& weights, Network& network);
ConvNet read_conv_net(Fields config, Weights& weights, Network& network);
Linear read_linear(Fields config, Weights& weights, Network& network);

/// A whole network: an object with "version", "architecture", "config" and "weights". Its sample rate is its own, else that around it,
/// `outer_hz`, else that of what it is conditioned on.
std::shared_ptr<const Network> read_network(const nlohmann::json& value, const std::string& where, const Document& document,
                                            Budget& budget, std::optional<double> outer_hz = {});
std::shared_ptr<const File> read_file_of(const Document& document);

} // namespace serpent::nam
