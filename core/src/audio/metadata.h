// SPDX-License-Identifier: MIT
// What a file carries besides its samples: who recorded it, when and where, markers, loops.
#pragma once

#include "audio/chunk_edit.h"

#include <sndfile.h>

#include <filesystem>
#include <string>
#include <vector>

namespace serpent::audio {

/// What could be taken over, and what not.
struct Metadata {
    std::string behind;                 ///< whole chunks, for append_chunks() once the samples are written
    std::vector<std::string> not_kept;  ///< for a person
};

/// Gives `to`, which was opened for writing and has no samples yet, what the file `from` carries besides its samples. What
/// libsndfile might stumble over when it reads goes behind the samples, at most `room` bytes.
Metadata copy_metadata(const std::filesystem::path& from, SNDFILE* to, int to_container, const Cut& cut, std::uint64_t room);

/// Adds chunks to a finished WAV, RF64 or AIFF file, and their length to its header. False when the disk is full.
bool append_chunks(const std::filesystem::path& path, const std::string& chunks);

} // namespace serpent::audio
