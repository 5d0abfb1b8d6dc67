// SPDX-License-Identifier: GPL-3.0-or-later
#include "shipped_models.h"

#include <algorithm>
#include <string>
#include <system_error>

#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif

namespace fs = std::filesystem;

namespace {

/// Of the running program, links resolved; empty where the system does not say.
fs::path program_folder() {
    std::error_code error;
#ifdef __APPLE__
    char path[4096];
    std::uint32_t size = sizeof path;
    return _NSGetExecutablePath(path, &size) == 0 ? fs::canonical(path, error).parent_path() : fs::path();
#else
    return fs::read_symlink("/proc/self/exe", error).parent_path();
#endif
}

} // namespace

std::vector<fs::path> shipped_models() {
    std::vector<fs::path> models;
    const fs::path program = program_folder();
    if (program.empty()) return models;
    for (const char* folder : {"models", "generators"}) {
        const auto first = static_cast<std::ptrdiff_t>(models.size());
        std::error_code error;
        for (const auto& entry : fs::directory_iterator(program.parent_path() / "share/serpent" / folder, error))
            if (entry.path().extension() == ".safetensors") models.push_back(entry.path());
        std::sort(models.begin() + first, models.end());
    }
    return models;
}

CLI::Validator shipped_model() {
    const auto replace = [](std::string& given) {
        std::error_code error;
        if (fs::exists(given, error) || given.find_first_of("/\\") != std::string::npos) return std::string();
        for (const fs::path& model : shipped_models())
            if (model.stem() == given || model.filename() == given) given = model.string();
        return std::string();
    };
    return CLI::Validator(replace, "", "shipped model");
}
