// SPDX-License-Identifier: GPL-3.0-or-later
// What instruction_counts.py runs under callgrind: one model of a given shape, playing blocks of one size.
//
//   count_instructions D_MODEL EXPAND D_STATE LAYERS full|tied|preset ISA BLOCK SAMPLES
//
// "preset": decays in full, layers and filters as train_preset("standard") has them.
#include "benchmark/benchmark_models.h"
#include "serpent/stream.h"
#include "serpent/training.h"

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

int main(int count, char** arguments) {
    using namespace serpent;
    if (count != 9) {
        std::cerr << "usage: count_instructions D_MODEL EXPAND D_STATE LAYERS full|tied|preset ISA BLOCK SAMPLES\n";
        return 1;
    }
    const auto number = [&](int i) { return std::atoi(arguments[i]); };
    const auto isa = kernels::isa_from_name(arguments[6]);
    const DecayShape decays = arguments[5] == std::string("tied") ? DecayShape::tied : DecayShape::full;
    ModelConfig kinds;
    if (arguments[5] == std::string("preset")) kinds = train_preset("standard").config;
    Stream stream(test::benchmark_model(number(1), number(2), number(3), number(4), decays, BBar::ema, kinds), {.isa = isa});
    const int block = number(7);
    stream.prepare(stream.model().config.sample_rate, block);
    test::Random random(2);
    const auto signal = random.vector<float>(static_cast<std::size_t>(block), -0.5, 0.5);
    std::vector<float> answer(signal.size());
    const float* in = signal.data();
    float* out = answer.data();
    for (int done = 0; done < number(8); done += block) stream.process(&in, &out, block);
    std::cout << kernels::isa_name(stream.isa()) << '\n';
    return isa == stream.isa() ? 0 : 1;
}
