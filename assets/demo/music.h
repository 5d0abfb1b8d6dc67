// SPDX-License-Identifier: GPL-3.0-or-later
// What the guitar plays.
#pragma once

#include "guitar.h"

namespace demo {

/// The demo recording: four bars in E minor, from palm mutes to a last chord that rings out. 11.5 s.
std::vector<float> phrase();

/// Somebody practising for a while: riffs, arpeggios, licks and chords at many levels, never the same twice, and never
/// the phrase. Something to train on.
std::vector<float> practice(double seconds, std::uint64_t seed);

} // namespace demo
