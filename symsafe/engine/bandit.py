"""Contextual bandits: a multiple-choice knapsack, solved by one multiplier (THEORY: gamma = 0).

Each context chooses an action; it costs its `price` and loses its `gap` of return, and the cheapest
choice that loses enough is sought. One multiplier proves a lower bound; the best choice that it
suggests, mended in single contexts, is an upper bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from symsafe.model.arrays import BanditArrays

__all__ = ["BanditOutcome", "solve_bandit"]

Ints = NDArray[np.int64]

_TANGENTS = 60
_MENDS = 30
_DIGITS = 13
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class BanditOutcome:
    """Bounds of the safety radius, as fractions of the reward range, and what proves them.

    Attributes
    ----------
    lower, upper : Fraction
    multiplier : Fraction
        Proves `lower`: every choice that loses enough costs at least that.
    choice : array of int, shape (S,)
        Loses enough, and costs exactly `upper`.
    """

    lower: Fraction
    upper: Fraction
    multiplier: Fraction
    choice: Ints


def solve_bandit(bandit: BanditArrays) -> BanditOutcome:
    """Return bounds that differ by less than what a single context costs."""
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
        multiplier, left, right = self._multiplier()
        choice = min((self._mended(c) for c in (left, right)), key=self._cost)
        times = Fraction(f"{multiplier:.{_DIGITS}g}")
        reduced = np.minimum.reduceat(self.prices - float(times) * self.gaps, self.starts)
        needed = float(times) * float(self.needed)
        # Rounded down by more than the floats above can be wrong.
        error = _ROUNDING * (float(np.abs(reduced).sum()) + needed) * 1e-2
        bound = (float(reduced.sum()) + needed - error) * (1 - _ROUNDING) / self.unit
        upper = Fraction(self._cost(choice), self.unit)
        lower = min(max(Fraction(0), Fraction(f"{bound:.{_DIGITS}g}")), upper)
        if bound <= 0:
            lower, times = Fraction(0), Fraction(0)
        places = self.order[choice] - self.starts
        return BanditOutcome(lower, upper, times, places)

    def _cost(self, choice: Ints) -> int:
        return int(self.price[choice].sum())

    def _multiplier(self) -> tuple[float, Ints, Ints]:
        """Return the best multiplier with the choices just below and just above it."""
        needed = float(self.needed)
        last = np.append(self.starts[1:], len(self.owner)) - 1
        left, right = self._choice(0.0), last
        best = 0.0
        if self.gaps[left].sum() >= needed:
            return best, left, left
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
        return best, left, right

    def _choice(self, multiplier: float) -> Ints:
        """Return in each context the pair of least price minus multiplier times gap."""
        reduced = self.prices - multiplier * self.gaps
        least = np.minimum.reduceat(reduced, self.starts)[self.owner]
        places = np.where(reduced <= least, np.arange(len(reduced)), len(reduced))
        return np.asarray(np.minimum.reduceat(places, self.starts))

    def _mended(self, choice: Ints) -> Ints:
        """Return a choice that loses enough and that no change in one context makes cheaper."""
        choice = choice.copy()
        for _ in range(_MENDS):
            lost = int(self.gap[choice].sum())
            missing = float(self.needed - lost)
            gain = self.gaps - self.gaps[choice][self.owner]
            extra = self.prices - self.prices[choice][self.owner]
            # A little more than enough, so that floats do not decide; the last action is enough.
            fits = np.flatnonzero(gain >= missing + 1e-12 * self.span)
            if missing > 0 and not len(fits):
                last = np.append(self.starts[1:], len(self.owner)) - 1
                worth = np.where(last != choice, self.gaps[last] - self.gaps[choice], -1.0)
                choice[int(np.argmax(worth))] = last[int(np.argmax(worth))]
                continue
            if not len(fits):
                break
            pair = int(fits[np.argmin(extra[fits])])
            if missing <= 0 and extra[pair] >= 0:
                break
            choice[self.owner[pair]] = pair
        if int(self.gap[choice].sum()) < self.needed:
            return np.append(self.starts[1:], len(self.owner)) - 1  # loses all that can be lost
        return choice
