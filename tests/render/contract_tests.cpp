// SPDX-License-Identifier: GPL-3.0-or-later
// serpent/errors.h: whatever is wrong, what leaves the library is an Error with a sentence for a person.
#include "generator/example_generator.h"
#include "model/example_model.h"
#include "render/gain_model.h"
#include "serpent/capture.h"
#include "serpent/errors.h"
#include "serpent/generator.h"
#include "serpent/generator_training.h"
#include "serpent/live.h"
#include "serpent/player.h"
#include "serpent/render_file.h"
#include "serpent/training.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <fstream>
#include <functional>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace serpent;
using Catch::Contains;

namespace {

std::shared_ptr<const TrainingSet> recordings() {
    TrainingSet set;
    std::vector<float> audio(20000);
    for (std::size_t t = 0; t < audio.size(); ++t) audio[t] = 0.3f * std::sin(0.05f * float(t));
    set.train = {{{audio}, {audio}, {}}};
    return std::make_shared<const TrainingSet>(set);
}

std::shared_ptr<const GeneratorModel> generator() {
    return std::make_shared<const GeneratorModel>(test::example_generator("two"));
}

std::shared_ptr<const GeneratorData> sung() {
    const GeneratorConfig config = test::example_config("two");
    GeneratorData data;
    data.sample_rate = config.sample_rate;
    data.conditions = config.conditions;
    const std::vector<int> unsaid(config.conditions.size(), 0);
    data.train = data.valid = {{"a.wav", std::vector<std::uint8_t>(4000, 140), unsaid}};
    return std::make_shared<const GeneratorData>(data);
}

GeneratorTrainOptions generator_options() {
    GeneratorTrainOptions o;
    o.config = test::example_config("two");
    o.threads = 1;
    return o;
}

struct Part {
    const char* name;
    std::function<void()> work;
};

/// What `work` threw in a process of its own, after `limit` took hold there: the message of an Error, else what else it was.
std::string thrown_under(const std::function<bool()>& limit, const std::function<void()>& work) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        std::string said = "nothing";
        if (!limit()) said = "no limit";
        else try {
            work();
        } catch (const Error& error) {
            said = error.what();
        } catch (const std::exception& error) {
            said = std::string("not an Error: ") + error.what();
        }
        const bool written = ::write(ends[1], said.data(), said.size()) == static_cast<ssize_t>(said.size());
        ::_exit(written ? 0 : 1);
    }
    ::close(ends[1]);
    std::string said(4096, '\0');
    const ssize_t n = ::read(ends[0], said.data(), said.size());
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    said.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return status == 0 ? said : "the process died, status " + std::to_string(status);
}

bool leave_100_mib() {
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlim_t most = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + (std::size_t{100} << 20);
    const rlimit limit{most, most};
    return ::setrlimit(RLIMIT_AS, &limit) == 0;
}

/// Root is not bound by it.
bool leave_no_thread() {
    if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) return false;
    const rlimit limit{0, 0};
    return ::setrlimit(RLIMIT_NPROC, &limit) == 0;
}

} // namespace

TEST_CASE("no model and no data are Errors", "[errors]") {
    const std::shared_ptr<const Model> none;
    const std::shared_ptr<const GeneratorModel> no_generator;
    CHECK_THROWS_WITH(Renderer(none), Contains("needs a model"));
    CHECK_THROWS_WITH(Stream(none), Contains("needs a model"));
    CHECK_THROWS_WITH(Generator(no_generator), Contains("needs a model"));
    CHECK_THROWS_WITH(LiveSession(none, {}), Contains("needs a model"));
    CHECK_THROWS_WITH(LiveSession(no_generator, {}), Contains("needs a generator"));
    CHECK_THROWS_WITH(render_file(none, "a.wav", "b.wav"), Contains("needs a model"));
    CHECK_THROWS_WITH(render_audio(none, {}), Contains("needs a model"));
    CHECK_THROWS_WITH(Trainer(nullptr, TrainOptions{}), Contains("needs recordings"));
    CHECK_THROWS_WITH(Trainer::resume(nullptr, "checkpoint"), Contains("needs recordings"));
    CHECK_THROWS_WITH(GeneratorTrainer(nullptr, generator_options()), Contains("needs recordings"));
    CHECK_THROWS_WITH(GeneratorTrainer::resume(nullptr, "checkpoint"), Contains("needs recordings"));
    Player player;
    CHECK_NOTHROW(player.load(nullptr));  // the unchanged input
}

TEST_CASE("models and audio that are not whole are Errors", "[errors]") {
    Model no_channels = gain_model({1.0f}), short_weights = no_channels;
    no_channels.config.channels = 0;
    short_weights.weights.decoder_weight = {};
    for (const Model& broken : {no_channels, short_weights}) {
        const auto model = std::make_shared<const Model>(broken);
        CHECK_THROWS_AS(Renderer(model), Error);
        CHECK_THROWS_AS(Stream(model), Error);
        CHECK_THROWS_AS(LiveSession(model, {}), Error);
        Player player;
        player.prepare(48000, 64, 2);
        CHECK_THROWS_AS(player.load(model), Error);
    }
    const auto model = shared_gain_model({1.0f});
    CHECK_THROWS_AS(render_audio(model, {}), Error);
    CHECK_THROWS_AS(render_audio(model, {0, {{1.0f}}}), Error);
    CHECK_THROWS_AS(render_audio(model, {48000, {{1.0f, 2.0f}, {1.0f}}}), Error);
    GeneratorData data = *sung();
    data.train.front().conditions.push_back(9);
    CHECK_THROWS_AS(bits_per_sample(*generator(), data.train), Error);
    CHECK_THROWS_AS(GeneratorTrainer(std::make_shared<const GeneratorData>(data), generator_options()), Error);
}

