// SPDX-License-Identifier: GPL-3.0-or-later
// JUCE runs while the tests do, and is gone before anything static is.
#include <juce_gui_basics/juce_gui_basics.h>

#define CATCH_CONFIG_EXTERNAL_INTERFACES
#include <catch2/catch.hpp>

#include <optional>

namespace {

struct JuceRuns : Catch::TestEventListenerBase {
    using TestEventListenerBase::TestEventListenerBase;
    void testRunStarting(const Catch::TestRunInfo&) override { juce_.emplace(); }
    void testRunEnded(const Catch::TestRunStats&) override { juce_.reset(); }

private:
    std::optional<juce::ScopedJuceInitialiser_GUI> juce_;
};

} // namespace

CATCH_REGISTER_LISTENER(JuceRuns)
