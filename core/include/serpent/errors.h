// SPDX-License-Identifier: MIT
#pragma once

#include <stdexcept>
#include <string>

namespace serpent {

/// What every function of serpent::core throws on bad input. The message is one sentence for a person: it names the
/// file, tensor or field that is wrong, and what to do about it.
class Error : public std::runtime_error {
public:
    explicit Error(const std::string& message) : std::runtime_error(message) {}
};

} // namespace serpent
