// SPDX-License-Identifier: MIT
// Denormal numbers cost a hundred cycles each on some processors; a decaying state is full of them.
#pragma once

#include <cstdint>

#if defined(__SSE2__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace serpent::kernels {

/// Denormal results and operands count as zero on this thread for as long as the object lives; then the thread's old
/// mode comes back. Does nothing on processors other than x86 and 64-bit ARM.
class FlushDenormals {
public:
    FlushDenormals() noexcept : old_(read()) { write(old_ | flush_bits); }
    ~FlushDenormals() { write(old_); }
    FlushDenormals(const FlushDenormals&) = delete;
    FlushDenormals& operator=(const FlushDenormals&) = delete;

private:
#if defined(__SSE2__) || defined(_M_X64)
    using Mode = unsigned;
    static constexpr Mode flush_bits = 0x8040;  // MXCSR: flush to zero, denormals are zero
    static Mode read() noexcept { return _mm_getcsr(); }
    static void write(Mode mode) noexcept { _mm_setcsr(mode); }
#elif defined(__aarch64__)
    using Mode = std::uint64_t;
    static constexpr Mode flush_bits = std::uint64_t{1} << 24;  // FPCR.FZ
    static Mode read() noexcept {
        Mode mode;
        asm volatile("mrs %0, fpcr" : "=r"(mode));
        return mode;
    }
    static void write(Mode mode) noexcept { asm volatile("msr fpcr, %0" : : "r"(mode)); }
#else
    using Mode = int;
    static constexpr Mode flush_bits = 0;
    static Mode read() noexcept { return 0; }
    static void write(Mode) noexcept {}
#endif

    Mode old_;
};

} // namespace serpent::kernels
