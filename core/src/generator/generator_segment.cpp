// SPDX-License-Identifier: MIT
#include "generator/generator_segment.h"

#include <algorithm>
#include <cmath>

namespace serpent {
namespace {

using namespace lanes;

constexpr int decode_steps = 16;  // 256 kB of logits

std::size_t size(int a) { return static_cast<std::size_t>(a); }
std::size_t rows(int steps, int width) { return lane_floats(size(steps) * size(width)); }

/// Tensors whose gradients want lanes and belong to no stack.
std::vector<TensorRef> joint_tensors(const GeneratorConfig& config, const GeneratorWeights& weights) {
    std::vector<TensorRef> list;
    for (const TensorRef& t : tensors(config, weights))
        if (t.name.find("pool.") != std::string::npos || t.name.starts_with("decoder.")) list.push_back(t);
    return list;
}

} // namespace

GeneratorNet::GeneratorNet(const GeneratorConfig& c, const GeneratorWeights& w, const kernels::LaneOps& o)
    : config(c), weights(w), ops(o) {
    for (std::size_t k = 0; k < c.tiers.size(); ++k)
        tiers.push_back(std::make_unique<LaneModel>(c.tiers[k].stack, w.tiers[k].stack, o));
}

void GeneratorNet::weights_changed() {
    for (const auto& tier : tiers) tier->weights_changed();
}

GeneratorLaneState::GeneratorLaneState(const GeneratorConfig& config) {
    for (const GeneratorTier& tier : config.tiers) {
        tiers.emplace_back(tier.stack);
        delayed.emplace_back(rows(unpool_delay_steps, tier.stack.d_model));
    }
}

void GeneratorLaneState::clear_lane(int lane) {
    const auto clear = [lane](LaneBuffer& b) {
        for (std::size_t i = size(lane); i < b.size(); i += lane_count) b[i] = 0.0f;
    };
    for (LaneState& tier : tiers) clear(tier.conv), clear(tier.h);
    for (LaneBuffer& rows_of_tier : delayed) clear(rows_of_tier);
}

GeneratorSegment::GeneratorSegment(const GeneratorNet& net, int longest, bool with_gradient)
    : state(net.config), input(lane_floats(size(longest))), target(input.size()), weight(input.size()),
      conditions(size(longest / net.config.period()) * net.config.conditions.size() * lane_count), net_(net),
      logits_(rows(decode_steps, mu_law_classes)),
      u_(rows(decode_steps, net.config.tiers.front().stack.d_model)), du_(u_.size()), probability_(lane_floats(decode_steps)) {
    for (std::size_t k = 0; k < net.config.tiers.size(); ++k) {
        const ModelConfig& c = net.config.tiers[k].stack;
        const int n = steps(static_cast<int>(k), longest), sub = backward_sub_steps(c);
        Tier tier{sub, LaneActivations(c, sub, sub, LaneActivations::Keep::nothing), nullptr, {}, {}, {}, std::make_unique<ConvRows>(c, n), nullptr, {}, {}, {}, {}, {}};
        tier.stream.assign(with_gradient ? size(c.n_layers) + 1 : 1, LaneBuffer(rows(n, c.d_model)));
        if (k + 1 < net.config.tiers.size()) tier.raw.resize(rows(n, c.d_model));
        tier.inverse_rms.resize(lane_floats(size(std::max(n, decode_steps))));
        if (k > 0) tier.normed.resize(rows(unpool_delay_steps + n, c.d_model));
        if (with_gradient) {
            tier.backward = std::make_unique<LaneBackward>(*net.tiers[k], net.weights.tiers[k].stack, sub);
            tier.dh.resize(LaneState(c).h.size());
            tier.snapshots.assign(size((n + sub - 1) / sub), tier.dh);
            tier.dconv_rows = std::make_unique<ConvRows>(c, n);
            tier.de.resize(rows(n, c.d_model));
            tier.dnormed.resize(k > 0 ? rows(n, c.d_model) : 0);
        }
        tiers_.push_back(std::move(tier));
    }
    if (!with_gradient) return;
    const auto add_plain = [&](Tensor t) { plain_.push_back({t.data(), std::vector<float>(t.size())}); };
    add_plain(net.weights.embedding);
    for (const TierWeights& w : net.weights.tiers) std::ranges::for_each(w.conditions, add_plain);
    joints_ = std::make_unique<LaneGradients>(joint_tensors(net.config, net.weights));
}

std::vector<float>& GeneratorSegment::plain(Tensor tensor) {
    return std::ranges::find(plain_, tensor.data(), &Plain::tensor)->gradient;
}

GeneratorSegment::Accumulator GeneratorSegment::accumulator(Tensor tensor) {
    if (const auto found = std::ranges::find(plain_, tensor.data(), &Plain::tensor); found != plain_.end())
        return {found->gradient.data(), false};
    for (std::size_t k = 0; k < tiers_.size(); ++k) {
        const std::vector<TensorRef> list = tensors(net_.config.tiers[k].stack, net_.weights.tiers[k].stack);
        if (std::ranges::any_of(list, [&](const TensorRef& t) { return t.data.data() == tensor.data(); }))
            return {tiers_[k].backward->gradients().of(tensor), true};
    }
    return {joints_->of(tensor), true};
}

double GeneratorSegment::run(int samples, bool gradient) {
    const int last = static_cast<int>(tiers_.size()) - 1;
    if (gradient) {
        for (Tier& tier : tiers_) tier.backward->clear_gradients();
        for (Plain& p : plain_) std::ranges::fill(p.gradient, 0.0f);
        joints_->clear();
    }
    embed(samples);
    for (int k = 1; k <= last; ++k) pool(k, samples);
    for (int k = last; k >= 0; --k) forward(k, samples);
    const double nats = score(samples, gradient);
    if (gradient) {
        for (int k = 0; k <= last; ++k) backward(k, samples);
        for (int k = last; k >= 1; --k) pool_backward(k, samples);
        embed_backward(samples);
    }
    return nats;
}

/// e += the rows of every condition, which hold for a whole step of the innermost tier.
void GeneratorSegment::add_conditions(int k, int samples, float* e) const {
    const int d = net_.config.tiers[size(k)].stack.d_model, n = steps(k, samples);
    const int per_period = net_.config.period() / net_.config.samples_per_step(k);
    const std::size_t count = net_.config.conditions.size();
    for (std::size_t j = 0; j < count; ++j) {
        const float* table = net_.weights.tiers[size(k)].conditions[j].data();
        for (int t = 0; t < n; ++t)
            for (int lane = 0; lane < lane_count; ++lane) {
                const float* row = table + conditions[(size(t / per_period) * count + j) * lane_count + size(lane)] * d;
                for (int c = 0; c < d; ++c) e[rows(t, d) + lane_floats(size(c)) + size(lane)] += row[c];
            }
    }
}

void GeneratorSegment::embed(int samples) {
    const int d = net_.config.tiers[0].stack.d_model;
    float* e = tiers_[0].stream[0].data();
    for (int t = 0; t < samples; ++t)
        for (int lane = 0; lane < lane_count; ++lane) {
            const float* row = net_.weights.embedding.data() + input[lane_floats(size(t)) + size(lane)] * d;
            for (int c = 0; c < d; ++c) e[rows(t, d) + lane_floats(size(c)) + size(lane)] = row[c];
        }
    add_conditions(0, samples, e);
}

void GeneratorSegment::pool(int k, int samples) {
    Tier &outer = tiers_[size(k - 1)], &tier = tiers_[size(k)];
    const int d = net_.config.tiers[size(k)].stack.d_model, n = steps(k, samples);
    const int in = net_.config.tiers[size(k)].pool * net_.config.tiers[size(k - 1)].stack.d_model;
    const TierWeights& w = net_.weights.tiers[size(k)];
    std::copy_n(outer.stream[0].data(), rows(n, in), outer.raw.data());
    net_.ops.linear(linear_shape(n, in, d, in, d), w.pool_weight.data(), w.pool_bias.data(), outer.raw.data(),
                    tier.stream[0].data(), false);
    add_conditions(k, samples, tier.stream[0].data());
}

/// Adds the inner tier `k`'s answer to the input of the tier outside it.
void GeneratorSegment::unpool(int k, int samples) {
    const int d = net_.config.tiers[size(k)].stack.d_model, n = steps(k, samples);
    const int out = net_.config.tiers[size(k)].pool * net_.config.tiers[size(k - 1)].stack.d_model;
    const TierWeights& w = net_.weights.tiers[size(k)];
    net_.ops.linear(linear_shape(n, d, out, d, out), w.unpool_weight.data(), w.unpool_bias.data(), tiers_[size(k)].normed.data(),
                    tiers_[size(k - 1)].stream[0].data(), true);
}

void GeneratorSegment::forward(int k, int samples) {
    Tier& tier = tiers_[size(k)];
    const LaneModel& model = *net_.tiers[size(k)];
    LaneState& at = state.tiers[size(k)];
    const ModelConfig& c = model.config();
    const LaneFilm no_film;
    const int n = steps(k, samples);
    const bool keep = tier.stream.size() > 1;
    tier.conv_rows->begin(at.conv);
    for (int t = 0; t < n; t += tier.sub_steps) {
        const int sub = std::min(tier.sub_steps, n - t);
        const std::size_t row = rows(t, c.d_model);
        if (keep) tier.snapshots[size(t / tier.sub_steps)] = at.h;
        for (int l = 0; l < c.n_layers; ++l) {
            float* e = tier.stream[keep ? size(l + 1) : 0].data() + row;
            if (keep) std::copy_n(tier.stream[size(l)].data() + row, rows(sub, c.d_model), e);
            model.layer_inputs(l, sub, e, no_film, tier.conv_rows->at(l, t), tier.activations);
            model.layer_outputs(l, sub, e, at.h.data() + size(l) * model.h_floats(), nullptr, tier.activations);
        }
    }
    tier.conv_rows->end(n, at.conv);
    if (k == 0) return;
    const std::size_t delayed = rows(unpool_delay_steps, c.d_model);
    std::copy_n(state.delayed[size(k)].data(), delayed, tier.normed.data());
    net_.ops.rms_norm(n, c.d_model, net_.weights.tiers[size(k)].stack.norm_f.data(), nullptr, nullptr, tier.stream.back().data(),
                      tier.normed.data() + delayed, tier.inverse_rms.data());
    std::copy_n(tier.normed.data() + rows(n, c.d_model), delayed, state.delayed[size(k)].data());
    unpool(k, samples);
}

double GeneratorSegment::score(int samples, bool gradient) {
    const int d = net_.config.tiers[0].stack.d_model;
    const float* norm = net_.weights.tiers[0].stack.norm_f.data();
    const float* w = net_.weights.decoder_weight.data();
    Tier& tier = tiers_[0];
    if (gradient) std::fill_n(tier.de.data(), rows(samples, d), 0.0f);
    double nats = 0;
    for (int t = 0; t < samples; t += decode_steps) {
        const int n = std::min(decode_steps, samples - t);
        const float* e = tier.stream.back().data() + rows(t, d);
        const std::size_t at = lane_floats(size(t));
        net_.ops.rms_norm(n, d, norm, nullptr, nullptr, e, u_.data(), tier.inverse_rms.data());
        net_.ops.linear(linear_shape(n, d, mu_law_classes, d, mu_law_classes), w, net_.weights.decoder_bias.data(), u_.data(),
                        logits_.data(), false);
        net_.ops.cross_entropy(n, mu_law_classes, logits_.data(), target.data() + at, weight.data() + at, probability_.data());
        for (std::size_t i = 0; i < lane_floats(size(n)); ++i)
            if (weight[at + i] > 0) nats -= std::log(std::max(double(probability_[i]), 1e-30));
        if (!gradient) continue;
        net_.ops.linear_gradient(linear_shape(n, d, mu_law_classes, d, mu_law_classes), logits_.data(), u_.data(),
                                 joints_->of(net_.weights.decoder_weight), joints_->of(net_.weights.decoder_bias));
        net_.ops.linear(transposed_shape(n, d, mu_law_classes, mu_law_classes, d), w, nullptr, logits_.data(), du_.data(), false);
        net_.ops.rms_norm_backward(n, d, norm, nullptr, e, tier.inverse_rms.data(), du_.data(), tier.de.data() + rows(t, d),
                                   tier.backward->gradients().of(net_.weights.tiers[0].stack.norm_f), nullptr, nullptr);
    }
    return nats;
}

/// From the gradient of tier k's output to that of its input, in de; then on into the tier inside it.
void GeneratorSegment::backward(int k, int samples) {
    Tier& tier = tiers_[size(k)];
    const LaneModel& model = *net_.tiers[size(k)];
    const ModelConfig& c = model.config();
    const LaneFilm no_film;
    const int n = steps(k, samples);
    std::fill(tier.dh.begin(), tier.dh.end(), 0.0f);
    tier.dconv_rows->clear();
    for (int b = (n + tier.sub_steps - 1) / tier.sub_steps - 1; b >= 0; --b) {
        const int t = b * tier.sub_steps, sub = std::min(tier.sub_steps, n - t);
        for (int l = c.n_layers - 1; l >= 0; --l) {
            const std::size_t h = size(l) * model.h_floats();
            tier.backward->layer(l, sub, tier.stream[size(l)].data() + rows(t, c.d_model), no_film, tier.conv_rows->at(l, t),
                                 tier.snapshots[size(b)].data() + h, tier.de.data() + rows(t, c.d_model), tier.dconv_rows->at(l, t),
                                 tier.dh.data() + h);
        }
    }
    if (k + 1 < static_cast<int>(tiers_.size())) unpool_backward(k + 1, samples);
}

/// The last two steps' answers come in the next segment: truncated, they get no gradient.
void GeneratorSegment::unpool_backward(int k, int samples) {
    Tier &outer = tiers_[size(k - 1)], &tier = tiers_[size(k)];
    const int d = net_.config.tiers[size(k)].stack.d_model, n = steps(k, samples);
    const int out = net_.config.tiers[size(k)].pool * net_.config.tiers[size(k - 1)].stack.d_model;
    const TierWeights& w = net_.weights.tiers[size(k)];
    net_.ops.linear_gradient(linear_shape(n, d, out, d, out), outer.de.data(), tier.normed.data(), joints_->of(w.unpool_weight),
                             joints_->of(w.unpool_bias));
    std::fill_n(tier.dnormed.data(), rows(n, d), 0.0f);
    const int used = std::max(0, n - unpool_delay_steps);
    net_.ops.linear(transposed_shape(used, d, out, out, d), w.unpool_weight.data(), nullptr,
                    outer.de.data() + rows(unpool_delay_steps, out), tier.dnormed.data(), false);
    std::fill_n(tier.de.data(), rows(n, d), 0.0f);
    net_.ops.rms_norm_backward(n, d, w.stack.norm_f.data(), nullptr, tier.stream.back().data(), tier.inverse_rms.data(),
                               tier.dnormed.data(), tier.de.data(), tier.backward->gradients().of(w.stack.norm_f), nullptr,
                               nullptr);
}

void GeneratorSegment::pool_backward(int k, int samples) {
    Tier &outer = tiers_[size(k - 1)], &tier = tiers_[size(k)];
    const int d = net_.config.tiers[size(k)].stack.d_model, n = steps(k, samples);
    const int in = net_.config.tiers[size(k)].pool * net_.config.tiers[size(k - 1)].stack.d_model;
    const TierWeights& w = net_.weights.tiers[size(k)];
    conditions_backward(k, samples);
    net_.ops.linear_gradient(linear_shape(n, in, d, in, d), tier.de.data(), outer.raw.data(), joints_->of(w.pool_weight),
                             joints_->of(w.pool_bias));
    net_.ops.linear(transposed_shape(n, in, d, d, in), w.pool_weight.data(), nullptr, tier.de.data(), outer.de.data(), true);
}

void GeneratorSegment::conditions_backward(int k, int samples) {
    const int d = net_.config.tiers[size(k)].stack.d_model, n = steps(k, samples);
    const int per_period = net_.config.period() / net_.config.samples_per_step(k);
    const std::size_t count = net_.config.conditions.size();
    const LaneBuffer& de = tiers_[size(k)].de;
    for (std::size_t j = 0; j < count; ++j) {
        std::vector<float>& gradient = plain(net_.weights.tiers[size(k)].conditions[j]);
        for (int t = 0; t < n; ++t)
            for (int lane = 0; lane < lane_count; ++lane) {
                float* row = gradient.data() + conditions[(size(t / per_period) * count + j) * lane_count + size(lane)] * d;
                for (int c = 0; c < d; ++c) row[c] += de[rows(t, d) + lane_floats(size(c)) + size(lane)];
            }
    }
}

void GeneratorSegment::embed_backward(int samples) {
    const int d = net_.config.tiers[0].stack.d_model;
    const LaneBuffer& de = tiers_[0].de;
    std::vector<float>& gradient = plain(net_.weights.embedding);
    for (int t = 0; t < samples; ++t)
        for (int lane = 0; lane < lane_count; ++lane) {
            float* row = gradient.data() + input[lane_floats(size(t)) + size(lane)] * d;
            for (int c = 0; c < d; ++c) row[c] += de[rows(t, d) + lane_floats(size(c)) + size(lane)];
        }
    conditions_backward(0, samples);
}

} // namespace serpent
