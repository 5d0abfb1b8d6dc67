// SPDX-License-Identifier: MIT
// The time-parallel renderer. A block of time is cut into chunks; chunk c is lane c % 16 of group c / 16. For every
// layer: (1) each chunk by itself up to its scan, from h = 0, keeping its end state and q = expm1(A sum(dt)); (2) the true start
// states, chunk after chunk: h_start' = h_start + q h_start + h_end; (3) the scan again with them, gate, out_proj.
// The convolution reaches history() samples into the chunk before: those rows are computed ahead ("halo"). Rotating states turn by
// steps times their angle from chunk to chunk. The filters at the ends pass over a whole block, before and after.
#include "render/render_engine.h"

#include "equations/output_bound.h"
#include "equations/rotating_scan.h"
#include "lanes/flush_denormals.h"
#include "lanes/lane_model.h"
#include "lanes/workers.h"
#include "model/isa.h"
#include "serpent/errors.h"
#include "serpent/kernels/fir.h"

#include <algorithm>
#include <barrier>
#include <complex>

namespace serpent {
namespace {

using namespace lanes;

constexpr int sub_steps = 32;         // what a layer works on at a time: its temporaries stay in L1/L2
// Between two barriers a thread works on so many groups of usual chunks, or as many samples of longer ones: barriers are dear (2
// groups gained nothing from a second core, 8 half as much again), and so is what no longer fits a cache until it is read again.
constexpr int groups_per_thread = 8, usual_chunk = 256;

std::size_t size(int a) { return static_cast<std::size_t>(a); }

int longest_history(const ModelConfig& c) {
    int longest = 0;
    for (int l = 0; l < c.n_layers; ++l) longest = std::max(longest, c.block(l).history());
    return longest;
}

/// 16 chunks on their way through the layers.
struct Group {
    LaneActivations activations;
    LaneBuffer in, out, e, conv, h, h_low, q_sum;  // conv: the layer's halo and, behind it, the inputs of its convolution

    Group(const ModelConfig& c, int chunk)
        : activations(c, chunk, std::min(chunk, sub_steps), LaneActivations::Keep::decays), in(lane_floats(size(chunk * c.channels))),
          out(in.size()), e(lane_floats(size(chunk) * size(c.d_model))),
          conv(lane_floats(size(longest_history(c) + chunk) * size(c.d_inner()))),
          h(lane_floats(size(c.d_inner()) * size(c.d_state))), h_low(h.size()),
          q_sum(lane_floats(size(c.d_inner()) * size(c.decays()))) {}
};

class CpuEngine : public RenderEngine {
public:
    CpuEngine(std::shared_ptr<const Model> m, RendererOptions o);

    void process(const float* const* in, float* const* out, std::size_t n) override;
    std::size_t preferred_block() const noexcept override { return most_groups() * group_samples(); }
    int threads() const noexcept override { return workers.count(); }
    const State& state() const override { return state_; }
    void set_state(const State& state) override {
        state_ = state;
        state_.h_low.resize(state_.h.size());
    }

private:
    std::shared_ptr<const Model> model;
    RendererOptions options;
    LaneModel lanes;
    LaneFilm film;
    equations::OutputBound<float> bound;
    Workers workers;
    State state_;
    std::vector<Group> groups;  // as many as the longest block so far needed, for memory is theirs; at least one

    std::size_t most_groups() const { return size(workers.count() * std::clamp(groups_per_thread * usual_chunk / chunk(), 1, groups_per_thread)); }
    int chunk() const { return groups.front().activations.capacity; }
    std::size_t group_samples() const { return lane_floats(size(chunk())); }

