// SPDX-License-Identifier: MIT
// Training a capture: dry and wet recordings of a device in, a Model out. Truncated back-propagation through time with
// carried state, on the CPU or a GPU. The result does not depend on the number of threads, bit for bit on one ISA, and two
// runs on one kind of GPU give the same bits; a run may move between CPU and GPU at a checkpoint.
#pragma once

#include "serpent/device.h"
#include "serpent/kernels/isa.h"
#include "serpent/model.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace serpent {

/// One recording of the device: dry and wet aligned to the sample and of equal length, planar channels.
struct TrainingTake {
    std::vector<std::vector<float>> dry, wet;
    std::vector<float> controls;  ///< model units, one per control
};

struct TrainingSet {
    int sample_rate = 48000;  ///< Hz
    int delay_samples = 0;    ///< by which the wet begins behind the dry: the gear's own. Where a model's output filter starts from
    std::vector<Control> controls;
    std::vector<TrainingTake> train, valid;  ///< valid chooses the weights that are kept; never train on it
};

/// How a run goes about it. Lengths in seconds are of audio.
struct TrainSchedule {
    std::int64_t steps = 20000;     ///< updates in all; the rate follows a cosine over them
    int lanes = 32;                 ///< sequences side by side, a multiple of 16
    int segment = 256;              ///< samples per update and lane, +-40 % at random
    int late_segment = 1024;        ///< the same in the last `late_share` of the steps
    double late_share = 0.3;
    double rate = 4e-3;             ///< AdamW
    double final_rate = 0.005;      ///< share of `rate` at the end
    int rate_warmup = 200;          ///< updates from 0 to `rate`
    double weight_decay = 0.0;
    double film_weight_decay = 0.05;  ///< of the controls' network: keeps it smooth between the settings it was shown
    double clip = 1.0;              ///< largest norm of the gradient
    double average = 0.999;         ///< decay of the exponential average of the weights
    double esr_weight = 1.0;        ///< of the loss: plain ESR,
    double pre_emphasis_weight = 0.25;  ///< ESR after 1 - 0.85 z^-1,
    double mrstft_weight = 0.0;     ///< and MR-STFT, in the late part, on segments long enough for it
    double shortest_run_s = 0.25;   ///< a lane plays a stretch of the recording, of random length (log-uniform), then
    double longest_run_s = 8.0;     ///< starts elsewhere
    double silence_share = 1.0;     ///< of these stretches start in the silence state; the rest in the state that the model
    int replay_every = 1000;        ///< had there when it last played all takes, once in so many updates
    double unscored_s = 0.02;       ///< after a start from silence that is not the recording's own beginning
    int validate_every = 500;       ///< updates
    double patience = 0.25;         ///< stop when this share of all steps brought no better validation ESR; counted in
                                    ///< the second half only, since at a high rate the validation ESR jumps about
    std::string start = "grid";     ///< initial time constants: "grid" (1 sample to longest) or "slow" (A = 1..N)
    double longest_memory_s = 2.0;  ///< longest time constant in silence, at the start and of every model that comes out
    int starts = 1;                 ///< of which try_starts() chooses
};

struct TrainOptions {
    ModelConfig config;      ///< sample_rate, channels and controls are taken from the data
    TrainSchedule schedule;
    std::uint64_t seed = 1;
    int threads = 0;         ///< 0: as many as the machine has cores
    std::optional<kernels::Isa> isa;
    Device device = Device::cpu;
};

/// "nano", "standard", "max": a model and a schedule that suit each other. Throws Error naming the presets.
TrainOptions train_preset(const std::string& name);
std::vector<std::string> train_preset_names();
/// Suits model and schedule to a device that rides its gain and remembers what it heard for `seconds` (0.01 to 60; a compressor's
/// release): selective layers alone, time constants up to that, longer stretches of the recording, most of them begun with the state
/// that the model had there. Throws Error for other values.
void set_memory(TrainOptions& options, double seconds);
/// Looks at how the gear answers the recordings and suits `options` to it, as far as that matters: gear that rides its gain gets the
/// memory it needs (set_memory). Returns what was found, a sentence each. Throws Error as Trainer does.
std::vector<std::string> suit_to_gear(TrainOptions& options, const TrainingSet& data);
/// Merges JSON text into the model config or the schedule, for experiments: {"d_model": 16}. Throws Error on a bad key.
void override_config(TrainOptions& options, const std::string& json);
void override_schedule(TrainOptions& options, const std::string& json);

/// What try_starts() found. The training goes on, from its beginning, with `seed`.
struct Starts {
    std::uint64_t seed = 1;
    std::int64_t updates = 0;       ///< of each start; 0: there was nothing to choose
    std::vector<double> valid_esr;  ///< of each start, after these
    bool finished = true;           ///< else `go_on` said no, and nothing is known
};

/// Where a training ends depends on where it starts, and early shows which start is good: trains schedule.starts of them, with seeds
/// that follow from options.seed (the first is that itself), for start_updates() each, and says which came closest on `data->valid`. When
/// none got off the ground (an ESR of half of what silence has), as many again. Calls `go_on` with the share done before every update; that
/// falls to a half where as many again are tried.
/// Throws Error as Trainer does.
Starts try_starts(std::shared_ptr<const TrainingSet> data, const TrainOptions& options, const std::function<bool(double share)>& go_on);
/// A twentieth of the steps, at most 1000; 0 with one start, and where that were less than 100, which would tell nothing.
std::int64_t start_updates(const TrainSchedule& schedule);

struct TrainPoint {
    std::int64_t step = 0;
    double epoch = 0;        ///< samples seen over samples there are
    double train_loss = 0;   ///< mean since the last point
    double valid_esr = 0;    ///< of the averaged weights, from the silence state, over every sample
    double rate = 0;
};

class Trainer {
public:
    /// This and all that follows, Error: no or unequal recordings, options that are not valid, memory that is short, a GPU that
    /// fails on its way.
    Trainer(std::shared_ptr<const TrainingSet> data, TrainOptions options);
    /// Goes on from a checkpoint with the same bits as a run never stopped (same ISA, same device). `threads` and `device` as in
    /// TrainOptions.
    /// Throws Error when the file is damaged or was made on other data.
    static Trainer resume(std::shared_ptr<const TrainingSet> data, const std::filesystem::path& checkpoint, int threads = 0,
                          Device device = Device::cpu);
    ~Trainer();
    Trainer(Trainer&&) noexcept;
    Trainer& operator=(Trainer&&) noexcept;

    /// One update; validates when it is time to. False when the run is over (all steps done, or patience lost).
    bool step();
    /// Times a few updates on copies of the weights and sets the number of steps so that the run, with try_starts() before it, takes
    /// `minutes`.
    void calibrate(double minutes);

    std::int64_t steps_done() const noexcept;
    const TrainOptions& options() const noexcept;
    const std::vector<TrainPoint>& curve() const noexcept;
    double best_valid_esr() const noexcept;  ///< infinite before the first validation
    /// Whether and in which lanes numbers overflowed, in one sentence; empty when all went well.
    std::string divergence() const;
    double samples_per_step() const noexcept;
    int threads() const noexcept;  ///< that work: fewer than asked for where the system starts no more
    const std::string& device() const noexcept;  ///< "cpu", or the GPU's name
    double multiply_accumulates_per_step() const noexcept;  ///< of the projections and scans, forward and backward

    /// The best weights so far, ready to play (the data's scale folded in). Without a validation: the present ones.
    Model best_model() const;
    void save_checkpoint(const std::filesystem::path& path) const;

private:
    struct Impl;
    explicit Trainer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace serpent
