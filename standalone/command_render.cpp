// SPDX-License-Identifier: GPL-3.0-or-later
#include "commands.h"
#include "control_option.h"
#include "interrupt.h"
#include "model_argument.h"
#include "one_of.h"
#include "outputs.h"
#include "progress.h"
#include "shipped_models.h"
#include "thread_note.h"

#include "serpent/errors.h"
#include "serpent/kernels/device.h"
#include "serpent/render_file.h"

#include <atomic>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>
#include <set>
#include <sstream>
#include <system_error>
#include <thread>

namespace fs = std::filesystem;

namespace {

constexpr const char* examples =
    "Examples:\n"
    "  serpent render amp.safetensors guitar.wav -o amped.wav\n"
    "  serpent render amp.safetensors take*.flac -o amped/                   many files, names kept\n"
    "  serpent render pedal.safetensors riff.wav -o out.wav --control Drive=0.8 --control Tone=0.3\n"
    "  serpent render comp.safetensors song.wav -o parallel.wav --mix 0.5 --output-db -3\n"
    "  serpent render comp.safetensors song.wav -o chorus.wav --start 61.5 --end 93\n"
    "\n"
    "Files may be WAV, FLAC, AIFF, OGG and more, of any rate and number of channels; the output keeps the input's\n"
    "length, rate and sample format, its titles and markers, and in WAV bext, iXML and loops. Each channel goes through a\n"
    "mono model on its own. Float is never clipped; integers saturate at full scale, and the samples that did are counted\n"
    "at the end.\n";

constexpr std::size_t files_at_once = 4; // on a GPU, which is faster than reading and writing one file

struct Arguments {
    fs::path model, output;
    std::vector<fs::path> inputs;
    std::vector<std::string> controls;
    std::string device = "auto", subtype, initial_state = "silence";
    std::optional<double> size;
    serpent::RenderFileOptions options;
};

struct Job {
    fs::path input, output;
};

/// The file that `input` becomes in `folder`: its name, as a WAV where its own type can only be read.
fs::path output_in(const fs::path& folder, const fs::path& input) {
    fs::path output = folder / input.filename();
    try {
        (void)serpent::closest_format(output, {});
    } catch (const serpent::Error&) {
        output.replace_extension(".wav");
    }
    return output;
}

bool names_folder(const fs::path& path) {
    std::error_code none_there;
    return fs::is_directory(path, none_there) || !path.has_filename();
}

std::vector<Job> plan(const Arguments& arguments) {
    const bool into_folder = arguments.inputs.size() > 1 || names_folder(arguments.output);
    std::error_code none_there;
    if (into_folder && fs::exists(arguments.output, none_there) && !names_folder(arguments.output)) {
        throw serpent::Error("cannot write into " + arguments.output.string() + ": many inputs need a folder");
    }
    std::vector<Job> jobs;
    std::map<fs::path, fs::path> input_of;
    for (const fs::path& input : arguments.inputs) {
        const Job job{input, into_folder ? output_in(arguments.output, input) : arguments.output};
        const auto [known, fresh] = input_of.emplace(job.output, input);
        if (!fresh) {
            throw serpent::Error(known->second.string() + " and " + input.string() + " would both become " +
                                 job.output.string() + "; render them into different folders");
        }
        jobs.push_back(job);
    }
    for (const Job& job : jobs) {
        require_no_input(job.output, arguments.inputs);
        if (same_file(job.output, arguments.model)) {
            throw serpent::Error("cannot write " + job.output.string() + ": it is the model; choose another name");
        }
    }
    return jobs;
}

/// A folder that is created when missing, and goes again if nothing came to lie in it.
class OutputFolder {
public:
    explicit OutputFolder(fs::path folder) {
        std::error_code error;
        if (!folder.has_filename()) folder = folder.parent_path(); // "a/b/" is "a/b"
        for (fs::path part = folder; !part.empty() && !fs::exists(part, error); part = part.parent_path()) {
            created_.push_back(part);
        }
        fs::create_directories(folder, error);
        if (error) throw serpent::Error("cannot create the folder " + folder.string() + ": " + error.message());
    }
    ~OutputFolder() {
        std::error_code not_empty;
        for (const fs::path& part : created_) fs::remove(part, not_empty);
    }
    OutputFolder(const OutputFolder&) = delete;
    OutputFolder& operator=(const OutputFolder&) = delete;

private:
    std::vector<fs::path> created_; // innermost first
};

std::string text(const char* format, double value) {
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, format, value);
    return buffer;
}

