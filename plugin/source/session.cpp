// SPDX-License-Identifier: GPL-3.0-or-later
#include "session.h"

#include "library/factory.h"
#include "serpent/errors.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace serpent::plugin {

namespace {

constexpr const char* no_thread = "The system starts no further thread for Serpent to load files on; end other programs, or raise the limit "
                                  "of processes (ulimit -u), and load again";

std::size_t index(int slot) { return static_cast<std::size_t>(slot); }

std::vector<float> defaults(const Model& model) {
    std::vector<float> values;
    for (const Control& control : model.config.controls) values.push_back(control.default_value);
    return values;
}

juce::String message(const std::exception& error) { return juce::String::fromUTF8(error.what()); }

} // namespace

Session::Session(Parameters& parameters, Chain& chain, std::function<void()> changed, std::function<void()> tick)
    : parameters_(parameters), chain_(chain), changed_(std::move(changed)), loader_([this, tick = std::move(tick)] {
          chain_.models.collect();
          chain_.cabinet.collect();
          tick();
      }) {}

Session::~Session() = default;

void Session::prepare(double sample_rate_hz, int max_block, int in_channels, int out_channels) {
    const std::lock_guard lock(mutex_);
    juce::String refused;
    try {
        chain_.prepare(sample_rate_hz, max_block, in_channels, out_channels);
    } catch (const Error& error) {
        refused = message(error);
    }
    for (int slot = 0; slot < slot_count; ++slot) {  // one that an earlier channel layout refused
        const Holding<Capture> held = models_[index(slot)];
        const auto& capture = held.content;
        if (!capture && !held.wanted.empty()) {
            restore_model(slot, held.wanted);
            chain_.models.release(slot);
        }
        if (!capture || chain_.models.loaded(slot)) continue;
        try {
            chain_.models.hold_and_load(slot, capture->model, capture->loudness_db, parameters_.control_values(slot, *capture->model));
        } catch (const Error& error) {
            refused = message(error);
        }
        chain_.models.release(slot);
    }
    if (refused.isNotEmpty() || notice_ == refused_) tell(notice_, refused);
    refused_ = refused;
    changed_();
}

// --- restoring --------------------------------------------------------------------------------------------------------

State Session::state() const {
    const std::lock_guard lock(mutex_);
    State state;
    for (const auto* parameter : parameters_.all) state.parameters.emplace_back(parameter->getParameterID(), parameter->getValue());
    for (std::size_t slot = 0; slot < models_.size(); ++slot)
        state.models[slot] = models_[slot].content ? models_[slot].content->file : models_[slot].wanted;
    state.cabinet = cabinet_.content ? cabinet_.content->file : cabinet_.wanted;
    state.resample = resample_, state.oversampling = oversampling_;
    state.program = program_, state.preset = preset_, state.modified = preset_modified();
    return state;
}

Session::Sound Session::sound() const {
    Sound sound{{}, {}, resample_, oversampling_};
    const auto beside = parameters_.beside_presets();
    for (const auto* parameter : parameters_.all)
        if (std::find(beside.begin(), beside.end(), parameter) == beside.end()) sound.values.push_back(parameter->getValue());
    for (const auto& held : models_) sound.files.add(held.content ? held.content->file.sha256 : held.wanted.sha256);
    sound.files.add(cabinet_.content ? cabinet_.content->file.sha256 : cabinet_.wanted.sha256);
    return sound;
}

bool Session::preset_modified() const {
    const std::lock_guard lock(mutex_);
    return !preset_sound_ || *preset_sound_ != sound();
}

void Session::restore_parameters(const State& state, Cause cause) {
    if (cause == Cause::session) untold_.clear();
    for (auto* parameter : parameters_.all) {
        const auto found = std::find_if(state.parameters.begin(), state.parameters.end(),
                                        [&](const auto& entry) { return entry.first == parameter->getParameterID(); });
        const float value = found != state.parameters.end() ? found->second : parameter->getDefaultValue();
        if (parameter->getValue() == value) continue;
        if (cause != Cause::program) {
            parameter->setValueNotifyingHost(value);
        } else {
            parameter->setValue(value);
            untold_.push_back(parameter), untold_since_ms_ = juce::Time::getMillisecondCounter();
        }
    }
}

bool Session::values_untold(juce::uint32 since_ms) const {
    const std::lock_guard lock(mutex_);
    return !untold_.empty() && juce::Time::getMillisecondCounter() - untold_since_ms_ >= since_ms;
}

void Session::tell_values(juce::uint32 since_ms) {
    std::vector<juce::AudioProcessorParameter*> due;
    {
        const std::lock_guard lock(mutex_);
        if (values_untold(since_ms)) due.swap(untold_);
    }
    for (auto* parameter : due) parameter->sendValueChangedMessageToListeners(parameter->getValue());
}

