// SPDX-License-Identifier: GPL-3.0-or-later
// Every figure against hand-computed cases and against slow, literal implementations of its definition.
#include "serpent/errors.h"
#include "serpent/metrics.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <complex>
#include <limits>
#include <numbers>
#include <random>
#include <vector>

using namespace serpent;

namespace {

constexpr int rate = 48000;

std::vector<float> sine(std::size_t n, double frequency_hz, double amplitude) {
    std::vector<float> x(n);
    for (std::size_t i = 0; i < n; ++i)
        x[i] = static_cast<float>(amplitude * std::sin(2 * std::numbers::pi * frequency_hz * double(i) / rate));
    return x;
}

std::vector<float> noise(std::size_t n, float amplitude, unsigned seed) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> value(-amplitude, amplitude);
    std::vector<float> x(n);
    for (float& v : x) v = value(random);
    return x;
}

std::vector<float> scaled(std::vector<float> x, float gain) {
    for (float& v : x) v *= gain;
    return x;
}

/// The definition, literally: pad by reflection, window, plain DFT, norms.
double plain_mrstft(const std::vector<float>& target, const std::vector<float>& prediction) {
    constexpr std::size_t settings[3][3] = {{1024, 120, 600}, {2048, 240, 1200}, {512, 50, 240}};
    double total = 0;
    for (const auto& [fft, hop, length] : settings) {
        const auto magnitudes = [&](const std::vector<float>& x) {
            std::vector<double> padded;
            for (std::size_t i = fft / 2; i > 0; --i) padded.push_back(x[i]);
            padded.insert(padded.end(), x.begin(), x.end());
            for (std::size_t i = 0; i < fft / 2; ++i) padded.push_back(x[x.size() - 2 - i]);
            std::vector<double> window(fft, 0.0);
            const double step = 2 * std::numbers::pi / double(length);
            for (std::size_t i = 0; i < length; ++i)
                window[(fft - length) / 2 + i] = 0.5 - 0.5 * std::cos(step * double(i));
            std::vector<double> result;
            for (std::size_t start = 0; start + fft <= padded.size(); start += hop)
                for (std::size_t k = 0; k <= fft / 2; ++k) {
                    std::complex<double> sum = 0;
                    for (std::size_t i = 0; i < fft; ++i)
                        sum += window[i] * padded[start + i] *
                               std::polar(1.0, -2 * std::numbers::pi * double(i * k % fft) / double(fft));
                    result.push_back(std::sqrt(std::max(std::norm(sum), 1e-8)));
                }
            return result;
        };
        const auto y = magnitudes(target), p = magnitudes(prediction);
        double difference = 0, energy = 0, logs = 0;
        for (std::size_t i = 0; i < y.size(); ++i) {
            difference += (y[i] - p[i]) * (y[i] - p[i]);
            energy += y[i] * y[i];
            logs += std::abs(std::log(y[i]) - std::log(p[i]));
        }
        total += std::sqrt(difference) / std::sqrt(energy) + logs / double(y.size());
    }
    return total / 3;
}

} // namespace

TEST_CASE("ESR by hand") {
    const std::vector<float> target{1, 2, -2}, prediction{1, 1, -1};
    CHECK(esr(target, prediction) == Approx(2.0 / (9.0 + 1e-8)).epsilon(1e-12));
    CHECK(esr(target, target) == 0.0);
    // y' = 1, 1.15, -3.7; difference 0, 1, -1 becomes 0, 1, -1.85
    CHECK(esr_pre(target, prediction) ==
          Approx((1 + 1.85 * 1.85) / (1 + 1.15 * 1.15 + 3.7 * 3.7 + 1e-8)).epsilon(1e-12));
    // Silence as a target: only the floor is left.
    CHECK(esr(std::vector<float>{0, 0}, std::vector<float>{0.5f, 0}) == Approx(0.25 / 1e-8));
    CHECK(esr({}, {}) == 0.0);
}

TEST_CASE("Unequal lengths are refused") {
    const std::vector<float> a(10), b(11);
    CHECK_THROWS_AS(esr(a, b), Error);
    CHECK_THROWS_AS(mrstft(a, b), Error);
    CHECK_THROWS_AS(evaluate(a, b, b, rate), Error);
    CHECK_THROWS_AS(envelope_error(a, b, rate), Error);
}

TEST_CASE("The static gain is the least-squares one, and its ESR what is left") {
    const std::vector<float> dry{1, 0, 2}, wet{2, 1, 4};
    const Metrics m = evaluate(dry, wet, wet, rate);
    CHECK(m.static_gain == Approx(2.0));
    CHECK(m.static_gain_esr == Approx(1.0 / 21.0));
    CHECK(m.esr == 0.0);
    const Metrics inverted = evaluate(dry, scaled(dry, -0.5f), dry, rate);
    CHECK(inverted.static_gain == Approx(-0.5));
    CHECK(inverted.static_gain_esr == Approx(0.0).margin(1e-12)); // exact in float: halves
    CHECK(evaluate(std::vector<float>(3), wet, wet, rate).static_gain == 0.0);
}

