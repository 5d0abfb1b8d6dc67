// SPDX-License-Identifier: GPL-3.0-or-later
#include "training_files.h"

#include "outputs.h"

#include "serpent/errors.h"
#include "serpent/output_file.h"

namespace fs = std::filesystem;

const char* const training_files_help =
    "Nothing is replaced unasked. Where MODEL or MODEL.checkpoint is there, --resume goes on with the training that was\n"
    "stopped, and --force trains anew; when it ends, its model replaces MODEL. One that is stopped replaces only what is no\n"
    "better on the validation part. A better MODEL stays, and what was trained so far is NAME.unfinished.safetensors.\n";

namespace {

constexpr std::uintmax_t model_bytes = 1 << 20;  // nearly always less

fs::path with_suffix(fs::path path, const char* suffix) {
    path += suffix;
    return path;
}

bool holds_something(const fs::path& path) {
    std::error_code none_there;
    return fs::is_regular_file(path, none_there) && fs::file_size(path, none_there) > 0;
}

} // namespace

fs::path TrainingFiles::checkpoint() const { return with_suffix(model, ".checkpoint"); }

fs::path TrainingFiles::unfinished() const {
    return model.parent_path() / (model.stem().string() + ".unfinished" + model.extension().string());
}

fs::path TrainingFiles::report_of(const fs::path& written_model) const {
    return report.empty() ? with_suffix(fs::path(written_model).replace_extension(), ".html") : report;
}

std::string TrainingFiles::resuming_command() const {
    if (resumes_unasked) return std::string("the same command") + (force ? " without --force" : "");
    return std::string("the same command with --resume") + (force ? " instead of --force" : "");
}

void TrainingFiles::require_not_among(const std::vector<fs::path>& inputs) const {
    std::vector<fs::path> outputs{model, checkpoint(), unfinished()};
    if (!no_report) outputs.push_back(report_of(model));
    for (const fs::path& output : outputs) require_no_input(output, inputs);
}

void TrainingFiles::check(const std::vector<fs::path>& inputs) const {
    require_not_among(inputs);
    if (!no_report && (same_file(report_of(model), model) || same_file(report_of(model), checkpoint())))
        throw serpent::Error("the model and its report would both be " + report_of(model).string() + "; give --report another name");
    const std::string name = model.string(), stopped = checkpoint().string();
    const bool has_model = holds_something(model), has_checkpoint = holds_something(checkpoint());
    if (resume && !has_checkpoint)
        throw serpent::Error("there is no " + stopped + " to resume from: that training ended or never began; " +
                             (has_model ? "give --force instead of --resume to train anew and replace " + name : "leave out --resume"));
    if (!resume && !force && has_checkpoint)
        throw serpent::Error(stopped + " is a training that was stopped: give --resume to go on with it, or --force to train anew" +
                             (has_model ? " and replace " + name : "") + ", or choose another name");
    if (!resume && !force && has_model && resumes_unasked)
        throw serpent::Error(name + " is there already: choose another name, or give --force to train anew and replace it");
    if (!resume && !force && has_model)
        throw serpent::Error(name + " is there already: choose another name, or give --force to train anew and replace it; --resume "
                             "would go on with a training that was stopped, but there is no " + stopped);
    serpent::require_output(model, model_bytes);
    serpent::require_output(checkpoint());
    if (has_model) serpent::require_output(unfinished());
    if (!no_report) serpent::require_output(report_of(model), report_bytes);
}

fs::path TrainingFiles::destination(bool finished, const std::function<bool()>& is_as_good) const {
    return finished || !holds_something(model) || is_as_good() ? model : unfinished();
}

void add_training_file_options(CLI::App& command, TrainingFiles& files) {
    command.add_option("-o,--output", files.model, "The model to write")->required()->type_name("MODEL");
    auto* resume = command.add_flag("--resume", files.resume, "Go on from MODEL.checkpoint, with the same result as if never stopped");
    command.add_flag("--force", files.force, "Train anew where there is a MODEL or MODEL.checkpoint already, and replace it")
        ->excludes(resume);
    command.add_option("--report", files.report, "Where to write the report (default: beside the model)")->type_name("FILE");
    command.add_flag("--no-report", files.no_report, "Write no report");
}
