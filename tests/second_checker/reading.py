"""Reading JSON values, strictly."""

from __future__ import annotations

from typing import Any

from flint import fmpq

ZERO, ONE = fmpq(0), fmpq(1)


class No(Exception):  # noqa: N818 (a verdict)
    """The certificate is refused."""


def that(condition: bool, why: str) -> None:
    if not condition:
        raise No(why)


def fields(value: Any, names: str) -> list[Any]:
    """The values of an object with exactly these keys."""
    listed = names.split()
    that(isinstance(value, dict) and set(value) == set(listed), f"an object with {names}")
    return [value[name] for name in listed]


def array(value: Any, length: int | None = None) -> list[Any]:
    that(isinstance(value, list), "a list")
    that(length is None or len(value) == length, f"a list of length {length}")
    return value


def place(value: Any, below: int) -> int:
    that(isinstance(value, int) and not isinstance(value, bool), "an index")
    that(0 <= value < below, f"an index below {below}")
    return value


def rational(value: Any) -> fmpq:
    that(isinstance(value, str), "a number in a string")
    parts = value.split("/")
    that(1 <= len(parts) <= 2, "one fraction stroke at most")
    for i, part in enumerate(parts):
        digits = part[1:] if part.startswith("-") and i == 0 else part
        that(digits.isascii() and digits.isdigit() and len(digits) <= 20_000, "digits")
        that(digits[0] != "0" or (digits == "0" and i == 0), "no leading zero")
    that(value != "-0", "no negative zero")
    top, bottom = fmpq(long(parts[0])), fmpq(long(parts[1])) if len(parts) == 2 else None
    if bottom is None:
        return top
    that(bottom != 1, "no denominator of 1")
    quotient = top / bottom
    that(quotient.q == bottom.p and quotient.p == top.p, "lowest terms")
    return quotient


def long(digits: str) -> int:
    """Digits beyond those that int() takes."""
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("-")
    chunks = [digits[max(0, i - 4000) : i] for i in range(len(digits), 0, -4000)]
    return sign * sum(int(chunk) * 10 ** (4000 * k) for k, chunk in enumerate(chunks))


def vector(value: Any, length: int) -> list[fmpq]:
    return [rational(x) for x in array(value, length)]


def shares(weights: list[fmpq]) -> list[fmpq]:
    that(all(w >= 0 for w in weights), "weights from 0")
    that(sum(weights, ZERO) == 1, "weights that sum to 1")
    return weights


def dot(x: list[fmpq], y: list[fmpq]) -> fmpq:
    return sum((a * b for a, b in zip(x, y, strict=True)), ZERO)
