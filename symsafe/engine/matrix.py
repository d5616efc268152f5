"""The matrix M of Theorem 3.5: D is safe at epsilon if and only if M D > epsilon * range R.

M depends on the MDP and on L alone. Every row is |R^ - R| for a reward model R^ that makes some bad
policy optimal; the rows kept are those that are the least for some D.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb, lcm
from operator import mul

import highspy
import numpy as np
from numpy.typing import NDArray

from symsafe.analysis.highs import quiet_solver
from symsafe.analysis.linear import solve
from symsafe.analysis.linear_program import maximise
from symsafe.analysis.occupancy import support
from symsafe.analysis.policies import count_deterministic_policies, deterministic_policies
from symsafe.analysis.values import expected_return, shape
from symsafe.engine.question import Question
from symsafe.errors import EngineError, UnsupportedError
from symsafe.model import Policy

__all__ = ["MAX_POLICIES", "MatrixRow", "SafetyMatrix", "minimal_bad_supports", "safety_matrix"]

MAX_POLICIES = 20_000
MAX_BASES = 50_000
MAX_ROWS = 200_000
MAX_CANDIDATES = 5_000
_RESOLUTION = 1 << 30

Numbers = tuple[Fraction, ...]
Weights = tuple[int, ...]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One row of M with the witness that it stands for.

    Attributes
    ----------
    entries : tuple of Fraction, one per pair
        |R^ - R|, in reward units.
    reward : tuple of Fraction, one per pair
        R^.
    policy : Policy
        Bad, and optimal for R^.
    """

    entries: Numbers
    reward: Numbers
    policy: Policy


@dataclass(frozen=True, slots=True)
class SafetyMatrix:
    """The irredundant M, with the reward range that scales epsilon.

    Attributes
    ----------
    rows : tuple of MatrixRow
        In lexicographic order of their entries.
    reward_range : Fraction
    """

    rows: tuple[MatrixRow, ...]
    reward_range: Fraction

    def radius(self, weights: Sequence[Fraction]) -> Fraction:
        """Return the safety radius of the data distribution `weights`, one number per pair."""
        return min(self.products(weights)) / self.reward_range

    def is_safe(self, weights: Sequence[Fraction], epsilon: Fraction) -> bool:
        """Whether M D > epsilon * range R holds in every row."""
        return self.radius(weights) > epsilon

    def products(self, weights: Sequence[Fraction]) -> Iterator[Fraction]:
        """Yield M D row by row, in reward units."""
        for row in self.rows:
            yield sum((m * w for m, w in zip(row.entries, weights, strict=True)), Fraction(0))


def safety_matrix(question: Question) -> SafetyMatrix:
    """Return the irredundant matrix M of Theorem 3.5.

    Parameters
    ----------
    question : Question
        Its data distribution and tolerance play no part.

    Raises
    ------
    UnsupportedError
        If the MDP is too large to enumerate policies and bases: beyond 20,000 deterministic
        policies, 50,000 bases, 200,000 rows, or 5,000 rows that no other row dominates.

    Notes
    -----
    Exact. Rows come from every minimal support of a bad policy and every choice of pairs on which
    EV = R determines V; a row is dropped if a convex combination of others is at most it.
    """
    question.require_unregularised()
    mdp = question.mdp
    policies, bases = count_deterministic_policies(mdp), comb(len(mdp.pairs), len(mdp.states))
    if policies > MAX_POLICIES or bases > MAX_BASES:
        raise UnsupportedError(
            f"the matrix of Theorem 3.5 enumerates {policies} policies and {bases} bases here; "
            f"the limits are {MAX_POLICIES} and {MAX_BASES}"
        )
    supports = minimal_bad_supports(question)
    gaps = _gaps(question)
    count = len(supports) * len(gaps)
    if count > MAX_ROWS:
        raise UnsupportedError(
            f"the matrix of Theorem 3.5 has {count} rows here before reduction; "
            f"the limit is {MAX_ROWS}"
        )
    found: dict[Numbers, tuple[Numbers, Policy]] = {}
    for gap in gaps:
        for taken, policy in supports.items():
            # R^ = EV on the support and min(R, EV) elsewhere; the gap is R - EV.
            change = tuple(
                g if pair in taken or g > 0 else Fraction(0) for pair, g in enumerate(gap)
            )
            found.setdefault(tuple(map(abs, change)), (change, policy))
    candidates = _undominated(list(found))
    if len(candidates) > MAX_CANDIDATES:
        raise UnsupportedError(
            f"the matrix of Theorem 3.5 has {len(candidates)} rows here that no other row "
            f"dominates; the limit is {MAX_CANDIDATES}"
        )
    rows = []
    for entries in _irredundant(candidates):
        change, policy = found[entries]
        reward = tuple(r - c for r, c in zip(question.rewards, change, strict=True))
        rows.append(MatrixRow(entries, reward, policy))
    return SafetyMatrix(tuple(rows), question.reward_range)


