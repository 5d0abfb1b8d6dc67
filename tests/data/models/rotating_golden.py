#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the golden models of format version 2, with what they must answer, from docs/model_format.md alone.

Plain float64 NumPy, one sample after the other, complex numbers where the document has them; nothing of the library is used.
Usage: rotating_golden.py DIR   (needs NumPy; writes NAME.safetensors, NAME_in.wav and NAME_out.wav)
"""
import json
import struct
import sys
from pathlib import Path

import numpy as np

EPS = 1e-5
FILM_HIDDEN = 16


def silu(v):
    return v / (1 + np.exp(-v))


def softplus(v):
    return np.maximum(v, 0) + np.log1p(np.exp(-np.abs(v)))


def rms_norm(v, weight):
    return weight * v / np.sqrt(np.mean(v * v) + EPS)


def make_weights(config, rng, slowest_samples):
    """Random weights that keep signals of order 1, rounded to float32 as in the file."""
    dm, d, n, taps, rank = config["d_model"], config["expand"] * config["d_model"], config["d_state"], config["d_conv"], config["dt_rank"]
    channels = config["channels"]
    w = {}

    def uniform(name, *shape, low=None, high=None):
        bound = 1 / np.sqrt(shape[-1])
        w[name] = rng.uniform(-bound if low is None else low, bound if high is None else high, shape).astype(np.float32)

    uniform("encoder.weight", dm, channels)
    uniform("encoder.bias", dm)
    if config.get("fir_in"):
        uniform("fir_in.weight", channels, config["fir_in"])
    for i in range(config["n_layers"]):
        kind = config["blocks"][i]
        p = f"layers.{i}."
        m = p + "mixer."
        uniform(p + "norm.weight", dm, low=0.5, high=1.5)
        uniform(m + "in_proj.weight", 2 * d, dm)
        uniform(m + "conv1d.weight", d, 1, taps)
        uniform(m + "conv1d.bias", d)
        if kind == "time_invariant":
            w[m + "A_log"] = np.log(rng.uniform(0.002, 0.5, (d, n // 2))).astype(np.float32)
            uniform(m + "A_imag", d, n // 2, low=-3, high=3)
            uniform(m + "C", d, n // 2, 2)
        else:
            uniform(m + "x_proj.weight", rank + 2 * n, d)
            uniform(m + "x_proj.bias", rank + 2 * n)
            uniform(m + "dt_proj.weight", d, rank)
            dt = 0.5 * (2 / slowest_samples) ** rng.uniform(0, 1, d)
            w[m + "dt_proj.bias"] = np.log(np.expm1(dt)).astype(np.float32)
            uniform(m + "A_log", d, n // 2 if kind == "rotating" else n, low=-0.5, high=0.5)
            if kind == "rotating":
                uniform(m + "A_imag", d, n // 2, low=-3, high=3)
        uniform(m + "D", d)
        uniform(m + "out_proj.weight", dm, d)
    if config["final_norm"]:
        uniform("norm_f.weight", dm, low=0.5, high=1.5)
    uniform("decoder.weight", channels, dm)
    uniform("decoder.bias", channels)
    if config["skip"]:
        uniform("skip", channels)
    if config.get("fir_out"):
        uniform("fir_out.weight", channels, config["fir_out"])
    return w


class Layer:
    def __init__(self, config, weights, i):
        self.w = {k.removeprefix(f"layers.{i}."): v.astype(np.float64) for k, v in weights.items() if k.startswith(f"layers.{i}.")}
        self.kind, self.dilation, self.config = config["blocks"][i], config["dilations"][i], config
        self.d, self.n = config["expand"] * config["d_model"], config["d_state"]
        self.past = np.zeros(((config["d_conv"] - 1) * self.dilation + 1, self.d))  # inputs of the convolution, newest last
        self.h = np.zeros((self.d, self.n if self.kind == "selective" else self.n // 2), complex)

    def __call__(self, e):
        w, taps, rank = self.w, self.config["d_conv"], self.config["dt_rank"]
        xz = w["mixer.in_proj.weight"] @ rms_norm(e, w["norm.weight"])
        x, z = xz[: self.d], xz[self.d :]
        self.past = np.vstack([self.past[1:], x])
        conv = w["mixer.conv1d.bias"].copy()
        for k in range(taps):
            conv += w["mixer.conv1d.weight"][:, 0, k] * self.past[-1 - (taps - 1 - k) * self.dilation]
        x = silu(conv)
        if self.kind == "time_invariant":
            r, angle = np.exp(w["mixer.A_log"]), w["mixer.A_imag"]
            self.h = np.exp(-r + 1j * angle) * self.h + np.sqrt(1 - np.exp(-2 * r)) * x[:, None]
            y = np.sum(w["mixer.C"][..., 0] * self.h.real + w["mixer.C"][..., 1] * self.h.imag, axis=1)
        else:
            p = w["mixer.x_proj.weight"] @ x + w["mixer.x_proj.bias"]
            dt = softplus(w["mixer.dt_proj.weight"] @ p[:rank] + w["mixer.dt_proj.bias"])
            B, C = p[rank : rank + self.n], p[rank + self.n :]
            decay = np.exp(-dt[:, None] * np.exp(w["mixer.A_log"]))
            if self.kind == "rotating":
                half = self.n // 2
                self.h = decay * np.exp(1j * w["mixer.A_imag"]) * self.h + np.sqrt(1 - decay**2) * (B[:half] + 1j * B[half:]) * x[:, None]
                y = np.sum(C[:half] * self.h.real + C[half:] * self.h.imag, axis=1)
            elif self.config["b_bar"] == "ema":
                self.h = decay * self.h + (1 - decay) * B * x[:, None]
                y = self.h.real @ C
            else:
                self.h = decay * self.h + dt[:, None] * B * x[:, None]
                y = self.h.real @ C
        return e + w["mixer.out_proj.weight"] @ ((y + w["mixer.D"] * x) * silu(z))


def fir(weight, signal):
    """(channels, taps) on (channels, length), from silence."""
    return np.stack([np.convolve(s, w)[: len(s)] for w, s in zip(weight.astype(np.float64), signal)])


def play(config, weights, signal):
    w = {k: v.astype(np.float64) for k, v in weights.items()}
    if config.get("fir_in"):
        signal = fir(w["fir_in.weight"], signal)
    layers = [Layer(config, weights, i) for i in range(config["n_layers"])]
    out = np.empty_like(signal)
    for t in range(signal.shape[1]):
        e = w["encoder.weight"] @ signal[:, t] + w["encoder.bias"]
        for layer in layers:
            e = layer(e)
        if config["final_norm"]:
            e = rms_norm(e, w["norm_f.weight"])
        out[:, t] = w["decoder.weight"] @ e + w["decoder.bias"]
        if config["skip"]:
            out[:, t] += w["skip"] * signal[:, t]
    return fir(w["fir_out.weight"], out) if config.get("fir_out") else out


def write_model(path, config, weights):
    header, data = {}, b""
    header["__metadata__"] = {"format": "serpent", "format_version": "2", "name": path.stem, "config": json.dumps(config)}
    for name, values in weights.items():
        raw = values.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def write_wav(path, signal, rate):
    """32-bit float."""
    raw = signal.T.astype("<f4").tobytes()
    channels = signal.shape[0]
    fmt = struct.pack("<HHIIHH", 3, channels, rate, rate * 4 * channels, 4 * channels, 32)
    fact = struct.pack("<I", signal.shape[1])
    body = b"WAVE" + b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"fact" + struct.pack("<I", len(fact)) + fact
    body += b"data" + struct.pack("<I", len(raw)) + raw
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)


def signal_of(rng, channels, length):
    """Noise whose level moves, a step, silence, a tone."""
    t = np.arange(length)
    s = 0.3 * rng.standard_normal((channels, length)) * (0.5 + 0.5 * np.sin(2 * np.pi * t / 5000))
    s[:, length // 2 : 5 * length // 8] = 0.4
    s[:, 5 * length // 8 : 3 * length // 4] = 0
    s[:, 3 * length // 4 :] = 0.5 * np.sin(2 * np.pi * 440 * t[3 * length // 4 :] / 48000)
    return s.astype(np.float32)


def main(folder):
    common = {"kind": "effect", "sample_rate": 48000, "expand": 1, "dt_rank": 1, "a": "full", "b_bar": "ema", "final_norm": True, "skip": True}
    cases = {
        "rotating_8_8_4_6": dict(common, channels=1, d_model=8, n_layers=6, d_state=4, d_conv=4, blocks=["rotating"] * 6,
                                 dilations=[1, 3, 9, 27, 81, 243], fir_in=64, fir_out=256),
        "mixed_6_12_6_4": dict(common, channels=2, d_model=6, n_layers=4, d_state=6, d_conv=3, expand=2, dt_rank=2,
                               blocks=["selective", "rotating", "time_invariant", "rotating"], dilations=[1, 5, 2, 40], fir_in=0,
                               fir_out=7, final_norm=False),
    }
    for seed, (name, config) in enumerate(cases.items(), 7):
        rng = np.random.default_rng(seed)
        weights = make_weights(config, rng, 20000.0)
        signal = signal_of(rng, config["channels"], 16000)
        write_model(folder / f"{name}.safetensors", config, weights)
        write_wav(folder / f"{name}_in.wav", signal, config["sample_rate"])
        write_wav(folder / f"{name}_out.wav", play(config, weights, signal.astype(np.float64)), config["sample_rate"])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
