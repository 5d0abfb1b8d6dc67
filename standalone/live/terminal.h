// SPDX-License-Identifier: GPL-3.0-or-later
// A terminal that gives single keys and shows one screen, redrawn in place.
#pragma once

#include <optional>
#include <string>
#include <vector>

class Terminal {
public:
    /// Keys without Return, no cursor; both as before when the object goes.
    Terminal();
    ~Terminal();
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    /// Whether stdin and stderr are one.
    static bool usable();
    std::optional<char> key();
    void draw(const std::vector<std::string>& lines);

private:
    struct Saved;
    Saved* saved_;
    std::size_t drawn_ = 0;
};

/// A bar of `width` characters from -60 to 0 dBFS, with the figure behind it.
std::string meter_bar(float level, int width);
