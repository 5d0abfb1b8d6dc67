// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

namespace serpent {

/// Finds out when the input is the output of up to some blocks ago, as when a cable or a patch bay leads it back: half a
/// second of that is no coincidence.
class LoopDetector {
public:
    void prepare(double sample_rate_hz, int max_block);
    /// One block of what came in and of what goes out now. True while the loop is closed.
    bool process(const float* in, const float* out, int n) noexcept;
    void forget() noexcept { lag_ = -1, alike_ = 0; }

private:
    static constexpr int most_lag = 4096;  // samples: some blocks of any device
    static constexpr float silence = 3e-3f, same = 1e-4f;
    std::vector<float> past_;  // outputs, a ring
    std::int64_t written_ = 0;
    int lag_ = 0, alike_ = 0, needed_ = 0;

    bool matches(const float* in, int n, int lag) const noexcept;
};

} // namespace serpent
