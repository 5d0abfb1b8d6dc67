// SPDX-License-Identifier: MIT
// What the page's scripts draw and play: each part's signals, reduced to what a screen can show.
#pragma once

#include "serpent/report.h"

#include <nlohmann/json.hpp>

namespace serpent::report {

/// A part with every sample finite: what is NaN or infinite became 0 and was counted.
struct CleanPart {
    std::vector<float> dry, target, prediction;
    std::size_t bad_dry = 0, bad_target = 0, bad_prediction = 0;
};
CleanPart clean(const ReportPart& part);

/// `excerpt_bytes`: about how much of the page its sound for listening may take.
nlohmann::json part_data(const ReportPart& part, const CleanPart& signals, int sample_rate, std::size_t excerpt_bytes);

} // namespace serpent::report
