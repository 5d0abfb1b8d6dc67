// SPDX-License-Identifier: MIT
#include "cuda/device_group.cuh"
#include "cuda/sequence_states.cuh"
#include "cuda/support.cuh"
#include "gpu/optimiser.h"
#include "gpu/segment.h"
#include "gpu/stft.h"
#include "serpent/kernels/device_train.h"

#include <algorithm>
#include <cmath>

namespace serpent::kernels {

using namespace cuda;
using gpu::Carver;
using gpu::Index;
using gpu::Shape;

namespace {

constexpr int segment_threads = 512, update_threads = 256, largest_cluster = 8;  // every GPU with clusters has room for 8 blocks
constexpr int steps_ahead = 16;
constexpr float stft_power_floor = 1e-8f;  // StftLoss's

struct Take {
    const float *dry, *wet;
    Index stride;
};

struct SequenceOrder {
    std::int64_t position;
    int take, unscored, begins;
    float weight;
};

/// Everything that the kernels of one step need.
struct StepJob {
    gpu::SegmentModel model;
    int blocks;  ///< of a sequence
    const Take* takes;
    const SequenceOrder* orders;
    StatePointers<float> start, end;  ///< of all sequences
    float* previous_error;            ///< of all sequences
    float* workspace;
    Index workspace_floats, capacity, steps;
    float* gradients;  ///< [sequences][parameters]
    Index parameters;
    float* losses;     ///< [sequences]
    gpu::SegmentLossWeights loss;
    float* stft_workspace;  ///< null: no spectral loss
    Index stft_floats;
    const gpu::Complex* twiddles;
    float stft_weight;
};

/// What a block works with, in shared memory.
struct BlockView {
    gpu::SegmentWorkspace workspace;
    gpu::SequenceJob job;
    gpu::SequenceMemory memory;
};

__device__ StatePointers<float> state_of_sequence(const StatePointers<float>& all, const Shape& s, Index sequence) {
    return {all.conv + sequence * s.history_floats, all.h + sequence * s.h_floats, all.fir_in + sequence * s.fir_in_history(),
            all.fir_out + sequence * s.fir_out_history()};
}

__device__ void view_block(const StepJob& job, Index sequence, BlockView& view) {
    if (threadIdx.x == 0) {
        const Shape& s = job.model.shape;
        Carver carver(job.workspace + sequence * job.workspace_floats);
        view.workspace = gpu::carve_segment(carver, s, job.capacity);
        const SequenceOrder& order = job.orders[sequence];
        const Take& take = job.takes[order.take];
        view.job = {take.dry + order.position, take.wet + order.position, take.stride, order.take, order.unscored, order.begins, order.weight};
        view.memory = {state_of_sequence(job.start, s, sequence), state_of_sequence(job.end, s, sequence),
                       job.previous_error + sequence * s.channels};
    }
    __syncthreads();
}

__global__ void __launch_bounds__(segment_threads) forward_kernel(const __grid_constant__ StepJob job) {
    __shared__ BlockView view;
    const ClusterTeam team(job.blocks);
    view_block(job, team.team(), view);
    const gpu::SegmentPass pass(team, job.model, view.job, view.memory, view.workspace, job.steps);
    pass.forward();
    pass.score(job.loss);
    if (team.rank() == 0) job.losses[team.team()] = *view.workspace.loss;
}

/// Adds the spectral loss of what is scored and its gradient to what forward_kernel() left.
__global__ void __launch_bounds__(segment_threads) stft_kernel(const __grid_constant__ StepJob job) {
    __shared__ BlockView view;
    __shared__ gpu::Complex memory[2 * gpu::stft_largest_fft];
    view_block(job, blockIdx.x, view);
    const BlockTeam team;
    Carver carver(job.stft_workspace + Index{blockIdx.x} * job.stft_floats);
    const gpu::StftWorkspace workspace = gpu::carve_stft(carver, job.capacity);
    const gpu::StftPass pass(team, job.twiddles, workspace, memory, stft_power_floor);
    const Index first = min(Index{view.job.unscored}, job.steps), n = job.steps - first;
    double loss = 0;
    for (int c = 0; c < job.model.shape.channels; ++c)
        loss += pass.run(view.job.wet + c * view.job.stride + first, &view.workspace.out(c, first), &view.workspace.dout(c, first), n,
                         job.stft_weight);
    if (threadIdx.x == 0) job.losses[blockIdx.x] += static_cast<float>(loss);
}

__global__ void __launch_bounds__(segment_threads) backward_kernel(const __grid_constant__ StepJob job) {
    __shared__ BlockView view;
    const ClusterTeam team(job.blocks);
    view_block(job, team.team(), view);
    const gpu::SegmentPass pass(team, job.model, view.job, view.memory, view.workspace, job.steps);
    pass.backward({job.gradients + Index{team.team()} * job.parameters, job.model.weights.layers, job.model.weights.model});
}

/// Sum of the block's values, the same in all threads; in a fixed order.
__device__ double block_sum(double value) {
    __shared__ double sums[update_threads];
    sums[threadIdx.x] = value;
    __syncthreads();
    for (int half = update_threads / 2; half > 0; half /= 2) {
        if (static_cast<int>(threadIdx.x) < half) sums[threadIdx.x] += sums[threadIdx.x + half];
        __syncthreads();
    }
    const double sum = sums[0];
    __syncthreads();
    return sum;
}

/// gradient = sum over the sequences, in order; squares: one sum for each block. Block 0 adds up the losses.
__global__ void __launch_bounds__(update_threads) reduce_kernel(int sequences, Index parameters, const float* gradients, float* gradient,
                                                                double* squares, const float* losses, double* loss) {
    const Index i = Index{blockIdx.x} * update_threads + threadIdx.x;
    float sum = 0.0f;
    if (i < parameters) {
#pragma unroll 8
        for (int sequence = 0; sequence < sequences; ++sequence) sum += gradients[sequence * parameters + i];
        gradient[i] = sum;
    }
    const double square = block_sum(double(sum) * double(sum));
    if (threadIdx.x == 0) squares[blockIdx.x] = square;
    if (blockIdx.x == 0 && threadIdx.x == 0) {
        double total = 0;
        for (int sequence = 0; sequence < sequences; ++sequence) total += double(losses[sequence]);
        *loss += total;
    }
}

struct UpdateJob {
    gpu::UpdateFactors factors;
    double clip;
    Index parameters;
    int blocks;
    const float *gradient, *decay;
    const double* squares;
    float *weights, *m, *v, *average;
};

__global__ void __launch_bounds__(update_threads) update_kernel(const __grid_constant__ UpdateJob job) {
    double square = 0;
    for (int block = static_cast<int>(threadIdx.x); block < job.blocks; block += update_threads) square += job.squares[block];
    const double norm = sqrt(block_sum(square));
    const Index i = Index{blockIdx.x} * update_threads + threadIdx.x;
    if (i >= job.parameters || !isfinite(norm)) return;  // a segment that overflowed teaches nothing
    float g = job.gradient[i];
    if (norm > job.clip) g *= static_cast<float>(job.clip / norm);
    gpu::update_parameter(job.factors, g, job.decay[i], job.weights[i], job.m[i], job.v[i], job.average[i]);
}

__global__ void __launch_bounds__(update_threads) constants_kernel(int n_layers, const gpu::Layer* layers, const float* weights,
                                                                   gpu::ConstantsOf<float, gpu::Turn> to) {
    gpu::layer_constants(GridTeam{}, n_layers, layers, weights, gpu::segment_chunk, to);
}

std::size_t as_size(std::int64_t n) { return static_cast<std::size_t>(n); }

/// As many blocks to a sequence as fill the GPU: neighbours of a cluster, which older GPUs have not.
int blocks_that_fit(int sequences) {
    int device = 0, major = 0;
    check(cudaGetDevice(&device), "choosing it");
    check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device), "asking what it can do");
    if (major < 9) return 1;
    int blocks = 1;
    while (blocks < largest_cluster && 2 * blocks * sequences <= device_status().multiprocessors) blocks *= 2;
    return blocks;
}

} // namespace

