# SPDX-License-Identifier: GPL-3.0-or-later
"""from_python.py LIBRARY MODEL: no compiler, no binding: Python's ctypes loads a model, plays it and meets an error."""
import ctypes
import math
import sys

library, path = sys.argv[1:]
serpent = ctypes.CDLL(library)
floats = ctypes.POINTER(ctypes.c_float)
serpent.serpent_error.restype = ctypes.c_char_p
serpent.serpent_model_text.restype = ctypes.c_char_p
serpent.serpent_model_text.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
serpent.serpent_model_load.argtypes = [ctypes.c_char_p, ctypes.POINTER(ctypes.c_void_p)]
serpent.serpent_model_free.argtypes = [ctypes.c_void_p]
serpent.serpent_model_sample_rate.argtypes = [ctypes.c_void_p]
serpent.serpent_stream_create.argtypes = [ctypes.c_void_p, ctypes.c_double, ctypes.c_int, ctypes.c_void_p,
                                          ctypes.POINTER(ctypes.c_void_p)]
serpent.serpent_stream_process.argtypes = [ctypes.c_void_p, ctypes.POINTER(floats), ctypes.POINTER(floats), ctypes.c_int]
serpent.serpent_stream_free.argtypes = [ctypes.c_void_p]
serpent.serpent_render.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t, ctypes.POINTER(floats), ctypes.c_int,
                                   ctypes.POINTER(floats), ctypes.c_int, ctypes.c_void_p]
serpent.serpent_esr.argtypes = [floats, floats, ctypes.c_size_t, ctypes.POINTER(ctypes.c_double)]


def check(status):
    if status != 0:
        raise RuntimeError(serpent.serpent_error().decode())


model, stream, esr = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_double()
try:
    check(serpent.serpent_model_load(b"no such model", ctypes.byref(model)))
    sys.exit("a file that is not there was loaded")
except RuntimeError as error:
    assert "no such model" in str(error), error

frames = 20000
check(serpent.serpent_model_load(path.encode(), ctypes.byref(model)))
rate = serpent.serpent_model_sample_rate(model)
dry, live, whole = (ctypes.c_float * frames)(), (ctypes.c_float * frames)(), (ctypes.c_float * frames)()
for i in range(frames):
    dry[i] = 0.3 * math.sin(0.02 * i)


def channel(samples):
    return (floats * 1)(ctypes.cast(samples, floats))


check(serpent.serpent_stream_create(model, rate, frames, None, ctypes.byref(stream)))
check(serpent.serpent_stream_process(stream, channel(dry), channel(live), frames))
check(serpent.serpent_render(model, rate, frames, channel(dry), 1, channel(whole), 1, None))
check(serpent.serpent_esr(whole, live, frames, ctypes.byref(esr)))
assert esr.value <= 4e-10, esr.value  # two engines, each within 1e-5 rms of float64
assert max(whole) > 0.01
print(serpent.serpent_model_text(model, b"name").decode(), rate, "Hz, live against rendered: ESR", esr.value)
serpent.serpent_stream_free(stream)
serpent.serpent_model_free(model)
