// SPDX-License-Identifier: MIT
#include "serpent/render_file.h"

#include "model/as_error.h"
#include "render/channel_renderer.h"

namespace serpent {

AudioBuffer render_audio(std::shared_ptr<const Model> model, const AudioBuffer& input, const RendererOptions& options) try {
    required(model, "render_audio() needs a model", "load one with Model::load()");
    if (input.channels.empty() || input.sample_rate < 1)
        throw Error("render_audio() needs audio of one channel or more and a positive sample rate.");
    for (const std::vector<float>& channel : input.channels)
        if (channel.size() != input.frames())
            throw Error("the channels of the audio to render differ in length; cut them to the same.");
    ChannelRenderer renderer(std::move(model), options, input.sample_rate, static_cast<int>(input.channels.size()));
    AudioBuffer output{input.sample_rate, audio::Planar(static_cast<std::size_t>(renderer.out_channels())), input.subtype};
    renderer.process(input.channels, output.channels);
    renderer.finish(output.channels);
    return output;
} catch (...) {
    rethrow_as_error("render so much audio at a time");
}

} // namespace serpent
