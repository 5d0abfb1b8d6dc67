// SPDX-License-Identifier: MIT
#include "audio/resampler.h"

#include "serpent/errors.h"

#include <soxr.h>

#include <algorithm>
#include <cmath>
#include <string>

namespace serpent::audio {

namespace {

constexpr std::size_t block_frames = 8192;

struct DeleteSoxr {
    void operator()(soxr_t soxr) const noexcept { soxr_delete(soxr); }
};
using SoxrHandle = std::unique_ptr<std::remove_pointer_t<soxr_t>, DeleteSoxr>;

void require(soxr_error_t error) {
    if (error) throw Error(std::string("cannot convert the sample rate: ") + soxr_strerror(error));
}

SoxrHandle create(double in_rate_hz, double out_rate_hz, int channels) {
    const soxr_io_spec_t planar_float = soxr_io_spec(SOXR_FLOAT32_S, SOXR_FLOAT32_S);
    const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_VHQ, SOXR_HI_PREC_CLOCK);
    const soxr_runtime_spec_t runtime = soxr_runtime_spec(1);
    soxr_error_t error = nullptr;
    SoxrHandle soxr(soxr_create(in_rate_hz, out_rate_hz, static_cast<unsigned>(channels), &error, &planar_float,
                                &quality, &runtime));
    require(error);
    return soxr;
}

} // namespace

struct Resampler::Impl {
    double in_rate_hz, out_rate_hz;
    SoxrHandle soxr;
    Planar block;
    std::vector<float*> block_pointers;
    std::vector<const float*> in_pointers;
    std::int64_t frames_in = 0, frames_out = 0;

    Impl(double in_hz, double out_hz, int channels)
        : in_rate_hz(in_hz), out_rate_hz(out_hz), soxr(create(in_hz, out_hz, channels)),
          block(static_cast<std::size_t>(channels), std::vector<float>(block_frames)),
          in_pointers(static_cast<std::size_t>(channels)) {
        for (std::vector<float>& channel : block) block_pointers.push_back(channel.data());
    }

    /// Exact for whole rates and some 10^10 frames: a quotient that is no integer is further from one than doubles round.
    std::int64_t frames_due() const noexcept {
        return static_cast<std::int64_t>(std::ceil(static_cast<double>(frames_in) * out_rate_hz / in_rate_hz));
    }

    /// n frames of the block, as far as they are still due.
    void append(std::size_t n, Planar& out) {
        const std::int64_t due = std::max<std::int64_t>(0, frames_due() - frames_out);
        n = std::min(n, static_cast<std::size_t>(due));
        for (std::size_t c = 0; c < block.size(); ++c) {
            out[c].insert(out[c].end(), block[c].begin(), block[c].begin() + static_cast<std::ptrdiff_t>(n));
        }
        frames_out += static_cast<std::int64_t>(n);
    }
};

Resampler::Resampler(double in_rate_hz, double out_rate_hz, int channels)
    : impl_(std::make_unique<Impl>(in_rate_hz, out_rate_hz, channels)) {}

Resampler::~Resampler() = default;
Resampler::Resampler(Resampler&&) noexcept = default;
Resampler& Resampler::operator=(Resampler&&) noexcept = default;

void Resampler::process(const Planar& in, Planar& out) {
    Impl& self = *impl_;
    const std::size_t n = in.front().size();
    self.frames_in += static_cast<std::int64_t>(n);
    for (std::size_t done = 0; done < n;) {
        for (std::size_t c = 0; c < in.size(); ++c) self.in_pointers[c] = in[c].data() + done;
        std::size_t taken = 0, given = 0;
        require(soxr_process(self.soxr.get(), self.in_pointers.data(), n - done, &taken, self.block_pointers.data(),
                             block_frames, &given));
        self.append(given, out);
        done += taken;
    }
}

void Resampler::finish(Planar& out) {
    Impl& self = *impl_;
    for (std::size_t given = 1; given > 0 && self.frames_out < self.frames_due();) {
        require(soxr_process(self.soxr.get(), nullptr, 0, nullptr, self.block_pointers.data(), block_frames, &given));
        self.append(given, out);
    }
    // libsoxr rounds the length to nearest; the missing sample would lie less than one period after the last input.
    const std::int64_t missing = std::max<std::int64_t>(0, self.frames_due() - self.frames_out);
    for (std::vector<float>& channel : out) channel.resize(channel.size() + static_cast<std::size_t>(missing));
    self.frames_out += missing;
}

} // namespace serpent::audio
