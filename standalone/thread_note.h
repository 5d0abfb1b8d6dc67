// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

/// A line for the user when fewer threads run than --threads asked for (0: one for each core), else empty. running: 0 on a GPU.
std::string thread_note(int asked, int running);
