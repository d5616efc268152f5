"""The only door for numbers: exact rationals come in, binary floats do not, nothing is guessed.

`exact` reads a number, `entry` also an expression in declared parameters. The parser is our own,
iterative and bounded: no text is ever evaluated, and no short text can ask for long work.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from numbers import Rational, Real
from typing import Any, TypeAlias, TypeGuard

from symsafe.errors import InputError

__all__ = ["Number", "RationalFunction", "entry", "exact", "format_fraction"]

MAX_DIGITS = 4_000
# A little less than the 4,300 digits that Python prints: a number that was read can be shown.
MAX_BITS = 14_000
MAX_EXPRESSION = 2_000
MAX_PARENTHESES = 64
MAX_EXPONENT = MAX_DEGREE = 128  # so that what is written can be read again
MAX_TERMS = 10_000
# Products of 64-bit words that one expression may cost; a fraction of a second.
MAX_WORK = 2_000_000

_SHORT = 24
_SEARCHED_NAMES = 1_000
_LISTED_NAMES = 8
_EXPECTED = 'an integer or a string such as "1/10"'

_NUMBER = re.compile(
    r"([+-]?)(?:(\d+)\s*/\s*(\d+)|(?=\.?\d)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?)", re.ASCII
)
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[^\W\d]\w*)"
    r"|(?P<operator>\*\*|[-+*/^()]))"
)
# A sign binds weaker than a power and stronger than a product.
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "sign": 3, "^": 4}

# Exponents of the parameters and coefficient, highest total degree first.
_Terms: TypeAlias = tuple[tuple[tuple[int, ...], Fraction], ...]


def exact(value: object, field: str = "value") -> Fraction:
    """Return `value` as an exact rational.

    Parameters
    ----------
    value : int, Fraction, Decimal, str, or an integer or rational of numpy, sympy or python-flint
        A string is an integer, a fraction ``"3/7"`` or a decimal ``"0.1"``, ``"1e-3"``; a decimal
        means what is written. At most 4,000 digits and an exponent of at most 4,000. A `Fraction`
        is returned as it is, whatever its length.
    field : str
        Where the number stands; named in the error.

    Returns
    -------
    Fraction

    Raises
    ------
    InputError
        For anything else. Binary floats are refused because 0.1 is not one tenth in binary; the
        message shows how to write the number.

    See Also
    --------
    entry : also reads expressions in parameters.

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
    kind = type(value)
    if kind.__name__ in ("bool", "bool_"):
        raise InputError(field, f"{value} (a truth value)", _EXPECTED)
    if isinstance(value, Rational):
        return _readable(Fraction(int(value.numerator), int(value.denominator)), field)
    if isinstance(value, Decimal):
        return _from_decimal(value, field)
    if kind.__module__.startswith("flint.") and kind.__name__ in ("fmpz", "fmpq"):
        number: Any = value
        return _readable(Fraction(int(number.numerator), int(number.denominator)), field)
    if isinstance(value, Real):
        raise _float_refusal(value, field)
    raise InputError(field, value, _EXPECTED)


def _readable(number: Fraction, field: str) -> Fraction:
    """Refuse a number that is too long to be shown."""
    bits = max(number.numerator.bit_length(), number.denominator.bit_length())
    if bits > MAX_BITS:
        digits = int(bits * math.log10(2))
        raise InputError(field, f"a number of about {digits} digits", _expected_digits())
    return number


def _expected_digits() -> str:
    return f"a number of at most {MAX_DIGITS} digits"


def _quoted(text: str) -> str:
    return f'"{text}"' if text.isprintable() else repr(text)


def _from_decimal(value: Decimal, field: str) -> Fraction:
    if not value.is_finite():
        raise InputError(field, str(value), f"a finite number, {_EXPECTED}")
    _, digits, exponent = value.as_tuple()
    # The second test only tells the type checker what is_finite has told us.
    if len(digits) > MAX_DIGITS or isinstance(exponent, str) or abs(exponent) > MAX_DIGITS:
        raise InputError(field, str(value), f"{_expected_digits()} and exponent")
    return _readable(Fraction(value), field)