void Session::show_controls(int slot, const Capture* capture) {
    auto& controls = parameters_.controls[index(slot)];
    for (std::size_t i = 0; i < controls.size(); ++i) {
        const bool used = capture && i < capture->model->config.controls.size();
        controls[i]->show(used ? &capture->model->config.controls[i] : nullptr);
    }
}

void Session::hold(int slot, Holding<Capture> holding) {
    juce::String& problem = models_[index(slot)].problem;
    if (holding.problem != problem) tell(problem, holding.problem);  // prepare() finds the same files missing again
    models_[index(slot)] = std::move(holding);
    double tail_s = 0.0;
    for (const auto& held : models_)
        if (held.content) tail_s = std::max(tail_s, held.content->tail_s);
    models_tail_s_ = tail_s;
}

void Session::restore_model(int slot, const SourceFile& file) {
    ++generation_[index(slot)];
    knobs_due_[index(slot)] = false;
    std::shared_ptr<const Capture> capture;
    juce::String problem;
    try {
        if (!file.empty()) capture = make_capture(file, find_bytes(file));
        if (capture)
            chain_.models.hold_and_load(slot, capture->model, capture->loudness_db, parameters_.control_values(slot, *capture->model));
    } catch (const std::exception& error) {
        problem = message(error);
        capture = nullptr;
    }
    if (!capture) chain_.models.hold_and_load(slot, nullptr, {}, {});
    show_controls(slot, capture.get());
    hold(slot, {capture, capture ? SourceFile{} : file, problem, false});
}

void Session::restore_cabinet(const SourceFile& file) {
    ++cabinet_generation_;
    std::shared_ptr<const Impulse> impulse;
    juce::String problem;
    try {
        if (!file.empty()) impulse = make_impulse(file, find_bytes(file));
        chain_.cabinet.load(impulse ? impulse->audio : nullptr);
    } catch (const std::exception& error) {
        problem = message(error);
        impulse = nullptr;
        chain_.cabinet.load(nullptr);
    }
    tell(cabinet_.problem, problem);
    cabinet_ = {impulse, impulse ? SourceFile{} : file, problem, false};
}

void Session::restore(const State& state, Cause cause) {
    if (cause == Cause::user) touched_ = true;
    {
        const std::lock_guard lock(mutex_);
        for (int slot = 0; slot < slot_count; ++slot) chain_.models.hold(slot);  // no new knob reaches an old model
        notice_.clear();
        can_load();
        restore_parameters(state, cause);
        if (state.resample != resample_ || state.oversampling != oversampling_) apply_rate_options(state.resample, state.oversampling);
        for (int slot = 0; slot < slot_count; ++slot) restore_model(slot, state.models[index(slot)]);
        for (int slot = 0; slot < slot_count; ++slot) chain_.models.release(slot);
        restore_cabinet(state.cabinet);
        program_ = state.program, preset_ = state.preset;
        preset_sound_ = state.modified ? std::nullopt : std::optional(sound());
    }
    changed_();
}

// --- what the user asks for ---------------------------------------------------------------------------------------------

bool Session::can_load() {
    const std::lock_guard lock(mutex_);
    const bool can = loader_.start();
    if (!can || notice_ == no_thread) tell(notice_, can ? juce::String() : no_thread);
    return can;
}

void Session::load_in_background(int slot, Knobs knobs, MakeCapture make) {
    if (!can_load()) return changed_();
    int mine = 0;
    touched_ = true;
    {
        const std::lock_guard lock(mutex_);
        mine = ++generation_[index(slot)];
        models_[index(slot)].loading = true;
    }
    changed_();
    loader_.run([this, slot, mine, knobs, make = std::move(make)] {
        std::shared_ptr<const Capture> capture;
        juce::String problem;
        try {
            capture = make();
        } catch (const std::exception& error) {
            problem = message(error);
        }
        {
            const std::lock_guard lock(mutex_);
            if (generation_[index(slot)] != mine) return;
            Holding<Capture>& held = models_[index(slot)];
            held.loading = false;
            if (capture) try {
                    chain_.models.hold_and_load(slot, capture->model, capture->loudness_db,
                                                knobs == Knobs::defaults ? defaults(*capture->model)
                                                                         : parameters_.control_values(slot, *capture->model));
                    hold(slot, {capture, {}, {}, false});
                    knobs_due_[index(slot)] = true, knobs_[index(slot)] = knobs;
                } catch (const std::exception& error) {
                    problem = message(error);
                    if (!knobs_due_[index(slot)]) chain_.models.release(slot);
                }
            tell(held.problem, problem);  // the old sound stays
        }
        changed_();
    });
}

void Session::finish_loads() {
    for (int slot = 0; slot < slot_count; ++slot) {
        const std::lock_guard lock(mutex_);
        if (!std::exchange(knobs_due_[index(slot)], false)) continue;
        show_controls(slot, models_[index(slot)].content.get());
        for (auto* control : parameters_.controls[index(slot)])
            if (control->used() && knobs_[index(slot)] == Knobs::defaults) control->setValueNotifyingHost(control->getDefaultValue());
        chain_.models.release(slot);
    }
}

