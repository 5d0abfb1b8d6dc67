// SPDX-License-Identifier: MIT
#include "serpent/render_file.h"

#include "audio/resampler.h"
#include "model/as_error.h"
#include "render/channel_renderer.h"
#include "serpent/errors.h"
#include "serpent/nam.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <string>
#include <utility>

namespace serpent {

using audio::Planar;

namespace {

constexpr double shortest_warm_up_s = 10.0;
constexpr double longest_warm_up_s = 120.0;
constexpr std::size_t block_samples = std::size_t{1} << 17; // over all channels: what is held at once, a few times over

/// Frames of the input: [warm_up, start) only sets the state, [start, end) is rendered, and resampling filters still
/// hear what comes before read_end.
struct Section {
    std::int64_t warm_up = 0, start = 0, end = 0, read_end = 0;
};

std::string seconds_text(double seconds) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3f s", seconds);
    return text;
}

void require_sane(const RenderFileOptions& options) {
    if (!(options.mix >= 0.0 && options.mix <= 1.0)) throw Error("the mix must be between 0 and 1");
    for (const double gain_db : {options.input_db, options.output_db}) {
        if (!(std::abs(gain_db) <= 200.0)) throw Error("a gain must be between -200 and 200 dB");
    }
    if (!(options.start_s >= 0.0)) throw Error("the start must be 0 s or later");
    if (options.end_s && !(*options.end_s > options.start_s)) throw Error("the end must be later than the start");
}

void require_other_file(const std::filesystem::path& input, const std::filesystem::path& output) {
    std::error_code none_there;
    if (std::filesystem::equivalent(input, output, none_there)) {
        throw Error("cannot write " + output.string() + ": it is the input itself; choose another name or folder");
    }
}

Section section_of(const AudioReader& reader, const Model& model, const std::filesystem::path& input,
                   const RenderFileOptions& options) {
    const int rate_hz = reader.format().sample_rate;
    const double length_s = static_cast<double>(reader.frames()) / rate_hz;
    if (options.start_s >= length_s) {
        throw Error(input.string() + " is only " + seconds_text(length_s) + " long; start before its end");
    }
    Section section;
    section.start = std::min<std::int64_t>(std::llround(options.start_s * rate_hz), reader.frames() - 1);
    section.end = reader.frames();
    if (options.end_s && *options.end_s < length_s) {
        section.end = std::max<std::int64_t>(std::llround(*options.end_s * rate_hz), section.start + 1);
    }
    // Twice the estimate, because the signal can slow a selective state down.
    const double warm_up_s = std::clamp(2.0 * memory_s(model), shortest_warm_up_s, longest_warm_up_s);
    const std::int64_t earliest = section.start - static_cast<std::int64_t>(std::ceil(warm_up_s * rate_hz));
    // Resampled audio then falls on the same instants of the model's clock as in a render of the whole file.
    const std::int64_t period = rate_hz / std::gcd(rate_hz, model.config.sample_rate);
    section.warm_up = std::max<std::int64_t>(0, earliest) / period * period;
    section.read_end = std::min(reader.frames(), section.end + rate_hz / 10);
    return section;
}

float gain(double gain_db) { return static_cast<float>(std::pow(10.0, gain_db / 20.0)); }

/// One file on its way through the model.
class FileRender {
public:
    FileRender(const std::shared_ptr<const Model>& model, const std::filesystem::path& input,
               const std::filesystem::path& output, const RenderFileOptions& options)
        : input_(input), output_(output), options_(options), reader_(input),
          section_(section_of(reader_, *model, input, options)),
          renderer_(channel_renderer(model)), writer_(writer()) {
        report_.input = reader_.format();
        report_.note = reader_.note();
        report_.threads = renderer_.threads();
        report_.frames = section_.end - section_.start;
        report_.warm_up_s = static_cast<double>(section_.start - section_.warm_up) / reader_.format().sample_rate;
        report_.warm = section_.warm_up == 0 || memory_s(*model) <= report_.warm_up_s;
    }

    RenderFileReport run() {
        const auto begin = std::chrono::steady_clock::now();
        const std::size_t channels = static_cast<std::size_t>(reader_.format().channels);
        const std::size_t block = std::max<std::size_t>(block_samples / channels, 1024);
        std::vector<float> interleaved(block * channels);
        Planar in(channels);
        dry_.resize(channels);
        wet_.resize(static_cast<std::size_t>(renderer_.out_channels()));
        reader_.seek(section_.warm_up);
        while (reader_.position() < section_.read_end) {
            const std::int64_t left = section_.read_end - reader_.position();
            const std::size_t wanted = std::min(block, static_cast<std::size_t>(left));
            take(interleaved, reader_.read(interleaved.data(), wanted), in);
            renderer_.process(in, wet_);
            give();
            report_progress();
        }
        renderer_.finish(wet_);
        give();
        writer_.commit();
        report_.saturated = writer_.saturated();
        report_.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        return report_;
    }

private:
    ChannelRenderer channel_renderer(const std::shared_ptr<const Model>& model) const {
        try {
            return ChannelRenderer(model, options_.renderer, reader_.format().sample_rate, reader_.format().channels);
        } catch (const Error& error) {
            throw Error("cannot render " + input_.string() + ": " + error.what());
        }
    }