    void one_lane(const float* const* in, float* const* out, std::size_t first, int steps);
    void chunks(const float* const* in, float* const* out, std::size_t first, int steps, int used);
    void load(Group& g, const float* const* in, std::size_t first, int steps, int used_lanes) const;
    void store(const Group& g, float* const* out, std::size_t first, int steps, int used_lanes) const;
    void halo(int l, Group& g, int steps) const;
    void join_halos(int l, int used);
    void join_states(int l, int steps, int used);
    void filter(std::span<const float> weight, std::vector<float>& history, const float* const* in, float* const* out, std::size_t n);
    void process_unfiltered(const float* const* in, float* const* out, std::size_t n);
    int history(int l) const { return lanes.block(l).history(); }
    std::size_t conv_begin(int l) const;  // in State::conv
};

CpuEngine::CpuEngine(std::shared_ptr<const Model> m, RendererOptions o)
    : model(std::move(m)), options(std::move(o)),
      lanes(model->config, model->weights, kernels::lane_ops(required_isa(options.isa))),
      bound(model->config.output_peak), workers(options.threads) {
    if (options.chunk < 1 || options.chunk > 65536)
        throw Error("The renderer's chunk is " + std::to_string(options.chunk) + "; choose 1 to 65536 samples.");
    if (!model->config.controls.empty()) {
        const Film f = serpent::film(*model, options.controls);
        for (int lane = 0; lane < lane_count; ++lane) film.set_lane(lane, f);
    }
    state_ = initial_state_of(*model, options);
    const int chunk = std::max(options.chunk, longest_history(model->config) + 1);  // the halo must fit into one chunk
    groups.emplace_back(model->config, chunk);
    groups.reserve(most_groups());
}

std::size_t CpuEngine::conv_begin(int l) const {
    std::size_t begin = 0;
    for (int i = 0; i < l; ++i) begin += size(lanes.block(i).conv_floats());
    return begin;
}

/// In parts over the workers, each of which reads what lies before it. in may be out.
void CpuEngine::filter(std::span<const float> weight, std::vector<float>& history, const float* const* in, float* const* out, std::size_t n) {
    const std::size_t channels = size(model->config.channels), taps = weight.size() / channels, padded = kernels::fir_padded(taps);
    const kernels::FirOps& ops = kernels::fir_ops_for(required_isa(options.isa));
    LaneBuffer packed(padded), heard(padded - 1 + n);
    float* const signal = heard.data() + padded - 1;
    for (std::size_t c = 0; c < channels; ++c) {
        float* const past = history.data() + c * (taps - 1);
        kernels::pack_fir(taps, weight.data() + c * taps, packed.data());
        std::copy_n(past, taps - 1, signal - (taps - 1));
        std::copy_n(in[c], n, signal);
        workers.run([&](int thread) {
            const FlushDenormals flush;
            const std::size_t team = size(workers.count()), begin = n * size(thread) / team, end = n * size(thread + 1) / team;
            ops.filter(padded, packed.data(), signal + begin, out[c] + begin, end - begin);
        });
        std::copy_n(signal + n - (taps - 1), taps - 1, past);
    }
}

void CpuEngine::process(const float* const* in, float* const* out, std::size_t n) {
    const ModelConfig& c = model->config;
    if (c.fir_in > 0) filter(model->weights.fir_in, state_.fir_in, in, out, n);
    process_unfiltered(c.fir_in > 0 ? out : in, out, n);
    if (c.fir_out > 0) filter(model->weights.fir_out, state_.fir_out, out, out, n);
    if (!bound.bounds()) return;
    for (int channel = 0; channel < c.channels; ++channel)
        for (std::size_t t = 0; t < n; ++t) out[channel][t] = bound(out[channel][t]);
}

/// Works from the front with full groups; what is left goes through one group with shorter chunks, and a last handful
/// of samples through a single lane. The cut does not depend on the number of threads, so neither does the answer.
void CpuEngine::process_unfiltered(const float* const* in, float* const* out, std::size_t n) {
    const int shortest = std::max(8, longest_history(model->config) + 1);
    std::size_t first = 0;
    while (first < n) {
        const std::size_t left = n - first;
        const std::size_t full = std::min(left / group_samples(), most_groups());
        if (full > 0) {
            while (groups.size() < full) groups.emplace_back(model->config, chunk());
            chunks(in, out, first, chunk(), static_cast<int>(full));
            first += full * group_samples();
        } else if (const int steps = static_cast<int>(left / lane_count); steps >= shortest) {
            chunks(in, out, first, steps, 1);
            first += lane_floats(size(steps));
        } else {
            const int rest = static_cast<int>(std::min(left, size(chunk())));
            one_lane(in, out, first, rest);
            first += size(rest);
        }
    }
}

void CpuEngine::load(Group& g, const float* const* in, std::size_t first, int steps, int used_lanes) const {
    const int channels = model->config.channels;
    if (used_lanes < lane_count) std::fill(g.in.begin(), g.in.end(), 0.0f);
    for (int c = 0; c < channels; ++c)
        for (int lane = 0; lane < used_lanes; ++lane) {
            const float* from = in[c] + first + size(lane) * size(steps);
            for (int t = 0; t < steps; ++t) g.in[lane_floats(size(t * channels + c)) + size(lane)] = from[t];
        }
}

void CpuEngine::store(const Group& g, float* const* out, std::size_t first, int steps, int used_lanes) const {
    const int channels = model->config.channels;
    for (int c = 0; c < channels; ++c)
        for (int lane = 0; lane < used_lanes; ++lane) {
            float* to = out[c] + first + size(lane) * size(steps);
            for (int t = 0; t < steps; ++t) to[t] = g.out[lane_floats(size(t * channels + c)) + size(lane)];
        }
}

void CpuEngine::one_lane(const float* const* in, float* const* out, std::size_t first, int steps) {
    const FlushDenormals flush;
    const ModelConfig& c = model->config;
    Group& g = groups.front();
    load(g, in, first, steps, 1);
    const std::size_t states = size(c.d_inner()) * size(c.d_state);
    float *conv = state_.conv.data(), *h = state_.h.data(), *low = state_.h_low.data();
    lanes.encode(steps, g.in.data(), g.e.data());
    for (int l = 0; l < c.n_layers; ++l, h += states, low += states) {
        const std::size_t past = size(lanes.block(l).conv_floats()), fresh = size(steps) * size(c.d_inner());
        for (std::size_t i = 0; i < past; ++i) g.conv[lane_floats(i)] = conv[i];
        for (std::size_t i = 0; i < states; ++i) g.h[lane_floats(i)] = h[i], g.h_low[lane_floats(i)] = low[i];
        lanes.layer_inputs(l, steps, g.e.data(), film, g.conv.data(), g.activations);
        if (lanes.block(l).kind != BlockKind::time_invariant) {  // only for the decays it leaves
            LaneBuffer scratch = g.h, scratch_low = g.h_low;
            lanes.layer_carry(l, steps, scratch.data(), scratch_low.data(), g.q_sum.data(), g.activations);
        }
        lanes.layer_outputs(l, steps, g.e.data(), g.h.data(), g.h_low.data(), g.activations);
        for (std::size_t i = 0; i < past; ++i) *conv++ = g.conv[lane_floats(fresh + i)];
        for (std::size_t i = 0; i < states; ++i) h[i] = g.h[lane_floats(i)], low[i] = g.h_low[lane_floats(i)];
    }
    lanes.decode_blocks(steps, g.in.data(), g.e.data(), g.activations, g.out.data());
    store(g, out, first, steps, 1);
}

void CpuEngine::halo(int l, Group& g, int steps) const {
    const int rows = history(l);
    lanes.conv_inputs(l, rows, g.e.data() + lane_floats(size(steps - rows) * size(model->config.d_model)), film,
                      g.activations, g.conv.data());
}

/// Moves every halo one chunk later (lane j reads what lane j - 1 ended with) and advances the layer's history.
void CpuEngine::join_halos(int l, int used) {
    const std::size_t rows = size(lanes.block(l).conv_floats());
    float* running = state_.conv.data() + conv_begin(l);
    for (int group = 0; group < used; ++group)
        for (std::size_t i = 0; i < rows; ++i) {
            float* lane = groups[size(group)].conv.data() + lane_floats(i);
            const float last = lane[lane_count - 1];
            std::copy_backward(lane, lane + lane_count - 1, lane + lane_count);
            lane[0] = running[i];
            running[i] = last;
        }
}

/// Phase 2: replaces every chunk's end state by its true start state, and advances the layer's state. In float64 and complex numbers,
/// of which real states are the first.
void CpuEngine::join_states(int l, int steps, int used) {
    const kernels::BlockShape& b = lanes.block(l);
    const LayerWeights& w = model->weights.layers[size(l)];
    const std::size_t first = size(l) * size(b.h_floats()), pairs = size(b.pairs());
    const bool real = b.kind == BlockKind::selective;
    const std::size_t count = real ? size(b.d_state) : pairs;                            // joined, of each channel
    const std::size_t apart = b.kind == BlockKind::time_invariant ? 2 : 1;               // from one to the next
    const std::size_t imaginary = b.kind == BlockKind::time_invariant ? 1 : pairs;       // from a real part to its imaginary one
    for (std::size_t c = 0; c < size(b.d_inner); ++c)
        for (std::size_t n = 0; n < count; ++n) {
            const std::size_t re = c * size(b.d_state) + n * apart, im = re + imaginary, weight = c * count + n;
            const auto get = [&](const float* h, const float* low, std::size_t stride, std::size_t lane) {
                const auto part = [&](std::size_t at) { return double(h[at * stride + lane]) + double(low[at * stride + lane]); };
                return std::complex<double>(part(re), real ? 0.0 : part(im));
            };
            const auto put = [&](std::complex<double> value, float* h, float* low, std::size_t stride, std::size_t lane) {
                const auto part = [&](std::size_t at, double v) {
                    h[at * stride + lane] = static_cast<float>(v);
                    low[at * stride + lane] = static_cast<float>(v - double(h[at * stride + lane]));
                };
                part(re, value.real());
                if (!real) part(im, value.imag());
            };
            // What a chunk does to its start, less 1: the decay from its dt, the turn from its length.
            const double turned = real ? 0.0 : double(steps) * double(w.A_imag[weight]);
            const auto turn = equations::Turn<double>::exactly(turned);
            const std::complex<double> fixed = b.kind == BlockKind::time_invariant
                                                   ? std::exp(std::complex<double>(-std::exp(double(w.A_log[weight])) * steps, turned)) - 1.0
                                                   : std::complex<double>(0.0);
            std::complex<double> state = get(state_.h.data() + first, state_.h_low.data() + first, 1, 0);
            for (int group = 0; group < used; ++group) {
                Group& g = groups[size(group)];
                for (std::size_t lane = 0; lane < lane_count; ++lane) {
                    std::complex<double> change = fixed;
                    if (b.kind != BlockKind::time_invariant) {
                        const double q = g.q_sum[lane_floats(b.tied ? c : weight) + lane];
                        change = {q + turn.t + q * turn.t, turn.s + q * turn.s};
                    }
                    const std::complex<double> end = get(g.h.data(), g.h_low.data(), lane_count, lane);
                    put(state, g.h.data(), g.h_low.data(), lane_count, lane);
                    state += change * state + end;
                }
            }
            put(state, state_.h.data() + first, state_.h_low.data() + first, 1, 0);
        }
}

void CpuEngine::chunks(const float* const* in, float* const* out, std::size_t first, int steps, int used) {
    const ModelConfig& c = model->config;
    const int team = workers.count();
    int joins = 0;  // two to a layer, run by one thread while the others wait
    std::barrier barrier(team, [&]() noexcept {
        joins % 2 == 0 ? join_halos(joins / 2, used) : join_states(joins / 2, steps, used);
        ++joins;
    });
    workers.run([&](int thread) {
        const auto each_group = [&](auto&& work) {
            for (int g = thread; g < used; g += team) work(groups[size(g)], first + size(g) * lane_floats(size(steps)));
        };
        each_group([&](Group& g, std::size_t at) {
            load(g, in, at, steps, lane_count);
            lanes.encode(steps, g.in.data(), g.e.data());
            halo(0, g, steps);
        });
        for (int l = 0; l < c.n_layers; ++l) {
            barrier.arrive_and_wait();
            each_group([&](Group& g, std::size_t) {
                lanes.layer_inputs(l, steps, g.e.data(), film, g.conv.data(), g.activations);
                std::fill(g.h.begin(), g.h.end(), 0.0f);
                std::fill(g.h_low.begin(), g.h_low.end(), 0.0f);
                lanes.layer_carry(l, steps, g.h.data(), g.h_low.data(), g.q_sum.data(), g.activations);
            });
            barrier.arrive_and_wait();
            each_group([&](Group& g, std::size_t) {
                lanes.layer_outputs(l, steps, g.e.data(), g.h.data(), g.h_low.data(), g.activations);
                if (l + 1 < c.n_layers) halo(l + 1, g, steps);
            });
        }
        each_group([&](Group& g, std::size_t at) {
            lanes.decode_blocks(steps, g.in.data(), g.e.data(), g.activations, g.out.data());
            store(g, out, at, steps, lane_count);
        });
    });
}

} // namespace

std::unique_ptr<RenderEngine> make_cpu_engine(std::shared_ptr<const Model> model, RendererOptions options) {
    return std::make_unique<CpuEngine>(std::move(model), std::move(options));
}

} // namespace serpent
