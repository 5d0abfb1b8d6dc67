// SPDX-License-Identifier: MIT
#include "lanes/lane_model.h"

#include "equations/rotating_scan.h"
#include "equations/time_invariant_scan.h"

#include <algorithm>
#include <cmath>

namespace serpent::lanes {
namespace {

std::size_t size(int a) { return static_cast<std::size_t>(a); }

} // namespace

LaneState::LaneState(const ModelConfig& c) : state_channels(size(c.channels)) {
    const State state = zero_state(c);
    conv.resize(lane_floats(state.conv.size()));
    h.resize(lane_floats(state.h.size()));
    fir_in.resize(lane_floats(state.fir_in.size()));
    fir_out.resize(lane_floats(state.fir_out.size()));
}

namespace {

void put(int lane, const std::vector<float>& values, LaneBuffer& into) {
    for (std::size_t i = 0; i < values.size(); ++i) into[lane_floats(i) + size(lane)] = values[i];
}
void get(int lane, const LaneBuffer& from, std::vector<float>& values) {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = from[lane_floats(i) + size(lane)];
}
/// State has a channel's samples side by side, lanes have those of one moment.
std::vector<float> transposed(const std::vector<float>& from, std::size_t rows) {
    const std::size_t columns = rows ? from.size() / rows : 0;
    std::vector<float> to(from.size());
    for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t c = 0; c < columns; ++c) to[c * rows + r] = from[r * columns + c];
    return to;
}

} // namespace

void LaneState::set_lane(int lane, const State& state) {
    put(lane, state.conv, conv);
    put(lane, state.h, h);
    if (fir_in.empty() && fir_out.empty()) return;
    const std::size_t channels = state_channels;
    put(lane, transposed(state.fir_in, channels), fir_in);
    put(lane, transposed(state.fir_out, channels), fir_out);
}

State LaneState::lane(int lane, const ModelConfig& config) const {
    State state = zero_state(config);
    get(lane, conv, state.conv);
    get(lane, h, state.h);
    const auto filter = [&](const LaneBuffer& from, std::vector<float>& to) {
        std::vector<float> rows(to.size());
        get(lane, from, rows);
        to = transposed(rows, to.size() / size(config.channels));
    };
    filter(fir_in, state.fir_in);
    filter(fir_out, state.fir_out);
    return state;
}

void LaneFilm::set_lane(int lane, const Film& film) {
    scale.resize(lane_floats(film.scale.size()));
    shift.resize(lane_floats(film.shift.size()));
    for (std::size_t i = 0; i < film.scale.size(); ++i) {
        scale[i * lane_count + size(lane)] = film.scale[i];
        shift[i * lane_count + size(lane)] = film.shift[i];
    }
}

ConvRows::ConvRows(const ModelConfig& c, int longest) : width_(size(c.d_inner())) {
    for (int l = 0; l < c.n_layers; ++l) {
        history_floats_.push_back(lane_floats(size(c.block(l).conv_floats())));
        rows_.emplace_back(history_floats_.back() + lane_floats(size(longest) * width_));
    }
}

void ConvRows::begin(const LaneBuffer& conv) {
    const float* from = conv.data();
    for (std::size_t l = 0; l < rows_.size(); from += history_floats_[l++]) std::copy_n(from, history_floats_[l], rows_[l].data());
}

void ConvRows::end(int steps, LaneBuffer& conv) const {
    float* to = conv.data();
    for (std::size_t l = 0; l < rows_.size(); to += history_floats_[l++])
        std::copy_n(rows_[l].data() + lane_floats(size(steps) * width_), history_floats_[l], to);
}

void ConvRows::clear() {
    for (LaneBuffer& rows : rows_) std::fill(rows.begin(), rows.end(), 0.0f);
}

LaneActivations::LaneActivations(const ModelConfig& c, int steps, int sub, Keep keep)
    : capacity(steps), sub_steps(sub),
      u(lane_floats(size(sub) * size(c.d_model))), inverse_rms(lane_floats(size(sub))),
      conv_out(lane_floats(size(sub) * size(c.d_inner()))),
      x(lane_floats(size(steps) * size(c.d_inner()))), z(x.size()),
      dbc(lane_floats(size(steps) * size(c.dt_rank + 2 * c.d_state))), dt(x.size()),
      y(conv_out.size()), gated(conv_out.size()),
      h_series(keep == Keep::series ? lane_floats(size(sub) * size(c.d_inner()) * size(c.d_state)) : 0),
      q_series(keep == Keep::series ? lane_floats(size(sub) * size(c.d_inner()) * size(c.decays())) : 0),
      q(keep == Keep::decays ? lane_floats(size(steps) * size(c.d_inner()) * size(c.decays())) : 0) {}

