// SPDX-License-Identifier: GPL-3.0-or-later
#include "processor.h"

#include "serpent/errors.h"
#include "state/presets.h"

namespace serpent::plugin {

namespace {

constexpr const char* width_attribute = "editor_width";
constexpr int longest_wait_ms = 100;

thread_local const Processor* telling_host = nullptr;  // by whom a program is announced on this thread

} // namespace

Processor::Processor()
    : AudioProcessor(BusesProperties()
                         .withInput("Input", juce::AudioChannelSet::stereo(), true)
                         .withOutput("Output", juce::AudioChannelSet::stereo(), true)),
      parameters_(*this), chain_(parameters_), session_(parameters_, chain_, [this] { call_message_thread(); }, [this] { tick(); }) {
    apply_preset(0, Session::Cause::session);
}

Processor::~Processor() {
    const std::lock_guard lock(gate_->mutex);
    gate_->open = false;
}

bool Processor::isBusesLayoutSupported(const BusesLayout& layouts) const {
    if (layouts.inputBuses.size() != 1 || layouts.outputBuses.size() != 1) return false;
    const auto mono = juce::AudioChannelSet::mono(), stereo = juce::AudioChannelSet::stereo();
    const auto in = layouts.getMainInputChannelSet(), out = layouts.getMainOutputChannelSet();
    return (in == mono && (out == mono || out == stereo)) || (in == stereo && out == stereo);
}

void Processor::prepareToPlay(double sample_rate_hz, int max_block) {
    rate_hz_ = sample_rate_hz;
    session_.prepare(sample_rate_hz, std::max(1, max_block), std::max(1, getMainBusNumInputChannels()),
                     std::max(1, getMainBusNumOutputChannels()));
    setLatencySamples(chain_.models.latency_samples());
}

void Processor::processBlock(juce::AudioBuffer<float>& audio, juce::MidiBuffer& midi) { play(audio, midi, false); }
void Processor::processBlockBypassed(juce::AudioBuffer<float>& audio, juce::MidiBuffer& midi) { play(audio, midi, true); }

void Processor::play(juce::AudioBuffer<float>& audio, const juce::MidiBuffer& midi, bool bypassed) {
    for (const auto event : midi) {  // as bytes: a juce::MidiMessage of more than eight of them allocates
        const bool program_change = event.numBytes >= 2 && (event.data[0] & 0xf0) == 0xc0;
        if (program_change) midi_program_.store(event.data[1] & 0x7f, std::memory_order_relaxed);
    }
    if (audio.getNumSamples() == 0 || audio.getNumChannels() == 0) return;
    const juce::ScopedNoDenormals no_denormals;
    for (int c = getTotalNumOutputChannels(); c < audio.getNumChannels(); ++c) audio.clear(c, 0, audio.getNumSamples());
    chain_.process(juce::dsp::AudioBlock<float>(audio), bypassed);
}

// --- programs -----------------------------------------------------------------------------------------------------------

int Processor::getNumPrograms() { return static_cast<int>(factory_preset_names().size()); }

const juce::String Processor::getProgramName(int program) {
    const auto& names = factory_preset_names();
    return program >= 0 && program < static_cast<int>(names.size()) ? names[static_cast<std::size_t>(program)] : juce::String();
}

/// Hosts choose a program on any thread, and some choose the session's before they set its state. What JUCE's VST3 wrapper
/// is told of off the message thread it reports with the next block, and it forgets none of that when a state is set: the
/// program's values would come back over those of the state. So values are announced on the message thread, a moment later
/// and as they are then.
void Processor::setCurrentProgram(int program) {
    const bool echo = telling_host == this;  // of a program that the wrapper believes to be new
    if (!echo && program >= 0 && program < getNumPrograms()) apply_preset(program, Session::Cause::program);
}

void Processor::apply(State preset, Session::Cause cause) {
    for (const auto* kept : parameters_.beside_presets()) {
        std::erase_if(preset.parameters, [&](const auto& entry) { return entry.first == kept->getParameterID(); });
        preset.parameters.emplace_back(kept->getParameterID(), kept->getValue());
    }
    session_.restore(preset, cause);
}

void Processor::apply_preset(int number, Session::Cause cause) {
    try {
        if (number < getNumPrograms()) return apply(factory_preset(number), cause);
        const auto files = user_presets();
        const auto user = static_cast<std::size_t>(number - getNumPrograms());
        if (user < files.size()) apply(read_user_preset(files[user]), cause);
    } catch (const Error& error) {
        session_.set_notice(juce::String::fromUTF8(error.what()));
    }
}

// --- state --------------------------------------------------------------------------------------------------------------

/// A host that saves just after it chose a program would keep a state with other values than it believes and shows. It is told
/// on the message thread, since from any other JUCE's wrapper does so only with the next block. On Linux, while no editor is
/// open, that is a thread of the wrapper's own and not the one on which hosts save: which waits, but not for ever, as the host
/// may have the other one wait for it.
void Processor::tell_before_saving() {
    if (!session_.values_untold(0)) return;
    if (juce::MessageManager::existsAndIsCurrentThread()) return session_.tell_values(0);
    const auto told = std::make_shared<juce::WaitableEvent>();
    const bool sent = juce::MessageManager::callAsync([this, gate = gate_, told] {
        const std::lock_guard lock(gate->mutex);
        if (gate->open) session_.tell_values(0);
        told->signal();
    });
    if (sent) told->wait(longest_wait_ms);
}

void Processor::getStateInformation(juce::MemoryBlock& data) {
    tell_before_saving();
    const auto xml = to_xml(session_.state());
    xml->setAttribute(width_attribute, editor_width.load());
    copyXmlToBinary(*xml, data);
}

void Processor::setStateInformation(const void* data, int size) {
    try {
        const auto xml = getXmlFromBinary(data, size);
        if (!xml) throw Error("The session's data for Serpent is damaged; the sound was left as it is");
        const State state = from_xml(*xml);
        editor_width = juce::jlimit(0, 10000, xml->getIntAttribute(width_attribute));
        session_.restore(state, Session::Cause::session);
        edits_.forget();
    } catch (const std::exception& error) {
        session_.set_notice(juce::String::fromUTF8(error.what()));
    }
}

// --- the message thread's share -------------------------------------------------------------------------------------------

/// On the loader's thread: what the audio thread and the players have left to do.
void Processor::tick() {
    if (chain_.models.latency_samples() != getLatencySamples() || midi_program_.load() >= 0 || session_.values_untold())
        call_message_thread();
}

void Processor::call_message_thread() {
    if (gate_->message_under_way.exchange(true)) return;
    juce::MessageManager::callAsync([this, gate = gate_] {
        const std::lock_guard lock(gate->mutex);
        gate->message_under_way = false;
        if (gate->open) on_message_thread();
    });
}

void Processor::on_message_thread() {
    if (const int program = midi_program_.exchange(-1); program >= 0) apply_preset(program);
    session_.finish_loads();
    session_.tell_values();
    setLatencySamples(chain_.models.latency_samples());
    const juce::ScopedValueSetter<const Processor*> telling(telling_host, this);
    updateHostDisplay(ChangeDetails().withParameterInfoChanged(true).withProgramChanged(true)
                          .withNonParameterStateChanged(session_.take_touched()));
    changes.sendSynchronousChangeMessage();
}

} // namespace serpent::plugin
