// SPDX-License-Identifier: MIT
#include "training/segment_gradient.h"

#include "serpent/kernels/stft_loss.h"
#include "serpent/metrics.h"

#include <algorithm>

namespace serpent {
namespace {

using namespace lanes;

std::size_t size(int a) { return static_cast<std::size_t>(a); }

} // namespace

SegmentGradient::SegmentGradient(const LaneModel& model, const ModelTensors& weights, int longest)
    : state(model.config()), in(lane_floats(size(longest) * size(model.config().channels))), target(in.size()),
      previous_error(lane_floats(size(model.config().channels))), model_(model), longest_(longest),
      sub_steps_(backward_sub_steps(model.config())), a_(model.config(), sub_steps_, sub_steps_, LaneActivations::Keep::nothing),
      backward_(model, weights, sub_steps_), conv_rows_(model.config(), longest), dconv_rows_(model.config(), longest), dh_(state.h.size()),
      out_(in.size()), dout_(in.size()), de_(lane_floats(size(sub_steps_) * size(model.config().d_model))),
      filter_in_(model.ops(), model.config().channels, model.config().fir_in, longest),
      filter_out_(model.ops(), model.config().channels, model.config().fir_out, longest),
      filtered_(filter_in_.exists() ? in.size() : 0), din_(filtered_.size()), dplayed_(filter_out_.exists() ? in.size() : 0), stft_(std::make_unique<kernels::StftLoss>()),
      lane_target_(size(longest)), lane_out_(size(longest)), lane_gradient_(size(longest)) {
    stream_.resize(size(model.config().n_layers + 1));
    for (LaneBuffer& s : stream_) s.resize(lane_floats(size(longest) * size(model.config().d_model)));
    snapshots_.assign(size((longest + sub_steps_ - 1) / sub_steps_), LaneBuffer(state.h.size()));
    stft_->prepare(size(longest));
}

SegmentGradient::~SegmentGradient() = default;
SegmentGradient::SegmentGradient(SegmentGradient&&) noexcept = default;

float* SegmentGradient::stream_at(int layer, int step) {
    return stream_[size(layer)].data() + lane_floats(size(step) * size(model_.config().d_model));
}

double SegmentGradient::run(int steps, const SegmentLoss& loss) {
    backward_.clear_gradients();
    forward(steps);
    const double value = score(steps, loss) + score_spectrum(steps, loss);
    backward(steps);
    return value;
}

void SegmentGradient::forward(int steps) {
    const ModelConfig& c = model_.config();
    if (filter_in_.exists()) {
        std::copy_n(in.data(), lane_floats(size(steps * c.channels)), filter_in_.input());
        filter_in_.forward(steps, model_.weights().fir_in, state.fir_in, filtered_.data());
    }
    conv_rows_.begin(state.conv);
    for (int t = 0; t < steps; t += sub_steps_) {
        const int n = std::min(sub_steps_, steps - t);
        const std::size_t at = lane_floats(size(t * c.channels));
        snapshots_[size(t / sub_steps_)] = state.h;
        model_.encode(n, inner_in() + at, stream_at(0, t));
        for (int l = 0; l < c.n_layers; ++l) {
            float* e = stream_at(l + 1, t);
            std::copy_n(stream_at(l, t), lane_floats(size(n) * size(c.d_model)), e);
            model_.layer_inputs(l, n, e, film, conv_rows_.at(l, t), a_);
            model_.layer_outputs(l, n, e, state.h.data() + size(l) * model_.h_floats(), nullptr, a_);
        }
        model_.decode(n, inner_in() + at, stream_at(c.n_layers, t), a_.u.data(), a_.inverse_rms.data(), inner_out() + at);
    }
    conv_rows_.end(steps, state.conv);
    if (filter_out_.exists()) filter_out_.forward(steps, model_.weights().fir_out, state.fir_out, out_.data());
}

/// Squared error, plain and pre-emphasised; fills dout_.
double SegmentGradient::score(int steps, const SegmentLoss& loss) {
    const int width = model_.config().channels * lane_count;
    const float emphasis = static_cast<float>(pre_emphasis_coefficient);
    const double plain = loss.esr_weight / (loss.samples * loss.target_power);
    const double emphasised = loss.pre_emphasis_weight / (loss.samples * loss.pre_emphasised_power);
    const float plain_slope = static_cast<float>(2 * plain), emphasised_slope = static_cast<float>(2 * emphasised);
    double value = 0;
    for (int t = 0; t < steps; ++t) {
        const std::size_t at = size(t * width);
        float plain_sum = 0, emphasised_sum = 0;
        for (int i = 0; i < width; ++i) {
            const float scored = t >= unscored[size(i % lane_count)] ? 1.0f : 0.0f;
            const float error = scored * (out_[at + size(i)] - target[at + size(i)]);
            const float change = error - emphasis * previous_error[size(i)];
            const float weight = lane_weight[size(i % lane_count)];
            plain_sum += weight * error * error;
            emphasised_sum += weight * change * change;
            previous_error[size(i)] = error;
            dout_[at + size(i)] = scored * weight * (plain_slope * error + emphasised_slope * change);
            if (t > 0) {
                const bool counts = t - 1 >= unscored[size(i % lane_count)];
                dout_[at + size(i) - size(width)] -= counts ? weight * emphasised_slope * emphasis * change : 0.0f;
            }
        }
        value += plain * double(plain_sum) + emphasised * double(emphasised_sum);
    }
    return value;
}

double SegmentGradient::score_spectrum(int steps, const SegmentLoss& loss) {
    if (loss.mrstft_weight <= 0) return 0;
    const int channels = model_.config().channels, width = channels * lane_count;
    const double weight = loss.mrstft_weight / loss.sequences;
    double value = 0;
    for (int i = 0; i < width; ++i) {
        const int first = std::min(unscored[size(i % lane_count)], steps), n = steps - first;
        for (int t = 0; t < n; ++t) {
            lane_target_[size(t)] = target[size((first + t) * width + i)];
            lane_out_[size(t)] = out_[size((first + t) * width + i)];
        }
        std::fill_n(lane_gradient_.begin(), n, 0.0f);
        value += weight * stft_->value_and_gradient(lane_target_.data(), lane_out_.data(), lane_gradient_.data(),
                                                    size(n), static_cast<float>(weight));
        for (int t = 0; t < n; ++t) dout_[size((first + t) * width + i)] += lane_gradient_[size(t)];
    }
    return value;
}

void SegmentGradient::backward(int steps) {
    const ModelConfig& c = model_.config();
    const ModelTensors& w = model_.weights();
    if (filter_out_.exists()) filter_out_.backward(steps, w.fir_out, dout_.data(), dplayed_.data(), gradients().of(w.fir_out));
    const float* const dout = filter_out_.exists() ? dplayed_.data() : dout_.data();
    std::fill(dh_.begin(), dh_.end(), 0.0f);
    dconv_rows_.clear();
    const int blocks = (steps + sub_steps_ - 1) / sub_steps_;
    for (int b = blocks - 1; b >= 0; --b) {
        const int t = b * sub_steps_, n = std::min(sub_steps_, steps - t);
        const std::size_t at = lane_floats(size(t * c.channels));
        float* const din = filter_in_.exists() ? din_.data() + at : nullptr;
        backward_.decode(n, inner_in() + at, stream_at(c.n_layers, t), dout + at, de_.data(), din);
        for (int l = c.n_layers - 1; l >= 0; --l) {
            const std::size_t h = size(l) * model_.h_floats();
            backward_.layer(l, n, stream_at(l, t), film, conv_rows_.at(l, t), snapshots_[size(b)].data() + h, de_.data(),
                            dconv_rows_.at(l, t), dh_.data() + h);
        }
        backward_.encode(n, inner_in() + at, de_.data(), din);
    }
    if (filter_in_.exists()) filter_in_.backward(steps, w.fir_in, din_.data(), nullptr, gradients().of(w.fir_in));
}

} // namespace serpent
