// SPDX-License-Identifier: MIT
// Training a generator: recordings in, a GeneratorModel out. Truncated back-propagation through time with carried state,
// on the CPU. The result does not depend on the number of threads, bit for bit on one ISA.
#pragma once

#include "serpent/generator_model.h"
#include "serpent/kernels/isa.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace serpent {

struct GeneratorRecording {
    std::filesystem::path path;
    std::vector<std::uint8_t> classes;  ///< mu-law, at the set's rate
    std::vector<int> conditions;        ///< as condition_values() gives them
};

struct GeneratorData {
    int sample_rate = 16000;  ///< Hz
    std::vector<Condition> conditions;
    std::vector<GeneratorRecording> train, valid, test;
    std::vector<std::string> notes;  ///< what was found and done, in plain words
};

struct GeneratorDataOptions {
    int sample_rate = 16000;    ///< Hz; recordings of another rate are resampled, channels mixed to one
    std::string names;          ///< what file names say, without extension: "{digit}_{speaker}_*" has two conditions
    std::string test;           ///< glob of file names to score the result on and never to train on; empty: none
    std::string valid;          ///< glob of file names that choose the weights; empty: a twentieth of the files, at least one
};

/// Reads every audio file in `folder` and the folders in it, in the order of their names. Hidden ones do not count; those that
/// cannot be read are skipped, with a note. Throws Error naming the file or option at fault: fewer than two recordings, names
/// that do not match.
GeneratorData load_generator_data(const std::filesystem::path& folder, const GeneratorDataOptions& options);

/// Lengths are of audio.
struct GeneratorSchedule {
    std::int64_t steps = 4000;    ///< updates in all; the rate follows a cosine over them
    int lanes = 32;               ///< sequences side by side, a multiple of 16
    int segment = 512;            ///< samples per update and lane, rounded to whole steps of the innermost tier
    double rate = 4e-3;           ///< AdamW
    double final_rate = 0.01;     ///< share of `rate` at the end
    int rate_warmup = 200;        ///< updates from 0 to `rate`
    double weight_decay = 0.01;
    double clip = 1.0;            ///< largest norm of the gradient
    double average = 0.998;       ///< decay of the exponential average of the weights
    double restart = 0.05;        ///< chance that a lane begins a segment anew, from state zero
    double gap_s = 0.0;           ///< mean silence between recordings that follow one another in a lane
    double unsaid = 0.15;         ///< chance that a recording does not say one of its conditions
    double stay = 0.85;           ///< chance that the next recording has the same value of the last condition
    int validate_every = 250;     ///< updates
    double patience = 1.0;        ///< stop when this share of all steps brought no better validation, as TrainSchedule's; 1: never
    double longest_memory_s = 0.5;  ///< longest time constant at the start
};

struct GeneratorTrainOptions {
    GeneratorConfig config;       ///< sample_rate and conditions are taken from the data
    GeneratorSchedule schedule;
    std::uint64_t seed = 1;
    int threads = 0;              ///< 0: as many as the machine has cores
    std::optional<kernels::Isa> isa;
};

/// "voice" (8 kHz speech), "small". Throws Error naming the presets.
GeneratorTrainOptions generator_preset(const std::string& name);
std::vector<std::string> generator_preset_names();
/// Merges JSON text into the model's config or the schedule, for experiments. Throws Error on a bad key or value.
void override_generator_config(GeneratorTrainOptions& options, const std::string& json);
void override_generator_schedule(GeneratorTrainOptions& options, const std::string& json);

struct GeneratorPoint {
    std::int64_t step = 0;
    double epoch = 0;        ///< samples seen over samples there are
    double train_bits = 0;   ///< bits per sample, mean since the last point
    double valid_bits = 0;   ///< of the averaged weights
    double rate = 0;
};

/// Mean cross-entropy in bits per sample, each recording from state zero with its conditions. Throws Error when the model or a
/// condition is not valid.
double bits_per_sample(const GeneratorModel& model, const std::vector<GeneratorRecording>& recordings, int threads = 0,
                       std::optional<kernels::Isa> isa = {});

class GeneratorTrainer {
public:
    /// This and all that follows, Error: no recordings, conditions or options that are not valid, memory that is short.
    GeneratorTrainer(std::shared_ptr<const GeneratorData> data, GeneratorTrainOptions options);
    /// Goes on from a checkpoint with the same bits as a run never stopped (same ISA).
    /// Throws Error when the file is damaged or was made on other data.
    static GeneratorTrainer resume(std::shared_ptr<const GeneratorData> data, const std::filesystem::path& checkpoint,
                                   int threads = 0);
    ~GeneratorTrainer();
    GeneratorTrainer(GeneratorTrainer&&) noexcept;
    GeneratorTrainer& operator=(GeneratorTrainer&&) noexcept;

    /// One update; validates when it is time to. False when the run is over (all steps done, or patience lost).
    bool step();
    /// Times a few updates on a copy and sets the number of steps so that the run takes `minutes`.
    void calibrate(double minutes);

    std::int64_t steps_done() const noexcept;
    const GeneratorTrainOptions& options() const noexcept;
    const std::vector<GeneratorPoint>& curve() const noexcept;
    double best_valid_bits() const noexcept;  ///< infinite before the first validation
    int threads() const noexcept;  ///< that work: fewer than asked for where the system starts no more
    /// Whether and in which lanes numbers overflowed, in one sentence; empty when all went well.
    std::string divergence() const;

    GeneratorModel best_model() const;
    void save_checkpoint(const std::filesystem::path& path) const;

private:
    struct Impl;
    explicit GeneratorTrainer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace serpent
