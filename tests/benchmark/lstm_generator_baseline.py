#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains an LSTM on a folder of recordings as a yardstick for `serpent train-generator`.

Optional: building, running and testing Serpent never need this script. It wants PyTorch, NumPy and soundfile: on Debian
`apt-get install python3-torch python3-numpy python3-soundfile libopenblas0-pthread`.

The network embeds the class of the last sample (256 mu-law classes, as Serpent's), adds an embedding of each condition,
and has one LSTM layer, as wide as the multiply-accumulates allow, and a dense layer to 256 logits. It learns as
`serpent train-generator` does: truncated backpropagation through time over lanes that string recordings of one speaker
together with silence between them, AdamW with a cosine rate, clipped gradients, averaged weights, the best of them chosen
on the validation files. Several processes share the work as threads do there: each has lanes of its own, and they average
their gradients. The budget counts the seconds of training and validation: of the processor, or of the clock where several
processes run. The test figure is that of `serpent train-generator --test`: bits per sample, each recording from state zero,
with its conditions.

    tests/benchmark/lstm_generator_baseline.py DIR --rate 8000 --names '{digit}_{speaker}_*' --test '*_[0-4].flac' \\
        --macs 91000 --seconds 1200
"""
import argparse
import copy
import fnmatch
import math
import multiprocessing
import os
import pathlib
import re
import sys
import time

for library in ("OMP", "OPENBLAS", "MKL"):  # read when the libraries load
    os.environ[library + "_NUM_THREADS"] = "1"

import numpy as np
import soundfile
import torch

SILENCE = 128


def mu_law(audio):
    x = np.clip(audio.astype(np.float64), -1, 1)
    companded = 127 * np.log1p(255 * np.abs(x)) / np.log(256)
    return (SILENCE + np.sign(x) * np.floor(companded + 0.5)).astype(np.int64)


def load(folder, rate, names, test):
    """Recordings as Serpent parts them: train, valid, test; conditions numbered from 1, 0 is "not said"."""
    keys = re.findall(r"{(\w+)}", names)
    pattern = re.compile(re.sub(r"{(\w+)}", r"(?P<\1>.+?)", names).replace("*", ".*") + "$") if names else None
    parts, ordinary = {"train": [], "valid": [], "test": []}, 0
    for path in sorted(pathlib.Path(folder).rglob("*")):
        if path.suffix.lower() not in (".wav", ".flac", ".ogg", ".aiff"):
            continue
        audio, file_rate = soundfile.read(path, dtype="float32", always_2d=True)
        if file_rate != rate:
            sys.exit(f"{path} is at {file_rate} Hz; this script does not resample")
        said = [pattern.match(path.stem).group(k) for k in keys] if pattern else []
        part = "test"
        if not (test and fnmatch.fnmatch(path.name, test)):
            part = "valid" if ordinary % 20 == 10 else "train"
            ordinary += 1
        parts[part].append((mu_law(audio.mean(axis=1)), said))
    values = [sorted({said[j] for files in parts.values() for _, said in files}) for j in range(len(keys))]
    for part, files in parts.items():
        parts[part] = [(classes, [1 + values[j].index(v) for j, v in enumerate(said)]) for classes, said in files]
    return parts, [len(v) + 1 for v in values]


class Net(torch.nn.Module):
    def __init__(self, hidden, embedding, conditions):
        super().__init__()
        self.embedding = torch.nn.Embedding(256, embedding)
        self.conditions = torch.nn.ModuleList(torch.nn.Embedding(n, embedding) for n in conditions)
        self.lstm = torch.nn.LSTM(embedding, hidden)
        self.decoder = torch.nn.Linear(hidden, 256)
        with torch.no_grad():  # remember at the start
            self.lstm.bias_ih_l0[hidden:2 * hidden] = 1

    def forward(self, classes, conditions, state):
        x = self.embedding(classes)
        for j, table in enumerate(self.conditions):
            x = x + table(conditions[..., j])
        y, state = self.lstm(x, state)
        return self.decoder(y), state


class Lane:
    """Recordings that follow one another: silence, a recording, mostly of the same last condition."""

    def __init__(self, files, rng, gap, unsaid, stay):
        self.files, self.rng, self.gap, self.unsaid, self.stay = files, rng, gap, unsaid, stay
        self.last, self.queue, self.conditions, self.recording = SILENCE, np.zeros(0, np.int64), [], None

    def refill(self):
        choices = self.files
        if self.recording and self.recording[1] and self.rng.random() < self.stay:
            choices = [f for f in self.files if f[1][-1] == self.recording[1][-1]]
        self.recording = choices[self.rng.integers(len(choices))]
        silence = np.full(int(2 * self.gap * self.rng.random()), SILENCE, np.int64)
        self.queue = np.concatenate([silence, self.recording[0]])
        self.conditions = [0 if self.rng.random() < self.unsaid else c for c in self.recording[1]]

    def segment(self, n):
        out, said = [], []
        while n > 0:
            if not len(self.queue):
                self.refill()
            take = self.queue[:n]
            self.queue = self.queue[len(take):]
            out.append(take)
            said += [self.conditions] * len(take)
            n -= len(take)
        target = np.concatenate(out)
        classes = np.concatenate([[self.last], target[:-1]])
        self.last = target[-1]
        return classes, target, np.array(said, np.int64).reshape(len(target), -1)


def bits(net, files):
    """Bits per sample, 64 recordings of similar length side by side."""
    files = sorted(files, key=lambda f: len(f[0]))
    nats = samples = 0
    with torch.no_grad():
        for first in range(0, len(files), 64):
            batch = files[first:first + 64]
            longest = max(len(c) for c, _ in batch)
            classes = torch.full((longest + 1, len(batch)), SILENCE)
            said = torch.zeros(longest, len(batch), len(batch[0][1]), dtype=torch.long)
            weight = torch.zeros(longest, len(batch))
            for i, (c, conditions) in enumerate(batch):
                classes[1:len(c) + 1, i] = torch.from_numpy(c)
                said[:, i] = torch.tensor(conditions, dtype=torch.long)
                weight[:len(c), i] = 1
            state = None
            for t in range(0, longest, 512):
                logits, state = net(classes[t:min(t + 512, longest)], said[t:t + 512], state)
                loss = torch.nn.functional.cross_entropy(logits.transpose(1, 2), classes[t + 1:t + 1 + len(logits)], reduction="none")
                nats += float((loss * weight[t:t + 512]).sum())
            samples += int(weight.sum())
    return nats / samples / math.log(2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--rate", type=int, default=8000)
    parser.add_argument("--names", default="")
    parser.add_argument("--test", default="")
    parser.add_argument("--macs", type=int, default=91000, help="multiply-accumulates per sample")
    parser.add_argument("--embedding", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--lanes", type=int, default=32, help="of each process")
    parser.add_argument("--segment", type=int, default=512)
    parser.add_argument("--learning-rate", type=float, default=4e-3)
    parser.add_argument("--gap", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=1)
    a = parser.parse_args()
    team = Team(a.processes)
    others = [multiprocessing.get_context("fork").Process(target=work, args=(a, team, rank)) for rank in range(1, a.processes)]
    for process in others:
        process.start()
    work(a, team, 0)
    for process in others:
        process.join()


class Team:
    """Averages what the processes have in common memory."""

    def __init__(self, size):
        self.size, self.memory = size, multiprocessing.RawArray("f", size << 20)
        self.barrier = multiprocessing.get_context("fork").Barrier(size)

    def mean(self, values, rank):
        if self.size == 1:
            return values
        rows = torch.from_numpy(np.frombuffer(self.memory, np.float32).reshape(self.size, -1))[:, :len(values)]
        rows[rank] = values
        self.barrier.wait()
        mean = rows.mean(0)
        self.barrier.wait()
        return mean


def work(a, team, rank):
    torch.manual_seed(a.seed)
    torch.set_num_threads(1)
    rng = np.random.default_rng(a.seed + 1000 * rank)
    parts, conditions = load(a.folder, a.rate, a.names, a.test)
    # 4 h (h + e) + 256 h = macs
    b = 4 * a.embedding + 256
    hidden = int((-b + math.sqrt(b * b + 16 * a.macs)) / 8)
    net = Net(hidden, a.embedding, conditions)
    if rank == 0:
        print(f"LSTM of {hidden}, {4 * hidden * (hidden + a.embedding) + 256 * hidden} multiply-accumulates per sample, "
              f"{sum(p.numel() for p in net.parameters())} parameters", flush=True)
    optimiser = torch.optim.AdamW(net.parameters(), a.learning_rate, betas=(0.9, 0.99), weight_decay=0.01)
    average, best, best_bits = copy.deepcopy(net), copy.deepcopy(net), math.inf
    lanes = [Lane(parts["train"], rng, a.gap * a.rate, 0.15, 0.85) for _ in range(a.lanes)]
    clock = time.process_time if team.size == 1 else time.monotonic
    state, step, begin, told = None, 0, clock(), 0
    while (share := float(team.mean(torch.tensor([(clock() - begin) / a.seconds]), rank)[0])) < 1:
        for group in optimiser.param_groups:
            group["lr"] = a.learning_rate * min(1, (step + 1) / 200) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))
        segments = [lane.segment(a.segment) for lane in lanes]
        classes, target, said = (torch.from_numpy(np.stack([s[i] for s in segments], 1)) for i in range(3))
        if state is not None:
            keep = torch.from_numpy((rng.random(a.lanes) >= 0.05).astype(np.float32))[None, :, None]
            state = tuple(s.detach() * keep for s in state)
        logits, state = net(classes, said, state)
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, 256), target.reshape(-1))
        optimiser.zero_grad()
        loss.backward()
        gradients = [p.grad for p in net.parameters()]
        mean = team.mean(torch.cat([g.reshape(-1) for g in gradients]), rank)
        for g, part in zip(gradients, mean.split([g.numel() for g in gradients])):
            g.copy_(part.view_as(g))
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        step += 1
        with torch.no_grad():
            keep = min(0.998, step / (step + 10))
            for average_p, p in zip(average.parameters(), net.parameters()):
                average_p.mul_(keep).add_(p, alpha=1 - keep)
        if rank == 0 and share >= told + 0.1:
            told += 0.1
            valid = bits(average, parts["valid"])
            if valid < best_bits:
                best_bits, best = valid, copy.deepcopy(average)
            print(f"{100 * share:.0f} %: step {step}, training {float(loss) / math.log(2):.3f}, validation {valid:.4f}", flush=True)
    if rank > 0:
        return
    seconds, valid = clock() - begin, bits(average, parts["valid"])
    if valid < best_bits:
        best_bits, best = valid, average
    epochs = step * a.segment * a.lanes * a.processes / sum(len(c) for c, _ in parts["train"])
    print(f"validation {best_bits:.4f} bits per sample after {step} updates, {epochs:.1f} epochs, {seconds:.0f} s of {a.processes} "
          "processes")
    if parts["test"]:
        print(f"test       {bits(best, parts['test']):.4f} bits per sample")


if __name__ == "__main__":
    main()
