// SPDX-License-Identifier: MIT
// What a file is by its content, whatever its name: so that a wrong one can be named in a message.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace serpent {

struct FileKind {
    enum class Group { unknown, model, audio, other };
    Group group = Group::unknown;  ///< model: one that Serpent plays, its own or a .nam capture
    std::string name;              ///< for a sentence: "a WAV file"; empty when unknown
    std::string remedy;            ///< what to do where a model is wanted; empty where the name says it

    /// "it is a WAV file, not a model; give ...": empty unless it is known to be something else.
    std::string instead_of_model() const;
    std::string instead_of_audio() const;
    bool is_nam() const;  ///< a .nam capture, whole or not
};

/// Looks at the first 8 MiB at most.
FileKind kind_of(std::span<const std::byte> bytes);
/// Unknown where it cannot be read.
FileKind kind_of_file(const std::filesystem::path& path);

} // namespace serpent
