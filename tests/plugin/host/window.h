// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "host/checks.h"

namespace serpent::test {

/// Opens the editor in a window called "Serpent", plays to it, and prints "NAME VALUE" whenever a parameter changes, until
/// standard input closes. For a person, and for click_editor.sh. Returns the exit status.
int show_window(const Subject& subject);

} // namespace serpent::test
