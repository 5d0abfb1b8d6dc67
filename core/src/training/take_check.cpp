// SPDX-License-Identifier: MIT
#include "serpent/take_check.h"

#include "model/as_error.h"
#include "serpent/capture.h"
#include "serpent/errors.h"
#include "serpent/metrics.h"
#include "training/alignment.h"
#include "training/data_checks.h"
#include "training/take_changes.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace serpent {
namespace {

namespace fs = std::filesystem;
using Channels = std::vector<std::vector<float>>;

constexpr double shortest_s = 2.0;
constexpr double notable_rest_s = 1.0;
constexpr double same_esr = 1e-4; // of two recordings of one signal: converters and cables differ by less than -40 dB

std::string seconds(std::size_t samples, int sample_rate) {
    const double s = std::round(10.0 * double(samples) / sample_rate) / 10.0;
    std::string text = std::to_string(s);
    return text.substr(0, text.find('.') + 2) + " s";
}

/// Numbers, from 0, of the channels that sound.
std::vector<std::size_t> sounding(const AudioBuffer& audio) {
    std::vector<std::size_t> list;
    for (std::size_t c = 0; c < audio.channels.size(); ++c)
        if (!is_silent(audio.channels[c])) list.push_back(c);
    return list;
}

void keep(AudioBuffer& audio, const std::vector<std::size_t>& channels) {
    Channels kept;
    for (const std::size_t c : channels) kept.push_back(std::move(audio.channels[c]));
    audio.channels = std::move(kept);
}

std::string numbers(const std::vector<std::size_t>& channels) {
    std::string text = channels.size() == 1 ? "channel " : "channels ";
    for (std::size_t i = 0; i < channels.size(); ++i) text += (i ? " and " : "") + std::to_string(channels[i] + 1);
    return text;
}

/// Leaves out silent channels of a stereo file: a mono recording on a stereo track.
void drop_silent_channels(AudioBuffer& dry, AudioBuffer& wet, const fs::path& dry_path, const fs::path& wet_path,
                          std::vector<std::string>& notes) {
    auto dry_list = sounding(dry), wet_list = sounding(wet);
    if (dry_list.empty() || wet_list.empty()) return;
    const auto tell = [&](const AudioBuffer& audio, const std::vector<std::size_t>& list, const fs::path& path) {
        if (list.size() == audio.channels.size()) return;
        std::vector<std::size_t> silent;
        for (std::size_t c = 0; c < audio.channels.size(); ++c)
            if (std::find(list.begin(), list.end(), c) == list.end()) silent.push_back(c);
        notes.push_back("warning: " + numbers(silent) + " of " + path.string() + (silent.size() == 1 ? " is" : " are") +
                        " silent; " + numbers(list) + (list.size() == 1 ? " is" : " are") + " used");
    };
    tell(dry, dry_list, dry_path);
    tell(wet, wet_list, wet_path);
    // Where both had the same channels, those that are left belong together by number.
    const auto follow = [](std::vector<std::size_t>& list, const std::vector<std::size_t>& other) {
        if (list.size() > other.size() && std::includes(list.begin(), list.end(), other.begin(), other.end())) list = other;
    };
    if (dry.channels.size() == wet.channels.size()) {
        follow(dry_list, wet_list);
        follow(wet_list, dry_list);
    }
    keep(dry, dry_list);
    keep(wet, wet_list);
}

/// Whether every channel says what the first one does, but for its level, its sign and some delay; says so in words.
bool says_the_same(const AudioBuffer& audio, std::string& differences) {
    for (std::size_t c = 1; c < audio.channels.size(); ++c) {
        std::vector<float> first = audio.channels[0], other = audio.channels[c];
        std::ptrdiff_t delay = 0;
        double gain = least_squares_gain(other, first);
        if (std::vector<float> scaled = other; !(std::abs(gain) > 0) || [&] {
                for (float& v : scaled) v *= static_cast<float>(gain);
                return !(esr(first, scaled) <= same_esr);
            }()) {
            const Alignment a = find_latency(first, other, audio.sample_rate);
            if (!a.found) return false;
            delay = a.latency_samples;
            const Overlap o = overlap(first.size(), other.size(), delay);
            first = {first.begin() + std::ptrdiff_t(o.dry_begin), first.begin() + std::ptrdiff_t(o.dry_begin + o.length)};
            other = {other.begin() + std::ptrdiff_t(o.wet_begin), other.begin() + std::ptrdiff_t(o.wet_begin + o.length)};
            gain = least_squares_gain(other, first);
            for (float& v : other) v *= static_cast<float>(gain);
            if (!(esr(first, other) <= same_esr)) return false;
        }
        if (gain < 0) differences += ", channel " + std::to_string(c + 1) + " inverted";
        if (delay != 0)
            differences += ", channel " + std::to_string(c + 1) + " " + std::to_string(std::abs(delay)) + " samples " +
                           (delay > 0 ? "later" : "earlier");
    }
    return true;
}

/// One side has one channel, the other several: the right answer where those say the same.
void match_channels(AudioBuffer& many, const AudioBuffer& few, const fs::path& many_path, const fs::path& few_path,
                    std::vector<std::string>& notes) {
    const auto count = [](const AudioBuffer& a) {
        return std::to_string(a.channels.size()) + (a.channels.size() == 1 ? " channel" : " channels");
    };
    std::string differences;
    if (few.channels.size() == 1 && says_the_same(many, differences)) {
        notes.push_back("note: the channels of " + many_path.string() + " say the same" + differences + "; channel 1 is used");
        many.channels.resize(1);
        return;
    }
    throw Error(many_path.string() + " has " + count(many) + ", which differ, and " + few_path.string() + " " + count(few) +
                "; give both the same number, best the one channel that the gear was on.");
}

/// The same samples on both sides are no recording of any gear.
bool is_same_sound(const AudioBuffer& dry, const AudioBuffer& wet) {
    const std::size_t n = std::min(dry.frames(), wet.frames());
    if (n == 0) return false;
    for (std::size_t c = 0; c < std::min(dry.channels.size(), wet.channels.size()); ++c)
        if (!std::equal(dry.channels[c].begin(), dry.channels[c].begin() + std::ptrdiff_t(n), wet.channels[c].begin()))
            return false;
    return true;
}

void require_different(const AudioBuffer& dry, const AudioBuffer& wet, const fs::path& dry_path, const fs::path& wet_path,
                       const TakeRules& rules, std::vector<std::string>& notes) {
    if (!is_same_sound(dry, wet)) return;
    std::error_code ignored;
    if (fs::equivalent(dry_path, wet_path, ignored) && rules.training)
        throw Error(wet_path.string() + " was given as dry and as wet; "
                    "give the recording of what came out of the gear as the second.");
    notes.push_back("warning: " + wet_path.string() + " holds the same samples as " + dry_path.string() +
                    ", as if the gear were a cable; check that they are not one recording");
}

void require_order(const AudioBuffer& dry, const AudioBuffer& wet, const fs::path& dry_path, const fs::path& wet_path) {
    if (recognise(wet.channels.front(), wet.sample_rate) && !recognise(dry.channels.front(), dry.sample_rate))
        throw Error("dry and wet are swapped: " + wet_path.string() + " is serpent's capture signal, which went into the "
                    "gear; give " + wet_path.string() + " first and " + dry_path.string() + " second.");
}

} // namespace

