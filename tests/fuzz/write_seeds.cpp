// SPDX-License-Identifier: GPL-3.0-or-later
// write_seeds MODELS CONTAINERS CHECKPOINTS: fills three folders with the files that the fuzzers start from.
#include "fuzz/checkpoints.h"
#include "fuzz/seeds.h"
#include "serpent/audio_file.h"

namespace {

void make_folder(const std::filesystem::path& folder) {
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
}

template <class Trainer>
void write_checkpoints(Trainer trainer, const std::filesystem::path& folder, const std::string& name) {
    for (int step = 0; step < 8; ++step) {
        if (step % 7 == 0) trainer.save_checkpoint(folder / (name + std::to_string(step)));
        trainer.step();
    }
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 4) return 1;
    const std::filesystem::path models = argv[1], containers = argv[2], checkpoints = argv[3];
    make_folder(models);
    int number = 0;
    for (const std::string& seed : serpent::test::fuzz_seeds()) {
        serpent::test::write_text(models / ("seed-" + std::to_string(number++)), seed);
    }
    make_folder(containers);
    for (const char* name : {"x.wav", "x.rf64", "x.w64", "x.aiff"}) {
        serpent::write_audio(containers / name, {48000, {std::vector<float>(101, 0.25f)}}, serpent::Subtype::pcm24);
    }
    make_folder(checkpoints);
    using namespace serpent::test;
    write_checkpoints(serpent::Trainer(tiny_recordings(), tiny_training()), checkpoints, "effect");
    write_checkpoints(serpent::GeneratorTrainer(tiny_sounds(), tiny_generator_training()), checkpoints, "generator");
    return number > 0 ? 0 : 1;
}
