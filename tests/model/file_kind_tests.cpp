// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/example_model.h"
#include "serpent/audio_file.h"
#include "serpent/errors.h"
#include "serpent/file_kind.h"
#include "serpent/generator_model.h"

#include <catch2/catch.hpp>

using namespace serpent;
using namespace serpent::test;

TEST_CASE("a file of another kind is named where a model or a recording is wanted, whatever its name") {
    const TemporaryFolder folder;
    const std::pair<std::string, const char*> files[] = {
        {R"({"in_shape": [null, null, 1], "layers": [{"type": "lstm", "weights": [[1]]}]})", "AIDA-X"},
        {R"({"model_data": {"model": "SimpleRNN"}, "state_dict": {"rec.weight_ih_l0": [[1]]}})", "GuitarML"},
        {R"({"takes": [{"dry": "dry.wav", "wet": "wet.wav"}]})", "list of takes"},
        {R"(  {"something": "else"})", "JSON text"},
        {"\x89PNG\r\n\x1a\n....", "picture"},
        {std::string("PK\x03\x04", 4) + "....archive/data.pkl....", "PyTorch"},
        {std::string("PK\x03\x04", 4) + "....amp.nam....", "ZIP archive"},
        {"<!DOCTYPE html><html></html>", "web page"},
        {"version https://git-lfs.github.com/spec/v1\noid sha256:12\n", "Git LFS"},
        {"# Amplifier\n", "a text"},
    };
    for (const auto& [bytes, name] : files)
        for (const char* file : {"m.safetensors", "m.wav"}) {
            CAPTURE(bytes, file);
            const std::filesystem::path path = folder / file;
            write_text(path, bytes);
            CHECK_THROWS_WITH(Model::load(path), Catch::Contains(name) && Catch::Contains("not a model; ") && Catch::Contains(file));
            CHECK_THROWS_WITH(GeneratorModel::load(path), Catch::Contains(name) && Catch::Contains("not a model; "));
            CHECK_THROWS_WITH(is_generator(path), Catch::Contains(name) && Catch::Contains("not a model; "));
            CHECK_THROWS_WITH(AudioReader(path), Catch::Contains(name) && Catch::Contains("not an audio file; "));
        }
    for (const char* file : {"a.wav", "a.flac", "a.aiff", "a.ogg", "a.w64", "a.caf", "a.rf64"}) {
        write_audio(folder / file, {48000, {std::vector<float>(100, 0.1f)}},
                    std::string(file) == "a.ogg" ? Subtype::other : Subtype::pcm16);
        std::filesystem::rename(folder / file, folder / "m.safetensors");
        CAPTURE(file);
        CHECK_THROWS_WITH(Model::load(folder / "m.safetensors"), Catch::Contains("not a model; ") && Catch::Contains("file"));
    }
    write_text(folder / "m.wav", FileParts::saved(random_model(full_config())));
    CHECK_THROWS_WITH(AudioReader(folder / "m.wav"), Catch::Contains("it is a model, not an audio file; "));
    CHECK(kind_of_file(folder / "m.wav").group == FileKind::Group::model);
    for (const char* capture : {R"({"version": "0.5.4", "metadata": {"name": "x"}, "architecture": "WaveNet", "config": {}, "weights": [0.1, 2]})",
                                R"({"weights": [0.1, 2], "architecture": "LSTM", "config": {"layers": [], "in_sh)"}) {  // cut short
        write_text(folder / "m.wav", capture);
        CHECK(kind_of_file(folder / "m.wav").is_nam());
        CHECK_THROWS_WITH(AudioReader(folder / "m.wav"), Catch::Contains("it is a model, not an audio file; "));
    }
    CHECK(kind_of_file(folder / "not there").group == FileKind::Group::unknown);
}
