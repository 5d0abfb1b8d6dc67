// SPDX-License-Identifier: MIT
// Truncated back-propagation through time on a GPU: the updates of core's trainer, one call each, for models of any blocks and filters.
// A sequence is one thread block that plays its segment forward and backward, or a cluster of up to 8 of them where sequences are few and
// the GPU has clusters. The sequences' gradients are added in order, and no sum depends on the number of blocks: two runs give the same
// bits.
//
// Work is queued and step() returns before it is done, up to 16 steps ahead. Everything that reads waits first.
// Memory    per sequence and sample of longest_segment: d_model + d_inner d_state / 8 floats for every layer, and for all together
//           14 d_inner + 2 (dt_rank + 2 d_state) + 4 d_model + 2 1/4 d_inner d_state floats of one layer's activations. d_model 8,
//           d_inner 8, d_state 4 and 8 layers: 1.4 kB, for segments of 5735 samples 7.9 MB a sequence, 1.02 GB for 128. Beside that the
//           recordings, and the gradient of every sequence. DeviceTrainer::memory_bytes() counts.
// Time      by a count of operations, 8/8/4 rotating, one sample, one layer: some 400 instructions a channel in the forward pass
//           and 1200 in the backward pass, which does the forward's again; 8 layers and 4096 samples in 32 sequences 13 G thread
//           instructions and, at 3.3 kB a sample and layer, 3.5 GB to and from L2 or memory. One block to a sequence issues perhaps 2
//           warp instructions a cycle: 3.7 ms on 32 multiprocessors of an H100, .9 ms on 128 of them by clusters of 4, if the
//           memory keeps up, which takes as long. 128 sequences: 4 to 5 ms. The filters (64 and 256 taps) add 3.7 M multiply-adds a
//           sequence, 1 %. Counted, not measured.
// Error     float32; loss and gradient are within 2e-5 of the CPU trainer's.
// Source    equations/adamw.h; Gu and Dao, "Mamba" (2023); docs/architecture.md, "Training".
#pragma once

#include "serpent/kernels/device.h"
#include "serpent/kernels/device_model.h"

#include <vector>

namespace serpent::kernels {

enum class SequenceStart { carried, silence };  ///< carried: from the end of its last segment, or from set_sequence()

/// What a sequence plays in one step.
struct DeviceSequence {
    int take = 0;
    std::size_t position = 0;  ///< first sample
    int unscored = 0;          ///< samples at the front that do not count
    SequenceStart start = SequenceStart::carried;
    float weight = 1.0f;       ///< of its squared error
};

struct DeviceStep {
    int samples = 0;                  ///< of every sequence, at most longest_segment
    float plain = 0, emphasised = 0;  ///< factors of the squared errors, plain and after 1 - emphasis z^-1
    float emphasis = 0.85f;
    float mrstft = 0;                 ///< factor of every sequence's and channel's MR-STFT loss (stft_loss.h)
    double rate = 0, beta1 = 0.9, beta2 = 0.99, eps = 1e-8, clip = 1.0;
    double average_keep = 0;          ///< average = keep average + (1 - keep) weights
    std::int64_t number = 1;          ///< of this update, from 1
};

/// Flat vectors in the layout's order.
struct DeviceTrainVectors {
    std::vector<float> weights, average, m, v;
};

struct DeviceTrainOptions {
    int blocks_per_sequence = 0;  ///< 1, 2, 4 or 8 thread blocks; 0: as many as the GPU has room for. The answer's bits do not depend on it
};

/// One thread at a time. Throws DeviceError; std::invalid_argument for sequences or samples that it was not made for.
class DeviceTrainer {
public:
    /// decay: weight decay of every parameter.
    DeviceTrainer(const DeviceModelLayout& layout, int sequences, int longest_segment, const std::vector<float>& decay,
                  const DeviceTrainOptions& options = {});
    ~DeviceTrainer();
    DeviceTrainer(DeviceTrainer&&) noexcept;
    DeviceTrainer& operator=(DeviceTrainer&&) noexcept;

    /// dry, wet: planar, one vector per channel, equally long. positions: of the controls in [-1, 1]. Before the first step.
    void add_take(const std::vector<std::vector<float>>& dry, const std::vector<std::vector<float>>& wet,
                  const std::vector<float>& positions);

    void set_vectors(const DeviceTrainVectors& vectors);
    DeviceTrainVectors vectors() const;

    /// error: the last of the sequence's segment before, [channels].
    void set_sequence(int sequence, const StatePointers<const float>& state, const float* error);
    void get_sequence(int sequence, const StatePointers<float>& state, float* error) const;

    void step(const std::vector<DeviceSequence>& sequences, const DeviceStep& step);
    /// The losses of all steps since the last call, added up.
    double take_loss();
    /// Of the GPU, without the recordings.
    std::size_t memory_bytes() const noexcept;
    int blocks_per_sequence() const noexcept;
    /// Of the last step, before clipping.
    std::vector<float> gradient() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace serpent::kernels
