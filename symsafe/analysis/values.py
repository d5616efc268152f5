"""Values, returns, regret and advantages of policies, exactly."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from symsafe.analysis.linear import solve
from symsafe.errors import EngineError, InputError
from symsafe.exact import exact
from symsafe.model import MDP, Policy

__all__ = [
    "MAX_GUIDED_DISCOUNT",
    "Returns",
    "advantages",
    "evaluate",
    "expected_return",
    "optimal_values",
    "regret",
    "returns",
    "shape",
]


MAX_GUIDED_DISCOUNT = 1 - Fraction(1, 10**9)
"""Floating point, which only guides, never sees a discount above this: no system is singular."""


@dataclass(frozen=True, slots=True)
class Returns:
    """The range of the return over all policies, with what attains it.

    Attributes
    ----------
    maximum, minimum : Fraction
        In reward units (unnormalised discounted sum).
    optimal_values, worst_values : tuple of Fraction, one per state
    optimal, worst : Policy
        Deterministic.
    """

    maximum: Fraction
    minimum: Fraction
    optimal_values: tuple[Fraction, ...]
    worst_values: tuple[Fraction, ...]
    optimal: Policy
    worst: Policy


def evaluate(
    mdp: MDP, policy: Policy, reward: Sequence[Fraction] | None = None
) -> tuple[Fraction, ...]:
    """Return the value function of a policy, one number per state in reward units.

    Parameters
    ----------
    mdp : MDP
    policy : Policy
        May be randomised.
    reward : sequence of Fraction, one per pair, optional
        Instead of the reward of the MDP.

    Notes
    -----
    Exact: solves (I - gamma P) V = R.

    Examples
    --------
    >>> mdp = MDP.bandit({"s": {"good": 1, "bad": 0}})
    >>> evaluate(mdp, Policy.uniform(mdp))
    (Fraction(1, 2),)
    """
    rewards = _rewards(mdp, reward)
    size = len(mdp.states)
    rows, right = [], []
    for state, pairs in enumerate(mdp.pair_ranges):
        row, gain = [Fraction(0)] * size, Fraction(0)
        row[state] += 1
        for pair in pairs:
            weight = policy.probabilities[pair]
            if weight:
                gain += weight * rewards[pair]
                for successor, probability in mdp.successors[pair]:
                    row[successor] -= exact(mdp.discount) * weight * exact(probability)
        rows.append(row)
        right.append(gain)
    values = solve(rows, right)
    if values is None:
        raise EngineError("the system of a policy is singular, which a discount below 1 excludes")
    return values


def expected_return(mdp: MDP, policy: Policy, reward: Sequence[Fraction] | None = None) -> Fraction:
    """Return J(policy), the expected discounted sum of rewards, in reward units."""
    return _mean(mdp, evaluate(mdp, policy, reward))


def optimal_values(
    mdp: MDP,
    reward: Sequence[Fraction] | None = None,
    *,
    maximise: bool = True,
    allowed: Sequence[Collection[int]] | None = None,
) -> tuple[tuple[Fraction, ...], tuple[int, ...]]:
    """Return the best (or worst) value function and the pairs that attain it.

    Parameters
    ----------
    mdp : MDP
    reward : sequence of Fraction, one per pair, optional
    maximise : bool
        Best if true, worst if false.
    allowed : sequence of collections of pair indices, one per state, optional
        Restricts the policies.

    Returns
    -------
    values : tuple of Fraction, one per state
        The exact solution of the Bellman optimality equation.
    choices : tuple of int, one per state
        The pair taken in each state.

    Notes
    -----
    Guided by floats, decided exactly: policy iteration in floating point proposes a policy, policy
    iteration in exact arithmetic goes on from there.
    """
    rewards = _rewards(mdp, reward)
    options = mdp.pair_ranges if allowed is None else allowed
    sign = 1 if maximise else -1
    choices = _proposed(mdp, rewards, sign, options)
    discount = exact(mdp.discount)
    while True:
        taken = [0] * len(mdp.rewards)
        for pair in choices:
            taken[pair] = 1
        values = evaluate(mdp, Policy(mdp, tuple(Fraction(x) for x in taken)), rewards)
        improved = list(choices)
        for state, pairs in enumerate(options):
            if len(pairs) == 1:
                continue
            best = values[state]
            for pair in pairs:
                ahead = sum((exact(p) * values[t] for t, p in mdp.successors[pair]), Fraction(0))
                outlook = rewards[pair] + discount * ahead
                if sign * outlook > sign * best:
                    best, improved[state] = outlook, pair
        if improved == choices:
            return values, tuple(choices)
        choices = improved


def returns(mdp: MDP) -> Returns:
    """Return the greatest and the least return with policies that attain them.

    Raises
    ------
    InputError
        If the reward or the return is constant: regret is undefined then.
    """
    if len(set(mdp.rewards)) == 1:
        raise InputError(
            "reward", f"{mdp.rewards[0]} for every pair", "at least two different rewards"
        )
    ends = []
    for best in (True, False):
        values, choices = optimal_values(mdp, maximise=best)
        actions = [c - pairs.start for c, pairs in zip(choices, mdp.pair_ranges, strict=True)]
        ends.append((_mean(mdp, values), values, Policy.deterministic(mdp, actions)))
    (maximum, optimal_v, optimal), (minimum, worst_v, worst) = ends
    if maximum == minimum:
        raise InputError(
            "reward",
            f"the return {maximum} for every policy",
            "policies that differ in return, because regret is relative to their range",
        )
    return Returns(maximum, minimum, optimal_v, worst_v, optimal, worst)


def regret(mdp: MDP, policy: Policy) -> Fraction:
    """Return (max J - J(policy)) / (max J - min J), in [0, 1]."""
    facts = returns(mdp)
    return (facts.maximum - expected_return(mdp, policy)) / (facts.maximum - facts.minimum)


def advantages(mdp: MDP, values: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """Return R - EV per pair, in reward units: the advantage if `values` is a policy's own.

    It is also the reward after potential shaping by `values` (Ng, Harada, Russell 1999), which
    changes the return of every policy by the same amount.
    """
    return shape(mdp, values)


def shape(
    mdp: MDP, potential: Sequence[Fraction], reward: Sequence[Fraction] | None = None
) -> tuple[Fraction, ...]:
    """Return the reward after potential shaping: R(s,a) - V(s) + gamma E V(s')."""
    rewards = _rewards(mdp, reward)
    discount = exact(mdp.discount)
    return tuple(
        rewards[pair]
        - potential[state]
        + discount * sum((exact(p) * potential[t] for t, p in mdp.successors[pair]), Fraction(0))
        for pair, state in enumerate(mdp.pair_states)
    )


def _rewards(mdp: MDP, reward: Sequence[Fraction] | None) -> tuple[Fraction, ...]:
    return tuple(exact(r) for r in (mdp.rewards if reward is None else reward))


def _mean(mdp: MDP, values: Sequence[Fraction]) -> Fraction:
    return sum((exact(p) * v for p, v in zip(mdp.initial, values, strict=True)), Fraction(0))


def _proposed(
    mdp: MDP, rewards: Sequence[Fraction], sign: int, options: Sequence[Collection[int]]
) -> list[int]:
    """Return the pairs that policy iteration in floating point ends with."""
    size = len(mdp.states)
    discount = min(exact(mdp.discount), MAX_GUIDED_DISCOUNT)
    steps = np.zeros((len(rewards), size))
    for pair, row in enumerate(mdp.successors):
        for successor, probability in row:
            steps[pair, successor] = float(discount * exact(probability))
    # Shifted and scaled into [0, 1]: this changes no policy order.
    least = min(rewards)
    scale = (max(rewards) - least) or Fraction(1)
    gains = np.array([float((r - least) / scale) for r in rewards])
    choices = [min(pairs) for pairs in options]
    for _ in range(1000):
        values = np.linalg.solve(np.eye(size) - steps[choices], gains[choices])
        outlook = sign * (gains + steps @ values)
        margin = 1e-9 * (1 + float(np.abs(outlook).max()))
        better = [max(pairs, key=lambda pair: outlook[pair]) for pairs in options]
        changed = False
        for state, pair in enumerate(better):
            if outlook[pair] > outlook[choices[state]] + margin:
                choices[state], changed = pair, True
        if not changed:
            break
    return choices
