// SPDX-License-Identifier: GPL-3.0-or-later
// Makes the golden models of this project's own (tests/data/models/README.md) from random weights, a synthetic input
// and the float64 reference:  make_golden DIR. Not run by the tests: they check what it once made.
#include "model/example_model.h"
#include "random.h"
#include "reference_model.h"

#include <cmath>
#include <cstdint>
#include <iostream>
#include <numbers>

namespace {

using namespace serpent;
using namespace serpent::test;

constexpr std::size_t frames = 4800;
constexpr double tau = 2 * std::numbers::pi;

/// Interleaved: a decaying chord that moves from channel to channel, silence, then noise of rising level.
std::vector<float> make_input(int channels, double sample_rate_hz) {
    Random random(2023);
    std::vector<float> audio;
    for (std::size_t t = 0; t < frames; ++t)
        for (int c = 0; c < channels; ++c) {
            const double seconds = static_cast<double>(t) / sample_rate_hz, noise = random.uniform(-1, 1);
            double value = 0;
            if (t < 2400)
                value = 0.5 * std::exp(-40 * seconds) *
                        (std::sin(tau * 220 * seconds + c) + std::sin(tau * 331.7 * (1 + c) * seconds));
            else if (t >= 3000)
                value = noise * 0.6 * static_cast<double>(t - 3000) / 1800;
            audio.push_back(static_cast<float>(value));
        }
    return audio;
}

template <class T>
void append(std::string& bytes, T value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value); // little-endian hosts only, as the files are
}

void write_wav(const std::filesystem::path& path, int channels, int sample_rate_hz, const std::vector<float>& samples) {
    const auto data_size = static_cast<std::uint32_t>(samples.size() * sizeof(float));
    const auto frame_size = static_cast<std::uint16_t>(channels * 4);
    std::string bytes = "RIFF";
    append(bytes, std::uint32_t{4 + 26 + 12 + 8} + data_size);
    bytes += "WAVEfmt ";
    append(bytes, std::uint32_t{18});
    append(bytes, std::uint16_t{3}); // IEEE float
    append(bytes, static_cast<std::uint16_t>(channels));
    append(bytes, static_cast<std::uint32_t>(sample_rate_hz));
    append(bytes, static_cast<std::uint32_t>(sample_rate_hz) * frame_size);
    append(bytes, frame_size);
    append(bytes, std::uint16_t{32});
    append(bytes, std::uint16_t{0});
    bytes += "fact";
    append(bytes, std::uint32_t{4});
    append(bytes, static_cast<std::uint32_t>(samples.size()) / static_cast<std::uint32_t>(channels));
    bytes += "data";
    append(bytes, data_size);
    bytes.append(reinterpret_cast<const char*>(samples.data()), data_size);
    write_text(path, bytes);
}

void write_output(const std::filesystem::path& path, const Model& model, const std::vector<float>& input,
                  const std::vector<float>& controls = {}) {
    ReferenceModel reference(model, controls);
    const std::vector<double> out = reference.process(input);
    write_wav(path, model.config.channels, model.config.sample_rate, {out.begin(), out.end()});
}

void scale(Tensor values, float factor) {
    for (float& value : values)
        value *= factor;
}

/// Makes the sound outweigh the constants, which would hide errors from a comparison relative to the output's rms:
/// a stronger signal path and controls, and a decoder bias that takes the output's mean away.
void enliven(Model& model, const std::vector<float>& input) {
    scale(model.weights.encoder_weight, 8);
    scale(model.weights.decoder_weight, 2);
    for (LayerWeights& layer : model.weights.layers)
        scale(layer.film_weight, 4);
    const std::vector<double> out = ReferenceModel(model).process(input);
    std::vector<double> mean(model.weights.decoder_bias.size());
    for (std::size_t i = 0; i < out.size(); ++i)
        mean[i % mean.size()] += out[i] / static_cast<double>(frames);
    for (std::size_t c = 0; c < mean.size(); ++c)
        model.weights.decoder_bias[c] -= static_cast<float>(mean[c]);
}

void make(const std::filesystem::path& folder, const std::string& name, const ModelConfig& config, TensorType type,
          bool with_biases, double slowest_samples) {
    Model random = random_model(config, with_biases, slowest_samples);
    random.metadata.name = name;
    random.metadata.license = "MIT";
    const auto input = make_input(config.channels, config.sample_rate);
    enliven(random, input);
    const auto path = folder / (name + ".safetensors");
    random.save(path, type);
    const Model model = Model::load(path); // F16 and BF16: the weights as rounded
    write_wav(folder / (name + "_in.wav"), config.channels, config.sample_rate, input);
    write_output(folder / (name + "_out.wav"), model, input);
    if (!config.controls.empty())
        write_output(folder / (name + "_out_drive9_tone-6.wav"), model, input, {9.0f, -6.0f});
}

void make_all(const std::filesystem::path& folder) {
    ModelConfig film;
    film.d_model = 8, film.n_layers = 2, film.d_state = 4;
    film.skip = true;
    film.b_bar = BBar::ema;
    film.controls = {{"Drive", 0.0f, 10.0f, 4.0f, ""}, {"Tone", -12.0f, 12.0f, 0.0f, "dB"}};
    make(folder, "film_8_16_4_2", film, TensorType::f32, true, 5000);

    ModelConfig stereo;
    stereo.channels = 2, stereo.sample_rate = 44100;
    stereo.d_model = 6, stereo.n_layers = 2, stereo.d_state = 4;
    stereo.skip = true;
    make(folder, "stereo_6_12_4_2", stereo, TensorType::f32, true, 1000);

    ModelConfig half;
    half.d_model = 8, half.n_layers = 3, half.d_state = 4, half.expand = 1;
    half.b_bar = BBar::ema;
    make(folder, "f16_8_8_4_3", half, TensorType::f16, true, 5000);
    make(folder, "bf16_8_8_4_3", half, TensorType::bf16, true, 5000);

    ModelConfig tied;
    tied.d_model = 8, tied.n_layers = 2, tied.d_state = 4;
    tied.a = DecayShape::tied;
    tied.final_norm = false;
    make(folder, "tied_euler_8_16_4_2", tied, TensorType::f32, false, 1000);
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: make_golden DIR\n";
        return 1;
    }
    make_all(argv[1]);
    return 0;
}
