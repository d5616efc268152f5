"""Reading what a user wrote: names, tables, lists and sums, each refusal naming its place.

Shared by the rest of the model. It knows nothing of MDPs and never repairs an input.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from itertools import islice
from numbers import Integral
from types import UnionType

import numpy as np

from symsafe.errors import InputError, printed
from symsafe.exact import Number, RationalFunction, entry, format_fraction

__all__ = [
    "pair_values",
    "path",
    "read_index",
    "read_list",
    "read_names",
    "read_number",
    "read_path",
    "read_table",
    "read_whole",
    "renamed",
    "require_distribution",
    "require_instance",
    "require_known",
    "require_length",
    "shown",
    "substituted",
    "total",
]

MAX_NAME = 200
# Beyond this many names the search for the nearest one would be slower than the reader.
_SEARCHED_NAMES = 1_000
_LISTED_NAMES = 8
_BARE = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_NAME}}}")
# Control characters, lone surrogates, line and paragraph separators: a name stays on one line.
_UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}


def path(*parts: str) -> str:
    """Return the place of an entry, names quoted where a dot would mislead.

    Examples
    --------
    >>> path("reward", "s0", "turn left")
    'reward.s0."turn left"'
    """
    return ".".join(part if _BARE.fullmatch(part) else _quoted(part) for part in parts)


def _quoted(name: str) -> str:
    shortened = name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}..."
    return json.dumps(shortened, ensure_ascii=False)


def shown(number: Number) -> str:
    """Return a number as text for a message."""
    return format_fraction(number) if isinstance(number, Fraction) else str(number)


def require_instance(value: object, kind: type | UnionType, field: str, expected: str) -> None:
    """Refuse an object of another kind here, where its field is known, and not later."""
    if not isinstance(value, kind):
        raise InputError(field, value, expected)


@contextmanager
def renamed(part: str, whole: str) -> Iterator[None]:
    """Say `whole` where errors say that `part` is their field, or the beginning of it.

    For what is written as a part of something else, and read as if it stood alone.
    """
    try:
        yield
    except InputError as error:
        if not error.field.startswith(part):
            raise
        field = f"{whole}{error.field.removeprefix(part)}"
        raise InputError(field, error.value, error.expected) from None


def read_list(value: object, field: str, expected: str = "a list") -> Sequence[object]:
    """Return a list, tuple or numpy array as a sequence; text, tables and sets are refused."""
    if isinstance(value, np.ndarray) and value.ndim:
        listed: Sequence[object] = value.tolist()
        return listed
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray, memoryview)):
        return value
    raise InputError(field, value, expected)


def require_length(items: Sequence[object], length: int, field: str, expected: str) -> None:
    """Refuse a list of another length than what it has to say one thing about each of."""
    if len(items) != length:
        raise InputError(field, f"a list of {len(items)}", f"a list of {length}, {expected}")


def read_index(value: object, count: int, field: str) -> int:
    """Return a position in a list of `count`."""
    if isinstance(value, Integral) and not isinstance(value, bool) and 0 <= int(value) < count:
        return int(value)
    raise InputError(field, value, f"an index from 0 to {count - 1}")


def read_whole(value: object, field: str) -> int:
    """Return a whole number of at least 1."""
    if isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1:
        return int(value)
    raise InputError(field, value, "a whole number of at least 1")


def read_path(value: object, field: str = "file") -> str:
    """Return a path as text; whether a file can have this name is for the system to say."""
    try:
        return os.fsdecode(value)  # type: ignore[arg-type]
    except TypeError:
        raise InputError(field, value, "a path") from None


def read_table(value: object, field: str) -> Mapping[str, object]:
    """Return a mapping whose keys are strings."""
    if not isinstance(value, Mapping):
        raise InputError(field, value, "a table that maps names to values")
    for key in value:
        if not isinstance(key, str):
            raise _no_name(key, field)
    return value


def _no_name(value: object, field: str) -> InputError:
    return InputError(field, f"the name {printed(value)}", 'names that are strings, such as "s0"')


def read_names(value: object, field: str) -> tuple[str, ...]:
    """Return distinct, printable names; at least one."""
    names = read_list(value, field, "a list of names")
    if not names:
        raise InputError(field, "no name", "at least one name")
    seen: set[str] = set()
    read: list[str] = []
    for name in names:
        if not isinstance(name, str):
            raise _no_name(name, field)
        if not 0 < len(name) <= MAX_NAME:
            raise InputError(
                field, f"a name of {len(name)} characters", f"names of 1 to {MAX_NAME} characters"
            )
        if not name.isprintable() and any(unicodedata.category(c) in _UNPRINTABLE for c in name):
            raise InputError(field, repr(name), "names without control characters")
        if name in seen:
            raise InputError(field, f"{name!r} twice", "each name once")
        seen.add(name)
        read.append(str(name))
    return tuple(read)


def require_known(name: object, known: Collection[str], field: str, what: str) -> None:
    """Refuse a name that is not among `known`, with the nearest one that is."""
    if isinstance(name, str) and name in known:
        return
    some = list(islice(known, _SEARCHED_NAMES))
    listed = ", ".join(some[:_LISTED_NAMES]) + (", ..." if len(some) > _LISTED_NAMES else "")
    near = difflib.get_close_matches(name, some, 1) if isinstance(name, str) else []
    hint = f"; did you mean {near[0]}?" if near else ""
    raise InputError(field, f"the unknown name {printed(name)}", f"{what} ({listed}){hint}")


def read_number(value: object, field: str, parameters: Sequence[str] = ()) -> Number:
    """Return `entry` of a value, without its cost for a Fraction or an int."""
    if type(value) is Fraction:
        return value
    return Fraction(value) if type(value) is int else entry(value, field, parameters)


def substituted(number: Number, point: Mapping[str, Fraction], field: str) -> Number:
    """Return `number` with parameters replaced by their values."""
    if not isinstance(number, RationalFunction):
        return number
    try:
        return number.at(point)
    except InputError as error:
        raise InputError(field, f"{error.field} at {error.value}", error.expected) from None


def total(numbers: Iterable[Number]) -> Number:
    """Return the sum. Exact: fractions of equal denominator are added as integers first."""
    numerators: dict[int, int] = {}
    result: Number = Fraction(0)
    for number in numbers:
        if isinstance(number, Fraction):
            bottom = number.denominator
            numerators[bottom] = numerators.get(bottom, 0) + number.numerator
        else:
            result = result + number
    return result + sum((Fraction(top, bottom) for bottom, top in numerators.items()), Fraction(0))


def require_distribution(
    probabilities: Sequence[Number], field: str, place: Callable[[int], str]
) -> None:
    """Refuse a negative entry, and a sum that is not exactly (for parameters: identically) 1.

    `place` gives the field of an entry; the signs of entries with parameters are not decided here.
    """
    for position, probability in enumerate(probabilities):
        if isinstance(probability, Fraction) and probability < 0:
            raise InputError(place(position), shown(probability), "a number that is at least 0")
    try:
        found = total(probabilities)
    except InputError as error:
        raise InputError(field, error.value, error.expected) from None
    if found != 1:
        raise InputError(field, f"entries whose sum is {shown(found)}", "a sum of exactly 1")


def pair_values(
    value: object,
    field: str,
    states: Sequence[str],
    actions: Sequence[Sequence[str]],
    missing: Fraction | None = None,
) -> list[object]:
    """Return what a table state -> action -> value says of each existing pair, in their order.

    Raises
    ------
    InputError
        For an unknown state or action, and for a missing pair unless `missing` stands in for it.
    """
    table = read_table(value, field)
    known = dict.fromkeys(states)
    for state in table:
        require_known(state, known, field, "a known state")
    found: list[object] = []
    for state, names in zip(states, actions, strict=True):
        place = f"{field}.{path(state)}"
        if state not in table and missing is None:
            raise InputError(place, "nothing", "a table with a value for each action")
        row = read_table(table.get(state, {}), place)
        existing = dict.fromkeys(names)
        for action in row:
            require_known(action, existing, place, "an action of this state")
        for action in names:
            if action not in row and missing is None:
                raise InputError(f"{place}.{path(action)}", "nothing", "a value for this pair")
            found.append(row.get(action, missing))
    return found
