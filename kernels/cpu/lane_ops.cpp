// SPDX-License-Identifier: MIT
// The lane-batched operators, compiled once per instruction set.
#include "cpu/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/lane_ops.cpp"
#include "hwy/foreach_target.h"

#include "cpu/lane_cross_entropy-inl.h"
#include "cpu/lane_elementwise-inl.h"
#include "cpu/lane_fir-inl.h"
#include "cpu/lane_linear-inl.h"
#include "cpu/lane_oscillators-inl.h"
#include "cpu/lane_scan-inl.h"

#include "cpu/lane_rotation-inl.h"  // behind lane_scan-inl.h, whose sums it uses

HWY_BEFORE_NAMESPACE();
namespace serpent::kernels::HWY_NAMESPACE {

const LaneOps lane_table{
    hwy::TargetName(HWY_TARGET), linear, linear_gradient, rms_norm, rms_norm_backward, conv, conv_backward,
    silu, silu_backward, softplus, softplus_backward, gate, gate_backward, scan, scan_carry, scan_backward,
    rotation, rotation_carry, rotation_backward, fir, fir_gradient, oscillators, oscillators_backward, cross_entropy};

} // namespace serpent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace serpent::kernels {

const LaneOps& lane_ops(Isa isa) {
    return *SERPENT_SELECT(isa, lane_table);
}

} // namespace serpent::kernels
#endif
