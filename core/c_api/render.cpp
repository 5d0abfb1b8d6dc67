// SPDX-License-Identifier: MIT
#include "c_api/handles.h"

#include "serpent/metrics.h"
#include "serpent/render_file.h"

#include <algorithm>
#include <limits>
#include <vector>

using namespace serpent;
using namespace serpent::c_api;

namespace {

constexpr int most_channels = 1024, most_threads = 1024;

RendererOptions renderer_options(const Model& model, const serpent_render_options* given) {
    const serpent_render_options options = known_options(given);
    require_in_range(options.threads, 0, most_threads, "options.threads");
    require_in_range(options.device, SERPENT_DEVICE_CPU, SERPENT_DEVICE_CUDA, "options.device");
    const Device devices[] = {Device::cpu, Device::automatic, Device::cuda};
    RendererOptions checked{
        .initial_state = initial_state(options.start), .threads = options.threads, .device = devices[options.device]};
    if (!options.controls) {
        if (options.control_count != 0) throw Misuse("options.controls is null, but options.control_count is not 0.");
        return checked;
    }
    if (options.control_count < 0 || static_cast<std::size_t>(options.control_count) != model.config.controls.size())
        throw Misuse("options.control_count is " + std::to_string(options.control_count) + "; the model has " +
                     std::to_string(model.config.controls.size()) + " controls.");
    checked.controls.assign(options.controls, options.controls + options.control_count);
    return checked;
}

} // namespace

serpent_status serpent_render(const serpent_model* model, int sample_rate, size_t frames, const float* const* in, int in_channels,
                              float* const* out, int out_channels, const serpent_render_options* options) {
    return guarded([&] {
        const std::shared_ptr<const Model>& player = required(model, "model").model;
        require_in_range(sample_rate, 1000, 1'000'000, "sample_rate");
        require_in_range(in_channels, 1, most_channels, "in_channels");
        const int expected = player->config.channels == 1 ? in_channels : player->config.channels;
        if (out_channels != expected)
            throw Misuse("out_channels is " + std::to_string(out_channels) + "; this model makes " + std::to_string(expected) +
                         " channels of " + std::to_string(in_channels) + ".");
        if (!all_there(in, in_channels)) throw Misuse("in, or one of its channels, is null.");
        if (!all_there(out, out_channels)) throw Misuse("out, or one of its channels, is null.");
        if (frames > std::numeric_limits<std::size_t>::max() / sizeof(float) / 2)
            throw Misuse("frames is " + std::to_string(frames) + "; no memory holds so many.");
        const RendererOptions checked = renderer_options(*player, options);
        if (frames == 0) return;
        AudioBuffer audio{.sample_rate = sample_rate};
        for (int c = 0; c < in_channels; ++c) audio.channels.emplace_back(in[c], in[c] + frames);
        const AudioBuffer rendered = render_audio(player, audio, checked);
        for (int c = 0; c < out_channels; ++c) std::ranges::copy(rendered.channels.at(static_cast<std::size_t>(c)), out[c]);
    });
}

serpent_status serpent_esr(const float* target, const float* prediction, size_t frames, double* esr) {
    return guarded([&] {
        required(esr, "esr");
        if (!target || !prediction) throw Misuse("target or prediction is null.");
        *esr = serpent::esr({target, frames}, {prediction, frames});
    });
}
