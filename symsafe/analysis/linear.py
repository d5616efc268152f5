"""Exact linear systems over the rationals, by FLINT."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from flint import fmpq, fmpq_mat

__all__ = ["from_flint", "solve", "to_flint"]


def to_flint(number: Fraction | int) -> fmpq:
    """Return a rational as FLINT writes it."""
    return fmpq(number.numerator, number.denominator)


def from_flint(number: fmpq) -> Fraction:
    """Return a FLINT rational as a `Fraction`."""
    return Fraction(int(number.p), int(number.q))


def solve(
    rows: Sequence[Sequence[Fraction]], right: Sequence[Fraction]
) -> tuple[Fraction, ...] | None:
    """Return the solution of a square system, or None if the matrix is singular.

    Parameters
    ----------
    rows : n sequences of n Fraction
    right : sequence of n Fraction

    Examples
    --------
    >>> solve([[Fraction(2)]], [Fraction(1)])
    (Fraction(1, 2),)
    """
    size = len(right)
    matrix = fmpq_mat(size, size, [to_flint(x) for row in rows for x in row])
    try:
        solution = matrix.solve(fmpq_mat(size, 1, [to_flint(x) for x in right]))
    except ZeroDivisionError:
        return None
    return tuple(from_flint(x) for x in solution.entries())
