// SPDX-License-Identifier: GPL-3.0-or-later
// The sub-commands. Each adds itself to the application, and runs in its callback once the command line is parsed:
// errors leave it as exceptions (serpent::Error for anything that a person can put right), results go to stdout,
// everything said along the way to stderr.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

CLI::App* add_render_command(CLI::App& app);
CLI::App* add_train_command(CLI::App& app);
CLI::App* add_evaluate_command(CLI::App& app);
CLI::App* add_train_generator_command(CLI::App& app);
CLI::App* add_generate_command(CLI::App& app);
CLI::App* add_live_command(CLI::App& app);     // with RtAudio only
CLI::App* add_devices_command(CLI::App& app);  // likewise
CLI::App* add_info_command(CLI::App& app);
CLI::App* add_bench_command(CLI::App& app);
CLI::App* add_signal_command(CLI::App& app);
CLI::App* add_import_command(CLI::App& app);
CLI::App* add_convert_command(CLI::App& app);
CLI::App* add_models_command(CLI::App& app);
CLI::App* add_completion_command(CLI::App& app);
CLI::App* add_manual_command(CLI::App& app);

/// What the user typed, for reports and model cards: "serpent train dry.wav wet.wav -o amp.safetensors".
const std::string& command_line();