LaneModel::LaneModel(const ModelConfig& config, const ModelTensors& weights, const kernels::LaneOps& ops)
    : config_(config), weights_(weights), ops_(ops), constants_(size(config.n_layers)) {
    for (int l = 0; l < config.n_layers; ++l) blocks_.push_back(config.block(l));
    weights_changed();
}

void LaneModel::weights_changed() {
    for (std::size_t l = 0; l < constants_.size(); ++l) {
        const LayerWeights& w = weights_.layers[l];
        Constants& k = constants_[l];
        const std::size_t pairs = w.A_imag.size();
        for (std::vector<float>* v : {&k.re, &k.im, &k.gain}) v->resize(pairs);
        if (blocks_[l].kind == BlockKind::time_invariant) {
            for (std::size_t i = 0; i < pairs; ++i) {
                const auto one = equations::oscillator(double(w.A_log[i]), double(w.A_imag[i]));
                k.re[i] = static_cast<float>(one.q_re), k.im[i] = static_cast<float>(one.q_im), k.gain[i] = static_cast<float>(one.b);
            }
            continue;
        }
        k.A.resize(w.A_log.size());
        std::ranges::transform(w.A_log, k.A.begin(), [](float v) { return -std::exp(v); });
        for (std::size_t i = 0; i < pairs; ++i) {
            const auto turn = equations::Turn<float>::of(w.A_imag[i]);
            k.re[i] = turn.t, k.im[i] = turn.s;
        }
    }
}

std::size_t LaneModel::h_floats() const { return lane_floats(size(config_.d_inner()) * size(config_.d_state)); }

kernels::LaneScanShape LaneModel::scan_shape(int l, int steps) const {
    const kernels::BlockShape& b = block(l);
    return {steps, b.d_inner, b.d_state, b.tied, b.ema, dbc_width()};
}

kernels::LaneScanInputs LaneModel::scan_inputs(int l, const LaneActivations& a, int first_step) const {
    const kernels::BlockShape& b = block(l);
    const std::size_t row = lane_floats(size(first_step) * size(b.d_inner));
    const float* B = a.dbc.data() + lane_floats(size(first_step) * size(dbc_width()) + size(b.dt_rank));
    return {constants_[size(l)].A.data(), weights_.layers[size(l)].D.data(), a.dt.data() + row, a.x.data() + row, B,
            B + lane_floats(size(b.d_state)),
            a.q.empty() ? nullptr : a.q.data() + lane_floats(size(first_step) * size(b.d_inner) * size(b.decays()))};
}

kernels::LaneRotationShape LaneModel::rotation_shape(int l, int steps) const {
    return {steps, block(l).d_inner, block(l).pairs(), block(l).tied, dbc_width()};
}

kernels::LaneRotationInputs LaneModel::rotation_inputs(int l, const LaneActivations& a, int first_step) const {
    const kernels::LaneScanInputs in = scan_inputs(l, a, first_step);
    const Constants& k = constants_[size(l)];
    return {in.A, k.re.data(), k.im.data(), in.D, in.dt, in.x, in.B, in.C, in.q};
}

kernels::LaneOscillatorShape LaneModel::oscillator_shape(int l, int steps) const { return {steps, block(l).d_inner, block(l).pairs()}; }

kernels::LaneOscillators LaneModel::oscillators(int l) const {
    const Constants& k = constants_[size(l)];
    const LayerWeights& w = weights_.layers[size(l)];
    return {k.re.data(), k.im.data(), k.gain.data(), w.C.data(), w.D.data()};
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
        ops_.linear(linear_shape(n, dm, d, dm, d), w.in_proj.data(), w.in_proj_bias.data(), a.u.data(),
                    rows + lane_floats(size(t) * size(d)), false);
    }
}

