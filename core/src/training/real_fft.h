// SPDX-License-Identifier: MIT
#pragma once

#include <complex>
#include <cstddef>
#include <memory>
#include <vector>

struct kiss_fftr_state;

namespace serpent {

/// Real FFT of a fixed, even size.
class RealFft {
public:
    using Bins = std::vector<std::complex<float>>;

    explicit RealFft(std::size_t n);
    std::size_t size() const { return n_; }

    /// size() / 2 + 1 bins of x, with zeros behind.
    Bins spectrum(std::vector<float> x) const;
    /// signal(spectrum(x)) is size() times x.
    std::vector<float> signal(const Bins& bins) const;

private:
    struct FreePlan {
        void operator()(kiss_fftr_state* plan) const noexcept;
    };
    using Plan = std::unique_ptr<kiss_fftr_state, FreePlan>;
    static Plan make_plan(std::size_t n, bool inverse);

    std::size_t n_;
    Plan forward_, inverse_;
};

} // namespace serpent
