"""The door for numbers: what comes in exactly, what is refused, and the expression parser."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import time
from decimal import Decimal
from fractions import Fraction

import flint
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from symsafe import InputError
from symsafe.exact import RationalFunction, entry, exact, format_fraction

F = Fraction


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, F(3)),
        (F(3, 7), F(3, 7)),
        ("3/7", F(3, 7)),
        (" -3 / 7 ", F(-3, 7)),
        ("0.1", F(1, 10)),
        (".5", F(1, 2)),
        ("5.", F(5)),
        ("+2", F(2)),
        ("1e-3", F(1, 1000)),
        ("2.5E2", F(250)),
        (Decimal("0.1"), F(1, 10)),
        (np.int64(-4), F(-4)),
        (sympy.Integer(5), F(5)),
        (sympy.Rational(1, 3), F(1, 3)),
        (flint.fmpz(6), F(6)),
        (flint.fmpq(1, 3), F(1, 3)),
        ("9" * 4000, F(10**4000 - 1)),
    ],
)
def test_exact_numbers_come_in_as_they_are(value: object, expected: Fraction) -> None:
    """Each type and each way of writing a number keeps its value."""
    assert exact(value) == expected


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "truth value"),
        (np.bool_(False), "truth value"),
        (0.1, 'write "0.1" or "1/10"'),
        (np.float64(0.25), 'write "0.25" or "1/4"'),
        (1e300, "binary float"),
        (1 / 3, "binary float"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (Decimal("NaN"), "NaN"),
        (Decimal("1e9999"), "9999"),
        (sympy.Float(0.5), "0.5"),
        (sympy.pi, "pi"),
        (sympy.Symbol("x"), "x"),
        (None, "None"),
        (1j, "1j"),
        ([1], "[1]"),
        ("", '""'),
        (".", '"."'),
        ("e5", '"e5"'),
        ("abc", '"abc"'),
        ("1/0", "not 0"),
        ("--1", '"--1"'),
        ("1_000", '"1_000"'),
        ("1/2/3", '"1/2/3"'),
        ("\u0661", "\u0661"),
        ("nan", '"nan"'),
        ("9" * 4001, "4000 digits"),
        ("1" * 3000 + "." + "1" * 3000, "4000 digits"),
        ("1e4001", "exponent"),
        ("1e-999999", "exponent"),
        ("9" * 10**6, "4000 digits"),
    ],
)
def test_everything_else_is_refused_with_the_field_named(value: object, shown: str) -> None:
    """Floats, truth values, infinities and other text end in one clear error."""
    with pytest.raises(InputError) as caught:
        exact(value, "reward.s.a")
    assert caught.value.field == "reward.s.a"
    assert shown in str(caught.value)


def test_an_object_that_cannot_be_a_float_is_refused() -> None:
    """A conversion that fails is no crash."""

    class Odd:
        def __float__(self) -> float:
            raise TypeError

    with pytest.raises(InputError):
        exact(Odd())


@given(st.fractions())
def test_written_numbers_read_back(number: Fraction) -> None:
    """format_fraction and exact are inverse."""
    assert exact(format_fraction(number)) == number


def test_long_numbers_are_written() -> None:
    """Numbers beyond Python's own limit are printed all the same."""
    assert format_fraction(F(10**6000)) == "1" + "0" * 6000
    assert format_fraction(F(1, 10**6000)) == "1/1" + "0" * 6000


NAMES = ("p", "q", "rate")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p", "p"),
        ("1 - 2*p", "-2*p + 1"),
        ("p*p", "p**2"),
        ("-p^2", "-p**2"),
        ("2^3^2*p", "512*p"),
        ("p^-1", "1/p"),
        ("-(p - q)/2", "(q - p)/2"),
        ("(p^2 - 1)/(p - 1)", "p + 1"),
        ("0.5*p + 1/3", "p/2 + 1/3"),
        ("+p**2", "p**2"),
        ("2 - -p", "p + 2"),
        ("p/q/2", "p/(2*q)"),
        ("rate*(1+(1+(1+p)))", "rate*(p + 3)"),
        ("1e-2*p", "p/100"),
    ],
)
def test_expressions_mean_what_they_say(text: str, expected: str) -> None:
    """Precedence, signs, powers and cancellation agree with sympy."""
    found = entry(text, "x", NAMES)
    assert isinstance(found, RationalFunction)
    symbols = {name: sympy.Symbol(name) for name in NAMES}
    difference = sympy.sympify(str(found).replace("^", "**"), symbols) - sympy.sympify(
        expected, symbols
    )
    assert sympy.cancel(difference) == 0


