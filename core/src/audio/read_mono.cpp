// SPDX-License-Identifier: MIT
#include "audio/resampler.h"
#include "model/as_error.h"
#include "serpent/audio_file.h"

namespace serpent {

std::vector<float> read_mono(const std::filesystem::path& path, int rate_hz, int* file_rate_hz, std::string* note) try {
    const AudioBuffer audio = read_audio(path);
    if (file_rate_hz) *file_rate_hz = audio.sample_rate;
    if (note) *note = audio.note;
    audio::Planar mono{std::vector<float>(audio.frames())};
    const float share = 1.0f / static_cast<float>(audio.channels.size());
    for (const auto& channel : audio.channels)
        for (std::size_t t = 0; t < channel.size(); ++t) mono[0][t] += channel[t] * share;
    if (audio.sample_rate == rate_hz) return mono[0];
    audio::Resampler resampler(audio.sample_rate, rate_hz, 1);
    audio::Planar out(1);
    resampler.process(mono, out);
    resampler.finish(out);
    return out[0];
} catch (...) {
    rethrow_as_error("hold all of " + path.string());
}

} // namespace serpent
