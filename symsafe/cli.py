"""The command line: parse, call, print. Exit status 0 safe/valid, 1 unsafe/invalid, 2, 3, 130."""

from __future__ import annotations

import difflib
import errno
import io
import json
import os
import runpy
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console

from symsafe import problems
from symsafe.analysis.confidence import confidence_set
from symsafe.certificate import Certificate
from symsafe.coverage import (
    CriticalEpsilon,
    MoreSamples,
    Repair,
    critical_epsilon,
    fewest_samples,
    repair,
)
from symsafe.display.report import report_html
from symsafe.display.streams import Stream
from symsafe.display.tables import (
    certificate_csv,
    certificate_latex,
    matrix_csv,
    matrix_latex,
)
from symsafe.engine.bounds import bounds as all_bounds
from symsafe.engine.limits import Limits
from symsafe.engine.matrix import safety_matrix
from symsafe.engine.parametric.domain import show_point
from symsafe.engine.parametric.subdivision import RegionProgress
from symsafe.engine.question import Question
from symsafe.engine.smt import to_smtlib
from symsafe.engine.tree import Progress
from symsafe.errors import CertificateRejected, EngineError, InputError, ProofFailed, SymsafeError
from symsafe.exact import exact, format_fraction
from symsafe.family import forall_safe, radius_curve
from symsafe.family import region as region_of_problem
from symsafe.importers.data import FAMILIES, data_family
from symsafe.importers.sources import EXPECTED_REWARDS, imported_text, read_source
from symsafe.importers.sources import KINDS as SOURCE_KINDS
from symsafe.model import (
    MDP,
    BanditArrays,
    DataDistribution,
    SafetyProblem,
    dumps_problem,
    load_problem,
)
from symsafe.model.files import load_any, require_writable, write_atomically
from symsafe.model.tables import shown
from symsafe.profile import radius_profile
from symsafe.robust import decide_all
from symsafe.sweeps import sweep
from symsafe.theorems import THEOREMS, find, theorem_4_1, theorem_4_2, theorem_6_1
from symsafe.verdict import Verdict
from symsafe.verdict import decide as decide_problem
from symsafe.verdict import radius as radius_of_problem

__all__ = ["app", "main"]

if TYPE_CHECKING:
    from symsafe.proof import Proof  # loads sympy

_EXIT = {"safe": 0, "unsafe": 1, "unknown": 3}
_BAD_INPUT, _UNKNOWN, _INTERRUPTED = 2, 3, 130
_REFRESH_SECONDS = 0.2
_SHORT = 18

Snapshot = TypeVar("Snapshot")

app = typer.Typer(
    name="symsafe",
    help="Can a policy optimised on a learned reward still be bad? Exact, certified answers.",
    epilog="Exit status: 0 safe, valid; 1 unsafe, invalid; 2 bad usage or bad input; 3 unknown: a "
    "limit was reached, or the answer rests on a solver's word; 130 interrupted (Ctrl-C, SIGTERM).",
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
    Path | None,
    typer.Option(
        "--certificate",
        metavar="OUT.json[.gz]",
        help="Write the certificate; long searches keep their bounds here meanwhile.",
    ),
]
CertificatesIn = Annotated[
    Path | None, typer.Option("--certificates", metavar="DIR", help="Keep the certificates here.")
]
TimeLimit = Annotated[float | None, typer.Option("--time-limit", metavar="S", help="Seconds.")]
NodeLimit = Annotated[int | None, typer.Option("--node-limit", metavar="N", help="Tree nodes.")]
Resume = Annotated[
    Path | None,
    typer.Option(metavar="CERT.json[.gz]", help="Go on from the bounds of an earlier run."),
]
Workers = Annotated[int, typer.Option("--workers", metavar="N", help="Processor cores to use.")]
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
    workers: Workers = 1,
    engine: EngineOption = EngineName.auto,
    confidence: Annotated[
        str | None,
        typer.Option(metavar="LEVEL", help="For all data compatible with the file's counts."),
    ] = None,
    resume: Resume = None,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Decide whether the data distribution is safe at the file's epsilon.

    With open parameters: for all of their values? With --confidence: for every data distribution
    that is compatible with the counts of the file at this level (Clopper-Pearson limits)?

    Example: symsafe decide examples/chatbot.toml --certificate chatbot.cert.json
    """
    _require_place(certificate, file)
    if confidence is not None:
        _decide_confidence(_load(file, at), confidence, time_limit, certificate, as_json)
    problem = _load_any(file, at)
    if isinstance(problem, SafetyProblem) and not problem.is_ground:
        _decide_family(problem, engine, time_limit, node_limit, certificate, as_json)
    with _progress() as report:
        verdict = decide_problem(
            problem,
            engine=engine.value,
            time_limit=time_limit,
            node_limit=node_limit,
            workers=workers,
            report=report,
            resume=None if resume is None else Certificate.load(resume),
            checkpoint=certificate,
        )
    status = _EXIT[verdict.answer] if verdict.rests_on == "certificate" else _UNKNOWN
    _finish(verdict, verdict.answer, status, certificate, as_json)


@app.command()
def radius(
    file: ProblemFile,
    certificate: CertificateOut = None,
    time_limit: TimeLimit = None,
    node_limit: NodeLimit = None,
    workers: Workers = 1,
    engine: EngineOption = EngineName.auto,
    resume: Resume = None,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Compute the safety radius: the least epsilon at which the data distribution is unsafe.

    Exit status 0 when the radius is certified, exactly or (with a kl regularizer) between bounds at
    most 10^-9 apart, and 3 when only wider bounds are. With one open parameter: as a piecewise
    rational function of it.

    Example: symsafe radius examples/frozenlake-uniform.toml --json
    """
    _require_place(certificate, file)
    problem = _load_any(file, at)
    if isinstance(problem, SafetyProblem) and not problem.is_ground:
        _radius_curve(problem, time_limit, certificate, as_json)
    with _progress() as report:
        verdict = radius_of_problem(
            problem,
            engine=engine.value,
            time_limit=time_limit,
            node_limit=node_limit,
            workers=workers,
            report=report,
            resume=None if resume is None else Certificate.load(resume),
            checkpoint=certificate,
        )
    certified = verdict.is_tight and verdict.rests_on == "certificate"
    word = "unknown"
    if verdict.is_exact:
        word = f"{verdict.lower} ({float(verdict.lower):.6g})"
    elif verdict.is_tight:
        word = f"{float(verdict.lower):.9f} (to 1e-9)"
    _finish(verdict, word, 0 if certified else _UNKNOWN, certificate, as_json)


