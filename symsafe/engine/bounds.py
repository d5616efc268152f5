"""Bounds of the safety radius that are cheaper than the radius: the paper's, and sharper ones.

Every number is exact and a fraction of the reward range. Never searches for the radius itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

from symsafe.analysis.linear_program import maximise
from symsafe.analysis.occupancy import occupancy, support
from symsafe.analysis.policies import count_deterministic_policies, deterministic_policies
from symsafe.analysis.values import expected_return, optimal_values
from symsafe.engine.question import Question
from symsafe.engine.witness import bellman_rows
from symsafe.errors import EngineError
from symsafe.model import Policy

__all__ = [
    "Bounds",
    "below_root_half",
    "bounds",
    "lightest_bad_policy",
    "sharp_bound",
    "support_weight",
]

ENUMERATED = 5_000
"""Up to so many deterministic policies, the upper bounds are minima over all bad ones."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Lower and upper bounds of the safety radius: ``sharp <= b0 <= b1 <= b2 <= radius``.

    Attributes
    ----------
    paper : Fraction
        Proposition 3.2 of the paper, (1 - gamma)/sqrt(2) * (range J / range R) * min D * L,
        rounded down to 12 decimals relative to `sharp` (it is irrational).
    sharp : Fraction
        The same without the factor 1/sqrt(2). Ours.
    b0, b1, b2 : Fraction
        Instance bounds by occupancy: by the greatest visits of a state; by the greatest change of
        occupancy that leaves a policy bad; by the best ratio of regret to that change. Ours.
    family : Fraction
        Least error of a witness that pays one constant on a bad policy's support. Ours.
    proposition_3_3 : Fraction
        Least data weight of a bad policy's support (the paper, in its non-strict form).
    upper_is_exact : bool
        Whether the two upper bounds are minima over all bad deterministic policies, or only over
        those that a local search met.
    """

    paper: Fraction
    sharp: Fraction
    b0: Fraction
    b1: Fraction
    b2: Fraction
    family: Fraction
    proposition_3_3: Fraction
    upper_is_exact: bool


def bounds(question: Question) -> Bounds:
    """Return all bounds of a question.

    Notes
    -----
    Exact. The lower bounds take at most 4 linear programmes per pair; the upper bounds enumerate
    up to 5,000 policies, or follow a local search.
    """
    question.require_unregularised()
    sharp = sharp_bound(question)
    chosen, exact_minimum = _bad_policies(question)
    return Bounds(
        paper=below_root_half(sharp),
        sharp=sharp,
        b0=_b0(question),
        b1=_b1(question),
        b2=_b2(question),
        family=min(_family(question, policy) for policy in chosen),
        proposition_3_3=min(support_weight(question, policy) for policy in chosen),
        upper_is_exact=exact_minimum,
    )


def _scaled_regret(question: Question) -> Fraction:
    """Return L * range J / range R."""
    return (question.returns.maximum - question.bad_return) / question.reward_range


def sharp_bound(question: Question) -> Fraction:
    """Return SHARP, Proposition 3.2 without the factor 1/sqrt(2)."""
    return (1 - question.discount) * _scaled_regret(question) * min(question.weights)


def below_root_half(number: Fraction, digits: int = 12) -> Fraction:
    """Return number / sqrt(2), rounded down to so many decimals relative to `number`."""
    scale = 10**digits
    return number * Fraction(isqrt(scale * scale // 2), scale)


def _b0(question: Question) -> Fraction:
    mdp = question.mdp
    ratios = []
    for state, pairs in enumerate(mdp.pair_ranges):
        visited = [Fraction(int(s == state)) for s in mdp.pair_states]
        values, _ = optimal_values(mdp, visited)
        visits = sum((p * v for p, v in zip(question.initial, values, strict=True)), Fraction(0))
        if visits:
            ratios += [question.weights[pair] / visits for pair in pairs]
    return _scaled_regret(question) * min(ratios)


def _b1(question: Question) -> Fraction:
    """Maximise the change of occupancy per pair over bad occupancy measures."""
    best = occupancy(question.mdp, question.returns.optimal)
    count = len(best)
    # Columns: eta, and the slack of <eta, R> <= b.
    rows = [*bellman_rows(question), {**dict(enumerate(question.rewards)), count: Fraction(1)}]
    right = [*question.initial, question.bad_return]
    changes = []
    for pair in range(count):
        for sign in (1, -1):
            objective = [Fraction(0)] * (count + 1)
            objective[pair] = Fraction(-sign)
            changes.append((pair, sign * best[pair] + _optimum(objective, rows, right)))
    return _scaled_regret(question) * min(
        question.weights[pair] / change for pair, change in changes if change > 0
    )


def _b2(question: Question) -> Fraction:
    """Maximise change of occupancy per lost return, by Charnes and Cooper's substitution."""
    best = occupancy(question.mdp, question.returns.optimal)
    lost = question.returns.maximum - question.bad_return
    if lost == 0:
        return Fraction(0)
    count = len(best)
    scale, slack = count, count + 1  # columns: y, then t, then the slack of t * lost <= 1
    rows: list[dict[int, Fraction]] = [
        {**row, scale: -p} for row, p in zip(bellman_rows(question), question.initial, strict=True)
    ]
    rows.append(
        {**{p: -r for p, r in enumerate(question.rewards)}, scale: question.returns.maximum}
    )
    rows.append({scale: lost, slack: Fraction(1)})
    right = [Fraction(0)] * len(question.initial) + [Fraction(1), Fraction(1)]
    ratios = []
    for pair in range(count):
        for sign in (1, -1):
            objective = [Fraction(0)] * (count + 2)
            objective[pair], objective[scale] = Fraction(-sign), sign * best[pair]
            change = _optimum(objective, rows, right)
            if change > 0:
                ratios.append(question.weights[pair] / change)
    return min(ratios) / question.reward_range


