// SPDX-License-Identifier: MIT
// A Renderer for audio of any rate and number of channels.
#pragma once

#include "audio/resampler.h"

#include "serpent/render.h"

#include <memory>
#include <optional>
#include <vector>

namespace serpent {

/// Planar blocks in, planar blocks out, later but in the end as many samples, each at its place.
class ChannelRenderer {
public:
    /// Throws Error when the model does not take that many channels.
    ChannelRenderer(std::shared_ptr<const Model> model, const RendererOptions& options, int sample_rate_hz,
                    int channels);

    int threads() const noexcept { return renderer_->threads(); }
    int out_channels() const noexcept { return static_cast<int>(groups_.size()) * model_channels_; }

    /// Takes all of `in` (`channels` vectors of one length) and appends to `out` (out_channels()) what is ready.
    void process(const audio::Planar& in, audio::Planar& out);
    /// The input is over: appends the rest.
    void finish(audio::Planar& out);

private:
    std::size_t block_frames() const;
    void feed(const audio::Planar& in);
    void feed_silence(std::size_t frames);
    void render(std::size_t frames, audio::Planar& out);
    void append(const audio::Planar& rendered, audio::Planar& out);

    std::unique_ptr<Renderer> renderer_;
    int model_channels_;
    std::size_t in_channels_;
    std::vector<State> groups_;     // one for every set of channels that goes through the model together
    std::optional<audio::Resampler> to_model_, from_model_;
    audio::Planar pending_;         // at the model's rate, out_channels() wide
    audio::Planar resampled_;       // scratch: rendered, back at the rate of the input
    std::size_t padding_ = 0;       // frames of silence around the input, at its rate
    std::size_t to_drop_ = 0;       // of the output, still: what answers the silence before
    std::size_t frames_in_ = 0, frames_out_ = 0;
};

} // namespace serpent
