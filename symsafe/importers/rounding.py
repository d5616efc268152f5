"""Which rational does a float stand for? The caller says, by a rule; nothing is guessed.

A rule turns one number into a fraction and one row into a distribution. Without a rule floats are
refused, as everywhere in symsafe.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from symsafe.errors import InputError
from symsafe.exact import exact, format_fraction

__all__ = ["Rounding", "read_row", "round_float", "rounded"]

_TOLERANCE = Fraction(1, 10**9)
_REPAIRED = Fraction(1, 10**6)
_LARGEST = Fraction(sys.float_info.max)
_RULES = ("binary", "decimal", "nearest")
_EXPECTED = '"decimal", "binary" or "nearest:N" with N at least 1, perhaps with "+repair" behind it'
_TEXT = re.compile(r"(binary|decimal|nearest:(\d{1,18}))(\+repair)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rounding:
    """A rule that turns floats into rationals; numbers that are exact are kept as they are.

    Parameters
    ----------
    rule : str
        ``"binary"``: the exact value of the float, 0.1 is 3602879701896397/36028797018963968.
        ``"decimal"``: the shortest decimal that denotes the float, 0.1 is 1/10.
        ``"nearest"``: the nearest fraction with denominator at most `max_denominator`, which must
        lie within 1e-9 of the float, and is 0 only if the float is; 0.3333333333333333 is 1/3.
    max_denominator : int, optional
        For ``"nearest"``, and only there.
    repair : bool, default False
        A row of probabilities that does not sum to 1 after rounding is refused. With `repair`, the
        largest entry of the row (the first of equals) absorbs the difference, if that is at most
        1e-6.

    Raises
    ------
    InputError
        For an unknown rule, or a denominator that does not go with it.

    Examples
    --------
    >>> Rounding("nearest", 1000).number(0.3333333333333333, "p")
    Fraction(1, 3)
    >>> row = [0.1] * 9 + [0.1000001]
    >>> Rounding.parse("decimal+repair").row(row, "p")[-1]
    Fraction(1, 10)
    >>> Rounding.parse("decimal").row(row, "transitions.s0.a0")
    Traceback (most recent call last):
    ...
    symsafe.errors.InputError: transitions.s0.a0: found entries whose sum is 10000001/10000000 \
