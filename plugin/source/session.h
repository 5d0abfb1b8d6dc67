// SPDX-License-Identifier: GPL-3.0-or-later
// What is loaded, and everything that changes it: files, presets, the host's sessions.
#pragma once

#include "chain/chain.h"
#include "library/capture.h"
#include "library/loader.h"
#include "parameters.h"
#include "state/state.h"

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

namespace serpent::plugin {

/// What the editor shows of a slot or the cabinet. A missing file keeps its place: `wanted` is written back to the session.
template <class Content>
struct Holding {
    std::shared_ptr<const Content> content;  ///< null: nothing, or missing
    SourceFile wanted;                       ///< not empty: what could not be found
    juce::String problem;                    ///< for people; empty: none
    bool loading = false;
};

/// Thread-safe, but not for the audio thread. What the user asks for is read and built on a background thread and then fades
/// in; what the host restores is there when restore() returns, so that an offline render starts with the right sound.
class Session {
public:
    /// `changed` is called on any thread when there is something new to show or to tell the host, `tick` every 50 ms.
    Session(Parameters& parameters, Chain& chain, std::function<void()> changed, std::function<void()> tick);
    ~Session();

    void prepare(double sample_rate_hz, int max_block, int in_channels, int out_channels);

    State state() const;
    /// Who wants a state. The host hears at once of what the user changes, and is to save it; of a program's values it hears from
    /// tell_values(); what it restores it knows.
    enum class Cause { user, program, session };
    /// Never throws: what cannot be loaded becomes a problem of its slot, and the rest is restored.
    void restore(const State& state, Cause cause = Cause::user);
    /// Longer than a host takes from a program to the state that it sets next.
    static constexpr juce::uint32 tell_after_ms = 150;
    /// Whether there is something for tell_values().
    bool values_untold(juce::uint32 since_ms = tell_after_ms) const;
    /// For the message thread: tells the host of what a program changed that long ago, as it is now.
    void tell_values(juce::uint32 since_ms = tell_after_ms);

    void load_model(int slot, const juce::File& file);
    /// A model that restore() could not find: as load_model(), but the knobs stay as the session has them.
    void relink_model(int slot, const juce::File& file);
    void load_factory_model(int slot, const juce::String& id);
    void clear_model(int slot);
    /// The model and its knobs' values.
    void copy_model(int from, int to);
    void load_cabinet(const juce::File& file);
    void clear_cabinet();
    void set_rate_options(bool resample, int oversampling);
    void set_preset(int program, const juce::String& name);

    Holding<Capture> model(int slot) const;
    Holding<Impulse> cabinet() const;
    bool resamples() const;
    int oversampling() const;
    juce::String preset_name() const;
    /// Whether anything that presets decide differs from what that one was.
    bool preset_modified() const;
    int program() const;
    /// A problem of no slot, such as a damaged session.
    juce::String notice() const;
    /// What to tell the user: of the problems that there are the one that came last; empty: none.
    juce::String newest_problem() const;
    void set_notice(const juce::String& text);
    void dismiss_problems();
    bool busy() const { return !loader_.idle(); }
    /// How long the sound goes on after the input. For the audio thread, too.
    double tail_s() const noexcept { return models_tail_s_.load(std::memory_order_relaxed) + chain_.cabinet.length_s(); }
    /// Whether the user changed something that is no parameter, since the last call.
    bool take_touched() { return touched_.exchange(false); }

    /// The second half of a load by the user, for the message thread: gives the knobs to the new model.
    void finish_loads();

private:
    /// False: the system has no thread to load on, and a notice says so.
    bool can_load();
    /// Something of the user's has changed.
    void touch() {
        touched_ = true;
        changed_();
    }
    using MakeCapture = std::function<std::shared_ptr<const Capture>()>;

    enum class Knobs { defaults, kept };
    void load_in_background(int slot, Knobs knobs, MakeCapture make);
    void restore_model(int slot, const SourceFile& file);
    void restore_cabinet(const SourceFile& file);
    /// All that a preset decides, to be compared.
    struct Sound {
        std::vector<float> values;
        juce::StringArray files;
        bool resample;
        int oversampling;
        bool operator==(const Sound&) const = default;
    };
    Sound sound() const;
    void restore_parameters(const State& state, Cause cause);
    void apply_rate_options(bool resample, int oversampling);
    void show_controls(int slot, const Capture* capture);
    void hold(int slot, Holding<Capture> holding);
    void tell(juce::String& place, const juce::String& problem);

    Parameters& parameters_;
    Chain& chain_;
    const std::function<void()> changed_;

    mutable std::recursive_mutex mutex_;  // of everything below; setting a parameter may call back
    std::array<Holding<Capture>, slot_count> models_;
    std::array<bool, slot_count> knobs_due_{};       // finish_loads() has to show and release them
    std::array<Knobs, slot_count> knobs_{};          // what it does with their values
    std::array<int, slot_count> generation_{};       // the latest request wins
    Holding<Impulse> cabinet_;
    int cabinet_generation_ = 0;
    bool resample_ = false;
    int oversampling_ = 1, program_ = 0;
    juce::String preset_, notice_;
    std::optional<Sound> preset_sound_;  // none: the session was saved with a preset that had been modified
    std::vector<juce::AudioProcessorParameter*> untold_;
    juce::uint32 untold_since_ms_ = 0;
    juce::String refused_;  // what of notice_ is from prepare()
    /// The newest last.
    std::array<juce::String*, slot_count + 2> problems_{&notice_, &models_[0].problem, &models_[1].problem, &cabinet_.problem};

    std::atomic<double> models_tail_s_{0.0};
    std::atomic<bool> touched_{false};

    Loader loader_;  // last: its jobs use the rest
};

} // namespace serpent::plugin
