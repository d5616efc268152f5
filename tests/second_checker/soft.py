"""KL-regularised problems; exp and log are FLINT's balls, with twice the digits asked for."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, pairwise, product
from typing import Any

from flint import arb, ctx, fmpq

from second_checker.plain import Walk, hitting, returns
from second_checker.problem import Model
from second_checker.reading import (
    ZERO,
    No,
    array,
    dot,
    fields,
    place,
    rational,
    shares,
    that,
    vector,
)

Curve = list[tuple[fmpq, fmpq]]


@dataclass
class Piece:
    """A piece of a curve: where it begins, the weights of the pairs, the good ones."""

    start: fmpq
    weights: dict[int, arb]
    good: list[int]


@dataclass
class Raised:
    """A raise of a pair, in one box."""

    pair: int
    lowered: set[int]
    price: fmpq
    box: tuple[fmpq, fmpq]


class Soft:
    """A claim about a KL-regularised problem."""

    def __init__(
        self, model: Model, level: fmpq, numbers: dict[str, fmpq], parts: list[str], evidence: Any
    ) -> None:
        self.model, self.metric, self.level, self.numbers = model, model.metric, level, numbers
        self.doubt = ""
        names = [*parts, "bits"]
        if "tree" in parts:
            names += ["curves", *(["level"] if self.metric in ("mse", "preferences") else [])]
        self.given = dict(zip(names, fields(evidence, " ".join(names)), strict=True))
        bits = place(self.given["bits"], 4097)
        that(bits >= 16, "bits from 16")
        self.digits, self.slack = bits, arb(2) ** (-(3 * bits) // 4)
        _, weight, reference = fields(model.penalty, "kind weight reference")
        self.scale, self.q = rational(weight) * (1 - model.gamma), model.table(reference)
        that(self.scale > 0, "a weight above 0")
        that(all(x > 0 for x in self.q), "a positive reference")
        for s in range(model.count):
            shares([self.q[p] for p in model.of(s)])
        self.mass = [sum((model.data[p] for p in model.of(s)), ZERO) for s in range(model.count)]
        if self.metric in ("returns", "preferences"):
            visits = [self.mass[s] * x for s, x in zip(model.owner, self.q, strict=True)]
            that(visits == model.data, "metric: data of the reference")
            goal = [(1 - model.gamma) * x for x in model.initial]
            that(model.balance(visits) == goal, "metric: occupancy of the reference")
        that(self.metric != "preferences" or model.gamma == 0, "metric: discount")
        self.bad = returns(model, self.given["returns"], level)

    def examine(self, kind: str) -> str:
        before, ctx.prec = ctx.prec, 2 * self.digits + 64
        try:
            if "witness" in self.given:
                self.witness(self.numbers["epsilon" if kind == "unsafe" else "upper"])
            if "tree" in self.given:
                self.strict = kind == "safe"
                self.curves = self.read_curves(self.given["curves"])
                self.due = self.cost_due(self.numbers["epsilon" if self.strict else "lower"])
                self.tree(self.given["tree"])
        finally:
            ctx.prec = before
        return self.doubt

    def least(self, x: fmpq | arb, y: fmpq | arb, why: str, strict: bool = False) -> None:
        """Demand x >= y; what is closer than the digits asked for may be refused elsewhere."""
        if isinstance(x, fmpq) and isinstance(y, fmpq):
            that(x > y if strict else x >= y, why)
            return
        x, y = arb(x), arb(y)
        if x < y:
            raise No(why)
        if not x - y > self.slack * (1 + abs(x) + abs(y)):
            self.doubt = why

    def exp(self, x: fmpq | arb) -> arb:
        if not abs(arb(x)) < 99_000:  # near where a checker may refuse
            self.doubt = "a large exponent"
        return arb(x).exp()

    # -- metrics --

    def witness(self, most: fmpq) -> None:
        model, gamma = self.model, self.model.gamma
        reward, value, worth = fields(self.given["witness"], "reward value policy_value")
        learned, v, u = model.table(reward), vector(value, model.count), vector(worth, model.count)
        e = [x - r for x, r in zip(learned, model.reward, strict=True)]
        if self.metric == "mse":
            that(dot(model.data, [x * x for x in e]) <= most * model.spread**2, "witness.1")
        elif self.metric == "preferences":
            self.least(most * model.spread, self.disagreement(e), "witness.1")
        else:
            that(dot(model.data, [abs(x) for x in e]) <= most * model.spread, "witness.1")
        ahead = [x + y for x, y in zip(learned, model.onward(v), strict=True)]
        delta = arb(0)
        if gamma > 0:
            for s in range(model.count):
                top = max(ahead[p] for p in model.of(s))
                sum_of = [self.q[p] * self.exp((ahead[p] - top) / self.scale) for p in model.of(s)]
                found = top + self.scale * sum(sum_of, arb(0)).log()
                delta = delta.max(abs(found - v[s]) / (1 - gamma))
        blur = arb(gamma / self.scale) * delta
        gains = [r + x for r, x in zip(model.reward, model.onward(u), strict=True)]
        for s in range(model.count):
            low, top = min(gains[p] for p in model.of(s)), max(ahead[p] for p in model.of(s))
            if all(gains[p] == low for p in model.of(s)):
                that(u[s] >= low, "witness.3")
                continue
            above, below = arb(0), arb(0)
            for p in model.of(s):
                exponent = arb((ahead[p] - top) / self.scale)
                above += self.q[p] * self.exp(exponent + blur) * (gains[p] - low)
                below += self.q[p] * self.exp(exponent - blur)
            self.least(u[s], low + above / below, "witness.3")
        that(model.start(u) <= self.bad, "witness.4")

    def disagreement(self, e: list[fmpq]) -> arb:
        """The expected divergence of preferences, from probabilities."""
        total = arb(0)
        for s, weight in enumerate(self.model.initial):
            for a in self.model.of(s) if weight else ():
                for b in self.model.of(s):
                    right = self.model.reward[a] - self.model.reward[b]
                    total += weight * self.q[a] * self.q[b] * self.relative(right, e[a] - e[b])
        return total

    def relative(self, x: fmpq, u: fmpq) -> arb:
        """KL of Bernoulli(sigma(x)) and Bernoulli(sigma(x + u)), by the logarithms of both."""
        if not u:
            return arb(0)
        p, other = 1 / (1 + self.exp(-x)), 1 / (1 + self.exp(-x - u))
        rest, rest_other = 1 / (1 + self.exp(x)), 1 / (1 + self.exp(x + u))
        return p * (p / other).log() + rest * (rest / rest_other).log()

    def cost_due(self, aim: fmpq) -> fmpq:
        model = self.model
        if self.metric not in ("mse", "preferences"):
            return aim * model.spread
        level = rational(self.given["level"])
        that(level >= 0, "level")
        if self.metric == "mse":
            that(level**2 >= aim, "level")
        else:
            rows = [[model.reward[p] for p in model.of(s)] for s in range(model.count)]
            most = max(max(row) - min(row) for row in rows)
            found = self.relative(most, level * model.spread)
            self.least(found, arb(model.spread * aim), "level")
        return level * model.spread

    # -- curves --

    def read_curves(self, value: Any) -> list[Curve]:
        model, found = self.model, list[Curve]()
        for s, entry in enumerate(array(value, model.count)):
            listed, pieces = fields(entry, "points pieces")
            points = [tuple(rational(x) for x in array(point, 2)) for point in array(listed)]
            if not model.initial[s] or model.gamma > 0:
                that(not points and not array(pieces), "curves: none are due")
            else:
                rewards = [model.reward[p] for p in model.of(s)]
                that(len(points) > 0, "curves.1: a point")
                that(all(x[0] < y[0] for x, y in pairwise(points)), "curves.1: order")
                that(points[0][0] <= min(rewards), "curves.1: the first")
                that(points[-1][1] <= 0, "curves.1: the last")
                array(pieces, len(points) - 1)
                for ends, piece in zip(pairwise(points), pieces, strict=True):
                    self.piece(s, list(ends), piece)
            found.append(points)
        return found

    def piece(self, s: int, ends: Curve, value: Any) -> None:
        model = self.model
        price, raises = fields(value, "price raises")
        pairs, (start, stop) = list(model.of(s)), (t for t, _ in ends)
        that(not any(start < model.reward[p] < stop for p in pairs), "curves.2: a reward inside")
        most = max(v for _, v in ends)
        names = "action lowered ends prices tilted"
        listed = [fields(x, names) for x in array(raises)]
        owners = [model.pair(s, x[0]) for x in listed]
        nu, bad = rational(price), [p for p in pairs if model.reward[p] <= start]
        if most <= 0 or not bad:
            that(not listed, "curves.2: no raises are due")
            return
        top = max(model.reward[p] for p in pairs)
        w = {p: self.q[p] * self.exp((model.reward[p] - top) / self.scale) for p in pairs}
        good = [p for p in pairs if p not in bad]
        piece = Piece(start, w, good)
        that(set(owners) == set(bad), "curves.2: a raise of each bad action")
        that(nu >= 0, "curves.6: a price from 0")
        for t, v in ends:
            cost = sum((self.phi(g, nu * w[g] * (model.reward[g] - t)) for g in good), arb(0))
            cost -= sum((nu * w[a] * (t - model.reward[a]) for a in bad), arb(0))
            self.least(self.scale * cost, v, "curves.6")
        for b in bad:
            mine = [x for owner, x in zip(owners, listed, strict=True) if owner == b]
            lowered = [{model.pair(s, a) for a in array(x[1])} for x in mine]
            for size in range(len(good) + 1):
                for chosen in combinations(good, size):
                    if all(set(chosen) - low for low in lowered):
                        mass = sum((model.data[g] for g in chosen), ZERO)
                        that(mass >= model.data[b], "curves.3")
            for (_, _, stops, prices, tilted), low in zip(mine, lowered, strict=True):
                marks = [ZERO, *(rational(x) for x in array(stops))]
                boxes = len(marks) - 1
                slopes = vector(prices, boxes)
                slanted = {place(j, boxes) for j in array(tilted)}
                that(boxes >= 1 or most <= 0, "curves.4: a box")
                that(all(x < y for x, y in pairwise(marks)), "curves.4: order")
                that(all(x > 0 for x in slopes), "curves.4: prices")
                that(self.scale * model.data[b] * marks[-1] >= most, "curves.4: the last end")
                for j, (box, slope) in enumerate(zip(pairwise(marks), slopes, strict=True)):
                    raised = Raised(b, low, slope, box)
                    bracket = self.tilted if j in slanted else self.straight
                    for (t, v), x in product(ends, box):
                        cost = model.data[b] * x + bracket(piece, raised, t, x)
                        self.least(self.scale * cost, v, "curves.5")

    def phi(self, g: int, u: arb) -> arb:
        """The least of -D log y + u y over 0 < y <= 1."""
        data = self.model.data[g]
        if not data:
            return arb(0)
        if u <= data:
            return u
        other = data * (1 + (u / data).log())
        return other if u > data else other.union(u)

    def straight(self, piece: Piece, raised: Raised, t: fmpq, x: fmpq) -> arb:
        """The first bracket of curves.5."""
        cost = arb(0)
        for p, weight in piece.weights.items():
            u = raised.price * weight * (self.model.reward[p] - t)
            if p in piece.good:
                cost += self.phi(p, u) if p in raised.lowered else u
            else:
                cost += u * self.exp(x) if p == raised.pair else u
        return cost

    def tilted(self, piece: Piece, raised: Raised, t: fmpq, x: fmpq) -> arb:
        """The second one."""
        cost, left, middle = arb(0), raised.box[0], (raised.box[0] + raised.box[1]) / 2
        for p, weight in piece.weights.items():
            reward, data = self.model.reward[p], self.model.data[p]
            slope = raised.price * weight
            if p not in piece.good:
                cost += slope * (reward - t) * (1 if p == raised.pair else self.exp(-x))
                continue
            u = slope * self.exp(-middle) * (reward - t)
            most = slope * self.exp(-left) * (reward - piece.start)
            tilt = u.min(arb(data)) if x <= middle else arb(data)
            low, full = self.phi(p, u) + tilt * (middle - x), u * (1 + middle - x)
            if p not in raised.lowered or most <= data:
                cost += full
            else:
                cost += low if most > data else low.union(full)
        return cost

    # -- trees --

    def passes(self, cost: fmpq | arb, why: str) -> None:
        self.least(cost, self.due, why, self.strict)

    def tree(self, value: Any) -> None:
        model = self.model
        allowed = [list(model.of(s)) for s in range(model.count)]
        ranges = [(0, max(0, len(points) - 1)) for points in self.curves]
        walk = Walk(value, "cut full multiplier gap", {"hitting"}, (ranges, {}))
        for kind, content, entry, (scope, above) in walk:
            bounds = dict(above)
            if "hitting" in entry:
                hitting(model, entry["hitting"], allowed, bounds, {}, self.bad)
            if kind == "cut":
                state, point, below, higher = fields(content, "state point below above")
                s = place(state, model.count)
                low, high = scope[s]
                i = place(point, len(self.curves[s]))
                that(low < i < high, "cut: inside the range")
                walk.child(below, ([*scope[:s], (low, i), *scope[s + 1 :]], bounds))
                walk.child(higher, ([*scope[:s], (i, high), *scope[s + 1 :]], bounds))
            elif kind == "full":
                that(array(content) == [] and self.level == 1, "full")
            elif kind == "multiplier":
                k = rational(content)
                that(k >= 0 and (k == 0 or model.gamma == 0), "multiplier")
                cost = -k * self.bad
                for weight, points, (low, high) in zip(
                    model.initial, self.curves, scope, strict=True
                ):
                    if points:
                        cost += min(v + k * weight * t for t, v in points[low : high + 1])
                self.passes(cost, "multiplier")
            else:
                self.gap(content, bounds)

    def gap(self, value: Any, above: dict[int, fmpq]) -> None:
        model = self.model
        flow, kappa, price, u = fields(value, "flow kappa price value")
        y, k, theta, v = model.dense(flow), rational(kappa), rational(price), vector(u, model.count)
        that(k > 0 and theta >= 0, "gap: signs")
        that(self.metric != "returns" or model.gamma == 0, "gap: metric")
        that(model.balance(y) == [k * x for x in model.initial], "gap.1")
        horizon = 1 / (1 - model.gamma)
        for p in range(model.pairs):
            that(0 <= y[p] <= model.data[p], "gap.2")
            that(y[p] >= k * above.get(p, horizon) - model.data[p], "gap.2")
        ahead = model.lifted(v)
        cost = arb(dot(y, model.reward) - k * (model.start(v) + theta * self.bad))
        for s in range(model.count):
            total, mass = arb(0), sum((y[p] for p in model.of(s)), ZERO)
            for p in model.of(s):
                left = ((1 - theta) * model.reward[p] - ahead[p]) / self.scale
                total += self.q[p] * self.exp(left)
                if y[p]:
                    cost -= self.scale * y[p] * arb(y[p] / (mass * self.q[p])).log()
            self.least(1, total, "gap.3")
        self.passes(cost, "gap.4")
