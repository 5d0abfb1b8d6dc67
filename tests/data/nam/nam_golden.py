#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the golden captures, with what they must answer, from docs/nam.md alone.

Plain float64 NumPy over whole signals; nothing of the library is used. The weights are random: nobody's capture.
Usage: nam_golden.py DIR   (needs NumPy; writes NAME.nam, NAME_in.wav and NAME_out.wav)
"""
import json
import struct
import sys
from pathlib import Path

import numpy as np

FILMS = ["conv_pre_film", "conv_post_film", "input_mixin_pre_film", "input_mixin_post_film", "activation_pre_film",
         "activation_post_film", "layer1x1_post_film", "head1x1_post_film"]


class Weights:
    """Draws weights in the file's order, and notes them as the float32 that the file holds."""

    def __init__(self, seed):
        self.rng, self.all = np.random.default_rng(seed), []

    def draw(self, shape, bound):
        w = self.rng.uniform(-bound, bound, shape).astype(np.float32)
        self.all += [float(v) for v in w.ravel()]
        return w.astype(np.float64)

    def conv(self, n_in, n_out, kernel=1, groups=1, bias=True):
        w = self.draw((n_out, n_in // groups, kernel), 1.5 / np.sqrt(n_in // groups * kernel))
        b = self.draw(n_out, 0.3) if bias else np.zeros(n_out)
        return w, b, groups


def run_conv(conv, x, dilation=1):
    w, b, groups = conv
    n_out, n_in, kernel = w.shape
    y = np.repeat(b[:, None], x.shape[1], axis=1)
    for o in range(n_out):
        first = o // (n_out // groups) * n_in
        for k in range(kernel):
            back = (kernel - 1 - k) * dilation
            shifted = np.zeros((n_in, x.shape[1]))
            shifted[:, back:] = x[first:first + n_in, :x.shape[1] - back]
            y[o] += w[o, :, k] @ shifted
    return y


def function(config, x):
    if isinstance(config, str):
        config = {"type": config}
    kind = config["type"]
    if kind == "Tanh":
        return np.tanh(x)
    if kind == "ReLU":
        return np.maximum(x, 0)
    if kind == "LeakyReLU":
        return np.where(x > 0, x, config.get("negative_slope", 0.01) * x)
    if kind == "PReLU":
        return np.where(x > 0, x, np.float32(config["negative_slopes"]).astype(float)[:, None] * x)
    if kind == "Sigmoid":
        return 1 / (1 + np.exp(-x))
    if kind == "SiLU":
        return x / (1 + np.exp(-x))
    if kind == "Hardswish":
        return x * np.clip(x + 3, 0, 6) / 6
    if kind == "Softsign":
        return x / (1 + np.abs(x))
    if kind == "LeakyHardtanh":
        low, high, below, above = (float(np.float32(config[k])) for k in ("min_val", "max_val", "min_slope", "max_slope"))
        return np.where(x < low, (x - low) * below + low, np.where(x > high, (x - high) * above + high, x))
    raise ValueError(kind)


def wavenet(weights, config, x, condition):
    """Draws the weights and runs the network over x, with the condition that its layers hear."""
    head = 0
    y = x
    for a in config["layers"]:
        channels, bottleneck = a["channels"], a.get("bottleneck", a["channels"])
        n_condition = a["condition_size"]
        y = run_conv(weights.conv(a["input_size"], channels, bias=False), y)
        for i, dilation in enumerate(a["dilations"]):
            mode = a.get("gating_mode", "gated" if a.get("gated") else "none")
            mode = mode[i] if isinstance(mode, list) else mode
            middle = bottleneck * (1 if mode == "none" else 2)
            kernel = a["kernel_sizes"][i] if "kernel_sizes" in a else a["kernel_size"]
            conv = weights.conv(channels, middle, kernel, a.get("groups_input", 1))
            mixin = weights.conv(n_condition, middle, 1, a.get("groups_input_mixin", 1), bias=False)
            one = weights.conv(bottleneck, channels, 1, a.get("layer1x1", {}).get("groups", 1))
            h1 = a.get("head1x1", {"active": False})
            head1x1 = weights.conv(bottleneck, h1["out_channels"], 1, h1["groups"]) if h1["active"] else None
            n_head = h1["out_channels"] if h1["active"] else bottleneck
            widths = [channels, middle, n_condition, middle, middle, bottleneck, channels, n_head]
            films = {}
            for name, width in zip(FILMS, widths):
                f = a.get(name)
                if f and f["active"]:
                    films[name] = (weights.conv(n_condition, width * (2 if f["shift"] else 1), 1, f["groups"]), f["shift"], width)

            def film(name, v):
                if name not in films:
                    return v
                made, shift, width = films[name]
                s = run_conv(made, condition)
                return v * s[:width] + (s[width:] if shift else 0)

            z = film("conv_post_film", run_conv(conv, film("conv_pre_film", y), dilation))
            z = z + film("input_mixin_post_film", run_conv(mixin, film("input_mixin_pre_film", condition)))
            z = film("activation_pre_film", z)
            f = a["activation"][i] if isinstance(a["activation"], list) else a["activation"]
            if mode == "none":
                v = function(f, z)
            else:
                g = a.get("secondary_activation", "Sigmoid")
                g = g[i] if isinstance(g, list) else g
                first, share = z[:bottleneck], function(g, z[bottleneck:])
                v = function(f, first) * share if mode == "gated" else share * function(f, first) + (1 - share) * first
            v = film("activation_post_film", v)
            step = run_conv(one, v)
            if mode == "blended":
                step = film("layer1x1_post_film", step)
            y = y + step
            head = head + (v if head1x1 is None else film("head1x1_post_film", run_conv(head1x1, v)))
        h = a.get("head") or {"out_channels": a["head_size"], "kernel_size": 1, "bias": a["head_bias"]}
        n_head = head.shape[0]
        head = run_conv(weights.conv(n_head, h["out_channels"], h["kernel_size"], bias=h["bias"]), head)
    behind = config.get("head")
    convs, n = [], head.shape[0]
    for i, kernel in enumerate(behind["kernel_sizes"] if behind else []):
        n_out = behind["out_channels"] if i + 1 == len(behind["kernel_sizes"]) else behind["channels"]
        convs.append(weights.conv(n, n_out, kernel))
        n = n_out
    head = weights.draw(1, 1.0)[0] * head
    for conv in convs:
        head = run_conv(conv, function(behind["activation"], head))
    return head


def lstm(weights, config, x):
    hidden, layers = config["hidden_size"], config["num_layers"]
    cells = []
    for i in range(layers):
        n = (1 if i == 0 else hidden) + hidden
        cells.append((weights.draw((4 * hidden, n), 2 / np.sqrt(n)), weights.draw(4 * hidden, 0.5), weights.draw(hidden, 0.5),
                      weights.draw(hidden, 0.5)))
    head = weights.conv(hidden, 1)

    def sigmoid(v):
        return 1 / (1 + np.exp(-v))

    for w, b, h, c in cells:
        out = np.zeros((hidden, x.shape[1]))
        for t in range(x.shape[1]):
            gates = w @ np.concatenate([x[:, t], h]) + b
            i, f, g, o = np.split(gates, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            out[:, t] = h
        x = out
    return run_conv(head, x)


def conv_net(weights, config, x):
    n = 1
    for dilation in config["dilations"]:
        norm = config["batchnorm"]
        x = run_conv(weights.conv(n, config["channels"], 2, config.get("groups", 1) if n > 1 else 1, bias=not norm), x, dilation)
        if norm:
            mean, variance = weights.draw(config["channels"], 0.2), weights.draw(config["channels"], 0.0)
            for i in range(config["channels"]):  # variances are positive
                weights.all[-config["channels"] + i] = 0.5
            variance = variance + 0.5
            scale, offset = weights.draw(config["channels"], 1.0), weights.draw(config["channels"], 0.3)
            weights.all.append(float(np.float32(1e-5)))
            x = (x - mean[:, None]) / np.sqrt(variance + float(np.float32(1e-5)))[:, None] * scale[:, None] + offset[:, None]
        x = function(config["activation"], x)
        n = config["channels"]
    return run_conv(weights.conv(n, 1), x)


def write_wav(path, samples):
    data = samples.astype("<f4").tobytes()
    form = struct.pack("<HHIIHH", 3, 1, 48000, 48000 * 4, 4, 32)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    Path(path).write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)


def film(shift=True, groups=1):
    return {"active": True, "shift": shift, "groups": groups}


def captures():
    two = [{"input_size": 1, "condition_size": 1, "head_size": 4, "channels": 6, "kernel_size": 3, "dilations": [1, 2, 4, 8],
            "activation": "Tanh", "gated": False, "head_bias": False},
           {"input_size": 6, "condition_size": 1, "head_size": 1, "channels": 4, "kernel_size": 3, "dilations": [1, 2, 4],
            "activation": "Tanh", "gated": True, "head_bias": True}]
    yield "two_arrays", "0.5.4", "WaveNet", {"layers": two, "head": None, "head_scale": 0.1}, None
    kernels = [{"input_size": 1, "condition_size": 1, "head": {"out_channels": 1, "kernel_size": 16, "bias": True}, "channels": 3,
                "kernel_sizes": [6, 6, 15, 6], "dilations": [1, 7, 1, 17], "activation": {"type": "LeakyReLU", "negative_slope": 0.01},
                "bottleneck": 3, "gating_mode": ["none"] * 4, "secondary_activation": [None] * 4, "slimmable": None}]
    yield "kernels", "0.7.0", "WaveNet", {"layers": kernels, "head": None, "head_scale": 0.1}, None
    inner = {"layers": [{"input_size": 1, "condition_size": 1, "head_size": 2, "channels": 3, "kernel_size": 2, "dilations": [1, 2],
                         "activation": "SiLU", "gating_mode": "gated", "secondary_activation": "Hardswish", "head_bias": True}],
             "head": None, "head_scale": 0.1}
    every = {"input_size": 1, "condition_size": 2, "head_size": 3, "channels": 4, "bottleneck": 6, "kernel_size": 3, "dilations": [1, 3, 5],
             "activation": ["SiLU", {"type": "PReLU", "negative_slopes": [0.1, 0.2, 0.3, -0.1, 0.05, 0.4]}, "Softsign"],
             "gating_mode": ["blended", "gated", "none"], "secondary_activation": [
                 {"type": "LeakyHardtanh", "min_val": 0.0, "max_val": 0.9, "min_slope": 0.1, "max_slope": 0.02}, "ReLU", None],
             "head_bias": False, "groups_input": 2, "groups_input_mixin": 2, "layer1x1": {"active": True, "groups": 2},
             "head1x1": {"active": True, "out_channels": 6, "groups": 3}}
    every |= {name: film(i % 2 == 0) for i, name in enumerate(FILMS)}
    every["conv_post_film"] = film(True, 2)
    yield "everything", "0.6.0", "WaveNet", {"layers": [every], "head_scale": 0.1, "head": {
        "channels": 5, "out_channels": 1, "kernel_sizes": [3, 2], "activation": "Tanh"}}, inner
    yield "lstm", "0.5.4", "LSTM", {"input_size": 1, "hidden_size": 7, "num_layers": 2}, None
    yield "conv_net", "0.5.1", "ConvNet", {"channels": 6, "dilations": [1, 2, 4, 8], "batchnorm": True, "activation": "ReLU"}, None
    yield "linear", "0.5.0", "Linear", {"receptive_field": 40, "bias": True}, None


def main(folder):
    n, zeros = 3000, 2000
    t = np.arange(n)
    x = 0.4 * np.sin(0.02 * t) * np.exp(-(t % 1000) / 400) + np.random.default_rng(1).uniform(-0.2, 0.2, n)
    x = x.astype(np.float32)
    for seed, (name, version, architecture, config, inner) in enumerate(captures()):
        weights = Weights(seed)
        padded = np.concatenate([np.zeros(24000 if architecture == "LSTM" else zeros), x.astype(np.float64)])[None]
        condition = padded
        if inner:
            inner_weights = Weights(100 + seed)
            condition = wavenet(inner_weights, inner, padded, padded)
            config = {"condition_dsp": {"version": version, "architecture": "WaveNet", "config": inner, "weights": inner_weights.all,
                                        "sample_rate": 48000}, **config}
        if architecture == "WaveNet":
            y = wavenet(weights, config, padded, condition)
        elif architecture == "LSTM":
            y = lstm(weights, config, padded)
        elif architecture == "ConvNet":
            y = conv_net(weights, config, padded)
        else:
            taps, bias = weights.draw(config["receptive_field"], 0.3), weights.draw(1, 0.3)
            y = np.convolve(padded[0], taps)[None, :padded.shape[1]] + bias
        capture = {"version": version, "architecture": architecture, "config": config, "weights": weights.all, "sample_rate": 48000,
                   "metadata": {"name": name, "modeled_by": "nam_golden.py"}}
        (Path(folder) / f"{name}.nam").write_text(json.dumps(capture))
        write_wav(Path(folder) / f"{name}_in.wav", x)
        write_wav(Path(folder) / f"{name}_out.wav", y[0, -n:])


if __name__ == "__main__":
    main(sys.argv[1])
