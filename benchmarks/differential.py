"""Differential campaign: the engines against brute force on many random exact instances.

    python benchmarks/differential.py                        20,000 instances, all processors
    python benchmarks/differential.py --first 7 --count 100  some of them

Per seed: the certified radius of the policy tree equals enumeration of policies and bases
(tests/oracle.py); decisions at, just below and just above it are right; certificates pass the
checker. Every 4th seed: the compiled search as well, every 20th z3. Every 5th: the metamorphic
relations (tests/relations.py). Every 41st: all other problems and claims (tests/mutants.py:
bandits as arrays, regularizers, KL, families, sets of distributions, samples), each against its
oracle. A failure is printed with its seed; the exit status is then 1.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from instances import random_instance, to_problem
from mutants import certificates, is_true, title
from oracle import Instance, safety_radius
from relations import check_relations

from symsafe import decide, radius
from symsafe.engine.fast import fast_search
from symsafe.engine.limits import Limits
from symsafe.engine.question import Question

BLOCK = 50


def by_tree(instance: Instance) -> Fraction:
    """The certified radius."""
    verdict = radius(to_problem(instance))
    if not verdict.is_exact or verdict.certificate is None:
        raise ValueError("no exact radius")
    verdict.certificate.check()
    return verdict.lower


def failures(seed: int, count: Counter[str]) -> list[str]:
    """What is wrong on the instance of a seed."""
    instance = random_instance(seed)
    truth, wrong = safety_radius(instance), []
    count["radius"] += 1
    if by_tree(instance) != truth:
        wrong.append("radius")
    for factor in (Fraction(999, 1000), Fraction(1), Fraction(1001, 1000)):
        if truth == 0:
            break
        count["decisions"] += 1
        verdict = decide(to_problem(instance, truth * factor))
        if verdict.answer != ("safe" if factor < 1 else "unsafe"):
            wrong.append(f"decision at {factor}")
    if seed % 4 == 0:
        count["compiled search"] += 1
        question = Question.of(to_problem(instance))
        outcome = fast_search(question, Limits())
        if not outcome.lower == outcome.witness.cost == truth * question.reward_range:
            wrong.append("compiled search")
    if seed % 20 == 0:
        count["z3"] += 1
        if radius(to_problem(instance), engine="smt").lower != truth:
            wrong.append("z3")
    if seed % 5 == 0:
        count["relations"] += 8
        wrong += check_relations(seed, by_tree)
    if seed % 41 == 0:
        for document in certificates(seed):
            kind, found = title(document), is_true(document)
            count[f"{kind}{'' if found else ', beyond the oracle'} (all kinds)"] += 1
            if found is False:
                wrong.append(kind)
    features = {
        "discount 0": instance.discount == 0,
        "zeros in D": 0 in instance.weights,
        "radius 0": truth == 0,
        "single action somewhere": 1 in Counter(instance.pair_states).values(),
        "state without initial probability": 0 in instance.initial,
    }
    count.update(name for name, present in features.items() if present)
    return wrong


def run_block(first: int) -> tuple[Counter[str], list[tuple[int, list[str]]]]:
    """Run the seeds of a block."""
    count: Counter[str] = Counter()
    wrong = [(seed, failures(seed, count)) for seed in range(first, first + BLOCK)]
    return count, [(seed, names) for seed, names in wrong if names]


def main() -> int:
    """Run the campaign and print what was compared."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    total: Counter[str] = Counter()
    bad = 0
    starts = range(options.first, options.first + options.count, BLOCK)
    with ProcessPoolExecutor(options.processes) as pool:
        for count, wrong in pool.map(run_block, starts):
            total += count
            for seed, names in wrong:
                bad += 1
                print(f"seed {seed}: {', '.join(names)}", flush=True)
    for name, number in sorted(total.items()):
        print(f"{name}: {number}")
    print(f"seeds with a disagreement: {bad}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
