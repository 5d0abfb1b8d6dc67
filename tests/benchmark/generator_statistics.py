#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares what a generator makes with the recordings it learned from: level, spectrum, pitch, and whether a plain
recogniser hears the word that was asked for.

Optional: building, running and testing Serpent never need this script. It wants NumPy and soundfile: on Debian
`apt-get install python3-numpy python3-soundfile`.

    serpent generate voice.safetensors -o new/7_theo_.flac --condition digit=7 --condition speaker=theo --count 5 --seconds 0.8
    tests/benchmark/generator_statistics.py recordings new --test '*_[0-4].flac'

Both folders hold files named {word}_{speaker}_*. The recogniser is a nearest neighbour: log mel spectra, mean and slope taken
out, aligned by dynamic time warping, against ten training recordings of each word and speaker; its share of right answers on
the test recordings says how much it can be trusted.
"""
import argparse
import collections
import fnmatch
import pathlib

import numpy as np
import soundfile

BANDS_HZ = [(60, 250), (250, 500), (500, 1000), (1000, 2000), (2000, 4000)]


def load(folder):
    files = []
    for path in sorted(pathlib.Path(folder).rglob("*")):
        if path.suffix.lower() in (".wav", ".flac"):
            audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
            word, speaker = path.stem.split("_")[:2]
            files.append((path.name, word, speaker, audio.mean(axis=1).astype(np.float64), rate))
    return files


def frames(audio, size, hop):
    if len(audio) < size:
        audio = np.pad(audio, (0, size - len(audio)))
    return np.lib.stride_tricks.sliding_window_view(audio, size)[::hop]


def active(audio, rate):
    """20 ms frames above -45 dBFS, and their levels in dBFS."""
    f = frames(audio, rate // 50, rate // 50)
    level = 10 * np.log10((f ** 2).mean(axis=1) + 1e-12)
    return f[level > -45], level[level > -45]


def pitches(audio, rate):
    """Hz of every voiced 40 ms frame: the peak of the normalised autocorrelation between 60 and 400 Hz, where above 0.6."""
    found = []
    size, low, high = rate // 25, rate // 400, rate // 60
    for f in frames(audio, size, rate // 100):
        f = f - f.mean()
        if (f ** 2).mean() < 10 ** -4.5:
            continue
        r = np.correlate(f, f, "full")[size - 1:]
        shape = r[:high + 1] / (r[0] * (1 - np.arange(high + 1) / size) + 1e-12)
        lag = low + int(np.argmax(shape[low:high]))
        if shape[lag] > 0.6 and low < lag < high - 1:
            found.append(rate / lag)
    return found


def describe(name, files):
    levels = np.concatenate([active(f[3], f[4])[1] for f in files])
    whole = [f for f in (np.concatenate([active(f[3], f[4])[0].ravel() for f in files]),)][0]
    rate = files[0][4]
    power = (np.abs(np.fft.rfft(frames(whole, 512, 256) * np.hanning(512))) ** 2).mean(axis=0)
    hz = np.fft.rfftfreq(512, 1 / rate)
    bands = [10 * np.log10(power[(hz >= a) & (hz < b)].sum() / power.sum() + 1e-12) for a, b in BANDS_HZ]
    print(f"{name:12s} {len(files):5d} files, {sum(len(f[3]) for f in files) / rate:6.1f} s")
    print(f"  level of 20 ms frames above -45 dBFS: 10 % {np.percentile(levels, 10):.1f}, median {np.median(levels):.1f}, "
          f"90 % {np.percentile(levels, 90):.1f} dBFS")
    print("  share of the power: " + ", ".join(f"{a}-{b} Hz {d:.1f} dB" for (a, b), d in zip(BANDS_HZ, bands)))
    by_speaker = collections.defaultdict(list)
    for f in files:
        by_speaker[f[2]] += pitches(f[3], f[4])
    print("  median pitch, and 10 to 90 %: " + ", ".join(
        f"{s} {np.median(p):.0f} Hz ({np.percentile(p, 10):.0f}-{np.percentile(p, 90):.0f})" for s, p in sorted(by_speaker.items()) if p))


def features(audio, rate):
    size, hop = 256 * rate // 8000, 100 * rate // 8000
    power = np.abs(np.fft.rfft(frames(audio, size, hop) * np.hanning(size))) ** 2
    hz = np.fft.rfftfreq(size, 1 / rate)
    edges = 700 * (np.exp(np.linspace(np.log(1 + 100 / 700), np.log(1 + 3800 / 700), 26)) - 1)
    mel = np.stack([np.clip(np.minimum((hz - a) / (b - a), (c - hz) / (c - b)), 0, None) for a, b, c in zip(edges, edges[1:], edges[2:])])
    log = np.log(power @ mel.T + 1e-6)
    loud = log.mean(axis=1) > log.mean(axis=1).max() - 6
    first, last = np.argmax(loud), len(loud) - np.argmax(loud[::-1])
    log = log[first:last]
    return np.concatenate([log - log.mean(axis=0), 2 * np.gradient(log, axis=0) if len(log) > 1 else 0 * log], axis=1)


def warped_distance(a, b):
    cost = np.sqrt(np.maximum(0, (a ** 2).sum(1)[:, None] + (b ** 2).sum(1)[None] - 2 * a @ b.T))
    row = np.cumsum(cost[0])
    for i in range(1, len(cost)):
        best, new = np.minimum(row, np.concatenate([[np.inf], row[:-1]])), np.empty_like(row)
        left = np.inf
        for j, (c, d) in enumerate(zip(cost[i].tolist(), best.tolist())):
            left = c + min(d, left)
            new[j] = left
        row = new
    return row[-1] / (len(a) + len(b))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings")
    parser.add_argument("generated")
    parser.add_argument("--test", default="", help="glob of the recordings that no model was trained on")
    parser.add_argument("--templates", type=int, default=10, help="training recordings of each word and speaker")
    parser.add_argument("--recognise", type=int, default=100, help="files of each kind to recognise; 0: none")
    a = parser.parse_args()
    recordings, generated = load(a.recordings), load(a.generated)
    test = [f for f in recordings if a.test and fnmatch.fnmatch(f[0], a.test)]
    train = [f for f in recordings if not (a.test and fnmatch.fnmatch(f[0], a.test))]
    for name, files in (("recordings", train), ("test", test), ("generated", generated)):
        if files:
            describe(name, files)
    if not a.recognise:
        return
    taken = collections.Counter()
    templates = []
    for f in train:
        if taken[f[1:3]] < a.templates:
            taken[f[1:3]] += 1
            templates.append((f[1], features(f[3], f[4])))
    for name, files in (("test", test), ("generated", generated)):
        step = max(1, len(files) // a.recognise)
        chosen = files[::step]
        confusion = collections.Counter()
        for f in chosen:
            own = features(f[3], f[4])
            word = min(templates, key=lambda t: warped_distance(own, t[1]))[0]
            confusion[f[1], word] += 1
        right = sum(n for (asked, heard), n in confusion.items() if asked == heard)
        if chosen:
            print(f"recogniser, {name}: {right} of {len(chosen)} right ({100 * right / len(chosen):.0f} %)")


if __name__ == "__main__":
    main()
