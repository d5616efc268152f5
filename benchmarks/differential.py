"""Differential campaign: engines and functions against independent oracles on random problems.

    python benchmarks/differential.py                                 20,000 seeds, all processors
    python benchmarks/differential.py --first 7 --count 100           some of them
    python benchmarks/differential.py --only kl --first 3 --count 1   one comparison, one problem

Every seed draws a plain instance: its certified radius equals enumeration of policies and bases
(tests/oracle.py), and decisions at, below and above it are right. Every so many seeds another
comparison of tests/comparisons.py runs on a problem of its own, which has the number of its turn as
its seed; the docstring of its function says what is compared with what, and `COMPARISONS` there how
often. A disagreement, or an error, is printed with the name and the number; the exit status is
then 1.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from comparisons import COMPARISONS

BLOCK = 20


def due(seed: int, only: str | None) -> Iterator[tuple[str, int]]:
    """The comparisons that a seed runs, each with its own number."""
    if only is not None:
        yield only, seed
        return
    for name, (every, _) in COMPARISONS.items():
        if seed % every == 0:
            yield name, seed // every


def run_block(first: int, count: int, only: str | None) -> tuple[Counter[str], list[str]]:
    """Run some seeds; return what was compared how often, and what is wrong."""
    done: Counter[str] = Counter()
    wrong = []
    for seed in range(first, first + count):
        for name, number in due(seed, only):
            begun = time.process_time()
            try:
                for what, agreed in COMPARISONS[name][1](number):
                    done[f"{name}: {what}"] += 1
                    if not agreed:
                        wrong.append(f"{name} {number}: {what}")
            except Exception as error:  # a campaign goes on
                wrong.append(f"{name} {number}: {type(error).__name__}: {error}")
            done[f"{name}, problems"] += 1
            done[f"{name}, milliseconds"] += round(1000 * (time.process_time() - begun))
    return done, wrong


def main() -> int:
    """Run the campaign and print what was compared."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--only", choices=COMPARISONS, help="one comparison, on every number")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    starts = range(options.first, options.first + options.count, BLOCK)
    counts = [min(BLOCK, options.first + options.count - start) for start in starts]
    total: Counter[str] = Counter()
    bad = 0
    with ProcessPoolExecutor(options.processes) as pool:
        for done, wrong in pool.map(partial(run_block, only=options.only), starts, counts):
            total += done
            bad += len(wrong)
            for line in wrong:
                print(line, flush=True)
    for name, number in sorted(total.items()):
        print(f"{name}: {number}")
    print(f"comparisons: {sum(n for name, n in total.items() if ': ' in name)}")
    print(f"disagreements: {bad}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
