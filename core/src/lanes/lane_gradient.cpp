// SPDX-License-Identifier: MIT
#include "lanes/lane_gradient.h"

#include "equations/time_invariant_scan.h"

#include <algorithm>

namespace serpent::lanes {
namespace {

std::size_t as_size(int a) { return static_cast<std::size_t>(a); }

} // namespace

LaneGradients::LaneGradients(const std::vector<TensorRef>& list) : offsets_{0} {
    for (const TensorRef& t : list) {
        tensors_.push_back(t.data.data());
        offsets_.push_back(offsets_.back() + t.data.size());
    }
    values_.resize(lane_floats(offsets_.back()));
}

void LaneGradients::clear() { std::fill(values_.begin(), values_.end(), 0.0f); }

float* LaneGradients::of(Tensor tensor) {
    if (tensor.empty()) return nullptr;
    const auto found = std::find(tensors_.begin(), tensors_.end(), tensor.data());
    return values_.data() + lane_floats(offsets_[as_size(static_cast<int>(found - tensors_.begin()))]);
}

float LaneGradients::sum(std::size_t i) const noexcept {
    float total = 0.0f;
    for (int lane = 0; lane < lane_count; ++lane) total += values_[lane_floats(i) + as_size(lane)];
    return total;
}

int backward_sub_steps(const ModelConfig& c) {
    const int rows = c.d_inner() * (10 + c.d_state + c.decays()) + 3 * (c.dt_rank + 2 * c.d_state) + 3 * c.d_model;
    int steps = 64;
    while (steps > 8 && as_size(steps * rows) * lane_count * sizeof(float) > 512u << 10) steps /= 2;
    return steps;
}

LaneBackward::LaneBackward(const LaneModel& model, const ModelTensors& weights, int sub_steps)
    : model_(model), weights_(weights), gradients_(tensors(model.config(), weights)),
      a_(model.config(), sub_steps, sub_steps, LaneActivations::Keep::series),
      h_state_(model.h_floats()),
      dgated_(a_.x.size()), dy_(a_.x.size()),
      dz_(a_.x.size()), dx_(a_.x.size()), ddt_(a_.x.size()), ddbc_(a_.dbc.size()),
      du_(a_.u.size()), dq_(3 * model.h_floats() / 2) {
    for (const LayerWeights& w : weights.layers) {
        kernels::map_fields<kernels::BlockFields>(w, layers_.emplace_back(), [&](Tensor tensor) { return gradients_.of(tensor); });
    }
    if (!model.config().controls.empty()) {
        film_gradients_.scale.resize(lane_floats(as_size(model.config().n_layers) * as_size(model.config().d_model)));
        film_gradients_.shift.resize(film_gradients_.scale.size());
    }
}

void LaneBackward::clear_gradients() {
    gradients_.clear();
    std::fill(film_gradients_.scale.begin(), film_gradients_.scale.end(), 0.0f);
    std::fill(film_gradients_.shift.begin(), film_gradients_.shift.end(), 0.0f);
}

void LaneBackward::decode(int steps, const float* in, const float* e, const float* dout, float* de, float* din) {
    const ModelConfig& c = model_.config();
    const auto& ops = model_.ops();
    const auto shape = linear_shape(steps, c.d_model, c.channels, c.d_model, c.channels);
    const auto transposed = transposed_shape(steps, c.d_model, c.channels, c.channels, c.d_model);
    float* dw = gradients_.of(weights_.decoder_weight);
    float* db = gradients_.of(weights_.decoder_bias);
    if (c.skip) {
        float* dskip = gradients_.of(weights_.skip);
        for (int t = 0; t < steps; ++t)
            for (int i = 0; i < c.channels * lane_count; ++i)
                dskip[i] += in[t * c.channels * lane_count + i] * dout[t * c.channels * lane_count + i];
    }
    if (din)
        for (int i = 0; i < steps * c.channels; ++i)
            for (int lane = 0; lane < lane_count; ++lane)
                din[i * lane_count + lane] = c.skip ? weights_.skip[as_size(i % c.channels)] * dout[i * lane_count + lane] : 0.0f;
    if (!c.final_norm) {
        ops.linear_gradient(shape, dout, e, dw, db);
        ops.linear(transposed, weights_.decoder_weight.data(), nullptr, dout, de, false);
        return;
    }
    ops.rms_norm(steps, c.d_model, weights_.norm_f.data(), nullptr, nullptr, e, a_.u.data(), a_.inverse_rms.data());
    ops.linear_gradient(shape, dout, a_.u.data(), dw, db);
    ops.linear(transposed, weights_.decoder_weight.data(), nullptr, dout, du_.data(), false);
    std::fill_n(de, lane_floats(as_size(steps) * as_size(c.d_model)), 0.0f);
    ops.rms_norm_backward(steps, c.d_model, weights_.norm_f.data(), nullptr, e, a_.inverse_rms.data(), du_.data(), de,
                          gradients_.of(weights_.norm_f), nullptr, nullptr);
}

void LaneBackward::encode(int steps, const float* in, const float* de, float* din) {
    const ModelConfig& c = model_.config();
    if (din)
        model_.ops().linear(transposed_shape(steps, c.channels, c.d_model, c.d_model, c.channels), weights_.encoder_weight.data(), nullptr, de,
                            din, true);
    model_.ops().linear_gradient(linear_shape(steps, c.channels, c.d_model, c.channels, c.d_model), de, in,
                                 gradients_.of(weights_.encoder_weight), gradients_.of(weights_.encoder_bias));
}

void LaneBackward::recompute(int l, int steps, const float* e, const LaneFilm& film, float* conv, const float* h) {
    std::copy_n(h, h_state_.size(), h_state_.data());
    model_.layer_inputs(l, steps, e, film, conv, a_);
    model_.scan(l, 0, steps, h_state_.data(), nullptr, a_);
    model_.ops().gate(steps * model_.config().d_inner(), a_.y.data(), a_.z.data(), a_.gated.data());
}

void LaneBackward::scan(int l, int steps, const float* h, float* dh) {
    const ModelConfig& c = model_.config();
    const auto& ops = model_.ops();
    const LayerWeights& w = weights_.layers[as_size(l)];
    const LayerGradients& g = layers_[as_size(l)];
    const int d = c.d_inner(), width = model_.dbc_width(), rank = c.dt_rank;
    float* dB = ddbc_.data() + lane_floats(as_size(rank));
    std::fill_n(ddbc_.data(), lane_floats(as_size(steps) * as_size(width)), 0.0f);
    float* dC = dB + lane_floats(as_size(c.d_state));
    if (model_.block(l).kind == BlockKind::rotating)
        ops.rotation_backward(model_.rotation_shape(l, steps), model_.rotation_inputs(l, a_, 0), h, a_.h_series.data(), a_.q_series.data(),
                              dy_.data(), dh, {g.A_log, g.A_imag, g.D, ddt_.data(), dx_.data(), dB, dC});
    else
        ops.scan_backward(model_.scan_shape(l, steps), model_.scan_inputs(l, a_, 0), h, a_.h_series.data(), a_.q_series.data(), dy_.data(), dh,
                          {g.A_log, g.D, ddt_.data(), dx_.data(), dB, dC});
    ops.softplus_backward(steps * d, a_.dt.data(), ddt_.data(), ddt_.data());
    ops.linear_gradient(linear_shape(steps, rank, d, width, d), ddt_.data(), a_.dbc.data(), g.dt_proj, g.dt_proj_bias);
    ops.linear(transposed_shape(steps, rank, d, d, width), w.dt_proj.data(), nullptr, ddt_.data(), ddbc_.data(), false);
    ops.linear_gradient(linear_shape(steps, d, width, d, width), ddbc_.data(), a_.x.data(), g.x_proj, g.x_proj_bias);
    ops.linear(transposed_shape(steps, d, width, width, d), w.x_proj.data(), nullptr, ddbc_.data(), dx_.data(), true);
}

void LaneBackward::oscillators(int l, int steps, const float* h, float* dh) {
    const LayerWeights& w = weights_.layers[as_size(l)];
    const LayerGradients& g = layers_[as_size(l)];
    std::fill(dq_.begin(), dq_.end(), 0.0f);
    model_.ops().oscillators_backward(model_.oscillator_shape(l, steps), model_.oscillators(l), a_.x.data(), h, a_.h_series.data(),
                                      dy_.data(), dh, {dq_.data(), g.C, g.D, dx_.data()});
    for (std::size_t i = 0; i < w.A_log.size(); ++i) {
        // The slopes of (q_re, q_im, b) are the weights' own; every lane then adds its share.
        double log_slope[3], imag_slope[3];
        for (int k = 0; k < 3; ++k) {
            const equations::Oscillator<double> unit{k == 0 ? 1.0 : 0.0, k == 1 ? 1.0 : 0.0, k == 2 ? 1.0 : 0.0};
            log_slope[k] = imag_slope[k] = 0;
            equations::oscillator_backward(double(w.A_log[i]), double(w.A_imag[i]), unit, log_slope[k], imag_slope[k]);
        }
        for (std::size_t lane = 0; lane < as_size(lane_count); ++lane) {
            const float* dq = dq_.data() + lane_floats(3 * i) + lane;
            for (std::size_t k = 0; k < 3; ++k) {
                g.A_log[lane_floats(i) + lane] += static_cast<float>(log_slope[k]) * dq[lane_floats(k)];
                g.A_imag[lane_floats(i) + lane] += static_cast<float>(imag_slope[k]) * dq[lane_floats(k)];
            }
        }
    }
}

void LaneBackward::layer(int l, int steps, const float* e, const LaneFilm& film, float* conv, const float* h,
                         float* de, float* dconv, float* dh) {
    const ModelConfig& c = model_.config();
    const auto& ops = model_.ops();
    const LayerWeights& w = weights_.layers[as_size(l)];
    const LayerGradients& g = layers_[as_size(l)];
    const int d = c.d_inner(), dm = c.d_model;
    recompute(l, steps, e, film, conv, h);

    ops.linear_gradient(linear_shape(steps, d, dm, d, dm), de, a_.gated.data(), g.out_proj, g.out_proj_bias);
    ops.linear(transposed_shape(steps, d, dm, dm, d), w.out_proj.data(), nullptr, de, dgated_.data(), false);
    ops.gate_backward(steps * d, a_.y.data(), a_.z.data(), dgated_.data(), dy_.data(), dz_.data());

    const kernels::BlockShape& b = model_.block(l);
    if (b.kind == BlockKind::time_invariant) oscillators(l, steps, h, dh);
    else scan(l, steps, h, dh);
    ops.silu_backward(steps * d, a_.conv_out.data(), dx_.data(), dx_.data());
    ops.conv_backward(steps, d, b.d_conv, b.dilation, w.conv_weight.data(), conv, dx_.data(), dconv, g.conv_weight, g.conv_bias);
    const float* dxp = dconv + lane_floats(as_size(b.conv_floats()));

    const auto in_shape = linear_shape(steps, dm, d, dm, d);
    const auto in_transposed = transposed_shape(steps, dm, d, d, dm);
    ops.linear_gradient(in_shape, dxp, a_.u.data(), g.in_proj, g.in_proj_bias);
    ops.linear_gradient(in_shape, dz_.data(), a_.u.data(), g.in_proj + lane_floats(as_size(d * dm)),
                        g.in_proj_bias ? g.in_proj_bias + lane_floats(as_size(d)) : nullptr);
    ops.linear(in_transposed, w.in_proj.data(), nullptr, dxp, du_.data(), false);
    ops.linear(in_transposed, w.in_proj.data() + d * dm, nullptr, dz_.data(), du_.data(), true);

    const std::size_t film_row = lane_floats(as_size(l) * as_size(dm));
    const bool has_film = !film.scale.empty();
    ops.rms_norm_backward(steps, dm, w.norm.data(), has_film ? film.scale.data() + film_row : nullptr, e,
                          a_.inverse_rms.data(), du_.data(), de, g.norm,
                          has_film ? film_gradients_.scale.data() + film_row : nullptr,
                          has_film ? film_gradients_.shift.data() + film_row : nullptr);
}

} // namespace serpent::lanes