std::string report_text(const Job& job, const serpent::RenderFileReport& report, const serpent::RenderFileOptions& options) {
    std::ostringstream out;
    const double audio_s = static_cast<double>(report.frames) / report.output.sample_rate;
    const double peak_db = 20.0 * std::log10(std::max(report.peak, 1e-10));
    out << job.output.string() << ": " << text("%.2f s", audio_s) << " in " << text("%.2f s", report.wall_s)
              << ", " << text("%.0f", audio_s / std::max(report.wall_s, 1e-6)) << " times real time, peak "
              << text("%.1f dBFS", peak_db) << '\n';
    if (report.saturated > 0) {
        out << "  " << report.saturated << " samples were saturated at full scale; use "
                  << text("--output-db %.1f", std::floor((options.output_db - peak_db) * 10.0) / 10.0)
                  << " or --subtype float\n";
    }
    if (!options.subtype && report.output.subtype != report.input.subtype) {
        out << "  stored as " << serpent::subtype_name(report.output.subtype)
                  << ", the closest this file type has to " << serpent::subtype_name(report.input.subtype) << '\n';
    }
    if (!report.note.empty()) out << "  note: " << report.note << '\n';
    if (!report.not_kept.empty()) {
        out << "  not kept, since this type of file has no place for it: ";
        for (std::size_t i = 0; i < report.not_kept.size(); ++i) out << (i ? ", " : "") << report.not_kept[i];
        out << '\n';
    }
    if (!report.warm) {
        out << "  note: the model remembers longer than the " << text("%.0f s", report.warm_up_s)
                  << " before --start that it heard; the beginning may differ slightly from a render of the whole\n";
    }
    return out.str();
}

/// Returns what to tell about threads.
std::string render_one(const std::shared_ptr<const serpent::Model>& model, const Job& job, serpent::RenderFileOptions options) {
    serpent::RenderFileReport report;
    {
        Progress progress(job.input.filename().string());
        options.on_progress = [&](double fraction) {
            progress.update(fraction);
            return !interrupted();
        };
        report = serpent::render_file(model, job.input, job.output, options);
    }
    std::cerr << report_text(job, report, options);
    return thread_note(options.renderer.threads, report.threads);
}

/// Several files at once, so that a GPU computes one while others are read and written. Returns how many failed.
class SideBySide {
public:
    SideBySide(std::shared_ptr<const serpent::Model> model, const std::vector<Job>& jobs, const serpent::RenderFileOptions& options)
        : model_(std::move(model)), jobs_(jobs), options_(options), done_(jobs.size()) {}

    std::size_t run(std::size_t at_once) {
        {
            std::vector<std::jthread> threads;
            try {
                for (std::size_t i = 0; i < std::min(at_once, jobs_.size()); ++i) threads.emplace_back([this] { work(); });
            } catch (const std::system_error&) {
                if (threads.empty()) work();  // the system gives no more threads: fewer do it, at the least this one
            }
        }
        if (interrupted()) throw serpent::Interrupted("interrupted; files that were not finished were not written");
        return failed_;
    }

private:
    void work() {
        for (std::size_t i = next_++; i < jobs_.size() && !interrupted(); i = next_++) {
            serpent::RenderFileOptions options = options_;
            options.on_progress = [this, i](double fraction) {
                const std::lock_guard lock(mutex_);
                done_[i] = fraction;
                progress_.update(std::accumulate(done_.begin(), done_.end(), 0.0) / static_cast<double>(done_.size()));
                return !interrupted();
            };
            try {
                std::string text = report_text(jobs_[i], serpent::render_file(model_, jobs_[i].input, jobs_[i].output, options), options_);
                text.pop_back(); // note() ends the line
                const std::lock_guard lock(mutex_);
                progress_.note(text);
            } catch (const serpent::Interrupted&) {
                return;
            } catch (const std::exception& error) {
                const std::lock_guard lock(mutex_);
                progress_.note(std::string("serpent: ") + error.what());
                ++failed_;
            }
        }
    }

    std::shared_ptr<const serpent::Model> model_;
    const std::vector<Job>& jobs_;
    const serpent::RenderFileOptions& options_;
    std::atomic<std::size_t> next_{0};
    std::mutex mutex_;                 // of all below
    Progress progress_{"rendering"};
    std::vector<double> done_;         // fraction of every file
    std::size_t failed_ = 0;
};


