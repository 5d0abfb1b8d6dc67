// SPDX-License-Identifier: GPL-3.0-or-later
#include "model_argument.h"

#include "serpent/errors.h"
#include "serpent/file_kind.h"
#include "serpent/nam.h"

namespace fs = std::filesystem;

std::shared_ptr<const serpent::Model> load_model(const fs::path& model, const std::string& command,
                                                 const std::vector<fs::path>& recordings) try {
    return std::make_shared<const serpent::Model>(serpent::Model::load(model));
} catch (const serpent::Error&) {
    const serpent::FileKind given = serpent::kind_of_file(model);
    if (given.group != serpent::FileKind::Group::audio) throw;
    for (std::size_t i = 0; i < recordings.size(); ++i) {
        if (serpent::kind_of_file(recordings[i]).group != serpent::FileKind::Group::model) continue;
        std::string right = command + " " + recordings[i].string() + " " + model.string();
        for (std::size_t k = 0; k < recordings.size(); ++k)
            if (k != i) right += " " + recordings[k].string();
        throw serpent::Error(model.string() + " is " + given.name + " and " + recordings[i].string() +
                             " the model, which comes first: " + right);
    }
    throw;
}

void add_size_option(CLI::App& command, std::optional<double>& size) {
    command.add_option("--size", size, "Of a .nam capture that offers several sizes, the one to play, from 0 to 1 (the default: the largest)")
        ->type_name("X");
}

std::shared_ptr<const serpent::Model> at_size(std::shared_ptr<const serpent::Model> model, std::optional<double> size) {
    if (!size) return model;
    return std::make_shared<const serpent::Model>(serpent::nam_at_size(*model, *size));
}
