// SPDX-License-Identifier: MIT
#include "audio/chunk_edit.h"

#include "audio/container.h"

#include <algorithm>
#include <charconv>
#include <functional>

namespace serpent::audio {

namespace {

constexpr std::size_t cue_header = 4, cue_bytes = 24, sampler_header = 36, loop_bytes = 24;
constexpr std::size_t time_at = 338, version_at = 346, loudness_at = 412;  // in "bext"

std::uint32_t number(const std::string& text, std::size_t at, std::size_t n = 4, bool big_endian = false) {
    return static_cast<std::uint32_t>(decoded(std::string_view(text).substr(at, n), big_endian));
}

void put(std::string& text, std::size_t at, std::uint64_t value, std::size_t n = 4) {
    text.replace(at, n, encoded(value, n, false));
}

using ForEntry = std::function<void(const std::string& id, std::string_view entry, std::string_view content)>;

/// The sub-chunks of a LIST, behind its type.
void for_each_entry(const std::string& list, const ForEntry& f) {
    for (std::size_t at = 4; at + 8 <= list.size();) {
        const std::size_t size = std::min<std::size_t>(number(list, at + 4), list.size() - at - 8);
        const std::size_t all = std::min(8 + size + size % 2, list.size() - at);
        f(list.substr(at, 4), std::string_view(list).substr(at, all), std::string_view(list).substr(at + 8, size));
        at += all;
    }
}

std::string entry(const std::string& id, const std::string& content) {
    return id + encoded(content.size(), 4, false) + content + std::string(content.size() % 2, '\0');
}

} // namespace

std::optional<std::int64_t> Cut::moved(std::int64_t frame) const noexcept {
    if (frame < first || frame - first > frames) return std::nullopt;  // a marker may stand behind the last sample
    return frame - first;
}

std::string cut_cue(std::string content, const Cut& cut) {
    if (content.size() < cue_header) return content;
    const std::size_t count = std::min<std::size_t>(number(content, 0), (content.size() - cue_header) / cue_bytes);
    std::string points;
    for (std::size_t i = 0; i < count; ++i) {
        std::string point = content.substr(cue_header + i * cue_bytes, cue_bytes);
        const auto place = cut.moved(number(point, 20));
        if (!place) continue;
        // In a file without a playlist the position in it is that of the sample, or 0.
        if (const std::uint32_t position = number(point, 4); position != 0)
            put(point, 4, static_cast<std::uint64_t>(cut.moved(position).value_or(*place)));
        put(point, 20, static_cast<std::uint64_t>(*place));
        points += point;
    }
    return points.empty() ? points : encoded(points.size() / cue_bytes, 4, false) + points;
}

std::string cut_labels(std::string content, const std::vector<Marker>& kept) {
    std::string left;
    for_each_entry(content, [&](const std::string& id, std::string_view whole, std::string_view inside) {
        const bool of_a_marker = (id == "labl" || id == "note" || id == "ltxt") && inside.size() >= 4;
        const auto same = [&](const Marker& m) { return m.id == decoded(inside.substr(0, 4), false); };
        if (!of_a_marker || std::any_of(kept.begin(), kept.end(), same)) left += whole;
    });
    return left.empty() ? left : content.substr(0, 4) + left;
}

std::string cut_sampler(std::string content, const Cut& cut) {
    if (content.size() < sampler_header) return content;
    const std::size_t count = std::min<std::size_t>(number(content, 28), (content.size() - sampler_header) / loop_bytes);
    std::string loops;
    for (std::size_t i = 0; i < count; ++i) {
        std::string loop = content.substr(sampler_header + i * loop_bytes, loop_bytes);
        const auto begin = cut.moved(number(loop, 8)), end = cut.moved(number(loop, 12));
        if (!begin || !end) continue;
        put(loop, 8, static_cast<std::uint64_t>(*begin));
        put(loop, 12, static_cast<std::uint64_t>(*end));
        loops += loop;
    }
    const std::string rest = content.substr(sampler_header + count * loop_bytes);
    put(content, 28, loops.size() / loop_bytes);
    return content.substr(0, sampler_header) + loops + rest;
}

std::string cut_broadcast(std::string content, const Cut& cut) {
    if (content.size() < version_at + 2) return content;
    const std::uint64_t time = decoded(std::string_view(content).substr(time_at, 8), false);
    put(content, time_at, time + static_cast<std::uint64_t>(cut.first), 8);
    if (number(content, version_at, 2) >= 2 && content.size() >= loudness_at + 10)
        for (std::size_t i = 0; i < 5; ++i) put(content, loudness_at + 2 * i, 0x7fff, 2);  // EBU Tech 3285: not given
    return content;
}

std::string cut_ixml(std::string content, const Cut& cut) {
    if (cut.first == 0) return content;
    const std::pair<const char*, const char*> names[] = {
        {"TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI", "TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO"},
        {"BWF_TIME_REFERENCE_HIGH", "BWF_TIME_REFERENCE_LOW"}};
    const auto find = [&](const std::string& name) -> std::optional<std::pair<std::size_t, std::size_t>> {
        const std::size_t open = content.find("<" + name + ">"), begin = open + name.size() + 2, end = content.find('<', begin);
        if (open == std::string::npos || end == std::string::npos) return std::nullopt;
        return std::pair(begin, end - begin);
    };
    const auto value = [&](std::pair<std::size_t, std::size_t> place) {
        std::uint32_t number = 0;
        std::from_chars(content.data() + place.first, content.data() + place.first + place.second, number);
        return std::uint64_t{number};
    };
    for (const auto& [high_name, low_name] : names) {
        const auto high = find(high_name), low = find(low_name);
        if (!high || !low) continue;
        const std::uint64_t time = (value(*high) << 32 | value(*low)) + static_cast<std::uint64_t>(cut.first);
        for (const auto& [name, part] : {std::pair(high_name, time >> 32), std::pair(low_name, time & 0xffffffff)}) {
            const auto place = find(name);
            content.replace(place->first, place->second, std::to_string(part));
        }
    }
    return content;
}

std::string cut_aiff_markers(const std::string& content, const Cut& cut) {
    std::vector<Marker> kept;
    for (Marker m : markers_of_aiff(content)) {
        const auto place = cut.moved(m.frame);
        if (!place) continue;
        m.frame = *place;
        kept.push_back(std::move(m));
    }
    return aiff_of(kept);
}

std::vector<Marker> markers_of_cue(const std::string& cue) {
    std::vector<Marker> markers;
    for (std::size_t at = cue_header; at + cue_bytes <= cue.size(); at += cue_bytes)
        markers.push_back({number(cue, at), number(cue, at + 20), {}});
    return markers;
}

void name_markers(std::vector<Marker>& markers, const std::string& labels) {
    for_each_entry(labels, [&](const std::string& id, std::string_view, std::string_view inside) {
        if (id != "labl" || inside.size() < 4) return;
        for (Marker& m : markers)
            if (m.id == decoded(inside.substr(0, 4), false)) m.name = inside.substr(4, inside.find('\0', 4) - 4);
    });
}

std::vector<Marker> markers_of_aiff(const std::string& content) {
    std::vector<Marker> markers;
    for (std::size_t at = 2; at + 7 <= content.size();) {
        const std::size_t length = std::min<std::size_t>(static_cast<unsigned char>(content[at + 6]), content.size() - at - 7);
        markers.push_back({number(content, at, 2, true), number(content, at + 2, 4, true), content.substr(at + 7, length)});
        at += 7 + length + (length + 1) % 2;
    }
    return markers;
}

std::string cue_of(const std::vector<Marker>& markers) {
    if (markers.empty()) return {};
    std::string content = encoded(markers.size(), 4, false);
    for (const Marker& m : markers) {
        const std::string place = encoded(static_cast<std::uint64_t>(m.frame), 4, false);
        content += encoded(m.id, 4, false) + place + "data" + encoded(0, 8, false) + place;
    }
    return content;
}

std::string labels_of(const std::vector<Marker>& markers) {
    std::string content;
    for (const Marker& m : markers)
        if (!m.name.empty()) content += entry("labl", encoded(m.id, 4, false) + m.name + '\0');
    return content.empty() ? content : "adtl" + content;
}

std::string aiff_of(const std::vector<Marker>& markers) {
    if (markers.empty()) return {};
    std::string content = encoded(markers.size(), 2, true);
    for (const Marker& m : markers) {
        const std::string name = m.name.substr(0, 255);
        content += encoded(m.id, 2, true) + encoded(static_cast<std::uint64_t>(m.frame), 4, true);
        content += static_cast<char>(name.size()) + name + std::string((name.size() + 1) % 2, '\0');
    }
    return content;
}

std::vector<std::string> info_ids(const std::string& content) {
    std::vector<std::string> ids;
    for_each_entry(content, [&](const std::string& id, std::string_view, std::string_view) { ids.push_back(id); });
    return ids;
}

} // namespace serpent::audio
