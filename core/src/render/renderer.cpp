// SPDX-License-Identifier: MIT
#include "serpent/render.h"

#include "model/as_error.h"
#include "model/silence.h"
#include "render/render_engine.h"
#include "serpent/errors.h"
#include "serpent/kernels/device.h"
#include "stream/nam_instances.h"

namespace serpent {

State initial_state_of(const Model& model, const RendererOptions& options) {
    if (model.nam) return nam_state(model, options.initial_state);
    return options.initial_state == InitialState::zero ? zero_state(model.config) : silence_state(model, options.controls);
}

struct Renderer::Impl {
    std::shared_ptr<const Model> model;
    State initial;
    std::unique_ptr<RenderEngine> engine;
    std::string device = "cpu";

    Impl(std::shared_ptr<const Model> m, RendererOptions options)
        : model(valid_model(m, "Renderer needs a model", "load one with Model::load()")),
          initial(initial_state_of(*model, options)) {
        if (model->nam) {
            if (options.device == Device::cuda) throw Error("A .nam capture plays on the CPU only; leave the GPU out.");
            engine = make_nam_engine(model, options);
            return;
        }
        if (options.device != Device::cpu) {
            try {
                engine = make_device_engine(model, options);
                device = kernels::device_status().description;
            } catch (const kernels::DeviceError&) {
                if (options.device == Device::cuda) throw;
            }
        }
        if (!engine) engine = make_cpu_engine(model, std::move(options));
    }
};

Renderer::Renderer(std::shared_ptr<const Model> model, RendererOptions options) try
    : impl_(std::make_unique<Impl>(std::move(model), std::move(options))) {
} catch (...) {
    rethrow_as_error("render with this model, its options and threads");
}
Renderer::~Renderer() = default;
Renderer::Renderer(Renderer&&) noexcept = default;
Renderer& Renderer::operator=(Renderer&&) noexcept = default;

void Renderer::process(const float* const* in, float* const* out, std::size_t n) try {
    impl_->engine->process(in, out, n);
} catch (...) {
    rethrow_as_error("render so many samples at a time");
}

std::size_t Renderer::preferred_block() const noexcept { return impl_->engine->preferred_block(); }
void Renderer::reset() { set_state(impl_->initial); }
int Renderer::threads() const noexcept { return impl_->engine->threads(); }
const Model& Renderer::model() const noexcept { return *impl_->model; }
const std::string& Renderer::device() const noexcept { return impl_->device; }

const State& Renderer::state() const try {
    return impl_->engine->state();
} catch (...) {
    rethrow_as_error("read the state");
}

void Renderer::set_state(const State& state) try {
    if (!is_state_of(state, impl_->initial))
        throw Error("The state is not of this model: its sizes differ.");
    impl_->engine->set_state(state);
} catch (...) {
    rethrow_as_error("set the state");
}

} // namespace serpent
