// SPDX-License-Identifier: MIT
// Public Mamba checkpoints (state dicts of the PyTorch implementation, as safetensors) as Serpent models.
#pragma once

#include "serpent/model.h"

#include <filesystem>
#include <string>
#include <vector>

namespace serpent {

struct ImportedModel {
    Model model;
    /// The checkpoint had no audio encoder and decoder, as those of language models: neutral ones were put in, with which
    /// the model passes its input on unchanged until it is trained.
    bool neutral_ends = false;
    std::vector<std::string> ignored;  ///< tensors that audio has no use for: token embedding, language head
};

/// Reads `backbone.layers.{i}.mixer.*`, `backbone.layers.{i}.norm.weight` and `backbone.norm_f.weight`, and, where
/// present, encoder, decoder and skip in Serpent's names; the prefix `backbone.` may be missing. Widths follow from the
/// shapes. A checkpoint does not tell its sample rate. Throws Error naming the file and the tensor that does not fit.
ImportedModel import_checkpoint(const std::filesystem::path& path, int sample_rate_hz = 48000);

} // namespace serpent
