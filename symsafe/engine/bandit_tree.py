"""Branch and bound for a multiple-choice knapsack with a few heavy contexts.

In each context only the lower convex hull of its points (gap, price) matters for a multiplier. With
the edges of all hulls sorted by slope once, and their sums, the best multiplier of a node is found
by bisection. A node splits the context at which its multiplier jumps, unless its core decides it.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from symsafe.engine.bandit_core import Core, Move
from symsafe.engine.limits import Limits

__all__ = ["Branching", "Hull", "Leaf"]

Ints = NDArray[np.int64]
Point = tuple[int, int]  # gap, price
Allowed = dict[int, tuple[int, int]]  # of a context that is split: from which pair, to which

_ROUNDS = ((20_000, 60), (150_000, 30), (600_000, 12))  # states of a leaf, nodes
_STATES = 900_000  # of all leaves: what a checker repeats in a second
_GREATEST = 10**30 - 1  # that a certificate can hold
_EDGES = 4_000  # near a multiplier, on either side
_SEARCHED = 12  # nodes of a round in which a good choice is sought
ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A multiplier, and the contexts that have to be decided one by one."""

    multiplier: Fraction
    core: tuple[int, ...] = ()

    def text(self, bits: int) -> str:
        """Return both as in a certificate."""
        scaled = (self.multiplier.numerator << bits) // self.multiplier.denominator
        return " ".join(map(str, (min(scaled, _GREATEST), *self.core)))


class _Changes(NamedTuple):
    """What allowed pairs change: the sums at first, edges that are gone, and those instead."""

    lost: int
    paid: int
    gone: list[int]
    instead: list[tuple[float, int, int, int]]  # slope, gap, price, context


@dataclass(slots=True)
class Node:
    """Choices that take allowed pairs.

    Attributes
    ----------
    allowed : dict
    bound : int
        What the best multiplier proves, rounded up.
    slope : Fraction
        The best multiplier.
    context, cut : int
        Where the multiplier jumps, and the first pair beyond.
    core : tuple of int or None
        The contexts that have to be decided to prove that no choice here is cheaper than the best.
    children : list of Node
        Two, if split.
    """

    allowed: Allowed
    bound: int
    slope: Fraction
    context: int = 0
    cut: int = 0
    core: tuple[int, ...] | None = None
    children: list[Node] = field(default_factory=list)


class Hull:
    """The points of all contexts, and the edges of their lower convex hulls by rising slope.

    Parameters
    ----------
    price, gap, owner : arrays, one entry per pair, context by context, by rising gap
    starts : array, the first pair of each context
    """

    def __init__(self, price: Ints, gap: Ints, owner: Ints, starts: Ints) -> None:
        self.price, self.gap, self.starts = price, gap, starts
        self.ends = np.append(starts[1:], len(owner))
        kept = np.arange(len(owner))
        while True:
            g, k, own = gap[kept], price[kept], owner[kept]
            same = own[1:] == own[:-1]
            more, cost = np.diff(g), np.diff(k)
            bad = np.append(same & (cost < 0), False)  # the next one loses no less
            bad[1:] |= same & (more == 0) & (cost >= 0)
            if not bad.any():
                middle = np.flatnonzero(own[2:] == own[:-2])
                x, y = more.astype(float), cost.astype(float)
                above = y[middle] * x[middle + 1] >= y[middle + 1] * x[middle]
                bad[middle[above] + 1] = True
                bad[1:] &= ~bad[:-1]
                if not bad.any():
                    break
            kept = kept[~bad]
        edge = np.flatnonzero(same)
        slope = cost[edge].astype(float) / more[edge].astype(float)
        order = np.argsort(slope, kind="stable")
        edge = edge[order]
        self.slope, self.owner, self.target = slope[order], own[edge], kept[edge + 1]
        self.more, self.cost = more[edge], cost[edge]
        self.first = kept[np.append(True, ~same)]
        none = np.zeros(1, dtype=gap.dtype)
        self.lost = np.append(none, np.cumsum(self.more)) + gap[self.first].sum()
        self.paid = np.append(none, np.cumsum(self.cost)) + price[self.first].sum()
        self.by_owner = np.argsort(self.owner, kind="stable")
        self.owned = np.searchsorted(self.owner[self.by_owner], np.arange(len(starts) + 1))

    def points(self, first: int, last: int) -> list[Point]:
        """Return the points of some pairs."""
        pairs = slice(first, last)
        return list(zip(self.gap[pairs].tolist(), self.price[pairs].tolist(), strict=True))

    def edges(self, context: int) -> list[int]:
        """Return where the edges of a context are among all, by rising slope."""
        places = self.by_owner[self.owned[context] : self.owned[context + 1]]
        found: list[int] = places.tolist()
        return found