void set_device(Arguments& arguments) {
    auto& device = arguments.options.renderer.device;
    device = arguments.device == "cpu" ? serpent::Device::cpu : serpent::Device::automatic;
    if (arguments.device != "cuda") return;
    device = serpent::Device::cuda;
    if (!serpent::kernels::device_status().available)
        throw serpent::Error("--device cuda: " + serpent::kernels::device_status().description + "; use --device cpu or leave it out");
}

void run(Arguments arguments) {
    set_device(arguments);
    if (!arguments.subtype.empty()) arguments.options.subtype = serpent::subtype_from_name(arguments.subtype);
    if (arguments.initial_state == "zero") arguments.options.renderer.initial_state = serpent::InitialState::zero;
    const auto model = at_size(load_model(arguments.model, "serpent render", arguments.inputs), arguments.size);
    arguments.options.renderer.controls = control_values(*model, arguments.controls);
    const std::vector<Job> jobs = plan(arguments);
    std::optional<OutputFolder> folder;
    if (jobs.size() > 1 || names_folder(arguments.output)) folder.emplace(arguments.output);
    watch_interrupts();
    std::size_t failed = 0;
    const bool on_gpu = arguments.options.renderer.device != serpent::Device::cpu && serpent::kernels::device_status().available;
    if (on_gpu && jobs.size() > 1) failed = SideBySide(model, jobs, arguments.options).run(files_at_once);
    std::string threads;  // of the last file that had too few: said once
    if (!on_gpu || jobs.size() == 1) for (const Job& job : jobs) {
        try {
            if (const std::string note = render_one(model, job, arguments.options); !note.empty()) threads = note;
        } catch (const serpent::Interrupted&) {
            throw;
        } catch (const serpent::Error& error) {
            if (jobs.size() == 1) throw;
            std::cerr << "serpent: " << error.what() << '\n';
            ++failed;
        }
    }
    if (!threads.empty()) std::cerr << threads << '\n';
    if (failed > 0) {
        throw serpent::Error(std::to_string(failed) + " of " + std::to_string(jobs.size()) +
                             " files were not rendered");
    }
}

} // namespace

CLI::App* add_render_command(CLI::App& app) {
    const auto arguments = std::make_shared<Arguments>();
    serpent::RenderFileOptions& options = arguments->options;
    CLI::App* command = app.add_subcommand("render", "Play audio files through a model, faster than real time");
    command->footer(examples);
    command->add_option("MODEL", arguments->model, "The model: a .safetensors or .nam file")->required()
        ->transform(shipped_model())->type_name("");
    command->add_option("IN", arguments->inputs, "Audio files to play through it")->required()->type_name("");
    command->add_option("-o,--output", arguments->output,
                        "The file to write, or the folder for many inputs (created if missing)")
        ->required()->type_name("OUT|DIR");
    add_control_option(*command, arguments->controls);
    add_size_option(*command, arguments->size);
    command->add_option("--input-db", options.input_db, "Gain before the model, in dB")->type_name("X");
    command->add_option("--output-db", options.output_db, "Gain of the result, in dB, after --mix")->type_name("X");
    command->add_option("--mix", options.mix, "0 is the input alone, 1 (the default) the model alone")->type_name("X");
    command->add_option("--start", options.start_s, "Render from here, in seconds; what is before warms the model up")
        ->type_name("S");
    command->add_option("--end", options.end_s, "Render up to here, in seconds")->type_name("S");
    command->add_option("--subtype", arguments->subtype,
                        "Sample format of the output: pcm16, pcm24, pcm32, float, double")
        ->check(one_of({"pcm16", "pcm24", "pcm32", "float", "double"}))->type_name("FORMAT");
    command->add_option("--initial-state", arguments->initial_state,
                        "Start from the state that silence leads to (silence, the default) or from zero")
        ->check(one_of({"silence", "zero"}))->type_name("STATE");
    command->add_option("--device", arguments->device, "Where to compute: auto (default), cpu or cuda")
        ->check(one_of({"auto", "cpu", "cuda"}))->type_name("DEVICE");
    command->add_option("--threads", options.renderer.threads, "Threads to use; 0 (default): one for each core")
        ->check(CLI::Range(0, 1024).description(""))->type_name("N");
    command->callback([arguments] { run(*arguments); });
    return command;
}
