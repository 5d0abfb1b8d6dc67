// SPDX-License-Identifier: GPL-3.0-or-later
// The C API, from the shared library, against the C++ library in the same program: the same bits for every kind of model. That
// both are there at a time also shows that the shared one keeps its own C++ to itself.
#include "serpent/render_file.h"
#include "serpent/serpent.h"
#include "stream/stream_helpers.h"

#include <catch2/catch.hpp>

using namespace serpent;
using namespace serpent::test;

namespace {

const char* const captures[] = {"two_arrays", "everything", "lstm", "conv_net", "linear"};
const char* const golden[] = {"film_8_16_4_2", "stereo_6_12_4_2", "rotating_8_8_4_6", "mixed_6_12_6_4", "bf16_8_8_4_3"};

std::vector<std::string> paths() {
    std::vector<std::string> paths;
    for (const std::string name : captures) paths.push_back(SERPENT_TEST_DATA "/nam/" + name + ".nam");
    for (const std::string name : golden) paths.push_back(SERPENT_TEST_DATA "/models/" + name + ".safetensors");
    paths.push_back(SERPENT_ASSETS "/models/zamcomp_knobs.safetensors");
    return paths;
}

/// What Stream and Player look like to the helpers, over the C API.
struct CStream {
    serpent_stream* handle = nullptr;

    CStream(const serpent_model* model, double rate_hz, const serpent_stream_options& options) {
        REQUIRE(serpent_stream_create(model, rate_hz, 64, &options, &handle) == SERPENT_OK);
    }
    CStream(const CStream&) = delete;
    CStream& operator=(const CStream&) = delete;
    ~CStream() { serpent_stream_free(handle); }

    void process(const float* const* in, float* const* out, int n) {
        CHECK(serpent_stream_process(handle, in, out, n) == SERPENT_OK);
    }
};

struct CModel {
    serpent_model* handle = nullptr;

    explicit CModel(const std::string& path) { REQUIRE(serpent_model_load(path.c_str(), &handle) == SERPENT_OK); }
    CModel(const CModel&) = delete;
    CModel& operator=(const CModel&) = delete;
    ~CModel() { serpent_model_free(handle); }
};

std::vector<const float*> pointers(const Planar& signal) {
    std::vector<const float*> all;
    for (const auto& channel : signal) all.push_back(channel.data());
    return all;
}

std::vector<float*> pointers(Planar& signal) {
    std::vector<float*> all;
    for (auto& channel : signal) all.push_back(channel.data());
    return all;
}

} // namespace

TEST_CASE("a C stream plays the bits of a Stream", "[c_api]") {
    for (const std::string& path : paths()) {
        const CModel c_model(path);
        const auto model = std::make_shared<const Model>(Model::load(path));
        for (const double rate_hz : {44100.0, 48000.0})
            for (const bool resample : {false, true})
                for (const int oversampling : {1, 2}) {
                    if (model->nam && oversampling > 1) continue;
                    CAPTURE(path, rate_hz, resample, oversampling);
                    Stream stream(model, {.instances = 2, .rate_mode = resample ? RateMode::resample : RateMode::scale_dt,
                                          .oversampling = oversampling});
                    stream.prepare(rate_hz, 64);
                    CStream c_stream(c_model.handle, rate_hz,
                                           {sizeof(serpent_stream_options), 2, oversampling,
                                            resample ? SERPENT_RATE_RESAMPLE : SERPENT_RATE_SCALE_STEPS, SERPENT_START_SILENCE});
                    REQUIRE(serpent_stream_channels(c_stream.handle) == stream.channels());
                    CHECK(serpent_stream_latency(c_stream.handle) == stream.latency_samples());
                    stream.set_control(0, 7.0f);
                    serpent_stream_set_control(c_stream.handle, 0, 7.0f);
                    const Planar in = noise(static_cast<std::size_t>(stream.channels()), 1000);
                    CHECK(play(c_stream, in, {64, 1, 100}) == play(stream, in, {64, 1, 100}));
                }
    }
}