void LaneModel::layer_inputs(int l, int steps, const float* e, const LaneFilm& film, float* conv,
                             LaneActivations& a) const {
    const LayerWeights& w = weights_.layers[size(l)];
    const kernels::BlockShape& b = block(l);
    const int d = b.d_inner, dm = b.d_model, width = dbc_width();
    for (int t = 0; t < steps; t += a.sub_steps) {
        const int n = std::min(a.sub_steps, steps - t);
        const std::size_t row = lane_floats(size(t) * size(d));
        float* const rows = conv + row;  // history first
        float* const dbc = a.dbc.data() + lane_floats(size(t) * size(width));
        norm(l, n, e + lane_floats(size(t) * size(dm)), film, a);
        ops_.linear(linear_shape(n, dm, d, dm, d), w.in_proj.data(), w.in_proj_bias.data(), a.u.data(),
                    rows + lane_floats(size(b.conv_floats())), false);
        ops_.linear(linear_shape(n, dm, d, dm, d), w.in_proj.data() + d * dm,
                    w.in_proj_bias.empty() ? nullptr : w.in_proj_bias.data() + d, a.u.data(), a.z.data() + row, false);
        ops_.conv(n, d, b.d_conv, b.dilation, w.conv_weight.data(), w.conv_bias.data(), rows, a.conv_out.data());
        ops_.silu(n * d, a.conv_out.data(), a.x.data() + row);
        if (b.kind == BlockKind::time_invariant) continue;
        ops_.linear(linear_shape(n, d, width, d, width), w.x_proj.data(), w.x_proj_bias.data(),
                    a.x.data() + row, dbc, false);
        ops_.linear(linear_shape(n, b.dt_rank, d, width, d), w.dt_proj.data(), w.dt_proj_bias.data(), dbc,
                    a.dt.data() + row, false);
        ops_.softplus(n * d, a.dt.data() + row, a.dt.data() + row);
    }
}

void LaneModel::layer_carry(int l, int steps, float* h, float* h_low, float* q_sum, LaneActivations& a) const {
    float* const q_series = a.q.empty() ? nullptr : a.q.data();
    switch (block(l).kind) {
    case BlockKind::selective: {
        kernels::LaneScanInputs in = scan_inputs(l, a, 0);
        in.q = nullptr;
        return ops_.scan_carry(scan_shape(l, steps), in, h, h_low, q_sum, q_series);
    }
    case BlockKind::rotating: {
        kernels::LaneRotationInputs in = rotation_inputs(l, a, 0);
        in.q = nullptr;
        return ops_.rotation_carry(rotation_shape(l, steps), in, h, h_low, q_sum, q_series);
    }
    case BlockKind::time_invariant:
        for (int t = 0; t < steps; t += a.sub_steps) scan(l, t, std::min(a.sub_steps, steps - t), h, h_low, a);
    }
}

void LaneModel::scan(int l, int first, int steps, float* h, float* h_low, LaneActivations& a) const {
    float* const h_series = a.h_series.empty() ? nullptr : a.h_series.data();
    float* const q_series = a.q_series.empty() ? nullptr : a.q_series.data();
    switch (block(l).kind) {
    case BlockKind::selective:
        return ops_.scan(scan_shape(l, steps), scan_inputs(l, a, first), h, h_low, a.y.data(), h_series, q_series);
    case BlockKind::rotating:
        return ops_.rotation(rotation_shape(l, steps), rotation_inputs(l, a, first), h, h_low, a.y.data(), h_series, q_series);
    case BlockKind::time_invariant:
        return ops_.oscillators(oscillator_shape(l, steps), oscillators(l), a.x.data() + lane_floats(size(first) * size(config_.d_inner())), h,
                                a.y.data(), h_series);
    }
}

void LaneModel::layer_outputs(int l, int steps, float* e, float* h, float* h_low, LaneActivations& a) const {
    const LayerWeights& w = weights_.layers[size(l)];
    const int d = config_.d_inner(), dm = config_.d_model;
    for (int t = 0; t < steps; t += a.sub_steps) {
        const int n = std::min(a.sub_steps, steps - t);
        scan(l, t, n, h, h_low, a);
        ops_.gate(n * d, a.y.data(), a.z.data() + lane_floats(size(t) * size(d)), a.gated.data());
        float* et = e + lane_floats(size(t) * size(dm));
        ops_.linear(linear_shape(n, d, dm, d, dm), w.out_proj.data(), w.out_proj_bias.data(),
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
