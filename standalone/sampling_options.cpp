// SPDX-License-Identifier: GPL-3.0-or-later
#include "sampling_options.h"

#include "serpent/errors.h"

void add_sampling_options(CLI::App& command, SamplingArguments& a) {
    command.add_option("--seed", a.generator.seed, "The same number gives the same audio (default 1)")->type_name("N");
    command.add_option("--temperature", a.generator.sampling.temperature,
                       "Below 1 tamer, above 1 wilder, 0 always the likeliest (default 1)")
        ->type_name("X")->check(CLI::Range(0.0, 10.0).description(""));
    command.add_option("--top-k", a.generator.sampling.top_k, "Choose among the N likeliest sample values only (0: all)")
        ->type_name("N")->check(CLI::Range(0, serpent::mu_law_classes).description(""));
    command.add_option("--top-p", a.generator.sampling.top_p, "Choose among the likeliest that make up this share (1: all)")
        ->type_name("X")->check(CLI::Range(0.0, 1.0).description(""));
    command.add_option("--condition", a.conditions, "What to make, as digit=7, if the model knows; may be repeated")
        ->type_name("NAME=VALUE");
}

serpent::GeneratorOptions generator_options(const SamplingArguments& a, const serpent::GeneratorModel& model) {
    serpent::GeneratorOptions options = a.generator;
    options.conditions = serpent::condition_values(model.config, a.conditions);
    return options;
}

std::shared_ptr<const serpent::GeneratorModel> load_generator(const std::string& path) {
    if (!serpent::is_generator(path))
        throw serpent::Error(path + " is no generator; 'serpent render' plays recordings through effect models, and "
                                    "'serpent train-generator' makes generators");
    return std::make_shared<const serpent::GeneratorModel>(serpent::GeneratorModel::load(path));
}
