"""The two questions that symsafe answers: safe at this tolerance? safe up to which one?

Calls an engine, writes down what it found as a certificate (which the checker verifies), and
returns both as one record. Unknown is an answer here, never an exception.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from os import PathLike
from typing import Literal

from symsafe.certificate import (
    Certificate,
    bandit_certificate,
    radius_certificate,
    safe_certificate,
    soft_certificate,
    unsafe_certificate,
)
from symsafe.engine.bandit import BanditOutcome, solve_bandit
from symsafe.engine.copies import Copies
from symsafe.engine.limits import Limits
from symsafe.engine.question import Question
from symsafe.engine.regularised import CaseOutcome, search_cases
from symsafe.engine.resume import resumed
from symsafe.engine.search import search
from symsafe.engine.smt import decide_by_smt, radius_by_smt
from symsafe.engine.soft_answers import SoftFinding, search_soft
from symsafe.engine.tree import Outcome, Progress, trivial_root
from symsafe.engine.witness import cheapest_witness
from symsafe.errors import CertificateRejected, InputError, UnsupportedError
from symsafe.exact import exact, format_fraction
from symsafe.model import BanditArrays, SafetyProblem
from symsafe.model.arrays import require_either
from symsafe.model.tables import require_instance

__all__ = ["Answer", "Statistics", "Verdict", "decide", "radius"]

Answer = Literal["safe", "unsafe", "unknown"]
Engine = Literal["auto", "tree", "smt"]
_NO_RESUME = "resume: only the policy tree of a problem without regularizer goes on from bounds"
_ENGINES = ("auto", "tree", "smt")
_TIGHT = Fraction(1, 10**9)
_TRIES = 4
_SMALL = 100
"""Contextual bandits given by arrays with at most so many pairs are solved as MDPs."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """How an answer was obtained.

    Attributes
    ----------
    engine : str
        ``"tree"``, ``"smt"`` or ``"multiplier"`` (of a contextual bandit given by arrays).
    seconds, check_seconds : float
        Wall-clock time of the whole, and of it what the checker took.
    nodes : int
        Nodes of the policy tree, or queries to z3.
    stopped : str or None
        The limit that ended the search early: time limit, node limit, interrupted.
    """

    engine: str
    seconds: float
    check_seconds: float
    nodes: int
    stopped: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to `decide` or `radius`, with what proves it.

    Attributes
    ----------
    answer : {"safe", "unsafe", "unknown"}
        At the tolerance `epsilon`. Unknown if a limit was reached, or if no tolerance was given.
    epsilon : Fraction or None
        The tolerance asked about, a fraction of the reward range.
    lower : Fraction
    upper : Fraction or None
        Bounds of the safety radius, fractions of the reward range: lower <= radius <= upper.
        Certified, unless `rests_on` says otherwise. The upper one is None if no reward model with a
        bad optimum was found, which happens with a ``kl`` regularizer alone.
    certificate : Certificate or None
        Verified by the checker. It proves the answer of `decide`, the bounds of `radius`, and the
        bounds where the answer is unknown.
    rests_on : {"certificate", "solver"}
        ``"solver"`` if the answer or the lower bound is a solver's word that no proof backs.
    statistics : Statistics
    """

    answer: Answer
    epsilon: Fraction | None
    lower: Fraction
    upper: Fraction | None
    certificate: Certificate | None
    rests_on: Literal["certificate", "solver"]
    statistics: Statistics

    @property
    def is_exact(self) -> bool:
        """Whether the bounds meet, so that `lower` is the safety radius itself."""
        return self.lower == self.upper

    @property
    def is_tight(self) -> bool:
        """Whether the bounds are at most 10^-9 apart: the radius may have no rational value."""
        return self.upper is not None and self.upper - self.lower <= _TIGHT

    def __repr__(self) -> str:
        bounds = f"{format_fraction(self.lower)} <= radius"
        if self.is_exact:
            bounds = f"radius = {format_fraction(self.lower)}"
        elif self.upper is not None:
            bounds += f" <= {format_fraction(self.upper)}"
        tolerance = "" if self.epsilon is None else f" at {format_fraction(self.epsilon)}"
        return f"Verdict({self.answer}{tolerance}, {bounds}, rests on {self.rests_on})"


