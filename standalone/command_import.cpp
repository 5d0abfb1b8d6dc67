// SPDX-License-Identifier: GPL-3.0-or-later
#include "commands.h"
#include "outputs.h"

#include "serpent/import.h"

#include <iostream>
#include <memory>
#include <string>

namespace {

struct ImportOptions {
    std::string input, output, name;
    int sample_rate_hz = 48000;
};

void run_import(const ImportOptions& options) {
    require_no_input(options.output, {options.input});
    serpent::ImportedModel imported = serpent::import_checkpoint(options.input, options.sample_rate_hz);
    if (!options.name.empty()) imported.model.metadata.name = options.name;
    imported.model.save(options.output);
    for (const std::string& tensor : imported.ignored) std::cerr << "Left out: " << tensor << " (audio has no tokens).\n";
    if (imported.neutral_ends) {
        std::cerr << "The checkpoint has no encoder.weight and decoder.weight for audio, so neutral ones were put in:\n"
                     "the model gives back its input unchanged until its encoder and decoder are trained.\n";
    }
    std::cout << "Wrote " << options.output << ": " << imported.model.config.n_layers << " layers, "
              << imported.model.parameter_count() << " parameters.\n";
}

} // namespace

CLI::App* add_import_command(CLI::App& app) {
    auto options = std::make_shared<ImportOptions>();
    CLI::App* command = app.add_subcommand("import", "Turn a public Mamba checkpoint (safetensors) into a model file");
    command->footer("Takes tensors named as the PyTorch implementation names them (backbone.layers.0.mixer.in_proj.weight ...)\n"
                    "and reads every width from their shapes. An encoder and a decoder for audio are taken where the file\n"
                    "has them under Serpent's names (encoder.weight, encoder.bias, decoder.weight, decoder.bias, skip);\n"
                    "a language model's embedding and head are left out.");
    command->add_option("IN", options->input, "The checkpoint, a .safetensors file")->required();
    command->add_option("-o,--output", options->output, "The model file to write")->required()->type_name("FILE");
    command->add_option("--sample-rate", options->sample_rate_hz, "Rate that the model runs at, in Hz (a checkpoint does not say)")
        ->capture_default_str();
    command->add_option("--name", options->name, "Name of the model; the input's file name otherwise");
    command->callback([options] { run_import(*options); });
    return command;
}
