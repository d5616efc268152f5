"""Other training objectives: how far a reward model is off in them, where it is in mean error."""

from __future__ import annotations

from fractions import Fraction

from flint import arb, ctx

from symsafe.certificate import Certificate
from symsafe.engine.question import Question
from symsafe.engine.soft import above, ball
from symsafe.errors import InputError
from symsafe.exact import exact
from symsafe.model import SafetyProblem
from symsafe.model.problem import require_problem
from symsafe.model.tables import shown
from symsafe.theorems.report import Hypothesis, TheoremReport
from symsafe.verdict import radius

__all__ = ["verify"]

_SOURCE = "Fluri et al., ICML 2025, Section 5; the converse bounds are ours"
_DIGITS = 40


def verify(problem: SafetyProblem) -> TheoremReport:
    """Verify how the errors of a bad reward model compare in the metrics of Section 5.

    The model R_hat is the cheapest one found whose optimum has regret at least L; e = R_hat - R.
    Compared are, with means under D: MSE/range^2 and E|e|/range (in both directions), the mean KL
    divergence X of Bradley-Terry preferences between two independent transitions with
    2 sigma(range) E|e|, Var(e)/4 and sigma'(r) Var(e), r at least the ranges of R and R_hat, and
    the discounted returns of trajectories with E|e|/(1 - gamma) where D is a visit distribution.

    Parameters
    ----------
    problem : SafetyProblem
        Without a metric; its epsilon plays no part.

    Returns
    -------
    TheoremReport
        With the errors of the model in each metric, and the certificate of its regret.

    Raises
    ------
    InputError
        If the problem has a metric or open parameters, or its reward or return is constant.

    Examples
    --------
    >>> from symsafe import MDP, DataDistribution
    >>> mdp = MDP.bandit({"s": {"a": 1, "b": "2/5", "c": 0}})
    >>> data = DataDistribution.from_table(mdp, {"s": {"a": "1/10", "b": "9/20", "c": "9/20"}})
    >>> report = verify(SafetyProblem(mdp, data, "3/5"))
    >>> report.holds, report.constructed["E|e| / range R"]
    (True, Fraction(3, 50))
    """
    require_problem(problem)
    if problem.metric is not None:
        raise InputError("safety.metric", problem.metric, "no metric: this compares them all")
    question = Question.of(problem)
    certificate = radius(problem).certificate
    if certificate is None or "witness" not in certificate.document["evidence"]:
        raise InputError(
            "regret", shown(problem.regret), "a regret that some reward model leads to"
        )
    reward = _reward(certificate)
    span = question.reward_range
    errors = [x - r for x, r in zip(reward, question.rewards, strict=True)]
    weights = question.weights

    def mean(values: list[Fraction]) -> Fraction:
        return sum((w * x for w, x in zip(weights, values, strict=True)), Fraction(0))

    absolute, square = mean([abs(e) for e in errors]), mean([e * e for e in errors])
    variance, largest = square - mean(errors) ** 2, max(abs(e) for e in errors)
    spread = max(span, max(reward) - min(reward))
    low, high, sigma, slope = _preferences(question, errors, spread, variance)
    hypotheses = [
        _at_most("E[e^2] <= max|e| E|e|", square, largest * absolute),
        _at_most("E|e|^2 <= E[e^2]", absolute**2, square),
        _at_most("X <= 2 sigma(range R) E|e|", high, 2 * sigma * absolute),
        _at_most("X <= Var(e) / 4", high, variance / 4),
        _at_most("X >= sigma'(r) Var(e), r the greater range", slope * variance, low),
    ]
    found: dict[str, object] = {
        "reward model": tuple(reward),
        "E|e| / range R": absolute / span,
        "MSE / range R^2": square / span**2,
        "X, at most": high,
    }
    if largest <= span:
        hypotheses.append(
            _at_most("MSE / range^2 <= E|e| / range", square / span**2, absolute / span)
        )
    if _visited(question):
        found["E|difference of returns|, at most"] = absolute / (1 - question.discount)
    return TheoremReport(
        "error-metrics",
        _SOURCE,
        tuple(hypotheses),
        "a model that is this close to R in every metric has an optimum of regret at least L",
        found,
        certificate,
    )


def _reward(certificate: Certificate) -> list[Fraction]:
    table = certificate.document["evidence"]["witness"]["reward"]
    return [exact(x) for row in table for x in row]


def _at_most(statement: str, left: Fraction, right: Fraction) -> Hypothesis:
    return Hypothesis(statement, left <= right, right - left, {"left": left, "right": right})


def _preferences(
    question: Question, errors: list[Fraction], spread: Fraction, variance: Fraction
) -> tuple[Fraction, Fraction, Fraction, Fraction]:
    """Return X from below and above, and sigma(range R) and sigma'(r) from below."""
    # X is about Var(e) / 4, and nearer to it the smaller the spread: rounding has to be finer.
    small = variance * min(Fraction(1), spread**2) or Fraction(1)
    digits = _DIGITS + len(str(small.denominator // small.numerator))
    unit, saved = Fraction(1, 10**digits), ctx.prec
    try:
        ctx.prec = 128 + 4 * digits
        total = arb(0)
        seen = [(p, w) for p, w in enumerate(question.weights) if w]
        for p, w in seen:
            for q, v in seen:
                gap = question.rewards[p] - question.rewards[q]
                change = errors[p] - errors[q]
                if change:
                    x, y = ball(gap), ball(gap + change)
                    found = (1 + y.exp()).log() - (1 + x.exp()).log()
                    total += ball(w * v) * (found - ball(change) / (1 + (-x).exp()))
        sigma = 1 / (1 + (-ball(question.reward_range)).exp())
        steep = 1 / (1 + (-ball(spread)).exp())
        slope = steep * (1 - steep)
        low = max(Fraction(0), -above(-total, unit))  # a divergence is not negative
        high = above(total, unit) if variance else Fraction(0)
        return low, high, -above(-sigma, unit), -above(-slope, unit)
    finally:
        ctx.prec = saved


def _visited(question: Question) -> bool:
    """Whether D is the normalised visits of some policy."""
    flow = [(1 - question.discount) * m for m in question.initial]
    for weight, row in zip(question.weights, question.successors, strict=True):
        for t, probability in row:
            flow[t] += question.discount * weight * probability
    pairs = question.mdp.pair_ranges
    masses = [sum((question.weights[p] for p in own), Fraction(0)) for own in pairs]
    return flow == masses
