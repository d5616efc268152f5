"""Proposition 3.3 on an instance: a bad policy that the data rarely shows makes D unsafe."""

from __future__ import annotations

from symsafe.analysis.occupancy import support
from symsafe.analysis.values import expected_return
from symsafe.certificate import unsafe_certificate
from symsafe.engine.bounds import lightest_bad_policy, support_weight
from symsafe.engine.question import Question
from symsafe.engine.witness import Witness, witness_of
from symsafe.exact import exact, format_fraction
from symsafe.model import Policy, SafetyProblem
from symsafe.model.policy import require_policy
from symsafe.model.problem import require_tolerance
from symsafe.theorems.report import Hypothesis, TheoremReport

__all__ = ["raise_support", "verify"]

_SOURCE = "Fluri et al., ICML 2025, in the non-strict form"


def verify(problem: SafetyProblem, policy: Policy | None = None) -> TheoremReport:
    """Verify Proposition 3.3 at the tolerance of the problem.

    Parameters
    ----------
    problem : SafetyProblem
        With an epsilon.
    policy : Policy, optional
        The bad policy, possibly randomised. By default a deterministic one whose support carries
        little data: the least of all up to 5,000 policies, beyond that by local search.

    Returns
    -------
    TheoremReport
        If Reg(policy) >= L and D(supp policy) <= epsilon, with the reward model that is max R on
        the support and R elsewhere, and a certificate that D is unsafe at epsilon.

    Raises
    ------
    InputError
        If the problem has no epsilon or open parameters, its reward or return is constant, or the
        policy is one of another MDP.

    Examples
    --------
    >>> from symsafe import MDP, DataDistribution
    >>> mdp = MDP.bandit({"s": {"a": 1, "b": 0}})
    >>> data = DataDistribution.from_table(mdp, {"s": {"a": "9/10", "b": "1/10"}})
    >>> report = verify(SafetyProblem(mdp, data, regret=1, epsilon="1/10"))
    >>> report.constructed["policy"], report.constructed["reward model"]
    (Policy(s: b), (Fraction(1, 1), Fraction(1, 1)))
    """
    require_tolerance(problem, "to verify")
    if policy is not None:
        require_policy(policy, problem.mdp)
    question, epsilon = Question.of(problem), exact(problem.epsilon)
    question.require_unregularised()
    among = "given"
    if policy is None:
        policy, least = lightest_bad_policy(question)
        among = "the lightest bad one" if least else "the lightest bad one that was found"
    facts, target = question.returns, exact(problem.regret)
    regret = (facts.maximum - expected_return(problem.mdp, policy)) / (
        facts.maximum - facts.minimum
    )
    weight = support_weight(question, policy)
    hypotheses = (
        Hypothesis("Reg(policy) >= L", regret >= target, regret - target, {"Reg": regret}),
        Hypothesis(
            "D(supp policy) <= epsilon",
            weight <= epsilon,
            epsilon - weight,
            {"D(supp)": weight, "epsilon": epsilon},
        ),
    )
    chosen = {"policy": policy, "policy is": among}
    if not all(hypothesis.holds for hypothesis in hypotheses):
        return TheoremReport("proposition-3.3", _SOURCE, hypotheses, constructed=chosen)
    witness = raise_support(question, policy)
    return TheoremReport(
        "proposition-3.3",
        _SOURCE,
        hypotheses,
        f"D is unsafe at epsilon = {format_fraction(epsilon)}",
        chosen
        | {"reward model": witness.reward, "its error": witness.cost / question.reward_range},
        unsafe_certificate(question, epsilon, witness),
    )


def raise_support(question: Question, policy: Policy) -> Witness:
    """Return the witness that pays max R on the support of a policy, and R elsewhere.

    The policy earns the greatest reward in every step, so it is optimal; the potential
    max R / (1 - gamma), the same in every state, proves it.
    """
    taken, top = support(question.mdp, policy), max(question.rewards)
    reward = tuple(top if pair in taken else r for pair, r in enumerate(question.rewards))
    value = (top / (1 - question.discount),) * len(question.initial)
    return witness_of(question, policy, reward, value)
