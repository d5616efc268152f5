"""Bernstein coefficients in floating point: fast screening, whose word counts for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from math import comb, prod

import numpy as np
from numpy.typing import NDArray

from symsafe import checker
from symsafe.engine.parametric.functions import Box
from symsafe.errors import InputError
from symsafe.exact import Number

__all__ = ["Screen", "bounds_of"]

Floats = NDArray[np.float64]

_TOLERANCE = 1e-10
_MAX_TABLE = 20_000


@lru_cache(maxsize=20_000)
def _moved(low: Fraction, high: Fraction, degree: int) -> Floats:
    """Return the matrix from powers to Bernstein coefficients on an interval."""
    a, b = float(low), float(high)
    rows = np.zeros((degree + 1, degree + 1))
    for e in range(degree + 1):
        for i in range(e + 1):
            for j in range(degree - e + 1):
                rows[e, i + j] += comb(e, i) * a ** (e - i) * b**i * comb(degree - e, j)
    binomials = np.array([comb(degree, j) for j in range(degree + 1)], dtype=float)
    return np.asarray(rows / binomials)


class _Tensor:
    """A polynomial with its coefficients in a dense array, scaled so that the largest is 1."""

    def __init__(self, polynomial: checker.Polynomial, count: int) -> None:
        shape = [1] * count
        for powers in polynomial:
            shape = [max(n, e + 1) for n, e in zip(shape, powers, strict=True)]
        if prod(shape) > _MAX_TABLE:
            raise InputError("parameters", f"degrees {shape}", "functions of lower degree")
        self.entries = np.zeros(shape)
        self.scale = max(map(abs, polynomial.values()), default=Fraction(1))
        for powers, x in polynomial.items():
            self.entries[powers] = float(x / self.scale)

    def coefficients(self, box: Box) -> Floats:
        found = self.entries
        for (low, high), size in zip(box, self.entries.shape, strict=True):
            # The axis in front is used up, and comes back as the last one.
            found = np.tensordot(found, _moved(low, high, size - 1), axes=(0, 0))
        return found


class Screen:
    """Whether conditions may hold on a cell.

    Parameters
    ----------
    conditions : sequence of (polynomial, whether it must be > 0 and not only >= 0)
    count : int
        Number of parameters.
    """

    def __init__(self, conditions: Sequence[tuple[checker.Polynomial, bool]], count: int) -> None:
        self.tensors = [_Tensor(p, count) for p, _ in conditions if p]

    def may_hold(self, box: Box) -> bool:
        """Return False only if some coefficient is clearly negative."""
        for k, tensor in enumerate(self.tensors):
            if tensor.coefficients(box).min() < -_TOLERANCE:
                # What failed is likely to fail again on the next cell.
                self.tensors.insert(0, self.tensors.pop(k))
                return False
        return True


def bounds_of(number: Number, names: Sequence[str], box: Box) -> tuple[Fraction, Fraction]:
    """Return rough bounds of a function on a cell."""
    if isinstance(number, Fraction):
        return number, number
    own = tuple(box[names.index(name)] for name in number.parameters)
    ends = []
    for part in (number.numerator, number.denominator):
        tensor = _Tensor(dict(part), len(own))
        found = tensor.coefficients(own)
        low, high = float(found.min()), float(found.max())
        # What looks like 0 is taken for 0: exact arithmetic decides later.
        low, high = (0.0 if abs(x) < _TOLERANCE else x for x in (low, high))
        ends.append((low, high, tensor.scale))
    (low, high, scale), (least, most, divisor) = ends
    if least <= 0 <= most:
        raise ZeroDivisionError("a divisor may vanish on this cell")
    values = [x / y for x in (low, high) for y in (least, most)]
    unit = scale / divisor
    return (
        Fraction(min(values)).limit_denominator(10**12) * unit,
        Fraction(max(values)).limit_denominator(10**12) * unit,
    )
