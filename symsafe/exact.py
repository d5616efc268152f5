"""The only door for numbers: exact rationals in, floats refused, expressions parsed.

`exact` reads a number, `entry` also an expression in declared parameters. The parser is our own and
iterative; text is never evaluated. Polynomials are normalised by sympy's polynomial rings.
"""

from __future__ import annotations

import difflib
import math
import operator as operators
import re
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from fractions import Fraction
from numbers import Rational
from typing import Any

from symsafe.errors import InputError

__all__ = ["Number", "RationalFunction", "entry", "exact", "format_fraction"]

MAX_DIGITS = 4_000
"""Digits of a number that is read; Python's own limit for reading an integer is a little higher."""
MAX_EXPRESSION = 2_000
MAX_PARENTHESES = 64
MAX_EXPONENT = 64
MAX_DEGREE = 128
MAX_TERMS = 10_000

_EXPECTED = 'an integer or a string such as "1/10"'
_NUMBER = re.compile(
    r"\s*([+-]?)(?:(\d+)\s*/\s*(\d+)|(\d+)?(?:\.(\d*))?(?:[eE]([+-]?\d{1,6}))?)\s*", re.ASCII
)


def exact(value: object, field: str = "value") -> Fraction:
    """Return `value` as an exact rational.

    Parameters
    ----------
    value : int, Fraction, Decimal, str, or a rational of numpy, sympy or python-flint
        A string is an integer, a fraction ``"3/7"`` or a decimal ``"0.1"``, ``"1e-3"``, read as
        the decimal that is written.
    field : str
        Named in the error.

    Raises
    ------
    InputError
        For anything else; binary floats are refused because 0.1 is not one tenth in binary.

    Examples
    --------
    >>> exact("0.1"), exact("3/7"), exact(2)
    (Fraction(1, 10), Fraction(3, 7), Fraction(2, 1))
    >>> exact(0.1, "discount")
    Traceback (most recent call last):
    ...
    symsafe.errors.InputError: discount: found 0.1 (a binary float); expected an exact number: \
write "0.1" or "1/10"
    """
    if isinstance(value, str):
        return _from_text(value, field)
    if isinstance(value, Fraction):
        return value
    if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool"):
        raise InputError(field, f"{value} (a truth value)", _EXPECTED)
    if isinstance(value, Rational):
        return Fraction(int(value.numerator), int(value.denominator))
    if isinstance(value, Decimal):
        if not value.is_finite() or abs(value.adjusted()) > MAX_DIGITS:
            raise InputError(field, str(value), _EXPECTED)
        return Fraction(value)
    if type(value).__name__ in ("fmpq", "fmpz") and type(value).__module__.startswith("flint"):
        number: Any = value
        return Fraction(int(getattr(number, "p", number)), int(getattr(number, "q", 1)))
    if hasattr(value, "__float__") and not hasattr(value, "free_symbols"):
        raise _float_refusal(value, field)
    raise InputError(field, value, _EXPECTED)


def _float_refusal(value: Any, field: str) -> InputError:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return InputError(field, value, _EXPECTED)
    if not math.isfinite(number):
        return InputError(field, f"{number}", f"a finite number, {_EXPECTED}")
    shown = repr(number)
    written = Fraction(shown)
    either = f' or "{written}"' if len(str(written)) < 20 and written.denominator > 1 else ""
    return InputError(
        field, f"{shown} (a binary float)", f'an exact number: write "{shown}"{either}'
    )


def _from_text(text: str, field: str) -> Fraction:
    if len(text) > 2 * MAX_DIGITS + 16:
        raise InputError(field, text, f"a number of at most {MAX_DIGITS} digits")
    match = _NUMBER.fullmatch(text)
    if match is None or not any(match[group] for group in (2, 4, 5)):
        raise InputError(field, f'"{text}"', _EXPECTED)
    sign, numerator, denominator, whole, decimals, exponent = match.groups()
    if sum(len(part) for part in match.groups() if part) > MAX_DIGITS:
        raise InputError(field, text, f"a number of at most {MAX_DIGITS} digits")
    if numerator is not None:
        if int(denominator) == 0:
            raise InputError(field, f'"{text}"', "a fraction whose denominator is not 0")
        number = Fraction(int(numerator), int(denominator))
    else:
        shift = int(exponent or 0) - len(decimals or "")
        if abs(shift) > MAX_DIGITS:
            raise InputError(field, f'"{text}"', f"an exponent of at most {MAX_DIGITS}")
        digits = int((whole or "") + (decimals or ""))
        number = Fraction(digits) * Fraction(10) ** shift
    return -number if sign == "-" else number


