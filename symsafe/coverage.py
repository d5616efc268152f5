"""From verdict to remedy: the safest data, the nearest safe data, the fewest samples to add.

No theorem of the paper asks for these; the exact safety radius makes them concave programmes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from symsafe.certificate import (
    Certificate,
    all_unsafe_certificate,
    critical_certificate,
    fewest_certificate,
    nearest_certificate,
)
from symsafe.engine.coverage import Coverage, highest_radius, nearest_safe
from symsafe.engine.limits import Limits
from symsafe.engine.question import Question
from symsafe.engine.samples import fewest
from symsafe.engine.tree import Progress
from symsafe.errors import InputError
from symsafe.exact import exact, format_fraction
from symsafe.model import MDP, DataDistribution, SafetyProblem
from symsafe.model.data_set import DataSet, require_set
from symsafe.model.problem import require_tolerance
from symsafe.verdict import decide

__all__ = [
    "CriticalEpsilon",
    "MoreSamples",
    "Repair",
    "critical_epsilon",
    "fewest_samples",
    "repair",
]

Report = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class CriticalEpsilon:
    """The greatest safety radius of any data distribution of a set.

    Attributes
    ----------
    lower, upper : Fraction
        Bounds, fractions of the reward range; equal unless a limit was reached. From `upper` on
        every distribution of the set is unsafe.
    distribution : DataDistribution or None
        Its safety radius is at least `lower`. None if a limit was reached before there was one.
    certificate : Certificate or None
        Of these bounds; None if there is no distribution.
    shadow_prices : tuple of Fraction, one per pair
        The error at the pair, mean over the witnesses with their multipliers: what a little more
        data there is worth, in reward units.
    cuts, searches : int
        Witnesses, and exact searches.
    seconds : float
    stopped : str or None
    """

    lower: Fraction
    upper: Fraction
    distribution: DataDistribution | None
    certificate: Certificate | None
    shadow_prices: tuple[Fraction, ...]
    cuts: int
    searches: int
    seconds: float
    stopped: str | None

    @property
    def is_exact(self) -> bool:
        """Whether the bounds meet."""
        return self.lower == self.upper

    def __repr__(self) -> str:
        if self.is_exact:
            return f"CriticalEpsilon({format_fraction(self.lower)})"
        low, high = format_fraction(self.lower), format_fraction(self.upper)
        return f"CriticalEpsilon(from {low} to {high})"


@dataclass(frozen=True, slots=True)
class Repair:
    """How to change the data so that they are safe.

    Attributes
    ----------
    possible : bool
        Whether some distribution of the set is safe.
    distance : Fraction or None
        The least total variation distance of a safe distribution, exactly; an infimum, since the
        safe distributions are an open set. None if there is none, or a limit was reached.
    nearest : DataDistribution or None
        Safe, and nearest among those with a safety radius of at least epsilon (1 + margin).
    margin : Fraction or None
        The margin that was used; smaller than asked for if otherwise there is none.
    certificate : Certificate or None
        Of the distance; where nothing is safe, that every distribution is unsafe.
    safe_certificate : Certificate or None
        That `nearest` is safe at epsilon.
    stopped : str or None
    """

    possible: bool
    distance: Fraction | None
    nearest: DataDistribution | None
    margin: Fraction | None
    certificate: Certificate | None
    safe_certificate: Certificate | None
    stopped: str | None


@dataclass(frozen=True, slots=True)
class MoreSamples:
    """How many labelled samples have to be added so that the data are safe.

    Attributes
    ----------
    possible : bool
        Whether any number of samples makes the data safe.
    lower : int or None
        Fewer do not suffice, wherever they are added. None if nothing suffices.
    upper : int or None
        So many suffice: those of `samples`. Equal to `lower` unless a limit was reached; None if
        none were found.
    samples : tuple of int, one per pair, or None
        To be added to the counts of the data.
    certificate : Certificate or None
        Of these bounds; where nothing suffices, that every distribution is unsafe.
    cuts : int
        Witnesses.
    seconds : float
    stopped : str or None
    """

    possible: bool
    lower: int | None
    upper: int | None
    samples: tuple[int, ...] | None
    certificate: Certificate | None
    cuts: int
    seconds: float
    stopped: str | None

    @property
    def is_exact(self) -> bool:
        """Whether the bounds meet."""
        return self.lower is not None and self.lower == self.upper


def critical_epsilon(
    mdp: MDP,
    regret: object,
    *,
    among: DataSet | None = None,
    time_limit: float | None = None,
    report: Report | None = None,
) -> CriticalEpsilon:
    """Return the greatest safety radius of any data distribution, and one that attains it.

    Parameters
    ----------
    mdp : MDP
    regret : number
        L, in (0, 1].
    among : DataSet, optional
        The distributions that are possible; all by default.
    time_limit : float, optional
        Seconds, after which the bounds may not meet.
    report : callable, optional
        Receives a `Progress`.

    Raises
    ------
    InputError
        If the MDP has open parameters, its reward or return is constant, the set is empty or one
        of another MDP.

    Notes
    -----
    Exact: cutting planes, whose linear programmes and last search are exact.

    Examples
    --------
    With k bad arms beside a good one it is 1/(k + 1), for uniform data:

    >>> mdp = MDP.bandit({"s": {"good": 1, "bad": 0, "worse": 0}})
    >>> found = critical_epsilon(mdp, 1)
    >>> found.lower, found.distribution.weights
    (Fraction(1, 3), (Fraction(1, 3), Fraction(1, 3), Fraction(1, 3)))
    """
    problem = SafetyProblem(mdp, DataDistribution.uniform(mdp), exact(regret, "regret"))
    possible = _possible(mdp, among)
    with Limits(time_limit) as limits:
        question = Question.of(problem)
        found = highest_radius(question, possible, limits, report)
        return _critical(question, possible, found, limits)


def _critical(
    question: Question, among: DataSet, found: Coverage, limits: Limits
) -> CriticalEpsilon:
    scale = question.reward_range
    lower, upper = found.lower / scale, found.upper / scale
    certificate = None
    if found.distribution is not None:
        certificate = critical_certificate(question, among, lower, upper, found)
    prices = [Fraction(0)] * len(question.rewards)
    if found.cover is not None:
        for weight, witness in zip(found.cover.weights, found.cover.witnesses, strict=True):
            for p, (x, r) in enumerate(zip(witness.reward, question.rewards, strict=True)):
                prices[p] += weight * abs(x - r)
    return CriticalEpsilon(
        lower,
        upper,
        found.distribution,
        certificate,
        tuple(prices),
        len(found.witnesses),
        found.searches,
        limits.elapsed,
        found.stopped,
    )


def repair(
    problem: SafetyProblem,
    *,
    among: DataSet | None = None,
    margin: object = "1/1000",
    time_limit: float | None = None,
    report: Report | None = None,
) -> Repair:
    """Return the safe data distribution nearest to that of the problem, in total variation.

    Parameters
    ----------
    problem : SafetyProblem
        With an epsilon.
    among : DataSet, optional
        The distributions that are possible; by default those of the problem's coverage.
    margin : number
        Above 0. The distribution returned has a safety radius of at least epsilon (1 + margin).
    time_limit, report
        As for `critical_epsilon`.

    Raises
    ------
    InputError
        If the problem has no epsilon, a regularizer or open parameters, or the margin is not
        positive; as for `critical_epsilon`.

    Examples
    --------
    >>> mdp = MDP.bandit({"s": {"good": 1, "bad": 0}})
    >>> data = DataDistribution.from_table(mdp, {"s": {"good": "9/10", "bad": "1/10"}})
    >>> repair(SafetyProblem(mdp, data, regret=1, epsilon="1/4")).distance
    Fraction(3, 20)
    """
    epsilon = exact(require_tolerance(problem, "the data have to be safe"), "epsilon")
    extra = exact(margin, "margin")
    if extra <= 0:
        raise InputError("margin", format_fraction(extra), "a number above 0")
    possible = _possible(problem.mdp, problem.coverage if among is None else among)
    with Limits(time_limit) as limits:
        question = Question.of(problem)
        scale = question.reward_range
        best = highest_radius(question, possible, limits, report)
        if best.upper <= epsilon * scale:
            proof = all_unsafe_certificate(question, possible, epsilon, best.cover)
            return Repair(False, None, None, None, proof, None, best.stopped)
        if best.lower <= epsilon * scale:
            return Repair(True, None, None, None, None, None, best.stopped)
        extra = min(extra, (best.lower / scale / epsilon - 1) / 2)
        border = nearest_safe(question, possible, epsilon, limits, report, best.witnesses)
        further, known = epsilon * (1 + extra), (*best.witnesses, *border.witnesses)
        inside = nearest_safe(question, possible, further, limits, report, known)
        stopped = border.stopped or inside.stopped
        certificate = None
        if border.distribution is not None:
            certificate = nearest_certificate(question, possible, epsilon, border)
        exact_distance = border.lower if border.lower == border.upper else None
        if inside.distribution is None:
            return Repair(True, exact_distance, None, None, certificate, None, stopped)
        safe = decide(replace(problem, data=inside.distribution))
        return Repair(
            True,
            exact_distance,
            inside.distribution,
            extra,
            certificate,
            safe.certificate,
            stopped,
        )


def fewest_samples(
    problem: SafetyProblem,
    *,
    time_limit: float | None = None,
    report: Report | None = None,
) -> MoreSamples:
    """Return the fewest labelled samples after which the data are safe, and at which pairs.

    Parameters
    ----------
    problem : SafetyProblem
        With an epsilon, and data that have counts. The relative frequencies of the counts are the
        data distribution.
    time_limit, report
        As for `critical_epsilon`.

    Raises
    ------
    InputError
        If the problem has no epsilon, no counts, a regularizer or open parameters.

    Notes
    -----
    Exact: branch and bound over exact linear programmes. Where it has more than a few hundred
    branches the bounds may not meet; both are certified.

    Examples
    --------
    With a share of 1/4 or less of a pair, a reward model may be wrong there by the whole range:

    >>> mdp = MDP.bandit({"s": {"good": 1, "bad": 0}})
    >>> data = DataDistribution.from_counts(mdp, {"s": {"good": 90, "bad": 10}})
    >>> found = fewest_samples(SafetyProblem(mdp, data, regret=1, epsilon="1/4"))
    >>> found.lower, found.samples
    (21, (0, 21))
    """
    epsilon = exact(require_tolerance(problem, "the data have to be safe"), "epsilon")
    counts, everything = problem.data.counts, DataSet(problem.mdp)
    if counts is None:
        raise InputError("data", "no counts", "the number of samples at each pair, as counts")
    with Limits(time_limit) as limits:
        question = Question.of(problem)
        best = highest_radius(question, everything, limits, report)
        due = epsilon * question.reward_range
        if best.upper <= due:
            proof = all_unsafe_certificate(question, everything, epsilon, best.cover)
            cuts, seconds = len(best.witnesses), limits.elapsed
            return MoreSamples(False, None, None, None, proof, cuts, seconds, best.stopped)
        if best.lower <= due:
            cuts, seconds = len(best.witnesses), limits.elapsed
            return MoreSamples(True, 0, None, None, None, cuts, seconds, best.stopped)
        found = fewest(question, counts, epsilon, limits, report, best.witnesses)
        certificate = upper = None
        if found.samples is not None:
            certificate = fewest_certificate(question, counts, epsilon, found)
            upper = sum(found.samples)
        return MoreSamples(
            True,
            found.lower,
            upper,
            found.samples,
            certificate,
            len(found.witnesses),
            limits.elapsed,
            found.stopped,
        )


def _possible(mdp: MDP, among: DataSet | None) -> DataSet:
    if among is None:
        return DataSet(mdp)
    require_set(among, mdp)
    return among