def decide(
    problem: SafetyProblem | BanditArrays,
    *,
    engine: Engine = "auto",
    time_limit: float | None = None,
    node_limit: int | None = None,
    workers: int = 1,
    report: Callable[[Progress], None] | None = None,
    resume: Certificate | None = None,
    checkpoint: str | PathLike[str] | None = None,
) -> Verdict:
    """Decide whether the data distribution is safe at the tolerance of `problem`.

    Unsafe means that a reward model with expected error at most epsilon has an optimal policy with
    regret at least L (Definition 2.1 of the paper, unregularised); both boundaries are unsafe.

    Parameters
    ----------
    problem : SafetyProblem or BanditArrays
        With an epsilon, and without open parameters. A contextual bandit given by arrays is decided
        by one multiplier, whatever its size; the answer may be unknown close to the radius.
    engine : {"auto", "tree", "smt"}
        ``"tree"`` searches partial policies and proves both answers. ``"smt"`` asks z3 one query;
        its ``unsafe`` is certified, its ``safe`` is only z3's word (`Verdict.rests_on`).
        ``"auto"`` is the tree.
    time_limit : float, optional
        Seconds, after which the answer may be unknown; infinity is no limit.
    node_limit : int, optional
        Limit on the nodes of the policy tree.
    workers : int, default 1
        Processor cores to use: threads, and on Linux processes made by fork. The answer and the
        certificate do not depend on it, unless a limit is reached.
    report : callable, optional
        Receives a `Progress` while the tree grows.
    resume : Certificate, optional
        Of the bounds that an earlier call ended with: the search goes on from there. For problems
        without a regularizer.
    checkpoint : path, optional
        Where to keep the certificate of the bounds so far while the search runs: once a minute, or
        less often so that it takes less than a tenth of the time, and always whole. After a kill
        `resume` goes on from there. On Linux, when called in the main thread.

    Returns
    -------
    Verdict

    Raises
    ------
    InputError
        If the problem has no epsilon, has open parameters, or its reward or return is constant.

    Notes
    -----
    Guided by floats, decided exactly. Deciding is NP-hard; the time is exponential in the worst
    case.

    Examples
    --------
    One state, three actions; the second looks nearly as good as the first and is rarely seen:

    >>> from symsafe import MDP, DataDistribution, SafetyProblem
    >>> mdp = MDP.bandit({"s": {"a": 1, "b": "2/5", "c": 0}})
    >>> data = DataDistribution.from_table(mdp, {"s": {"a": "1/10", "b": "9/20", "c": "9/20"}})
    >>> decide(SafetyProblem(mdp, data, regret="3/5", epsilon="3/50")).answer
    'unsafe'
    >>> decide(SafetyProblem(mdp, data, regret="3/5", epsilon="1/20")).answer
    'safe'
    """
    require_either(problem)
    if problem.epsilon is None:
        raise InputError("epsilon", None, "the tolerance at which to decide, such as 1/10")
    limits = Limits(time_limit, node_limit, workers, Copies(checkpoint))
    return _answer(problem, engine, limits, report, exact(problem.epsilon, "epsilon"), resume)


def radius(
    problem: SafetyProblem | BanditArrays,
    *,
    engine: Engine = "auto",
    time_limit: float | None = None,
    node_limit: int | None = None,
    workers: int = 1,
    report: Callable[[Progress], None] | None = None,
    resume: Certificate | None = None,
    checkpoint: str | PathLike[str] | None = None,
) -> Verdict:
    """Return the exact safety radius: the least tolerance at which the data distribution is unsafe.

    Parameters
    ----------
    problem, engine, time_limit, node_limit, workers, report, resume, checkpoint
        As for `decide`; the epsilon of the problem is optional.

    Returns
    -------
    Verdict
        ``verdict.lower == verdict.upper`` is the radius, a fraction of the reward range, unless a
        limit was reached. If the problem has an epsilon, the answer for it is given as well.

    Raises
    ------
    InputError
        If the problem has open parameters, or its reward or return is constant.

    Examples
    --------
    >>> from symsafe import MDP, DataDistribution, SafetyProblem
    >>> mdp = MDP.bandit({"s": {"a": 1, "b": "2/5", "c": 0}})
    >>> data = DataDistribution.from_table(mdp, {"s": {"a": "1/10", "b": "9/20", "c": "9/20"}})
    >>> radius(SafetyProblem(mdp, data, regret="3/5")).lower
    Fraction(3, 50)
    """
    require_either(problem)
    limits = Limits(time_limit, node_limit, workers, Copies(checkpoint))
    return _answer(problem, engine, limits, report, None, resume)


