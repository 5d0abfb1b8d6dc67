// SPDX-License-Identifier: GPL-3.0-or-later
#include "device.h"

#include "guitar.h"

#include <array>
#include <cmath>
#include <numbers>

namespace demo {

namespace {

constexpr int oversampling = 8;
constexpr double inner_rate = static_cast<double>(oversampling) * sample_rate_hz;

/// One-pole smoother with a corner in Hz, at the inner rate.
class Smooth {
public:
    explicit Smooth(double corner_hz) : k_(1.0 - std::exp(-2.0 * std::numbers::pi * corner_hz / inner_rate)) {}
    double tick(double x) { return y_ += k_ * (x - y_); }

private:
    double k_, y_ = 0.0;
};

/// Sixth-order Butterworth low-pass: three trapezoidal state-variable sections.
class BandLimit {
public:
    double tick(double x) {
        for (std::size_t i = 0; i < q_.size(); ++i) {
            const double high = (x - (1.0 / q_[i] + g_) * band_[i] - low_[i]) / (1.0 + g_ / q_[i] + g_ * g_);
            const double band = g_ * high + band_[i];
            band_[i] = band + g_ * high;
            const double low = g_ * band + low_[i];
            low_[i] = low + g_ * band;
            x = low;
        }
        return x;
    }

private:
    static constexpr std::array<double, 3> q_ = {0.5176, 0.7071, 1.9319};
    const double g_ = std::tan(std::numbers::pi * 18000.0 / inner_rate);
    std::array<double, 3> band_{}, low_{};
};

} // namespace

std::vector<float> overdrive(const std::vector<float>& dry) {
    BandLimit up, down;
    Smooth bass(650.0), treble(4200.0), dc(20.0), load(1.0);  // load: the supply follows the signal within some 160 ms
    std::vector<float> wet;
    wet.reserve(dry.size());
    for (const float sample : dry) {
        double out = 0.0;
        for (int i = 0; i < oversampling; ++i) {
            const double x = up.tick(i == 0 ? oversampling * static_cast<double>(sample) : 0.0);
            const double driven = 14.0 * (x - 0.8 * bass.tick(x));      // less bass into the clipping, as pedals do
            const double supply = 1.0 / (1.0 + 0.8 * load.tick(std::abs(out)));
            const double bias = 0.25;                                   // even harmonics
            const double clipped = supply * (std::tanh(driven / supply + bias) - std::tanh(bias));
            const double toned = treble.tick(clipped);
            out = down.tick(toned - dc.tick(toned));
        }
        wet.push_back(static_cast<float>(0.5 * out));
    }
    return wet;
}

} // namespace demo
