// SPDX-License-Identifier: GPL-3.0-or-later
// Progress on stderr: a bar with the time left on a terminal, a plain line every 10 % (and second) elsewhere.
#pragma once

#include <chrono>
#include <string>

/// "0:07", "12:34", "1:02:03".
std::string clock_text(double seconds);

class Progress {
public:
    explicit Progress(std::string label);
    /// Leaves the cursor on an empty line.
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    /// fraction in [0, 1]; `detail` is shown behind the bar, for instance "validation ESR 0.0012". Cheap to call often.
    void update(double fraction, const std::string& detail = {});
    /// Prints a whole line without tearing the bar.
    void note(const std::string& line);

private:
    using Clock = std::chrono::steady_clock;

    double elapsed_s() const;
    void draw_bar(double fraction, const std::string& detail);
    void print_line(double fraction, const std::string& detail);
    void erase_bar();

    std::string label_;
    bool terminal_;
    Clock::time_point start_ = Clock::now();
    double next_s_;         // when to draw or print again, seconds since the start
    int next_percent_ = 10; // plain lines only: and not before this
    bool drawn_ = false;
};
