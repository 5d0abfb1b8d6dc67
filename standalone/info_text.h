// SPDX-License-Identifier: GPL-3.0-or-later
// How `serpent info` prints a card, whatever kind of model it is of.
#pragma once

#include "serpent/generator_model.h"

#include <nlohmann/json.hpp>

#include <string>

/// "Name         a model"; nothing for an empty value. Strangers' control characters are left out.
void info_line(const std::string& label, const std::string& value);
/// Three significant digits, or all those before the point.
std::string rounded(double value);
/// Name, author, licence, gear and description.
void print_about(const serpent::Metadata& about);
void print_training(const std::string& text);
/// The training record, which may hold anything: null when it is no JSON or nested beyond reason.
nlohmann::ordered_json parse_training(const std::string& text);

void print_generator_card(const serpent::GeneratorModel& model);
void print_generator_json(const serpent::GeneratorModel& model, const std::string& path);
void print_nam_card(const serpent::Model& model);
void print_nam_json(const serpent::Model& model, const std::string& path);
