// SPDX-License-Identifier: MIT
#pragma once

#include "serpent/generator_training.h"

#include <cstdint>
#include <vector>

namespace serpent {

/// Where a lane is: a visit is a silence, a recording, and silence up to a whole step of the innermost tier.
struct GeneratorLane {
    std::int64_t visit = -1;        ///< how many recordings this lane has begun, less one
    std::int64_t recording = 0;
    std::int64_t gap = 0;           ///< samples of silence before it
    std::int64_t length = 0, position = 0;  ///< of the visit, samples
    std::int64_t last_class = mu_law_silence;
    std::vector<int> conditions;    ///< of this visit; some may be unsaid
};

/// Strings recordings together for the lanes. Stateless: a visit follows from (seed, lane, visit) and the visit before.
class GeneratorSampler {
public:
    GeneratorSampler(const GeneratorData& data, const GeneratorSchedule& schedule, int period, std::uint64_t seed);

    /// Whether lane `lane` starts anew, from state zero, with segment `step`.
    bool restarts(std::int64_t step, int lane) const;
    void begin_anew(GeneratorLane& lane, int index) const { next_visit(lane, index, false); }
    /// The next sample's class; moves on to another recording when this one is over, which happens between steps only.
    int next(GeneratorLane& lane, int index) const;
    /// Conditions of the next sample, once it is known which recording it is from.
    void settle(GeneratorLane& lane, int index) const;

    std::int64_t total_samples() const noexcept { return total_; }

private:
    void next_visit(GeneratorLane& lane, int index, bool follow) const;

    const GeneratorData* data_;
    GeneratorSchedule schedule_;
    int period_;
    std::uint64_t seed_;
    std::int64_t total_ = 0;
    std::vector<std::vector<std::int64_t>> alike_;  // recordings by the value of their last condition
};

} // namespace serpent
