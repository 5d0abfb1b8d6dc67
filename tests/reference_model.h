// SPDX-License-Identifier: GPL-3.0-or-later
// A whole effect model in float64, sample by sample in the plainest order: what every fast path must answer.
#pragma once

#include "equations/block.h"
#include "equations/film.h"
#include "equations/fir.h"
#include "equations/output_bound.h"
#include "equations/rms_norm.h"
#include "equations/time_invariant_scan.h"
#include "serpent/model.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace serpent::test {

/// The running state in double; the layout is serpent::State's.
struct ReferenceState {
    std::vector<double> conv, h, fir_in, fir_out;
};

class ReferenceModel {
public:
    /// controls: model units, one value per control; empty: defaults.
    explicit ReferenceModel(const Model& model, const std::vector<float>& controls = {}) : config_(model.config) {
        const Weights& w = model.weights;
        encoder_weight_ = doubles(w.encoder_weight), encoder_bias_ = doubles(w.encoder_bias);
        decoder_weight_ = doubles(w.decoder_weight), decoder_bias_ = doubles(w.decoder_bias);
        norm_f_ = doubles(w.norm_f), skip_ = doubles(w.skip);
        fir_in_ = doubles(w.fir_in), fir_out_ = doubles(w.fir_out);
        for (const LayerWeights& layer : w.layers)
            layers_.push_back(make_layer(layer));
        if (!config_.controls.empty())
            set_film(w, controls);
        reset();
    }

    /// Back to the zero state.
    void reset() {
        set_state(zero_state(config_));
    }
    const ReferenceState& state() const { return state_; }
    void set_state(const State& state) {
        state_ = {doubles(state.conv), doubles(state.h), doubles(state.fir_in), doubles(state.fir_out)};
    }

    /// Interleaved audio, any number of frames; the state carries over from call to call.
    template <class T>
    std::vector<double> process(const std::vector<T>& audio) {
        const std::vector<double> in(audio.begin(), audio.end());
        std::vector<double> out;
        const std::size_t channels = size(config_.channels), block_size = 1024 * channels; // bounds the tape's memory
        for (std::size_t at = 0; at < in.size(); at += block_size) {
            const auto begin = in.begin() + static_cast<std::ptrdiff_t>(at);
            const auto end = in.begin() + static_cast<std::ptrdiff_t>(std::min(at + block_size, in.size()));
            const std::vector<double> piece = process_block({begin, end});
            out.insert(out.end(), piece.begin(), piece.end());
        }
        return out;
    }

private:
    struct Layer {
        kernels::BlockFields<std::vector<double>> weights;
        std::vector<double> film_scale, film_shift; // empty without controls

        equations::BlockParameters<const double> parameters() const {
            equations::BlockParameters<const double> p;
            for (std::size_t i = 0; i < std::size(LayerWeights::members); ++i) {
                const std::vector<double>& v = weights.*kernels::BlockFields<std::vector<double>>::members[i];
                p.*equations::BlockParameters<const double>::members[i] = v.empty() ? nullptr : v.data();
            }
            return p;
        }
    };

    static std::size_t size(int n) { return static_cast<std::size_t>(n); }
    static std::vector<double> doubles(std::span<const float> v) { return {v.begin(), v.end()}; }
    static Layer make_layer(const LayerWeights& w) {
        Layer layer;
        for (std::size_t i = 0; i < std::size(LayerWeights::members); ++i)
            layer.weights.*kernels::BlockFields<std::vector<double>>::members[i] = doubles(w.*LayerWeights::members[i]);
        return layer;
    }

    void set_film(const Weights& w, const std::vector<float>& controls) {
        std::vector<double> v;
        for (std::size_t i = 0; i < config_.controls.size(); ++i) {
            const Control& control = config_.controls[i];
            const double value = controls.empty() ? control.default_value : controls.at(i);
            const double low = control.min, high = control.max;
            v.push_back(2 * (std::clamp(value, low, high) - low) / (high - low) - 1);
        }
        const equations::FilmShape shape{v.size(), size(film_hidden), size(config_.d_model)};
        const auto hidden_weight = doubles(w.film_hidden_weight), hidden_bias = doubles(w.film_hidden_bias);
        for (std::size_t i = 0; i < layers_.size(); ++i) {
            const auto weight = doubles(w.layers[i].film_weight), bias = doubles(w.layers[i].film_bias);
            layers_[i].film_scale.resize(shape.channels);
            layers_[i].film_shift.resize(shape.channels);
            equations::film_coefficients<double>(
                shape, v.data(), {hidden_weight.data(), hidden_bias.data(), weight.data(), bias.data()},
                layers_[i].film_scale.data(), layers_[i].film_shift.data());
        }
    }

