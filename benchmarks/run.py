"""The exact radius beside what one would use instead: the tables that README quotes.

    python benchmarks/run.py --smoke                       the smallest instances, seconds
    python benchmarks/run.py                               every cell; hours, most of it baselines
    python benchmarks/run.py --cells 15x4 --levels 1/2 --seeds 5 --baselines scip --time-limit 120
    python benchmarks/run.py --decide                      decide at half the radius instead
    python benchmarks/run.py --large --workers 4           the largest that end within a minute

A cell is a family and a size (workloads.py), a regret level and some seeds. Each job runs in a
process of its own, forked from one in which the code is loaded and compiled; what that takes once
is printed first. All methods get the same time limit, in the same run; one that does not end counts
with the limit, and its ratio is marked with >=. Answers are compared: a baseline that contradicts
the certified radius is reported.

Columns: median wall-clock seconds to the answer without the check; median seconds of the
independent checker, and median of its share of the former; shifted geometric mean (shift 0.1 s) of
both together; median nodes; median certificate size; greatest peak memory of the process; for each
baseline its shifted geometric mean and its ratio to symsafe's, the check included. Figures depend
on the machine; compare within one run.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from multiprocessing.connection import Connection
from statistics import median

from baselines import BASELINES
from workloads import LEVELS, instance

from symsafe import SafetyProblem, decide, loads_problem, problems, radius

SHIFT = 0.1
SMALL = ("5x3", "zeros-5x3", "cover-5x1", "bandit-4x3", "grid-3x3")
RANDOM = ("7x3", "10x4", "13x4", "15x4")
CELLS = (*RANDOM, "zeros-10x4", "cover-7x1", "bandit-50x4", "grid-4x4", "grid-5x5", "lake-4x4")
# Larger ones would only show the time limit.
LARGE = (("40x4", "1/10"), ("25x4", "1/2"), ("20x4", "9/10"), ("grid-6x6", "1/10"))
LARGE = (*LARGE, ("grid-6x6", "1/2"), ("grid-6x6", "9/10"))
LARGE_DECISIONS = (("60x4", "1/10"), ("40x4", "1/2"), ("25x4", "9/10"))
REACH = {"z3": {"7x3"}, "cvc5": {"7x3"}, "enumeration": {"7x3", "10x4", "grid-4x4"}}


@dataclass(frozen=True)
class Job:
    """What one process reports; seconds are the limit if it did not end in time."""

    seconds: float
    answer: float | None = None
    check: float = 0.0
    nodes: int = 0
    kilobytes: float = 0.0
    megabytes: float = 0.0


def solve(problem: SafetyProblem, limit: float, workers: int = 1) -> Job:
    """The exact radius with its certificate."""
    verdict = radius(problem, time_limit=limit, workers=workers)
    found = verdict.statistics
    size = len(verdict.certificate.to_json()) / 1000 if verdict.certificate else 0.0
    answer = float(verdict.lower) if verdict.is_exact else None
    solved = found.seconds - found.check_seconds
    return Job(
        solved if answer is not None else limit, answer, found.check_seconds, found.nodes, size
    )


def decide_half(problem: SafetyProblem, limit: float, workers: int = 1) -> Job:
    """Decide at half the upper bound that a quick search gives."""
    upper = radius(problem, time_limit=min(limit, 20.0), workers=workers).upper
    halved = SafetyProblem(problem.mdp, problem.data, problem.regret, upper / 2)
    verdict = decide(halved, time_limit=limit, workers=workers)
    found = verdict.statistics
    size = len(verdict.certificate.to_json()) / 1000 if verdict.certificate else 0.0
    solved = found.seconds - found.check_seconds
    done = verdict.answer != "unknown"
    answer = float(upper / 2) if done else None
    return Job(solved if done else limit, answer, found.check_seconds, found.nodes, size)


def baseline(name: str) -> Callable[[SafetyProblem, float], Job]:
    """A baseline as a job."""

    def run(problem: SafetyProblem, limit: float) -> Job:
        started = time.monotonic()
        answer = BASELINES[name](problem, limit)
        seconds = time.monotonic() - started
        return Job(seconds if answer is not None else limit, answer)

    return run


def apart(task: Callable[[SafetyProblem, float], Job], problem: SafetyProblem, limit: float) -> Job:
    """Run a job in a process of its own; one that hangs is ended."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_report, args=(task, problem, limit, there))
    process.start()
    there.close()
    try:
        job: Job = here.recv() if here.poll(2 * limit + 30) else Job(limit)
    except EOFError:  # out of memory, or a solver that crashed
        job = Job(limit)
    process.kill()
    process.join()
    return job