struct DeviceTrainer::Impl {
    Shape shape;
    EndFields<int> model;
    int sequences, longest, blocks_per_sequence;
    Index parameters, capacity, workspace_floats = 0;
    DeviceArray<gpu::Layer> layers;
    DeviceArray<float> weights, average, m, v, decay, rates, gradients, gradient, losses, workspace, positions, previous_error;
    DeviceArray<gpu::Turn> turns, chunk_turns;
    SequenceStates states[2];
    DeviceArray<double> squares, loss;
    std::vector<DeviceArray<float>> recordings;
    std::vector<Take> take_list;
    std::vector<float> position_list;
    DeviceArray<Take> takes;
    std::vector<Pinned<SequenceOrder>> orders;
    std::vector<std::unique_ptr<Event>> order_read;
    DeviceArray<SequenceOrder> device_orders;
    DeviceArray<float> stft_workspace;  ///< taken when a step first wants it
    DeviceArray<gpu::Complex> twiddles;
    Index stft_floats = 0;
    Stream stream;
    int now = 0;               ///< which of the states is that before the next step
    std::int64_t queued = 0;

    Impl(const DeviceModelLayout& layout, int count, int longest_segment, const std::vector<float>& weight_decay, int blocks_wanted)
        : shape(gpu::shape_of(layout.shape, layout.n_controls)), model(layout.model), sequences(count), longest(longest_segment),
          blocks_per_sequence(blocks_wanted > 0 ? blocks_wanted : blocks_that_fit(count)), parameters(static_cast<Index>(layout.parameters)),
          capacity((longest_segment + 31) / 32 * 32), layers(gpu::layers_of(layout.shape, layout.layers)), weights(layout.parameters),
          average(layout.parameters), m(layout.parameters), v(layout.parameters), decay(weight_decay), rates(as_size(shape.rates)),
          gradients(as_size(sequences) * layout.parameters), gradient(layout.parameters), losses(as_size(sequences)),
          previous_error(as_size(sequences) * as_size(shape.channels)), turns(as_size(shape.turns)), chunk_turns(as_size(shape.turns)),
          states{SequenceStates(shape, count), SequenceStates(shape, count)}, squares(as_size(blocks())), loss(1),
          device_orders(as_size(sequences) * steps_ahead) {
        Carver counter(nullptr);
        gpu::carve_segment(counter, shape, capacity);
        workspace_floats = counter.used();
        workspace = DeviceArray<float>(as_size(sequences * workspace_floats));
        for (int i = 0; i < steps_ahead; ++i) {
            orders.emplace_back(as_size(sequences));
            order_read.push_back(std::make_unique<Event>());
        }
        gradients.clear(stream);
        previous_error.clear(stream);
        loss.clear(stream);
    }

