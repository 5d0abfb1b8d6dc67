#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cost against length in PyTorch, to lay beside serpent_gpu_benchmark: the textbook associative scan of one Mamba layer, and a
Transformer of the same width with scaled_dot_product_attention. Needs PyTorch with CUDA; says so where there is none.

  tests/benchmark/gpu/pytorch_curves.py [--max-power 20]
"""
import argparse
import sys

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    sys.exit("skipped: PyTorch is not installed")
if not torch.cuda.is_available():
    sys.exit("skipped: PyTorch finds no GPU")

D_MODEL, D_INNER, D_STATE, LAYERS, HEADS = 16, 32, 16, 4, 1
LONGEST_CALL_MS = 2000.0


def associative_scan(dt, A, B, x):
    """h[t] = exp(dt A) h[t-1] + dt B x by recursive doubling: log2(length) passes over (length, d_inner, d_state)."""
    a = torch.exp(dt[:, :, None] * A)
    b = (dt * x)[:, :, None] * B[:, None, :]
    step = 1
    while step < a.shape[0]:
        b = torch.cat([b[:step], b[step:] + a[step:] * b[:-step]])
        a = torch.cat([a[:step], a[step:] * a[:-step]])
        step *= 2
    return b


def scan_layer(length):
    g = torch.Generator(device="cuda").manual_seed(1)
    rand = lambda *shape: torch.rand(*shape, device="cuda", generator=g)
    dt, A, B, C, x = rand(length, D_INNER) * 0.1, -rand(D_INNER, D_STATE) - 1, rand(length, D_STATE), rand(length, D_STATE), rand(length, D_INNER)
    return lambda: torch.einsum("tdn,tn->td", associative_scan(dt, A, B, x), C)


class Transformer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = torch.nn.ModuleList(torch.nn.Linear(D_MODEL, 3 * D_MODEL) for _ in range(LAYERS))
        self.out = torch.nn.ModuleList(torch.nn.Linear(D_MODEL, D_MODEL) for _ in range(LAYERS))
        self.up = torch.nn.ModuleList(torch.nn.Linear(D_MODEL, 2 * D_INNER) for _ in range(LAYERS))
        self.down = torch.nn.ModuleList(torch.nn.Linear(2 * D_INNER, D_MODEL) for _ in range(LAYERS))
        self.norm = torch.nn.ModuleList(torch.nn.RMSNorm(D_MODEL) for _ in range(2 * LAYERS))

    def forward(self, e):
        for i in range(LAYERS):
            q, k, v = (p.unflatten(-1, (HEADS, -1)).transpose(1, 2) for p in self.qkv[i](self.norm[2 * i](e)).chunk(3, -1))
            attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            e = e + self.out[i](attended.transpose(1, 2).flatten(-2))
            e = e + self.down[i](F.silu(self.up[i](self.norm[2 * i + 1](e))))
        return e


def transformer(length):
    model = Transformer().cuda().bfloat16().eval()
    e = torch.randn(1, length, D_MODEL, device="cuda", dtype=torch.bfloat16)
    return lambda: model(e)


@torch.no_grad()
def median_ms(make, length):
    try:
        call = make(length)
        times = []
        for i in range(6):
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            begin.record()
            call()
            end.record()
            end.synchronize()
            if i > 0 or begin.elapsed_time(end) > LONGEST_CALL_MS:
                times.append(begin.elapsed_time(end))
            if times and times[-1] > LONGEST_CALL_MS:
                break
        return sorted(times)[len(times) // 2]
    except torch.cuda.OutOfMemoryError:
        return None
    finally:
        torch.cuda.empty_cache()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--max-power", type=int, default=20)
    highest = parser.parse_args().max_power
    print(f"PyTorch {torch.__version__} on {torch.cuda.get_device_name()}: ns per sample")
    print(f"{'samples':>10} {'associative scan, one layer':>28} {'Transformer, 4 layers, bf16':>28}")
    given_up = [False, False]
    for power in range(10, highest + 1, 2):
        cells = []
        for i, make in enumerate((scan_layer, transformer)):
            ms = None if given_up[i] else median_ms(make, 1 << power)
            given_up[i] = ms is None or ms > LONGEST_CALL_MS
            cells.append("-" if ms is None else f"{ms * 1e6 / (1 << power):.2f}")
        print(f"{1 << power:>10} {cells[0]:>28} {cells[1]:>28}", flush=True)


if __name__ == "__main__":
    main()