def minimal_bad_supports(question: Question) -> dict[frozenset[int], Policy]:
    """Return a bad policy for every support that contains no other bad policy's support."""
    mdp = question.mdp
    found: dict[frozenset[int], Policy] = {}
    for choices in deterministic_policies(mdp):
        policy = Policy.deterministic(mdp, choices)
        taken = support(mdp, policy)
        if taken not in found and expected_return(mdp, policy) <= question.bad_return:
            found[taken] = policy
    return {
        taken: policy
        for taken, policy in found.items()
        if not any(other < taken for other in found)
    }


def _gaps(question: Question) -> list[Numbers]:
    """Return R - EV for every V that EV = R on |S| pairs determines."""
    mdp = question.mdp
    size = len(mdp.states)
    matrix = []
    for pair, state in enumerate(mdp.pair_states):
        row = [Fraction(int(s == state)) for s in range(size)]
        for successor, probability in question.successors[pair]:
            row[successor] -= question.discount * probability
        matrix.append(row)
    potentials = set()
    for basis in itertools.combinations(range(len(matrix)), size):
        values = solve([matrix[p] for p in basis], [question.rewards[p] for p in basis])
        if values is not None:
            potentials.add(values)
    return [shape(mdp, values) for values in sorted(potentials)]


def _undominated(rows: list[Numbers]) -> list[Numbers]:
    """Drop rows that are at least another row in every entry; floats screen, fractions decide."""
    order = sorted(rows, key=sum)  # a row is dominated only by rows with a smaller sum
    table = _floats(order)
    kept: list[Numbers] = []
    shown = np.empty_like(table)  # the rows kept so far, without copying them again
    for row, numbers in zip(order, table, strict=True):
        # Rounding is monotone, so a row that dominates also dominates in floating point.
        near = np.flatnonzero((shown[: len(kept)] <= numbers).all(axis=1))
        if not any(all(x <= y for x, y in zip(kept[k], row, strict=True)) for k in near):
            shown[len(kept)] = numbers
            kept.append(row)
    return sorted(kept)


def _floats(rows: list[Numbers]) -> Floats:
    """Return rows as fractions of the greatest entry, in floating point."""
    scale = max(map(max, rows)) or Fraction(1)
    return np.array([[float(x / scale) for x in row] for row in rows])


def _irredundant(rows: list[Numbers]) -> list[Numbers]:
    """Drop rows that a convex combination of the others does not exceed.

    Clarkson's method: rows are compared with the vertices found so far, of which there are few. A
    row that they do not cover is not yet decided, but it shows a distribution at which a vertex is
    missing. Floats propose the distribution and the combination, exact arithmetic decides.
    """
    search = _CoverSearch(rows)
    found: set[int] = set()
    for position, row in enumerate(rows):
        while position not in found:
            weights, support = search.propose(position)
            vertex = search.vertex_at(weights)
            if vertex not in found:
                found.add(vertex)
                search.add(vertex)
                continue
            # Float says covered: a few vertices prove it, or else all of them decide.
            if _excess([rows[k] for k in support], row)[0] <= 0:
                break
            excess, exact_weights = _excess([rows[k] for k in sorted(found)], row)
            if excess <= 0:
                break
            vertex = search.vertex_at(_integers(exact_weights)[0])
            found.add(vertex)
            search.add(vertex)
    return [rows[k] for k in sorted(found)]


