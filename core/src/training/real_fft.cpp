// SPDX-License-Identifier: MIT
#include "training/real_fft.h"

#include "serpent/errors.h"

#include <kiss_fftr.h>

namespace serpent {

void RealFft::FreePlan::operator()(kiss_fftr_state* plan) const noexcept { kiss_fftr_free(plan); }

RealFft::Plan RealFft::make_plan(std::size_t n, bool inverse) {
    Plan plan(kiss_fftr_alloc(static_cast<int>(n), inverse, nullptr, nullptr));
    if (!plan) throw Error("there is not enough memory to check the recordings; give shorter ones");
    return plan;
}

RealFft::RealFft(std::size_t n) : n_(n), forward_(make_plan(n, false)), inverse_(make_plan(n, true)) {}

RealFft::Bins RealFft::spectrum(std::vector<float> x) const {
    x.resize(n_, 0.0f);
    Bins bins(n_ / 2 + 1);
    kiss_fftr(forward_.get(), x.data(), reinterpret_cast<kiss_fft_cpx*>(bins.data()));
    return bins;
}

std::vector<float> RealFft::signal(const Bins& bins) const {
    std::vector<float> x(n_);
    kiss_fftri(inverse_.get(), reinterpret_cast<const kiss_fft_cpx*>(bins.data()), x.data());
    return x;
}

} // namespace serpent
