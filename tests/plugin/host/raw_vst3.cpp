// SPDX-License-Identifier: GPL-3.0-or-later
#include "host/raw_vst3.h"

#include "host/checks.h"

#include <dlfcn.h>

#include <cstring>
#include <stdexcept>

namespace serpent::test {

using namespace Steinberg;

RawModule::RawModule(const std::filesystem::path& bundle) {
    std::filesystem::path library;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(bundle))
        if (entry.path().extension() == ".so") library = entry.path();
    handle_ = ::dlopen(library.c_str(), RTLD_LAZY | RTLD_LOCAL);
    if (!handle_) throw std::runtime_error(::dlerror());
    const auto enter = reinterpret_cast<bool (*)(void*)>(::dlsym(handle_, "ModuleEntry"));
    const auto get = reinterpret_cast<IPluginFactory* (*)()>(::dlsym(handle_, "GetPluginFactory"));
    if (!enter || !get || !::dlsym(handle_, "ModuleExit")) throw std::runtime_error(library.string() + " lacks an entry point");
    if (!enter(handle_)) throw std::runtime_error("ModuleEntry fails");
    factory_ = owned(get());
    if (!factory_) throw std::runtime_error("no factory");
}

RawModule::~RawModule() {
    factory_ = nullptr;
    reinterpret_cast<bool (*)()>(::dlsym(handle_, "ModuleExit"))();
    ::dlclose(handle_);
}

// --- parameter changes --------------------------------------------------------------------------------------------------

class RawChanges::Queue final : public vst::IParamValueQueue {
public:
    explicit Queue(vst::ParamID id) : id_(id) {}
    vst::ParamID PLUGIN_API getParameterId() override { return id_; }
    int32 PLUGIN_API getPointCount() override { return static_cast<int32>(points_.size()); }
    tresult PLUGIN_API getPoint(int32 index, int32& offset, vst::ParamValue& value) override {
        if (index < 0 || index >= getPointCount()) return kInvalidArgument;
        offset = points_[static_cast<std::size_t>(index)].first, value = points_[static_cast<std::size_t>(index)].second;
        return kResultTrue;
    }
    tresult PLUGIN_API addPoint(int32 offset, vst::ParamValue value, int32& index) override {
        index = getPointCount();
        points_.emplace_back(offset, value);
        return kResultTrue;
    }
    tresult PLUGIN_API queryInterface(const TUID, void**) override { return kNoInterface; }
    uint32 PLUGIN_API addRef() override { return 1; }
    uint32 PLUGIN_API release() override { return 1; }

private:
    const vst::ParamID id_;
    std::vector<std::pair<int32, double>> points_;
};

void RawChanges::add(vst::ParamID id, int offset, double value) {
    int32 index = 0;
    addParameterData(id, index)->addPoint(offset, value, index);
}

vst::IParamValueQueue* RawChanges::getParameterData(int32 index) {
    return index >= 0 && index < getParameterCount() ? queues_[static_cast<std::size_t>(index)].get() : nullptr;
}

vst::IParamValueQueue* RawChanges::addParameterData(const vst::ParamID& id, int32& index) {
    for (index = 0; index < getParameterCount(); ++index)
        if (getParameterData(index)->getParameterId() == id) return getParameterData(index);
    queues_.push_back(std::make_shared<Queue>(id));
    return queues_.back().get();
}

// --- a plugin -------------------------------------------------------------------------------------------------------------

PClassInfo effect_class(IPluginFactory& factory) {
    PClassInfo info{};
    for (int32 i = 0; i < factory.countClasses(); ++i)
        if (factory.getClassInfo(i, &info) == kResultOk && std::strcmp(info.category, kVstAudioEffectClass) == 0) return info;
    throw Failed("the factory has no effect");
}

RawPlugin::RawPlugin(const RawModule& module) {
    void* made = nullptr;
    require(module.factory().createInstance(effect_class(module.factory()).cid, vst::IComponent::iid, &made) == kResultOk && made, "no component");
    component = owned(static_cast<vst::IComponent*>(made));
    require(component->initialize(&host_) == kResultOk, "the component does not initialise");
    require(component->queryInterface(vst::IAudioProcessor::iid, &made) == kResultOk, "the component is no audio processor");
    processor = owned(static_cast<vst::IAudioProcessor*>(made));
    TUID controller_class;
    require(component->getControllerClassId(controller_class) == kResultOk, "no controller's class");
    require(module.factory().createInstance(controller_class, vst::IEditController::iid, &made) == kResultOk && made, "no controller");
    controller = owned(static_cast<vst::IEditController*>(made));
    require(controller->initialize(&host_) == kResultOk, "the controller does not initialise");
    connect(true);
    for (const int32 direction : {vst::kInput, vst::kOutput}) component->activateBus(vst::kAudio, direction, 0, true);
}

