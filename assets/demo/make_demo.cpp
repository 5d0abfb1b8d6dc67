// SPDX-License-Identifier: GPL-3.0-or-later
// make_demo WHAT ...: writes the project's demo recording, and a device to capture. Deterministic.
#include "device.h"
#include "music.h"

#include "serpent/audio_file.h"
#include "serpent/errors.h"

#include <CLI/CLI.hpp>

#include <exception>
#include <iostream>
#include <string>

namespace {

void write(const std::string& path, std::vector<float> audio, serpent::Subtype subtype) {
    serpent::write_audio(path, {demo::sample_rate_hz, {std::move(audio)}, subtype}, subtype);
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app{"Writes the demo recording, guitar to train on, and the same through a simulated overdrive."};
    app.require_subcommand(1);
    std::string in, out;
    double seconds = 60.0;
    std::uint64_t seed = 1;
    using serpent::Subtype;

    CLI::App* phrase = app.add_subcommand("phrase", "The dry demo recording (16 bit)");
    phrase->add_option("OUT", out)->required();
    phrase->callback([&] { write(out, demo::phrase(), Subtype::pcm16); });

    CLI::App* practice = app.add_subcommand("practice", "Other dry guitar, to train on (float)");
    practice->add_option("OUT", out)->required();
    practice->add_option("--seconds", seconds)->check(CLI::Range(1.0, 3600.0));
    practice->add_option("--seed", seed);
    practice->callback([&] { write(out, demo::practice(seconds, seed), Subtype::float32); });

    CLI::App* device = app.add_subcommand("device", "IN through the overdrive (float)");
    device->add_option("IN", in)->required();
    device->add_option("OUT", out)->required();
    device->callback([&] {
        const serpent::AudioBuffer dry = serpent::read_audio(in);
        if (dry.sample_rate != demo::sample_rate_hz || dry.channels.size() != 1)
            throw serpent::Error(in + " is not 48 kHz mono, which the overdrive takes");
        write(out, demo::overdrive(dry.channels.front()), Subtype::float32);
    });

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error);
    } catch (const std::exception& error) {
        std::cerr << "make_demo: " << error.what() << '\n';
        return 1;
    }
}
