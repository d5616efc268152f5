"""What it costs at least to lower the mean reward in one context, under a KL penalty.

The cost K(T) of a mean of at most T is, at a given T, the least of a few candidates; and on an
interval it is bounded from below by lines that a checker can verify (CERTIFICATE.md, KL-regularised
problems). Floats propose the lines; nothing here is a proof.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

__all__ = ["Context", "Curve", "Piece", "Raise"]

Floats = NDArray[np.float64]
_BOXES, _FUTILE, _LIGHT = 200, 12, 10
_DIGITS = 8.0
_NEAREST = Fraction(1, 10**13)


@dataclass(frozen=True, slots=True)
class Context:
    """One state of a contextual bandit, in units in which rewards are of order 1.

    What counts is how far rewards are from a mean, be it much less than a float can tell from the
    mean: these distances are rounded, not the rewards.

    Attributes
    ----------
    share : float
        Its initial probability.
    scale : float
        lambda.
    rewards : tuple of Fraction, one per action
        In the unit, from the zero: R = zero + unit * reward.
    data : array, one per action
    weight : array, one per action
        log(ref) + (R - max R) / lambda.
    zero, unit : Fraction
        In reward units.
    """

    share: float
    scale: float
    rewards: tuple[Fraction, ...]
    data: Floats
    weight: Floats
    zero: Fraction
    unit: Fraction

    def gaps(self, mean: Fraction | float) -> Floats:
        """Return the rewards less a mean."""
        exactly = Fraction(mean)
        return np.array([float(r - exactly) for r in self.rewards])

    def cheapest(self, mean: Fraction | float) -> tuple[float, Floats]:
        """Return the least cost of a mean of at most `mean`, and the errors that have it.

        Errors are infinite where no data see the action; the cost is, where there is no such mean.
        """
        from symsafe.engine.curve_kernel import cheapest  # loads numba

        errors = np.zeros(len(self.rewards))
        cost = cheapest(self.weight, self.gaps(mean), self.data, errors)
        return self.scale * cost, self.scale * errors

    def edge(self) -> float:
        """Return the least reward of an action without data below the natural mean, or -inf."""
        reward = self.gaps(0)
        natural = np.exp(self.weight) / np.exp(self.weight).sum() @ reward
        unseen = reward[(self.data == 0) & (reward < natural)]
        return float(unseen.min()) if len(unseen) else -np.inf

    def free_mean(self) -> tuple[float, float]:
        """Return a mean just below that from which on nothing has to be paid, and a free one."""
        low, high = float(min(self.rewards)), float(max(self.rewards))
        while low < (middle := (low + high) / 2) < high:
            if self.cheapest(middle)[0] > 0:
                low = middle
            else:
                high = middle
        return max(low - 1e-12 * abs(low), float(min(self.rewards))), high


@dataclass(frozen=True, slots=True)
class Raise:
    """Why raising one bad action costs at least a line: boxes of raises, each with a price.

    Only the good actions in `lowered` may be lowered at the same time.
    """

    action: int
    lowered: tuple[int, ...]
    ends: tuple[float, ...]
    prices: tuple[float, ...]
    tilted: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A line below the curve, from one point to the next; `price` is for no raise."""

    start: float
    end: float
    price: float
    raises: tuple[Raise, ...]


