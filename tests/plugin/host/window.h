// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "host/checks.h"

namespace serpent::test {

/// Opens the editor in a window called "Serpent", plays to it, and prints "NAME VALUE" whenever a parameter changes, until
/// standard input closes. An "r" there closes the editor at once, says which model plays after 0.3 s, and opens it again.
/// For a person, and for click_editor.sh. Returns the exit status.
int show_window(const Subject& subject);

} // namespace serpent::test
