// SPDX-License-Identifier: GPL-3.0-or-later
#include "serpent/kernels/isa.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string>

using namespace serpent::kernels;

namespace {

/// Sets an environment variable and puts its old value back at the end of the scope.
class ScopedEnvironment {
public:
    ScopedEnvironment(const char* name, const char* value) : name_(name) {
        if (const char* old = std::getenv(name)) old_ = old;
        if (value) setenv(name, value, 1);
        else unsetenv(name);
    }
    ~ScopedEnvironment() {
        if (old_) setenv(name_, old_->c_str(), 1);
        else unsetenv(name_);
    }
    ScopedEnvironment(const ScopedEnvironment&) = delete;
    ScopedEnvironment& operator=(const ScopedEnvironment&) = delete;

private:
    const char* name_;
    std::optional<std::string> old_;
};

constexpr Isa all_isas[]{Isa::scalar, Isa::sse4, Isa::avx2, Isa::avx512, Isa::neon};

} // namespace

TEST_CASE("ISA names go there and back", "[isa]") {
    for (const Isa isa : all_isas) CHECK(isa_from_name(isa_name(isa)) == isa);
    CHECK_FALSE(isa_from_name("AVX2"));
    CHECK_FALSE(isa_from_name(""));
}

TEST_CASE("scalar is always available and comes first", "[isa]") {
    const auto isas = available_isas();
    REQUIRE_FALSE(isas.empty());
    CHECK(isas.front() == Isa::scalar);
    CHECK(std::is_sorted(isas.begin(), isas.end()));
}

TEST_CASE("each ISA's table runs code compiled for that ISA", "[isa]") {
    for (const Isa isa : available_isas()) {
        const IsaProbe probe = probe_isa(isa);
        INFO("asked for " << isa_name(isa) << ", ran " << probe.target);
        CHECK(probe.isa == isa);
        switch (isa) {
        case Isa::scalar: CHECK((probe.target == "SCALAR" || probe.target == "EMU128")); break;
        case Isa::sse4: CHECK((probe.target == "SSE4" && probe.float_lanes == 4)); break;
        case Isa::avx2: CHECK((probe.target == "AVX2" && probe.float_lanes == 8)); break;
        case Isa::avx512: CHECK((probe.target == "AVX3" && probe.float_lanes == 16)); break;
        case Isa::neon: CHECK((probe.target == "NEON" && probe.float_lanes == 4)); break;
        }
    }
}

TEST_CASE("SERPENT_ISA chooses the default ISA", "[isa]") {
    {
        const ScopedEnvironment unset("SERPENT_ISA", nullptr);
        CHECK(default_isa() == available_isas().back());
    }
    for (const Isa isa : available_isas()) {
        const ScopedEnvironment set("SERPENT_ISA", std::string(isa_name(isa)).c_str());
        CHECK(default_isa() == isa);
    }
}

TEST_CASE("an ISA that is not there is refused and the available ones are named", "[isa]") {
    const auto isas = available_isas();
    for (const Isa isa : all_isas) {
        if (std::find(isas.begin(), isas.end(), isa) != isas.end()) continue;
        CHECK_THROWS_AS(require_isa(isa), std::invalid_argument);
        CHECK_THROWS_AS(probe_isa(isa), std::invalid_argument);
        const ScopedEnvironment set("SERPENT_ISA", std::string(isa_name(isa)).c_str());
        CHECK_THROWS_AS(default_isa(), std::invalid_argument);
    }
    const ScopedEnvironment set("SERPENT_ISA", "mmx");
    CHECK_THROWS_WITH(default_isa(), Catch::Contains("mmx") && Catch::Contains("scalar"));
}
