"""Data distributions that are affine in the parameters: safe everywhere iff safe at the vertices.

Where only D depends on the parameters, affinely, the radius is a concave function of them: it is a
minimum of linear functions of D (Theorem 3.5). So its least value is attained at a vertex.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction
from math import comb

from symsafe.analysis.linear import solve
from symsafe.exact import Number, RationalFunction
from symsafe.model import ParameterSpace, SafetyProblem

__all__ = ["is_affine_in_data", "vertices"]

_MAX_SYSTEMS = 4_096

Row = tuple[tuple[Fraction, ...], Fraction]


def is_affine_in_data(problem: SafetyProblem) -> bool:
    """Whether nothing but D has parameters, and D and the constraints are affine in them."""
    fixed = problem.mdp.is_ground and not any(
        isinstance(x, RationalFunction) for x in (problem.regret, problem.epsilon)
    )
    constraints = (constraint.difference for constraint in problem.mdp.parameters.constraints)
    return fixed and all(_is_affine(x) for x in (*problem.data.weights, *constraints))


def _is_affine(number: Number) -> bool:
    if not isinstance(number, RationalFunction):
        return True
    constant = all(not any(powers) for powers in number.denominator)
    return constant and all(sum(powers) <= 1 for powers in number.numerator)


def vertices(space: ParameterSpace) -> list[dict[str, Fraction]] | None:
    """Return the vertices of the closure of an affine domain, or None if they are too many."""
    count = len(space.names)
    rows: list[Row] = []
    for k, (low, high) in enumerate(space.bounds.values()):
        unit = tuple(Fraction(int(i == k)) for i in range(count))
        rows += [(unit, low), (tuple(-x for x in unit), -high)]
    equations: list[Row] = []
    for constraint in space.constraints:
        row = _half_space(constraint.difference, space.names)
        if constraint.relation in ("<", "<="):
            row = tuple(-x for x in row[0]), -row[1]
        if constraint.relation == "==":
            equations.append(row)
        else:
            rows.append(row)
    missing = count - len(equations)
    if missing < 0 or comb(len(rows), missing) > _MAX_SYSTEMS:
        return None
    found: dict[tuple[Fraction, ...], None] = {}
    for chosen in itertools.combinations(rows, missing):
        system = [*equations, *chosen]
        point = solve([list(row) for row, _ in system], [right for _, right in system])
        if point is not None and all(_product(row, point) >= right for row, right in rows):
            found[point] = None
    return [dict(zip(space.names, point, strict=True)) for point in found]


def _half_space(number: Number, names: Sequence[str]) -> Row:
    """Return a, b such that the affine function is a . x - b."""
    terms = number.numerator if isinstance(number, RationalFunction) else {}
    divisor = Fraction(1)
    if isinstance(number, RationalFunction):
        (divisor,) = number.denominator.values()
    row = [Fraction(0)] * len(names)
    constant = number if isinstance(number, Fraction) else Fraction(0)
    for powers, x in terms.items():
        places = [i for i, e in enumerate(powers) if e]
        if places and isinstance(number, RationalFunction):
            row[names.index(number.parameters[places[0]])] += x / divisor
        else:
            constant += x / divisor
    return tuple(row), -constant


def _product(row: Sequence[Fraction], point: Sequence[Fraction]) -> Fraction:
    return sum((a * x for a, x in zip(row, point, strict=True)), Fraction(0))
