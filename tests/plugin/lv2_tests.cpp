// SPDX-License-Identifier: GPL-3.0-or-later
// What the built LV2 bundle says of itself, against the parameters that the plugin has.
#include "processor_fixture.h"

#include <catch2/catch.hpp>

using namespace serpent::plugin;
using namespace serpent::test;

TEST_CASE("the LV2 gives every parameter its unit, and itself a class, a licence and a home", "[lv2]") {
    const juce::String dsp = juce::File(SERPENT_LV2_BUNDLE).getChildFile("dsp.ttl").loadFileAsString();
    REQUIRE(dsp.isNotEmpty());
    Ready ready;
    for (const auto* parameter : ready.parameters().all) {
        const juce::String id = parameter->getParameterID(), label = parameter->getLabel();
        CAPTURE(id.toStdString());
        const juce::String described = dsp.fromFirstOccurrenceOf("\nplug:" + id + "\n", false, false).upToFirstOccurrenceOf(" .\n", false, false);
        REQUIRE(described.contains("a lv2:Parameter"));
        const juce::String unit = described.fromFirstOccurrenceOf("units:unit ", false, false).upToFirstOccurrenceOf(" ", false, false);
        const char* expected = label == "dB" ? "units:db" : label == "Hz" ? "units:hz" : label == "ms" ? "units:ms" : label == "%" ? "units:pc"
                             : parameter->isDiscrete() ? "" : "plug:share";
        CHECK(unit == expected);
    }
    for (const char* said : {"a lv2:Plugin , lv2:AmplifierPlugin", "doap:license <https://spdx.org/licenses/GPL-3.0-or-later>", "doap:homepage <http",
                             "foaf:name \"The authors of Serpent\"", "plug:share\n\ta units:Unit"})
        CHECK(dsp.contains(said));
    CHECK_FALSE(dsp.contains("<>"));
}
