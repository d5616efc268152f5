"""The search for the cheapest bad policy: exact from the start, or compiled where that pays."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from importlib.util import find_spec

from symsafe.engine import tree
from symsafe.engine.limits import Limits
from symsafe.engine.question import Question
from symsafe.engine.tree import Outcome, Progress, Start

__all__ = ["search"]

_MANY = 2**10
"""Beyond so many deterministic policies the compiled search pays: loading numba takes half a second
and, the first time on a machine, compiling some thirty."""


def search(
    question: Question,
    limits: Limits,
    *,
    enough: Fraction | None = None,
    report: Callable[[Progress], None] | None = None,
    start: Start | None = None,
) -> Outcome:
    """Search for the cheapest bad policy and the proof that none is cheaper.

    Parameters
    ----------
    question : Question
    limits : Limits
    enough : Fraction, optional
        Decide only whether some bad policy costs at most this, in reward units.
    report : callable, optional
        Receives a `Progress` now and then.
    start : tuple, optional
        The pairs that policies may take, per state, and a bad policy that is known. By default all
        pairs, and the policy of least return.

    Returns
    -------
    Outcome
        As of `symsafe.engine.tree.search`, which this is unless the question is large and numba is
        installed. Both are exact, and the same question always takes the same way.
    """
    question.require_unregularised()
    if _policies(question) <= _MANY or find_spec("numba") is None:
        return tree.search(question, limits, enough=enough, report=report, start=start)
    from symsafe.engine.fast import fast_search  # loads numba

    return fast_search(question, limits, enough=enough, report=report, start=start)


def _policies(question: Question) -> int:
    """Return the number of policies that differ, up to repeated actions."""
    mdp, count = question.mdp, 1
    for pairs in mdp.pair_ranges:
        count *= len({(mdp.successors[p], mdp.rewards[p]) for p in pairs})
    return count