    int blocks() const { return static_cast<int>((parameters + update_threads - 1) / update_threads); }
    std::size_t memory_bytes() const {
        return sizeof(float) * (workspace.size() + stft_workspace.size() + gradients.size() + states[0].size() + states[1].size() +
                                6 * as_size(parameters));
    }

    /// One team of blocks for every sequence.
    void launch(void (*kernel)(StepJob), const StepJob& job) {
        cudaLaunchAttribute cluster{};
        cluster.id = cudaLaunchAttributeClusterDimension;
        cluster.val.clusterDim.x = static_cast<unsigned>(job.blocks), cluster.val.clusterDim.y = cluster.val.clusterDim.z = 1;
        cudaLaunchConfig_t config{};
        config.gridDim = dim3(static_cast<unsigned>(sequences * job.blocks));
        config.blockDim = dim3(segment_threads);
        config.stream = stream;
        config.attrs = &cluster;
        config.numAttrs = job.blocks > 1 ? 1 : 0;
        check(cudaLaunchKernelEx(&config, kernel, job), "training");
    }

    void prepare_stft() {
        if (stft_workspace.data()) return;
        Carver counter(nullptr);
        gpu::carve_stft(counter, capacity);
        stft_floats = counter.used();
        stft_workspace = DeviceArray<float>(as_size(sequences * stft_floats));
        twiddles = DeviceArray<gpu::Complex>(gpu::stft_twiddles());
    }

