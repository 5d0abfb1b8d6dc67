// SPDX-License-Identifier: MIT
#include "serpent/generator_training.h"

#include "generator/conditions.h"
#include "generator/generator_state.h"
#include "generator/held_out.h"
#include "model/as_error.h"
#include "model/isa.h"
#include "lanes/workers.h"
#include "reference/adamw.h"
#include "serpent/errors.h"
#include "training/schedule_fields.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numbers>

namespace serpent {
namespace {

using namespace lanes;

std::size_t size(int a) { return static_cast<std::size_t>(a); }

constexpr const char* train_this = "train this generator on these recordings";
constexpr const char* no_data = "load them with load_generator_data()";

bool makes_valid_model(const GeneratorConfig& config, const GeneratorWeights& weights) {
    try {
        GeneratorModel{config, weights, {}}.validate();
        return true;
    } catch (const Error&) {
        return false;
    }
}

} // namespace

struct GeneratorTrainer::Impl {
    std::shared_ptr<const GeneratorData> data;
    GeneratorTrainerState s;
    GeneratorSampler sampler;
    Workers workers;
    GeneratorNet net;
    std::vector<GeneratorSegment> groups;
    /// Where each weight's gradient is in every group.
    struct Source {
        const TensorRef tensor;
        std::size_t begin;
        std::vector<GeneratorSegment::Accumulator> groups;
        bool of_a;  // the accumulators hold the gradient of A = -exp(A_log)
    };
    std::vector<Source> sources;
    std::vector<float> gradient;

    Impl(std::shared_ptr<const GeneratorData> d, GeneratorTrainerState state, int threads)
        : data(std::move(d)), s(std::move(state)),
          sampler(*data, s.options.schedule, s.options.config.period(), s.options.seed), workers(threads),
          net(s.options.config, s.net, kernels::lane_ops(required_isa(s.options.isa))) {
        const int count = s.options.schedule.lanes / lane_count;
        groups.reserve(size(count));
        for (int g = 0; g < count; ++g) {
            groups.emplace_back(net, s.net, segment(), true);
            if (!s.groups.empty()) groups.back().state = s.groups[size(g)];
        }
        s.groups.clear();
        find_gradients();
    }

