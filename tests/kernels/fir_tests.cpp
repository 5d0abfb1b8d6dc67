// SPDX-License-Identifier: GPL-3.0-or-later
// The filter on every ISA against float64, and against itself on a signal cut otherwise.
#include "close.h"
#include "equations/fir.h"
#include "random.h"
#include "serpent/kernels/fir.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

using namespace serpent::kernels;
using namespace serpent::test;

namespace {

struct alignas(64) Packed {
    float taps[fir_padded(300)];
};

/// `past` zeros in front of history and signal, filtered in blocks of the given sizes, over and over.
std::vector<float> filtered(const FirOps& ops, const std::vector<float>& weight, const std::vector<float>& history,
                            const std::vector<float>& x, const std::vector<std::size_t>& blocks) {
    Packed packed;
    pack_fir(weight.size(), weight.data(), packed.taps);
    const std::size_t padded = fir_padded(weight.size());
    std::vector<float> all(padded - weight.size(), 0.0f), y(x.size(), NAN);
    all.insert(all.end(), history.begin(), history.end());
    all.insert(all.end(), x.begin(), x.end());
    for (std::size_t at = 0, i = 0; at < x.size(); at += blocks[i++ % blocks.size()])
        ops.filter(padded, packed.taps, all.data() + padded - 1 + at, y.data() + at,
                   std::min(blocks[i % blocks.size()], x.size() - at));
    return y;
}

} // namespace

TEST_CASE("the filter answers as in float64 for every number of taps", "[fir]") {
    Random random(1);
    for (std::size_t taps = 1; taps <= 300; taps += taps < 70 ? 1 : 23) {
        const auto weight = random.vector<float>(taps, -1, 1), history = random.vector<float>(taps - 1, -1, 1);
        const auto x = random.vector<float>(131, -1, 1);
        const std::vector<double> w(weight.begin(), weight.end()), h(history.begin(), history.end()), in(x.begin(), x.end());
        std::vector<double> expected(x.size());
        serpent::equations::fir<double>(x.size(), taps, in.data(), w.data(), h.data(), expected.data(), nullptr);
        for (const Isa isa : available_isas()) {
            CAPTURE(taps, isa_name(isa));
            const FirOps& ops = fir_ops_for(isa);
            REQUIRE(ops.isa == isa);
            CHECK(distance(expected, filtered(ops, weight, history, x, {x.size()})).within(3e-7, 2e-6));
        }
    }
}

TEST_CASE("every cut of the signal gives the filter's same bits", "[fir]") {
    Random random(2);
    for (const std::size_t taps : {1u, 2u, 17u, 32u, 33u, 64u, 100u, 256u, 300u}) {
        const auto weight = random.vector<float>(taps, -1, 1), history = random.vector<float>(taps - 1, -1, 1);
        const auto x = random.vector<float>(200, -1, 1);
        for (const Isa isa : available_isas()) {
            CAPTURE(taps, isa_name(isa));
            const FirOps& ops = fir_ops_for(isa);
            const auto whole = filtered(ops, weight, history, x, {x.size()});
            for (const std::vector<std::size_t>& blocks : {std::vector<std::size_t>{1}, {16}, {3, 1, 7, 4, 5}})
                CHECK(filtered(ops, weight, history, x, blocks) == whole);
        }
    }
}

TEST_CASE("what lies in front of the filter's history has no weight", "[fir]") {
    const std::vector<float> weight{1.0f, 0.5f};
    Packed packed;
    pack_fir(weight.size(), weight.data(), packed.taps);
    for (const Isa isa : available_isas()) {
        std::vector<float> x(20, 1e30f), y(5);
        x[14] = 2.0f;
        for (std::size_t i = 15; i < 20; ++i) x[i] = static_cast<float>(i);
        fir_ops_for(isa).filter(16, packed.taps, x.data() + 15, y.data(), y.size());
        CHECK(y == std::vector<float>{16.0f, 23.5f, 25.0f, 26.5f, 28.0f});
    }
}
