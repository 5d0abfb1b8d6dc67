// SPDX-License-Identifier: GPL-3.0-or-later
// The composed Mamba block: splitting, float against double, gradients of everything.
#include "equations/block.h"
#include "kernels/gradient_check.h"
#include "random.h"

using namespace serpent::equations;
using namespace serpent::test;

namespace {

/// Owns what BlockParameters points to, in its order.
struct OwnedParameters {
    std::vector<std::vector<double>> v;

    static std::vector<std::size_t> sizes(const BlockShape& s) {
        return {2 * s.d_inner * s.d_model, 2 * s.d_inner, s.d_inner * s.d_conv, s.d_inner,
                s.x_proj_rows() * s.d_inner, s.x_proj_rows(), s.d_inner * s.dt_rank, s.d_inner,
                s.decays(), s.d_inner, s.d_model * s.d_inner, s.d_model, s.d_inner * s.d_state / 2};
    }
    explicit OwnedParameters(const BlockShape& s) {
        for (std::size_t size : sizes(s))
            v.emplace_back(size);
    }
    template <class P>
    BlockParameters<P> pointers() {
        BlockParameters<P> p;
        P** const fields[] = {&p.in_proj, &p.in_proj_bias, &p.conv_weight, &p.conv_bias, &p.x_proj, &p.x_proj_bias, &p.dt_proj,
                              &p.dt_proj_bias, &p.A_log, &p.D, &p.out_proj, &p.out_proj_bias, &p.A_imag};
        for (std::size_t i = 0; i < std::size(fields); ++i) *fields[i] = v[i].data();
        return p;
    }
};

const char* const names[] = {"in_proj", "in_proj bias", "conv", "conv bias", "x_proj", "x_proj bias",
                             "dt_proj", "dt_proj bias", "A_log", "D", "out_proj", "out_proj bias", "A_imag"};

struct Case {
    BlockShape shape;
    OwnedParameters parameters;
    std::vector<double> u, conv, h, dout, dconv, dh;

    Case(const BlockShape& s, std::uint64_t seed) : shape(s), parameters(s) {
        Random random(seed);
        for (auto& p : parameters.v)
            p = random.vector(p.size(), -0.7, 0.7);
        u = random.vector(s.length * s.d_model);
        dout = random.vector(u.size());
        conv = random.vector(s.conv().history_size());
        dconv = random.vector(conv.size());
        h = random.vector(s.d_inner * s.d_state);
        dh = random.vector(h.size());
    }
};

struct Outputs {
    std::vector<double> out, conv, h;
};

Outputs run(Case& c) {
    Outputs o{c.u, c.conv, c.h};
    block<double>(c.shape, c.u.data(), c.parameters.pointers<const double>(), {c.conv.data(), c.h.data()}, o.out.data(),
                  {o.conv.data(), o.h.data()});
    return o;
}

} // namespace

TEST_CASE("block: a split call is one call", "[reference]") {
    for (std::size_t length : {0u, 1u, 2u, 13u, 31u}) {
        Case c({length, 3, 6, 2, 4, 2}, 51);
        const Outputs whole = run(c);
        Outputs split{std::vector<double>(c.u.size()), c.conv, c.h};
        for (std::size_t t = 0, piece = 0; t < length; t += piece) {
            piece = std::min<std::size_t>(1 + t % 5, length - t);
            BlockShape part = c.shape;
            part.length = piece;
            block<double>(part, &c.u[t * 3], c.parameters.pointers<const double>(), {split.conv.data(), split.h.data()},
                          &split.out[t * 3], {split.conv.data(), split.h.data()});
        }
        CHECK(split.out == whole.out);
        CHECK(split.conv == whole.conv);
        CHECK(split.h == whole.h);
    }
}

TEST_CASE("block: gradients of the input, both states and every parameter", "[reference]") {
    struct Kind {
        bool tied;
        InputRule rule;
        std::size_t dilation;
        bool rotating;
        double step_ratio;
    };
    for (const Kind& k : {Kind{false, InputRule::euler, 1, false, 1}, Kind{false, InputRule::ema, 1, false, 1},
                          Kind{true, InputRule::euler, 1, false, 1}, Kind{true, InputRule::ema, 3, false, 1},
                          Kind{false, InputRule::euler, 1, true, 1}, Kind{true, InputRule::euler, 3, true, 1},
                          Kind{false, InputRule::euler, 2, true, 0.5}})
            for (std::size_t length : {0u, 1u, 2u, 7u}) {
                CAPTURE(k.tied, k.rule == InputRule::ema, k.rotating, length);
                Case c({length, 3, 4, 4, 3, 2, k.tied, k.rule, k.dilation, k.rotating, k.step_ratio}, 52);
                const auto loss = [&] {
                    const Outputs o = run(c);
                    return dot(o.out, c.dout) + dot(o.conv, c.dconv) + dot(o.h, c.dh);
                };
                Outputs o = run(c);
                const auto p = c.parameters.pointers<const double>();
                const BlockState<const double> start{c.conv.data(), c.h.data()};
                const auto tape = block<double>(c.shape, c.u.data(), p, start, o.out.data(), {});
                OwnedParameters gradients(c.shape);
                std::vector<double> du(c.u.size()), dconv(c.conv.size()), dh(c.h.size());
                block_backward<double>(c.shape, c.u.data(), p, tape, start, c.dout.data(),
                                       {c.dconv.data(), c.dh.data()}, du.data(), {dconv.data(), dh.data()},
                                       gradients.pointers<double>());
                check_gradient("u", c.u, du, loss);
                check_gradient("conv history", c.conv, dconv, loss);
                check_gradient("h", c.h, dh, loss);
                for (std::size_t i = 0; i < gradients.v.size(); ++i)
                    check_gradient(names[i], c.parameters.v[i], gradients.v[i], loss);
            }
}

TEST_CASE("block: absent biases are zero biases", "[reference]") {
    Case c({9, 3, 6, 2, 4, 1}, 53);
    for (std::size_t i : {1u, 5u, 11u})
        c.parameters.v[i].assign(c.parameters.v[i].size(), 0);
    auto p = c.parameters.pointers<const double>();
    p.in_proj_bias = p.x_proj_bias = p.out_proj_bias = nullptr;
    std::vector<double> out(c.u.size());
    block<double>(c.shape, c.u.data(), p, {c.conv.data(), c.h.data()}, out.data(), {});
    CHECK(out == run(c).out);
}