def _answer(
    problem: SafetyProblem | BanditArrays,
    engine: Engine,
    limits: Limits,
    report: Callable[[Progress], None] | None,
    asked: Fraction | None,
    resume: Certificate | None,
) -> Verdict:
    """Answer `decide` at the tolerance `asked`, or `radius` if it is None."""
    if engine not in _ENGINES:
        raise InputError("engine", engine, f"one of {', '.join(_ENGINES)}")
    if resume is not None:
        require_instance(resume, Certificate, "resume", "a Certificate, as Certificate.load reads")
    if isinstance(problem, BanditArrays):
        if engine == "auto" and len(problem.reward) > _SMALL:
            if resume is not None:
                raise UnsupportedError(_NO_RESUME)
            with limits:
                return _by_multiplier(problem, asked, limits)
        problem = problem.problem()
    with limits:
        question = Question.of(problem)
        solve = _by_smt if engine == "smt" else _by_tree
        if problem.regularizer is not None and engine != "smt":  # which refuses it
            solve = _by_curves if problem.regularizer.kind == "kl" else _by_cases
        if resume is None:
            finding = solve(question, limits, report, asked)
        elif solve is _by_tree:
            finding = _from_certificate(question, limits, report, asked, resume)
        else:
            raise UnsupportedError(_NO_RESUME)
        if limits.copies.is_copy and finding.certificate is not None:
            limits.copies.write(finding.certificate.save)
        seconds = limits.elapsed
    epsilon = asked if problem.epsilon is None else exact(problem.epsilon)
    answer: Answer = "unknown"
    if epsilon is not None and finding.upper is not None and finding.upper <= epsilon:
        answer = "unsafe"
    elif epsilon is not None and (
        finding.lower > epsilon or (finding.lower == epsilon and finding.lower_is_strict)
    ):
        answer = "safe"
    return Verdict(
        answer=answer,
        epsilon=epsilon,
        lower=finding.lower,
        upper=finding.upper,
        certificate=finding.certificate,
        # An unsafe answer needs no lower bound.
        rests_on=finding.rests_on if answer != "unsafe" or asked is None else "certificate",
        statistics=Statistics(
            engine="smt" if engine == "smt" else "tree",
            seconds=seconds,
            check_seconds=finding.certificate.check_seconds if finding.certificate else 0.0,
            nodes=finding.nodes,
            stopped=finding.stopped,
        ),
    )


@dataclass(frozen=True, slots=True)
class _Finding:
    """What an engine found, in fractions of the reward range."""

    lower: Fraction
    lower_is_strict: bool
    upper: Fraction | None
    certificate: Certificate | None
    rests_on: Literal["certificate", "solver"]
    nodes: int
    stopped: str | None


def _by_tree(
    question: Question,
    limits: Limits,
    report: Callable[[Progress], None] | None,
    asked: Fraction | None,
) -> _Finding:
    limit = None if asked is None else asked * question.reward_range
    return _written(question, search(question, limits, enough=limit, report=report), asked)


def _from_certificate(
    question: Question,
    limits: Limits,
    report: Callable[[Progress], None] | None,
    asked: Fraction | None,
    resume: Certificate,
) -> _Finding:
    root, witness = resume.policy_tree(question)
    enough = None if asked is None else asked * question.reward_range
    found = resumed(question, root, witness, limits, enough=enough, report=report)
    return _written(question, found, asked)


def _by_cases(
    question: Question,
    limits: Limits,
    report: Callable[[Progress], None] | None,
    asked: Fraction | None,
) -> _Finding:
    limit = None if asked is None else asked * question.reward_range
    return _written(question, search_cases(question, limits, enough=limit, report=report), asked)


def _written(
    question: Question, outcome: Outcome | CaseOutcome, asked: Fraction | None
) -> _Finding:
    """Write down what a search found as the certificate that answers the question."""
    scale = question.reward_range
    lower, upper = outcome.lower / scale, outcome.witness.cost / scale
    if asked is not None and upper <= asked:
        certificate = unsafe_certificate(question, asked, outcome.witness)
    elif asked is not None and lower > asked:
        certificate = safe_certificate(question, asked, outcome.root)
    else:
        certificate = radius_certificate(question, lower, upper, outcome.root, outcome.witness)
    return _Finding(lower, False, upper, certificate, "certificate", outcome.nodes, outcome.stopped)


def _by_curves(
    question: Question,
    limits: Limits,
    report: Callable[[Progress], None] | None,
    asked: Fraction | None,
) -> _Finding:
    found = search_soft(question, limits, enough=asked, report=report)
    if found.impossible and asked is None:
        raise InputError(
            "safety.regret",
            format_fraction(exact(question.problem.regret)),
            "a regret that the optimum of some reward model has under this penalty; at this one "
            "every data distribution is safe at every tolerance",
        )
    found, certificate = _soft_written(question, found, asked)
    return _Finding(
        found.lower,
        found.lower_is_strict,
        found.upper,
        certificate,
        "certificate",
        found.nodes,
        found.stopped,
    )


