// SPDX-License-Identifier: GPL-3.0-or-later
// A system that starts no further thread: no host ends of it, the window says so, and the next load tries again.
#include "processor_fixture.h"

#include <catch2/catch.hpp>

#include <pthread.h>

#include <system_error>
#include <thread>

using namespace serpent::plugin;
using namespace serpent::test;

namespace {

/// As long as it lives, threads ask for a stack that no address space has, and the system refuses them (EAGAIN) as it does at
/// the limit of processes, which does not hold for root.
class NoThreads {
public:
    NoThreads() {
        pthread_getattr_default_np(&before_);
        pthread_attr_t huge;
        pthread_attr_init(&huge);
        pthread_attr_setstacksize(&huge, std::size_t{1} << 47);
        pthread_setattr_default_np(&huge);
        pthread_attr_destroy(&huge);
    }
    ~NoThreads() {
        pthread_setattr_default_np(&before_);
        pthread_attr_destroy(&before_);
    }

private:
    pthread_attr_t before_;
};

constexpr const char* said = "starts no further thread";

} // namespace

TEST_CASE("a plugin that gets no thread plays its program, says so, and loads when there is one", "[threads]") {
    Ready warm;  // JUCE's own threads
    std::unique_ptr<Processor> processor;
    {
        const NoThreads none;
        REQUIRE_THROWS_AS(std::thread([] {}), std::system_error);
        REQUIRE_NOTHROW(processor = std::make_unique<Processor>());
        Session& session = processor->session();
        CHECK(session.newest_problem().contains(said));
        REQUIRE(session.model(0).content);  // the first program's
        processor->setRateAndBufferSizeDetails(48000.0, 256);
        processor->prepareToPlay(48000.0, 256);
        CHECK(session.newest_problem().contains(said));

        const juce::String first = session.model(0).content->file.sha256;
        session.dismiss_problems();
        session.load_model(0, model_file("scream"));
        CHECK(session.newest_problem().contains(said));
        CHECK_FALSE(session.model(0).loading);
        CHECK_FALSE(session.busy());
        session.dismiss_problems();
        session.load_cabinet(juce::File(SERPENT_ASSETS));
        CHECK(session.newest_problem().contains(said));
        CHECK_FALSE(session.cabinet().loading);
        CHECK(session.model(0).content->file.sha256 == first);
        const std::unique_ptr<Processor> another = std::make_unique<Processor>();  // and goes without ever having had one
    }
    Session& session = processor->session();
    session.load_model(0, model_file("scream"));
    CHECK(session.newest_problem().isEmpty());
    for (int i = 0; i < 1000 && session.busy(); ++i) Ready::pump(5);
    Ready::pump(60);
    CHECK(session.model(0).content->file.path == model_file("scream").getFullPathName());
    CHECK(session.newest_problem().isEmpty());
}

TEST_CASE("a program or a session tries for a thread, too", "[threads]") {
    Ready warm;
    std::unique_ptr<Processor> processor;
    {
        const NoThreads none;
        processor = std::make_unique<Processor>();
        processor->apply_preset(1);
        CHECK(processor->session().newest_problem().contains(said));
    }
    processor->apply_preset(2);
    CHECK(processor->session().newest_problem().isEmpty());
}
