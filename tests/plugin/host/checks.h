// SPDX-License-Identifier: GPL-3.0-or-later
// What a host may ask of the plugin, one function each. A check throws Failed, or any exception, when it is not met.
#pragma once

#include "host/hosted.h"

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace serpent::test {

struct Failed : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Subject {
    Format format;
    juce::String location;        ///< see Hosted
    std::filesystem::path models; ///< a folder of model files
    std::string serpent;          ///< the command, for `serpent render`

    Hosted load() const { return {format, location}; }
    std::filesystem::path model(const std::string& name) const { return models / (name + ".safetensors"); }
};

struct Check {
    std::string name;
    std::function<void(const Subject&)> run;
};

std::vector<Check> audio_checks();
std::vector<Check> state_checks();
std::vector<Check> program_checks(Format format);  ///< programs and states, one after the other
std::vector<Check> hostile_checks();
std::vector<Check> vst3_checks();    ///< of the interfaces themselves
std::vector<Check> editor_checks();  ///< these need a display

/// Throws Failed with `what` unless it holds.
void require(bool holds, const std::string& what);
/// Every sample within `tolerance`; NaN is not. Throws Failed with `what`, the worst distance and its place.
void require_close(const Planar& expected, const Planar& actual, double tolerance, const std::string& what, std::size_t from = 0);
double rms_distance(const Planar& a, const Planar& b);
void require_finite(const Planar& signal, const std::string& what);

/// Something like an instrument, at about -12 dBFS; the channels differ.
Planar music(std::size_t channels, std::size_t samples, double sample_rate_hz, std::uint32_t seed = 1);
/// What `serpent render` writes for it, with these further options.
Planar rendered(const Subject& subject, const std::filesystem::path& model, const Planar& in, int sample_rate_hz,
                const std::vector<std::string>& options = {});

} // namespace serpent::test
