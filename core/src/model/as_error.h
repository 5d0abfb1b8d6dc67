// SPDX-License-Identifier: MIT
// The border of the library. Inside it kernels, the standard library and the system throw what they like; a public function whose
// work may meet that ends in `catch (...) { rethrow_as_error("render this"); }`.
#pragma once

#include "serpent/errors.h"

#include <memory>
#include <string>

namespace serpent {

/// In a handler: lets an Error pass and throws one for everything else. `doing` says what there was not enough memory for.
[[noreturn]] void rethrow_as_error(const std::string& doing);

/// What was handed over, if it is there; `what` for the message: "Renderer needs a model".
template <class T>
const std::shared_ptr<T>& required(const std::shared_ptr<T>& given, const char* what, const char* remedy) {
    if (!given) throw Error(std::string(what) + ", but was given none; " + remedy + ".");
    return given;
}

/// The same for what can be valid or not.
template <class ModelType>
const std::shared_ptr<ModelType>& valid_model(const std::shared_ptr<ModelType>& given, const char* what, const char* remedy) {
    required(given, what, remedy)->validate();
    return given;
}

} // namespace serpent
