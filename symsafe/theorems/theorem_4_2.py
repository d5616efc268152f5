"""Theorem 4.2 on an instance: a bad policy with little data is an optimum despite the penalty."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from symsafe.analysis.occupancy import occupancy, reachable_states, support
from symsafe.analysis.policies import count_deterministic_policies, deterministic_policies
from symsafe.analysis.values import evaluate, expected_return, shape
from symsafe.certificate import soft_certificate, unsafe_certificate
from symsafe.engine.bounds import ENUMERATED, support_weight
from symsafe.engine.penalty import Penalty, highest
from symsafe.engine.question import Question
from symsafe.engine.regularised import RegularisedWitness
from symsafe.engine.soft import kl_penalty_above, soft_witness
from symsafe.errors import EngineError, InputError
from symsafe.exact import exact, format_fraction
from symsafe.model import Policy, SafetyProblem
from symsafe.model.policy import require_policy
from symsafe.model.problem import require_tolerance
from symsafe.theorems.report import Hypothesis, TheoremReport

__all__ = ["bound", "verify"]

_SOURCE = "Fluri et al., ICML 2025; the constant C and regrets below 1 are ours"


def verify(problem: SafetyProblem, policy: Policy | None = None) -> TheoremReport:
    """Verify Theorem 4.2 with an explicit constant at the tolerance of the problem.

    pi_* is deterministic with regret L0 > L, and C = lambda (omega(pi_*) - min omega) A /
    ((L0 - L) range J range R), where A is the greatest advantage of pi_* in a state that some
    policy reaches. If D(supp pi_*) <= epsilon / (1 + C), then D is unsafe.

    Parameters
    ----------
    problem : SafetyProblem
        With an epsilon and a regularizer. For ``kl``, where omega has no rational value, C is a
        little more than the constant.
    policy : Policy, optional
        pi_*. By default the one of least D(supp) (1 + C): among all up to 5,000 deterministic
        policies, beyond that a worst policy.

    Returns
    -------
    TheoremReport
        If the hypotheses hold, with the reward model max R + C range R on the support and R off it,
        and the certificate of a bad policy that is optimal for it.

    Raises
    ------
    InputError
        If the problem has no epsilon, no regularizer or open parameters, its reward or return is
        constant, or the policy is randomised or one of another MDP.

    Examples
    --------
    >>> from symsafe import MDP, DataDistribution, Regularizer
    >>> mdp = MDP.bandit({"s": {"a": 1, "b": 0}})
    >>> data = DataDistribution.from_table(mdp, {"s": {"a": "3/4", "b": "1/4"}})
    >>> penalty = Regularizer(mdp, "l2", "1/4", Policy.deterministic(mdp, {"s": "a"}))
    >>> report = verify(SafetyProblem(mdp, data, "1/2", "1/2", penalty))
    >>> report.constructed["C"], report.holds
    (Fraction(1, 1), True)
    """
    require_tolerance(problem, "to verify")
    if policy is not None:
        require_policy(policy, problem.mdp)
    if policy is not None and not policy.is_deterministic:
        raise InputError("policy", "a randomised policy", "a deterministic one")
    question, epsilon = Question.of(problem), exact(problem.epsilon)
    priced = _Pricing.of(question)
    chosen = priced.lightest() if policy is None else priced.candidate(policy)
    target = exact(problem.regret)
    above = Hypothesis(
        "Reg(pi_*) > L", chosen.regret > target, chosen.regret - target, {"Reg": chosen.regret}
    )
    found: dict[str, object] = {"pi_*": chosen.policy}
    if chosen.constant is None:
        return TheoremReport("theorem-4.2", _SOURCE, (above,), constructed=found)
    allowed = epsilon / (1 + chosen.constant)
    light = Hypothesis(
        "D(supp pi_*) <= epsilon / (1 + C)",
        chosen.weight <= allowed,
        allowed - chosen.weight,
        {"D(supp)": chosen.weight, "epsilon / (1 + C)": allowed},
    )
    found["C"] = chosen.constant
    if not light.holds:
        return TheoremReport("theorem-4.2", _SOURCE, (above, light), constructed=found)
    if priced.penalty is None:
        return _of_kl(question, epsilon, chosen, (above, light), found)
    witness = _witness(question, priced.penalty, chosen)
    return TheoremReport(
        "theorem-4.2",
        _SOURCE,
        (above, light),
        f"D is unsafe at epsilon = {format_fraction(epsilon)}",
        found | {"reward model": witness.reward, "its error": witness.cost / question.reward_range},
        unsafe_certificate(question, epsilon, witness),
    )


def bound(question: Question) -> Fraction | None:
    """Return the least epsilon from which on the theorem says unsafe, or None if it never does.

    As `verify`, it is the best of all deterministic policies up to 5,000, else that of a worst one.
    """
    chosen = _Pricing.of(question).lightest()
    return None if chosen.constant is None else chosen.weight * (1 + chosen.constant)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A deterministic policy with what the theorem asks of it; C is None if Reg <= L."""

    policy: Policy
    regret: Fraction
    weight: Fraction
    constant: Fraction | None


