// SPDX-License-Identifier: GPL-3.0-or-later
#include <serpent/stream.h>

#include <cstdio>

int main(int, char** argv) {
    auto model = std::make_shared<const serpent::Model>(serpent::Model::load(argv[1]));
    serpent::Stream stream(model);
    stream.prepare(model->config.sample_rate, 64);  // the largest block that will come
    float block[64] = {1.0f};
    float* channels[] = {block};
    stream.process(channels, channels, 64);  // in place, no latency, safe on the audio thread
    std::printf("%.9g %.9g\n", block[0], block[63]);
}
