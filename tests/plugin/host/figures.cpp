// SPDX-License-Identifier: GPL-3.0-or-later
#include "host/figures.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

namespace serpent::test {

namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

template <class Work>
double median_ms(int times, Work&& work) {
    std::vector<double> all;
    for (int i = 0; i < times; ++i) {
        const auto start = Clock::now();
        work();
        all.push_back(milliseconds_since(start));
    }
    std::nth_element(all.begin(), all.begin() + times / 2, all.end());
    return all[static_cast<std::size_t>(times / 2)];
}

void print_cpu(const Subject& subject, const std::filesystem::path& model) {
    Hosted hosted = subject.load();
    hosted.set_state(state_with(model));
    hosted.prepare({48000, 64, 2, 2});
    const Planar in = music(2, 48000, 48000);
    hosted.play(in, Blocks::of({64}));
    const double ms = median_ms(5, [&] { hosted.play(in, Blocks::of({64})); });
    std::printf("CPU at 48 kHz, 64 samples, stereo, %-16s %6.2f %% of one core (%d blocks, median of 5)\n",
                model.stem().string().c_str(), ms / 10.0, 48000 / 64);
}

} // namespace

int print_figures(const Subject& subject, bool editor) {
    const auto start = Clock::now();
    {
        Hosted first = subject.load();
        std::printf("load the binary, make the first instance     %8.1f ms\n", milliseconds_since(start));
        std::printf("make one more instance                       %8.1f ms (median of 9)\n", median_ms(9, [&] { subject.load(); }));
        if (editor) {
            first.prepare({});
            std::unique_ptr<juce::AudioProcessorEditor> window;
            const double ms = median_ms(9, [&] {
                window.reset();
                window.reset(first.instance().createEditorIfNeeded());
                window->addToDesktop(0);
                window->setVisible(true);
                pump(1);
            });
            std::printf("open the editor                              %8.1f ms (median of 9)\n", ms);
        }
    }
    if (subject.format == Format::vst3) {
        std::uintmax_t bytes = 0;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(subject.location.toStdString()))
            if (entry.is_regular_file()) bytes += entry.file_size();
        std::printf("size of the bundle                           %8.2f MiB\n", static_cast<double>(bytes) / (1 << 20));
    }
    for (const char* name : {"zamcomp", "zamtube", "scream"})
        if (std::filesystem::exists(subject.model(name))) print_cpu(subject, subject.model(name));
    return 0;
}

} // namespace serpent::test
