"""Spoil certificates at random: two checkers have to agree, and what they accept has to be true.

python benchmarks/mutants.py [--count 100000] [--seed 0] [--processes 2]

Mutants: numbers nudged or made odd, keys and entries dropped, repeated or exchanged, indices
changed, problems, claims and evidence exchanged, claims strengthened and weakened; 97 in 100 get a
digest that fits. All sorts of claims and problems get about as many. The second checker is
tests/second_checker; "open" counts what it leaves open, near ties of exp and log and in tests of
polynomials. Accepted mutants are decided by enumeration and other oracles (tests/mutants.py), where
that does not take too long. Exit status 1 if the checkers disagree or a wrong claim is accepted.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import second_checker
from mutants import certificates, is_true, mutant, title

from symsafe import checker

Row = tuple[str, str]
_INSTANCES = 6  # whose certificates make the pool of a batch of mutants
_BATCH = 2_500


def campaign(batch: int, seed: int) -> tuple[Counter[Row], list[str]]:
    """Return how a batch of mutants ended, by kind of claim, and what went wrong."""
    random = Random(f"{seed}-{batch}")
    pool = [
        document
        for i in range(_INSTANCES)
        for document in certificates((seed + batch) * _INSTANCES + i)
    ]
    sorts: dict[str, list[Any]] = {}
    for document in pool:
        sorts.setdefault(title(document), []).append(document)
    counts: Counter[Row] = Counter()
    wrong: list[str] = []
    known: dict[str, bool | None] = {}
    for number in range(_BATCH):
        kind = random.choice(list(sorts))
        document = random.choice(sorts[kind])
        changed, what = mutant(random, document, pool)
        found = f"seed {seed}, batch {batch}, mutant {number}: {kind}, {what}"
        first = None
        try:
            checker.check(changed)
        except checker.Rejected as refusal:
            first = str(refusal)
        second, why = second_checker.verdict(changed)
        if second not in ("open", "accepted" if first is None else "refused"):
            wrong.append(f"{found}: {first or 'accepted'} but {second} {why}")
        counts[kind, "open"] += second == "open"
        if first is not None:
            counts[kind, "refused"] += 1
            continue
        cells = changed["evidence"].get("cells") if kind == "region" else None
        key = json.dumps([changed["digest"], changed["claim"], cells], sort_keys=True)
        if key not in known:
            known[key] = is_true(changed)
        if known[key] is False:
            wrong.append(f"{found}: a wrong claim is accepted")
        counts[kind, {True: "true", False: "wrong", None: "not decided"}[known[key]]] += 1
    return counts, wrong


def main() -> int:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    started = time.monotonic()
    counts: Counter[Row] = Counter()
    failures = 0
    with multiprocessing.Pool(options.processes) as crew:
        task = partial(campaign, seed=options.seed)
        for found, wrong in crew.imap_unordered(task, range(-(-options.count // _BATCH))):
            counts += found
            failures += len(wrong)
            for line in wrong:
                print(line, flush=True)
    ends = ("refused", "true", "not decided", "wrong", "open")
    print("| claim | mutants | refused | accepted, true | accepted, not decided | wrong | open |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    total = 0
    for kind in sorted({kind for kind, _ in counts}):
        row = [counts[kind, end] for end in ends]
        total += sum(row[:4])
        print(f"| {kind} | {sum(row[:4])} | " + " | ".join(map(str, row)) + " |")
    print(f"\n{total} mutants, {failures} failures, ", end="")
    print(f"{time.monotonic() - started:.0f} s, seed {options.seed}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