@app.command()
def profile(
    file: ProblemFile,
    certificates: CertificatesIn = None,
    time_limit: TimeLimit = None,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Compute the safety radius for every regret L at once: a step curve, each step certified.

    The L of the file plays no part. Exit status 3 if the curve ends before L = 1.

    Example: symsafe profile examples/chatbot.toml
    """
    with _progress() as report:
        found = radius_profile(_load(file, at), time_limit=time_limit, report=report)
    rows = [[format_fraction(x) for x in (s.above, s.upto, s.radius)] for s in found.steps]
    if as_json:
        _print_json({"steps": rows, "stopped": found.stopped})
    else:
        for above, upto, height in rows:
            print(f"{above} < L <= {upto}: radius {height}")
    if certificates is not None:
        found.save(certificates)
    if found.stopped:
        print(f"stopped: {found.stopped}", file=sys.stderr)
    if found.stopped == "interrupted":
        raise typer.Exit(_INTERRUPTED)
    raise typer.Exit(_UNKNOWN if found.stopped else 0)


@app.command("sweep")
def sweep_files(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Problem files.")],
    epsilon: Annotated[
        list[str] | None,
        typer.Option(metavar="X", help="Decide at this tolerance; repeatable. Else the radius."),
    ] = None,
    regret: Annotated[
        list[str] | None, typer.Option(metavar="L", help="Instead of the file's; repeatable.")
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=V,V,...", help="Values of a parameter; repeatable."),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(metavar="OUT.jsonl", help="Keep answers here; go on from those there."),
    ] = None,
    certificates: CertificatesIn = None,
    workers: Annotated[int, typer.Option(metavar="N", help="Processes.")] = 1,
    time_limit: TimeLimit = None,
    node_limit: NodeLimit = None,
    output: Out = "-",
) -> None:
    """Answer a grid of questions and print a table of comma-separated values.

    Time and node limits hold for each question. Exit status 3 if an answer is unknown.

    Example: symsafe sweep examples/chatbot.toml --regret 1/2 --regret 1 --results chatbot.jsonl
    """
    varied = _assignments("--vary", vary, "NAME=V,V,..., such as r=1/2,1")
    _require_other("--output", output, *files, *([] if results is None else [str(results)]))
    with _counter() as counted:
        table = sweep(
            {file: load_problem(file) for file in files},
            epsilon=epsilon or (),
            regret=regret or (),
            parameters={name: values.split(",") for name, values in varied.items()},
            results=results,
            certificates=certificates,
            time_limit=time_limit,
            node_limit=node_limit,
            workers=workers,
            report=counted,
        )
    try:
        _write(output, table.to_csv())
    except InputError:
        _write("-", table.to_csv())  # lest the answers are lost
        raise
    if table.stopped:
        print("symsafe: interrupted; the answers so far are above", file=sys.stderr)
        raise typer.Exit(_INTERRUPTED)
    raise typer.Exit(0 if table.is_complete else _UNKNOWN)


@app.command()
def check(
    certificate: Annotated[
        str, typer.Argument(metavar="CERT.json[.gz]", help="Certificate; - for standard input.")
    ],
    against: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Also require that it is about this problem."),
    ] = None,
    confidence: Annotated[
        str | None,
        typer.Option(metavar="LEVEL", help="And about all data compatible with its counts."),
    ] = None,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Verify a certificate with the independent checker.

    A claim about a set of data distributions is compared with the file's [coverage], by default all
    of them, or with what --confidence says, as in `symsafe decide`.

    Example: symsafe check chatbot.cert.json --against examples/chatbot.toml
    """
    started = time.perf_counter()
    if against is None:
        for option, value in (("--at", at and at[0]), ("--confidence", confidence)):
            if value:
                raise InputError(option, value, "--against, as it is for the problem there")
    problem = None if against is None else _load_any(against, at)
    among = None
    if confidence is not None:
        if not isinstance(problem, SafetyProblem):
            raise InputError("--confidence", confidence, "a problem with counts, not one of arrays")
        among = confidence_set(problem.data, confidence)
    reason = None
    sentence = ""
    try:
        found = Certificate.load(certificate)
        sentence = found.check().sentence
        if problem is not None:
            different = found.differences(problem, among)
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

    Interrupted before the former are there, it shows the certified bounds of a single node.

    Example: symsafe bounds examples/tight-bandit.toml
    """
    problem = _load(file, at)
    question = Question.of(problem)
    regular = problem.regularizer is not None
    node_limit = None
    try:
        lower, upper, facts = (_regularised_bounds if regular else _plain_bounds)(question)
    except KeyboardInterrupt:
        (lower, upper, facts), node_limit = ({}, {}, {}), 1
    with _progress() as report:
        verdict = radius_of_problem(
            problem, time_limit=time_limit, node_limit=node_limit, report=report
        )
    interrupted = node_limit is not None or verdict.statistics.stopped == "interrupted"
    if regular and problem.metric in (None, "returns") and not interrupted:
        upper |= _without_penalty(problem, verdict, time_limit)
    rows = {
        **lower,
        "radius_lower": (verdict.lower, "certified lower bound of the safety radius"),
        **upper,
    }
    if verdict.upper is not None:
        rows["radius_upper"] = (verdict.upper, "certified upper bound of the safety radius")
    if as_json:
        _print_json({name: format_fraction(number) for name, (number, _) in rows.items()} | facts)
    else:
        if verdict.is_exact:
            rows.pop("radius_upper", None)
            rows = {
                "radius" if name == "radius_lower" else name: (
                    number,
                    "the exact safety radius, certified" if name == "radius_lower" else text,
                )
                for name, (number, text) in rows.items()
            }
        for name, (number, text) in rows.items():
            print(f"{name:<16}{float(number):<14.6g}{_short(number):<20}{text}")
    if interrupted:
        raise typer.Exit(_INTERRUPTED)
    raise typer.Exit(0 if verdict.is_tight else _UNKNOWN)


_Rows = dict[str, tuple[Fraction, str]]


def _plain_bounds(question: Question) -> tuple[_Rows, _Rows, dict[str, Any]]:
    found = all_bounds(question)
    among = "" if found.upper_is_exact else ", best found"
    lower = {
        "paper": (found.paper, "Proposition 3.2 of the paper: sharp / sqrt(2), rounded down"),
        "sharp": (found.sharp, "Proposition 3.2 without the factor 1 / sqrt(2)"),
        "b0": (found.b0, "by the greatest visits of a state"),
        "b1": (found.b1, "by the greatest change of occupancy to a bad policy"),
        "b2": (found.b2, "by the best ratio of lost return to change of occupancy"),
    }
    upper = {
        "family": (found.family, f"constant reward on the support of a bad policy{among}"),
        "proposition_3_3": (
            found.proposition_3_3,
            f"Proposition 3.3 of the paper: data weight of a bad policy's support{among}",
        ),
    }
    return lower, upper, {"upper_is_exact": found.upper_is_exact}


def _regularised_bounds(question: Question) -> tuple[_Rows, _Rows, dict[str, Any]]:
    if question.problem.metric not in (None, "returns"):  # the others are of the mean error
        cost = theorem_6_1.cost(question) if question.problem.metric == "preferences" else None
        text = "Theorem 6.1 in a stronger form: the smallest raises together"
        return {}, {} if cost is None else {"theorem_6_1": (cost, text)}, {}
    constant, sharpened = theorem_4_1.bounds(question)
    lower = {
        "theorem_4_1": (constant, "Theorem 4.1 with a constant: (1 - gamma) min D G_L / range R"),
        "gap": (sharpened, "the same, with the occupancy of each pair"),
    }
    most = theorem_4_2.bound(question)
    upper = {}
    if most is not None:
        upper["theorem_4_2"] = (most, "Theorem 4.2 with a constant: D(supp) (1 + C)")
    return lower, upper, {}


def _without_penalty(problem: SafetyProblem, verdict: Verdict, time_limit: float | None) -> _Rows:
    """Say whether the penalty helps: compare with the radius of the same problem without it."""
    plain = radius_of_problem(
        replace(problem, regularizer=None, metric=None), time_limit=time_limit
    )
    effect = "limits were reached, so the effect of the penalty is open"
    if plain.upper is not None and plain.upper < verdict.lower:
        effect = "the penalty helps here"
    elif verdict.upper is not None and plain.lower > verdict.upper:
        effect = "the penalty hurts here"
    elif plain.is_exact and verdict.is_exact:
        effect = "the penalty makes no difference here"
    return {"unregularised": (plain.lower, f"the radius without the penalty: {effect}")}


@app.command()
def matrix(
    file: ProblemFile,
    at: At = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
    as_latex: Annotated[bool, typer.Option("--latex", help="Print a LaTeX table.")] = False,
    as_json: Json = False,
) -> None:
    """Print the irredundant matrix M of Theorem 3.5: D is safe iff M D > epsilon * range R.

    Example: symsafe matrix examples/tight-bandit.toml --csv
    """
    formats = {"--csv": as_csv, "--latex": as_latex, "--json": as_json}
    given = [name for name, wanted in formats.items() if wanted]
    if len(given) > 1:
        raise InputError(given[1], f"also {given[0]}", "one format")
    problem = _load(file, at)
    found = safety_matrix(Question.of(problem))
    names = [f"{state}.{action}" for state, action in problem.mdp.pairs]
    rows = [[format_fraction(x) for x in row.entries] for row in found.rows]
    if as_json:
        scale = format_fraction(found.reward_range)
        _print_json({"pairs": names, "reward_range": scale, "rows": rows})
    elif as_csv:
        print(matrix_csv(found, problem.mdp), end="")
    elif as_latex:
        print(matrix_latex(found, problem.mdp), end="")
    else:
        widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
        for row in (names, *rows):
            cells = (f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))
            print("  ".join(cells))
    raise typer.Exit(0)


@app.command()
def theorem(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Which one; see --list.")
    ] = None,
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE", help="Problem file (TOML or JSON); - for standard input."),
    ] = None,
    show_list: Annotated[bool, typer.Option("--list", help="List the theorems.")] = False,
    sharp: Annotated[
        bool, typer.Option("--sharp", help="The stronger form of ours, where there is one.")
    ] = False,
    certificate: CertificateOut = None,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Verify an instance of a theorem of the paper: hypotheses, construction, certificate.

    Exit status 0 when the conclusion is certified, 1 when a hypothesis fails.

    Example: symsafe theorem proposition-3.3 examples/chatbot.toml
    """
    if show_list:
        width = max(map(len, THEOREMS))
        for known, entry in THEOREMS.items():
            more = " (--sharp: a stronger form of ours)" if entry.sharp else ""
            print(f"{known:<{width}}  {entry.summary}{more}")
        raise typer.Exit(0)
    if name is None or file is None:
        raise InputError("theorem", name, "the name of a theorem and a problem file, or --list")
    entry = find(name)
    verify = entry.sharp if sharp else entry.verify
    if verify is None:
        known = ", ".join(known for known, entry in THEOREMS.items() if entry.sharp)
        raise InputError("sharp", name, f"a theorem with a stronger form: {known}")
    _require_place(certificate, file)
    started = time.perf_counter()
    report = verify(_load(file, at))
    with _saved(report.certificate, certificate) as written:
        if as_json:
            seconds = round(time.perf_counter() - started, 3)
            _print_json(report.to_record() | {"certificate": written, "seconds": seconds})
        else:
            print(report)
            if report.certificate is not None:
                print(f"certified: {report.certificate.check().sentence}")
    raise typer.Exit(0 if report.holds else 1)


@app.command()
def coverage(
    file: ProblemFile,
    repair_data: Annotated[
        bool, typer.Option("--repair", help="Also find the nearest safe data distribution.")
    ] = False,
    samples: Annotated[
        bool, typer.Option("--samples", help="Also find the fewest labelled samples to add.")
    ] = False,
    margin: Annotated[
        str | None,
        typer.Option(
            help="By what share of epsilon repaired data are on the safe side; 1/1000 by default."
        ),
    ] = None,
    certificate: CertificateOut = None,
    time_limit: TimeLimit = None,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Find the critical epsilon: from it on every data distribution is unsafe; below, one is safe.

    "Every data distribution" are those of the file's [coverage], if it has one. With several
    questions the certificate is that of the last: --samples, --repair, the critical epsilon.

    Exit status 0 when all that was asked is exact and a safe distribution was found; 1 when there
    is none; 3 when only bounds are known.

    Example: symsafe coverage examples/chatbot.toml --repair
    """
    _require_place(certificate, file)
    if margin is not None and not repair_data:
        raise InputError("--margin", margin, "--repair, which it is for")
    problem = _load(file, at)
    Question.of(problem).require_unregularised()
    started = time.perf_counter()
    fixed = added = None
    with Limits() as limits, _progress() as report:
        found = critical_epsilon(
            problem.mdp,
            problem.regret,
            among=problem.coverage,
            time_limit=time_limit,
            report=report,
        )
        if repair_data and not limits.interrupted:
            fixed = repair(problem, margin=margin or "1/1000", time_limit=time_limit, report=report)
        if samples and not limits.interrupted:
            added = fewest_samples(problem, time_limit=time_limit, report=report)
    answers = [answer.certificate for answer in (added, fixed, found) if answer is not None]
    last = next((known for known in answers if known is not None), None)
    with _saved(last, certificate) as written:
        if as_json:
            record: dict[str, Any] = {
                "critical_lower": format_fraction(found.lower),
                "critical_upper": format_fraction(found.upper),
                "distribution": _weights(found.distribution),
                "certificate": written,
                "seconds": round(time.perf_counter() - started, 3),
            }
            if fixed is not None:
                record["nearest"] = _weights(fixed.nearest)
                record["distance"] = _optional(fixed.distance)
            if added is not None:
                record["samples"] = _counts(problem.mdp, added.samples)
                record["samples_lower"] = added.lower
                record["samples_upper"] = added.upper
            _print_json(record)
        else:
            _print_coverage(problem, found, fixed, added)
    raise typer.Exit(_INTERRUPTED if limits.interrupted else _coverage_status(found, fixed, added))


def _print_coverage(
    problem: SafetyProblem,
    found: CriticalEpsilon,
    fixed: Repair | None,
    added: MoreSamples | None,
) -> None:
    print(found)
    if found.certificate is not None:
        print(found.certificate.check().sentence)
    _print_weights("safest", found.distribution)
    if fixed is not None:
        if not fixed.possible and fixed.certificate is not None:
            print(fixed.certificate.check().sentence)
        if fixed.distance is not None:
            print(f"distance of the safe distributions: {format_fraction(fixed.distance)}")
        _print_weights("nearest", fixed.nearest)
    if added is not None:
        if added.certificate is not None:
            print(added.certificate.check().sentence)
        for state, row in (_counts(problem.mdp, added.samples) or {}).items():
            cells = ", ".join(f"{action} {number}" for action, number in row.items())
            print(f"add {state}: {cells}")


def _coverage_status(
    found: CriticalEpsilon, fixed: Repair | None, added: MoreSamples | None
) -> int:
    if any(answer is not None and not answer.possible for answer in (fixed, added)):
        return 1
    near = fixed is None or fixed.nearest is not None
    enough = added is None or added.is_exact
    return 0 if found.is_exact and near and enough else _UNKNOWN


def _decide_confidence(
    problem: SafetyProblem,
    level: str,
    time_limit: float | None,
    certificate: Path | None,
    as_json: bool,
) -> NoReturn:
    """Decide for every data distribution that is compatible with the counts, print and exit."""
    among = confidence_set(problem.data, level)
    with _progress() as report:
        verdict = decide_all(problem, among, time_limit=time_limit, report=report)
    with _saved(verdict.certificate, certificate) as written:
        if as_json:
            _print_json(
                {
                    "verdict": verdict.answer,
                    "epsilon": format_fraction(verdict.epsilon),
                    "confidence": level,
                    "distribution": _weights(verdict.distribution),
                    "certificate": written,
                    "cells": verdict.cells,
                    "stopped": verdict.stopped,
                    "seconds": round(verdict.seconds, 3),
                }
            )
        else:
            print(verdict.answer)
            if verdict.certificate is not None:
                print(verdict.certificate.check().sentence)
            _print_weights("unsafe", verdict.distribution)
    if verdict.stopped:
        print(f"stopped: {verdict.stopped}", file=sys.stderr)
    if verdict.stopped == "interrupted":
        raise typer.Exit(_INTERRUPTED)
    raise typer.Exit(_EXIT[verdict.answer])


def _optional(number: Fraction | None) -> str | None:
    return None if number is None else format_fraction(number)


def _counts(mdp: MDP, samples: tuple[int, ...] | None) -> dict[str, dict[str, int]] | None:
    if samples is None:
        return None
    table: dict[str, dict[str, int]] = {state: {} for state in mdp.states}
    for (state, action), number in zip(mdp.pairs, samples, strict=True):
        table[state][action] = number
    return table


def _weights(data: DataDistribution | None) -> dict[str, dict[str, str]] | None:
    if data is None:
        return None
    table: dict[str, dict[str, str]] = {state: {} for state in data.mdp.states}
    for (state, action), weight in zip(data.mdp.pairs, data.weights, strict=True):
        table[state][action] = format_fraction(exact(weight))
    return table


def _print_weights(name: str, data: DataDistribution | None) -> None:
    for state, row in (_weights(data) or {}).items():
        cells = ", ".join(f"{action} {_short(Fraction(weight))}" for action, weight in row.items())
        print(f"{name} {state}: {cells}")


@app.command()
def region(
    file: ProblemFile,
    target: Annotated[
        str | None, typer.Option(metavar="SHARE", help="Share of the domain to decide.")
    ] = None,
    certificate: CertificateOut = None,
    time_limit: TimeLimit = None,
    cell_limit: Annotated[
        int, typer.Option("--cell-limit", metavar="N", help="Cells of the subdivision.")
    ] = 20_000,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Find where in the domain of its parameters a problem is safe, and where unsafe.

    Exit status 0 when all of the domain is decided, or the target share of it; else 3.

    Example: symsafe region examples/rare-style.toml --json
    """
    _require_place(certificate, file)
    problem = _load(file, at)
    with _region_progress() as report:
        found = region_of_problem(
            problem, target=target, time_limit=time_limit, cell_limit=cell_limit, report=report
        )
    shares = {
        key: format_fraction(getattr(found, key))
        for key in ("safe", "unsafe", "undecided", "outside")
    }
    boundaries = found.boundaries or ()
    with _saved(found.certificate, certificate) as written:
        if as_json:
            _print_json(
                {
                    **shares,
                    "boundaries": None
                    if found.boundaries is None
                    else [[format_fraction(x) for x in ends] for ends in boundaries],
                    "points": {key: _point(point) for key, point in found.points.items()},
                    "cells": len(found.cells),
                    "certificate": written,
                    "route": found.route,
                    "stopped": found.stopped,
                    "seconds": round(found.seconds, 3),
                }
            )
        else:
            for key, text in shares.items():
                if key != "outside" or found.outside:
                    print(f"{key:<11} {float(getattr(found, key)):<12.6g}{text}")
            for low, high in boundaries:
                print(
                    f"boundary    {format_fraction(low)}"
                    if low == high
                    else f"boundary    in [{format_fraction(low)}, {format_fraction(high)}]"
                )
            print(f"{found.route}; {found.seconds:.2f} s", file=sys.stderr)
    if found.stopped == "interrupted":
        raise typer.Exit(_INTERRUPTED)
    raise typer.Exit(_UNKNOWN if found.stopped else 0)


def _decide_family(
    problem: SafetyProblem,
    engine: EngineName,
    time_limit: float | None,
    cell_limit: int | None,
    out: Path | None,
    as_json: bool,
) -> NoReturn:
    """Decide for all values of the parameters, print, and leave with the exit status."""
    with _region_progress() as report:
        found = forall_safe(
            problem,
            engine=engine.value,
            time_limit=time_limit,
            cell_limit=20_000 if cell_limit is None else cell_limit,
            report=report,
        )
    with _saved(found.certificate, out) as written:
        if as_json:
            known = found.region
            _print_json(
                {
                    "verdict": found.answer,
                    "epsilon": None if problem.epsilon is None else shown(problem.epsilon),
                    "radius_lower": None,  # at one point of many; `symsafe radius` traces it
                    "radius_upper": None,
                    "point": None if found.point is None else _point(found.point),
                    "rests_on": found.rests_on,
                    "route": found.route,
                    **{
                        key: None if known is None else format_fraction(getattr(known, key))
                        for key in ("safe", "unsafe", "undecided", "outside")
                    },
                    "certificate": written,
                    "stopped": found.stopped,
                    "seconds": round(found.seconds, 3),
                }
            )
        else:
            print(found.answer)
            if found.point is not None:
                print(f"at {show_point(found.point)}")
            if found.certificate is not None:
                print(found.certificate.check().sentence)
            print(f"{found.route}; {found.seconds:.2f} s", file=sys.stderr)
    if found.stopped == "interrupted":
        raise typer.Exit(_INTERRUPTED)
    certified = found.rests_on == "certificate"
    raise typer.Exit(_EXIT[found.answer] if certified else _UNKNOWN)


def _radius_curve(
    problem: SafetyProblem, time_limit: float | None, out: Path | None, as_json: bool
) -> NoReturn:
    """Print the radius as a function of the open parameter, and leave with the exit status."""
    if out is not None:
        raise InputError("--certificate", str(out), "no file: there are two for each piece")
    curve = radius_curve(problem, time_limit=time_limit)
    resolved = all(piece.radius is not None for piece in curve.pieces)
    if as_json:
        _print_json(
            {
                "parameter": curve.name,
                "pieces": [
                    {
                        "low": format_fraction(piece.low),
                        "high": format_fraction(piece.high),
                        "radius": None if piece.radius is None else str(piece.radius),
                    }
                    for piece in curve.pieces
                ],
                "ends": {
                    format_fraction(end): format_fraction(verdict.lower)
                    for end, verdict in sorted(curve.ends.items())
                    if verdict.is_exact
                },
                "stopped": curve.stopped,
                "seconds": round(curve.seconds, 3),
            }
        )
    else:
        for piece in curve.pieces:
            text = "not resolved" if piece.radius is None else f"radius {piece.radius}"
            ends = f"{format_fraction(piece.low)} < {curve.name} < {format_fraction(piece.high)}"
            print(f"{ends}: {text}")
        print(f"{curve.seconds:.2f} s", file=sys.stderr)
    if curve.stopped == "interrupted":
        raise typer.Exit(_INTERRUPTED)
    raise typer.Exit(0 if resolved else _UNKNOWN)


def _point(point: Mapping[str, Fraction]) -> dict[str, str]:
    return {name: format_fraction(value) for name, value in point.items()}


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


Out = Annotated[
    str, typer.Option("-o", "--output", metavar="FILE", help="Where to write; - for the screen.")
]


@app.command("import")
def import_source(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help=f"One of {', '.join(SOURCE_KINDS)}.")
    ],
    output: Out = "-",
    discount: Annotated[str, typer.Option(metavar="X", help="In [0, 1).")] = "9/10",
    data: Annotated[
        str, typer.Option(metavar="FAMILY", help=f"One of {', '.join(FAMILIES)}.")
    ] = "uniform",
    regret: Annotated[str, typer.Option(metavar="L", help="The regret that is bad.")] = "1/2",
    epsilon: Annotated[str | None, typer.Option(metavar="X", help="The tolerance.")] = None,
    initial: Annotated[int | None, typer.Option(metavar="N", help="Start state.")] = None,
    reward: Annotated[
        str | None, typer.Option(metavar="NAME", help="Reward model of a DRN file.")
    ] = None,
    rounding: Annotated[
        str | None,
        typer.Option(metavar="RULE", help="decimal, binary or nearest:N, also with +repair."),
    ] = None,
) -> None:
    """Write a problem file for an MDP from Gymnasium, PRISM, Storm or numpy.

    Example: symsafe import gymnasium:FrozenLake-v1 -o lake.toml --data policy
    """
    _require_other("--output", output, source.partition(":")[2])
    mdp = read_source(source, discount=discount, initial=initial, reward=reward, rounding=rounding)
    problem = SafetyProblem(mdp, data_family(mdp, data), exact(regret, "--regret"))
    if epsilon is not None:
        problem = replace(problem, epsilon=exact(epsilon, "--epsilon"))
    as_json = output.lower().endswith(".json")
    _write(
        output,
        dumps_problem(problem, "json") if as_json else imported_text(problem, source, rounding),
    )
    print(f"{problem}: {EXPECTED_REWARDS}", file=sys.stderr)


