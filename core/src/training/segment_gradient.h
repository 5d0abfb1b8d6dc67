// SPDX-License-Identifier: MIT
#pragma once

#include "lanes/lane_filter.h"
#include "lanes/lane_gradient.h"

#include <array>
#include <memory>

namespace serpent {

namespace kernels {
class StftLoss;
}

/// What a segment is scored by. The divisors make each term an ESR over the whole batch.
struct SegmentLoss {
    double esr_weight = 1, pre_emphasis_weight = 0, mrstft_weight = 0;
    double target_power = 1, pre_emphasised_power = 1;  ///< mean squares of the training target
    double samples = 1;                                 ///< scored samples of the batch, all lanes and channels
    double sequences = 1;                               ///< lanes times channels of the batch
};

/// One segment of 16 lanes: forward, loss, backward. Holds the lanes' states and the gradient.
class SegmentGradient {
public:
    SegmentGradient(const lanes::LaneModel& model, const ModelTensors& weights, int longest_segment);
    ~SegmentGradient();
    SegmentGradient(SegmentGradient&&) noexcept;

    lanes::LaneState state;             ///< at the start of the segment; run() leaves that of its end
    lanes::LaneFilm film;
    lanes::LaneBuffer in, target;       ///< [steps][channels][16]
    std::array<int, lanes::lane_count> unscored{};  ///< samples at the front of each lane that do not count
    std::array<float, lanes::lane_count> lane_weight{};  ///< factor of each lane's squared errors
    /// Last error of the segment before, per channel and lane ([channels][16]): the pre-emphasis reaches back to it.
    lanes::LaneBuffer previous_error;

    /// Returns this group's share of the loss; the gradients replace those of the last call.
    double run(int steps, const SegmentLoss& loss);
    lanes::LaneGradients& gradients() noexcept { return backward_.gradients(); }
    lanes::LaneFilmGradients& film_gradients() noexcept { return backward_.film_gradients(); }

private:
    void forward(int steps);
    double score(int steps, const SegmentLoss& loss);
    double score_spectrum(int steps, const SegmentLoss& loss);
    void backward(int steps);
    float* stream_at(int layer, int step);
    /// What the encoder hears, and where what the decoder says goes.
    float* inner_in() { return filter_in_.exists() ? filtered_.data() : in.data(); }
    float* inner_out() { return filter_out_.exists() ? filter_out_.input() : out_.data(); }

    const lanes::LaneModel& model_;
    int longest_, sub_steps_;
    lanes::LaneActivations a_;
    lanes::LaneBackward backward_;
    std::vector<lanes::LaneBuffer> stream_;       // input of every layer, and the last one's output: [steps][d_model]
    lanes::ConvRows conv_rows_, dconv_rows_;      // inputs of the convolutions over the segment, and their gradient
    std::vector<lanes::LaneBuffer> snapshots_;    // h at the start of every sub-block
    lanes::LaneBuffer dh_;
    lanes::LaneBuffer out_, dout_, de_;
    lanes::LaneFilter filter_in_, filter_out_;
    lanes::LaneBuffer filtered_, din_, dplayed_;  // with filters: the encoder's input and its gradient; gradient of what the output filter hears
    std::unique_ptr<kernels::StftLoss> stft_;
    std::vector<float> lane_target_, lane_out_, lane_gradient_;
};

} // namespace serpent
