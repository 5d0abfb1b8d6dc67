// SPDX-License-Identifier: MIT
// The list of takes of one device at several knob settings, as `serpent train --takes` reads it (JSON):
//
//   {"sample_rate": 48000,
//    "controls": [{"name": "Drive", "unit": "dB", "min": 0, "max": 10, "default": 5}],
//    "takes": [{"dry": "dry.wav", "wet": "drive2.wav", "controls": {"Drive": 2}}],
//    "valid": [...], "test": [...]}
//
// sample_rate, controls, valid and test may be absent; paths are relative to the file's own folder.
#pragma once

#include "serpent/model.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace serpent {

struct Take {
    std::filesystem::path dry, wet;  ///< relative ones already joined to the JSON file's folder
    std::vector<float> controls;     ///< one value per control, in the order of TakesFile::controls
};

struct TakesFile {
    int sample_rate = 0;  ///< 0: not given
    std::vector<Control> controls;
    std::vector<Take> takes, valid, test;

    /// Throws Error naming the file, the take and the field at fault. The audio files are not opened.
    static TakesFile load(const std::filesystem::path& path);
    /// The same from JSON text; `source` stands for the file in messages, relative paths are joined to `folder`.
    static TakesFile parse(std::string_view text, std::string_view source, const std::filesystem::path& folder);
};

/// The knob settings of a take for a person: "Threshold -35, Ratio 4".
std::string describe_controls(const std::vector<Control>& controls, const std::vector<float>& values);

} // namespace serpent
