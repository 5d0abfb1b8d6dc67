// SPDX-License-Identifier: MIT
// A generator: a model that makes audio of its own, one sample after the other, and its file (docs/model_format.md).
//
//   e_0[t] = embedding[class of sample t-1] + conditions            the outer tier, once per sample
//   e_k[f] = pool . e_{k-1}[p f .. p f + p-1] + conditions          an inner tier, once per p steps of the one outside it
//   e_{k-1} += unpool . rms_norm(layers(e_k)[two steps back])       p rows at once, before the layers of tier k-1
//   P(class of sample t) = softmax(decoder . rms_norm(layers(e_0[t])))
//
// The shape is that of SaShiMi (Goel et al. 2022) with Mamba blocks, or time-invariant ones, as layers. An inner step may
// be worked out while the next one's samples come in: hence two steps back, where one would do for causality.
#pragma once

#include "serpent/model.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace serpent {

inline constexpr int mu_law_classes = 256;
inline constexpr int mu_law_silence = 128;  ///< the class of 0, which decodes to exactly 0

/// mu-law with mu = 255, odd-symmetric: 128 + round(127 sign(x) ln(1 + 255 |x|) / ln 256), x clamped to [-1, 1]. Class 0
/// is never given and decodes like class 1. NaN counts as 0.
int mu_law_class(float sample) noexcept;
float mu_law_sample(int mu_law_class) noexcept;

inline constexpr int unpool_delay_steps = 2;  ///< inner steps between a step's input and its effect outside

/// One tier: its step is `pool` steps of the tier outside it. Of `stack`, the widths and options of the layers count
/// (d_model to dilations, and final_norm, which is true); kind, rate, channels, skip and controls do not.
struct GeneratorTier {
    int pool = 1;  ///< 1 for the outer tier
    ModelConfig stack;
};

/// Something that a recording is known to be, such as who speaks: one of `values`, or not said.
struct Condition {
    std::string name;
    std::vector<std::string> values;

    bool operator==(const Condition&) const = default;
};

struct GeneratorConfig {
    int sample_rate = 16000;  ///< Hz; one channel
    std::vector<GeneratorTier> tiers;
    std::vector<Condition> conditions;

    /// Samples per step of tier `k`; of the innermost: period().
    int samples_per_step(int k) const noexcept;
    int period() const noexcept { return samples_per_step(static_cast<int>(tiers.size()) - 1); }
};

struct TierWeights {
    Tensor pool_weight, pool_bias;      // inner tiers: (d_k, pool * d_{k-1}), step by step; (d_k)
    std::vector<Tensor> conditions;     // one each: (1 + values, d_k), the row of "not said" first
    ModelTensors stack;                 // layers and norm_f
    Tensor unpool_weight, unpool_bias;  // inner tiers: (pool * d_{k-1}, d_k); (pool * d_{k-1})
};

struct GeneratorTensors {
    Tensor embedding;                   // (256, d_0)
    std::vector<TierWeights> tiers;
    Tensor decoder_weight, decoder_bias;  // (256, d_0); (256)
};

template <class Visit>
void each_tensor(GeneratorTensors& of, const Visit& visit) {
    visit(of.embedding), visit(of.decoder_weight), visit(of.decoder_bias);
    for (TierWeights& tier : of.tiers) {
        visit(tier.pool_weight), visit(tier.pool_bias), visit(tier.unpool_weight), visit(tier.unpool_bias);
        for (Tensor& condition : tier.conditions) visit(condition);
        each_tensor(tier.stack, visit);
    }
}

using GeneratorWeights = InArena<GeneratorTensors>;

/// As those of a Model.
std::vector<TensorRef> tensors(const GeneratorConfig& config, const GeneratorTensors& weights);
void lay_out(const GeneratorConfig& config, GeneratorWeights& weights, const TensorChoice& has = {});

struct GeneratorModel {
    GeneratorConfig config;
    GeneratorWeights weights;
    Metadata metadata;

    /// As those of Model.
    static GeneratorModel load(const std::filesystem::path& path);
    static GeneratorModel parse(std::span<const std::byte> bytes, std::string_view source);
    void save(const std::filesystem::path& path, TensorType type = TensorType::f32) const;
    void validate() const;

    std::size_t parameter_count() const;
    /// Multiply-accumulates per sample, those of inner tiers spread over their steps' samples.
    std::size_t macs_per_sample() const;
};

/// The config text of a generator <-> GeneratorConfig. Throws Error naming the field; the result is within its limits.
GeneratorConfig parse_generator_config(std::string_view text, int version = 2);
std::string generator_config_text(const GeneratorConfig& config);
int format_version(const GeneratorConfig& config);  ///< the oldest that can hold such a model

/// Whether the file is a Serpent model of kind "generator". Throws Error when it cannot be read as a model of any kind.
bool is_generator(const std::filesystem::path& path);

/// Values for a generator's conditions, one each: 0 is "not said", i is values[i - 1]. `settings` are NAME=VALUE.
/// Throws Error with the names or values that there are.
std::vector<int> condition_values(const GeneratorConfig& config, const std::vector<std::string>& settings);

} // namespace serpent
