// SPDX-License-Identifier: GPL-3.0-or-later
// The running generator: its logits against the plain model in double, and what it promises about bits.
#include "close.h"
#include "example_generator.h"
#include "plain_generator.h"
#include "serpent/errors.h"
#include "serpent/generator.h"

#include <catch2/catch.hpp>

using namespace serpent;
using namespace serpent::test;

namespace {

std::shared_ptr<const GeneratorModel> shared(const std::string& name, std::uint64_t seed = 5) {
    return std::make_shared<const GeneratorModel>(example_generator(name, seed));
}

std::vector<float> play(Generator& g, int n) {
    std::vector<float> out(static_cast<std::size_t>(n));
    g.generate(out.data(), n);
    return out;
}

const char* const names[] = {"flat", "two", "three", "mixed", "wide"};

} // namespace

TEST_CASE("the step engine's logits equal the plain model's, fed the same", "[generator]") {
    for (const char* name : names)
        for (const auto isa : kernels::available_isas()) {
            const auto model = shared(name);
            PlainGenerator plain(*model);
            GeneratorOptions options;
            options.isa = isa;
            for (std::size_t j = 0; j < plain.conditions.size(); ++j)
                plain.conditions[j] = int(j % (model->config.conditions[j].values.size() + 1));
            options.conditions = plain.conditions;
            Generator generator(model, options);
            CHECK(generator.isa() == isa);
            Random random(12);
            std::vector<double> expected;
            std::vector<float> got;
            int previous = mu_law_silence;
            for (int t = 0; t < 200; ++t) {
                const std::vector<double> logits = plain.step(previous);
                expected.insert(expected.end(), logits.begin(), logits.end());
                std::vector<float> row(mu_law_classes);
                generator.logits(row.data());
                got.insert(got.end(), row.begin(), row.end());
                previous = int(random.uniform(1, 255.9));
                const float sample = mu_law_sample(previous);
                generator.prime(&sample, 1);
            }
            const Distance d = distance(expected, got);
            CAPTURE(name, kernels::isa_name(isa), d.rms, d.max);
            CHECK(d.within(1e-5, 1e-4));  // the project's bound
        }
}

TEST_CASE("the same seed gives the same bits, in any blocks; another one does not", "[generator]") {
    for (const char* name : names) {
        const auto model = shared(name);
        Generator a(model), b(model), c(model, {.seed = 2});
        const std::vector<float> whole = play(a, 500);
        std::vector<float> pieces;
        for (int n = 0; pieces.size() < 500; n = n % 7 + 1)
            for (const float v : play(b, std::min<int>(n, 500 - int(pieces.size())))) pieces.push_back(v);
        CHECK(whole == pieces);
        CHECK(whole != play(c, 500));
        a.reset(1);
        CHECK(whole == play(a, 500));
        a.reset(2);
        c.reset(2);
        CHECK(play(a, 100) == play(c, 100));
    }
}

TEST_CASE("priming with its own output goes on as if it had played it", "[generator]") {
    const auto model = shared("three");
    Generator player(model);
    const std::vector<float> heard = play(player, 123);
    Generator listener(model, {.sampling = {.temperature = 0.0}});
    listener.prime(heard.data(), 123);
    player.set_sampling({.temperature = 0.0});
    CHECK(play(player, 50) == play(listener, 50));
    // hear() is a prime() of the sample that was just made
    Generator one(model), two(model);
    (void)one.next();
    one.hear(0.25f);
    const float sample = 0.25f;
    two.prime(&sample, 1);
    std::vector<float> from_one(256), from_two(256);
    one.logits(from_one.data());
    two.logits(from_two.data());
    CHECK(from_one == from_two);
}