@pytest.mark.parametrize("text", ["(2*p)/p", "p - p + 2", "2", "4/2", "2^1"])
def test_constant_expressions_are_fractions(text: str) -> None:
    """An expression without a parameter left is an ordinary number."""
    assert entry(text, "x", NAMES) == F(2)
    assert isinstance(entry(text, "x", NAMES), Fraction)


def test_a_power_of_a_power_is_read_again() -> None:
    """p^93, from (p^31)^3, is written with the exponent that it has."""
    for text in ("(p^31 + q)^3", "1/((p^31 - q)^4)", "(p^64)^2"):
        found = entry(text, "field", NAMES)
        assert entry(str(found), "field", NAMES) == found


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("z", "declared parameter"),
        ("rat", "did you mean rate?"),
        ("p q", "operator before"),
        ("p (q)", "operator before"),
        ("p +", "operand"),
        ("", "1/10"),
        ("*p", "operand before"),
        ("(p", "matching )"),
        ("p)", "matching ("),
        ("()", "operand before"),
        ("p;q", "numbers"),
        ("p.q", "numbers"),
        ("__import__('os')", "declared parameter"),
        ("p/0", "division by 0"),
        ("p/(q-q)", "division by 0"),
        ("(p-p)^-1", "division by 0"),
        ("p^129", "at most 128"),
        ("p^(1/2)", "whole number"),
        ("p^q", "whole number"),
        ("9^64^64", "at most 128"),
        ("(99^64)^64", "4000 digits"),
        ("p^64*q^64*p", "total degree"),
        ("(p+q+rate)^60*(p-q+2*rate+1)^60", "total degree"),
        ("(p+q+rate+1)^64", "10000 terms"),
        ("p^2^-1", "whole number"),
        ("(" * 65 + "p" + ")" * 65, "64 nested"),
        ("p" + "+p" * 1000, "2000 characters"),
    ],
)
def test_hostile_expressions_are_refused_quickly(text: str, shown: str) -> None:
    """Each names the field and the reason; none takes long."""
    started = time.monotonic()
    with pytest.raises(InputError) as caught:
        entry(text, "reward.s.a", NAMES)
    assert caught.value.field == "reward.s.a"
    assert shown in str(caught.value)
    assert time.monotonic() - started < 10


def test_expressions_need_declared_parameters() -> None:
    """Without parameters a string is a number or an error; foreign functions are refused too."""
    with pytest.raises(InputError):
        entry("p", "x")
    p = entry("p", "x", NAMES)
    assert entry(p, "x", NAMES) is p
    with pytest.raises(InputError) as caught:
        entry(p, "x", ("q",))
    assert caught.value.value == "p"


def polynomials() -> st.SearchStrategy[str]:
    """Small random expressions."""
    leaves = st.sampled_from(["p", "q", "2", "1/3", "0.5", "-1"])
    return st.recursive(
        leaves,
        lambda inner: st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(
            lambda parts: f"({parts[0]}){parts[1]}({parts[2]})"
        ),
        max_leaves=8,
    )


@given(polynomials(), polynomials(), st.fractions(0, 3), st.fractions(-2, 2))
def test_arithmetic_commutes_with_evaluation(
    left: str, right: str, p: Fraction, q: Fraction
) -> None:
    """Evaluating a sum, a product or a quotient is that of the values; text reads back."""
    point = {"p": p, "q": q}

    def at(number: Fraction | RationalFunction) -> Fraction:
        value = number.at(point) if isinstance(number, RationalFunction) else number
        assert isinstance(value, Fraction)
        return value

    a, b = (entry(text, "x", NAMES) for text in (left, right))
    assert at(a + b) == at(a) + at(b)
    assert at(a - b) == at(a) - at(b)
    assert at(a * b) == at(a) * at(b)
    assert at(-a) == -at(a)
    if at(b) != 0:
        assert at(a / b) == at(a) / at(b)
    assert entry(str(a), "x", NAMES) == a
    assert copy.deepcopy(a) == a


