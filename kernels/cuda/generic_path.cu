// SPDX-License-Identifier: MIT
// Rendering with any width: a block to a chunk of time, by the operators that training uses (kernels/device/model.h).
#include "cuda/carry.cuh"
#include "cuda/render_path.h"
#include "device/workspace.h"

#include <algorithm>
#include <cmath>

namespace serpent::kernels::cuda {
namespace {

using device::Carver;
using device::Index;
using device::Parameters;
using device::Rows;
using device::Shape;

constexpr int generic_threads = 256, inner_chunk = 8;
constexpr std::size_t workspace_budget = std::size_t{2} << 30;

/// One layer over all chunks.
struct GenericLayer {
    Shape shape;
    Parameters<const float> weights;
    const float *rates, *film_scale, *film_shift;  ///< rates of all layers; FiLM of this one
    Rows e_in, e_out;
    const float* history_in;
    float *history_out, *ends, *dt_sum;
    Index length;
    int layer, chunk, lead;   ///< lead: samples before a chunk that it computes again, for its convolution
    float* workspace;         ///< of every block
    Index workspace_floats;
};

using Pass = device::LayerPass<inner_chunk, BlockTeam>;

/// Rows whose first sample is `lead` later.
__device__ device::LayerRows behind_lead(const device::LayerRows& rows, Index lead) {
    device::LayerRows r = rows;
    for (Rows* part : {&r.x_in, &r.z, &r.x_conv, &r.x, &r.dbc, &r.dt, &r.y, &r.gated}) part->data += lead;
    return r;
}

template <bool kOutput>
__global__ void __launch_bounds__(generic_threads) generic_kernel(const __grid_constant__ GenericLayer job) {
    const BlockTeam team;
    const Shape& s = job.shape;
    Carver carver(job.workspace + Index{blockIdx.x} * job.workspace_floats);
    const device::LayerRows rows = device::carve_layer_rows(carver, s, job.chunk + job.lead, inner_chunk, false);
    float* const states = carver.take(device::chunk_count(job.chunk, inner_chunk) * s.state_floats());
    const device::FilmRows film{job.film_scale, job.film_shift};
    for (Index chunk = blockIdx.x; chunk * job.chunk < job.length; chunk += gridDim.x) {
        const Index begin = chunk * job.chunk, n = min(Index{job.chunk}, job.length - begin), lead = min(Index{job.lead}, begin);
        const Rows e{job.e_in.data + begin, job.e_in.stride};
        // Before the first chunk there is history; the lead of any other reads nonsense instead, and so its own first rows,
        // which nobody uses, are nonsense.
        Pass(team, s, job.weights, job.rates, job.layer, film, lead + n, rows).inputs({e.data - lead, e.stride}, job.history_in);
        const device::LayerRows own = behind_lead(rows, lead);
        const Pass pass(team, s, job.weights, job.rates, job.layer, film, n, own);
        float* const end = job.ends + chunk * s.state_floats();
        pass.scan_starts(states, kOutput ? end : nullptr, kOutput ? nullptr : end);
        if (kOutput) {
            pass.outputs(states, e, {job.e_out.data + begin, job.e_out.stride});
            if (begin + n == job.length)
                device::advance_history(team, s.d_inner, s.d_conv, n + lead, rows.x_in, job.history_in, job.history_out);
        } else {
            device::each_item(team, s.d_inner, [&](Index c) {
                float sum = 0.0f;
                for (Index k = 0; k < device::chunk_count(n, inner_chunk); ++k) sum += rows.dt_sum[k * s.d_inner + c];
                job.dt_sum[chunk * s.d_inner + c] = sum;
            });
        }
        team.sync();
    }
}

template <bool kAdd>
__global__ void linear_kernel(const device::LinearMap map, Index steps, device::ConstRows x, Rows y) {
    device::linear<kAdd>(GridTeam{}, map, steps, x, y);
}
__global__ void norm_kernel(int channels, Index steps, const float* w, device::ConstRows e, Rows u, float* r) {
    device::rms_norm(GridTeam{}, channels, steps, w, nullptr, nullptr, e, u, r);
}
__global__ void skip_kernel(int channels, Index steps, const float* skip, device::ConstRows in, Rows out) {
    device::each_sample(GridTeam{}, channels, steps, [&](int c, Index t) { out(c, t) = fmaf(skip[c], in(c, t), out(c, t)); });
}

/// Copies host tensors one behind the other.
class FlatWeights {
public:
    int add(const float* values, std::size_t count) {
        if (!values) return -1;
        flat_.resize((flat_.size() + 3) / 4 * 4);
        flat_.insert(flat_.end(), values, values + count);
        return static_cast<int>(flat_.size() - count);
    }
    const std::vector<float>& flat() const { return flat_; }

private:
    std::vector<float> flat_;
};

class GenericPath : public RenderPath {
public:
    GenericPath(const ModelShape& c, const WeightPointers& weights, FilmCoefficients film, std::int64_t block)
        : shape_{{c.channels, c.d_model, c.d_inner, c.d_state, c.d_conv, c.dt_rank, c.n_layers, 0, c.tied, c.ema}},
          stride_((block + 31) / 32 * 32), lead_((c.d_conv - 1 + 3) / 4 * 4) {
        flatten(c, weights);
        std::vector<float> rates;
        for (const BlockFields<const float*>& w : weights.layers)
            for (int i = 0; i < shape_.decays(); ++i) rates.push_back(-std::exp(w.A_log[i]) * device::log2_e);
        rates_ = DeviceArray<float>(rates);
        const std::size_t coefficients = size(c.n_layers) * size(c.d_model);
        if (film.scale) {
            scale_ = DeviceArray<float>(std::vector<float>(film.scale, film.scale + coefficients));
            shift_ = DeviceArray<float>(std::vector<float>(film.shift, film.shift + coefficients));
        }
        for (auto& e : e_) e = DeviceArray<float>(size(stride_) * size(c.d_model));
        r_ = DeviceArray<float>(size(stride_));
        history_ = DeviceArray<float>(std::max<std::size_t>(1, size(shape_.history_floats())));
        Carver counter(nullptr);
        device::carve_layer_rows(counter, shape_, chunk_ + lead_, inner_chunk, false);
        counter.take(device::chunk_count(chunk_, inner_chunk) * shape_.state_floats());
        workspace_floats_ = counter.used();
        const std::size_t chunks = size((block + chunk_ - 1) / chunk_);
        blocks_ = static_cast<unsigned>(std::min({chunks, size(8 * device_status().multiprocessors),
                                                  std::max<std::size_t>(1, workspace_budget / sizeof(float) / size(workspace_floats_))}));
        workspace_ = DeviceArray<float>(blocks_ * size(workspace_floats_));
        ends_ = DeviceArray<float>(chunks * size(shape_.state_floats()));
        dt_sum_ = DeviceArray<float>(chunks * size(c.d_inner));
    }

