"""Times of PyTorch for the rows of `llmc4j bench`, as `--peer` reads them. Needs Python with torch; nothing of LLMC4J does.

    python3 property-tests/src/main/python/peers.py --threads 1 > peers.json
    ./llmc4j bench --clock processor --peer peers.json --only gemm,gram,cholesky,inverse,gptq

Products: mm and linear (oneDNN), the faster one counts. Factors: torch.linalg as LLMC calls it: cholesky, cholesky_inverse, cholesky.
GPTQ: the published column loop on torch, blocks of 128. With one thread the thread's processor time is taken, else wall time.
"""
import argparse
import json
import sys
import time

import torch


def measure(work, seconds, clock):
    best = float("inf")
    end = time.monotonic() + seconds
    rounds = 0
    while rounds < 3 or time.monotonic() < end:
        start = clock()
        work()
        best = min(best, clock() - start)
        rounds += 1
    return best


def definite(n):
    x = torch.rand(n, n) - 0.5
    return x.t() @ x + torch.eye(n)


def gptq(weight, upper, group=128, block=128, qmax=7):
    w = weight.clone()
    rows, cols = w.shape
    scale = None
    for first in range(0, cols, block):
        last = min(first + block, cols)
        w1 = w[:, first:last].clone()
        errors = torch.zeros_like(w1)
        u1 = upper[first:last, first:last]
        for i in range(last - first):
            if (first + i) % group == 0:
                scale = (w[:, first + i:first + i + group].abs().amax(1, keepdim=True) / qmax).clamp(min=1e-5)
            column = w1[:, i].unsqueeze(1)
            rounded = torch.clamp(torch.round(column / scale), -qmax - 1, qmax) * scale
            error = (column - rounded).flatten() / u1[i, i]
            w1[:, i:] -= error.unsqueeze(1).matmul(u1[i, i:].unsqueeze(0))
            errors[:, i] = error
        w[:, last:] -= errors.matmul(upper[first:last, last:])
    return w


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--seconds", type=float, default=1.0)
    p.add_argument("--full", action="store_true", help="also sizes that take seconds, as bench --full has them")
    p.add_argument("--only", default="", help="parts of names of rows, with commas between")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    clock = time.thread_time if a.threads == 1 else time.monotonic
    wanted = [w for w in a.only.split(",") if w]
    seconds = {}
    parts = {}

    def row(name, *works):
        if not wanted or any(w in name for w in wanted):
            times = [measure(work, a.seconds, clock) for work in works]
            seconds[name] = min(times)
            if len(times) > 1:
                parts[name] = times

    with torch.inference_mode():
        for m, n, k in [(2048, 768, 768), (2048, 2048, 2048), (1, 4096, 4096), (33, 65, 768)] + ([(2048, 4096, 4096)] if a.full else []):
            x, w = torch.rand(m, k) - 0.5, torch.rand(n, k) - 0.5
            row(f"gemm-{m}-{n}-{k}", lambda: torch.mm(x, w.t()), lambda: torch.nn.functional.linear(x, w))
        for n in [1024, 2048, 4096] if a.full else [1024]:
            x = torch.rand(n, n) - 0.5
            row(f"gram-{n}", lambda: x.t() @ x)
            h = definite(n)
            row(f"cholesky-{n}", lambda: torch.linalg.cholesky(h))
            inverse = lambda m: torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(m)), upper=True)
            row(f"inverse-factor-float32-{n}", lambda: inverse(h))
            d = h.double()
            row(f"inverse-factor-float64-{n}", lambda: inverse(d))
            upper = inverse(h)
            w = torch.rand(n, n) - 0.5
            row(f"gptq-{n}", lambda: gptq(w, upper))
    json.dump({"name": f"torch {torch.__version__}", "threads": a.threads, "seconds": seconds, "mm and linear": parts}, sys.stdout, indent=1)


main()
