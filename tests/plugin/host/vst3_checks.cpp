// SPDX-License-Identifier: GPL-3.0-or-later
// What validators of VST3 ask, interface by interface.
#include "host/checks.h"
#include "host/raw_vst3.h"

#include <atomic>
#include <cmath>
#include <cstring>
#include <random>
#include <set>
#include <thread>

namespace serpent::test {

namespace {

using namespace Steinberg;

/// One module for all checks: hosts keep it loaded too.
const RawModule& module_of(const Subject& subject) {
    static const auto* module = new RawModule(subject.location.toStdString());
    return *module;
}

double random_value(std::mt19937& random) { return static_cast<double>(random()) / 4294967296.0; }

std::vector<vst::ParameterInfo> parameters_of(const RawPlugin& plugin) {
    std::vector<vst::ParameterInfo> all;
    for (int32 i = 0; i < plugin.controller->getParameterCount(); ++i) {
        vst::ParameterInfo info{};
        require(plugin.controller->getParameterInfo(i, info) == kResultOk, "parameter " + std::to_string(i) + " has no description");
        all.push_back(info);
    }
    return all;
}

void factory(const Subject& subject) {
    IPluginFactory& factory = module_of(subject).factory();
    PFactoryInfo about{};
    require(factory.getFactoryInfo(&about) == kResultOk && about.vendor[0], "the factory does not say who made it");
    FUnknownPtr<IPluginFactory2> second(&factory);
    require(second, "a factory of the first kind only");
    std::set<std::string> ids;
    for (int32 i = 0; i < factory.countClasses(); ++i) {
        PClassInfo2 info{};
        require(second->getClassInfo2(i, &info) == kResultOk && info.name[0] && info.vendor[0] && info.version[0] && info.sdkVersion[0],
                "class " + std::to_string(i) + " is not fully described");
        require(ids.insert(std::string(info.cid, sizeof(TUID))).second, "two classes have one ID");
        if (std::strcmp(info.category, kVstAudioEffectClass) == 0) require(std::strstr(info.subCategories, "Fx"), "the effect is not in Fx");
    }
    void* made = nullptr;
    const TUID unknown = INLINE_UID(1, 2, 3, 4);
    require(factory.createInstance(unknown, vst::IComponent::iid, &made) != kResultOk, "an unknown class can be made");
}

void life(const Subject& subject) {
    const RawModule& module = module_of(subject);
    for (int i = 0; i < 20; ++i) RawPlugin plugin(module);
    RawPlugin plugin(module);
    vst::HostApplication host;
    require(plugin.start(48000, 64), "it does not start");
    plugin.stop();
    require(plugin.component->terminate() == kResultOk && plugin.component->initialize(&host) == kResultOk, "it cannot be initialised again");
}

void buses(const Subject& subject) {
    RawPlugin plugin(module_of(subject));
    int audio = 0;
    for (const int32 type : {vst::kAudio, vst::kEvent})
        for (const int32 direction : {vst::kInput, vst::kOutput}) {
            const int32 count = plugin.component->getBusCount(type, direction);
            vst::BusInfo info{};
            for (int32 i = 0; i < count; ++i) {
                require(plugin.component->getBusInfo(type, direction, i, info) == kResultOk && info.name[0] && info.channelCount > 0 &&
                            info.mediaType == type && info.direction == direction,
                        "a bus is not described");
                for (const TBool on : {TBool{1}, TBool{0}, TBool{1}})
                    require(plugin.component->activateBus(type, direction, i, on) == kResultTrue, "a bus cannot be switched");
                audio += type == vst::kAudio;
            }
            require(plugin.component->getBusInfo(type, direction, count, info) != kResultOk, "a bus beyond the last");
            require(plugin.component->activateBus(type, direction, count, true) != kResultTrue, "a bus beyond the last can be switched on");
        }
    require(audio == 2, "not one audio input and one output");
    const Channels in = music(2, 64, 48000);
    for (const int32 direction : {vst::kInput, vst::kOutput}) {  // switched off, with and without buffers
        plugin.component->activateBus(vst::kAudio, direction, 0, false);
        require(plugin.start(48000, 64), "it does not start with a bus off");
        require_finite(plugin.process(in, 2), "with a bus off");
        plugin.stop();
        plugin.component->activateBus(vst::kAudio, direction, 0, true);
    }
}

void arrangements(const Subject& subject) {
    RawPlugin plugin(module_of(subject));
    namespace speakers = vst::SpeakerArr;
    const auto channels = [](vst::SpeakerArrangement a) { return static_cast<std::size_t>(speakers::getChannelCount(a)); };
    for (const auto in : {speakers::kEmpty, speakers::kMono, speakers::kStereo, speakers::k51})
        for (const auto out : {speakers::kEmpty, speakers::kMono, speakers::kStereo, speakers::k51}) {
            const bool offered = (in == speakers::kMono && (out == speakers::kMono || out == speakers::kStereo)) ||
                                 (in == speakers::kStereo && out == speakers::kStereo);
            const std::string what = std::to_string(channels(in)) + " to " + std::to_string(channels(out)) + " channels";
            require(plugin.arrange(in, out) == offered, what + (offered ? " are refused" : " are accepted"));
            vst::SpeakerArrangement now_in{}, now_out{};
            require(plugin.processor->getBusArrangement(vst::kInput, 0, now_in) == kResultOk &&
                        plugin.processor->getBusArrangement(vst::kOutput, 0, now_out) == kResultOk && (!offered || (now_in == in && now_out == out)),
                    what + ": not what is said afterwards");
            require(plugin.start(48000, 128), what + ": it does not start");
            require_finite(plugin.process(music(channels(now_in), 128, 48000), channels(now_out)), what);
            plugin.stop();
        }
}

void precision(const Subject& subject) {
    RawPlugin plugin(module_of(subject));
    require(plugin.processor->canProcessSampleSize(vst::kSample32) == kResultTrue, "refuses single precision");
    require(plugin.processor->canProcessSampleSize(vst::kSample64) != kResultTrue, "claims double precision");
    require(!plugin.start(48000, 64, vst::kSample64), "starts in double precision, which it refuses");
    require(plugin.start(48000, 64), "does not start in single precision after that");
}

void shapes(const Subject& subject) {
    RawPlugin plugin(module_of(subject)), other(module_of(subject));
    for (RawPlugin* p : {&plugin, &other}) require(p->start(48000, 512), "it does not start");
    const Channels in = music(2, 512, 48000);
    require_close(plugin.process(in, 2), other.process(in, 2, nullptr, true), 0.0, "in place");
    plugin.process({}, 0);                                  // only parameters
    plugin.process(Channels(2), 2);                         // buffers without samples
    require_finite(plugin.process(Channels(2, std::vector<float>(512)), 2), "silence");
    plugin.process(music(2, 1, 48000), 2);
    for (int i = 0; i < 200; ++i) plugin.process(Channels(2, std::vector<float>(512)), 2);
}

void changes(const Subject& subject) {
    RawPlugin plugin(module_of(subject)), still(module_of(subject));
    for (RawPlugin* p : {&plugin, &still}) require(p->start(48000, 256), "it does not start");
    const vst::ParamID mix = plugin.id_of("Mix");
    RawChanges points;
    for (const auto& [offset, value] : {std::pair{0, 0.9}, {17, 0.1}, {17, 0.8}, {255, 0.25}}) points.add(mix, offset, value);
    RawChanges last;
    last.add(mix, 0, 0.25);
    const Channels in = music(2, 256, 48000);
    plugin.process(in, 2, &points), still.process(in, 2, &last);
    for (int i = 0; i < 20; ++i) plugin.process(in, 2), still.process(in, 2);  // the ramp is over
    require_close(still.process(in, 2), plugin.process(in, 2), 1e-7, "after several points in a block");

    std::mt19937 random(2);
    const auto parameters = parameters_of(plugin);
    for (int i = 0; i < 200; ++i) {
        RawChanges many;
        for (const auto& info : parameters)
            for (int offset = 0; offset < 256; offset += 1 + static_cast<int>(random() % 300)) many.add(info.id, offset, random_value(random));
        require_finite(plugin.process(in, 2, &many), "random points");
    }
    RawChanges odd;
    odd.add(123456789, 0, 0.5), odd.add(mix, -5, 2.0), odd.add(mix, 9999, -1.0);
    require_finite(plugin.process(in, 2, &odd), "points of no parameter, at no time and out of range");
}

void stop_and_go(const Subject& subject) {
    RawPlugin plugin(module_of(subject));
    const Channels in = music(2, 64, 48000);
    for (int i = 0; i < 20; ++i) {
        require(plugin.start(48000, 64), "it does not start");
        require_finite(plugin.process(in, 2), "after a start");
        plugin.processor->setProcessing(false), plugin.processor->setProcessing(true);
        require_finite(plugin.process(in, 2), "after a pause");
        plugin.stop();
    }
}

void rates(const Subject& subject) {
    RawPlugin plugin(module_of(subject));
    plugin.set_state([&] {
        const juce::MemoryBlock state = binary(state_with(subject.model("scream")));
        return std::vector<char>(state.begin(), state.end());
    }());
    for (const double rate_hz : {22050., 32000., 44100., 48000., 88200., 96000., 176400., 192000., 384000., 1234.5678, 12345.678, 123456.78, 1234567.8, 48000.})
        for (const int block : {1, 64, 1024, 8192}) {
            require(plugin.start(rate_hz, block), std::to_string(rate_hz) + " Hz are refused");
            for (int i = 0; i < 3; ++i)
                require_finite(plugin.process(music(2, static_cast<std::size_t>(block), 48000), 2), std::to_string(rate_hz) + " Hz");
        }
    // The model plays again after a rate that it refused.
    require(plugin.start(48000, 1024), "it does not start");
    const Channels in = music(2, 1024, 48000);
    require(rms_distance(in, plugin.process(in, 2)) > 1e-3, "after an odd rate the model is gone");
}

void described(const Subject& subject) {
    RawPlugin plugin(module_of(subject));
    std::set<vst::ParamID> ids;
    int bypasses = 0;
    for (const auto& info : parameters_of(plugin)) {
        const std::string name = text_of(info.title);
        require(!name.empty() && ids.insert(info.id).second && info.id <= 0x7fffffff, "a parameter's name or ID: " + name);
        require(info.defaultNormalizedValue >= 0.0 && info.defaultNormalizedValue <= 1.0 && info.stepCount >= 0, name + ": default or steps");
        bypasses += (info.flags & vst::ParameterInfo::kIsBypass) != 0;
        for (const double value : {0.0, 0.25, 0.5, 0.9, 1.0}) {
            const double snapped = info.stepCount > 0 ? std::round(value * info.stepCount) / info.stepCount : value;
            vst::String128 text{};
            require(plugin.controller->getParamStringByValue(info.id, snapped, text) == kResultOk && text[0], name + ": a value without text");
            double back = -1.0;
            require(plugin.controller->getParamValueByString(info.id, text, back) == kResultOk, name + ": its own text \"" + text_of(text) + "\" is not read");
            require(std::abs(back - snapped) <= 0.006, name + ": \"" + text_of(text) + "\" is read as " + std::to_string(back) + " instead of " + std::to_string(snapped));
            require(plugin.controller->setParamNormalized(info.id, snapped) == kResultOk, name + ": cannot be set");
            require(std::abs(plugin.controller->getParamNormalized(info.id) - snapped) <= 1e-6, name + ": is not what it was set to");
            const double plain = plugin.controller->normalizedParamToPlain(info.id, snapped);
            require(std::abs(plugin.controller->plainParamToNormalized(info.id, plain) - snapped) <= 1e-6, name + ": plain and back");
        }
    }
    require(bypasses == 1, std::to_string(bypasses) + " bypass parameters");
}

/// What a plugin tells its host.
struct Told final : vst::IComponentHandler {
    int32 flags = 0;
    tresult PLUGIN_API restartComponent(int32 what) override { return flags |= what, kResultOk; }
    tresult PLUGIN_API beginEdit(vst::ParamID) override { return kResultOk; }
    tresult PLUGIN_API performEdit(vst::ParamID, vst::ParamValue) override { return kResultOk; }
    tresult PLUGIN_API endEdit(vst::ParamID) override { return kResultOk; }
    tresult PLUGIN_API queryInterface(const TUID, void**) override { return kNoInterface; }
    uint32 PLUGIN_API addRef() override { return 1; }
    uint32 PLUGIN_API release() override { return 1; }
};

/// Automation lanes are called what the model calls its knobs, and the host hears of it.
void titles(const Subject& subject) {
    Told told;
    RawPlugin plugin(module_of(subject));
    require(plugin.controller->setComponentHandler(&told) == kResultOk, "it takes no handler");
    const auto state_of = [&](const char* model) {
        const juce::MemoryBlock bytes = binary(state_with(subject.model(model)));
        return std::vector<char>(static_cast<const char*>(bytes.getData()), static_cast<const char*>(bytes.getData()) + bytes.getSize());
    };
    pump(100);
    const auto id = plugin.id_of("A Control 1");
    told.flags = 0;
    require(plugin.set_state(state_of("zamcomp_knobs")), "a state is refused");
    pump(200);
    require(plugin.id_of("A Threshold") == id, "the knob's lane is not called after it");
    require(told.flags & vst::kParamTitlesChanged, "the host is not told that titles have changed");
    require(plugin.set_state(state_of("scream")), "a state is refused");
    pump(200);
    require(plugin.id_of("A Control 1") == id, "a model without knobs leaves the names of another's");
    plugin.controller->setComponentHandler(nullptr);
}

void units(const Subject& subject) {
    RawPlugin plugin(module_of(subject));
    FUnknownPtr<vst::IUnitInfo> info(plugin.controller.get());
    require(info, "no units");
    std::set<vst::UnitID> units;
    for (int32 i = 0; i < info->getUnitCount(); ++i) {
        vst::UnitInfo unit{};
        require(info->getUnitInfo(i, unit) == kResultOk && unit.name[0], "a unit without a name");
        units.insert(unit.id);
    }
    for (const auto& parameter : parameters_of(plugin)) require(units.count(parameter.unitId) == 1, "a parameter of no unit");
    require(info->getProgramListCount() == 1, "not one list of programs");
    vst::ProgramListInfo list{};
    require(info->getProgramListInfo(0, list) == kResultOk && list.programCount > 0, "no programs");
    for (int32 i = 0; i < list.programCount; ++i) {
        vst::String128 name{};
        require(info->getProgramName(list.id, i, name) == kResultOk && name[0], "program " + std::to_string(i) + " has no name");
    }
}

void states(const Subject& subject) {
    RawPlugin plugin(module_of(subject)), other(module_of(subject));
    for (RawPlugin* p : {&plugin, &other}) require(p->start(48000, 256), "it does not start");
    std::mt19937 random(4);
    RawChanges many;
    for (const auto& info : parameters_of(plugin))
        if (!(info.flags & vst::ParameterInfo::kIsProgramChange)) many.add(info.id, 0, random_value(random));
    plugin.process(music(2, 256, 48000), 2, &many);
    const std::vector<char> state = plugin.state();
    require(state == plugin.state(), "its state differs from call to call");
    require(plugin.set_state(state) && other.set_state(state), "the state is refused");  // and so the controllers know it
    require(other.state() == state, "another instance has another state");
    for (const auto& info : parameters_of(plugin))
        if (!(info.flags & vst::ParameterInfo::kIsProgramChange))
            require(std::abs(plugin.controller->getParamNormalized(info.id) - other.controller->getParamNormalized(info.id)) <= 1e-6 ||
                        info.stepCount > 0, text_of(info.title) + " differs after setComponentState()");
    for (int i = 0; i < 50; ++i) {
        std::vector<char> noise(random() % 4096);
        for (char& c : noise) c = static_cast<char>(random());
        other.set_state(noise);
        require_finite(other.process(music(2, 256, 48000), 2), "after a state of noise");
    }
    require(other.set_state(state) && other.state() == state, "a good state after states of noise");
}

/// The host's window thread sets and asks while its audio thread plays.
void threads(const Subject& subject) {
    RawPlugin plugin(module_of(subject));
    require(plugin.start(48000, 64), "it does not start");
    const auto parameters = parameters_of(plugin);
    std::atomic<bool> stop{false};
    std::string problem;
    std::thread audio([&] {
        try {
            std::mt19937 random(7);
            const Channels in = music(2, 64, 48000);
            while (!stop) {
                RawChanges some;
                some.add(parameters[random() % parameters.size()].id, 0, random_value(random));
                require_finite(plugin.process(in, 2, &some), "beside another thread");
            }
        } catch (const std::exception& error) {
            problem = error.what();
        }
    });
    std::mt19937 random(8);
    for (int i = 0; i < 300; ++i) {
        for (const auto& info : parameters) plugin.controller->setParamNormalized(info.id, random_value(random));
        if (i % 10 == 0) plugin.set_state(plugin.state());
        vst::String128 text{};
        plugin.controller->getParamStringByValue(parameters[static_cast<std::size_t>(i) % parameters.size()].id, random_value(random), text);
    }
    stop = true;
    audio.join();
    require(problem.empty(), problem);
}

} // namespace

std::vector<Check> vst3_checks() {
    return {
        {"vst3: factory and classes", factory},
        {"vst3: made, ended, made again", life},
        {"vst3: buses", buses},
        {"vst3: speaker arrangements", arrangements},
        {"vst3: double precision is refused", precision},
        {"vst3: shapes of blocks", shapes},
        {"vst3: parameter changes in a block", changes},
        {"vst3: stopped and started", stop_and_go},
        {"vst3: odd sample rates", rates},
        {"vst3: parameters' names, texts, values", described},
        {"vst3: titles follow the model", titles},
        {"vst3: units and programs", units},
        {"vst3: states", states},
        {"vst3: parameters from two threads", threads},
    };
}

} // namespace serpent::test
