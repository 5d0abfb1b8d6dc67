// SPDX-License-Identifier: GPL-3.0-or-later
#include "live/show.h"

#include "interrupt.h"
#include "live/terminal.h"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <thread>
#include <vector>

namespace {

using serpent::LiveEvent;
using serpent::LiveMode;
using serpent::LiveSession;

constexpr auto redraw_every = std::chrono::milliseconds(66);
constexpr auto log_every = std::chrono::milliseconds(20);
constexpr int meter_width = 40;

std::string text(const char* format, auto... values) {
    char line[192];
    std::snprintf(line, sizeof line, format, values...);
    return line;
}

std::string words(const LiveEvent& e) {
    const auto at = static_cast<long long>(e.at_sample), length = static_cast<long long>(e.length_samples);
    switch (e.kind) {
    case LiveEvent::Kind::phrase_began: return text("phrase begins at sample %lld", at);
    case LiveEvent::Kind::answer_began: return text("answer begins at sample %lld, %lld samples long", at, length);
    case LiveEvent::Kind::answer_ended: return text("answer ends at sample %lld", at);
    case LiveEvent::Kind::interrupted: return text("interrupted at sample %lld", at);
    case LiveEvent::Kind::loop_muted: return "muted for two seconds: the input is the output, come back";
    default: return "listening again";
    }
}

const char* mode_name(LiveMode mode) {
    return mode == LiveMode::effect ? "effect" : mode == LiveMode::answer ? "answer" : "together";
}

bool over(const CallbackFigures& figures, std::optional<double> seconds) {
    return interrupted() || (seconds && figures.seconds() >= *seconds);
}

std::string lost_text(const Recorder& recorder) {
    return text("the disk is too slow: %llu samples are missing from the recording",
                static_cast<unsigned long long>(recorder.lost_samples()));
}

/// How the recording does, in one line.
std::string recording_line(const Recorder& recorder) {
    if (std::optional<std::string> why = recorder.trouble()) {
        const std::string known = "cannot write " + recorder.path().string() + ": ";  // the reason has to fit a line
        if (why->starts_with(known)) why->erase(0, known.size());
        return text("RECORDING STOPPED at %.0f s: ", recorder.seconds()) + *why;
    }
    if (recorder.lost_samples() > 0) return "RECORDING HAS GAPS: " + lost_text(recorder);
    return text("recording, %.0f s", recorder.seconds());
}

/// Says what went wrong with a recording, each thing once.
class RecordingLog {
public:
    explicit RecordingLog(const Recorder* recorder) : recorder_(recorder) {}
    void tell() {
        if (!recorder_) return;
        if (!stopped_ && recorder_->trouble()) {
            stopped_ = true;
            std::cerr << "serpent: " << recording_line(*recorder_) << "; " << recorder_->path().string()
                      << " holds what came before" << std::endl;
        }
        if (!gaps_ && recorder_->lost_samples() > 0) {
            gaps_ = true;
            std::cerr << "serpent: " << lost_text(*recorder_) << std::endl;
        }
    }

private:
    const Recorder* recorder_;
    bool stopped_ = false, gaps_ = false;
};

/// False for q.
bool obey(LiveSession& session, char key, bool& muted) {
    switch (key) {
    case 'q': case 3: return false;
    case ' ': case 'm': session.set_muted(muted = !muted); break;
    case 'a': session.set_mode(LiveMode::answer); break;
    case 't': session.set_mode(LiveMode::together); break;
    case '+': case '=': session.set_gain_db(session.gain_db() + 1); break;
    case '-': session.set_gain_db(session.gain_db() - 1); break;
    case 'g': session.set_gate_db(session.gate_db() - 2); break;
    case 'G': session.set_gate_db(session.gate_db() + 2); break;
    case 'l': session.set_listen(session.listen() - 0.05); break;
    case 'L': session.set_listen(session.listen() + 0.05); break;
    case 'w': session.set_temperature(session.temperature() + 0.05); break;
    case 'W': session.set_temperature(session.temperature() - 0.05); break;
    default: break;
    }
    return true;
}

std::vector<std::string> screen(const Performance& performance, const std::string& last_event, serpent::LiveMeters& held) {
    auto& [session, stream, figures, recorder] = performance;
    const serpent::LiveMeters now = session.meters();
    held.input = std::max(now.input, held.input * 0.85f);  // falls slowly enough to be read
    held.output = std::max(now.output, held.output * 0.85f);
    const bool effect = session.mode() == LiveMode::effect;
    std::string state = now.muted ? "MUTED" : effect ? "through" : now.playing ? "playing" : now.gate_open ? "hearing you" : "listening";
    if (now.limited) state += ", limiting";
    if (now.late_samples > 0) state += text(", %llu samples late", static_cast<unsigned long long>(now.late_samples));
    std::vector<std::string> lines{
        "",
        "  in   " + meter_bar(held.input, meter_width),
        "  out  " + meter_bar(held.output, meter_width),
        text("  %s: %-24s load %3.0f %%  xruns %llu  %s", mode_name(session.mode()), state.c_str(), 100 * figures.load(),
             static_cast<unsigned long long>(figures.xruns()), text("%.0f s", figures.seconds()).c_str()),
        text("  latency: model %.1f ms, devices %.1f ms", 1000.0 * session.latency_samples() / stream.rate_hz(),
             1000.0 * stream.latency_samples() / stream.rate_hz())};
    if (!effect)
        lines.push_back(text("  gate %.0f dBFS  listen %.2f  temperature %.2f  gain %+.0f dB  answers %llu", session.gate_db(),
                             session.listen(), session.temperature(), session.gain_db(),
                             static_cast<unsigned long long>(now.answers)));
    else
        lines.push_back(text("  gain %+.0f dB", session.gain_db()));
    if (recorder) lines.push_back("  " + recording_line(*recorder));
    lines.push_back("  " + last_event);
    lines.push_back(effect ? "  q quit  m mute  + - gain" : "  q quit  m mute  + - gain  a answer  t together");
    if (!effect) lines.push_back("  g G gate down, up  l L listen less, more  w W wilder, tamer");
    return lines;
}

} // namespace

