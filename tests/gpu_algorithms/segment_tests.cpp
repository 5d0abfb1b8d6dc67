// SPDX-License-Identifier: GPL-3.0-or-later
// Training on the device, run on the CPU: one segment of 16 lanes against core's CPU trainer and, for what that does not train,
// against float64: loss, gradient and end state, by one thread and by a team of three with barriers.
#include "gpu_algorithms/host_segment.h"
#include "gpu_algorithms/reference_segment.h"

using namespace serpent;
using namespace serpent::test;

TEST_CASE("a training segment as the device computes it equals the CPU trainer's") {
    const std::vector<std::pair<ModelConfig, bool>> models{
        {preset(8, 1, 4, 4, DecayShape::full, BBar::ema), true},
        {preset(8, 2, 4, 4, DecayShape::tied, BBar::ema), true},
        {preset(8, 2, 8, 2, DecayShape::full, BBar::ema), true},
        {preset(16, 2, 16, 2, DecayShape::full, BBar::euler), false},
        {full_config(), true},
        {full_config(), false},
    };
    for (const auto& [config, biases] : models)
        for (const int steps : {1, 7, 8, 9, 33, 131}) {
            CAPTURE(config.d_model, config.d_state, steps, biases);
            SegmentCase c(config, steps, biases, steps % 2 == 0);
            check_close(on_cpu(c), as_device(c, 1));
        }
}

TEST_CASE("a training segment is the same bits from any team, and no thread outruns another") {
    ModelConfig config = full_config();
    config.final_norm = true;
    for (const bool silence : {false, true}) {
        SegmentCase c(config, 37, true, silence);
        const Answer one = as_device(c, 1), three = as_device(c, 3);
        CHECK(one.gradient == three.gradient);
        CHECK(one.end == three.end);
        CHECK(one.loss == three.loss);
    }
}

TEST_CASE("a training segment of any blocks and filters as the device computes it equals float64") {
    for (const auto& [name, config] : block_cases())
        for (const int steps : {1, 7, 8, 9, 33, 131, 700}) {
            CAPTURE(name, steps);
            SegmentCase c(config, steps, steps % 3 != 0, steps % 2 == 0);
            check_close(in_float64(c), as_device(c, 1));
        }
}

TEST_CASE("a training segment of any blocks and filters is the same bits from any team") {
    for (const auto& [name, config] : block_cases()) {
        CAPTURE(name);
        SegmentCase c(config, 141, true, true);
        const Answer one = as_device(c, 1), three = as_device(c, 3);
        CHECK(one.gradient == three.gradient);
        CHECK(one.end == three.end);
        CHECK(one.loss == three.loss);
    }
}
