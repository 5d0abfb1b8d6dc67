// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "serpent/errors.h"
#include "serpent/model.h"

#include <cmath>
#include <cstdlib>

namespace serpent::test {

/// Reads `bytes` as a model. False when they are refused with an Error; anything else thrown is a bug and escapes.
/// A model that is accepted must do everything that a model can do: be counted, fall silent, be saved.
inline bool exercise(std::span<const std::byte> bytes) {
    std::optional<Model> model;
    try {
        model = Model::parse(bytes, "fuzz");
    } catch (const Error&) {
        return false;
    }
    if (model->parameter_count() == 0 || model->macs_per_sample() == 0) std::abort();
    if (model->nam) return true;  // fuzz_nam.cpp plays it
    const State state = silence_state(*model);
    for (const float h : state.h) {
        if (!std::isfinite(h)) std::abort();
    }
    model->save("/dev/null");
    return true;
}

} // namespace serpent::test
