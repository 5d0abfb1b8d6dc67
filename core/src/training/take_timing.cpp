// SPDX-License-Identifier: MIT
#include "serpent/take_timing.h"

#include "audio/resampler.h"
#include "model/as_error.h"
#include "training/alignment.h"
#include "training/alignment_response.h"
#include "training/delay_track.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace serpent {

namespace {

using Points = std::vector<DelayTrack::Point>;

constexpr double least_drift_samples = 0.5;   // over the take
constexpr double least_slip_samples = 0.75;
constexpr std::ptrdiff_t most_returned = 2;    // samples that come back within
constexpr double returned_s = 3.0;             // are gear whose delay follows what is played, as it does in a sweep
constexpr std::size_t least_points = 3, near_points = 5;  // on either side of a slip
constexpr double least_share = 0.4;           // of the windows must be clear
constexpr double steady_samples = 8.0;        // filters that move with the level reach 3; a chorus moves by tens
constexpr std::size_t shortest_hole = 16, most_holes = 50;
constexpr std::size_t most_told = 10;          // dropouts, each on a line
constexpr double margin_s = 0.25;             // cut on either side of a slip: more than its place is uncertain by
constexpr double shortest_stretch_s = 1.0;

double quantile(std::vector<double> values, double share) {
    if (values.empty()) return 0;
    const auto at = values.begin() + std::min(std::ssize(values) - 1, std::ptrdiff_t(share * double(values.size())));
    std::nth_element(values.begin(), at, values.end());
    return *at;
}

double median(std::vector<double> values) { return quantile(std::move(values), 0.5); }

/// The delays' motion in parts: each has a constant of its own, all have one slope.
struct Fit {
    double slope = 0;                          ///< samples per sample
    std::vector<std::size_t> starts{0};        ///< of the parts, as indices of points
    std::vector<double> levels{0};             ///< of the parts, where the slope's line is 0
};

class Fitter {
public:
    explicit Fitter(const Points& points) : points_(points), rest_(points.size()) {
        const std::size_t apart = std::max<std::size_t>(1, std::min<std::size_t>(points.size() / 4, 16));
        std::vector<double> slopes, jitter;
        for (std::size_t i = 0; i + apart < points.size(); ++i)
            slopes.push_back((points[i + apart].delay_samples - points[i].delay_samples) /
                             double(points[i + apart].begin - points[i].begin));
        fit_.slope = median(slopes);
        for (std::size_t i = 0; i + 1 < points.size(); ++i)
            jitter.push_back(std::abs(points[i + 1].delay_samples - points[i].delay_samples -
                                      fit_.slope * double(points[i + 1].begin - points[i].begin)));
        least_step_ = std::max(least_slip_samples, 3 * quantile(jitter, 0.9));
        for (int round = 0; round < 3; ++round) {
            split();
            refine_slope();
        }
        split();
    }
    const Fit& fit() const { return fit_; }

    /// 95 % of what is left.
    double wander() const {
        std::vector<double> left(points_.size());
        for (std::size_t part = 0; part < fit_.starts.size(); ++part)
            for (std::size_t i = fit_.starts[part]; i < end_of(part); ++i) left[i] = std::abs(rest_[i] - fit_.levels[part]);
        return quantile(std::move(left), 0.95);
    }

private:
    std::size_t end_of(std::size_t part) const {
        return part + 1 < fit_.starts.size() ? fit_.starts[part + 1] : points_.size();
    }
    double level(std::size_t begin, std::size_t end) const {
        return median({rest_.begin() + std::ptrdiff_t(begin), rest_.begin() + std::ptrdiff_t(end)});
    }
    double spread(std::size_t begin, std::size_t end) const {
        const double middle = level(begin, end);
        double sum = 0;
        for (std::size_t i = begin; i < end; ++i) sum += std::abs(rest_[i] - middle);
        return sum;
    }

    void split() {
        for (std::size_t i = 0; i < points_.size(); ++i)
            rest_[i] = points_[i].delay_samples - fit_.slope * double(points_[i].begin);
        fit_.starts = {0};
        divide();
        std::sort(fit_.starts.begin(), fit_.starts.end());
        fit_.levels.clear();
        for (std::size_t part = 0; part < fit_.starts.size(); ++part)
            fit_.levels.push_back(level(fit_.starts[part], end_of(part)));
    }

    /// Cuts where the few points on either side of it differ, the clearest first; no window reaches over a cut. What comes back
    /// after a while is found as well as what stays, and up to two stray points are not.
    void divide() {
        for (;;) {
            std::size_t at = 0;
            double best = 0;
            for (std::size_t i = least_points; i + least_points <= points_.size(); ++i) {
                std::size_t begin = i - std::min(i, near_points), end = std::min(points_.size(), i + near_points);
                for (const std::size_t start : fit_.starts) {
                    if (start <= i) begin = std::max(begin, start);
                    if (start > i) end = std::min(end, start);
                }
                if (i < begin + least_points || end < i + least_points) continue;
                const double gain = spread(begin, end) - spread(begin, i) - spread(i, end);
                const double step = std::abs(level(begin, i) - level(i, end));
                if (step >= least_step_ && gain >= 1.5 * step && gain > best) best = gain, at = i;
            }
            if (at == 0) return;
            fit_.starts.push_back(at);
        }
    }

