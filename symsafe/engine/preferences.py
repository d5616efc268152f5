"""The smallest raise of one action that makes a KL-regularised optimum bad, state by state.

For a contextual bandit with Bradley-Terry preferences (Theorem 6.1 of the paper). Numbers without a
rational value are enclosed by balls and rounded to the safe side.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from flint import arb, ctx

from symsafe.engine.question import Question
from symsafe.engine.soft import Softness, above, ball
from symsafe.exact import exact

__all__ = ["SmallRaise", "paper_threshold", "raised_rewards", "regret_reward", "smallest_raises"]

_DIGITS = 10**12
_BITS = 192


@dataclass(frozen=True, slots=True)
class SmallRaise:
    """The raise of an action in one state, a little more than is needed.

    Attributes
    ----------
    pair : int
    amount : Fraction
        In reward units.
    divergence : Fraction
        What it adds at most to the mean KL divergence of preferences, given the state.
    """

    pair: int
    amount: Fraction
    divergence: Fraction


def regret_reward(question: Question, state: int) -> Fraction:
    """Return R_L(s) = (1 - L) max R(s, .) + L min R(s, .)."""
    rewards = [question.rewards[p] for p in question.mdp.pair_ranges[state]]
    level = exact(question.problem.regret)
    return (1 - level) * max(rewards) + level * min(rewards)


def smallest_raises(question: Question) -> dict[int, SmallRaise | None]:
    """Return the cheapest raise in each initial state, None where no reward is below R_L(s)."""
    saved = ctx.prec
    try:
        ctx.prec = _BITS
        found: dict[int, SmallRaise | None] = {}
        for s, pairs in enumerate(question.mdp.pair_ranges):
            if question.initial[s]:
                level = regret_reward(question, s)
                options = [_raise(question, s, p) for p in pairs if question.rewards[p] < level]
                found[s] = min(options, key=lambda option: option.divergence, default=None)
        return found
    finally:
        ctx.prec = saved


def raised_rewards(question: Question) -> list[Fraction] | None:
    """Return the reward model of Theorem 6.1, or None where some state has nothing to raise."""
    reward = list(question.rewards)
    for chosen in smallest_raises(question).values():
        if chosen is None:
            return None
        reward[chosen.pair] += chosen.amount
    return reward


def _raise(question: Question, state: int, pair: int) -> SmallRaise:
    softness, level = Softness.of(question), regret_reward(question, state)
    reward, share = question.rewards, softness.reference
    others = [p for p in question.mdp.pair_ranges[state] if p != pair]
    # The mean of the others, weighted by ref exp(R / lambda), against R_L.
    lost = arb(0)
    for p in others:
        weight = ball(share[p]) * ball((reward[p] - reward[pair]) / softness.scale).exp()
        lost += weight * ball(reward[p] - level)
    unit = softness.scale / _DIGITS
    amount = Fraction(0)
    if not lost < 0:
        ratio = lost / ball((level - reward[pair]) * share[pair])
        least = above(ball(softness.scale) * arb(ratio.upper()).log(), unit) if ratio > 0 else None
        amount = max(Fraction(0), least) + unit if least is not None else unit
    total, raised = arb(0), ball(amount)
    for p in others:
        gap = ball(reward[pair] - reward[p])
        change = (1 + (gap + raised).exp()).log() - (1 + gap.exp()).log()
        total += ball(share[p]) * (change - raised / (1 + (-gap).exp()))
    digits = question.reward_range / 10**15
    bound = above(2 * ball(share[pair]) * total, digits) + digits if amount else Fraction(0)
    return SmallRaise(pair, amount, max(bound, Fraction(0)))


def paper_threshold(question: Question, state: int, pair: int, epsilon: Fraction) -> Fraction:
    """Return, rounded down, up to which reference probability Theorem 6.1 says unsafe.

    It is (R_L - R) / L * range R(s, .) / exp(range R(s, .) / lambda) * epsilon^2 / (4 lambda^2).
    """
    softness, level = Softness.of(question), exact(question.problem.regret)
    rewards = [question.rewards[p] for p in question.mdp.pair_ranges[state]]
    spread = max(rewards) - min(rewards)
    rational = (regret_reward(question, state) - question.rewards[pair]) / level * spread
    rational *= epsilon**2 / (4 * softness.scale**2)
    saved = ctx.prec
    try:
        ctx.prec = _BITS
        found = ball(rational) * ball(-spread / softness.scale).exp()
        unit = Fraction(1, 10**30)
        return -above(-found, unit)
    finally:
        ctx.prec = saved
