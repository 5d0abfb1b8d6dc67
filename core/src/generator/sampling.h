// SPDX-License-Identifier: MIT
#pragma once

#include "serpent/generator.h"
#include "serpent/kernels/step.h"

namespace serpent {

/// Draws a class from 256 logits, each sampling setting in the same time: there is no sorting. `uniform` in [0, 1) decides.
/// Class 0, which mu-law never gives, is never drawn.
int draw_class(const kernels::StepOps& ops, const Sampling& sampling, float* logits, double uniform) noexcept;

} // namespace serpent
