// SPDX-License-Identifier: GPL-3.0-or-later
// Streams on signals that stand still, against float64: no state may stop before it arrives.
#include "standing_signal.h"
#include "stream_helpers.h"

#include <catch2/catch.hpp>

using namespace serpent;
using namespace serpent::test;

namespace {

void check_standing(const std::shared_ptr<const Model>& model, std::size_t section_samples) {
    const auto channels = static_cast<std::size_t>(model->config.channels);
    const std::vector<float> in = standing_signal(channels, section_samples);
    const std::vector<double> expected = answer_from_silence(*model, in);
    for (const kernels::Isa isa : kernels::available_isas()) {
        if (isa == kernels::Isa::scalar) continue;  // 60 us per sample; the lanes' tests run it
        CAPTURE(kernels::isa_name(isa));
        Stream stream(model, {.isa = isa});
        const Distance d = worst_section(expected, interleaved(play(stream, planar(in, channels), {64})));
        CAPTURE(d.rms, d.max);
        CHECK(within_budget(d));
    }
}

} // namespace

TEST_CASE("stream answers signals that stand still", "[stream]") {
    std::vector<std::string> names = shipped_names();
    for (const std::string& name : names) {
        CAPTURE(name);
        check_standing(shipped_model(name), 24000);
    }
    for (const char* name : {"tied_ema_8_16_4_4", "slow_ema_8_16_8_2", "tied_euler_8_16_4_2", "mamba_reference_16_32_16_4"}) {
        CAPTURE(name);
        check_standing(golden_model(name), 24000);
    }
}
