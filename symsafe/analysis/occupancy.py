"""Occupancy measures and supports of policies, exactly."""

from __future__ import annotations

from fractions import Fraction

from symsafe.analysis.linear import solve
from symsafe.errors import EngineError
from symsafe.exact import exact
from symsafe.model import MDP, DataDistribution, Policy

__all__ = ["occupancy", "occupancy_distribution", "reachable_states", "support"]


def occupancy(mdp: MDP, policy: Policy) -> tuple[Fraction, ...]:
    """Return the unnormalised occupancy measure, one number per pair; the sum is 1/(1 - gamma).

    Examples
    --------
    >>> mdp = MDP.bandit({"s": {"good": 1, "bad": 0}})
    >>> occupancy(mdp, Policy.uniform(mdp))
    (Fraction(1, 2), Fraction(1, 2))
    """
    size = len(mdp.states)
    rows = [[Fraction(int(s == t)) for s in range(size)] for t in range(size)]
    for pair, state in enumerate(mdp.pair_states):
        weight = exact(mdp.discount) * policy.probabilities[pair]
        if weight:
            for successor, probability in mdp.successors[pair]:
                rows[successor][state] -= weight * exact(probability)
    visits = solve(rows, [exact(p) for p in mdp.initial])
    if visits is None:
        raise EngineError("the system of a policy is singular, which a discount below 1 excludes")
    return tuple(
        visits[state] * policy.probabilities[pair] for pair, state in enumerate(mdp.pair_states)
    )


def support(mdp: MDP, policy: Policy) -> frozenset[int]:
    """Return the pairs with positive occupancy."""
    reached = _reached(mdp, policy)
    return frozenset(
        pair
        for pair, state in enumerate(mdp.pair_states)
        if state in reached and policy.probabilities[pair]
    )


def reachable_states(mdp: MDP) -> frozenset[int]:
    """Return the states that some policy visits."""
    return frozenset(_reached(mdp, None))


def _reached(mdp: MDP, policy: Policy | None) -> set[int]:
    """Return the states that a policy visits at all, or without a policy those that some visits."""
    reached = {state for state, p in enumerate(mdp.initial) if p != 0}
    waiting = list(reached) if mdp.discount != 0 else []
    while waiting:
        for pair in mdp.pair_ranges[waiting.pop()]:
            if policy is None or policy.probabilities[pair]:
                new = {t for t, _ in mdp.successors[pair]} - reached
                reached |= new
                waiting += new
    return reached


def occupancy_distribution(policy: Policy) -> DataDistribution:
    """Return the normalised occupancy measure (1 - gamma) eta of a policy as data distribution."""
    mdp = policy.mdp
    scale = 1 - exact(mdp.discount)
    return DataDistribution(mdp, tuple(scale * x for x in occupancy(mdp, policy)))
