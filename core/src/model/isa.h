// SPDX-License-Identifier: MIT
#pragma once

#include "serpent/errors.h"
#include "serpent/kernels/isa.h"

#include <optional>
#include <stdexcept>

namespace serpent {

/// The instruction set asked for, or the default. Throws Error, where kernels throw std::invalid_argument, when it is not there.
inline kernels::Isa required_isa(std::optional<kernels::Isa> wanted) {
    try {
        const kernels::Isa isa = wanted ? *wanted : kernels::default_isa();
        kernels::require_isa(isa);
        return isa;
    } catch (const std::invalid_argument& error) {
        throw Error(error.what());
    }
}

} // namespace serpent
