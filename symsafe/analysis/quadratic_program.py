"""Exact concave quadratic programmes with separable squares: simplicial decomposition.

Linear programmes over the feasible set propose vertices, and the best convex combination of those
found so far is kept (von Hohenbalken 1977; the inner step is Wolfe's, 1976). In exact arithmetic
every outer step gains, so the method ends, with multipliers that prove the optimum.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from flint import fmpq, fmpq_mat

from symsafe.analysis.linear import from_flint, to_flint
from symsafe.analysis.linear_program import Bound, LinearOptimum, Row, maximise

__all__ = ["maximise_quadratic"]

Point = tuple[Fraction, ...]
_ZERO = Fraction(0)


def maximise_quadratic(
    objective: Sequence[Fraction],
    squares: Sequence[Fraction],
    rows: Sequence[Row],
    right: Sequence[Fraction],
    lower: Sequence[Bound],
    upper: Sequence[Bound],
) -> LinearOptimum:
    """Maximise ``objective . x - sum squares x^2`` over a polyhedron, as `maximise` describes it.

    Parameters
    ----------
    objective, squares : n numbers
        The squares are not negative; with all of them 0 this is `maximise`.
    rows, right, lower, upper
        As for `symsafe.analysis.linear_program.maximise`.

    Returns
    -------
    LinearOptimum
        The multipliers are those of the linear programme whose objective is the gradient at the
        optimal point; they prove that the point is optimal. Unbounded means that the linear
        programme at some point is; a bounded feasible set never is.

    Notes
    -----
    Exact.

    Examples
    --------
    One share of 1 split in two, with a square on the first:

    >>> one, zero = Fraction(1), Fraction(0)
    >>> maximise_quadratic([one, zero], [one, zero], [{0: one, 1: one}], [one], [zero, zero],
    ...                    [None, None]).point
    (Fraction(1, 2), Fraction(1, 2))
    """
    first = maximise(objective, rows, right, lower, upper)
    if first.point is None or not any(squares):
        return first
    hull = _Hull(objective, squares, first.point)
    while True:
        point = hull.point
        gradient = tuple(c - 2 * q * x for c, q, x in zip(objective, squares, point, strict=True))
        ahead = maximise(gradient, rows, right, lower, upper)
        if ahead.point is None or ahead.value is None:
            return ahead
        if ahead.value <= _dot(gradient, point):
            value = _dot(objective, point) - sum(
                (q * x * x for q, x in zip(squares, point, strict=True)), _ZERO
            )
            return LinearOptimum("optimal", value, point, ahead.multipliers)
        hull.add(ahead.point)


class _Hull:
    """Affinely independent vertices, and the weights of the best point of their convex hull."""

    def __init__(
        self, objective: Sequence[Fraction], squares: Sequence[Fraction], vertex: Point
    ) -> None:
        self.objective, self.squares = objective, squares
        self.vertices, self.weights = [vertex], [Fraction(1)]

    @property
    def point(self) -> Point:
        columns = zip(*self.vertices, strict=True)
        return tuple(_dot(self.weights, column) for column in columns)

    def add(self, vertex: Point) -> None:
        """Add a vertex, and move to the best point; vertices without weight leave."""
        self.vertices.append(vertex)
        self.weights.append(_ZERO)
        while True:
            target = self._best()
            falling = [
                (w / (w - t), k)
                for k, (w, t) in enumerate(zip(self.weights, target, strict=True))
                if t < 0
            ]
            length, leaving = min(falling, default=(Fraction(1), -1))
            self.weights = [w + length * (t - w) for w, t in zip(self.weights, target, strict=True)]
            kept = [k for k, w in enumerate(self.weights) if w > 0 and k != leaving]
            self.vertices = [self.vertices[k] for k in kept]
            self.weights = [self.weights[k] for k in kept]
            if leaving < 0:
                return

    def _best(self) -> list[Fraction]:
        """Return the weights, of any sign, of the best point of the affine hull.

        Where there is no single best one, return a point so far along a direction in which the
        objective does not fall that some weight is negative.
        """
        count = len(self.vertices)
        system = fmpq_mat(count + 1, count + 2)
        for i, v in enumerate(self.vertices):
            for j, w in enumerate(self.vertices):
                products = zip(self.squares, v, w, strict=True)
                system[i, j] = to_flint(2 * sum((q * x * y for q, x, y in products), _ZERO))
            system[i, count] = system[count, i] = fmpq(1)
            system[i, count + 1] = to_flint(_dot(self.objective, v))
        system[count, count + 1] = fmpq(1)
        reduced, rank = system.rref()
        if rank == count + 1 and reduced[count, count] == 1:
            return [from_flint(reduced[i, count + 1]) for i in range(count)]
        return self._flat(system, count)

    def _flat(self, system: fmpq_mat, count: int) -> list[Fraction]:
        """Move along a direction d with sum d = 0 in which the squares do not change."""
        curved = fmpq_mat([[system[i, j] for j in range(count)] for i in range(count + 1)])
        reduced, rank = curved.rref()
        pivots = [next(j for j in range(count) if reduced[i, j] != 0) for i in range(rank)]
        free = next(j for j in range(count) if j not in pivots)
        direction = [_ZERO] * count
        direction[free] = Fraction(1)
        for i, pivot in enumerate(pivots):
            direction[pivot] = -from_flint(reduced[i, free])
        gain = sum(
            (d * _dot(self.objective, v) for d, v in zip(direction, self.vertices, strict=True)),
            _ZERO,
        )
        if gain < 0:
            direction = [-d for d in direction]
        # Far enough that some weight falls below 0; the caller stops where the first one is 0.
        longest = max((w + 1) / -d for w, d in zip(self.weights, direction, strict=True) if d < 0)
        return [w + longest * d for w, d in zip(self.weights, direction, strict=True)]


def _dot(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    return sum((x * y for x, y in zip(left, right, strict=True)), _ZERO)
