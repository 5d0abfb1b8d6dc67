// SPDX-License-Identifier: MIT
// The time-parallel renderer. A block of time is cut into chunks; chunk c is lane c % 16 of group c / 16. For every
// layer: (1) each chunk by itself up to its scan, from h = 0, keeping its end state and q = expm1(A sum(dt)); (2) the true start
// states, chunk after chunk: h_start' = h_start + q h_start + h_end; (3) the scan again with them, gate, out_proj.
// The convolution reaches d_conv - 1 samples into the chunk before: those rows are computed ahead ("halo").
#include "render/render_engine.h"

#include "model/isa.h"
#include "lanes/flush_denormals.h"
#include "lanes/lane_model.h"
#include "lanes/workers.h"
#include "reference/output_bound.h"
#include "serpent/errors.h"

#include <algorithm>
#include <barrier>

namespace serpent {
namespace {

using namespace lanes;

constexpr int sub_steps = 32;         // what a layer works on at a time: its temporaries stay in L1/L2
constexpr int groups_per_thread = 8; // barriers are dear: 2 gained nothing from a second core, 8 half as much again

std::size_t size(int a) { return static_cast<std::size_t>(a); }

/// 16 chunks on their way through the layers.
struct Group {
    LaneActivations activations;
    LaneBuffer in, out, e, halo, h, h_low, q_sum;

    Group(const ModelConfig& c, int chunk)
        : activations(c, chunk, std::min(chunk, sub_steps), LaneActivations::Keep::decays), in(lane_floats(size(chunk * c.channels))),
          out(in.size()), e(lane_floats(size(chunk) * size(c.d_model))),
          halo(lane_floats(size(c.d_conv - 1) * size(c.d_inner()))),
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
    reference::OutputBound<float> bound;
    Workers workers;
    State state_;
    std::vector<Group> groups;  // as many as the longest block so far needed, for memory is theirs; at least one

    std::size_t most_groups() const { return size(workers.count() * groups_per_thread); }
    int chunk() const { return groups.front().activations.capacity; }
    std::size_t group_samples() const { return lane_floats(size(chunk())); }

    void one_lane(const float* const* in, float* const* out, std::size_t first, int steps);
    void chunks(const float* const* in, float* const* out, std::size_t first, int steps, int used);
    void load(Group& g, const float* const* in, std::size_t first, int steps, int used_lanes) const;
    void store(const Group& g, float* const* out, std::size_t first, int steps, int used_lanes) const;
    void halo(int l, Group& g, int steps) const;
    void join_halos(int l, int used);
    void join_states(int l, int used);
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
    const int chunk = std::max(options.chunk, model->config.d_conv);  // the halo must fit into one chunk
    groups.reserve(most_groups());
    groups.emplace_back(model->config, chunk);
}

/// Works from the front with full groups; what is left goes through one group with shorter chunks, and a last handful
/// of samples through a single lane. The cut does not depend on the number of threads, so neither does the answer.
void CpuEngine::process(const float* const* in, float* const* out, std::size_t n) {
    const int shortest = std::max(8, model->config.d_conv);
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
            for (int t = 0; t < steps; ++t) to[t] = bound(g.out[lane_floats(size(t * channels + c)) + size(lane)]);
        }
}

void CpuEngine::one_lane(const float* const* in, float* const* out, std::size_t first, int steps) {
    const FlushDenormals flush;
    const ModelConfig& c = model->config;
    Group& g = groups.front();
    load(g, in, first, steps, 1);
    LaneState running(c);
    running.set_lane(0, state_);
    const std::size_t states = size(c.d_inner()) * size(c.d_state);
    lanes.encode(steps, g.in.data(), g.e.data());
    for (int l = 0; l < c.n_layers; ++l) {
        lanes.layer_inputs(l, steps, g.e.data(), film, running.conv.data() + size(l) * lanes.conv_floats(), g.activations);
        lanes.layer_carry(l, steps, g.h.data(), g.h_low.data(), g.q_sum.data(), g.activations);  // only for the decays it leaves
        float* const low = state_.h_low.data() + size(l) * states;
        for (std::size_t i = 0; i < states; ++i) g.h_low[lane_floats(i)] = low[i];
        lanes.layer_outputs(l, steps, g.e.data(), running.h.data() + size(l) * lanes.h_floats(), g.h_low.data(), g.activations);
        for (std::size_t i = 0; i < states; ++i) low[i] = g.h_low[lane_floats(i)];
    }
    lanes.decode_blocks(steps, g.in.data(), g.e.data(), g.activations, g.out.data());
    State ended = running.lane(0, c);
    ended.h_low = std::move(state_.h_low);
    state_ = std::move(ended);
    store(g, out, first, steps, 1);
}

void CpuEngine::halo(int l, Group& g, int steps) const {
    const int rows = model->config.d_conv - 1;
    lanes.conv_inputs(l, rows, g.e.data() + lane_floats(size(steps - rows) * size(model->config.d_model)), film,
                      g.activations, g.halo.data());
}

/// Moves every halo one chunk later (lane j reads what lane j - 1 ended with) and advances the layer's history.
void CpuEngine::join_halos(int l, int used) {
    const std::size_t rows = size(model->config.d_conv - 1) * size(model->config.d_inner());
    float* running = state_.conv.data() + size(l) * rows;
    for (int group = 0; group < used; ++group)
        for (std::size_t i = 0; i < rows; ++i) {
            float* lane = groups[size(group)].halo.data() + lane_floats(i);
            const float last = lane[lane_count - 1];
            std::copy_backward(lane, lane + lane_count - 1, lane + lane_count);
            lane[0] = running[i];
            running[i] = last;
        }
}

/// Phase 2: replaces every chunk's end state by its true start state, and advances the layer's state.
void CpuEngine::join_states(int l, int used) {
    const ModelConfig& c = model->config;
    const std::size_t first = size(l) * size(c.d_inner()) * size(c.d_state);
    float *const running = state_.h.data() + first, *const running_low = state_.h_low.data() + first;
    for (int group = 0; group < used; ++group) {
        Group& g = groups[size(group)];
        for (int i = 0; i < c.d_inner(); ++i)
            for (int n = 0; n < c.d_state; ++n) {
                const std::size_t at = size(i * c.d_state + n);
                const float* const q = g.q_sum.data() + lane_floats(c.a == DecayShape::tied ? size(i) : at);
                float *const h = g.h.data() + lane_floats(at), *const low = g.h_low.data() + lane_floats(at);
                double state = double(running[at]) + double(running_low[at]);
                for (std::size_t lane = 0; lane < lane_count; ++lane) {
                    const double next = state + (double(q[lane]) * state + (double(h[lane]) + double(low[lane])));
                    h[lane] = static_cast<float>(state);
                    low[lane] = static_cast<float>(state - double(h[lane]));
                    state = next;
                }
                running[at] = static_cast<float>(state);
                running_low[at] = static_cast<float>(state - double(running[at]));
            }
    }
}

void CpuEngine::chunks(const float* const* in, float* const* out, std::size_t first, int steps, int used) {
    const ModelConfig& c = model->config;
    const int team = workers.count();
    int joins = 0;  // two to a layer, run by one thread while the others wait
    std::barrier barrier(team, [&]() noexcept {
        joins % 2 == 0 ? join_halos(joins / 2, used) : join_states(joins / 2, used);
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
                lanes.layer_inputs(l, steps, g.e.data(), film, g.halo.data(), g.activations);
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