def test_rational_functions_are_values() -> None:
    """Equality and hashing are mathematical; parts are in lowest terms."""
    x = entry("(p^2 - q^2)/(p - q)/2", "x", NAMES)
    y = entry("q/2 + p/2", "x", NAMES)
    assert x == y
    assert hash(x) == hash(y)
    assert x != entry("p", "x", NAMES)
    assert x != 1
    assert isinstance(x, RationalFunction)
    assert x.parameters == ("p", "q")
    assert repr(x) == f"RationalFunction('{x}')"
    inverse = 1 / x
    assert isinstance(inverse, RationalFunction)
    assert inverse.numerator == {(0, 0): F(2)}
    assert inverse.denominator == {(1, 0): F(1), (0, 1): F(1)}
    assert (1 + x) - 1 == x
    assert 2 * x - x == x
    assert (1 - x) + x == 1
    assert x**2 == x * x
    assert x**0 == 1
    with pytest.raises(TypeError):
        x + "1"  # type: ignore[operator]
    with pytest.raises(TypeError):
        0.5 * x  # type: ignore[operator]


def test_substitution_may_be_partial_and_may_fail() -> None:
    """Names that do not occur are ignored; a pole is an error that shows the point."""
    x = entry("p/(1 - q)", "x", NAMES)
    assert isinstance(x, RationalFunction)
    assert x.at({"rate": F(1)}) is x
    assert x.at({"q": F(1, 2)}) == entry("2*p", "x", NAMES)
    assert x.at({"p": F(0)}) == 0
    with pytest.raises(InputError) as caught:
        x.at({"q": F(1)})
    assert caught.value.value == "q=1"


@pytest.mark.parametrize(
    "value",
    [
        10**5000,
        -(10**5000),
        sympy.Integer(10) ** 5000,
        flint.fmpz(10) ** 5000,
        flint.fmpq(1, flint.fmpz(10) ** 5000),
        Decimal("1." + "3" * 10**5),
        Decimal("0e-999999"),
        "9" * 4000 + "e4000",
    ],
    ids=range(8),
)
def test_long_numbers_of_every_type_are_refused(value: object) -> None:
    """Once the message itself failed, with a bare ValueError, because Python would not print it."""
    with pytest.raises(InputError) as caught:
        exact(value, "reward.s.a")
    assert caught.value.field == "reward.s.a"
    assert "4000 digits" in caught.value.expected


def test_a_float_of_another_width_shows_its_own_shortest_decimal() -> None:
    """0.1 in 32 bits is written 0.1, not as the 64-bit number beside it."""
    with pytest.raises(InputError) as caught:
        exact(np.float32(0.1))
    assert caught.value.expected == 'an exact number: write "0.1" or "1/10"'


@pytest.mark.parametrize("text", ["\ud800", "p + \x1b[31m", "\u202e"])
def test_unprintable_text_is_escaped_in_messages(text: str) -> None:
    """A hostile file cannot write control characters to a terminal."""
    with pytest.raises(InputError) as caught:
        entry(text, "x", NAMES)
    assert str(caught.value).isprintable()


def test_rational_functions_cannot_be_changed() -> None:
    """They are shared between problems, and keys of tables."""
    x = entry("(p + q)/(p - 1/3)", "x", NAMES)
    with pytest.raises(dataclasses.FrozenInstanceError):
        x.parameters = ("z",)  # type: ignore[misc, union-attr]
    assert pickle.loads(pickle.dumps(x)) == x


@pytest.mark.parametrize("other", [True, 0.5, "1", None, np.float64(0.5)])
def test_arithmetic_takes_exact_numbers_only(other: object) -> None:
    """Neither a truth value nor a float joins in, on either side."""
    p = entry("p", "x", NAMES)
    for compute in (
        lambda: p + other,
        lambda: other - p,
        lambda: p * other,
        lambda: other / p,
        lambda: p**other,
    ):
        with pytest.raises(TypeError):
            compute()


def test_values_of_parameters_pass_the_same_door() -> None:
    """A binary float is refused at substitution, under the name of the parameter."""
    x = entry("p/(1 - q)", "x", NAMES)
    assert isinstance(x, RationalFunction)
    with pytest.raises(InputError) as caught:
        x.at({"p": 0.5})  # type: ignore[dict-item]
    assert caught.value.field == "p"
    with pytest.raises(InputError) as caught:
        entry("1/(p - p*q)", "x", NAMES).at({"q": F(1), "p": F(10**5000)})  # type: ignore[union-attr]
    assert str(caught.value.value).startswith("p=1000")


def test_quotients_within_the_limits_are_accepted() -> None:
    """Once refused: the terms of numerator and denominator were multiplied for the limit."""
    x = entry("(p+q+rate+1)^20/((p-q+rate)^20+1)", "x", NAMES)
    assert isinstance(x, RationalFunction)
    assert (len(x.numerator), len(x.denominator)) == (1771, 232)


