// SPDX-License-Identifier: MIT
#include "generator/held_out.h"

#include "model/as_error.h"
#include "model/isa.h"
#include "generator/conditions.h"
#include "generator/generator_segment.h"

#include <algorithm>
#include <numbers>
#include <numeric>

namespace serpent {
namespace {

using namespace lanes;

std::size_t size(int a) { return static_cast<std::size_t>(a); }

/// 16 recordings side by side from state zero, in segments; lanes that are over are not scored.
class Batch {
public:
    Batch(const GeneratorConfig& config, GeneratorSegment& segment, int longest)
        : config_(config), segment_(segment), longest_(longest) {}

    double nats(const std::vector<const GeneratorRecording*>& recordings) {
        std::size_t samples = 0;
        for (const auto* r : recordings) samples = std::max(samples, r->classes.size());
        for (int lane = 0; lane < lane_count; ++lane) segment_.state.clear_lane(lane);
        double sum = 0;
        for (std::size_t t = 0; t < samples; t += size(longest_)) {
            for (int lane = 0; lane < lane_count; ++lane)
                fill(lane, size(lane) < recordings.size() ? recordings[size(lane)] : nullptr, t);
            sum += segment_.run(longest_, false);
        }
        return sum;
    }

private:
    void fill(int lane, const GeneratorRecording* recording, std::size_t first) {
        for (std::size_t i = 0; i < size(longest_); ++i) {
            const std::size_t at = lane_floats(i) + size(lane), t = first + i;
            const bool scored = recording && t < recording->classes.size();
            const bool known = recording && t > 0 && t - 1 < recording->classes.size();
            segment_.input[at] = known ? recording->classes[t - 1] : mu_law_silence;
            segment_.target[at] = scored ? recording->classes[t] : mu_law_silence;
            segment_.weight[at] = scored ? 1.0f : 0.0f;
        }
        const std::size_t conditions = config_.conditions.size();
        for (std::size_t i = 0; i < size(longest_ / config_.period()) * conditions; ++i)
            segment_.conditions[lane_floats(i) + size(lane)] = recording ? recording->conditions[i % conditions] : 0;
    }

    const GeneratorConfig& config_;
    GeneratorSegment& segment_;
    int longest_;
};

} // namespace

double held_out_bits(const GeneratorConfig& config, const GeneratorWeights& weights,
                     const std::vector<GeneratorRecording>& recordings, Workers& workers, const kernels::LaneOps& ops) {
    const GeneratorNet net(config, weights, ops);
    // Recordings of similar length share a batch.
    std::vector<std::size_t> order(recordings.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return recordings[i].classes.size(); });
    const std::size_t batches = (order.size() + lane_count - 1) / lane_count;
    std::vector<double> nats(batches);
    const int longest = std::max(1, 512 / config.period()) * config.period();
    workers.run([&](int thread) {
        GeneratorSegment segment(net, longest, false);
        Batch batch(config, segment, longest);
        for (std::size_t b = size(thread); b < batches; b += size(workers.count())) {
            std::vector<const GeneratorRecording*> members;
            for (std::size_t i = b * lane_count; i < std::min(order.size(), (b + 1) * lane_count); ++i)
                members.push_back(&recordings[order[i]]);
            nats[b] = batch.nats(members);
        }
    });
    double samples = 0;
    for (const GeneratorRecording& r : recordings) samples += double(r.classes.size());
    return std::accumulate(nats.begin(), nats.end(), 0.0) / std::max(1.0, samples) / std::numbers::ln2;
}

double bits_per_sample(const GeneratorModel& model, const std::vector<GeneratorRecording>& recordings, int threads,
                       std::optional<kernels::Isa> isa) try {
    model.validate();
    for (const GeneratorRecording& r : recordings) check_conditions(model.config, r.conditions);
    Workers workers(threads);
    return held_out_bits(model.config, model.weights, recordings, workers, kernels::lane_ops(required_isa(isa)));
} catch (...) {
    rethrow_as_error("score this generator");
}

} // namespace serpent