def lower(points: Sequence[Point]) -> list[Point]:
    """Return the lower convex hull from the least price on."""
    found: list[Point] = []
    for x, y in sorted(points):
        while found and found[-1][1] > y:
            found.pop()
        if found and found[-1][0] == x:
            continue
        while len(found) > 1 and (found[-1][1] - found[-2][1]) * (x - found[-1][0]) >= (
            y - found[-1][1]
        ) * (found[-1][0] - found[-2][0]):
            found.pop()
        found.append((x, y))
    return found


class Branching:
    """The search for the cheapest choice whose gaps sum to `needed`.

    Attributes
    ----------
    best : int
        The price of the best choice known.
    choice : array of int
        A pair of each context.
    root : Node
    proven : int
        What every choice costs, by the tree.
    stopped : str or None
        The limit that ended the search.
    """

    def __init__(self, hull: Hull, needed: int, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.stopped: str | None = None
        self.opened = 0  # nodes
        self.hull, self.needed, self.random = hull, needed, np.random.default_rng(0)
        self.choice = hull.ends - 1  # loses all that can be lost
        self.best = int(hull.price[self.choice].sum())
        self._never = self.best + 1
        self.root = self._node({})
        self.proven = min(self.root.bound, self.best)

    def solve(self) -> None:
        """Search until the choice is proven to be optimal, or too much is in doubt."""
        for limit, nodes in _ROUNDS:
            if self.proven < self.best and not self._stops(self.opened):
                self._round(limit, nodes)
        if self.stopped:  # a better choice may not have been sought yet
            enough = int(np.searchsorted(self.hull.lost, self.needed))
            self._offer(int(self.hull.paid[enough]), {}, enough, self.root.slope, [])

    def _stops(self, opened: int = 0) -> bool:
        self.stopped = self.stopped or self.limits.reached(opened)
        return self.stopped is not None

    def _round(self, limit: int, nodes: int) -> None:
        root = self._node({})
        heap = [(root.bound, 0, root)]
        made, states = 1, 0
        named: set[int] = set()
        while heap and heap[0][0] < self.best and made <= nodes and not self._stops(self.opened):
            bound, turn, node = heapq.heappop(heap)
            self.opened += 1
            core, place = self._core(node)
            if made <= _SEARCHED and (found := core.improved()) is not None:
                self._offer(found[0], node.allowed, place, node.slope, found[1])
            cheapest, moves, used, count = core.decide(self.best, limit, self._stops)
            self._offer(cheapest, node.allowed, place, node.slope, moves)
            if used is not None:
                states += count
                node.core = tuple(core.contexts[:used].tolist())
                named.update(node.core)
                if states + made * len(named) > _STATES:
                    return
                continue
            if self.stopped:  # it stays open
                heapq.heappush(heap, (bound, turn, node))
                break
            node.cut = self._cut(node)
            first, last = self._allowed(node.allowed, node.context)
            for part in ((first, node.cut), (node.cut, last)):
                child = self._node({**node.allowed, node.context: part})
                node.children.append(child)
                made += 1
                heapq.heappush(heap, (child.bound, made, child))
        proven = min(self.best, heap[0][0]) if heap else self.best
        if proven >= self.proven:
            self.root, self.proven = root, proven

    def _cut(self, node: Node) -> int:
        """Return the first pair beyond the jump of the multiplier."""
        first, last = self._allowed(node.allowed, node.context)
        points = self.hull.points(first, last)
        least = self._at(points, node.slope)
        return next(first + i for i, point in enumerate(points) if point[0] > points[least][0])

    def _allowed(self, allowed: Allowed, context: int) -> tuple[int, int]:
        hull = self.hull
        return allowed.get(context) or (int(hull.starts[context]), int(hull.ends[context]))

    @staticmethod
    def _at(points: list[Point], slope: Fraction) -> int:
        """Return which point a multiplier chooses."""
        n, d = slope.numerator, slope.denominator
        values = [(d * price - n * gap, gap) for gap, price in points]
        return values.index(min(values))

    # -- multipliers -----------------------------------------------------------------------------

    def _changes(self, allowed: Allowed) -> _Changes:
        hull = self.hull
        lost = paid = 0
        gone: list[int] = []
        instead: list[tuple[float, int, int, int]] = []
        for context, (first, last) in allowed.items():
            before, kept = int(hull.first[context]), lower(hull.points(first, last))
            lost += kept[0][0] - int(hull.gap[before])
            paid += kept[0][1] - int(hull.price[before])
            gone += hull.edges(context)
            for left, right in pairwise(kept):
                more, cost = right[0] - left[0], right[1] - left[1]
                instead.append((float(cost) / float(more), more, cost, context))
        return _Changes(lost, paid, sorted(gone), sorted(instead))

    def _sums(self, changes: _Changes, place: int, slope: float) -> Point:
        """Return gap and price after so many edges, and those instead that are less steep."""
        hull = self.hull
        lost, paid = int(hull.lost[place]) + changes.lost, int(hull.paid[place]) + changes.paid
        for edge in changes.gone[: bisect_left(changes.gone, place)]:
            lost, paid = lost - int(hull.more[edge]), paid - int(hull.cost[edge])
        for steep, more, cost, _ in changes.instead:
            if steep < slope:
                lost, paid = lost + more, paid + cost
        return lost, paid

    def _node(self, allowed: Allowed) -> Node:
        """Return a node with its best multiplier."""
        hull, changes = self.hull, self._changes(allowed)
        low, high = 0, len(hull.slope)
        while low < high:  # the first edge before which enough is lost
            middle = (low + high) // 2
            if self._sums(changes, middle, float(hull.slope[middle]))[0] >= self.needed:
                high = middle
            else:
                low = middle + 1
        since = float(hull.slope[low - 1]) if low else -1.0
        until = float(hull.slope[low]) if low < len(hull.slope) else np.inf
        lost, paid = self._sums(changes, max(0, low - 1), since)
        if lost >= self.needed:
            self._offer(paid, allowed, 0, ZERO, [])
            return Node(allowed, paid, ZERO)
        jumps = [edge for edge in changes.instead if since <= edge[0] < until]
        if low and low - 1 not in changes.gone:
            last = low - 1
            numbers = int(hull.more[last]), int(hull.cost[last]), int(hull.owner[last])
            jumps.append((since, *numbers))
        for _, more, cost, context in sorted(jumps):
            missing = self.needed - lost
            if more >= missing:
                bound = paid - (-missing * cost // more)
                return Node(allowed, bound, Fraction(cost, more), context)
            lost, paid = lost + more, paid + cost
        return Node(allowed, self._never, ZERO)

    def _value(self, allowed: Allowed, slope: Fraction) -> int:
        """Return what a multiplier proves, rounded up."""
        place = int(np.searchsorted(self.hull.slope, float(slope)))
        lost, paid = self._sums(self._changes(allowed), place, float(slope))
        return ceil(paid + slope * (self.needed - lost))

    def leaves(self) -> list[tuple[int, int] | Leaf]:
        """Return the tree in preorder: a split by its context and place, or a leaf.

        Where a multiplier is enough, it is that of the node above if that one is enough: few
        different multipliers are quicker to check.
        """
        found: list[tuple[int, int] | Leaf] = []
        stack = [(self.root, self.root.slope)]
        while stack:
            node, near = stack.pop()
            if node.children:
                found.append((node.context, node.cut - int(self.hull.starts[node.context])))
                stack += [(child, node.slope) for child in reversed(node.children)]
            elif node.core is not None:
                found.append(Leaf(node.slope, node.core))
            else:
                if self._value(node.allowed, near) < self.proven and node.bound < self._never:
                    near = node.slope
                while self._value(node.allowed, near) < self.proven and near < _GREATEST:
                    near = 4 * near or Fraction(1)  # no choice here loses enough
                found.append(Leaf(near))
        return found

    # -- cores -----------------------------------------------------------------------------------

    def _core(self, node: Node) -> tuple[Core, int]:
        """Return the contexts near the multiplier of a node, and the place of the multiplier."""
        hull, slope, changes = self.hull, float(node.slope), self._changes(node.allowed)
        place = int(np.searchsorted(hull.slope, slope))
        lost, paid = self._sums(changes, place, slope)
        first, last = max(0, place - _EDGES), min(len(hull.slope), place + _EDGES)
        near = np.setdiff1d(np.arange(first, last), changes.gone, assume_unique=True)
        slopes = np.append(hull.slope[near], [edge[0] for edge in changes.instead])
        owner = np.append(hull.owner[near], [edge[3] for edge in changes.instead]).astype(np.int64)
        # Equals come in another order each time, so that other choices are found.
        order = np.lexsort((self.random.random(len(slopes)), np.abs(slopes - slope)))
        slopes, owner = slopes[order], owner[order]
        named, met, rank = np.unique(owner, return_index=True, return_inverse=True)
        turn = np.argsort(met, kind="stable")
        rank = np.argsort(turn, kind="stable")[rank]
        contexts = named[turn]
        # What follows a context is bounded by the edges of those after it.
        up, down = np.full(len(contexts) + 1, np.inf), np.zeros(len(contexts) + 1)
        if last < len(hull.slope):
            up[-1] = hull.slope[last]
        if first:
            down[-1] = hull.slope[first - 1]
        taken = slopes < slope
        np.minimum.at(up, rank[~taken], slopes[~taken])
        np.maximum.at(down, rank[taken], slopes[taken])
        up = np.minimum.accumulate(up[::-1])[::-1]
        down = np.maximum.accumulate(down[::-1])[::-1]
        ranges = [self._allowed(node.allowed, s) for s in contexts.tolist()]
        starts = np.cumsum([0, *(high - low for low, high in ranges)])
        pairs = np.concatenate([np.arange(low, high) for low, high in ranges])
        own = np.repeat(np.arange(len(contexts)), np.diff(starts))
        base = self._choice(node.allowed, place, node.slope)[contexts][own]
        more, cost = hull.gap[pairs] - hull.gap[base], hull.price[pairs] - hull.price[base]
        missing = self.needed - lost
        return Core(contexts, pairs, own, more, cost, starts, up, down, missing, paid), place

    def _choice(self, allowed: Allowed, place: int, slope: Fraction) -> Ints:
        """Return what a multiplier chooses."""
        hull = self.hull
        choice = hull.first.copy()
        np.maximum.at(choice, hull.owner[:place], hull.target[:place])
        for context, (first, last) in allowed.items():
            choice[context] = first + self._at(hull.points(first, last), slope)
        return np.asarray(choice)

    def _offer(
        self, price: int, allowed: Allowed, place: int, slope: Fraction, moves: list[Move]
    ) -> None:
        """Keep a choice if it is the cheapest so far."""
        if price < self.best:
            self.best, self.choice = price, self._choice(allowed, place, slope)
            for context, pair in moves:
                self.choice[context] = pair
