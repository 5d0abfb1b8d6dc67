// SPDX-License-Identifier: GPL-3.0-or-later
// A take whose recorder died is trained on as far as it goes, and the notes say so.
#include "audio/file_bytes.h"
#include "audio/temporary_folder.h"
#include "random.h"
#include "serpent/audio_file.h"
#include "serpent/training_data.h"

#include <catch2/catch.hpp>

using namespace serpent;

TEST_CASE("training on a recording that was never finished is possible, and noted") {
    const TemporaryFolder folder;
    const std::vector<float> dry = test::Random(2).vector<float>(48000 * 6, -0.3, 0.3);
    for (const char* name : {"dry.wav", "wet.wav"}) write_audio(folder / name, {48000, {dry}}, Subtype::float32);
    std::string bytes = read_bytes(folder / "wet.wav");
    bytes.replace(bytes.find("data") + 4, 4, 4, '\0');
    write_bytes(folder / "wet.wav", bytes);
    const TrainingData data = load_pair(folder / "dry.wav", folder / "wet.wav", {}, {.latency_samples = 0});
    REQUIRE_FALSE(data.notes.empty());
    std::string all;
    for (const std::string& note : data.notes) all += note + '\n';
    CHECK_THAT(all, Catch::Contains("wet.wav: its header was never finished"));
    CHECK(data.set->train.front().dry.front().size() + data.set->valid.front().dry.front().size() == dry.size());
}
