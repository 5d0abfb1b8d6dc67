// SPDX-License-Identifier: GPL-3.0-or-later
// libFuzzer target for the model reader.
#include "fuzz/exercise.h"
#include "fuzz/mutator.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    serpent::test::exercise(std::as_bytes(std::span(data, size)));
    return 0;
}
