// SPDX-License-Identifier: GPL-3.0-or-later
#include "host/checks.h"

#include "serpent/stream.h"

#include <memory>

namespace serpent::test {

namespace {

// `serpent render` scans chunks side by side and a Stream walks: both are within 1e-5 rms of float64 by contract, and within
// some 1e-7 in practice at these levels. With the Stream itself the plugin agrees to the last bit.
constexpr double parity = 1e-6;         // rms, for signals below full scale
constexpr double parity_sample = 5e-6;  // any single sample; 1.1e-6 was the most seen

const std::vector<Blocks> all_blocks{Blocks::of({64}), Blocks::of({1}), Blocks::of({512}), Blocks::of({17, 480, 3, 0, 509}),
                                     Blocks::random(512, 1), Blocks::random(512, 2)};

/// What the core's Stream answers at any rate, one instance for each channel.
Planar streamed(const std::filesystem::path& path, const Planar& in, double rate_hz, RateMode rate_mode = RateMode::scale_dt) {
    const auto model = std::make_shared<const Model>(Model::load(path));
    Stream stream(model, {.instances = static_cast<int>(in.size()), .rate_mode = rate_mode});
    stream.prepare(rate_hz, 256);
    Planar out = in;
    std::vector<float*> pointers;
    for (auto& channel : out) pointers.push_back(channel.data());
    stream.process(pointers.data(), pointers.data(), static_cast<int>(in[0].size()));
    return out;
}

void like_render(const Subject& subject, int channels) {
    for (const char* name : {"scream", "opto", "zamcomp_knobs"}) {
        const auto model = subject.model(name);
        const Planar in = music(static_cast<std::size_t>(channels), 24000, 48000);
        const Planar expected = rendered(subject, model, in, 48000);
        for (std::size_t i = 0; i < all_blocks.size(); ++i) {
            Hosted hosted = subject.load();
            hosted.set_state(state_with(model));
            hosted.prepare({48000, 512, channels, channels});
            const Planar out = hosted.play(in, all_blocks[i]);
            const std::string what = std::string(name) + ", block sizes no. " + std::to_string(i);
            require_close(expected, out, parity_sample, what);
            require(rms_distance(expected, out) <= parity, what + ": " + std::to_string(1e6 * rms_distance(expected, out)) + "e-6 off, rms");
            require_close(streamed(model, in, 48000), out, 0.0, what + ", against a Stream");
            pump(10);
            require(hosted.instance().getLatencySamples() == 0, "latency is reported where there is none");
        }
    }
}

void other_rates(const Subject& subject) {
    for (const int rate_hz : {44100, 88200, 96000}) {
        const Planar in = music(2, 12000, rate_hz);
        Hosted hosted = subject.load();
        hosted.set_state(state_with(subject.model("zamtube")));
        hosted.prepare({static_cast<double>(rate_hz), 256, 2, 2});
        require_close(streamed(subject.model("zamtube"), in, rate_hz), hosted.play(in, Blocks::random(256, 3)), 0.0,
                      std::to_string(rate_hz) + " Hz");
    }
}

double esr(const Planar& expected, const Planar& actual, std::size_t lag) {
    double error = 0.0, energy = 0.0;
    for (std::size_t t = 2000; t + lag < actual[0].size(); ++t) {
        const double want = expected[0][t], got = actual[0][t + lag];
        error += (want - got) * (want - got), energy += want * want;
    }
    return error / energy;
}

/// Between resamplers: the same as a Stream, and of all shifts the reported one brings it nearest to `serpent render`.
void exact_rate(const Subject& subject) {
    const Planar in = music(2, 20000, 44100);
    plugin::State state = state_with(subject.model("zamtube"));
    state.resample = true;
    Hosted hosted = subject.load();
    hosted.set_state(state);
    hosted.prepare({44100, 256, 2, 2});
    const Planar out = hosted.play(in, Blocks::random(256, 4));
    require_close(streamed(subject.model("zamtube"), in, 44100, RateMode::resample), out, 0.0, "resampled");
    const auto latency = static_cast<std::size_t>(hosted.latency_samples());
    require(latency > 0, "a resampler reports no latency");
    const Planar expected = rendered(subject, subject.model("zamtube"), in, 44100);
    const double here = esr(expected, out, latency);
    for (std::size_t lag = latency - 3; lag <= latency + 3; ++lag)
        require(lag == latency || esr(expected, out, lag) > here, "it is " + std::to_string(lag) + " samples late and reports " + std::to_string(latency));
}

void mono_to_stereo(const Subject& subject) {
    const Planar in = music(1, 9000, 48000);
    Hosted hosted = subject.load();
    hosted.set_state(state_with(subject.model("zamtube")));
    hosted.prepare({48000, 128, 1, 2});
    const Planar expected = streamed(subject.model("zamtube"), in, 48000);
    require_close({expected[0], expected[0]}, hosted.play(in, Blocks::random(128, 5)), parity, "mono to stereo");
}

void trims_and_mix(const Subject& subject) {
    const Planar in = music(2, 12000, 48000);
    Hosted hosted = subject.load();
    hosted.set_state(state_with(subject.model("zamcomp")));
    hosted.set("Input", 0.75f), hosted.set("Output", 0.375f), hosted.set("Mix", 0.6f);  // +12 dB, -6 dB, 60 %
    hosted.prepare({48000, 64, 2, 2});
    const Planar expected = rendered(subject, subject.model("zamcomp"), in, 48000, {"--input-db", "12", "--output-db", "-6", "--mix", "0.6"});
    const Planar out = hosted.play(in, Blocks::of({64}));
    require_close(expected, out, parity_sample, "trims and mix");
}

void knobs(const Subject& subject) {
    const Planar in = music(2, 12000, 48000);
    plugin::State state = state_with(subject.model("zamcomp_knobs"));
    state.parameters.clear();
    state.parameters = {{"a_control_1", 0.25f}, {"a_control_2", 0.8f}};
    const Model model = Model::load(subject.model("zamcomp_knobs"));
    std::vector<std::string> options;
    for (std::size_t i = 0; i < 2; ++i) {
        const Control& control = model.config.controls.at(i);
        char value[32];
        std::snprintf(value, sizeof value, "%.9g", static_cast<double>(control.min + state.parameters[i].second * (control.max - control.min)));
        options.insert(options.end(), {"--control", control.name + "=" + value});
    }
    Hosted hosted = subject.load();
    hosted.set_state(state);
    hosted.prepare({48000, 64, 2, 2});
    require_close(rendered(subject, subject.model("zamcomp_knobs"), in, 48000, options), hosted.play(in, Blocks::of({64})), parity_sample, "knobs");
    if (subject.format != Format::vst3) return;  // LV2 has fixed names
    pump(100);
    require(hosted.parameter(juce::String("A " + model.config.controls[0].name)).getText(0.5f, 64).isNotEmpty(),
            "the host does not see the model's own name of a knob");
}

/// A program change in the middle of playing: what plays afterwards is the new model from its state of silence.
void swap(const Subject& subject) {
    const Planar in = music(2, 24000, 48000);
    Hosted hosted = subject.load();
    hosted.set_state(state_with(subject.model("scream")));
    hosted.prepare({48000, 100, 2, 2});
    const auto part = [&](std::size_t from, std::size_t n) {
        Planar p;
        for (const auto& channel : in) p.emplace_back(channel.begin() + static_cast<std::ptrdiff_t>(from), channel.begin() + static_cast<std::ptrdiff_t>(from + n));
        return p;
    };
    require_close(streamed(subject.model("scream"), part(0, 12000), 48000), hosted.play(part(0, 12000), Blocks::of({100})), parity, "before");
    hosted.set_state(state_with(subject.model("opto")));
    const Planar after = hosted.play(part(12000, 12000), Blocks::of({100}));
    require_finite(after, "while it fades");
    require_close(streamed(subject.model("opto"), part(12000, 12000), 48000), after, parity, "after the fade", 720);
}

void bypass(const Subject& subject) {
    for (const bool resample : {false, true}) {
        const Planar in = music(2, 16000, 44100);
        plugin::State state = state_with(subject.model("scream"));
        state.resample = resample;
        Hosted hosted = subject.load();
        hosted.set_state(state);
        hosted.prepare({44100, 256, 2, 2});
        hosted.set("Bypass", 1.0f);
        const Planar out = hosted.play(in, Blocks::random(256, 6));
        const auto latency = static_cast<std::size_t>(resample ? hosted.latency_samples() : 0);
        for (std::size_t t = 4000; t < out[0].size(); ++t)
            require(out[0][t] == in[0][t - latency],
                    "bypassed it is not the input, " + std::to_string(latency) + " late, at sample " + std::to_string(t) + ": " +
                        std::to_string(out[0][t]) + " instead of " + std::to_string(in[0][t - latency]));
        hosted.set("Bypass", 0.0f);
        require_finite(hosted.play(in, Blocks::of({256})), "back from bypass");
    }
}

void offline(const Subject& subject) {
    const Planar in = music(2, 12000, 48000);
    Planar outs[2];
    for (const bool offline : {false, true}) {
        Hosted hosted = subject.load();
        hosted.instance().setNonRealtime(offline);
        plugin::State state = state_with(subject.model("scream"));
        for (const char* id : {"gate_on", "eq_on", "dc_block", "normalise"}) state.parameters.emplace_back(id, 1.0f);
        state.parameters.emplace_back("eq_low_db", 0.8f);
        hosted.set_state(state);
        hosted.prepare({48000, offline ? 1024 : 64, 2, 2});
        outs[offline] = hosted.play(in, Blocks::of({offline ? 1024 : 64}));
    }
    require_close(outs[0], outs[1], parity, "an offline render");
}

} // namespace

std::vector<Check> audio_checks() {
    return {
        {"stereo like serpent render", [](const Subject& s) { like_render(s, 2); }},
        {"mono like serpent render", [](const Subject& s) { if (s.format == Format::vst3) like_render(s, 1); }},
        {"mono to stereo", [](const Subject& s) { if (s.format == Format::vst3) mono_to_stereo(s); }},
        {"other sample rates", other_rates},
        {"resampled, late by what is reported", exact_rate},
        {"trims and mix like serpent render", trims_and_mix},
        {"knobs like serpent render", knobs},
        {"a model changed while it plays", swap},
        {"bypass is the delayed input", bypass},
        {"offline as in real time", offline},
    };
}

} // namespace serpent::test
