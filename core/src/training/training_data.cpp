// SPDX-License-Identifier: MIT
#include "serpent/training_data.h"

#include "serpent/audio_file.h"
#include "serpent/capture.h"
#include "serpent/errors.h"
#include "serpent/take_check.h"
#include "training/alignment.h"

#include <algorithm>
#include <cstdio>

namespace serpent {
namespace {

namespace fs = std::filesystem;

constexpr double longest_validation_s = 20.0;
constexpr double validation_share = 0.1;

constexpr double notable_self_esr = 0.01; // clearly audible side by side: modulation, noise, a knob that was moved

using Channels = std::vector<std::vector<float>>;

/// Samples [begin, end) of a take.
TrainingTake part(const TrainingTake& take, std::size_t begin, std::size_t end) {
    TrainingTake cut{{}, {}, take.controls};
    const auto copy = [&](const Channels& from, Channels& to) {
        for (const std::vector<float>& channel : from)
            to.emplace_back(channel.begin() + static_cast<std::ptrdiff_t>(begin),
                            channel.begin() + static_cast<std::ptrdiff_t>(end));
    };
    copy(take.dry, cut.dry);
    copy(take.wet, cut.wet);
    return cut;
}

/// Splits a take into what is trained on and what chooses the weights.
void split(const TrainingTake& take, int sample_rate, const std::optional<CaptureLayout>& layout, TrainingSet& set) {
    const std::size_t n = take.dry.front().size();
    if (layout && layout->validation.end <= n && layout->validation.begin > 0) {
        set.train.push_back(part(take, 0, layout->validation.begin));
        if (layout->validation.end < n) set.train.push_back(part(take, layout->validation.end, n));
        set.valid.push_back(part(take, layout->validation.begin, layout->validation.end));
        return;
    }
    const auto held = static_cast<std::size_t>(std::min(validation_share * double(n), longest_validation_s * sample_rate));
    set.train.push_back(part(take, 0, n - held));
    set.valid.push_back(part(take, n - held, n));
}

/// The latency asked for, or else the onset of each channel of the wet. Throws when it has nothing to do with the dry.
std::vector<std::ptrdiff_t> choose_latency(const RecordedTake& r, const std::optional<CaptureLayout>& layout,
                                           const fs::path& dry, const fs::path& wet, const TrainingDataOptions& options,
                                           std::vector<std::string>& notes) {
    std::vector<std::ptrdiff_t> latencies;
    for (std::size_t c = 0; c < r.wet.channels.size(); ++c) {
        if (options.latency_samples) {
            latencies.push_back(*options.latency_samples);
            continue;
        }
        const std::string name = (r.wet.channels.size() > 1 ? "channel " + std::to_string(c + 1) + " of " : "") + wet.string();
        const Alignment a = find_latency(r.dry.channels[c], r.wet.channels[c], r.dry.sample_rate, layout);
        if (!a.found)
            throw Error(name + " does not seem to answer " + dry.string() + " (" + a.confidence +
                        "); check that they belong together, or give --latency N to train all the same.");
        notes.push_back("latency of " + name + ": " + std::to_string(a.latency_samples) + " samples (" + a.confidence + ")");
        if (a.clicks_disagree)
            notes.push_back("warning: " + name + " does not keep time with " + dry.string() +
                            ": samples were lost or inserted, two clocks ran apart, or the gear modulates its delay; if it is not the "
                            "gear, record again with both on one interface");
        if (a.polarity_inverted) notes.push_back("note: " + name + " is inverted in polarity; the model will be, too");
        latencies.push_back(a.latency_samples);
    }
    return latencies;
}

std::string describe_self_esr(const std::optional<double>& esr) {
    if (!esr)
        return "how far the gear differs from itself is not known: only serpent's capture signal plays a part twice";
    char text[160];
    std::snprintf(text, sizeof text, "self-ESR: %.2g, how far the gear differs from itself when it plays a part twice; no model can do better",
                  *esr);
    return (*esr > notable_self_esr ? "warning: " : "") + std::string(text);
}

struct Prepared {
    TrainingTake take;
    std::optional<CaptureLayout> layout;
    int sample_rate = 0, latency_samples = 0;
    std::optional<double> self_esr;
};

Prepared prepare(const fs::path& dry, const fs::path& wet, const TrainingDataOptions& options,
                 std::vector<std::string>& notes) {
    RecordedTake recorded = read_take(dry, wet, {}, notes);
    Prepared p;
    p.layout = recognise(recorded.dry.channels.front(), recorded.dry.sample_rate);
    p.sample_rate = recorded.dry.sample_rate;
    const auto latencies = choose_latency(recorded, p.layout, dry, wet, options, notes);
    p.latency_samples = static_cast<int>(latencies.front());
    const std::size_t cut = align_take(recorded, latencies, dry, wet, notes);
    p.take = {std::move(recorded.dry.channels), std::move(recorded.wet.channels), {}};
    if (p.layout) {
        p.layout = without_begin(*p.layout, cut);
        // Without the latency the wet may be some samples short of the whole signal; the repeated part is all it takes.
        const CaptureSection &first = p.layout->repeat_first, &second = p.layout->repeat_second;
        if (p.take.wet.front().size() >= second.end && first.size() == second.size())
            p.self_esr = self_esr(p.take.wet.front(), *p.layout);
        notes.push_back("the dry is serpent's capture signal: aligned by its markers");
    }
    notes.push_back(describe_self_esr(p.self_esr));
    return p;
}

} // namespace

TrainingData load_pair(const fs::path& dry, const fs::path& wet,
                       const std::optional<std::pair<fs::path, fs::path>>& valid, const TrainingDataOptions& options) {
    TrainingData data;
    Prepared p = prepare(dry, wet, options, data.notes);
    auto set = std::make_shared<TrainingSet>();
    set->sample_rate = p.sample_rate;
    data.latency_samples = p.latency_samples;
    data.self_esr = p.self_esr;
    if (valid) {
        // The same recording chain: the latency of the training pair holds.
        TrainingDataOptions same = options;
        same.latency_samples = p.latency_samples;
        Prepared v = prepare(valid->first, valid->second, same, data.notes);
        if (v.sample_rate != p.sample_rate || v.take.dry.size() != p.take.dry.size())
            throw Error("The validation pair " + valid->first.string() + " differs from the training pair in rate or channels.");
        set->train.push_back(std::move(p.take));
        set->valid.push_back(std::move(v.take));
    } else {
        split(p.take, p.sample_rate, p.layout, *set);
    }
    data.set = std::move(set);
    return data;
}

TrainingData load_takes(const TakesFile& takes, const TrainingDataOptions& options) {
    TrainingData data;
    auto set = std::make_shared<TrainingSet>();
    set->controls = takes.controls;
    bool first = true;
    const auto load = [&](const Take& take) {
        Prepared p = prepare(take.dry, take.wet, options, data.notes);
        if (!first && p.sample_rate != set->sample_rate)
            throw Error(take.wet.string() + " has another sample rate than the takes before it; all need the same.");
        if (first) data.latency_samples = p.latency_samples;
        first = false;
        set->sample_rate = p.sample_rate;
        p.take.controls = take.controls;
        return p;
    };
    for (const Take& take : takes.takes) {
        Prepared p = load(take);
        if (takes.valid.empty())
            split(p.take, p.sample_rate, p.layout, *set);
        else
            set->train.push_back(std::move(p.take));
    }
    for (const Take& take : takes.valid) set->valid.push_back(load(take).take);
    data.set = std::move(set);
    return data;
}

} // namespace serpent
