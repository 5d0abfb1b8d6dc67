// SPDX-License-Identifier: MIT
#pragma once

#include <stdexcept>
#include <string>

namespace serpent {

/// What every function of serpent::core throws, whatever is wrong: input, files, options, a null model, the GPU, threads, the
/// instruction set, and memory where as much is needed as a model, a file or a block asks for. The message is one sentence for
/// a person: it names the file, tensor or field that is wrong, and what to do about it.
///
/// Two things else can come: std::bad_alloc, where memory is short even for what is small (texts, lists, metrics, a block of a
/// file), and what a function of yours threw that was called back.
class Error : public std::runtime_error {
public:
    explicit Error(const std::string& message) : std::runtime_error(message) {}
};

} // namespace serpent
