// SPDX-License-Identifier: MIT
// What a block is, as data: its sizes, and for every kind of block the table of its tensors. Files, validation, checkpoints, layouts
// on devices, gradients and the optimiser's groups are made from these tables; engines say which kinds they run.
//
//   selective       h <- exp(dt A) h + input, dt, B and C from what is heard      (equations/selective_scan.h)
//   rotating        the same with complex states that also turn, by an angle per sample that is fixed   (equations/rotating_scan.h)
//   time_invariant  complex states that nothing but their input moves             (equations/time_invariant_scan.h)
//
// State of a block, whatever its kind: the last history() inputs of its convolution, [history][d_inner], oldest first; and
// h [d_inner][d_state]. Complex states lie in h as d_state / 2 real parts and then as many imaginary ones (rotating), or in pairs
// (time_invariant).
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace serpent::kernels {

enum class BlockKind { selective, rotating, time_invariant };
inline constexpr std::array block_kinds{BlockKind::selective, BlockKind::rotating, BlockKind::time_invariant};
constexpr const char* block_kind_name(BlockKind kind) {
    constexpr std::array names{"selective", "rotating", "time_invariant"};
    return names[static_cast<std::size_t>(kind)];
}

/// Widths in channels, d_conv in taps, dilation in samples from tap to tap.
struct BlockShape {
    BlockKind kind = BlockKind::selective;
    int d_model = 1, d_inner = 1, d_state = 1, d_conv = 1, dilation = 1, dt_rank = 1;
    bool tied = false;      ///< one decay per channel
    bool ema = false;       ///< selective only: h += -q (B x - h) instead of h += q h + dt B x
    int film_hidden = 0;    ///< width of the controls' hidden layer; 0: no FiLM
    float step_ratio = 1;   ///< rotating only: model rate / playing rate, for the gain of the input (equations/rotating_scan.h)

    constexpr int pairs() const { return d_state / 2; }
    /// Different decays of a channel.
    constexpr int decays() const { return tied && kind != BlockKind::time_invariant ? 1 : kind == BlockKind::selective ? d_state : pairs(); }
    constexpr int x_proj_rows() const { return dt_rank + 2 * d_state; }
    /// Samples that the convolution reaches back.
    constexpr int history() const { return (d_conv - 1) * dilation; }
    constexpr int conv_floats() const { return history() * d_inner; }
    constexpr int h_floats() const { return d_inner * d_state; }
    /// Multiply-accumulates per sample.
    constexpr std::size_t macs() const;

    bool operator==(const BlockShape&) const = default;
};

/// One value for each tensor that a block of any kind may have.
enum class BlockField {
    norm, in_proj, in_proj_bias, conv_weight, conv_bias, x_proj, x_proj_bias, dt_proj, dt_proj_bias, A_log, A_imag, C, D, out_proj,
    out_proj_bias, film_weight, film_bias
};

template <class T>
struct BlockFields {
    T norm{}, in_proj{}, in_proj_bias{}, conv_weight{}, conv_bias{}, x_proj{}, x_proj_bias{}, dt_proj{}, dt_proj_bias{}, A_log{},
        A_imag{}, C{}, D{}, out_proj{}, out_proj_bias{}, film_weight{}, film_bias{};

    T& operator[](BlockField field) { return this->*members[static_cast<std::size_t>(field)]; }
    const T& operator[](BlockField field) const { return this->*members[static_cast<std::size_t>(field)]; }

    /// In BlockField's order.
    static constexpr T BlockFields::*members[] = {
        &BlockFields::norm, &BlockFields::in_proj, &BlockFields::in_proj_bias, &BlockFields::conv_weight, &BlockFields::conv_bias,
        &BlockFields::x_proj, &BlockFields::x_proj_bias, &BlockFields::dt_proj, &BlockFields::dt_proj_bias, &BlockFields::A_log,
        &BlockFields::A_imag, &BlockFields::C, &BlockFields::D, &BlockFields::out_proj, &BlockFields::out_proj_bias,
        &BlockFields::film_weight, &BlockFields::film_bias};
};

/// What stands around the blocks. fir_in filters the input in front of the encoder, fir_out the output behind decoder and skip.
template <class T>
struct EndFields {
    T encoder_weight{}, encoder_bias{}, norm_f{}, decoder_weight{}, decoder_bias{}, skip{}, film_hidden_weight{}, film_hidden_bias{},
        fir_in{}, fir_out{};

    static constexpr T EndFields::*members[] = {
        &EndFields::encoder_weight, &EndFields::encoder_bias, &EndFields::norm_f, &EndFields::decoder_weight, &EndFields::decoder_bias,
        &EndFields::skip, &EndFields::film_hidden_weight, &EndFields::film_hidden_bias, &EndFields::fir_in, &EndFields::fir_out};
};

/// to's fields are function(from's), whatever the two hold.
template <template <class> class Fields, class From, class To, class Function>
void map_fields(const Fields<From>& from, Fields<To>& to, const Function& function) {
    for (std::size_t i = 0; i < std::size(Fields<From>::members); ++i)
        to.*Fields<To>::members[i] = function(from.*Fields<From>::members[i]);
}

/// How weights become what the equations use: `decay` stands for A = -exp(weight).
enum class Transform { none, decay };
/// The optimiser's groups. film: the controls' network.
enum class DecayClass { none, matrix, film };

struct BlockTensor {
    BlockField field;
    const char* name;                                       ///< in a file, behind "layers.{i}."
    std::array<int, 3> (*shape)(const BlockShape&);         ///< PyTorch's; unused dimensions are 0
    bool optional = false;                                  ///< may be absent: zeros
    DecayClass decay_class = DecayClass::none;
    Transform transform = Transform::none;
};

namespace tables {

using Shape3 = std::array<int, 3>;
using S = const BlockShape&;
using F = BlockField;
inline constexpr bool optional = true;

constexpr Shape3 decay_shape(S s) { return s.tied ? Shape3{s.d_inner} : Shape3{s.d_inner, s.decays()}; }

inline constexpr BlockTensor
    norm{F::norm, "norm.weight", [](S s) { return Shape3{s.d_model}; }},
    in_proj{F::in_proj, "mixer.in_proj.weight", [](S s) { return Shape3{2 * s.d_inner, s.d_model}; }, false, DecayClass::matrix},
    conv_weight{F::conv_weight, "mixer.conv1d.weight", [](S s) { return Shape3{s.d_inner, 1, s.d_conv}; }, false, DecayClass::matrix},
    conv_bias{F::conv_bias, "mixer.conv1d.bias", [](S s) { return Shape3{s.d_inner}; }},
    x_proj{F::x_proj, "mixer.x_proj.weight", [](S s) { return Shape3{s.x_proj_rows(), s.d_inner}; }, false, DecayClass::matrix},
    dt_proj{F::dt_proj, "mixer.dt_proj.weight", [](S s) { return Shape3{s.d_inner, s.dt_rank}; }, false, DecayClass::matrix},
    dt_proj_bias{F::dt_proj_bias, "mixer.dt_proj.bias", [](S s) { return Shape3{s.d_inner}; }},
    A_log{F::A_log, "mixer.A_log", decay_shape, false, DecayClass::none, Transform::decay},
    D{F::D, "mixer.D", [](S s) { return Shape3{s.d_inner}; }},
    out_proj{F::out_proj, "mixer.out_proj.weight", [](S s) { return Shape3{s.d_model, s.d_inner}; }, false, DecayClass::matrix},
    in_proj_bias{F::in_proj_bias, "mixer.in_proj.bias", [](S s) { return Shape3{2 * s.d_inner}; }, optional},
    x_proj_bias{F::x_proj_bias, "mixer.x_proj.bias", [](S s) { return Shape3{s.x_proj_rows()}; }, optional},
    out_proj_bias{F::out_proj_bias, "mixer.out_proj.bias", [](S s) { return Shape3{s.d_model}; }, optional},
    film_weight{F::film_weight, "film.weight", [](S s) { return Shape3{2 * s.d_model, s.film_hidden}; }, false, DecayClass::film},
    film_bias{F::film_bias, "film.bias", [](S s) { return Shape3{2 * s.d_model}; }, false, DecayClass::film},
    angle{F::A_imag, "mixer.A_imag", [](S s) { return Shape3{s.d_inner, s.pairs()}; }},
    rate{F::A_log, "mixer.A_log", [](S s) { return Shape3{s.d_inner, s.pairs()}; }},  // r = exp(A_log), no A
    angle_of_rate{F::A_imag, "mixer.A_imag", [](S s) { return Shape3{s.d_inner, s.pairs()}; }, false, DecayClass::matrix},
    C{F::C, "mixer.C", [](S s) { return Shape3{s.d_inner, s.pairs(), 2}; }, false, DecayClass::matrix};

inline constexpr BlockTensor selective[] = {norm, in_proj, conv_weight, conv_bias, x_proj, dt_proj, dt_proj_bias, A_log, D, out_proj,
                                            in_proj_bias, x_proj_bias, out_proj_bias, film_weight, film_bias};
inline constexpr BlockTensor rotating[] = {norm, in_proj, conv_weight, conv_bias, x_proj, dt_proj, dt_proj_bias, A_log, angle, D, out_proj,
                                           in_proj_bias, x_proj_bias, out_proj_bias, film_weight, film_bias};
inline constexpr BlockTensor time_invariant[] = {norm, in_proj, conv_weight, conv_bias, rate, angle_of_rate, C, D, out_proj, in_proj_bias,
                                                 out_proj_bias, film_weight, film_bias};

} // namespace tables

/// Every tensor of a kind, in the order of files. Those of FiLM only count where film_hidden > 0.
constexpr std::span<const BlockTensor> block_tensors(BlockKind kind) {
    switch (kind) {
    case BlockKind::rotating: return tables::rotating;
    case BlockKind::time_invariant: return tables::time_invariant;
    default: return tables::selective;
    }
}

constexpr std::size_t BlockShape::macs() const {
    const auto product = [](int a, int b) { return static_cast<std::size_t>(a) * static_cast<std::size_t>(b); };
    std::size_t count = 3 * product(d_inner, d_model) + product(d_inner, d_conv) + 2 * product(d_inner, 1);  // D x and the gate
    if (kind == BlockKind::time_invariant) return count + 7 * product(d_inner, pairs());                     // q h (4), b x, C h (2)
    count += product(d_inner, x_proj_rows()) + product(d_inner, dt_rank) + product(d_inner, 1);              // and dt x
    // The decay of a state, its input, C h; a pair also turns.
    return count + (kind == BlockKind::rotating ? 8 * product(d_inner, pairs()) : 3 * product(d_inner, d_state));
}

/// A whole model as engines see it.
struct ModelShape {
    int channels = 1;
    std::vector<BlockShape> blocks;      ///< at least one; d_model and d_inner are those of all
    int fir_in = 0, fir_out = 0;         ///< taps per channel of the filters at the ends; 0: none
    float output_peak = 0.0f;            ///< what the output is bound by (twice this at most); 0: not bound

    int d_model() const { return blocks.front().d_model; }
    int d_inner() const { return blocks.front().d_inner; }
    /// Floats of the state over all blocks.
    std::size_t conv_floats() const;
    std::size_t h_floats() const;
};

/// Row-major, in PyTorch's shapes; null for a tensor that the model has not.
struct WeightPointers : EndFields<const float*> {
    std::vector<BlockFields<const float*>> layers;
};

inline std::size_t ModelShape::conv_floats() const {
    std::size_t sum = 0;
    for (const BlockShape& b : blocks) sum += static_cast<std::size_t>(b.conv_floats());
    return sum;
}
inline std::size_t ModelShape::h_floats() const {
    std::size_t sum = 0;
    for (const BlockShape& b : blocks) sum += static_cast<std::size_t>(b.h_floats());
    return sum;
}

} // namespace serpent::kernels
