"""Text files from elsewhere, line by line: bounded, and every refusal names file and line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import NoReturn

from symsafe.errors import InputError
from symsafe.exact import exact, format_fraction
from symsafe.importers.rounding import Rounding
from symsafe.model.tables import read_path

__all__ = [
    "MAX_CHOICES",
    "MAX_STATES",
    "Line",
    "distribution",
    "read_lines",
    "start",
    "unique",
]

MAX_BYTES = 64 * 2**20
MAX_LINE = 100_000
MAX_STATES = 100_000
MAX_CHOICES = 1_000_000
# Beyond that of every float.
MAX_EXPONENT = 400
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file, without what surrounds it."""

    file: str
    number: int
    text: str

    def refuse(self, found: str, expected: str) -> NoReturn:
        """Raise the error that names this line."""
        raise InputError(f"{self.file}, line {self.number}", found, expected)

    def index(self, text: str, bound: int, what: str) -> int:
        """Return a whole number from 0 to below `bound`."""
        # Length first: reading digits takes quadratic time.
        if len(text) > 10 or not (text.isascii() and text.isdigit()) or int(text) >= bound:
            self.refuse(_quoted(text), f"{what} from 0 to {bound - 1}")
        return int(text)

    def number_of(self, text: str, what: str, rule: Rounding | None) -> Fraction:
        """Return a number; a decimal means what is written, unless a rule rounds it."""
        field = f"{self.file}, line {self.number}: {what}"
        exponent = text.lower().partition("e")[2].lstrip("+-0")
        # A few characters must not ask for thousands of digits, on each of a million lines.
        if len(exponent) > 3 or (exponent.isdigit() and int(exponent) > MAX_EXPONENT):
            raise InputError(field, _quoted(text), f"an exponent of at most {MAX_EXPONENT}")
        return exact(text, field) if rule is None else rule.number(text, field)


def read_lines(path: str | PathLike[str], comment: str | None = None) -> Iterator[Line]:
    """Yield the lines of a file that are not blank, without comments that fill a line.

    Raises
    ------
    InputError
        If the file cannot be read, is longer than 64 MiB, is no UTF-8 text, or has a line of more
        than 100,000 characters.
    """
    name = read_path(path)
    try:
        with open(name, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError("file", name, f"a readable file ({reason})") from None
    if len(content) > MAX_BYTES:
        raise InputError("file", name, f"at most {MAX_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"byte 0x{content[error.start]:02x} at offset {error.start}"
        raise InputError(name, found, "UTF-8 text") from None
    short = Path(name).name
    for number, raw in enumerate(text.split("\n"), 1):
        line = Line(short, number, raw.strip())
        if len(line.text) > MAX_LINE:
            line.refuse(f"{len(line.text)} characters", f"at most {MAX_LINE}")
        if line.text and not (comment and line.text.startswith(comment)):
            yield line


def distribution(
    row: dict[int, Fraction], line: Line, rule: Rounding | None
) -> tuple[tuple[int, Fraction], ...]:
    """Return the successors of a row that starts at `line`, repaired if the rule says so."""
    if rule is not None and rule.repair:
        targets = sorted(row)
        values = rule.row([row[t] for t in targets], f"{line.file}, line {line.number}")
        row = dict(zip(targets, values, strict=True))
    total = sum(row.values(), Fraction(0))
    if total != 1:
        line.refuse(
            f"a choice whose probabilities sum to {format_fraction(total)}",
            'a sum of exactly 1, or a rounding rule that fits ("nearest:N") or repairs '
            '("decimal+repair")',
        )
    return tuple((t, p) for t, p in sorted(row.items()) if p)


def unique(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the choices of a state, told apart where they are equal.

    Examples
    --------
    >>> unique(["go", "go", "stay"])
    ('go', 'go#2', 'stay')
    """
    taken = set(names)
    met: dict[str, int] = {}
    found = []
    for name in names:
        number = met.get(name, 0)
        told = name
        while number and told in taken:
            number += 1
            told = f"{name}#{number}"
        taken.add(told)
        met[name] = max(number, 1)
        found.append(told)
    return tuple(found)


def start(labelled: Iterable[int], given: int | None, count: int, source: str) -> int:
    """Return the initial state: the one given, or the only one that the file marks."""
    if given is not None:
        if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given < count:
            raise InputError("initial", given, f"a state from 0 to {count - 1}")
        return given
    marked = sorted(labelled)
    if len(marked) != 1:
        raise InputError(
            "initial",
            f"{len(marked)} states marked init in {source}",
            "exactly one, or the initial state as an option",
        )
    return marked[0]


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
