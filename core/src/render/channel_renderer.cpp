// SPDX-License-Identifier: MIT
#include "render/channel_renderer.h"

#include "serpent/errors.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

namespace serpent {

using audio::Planar;

namespace {

/// How many sets of model.channels channels the input makes.
std::size_t group_count(int model_channels, int channels) {
    if (model_channels == 1) return static_cast<std::size_t>(channels);
    if (channels == model_channels || channels == 1) return 1;
    throw Error("the model takes " + std::to_string(model_channels) + " channels together, not " +
                std::to_string(channels));
}

/// Silence to put before and after, so that neither border cuts off what the filters ring into it. A whole number of
/// periods of the two rates keeps the samples on the grid.
std::size_t padding_frames(int rate_hz, int model_rate_hz) {
    const std::size_t period = static_cast<std::size_t>(rate_hz / std::gcd(rate_hz, model_rate_hz));
    const double ringing_s = 512.0 / std::min(rate_hz, model_rate_hz);
    const std::size_t wanted = static_cast<std::size_t>(ringing_s * rate_hz) + 1;
    return (wanted + period - 1) / period * period;
}

void erase_front(std::vector<float>& samples, std::size_t n) {
    samples.erase(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(n));
}

} // namespace

ChannelRenderer::ChannelRenderer(std::shared_ptr<const Model> model, const RendererOptions& options,
                                 int sample_rate_hz, int channels)
    : model_channels_(model->config.channels), in_channels_(static_cast<std::size_t>(channels)) {
    const std::size_t groups = group_count(model_channels_, channels);
    const int model_rate_hz = model->config.sample_rate;
    renderer_ = std::make_unique<Renderer>(std::move(model), options);
    groups_.assign(groups, renderer_->state());
    pending_.resize(static_cast<std::size_t>(out_channels()));
    resampled_.resize(pending_.size());
    if (sample_rate_hz == model_rate_hz) return;
    to_model_.emplace(sample_rate_hz, model_rate_hz, channels);
    from_model_.emplace(model_rate_hz, sample_rate_hz, out_channels());
    padding_ = padding_frames(sample_rate_hz, model_rate_hz);
    // Before the file there was silence, which leaves the silence state as it is. The zero state is meant for the first
    // sample itself.
    if (options.initial_state == InitialState::silence) {
        to_drop_ = padding_;
        feed_silence(padding_);
    }
}

void ChannelRenderer::process(const Planar& in, Planar& out) {
    feed(in);
    frames_in_ += in.front().size();
    const std::size_t block = block_frames();
    render(pending_.front().size() / block * block, out);
}

void ChannelRenderer::finish(Planar& out) {
    if (to_model_) {
        feed_silence(padding_);
        Planar rest(in_channels_);
        to_model_->finish(rest);
        for (std::size_t c = 0; c < pending_.size(); ++c) {
            const std::vector<float>& source = rest[c % in_channels_];
            pending_[c].insert(pending_[c].end(), source.begin(), source.end());
        }
    }
    render(pending_.front().size(), out);
    if (from_model_) {
        for (std::vector<float>& channel : resampled_) channel.clear();
        from_model_->finish(resampled_);
        append(resampled_, out);
    }
}

/// What the renderer likes best, as long as that times the channels is no great amount of memory.
std::size_t ChannelRenderer::block_frames() const {
    std::size_t block = std::max<std::size_t>(renderer_->preferred_block(), 1);
    while (block % 2 == 0 && block * pending_.size() > (std::size_t{1} << 23)) block /= 2;
    return block;
}

void ChannelRenderer::feed(const Planar& in) {
    const Planar* source = &in;
    Planar at_model_rate;
    if (to_model_) {
        at_model_rate.resize(in_channels_);
        to_model_->process(in, at_model_rate);
        source = &at_model_rate;
    }
    for (std::size_t c = 0; c < pending_.size(); ++c) {
        const std::vector<float>& channel = (*source)[c % in_channels_]; // one input channel serves all of a group
        pending_[c].insert(pending_[c].end(), channel.begin(), channel.end());
    }
}

void ChannelRenderer::feed_silence(std::size_t frames) { feed(Planar(in_channels_, std::vector<float>(frames))); }

void ChannelRenderer::render(std::size_t frames, Planar& out) {
    if (frames == 0) return;
    const std::size_t width = static_cast<std::size_t>(model_channels_);
    std::vector<float*> channels(width);
    for (std::size_t group = 0; group < groups_.size(); ++group) {
        for (std::size_t c = 0; c < width; ++c) channels[c] = pending_[group * width + c].data();
        if (groups_.size() > 1) renderer_->set_state(groups_[group]);
        renderer_->process(channels.data(), channels.data(), frames);
        if (groups_.size() > 1) groups_[group] = renderer_->state();
    }
    Planar rendered(pending_.size());
    for (std::size_t c = 0; c < pending_.size(); ++c) {
        rendered[c].assign(pending_[c].begin(), pending_[c].begin() + static_cast<std::ptrdiff_t>(frames));
        erase_front(pending_[c], frames);
    }
    if (!from_model_) {
        append(rendered, out);
        return;
    }
    for (std::vector<float>& channel : resampled_) channel.clear();
    from_model_->process(rendered, resampled_);
    append(resampled_, out);
}

void ChannelRenderer::append(const Planar& rendered, Planar& out) {
    const std::size_t drop = std::min(to_drop_, rendered.front().size());
    const std::size_t n = std::min(rendered.front().size() - drop, frames_in_ - frames_out_);
    for (std::size_t c = 0; c < out.size(); ++c) {
        const auto begin = rendered[c].begin() + static_cast<std::ptrdiff_t>(drop);
        out[c].insert(out[c].end(), begin, begin + static_cast<std::ptrdiff_t>(n));
    }
    to_drop_ -= drop;
    frames_out_ += n;
}

} // namespace serpent