    int chunk_for(std::int64_t) const override { return chunk_; }  // its workspace is for this one

    void process(CUstream_st* stream, DeviceSignal in, DeviceSignal out, std::int64_t n, int, float* history, float* h) override {
        const device::ConstRows audio{in.data, in.stride};
        const Parameters<const float> p{weights_.data(), places_.data(), model_};
        linear_kernel<false><<<grid(shape_.d_model * n), 256, 0, stream>>>(
            device::linear_map(p.at(model_.encoder_weight), p.at(model_.encoder_bias), shape_.channels, shape_.d_model), n, audio, rows(0));
        int from = 0;
        for (int l = 0; l < shape_.n_layers; ++l, from ^= 1) layer(stream, l, n, rows(from), rows(from ^ 1), history, h);
        Rows normed = rows(from);
        if (model_.norm_f >= 0) {
            normed = rows(from ^ 1);
            norm_kernel<<<grid(n), 256, 0, stream>>>(shape_.d_model, n, p.at(model_.norm_f), rows(from), normed, r_.data());
        }
        const Rows to{out.data, out.stride};
        linear_kernel<false><<<grid(n), 256, 0, stream>>>(
            device::linear_map(p.at(model_.decoder_weight), p.at(model_.decoder_bias), shape_.d_model, shape_.channels), n, normed, to);
        if (model_.skip >= 0) skip_kernel<<<grid(n), 256, 0, stream>>>(shape_.channels, n, p.at(model_.skip), audio, to);
        check_launch("rendering");
    }

private:
    static std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }
    static unsigned grid(std::int64_t items) { return std::min(blocks_for(items, 256), 1u << 16); }
    Rows rows(int i) const { return {e_[i].data(), stride_}; }

