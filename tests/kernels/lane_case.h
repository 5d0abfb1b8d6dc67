// SPDX-License-Identifier: GPL-3.0-or-later
// Packing sequences into lanes and back, and running a test once per instruction set.
#pragma once

#include "close.h"
#include "random.h"
#include "serpent/kernels/lanes.h"

#include <catch2/catch.hpp>

#include <array>
#include <cstddef>
#include <new>
#include <string>
#include <vector>

namespace serpent::test {

inline constexpr std::size_t lanes = static_cast<std::size_t>(kernels::lane_count);

/// Heap blocks of exactly the size asked for, so that a sanitizer sees the first float read or written past the end.
template <class T>
struct AlignedAllocator {
    using value_type = T;
    AlignedAllocator() = default;
    template <class U>
    AlignedAllocator(const AlignedAllocator<U>&) {}
    T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t{64})); }
    void deallocate(T* p, std::size_t) { ::operator delete(p, std::align_val_t{64}); }
    friend bool operator==(const AlignedAllocator&, const AlignedAllocator&) { return true; }
};
using LaneFloats = std::vector<float, AlignedAllocator<float>>;

/// One sequence [steps][channels] per lane, in double but holding float values.
using Sequences = std::array<std::vector<double>, lanes>;

inline Sequences random_sequences(Random& random, std::size_t n, double low = -1, double high = 1) {
    Sequences sequences;
    for (auto& sequence : sequences)
        for (float value : random.vector<float>(n, low, high))
            sequence.push_back(value);
    return sequences;
}

/// What a slice of a wider row is surrounded with, to see that nobody writes there.
inline constexpr float untouched = 12345.0f;

/// Columns [first, first + channels) of rows of `stride` channels.
struct Slice {
    std::size_t channels, stride, first;
    explicit Slice(std::size_t all) : channels(all), stride(all), first(0) {}
    Slice(std::size_t channels_, std::size_t stride_, std::size_t first_)
        : channels(channels_), stride(stride_), first(first_) {}
};

inline LaneFloats pack(const Sequences& sequences, const Slice& slice) {
    const std::size_t steps = sequences[0].size() / slice.channels;
    LaneFloats packed(steps * slice.stride * lanes, untouched);
    for (std::size_t lane = 0; lane < lanes; ++lane)
        for (std::size_t t = 0; t < steps; ++t)
            for (std::size_t c = 0; c < slice.channels; ++c)
                packed[(t * slice.stride + slice.first + c) * lanes + lane] =
                    static_cast<float>(sequences[lane][t * slice.channels + c]);
    return packed;
}

inline Sequences unpack(const LaneFloats& packed, const Slice& slice) {
    Sequences sequences;
    const std::size_t steps = packed.size() / (slice.stride * lanes);
    for (std::size_t lane = 0; lane < lanes; ++lane)
        for (std::size_t t = 0; t < steps; ++t)
            for (std::size_t c = 0; c < slice.channels; ++c)
                sequences[lane].push_back(
                    static_cast<double>(packed[(t * slice.stride + slice.first + c) * lanes + lane]));
    return sequences;
}

inline bool surroundings_untouched(const LaneFloats& packed, const Slice& slice) {
    for (std::size_t i = 0; i < packed.size(); ++i) {
        const std::size_t column = i / lanes % slice.stride;
        if ((column < slice.first || column >= slice.first + slice.channels) && packed[i] != untouched)
            return false;
    }
    return true;
}

inline const float* at(const LaneFloats& packed, const Slice& slice) { return packed.data() + slice.first * lanes; }
inline float* at(LaneFloats& packed, const Slice& slice) { return packed.data() + slice.first * lanes; }

inline std::vector<float> floats(const std::vector<double>& values) { return {values.begin(), values.end()}; }

/// All lanes together: for the few numbers of a short sequence, whose own rms cancellation can make small.
inline void check_together(const std::string& name, const Sequences& expected, const Sequences& got, double rms,
                           double max) {
    std::vector<double> all_expected, all_got;
    for (std::size_t lane = 0; lane < lanes; ++lane) {
        all_expected.insert(all_expected.end(), expected[lane].begin(), expected[lane].end());
        all_got.insert(all_got.end(), got[lane].begin(), got[lane].end());
    }
    const Distance d = distance(all_expected, all_got);
    INFO(name << ": " << d.rms << " rms, " << d.max << " max");
    CHECK(d.within(rms, max));
}

/// Every lane within the bounds, each relative to its own rms.
inline void check_lanes(const std::string& name, const Sequences& expected, const Sequences& got, double rms,
                        double max) {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
        const Distance d = distance(expected[lane], got[lane]);
        INFO(name << ", lane " << lane << ": " << d.rms << " rms, " << d.max << " max");
        CHECK(d.within(rms, max));
    }
}

template <class Function>
void for_each_isa(const Function& function) {
    for (kernels::Isa isa : kernels::available_isas()) {
        INFO("ISA " << kernels::isa_name(isa));
        function(kernels::lane_ops(isa));
    }
}

} // namespace serpent::test
