// SPDX-License-Identifier: MIT
// A running generator: audio of its own, sample by sample, in constant time and memory however long it plays.
#pragma once

#include "serpent/generator_model.h"
#include "serpent/kernels/isa.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace serpent {

/// How the next class is drawn from the model's probabilities.
struct Sampling {
    double temperature = 1.0;  ///< probabilities to the power of 1 / temperature; 0: always the most probable class
    int top_k = 0;             ///< only among the k most probable; 0: all
    double top_p = 1.0;        ///< only among the most probable that make up this share
};

struct GeneratorOptions {
    std::uint64_t seed = 1;
    Sampling sampling;
    std::vector<int> conditions;  ///< as condition_values() gives them; empty: nothing is said
    /// Start over from silence when the level over a second is above all that the model was trained on by this much: a
    /// model that only ever heard recordings may run away on its own output. 0 or less: never.
    double guard_db = 6.0;
    std::optional<kernels::Isa> isa;  ///< none: kernels::default_isa()
};

/// The name of the text in Metadata::other that the guard goes by: the rms of the loudest second of training, in dBFS.
inline constexpr const char* loudest_second_key = "loudest_second_db";

/// One sequence. Two of the same model, options and ISA, fed the same, give the same bits. Not thread-safe: one thread at
/// a time. Everything but the constructor and set_conditions() is noexcept and does not allocate, lock or call the system.
class Generator {
public:
    /// Throws Error when the model is not valid, a condition is not there, or the ISA is not available.
    explicit Generator(std::shared_ptr<const GeneratorModel> model, GeneratorOptions options = {});
    ~Generator();
    Generator(Generator&&) noexcept;
    Generator& operator=(Generator&&) noexcept;

    /// The next sample, at the model's rate, which is also what the model hears next.
    float next() noexcept;
    /// n samples of next().
    void generate(float* out, int n) noexcept;
    /// The model heard this instead of its last sample. NaN counts as 0.
    void hear(float sample) noexcept;
    /// The model hears n samples and makes none; the next one follows them.
    void prime(const float* audio, int n) noexcept;

    /// Back to the state of the beginning, with other random numbers.
    void reset(std::uint64_t seed) noexcept;
    void set_sampling(const Sampling& sampling) noexcept;
    /// From the next step on. Throws Error when one is not there.
    void set_conditions(const std::vector<int>& conditions);

    /// How often the guard had to start over.
    int restarts() const noexcept;
    kernels::Isa isa() const noexcept;
    const GeneratorModel& model() const noexcept;

    /// Logits of the next sample, as next() would see them: [256]. For tests; does not move on.
    void logits(float* out) noexcept;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace serpent
