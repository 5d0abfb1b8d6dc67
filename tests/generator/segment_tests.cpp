// SPDX-License-Identifier: GPL-3.0-or-later
// Training's lanes: the loss against the plain model in double, the gradient against differences of the loss.
#include "generator/generator_segment.h"

#include "close.h"
#include "example_generator.h"
#include "plain_generator.h"

#include <catch2/catch.hpp>

#include <array>

using namespace serpent;
using namespace serpent::test;

namespace {

constexpr std::size_t lanes16 = 16;

struct Job {
    GeneratorModel model;
    GeneratorNet net;
    GeneratorSegment segment;
    int samples;
    std::vector<int> classes;  // [samples + 1][16], the first of them given
    std::vector<int> conditions;

    Job(const std::string& name, const kernels::LaneOps& ops, int periods, std::uint64_t seed)
        : model(example_generator(name)), net(model.config, model.weights, ops),
          segment(net, periods * model.config.period(), true), samples(periods * model.config.period()) {
        Random random(seed);
        for (std::size_t i = 0; i < std::size_t(samples + 1) * lanes16; ++i) classes.push_back(int(random.uniform(1, 255.9)));
        for (std::size_t i = 0; i < segment.conditions.size(); ++i) {
            const std::size_t j = i / lanes16 % model.config.conditions.size();
            conditions.push_back(int(random.uniform(0, double(model.config.conditions[j].values.size()) + 0.9)));
        }
        fill(0, samples);
        for (std::size_t i = 0; i < segment.weight.size(); ++i) segment.weight[i] = i % 7 == 0 ? 0.0f : 0.01f * float(1 + i % 5);
    }
    void fill(int first, int n) {
        for (std::size_t i = 0; i < std::size_t(n) * lanes16; ++i) {
            segment.input[i] = classes[std::size_t(first) * lanes16 + i];
            segment.target[i] = classes[std::size_t(first + 1) * lanes16 + i];
        }
        const std::size_t row = model.config.conditions.size() * lanes16, period = std::size_t(model.config.period());
        for (std::size_t i = 0; i < std::size_t(n) / period * row; ++i)
            segment.conditions[i] = conditions[std::size_t(first) / period * row + i];
    }
    double loss() {
        net.weights_changed();
        segment.state = GeneratorLaneState(model.config);
        segment.run(samples, true);
        return weighted();
    }
    /// run() gives the plain sum; the gradient is that of the weighted one.
    double weighted() const {
        double sum = 0;
        for (std::size_t lane = 0; lane < lanes16; ++lane) {
            PlainGenerator plain(model);
            for (int t = 0; t < samples; ++t) {
                const std::size_t at = std::size_t(t) * lanes16 + lane;
                sum += double(segment.weight[at]) * nats(plain, t, lane);
            }
        }
        return sum;
    }
    double nats(PlainGenerator& plain, int t, std::size_t lane) const {
        for (std::size_t j = 0; j < plain.conditions.size(); ++j)
            plain.conditions[j] = conditions[(std::size_t(t / model.config.period()) * plain.conditions.size() + j) * lanes16 + lane];
        const std::vector<double> logits = plain.step(classes[std::size_t(t) * lanes16 + lane]);
        const double largest = *std::ranges::max_element(logits);
        double total = 0;
        for (const double v : logits) total += std::exp(v - largest);
        return largest + std::log(total) - logits[std::size_t(classes[std::size_t(t + 1) * lanes16 + lane])];
    }
};

} // namespace

TEST_CASE("lanes score what the plain model scores, in one piece and in two", "[generator]") {
    for (const char* name : {"flat", "two", "three", "mixed"})
        for (const auto isa : kernels::available_isas()) {
            CAPTURE(name, kernels::isa_name(isa));
            Job job(name, kernels::lane_ops(isa), 10, 3);
            std::ranges::fill(job.segment.weight, 1.0f);
            const double whole = job.segment.run(job.samples, false);
            const double expected = job.weighted();
            CHECK(close(expected, whole, 1e-5 * expected));
            job.segment.state = GeneratorLaneState(job.model.config);
            const int first = 3 * job.model.config.period();
            job.fill(0, first);
            double split = job.segment.run(first, true);
            job.fill(first, job.samples - first);
            split += job.segment.run(job.samples - first, true);
            CHECK(close(whole, split, 1e-6 * whole));  // the same numbers, added in another order
        }
}

TEST_CASE("the gradient of every tensor equals differences of the plain model's loss", "[generator]") {
    for (const char* name : {"flat", "two", "three", "mixed"}) {
        Job job(name, kernels::lane_ops(kernels::default_isa()), 9, 4);
        // Truncation cuts the last steps' answers off; so that differences agree, the samples after the segment's end that
        // would hear them do not exist here: every answer that is heard within the segment is in the gradient.
        job.loss();
        Random random(8);
        for (const TensorRef& t : tensors(job.model.config, job.model.weights)) {
            CAPTURE(name, t.name);
            job.loss();
            const auto from = job.segment.accumulator(t.data);
            const bool of_a = t.transform == kernels::Transform::decay;
            std::vector<double> gradient(t.data.size());
            for (std::size_t i = 0; i < gradient.size(); ++i) {
                for (std::size_t lane = 0; lane < (from.lanes ? lanes16 : 1); ++lane)
                    gradient[i] += from.lanes ? from.values[i * lanes16 + lane] : from.values[i];
                if (of_a) gradient[i] *= -std::exp(double(t.data[i]));
            }
            // Along two directions. The plain model's loss is in double, so differences are good to the step squared.
            for (int repeat = 0; repeat < 2; ++repeat) {
                const std::vector<float> direction = random.vector<float>(gradient.size()), saved(t.data.begin(), t.data.end());
                const float h = 2e-3f;
                double expected = 0, norm = 0, side[2];
                for (std::size_t i = 0; i < gradient.size(); ++i) norm += std::abs(gradient[i] * double(direction[i]));
                std::vector<double> moved(gradient.size());
                for (int k = 0; k < 2; ++k) {
                    for (std::size_t i = 0; i < saved.size(); ++i) t.data[i] = saved[i] + (k ? -h : h) * direction[i];
                    for (std::size_t i = 0; i < saved.size(); ++i) moved[i] += (k ? -0.5 : 0.5) * double(t.data[i]);
                    side[k] = job.weighted();
                }
                std::ranges::copy(saved, t.data.begin());
                for (std::size_t i = 0; i < gradient.size(); ++i) expected += gradient[i] * moved[i] / double(h);
                const double measured = (side[0] - side[1]) / (2.0 * double(h));
                CAPTURE(measured, expected, norm);
                CHECK(close(measured, expected, 2e-3 * norm + 1e-7));
            }
        }
    }
}
