// SPDX-License-Identifier: MIT
#pragma once

#include "live/ring.h"
#include "serpent/live.h"

#include <atomic>
#include <cstdint>

namespace serpent {

using LiveEvents = Ring<LiveEvent, 64>;

/// Settings that another thread may change at any time.
struct LiveSettings {
    std::atomic<LiveMode> mode{LiveMode::answer};
    std::atomic<double> gate_db{-40}, listen{0.5}, temperature{1}, gain_db{0};
    std::atomic<bool> muted{false};
};

/// A generator in conversation, at its own rate, sample by sample: each sample heard gives one to play.
class Answering {
public:
    Answering(std::shared_ptr<const GeneratorModel> model, const LiveOptions& options, LiveSettings& settings, LiveEvents& events);
    void reset() noexcept;
    void process(float* heard_to_played, int n) noexcept;

    bool gate_open() const noexcept { return state_ == State::listening; }
    bool playing() const noexcept { return state_ == State::answering || state_ == State::leaving; }
    std::uint64_t answers() const noexcept { return answers_; }

private:
    enum class State { waiting, listening, answering, leaving, together };

    float answer(float heard) noexcept;
    float together(float heard) noexcept;
    void listen_anew() noexcept;
    void tell(LiveEvent::Kind kind, std::int64_t length = 0) noexcept { events_.push({kind, now_, length}); }

    LiveSettings& settings_;
    LiveEvents& events_;
    Generator generator_;
    GeneratorOptions options_;
    Sampling sampling_;
    std::int64_t hold_, fade_, longest_;       // samples
    std::atomic<State> state_{State::waiting};  // read by the meters
    std::int64_t now_ = 0, quiet_ = 0, phrase_ = 0, played_ = 0, leaving_ = 0, loud_ = 0;
    std::atomic<std::uint64_t> answers_{0};
};

} // namespace serpent