@dataclass(slots=True)
class Curve:
    """Points (T, v), and lines between them that lie below the cost of a mean T in one context.

    In the unit of the context, and from its zero.

    Attributes
    ----------
    context : Context
    points : list of Fraction
        T, increasing.
    costs : list of float
        The cost at the points; at the first, which no policy reaches, that at the second.
    pieces : list of Piece
    margin : float
        How far v keeps below what floats say.
    anchor : Fraction
        A mean close to which loads are to be exact.
    means, distances, values : array, one per point
        T, T less the anchor, and v.
    """

    context: Context
    points: list[Fraction]
    costs: list[float] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    margin: float = 1e-13
    anchor: Fraction = Fraction(0)
    means: Floats = field(default_factory=lambda: np.zeros(0))
    distances: Floats = field(default_factory=lambda: np.zeros(0))
    values: Floats = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def of(cls, context: Context) -> Curve:
        """Return the coarsest curve of a context."""
        rewards, free = context.rewards, Fraction(context.free_mean()[0])
        inner = sorted({r for r in rewards if r < free})
        curve = cls(context, [*inner, free] if inner else [min(rewards)])
        curve.costs = [curve.cost(t) for t in curve.points]
        curve.costs[-1] = 0.0
        if inner:
            curve.costs[0] = curve.costs[1]
        curve.pieces = [curve.prove(i, 0.0) for i in range(len(inner))]
        curve.settle()
        return curve

    def cost(self, mean: Fraction | float) -> float:
        """Return the least cost of this mean."""
        return self.context.cheapest(mean)[0]

    def settle(self) -> None:
        """Work out what the lines prove at the points."""
        costs = np.array(self.costs)
        starts = np.array([*(piece.start for piece in self.pieces), costs[-1]])
        ends = np.array([costs[0], *(piece.end for piece in self.pieces)])
        self.means = np.array([float(t) for t in self.points])
        self.distances = np.array([float(t - self.anchor) for t in self.points])
        self.values = np.minimum(costs, np.minimum(starts, ends)) - self.margin * (1 + costs)
        self.values[~np.isfinite(self.values)] = 0.0  # claims nothing
        self.values[-1] = 0.0  # the last piece is proven for this

    def proven(self) -> list[tuple[Fraction, Fraction]]:
        """Return the points (T, v) in reward units, and from 0."""
        zero, unit = self.context.zero, self.context.unit
        return [
            (zero + unit * t, unit * Fraction(v))
            for t, v in zip(self.points, self.values.tolist(), strict=True)
        ]

    def missed(self, i: int) -> float:
        """Return by how much a piece lies below the curve at its ends."""
        piece = self.pieces[i]
        return self.costs[i] - piece.start + self.costs[i + 1] - piece.end

    def line(self, mean: float) -> float:
        """Return what the lines prove of a mean."""
        return float(np.interp(mean, self.means, self.values))

    def insert(self, mean: Fraction, precision: float) -> bool:
        """Make a mean a point, or return False if it is one, or too close to one.

        `precision` is what slack is good enough. `settle` has to be called afterwards.
        """
        i = bisect_left(self.points, mean)
        if i in {0, len(self.points)} or self.points[i] == mean:
            return False
        if min(mean - self.points[i - 1], self.points[i] - mean) < _NEAREST * abs(mean):
            return False
        self.points.insert(i, mean)
        self.costs.insert(i, self.cost(mean))
        if i == 1:
            self.costs[0] = self.costs[1]
        self.pieces[i - 1 : i] = [self.prove(i - 1, precision), self.prove(i, precision)]
        return True

    def around(self, mean: Fraction) -> range:
        """Return the pieces in which a mean lies, or nearly so."""
        near = _NEAREST * abs(mean)
        first = max(bisect_left(self.points, mean - near) - 1, 0)
        return range(first, min(bisect_right(self.points, mean + near), len(self.pieces)))

    def prove(self, i: int, precision: float) -> Piece:
        """Return the piece between two points, as high as it can be but for `precision`."""
        start, end = self.costs[i : i + 2]
        found = self._prove(i, start, end, precision)
        if end - found.end > 0.3 * (start - end) or start - found.start > 0.3 * (start - end):
            # Much steeper at the start: a level line is better.
            found = self._prove(i, end, end, precision)
        return found

    def _prove(self, i: int, start: float, end: float, precision: float) -> Piece:
        context, scale = self.context, self.context.scale
        if max(start, end) <= 0:
            return Piece(start, end, 0.0, ())
        gaps = np.array([context.gaps(t) for t in self.points[i : i + 2]])
        pinned = i + 2 == len(self.points)
        values = np.array([start, end]) / scale
        line = _Line(context, gaps, values, pinned, precision / scale)
        good = gaps[0] > 0
        price, slack, _ = line.price(-1, good, 0.0, 0.0)
        raises = []
        for b in np.flatnonzero(~good).tolist():
            if context.data[b] == 0:
                return Piece(-start, -end, 0.0, ())
            for lowered in _lowerings(context, good, b):
                raised, missing = line.cover(b, lowered)
                raises.append(raised)
                slack = max(slack, missing)
        slack = max(slack, 0.0) * scale
        return Piece(start - slack, end if pinned else end - slack, price, tuple(raises))


