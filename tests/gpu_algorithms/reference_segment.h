// SPDX-License-Identifier: GPL-3.0-or-later
// A training segment of any model in float64, sample by sample: loss, gradient and end state from the reference operators. Without
// controls.
#pragma once

#include "equations/block.h"
#include "equations/fir.h"
#include "equations/linear.h"
#include "equations/rms_norm.h"
#include "equations/time_invariant_scan.h"
#include "gpu/model_layout.h"
#include "gpu_algorithms/segment_case.h"

namespace serpent::test {

/// One lane. Signals are interleaved.
class ReferenceSegment {
public:
    using Doubles = std::vector<double>;

    ReferenceSegment(SegmentCase& c, std::size_t lane)
        : c_(c), lane_(lane), config_(c.model.config), layout_(device_layout(config_, c.model.weights)), steps_(size(c.steps)),
          channels_(size(config_.channels)), width_(size(config_.d_model)), gradient(layout_.parameters) {
        const std::vector<float>& flat = c.model.weights.values;
        parameters_.assign(flat.begin(), flat.end());
        const State& s = c.start[lane];
        conv_.assign(s.conv.begin(), s.conv.end()), h_.assign(s.h.begin(), s.h.end());
        fir_in_.assign(s.fir_in.begin(), s.fir_in.end()), fir_out_.assign(s.fir_out.begin(), s.fir_out.end());
        dry_ = interleaved(c.dry[lane]), wet_ = interleaved(c.wet[lane]);
    }

    void run(const SegmentLoss& scored_by) {
        const auto& at = layout_.model;
        const Doubles in = filtered(dry_, at.fir_in, fir_in_);
        stream_.assign(1, Doubles(steps_ * width_));
        equations::linear<double>({steps_, channels_, width_}, in.data(), p(at.encoder_weight), p(at.encoder_bias), stream_[0].data());
        for (std::size_t l = 0; l < layout_.layers.size(); ++l) forward(l);
        Doubles normed = stream_.back(), answer(steps_ * channels_);
        if (at.norm_f >= 0) equations::rms_norm(steps_, width_, stream_.back().data(), p(at.norm_f), normed.data());
        const equations::LinearShape decoder{steps_, width_, channels_};
        equations::linear<double>(decoder, normed.data(), p(at.decoder_weight), p(at.decoder_bias), answer.data());
        for (std::size_t i = 0; at.skip >= 0 && i < answer.size(); ++i) answer[i] += p(at.skip)[i % channels_] * in[i];
        const Doubles dout = score(filtered(answer, at.fir_out, fir_out_), scored_by);

        const Doubles danswer = filter_back(answer, at.fir_out, c_.start[lane_].fir_out, dout);
        Doubles din(in.size()), dnormed(normed.size()), de(normed.size());
        for (std::size_t i = 0; at.skip >= 0 && i < danswer.size(); ++i) {
            g(at.skip)[i % channels_] += danswer[i] * in[i];
            din[i] += p(at.skip)[i % channels_] * danswer[i];
        }
        equations::linear_backward<double>(decoder, normed.data(), p(at.decoder_weight), danswer.data(), dnormed.data(), g(at.decoder_weight),
                                           g(at.decoder_bias));
        if (at.norm_f >= 0)
            equations::rms_norm_backward(steps_, width_, stream_.back().data(), p(at.norm_f), dnormed.data(), de.data(), g(at.norm_f));
        else de = dnormed;
        for (std::size_t l = layout_.layers.size(); l-- > 0;) backward(l, de);
        equations::linear_backward<double>({steps_, channels_, width_}, in.data(), p(at.encoder_weight), de.data(), din.data(),
                                           g(at.encoder_weight), g(at.encoder_bias));
        filter_back(dry_, at.fir_in, c_.start[lane_].fir_in, din);
    }

    Doubles end() const {
        Doubles all;
        for (const Doubles* part : {&conv_, &h_, &fir_in_, &fir_out_}) all.insert(all.end(), part->begin(), part->end());
        return all;
    }

private:
    struct Tape {
        Doubles u;
        equations::BlockTape<double> tape;
    };

    static std::size_t size(int n) { return static_cast<std::size_t>(n); }
    const double* p(int place) const { return place < 0 ? nullptr : parameters_.data() + place; }
    double* g(int place) { return place < 0 ? nullptr : gradient.data() + place; }

    Doubles interleaved(const std::vector<float>& planar) const {
        Doubles out(planar.size());
        for (std::size_t i = 0; i < planar.size(); ++i) out[i % steps_ * channels_ + i / steps_] = static_cast<double>(planar[i]);
        return out;
    }

