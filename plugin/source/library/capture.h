// SPDX-License-Identifier: GPL-3.0-or-later
// What is loaded: a capture (a model and its file) and an impulse response.
#pragma once

#include "library/source_file.h"
#include "serpent/audio_file.h"
#include "serpent/model.h"

#include <memory>

namespace serpent::plugin {

struct Capture {
    SourceFile file;
    std::shared_ptr<const Model> model;
    double loudness_db = 0.0;         ///< of its output for an input at -18 dBFS rms; the same level where it is not known
    bool loudness_known = true;       ///< not when nobody said it and measuring would take too long
    bool loudness_measured = false;   ///< here, since its metadata does not say
    double memory_s = 0.0;            ///< how long it takes to forget, estimated
    double tail_s = 0.0;              ///< how long it sounds on when its input falls silent, measured: until 90 dB below what was;
                                      ///< where that would take too long, memory_s

    /// What to show: the name in its metadata, else that of its file.
    juce::String title() const;
};

struct Impulse {
    SourceFile file;
    std::shared_ptr<const AudioBuffer> audio;  ///< one or two channels at the file's own rate
};

inline constexpr double longest_impulse_s = 10.0;

/// `bytes` is the content of `file`, whose name and path are set. Throw serpent::Error that names the file. Not for the
/// audio thread.
std::shared_ptr<const Capture> make_capture(SourceFile file, juce::MemoryBlock bytes);
std::shared_ptr<const Impulse> make_impulse(SourceFile file, juce::MemoryBlock bytes);

std::shared_ptr<const Capture> read_capture(const juce::File& file);
std::shared_ptr<const Impulse> read_impulse(const juce::File& file);

} // namespace serpent::plugin
