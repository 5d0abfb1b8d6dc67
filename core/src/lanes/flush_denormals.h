// SPDX-License-Identifier: MIT
#pragma once

#if defined(__SSE__)
#include <xmmintrin.h>
#endif
#include <cstdint>

namespace serpent {

/// Results and operands below 1.2e-38 count as 0 on this thread while the object lives: a decaying state would
/// otherwise run through denormals, which cost some hundred cycles each.
class FlushDenormals {
public:
    FlushDenormals() noexcept : saved_(read()) { write(saved_ | bits); }
    ~FlushDenormals() { write(saved_); }
    FlushDenormals(const FlushDenormals&) = delete;
    FlushDenormals& operator=(const FlushDenormals&) = delete;

private:
#if defined(__SSE__)
    static constexpr std::uint64_t bits = 0x8040;  // flush to zero, denormals are zero
    static std::uint64_t read() noexcept { return _mm_getcsr(); }
    static void write(std::uint64_t v) noexcept { _mm_setcsr(static_cast<unsigned>(v)); }
#elif defined(__aarch64__)
    static constexpr std::uint64_t bits = std::uint64_t{1} << 24;  // FPCR.FZ
    static std::uint64_t read() noexcept {
        std::uint64_t v;
        asm volatile("mrs %0, fpcr" : "=r"(v));
        return v;
    }
    static void write(std::uint64_t v) noexcept { asm volatile("msr fpcr, %0" : : "r"(v)); }
#else
    static constexpr std::uint64_t bits = 0;
    static std::uint64_t read() noexcept { return 0; }
    static void write(std::uint64_t) noexcept {}
#endif
    std::uint64_t saved_;
};

} // namespace serpent