    equations::BlockParameters<const double> parameters(std::size_t l) const {
        equations::BlockParameters<const double> to;
        for (std::size_t i = 0; i < std::size(LayerWeights::members); ++i)
            to.*equations::BlockParameters<const double>::members[i] = p(layout_.layers[l].*kernels::BlockFields<int>::members[i]);
        return to;
    }
    equations::BlockParameters<double> gradients(std::size_t l) {
        equations::BlockParameters<double> to;
        for (std::size_t i = 0; i < std::size(LayerWeights::members); ++i)
            to.*equations::BlockParameters<double>::members[i] = g(layout_.layers[l].*kernels::BlockFields<int>::members[i]);
        return to;
    }
    const kernels::BlockShape& block(std::size_t l) const { return layout_.shape.blocks[l]; }
    std::size_t state_at(std::size_t l, int (kernels::BlockShape::*floats)() const) const {
        std::size_t at = 0;
        for (std::size_t i = 0; i < l; ++i) at += size((block(i).*floats)());
        return at;
    }
    equations::BlockShape shape(std::size_t l) const {
        kernels::BlockShape b = block(l);
        if (b.kind == BlockKind::time_invariant) b.kind = BlockKind::selective;  // for its other parts
        return equations::BlockShape::of(b, steps_);
    }
    equations::TimeInvariantShape oscillators(std::size_t l) const { return {steps_, size(block(l).d_inner), size(block(l).pairs())}; }

    void forward(std::size_t l) {
        Tape t{Doubles(steps_ * width_), {}};
        const auto w = parameters(l);
        Doubles out(steps_ * width_);
        equations::rms_norm(steps_, width_, stream_[l].data(), w.norm, t.u.data());
        double* const conv = conv_.data() + state_at(l, &kernels::BlockShape::conv_floats);
        double* const h = h_.data() + state_at(l, &kernels::BlockShape::h_floats);
        const equations::BlockShape s = shape(l);
        if (block(l).kind == BlockKind::time_invariant) {
            const std::size_t d = s.d_inner, n = steps_ * d;
            equations::BlockTape<double>& tape = t.tape;
            Doubles xz(2 * n);
            tape.x_conv.resize(n), tape.x.resize(n), tape.y.resize(n), tape.gated.resize(n);
            equations::linear(s.in_proj(), t.u.data(), w.in_proj, w.in_proj_bias, xz.data());
            tape.x_in = equations::take_columns(xz, 2 * d, 0, d), tape.z = equations::take_columns(xz, 2 * d, d, d);
            equations::conv1d(s.conv(), tape.x_in.data(), w.conv_weight, w.conv_bias, static_cast<const double*>(conv), tape.x_conv.data(), conv);
            equations::silu(n, tape.x_conv.data(), tape.x.data());
            equations::time_invariant_scan<double>(oscillators(l), tape.x.data(), {w.A_log, w.A_imag, w.C, w.D}, h, tape.y.data(), h);
            equations::gate(n, tape.y.data(), tape.z.data(), tape.gated.data());
            equations::linear(s.out_proj(), tape.gated.data(), w.out_proj, w.out_proj_bias, out.data());
        } else {
            t.tape = equations::block<double>(s, t.u.data(), w, {conv, h}, out.data(), {conv, h});
        }
        for (std::size_t i = 0; i < out.size(); ++i) out[i] += stream_[l][i];
        stream_.push_back(out);
        tapes_.push_back(t);
    }

    void backward(std::size_t l, Doubles& de) {
        const Tape& t = tapes_[l];
        const auto w = parameters(l);
        const auto to = gradients(l);
        Doubles du(de.size()), start_conv(c_.start[lane_].conv.begin(), c_.start[lane_].conv.end()),
            start_h(c_.start[lane_].h.begin(), c_.start[lane_].h.end());
        const double* const conv = start_conv.data() + state_at(l, &kernels::BlockShape::conv_floats);
        const double* const h = start_h.data() + state_at(l, &kernels::BlockShape::h_floats);
        const equations::BlockShape s = shape(l);
        if (block(l).kind == BlockKind::time_invariant) {
            const std::size_t d = s.d_inner, n = steps_ * d;
            Doubles dgated(n), dy(n), dz(n), dx(n), dx_conv(n), dx_in(n), dxz(2 * n);
            equations::linear_backward(s.out_proj(), t.tape.gated.data(), w.out_proj, de.data(), dgated.data(), to.out_proj, to.out_proj_bias);
            equations::gate_backward(n, t.tape.y.data(), t.tape.z.data(), dgated.data(), dy.data(), dz.data());
            equations::time_invariant_scan_backward<double>(oscillators(l), t.tape.x.data(), {w.A_log, w.A_imag, w.C, w.D}, h, dy.data(), nullptr,
                                                            {dx.data(), to.A_log, to.A_imag, to.C, to.D, nullptr});
            equations::silu_backward(n, t.tape.x_conv.data(), dx.data(), dx_conv.data());
            equations::conv1d_backward<double>(s.conv(), t.tape.x_in.data(), w.conv_weight, conv, dx_conv.data(), nullptr,
                                               {dx_in.data(), to.conv_weight, to.conv_bias, nullptr});
            equations::put_columns(dx_in, d, 0, 2 * d, dxz);
            equations::put_columns(dz, d, d, 2 * d, dxz);
            equations::linear_backward(s.in_proj(), t.u.data(), w.in_proj, dxz.data(), du.data(), to.in_proj, to.in_proj_bias);
        } else {
            equations::block_backward<double>(s, t.u.data(), w, t.tape, {conv, h}, de.data(), {}, du.data(), {}, to);
        }
        equations::rms_norm_backward(steps_, width_, stream_[l].data(), w.norm, du.data(), de.data(), to.norm);
    }

