// SPDX-License-Identifier: GPL-3.0-or-later
// Shapes and levels that recordings come in: each has a right answer, or a message that says which it is.
#include "audio/temporary_folder.h"
#include "training/data_checks.h"

#include "serpent/capture.h"
#include "serpent/errors.h"
#include "serpent/take_check.h"
#include "serpent/training_data.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <random>

using namespace serpent;
namespace fs = std::filesystem;

namespace {

constexpr int rate = 48000;
using Signal = std::vector<float>;
using Channels = std::vector<Signal>;

/// Bursts of noise between silences.
Signal bursts(std::size_t n, unsigned seed) {
    std::mt19937 rng(seed);
    std::normal_distribution<float> noise(0.0f, 0.1f);
    Signal v(n);
    for (std::size_t i = 0; i < n; ++i) v[i] = i % 12000 < 6000 ? noise(rng) : 0.0f;
    return v;
}

Signal device(const Signal& dry, std::size_t delay = 0, float gain = 1.0f) {
    Signal wet(dry.size());
    for (std::size_t i = delay; i < dry.size(); ++i) wet[i] = gain * std::tanh(3 * dry[i - delay]);
    return wet;
}

struct Studio : TemporaryFolder {
    Signal dry = bursts(4 * rate, 1);

    fs::path write(const char* name, Channels channels, Subtype subtype = Subtype::float32) const {
        write_audio(*this / name, {rate, std::move(channels)}, subtype);
        return *this / name;
    }
    /// Notes of loading it, or the error.
    std::string said(const Channels& dry_channels, const Channels& wet_channels, TrainingData* data = nullptr) const {
        const fs::path d = write("dry.wav", dry_channels), w = write("wet.wav", wet_channels);
        try {
            TrainingData loaded = load_pair(d, w, {});
            std::string all;
            for (const std::string& note : loaded.notes) all += note + "\n";
            if (data) *data = std::move(loaded);
            return all;
        } catch (const Error& e) {
            return std::string("refused: ") + e.what();
        }
    }
};

using Catch::Contains;

} // namespace

TEST_CASE("A wet of another length is used as far as both go") {
    const Studio studio;
    Signal wet = device(studio.dry);
    wet.pop_back();
    TrainingData data;
    CHECK_THAT(studio.said({studio.dry}, {wet}, &data), Contains("lacks 1 samples"));
    CHECK(data.set->train.at(0).wet[0].size() + data.set->valid.at(0).wet[0].size() == wet.size());
    wet.resize(rate);
    CHECK_THAT(studio.said({studio.dry}, {wet}), Contains("refused") && Contains("less than half"));
}

TEST_CASE("Two channels that say the same are one, and differing ones are refused") {
    const Studio studio;
    const Signal wet = device(studio.dry), late = device(studio.dry, 9, -0.5f);
    TrainingData data;
    CHECK_THAT(studio.said({studio.dry}, {wet, wet}, &data), Contains("say the same; channel 1 is used"));
    CHECK(data.set->train.at(0).wet.size() == 1);
    CHECK_THAT(studio.said({studio.dry}, {wet, late}), Contains("channel 2 inverted, channel 2 9 samples later"));
    CHECK_THAT(studio.said({studio.dry, studio.dry}, {wet}), Contains("dry.wav say the same"));
    CHECK_THAT(studio.said({studio.dry}, {wet, bursts(wet.size(), 5)}), Contains("refused") && Contains("which differ"));
}

TEST_CASE("A silent channel is named and left out") {
    const Studio studio;
    const Signal wet = device(studio.dry), silence(wet.size());
    for (const bool right : {false, true}) {
        const Channels stereo = right ? Channels{silence, wet} : Channels{wet, silence};
        TrainingData data;
        CHECK_THAT(studio.said({studio.dry}, stereo, &data),
                   Contains(right ? "channel 1 of" : "channel 2 of") && Contains(right ? "silent; channel 2 is used" : "silent; channel 1 is used"));
        CHECK(data.latency_samples == 0);
        // Of a stereo dry the channel of the same number belongs to it.
        CHECK_THAT(studio.said(right ? Channels{bursts(wet.size(), 7), studio.dry} : Channels{studio.dry, bursts(wet.size(), 7)},
                               stereo, &data),
                   Contains("silent"));
        CHECK(data.set->train.at(0).dry.at(0)[0] == studio.dry[0]);
    }
}

