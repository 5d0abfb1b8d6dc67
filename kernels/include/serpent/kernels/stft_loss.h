// SPDX-License-Identifier: MIT
// Multi-resolution STFT loss of one training segment, and its gradient:
//
//   loss = mean over r of  ||Y - P|| / ||Y||  +  mean |ln Y - ln P|,   Y, P = sqrt(max(|STFT_r|^2, power_floor))
//
// with FFT sizes 1024/2048/512, hops 120/240/50 and periodic Hann windows of 600/1200/240 samples centred in the FFT.
// The norms run over all frames and bins of a resolution. Frames lie wholly inside the segment, without padding: window
// r starts at 0, hop, 2 hop, ... while its end is within n. A resolution whose window is longer than the segment does
// not count; a segment shorter than 240 samples has loss 0. Where a power is below the floor its gradient is zero.
//
// Aliasing  none.
// Error     against float64, for segments that are not near-silent: 1e-5 of the loss, 2e-3 of the gradient's norm. The
//           float32 FFT leaves 1e-7 of a frame's largest magnitude in every bin, and the logarithm divides by small ones.
// Source    Yamamoto, Song and Kim, "Parallel WaveGAN" (2020); auraloss's MultiResolutionSTFTLoss with its defaults.
#pragma once

#include <cstddef>
#include <memory>

namespace serpent::kernels {

/// Holds plans and scratch: one object per thread. After prepare() no call allocates. The same input gives the same
/// bits.
class StftLoss {
public:
    /// A silent target has ||Y|| near sqrt(power_floor bins), which makes any hiss of the prediction expensive: raise
    /// the floor to the level below which nothing should be learnt.
    explicit StftLoss(float power_floor = 1e-8f);
    ~StftLoss();
    StftLoss(StftLoss&&) noexcept;
    StftLoss& operator=(StftLoss&&) noexcept;

    /// Scratch for segments of up to max_n samples.
    void prepare(std::size_t max_n);

    /// Returns the loss and adds weight * d loss / d prediction to gradient[0..n). n above max_n: std::length_error.
    double value_and_gradient(const float* target, const float* prediction, float* gradient, std::size_t n,
                              float weight);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace serpent::kernels
