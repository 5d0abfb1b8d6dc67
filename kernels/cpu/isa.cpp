// SPDX-License-Identifier: MIT
#include "cpu/targets.h"

#include <array>
#include <cstdlib>
#include <stdexcept>
#include <string>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/isa.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace serpent::kernels::HWY_NAMESPACE {

IsaProbe probe() {
    const hwy::HWY_NAMESPACE::ScalableTag<float> d;
    return {SERPENT_TARGET_ISA, hwy::TargetName(HWY_TARGET), static_cast<int>(hwy::HWY_NAMESPACE::Lanes(d))};
}

} // namespace serpent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace serpent::kernels {
namespace {

constexpr std::array<std::string_view, 5> isa_names{"scalar", "sse4", "avx2", "avx512", "neon"};

bool is_available(Isa isa) {
    const auto supported = hwy::SupportedTargets() & HWY_TARGETS;
    switch (isa) {
    case Isa::scalar: return true;
    case Isa::sse4: return (supported & HWY_SSE4) != 0;
    case Isa::avx2: return (supported & HWY_AVX2) != 0;
    case Isa::avx512: return (supported & HWY_AVX3) != 0;
    case Isa::neon: return (supported & HWY_NEON) != 0;
    }
    return false;
}

std::string available_names() {
    std::string names;
    for (const Isa isa : available_isas()) {
        if (!names.empty()) names += ", ";
        names += isa_name(isa);
    }
    return names;
}

} // namespace

std::string_view isa_name(Isa isa) noexcept {
    return isa_names[static_cast<std::size_t>(isa)];
}

std::optional<Isa> isa_from_name(std::string_view name) noexcept {
    for (std::size_t i = 0; i < isa_names.size(); ++i)
        if (isa_names[i] == name) return static_cast<Isa>(i);
    return std::nullopt;
}

std::vector<Isa> available_isas() {
    std::vector<Isa> isas;
    for (const Isa isa : {Isa::scalar, Isa::sse4, Isa::avx2, Isa::avx512, Isa::neon})
        if (is_available(isa)) isas.push_back(isa);
    return isas;
}

Isa default_isa() {
    const char* name = std::getenv("SERPENT_ISA");
    if (name == nullptr) return available_isas().back();
    const auto isa = isa_from_name(name);
    if (!isa || !is_available(*isa))
        throw std::invalid_argument("SERPENT_ISA is \"" + std::string(name) + "\", but this machine and build offer " +
                                    available_names() + "; set it to one of these, or unset it.");
    return *isa;
}

void require_isa(Isa isa) {
    if (!is_available(isa))
        throw std::invalid_argument("The instruction set " + std::string(isa_name(isa)) +
                                    " is not available; this machine and build offer " + available_names() + ".");
}

IsaProbe probe_isa(Isa isa) {
    return SERPENT_SELECT(isa, probe)();
}

} // namespace serpent::kernels
#endif
