// SPDX-License-Identifier: MIT
// Sample rate conversion of streams of any length, at the highest quality libsoxr has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace serpent::audio {

/// One vector per channel, all of one length.
using Planar = std::vector<std::vector<float>>;

/// Linear phase and free of delay: output sample m stands at the time m / out_rate of input sample m * in_rate /
/// out_rate. n input samples give exactly ceil(n * out_rate / in_rate) output samples, so that going to another rate
/// and back gives at least n, of which the first n are those put in (below the lower Nyquist frequency).
class Resampler {
public:
    /// The rates need not be whole numbers: two clocks that were meant to be one differ by millionths.
    Resampler(double in_rate_hz, double out_rate_hz, int channels);
    ~Resampler();
    Resampler(Resampler&&) noexcept;
    Resampler& operator=(Resampler&&) noexcept;

    /// Takes all of `in` and appends to `out` what is ready, which lags behind by the filter's length.
    void process(const Planar& in, Planar& out);
    /// The input is over: appends the rest. Call once.
    void finish(Planar& out);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace serpent::audio