void Session::load_model(int slot, const juce::File& file) {
    load_in_background(slot, Knobs::defaults, [file] { return read_capture(file); });
}

void Session::relink_model(int slot, const juce::File& file) {
    load_in_background(slot, Knobs::kept, [file] { return read_capture(file); });
}

void Session::load_factory_model(int slot, const juce::String& id) {
    load_in_background(slot, Knobs::defaults, [id] { return factory_capture(id); });
}

void Session::clear_model(int slot) {
    {
        const std::lock_guard lock(mutex_);
        restore_model(slot, {});
        chain_.models.release(slot);
    }
    touch();
}

void Session::copy_model(int from, int to) {
    {
        const std::lock_guard lock(mutex_);
        const Holding<Capture>& held = models_[index(from)];
        const SourceFile file = held.content ? held.content->file : held.wanted;
        chain_.models.hold(to);  // no new knob reaches the old model
        for (std::size_t i = 0; i < controls_per_slot; ++i)
            parameters_.controls[index(to)][i]->setValueNotifyingHost(parameters_.controls[index(from)][i]->getValue());
        restore_model(to, file);
        chain_.models.release(to);
    }
    touch();
}

void Session::load_cabinet(const juce::File& file) {
    if (!can_load()) return changed_();
    int mine = 0;
    touched_ = true;
    {
        const std::lock_guard lock(mutex_);
        mine = ++cabinet_generation_;
        cabinet_.loading = true;
    }
    changed_();
    loader_.run([this, mine, file] {
        std::shared_ptr<const Impulse> impulse;
        juce::String problem;
        try {
            impulse = read_impulse(file);
        } catch (const std::exception& error) {
            problem = message(error);
        }
        {
            const std::lock_guard lock(mutex_);
            if (cabinet_generation_ != mine) return;
            cabinet_.loading = false;
            if (impulse) try {
                    chain_.cabinet.load(impulse->audio);
                    cabinet_ = {impulse, {}, {}, false};
                    if (!impulse->audio->note.empty()) tell(notice_, juce::String::fromUTF8(impulse->audio->note.c_str()));
                } catch (const std::exception& error) {
                    problem = juce::String(impulse->file.path) + ": " + message(error);
                }
            tell(cabinet_.problem, problem);
        }
        changed_();
    });
}

void Session::clear_cabinet() {
    {
        const std::lock_guard lock(mutex_);
        restore_cabinet({});
    }
    touch();
}

void Session::set_rate_options(bool resample, int oversampling) {
    {
        const std::lock_guard lock(mutex_);
        apply_rate_options(resample, oversampling);
    }
    touch();
}

void Session::apply_rate_options(bool resample, int oversampling) {
    try {
        chain_.models.set_rate_options(resample ? RateMode::resample : RateMode::scale_dt, oversampling);
        resample_ = resample, oversampling_ = oversampling;
    } catch (const std::exception& error) {
        tell(notice_, message(error));
    }
}

void Session::set_preset(int program, const juce::String& name) {
    {
        const std::lock_guard lock(mutex_);
        program_ = program, preset_ = name, preset_sound_ = sound();
    }
    touch();
}

// --- what there is ------------------------------------------------------------------------------------------------------

Holding<Capture> Session::model(int slot) const { const std::lock_guard lock(mutex_); return models_[index(slot)]; }
Holding<Impulse> Session::cabinet() const { const std::lock_guard lock(mutex_); return cabinet_; }
bool Session::resamples() const { const std::lock_guard lock(mutex_); return resample_; }
int Session::oversampling() const { const std::lock_guard lock(mutex_); return oversampling_; }
juce::String Session::preset_name() const { const std::lock_guard lock(mutex_); return preset_; }
int Session::program() const { const std::lock_guard lock(mutex_); return program_; }
juce::String Session::notice() const { const std::lock_guard lock(mutex_); return notice_; }

void Session::set_notice(const juce::String& text) {
    {
        const std::lock_guard lock(mutex_);
        tell(notice_, text);
    }
    changed_();
}

/// `place` is one of problems_.
void Session::tell(juce::String& place, const juce::String& problem) {
    place = problem;
    const auto at = std::find(problems_.begin(), problems_.end(), &place);
    if (problem.isNotEmpty()) std::rotate(at, at + 1, problems_.end());
}

juce::String Session::newest_problem() const {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(problems_.rbegin(), problems_.rend(), [](const juce::String* problem) { return problem->isNotEmpty(); });
    return found == problems_.rend() ? juce::String() : **found;
}

void Session::dismiss_problems() {
    {
        const std::lock_guard lock(mutex_);
        notice_.clear();
        for (auto& held : models_) held.problem.clear();
        cabinet_.problem.clear();
    }
    changed_();
}

} // namespace serpent::plugin
