// SPDX-License-Identifier: MIT
// Which instruction sets every dispatched source of kernels/cpu is compiled for, and how to pick one of the results.
//
// Highway's own dispatch chooses one target for the whole process. A Stream picks its ISA per object, so dispatched
// sources hand out a table of functions per ISA instead. Example, widget.cpp:
//
//     #include "cpu/targets.h"                              // before any Highway header
//     #undef HWY_TARGET_INCLUDE
//     #define HWY_TARGET_INCLUDE "cpu/widget.cpp"
//     #include "hwy/foreach_target.h"
//     #include "hwy/highway.h"
//
//     #ifndef SERPENT_WIDGET_OPS                          // seen once, shared by all targets
//     #define SERPENT_WIDGET_OPS
//     namespace serpent::kernels {
//     struct WidgetOps { Isa isa; void (*run)(float*); };
//     }
//     #endif
//
//     HWY_BEFORE_NAMESPACE();
//     namespace serpent::kernels::HWY_NAMESPACE {
//     void run(float* x) { /* Highway code */ }
//     constexpr WidgetOps widget_ops{SERPENT_TARGET_ISA, run};
//     } // namespace serpent::kernels::HWY_NAMESPACE
//     HWY_AFTER_NAMESPACE();
//
//     #if HWY_ONCE
//     namespace serpent::kernels {
//     const WidgetOps& widget_ops_for(Isa isa) { return *SERPENT_SELECT(isa, widget_ops); }
//     }
//     #endif
//
// Constant tables need no code at run time, so that no AVX instruction runs before the choice is made. Keep templates of
// the standard library out of what stands between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE: the linker may keep the
// AVX copy of an instantiation that other code shares.
#pragma once

#include "serpent/kernels/isa.h"

#ifdef HIGHWAY_HWY_DETECT_TARGETS_H_
#error "include targets.h before any Highway header"
#endif

// scalar, SSE4, AVX2 and AVX3 (AVX-512 F, BW, DQ, VL) on x86; scalar and NEON on ARM. Compile every one, also those below
// the compiler's baseline, so that each can be forced and tested.
#define HWY_COMPILE_ALL_ATTAINABLE
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)

#include "hwy/detect_targets.h"

/// The Isa of the code being compiled, valid between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE.
#define SERPENT_TARGET_ISA                                      \
    (HWY_TARGET == HWY_AVX3   ? ::serpent::kernels::Isa::avx512 \
     : HWY_TARGET == HWY_AVX2 ? ::serpent::kernels::Isa::avx2   \
     : HWY_TARGET == HWY_SSE4 ? ::serpent::kernels::Isa::sse4   \
     : HWY_TARGET == HWY_NEON ? ::serpent::kernels::Isa::neon   \
                              : ::serpent::kernels::Isa::scalar)

#if HWY_TARGETS & HWY_AVX3
#define SERPENT_CASE_AVX512(name) case ::serpent::kernels::Isa::avx512: return &N_AVX3::name;
#else
#define SERPENT_CASE_AVX512(name)
#endif
#if HWY_TARGETS & HWY_AVX2
#define SERPENT_CASE_AVX2(name) case ::serpent::kernels::Isa::avx2: return &N_AVX2::name;
#else
#define SERPENT_CASE_AVX2(name)
#endif
#if HWY_TARGETS & HWY_SSE4
#define SERPENT_CASE_SSE4(name) case ::serpent::kernels::Isa::sse4: return &N_SSE4::name;
#else
#define SERPENT_CASE_SSE4(name)
#endif
#if HWY_TARGETS & HWY_NEON
#define SERPENT_CASE_NEON(name) case ::serpent::kernels::Isa::neon: return &N_NEON::name;
#else
#define SERPENT_CASE_NEON(name)
#endif
#if HWY_TARGETS & HWY_SCALAR
#define SERPENT_SCALAR_NAMESPACE N_SCALAR
#else
#define SERPENT_SCALAR_NAMESPACE N_EMU128
#endif

/// Pointer to `isa`'s copy of `name`, a constant or a non-overloaded function of serpent::kernels::HWY_NAMESPACE. For
/// use under HWY_ONCE in namespace serpent::kernels. Throws std::invalid_argument, naming what is available, when `isa`
/// is not.
#define SERPENT_SELECT(isa, name)                                                       \
    ([](::serpent::kernels::Isa wanted_) -> decltype(&SERPENT_SCALAR_NAMESPACE::name) { \
        ::serpent::kernels::require_isa(wanted_);                                       \
        switch (wanted_) {                                                              \
            SERPENT_CASE_AVX512(name)                                                   \
            SERPENT_CASE_AVX2(name)                                                     \
            SERPENT_CASE_SSE4(name)                                                     \
            SERPENT_CASE_NEON(name)                                                     \
        default: return &SERPENT_SCALAR_NAMESPACE::name;                                \
        }                                                                               \
    }(isa))
