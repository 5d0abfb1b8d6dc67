// SPDX-License-Identifier: MIT
// The multi-resolution STFT loss of kernels/stft_loss.h by plain DFTs: contract, shapes and source are stated there.
#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <vector>

namespace serpent::equations {

struct StftResolution {
    std::size_t fft, hop, window;
};
inline constexpr StftResolution stft_resolutions[] = {{1024, 120, 600}, {2048, 240, 1200}, {512, 50, 240}};

/// All frames of one resolution: spectra[frame * (fft / 2 + 1) + bin]. The window's place inside the FFT only turns
/// phases, so the plain DFT starts at the window's first sample.
template <class T>
std::vector<std::complex<T>> stft(const StftResolution& r, const T* x, std::size_t n) {
    const T pi = std::acos(T(-1));
    std::vector<std::complex<T>> spectra;
    for (std::size_t start = 0; start + r.window <= n; start += r.hop)
        for (std::size_t k = 0; k <= r.fft / 2; ++k) {
            std::complex<T> sum = 0;
            for (std::size_t i = 0; i < r.window; ++i) {
                const T window = T(0.5) - T(0.5) * std::cos(2 * pi * T(i) / T(r.window));
                sum += window * x[start + i] * std::polar(T(1), -2 * pi * T(i * k % r.fft) / T(r.fft));
            }
            spectra.push_back(sum);
        }
    return spectra;
}

/// Adds to gradient[n] that of a function of the spectra, given its derivatives by their real and imaginary parts.
template <class T>
void stft_backward(const StftResolution& r, const std::vector<std::complex<T>>& dspectra, T* gradient, std::size_t n) {
    const T pi = std::acos(T(-1));
    const std::complex<T>* d = dspectra.data();
    for (std::size_t start = 0; start + r.window <= n; start += r.hop)
        for (std::size_t k = 0; k <= r.fft / 2; ++k, ++d)
            for (std::size_t i = 0; i < r.window; ++i) {
                const T window = T(0.5) - T(0.5) * std::cos(2 * pi * T(i) / T(r.window));
                const T angle = 2 * pi * T(i * k % r.fft) / T(r.fft);
                gradient[start + i] += window * (d->real() * std::cos(angle) - d->imag() * std::sin(angle));
            }
}

/// The loss; adds weight times its gradient by the prediction to gradient[n], which may be null.
template <class T>
T stft_loss(const T* target, const T* prediction, T* gradient, std::size_t n, T weight, T power_floor = T(1e-8)) {
    std::size_t used = 0;
    for (const StftResolution& r : stft_resolutions) used += n >= r.window;
    T loss = 0;
    for (const StftResolution& r : stft_resolutions) {
        if (n < r.window) continue;
        const auto y = stft(r, target, n), p = stft(r, prediction, n);
        const auto magnitude = [&](std::complex<T> bin) { return std::sqrt(std::max(std::norm(bin), power_floor)); };
        T difference = 0, energy = 0, logs = 0;
        for (std::size_t i = 0; i < y.size(); ++i) {
            const T Y = magnitude(y[i]), P = magnitude(p[i]);
            difference += (Y - P) * (Y - P);
            energy += Y * Y;
            logs += std::abs(std::log(Y) - std::log(P));
        }
        loss += (std::sqrt(difference / energy) + logs / T(y.size())) / T(used);
        if (!gradient) continue;
        std::vector<std::complex<T>> dp(p.size());
        for (std::size_t i = 0; i < p.size(); ++i) {
            const T Y = magnitude(y[i]), P = magnitude(p[i]);
            if (std::norm(p[i]) < power_floor) continue;
            const T by_norm = difference > 0 ? (P - Y) / std::sqrt(difference * energy) : T(0);
            const T by_log = T((P > Y) - (P < Y)) / (P * T(y.size()));
            dp[i] = (by_norm + by_log) * weight / T(used) * p[i] / P;
        }
        stft_backward(r, dp, gradient, n);
    }
    return loss;
}

} // namespace serpent::equations
