"""The safety radius as a function of the regret L that counts as bad: a certified step curve.

The radius is the least cost of a policy with regret at least L, so as L grows it can only grow, and
it jumps only at regrets of deterministic policies. Between two of these lies at least `regret_gap`,
an exact number, which turns "just above g" into a question that `radius` answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, lcm
from os import PathLike

from symsafe import checker
from symsafe.certificate import Certificate
from symsafe.engine.limits import Limits
from symsafe.engine.question import Question
from symsafe.engine.tree import Progress
from symsafe.errors import CertificateRejected, InputError, UnsupportedError
from symsafe.exact import exact, format_fraction
from symsafe.model import SafetyProblem
from symsafe.model.files import make_folder
from symsafe.model.tables import read_whole
from symsafe.verdict import radius

__all__ = ["ProfileStep", "RadiusProfile", "radius_profile", "regret_gap"]

# Of the distance of two regrets; a certificate holds numbers of at most 20,000 digits.
MAX_GAP_BITS = 20_000
_LEAST_SECONDS = 1e-3


@dataclass(frozen=True, slots=True)
class ProfileStep:
    """The radius is the same for all L with ``above < L <= upto``.

    Attributes
    ----------
    above, upto : Fraction
        Regrets of deterministic policies (or 0), shares of the range of the return.
    radius : Fraction
        A share of the reward range.
    lower, upper : Certificate
        The first claims a radius of at least `radius` at the least L of the step (`above` plus the
        gap below which no policy's regret lies), the second one of at most `radius` at `upto`.
    """

    above: Fraction
    upto: Fraction
    radius: Fraction
    lower: Certificate
    upper: Certificate

    def __repr__(self) -> str:
        ends = f"{format_fraction(self.above)} < L <= {format_fraction(self.upto)}"
        return f"ProfileStep({ends}: {format_fraction(self.radius)})"


@dataclass(frozen=True, slots=True)
class RadiusProfile:
    """The step curve of the safety radius over L.

    Attributes
    ----------
    problem : SafetyProblem
        Its own L plays no part.
    gap : Fraction
        Two different regrets of deterministic policies differ by at least this.
    steps : tuple of ProfileStep
        In increasing order, each beginning where the one before it ends; radii increase.
    stopped : str or None
        The limit that ended the computation before L = 1.
    """

    problem: SafetyProblem
    gap: Fraction
    steps: tuple[ProfileStep, ...]
    stopped: str | None

    def at(self, regret: object) -> Fraction:
        """Return the safety radius for a regret L.

        Raises
        ------
        InputError
            If L is not in (0, 1], or beyond the last step.
        """
        asked = exact(regret, "regret")
        for step in self.steps:
            if step.above < asked <= step.upto:
                return step.radius
        end = self.steps[-1].upto if self.steps else Fraction(0)
        expected = f"a number in (0, {format_fraction(end)}]"
        raise InputError("regret", format_fraction(asked), expected)

    def check(self) -> None:
        """Verify every certificate, that each says what its step needs, and that steps are joined.

        What is trusted beside the checker: that the radius does not decrease in L, and `gap`.

        Raises
        ------
        CertificateRejected
            With the step.
        """
        end, last = Fraction(0), Fraction(-1)
        for number, step in enumerate(self.steps):
            place = f"steps[{number}]"
            lower, upper = _result(step.lower, place), _result(step.upper, place)
            alike = all(
                not c.differences(_with_regret(self.problem, r.regret))
                for c, r in ((step.lower, lower), (step.upper, upper))
            )
            joined = step.above == end and step.above < step.upto and last < step.radius
            begins = lower.regret <= step.above + self.gap and lower.lower == step.radius
            if not (alike and joined and begins):
                raise CertificateRejected(place, "profile", "the step does not follow from before")
            if upper.regret != step.upto or upper.upper != step.radius:
                raise CertificateRejected(place, "profile", "the step does not reach its end")
            end, last = step.upto, step.radius

    def save(self, folder: str | PathLike[str]) -> None:
        """Write the certificates of all steps: ``step-1-lower.json``, ``step-1-upper.json``, ...

        Raises
        ------
        InputError
            If the folder or a file cannot be written.
        """
        made = make_folder(folder, "certificates")
        for number, step in enumerate(self.steps, 1):
            step.lower.save(made / f"step-{number}-lower.json")
            step.upper.save(made / f"step-{number}-upper.json")

    def __repr__(self) -> str:
        end = format_fraction(self.steps[-1].upto if self.steps else Fraction(0))
        return f"RadiusProfile({len(self.steps)} steps up to L = {end})"


def radius_profile(
    problem: SafetyProblem,
    *,
    time_limit: float | None = None,
    max_steps: int | None = None,
    report: Callable[[Progress], None] | None = None,
) -> RadiusProfile:
    """Return the safety radius for every regret L in (0, 1] at once.

    Parameters
    ----------
    problem : SafetyProblem
        Without regularizer and open parameters; its own L and epsilon play no part.
    time_limit : float, optional
        Seconds in total, after which the curve ends early.
    max_steps : int, optional
        The curve ends early after so many steps.
    report : callable, optional
        Receives the `Progress` of each search.

    Returns
    -------
    RadiusProfile
        Complete, up to L = 1, unless a limit was reached (`RadiusProfile.stopped`).

    Raises
    ------
    InputError
        As `radius`, and for limits that are not positive.
    UnsupportedError
        For a regularised problem, and where the gap between regrets has too many digits.

    Notes
    -----
    Exact. At a start L the radius e is computed with a witness policy of regret g >= L: the curve
    is e on [L, g], as it cannot decrease. The next start is g plus `regret_gap`, above which lie
    exactly the policies with regret greater than g. One exact radius, NP-hard in general, for each
    policy that the curve meets; there may be exponentially many.

    Examples
    --------
    >>> from symsafe import MDP, DataDistribution, SafetyProblem
    >>> mdp = MDP.bandit({"s": {"a": 1, "b": "2/5", "c": 0}})
    >>> data = DataDistribution.from_table(mdp, {"s": {"a": "7/10", "b": "1/10", "c": "1/5"}})
    >>> profile = radius_profile(SafetyProblem(mdp, data, regret=1))
    >>> profile.steps
    (ProfileStep(0 < L <= 3/5: 3/50), ProfileStep(3/5 < L <= 1: 1/5))
    >>> profile.at("1/2")
    Fraction(3, 50)
    """
    if max_steps is not None:
        max_steps = read_whole(max_steps, "max_steps")
    with Limits(time_limit) as limits:
        question = Question.of(problem)
        question.require_unregularised()
        gap = regret_gap(question)
        steps: list[ProfileStep] = []
        reached, stopped = Fraction(0), None
        # One step more than asked for, as only its successor shows where a step ends.
        while reached < 1 and (max_steps is None or len(steps) <= max_steps):
            stopped = limits.reached()
            if stopped:
                break
            asked = _with_regret(problem, reached + gap)
            left = limits.remaining()
            left = None if left is None else max(left, _LEAST_SECONDS)
            verdict = radius(asked, time_limit=left, report=report)
            certificate = verdict.certificate
            if not verdict.is_exact or certificate is None:
                stopped = verdict.statistics.stopped or "no exact radius"
                break
            regret = _witness_regret(question, certificate)
            lower, upper = certificate, _claimed_at(certificate, regret)
            if steps and steps[-1].radius == verdict.lower:
                # Another policy costs the same and is worse: one step, not two.
                lower, reached = steps[-1].lower, steps.pop().above
            steps.append(ProfileStep(reached, regret, verdict.lower, lower, upper))
            reached = regret
    if max_steps is not None and len(steps) > max_steps:
        stopped = "step limit"
        steps = steps[:max_steps]
    profile = RadiusProfile(problem, gap, tuple(steps), stopped)
    profile.check()
    return profile


def regret_gap(question: Question) -> Fraction:
    """Return a positive number that two different regrets of deterministic policies differ by.

    Raises
    ------
    UnsupportedError
        If it has more than 20,000 bits.

    Notes
    -----
    Multiply row s of I - gamma P by the common denominator q(s) of the rows of its pairs: the
    matrix of every policy becomes one of integers, with a determinant of at most
    B = prod q(s) (1 + gamma) in absolute value, as the eigenvalues of gamma P have modulus at most
    gamma. By Cramer's rule its return is an integer over (determinant) r m, with the common
    denominator r of the products q R, and m of the initial distribution. So two different returns
    differ by at least 1 / (B^2 r m).

    Examples
    --------
    >>> from symsafe import MDP, DataDistribution, SafetyProblem
    >>> mdp = MDP.bandit({"s": {"a": 1, "b": "2/5", "c": 0}})
    >>> regret_gap(Question.of(SafetyProblem(mdp, DataDistribution.uniform(mdp), 1)))
    Fraction(1, 5)
    """
    mdp = question.mdp
    scales = [
        lcm(
            *(
                (question.discount * p).denominator
                for pair in pairs
                for _, p in question.successors[pair]
            )
        )
        for pairs in mdp.pair_ranges
    ]
    bound = Fraction(1)
    for scale in scales:
        bound *= scale * (1 + question.discount)
    rewards = lcm(
        *(
            (scales[state] * question.rewards[pair]).denominator
            for pair, state in enumerate(mdp.pair_states)
        )
    )
    start = lcm(*(p.denominator for p in question.initial))
    least = Fraction(1, ceil(bound) ** 2 * rewards * start)
    gap = least / (question.returns.maximum - question.returns.minimum)
    if gap.denominator.bit_length() > MAX_GAP_BITS:
        raise UnsupportedError(
            "the profile needs regrets told apart by a number of "
            f"{gap.denominator.bit_length()} bits here; the limit is {MAX_GAP_BITS}"
        )
    return min(gap, Fraction(1))


def _result(certificate: Certificate, place: str) -> checker.Result:
    found = certificate.check()
    if isinstance(found, checker.Region):
        raise CertificateRejected(place, "profile", "a region is no radius")
    return found


def _with_regret(problem: SafetyProblem, regret: Fraction) -> SafetyProblem:
    return SafetyProblem(problem.mdp, problem.data, regret)


def _witness_regret(question: Question, certificate: Certificate) -> Fraction:
    """Return the regret of the policy in a certificate of the radius."""
    values = certificate.document["evidence"]["witness"]["policy_value"]
    achieved = sum(
        (p * exact(v) for p, v in zip(question.initial, values, strict=True)), Fraction(0)
    )
    facts = question.returns
    return (facts.maximum - achieved) / (facts.maximum - facts.minimum)


def _claimed_at(certificate: Certificate, regret: Fraction) -> Certificate:
    """Return the certificate with another L, for which the same evidence holds, and check it."""
    claim = {**certificate.document["claim"], "regret": format_fraction(regret)}
    moved = Certificate({**certificate.document, "claim": claim})
    moved.check()
    return moved
