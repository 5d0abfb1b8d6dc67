// SPDX-License-Identifier: MIT
// Matrices as tensor cores take them. A matrix (rows, depth) times `matrix_columns` columns, all in float32: a tensor core keeps
// only 11 bits of a factor, so that a weight is split into a high and a low part, and so is every value; the product of the two low
// parts is left out. What is lost is some 2e-7 of each product.
//
// Layout    tiles of 16 rows and 8 of depth, [row tile][depth tile][high, low][thread][4]: thread l has rows l / 4 and l / 4 + 8 at
//           depth l % 4, then the same at depth l % 4 + 4 (operand A of mma.m16n8k8)
#pragma once

#include "equations/host_device.h"

namespace serpent::kernels::gpu {

inline constexpr int matrix_columns = 8;

SERPENT_HD constexpr int matrix_floats(int rows, int depth) { return 2 * rows * depth; }
/// Where the high part of (row, k) is; the low one is 128 floats behind it.
SERPENT_HD constexpr int matrix_place(int depth, int row, int k) {
    const int tile = row / 16 * (depth / 8) + k / 8, thread = row % 8 * 4 + k % 4, element = row % 16 / 8 + k % 8 / 4 * 2;
    return tile * 256 + thread * 4 + element;
}
/// From column to column in shared memory: so that neither what the threads read of one operand nor what they write meets in a bank.
SERPENT_HD constexpr int matrix_stride(int n) { return (n + 15) / 16 * 16 + 4; }

} // namespace serpent::kernels::gpu