def format_fraction(number: Fraction) -> str:
    """Return ``"3/7"``, ``"2"`` or ``"-1/2"``: lowest terms, and the text that `exact` reads back.

    Examples
    --------
    >>> format_fraction(Fraction(-2, 4))
    '-1/2'
    """
    if max(number.numerator.bit_length(), number.denominator.bit_length()) < 10_000:
        return str(number)
    from flint import fmpz  # prints integers of any length, where Python has a limit

    top = str(fmpz(number.numerator))
    return top if number.denominator == 1 else f"{top}/{fmpz(number.denominator)}"


class RationalFunction:
    """A quotient of polynomials with rational coefficients, in lowest terms; immutable.

    Equality is mathematical. Build it with `entry`, or by arithmetic from such.

    Attributes
    ----------
    parameters : tuple of str
        The names that occur, sorted.

    Examples
    --------
    >>> x = entry("(p^2 - 1)/(p - 1)", "x", ["p"])
    >>> print(x)
    p + 1
    >>> x.at({"p": Fraction(1, 2)})
    Fraction(3, 2)
    """

    __slots__ = ("_element", "parameters")

    def __init__(self, element: Any) -> None:
        """Wrap an element of a sympy fraction field over QQ; used by this module only."""
        used = sorted(
            str(symbol)
            for symbol, degrees in zip(
                element.field.symbols,
                zip(*[*element.numer.itermonoms(), *element.denom.itermonoms()], strict=True),
                strict=True,
            )
            if any(degrees)
        )
        self.parameters: tuple[str, ...] = tuple(used)
        self._element = element.set_field(_field(self.parameters)) if used else element

    @classmethod
    def parameter(cls, name: str) -> RationalFunction:
        """Return the parameter `name` itself."""
        return cls(_field((name,)).gens[0])

    @property
    def numerator(self) -> Mapping[tuple[int, ...], Fraction]:
        """Exponents of `parameters` -> coefficient, of the numerator in lowest terms."""
        return _terms(self._element.numer)

    @property
    def denominator(self) -> Mapping[tuple[int, ...], Fraction]:
        """Exponents of `parameters` -> coefficient, of the denominator in lowest terms."""
        return _terms(self._element.denom)

    def at(self, values: Mapping[str, Fraction]) -> Number:
        """Substitute exact values for parameters; names that do not occur are ignored.

        Raises
        ------
        InputError
            If the denominator vanishes there.
        """
        top, bottom = self._element.numer, self._element.denom
        pairs = [(gen, _to_domain(values[str(gen)])) for gen in top.ring.gens if str(gen) in values]
        if not pairs:
            return self
        top, bottom = (poly.subs(pairs) for poly in (top, bottom))
        if not bottom:
            given = (f"{name}={values[name]}" for name in self.parameters if name in values)
            point = ", ".join(given)
            raise InputError(str(self), point, "a point at which the denominator is not 0")
        return _simplest(top.ring.to_field()(top) / top.ring.to_field()(bottom))

    def __add__(self, other: object) -> Number:
        return _combine(self, other, "+")

    def __sub__(self, other: object) -> Number:
        return _combine(self, other, "-")

    def __mul__(self, other: object) -> Number:
        return _combine(self, other, "*")

    def __truediv__(self, other: object) -> Number:
        return _combine(self, other, "/")

    def __radd__(self, other: object) -> Number:
        return _combine(other, self, "+")

    def __rsub__(self, other: object) -> Number:
        return _combine(other, self, "-")

    def __rmul__(self, other: object) -> Number:
        return _combine(other, self, "*")

    def __rtruediv__(self, other: object) -> Number:
        return _combine(other, self, "/")

    def __neg__(self) -> Number:
        return RationalFunction(-self._element)

    def __pow__(self, exponent: int) -> Number:
        return _power(self, exponent, "expression")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RationalFunction):
            return False  # a constant is a Fraction, never a RationalFunction
        return self.parameters == other.parameters and bool(self._element == other._element)

    def __hash__(self) -> int:
        return hash((self.parameters, str(self)))

    def __reduce__(self) -> tuple[object, ...]:
        return _from_terms, (self.parameters, dict(self.numerator), dict(self.denominator))

    def __str__(self) -> str:
        top, bottom = str(self._element.numer), str(self._element.denom)
        text = top if bottom == "1" else f"({top})/({bottom})"
        return text.replace("**", "^")

    def __repr__(self) -> str:
        return f"RationalFunction({str(self)!r})"


