// SPDX-License-Identifier: MIT
// What a Renderer runs on: the CPU's lanes, or a GPU.
#pragma once

#include "serpent/render.h"

namespace serpent {

class RenderEngine {
public:
    virtual ~RenderEngine() = default;
    virtual void process(const float* const* in, float* const* out, std::size_t n) = 0;
    virtual std::size_t preferred_block() const noexcept = 0;
    virtual int threads() const noexcept = 0;  ///< 0 on a GPU, and where threads cannot share
    virtual const State& state() const = 0;
    virtual void set_state(const State& state) = 0;
};

std::unique_ptr<RenderEngine> make_cpu_engine(std::shared_ptr<const Model> model, RendererOptions options);
/// For .nam captures.
std::unique_ptr<RenderEngine> make_nam_engine(std::shared_ptr<const Model> model, const RendererOptions& options);
/// Throws kernels::DeviceError.
std::unique_ptr<RenderEngine> make_device_engine(std::shared_ptr<const Model> model, const RendererOptions& options);

State initial_state_of(const Model& model, const RendererOptions& options);

} // namespace serpent
