"""Theorem 4.1 on an instance: where optima of the true reward are good, some tolerance is safe."""

from __future__ import annotations

from fractions import Fraction

from symsafe.certificate import safe_certificate, soft_certificate
from symsafe.engine.penalty import Penalty, highest
from symsafe.engine.question import Question
from symsafe.engine.regularised import CaseNode, comparison
from symsafe.engine.soft_search import soft_gap
from symsafe.errors import EngineError
from symsafe.exact import format_fraction
from symsafe.model import SafetyProblem
from symsafe.theorems.report import Hypothesis, TheoremReport

__all__ = ["bounds", "verify"]

_SOURCE = "Fluri et al., ICML 2025; for every L and with a constant, ours"


def verify(problem: SafetyProblem) -> TheoremReport:
    """Verify Theorem 4.1 with a constant: epsilon < (1 - gamma) min D G_L / range R is safe.

    With f = J - lambda omega under the true reward, G_L is what f loses between its maximum and the
    best policy of regret at least L. The paper's statement has L = Reg(reference), where the
    reference minimises omega: then G_L = max f - f(reference).

    Parameters
    ----------
    problem : SafetyProblem
        With a regularizer; its epsilon plays no part.

    Returns
    -------
    TheoremReport
        If D > 0 everywhere and G_L > 0, with half of the bound as epsilon and a certificate that D
        is safe there.

    Raises
    ------
    InputError
        If the problem has no regularizer or open parameters, or its reward or return is constant.

    Notes
    -----
    Exact: two concave quadratic programmes. For ``kl`` G_L has no rational value, and a lower bound
    of it takes its place.

    Examples
    --------
    >>> from symsafe import MDP, DataDistribution, Regularizer
    >>> mdp = MDP.bandit({"s": {"a": 1, "b": 0}})
    >>> penalty = Regularizer(mdp, "tv", "1/2")
    >>> problem = SafetyProblem(mdp, DataDistribution.uniform(mdp), 1, regularizer=penalty)
    >>> verify(problem).constructed["bound"]
    Fraction(1, 2)
    """
    question = Question.of(problem)
    if problem.regularizer is not None and problem.regularizer.kind == "kl":
        return _of_kl(question, problem.regularizer.weight)
    penalty = Penalty.of(question)
    best, bad = highest(question, penalty), highest(question, penalty, bad=True)
    if best is None or bad is None:
        raise EngineError("a worst policy is bad, and yet none was found")
    least, gap = min(question.weights), best.value - bad.value
    hypotheses = (
        Hypothesis("D(s,a) > 0 for every pair", least > 0, least, {"min D": least}),
        Hypothesis("lambda > 0", penalty.weight > 0, penalty.weight, {"lambda": penalty.weight}),
        Hypothesis(
            "G_L = max f - max of f over policies with regret >= L is positive",
            gap > 0,
            gap,
            {"max f": best.value, "max of f over bad policies": bad.value},
        ),
    )
    found = {"G_L": gap}
    if not all(hypothesis.holds for hypothesis in hypotheses):
        return TheoremReport("theorem-4.1", _SOURCE, hypotheses, constructed=found)
    bound = _bound(question, gap)
    leaf = comparison(question, penalty, best)
    if leaf is None:
        raise EngineError("the gap is positive, and yet gives no bound")
    epsilon = bound / 2
    root = CaseNode(content=leaf, lower=leaf.cost)
    return TheoremReport(
        "theorem-4.1",
        _SOURCE,
        hypotheses,
        f"D is safe at epsilon = {format_fraction(epsilon)}",
        found | {"bound": bound, "epsilon": epsilon},
        safe_certificate(question, epsilon, root),
    )


def _of_kl(question: Question, weight: Fraction) -> TheoremReport:
    gap, least = soft_gap(question), min(question.weights)
    hypotheses = (
        Hypothesis("D(s,a) > 0 for every pair", least > 0, least, {"min D": least}),
        Hypothesis("lambda > 0", weight > 0, weight, {"lambda": weight}),
        Hypothesis(
            "G_L = max f - max of f over policies with regret >= L is positive",
            gap is not None,
            Fraction(0) if gap is None else gap.shortfall,
            {"a lower bound of G_L": Fraction(0) if gap is None else gap.shortfall},
        ),
    )
    if gap is None or least <= 0:
        return TheoremReport("theorem-4.1", _SOURCE, hypotheses)
    bound = _bound(question, gap.shortfall)
    found: dict[str, object] = {"G_L >=": gap.shortfall, "bound": bound}
    if question.problem.metric is not None:
        return TheoremReport(
            "theorem-4.1", _SOURCE, hypotheses, "in the mean absolute error", found
        )
    epsilon = min(bound, gap.cost / question.reward_range) / 2
    claim = {"kind": "safe", "epsilon": format_fraction(epsilon)}
    return TheoremReport(
        "theorem-4.1",
        _SOURCE,
        hypotheses,
        f"D is safe at epsilon = {format_fraction(epsilon)}",
        found | {"epsilon": epsilon},
        soft_certificate(question, claim, None, gap),
    )


def bounds(question: Question) -> tuple[Fraction, Fraction]:
    """Return the bound of the theorem and the same sharpened per pair, fractions of the range of R.

    Both are at most the safety radius, and 0 where the theorem says nothing.
    """
    given = question.problem.regularizer
    if given is not None and given.kind == "kl":
        gap = soft_gap(question)
        if gap is None:
            return Fraction(0), Fraction(0)
        return _bound(question, gap.shortfall), gap.cost / question.reward_range
    penalty = Penalty.of(question)
    best, bad = highest(question, penalty), highest(question, penalty, bad=True)
    if best is None or bad is None:
        raise EngineError("a worst policy is bad, and yet none was found")
    leaf = comparison(question, penalty, best)
    sharpened = Fraction(0) if leaf is None else leaf.cost / question.reward_range
    return _bound(question, best.value - bad.value), sharpened


def _bound(question: Question, gap: Fraction) -> Fraction:
    return (1 - question.discount) * min(question.weights) * gap / question.reward_range