TEST_CASE("temperature, top-k and top-p choose among the classes they should", "[generator]") {
    const auto model = shared("two");
    std::vector<float> logits(256);
    const auto seen = [&](const Sampling& sampling) {
        std::vector<int> count(256);
        for (std::uint64_t seed = 0; seed < 3000; ++seed) {
            Generator g(model, {.seed = seed, .sampling = sampling});
            if (seed == 0) g.logits(logits.data());
            ++count[std::size_t(mu_law_class(g.next()))];
        }
        return count;
    };
    const std::vector<int> plain = seen({});
    std::vector<double> p(256);
    double total = 0;
    for (std::size_t k = 1; k < 256; ++k) total += p[k] = std::exp(double(logits[k]));
    std::vector<std::size_t> order;
    for (std::size_t k = 1; k < 256; ++k) order.push_back(k);
    std::ranges::sort(order, std::greater{}, [&](std::size_t k) { return logits[k]; });
    CHECK(plain[0] == 0);
    for (std::size_t i = 0; i < 5; ++i) {
        const double share = p[order[i]] / total;  // 6 sigma of a binomial
        CHECK(close(3000 * share, plain[order[i]], 6 * std::sqrt(3000 * share) + 1));
    }
    const std::vector<int> coldest = seen({.temperature = 0.0});
    CHECK(coldest[order[0]] == 3000);
    const std::vector<int> three = seen({.top_k = 3});
    CHECK(three[order[0]] + three[order[1]] + three[order[2]] == 3000);
    CHECK(three[order[2]] > 0);
    const std::vector<int> nucleus = seen({.top_p = 0.5});
    double mass = 0;
    std::size_t members = 0;
    while (mass < 0.5) mass += p[order[members++]] / total;
    int inside = 0;
    for (std::size_t i = 0; i < members; ++i) inside += nucleus[order[i]];
    CHECK(inside == 3000);
    CHECK(nucleus[order[members - 1]] > 0);
}

TEST_CASE("mu-law keeps silence and comes back to itself", "[generator]") {
    CHECK(mu_law_class(0.0f) == mu_law_silence);
    CHECK(mu_law_sample(mu_law_silence) == 0.0f);
    CHECK(mu_law_class(NAN) == mu_law_silence);
    CHECK(mu_law_class(9.0f) == 255);
    CHECK(mu_law_class(-INFINITY) == 1);
    for (int k = 1; k < 256; ++k) CHECK(mu_law_class(mu_law_sample(k)) == k);
    for (int i = -1000; i <= 1000; ++i) {
        const float x = float(i) / 1000;
        // half a step: 1/254 of the companded range, whose slope is at most ln 256 (1/255 + |x|)
        CHECK(close(double(x), double(mu_law_sample(mu_law_class(x))), 0.5 / 127 * std::log(256.0) * (1.0 / 255 + std::abs(x)) * 1.03));
    }
}

TEST_CASE("the guard starts over when the model runs away, and only then", "[generator]") {
    GeneratorModel loud = example_generator("two");
    for (std::size_t k = 0; k < 256; ++k) loud.weights.decoder_bias[k] = k < 20 || k > 236 ? 20.0f : 0.0f;
    loud.metadata.other[loudest_second_key] = "-20";
    Generator guarded(std::make_shared<const GeneratorModel>(loud)), free(std::make_shared<const GeneratorModel>(loud), {.guard_db = 0});
    (void)play(guarded, 8000), (void)play(free, 8000);
    CHECK(guarded.restarts() > 0);
    CHECK(free.restarts() == 0);
    loud.metadata.other[loudest_second_key] = std::string("0");
    Generator calm(std::make_shared<const GeneratorModel>(loud));
    (void)play(calm, 8000);
    CHECK(calm.restarts() == 0);
}

TEST_CASE("a generator refuses what it does not have, by name", "[generator]") {
    const auto model = shared("two");
    CHECK_THROWS_AS(Generator(model, {.conditions = {3, 0}}), Error);
    CHECK_THROWS_AS(Generator(model, {.conditions = {1}}), Error);
    CHECK_THROWS_AS(Generator(nullptr), Error);
    CHECK(condition_values(model->config, {"speaker=eve"}) == std::vector<int>{0, 3});
    CHECK_THROWS_WITH(condition_values(model->config, {"speaker=max"}), Catch::Contains("ada, bob, eve"));
    CHECK_THROWS_WITH(condition_values(model->config, {"tone=low"}), Catch::Contains("digit, speaker"));
    CHECK_THROWS_AS(condition_values(model->config, {"digit"}), Error);
}
