// SPDX-License-Identifier: GPL-3.0-or-later
// serpent signal: the dry file to play through gear that is to be captured.
#include "commands.h"
#include "one_of.h"

#include "serpent/audio_file.h"
#include "serpent/capture.h"

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>

namespace {

struct Options {
    std::filesystem::path output;
    double seconds = serpent::capture_signal_default_s;
    int sample_rate = 48000;
    std::string subtype = "pcm24";
};

constexpr const char* footer =
    "Play FILE through the gear and record what comes out, from the first sample to the last, at the same rate and\n"
    "without touching the gain in between. Then: serpent train FILE RECORDING -o MODEL\n"
    "Training recognises the signal: it aligns the recording by the clicks and tells how far the gear agrees with\n"
    "itself. Keep FILE as it is; a copy with another level or rate is treated like any other dry recording.";

void run(const Options& options) {
    const auto subtype = serpent::subtype_from_name(options.subtype).value();
    serpent::AudioBuffer buffer;
    buffer.sample_rate = options.sample_rate;
    buffer.channels.push_back(serpent::capture_signal(options.sample_rate, options.seconds));
    serpent::write_audio(options.output, buffer, subtype);
    std::cerr << options.output.string() << ": " << options.seconds << " s at " << options.sample_rate
              << " Hz. Play it through the gear, record all of it, then: serpent train " << options.output.string()
              << " RECORDING -o MODEL\n";
}

} // namespace

CLI::App* add_signal_command(CLI::App& app) {
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("signal", "Write the dry signal to play through gear before training");
    command->footer(footer);
    command->add_option("-o,--output", options->output, "The audio file to write, WAV or another kind")
        ->required()->type_name("FILE");
    command->add_option("--seconds", options->seconds, "Length in s, at least 20 (default 180)")->type_name("N");
    command->add_option("--rate", options->sample_rate, "Sample rate in Hz (default 48000)")->type_name("HZ");
    command->add_option("--subtype", options->subtype,
                        "How samples are stored: pcm16, pcm24 (default), pcm32, float, double")
        ->check(one_of({"pcm16", "pcm24", "pcm32", "float", "double"}))->type_name("FORMAT");
    command->callback([options] { run(*options); });
    return command;
}
