"""Solve and check times of the exact radius, as the table that README quotes.

    python benchmarks/run.py                 every instance, a few minutes
    python benchmarks/run.py --smoke         the smallest ones, seconds
    python benchmarks/run.py --engine smt    z3's single query instead of the policy tree

A row: wall-clock seconds to the exact radius (or to the time limit), seconds that the independent
checker needs for the certificate, nodes of the tree, and the certificate's size. Wall-clock figures
depend on the machine; compare rows of one run.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Iterator
from fractions import Fraction
from random import Random

from symsafe import MDP, DataDistribution, SafetyProblem, loads_problem, problems, radius

LEVELS = (Fraction(1, 10), Fraction(1, 2), Fraction(9, 10))
SEEDS = (1, 2, 3)


def random_sparse(states: int, actions: int, seed: int, regret: Fraction) -> SafetyProblem:
    """A random MDP: three successors per pair, discount 9/10, full-support data."""
    random = Random(seed)

    def shares(count: int) -> list[Fraction]:
        parts = [random.randint(1, 9) for _ in range(count)]
        return [Fraction(part, sum(parts)) for part in parts]

    pairs = range(states * actions)
    mdp = MDP(
        states=tuple(f"s{s}" for s in range(states)),
        actions=(tuple(f"a{a}" for a in range(actions)),) * states,
        successors=tuple(
            tuple(zip(sorted(random.sample(range(states), 3)), shares(3), strict=True))
            for _ in pairs
        ),
        rewards=tuple(Fraction(random.randint(-10, 10), 10) for _ in pairs),
        initial=tuple(shares(states)),
        discount=Fraction(9, 10),
    )
    return SafetyProblem(mdp, DataDistribution(mdp, tuple(shares(len(pairs)))), regret)


def instances(smoke: bool) -> Iterator[tuple[str, SafetyProblem]]:
    """Name and problem of each row."""
    for name in ("tight-bandit", "chatbot", "vertex-cover", "frozenlake-uniform"):
        yield name, loads_problem(problems.text(name))
    if smoke:
        yield "random 6x3, L=1/2, seed 1", random_sparse(6, 3, 1, Fraction(1, 2))
        return
    yield "frozenlake-policy", loads_problem(problems.text("frozenlake-policy"))
    for states in (8, 10, 12):
        for regret in LEVELS:
            for seed in SEEDS:
                name = f"random {states}x4, L={regret}, seed {seed}"
                yield name, random_sparse(states, 4, seed, regret)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="only the smallest instances")
    parser.add_argument("--engine", default="tree", choices=("tree", "smt"))
    parser.add_argument("--time-limit", type=float, default=60.0, metavar="S")
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, {platform.machine()}, engine {options.engine}\n")
    print("| instance | radius | solve s | check s | nodes | certificate kB |")
    print("|---|---|---:|---:|---:|---:|")
    for name, problem in instances(options.smoke):
        verdict = radius(problem, engine=options.engine, time_limit=options.time_limit)
        if verdict.is_exact:
            found = f"{float(verdict.lower):.6g}"
        else:
            found = f"{float(verdict.lower):.3g} to {float(verdict.upper):.3g}"
        certificate = verdict.certificate
        size = "" if certificate is None else f"{len(certificate.to_json()) / 1000:.0f}"
        statistics = verdict.statistics
        print(
            f"| {name} | {found} | {statistics.seconds:.2f} | {statistics.check_seconds:.2f} "
            f"| {statistics.nodes} | {size} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
