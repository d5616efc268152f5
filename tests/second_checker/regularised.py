"""Regularised problems: linear, l2, chi2 and tv."""

from __future__ import annotations

from typing import Any

from flint import fmpq

from second_checker.plain import Walk, hitting, returns
from second_checker.problem import Model
from second_checker.reading import ONE, ZERO, dot, fields, rational, shares, that, vector


class Cases:
    """A claim about a regularised problem; omega sums c x + q (x - rho)^2 + m |x - rho|."""

    def __init__(
        self, model: Model, level: fmpq, numbers: dict[str, fmpq], parts: list[str], evidence: Any
    ) -> None:
        kind = model.penalty.get("kind")
        that(isinstance(kind, str) and kind in ("linear", "l2", "chi2", "tv"), "a regularizer")
        table = "coefficients" if kind == "linear" else "reference"
        _, weight, given = fields(model.penalty, f"kind weight {table}")
        names = parts if kind == "linear" else [*parts, "reference"]
        self.given = dict(zip(names, fields(evidence, " ".join(names)), strict=True))
        self.model, self.numbers = model, numbers
        self.weight, listed = rational(weight), model.table(given)
        that(self.weight >= 0, "a weight from 0")
        n, slack = model.pairs, 1 - model.gamma
        self.price = self.weight * slack
        self.c, self.q, self.m, self.rho = [ZERO] * n, [ZERO] * n, ZERO, [ZERO] * n
        if kind == "linear":
            self.c = listed
        else:
            for s in range(model.count):
                shares([listed[p] for p in model.of(s)])
            visits = vector(self.given["reference"], model.count)
            flow = [visits[model.owner[p]] * listed[p] for p in range(n)]
            that(model.balance(flow) == model.initial, "reference")
            self.rho = [slack * x for x in flow]
        if kind == "tv":
            self.m = ONE / 2
        if kind == "l2":
            self.q = [ONE] * n
        if kind == "chi2":
            visited = model.met()
            that(all(self.rho[p] > 0 for s in visited for p in model.of(s)), "chi2: reference")
            self.q = [1 / x if x else ZERO for x in self.rho]
        self.bad = returns(model, self.given["returns"], level)

    def omega(self, x: list[fmpq]) -> fmpq:
        gaps = [a - b for a, b in zip(x, self.rho, strict=True)]
        curved = sum((q * d * d for q, d in zip(self.q, gaps, strict=True)), ZERO)
        return dot(self.c, x) + curved + self.m * sum((abs(d) for d in gaps), ZERO)

    def slope(self, h: list[fmpq], x: list[fmpq]) -> None:
        for p, (a, b) in enumerate(zip(x, self.rho, strict=True)):
            kink = h[p] - self.c[p] - 2 * self.q[p] * (a - b)
            if a == b:
                that(abs(kink) <= self.m, "slope")
            else:
                that(kink == (self.m if a > b else -self.m), "slope")

    def examine(self, kind: str) -> str:
        spread = self.model.spread
        if "witness" in self.given:
            most = self.numbers["epsilon" if kind == "unsafe" else "upper"]
            self.witness(self.given["witness"], most * spread)
        if "tree" in self.given:
            self.strict = kind == "safe"
            self.due = self.numbers["epsilon" if self.strict else "lower"] * spread
            self.tree(self.given["tree"])
        return ""

    def witness(self, value: Any, most: fmpq) -> None:
        model = self.model
        reward, occupancy, slope, v = fields(value, "reward occupancy slope value")
        learned, eta, h = (model.table(x) for x in (reward, occupancy, slope))
        right = model.lifted(vector(v, model.count))
        errors = [abs(x - r) for x, r in zip(learned, model.reward, strict=True)]
        that(dot(model.data, errors) <= most, "witness.1")
        that(all(x >= 0 for x in eta) and model.balance(eta) == model.initial, "witness.2")
        self.slope(h, [(1 - model.gamma) * x for x in eta])
        for p in range(model.pairs):
            left = learned[p] - self.price * h[p]
            that(left == right[p] if eta[p] > 0 else left <= right[p], "witness.3")
        that(dot(eta, model.reward) <= self.bad, "witness.4")

    def passes(self, cost: fmpq, why: str) -> None:
        that(cost > self.due if self.strict else cost >= self.due, why)

    def tree(self, value: Any) -> None:
        model = self.model
        # By pair: whether it is used (None: not known), its side, its bound.
        root: tuple[dict[int, bool], dict[int, int], dict[int, fmpq]] = ({}, {}, {})
        walk = Walk(value, "case side dual gap", {"hitting"}, root)
        for kind, content, entry, (used, sides, above) in walk:
            allowed = [[p for p in model.of(s) if used.get(p, True)] for s in range(model.count)]
            bounds = dict(above)
            if "hitting" in entry:
                hitting(model, entry["hitting"], allowed, bounds, {}, self.bad)
            if kind == "case":
                state, action, unused, taken = fields(content, "state action unused used")
                p = model.pair(state, action)
                that(p not in used, "a pair without a case")
                walk.child(unused, ({**used, p: False}, sides, bounds))
                walk.child(taken, ({**used, p: True}, sides, bounds))
            elif kind == "side":
                state, action, *nodes = fields(content, "state action below at above")
                p = model.pair(state, action)
                that(self.m > 0 and p not in sides, "a pair without a side")
                for node, side in zip(nodes, (-1, 0, 1), strict=True):
                    walk.child(node, (used, {**sides, p: side}, bounds))
            elif kind == "dual":
                self.dual(content, used, sides)
            else:
                self.gap(content, used, bounds)

    def dual(self, value: Any, used: dict[int, bool], sides: dict[int, int]) -> None:
        model, slack = self.model, 1 - self.model.gamma
        flow, kappa, u, bounds = fields(value, "flow kappa value bounds")
        w, k, beta = model.dense(flow), rational(kappa), model.dense(bounds)
        values = vector(u, model.count)
        right = model.lifted(values)
        that(k >= 0, "dual: kappa")
        that(not any(model.balance(w)), "dual.1")
        cost = model.start(values) - k * self.bad
        for p in range(model.pairs):
            low = -model.data[p] if used.get(p) else ZERO
            that(low <= w[p] <= model.data[p], "dual.2")
            side = sides.get(p)
            that(not beta[p] or (side is not None and side * beta[p] >= 0), "dual.3: a bound")
            bend = 2 * self.price * self.q[p] * slack * w[p]
            if used.get(p, True):
                that(k * model.reward[p] - bend - beta[p] >= right[p], "dual.3")
            plain = self.c[p] - 2 * self.q[p] * self.rho[p]
            kink = side * w[p] if side else abs(w[p])
            cost += w[p] * (model.reward[p] - self.price * plain) - self.price * self.m * kink
            cost += beta[p] * self.rho[p] / slack
        self.passes(cost, "dual.4")

    def gap(self, value: Any, used: dict[int, bool], above: dict[int, fmpq]) -> None:
        model, slack = self.model, 1 - self.model.gamma
        flow, kappa, point, slope, price, u = fields(value, "flow kappa at slope price value")
        y, z, h = (model.dense(x) for x in (flow, point, slope))
        k, theta, values = rational(kappa), rational(price), vector(u, model.count)
        right = model.lifted(values)
        that(k > 0 and theta >= 0, "gap: signs")
        that(model.balance(y) == [k * x for x in model.initial], "gap.1")
        self.slope(h, z)
        for p in range(model.pairs):
            that(0 <= y[p] <= model.data[p], "gap.2")
            if used.get(p, True):
                that(y[p] >= k * above.get(p, 1 / slack) - model.data[p], "gap.2")
                that((1 - theta) * model.reward[p] - self.price * h[p] <= right[p], "gap.3")
        cost = dot(y, model.reward)
        cost -= self.weight * k * self.omega([slack * x / k for x in y])
        most = self.weight * (dot(h, z) - self.omega(z)) + theta * self.bad + model.start(values)
        self.passes(cost - k * most, "gap.4")
