// SPDX-License-Identifier: MIT
// The words and tables of the page, as HTML.
#pragma once

#include "report/part_data.h"
#include "serpent/report.h"

#include <string>

namespace serpent::report {

/// The part's name, escaped.
std::string part_title(const ReportPart& part);
std::string verdict(const ReportData& data);
std::string fact_list(const ReportData& data);
std::string note_list(const ReportData& data);
std::string command_line(const ReportData& data);
/// Links to the sections, when there is more than one.
std::string contents(const ReportData& data);

/// Every figure of a part, with what a mere volume knob reaches beside it.
std::string metrics_table(const ReportPart& part, const CleanPart& signals, int sample_rate);
/// Says which samples were not finite; empty when all were.
std::string damage(const CleanPart& signals);
std::string length_in_words(std::size_t samples, int sample_rate);

} // namespace serpent::report
