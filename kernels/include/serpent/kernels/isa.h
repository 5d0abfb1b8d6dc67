// SPDX-License-Identifier: MIT
// The instruction sets the CPU kernels are compiled for, and the choice between them at run time.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace serpent::kernels {

enum class Isa { scalar, sse4, avx2, avx512, neon };

/// "scalar", "sse4", "avx2", "avx512", "neon".
std::string_view isa_name(Isa isa) noexcept;
std::optional<Isa> isa_from_name(std::string_view name) noexcept;

/// Those compiled in and supported by this processor, slowest first; never empty.
std::vector<Isa> available_isas();

/// The ISA named by the environment variable SERPENT_ISA, else the fastest available.
/// Throws std::invalid_argument, naming what is available, when SERPENT_ISA names none or one that is not there.
Isa default_isa();

/// Throws std::invalid_argument, naming what is available, unless `isa` is.
void require_isa(Isa isa);

/// What code compiled for an ISA says about itself when it runs.
struct IsaProbe {
    Isa isa;
    std::string_view target;  ///< Highway's name of the compiled target, for instance "AVX2"
    int float_lanes;
};
/// Runs code compiled for `isa`. Throws as require_isa().
IsaProbe probe_isa(Isa isa);

} // namespace serpent::kernels
