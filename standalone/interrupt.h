// SPDX-License-Identifier: GPL-3.0-or-later
// Ctrl-C as a question that long work asks now and then, so that it can tidy up.
#pragma once

/// From now on the first SIGINT, SIGTERM or SIGHUP only makes interrupted() true; the second ends the process.
void watch_interrupts();
bool interrupted() noexcept;
