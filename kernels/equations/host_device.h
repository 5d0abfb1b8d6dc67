// SPDX-License-Identifier: MIT
// SERPENT_HD marks the arithmetic that the CPU twin of a CUDA kernel and the kernel itself share.
#pragma once

#ifdef __CUDACC__
#define SERPENT_HD __host__ __device__
#else
#define SERPENT_HD
#endif

// Before a loop over an array that a device must keep in registers, and before one that is rarely walked more than once.
#ifdef __CUDA_ARCH__
#define SERPENT_UNROLL _Pragma("unroll")
#define SERPENT_NO_UNROLL _Pragma("unroll 1")
#else
#define SERPENT_UNROLL
#define SERPENT_NO_UNROLL
#endif
