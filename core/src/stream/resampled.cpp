// SPDX-License-Identifier: MIT
#include "stream/resampled.h"

#include "serpent/errors.h"

#include <samplerate.h>

#include <cmath>
#include <string>

namespace serpent {

namespace {

int converter_type(ResamplerQuality quality) {
    switch (quality) {
    case ResamplerQuality::fast: return SRC_SINC_FASTEST;
    case ResamplerQuality::medium: return SRC_SINC_MEDIUM_QUALITY;
    default: return SRC_SINC_BEST_QUALITY;
    }
}

float finite_or_zero(float sample) { return std::isfinite(sample) ? sample : 0.0f; }

} // namespace

void SincConverter::Delete::operator()(SRC_STATE_tag* state) const noexcept { src_delete(state); }

SincConverter::SincConverter(double ratio, ResamplerQuality quality) : ratio_(ratio) {
    if (!src_is_valid_ratio(ratio))
        throw Error("cannot resample by a factor of " + std::to_string(ratio) + "; it must lie between 1/256 and 256");
    int error = 0;
    state_.reset(src_new(converter_type(quality), 1, &error));
    if (!state_) throw Error(std::string("cannot convert the sample rate: ") + src_strerror(error));
}

int SincConverter::process(const float* in, int n, float* out, int capacity) noexcept {
    int made = 0;
    while (true) {
        SRC_DATA data{};
        data.data_in = in;
        data.input_frames = n;
        data.data_out = out + made;
        data.output_frames = capacity - made;
        data.src_ratio = ratio_;
        if (src_process(state_.get(), &data) != 0) return made;
        made += static_cast<int>(data.output_frames_gen);
        in += data.input_frames_used;
        n -= static_cast<int>(data.input_frames_used);
        if (n == 0 || (data.input_frames_used == 0 && data.output_frames_gen == 0)) return made;
    }
}

void SincConverter::reset() noexcept { src_reset(state_.get()); }

/// How many outer samples the pair holds back at worst: plays silence, sample by sample, and counts.
int Resampled::measured_latency() {
    constexpr int samples = 16384;  // sees every phase of the usual pairs of rates (160 / 147 and the like)
    Channel& channel = channels_[0];
    std::vector<float> out(1024);
    int latency = 0, made = 0;
    for (int t = 1; t <= samples; ++t) {
        const float silence = 0.0f;
        const int inner = channel.down.process(&silence, 1, channel.inner.data(), static_cast<int>(channel.inner.size()));
        made += channel.up.process(channel.inner.data(), inner, out.data(), static_cast<int>(out.size()));
        latency = std::max(latency, t - made);
    }
    return latency + 1;  // and one, for rates whose worst phase comes later
}

Resampled::Resampled(double outer_rate_hz, double inner_rate_hz, int channels, int max_block, ResamplerQuality quality)
    : max_block_(max_block) {
    const double ratio = inner_rate_hz / outer_rate_hz;
    constexpr std::size_t slack = 64;  // whole samples that rounding may add to a block
    for (int c = 0; c < channels; ++c) {
        Channel& channel = channels_.emplace_back(Channel{{ratio, quality}, {1.0 / ratio, quality}, {}, {}, {}});
        channel.outer.resize(static_cast<std::size_t>(max_block));
        channel.inner.resize(static_cast<std::size_t>(std::ceil(max_block * ratio)) + slack + static_cast<std::size_t>(ratio));
        inner_pointers_.push_back(channel.inner.data());
    }
    latency_ = measured_latency();
    const std::size_t held = static_cast<std::size_t>(latency_ + max_block + std::ceil(1.0 / ratio)) + slack;
    for (Channel& channel : channels_) channel.ready.resize(held);
    clear();
}

void Resampled::clear() noexcept {
    for (Channel& channel : channels_) {
        channel.down.reset();
        channel.up.reset();
        std::fill_n(channel.ready.begin(), latency_, 0.0f);
    }
    ready_ = latency_;
}

int Resampled::to_inner(const float* const* in, int first, int n) noexcept {
    int made = 0;
    for (std::size_t c = 0; c < channels_.size(); ++c) {
        Channel& channel = channels_[c];
        if (in)
            std::transform(in[c] + first, in[c] + first + n, channel.outer.begin(), finite_or_zero);
        else
            std::fill_n(channel.outer.begin(), n, 0.0f);
        made = channel.down.process(channel.outer.data(), n, channel.inner.data(), static_cast<int>(channel.inner.size()));
    }
    return made;  // the same for all channels
}

void Resampled::from_inner(int inner, float* const* out, int first, int n) noexcept {
    int total = ready_;
    for (std::size_t c = 0; c < channels_.size(); ++c) {
        Channel& channel = channels_[c];
        float* ready = channel.ready.data();
        total = ready_ + channel.up.process(channel.inner.data(), inner, ready + ready_,
                                            static_cast<int>(channel.ready.size()) - ready_);
        for (; total < n; ++total) ready[total] = 0.0f;  // not with the measured latency; better than stale samples
        if (out) std::transform(ready, ready + n, out[c] + first, finite_or_zero);  // the work's largest values may overshoot
        std::copy(ready + n, ready + total, ready);
    }
    ready_ = total - n;
}

} // namespace serpent
