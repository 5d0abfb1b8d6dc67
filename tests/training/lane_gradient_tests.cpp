// SPDX-License-Identifier: GPL-3.0-or-later
// The gradient of a whole model over lanes, sub-blocks and filters, against finite differences of the plain float64 model.
#include "model/example_model.h"
#include "model/film.h"
#include "reference_model.h"
#include "training/segment_gradient.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <random>

using namespace serpent;
using namespace serpent::lanes;
using namespace serpent::test;

namespace {

constexpr std::size_t used_lanes[] = {0, 13};  // the others have weight 0; the reference takes its time

struct Segment {
    Model model;
    int steps;
    std::vector<State> starts;
    std::vector<std::vector<float>> in, target;  // of every used lane, interleaved

    Segment(const ModelConfig& config, int n, bool biases) : model(random_model(config, biases, 300.0)), steps(n) {
        std::mt19937 rng(11);
        const auto fill = [&](std::vector<float>& v, float scale) {
            for (float& x : v) x = scale * std::normal_distribution<float>()(rng);
        };
        for ([[maybe_unused]] const std::size_t lane : used_lanes) {
            State state = zero_state(config);
            for (std::vector<float>* part : {&state.conv, &state.h, &state.fir_in, &state.fir_out}) fill(*part, 0.3f);
            starts.push_back(state);
            in.emplace_back(static_cast<std::size_t>(n * config.channels)), fill(in.back(), 1.0f);
            target.emplace_back(in.back().size()), fill(target.back(), 1.0f);
        }
    }

    double loss() const {
        double sum = 0;
        for (std::size_t i = 0; i < starts.size(); ++i) {
            ReferenceModel reference(model);
            reference.set_state(starts[i]);
            const std::vector<double> out = reference.process(in[i]);
            for (std::size_t t = 0; t < out.size(); ++t) sum += std::pow(out[t] - double(target[i][t]), 2);
        }
        return sum;
    }

    /// Of every weight, in the order of tensors(); A as the lanes have it, not its logarithm.
    std::vector<double> numerical() {
        constexpr float usual_step = 1.0f / 512, angle_step = usual_step / 64;  // an angle adds up over all that is remembered
        std::vector<double> all;
        for (const TensorRef& t : tensors(model.config, model.weights)) {
            const float step = t.name.ends_with("A_imag") ? angle_step : usual_step;
            for (float& w : t.data) {
                const float kept = w;
                w = kept + step;
                const float up = w;
                const double above = loss();
                w = kept - step;
                const double difference = (above - loss()) / (double(up) - double(w));
                w = kept;
                all.push_back(t.transform == kernels::Transform::decay ? difference / -std::exp(double(kept)) : difference);
            }
        }
        return all;
    }

    struct Result {
        double loss;
        std::vector<State> ends;      // of the used lanes
        std::vector<float> gradient;  // as numerical()
    };

    Result run(kernels::Isa isa) {
        const LaneModel lanes(model.config, model.weights, kernels::lane_ops(isa));
        SegmentGradient gradient(lanes, model.weights, steps);
        for (std::size_t i = 0; i < starts.size(); ++i) {
            gradient.state.set_lane(static_cast<int>(used_lanes[i]), starts[i]);
            gradient.lane_weight[used_lanes[i]] = 1;
            for (std::size_t t = 0; t < in[i].size(); ++t) {
                gradient.in[lane_floats(t) + used_lanes[i]] = in[i][t];
                gradient.target[lane_floats(t) + used_lanes[i]] = target[i][t];
            }
        }
        if (!model.config.controls.empty())
            for (int lane = 0; lane < lane_count; ++lane) gradient.film.set_lane(lane, film(model));
        Result result{gradient.run(steps, {}), {}, {}};
        for (const std::size_t lane : used_lanes) result.ends.push_back(gradient.state.lane(static_cast<int>(lane), model.config));
        for (std::size_t i = 0; i < gradient.gradients().size(); ++i) result.gradient.push_back(gradient.gradients().sum(i));
        return result;
    }
};

ModelConfig like(int d_model, int d_state, int layers) {
    ModelConfig c;
    c.d_model = d_model, c.d_state = d_state, c.n_layers = layers;
    return c;
}

} // namespace

