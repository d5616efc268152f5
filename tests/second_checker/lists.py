"""Contextual bandits as lists of integers."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Any

from flint import fmpq

from second_checker.reading import ZERO, fields, rational, that


class Lists:
    """A contextual bandit written as lists of integers."""

    def __init__(self, value: Any) -> None:
        lists = [self.integers(x) for x in fields(value, "actions initial reward data")]
        self.sizes, self.initial, reward, data = lists
        that(len(self.initial) == len(self.sizes), "a weight for each context")
        that(min(self.sizes) >= 1, "actions")
        that(len(reward) == len(data) == sum(self.sizes), "a number for each pair")
        that(min(self.initial) >= 0 and min(data) >= 0, "weights from 0")
        ends = [0, *accumulate(self.sizes)]
        self.rewards = [reward[a:b] for a, b in pairwise(ends)]
        self.data = [data[a:b] for a, b in pairwise(ends)]
        self.unit = sum(data) * (max(reward) - min(reward))

    @staticmethod
    def integers(value: Any) -> list[int]:
        that(isinstance(value, str), "integers in a string")
        parts = value.split(" ")
        that(all(re.fullmatch(r"-?[0-9]{1,30}", part, re.ASCII) for part in parts), "integers")
        return [int(part) for part in parts]

    def price(self, s: int, a: int) -> int:
        """The least cost of an action, over all values of the context."""
        r, d = self.rewards[s], self.data[s]
        return min(
            sum(w * max(0, x - v) for w, x in zip(d, r, strict=True)) + d[a] * max(0, v - r[a])
            for v in r
        )

    def examine(self, kind: str, level: fmpq, numbers: dict[str, fmpq], evidence: Any) -> None:
        core = isinstance(evidence, dict) and "core" in evidence
        parts = fields(evidence, "choice multiplier core" if core else "choice multiplier")
        choice, kappa = self.integers(parts[0]), rational(parts[1])
        that(kappa >= 0, "a multiplier from 0")
        that(len(choice) == len(self.sizes), "an action for each context")
        that(all(0 <= a < n for a, n in zip(choice, self.sizes, strict=True)), "actions")
        met = [s for s, weight in enumerate(self.initial) if weight]
        gaps = {
            s: [self.initial[s] * (max(self.rewards[s]) - x) for x in self.rewards[s]] for s in met
        }
        costs = {s: [self.price(s, a) for a in range(self.sizes[s])] for s in met}
        span = sum(max(gaps[s]) for s in met)
        that(span > 0 and self.unit > 0, "a range")
        doubtful = self.integers(parts[2]) if core else []
        that(len(set(doubtful)) == len(doubtful), "each context once")
        that(all(0 <= s < len(self.sizes) for s in doubtful), "contexts")
        if kind != "safe":
            that(sum(gaps[s][choice[s]] for s in met) >= level * span, "bandit.1: not bad")
            limit = numbers["epsilon" if kind == "unsafe" else "upper"]
            that(sum(costs[s][choice[s]] for s in met) <= limit * self.unit, "bandit.1: cost")
        if kind == "unsafe":
            return
        low = numbers["epsilon" if kind == "safe" else "lower"] * self.unit
        aim = int(low.floor()) + 1 if kind == "safe" else int(low.ceil())
        if not core:
            least = sum(
                (min(k - kappa * g for k, g in zip(costs[s], gaps[s], strict=True)) for s in met),
                ZERO,
            )
            that(int((least + kappa * level * span).ceil()) >= aim, "bandit.2")
            return
        due = int((level * span).ceil())
        base = {}
        for s in met:
            falling = sorted(range(self.sizes[s]), key=lambda a: -self.rewards[s][a])
            base[s] = min(falling, key=lambda a: costs[s][a] - kappa * gaps[s][a])
        ups, downs = {}, {}
        for s in met:
            steps = [
                (gaps[s][a] - gaps[s][base[s]], costs[s][a] - costs[s][base[s]])
                for a in range(self.sizes[s])
            ]
            ups[s] = min((Fraction(k, g) for g, k in steps if g > 0), default=None)
            downs[s] = max((Fraction(k, g) for g, k in steps if g < 0), default=Fraction(0))
        outside = [s for s in met if s not in set(doubtful)]
        states = {(sum(gaps[s][base[s]] for s in met), sum(costs[s][base[s]] for s in met))}
        for i in range(len(doubtful) + 1):
            if i:
                s = doubtful[i - 1]
                if s in base:
                    b = base[s]
                    states = {
                        (x + gaps[s][a] - gaps[s][b], y + costs[s][a] - costs[s][b])
                        for x, y in states
                        for a in range(self.sizes[s])
                    }
            that(len(states) <= 10**6, "too many states")
            after = [s for s in (*doubtful[i:], *outside) if s in base]
            up = min((ups[s] for s in after if ups[s] is not None), default=None)
            down = max((downs[s] for s in after), default=Fraction(0))
            down = max(down, Fraction(0))
            states = {
                (x, y)
                for x, y in undominated(states)
                if not self.dropped(due - x, y - aim + 1, up, down)
            }
        that(not states, "bandit.3")

    @staticmethod
    def dropped(missing: int, over: int, up: Fraction | None, down: Fraction) -> bool:
        if missing > 0:
            return up is None or over + up * missing > 0
        return over + down * missing > 0


def undominated(states: set[tuple[int, int]]) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
    for x, y in sorted(states, key=lambda state: (state[1], -state[0])):
        if not kept or x > kept[-1][0]:
            kept.append((x, y))
    return kept
