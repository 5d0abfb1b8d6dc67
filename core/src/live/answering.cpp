// SPDX-License-Identifier: MIT
#include "live/answering.h"

#include <algorithm>
#include <cmath>

namespace serpent {
namespace {

constexpr double fade_s = 0.01;
constexpr float close_ratio = 0.5f;      // the gate closes 6 dB below where it opens
constexpr float interrupt_ratio = 4.0f;  // the loudspeaker is heard too: who interrupts must be 12 dB above the gate
constexpr double interrupt_s = 0.03;     // and for longer than a click

float linear(double db) { return static_cast<float>(std::pow(10.0, db / 20)); }

} // namespace

Answering::Answering(std::shared_ptr<const GeneratorModel> model, const LiveOptions& options, LiveSettings& settings,
                     LiveEvents& events)
    : settings_(settings), events_(events), generator_(model, options.generator), options_(options.generator),
      sampling_(options.generator.sampling) {
    const double rate = model->config.sample_rate;
    hold_ = std::max<std::int64_t>(1, std::llround(options.gate_hold_s * rate));
    fade_ = std::max<std::int64_t>(1, std::llround(fade_s * rate));
    longest_ = std::max<std::int64_t>(1, std::llround(options.longest_answer_s * rate));
}

void Answering::reset() noexcept {
    generator_.reset(options_.seed);
    state_ = State::waiting;
    now_ = quiet_ = phrase_ = played_ = loud_ = 0;
    answers_ = 0;
}

void Answering::listen_anew() noexcept {
    generator_.reset(options_.seed + answers_);
    state_ = State::listening;
    phrase_ = quiet_ = 0;
    tell(LiveEvent::Kind::phrase_began);
}

float Answering::answer(float heard) noexcept {
    const float gate = linear(settings_.gate_db.load(std::memory_order_relaxed)), level = std::abs(heard);
    if (state_ == State::together) state_ = State::waiting;
    if (state_ == State::waiting && level > gate) listen_anew();
    if (state_ == State::listening) {
        generator_.prime(&heard, 1);
        ++phrase_;
        quiet_ = level > gate * close_ratio ? 0 : quiet_ + 1;
        if (quiet_ < hold_) return 0.0f;
        state_ = State::answering;
        played_ = loud_ = 0;
        ++answers_;
        // The answer is as long as the phrase without the silence that ended it.
        phrase_ = std::clamp<std::int64_t>(phrase_ - hold_, 1, longest_);
        events_.push({LiveEvent::Kind::answer_began, now_ + 1, phrase_});
        return 0.0f;
    }
    if (state_ != State::answering && state_ != State::leaving) return 0.0f;
    loud_ = level > gate * interrupt_ratio ? loud_ + 1 : std::max<std::int64_t>(0, loud_ - 1);
    if (state_ == State::answering && loud_ > static_cast<std::int64_t>(interrupt_s / fade_s * double(fade_))) {
        tell(LiveEvent::Kind::interrupted);
        state_ = State::leaving;
        leaving_ = std::min(fade_, phrase_ - played_);
        phrase_ = played_ + leaving_;
    }
    const std::int64_t left = phrase_ - played_;
    const float in = std::min(1.0f, float(played_ + 1) / float(fade_)), out = std::min(1.0f, float(left) / float(fade_));
    const float sample = generator_.next() * in * out;
    if (++played_ >= phrase_) {
        tell(LiveEvent::Kind::answer_ended);
        state_ = State::waiting;
    }
    return sample;
}

float Answering::together(float heard) noexcept {
    state_ = State::together;
    const float listen = static_cast<float>(settings_.listen.load(std::memory_order_relaxed));
    const float made = generator_.next();
    if (listen > 0) generator_.hear((1.0f - listen) * made + listen * heard);
    return made;
}

void Answering::process(float* audio, int n) noexcept {
    sampling_.temperature = settings_.temperature.load(std::memory_order_relaxed);
    generator_.set_sampling(sampling_);
    const bool together_now = settings_.mode.load(std::memory_order_relaxed) == LiveMode::together;
    for (int t = 0; t < n; ++t, ++now_) audio[t] = together_now ? together(audio[t]) : answer(audio[t]);
}

} // namespace serpent
