// SPDX-License-Identifier: MIT
#include "report/sound_file.h"

#include "serpent/errors.h"

#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

namespace serpent::report {

namespace {

struct Memory {
    std::vector<std::uint8_t> bytes;
    sf_count_t position = 0;
};

sf_count_t length(void* user) { return static_cast<sf_count_t>(static_cast<Memory*>(user)->bytes.size()); }

sf_count_t seek(sf_count_t offset, int whence, void* user) {
    Memory& memory = *static_cast<Memory*>(user);
    if (whence == SEEK_SET) memory.position = offset;
    else if (whence == SEEK_CUR) memory.position += offset;
    else memory.position = length(user) + offset;
    return memory.position;
}

sf_count_t read(void* to, sf_count_t count, void* user) {
    Memory& memory = *static_cast<Memory*>(user);
    const sf_count_t n = std::clamp<sf_count_t>(length(user) - memory.position, 0, count);
    std::copy_n(memory.bytes.begin() + memory.position, n, static_cast<std::uint8_t*>(to));
    memory.position += n;
    return n;
}

sf_count_t write(const void* from, sf_count_t count, void* user) {
    Memory& memory = *static_cast<Memory*>(user);
    if (memory.position + count > length(user)) memory.bytes.resize(static_cast<std::size_t>(memory.position + count));
    std::copy_n(static_cast<const std::uint8_t*>(from), count, memory.bytes.begin() + memory.position);
    memory.position += count;
    return count;
}

sf_count_t tell(void* user) { return static_cast<Memory*>(user)->position; }

bool write_sound(const std::vector<short>& samples, int sample_rate, int container, Memory& memory) {
    SF_VIRTUAL_IO io{length, seek, read, write, tell};
    SF_INFO info{};
    info.samplerate = sample_rate;
    info.channels = 1;
    info.format = container | SF_FORMAT_PCM_16;
    SNDFILE* file = sf_open_virtual(&io, SFM_WRITE, &info, &memory);
    if (!file) return false;
    const auto count = static_cast<sf_count_t>(samples.size());
    const bool complete = sf_write_short(file, samples.data(), count) == count;
    return sf_close(file) == 0 && complete;
}

} // namespace

std::vector<std::uint8_t> sound_file(std::span<const float> signal, int sample_rate, double scale) {
    std::vector<short> samples(signal.size());
    std::transform(signal.begin(), signal.end(), samples.begin(), [scale](float x) {
        return static_cast<short>(std::lrint(std::clamp(32767.0 * scale * x, -32768.0, 32767.0)));
    });
    for (const int container : {SF_FORMAT_FLAC, SF_FORMAT_WAV}) {
        Memory memory;
        if (write_sound(samples, sample_rate, container, memory)) return memory.bytes;
    }
    throw Error("cannot store sound of " + std::to_string(sample_rate) + " Hz in the report; use a usual sample rate");
}

} // namespace serpent::report
