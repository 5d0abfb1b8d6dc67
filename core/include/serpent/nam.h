// SPDX-License-Identifier: MIT
// Captures in the .nam format, of which there are hundreds of thousands: WaveNet, LSTM, ConvNet and Linear networks. docs/nam.md says
// what of the format is read. Model::load() reads one, and Stream, Player and Renderer play it as any model, with two differences:
// at another rate than its own it is always resampled, and it cannot be oversampled.
#pragma once

#include "serpent/model.h"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace serpent {

namespace nam {
struct File;
struct Network;
} // namespace nam

/// What Model::nam holds: never changed once it is there.
class NamCapture {
public:
    std::string version;        ///< of the format, "0.5.4"
    std::string architecture;   ///< of the network that plays: "WaveNet", "LSTM", "ConvNet" or "Linear"
    std::string layout;         ///< its sizes, in words
    bool has_rate = true;       ///< else the file names no sample rate, and 48 kHz is meant
    std::size_t parameters = 0, macs_per_sample = 0;
    int reach = 0;              ///< samples that the answer depends on, the present one included; 0: any number (LSTM)
    /// The sizes that the file offers, smallest first: each the least number that chooses it. One: it is as it is.
    std::vector<double> sizes{0.0};
    double size = 1.0;          ///< what was chosen

    std::shared_ptr<const nam::File> file;        ///< all that was read
    std::shared_ptr<const nam::Network> network;  ///< what plays
};

/// The same capture at another of its sizes, in [0, 1]: 1 is the whole. Throws Error unless `model` is a .nam capture and can be that small.
Model nam_at_size(const Model& model, double size);

} // namespace serpent
