// SPDX-License-Identifier: GPL-3.0-or-later
#include "live/play.h"

std::optional<std::string> play(Performance& performance, const Monitor& monitor) {
    struct Stop {
        AudioStream& stream;
        ~Stop() { stream.stop(); }
    };
    const Stop at_the_end{performance.stream};
    performance.stream.start([&p = performance](const float* const* in, float* const* out, int n, bool lost) {
        const auto begin = p.figures.begin(lost);
        p.session.process(in, out, n);
        if (p.recorder) p.recorder->add(in[0], out[0], n);
        p.figures.end(begin, n);
    });
    return monitor(performance);
}