    void refine_slope() {
        std::vector<double> slopes;
        for (std::size_t part = 0; part < fit_.starts.size(); ++part) {
            const std::size_t begin = fit_.starts[part], n = end_of(part) - begin, apart = std::max<std::size_t>(1, n / 2);
            for (std::size_t i = begin; i + apart < begin + n; ++i)
                slopes.insert(slopes.end(), apart,  // long parts tell more
                              (rest_[i + apart] - rest_[i]) / double(points_[i + apart].begin - points_[i].begin));
        }
        fit_.slope += median(slopes);
    }

    const Points& points_;
    std::vector<double> rest_;
    Fit fit_;
    double least_step_ = 0;
};

double rms(std::span<const float> x) {
    double sum = 0;
    for (const float v : x) sum += double(v) * v;
    return std::sqrt(sum / double(std::max<std::size_t>(x.size(), 1)));
}

double peak(std::span<const float> x) {
    double largest = 0;
    for (const float v : x) largest = std::max(largest, double(std::abs(v)));
    return largest;
}

/// Runs of equal samples amid sound, with a jump at an end, while the dry plays on. Gear that does so by itself does it all the
/// time.
std::vector<TakeTiming::Hole> find_holes(std::span<const float> dry, std::span<const float> wet, std::ptrdiff_t delay,
                                         int sample_rate) {
    std::vector<TakeTiming::Hole> holes;
    const std::size_t around = std::size_t(sample_rate) / 200;
    const double loudest = peak(wet), played = peak(dry);
    for (std::size_t i = around; i + around < wet.size();) {
        std::size_t end = i + 1;
        while (end + around < wet.size() && wet[end] == wet[i]) ++end;
        const std::size_t n = end - i;
        if (n >= shortest_hole && n <= std::size_t(sample_rate) && std::abs(wet[i]) < 0.5 * loudest) {
            const double sound = std::min(rms(wet.subspan(i - around, around)), rms(wet.subspan(end, around)));
            const double jump = std::abs(wet[i - 1] - wet[i]) + std::abs(wet[end] - wet[i]);
            const auto at = std::size_t(std::clamp<std::ptrdiff_t>(std::ptrdiff_t(i) - delay, 0, std::ssize(dry)));
            const double dry_sound = rms(dry.subspan(at, std::min(n, dry.size() - at)));
            if (sound > 0.03 * loudest && jump > 0.5 * sound && dry_sound > 1e-3 * played)
                holes.push_back({at, n});
        }
        i = end;
    }
    return holes.size() > most_holes ? std::vector<TakeTiming::Hole>() : holes;
}

/// Takes out the pairs that undo each other at once: a recorder loses samples, or repeats some, and leaves it so.
void remove_returns(std::vector<TakeTiming::Slip>& slips, int sample_rate) {
    for (std::size_t i = 0; i + 1 < slips.size();) {
        const TakeTiming::Slip &one = slips[i], &next = slips[i + 1];
        const bool returns = one.samples == -next.samples && std::abs(one.samples) <= most_returned &&
                             double(next.at_sample) - double(one.at_sample) <= returned_s * sample_rate;
        if (returns) slips.erase(slips.begin() + std::ptrdiff_t(i), slips.begin() + std::ptrdiff_t(i + 2));
        else ++i;
    }
}

std::string number(const char* format, double value) {
    char text[32];
    std::snprintf(text, sizeof text, format, value);
    return text;
}

std::string samples(std::size_t n) { return std::to_string(n) + (n == 1 ? " sample was" : " samples were"); }

} // namespace

TakeTiming track_timing(std::span<const float> dry, std::span<const float> wet, std::optional<std::ptrdiff_t> latency_samples,
                        int sample_rate) try {
    TakeTiming timing;
    if (!latency_samples) latency_samples = search_whole_take(dry, wet);
    const DelayTrack track(dry, wet, latency_samples.value_or(0), sample_rate);
    const Points& points = track.points();
    timing.holes = find_holes(dry, wet, latency_samples.value_or(0), sample_rate);
    if (points.size() < 2 * least_points + 2 || double(points.size()) < least_share * double(track.windows())) return timing;
    timing.measured = true;
    const Fitter fitter(points);
    const Fit& fit = fitter.fit();
    timing.wander_samples = fitter.wander();
    if (timing.wander_samples > steady_samples) return timing;  // a chorus, not a clock and a hundred dropouts
    if (std::abs(fit.slope) * double(dry.size()) >= std::max(least_drift_samples, timing.wander_samples))
        timing.drift_ppm = 1e6 * fit.slope;
    for (std::size_t part = 1; part < fit.starts.size(); ++part) {
        const double before = fit.levels[part - 1], after = fit.levels[part];
        const std::size_t left = points[fit.starts[part] - 1].begin, right = points[fit.starts[part]].begin;
        const double line = fit.slope * 0.5 * double(left + right);
        const std::size_t place = track.locate(left, right + track.window(), line + before, line + after);
        timing.slips.push_back({place, std::ptrdiff_t(std::llround(after - before))});  // at least .75
    }
    remove_returns(timing.slips, sample_rate);
    return timing;
} catch (...) {
    rethrow_as_error("follow the latency along the recording");
}

