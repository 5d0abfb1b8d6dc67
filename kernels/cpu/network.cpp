// SPDX-License-Identifier: MIT
// NetEngine outside its operators: lays a network out, carries samples and states in and out.
#include "serpent/kernels/network.h"

#include "cpu/network_data.h"
#include "serpent/kernels/fir.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <stdexcept>
#include <string>

namespace serpent::kernels {

namespace {

using std::size_t;

constexpr size_t block = net_block;

[[noreturn]] void refuse(const std::string& why) { throw std::invalid_argument("The network engine does not run this: " + why + "."); }

void require(bool holds, const char* what) {
    if (!holds) refuse(what);
}

size_t size(int value) { return static_cast<size_t>(value); }

/// A convolution that does the rest in its registers: what other functions cost hides a step of their own.
bool ends_leaky(const NetOp& op) {
    using K = NetFunctionKind;
    return op.f.kind == K::relu || op.f.kind == K::leaky_relu || (op.f.kind == K::identity && op.sum >= 0);
}

float slope_of(const NetFunction& f, size_t channel) {
    if (f.kind != NetFunctionKind::leaky_relu) return f.kind == NetFunctionKind::relu ? 0.0f : 1.0f;
    return f.slopes.empty() ? f.slope : f.slopes[channel];
}

} // namespace

struct NetEngine::Impl {
    const NetOps* ops;
    std::vector<hwy::AlignedFreeUniquePtr<float[]>> memory;
    std::vector<NetRows> signals;
    std::vector<NetStep> steps;
    std::vector<NetRows*> moving;  // signals with a past
    std::deque<NetLstm> lstms;
    std::deque<NetFir> firs;
    NetRows *input = nullptr, *output = nullptr;
    size_t settling = 0;
    std::vector<float> settled;  // with an lstm: the state

    float* floats(size_t n);
    const float* copied(const std::vector<float>& values);
    NetRows* signal(int number, const char* what);
    void make_signals(const Network& network);
    void make_step(const NetOp& op, const FirOps& fir);
    void make_convolution(NetStep& step, const NetOp& op);
    void make_lstm(NetStep& step, const NetOp& op);
    void make_fir(NetStep& step, const NetOp& op, const FirOps& fir);
    NetCurve curve(const NetFunction& f, const NetRows& rows);
    void note_made();

