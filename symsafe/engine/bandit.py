"""Contextual bandits: a multiple-choice knapsack (THEORY: gamma = 0).

Each context chooses an action; it costs its `price` and loses its `gap` of return, and the cheapest
choice that loses enough is sought. One multiplier bounds it from below; the contexts that are in
doubt near it are then decided one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

import numpy as np
from numpy.typing import NDArray

from symsafe.engine.bandit_core import decided
from symsafe.model.arrays import BanditArrays

__all__ = ["BanditOutcome", "solve_bandit"]

Ints = NDArray[np.int64]

_TANGENTS = 60
_DIGITS = 13
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class BanditOutcome:
    """Bounds of the safety radius, as fractions of the reward range, and what proves them.

    Attributes
    ----------
    lower, upper : Fraction
    multiplier : Fraction
    plain : Fraction
        A lower bound that the multiplier proves by itself.
    choice : array of int, shape (S,)
        Loses enough, and costs exactly `upper`.
    core : array of int or None
        Contexts that have to be decided one by one, in this order, to prove `lower`; None if that
        is `plain`.
    """

    lower: Fraction
    upper: Fraction
    multiplier: Fraction
    plain: Fraction
    choice: Ints
    core: Ints | None

    def without_core(self) -> BanditOutcome:
        """Return the bounds without the contexts in doubt."""
        return replace(self, lower=self.plain, core=None)


def solve_bandit(bandit: BanditArrays) -> BanditOutcome:
    """Return the exact radius, or bounds where too many contexts are in doubt."""
    return _Knapsack(bandit).solve()


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
        self.owner, self.data = owner, bandit.data
        last = np.append(self.starts[1:], len(owner)) - 1
        self.span = int(self.gap[last].sum())
        self.unit = int(bandit.data.sum()) * int(bandit.reward.max() - bandit.reward.min())
        self.needed = bandit.regret * self.span
        self.prices, self.gaps = self.price.astype(float), self.gap.astype(float)

    @staticmethod
    def _before(values: Ints, first: Ints) -> Ints:
        """Return per pair the sum over the pairs before it in its context."""
        total = np.cumsum(values) - values
        return np.asarray(total - total[first])

    def solve(self) -> BanditOutcome:
        multiplier = self._multiplier()
        times = Fraction(f"{multiplier:.{_DIGITS}g}")
        core = decided(
            self.price, self.gap, self.owner, self.starts, ceil(self.needed), float(times)
        )
        choice = core.choice
        upper = Fraction(int(self.price[choice].sum()), self.unit)
        places = self.order[choice] - self.starts
        plain = min(self._bound(times), upper)
        if not plain and not core.closed:
            times = Fraction(0)
        lower = upper if core.closed else plain
        return BanditOutcome(
            lower, upper, times, plain, places, core.order if core.closed else None
        )

    def _bound(self, times: Fraction) -> Fraction:
        """Return what the multiplier proves, rounded down by more than floats can be wrong."""
        reduced = np.minimum.reduceat(self.prices - float(times) * self.gaps, self.starts)
        needed = float(times) * float(self.needed)
        error = _ROUNDING * (float(np.abs(reduced).sum()) + needed) * 1e-2
        bound = (float(reduced.sum()) + needed - error) * (1 - _ROUNDING) / self.unit
        return max(Fraction(0), Fraction(f"{bound:.{_DIGITS}g}"))

    def _multiplier(self) -> float:
        """Return the best multiplier."""
        needed = float(self.needed)
        last = np.append(self.starts[1:], len(self.owner)) - 1
        left, right = self._choice(0.0), last
        best = 0.0
        if self.gaps[left].sum() >= needed:
            return best
        for _ in range(_TANGENTS):
            # Where the tangents of the two choices meet.
            rise = self.prices[right].sum() - self.prices[left].sum()
            run = self.gaps[right].sum() - self.gaps[left].sum()
            if run <= 0:
                break
            best = rise / run
            choice = self._choice(best)
            value = self.prices[choice].sum() - best * self.gaps[choice].sum()
            known = self.prices[left].sum() - best * self.gaps[left].sum()
            if value >= known - 1e-12 * abs(known):
                break
            if self.gaps[choice].sum() >= needed:
                right = choice
            else:
                left = choice
        return best

    def _choice(self, multiplier: float) -> Ints:
        """Return in each context the pair of least price minus multiplier times gap."""
        reduced = self.prices - multiplier * self.gaps
        least = np.minimum.reduceat(reduced, self.starts)[self.owner]
        places = np.where(reduced <= least, np.arange(len(reduced)), len(reduced))
        return np.asarray(np.minimum.reduceat(places, self.starts))