std::vector<std::string> describe(const TakeTiming& timing, const std::string& wet_name, int sample_rate) {
    std::vector<std::string> notes;
    const double ppm = std::abs(timing.drift_ppm);
    if (ppm > 0)
        notes.push_back("warning: the clock of " + wet_name + " runs " + number("%.2g", ppm) + " ppm " +
                        (timing.drift_ppm > 0 ? "faster" : "slower") + " than that of the dry (" +
                        number("%.0f", ppm * 60e-6 * sample_rate) + " samples a minute), two devices that were not locked: "
                        "record both on one interface, or let --repair even it out");
    struct Dropout {
        std::size_t at_sample;
        std::string what;
    };
    std::vector<Dropout> dropouts;
    for (const auto& s : timing.slips)
        dropouts.push_back({s.at_sample, samples(std::size_t(std::abs(s.samples))) +
                                             (s.samples < 0 ? " lost from " : " inserted into ")});
    for (const auto& h : timing.holes) dropouts.push_back({h.at_sample, samples(h.samples) + " empty in "});
    std::sort(dropouts.begin(), dropouts.end(), [](const Dropout& x, const Dropout& y) { return x.at_sample < y.at_sample; });
    for (std::size_t i = 0; i < std::min(dropouts.size(), most_told); ++i)
        notes.push_back("warning: " + dropouts[i].what + wet_name + " at " +
                        number("%.2f s", double(dropouts[i].at_sample) / sample_rate) +
                        ", a dropout: record again with a larger buffer, or let --repair cut it out");
    if (dropouts.size() > most_told)
        notes.push_back("warning: and " + std::to_string(dropouts.size() - most_told) + " more dropouts in " + wet_name);
    if (timing.measured && timing.wander_samples > steady_samples)
        notes.push_back("warning: the delay of " + wet_name + " wanders by " + number("%.0f", timing.wander_samples) +
                        " samples either way: a chorus or vibrato that is on, a tape, or a clock that is not steady; "
                        "a capture cannot follow that");
    else if (timing.measured && timing.keeps_time())
        notes.push_back("timing: " + wet_name + " keeps its latency within " +
                        number("%.1g", std::max(timing.wander_samples, 0.01)) + " samples along the take");
    return notes;
}

void remove_drift(AudioBuffer& wet, double drift_ppm) {
    audio::Resampler resampler(wet.sample_rate * (1 + 1e-6 * drift_ppm), wet.sample_rate, int(wet.channels.size()));
    audio::Planar steady(wet.channels.size());
    resampler.process(wet.channels, steady);
    resampler.finish(steady);
    wet.channels = std::move(steady);
}

std::vector<Stretch> sound_stretches(const TakeTiming& timing, std::size_t length, int sample_rate) {
    struct Cut {
        std::size_t begin, end;
        std::ptrdiff_t shift;
    };
    const auto margin = std::size_t(margin_s * sample_rate), shortest = std::size_t(shortest_stretch_s * sample_rate);
    std::vector<Cut> cuts;
    const auto add = [&](std::size_t begin, std::size_t end, std::ptrdiff_t shift) {
        cuts.push_back({begin - std::min(begin, margin), std::min(end + margin, length), shift});
    };
    for (const auto& slip : timing.slips) {
        const auto lost = std::size_t(std::max<std::ptrdiff_t>(0, -slip.samples));
        add(slip.at_sample, slip.at_sample + lost, slip.samples);
    }
    for (const auto& hole : timing.holes) add(hole.at_sample, hole.at_sample + hole.samples, 0);
    std::sort(cuts.begin(), cuts.end(), [](const Cut& a, const Cut& b) { return a.begin < b.begin; });
    cuts.push_back({length, length, 0});
    std::vector<Stretch> stretches;
    std::size_t begin = 0;
    std::ptrdiff_t shift = 0;
    for (const Cut& cut : cuts) {
        if (cut.begin >= begin + shortest) stretches.push_back({begin, cut.begin, shift});
        begin = std::max(begin, cut.end);
        shift += cut.shift;
    }
    if (stretches.empty()) stretches.push_back({0, length, 0});
    const std::ptrdiff_t reference = longest(stretches).shift_samples;
    for (Stretch& stretch : stretches) stretch.shift_samples -= reference;
    return stretches;
}

TakeTiming without_begin(TakeTiming timing, std::size_t samples) {
    for (auto& slip : timing.slips) slip.at_sample -= std::min(slip.at_sample, samples);
    for (auto& hole : timing.holes) hole.at_sample -= std::min(hole.at_sample, samples);
    return timing;
}

const Stretch& longest(const std::vector<Stretch>& stretches) {
    return *std::max_element(stretches.begin(), stretches.end(),
                             [](const Stretch& a, const Stretch& b) { return a.end - a.begin < b.end - b.begin; });
}

} // namespace serpent
