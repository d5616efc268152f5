"""Exact linear programmes: HiGHS proposes a basis, FLINT solves it, exact signs decide.

Where the proposal is wrong, an exact bounded simplex with Bland's rule continues from it, so the
answer is never wrong and always comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import highspy
import numpy as np
from flint import fmpq, fmpq_mat

from symsafe.analysis.highs import quiet_solver
from symsafe.analysis.linear import from_flint, to_flint
from symsafe.errors import EngineError

__all__ = ["LinearOptimum", "maximise"]

Row = Mapping[int, Fraction]
Bound = Fraction | None


@dataclass(frozen=True, slots=True)
class LinearOptimum:
    """The answer to a linear programme.

    Attributes
    ----------
    status : {"optimal", "infeasible", "unbounded"}
    value : Fraction or None
        The optimum.
    point : tuple of Fraction or None
        An optimal point.
    multipliers : tuple of Fraction or None
        One per row; ``objective - rows^T multipliers`` has the sign of optimality in each variable:
        not positive off its upper bound, not negative off its lower.
    """

    status: Literal["optimal", "infeasible", "unbounded"]
    value: Fraction | None = None
    point: tuple[Fraction, ...] | None = None
    multipliers: tuple[Fraction, ...] | None = None


def maximise(
    objective: Sequence[Fraction],
    rows: Sequence[Row],
    right: Sequence[Fraction],
    lower: Sequence[Bound],
    upper: Sequence[Bound],
) -> LinearOptimum:
    """Maximise ``objective . x`` subject to ``rows x = right`` and ``lower <= x <= upper``.

    Parameters
    ----------
    objective : n numbers
    rows : m sparse rows, column -> coefficient
    right : m numbers
    lower, upper : n numbers, None where unbounded

    Returns
    -------
    LinearOptimum

    Notes
    -----
    Guided by floats, decided exactly.

    Examples
    --------
    >>> one, zero = Fraction(1), Fraction(0)
    >>> maximise([one, zero], [{0: one, 1: one}], [one], [zero, zero], [None, None]).value
    Fraction(1, 1)
    """
    if any(
        lo is not None and up is not None and lo > up for lo, up in zip(lower, upper, strict=True)
    ):
        return LinearOptimum("infeasible")
    return _Simplex(objective, rows, right, lower, upper).solve()


def propose(
    objective: Sequence[Fraction],
    rows: Sequence[Row],
    right: Sequence[Fraction],
    lower: Sequence[Bound],
    upper: Sequence[Bound],
) -> tuple[list[int], set[int]]:
    """Return HiGHS's guess: basic columns (column n + i stands for row i) and those at their upper.

    The guess is a hint. Whatever is returned, `maximise` stays exact.
    """
    infinity = highspy.kHighsInf
    # Scaling keeps every number within what a float can hold, and changes no basis.
    heights = [_largest(row.values()) for row in rows]
    ends = [x / height for x, height in zip(right, heights, strict=True)]
    width = _largest([*ends, *(x for x in (*lower, *upper) if x is not None)])
    worth = _largest(objective)
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(objective), len(rows)
    model.col_cost_ = np.array([-float(c / worth) for c in objective])
    model.col_lower_ = np.array([-infinity if x is None else float(x / width) for x in lower])
    model.col_upper_ = np.array([infinity if x is None else float(x / width) for x in upper])
    model.row_lower_ = model.row_upper_ = np.array([float(x / width) for x in ends])
    starts, indices, values = [0], [], []
    for row, height in zip(rows, heights, strict=True):
        indices += list(row)
        values += [float(x / height) for x in row.values()]
        starts.append(len(indices))
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_ = starts
    model.a_matrix_.index_ = indices
    model.a_matrix_.value_ = values
    solver = quiet_solver(1e-10)
    solver.passModel(model)
    solver.run()
    basis = solver.getBasis()
    basic, at_upper = [], set()
    for column, status in enumerate([*basis.col_status, *basis.row_status]):
        if status == highspy.HighsBasisStatus.kBasic:
            basic.append(column)
        elif status == highspy.HighsBasisStatus.kUpper:
            at_upper.add(column)
    return basic, at_upper


def _largest(numbers: Iterable[Fraction]) -> Fraction:
    return max(map(abs, numbers), default=Fraction(0)) or Fraction(1)


class _Simplex:
    """Bounded-variable simplex in exact arithmetic; column n + i is the artificial of row i.

    Artificials are fixed at 0. Phase one minimises the sum of the violations of basic variables,
    priced anew at every step; while steps are degenerate the prices do not change, so Bland's rule
    ends both phases.
    """

    def __init__(
        self,
        objective: Sequence[Fraction],
        rows: Sequence[Row],
        right: Sequence[Fraction],
        lower: Sequence[Bound],
        upper: Sequence[Bound],
    ) -> None:
        self.given = (objective, rows, right, lower, upper)
        self.count, self.size = len(objective), len(rows)
        zero = fmpq(0)
        self.objective = [to_flint(c) for c in objective] + [zero] * self.size
        self.columns: list[list[tuple[int, fmpq]]] = [[] for _ in objective]
        for i, row in enumerate(rows):
            for j, x in row.items():
                if x:
                    self.columns[j].append((i, to_flint(x)))
        self.columns += [[(i, fmpq(1))] for i in range(self.size)]
        self.right = [to_flint(x) for x in right]
        self.lower = [None if x is None else to_flint(x) for x in lower] + [zero] * self.size
        self.upper = [None if x is None else to_flint(x) for x in upper] + [zero] * self.size

    def solve(self) -> LinearOptimum:
        basic, at_upper = propose(*self.given)
        if not self._start(basic, at_upper):
            self._start([self.count + i for i in range(self.size)], set())
        while True:
            violated = self._violations()
            prices = violated if any(violated) else [self.objective[j] for j in self.basic]
            outcome = self._step(prices, feasible=not any(violated))
            if outcome is not None:
                return outcome

    def _start(self, basic: list[int], at_upper: set[int]) -> bool:
        """Take up a basis; return False if it is none."""
        if len(basic) != self.size or len(set(basic)) != self.size:
            return False
        self.basic = list(basic)
        self.at: list[fmpq] = []
        for j, (lo, up) in enumerate(zip(self.lower, self.upper, strict=True)):
            if up is not None and (lo is None or j in at_upper):
                self.at.append(up)
            else:
                self.at.append(fmpq(0) if lo is None else lo)
        return self._factor()

    def _factor(self) -> bool:
        """Solve for the basic variables; return False if the basis is singular."""
        self.matrix = fmpq_mat(self.size, self.size)
        for k, j in enumerate(self.basic):
            for i, x in self.columns[j]:
                self.matrix[i, k] = x
        inside = set(self.basic)
        rest = list(self.right)
        for j, x in enumerate(self.at):
            if x and j not in inside:
                for i, a in self.columns[j]:
                    rest[i] -= a * x
        found = _solve(self.matrix, rest)
        if found is None:
            return False
        for j, x in zip(self.basic, found, strict=True):
            self.at[j] = x
        return True

    def _violations(self) -> list[fmpq]:
        """Return per basic variable +1 below its lower bound, -1 above its upper, else 0."""
        signs = []
        for j in self.basic:
            x, lo, up = self.at[j], self.lower[j], self.upper[j]
            signs.append(fmpq((lo is not None and x < lo) - (up is not None and x > up)))
        return signs

    def _step(self, prices: list[fmpq], *, feasible: bool) -> LinearOptimum | None:
        """Make one pivot by Bland's rule, or return the answer if there is none to make."""
        dual = _solve(self.matrix.transpose(), prices)
        if dual is None:
            raise EngineError("a simplex basis became singular")
        inside = set(self.basic)
        for j, column in enumerate(self.columns):
            lo, up = self.lower[j], self.upper[j]
            if j in inside or (lo is not None and lo == up):
                continue
            gain = (self.objective[j] if feasible else fmpq(0)) - sum(
                (a * dual[i] for i, a in column), fmpq(0)
            )
            if (gain > 0 and self.at[j] != up) or (gain < 0 and self.at[j] != lo):
                return self._move(j, 1 if gain > 0 else -1, feasible)
        if not feasible:
            return LinearOptimum("infeasible")
        point = tuple(from_flint(x) for x in self.at[: self.count])
        value = sum((c * x for c, x in zip(self.given[0], point, strict=True) if x), Fraction(0))
        return LinearOptimum("optimal", value, point, tuple(from_flint(y) for y in dual))

    def _move(self, entering: int, direction: int, feasible: bool) -> LinearOptimum | None:
        """Move a non-basic variable until a bound is met; Bland's rule breaks ties."""
        column = [fmpq(0)] * self.size
        for i, a in self.columns[entering]:
            column[i] = a
        change = _solve(self.matrix, column)
        if change is None:
            raise EngineError("a simplex basis became singular")
        lo, up = self.lower[entering], self.upper[entering]
        best = up - lo if lo is not None and up is not None else None
        leaving = None
        for k, j in enumerate(self.basic):
            slope = -change[k] * direction
            barrier = self._barrier(j, slope) if slope else None
            if barrier is None:
                continue
            length = (barrier - self.at[j]) / slope
            tied = leaving is not None and length == best and j < self.basic[leaving]
            if best is None or length < best or tied:
                best, leaving = length, k
        if best is None:
            if feasible:
                return LinearOptimum("unbounded")
            raise EngineError("phase one of the simplex is unbounded")
        self.at[entering] += direction * best
        if leaving is not None:
            # The bound is met exactly: the arithmetic is exact.
            out = self.basic[leaving]
            self.at[out] -= change[leaving] * direction * best
            self.basic[leaving] = entering
        if not self._factor():
            raise EngineError("a simplex basis became singular")
        return None

    def _barrier(self, j: int, slope: fmpq) -> fmpq | None:
        """Return the bound at which a moving basic variable has to stop, if any.

        A variable that violates a bound stops where it becomes feasible.
        """
        x, lo, up = self.at[j], self.lower[j], self.upper[j]
        if slope > 0:
            return lo if lo is not None and x < lo else up if up is None or x <= up else None
        return up if up is not None and x > up else lo if lo is None or x >= lo else None


def _solve(matrix: fmpq_mat, right: Sequence[fmpq]) -> list[fmpq] | None:
    try:
        return list(matrix.solve(fmpq_mat(len(right), 1, list(right))).entries())
    except ZeroDivisionError:
        return None
