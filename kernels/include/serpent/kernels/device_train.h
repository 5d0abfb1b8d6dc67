// SPDX-License-Identifier: MIT
// Truncated back-propagation through time on a GPU: the updates of core's trainer, one call each. A lane is one thread block that
// plays its segment forward and backward; the lanes' gradients are added in order, so two runs give the same bits.
//
// Work is queued and step() returns before it is done, up to 16 steps ahead. Everything that reads waits first.
// Memory    d_model + d_inner d_state / 8 floats per sample and layer of a segment, and one layer's activations; the recordings.
// Error     float32; loss and gradient are within 2e-5 of the CPU trainer's.
// Source    reference/adamw.h; Gu and Dao, "Mamba" (2023); docs/architecture.md, "Training".
#pragma once

#include "serpent/kernels/device.h"
#include "serpent/kernels/device_model.h"

#include <vector>

namespace serpent::kernels {

enum class LaneStart { carried, silence };  ///< carried: from the end of its last segment, or from set_lane()

/// What a lane plays in one step.
struct DeviceLane {
    int take = 0;
    std::size_t position = 0;  ///< first sample
    int unscored = 0;          ///< samples at the front that do not count
    LaneStart start = LaneStart::carried;
    float weight = 1.0f;       ///< of its squared error
};

struct DeviceStep {
    int samples = 0;                  ///< of every lane, at most longest_segment
    float plain = 0, emphasised = 0;  ///< factors of the squared errors, plain and after 1 - emphasis z^-1
    float emphasis = 0.85f;
    float mrstft = 0;                 ///< factor of every lane's and channel's MR-STFT loss (stft_loss.h)
    double rate = 0, beta1 = 0.9, beta2 = 0.99, eps = 1e-8, clip = 1.0;
    double average_keep = 0;          ///< average = keep average + (1 - keep) weights
    std::int64_t number = 1;          ///< of this update, from 1
};

/// Flat vectors in the layout's order.
struct DeviceTrainVectors {
    std::vector<float> weights, average, m, v;
};

/// One thread at a time. Throws DeviceError; std::invalid_argument for lanes or samples that it was not made for.
class DeviceTrainer {
public:
    /// decay: weight decay of every parameter.
    DeviceTrainer(const DeviceModelLayout& layout, int lanes, int longest_segment, const std::vector<float>& decay);
    ~DeviceTrainer();
    DeviceTrainer(DeviceTrainer&&) noexcept;
    DeviceTrainer& operator=(DeviceTrainer&&) noexcept;

    /// dry, wet: planar, one vector per channel, equally long. positions: of the controls in [-1, 1]. Before the first step.
    void add_take(const std::vector<std::vector<float>>& dry, const std::vector<std::vector<float>>& wet,
                  const std::vector<float>& positions);

    void set_vectors(const DeviceTrainVectors& vectors);
    DeviceTrainVectors vectors() const;

    /// conv [n_layers][d_conv - 1][d_inner], h [n_layers][d_inner][d_state], error [channels].
    void set_lane(int lane, const float* conv, const float* h, const float* error);
    void get_lane(int lane, float* conv, float* h, float* error) const;

    void step(const std::vector<DeviceLane>& lanes, const DeviceStep& step);
    /// The losses of all steps since the last call, added up.
    double take_loss();
    /// Of the last step, before clipping.
    std::vector<float> gradient() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace serpent::kernels
