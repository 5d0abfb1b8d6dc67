// SPDX-License-Identifier: MIT
#pragma once

#include "serpent/training.h"

namespace serpent {

/// Where a lane is: inside a run, a stretch of one take that started from the silence state.
struct LaneRun {
    std::uint64_t index = 0;    ///< how many runs this lane has begun; the next one follows from it and the seed
    std::size_t take = 0;
    std::size_t position = 0;   ///< next sample
    std::size_t end = 0;
    std::size_t unscored = 0;   ///< samples left that do not count
};

/// Chooses the stretches of the recordings that the lanes play. Stateless: a run follows from (seed, lane, index).
class SegmentSampler {
public:
    SegmentSampler(const TrainingSet& data, const TrainSchedule& schedule, std::uint64_t seed);

    /// The length of segment `step`, in samples: the schedule's, +-40 %.
    int segment_length(std::int64_t step) const;
    /// Makes room for `steps` samples: true when the lane had to begin a new run.
    bool advance(LaneRun& run, int lane, int steps) const;
    int longest_segment() const;
    std::size_t total_samples() const noexcept { return total_; }

private:
    const TrainingSet* data_;
    TrainSchedule schedule_;
    std::uint64_t seed_;
    std::size_t total_ = 0;
};

} // namespace serpent
