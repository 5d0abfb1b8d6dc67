// SPDX-License-Identifier: MIT
#include "render/render_engine.h"

#include "serpent/kernels/device_render.h"
#include "model/tensors.h"

namespace serpent {
namespace {

class DeviceEngine : public RenderEngine {
public:
    DeviceEngine(const Model& model, const RendererOptions& options)
        : renderer_(make(model, options)), state_(initial_state_of(model, options)) {
        set_state(state_);
    }

    void process(const float* const* in, float* const* out, std::size_t n) override {
        renderer_.process(in, out, n);
        fresh_ = false;
    }

    /// Two blocks, so that the copies of one run beside the other's computation.
    std::size_t preferred_block() const noexcept override { return 2 * renderer_.block_samples(); }
    int threads() const noexcept override { return 0; }

    const State& state() const override {
        if (!fresh_) {
            renderer_.get_state({state_.conv.data(), state_.h.data(), state_.fir_in.data(), state_.fir_out.data()});
            state_.h_low.assign(state_.h.size(), 0.0f);  // a device carries single floats
        }
        fresh_ = true;
        return state_;
    }

    void set_state(const State& state) override {
        if (&state != &state_) state_ = state;
        renderer_.set_state({state_.conv.data(), state_.h.data(), state_.fir_in.data(), state_.fir_out.data()});
        fresh_ = true;
    }

private:
    static kernels::DeviceRenderer make(const Model& model, const RendererOptions& options) {
        const Film f = model.config.controls.empty() ? Film{} : film(model, options.controls);
        const bool with_film = !f.scale.empty();
        return {model_shape(model.config), weight_pointers(model.weights), with_film ? f.scale.data() : nullptr,
                with_film ? f.shift.data() : nullptr};
    }

    kernels::DeviceRenderer renderer_;
    mutable State state_;
    mutable bool fresh_ = true;  ///< whether state_ is the device's
};

} // namespace

std::unique_ptr<RenderEngine> make_device_engine(std::shared_ptr<const Model> model, const RendererOptions& options) {
    kernels::require_device();
    return std::make_unique<DeviceEngine>(*model, options);
}

} // namespace serpent
