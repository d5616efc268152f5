"""A problem as matrices."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Any

from flint import fmpq, fmpq_mat

from second_checker.reading import (
    ZERO,
    array,
    dot,
    fields,
    place,
    rational,
    shares,
    that,
    vector,
)


class Model:
    """The problem in matrices; E maps a function of states to one of pairs."""

    def __init__(self, value: Any) -> None:
        names = "states actions initial discount transitions reward data"
        extra = [k for k in ("regularizer", "metric") if isinstance(value, dict) and k in value]
        found = fields(value, " ".join((names, *extra)))
        states, actions, initial, discount, transitions, reward, data = found[:7]
        more = dict(zip(extra, found[7:], strict=True))
        self.penalty, self.metric = more.get("regularizer"), more.get("metric")
        that("regularizer" not in more or isinstance(self.penalty, dict), "a regularizer")
        self.soft = self.penalty is not None and self.penalty.get("kind") == "kl"
        metrics = ("mse", "returns", "preferences")
        if "metric" in more:
            that(isinstance(self.metric, str) and self.metric in metrics and self.soft, "a metric")
        self.count = self.names(states)
        self.sizes = [self.names(row) for row in array(actions, self.count)]
        self.first = [0, *accumulate(self.sizes)]
        self.pairs = self.first[-1]
        self.owner = [s for s, size in enumerate(self.sizes) for _ in range(size)]
        self.gamma = rational(discount)
        that(0 <= self.gamma < 1, "a discount in [0, 1)")
        self.initial = shares(vector(initial, self.count))
        self.reward, self.data = self.table(reward), shares(self.table(data))
        self.moves = fmpq_mat(self.pairs, self.count)
        rows = [
            row
            for lists, n in zip(array(transitions, self.count), self.sizes, strict=True)
            for row in array(lists, n)
        ]
        for p, row in enumerate(rows):
            last, total = -1, ZERO
            for entry in array(row):
                successor, probability = array(entry, 2)
                t = place(successor, self.count)
                that(t > last, "increasing successors")
                self.moves[p, t] = rational(probability)
                that(self.moves[p, t] > 0, "positive probabilities")
                last, total = t, total + self.moves[p, t]
            that(total == 1, "probabilities that sum to 1")
        self.spread = max(self.reward) - min(self.reward)

    @staticmethod
    def names(value: Any) -> int:
        listed = array(value)
        that(all(isinstance(name, str) for name in listed), "names")
        that(len(listed) >= 1 and len(set(listed)) == len(listed), "distinct names")
        return len(listed)

    def table(self, value: Any, read: Callable[[Any], fmpq] = rational) -> list[fmpq]:
        rows = zip(array(value, self.count), self.sizes, strict=True)
        return [read(x) for row, size in rows for x in array(row, size)]

    def pair(self, state: Any, action: Any) -> int:
        s = place(state, self.count)
        return self.first[s] + place(action, self.sizes[s])

    def sparse(self, value: Any) -> dict[int, fmpq]:
        found: dict[int, fmpq] = {}
        for entry in array(value):
            state, action, amount = array(entry, 3)
            p = self.pair(state, action)
            that(not found or p > max(found), "increasing pairs")
            found[p] = rational(amount)
        return found

    def onward(self, v: list[fmpq]) -> list[fmpq]:
        """gamma * (transitions v), by pair."""
        image = self.moves * fmpq_mat(self.count, 1, v)
        return [self.gamma * image[p, 0] for p in range(self.pairs)]

    def lifted(self, v: list[fmpq]) -> list[fmpq]:
        """E v."""
        return [v[s] - x for s, x in zip(self.owner, self.onward(v), strict=True)]

    def start(self, v: list[fmpq]) -> fmpq:
        return dot(self.initial, v)

    def balance(self, y: list[fmpq]) -> list[fmpq]:
        """E transposed, applied to y."""
        ahead = fmpq_mat(1, self.pairs, y) * self.moves
        out = [sum((y[p] for p in self.of(s)), ZERO) for s in range(self.count)]
        return [x - self.gamma * ahead[0, s] for s, x in enumerate(out)]

    def met(self) -> set[int]:
        """The states that some policy visits."""
        seen = {s for s in range(self.count) if self.initial[s] > 0}
        while self.gamma > 0:
            pairs = [p for s in seen for p in self.of(s)]
            ahead = {t for t in range(self.count) if any(self.moves[p, t] > 0 for p in pairs)}
            if ahead <= seen:
                break
            seen |= ahead
        return seen

    def dense(self, value: Any) -> list[fmpq]:
        """A sparse list of pairs, with the zeros."""
        found = self.sparse(value)
        return [found.get(p, ZERO) for p in range(self.pairs)]

    def of(self, s: int) -> range:
        return range(self.first[s], self.first[s + 1])
