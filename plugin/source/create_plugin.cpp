// SPDX-License-Identifier: GPL-3.0-or-later
// What JUCE's wrappers call. In a file of its own, so that a test can link the rest and make another plugin of it.
#include "processor.h"

juce::AudioProcessor* JUCE_CALLTYPE createPluginFilter() { return new serpent::plugin::Processor(); }