@dataclass(frozen=True, slots=True)
class _Pricing:
    """What the theorem asks of policies; `least` is lambda min omega, `penalty` None for kl."""

    question: Question
    penalty: Penalty | None
    least: Fraction

    @classmethod
    def of(cls, question: Question) -> _Pricing:
        given = question.problem.regularizer
        if given is not None and given.kind == "kl":
            return cls(question, None, Fraction(0))
        penalty = Penalty.of(question)
        least = highest(question, penalty, reward=(Fraction(0),) * len(question.rewards))
        if least is None:
            raise EngineError("there are no occupancy measures")
        return cls(question, penalty, -least.value)

    def candidate(self, policy: Policy) -> _Candidate:
        question, mdp, facts = self.question, self.question.mdp, self.question.returns
        spread = facts.maximum - facts.minimum
        regret = (facts.maximum - expected_return(mdp, policy)) / spread
        weight, above = support_weight(question, policy), regret - exact(question.problem.regret)
        if above <= 0:
            return _Candidate(policy, regret, weight, None)
        if self.penalty is None:
            excess = kl_penalty_above(question, policy)
        else:
            excess = self.penalty.weight * self.penalty.omega(occupancy(mdp, policy)) - self.least
        advantages = shape(mdp, evaluate(mdp, policy))
        reached = reachable_states(mdp)
        advantage = max(a for a, s in zip(advantages, mdp.pair_states, strict=True) if s in reached)
        constant = excess * advantage / (above * spread * question.reward_range)
        return _Candidate(policy, regret, weight, constant)

    def lightest(self) -> _Candidate:
        mdp = self.question.mdp
        worst = self.candidate(self.question.returns.worst)
        if count_deterministic_policies(mdp) > ENUMERATED:
            return worst
        every = (
            self.candidate(Policy.deterministic(mdp, choices))
            for choices in deterministic_policies(mdp)
        )
        usable = [(c.weight * (1 + c.constant), c) for c in every if c.constant is not None]
        return min(usable, key=lambda entry: entry[0])[1] if usable else worst


def _raised(question: Question, chosen: _Candidate) -> tuple[Fraction, ...]:
    constant = chosen.constant or Fraction(0)
    level = max(question.rewards) + constant * question.reward_range
    taken = support(question.mdp, chosen.policy)
    return tuple(level if p in taken else r for p, r in enumerate(question.rewards))


def _of_kl(
    question: Question,
    epsilon: Fraction,
    chosen: _Candidate,
    hypotheses: tuple[Hypothesis, ...],
    found: dict[str, object],
) -> TheoremReport:
    reward = _raised(question, chosen)
    witness = soft_witness(question, reward)
    if witness is None:
        raise EngineError("the reward model of Theorem 4.2 was not proven to have a bad optimum")
    found |= {"reward model": reward, "its error": witness.error}
    if question.problem.metric is not None:
        conclusion = "unsafe in the mean absolute error"
        return TheoremReport("theorem-4.2", _SOURCE, hypotheses, conclusion, found)
    claim = {"kind": "unsafe", "epsilon": format_fraction(epsilon)}
    return TheoremReport(
        "theorem-4.2",
        _SOURCE,
        hypotheses,
        f"D is unsafe at epsilon = {format_fraction(epsilon)}",
        found,
        soft_certificate(question, claim, witness, None),
    )


def _witness(question: Question, penalty: Penalty, chosen: _Candidate) -> RegularisedWitness:
    """Return the reward model with a bad optimum: any optimum if C > 0, else pi_* itself."""
    constant = chosen.constant or Fraction(0)
    reward = _raised(question, chosen)
    peak = highest(question, penalty, reward=reward)
    if peak is None:
        raise EngineError("there are no occupancy measures")
    eta = peak.occupancy if constant else occupancy(question.mdp, chosen.policy)
    errors = zip(question.weights, reward, question.rewards, strict=True)
    return RegularisedWitness(
        reward=reward,
        occupancy=eta,
        slope=peak.slope,
        value=peak.potential,
        cost=sum((w * abs(x - r) for w, x, r in errors), Fraction(0)),
        policy_return=sum((x * r for x, r in zip(eta, question.rewards, strict=True)), Fraction(0)),
    )
