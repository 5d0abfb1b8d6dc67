// SPDX-License-Identifier: MIT
#include "serpent/kernels/stft_loss.h"

#include <kiss_fftr.h>

#include <algorithm>
#include <cmath>
#include <new>
#include <numbers>
#include <stdexcept>
#include <vector>

namespace serpent::kernels {

namespace {

struct FreePlan {
    void operator()(kiss_fftr_state* plan) const noexcept { kiss_fftr_free(plan); }
};
using Plan = std::unique_ptr<kiss_fftr_state, FreePlan>;

Plan make_plan(std::size_t fft, bool inverse) {
    Plan plan(kiss_fftr_alloc(static_cast<int>(fft), inverse, nullptr, nullptr));
    if (!plan) throw std::bad_alloc();
    return plan;
}

float power(const kiss_fft_cpx& bin) { return bin.r * bin.r + bin.i * bin.i; }

/// One term of the mean. The loss needs the norms of a whole segment before the first gradient, so that the spectra of
/// all frames are kept between the two passes.
class Resolution {
public:
    Resolution(std::size_t fft, std::size_t hop, std::size_t window)
        : fft_(fft), hop_(hop), forward_(make_plan(fft, false)), inverse_(make_plan(fft, true)), window_(window),
          frame_(fft, 0.0f), target_bins_(bins()) {
        for (std::size_t i = 0; i < window; ++i)
            window_[i] = static_cast<float>(
                0.5 - 0.5 * std::cos(2.0 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(window)));
    }

    std::size_t frames(std::size_t n) const { return n < window_.size() ? 0 : (n - window_.size()) / hop_ + 1; }

    void prepare(std::size_t max_n) {
        spectra_.resize(frames(max_n) * bins());
        target_magnitudes_.resize(spectra_.size());
    }

    /// Fills the spectra and returns this resolution's loss.
    double forward(const float* target, const float* prediction, std::size_t n, float power_floor) {
        double difference = 0, energy = 0, log_ratio = 0;
        for (std::size_t frame = 0; frame < frames(n); ++frame) {
            kiss_fft_cpx* p_bins = spectra_.data() + frame * bins();
            float* magnitudes = target_magnitudes_.data() + frame * bins();
            transform(target + frame * hop_, target_bins_.data());
            transform(prediction + frame * hop_, p_bins);
            float frame_difference = 0, frame_energy = 0, frame_log_ratio = 0;
            for (std::size_t k = 0; k < bins(); ++k) {
                const float y_power = std::max(power(target_bins_[k]), power_floor);
                const float p_power = std::max(power(p_bins[k]), power_floor);
                magnitudes[k] = std::sqrt(y_power);
                const float d = magnitudes[k] - std::sqrt(p_power);
                frame_difference += d * d;
                frame_energy += y_power;
                frame_log_ratio += std::abs(std::log(y_power / p_power));
            }
            difference += frame_difference;
            energy += frame_energy;
            log_ratio += frame_log_ratio;
        }
        norms_product_ = std::sqrt(difference * energy);
        return std::sqrt(difference / energy) + 0.5 * log_ratio / static_cast<double>(frames(n) * bins());
    }

    /// Adds weight * d loss / d prediction, from the spectra that forward() left.
    void backward(float* gradient, std::size_t n, float power_floor, float weight) {
        const float by_log = weight / static_cast<float>(frames(n) * bins());
        const float by_norm = norms_product_ > 0 ? static_cast<float>(weight / norms_product_) : 0.0f;
        for (std::size_t frame = 0; frame < frames(n); ++frame) {
            kiss_fft_cpx* p_bins = spectra_.data() + frame * bins();
            const float* magnitudes = target_magnitudes_.data() + frame * bins();
            for (std::size_t k = 0; k < bins(); ++k) {
                const float p_power = power(p_bins[k]);
                const float p = std::sqrt(std::max(p_power, power_floor)), y = magnitudes[k];
                const float sign = static_cast<float>((p > y) - (p < y));
                // The inverse real FFT counts every bin but the first and last twice: hence the 0.5.
                const float once = k == 0 || k + 1 == bins() ? 1.0f : 0.5f;
                const float scale = p_power < power_floor ? 0.0f : once * (by_norm * (p - y) + by_log * sign / p) / p;
                p_bins[k].r *= scale;
                p_bins[k].i *= scale;
            }
            kiss_fftri(inverse_.get(), p_bins, frame_.data());
            float* to = gradient + frame * hop_;
            for (std::size_t i = 0; i < window_.size(); ++i) to[i] += window_[i] * frame_[i];
        }
    }

private:
    std::size_t bins() const { return fft_ / 2 + 1; }

    /// Windows at the start of the frame: centring it would only turn phases, which no loss sees.
    void transform(const float* x, kiss_fft_cpx* to) {
        for (std::size_t i = 0; i < window_.size(); ++i) frame_[i] = window_[i] * x[i];
        std::fill(frame_.begin() + static_cast<std::ptrdiff_t>(window_.size()), frame_.end(), 0.0f);
        kiss_fftr(forward_.get(), frame_.data(), to);
    }

    std::size_t fft_, hop_;
    Plan forward_, inverse_;
    std::vector<float> window_, frame_;
    std::vector<kiss_fft_cpx> target_bins_, spectra_;  // spectra_: prediction, [frame][bin]
    std::vector<float> target_magnitudes_;             // [frame][bin]
    double norms_product_ = 0;                         // ||Y - P|| ||Y||
};

} // namespace

struct StftLoss::Impl {
    float power_floor;
    std::size_t max_n = 0;
    std::vector<Resolution> resolutions;
};

StftLoss::StftLoss(float power_floor) : impl_(std::make_unique<Impl>()) {
    impl_->power_floor = power_floor;
    impl_->resolutions.emplace_back(1024, 120, 600);
    impl_->resolutions.emplace_back(2048, 240, 1200);
    impl_->resolutions.emplace_back(512, 50, 240);
}
StftLoss::~StftLoss() = default;
StftLoss::StftLoss(StftLoss&&) noexcept = default;
StftLoss& StftLoss::operator=(StftLoss&&) noexcept = default;

void StftLoss::prepare(std::size_t max_n) {
    for (Resolution& r : impl_->resolutions) r.prepare(max_n);
    impl_->max_n = max_n;
}

double StftLoss::value_and_gradient(const float* target, const float* prediction, float* gradient, std::size_t n,
                                    float weight) {
    if (n > impl_->max_n) throw std::length_error("StftLoss: the segment is longer than prepare() was told");
    int used = 0;
    for (const Resolution& r : impl_->resolutions) used += r.frames(n) > 0;
    double loss = 0;
    for (Resolution& r : impl_->resolutions) {
        if (r.frames(n) == 0) continue;
        loss += r.forward(target, prediction, n, impl_->power_floor) / used;
        r.backward(gradient, n, impl_->power_floor, weight / static_cast<float>(used));
    }
    return loss;
}

} // namespace serpent::kernels
