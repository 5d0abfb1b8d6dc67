// SPDX-License-Identifier: MIT
// A .nam capture over long signals. What reaches back a finite way is cut into stretches, one for each thread, which first hear what
// came before them: every stretch then has the same bits as if one engine had played it all.
#include "lanes/workers.h"
#include "render/render_engine.h"
#include "serpent/kernels/flush_denormals.h"
#include "serpent/nam.h"
#include "stream/nam_instances.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace serpent {

namespace {

constexpr std::size_t stretch = std::size_t{1} << 16;  // of a thread, in one block

class NamRenderEngine final : public RenderEngine {
public:
    NamRenderEngine(std::shared_ptr<const Model> model, const RendererOptions& options)
        : model_(std::move(model)), past_(model_->nam->reach > 0 ? static_cast<std::size_t>(model_->nam->reach) - 1 : 0) {
        const bool shared = model_->nam->reach > 0;
        if (shared) workers_.emplace(options.threads);
        for (int i = 0; i < (shared ? workers_->count() : 1); ++i) engines_.push_back(nam_engine(*model_, options.isa));
        if (options.initial_state == InitialState::zero) engines_[0].clear();
        state_.conv.resize(engines_[0].state_size());
        engines_[0].get_state(state_.conv.data());
    }

    void process(const float* const* in, float* const* out, std::size_t n) override {
        state_is_old_ = true;
        // A stretch shorter than what it must hear first would be no gain.
        const std::size_t most = past_ > 0 ? n / (2 * past_) : n / kernels::net_block;
        const std::size_t parts = std::clamp<std::size_t>(most, 1, engines_.size());
        if (parts == 1) {
            const kernels::FlushDenormals flush;
            play(engines_[0], in, out, 0, n);
            return;
        }
        copy_input(in, n);
        const auto begin = [&](std::size_t part) { return n * part / parts; };
        workers_->run([&](int thread) {
            const auto part = static_cast<std::size_t>(thread);
            if (part >= parts) return;
            const std::vector<const float*> from = pointers_to_input();
            if (part > 0) warm_up(engines_[part], from, begin(part));
            play(engines_[part], from.data(), out, begin(part), begin(part + 1));
        });
        std::swap(engines_[0], engines_[parts - 1]);  // it is at the end
    }

    std::size_t preferred_block() const noexcept override { return stretch * engines_.size(); }
    int threads() const noexcept override { return workers_ ? workers_->count() : 0; }

    const State& state() const override {
        if (std::exchange(state_is_old_, false)) engines_[0].get_state(state_.conv.data());
        return state_;
    }
    void set_state(const State& state) override {
        state_ = state;
        engines_[0].set_state(state_.conv.data());
        state_is_old_ = false;
    }

private:
    std::size_t channels() const { return static_cast<std::size_t>(model_->config.channels); }

    /// `out` may be `in`, of which a later stretch still hears the end of an earlier one.
    void copy_input(const float* const* in, std::size_t n) {
        input_.resize(channels());
        for (std::size_t c = 0; c < channels(); ++c) input_[c].assign(in[c], in[c] + n);
    }
    std::vector<const float*> pointers_to_input() const {
        std::vector<const float*> pointers;
        for (const std::vector<float>& channel : input_) pointers.push_back(channel.data());
        return pointers;
    }

    void warm_up(kernels::NetEngine& engine, const std::vector<const float*>& in, std::size_t end) const {
        std::vector<float> answer(kernels::net_block);
        const std::vector<float*> nowhere(channels(), answer.data());
        std::vector<const float*> from(channels());
        for (std::size_t first = end - std::min(end, past_); first < end; first += kernels::net_block) {
            const int n = static_cast<int>(std::min<std::size_t>(kernels::net_block, end - first));
            for (std::size_t c = 0; c < channels(); ++c) from[c] = in[c] + first;
            if (!engine.process(from.data(), nowhere.data(), 0, n)) engine.settle();
        }
    }

    void play(kernels::NetEngine& engine, const float* const* in, float* const* out, std::size_t begin, std::size_t end) const {
        std::vector<const float*> from(channels());
        std::vector<float*> to(channels());
        for (std::size_t first = begin; first < end; first += kernels::net_block) {
            const int n = static_cast<int>(std::min<std::size_t>(kernels::net_block, end - first));
            for (std::size_t c = 0; c < channels(); ++c) from[c] = in[c] + first, to[c] = out[c] + first;
            if (!engine.process(from.data(), to.data(), 0, n)) engine.settle();
        }
    }

    std::shared_ptr<const Model> model_;
    std::size_t past_;                          // samples that a stretch must have heard
    std::optional<Workers> workers_;            // where stretches are possible
    std::vector<kernels::NetEngine> engines_;   // one for each thread; the first holds the state
    std::vector<std::vector<float>> input_;
    mutable State state_;
    mutable bool state_is_old_ = false;
};

} // namespace

std::unique_ptr<RenderEngine> make_nam_engine(std::shared_ptr<const Model> model, const RendererOptions& options) {
    return std::make_unique<NamRenderEngine>(std::move(model), options);
}

} // namespace serpent
