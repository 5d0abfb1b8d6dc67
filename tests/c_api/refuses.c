/* SPDX-License-Identifier: GPL-3.0-or-later */
/* refuses MODEL TEXT_FILE: whatever is wrong comes back as a status and a sentence. */
#include <serpent/serpent.h>

#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures = 0;

/* The status, and words of the message. */
static void expect(serpent_status status, serpent_status expected, const char* words, const char* call) {
    if (status == expected && strstr(serpent_error(), words)) return;
    fprintf(stderr, "%s: status %d, \"%s\"; expected %d and \"%s\"\n", call, status, serpent_error(), expected, words);
    ++failures;
}
#define MISUSE(call, words) expect(call, SERPENT_INVALID_ARGUMENT, words, #call)
#define FAILS(call, words) expect(call, SERPENT_FAILED, words, #call)

static void check(int holds, const char* what) {
    if (holds) return;
    fprintf(stderr, "%s does not hold\n", what);
    ++failures;
}
#define CHECK(condition) check(condition, #condition)

static void wrong_files(const char* text_file) {
    serpent_model* model = (serpent_model*)&failures;
    FAILS(serpent_model_load("no/such/file.safetensors", &model), "no/such/file.safetensors");
    CHECK(model == NULL);
    FAILS(serpent_model_load(text_file, &model), text_file);
    FAILS(serpent_model_load("/", &model), "/");
    FAILS(serpent_model_load("", &model), "");
    FAILS(serpent_model_load("\xff\xfe.nam", &model), ".nam");
    FAILS(serpent_model_load_memory("no model", 8, "words", &model), "words: ");
    FAILS(serpent_model_load_memory("", 0, NULL, &model), "the model: ");
    MISUSE(serpent_model_load_memory(NULL, 8, NULL, &model), "bytes is null");
    MISUSE(serpent_model_load(NULL, &model), "path is null");
    MISUSE(serpent_model_load(text_file, NULL), "model is null");

    enum { long_path = 5000 };
    char* path = malloc(long_path + 1);
    memset(path, 'x', long_path);
    path[long_path] = 0;
    FAILS(serpent_model_load(path, &model), "xxx");
    CHECK(strlen(serpent_error()) < long_path);
    free(path);
}

static void no_model(void) {
    serpent_model_free(NULL);
    CHECK(strcmp(serpent_model_text(NULL, "name"), "") == 0);
    CHECK(serpent_model_sample_rate(NULL) == 0 && serpent_model_channels(NULL) == 0);
    CHECK(isnan(serpent_model_loudness_db(NULL)) && isnan(serpent_model_input_level_dbu(NULL)));
    CHECK(serpent_model_control_count(NULL) == 0 && strcmp(serpent_model_control_name(NULL, 0), "") == 0);
    CHECK(isnan(serpent_model_control_min(NULL, 0)));
}

static void controls(const serpent_model* model) {
    const int count = serpent_model_control_count(model);
    CHECK(count > 0);
    for (int i = 0; i < count; ++i) {
        CHECK(strlen(serpent_model_control_name(model, i)) > 0 && serpent_model_control_unit(model, i) != NULL);
        CHECK(serpent_model_control_min(model, i) <= serpent_model_control_default(model, i));
        CHECK(serpent_model_control_default(model, i) <= serpent_model_control_max(model, i));
    }
    const int outside[] = {-1, INT_MIN, count, INT_MAX};
    for (int i = 0; i < 4; ++i) {
        CHECK(strcmp(serpent_model_control_name(model, outside[i]), "") == 0);
        CHECK(strcmp(serpent_model_control_unit(model, outside[i]), "") == 0);
        CHECK(isnan(serpent_model_control_max(model, outside[i])) && isnan(serpent_model_control_default(model, outside[i])));
    }
    CHECK(strcmp(serpent_model_text(model, "kind"), "effect") == 0);
    CHECK(strcmp(serpent_model_text(model, "no such text"), "") == 0 && strcmp(serpent_model_text(model, NULL), "") == 0);
}

