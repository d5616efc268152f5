"""Enumeration of deterministic policies."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from symsafe.model import MDP

__all__ = ["count_deterministic_policies", "deterministic_policies"]


def deterministic_policies(mdp: MDP) -> Iterator[tuple[int, ...]]:
    """Yield every deterministic policy as its action indices, lazily, in lexicographic order.

    Examples
    --------
    >>> list(deterministic_policies(MDP.bandit({"s": {"good": 1, "bad": 0}})))
    [(0,), (1,)]
    """
    return itertools.product(*(range(len(names)) for names in mdp.actions))


def count_deterministic_policies(mdp: MDP) -> int:
    """Return how many there are."""
    return math.prod(len(names) for names in mdp.actions)
