"""The safety radius of a contextual bandit given by arrays, by a table over all losses.

Shares no code with the package: THEORY of the multiple-choice knapsack, in integers, without
multipliers, cores or floats.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from symsafe import BanditArrays

_FAR = 2**61


def price(reward: list[int], data: list[int], action: int) -> int:
    """The least sum D |R^ - R| for which an action is optimal in its context."""
    return min(
        sum(d * max(r - v, 0) for r, d in zip(reward, data, strict=True))
        + data[action] * max(v - reward[action], 0)
        for v in reward
    )


def bandit_radius(bandit: BanditArrays) -> Fraction:
    """The exact radius; time and memory grow with the sum of all losses."""
    starts = np.append(0, np.cumsum(bandit.actions)).tolist()
    options, span = [], 0
    for weight, a, b in zip(bandit.initial.tolist(), starts, starts[1:], strict=False):
        if weight:
            reward, data = bandit.reward[a:b].tolist(), bandit.data[a:b].tolist()
            losses = [weight * (max(reward) - r) for r in reward]
            options.append([(x, price(reward, data, i)) for i, x in enumerate(losses)])
            span += max(losses)
    due = -(-bandit.regret.numerator * span // bandit.regret.denominator)
    least = np.full(due + 1, _FAR, np.int64)  # of each loss, `due` standing for all above
    least[0] = 0
    for choices in options:
        after = np.full(due + 1, _FAR, np.int64)
        for loss, cost in choices:
            loss = min(loss, due)
            moved = least[: due + 1 - loss] + cost
            after[loss:] = np.minimum(after[loss:], moved)
            after[due] = min(after[due], least[due - loss :].min() + cost)
        least = after
    scale = int(bandit.data.sum()) * int(bandit.reward.max() - bandit.reward.min())
    return Fraction(int(least[due]), scale)
