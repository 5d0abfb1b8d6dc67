// SPDX-License-Identifier: MIT
#include "model/as_error.h"

#include <exception>
#include <new>
#include <stdexcept>

namespace serpent {

void rethrow_as_error(const std::string& doing) {
    const std::string too_little =
        "There is not enough memory to " + doing + "; end other programs, or give shorter audio or a smaller model.";
    try {
        throw;
    } catch (const Error&) {
        throw;
    } catch (const std::bad_alloc&) {
        throw Error(too_little);
    } catch (const std::length_error&) {  // more than any memory holds
        throw Error(too_little);
    } catch (const std::exception& error) {
        throw Error(error.what());
    }
}

} // namespace serpent