RecordedTake read_take(const fs::path& dry_path, const fs::path& wet_path, const TakeRules& rules,
                       std::vector<std::string>& notes) try {
    RecordedTake take{read_audio(dry_path), read_audio(wet_path)};
    auto& [dry, wet] = take;
    const std::string d = dry_path.string(), w = wet_path.string();
    for (const std::string& note : {dry.note, wet.note})
        if (!note.empty()) notes.push_back("note: " + note);
    if (dry.sample_rate != wet.sample_rate)
        throw Error(d + " has " + std::to_string(dry.sample_rate) + " Hz and " + w + " " + std::to_string(wet.sample_rate) +
                    " Hz; record or convert both at one rate.");
    if (rules.training && double(dry.frames()) < shortest_s * dry.sample_rate)
        throw Error(d + " is shorter than 2 s; record at least some seconds, better three minutes.");
    for (const auto& [audio, name] : {std::pair{&dry, d}, std::pair{&wet, w}})
        if (rules.training && sounding(*audio).empty())
            throw Error(name + " is silent (below -80 dBFS); check the cable and the level, and record again.");
    if (rules.channels < 2) drop_silent_channels(dry, wet, dry_path, wet_path, notes);
    if (dry.channels.size() > wet.channels.size()) match_channels(dry, wet, dry_path, wet_path, notes);
    if (wet.channels.size() > dry.channels.size()) match_channels(wet, dry, wet_path, dry_path, notes);
    require_different(dry, wet, dry_path, wet_path, rules, notes);
    require_order(dry, wet, dry_path, wet_path);
    check_levels(dry, dry_path, "playback", notes);
    check_levels(wet, wet_path, "recording", notes);
    return take;
} catch (...) {
    rethrow_as_error("compare " + wet_path.string() + " with its dry");
}