TEST_CASE("Each channel of a stereo pair is aligned by itself, and its polarity told") {
    const Studio studio;
    const Signal other = bursts(studio.dry.size(), 3);
    TrainingData data;
    const std::string said = studio.said({studio.dry, other}, {device(studio.dry, 3), device(other, 20, -1)}, &data);
    CHECK_THAT(said, Contains("channel 2 of " + (studio / "wet.wav").string() + " is inverted"));
    CHECK_THAT(said, Contains(": 3 samples") && Contains(": 20 samples"));
    const TrainingTake& train = data.set->train.at(0);
    for (std::size_t i = 0; i < train.dry[0].size(); ++i) {
        REQUIRE(train.wet[0][i] == std::tanh(3 * train.dry[0][i]));
        REQUIRE(train.wet[1][i] == -std::tanh(3 * train.dry[1][i]));
    }
}

TEST_CASE("The same sound twice, and dry and wet swapped, are told") {
    const Studio studio;
    const fs::path dry = studio.write("one.wav", {studio.dry});
    CHECK_THROWS_WITH(load_pair(dry, dry, {}), Contains("given as dry and as wet"));
    CHECK_THAT(studio.said({studio.dry}, {studio.dry}), Contains("same samples"));
    const Signal capture = capture_signal(8000, 20);
    write_audio(studio / "signal.wav", {8000, {capture}}, Subtype::pcm24);
    write_audio(studio / "amp.wav", {8000, {device(capture)}}, Subtype::float32);
    CHECK_THROWS_WITH(load_pair(studio / "amp.wav", studio / "signal.wav", {}), Contains("swapped"));
}

TEST_CASE("Clipping is samples that stand still at the extreme, at any level and in any format") {
    const std::size_t n = rate;
    const auto sine = [](double amplitude, double hz, double limit, double step) {
        Signal v(n);
        for (std::size_t i = 0; i < n; ++i) {
            const double x = std::clamp(amplitude * std::sin(6.283185307 * hz * double(i) / rate), -limit, limit);
            v[i] = float(step > 0 ? std::round(x / step) * step : x);
        }
        return v;
    };
    for (const double step : {0.0, std::ldexp(1.0, -15), std::ldexp(1.0, -23)}) {
        CAPTURE(step);
        CHECK(clipped_samples(sine(1.0, 330, 0.7, step)) > 1000);
        CHECK(clipped_samples(sine(4.0, 330, 3.0, step)) > 1000);
        CHECK(clipped_samples(sine(1.0, 330, 2.0, step)) == 0);
        CHECK(clipped_samples(sine(2.5, 1234.5, 9.0, step)) == 0);
        CHECK(clipped_samples(sine(0.3, 20, 2.0, step)) == 0);  // a flat top by rounding alone
        CHECK(clipped_samples(sine(0.001, 110, 2.0, step)) == 0);
    }
    CHECK(clipped_samples(Signal(n, 0.0f)) == 0);
    CHECK(clipped_samples({}) == 0);
}

TEST_CASE("A float recording above full scale is no clipping, a very quiet one is told, and silence refused") {
    const Studio studio;
    CHECK_THAT(studio.said({studio.dry}, {device(studio.dry, 0, 5.0f)}), !Contains("clipped"));
    CHECK_THAT(studio.said({studio.dry}, {device(studio.dry, 0, 0.003f)}), Contains("very quiet") && Contains("dBFS"));
    CHECK_THAT(studio.said({studio.dry}, {device(studio.dry, 0, 0.5f)}), !Contains("quiet"));
    CHECK_THAT(studio.said({studio.dry}, {Signal(studio.dry.size())}), Contains("refused") && Contains("silent"));
}

TEST_CASE("A capture signal whose begin is missing keeps its sections") {
    const CaptureLayout whole = capture_layout(rate, 20 * rate), cut = without_begin(whole, rate);
    CHECK(cut.markers.size() == whole.markers.size() - 2);
    CHECK(cut.markers.front() + rate == whole.markers[2]);
    CHECK(cut.validation.begin + rate == whole.validation.begin);
    CHECK(cut.repeat_second.size() == whole.repeat_second.size());
    CHECK(cut.length + rate == whole.length);
}