TEST_CASE("whole-model gradients over lanes equal finite differences") {
    ModelConfig nano = like(8, 4, 2);
    nano.expand = 1, nano.b_bar = BBar::ema, nano.skip = true;
    ModelConfig odd = like(5, 3, 2);
    odd.d_conv = 3, odd.dt_rank = 2, odd.channels = 2, odd.final_norm = false;
    ModelConfig tied = like(5, 6, 2);
    tied.a = DecayShape::tied, tied.b_bar = BBar::ema, tied.controls = {{"Drive", 0, 1, 0.5f, ""}};
    ModelConfig tied_euler = tied;
    tied_euler.b_bar = BBar::euler, tied_euler.controls.clear();
    ModelConfig rotating = like(4, 6, 3);
    rotating.expand = 1, rotating.skip = true, rotating.blocks = {BlockKind::rotating}, rotating.dilations = {1, 3, 30};
    rotating.fir_in = 9, rotating.fir_out = 20;
    ModelConfig mixed = resonant_config();
    mixed.a = DecayShape::tied;
    struct Case {
        ModelConfig config;
        int steps;
        bool biases;
    };
    for (const Case& c : {Case{nano, 70, true}, Case{odd, 9, false}, Case{tied, 67, true}, Case{tied_euler, 5, true}, Case{rotating, 131, true},
                          Case{rotating, 1, true}, Case{mixed, 40, true}}) {
        Segment segment(c.config, c.steps, c.biases);
        const std::vector<double> wanted = segment.numerical();
        const double loss = segment.loss();
        double largest = 0;
        for (const double g : wanted) largest = std::max(largest, std::abs(g));
        for (const auto isa : kernels::available_isas()) {
            const Segment::Result got = segment.run(isa);
            CAPTURE(c.config.d_model, c.config.n_layers, c.steps, kernels::isa_name(isa));
            CHECK(got.loss == Approx(loss).epsilon(1e-5));
            std::size_t at = 0;
            for (const TensorRef& t : tensors(segment.model.config, segment.model.weights)) {
                double worst = 0;
                for (std::size_t i = 0; i < t.data.size(); ++i, ++at) {
                    if (t.name.find("film") != std::string::npos) continue;  // made from FiLM's own, elsewhere
                    const double off = std::abs(double(got.gradient[at]) - wanted[at]) / (std::abs(wanted[at]) + 1e-3 * largest);
                    if (!(off <= worst)) worst = off;
                }
                CAPTURE(t.name, worst);
                // A step of 1/512 leaves some 1e-5 of curvature; floats over hundreds of sums some 1e-5 more.
                CHECK(worst < 2e-3);
            }
        }
    }
}

TEST_CASE("a segment in parts leaves the state and makes the loss of the whole") {
    Segment segment(resonant_config(), 90, true);
    const auto isa = kernels::default_isa();
    const Segment::Result whole = segment.run(isa);
    Segment first = segment, second = segment;
    const auto cut = static_cast<std::ptrdiff_t>(37 * segment.model.config.channels);
    first.steps = 37, second.steps = 53;
    for (std::size_t i = 0; i < segment.in.size(); ++i)
        for (auto part : {&Segment::in, &Segment::target}) {
            (first.*part)[i].resize(static_cast<std::size_t>(cut));
            (second.*part)[i].erase((second.*part)[i].begin(), (second.*part)[i].begin() + cut);
        }
    const Segment::Result half = first.run(isa);
    second.starts = half.ends;
    const Segment::Result rest = second.run(isa);
    CHECK(half.loss + rest.loss == Approx(whole.loss).epsilon(1e-6));
    for (std::size_t i = 0; i < whole.ends.size(); ++i) {
        CHECK((whole.ends[i].conv == rest.ends[i].conv));
        CHECK((whole.ends[i].h == rest.ends[i].h));
        CHECK((whole.ends[i].fir_in == rest.ends[i].fir_in));
        CHECK((whole.ends[i].fir_out == rest.ends[i].fir_out));
    }
}
