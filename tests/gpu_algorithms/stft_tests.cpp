// SPDX-License-Identifier: GPL-3.0-or-later
// The device's MR-STFT loss, run on the CPU, against the float64 reference.
#include "close.h"
#include "equations/stft_loss.h"
#include "gpu/stft.h"
#include "random.h"

#include <catch2/catch.hpp>

using namespace serpent::test;
using namespace serpent::kernels::gpu;

TEST_CASE("the device's STFT loss and gradient equal the reference's") {
    for (const std::size_t n : {1u, 239u, 240u, 599u, 600u, 1199u, 1200u, 1433u, 2049u}) {
        CAPTURE(n);
        Random random(n);
        const auto target = random.vector<float>(n, -0.5, 0.5), prediction = random.vector<float>(n, -0.5, 0.5);
        const std::vector<double> y(target.begin(), target.end()), p(prediction.begin(), prediction.end());
        std::vector<double> slopes(n);
        const double expected = serpent::equations::stft_loss<double>(y.data(), p.data(), slopes.data(), n, 0.7);
        const auto capacity = static_cast<Index>(n + 31) / 32 * 32;
        Carver counter(nullptr);
        carve_stft(counter, capacity);
        std::vector<Float4> block(static_cast<std::size_t>(counter.used() / 4 + 1));
        Carver carver(block.front().v);
        const StftWorkspace workspace = carve_stft(carver, capacity);
        std::vector<Complex> memory(2 * stft_largest_fft);
        const auto twiddles = stft_twiddles();
        std::vector<float> gradient(n);
        const SerialTeam team;
        const double loss = StftPass(team, twiddles.data(), workspace, memory.data(), 1e-8f)
                                .run(target.data(), prediction.data(), gradient.data(), static_cast<Index>(n), 0.7f);
        // serpent/kernels/stft_loss.h: 1e-5 of the loss, 2e-3 of the gradient's norm, for the same reasons.
        CHECK(close(0.7 * expected, loss, 1e-5 * 0.7 * expected));
        CHECK(distance(slopes, gradient).within(2e-3, 1.0));
    }
}
