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
    p.add_argument("--full", action="store_true")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    clock = time.thread_time if a.threads == 1 else time.monotonic
    seconds = {}
    parts = {}
    with torch.inference_mode():
        for m, n, k in [(2048, 768, 768), (2048, 2048, 2048), (1, 4096, 4096), (33, 65, 768)] + ([(2048, 4096, 4096)] if a.full else []):
            x, w = torch.rand(m, k) - 0.5, torch.rand(n, k) - 0.5
            both = [measure(lambda: torch.mm(x, w.t()), a.seconds, clock), measure(lambda: torch.nn.functional.linear(x, w), a.seconds, clock)]
            seconds[f"gemm-{m}-{n}-{k}"] = min(both)
            parts[f"gemm-{m}-{n}-{k}"] = both
        for n in [1024, 2048, 4096] if a.full else [1024]:
            x = torch.rand(n, n) - 0.5
            seconds[f"gram-{n}"] = measure(lambda: x.t() @ x, a.seconds, clock)
            h = definite(n)
            seconds[f"cholesky-{n}"] = measure(lambda: torch.linalg.cholesky(h), a.seconds, clock)
            inverse = lambda m: torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(m)), upper=True)
            seconds[f"inverse-factor-float32-{n}"] = measure(lambda: inverse(h), a.seconds, clock)
            d = h.double()
            seconds[f"inverse-factor-float64-{n}"] = measure(lambda: inverse(d), a.seconds, clock)
            upper = inverse(h)
            w = torch.rand(n, n) - 0.5
            seconds[f"gptq-{n}"] = measure(lambda: gptq(w, upper), a.seconds, clock)
    json.dump({"name": f"torch {torch.__version__}", "threads": a.threads, "seconds": seconds, "mm and linear": parts}, sys.stdout, indent=1)


main()
