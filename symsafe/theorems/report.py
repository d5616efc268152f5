"""What verifying an instance of a theorem yields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from symsafe.certificate import Certificate
from symsafe.exact import format_fraction

__all__ = ["Hypothesis", "TheoremReport"]

_SHOWN_DIGITS = 40
_SHOWN_ITEMS = 12


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One hypothesis of a theorem on an instance.

    Attributes
    ----------
    statement : str
        The hypothesis in words and symbols, such as ``"min D > 0"``.
    holds : bool
    margin : Fraction
        By how much: the slack where it holds, what is missing (not positive) where it fails.
    values : mapping of str to Fraction
        The exact values that it compares.
    """

    statement: str
    holds: bool
    margin: Fraction
    values: Mapping[str, Fraction]

    def __str__(self) -> str:
        values = ", ".join(f"{name} = {_shown(x)}" for name, x in self.values.items())
        mark = "holds" if self.holds else "FAILS"
        return f"{mark}: {self.statement} ({values}; margin {_shown(self.margin)})"


@dataclass(frozen=True, slots=True)
class TheoremReport:
    """An instance of a theorem: each hypothesis, and if all hold the certified conclusion.

    Attributes
    ----------
    name : str
        Such as ``"proposition-3.2"``.
    source : str
        Where the statement is from, and which form of it is verified.
    hypotheses : tuple of Hypothesis
    conclusion : str
        What follows, with the numbers of the instance; empty if a hypothesis fails.
    constructed : mapping of str to object
        The objects that the theorem promises, by name; those found although a hypothesis fails are
        here as well.
    certificate : Certificate or None
        Proves the conclusion; verified by the checker. None if a hypothesis fails.
    """

    name: str
    source: str
    hypotheses: tuple[Hypothesis, ...]
    conclusion: str = ""
    constructed: Mapping[str, object] = field(default_factory=dict)
    certificate: Certificate | None = None

    @property
    def holds(self) -> bool:
        """Whether every hypothesis holds and the conclusion is certified."""
        return all(h.holds for h in self.hypotheses) and self.certificate is not None

    def __str__(self) -> str:
        lines = [f"{self.name} ({self.source})", *(f"  {h}" for h in self.hypotheses)]
        lines += [f"  {name}: {_shown(thing)}" for name, thing in self.constructed.items()]
        if self.conclusion:
            lines.append(f"  therefore: {self.conclusion}")
        return "\n".join(lines)

    def to_record(self) -> dict[str, object]:
        """Return the report as a JSON object; numbers are exact fraction strings."""
        return {
            "theorem": self.name,
            "source": self.source,
            "holds": self.holds,
            "hypotheses": [
                {
                    "statement": h.statement,
                    "holds": h.holds,
                    "margin": format_fraction(h.margin),
                    "values": {name: format_fraction(x) for name, x in h.values.items()},
                }
                for h in self.hypotheses
            ],
            "constructed": {name: _plain(thing) for name, thing in self.constructed.items()},
            "conclusion": self.conclusion,
        }


def _plain(thing: object) -> object:
    if isinstance(thing, Fraction):
        return format_fraction(thing)
    if isinstance(thing, tuple):
        return [_plain(item) for item in thing]
    return str(thing)


def _shown(thing: object) -> str:
    if isinstance(thing, Fraction):
        text = format_fraction(thing)
        return text if len(text) <= _SHOWN_DIGITS else f"about {float(thing):.6g}"
    if isinstance(thing, tuple):
        more = ", ..." if len(thing) > _SHOWN_ITEMS else ""
        return f"({', '.join(map(_shown, thing[:_SHOWN_ITEMS]))}{more})"
    return str(thing)