TEST_CASE("an instruction set that is not there is an Error of everything that computes", "[errors]") {
    const auto model = shared_gain_model({1.0f});
    TrainOptions train = train_preset("nano");
    train.threads = 1;
    const Part parts[] = {{"Renderer", [&] { Renderer{model}; }},
                          {"Stream", [&] { Stream{model}; }},
                          {"Player", [&] { Player p; p.prepare(48000, 64, 1); p.load(model); }},
                          {"LiveSession", [&] { LiveSession s(model, {}); s.prepare(48000, 64, 1, 1); }},
                          {"LiveSession, generator", [&] { LiveSession s(generator(), {}); s.prepare(48000, 64, 1, 1); }},
                          {"render_audio", [&] { render_audio(model, {48000, {{1.0f}}}); }},
                          {"Generator", [&] { Generator{generator()}; }},
                          {"bits_per_sample", [&] { bits_per_sample(*generator(), sung()->valid, 1); }},
                          {"Trainer", [&] { Trainer(recordings(), train); }},
                          {"GeneratorTrainer", [&] { GeneratorTrainer(sung(), generator_options()); }}};
    for (const Part& part : parts) {
        CAPTURE(part.name);
        CHECK_NOTHROW(part.work());
        const std::string said = thrown_under([] { return ::setenv("SERPENT_ISA", "abacus", 1) == 0; }, part.work);
        CHECK_THAT(said, Contains("SERPENT_ISA is \"abacus\"") && !Contains("not an Error"));
    }
}

TEST_CASE("a thread that the system does not start is an Error where it is needed, else not missed", "[errors]") {
    LiveSession session(generator(), {});
    CHECK_THAT(thrown_under(leave_no_thread, [&] { session.prepare(48000, 64, 1, 1, 0.02); }), Contains("no further thread"));
    CHECK(thrown_under(leave_no_thread, [&] { session.prepare(48000, 64, 1, 1); }) == "nothing");
    const auto model = shared_gain_model({1.0f});
    CHECK(thrown_under(leave_no_thread, [&] { if (Renderer(model, {.threads = 8}).threads() != 1) throw Error("more than one"); }) ==
          "nothing");
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which take terabytes of address space
TEST_CASE("too little memory is an Error that says for what", "[errors]") {
    const auto model = shared_gain_model({1.0f});
    ModelConfig wide_config;
    wide_config.d_model = 32;
    const auto wide = std::make_shared<const Model>(test::random_model(wide_config));
    Renderer renderer(model, {.threads = 8, .chunk = 65536});  // process() takes memory before it wakes a thread, of which a child has none
    std::vector<float> audio(8 * 16 * 65536);
    float* const channel = audio.data();
    TrainOptions train = train_preset("nano");
    train.threads = 1;
    train.schedule.lanes = 4096;
    TrainOptions spectral = train;
    spectral.schedule.mrstft_weight = 1;
    GeneratorTrainOptions generate = generator_options();
    generate.schedule.segment = 65536;
    LiveSession session(model, {});
    Player player;
    player.load(model);
    const AudioBuffer long_audio{44100, {std::vector<float>(12'000'000)}};
    const Part parts[] = {{"Renderer", [&] { Renderer(wide, {.chunk = 65536}); }},
                          {"Renderer::process()", [&] { renderer.process(&channel, &channel, audio.size()); }},
                          {"render_audio", [&] { render_audio(model, long_audio); }},
                          {"resampled", [&] { resampled(long_audio, 96000); }},
                          {"Stream", [&] { Stream(model, {.instances = 1'000'000}); }},
                          {"Stream::prepare()", [&] { Stream(model, {.rate_mode = RateMode::resample}).prepare(44100, 100'000'000); }},
                          {"Player::prepare()", [&] { player.prepare(48000, 64, 1'000'000); }},
                          {"LiveSession", [&] { session.prepare(48000, 1'000'000'000, 1, 1); }},
                          {"capture_signal", [&] { capture_signal(384000, 600); }},
                          {"Trainer", [&] { Trainer(recordings(), train); }},
                          {"Trainer, MR-STFT", [&] { Trainer(recordings(), spectral); }},
                          {"GeneratorTrainer", [&] { GeneratorTrainer(sung(), generate); }}};
    for (const Part& part : parts) {
        CAPTURE(part.name);
        const std::string said = thrown_under(leave_100_mib, part.work);
        CHECK_THAT(said, Contains("not enough memory to ") && !Contains("not an Error"));
    }
}
#endif