class ExportFormat(StrEnum):
    """What a problem or a certificate can be written as."""

    smtlib = "smtlib"
    csv = "csv"
    latex = "latex"


@app.command()
def export(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A problem for smtlib, else a certificate.")
    ],
    to: Annotated[ExportFormat, typer.Option(help="SMT-LIB 2, or a table of a certificate.")],
    output: Out = "-",
    at: At = None,
) -> None:
    """Write the question for an SMT solver, or the numbers of a certificate for a paper.

    Example: symsafe export examples/chatbot.toml --to smtlib -o chatbot.smt2
    """
    _require_other("--output", output, file)
    if to == ExportFormat.smtlib:
        question = Question.of(_load(file, at))
        epsilon = question.problem.epsilon
        if epsilon is None:
            raise InputError("epsilon", None, "the tolerance at which to ask, such as 1/10")
        text = to_smtlib(question, exact(epsilon) * question.reward_range)
    else:
        certificate = Certificate.load(file)
        table = certificate_csv if to == ExportFormat.csv else certificate_latex
        text = table(certificate)
    _write(output, text)


@app.command()
def report(
    certificate: Annotated[
        str, typer.Argument(metavar="CERT.json[.gz]", help="Certificate; - for standard input.")
    ],
    output: Out = "-",
) -> None:
    """Write a page for the browser: verdict, argument, pictures, table and tree of a certificate.

    Needs the extra ``report``; pictures need the extra ``plot``.

    Example: symsafe report chatbot.cert.json -o chatbot.html
    """
    _require_other("--output", output, certificate)
    found = Certificate.load(certificate)
    _write(output, report_html(found, "CERT.json" if certificate == "-" else certificate))


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
    # Batch systems send SIGTERM before they kill: it means the same as Ctrl-C.
    signal.signal(signal.SIGTERM, _terminated)
    output, notes = Stream.of(sys.stdout), Stream.of(sys.stderr)
    sys.stdout, sys.stderr = output, notes
    status = _run()
    output.flush()
    if output.failure is not None:  # so the status must not pass for a verdict
        if output.failure.errno != errno.EPIPE:  # whoever closed a pipe has read enough
            reason = output.failure.strerror
            print(f"symsafe: standard output: {reason}", file=sys.stderr)
        status = _BAD_INPUT
    notes.flush()
    raise SystemExit(status)


