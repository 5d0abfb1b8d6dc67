// SPDX-License-Identifier: GPL-3.0-or-later
// A device to capture when there is none at hand: an overdrive whose supply sags.
#pragma once

#include <vector>

namespace demo {

/// 48 kHz in and out, no latency, the same samples at every run.
std::vector<float> overdrive(const std::vector<float>& dry);

} // namespace demo
