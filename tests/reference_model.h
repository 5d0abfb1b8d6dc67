// SPDX-License-Identifier: GPL-3.0-or-later
// A whole effect model in float64, sample by sample in the plainest order: what every fast path must answer.
#pragma once

#include "reference/block.h"
#include "reference/film.h"
#include "reference/output_bound.h"
#include "reference/rms_norm.h"
#include "serpent/model.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace serpent::test {

/// The running state in double; the layout is serpent::State's.
struct ReferenceState {
    std::vector<double> conv, h;
};

class ReferenceModel {
public:
    /// controls: model units, one value per control; empty: defaults.
    explicit ReferenceModel(const Model& model, const std::vector<float>& controls = {}) : config_(model.config) {
        const Weights& w = model.weights;
        encoder_weight_ = doubles(w.encoder_weight), encoder_bias_ = doubles(w.encoder_bias);
        decoder_weight_ = doubles(w.decoder_weight), decoder_bias_ = doubles(w.decoder_bias);
        norm_f_ = doubles(w.norm_f), skip_ = doubles(w.skip);
        for (const LayerWeights& layer : w.layers)
            layers_.push_back(make_layer(layer));
        if (!config_.controls.empty())
            set_film(w, controls);
        reset();
    }

    /// Back to the zero state.
    void reset() {
        state_.conv.assign(layers_.size() * history_size(), 0.0);
        state_.h.assign(layers_.size() * h_size(), 0.0);
    }
    const ReferenceState& state() const { return state_; }
    void set_state(const State& state) {
        state_ = {{state.conv.begin(), state.conv.end()}, {state.h.begin(), state.h.end()}};
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
        std::vector<double> norm, in_proj, in_proj_bias, conv_weight, conv_bias, x_proj, x_proj_bias, dt_proj,
            dt_proj_bias, A_log, D, out_proj, out_proj_bias;
        std::vector<double> film_scale, film_shift; // empty without controls

        reference::BlockParameters<const double> parameters() const {
            const auto optional = [](const std::vector<double>& v) { return v.empty() ? nullptr : v.data(); };
            return {in_proj.data(), optional(in_proj_bias), conv_weight.data(), conv_bias.data(),
                    x_proj.data(), optional(x_proj_bias), dt_proj.data(), dt_proj_bias.data(),
                    A_log.data(), D.data(), out_proj.data(), optional(out_proj_bias)};
        }
    };

    static std::size_t size(int n) { return static_cast<std::size_t>(n); }
    static std::vector<double> doubles(const std::vector<float>& v) { return {v.begin(), v.end()}; }
    static Layer make_layer(const LayerWeights& w) {
        return {doubles(w.norm), doubles(w.in_proj), doubles(w.in_proj_bias), doubles(w.conv_weight),
                doubles(w.conv_bias), doubles(w.x_proj), doubles(w.x_proj_bias), doubles(w.dt_proj),
                doubles(w.dt_proj_bias), doubles(w.A_log), doubles(w.D), doubles(w.out_proj),
                doubles(w.out_proj_bias), {}, {}};
    }
    std::size_t history_size() const { return size(config_.d_conv - 1) * size(config_.d_inner()); }
    std::size_t h_size() const { return size(config_.d_inner()) * size(config_.d_state); }

    void set_film(const Weights& w, const std::vector<float>& controls) {
        std::vector<double> v;
        for (std::size_t i = 0; i < config_.controls.size(); ++i) {
            const Control& control = config_.controls[i];
            const double value = controls.empty() ? control.default_value : controls.at(i);
            const double low = control.min, high = control.max;
            v.push_back(2 * (std::clamp(value, low, high) - low) / (high - low) - 1);
        }
        const reference::FilmShape shape{v.size(), size(film_hidden), size(config_.d_model)};
        const auto hidden_weight = doubles(w.film_hidden_weight), hidden_bias = doubles(w.film_hidden_bias);
        for (std::size_t i = 0; i < layers_.size(); ++i) {
            const auto weight = doubles(w.layers[i].film_weight), bias = doubles(w.layers[i].film_bias);
            layers_[i].film_scale.resize(shape.channels);
            layers_[i].film_shift.resize(shape.channels);
            reference::film_coefficients<double>(
                shape, v.data(), {hidden_weight.data(), hidden_bias.data(), weight.data(), bias.data()},
                layers_[i].film_scale.data(), layers_[i].film_shift.data());
        }
    }

    void add_layer(std::size_t index, std::size_t length, std::vector<double>& e) {
        const Layer& layer = layers_[index];
        const std::size_t width = size(config_.d_model);
        std::vector<double> u(e.size()), out(e.size());
        reference::rms_norm(length, width, e.data(), layer.norm.data(), u.data());
        if (!layer.film_scale.empty())
            reference::film(length, width, u.data(), layer.film_scale.data(), layer.film_shift.data(), u.data());
        const reference::BlockShape shape{length, width, size(config_.d_inner()), size(config_.d_state),
                                          size(config_.d_conv), size(config_.dt_rank), config_.a == DecayShape::tied,
                                          config_.b_bar == BBar::ema ? reference::InputRule::ema
                                                                     : reference::InputRule::euler};
        double* conv = state_.conv.data() + index * history_size();
        double* h = state_.h.data() + index * h_size();
        reference::block<double>(shape, u.data(), layer.parameters(), {conv, h}, out.data(), {conv, h});
        for (std::size_t i = 0; i < e.size(); ++i)
            e[i] += out[i];
    }

    std::vector<double> process_block(const std::vector<double>& in) {
        const std::size_t channels = size(config_.channels), width = size(config_.d_model);
        const std::size_t length = in.size() / channels;
        std::vector<double> e(length * width), out(in.size());
        reference::linear<double>({length, channels, width}, in.data(), encoder_weight_.data(), encoder_bias_.data(),
                                  e.data());
        for (std::size_t i = 0; i < layers_.size(); ++i)
            add_layer(i, length, e);
        if (config_.final_norm)
            reference::rms_norm(length, width, e.data(), norm_f_.data(), e.data());
        reference::linear<double>({length, width, channels}, e.data(), decoder_weight_.data(), decoder_bias_.data(),
                                  out.data());
        if (config_.skip)
            for (std::size_t i = 0; i < out.size(); ++i)
                out[i] += skip_[i % channels] * in[i];
        const reference::OutputBound<double> bound(config_.output_peak);
        for (double& y : out)
            y = bound(y);
        return out;
    }

    ModelConfig config_;
    std::vector<double> encoder_weight_, encoder_bias_, decoder_weight_, decoder_bias_, norm_f_, skip_;
    std::vector<Layer> layers_;
    ReferenceState state_;
};

} // namespace serpent::test
