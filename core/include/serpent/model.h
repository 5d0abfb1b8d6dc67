// SPDX-License-Identifier: MIT
// A model of a device: its configuration, its weights, and its file. A Mamba effect model (safetensors; docs/model_format.md), or a
// capture of another family (.nam; serpent/nam.h, docs/nam.md), which plays alike.
#pragma once

#include "serpent/kernels/block.h"

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace serpent {

class NamCapture;  // serpent/nam.h

using kernels::BlockKind;

enum class DecayShape { full, tied };  ///< config "a": a decay for every state (pair of states) of a channel, or one for all
enum class BBar { euler, ema };        ///< config "b_bar": h += q h + dt B x, or h += -q (B x - h), q = expm1(dt A)
enum class TensorType { f32, f16, bf16 };

/// A knob of the captured device. Values outside [min, max] are clamped.
struct Control {
    std::string name;
    float min = 0.0f, max = 1.0f, default_value = 0.5f;
    std::string unit;  ///< free text, may be empty

    bool operator==(const Control&) const = default;
};

inline constexpr int film_hidden = 16;  ///< width of the hidden layer that maps controls to FiLM scales and shifts

struct ModelConfig {
    std::string kind = "effect";
    int sample_rate = 48000;
    int channels = 1;  ///< audio channels the model takes and gives together
    int d_model = 8, n_layers = 4, d_state = 4, d_conv = 4, expand = 2, dt_rank = 1;
    DecayShape a = DecayShape::full;
    BBar b_bar = BBar::euler;
    std::vector<BlockKind> blocks{BlockKind::selective};  ///< what the layers are, in turn: from the beginning again when used up
    std::vector<int> dilations{1};  ///< likewise: samples from tap to tap of the convolution
    int fir_in = 0, fir_out = 0;    ///< taps of the filters at input and output, per channel; 0: none
    bool final_norm = true;
    bool skip = false;
    float output_peak = 0.0f;  ///< largest sample it was trained to put out; what it plays is held below twice that. 0: not
    std::vector<Control> controls;

    // Of a model that plays at another rate than its own (at_rate()); no file holds them.
    float step_ratio = 1.0f;  ///< the model's own rate / the rate it plays at: rotating blocks
    std::vector<int> convs;   ///< d_conv of every layer; empty: the d_conv of all

    int d_inner() const noexcept { return expand * d_model; }
    int decays() const noexcept { return a == DecayShape::tied ? 1 : d_state; }  ///< per channel, of any layer at most
    /// What layer `l` is; its tensors and state follow from that (serpent/kernels/block.h).
    kernels::BlockShape block(int l) const noexcept;
    /// Whether all layers are of that kind.
    bool all_blocks(BlockKind wanted) const noexcept;
};

/// The values of a tensor, row-major, where its weights keep them all (InArena). Empty: an optional tensor that is absent.
using Tensor = std::span<float>;

/// Tensors of one block in PyTorch's shapes: kernels::block_tensors() says which a kind has, and how large they are.
using LayerWeights = kernels::BlockFields<Tensor>;

/// encoder_weight (d_model, channels), encoder_bias (d_model); with final_norm: norm_f (d_model); decoder_weight (channels, d_model),
/// decoder_bias (channels); with skip: skip (channels); with controls: film_hidden_weight (16, controls), film_hidden_bias (16);
/// fir_in (channels, taps) and fir_out, where the configuration has them, the tap of the present sample first.
struct ModelTensors : kernels::EndFields<Tensor> {
    std::vector<LayerWeights> layers;
};

/// Calls visit(Tensor&) for all of them, in any order.
template <class Visit>
void each_tensor(ModelTensors& of, const Visit& visit) {
    for (Tensor ModelTensors::*const member : ModelTensors::members) visit(of.*member);
    for (LayerWeights& layer : of.layers)
        for (Tensor LayerWeights::*const member : LayerWeights::members) visit(layer.*member);
}

/// Tensors and the memory they are in. A copy has memory of its own; what moves keeps it. lay_out() makes it.
template <class Tensors>
struct InArena : Tensors {
    std::vector<float> values;  ///< all tensors one after the other, in the order of tensors()

    InArena() = default;
    InArena(const InArena& from) : Tensors(from), values(from.values) {
        each_tensor(*this, [&](Tensor& t) {
            if (!t.empty()) t = Tensor(values).subspan(static_cast<std::size_t>(t.data() - from.values.data()), t.size());
        });
    }
    InArena& operator=(const InArena& from) { return *this = InArena(from); }
    InArena(InArena&& from) noexcept : Tensors(std::exchange(static_cast<Tensors&>(from), {})), values(std::exchange(from.values, {})) {}
    InArena& operator=(InArena&& from) noexcept {
        static_cast<Tensors&>(*this) = std::exchange(static_cast<Tensors&>(from), {});
        values = std::exchange(from.values, {});
        return *this;
    }
};

using Weights = InArena<ModelTensors>;

/// One tensor that a configuration calls for. `optional` ones may be absent (the biases of in_proj, x_proj, out_proj).
struct TensorRef {
    std::string name;
    std::vector<std::size_t> shape;
    Tensor data;
    bool optional = false;
    kernels::DecayClass decay_class = kernels::DecayClass::none;
    kernels::Transform transform = kernels::Transform::none;

    std::size_t elements() const noexcept;  ///< by its shape
};

/// Every tensor that `config` calls for, in file order. The one list that loading, saving, counting and training share. Throws Error
/// unless `weights` has the configuration's layers.
std::vector<TensorRef> tensors(const ModelConfig& config, const ModelTensors& weights);

/// Which tensors; null: all.
using TensorChoice = std::function<bool(const TensorRef&)>;

/// Gives every tensor that `config` calls for its place and size, of the optional ones those of `has`. Values that were there stay as
/// far as they fit, all others are zero.
void lay_out(const ModelConfig& config, Weights& weights, const TensorChoice& has = {});

/// The file's free texts. Absent ones are empty.
struct Metadata {
    std::string name, author, license, description, gear;
    std::optional<double> loudness_db;      ///< loudness of the output for a -18 dBFS input, dB
    std::optional<double> input_level_dbu;  ///< analogue level of a full-scale input, dBu
    std::string training;                   ///< JSON text: data, steps, figures
    std::map<std::string, std::string> other;  ///< unknown entries, kept on saving
};

struct Model {
    ModelConfig config;
    Weights weights;
    Metadata metadata;
    /// What plays instead of `weights`, which are empty then; of `config` only kind ("nam"), sample_rate and channels count.
    std::shared_ptr<const NamCapture> nam = nullptr;

    /// Reads and validates a whole file, .safetensors or .nam. Throws Error naming the file and the tensor or field at fault.
    static Model load(const std::filesystem::path& path);
    /// The same from memory; `source` stands for the file in messages.
    static Model parse(std::span<const std::byte> bytes, std::string_view source);
    /// Writes beside `path`, then renames: the file appears whole or not at all. A .nam capture cannot be saved.
    void save(const std::filesystem::path& path, TensorType type = TensorType::f32) const;
    /// Throws Error unless ranges, shapes and finiteness hold; load() and save() call it.
    void validate() const;

    std::size_t parameter_count() const;
    /// Multiply-accumulates of the projections, convolutions, filters and scan, per sample.
    std::size_t macs_per_sample() const;
};

/// The running state of one model instance (one channel group), layer after layer. That of a .nam capture is all in `conv`, in an
/// order of its own.
struct State {
    std::vector<float> conv;   ///< [history of the layer][d_inner], oldest sample first: inputs of the convolution
    std::vector<float> h;      ///< [d_inner][d_state]
    std::vector<float> h_low;  ///< the same: what rounding left out of h. Empty, where a state is set: zeros
    std::vector<float> fir_in, fir_out;  ///< [channels][taps - 1], oldest sample first: inputs of the filters at the ends
};

State zero_state(const ModelConfig& config);

/// The exact fixed point for input 0 at the given controls (model units; empty: defaults), computed in float64.
State silence_state(const Model& model, std::span<const float> controls = {});

/// FiLM coefficients of every layer: [n_layers][d_model] each. Without controls: ones and zeros.
struct Film {
    std::vector<float> scale, shift;
};
/// controls in model units (empty: defaults), clamped to their range, mapped to [-1, 1]; u = norm(e) * scale + shift.
Film film(const Model& model, std::span<const float> controls = {});

/// Shortest and longest time constant 1/(dt |A|) over every channel and state, at the silence state of these controls:
/// how long the model remembers. In samples; infinite where dt |A| is 0.
struct TimeConstants {
    double shortest_samples = 0.0, longest_samples = 0.0;
};
TimeConstants time_constants(const Model& model, std::span<const float> controls = {});

enum class InitialState { silence, zero };

} // namespace serpent
