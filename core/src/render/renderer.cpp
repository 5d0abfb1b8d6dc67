// SPDX-License-Identifier: MIT
#include "serpent/render.h"

#include "model/silence.h"
#include "render/render_engine.h"
#include "serpent/errors.h"
#include "serpent/kernels/device.h"

namespace serpent {

State initial_state_of(const Model& model, const RendererOptions& options) {
    return options.initial_state == InitialState::zero ? zero_state(model.config) : silence_state(model, options.controls);
}

struct Renderer::Impl {
    std::shared_ptr<const Model> model;
    State initial;
    std::unique_ptr<RenderEngine> engine;
    std::string device = "cpu";

    Impl(std::shared_ptr<const Model> m, RendererOptions options) : model(std::move(m)), initial(initial_state_of(*model, options)) {
        if (options.device != Device::cpu) {
            try {
                engine = make_device_engine(model, options);
                device = kernels::device_status().description;
            } catch (const kernels::DeviceError& error) {
                if (options.device == Device::cuda) throw Error(error.what());
            }
        }
        if (!engine) engine = make_cpu_engine(model, std::move(options));
    }
};

Renderer::Renderer(std::shared_ptr<const Model> model, RendererOptions options)
    : impl_(std::make_unique<Impl>(std::move(model), std::move(options))) {}
Renderer::~Renderer() = default;
Renderer::Renderer(Renderer&&) noexcept = default;
Renderer& Renderer::operator=(Renderer&&) noexcept = default;

void Renderer::process(const float* const* in, float* const* out, std::size_t n) {
    try {
        impl_->engine->process(in, out, n);
    } catch (const kernels::DeviceError& error) {
        throw Error(error.what());
    }
}

std::size_t Renderer::preferred_block() const noexcept { return impl_->engine->preferred_block(); }
void Renderer::reset() { impl_->engine->set_state(impl_->initial); }
const Model& Renderer::model() const noexcept { return *impl_->model; }
const State& Renderer::state() const { return impl_->engine->state(); }
const std::string& Renderer::device() const noexcept { return impl_->device; }

void Renderer::set_state(const State& state) {
    if (!is_state_of(state, impl_->initial))
        throw Error("The state is not of this model: its sizes differ.");
    impl_->engine->set_state(state);
}

} // namespace serpent
