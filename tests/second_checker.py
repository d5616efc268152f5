"""A second checker of certificates, written from CERTIFICATE.md, on FLINT's matrices of rationals.

It shares no code and no data structure with `symsafe/checker.py`: problems are matrices, a policy
tree is checked by recursion over sets of actions, bounds are recomputed by linear algebra. It knows
all kinds of claims about problems without `regularizer` and without parameters; `supports` says so.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Any

from flint import fmpq, fmpq_mat

KINDS = {
    "unsafe": "epsilon | returns witness",
    "safe": "epsilon | returns tree",
    "radius": "lower upper | returns witness tree",
    "critical": "lower upper set | returns cover distribution tree",
    "all-unsafe": "epsilon set | returns cover",
    "nearest": "epsilon lower upper set | returns cover distribution tree",
    "all-safe": "epsilon set | returns cells",
    "some-unsafe": "epsilon set | returns distribution witness",
    "fewest": "epsilon lower upper counts | returns cuts samples tree",
}
ZERO, ONE = fmpq(0), fmpq(1)


class No(Exception):  # noqa: N818 (a verdict)
    """The certificate is refused."""


def supports(document: Any) -> bool:
    """Whether the claim is of a kind that is known here."""
    problem = document.get("problem") if isinstance(document, dict) else None
    claim = document.get("claim") if isinstance(document, dict) else None
    kind = claim.get("kind") if isinstance(claim, dict) else None
    known = isinstance(kind, str) and kind in KINDS
    return known and isinstance(problem, dict) and not {"regularizer", "parameters"} & set(problem)


def reason(document: Any) -> str | None:
    """Return why a certificate is refused, or None if it is accepted."""
    try:
        examine(document)
    except No as refusal:
        return str(refusal)
    return None


# -- reading ---------------------------------------------------------------------------------------


def that(condition: bool, why: str) -> None:
    if not condition:
        raise No(why)


def fields(value: Any, names: str) -> list[Any]:
    """The values of an object with exactly these keys."""
    listed = names.split()
    that(isinstance(value, dict) and set(value) == set(listed), f"an object with {names}")
    return [value[name] for name in listed]


def array(value: Any, length: int | None = None) -> list[Any]:
    that(isinstance(value, list), "a list")
    that(length is None or len(value) == length, f"a list of length {length}")
    return value


def place(value: Any, below: int) -> int:
    that(isinstance(value, int) and not isinstance(value, bool), "an index")
    that(0 <= value < below, f"an index below {below}")
    return value


def rational(value: Any) -> fmpq:
    that(isinstance(value, str), "a number in a string")
    parts = value.split("/")
    that(1 <= len(parts) <= 2, "one fraction stroke at most")
    for i, part in enumerate(parts):
        digits = part[1:] if part.startswith("-") and i == 0 else part
        that(digits.isascii() and digits.isdigit() and len(digits) <= 20_000, "digits")
        that(digits[0] != "0" or (digits == "0" and i == 0), "no leading zero")
    that(value != "-0", "no negative zero")
    top, bottom = fmpq(long(parts[0])), fmpq(long(parts[1])) if len(parts) == 2 else None
    if bottom is None:
        return top
    that(bottom != 1, "no denominator of 1")
    quotient = top / bottom
    that(quotient.q == bottom.p and quotient.p == top.p, "lowest terms")
    return quotient


def long(digits: str) -> int:
    """Digits beyond those that int() takes."""
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("-")
    chunks = [digits[max(0, i - 4000) : i] for i in range(len(digits), 0, -4000)]
    return sign * sum(int(chunk) * 10 ** (4000 * k) for k, chunk in enumerate(chunks))


def vector(value: Any, length: int) -> list[fmpq]:
    return [rational(x) for x in array(value, length)]


def shares(weights: list[fmpq]) -> list[fmpq]:
    that(all(w >= 0 for w in weights), "weights from 0")
    that(sum(weights, ZERO) == 1, "weights that sum to 1")
    return weights


# -- the problem -----------------------------------------------------------------------------------


class Model:
    """The problem in matrices; E maps a function of states to one of pairs."""

    def __init__(self, value: Any) -> None:
        names = "states actions initial discount transitions reward data"
        states, actions, initial, discount, transitions, reward, data = fields(value, names)
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

    def of(self, s: int) -> range:
        return range(self.first[s], self.first[s + 1])


def dot(x: list[fmpq], y: list[fmpq]) -> fmpq:
    return sum((a * b for a, b in zip(x, y, strict=True)), ZERO)


# -- the document ----------------------------------------------------------------------------------


def examine(document: Any) -> None:
    """Raise No unless the evidence proves the claim."""
    names = "format version problem digest claim evidence"
    form, version, problem, digest, claim, evidence = fields(document, names)
    that(form == "symsafe-certificate", "the format")
    that(isinstance(version, int) and not isinstance(version, bool) and version == 1, "version 1")
    that(isinstance(claim, dict) and isinstance(claim.get("kind"), str), "a claim")
    that(claim["kind"] in KINDS, "a known kind")
    if isinstance(problem, dict) and isinstance(problem.get("actions"), str):
        model: Any = Lists(problem)
    else:
        model = Model(problem)
    written = json.dumps(problem, sort_keys=True, separators=(",", ":"))
    that(hashlib.sha256(written.encode()).hexdigest() == digest, "the digest of the problem")
    bounds, parts = (half.split() for half in KINDS[claim["kind"]].split(" | "))
    values = dict(zip(bounds, fields(claim, " ".join(("kind regret", *bounds)))[2:], strict=True))
    level = rational(claim["regret"])
    that(0 <= level <= 1, "a regret in [0, 1]")
    numbers = {k: rational(v) for k, v in values.items() if k not in ("set", "counts")}
    that(numbers.get("epsilon", ONE) > 0, "epsilon above 0")
    if isinstance(model, Lists):
        that(claim["kind"] in ("unsafe", "safe", "radius"), "a claim about one distribution")
        model.examine(claim["kind"], level, numbers, evidence)
        return
    given = dict(zip(parts, fields(evidence, " ".join(parts)), strict=True))
    bad = returns(model, given["returns"], level)
    kind = claim["kind"]
    due = {k: v * model.spread for k, v in numbers.items()}
    if kind == "fewest":
        fewest(model, bad, values["counts"], numbers, given)
    elif "set" in values:
        claim_about_set(model, bad, kind, values["set"], numbers, given)
    if "witness" in given:
        errors = witness(model, given["witness"], bad)
        that(dot(model.data, errors) <= due.get("epsilon", due.get("upper")), "witness.1")
    if "tree" in given:
        strict = kind in ("safe", "fewest")
        least = due["epsilon"] if "epsilon" in due else due["lower"]
        tree(model, given["tree"], bad, least, strict)


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


# -- policy trees ----------------------------------------------------------------------------------


def tree(model: Model, value: Any, bad: fmpq, due: fmpq, strict: bool) -> None:
    """Check that every bad policy costs more than `due`, or at least that."""
    entries = array(value)
    that(len(entries) >= 1, "a root")
    kinds = ("split", "value", "circulation", "duplicate")
    for entry in entries:
        that(isinstance(entry, dict), "a node")
        that(len(set(entry) & set(kinds)) == 1 and set(entry) <= {*kinds, "hitting"}, "a node")
    used: set[int] = set()
    everything = [list(model.of(s)) for s in range(model.count)]
    # What is left to do: node, allowed pairs, bounds of pairs, and where it comes from.
    waiting: list[tuple[int, list[list[int]], dict, dict, tuple | None]] = [
        (0, everything, {}, {}, None)
    ]
    while waiting:
        i, allowed, above, below, origin = waiting.pop()
        entry = entries[i]
        above, below = dict(above), dict(below)
        if "hitting" in entry:
            hitting(model, entry["hitting"], allowed, above, below)
        if "split" in entry:
            state, listed = fields(entry["split"], "state children")
            s = place(state, model.count)
            left, taken, children = set(allowed[s]), set[int](), []
            for child in array(listed):
                node, actions = array(child, 2)
                j = place(node, len(entries))
                that(j > i and j not in used, "a later node without a parent")
                used.add(j)
                pairs = [model.pair(s, a) for a in array(actions)]
                that(len(pairs) >= 1 and len(set(pairs)) == len(pairs), "actions of a child")
                that(set(pairs) <= left and not taken & set(pairs), "a partition")
                taken |= set(pairs)
                children.append((j, pairs))
            that(taken == left, "every allowed action in some child")
            keep = {p for j, pairs in children if "duplicate" not in entries[j] for p in pairs}
            for j, pairs in children:
                inner = [pairs if t == s else row for t, row in enumerate(allowed)]
                waiting.append((j, inner, above, below, (s, pairs, keep)))
        elif "value" in entry:
            u = vector(entry["value"], model.count)
            ahead = [r + x for r, x in zip(model.reward, model.onward(u), strict=True)]
            that(all(u[s] <= ahead[p] for s, row in enumerate(allowed) for p in row), "value")
            that(model.start(u) > bad, "value: some policy may be bad")
        elif "duplicate" in entry:
            state, action = fields(entry["duplicate"], "state action")
            twin = model.pair(state, action)
            that(origin is not None and origin[0] == state and len(origin[1]) == 1, "duplicate")
            own = origin[1][0]
            that(twin in origin[2], "duplicate: no sibling has the action")
            same = all(model.moves[own, t] == model.moves[twin, t] for t in range(model.count))
            that(same and model.reward[own] == model.reward[twin], "duplicate: another action")
            that(model.data[twin] <= model.data[own], "duplicate: more data")
        else:
            cost = circulation(model, entry["circulation"], allowed, above, below, bad)
            that(cost > due if strict else cost >= due, "circulation.4")
    that(used == set(range(1, len(entries))), "every node but the root is a child")


def hitting(model: Model, value: Any, allowed: list[list[int]], above: dict, below: dict) -> None:
    seen = set()
    for entry in array(value):
        state, side, heights = array(entry, 3)
        s, h = place(state, model.count), vector(heights, model.count)
        that(side in ("upper", "lower") if isinstance(side, str) else False, "a side")
        that((s, side) not in seen, "each bound once")
        seen.add((s, side))
        that(h[s] == 1, "hitting: 1 at its state")
        ahead = model.onward(h)
        for t, row in enumerate(allowed):
            for p in row:
                if t != s:
                    fits = h[t] >= ahead[p] if side == "upper" else h[t] <= ahead[p]
                    that(fits, "hitting")
        for p in allowed[s]:
            divisor = 1 - ahead[p]
            that(divisor > 0, "hitting: divisor")
            bound = model.start(h) / divisor
            if side == "upper":
                above[p] = max(ZERO, bound)
            else:
                below[p] = max(ZERO, bound)


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
    flows = fmpq_mat(1, model.pairs, y) * model.moves
    for s in range(model.count):
        out = sum((y[p] for p in model.of(s)), ZERO)
        that(out - model.gamma * flows[0, s] == k * model.initial[s], "circulation.1")
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


# -- many distributions ----------------------------------------------------------------------------


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


# -- bandits as lists of integers ------------------------------------------------------------------


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