    /// Copies the orders to the device, through a ring of page-locked memory.
    const SequenceOrder* send_orders(const std::vector<DeviceSequence>& wanted) {
        const std::size_t slot = as_size(queued % steps_ahead);
        if (queued >= steps_ahead) order_read[slot]->wait();
        SequenceOrder* const to = orders[slot].data();
        for (std::size_t i = 0; i < wanted.size(); ++i)
            to[i] = {static_cast<std::int64_t>(wanted[i].position), wanted[i].take, wanted[i].unscored,
                     wanted[i].start == SequenceStart::silence, wanted[i].weight};
        SequenceOrder* const on_device = device_orders.data() + slot * as_size(sequences);
        check(cudaMemcpyAsync(on_device, to, wanted.size() * sizeof(SequenceOrder), cudaMemcpyHostToDevice, stream), "copying to it");
        order_read[slot]->record(stream);
        return on_device;
    }

    StepJob step_job(const SequenceOrder* sequence_orders, const DeviceStep& step) {
        return {{shape, {weights.data(), layers.data(), model}, {rates.data(), turns.data(), chunk_turns.data()},
                 shape.n_controls > 0 ? positions.data() : nullptr},
                blocks_per_sequence, takes.data(), sequence_orders, states[now].pointers(), states[now ^ 1].pointers(),
                previous_error.data(),
                workspace.data(), workspace_floats, capacity, step.samples, gradients.data(), parameters, losses.data(),
                {step.plain, step.emphasised, step.emphasis}, stft_workspace.data(), stft_floats, twiddles.data(), step.mrstft};
    }

    void optimise(const DeviceStep& step) {
        const unsigned grid = static_cast<unsigned>(blocks());
        reduce_kernel<<<grid, update_threads, 0, stream>>>(sequences, parameters, gradients.data(), gradient.data(), squares.data(),
                                                           losses.data(), loss.data());
        const auto number = static_cast<double>(step.number);
        const UpdateJob job{{static_cast<float>(step.rate), static_cast<float>(step.beta1), static_cast<float>(step.beta2),
                             static_cast<float>(step.eps), static_cast<float>(1 - std::pow(step.beta1, number)),
                             static_cast<float>(1 - std::pow(step.beta2, number)), static_cast<float>(step.average_keep)},
                            step.clip, parameters, blocks(), gradient.data(), decay.data(), squares.data(), weights.data(),
                            m.data(), v.data(), average.data()};
        update_kernel<<<grid, update_threads, 0, stream>>>(job);
        set_constants();
        check_launch("training");
    }

    void set_constants() {
        constants_kernel<<<blocks_for(std::max(shape.d_inner, shape.columns), update_threads), update_threads, 0, stream>>>(
            shape.n_layers, layers.data(), weights.data(), {rates.data(), turns.data(), chunk_turns.data()});
        check_launch("training");
    }
};

DeviceTrainer::DeviceTrainer(const DeviceModelLayout& layout, int sequences, int longest_segment, const std::vector<float>& decay,
                             const DeviceTrainOptions& options) {
    const int blocks = options.blocks_per_sequence;
    if (blocks < 0 || blocks > largest_cluster || (blocks & (blocks - 1)) != 0)
        throw std::invalid_argument("DeviceTrainOptions: blocks_per_sequence must be 0, 1, 2, 4 or 8");
    require_device();
    impl_ = std::make_unique<Impl>(layout, sequences, longest_segment, decay, blocks);
}
DeviceTrainer::~DeviceTrainer() = default;
DeviceTrainer::DeviceTrainer(DeviceTrainer&&) noexcept = default;
DeviceTrainer& DeviceTrainer::operator=(DeviceTrainer&&) noexcept = default;

