// SPDX-License-Identifier: MIT
// The multi-resolution STFT loss of serpent/kernels/stft_loss.h and its gradient by a team, one signal at a time. Target and
// prediction go through one complex FFT as its real and imaginary part.
//
// Error     as stft_loss.h. Sums and overlapping frames are added in a fixed order.
// Source    kernels/equations/stft_loss.h; Stockham's self-sorting FFT (Cochran et al., 1967).
#pragma once

#include "gpu/workspace.h"

#include <cmath>
#include <vector>

namespace serpent::kernels::gpu {

struct Complex {
    float re, im;
};

inline constexpr int stft_resolutions = 3, stft_largest_fft = 2048;

struct StftResolution {
    int fft, hop, window;
    SERPENT_HD int bins() const { return fft / 2 + 1; }
    SERPENT_HD Index frames(Index n) const { return n < window ? 0 : (n - window) / hop + 1; }
};
SERPENT_HD inline StftResolution stft_resolution(int i) {
    return i == 0 ? StftResolution{1024, 120, 600} : i == 1 ? StftResolution{2048, 240, 1200} : StftResolution{512, 50, 240};
}

/// exp(-2 pi i k / 2048) for k < 1024.
inline std::vector<Complex> stft_twiddles() {
    std::vector<Complex> w;
    for (int k = 0; k < stft_largest_fft / 2; ++k) {
        const double angle = -2.0 * 3.14159265358979323846 * k / stft_largest_fft;
        w.push_back({static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))});
    }
    return w;
}

struct StftWorkspace {
    Complex* spectra;      ///< of the prediction, [frame][bin] of one resolution
    float* magnitudes;     ///< of the target, likewise
    float* partial;        ///< 3 sum_parts
    double* sums;          ///< [frame][3]: squared difference, energy, logarithms
};

SERPENT_HD inline StftWorkspace carve_stft(Carver& carver, Index capacity) {
    Index most = 0, frames = 0;
    for (int i = 0; i < stft_resolutions; ++i) {
        const StftResolution r = stft_resolution(i);
        most = larger(most, r.frames(capacity) * r.bins());
        frames = larger(frames, r.frames(capacity));
    }
    StftWorkspace w{};
    w.spectra = reinterpret_cast<Complex*>(carver.take(2 * most));
    w.magnitudes = carver.take(most);
    w.partial = carver.take(3 * sum_parts);
    w.sums = reinterpret_cast<double*>(carver.take(6 * frames));
    return w;
}

/// FFT of a; b is scratch of the same size. Returns where the answer is: a or b. Ends with sync().
template <class Team>
SERPENT_HD Complex* fft(const Team& team, int n, bool inverse, const Complex* twiddles, Complex* a, Complex* b) {
    for (int half = n / 2, stride = 1; half >= 1; half /= 2, stride *= 2) {
        each_item(team, n / 2, [&](Index i) {
            const int k = static_cast<int>(i) % stride, j = static_cast<int>(i) / stride;
            const Complex x = a[k + j * stride], y = a[k + (j + half) * stride], d{x.re - y.re, x.im - y.im};
            Complex w = twiddles[j * (stft_largest_fft / 2 / half)];
            if (inverse) w.im = -w.im;
            b[k + 2 * j * stride] = {x.re + y.re, x.im + y.im};
            b[k + (2 * j + 1) * stride] = {d.re * w.re - d.im * w.im, d.re * w.im + d.im * w.re};
        });
        team.sync();
        Complex* const t = a;
        a = b;
        b = t;
    }
    return a;
}

template <class Team>
class StftPass {
public:
    /// fft_memory: 2 * 2048 values that the team shares.
    SERPENT_HD StftPass(const Team& team, const Complex* twiddles, const StftWorkspace& workspace, Complex* fft_memory, float power_floor)
        : team_(team), twiddles_(twiddles), w_(workspace), memory_(fft_memory), floor_(power_floor) {}

