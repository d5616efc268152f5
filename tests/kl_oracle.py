"""The cheapest misleading reward model of a KL-regularised bandit, by random search in floats.

Shares no code with the package. Reward errors in random directions are scaled to the least multiple
that makes the softmax policy bad, and the best ones are perturbed again and again. What it finds is
an upper bound of the least cost, close to it on small instances.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bandit:
    """One entry a pair; `owner` is its state, `initial` one entry a state."""

    owner: NDArray[np.int64]
    initial: Floats
    reward: Floats
    data: Floats
    reference: Floats
    scale: float
    bad: float

    def returns(self, errors: Floats) -> Floats:
        """True returns of the softmax policies of many error vectors, shape (n, pairs)."""
        total = np.zeros(len(errors))
        for state, share in enumerate(self.initial):
            own = self.owner == state
            logits = np.log(self.reference[own]) + (self.reward[own] + errors[:, own]) / self.scale
            logits -= logits.max(axis=1, keepdims=True)
            policy = np.exp(logits)
            policy /= policy.sum(axis=1, keepdims=True)
            total += share * (policy @ self.reward[own])
        return total

    def costs(self, errors: Floats, metric: str | None = None) -> Floats:
        """Errors in the metric, in reward units (squared for mse)."""
        if metric == "mse":
            return errors**2 @ self.data
        if metric != "preferences":
            return np.abs(errors) @ self.data
        total = np.zeros(len(errors))
        for state, share in enumerate(self.initial):
            own = np.flatnonzero(self.owner == state)
            for p in own:
                for q in own:
                    gap = self.reward[p] - self.reward[q]
                    learned = gap + errors[:, p] - errors[:, q]
                    true = 1 / (1 + np.exp(-gap))
                    divergence = true * (np.logaddexp(0, -learned) - np.logaddexp(0, -gap))
                    divergence += (1 - true) * (np.logaddexp(0, learned) - np.logaddexp(0, gap))
                    total += share * self.reference[p] * self.reference[q] * divergence
        return total

    def scaled(self, directions: Floats) -> Floats:
        """The least bad multiples of directions, without those that have none."""
        high = np.ones(len(directions))
        for _ in range(20):
            high = np.where(self.returns(high[:, None] * directions) > self.bad, 2 * high, high)
            if high.max() > 1e6:
                break
        kept = self.returns(high[:, None] * directions) <= self.bad
        directions, high = directions[kept], high[kept]
        low = np.zeros(len(high))
        for _ in range(35):
            middle = (low + high) / 2
            bad = self.returns(middle[:, None] * directions) <= self.bad
            low, high = np.where(bad, low, middle), np.where(bad, middle, high)
        return high[:, None] * directions


def least_cost(bandit: Bandit, seed: int, metric: str | None = None) -> float:
    """The least cost that random search finds."""
    random, pairs = np.random.default_rng(seed), len(bandit.reward)
    if bandit.returns(np.zeros((1, pairs)))[0] <= bandit.bad:
        return 0.0
    start = random.exponential(size=(3000, pairs)) * random.choice([-1.0, 0.0, 1.0], (3000, pairs))
    best = bandit.scaled(np.vstack([start, np.eye(pairs), -np.eye(pairs)]))
    spread = 0.5
    for _ in range(45):
        if not len(best):
            return np.inf
        best = best[np.argsort(bandit.costs(best, metric))[:12]]
        near = np.repeat(best, 20, axis=0)
        size = np.abs(near).max(axis=1, keepdims=True)
        moved = near + spread * size * random.normal(size=near.shape) * (
            random.random(near.shape) < 0.5
        )
        moved *= random.random(near.shape) > 0.1  # errors of 0 are often best
        best = np.vstack([best, bandit.scaled(moved)])
        spread *= 0.8
    return float(bandit.costs(best, metric).min())
