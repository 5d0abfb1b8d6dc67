// SPDX-License-Identifier: MIT
#include "generator/generator_sampler.h"

#include "training/random.h"

#include <algorithm>
#include <cmath>

namespace serpent {
namespace {

constexpr double longest_visit_s = 10.0;  // of a longer recording, a stretch from anywhere

/// Independent random numbers of one visit.
enum Draw : std::uint64_t { which_one, whether_alike, how_long_a_gap, from_where, first_unsaid };

} // namespace

GeneratorSampler::GeneratorSampler(const GeneratorData& data, const GeneratorSchedule& schedule, int period, std::uint64_t seed)
    : data_(&data), schedule_(schedule), period_(period), seed_(seed) {
    if (!data.conditions.empty()) alike_.resize(1 + data.conditions.back().values.size());
    for (std::size_t i = 0; i < data.train.size(); ++i) {
        total_ += static_cast<std::int64_t>(data.train[i].classes.size());
        if (!alike_.empty())
            alike_[static_cast<std::size_t>(data.train[i].conditions.back())].push_back(static_cast<std::int64_t>(i));
    }
}

bool GeneratorSampler::restarts(std::int64_t step, int lane) const {
    return step == 0 || random_uniform(seed_, 0x5e9, static_cast<std::uint64_t>(step * 4096 + lane)) < schedule_.restart;
}

void GeneratorSampler::next_visit(GeneratorLane& lane, int index, bool follow) const {
    ++lane.visit;
    const std::uint64_t stream = 0x1000 + static_cast<std::uint64_t>(index), base = static_cast<std::uint64_t>(lane.visit) * 64;
    const auto draw = [&](std::uint64_t i) { return random_uniform(seed_, stream, base + i); };
    const auto pick = [&](std::size_t count) { return static_cast<std::size_t>(draw(which_one) * double(count)); };
    if (follow && !alike_.empty() && draw(whether_alike) < schedule_.stay) {
        const auto value = data_->train[static_cast<std::size_t>(lane.recording)].conditions.back();
        const auto& group = alike_[static_cast<std::size_t>(value)];
        lane.recording = group[pick(group.size())];
    } else {
        lane.recording = static_cast<std::int64_t>(pick(data_->train.size()));
    }
    const GeneratorRecording& recording = data_->train[static_cast<std::size_t>(lane.recording)];
    const auto size = static_cast<std::int64_t>(recording.classes.size());
    const auto longest = static_cast<std::int64_t>(longest_visit_s * data_->sample_rate);
    lane.gap = static_cast<std::int64_t>(2 * schedule_.gap_s * draw(how_long_a_gap) * data_->sample_rate);
    lane.length = lane.gap + size;
    lane.position = 0;
    if (size > longest) {  // no gap: it would fall into the middle of a sound
        lane.gap = -static_cast<std::int64_t>(draw(from_where) * double(size - longest));
        lane.length = longest;
    }
    lane.length = (lane.length + period_ - 1) / period_ * period_;
    lane.conditions = recording.conditions;
    for (std::size_t j = 0; j < lane.conditions.size(); ++j)
        if (draw(first_unsaid + j) < schedule_.unsaid) lane.conditions[j] = 0;
}

void GeneratorSampler::settle(GeneratorLane& lane, int index) const {
    if (lane.position >= lane.length) next_visit(lane, index, lane.visit >= 0);
}

int GeneratorSampler::next(GeneratorLane& lane, int index) const {
    settle(lane, index);
    const auto& classes = data_->train[static_cast<std::size_t>(lane.recording)].classes;
    const std::int64_t at = lane.position++ - lane.gap;
    const bool sound = at >= 0 && at < static_cast<std::int64_t>(classes.size());
    lane.last_class = sound ? classes[static_cast<std::size_t>(at)] : mu_law_silence;
    return static_cast<int>(lane.last_class);
}

} // namespace serpent
