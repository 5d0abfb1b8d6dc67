// SPDX-License-Identifier: GPL-3.0-or-later
// serpent_gpu_benchmark [all|scans|models|lengths|training] [ROW]: tables of what the GPU does and how near that is to what it
// could. Medians, on random data, with everything on the device unless the row says otherwise. ROW: only this model of models, or
// only the single sequence of 2^ROW samples of scans.
#include "gpu_benchmark.h"

#include <cstdio>
#include <cstdlib>
#include <exception>

using namespace serpent::bench;

int main(int argc, char** argv) {
    const std::string part = argc > 1 ? argv[1] : "all";
    try {
        if (!serpent::kernels::device_status().available) {
            std::printf("skipped: %s\n", serpent::kernels::device_status().description.c_str());
            return 0;
        }
        const Machine machine = measure_machine();
        if (part == "all" || part == "scans") print_scans(machine, argc > 2 ? std::atoi(argv[2]) : 0);
        if (part == "all" || part == "models") print_models(machine, argc > 2 ? argv[2] : "");
        if (part == "all" || part == "lengths") print_lengths();
        if (part == "all" || part == "training") print_training();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "serpent_gpu_benchmark: %s\n", error.what());
        return 1;
    }
    return 0;
}
