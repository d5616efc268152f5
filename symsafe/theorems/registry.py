"""The verifiers by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from symsafe.errors import InputError
from symsafe.model import SafetyProblem
from symsafe.theorems import (
    corollary_3_4,
    error_metrics,
    proposition_3_2,
    proposition_3_3,
    theorem_3_1,
    theorem_3_5,
    theorem_4_1,
    theorem_4_2,
    theorem_6_1,
)
from symsafe.theorems.report import TheoremReport

__all__ = ["THEOREMS", "Theorem", "find"]

Verifier = Callable[[SafetyProblem], TheoremReport]


@dataclass(frozen=True, slots=True)
class Theorem:
    """A result of the paper with its verifiers.

    Attributes
    ----------
    summary : str
        What it says, in a line.
    verify : callable
        Takes a problem, returns a `TheoremReport`.
    sharp : callable or None
        The same for a stronger form of ours, where there is one.
    """

    summary: str
    verify: Verifier
    sharp: Verifier | None = None


THEOREMS: Mapping[str, Theorem] = {
    "theorem-3.1": Theorem("full coverage makes some epsilon safe", theorem_3_1.verify),
    "proposition-3.2": Theorem(
        "epsilon below a multiple of min D is safe",
        proposition_3_2.verify,
        partial(proposition_3_2.verify, sharp=True),
    ),
    "proposition-3.3": Theorem(
        "a bad policy with little data on its support is unsafe", proposition_3_3.verify
    ),
    "corollary-3.4": Theorem(
        "many disjoint bad policies make every D unsafe",
        corollary_3_4.verify,
        partial(corollary_3_4.verify, sharp=True),
    ),
    "theorem-3.5": Theorem("the safe distributions are a polytope", theorem_3_5.verify),
    "theorem-4.1": Theorem(
        "regularised: where optima for the true reward are good, some epsilon is safe",
        theorem_4_1.verify,
    ),
    "theorem-4.2": Theorem(
        "regularised: a bad policy with little data on its support is unsafe", theorem_4_2.verify
    ),
    "theorem-6.1": Theorem(
        "RLHF with a KL penalty: a rare bad action per prompt is unsafe",
        theorem_6_1.verify,
        partial(theorem_6_1.verify, sharp=True),
    ),
    "error-metrics": Theorem(
        "squares, preferences and returns are small where the mean error is",
        error_metrics.verify,
    ),
}
"""By the name that `symsafe theorem` takes."""


def find(name: str) -> Theorem:
    """Return the theorem of a name.

    Raises
    ------
    InputError
        With the nearest name, if there is none.
    """
    if name not in THEOREMS:
        near = difflib.get_close_matches(name, THEOREMS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InputError("theorem", name, f"one of {', '.join(THEOREMS)}{hint}")
    return THEOREMS[name]