    void add_layer(std::size_t index, std::size_t length, std::vector<double>& e) {
        const Layer& layer = layers_[index];
        const std::size_t width = size(config_.d_model);
        std::vector<double> u(e.size()), out(e.size());
        equations::rms_norm(length, width, e.data(), layer.weights.norm.data(), u.data());
        if (!layer.film_scale.empty())
            equations::film(length, width, u.data(), layer.film_scale.data(), layer.film_shift.data(), u.data());
        const kernels::BlockShape block = config_.block(static_cast<int>(index));
        double* conv = state_.conv.data();
        double* h = state_.h.data();
        for (int l = 0; l < static_cast<int>(index); ++l) {
            conv += config_.block(l).conv_floats();
            h += config_.block(l).h_floats();
        }
        if (block.kind == BlockKind::time_invariant)
            time_invariant_block(block, layer, length, u, conv, h, out);
        else
            equations::block<double>(equations::BlockShape::of(block, length), u.data(), layer.parameters(), {conv, h}, out.data(), {conv, h});
        for (std::size_t i = 0; i < e.size(); ++i)
            e[i] += out[i];
    }

    static void time_invariant_block(const kernels::BlockShape& b, const Layer& layer, std::size_t length, const std::vector<double>& u,
                                     double* conv, double* h, std::vector<double>& out) {
        const auto shape = equations::BlockShape{length, size(b.d_model), size(b.d_inner), size(b.d_state), size(b.d_conv), 0, false,
                                                 equations::InputRule::euler, size(b.dilation)};
        const auto p = layer.parameters();
        const std::size_t d = shape.d_inner;
        std::vector<double> xz(length * 2 * d), x(length * d), y(x.size());
        equations::linear<double>(shape.in_proj(), u.data(), p.in_proj, p.in_proj_bias, xz.data());
        const auto x_in = equations::take_columns(xz, 2 * d, 0, d), z = equations::take_columns(xz, 2 * d, d, d);
        equations::conv1d(shape.conv(), x_in.data(), p.conv_weight, p.conv_bias, static_cast<const double*>(conv), x.data(), conv);
        equations::silu(x.size(), x.data(), x.data());
        equations::time_invariant_scan<double>({length, d, size(b.pairs())}, x.data(), {p.A_log, p.A_imag, p.C, p.D}, h, y.data(), h);
        equations::gate(y.size(), y.data(), z.data(), y.data());
        equations::linear<double>(shape.out_proj(), y.data(), p.out_proj, p.out_proj_bias, out.data());
    }

    /// Interleaved audio through a filter for each channel; the history moves on.
    std::vector<double> filtered(const std::vector<double>& audio, const std::vector<double>& weight, std::vector<double>& history) const {
        const std::size_t channels = size(config_.channels), length = audio.size() / channels, taps = weight.size() / channels;
        if (taps == 0) return audio;
        std::vector<double> out(audio.size());
        for (std::size_t c = 0; c < channels; ++c) {
            const std::vector<double> one = equations::take_columns(audio, channels, c, 1);
            std::vector<double> y(length);
            double* const past = history.data() + c * (taps - 1);
            equations::fir(length, taps, one.data(), weight.data() + c * taps, static_cast<const double*>(past), y.data(), past);
            equations::put_columns(y, 1, c, channels, out);
        }
        return out;
    }

    std::vector<double> process_block(const std::vector<double>& audio) {
        const std::vector<double> in = filtered(audio, fir_in_, state_.fir_in);
        const std::size_t channels = size(config_.channels), width = size(config_.d_model);
        const std::size_t length = in.size() / channels;
        std::vector<double> e(length * width), out(in.size());
        equations::linear<double>({length, channels, width}, in.data(), encoder_weight_.data(), encoder_bias_.data(),
                                  e.data());
        for (std::size_t i = 0; i < layers_.size(); ++i)
            add_layer(i, length, e);
        if (config_.final_norm)
            equations::rms_norm(length, width, e.data(), norm_f_.data(), e.data());
        equations::linear<double>({length, width, channels}, e.data(), decoder_weight_.data(), decoder_bias_.data(),
                                  out.data());
        if (config_.skip)
            for (std::size_t i = 0; i < out.size(); ++i)
                out[i] += skip_[i % channels] * in[i];
        out = filtered(out, fir_out_, state_.fir_out);
        const equations::OutputBound<double> bound(config_.output_peak);
        for (double& y : out)
            y = bound(y);
        return out;
    }

    ModelConfig config_;
    std::vector<double> encoder_weight_, encoder_bias_, decoder_weight_, decoder_bias_, norm_f_, skip_, fir_in_, fir_out_;
    std::vector<Layer> layers_;
    ReferenceState state_;
};

} // namespace serpent::test
