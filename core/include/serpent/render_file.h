// SPDX-License-Identifier: MIT
// A whole audio file through a model: any rate, any number of channels, in bounded memory.
#pragma once

#include "serpent/audio_file.h"
#include "serpent/errors.h"
#include "serpent/render.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace serpent {

struct RenderFileOptions {
    RendererOptions renderer;
    double input_db = 0.0;                           ///< gain before the model
    double output_db = 0.0;                          ///< gain at the very end, after the mix
    double mix = 1.0;                                ///< 0: only the input, 1: only the model's output
    double start_s = 0.0;                            ///< the part of the input that is rendered
    std::optional<double> end_s;                     ///< none, or beyond the end: the end of the input
    std::optional<Subtype> subtype;                  ///< none: that of the input, or the closest the container holds
    std::function<bool(double fraction)> on_progress;  ///< called after every block; false: stop with an Interrupted
};

struct RenderFileReport {
    AudioFormat input, output;
    std::int64_t frames = 0;     ///< rendered
    double wall_s = 0.0;
    double peak = 0.0;           ///< largest magnitude of the output before it is stored
    std::uint64_t saturated = 0; ///< samples that did not fit the output's integers
    double warm_up_s = 0.0;      ///< how much of the input before start_s went through the model first
    bool warm = true;            ///< whether that was all of it, or long enough for the model to forget what was before
    std::string note{};          ///< AudioReader::note() of the input
    int threads = 0;             ///< that rendered: Renderer::threads()
    std::vector<std::string> not_kept{};  ///< what the input carries besides its samples and the output cannot
};

/// Thrown when on_progress() asked to stop. Nothing was written.
class Interrupted : public Error {
public:
    using Error::Error;
};

/// Streams `input` through `model` into `output`, which appears whole or not at all and has the rate of the input and
/// its length (or that of the part). A model of one channel is applied to each channel with a state of its own; a model
/// of n channels takes n, or one, which is then given to all n. At another rate than the model's the audio is resampled
/// around it and every sample keeps its place. What the input carries besides its samples goes along (AudioWriter::
/// keep_metadata()). Throws Error naming the file, also for NaN in the input or the output.
RenderFileReport render_file(std::shared_ptr<const Model> model, const std::filesystem::path& input,
                             const std::filesystem::path& output, const RenderFileOptions& options = {});

/// The same in memory. Throws Error, also for audio without channels or with channels that differ in length.
AudioBuffer render_audio(std::shared_ptr<const Model> model, const AudioBuffer& input, const RendererOptions& options = {});

/// How long the model's slowest state takes to forget, in seconds, when its step sizes are those of silence: 12 time
/// constants, which leave 6e-6. The step sizes change with the signal, so take it as an estimate.
double memory_s(const Model& model);

} // namespace serpent
