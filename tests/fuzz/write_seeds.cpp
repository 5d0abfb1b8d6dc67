// SPDX-License-Identifier: GPL-3.0-or-later
// write_seeds DIR: fills DIR with the files that the fuzzer starts from.
#include "fuzz/seeds.h"

int main(int argc, char** argv) {
    if (argc != 2) return 1;
    const std::filesystem::path folder = argv[1];
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    int number = 0;
    for (const std::string& seed : serpent::test::fuzz_seeds()) {
        serpent::test::write_text(folder / ("seed-" + std::to_string(number++)), seed);
    }
    return number > 0 ? 0 : 1;
}
