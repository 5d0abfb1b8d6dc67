// SPDX-License-Identifier: MIT
// A .nam capture over long signals, on one thread.
#include "render/render_engine.h"
#include "serpent/kernels/flush_denormals.h"
#include "stream/nam_instances.h"

#include <algorithm>
#include <utility>

namespace serpent {

namespace {

class NamRenderEngine final : public RenderEngine {
public:
    NamRenderEngine(std::shared_ptr<const Model> model, const RendererOptions& options)
        : model_(std::move(model)), engine_(nam_engine(*model_, options.isa)) {
        if (options.initial_state == InitialState::zero) engine_.clear();
        state_.conv.resize(engine_.state_size());
        engine_.get_state(state_.conv.data());
    }

    void process(const float* const* in, float* const* out, std::size_t n) override {
        const kernels::FlushDenormals flush;
        const auto channels = static_cast<std::size_t>(model_->config.channels);
        std::vector<const float*> from(channels);
        std::vector<float*> to(channels);
        for (std::size_t first = 0; first < n; first += kernels::net_block) {
            const int part = static_cast<int>(std::min<std::size_t>(kernels::net_block, n - first));
            for (std::size_t c = 0; c < channels; ++c) from[c] = in[c] + first, to[c] = out[c] + first;
            if (!engine_.process(from.data(), to.data(), 0, part)) engine_.settle();
        }
        state_is_old_ = true;
    }

    std::size_t preferred_block() const noexcept override { return std::size_t{1} << 16; }
    int threads() const noexcept override { return 1; }

    const State& state() const override {
        if (std::exchange(state_is_old_, false)) engine_.get_state(state_.conv.data());
        return state_;
    }
    void set_state(const State& state) override {
        state_ = state;
        engine_.set_state(state_.conv.data());
        state_is_old_ = false;
    }

private:
    std::shared_ptr<const Model> model_;
    kernels::NetEngine engine_;
    mutable State state_;
    mutable bool state_is_old_ = false;
};

} // namespace

std::unique_ptr<RenderEngine> make_nam_engine(std::shared_ptr<const Model> model, const RendererOptions& options) {
    return std::make_unique<NamRenderEngine>(std::move(model), options);
}

} // namespace serpent
