// SPDX-License-Identifier: MIT
// One layer of a model over one chunk of time, from the residual stream to the residual stream, by a group of lanes: lane c
// is channel c, its states and its share of the weights in registers. Only d_model values per sample are read and written.
//
//   phase 1 (kOutput false)  from h = 0: the chunk's end state and its sum of dt, for carry.h to join
//   phase 3 (kOutput true)   from the true start state: e + block(norm(e))
//
// A chunk looks d_conv - 1 samples back into the one before it and computes their in_proj again, so chunks are independent.
// Shapes    e (length, d_model); states (chunks, d_inner, d_state); dt_sum (chunks, d_inner); history (3, d_inner), oldest first
// Aliasing  e_out may not be e_in: other chunks still read it.
// Limits    d_conv 4, dt_rank 1, d_model <= d_inner <= 32, d_state a multiple of 4; chunks of 4 samples or more.
// Source    docs/architecture.md, "GPU"; kernels/reference/selective_scan_chunked.h is the plain form.
#pragma once

#include "device/group.h"
#include "device/math.h"
#include "reference/rms_norm.h"
#include "reference/scan_step.h"

namespace serpent::kernels::device {

constexpr int power_of_two_from(int n) {
    int p = 1;
    while (p < n) p *= 2;
    return p;
}

template <int kDModel, int kDInner, int kDState, bool kTiedDecay, bool kEmaRule>
struct FusedShape {
    static constexpr int model = kDModel, inner = kDInner, state = kDState, conv = 4;
    static constexpr bool tied = kTiedDecay;
    static constexpr reference::InputRule rule = kEmaRule ? reference::InputRule::ema : reference::InputRule::euler;
    static constexpr int lanes = power_of_two_from(kDInner);
    static constexpr int decays = kTiedDecay ? 1 : kDState;
    static constexpr int rows = (2 * kDState + lanes - 1) / lanes;    ///< outputs of x_proj (B, C) per lane
    static constexpr int model_lanes = power_of_two_from(kDModel);
    static constexpr int parts = lanes / model_lanes;                 ///< lanes that share one output of out_proj
    static constexpr int part = (kDInner + parts - 1) / parts;        ///< channels each of them adds up
    static_assert(kDModel % 4 == 0 && kDInner % 4 == 0 && part % 4 == 0 && kDState % 4 == 0 && kDModel <= lanes && lanes <= 32);

    // Places of a lane's weights, in units of `lanes` floats.
    static constexpr int norm = 0, shift = 1, in_x = 2, in_z = in_x + model, in_x_bias = in_z + model,
                         in_z_bias = in_x_bias + 1, conv_weight = in_z_bias + 1, conv_bias = conv_weight + conv,
                         proj = conv_bias + 1, proj_bias = proj + rows * inner, dt_row = proj_bias + rows,
                         dt_row_bias = dt_row + 1, dt_scale = dt_row_bias + 1, dt_bias = dt_scale + 1, rate = dt_bias + 1,
                         skip = rate + decays, out = skip + 1, out_bias = out + part, weights = out_bias + 1;

    static constexpr int tile_steps = 4;
    static constexpr int u_at = 0, x_at = u_at + tile_steps * model, bc_at = x_at + tile_steps * inner,
                         gated_at = bc_at + tile_steps * 2 * state;
    static constexpr int tile_floats = gated_at + tile_steps * inner + 4;  ///< + 4: neighbouring groups use other banks
};

/// Everything but the chunk's number.
struct FusedLayer {
    const float* weights;      ///< [Shape::weights][lanes], as pack_fused_layer() leaves them
    const float* e_in;
    float* e_out;              ///< phase 3
    const float* history_in;   ///< before the first sample
    float* history_out;        ///< behind the last one; phase 3
    float* states;             ///< end states from zero (phase 1 writes them), start states (phase 3 reads them)
    float* dt_sum;             ///< phase 1
    std::int64_t length;
    int chunk;
};

template <class Shape>
struct FusedLane {
    static constexpr int steps = Shape::tile_steps;
    float norm, shift, in_x[Shape::model], in_z[Shape::model], in_x_bias, in_z_bias;
    float conv[Shape::conv], conv_bias, proj[Shape::rows * Shape::inner], proj_bias[Shape::rows];
    float dt_row, dt_row_bias, dt_scale, dt_bias, rate[Shape::decays], skip, out[Shape::part], out_bias;
    float h[Shape::state], dt_sum, history[Shape::conv - 1];
    float e[steps], next[steps], r[steps], x_in[steps], z[steps], x[steps], dt[steps], y[steps];
};

template <class Shape, bool kOutput, class Group>
class FusedChunk {
public:
    using Lane = FusedLane<Shape>;
    static constexpr int steps = Shape::tile_steps;

