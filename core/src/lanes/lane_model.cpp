// SPDX-License-Identifier: MIT
#include "lanes/lane_model.h"

#include "reference/time_invariant_scan.h"

#include <algorithm>
#include <cmath>

namespace serpent::lanes {
namespace {

std::size_t size(int a) { return static_cast<std::size_t>(a); }

} // namespace

LaneState::LaneState(const ModelConfig& c)
    : conv(lane_floats(size(c.n_layers) * size(c.d_conv - 1) * size(c.d_inner()))),
      h(lane_floats(size(c.n_layers) * size(c.d_inner()) * size(c.d_state))) {}

void LaneState::set_lane(int lane, const State& state) {
    for (std::size_t i = 0; i < state.conv.size(); ++i) conv[i * lane_count + size(lane)] = state.conv[i];
    for (std::size_t i = 0; i < state.h.size(); ++i) h[i * lane_count + size(lane)] = state.h[i];
}

State LaneState::lane(int lane, const ModelConfig& config) const {
    State state = zero_state(config);
    for (std::size_t i = 0; i < state.conv.size(); ++i) state.conv[i] = conv[i * lane_count + size(lane)];
    for (std::size_t i = 0; i < state.h.size(); ++i) state.h[i] = h[i * lane_count + size(lane)];
    return state;
}

void LaneState::clear() {
    std::fill(conv.begin(), conv.end(), 0.0f);
    std::fill(h.begin(), h.end(), 0.0f);
}

void LaneFilm::set_lane(int lane, const Film& film) {
    scale.resize(lane_floats(film.scale.size()));
    shift.resize(lane_floats(film.shift.size()));
    for (std::size_t i = 0; i < film.scale.size(); ++i) {
        scale[i * lane_count + size(lane)] = film.scale[i];
        shift[i * lane_count + size(lane)] = film.shift[i];
    }
}

LaneActivations::LaneActivations(const ModelConfig& c, int steps, int sub, Keep keep)
    : capacity(steps), sub_steps(sub),
      u(lane_floats(size(sub) * size(c.d_model))), inverse_rms(lane_floats(size(sub))),
      conv_in(lane_floats(size(sub + c.d_conv - 1) * size(c.d_inner()))),
      conv_out(lane_floats(size(sub) * size(c.d_inner()))),
      x(lane_floats(size(steps) * size(c.d_inner()))), z(x.size()),
      dbc(lane_floats(size(steps) * size(c.dt_rank + 2 * c.d_state))), dt(x.size()),
      y(conv_out.size()), gated(conv_out.size()),
      h_series(keep == Keep::series ? lane_floats(size(sub) * size(c.d_inner()) * size(c.d_state)) : 0),
      q_series(keep == Keep::series ? lane_floats(size(sub) * size(c.d_inner()) * size(c.decays())) : 0),
      q(keep == Keep::decays ? lane_floats(size(steps) * size(c.d_inner()) * size(c.decays())) : 0) {}

LaneModel::LaneModel(const ModelConfig& config, const Weights& weights, const kernels::LaneOps& ops)
    : config_(config), weights_(weights), ops_(ops) {
    weights_changed();
}

void LaneModel::weights_changed() {
    if (config_.all_blocks(BlockKind::time_invariant)) {
        oscillators_.resize(weights_.layers.size());
        for (std::size_t l = 0; l < oscillators_.size(); ++l) {
            const LayerWeights& w = weights_.layers[l];
            Oscillators& o = oscillators_[l];
            for (std::vector<float>* v : {&o.q_re, &o.q_im, &o.b}) v->resize(w.A_log.size());
            for (std::size_t i = 0; i < w.A_log.size(); ++i) {
                const auto one = reference::oscillator(double(w.A_log[i]), double(w.A_imag[i]));
                o.q_re[i] = static_cast<float>(one.q_re), o.q_im[i] = static_cast<float>(one.q_im);
                o.b[i] = static_cast<float>(one.b);
            }
        }
        return;
    }
    A_.resize(weights_.layers.size());
    for (std::size_t l = 0; l < A_.size(); ++l) {
        A_[l].resize(weights_.layers[l].A_log.size());
        std::ranges::transform(weights_.layers[l].A_log, A_[l].begin(), [](float v) { return -std::exp(v); });
    }
}

std::size_t LaneModel::conv_floats() const { return lane_floats(size(config_.d_conv - 1) * size(config_.d_inner())); }
std::size_t LaneModel::h_floats() const { return lane_floats(size(config_.d_inner()) * size(config_.d_state)); }

kernels::LaneScanShape LaneModel::scan_shape(int steps) const {
    return {steps, config_.d_inner(), config_.d_state, config_.a == DecayShape::tied, config_.b_bar == BBar::ema,
            dbc_width()};
}

kernels::LaneScanInputs LaneModel::scan_inputs(int l, const LaneActivations& a, int first_step) const {
    const std::size_t row = lane_floats(size(first_step) * size(config_.d_inner()));
    const float* dbc = a.dbc.data() + lane_floats(size(first_step) * size(dbc_width()));
    const float* B = dbc + lane_floats(size(config_.dt_rank));
    return {A(l).data(), weights_.layers[size(l)].D.data(), a.dt.data() + row, a.x.data() + row, B,
            B + lane_floats(size(config_.d_state)),
            a.q.empty() ? nullptr
                        : a.q.data() + lane_floats(size(first_step) * size(config_.d_inner()) * size(config_.decays()))};
}

kernels::LaneOscillatorShape LaneModel::oscillator_shape(int steps) const {
    return {steps, config_.d_inner(), config_.d_state / 2};
}

kernels::LaneOscillators LaneModel::oscillators(int l) const {
    const Oscillators& o = oscillators_[size(l)];
    const LayerWeights& w = weights_.layers[size(l)];
    return {o.q_re.data(), o.q_im.data(), o.b.data(), w.C.data(), w.D.data()};
}

void LaneModel::encode(int steps, const float* in, float* e) const {
    ops_.linear(linear_shape(steps, config_.channels, config_.d_model, config_.channels, config_.d_model),
                weights_.encoder_weight.data(), weights_.encoder_bias.data(), in, e, false);
}

void LaneModel::norm(int l, int steps, const float* e, const LaneFilm& film, LaneActivations& a) const {
    const std::size_t row = lane_floats(size(l) * size(config_.d_model));
    ops_.rms_norm(steps, config_.d_model, weights_.layers[size(l)].norm.data(),
                  film.scale.empty() ? nullptr : film.scale.data() + row,
                  film.shift.empty() ? nullptr : film.shift.data() + row, e, a.u.data(), a.inverse_rms.data());
}

void LaneModel::conv_inputs(int l, int steps, const float* e, const LaneFilm& film, LaneActivations& a,
                            float* rows) const {
    const LayerWeights& w = weights_.layers[size(l)];
    const int d = config_.d_inner(), dm = config_.d_model;
    for (int t = 0; t < steps; t += a.sub_steps) {
        const int n = std::min(a.sub_steps, steps - t);
        norm(l, n, e + lane_floats(size(t) * size(dm)), film, a);
        ops_.linear(linear_shape(n, dm, d, dm, d), w.in_proj.data(), data_or_null(w.in_proj_bias), a.u.data(),
                    rows + lane_floats(size(t) * size(d)), false);
    }
}

void LaneModel::layer_inputs(int l, int steps, const float* e, const LaneFilm& film, float* conv,
                             LaneActivations& a) const {
    const LayerWeights& w = weights_.layers[size(l)];
    const int d = config_.d_inner(), dm = config_.d_model, taps = config_.d_conv, width = dbc_width();
    float* fresh = a.conv_in.data() + conv_floats();  // rows behind the history
    for (int t = 0; t < steps; t += a.sub_steps) {
        const int n = std::min(a.sub_steps, steps - t);
        const std::size_t row = lane_floats(size(t) * size(d));
        float* dbc = a.dbc.data() + lane_floats(size(t) * size(width));
        norm(l, n, e + lane_floats(size(t) * size(dm)), film, a);
        std::copy_n(conv, conv_floats(), a.conv_in.data());
        ops_.linear(linear_shape(n, dm, d, dm, d), w.in_proj.data(), data_or_null(w.in_proj_bias), a.u.data(), fresh,
                    false);
        ops_.linear(linear_shape(n, dm, d, dm, d), w.in_proj.data() + d * dm,
                    w.in_proj_bias.empty() ? nullptr : w.in_proj_bias.data() + d, a.u.data(), a.z.data() + row, false);
        ops_.conv(n, d, taps, w.conv_weight.data(), w.conv_bias.data(), a.conv_in.data(), a.conv_out.data());
        std::copy_n(a.conv_in.data() + lane_floats(size(n) * size(d)), conv_floats(), conv);
        ops_.silu(n * d, a.conv_out.data(), a.x.data() + row);
        if (config_.all_blocks(BlockKind::time_invariant)) continue;
        ops_.linear(linear_shape(n, d, width, d, width), w.x_proj.data(), data_or_null(w.x_proj_bias),
                    a.x.data() + row, dbc, false);
        ops_.linear(linear_shape(n, config_.dt_rank, d, width, d), w.dt_proj.data(), w.dt_proj_bias.data(), dbc,
                    a.dt.data() + row, false);
        ops_.softplus(n * d, a.dt.data() + row, a.dt.data() + row);
    }
}

void LaneModel::layer_carry(int l, int steps, float* h, float* h_low, float* q_sum, LaneActivations& a) const {
    kernels::LaneScanInputs in = scan_inputs(l, a, 0);
    in.q = nullptr;
    ops_.scan_carry(scan_shape(steps), in, h, h_low, q_sum, a.q.empty() ? nullptr : a.q.data());
}

void LaneModel::layer_outputs(int l, int steps, float* e, float* h, float* h_low, LaneActivations& a) const {
    const LayerWeights& w = weights_.layers[size(l)];
    const int d = config_.d_inner(), dm = config_.d_model;
    for (int t = 0; t < steps; t += a.sub_steps) {
        const int n = std::min(a.sub_steps, steps - t);
        float* h_series = a.h_series.empty() ? nullptr : a.h_series.data();
        if (!config_.all_blocks(BlockKind::time_invariant))
            ops_.scan(scan_shape(n), scan_inputs(l, a, t), h, h_low, a.y.data(), h_series,
                      a.q_series.empty() ? nullptr : a.q_series.data());
        else
            ops_.oscillators(oscillator_shape(n), oscillators(l), a.x.data() + lane_floats(size(t) * size(d)), h, a.y.data(),
                             h_series);
        ops_.gate(n * d, a.y.data(), a.z.data() + lane_floats(size(t) * size(d)), a.gated.data());
        float* et = e + lane_floats(size(t) * size(dm));
        ops_.linear(linear_shape(n, d, dm, d, dm), w.out_proj.data(), data_or_null(w.out_proj_bias),
                    a.gated.data(), et, true);
    }
}

void LaneModel::decode(int steps, const float* in, const float* e, float* u, float* inverse_rms, float* out) const {
    const int dm = config_.d_model, ch = config_.channels;
    const float* normed = e;
    if (config_.final_norm) {
        ops_.rms_norm(steps, dm, weights_.norm_f.data(), nullptr, nullptr, e, u, inverse_rms);
        normed = u;
    }
    ops_.linear(linear_shape(steps, dm, ch, dm, ch), weights_.decoder_weight.data(), weights_.decoder_bias.data(), normed,
                out, false);
    if (!config_.skip) return;
    for (int t = 0; t < steps; ++t)
        for (int c = 0; c < ch; ++c)
            for (int lane = 0; lane < lane_count; ++lane) {
                const std::size_t at = lane_floats(size(t * ch + c)) + size(lane);
                out[at] += weights_.skip[size(c)] * in[at];
            }
}

void LaneModel::decode_blocks(int steps, const float* in, const float* e, LaneActivations& a, float* out) const {
    for (int t = 0; t < steps; t += a.sub_steps)
        decode(std::min(a.sub_steps, steps - t), in + lane_floats(size(t * config_.channels)),
               e + lane_floats(size(t) * size(config_.d_model)), a.u.data(), a.inverse_rms.data(),
               out + lane_floats(size(t * config_.channels)));
}

} // namespace serpent::lanes
