#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts the instructions per sample of Stream::process() with callgrind and compares them with instruction_counts.json.

    instruction_counts.py COUNT_INSTRUCTIONS [--update]

Times on a shared machine vary by tens of per cent; counts vary by nothing, so that a regression of a few per cent shows.
They depend on the compiler: with another than the baseline's the counts are printed and the status is 77, "skipped".
After an improvement, --update writes the new baseline. valgrind
knows no AVX-512, hence AVX2 and below. Blocks of 64 unless said."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

TOLERANCE = 0.03
SAMPLES = 2048
BASELINE = pathlib.Path(__file__).with_name("instruction_counts.json")
CASES = {
    "nano, avx2": "8 1 4 4 full avx2 64",
    "nano, avx2, block 1": "8 1 4 4 full avx2 1",
    "nano, sse4": "8 1 4 4 full sse4 64",
    "standard, avx2": "8 1 4 6 full avx2 64",
    "the presets' layers and filters x 6, avx2": "8 1 4 6 preset avx2 64",
    "the same, block 1": "8 1 4 6 preset avx2 1",
    "8/16/4 x 4, tied, avx2": "8 2 4 4 tied avx2 64",
    "8/16/8 x 2, avx2": "8 2 8 2 full avx2 64",
    "generic 16/32/16 x 4, avx2": "16 2 16 4 full avx2 64",
}


def instructions_per_sample(program, case):
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", "--toggle-collect=serpent::Stream::process*",
             program, *case.split(), str(SAMPLES)], capture_output=True, text=True)
        found = re.search(r"Collected : (\d+)", run.stderr)
        if run.returncode != 0 or not found or int(found[1]) == 0:
            sys.exit(f"callgrind counted nothing for {case}:\n{run.stdout}{run.stderr}")
        return int(found[1]) / SAMPLES


def main():
    program, update = sys.argv[1], "--update" in sys.argv
    version = subprocess.run(["c++", "--version"], capture_output=True, text=True).stdout.splitlines()[0]
    counts = {name: round(instructions_per_sample(program, case), 1) for name, case in CASES.items()}
    if update:
        BASELINE.write_text(json.dumps({"compiler": version, "instructions_per_sample": counts}, indent=2) + "\n")
        return
    baseline = json.loads(BASELINE.read_text())
    failed = 0
    for name, count in counts.items():
        was = baseline["instructions_per_sample"].get(name, 0)
        change = count / was - 1 if was else 1
        worse = not change <= TOLERANCE
        failed += worse
        print(f"{name:44}{was:10.1f} -> {count:10.1f}  {change:+7.1%}{'  worse' if worse else ''}")
    if baseline["compiler"] != version:
        print(f"The baseline is of {baseline['compiler']}, this is {version}: not compared.")
        sys.exit(77)
    if failed:
        sys.exit(f"{failed} counts grew by more than {TOLERANCE:.0%}. If that is meant: {sys.argv[0]} {program} --update")


main()
