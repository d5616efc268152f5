"""Decided share of the domain against time, for problems with two parameters, beside z3.

    python benchmarks/families.py            a few minutes
    python benchmarks/families.py --smoke    seconds

A row: seconds until 90, 95 and 98 per cent of the domain are decided by certified subdivision, its
cells, what the independent checker needs for the certificate, and how z3 answers "is every point of
the domain safe?" in one query with the policy inside, and policy by policy, within the time limit.
Three states, two actions each, discount 1/2 unless it is a parameter.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Iterator
from fractions import Fraction

import z3

from symsafe import MDP, DataDistribution, SafetyProblem, forall_safe, region
from symsafe.engine.parametric.smt import whole_query

SHARES = ("90/100", "95/100", "98/100")


def problems() -> Iterator[tuple[str, SafetyProblem]]:
    """Name and problem of each row."""
    for kind in ("rewards", "data", "transitions", "discount and transition", "reward and data"):
        yield kind, family(kind, "1/10")


def family(kind: str, epsilon: str) -> SafetyProblem:
    """Three states, two actions each; p and q in [0, 1] stand in what `kind` names."""
    transitions = {
        "s0": {"a": {"s1": "3/4", "s0": "1/4"}, "b": {"s2": "1"}},
        "s1": {"a": {"s0": "1"}, "b": {"s1": "1/2", "s2": "1/2"}},
        "s2": {"a": {"s2": "1"}, "b": {"s0": "1/3", "s1": "2/3"}},
    }
    reward = {
        "s0": {"a": "1", "b": "0"},
        "s1": {"a": "1/2", "b": "3/2"},
        "s2": {"a": "0", "b": "1"},
    }
    data = {
        "s0": {"a": "1/6", "b": "1/6"},
        "s1": {"a": "1/6", "b": "1/6"},
        "s2": {"a": "1/6", "b": "1/6"},
    }
    discount = "1/2"
    if kind == "rewards":
        reward["s0"], reward["s1"] = {"a": "2*p", "b": "0"}, {"a": "1/2", "b": "2*q"}
    if kind == "data":
        data["s0"] = {"a": "p/3", "b": "(1 - p)/3"}
        data["s2"] = {"a": "q/3", "b": "(1 - q)/3"}
    if kind == "transitions":
        transitions["s0"]["a"] = {"s1": "p", "s0": "1 - p"}
        transitions["s1"]["b"] = {"s1": "q", "s2": "1 - q"}
    if kind == "discount and transition":
        transitions["s0"]["a"] = {"s1": "p", "s0": "1 - p"}
        discount = "9*q/10"
    if kind == "reward and data":
        reward["s1"] = {"a": "1/2", "b": "2*p"}
        data["s2"] = {"a": "q/3", "b": "(1 - q)/3"}
    mdp = MDP.from_tables(
        transitions=transitions,
        reward=reward,
        initial={"s0": "1/2", "s1": "1/4", "s2": "1/4"},
        discount=discount,
        parameters={"p": (0, 1), "q": (0, 1)},
    )
    return SafetyProblem(mdp, DataDistribution.from_table(mdp, data), "1/2", epsilon)


def z3_answers(problem: SafetyProblem, seconds: float) -> list[str]:
    """What z3 says in one query, and policy by policy, with the time it takes."""
    found = []
    started = time.perf_counter()
    solver = z3.SolverFor("QF_NRA")
    solver.from_string(whole_query(problem))
    solver.set("timeout", int(seconds * 1000))
    said = solver.check()
    word = "unsafe" if said == z3.sat else "safe" if said == z3.unsat else "unknown"
    found.append(f"{word} {time.perf_counter() - started:.1f}")
    started = time.perf_counter()
    answer = forall_safe(problem, engine="smt", time_limit=seconds).answer
    found.append(f"{answer} {time.perf_counter() - started:.1f}")
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="the first row, to 90 per cent")
    parser.add_argument("--time-limit", type=float, default=60.0, metavar="S", help="for each cell")
    options = parser.parse_args()
    shares = SHARES[:1] if options.smoke else SHARES
    print(f"Python {platform.python_version()}, {platform.machine()}; seconds\n")
    heads = [f"{100 * Fraction(share)} %" for share in shares]
    print(f"| family | {' | '.join(heads)} | cells | check s | safe | unsafe | z3 | z3 by policy |")
    print("|---|" + "---:|" * (len(heads) + 4) + "---|---|")
    for name, problem in problems():
        times = []
        for share in shares:
            found = region(problem, target=share, time_limit=options.time_limit)
            times.append("-" if found.stopped else f"{found.seconds:.1f}")
        started = time.perf_counter()
        found.certificate.check()
        checking = time.perf_counter() - started
        answers = z3_answers(problem, 1.0 if options.smoke else options.time_limit)
        print(
            f"| {name} | {' | '.join(times)} | {len(found.cells)} | {checking:.1f} "
            f"| {float(found.safe):.3f} | {float(found.unsafe):.3f} | {' | '.join(answers)} |",
            flush=True,
        )
        if options.smoke:
            return


if __name__ == "__main__":
    main()
