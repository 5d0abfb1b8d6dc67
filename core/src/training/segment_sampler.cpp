// SPDX-License-Identifier: MIT
#include "training/segment_sampler.h"

#include "training/played_states.h"
#include "training/random.h"

#include <algorithm>
#include <cmath>

namespace serpent {
namespace {

constexpr std::uint64_t length_stream = 1u << 20;  // far from the lanes' own streams

} // namespace

SegmentSampler::SegmentSampler(const TrainingSet& data, const TrainSchedule& schedule, std::uint64_t seed)
    : data_(&data), schedule_(schedule), seed_(seed) {
    for (const TrainingTake& take : data.train) total_ += take.dry.front().size();
}

int SegmentSampler::longest_segment() const {
    const double longest = 1.4 * std::max(schedule_.segment, schedule_.late_share > 0 ? schedule_.late_segment : 0);
    std::size_t shortest_take = total_;
    for (const TrainingTake& take : data_->train) shortest_take = std::min(shortest_take, take.dry.front().size());
    return static_cast<int>(std::min(std::ceil(longest), static_cast<double>(shortest_take)));
}

int SegmentSampler::segment_length(std::int64_t step) const {
    const bool late = double(step) >= (1.0 - schedule_.late_share) * double(schedule_.steps);
    const double spread = 0.6 + 0.8 * random_uniform(seed_, length_stream, static_cast<std::uint64_t>(step));
    const int length = static_cast<int>(spread * (late ? schedule_.late_segment : schedule_.segment));
    return std::clamp(length, 1, longest_segment());
}

double SegmentSampler::expected_samples(std::int64_t steps) const noexcept {
    const double early = std::min(double(steps), (1.0 - schedule_.late_share) * double(schedule_.steps));
    return schedule_.lanes * (early * schedule_.segment + (double(steps) - early) * schedule_.late_segment);
}

RunBegin SegmentSampler::advance(LaneRun& run, int lane, int steps, bool played) const {
    const auto wanted = static_cast<std::size_t>(steps);
    if (run.index > 0 && run.position + wanted <= run.end) return RunBegin::none;
    const auto uniform = [&](std::uint64_t k) {
        return random_uniform(seed_, static_cast<std::uint64_t>(lane), 4 * run.index + k);
    };
    // A take is as likely as it is long.
    double place = uniform(0) * double(total_);
    run.take = 0;
    while (run.take + 1 < data_->train.size() && place >= double(data_->train[run.take].dry.front().size()))
        place -= double(data_->train[run.take++].dry.front().size());
    const std::size_t length = data_->train[run.take].dry.front().size();
    const double rate = data_->sample_rate;
    const double run_s = schedule_.shortest_run_s *
                         std::pow(schedule_.longest_run_s / schedule_.shortest_run_s, uniform(1));
    // Some begin before the recording does: those start at its first sample, where the silence state is the truth.
    const double start = uniform(2) * (double(length - wanted) + 0.02 * double(length)) - 0.02 * double(length);
    run.position = start <= 0 ? 0 : std::min(static_cast<std::size_t>(start), length - wanted);
    if (played && uniform(3) >= schedule_.silence_share) run.position -= run.position % PlayedStates::spacing_samples;
    else played = false;
    run.end = std::min(length, run.position + std::max(wanted, static_cast<std::size_t>(run_s * rate)));
    run.unscored = run.position == 0 || played ? 0 : static_cast<std::size_t>(schedule_.unscored_s * rate);
    ++run.index;
    return played && run.position > 0 ? RunBegin::from_played : RunBegin::from_silence;
}

} // namespace serpent
