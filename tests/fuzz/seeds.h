// SPDX-License-Identifier: GPL-3.0-or-later
// Small good files that fuzzing starts from: between them every option and every tensor type.
#pragma once

#include "model/example_model.h"

namespace serpent::test {

inline std::vector<std::string> fuzz_seeds() {
    ModelConfig small;
    small.d_model = small.d_state = small.expand = 1;
    small.n_layers = 1;
    ModelConfig tied = full_config();
    tied.a = DecayShape::tied;
    tied.b_bar = BBar::ema;
    tied.controls.clear();
    Model described = random_model(small);
    described.metadata = {"name", "author", "CC0-1.0", "text", "gear", -18.0, 4.0, "{}", {{"other", "text"}}};
    return {FileParts::saved(described), FileParts::saved(random_model(full_config())),
            FileParts::saved(random_model(tied, false), TensorType::f16),
            FileParts::saved(random_model(small, false), TensorType::bf16)};
}

} // namespace serpent::test
