// SPDX-License-Identifier: GPL-3.0-or-later
#include "state/state.h"

#include "serpent/errors.h"

#include <cmath>

namespace serpent::plugin {

namespace {

constexpr const char* root_tag = "SERPENT";

/// Enough digits that a float comes back to the last bit, whatever the locale.
juce::String exact(float value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.9g", static_cast<double>(value));
    return juce::String(text).replaceCharacter(',', '.');
}

void add_file(juce::XmlElement& parent, const char* tag, const char* role, const SourceFile& file) {
    if (file.empty()) return;
    juce::XmlElement* xml = parent.createNewChildElement(tag);
    if (*role) xml->setAttribute("slot", role);
    xml->setAttribute("name", file.name);
    xml->setAttribute("path", file.path);
    xml->setAttribute("sha256", file.sha256);
    if (!file.bytes.isEmpty()) xml->addTextElement(juce::Base64::toBase64(file.bytes.getData(), file.bytes.getSize()));
}

SourceFile read_file(const juce::XmlElement& xml) {
    SourceFile file{xml.getStringAttribute("name"), xml.getStringAttribute("path"), xml.getStringAttribute("sha256"), {}};
    if (file.name.isEmpty()) file.name = juce::File::createFileWithoutCheckingPath(file.path).getFileNameWithoutExtension();
    const juce::String text = xml.getAllSubText().removeCharacters(" \r\n\t");
    if (text.isEmpty()) return file;
    juce::MemoryOutputStream out(file.bytes, false);
    if (!juce::Base64::convertFromBase64(out, text))
        throw Error("The copy of \"" + file.name.toStdString() + "\" in this session is damaged");
    out.flush();
    return file;
}

} // namespace

std::unique_ptr<juce::XmlElement> to_xml(const State& state) {
    auto xml = std::make_unique<juce::XmlElement>(root_tag);
    xml->setAttribute("version", state_version);
    xml->setAttribute("program", state.program);
    xml->setAttribute("preset", state.preset);
    if (state.modified) xml->setAttribute("modified", 1);
    juce::XmlElement* rate = xml->createNewChildElement("RATE");
    rate->setAttribute("mode", state.resample ? "resample" : "scale");
    rate->setAttribute("oversampling", state.oversampling);
    juce::XmlElement* parameters = xml->createNewChildElement("PARAMETERS");
    for (const auto& [id, value] : state.parameters) {
        juce::XmlElement* parameter = parameters->createNewChildElement("PARAMETER");
        parameter->setAttribute("id", id);
        parameter->setAttribute("value", exact(value));
    }
    add_file(*xml, "MODEL", "A", state.models[0]);
    add_file(*xml, "MODEL", "B", state.models[1]);
    add_file(*xml, "CABINET", "", state.cabinet);
    return xml;
}

State from_xml(const juce::XmlElement& xml) {
    if (!xml.hasTagName(root_tag)) throw Error("This is no Serpent session or preset");
    if (xml.getIntAttribute("version") < 1) throw Error("This Serpent session does not say its version; it is damaged");
    State state;
    state.program = xml.getIntAttribute("program");
    state.preset = xml.getStringAttribute("preset");
    state.modified = xml.getBoolAttribute("modified");
    if (const juce::XmlElement* rate = xml.getChildByName("RATE")) {
        state.resample = rate->getStringAttribute("mode") == "resample";
        const int factor = rate->getIntAttribute("oversampling", 1);
        state.oversampling = factor == 2 || factor == 4 ? factor : 1;
    }
    if (const juce::XmlElement* parameters = xml.getChildByName("PARAMETERS"))
        for (const juce::XmlElement* parameter : parameters->getChildWithTagNameIterator("PARAMETER")) {
            const auto value = static_cast<float>(parameter->getDoubleAttribute("value", NAN));
            if (std::isfinite(value)) state.parameters.emplace_back(parameter->getStringAttribute("id"), juce::jlimit(0.0f, 1.0f, value));
        }
    for (const juce::XmlElement* model : xml.getChildWithTagNameIterator("MODEL"))
        state.models[model->getStringAttribute("slot") == "B" ? 1 : 0] = read_file(*model);
    if (const juce::XmlElement* cabinet = xml.getChildByName("CABINET")) state.cabinet = read_file(*cabinet);
    return state;
}

} // namespace serpent::plugin
