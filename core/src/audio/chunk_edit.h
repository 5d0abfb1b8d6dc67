// SPDX-License-Identifier: MIT
// The contents of chunks that speak of places in the audio, for audio that begins later and is shorter.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace serpent::audio {

/// The part of a file that goes on in another: [first, first + frames).
struct Cut {
    std::int64_t first = 0, frames = 0;
    std::int64_t source_frames = 0;

    bool whole() const noexcept { return first == 0 && frames >= source_frames; }
    /// Where `frame` comes to lie; none outside.
    std::optional<std::int64_t> moved(std::int64_t frame) const noexcept;
};

struct Marker {
    std::uint32_t id = 0;
    std::int64_t frame = 0;
    std::string name;
};

/// Chunks of WAV and RF64. Each function gives the new content, empty when nothing is left of it; content that is not
/// understood comes back as it is.
std::string cut_cue(std::string content, const Cut& cut);                          ///< "cue "
std::string cut_labels(std::string content, const std::vector<Marker>& kept);      ///< "LIST" of type adtl
std::string cut_sampler(std::string content, const Cut& cut);                      ///< "smpl"
/// "bext": the time of the first sample; and what it says of loudness, which is that of other audio, is taken out.
std::string cut_broadcast(std::string content, const Cut& cut);
std::string cut_ixml(std::string content, const Cut& cut);                         ///< "iXML": the same time, in words
/// "MARK" of AIFF.
std::string cut_aiff_markers(const std::string& content, const Cut& cut);

std::vector<Marker> markers_of_cue(const std::string& cue);
void name_markers(std::vector<Marker>& markers, const std::string& labels);        ///< from the content of an adtl "LIST"
std::vector<Marker> markers_of_aiff(const std::string& content);

std::string cue_of(const std::vector<Marker>& markers);
std::string labels_of(const std::vector<Marker>& markers);
std::string aiff_of(const std::vector<Marker>& markers);

/// The ids of the entries of a "LIST" content of type INFO.
std::vector<std::string> info_ids(const std::string& content);

} // namespace serpent::audio
