// SPDX-License-Identifier: MIT
#pragma once

namespace serpent {

/// Where to compute. automatic: on a GPU where there is one and it has the memory, else on the CPU. cuda: an Error where there
/// is none. serpent/kernels/device.h says what there is.
enum class Device { automatic, cpu, cuda };

} // namespace serpent
