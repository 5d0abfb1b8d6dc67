// SPDX-License-Identifier: GPL-3.0-or-later
// serpent models: what was installed with the command, to play by name.
#include "commands.h"
#include "shipped_models.h"

#include "serpent/errors.h"
#include "serpent/generator_model.h"
#include "serpent/model.h"
#include "serpent/text.h"

#include <iomanip>
#include <iostream>

namespace {

constexpr const char* footer =
    "Example:\n"
    "  serpent render zamtube guitar.wav -o out.wav\n"
    "\n"
    "Wherever a command takes a MODEL, these go by their bare name. A file of that name in the current folder goes first.\n"
    "'serpent info NAME' shows a model's card.";

void run() {
    const auto models = shipped_models();
    if (models.empty()) throw serpent::Error("no models are installed with this command; give commands a model's file instead");
    for (const auto& path : models) {
        const serpent::Metadata about = serpent::is_generator(path) ? serpent::GeneratorModel::load(path).metadata
                                                                    : serpent::Model::load(path).metadata;
        std::cout << std::left << std::setw(16) << path.stem().string() << ' ' << serpent::valid_utf8(about.description) << '\n';
    }
}

} // namespace

CLI::App* add_models_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand("models", "List the models that came with the command, to play by name");
    command->footer(footer);
    command->callback(run);
    return command;
}
