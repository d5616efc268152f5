"""Check a symsafe certificate: does the evidence in it prove the claim in it?

Usage: ``python -I -S checker.py CERTIFICATE.json`` (``-`` reads standard input). The first word on
standard output is the verdict, ``valid`` or ``invalid``; reasons go to standard error. Exit status:
0 valid; 1 invalid, a rule is broken; 2 unreadable, malformed or bad usage.

CERTIFICATE.md states the rules, numbered as here, and proves them sound. What is trusted: that
page, this file, and of Python its integers, `fractions`, `json` and `hashlib`. No other part of
symsafe is imported, there is no floating point, no recursion and no option. A valid certificate
speaks about the problem inside it: compare the printed digest with that of the problem you meant.

How to read it: a *pair* (state, action) has one index `p`, counted state by state. `step` is the
place in the document that a refusal names. Lists that are summed in loops are integers over one
positive denominator (`Vector`), which is the only concession to speed.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from bisect import bisect_right
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm
from operator import eq, ge, gt, le

MAX_BYTES, MAX_DEPTH = 256 * 2**20, 16
MAX_COMMON_BITS = 4_000_000  # in the common denominator of one list
NUMBER = re.compile(r"(-?)(0|[1-9][0-9]{0,19999})(?:/([1-9][0-9]{0,19999}))?")
INDEX = re.compile(r"[0-9]{1,9}")
INTEGERS = re.compile(r"-?[0-9]{1,30}(?: -?[0-9]{1,30})*+")
STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
CLAIMS = {  # what each kind of claim bounds, and what proves it
    "unsafe": (("epsilon",), ("witness",)),
    "safe": (("epsilon",), ("tree",)),
    "radius": (("lower", "upper"), ("witness", "tree")),
}
NODES = ("split", "value", "circulation", "duplicate")
RELATIONS = {"exactly": eq, "at most": le, "at least": ge, "more than": gt}
ZERO, ONE = Fraction(0), Fraction(1)


class Rejected(Exception):  # noqa: N818 (a verdict)
    """The certificate does not prove its claim: at `step`, `rule` is broken because of `reason`."""

    def __init__(self, step: str, rule: str, reason: str) -> None:
        super().__init__(f"{step}: {rule}: {reason}")
        self.step, self.rule, self.reason = step, rule, reason


class Malformed(Rejected):
    """The document lacks the shape that CERTIFICATE.md describes, or exceeds the limits."""

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(step, "format", reason)


@dataclass(frozen=True, slots=True)
class Result:
    """A claim that was found proven, and the size of its evidence."""

    kind: str  # "unsafe", "safe" or "radius"
    regret: Fraction
    epsilon: Fraction | None  # of an unsafe or safe claim
    lower: Fraction | None  # of a radius claim
    upper: Fraction | None
    digest: str  # of the problem
    nodes: int  # of the tree
    values: int  # leaves of the three kinds
    circulations: int
    duplicates: int

    @property
    def sentence(self) -> str:
        """The claim in words."""
        regret, error = f"regret >= {show(self.regret)}", f"error <= {show(self.epsilon)}"
        if self.kind == "radius":
            return f"{show(self.lower)} <= safety radius <= {show(self.upper)}, for {regret}"
        some = "some" if self.kind == "unsafe" else "no"
        return f"D is {self.kind}: {some} reward with {error} has an optimal policy with {regret}"


def show(x: Fraction | None) -> str:
    """Write a number: exactly if it is short, else its first digits and a power of ten."""
    above, below = (x.numerator.bit_length(), x.denominator.bit_length()) if x else (0, 0)
    if x is None or above + below <= 600:
        return str(x)
    power = (above - below) * 30103 // 100000 - 12
    return f"about {int(x / Fraction(10) ** power)}e{power}"


def refusal(x: Fraction, relation: str, y: Fraction, step: str, rule: str, what: str) -> Rejected:
    near = f", {show(x - y)} away" if "about" in show(x) + show(y) else ""
    return Rejected(step, rule, f"{what}: found {show(x)}; expected {relation} {show(y)}{near}")


def need(x: Fraction, relation: str, y: Fraction, step: str, rule: str, what: str) -> None:
    """Refuse the certificate unless `x` is in this relation to `y`."""
    if not RELATIONS[relation](x, y):
        raise refusal(x, relation, y, step, rule, what)


# Reading. Nothing is converted: a value has the type, form and length that is due, or is refused.


def record(value: object, keys: Collection[str], step: str) -> dict[str, object]:
    """Return `value`, a JSON object with exactly these keys."""
    if not isinstance(value, dict):
        raise Malformed(step, f"found {type(value).__name__}; expected an object")
    for key in sorted(value.keys() ^ set(keys), key=ascii):
        raise Malformed(step, f"{'missing' if key in keys else 'unknown'} key {ascii(key)[:60]}")
    return value


def items(value: object, step: str, length: int | None = None) -> list[object]:
    """Return `value`, a JSON list, of this length if one is given."""
    if not isinstance(value, list):
        raise Malformed(step, f"found {type(value).__name__}; expected a list")
    if length is not None and len(value) != length:
        raise Malformed(step, f"found {len(value)} entries; expected {length}")
    return value


def index(value: object, bound: int, step: str) -> int:
    """Return `value`, an integer from 0 and below `bound`."""
    if type(value) is not int or not 0 <= value < bound:  # True is no index
        raise Malformed(step, f"expected an integer from 0 to {bound - 1}")
    return value


def names(value: object, step: str) -> int:
    """Return the length of a list of distinct strings, at least one."""
    found = items(value, step)
    if not all(isinstance(name, str) for name in found):
        raise Malformed(step, "expected strings")
    if not found or len(set(found)) != len(found):
        raise Rejected(step, "problem", "expected distinct names, at least one")
    return len(found)


def natural(digits: str) -> int:
    """Read decimal digits, in pieces: Python limits the length of an integer that it reads."""
    value = 0
    for start in range(0, len(digits), 600):
        piece = digits[start : start + 600]
        value = value * 10 ** len(piece) + int(piece)
    return value


def number(value: object, step: str) -> Fraction:
    """Read a number, in its one canonical form."""
    match = NUMBER.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[0] == "-0" or match[3] == "1":
        shown = ascii(value)[:60] if isinstance(value, str) else type(value).__name__
        raise Malformed(step, f'found {shown}; expected a number such as "-3" or "2/3"')
    numerator, denominator = natural(match[2]), natural(match[3] or "1")
    if gcd(numerator, denominator) != 1:
        raise Malformed(step, f"found {match[0][:60]!r}; expected lowest terms")
    return Fraction(-numerator if match[1] else numerator, denominator)


def common(denominators: set[int], step: str) -> int:
    """Return the least common multiple."""
    scale = 1
    for denominator in denominators:
        scale = lcm(scale, denominator)
        if scale.bit_length() > MAX_COMMON_BITS:
            raise Malformed(step, f"a common denominator of more than {MAX_COMMON_BITS} bits")
    return scale


class Vector:
    """A list of fractions, also as integers (`top`) over one denominator (`scale`)."""

    def __init__(self, values: list[Fraction], step: str) -> None:
        self.values = values
        self.scale = common({x.denominator for x in values}, step)
        self.top = [x.numerator * (self.scale // x.denominator) for x in values]

    def sum(self) -> Fraction:
        return Fraction(sum(self.top), self.scale)


def distribution(values: list[Fraction], step: str, rule: str) -> None:
    """Refuse numbers that are negative or whose sum is not 1."""
    need(min(values, default=ZERO), "at least", ZERO, step, rule, "least probability")
    need(Vector(values, step).sum(), "exactly", ONE, step, rule, "sum of probabilities")


class Problem:
    """The problem, read and validated."""

    def __init__(self, value: object) -> None:
        keys = ("states", "actions", "initial", "discount", "transitions", "reward", "data")
        body = record(value, keys, "problem")
        self.size = names(body["states"], "problem.states")
        self.pairs: list[range] = []  # of a state
        self.place: list[tuple[int, int]] = []  # of a pair: state and action
        for s, actions in enumerate(items(body["actions"], "problem.actions", self.size)):
            first, count = len(self.place), names(actions, f"problem.actions[{s}]")
            self.pairs.append(range(first, first + count))
            self.place += [(s, a) for a in range(count)]
        self.discount = number(body["discount"], "problem.discount")
        need(self.discount, "at least", ZERO, "problem.discount", "problem", "discount")
        need(1 - self.discount, "more than", ZERO, "problem.discount", "problem", "1 - discount")
        self.horizon = 1 / (1 - self.discount)
        self.reward = self.table(body["reward"], "problem.reward")
        self.data = self.table(body["data"], "problem.data")
        distribution(self.data, "problem.data", "problem")
        self.initial = self.vector(body["initial"], "problem.initial")
        distribution(self.initial.values, "problem.initial", "problem")
        self.transitions: list[dict[int, Fraction]] = []  # of a pair: probability of a successor
        self.shifts: list[tuple[list[int], Vector]] = []  # row p of E: the states, the entries
        for s, rows in enumerate(items(body["transitions"], "problem.transitions", self.size)):
            step = f"problem.transitions[{s}]"
            for entries in items(rows, step, len(self.pairs[s])):
                row = self.successors(entries, step)
                shift = {t: -self.discount * x for t, x in row.items()}
                shift[s] = shift.get(s, ZERO) + 1
                self.transitions.append(row)
                self.shifts.append((list(shift), Vector(list(shift.values()), step)))

    def successors(self, value: object, step: str) -> dict[int, Fraction]:
        row: dict[int, Fraction] = {}
        for entry in items(value, step):
            successor, probability = items(entry, step, 2)
            t = index(successor, self.size, step)
            if row and t <= next(reversed(row)):
                raise Rejected(step, "problem", "successors must increase")
            row[t] = number(probability, step)
            need(row[t], "more than", ZERO, step, "problem", "probability")
        distribution(list(row.values()), step, "problem")
        return row

    def vector(self, value: object, step: str) -> Vector:
        """Read a list with one number per state."""
        entries = enumerate(items(value, step, self.size))
        return Vector([number(x, f"{step}[{s}]") for s, x in entries], step)

    def table(self, value: object, step: str) -> list[Fraction]:
        """Read a list per state with one number per action; return them by pair."""
        result: list[Fraction] = []
        for s, row in enumerate(items(value, step, self.size)):
            entries = enumerate(items(row, f"{step}[{s}]", len(self.pairs[s])))
            result += [number(x, f"{step}[{s}][{a}]") for a, x in entries]
        return result

    def pair(self, state: object, action: object, step: str) -> int:
        """Read a state and one of its actions."""
        pairs = self.pairs[index(state, self.size, step)]
        return pairs[index(action, len(pairs), step)]

    def mean(self, v: Vector) -> Fraction:
        """Return the mean of `v` under the initial distribution."""
        top = sum(m * x for m, x in zip(self.initial.top, v.top, strict=True))
        return Fraction(top, self.initial.scale * v.scale)

    def shift(self, v: Vector, p: int) -> Fraction:
        """Return (Ev)(p) = v(s) - discount * (mean of v after p)."""
        return Fraction(self.scaled_shift(v, p), self.shifts[p][1].scale * v.scale)

    def scaled_shift(self, v: Vector, p: int) -> int:
        """Return (Ev)(p) times a positive number."""
        states, row = self.shifts[p]
        return sum(e * v.top[t] for t, e in zip(states, row.top, strict=True))

    def gain(self, v: Vector, p: int) -> Fraction:
        """Return R(p) + discount * (mean of v after p) - v(s)."""
        return self.reward[p] - self.shift(v, p)


def check_returns(problem: Problem, value: object) -> tuple[Fraction, Fraction]:
    """Return the greatest and the least return."""
    body, means = record(value, ("optimal", "worst"), "evidence.returns"), []
    for key, extreme in (("optimal", max), ("worst", min)):
        v = problem.vector(body[key], f"evidence.returns.{key}")
        means.append(problem.mean(v))
        for s, pairs in enumerate(problem.pairs):
            right = v.values[s] + extreme(problem.gain(v, p) for p in pairs)
            step = f"evidence.returns.{key}[{s}]"
            need(v.values[s], "exactly", right, step, "returns.1", "value")
    high, low = max(problem.reward), min(problem.reward)
    need(high, "more than", low, "problem.reward", "returns.2", "greatest reward")
    need(means[0], "more than", means[1], "evidence.returns", "returns.2", "greatest return")
    return means[0], means[1]


def check_witness(problem: Problem, value: object, budget: Fraction, bad: Fraction) -> None:
    """Verify a reward model of cost at most `budget` with an optimal policy of return <= `bad`."""
    step = "evidence.witness"
    body = record(value, ("reward", "policy", "value", "policy_value"), step)
    reward = problem.table(body["reward"], f"{step}.reward")
    policy = problem.table(body["policy"], f"{step}.policy")
    v = problem.vector(body["value"], f"{step}.value")
    u = problem.vector(body["policy_value"], f"{step}.policy_value")
    for s, pairs in enumerate(problem.pairs):
        distribution([policy[p] for p in pairs], f"{step}.policy[{s}]", "witness")
    errors = [d * abs(x - r) for d, x, r in zip(problem.data, reward, problem.reward, strict=True)]
    cost = Vector(errors, step).sum()
    need(cost, "at most", budget, f"{step}.reward", "witness.1", "total error")
    visited = {s for s, weight in enumerate(problem.initial.top) if weight > 0}
    frontier = list(visited) if problem.discount > 0 else []  # else only the first step counts
    while frontier:
        for p in problem.pairs[frontier.pop()]:
            new = problem.transitions[p].keys() - visited if policy[p] > 0 else set()
            visited |= new
            frontier += new
    for p, (s, a) in enumerate(problem.place):
        relation = "exactly" if policy[p] > 0 and s in visited else "at most"
        at = f"{step}.reward[{s}][{a}]"
        need(reward[p], relation, problem.shift(v, p), at, "witness.2", "reward")
    for s, pairs in enumerate(problem.pairs):
        right = u.values[s] + Vector([policy[p] * problem.gain(u, p) for p in pairs], step).sum()
        at = f"{step}.policy_value[{s}]"
        need(u.values[s], "exactly", right, at, "witness.3", "value")
    need(problem.mean(u), "at most", bad, f"{step}.policy_value", "witness.3", "return")


@dataclass(frozen=True, slots=True)
class Scope:
    """What is known at a node: its policies, bounds on their occupancy, where it comes from."""

    allowed: tuple[tuple[int, ...], ...]  # the pairs left in each state
    upper: dict[int, Fraction]  # declared occupancy bounds, by pair
    lower: dict[int, Fraction]
    kept: set[int]  # the pairs of this node and its siblings, without those of duplicates


class Tree:
    """Verify that what each policy of return <= `bad` costs is in `relation` to `limit`."""

    def __init__(self, problem: Problem, bad: Fraction, relation: str, limit: Fraction) -> None:
        self.problem, self.bad, self.relation, self.limit = problem, bad, relation, limit
        self.kinds: list[str] = []  # of the nodes
        self.pending: dict[int, Scope] = {}  # of the nodes whose parent has been met

    def check(self, value: object) -> None:
        entries = items(value, "evidence.tree")
        if not entries:
            raise Rejected("evidence.tree", "tree", "there is no root")
        nodes = [self.node(entry, f"evidence.tree[{i}]") for i, entry in enumerate(entries)]
        rules = {"value": self.value, "circulation": self.circulation, "duplicate": self.duplicate}
        self.pending[0] = Scope(tuple(tuple(pairs) for pairs in self.problem.pairs), {}, {}, set())
        # Children come later in the list, so one pass meets every node after its parent.
        for i, (kind, node) in enumerate(zip(self.kinds, nodes, strict=True)):
            step = f"evidence.tree[{i}]"
            if i not in self.pending:
                raise Rejected(step, "tree", "this node is the child of no node")
            scope = self.pending.pop(i)
            if "hitting" in node:
                scope = self.hitting(scope, node["hitting"], f"{step}.hitting")
            if kind == "split":
                self.split(i, scope, node[kind], f"{step}.split")
            else:
                rules[kind](scope, node[kind], f"{step}.{kind}")

    def node(self, value: object, step: str) -> dict[str, object]:
        kinds = [key for key in NODES if isinstance(value, dict) and key in value]
        if len(kinds) != 1 or not isinstance(value, dict):
            raise Malformed(step, f"expected an object with one of {', '.join(NODES)}")
        self.kinds += kinds
        return record(value, {*kinds, "hitting"} if "hitting" in value else kinds, step)

    def split(self, i: int, scope: Scope, value: object, step: str) -> None:
        body = record(value, ("state", "children"), step)
        s = index(body["state"], self.problem.size, step)
        unassigned, kept = set(scope.allowed[s]), set[int]()
        children: dict[int, tuple[int, ...]] = {}
        for k, entry in enumerate(items(body["children"], f"{step}.children")):
            at = f"{step}.children[{k}]"
            node, actions = items(entry, at, 2)
            child = index(node, len(self.kinds), at)
            pairs = tuple(self.problem.pair(s, action, at) for action in items(actions, at))
            if child <= i or child in self.pending or child in children:
                raise Rejected(at, "split", f"node {child} comes earlier, or has a parent already")
            if not pairs or len(set(pairs)) != len(pairs) or not unassigned.issuperset(pairs):
                raise Rejected(at, "split", "expected actions, allowed here and in no other child")
            unassigned.difference_update(pairs)
            kept.update(pairs if self.kinds[child] != "duplicate" else ())
            children[child] = pairs
        if unassigned:
            a = self.problem.place[min(unassigned)][1]
            raise Rejected(step, "split", f"action {a} is allowed here, but in no child")
        for child, pairs in children.items():
            allowed = (*scope.allowed[:s], pairs, *scope.allowed[s + 1 :])
            self.pending[child] = Scope(allowed, scope.upper, scope.lower, kept)

    def value(self, scope: Scope, value: object, step: str) -> None:
        u = self.problem.vector(value, step)
        for s, pairs in enumerate(scope.allowed):
            least = min(self.problem.gain(u, p) for p in pairs)
            right = u.values[s] + least
            need(u.values[s], "at most", right, f"{step}[{s}]", "value", "value")
        need(self.problem.mean(u), "more than", self.bad, step, "value", "return")

    def circulation(self, scope: Scope, value: object, step: str) -> None:
        problem = self.problem
        body = record(value, ("kappa", "flow"), step)
        kappa = number(body["kappa"], f"{step}.kappa")
        need(kappa, "at least", ZERO, f"{step}.kappa", "circulation", "kappa")
        flow: dict[int, Fraction] = {}
        for i, entry in enumerate(items(body["flow"], f"{step}.flow")):
            at = f"{step}.flow[{i}]"
            state, action, amount = items(entry, at, 3)
            p = problem.pair(state, action, at)
            if flow and p <= next(reversed(flow)):
                raise Rejected(at, "circulation", "the pairs of a flow must increase")
            flow[p] = number(amount, at)
        # 1. Balance, in integers: y(p) / (denominator of row p) = z / scale.
        scale = common({y.denominator * problem.shifts[p][1].scale for p, y in flow.items()}, step)
        balance = [0] * problem.size
        for p, y in flow.items():
            states, row = problem.shifts[p]
            z = y.numerator * (scale // (y.denominator * row.scale))
            for t, e in zip(states, row.top, strict=True):
                balance[t] += e * z
        for t, weight in enumerate(problem.initial.values):
            found = Fraction(balance[t], scale)
            need(found, "exactly", kappa * weight, step, "circulation.1", f"balance of state {t}")
        for p, y in flow.items():  # 2. and the first half of 3.; an omitted pair, 0, meets them
            s, a = problem.place[p]
            forced = scope.allowed[s] == (p,)
            most = problem.data[p] + (kappa * scope.lower.get(p, ZERO) if forced else 0)
            need(y, "at most", most, step, "circulation.2", f"flow of ({s}, {a})")
            if not forced:
                need(y, "at least", ZERO, step, "circulation.3", f"flow of ({s}, {a})")
        for p in (p for pairs in scope.allowed for p in pairs if kappa > 0 or p in flow):
            least = kappa * scope.upper.get(p, problem.horizon) - problem.data[p]
            what = "flow of ({}, {})".format(*problem.place[p])
            need(flow.get(p, ZERO), "at least", least, step, "circulation.3", what)
        worth = Vector([y * problem.reward[p] for p, y in flow.items()], step).sum()
        cost = worth - kappa * self.bad
        need(cost, self.relation, self.limit, step, "circulation.4", "cost")

    def duplicate(self, scope: Scope, value: object, step: str) -> None:
        problem, body = self.problem, record(value, ("state", "action"), step)
        p = problem.pair(body["state"], body["action"], step)
        own, *others = scope.allowed[problem.place[p][0]]
        if p not in scope.kept or others:
            raise Rejected(step, "duplicate", "expected one action, replaced by one of a sibling")
        if problem.transitions[p] != problem.transitions[own]:
            raise Rejected(step, "duplicate", "the transitions of the two actions differ")
        need(problem.reward[p], "exactly", problem.reward[own], step, "duplicate", "reward")
        need(problem.data[p], "at most", problem.data[own], step, "duplicate", "data")

    def hitting(self, scope: Scope, value: object, step: str) -> Scope:
        """Return the scope with the occupancy bounds that follow from hitting bounds."""
        problem, bounds = self.problem, {"upper": dict(scope.upper), "lower": dict(scope.lower)}
        seen = set()
        for i, entry in enumerate(items(value, step)):
            at = f"{step}[{i}]"
            state, side, heights = items(entry, at, 3)
            s = index(state, problem.size, at)
            if not isinstance(side, str) or side not in bounds:
                raise Malformed(at, 'expected "upper" or "lower"')
            if (s, side) in seen:
                raise Rejected(at, "hitting", "the same state and side twice")
            seen.add((s, side))
            h = problem.vector(heights, at)
            need(h.values[s], "exactly", ONE, at, "hitting", f"bound at its state {s}")
            start, relation = problem.mean(h), "at least" if side == "upper" else "at most"
            for t, p in ((t, p) for t, pairs in enumerate(scope.allowed) for p in pairs if t != s):
                if not RELATIONS[relation](problem.scaled_shift(h, p), 0):
                    x, y = h.values[t], h.values[t] - problem.shift(h, p)
                    raise refusal(x, relation, y, at, "hitting", f"bound at state {t}")
            for p in scope.allowed[s]:  # h(s) = 1, so (Eh)(p) is the divisor
                divisor = problem.shift(h, p)
                need(divisor, "more than", ZERO, at, "hitting", "divisor")
                bounds[side][p] = max(ZERO, start / divisor)
        return Scope(scope.allowed, bounds["upper"], bounds["lower"], scope.kept)


def integers(value: object, step: str, length: int | None = None) -> list[int]:
    """Return the integers in `value`, a string with single spaces between them."""
    if not isinstance(value, str) or INTEGERS.fullmatch(value) is None:
        raise Malformed(step, "expected integers, one space apart, in a string")
    found = value.split(" ")
    items(found, step, length)
    return [int(x) for x in found]


def check_bandit(
    value: object, evidence: object, level: Fraction, low: Fraction, high: Fraction | None
) -> tuple[Fraction, Fraction]:
    """Check the choice up to `high`; return the least cost by the multiplier, and that at `low`."""
    body = record(value, ("actions", "initial", "reward", "data"), "problem")
    counts = integers(body["actions"], "problem.actions")
    initial = integers(body["initial"], "problem.initial", len(counts))
    reward, data = (integers(body[k], f"problem.{k}", sum(counts)) for k in ("reward", "data"))
    proof = record(evidence, ("multiplier", "choice"), "evidence")
    times = number(proof["multiplier"], "evidence.multiplier")
    choice = integers(proof["choice"], "evidence.choice", len(counts))
    if min(counts) < 1 or times < 0 or min(*initial, *data, *choice) < 0:
        raise Rejected("problem", "problem", "expected actions, and nothing below 0 but rewards")
    if any(a >= count for a, count in zip(choice, counts, strict=True)):
        raise Malformed("evidence.choice", "expected an action of each context")
    span = cost = lost = least = first = 0
    for a, count, start in zip(choice, counts, initial, strict=True):
        order = sorted(range(first, first + count), key=reward.__getitem__, reverse=True)
        masses, areas, bounds, mass, area = [], [], [], 0, 0  # of the data above each reward
        top = last = reward[order[0]]
        for p in order:
            area, last = area + mass * (last - reward[p]), reward[p]
            masses.append(mass)
            areas.append(area)
            mass += data[p]
        for place, p in enumerate(order if start else ()):  # a context never met costs nothing
            i = min(bisect_right(masses, data[p]) - 1, place)
            price = areas[i] + data[p] * (reward[order[i]] - reward[p])
            bounds.append(times.denominator * price - times.numerator * start * (top - reward[p]))
            if p == first + a:
                cost, lost = cost + price, lost + start * (top - reward[p])
        least, span = least + min(bounds, default=0), span + start * (top - last)
        first += count
    unit = sum(data) * (max(reward) - min(reward))
    need(Fraction(min(span, unit)), "more than", ZERO, "problem", "problem", "range")
    if high is not None:
        need(Fraction(lost), "at least", level * span, "evidence.choice", "bandit.1", "lost return")
        need(Fraction(cost), "at most", high * unit, "evidence.choice", "bandit.1", "cost")
    return Fraction(least, times.denominator) + times * level * span, low * unit


def digest(problem: object) -> str:
    """Return the SHA-256 of a problem (a JSON value) written canonically."""
    text = json.dumps(problem, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def check(document: object) -> Result:
    """Return what a certificate (a JSON value) proves; raise Rejected if that is not its claim."""
    keys = ("format", "version", "problem", "digest", "claim", "evidence")
    body = record(document, keys, "document")
    if body["format"] != "symsafe-certificate" or index(body["version"], 2, "version") != 1:
        raise Malformed("format", "expected a symsafe-certificate of version 1")
    fingerprint = digest(body["problem"])
    if body["digest"] != fingerprint:
        raise Rejected("digest", "digest", f"the problem in this document has {fingerprint}")
    kind = body["claim"].get("kind") if isinstance(body["claim"], dict) else None
    if not isinstance(kind, str) or kind not in CLAIMS:
        raise Malformed("claim", f"expected an object with a kind of {', '.join(CLAIMS)}")
    bounds, parts = CLAIMS[kind]
    claim = record(body["claim"], ("kind", "regret", *bounds), "claim")
    level = number(claim["regret"], "claim.regret")
    need(level, "at least", ZERO, "claim.regret", "claim", "regret")
    need(level, "at most", ONE, "claim.regret", "claim", "regret")
    low, high = (number(claim[key], f"claim.{key}") for key in (bounds[0], bounds[-1]))
    epsilon, lower, upper = (None, low, high) if kind == "radius" else (low, None, None)
    if epsilon is not None:
        need(epsilon, "more than", ZERO, "claim.epsilon", "claim", "epsilon")
    relation = "more than" if kind == "safe" else "at least"
    if isinstance(body["problem"], dict) and isinstance(body["problem"].get("actions"), str):
        upto = high if "witness" in parts else None
        proven, due = check_bandit(body["problem"], body["evidence"], level, low, upto)
        if "tree" in parts:
            need(proven, relation, due, "evidence.multiplier", "bandit.2", "least cost")
        return Result(kind, level, epsilon, lower, upper, fingerprint, 0, 0, 0, 0)
    problem = Problem(body["problem"])
    evidence = record(body["evidence"], ("returns", *parts), "evidence")
    best, worst = check_returns(problem, evidence["returns"])
    bad = best - level * (best - worst)
    spread = max(problem.reward) - min(problem.reward)
    tree = Tree(problem, bad, relation, low * spread)
    if "witness" in parts:
        check_witness(problem, evidence["witness"], high * spread, bad)
    if "tree" in parts:
        tree.check(evidence["tree"])
    sizes = len(tree.kinds), *(tree.kinds.count(node) for node in NODES[1:])
    return Result(kind, level, epsilon, lower, upper, fingerprint, *sizes)


def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Build a JSON object whose keys differ."""
    result = dict(pairs)
    if len(result) != len(pairs):
        raise Malformed("document", "an object repeats a key")
    return result