static void wrong_streams(const serpent_model* model) {
    serpent_stream* stream = (serpent_stream*)&failures;
    serpent_stream_options options = {sizeof options, 0, 0, 0, 0};
    MISUSE(serpent_stream_create(NULL, 48000, 64, NULL, &stream), "model is null");
    CHECK(stream == NULL);
    MISUSE(serpent_stream_create(model, 48000, 64, NULL, NULL), "stream is null");
    MISUSE(serpent_stream_create(model, 0, 64, NULL, &stream), "sample_rate");
    MISUSE(serpent_stream_create(model, NAN, 64, NULL, &stream), "sample_rate");
    MISUSE(serpent_stream_create(model, INFINITY, 64, NULL, &stream), "sample_rate");
    MISUSE(serpent_stream_create(model, 48000, 0, NULL, &stream), "max_block");
    MISUSE(serpent_stream_create(model, 48000, INT_MAX, NULL, &stream), "max_block");
    options.instances = INT_MAX;
    MISUSE(serpent_stream_create(model, 48000, 64, &options, &stream), "instances");
    options.instances = 0, options.oversampling = 3;
    MISUSE(serpent_stream_create(model, 48000, 64, &options, &stream), "oversampling");
    options.oversampling = 0, options.rate_mode = -1;
    MISUSE(serpent_stream_create(model, 48000, 64, &options, &stream), "rate_mode");
    options.rate_mode = 0, options.start = 2;
    MISUSE(serpent_stream_create(model, 48000, 64, &options, &stream), "start");
    options.start = 0, options.struct_size = 0;
    MISUSE(serpent_stream_create(model, 48000, 64, &options, &stream), "struct_size");

    struct {
        serpent_stream_options known;
        int later;
    } newer = {{sizeof newer, 2, 0, 0, 0}, 0};
    CHECK(serpent_stream_create(model, 48000, 64, &newer.known, &stream) == SERPENT_OK && serpent_stream_channels(stream) == 2);
    serpent_stream_free(stream);
    newer.later = 1;
    MISUSE(serpent_stream_create(model, 48000, 64, &newer.known, &stream), "newer");
    options.struct_size = offsetof(serpent_stream_options, oversampling);
    options.instances = 3, options.oversampling = 12345; /* an older program has no such field */
    CHECK(serpent_stream_create(model, 48000, 64, &options, &stream) == SERPENT_OK && serpent_stream_channels(stream) == 3);
    serpent_stream_free(stream);

    serpent_stream_free(NULL);
    serpent_stream_reset(NULL);
    serpent_stream_set_control(NULL, 0, 0);
    CHECK(serpent_stream_channels(NULL) == 0 && serpent_stream_latency(NULL) == 0 && serpent_stream_state_size(NULL) == 0);
    MISUSE(serpent_stream_prepare(NULL, 48000, 64), "stream is null");
}

static void wrong_blocks(serpent_stream* stream) {
    enum { n = 64 };
    static float block[n];
    const float* in[] = {block};
    const float* no_in[] = {NULL};
    float* out[] = {block};
    float* no_out[] = {NULL};
    FAILS(serpent_model_load("before", &(serpent_model*){NULL}), "before");
    MISUSE(serpent_stream_process(NULL, in, out, n), "before"); /* the message stays what it was */
    MISUSE(serpent_stream_process(stream, NULL, out, n), "before");
    MISUSE(serpent_stream_process(stream, in, NULL, n), "before");
    MISUSE(serpent_stream_process(stream, no_in, out, n), "before");
    MISUSE(serpent_stream_process(stream, in, no_out, n), "before");
    MISUSE(serpent_stream_process(stream, in, out, -1), "before");
    CHECK(serpent_stream_process(stream, in, out, 0) == SERPENT_OK);
    serpent_stream_set_control(stream, INT_MAX, 1);
    serpent_stream_set_control(stream, -1, 1);
    serpent_stream_set_control(stream, 0, NAN);
    block[0] = NAN, block[1] = INFINITY, block[2] = 3e38f;
    CHECK(serpent_stream_process(stream, in, out, n) == SERPENT_OK);
    for (int i = 0; i < n; ++i) CHECK(isfinite(block[i]));
    MISUSE(serpent_stream_prepare(stream, -1, 64), "sample_rate");
    CHECK(serpent_stream_process(stream, in, out, n) == SERPENT_OK);
}

