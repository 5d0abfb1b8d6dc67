// SPDX-License-Identifier: MIT
#include "generator/step_tier.h"

#include "equations/rotating_scan.h"
#include "equations/time_invariant_scan.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace serpent {
namespace {

using lanes::LaneBuffer;

constexpr int piece = 64;  // output channels per job: four wide vectors, as the kernels like it

std::size_t size(int a) { return static_cast<std::size_t>(a); }
int padded(int width) { return kernels::step_padded(width); }
void zero(LaneBuffer& b) { std::fill(b.begin(), b.end(), 0.0f); }

LaneBuffer padded_copy(Tensor from, int stride) {
    LaneBuffer to(size(stride));
    std::ranges::copy(from, to.begin());
    return to;
}

/// weight (outs, ins) and bias (outs) as [in][out], where ins and outs come in groups whose beginnings are padded.
PackedLinear pack(Tensor weight, Tensor bias, int outs, int out_group, int ins, int in_group) {
    PackedLinear p;
    p.in = ins / in_group * (in_group == ins ? ins : padded(in_group));
    p.stride = outs / out_group * padded(out_group);
    p.weight.resize(size(p.in) * size(p.stride));
    p.bias.resize(size(p.stride));
    for (int o = 0; o < outs; ++o) {
        const int column = o / out_group * padded(out_group) + o % out_group;
        for (int i = 0; i < ins; ++i) {
            const int row = i / in_group * padded(in_group) + i % in_group;
            p.weight[size(row) * size(p.stride) + size(column)] = weight[size(o) * size(ins) + size(i)];
        }
        if (!bias.empty()) p.bias[size(column)] = bias[size(o)];
    }
    return p;
}

/// What a channel's scan and gate cost.
double mix_cost(const kernels::BlockShape& s) {
    switch (s.kind) {
    case BlockKind::selective: return s.dt_rank + 48.0 + 3 * s.d_state + 16.0 * s.decays();
    case BlockKind::rotating: return s.dt_rank + 48.0 + 8 * s.pairs() + 24.0 * s.decays();
    default: return 20 + 3.5 * s.d_state;
    }
}

} // namespace

StepTier::StepTier(const GeneratorConfig& config, const GeneratorWeights& weights, int k, const kernels::StepOps& ops,
                   StepTier* inner)
    : ops_(ops), inner_(inner), config_(config.tiers[size(k)].stack), k_(k), pool_(config.tiers[size(k)].pool), stride_(padded(config_.d_model)),
      inner_stride_(padded(config_.d_inner())) {
    const TierWeights& w = weights.tiers[size(k)];
    for (int l = 0; l < config_.n_layers; ++l) pack_layer(config_.block(l), w.stack.layers[size(l)]);
    norm_f_ = padded_copy(w.stack.norm_f, stride_);
    condition_sum_.resize(size(stride_)), e_.resize(size(stride_)), u_.resize(size(stride_)), normed_.resize(size(stride_));
    xz_.resize(size(2 * inner_stride_)), x_.resize(size(inner_stride_)), y_.resize(size(inner_stride_));
    dt_B_C_.resize(size(padded(config_.dt_rank + 2 * config_.d_state)));
    if (k > 0) {
        const int outer = config.tiers[size(k - 1)].stack.d_model;
        outer_stride_ = padded(outer);
        pool_linear_ = pack(w.pool_weight, w.pool_bias, config_.d_model, config_.d_model, pool_ * outer, outer);
        unpool_linear_ = pack(w.unpool_weight, w.unpool_bias, pool_ * outer, outer, config_.d_model, config_.d_model);
        for (LaneBuffer* rows : {&gathered_, &pooling_, &given_, &coming_}) rows->resize(size(pool_ * outer_stride_));
    }
    make_jobs();
    share_out(config.samples_per_step(k));
    reset();
}

void StepTier::pack_layer(const kernels::BlockShape& c, const LayerWeights& w) {
    Layer l;
    l.shape = c;
    const int d = c.d_inner, dm = c.d_model;
    l.norm = padded_copy(w.norm, stride_);
    l.in_proj = pack(w.in_proj, w.in_proj_bias, 2 * d, d, dm, dm);
    l.conv_weight.resize(size(c.d_conv * inner_stride_));
    for (int i = 0; i < d; ++i)
        for (int tap = 0; tap < c.d_conv; ++tap) l.conv_weight[size(tap * inner_stride_ + i)] = w.conv_weight[size(i * c.d_conv + tap)];
    l.conv_bias = padded_copy(w.conv_bias, inner_stride_);
    l.D = padded_copy(w.D, inner_stride_);
    l.out_proj = pack(w.out_proj, w.out_proj_bias, dm, dm, d, d);
    l.history.resize(size((c.history() + 1) * inner_stride_));
    l.h.resize(size(c.d_state * inner_stride_));
    c.kind == BlockKind::time_invariant ? pack_oscillators(w, l) : pack_decays(w, l);
    layers_.push_back(std::move(l));
}

