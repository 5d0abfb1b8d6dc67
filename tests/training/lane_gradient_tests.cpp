// SPDX-License-Identifier: GPL-3.0-or-later
// The whole model's gradient over lanes and sub-blocks against finite differences of its forward pass.
#include "lanes/lane_gradient.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <random>

using namespace serpent;
using namespace serpent::lanes;

namespace {

struct Case {
    ModelConfig config;
    int steps, sub_steps;
    bool biases;
};

float random_value(std::mt19937& rng, float scale) { return scale * std::normal_distribution<float>()(rng); }

Weights random_weights(const Case& c, std::mt19937& rng) {
    Weights w;
    for (const TensorRef& t : tensors(c.config, w)) {
        if (t.optional && !c.biases) continue;
        std::size_t count = 1;
        for (const std::size_t s : t.shape) count *= s;
        t.data->resize(count);
        for (float& v : *t.data) v = random_value(rng, 0.5f);
        if (t.name.ends_with("norm.weight") || t.name == "norm_f.weight")
            for (float& v : *t.data) v += 1.0f;
    }
    return w;
}

LaneBuffer random_lanes(std::size_t rows, std::mt19937& rng) {
    LaneBuffer b(lane_floats(rows));
    for (float& v : b) v = random_value(rng, 1.0f);
    return b;
}

/// A segment run as the trainer runs it: forward with snapshots at sub-block boundaries, then backward.
struct Segment {
    const Case& c;
    Weights& weights;
    const kernels::LaneOps& ops;
    LaneModel model;
    LaneBuffer in, target;
    LaneFilm film;
    LaneState start;

    Segment(const Case& k, Weights& w, const kernels::LaneOps& o, std::mt19937& rng)
        : c(k), weights(w), ops(o), model(k.config, w, o),
          in(random_lanes(static_cast<std::size_t>(k.steps * k.config.channels), rng)), target(random_lanes(in.size() / 16, rng)),
          start(k.config) {
        if (!k.config.controls.empty()) {
            film.scale = random_lanes(static_cast<std::size_t>(k.config.n_layers * k.config.d_model), rng);
            film.shift = random_lanes(film.scale.size() / 16, rng);
        }
        for (float& v : start.h) v = random_value(rng, 0.3f);
        for (float& v : start.conv) v = random_value(rng, 0.3f);
    }

    double loss() {
        model.weights_changed();
        LaneState state = start;
        const std::size_t dm = static_cast<std::size_t>(c.config.d_model);
        LaneActivations a(c.config, c.sub_steps, c.sub_steps, LaneActivations::Keep::nothing);
        LaneBuffer e(lane_floats(static_cast<std::size_t>(c.sub_steps) * dm)), out(in.size());
        for (int t = 0; t < c.steps; t += c.sub_steps) {
            const int n = std::min(c.sub_steps, c.steps - t);
            const std::size_t at = lane_floats(static_cast<std::size_t>(t * c.config.channels));
            model.encode(n, in.data() + at, e.data());
            for (int l = 0; l < c.config.n_layers; ++l) {
                const auto i = static_cast<std::size_t>(l);
                model.layer_inputs(l, n, e.data(), film, state.conv.data() + i * model.conv_floats(), a);
                model.layer_outputs(l, n, e.data(), state.h.data() + i * model.h_floats(), nullptr, a);
            }
            model.decode(n, in.data() + at, e.data(), a.u.data(), a.inverse_rms.data(), out.data() + at);
        }
        double sum = 0;
        for (std::size_t i = 0; i < out.size(); ++i) sum += 0.5 * std::pow(double(out[i]) - double(target[i]), 2);
        return sum;
    }

