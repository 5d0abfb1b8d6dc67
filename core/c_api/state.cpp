// SPDX-License-Identifier: MIT
// A stream's state as bytes: a header of words, which a stream's states share, and then the samples of all parts of all instances.
#include "c_api/handles.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

using namespace serpent;
using namespace serpent::c_api;

namespace {

constexpr std::uint32_t magic = 0x53705374;  // also tells the order of bytes
constexpr std::uint32_t format = 1;
constexpr std::array parts{&State::conv, &State::h, &State::h_low, &State::fir_in, &State::fir_out};

std::vector<State> states_of(const serpent_stream& stream) {
    std::vector<State> states;
    for (int i = 0; i < stream.instances; ++i) states.push_back(stream.stream.state(i));
    return states;
}

/// The words before the samples: what a state has to begin with to be of this stream.
std::vector<std::uint32_t> header_of(const std::vector<State>& states) {
    std::vector<std::uint32_t> header{magic, format, static_cast<std::uint32_t>(states.size())};
    for (const State& state : states)
        for (const auto part : parts) header.push_back(static_cast<std::uint32_t>((state.*part).size()));
    return header;
}

std::size_t bytes_of(const std::vector<State>& states) {
    std::size_t bytes = header_of(states).size() * sizeof(std::uint32_t);
    for (const State& state : states)
        for (const auto part : parts) bytes += (state.*part).size() * sizeof(float);
    return bytes;
}

} // namespace

size_t serpent_stream_state_size(const serpent_stream* stream) {
    std::size_t size = 0;
    if (stream) guarded([&] { size = bytes_of(states_of(*stream)); });
    return size;
}

serpent_status serpent_stream_save_state(const serpent_stream* stream, void* buffer, size_t size) {
    return guarded([&] {
        required(stream, "stream");
        if (!buffer) throw Misuse("buffer is null.");
        const std::vector<State> states = states_of(*stream);
        if (const std::size_t needed = bytes_of(states); size < needed)
            throw Misuse("size is " + std::to_string(size) + "; the state needs " + std::to_string(needed) +
                         " bytes, as serpent_stream_state_size() says.");
        auto* to = static_cast<unsigned char*>(buffer);
        const auto write = [&](const void* from, std::size_t bytes) {
            if (bytes > 0) std::memcpy(to, from, bytes);
            to += bytes;
        };
        const std::vector<std::uint32_t> header = header_of(states);
        write(header.data(), header.size() * sizeof header[0]);
        for (const State& state : states)
            for (const auto part : parts) write((state.*part).data(), (state.*part).size() * sizeof(float));
    });
}

serpent_status serpent_stream_load_state(serpent_stream* stream, const void* buffer, size_t size) {
    return guarded([&] {
        required(stream, "stream");
        if (!buffer) throw Misuse("buffer is null.");
        std::vector<State> states = states_of(*stream);  // for their sizes
        const std::vector<std::uint32_t> header = header_of(states);
        const std::size_t header_bytes = header.size() * sizeof header[0];
        if (size < bytes_of(states) || std::memcmp(buffer, header.data(), header_bytes) != 0)
            throw Misuse("The state is not one of this stream: save it from one of the same model, options and sample rate.");
        const auto* from = static_cast<const unsigned char*>(buffer) + header_bytes;
        for (State& state : states)
            for (const auto part : parts) {
                const std::size_t bytes = (state.*part).size() * sizeof(float);
                if (bytes > 0) std::memcpy((state.*part).data(), from, bytes);
                from += bytes;
            }
        for (int i = 0; i < stream->instances; ++i) stream->stream.set_state(states[static_cast<std::size_t>(i)], i);
    });
}