@pytest.mark.parametrize(
    "text",
    [
        "+".join(f"1/(p + {i}*q + {i * i}*r + s*t)" for i in range(1, 60)),
        "*".join(["(p + q + r + s)^15/(p + q + r + s)^14"] * 40),
        "-" * 1900 + "(p + q + r)^64/(p - q + r + s)^20*(s + t + p)^20/(t + 1)^20",
    ],
)
def test_expressions_that_would_take_long_are_refused(text: str) -> None:
    """Within the other limits, the first of these once ran for minutes."""
    with pytest.raises(InputError) as caught:
        entry(text, "reward.s.a", "pqrst")
    assert (caught.value.field, caught.value.expected) == ("reward.s.a", "at most 2000000")


def test_arithmetic_outside_the_parser_is_bounded_too() -> None:
    """Sums over the rows of a hostile problem use it."""
    x, y = (entry(f"1/(p {sign} q + r + s)^15", "x", "pqrs") for sign in "+-")
    with pytest.raises(InputError) as caught:
        (x + y) * (x - y) / (x + 2 * y)
    assert caught.value.field == "expression"


def test_many_signs_cancel_in_pairs() -> None:
    """An odd number of them is one."""
    assert entry("-" * 1001 + "p", "x", NAMES) == entry("-p", "x", NAMES)
    assert entry("2*--p^2 - -+-p", "x", NAMES) == entry("2*p^2 - (-(-p))", "x", NAMES)


def test_few_of_many_declared_parameters_are_listed() -> None:
    """The message stays readable when hundreds are declared."""
    with pytest.raises(InputError) as caught:
        entry("y", "x", [f"x{i}" for i in range(500)])
    assert caught.value.expected.count(",") == 8


def test_polynomials_have_denominator_1() -> None:
    """Fractions stay in the coefficients; highest total degree first."""
    x = entry("p/2 + q^2/3 - 1", "x", NAMES)
    assert isinstance(x, RationalFunction)
    assert x.denominator == {(0, 0): 1}
    assert list(x.numerator.items()) == [((0, 2), F(1, 3)), ((1, 0), F(1, 2)), ((0, 0), F(-1))]
    assert str(x) == "1/3*q^2 + 1/2*p - 1"


SYMBOLS = {name: sympy.Symbol(name) for name in NAMES}
Pair = tuple[str, sympy.Expr]


def quotients() -> st.SearchStrategy[Pair]:
    """A random expression as text, and what it means to sympy."""
    leaves: st.SearchStrategy[Pair] = st.sampled_from(
        [
            *SYMBOLS.items(),
            ("2", sympy.Integer(2)),
            ("0.25", sympy.Rational(1, 4)),
            ("7e-1", sympy.Rational(7, 10)),
        ]
    )

    def grow(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
        joined = st.tuples(inner, st.sampled_from("+-*/"), inner)
        raised = st.tuples(inner, st.integers(-2, 3))
        return st.one_of(
            joined.map(lambda x: (f"({x[0][0]}) {x[1]} ({x[2][0]})", join(x[0][1], x[1], x[2][1]))),
            raised.map(lambda x: (f"({x[0][0]})^{x[1]}", x[0][1] ** x[1])),
            inner.map(lambda x: (f"-({x[0]})", -x[1])),
        )

    return st.recursive(leaves, grow, max_leaves=6)


def join(a: sympy.Expr, operator: str, b: sympy.Expr) -> sympy.Expr:
    return {"+": a + b, "-": a - b, "*": a * b, "/": a * b ** sympy.Integer(-1)}[operator]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(quotients())
def test_random_quotients_agree_with_sympy_and_read_back(pair: Pair) -> None:
    """The same function, in lowest terms, and the same again from its own text."""
    text, meant = pair
    try:
        found = entry(text, "x", NAMES)
    except InputError:
        found = None
    if found is None:
        # sympy spreads a division by zero as nan or as complex infinity.
        assert sympy.cancel(meant).has(sympy.nan, sympy.zoo)
        return
    assert entry(str(found), "x", NAMES) == found
    if isinstance(found, Fraction):
        assert sympy.cancel(meant - sympy.Rational(found.numerator, found.denominator)) == 0
        return
    top, bottom = (
        sum(
            sympy.Rational(c.numerator, c.denominator)
            * sympy.prod(SYMBOLS[n] ** e for n, e in zip(found.parameters, m, strict=True))
            for m, c in part.items()
        )
        for part in (found.numerator, found.denominator)
    )
    assert sympy.cancel(meant - top / bottom) == 0
    assert sympy.gcd(top, bottom).is_number
