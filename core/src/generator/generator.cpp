// SPDX-License-Identifier: MIT
#include "serpent/generator.h"

#include "model/as_error.h"
#include "model/isa.h"
#include "generator/conditions.h"
#include "generator/sampling.h"
#include "generator/step_tier.h"
#include "lanes/flush_denormals.h"
#include "serpent/errors.h"
#include "training/random.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

namespace serpent {
namespace {

constexpr std::uint64_t draw_stream = 0xd1ce;

std::size_t size(int a) { return static_cast<std::size_t>(a); }

/// Mean square over a second above which the guard starts over.
double guard_power(const GeneratorModel& model, double guard_db) {
    const auto found = model.metadata.other.find(loudest_second_key);
    double loudest_db = 0;
    if (!(guard_db > 0) || found == model.metadata.other.end()) return std::numeric_limits<double>::infinity();
    const std::string& text = found->second;
    if (std::from_chars(text.data(), text.data() + text.size(), loudest_db).ec != std::errc() || !std::isfinite(loudest_db))
        return std::numeric_limits<double>::infinity();
    return std::pow(10.0, (loudest_db + guard_db) / 10);
}

} // namespace

struct Generator::Impl {
    std::shared_ptr<const GeneratorModel> model;
    GeneratorOptions options;
    const kernels::StepOps& ops;
    std::vector<std::unique_ptr<StepTier>> tiers;
    lanes::LaneBuffer embedding, logits;  // [256][stride]; [256]
    PackedLinear decoder;
    std::array<float, mu_law_classes> samples;
    int stride;
    int last = mu_law_silence;
    std::uint64_t drawn = 0;
    double power = 0, most_power, power_share;  // of the last second, exponentially
    int restarts = 0;
    bool worked = false;  // the outer tier has taken `last` in

    Impl(std::shared_ptr<const GeneratorModel> m, GeneratorOptions o)
        : model(std::move(m)), options(std::move(o)),
          ops(kernels::step_ops(required_isa(options.isa))), logits(mu_law_classes),
          stride(kernels::step_padded(model->config.tiers.front().stack.d_model)),
          most_power(guard_power(*model, options.guard_db)), power_share(1.0 / model->config.sample_rate) {
        const int count = static_cast<int>(model->config.tiers.size());
        tiers.resize(size(count));
        for (int k = count - 1; k >= 0; --k)
            tiers[size(k)] = std::make_unique<StepTier>(model->config, model->weights, k, ops, k + 1 < count ? tiers[size(k + 1)].get() : nullptr);
        const int d = model->config.tiers.front().stack.d_model;
        embedding.resize(size(mu_law_classes * stride));
        for (int k = 0; k < mu_law_classes; ++k)
            std::copy_n(model->weights.embedding.data() + k * d, d, embedding.data() + k * stride);
        decoder.in = d, decoder.stride = mu_law_classes;
        decoder.weight.resize(size(d * mu_law_classes));
        for (int k = 0; k < mu_law_classes; ++k)
            for (int i = 0; i < d; ++i) decoder.weight[size(i * mu_law_classes + k)] = model->weights.decoder_weight[size(k * d + i)];
        decoder.bias.assign(model->weights.decoder_bias.begin(), model->weights.decoder_bias.end());
        for (int k = 0; k < mu_law_classes; ++k) samples[size(k)] = mu_law_sample(k);
        set_conditions(options.conditions.empty() ? std::vector<int>(model->config.conditions.size(), 0) : options.conditions);
    }

    void set_conditions(const std::vector<int>& conditions) {
        check_conditions(model->config, conditions);
        for (std::size_t k = 0; k < tiers.size(); ++k) tiers[k]->set_conditions(model->weights.tiers[k], conditions);
    }
    /// The tiers take in the last sample. The outer tier's output then stands for what comes next.
    void step() noexcept {
        std::memcpy(tiers.front()->e(), embedding.data() + last * stride, size(stride) * sizeof(float));
        tiers.front()->work();
    }
    void decode() noexcept { ops.linear(decoder.view(), tiers.front()->normed(), logits.data(), 0, mu_law_classes, false); }
    float next() noexcept {
        if (!worked) step();
        worked = false;
        decode();
        last = draw_class(ops, options.sampling, logits.data(), random_uniform(options.seed, draw_stream, drawn++));
        const float sample = samples[size(last)];
        guard(sample);
        return sample;
    }
    void guard(float sample) noexcept {
        power += power_share * (double(sample) * double(sample) - power);
        if (!(power > most_power)) return;
        for (const auto& tier : tiers) tier->reset();
        last = mu_law_silence;
        power = 0;
        ++restarts;
    }
};

Generator::Generator(std::shared_ptr<const GeneratorModel> model, GeneratorOptions options) try {
    impl_ = std::make_unique<Impl>(valid_model(model, "Generator needs a model", "load one with GeneratorModel::load()"),
                                   std::move(options));
} catch (...) {
    rethrow_as_error("run this generator");
}

Generator::~Generator() = default;
Generator::Generator(Generator&&) noexcept = default;
Generator& Generator::operator=(Generator&&) noexcept = default;

float Generator::next() noexcept {
    const FlushDenormals flush;
    return impl_->next();
}

void Generator::generate(float* out, int n) noexcept {
    const FlushDenormals flush;
    for (int t = 0; t < n; ++t) out[t] = impl_->next();
}

void Generator::hear(float sample) noexcept { impl_->last = mu_law_class(sample); }

void Generator::prime(const float* audio, int n) noexcept {
    const FlushDenormals flush;
    for (int t = 0; t < n; ++t) {
        if (!impl_->worked) impl_->step();
        impl_->worked = false;
        impl_->last = mu_law_class(audio[t]);
    }
}

void Generator::reset(std::uint64_t seed) noexcept {
    for (const auto& tier : impl_->tiers) tier->reset();
    impl_->options.seed = seed;
    impl_->last = mu_law_silence;
    impl_->drawn = 0;
    impl_->power = 0;
    impl_->restarts = 0;
    impl_->worked = false;
}

void Generator::set_sampling(const Sampling& sampling) noexcept { impl_->options.sampling = sampling; }
void Generator::set_conditions(const std::vector<int>& conditions) { impl_->set_conditions(conditions); }
int Generator::restarts() const noexcept { return impl_->restarts; }
kernels::Isa Generator::isa() const noexcept { return impl_->ops.isa; }
const GeneratorModel& Generator::model() const noexcept { return *impl_->model; }

void Generator::logits(float* out) noexcept {
    const FlushDenormals flush;
    if (!impl_->worked) impl_->step();
    impl_->worked = true;
    impl_->decode();
    std::copy_n(impl_->logits.data(), mu_law_classes, out);
}

} // namespace serpent
