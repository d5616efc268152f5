"""The exact optimum of a multiple-choice knapsack, by its core (Pisinger, EJOR 83, 1995).

Near the best multiplier few contexts are in doubt. They are decided one after another, those in
most doubt first; what the others can still contribute is bounded by the least price per gap at
which any of them would add to the loss, and the greatest at which any would give some back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Core", "decided"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_CONTEXTS = 50_000  # in doubt, at most
_STATES = 1_000_000  # over all steps: what a checker repeats in a second or so
_ROUNDING = 1e-12
_SWAPS = 60
_STARTS = 2
_MOVES = 5_000  # contexts that a good choice changes


@dataclass(frozen=True, slots=True)
class Core:
    """The optimum, and the contexts in doubt in the order that proves it.

    Attributes
    ----------
    choice : array of int, shape (S,)
        An action index (of all pairs) for each context.
    order : array of int
        Contexts, at least one.
    closed : bool
        Whether the choice is optimal; else it is only the best one found.
    """

    choice: Ints
    order: Ints
    closed: bool


@dataclass(frozen=True, slots=True)
class _Step:
    """The states after a context: where each comes from, and by which pair."""

    parent: Ints
    pair: Ints


def decided(
    price: Ints, gap: Ints, owner: Ints, starts: Ints, needed: int, multiplier: float
) -> Core:
    """Find the cheapest choice whose gaps sum to `needed`, and prove that none is cheaper.

    Parameters
    ----------
    price, gap, owner : arrays, one entry per pair, context by context
    starts : array, the first pair of each context
    needed : int
    multiplier : float
        Near the best one.

    Notes
    -----
    Guided by floats: that the order proves the optimum is for a checker to confirm.
    """
    knapsack = _Near(price, gap, owner, starts, needed, multiplier)
    return knapsack.decide(knapsack.improved())


class _Near:
    """The contexts in doubt, each by its moves from the choice that the multiplier makes."""

    def __init__(
        self, price: Ints, gap: Ints, owner: Ints, starts: Ints, needed: int, multiplier: float
    ) -> None:
        reduced = price - multiplier * gap
        least = np.minimum.reduceat(reduced, starts)[owner]
        places = np.where(reduced <= least, np.arange(len(reduced)), len(reduced))
        self.base: Ints = np.minimum.reduceat(places, starts)
        more, cost = gap - gap[self.base][owner], price - price[self.base][owner]
        rate = cost / np.where(more == 0, 1, more)
        up = np.minimum.reduceat(np.where(more > 0, rate, np.inf), starts)
        down = np.maximum.reduceat(np.where(more < 0, rate, 0.0), starts)
        near = np.argsort(np.minimum(up - multiplier, multiplier - down), kind="stable")
        # What lies beyond a context in this order is bounded by those after it.
        self.up = np.append(np.minimum.accumulate(up[near][::-1])[::-1], np.inf)
        self.down = np.append(np.maximum.accumulate(down[near][::-1])[::-1], 0.0)
        self.order = near[:_CONTEXTS]
        ends = np.append(starts[1:], len(owner))
        self.moves = [np.arange(starts[s], ends[s]) for s in self.order.tolist()]
        self.more, self.cost, self.owner = more, cost, owner
        self.lost, self.paid = int(gap[self.base].sum()), int(price[self.base].sum())
        self.needed = needed
        self.last = ends - 1

    # -- a good choice ---------------------------------------------------------------------------

    def improved(self) -> tuple[int, Ints]:
        """Return the best choice that loses enough, of several that are improved step by step."""
        pairs = np.concatenate(self.moves[:_MOVES])
        starts = [self.base]
        for move in np.concatenate(self.moves[:_STARTS]).tolist():
            if self.more[move]:
                starts.append(self.base.copy())
                starts[-1][self.owner[move]] = move
        return min((self._improved(start, pairs) for start in starts), key=lambda found: found[0])

    def _improved(self, start: Ints, pairs: Ints) -> tuple[int, Ints]:
        """Fill up what is missing, then move in one or two contexts as long as that is cheaper."""
        own, more, cost = self.owner[pairs], self.more[pairs], self.cost[pairs]
        choice = start.copy()
        gain, extra = more - self.more[choice[own]], cost - self.cost[choice[own]]
        missing = self._missing(choice)
        sign = 1 if missing > 0 else -1  # what is too much is given back
        fits = np.flatnonzero((sign * gain > 0) & (sign * gain <= sign * missing))
        met: set[int] = set()
        for i in fits[np.argsort(sign * extra[fits] / gain[fits], kind="stable")].tolist():
            if sign * gain[i] <= sign * missing and own[i] not in met:
                met.add(own[i])
                choice[own[i]], missing = pairs[i], missing - gain[i]
        for _ in range(_SWAPS):
            now = choice[own]
            gain, extra = more - self.more[now], cost - self.cost[now]
            missing = self._missing(choice)
            first = self._single(gain, extra, missing)
            found: tuple[int, ...] | None = None if first is None else (first,)
            if first is None or (missing <= 0 and extra[first] >= 0):
                found = self._double(gain, extra, own, missing)
            if found is None or (missing <= 0 and extra[list(found)].sum() >= 0):
                break
            for i in found:
                choice[own[i]] = pairs[i]
        if self._missing(choice) > 0:
            choice = self.last.copy()  # loses all that can be lost
        return self.paid + int(self.cost[choice].sum()), choice

    def _missing(self, choice: Ints) -> int:
        return self.needed - self.lost - int(self.more[choice].sum())

    @staticmethod
    def _single(gain: Ints, extra: Ints, missing: int) -> int | None:
        fits = np.flatnonzero(gain >= missing)
        return int(fits[np.argmin(extra[fits])]) if len(fits) else None

    @staticmethod
    def _double(gain: Ints, extra: Ints, own: Ints, missing: int) -> tuple[int, int] | None:
        """Return the two moves in different contexts that together are enough and cost least."""
        order = np.argsort(gain, kind="stable")
        gain, extra, own = gain[order], extra[order], own[order]
        # The cheapest move from each place on.
        back = extra[::-1]
        lowest = np.where(back == np.minimum.accumulate(back), np.arange(len(back)), 0)
        cheapest = len(back) - 1 - np.maximum.accumulate(lowest)[::-1]
        place = np.searchsorted(gain, missing - gain, side="left")
        other = cheapest[np.minimum(place, len(gain) - 1)]
        allowed = (place < len(gain)) & (own != own[other])
        if not allowed.any():
            return None
        total = extra + extra[other]
        best = int(np.argmin(np.where(allowed, total, total.max() + 1)))
        return int(order[best]), int(order[other[best]])

    # -- the proof -------------------------------------------------------------------------------

    def decide(self, known: tuple[int, Ints]) -> Core:
        """Go through the contexts until no undominated state can become cheaper than the best."""
        best, choice = known
        lost, paid = np.array([self.lost]), np.array([self.paid])
        steps: list[_Step] = []
        states = 0
        done = bool(self._kept(lost, paid, 0, best).sum() == 0)
        for i, moves in enumerate(self.moves):
            if done or states > _STATES:
                break
            rise, extra = self.more[moves], self.cost[moves]
            lost_next = (lost[:, None] + rise[None, :]).ravel()
            paid_next = (paid[:, None] + extra[None, :]).ravel()
            states += len(lost_next)
            enough = np.flatnonzero(lost_next >= self.needed)
            if len(enough) and paid_next[enough].min() < best:
                best = int(paid_next[enough].min())
                state = int(enough[np.argmin(paid_next[enough])])
                choice = self._traced(steps, state // len(moves), moves[state % len(moves)])
            kept = np.flatnonzero(self._kept(lost_next, paid_next, i + 1, best))
            # By falling loss, and then by price: what follows has to be cheaper.
            kept = kept[np.argsort(paid_next[kept], kind="stable")]
            kept = kept[np.argsort(-lost_next[kept], kind="stable")]
            if len(kept):
                prices = paid_next[kept]
                lowest = np.minimum.accumulate(prices)
                kept = kept[np.append(True, prices[1:] < lowest[:-1])]
            steps.append(_Step(kept // len(moves), moves[kept % len(moves)]))
            lost, paid = lost_next[kept], paid_next[kept]
            done = not len(kept)
        return Core(choice, self.order[: max(1, len(steps))], done)

    def _kept(self, lost: Ints, paid: Ints, after: int, best: int) -> NDArray[np.bool_]:
        """Whether states may become cheaper than the best by contexts after so many."""
        missing = (self.needed - lost).astype(float)
        up, down = self.up[after], self.down[after]
        with np.errstate(invalid="ignore"):
            bound = paid + np.where(missing > 0, up * missing, down * missing)
        # Prices are integers: cheaper is cheaper by 1.
        return np.asarray(bound <= best - 1 + 1e-6 + _ROUNDING * abs(best))

    def _traced(self, steps: list[_Step], state: int, pair: int) -> Ints:
        """Return the choice that led to a state, and on by a pair."""
        choice = self.base.copy()
        choice[self.owner[pair]] = pair
        for step in reversed(steps):
            pair = int(step.pair[state])
            choice[self.owner[pair]] = pair
            state = int(step.parent[state])
        return choice
