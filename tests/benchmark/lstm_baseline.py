#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains an LSTM on a dry/wet pair as a yardstick for Serpent's models.

Optional: building, running and testing Serpent never need this script. It wants PyTorch and NumPy, and
OpenBLAS, without which it is some three times slower: on Debian
`apt-get install python3-torch python3-numpy libopenblas0-pthread`.

The network is what many amplifier simulators play: one LSTM layer, a dense output and a learned gain from input to
output. It learns as `serpent train` does: truncated backpropagation through time over 32 lanes that carry their state
from segment to segment and start again from the state of silence, Adam with a cosine rate, clipped gradients, averaged
weights, the loss ESR, the best weights chosen on the validation pair. The budget counts the CPU seconds of this
process for training and validation; loading and the final test come on top.

The test figures are those of `serpent evaluate`: every sample counts, nothing is shifted or scaled, and the network
starts from the zero state with a second of silence played before the recording.

    tests/benchmark/lstm_baseline.py --pairs DIR --device scream --cpu-seconds 150
    tests/benchmark/lstm_baseline.py --pairs DIR --device opto --runs 0.5 16      longer memory, as preset max
"""
import argparse
import copy
import json
import math
import os
import pathlib
import struct
import sys
import time

for library in ("OMP", "OPENBLAS", "MKL"):  # read when the libraries load
    os.environ[library + "_NUM_THREADS"] = "1"

import numpy as np
import torch

RATE_WARMUP = 0.02        # share of the budget from rate 0 to the full one
FINAL_RATE = 0.005        # share of the rate at the end
ENERGY_FLOOR = 1e-8       # as in Serpent's ESR
VALIDATION_LANES = 32
WARM_UP_S = 0.5           # of audio before a validation lane is scored
SILENCE_S = 1.0           # before the test


def read_wav(path):
    """The one channel of a 32-bit float WAV file and its rate in Hz; Python's own `wave` reads no float."""
    data = pathlib.Path(path).read_bytes()
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        sys.exit(f"{path} is not a WAV file")
    position, rate, samples = 12, None, None
    while position + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, position)
        body = data[position + 8:position + 8 + size]
        if name == b"fmt ":
            encoding, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
            if (encoding, channels, bits) != (3, 1, 32):
                sys.exit(f"{path} should be mono in 32-bit float; convert it first")
        elif name == b"data":
            samples = np.frombuffer(body[:len(body) // 4 * 4], dtype="<f4").copy()
        position += 8 + size + size % 2
    if rate is None or samples is None:
        sys.exit(f"{path} holds no audio")
    return samples, rate


def read_pair(folder, device, part):
    (dry, dry_rate), (wet, wet_rate) = (read_wav(folder / f"{name}_{part}.wav") for name in ("dry", device))
    if dry_rate != wet_rate or len(dry) != len(wet):
        sys.exit(f"dry_{part}.wav and {device}_{part}.wav differ in rate or length")
    return dry, wet, dry_rate


class LstmFunction(torch.autograd.Function):
    """PyTorch's LSTM (gates i, f, g, o) with its gradient written out, since autograd's bookkeeping of so many small
    operations costs more than they do. Lanes are the last axis, so that a gate is one piece of memory. The state that a
    segment starts from gets no gradient: truncated backpropagation ends there."""

    @staticmethod
    def forward(ctx, x, w_in, w, bias, h0, c0):
        samples, hidden = x.shape[0], w.shape[1]
        z = w_in * x[:, None, :] + bias[:, None]  # x is (samples, lanes), z (samples, 4 hidden, lanes)
        gates = z.view(samples, 4, hidden, -1)
        h, c = (torch.empty(samples + 1, *h0.shape) for _ in range(2))
        tanh_c = torch.empty(samples, *h0.shape)
        h[0], c[0] = h0, c0
        hs, cs = h.unbind(), c.unbind()
        for t, (z_t, if_t, (i, f, g, o), tanh_t) in enumerate(
                zip(z.unbind(), gates[:, :2].unbind(), zip(*gates.unbind(1)), tanh_c.unbind())):
            z_t.addmm_(w, hs[t])
            if_t.sigmoid_()
            g.tanh_()
            o.sigmoid_()
            torch.mul(f, cs[t], out=cs[t + 1]).addcmul_(i, g)
            torch.tanh(cs[t + 1], out=tanh_t)
            torch.mul(o, tanh_t, out=hs[t + 1])
        ctx.save_for_backward(x, w, gates, h, c, tanh_c)
        state = h[-1].clone(), c[-1].clone()
        ctx.mark_non_differentiable(*state)
        return h[1:], *state

    @staticmethod
    def backward(ctx, grad_h, *_):
        x, w, gates, h, c, tanh_c = ctx.saved_tensors
        i, f, g, o = gates.unbind(1)
        c_by_z = torch.stack((g * i * (1 - i), c[:-1] * f * (1 - f), i * (1 - g * g)), 1)
        h_by_z = tanh_c * o * (1 - o)
        h_by_c = o * (1 - tanh_c * tanh_c)
        grad_z = torch.empty_like(gates)
        flat = grad_z.view(len(x), -1, x.shape[1])
        transposed, grad_c = w.t().contiguous(), torch.zeros_like(h[0])
        steps = zip(*(a.unbind() for a in (grad_h.contiguous(), c_by_z, h_by_z, h_by_c, f, flat, grad_z[:, :3],
                                           grad_z[:, 3])))
        after = None
        for grad_h_t, c_by_z_t, h_by_z_t, h_by_c_t, f_t, flat_t, grad_ifg, grad_o in reversed(list(steps)):
            if after is not None:
                grad_h_t = torch.addmm(grad_h_t, transposed, after)
            grad_c.addcmul_(grad_h_t, h_by_c_t)
            torch.mul(c_by_z_t, grad_c, out=grad_ifg)
            torch.mul(h_by_z_t, grad_h_t, out=grad_o)
            grad_c.mul_(f_t)
            after = flat_t
        rows = flat.transpose(0, 1).reshape(flat.shape[1], -1)
        last_h = h[:-1].transpose(0, 1).reshape(h.shape[1], -1)
        return None, rows @ x.reshape(-1, 1), rows @ last_h.t(), rows.sum(1), None, None


class Network(torch.nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.hidden = hidden

        def random(*shape):
            return torch.nn.Parameter((2 * torch.rand(*shape) - 1) / math.sqrt(hidden))

        self.w_in, self.w, self.bias = random(4 * hidden, 1), random(4 * hidden, hidden), random(4 * hidden)
        self.bias.data[hidden:2 * hidden] += 1  # the forget gate: remember at first
        self.dense, self.dense_bias, self.skip = random(hidden), random(1), torch.nn.Parameter(torch.ones(1))

    def zero_state(self, lanes):
        return torch.zeros(self.hidden, lanes), torch.zeros(self.hidden, lanes)

    def forward(self, x, state):
        """x is (samples, lanes); each half of the state (hidden, lanes)."""
        features, h, c = LstmFunction.apply(x, self.w_in, self.w, self.bias, *state)
        return (features * self.dense[:, None]).sum(1) + self.dense_bias + self.skip * x, (h, c)

    def play(self, x, state, block=2000):
        """Like forward, without a gradient, in blocks that stay small."""
        out = []
        with torch.no_grad():
            for part in x.split(block):
                y, state = self(part, state)
                out.append(y)
        return torch.cat(out), state


def silence_state(network, samples, state=None):
    """The state of one lane after so much silence, from `state` or zero."""
    return network.play(torch.zeros(samples, 1), state or network.zero_state(1))[1]


class Lanes:
    """Stretches of the recording, played side by side; each starts from silence and ends after a random time."""

    def __init__(self, dry, wet, rate, count, runs_s, unscored_s, random):
        self.dry, self.wet, self.rate, self.random = dry, wet, rate, random
        self.runs_s, self.unscored_samples = runs_s, int(unscored_s * rate)
        self.position = np.zeros(count, dtype=np.int64)
        self.end = np.zeros(count, dtype=np.int64)
        self.unscored = np.zeros(count, dtype=np.int64)

    def next(self, length):
        """Dry, wet and the score's weights, each (length, lanes), and the lanes that begin anew."""
        begun = []
        for lane in np.flatnonzero(self.position + length > self.end):
            shortest, longest = self.runs_s
            run = int(self.rate * shortest * (longest / shortest) ** self.random.random())
            last = len(self.dry) - length
            start = max(0, int(self.random.uniform(-0.02 * len(self.dry), last)))
            self.position[lane], self.end[lane] = start, min(len(self.dry), start + max(length, run))
            self.unscored[lane] = self.unscored_samples if start else 0
            begun.append(int(lane))
        index = self.position + np.arange(length)[:, None]
        counts = (np.arange(length)[:, None] >= self.unscored).astype(np.float32)
        self.position += length
        self.unscored = np.maximum(0, self.unscored - length)
        return *(torch.from_numpy(a) for a in (self.dry[index], self.wet[index], counts)), begun


def validation_esr(network, dry, wet, rate):
    """ESR over every sample, the recording cut into lanes that each hear WARM_UP_S before; only used to choose."""
    warm_up, part = int(WARM_UP_S * rate), math.ceil(len(dry) / VALIDATION_LANES)
    index = np.arange(VALIDATION_LANES) * part + np.arange(-warm_up, part)[:, None]
    inside = (index >= 0) & (index < len(dry))
    index = np.clip(index, 0, len(dry) - 1)
    x = torch.from_numpy((dry[index] * inside).astype(np.float32))
    state = tuple(s.repeat(1, VALIDATION_LANES) for s in silence_state(network, warm_up // 4))
    out = network.play(x, state)[0].numpy()
    scored = inside[warm_up:]
    error = (out[warm_up:] - wet[index[warm_up:]]) * scored
    return float(np.sum(error.astype(np.float64) ** 2) / (np.sum(wet.astype(np.float64) ** 2) + ENERGY_FLOOR))


def figures(wet, out, rate):
    """ESR and the errors of the envelope, defined as in core/include/serpent/metrics.h."""
    wet, out = wet.astype(np.float64), out.astype(np.float64)
    window = round(0.1 * rate)

    def levels_db(signal):
        count = len(signal) // window
        rms = np.sqrt(np.mean(signal[:count * window].reshape(count, window) ** 2, axis=1))
        return 20 * np.log10(np.maximum(rms, 1e-6))

    target, got = levels_db(wet), levels_db(out)
    difference = np.abs(target - got)[target > -60]
    return {"esr": float(np.sum((wet - out) ** 2) / (np.sum(wet ** 2) + ENERGY_FLOOR)),
            "envelope_rms_db": float(np.sqrt(np.mean(difference ** 2))),
            "envelope_max_db": float(np.max(difference))}


def rate_at(share, rate):
    if share < RATE_WARMUP:
        return rate * share / RATE_WARMUP
    cosine = 0.5 + 0.5 * math.cos(math.pi * min(1.0, (share - RATE_WARMUP) / (1 - RATE_WARMUP)))
    return rate * (FINAL_RATE + (1 - FINAL_RATE) * cosine)


def train(network, dry, wet, valid, rate_hz, options):
    """Returns the best averaged weights, their validation ESR and the number of updates."""
    random = np.random.default_rng(options.seed)
    lanes = Lanes(dry, wet, rate_hz, options.lanes, options.runs, options.unscored, random)
    state = network.zero_state(options.lanes)
    silence = silence_state(network, 2000)
    average, best, best_esr = copy.deepcopy(network), copy.deepcopy(network), math.inf
    optimizer = torch.optim.Adam(network.parameters(), lr=options.rate)
    updates, validations, begin = 0, 0, time.process_time()
    while True:
        share = (time.process_time() - begin) / options.cpu_seconds
        if share >= (validations + 1) / options.validations:
            validations += 1
            esr = validation_esr(average, *valid, rate_hz)
            print(f"{share:4.0%}  {updates} updates  valid ESR {esr:.5f}", file=sys.stderr, flush=True)
            if esr < best_esr:
                best_esr, best = esr, copy.deepcopy(average)
        if share >= 1:
            return best, best_esr, updates
        optimizer.param_groups[0]["lr"] = rate_at(share, options.rate)
        if updates % 50 == 0:  # silence leads elsewhere as the weights move
            silence = silence_state(network, 2000, silence)
        x, target, counts, begun = lanes.next(int(options.segment * random.uniform(0.6, 1.4)))
        for part, rest in zip(state, silence):
            part[:, begun] = rest
        out, state = network(x, state)
        loss = torch.sum(counts * (out - target) ** 2) / (torch.sum(counts * target ** 2) + ENERGY_FLOOR)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        updates += 1
        with torch.no_grad():  # a short memory at first, that the random start be forgotten
            keep = min(options.average, updates / (updates + 10))
            for a, p in zip(average.parameters(), network.parameters()):
                a.lerp_(p, 1 - keep)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--pairs", type=pathlib.Path, required=True, help="folder of {dry,DEVICE}_{train,valid,test}.wav")
    add("--device", required=True, help="the wet files' prefix, as scream")
    add("--hidden", type=int, default=28, help="width of the LSTM (default 28)")
    add("--cpu-seconds", type=float, default=150, help="budget of one core (default 150)")
    add("--lanes", type=int, default=32, help="sequences side by side (default 32)")
    add("--segment", type=int, default=512, help="samples per update and lane, +-40 %% at random (default 512)")
    add("--rate", type=float, default=4e-3, help="Adam's rate at its highest (default 0.004)")
    add("--runs", type=float, nargs=2, default=(0.25, 8.0), metavar="S", help="shortest and longest run in seconds")
    add("--unscored", type=float, default=0.02, help="seconds at the start of a run that do not count (default 0.02)")
    add("--average", type=float, default=0.99, help="decay of the average of the weights (default 0.99)")
    add("--validations", type=int, default=6, help="how often to look at the validation pair (default 6)")
    add("--seed", type=int, default=1)
    return parser.parse_args()


def main():
    options = parse_arguments()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.manual_seed(options.seed)
    (dry, wet, rate_hz), (valid_dry, valid_wet, _), (test_dry, test_wet, _) = (
        read_pair(options.pairs, options.device, part) for part in ("train", "valid", "test"))
    dry_scale, wet_scale = (np.float32(1 / np.sqrt(np.mean(x.astype(np.float64) ** 2))) for x in (dry, wet))
    network = Network(options.hidden)
    begin = time.process_time()
    best, best_esr, updates = train(network, dry * dry_scale, wet * wet_scale,
                                    (valid_dry * dry_scale, valid_wet * wet_scale), rate_hz, options)
    spent = time.process_time() - begin
    state = silence_state(best, int(SILENCE_S * rate_hz))
    out = best.play(torch.from_numpy(test_dry * dry_scale)[:, None], state)[0][:, 0].numpy() / wet_scale
    print(json.dumps({"device": options.device, "hidden": options.hidden, "seed": options.seed,
                      "parameters": sum(p.numel() for p in best.parameters()), "cpu_seconds": round(spent, 1),
                      "updates": updates, "valid_esr": best_esr, **figures(test_wet, out, rate_hz)}, indent=2))


if __name__ == "__main__":
    main()