void DeviceTrainer::add_take(const std::vector<std::vector<float>>& dry, const std::vector<std::vector<float>>& wet,
                             const std::vector<float>& positions) {
    const auto copy = [&](const std::vector<std::vector<float>>& planar) {
        const std::size_t n = planar.front().size();
        DeviceArray<float>& memory = impl_->recordings.emplace_back(n * planar.size());
        for (std::size_t c = 0; c < planar.size(); ++c) memory.upload(impl_->stream, planar[c].data(), n, c * n);
        return memory.data();
    };
    const float* const d = copy(dry);
    const float* const w = copy(wet);
    impl_->take_list.push_back({d, w, static_cast<Index>(dry.front().size())});
    impl_->position_list.insert(impl_->position_list.end(), positions.begin(), positions.end());
    impl_->takes = DeviceArray<Take>(impl_->take_list);
    if (!impl_->position_list.empty()) impl_->positions = DeviceArray<float>(impl_->position_list);
}

void DeviceTrainer::set_vectors(const DeviceTrainVectors& from) {
    impl_->weights.upload(impl_->stream, from.weights.data(), from.weights.size());
    impl_->average.upload(impl_->stream, from.average.data(), from.average.size());
    impl_->m.upload(impl_->stream, from.m.data(), from.m.size());
    impl_->v.upload(impl_->stream, from.v.data(), from.v.size());
    impl_->set_constants();
}

DeviceTrainVectors DeviceTrainer::vectors() const {
    const cudaStream_t stream = impl_->stream;
    return {impl_->weights.values(stream), impl_->average.values(stream), impl_->m.values(stream), impl_->v.values(stream)};
}

void DeviceTrainer::set_sequence(int sequence, const StatePointers<const float>& state, const float* error) {
    const std::size_t i = as_size(sequence), channels = as_size(impl_->shape.channels);
    SequenceStates& states = impl_->states[impl_->now];
    SequenceStates::each_part(impl_->shape, state, [&](DeviceArray<float> SequenceStates::*part, std::size_t n, const float* from) {
        (states.*part).upload(impl_->stream, from, n, i * n);
    });
    impl_->previous_error.upload(impl_->stream, error, channels, i * channels);
}

void DeviceTrainer::get_sequence(int sequence, const StatePointers<float>& state, float* error) const {
    const std::size_t i = as_size(sequence), channels = as_size(impl_->shape.channels);
    const SequenceStates& states = impl_->states[impl_->now];
    SequenceStates::each_part(impl_->shape, state, [&](DeviceArray<float> SequenceStates::*part, std::size_t n, float* to) {
        (states.*part).download(impl_->stream, to, n, i * n);
    });
    impl_->previous_error.download(impl_->stream, error, channels, i * channels);
}

std::size_t DeviceTrainer::memory_bytes() const noexcept { return impl_->memory_bytes(); }
int DeviceTrainer::blocks_per_sequence() const noexcept { return impl_->blocks_per_sequence; }

void DeviceTrainer::step(const std::vector<DeviceSequence>& sequences, const DeviceStep& step) {
    if (sequences.size() != as_size(impl_->sequences) || step.samples < 1 || step.samples > impl_->longest)
        throw std::invalid_argument("DeviceTrainer::step: wrong number of sequences or samples");
    if (step.mrstft > 0) impl_->prepare_stft();
    const StepJob job = impl_->step_job(impl_->send_orders(sequences), step);
    const unsigned grid = static_cast<unsigned>(impl_->sequences);
    impl_->launch(forward_kernel, job);
    if (step.mrstft > 0) stft_kernel<<<grid, segment_threads, 0, impl_->stream>>>(job);
    impl_->launch(backward_kernel, job);
    impl_->optimise(step);
    impl_->now ^= 1;
    ++impl_->queued;
}

double DeviceTrainer::take_loss() {
    double loss = 0;
    const double none = 0;
    impl_->loss.download(impl_->stream, &loss, 1);
    impl_->loss.upload(impl_->stream, &none, 1);
    return loss;
}

std::vector<float> DeviceTrainer::gradient() const {
    return impl_->gradient.values(impl_->stream);
}

} // namespace serpent::kernels
