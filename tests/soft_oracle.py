"""The cheapest misleading reward model of a KL problem with a discount, by random search in floats.

Shares no code with the package: soft policy iteration on many reward models at once, each error
direction scaled until the optimum is bad, the best ones perturbed. What it finds is an upper bound
of the least mean absolute error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symsafe import SafetyProblem
from symsafe.engine.question import Question

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Control:
    """A problem in floats; every state has its pairs in `owner`."""

    owner: NDArray[np.int64]
    moves: Floats
    initial: Floats
    reward: Floats
    data: Floats
    reference: Floats
    discount: float
    scale: float
    bad: float

    @classmethod
    def of(cls, problem: SafetyProblem) -> Control:
        question, penalty = Question.of(problem), problem.regularizer
        assert penalty is not None
        assert penalty.reference is not None
        moves = np.zeros((len(question.rewards), len(question.initial)))
        for p, row in enumerate(question.successors):
            for t, x in row:
                moves[p, t] = float(x)
        gamma = float(question.discount)

        def floats(values: object) -> Floats:
            return np.array([float(x) for x in values])  # type: ignore[attr-defined]

        return cls(
            np.array(problem.mdp.pair_states),
            moves,
            floats(question.initial),
            floats(question.rewards),
            floats(question.weights),
            floats(penalty.reference.probabilities),
            gamma,
            float(penalty.weight) * (1 - gamma),
            float(question.bad_return),
        )

    def values(self, policies: Floats, rewards: Floats) -> Floats:
        """Value functions of policies, shape (n, states)."""
        owns = (self.owner[:, None] == np.arange(len(self.initial))).astype(float)
        flow = np.einsum("np,ps,pt->nst", policies, owns, self.moves)
        gained = (policies * rewards) @ owns
        system = np.eye(len(self.initial)) - self.discount * flow
        solved: Floats = np.linalg.solve(system, gained[:, :, None])[:, :, 0]
        return solved

    def returns(self, errors: Floats) -> Floats:
        """True returns of the soft-optimal policies of many error vectors."""
        learned = self.reward + errors
        policies = np.broadcast_to(self.reference, learned.shape)
        for _ in range(25):
            price = self.scale * np.log(np.maximum(policies, 1e-300) / self.reference)
            values = self.values(policies, learned - price)
            logits = (learned + self.discount * values @ self.moves.T) / self.scale
            fresh = np.empty_like(logits)
            for state in range(len(self.initial)):
                own = self.owner == state
                top = logits[:, own] - logits[:, own].max(axis=1, keepdims=True)
                raw = self.reference[own] * np.exp(top)
                fresh[:, own] = raw / raw.sum(axis=1, keepdims=True)
            settled = np.abs(fresh - policies).max() < 1e-13
            policies = fresh
            if settled:
                break
        found: Floats = self.values(policies, np.broadcast_to(self.reward, policies.shape))
        return found @ self.initial

    def cost(self, errors: Floats) -> Floats:
        return np.abs(errors) @ self.data

    def scaled(self, directions: Floats) -> Floats:
        """The least bad multiples of directions found by bisection, without those without one."""
        high = np.full(len(directions), 1e-2)
        for _ in range(14):
            high = np.where(self.returns(high[:, None] * directions) > self.bad, 2 * high, high)
        kept = self.returns(high[:, None] * directions) <= self.bad
        directions, high = directions[kept], high[kept]
        low = np.zeros(len(high))
        for _ in range(24):
            middle = (low + high) / 2
            bad = self.returns(middle[:, None] * directions) <= self.bad
            low, high = np.where(bad, low, middle), np.where(bad, middle, high)
        return high[:, None] * directions


def least_soft_cost(control: Control, seed: int) -> float:
    """The least cost that random search finds, in reward units."""
    random, pairs = np.random.default_rng(seed), len(control.reward)
    if control.returns(np.zeros((1, pairs)))[0] <= control.bad:
        return 0.0
    start = random.exponential(size=(200, pairs)) * random.choice([-1.0, 0.0, 1.0], (200, pairs))
    best = control.scaled(np.vstack([start, np.eye(pairs), -np.eye(pairs)]))
    spread = 0.4
    for _ in range(8):
        if not len(best):
            return float(np.inf)
        best = best[np.argsort(control.cost(best))[:8]]
        near = np.repeat(best, 8, axis=0)
        size = np.abs(near).max(axis=1, keepdims=True)
        near = near + spread * size * random.normal(size=near.shape)
        near *= random.random(near.shape) > 0.15  # errors of 0 are often best
        best = np.vstack([best, control.scaled(near)])
        spread *= 0.6
    return float(control.cost(best).min())
