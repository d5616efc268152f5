"""Proposition 3.2 on an instance: an error below the bound keeps the regret below L."""

from __future__ import annotations

from fractions import Fraction

from symsafe.analysis.occupancy import occupancy
from symsafe.certificate import Certificate, safe_certificate
from symsafe.engine.bounds import below_root_half, sharp_bound
from symsafe.engine.leaves import CirculationLeaf
from symsafe.engine.question import Question
from symsafe.engine.tree import trivial_root
from symsafe.exact import exact, format_fraction
from symsafe.model import SafetyProblem
from symsafe.model.problem import require_tolerance
from symsafe.theorems.report import Hypothesis, TheoremReport

__all__ = ["certify", "verify"]


def verify(problem: SafetyProblem, *, sharp: bool = False) -> TheoremReport:
    """Verify Proposition 3.2 at the tolerance of the problem.

    Parameters
    ----------
    problem : SafetyProblem
        With an epsilon.
    sharp : bool
        Without the factor 1/sqrt(2): ours, proven in proofs/proposition_3_2.py.

    Returns
    -------
    TheoremReport
        If epsilon is below the bound, with a certificate that D is safe at epsilon.

    Raises
    ------
    InputError
        If the problem has no epsilon or open parameters, or its reward or return is constant.

    Notes
    -----
    Exact, in polynomial time: the certificate is the proof of the proposition itself.

    Examples
    --------
    >>> from symsafe import MDP, DataDistribution
    >>> mdp = MDP.bandit({"s": {"a": 1, "b": 0}})
    >>> problem = SafetyProblem(mdp, DataDistribution.uniform(mdp), regret=1, epsilon="2/5")
    >>> verify(problem).holds, verify(problem, sharp=True).holds
    (False, True)
    """
    require_tolerance(problem, "to verify")
    epsilon = exact(problem.epsilon)
    question = Question.of(problem)
    question.require_unregularised()
    bound = limit = sharp_bound(question)
    wording = "SHARP"
    if not sharp:
        wording = "SHARP / sqrt(2)"
        limit = _rounded_bound(bound, epsilon)
    hypothesis = Hypothesis(
        f"epsilon < {wording}, where SHARP = (1 - gamma) (range J / range R) min D L",
        epsilon < limit,
        limit - epsilon,
        {"epsilon": epsilon, "SHARP": bound}
        | ({} if sharp else {f"{wording}, rounded down": limit}),
    )
    source = "without the factor 1/sqrt(2); ours" if sharp else "Fluri et al., ICML 2025"
    report = TheoremReport("proposition-3.2", source, (hypothesis,))
    if not hypothesis.holds:
        return report
    return TheoremReport(
        report.name,
        source,
        report.hypotheses,
        f"D is safe at epsilon = {format_fraction(epsilon)}",
        {"bound": limit},
        certify(question, epsilon),
    )


def certify(question: Question, epsilon: Fraction) -> Certificate:
    """Return the proof of the sharp proposition at this instance, as a certificate of one leaf.

    With kappa = (1 - gamma) min D, the flow kappa eta* of an optimal policy and the bound
    1/(1 - gamma) of every occupancy, the coupled circulation shows that each bad policy costs at
    least kappa (max J - b) = SHARP range R.

    Parameters
    ----------
    question : Question
    epsilon : Fraction
        Below `sharp_bound`; anything else is refused by the checker.

    Raises
    ------
    CertificateRejected
        If epsilon is not below the bound.
    """
    kappa = (1 - question.discount) * min(question.weights)
    flow = tuple(kappa * x for x in occupancy(question.mdp, question.returns.optimal))
    root = trivial_root(question)
    root.content = CirculationLeaf.of(sharp_bound(question) * question.reward_range, kappa, flow)
    return safe_certificate(question, epsilon, root)


def _rounded_bound(bound: Fraction, epsilon: Fraction) -> Fraction:
    """Return bound / sqrt(2), rounded down so finely that it decides about epsilon."""
    digits, below = 12, 2 * epsilon**2 < bound**2
    limit = below_root_half(bound, digits)
    while below and limit <= epsilon:
        digits *= 2
        limit = below_root_half(bound, digits)
    return limit
