// SPDX-License-Identifier: GPL-3.0-or-later
// write_seeds MODELS CONTAINERS CHECKPOINTS CAPTURES: fills four folders with the files that the fuzzers start from.
#include "fuzz/checkpoints.h"
#include "fuzz/seeds.h"
#include "nam/nam_writer.h"
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
    if (argc != 5) return 1;
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
    make_folder(argv[4]);
    for (const NamCase& c : nam_cases())
        if (const std::string text = c.file.dump(); text.size() < 16384) write_text(std::filesystem::path(argv[4]) / c.name, text);
    NamWriter w(2);
    const json slim = {{"method", "slice_channels_uniform"}, {"kwargs", {{"allowed_channels", {1, 2}}}}};
    const json cut = w.wavenet({layer_array(1, 1, 2, {1}, {{"head_size", 1}, {"kernel_size", 2}, {"slimmable", slim}})});
    write_text(std::filesystem::path(argv[4]) / "container", NamWriter::container({{0.5, w.lstm(1, 2)}, {1.0, cut}}).dump());
    return number > 0 ? 0 : 1;
}
