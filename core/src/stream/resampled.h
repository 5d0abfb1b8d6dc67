// SPDX-License-Identifier: MIT
// Sample rate conversion in the audio callback: work at one rate inside blocks of another.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

struct SRC_STATE_tag;

namespace serpent {

/// libsamplerate's band-limited interpolators; their figures are in docs/benchmarks.md.
enum class ResamplerQuality { fast, medium, best };

/// One channel's converter. It takes every sample at once and gives what is ready.
class SincConverter {
public:
    SincConverter(double ratio, ResamplerQuality quality);  ///< ratio: output rate / input rate
    /// Returns the number of output samples, at most `capacity`.
    int process(const float* in, int n, float* out, int capacity) noexcept;
    void reset() noexcept;

private:
    struct Delete {
        void operator()(SRC_STATE_tag* state) const noexcept;
    };
    double ratio_;
    std::unique_ptr<SRC_STATE_tag, Delete> state_;
};

/// A pair of converters around some work: blocks of n samples at the outer rate go in and come out, and the work sees as
/// many samples at the inner rate as they make. Linear phase; the latency is a whole number of outer samples, the least
/// at which no block ever has to wait. process() and reset() neither allocate nor lock.
class Resampled {
public:
    /// Throws Error when the rates are too far apart (256 times).
    Resampled(double outer_rate_hz, double inner_rate_hz, int channels, int max_block, ResamplerQuality quality);

    int latency_samples() const noexcept { return latency_; }

    /// in[c], out[c]: n outer samples, any n; may be the same. work(float* const* channels, int n) answers in place; n
    /// differs from call to call and may be 0. What is not finite in the input counts as 0.
    template <class Work>
    void process(const float* const* in, float* const* out, int n, Work&& work) noexcept {
        for (int first = 0; first < n; first += max_block_) {
            const int part = std::min(max_block_, n - first);
            const int inner = to_inner(in, first, part);
            work(inner_pointers_.data(), inner);
            from_inner(inner, out, first, part);
        }
    }

    /// Back to the start, with silence gone through the filters and the work, so that it does not begin with a step.
    template <class Work>
    void reset(Work&& work) noexcept {
        clear();
        for (int left = 2 * latency_; left > 0; left -= max_block_) {
            const int part = std::min(max_block_, left);
            const int inner = to_inner(nullptr, 0, part);
            work(inner_pointers_.data(), inner);
            from_inner(inner, nullptr, 0, part);
        }
    }

private:
    struct Channel {
        SincConverter down, up;             // to the inner rate, and back
        std::vector<float> outer, inner, ready;  // ready: outer samples that wait for their turn
    };

    int to_inner(const float* const* in, int first, int n) noexcept;  // in null: silence
    void from_inner(int inner, float* const* out, int first, int n) noexcept;
    void clear() noexcept;
    int measured_latency();

    int max_block_, latency_ = 0, ready_ = 0;
    std::vector<Channel> channels_;
    std::vector<float*> inner_pointers_;
};

} // namespace serpent
