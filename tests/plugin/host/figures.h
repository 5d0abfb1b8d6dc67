// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "host/checks.h"

namespace serpent::test {

/// Prints the size of the binary, the times to load it, to make an instance and (with a display) to open the editor, and the
/// CPU time that each model takes at 48 kHz in blocks of 64. Returns the exit status.
int print_figures(const Subject& subject, bool editor);

} // namespace serpent::test
