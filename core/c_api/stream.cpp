// SPDX-License-Identifier: MIT
#include "c_api/handles.h"

#include <cmath>

using namespace serpent;
using namespace serpent::c_api;

namespace {

constexpr int most_instances = 64, longest_block = 1 << 20;

StreamOptions stream_options(const serpent_stream_options* given) {
    const serpent_stream_options options = known_options(given);
    require_in_range(options.instances, 0, most_instances, "options.instances");
    require_in_range(options.rate_mode, SERPENT_RATE_SCALE_STEPS, SERPENT_RATE_RESAMPLE, "options.rate_mode");
    if (options.oversampling != 0 && options.oversampling != 1 && options.oversampling != 2 && options.oversampling != 4)
        throw Misuse("options.oversampling is " + std::to_string(options.oversampling) + "; it must be 1, 2 or 4, or 0 for 1.");
    return {.initial_state = initial_state(options.start),
            .instances = options.instances == 0 ? 1 : options.instances,
            .rate_mode = options.rate_mode == SERPENT_RATE_RESAMPLE ? RateMode::resample : RateMode::scale_dt,
            .oversampling = options.oversampling == 0 ? 1 : options.oversampling};
}

void require_playable(double sample_rate, int max_block) {
    if (!(sample_rate >= 1e3 && sample_rate <= 1e6))
        throw Misuse("sample_rate is " + std::to_string(sample_rate) + " Hz; it must lie between 1 kHz and 1 MHz.");
    require_in_range(max_block, 1, longest_block, "max_block");
}

} // namespace

serpent_status serpent_stream_create(const serpent_model* model, double sample_rate, int max_block,
                                     const serpent_stream_options* options, serpent_stream** stream) {
    if (stream) *stream = nullptr;
    return guarded([&] {
        required(stream, "stream");
        required(model, "model");
        require_playable(sample_rate, max_block);
        const StreamOptions checked = stream_options(options);
        auto made = std::make_unique<serpent_stream>(serpent_stream{Stream(model->model, checked), checked.instances});
        made->stream.prepare(sample_rate, max_block);
        *stream = made.release();
    });
}

void serpent_stream_free(serpent_stream* stream) { delete stream; }

serpent_status serpent_stream_prepare(serpent_stream* stream, double sample_rate, int max_block) {
    return guarded([&] {
        required(stream, "stream");
        require_playable(sample_rate, max_block);
        stream->stream.prepare(sample_rate, max_block);
    });
}

int serpent_stream_channels(const serpent_stream* stream) { return stream ? stream->stream.channels() : 0; }
int serpent_stream_latency(const serpent_stream* stream) { return stream ? stream->stream.latency_samples() : 0; }

serpent_status serpent_stream_process(serpent_stream* stream, const float* const* in, float* const* out, int frames) {
    if (!stream || frames < 0) return SERPENT_INVALID_ARGUMENT;
    const int channels = stream->stream.channels();
    if (!all_there(in, channels) || !all_there(out, channels)) return SERPENT_INVALID_ARGUMENT;
    stream->stream.process(in, out, frames);
    return SERPENT_OK;
}

void serpent_stream_set_control(serpent_stream* stream, int control, float value) {
    if (stream) stream->stream.set_control(control, value);
}

void serpent_stream_reset(serpent_stream* stream) {
    if (stream) stream->stream.reset();
}