void StepTier::pack_decays(const LayerWeights& w, Layer& l) const {
    const kernels::BlockShape& c = l.shape;
    const int d = c.d_inner, width = c.x_proj_rows();
    l.x_proj = pack(w.x_proj, w.x_proj_bias, width, width, d, d);
    l.dt_proj = pack(w.dt_proj, w.dt_proj_bias, d, d, c.dt_rank, c.dt_rank);
    l.A.resize(size(c.decays() * inner_stride_));
    for (int i = 0; i < d; ++i)
        for (int n = 0; n < c.decays(); ++n)
            l.A[size(n * inner_stride_ + i)] = static_cast<float>(-std::exp(double(w.A_log[size(i * c.decays() + n)])));
    if (c.kind != BlockKind::rotating) return;
    for (LaneBuffer* b : {&l.turn_t, &l.turn_s}) b->resize(size(c.pairs() * inner_stride_));
    for (int i = 0; i < d; ++i)
        for (int m = 0; m < c.pairs(); ++m) {
            const auto turn = equations::Turn<float>::of(double(w.A_imag[size(i * c.pairs() + m)]));
            l.turn_t[size(m * inner_stride_ + i)] = turn.t, l.turn_s[size(m * inner_stride_ + i)] = turn.s;
        }
}

void StepTier::pack_oscillators(const LayerWeights& w, Layer& l) const {
    const int pairs = l.shape.pairs();
    for (LaneBuffer* b : {&l.q_re, &l.q_im, &l.b, &l.c_re, &l.c_im}) b->resize(size(pairs * inner_stride_));
    for (int i = 0; i < config_.d_inner(); ++i)
        for (int m = 0; m < pairs; ++m) {
            const std::size_t from = size(i * pairs + m), to = size(m * inner_stride_ + i);
            const auto o = equations::oscillator(double(w.A_log[from]), double(w.A_imag[from]));
            l.q_re[to] = static_cast<float>(o.q_re), l.q_im[to] = static_cast<float>(o.q_im), l.b[to] = static_cast<float>(o.b);
            l.c_re[to] = w.C[2 * from], l.c_im[to] = w.C[2 * from + 1];
        }
}

/// `width` output channels in pieces, the step's next jobs.
void StepTier::cut(Kind kind, int layer, int width, double cost_per_channel) {
    for (int first = 0; first < width; first += piece) {
        const int count = std::min(piece, width - first);
        jobs_.push_back({kind, layer, first, count, cost_per_channel * count});
    }
}

/// Costs are in multiply-adds; an exponential counts as 16.
void StepTier::make_jobs() {
    const ModelConfig& c = config_;
    if (k_ > 0) cut(Kind::pool, 0, stride_, pool_linear_.in);
    jobs_.push_back({Kind::join, 0, 0, 0, 2.0 * stride_});
    for (int l = 0; l < c.n_layers; ++l) {
        const Layer& layer = layers_[size(l)];
        cut(Kind::in_proj, l, layer.in_proj.stride, c.d_model);
        jobs_.push_back({Kind::conv, l, 0, inner_stride_, (c.d_conv + 20.0) * inner_stride_});
        if (layer.shape.kind != BlockKind::time_invariant) cut(Kind::x_proj, l, layer.x_proj.stride, c.d_inner());
        cut(Kind::mix, l, inner_stride_, mix_cost(layer.shape));
        cut(Kind::out_proj, l, stride_, c.d_inner());
    }
    jobs_.push_back({Kind::norm_out, 0, 0, 0, 4.0 * stride_});
    if (k_ > 0) cut(Kind::unpool, 0, unpool_linear_.stride, c.d_model);
}

/// Every job goes to the slice in which it begins when each slice costs the same.
void StepTier::share_out(int slices) {
    double total = 0, before = 0;
    for (const Job& job : jobs_) total += job.cost;
    slice_begin_.assign(1, 0);
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
        const int slice = static_cast<int>(before / total * slices);
        while (static_cast<int>(slice_begin_.size()) <= slice) slice_begin_.push_back(static_cast<int>(i));
        before += jobs_[i].cost;
    }
    slice_begin_.resize(size(slices) + 1, static_cast<int>(jobs_.size()));
}

void StepTier::reset() noexcept {
    for (Layer& l : layers_) zero(l.history), zero(l.h), l.newest = 0;
    for (LaneBuffer* b : {&e_, &u_, &normed_, &gathered_, &pooling_, &coming_, &given_}) zero(*b);
    // The answer to nothing yet heard: that of a normed output of 0.
    if (k_ > 0) coming_ = given_ = unpool_linear_.bias;
    row_ = slice_ = 0;
    busy_ = k_ == 0;
}