def integer(text: str) -> int:
    """Read a JSON number: an index or the version, nothing else is written as one."""
    if INDEX.fullmatch(text) is None:
        raise Malformed("document", f"found {ascii(text)[:60]}; expected an index or a string")
    return int(text)


def parse(text: str | bytes) -> object:
    """Read JSON text, within the limits."""
    if len(text) > MAX_BYTES:
        raise Malformed("document", f"more than {MAX_BYTES} bytes")
    try:
        text = text if isinstance(text, str) else text.decode("utf-8")
        depth = 0  # measured here, so that the reader below never goes deeper
        for match in STRING_OR_BRACKET.finditer(text):
            depth += (match[0] in "[{") - (match[0] in "]}")
            if depth > MAX_DEPTH:
                raise Malformed("document", f"nested more than {MAX_DEPTH} deep")
        hook = integer  # for each JSON number: floats and NaN never come to exist
        document: object = json.loads(
            text, object_pairs_hook=unique, parse_int=hook, parse_float=hook, parse_constant=hook
        )
    except ValueError as error:  # not UTF-8, or not JSON
        raise Malformed("document", f"not JSON: {error}") from None
    return document


def check_text(text: str | bytes) -> Result:
    """Check a certificate given as JSON text."""
    return check(parse(text))


def check_file(path: str) -> Result:
    """Check the certificate in a file, or on standard input if `path` is "-"."""
    with open(0 if path == "-" else path, "rb", closefd=path != "-") as file:
        return check_text(file.read(MAX_BYTES + 1))


def main(arguments: list[str]) -> int:
    """Run the command line and return the exit status."""
    if len(arguments) != 1 or (arguments[0].startswith("-") and arguments[0] != "-"):
        print("usage: checker.py CERTIFICATE.json   (- reads standard input)", file=sys.stderr)
        return 2
    try:
        result = check_file(arguments[0])
    except (Malformed, OSError) as error:
        print(f"not read: {error}", file=sys.stderr)
        return 2
    except Rejected as error:
        print("invalid")
        print(error, file=sys.stderr)
        return 1
    print(f"valid\n{result.sentence}\nproblem {result.digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