def _lowerings(context: Context, good: NDArray[np.bool_], b: int) -> list[tuple[int, ...]]:
    """Return sets of good actions that may be lowered while a bad one is raised.

    Every set with less data than the raised action is within one of them; others need not be
    looked at (CERTIFICATE.md).
    """
    mass = float(context.data[b]) * (1 - 1e-12)
    light = [g for g in np.flatnonzero(good).tolist() if context.data[g] < mass]
    if len(light) > _LIGHT or sum(float(context.data[g]) for g in light) < mass:
        return [tuple(light)]
    found: list[set[int]] = []
    for flags in product((True, False), repeat=len(light)):
        chosen = {g for g, flag in zip(light, flags, strict=True) if flag}
        if sum(float(context.data[g]) for g in chosen) < mass:
            found = (
                [*(other for other in found if not other <= chosen), chosen]
                if not any(chosen <= other for other in found)
                else found
            )
    return [tuple(sorted(chosen)) for chosen in found]


@dataclass(frozen=True, slots=True)
class _Line:
    """What is to be proven between two means, `gaps` below the rewards; in units of lambda."""

    context: Context
    gaps: Floats
    values: Floats
    pinned: bool
    precision: float

    def price(
        self, b: int, lowered: NDArray[np.bool_], low: float, high: float
    ) -> tuple[float, float, bool]:
        """Return the best price of a box, by how much it misses the line, and if it is tilted."""
        from symsafe.engine.curve_kernel import price  # loads numba

        context, ends = self.context, np.array([low, high])
        tables = (context.weight, self.gaps, context.data)
        box = (*tables, lowered, b, self.values, ends, self.pinned)
        level, missing = price(*box, False, _DIGITS)
        if not np.isfinite(level) or not np.isfinite(missing):
            # Rewards a thousand times lambda are beyond the range of floats: nothing is proven.
            return 1.0, 2 * float(self.values.max()), False
        if b >= 0 and missing > self.precision and lowered.any():
            other, missed = price(*box, True, _DIGITS)
            if missed < missing and np.isfinite(other):
                return other, missed, True
        return level, missing, False

    def cover(self, b: int, lowered: tuple[int, ...]) -> tuple[Raise, float]:
        """Cover all raises of an action with boxes; return also by how much the line is missed."""
        context = self.context
        allowed = np.zeros(len(context.rewards), dtype=np.bool_)
        allowed[list(lowered)] = True
        far = float(self.values.max() / context.data[b]) * (1 + 1e-9)
        seams = {0.0, far}
        for gaps in self.gaps:
            sizes = np.exp(context.weight) * gaps
            excess = float(sizes.sum() - sizes[b])
            if excess > 0 and gaps[b] < 0:
                alone = float(np.log(excess / -gaps[b]) - context.weight[b])
                seams |= {alone} if 1e-9 * far < alone < far else set()

        def box(low: float, high: float) -> tuple[float, float, float, float, bool]:
            return low, high, *self.price(b, allowed, low, high)

        ordered = [*sorted({x for y in seams if (x := float(f"{y:.12g}")) < far}), far]
        boxes = [box(*pair) for pair in pairwise(ordered)]
        futile = 0
        while len(boxes) < _BOXES and futile < _FUTILE:
            worst = max(range(len(boxes)), key=lambda k: boxes[k][3])
            low, high, _, missing, _ = boxes[worst]
            middle = float(f"{(low + high) / 2:.12g}")
            if missing <= self.precision or not low < middle < high:
                break
            halves = [box(low, middle), box(middle, high)]
            boxes[worst : worst + 1] = halves
            futile += max(half[3] for half in halves) > 0.9 * missing
        missing = max(0.0, *(entry[3] for entry in boxes))
        ends, prices = tuple(e[1] for e in boxes), tuple(e[2] for e in boxes)
        tilted = tuple(k for k, entry in enumerate(boxes) if entry[4])
        return Raise(b, lowered, ends, prices, tilted), missing
