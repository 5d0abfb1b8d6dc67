// SPDX-License-Identifier: MIT
// Rendering long signals: the time-parallel form of the model on all cores, in bounded memory.
#pragma once

#include "serpent/device.h"
#include "serpent/kernels/isa.h"
#include "serpent/model.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace serpent {

struct RendererOptions {
    InitialState initial_state = InitialState::silence;
    std::vector<float> controls;      ///< model units; empty: defaults
    std::optional<kernels::Isa> isa;  ///< none: kernels::default_isa()
    int threads = 0;                  ///< 0: as many as the machine has cores
    Device device = Device::cpu;      ///< cuda: an Error where there is no GPU, or where it has too little memory
    int chunk = 128;                  ///< samples per lane and phase on a CPU, 1..65536; the answer does not depend on it (1e-5 rms)
};

/// Offline twin of Stream at the model's own rate: splits time into chunks, scans them side by side (16 SIMD lanes on
/// every thread), then joins their states (three-phase scan). State carries over from call to call.
class Renderer {
public:
    /// Throws Error when there is no model, it or an option is not valid, or memory is short.
    explicit Renderer(std::shared_ptr<const Model> model, RendererOptions options = {});
    ~Renderer();
    Renderer(Renderer&&) noexcept;
    Renderer& operator=(Renderer&&) noexcept;

    /// in[c], out[c]: n samples each, c < config.channels; any n; in and out may be the same buffers.
    /// Most efficient when n is a multiple of preferred_block(). Not thread-safe. Throws Error when memory is short or the GPU
    /// fails; part of `out` may be written then: go on with set_state() or reset().
    void process(const float* const* in, float* const* out, std::size_t n);
    std::size_t preferred_block() const noexcept;

    void reset();
    const Model& model() const noexcept;
    /// That work: fewer than asked for where the system starts no more, with the same result. 0 on a GPU.
    int threads() const noexcept;
    const State& state() const;
    /// "cpu", or the GPU's name.
    const std::string& device() const noexcept;
    void set_state(const State& state);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace serpent
