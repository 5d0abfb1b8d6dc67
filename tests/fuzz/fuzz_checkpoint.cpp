// SPDX-License-Identifier: GPL-3.0-or-later
// libFuzzer target for the readers of checkpoints, of effects and of generators.
#include "fuzz/checkpoints.h"
#include "fuzz/mutator.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto recordings = serpent::test::tiny_recordings();
    static const auto sounds = serpent::test::tiny_sounds();
    const auto bytes = std::as_bytes(std::span(data, size));
    serpent::test::exercise_checkpoint(bytes, *recordings);
    serpent::test::exercise_checkpoint(bytes, *sounds);
    return 0;
}
