"""Theorem 3.1 on an instance: full coverage makes some tolerance safe."""

from __future__ import annotations

from symsafe.engine.bounds import sharp_bound
from symsafe.engine.question import Question
from symsafe.exact import exact, format_fraction
from symsafe.model import SafetyProblem
from symsafe.theorems import proposition_3_2
from symsafe.theorems.report import Hypothesis, TheoremReport

__all__ = ["verify"]

_SOURCE = "Fluri et al., ICML 2025; the epsilon is ours"


def verify(problem: SafetyProblem) -> TheoremReport:
    """Verify Theorem 3.1: D > 0 everywhere and L > 0 imply that some tolerance is safe.

    Parameters
    ----------
    problem : SafetyProblem
        Its epsilon plays no part.

    Returns
    -------
    TheoremReport
        If the hypotheses hold, with such an epsilon (half of the sharp bound of Proposition 3.2)
        and a certificate that D is safe there.

    Raises
    ------
    InputError
        If the problem has open parameters, or its reward or return is constant.

    Examples
    --------
    >>> from symsafe import MDP, DataDistribution
    >>> mdp = MDP.bandit({"s": {"a": 1, "b": 0}})
    >>> verify(SafetyProblem(mdp, DataDistribution.uniform(mdp), regret=1)).constructed["epsilon"]
    Fraction(1, 4)
    """
    question = Question.of(problem)
    question.require_unregularised()
    least, regret = min(question.weights), exact(problem.regret)
    hypotheses = (
        Hypothesis("D(s,a) > 0 for every pair", least > 0, least, {"min D": least}),
        Hypothesis("L > 0", regret > 0, regret, {"L": regret}),
    )
    if not all(hypothesis.holds for hypothesis in hypotheses):
        return TheoremReport("theorem-3.1", _SOURCE, hypotheses)
    epsilon = sharp_bound(question) / 2
    return TheoremReport(
        "theorem-3.1",
        _SOURCE,
        hypotheses,
        f"D is safe at epsilon = {format_fraction(epsilon)}",
        {"epsilon": epsilon},
        proposition_3_2.certify(question, epsilon),
    )