after rounding (rule decimal); expected a sum of exactly 1, or a rule that fits ("nearest:N") or \
repairs ("decimal+repair")
    """

    rule: str
    max_denominator: int | None = None
    repair: bool = False

    def __post_init__(self) -> None:
        if self.rule not in _RULES:
            raise InputError("rounding", self.rule, _EXPECTED)
        bound = self.max_denominator
        if self.rule != "nearest":
            if bound is not None:
                raise InputError("max_denominator", bound, f"none for the rule {self.rule}")
        elif isinstance(bound, bool) or not isinstance(bound, int) or bound < 1:
            raise InputError("max_denominator", bound, "an integer of at least 1")

    @classmethod
    def parse(cls, text: str) -> Rounding:
        """Return the rule that is written ``decimal``, ``binary`` or ``nearest:1000``.

        ``+repair`` behind it lets the largest entry of a row absorb what is missing to 1.
        """
        match = _TEXT.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise InputError("rounding", text, _EXPECTED)
        rule, denominator, repair = match.groups()
        bound = None if denominator is None else int(denominator)
        return cls(rule.partition(":")[0], bound, repair is not None)

    @classmethod
    def read(cls, rule: Rounding | str | None) -> Rounding | None:
        """Return a rule that may be given as text, or not at all."""
        return rule if rule is None or isinstance(rule, Rounding) else cls.parse(rule)

    def __str__(self) -> str:
        bound = "" if self.max_denominator is None else f":{self.max_denominator}"
        return f"{self.rule}{bound}{'+repair' if self.repair else ''}"

    def number(self, value: object, field: str) -> Fraction:
        """Return the rational that stands for a number.

        A text with a decimal point or an exponent is treated as the float that it denotes; under
        ``decimal`` it means what is written, to the last digit.
        """
        if isinstance(value, str):
            written = exact(value, field)
            if "/" in value or self.rule == "decimal" or written.denominator == 1:
                return written
            if self.rule == "binary":
                if abs(written) > _LARGEST:
                    raise InputError(field, value, "a number that a float can hold")
                return Fraction(float(written))
            return _nearest(written, self.max_denominator or 1, field, value)
        if not isinstance(value, float | np.floating):
            return exact(value, field)
        if not np.isfinite(value):
            raise InputError(field, value, "a finite number")
        if self.rule == "decimal":
            # numpy's text of a scalar is shortest for its own precision.
            return exact(str(value), field)
        binary = Fraction(*value.as_integer_ratio())
        if self.rule == "binary":
            return binary
        return _nearest(binary, self.max_denominator or 1, field, value)

    def row(self, values: Sequence[object], field: str) -> tuple[Fraction, ...]:
        """Return the distribution that stands for a row of probabilities."""
        return read_row(values, field, self)


def rounded(value: object, field: str, rule: Rounding | None) -> Fraction:
    """Return the rational for a number by a rule; without a rule floats are refused."""
    if rule is not None:
        return rule.number(value, field)
    if isinstance(value, float | np.floating):
        raise InputError(field, f"{value} (a binary float)", f"a rounding rule: {_EXPECTED}")
    return exact(value, field)


def read_row(values: Sequence[object], field: str, rule: Rounding | None) -> tuple[Fraction, ...]:
    """Return a row of probabilities: none negative, and a sum of exactly 1.

    Raises
    ------
    InputError
        If it is none, even after the repair that the rule may allow. The error names the row.
    """
    row = [rounded(value, f"{field}[{i}]", rule) for i, value in enumerate(values)]
    for value in row:
        if value < 0:
            raise InputError(field, format_fraction(value), "probabilities of at least 0")
    missing = 1 - sum(row, Fraction(0))
    if missing and rule is not None and rule.repair and abs(missing) <= _REPAIRED:
        largest = max(range(len(row)), key=row.__getitem__)
        row[largest] += missing
    elif missing:
        after = "" if rule is None else f" after rounding (rule {rule})"
        advice = (
            'a sum of exactly 1, or a rule that fits ("nearest:N") or repairs ("decimal+repair")'
            if rule is None or not rule.repair
            else "a sum that differs from 1 by at most 1e-6, which the rule repairs"
        )
        found = f"entries whose sum is {_shown(1 - missing)}{after}"
        raise InputError(field, found, advice)
    return tuple(row)


def round_float(value: object, max_denominator: int, field: str = "value") -> Fraction:
    """Return the rational that stands for a number of a table, by the rule ``nearest``.

    A float becomes the nearest fraction with denominator at most `max_denominator`; anything that
    `symsafe.exact.exact` accepts is kept as it is.

    Parameters
    ----------
    value : object
        The number.
    max_denominator : int
        At least 1.
    field : str
        Where the number stands, for the error.

    Returns
    -------
    Fraction
        Within 1e-9 of `value`, and 0 only if `value` is 0.

    Raises
    ------
    InputError
        If there is no such fraction, or `value` is not a number.

    Examples
    --------
    >>> round_float(0.33333333333333337, 1000)
    Fraction(1, 3)
    >>> round_float("1/3001", 1000)
    Fraction(1, 3001)
    >>> round_float(0.12345678, 1000)
    Traceback (most recent call last):
        ...
    symsafe.errors.InputError: value: found 0.12345678; expected a float within 1e-9 of a fraction \
with denominator at most 1000 (raise max_denominator, or give the exact number)
    """
    if isinstance(value, str):
        return exact(value, field)
    return Rounding("nearest", max_denominator).number(value, field)


def _nearest(number: Fraction, max_denominator: int, field: str, value: Any) -> Fraction:
    near = number.limit_denominator(max_denominator)
    if abs(near - number) > _TOLERANCE:
        raise InputError(
            field,
            value,
            f"a float within 1e-9 of a fraction with denominator at most {max_denominator} "
            "(raise max_denominator, or give the exact number)",
        )
    # Rounding a tiny probability away would change which states can be reached.
    if not near and number:
        raise InputError(field, value, "0, or a number that does not round to 0")
    return near


def _shown(number: Fraction) -> str:
    text = format_fraction(number)
    short = len(text) <= 40 or abs(number) > _LARGEST  # else the error shortens it
    return text if short else f"about {float(number):.17g}"