def _float_refusal(value: Real, field: str) -> InputError:
    text = float.__repr__(value) if isinstance(value, float) else str(value)
    try:
        fraction = str(_from_text(text, field))
    except InputError:
        return InputError(field, text, f"a finite number, {_EXPECTED}")
    either = f' or "{fraction}"' if len(fraction) <= _SHORT and fraction != text else ""
    return InputError(field, f"{text} (a binary float)", f'an exact number: write "{text}"{either}')


def _from_text(text: str, field: str) -> Fraction:
    # Length comes first: reading digits takes quadratic time.
    if len(text) > 2 * MAX_DIGITS + 16:
        raise InputError(field, f"{len(text)} characters", _expected_digits())
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise InputError(field, _quoted(text), _EXPECTED)
    sign, top, bottom, whole, decimals, exponent = (part or "" for part in match.groups())
    if max(map(len, (top, bottom, whole + decimals))) > MAX_DIGITS:
        raise InputError(field, _quoted(text), _expected_digits())
    if bottom:
        if int(bottom) == 0:
            raise InputError(field, _quoted(text), "a fraction whose denominator is not 0")
        number = Fraction(int(top), int(bottom))
    else:
        if len(exponent) > _SHORT or abs(shift := int(exponent or 0) - len(decimals)) > MAX_DIGITS:
            raise InputError(field, _quoted(text), f"an exponent of at most {MAX_DIGITS}")
        number = _readable(Fraction(int(whole + decimals)) * Fraction(10) ** shift, field)
    return -number if sign == "-" else number


def format_fraction(number: Fraction) -> str:
    """Return ``"3/7"``, ``"2"`` or ``"-1/2"``: lowest terms, the text that `exact` reads back.

    Any length: computed numbers may have more digits than Python agrees to print.

    Examples
    --------
    >>> format_fraction(Fraction(-2, 4))
    '-1/2'
    """
    if max(number.numerator.bit_length(), number.denominator.bit_length()) <= MAX_BITS:
        return str(number)
    from flint import fmpz

    top, bottom = fmpz(number.numerator).str(), fmpz(number.denominator).str()
    return top if number.denominator == 1 else f"{top}/{bottom}"


