"""Theorem 6.1 on an instance: a rare bad action per prompt makes KL-regularised RLHF unsafe."""

from __future__ import annotations

from fractions import Fraction

from symsafe.certificate import soft_certificate
from symsafe.engine.preferences import (
    paper_threshold,
    raised_rewards,
    regret_reward,
    smallest_raises,
)
from symsafe.engine.question import Question
from symsafe.engine.soft import Softness, soft_witness
from symsafe.errors import EngineError, InputError
from symsafe.exact import exact, format_fraction
from symsafe.model import SafetyProblem
from symsafe.model.problem import require_tolerance
from symsafe.theorems.report import Hypothesis, TheoremReport

__all__ = ["cost", "verify"]

_PAPER = "Fluri et al., ICML 2025, Theorem 6.1"
_OURS = "a stronger form of Theorem 6.1 of Fluri et al., ICML 2025, ours"


def verify(problem: SafetyProblem, *, sharp: bool = False) -> TheoremReport:
    """Verify Theorem 6.1 at the tolerance of a problem with preferences and a KL penalty.

    With R_L(s) = (1 - L) max R(s, .) + L min R(s, .), the paper asks in each prompt s for an action
    a with R(s, a) < R_L(s) and ref(a|s) <= (R_L - R(s, a)) / L * range R(s, .) /
    exp(range R(s, .) / lambda) * epsilon^2 / (4 lambda^2). The stronger form asks that the smallest
    raises of one such action per prompt together cost at most epsilon.

    Parameters
    ----------
    problem : SafetyProblem
        With an epsilon, a regret strictly between 0 and 1, a ``kl`` regularizer and the metric
        ``preferences``.
    sharp : bool
        Verify the stronger form.

    Returns
    -------
    TheoremReport
        One hypothesis per prompt that says how far ref(a|s) is from the threshold, or for the
        stronger form one on the total; and the raised reward model with the certificate that the
        optimum for it is bad.

    Raises
    ------
    InputError
        If the problem is not of this kind.

    Examples
    --------
    >>> from symsafe import MDP, DataDistribution, Regularizer
    >>> mdp = MDP.bandit({"prompt": {"good": 1, "bad": 0}})
    >>> reference = {"prompt": {"good": "999/1000", "bad": "1/1000"}}
    >>> penalty = Regularizer.from_table(mdp, {"kind": "kl", "weight": 1, "reference": reference})
    >>> data = DataDistribution.from_table(mdp, reference)
    >>> problem = SafetyProblem(mdp, data, "1/2", "9/1000", penalty, "preferences")
    >>> verify(problem).holds, verify(problem, sharp=True).holds
    (False, True)
    """
    require_tolerance(problem, "to verify")
    if problem.metric != "preferences":
        raise InputError("safety.metric", problem.metric, "preferences, which the theorem is about")
    question, epsilon = Question.of(problem), exact(problem.epsilon)
    regret = exact(problem.regret)
    if not 0 < regret < 1:
        raise InputError("regret", format_fraction(regret), "a number strictly between 0 and 1")
    raises = smallest_raises(question)
    total = cost(question)
    found: dict[str, object] = {}
    if total is not None:
        names = question.mdp.pairs
        chosen = {names[x.pair]: x.amount for x in raises.values() if x is not None}
        found = {
            "raises": tuple(f"{s}: {a} by {format_fraction(r)}" for (s, a), r in chosen.items())
        }
        found["their cost"] = total
    if sharp:
        hypotheses: tuple[Hypothesis, ...] = (
            *(_exists(question, s) for s, x in raises.items() if x is None),
        )
        if total is not None:
            statement, values = (
                "the smallest raises cost at most epsilon",
                {"cost": total, "epsilon": epsilon},
            )
            hypotheses += (Hypothesis(statement, total <= epsilon, epsilon - total, values),)
    else:
        hypotheses = tuple(_threshold(question, s, epsilon) for s in raises)
    source = _OURS if sharp else _PAPER
    if not all(h.holds for h in hypotheses):
        return TheoremReport("theorem-6.1", source, hypotheses, constructed=found)
    reward = raised_rewards(question)
    witness = None if reward is None else soft_witness(question, reward)
    if witness is None or witness.error > epsilon:
        raise EngineError("the reward model of Theorem 6.1 was not proven to be as it says")
    claim = {"kind": "unsafe", "epsilon": format_fraction(epsilon)}
    return TheoremReport(
        "theorem-6.1",
        source,
        hypotheses,
        f"D is unsafe at epsilon = {format_fraction(epsilon)}",
        found | {"reward model": witness.reward, "its error": witness.error},
        soft_certificate(question, claim, witness, None),
    )


def cost(question: Question) -> Fraction | None:
    """Return what the smallest raises cost together, or None where a prompt has no bad action."""
    total = Fraction(0)
    for state, chosen in smallest_raises(question).items():
        if chosen is None:
            return None
        total += question.initial[state] * chosen.divergence
    return total / question.reward_range


def _exists(question: Question, state: int) -> Hypothesis:
    """State the hypothesis that fails where all actions of a prompt are equally good."""
    level = regret_reward(question, state)
    least = min(question.rewards[p] for p in question.mdp.pair_ranges[state])
    name = question.mdp.states[state]
    values = {"R_L": level, "min R": least}
    return Hypothesis(f"{name}: some action has R < R_L", False, level - least, values)


def _threshold(question: Question, state: int, epsilon: Fraction) -> Hypothesis:
    """State how far the best choice of a bad action is from the threshold."""
    level, reference = regret_reward(question, state), Softness.of(question).reference
    pairs = [p for p in question.mdp.pair_ranges[state] if question.rewards[p] < level]
    if not pairs:
        return _exists(question, state)
    limits = {p: paper_threshold(question, state, p, epsilon) for p in pairs}
    best = max(pairs, key=lambda p: limits[p] - reference[p])
    name, action = question.mdp.pairs[best]
    return Hypothesis(
        f"{name}: ref({action}) is at most the threshold",
        reference[best] <= limits[best],
        limits[best] - reference[best],
        {f"ref({action})": reference[best], "threshold": limits[best]},
    )
