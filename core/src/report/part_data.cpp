// SPDX-License-Identifier: MIT
#include "report/part_data.h"

#include "report/sound_file.h"
#include "report/spectrogram.h"
#include "report/text.h"
#include "serpent/text.h"

#include <algorithm>
#include <cmath>
#include <span>

namespace serpent::report {

namespace {

using nlohmann::json;
using Signal = std::span<const float>;

struct Stretch {
    std::size_t first = 0, length = 0;
};

constexpr std::size_t most_peaks = 24576;
constexpr std::size_t shortest_peak = 64;      // samples
constexpr double longest_excerpt_s = 12.0;
constexpr double detail_s = 1.0;               // of every sample around the largest error
constexpr double shortest_envelope_s = 0.1;    // as the envelope error of the metrics
constexpr std::size_t most_envelope_points = 2000;

float peak(Signal signal) {
    float largest = 0;
    for (const float x : signal) largest = std::max(largest, std::abs(x));
    return largest;
}

/// Replaces what is not finite; the bound keeps differences of two samples finite too.
std::size_t make_finite(std::vector<float>& signal) {
    std::size_t bad = 0;
    for (float& x : signal) {
        if (std::abs(x) <= 1e15f) continue;
        x = 0;
        ++bad;
    }
    return bad;
}

/// The smallest and largest sample of every `window` samples, 16-bit little-endian in units of `unit`.
json peaks(Signal signal, std::size_t window) {
    const double unit = std::max(peak(signal), 1e-9f) / 32767.0;
    std::vector<std::uint8_t> bytes;
    const auto put = [&](float x) {
        const auto level = static_cast<std::int16_t>(std::lrint(x / unit));
        bytes.push_back(static_cast<std::uint8_t>(level & 0xff));
        bytes.push_back(static_cast<std::uint8_t>(level >> 8 & 0xff));
    };
    for (std::size_t i = 0; i < signal.size(); i += window) {
        const auto [low, high] = std::minmax_element(signal.begin() + static_cast<std::ptrdiff_t>(i),
            signal.begin() + static_cast<std::ptrdiff_t>(std::min(i + window, signal.size())));
        put(*low);
        put(*high);
    }
    return {{"unit", unit}, {"bytes", base64(bytes)}};
}

/// The stretch of `length` samples with the largest sum of `score`, one for every `window` samples.
Stretch best_stretch(const std::vector<double>& score, std::size_t window, std::size_t length, std::size_t samples) {
    length = std::min(length, samples);
    const std::size_t windows = std::min(std::max<std::size_t>(1, length / window), score.size());
    double sum = 0, best = 0;
    std::size_t best_end = windows;
    for (std::size_t i = 0; i < score.size(); ++i) {
        sum += score[i] - (i >= windows ? score[i - windows] : 0.0);
        if (i + 1 < windows || (i + 1 > windows && sum <= best)) continue;
        best = sum;
        best_end = i + 1;
    }
    const std::size_t first = score.empty() ? 0 : (best_end - windows) * window;
    return {std::min(first, samples - length), length};
}

/// Where most is played: the mean level above -60 dBFS is largest.
Stretch liveliest(Signal target, int sample_rate, double seconds) {
    std::vector<double> score = level_envelope_db(target, sample_rate, 0.1, -60.0);
    for (double& level : score) level += 60.0;
    return best_stretch(score, static_cast<std::size_t>(std::lround(0.1 * sample_rate)),
                        static_cast<std::size_t>(seconds * sample_rate), target.size());
}

/// The 20 ms with the largest error.
Stretch worst(Signal error, int sample_rate) {
    const std::size_t window = std::max<std::size_t>(1, static_cast<std::size_t>(sample_rate) / 100);
    std::vector<double> score((error.size() + window - 1) / window, 0.0);
    for (std::size_t i = 0; i < error.size(); ++i) score[i / window] += double{error[i]} * error[i];
    return best_stretch(score, window, 2 * window, error.size());
}

/// 1 unless 16 bits are too few above or below.
double sound_scale(double largest) { return largest > 1.0 || (largest > 0 && largest < 0.05) ? 1.0 / largest : 1.0; }

json clip(const CleanPart& part, Stretch where, int sample_rate, bool with_dry) {
    const auto cut = [&](Signal signal) { return signal.subspan(where.first, where.length); };
    const auto sound = [&](Signal signal, double scale) -> json {
        return {{"scale", scale}, {"file", base64(sound_file(signal, sample_rate, scale))}};
    };
    // One scale for both, so that rounding is the same and the difference is the error.
    const double wet_scale = sound_scale(std::max(peak(cut(part.target)), peak(cut(part.prediction))));
    json result = {{"first", where.first},
                   {"length", where.length},
                   {"target", sound(cut(part.target), wet_scale)},
                   {"model", sound(cut(part.prediction), wet_scale)}};
    if (with_dry) result["dry"] = sound(cut(part.dry), sound_scale(peak(cut(part.dry))));
    return result;
}

std::size_t sound_size(const json& excerpt) {
    std::size_t size = 0;
    for (const char* name : {"dry", "target", "model"})
        size += excerpt[name]["file"].get_ref<const std::string&>().size();
    return size;
}

/// For listening: as long as fits into about `most_bytes` of page.
json excerpt(const CleanPart& part, int sample_rate, std::size_t most_bytes) {
    const double seconds = std::min(longest_excerpt_s, static_cast<double>(part.target.size()) / sample_rate);
    const json result = clip(part, liveliest(part.target, sample_rate, seconds), sample_rate, true);
    const std::size_t size = sound_size(result);
    if (size <= most_bytes) return result;
    // The livelier rest may need a few more bits per sample.
    const double shorter = 0.95 * seconds * static_cast<double>(most_bytes) / static_cast<double>(size);
    return clip(part, liveliest(part.target, sample_rate, shorter), sample_rate, true);
}

json spectrograms(const CleanPart& part, int sample_rate) {
    const Spectrogram target(part.target, sample_rate), model(part.prediction, sample_rate);
    const double reference = target.loudest() > 0 ? target.loudest() : model.loudest();
    return {{"columns", target.layout().columns}, {"rows", target.layout().rows},
            {"highest_hz", target.layout().highest_hz}, {"range_db", spectrogram_range_db},
            {"target", base64(target.levels(reference))}, {"model", base64(model.levels(reference))}};
}

/// To a hundredth, NaN as null.
json hundredths(const std::vector<double>& values) {
    json result = json::array();
    for (const double v : values) result.push_back(std::isfinite(v) ? json(std::round(v * 100.0) / 100.0) : json());
    return result;
}

json envelopes(const CleanPart& part, int sample_rate) {
    const double window_s = std::max(shortest_envelope_s, static_cast<double>(part.dry.size()) / sample_rate /
                                                              static_cast<double>(most_envelope_points));
    const double gain = std::abs(least_squares_gain(part.dry, part.target));
    return {{"window_s", window_s},
            {"target", hundredths(gain_envelope_db(part.dry, part.target, sample_rate, window_s))},
            {"model", hundredths(gain_envelope_db(part.dry, part.prediction, sample_rate, window_s))},
            {"static_db", gain > 0 ? json(20.0 * std::log10(gain)) : json()}};
}

} // namespace

CleanPart clean(const ReportPart& part) {
    CleanPart result{.dry = part.dry, .target = part.target, .prediction = part.prediction};
    result.bad_dry = make_finite(result.dry);
    result.bad_target = make_finite(result.target);
    result.bad_prediction = make_finite(result.prediction);
    return result;
}

nlohmann::json part_data(const ReportPart& part, const CleanPart& signals, int sample_rate, std::size_t excerpt_bytes) {
    const std::size_t samples = signals.target.size();
    json result = {{"name", valid_utf8(part.name)}, {"samples", samples}};
    if (samples == 0) return result;

    std::vector<float> error(samples);
    std::transform(signals.prediction.begin(), signals.prediction.end(), signals.target.begin(), error.begin(),
                   std::minus<>());
    const std::size_t window = std::max(shortest_peak, (samples + most_peaks - 1) / most_peaks);
    const Stretch largest_error = worst(error, sample_rate);
    const auto detail = std::min(samples, static_cast<std::size_t>(detail_s * sample_rate));
    const std::size_t before = detail / 2;
    const std::size_t earliest = largest_error.first > before ? largest_error.first - before : 0;
    const Stretch around{std::min(earliest, samples - detail), detail};

    result["window"] = window;
    result["peaks"] = {{"target", peaks(signals.target, window)},
                       {"model", peaks(signals.prediction, window)},
                       {"error", peaks(error, window)}};
    result["worst"] = {{"first", largest_error.first}, {"length", largest_error.length}};
    result["clips"] = {excerpt(signals, sample_rate, excerpt_bytes),
                       clip(signals, around, sample_rate, false)};
    result["spectrogram"] = spectrograms(signals, sample_rate);
    result["envelope"] = envelopes(signals, sample_rate);
    return result;
}

} // namespace serpent::report
