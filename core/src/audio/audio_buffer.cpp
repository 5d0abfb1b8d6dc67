// SPDX-License-Identifier: MIT
#include "audio/resampler.h"
#include "model/as_error.h"
#include "serpent/audio_file.h"
#include "serpent/errors.h"

#include <algorithm>
#include <string>

namespace serpent {

namespace {

constexpr std::size_t block_frames = 16384;

} // namespace

AudioBuffer read_audio(const std::filesystem::path& path) try {
    AudioReader reader(path);
    const std::size_t channels = static_cast<std::size_t>(reader.format().channels);
    AudioBuffer buffer;
    buffer.sample_rate = reader.format().sample_rate;
    buffer.subtype = reader.format().subtype;
    buffer.note = reader.note();
    // A header may promise far more than the file holds, so memory follows what was really read.
    buffer.channels.resize(channels);
    std::vector<float> block(block_frames * channels);
    while (const std::size_t n = reader.read(block.data(), block_frames)) {
        for (std::size_t c = 0; c < channels; ++c) {
            std::vector<float>& channel = buffer.channels[c];
            for (std::size_t i = 0; i < n; ++i) channel.push_back(block[i * channels + c]);
        }
    }
    return buffer;
} catch (...) {
    rethrow_as_error("hold all of " + path.string());
}

AudioBuffer resampled(const AudioBuffer& buffer, int sample_rate_hz) try {
    if (sample_rate_hz < 1 || buffer.sample_rate < 1)
        throw Error("cannot convert from " + std::to_string(buffer.sample_rate) + " Hz to " + std::to_string(sample_rate_hz) +
                    " Hz: sample rates are positive");
    if (sample_rate_hz == buffer.sample_rate || buffer.channels.empty()) return buffer;
    AudioBuffer out;
    out.sample_rate = sample_rate_hz;
    out.subtype = buffer.subtype;
    out.note = buffer.note;
    out.channels.resize(buffer.channels.size());
    audio::Resampler resampler(buffer.sample_rate, sample_rate_hz, static_cast<int>(buffer.channels.size()));
    resampler.process(buffer.channels, out.channels);
    resampler.finish(out.channels);
    return out;
} catch (...) {
    rethrow_as_error("convert audio to " + std::to_string(sample_rate_hz) + " Hz");
}

std::uint64_t write_audio(const std::filesystem::path& path, const AudioBuffer& buffer, Subtype subtype) {
    const std::size_t channels = buffer.channels.size();
    const std::size_t frames = buffer.frames();
    for (const std::vector<float>& channel : buffer.channels) {
        if (channel.size() != frames) throw Error("cannot write " + path.string() + ": its channels differ in length");
    }
    AudioWriter writer(path, {buffer.sample_rate, static_cast<int>(channels), subtype},
                       static_cast<std::int64_t>(frames));
    std::vector<float> block(block_frames * channels);
    for (std::size_t done = 0; done < frames;) {
        const std::size_t n = std::min(block_frames, frames - done);
        for (std::size_t c = 0; c < channels; ++c) {
            for (std::size_t i = 0; i < n; ++i) block[i * channels + c] = buffer.channels[c][done + i];
        }
        writer.write(block.data(), n);
        done += n;
    }
    writer.commit();
    return writer.saturated();
}

} // namespace serpent
