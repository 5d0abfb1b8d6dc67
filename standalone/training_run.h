// SPDX-License-Identifier: GPL-3.0-or-later
// What training an effect and a generator have in common: going on until done or interrupted, and losing nothing.
#pragma once

#include "interrupt.h"
#include "progress.h"
#include "training_files.h"

#include "serpent/errors.h"

#include <chrono>
#include <iostream>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

struct TrainingRun {
    double wall_s = 0;
    bool finished = false;  ///< else it was interrupted
};

/// Says where a training goes on.
template <class Trainer>
void tell_resumed(const Trainer& trainer) {
    std::cerr << "resuming at step " << trainer.steps_done() << " of " << trainer.options().schedule.steps << '\n';
}

/// Times the machine and decides how many steps make `minutes`, or `otherwise` where nothing is said. `steps_given`: elsewhere.
template <class Trainer>
void decide_length(Trainer& trainer, const std::optional<double>& minutes, double otherwise, bool steps_given) {
    if (!minutes && steps_given) return;
    std::cerr << "timing this machine...\n";
    trainer.calibrate(minutes.value_or(otherwise));
}

/// Whether the user's changes to the schedule say how many steps there are.
inline bool gives_steps(const std::string& schedule_json) { return schedule_json.find("steps") != std::string::npos; }

/// Trains with a checkpoint now and then. One that cannot be written is an error before the first update; later it is told, and
/// the training goes on. `figures(trainer)` is shown beside the progress.
template <class Trainer, class Figures>
TrainingRun run_training(Trainer& trainer, const TrainingFiles& files, const Figures& figures) {
    using Clock = std::chrono::steady_clock;
    constexpr double checkpoint_every_s = 30.0;
    const auto begin = Clock::now();
    auto saved = begin;
    bool told = false;
    Progress progress("training");
    const auto save = [&] {
        try {
            trainer.save_checkpoint(files.checkpoint());
        } catch (const serpent::Error& error) {
            if (!std::exchange(told, true)) progress.note(std::string("note: ") + error.what() + "; the training goes on");
        }
        saved = Clock::now();
    };
    trainer.save_checkpoint(files.checkpoint());
    TrainingRun run;
    while (!interrupted() && !run.finished) {
        run.finished = !trainer.step();
        progress.update(double(trainer.steps_done()) / double(trainer.options().schedule.steps), figures(trainer));
        if (std::chrono::duration<double>(Clock::now() - saved).count() > checkpoint_every_s) save();
    }
    save();
    if (const std::string diverged = trainer.divergence(); !diverged.empty()) progress.note("note: " + diverged);
    run.wall_s = std::chrono::duration<double>(Clock::now() - begin).count();
    return run;
}

/// Writes the model of `outcome` to its place, by `print` its figures to stdout and by `write_report` the report, given its path.
/// `is_as_good`: as in TrainingFiles::destination(). When one of them fails, the checkpoint still has it all, and the error says so.
template <class Outcome, class AsGood, class Print, class WriteReport>
void conclude_training(const Outcome& outcome, const TrainingFiles& files, const TrainingRun& run, const AsGood& is_as_good,
                       const Print& print, const WriteReport& write_report) try {
    const std::filesystem::path model = files.destination(run.finished, is_as_good);
    outcome.model.save(model);
    print();
    std::cerr << "model:  " << model.string() << '\n';
    if (!files.no_report) {
        const std::filesystem::path report = files.report_of(model);
        write_report(report);
        std::cerr << "report: " << report.string() << "  (open it in a browser)\n";
    }
    std::error_code ignored;
    if (run.finished) std::filesystem::remove(files.checkpoint(), ignored);
    else
        std::cerr << "stopped early: the model is the best so far"
                  << (model == files.model ? "" : ", but does not reach " + files.model.string() + ", which stays as it is")
                  << "; " << files.resuming_command() << " goes on\n";
} catch (const serpent::Error& error) {
    throw serpent::Error(std::string(error.what()) + "; nothing is lost: put that right, and " +
                         (files.resumes_unasked ? files.resuming_command() : "--resume") + " goes on from " +
                         files.checkpoint().string());
}
