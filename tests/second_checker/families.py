"""Families: problems whose numbers are functions of parameters, as FLINT's polynomials."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, product
from random import Random
from typing import Any

from flint import Ordering, fmpq, fmpq_mpoly, fmpq_mpoly_ctx

from second_checker.plain import Walk, children
from second_checker.problem import Model
from second_checker.reading import ONE, ZERO, No, array, fields, place, rational, that

Box = list[tuple[fmpq, fmpq]]


@dataclass
class Quotient:
    """A function of the parameters; the divisor is positive where it counts."""

    top: fmpq_mpoly
    bottom: fmpq_mpoly

    def __add__(self, other: Quotient) -> Quotient:
        if self.bottom == other.bottom:
            return Quotient(self.top + other.top, self.bottom)
        top = self.top * other.bottom + other.top * self.bottom
        return Quotient(top, self.bottom * other.bottom)

    def __neg__(self) -> Quotient:
        return Quotient(-self.top, self.bottom)

    def __sub__(self, other: Quotient) -> Quotient:
        return self + -other

    def __mul__(self, other: Quotient) -> Quotient:
        return Quotient(self.top * other.top, self.bottom * other.bottom)


class Demands(list[tuple[fmpq_mpoly, bool]]):
    """Polynomials that are to be at least 0, or (True) more than 0."""

    def least(self, f: Quotient) -> None:
        self.append((f.top, False))

    def more(self, f: Quotient) -> None:
        self.append((f.top, True))


class Family:
    """The problem, with what has to hold for it to be one."""

    def __init__(self, value: Any) -> None:
        names = "states actions initial discount transitions reward data parameters"
        states, actions, initial, discount, transitions, reward, data, space = fields(value, names)
        labels, box, constraints = fields(space, "names box constraints")
        self.parameters = Model.names(labels)
        self.ring = fmpq_mpoly_ctx.get([f"x{i}" for i in range(self.parameters)], Ordering.lex)
        self.one = self.ring.constant(1)
        self.count = Model.names(states)
        self.sizes = [Model.names(row) for row in array(actions, self.count)]
        self.first = [0, *accumulate(self.sizes)]
        self.owner = [s for s, size in enumerate(self.sizes) for _ in range(size)]
        self.box = []
        for entry in array(box, self.parameters):
            low, high = (rational(x) for x in array(entry, 2))
            that(low <= high, "an interval")
            self.box.append((low, high))
        self.bounds = [self.polynomial(x) for x in array(constraints)]
        self.demands = Demands()
        self.gamma = self.function(discount, self.demands)
        self.demands.least(self.gamma)
        self.demands.more(self.constant(ONE) - self.gamma)
        self.initial = [self.function(x, self.demands) for x in array(initial, self.count)]
        self.reward = [self.function(x, self.demands) for x in self.entries(reward)]
        self.data = [self.function(x, self.demands) for x in self.entries(data)]
        self.moves: list[dict[int, Quotient]] = []
        for row in self.entries(transitions):
            found: dict[int, Quotient] = {}
            for entry in array(row):
                successor, probability = array(entry, 2)
                t = place(successor, self.count)
                that(all(t > other for other in found), "increasing successors")
                found[t] = self.function(probability, self.demands)
            self.moves.append(found)
        for weights in (self.initial, self.data, *(list(row.values()) for row in self.moves)):
            for f in weights:
                self.demands.least(f)
            that(not (self.total(weights) - self.constant(ONE)).top, "weights that sum to 1")

    def entries(self, value: Any) -> list[Any]:
        rows = zip(array(value, self.count), self.sizes, strict=True)
        return [x for row, size in rows for x in array(row, size)]

    def polynomial(self, value: Any) -> fmpq_mpoly:
        total = self.ring.constant(0)
        for term in array(value):
            number, *powers = array(term, self.parameters + 1)
            exponents = tuple(place(e, 1000) for e in powers)
            total += self.ring.from_dict({exponents: rational(number)})
        return total

    def constant(self, x: fmpq) -> Quotient:
        return Quotient(self.ring.constant(x), self.one)

    def function(self, value: Any, demands: Demands) -> Quotient:
        if isinstance(value, str):
            return self.constant(rational(value))
        top, bottom = (self.polynomial(x) for x in array(value, 2))
        demands.append((bottom, True))
        return Quotient(top, bottom)

    def functions(self, value: Any, demands: Demands) -> list[Quotient]:
        return [self.function(x, demands) for x in array(value, self.count)]

    def total(self, terms: list[Quotient]) -> Quotient:
        return sum(terms, self.constant(ZERO))

    def mean(self, v: list[Quotient]) -> Quotient:
        return self.total([m * x for m, x in zip(self.initial, v, strict=True)])

    def gap(self, v: list[Quotient], p: int) -> Quotient:
        """R - Ev."""
        ahead = self.total([x * v[t] for t, x in self.moves[p].items()])
        return self.reward[p] + self.gamma * ahead - v[self.owner[p]]

    def pair(self, state: Any, action: Any) -> int:
        s = place(state, self.count)
        return self.first[s] + place(action, self.sizes[s])

    def policy(self, value: Any) -> list[int]:
        return [self.pair(s, a) for s, a in enumerate(array(value, self.count))]


def examine_family(problem: Any, regret: Any, values: dict[str, Any], evidence: Any) -> str:
    """Raise No if a condition fails at some point; return what is not proven here."""
    that(isinstance(problem, dict), "a problem")
    family = Family(problem)
    basic = family.demands
    level, epsilon = (family.function(x, basic) for x in (regret, values["epsilon"]))
    basic.more(level)
    basic.least(family.constant(ONE) - level)
    basic.more(epsilon)
    listed, cells = fields(evidence, "proofs cells")
    proofs = [proof(family, x, level, epsilon) for x in array(listed)]
    shares = {"safe": ZERO, "unsafe": ZERO, "undecided": ZERO}
    waiting, doubt = [(family.box, ONE)], ""
    for cell in array(cells):
        that(len(waiting) > 0, "cells: no more are due")
        box, share = waiting.pop()
        if isinstance(cell, list):
            parameter, value = array(cell, 2)
            i, cut = place(parameter, family.parameters), rational(value)
            low, high = box[i]
            that(low < cut < high, "cells: a cut inside")
            lower, upper = list(box), list(box)
            lower[i], upper[i] = (low, cut), (cut, high)
            part = share * (cut - low) / (high - low)
            waiting += [(upper, share - part), (lower, part)]
        elif cell == "undecided":
            shares["undecided"] += share
        elif isinstance(cell, dict) and "outside" in cell:
            k = place(fields(cell, "outside")[0], len(family.bounds))
            doubt = holds([(-family.bounds[k], True)], box, [], False) or doubt
        else:
            word = "interior" if isinstance(cell, dict) and "interior" in cell else "proof"
            j = place(fields(cell, word)[0], len(proofs))
            kind, demands = proofs[j]
            shares[kind] += share
            every = [*basic, *demands]
            doubt = holds(every, box, family.bounds, word == "interior") or doubt
    that(not waiting, "cells: the box is not covered")
    that(all(rational(values[k]) == x for k, x in shares.items()), "cells: shares")
    return doubt


def proof(family: Family, value: Any, level: Quotient, epsilon: Quotient) -> tuple[str, Demands]:
    """Return what a proof shows, under which conditions."""
    safe = isinstance(value, dict) and "tree" in value
    names = "policy best worst range " + ("tree" if safe else "witness")
    policy, best, worst, span, rest = fields(value, names)
    taken, demands = family.policy(policy), Demands()
    every = list(range(len(family.owner)))
    best, worst = (family.functions(x, demands) for x in (best, worst))
    for v, pairs in ((best, every if safe else taken), (worst, taken if safe else every)):
        for p in pairs:
            gap = family.gap(v, p)
            demands.least(-gap if safe else gap)
    top, bottom = family.mean(best), family.mean(worst)
    bad = (family.constant(ONE) - level) * top + level * bottom
    first, second = array(span, 2)
    if not safe:
        high, low = (family.reward[family.pair(*array(x, 2))] for x in (first, second))
        witness(family, rest, demands, epsilon * (high - low), bad, top)
        return "unsafe", demands
    high, low = family.function(first, demands), family.function(second, demands)
    for r in family.reward:
        demands.least(high - r)
        demands.least(r - low)
    budget = epsilon * (high - low)
    allowed = [list(range(family.first[s], family.first[s + 1])) for s in range(len(family.sizes))]
    walk = Walk(rest, "split value circulation", set(), allowed)
    for kind, content, _, rows in walk:
        if kind == "split":
            for node, _, _, inner in children(family, content, rows):
                walk.child(node, inner)
        elif kind == "value":
            u = family.functions(content, demands)
            for p in (p for row in rows for p in row):
                demands.least(family.gap(u, p))
            demands.more(family.mean(u) - bad)
        else:
            circulation(family, content, demands, rows, budget)
    return "safe", demands


def witness(
    family: Family, value: Any, demands: Demands, budget: Quotient, bad: Quotient, top: Quotient
) -> None:
    policy, worth, v, e = fields(value, "policy policy_value value errors")
    taken = family.policy(policy)
    u, v = (family.functions(x, demands) for x in (worth, v))
    errors = [family.function(x, demands) for x in family.entries(e)]
    for p, error in enumerate(errors):
        gap = family.gap(v, p)
        demands.least(error)
        demands.least(error - gap)
        if p in taken:
            demands.least(error + gap)
            demands.least(-family.gap(u, p))
    cost = family.total([d * x for d, x in zip(family.data, errors, strict=True)])
    demands.least(budget - cost)
    demands.least(bad - family.mean(u))
    demands.more(top - family.mean(u))


def circulation(
    family: Family, value: Any, demands: Demands, rows: list[list[int]], budget: Quotient
) -> None:
    flow: dict[int, Quotient] = {}
    for entry in array(value):
        state, action, amount = array(entry, 3)
        p = family.pair(state, action)
        that(p not in flow, "circulation: a pair twice")
        flow[p] = y = family.function(amount, demands)
        demands.least(family.data[p] - y)
        demands.least(y + family.data[p] if rows[family.owner[p]] == [p] else y)
    for s in range(family.count):
        out = family.total([y for p, y in flow.items() if family.owner[p] == s])
        into = [family.moves[p][s] * y for p, y in flow.items() if s in family.moves[p]]
        that(not (out - family.gamma * family.total(into)).top, "circulation.1")
    worth = family.total([y * family.reward[p] for p, y in flow.items()])
    demands.more(worth - budget)


# -- conditions on cells ---------------------------------------------------------------------------


def holds(
    demands: list[tuple[fmpq_mpoly, bool]], box: Box, bounds: list[fmpq_mpoly], interior: bool
) -> str:
    """Raise No if a demand fails at a point of the cell; return one that is not proven."""
    doubt = ""
    for p, strict in demands:
        if not proven(p, strict, box, bounds, interior):
            refute(p, strict, box, bounds, interior)
            doubt = f"{p} {'>' if strict else '>='} 0"
    return doubt


def refute(p: fmpq_mpoly, strict: bool, box: Box, bounds: list[fmpq_mpoly], interior: bool) -> None:
    random = Random(str(p))
    corners = product((fmpq(0), fmpq(1, 2), fmpq(1)), repeat=len(box))
    shares = [tuple(c) for _, c in zip(range(81), corners, strict=False)]
    shares += [tuple(fmpq(random.randint(1, 99), 100) for _ in box) for _ in range(40)]
    for point in shares:
        if interior and any(x in (0, 1) for x in point):
            continue
        at = [low + x * (high - low) for x, (low, high) in zip(point, box, strict=True)]
        if all(q(*at) >= 0 for q in bounds):
            value = p(*at)
            if value < 0 or (strict and value == 0):
                raise No(f"{p} fails at {at}")


def proven(p: fmpq_mpoly, strict: bool, box: Box, bounds: list[fmpq_mpoly], interior: bool) -> bool:
    """Whether tests 1 or 2 show that p > 0 (strict) or p >= 0 on the cell."""
    if not p:
        return not strict
    found = coefficients(p, box, p.degrees())
    least = min(found)
    if least > 0 or (least == 0 and (not strict or (interior and max(found) > 0))):
        return True
    for q in bounds:
        degrees = [max(x, y) for x, y in zip(p.degrees(), q.degrees(), strict=True)]
        if multiplier(coefficients(p, box, degrees), coefficients(q, box, degrees), strict):
            return True
    return False


def multiplier(found: list[fmpq], other: list[fmpq], strict: bool) -> bool:
    """Whether some x >= 0 makes all c - x d >= 0 (strict: > 0)."""
    ends = [c / d for c, d in zip(found, other, strict=True) if d]
    tries = [ZERO, *(x for x in ends if x >= 0)]
    tries += [(x + y) / 2 for x, y in zip(sorted(tries), sorted(tries)[1:], strict=False)]
    tries.append(max(tries) + 1)
    return any(
        all((c - x * d > 0) if strict else (c - x * d >= 0)
            for c, d in zip(found, other, strict=True))
        for x in tries
    )  # fmt: skip


def coefficients(p: fmpq_mpoly, box: Box, degrees: Any) -> list[fmpq]:
    """Those of prod (1 + t)^n p((l + u t)/(1 + t)), all of them."""
    ring = p.context()
    t = ring.gens()
    total = ring.constant(0)
    for powers, x in p.to_dict().items():
        term = ring.constant(x)
        for e, n, (low, high), var in zip(powers, degrees, box, t, strict=True):
            term *= (low + high * var) ** int(e) * (1 + var) ** (int(n) - int(e))
        total += term
    found = total.to_dict()
    places = product(*(range(max(int(n), 0) + 1) for n in degrees))
    return [found.get(at, ZERO) for at in places]