    SERPENT_HD FusedChunk(const Group& group, const FusedLayer& layer, std::int64_t chunk, float* tile)
        : group_(group), layer_(layer), chunk_(chunk), begin_(chunk * layer.chunk), tile_(tile),
          end_(begin_ + layer.chunk < layer.length ? begin_ + layer.chunk : layer.length) {}

    SERPENT_HD void run() {
        load_weights();
        load_history();
        fetch(begin_);
        // Chunks behind the end run along: the lanes of a warp stay together.
        for (std::int64_t t = begin_; t < begin_ + layer_.chunk; t += steps) {
            next_tile();
            fetch(t + steps);
            const int valid = end_ - t >= steps ? steps : end_ > t ? static_cast<int>(end_ - t) : 0;
            normalise();
            project_in();
            convolve(valid);
            project_x(valid);
            scan();
            if constexpr (kOutput) project_out(t, valid);
        }
        store();
    }

private:
    SERPENT_HD void load_weights() {
        using S = Shape;
        group_.each(lane_, [&](int lane, Lane& l) {
            const auto at = [&](int place) { return layer_.weights[place * S::lanes + lane]; };
            l.norm = at(S::norm), l.shift = at(S::shift), l.in_x_bias = at(S::in_x_bias), l.in_z_bias = at(S::in_z_bias);
            SERPENT_UNROLL
            for (int m = 0; m < S::model; ++m) l.in_x[m] = at(S::in_x + m);
            SERPENT_UNROLL
            for (int k = 0; k < S::conv; ++k) l.conv[k] = at(S::conv_weight + k);
            l.conv_bias = at(S::conv_bias);
            SERPENT_UNROLL
            for (int i = 0; i < S::rows * S::inner; ++i) l.proj[i] = at(S::proj + i);
            SERPENT_UNROLL
            for (int i = 0; i < S::rows; ++i) l.proj_bias[i] = at(S::proj_bias + i);
            l.dt_row = at(S::dt_row), l.dt_row_bias = at(S::dt_row_bias);
            l.dt_scale = at(S::dt_scale), l.dt_bias = at(S::dt_bias), l.skip = at(S::skip);
            SERPENT_UNROLL
            for (int n = 0; n < S::decays; ++n) l.rate[n] = at(S::rate + n);
            if constexpr (kOutput) {
                SERPENT_UNROLL
                for (int m = 0; m < S::model; ++m) l.in_z[m] = at(S::in_z + m);
                SERPENT_UNROLL
                for (int i = 0; i < S::part; ++i) l.out[i] = at(S::out + i);
                l.out_bias = at(S::out_bias);
            }
            l.dt_sum = 0.0f;
            const bool channel = lane < S::inner;
            SERPENT_UNROLL
            for (int n = 0; n < S::state; ++n)
                l.h[n] = kOutput && channel && begin_ < layer_.length ? layer_.states[(chunk_ * S::inner + lane) * S::state + n] : 0.0f;
        });
    }

