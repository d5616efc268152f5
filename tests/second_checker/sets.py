"""Claims about many data distributions."""

from __future__ import annotations

import math
from typing import Any

from flint import fmpq

from second_checker.plain import tree, witness
from second_checker.problem import Model
from second_checker.reading import (
    ONE,
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


class Region:
    """The distributions that a claim is about."""

    def __init__(self, model: Model, value: Any) -> None:
        self.model, self.members, self.rows = model, None, []
        if isinstance(value, dict) and "mixture" in value:
            (listed,) = fields(value, "mixture")
            that(len(array(listed)) >= 1, "a member")
            self.members = [shares(model.table(table)) for table in listed]
            return
        for row in array(fields(value, "rows")[0]):
            flow, relation, bound = fields(row, "flow relation bound")
            that(relation in ("at most", "exactly") if isinstance(relation, str) else False, "rows")
            dense = [ZERO] * model.pairs
            for p, x in model.sparse(flow).items():
                dense[p] = x
            self.rows.append((dense, relation == "exactly", rational(bound)))

    def member(self, value: Any) -> list[fmpq]:
        if self.members is not None:
            weights = shares(vector(value, len(self.members)))
            return [dot(weights, list(column)) for column in zip(*self.members, strict=True)]
        data = shares(self.model.table(value))
        for c, exactly, bound in self.rows:
            that(dot(c, data) == bound if exactly else dot(c, data) <= bound, "a row of the set")
        return data

    def floor(self, low: list[fmpq], high: list[fmpq]) -> None:
        """Tighten the bounds in place: two passes over the rows and the sum."""
        ones = ([ONE] * self.model.pairs, True, ONE)
        for c, exactly, bound in [*self.rows, ones] * 2:
            for sign in (1, -1) if exactly else (1,):
                row, g = [sign * x for x in c], sign * bound
                ends = [min(x * a, x * b) for x, a, b in zip(row, low, high, strict=True)]
                total = sum(ends, ZERO)
                for p, x in enumerate(row):
                    if x == 0:
                        continue
                    limit = (g - (total - ends[p])) / x
                    if x > 0:
                        high[p] = min(high[p], limit)
                    else:
                        low[p] = max(low[p], limit)


def claim_about_set(
    model: Model, bad: fmpq, kind: str, value: Any, numbers: dict[str, fmpq], given: dict[str, Any]
) -> None:
    region = Region(model, value)
    if kind == "some-unsafe":
        model.data = region.member(given["distribution"])
        return
    if kind == "all-safe":
        due = numbers["epsilon"] * model.spread
        if region.members is not None:
            for member, entry in zip(
                region.members, array(given["cells"], len(region.members)), strict=True
            ):
                model.data = member
                tree(model, fields(entry, "tree")[0], bad, due, True)
            return
        for low, high, key, content in boxes(model, given["cells"], ("tree", "empty"), ONE, False):
            region.floor(low, high)
            if key == "empty":
                that(array(content, 0) == [], "empty")
                that(any(a > b for a, b in zip(low, high, strict=True)), "empty: it is not")
            else:
                model.data = low
                tree(model, content, bad, due, True)
        return
    weights, witnesses, signs, total, rows = fields(
        given["cover"], "weights witnesses signs total rows"
    )
    errors = [witness(model, w, bad) for w in array(witnesses)]
    prices = vector(weights, len(errors))
    that(len(errors) >= 1 and all(x >= 0 for x in prices), "cover: weights")
    sigma = model.sparse(signs)
    that(all(abs(x) <= (1 if kind == "nearest" else 0) for x in sigma.values()), "cover: signs")
    c = [
        sum((x * e[p] for x, e in zip(prices, errors, strict=True)), ZERO) - sigma.get(p, ZERO) / 2
        for p in range(model.pairs)
    ]
    t, y = rational(total), vector(rows, len(region.rows))
    if region.members is None:
        for price, (_, exactly, _) in zip(y, region.rows, strict=True):
            that(exactly or price >= 0, "cover.1: a negative multiplier")
        for p in range(model.pairs):
            right = t + sum((a * row[0][p] for a, row in zip(y, region.rows, strict=True)), ZERO)
            that(c[p] <= right, "cover.1")
        most = t + sum((a * row[2] for a, row in zip(y, region.rows, strict=True)), ZERO)
    else:
        that(t == 0, "cover.1: a total")
        most = max(dot(c, member) for member in region.members)
    if kind == "nearest":
        pull = sum((x * model.data[p] for p, x in sigma.items()), ZERO) / 2
        due = numbers["epsilon"] * model.spread * sum(prices, ZERO)
        that(due - most - pull >= numbers["lower"], "cover.2")
    else:
        that(sum(prices, ZERO) == 1, "cover.2: weights")
        limit = numbers["upper"] if kind == "critical" else numbers["epsilon"]
        that(most <= limit * model.spread, "cover.2")
    if kind != "all-unsafe":
        data = region.member(given["distribution"])
        if kind == "nearest":
            far = sum((abs(a - b) for a, b in zip(data, model.data, strict=True)), ZERO) / 2
            that(far <= numbers["upper"], "distribution: too far")
        model.data = data


def boxes(model: Model, value: Any, kinds: tuple[str, ...], top: fmpq, integral: bool) -> Any:
    """Yield lower and upper bounds, kind and content of the leaves of a tree of cuts."""
    entries = array(value)
    that(len(entries) >= 1, "a root")
    named: set[int] = set()
    waiting = [(0, [ZERO] * model.pairs, [top] * model.pairs)]
    while waiting:
        i, low, high = waiting.pop()
        entry = entries[i]
        that(isinstance(entry, dict) and len(entry) == 1, "a node")
        ((key, content),) = entry.items()
        that(key in ("cut", *kinds), "a node")
        if key != "cut":
            yield low, high, key, content
            continue
        state, action, bound, below, above = array(content, 5)
        p, g = model.pair(state, action), whole(bound) if integral else rational(bound)
        for node in (below, above):
            j = place(node, len(entries))
            that(j > i and j not in named, "a later node, named once")
            named.add(j)
        left, right = list(high), list(low)
        left[p], right[p] = min(high[p], g), max(low[p], g + 1 if integral else g)
        waiting += [(below, list(low), left), (above, right, list(high))]
    that(named == set(range(1, len(entries))), "every node but the root is named")


def whole(value: Any) -> fmpq:
    x = rational(value)
    that(x >= 0 and x.q == 1, "a whole number")
    return x


def fewest(
    model: Model, bad: fmpq, counts: Any, numbers: dict[str, fmpq], given: dict[str, Any]
) -> None:
    n, m = model.table(counts, whole), model.table(given["samples"], whole)
    that(all(numbers[k] >= 0 and numbers[k].q == 1 for k in ("lower", "upper")), "whole bounds")
    size = sum(n, ZERO)
    that(size > 0, "some counts")
    that(all(d * size == x for d, x in zip(model.data, n, strict=True)), "relative frequencies")
    that(sum(m, ZERO) == numbers["upper"], "fewest.1")
    witnesses, nodes = fields(given["cuts"], "witnesses nodes")
    cuts = []
    for w in array(witnesses):
        row = [e - numbers["epsilon"] * model.spread for e in witness(model, w, bad)]
        scale = math.lcm(*(int(x.q) for x in row))
        entries = [int((x * scale).p) for x in row]
        shared = math.gcd(*entries) or 1
        cuts.append([fmpq(x // shared) for x in entries])
    aim = numbers["lower"] - 1
    for low, high, _, content in boxes(model, nodes, ("weights",), aim, True):
        prices, last = [], -1
        for entry in array(content):
            k, price = array(entry, 2)
            that(place(k, len(cuts)) > last, "fewest.3: order")
            last = k
            prices.append((k, rational(price)))
            that(prices[-1][1] >= 0, "fewest.3: a negative multiplier")
        if any(a > b for a, b in zip(low, high, strict=True)):
            continue
        c = [sum((x * cuts[k][p] for k, x in prices), ZERO) for p in range(model.pairs)]
        least = sum((x * (1 - dot(cuts[k], n)) for k, x in prices), ZERO)
        for p in range(model.pairs):
            least += min((1 - c[p]) * low[p], (1 - c[p]) * high[p])
        that(least > aim, "fewest.3")
    model.data = [(a + b) / (size + numbers["upper"]) for a, b in zip(n, m, strict=True)]
