"""Verdicts about every data distribution of a set, such as all that some samples leave possible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from symsafe.certificate import Certificate, all_safe_certificate, some_unsafe_certificate
from symsafe.engine.every import decide_every
from symsafe.engine.limits import Limits
from symsafe.engine.question import Question
from symsafe.engine.tree import Progress
from symsafe.exact import exact
from symsafe.model import DataDistribution, SafetyProblem
from symsafe.model.data_set import DataSet, require_set
from symsafe.model.problem import require_tolerance

__all__ = ["RobustVerdict", "decide_all"]


@dataclass(frozen=True, slots=True)
class RobustVerdict:
    """Whether every data distribution of a set is safe.

    Attributes
    ----------
    answer : {"safe", "unsafe", "unknown"}
        ``safe``: every distribution of the set is. ``unsafe``: some distribution is not.
    epsilon : Fraction
    distribution : DataDistribution or None
        An unsafe one of the set.
    certificate : Certificate or None
        Of the answer; None if it is unknown.
    cells : int
        Parts of the set that were looked at.
    seconds : float
    stopped : str or None
    """

    answer: Literal["safe", "unsafe", "unknown"]
    epsilon: Fraction
    distribution: DataDistribution | None
    certificate: Certificate | None
    cells: int
    seconds: float
    stopped: str | None

    def __repr__(self) -> str:
        return f"RobustVerdict({self.answer})"


def decide_all(
    problem: SafetyProblem,
    among: DataSet,
    *,
    time_limit: float | None = None,
    cell_limit: int | None = 10_000,
    report: Callable[[Progress], None] | None = None,
) -> RobustVerdict:
    """Return whether every data distribution of a set is safe at the problem's epsilon.

    Parameters
    ----------
    problem : SafetyProblem
        With an epsilon. Its own data distribution plays no part.
    among : DataSet
        For instance `symsafe.confidence_set` of counts.
    time_limit : float, optional
        Seconds, after which the answer may be unknown.
    cell_limit : int, optional
        Into how many cells the set may be cut.
    report : callable, optional
        Receives a `Progress`.

    Raises
    ------
    InputError
        If the problem has no epsilon, a regularizer or open parameters, or the set is empty or one
        of another MDP.

    Notes
    -----
    Exact. Over a mixture it always ends; over a polytope it takes exponentially many cells in the
    worst case, where the least safety radius is close to epsilon.

    Examples
    --------
    >>> from symsafe import MDP, confidence_set
    >>> mdp = MDP.bandit({"s": {"good": 1, "bad": 0}})
    >>> data = DataDistribution.from_counts(mdp, {"s": {"good": 60, "bad": 40}})
    >>> problem = SafetyProblem(mdp, data, regret=1, epsilon="1/4")
    >>> decide_all(problem, confidence_set(data, "95/100"))
    RobustVerdict(safe)
    >>> decide_all(problem, confidence_set(data, "999999/1000000"))
    RobustVerdict(unsafe)
    """
    epsilon = exact(require_tolerance(problem, "to decide"), "epsilon")
    require_set(among, problem.mdp)
    with Limits(time_limit, cell_limit, counted="cell_limit") as limits:
        question = Question.of(problem)
        found = decide_every(question, among, epsilon, limits, report)
        answer: Literal["safe", "unsafe", "unknown"] = "unknown"
        certificate = None
        if found.distribution is not None:
            answer = "unsafe"
            certificate = some_unsafe_certificate(question, among, epsilon, found)
        elif found.stopped is None:
            answer = "safe"
            certificate = all_safe_certificate(question, among, epsilon, found)
        return RobustVerdict(
            answer,
            epsilon,
            found.distribution,
            certificate,
            found.count,
            limits.elapsed,
            found.stopped,
        )