def _run() -> int | str | None:
    try:
        app(standalone_mode=True)
    except SystemExit as leaving:
        # typer makes one of Ctrl-C, and says nothing.
        if isinstance(getattr(leaving.__context__, "__cause__", None), KeyboardInterrupt):
            print("symsafe: interrupted", file=sys.stderr)
        return leaving.code
    except ProofFailed as error:
        print(f"symsafe: {error}", file=sys.stderr)
        return 1
    except SymsafeError as error:
        print(f"symsafe: {error}", file=sys.stderr)
        return _UNKNOWN if isinstance(error, EngineError) else _BAD_INPUT
    except KeyboardInterrupt:
        print("symsafe: interrupted", file=sys.stderr)
        return _INTERRUPTED
    except MemoryError:
        print("symsafe: memory ran out before anything was proven", file=sys.stderr)
        return _UNKNOWN
    except Exception as error:
        # Python's own exit status for a crash is 1, which here would mean unsafe.
        print(f"symsafe: internal error: {type(error).__name__}: {error}", file=sys.stderr)
        return _UNKNOWN
    return 0


def _terminated(*_: object) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # by a shell, for what ends in `&`
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)


def _load_any(file: str, at: list[str] | None) -> SafetyProblem | BanditArrays:
    problem = load_any(file)
    if isinstance(problem, SafetyProblem):
        return _at(problem, at)
    if at:
        raise InputError("--at", at[0], "no values, as a bandit of arrays has no parameters")
    return problem


