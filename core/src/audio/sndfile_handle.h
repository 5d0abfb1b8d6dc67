// SPDX-License-Identifier: MIT
// What the reader and the writer share of libsndfile.
#pragma once

#include "serpent/audio_file.h"

#include <sndfile.h>

#include <memory>
#include <string>

namespace serpent::audio {

struct CloseSndfile {
    void operator()(SNDFILE* file) const noexcept { sf_close(file); }
};
using SndfileHandle = std::unique_ptr<SNDFILE, CloseSndfile>;

/// libsndfile's last error on `file` (null: of the last failed open), without its trailing full stop.
std::string sndfile_reason(SNDFILE* file);

Subtype subtype_of(int sndfile_format) noexcept;

/// The libsndfile format code for writing to `path`, or 0 where the container cannot hold `format`. Throws Error when
/// the extension names no container. `frames` decides between WAV and RF64.
int sndfile_format(const std::filesystem::path& path, const AudioFormat& format, std::int64_t frames);

/// Bits of an integer subtype, else 0.
int integer_bits(Subtype subtype) noexcept;

/// Whether `frames` fit a container whose sizes are 32 bits wide (WAV, AIFF), with some room for its header.
bool fits_32_bit_sizes(const AudioFormat& format, std::int64_t frames) noexcept;

} // namespace serpent::audio