Overlap overlap(std::size_t dry_length, std::size_t wet_length, std::ptrdiff_t latency_samples) {
    const auto shift = static_cast<std::size_t>(std::abs(latency_samples));
    Overlap o;
    (latency_samples > 0 ? o.wet_begin : o.dry_begin) = shift;
    if (o.dry_begin >= dry_length || o.wet_begin >= wet_length) return {};
    o.length = std::min(dry_length - o.dry_begin, wet_length - o.wet_begin);
    return o;
}

std::optional<std::ptrdiff_t> find_delay(std::span<const float> dry, std::span<const float> wet, int sample_rate) try {
    const Alignment a = find_latency(dry, wet, sample_rate);
    return a.found ? std::optional(a.latency_samples) : std::nullopt;
} catch (...) {
    rethrow_as_error("find how far one recording lies behind the other");
}

TakeTiming check_timing(RecordedTake& take, std::optional<std::ptrdiff_t> latency_samples, bool repair, const fs::path& wet,
                        std::vector<std::string>& notes) try {
    const auto track = [&] {
        return track_timing(take.dry.channels.front(), take.wet.channels.front(), latency_samples, take.dry.sample_rate);
    };
    TakeTiming timing = track();
    const auto said = describe(timing, wet.string(), take.dry.sample_rate);
    notes.insert(notes.end(), said.begin(), said.end());
    if (!repair || timing.keeps_time()) return timing;
    if (timing.drift_ppm != 0) {
        remove_drift(take.wet, timing.drift_ppm);
        timing = track();
        timing.drift_ppm = 0;  // what is left is less than can be measured
        notes.push_back("repaired: the drift of " + wet.string() + " is evened out");
    }
    if (const std::size_t n = timing.slips.size() + timing.holes.size(); n > 0)
        notes.push_back("repaired: what lies round " + std::to_string(n) + (n == 1 ? " dropout" : " dropouts") + " in " +
                        wet.string() + " is left out");
    return timing;
} catch (...) {
    rethrow_as_error("follow the latency of " + wet.string());
}

std::size_t align_take(RecordedTake& take, const std::vector<std::ptrdiff_t>& latency_samples, const fs::path& dry,
                       const fs::path& wet, std::vector<std::string>& notes) {
    const auto n_dry = std::ptrdiff_t(take.dry.frames()), n_wet = std::ptrdiff_t(take.wet.frames());
    // Dry samples [begin, end) have their answer in every channel.
    std::ptrdiff_t begin = 0, end = n_dry;
    for (const std::ptrdiff_t latency : latency_samples) {
        begin = std::max(begin, -latency);
        end = std::min(end, n_wet - latency);
    }
    if (end - begin < (n_dry + 1) / 2)
        throw Error(wet.string() + " answers less than half of " + dry.string() + " (" +
                    std::to_string(std::max<std::ptrdiff_t>(end - begin, 0)) + " of " + std::to_string(n_dry) + " samples" +
                    (latency_samples.front() ? ", at a latency of " + std::to_string(latency_samples.front()) : std::string()) +
                    "); give recordings that belong together, or trim the dry to what was recorded.");
    const int rate = take.dry.sample_rate;
    if (const auto rest = std::size_t(begin + n_dry - end); rest > 0 && (n_wet < n_dry || double(rest) > notable_rest_s * rate))
        notes.push_back("note: " + wet.string() + " lacks " + std::to_string(rest) + " samples (" + seconds(rest, rate) +
                        ") of what " + dry.string() + " plays; the rest is used");
    if (n_wet > n_dry)
        notes.push_back("note: " + wet.string() + " is " + std::to_string(n_wet - n_dry) + " samples longer than the dry; "
                        "what has no dry is not used");
    for (std::vector<float>& channel : take.dry.channels) channel = {channel.begin() + begin, channel.begin() + end};
    for (std::size_t c = 0; c < take.wet.channels.size(); ++c) {
        std::vector<float>& channel = take.wet.channels[c];
        channel = {channel.begin() + begin + latency_samples[c], channel.begin() + end + latency_samples[c]};
    }
    return std::size_t(begin);
}

void check_changes(const RecordedTake& take, std::size_t dry_begin, const fs::path& wet, std::vector<std::string>& notes) {
    const int rate = take.dry.sample_rate;
    const TakeChanges found = find_changes(take.dry.channels.front(), take.wet.channels.front(), rate);
    const auto said = describe(found, wet.string(), dry_begin, rate);
    notes.insert(notes.end(), said.begin(), said.end());
}

} // namespace serpent
