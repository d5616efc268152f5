"""Theorem 3.5 on an instance: the safe distributions are those with M D > epsilon range R."""

from __future__ import annotations

from fractions import Fraction

from symsafe.analysis.values import optimal_values
from symsafe.certificate import Certificate, unsafe_certificate
from symsafe.engine.matrix import SafetyMatrix, safety_matrix
from symsafe.engine.question import Question
from symsafe.engine.witness import witness_of
from symsafe.errors import EngineError
from symsafe.exact import exact, format_fraction
from symsafe.model import SafetyProblem
from symsafe.theorems.report import Hypothesis, TheoremReport
from symsafe.verdict import decide, radius

__all__ = ["verify"]

_SOURCE = "Fluri et al., ICML 2025; the rows are ours"


def verify(problem: SafetyProblem) -> TheoremReport:
    """Verify Theorem 3.5: find M, and what it says of the data distribution of the problem.

    Parameters
    ----------
    problem : SafetyProblem
        With an epsilon: safe or unsafe there. Without: the exact safety radius.

    Returns
    -------
    TheoremReport
        With the irredundant M and the product M D. The certificate of an unsafe D is the witness of
        a row; that of a safe D, or of the radius, comes from the search over policies, which knows
        nothing of M.

    Raises
    ------
    InputError
        If the problem has open parameters, or its reward or return is constant.
    UnsupportedError
        If the MDP is too large to enumerate M (`symsafe.engine.matrix.safety_matrix`).
    EngineError
        If M and the search disagree, which would be an error in symsafe.

    Examples
    --------
    >>> from symsafe import MDP, DataDistribution
    >>> mdp = MDP.bandit({"s": {"a": 1, "b": 0}})
    >>> report = verify(SafetyProblem(mdp, DataDistribution.uniform(mdp), regret=1))
    >>> report.conclusion
    'the safety radius of D is min M D / range R = 1/2'
    """
    question = Question.of(problem)
    question.require_unregularised()
    returned = question.returns.maximum - question.returns.minimum
    hypotheses = (
        Hypothesis("range R > 0", True, question.reward_range, {"range R": question.reward_range}),
        Hypothesis("range J > 0", True, returned, {"range J": returned}),
    )
    matrix = safety_matrix(question)
    least = matrix.radius(question.weights)
    if problem.epsilon is None:
        conclusion = f"the safety radius of D is min M D / range R = {format_fraction(least)}"
        certificate = _agreed(radius(problem).certificate, "radius", least)
    else:
        epsilon = exact(problem.epsilon)
        relation, word = (">", "safe") if least > epsilon else ("<=", "unsafe")
        conclusion = (
            f"min M D / range R = {format_fraction(least)} {relation} epsilon, "
            f"so D is {word} at epsilon = {format_fraction(epsilon)}"
        )
        if least > epsilon:
            certificate = _agreed(decide(problem).certificate, "safe", epsilon)
        else:
            certificate = _from_row(question, matrix, epsilon)
    rows = tuple(row.entries for row in matrix.rows)
    products = tuple(matrix.products(question.weights))
    return TheoremReport(
        "theorem-3.5",
        _SOURCE,
        hypotheses,
        conclusion,
        {"M": rows, "M D": products},
        certificate,
    )


def _agreed(certificate: Certificate | None, kind: str, number: Fraction) -> Certificate:
    """Return the certificate if its claim is what M says."""
    claim = {} if certificate is None else certificate.document["claim"]
    text = format_fraction(number)
    numbers = [claim[key] for key in ("epsilon", "lower", "upper") if key in claim]
    if certificate is None or certificate.kind != kind or set(numbers) != {text}:
        raise EngineError(f"M says {kind} with {text}, the search over policies says {claim}")
    return certificate


def _from_row(question: Question, matrix: SafetyMatrix, epsilon: Fraction) -> Certificate:
    """Return the certificate that the witness of the least row gives."""
    products = list(matrix.products(question.weights))
    row = matrix.rows[products.index(min(products))]
    value, _ = optimal_values(question.mdp, row.reward)
    witness = witness_of(question, row.policy, row.reward, value)
    return unsafe_certificate(question, epsilon, witness)