void StepTier::set_conditions(const TierWeights& weights, const std::vector<int>& conditions) {
    zero(condition_sum_);
    for (std::size_t j = 0; j < conditions.size(); ++j)
        for (int i = 0; i < config_.d_model; ++i)
            condition_sum_[size(i)] += weights.conditions[j][size(conditions[j] * config_.d_model + i)];
}

/// Takes the outer tier's input for one of its steps, and adds this tier's answer to it.
void StepTier::hear_outer(float* e, int stride) noexcept {
    std::memcpy(gathered_.data() + row_ * stride, e, size(stride) * sizeof(float));
    const float* given = given_.data() + row_ * stride;
    for (int i = 0; i < stride; ++i) e[i] += given[i];
    row_ = (row_ + 1) % pool_;
}

void StepTier::work() noexcept {
    if (busy_) {
        for (int i = slice_begin_[size(slice_)]; i < slice_begin_[size(slice_) + 1]; ++i) run(jobs_[size(i)]);
        if (inner_) inner_->work();
    }
    if (++slice_ < static_cast<int>(slice_begin_.size()) - 1) return;
    slice_ = 0;
    if (k_ == 0) return;
    if (busy_) std::swap(given_, coming_);
    std::swap(pooling_, gathered_);
    busy_ = true;
}

void StepTier::run(const Job& job) noexcept {
    Layer& l = layers_[size(job.layer)];
    switch (job.kind) {
    case Kind::pool:
        ops_.linear(pool_linear_.view(), pooling_.data(), e_.data(), job.first, job.count, false);
        break;
    case Kind::join:
        for (int i = 0; i < stride_; ++i) e_[size(i)] += condition_sum_[size(i)];
        if (inner_) inner_->hear_outer(e_.data(), stride_);
        break;
    case Kind::in_proj:
        if (job.first == 0) ops_.norm(config_.d_model, l.norm.data(), e_.data(), u_.data());
        ops_.linear(l.in_proj.view(), u_.data(), xz_.data(), job.first, job.count, false);
        break;
    case Kind::conv:
        convolve(l);
        break;
    case Kind::x_proj:
        ops_.linear(l.x_proj.view(), x_.data(), dt_B_C_.data(), job.first, job.count, false);
        break;
    case Kind::mix:
        mix(l, job.first, job.count);
        break;
    case Kind::out_proj:
        ops_.linear(l.out_proj.view(), y_.data(), e_.data(), job.first, job.count, true);
        break;
    case Kind::norm_out:
        ops_.norm(config_.d_model, norm_f_.data(), e_.data(), normed_.data());
        break;
    case Kind::unpool:
        ops_.linear(unpool_linear_.view(), normed_.data(), coming_.data(), job.first, job.count, false);
        break;
    }
}

void StepTier::convolve(Layer& l) noexcept {
    const kernels::BlockShape& s = l.shape;
    l.newest = l.newest == s.history() ? 0 : l.newest + 1;
    std::memcpy(l.history.data() + l.newest * inner_stride_, xz_.data(), size(inner_stride_) * sizeof(float));
    ops_.conv({l.conv_weight.data(), l.conv_bias.data(), l.history.data(), x_.data(), s.d_conv, s.dilation, inner_stride_, l.newest}, 0, inner_stride_);
}

void StepTier::mix(Layer& l, int first, int count) noexcept {
    const kernels::BlockShape& s = l.shape;
    const float* z = xz_.data() + inner_stride_;
    float* const h_im = l.h.data() + s.pairs() * inner_stride_;
    switch (s.kind) {
    case BlockKind::selective:
        ops_.selective({l.dt_proj.view(), l.A.data(), l.D.data(), x_.data(), z, dt_B_C_.data(), l.h.data(), y_.data(), s.d_state, s.tied, s.ema},
                       first, count);
        break;
    case BlockKind::rotating:
        ops_.rotating({l.dt_proj.view(), l.A.data(), l.turn_t.data(), l.turn_s.data(), l.D.data(), x_.data(), z, dt_B_C_.data(), l.h.data(), h_im,
                       y_.data(), s.pairs(), s.tied},
                      first, count);
        break;
    case BlockKind::time_invariant:
        ops_.oscillators({l.q_re.data(), l.q_im.data(), l.b.data(), l.c_re.data(), l.c_im.data(), l.D.data(), x_.data(), z, l.h.data(), h_im,
                          y_.data(), s.pairs(), inner_stride_},
                         first, count);
        break;
    }
}

} // namespace serpent
