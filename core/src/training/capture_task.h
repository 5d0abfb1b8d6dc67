// SPDX-License-Identifier: MIT
// Training a capture, as TrainingLoop sees it: segments of recordings, on the CPU or a GPU.
#pragma once

#include "training/device_training.h"
#include "training/film_gradient.h"
#include "training/gradient_sum.h"
#include "training/segment_gradient.h"
#include "training/trainer_state.h"
#include "training/training_task.h"

#include <memory>

namespace serpent {

class CaptureTask final : public TrainingTask {
public:
    CaptureTask(std::shared_ptr<const TrainingSet> data, TrainerState state, Workers& workers);

    TrainerState state;  ///< lanes: filled for a checkpoint only, see snapshot()

    const std::shared_ptr<const TrainingSet>& data() const noexcept { return data_; }
    const std::string& device_name() const noexcept { return device_name_; }
    const SegmentSampler& sampler() const noexcept { return sampler_; }
    /// To be called when the number of steps was changed in the state's schedule.
    void schedule_changed();
    /// The state with its lanes. What a device holds must have been fetched.
    TrainerState snapshot() const;

    LoopSchedule schedule() const override { return loop_schedule(state.options.schedule); }
    TrainedWeights trained() override;
    void gradient(std::vector<float>& gradient, LossSum& loss) override;
    Validation validate(double train_loss) override;
    void keep_best() override { state.best = state.average; }
    void add_point(const CurvePoint& p) override { state.curve.push_back({p.step, p.epoch, p.train_loss, p.score, p.rate}); }
    double epochs(std::int64_t steps) const override;
    std::set<int> overflowed_lanes() const override;
    int replay_every() const override;
    void replay() override;
    double late_share() const override { return state.options.schedule.late_share; }
    bool on_device() const override { return device_ != nullptr; }
    void update_on_device(const UpdateRates& rates, LossSum& loss) override;
    double fetch() override;

private:
    void find_device();
    void make_groups();
    void restore_lanes();
    void collect_lanes(TrainerState& into) const;
    void prepare_takes();
    void place_lane(SegmentGradient& group, int lane, int steps);

    std::shared_ptr<const TrainingSet> data_;
    SegmentSampler sampler_;
    Workers& workers_;
    lanes::LaneModel model_;
    std::vector<SegmentGradient> groups_;  // none where there is a device
    GradientSum sum_;
    FilmGradient film_gradient_;
    std::vector<float> take_weights_;      // every take counts by its own ESR, however loud it is
    std::vector<Film> films_;              // of every take, at the present weights
    std::vector<State> silences_;          // likewise
    std::unique_ptr<DeviceTraining> device_;
    std::string device_name_ = "cpu";
};

} // namespace serpent
