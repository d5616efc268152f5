"""The command line: parse, call, print. Exit status 0 safe/valid, 1 unsafe/invalid, 2, 3, 130."""

from __future__ import annotations

import csv
import difflib
import json
import runpy
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from symsafe import problems
from symsafe.certificate import Certificate
from symsafe.engine.bounds import bounds as all_bounds
from symsafe.engine.matrix import safety_matrix
from symsafe.engine.question import Question
from symsafe.engine.tree import Progress
from symsafe.errors import CertificateRejected, EngineError, InputError, SymsafeError
from symsafe.exact import format_fraction
from symsafe.model import BanditArrays, SafetyProblem, load_problem
from symsafe.model.arrays import load_arrays
from symsafe.proof import Proof, ProofFailed
from symsafe.verdict import Verdict
from symsafe.verdict import decide as decide_problem
from symsafe.verdict import radius as radius_of_problem

__all__ = ["app", "main"]

_EXIT = {"safe": 0, "unsafe": 1, "unknown": 3}
_BAD_INPUT, _UNKNOWN, _INTERRUPTED = 2, 3, 130
_REFRESH_SECONDS = 0.2
_SHORT = 18

app = typer.Typer(
    name="symsafe",
    help="Can a policy optimised on a learned reward still be bad? Exact, certified answers.",
    epilog="Exit status: 0 safe, valid; 1 unsafe, invalid; 2 bad usage or bad input; 3 unknown: a "
    "limit was reached, or the answer rests on a solver's word; 130 interrupted.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)


class EngineName(StrEnum):
    """Engines that a user can choose."""

    auto = "auto"
    tree = "tree"
    smt = "smt"


ProblemFile = Annotated[
    str, typer.Argument(metavar="FILE", help="Problem file (TOML or JSON); - for standard input.")
]
CertificateOut = Annotated[
    Path | None, typer.Option("--certificate", metavar="OUT.json", help="Write the certificate.")
]
TimeLimit = Annotated[float | None, typer.Option("--time-limit", metavar="S", help="Seconds.")]
NodeLimit = Annotated[int | None, typer.Option("--node-limit", metavar="N", help="Tree nodes.")]
EngineOption = Annotated[EngineName, typer.Option("--engine", help="How to search.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
At = Annotated[
    list[str] | None,
    typer.Option("--at", metavar="NAME=VALUE", help="Give a parameter its value; repeatable."),
]


@app.command()
def decide(
    file: ProblemFile,
    certificate: CertificateOut = None,
    time_limit: TimeLimit = None,
    node_limit: NodeLimit = None,
    engine: EngineOption = EngineName.auto,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Decide whether the data distribution is safe at the file's epsilon.

    Example: symsafe decide examples/chatbot.toml --certificate chatbot.cert.json
    """
    with _progress() as report:
        verdict = decide_problem(
            _load_any(file, at),
            engine=engine.value,
            time_limit=time_limit,
            node_limit=node_limit,
            report=report,
        )
    status = _EXIT[verdict.answer] if verdict.rests_on == "certificate" else _UNKNOWN
    _finish(verdict, verdict.answer, status, certificate, as_json)


@app.command()
def radius(
    file: ProblemFile,
    certificate: CertificateOut = None,
    time_limit: TimeLimit = None,
    node_limit: NodeLimit = None,
    engine: EngineOption = EngineName.auto,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Compute the safety radius: the least epsilon at which the data distribution is unsafe.

    Exit status 0 when the radius is exact and certified, 3 when only bounds are.

    Example: symsafe radius examples/frozenlake-uniform.toml --json
    """
    with _progress() as report:
        verdict = radius_of_problem(
            _load_any(file, at),
            engine=engine.value,
            time_limit=time_limit,
            node_limit=node_limit,
            report=report,
        )
    certified = verdict.is_exact and verdict.rests_on == "certificate"
    word = f"{verdict.lower} ({float(verdict.lower):.6g})" if verdict.is_exact else "unknown"
    _finish(verdict, word, 0 if certified else _UNKNOWN, certificate, as_json)


@app.command()
def check(
    certificate: Annotated[
        str, typer.Argument(metavar="CERT.json", help="Certificate; - for standard input.")
    ],
    against: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Also require that it is about this problem."),
    ] = None,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Verify a certificate with the independent checker.

    Example: symsafe check chatbot.cert.json --against examples/chatbot.toml
    """
    started = time.perf_counter()
    problem = None if against is None else _load_any(against, at)
    reason = None
    sentence = ""
    try:
        found = Certificate.load(certificate)
        sentence = found.check().sentence
        if problem is not None:
            different = found.differences(problem)
            if different:
                reason = f"it is about another problem than {against}: {'; '.join(different)}"
    except CertificateRejected as refusal:
        if refusal.rule == "format":  # it could not be read as a certificate, so nothing is judged
            raise
        reason = str(refusal)
    word = "valid" if reason is None else "invalid"
    if as_json:
        seconds = round(time.perf_counter() - started, 3)
        _print_json({"verdict": word, "claim": sentence, "reason": reason, "seconds": seconds})
    else:
        print(word)
        if reason is None:
            print(sentence)
        else:
            print(reason, file=sys.stderr)
    raise typer.Exit(0 if reason is None else 1)


@app.command()
def bounds(
    file: ProblemFile, time_limit: TimeLimit = None, at: At = None, as_json: Json = False
) -> None:
    """Show every bound of the paper, and sharper ones, beside the exact safety radius.

    Example: symsafe bounds examples/tight-bandit.toml
    """
    problem = _load(file, at)
    found = all_bounds(Question.of(problem))
    with _progress() as report:
        verdict = radius_of_problem(problem, time_limit=time_limit, report=report)
    among = "" if found.upper_is_exact else ", best found"
    rows = {
        "paper": (found.paper, "Proposition 3.2 of the paper: sharp / sqrt(2), rounded down"),
        "sharp": (found.sharp, "Proposition 3.2 without the factor 1 / sqrt(2)"),
        "b0": (found.b0, "by the greatest visits of a state"),
        "b1": (found.b1, "by the greatest change of occupancy to a bad policy"),
        "b2": (found.b2, "by the best ratio of lost return to change of occupancy"),
        "radius_lower": (verdict.lower, "certified lower bound of the safety radius"),
        "radius_upper": (verdict.upper, "certified upper bound of the safety radius"),
        "family": (found.family, f"constant reward on the support of a bad policy{among}"),
        "proposition_3_3": (
            found.proposition_3_3,
            f"Proposition 3.3 of the paper: data weight of a bad policy's support{among}",
        ),
    }
    if as_json:
        _print_json(
            {name: format_fraction(number) for name, (number, _) in rows.items()}
            | {"upper_is_exact": found.upper_is_exact}
        )
    else:
        if verdict.is_exact:
            del rows["radius_upper"]
            rows = {
                "radius" if name == "radius_lower" else name: (
                    number,
                    "the exact safety radius, certified" if name == "radius_lower" else text,
                )
                for name, (number, text) in rows.items()
            }
        for name, (number, text) in rows.items():
            print(f"{name:<16}{float(number):<14.6g}{_short(number):<20}{text}")
    raise typer.Exit(0 if verdict.is_exact else _UNKNOWN)


@app.command()
def matrix(
    file: ProblemFile,
    at: At = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
    as_json: Json = False,
) -> None:
    """Print the irredundant matrix M of Theorem 3.5: D is safe iff M D > epsilon * range R.

    Example: symsafe matrix examples/tight-bandit.toml --csv
    """
    problem = _load(file, at)
    found = safety_matrix(Question.of(problem))
    names = [f"{state}.{action}" for state, action in problem.mdp.pairs]
    rows = [[format_fraction(x) for x in row.entries] for row in found.rows]
    if as_json:
        scale = format_fraction(found.reward_range)
        _print_json({"pairs": names, "reward_range": scale, "rows": rows})
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([names, *rows])
    else:
        widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
        for row in (names, *rows):
            cells = (f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))
            print("  ".join(cells))
    raise typer.Exit(0)


@app.command()
def example(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Which one to print.")] = None,
) -> None:
    """List the shipped problem files, or print one.

    Example: symsafe example chatbot > chatbot.toml
    """
    if name is None:
        width = max(len(known) for known in problems.names())
        for known in problems.names():
            print(f"{known:<{width}}  {problems.describe(known)}")
    else:
        print(problems.text(name), end="")


@app.command()
def prove(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Which script; all of them by default.")
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Print every step.")] = False,
) -> None:
    """Check the machine-checked proofs, and say on which axioms each rests.

    Example: symsafe prove proposition_3_2 --show
    """
    for title, builders in _proofs(name):
        for build in builders:
            proof = build()
            report = proof.check()
            steps = ", ".join(f"{count} by {rule}" for rule, count in report.steps.items())
            print(f"proven  {title}: {report.title} ({steps})")
            if show:
                print(proof)
            for axiom in report.axioms:
                print(f"        rests on {axiom}")


def _proofs(name: str | None) -> Iterator[tuple[str, tuple[Callable[[], Proof], ...]]]:
    """Yield the proof scripts: inside the package once installed, beside it in a checkout."""
    package = Path(__file__).parent
    folder = next((f for f in (package / "proofs", package.parent / "proofs") if f.is_dir()), None)
    scripts = {path.stem: path for path in sorted(folder.glob("*.py"))} if folder else {}
    if name is not None and name not in scripts:
        near = difflib.get_close_matches(name, scripts, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InputError("proof", name, f"one of {', '.join(scripts)}{hint}")
    for stem, path in scripts.items():
        if name in (None, stem):
            yield stem, runpy.run_path(str(path))["PROOFS"]


def main() -> NoReturn:
    """Run the command line; documented errors become one line and exit status 2."""
    try:
        app(standalone_mode=True)
    except ProofFailed as error:
        print(f"symsafe: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except SymsafeError as error:
        print(f"symsafe: {error}", file=sys.stderr)
        raise SystemExit(_UNKNOWN if isinstance(error, EngineError) else _BAD_INPUT) from None
    except KeyboardInterrupt:
        print("symsafe: interrupted", file=sys.stderr)
        raise SystemExit(_INTERRUPTED) from None
    except Exception as error:
        # Python's own exit status for a crash is 1, which here would mean unsafe.
        print(f"symsafe: internal error: {type(error).__name__}: {error}", file=sys.stderr)
        raise SystemExit(_UNKNOWN) from None
    raise SystemExit(0)


def _load_any(file: str, at: list[str] | None) -> SafetyProblem | BanditArrays:
    return load_arrays(file) or _load(file, at)


def _load(file: str, at: list[str] | None) -> SafetyProblem:
    problem = load_problem(file)
    if not at:
        return problem
    values = {}
    for assignment in at:
        name, equals, value = assignment.partition("=")
        if not equals or not name.strip():
            raise InputError("--at", assignment, "NAME=VALUE, such as r=1/2")
        values[name.strip()] = value.strip()
    return problem.at(**values)


@contextmanager
def _progress() -> Iterator[Callable[[Progress], None] | None]:
    """Show the bounds of a running search on a terminal; in a pipe be silent."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    shown = 0.0
    with console.status("starting") as status:

        def report(progress: Progress) -> None:
            nonlocal shown
            now = time.monotonic()
            if now - shown >= _REFRESH_SECONDS:
                shown = now
                status.update(
                    f"{progress.nodes} nodes, {progress.open_nodes} open, "
                    f"about {max(progress.lower, 0.0):.6g} <= radius <= {progress.upper:.6g}"
                )

        yield report


def _finish(verdict: Verdict, word: str, status: int, out: Path | None, as_json: bool) -> NoReturn:
    """Print a verdict, write its certificate, and leave with the exit status."""
    certificate, statistics = verdict.certificate, verdict.statistics
    if out is not None and certificate is not None:
        certificate.save(out)
    if as_json:
        _print_json(
            {
                "verdict": verdict.answer,
                "epsilon": None if verdict.epsilon is None else format_fraction(verdict.epsilon),
                "radius_lower": format_fraction(verdict.lower),
                "radius_upper": format_fraction(verdict.upper),
                "certificate": str(out) if out is not None and certificate is not None else None,
                "rests_on": verdict.rests_on,
                "engine": statistics.engine,
                "nodes": statistics.nodes,
                "stopped": statistics.stopped,
                "seconds": round(statistics.seconds, 3),
                "check_seconds": round(statistics.check_seconds, 3),
            }
        )
    else:
        print(word)
        if certificate is not None:
            print(certificate.check().sentence)
        notes = [f"{statistics.seconds:.2f} s, of which checking {statistics.check_seconds:.2f} s"]
        if statistics.stopped:
            notes.append(f"stopped: {statistics.stopped}")
        if verdict.rests_on == "solver":
            notes.append("rests on z3's word alone, no certificate proves it")
        print("; ".join(notes), file=sys.stderr)
    raise typer.Exit(_INTERRUPTED if statistics.stopped == "interrupted" else status)


def _short(number: Fraction) -> str:
    text = format_fraction(number)
    return text if len(text) <= _SHORT else "..."


def _print_json(record: dict[str, Any]) -> None:
    print(json.dumps(record))
