// SPDX-License-Identifier: MIT
#include "audio/metadata.h"
#include "audio/sndfile_handle.h"
#include "model/as_error.h"
#include "model/atomic_file.h"

#include "serpent/errors.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace serpent {

namespace {

constexpr std::int64_t most_metadata_bytes = 16 << 20;
constexpr std::size_t block_frames = 4096; // libvorbis takes stack in proportion to what it is given at once

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& reason) {
    throw Error("cannot write " + path.string() + ": " + reason);
}

/// Rounds to an integer of `bits` bits kept in the upper bits of an int, as sf_write_int wants it. Full scale is
/// 2^(bits-1), the inverse of what reading does, so that untouched samples come back bit by bit (libsndfile's own float
/// conversion scales by one less). Not a number becomes 0.
int quantise(float sample, double scale, int shift, std::uint64_t& saturated) {
    double x = std::nearbyint(static_cast<double>(sample) * scale);
    if (!(x >= -scale && x <= scale - 1)) {
        ++saturated;
        x = std::isnan(x) ? 0 : x > 0 ? scale - 1 : -scale;
    }
    return static_cast<int>(static_cast<unsigned>(static_cast<std::int64_t>(x)) << shift);
}

/// libsndfile's code of `format` in the container that `path` names. Throws Error when there is none.
int format_code(const std::filesystem::path& path, const AudioFormat& format, std::int64_t frames) {
    const int code = audio::sndfile_format(path, format, frames);
    if (code == 0) {
        fail(path, "this file type holds no " + std::string(subtype_name(format.subtype)) + " samples with " +
                       std::to_string(format.channels) + " channels at " + std::to_string(format.sample_rate) +
                       " Hz; choose another --subtype or write a .wav");
    }
    return code;
}

} // namespace

struct AudioWriter::Impl {
    Impl(const std::filesystem::path& name, const AudioFormat& wanted) : path(name), format(wanted) {}

    std::filesystem::path path;
    AudioFormat format;
    std::unique_ptr<AtomicFile> output; // outlives `file`: it removes what `file` still has open; a recording has none
    audio::SndfileHandle file;
    int container = 0;
    bool header_has_sizes = false;      // and can be written anew at any time
    std::string behind;                 // chunks that follow the samples
    std::vector<int> integers;
    std::uint64_t saturated = 0;
    std::int64_t frames = 0;

    const std::filesystem::path& written_path() const noexcept { return output ? output->path() : path; }

    void open(int code) {
        SF_INFO info{};
        info.samplerate = format.sample_rate;
        info.channels = format.channels;
        info.format = code;
        file.reset(sf_open(written_path().string().c_str(), SFM_WRITE, &info));
        if (!file) fail(path, audio::sndfile_reason(nullptr));
        // The PEAK chunk holds the time of day, and two runs should give the same bytes. In AIFF it stays: libsndfile
        // keeps its room all the same, and then miscounts short files.
        container = code & SF_FORMAT_TYPEMASK;
        if (container != SF_FORMAT_AIFF) sf_command(file.get(), SFC_SET_ADD_PEAK_CHUNK, nullptr, SF_FALSE);
        header_has_sizes = container != SF_FORMAT_FLAC && container != SF_FORMAT_OGG;
    }

    void open_recording() {
        std::error_code none_there;
        if (std::filesystem::is_regular_file(path, none_there) && std::filesystem::file_size(path, none_there) > 0)
            fail(path, "there is such a file already, and a recording replaces nothing; choose another name");
        int code = format_code(path, format, 0);
        const int type = code & SF_FORMAT_TYPEMASK;
        if (type == SF_FORMAT_WAV || type == SF_FORMAT_WAVEX) code = SF_FORMAT_RF64 | (code & SF_FORMAT_SUBMASK);
        open(code);
        if (container == SF_FORMAT_RF64) sf_command(file.get(), SFC_RF64_AUTO_DOWNGRADE, nullptr, SF_TRUE);
        flush();
    }

    void flush() {
        if (!file || !header_has_sizes) return; // FLAC and OGG are streams: what is there can be read
        sf_command(file.get(), SFC_UPDATE_HEADER_NOW, nullptr, 0);
        if (sf_error(file.get()) != SF_ERR_NO_ERROR) fail(path, audio::sndfile_reason(file.get()));
    }

    void require_room(std::size_t n) const {
        if (container == SF_FORMAT_AIFF && !audio::fits_32_bit_sizes(format, frames + static_cast<std::int64_t>(n)))
            fail(path, "AIFF ends at 4 GiB; record into a .wav");
    }

