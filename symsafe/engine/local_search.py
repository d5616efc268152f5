"""Promising bad policies by local search, in floating point: proposals for exact evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from symsafe.engine.relaxation import Guide

__all__ = ["local_optima"]

_STARTS = 10
_RETURN_TOLERANCE = 1e-9
_GAIN = 1e-10


def local_optima(
    guide: Guide, worst: NDArray[np.int64], stop: Callable[[], bool]
) -> Iterator[tuple[float, NDArray[np.int64]]]:
    """Yield (cost, pairs taken) of bad policies that no change in a single state makes cheaper.

    Starts from a worst policy and from random bad policies near it; the random numbers are seeded,
    so the same question gives the same policies.

    Parameters
    ----------
    guide : Guide
    worst : array of int, shape (S,)
        Pairs that a worst policy takes; it is bad whatever the regret asked for.
    stop : callable
        Asked between evaluations; once true, what was found is yielded and the search ends.
    """
    random = np.random.default_rng(0)
    known: dict[bytes, float] = {}

    def cost(choice: NDArray[np.int64]) -> float:
        key = choice.tobytes()
        if key not in known:
            bad = guide.policy_return(choice) <= guide.bad_return + _RETURN_TOLERANCE
            known[key] = guide.policy_cost(choice) if bad else np.inf
        return known[key]

    for start in range(_STARTS):
        choice = worst.copy()
        if start:
            for state in random.permutation(guide.states)[: max(1, guide.states // 3)]:
                changed = choice.copy()
                changed[state] = random.choice(guide.pair_ranges[state])
                if cost(changed) < np.inf:
                    choice = changed
        current, improved = cost(choice), True
        while improved and not stop():
            improved = False
            for state in random.permutation(guide.states):
                for pair in guide.pair_ranges[state]:
                    if stop():  # a state may have many
                        break
                    changed = choice.copy()
                    changed[state] = pair
                    if cost(changed) < current - _GAIN:
                        current, choice, improved = cost(changed), changed, True
                if stop():
                    break
        if current < np.inf:
            yield current, choice
        if stop():
            return