    Doubles filtered(const Doubles& in, int place, Doubles& history) const {
        if (place < 0) return in;
        const std::size_t taps = history.size() / channels_ + 1;
        Doubles out(in.size());
        for (std::size_t c = 0; c < channels_; ++c) {
            const Doubles x = equations::take_columns(in, channels_, c, 1);
            Doubles y(steps_);
            double* const past = history.data() + c * (taps - 1);
            equations::fir(steps_, taps, x.data(), p(place) + c * taps, static_cast<const double*>(past), y.data(), past);
            equations::put_columns(y, 1, c, channels_, out);
        }
        return out;
    }

    Doubles filter_back(const Doubles& in, int place, const std::vector<float>& past, const Doubles& dout) {
        if (place < 0) return dout;
        const std::size_t taps = past.size() / channels_ + 1;
        const Doubles history(past.begin(), past.end());
        Doubles din(in.size());
        for (std::size_t c = 0; c < channels_; ++c) {
            const Doubles x = equations::take_columns(in, channels_, c, 1), dy = equations::take_columns(dout, channels_, c, 1);
            Doubles dx(steps_);
            equations::fir_backward(steps_, taps, x.data(), p(place) + c * taps, history.data() + c * (taps - 1), dy.data(), dx.data(),
                                    g(place) + c * taps);
            equations::put_columns(dx, 1, c, channels_, din);
        }
        return din;
    }

    /// Sets loss and error; returns the slope of the loss.
    Doubles score(const Doubles& out, const SegmentLoss& l) {
        const double plain = l.esr_weight / (l.samples * l.target_power), weight = static_cast<double>(c_.weight[lane_]);
        const double emphasised = l.pre_emphasis_weight / (l.samples * l.pre_emphasised_power);
        Doubles slope(out.size());
        error.assign(c_.previous_error[lane_].begin(), c_.previous_error[lane_].end());
        for (std::size_t i = 0; i < out.size(); ++i) {
            const int unscored = c_.unscored[lane_], t = static_cast<int>(i / channels_);
            const double now = t >= unscored ? out[i] - wet_[i] : 0.0, change = now - 0.85 * error[i % channels_];
            loss += weight * (plain * now * now + emphasised * change * change);
            error[i % channels_] = now;
            if (t >= unscored) slope[i] += 2 * weight * (plain * now + emphasised * change);
            if (t > unscored) slope[i - channels_] -= 2 * weight * emphasised * 0.85 * change;
        }
        return slope;
    }

    SegmentCase& c_;
    std::size_t lane_;
    const ModelConfig& config_;
    kernels::DeviceModelLayout layout_;
    std::size_t steps_, channels_, width_;
    Doubles parameters_, conv_, h_, fir_in_, fir_out_, dry_, wet_;
    std::vector<Doubles> stream_;
    std::vector<Tape> tapes_;

public:
    Doubles gradient, error;
    double loss = 0;
};

inline Answer in_float64(SegmentCase& c) {
    Answer a;
    std::vector<double> gradient;
    for (std::size_t lane = 0; lane < lanes_used; ++lane) {
        ReferenceSegment segment(c, lane);
        segment.run(loss_of(c));
        a.loss += segment.loss;
        gradient.resize(segment.gradient.size());
        for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] += segment.gradient[i];
        const auto end = segment.end();
        a.end.insert(a.end.end(), end.begin(), end.end());
        a.error.insert(a.error.end(), segment.error.begin(), segment.error.end());
    }
    a.gradient.assign(gradient.begin(), gradient.end());
    return a;
}

} // namespace serpent::test