    void write_block(const float* interleaved, std::size_t n) {
        const std::size_t samples = n * static_cast<std::size_t>(format.channels);
        const int bits = audio::integer_bits(format.subtype);
        sf_count_t written = 0;
        if (bits == 0) {
            written = sf_writef_float(file.get(), interleaved, static_cast<sf_count_t>(n));
        } else {
            const double scale = std::ldexp(1.0, bits - 1);
            integers.resize(samples);
            for (std::size_t i = 0; i < samples; ++i) {
                integers[i] = quantise(interleaved[i], scale, 32 - bits, saturated);
            }
            written = sf_writef_int(file.get(), integers.data(), static_cast<sf_count_t>(n));
        }
        frames += std::max<sf_count_t>(0, written);
        if (written != static_cast<sf_count_t>(n)) fail(path, audio::sndfile_reason(file.get()));
    }

    /// Compressed formats write their last part while closing, where libsndfile reports no error.
    void require_whole() const {
        if (!std::filesystem::is_regular_file(written_path()) || frames == 0) return;
        SF_INFO info{};
        const audio::SndfileHandle check(sf_open(written_path().string().c_str(), SFM_READ, &info));
        if (!check || info.frames != frames) fail(path, "its last part could not be written; is the disk full?");
    }
};

AudioWriter::AudioWriter(const std::filesystem::path& path, const AudioFormat& format, std::int64_t frames) try
    : impl_(std::make_unique<Impl>(path, format)) {
    const int code = format_code(path, format, frames);
    const bool aiff = (code & SF_FORMAT_TYPEMASK) == SF_FORMAT_AIFF;
    if (aiff && !audio::fits_32_bit_sizes(format, frames)) fail(path, "AIFF ends at 4 GiB; write a .wav or .flac");
    impl_->output = std::make_unique<AtomicFile>(path);
    impl_->open(code);
} catch (...) {
    rethrow_as_error("write " + path.string());
}

AudioWriter::AudioWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

AudioWriter AudioWriter::recording(const std::filesystem::path& path, const AudioFormat& format) {
    auto impl = std::make_unique<Impl>(path, format);
    impl->open_recording();
    return AudioWriter(std::move(impl));
}

AudioWriter::~AudioWriter() = default;
AudioWriter::AudioWriter(AudioWriter&&) noexcept = default;
AudioWriter& AudioWriter::operator=(AudioWriter&&) noexcept = default;

std::vector<std::string> AudioWriter::keep_metadata(const AudioReader& from, std::int64_t first_frame,
                                                    std::int64_t frames) try {
    Impl& self = *impl_;
    // A frame takes a byte or more, so that this adds at least as many bytes as the chunks may take.
    const bool large = self.container != SF_FORMAT_RF64 && !audio::fits_32_bit_sizes(self.format, frames + most_metadata_bytes);
    const audio::Cut cut{first_frame, frames, from.frames()};
    audio::Metadata metadata =
        audio::copy_metadata(from.path(), self.file.get(), self.container, cut, large ? 32768 : most_metadata_bytes);
    self.behind = std::move(metadata.behind);
    return std::move(metadata.not_kept);
} catch (...) {
    rethrow_as_error("keep what " + from.path().string() + " carries besides its samples");
}

void AudioWriter::write(const float* interleaved, std::size_t n) {
    const std::size_t channels = static_cast<std::size_t>(impl_->format.channels);
    for (std::size_t done = 0; done < n;) {
        const std::size_t block = std::min(block_frames, n - done);
        impl_->require_room(block);
        impl_->write_block(interleaved + done * channels, block);
        done += block;
    }
}

void AudioWriter::commit() try {
    Impl& self = *impl_;
    if (!self.file) return;
    const int error = sf_close(self.file.release());
    if (error != 0) fail(self.path, sf_error_number(error));
    if (!self.behind.empty() && std::filesystem::is_regular_file(self.written_path()) &&
        !audio::append_chunks(self.written_path(), self.behind))
        fail(self.path, "there is no room for its last part; is the disk full?");
    self.require_whole();
    if (self.output) self.output->commit();
} catch (...) {
    rethrow_as_error("finish " + impl_->path.string());
}

void AudioWriter::flush() { impl_->flush(); }

void AudioWriter::sync() {
    impl_->flush();
    if (impl_->file) sf_write_sync(impl_->file.get());
}

std::uint64_t AudioWriter::saturated() const noexcept { return impl_->saturated; }
std::int64_t AudioWriter::frames_written() const noexcept { return impl_->frames; }

} // namespace serpent
