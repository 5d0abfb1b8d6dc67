// SPDX-License-Identifier: GPL-3.0-or-later
#include "commands.h"
#include "json_text.h"
#include "live/audio_device.h"

#include <nlohmann/json.hpp>

#include <iostream>
#include <memory>

namespace {

void print(const std::vector<AudioDeviceInfo>& devices) {
    if (devices.empty()) {
        std::cout << "No audio device: plug one in, or start the JACK or sound server.\n";
        return;
    }
    std::string api;
    for (const AudioDeviceInfo& d : devices) {
        if (d.api != api) std::cout << (api.empty() ? "" : "\n") << (api = d.api) << '\n';
        std::cout << "  " << d.number << "  " << d.name << ": " << d.inputs << " in, " << d.outputs << " out";
        if (!d.rates_hz.empty()) {
            std::cout << "; Hz:";
            for (const unsigned int rate : d.rates_hz) std::cout << ' ' << rate;
        }
        if (d.default_input || d.default_output)
            std::cout << "  (default" << (d.default_input ? " input" : "") << (d.default_output ? " output" : "") << ")";
        std::cout << '\n';
    }
}

void print_json(const std::vector<AudioDeviceInfo>& devices) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const AudioDeviceInfo& d : devices)
        list.push_back({{"api", d.api}, {"number", d.number}, {"name", d.name}, {"inputs", d.inputs}, {"outputs", d.outputs},
                        {"rates_hz", d.rates_hz}, {"default_input", d.default_input}, {"default_output", d.default_output}});
    std::cout << json_text(list, 2) << '\n';
}

} // namespace

CLI::App* add_devices_command(CLI::App& app) {
    struct Arguments {
        std::string api;
        bool json = false;
    };
    const auto a = std::make_shared<Arguments>();
    CLI::App* command = app.add_subcommand("devices", "List the microphones and loudspeakers that 'serpent live' can use");
    command->add_option("--api", a->api, "Of one system only, as jack, pulse or alsa")->type_name("NAME");
    command->add_flag("--json", a->json, "Print JSON for a program");
    command->callback([a] {
        const std::vector<AudioDeviceInfo> devices = audio_devices(a->api);
        if (a->json) print_json(devices);
        else print(devices);
    });
    return command;
}