std::optional<std::string> show_until_over(Performance& performance, std::optional<double> seconds) {
    if (!Terminal::usable()) return log_until_over(performance, seconds);
    Terminal terminal;
    bool muted = false;
    std::string last_event;
    serpent::LiveMeters held;
    while (!over(performance.figures, seconds)) {
        if (const auto trouble = performance.stream.trouble()) return trouble;
        while (const auto e = performance.session.event()) last_event = words(*e);
        while (const auto key = terminal.key())
            if (!obey(performance.session, *key, muted)) return std::nullopt;
        terminal.draw(screen(performance, last_event, held));
        std::this_thread::sleep_for(redraw_every);
    }
    return std::nullopt;
}

std::optional<std::string> log_until_over(Performance& performance, std::optional<double> seconds) {
    auto& [session, stream, figures, recorder] = performance;
    std::cerr << "running: " << mode_name(session.mode()) << ", latency of the model " << session.latency_samples()
              << " samples" << std::endl;
    RecordingLog recording(recorder.get());
    const auto tell = [&s = session, &recording] {
        while (const auto e = s.event()) std::cerr << words(*e) << std::endl;
        recording.tell();
    };
    while (!over(figures, seconds)) {
        tell();
        if (const auto trouble = stream.trouble()) return trouble;
        std::this_thread::sleep_for(log_every);
    }
    tell();
    std::cerr << text("played %.1f s, load %.0f %%, xruns %llu, late samples %llu", figures.seconds(), 100 * figures.load(),
                      static_cast<unsigned long long>(figures.xruns()),
                      static_cast<unsigned long long>(session.meters().late_samples)) << std::endl;
    return std::nullopt;
}
