"""The safety radius by brute force: every bad deterministic policy, every basis, no LP.

Shares no code with the package; where numbers are many, they are FLINT's. The cost of a policy with
support Z is the minimum over V of the convex piecewise-linear function
sum D [(R - EV)^+ + 1_Z (EV - R)^+]; E has full column rank, so the minimum is attained where EV = R
on |S| linearly independent pairs.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from flint import fmpq

Rational = TypeVar("Rational", Fraction, fmpq)
Numbers = tuple[Fraction, ...]


@dataclass(frozen=True)
class Instance:
    """A ground problem, flat per pair."""

    successors: tuple[tuple[tuple[int, Fraction], ...], ...]
    rewards: Numbers
    pair_states: tuple[int, ...]
    initial: Numbers
    discount: Fraction
    weights: Numbers
    regret: Fraction

    def shaping_row(self, pair: int) -> list[Fraction]:
        """The row of E of a pair, dense."""
        row = [Fraction(0)] * len(self.initial)
        row[self.pair_states[pair]] += 1
        for successor, probability in self.successors[pair]:
            row[successor] -= self.discount * probability
        return row

    def policies(self) -> list[tuple[int, ...]]:
        """Every deterministic policy as the pairs that it takes."""
        states = range(len(self.initial))
        choices = [[p for p, s in enumerate(self.pair_states) if s == t] for t in states]
        return list(itertools.product(*choices))


def to_flint(x: Fraction) -> fmpq:
    return fmpq(x.numerator, x.denominator)


def from_flint(x: fmpq) -> Fraction:
    return Fraction(int(x.p), int(x.q))


def eliminate(rows: list[list[Rational]], right: list[Rational]) -> list[Rational] | None:
    """Solve a square system by Gauss and Jordan, or return None."""
    table = [[*row, r] for row, r in zip(rows, right, strict=True)]
    size = len(table)
    for column in range(size):
        pivot = next((i for i in range(column, size) if table[i][column]), None)
        if pivot is None:
            return None
        table[column], table[pivot] = table[pivot], table[column]
        scale = table[column][column]
        table[column] = [x / scale for x in table[column]]
        for i in range(size):
            factor = table[i][column]
            if i != column and factor:
                table[i] = [x - factor * y for x, y in zip(table[i], table[column], strict=True)]
    return [row[-1] for row in table]


def policy_return(instance: Instance, policy: tuple[int, ...]) -> Fraction:
    """The return of a deterministic policy."""
    rows = [[to_flint(e) for e in instance.shaping_row(pair)] for pair in policy]
    values = eliminate(rows, [to_flint(instance.rewards[p]) for p in policy])
    assert values is not None
    terms = (to_flint(m) * v for m, v in zip(instance.initial, values, strict=True))
    return from_flint(sum(terms, fmpq(0)))


def support(instance: Instance, policy: tuple[int, ...]) -> frozenset[int]:
    """The pairs that a deterministic policy visits with positive discounted frequency."""
    reached = {s for s, m in enumerate(instance.initial) if m}
    for _ in instance.initial if instance.discount else ():
        reached |= {t for s in reached for t, _ in instance.successors[policy[s]]}
    return frozenset(policy[s] for s in reached)


def bad_policies(instance: Instance) -> list[tuple[int, ...]]:
    """Every deterministic policy with regret at least the level asked for."""
    returns = {policy: policy_return(instance, policy) for policy in instance.policies()}
    best, worst = max(returns.values()), min(returns.values())
    threshold = best - instance.regret * (best - worst)
    return [policy for policy, value in returns.items() if value <= threshold]


def corner_gaps(instance: Instance) -> list[list[fmpq]]:
    """R - EV per pair, for every V that some |S| independent pairs determine."""
    size = len(instance.initial)
    rewards = [to_flint(r) for r in instance.rewards]
    rows = [[to_flint(e) for e in instance.shaping_row(pair)] for pair in range(len(rewards))]
    gaps = {}
    for basis in itertools.combinations(range(len(rows)), size):
        values = eliminate([rows[p] for p in basis], [rewards[p] for p in basis])
        if values is not None:
            gaps[tuple(values)] = [
                r - sum(e * v for e, v in zip(row, values, strict=True))
                for r, row in zip(rewards, rows, strict=True)
            ]
    return list(gaps.values())


def support_cost(instance: Instance, taken: frozenset[int], gaps: list[list[fmpq]]) -> Fraction:
    """The least sum D |R^ - R| for which a policy with this support is optimal."""
    weights = [to_flint(w) for w in instance.weights]
    least = min(
        sum(
            (
                w * (gap if gap > 0 else -gap)
                for pair, (w, gap) in enumerate(zip(weights, row, strict=True))
                if w and (gap > 0 or pair in taken)
            ),
            fmpq(0),
        )
        for row in gaps
    )
    return from_flint(least)


def policy_cost(instance: Instance, policy: tuple[int, ...]) -> Fraction:
    """The cost of one policy."""
    return support_cost(instance, support(instance, policy), corner_gaps(instance))


def safety_radius(instance: Instance) -> Fraction:
    """The exact safety radius."""
    gaps = corner_gaps(instance)
    supports = {support(instance, policy) for policy in bad_policies(instance)}
    cost = min(support_cost(instance, taken, gaps) for taken in supports)
    return cost / (max(instance.rewards) - min(instance.rewards))


def is_unsafe(instance: Instance, epsilon: Fraction) -> bool:
    """Whether the data distribution is unsafe at a tolerance."""
    return epsilon >= safety_radius(instance)