TEST_CASE("a C stream goes on from a saved state", "[c_api]") {
    for (const std::string& path : paths()) {
        CAPTURE(path);
        const CModel model(path);
        const serpent_stream_options options{sizeof options, 3, 0, 0, SERPENT_START_ZERO};
        const double rate_hz = serpent_model_sample_rate(model.handle);
        CStream first(model.handle, rate_hz, options), second(model.handle, rate_hz, options);
        const Planar in = noise(static_cast<std::size_t>(serpent_stream_channels(first.handle)), 700);
        play(first, in, {64});
        std::vector<std::byte> state(serpent_stream_state_size(first.handle));
        REQUIRE(serpent_stream_save_state(first.handle, state.data(), state.size()) == SERPENT_OK);
        REQUIRE(serpent_stream_load_state(second.handle, state.data(), state.size()) == SERPENT_OK);
        CHECK(play(second, in, {64}) == play(first, in, {64}));
        serpent_stream_reset(second.handle);
        CHECK(play(second, in, {64}) != play(first, in, {64}));
    }
}

TEST_CASE("serpent_render() gives the bits of render_audio()", "[c_api]") {
    for (const std::string& path : paths()) {
        const CModel c_model(path);
        const auto model = std::make_shared<const Model>(Model::load(path));
        for (const int rate_hz : {44100, 48000}) {
            CAPTURE(path, rate_hz);
            const Planar in = noise(static_cast<std::size_t>(model->config.channels), 3000);
            std::vector<float> controls(model->config.controls.size(), 0.9f);
            const AudioBuffer expected = render_audio(model, {rate_hz, in}, {.controls = controls, .threads = 1});
            Planar out(in.size(), std::vector<float>(in[0].size(), NAN));
            const int channels = static_cast<int>(in.size());
            const serpent_render_options options{sizeof options, controls.empty() ? nullptr : controls.data(),
                                                 static_cast<int>(controls.size()), 2, SERPENT_DEVICE_CPU, SERPENT_START_SILENCE};
            REQUIRE(serpent_render(c_model.handle, rate_hz, in[0].size(), pointers(in).data(), channels, pointers(out).data(),
                                   channels, &options) == SERPENT_OK);
            CHECK(out == expected.channels);
        }
    }
}

TEST_CASE("one channel is given to all of a stereo model", "[c_api]") {
    const std::string path = SERPENT_TEST_DATA "/models/stereo_6_12_4_2.safetensors";
    const CModel model(path);
    const Planar in = noise(1, 500);
    const AudioBuffer expected = render_audio(std::make_shared<const Model>(Model::load(path)), {48000, in});
    Planar out = silence(2, 500);
    REQUIRE(serpent_render(model.handle, 48000, 500, pointers(in).data(), 1, pointers(out).data(), 2, nullptr) == SERPENT_OK);
    CHECK(out == expected.channels);
}

TEST_CASE("a C model says what its file says", "[c_api]") {
    for (const std::string& path : paths()) {
        CAPTURE(path);
        const Model model = Model::load(path);
        const std::string bytes = read_bytes(path);
        serpent_model* c_model = nullptr;
        REQUIRE(serpent_model_load_memory(bytes.data(), bytes.size(), nullptr, &c_model) == SERPENT_OK);
        const auto text = [&](const char* key) { return std::string(serpent_model_text(c_model, key)); };
        CHECK(text("name") == model.metadata.name);
        CHECK(text("author") == model.metadata.author);
        CHECK(text("license") == model.metadata.license);
        CHECK(text("description") == model.metadata.description);
        CHECK(text("gear") == model.metadata.gear);
        CHECK(text("training") == model.metadata.training);
        CHECK(text("kind") == model.config.kind);
        for (const auto& [key, value] : model.metadata.other) CHECK(text(key.c_str()) == value);
        CHECK(serpent_model_sample_rate(c_model) == model.config.sample_rate);
        CHECK(serpent_model_channels(c_model) == model.config.channels);
        CHECK(std::isnan(serpent_model_loudness_db(c_model)) != model.metadata.loudness_db.has_value());
        REQUIRE(serpent_model_control_count(c_model) == static_cast<int>(model.config.controls.size()));
        for (int i = 0; i < serpent_model_control_count(c_model); ++i) {
            const Control& control = model.config.controls[static_cast<std::size_t>(i)];
            CHECK(serpent_model_control_name(c_model, i) == control.name);
            CHECK(serpent_model_control_unit(c_model, i) == control.unit);
            CHECK(serpent_model_control_min(c_model, i) == control.min);
            CHECK(serpent_model_control_max(c_model, i) == control.max);
            CHECK(serpent_model_control_default(c_model, i) == control.default_value);
        }
        serpent_model_free(c_model);
    }
}
