"""Contextual bandits as lists of integers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import accumulate, pairwise
from math import floor
from typing import Any

from flint import fmpq

from second_checker.reading import fields, that


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
        keys = {"unsafe": "choice", "safe": "bits tree", "radius": "choice bits tree"}[kind]
        parts = dict(zip(keys.split(), fields(evidence, keys), strict=True))
        # What each action loses and costs, by falling reward.
        self.points = []
        places = []
        for s, rewards in enumerate(self.rewards):
            falling = sorted(range(len(rewards)), key=lambda a, r=rewards: -r[a])
            places.append(falling)
            weight, top = self.initial[s], max(rewards)
            self.points.append(
                [(weight * (top - rewards[a]), self.price(s, a) if weight else 0) for a in falling]
            )
        span = sum(max(x for x, _ in points) for points in self.points)
        that(span > 0 and self.unit > 0, "a range")
        if "choice" in parts:
            choice = self.integers(parts["choice"])
            that(len(choice) == len(self.sizes), "an action for each context")
            that(all(0 <= a < n for a, n in zip(choice, self.sizes, strict=True)), "actions")
            taken = [
                points[falling.index(a)]
                for a, points, falling in zip(choice, self.points, places, strict=True)
            ]
            that(sum(x for x, _ in taken) >= level * span, "bandit.1: not bad")
            limit = numbers["epsilon" if kind == "unsafe" else "upper"]
            that(sum(y for _, y in taken) <= limit * self.unit, "bandit.1: cost")
        if kind == "unsafe":
            return
        low = numbers["epsilon" if kind == "safe" else "lower"] * self.unit
        self.aim = int(low.floor()) + 1 if kind == "safe" else int(low.ceil())
        self.due = int((level * span).ceil())
        bits = parts["bits"]
        that(type(bits) is int and 0 <= bits <= 4096, "bits")
        self.scale = 2**bits
        that(isinstance(parts["tree"], list), "a list of nodes")
        nodes = iter(parts["tree"])
        self.node(nodes, [range(n) for n in self.sizes])
        that(next(nodes, None) is None, "bandit.2: nodes that belong to no other")

    def node(self, nodes: Iterator[Any], allowed: list[range]) -> None:
        """Go through a node and all below it; `allowed` are the places in each context."""
        found = next(nodes, None)
        if not isinstance(found, list):
            that(found is not None, "bandit.2: a node is missing")
            self.leaf(self.integers(found), allowed)
            return
        that(len(found) == 2 and all(type(x) is int and x >= 0 for x in found), "a split")
        s, place = found
        that(s < len(allowed), "a context")
        that(allowed[s].start < place < allowed[s].stop, "bandit.2: an empty child")
        for part in (range(allowed[s].start, place), range(place, allowed[s].stop)):
            self.node(nodes, [*allowed[:s], part, *allowed[s + 1 :]])

    def leaf(self, entry: list[int], allowed: list[range]) -> None:
        kappa, core = entry[0], entry[1:]
        that(kappa >= 0, "a multiplier from 0")
        that(len(set(core)) == len(core), "each context once")
        that(all(0 <= s < len(allowed) for s in core), "contexts")
        moves, ups, downs = [], [], []
        lost = paid = 0
        for points, places in zip(self.points, allowed, strict=True):
            here = [points[i] for i in places]
            g, k = min(here, key=lambda p: (self.scale * p[1] - kappa * p[0], p[0]))
            lost, paid = lost + g, paid + k
            moves.append({(x - g, y - k) for x, y in here})
            rates = [(x, floor(Fraction(self.scale * y, x))) for x, y in moves[-1] if x]
            ups.append(min((rate for x, rate in rates if x > 0), default=None))
            downs.append(max((rate + 1 for x, rate in rates if x < 0), default=0))
        states = {(lost, paid)}
        for i in range(len(core) + 1):
            if i:
                states = {(x + a, y + b) for x, y in states for a, b in moves[core[i - 1]]}
            that(len(states) <= 10**6, "too many states")
            after = [s for s in range(len(allowed)) if s not in core[:i]]
            up = min((ups[s] for s in after if ups[s] is not None), default=None)
            down = max([0, *(downs[s] for s in after)])
            states = {
                (x, y)
                for x, y in undominated(states)
                if not self.dropped(self.due - x, y - self.aim + 1, up, down)
            }
        that(not states, "bandit.3")

    def dropped(self, missing: int, over: int, up: int | None, down: int) -> bool:
        slope = up if missing > 0 else down
        return slope is None or self.scale * over + slope * missing > 0


def undominated(states: set[tuple[int, int]]) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
    for x, y in sorted(states, key=lambda state: (state[1], -state[0])):
        if not kept or x > kept[-1][0]:
            kept.append((x, y))
    return kept
