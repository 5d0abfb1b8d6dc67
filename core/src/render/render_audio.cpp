// SPDX-License-Identifier: MIT
#include "serpent/render_file.h"

#include "render/channel_renderer.h"

namespace serpent {

AudioBuffer render_audio(std::shared_ptr<const Model> model, const AudioBuffer& input, const RendererOptions& options) {
    ChannelRenderer renderer(std::move(model), options, input.sample_rate, static_cast<int>(input.channels.size()));
    AudioBuffer output{input.sample_rate, audio::Planar(static_cast<std::size_t>(renderer.out_channels())), input.subtype};
    renderer.process(input.channels, output.channels);
    renderer.finish(output.channels);
    return output;
}

} // namespace serpent