static void wrong_states(serpent_stream* stream) {
    const size_t size = serpent_stream_state_size(stream);
    unsigned char* state = malloc(size);
    CHECK(size > 0 && serpent_stream_save_state(stream, state, size) == SERPENT_OK);
    MISUSE(serpent_stream_save_state(stream, state, size - 1), "size");
    MISUSE(serpent_stream_save_state(stream, NULL, size), "null");
    MISUSE(serpent_stream_save_state(NULL, state, size), "null");
    MISUSE(serpent_stream_load_state(stream, state, size - 1), "not one of this stream");
    MISUSE(serpent_stream_load_state(stream, state, 0), "not one of this stream");
    MISUSE(serpent_stream_load_state(stream, NULL, size), "null");
    for (size_t i = 0; i < 32; ++i) {
        state[i] ^= 0x40;
        MISUSE(serpent_stream_load_state(stream, state, size), "not one of this stream");
        state[i] ^= 0x40;
    }
    memset(state + size / 2, 0xff, size - size / 2); /* NaN: the model starts anew, and plays */
    CHECK(serpent_stream_load_state(stream, state, size) == SERPENT_OK);
    float block[256] = {0};
    const float* in[] = {block};
    float* out[] = {block};
    CHECK(serpent_stream_process(stream, in, out, 256) == SERPENT_OK);
    for (int i = 0; i < 256; ++i) CHECK(isfinite(block[i]));
    free(state);
}

static void wrong_renders(const serpent_model* model) {
    float samples[16] = {0};
    const float value = 0;
    const float* in[] = {samples, samples};
    const float* half[] = {samples, NULL};
    float* out[] = {samples, samples};
    serpent_render_options options = {sizeof options, NULL, 0, 0, 0, 0};
    MISUSE(serpent_render(NULL, 48000, 16, in, 1, out, 1, NULL), "model is null");
    MISUSE(serpent_render(model, 0, 16, in, 1, out, 1, NULL), "sample_rate");
    MISUSE(serpent_render(model, 48000, 16, in, 0, out, 0, NULL), "in_channels");
    MISUSE(serpent_render(model, 48000, 16, in, INT_MAX, out, INT_MAX, NULL), "in_channels");
    MISUSE(serpent_render(model, 48000, 16, in, 2, out, 1, NULL), "out_channels");
    MISUSE(serpent_render(model, 48000, 16, NULL, 1, out, 1, NULL), "in, or");
    MISUSE(serpent_render(model, 48000, 16, half, 2, out, 2, NULL), "in, or");
    MISUSE(serpent_render(model, 48000, 16, in, 1, NULL, 1, NULL), "out, or");
    MISUSE(serpent_render(model, 48000, SIZE_MAX, in, 1, out, 1, NULL), "frames");
#ifndef __SANITIZE_ADDRESS__ /* which ends the program instead */
    FAILS(serpent_render(model, 48000, SIZE_MAX / 16, in, 1, out, 1, NULL), "memory");
#endif
    options.control_count = 1;
    MISUSE(serpent_render(model, 48000, 16, in, 1, out, 1, &options), "controls");
    options.controls = &value, options.control_count = INT_MAX;
    MISUSE(serpent_render(model, 48000, 16, in, 1, out, 1, &options), "control_count");
    options.controls = NULL, options.control_count = 0, options.threads = -1;
    MISUSE(serpent_render(model, 48000, 16, in, 1, out, 1, &options), "threads");
    options.threads = 0, options.device = 3;
    MISUSE(serpent_render(model, 48000, 16, in, 1, out, 1, &options), "device");
    CHECK(serpent_render(model, 48000, 0, in, 1, out, 1, NULL) == SERPENT_OK);
    CHECK(serpent_render(model, 48000, 16, in, 2, out, 2, NULL) == SERPENT_OK);

    double esr = 0;
    MISUSE(serpent_esr(NULL, samples, 16, &esr), "null");
    MISUSE(serpent_esr(samples, samples, 16, NULL), "esr is null");
    CHECK(serpent_esr(samples, samples, 0, &esr) == SERPENT_OK && esr == 0);
}

int main(int argc, char** argv) {
    serpent_model* model = NULL;
    serpent_stream* stream = NULL;
    if (argc != 3 || serpent_model_load(argv[1], &model) != SERPENT_OK) return 1;
    wrong_files(argv[2]);
    no_model();
    controls(model);
    wrong_streams(model);
    if (serpent_stream_create(model, 48000, 64, NULL, &stream) != SERPENT_OK) return 1;
    wrong_blocks(stream);
    wrong_states(stream);
    wrong_renders(model);
    serpent_stream_free(stream);
    serpent_model_free(model);
    return failures > 0;
}
