"""Rules `returns`, `witness` and `tree`: problems without a regularizer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flint import fmpq

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


def returns(model: Model, value: Any, level: fmpq) -> fmpq:
    best, worst = (vector(v, model.count) for v in fields(value, "optimal worst"))
    for v, choose in ((best, max), (worst, min)):
        ahead = [r + x for r, x in zip(model.reward, model.onward(v), strict=True)]
        for s in range(model.count):
            that(v[s] == choose(ahead[p] for p in model.of(s)), "returns.1")
    top, span = model.start(best), model.start(best) - model.start(worst)
    that(model.spread > 0 and span > 0, "returns.2")
    return top - level * span


def witness(model: Model, value: Any, bad: fmpq) -> list[fmpq]:
    """Check rules 2 and 3; return the errors."""
    reward, policy, v, u = fields(value, "reward policy value policy_value")
    learned, chosen = model.table(reward), model.table(policy)
    v, u = vector(v, model.count), vector(u, model.count)
    for s in range(model.count):
        shares([chosen[p] for p in model.of(s)])
    visited = {s for s in range(model.count) if model.initial[s] > 0}
    while model.gamma > 0:
        ahead = {
            t
            for s in visited
            for p in model.of(s)
            if chosen[p] > 0
            for t in range(model.count)
            if model.moves[p, t] > 0
        }
        if ahead <= visited:
            break
        visited |= ahead
    for p, (x, y) in enumerate(zip(learned, model.lifted(v), strict=True)):
        that(x <= y, "witness.2: a pair is better than the policy")
        used = chosen[p] > 0 and model.owner[p] in visited
        that(not used or x == y, "witness.2: the policy is not optimal")
    gains = [r + x for r, x in zip(model.reward, model.onward(u), strict=True)]
    for s in range(model.count):
        mean = sum((chosen[p] * gains[p] for p in model.of(s)), ZERO)
        that(u[s] == mean, "witness.3: not the value of the policy")
    that(model.start(u) <= bad, "witness.3: the policy is not bad")
    return [abs(x - r) for x, r in zip(learned, model.reward, strict=True)]


class Walk:
    """The nodes of a tree with what is known at each, children after their parents."""

    def __init__(self, value: Any, kinds: str, extra: set[str], root: Any) -> None:
        self.entries, self.kinds, self.used = array(value), kinds.split(), set[int]()
        that(len(self.entries) >= 1, "a root")
        for entry in self.entries:
            that(isinstance(entry, dict), "a node")
            that(len(set(entry) & set(self.kinds)) == 1, "a node")
            that(set(entry) <= {*self.kinds, *extra}, "a node")
        self.waiting = [(0, root)]

    def __iter__(self) -> Iterator[tuple[str, Any, dict, Any]]:
        while self.waiting:
            self.current, scope = self.waiting.pop()
            entry = self.entries[self.current]
            (kind,) = set(entry) & set(self.kinds)
            yield kind, entry[kind], entry, scope
        that(self.used == set(range(1, len(self.entries))), "every node but the root is a child")

    def child(self, node: Any, scope: Any) -> int:
        j = place(node, len(self.entries))
        that(j > self.current and j not in self.used, "a later node without a parent")
        self.used.add(j)
        self.waiting.append((j, scope))
        return j


def children(
    model: Any, value: Any, allowed: list[list[int]]
) -> list[tuple[int, int, list[int], list[list[int]]]]:
    """Check a split; return each child with the state, its actions and what it allows."""
    state, listed = fields(value, "state children")
    s = place(state, model.count)
    left, taken, found = set(allowed[s]), set[int](), []
    for child in array(listed):
        node, actions = array(child, 2)
        pairs = [model.pair(s, a) for a in array(actions)]
        that(len(pairs) >= 1 and len(set(pairs)) == len(pairs), "actions of a child")
        that(set(pairs) <= left and not taken & set(pairs), "a partition")
        taken |= set(pairs)
        found.append((node, s, pairs, [pairs if t == s else row for t, row in enumerate(allowed)]))
    that(taken == left, "every allowed action in some child")
    return found


def tree(model: Model, value: Any, bad: fmpq, due: fmpq, strict: bool) -> None:
    """Check that every bad policy costs more than `due`, or at least that."""
    everything = [list(model.of(s)) for s in range(model.count)]
    # What is known at a node: allowed pairs, bounds of pairs, and where it comes from.
    kinds = "split value circulation duplicate"
    walk = Walk(value, kinds, {"hitting"}, (everything, {}, {}, None))
    for kind, content, entry, (allowed, above, below, origin) in walk:
        above, below = dict(above), dict(below)
        if "hitting" in entry:
            hitting(model, entry["hitting"], allowed, above, below, bad)
        if kind == "split":
            found = children(model, content, allowed)
            keep = set[int]()
            for node, s, pairs, inner in found:
                j = walk.child(node, (inner, above, below, (s, pairs, keep)))
                if "duplicate" not in walk.entries[j]:
                    keep.update(pairs)
        elif kind == "value":
            u = vector(content, model.count)
            ahead = [r + x for r, x in zip(model.reward, model.onward(u), strict=True)]
            that(all(u[s] <= ahead[p] for s, row in enumerate(allowed) for p in row), "value")
            that(model.start(u) > bad, "value: some policy may be bad")
        elif kind == "duplicate":
            state, action = fields(content, "state action")
            twin = model.pair(state, action)
            that(origin is not None and origin[0] == state and len(origin[1]) == 1, "duplicate")
            own = origin[1][0]
            that(twin in origin[2], "duplicate: no sibling has the action")
            same = all(model.moves[own, t] == model.moves[twin, t] for t in range(model.count))
            that(same and model.reward[own] == model.reward[twin], "duplicate: another action")
            that(model.data[twin] <= model.data[own], "duplicate: more data")
        else:
            cost = circulation(model, content, allowed, above, below, bad)
            that(cost > due if strict else cost >= due, "circulation.4")


def hitting(
    model: Model, value: Any, allowed: list[list[int]], above: dict, below: dict, bad: fmpq
) -> None:
    for entry in array(value):
        that(len(array(entry)) in (3, 4), "a list of length 3 or 4")
        state, side, heights, *extra = entry
        s, h = place(state, model.count), vector(heights, model.count)
        price = rational(extra[0]) if extra else ZERO
        that(side in ("upper", "lower") if isinstance(side, str) else False, "a side")
        that(price >= 0 and (side == "upper" or not extra), "hitting: price")
        ahead = model.onward(h)
        for t, row in enumerate(allowed):
            for p in row:
                paid = h[t] - ahead[p] + price * model.reward[p]
                if t == s:
                    that(paid > 0, "hitting: divisor")
                    bound = (model.start(h) + price * bad) / paid
                    if side == "upper":
                        above[p] = min(above.get(p, 1 / (1 - model.gamma)), bound)
                    else:
                        below[p] = max(below.get(p, ZERO), bound)
                else:
                    that(paid >= 0 if side == "upper" else paid <= 0, "hitting")


def circulation(
    model: Model, value: Any, allowed: list[list[int]], above: dict, below: dict, bad: fmpq
) -> fmpq:
    scaled = isinstance(value, dict) and "scale" in value
    kappa, flow, *scale = fields(value, "kappa flow scale" if scaled else "kappa flow")
    k, unit = rational(kappa), rational(scale[0]) if scaled else ONE
    that(k >= 0 and unit > 0, "circulation: signs")
    y = [ZERO] * model.pairs
    for p, amount in model.sparse(flow).items():
        y[p] = amount / unit
    for s, x in enumerate(model.balance(y)):
        that(x == k * model.initial[s], "circulation.1")
    forced = {row[0] for row in allowed if len(row) == 1}
    for p in range(model.pairs):
        most = model.data[p] + (k * below.get(p, ZERO) if p in forced else ZERO)
        that(y[p] <= most, "circulation.2")
        that(y[p] >= 0 or p in forced, "circulation.3")
    for row in allowed:
        for p in row:
            least = k * above.get(p, 1 / (1 - model.gamma)) - model.data[p]
            that(y[p] >= least, "circulation.3")
    return dot(y, model.reward) - k * bad
