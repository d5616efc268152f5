"""Time contextual bandits of a million pairs, met with Zipf-like frequencies.

python benchmarks/bandits.py [--contexts 200000] [--actions 5] [--seeds 3]

Data: `fine` has rewards of 0 to 999, `coarse` of 0 to 9, both with data in proportion to how often
a context is met times Dirichlet shares, rounded down, so that zeros occur; `uniform` has counts of
0 to 999 at random. Seconds are of processor time, as one core is used and others may be busy.
"""

from __future__ import annotations

import argparse
import statistics
import time
from fractions import Fraction

import numpy as np

from symsafe import BanditArrays, Verdict, radius

KINDS = ("fine", "coarse", "uniform")
LEVELS = (Fraction(1, 10), Fraction(1, 2), Fraction(9, 10))


def instance(contexts: int, actions: int, kind: str, regret: Fraction, seed: int) -> BanditArrays:
    """Return a random bandit."""
    random = np.random.default_rng(seed)
    initial = 10**6 // np.arange(1, contexts + 1) + 1
    reward = random.integers(0, 10 if kind == "coarse" else 1000, contexts * actions)
    if kind == "uniform":
        data = random.integers(0, 1000, contexts * actions)
    else:
        shares = random.dirichlet(np.full(actions, 0.5), contexts)
        data = (shares * initial[:, None] * 100).astype(np.int64).ravel()
    return BanditArrays(np.array(actions), initial, reward, data, regret)


def timed(bandit: BanditArrays) -> tuple[Verdict, float, float, int]:
    """Return the radius, seconds to solve and to check, and bytes of the certificate."""
    started = time.process_time()
    verdict = radius(bandit)
    both = time.process_time() - started
    certificate = verdict.certificate
    if certificate is None:
        raise SystemExit("no certificate")
    started = time.process_time()
    certificate.check()
    check = time.process_time() - started
    return verdict, both - check, check, len(certificate.to_json())


def main() -> None:
    """Print a table in Markdown: medians over the seeds, and the worst."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--contexts", type=int, default=200_000)
    parser.add_argument("--actions", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    radius(instance(100, 3, "fine", LEVELS[1], 0))  # loads what is needed
    print("| bandit | exact | widest gap | solve s | worst | check s | worst | certificate MB |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for kind in KINDS:
        for level in LEVELS:
            found = [
                timed(instance(arguments.contexts, arguments.actions, kind, level, seed))
                for seed in range(arguments.seeds)
            ]
            verdicts, solve, check, size = zip(*found, strict=True)
            exact = sum(verdict.is_exact for verdict in verdicts)
            gap = max(float((v.upper - v.lower) / v.upper) for v in verdicts if v.upper is not None)
            print(
                f"| {kind}, L={level} | {exact}/{len(found)} | {gap:.1e} | "
                f"{statistics.median(solve):.2f} | {max(solve):.2f} | "
                f"{statistics.median(check):.2f} | {max(check):.2f} | "
                f"{statistics.median(size) / 1e6:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