    AudioWriter writer() {
        AudioFormat format = reader_.format();
        format.channels = renderer_.out_channels();
        if (options_.subtype) format.subtype = *options_.subtype;
        else format = closest_format(output_, format);
        report_.output = format;
        AudioWriter fresh(output_, format, section_.end - section_.start);
        report_.not_kept = fresh.keep_metadata(reader_, section_.start, section_.end - section_.start);
        return fresh;
    }

    /// n interleaved frames: as they are for the mix, with the input's gain for the model.
    void take(const std::vector<float>& interleaved, std::size_t n, Planar& in) {
        const std::size_t channels = in.size();
        const float in_gain = gain(options_.input_db);
        for (std::size_t c = 0; c < channels; ++c) {
            in[c].resize(n);
            for (std::size_t i = 0; i < n; ++i) in[c][i] = interleaved[i * channels + c];
            if (options_.mix < 1.0) dry_[c].insert(dry_[c].end(), in[c].begin(), in[c].end());
            for (float& x : in[c]) x *= in_gain;
        }
    }

    /// Mixes and writes all that the model has answered so far.
    void give() {
        const std::size_t channels = wet_.size();
        const std::size_t n = wet_.front().size();
        const float out_gain = gain(options_.output_db);
        const float wet_share = static_cast<float>(options_.mix), dry_share = static_cast<float>(1.0 - options_.mix);
        mixed_.resize(n * channels);
        for (std::size_t c = 0; c < channels; ++c) {
            for (std::size_t i = 0; i < n; ++i) mixed_[i * channels + c] = wet_share * wet_[c][i];
            wet_[c].clear();
            if (options_.mix == 1.0) continue;
            const std::vector<float>& dry = dry_[c % dry_.size()];
            for (std::size_t i = 0; i < n; ++i) mixed_[i * channels + c] += dry_share * dry[i];
        }
        if (options_.mix < 1.0) {
            for (std::vector<float>& dry : dry_) dry.erase(dry.begin(), dry.begin() + static_cast<std::ptrdiff_t>(n));
        }
        for (float& x : mixed_) x *= out_gain;
        write(n);
    }

    void write(std::size_t n) {
        const std::size_t channels = wet_.size();
        const std::int64_t now = section_.warm_up + answered_, frames = static_cast<std::int64_t>(n);
        const std::size_t begin = static_cast<std::size_t>(std::clamp<std::int64_t>(section_.start - now, 0, frames));
        const std::size_t end = static_cast<std::size_t>(std::clamp<std::int64_t>(section_.end - now, 0, frames));
        float peak = 0.0f;
        bool finite = true;
        for (std::size_t i = begin * channels; i < end * channels; ++i) {
            peak = std::max(peak, std::abs(mixed_[i]));
            finite = finite && std::isfinite(mixed_[i]);
        }
        if (!finite) {
            throw Error("cannot render " + input_.string() + ": the model's output is not finite near " +
                        seconds_text(static_cast<double>(now) / report_.input.sample_rate) +
                        "; lower --input-db or train the model again");
        }
        report_.peak = std::max(report_.peak, static_cast<double>(peak));
        writer_.write(mixed_.data() + begin * channels, end - begin);
        answered_ += frames;
    }

    void report_progress() const {
        if (!options_.on_progress) return;
        const double done = static_cast<double>(reader_.position() - section_.warm_up);
        if (options_.on_progress(done / static_cast<double>(section_.read_end - section_.warm_up))) return;
        throw Interrupted("interrupted; " + output_.string() + " was not written");
    }

    const std::filesystem::path& input_;
    const std::filesystem::path& output_;
    const RenderFileOptions& options_;
    RenderFileReport report_;
    AudioReader reader_;
    Section section_;
    ChannelRenderer renderer_;
    AudioWriter writer_;
    Planar dry_, wet_;            // dry_: what the model has not answered yet
    std::vector<float> mixed_;    // interleaved
    std::int64_t answered_ = 0;   // frames since section_.warm_up
};

} // namespace

double memory_s(const Model& model) {
    constexpr double usual_lstm_s = 5.0;
    if (model.nam) return model.nam->reach > 0 ? double(model.nam->reach) / model.config.sample_rate : usual_lstm_s;
    double longest_samples = 0.0;
    for (const LayerWeights& layer : model.weights.layers) {
        const std::size_t channels = layer.dt_proj_bias.size();
        const std::size_t decays = layer.A_log.size() / std::max<std::size_t>(channels, 1);
        for (std::size_t c = 0; c < channels; ++c) {
            const auto first = layer.A_log.begin() + static_cast<std::ptrdiff_t>(c * decays);
            const double slowest = std::exp(*std::min_element(first, first + static_cast<std::ptrdiff_t>(decays)));
            const double step = std::log1p(std::exp(static_cast<double>(layer.dt_proj_bias[c])));
            longest_samples = std::max(longest_samples, 1.0 / (step * slowest));
        }
    }
    return 12.0 * longest_samples / model.config.sample_rate;
}

RenderFileReport render_file(std::shared_ptr<const Model> model, const std::filesystem::path& input,
                             const std::filesystem::path& output, const RenderFileOptions& options) {
    required(model, "render_file() needs a model", "load one with Model::load()");
    require_sane(options);
    require_other_file(input, output);
    return FileRender(model, input, output, options).run();
}

} // namespace serpent
