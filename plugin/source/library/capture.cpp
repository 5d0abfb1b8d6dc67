// SPDX-License-Identifier: GPL-3.0-or-later
#include "library/capture.h"

#include "serpent/errors.h"
#include "serpent/render_file.h"
#include "serpent/stream.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <numbers>
#include <optional>
#include <random>
#include <vector>

namespace serpent::plugin {

namespace {

constexpr double reference_db = -18.0;
constexpr double loudness_s = 2.0;
constexpr double tail_level_db = -9.0, tail_share = 3.1623e-5;  // -90 dB
constexpr double lowest_audible_hz = 20.0;
constexpr double tail_step_s = 0.1, longest_tail_s = 30.0;
constexpr std::size_t tail_quiet_steps = 5;  // so long below tail_share, it is over
constexpr int tail_loud_steps = 5;
constexpr double most_work = 137438953472.0;  // 2^37 multiplications, some ten seconds: what plays live at all is far below

SourceFile finished(SourceFile file, juce::MemoryBlock bytes) {
    file.sha256 = sha256_of(bytes);
    file.bytes.reset();
    if (static_cast<juce::int64>(bytes.getSize()) <= most_embedded_bytes) file.bytes = std::move(bytes);
    return file;
}

SourceFile described(const juce::File& file) { return {file.getFileNameWithoutExtension(), file.getFullPathName(), {}, {}}; }

/// Brownish noise, whose spectrum is nearer to an instrument's than white.
std::vector<float> noise(std::size_t samples, double rms_db) {
    std::vector<float> noise(samples);
    std::mt19937 random(1);
    double low = 0.0, sum = 0.0;
    for (float& x : noise) {
        low += 0.1 * (static_cast<double>(random()) / 2147483648.0 - 1.0 - low);
        x = static_cast<float>(low);
        sum += low * low;
    }
    const auto gain = static_cast<float>(std::pow(10.0, rms_db / 20.0) / std::sqrt(sum / static_cast<double>(noise.size())));
    for (float& x : noise) x *= gain;
    return noise;
}

using Channels = std::vector<std::vector<float>>;

/// What the stream, prepared for that many samples, makes of `in` on all its channels.
Channels play(Stream& stream, const std::vector<float>& in) {
    Channels out(static_cast<std::size_t>(stream.channels()), in);
    std::vector<float*> pointers;
    for (auto& channel : out) pointers.push_back(channel.data());
    stream.process(pointers.data(), pointers.data(), static_cast<int>(in.size()));
    return out;
}

double work_of(const Model& model, std::size_t samples) {
    return static_cast<double>(model.macs_per_sample()) * static_cast<double>(samples);
}

/// For models that do not say: of two seconds of noise. None where playing them would take too long.
std::optional<double> measured_loudness_db(const std::shared_ptr<const Model>& model) {
    const auto samples = static_cast<std::size_t>(loudness_s * model->config.sample_rate);
    if (work_of(*model, samples) > most_work) return std::nullopt;
    Stream stream(model);
    stream.prepare(model->config.sample_rate, static_cast<int>(samples));
    double energy = 0.0;
    for (const auto& channel : play(stream, noise(samples, reference_db)))
        for (const float y : channel) energy += static_cast<double>(y) * y;
    energy /= static_cast<double>(samples) * stream.channels();
    return energy > 1e-12 && std::isfinite(energy) ? 10.0 * std::log10(energy) : reference_db;
}

/// Loud noise, then silence. What a model's slowest states do for minutes is a drift that nobody hears: what counts is above 20 Hz.
/// None where it would take too long to find out.
std::optional<double> measured_tail_s(const std::shared_ptr<const Model>& model) {
    const double rate_hz = model->config.sample_rate;
    const auto samples = static_cast<std::size_t>(tail_step_s * rate_hz);
    const double work_of_step = work_of(*model, samples);
    double work = tail_loud_steps * work_of_step;
    if (work > most_work) return std::nullopt;
    Stream stream(model);
    stream.prepare(rate_hz, static_cast<int>(samples));
    const std::vector<float> loud = noise(samples, tail_level_db), silence(samples, 0.0f);
    std::vector<double> drift;  // of each channel: what is below 20 Hz
    for (const auto& channel : play(stream, {0.0f})) drift.push_back(channel[0]);
    const double follow = 1.0 - std::exp(-2.0 * std::numbers::pi * lowest_audible_hz / rate_hz);
    const auto audible = [&](const Channels& out, std::size_t t) {
        double largest = 0.0;
        for (std::size_t c = 0; c < out.size(); ++c) {
            drift[c] += follow * (out[c][t] - drift[c]);
            largest = std::max(largest, std::abs(out[c][t] - drift[c]));
        }
        return largest;
    };
    double peak = 0.0;
    for (int step = 0; step < tail_loud_steps; ++step) {
        const Channels out = play(stream, loud);
        for (std::size_t t = 0; t < samples; ++t) peak = std::max(peak, audible(out, t));
    }
    std::size_t tail = 0, at = 0;
    while (at < tail + tail_quiet_steps * samples && static_cast<double>(at) < longest_tail_s * rate_hz) {
        if ((work += work_of_step) > most_work) return std::nullopt;
        const Channels out = play(stream, silence);
        for (std::size_t t = 0; t < samples; ++t, ++at)
            if (audible(out, t) > tail_share * peak) tail = at + 1;
    }
    return static_cast<double>(tail) / rate_hz;
}

struct Measured {
    std::optional<double> loudness_db, tail_s;
};

/// Once for each file: a slow compressor's tail takes half a minute of sound, and a host that opens a session or chooses a program
/// waits for it.
Measured measured(const std::shared_ptr<const Model>& model, const juce::String& sha256) {
    static std::mutex mutex;
    static std::map<juce::String, Measured> known;
    {
        const std::lock_guard lock(mutex);
        if (const auto found = known.find(sha256); found != known.end()) return found->second;
    }
    const auto& stated = model->metadata.loudness_db;
    const Measured fresh{stated ? stated : measured_loudness_db(model), measured_tail_s(model)};
    const std::lock_guard lock(mutex);
    return known.insert_or_assign(sha256, fresh).first->second;
}

} // namespace

juce::String Capture::title() const {
    return model->metadata.name.empty() ? file.name : juce::String::fromUTF8(model->metadata.name.c_str());
}

std::shared_ptr<const Capture> make_capture(SourceFile file, juce::MemoryBlock bytes) {
    auto capture = std::make_shared<Capture>();
    const std::string source = (file.path.isEmpty() ? file.name : file.path).toStdString();
    capture->model = std::make_shared<const Model>(
        Model::parse({static_cast<const std::byte*>(bytes.getData()), bytes.getSize()}, source));
    capture->file = finished(std::move(file), std::move(bytes));
    const auto [loudness_db, tail_s] = measured(capture->model, capture->file.sha256);
    capture->loudness_known = loudness_db.has_value();
    capture->loudness_measured = loudness_db && !capture->model->metadata.loudness_db;
    capture->loudness_db = std::clamp(loudness_db.value_or(reference_db), -60.0, 20.0);  // one beyond all reason would blow up ears
    capture->memory_s = memory_s(*capture->model);
    capture->tail_s = tail_s.value_or(std::min(capture->memory_s, longest_tail_s));
    return capture;
}

std::shared_ptr<const Impulse> make_impulse(SourceFile file, juce::MemoryBlock bytes) {
    // libsndfile reads files; the session's own copy becomes one for a moment.
    const juce::TemporaryFile temporary("." + file.path.fromLastOccurrenceOf(".", false, false));
    if (!temporary.getFile().replaceWithData(bytes.getData(), bytes.getSize()))
        throw Error("no room for a temporary file in " + temporary.getFile().getParentDirectory().getFullPathName().toStdString());
    const std::filesystem::path path = temporary.getFile().getFullPathName().toStdString();
    const std::string shown = (file.path.isEmpty() ? file.name : file.path).toStdString();
    const auto in_the_users_terms = [&](const std::string& text) {
        return juce::String(text).replace(temporary.getFile().getFullPathName(), juce::String(shown)).toStdString();
    };
    auto audio = std::make_shared<AudioBuffer>();
    try {
        const AudioReader reader(path);
        const AudioFormat format = reader.format();
        if (format.channels > 2)
            throw Error(shown + " has " + std::to_string(format.channels) + " channels; an impulse response has one or two");
        if (!(static_cast<double>(reader.frames()) <= longest_impulse_s * format.sample_rate))
            throw Error(shown + " is longer than " + std::to_string(static_cast<int>(longest_impulse_s)) +
                        " s; an impulse response of a cabinet takes less than one");
        *audio = read_audio(path);
    } catch (const Error& error) {
        throw Error(in_the_users_terms(error.what()));
    }
    audio->note = in_the_users_terms(audio->note);
    auto impulse = std::make_shared<Impulse>();
    impulse->audio = std::move(audio);
    impulse->file = finished(std::move(file), std::move(bytes));
    return impulse;
}

std::shared_ptr<const Capture> read_capture(const juce::File& file) { return make_capture(described(file), read_bytes(file)); }
std::shared_ptr<const Impulse> read_impulse(const juce::File& file) { return make_impulse(described(file), read_bytes(file)); }

} // namespace serpent::plugin
