// SPDX-License-Identifier: GPL-3.0-or-later
// Hosts that do not run at the model's rate, and models that run faster than the host.
#include "model/at_rate.h"
#include "model/example_model.h"
#include "render/gain_model.h"
#include "stream_helpers.h"

#include <catch2/catch.hpp>

#include <complex>
#include <numbers>

using namespace serpent;
using namespace serpent::test;

namespace {

constexpr double pi = std::numbers::pi;

std::vector<float> sine(double frequency_hz, double rate_hz, std::size_t n) {
    std::vector<float> wave(n);
    for (std::size_t t = 0; t < n; ++t)
        wave[t] = static_cast<float>(std::sin(2 * pi * frequency_hz / rate_hz * static_cast<double>(t)));
    return wave;
}

double rms_db(const std::vector<float>& signal, std::size_t first) {
    double power = 0;
    for (std::size_t t = first; t < signal.size(); ++t) power += double(signal[t]) * signal[t];
    return 10 * std::log10(power / static_cast<double>(signal.size() - first) + 1e-30);
}

/// The largest |out[t] - in[t - latency]| behind the first `skip` samples.
double misalignment(const std::vector<float>& in, const std::vector<float>& out, std::size_t latency, std::size_t skip) {
    double worst = 0;
    for (std::size_t t = skip; t < out.size(); ++t) {
        const double difference = std::abs(double(out[t]) - in[t - latency]);
        if (!(difference <= worst)) worst = difference;
    }
    return worst;
}

const double host_rates_hz[] = {22050, 44056, 44100, 88200, 96000, 176400, 192000};

} // namespace

TEST_CASE("resampled output comes exactly latency_samples() late", "[stream][rate]") {
    const auto model = shared_gain_model({1.0f});
    for (const double rate_hz : host_rates_hz)
        for (const int oversampling : {1, 4}) {
            if (rate_hz == oversampling * 48000.0) continue;  // the host is that fast: nothing to resample
            Stream stream(model, {.rate_mode = RateMode::resample, .oversampling = oversampling});
            stream.prepare(rate_hz, 256);
            const int latency = stream.latency_samples();
            CAPTURE(rate_hz, oversampling, latency);
            REQUIRE(latency > 0);
            // 3 kHz: one sample of misalignment at 192 kHz would show as 0.1, and the filter passes it to 121 dB of noise.
            const auto in = sine(3000, rate_hz, 6000);
            const auto out = play(stream, {in}, {256})[0];
            CHECK(misalignment(in, out, static_cast<std::size_t>(latency), 1000) <= 2e-5);
            REQUIRE(misalignment(in, out, static_cast<std::size_t>(latency - 1), 1000) > 1e-2);  // it can fail
        }
}

TEST_CASE("without a resampler there is no latency", "[stream][rate]") {
    const auto model = golden_model("tied_ema_8_16_4_4");
    Stream own(model), scaled(model, {.rate_mode = RateMode::scale_dt});
    own.prepare(48000, 64);
    CHECK(own.latency_samples() == 0);
    scaled.prepare(96000, 64);
    CHECK(scaled.latency_samples() == 0);
    scaled.prepare(44100, 64);
    CHECK(scaled.latency_samples() == 0);
}

TEST_CASE("what the model's rate cannot hold does not come back", "[stream][rate]") {
    Stream stream(shared_gain_model({1.0f}), {.rate_mode = RateMode::resample});
    stream.prepare(96000, 512);
    const auto answer_db = [&](double frequency_hz) {
        stream.reset();
        return rms_db(play(stream, {sine(frequency_hz, 96000, 20000)}, {512})[0], 2000);
    };
    for (const double frequency_hz : {26500.0, 30000.0, 40000.0, 47000.0}) {
        CAPTURE(frequency_hz);
        CHECK(answer_db(frequency_hz) <= -100.0);
    }
    CHECK(std::abs(answer_db(1000) - rms_db(sine(1000, 96000, 20000), 2000)) <= 0.001);
    CHECK(answer_db(18000) >= -3.1 - 0.1);  // passes
}

TEST_CASE("any blocks give the same bits at any rate", "[stream][rate]") {
    const auto model = golden_model("film_8_16_4_2");
    const Planar in = noise(2, 3000);
    for (const RateMode mode : {RateMode::resample, RateMode::scale_dt})
        for (const double rate_hz : {44100.0, 48000.0, 96000.0})
            for (const int oversampling : {1, 4}) {
                const auto answer = [&](const std::vector<std::size_t>& blocks, int max_block) {
                    Stream stream(model, {.instances = 2, .rate_mode = mode, .oversampling = oversampling});
                    stream.prepare(rate_hz, max_block);
                    return play(stream, in, blocks);
                };
                CAPTURE(mode == RateMode::scale_dt, rate_hz, oversampling);
                const Planar expected = answer({3000}, 4096);
                CHECK((answer({1}, 1) == expected));
                CHECK((answer({7, 0, 64, 1, 333}, 64) == expected));  // 333: more than announced
            }
}