Number = Fraction | RationalFunction


def entry(value: object, field: str, parameters: Collection[str] = ()) -> Number:
    """Return `value` as an exact number, or as a rational function of declared parameters.

    Parameters
    ----------
    value : object
        What `exact` takes, a `RationalFunction`, or a string with ``+ - * / ^ **``, parentheses,
        decimals, fractions and names.
    field : str
        Named in the error.
    parameters : collection of str
        The names that may occur.

    Raises
    ------
    InputError
        For an undeclared name, a syntax error, division by zero, or an expression beyond the
        limits (length 2,000, 64 parentheses, exponent 64, total degree 128, 10,000 terms).

    Examples
    --------
    >>> entry("1 - 2*p", "x", ["p"])
    RationalFunction('-2*p + 1')
    >>> entry("(2*p)/p", "x", ["p"])
    Fraction(2, 1)
    """
    if isinstance(value, RationalFunction):
        for name in value.parameters:
            _require_declared(name, field, parameters)
        return value
    if isinstance(value, str) and parameters and _NUMBER.fullmatch(value) is None:
        return _parse(value, field, parameters)
    return exact(value, field)


_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[^\W\d]\w*)"
    r"|(?P<operator>\*\*|[-+*/^()]))"
)
_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operators.add,
    "-": operators.sub,
    "*": operators.mul,
    "/": operators.truediv,
}
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "neg": 3, "^": 4}


def _parse(text: str, field: str, parameters: Collection[str]) -> Number:
    """Parse by operator precedence with an explicit stack."""
    if len(text) > MAX_EXPRESSION:
        raise InputError(field, text, f"an expression of at most {MAX_EXPRESSION} characters")
    operands: list[Number] = []
    pending: list[str] = []
    after_operand = False

    def reduce() -> None:
        operator = pending.pop()
        right = operands.pop()
        if operator == "neg":
            operands.append(-right)
            return
        left = operands.pop()
        if operator == "^":
            if not isinstance(right, Fraction) or right.denominator != 1:
                raise InputError(field, str(right), "an exponent that is a whole number")
            operands.append(_power(left, int(right), field))
        else:
            operands.append(_combine(left, right, operator, field))

    def syntax(found: str, expected: str) -> InputError:
        return InputError(field, f"{found} in {text}", expected)

    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise syntax(text[position:].strip()[0], "numbers, declared parameters, + - * / ^ ( )")
        position = match.end()
        operator = "^" if match["operator"] == "**" else match["operator"]
        if operator is None or operator == "(":
            if after_operand:
                raise syntax(match[0].strip(), "an operator before it")
            if operator == "(":
                pending.append("(")
                if pending.count("(") > MAX_PARENTHESES:
                    raise syntax("(", f"at most {MAX_PARENTHESES} nested parentheses")
                continue
            if match["name"]:
                _require_declared(match["name"], field, parameters)
                operands.append(RationalFunction.parameter(match["name"]))
            else:
                operands.append(_from_text(match["number"], field))
            after_operand = True
        elif operator == ")":
            if not after_operand:
                raise syntax(")", "an operand before it")
            while pending and pending[-1] != "(":
                reduce()
            if not pending:
                raise syntax(")", "a matching ( before it")
            pending.pop()
        elif not after_operand:
            if operator not in "+-":
                raise syntax(operator, "an operand before it")
            if operator == "-":
                pending.append("neg")
        else:
            # ^ groups to the right; a sign binds weaker than ^ and stronger than *.
            while pending and pending[-1] != "(":
                above = _PRECEDENCE[pending[-1]] - _PRECEDENCE[operator]
                if above < 0 or (above == 0 and operator == "^"):
                    break
                reduce()
            pending.append(operator)
            after_operand = False
    if not after_operand:
        raise syntax("the end", "an operand")
    while pending:
        if pending[-1] == "(":
            raise syntax("(", "a matching ) after it")
        reduce()
    return operands[0]


