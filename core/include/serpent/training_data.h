// SPDX-License-Identifier: MIT
// From audio files to a TrainingSet: the checks that every recording goes through, latency, and the validation part.
#pragma once

#include "serpent/takes.h"
#include "serpent/training.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace serpent {

struct TrainingDataOptions {
    std::optional<int> latency_samples;  ///< of the wet behind the dry; none: found from onsets
    int own_latency_samples = 0;         ///< as much of the latency may stay in the model, where the gear rings ahead of its onset
    bool repair = false;                 ///< evens out what two clocks drifted apart, and cuts round dropouts
};

struct TrainingData {
    std::shared_ptr<const TrainingSet> set;
    std::vector<std::string> notes;      ///< what was found and done, in plain words, most important first
    int latency_samples = 0;             ///< removed (of the first take)
    std::optional<double> self_esr;      ///< how far the gear agrees with itself, when the dry is the capture signal
};

/// One pair; `valid` chooses the weights. Without it: the capture signal's own validation part, else the last tenth of
/// the recording (at most 20 s). Throws Error naming the file when the recordings cannot be trained on.
TrainingData load_pair(const std::filesystem::path& dry, const std::filesystem::path& wet,
                       const std::optional<std::pair<std::filesystem::path, std::filesystem::path>>& valid,
                       const TrainingDataOptions& options = {});

/// Many takes with controls. Without a `valid` list the last tenth of each take is kept for validation. The `test` list
/// is not touched.
TrainingData load_takes(const TakesFile& takes, const TrainingDataOptions& options = {});

} // namespace serpent
