// SPDX-License-Identifier: MIT
// The model's backward pass over 16 lanes, sub-block by sub-block in reverse, from recomputed activations.
#pragma once

#include "lanes/lane_model.h"

namespace serpent::lanes {

/// One accumulator of 16 lanes for every weight, in the order of tensors().
class LaneGradients {
public:
    /// The tensors must stay where they are.
    explicit LaneGradients(const std::vector<TensorRef>& tensors);
    void clear();

    /// Accumulator of `tensor`, one of those given to the constructor; null when it is empty.
    float* of(Tensor tensor);

    std::size_t size() const noexcept { return offsets_.back(); }  ///< weights in all
    /// Sum over lanes of weight `i`, in fixed order.
    float sum(std::size_t i) const noexcept;

private:
    std::vector<const float*> tensors_;
    std::vector<std::size_t> offsets_;  // in weights; one more than tensors_
    LaneBuffer values_;
};

/// The longest sub-block whose recomputed activations (some 10 d_inner + 2 d_inner d_state rows) stay in half a
/// megabyte of L2.
int backward_sub_steps(const ModelConfig& config);

/// Gradients of FiLM scale and shift, laid out as LaneFilm.
using LaneFilmGradients = LaneFilm;

class LaneBackward {
public:
    /// `weights` is what `model` was built on; `sub_steps` the longest sub-block.
    LaneBackward(const LaneModel& model, const ModelTensors& weights, int sub_steps);

    void clear_gradients();
    LaneGradients& gradients() noexcept { return gradients_; }
    LaneFilmGradients& film_gradients() noexcept { return film_gradients_; }

    /// de = gradient of e from dout ([steps][channels][16]); e is the last layer's output.
    /// din: gradient of the input through the skip, written ([steps][channels]); null: not wanted.
    void decode(int steps, const float* in, const float* e, const float* dout, float* de, float* din = nullptr);
    /// One layer over one sub-block: recomputes it from its input e, from the rows of its convolution ([history + steps], which the forward
    /// pass has left) and from its start state h, then adds the gradient through the block to de. dconv: gradient of the convolution's
    /// rows; those behind the history have what later sub-blocks gave them, and all are added to. dh: gradient of the end state in, of the
    /// start state out.
    void layer(int l, int steps, const float* e, const LaneFilm& film, float* conv, const float* h, float* de, float* dconv, float* dh);
    /// din: gradient of the input, added to.
    void encode(int steps, const float* in, const float* de, float* din = nullptr);

private:
    using LayerGradients = kernels::BlockFields<float*>;  // A_log: of A, not its logarithm, where the table says Transform::decay
    /// From dy_ and the tape to dx_, the gradient of the activated convolution.
    void scan(int l, int steps, const float* h, float* dh);
    void oscillators(int l, int steps, const float* h, float* dh);
    void recompute(int l, int steps, const float* e, const LaneFilm& film, float* conv, const float* h);

    const LaneModel& model_;
    const ModelTensors& weights_;
    LaneGradients gradients_;
    LaneFilmGradients film_gradients_;
    std::vector<LayerGradients> layers_;
    LaneActivations a_;
    LaneBuffer h_state_, dgated_, dy_, dz_, dx_, ddt_, ddbc_, du_, dq_;
};

} // namespace serpent::lanes