def _require_declared(name: str, field: str, parameters: Collection[str]) -> None:
    if name not in parameters:
        near = difflib.get_close_matches(name, parameters, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        declared = ", ".join(sorted(parameters)[:10]) or "none"
        raise InputError(field, name, f"a declared parameter ({declared}){hint}")


def _field(names: tuple[str, ...]) -> Any:
    from sympy import QQ
    from sympy.polys.fields import FracField

    return FracField(list(names), QQ)


def _to_domain(number: Fraction) -> Any:
    from sympy import QQ

    return QQ(number.numerator, number.denominator)


def _terms(polynomial: Any) -> dict[tuple[int, ...], Fraction]:
    return {
        tuple(monomial): Fraction(int(c.numerator), int(c.denominator))
        for monomial, c in polynomial.terms()
    }


def _from_terms(
    names: tuple[str, ...],
    numerator: Mapping[tuple[int, ...], Fraction],
    denominator: Mapping[tuple[int, ...], Fraction],
) -> RationalFunction:
    """Rebuild a rational function in another process."""
    field = _field(names)
    top, bottom = (
        field(field.ring.from_dict({m: _to_domain(c) for m, c in terms.items()}))
        for terms in (numerator, denominator)
    )
    return RationalFunction(top / bottom)


def _simplest(element: Any) -> Number:
    """Return a constant element as a Fraction."""
    if element.numer.is_ground and element.denom.is_ground:
        top, bottom = (_terms(part) for part in (element.numer, element.denom))
        return next(iter(top.values()), Fraction(0)) / next(iter(bottom.values()))
    return RationalFunction(element)


def _combine(left: object, right: object, operator: str, field: str = "expression") -> Number:
    """Return left `operator` right, after bounding the size of the result."""
    if not isinstance(left, (int, Fraction, RationalFunction)) or not isinstance(
        right, (int, Fraction, RationalFunction)
    ):
        return NotImplemented  # type: ignore[no-any-return]
    if operator == "/" and right == 0:
        raise InputError(field, "division by 0", "a denominator that is not identically 0")
    names = tuple(
        sorted({n for x in (left, right) if isinstance(x, RationalFunction) for n in x.parameters})
    )
    if isinstance(left, RationalFunction) or isinstance(right, RationalFunction):
        common = _field(names)
        a, b = _element(left, common), _element(right, common)
        _bound_size(a, b, operator, field)
        return _simplest(_OPERATIONS[operator](a, b))
    result: Fraction = _OPERATIONS[operator](Fraction(left), Fraction(right))
    return result


def _element(number: Fraction | int | RationalFunction, common: Any) -> Any:
    if isinstance(number, RationalFunction):
        return number._element.set_field(common)
    return common(_to_domain(Fraction(number)))


def _bound_size(first: Any, second: Any, operator: str, field: str) -> None:
    """Refuse before the work is done; products of denominators make every operation multiply."""
    parts = [first.numer, first.denom, second.numer, second.denom]
    degree = sum(max((sum(m) for m in part.itermonoms()), default=0) for part in parts)
    terms = max(len(first.numer), len(first.denom)) * max(len(second.numer), len(second.denom))
    if operator in "+-" and first.denom.is_ground and second.denom.is_ground:
        return
    if degree > MAX_DEGREE or terms > MAX_TERMS:
        raise InputError(
            field,
            f"an expression of degree up to {degree} with up to {terms} terms",
            f"total degree at most {MAX_DEGREE} and at most {MAX_TERMS} terms",
        )


def _power(base: Number, exponent: int, field: str) -> Number:
    if abs(exponent) > MAX_EXPONENT:
        raise InputError(field, f"the exponent {exponent}", f"at most {MAX_EXPONENT}")
    if exponent < 0:
        if base == 0:
            raise InputError(field, "division by 0", "a denominator that is not identically 0")
        return _combine(Fraction(1), _power(base, -exponent, field), "/", field)
    if isinstance(base, Fraction):
        bits = max(base.numerator.bit_length(), base.denominator.bit_length())
        if bits * exponent > 4 * MAX_DIGITS:
            raise InputError(
                field, f"a power with exponent {exponent}", f"at most {MAX_DIGITS} digits"
            )
        return base**exponent
    result: Number = Fraction(1)
    for _ in range(exponent):
        result = _combine(result, base, "*", field)
    return result
