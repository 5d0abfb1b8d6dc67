// SPDX-License-Identifier: MIT
#include "audio/mended_file.h"

#include "model/as_error.h"
#include "serpent/errors.h"
#include "serpent/file_kind.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <system_error>
#include <vector>

namespace serpent {

namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& reason) {
    throw Error("cannot read " + path.string() + ": " + reason);
}

/// The reasons that libsndfile words badly or not at all.
void require_readable_file(const std::filesystem::path& path) {
    std::error_code error;
    const std::filesystem::file_status status = std::filesystem::status(path, error);
    if (!std::filesystem::exists(status)) {
        const bool missing = !error || error == std::errc::no_such_file_or_directory;
        fail(path, missing ? "there is no such file" : error.message());
    }
    if (std::filesystem::is_directory(status)) fail(path, "it is a folder; give an audio file");
    if (!std::filesystem::is_regular_file(status)) fail(path, "it is not a regular file");
    std::FILE* file = std::fopen(path.string().c_str(), "rb");
    if (!file) fail(path, std::generic_category().message(errno));
    std::fclose(file);
    if (std::filesystem::file_size(path, error) == 0) fail(path, "it is empty (0 bytes)");
}

} // namespace

struct AudioReader::Impl {
    std::filesystem::path path;
    std::unique_ptr<audio::MendedFile> mended;  // null: the file is whole, or none that can be mended
    audio::SndfileHandle file;
    AudioFormat format;
    std::string note;
    std::int64_t frames = 0;
    std::int64_t position = 0;

    void open() {
        file.reset();  // before the position of `mended` is that of another
        SF_INFO info{};
        file.reset(mended ? mended->open(info) : sf_open(path.string().c_str(), SFM_READ, &info));
        if (!file) {
            if (const std::string other = kind_of_file(path).instead_of_audio(); !other.empty()) fail(path, other);
            fail(path, "it is not an audio file that can be read here (" + audio::sndfile_reason(nullptr) + ")");
        }
        if (info.channels < 1) fail(path, "it has 0 channels");
        if (info.samplerate < 1) fail(path, "its sample rate is " + std::to_string(info.samplerate) + " Hz");
        format = {info.samplerate, info.channels, audio::subtype_of(info.format)};
        frames = info.frames;
        position = 0;
    }

    /// For a stream whose header leaves the length open (FLAC from a pipe).
    void count_frames() {
        std::vector<float> scratch(std::size_t{4096} * static_cast<std::size_t>(format.channels));
        std::int64_t counted = 0;
        while (const sf_count_t got = sf_readf_float(file.get(), scratch.data(), 4096)) counted += got;
        open();
        frames = counted;
    }

    /// Seeks by decoding everything before.
    void read_up_to(std::int64_t frame) {
        const std::int64_t total = frames;
        open();
        frames = total;
        std::vector<float> scratch(std::size_t{4096} * static_cast<std::size_t>(format.channels));
        while (position < frame) {
            const std::int64_t wanted = std::min<std::int64_t>(4096, frame - position);
            const std::int64_t got = sf_readf_float(file.get(), scratch.data(), wanted);
            if (got <= 0) fail(path, "it is truncated or damaged at sample " + std::to_string(position));
            position += got;
        }
    }

    void require_finite(const float* interleaved, std::size_t n) const {
        const std::size_t channels = static_cast<std::size_t>(format.channels);
        const float* end = interleaved + n * channels;
        const float* bad = std::find_if(interleaved, end, [](float x) { return !std::isfinite(x); });
        if (bad == end) return;
        const std::size_t index = static_cast<std::size_t>(bad - interleaved);
        const std::int64_t frame = position + static_cast<std::int64_t>(index / channels);
        char time[32];
        std::snprintf(time, sizeof time, "%.6f", static_cast<double>(frame) / format.sample_rate);
        fail(path, std::string("sample ") + std::to_string(frame) + " (" + time + " s) of channel " +
                       std::to_string(index % channels + 1) + " is " +
                       (std::isnan(*bad) ? "not a number" : "infinite") + "; repair the file first");
    }
};

AudioReader::AudioReader(const std::filesystem::path& path) try : impl_(std::make_unique<Impl>()) {
    impl_->path = path;
    require_readable_file(path);
    impl_->mended = audio::MendedFile::mend(path);
    impl_->open();
    if (impl_->mended && !impl_->mended->fault().empty()) impl_->note = path.string() + ": " + impl_->mended->fault();
    if (impl_->frames == SF_COUNT_MAX) impl_->count_frames();
    if (impl_->frames < 1) fail(path, "it holds no audio (0 samples)");
} catch (...) {
    rethrow_as_error("read " + path.string());
}

AudioReader::~AudioReader() = default;
AudioReader::AudioReader(AudioReader&&) noexcept = default;
AudioReader& AudioReader::operator=(AudioReader&&) noexcept = default;

const AudioFormat& AudioReader::format() const noexcept { return impl_->format; }
const std::filesystem::path& AudioReader::path() const noexcept { return impl_->path; }
const std::string& AudioReader::note() const noexcept { return impl_->note; }
std::int64_t AudioReader::frames() const noexcept { return impl_->frames; }
std::int64_t AudioReader::position() const noexcept { return impl_->position; }

std::size_t AudioReader::read(float* interleaved, std::size_t n) {
    Impl& self = *impl_;
    const std::int64_t wanted = std::min<std::int64_t>(static_cast<std::int64_t>(n), self.frames - self.position);
    if (wanted <= 0) return 0;
    const std::int64_t got = std::max<std::int64_t>(0, sf_readf_float(self.file.get(), interleaved, wanted));
    self.require_finite(interleaved, static_cast<std::size_t>(got));
    self.position += got;
    if (got < wanted) {
        fail(self.path, "it is truncated or damaged, its header promises " + std::to_string(self.frames) +
                            " samples and only " + std::to_string(self.position) +
                            " can be read; copy or export it again");
    }
    return static_cast<std::size_t>(got);
}

void AudioReader::seek(std::int64_t frame) {
    Impl& self = *impl_;
    if (frame < 0 || frame > self.frames) fail(self.path, "there is no sample " + std::to_string(frame));
    if (frame == self.position) return;
    if (sf_seek(self.file.get(), frame, SEEK_SET) == frame) {
        self.position = frame;
    } else {
        self.read_up_to(frame); // libsndfile cannot find the last packets of Vorbis
    }
}

} // namespace serpent
