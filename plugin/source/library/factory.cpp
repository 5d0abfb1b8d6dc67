// SPDX-License-Identifier: GPL-3.0-or-later
#include "library/factory.h"

#include "factory_data.h"
#include "serpent/errors.h"

#include <algorithm>

namespace serpent::plugin {

namespace {

juce::MemoryBlock resource(const juce::String& file_name) {
    for (int i = 0; i < factory_data::namedResourceListSize; ++i) {
        const char* name = factory_data::namedResourceList[i];
        if (file_name != factory_data::getNamedResourceOriginalFilename(name)) continue;
        int size = 0;
        const char* data = factory_data::getNamedResource(name, size);
        return {data, static_cast<std::size_t>(size)};
    }
    throw Error("\"" + file_name.toStdString() + "\" is not one of the models that come with this version");
}

constexpr const char* extension = ".safetensors";

std::vector<FactoryModel> list() {
    std::vector<FactoryModel> models;
    for (int i = 0; i < factory_data::namedResourceListSize; ++i) {
        const juce::String file = factory_data::getNamedResourceOriginalFilename(factory_data::namedResourceList[i]);
        if (!file.endsWith(extension)) continue;
        const juce::String id = file.dropLastCharacters(static_cast<int>(std::char_traits<char>::length(extension)));
        const juce::MemoryBlock bytes = resource(file);
        try {
            const Model model = Model::parse({static_cast<const std::byte*>(bytes.getData()), bytes.getSize()}, id.toStdString());
            if (model.config.kind != "effect") continue;
            const auto text = [](const std::string& s) { return juce::String::fromUTF8(s.c_str()); };
            models.push_back({id, model.metadata.name.empty() ? id : text(model.metadata.name),
                              text(model.metadata.gear.empty() ? model.metadata.description : model.metadata.gear)});
        } catch (const Error&) {
            continue;  // a kind of model that is not for playing live
        }
    }
    std::sort(models.begin(), models.end(), [](const FactoryModel& a, const FactoryModel& b) { return a.title.compareNatural(b.title) < 0; });
    return models;
}

} // namespace

const std::vector<FactoryModel>& factory_models() {
    static const std::vector<FactoryModel> models = list();
    return models;
}

std::shared_ptr<const Capture> factory_capture(const juce::String& id) {
    return make_capture({id, {}, {}, {}}, resource(id + extension));
}

} // namespace serpent::plugin
