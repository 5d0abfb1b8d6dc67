// SPDX-License-Identifier: MIT
// How the states of a block begin, whatever it is part of.
#pragma once

#include "serpent/model.h"

#include <span>

namespace serpent {

/// The value whose softplus is y.
double inverse_softplus(double y);
/// i of n points, log-spaced from first to last.
double log_spaced(int i, int n, double first, double last);

/// Of a rotating block: decays over time scales up to `longest_samples`, and over the audible range frequencies that run the other way in
/// every second layer, so that what rings long is not always low. One pair of every second channel hardly turns: sag and bias are slow.
/// `rate_hz`: of its steps. `jitter`: one number in [-.5, .5] for each pair moves its frequency. Sets A_log, A_imag and dt_proj_bias.
void set_resonances(const kernels::BlockShape& block, int layer, double rate_hz, double longest_samples, std::span<const float> jitter,
                    LayerWeights& w);

} // namespace serpent
