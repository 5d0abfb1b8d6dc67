// SPDX-License-Identifier: MIT
// Training a generator, as TrainingLoop sees it: recordings that follow one another in lanes.
#pragma once

#include "generator/generator_state.h"
#include "training/gradient_sum.h"
#include "training/training_task.h"

#include <memory>
#include <numbers>

namespace serpent {

class GeneratorTask final : public TrainingTask {
public:
    GeneratorTask(std::shared_ptr<const GeneratorData> data, GeneratorTrainerState state, Workers& workers);

    GeneratorTrainerState state;  ///< groups: filled for a checkpoint only, see snapshot()

    const std::shared_ptr<const GeneratorData>& data() const noexcept { return data_; }
    /// The state with what its lanes carry.
    GeneratorTrainerState snapshot() const;

    LoopSchedule schedule() const override { return loop_schedule(state.options.schedule); }
    TrainedWeights trained() override;
    /// The loss is in nats, its weight in samples.
    void gradient(std::vector<float>& gradient, LossSum& loss) override;
    Validation validate(double train_loss) override;
    void keep_best() override { state.best = state.average; }
    void add_point(const CurvePoint& p) override {
        state.curve.push_back({p.step, p.epoch, p.train_loss / std::numbers::ln2, p.score, p.rate});
    }
    double epochs(std::int64_t steps) const override;
    std::set<int> overflowed_lanes() const override;

private:
    /// Samples to a lane and update: whole steps of the innermost tier.
    int segment() const;
    void make_groups();
    void fill_lane(GeneratorSegment& group, int lane);

    std::shared_ptr<const GeneratorData> data_;
    GeneratorSampler sampler_;
    Workers& workers_;
    GeneratorNet net_;
    std::vector<GeneratorSegment> groups_;
    GradientSum sum_;
};

} // namespace serpent
