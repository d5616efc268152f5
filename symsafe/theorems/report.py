"""What verifying an instance of a theorem yields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from symsafe.certificate import Certificate
from symsafe.exact import format_fraction

__all__ = ["Hypothesis", "TheoremReport"]


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One hypothesis of a theorem on an instance.

    Attributes
    ----------
    statement : str
        The hypothesis in words and symbols, such as ``"D(s,a) > 0 for every pair"``.
    holds : bool
    margin : Fraction or None
        By how much: positive slack where it holds, what is missing (not positive) where it fails;
        None where the hypothesis is not a comparison of numbers.
    values : mapping of str to Fraction
        The exact values that it compares.
    """

    statement: str
    holds: bool
    margin: Fraction | None = None
    values: Mapping[str, Fraction] = field(default_factory=dict)


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
        The objects that the theorem promises, by name.
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
        lines = [f"{self.name}: {self.source}"]
        for hypothesis in self.hypotheses:
            mark = "holds" if hypothesis.holds else "FAILS"
            values = ", ".join(f"{k} = {_shown(v)}" for k, v in hypothesis.values.items())
            margin = "" if hypothesis.margin is None else f"; margin {_shown(hypothesis.margin)}"
            detail = f" ({values}{margin})" if values or margin else ""
            lines.append(f"  {mark}: {hypothesis.statement}{detail}")
        lines += [f"  {key}: {value}" for key, value in self.constructed.items()]
        if self.conclusion:
            lines.append(f"  therefore: {self.conclusion}")
        return "\n".join(lines)


def _shown(number: Fraction) -> str:
    text = format_fraction(number)
    return text if len(text) <= 40 else f"about {float(number):.6g}"