    void run(size_t n) noexcept;
    void settle_by_filling() noexcept;
    template <class Part>
    void for_state(const Part& part) const noexcept;
};

float* NetEngine::Impl::floats(size_t n) {
    const size_t rounded = (n + 15) / 16 * 16;
    memory.push_back(hwy::AllocateAligned<float>(rounded));
    if (!memory.back()) throw std::bad_alloc();
    std::fill_n(memory.back().get(), rounded, 0.0f);
    return memory.back().get();
}

const float* NetEngine::Impl::copied(const std::vector<float>& values) {
    float* to = floats(values.size());
    std::copy(values.begin(), values.end(), to);
    return to;
}

NetRows* NetEngine::Impl::signal(int number, const char* what) {
    require(number >= 0 && size(number) < signals.size(), what);
    return &signals[size(number)];
}

void NetEngine::Impl::make_signals(const Network& network) {
    for (const NetSignal& s : network.signals) {
        require(s.channels >= 1 && (!s.halves || s.channels % 2 == 0), "a signal has no channels, or an odd number in halves");
        NetRows& rows = signals.emplace_back();
        rows.channels = size(s.channels), rows.halves = s.halves;
        rows.stride = s.halves ? 2 * net_stride(rows.channels / 2) : net_stride(rows.channels);
    }
    for (const NetOp& op : network.ops) {
        if (op.kind != NetOpKind::convolve) continue;
        require(op.kernel >= 1 && op.dilation >= 1, "a convolution has no taps, or no dilation");
        NetRows* in = signal(op.in, "a convolution reads nothing");
        in->past = std::max(in->past, (size(op.kernel) - 1) * size(op.dilation));
    }
    for (NetRows& rows : signals) {
        rows.ring = rows.past > 0 ? rows.past + block : 0;
        rows.rows = floats((rows.ring + block) * rows.stride);
    }
}

/// Of what lies in `rows`.
NetCurve NetEngine::Impl::curve(const NetFunction& f, const NetRows& rows) {
    NetCurve made_curve{f.kind, f.low, f.high, f.low_slope, f.high_slope, f.slope, nullptr};
    if (f.kind != NetFunctionKind::leaky_relu || f.slopes.empty()) return made_curve;
    const size_t channels = rows.halves ? rows.channels / 2 : rows.channels;
    require(f.slopes.size() == channels, "a leaky_relu has neither one slope nor one for each channel");
    float* slopes = floats(rows.stride);
    std::copy(f.slopes.begin(), f.slopes.end(), slopes);
    made_curve.slopes = slopes;
    return made_curve;
}

void NetEngine::Impl::make_convolution(NetStep& step, const NetOp& op) {
    const NetRows &in = *step.in, &out = *step.out;
    step.kernel = size(op.kernel), step.dilation = size(op.dilation);
    const size_t taps = step.kernel, side = step.side ? step.side->channels : 0;
    require(!in.halves && &in != &out, "a convolution reads halves, or what it writes");
    require(op.weight.size() == out.channels * in.channels * taps, "a convolution's weights do not fit");
    require(op.bias.empty() || op.bias.size() == out.channels, "a convolution's bias does not fit");
    require(op.side_weight.size() == out.channels * side, "a convolution's side weights do not fit");
    require(!step.plus || step.plus->stride == out.stride, "what a convolution adds does not fit");
    const auto weight = [&](size_t o, size_t i, size_t k) { return op.weight[(o * in.channels + i) * taps + k]; };
    step.dot = out.channels == 1 && in.channels > 1 && !step.side;
    if (step.dot) {
        float* packed = floats(taps * in.stride);
        for (size_t k = 0; k < taps; ++k)
            for (size_t i = 0; i < in.channels; ++i) packed[k * in.stride + i] = weight(0, i, k);
        step.bias = op.bias.empty() ? 0.0f : op.bias[0];
        step.weight = packed, step.run = ops->dot;
        return;
    }
    step.leaky = ends_leaky(op);
    require(op.f.slopes.empty() || op.f.slopes.size() == (out.halves ? out.channels / 2 : out.channels), "slopes do not fit");
    const NetConvCode code = ops->convolution(step);
    const size_t group = code.width * (1 + (step.leaky ? 1 : 0) + side + taps * in.channels);
    float* packed = floats(out.stride / code.width * group);
    for (size_t o = 0; o < out.channels; ++o) {
        const size_t lane = out.lane(o);
        float* to = packed + lane / code.width * group + lane % code.width;
        const auto put = [&](float value) { *to = value, to += code.width; };
        put(op.bias.empty() ? 0.0f : op.bias[o]);
        if (step.leaky) put(slope_of(op.f, out.halves ? o % (out.channels / 2) : o));
        for (size_t j = 0; j < side; ++j) put(op.side_weight[o * side + j]);
        for (size_t k = 0; k < taps; ++k)
            for (size_t i = 0; i < in.channels; ++i) put(weight(o, i, k));
    }
    step.weight = packed, step.run = code.run;
}

void NetEngine::Impl::make_lstm(NetStep& step, const NetOp& op) {
    const NetRows &in = *step.in, &out = *step.out;
    const size_t inputs = in.channels, hidden = out.channels, all = 4 * out.stride;
    require(!in.halves && !out.halves, "an lstm has halves");
    require(op.weight.size() == 4 * hidden * (inputs + hidden) && op.bias.size() == 4 * hidden && op.h.size() == hidden &&
                op.c.size() == hidden,
            "an lstm's weights do not fit");
    float* packed = floats((1 + inputs + hidden) * all);
    for (size_t gate = 0; gate < 4; ++gate)
        for (size_t o = 0; o < hidden; ++o) {
            const size_t row = gate * hidden + o, lane = gate * out.stride + o;
            packed[lane] = op.bias[row];
            for (size_t i = 0; i < inputs + hidden; ++i) packed[(1 + i) * all + lane] = op.weight[row * (inputs + hidden) + i];
        }
    NetLstm& l = lstms.emplace_back();
    l.hidden = hidden, l.stride = out.stride;
    l.h = floats(out.stride), l.c = floats(out.stride), l.c_low = floats(out.stride), l.gates = floats(all);
    l.first_h = copied(op.h), l.first_c = copied(op.c);
    step.lstm = &l, step.weight = packed, step.run = ops->lstm;
}

void NetEngine::Impl::make_fir(NetStep& step, const NetOp& op, const FirOps& fir_ops) {
    require(step.in->channels == 1 && step.out->channels == 1, "a filter has more than one channel");
    require(!op.weight.empty() && op.bias.size() == 1, "a filter's weights do not fit");
    NetFir& f = firs.emplace_back();
    f.taps = op.weight.size(), f.padded = fir_padded(f.taps);
    f.size = 2 * (f.padded - 1) + 16 * block, f.at = f.padded - 1;  // moved back once in that many samples
    f.signal = floats(f.size), f.answer = floats(block);
    f.filter = fir_ops.filter;
    float* packed = floats(f.padded);
    pack_fir(f.taps, op.weight.data(), packed);
    step.fir = &f, step.weight = packed, step.bias = op.bias[0], step.run = ops->fir;
}

void NetEngine::Impl::make_step(const NetOp& op, const FirOps& fir) {
    NetStep step;
    step.kind = op.kind;
    step.in = signal(op.in, "an operator reads nothing"), step.out = signal(op.out, "an operator writes nothing");
    const auto optional = [&](int number) { return number < 0 ? nullptr : signal(number, "there is no such signal"); };
    step.side = optional(op.side), step.plus = optional(op.plus);
    step.sum = optional(op.sum), step.sum_from = optional(op.sum_from);
    step.scale = optional(op.scale), step.shift = optional(op.shift);
    for (const NetRows* rows : {step.sum, step.sum_from})
        require(!rows || rows->stride == step.out->stride, "a sum does not fit");
    const NetRows &in = *step.in, &out = *step.out;
    switch (op.kind) {
    case NetOpKind::convolve: {
        make_convolution(step, op);
        if (step.leaky || (op.f.kind == NetFunctionKind::identity && !step.sum)) break;
        steps.push_back(step);  // and then, in place:
        step.kind = NetOpKind::activate, step.in = step.out, step.f = curve(op.f, out), step.run = ops->activate;
        break;
    }
    case NetOpKind::gate:
    case NetOpKind::blend:
        require(in.halves && in.channels == 2 * out.channels && in.stride == 2 * out.stride, "a gate's sizes do not fit");
        step.f = curve(op.f, in), step.g = curve(op.g, in), step.run = ops->gate;
        break;
    case NetOpKind::modulate:
        require(step.scale && step.scale->stride == out.stride && (!step.shift || step.shift->stride == out.stride) &&
                    in.stride == out.stride,
                "a modulation's sizes do not fit");
        step.run = ops->modulate;
        break;
    case NetOpKind::activate:
        require(in.stride == out.stride, "an activation's sizes do not fit");
        step.f = curve(op.f, out), step.run = ops->activate;
        break;
    case NetOpKind::lstm: make_lstm(step, op); break;
    case NetOpKind::fir: make_fir(step, op, fir); break;
    }
    steps.push_back(step);
}

/// A signal's rows repeat once nothing more is added to them.
void NetEngine::Impl::note_made() {
    for (NetRows& rows : signals) {
        if (rows.ring == 0) continue;
        moving.push_back(&rows);
        if (&rows == input) continue;
        NetStep* last = nullptr;
        for (NetStep& step : steps)
            if (step.out == &rows || step.sum == &rows) last = &step;
        require(last, "a signal is read and never made");
        (last->out == &rows ? last->repeat_out : last->repeat_sum) = true;
    }
}

NetEngine::NetEngine(const Network& network, const NetOptions& options) : impl_(std::make_unique<Impl>()) {
    impl_->ops = &net_ops_for(options.isa);
    const FirOps& fir = fir_ops_for(options.isa);
    impl_->make_signals(network);
    impl_->input = impl_->signal(network.input, "there is no input"), impl_->output = impl_->signal(network.output, "there is no output");
    for (const NetOp& op : network.ops) impl_->make_step(op, fir);
    impl_->note_made();
    if (!impl_->lstms.empty()) {
        clear();
        for (int left = std::max(network.settling, 0); left > 0; left -= net_block) {
            const size_t n = std::min(block, size(left));
            std::fill_n(impl_->input->now(), n * impl_->input->stride, 0.0f);
            impl_->run(n);
        }
        impl_->settled.resize(state_size());
        get_state(impl_->settled.data());
    }
    settle();
}

NetEngine::~NetEngine() = default;
NetEngine::NetEngine(NetEngine&&) noexcept = default;
NetEngine& NetEngine::operator=(NetEngine&&) noexcept = default;

int NetEngine::in_channels() const noexcept { return static_cast<int>(impl_->input->channels); }
int NetEngine::out_channels() const noexcept { return static_cast<int>(impl_->output->channels); }
Isa NetEngine::isa() const noexcept { return impl_->ops->isa; }

namespace {

/// Repeats what the n new rows have of the ring's beginning or beyond its end.
void repeat(NetRows& rows, size_t n) noexcept {
    const size_t end = rows.at + n, stride = rows.stride;
    const auto copy = [&](size_t from, size_t to, size_t count) {
        std::copy_n(rows.rows + from * stride, count * stride, rows.rows + to * stride);
    };
    if (rows.at < block) copy(rows.at, rows.ring + rows.at, std::min(end, block) - rows.at);
    if (end > rows.ring) copy(rows.ring, 0, end - rows.ring);
}

} // namespace

/// The input's n rows have been written.
void NetEngine::Impl::run(size_t n) noexcept {
    if (input->ring > 0) repeat(*input, n);
    for (const NetStep& step : steps) {
        step.run(step, n);
        if (step.repeat_out) repeat(*step.out, n);
        if (step.repeat_sum) repeat(*step.sum, n);
    }
    for (NetRows* rows : moving) {
        rows->at += n;
        if (rows->at >= rows->ring) rows->at -= rows->ring;
    }
}

bool NetEngine::process(const float* const* in, float* const* out, int first, int n) noexcept {
    NetRows &from = *impl_->input, &to = *impl_->output;
    const size_t begin = size(first), count = size(n);
    float* rows = from.now();
    for (size_t c = 0; c < from.channels; ++c)
        for (size_t t = 0; t < count; ++t) {
            const float x = in[c][begin + t];
            rows[t * from.stride + c] = std::isfinite(x) ? x : 0.0f;
        }
    const float* answer = to.now();  // run() moves on
    impl_->run(count);
    bool finite = true;
    for (size_t c = 0; c < to.channels; ++c)
        for (size_t t = 0; t < count; ++t) {
            const float y = answer[t * to.stride + c];
            finite = finite && std::isfinite(y);
            out[c][begin + t] = y;
        }
    if (!finite)
        for (size_t c = 0; c < to.channels; ++c) std::fill_n(out[c] + begin, count, 0.0f);
    return finite;
}

/// One sample of zeros, each of whose values then fills the past of its signal before anything reads it.
void NetEngine::Impl::settle_by_filling() noexcept {
    const auto fill = [](NetRows& rows) {
        for (size_t t = 1; t < rows.ring + block; ++t) std::copy_n(rows.rows, rows.stride, rows.rows + t * rows.stride);
    };
    for (NetRows& rows : signals) rows.at = 0;
    std::fill_n(input->rows, input->stride, 0.0f);
    if (input->ring > 0) fill(*input);
    for (const NetStep& step : steps) {
        if (NetFir* fir = step.fir) std::fill_n(fir->signal, fir->size, step.in->now()[0]), fir->at = fir->padded - 1;
        step.run(step, 1);
        if (step.repeat_out) fill(*step.out);
        if (step.repeat_sum) fill(*step.sum);
    }
}

void NetEngine::settle() noexcept {
    if (impl_->settled.empty()) impl_->settle_by_filling();
    else set_state(impl_->settled.data());
}

void NetEngine::clear() noexcept {
    for (NetRows& rows : impl_->signals) {
        rows.at = 0;
        std::fill_n(rows.rows, (rows.ring + block) * rows.stride, 0.0f);
    }
    for (NetLstm& l : impl_->lstms) {
        std::copy_n(l.first_h, l.hidden, l.h);
        std::copy_n(l.first_c, l.hidden, l.c);
        std::fill_n(l.c_low, l.hidden, 0.0f);
    }
    for (NetFir& f : impl_->firs) std::fill_n(f.signal, f.size, 0.0f);
}

/// part(begin, floats) for every piece of the state, a signal's oldest row first.
template <class Part>
void NetEngine::Impl::for_state(const Part& part) const noexcept {
    for (const NetRows& rows : signals) {
        const size_t first = std::min(rows.past, rows.at);  // rows of the past that lie in front of `at`; the others end the ring
        if (rows.ring > 0) part(rows.rows + (rows.ring - (rows.past - first)) * rows.stride, (rows.past - first) * rows.stride);
        part(rows.rows + (rows.at - first) * rows.stride, first * rows.stride);
    }
    for (const NetLstm& l : lstms) part(l.h, l.hidden), part(l.c, l.hidden), part(l.c_low, l.hidden);
    for (const NetFir& f : firs) part(f.signal + f.at - (f.taps - 1), f.taps - 1);
}

std::size_t NetEngine::state_size() const noexcept {
    size_t floats = 0;
    impl_->for_state([&](const float*, size_t n) { floats += n; });
    return floats;
}

void NetEngine::get_state(float* to) const noexcept {
    impl_->for_state([&](const float* part, size_t n) { to = std::copy_n(part, n, to); });
}

void NetEngine::set_state(const float* from) noexcept {
    for (NetRows& rows : impl_->signals) rows.at = rows.ring > 0 ? rows.past % rows.ring : 0;  // in one piece, from the first row on
    impl_->for_state([&](float* part, size_t n) { std::copy_n(from, n, part), from += n; });
    for (NetRows& rows : impl_->signals)
        if (rows.ring > 0) std::copy_n(rows.rows, block * rows.stride, rows.rows + rows.ring * rows.stride);
}

} // namespace serpent::kernels
