// SPDX-License-Identifier: MIT
#pragma once

#include "serpent/kernels/isa.h"

#include <optional>

namespace serpent {

/// The instruction set asked for, or the default. Throws std::invalid_argument when it is not there, as kernels do
/// (model/as_error.h makes that an Error).
inline kernels::Isa required_isa(std::optional<kernels::Isa> wanted) {
    const kernels::Isa isa = wanted ? *wanted : kernels::default_isa();
    kernels::require_isa(isa);
    return isa;
}

} // namespace serpent
