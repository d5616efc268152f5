"""A node of a multiple-choice knapsack decided by its core (Pisinger, EJOR 83, 1995).

Near the multiplier of a node few contexts are in doubt. They are decided one after another, those
in most doubt first; what the others can still contribute is bounded by the least price per gap at
which any of them would add to the loss, and the greatest at which any would give some back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Core", "Move"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Move = tuple[int, int]  # a context, and its pair

_ROUNDING = 1e-12
_SWAPS = 60
_PAIRS = 20_000  # that a good choice changes


@dataclass(frozen=True, slots=True)
class _Step:
    """The states after a context: where each comes from, and by which pair."""

    parent: Ints
    pair: Ints


@dataclass(frozen=True, slots=True)
class Core:
    """The contexts near the multiplier of a node, and the sums of the choice it makes everywhere.

    Attributes
    ----------
    contexts : array of int
        Those in most doubt first.
    pairs, own, more, cost : arrays
        The allowed pairs of these contexts in this order: which, the place of the context in
        `contexts`, and what each adds to the gap and the price of the multiplier's choice.
    starts : array of int
        Where the pairs of each context begin; one entry more than contexts.
    up, down : array of float
        Least and greatest price per gap of what follows so many contexts.
    missing : int
        What the multiplier's choice lacks to the gap that is needed; negative if it has more.
    paid : int
    """

    contexts: Ints
    pairs: Ints
    own: Ints
    more: Ints
    cost: Ints
    starts: Ints
    up: Floats
    down: Floats
    missing: int
    paid: int

    # -- a good choice ---------------------------------------------------------------------------

    def improved(self) -> tuple[int, list[Move]] | None:
        """Fill up what is missing, then move in one or two contexts as long as that is cheaper.

        Returns
        -------
        (int, list of moves) or None
            The price of a choice that loses enough, and where it differs from the multiplier's.
        """
        many = int(np.searchsorted(self.starts, _PAIRS, side="right")) - 1
        count = int(self.starts[many])
        own, more, cost = self.own[:count], self.more[:count], self.cost[:count]
        same = np.flatnonzero((more == 0) & (cost == 0))
        now = np.zeros(many, dtype=np.int64)
        now[own[same]] = same
        missing = self.missing
        sign = 1 if missing > 0 else -1  # what is too much is given back
        fits = np.flatnonzero((sign * more > 0) & (sign * more <= sign * missing))
        rate = sign * cost[fits].astype(float) / more[fits].astype(float)
        met: set[int] = set()
        for i in fits[np.argsort(rate, kind="stable")].tolist():
            if sign * more[i] <= sign * missing and own[i] not in met:
                met.add(own[i])
                now[own[i]], missing = i, missing - more[i]
        for _ in range(_SWAPS):
            gain, extra = more - more[now][own], cost - cost[now][own]
            missing = self.missing - int(more[now].sum())
            first = self._single(gain, extra, missing)
            found: tuple[int, ...] | None = None if first is None else (first,)
            if first is None or (missing <= 0 and extra[first] >= 0):
                found = self._double(gain, extra, own, missing)
            if found is None or (missing <= 0 and extra[list(found)].sum() >= 0):
                break
            for i in found:
                now[own[i]] = i
        if self.missing > int(more[now].sum()):
            return None
        moved = zip(self.contexts[:many].tolist(), self.pairs[now].tolist(), strict=True)
        return self.paid + int(cost[now].sum()), list(moved)

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

    def decide(
        self, best: int, limit: int, stop: Callable[[], bool] = lambda: False
    ) -> tuple[int, list[Move], int | None, int]:
        """Go through the contexts until no undominated state can become cheaper than `best`.

        Returns
        -------
        best : int
            The price of the best choice known.
        moves : list
            Where it differs from the multiplier's, if it was not known before.
        used : int or None
            How many contexts had to be decided; None if `limit` states were not enough, or if
            `stop`, which is asked before each context, said so.
        states : int
        """
        # Gaps are counted from what is needed.
        kind = self.more.dtype
        lost, paid = np.array([-self.missing], dtype=kind), np.array([self.paid], dtype=kind)
        steps: list[_Step] = []
        states = 0
        moved: list[Move] = []
        if self.missing <= 0 and self.paid < best:
            best = self.paid
        done = not self._kept(lost, paid, 0, best).any()
        for i, context in enumerate(self.contexts.tolist()):
            if done or states > limit or stop():
                break
            pairs = slice(int(self.starts[i]), int(self.starts[i + 1]))
            rise, extra, names = self.more[pairs], self.cost[pairs], self.pairs[pairs]
            lost_next = (lost[:, None] + rise[None, :]).ravel()
            paid_next = (paid[:, None] + extra[None, :]).ravel()
            states += len(lost_next)
            enough = np.flatnonzero(lost_next >= 0)
            if len(enough) and paid_next[enough].min() < best:
                best = int(paid_next[enough].min())
                state = int(enough[np.argmin(paid_next[enough])])
                moved = [(context, int(names[state % len(names)]))]
                moved += self._traced(steps, state // len(names))
            kept = np.flatnonzero(self._kept(lost_next, paid_next, i + 1, best))
            # By falling loss, and then by price: what follows has to be cheaper.
            kept = kept[np.argsort(paid_next[kept], kind="stable")]
            kept = kept[np.argsort(-lost_next[kept], kind="stable")]
            if len(kept):
                prices = paid_next[kept]
                lowest = np.minimum.accumulate(prices)
                kept = kept[np.append(True, prices[1:] < lowest[:-1])]
            steps.append(_Step(kept // len(names), names[kept % len(names)]))
            lost, paid = lost_next[kept], paid_next[kept]
            done = not len(kept)
        if done or len(steps) == len(self.contexts):
            return best, moved, len(steps) if done else None, states
        state, move = self._completed(lost, paid, int(self.starts[len(steps)]))
        if paid[state] + self.cost[move] < best and lost[state] + self.more[move] >= 0:
            best = int(paid[state] + self.cost[move])
            moved = [(int(self.contexts[self.own[move]]), int(self.pairs[move]))]
            moved += self._traced(steps, state)
        return best, moved, None, states

    def _completed(self, lost: Ints, paid: Ints, first: int) -> tuple[int, int]:
        """Return the state and the pair, from the first on, that together are best."""
        gain, extra = self.more[first:], self.cost[first:]
        order = np.argsort(gain, kind="stable")
        gain, back = gain[order], extra[order][::-1]
        # The cheapest move from each place on.
        lowest = np.where(back == np.minimum.accumulate(back), np.arange(len(back)), 0)
        cheapest = order[len(back) - 1 - np.maximum.accumulate(lowest)[::-1]]
        place = np.searchsorted(gain, -lost, side="left")
        move = first + cheapest[np.minimum(place, len(gain) - 1)]
        total = paid + self.cost[move]
        fits = place < len(gain)
        state = int(np.argmin(np.where(fits, total, total.max() + 1)))
        return state, int(move[state])

    def _kept(self, lost: Ints, paid: Ints, after: int, best: int) -> NDArray[np.bool_]:
        """Whether states may become cheaper than the best by contexts after so many."""
        missing = -lost.astype(float)
        up, down = self.up[after], self.down[after]
        with np.errstate(invalid="ignore"):
            bound = paid.astype(float) + np.where(missing > 0, up * missing, down * missing)
        # Prices are integers: cheaper is cheaper by 1.
        return np.asarray(bound <= best - 1 + 1e-6 + _ROUNDING * abs(best))

    def _traced(self, steps: list[_Step], state: int) -> list[Move]:
        """Return the moves that led to a state."""
        moved = []
        for i in range(len(steps) - 1, -1, -1):
            moved.append((int(self.contexts[i]), int(steps[i].pair[state])))
            state = int(steps[i].parent[state])
        return moved
