/* SPDX-License-Identifier: MIT */
/* Serpent for C, and for every language that can call C: load models, play them live, render and compare audio. C11; C++ may
 * include it too. docs/c_api.md shows how to build with it.
 *
 * Stability. What is declared here stays as it is: functions, constants and fields are added, never changed or taken away, and
 * every addition raises SERPENT_API_VERSION. Should something have to break, the library gets another name: libserpent.so.2.
 *
 * Failures. What can fail returns a serpent_status, and serpent_error() then says in one sentence what is wrong and what to do.
 * No exception leaves the library, and no file ends the program, nor do null pointers, sizes, counts and indices out of range.
 * What cannot be seen from here has to be right: pointers that are not null point at what is said, buffers are as long as said,
 * and nothing is used after its free().
 *
 * Threads. A serpent_model never changes once it is loaded: any number of threads may use one. A serpent_stream is for one
 * thread at a time. All functions but those marked "real-time safe" may allocate memory, wait and read files: keep them off the
 * audio thread. Those that are allocate nothing, lock nothing, call no system and leave serpent_error() alone.
 *
 * Audio is 32-bit float with full scale 1, planar: one pointer for each channel. Texts are UTF-8, ended by a 0. */
#ifndef SERPENT_SERPENT_H
#define SERPENT_SERPENT_H

#include <stddef.h>

/* Define SERPENT_STATIC when linking the static library on Windows. */
#if defined(_WIN32) && !defined(SERPENT_STATIC)
#ifdef SERPENT_BUILDING
#define SERPENT_API __declspec(dllexport)
#else
#define SERPENT_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define SERPENT_API __attribute__((visibility("default")))
#else
#define SERPENT_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- versions and errors ------------------------------------------------------------------------------------------------ */

/* Of this header. A program needs a library whose serpent_api_version() is not less. */
#define SERPENT_API_VERSION 1

/* Of the library that runs. */
SERPENT_API int serpent_api_version(void);
/* Of Serpent, "0.1.0"; <serpent/version.h> has the one that was compiled against. */
SERPENT_API const char* serpent_version(void);

/* Later versions may return further values: all but SERPENT_OK are failures. */
typedef int serpent_status;
enum {
    SERPENT_OK = 0,
    SERPENT_INVALID_ARGUMENT = 1, /* the call is wrong: a null pointer, a number out of range */
    SERPENT_FAILED = 2            /* the call is right and could not be done: a file, a model, memory, the GPU */
};

/* Why the last call that failed on this thread did. Calls that succeed do not touch it: look at a call's status first. "" where
 * none failed yet; never null. The text stays until the next failure on this thread: copy it to keep it. */
SERPENT_API const char* serpent_error(void);

/* ---- models ------------------------------------------------------------------------------------------------------------- */

/* A model of a device: a Serpent effect model (.safetensors) or a .nam capture. Generators are refused. */
typedef struct serpent_model serpent_model;

/* Reads a file, whatever its name says. On success *model is what serpent_model_free() has to be called for, else null. */
SERPENT_API serpent_status serpent_model_load(const char* path, serpent_model** model);
/* The same from `size` bytes, which are not needed afterwards. `name` stands for the file in messages; null: "the model". */
SERPENT_API serpent_status serpent_model_load_memory(const void* bytes, size_t size, const char* name, serpent_model** model);
/* Null does nothing. Streams keep what they need: a model may go before them. */
SERPENT_API void serpent_model_free(serpent_model* model);

/* A text of the model: "name", "author", "license", "description", "gear", "kind" ("effect" or "nam"), "training" (JSON) or any
 * other that its file carries. "" where there is none; never null. It lives as long as the model. */
SERPENT_API const char* serpent_model_text(const serpent_model* model, const char* key);
/* Hz: the rate that the model was made for. 0 without a model. */
SERPENT_API int serpent_model_sample_rate(const serpent_model* model);
/* Audio channels that it takes and gives together, mostly 1. 0 without a model. */
SERPENT_API int serpent_model_channels(const serpent_model* model);
/* Loudness of the output for an input of -18 dBFS, in dB; the analogue level of a full-scale input, in dBu. NaN: unknown. */
SERPENT_API double serpent_model_loudness_db(const serpent_model* model);
SERPENT_API double serpent_model_input_level_dbu(const serpent_model* model);

/* Controls are the device's knobs, counted from 0, in units of their own; most models have none. Names and units live as long
 * as the model. Out of range: "" and NaN. */
SERPENT_API int serpent_model_control_count(const serpent_model* model);
SERPENT_API const char* serpent_model_control_name(const serpent_model* model, int control);
SERPENT_API const char* serpent_model_control_unit(const serpent_model* model, int control);
SERPENT_API float serpent_model_control_min(const serpent_model* model, int control);
SERPENT_API float serpent_model_control_max(const serpent_model* model, int control);
SERPENT_API float serpent_model_control_default(const serpent_model* model, int control);

/* ---- playing live ------------------------------------------------------------------------------------------------------- */

typedef struct serpent_stream serpent_stream;

enum { SERPENT_START_SILENCE = 0, SERPENT_START_ZERO = 1 };          /* from the state that silence leads to, or from zeros */
enum { SERPENT_RATE_SCALE_STEPS = 0, SERPENT_RATE_RESAMPLE = 1 };    /* serpent/stream.h, RateMode, says what they do */

