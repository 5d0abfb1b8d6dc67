// SPDX-License-Identifier: MIT
#pragma once

#include "serpent/model.h"

#include <vector>

namespace serpent {

/// The model as it would run at `sample_rate_hz`: what it does in a second stays, what it does in a sample is re-derived.
/// The recurrence takes shorter or longer steps dt (a shift of dt_proj.bias, so that it costs nothing); the taps of the
/// convolutions, which stand at instants of the old rate, are interpolated on the new grid. Right for what moves slowly
/// against both rates, an approximation for what moves within a few samples. Angles of complex states scale with the step, those
/// beyond the new Nyquist frequency stop at it. Taps that stand far apart stay few: each becomes a cluster around where it was, in a
/// dense convolution whose other taps are 0 (which cost the live engine nothing). config.convs, .dilations, .step_ratio and the lengths
/// of the filters change with the rate.
Model at_rate(const Model& model, double sample_rate_hz);

/// [new tap][old tap]: the FIR on a grid of `spacing` new samples per old one that stands in for each of `taps` old taps;
/// newest sample first. Exact where an old tap falls on the new grid, else the best in the least squares over the band
/// that both rates share.
std::vector<std::vector<double>> interpolated_taps(int taps, double spacing);

} // namespace serpent