def _soft_written(
    question: Question, found: SoftFinding, asked: Fraction | None
) -> tuple[SoftFinding, Certificate | None]:
    """Return what a checker accepts of a finding, and the certificate of it."""
    for attempt in range(_TRIES + 2):
        try:
            return found, _soft_certificate(question, found, asked)
        except CertificateRejected:
            if attempt < _TRIES:  # floats proposed lines that lie too high
                found = found.cautious(question)
            elif attempt == _TRIES:
                found = found.without_proof(question)
            else:
                found = found.without_witness()
    return found, None


def _soft_certificate(
    question: Question, found: SoftFinding, asked: Fraction | None
) -> Certificate | None:
    answer = None if asked is None else found.answer(asked)
    if answer == "unsafe" and asked is not None:
        claim = {"kind": "unsafe", "epsilon": format_fraction(asked)}
        return soft_certificate(question, claim, found.witness, None)
    if answer == "safe" and asked is not None:
        claim = {"kind": "safe", "epsilon": format_fraction(asked)}
        return soft_certificate(question, claim, None, found.proof, found.level)
    if found.witness is None or found.upper is None:
        return None
    bounds = {"lower": format_fraction(found.lower), "upper": format_fraction(found.upper)}
    claim = {"kind": "radius", **bounds}
    return soft_certificate(question, claim, found.witness, found.proof, found.level)


def _by_multiplier(bandit: BanditArrays, asked: Fraction | None, limits: Limits) -> Verdict:
    """Answer for a contextual bandit given by arrays."""
    outcome = solve_bandit(bandit, limits)
    try:
        verdict = _of_bandit(bandit, asked, outcome, limits)
    except CertificateRejected:  # floats dropped a choice that a checker has to look at
        verdict = _of_bandit(bandit, asked, outcome.by_multiplier(), limits)
    if limits.copies.is_copy and verdict.certificate is not None:
        limits.copies.write(verdict.certificate.save)
    return verdict


def _of_bandit(
    bandit: BanditArrays, asked: Fraction | None, outcome: BanditOutcome, limits: Limits
) -> Verdict:
    seconds = limits.elapsed
    epsilon = bandit.epsilon if asked is None else asked
    answer: Answer = "unknown"
    if epsilon is not None and outcome.upper <= epsilon:
        answer = "unsafe"
    elif epsilon is not None and outcome.lower > epsilon:
        answer = "safe"
    if asked is not None and answer != "unknown":
        claim = {"kind": answer, "epsilon": format_fraction(asked)}
    else:
        bounds = {"lower": outcome.lower, "upper": outcome.upper}
        claim = {"kind": "radius", **{key: format_fraction(x) for key, x in bounds.items()}}
    certificate = bandit_certificate(bandit, claim, outcome)
    return Verdict(
        answer=answer,
        epsilon=epsilon,
        lower=outcome.lower,
        upper=outcome.upper,
        certificate=certificate,
        rests_on="certificate",
        statistics=Statistics(
            "multiplier", seconds, certificate.check_seconds, len(outcome.tree), outcome.stopped
        ),
    )


def _by_smt(
    question: Question,
    limits: Limits,
    report: Callable[[Progress], None] | None,
    asked: Fraction | None,
) -> _Finding:
    scale = question.reward_range
    outcome = (
        radius_by_smt(question, limits, report)
        if asked is None
        else decide_by_smt(question, limits, asked * scale)
    )
    # Without a model from z3 the worst policy still bounds the radius from above.
    witness = outcome.witness or cheapest_witness(question, question.returns.worst)
    upper = witness.cost / scale
    lower = Fraction(0)
    certificate = None
    if asked is not None and upper <= asked:
        certificate = unsafe_certificate(question, asked, witness)
    elif outcome.excluded is not None:
        lower = outcome.excluded / scale
    else:
        certificate = radius_certificate(question, lower, upper, trivial_root(question), witness)
    return _Finding(
        lower=lower,
        lower_is_strict=asked is not None and outcome.excluded is not None,
        upper=upper,
        certificate=certificate,
        rests_on="certificate" if outcome.excluded is None else "solver",
        nodes=outcome.queries,
        stopped=outcome.stopped,
    )