/* What is 0 means the default: serpent_stream_options options = {sizeof options}; */
typedef struct serpent_stream_options {
    size_t struct_size; /* sizeof(serpent_stream_options): so that a later library knows which fields are there */
    int instances;      /* independent copies side by side, 1 to 64: a mono model with two is a dual mono. 0: 1 */
    int oversampling;   /* 1, 2 or 4: the model runs that many times faster, to fold less back; adds latency. 0: 1 */
    int rate_mode;      /* SERPENT_RATE_...: at another rate than the model's. A .nam capture is always resampled */
    int start;          /* SERPENT_START_... */
} serpent_stream_options;

/* A stream that is ready to play at `sample_rate` (1 kHz to 1 MHz) in blocks of mostly at most `max_block` samples (1 to 2^20;
 * larger ones are played in parts). `options` may be null. On success *stream is what serpent_stream_free() has to be called
 * for, else null. */
SERPENT_API serpent_status serpent_stream_create(const serpent_model* model, double sample_rate, int max_block,
                                                 const serpent_stream_options* options, serpent_stream** stream);
/* Null does nothing. */
SERPENT_API void serpent_stream_free(serpent_stream* stream);
/* Another rate or block length; goes back to the start and keeps the controls. After a failure all is as before. */
SERPENT_API serpent_status serpent_stream_prepare(serpent_stream* stream, double sample_rate, int max_block);

/* Instances times channels of the model; those of the first instance come first. 0 without a stream. Real-time safe. */
SERPENT_API int serpent_stream_channels(const serpent_stream* stream);
/* How much later the output comes, in samples: 0 but with oversampling or where it is resampled. Real-time safe. */
SERPENT_API int serpent_stream_latency(const serpent_stream* stream);

/* Plays `frames` samples of every channel: in[c] and out[c] have as many, for each c below serpent_stream_channels(). in[c] and
 * out[c] may be the same buffer. NaN and infinity in the input count as 0. Blocks of any sizes give the same samples, to the
 * bit. SERPENT_INVALID_ARGUMENT, with nothing done and no serpent_error(), for null pointers and negative frames.
 * Real-time safe. */
SERPENT_API serpent_status serpent_stream_process(serpent_stream* stream, const float* const* in, float* const* out,
                                                  int frames);
/* Moves a control within the next 10 ms; held in its range, NaN: the default. Does nothing where there is no such control.
 * Real-time safe. */
SERPENT_API void serpent_stream_set_control(serpent_stream* stream, int control, float value);
/* Back to the start at the present controls. Real-time safe. */
SERPENT_API void serpent_stream_reset(serpent_stream* stream);

/* The state: all that the model remembers of what it has heard. Not part of it are the controls and what a resampler holds. It
 * fits a stream of the same model, options and rate, on a machine of the same byte order; of other sizes it is refused. */

/* Bytes that serpent_stream_save_state() needs; the same for a stream from prepare() to prepare(). 0 where there is no stream,
 * or too little memory. */
SERPENT_API size_t serpent_stream_state_size(const serpent_stream* stream);
/* Refused where `size` is less than that. */
SERPENT_API serpent_status serpent_stream_save_state(const serpent_stream* stream, void* buffer, size_t size);
/* Refused unless the `size` bytes at `buffer` begin with what serpent_stream_save_state() wrote; then all is as before. */
SERPENT_API serpent_status serpent_stream_load_state(serpent_stream* stream, const void* buffer, size_t size);

/* ---- whole recordings --------------------------------------------------------------------------------------------------- */

enum { SERPENT_DEVICE_CPU = 0, SERPENT_DEVICE_AUTOMATIC = 1, SERPENT_DEVICE_CUDA = 2 };

/* What is 0 means the default. */
typedef struct serpent_render_options {
    size_t struct_size;    /* sizeof(serpent_render_options) */
    const float* controls; /* one value for every control of the model; null: the defaults */
    int control_count;     /* how many there are at `controls` */
    int threads;           /* at most 1024; 0: one for each core. The result does not depend on it */
    int device;            /* SERPENT_DEVICE_...: automatic takes a GPU where there is one, cuda fails where there is none */
    int start;             /* SERPENT_START_... */
} serpent_render_options;

/* Plays a recording through the model, much faster than live: the samples that `serpent render` writes. `in` has in_channels (1
 * to 1024) of `frames` samples at sample_rate Hz (1 kHz to 1 MHz), and `out` is given as many frames. A model of one channel
 * plays every channel by itself: out_channels is in_channels. A model of n channels takes n, or one, which is then given to
 * all: out_channels is n. At another rate than the model's audio is resampled around it, and every sample keeps its place.
 * out[c] may be in[c]. `options` may be null. After a failure `out` is as it was. Needs memory for some four recordings. */
SERPENT_API serpent_status serpent_render(const serpent_model* model, int sample_rate, size_t frames, const float* const* in,
                                          int in_channels, float* const* out, int out_channels,
                                          const serpent_render_options* options);

/* How far a prediction is from its target: *esr = sum (target - prediction)^2 / (sum target^2 + 1e-8). NaN where they hold one.
 * No frames: 0. */
SERPENT_API serpent_status serpent_esr(const float* target, const float* prediction, size_t frames, double* esr);

#ifdef __cplusplus
}
#endif

#endif /* SERPENT_SERPENT_H */