RawPlugin::~RawPlugin() {
    stop();
    connect(false);
    controller->terminate();
    processor = nullptr;
    component->terminate();
}

void RawPlugin::connect(bool together) {
    FUnknownPtr<vst::IConnectionPoint> a(component.get()), b(controller.get());
    require(a && b, "component and controller cannot be connected");
    together ? a->connect(b) : a->disconnect(b);
    together ? b->connect(a) : b->disconnect(a);
}

bool RawPlugin::start(double sample_rate_hz, int max_block, int32 precision) {
    stop();
    vst::ProcessSetup setup{vst::kRealtime, precision, max_block, sample_rate_hz};
    if (processor->setupProcessing(setup) != kResultOk) return false;
    active_ = component->setActive(true) == kResultOk;
    if (active_) processor->setProcessing(true);
    return active_;
}

void RawPlugin::stop() {
    if (!active_) return;
    processor->setProcessing(false);
    component->setActive(false);
    active_ = false;
}

bool RawPlugin::arrange(vst::SpeakerArrangement in, vst::SpeakerArrangement out) {
    return processor->setBusArrangements(&in, 1, &out, 1) == kResultTrue;
}

Channels RawPlugin::process(const Channels& in, std::size_t out_channels, vst::IParameterChanges* changes, bool in_place,
                            vst::IParameterChanges* told) {
    const std::size_t n = in.empty() ? 0 : in[0].size();
    Channels from = in, to(out_channels, std::vector<float>(n, 0.5f));
    if (in_place) to = in, to.resize(out_channels, std::vector<float>(n));
    std::vector<float*> from_pointers, to_pointers;
    for (std::size_t c = 0; c < from.size(); ++c) from_pointers.push_back(in_place ? to[c].data() : from[c].data());
    for (auto& channel : to) to_pointers.push_back(channel.data());
    vst::AudioBusBuffers in_bus{}, out_bus{};
    in_bus.numChannels = static_cast<int32>(from.size()), in_bus.channelBuffers32 = from_pointers.data();
    out_bus.numChannels = static_cast<int32>(to.size()), out_bus.channelBuffers32 = to_pointers.data();
    for (std::size_t c = 0; c < in.size(); ++c)
        if (std::all_of(in[c].begin(), in[c].end(), [](float x) { return x == 0.0f; })) in_bus.silenceFlags |= uint64{1} << c;
    vst::ProcessData data;
    data.processMode = vst::kRealtime, data.symbolicSampleSize = vst::kSample32, data.numSamples = static_cast<int32>(n);
    data.numInputs = in.empty() ? 0 : 1, data.numOutputs = out_channels == 0 ? 0 : 1;
    data.inputs = in.empty() ? nullptr : &in_bus, data.outputs = out_channels == 0 ? nullptr : &out_bus;
    data.inputParameterChanges = changes, data.outputParameterChanges = told;
    require(processor->process(data) == kResultOk, "process() fails");
    for (std::size_t c = 0; c < to.size(); ++c)
        if (out_bus.silenceFlags >> c & 1)
            for (const float x : to[c]) require(x == 0.0f, "an output that is flagged as silent is not");
    return to;
}

std::vector<char> RawPlugin::state() const {
    MemoryStream stream;
    require(component->getState(&stream) == kResultOk, "no state");
    return {stream.getData(), stream.getData() + stream.getSize()};
}

bool RawPlugin::set_state(std::vector<char> bytes) {
    MemoryStream stream(bytes.data(), static_cast<TSize>(bytes.size()));
    const bool taken = component->setState(&stream) == kResultOk;
    stream.seek(0, IBStream::kIBSeekSet, nullptr);
    controller->setComponentState(&stream);
    return taken;
}

std::string text_of(const vst::TChar* text) {
    std::string narrow;
    for (; *text; ++text) narrow += *text < 128 ? static_cast<char>(*text) : '?';
    return narrow;
}

vst::ParamID RawPlugin::id_of(const std::string& name) const {
    for (int32 i = 0; i < controller->getParameterCount(); ++i) {
        vst::ParameterInfo info{};
        if (controller->getParameterInfo(i, info) == kResultOk && text_of(info.title) == name) return info.id;
    }
    throw Failed("no parameter \"" + name + "\"");
}

} // namespace serpent::test
