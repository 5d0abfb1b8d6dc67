// SPDX-License-Identifier: MIT
// What TrainingLoop trains: the side of a training that knows what a model is.
#pragma once

#include "training/divergence.h"
#include "training/loop_schedule.h"
#include "training/optimiser.h"

#include <algorithm>
#include <limits>
#include <set>

namespace serpent {

/// A loss that is added up update by update, in units of the task's choice.
struct LossSum {
    double sum = 0, weight = 0;
    double mean() const { return sum / std::max(1.0, weight); }
};

/// Where a run is, whatever it trains; part of what a checkpoint holds.
struct LoopState {
    std::int64_t step = 0;        ///< updates done
    double best_score = std::numeric_limits<double>::infinity();  ///< the lowest validation
    std::int64_t best_step = 0;
    LossSum loss;                 ///< since the last point of the curve
    Divergence divergence;
};

struct Validation {
    double score = 0;             ///< the lower the better
    bool can_ship = false;        ///< the averaged weights make a valid model
};

struct CurvePoint {
    std::int64_t step = 0;
    double epoch = 0, train_loss = 0, score = 0, rate = 0;
};

class TrainingTask {
public:
    virtual ~TrainingTask() = default;

    virtual LoopSchedule schedule() const = 0;
    /// They stay where they are as long as the task lives.
    virtual TrainedWeights trained() = 0;
    /// The gradient of the next update at the present weights, as Optimiser takes it; moves the lanes on and adds to the loss.
    virtual void gradient(std::vector<float>& gradient, LossSum& loss) = 0;

    /// Of the averaged weights; `train_loss` is what the last updates had on average. May tame the weights in training.
    virtual Validation validate(double train_loss) = 0;
    /// The averaged weights are the best so far.
    virtual void keep_best() = 0;
    virtual void add_point(const CurvePoint& point) = 0;
    /// How often the first `steps` updates hear all that there is.
    virtual double epochs(std::int64_t steps) const = 0;
    /// Lanes with numbers in which the next update would overflow.
    virtual std::set<int> overflowed_lanes() const = 0;

    /// Once in so many updates replay() is called, after validations; 0: never.
    virtual int replay_every() const { return 0; }
    virtual void replay() {}
    /// Of all updates, the share that costs what the last one does; the others cost what the first one does.
    virtual double late_share() const { return 0; }

    /// A device computes gradients, optimises and averages by itself. It may work ahead: what it has is known after fetch().
    virtual bool on_device() const { return false; }
    /// In place of gradient(); counts in the loss' weight.
    virtual void update_on_device(const UpdateRates&, LossSum&) {}
    /// Brings weights, average and moments from the device; returns the sum of the losses since the last call.
    virtual double fetch() { return 0; }
};

} // namespace serpent