def _report(
    task: Callable[[SafetyProblem, float], Job],
    problem: SafetyProblem,
    limit: float,
    pipe: Connection,
) -> None:
    job = task(problem, limit)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        2**20 if sys.platform == "darwin" else 2**10
    )
    pipe.send(Job(job.seconds, job.answer, job.check, job.nodes, job.kilobytes, peak))


def mean(seconds: list[float]) -> float:
    """The geometric mean of the times, shifted."""
    return math.exp(sum(math.log(x + SHIFT) for x in seconds) / len(seconds)) - SHIFT


def rows(options: argparse.Namespace) -> Iterator[str]:
    """One line a cell."""
    task = partial(decide_half if options.decide else solve, workers=options.workers)
    listed = LARGE_DECISIONS if options.decide else LARGE
    pairs = [(cell, Fraction(level)) for cell, level in listed] if options.large else []
    for cell in [] if options.large else options.cells:
        levels = [Fraction(1)] if cell.startswith("cover") else options.levels
        pairs += [(cell, level) for level in levels]
    for cell, level in pairs:
        seeds = [0] if cell.startswith("lake") else range(100, 100 + options.seeds)
        instances = [instance(cell, level, seed) for seed in seeds]
        ours = [apart(task, problem, options.time_limit) for problem in instances]
        ended = sum(job.answer is not None for job in ours)
        times = [job.seconds + job.check for job in ours]
        line = [
            f"{cell}, L={level}",
            f"{ended}/{len(ours)}",
            f"{median(job.seconds for job in ours):.2f}",
            f"{median(job.check for job in ours):.2f}",
            f"{median(job.check / job.seconds for job in ours):.0%}",
            f"{mean(times):.2f}",
            f"{median(job.nodes for job in ours):.0f}",
            f"{median(job.kilobytes for job in ours):.0f}",
            f"{max(job.megabytes for job in ours):.0f}",
        ]
        for name in options.baselines:
            if options.decide or (name in REACH and cell not in REACH[name]):
                line.append("")
                continue
            theirs = [apart(baseline(name), p, options.time_limit) for p in instances]
            for seed, mine, other in zip(seeds, ours, theirs, strict=True):
                known = mine.answer is not None and other.answer is not None
                if known and not math.isclose(mine.answer, other.answer, rel_tol=1e-4):
                    print(
                        f"{cell} L={level} seed {seed}: {name} answers {other.answer}, "
                        f"certified is {mine.answer}",
                        file=sys.stderr,
                    )
            late = any(job.answer is None for job in theirs)
            theirs_mean = mean([job.seconds for job in theirs])
            ratio = theirs_mean / max(mean(times), 1e-3)
            line.append(f"{theirs_mean:.1f} ({'>=' if late else ''}{ratio:.0f}x)")
        yield "| " + " | ".join(line) + " |"


def shipped() -> Iterator[str]:
    """One line a shipped problem that is small."""
    for name in ("tight-bandit", "chatbot", "vertex-cover", "frozenlake-uniform"):
        job = apart(solve, loads_problem(problems.text(name)), 60.0)
        yield (
            f"| {name} | {job.answer or math.nan:.6g} | {job.seconds:.2f} | {job.check:.2f} "
            f"| {job.nodes} | {job.kilobytes:.0f} |"
        )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="only the smallest instances")
    parser.add_argument("--decide", action="store_true", help="decide at half the radius")
    parser.add_argument("--cells", nargs="+", default=CELLS, metavar="CELL")
    parser.add_argument("--levels", nargs="+", type=Fraction, default=LEVELS, metavar="L")
    parser.add_argument("--seeds", type=int, default=10, metavar="N")
    parser.add_argument("--baselines", nargs="*", default=[], choices=sorted(BASELINES))
    parser.add_argument("--large", action="store_true", help="the largest cells instead")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="cores for symsafe")
    parser.add_argument("--time-limit", type=float, default=60.0, metavar="S")
    options = parser.parse_args()
    multiprocessing.set_start_method("fork")  # what is loaded and compiled is shared
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores")
    started = time.monotonic()
    radius(instance("9x4", LEVELS[1], 1), time_limit=120.0)
    print(f"first problem, with loading and compiling: {time.monotonic() - started:.1f} s\n")
    print("| instance | radius | solve s | check s | nodes | certificate kB |")
    print("|---|---|---:|---:|---:|---:|")
    for line in shipped():
        print(line, flush=True)
    if options.smoke:
        options.cells, options.levels, options.seeds = SMALL, LEVELS[1:2], 2
    header = ["cell", "solved", "solve s", "check s", "share", "mean s", "nodes", "kB", "MB"]
    header += options.baselines
    print("\n| " + " | ".join(header) + " |")
    print("|---|" + "---:|" * (len(header) - 1))
    for line in rows(options):
        print(line, flush=True)


if __name__ == "__main__":
    main()
