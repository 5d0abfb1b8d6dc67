// SPDX-License-Identifier: GPL-3.0-or-later
// A file that a session refers to: where it was, what was in it, and its bytes where they are few enough to carry along.
#pragma once

#include <juce_core/juce_core.h>

namespace serpent::plugin {

inline constexpr juce::int64 most_embedded_bytes = 4 << 20;
inline constexpr juce::int64 most_file_bytes = 256 << 20;

struct SourceFile {
    juce::String name;         ///< for people
    juce::String path;         ///< where it was found last; empty for what is built in
    juce::String sha256;       ///< of the content, in hexadecimal
    juce::MemoryBlock bytes;   ///< the content; empty when it is larger than most_embedded_bytes

    bool empty() const { return name.isEmpty() && path.isEmpty() && sha256.isEmpty(); }
};

juce::String sha256_of(const juce::MemoryBlock& bytes);

/// Throws serpent::Error with the file's name when it is missing, unreadable or larger than most_file_bytes.
juce::MemoryBlock read_bytes(const juce::File& file);

/// The content that `source` means: its own bytes, else those at its path if their hash is right. Throws serpent::Error
/// that says what is missing, or that the file is no longer the one it was.
juce::MemoryBlock find_bytes(const SourceFile& source);

} // namespace serpent::plugin
