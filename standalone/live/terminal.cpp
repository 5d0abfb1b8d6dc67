// SPDX-License-Identifier: GPL-3.0-or-later
#include "live/terminal.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>

#if defined(_WIN32)
#include <conio.h>
#include <io.h>
struct Terminal::Saved {};
bool Terminal::usable() { return _isatty(0) && _isatty(2); }
Terminal::Terminal() : saved_(new Saved) {}
Terminal::~Terminal() { delete saved_; }
std::optional<char> Terminal::key() { return _kbhit() ? std::optional(static_cast<char>(_getch())) : std::nullopt; }
#else
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

struct Terminal::Saved {
    termios settings;
};

bool Terminal::usable() { return isatty(STDIN_FILENO) && isatty(STDERR_FILENO); }

Terminal::Terminal() : saved_(new Saved) {
    tcgetattr(STDIN_FILENO, &saved_->settings);
    termios raw = saved_->settings;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    std::cerr << "\033[?25l" << std::flush;
}

Terminal::~Terminal() {
    tcsetattr(STDIN_FILENO, TCSANOW, &saved_->settings);
    std::cerr << "\033[?25h" << std::flush;
    delete saved_;
}

std::optional<char> Terminal::key() {
    pollfd ready{STDIN_FILENO, POLLIN, 0};
    char c = 0;
    if (poll(&ready, 1, 0) < 1 || read(STDIN_FILENO, &c, 1) != 1) return std::nullopt;
    return c;
}
#endif

namespace {

/// Columns that a line may have without going on in the next row, where the cursor would come back to the wrong one.
std::size_t columns() {
#if !defined(_WIN32)
    winsize size{};
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1) return size.ws_col - 1u;
#endif
    return 79;
}

} // namespace

void Terminal::draw(const std::vector<std::string>& lines) {
    const std::size_t most = columns();
    std::string text = drawn_ > 0 ? "\033[" + std::to_string(drawn_) + "A" : "";
    for (const std::string& line : lines) {
        text += '\r';
        text.append(line, 0, most);
        text += "\033[K\n";
    }
    drawn_ = lines.size();
    std::cerr << text << std::flush;
}

std::string meter_bar(float level, int width) {
    const double db = 20 * std::log10(std::max(double(level), 1e-6));
    const int filled = std::clamp(static_cast<int>(std::lround((db + 60) / 60 * width)), 0, width);
    std::string bar(static_cast<std::size_t>(filled), '#');
    bar.resize(static_cast<std::size_t>(width), '.');
    char figure[16];
    std::snprintf(figure, sizeof figure, db <= -99 ? "  -inf" : "%6.1f", db);
    return bar + " " + figure + " dBFS";
}