    /// Adds weight * d loss / d prediction to gradient[0..n) and returns weight * loss, the same in every thread.
    SERPENT_HD double run(const float* target, const float* prediction, float* gradient, Index n, float weight) const {
        int used = 0;
        for (int i = 0; i < stft_resolutions; ++i) used += stft_resolution(i).frames(n) > 0;
        double loss = 0;
        for (int i = 0; i < stft_resolutions; ++i) {
            const StftResolution r = stft_resolution(i);
            if (r.frames(n) == 0) continue;
            for (Index f = 0; f < r.frames(n); ++f) analyse(r, f, target + f * r.hop, prediction + f * r.hop);
            double difference = 0, energy = 0, logs = 0;
            for (Index f = 0; f < r.frames(n); ++f) difference += w_.sums[3 * f], energy += w_.sums[3 * f + 1], logs += w_.sums[3 * f + 2];
            const double count = static_cast<double>(r.frames(n) * r.bins());
            loss += (std::sqrt(difference / energy) + 0.5 * logs / count) / used;
            const double norms = std::sqrt(difference * energy), share = double(weight) / used;
            const float by_norm = norms > 0 ? static_cast<float>(share / norms) : 0.0f, by_log = static_cast<float>(share / count);
            for (Index f = 0; f < r.frames(n); ++f) add_gradient(r, f, by_norm, by_log, gradient + f * r.hop);
            team_.sync();
        }
        return weight * loss;
    }

private:
    SERPENT_HD float window(const StftResolution& r, Index i) const {
        return 0.5f - 0.5f * std::cos(6.283185307f * static_cast<float>(i) / static_cast<float>(r.window));
    }

    /// Spectra and sums of one frame.
    SERPENT_HD void analyse(const StftResolution& r, Index f, const float* target, const float* prediction) const {
        each_item(team_, r.fft, [&](Index i) {
            const float h = i < r.window ? window(r, i) : 0.0f;
            memory_[i] = i < r.window ? Complex{h * target[i], h * prediction[i]} : Complex{0.0f, 0.0f};
        });
        team_.sync();
        const Complex* const z = fft(team_, r.fft, false, twiddles_, memory_, memory_ + stft_largest_fft);
        Complex* const spectrum = w_.spectra + f * r.bins();
        float* const magnitudes = w_.magnitudes + f * r.bins();
        each_item(team_, r.bins(), [&](Index k) {
            const Complex a = z[k], b = z[(r.fft - k) % r.fft];
            const float re = 0.5f * (a.re + b.re), im = 0.5f * (a.im - b.im);
            magnitudes[k] = std::sqrt(floored(re * re + im * im));
            spectrum[k] = {0.5f * (a.im + b.im), -0.5f * (a.re - b.re)};
        });
        team_.sync();
        each_item(team_, sum_parts, [&](Index part) {
            float difference = 0, energy = 0, logs = 0;
            for (Index k = part; k < r.bins(); k += sum_parts) {
                const float y = magnitudes[k] * magnitudes[k], p = floored(power(spectrum[k])), d = magnitudes[k] - std::sqrt(p);
                difference += d * d;
                energy += y;
                logs += std::fabs(std::log(y / p));
            }
            w_.partial[part] = difference, w_.partial[sum_parts + part] = energy, w_.partial[2 * sum_parts + part] = logs;
        });
        team_.sync();
        each_item(team_, 3, [&](Index which) {
            double sum = 0;
            for (int part = 0; part < sum_parts; ++part) sum += double(w_.partial[which * sum_parts + part]);
            w_.sums[3 * f + which] = sum;
        });
        team_.sync();
    }

    /// Through the inverse FFT of the spectrum's gradient. The next frame overlaps: sync() between them.
    SERPENT_HD void add_gradient(const StftResolution& r, Index f, float by_norm, float by_log, float* gradient) const {
        const Complex* const spectrum = w_.spectra + f * r.bins();
        const float* const magnitudes = w_.magnitudes + f * r.bins();
        each_item(team_, r.bins(), [&](Index k) {
            const float p_power = power(spectrum[k]), p = std::sqrt(floored(p_power)), y = magnitudes[k];
            const float sign = p > y ? 1.0f : p < y ? -1.0f : 0.0f;
            const bool once = k == 0 || k + 1 == r.bins();  // every other bin stands for two
            const float scale = p_power < floor_ ? 0.0f : (once ? 1.0f : 0.5f) * (by_norm * (p - y) + by_log * sign / p) / p;
            memory_[k] = {spectrum[k].re * scale, spectrum[k].im * scale};
            if (!once) memory_[r.fft - k] = {spectrum[k].re * scale, -spectrum[k].im * scale};
        });
        team_.sync();
        const Complex* const z = fft(team_, r.fft, true, twiddles_, memory_, memory_ + stft_largest_fft);
        each_item(team_, r.window, [&](Index i) { gradient[i] += window(r, i) * z[i].re; });
        team_.sync();
    }

    SERPENT_HD float floored(float p) const { return p > floor_ ? p : floor_; }
    static SERPENT_HD float power(const Complex& c) { return c.re * c.re + c.im * c.im; }

    const Team& team_;
    const Complex* twiddles_;
    const StftWorkspace& w_;
    Complex* memory_;
    float floor_;
};

} // namespace serpent::kernels::gpu