TEST_CASE("silence stays where it was from the first sample on", "[stream][rate]") {
    const auto model = golden_model("tied_ema_8_16_4_4");
    Stream own(model);
    const float rest = play(own, silence(1, 100), {64})[0][0];
    REQUIRE(std::abs(rest) > 1e-3f);  // else a start from 0 would not show
    for (const RateMode mode : {RateMode::resample, RateMode::scale_dt})
        for (const double rate_hz : {44100.0, 96000.0}) {
            Stream stream(model, {.rate_mode = mode});
            stream.prepare(rate_hz, 64);
            CAPTURE(mode == RateMode::scale_dt, rate_hz);
            // The filters' gain at 0 Hz is that of interpolated tables: 121 dB. The fixed point is float32's.
            const Planar out = play(stream, silence(1, 2000), {64});
            for (const float v : out[0]) REQUIRE(close(rest, v, 2e-5));
        }
}

TEST_CASE("reset and prepare start over, and prepare keeps the controls", "[stream][rate]") {
    const auto model = golden_model("film_8_16_4_2");
    const Planar in = noise(1, 1500);
    Stream stream(model), fresh(model);
    stream.set_control(0, 9.0f);
    stream.prepare(96000, 64);
    fresh.prepare(96000, 64);
    const Planar first = play(stream, in, {64});
    CHECK((first != play(fresh, in, {64})));
    fresh.set_control(0, 9.0f);
    fresh.reset();
    CHECK((play(fresh, in, {64}) == first));
    stream.prepare(44100, 64);
    play(stream, in, {64});
    stream.prepare(96000, 64);
    CHECK((play(stream, in, {64}) == first));
}

TEST_CASE("a model at another rate keeps its time constants and its silence", "[stream][rate]") {
    ModelConfig config = full_config();
    config.b_bar = BBar::ema;
    Model model = random_model(config, true, 2000.0);
    for (LayerWeights& layer : model.weights.layers) std::ranges::fill(layer.A_log, 0.0f);
    const auto mean_delay = [](double time_constant) { return 1.0 / std::expm1(1.0 / time_constant); };
    for (const double rate_hz : {44100.0, 96000.0, 192000.0}) {
        CAPTURE(rate_hz);
        const Model moved = at_rate(model, rate_hz);
        const double ratio = rate_hz / 48000.0;
        const TimeConstants before = time_constants(model), after = time_constants(moved);
        // float32 biases, 5e-7 relative to values of 10
        CHECK(close(1.0, after.longest_samples / (ratio * before.longest_samples), 1e-3));
        CHECK(close(1.0, mean_delay(after.longest_samples) / (ratio * mean_delay(before.longest_samples)), 1e-5));
        CHECK(close(1.0, mean_delay(after.shortest_samples) / (ratio * mean_delay(before.shortest_samples)), 1e-5));
        CHECK(distance(silence_state(model).h, silence_state(moved).h).within(1e-5, 1e-4));
    }
}

TEST_CASE("a slow euler model answers the same at another rate", "[stream][rate]") {
    ModelConfig config;
    config.d_model = 4, config.n_layers = 1, config.d_state = 2;
    Model slow = random_model(config, true, 5000.0);
    for (float& bias : slow.weights.layers[0].dt_proj_bias) bias -= 4.0f;
    const auto model = std::make_shared<const Model>(slow);
    const auto in = sine(100, 48000, 9600), in_twice = sine(100, 96000, 19200);
    Stream once(model), twice(model);
    twice.prepare(96000, 64);
    const auto expected = play(once, {in}, {64})[0], got = play(twice, {in_twice}, {64})[0];
    const std::vector<float> first_half(got.begin(), got.begin() + 9600);
    std::vector<float> every_other;
    for (std::size_t t = 0; t < got.size(); t += 2) every_other.push_back(got[t]);
    // Steps of up to 0.01 are right to their second order.
    CHECK(distance(expected, every_other).within(0.01, 0.03));
    CHECK(!distance(expected, first_half).within(0.1, 0.3));  // it can fail
}

TEST_CASE("the model's own rate changes nothing", "[stream][rate]") {
    const auto model = golden_model("tied_euler_8_16_4_2");
    const Model moved = at_rate(*model, 48000);
    CHECK(moved.config.d_conv == model->config.d_conv);
    CHECK(moved.weights.values == model->weights.values);
}

