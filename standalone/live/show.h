// SPDX-License-Identifier: GPL-3.0-or-later
// What a live session looks like from outside: a screen with meters and keys, or a log.
#pragma once

#include "live/play.h"

#include <optional>
#include <string>

/// Both return when interrupted, after `seconds` of audio, or with what is wrong with the stream. That a recording stopped or
/// lost samples they say at once, and go on.
std::optional<std::string> show_until_over(Performance& performance, std::optional<double> seconds);
std::optional<std::string> log_until_over(Performance& performance, std::optional<double> seconds);