    void flatten(const ModelShape& c, const WeightPointers& weights) {
        FlatWeights flat;
        const std::size_t dm = size(c.d_model), d = size(c.d_inner), N = size(c.d_state), R = size(c.dt_rank), rows = R + 2 * N;
        std::vector<BlockFields<int>> places;
        for (const BlockFields<const float*>& w : weights.layers)
            places.push_back({flat.add(w.norm, dm), flat.add(w.in_proj, 2 * d * dm), flat.add(w.in_proj_bias, 2 * d),
                              flat.add(w.conv_weight, d * size(c.d_conv)), flat.add(w.conv_bias, d), flat.add(w.x_proj, rows * d),
                              flat.add(w.x_proj_bias, rows), flat.add(w.dt_proj, d * R), flat.add(w.dt_proj_bias, d), -1, flat.add(w.D, d),
                              flat.add(w.out_proj, dm * d), flat.add(w.out_proj_bias, dm), -1, -1});
        const std::size_t ends = size(c.channels) * dm;
        model_ = {flat.add(weights.encoder_weight, ends), flat.add(weights.encoder_bias, dm), flat.add(weights.norm_f, dm),
                  flat.add(weights.decoder_weight, ends), flat.add(weights.decoder_bias, size(c.channels)),
                  flat.add(weights.skip, size(c.channels)), -1, -1};
        weights_ = DeviceArray<float>(flat.flat());
        places_ = DeviceArray<BlockFields<int>>(places);
    }

    void layer(cudaStream_t stream, int l, std::int64_t n, Rows from, Rows to, float* history, float* h) {
        float* const past = history + size(l) * size(shape_.history_floats());
        float* const state = h + size(l) * size(shape_.state_floats());
        const std::int64_t chunks = (n + chunk_ - 1) / chunk_;
        const GenericLayer job{shape_, {weights_.data(), places_.data(), model_}, rates_.data(),
                               scale_.data() ? scale_.data() + l * shape_.d_model : nullptr,
                               shift_.data() ? shift_.data() + l * shape_.d_model : nullptr,
                               from, to, past, history_.data(), ends_.data(), dt_sum_.data(), n, l, chunk_, lead_,
                               workspace_.data(), workspace_floats_};
        const unsigned blocks = static_cast<unsigned>(std::min<std::int64_t>(chunks, blocks_));
        generic_kernel<false><<<blocks, generic_threads, 0, stream>>>(job);
        join_chunks(stream, {ends_.data(), dt_sum_.data(), rates_.data() + l * shape_.decays(), state, state, chunks, shape_.d_inner,
                             shape_.d_state, shape_.tied, false});
        generic_kernel<true><<<blocks, generic_threads, 0, stream>>>(job);
        if (shape_.history_floats() > 0)
            check(cudaMemcpyAsync(past, history_.data(), size(shape_.history_floats()) * sizeof(float), cudaMemcpyDeviceToDevice, stream),
                  "copying");
    }

    Shape shape_;
    std::int64_t stride_;
    int lead_;
    static constexpr int chunk_ = 512;
    EndFields<int> model_{};
    DeviceArray<float> weights_, rates_, scale_, shift_, e_[2], r_, history_, workspace_, ends_, dt_sum_;
    DeviceArray<BlockFields<int>> places_;
    Index workspace_floats_ = 0;
    unsigned blocks_ = 1;
};

} // namespace

std::unique_ptr<RenderPath> make_generic_path(const ModelShape& config, const WeightPointers& weights, FilmCoefficients film,
                                              std::int64_t block_samples) {
    return std::make_unique<GenericPath>(config, weights, film, block_samples);
}

} // namespace serpent::kernels::cuda