TEST_CASE("interpolated taps delay by what the old ones did", "[stream][rate]") {
    for (const int taps : {1, 2, 4, 7})
        for (const double spacing : {0.5, 44100.0 / 48000.0, 1.0, 88200.0 / 48000.0, 2.0, 4.0}) {
            const auto to_new = interpolated_taps(taps, spacing);
            for (std::size_t k = 0; k < static_cast<std::size_t>(taps); ++k)
                for (const double share : {0.0, 0.1, 0.2, 0.4}) {  // of the lower Nyquist frequency
                    const double w = share * pi * std::min(1.0, 1.0 / spacing);
                    std::complex<double> got = 0;
                    for (std::size_t j = 0; j < to_new.size(); ++j)
                        got += to_new[j][k] * std::polar(1.0, -w * static_cast<double>(j));
                    CAPTURE(taps, spacing, k, share);
                    // A few taps on one side of a delay off the grid: some per cent towards the upper end; exact at 0 Hz.
                    CHECK(std::abs(got - std::polar(1.0, -w * spacing * static_cast<double>(k))) <= (share > 0 ? 0.05 : 1e-5));
                }
        }
    const auto doubled = interpolated_taps(3, 2.0);
    REQUIRE(doubled.size() == 5);
    for (std::size_t j = 0; j < 5; ++j)
        for (std::size_t k = 0; k < 3; ++k) CHECK(doubled[j][k] == (j == 2 * k ? 1.0 : 0.0));
}

TEST_CASE("a long convolution is interpolated from its neighbourhood, at the same quality", "[stream][rate]") {
    const double spacing = 15.7;
    const auto to_new = interpolated_taps(64, spacing);
    for (std::size_t k = 0; k < 64; ++k) {
        const double delay = spacing * static_cast<double>(k);
        for (std::size_t j = 0; j < to_new.size(); ++j)
            if (std::abs(static_cast<double>(j) - delay) > 64) CHECK(to_new[j][k] == 0.0);
        for (const double share : {0.0, 0.2, 0.4}) {
            const double w = share * pi / spacing;
            std::complex<double> got = 0;
            for (std::size_t j = 0; j < to_new.size(); ++j) got += to_new[j][k] * std::polar(1.0, -w * static_cast<double>(j));
            CAPTURE(k, share);
            CHECK(std::abs(got - std::polar(1.0, -w * delay)) <= (share > 0 ? 0.05 : 1e-5));  // as above
        }
    }
}

TEST_CASE("a resonant model at another rate keeps its silence and its answer, and stays cheap", "[stream][rate][resonant]") {
    ModelConfig config = resonant_preset();
    config.skip = false;  // else most of the answer
    Model own = random_model(config, true, 2000.0);
    for (LayerWeights& layer : own.weights.layers)
        for (float& angle : layer.A_imag) angle *= 0.1f;
    const auto model = std::make_shared<const Model>(own);
    Stream once(model), twice(model);
    const float rest = play(once, silence(1, 100), {64})[0][0];
    for (const double rate_hz : {44100.0, 96000.0}) {
        CAPTURE(rate_hz);
        const Model moved = at_rate(*model, rate_hz);
        for (std::size_t l = 0; l < moved.weights.layers.size(); ++l) {
            const auto& weight = moved.weights.layers[l].conv_weight;
            const auto used = weight.size() - static_cast<std::size_t>(std::count(weight.begin(), weight.end(), 0.0f));
            if (config.dilations[l] > 1) CHECK(used <= 8 * 19);  // of 8 channels: three clusters of six, and the present sample
            CHECK(moved.weights.layers[l].A_imag[0] == Approx(own.weights.layers[l].A_imag[0] * 48000.0 / rate_hz));
        }
        Stream stream(model);
        stream.prepare(rate_hz, 64);
        const Planar out = play(stream, silence(1, 2000), {64});
        for (const float v : out[0]) REQUIRE(close(rest, v, 1e-4 * std::abs(rest) + 2e-5));
    }
    once.reset();
    twice.prepare(96000, 64);
    const auto expected = play(once, {sine(300, 48000, 9600)}, {64})[0], got = play(twice, {sine(300, 96000, 19200)}, {64})[0];
    std::vector<float> every_other;
    for (std::size_t t = 0; t < got.size(); t += 2) every_other.push_back(got[t]);
    const Distance d = distance(expected, every_other);
    CAPTURE(d.rms, d.max);
    CHECK(d.within(0.03, 0.2));
}
