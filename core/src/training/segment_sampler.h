// SPDX-License-Identifier: MIT
#pragma once

#include "serpent/training.h"

namespace serpent {

/// Where a lane is: inside a run, a stretch of one take.
struct LaneRun {
    std::uint64_t index = 0;    ///< how many runs this lane has begun; the next one follows from it and the seed
    std::size_t take = 0;
    std::size_t position = 0;   ///< next sample
    std::size_t end = 0;
    std::size_t unscored = 0;   ///< samples left that do not count
};

/// How a run begins: in the state that silence leads to, or in the one that the model had there when it last played the
/// take (PlayedStates).
enum class RunBegin { none, from_silence, from_played };

/// Chooses the stretches of the recordings that the lanes play. Stateless: a run follows from (seed, lane, index, played).
class SegmentSampler {
public:
    SegmentSampler(const TrainingSet& data, const TrainSchedule& schedule, std::uint64_t seed);

    /// The length of segment `step`, in samples: the schedule's, +-40 %.
    int segment_length(std::int64_t step) const;
    /// Makes room for `steps` samples; says how, when the lane had to begin a new run. `played`: there are PlayedStates.
    RunBegin advance(LaneRun& run, int lane, int steps, bool played) const;
    int longest_segment() const;
    std::size_t total_samples() const noexcept { return total_; }
    /// What the first `steps` updates hear, all lanes together; on average, since lengths vary.
    double expected_samples(std::int64_t steps) const noexcept;

private:
    const TrainingSet* data_;
    TrainSchedule schedule_;
    std::uint64_t seed_;
    std::size_t total_ = 0;
};

} // namespace serpent
