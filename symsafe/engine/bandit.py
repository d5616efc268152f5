"""Contextual bandits: a multiple-choice knapsack (THEORY: gamma = 0).

Each context chooses an action; it costs its `price` and loses its `gap` of return, and the cheapest
choice that loses enough is sought. One multiplier bounds it from below; a tree over the contexts
that matter most, with a multiplier for each leaf, closes what is left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

import numpy as np
from numpy.typing import NDArray

from symsafe.engine.bandit_tree import Branching, Hull, Leaf
from symsafe.engine.limits import Limits
from symsafe.model.arrays import BanditArrays

__all__ = ["BanditOutcome", "solve_bandit"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BanditOutcome:
    """Bounds of the safety radius, as fractions of the reward range, and what proves them.

    Attributes
    ----------
    lower, upper : Fraction
    choice : array of int, shape (S,)
        Loses enough, and costs exactly `upper`.
    tree : tuple of splits (context, place) and leaves
        In preorder; places count the actions of a context by falling reward.
    plain : Fraction
        A lower bound that the multiplier proves by itself.
    multiplier : Fraction
    stopped : str or None
        The limit that ended the search early.
    """

    lower: Fraction
    upper: Fraction
    choice: Ints
    tree: tuple[tuple[int, int] | Leaf, ...]
    plain: Fraction
    multiplier: Fraction
    stopped: str | None = None

    def by_multiplier(self) -> BanditOutcome:
        """Return the bounds that one multiplier proves."""
        return replace(self, lower=self.plain, tree=(Leaf(self.multiplier),))


def solve_bandit(bandit: BanditArrays, limits: Limits | None = None) -> BanditOutcome:
    """Return the exact radius, or bounds where too many contexts are in doubt.

    Where a limit ends the search there are bounds as well: one multiplier has some at once.
    """
    return _Knapsack(bandit).solve(limits)


class _Knapsack:
    def __init__(self, bandit: BanditArrays) -> None:
        counts = bandit.actions
        self.starts = np.append(0, np.cumsum(counts)[:-1])
        owner = np.repeat(np.arange(len(counts)), counts)
        top = np.maximum.reduceat(bandit.reward, self.starts)[owner]
        # In each context by falling reward; `below` is how far a reward is below the best.
        self.order = np.lexsort((top - bandit.reward, owner))
        below, data = (top - bandit.reward)[self.order], bandit.data[self.order]
        start = bandit.initial[owner]
        # Sums of products are exact: in 64 bits where they fit, else in Python integers.
        wide = float(below.max()) * float(max(data.sum(), bandit.initial.sum())) >= 2**62
        kind = object if wide else np.int64
        below, data, start = below.astype(kind), data.astype(kind), start.astype(kind)
        first = self.starts[owner]
        mass = self._before(data, first)
        area = below * mass - self._before(data * below, first)
        # The value of a context that is best for an action: the least with no more data above it
        # than the action has, and not below the action's reward.
        low, high = first.copy(), np.arange(len(owner))
        while (low < high).any():
            middle = (low + high + 1) // 2
            fits = mass[middle] <= data
            low, high = np.where(fits, middle, low), np.where(fits, high, middle - 1)
        met = start > 0
        self.price = np.where(met, area[low] + data * (below - below[low]), 0)
        self.gap = start * below
        self.owner = owner
        last = np.append(self.starts[1:], len(owner)) - 1
        self.span = int(self.gap[last].sum())
        self.unit = int(bandit.data.sum()) * int(bandit.reward.max() - bandit.reward.min())
        self.needed = bandit.regret * self.span

    @staticmethod
    def _before(values: Ints, first: Ints) -> Ints:
        """Return per pair the sum over the pairs before it in its context."""
        total = np.cumsum(values) - values
        return np.asarray(total - total[first])

    def solve(self, limits: Limits | None) -> BanditOutcome:
        hull = Hull(self.price, self.gap, self.owner, self.starts)
        search = Branching(hull, ceil(self.needed), limits)
        search.solve()
        price = int(self.price[search.choice].sum())
        return BanditOutcome(
            Fraction(search.proven, self.unit),
            Fraction(price, self.unit),
            self.order[search.choice] - self.starts,
            tuple(search.leaves()),
            Fraction(min(search.root.bound, price), self.unit),
            search.root.slope,
            search.stopped,
        )
