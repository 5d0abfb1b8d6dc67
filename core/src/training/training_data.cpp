// SPDX-License-Identifier: MIT
#include "serpent/training_data.h"

#include "serpent/audio_file.h"
#include "serpent/capture.h"
#include "serpent/errors.h"
#include "training/alignment.h"
#include "training/data_checks.h"

#include <algorithm>
#include <cstdlib>

namespace serpent {
namespace {

namespace fs = std::filesystem;

constexpr double longest_validation_s = 20.0;
constexpr double validation_share = 0.1;

using Channels = std::vector<std::vector<float>>;

/// A pair as recorded, and what was learnt about it.
struct Recording {
    AudioBuffer dry, wet;
    std::optional<CaptureLayout> layout;
};

Recording read_pair(const fs::path& dry, const fs::path& wet, std::vector<std::string>& notes) {
    Recording r{read_audio(dry), read_audio(wet), {}};
    for (const std::string& note : {r.dry.note, r.wet.note})
        if (!note.empty()) notes.push_back("note: " + note);
    check_pair(r.dry, r.wet, dry, wet, notes);
    r.layout = recognise(r.dry.channels.front(), r.dry.sample_rate);
    return r;
}

/// Moves the wet `latency` samples earlier and cuts both to what they share.
TrainingTake aligned(Recording&& r, int latency, const fs::path& wet) {
    Channels& late = latency >= 0 ? r.wet.channels : r.dry.channels;
    const auto shift = static_cast<std::size_t>(std::abs(latency));
    if (shift >= late.front().size()) throw Error("The latency of " + wet.string() + " is longer than the recording.");
    for (std::vector<float>& channel : late)
        channel.erase(channel.begin(), channel.begin() + static_cast<std::ptrdiff_t>(shift));
    const std::size_t n = std::min(r.dry.frames(), r.wet.frames());
    for (Channels* side : {&r.dry.channels, &r.wet.channels})
        for (std::vector<float>& channel : *side) channel.resize(n);
    return {std::move(r.dry.channels), std::move(r.wet.channels), {}};
}

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
    if (layout && layout->validation.end <= n) {
        set.train.push_back(part(take, 0, layout->validation.begin));
        if (layout->validation.end < n) set.train.push_back(part(take, layout->validation.end, n));
        set.valid.push_back(part(take, layout->validation.begin, layout->validation.end));
        return;
    }
    const auto held = static_cast<std::size_t>(std::min(validation_share * double(n), longest_validation_s * sample_rate));
    set.train.push_back(part(take, 0, n - held));
    set.valid.push_back(part(take, n - held, n));
}

/// The latency asked for, or else the onset of the wet. Throws when the wet has nothing to do with the dry.
int choose_latency(const Recording& r, const fs::path& dry, const fs::path& wet, const TrainingDataOptions& options,
                   std::vector<std::string>& notes) {
    if (options.latency_samples) return *options.latency_samples;
    const Alignment a = find_latency(r.dry.channels.front(), r.wet.channels.front(), r.dry.sample_rate, r.layout);
    if (!a.found)
        throw Error(wet.string() + " does not seem to answer " + dry.string() + " (" + a.confidence +
                    "); check that they belong together, or give --latency N to train all the same.");
    notes.push_back("latency of " + wet.string() + ": " + std::to_string(a.latency_samples) + " samples (" + a.confidence + ")");
    if (a.polarity_inverted) notes.push_back("note: " + wet.string() + " is inverted in polarity; the model will be, too");
    return static_cast<int>(a.latency_samples);
}

struct Prepared {
    TrainingTake take;
    std::optional<CaptureLayout> layout;
    int sample_rate = 0, latency_samples = 0;
    std::optional<double> self_esr;
};

Prepared prepare(const fs::path& dry, const fs::path& wet, const TrainingDataOptions& options,
                 std::vector<std::string>& notes) {
    Recording recording = read_pair(dry, wet, notes);
    Prepared p;
    p.layout = recording.layout;
    p.sample_rate = recording.dry.sample_rate;
    p.latency_samples = choose_latency(recording, dry, wet, options, notes);
    p.take = aligned(std::move(recording), p.latency_samples, wet);
    if (p.layout) {
        // Without the latency the wet may be some samples short of the whole signal; the repeated part is all it takes.
        if (p.take.wet.front().size() >= p.layout->repeat_second.end) p.self_esr = self_esr(p.take.wet.front(), *p.layout);
        notes.push_back("the dry is serpent's capture signal: aligned by its markers");
    }
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