def _excess(others: list[Numbers], row: Numbers) -> tuple[Fraction, Numbers]:
    """Return by how much a convex combination has to exceed a row, and the D that shows it."""
    count, width = len(others), len(row)
    one, zero = Fraction(1), Fraction(0)
    if not count:
        return one, (one / width,) * width
    # Columns: the combination, slacks, the excess.
    equations = [
        {
            **{j: other[i] for j, other in enumerate(others) if other[i]},
            count + i: one,
            count + width: -one,
        }
        for i in range(width)
    ]
    equations.append(dict.fromkeys(range(count), one))
    objective = [zero] * (count + width) + [-one]
    lower: list[Fraction | None] = [zero] * (count + width)
    found = maximise(
        objective, equations, [*row, one], [*lower, None], [None] * (count + width + 1)
    )
    if found.value is None or found.multipliers is None:
        raise EngineError(f"the linear programme of a redundant row is {found.status}")
    return -found.value, found.multipliers[:width]


class _CoverSearch:
    """Floating-point search for convex combinations of vertices, warm-started in HiGHS.

    Minimises the excess of a combination of the vertices over a row; the multipliers are a data
    distribution at which the row is below all vertices by that excess. The rows are sorted.
    """

    def __init__(self, rows: list[Numbers]) -> None:
        self.table = _floats(rows)
        self.integers = [_integers(row) for row in rows]
        self.vertices: list[int] = []
        width = self.width = self.table.shape[1]
        infinity = highspy.kHighsInf
        self.solver = quiet_solver(1e-9)
        for _ in range(width):
            self.solver.addRow(0.0, 0.0, 0, np.empty(0, dtype=np.int32), np.empty(0))
        self.solver.addRow(1.0, 1.0, 0, np.empty(0, dtype=np.int32), np.empty(0))
        entries = np.arange(width, dtype=np.int32)
        for i in range(width):
            self.solver.addCol(0.0, 0.0, infinity, 1, entries[i : i + 1], np.ones(1))
        self.solver.addCol(1.0, -infinity, infinity, width, entries, -np.ones(width))

    def add(self, vertex: int) -> None:
        """Let combinations use another vertex."""
        entries = np.append(self.table[vertex], 1.0)
        places = np.arange(self.width + 1, dtype=np.int32)
        self.solver.addCol(0.0, 0.0, highspy.kHighsInf, len(entries), places, entries)
        self.vertices.append(vertex)

    def propose(self, position: int) -> tuple[Weights, list[int]]:
        """Return a distribution, not normalised, and the vertices of a combination.

        The first may tell the row apart from the vertices, the second may cover it.
        """
        if not self.vertices:
            return (1,) * self.width, []
        for i, x in enumerate(self.table[position]):
            self.solver.changeRowBounds(i, float(x), float(x))
        self.solver.run()
        solution = self.solver.getSolution()
        slopes = np.nan_to_num(solution.row_dual[: self.width], posinf=0.0, neginf=0.0)
        weights = tuple(max(0, round(-y * _RESOLUTION)) for y in slopes.tolist())
        shares = np.array(solution.col_value[self.width + 1 :])
        if not any(weights):
            return (1,) * self.width, []
        return weights, [self.vertices[k] for k in np.flatnonzero(shares > 0)]

    def vertex_at(self, weights: Weights) -> int:
        """Return the row that is least at a distribution; among ties, the lexicographic first.

        Exact, and always a vertex.
        """
        total = sum(weights)
        products = self.table @ np.array([w / total for w in weights])
        near = np.flatnonzero(products <= products.min() + 1e-9)
        # The rows are sorted, and `min` keeps the first of equals.
        return min((int(k) for k in near), key=lambda k: self._product(k, weights))

    def _product(self, position: int, weights: Weights) -> Fraction:
        numerators, denominator = self.integers[position]
        return Fraction(sum(map(mul, numerators, weights)), denominator)


def _integers(numbers: Numbers) -> tuple[Weights, int]:
    """Return numerators over a common denominator, and that denominator."""
    denominator = lcm(*(x.denominator for x in numbers))
    return tuple(x.numerator * (denominator // x.denominator) for x in numbers), denominator