def _optimum(
    objective: Sequence[Fraction], rows: Sequence[dict[int, Fraction]], right: Sequence[Fraction]
) -> Fraction:
    zeros = [Fraction(0)] * len(objective)
    found = maximise(objective, rows, right, zeros, [None] * len(objective))
    if found.value is None:
        raise EngineError(f"a linear programme over occupancy measures is {found.status}")
    return found.value


def _bad_policies(question: Question) -> tuple[list[Policy], bool]:
    """Return all bad deterministic policies, or those that a local search meets."""
    mdp = question.mdp
    if count_deterministic_policies(mdp) <= ENUMERATED:
        every = (Policy.deterministic(mdp, choices) for choices in deterministic_policies(mdp))
        return [p for p in every if expected_return(mdp, p) <= question.bad_return], True
    worst = question.returns.worst
    return [_descend(question, worst, cost) for cost in (_family, support_weight)], False


def _descend(
    question: Question, policy: Policy, cost: Callable[[Question, Policy], Fraction]
) -> Policy:
    """Change the action of one state at a time while the policy stays bad and becomes cheaper."""
    mdp, improved = question.mdp, True
    choices, least = policy.choices, cost(question, policy)
    while improved:
        improved = False
        for state, names in enumerate(mdp.actions):
            for action in range(len(names)):
                changed = (*choices[:state], action, *choices[state + 1 :])
                other = Policy.deterministic(mdp, changed)
                found = cost(question, other)
                if found < least and expected_return(mdp, other) <= question.bad_return:
                    policy, choices, least, improved = other, changed, found, True
    return policy


def lightest_bad_policy(question: Question) -> tuple[Policy, bool]:
    """Return a bad policy whose support carries little data, and whether none carries less."""
    chosen, exact_minimum = _bad_policies(question)
    return min(chosen, key=lambda policy: support_weight(question, policy)), exact_minimum


def support_weight(question: Question, policy: Policy) -> Fraction:
    """Return D(supp policy), the data weight of the pairs that a policy visits."""
    taken = support(question.mdp, policy)
    return sum((question.weights[pair] for pair in taken), Fraction(0))


def _family(question: Question, policy: Policy) -> Fraction:
    """Pay the constant c on the support and min(R, c) elsewhere; c among the rewards is enough."""
    taken = support(question.mdp, policy)
    triples = [
        (w, r, pair in taken)
        for pair, (w, r) in enumerate(zip(question.weights, question.rewards, strict=True))
    ]
    return (
        min(
            sum(
                (w * (abs(c - r) if paid else max(r - c, Fraction(0))) for w, r, paid in triples),
                Fraction(0),
            )
            for c in set(question.rewards)
        )
        / question.reward_range
    )
