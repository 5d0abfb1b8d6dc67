// SPDX-License-Identifier: GPL-3.0-or-later
// Signals that stand still, where a slow float32 state would stop before it arrives: each step of h = h + q (h - B x) is then
// less than half of what h resolves. Noise, whose steps are large, hides that.
#pragma once

#include "close.h"
#include "random.h"
#include "reference_model.h"
#include "serpent/model.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <string>
#include <vector>

namespace serpent::test {

/// Noise, then silence; a direct voltage in steps, at levels that compressors were trained on; a sine that is held. Sections of equal
/// length, interleaved channels.
inline constexpr std::size_t standing_sections = 4;

inline std::vector<float> standing_signal(std::size_t channels, std::size_t section_samples) {
    Random random(7);
    const double steps[] = {0.1, -0.06, 0.03, 0.12};
    std::vector<float> signal;
    for (std::size_t t = 0; t < standing_sections * section_samples; ++t)
        for (std::size_t c = 0; c < channels; ++c) {
            const std::size_t within = t % section_samples;
            double value = 0.0;
            switch (t / section_samples) {
            case 0: value = random.uniform(-0.7, 0.7); break;
            case 1: break;
            case 2: value = steps[within * 4 / section_samples]; break;
            default: value = 0.2 * std::sin(2 * std::numbers::pi * 220 / 48000 * static_cast<double>(within));
            }
            signal.push_back(static_cast<float>(value));
        }
    return signal;
}

/// The largest distance of a section, each relative to the rms of the whole: a loud section does not hide a bad one.
template <class T>
Distance worst_section(const std::vector<double>& expected, const std::vector<T>& got) {
    const Distance whole = distance(expected, got);
    if (!(std::isfinite(whole.rms) && whole.rms > 0)) return whole;
    double energy = 0;
    for (const double e : expected) energy += e * e;
    const double n = static_cast<double>(expected.size()), rms = std::sqrt(energy / n);
    double worst = 0;
    const std::size_t length = expected.size() / standing_sections;
    for (std::size_t section = 0; section < standing_sections; ++section) {
        double error = 0;
        for (std::size_t i = section * length; i < (section + 1) * length; ++i) {
            const double difference = static_cast<double>(got[i]) - expected[i];
            error += difference * difference;
        }
        worst = std::max(worst, std::sqrt(error / static_cast<double>(length)) / rms);
    }
    return {worst, whole.max};
}

/// What float64 answers from the state of silence.
inline std::vector<double> answer_from_silence(const Model& model, const std::vector<float>& in) {
    ReferenceModel reference(model);
    reference.set_state(silence_state(model));
    return reference.process(in);
}

} // namespace serpent::test
