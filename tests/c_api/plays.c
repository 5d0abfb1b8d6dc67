/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plays MODEL SERPENT FOLDER: a C program plays a model live and as a whole, and `serpent render` the same file in FOLDER. */
#include <serpent/serpent.h>
#include <serpent/version.h>

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { frames = 100000, block = 64, header_bytes = 44 };

static void require(int holds, const char* what) {
    if (holds) return;
    fprintf(stderr, "%s does not hold; serpent_error(): \"%s\"\n", what, serpent_error());
    exit(1);
}
#define REQUIRE(condition) require(condition, #condition)
#define REQUIRE_OK(call) require((call) == SERPENT_OK, #call)

static void put(unsigned char* at, uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) at[i] = (unsigned char)(value >> 8 * i);
}

/* A WAV of 32-bit float, one channel; the machines that this runs on are little-endian. */
static void write_wav(const char* path, const float* samples, uint32_t n, uint32_t rate) {
    unsigned char header[header_bytes] = "RIFF....WAVEfmt ";
    put(header + 4, 36 + 4 * n, 4);
    put(header + 16, 16, 4);
    put(header + 20, 3, 2);
    put(header + 22, 1, 2);
    put(header + 24, rate, 4);
    put(header + 28, 4 * rate, 4);
    put(header + 32, 4, 2);
    put(header + 34, 32, 2);
    memcpy(header + 36, "data", 4);
    put(header + 40, 4 * n, 4);
    FILE* file = fopen(path, "wb");
    REQUIRE(file != NULL);
    REQUIRE(fwrite(header, 1, header_bytes, file) == header_bytes && fwrite(samples, 4, n, file) == n);
    REQUIRE(fclose(file) == 0);
}

/* The samples of the chunk "data", which have to be n. */
static void read_wav(const char* path, float* samples, uint32_t n) {
    FILE* file = fopen(path, "rb");
    REQUIRE(file != NULL && fseek(file, 12, SEEK_SET) == 0);
    for (;;) {
        unsigned char chunk[8];
        REQUIRE(fread(chunk, 1, 8, file) == 8);
        const uint32_t size = chunk[4] | (uint32_t)chunk[5] << 8 | (uint32_t)chunk[6] << 16 | (uint32_t)chunk[7] << 24;
        if (memcmp(chunk, "data", 4) == 0) {
            REQUIRE(size == 4 * n && fread(samples, 4, n, file) == n);
            break;
        }
        REQUIRE(fseek(file, size + size % 2, SEEK_CUR) == 0);
    }
    fclose(file);
}

static void render_with_command(const char* command, const char* model, const char* folder, const float* in, float* out,
                                int rate) {
    char wav_in[512], wav_out[512], line[2048];
    REQUIRE(snprintf(wav_in, sizeof wav_in, "%s/in_%d.wav", folder, rate) < (int)sizeof wav_in);
    REQUIRE(snprintf(wav_out, sizeof wav_out, "%s/out_%d.wav", folder, rate) < (int)sizeof wav_out);
    write_wav(wav_in, in, frames, (uint32_t)rate);
    REQUIRE(snprintf(line, sizeof line, "'%s' render '%s' '%s' -o '%s' --device cpu", command, model, wav_in, wav_out) <
            (int)sizeof line);
    REQUIRE(system(line) == 0);
    read_wav(wav_out, out, frames);
}

static void play(serpent_stream* stream, const float* in, float* out, int n) {
    for (int first = 0; first < n; first += block) {
        const float* from[] = {in + first};
        float* to[] = {out + first};
        REQUIRE_OK(serpent_stream_process(stream, from, to, n - first < block ? n - first : block));
    }
}

int main(int argc, char** argv) {
    static float in[frames], live[frames], whole[frames], command[frames];
    REQUIRE(argc == 4);
    REQUIRE(serpent_api_version() == SERPENT_API_VERSION);
    REQUIRE(strcmp(serpent_version(), SERPENT_VERSION) == 0);
    REQUIRE(strcmp(serpent_error(), "") == 0);
    for (int i = 0; i < frames; ++i) in[i] = 0.4f * (float)(sin(0.013 * i) * sin(0.00021 * i));

    serpent_model* model;
    REQUIRE_OK(serpent_model_load(argv[1], &model));
    const int rate = serpent_model_sample_rate(model);
    const float* from[] = {in};
    float* to[] = {whole};
    REQUIRE_OK(serpent_render(model, rate, frames, from, 1, to, 1, NULL));
    render_with_command(argv[2], argv[1], argv[3], in, command, rate);
    REQUIRE(memcmp(whole, command, sizeof whole) == 0);

    /* Live and as a whole are two engines, each within 1e-5 rms of float64: 4e-10 in energy. */
    double esr;
    serpent_stream* stream;
    REQUIRE_OK(serpent_stream_create(model, rate, block, NULL, &stream));
    REQUIRE(serpent_stream_channels(stream) == 1 && serpent_stream_latency(stream) == 0);
    play(stream, in, live, frames);
    REQUIRE_OK(serpent_esr(whole, live, frames, &esr));
    REQUIRE(esr <= 4e-10);

    /* Another rate, resampled. */
    REQUIRE_OK(serpent_render(model, 44100, frames, from, 1, to, 1, NULL));
    render_with_command(argv[2], argv[1], argv[3], in, command, 44100);
    REQUIRE(memcmp(whole, command, sizeof whole) == 0);

    /* On from a saved state, to the bit; a stream outlives its model. */
    serpent_model_free(model);
    const size_t size = serpent_stream_state_size(stream);
    void* state = malloc(size);
    REQUIRE(size > 0 && state != NULL);
    serpent_stream_reset(stream);
    play(stream, in, live, frames / 2);
    REQUIRE_OK(serpent_stream_save_state(stream, state, size));
    play(stream, in + frames / 2, live, frames / 2);
    serpent_stream_reset(stream);
    REQUIRE_OK(serpent_stream_load_state(stream, state, size));
    play(stream, in + frames / 2, whole, frames / 2);
    REQUIRE(memcmp(live, whole, frames / 2 * sizeof live[0]) == 0);
    free(state);
    serpent_stream_free(stream);
    puts("the same bits");
    return 0;
}
