// SPDX-License-Identifier: GPL-3.0-or-later
// write_seeds MODELS CONTAINERS: fills two folders with the files that the fuzzers start from.
#include "fuzz/seeds.h"
#include "serpent/audio_file.h"

namespace {

void make_folder(const std::filesystem::path& folder) {
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 3) return 1;
    const std::filesystem::path models = argv[1], containers = argv[2];
    make_folder(models);
    int number = 0;
    for (const std::string& seed : serpent::test::fuzz_seeds()) {
        serpent::test::write_text(models / ("seed-" + std::to_string(number++)), seed);
    }
    make_folder(containers);
    for (const char* name : {"x.wav", "x.rf64", "x.w64", "x.aiff"}) {
        serpent::write_audio(containers / name, {48000, {std::vector<float>(101, 0.25f)}}, serpent::Subtype::pcm24);
    }
    return number > 0 ? 0 : 1;
}
