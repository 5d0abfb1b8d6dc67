// SPDX-License-Identifier: MIT
// The functions of libhwy that the kernels call. The distribution installs that library for this machine's architecture
// only; its headers serve all.
#include <hwy/aligned_allocator.h>
#include <hwy/base.h>
#include <hwy/targets.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>

namespace hwy {

/// NEON is part of 64-bit ARM.
int64_t SupportedTargets() { return HWY_NEON | HWY_SCALAR | HWY_EMU128; }

void* AllocateAlignedBytes(size_t payload_size, AllocPtr, void*) {
    return std::aligned_alloc(128, (payload_size + 127) / 128 * 128);
}

void FreeAlignedBytes(const void* aligned_pointer, FreePtr, void*) { std::free(const_cast<void*>(aligned_pointer)); }

void Abort(const char* file, int line, const char* format, ...) {
    std::fprintf(stderr, "%s:%d: ", file, line);
    va_list arguments;
    va_start(arguments, format);
    std::vfprintf(stderr, format, arguments);
    va_end(arguments);
    std::abort();
}

} // namespace hwy
