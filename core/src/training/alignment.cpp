// SPDX-License-Identifier: MIT
#include "training/alignment.h"

#include "serpent/take_check.h"
#include "training/alignment_response.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

namespace serpent {

namespace {

// Taps of the response, relative to its largest. Imperfect whitening leaves lobes of up to 0.13 beside a large tap, up
// to 0.09 when they have its sign; the slow rise of a lowpass has the sign of what follows.
constexpr double clear_tap = 0.2, rising_tap = 0.12;
constexpr double certain_peak = 20.0, likely_peak = 8.0; // peak over noise; chance alone gives 3 to 5
// Playing that does not fill the band (a guitar at 96 kHz) smears the response both ways, so that it seems to begin some
// samples before the wet can. Where the taps from 0 on explain as much, 0 it is.
constexpr std::ptrdiff_t smear_samples = 16;
constexpr double as_much = 0.97; // 0.984 and more for a drive at 44.1 to 96 kHz; one that is one sample early: 0.85 and less
constexpr std::ptrdiff_t near_samples = 16384; // a difference of start rather than a latency
constexpr std::ptrdiff_t click_spread_samples = 4; // equal clicks, each after silence: noise alone moves their onsets less
constexpr std::ptrdiff_t agreement_samples = 64; // attack and response may differ by a slow filter, not by more

/// The first tap that stands out, as a lag.
std::ptrdiff_t onset(const ImpulseResponse& response) {
    const auto& taps = response.taps;
    const double clear = std::max(clear_tap * response.peak, 6.0 * response.noise);
    const double rising = std::max(rising_tap * response.peak, 4.0 * response.noise);
    std::size_t first = 0;
    while (first < taps.size() && std::abs(taps[first]) < clear) ++first;
    while (first > 0 && std::abs(taps[first - 1]) > rising && (taps[first - 1] > 0) == (taps[first] > 0)) --first;
    return response.first_lag + static_cast<std::ptrdiff_t>(first);
}

bool largest_tap_negative(const ImpulseResponse& response) {
    const auto smaller = [](double a, double b) { return std::abs(a) < std::abs(b); };
    return *std::max_element(response.taps.begin(), response.taps.end(), smaller) < 0;
}

float peak(std::span<const float> x) {
    float largest = 0;
    for (const float v : x) largest = std::max(largest, std::abs(v));
    return largest;
}

/// Places where the dry signal rises by 40 dB above its last 20 ms, to above -60 dBFS, within two samples.
std::vector<std::size_t> sharp_attacks(std::span<const float> dry, int sample_rate) {
    const std::size_t quiet = static_cast<std::size_t>(sample_rate) / 50;
    std::vector<std::size_t> attacks;
    std::size_t quiet_since = 0; // no sample from here to i was loud enough to hide an attack of 0.001
    for (std::size_t i = 0; i + 1 < dry.size(); ++i) {
        const float now = std::abs(dry[i]), next = std::max(now, std::abs(dry[i + 1]));
        if (next < 1e-3f) {
            if (now > 1e-2f) quiet_since = i + 1;
            continue;
        }
        if (i >= quiet_since + quiet && 100.0f * peak(dry.subspan(i - quiet, quiet)) < next && now > 0.01f * next)
            attacks.push_back(i);
        quiet_since = i + 1;
    }
    return attacks;
}

/// How long after each attack of the dry the wet leaves the noise before it, in order; attacks that drown are left out,
/// and so is what lies more than `reach` samples from where it is expected.
std::vector<std::ptrdiff_t> attack_delays(std::span<const float> wet, const std::vector<std::size_t>& attacks,
                                          std::ptrdiff_t expected, std::ptrdiff_t reach, int sample_rate) {
    const std::ptrdiff_t quiet = sample_rate / 50;
    std::vector<std::ptrdiff_t> delays;
    for (const std::size_t attack : attacks) {
        const std::ptrdiff_t from = static_cast<std::ptrdiff_t>(attack) + expected - reach;
        const std::ptrdiff_t until = std::min(from + 2 * reach, std::ssize(wet));
        if (from < quiet || from >= until) continue;
        const auto before = wet.subspan(static_cast<std::size_t>(from - quiet), static_cast<std::size_t>(quiet));
        double mean = 0;
        for (const float v : before) mean += v / static_cast<double>(quiet);
        double noise = 0;
        for (const float v : before) noise = std::max(noise, std::abs(v - mean));
        for (std::ptrdiff_t i = from; i < until; ++i) {
            // Twice the peak of 20 ms of Gaussian noise is more than six standard deviations.
            if (!(std::abs(wet[static_cast<std::size_t>(i)] - mean) > 2.0 * noise + 1e-6)) continue;
            delays.push_back(i - static_cast<std::ptrdiff_t>(attack));
            break;
        }
    }
    return delays;
}

/// Whether the clicks lie at delays that differ. Where nothing else shows that the wet is an answer at all, each half of them
/// must be consistent in itself: that is what a single loss between them leaves, and chance does not.
bool disagree(const std::vector<std::ptrdiff_t>& delays, std::size_t clicks, bool is_answer) {
    if (delays.size() < 2) return false;
    const auto spread = [](auto begin, auto end) {
        const auto [least, most] = std::minmax_element(begin, end);
        return *most - *least;
    };
    if (spread(delays.begin(), delays.end()) <= click_spread_samples) return false;
    const auto middle = delays.begin() + std::ssize(delays) / 2;
    return is_answer || (delays.size() == clicks && spread(delays.begin(), middle) <= click_spread_samples &&
                         spread(middle, delays.end()) <= click_spread_samples);
}

std::string count(std::size_t n, const char* what) { return std::to_string(n) + " " + what + (n == 1 ? "" : "s"); }

/// Within the reach of impulse_response(). `clearness`: how far the response stands out of chance.
Alignment find_near(std::span<const float> dry, std::span<const float> wet, int sample_rate,
                    const std::optional<CaptureLayout>& layout, double& clearness) {
    Alignment result;
    const ImpulseResponse response = impulse_response(dry, wet);
    clearness = response.peak / std::max(response.noise, 1e-300);
    const bool clear = clearness >= likely_peak;
    std::ptrdiff_t latency = onset(response);
    if (latency < 0 && latency >= -smear_samples && response.causal_share >= as_much) latency = 0;

    const auto attacks = layout ? layout->markers : clear ? sharp_attacks(dry, sample_rate) : std::vector<std::size_t>{};
    // Nothing sounds for a long time round the clicks, so that they are found even where samples were lost between them.
    const std::ptrdiff_t reach = layout ? sample_rate / 20 : agreement_samples;
    auto delays = attack_delays(wet, attacks, latency, reach, sample_rate);
    if (layout && disagree(delays, attacks.size(), clear)) {
        result.found = result.clicks_disagree = true;
        result.latency_samples = delays.front();
        result.confidence = "doubtful: the first click lies " + std::to_string(delays.front()) +
                            " samples behind, the last one " + std::to_string(delays.back());
        return result;
    }
    if (!clear) {
        result.confidence = "not found: the wet recording does not follow the dry one closely enough to tell";
        return result;
    }
    result.found = true;
    result.latency_samples = latency;
    result.polarity_inverted = largest_tap_negative(response);
    result.confidence = clearness >= certain_peak ? "certain: the response to the dry recording has a clear beginning"
                                                  : "fair: the beginning of the response stands out of the noise";
    if (delays.size() < 2) return result;
    std::sort(delays.begin(), delays.end());
    // An attack shows late in slow gear but never early, so that a low quantile of them bounds the latency from above.
    const std::ptrdiff_t bound = delays[delays.size() / 5];
    if (bound < result.latency_samples) result.latency_samples = bound;
    result.confidence += ", and " + count(delays.size(), layout ? "click" : "sharp attack") + " after silence agree";
    return result;
}

} // namespace

Alignment find_latency(std::span<const float> dry, std::span<const float> wet, int sample_rate,
                       const std::optional<CaptureLayout>& layout) {
    if (!(peak(dry) > 0 && peak(wet) > 0)) return {.confidence = "not found: one of the recordings is silent"};
    double clearness = 0;
    Alignment near = find_near(dry, wet, sample_rate, layout, clearness);
    if (near.found && (clearness >= certain_peak || near.clicks_disagree)) return near;
    // A recorder that was started seconds before or after the playback. What they share is brought into near's reach, the wet
    // some samples late, so that its onset is found as ever.
    const auto far = search_whole_take(dry, wet);
    if (!near.found) near.roughly = far;
    if (!far || std::abs(*far) < near_samples) return near;
    const std::ptrdiff_t shift = *far - near_samples / 4;
    const Overlap o = overlap(dry.size(), wet.size(), shift);
    if (o.length == 0) return near;
    const auto rest = layout ? std::optional(without_begin(*layout, o.dry_begin)) : std::nullopt;
    Alignment a = find_near(dry.subspan(o.dry_begin, o.length), wet.subspan(o.wet_begin, o.length), sample_rate, rest, clearness);
    if (!a.found) return near;
    a.latency_samples += shift;
    return a;
}

} // namespace serpent