TEST_CASE("Envelope error by hand") {
    // Three full windows and a partial one. Levels of the target: 0.5, 0.1 and below -60 dBFS.
    const std::size_t window = rate / 10;
    std::vector<float> target(3 * window + 100, 0.5f), prediction(target.size(), 0.25f);
    for (std::size_t i = 0; i < window; ++i) {
        target[window + i] = 0.1f;
        prediction[window + i] = 0.1f;
        target[2 * window + i] = 0.0009f;
        prediction[2 * window + i] = 0.9f;
    }
    const EnvelopeError e = envelope_error(target, prediction, rate);
    const double six_db = 20 * std::log10(2.0);
    CHECK(e.max_db == Approx(six_db).epsilon(1e-6)); // 0.1f is not 0.1
    CHECK(e.rms_db == Approx(six_db / std::sqrt(2.0)).epsilon(1e-6));
    // A silent prediction counts as -120 dBFS.
    const EnvelopeError silent = envelope_error(std::vector<float>(window, 1.0f), std::vector<float>(window), rate);
    CHECK(silent.max_db == Approx(120.0));
    CHECK(envelope_error(std::vector<float>(window), std::vector<float>(window, 1.0f), rate).max_db == 0.0);
}

TEST_CASE("Envelopes for plots") {
    std::vector<float> dry = sine(rate, 1000, 0.5), wet = scaled(dry, 0.1f);
    const auto levels = level_envelope_db(dry, rate, 0.05);
    REQUIRE(levels.size() == 20);
    for (const double db : levels) CHECK(db == Approx(20 * std::log10(0.5 / std::sqrt(2.0))).margin(1e-4));
    for (std::size_t i = 0; i < 2400; ++i) dry[i] = 0.0f;
    const auto gain = gain_envelope_db(dry, wet, rate, 0.05);
    REQUIRE(gain.size() == 20);
    CHECK(std::isnan(gain[0]));
    for (std::size_t i = 1; i < gain.size(); ++i) CHECK(gain[i] == Approx(-20.0).margin(1e-4));
}

TEST_CASE("MR-STFT equals the plain DFT of its definition") {
    // Odd lengths around hop and FFT sizes; the shortest that plain reflection allows is fft / 2 + 1.
    for (const std::size_t n : {1025u, 1201u, 1700u}) {
        auto target = noise(n, 0.3f, 1);
        auto prediction = noise(n, 0.05f, 2);
        const auto tone = sine(n, 3000, 0.4);
        for (std::size_t i = 0; i < n; ++i) {
            if (i < n / 2) target[i] = 0; // digital silence: the power floor matters
            target[i] += i < n / 2 ? 0.0f : tone[i];
            prediction[i] += tone[i];
        }
        CAPTURE(n);
        // Both are float64; only the order of summation differs.
        CHECK(mrstft(target, prediction) == Approx(plain_mrstft(target, prediction)).epsilon(1e-10));
    }
}

TEST_CASE("MR-STFT by hand: half the amplitude") {
    // ||Y - P|| / ||Y|| = 1/2 and |ln Y - ln P| = ln 2 where both powers are above the floor: loud noise.
    const auto target = noise(20000, 1.0f, 3);
    CHECK(mrstft(target, scaled(target, 0.5f)) == Approx(0.5 + std::log(2.0)).epsilon(1e-6));
    CHECK(mrstft(target, target) == 0.0);
    CHECK(mrstft(std::vector<float>(1, 0.5f), std::vector<float>(1, 0.5f)) == 0.0);
    CHECK(mrstft(std::vector<float>(7, 0.5f), std::vector<float>(7, 0.25f)) > 0.1);
}

TEST_CASE("A NaN in the prediction is a NaN in every figure about it, and nowhere else") {
    const auto target = sine(9600, 440, 0.5);
    auto prediction = target;
    prediction[5000] = std::numeric_limits<float>::quiet_NaN();
    const Metrics m = evaluate(target, target, prediction, rate);
    CHECK(std::isnan(m.esr));
    CHECK(std::isnan(m.esr_pre));
    CHECK(std::isnan(m.mrstft));
    CHECK(std::isnan(m.envelope_rms_db));
    CHECK(std::isnan(m.envelope_max_db));
    CHECK(m.static_gain == Approx(1.0));
}

TEST_CASE("Means of figures") {
    Metrics a, b;
    a.esr = 1, b.esr = 3, a.static_gain = -1, b.static_gain = 2;
    const std::vector<Metrics> both{a, b};
    CHECK(mean(both).esr == 2.0);
    CHECK(mean(both).static_gain == 0.5);
    CHECK(mean({}).esr == 0.0);
}
