// SPDX-License-Identifier: MIT
#include "serpent/training_data.h"

#include "model/as_error.h"
#include "serpent/audio_file.h"
#include "serpent/capture.h"
#include "serpent/errors.h"
#include "serpent/take_check.h"
#include "training/alignment.h"
#include "training/ringing.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <span>

namespace serpent {
namespace {

namespace fs = std::filesystem;

constexpr double longest_validation_s = 20.0;
constexpr double validation_share = 0.1;

constexpr std::ptrdiff_t same_chain_samples = 4; // onsets in other playing differ by less
constexpr double notable_self_esr = 0.01; // clearly audible side by side: modulation, noise, a knob that was moved

using Channels = std::vector<std::vector<float>>;

struct Prepared {
    std::vector<TrainingTake> stretches;  ///< one, but for a take that was cut round dropouts
    std::optional<CaptureLayout> layout;  ///< of a take in one stretch
    int sample_rate = 0;
    int onset_samples = 0;    ///< where the wet begins to answer
    int latency_samples = 0;  ///< what was removed of that
    std::optional<double> self_esr;
};

/// A stretch of a take, as far as the wet goes.
TrainingTake part(const TrainingTake& take, const Stretch& stretch) {
    const std::ptrdiff_t n = std::ssize(take.wet.front()), shift = stretch.shift_samples;
    const auto begin = std::max(std::ptrdiff_t(stretch.begin), -shift), end = std::min(std::ptrdiff_t(stretch.end), n - shift);
    TrainingTake cut{{}, {}, take.controls};
    for (const std::vector<float>& channel : take.dry) cut.dry.emplace_back(channel.begin() + begin, channel.begin() + end);
    for (const std::vector<float>& channel : take.wet)
        cut.wet.emplace_back(channel.begin() + begin + shift, channel.begin() + end + shift);
    return cut;
}

/// Splits a take into what is trained on and what chooses the weights.
void split(const Prepared& p, TrainingSet& set) {
    const auto longer = [](const auto& a, const auto& b) { return a.dry.front().size() < b.dry.front().size(); };
    const auto last = std::max_element(p.stretches.begin(), p.stretches.end(), longer);
    std::size_t all = 0;
    for (const TrainingTake& stretch : p.stretches) {
        all += stretch.dry.front().size();
        if (&stretch != &*last) set.train.push_back(stretch);
    }
    const TrainingTake& take = *last;
    const std::size_t n = take.dry.front().size();
    if (p.layout && p.layout->validation.end <= n && p.layout->validation.begin > 0) {
        set.train.push_back(part(take, {0, p.layout->validation.begin}));
        if (p.layout->validation.end < n) set.train.push_back(part(take, {p.layout->validation.end, n}));
        set.valid.push_back(part(take, {p.layout->validation.begin, p.layout->validation.end}));
        return;
    }
    const double wanted = std::min(validation_share * double(all), longest_validation_s * p.sample_rate);
    const std::size_t held = std::min(static_cast<std::size_t>(wanted), n / 2);
    set.train.push_back(part(take, {0, n - held}));
    set.valid.push_back(part(take, {n - held, n}));
}

/// The onset of each channel of the wet within `part` of the dry. `known`: what was found already of the first channel in the
/// whole take without its layout.
std::vector<Alignment> find_latencies(const RecordedTake& r, const std::optional<CaptureLayout>& layout, const Stretch& part,
                                      const std::optional<Alignment>& known) {
    std::vector<Alignment> found;
    const auto of_part = [&](const std::vector<float>& channel) {
        const std::size_t begin = std::min(part.begin, channel.size()), end = std::min(part.end, channel.size());
        return std::span(channel).subspan(begin, end - begin);
    };
    const std::size_t n = r.dry.frames();
    const bool whole = part.begin == 0 && part.end == n;
    for (std::size_t c = 0; c < r.wet.channels.size(); ++c)
        found.push_back(c == 0 && whole && !layout && known ? *known
                        : whole ? find_latency(r.dry.channels[c], r.wet.channels[c], r.dry.sample_rate, layout)
                                : find_latency(of_part(r.dry.channels[c]), of_part(r.wet.channels[c]), r.dry.sample_rate));
    return found;
}

/// Says what was found. Throws when a channel has nothing to do with the dry.
std::vector<std::ptrdiff_t> accept(const std::vector<Alignment>& found, const TakeTiming& timing, int sample_rate,
                                   const fs::path& dry, const fs::path& wet, std::vector<std::string>& notes) {
    std::vector<std::ptrdiff_t> latencies;
    for (std::size_t c = 0; c < found.size(); ++c) {
        const Alignment& a = found[c];
        const std::string name = (found.size() > 1 ? "channel " + std::to_string(c + 1) + " of " : "") + wet.string();
        if (!a.found && !timing.keeps_time()) {
            const std::string what = describe(timing, wet.string(), sample_rate).front();
            throw Error(what.substr(what.find(": ") + 2));
        }
        if (!a.found)
            throw Error(name + " does not seem to answer " + dry.string() + " (" + a.confidence +
                        "); check that they belong together, or give --latency N to train all the same.");
        notes.push_back("latency of " + name + ": " + std::to_string(a.latency_samples) + " samples (" + a.confidence + ")");
        if (a.clicks_disagree && timing.keeps_time())
            notes.push_back("warning: " + name + " does not keep time with " + dry.string() +
                            ": samples were lost or inserted, two clocks ran apart, or the gear modulates its delay; if it "
                            "is not the gear, record again with both on one interface");
        if (a.polarity_inverted) notes.push_back("note: " + name + " is inverted in polarity; the model will be, too");
        latencies.push_back(a.latency_samples);
    }
    return latencies;
}

std::string describe_self_esr(const std::optional<double>& esr) {
    if (!esr)
        return "how far the gear differs from itself is not known: only serpent's capture signal plays a part twice";
    char text[160];
    std::snprintf(text, sizeof text, "self-ESR: %.2g, how far the gear differs from itself when it plays a part twice; "
                  "no model can do better", *esr);
    return (*esr > notable_self_esr ? "warning: " : "") + std::string(text);
}

/// What of an onset is the recording's latency, and is removed: all of it, but for what rings ahead of the onset, which a causal model could
/// not answer if it were cut away.
std::ptrdiff_t removed_latency(const RecordedTake& take, std::ptrdiff_t onset, int own_latency_samples) {
    constexpr std::ptrdiff_t room = 2;
    if (own_latency_samples <= 0) return onset;
    const auto ahead = rings_ahead_by(take.dry.channels.front(), take.wet.channels.front(), onset, take.dry.sample_rate);
    return ahead ? onset - std::min<std::ptrdiff_t>(std::min(*ahead + room, onset), own_latency_samples) : onset;
}

/// Where the wet answers, when somebody said how late it is and a filter of the model's may take the rest.
std::optional<std::ptrdiff_t> found_onset(const RecordedTake& take, const TrainingDataOptions& options) {
    if (options.own_latency_samples <= 0 || !options.latency_samples) return std::nullopt;
    const Alignment found = find_latency(take.dry.channels.front(), take.wet.channels.front(), take.dry.sample_rate);
    const std::ptrdiff_t rest = found.latency_samples - *options.latency_samples;
    return found.found && rest >= 0 && rest <= options.own_latency_samples ? std::optional(found.latency_samples) : std::nullopt;
}

/// `likely_onset`, and `own_samples` of it that are the gear's own: of another recording through the same chain, whose onset was clearer or is the same.
Prepared prepare(const fs::path& dry, const fs::path& wet, TrainingDataOptions options, std::vector<std::string>& notes,
                 std::optional<int> likely_onset = {}, std::optional<int> own_samples = {}) {
    RecordedTake recorded = read_take(dry, wet, {}, notes);
    const int rate = recorded.dry.sample_rate;
    Prepared p{{}, recognise(recorded.dry.channels.front(), rate), rate};
    std::optional<std::ptrdiff_t> about = options.latency_samples;
    std::optional<Alignment> onset;
    if (!about) {
        onset = find_latency(recorded.dry.channels.front(), recorded.wet.channels.front(), rate);
        if (onset->found) about = onset->latency_samples;
    }
    const bool given = options.latency_samples.has_value();
    if (!given && likely_onset && (!about || std::abs(*about - *likely_onset) <= same_chain_samples))
        about = options.latency_samples = likely_onset;
    // Searching the whole take is slow, and was done where nothing was found.
    const std::ptrdiff_t roughly = about.value_or(onset ? onset->roughly.value_or(0) : 0);
    TakeTiming timing = check_timing(recorded, roughly, options.repair, wet, notes);
    if (options.repair) onset.reset();
    std::vector<std::ptrdiff_t> latencies(recorded.wet.channels.size(), about.value_or(0));
    if (!options.latency_samples) {
        const Stretch part = longest(sound_stretches(timing, recorded.dry.frames(), rate));
        latencies = accept(find_latencies(recorded, p.layout, part, onset), timing, rate, dry, wet, notes);
    }
    p.onset_samples = static_cast<int>(latencies.front());
    if (given) p.onset_samples = static_cast<int>(found_onset(recorded, options).value_or(latencies.front()));
    if (!given)
        for (std::ptrdiff_t& latency : latencies)
            latency = own_samples ? latency - *own_samples : removed_latency(recorded, latency, options.own_latency_samples);
    p.latency_samples = static_cast<int>(latencies.front());
    if (const int own = p.onset_samples - p.latency_samples; own > 0 && !given && !own_samples)
        notes.push_back("note: " + wet.string() + " rings " + std::to_string(own) + " samples ahead of that, as filters of linear phase do; " +
                        "that much is left in the model (--latency " + std::to_string(p.onset_samples) + " removes it)");
    const std::size_t cut = align_take(recorded, latencies, dry, wet, notes);
    check_changes(recorded, cut, wet, notes);
    const TrainingTake whole{std::move(recorded.dry.channels), std::move(recorded.wet.channels), {}};
    if (options.repair && !timing.keeps_time()) {
        p.layout.reset();
        for (const Stretch& s : sound_stretches(without_begin(timing, cut), whole.dry.front().size(), rate))
            p.stretches.push_back(part(whole, s));
    } else {
        p.stretches.push_back(whole);
    }
    if (p.layout) {
        p.layout = without_begin(*p.layout, cut);
        // Without the latency the wet may be some samples short of the whole signal; the repeated part is all it takes.
        const CaptureSection &first = p.layout->repeat_first, &second = p.layout->repeat_second;
        if (whole.wet.front().size() >= second.end && first.size() == second.size())
            p.self_esr = self_esr(whole.wet.front(), *p.layout);
        notes.push_back("the dry is serpent's capture signal: aligned by its markers");
    }
    notes.push_back(describe_self_esr(p.self_esr));
    return p;
}

} // namespace

TrainingData load_pair(const fs::path& dry, const fs::path& wet,
                       const std::optional<std::pair<fs::path, fs::path>>& valid, const TrainingDataOptions& options) try {
    TrainingData data;
    Prepared p = prepare(dry, wet, options, data.notes);
    auto set = std::make_shared<TrainingSet>();
    set->sample_rate = p.sample_rate;
    set->delay_samples = p.onset_samples - p.latency_samples;
    data.latency_samples = p.latency_samples;
    data.self_esr = p.self_esr;
    if (valid) {
        Prepared v = prepare(valid->first, valid->second, options, data.notes, p.onset_samples, p.onset_samples - p.latency_samples);
        if (v.sample_rate != p.sample_rate || v.stretches.front().dry.size() != p.stretches.front().dry.size())
            throw Error("The validation pair " + valid->first.string() + " differs from the training pair in rate or channels.");
        set->train = std::move(p.stretches);
        set->valid = std::move(v.stretches);
    } else {
        split(p, *set);
    }
    data.set = std::move(set);
    return data;
} catch (...) {
    rethrow_as_error("train on " + wet.string());
}

TrainingData load_takes(const TakesFile& takes, const TrainingDataOptions& options) try {
    TrainingData data;
    auto set = std::make_shared<TrainingSet>();
    set->controls = takes.controls;
    bool first = true;
    const auto load = [&](const Take& take) {
        // One gear rings alike in all takes, also in those without the silence to see it.
        Prepared p = prepare(take.dry, take.wet, options, data.notes, {}, first ? std::nullopt : std::optional(set->delay_samples));
        if (!first && p.sample_rate != set->sample_rate)
            throw Error(take.wet.string() + " has another sample rate than the takes before it; all need the same.");
        if (first) data.latency_samples = p.latency_samples, set->delay_samples = p.onset_samples - p.latency_samples;
        first = false;
        set->sample_rate = p.sample_rate;
        for (TrainingTake& stretch : p.stretches) stretch.controls = take.controls;
        return p;
    };
    for (const Take& take : takes.takes) {
        Prepared p = load(take);
        if (takes.valid.empty())
            split(p, *set);
        else
            std::ranges::move(p.stretches, std::back_inserter(set->train));
    }
    for (const Take& take : takes.valid) std::ranges::move(load(take).stretches, std::back_inserter(set->valid));
    data.set = std::move(set);
    return data;
} catch (...) {
    rethrow_as_error("train on so many takes");
}

} // namespace serpent