    /// Inputs of the convolution before the chunk: those of the last call, or of the samples of the chunk before.
    SERPENT_HD void load_history() {
        fetch(begin_ - steps);
        next_tile();
        normalise();
        project_in();
        group_.each(lane_, [&](int lane, Lane& l) {
            SERPENT_UNROLL
            for (int k = 0; k < Shape::conv - 1; ++k) {
                l.history[k] = l.x_in[steps - (Shape::conv - 1) + k];
                if (begin_ == 0) l.history[k] = lane < Shape::inner ? layer_.history_in[k * Shape::inner + lane] : 0.0f;
            }
        });
        group_.sync();  // u is written again by the first tile
    }

    SERPENT_HD void next_tile() {
        group_.each(lane_, [&](int, Lane& l) {
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) l.e[i] = l.next[i];
        });
    }

    SERPENT_HD void fetch(std::int64_t t) {
        group_.each(lane_, [&](int lane, Lane& l) {
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i)
                l.next[i] = lane < Shape::model && t + i >= 0 && t + i < end_ ? layer_.e_in[(t + i) * Shape::model + lane] : 0.0f;
        });
    }

    SERPENT_HD void normalise() {
        group_.each(lane_, [&](int, Lane& l) {
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) l.r[i] = l.e[i] * l.e[i];
        });
        SERPENT_UNROLL
        for (int i = 0; i < steps; ++i)
            group_.template sum<1>(lane_, [i](Lane& l) -> float& { return l.r[i]; });
        group_.each(lane_, [&](int lane, Lane& l) {
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) {
                const float r = inverse_sqrt(fused(l.r[i], 1.0f / Shape::model, static_cast<float>(reference::rms_norm_eps)));
                if (lane < Shape::model) tile_[Shape::u_at + i * Shape::model + lane] = fused(l.e[i] * r, l.norm, l.shift);
            }
        });
        group_.sync();
    }

    /// sum + weights . values, four at a time.
    template <int kCount>
    static SERPENT_HD float dot(const float* weights, const float* values, float sum) {
        SERPENT_UNROLL
        for (int i = 0; i < kCount; i += 4) {
            const Float4 v = load4(values + i);
            SERPENT_UNROLL
            for (int k = 0; k < 4; ++k) sum = fused(weights[i + k], v.v[k], sum);
        }
        return sum;
    }

    SERPENT_HD void project_in() {
        group_.each(lane_, [&](int, Lane& l) {
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) {
                const float* u = tile_ + Shape::u_at + i * Shape::model;
                l.x_in[i] = dot<Shape::model>(l.in_x, u, l.in_x_bias);
                if constexpr (kOutput) l.z[i] = dot<Shape::model>(l.in_z, u, l.in_z_bias);
            }
        });
    }

    /// valid < steps: the last tile of the signal, whose history goes out.
    SERPENT_HD void convolve(int valid) {
        group_.each(lane_, [&](int lane, Lane& l) {
            constexpr int before = Shape::conv - 1;
            float row[before + steps];
            SERPENT_UNROLL
            for (int k = 0; k < before; ++k) row[k] = l.history[k];
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) row[before + i] = l.x_in[i];
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) {
                float sum = l.conv_bias;
                SERPENT_UNROLL
                for (int k = 0; k < Shape::conv; ++k) sum = fused(l.conv[k], row[i + k], sum);
                l.x[i] = silu(sum);
                if (lane < Shape::inner) tile_[Shape::x_at + i * Shape::inner + lane] = l.x[i];
                l.r[i] = l.dt_row * l.x[i];
            }
            SERPENT_UNROLL
            for (int k = 0; k < before; ++k) l.history[k] = row[steps + k];
            if (valid < steps)
                SERPENT_UNROLL
                for (int i = 0; i < steps; ++i)
                    if (i == valid)
                        SERPENT_UNROLL
                        for (int k = 0; k < before; ++k) l.history[k] = row[i + k];
        });
        SERPENT_UNROLL
        for (int i = 0; i < steps; ++i)
            group_.template sum<1>(lane_, [i](Lane& l) -> float& { return l.r[i]; });
        group_.sync();
    }

    /// B, C and dt. Samples behind the end get dt = 0, which leaves the state as it is.
    SERPENT_HD void project_x(int valid) {
        group_.each(lane_, [&](int lane, Lane& l) {
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) {
                const float* x = tile_ + Shape::x_at + i * Shape::inner;
                SERPENT_UNROLL
                for (int j = 0; j < Shape::rows; ++j) {
                    const int row = lane + j * Shape::lanes;
                    const float sum = dot<Shape::inner>(l.proj + j * Shape::inner, x, l.proj_bias[j]);
                    if (row < 2 * Shape::state) tile_[Shape::bc_at + i * 2 * Shape::state + row] = sum;
                }
                const float dt = softplus(fused(l.dt_scale, l.r[i] + l.dt_row_bias, l.dt_bias));
                l.dt[i] = i < valid ? dt : 0.0f;
                l.dt_sum += l.dt[i];
            }
        });
        group_.sync();
    }

    SERPENT_HD void scan() {
        group_.each(lane_, [&](int, Lane& l) {
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i) {
                const float* B = tile_ + Shape::bc_at + i * 2 * Shape::state;
                float y = l.skip * l.x[i];
                float q = decay(l.dt[i] * l.rate[0]);
                SERPENT_UNROLL
                for (int n = 0; n < Shape::state; n += 4) {
                    const Float4 b = load4(B + n), c = kOutput ? load4(B + Shape::state + n) : Float4{};
                    SERPENT_UNROLL
                    for (int k = 0; k < 4; ++k) {
                        if constexpr (!Shape::tied) q = decay(l.dt[i] * l.rate[n + k]);
                        l.h[n + k] = reference::scan_step(Shape::rule, l.h[n + k], q, l.dt[i], b.v[k], l.x[i]);
                        if constexpr (kOutput) y = fused(c.v[k], l.h[n + k], y);
                    }
                }
                l.y[i] = y;
            }
        });
    }

    SERPENT_HD void project_out(std::int64_t t, int valid) {
        group_.each(lane_, [&](int lane, Lane& l) {
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i)
                if (lane < Shape::inner) tile_[Shape::gated_at + i * Shape::inner + lane] = l.y[i] * silu(l.z[i]);
        });
        group_.sync();
        group_.each(lane_, [&](int lane, Lane& l) {
            const int first = lane / Shape::model_lanes * Shape::part;
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i)
                l.r[i] = dot<Shape::part>(l.out, tile_ + Shape::gated_at + i * Shape::inner + first, 0.0f);
        });
        SERPENT_UNROLL
        for (int i = 0; i < steps; ++i)
            group_.template sum<Shape::model_lanes>(lane_, [i](Lane& l) -> float& { return l.r[i]; });
        group_.each(lane_, [&](int lane, Lane& l) {
            SERPENT_UNROLL
            for (int i = 0; i < steps; ++i)
                if (lane < Shape::model && i < valid)
                    layer_.e_out[(t + i) * Shape::model + lane] = l.e[i] + (l.r[i] + l.out_bias);
        });
    }

    SERPENT_HD void store() {
        group_.each(lane_, [&](int lane, Lane& l) {
            if (lane >= Shape::inner || begin_ >= layer_.length) return;
            if constexpr (!kOutput) {
                SERPENT_UNROLL
                for (int n = 0; n < Shape::state; ++n) layer_.states[(chunk_ * Shape::inner + lane) * Shape::state + n] = l.h[n];
                layer_.dt_sum[chunk_ * Shape::inner + lane] = l.dt_sum;
            } else if (end_ == layer_.length) {
                SERPENT_UNROLL
                for (int k = 0; k < Shape::conv - 1; ++k) layer_.history_out[k * Shape::inner + lane] = l.history[k];
            }
        });
    }

    const Group& group_;
    const FusedLayer& layer_;
    std::int64_t chunk_, begin_;
    float* tile_;
    std::int64_t end_;
    typename Group::template PerLane<Lane> lane_;
};

} // namespace serpent::kernels::device