    static GeneratorTrainerState fresh(const GeneratorData& data, GeneratorTrainOptions options);
    int segment() const {
        const int period = s.options.config.period();
        return std::max(1, s.options.schedule.segment / period) * period;
    }
    void find_gradients();
    void fill_lane(GeneratorSegment& group, int lane);
    double rate() const;
    void update();
    void reduce_gradient();
    void optimise();
    void note_divergence();
    void validate();
};

GeneratorTrainerState GeneratorTrainer::Impl::fresh(const GeneratorData& data, GeneratorTrainOptions options) {
    if (data.train.empty()) throw Error("there is nothing to train on");
    check_schedule(options.schedule);
    GeneratorTrainerState s;
    options.config.sample_rate = data.sample_rate;
    options.config.conditions = data.conditions;
    s.options = std::move(options);
    for (const auto* list : {&data.train, &data.valid})
        for (const GeneratorRecording& r : *list) check_conditions(s.options.config, r.conditions);
    s.net = initial_generator_weights(s.options.config, s.options.schedule, s.options.seed);
    GeneratorModel{s.options.config, s.net, {}}.validate();
    s.average = s.best = s.net;
    resize_weights(s.options.config, s.m);
    resize_weights(s.options.config, s.v);
    GeneratorLane first;
    first.conditions.resize(s.options.config.conditions.size());
    s.lanes.assign(size(s.options.schedule.lanes), first);
    s.data_fingerprint = fingerprint(data);
    return s;
}

void GeneratorTrainer::Impl::find_gradients() {
    std::size_t begin = 0;
    for (const TensorRef& t : tensors(s.options.config, s.net)) {
        Source source{t, begin, {}, t.transform == kernels::Transform::decay};
        for (GeneratorSegment& group : groups) source.groups.push_back(group.accumulator(*t.data));
        begin += t.data->size();
        sources.push_back(std::move(source));
    }
    gradient.resize(begin);
}

/// The next segment of one lane: where it starts anew it is told so by a state of zero.
void GeneratorTrainer::Impl::fill_lane(GeneratorSegment& group, int lane) {
    GeneratorLane& at = s.lanes[size(lane)];
    const std::size_t column = size(lane % lane_count), conditions = s.options.config.conditions.size();
    const int period = s.options.config.period();
    if (sampler.restarts(s.step, lane)) {
        group.state.clear_lane(lane % lane_count);
        sampler.begin_anew(at, lane);
        at.last_class = mu_law_silence;
    }
    for (int t = 0; t < segment(); ++t) {
        if (t % period == 0) {
            sampler.settle(at, lane);
            for (std::size_t j = 0; j < conditions; ++j)
                group.conditions[(size(t / period) * conditions + j) * lane_count + column] = at.conditions[j];
        }
        const std::size_t to = lane_floats(size(t)) + column;
        group.input[to] = static_cast<std::int32_t>(at.last_class);
        group.target[to] = sampler.next(at, lane);
    }
}

double GeneratorTrainer::Impl::rate() const {
    const GeneratorSchedule& k = s.options.schedule;
    const double warm = std::min(1.0, double(s.step + 1) / std::max(1, k.rate_warmup));
    const double cosine = 0.5 * (1 + std::cos(std::numbers::pi * double(s.step) / double(k.steps)));
    return k.rate * warm * (k.final_rate + (1 - k.final_rate) * cosine);
}

void GeneratorTrainer::Impl::update() {
    const double scored = double(segment()) * s.options.schedule.lanes;
    net.weights_changed();
    std::vector<double> nats(groups.size());
    workers.run([&](int thread) {
        for (std::size_t g = size(thread); g < groups.size(); g += size(workers.count())) {
            for (int lane = 0; lane < lane_count; ++lane) fill_lane(groups[g], static_cast<int>(g) * lane_count + lane);
            std::ranges::fill(groups[g].weight, static_cast<float>(1 / scored));
            nats[g] = groups[g].run(segment(), true);
        }
    });
    reduce_gradient();
    optimise();
    ++s.step;
    for (const double part : nats) s.nats_sum += part;
    s.scored_sum += scored;
}

/// Sums lanes and groups in fixed order, whoever does it.
void GeneratorTrainer::Impl::reduce_gradient() {
    workers.run([&](int thread) {
        for (const Source& source : sources) {
            const std::vector<float>& weights = *source.tensor.data;
            const std::size_t share = (weights.size() + size(workers.count()) - 1) / size(workers.count());
            const std::size_t end = std::min(weights.size(), share * size(thread + 1));
            for (std::size_t i = share * size(thread); i < end; ++i) {
                float sum = 0;
                for (const auto& from : source.groups) {
                    if (!from.lanes) {
                        sum += from.values[i];
                        continue;
                    }
                    float of_group = 0;
                    for (std::size_t lane = 0; lane < lane_count; ++lane) of_group += from.values[lane_floats(i) + lane];
                    sum += of_group;
                }
                gradient[source.begin + i] = source.of_a ? -std::exp(weights[i]) * sum : sum;
            }
        }
    });
}

void GeneratorTrainer::Impl::optimise() {
    double square = 0;
    for (const float g : gradient) square += double(g) * double(g);
    const double norm = std::sqrt(square);
    if (!std::isfinite(norm)) {  // a segment that overflowed teaches nothing; the weights stay as they were
        ++s.divergence.skipped_updates;
        note_divergence();
        return;
    }
    const GeneratorSchedule& k = s.options.schedule;
    if (norm > k.clip)
        for (float& g : gradient) g *= static_cast<float>(k.clip / norm);
    const GeneratorConfig& config = s.options.config;
    const auto m = tensors(config, s.m), v = tensors(config, s.v), average = tensors(config, s.average);
    // The average forgets its beginning: early on it is the plain mean of what there was.
    const float keep = static_cast<float>(std::min(k.average, double(s.step) / double(s.step + 10)));
    workers.run([&](int thread) {
        for (std::size_t i = size(thread); i < sources.size(); i += size(workers.count())) {
            const TensorRef& t = sources[i].tensor;
            std::vector<float>& w = *t.data;
            const bool matrix = t.name.ends_with("proj.weight") || t.name.ends_with("pool.weight") || t.name.starts_with("decoder.weight");
            reference::adamw<float>(w.size(), {rate(), 0.9, 0.99, 1e-8, matrix ? k.weight_decay : 0.0},
                                    static_cast<long>(s.step + 1), gradient.data() + sources[i].begin, w.data(),
                                    m[i].data->data(), v[i].data->data());
            std::vector<float>& a = *average[i].data;
            for (std::size_t j = 0; j < w.size(); ++j) a[j] = keep * a[j] + (1 - keep) * w[j];
        }
    });
}

/// A lane that overflowed is whole again when it begins anew, so that is remembered.
void GeneratorTrainer::Impl::note_divergence() {
    for (std::size_t g = 0; g < groups.size(); ++g)
        for (const LaneState& tier : groups[g].state.tiers)
            for (const LaneBuffer* buffer : {&tier.conv, &tier.h})
                for (std::size_t i = 0; i < buffer->size(); ++i)
                    if (const float v = (*buffer)[i]; !std::isfinite(v * v))
                        s.divergence.lanes.insert(static_cast<int>(g * lane_count + i % lane_count));
}

void GeneratorTrainer::Impl::validate() {
    const double bits = held_out_bits(s.options.config, s.average, data->valid, workers, net.ops);
    if (bits < s.best_valid_bits && makes_valid_model(s.options.config, s.average)) {
        s.best_valid_bits = bits;
        s.best = s.average;
    }
    const double seen = double(s.step) * s.options.schedule.lanes * segment();
    s.curve.push_back({s.step, seen / double(std::max<std::int64_t>(1, sampler.total_samples())),
                       s.nats_sum / std::max(1.0, s.scored_sum) / std::numbers::ln2, bits, rate()});
    s.nats_sum = s.scored_sum = 0;
}

GeneratorTrainer::GeneratorTrainer(std::shared_ptr<const GeneratorData> data, GeneratorTrainOptions options) try {
    required(data, "GeneratorTrainer needs recordings", no_data);
    const int threads = options.threads;
    GeneratorTrainerState state = Impl::fresh(*data, std::move(options));
    impl_ = std::make_unique<Impl>(std::move(data), std::move(state), threads);
} catch (...) {
    rethrow_as_error(train_this);
}

GeneratorTrainer::GeneratorTrainer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

GeneratorTrainer GeneratorTrainer::resume(std::shared_ptr<const GeneratorData> data, const std::filesystem::path& checkpoint,
                                          int threads) try {
    required(data, "GeneratorTrainer needs recordings", no_data);
    if (data->train.empty()) throw Error("there is nothing to train on");
    GeneratorTrainerState state = read_checkpoint(checkpoint, *data);
    return GeneratorTrainer(std::make_unique<Impl>(std::move(data), std::move(state), threads));
} catch (...) {
    rethrow_as_error(train_this);
}

GeneratorTrainer::~GeneratorTrainer() = default;
GeneratorTrainer::GeneratorTrainer(GeneratorTrainer&&) noexcept = default;
GeneratorTrainer& GeneratorTrainer::operator=(GeneratorTrainer&&) noexcept = default;

bool GeneratorTrainer::step() try {
    GeneratorTrainerState& s = impl_->s;
    const GeneratorSchedule& k = s.options.schedule;
    if (s.step >= k.steps) return false;
    impl_->update();
    if (s.step % k.validate_every == 0 || s.step == k.steps) impl_->validate();
    return true;
} catch (...) {
    rethrow_as_error(train_this);
}

void GeneratorTrainer::calibrate(double minutes) try {
    using Clock = std::chrono::steady_clock;
    GeneratorTrainerState copy = impl_->s;
    Impl trial(impl_->data, std::move(copy), impl_->workers.count());
    trial.update();
    const auto start = Clock::now();
    std::int64_t done = 0;
    double seconds = 0;
    while (seconds < 3.0) {
        trial.update();
        ++done;
        seconds = std::chrono::duration<double>(Clock::now() - start).count();
    }
    const double update_s = seconds / double(done);
    const auto before = Clock::now();
    trial.validate();
    const double validation_s = std::chrono::duration<double>(Clock::now() - before).count();
    const double per_step = update_s + validation_s / double(impl_->s.options.schedule.validate_every);
    impl_->s.options.schedule.steps = std::max<std::int64_t>(1, std::int64_t(std::min(60 * minutes / per_step, double(most_steps))));
} catch (...) {
    rethrow_as_error(train_this);
}

std::int64_t GeneratorTrainer::steps_done() const noexcept { return impl_->s.step; }
const GeneratorTrainOptions& GeneratorTrainer::options() const noexcept { return impl_->s.options; }
const std::vector<GeneratorPoint>& GeneratorTrainer::curve() const noexcept { return impl_->s.curve; }
std::string GeneratorTrainer::divergence() const {
    return impl_->s.divergence.note(impl_->s.step, impl_->s.options.schedule.rate);
}
int GeneratorTrainer::threads() const noexcept { return impl_->workers.count(); }
double GeneratorTrainer::best_valid_bits() const noexcept { return impl_->s.best_valid_bits; }

GeneratorModel GeneratorTrainer::best_model() const {
    const GeneratorTrainerState& s = impl_->s;
    const bool best = std::isfinite(s.best_valid_bits) || !makes_valid_model(s.options.config, s.average);
    return {s.options.config, best ? s.best : s.average, {}};
}

void GeneratorTrainer::save_checkpoint(const std::filesystem::path& path) const try {
    GeneratorTrainerState copy = impl_->s;
    for (const GeneratorSegment& group : impl_->groups) copy.groups.push_back(group.state);
    write_checkpoint(copy, path);
} catch (...) {
    rethrow_as_error("write " + path.string());
}

} // namespace serpent