    void backward(LaneBackward& b) {
        LaneState state = start;
        const std::size_t dm = static_cast<std::size_t>(c.config.d_model), layers = static_cast<std::size_t>(c.config.n_layers);
        LaneActivations a(c.config, c.sub_steps, c.sub_steps, LaneActivations::Keep::nothing);
        std::vector<LaneState> snapshots;
        std::vector<std::vector<LaneBuffer>> e_of;
        std::vector<LaneBuffer> douts;
        for (int t = 0; t < c.steps; t += c.sub_steps) {
            const int n = std::min(c.sub_steps, c.steps - t);
            const std::size_t at = lane_floats(static_cast<std::size_t>(t * c.config.channels));
            snapshots.push_back(state);
            LaneBuffer e(lane_floats(static_cast<std::size_t>(n) * dm)), out(lane_floats(static_cast<std::size_t>(n * c.config.channels)));
            model.encode(n, in.data() + at, e.data());
            e_of.push_back({e});
            for (std::size_t l = 0; l < layers; ++l) {
                model.layer_inputs(static_cast<int>(l), n, e.data(), film, state.conv.data() + l * model.conv_floats(), a);
                model.layer_outputs(static_cast<int>(l), n, e.data(), state.h.data() + l * model.h_floats(), nullptr, a);
                e_of.back().push_back(e);
            }
            model.decode(n, in.data() + at, e.data(), a.u.data(), a.inverse_rms.data(), out.data());
            for (std::size_t i = 0; i < out.size(); ++i) out[i] -= target[at + i];
            douts.push_back(out);
        }
        LaneState carried(c.config);
        LaneBuffer de(lane_floats(static_cast<std::size_t>(c.sub_steps) * dm));
        for (std::size_t s = snapshots.size(); s-- > 0;) {
            const int t = static_cast<int>(s) * c.sub_steps, n = std::min(c.sub_steps, c.steps - t);
            const float* in_t = in.data() + lane_floats(static_cast<std::size_t>(t * c.config.channels));
            b.decode(n, in_t, e_of[s].back().data(), douts[s].data(), de.data());
            for (std::size_t l = layers; l-- > 0;)
                b.layer(static_cast<int>(l), n, e_of[s][l].data(), film, snapshots[s].conv.data() + l * model.conv_floats(),
                        snapshots[s].h.data() + l * model.h_floats(), de.data(),
                        carried.conv.data() + l * model.conv_floats(), carried.h.data() + l * model.h_floats());
            b.encode(n, in_t, de.data());
        }
    }
};

} // namespace

TEST_CASE("whole-model gradients over lanes equal finite differences") {
    ModelConfig nano;
    nano.expand = 1, nano.d_model = 8, nano.d_state = 4, nano.n_layers = 2, nano.b_bar = BBar::ema, nano.skip = true;
    ModelConfig odd;
    odd.d_model = 5, odd.d_state = 3, odd.n_layers = 2, odd.d_conv = 3, odd.dt_rank = 2, odd.channels = 2;
    odd.final_norm = false;
    ModelConfig tied = odd;
    tied.a = DecayShape::tied, tied.b_bar = BBar::ema, tied.d_state = 6, tied.controls = {{"Drive", 0, 1, 0.5f, ""}};
    ModelConfig tied_euler = tied;
    tied_euler.b_bar = BBar::euler, tied_euler.controls.clear();
    const std::vector<Case> cases{{nano, 23, 8, true}, {odd, 9, 4, false}, {tied, 7, 2, true}, {tied_euler, 5, 8, true}};
    for (const Case& c : cases)
        for (const auto isa : kernels::available_isas()) {
            std::mt19937 rng(7);
            Weights w = random_weights(c, rng);
            Segment s(c, w, kernels::lane_ops(isa), rng);
            CAPTURE(c.config.d_model, c.steps, s.ops.target);
            LaneBackward b(s.model, w, c.sub_steps);
            s.loss();
            s.backward(b);
            // A_log: the accumulator holds the gradient of A = -exp(A_log).
            for (const TensorRef& t : tensors(c.config, w)) {
                if (t.data->empty() || t.name.starts_with("film") || t.name.find(".film.") != std::string::npos) continue;
                CAPTURE(t.name);
                const float* lanes = b.gradients().of(*t.data);
                std::vector<double> gradient(t.data->size());
                for (std::size_t i = 0; i < gradient.size(); ++i) {
                    for (int lane = 0; lane < lane_count; ++lane) gradient[i] += lanes[i * 16 + static_cast<std::size_t>(lane)];
                    if (t.name.ends_with("A_log")) gradient[i] *= -std::exp((*t.data)[i]);
                }
                // Along a random direction. Rounding of the float forward leaves about 1e-7 of the loss / step size,
                // curvature step^2: with 1e-3 both stay near 1e-3 of the directional derivative.
                std::vector<float> direction(t.data->size());
                double expected = 0, norm = 0;
                for (std::size_t i = 0; i < direction.size(); ++i) {
                    direction[i] = random_value(rng, 1.0f);
                    expected += gradient[i] * direction[i];
                    norm += std::abs(gradient[i] * direction[i]);
                }
                const std::vector<float> saved = *t.data;
                const float h = 5e-4f;
                double side[2];
                for (int k = 0; k < 2; ++k) {
                    for (std::size_t i = 0; i < saved.size(); ++i) (*t.data)[i] = saved[i] + (k ? -h : h) * direction[i];
                    side[k] = s.loss();
                }
                *t.data = saved;
                const double measured = (side[0] - side[1]) / (2.0 * double(h));
                CAPTURE(measured, expected, norm);
                CHECK_FALSE(!(std::abs(measured - expected) <= 4e-3 * norm + 1e-7 * side[0] / double(h)));
            }
        }
}
