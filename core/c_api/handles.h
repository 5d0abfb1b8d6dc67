// SPDX-License-Identifier: MIT
// What the opaque handles of serpent.h are, and the border that no exception crosses.
#pragma once

#include "serpent/errors.h"
#include "serpent/serpent.h"
#include "serpent/stream.h"

#include <cstddef>
#include <exception>
#include <memory>
#include <new>
#include <string>

struct serpent_model {
    std::shared_ptr<const serpent::Model> model;
};

struct serpent_stream {
    serpent::Stream stream;
    int instances;
};

namespace serpent::c_api {

/// What serpent_error() says from now on, cut where there is no more room. Returns `status`.
serpent_status fail(serpent_status status, const char* message) noexcept;

/// The call is wrong.
class Misuse : public Error {
public:
    using Error::Error;
};

/// Runs `work` and turns what it throws into a status and a message.
template <class Work>
serpent_status guarded(const Work& work) noexcept {
    try {
        work();
        return SERPENT_OK;
    } catch (const Misuse& error) {
        return fail(SERPENT_INVALID_ARGUMENT, error.what());
    } catch (const std::bad_alloc&) {
        return fail(SERPENT_FAILED, "There is not enough memory; end other programs, or give less audio or a smaller model.");
    } catch (const std::exception& error) {
        return fail(SERPENT_FAILED, error.what());
    } catch (...) {
        return fail(SERPENT_FAILED, "Something failed that has no name; please report what was called.");
    }
}

template <class T>
T& required(T* pointer, const char* name) {
    if (!pointer) throw Misuse(std::string(name) + " is null.");
    return *pointer;
}

inline void require_in_range(long long value, long long least, long long most, const char* name) {
    if (value < least || value > most)
        throw Misuse(std::string(name) + " is " + std::to_string(value) + "; it must lie between " + std::to_string(least) +
                     " and " + std::to_string(most) + ".");
}

/// `channels` pointers, none of them null.
template <class Sample>
bool all_there(Sample* const* pointers, int channels) noexcept {
    if (!pointers) return false;
    for (int c = 0; c < channels; ++c)
        if (!pointers[c]) return false;
    return true;
}

/// The options of a program that may be older than this library: what it does not know is 0. A newer program's are refused
/// where it asks for what this library does not know.
template <class Options>
Options known_options(const Options* given) {
    Options options{};
    options.struct_size = sizeof options;
    if (!given) return options;
    const std::size_t size = given->struct_size;
    if (size < sizeof(std::size_t) || size > 4096)
        throw Misuse("options.struct_size is " + std::to_string(size) + "; set it to sizeof of the structure.");
    const auto* from = reinterpret_cast<const unsigned char*>(given);
    auto* to = reinterpret_cast<unsigned char*>(&options);
    for (std::size_t i = sizeof(std::size_t); i < size; ++i) {
        if (i < sizeof options)
            to[i] = from[i];
        else if (from[i] != 0)
            throw Misuse("options ask for something that this version of Serpent does not know; install a newer one.");
    }
    return options;
}

inline InitialState initial_state(int start) {
    require_in_range(start, SERPENT_START_SILENCE, SERPENT_START_ZERO, "options.start");
    return start == SERPENT_START_ZERO ? InitialState::zero : InitialState::silence;
}

} // namespace serpent::c_api
