"""The matrix M of Theorem 3.5: D is safe at epsilon if and only if M D > epsilon * range R.

M depends on the MDP and on L alone. Every row is |R^ - R| for a reward model R^ that makes some bad
policy optimal; the rows kept are those that are the least for some D.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb

import numpy as np

from symsafe.analysis.linear import solve
from symsafe.analysis.linear_program import maximise
from symsafe.analysis.occupancy import support
from symsafe.analysis.policies import count_deterministic_policies, deterministic_policies
from symsafe.analysis.values import expected_return, shape
from symsafe.engine.question import Question
from symsafe.errors import UnsupportedError
from symsafe.model import Policy

__all__ = ["MatrixRow", "SafetyMatrix", "safety_matrix"]

MAX_POLICIES = 20_000
MAX_BASES = 50_000
MAX_ROWS = 200_000

Numbers = tuple[Fraction, ...]


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
        return min(self._products(weights)) / self.reward_range

    def is_safe(self, weights: Sequence[Fraction], epsilon: Fraction) -> bool:
        """Whether M D > epsilon * range R holds in every row."""
        return self.radius(weights) > epsilon

    def _products(self, weights: Sequence[Fraction]) -> Iterator[Fraction]:
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
        policies, 50,000 bases, or 200,000 rows before reduction.

    Notes
    -----
    Exact. Rows come from every minimal support of a bad policy and every |S| pairs on which
    EV = R determines V; a row is dropped if a convex combination of others is at most it.
    """
    mdp = question.mdp
    policies, bases = count_deterministic_policies(mdp), comb(len(mdp.pairs), len(mdp.states))
    if policies > MAX_POLICIES or bases > MAX_BASES:
        raise UnsupportedError(
            f"the matrix of Theorem 3.5 enumerates {policies} policies and {bases} bases here; "
            f"the limits are {MAX_POLICIES} and {MAX_BASES}"
        )
    supports = _minimal_supports(question)
    gaps = _gaps(question)
    count = len(supports) * len(gaps)
    if count > MAX_ROWS:
        raise UnsupportedError(
            f"the matrix of Theorem 3.5 has {count} rows here before reduction; "
            f"the limit is {MAX_ROWS}"
        )
    rows: dict[Numbers, MatrixRow] = {}
    for gap in gaps:
        for taken, policy in supports.items():
            # R^ = EV on the support and min(R, EV) elsewhere; the gap is R - EV.
            change = tuple(
                g if pair in taken or g > 0 else Fraction(0) for pair, g in enumerate(gap)
            )
            reward = tuple(r - c for r, c in zip(question.rewards, change, strict=True))
            entries = tuple(abs(c) for c in change)
            rows.setdefault(entries, MatrixRow(entries, reward, policy))
    kept = _irredundant(_undominated(sorted(rows)))
    return SafetyMatrix(tuple(rows[entries] for entries in kept), question.reward_range)


def _minimal_supports(question: Question) -> dict[frozenset[int], Policy]:
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
    table = np.array([[float(x) for x in row] for row in order])
    kept: list[int] = []
    for i, row in enumerate(order):
        near = np.flatnonzero((table[kept] <= table[i] + 1e-9 * (1 + table[i])).all(axis=1))
        if not any(all(x <= y for x, y in zip(order[kept[k]], row, strict=True)) for k in near):
            kept.append(i)
    return sorted(order[i] for i in kept)


def _irredundant(rows: list[Numbers]) -> list[Numbers]:
    """Drop rows that a convex combination of the others does not exceed (exact LP)."""
    kept = list(rows)
    for row in rows:
        others = [other for other in kept if other != row]
        if others and _is_covered(row, others):
            kept = others
    return kept


def _is_covered(row: Numbers, others: list[Numbers]) -> bool:
    count, width = len(others), len(row)
    equations = [
        {**{j: other[i] for j, other in enumerate(others) if other[i]}, count + i: Fraction(1)}
        for i in range(width)
    ]
    equations.append(dict.fromkeys(range(count), Fraction(1)))
    zeros = [Fraction(0)] * (count + width)
    found = maximise(zeros, equations, [*row, Fraction(1)], zeros, [None] * (count + width))
    return found.status == "optimal"
