// SPDX-License-Identifier: GPL-3.0-or-later
// A VST3 without JUCE's host in between: the interfaces themselves, as validators call them.
#pragma once

#include <pluginterfaces/base/smartpointer.h>
#include <pluginterfaces/vst/ivstaudioprocessor.h>
#include <pluginterfaces/vst/ivstcomponent.h>
#include <pluginterfaces/vst/ivsteditcontroller.h>
#include <pluginterfaces/vst/ivstmessage.h>
#include <pluginterfaces/vst/ivstparameterchanges.h>
#include <pluginterfaces/vst/ivstunits.h>
#include <public.sdk/source/common/memorystream.h>
#include <public.sdk/source/vst/hosting/hostclasses.h>

#include <filesystem>
#include <map>
#include <vector>

namespace serpent::test {

namespace vst = Steinberg::Vst;

/// The shared library of a bundle, entered; throws std::runtime_error when it is not one.
class RawModule {
public:
    explicit RawModule(const std::filesystem::path& bundle);
    ~RawModule();
    RawModule(const RawModule&) = delete;
    RawModule& operator=(const RawModule&) = delete;
    Steinberg::IPluginFactory& factory() const { return *factory_; }

private:
    void* handle_ = nullptr;
    Steinberg::IPtr<Steinberg::IPluginFactory> factory_;
};

/// What a host sends with a block: for each parameter points in time.
class RawChanges final : public vst::IParameterChanges {
public:
    void add(vst::ParamID id, int offset, double value);

    Steinberg::int32 PLUGIN_API getParameterCount() override { return static_cast<Steinberg::int32>(queues_.size()); }
    vst::IParamValueQueue* PLUGIN_API getParameterData(Steinberg::int32 index) override;
    vst::IParamValueQueue* PLUGIN_API addParameterData(const vst::ParamID& id, Steinberg::int32& index) override;
    Steinberg::tresult PLUGIN_API queryInterface(const Steinberg::TUID, void**) override { return Steinberg::kNoInterface; }
    Steinberg::uint32 PLUGIN_API addRef() override { return 1; }
    Steinberg::uint32 PLUGIN_API release() override { return 1; }

private:
    class Queue;
    std::vector<std::shared_ptr<Queue>> queues_;
};

using Channels = std::vector<std::vector<float>>;

/// A component and its controller, connected.
class RawPlugin {
public:
    explicit RawPlugin(const RawModule& module);
    ~RawPlugin();
    RawPlugin(const RawPlugin&) = delete;
    RawPlugin& operator=(const RawPlugin&) = delete;

    /// Sets up, activates and starts to process; false when the plugin refuses.
    bool start(double sample_rate_hz, int max_block, Steinberg::int32 precision = vst::kSample32);
    void stop();
    bool arrange(vst::SpeakerArrangement in, vst::SpeakerArrangement out);
    /// One block. Throws Failed when process() fails, or an output that is flagged silent is not.
    Channels process(const Channels& in, std::size_t out_channels, vst::IParameterChanges* changes = nullptr, bool in_place = false,
                     vst::IParameterChanges* told = nullptr);

    std::vector<char> state() const;
    bool set_state(std::vector<char> bytes);
    vst::ParamID id_of(const std::string& name) const;

    Steinberg::IPtr<vst::IComponent> component;
    Steinberg::IPtr<vst::IAudioProcessor> processor;
    Steinberg::IPtr<vst::IEditController> controller;

private:
    void connect(bool together);
    vst::HostApplication host_;
    bool active_ = false;
};

std::string text_of(const vst::TChar* text);
/// The class of the effect; throws Failed when the factory has none.
Steinberg::PClassInfo effect_class(Steinberg::IPluginFactory& factory);

} // namespace serpent::test