def _load(file: str, at: list[str] | None) -> SafetyProblem:
    return _at(load_problem(file), at)


def _at(problem: SafetyProblem, given: list[str] | None) -> SafetyProblem:
    values = _assignments("--at", given, "NAME=VALUE, such as r=1/2")
    return problem.at(**values) if values else problem


def _assignments(option: str, given: list[str] | None, expected: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for assignment in given or []:
        name, equals, value = map(str.strip, assignment.partition("="))
        if not equals or not name:
            raise InputError(option, assignment, expected)
        if name in values:
            raise InputError(option, assignment, f"each name once; {name}={values[name]} is there")
        values[name] = value
    return values


@contextmanager
def _counter() -> Iterator[Callable[[int, int], None] | None]:
    """Show how much of a sweep is answered on a terminal; in a pipe be silent."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    with console.status("starting") as status:
        yield lambda answered, total: status.update(f"{answered} of {total} questions answered")


def _progress() -> AbstractContextManager[Callable[[Progress], None] | None]:
    """Show the bounds of a running search."""
    return _shown(
        lambda progress: (
            f"{progress.nodes} nodes, {progress.open_nodes} open, "
            f"about {max(progress.lower, 0.0):.6g} <= radius <= {progress.upper:.6g}"
        )
    )


def _region_progress() -> AbstractContextManager[Callable[[RegionProgress], None] | None]:
    """Show the shares of a running subdivision."""
    return _shown(
        lambda progress: (
            f"{progress.cells} cells, safe {progress.safe:.1%}, "
            f"unsafe {progress.unsafe:.1%}, undecided {progress.undecided:.1%}"
        )
    )


@contextmanager
def _shown(describe: Callable[[Snapshot], str]) -> Iterator[Callable[[Snapshot], None] | None]:
    """Show what is reported on a terminal, not too often; in a pipe be silent."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    shown = 0.0
    with console.status("starting") as status:

        def report(snapshot: Snapshot) -> None:
            nonlocal shown
            now = time.monotonic()
            if now - shown >= _REFRESH_SECONDS:
                shown = now
                status.update(describe(snapshot))

        yield report


def _finish(verdict: Verdict, word: str, status: int, out: Path | None, as_json: bool) -> NoReturn:
    """Print a verdict, write its certificate, and leave with the exit status."""
    certificate, statistics = verdict.certificate, verdict.statistics
    with _saved(certificate, out) as written:
        if as_json:
            _print_json(
                {
                    "verdict": verdict.answer,
                    "epsilon": None
                    if verdict.epsilon is None
                    else format_fraction(verdict.epsilon),
                    "radius_lower": format_fraction(verdict.lower),
                    "radius_upper": None
                    if verdict.upper is None
                    else format_fraction(verdict.upper),
                    "certificate": written,
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
            notes = [
                f"{statistics.seconds:.2f} s, of which checking {statistics.check_seconds:.2f} s"
            ]
            if statistics.stopped:
                notes.append(f"stopped: {statistics.stopped}")
            if verdict.rests_on == "solver":
                notes.append("rests on z3's word alone, no certificate proves it")
            print("; ".join(notes), file=sys.stderr)
    raise typer.Exit(_INTERRUPTED if statistics.stopped == "interrupted" else status)


def _short(number: Fraction) -> str:
    text = format_fraction(number)
    return text if len(text) <= _SHORT else "..."


def _require_place(certificate: Path | None, *read: str) -> None:
    """Refuse before the work, not after it, where no certificate can be written."""
    if str(certificate) == "-":
        raise InputError("--certificate", "-", "a file: the answer goes to standard output")
    if certificate is not None:
        _require_other("--certificate", str(certificate), *read)


def _require_other(option: str, output: str, *read: str) -> None:
    """Refuse an output that cannot be written, or that would take the place of an input."""
    if output == "-":
        return
    place = require_writable(output)
    for source in read:
        if source != "-" and os.path.realpath(source) == str(place):
            raise InputError(option, output, f"another file than {source}, which is read")


@contextmanager
def _saved(certificate: Certificate | None, out: Path | None) -> Iterator[str | None]:
    """Write a certificate and yield where, or None; what fails is raised when all is printed."""
    failure = None
    if out is not None and certificate is not None:
        try:
            certificate.save(out)
        except InputError as error:
            failure = error
    yield None if out is None or certificate is None or failure else str(out)
    if failure is not None:
        raise failure


def _write(output: str, text: str) -> None:
    if output != "-":
        write_atomically(output, text)
        return
    if isinstance(sys.stdout, io.TextIOWrapper):
        # As in the file that it may become.
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    print(text, end="")


def _print_json(record: dict[str, Any]) -> None:
    print(json.dumps(record))
