"""Time contextual bandits of a million pairs, met with Zipf-like frequencies.

python benchmarks/bandits.py [--contexts 200000] [--actions 5] [--seeds 3]

Data: `fine` has rewards of 0 to 999, `coarse` of 0 to 9, both with data in proportion to how often
a context is met times Dirichlet shares, rounded down, so that zeros occur; `uniform` has counts of
0 to 999 at random.
"""

from __future__ import annotations

import argparse
import statistics
from fractions import Fraction

import numpy as np

from symsafe import BanditArrays, radius

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


def main() -> None:
    """Print a table in Markdown: medians over the seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--contexts", type=int, default=200_000)
    parser.add_argument("--actions", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    radius(instance(100, 3, "fine", LEVELS[1], 0))  # loads what is needed
    print("| bandit | exact | widest gap | solve s | check s | certificate MB |")
    print("|---|---:|---:|---:|---:|---:|")
    for kind in KINDS:
        for level in LEVELS:
            found = [
                radius(instance(arguments.contexts, arguments.actions, kind, level, seed))
                for seed in range(arguments.seeds)
            ]
            exact = sum(verdict.is_exact for verdict in found)
            gap = max(float((v.upper - v.lower) / v.upper) for v in found if v.upper is not None)
            solve = statistics.median(v.statistics.seconds for v in found)
            check = statistics.median(v.statistics.check_seconds for v in found)
            size = statistics.median(
                len(v.certificate.to_json()) for v in found if v.certificate is not None
            )
            print(
                f"| {kind}, L={level} | {exact}/{len(found)} | {gap:.1e} | {solve:.2f} | "
                f"{check:.2f} | {size / 1e6:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
