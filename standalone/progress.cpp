// SPDX-License-Identifier: GPL-3.0-or-later
#include "progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <utility>

#include <unistd.h>

namespace {

constexpr int bar_width = 30;
constexpr double redraw_interval_s = 0.1;
constexpr double line_interval_s = 1.0; // what takes no longer needs no report

/// "ETA 0:12" once there is something to extrapolate from, else nothing.
std::string time_left_text(double fraction, double elapsed_s) {
    if (fraction <= 0.0 || elapsed_s < 0.5) return {};
    return "ETA " + clock_text(elapsed_s * (1.0 - fraction) / fraction);
}

} // namespace

std::string clock_text(double seconds) {
    const long long total = std::llround(std::clamp(seconds, 0.0, 1e9));
    const long long hours = total / 3600, minutes = total / 60 % 60, rest = total % 60;
    char text[32];
    if (hours > 0) std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", hours, minutes, rest);
    else std::snprintf(text, sizeof text, "%lld:%02lld", minutes, rest);
    return text;
}

Progress::Progress(std::string label)
    : label_(std::move(label)), terminal_(::isatty(STDERR_FILENO) == 1), next_s_(terminal_ ? 0.0 : line_interval_s) {}

Progress::~Progress() { erase_bar(); }

void Progress::update(double fraction, const std::string& detail) {
    fraction = std::clamp(fraction, 0.0, 1.0);
    if (terminal_) draw_bar(fraction, detail);
    else print_line(fraction, detail);
}

void Progress::note(const std::string& line) {
    erase_bar();
    std::cerr << line << std::endl;
    next_s_ = 0.0;
}

double Progress::elapsed_s() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

void Progress::draw_bar(double fraction, const std::string& detail) {
    const double now_s = elapsed_s();
    if (now_s < next_s_) return;
    next_s_ = now_s + redraw_interval_s;
    const int filled = static_cast<int>(fraction * bar_width);
    std::string bar(static_cast<std::size_t>(filled), '#');
    bar.resize(bar_width, '.');
    const std::string erase_rest = "\033[K";
    std::cerr << '\r' << label_ << " [" << bar << "] " << static_cast<int>(fraction * 100) << " %  "
              << time_left_text(fraction, now_s) << (detail.empty() ? "" : "  ") << detail << erase_rest << std::flush;
    drawn_ = true;
}

void Progress::print_line(double fraction, const std::string& detail) {
    const int percent = static_cast<int>(fraction * 100);
    const double now_s = elapsed_s();
    if (percent < next_percent_ || now_s < next_s_) return;
    next_percent_ = percent / 10 * 10 + 10;
    next_s_ = now_s + line_interval_s;
    const std::string left = fraction < 1.0 ? time_left_text(fraction, now_s) : std::string{};
    std::cerr << label_ << ": " << percent << " %" << (left.empty() ? "" : "  ") << left
              << (detail.empty() ? "" : "  ") << detail << std::endl;
}

void Progress::erase_bar() {
    if (drawn_) std::cerr << "\r\033[K" << std::flush;
    drawn_ = false;
}
