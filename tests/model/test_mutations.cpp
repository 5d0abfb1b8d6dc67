// SPDX-License-Identifier: GPL-3.0-or-later
// A fuzzer that every compiler can run: the same random edits of good files each time.
#include "fuzz/exercise.h"
#include "fuzz/seeds.h"

#include <catch2/catch.hpp>

using namespace serpent;
using namespace serpent::test;

namespace {

class Mutator {
public:
    /// A copy of `file` with one to three random edits; mostly in the header, whose length is mostly put right again.
    std::string operator()(const std::string& file) {
        std::uint64_t length = 0;
        std::memcpy(&length, file.data(), sizeof length);
        std::string header = file.substr(8, length), data = file.substr(8 + length);
        for (std::size_t edits = 1 + below(3); edits > 0; --edits) edit(below(5) == 0 ? data : header);
        std::string out = FileParts::joined(header, data);
        if (below(10) == 0) edit(out);
        return out;
    }

private:
    std::size_t below(std::size_t n) { return random_() % n; }

    void edit(std::string& text) {
        if (text.empty()) return;
        const std::size_t at = below(text.size());
        switch (below(6)) {
        case 0: text[at] = static_cast<char>(text[at] ^ (1 << below(8))); break;
        case 1: text.erase(at, 1 + below(16)); break;
        case 2: text.insert(at, text.substr(below(text.size()), 1 + below(64))); break;
        case 3: text.resize(at); break;
        default: replace_number(text, at); break;
        }
    }

    /// Puts a telling value in the place of the next number after `at`.
    void replace_number(std::string& text, std::size_t at) {
        static const char* const values[] = {"0", "1", "2", "-1", "3", "16", "64", "1024", "1e3", "1e400", "0.5", "null", "\"1\"",
                                             "[]", "2147483648", "1152921504606846976", "18446744073709551615"};
        const std::size_t begin = text.find_first_of("0123456789", at);
        if (begin == std::string::npos) return;
        const std::size_t end = text.find_first_not_of("0123456789", begin);
        text.replace(begin, std::min(end, text.size()) - begin, values[below(std::size(values))]);
    }

    std::mt19937 random_{2024};
};

} // namespace

TEST_CASE("random edits of good files are read or refused, never more") {
    const auto seeds = fuzz_seeds();
    Mutator mutate;
    int accepted = 0, refused = 0;
    for (int i = 0; i < 20000; ++i) {
        const std::string file = mutate(seeds[static_cast<std::size_t>(i) % seeds.size()]);
        ++(exercise(std::as_bytes(std::span(file))) ? accepted : refused);
    }
    // Edits of names, of padding and of values leave a good file; most others do not.
    CHECK(accepted > 500);
    CHECK(refused > 10000);
}
