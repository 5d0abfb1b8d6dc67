// SPDX-License-Identifier: MIT
// SERPENT_HD marks the arithmetic that the CPU twin of a CUDA kernel and the kernel itself share.
#pragma once

#ifdef __CUDACC__
#define SERPENT_HD __host__ __device__
#else
#define SERPENT_HD
#endif
