// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "serpent/generator_model.h"

#include <memory>

/// Measures a generator's steps one by one, and its priming, and prints tables or JSON. `minutes`: of audio to generate;
/// the cost of a step is also told after every tenth of them.
void bench_generator(const std::shared_ptr<const serpent::GeneratorModel>& model, double seconds, double minutes, bool json);
