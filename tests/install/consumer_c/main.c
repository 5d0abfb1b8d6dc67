/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <serpent/serpent.h>

#include <stdio.h>

int main(int argc, char** argv) {
    serpent_model* model = NULL;
    serpent_stream* stream = NULL;
    if (argc != 2 || serpent_model_load(argv[1], &model) != SERPENT_OK ||
        serpent_stream_create(model, serpent_model_sample_rate(model), 64, NULL, &stream) != SERPENT_OK) {
        fprintf(stderr, "%s\n", serpent_error());
        return 1;
    }
    float block[64] = {1.0f};
    const float* in[] = {block};
    float* out[] = {block};
    serpent_stream_process(stream, in, out, 64); /* in place, no latency, safe on the audio thread */
    printf("%.9g %.9g\n", block[0], block[63]);
    serpent_stream_free(stream);
    serpent_model_free(model);
    return 0;
}
