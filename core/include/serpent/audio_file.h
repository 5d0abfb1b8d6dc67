// SPDX-License-Identifier: MIT
// Reading and writing audio files (WAV, RF64, FLAC, AIFF, OGG and whatever else libsndfile knows) as float.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace serpent {

/// How a file stores one sample. `other` is what has no such description: Vorbis, MP3, mu-law, ADPCM...
enum class Subtype { pcm8, pcm16, pcm24, pcm32, float32, float64, other };

/// "pcm8", "pcm16", "pcm24", "pcm32", "float", "double", "other".
std::string_view subtype_name(Subtype subtype) noexcept;
/// The subtypes a user may ask for, by name: all but "other".
std::optional<Subtype> subtype_from_name(std::string_view name) noexcept;

struct AudioFormat {
    int sample_rate = 48000;  ///< Hz
    int channels = 1;
    Subtype subtype = Subtype::float32;

    bool operator==(const AudioFormat&) const = default;
};

/// Streams a file. Integer samples are scaled so that full scale is 1 (pcm16: / 32768), which float holds exactly up to
/// pcm24; pcm32 and double are rounded once. WAV, RF64, W64, AIFF and CAF files that a recorder never finished, that were cut
/// off or that lack padding are read as far as they go, with a note(). Throws Error, naming the file, when it is missing, a
/// directory, not readable, empty or no audio.
class AudioReader {
public:
    explicit AudioReader(const std::filesystem::path& path);
    ~AudioReader();
    AudioReader(AudioReader&&) noexcept;
    AudioReader& operator=(AudioReader&&) noexcept;

    const std::filesystem::path& path() const noexcept;
    const AudioFormat& format() const noexcept;
    const std::string& note() const noexcept;  ///< what is wrong with the file, which was read all the same; names it
    std::int64_t frames() const noexcept;    ///< in the whole file, at least 1
    std::int64_t position() const noexcept;  ///< the frame that read() gives next

    /// Reads min(n, frames() - position()) frames, interleaved, and returns how many. Throws Error when the file breaks
    /// off, or at the first NaN or infinite sample, whose place it names.
    std::size_t read(float* interleaved, std::size_t n);
    /// frame in [0, frames()].
    void seek(std::int64_t frame);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Writes a file that appears whole, at commit(), or not at all. The extension chooses the container: wav (RF64 when
/// `frames` need more than 4 GiB), rf64, w64, flac, aiff/aif, caf, ogg/oga (Vorbis). Float is never clipped; integers
/// are rounded to nearest and saturate, which saturated() counts.
class AudioWriter {
public:
    /// `frames` is what will be written, or more: it decides between WAV and RF64. Throws Error when the container
    /// cannot hold the format; closest_format() finds one that it can.
    AudioWriter(const std::filesystem::path& path, const AudioFormat& format, std::int64_t frames);
    /// For a recording, whose length nobody knows. The file has its name from the start and is never removed: when the disk
    /// is full, without commit() or after the end of the process it holds what was written up to the last flush(). wav
    /// leaves room in its header and becomes an RF64 at 4 GiB. Throws Error when there is such a file and it is not empty.
    static AudioWriter recording(const std::filesystem::path& path, const AudioFormat& format);
    ~AudioWriter();  ///< without commit(): removes what was written, unless it is a recording
    AudioWriter(AudioWriter&&) noexcept;
    AudioWriter& operator=(AudioWriter&&) noexcept;

    /// Before the first write(): keeps what the file of `from` carries besides its samples (texts, bext, iXML, cue points and
    /// their labels, sampler loops and other chunks), for a file that holds `frames` frames of it from `first_frame` on.
    /// Positions move along. Returns what this type of file has no place for, in words.
    std::vector<std::string> keep_metadata(const AudioReader& from, std::int64_t first_frame, std::int64_t frames);
    /// Throws Error (disk full...).
    void write(const float* interleaved, std::size_t n);
    /// A recording: makes what was written a file that opens, even if this process is killed. Does not wait for the disk.
    void flush();
    /// A recording: the same, and survives a power cut. Waits for the disk.
    void sync();
    /// Finishes the file and gives it its name. Throws Error (disk full...) and leaves nothing behind but a recording.
    void commit();

    std::uint64_t saturated() const noexcept;      ///< samples that did not fit their integer type so far
    std::int64_t frames_written() const noexcept;

private:
    struct Impl;
    explicit AudioWriter(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// `wanted` if the container that `path` names can hold it, else the nearest that loses nothing or, failing that, least
/// (float into FLAC: pcm24; anything into OGG: other). Throws Error when the container is unknown or takes no such
/// rate or number of channels.
AudioFormat closest_format(const std::filesystem::path& path, const AudioFormat& wanted);

/// A whole file in memory, one vector per channel, all of one length.
struct AudioBuffer {
    int sample_rate = 48000;  ///< Hz
    std::vector<std::vector<float>> channels;
    Subtype subtype = Subtype::float32;  ///< that of the file it came from
    std::string note{};                  ///< AudioReader::note() of that file

    std::size_t frames() const noexcept { return channels.empty() ? 0 : channels.front().size(); }
};

AudioBuffer read_audio(const std::filesystem::path& path);
/// The mean of a file's channels at another rate; `file_rate_hz` and `note`, if not null, get its own.
std::vector<float> read_mono(const std::filesystem::path& path, int rate_hz, int* file_rate_hz = nullptr,
                             std::string* note = nullptr);
/// At another rate, band-limited and without delay: ceil(frames * sample_rate_hz / buffer.sample_rate) frames. Throws Error
/// unless both rates are positive.
AudioBuffer resampled(const AudioBuffer& buffer, int sample_rate_hz);
/// Returns the number of saturated samples. The subtype is taken as it is: Error when the container cannot hold it.
std::uint64_t write_audio(const std::filesystem::path& path, const AudioBuffer& buffer, Subtype subtype);

} // namespace serpent
