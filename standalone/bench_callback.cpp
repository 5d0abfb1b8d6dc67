// SPDX-License-Identifier: GPL-3.0-or-later
#include "bench_callback.h"

#include "progress.h"
#include "serpent/stream.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <thread>
#include <vector>

namespace {

using namespace serpent;
using Clock = std::chrono::steady_clock;

double us_since(Clock::time_point start) { return std::chrono::duration<double, std::micro>(Clock::now() - start).count(); }

/// `rounds` multiplications, each waiting for the one before: no memory, no branches that could be guessed wrong.
std::uint64_t spin(std::uint64_t rounds, std::uint64_t value) {
    for (std::uint64_t i = 0; i < rounds; ++i) value = value * 6364136223846793005u + 1442695040888963407u;
    return value;
}

/// Multiplications and additions that hardly wait for each other, in registers: unlike spin(), slow while another thread of
/// the same core uses its units.
float compute(std::uint64_t rounds, float value) {
    constexpr std::size_t n = 48;
    float values[n];
    for (std::size_t i = 0; i < n; ++i) values[i] = value + static_cast<float>(i);
    for (std::uint64_t round = 0; round < rounds; ++round)
        for (float& v : values) v = v * 0.999f + 0.001f;
    return std::accumulate(values, values + n, 0.0f);
}

/// As many cache lines in as many pages as a callback of the nano preset touches, code and data (counted with valgrind's
/// lackey: 435 lines in 32 pages).
class Memory {
public:
    /// Reads and writes every line once.
    void touch() {
        for (std::size_t page = 0; page < pages; ++page)
            for (std::size_t line = 0; line < lines; ++line) ++values_[(page * page_bytes + line * line_bytes) / sizeof(int)];
    }

private:
    static constexpr std::size_t pages = 32, lines = 14, page_bytes = 4096, line_bytes = 64;
    std::vector<int> values_ = std::vector<int>(pages * page_bytes / sizeof(int));
};

/// Rounds of `loop` that take `us` microseconds.
template <class Value>
std::uint64_t rounds_of(double us, Value (*loop)(std::uint64_t, Value)) {
    constexpr std::uint64_t probe = 20000;
    volatile Value sink = 1;
    double best = 1e30;
    for (int i = 0; i < 50; ++i) {
        const auto start = Clock::now();
        sink = loop(probe, sink);
        best = std::min(best, us_since(start));
    }
    return static_cast<std::uint64_t>(std::max(1.0, static_cast<double>(probe) * us / best));
}

Percentiles percentiles(std::vector<float> us) {
    if (us.empty()) return {};
    std::sort(us.begin(), us.end());
    const auto at = [&](double share) { return us[static_cast<std::size_t>(share * static_cast<double>(us.size() - 1))]; };
    return {at(0.5), at(0.99), at(0.999), us.back()};
}

} // namespace

CallbackReport bench_callback(const std::shared_ptr<const Model>& model, int block, double seconds) {
    const double rate_hz = model->config.sample_rate, period_us = 1e6 * block / rate_hz;
    Stream stream(model);
    stream.prepare(rate_hz, block);
    const auto length = static_cast<std::size_t>(block);
    std::vector<float> signal(length);
    std::vector<std::vector<float>> output(static_cast<std::size_t>(stream.channels()), std::vector<float>(length));
    const std::vector<const float*> in(output.size(), signal.data());
    std::vector<float*> out;
    for (auto& channel : output) out.push_back(channel.data());

    std::size_t sample = 0;
    const auto callback = [&] {
        for (float& v : signal) v = 0.4f * static_cast<float>(std::sin(0.03 * static_cast<double>(sample++)));
        const auto start = Clock::now();
        stream.process(in.data(), out.data(), block);
        return static_cast<float>(us_since(start));
    };
    std::vector<float> first(200);
    for (float& us : first) us = callback();
    Memory memory;
    std::vector<float> touch(200);
    for (float& us : touch) {
        const auto start = Clock::now();
        memory.touch();
        us = static_cast<float>(us_since(start));
    }
    const double model_us = percentiles(first).p50;
    const std::uint64_t spin_rounds = rounds_of(model_us, spin);
    const std::uint64_t compute_rounds = rounds_of(model_us - percentiles(touch).p50, compute);

    const auto total = static_cast<std::size_t>(std::max(1.0, std::ceil(seconds * rate_hz / block)));
    std::vector<float> stream_us, control_us, busy_us;
    for (auto* times : {&stream_us, &control_us, &busy_us}) times->reserve(total / 2 + 1);
    volatile std::uint64_t sink = 1;
    volatile float float_sink = 1;
    Progress progress("callbacks");
    const auto begin = Clock::now();
    for (std::size_t i = 0; i < total; ++i) {
        const std::chrono::duration<double, std::micro> due(static_cast<double>(i) * period_us);
        std::this_thread::sleep_until(begin + std::chrono::duration_cast<Clock::duration>(due));
        if (i % 2 == 0) {
            stream_us.push_back(callback());
        } else if (i % 4 == 1) {
            const auto start = Clock::now();
            sink = spin(spin_rounds, sink);
            control_us.push_back(static_cast<float>(us_since(start)));
            memory.touch();  // so that it rests as long as the model's memory does
        } else {
            const auto start = Clock::now();
            memory.touch();
            float_sink = compute(compute_rounds, float_sink);
            busy_us.push_back(static_cast<float>(us_since(start)));
        }
        if (i % 256 == 0) progress.update(static_cast<double>(i) / static_cast<double>(total));
    }
    CallbackReport report{stream_us.size(), block, 0, percentiles(stream_us), percentiles(control_us),
                          percentiles(busy_us)};
    for (const float us : stream_us) report.overruns += us > period_us;
    return report;
}
