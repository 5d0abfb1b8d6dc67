// SPDX-License-Identifier: GPL-3.0-or-later
#include "outputs.h"

#include "serpent/errors.h"

namespace fs = std::filesystem;

bool same_file(const fs::path& a, const fs::path& b) {
    std::error_code error;
    const bool exists = fs::exists(a, error);
    if (exists != fs::exists(b, error)) return false;
    if (exists) return fs::equivalent(a, b, error);
    const auto whole = [](const fs::path& path) {
        std::error_code no_path;
        return fs::weakly_canonical(fs::absolute(path, no_path), no_path);
    };
    return !a.empty() && whole(a) == whole(b);
}

void require_no_input(const fs::path& output, const std::vector<fs::path>& inputs) {
    for (const fs::path& input : inputs)
        if (!input.empty() && same_file(output, input))
            throw serpent::Error("cannot write " + output.string() + ": it is an input itself; choose another name or folder");
}
