// SPDX-License-Identifier: MIT
#include "audio/sndfile_handle.h"

#include "serpent/errors.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace serpent {

namespace {

constexpr std::array<std::pair<Subtype, std::string_view>, 7> subtype_names{{
    {Subtype::pcm8, "pcm8"},
    {Subtype::pcm16, "pcm16"},
    {Subtype::pcm24, "pcm24"},
    {Subtype::pcm32, "pcm32"},
    {Subtype::float32, "float"},
    {Subtype::float64, "double"},
    {Subtype::other, "other"},
}};

struct Container {
    std::string_view extension;
    int code;
};

constexpr std::array<Container, 12> containers{{
    {".wav", SF_FORMAT_WAV},
    {".wave", SF_FORMAT_WAV},
    {".rf64", SF_FORMAT_RF64},
    {".w64", SF_FORMAT_W64},
    {".flac", SF_FORMAT_FLAC},
    {".aiff", SF_FORMAT_AIFF},
    {".aif", SF_FORMAT_AIFF},
    {".aifc", SF_FORMAT_AIFF},
    {".caf", SF_FORMAT_CAF},
    {".au", SF_FORMAT_AU},
    {".ogg", SF_FORMAT_OGG},
    {".oga", SF_FORMAT_OGG},
}};

int container_of(const std::filesystem::path& path) {
    std::string extension = path.extension().string();
    std::transform(extension.begin(), extension.end(), extension.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    for (const Container& container : containers) {
        if (container.extension == extension) return container.code;
    }
    throw Error("cannot write " + path.string() + ": its name must end in .wav, .flac, .aiff, .ogg, .caf, .w64 or .au");
}

int pcm8_code(int container) noexcept {
    switch (container) {
    case SF_FORMAT_WAV:
    case SF_FORMAT_RF64:
    case SF_FORMAT_W64: return SF_FORMAT_PCM_U8;
    case SF_FORMAT_AIFF: return 0; // libsndfile takes the padding of an odd number of bytes for one sample more
    default: return SF_FORMAT_PCM_S8;
    }
}

int subtype_code(int container, Subtype subtype) noexcept {
    switch (subtype) {
    case Subtype::pcm8: return pcm8_code(container);
    case Subtype::pcm16: return SF_FORMAT_PCM_16;
    case Subtype::pcm24: return SF_FORMAT_PCM_24;
    case Subtype::pcm32: return SF_FORMAT_PCM_32;
    case Subtype::float32: return SF_FORMAT_FLOAT;
    case Subtype::float64: return SF_FORMAT_DOUBLE;
    case Subtype::other: return container == SF_FORMAT_OGG ? SF_FORMAT_VORBIS : 0;
    }
    return 0;
}

/// What to try in turn for a wanted subtype: first what loses nothing, then what loses least.
std::array<Subtype, 7> preferences(Subtype wanted) noexcept {
    using enum Subtype;
    switch (wanted) {
    case pcm8: return {pcm8, pcm16, pcm24, pcm32, float32, float64, other};
    case pcm16: return {pcm16, pcm24, pcm32, float32, float64, other, pcm8};
    case pcm24: return {pcm24, pcm32, float32, float64, pcm16, other, pcm8};
    case pcm32: return {pcm32, float64, float32, pcm24, pcm16, other, pcm8};
    case float32: return {float32, float64, pcm32, pcm24, pcm16, other, pcm8};
    case float64: return {float64, float32, pcm32, pcm24, pcm16, other, pcm8};
    case other: break;
    }
    return {other, float32, float64, pcm24, pcm16, pcm32, pcm8};
}

} // namespace

std::string_view subtype_name(Subtype subtype) noexcept {
    for (const auto& [value, name] : subtype_names) {
        if (value == subtype) return name;
    }
    return "other";
}

std::optional<Subtype> subtype_from_name(std::string_view name) noexcept {
    for (const auto& [value, known] : subtype_names) {
        if (known == name && value != Subtype::other) return value;
    }
    return std::nullopt;
}

AudioFormat closest_format(const std::filesystem::path& path, const AudioFormat& wanted) {
    AudioFormat format = wanted;
    for (const Subtype subtype : preferences(wanted.subtype)) {
        format.subtype = subtype;
        if (audio::sndfile_format(path, format, 0) != 0) return format;
    }
    throw Error("cannot write " + path.string() + ": this file type holds no " + std::to_string(wanted.channels) +
                " channels at " + std::to_string(wanted.sample_rate) + " Hz; write a .wav");
}

namespace audio {

std::string sndfile_reason(SNDFILE* file) {
    std::string reason = sf_strerror(file);
    const std::string system_prefix = "System error : ";
    if (reason.starts_with(system_prefix)) reason.erase(0, system_prefix.size());
    reason.erase(reason.find_last_not_of(". \n") + 1);
    return reason;
}

Subtype subtype_of(int sndfile_format) noexcept {
    switch (sndfile_format & SF_FORMAT_SUBMASK) {
    case SF_FORMAT_PCM_S8:
    case SF_FORMAT_PCM_U8: return Subtype::pcm8;
    case SF_FORMAT_PCM_16: return Subtype::pcm16;
    case SF_FORMAT_PCM_24: return Subtype::pcm24;
    case SF_FORMAT_PCM_32: return Subtype::pcm32;
    case SF_FORMAT_FLOAT: return Subtype::float32;
    case SF_FORMAT_DOUBLE: return Subtype::float64;
    default: return Subtype::other;
    }
}

int integer_bits(Subtype subtype) noexcept {
    switch (subtype) {
    case Subtype::pcm8: return 8;
    case Subtype::pcm16: return 16;
    case Subtype::pcm24: return 24;
    case Subtype::pcm32: return 32;
    default: return 0;
    }
}

bool fits_32_bit_sizes(const AudioFormat& format, std::int64_t frames) noexcept {
    const int bits = integer_bits(format.subtype);
    const std::int64_t bytes = bits > 0 ? bits / 8 : format.subtype == Subtype::float64 ? 8 : 4;
    const std::int64_t room_for_header = 65536;
    return frames <= (std::int64_t{0xffffffff} - room_for_header) / bytes / std::max(format.channels, 1);
}

int sndfile_format(const std::filesystem::path& path, const AudioFormat& format, std::int64_t frames) {
    int container = container_of(path);
    const int subtype = subtype_code(container, format.subtype);
    if (subtype == 0) return 0;
    if (container == SF_FORMAT_WAV) {
        if (!fits_32_bit_sizes(format, frames)) container = SF_FORMAT_RF64;
        else if (format.channels > 2) container = SF_FORMAT_WAVEX; // a plain header is defined for one and two only
    }
    SF_INFO info{};
    info.samplerate = format.sample_rate;
    info.channels = format.channels;
    info.format = container | subtype;
    return sf_format_check(&info) ? info.format : 0;
}

} // namespace audio
} // namespace serpent