@dataclass(frozen=True, slots=True, repr=False)
class RationalFunction:
    """A quotient of polynomials in named parameters, with rational coefficients; never constant.

    Made by `entry` and by arithmetic, always in lowest terms, so that ``==`` is mathematical
    equality. Arithmetic with whole numbers, fractions and each other; a result without parameters
    is a `Fraction`.

    Attributes
    ----------
    parameters : tuple of str
        The names that occur, sorted.

    Raises
    ------
    InputError
        By arithmetic: division by 0, or a result beyond the limits of `entry`.

    Notes
    -----
    Exact: polynomial arithmetic and greatest common divisors by FLINT.

    Examples
    --------
    >>> x = entry("(p^2 - 1)/(p - 1)", "x", ["p"])
    >>> print(x)
    p + 1
    >>> x - entry("p", "x", ["p"])
    Fraction(1, 1)
    >>> x.at({"p": Fraction(1, 2)})
    Fraction(3, 2)
    """

    parameters: tuple[str, ...]
    _top: _Terms
    _bottom: _Terms

    @property
    def numerator(self) -> Mapping[tuple[int, ...], Fraction]:
        """Exponents of `parameters` -> coefficient, highest total degree first."""
        return dict(self._top)

    @property
    def denominator(self) -> Mapping[tuple[int, ...], Fraction]:
        """The same of the denominator: coprime integers, the first positive; 1 for a polynomial."""
        return dict(self._bottom)

    def at(self, values: Mapping[str, Fraction]) -> Number:
        """Return the value where parameters are replaced; names that do not occur are ignored.

        Raises
        ------
        InputError
            If the denominator vanishes there, or a value is not exact.

        Examples
        --------
        >>> x = entry("p/(p + q)", "x", ["p", "q"])
        >>> x.at({"q": Fraction(1)})
        RationalFunction('(p)/(p + 1)')
        """
        point = {name: exact(values[name], name) for name in self.parameters if name in values}
        if not point:
            return self
        top, bottom = _lift(self, self.parameters)
        replaced = {self.parameters.index(name): _flint(value) for name, value in point.items()}
        top, bottom = top.subs(replaced), bottom.subs(replaced)
        if bottom == 0:
            where = ", ".join(f"{name}={format_fraction(value)}" for name, value in point.items())
            raise InputError(str(self), where, "a point at which the denominator is not 0")
        common = top.gcd(bottom)
        return _lower(self.parameters, top // common, bottom // common)

    def __add__(self, other: object) -> Number:
        return _combine(self, "+", other) if _is_number(other) else NotImplemented

    def __radd__(self, other: object) -> Number:
        return _combine(other, "+", self) if _is_number(other) else NotImplemented

    def __sub__(self, other: object) -> Number:
        return _combine(self, "-", other) if _is_number(other) else NotImplemented

    def __rsub__(self, other: object) -> Number:
        return _combine(other, "-", self) if _is_number(other) else NotImplemented

    def __mul__(self, other: object) -> Number:
        return _combine(self, "*", other) if _is_number(other) else NotImplemented

    def __rmul__(self, other: object) -> Number:
        return _combine(other, "*", self) if _is_number(other) else NotImplemented

    def __truediv__(self, other: object) -> Number:
        return _combine(self, "/", other) if _is_number(other) else NotImplemented

    def __rtruediv__(self, other: object) -> Number:
        return _combine(other, "/", self) if _is_number(other) else NotImplemented

    def __neg__(self) -> RationalFunction:
        opposite = tuple((exponents, -coefficient) for exponents, coefficient in self._top)
        return RationalFunction(self.parameters, opposite, self._bottom)

    def __pow__(self, exponent: int) -> Number:
        return _power(self, exponent) if _is_whole(exponent) else NotImplemented

    def __str__(self) -> str:
        top, bottom = (_written(part, self.parameters) for part in (self._top, self._bottom))
        return top if bottom == "1" else f"({top})/({bottom})"

    def __repr__(self) -> str:
        return f"RationalFunction({str(self)!r})"


Number: TypeAlias = Fraction | RationalFunction


def entry(value: object, field: str, parameters: Collection[str] = ()) -> Number:
    """Return `value` as an exact number, or as a rational function of declared parameters.

    Parameters
    ----------
    value : object
        What `exact` takes, a `RationalFunction`, or, where parameters are declared, a string with
        ``+ - * / ^ **``, parentheses, whole numbers, decimals and names. Powers group to the
        right and bind before signs: ``-p^2`` is ``-(p^2)``.
    field : str
        Where the entry stands; named in the error.
    parameters : collection of str
        The names that may occur.

    Returns
    -------
    Fraction or RationalFunction
        A `Fraction` if no parameter remains in lowest terms.

    Raises
    ------
    InputError
        For an undeclared name (the nearest declared one is suggested), a syntax error, division
        by zero, or an expression beyond the limits: 2,000 characters, 64 nested parentheses,
        exponent 64, total degree 128, 10,000 terms, and the work that the operations take.

    Examples
    --------
    >>> entry("1 - 2*p", "x", ["p"])
    RationalFunction('-2*p + 1')
    >>> entry("(2*p)/p", "x", ["p"])
    Fraction(2, 1)
    >>> entry("1 - prob", "x", ["prop"])
    Traceback (most recent call last):
    ...
    symsafe.errors.InputError: x: found prob; expected a declared parameter (prop); \
did you mean prop?
    """
    if isinstance(value, RationalFunction):
        for name in value.parameters:
            _require_declared(name, field, parameters)
        return value
    if not isinstance(value, str) or not parameters or not value.strip():
        return exact(value, field)
    if len(value) <= 2 * MAX_DIGITS and _NUMBER.fullmatch(value.strip()):
        return _from_text(value, field)
    if len(value) > MAX_EXPRESSION:
        found = f"{len(value)} characters"
        raise InputError(field, found, f"an expression of at most {MAX_EXPRESSION} characters")
    return _Parser(value.rstrip(), field, parameters).result()


class _Parser:
    """Reads one expression by operator precedence, with explicit stacks instead of recursion."""

    def __init__(self, text: str, field: str, parameters: Collection[str]) -> None:
        self.text = text
        self.field = field
        self.parameters = parameters
        self.operands: list[Number] = []
        self.operators: list[str] = []
        self.work = 0

    def result(self) -> Number:
        position, after_operand = 0, False
        while position < len(self.text):
            match = _TOKEN.match(self.text, position)
            if match is None:
                found = self.text[position:].lstrip()[0]
                raise self.syntax(_quoted(found), "numbers, parameters, + - * / ^ and parentheses")
            position = match.end()
            operator = match["operator"]
            if operator is None:
                self.operand(match, after_operand)
                after_operand = True
            elif operator == "(":
                self.opening(after_operand)
            elif operator == ")":
                self.closing(after_operand)
            elif after_operand:
                self.binary("^" if operator == "**" else operator)
                after_operand = False
            elif operator == "-" and self.operators[-1:] == ["sign"]:
                self.operators.pop()  # two signs cancel, however many there are
            elif operator == "-":
                self.operators.append("sign")
            elif operator != "+":
                raise self.syntax(f'"{operator}"', "an operand before it")
        if not after_operand:
            raise self.syntax("the end", "an operand")
        self.reduce_above(0)
        if self.operators:
            raise self.syntax('"("', "a matching ) after it")
        return self.operands.pop()

    def syntax(self, found: str, expected: str) -> InputError:
        return InputError(self.field, f"{found} in {_quoted(self.text)}", expected)

    def operand(self, match: re.Match[str], after_operand: bool) -> None:
        if after_operand:
            raise self.syntax(_quoted(match[0].strip()), "an operator before it")
        if match["name"]:
            _require_declared(match["name"], self.field, self.parameters)
            one = Fraction(1)
            read: Number = RationalFunction((match["name"],), (((1,), one),), (((0,), one),))
        else:
            read = _from_text(match["number"], self.field)
        self.operands.append(read)

    def opening(self, after_operand: bool) -> None:
        if after_operand:
            raise self.syntax('"("', "an operator before it")
        if self.operators.count("(") == MAX_PARENTHESES:
            raise self.syntax('"("', f"at most {MAX_PARENTHESES} nested parentheses")
        self.operators.append("(")

    def closing(self, after_operand: bool) -> None:
        if not after_operand:
            raise self.syntax('")"', "an operand before it")
        self.reduce_above(0)
        if not self.operators:
            raise self.syntax('")"', "a matching ( before it")
        self.operators.pop()

    def binary(self, operator: str) -> None:
        # Of equal operators the left one goes first, except that powers group to the right.
        precedence = _PRECEDENCE[operator]
        self.reduce_above(precedence if operator == "^" else precedence - 1)
        self.operators.append(operator)

    def reduce_above(self, precedence: int) -> None:
        """Apply what stands on top of the stack and binds more strongly than `precedence`."""
        while self.operators and _PRECEDENCE.get(self.operators[-1], -1) > precedence:
            operator = self.operators.pop()
            right = self.operands.pop()
            left = Fraction(-1) if operator == "sign" else self.operands.pop()
            if operator == "^":
                if not isinstance(right, Fraction) or right.denominator != 1:
                    raise self.syntax(f"the exponent {right}", "an exponent that is a whole number")
                self.operands.append(_power(left, int(right), self.field))
                continue
            operator = "*" if operator == "sign" else operator
            self.work += _cost(left, operator, right)
            _require_work(self.work, self.field)
            self.operands.append(_arithmetic(left, operator, right, self.field))


def _require_declared(name: str, field: str, parameters: Collection[str]) -> None:
    if name in parameters:
        return
    some = sorted(islice(parameters, _SEARCHED_NAMES))
    near = difflib.get_close_matches(name, some, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    listed = ", ".join(some[:_LISTED_NAMES]) + (", ..." if len(some) > _LISTED_NAMES else "")
    raise InputError(field, name, f"a declared parameter ({listed or 'none'}){hint}")


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> TypeGuard[int | Number]:
    return isinstance(value, (Fraction, RationalFunction)) or _is_whole(value)


def _written(terms: _Terms, names: Sequence[str]) -> str:
    text = ""
    for exponents, coefficient in terms:
        powers = [
            name if exponent == 1 else f"{name}^{exponent}"
            for name, exponent in zip(names, exponents, strict=True)
            if exponent
        ]
        size = abs(coefficient)
        factors = powers if powers and size == 1 else [format_fraction(size), *powers]
        sign = "-" if coefficient < 0 else "+"
        text += f" {sign} {'*'.join(factors)}" if text else sign.strip("+") + "*".join(factors)
    return text


def _words(number: Fraction) -> int:
    return 1 + (number.numerator.bit_length() + number.denominator.bit_length()) // 64


def _size(terms: _Terms) -> int:
    return sum(_words(coefficient) for _, coefficient in terms)


def _cost(left: Number, operator: str, right: Number) -> int:
    """Return about how many products of 64-bit words an operation takes."""
    (a, b), (c, d) = (
        (_words(x), 1) if isinstance(x, Fraction) else (_size(x._top), _size(x._bottom))
        for x in (left, right)
    )
    return a * d + b * c + b * d if operator in "+-" else (a + b) * (c + d)


def _require_work(work: int, field: str) -> None:
    if work > MAX_WORK:
        raise InputError(field, f"an expression that takes {work} steps", f"at most {MAX_WORK}")


def _require_terms(count: int, degree: int, field: str) -> None:
    if degree > MAX_DEGREE or count > MAX_TERMS:
        raise InputError(
            field,
            f"total degree {degree} and up to {count} terms",
            f"total degree at most {MAX_DEGREE} and at most {MAX_TERMS} terms",
        )


def _bounded(number: Number, field: str) -> Number:
    """Refuse a result that is too large to go on with."""
    if isinstance(number, Fraction):
        return _readable(number, field)
    for terms in (number._top, number._bottom):
        _require_terms(len(terms), sum(terms[0][0]), field)
        for _, coefficient in terms:
            _readable(coefficient, field)
    return number


def _combine(left: int | Number, operator: str, right: int | Number) -> Number:
    a, b = (Fraction(x) if isinstance(x, int) else x for x in (left, right))
    _require_work(_cost(a, operator, b), "expression")
    return _arithmetic(a, operator, b, "expression")


def _arithmetic(left: Number, operator: str, right: Number, field: str) -> Number:
    """Return ``left operator right`` in lowest terms."""
    if operator == "-":
        operator, right = "+", -right
    elif operator == "/":
        operator, right = "*", _inverse(right, field)
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return _bounded(left + right if operator == "+" else left * right, field)
    sides = (left, right)
    names = tuple(
        sorted({n for x in sides if isinstance(x, RationalFunction) for n in x.parameters})
    )
    (a, b), (c, d) = (_lift(x, names) for x in sides)
    # The operands are in lowest terms, so small common divisors suffice (Knuth, TAOCP 2, 4.5.1).
    if operator == "+":
        common = b.gcd(d)
        b = b // common
        top = a * (d // common) + c * b
        common = top.gcd(common)
        return _bounded(_lower(names, top // common, b * (d // common)), field)
    first, second = a.gcd(d), c.gcd(b)
    top = (a // first) * (c // second)
    return _bounded(_lower(names, top, (b // second) * (d // first)), field)


def _inverse(number: Number, field: str) -> Number:
    if number == 0:
        raise InputError(field, "division by 0", "a divisor that is not identically 0")
    if isinstance(number, Fraction):
        return 1 / number
    top, bottom = _lift(number, number.parameters)
    return _lower(number.parameters, bottom, top)


def _power(base: Number, exponent: int, field: str = "expression") -> Number:
    if abs(exponent) > MAX_EXPONENT:
        found = f"the exponent {format_fraction(Fraction(exponent))}"
        raise InputError(field, found, f"an exponent of at most {MAX_EXPONENT}")
    if exponent < 0:
        base, exponent = _inverse(base, field), -exponent
    if isinstance(base, Fraction):
        _require_short_power([base], exponent, field)
        return _bounded(base**exponent, field)
    if exponent == 0:
        return Fraction(1)
    for terms in (base._top, base._bottom):
        degree = exponent * sum(terms[0][0])
        count = min(
            math.comb(len(terms) + exponent - 1, exponent),
            math.comb(degree + len(base.parameters), degree),
        )
        _require_terms(count, degree, field)
        _require_short_power([coefficient for _, coefficient in terms], exponent, field)
    top, bottom = _lift(base, base.parameters)
    return _bounded(_lower(base.parameters, top**exponent, bottom**exponent), field)


def _require_short_power(numbers: Sequence[Fraction], exponent: int, field: str) -> None:
    """Refuse a power before it is computed; a number of n + 1 bits is at least 2^n."""
    bits = max(max(x.numerator.bit_length(), x.denominator.bit_length()) for x in numbers) - 1
    if bits * exponent > MAX_BITS:
        raise InputError(field, f"a power with exponent {exponent}", _expected_digits())


def _flint(number: Fraction) -> Any:
    from flint import fmpq

    return fmpq(number.numerator, number.denominator)


def _lift(number: Number, names: tuple[str, ...]) -> tuple[Any, Any]:
    """Return numerator and denominator as FLINT polynomials in `names`."""
    from flint import fmpq_mpoly_ctx

    context = fmpq_mpoly_ctx.get(("x", len(names)), "deglex")
    if isinstance(number, Fraction):
        return context.constant(_flint(number)), context.constant(1)
    places = [names.index(name) for name in number.parameters]

    def polynomial(terms: _Terms) -> Any:
        found = {}
        for exponents, coefficient in terms:
            wide = [0] * len(names)
            for place, exponent in zip(places, exponents, strict=True):
                wide[place] = exponent
            found[tuple(wide)] = _flint(coefficient)
        return context.from_dict(found)

    return polynomial(number._top), polynomial(number._bottom)


def _lower(names: tuple[str, ...], top: Any, bottom: Any) -> Number:
    """Return the number that a quotient of coprime FLINT polynomials in `names` is."""
    tops, bottoms = (
        [(m, Fraction(int(c.numerator), int(c.denominator))) for m, c in part.terms()]
        for part in (top, bottom)
    )
    used = [i for i in range(len(names)) if any(m[i] for m, _ in tops + bottoms)]
    if not used:
        return tops[0][1] / bottoms[0][1] if tops else Fraction(0)
    scale = Fraction(
        math.gcd(*(c.numerator for _, c in bottoms)), math.lcm(*(c.denominator for _, c in bottoms))
    )
    if bottoms[0][1] < 0:
        scale = -scale
    if scale != 1:
        tops, bottoms = ([(m, c / scale) for m, c in part] for part in (tops, bottoms))
    parts = (tuple((tuple(m[i] for i in used), c) for m, c in part) for part in (tops, bottoms))
    return RationalFunction(tuple(names[i] for i in used), *parts)
