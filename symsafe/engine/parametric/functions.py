"""Functions of parameters: systems of linear equations in them, and how a certificate writes them.

Exact. A function is a `Number`, a rational or a `RationalFunction`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import product
from typing import Any

from flint import fmpq_mpoly, fmpq_mpoly_ctx

from symsafe.analysis.linear import from_flint, to_flint
from symsafe.exact import Number, RationalFunction, entry, exact, format_fraction
from symsafe.model import MDP, ParameterSpace, SafetyProblem

__all__ = [
    "Box",
    "Point",
    "Scribe",
    "centre",
    "corners",
    "family_document",
    "read_function",
    "read_polynomial",
    "solve_functions",
    "value_at",
]

Box = tuple[tuple[Fraction, Fraction], ...]
"""A closed interval for each parameter, in the order of their names."""

Point = Mapping[str, Fraction]


def centre(box: Box) -> tuple[Fraction, ...]:
    """Return the middle of a box."""
    return tuple((low + high) / 2 for low, high in box)


def corners(box: Box) -> list[tuple[Fraction, ...]]:
    """Return the corners of a box, each once."""
    return list(product(*(dict.fromkeys(ends) for ends in box)))


def value_at(number: Number, point: Point) -> Fraction:
    """Return the value of a function where every parameter has one."""
    found = number.at(point) if isinstance(number, RationalFunction) else number
    if not isinstance(found, Fraction):
        raise ValueError("a parameter has no value")
    return found


def solve_functions(
    rows: Sequence[Sequence[Number]], right: Sequence[Number]
) -> list[Number] | None:
    """Return the solution of a square system of functions, or None if it is singular.

    Raises
    ------
    InputError
        If an entry grows beyond the limits of `symsafe.exact.entry`.
    """
    table = [[*row, x] for row, x in zip(rows, right, strict=True)]
    size = len(table)
    for column in range(size):
        # A pivot without parameters keeps the degrees low.
        options = [i for i in range(column, size) if table[i][column] != 0]
        if not options:
            return None
        pivot = min(options, key=lambda i: isinstance(table[i][column], RationalFunction))
        table[column], table[pivot] = table[pivot], table[column]
        scale = table[column][column]
        table[column] = [x / scale if x != 0 else x for x in table[column]]
        for i in range(size):
            factor = table[i][column]
            if i != column and factor != 0:
                table[i] = [
                    x - factor * y if y != 0 else x
                    for x, y in zip(table[i], table[column], strict=True)
                ]
    return [row[-1] for row in table]


class Scribe:
    """Writes functions as a certificate does: over divisors that are positive in the domain.

    Parameters
    ----------
    names : sequence of str
        The parameters, in the order of their exponents.
    inside : mapping
        A point of the domain, at which the divisors show their sign.
    """

    def __init__(self, names: Sequence[str], inside: Point) -> None:
        self.names = tuple(names)
        self.inside = inside
        self.context = fmpq_mpoly_ctx.get(("x", len(self.names)), "deglex")
        self.point = [to_flint(inside[name]) for name in self.names]

    def number(self, number: Number) -> Any:
        """Return one function as JSON."""
        return self.numbers([number])[0]

    def numbers(self, numbers: Sequence[Number]) -> list[Any]:
        """Return functions as JSON, those with parameters over one common divisor."""
        quotients = [self._quotient(x) for x in numbers if isinstance(x, RationalFunction)]
        bottom = self.context.constant(1)
        for _, part in quotients:
            bottom = bottom * (part // bottom.gcd(part))
        if self._sign(bottom) < 0:
            bottom = -bottom
        written = iter(
            [[self.terms(top * (bottom // part)), self.terms(bottom)] for top, part in quotients]
        )
        return [
            next(written) if isinstance(x, RationalFunction) else format_fraction(x)
            for x in numbers
        ]

    def polynomial(self, number: Number) -> list[Any]:
        """Return a polynomial as JSON."""
        top, bottom = self._quotient(number)
        return self.terms(top // bottom)

    def terms(self, polynomial: fmpq_mpoly) -> list[Any]:
        """Return [coefficient, exponents...] of each term."""
        return [
            [format_fraction(from_flint(x)), *(int(e) for e in powers)]
            for powers, x in sorted(polynomial.to_dict().items())
        ]

    def bounds(self, space: ParameterSpace) -> list[Any]:
        """Return the constraints as polynomials that are >= 0, an equation as two of them."""
        written = []
        for constraint in space.constraints:
            if constraint.relation in (">", ">=", "=="):
                written.append(self.polynomial(constraint.difference))
            if constraint.relation in ("<", "<=", "=="):
                written.append(self.polynomial(-constraint.difference))
        return written

    def _quotient(self, number: Number) -> tuple[fmpq_mpoly, fmpq_mpoly]:
        if isinstance(number, Fraction):
            return self.context.constant(to_flint(number)), self.context.constant(1)
        places = [self.names.index(name) for name in number.parameters]

        def lifted(part: Mapping[tuple[int, ...], Fraction]) -> fmpq_mpoly:
            terms = {}
            for powers, x in part.items():
                wide = [0] * len(self.names)
                for place, e in zip(places, powers, strict=True):
                    wide[place] = e
                terms[tuple(wide)] = to_flint(x)
            return self.context.from_dict(terms)

        return lifted(number.numerator), lifted(number.denominator)

    def _sign(self, polynomial: fmpq_mpoly) -> int:
        value = polynomial(*self.point)
        return (value > 0) - (value < 0)


def family_document(problem: SafetyProblem, scribe: Scribe) -> dict[str, Any]:
    """Return the problem of a certificate, with its parameters."""
    mdp = problem.mdp
    ranges = mdp.pair_ranges

    def table(values: Sequence[Number]) -> list[list[Any]]:
        written = scribe.numbers(values)
        return [written[pairs.start : pairs.stop] for pairs in ranges]

    return {
        "states": list(mdp.states),
        "actions": [list(names) for names in mdp.actions],
        "initial": scribe.numbers(mdp.initial),
        "discount": scribe.number(mdp.discount),
        "transitions": [[_row(mdp, pair, scribe) for pair in pairs] for pairs in ranges],
        "reward": table(mdp.rewards),
        "data": table(problem.data.weights),
        "parameters": {
            "names": list(mdp.parameters.names),
            "box": [
                [format_fraction(low), format_fraction(high)]
                for low, high in mdp.parameters.bounds.values()
            ],
            "constraints": scribe.bounds(mdp.parameters),
        },
    }


def _row(mdp: MDP, pair: int, scribe: Scribe) -> list[Any]:
    row = mdp.successors[pair]
    written = scribe.numbers([p for _, p in row])
    return [[t, p] for (t, _), p in zip(row, written, strict=True)]


def read_function(document: Any, names: Sequence[str]) -> Number:
    """Return the function that a certificate writes."""
    if isinstance(document, str):
        return exact(document)
    top, bottom = (read_polynomial(part, names) for part in document)
    return top / bottom


def read_polynomial(document: Any, names: Sequence[str]) -> Number:
    """Return the polynomial that a certificate writes."""
    total: Number = Fraction(0)
    for x, *powers in document:
        term: Number = exact(x)
        for name, e in zip(names, powers, strict=True):
            if e:
                term = term * entry(name, name, names) ** e
        total = total + term
    return total
