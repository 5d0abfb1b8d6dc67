// SPDX-License-Identifier: GPL-3.0-or-later
#include "state/edits.h"

#include <utility>

namespace serpent::plugin {

namespace {

constexpr int most_bytes = 64 << 20;  // of models kept in states
constexpr int least_edits = 20;       // are kept, whatever their size
constexpr juce::uint32 together_ms = 1000;

class Turn : public juce::UndoableAction {
public:
    Turn(juce::RangedAudioParameter& parameter, float before, float after) : parameter_(parameter), before_(before), after_(after) {}
    bool perform() override { return set(after_); }
    bool undo() override { return set(before_); }
    UndoableAction* createCoalescedAction(UndoableAction* next) override {
        const auto* later = dynamic_cast<Turn*>(next);
        return later && &later->parameter_ == &parameter_ ? new Turn(parameter_, before_, later->after_) : nullptr;
    }

private:
    bool set(float value) {
        if (parameter_.getValue() != value) set_by_user(parameter_, value);
        return true;
    }
    juce::RangedAudioParameter& parameter_;
    const float before_, after_;
};

/// Holds what is not there now, before or after: taking back and bringing back are the same exchange.
class Exchange : public juce::UndoableAction {
public:
    explicit Exchange(Session& session) : session_(session), other_(session.state()) {}
    bool perform() override { return std::exchange(done_, true) ? exchange() : true; }
    bool undo() override { return exchange(); }
    int getSizeInUnits() override {
        std::size_t bytes = other_.cabinet.bytes.getSize();
        for (const SourceFile& model : other_.models) bytes += model.bytes.getSize();
        return 1000 + static_cast<int>(bytes);
    }

private:
    bool exchange() {
        State now = session_.state();
        session_.restore(other_);
        other_ = std::move(now);
        return true;
    }
    Session& session_;
    State other_;
    bool done_ = false;  // the user did it the first time
};

} // namespace

Edits::Edits(Parameters& parameters, Session& session)
    : parameters_(parameters), session_(session), manager_(most_bytes, least_edits) {
    for (auto* parameter : parameters_.all) parameter->addListener(this);
}

Edits::~Edits() {
    for (auto* parameter : parameters_.all) parameter->removeListener(this);
}

juce::UndoManager& Edits::current() {
    if (stale_.exchange(false)) manager_.clearUndoHistory(), turned_ = last_turned_ = -1;
    return manager_;
}

void Edits::parameterGestureChanged(int index, bool starting) {
    if (replaying_) return;
    auto& parameter = *parameters_.all[static_cast<std::size_t>(index)];
    if (starting) {
        current();
        turned_ = index, before_ = parameter.getValue();
        return;
    }
    if (std::exchange(turned_, -1) != index || parameter.getValue() == before_) return;
    const auto now_ms = juce::Time::getMillisecondCounter();
    if (index != last_turned_ || now_ms - last_ms_ > together_ms) current().beginNewTransaction(parameter.getName(100));
    last_turned_ = index, last_ms_ = now_ms;
    manager_.perform(new Turn(parameter, before_, parameter.getValue()));
}

void Edits::remember(const juce::String& what) {
    last_turned_ = -1;
    current().beginNewTransaction(what);
    manager_.perform(new Exchange(session_));
}

void Edits::undo() {
    const juce::ScopedValueSetter<bool> replaying(replaying_, true);
    last_turned_ = -1;
    current().undo();
}

void Edits::redo() {
    const juce::ScopedValueSetter<bool> replaying(replaying_, true);
    last_turned_ = -1;
    current().redo();
}

} // namespace serpent::plugin
