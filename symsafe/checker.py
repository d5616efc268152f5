"""Check a symsafe certificate: does the evidence in it prove the claim in it?

Usage: ``python -I -S checker.py CERTIFICATE.json`` (``-`` reads standard input). The first word on
standard output is the verdict, ``valid`` or ``invalid``; reasons go to standard error. Exit status:
0 valid; 1 invalid, a rule is broken; 2 unreadable, malformed or bad usage.

CERTIFICATE.md states the rules, numbered as here, and proves them sound. What is trusted: that
page, this file, and of Python its integers, `fractions`, `json`, `hashlib` and `zlib`. No other
part of symsafe is imported, there is no floating point, no recursion and no option. A valid
certificate speaks about the problem inside it: compare the printed digest with that of the problem
you meant.

How to read it: a *pair* (state, action) has one index `p`, counted state by state. `step` is the
place in the document that a refusal names. Lists that are summed in loops are integers over one
positive denominator (`Vector`), which is the only concession to speed. A plain certificate needs
what comes before the first line that starts with ``# == Part``, and what comes after the last part;
each part is for one kind of problem or claim, and none uses another.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import accumulate, chain, groupby, pairwise, product, starmap
from math import ceil, floor, gcd, lcm, prod
from operator import add, eq, ge, gt, le, mul
from typing import TypeVar

MAX_BYTES, MAX_DEPTH, MAX_TOKENS = 256 * 2**20, 16, 2**25  # of the text, unpacked
GZIP = b"\x1f\x8b"
MAX_PLAIN, MAX_RATIO = 2**24, 25  # unpacked bytes, and beyond them how many for each packed one
MAX_COMMON_BITS = 400_000  # in the common denominator of one list
MAX_LIST_BITS = 500_000_000  # in all numbers of a list
MAX_WORK = 300_000_000  # steps, see Work
MAX_WAITING = 20_000_000  # entries in what is known at the nodes of a tree that wait for their turn
NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]{0,19999}))(?:/([1-9][0-9]{0,19999}))?")
INDEX = re.compile(r"[0-9]{1,9}")
INTEGERS = re.compile(r"-?[0-9]{1,30}(?: -?[0-9]{1,30})*+")
NO_BRACKETS = re.compile(r'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+"?)++', re.DOTALL)
CLAIMS = {  # what each kind of claim bounds, and what proves it
    "unsafe": (("epsilon",), ("witness",)),
    "safe": (("epsilon",), ("tree",)),
    "radius": (("lower", "upper"), ("witness", "tree")),
    "critical": (("lower", "upper"), ("cover", "distribution", "tree")),
    "all-unsafe": (("epsilon",), ("cover",)),
    "nearest": (("epsilon", "lower", "upper"), ("cover", "distribution", "tree")),
    "all-safe": (("epsilon",), ("cells",)),
    "some-unsafe": (("epsilon",), ("distribution", "witness")),
    "fewest": (("epsilon", "lower", "upper"), ("cuts", "samples", "tree")),
}
ABOUT = {"fewest": "counts"} | dict.fromkeys(list(CLAIMS)[3:8], "set")  # claims about many D
REGULARIZERS = ("linear", "l2", "chi2", "tv")
RAISE = ("action", "lowered", "ends", "prices", "tilted")
METRICS = ("mse", "returns", "preferences")  # beside the mean absolute error
MIN_BITS, MAX_BITS, MAX_EXPONENT = 16, 4096, 10**5  # of enclosures
PROBLEM = ("states", "actions", "initial", "discount", "transitions", "reward", "data")
MAX_PARAMETERS, MAX_POWER = 64, 1000  # of a family, and of one of them
FEW_PARAMETERS = 16  # whose exponents have too few values for many equal hashes
MAX_TERMS = 100_000  # of a product of polynomials, as it is multiplied out, or on a box
MAX_INTEGERS, MAX_STATES = 2**23, 3 * 10**6  # of a list, of the choices of a bandit
MAX_CHOICES = 10**5  # of actions outside those that raises let be lowered
RELATIONS = {"exactly": eq, "at most": le, "at least": ge, "more than": gt}
ZERO, ONE = Fraction(0), Fraction(1)
Entry = TypeVar("Entry")


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

    kind: str
    regret: Fraction
    epsilon: Fraction | None  # each of the three where the claim has it
    lower: Fraction | None
    upper: Fraction | None
    digest: str  # of the problem
    regularised: bool
    nodes: dict[str, int]  # of the tree, by kind
    metric: str = "error"  # what the bounds are bounds of

    @property
    def sentence(self) -> str:
        """The claim in words."""
        regret, error = f"regret >= {show(self.regret)}", f"{self.metric} <= {show(self.epsilon)}"
        if self.kind == "radius":
            kind = "regularised safety radius" if self.regularised else "safety radius"
            of = self.metric.removeprefix("error")
            return f"{show(self.lower)} <= {kind}{of} <= {show(self.upper)}, for {regret}"
        some = "no" if self.kind == "safe" else "some"
        policy = "a regularised-optimal" if self.regularised else "an optimal"
        return f"D is {self.kind}: {some} reward with {error} has {policy} policy with {regret}"


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


def read_integer(digits: str) -> int:
    """Read decimal digits, in pieces: Python limits the length of an integer that it reads."""
    if len(digits) <= 600:
        return int(digits)
    if digits.startswith("-"):
        return -read_integer(digits[1:])
    value = 0
    for start in range(0, len(digits), 600):
        piece = digits[start : start + 600]
        value = value * 10 ** len(piece) + int(piece)
    return value


def parts_of(value: object, step: str) -> tuple[int, int]:
    """Read a number, in its one canonical form: numerator and denominator, without a divisor."""
    match = NUMBER.fullmatch(value) if isinstance(value, str) else None
    above, below = match.groups() if match else ("-0", None)
    if below == "1" or above == "-0":
        shown = ascii(value)[:60] if isinstance(value, str) else type(value).__name__
        raise Malformed(step, f'found {shown}; expected a number such as "-3" or "2/3"')
    numerator = read_integer(above)
    if below is None:
        return numerator, 1
    denominator = read_integer(below)
    if gcd(numerator, denominator) != 1:
        raise Malformed(step, f"found {ascii(value)[:60]}; expected lowest terms")
    return numerator, denominator


def number(value: object, step: str) -> Fraction:
    """Read a number as a fraction."""
    return Fraction(*parts_of(value, step))


class Work:
    """Counts steps, each about as long as a look at a number: a short text may demand years."""

    spent, price = 0, 1

    def spend(self, steps: int, step: str) -> None:
        self.spent += self.price * steps
        if self.spent > MAX_WORK:
            raise Malformed(step, f"more than {MAX_WORK} steps of work")

    def added(self, values: Iterable[Fraction], step: str) -> Fraction:
        """Return the sum, over one denominator that has its limits."""
        found = Vector.of(kept(values, step), step)
        self.spend(10 + len(found.top) * blocks(found.scale) + lowest(found.scale), step)
        return Fraction(sum(found.top), found.scale)

    def distribution(self, values: list[Fraction], step: str, rule: str) -> None:
        """Refuse numbers that are negative or whose sum is not 1."""
        need(min(values, default=ZERO), "at least", ZERO, step, rule, "least probability")
        need(self.added(values, step), "exactly", ONE, step, rule, "sum of probabilities")


def width(x: int | Fraction) -> int:
    """Return how many bits it takes to keep a number."""
    return x.numerator.bit_length() + x.denominator.bit_length()


def blocks(*values: int | Fraction) -> int:
    """Return how many steps it takes to multiply by these, or to add them, at a time."""
    return 1 + (sum(map(width, values)) >> 11)


def lowest(*scales: int) -> int:
    """Return how many steps it takes to bring a fraction over their product to lowest terms."""
    return sum(map(int.bit_length, scales)) ** 2 >> 17


def crossed(a: int, b: int) -> int:
    """Return how many steps it takes to multiply long integers, or to divide by one."""
    return a.bit_length() * b.bit_length() >> 17


def common(denominators: Iterable[int], step: str) -> int:
    """Return the least common multiple."""
    scale = 1
    for denominator, _ in groupby(sorted(denominators)):  # the hashes of a set may all be equal
        scale = lcm(scale, denominator)
        if scale.bit_length() > MAX_COMMON_BITS:
            raise Malformed(step, f"a common denominator of more than {MAX_COMMON_BITS} bits")
    return scale


def room(bits: int, step: str) -> None:
    """Refuse a list that would need too much memory."""
    if bits > MAX_LIST_BITS:
        raise Malformed(step, f"more than {MAX_LIST_BITS} bits in one list")


def kept(values: Iterable[Fraction], step: str) -> list[Fraction]:
    """Return computed numbers as a list, whose bits have their limit."""
    found, bits = list[Fraction](), 0
    for x in values:
        bits += width(x)
        room(bits, step)
        found.append(x)
    return found


class Vector:
    """A list of fractions as integers (`top`) over one positive denominator (`scale`)."""

    def __init__(self, parts: list[tuple[int, int]], step: str) -> None:
        self.scale, self.parts = common((below for _, below in parts), step), parts
        room(self.scale.bit_length() * len(parts), step)
        self.top = [above * (self.scale // below) for above, below in parts]

    @classmethod
    def of(cls, values: list[Fraction], step: str) -> Vector:
        return cls([(x.numerator, x.denominator) for x in values], step)

    @cached_property
    def values(self) -> list[Fraction]:
        return [Fraction(*x) for x in self.parts]

    @cached_property
    def most(self) -> int:  # how long the longest is; not for an empty list
        return max(map(abs, self.top))


class Shape(Work):
    """The states and actions of a problem."""

    weight = 0  # steps that it takes to apply E to small numbers

    def __init__(self, body: dict[str, object]) -> None:
        self.size = names(body["states"], "problem.states")
        self.pairs: list[range] = []  # of a state
        self.place: list[tuple[int, int]] = []  # of a pair: state and action
        for s, actions in enumerate(items(body["actions"], "problem.actions", self.size)):
            first, count = len(self.place), names(actions, f"problem.actions[{s}]")
            self.pairs.append(range(first, first + count))
            self.place += [(s, a) for a in range(count)]

    def table(self, value: object, step: str, read: Callable[[object, str], Entry]) -> list[Entry]:
        """Read a list per state with one number per action; return them by pair."""
        result: list[Entry] = []
        for s, row in enumerate(items(value, step, self.size)):
            entries = enumerate(items(row, f"{step}[{s}]", len(self.pairs[s])))
            result += [read(x, f"{step}[{s}][{a}]") for a, x in entries]
        return result

    def pair(self, state: object, action: object, step: str) -> int:
        """Read a state and one of its actions."""
        pairs = self.pairs[index(state, self.size, step)]
        return pairs[index(action, len(pairs), step)]


class Problem(Shape):
    """The problem, read and validated."""

    def __init__(self, value: object) -> None:
        extra = [k for k in ("regularizer", "metric") if isinstance(value, dict) and k in value]
        body = record(value, (*PROBLEM, *extra), "problem")
        super().__init__(body)
        self.discount = number(body["discount"], "problem.discount")
        need(self.discount, "at least", ZERO, "problem.discount", "problem", "discount")
        need(1 - self.discount, "more than", ZERO, "problem.discount", "problem", "1 - discount")
        self.horizon = 1 / (1 - self.discount)
        self.reward = self.table(body["reward"], "problem.reward", number)
        self.data = self.table(body["data"], "problem.data", number)
        self.distribution(self.data, "problem.data", "problem")
        self.initial = self.vector(body["initial"], "problem.initial")
        self.distribution(self.initial.values, "problem.initial", "problem")
        self.transitions: list[dict[int, Fraction]] = []  # of a pair: probability of a successor
        self.shifts: list[tuple[list[int], Vector]] = []  # row p of E: the states, the entries
        self.longest = 1  # the greatest scale of a row
        long = 0  # bits of the rows with long numbers: a discount is copied into all of them
        for s, rows in enumerate(items(body["transitions"], "problem.transitions", self.size)):
            step = f"problem.transitions[{s}]"
            for listed in items(rows, step, len(self.pairs[s])):
                row = self.successors(listed, step)
                shift = {t: -self.discount * x for t, x in row.items()}
                shift[s] = shift.get(s, ZERO) + 1
                self.transitions.append(row)
                entries = Vector.of(list(shift.values()), step)
                self.shifts.append((list(shift), entries))
                self.weight += len(shift) * blocks(entries.scale)
                self.longest = max(self.longest, entries.scale)
                long += len(shift) * (entries.scale.bit_length() >> 11 << 11)
                room(long, step)
        self.weight += self.size * blocks(self.initial.scale)
        self.regularizer, self.metric = body.get("regularizer"), body.get("metric")
        given = body.get("regularizer", {})
        self.soft = isinstance(given, dict) and given.get("kind") == "kl"
        if "metric" in body and not (self.soft and self.metric in METRICS):
            raise Malformed(
                "problem.metric", f"expected one of {METRICS} beside the regularizer kl"
            )
        if not isinstance(given, dict):
            raise Malformed("problem.regularizer", "expected an object")

    def successors(self, value: object, step: str) -> dict[int, Fraction]:
        row: dict[int, Fraction] = {}
        for entry in items(value, step):
            successor, probability = items(entry, step, 2)
            t = index(successor, self.size, step)
            if row and t <= next(reversed(row)):
                raise Rejected(step, "problem", "successors must increase")
            row[t] = number(probability, step)
            need(row[t], "more than", ZERO, step, "problem", "probability")
        self.distribution(list(row.values()), step, "problem")
        return row

    def entries(self, value: object, step: str, rule: str) -> dict[int, Fraction]:
        """Read a list of [state, action, number] in increasing order."""
        return {p: Fraction(*x) for p, x in self.sparse(value, step, rule).items()}

    def sparse(self, value: object, step: str, rule: str) -> dict[int, tuple[int, int]]:
        """Read the same, as numerators and denominators."""
        found: dict[int, tuple[int, int]] = {}
        for i, entry in enumerate(items(value, step)):
            at = f"{step}[{i}]"
            state, action, amount = items(entry, at, 3)
            p = self.pair(state, action, at)
            if found and p <= next(reversed(found)):
                raise Rejected(at, rule, "the pairs of a flow must increase")
            found[p] = parts_of(amount, at)
        return found

    def balance(
        self, flow: Mapping[int, Fraction | int], factor: Fraction, step: str, rule: str
    ) -> None:
        """Refuse a flow y unless E^T y is the initial distribution, times a factor.

        In integers: y(p) / (scale of row p) = z / scale.
        """
        rows = [self.shifts[p] for p in flow]
        pairs = list(zip(rows, flow.values(), strict=True))
        divisors = [y.denominator * row.scale for (_, row), y in pairs]
        scale, found = common(divisors, step), [0] * self.size
        length = self.size + sum(len(states) * blocks(row.scale) for states, row in rows)
        most = max((abs(y.numerator) for y in flow.values()), default=0)
        room(self.size * (scale.bit_length() + most.bit_length()), step)
        self.spend(length * blocks(scale, most, factor, self.initial.scale), step)
        self.spend(sum(crossed(scale, divisor) for divisor in divisors), step)
        for divisor, ((states, row), y) in zip(divisors, pairs, strict=True):
            z = y.numerator * (scale // divisor)
            for t, e in zip(states, row.top, strict=True):
                found[t] += e * z
        left, right = factor.denominator * self.initial.scale, factor.numerator * scale
        for t, weight in enumerate(self.initial.top):
            if found[t] * left != weight * right:
                what, goal = f"balance of state {t}", factor * self.initial.values[t]
                need(Fraction(found[t], scale), "exactly", goal, step, rule, what)

    def vector(self, value: object, step: str) -> Vector:
        """Read a list with one number per state."""
        entries = enumerate(items(value, step, self.size))
        found = Vector([parts_of(x, f"{step}[{s}]") for s, x in entries], step)
        self.spend(self.weight * blocks(found.scale, found.most), step)
        return found

    def reached(self, taken: set[int]) -> set[int]:
        """Return the states that policies visit which take only these pairs."""
        visited = {s for s, weight in enumerate(self.initial.top) if weight > 0}
        frontier = list(visited) if self.discount > 0 else []  # else only the first step counts
        while frontier:
            for p in taken.intersection(self.pairs[frontier.pop()]):
                new = self.transitions[p].keys() - visited
                visited |= new
                frontier += new
        return visited

    def mean(self, v: Vector) -> Fraction:
        """Return the mean of `v` under the initial distribution."""
        self.spend(lowest(self.initial.scale, v.scale), "evidence")
        top = sum(m * x for m, x in zip(self.initial.top, v.top, strict=True))
        return Fraction(top, self.initial.scale * v.scale)

    def shift(self, v: Vector, p: int) -> Fraction:
        """Return (Ev)(p) = v(s) - discount * (mean of v after p)."""
        scale = self.shifts[p][1].scale
        self.spend(lowest(scale, v.scale), "evidence")
        return Fraction(self.scaled_shift(v, p), scale * v.scale)

    def scaled_shift(self, v: Vector, p: int) -> int:
        """Return (Ev)(p) times a positive number."""
        states, row = self.shifts[p]
        return sum(map(mul, row.top, map(v.top.__getitem__, states)))

    def gain(self, v: Vector, p: int) -> Fraction:
        """Return R(p) + discount * (mean of v after p) - v(s)."""
        return self.reward[p] - self.shift(v, p)

    def excess(self, v: Vector, p: int, reward: Fraction) -> int:
        """Return reward - (Ev)(p) times a positive number."""
        scale = self.shifts[p][1].scale * v.scale
        return reward.numerator * scale - reward.denominator * self.scaled_shift(v, p)


def check_returns(problem: Problem, value: object) -> tuple[Fraction, Fraction]:
    """Return the greatest and the least return."""
    body, means = record(value, ("optimal", "worst"), "evidence.returns"), []
    for key, extreme in (("optimal", max), ("worst", min)):
        v = problem.vector(body[key], f"evidence.returns.{key}")
        means.append(problem.mean(v))
        for s, pairs in enumerate(problem.pairs):
            if extreme(problem.excess(v, p, problem.reward[p]) for p in pairs):
                right = v.values[s] + extreme(problem.gain(v, p) for p in pairs)
                step = f"evidence.returns.{key}[{s}]"
                need(v.values[s], "exactly", right, step, "returns.1", "value")
    high, low = max(problem.reward), min(problem.reward)
    need(high, "more than", low, "problem.reward", "returns.2", "greatest reward")
    need(means[0], "more than", means[1], "evidence.returns", "returns.2", "greatest return")
    return means[0], means[1]


def check_witness(problem: Problem, value: object, bad: Fraction, step: str) -> list[Fraction]:
    """Verify a reward model with an optimal policy of return <= `bad`; return its errors."""
    body = record(value, ("reward", "policy", "value", "policy_value"), step)
    reward = problem.table(body["reward"], f"{step}.reward", number)
    policy = problem.table(body["policy"], f"{step}.policy", number)
    v = problem.vector(body["value"], f"{step}.value")
    u = problem.vector(body["policy_value"], f"{step}.policy_value")
    for s, pairs in enumerate(problem.pairs):
        problem.distribution([policy[p] for p in pairs], f"{step}.policy[{s}]", "witness")
    visited = problem.reached({p for p, x in enumerate(policy) if x > 0})
    for p, (s, a) in enumerate(problem.place):
        relation = "exactly" if policy[p] > 0 and s in visited else "at most"
        if not RELATIONS[relation](problem.excess(v, p, reward[p]), 0):
            at = f"{step}.reward[{s}][{a}]"
            need(reward[p], relation, problem.shift(v, p), at, "witness.2", "reward")
    for s, pairs in enumerate(problem.pairs):
        gains = (policy[p] * problem.gain(u, p) for p in pairs if policy[p])
        right = u.values[s] + problem.added(gains, step)
        at = f"{step}.policy_value[{s}]"
        need(u.values[s], "exactly", right, at, "witness.3", "value")
    need(problem.mean(u), "at most", bad, f"{step}.policy_value", "witness.3", "return")
    errors = [abs(x - r) for x, r in zip(reward, problem.reward, strict=True)]
    problem.spend(4 * sum(blocks(e) ** 2 for e in errors), step)
    return errors


def check_cost(problem: Problem, errors: list[Fraction], budget: Fraction) -> None:
    """Refuse a reward model whose total error is above the budget."""
    step = "evidence.witness.reward"
    cost = problem.added((d * e for d, e in zip(problem.data, errors, strict=True)), step)
    need(cost, "at most", budget, step, "witness.1", "total error")


@dataclass(frozen=True, slots=True)
class Scope:
    """What is known at a node: its policies, bounds on their occupancy, where it comes from."""

    allowed: tuple[tuple[int, ...], ...]  # the pairs left in each state
    upper: dict[int, Fraction]  # declared occupancy bounds, by pair
    lower: dict[int, Fraction]
    kept: set[int]  # the pairs of this node and its siblings, without those of duplicates
    used: frozenset[int] = frozenset()  # the pairs with positive occupancy, of a regularised node
    sides: dict[int, int] = field(default_factory=dict)  # -1 below, 0 at, 1 above the reference
    ranges: dict[int, tuple[int, int]] = field(default_factory=dict)  # by state: points of a curve
    bounds: int = 0  # entries that the declared bounds are counted as
    entries: int = 0  # of what this node knows, while it waits


class Tree:
    """Verify that what each policy of return <= `bad` costs is in `relation` to `limit`."""

    splits: tuple[str, ...] = ("split",)  # methods, by the keys of the nodes that they verify
    leaves: tuple[str, ...] = ("value", "circulation", "duplicate")

    def __init__(self, problem: Problem, bad: Fraction, relation: str, limit: Fraction) -> None:
        self.problem, self.bad, self.relation, self.limit = problem, bad, relation, limit
        self.data, self.reward = (Vector.of(x, "problem") for x in (problem.data, problem.reward))
        self.start(problem, "evidence.tree")
        self.weight = blocks(self.data.scale, self.reward.scale)
        problem.spend(8 * self.weight * len(problem.place), "evidence")  # once for each member

    def start(self, shape: Shape, root: str) -> None:
        self.shape, self.root = shape, root
        self.weight = 1  # steps for each pair that a node allows
        self.kinds: list[str] = []  # of the nodes
        self.pending: dict[int, Scope] = {}  # of the nodes whose parent has been met
        self.waiting = 0  # entries of them all

    def check(self, value: object) -> None:
        entries = items(value, self.root)
        if not entries:
            raise Rejected(self.root, "tree", "there is no root")
        nodes = [self.node(entry, f"{self.root}[{i}]") for i, entry in enumerate(entries)]
        self.pending[0] = Scope(tuple(tuple(pairs) for pairs in self.shape.pairs), {}, {}, set())
        # Children come later in the list, so one pass meets every node after its parent.
        for i, (kind, node) in enumerate(zip(self.kinds, nodes, strict=True)):
            step = f"{self.root}[{i}]"
            if i not in self.pending:
                raise Rejected(step, "tree", "this node is the child of no node")
            scope = self.pending.pop(i)
            self.waiting -= scope.entries
            self.shape.spend(scope.entries + self.weight * sum(map(len, scope.allowed)), step)
            if "hitting" in node:
                scope = self.hitting(scope, node["hitting"], f"{step}.hitting")
            place = (i,) if kind in self.splits else ()
            getattr(self, kind)(*place, scope, node[kind], f"{step}.{kind}")

    def node(self, value: object, step: str) -> dict[str, object]:
        known = [*self.splits, *self.leaves]
        kinds = [key for key in known if isinstance(value, dict) and key in value]
        if len(kinds) != 1 or not isinstance(value, dict):
            raise Malformed(step, f"expected an object with one of {', '.join(known)}")
        self.kinds += kinds
        hitting = {"hitting"} & value.keys() if isinstance(self.shape, Problem) else set()
        return record(value, {*kinds, *hitting}, step)

    def split(self, i: int, scope: Scope, value: object, step: str) -> None:
        body = record(value, ("state", "children"), step)
        s = index(body["state"], self.shape.size, step)
        unassigned, kept = set(scope.allowed[s]), set[int]()
        children: dict[int, tuple[int, ...]] = {}
        for k, entry in enumerate(items(body["children"], f"{step}.children")):
            at = f"{step}.children[{k}]"
            node, actions = items(entry, at, 2)
            child = self.child(i, node, at)
            pairs = tuple(self.shape.pair(s, action, at) for action in items(actions, at))
            if not pairs or len(set(pairs)) != len(pairs) or not unassigned.issuperset(pairs):
                raise Rejected(at, "split", "expected actions, allowed here and in no other child")
            unassigned.difference_update(pairs)
            kept.update(pairs if self.kinds[child] != "duplicate" else ())
            children[child] = pairs
            self.pending[child] = scope  # taken; what it allows is known below
        if unassigned:
            a = self.shape.place[min(unassigned)][1]
            raise Rejected(step, "split", f"action {a} is allowed here, but in no child")
        last = max(children)  # the one that keeps what all share when no other does
        for child, pairs in children.items():
            allowed = (*scope.allowed[:s], pairs, *scope.allowed[s + 1 :])
            shared = scope.bounds + 4 * len(kept) if child == last else 0
            entries = len(allowed) + len(pairs) + shared
            self.wait(child, replace(scope, allowed=allowed, kept=kept), entries, step)

    def child(self, i: int, node: object, step: str) -> int:
        """Read the index of a child: a later node, without a parent so far."""
        child = index(node, len(self.kinds), step)
        if child <= i or child in self.pending:
            raise Rejected(
                step, self.kinds[i], f"node {child} comes earlier, or has a parent already"
            )
        return child

    def wait(self, child: int, scope: Scope, entries: int, step: str) -> None:
        """Keep what is known at a child until its turn comes."""
        self.pending[child] = replace(scope, entries=entries)
        self.waiting += entries
        if self.waiting > MAX_WAITING:
            raise Malformed(step, f"more than {MAX_WAITING} entries at nodes that wait")

    def factor(self, value: object, step: str) -> Fraction:
        """Read a number by which something of each pair is multiplied."""
        x = number(value, step)
        self.shape.spend(len(self.shape.place) * (blocks(x) - 1), step)
        return x

    def value(self, scope: Scope, value: object, step: str) -> None:
        u = self.problem.vector(value, step)
        tall, reward = u.scale * (u.most or 1), self.reward.scale * (self.reward.most or 1)
        most = crossed(tall * self.problem.longest, reward)
        self.problem.spend(most * len(self.problem.place), step)
        for s, p in ((s, p) for s, pairs in enumerate(scope.allowed) for p in pairs):
            scale = self.problem.shifts[p][1].scale * u.scale
            if self.problem.scaled_shift(u, p) * self.reward.scale > self.reward.top[p] * scale:
                right = u.values[s] + self.problem.gain(u, p)
                need(u.values[s], "at most", right, f"{step}[{s}]", "value", "value")
        need(self.problem.mean(u), "more than", self.bad, step, "value", "return")

    def circulation(self, scope: Scope, value: object, step: str) -> None:
        problem, data = self.problem, self.data
        extra = ("scale",) if isinstance(value, dict) and "scale" in value else ()
        body = record(value, ("kappa", "flow", *extra), step)
        kappa = self.factor(body["kappa"], f"{step}.kappa")
        need(kappa, "at least", ZERO, f"{step}.kappa", "circulation", "kappa")
        written = problem.sparse(body["flow"], f"{step}.flow", "circulation")
        unit = number(body.get("scale", "1"), f"{step}.scale")
        need(unit, "more than", ZERO, f"{step}.scale", "circulation", "scale")
        # In integers: y(p) = flow[p] / scale, D(p) = data.top[p] / data.scale.
        values = Vector(list(written.values()), step)
        room(len(written) * unit.denominator.bit_length(), step)
        flow = dict(zip(written, (z * unit.denominator for z in values.top), strict=True))
        scale, coupled = values.scale * unit.numerator, kappa > 0
        problem.balance(flow, kappa * scale, step, "circulation.1")
        problem.spend(crossed(scale, data.scale * self.reward.scale) * len(problem.place), step)
        for p, z in flow.items():  # 2. and the first half of 3.; an omitted pair, 0, meets them
            s, a = problem.place[p]
            forced = scope.allowed[s] == (p,)
            if z * data.scale > data.top[p] * scale:
                most = problem.data[p] + (kappa * scope.lower.get(p, ZERO) if forced else 0)
                y = Fraction(z, scale)
                need(y, "at most", most, step, "circulation.2", f"flow of ({s}, {a})")
            if z < 0 and not forced:
                y = Fraction(z, scale)
                need(y, "at least", ZERO, step, "circulation.3", f"flow of ({s}, {a})")
        factor, below, bits = kappa.numerator * scale * data.scale, kappa.denominator, 0
        for p in (p for pairs in scope.allowed for p in pairs if coupled or p in flow):
            above = flow.get(p, 0) * data.scale + data.top[p] * scale
            top, bottom = scope.upper.get(p, problem.horizon).as_integer_ratio()
            bits += bottom.bit_length()
            if above * below * bottom < factor * top:
                what = "flow of ({}, {})".format(*problem.place[p])
                y = Fraction(flow.get(p, 0), scale)
                least = kappa * Fraction(top, bottom) - problem.data[p]
                need(y, "at least", least, step, "circulation.3", what)
        worth = sum(z * self.reward.top[p] for p, z in flow.items())
        problem.spend((factor.bit_length() * bits >> 17) + lowest(scale, self.reward.scale), step)
        scale *= self.reward.scale
        cost = Fraction(worth, scale) - kappa * self.bad
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
        problem, reward = self.problem, self.reward
        upper, lower = dict(scope.upper), dict(scope.lower)
        for i, entry in enumerate(items(value, step)):
            at = f"{step}[{i}]"
            priced = isinstance(entry, list) and len(entry) == 4
            state, side, heights, *extra = items(entry, at, 4 if priced else 3)
            s, h = index(state, problem.size, at), problem.vector(heights, at)
            if side not in ("upper", "lower") or (priced and side == "lower"):
                raise Malformed(at, 'expected "upper", perhaps with a price, or "lower"')
            price = number(extra[0], at) if priced else ZERO
            need(price, "at least", ZERO, at, "hitting", "price")
            relation = "at least" if side == "upper" else "at most"
            # In integers: unit * h.scale * the scale of the row times (Eh + price R)(p).
            unit, factor = price.denominator * reward.scale, price.numerator * h.scale
            divisors, bits = list[int](), 0
            tall = h.scale * (h.most or 1) * reward.scale * (reward.most or 1) * problem.longest
            size = lowest(unit, factor, tall)
            problem.spend(len(problem.place) * (1 + size), at)
            for t, pairs in enumerate(scope.allowed):
                due = "more than" if t == s else relation
                for p in pairs:
                    paid = factor * problem.shifts[p][1].scale * reward.top[p] if factor else 0
                    divisor = problem.scaled_shift(h, p) * unit + paid
                    if not RELATIONS[due](divisor, 0):
                        found = problem.shift(h, p) + price * problem.reward[p]
                        raise refusal(found, due, ZERO, at, "hitting", f"potential at state {t}")
                    if t == s:
                        divisors.append(divisor)
                        bits += divisor.bit_length()
                        room(bits, at)
            start, pairs = problem.mean(h) + price * self.bad, scope.allowed[s]
            size = lowest(unit, factor, tall, *start.as_integer_ratio())
            problem.spend(len(pairs) * (8 + size), at)
            scales = (unit * h.scale * problem.shifts[p][1].scale for p in pairs)
            tops = (start.numerator * scale for scale in scales)
            bottoms = (start.denominator * divisor for divisor in divisors)
            for p, bound in zip(pairs, kept(map(Fraction, tops, bottoms), at), strict=True):
                if side == "upper":
                    upper[p] = min(bound, upper.get(p, problem.horizon))
                else:
                    lower[p] = max(bound, lower.get(p, ZERO))
        bounds = [3 + (width(x) >> 9) for known in (upper, lower) for x in known.values()]
        problem.spend(4 * len(bounds), step)
        return replace(scope, upper=upper, lower=lower, bounds=sum(bounds))


# == Part: regularised problems


def longest_number(document: object) -> int:
    """Return the number of characters of the longest number."""
    most, waiting = 0, [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            most = max(most, len(value) if NUMBER.fullmatch(value) else 0)
        elif isinstance(value, dict | list):
            waiting += value.values() if isinstance(value, dict) else value
    return most


class Regularizer:
    """weight * omega, where omega sums c x + q (x - rho)^2 + m |x - rho| over the pairs.

    x is the normalised occupancy measure, (1 - discount) eta.
    """

    def __init__(self, problem: Problem, evidence: dict[str, object]) -> None:
        step, value = "problem.regularizer", problem.regularizer
        kind = value.get("kind") if isinstance(value, dict) else None
        if kind not in REGULARIZERS:
            raise Malformed(step, f"expected an object with a kind of {', '.join(REGULARIZERS)}")
        source = "coefficients" if kind == "linear" else "reference"
        body = record(value, ("kind", "weight", source), step)
        self.problem, self.weight = problem, number(body["weight"], f"{step}.weight")
        need(self.weight, "at least", ZERO, f"{step}.weight", "problem", "weight")
        self.scale = self.weight * (1 - problem.discount)  # lambda'
        given = problem.table(body[source], f"{step}.{source}", number)
        nothing = [ZERO] * len(given)
        self.c, self.rho = (given, nothing) if kind == "linear" else (nothing, nothing)
        self.m = [Fraction(1, 2)] * len(given) if kind == "tv" else nothing
        self.q = [ONE] * len(given) if kind == "l2" else nothing
        if kind == "linear":
            return
        for s, pairs in enumerate(problem.pairs):
            problem.distribution([given[p] for p in pairs], f"{step}.{source}[{s}]", "problem")
        at = "evidence.reference"
        visits = problem.vector(evidence["reference"], at).values
        flow = kept((visits[s] * x for x, (s, _) in zip(given, problem.place, strict=True)), at)
        problem.balance(dict(enumerate(flow)), ONE, at, "reference")
        self.rho = [(1 - problem.discount) * y for y in flow]
        if kind == "chi2":
            for s in problem.reached(set(range(len(given)))):
                for p in problem.pairs[s]:
                    need(self.rho[p], "more than", ZERO, step, "problem", "reference occupancy")
            self.q = [1 / x if x else ZERO for x in self.rho]

    def omega(self, x: list[Fraction]) -> Fraction:
        """Return omega at normalised occupancies, or at any other numbers."""
        gaps = [z - r for z, r in zip(x, self.rho, strict=True)]
        rows = zip(self.c, self.q, self.m, x, gaps, strict=True)
        terms = (c * z + q * d * d + m * abs(d) for c, q, m, z, d in rows)
        return self.problem.added(terms, "evidence")

    def slope(self, h: list[Fraction], x: list[Fraction], step: str, rule: str) -> None:
        """Refuse h unless omega(x') >= omega(x) + <h, x' - x> for all x'."""
        for p, (s, a) in enumerate(self.problem.place):
            smooth = self.c[p] + 2 * self.q[p] * (x[p] - self.rho[p])
            low = smooth + (self.m[p] if x[p] > self.rho[p] else -self.m[p])
            high = smooth + (-self.m[p] if x[p] < self.rho[p] else self.m[p])
            need(h[p], "at least", low, f"{step}[{s}][{a}]", rule, "slope")
            need(h[p], "at most", high, f"{step}[{s}][{a}]", rule, "slope")


def check_regularised_witness(
    regularizer: Regularizer, value: object, budget: Fraction, bad: Fraction
) -> None:
    """Verify a reward model of cost at most `budget` with a regularised-optimal bad policy."""
    step, problem = "evidence.witness", regularizer.problem
    body = record(value, ("reward", "occupancy", "slope", "value"), step)
    reward = problem.table(body["reward"], f"{step}.reward", number)
    visits = problem.table(body["occupancy"], f"{step}.occupancy", number)
    slope = problem.table(body["slope"], f"{step}.slope", number)
    v = problem.vector(body["value"], f"{step}.value")
    errors = [abs(x - r) for x, r in zip(reward, problem.reward, strict=True)]
    check_cost(problem, errors, budget)
    need(min(visits), "at least", ZERO, f"{step}.occupancy", "witness.2", "least occupancy")
    problem.balance(dict(enumerate(visits)), ONE, f"{step}.occupancy", "witness.2")
    share = [(1 - problem.discount) * x for x in visits]
    regularizer.slope(slope, share, f"{step}.slope", "witness.2")
    for p, (s, a) in enumerate(problem.place):
        relation, at = "exactly" if visits[p] > 0 else "at most", f"{step}.reward[{s}][{a}]"
        paid = reward[p] - regularizer.scale * slope[p]
        need(paid, relation, problem.shift(v, p), at, "witness.3", "reward less its price")
    worth = problem.added((x * r for x, r in zip(visits, problem.reward, strict=True)), step)
    need(worth, "at most", bad, f"{step}.occupancy", "witness.4", "return")


class CaseTree(Tree):
    """Verify that each bad occupancy measure costs an amount in `relation` to `limit`."""

    splits, leaves = ("case", "side"), ("dual", "gap")

    def __init__(
        self, regularizer: Regularizer, bad: Fraction, relation: str, limit: Fraction
    ) -> None:
        super().__init__(regularizer.problem, bad, relation, limit)
        self.regularizer = regularizer

    def case(self, i: int, scope: Scope, value: object, step: str) -> None:
        body = record(value, ("state", "action", "unused", "used"), step)
        p = self.problem.pair(body["state"], body["action"], step)
        s = self.problem.place[p][0]
        if p in scope.used or p not in scope.allowed[s]:
            raise Rejected(step, "case", "the case of this pair is known")
        fewer = tuple(other for other in scope.allowed[s] if other != p)
        allowed = (*scope.allowed[:s], fewer, *scope.allowed[s + 1 :])
        self.keep(self.child(i, body["unused"], step), replace(scope, allowed=allowed), step)
        self.keep(self.child(i, body["used"], step), replace(scope, used=scope.used | {p}), step)

    def side(self, i: int, scope: Scope, value: object, step: str) -> None:
        body = record(value, ("state", "action", "below", "at", "above"), step)
        p = self.problem.pair(body["state"], body["action"], step)
        if p in scope.sides or not self.regularizer.m[p]:
            raise Rejected(step, "side", "the side of this pair is known, or plays no part")
        for key, sign in (("below", -1), ("at", 0), ("above", 1)):
            child, sides = self.child(i, body[key], step), {**scope.sides, p: sign}
            self.keep(child, replace(scope, sides=sides), step)

    def keep(self, child: int, scope: Scope, step: str) -> None:
        """Let a child wait: it may outlive all others that share what it knows."""
        known = (scope.allowed, *scope.allowed, scope.used, scope.sides)
        self.wait(child, scope, scope.bounds + sum(map(len, known)), step)

    def dual(self, scope: Scope, value: object, step: str) -> None:
        problem, omega = self.problem, self.regularizer
        problem.spend(50 * len(problem.place), step)
        body = record(value, ("flow", "kappa", "value", "bounds"), step)
        kappa = self.factor(body["kappa"], f"{step}.kappa")
        need(kappa, "at least", ZERO, f"{step}.kappa", "dual", "kappa")
        flow = problem.entries(body["flow"], f"{step}.flow", "dual")
        bounds = problem.entries(body["bounds"], f"{step}.bounds", "dual")
        u = problem.vector(body["value"], f"{step}.value")
        problem.balance(flow, ZERO, step, "dual.1")
        for p, w in flow.items():
            what = "flow of ({}, {})".format(*problem.place[p])
            need(w, "at most", problem.data[p], step, "dual.2", what)
            least = -problem.data[p] if p in scope.used else ZERO
            need(w, "at least", least, step, "dual.2", what)
        for p, beta in bounds.items():
            side = scope.sides.get(p)
            if beta and (side is None or side * beta < 0):
                raise Rejected(f"{step}.bounds", "dual.3", "no such bound of this pair is known")
        for p in (p for pairs in scope.allowed for p in pairs):
            bend = 2 * omega.scale * omega.q[p] * (1 - problem.discount)
            left = kappa * problem.reward[p] - bend * flow.get(p, ZERO) - bounds.get(p, ZERO)
            what = "price of ({}, {})".format(*problem.place[p])
            need(left, "at least", problem.shift(u, p), step, "dual.3", what)

        def gained() -> Iterator[Fraction]:
            yield from (x * omega.rho[p] * problem.horizon for p, x in bounds.items())
            for p, w in flow.items():
                fixed = omega.c[p] - 2 * omega.q[p] * omega.rho[p]
                kink = omega.m[p] * (scope.sides.get(p, 0) * w or abs(w))
                yield w * (problem.reward[p] - omega.scale * fixed) - omega.scale * kink

        cost = problem.mean(u) - kappa * self.bad + problem.added(gained(), step)
        need(cost, self.relation, self.limit, step, "dual.4", "cost")

    def gap(self, scope: Scope, value: object, step: str) -> None:
        problem, omega = self.problem, self.regularizer
        problem.spend(100 * len(problem.place), step)
        body = record(value, ("flow", "kappa", "at", "slope", "price", "value"), step)
        kappa, price = (self.factor(body[key], f"{step}.{key}") for key in ("kappa", "price"))
        need(kappa, "more than", ZERO, f"{step}.kappa", "gap", "kappa")
        need(price, "at least", ZERO, f"{step}.price", "gap", "price")
        flow, point, slope = (
            problem.entries(body[key], f"{step}.{key}", "gap") for key in ("flow", "at", "slope")
        )
        u = problem.vector(body["value"], f"{step}.value")
        problem.balance(flow, kappa, step, "gap.1")
        for p, y in flow.items():
            what = "flow of ({}, {})".format(*problem.place[p])
            need(y, "at least", ZERO, step, "gap.2", what)
            need(y, "at most", problem.data[p], step, "gap.2", what)
        allowed = [p for pairs in scope.allowed for p in pairs]
        every = range(len(problem.place))
        h, z = ([found.get(p, ZERO) for p in every] for found in (slope, point))
        omega.slope(h, z, f"{step}.slope", "gap.3")
        for p in allowed:
            least = kappa * scope.upper.get(p, problem.horizon) - problem.data[p]
            what = "({}, {})".format(*problem.place[p])
            need(flow.get(p, ZERO), "at least", least, step, "gap.2", f"flow of {what}")
            left = (1 - price) * problem.reward[p] - omega.scale * h[p]
            need(left, "at most", problem.shift(u, p), step, "gap.3", f"gain of {what}")
        worth = problem.added((y * problem.reward[p] for p, y in flow.items()), step)
        share = kept(((1 - problem.discount) * flow.get(p, ZERO) / kappa for p in every), step)
        tangent = problem.added((x * y for x, y in zip(h, z, strict=True)), step) - omega.omega(z)
        most = omega.weight * tangent + price * self.bad + problem.mean(u)
        cost = worth - kappa * omega.weight * omega.omega(share) - kappa * most
        need(cost, self.relation, self.limit, step, "gap.4", "cost")


# == Part: KL-regularised problems
# Bounds of exp and log are sums and products of whole numbers of 2^-work, each rounded to the safe
# side.


def rounded(top: int, bottom: int, up: bool) -> int:
    """Return top / bottom rounded up or down."""
    return -(-top // bottom) if up else top // bottom


@lru_cache(maxsize=8)  # few, as the hashes of fractions can be chosen to be equal
def exp_bound(x: Fraction, bits: int, up: bool) -> Fraction:
    """Return a bound of exp(x), from above or from below, to about `bits` digits."""
    size, above = abs(x), up == (x > 0)  # exp(-x) = 1 / exp(x)
    if size > MAX_EXPONENT:
        raise Malformed("evidence", f"an exponent beyond {MAX_EXPONENT}")
    if not x:
        return ONE
    halvings = max(0, size.numerator.bit_length() - size.denominator.bit_length() + 2)
    work = bits + 2 * halvings + 16
    step = rounded(size.numerator << work, size.denominator << halvings, above)  # at most 1/2
    total = term = 1 << work
    n = 0
    while term > 1:
        n += 1
        term = rounded(term * step, n << work, above)
        total += term
    total += above  # what is left of the series is less than its last term, 1
    for _ in range(halvings):
        total = rounded(total * total, 1 << work, above)
    if x > 0:
        return Fraction(total, 1 << work)
    places = work + total.bit_length()
    return Fraction(rounded(1 << work + places, total, up), 1 << places)


@lru_cache(maxsize=8)
def log_bound(x: Fraction, bits: int, up: bool) -> Fraction:
    """Return a bound of log(x), x > 0, from above or from below, to about `bits` digits."""
    if x < 1:
        return -log_bound(1 / x, bits, not up)
    power = 0 if x == 2 else x.numerator.bit_length() - x.denominator.bit_length()
    power -= x < Fraction(2) ** power
    work, base = bits + 16, x.denominator << power  # x = 2^power m, log m = 2 artanh((m-1)/(m+1))
    term = total = rounded((x.numerator - base) << work, x.numerator + base, up)  # at most 1/3
    square, n = rounded(term * term, 1 << work, up), 1
    while term > 1:
        term, n = rounded(term * square, 1 << work, up), n + 2
        total += rounded(term, n, up)
    total += up  # what is left of the series is less than its last term, 1
    found = Fraction(2 * total, 1 << work)
    return found + power * log_bound(Fraction(2), bits, up) if power else found


class Soft:
    """weight * KL to the reference, and the metric of the error."""

    def __init__(self, problem: Problem, bits: int) -> None:
        step = "problem.regularizer"
        body = record(problem.regularizer, ("kind", "weight", "reference"), step)
        self.problem, self.metric = problem, problem.metric
        self.bits = bits
        if bits < MIN_BITS:
            raise Malformed("evidence.bits", f"expected at least {MIN_BITS}")
        self.effort = 10 + (bits**2 >> 14)  # steps of arithmetic with what an enclosure returns
        weight = number(body["weight"], f"{step}.weight")
        need(weight, "more than", ZERO, f"{step}.weight", "problem", "weight")
        self.scale = weight * (1 - problem.discount)  # lambda'
        self.reference = problem.table(body["reference"], f"{step}.reference", number)
        for s, pairs in enumerate(problem.pairs):
            at = f"{step}.reference[{s}]"
            problem.distribution([self.reference[p] for p in pairs], at, "problem")
            need(min(self.reference[p] for p in pairs), "more than", ZERO, at, "problem", "least")
        self.spread = max(problem.reward) - min(problem.reward)
        if self.metric in ("preferences", "returns"):
            added = problem.added
            mass = [added((problem.data[p] for p in pairs), step) for pairs in problem.pairs]
            for p, (s, a) in enumerate(problem.place):
                at = f"problem.data[{s}][{a}]"
                due = mass[s] * self.reference[p]
                need(problem.data[p], "exactly", due, at, "metric", "data of the reference")
            visits = dict(enumerate(problem.data))
            problem.balance(visits, 1 - problem.discount, "problem.data", "metric")
        if self.metric == "preferences":
            need(problem.discount, "exactly", ZERO, "problem.metric", "metric", "discount")

    def exp(self, x: Fraction, up: bool) -> Fraction:
        self.spend(2 * int(abs(x)))  # digits of the result
        return exp_bound(x, self.bits, up)

    def log(self, x: Fraction, up: bool) -> Fraction:
        self.spend(0)
        return log_bound(x, self.bits, up)

    def spend(self, more: int) -> None:
        """Count the steps of an enclosure, whose work grows with the square of its digits."""
        self.problem.spend(100 + ((self.bits + more) ** 2 >> 8), "evidence")

    def softplus(self, x: Fraction, up: bool) -> Fraction:
        """Return a bound of log(1 + exp(x))."""
        return max(x, ZERO) + self.log(1 + self.exp(-abs(x), up), up)

    def divergence(self, x: Fraction, u: Fraction, up: bool) -> Fraction:
        """Return a bound of KL(sigma(x) | sigma(x + u))."""
        if not u:
            return ZERO
        sigma = 1 / (1 + self.exp(-x, up == (u > 0)))
        return self.softplus(x + u, up) - self.softplus(x, not up) - sigma * u

    def cost(self, e: list[Fraction], budget: Fraction, step: str) -> None:
        """Refuse errors of more than `budget` in the metric."""
        problem = self.problem
        if self.metric == "preferences":
            gaps = []
            for s, pairs in enumerate(problem.pairs):
                problem.spend(50 * len(pairs) ** 2, step)
                for p, q in product(pairs, pairs if problem.initial.top[s] else ()):
                    share = problem.initial.values[s] * self.reference[p] * self.reference[q]
                    gap = problem.reward[p] - problem.reward[q]
                    gaps.append(share * self.divergence(gap, e[p] - e[q], True))
            error = problem.added(gaps, step)
        else:
            sizes = [x * x if self.metric == "mse" else abs(x) for x in e]
            error = problem.added((d * x for d, x in zip(problem.data, sizes, strict=True)), step)
        unit = self.spread**2 if self.metric == "mse" else self.spread
        need(error, "at most", budget * unit, step, "witness.1", "error")

    def limit(self, low: Fraction, evidence: dict[str, object]) -> Fraction:
        """Return what a bad policy costs in sum D|e| if it costs `low` in the metric."""
        if self.metric not in ("mse", "preferences"):
            return low * self.spread
        step = "evidence.level"
        level = number(evidence["level"], step)
        need(level, "at least", ZERO, step, "level", "level")
        found = level * level
        if self.metric == "preferences":
            rewards = [[self.problem.reward[p] for p in pairs] for pairs in self.problem.pairs]
            most = max(max(row) - min(row) for row in rewards)
            found = self.divergence(most, level * self.spread, False) / self.spread
        need(found, "at least", low, step, "level", "error at this level")
        return level * self.spread

    def partition(self, values: list[Fraction], pairs: range) -> tuple[Fraction, Fraction]:
        """Return bounds of lambda' log sum ref exp(value / lambda'), of one state."""
        top = max(values)
        weighed = list(zip((self.reference[p] for p in pairs), values, strict=True))
        ends = []
        for up in (False, True):
            terms = (q * self.exp((x - top) / self.scale, up) for q, x in weighed)
            ends.append(top + self.scale * self.log(self.problem.added(terms, "evidence"), up))
        return ends[0], ends[1]

    def witness(self, value: object, budget: Fraction, bad: Fraction) -> None:
        """Verify a reward model whose optimal policy has a return of at most `bad`."""
        step, problem = "evidence.witness", self.problem
        body = record(value, ("reward", "value", "policy_value"), step)
        reward = problem.table(body["reward"], f"{step}.reward", number)
        v = problem.vector(body["value"], f"{step}.value")
        u = problem.vector(body["policy_value"], f"{step}.policy_value")
        errors = [x - r for x, r in zip(reward, problem.reward, strict=True)]
        self.cost(errors, budget, f"{step}.reward")
        pairs_of = enumerate(problem.place)
        gains = [reward[p] + v.values[s] - problem.shift(v, p) for p, (s, _) in pairs_of]
        delta = ZERO
        if problem.discount:
            for s, pairs in enumerate(problem.pairs):
                for x in self.partition([gains[p] for p in pairs], pairs):
                    delta = max(delta, abs(x - v.values[s]) * problem.horizon)
        blur = problem.discount * delta / self.scale
        for s, pairs in enumerate(problem.pairs):
            top = max(gains[p] for p in pairs)
            worth = [u.values[s] + problem.gain(u, p) for p in pairs]
            least, above, below = min(worth), list[Fraction](), list[Fraction]()
            for p, x in zip(pairs, worth, strict=True):
                exponent = (gains[p] - top) / self.scale
                above.append(self.reference[p] * self.exp(exponent + blur, True) * (x - least))
                below.append(self.reference[p] * self.exp(exponent - blur, False))
            mean = least + problem.added(above, step) / problem.added(below, step)
            at = f"{step}.policy_value[{s}]"
            need(u.values[s], "at least", mean, at, "witness.3", "value")
        need(problem.mean(u), "at most", bad, f"{step}.policy_value", "witness.4", "return")


@dataclass(frozen=True, slots=True)
class Cut:
    """A piece of a curve: v at its ends, and bounds of w (R - T) there; its bad pairs."""

    costs: list[Fraction]
    gains: list[dict[tuple[int, bool], Fraction]]
    bad: list[int]
    scale: int  # the common denominator of the gains, which sums of them have


class CurveTree(Tree):
    """Verify that each bad policy of a KL-regularised problem costs an amount in `relation`."""

    splits, leaves = ("cut",), ("multiplier", "gap", "full")

    def __init__(
        self,
        soft: Soft,
        evidence: dict[str, object],
        level: Fraction,
        bad: Fraction,
        relation: str,
        low: Fraction,
    ) -> None:
        super().__init__(soft.problem, bad, relation, low)
        self.soft, self.evidence, self.level = soft, evidence, level
        self.curves: dict[int, list[tuple[Fraction, Fraction]]] = {}  # by state: points (T, v)

    def check(self, value: object) -> None:
        self.limit = self.soft.limit(self.limit, self.evidence)
        curves = items(self.evidence["curves"], "evidence.curves", self.problem.size)
        for s, curve in enumerate(curves):
            step = f"evidence.curves[{s}]"
            body = record(curve, ("points", "pieces"), step)
            if self.problem.initial.top[s] and not self.problem.discount:
                self.curves[s] = self.points(s, body, step)
            else:  # no points are due for this state
                items(body["points"], f"{step}.points", 0)
                items(body["pieces"], f"{step}.pieces", 0)
        super().check(value)

    def points(self, s: int, body: dict[str, object], step: str) -> list[tuple[Fraction, Fraction]]:
        problem, pairs = self.problem, self.problem.pairs[s]
        found: list[tuple[Fraction, Fraction]] = []
        for i, entry in enumerate(items(body["points"], f"{step}.points")):
            at = f"{step}.points[{i}]"
            t, v = (number(x, at) for x in items(entry, at, 2))
            if i:
                need(t, "more than", found[-1][0], at, "curves.1", "T")
            found.append((t, v))
        if not found:
            raise Rejected(step, "curves.1", "expected points")
        rewards = [problem.reward[p] for p in pairs]
        need(found[0][0], "at most", min(rewards), step, "curves.1", "least T")
        need(found[-1][1], "at most", ZERO, step, "curves.1", "last v")
        top, scale = max(rewards), self.soft.scale
        weights = {
            (p, up): self.soft.reference[p] * self.soft.exp((r - top) / scale, up)
            for p, r in zip(pairs, rewards, strict=True)
            for up in (False, True)
        }
        pieces = items(body["pieces"], f"{step}.pieces", len(found) - 1)
        for i, (start, end, piece) in enumerate(zip(found, found[1:], pieces, strict=False)):
            at = f"{step}.pieces[{i}]"
            problem.spend(5 * len(pairs), at)
            if any(start[0] < r < end[0] for r in rewards):
                raise Rejected(at, "curves.2", "a reward is inside the piece")
            body = record(piece, ("price", "raises"), at)
            bad = [p for p in pairs if problem.reward[p] <= start[0]]
            due = bad if max(start[1], end[1]) > 0 else []
            raises: dict[int, list[dict[str, object]]] = {}
            for x in [record(y, RAISE, at) for y in items(body["raises"], f"{at}.raises")]:
                raises.setdefault(problem.pair(s, x["action"], at), []).append(x)
            if raises.keys() != set(due):
                raise Rejected(at, "curves.2", "expected a raise of each bad action")
            price = number(body["price"], f"{at}.price")
            if due:
                good = set(pairs).difference(bad)
                need(price, "at least", ZERO, f"{at}.price", "curves.6", "price")
                gains = [
                    {(p, up): w * (problem.reward[p] - t) for (p, up), w in weights.items()}
                    for t, _ in (start, end)
                ]
                shared = common((x.denominator for row in gains for x in row.values()), at)
                cut = Cut([start[1], end[1]], gains, bad, shared)
                self.unraised(cut, good, price, at)
                for p, mine in raises.items():
                    outside = [self.raised(cut, p, good, x, at) for x in mine]
                    if prod(map(len, outside)) > MAX_CHOICES:
                        raise Malformed(at, f"more than {MAX_CHOICES} sets of lowered actions")
                    data, heavy = self.data.top, len(mine) * blocks(self.data.scale)
                    problem.spend(prod(map(len, outside)) * heavy, at)
                    for chosen in product(*outside):
                        mass, least = sum(data[q] for q in set(chosen)), data[p]
                        what = "data, over their common denominator"
                        need(Fraction(mass), "at least", Fraction(least), at, "curves.3", what)
        return found

    def raised(
        self, cut: Cut, p: int, good: set[int], body: dict[str, object], step: str
    ) -> set[int]:
        """Verify the boxes of a raise; return the good actions that it does not let be lowered."""
        problem, s = self.problem, self.problem.place[p][0]
        lowered = {problem.pair(s, a, step) for a in items(body["lowered"], f"{step}.lowered")}
        stops = [number(x, f"{step}.ends") for x in items(body["ends"], f"{step}.ends")]
        entries = items(body["prices"], f"{step}.prices", len(stops))
        reach = self.soft.scale * problem.data[p] * (stops[-1] if stops else ZERO)
        need(reach, "at least", max(cut.costs), step, "curves.4", "cost at the last end")
        last = ZERO
        tilted = {index(j, len(stops), step) for j in items(body["tilted"], f"{step}.tilted")}
        for j, (stop, entry) in enumerate(zip(stops, entries, strict=True)):
            price = number(entry, f"{step}.prices")
            need(stop, "more than", last, f"{step}.ends", "curves.4", "end")
            need(price, "more than", ZERO, f"{step}.prices", "curves.4", "price")
            self.box(cut, p, lowered & good, (last, stop), price, j in tilted, step)
            last = stop
        return good - lowered

    def effort(self, cut: Cut, *factors: Fraction) -> int:
        """Return the steps of sums of the gains, times these."""
        long = lowest(cut.scale, *(part for x in factors for part in x.as_integer_ratio())) >> 2
        return len(cut.gains[0]) * (self.soft.effort + long)

    def unraised(self, cut: Cut, good: set[int], price: Fraction, step: str) -> None:
        """Verify that lowering good actions alone costs a piece."""
        self.problem.spend(self.effort(cut, price), step)
        for v, gains in zip(cut.costs, cut.gains, strict=True):
            found = price * sum(gains[q, True] for q in cut.bad)
            for q in good:
                found += self.saved(q, price * gains[q, False])
            need(self.soft.scale * found, "at least", v, step, "curves.6", "cost")

    def saved(self, p: int, u: Fraction) -> Fraction:
        """Return a bound from below of phi, the least -D log y + u y over 0 < y <= 1."""
        data = self.problem.data[p]
        if u <= data or not data:
            return min(u, data)
        return data * (1 + self.soft.log(u / data, False))

    def box(
        self,
        cut: Cut,
        p: int,
        lowered: set[int],
        raises: tuple[Fraction, Fraction],
        price: Fraction,
        tilted: bool,
        step: str,
    ) -> None:
        """Verify that raising pair `p` by as much as is between `raises` costs a piece."""
        soft, data, middle = self.soft, self.problem.data, sum(raises, ZERO) / 2
        self.problem.spend(self.effort(cut, price, *raises), step)
        good = {q for q, _ in cut.gains[0]}.difference(cut.bad)
        eased, sloped = dict[bool, Fraction](), set[int]()
        if tilted:
            most = price * soft.exp(-raises[0], True)
            sloped = {q for q in lowered if most * cut.gains[0][q, True] > data[q]}
            for up in {False, raises[1] > 1 + middle}:
                eased[up] = price * soft.exp(-middle, up)
        for v, gains in zip(cut.costs, cut.gains, strict=True):
            rest = sum((gains[q, True] for q in cut.bad if q != p), ZERO)
            flat = ZERO  # what does not depend on x
            for q in good if not tilted else ():
                gain = price * gains[q, False]
                flat += self.saved(q, gain) if q in lowered else gain
            for x in raises:
                lift, fall = (ONE, soft.exp(-x, True)) if tilted else (soft.exp(x, True), ONE)
                found = flat + data[p] * x + price * (lift * gains[p, True] + fall * rest)
                for q in good if tilted else ():
                    if q in sloped:
                        u = eased[False] * gains[q, False]
                        tilt = min(u, data[q]) if x < middle else data[q]
                        found += self.saved(q, u) + tilt * (middle - x)
                    else:
                        up = x > 1 + middle  # where the tangent is below 0
                        found += eased[up] * gains[q, up] * (1 + middle - x)
                need(soft.scale * found, "at least", v, step, "curves.5", "cost")

    def cut(self, i: int, scope: Scope, value: object, step: str) -> None:
        body = record(value, ("state", "point", "below", "above"), step)
        s = index(body["state"], self.problem.size, step)
        low, high = scope.ranges.get(s, (0, len(self.curves.get(s, ())) - 1))
        point = index(body["point"], max(high, 0), step)
        if point <= low:
            raise Rejected(step, "cut", "the point is not inside the range of this state")
        for key, found in (("below", (low, point)), ("above", (point, high))):
            child, ranges = self.child(i, body[key], step), {**scope.ranges, s: found}
            self.wait(child, replace(scope, ranges=ranges), scope.bounds + len(ranges), step)

    def multiplier(self, scope: Scope, value: object, step: str) -> None:
        kappa = self.factor(value, step)
        need(kappa, "at least", ZERO, step, "multiplier", "kappa")
        lasting = kappa * self.problem.discount
        need(lasting, "exactly", ZERO, step, "multiplier", "discount times kappa")
        least = [-kappa * self.bad]
        for s, points in self.curves.items():
            low, high = scope.ranges.get(s, (0, len(points) - 1))
            self.problem.spend(8 * (high - low), step)
            share = kappa * self.problem.initial.values[s]
            least.append(min(v + share * t for t, v in points[low : high + 1]))
        need(self.problem.added(least, step), self.relation, self.limit, step, "multiplier", "cost")

    def full(self, scope: Scope, value: object, step: str) -> None:  # noqa: ARG002
        items(value, step, 0)
        need(self.level, "exactly", ONE, step, "full", "regret")

    def gap(self, scope: Scope, value: object, step: str) -> None:
        problem, soft = self.problem, self.soft
        body = record(value, ("flow", "kappa", "price", "value"), step)
        kappa, price = (self.factor(body[key], f"{step}.{key}") for key in ("kappa", "price"))
        need(kappa, "more than", ZERO, f"{step}.kappa", "gap", "kappa")
        need(price, "at least", ZERO, f"{step}.price", "gap", "price")
        if soft.metric == "returns":
            need(problem.discount, "exactly", ZERO, step, "gap", "discount")
        flow = problem.entries(body["flow"], f"{step}.flow", "gap")
        need(min(flow.values(), default=ZERO), "at least", ZERO, step, "gap.2", "least flow")
        u = problem.vector(body["value"], f"{step}.value")
        problem.balance(flow, kappa, step, "gap.1")
        gained = [-kappa * (problem.mean(u) + price * self.bad)]
        for s, pairs in enumerate(problem.pairs):
            weights = list[Fraction]()
            mass = problem.added((flow.get(p, ZERO) for p in pairs), step)
            for p in pairs:
                y, what = flow.get(p, ZERO), "flow of ({}, {})".format(*problem.place[p])
                need(y, "at most", problem.data[p], step, "gap.2", what)
                least = kappa * scope.upper.get(p, problem.horizon) - problem.data[p]
                need(y, "at least", least, step, "gap.2", what)
                left = (1 - price) * problem.reward[p] - problem.shift(u, p)
                weights.append(soft.reference[p] * soft.exp(left / soft.scale, True))
                if y:
                    penalty = soft.log(y / (mass * soft.reference[p]), True)
                    gained.append(y * (problem.reward[p] - soft.scale * penalty))
            at = f"{step}.value[{s}]"
            need(problem.added(weights, at), "at most", ONE, at, "gap.3", "sum of weights")
        need(problem.added(gained, step), self.relation, self.limit, step, "gap.4", "cost")


# == Part: claims about many data distributions


class ResultForMany(Result):
    """A claim about more than one data distribution that was found proven."""

    __slots__ = ()

    @property
    def sentence(self) -> str:
        """The claim in words."""
        regret, error = f"regret >= {show(self.regret)}", f"error <= {show(self.epsilon)}"
        low, high = show(self.lower), show(self.upper)
        if self.kind == "critical":
            return f"{low} <= critical epsilon of the set <= {high}, for {regret}"
        if self.kind == "nearest":
            what = f"those of the set with a safety radius of at least {show(self.epsilon)}"
            return f"{low} <= distance of D from {what} <= {high}, for {regret}"
        if self.kind == "fewest":
            return f"{low} <= fewest samples to add for a safe D <= {high}, {error}, {regret}"
        what = self.kind.replace("-", " D of the set is ").replace("all", "every")
        some = "no" if self.kind == "all-safe" else "some"
        return f"{what}: {some} reward with {error} has an optimal policy with {regret}"


class DataSet:
    """The data distributions that a claim is about: those that meet rows, or a convex hull."""

    def __init__(self, problem: Problem, value: object) -> None:
        self.problem, step = problem, "claim.set"
        mixed = isinstance(value, dict) and "mixture" in value
        body = record(value, ("mixture",) if mixed else ("rows",), step)
        self.members: list[list[Fraction]] | None = None
        self.rows: list[tuple[dict[int, Fraction], str, Fraction]] = []
        if mixed:
            tables = list(enumerate(items(body["mixture"], step)))
            if not tables:
                raise Rejected(step, "set", "expected at least one member")
            self.members = [
                problem.table(table, f"{step}.mixture[{i}]", number) for i, table in tables
            ]
            for member in self.members:
                problem.distribution(member, step, "set")
            return
        for i, entry in enumerate(items(body["rows"], step)):
            at = f"{step}.rows[{i}]"
            row = record(entry, ("flow", "relation", "bound"), at)
            if row["relation"] not in ("at most", "exactly"):
                raise Malformed(at, 'expected "at most" or "exactly"')
            flow = problem.entries(row["flow"], f"{at}.flow", "set")
            self.rows.append((flow, str(row["relation"]), number(row["bound"], f"{at}.bound")))

    def member(self, value: object) -> list[Fraction]:
        """Read a distribution of the set."""
        step = "evidence.distribution"
        if self.members is not None:
            entries = enumerate(items(value, step, len(self.members)))
            weights = [number(x, f"{step}[{i}]") for i, x in entries]
            self.problem.distribution(weights, step, "distribution")
            columns = zip(*self.members, strict=True)
            return kept((self.problem.added(map(mul, weights, c), step) for c in columns), step)
        data = self.problem.table(value, step, number)
        self.problem.distribution(data, step, "distribution")
        for flow, relation, bound in self.rows:
            found = self.problem.added((c * data[p] for p, c in flow.items()), step)
            need(found, relation, bound, step, "distribution", "row of the set")
        return data

    def most(self, c: list[Fraction], total: object, rows: object) -> Fraction:
        """Return a bound of <c, D> for every D of the set."""
        step = "evidence.cover"
        entries = enumerate(items(rows, f"{step}.rows", len(self.rows)))
        prices = [number(y, f"{step}.rows[{i}]") for i, y in entries]
        height = number(total, f"{step}.total")
        if self.members is not None:
            need(height, "exactly", ZERO, f"{step}.total", "cover.1", "total")
            return max(self.problem.added(map(mul, c, member), step) for member in self.members)
        right, most = [[(height, ONE)] for _ in c], [(height, ONE)]
        for y, (flow, relation, bound) in zip(prices, self.rows, strict=True):
            if relation == "at most":
                need(y, "at least", ZERO, f"{step}.rows", "cover.1", "multiplier")
            most.append((y, bound))
            for p, x in flow.items():
                right[p].append((y, x))
        for p, (s, a) in enumerate(self.problem.place):
            what = f"weighted error of ({s}, {a})"
            goal = self.problem.added(starmap(mul, right[p]), step)
            need(c[p], "at most", goal, step, "cover.1", what)
        return self.problem.added(starmap(mul, most), step)


def check_cover(
    found: DataSet, value: object, bad: Fraction, nearest: bool
) -> tuple[Fraction, ...]:
    """Return a bound of <c, D> over the set, the sum of the weights, and <signs, data>/2."""
    step, problem = "evidence.cover", found.problem
    body = record(value, ("weights", "witnesses", "signs", "total", "rows"), step)
    witnesses = items(body["witnesses"], f"{step}.witnesses")
    entries = enumerate(items(body["weights"], f"{step}.weights", len(witnesses)))
    weights = [number(x, f"{step}.weights[{k}]") for k, x in entries]
    signs = problem.entries(body["signs"], f"{step}.signs", "cover")
    need(min(weights, default=-ONE), "at least", ZERO, f"{step}.weights", "cover", "weight")
    for sign in signs.values():
        limit = ONE if nearest else ZERO
        need(abs(sign), "at most", limit, f"{step}.signs", "cover", "size of a sign")
    errors, bits = list[list[Fraction]](), 0
    for k, witness in enumerate(witnesses):
        errors.append(check_witness(problem, witness, bad, f"{step}.witnesses[{k}]"))
        bits += sum(map(width, errors[-1]))
        room(bits, f"{step}.witnesses[{k}]")
    halves = [-signs.get(p, ZERO) / 2 for p in range(len(problem.place))]
    columns = zip(halves, zip(*errors, strict=True), strict=True)
    terms = (chain([half], map(mul, weights, column)) for half, column in columns)
    c = kept((problem.added(x, step) for x in terms), step)
    pull = problem.added((sign * problem.data[p] for p, sign in signs.items()), step) / 2
    return found.most(c, body["total"], body["rows"]), problem.added(weights, step), pull


def check_set(
    problem: Problem, claim: dict[str, object], evidence: dict[str, object], bad: Fraction
) -> None:
    """Verify what a claim says of many distributions; take up the one that it names."""
    if problem.regularizer is not None:
        raise Rejected("problem.regularizer", "set", "claims about sets have no regularizer")
    spread, kind = max(problem.reward) - min(problem.reward), claim["kind"]
    if kind == "fewest":
        check_fewest(problem, claim, evidence, bad)
        return
    found = DataSet(problem, claim["set"])
    if kind == "all-safe":
        limit = number(claim["epsilon"], "claim.epsilon") * spread
        check_cells(found, evidence["cells"], bad, limit)
        return
    if kind == "some-unsafe":
        problem.data = found.member(evidence["distribution"])
        return
    most, weights, pull = check_cover(found, evidence["cover"], bad, kind == "nearest")
    if kind == "nearest":
        distance = number(claim["epsilon"], "claim.epsilon") * spread * weights - most - pull
        lower = number(claim["lower"], "claim.lower")
        need(distance, "at least", lower, "evidence.cover", "cover.2", "distance")
    else:
        need(weights, "exactly", ONE, "evidence.cover.weights", "cover.2", "sum of the weights")
        bound = number(claim["upper" if kind == "critical" else "epsilon"], "claim")
        need(most, "at most", bound * spread, "evidence.cover", "cover.2", "radius times range R")
    if kind != "all-unsafe":
        data = found.member(evidence["distribution"])
        if kind == "nearest":
            gaps = (abs(x - d) for x, d in zip(data, problem.data, strict=True))
            far = problem.added(gaps, "evidence.distribution") / 2
            upper = number(claim["upper"], "claim.upper")
            need(far, "at most", upper, "evidence.distribution", "distribution", "distance")
        problem.data = data


Leaf = tuple[str, str, object, list[Fraction], list[Fraction]]


def cut_leaves(
    problem: Problem, value: object, step: str, kinds: tuple[str, ...], top: int, gap: int
) -> Iterator[Leaf]:
    """Yield the leaves of a tree of cuts: step, kind, content, lower and upper bounds by pair.

    Between the two sides of a cut lie numbers of which none is meant, if `gap` is 1.
    """
    nodes, count = items(value, step), len(problem.place)
    if not nodes:
        raise Rejected(step, "cut", "there is no root")
    boxes = {0: ([ZERO] * count, [Fraction(top)] * count)}
    for i, node in enumerate(nodes):
        at = f"{step}[{i}]"
        problem.spend(count, at)
        if len(boxes) * count > MAX_WAITING:
            raise Malformed(at, f"more than {MAX_WAITING} bounds of nodes that wait")
        if i not in boxes:
            raise Rejected(at, "cut", "no node before names this one")
        low, high = boxes.pop(i)
        kind = next((k for k in kinds if isinstance(node, dict) and k in node), "cut")
        content = record(node, (kind,), at)[kind]
        if kind != "cut":
            yield at, kind, content, low, high
            continue
        s, a, bound, below, above = items(content, at, 5)
        p, g = problem.pair(s, a, at), whole(bound, at) if gap else number(bound, at)
        below, above = index(below, len(nodes), at), index(above, len(nodes), at)
        if min(below, above) <= i or below == above or boxes.keys() & {below, above}:
            raise Rejected(at, "cut", "a node comes earlier, or is named already")
        boxes[below] = (low, [*high[:p], min(high[p], g), *high[p + 1 :]])
        boxes[above] = ([*low[:p], max(low[p], g + gap), *low[p + 1 :]], high)


def tighten(found: DataSet, low: list[Fraction], high: list[Fraction], step: str) -> None:
    """Tighten bounds of the distributions of a set by two passes over its rows and the sum."""
    everything = dict.fromkeys(range(len(low)), ONE)
    for flow, relation, bound in (*found.rows, (everything, "exactly", ONE)) * 2:
        for sign in (ONE, -ONE)[: 1 + (relation == "exactly")]:
            terms = {p: sign * c for p, c in flow.items() if c}
            long = (width(c) + width(low[p]) + width(high[p]) for p, c in terms.items())
            found.problem.spend(30 * (1 + len(flow)) + sum(x**2 >> 17 for x in long), step)
            least = kept((min(c * low[p], c * high[p]) for p, c in terms.items()), step)
            rest = sign * bound - found.problem.added(least, step)
            long = (
                width(rest) + width(x) + width(terms[p]) for p, x in zip(terms, least, strict=True)
            )
            found.problem.spend(sum(x**2 >> 19 for x in long), step)
            goals = ((rest + x) / c for x, c in zip(least, terms.values(), strict=True))
            for (p, c), goal in zip(terms.items(), kept(goals, step), strict=True):
                if c > 0:
                    high[p] = min(high[p], goal)
                else:
                    low[p] = max(low[p], goal)


def check_cells(found: DataSet, value: object, bad: Fraction, limit: Fraction) -> None:
    """Verify that every distribution of a set is safe."""
    problem, step = found.problem, "evidence.cells"

    def prove(data: list[Fraction], content: object, at: str) -> None:
        problem.data = data
        tree = Tree(problem, bad, "more than", limit)
        tree.root = f"{at}.tree"
        tree.check(content)

    if found.members is not None:
        entries = items(value, step, len(found.members))
        for i, (member, entry) in enumerate(zip(found.members, entries, strict=True)):
            at = f"{step}[{i}]"
            prove(member, record(entry, ("tree",), at)["tree"], at)
        return
    for at, kind, content, low, high in cut_leaves(problem, value, step, ("tree", "empty"), 1, 0):
        low, high = [*low], [*high]
        tighten(found, low, high, at)
        if kind == "tree":
            prove(low, content, at)
        elif items(content, at, 0) or all(map(le, low, high)):
            raise Rejected(at, "empty", "expected a lower bound above the upper bound")


def whole(value: object, step: str) -> Fraction:
    """Read a whole number from 0."""
    x = number(value, step)
    if x < 0 or x.denominator != 1:
        raise Malformed(step, f"found {show(x)}; expected a whole number from 0")
    return x


def check_fewest(
    problem: Problem, claim: dict[str, object], evidence: dict[str, object], bad: Fraction
) -> None:
    """Verify that fewer samples do not make the data safe; take up the data with those added."""
    counts = problem.table(claim["counts"], "claim.counts", whole)
    lower, upper = (whole(claim[key], f"claim.{key}") for key in ("lower", "upper"))
    samples = problem.table(evidence["samples"], "evidence.samples", whole)
    size = sum(counts, ZERO)
    need(size, "more than", ZERO, "claim.counts", "fewest", "sum of the counts")
    for p, (s, a) in enumerate(problem.place):
        share = f"samples in proportion of ({s}, {a})"
        need(problem.data[p] * size, "exactly", counts[p], "claim.counts", "fewest", share)
    need(sum(samples, ZERO), "exactly", upper, "evidence.samples", "fewest.1", "sum of samples")
    step = "evidence.cuts"
    body = record(evidence["cuts"], ("witnesses", "nodes"), step)
    due = number(claim["epsilon"], "claim.epsilon") * (max(problem.reward) - min(problem.reward))
    cuts, bits = list[list[int]](), 0  # per witness, the numbers a
    for k, witness in enumerate(items(body["witnesses"], f"{step}.witnesses")):
        at = f"{step}.witnesses[{k}]"
        errors = check_witness(problem, witness, bad, at)
        excess = Vector.of(kept((e - due for e in errors), at), at).top
        problem.spend(8 * max(map(blocks, excess)) * blocks(*excess), at)
        divisor = gcd(*excess) or 1
        cuts.append([x // divisor for x in excess])
        bits += sum(map(int.bit_length, cuts[-1]))
        room(bits, at)
    missing = [1 - sum(map(mul, cut, counts), ZERO) for cut in cuts]
    nodes = cut_leaves(problem, body["nodes"], f"{step}.nodes", ("weights",), int(lower) - 1, 1)
    for at, _, content, low, high in nodes:
        chosen, last = list[tuple[int, Fraction]](), -1
        within, entries = all(map(le, low, high)), items(content, at)
        problem.spend(20 * len(counts) * (1 + len(entries)), at)
        for entry in entries:
            place, value = items(entry, at, 2)
            k, price = index(place, len(cuts), at), number(value, at)
            if k <= last:
                raise Rejected(at, "fewest.3", "the cuts must increase")
            need(price, "at least", ZERO, at, "fewest.3", "multiplier")
            last = k
            if within:
                problem.spend(8 * blocks(price) * blocks(*cuts[k]), at)
                chosen.append((k, price))
        if within:
            columns = ((price * cuts[k][p] for k, price in chosen) for p in range(len(counts)))
            c = kept((1 - problem.added(column, at) for column in columns), at)
            least = (min(x * y, x * z) for x, y, z in zip(c, low, high, strict=True))
            terms = chain((price * missing[k] for k, price in chosen), least)
            need(problem.added(terms, at), "more than", lower - 1, at, "fewest.3", "samples")
    added = zip(counts, samples, strict=True)
    problem.data = kept(((n + m) / (size + upper) for n, m in added), "evidence.samples")


# == Part: families
# Where a problem has parameters, its numbers are functions of them, and evidence amounts to
# conditions f >= 0 or f > 0, each of which is proven on each cell of the box of parameters.

Polynomial = dict[tuple[int, ...], Fraction]  # exponents of the parameters: coefficient, not 0
Box = list[tuple[Fraction, Fraction]]


def longest(*polynomials: Polynomial) -> int:
    """Return how long the longest coefficient is, in the blocks that work is counted in."""
    return max((blocks(x) for p in polynomials for x in p.values()), default=1)


def crowd(terms: int, *polynomials: Polynomial) -> int:
    """Return the steps of telling terms apart: exponents can be chosen whose hashes are equal."""
    many = any(len(powers) > FEW_PARAMETERS for p in polynomials for powers in [*p][:1])
    return terms**2 >> 3 if many else 0


def plus(p: Polynomial, q: Polynomial, work: Work) -> Polynomial:
    steps = (len(p) + len(q)) * longest(p, q) ** 2
    work.spend(steps + crowd(len(p) + len(q), p, q), "evidence")
    total = p | {powers: p.get(powers, ZERO) + x for powers, x in q.items()}
    return {powers: x for powers, x in total.items() if x}


def times(p: Polynomial, q: Polynomial, work: Work) -> Polynomial:
    terms = len(p) * len(q)
    work.spend(20 * terms * longest(p, q) ** 2 + crowd(terms, p, q), "evidence")
    if len(p) * len(q) > MAX_TERMS:
        raise Malformed("problem", f"a product of polynomials with more than {MAX_TERMS} terms")
    total: Polynomial = {}
    for (i, x), (j, y) in product(p.items(), q.items()):
        powers = tuple(map(add, i, j))
        total[powers] = total.get(powers, ZERO) + x * y
    return {powers: x for powers, x in total.items() if x}


@dataclass(frozen=True, slots=True)
class Function:
    """A quotient of polynomials, not in lowest terms; the lower one is positive where it counts."""

    top: Polynomial
    bottom: Polynomial
    work: Work

    def __add__(self, other: Function) -> Function:
        work = self.work
        if self.bottom == other.bottom:
            return Function(plus(self.top, other.top, work), self.bottom, work)
        left, right = times(self.top, other.bottom, work), times(other.top, self.bottom, work)
        return Function(plus(left, right, work), times(self.bottom, other.bottom, work), work)

    def __mul__(self, other: Function) -> Function:
        work = self.work
        top, bottom = times(self.top, other.top, work), times(self.bottom, other.bottom, work)
        return Function(top, bottom, work)

    def __sub__(self, other: Function) -> Function:
        return self + replace(other, top={powers: -x for powers, x in other.top.items()})


def moved(low: Fraction, high: Fraction, e: int, degree: int) -> list[int]:
    """Return the coefficients of (low + high t)^e (1 + t)^(degree - e), times scale^degree."""
    scale = lcm(low.denominator, high.denominator)
    row, ends = [1], (int(low * scale), int(high * scale))
    for k in range(degree):
        a, b = ends if k < e else (scale, scale)
        row = [x * b + y * a for x, y in zip([0, *row], [*row, 0], strict=True)]
    return row


def bernstein(p: Polynomial, box: Box, degrees: list[int]) -> list[int]:
    """Return the Bernstein coefficients of `p` on a box, each times some positive number."""
    scale = lcm(*(x.denominator for x in p.values()))
    table = {powers: int(x * scale) for powers, x in p.items()}
    for k, ends in enumerate(box):
        old, table = table, {}
        rows = {e: moved(*ends, e, degrees[k]) for e in {powers[k] for powers in old}}
        for powers, x in old.items():
            for j, y in enumerate(rows[powers[k]]):
                place = (*powers[:k], j, *powers[k + 1 :])
                table[place] = table.get(place, 0) + x * y
    return [table.get(place, 0) for place in product(*(range(n + 1) for n in degrees))]


def proven(
    p: Polynomial, strict: bool, box: Box, bounds: list[Polynomial], interior: bool = False
) -> bool:
    """Whether p >= 0 (strict: p > 0) is seen to hold on a box, where all of `bounds` are >= 0."""
    degrees = [max(column) for column in zip(*p, strict=True)]
    found = bernstein(p, box, degrees) if p else [0]
    if min(found) >= (strict and not (interior and max(found) > 0)):
        return True
    for q in bounds if p else []:  # is there a number x >= 0 such that p - x q has the sign?
        degrees = [max(column) for column in zip(*p, *q, strict=True)]
        pairs = list(zip(bernstein(p, box, degrees), bernstein(q, box, degrees), strict=True))
        low = max([ZERO, *(Fraction(c, d) for c, d in pairs if d < 0)])
        high = min((Fraction(c, d) for c, d in pairs if d > 0), default=low + 1)
        if all(c >= strict for c, d in pairs if not d) and (low < high if strict else low <= high):
            return True
    return False


def effort(p: Polynomial, box: Box, bounds: list[Polynomial]) -> int:
    """Return how many steps it may take to see whether `p` has its sign on a box."""
    steps = 1
    for q in ({}, *bounds) if p else ():
        size = grown = len(p) + len(q)
        bits = max(x.numerator.bit_length() for x in (*p.values(), *q.values()))
        degrees = [max(column) for column in zip(*p, *q, strict=True)]
        every = prod(n + 1 for n in degrees)
        if every > MAX_TERMS:
            raise Malformed("evidence", f"more than {MAX_TERMS} coefficients of a condition")
        for ends, n in zip(box, degrees, strict=True):  # rows of `moved`, and sums of them
            end = max(x.bit_length() for end in ends for x in end.as_integer_ratio()) * 2
            grown *= n + 1
            row, long = 1 + (n * end >> 10), 1 + (bits >> 10)
            steps += min(size, n + 1) * n * n * row * (1 + (end >> 10)) + 8 * grown * row * long
            grown, bits = min(grown, every), bits + n * end
        steps += every * (1 + (bits >> 10)) ** 2  # quotients of them
    return steps


class Conditions:
    """What remains to be proven on a cell, with its place and rule; the reader of functions."""

    def __init__(self, count: int, work: Work) -> None:
        self.count, self.work = count, work  # how many parameters, where steps are counted
        self.unit = (0,) * count
        self.zero, self.one = self.constant(ZERO), self.constant(ONE)
        self.found: dict[str, tuple[Polynomial, bool, str, str]] = {}  # strict or not, place, rule

    def constant(self, x: Fraction) -> Function:
        return Function({self.unit: x} if x else {}, {self.unit: ONE}, self.work)

    def polynomial(self, value: object, step: str) -> Polynomial:
        result: Polynomial = {}
        for entry in items(value, step):
            x, *powers = items(entry, step, self.count + 1)
            place = tuple(index(e, MAX_POWER, step) for e in powers)
            result[place] = result.get(place, ZERO) + number(x, step)
            alike = len(result) if self.count > FEW_PARAMETERS else 0
            self.work.spend(blocks(result[place]) ** 2 + alike, step)
        return {place: x for place, x in result.items() if x}

    def read(self, value: object, step: str) -> Function:
        """Read a number, or a pair of polynomials: a quotient."""
        if isinstance(value, str):
            return self.constant(number(value, step))
        top, bottom = (self.polynomial(x, step) for x in items(value, step, 2))
        self.need(Function(bottom, self.one.bottom, self.work), "more than", step, "divisor")
        return Function(top, bottom, self.work)

    def integral(self, p: Polynomial, step: str) -> Polynomial:
        """Return a positive multiple whose coefficients are integers, and pay for keeping it."""
        found = Vector.of([*p.values()], step)
        self.work.spend(40 * (len(p) + blocks(*found.top)) * blocks(found.scale), step)
        return {powers: Fraction(x) for powers, x in zip(p, found.top, strict=True)}

    def need(self, f: Function, relation: str, step: str, rule: str) -> None:
        """Demand that `f` is "more than" or "at least" 0, later; or "exactly" 0, at once."""
        if relation != "exactly":
            strict, p = relation == "more than", self.integral(f.top, step)
            # A text, as others can choose numbers whose hashes are all equal.
            key = " ".join(f"{e}{x.numerator:x}" for e, x in sorted(p.items())) + str(strict)
            self.found.setdefault(key, (p, strict, step, rule))
        elif f.top:
            raise Rejected(step, rule, "expected two equal functions")

    def distribution(self, values: list[Function], step: str) -> None:
        for f in values:
            self.need(f, "at least", step, "problem")
        self.need(sum(values, self.zero) - self.one, "exactly", step, "problem")


class Family(Shape):
    """A problem with parameters; it is well-formed wherever `conditions` hold."""

    def __init__(self, value: object) -> None:
        body, step = record(value, (*PROBLEM, "parameters"), "problem"), "problem.parameters"
        super().__init__(body)
        space = record(body["parameters"], ("names", "box", "constraints"), step)
        count = names(space["names"], step)
        if count > MAX_PARAMETERS:
            raise Malformed(step, f"more than {MAX_PARAMETERS} parameters")
        self.conditions = known = Conditions(count, self)
        self.box: Box = []
        for ends in items(space["box"], step, known.count):
            low, high = (number(x, step) for x in items(ends, step, 2))
            need(high, "at least", low, step, "problem", "end of an interval")
            self.box.append((low, high))
        constraints = items(space["constraints"], step)
        self.bounds = [known.integral(known.polynomial(x, step), step) for x in constraints]
        self.discount = known.read(body["discount"], "problem.discount")
        known.need(self.discount, "at least", "problem.discount", "problem")
        known.need(known.one - self.discount, "more than", "problem.discount", "problem")
        self.reward = self.table(body["reward"], "problem.reward", known.read)
        self.data = self.table(body["data"], "problem.data", known.read)
        known.distribution(self.data, "problem.data")
        self.initial = self.vector(body["initial"], known, "problem.initial")
        known.distribution(self.initial, "problem.initial")
        self.transitions = self.table(body["transitions"], "problem.transitions", self.successors)

    def successors(self, value: object, step: str) -> list[tuple[int, Function]]:
        row = [items(entry, step, 2) for entry in items(value, step)]
        read = [(index(t, self.size, step), self.conditions.read(x, step)) for t, x in row]
        if any(t >= later for (t, _), (later, _) in pairwise(read)):
            raise Rejected(step, "problem", "successors must increase")
        self.conditions.distribution([x for _, x in read], step)
        return read

    def vector(self, value: object, reader: Conditions, step: str) -> list[Function]:
        """Read a list with one function per state."""
        return [reader.read(x, step) for x in items(value, step, self.size)]

    def gap(self, v: list[Function], p: int) -> Function:
        """Return R - Ev at a pair."""
        ahead = sum((x * v[t] for t, x in self.transitions[p]), self.conditions.zero)
        return self.reward[p] + self.discount * ahead - v[self.place[p][0]]


class Proof(Tree):
    """Evidence that a family is safe, or unsafe, wherever the conditions hold."""

    leaves = ("value", "circulation")

    def __init__(
        self, family: Family, regret: Function, epsilon: Function, value: object, root: str
    ) -> None:
        self.start(family, f"{root}.tree")
        self.family, self.conditions = family, Conditions(family.conditions.count, family)
        self.kind = "safe" if isinstance(value, dict) and "tree" in value else "unsafe"
        last = "tree" if self.kind == "safe" else "witness"
        body = record(value, ("policy", "best", "worst", "range", last), root)
        everything, taken = range(len(family.place)), self.policy(body["policy"], root)
        best, worst = (taken, everything) if self.kind == "unsafe" else (everything, taken)
        step, rest = f"{root}.range", self.conditions.one - regret
        self.highest = self.mean(body["best"], best, f"{root}.best", "returns")
        least = self.mean(body["worst"], worst, f"{root}.worst", "returns")
        self.threshold = rest * self.highest + regret * least
        ends = items(body["range"], step, 2)
        if self.kind == "unsafe":
            places = (items(x, step, 2) for x in ends)
            high, low = (family.reward[family.pair(s, a, step)] for s, a in places)
            self.budget = epsilon * (high - low)
            self.witness(body["witness"], f"{root}.witness")
        else:
            high, low = (self.conditions.read(x, step) for x in ends)
            for reward in family.reward:
                self.conditions.need(high - reward, "at least", step, "range")
                self.conditions.need(reward - low, "at least", step, "range")
            self.budget = epsilon * (high - low)
            self.check(body["tree"])

    def policy(self, value: object, step: str) -> list[int]:
        actions = enumerate(items(value, f"{step}.policy", self.family.size))
        return [self.family.pair(s, a, f"{step}.policy") for s, a in actions]

    def mean(self, value: object, pairs: Collection[int], step: str, rule: str) -> Function:
        """Return the mean of V, a bound of returns: below them if unsafe is claimed, else above."""
        v = self.family.vector(value, self.conditions, step)
        for p in pairs:
            gap = self.family.gap(v, p)
            gap = gap if self.kind == "unsafe" else self.conditions.zero - gap
            self.conditions.need(gap, "at least", step, rule)
        return self.average(v)

    def average(self, v: list[Function]) -> Function:
        terms = (m * x for m, x in zip(self.family.initial, v, strict=True))
        return sum(terms, self.conditions.zero)

    def witness(self, value: object, step: str) -> None:
        family, zero, need = self.family, self.conditions.zero, self.conditions.need
        body = record(value, ("policy", "policy_value", "value", "errors"), step)
        taken = self.policy(body["policy"], step)
        u = family.vector(body["policy_value"], self.conditions, f"{step}.policy_value")
        v = family.vector(body["value"], self.conditions, f"{step}.value")
        errors = family.table(body["errors"], f"{step}.errors", self.conditions.read)
        for p, error in enumerate(errors):
            need(error, "at least", f"{step}.errors", "witness.2")
            need(error - family.gap(v, p), "at least", f"{step}.errors", "witness.2")
        for p in taken:
            need(errors[p] + family.gap(v, p), "at least", f"{step}.errors", "witness.2")
            need(zero - family.gap(u, p), "at least", f"{step}.policy_value", "witness.3")
        cost = sum((d * x for d, x in zip(family.data, errors, strict=True)), zero)
        need(self.budget - cost, "at least", f"{step}.errors", "witness.1")
        need(self.threshold - self.average(u), "at least", f"{step}.policy_value", "witness.3")
        need(self.highest - self.average(u), "more than", f"{step}.policy_value", "returns")

    def value(self, scope: Scope, value: object, step: str) -> None:
        u = self.family.vector(value, self.conditions, step)
        for p in (p for pairs in scope.allowed for p in pairs):
            self.conditions.need(self.family.gap(u, p), "at least", step, "value")
        self.conditions.need(self.average(u) - self.threshold, "more than", step, "value")

    def circulation(self, scope: Scope, value: object, step: str) -> None:
        family, zero, need = self.family, self.conditions.zero, self.conditions.need
        balance, worth, flow = [zero] * family.size, zero, dict[int, Function]()
        for entry in items(value, step):
            state, action, amount = items(entry, step, 3)
            p = family.pair(state, action, step)
            s = family.place[p][0]
            if p in flow:
                raise Rejected(step, "circulation", "the same pair twice")
            flow[p] = y = self.conditions.read(amount, step)
            balance[s] += y
            for t, x in family.transitions[p]:
                balance[t] -= family.discount * x * y
            worth += y * family.reward[p]
            need(family.data[p] - y, "at least", step, "circulation.2")
            least = zero - family.data[p] if scope.allowed[s] == (p,) else zero
            need(y - least, "at least", step, "circulation.3")
        for f in balance:
            need(f, "exactly", step, "circulation.1")
        need(worth - self.budget, "more than", step, "circulation.4")


@dataclass(frozen=True, slots=True)
class Region:
    """Shares of the box of parameters that were found proven; the rest lies outside the domain."""

    safe: Fraction
    unsafe: Fraction
    undecided: Fraction
    digest: str  # of the problem
    cells: int  # and splits
    proofs: int
    interiors: int  # cells that are proven without their edges
    kind = "region"

    @property
    def sentence(self) -> str:
        """The claim in words."""
        parts = (f"{show(getattr(self, key))} {key}" for key in ("safe", "unsafe", "undecided"))
        edges = f"; cells without their edges: {self.interiors}" if self.interiors else ""
        return f"shares of the parameters' box: {', '.join(parts)}{edges}"


def check_region(family: Family, claimed: object, evidence: object, digest: str) -> Region:
    """Return which shares of the box are proven; refuse evidence that does not hold on a cell."""
    shares = dict.fromkeys(("safe", "unsafe", "undecided"), ZERO)
    claim = record(claimed, ("kind", "regret", "epsilon", *shares), "claim")
    known = family.conditions
    regret, epsilon = (known.read(claim[key], f"claim.{key}") for key in ("regret", "epsilon"))
    known.need(regret, "more than", "claim.regret", "claim")
    known.need(known.one - regret, "at least", "claim.regret", "claim")
    known.need(epsilon, "more than", "claim.epsilon", "claim")
    body, proofs = record(evidence, ("proofs", "cells"), "evidence"), []
    for i, entry in enumerate(items(body["proofs"], "evidence.proofs")):
        step = f"evidence.proofs[{i}]"
        proof = Proof(family, regret, epsilon, entry, step)
        found = (known.found | proof.conditions.found | known.found).values()
        # What holds on the whole box is not proven again on each cell.
        family.spend(sum(effort(x[0], family.box, family.bounds) for x in found), step)
        rest = [x for x in found if not proven(*x[:2], family.box, family.bounds)]
        proofs.append((proof.kind, rest))
    pending, interiors = [(family.box, ONE)], 0
    cells = items(body["cells"], "evidence.cells")
    for i, cell in enumerate(cells):
        step = f"evidence.cells[{i}]"
        if not pending:
            raise Rejected(step, "cells", "the cells before this one cover the box")
        box, share = pending.pop()
        if isinstance(cell, list):  # a split; the cells of the lower part come first
            parameter, where = items(cell, step, 2)
            k, cut = index(parameter, known.count, step), number(where, step)
            low, high = box[k]
            need(cut, "more than", low, step, "cells", "cut")
            need(high, "more than", cut, step, "cells", "upper end")
            family.spend(8 * blocks(share, cut, low, high) ** 2, step)
            if len(pending) * (8 + known.count) > MAX_WAITING:
                raise Malformed(step, f"more than {MAX_WAITING} ends of cells that wait")
            part = share * (cut - low) / (high - low)
            pending.append(([*box[:k], (cut, high), *box[k + 1 :]], share - part))
            pending.append(([*box[:k], (low, cut), *box[k + 1 :]], part))
        elif isinstance(cell, dict) and "outside" in cell:
            k = index(record(cell, ("outside",), step)["outside"], len(family.bounds), step)
            outside = {powers: -x for powers, x in family.bounds[k].items()}
            family.spend(effort(outside, box, []), step)
            if not proven(outside, True, box, []):
                raise Rejected(step, "cells", "the constraint is not proven false on this cell")
        elif cell == "undecided":
            shares["undecided"] += share
        else:
            word = "interior" if isinstance(cell, dict) and "interior" in cell else "proof"
            kind, rest = proofs[index(record(cell, (word,), step)[word], len(proofs), step)]
            for top, strict, place, rule in rest:
                family.spend(effort(top, box, family.bounds), step)
                if not proven(top, strict, box, family.bounds, word == "interior"):
                    raise Rejected(step, rule, f"a condition of {place} is not proven on this cell")
            interiors += word == "interior"
            shares[kind] += share
    if pending:
        raise Rejected("evidence.cells", "cells", "a part of the box is in no cell")
    for key, share in shares.items():
        need(number(claim[key], f"claim.{key}"), "exactly", share, f"claim.{key}", "cells", key)
    safe, unsafe, undecided = shares.values()
    return Region(safe, unsafe, undecided, digest, len(cells), len(proofs), interiors)


# == Part: contextual bandits given by lists of integers


def integers(value: object, step: str, length: int | None = None) -> list[int]:
    """Return the integers in `value`, a string with single spaces between them."""
    if not isinstance(value, str) or INTEGERS.fullmatch(value) is None:
        raise Malformed(step, "expected integers, one space apart, in a string")
    if value.count(" ") >= MAX_INTEGERS:
        raise Malformed(step, f"more than {MAX_INTEGERS} integers")
    found = value.split(" ")
    items(found, step, length)
    return [int(x) for x in found]


Point = tuple[int, int]  # what an action loses, and what it costs


def selected(points: list[Point], kappa: int, bits: int) -> tuple[int, int, int | None, int]:
    """Return the point that a multiplier chooses, and the slopes up (None: infinite) and down."""
    x, y = points[0]
    least = (y << bits) - kappa * x
    for gap, price in points:
        value = (price << bits) - kappa * gap
        if value < least or (value == least and gap < x):
            x, y, least = gap, price, value
    up, down = None, 0
    for gap, price in points:
        if gap > x:
            slope = ((price - y) << bits) // (gap - x)
            if up is None or slope < up:
                up = slope
        elif gap < x:
            down = max(down, ((y - price) << bits) // (x - gap) + 1)
    return x, y, up, down


def lesser(x: int | None, y: int | None) -> int | None:
    """Return the lesser of two slopes."""
    return y if x is None else x if y is None else min(x, y)


class Choices(Work):
    """A tree over the choices of a bandit, and sums over the contexts that it does not name.

    For these contexts only the multipliers of the leaves matter, from `low` to `high`: the sums at
    `low`, and where a greater multiplier chooses another point, what that adds.
    """

    def __init__(self, tree: object, bits: object, contexts: int) -> None:
        self.bits = index(bits, MAX_BITS + 1, "evidence.bits")
        self.named: dict[int, list[Point]] = {}
        self.nodes: list[tuple[int, ...] | list[int]] = []  # splits and leaves
        multipliers, everything = [], set(range(contexts))
        for i, value in enumerate(items(tree, "evidence.tree")):
            step = f"evidence.tree[{i}]"
            if isinstance(value, list):
                s, place = (index(x, 10**9, step) for x in items(value, step, 2))
                self.nodes.append((s, place))
                named = [s]
            else:
                node = integers(value, step)
                self.nodes.append(node)
                multipliers.append(node[0])
                named = node[1:]
            if len(set(named)) < len(named) or not set(named) <= everything:
                raise Malformed(step, "expected contexts, each once")
            self.named |= {context: [] for context in named}
        if min(multipliers, default=0) < 0:
            raise Malformed("evidence.tree", "expected multipliers from 0")
        self.low, self.high = min(multipliers, default=0), max(multipliers, default=0)
        self.lost = self.paid = self.down = self.states = 0
        self.up: int | None = None
        self.steps: list[tuple[int, int, int]] = []  # slope, loss, cost

    def add(self, s: int, points: list[Point]) -> None:
        """Count a context."""
        if s in self.named:
            self.named[s] = points
            return
        x, y, up, down = selected(points, self.low, self.bits)
        self.lost, self.paid, self.down = self.lost + x, self.paid + y, max(self.down, down)
        while up is not None and up < self.high:
            self.spend(3 * len(points), "problem")
            gap, price, beyond, _ = selected(points, up + 1, self.bits)
            self.steps.append((up, gap - x, price - y))
            x, y, up = gap, price, beyond
        self.up = lesser(self.up, up)

    def check(self, due: int, aim: int) -> None:
        """Refuse unless every choice that loses `due` costs `aim`."""
        self.steps.sort()
        self.slopes = [slope for slope, _, _ in self.steps]
        self.losses = list(accumulate((x for _, x, _ in self.steps), initial=self.lost))
        self.costs = list(accumulate((y for _, _, y in self.steps), initial=self.paid))
        pending: list[dict[int, tuple[int, int]]] = [{}]  # the places that are allowed
        for i, node in enumerate(self.nodes):
            step = f"evidence.tree[{i}]"
            if not pending:
                raise Rejected(step, "bandit.2", "the nodes before this one are a tree")
            allowed = pending.pop()
            self.count(len(self.named), step)
            if isinstance(node, list):
                self.leaf(node, allowed, due, aim, step)
                continue
            s, place = node
            first, last = allowed.get(s, (0, len(self.named[s])))
            if not first < place < last:
                raise Rejected(step, "bandit.2", f"expected a place between {first} and {last}")
            pending += [{**allowed, s: (place, last)}, {**allowed, s: (first, place)}]
        if pending:
            raise Rejected("evidence.tree", "bandit.2", "a split lacks a child")

    def count(self, states: int, step: str) -> None:
        self.states += states
        if self.states > MAX_STATES:
            raise Malformed(step, f"more than {MAX_STATES} states")

    def leaf(
        self, node: list[int], allowed: dict[int, tuple[int, int]], due: int, aim: int, step: str
    ) -> None:
        """Decide the contexts of the core one by one."""
        kappa, *core = node
        i, bits = bisect_left(self.slopes, kappa), self.bits
        lost, paid = self.losses[i], self.costs[i]
        up = self.slopes[i] if i < len(self.slopes) else self.up
        down = self.slopes[i - 1] + 1 if i else self.down
        found: dict[int, tuple[list[Point], int | None, int]] = dict.fromkeys(core, ([], None, 0))
        for s, points in self.named.items():
            if s in allowed:
                points = points[slice(*allowed[s])]
            self.spend(3 * len(points), step)
            x, y, above, below = selected(points, kappa, bits)
            lost, paid = lost + x, paid + y
            if s in found:
                found[s] = [(x - gap, price - y) for gap, price in points], above, below
            else:
                up, down = lesser(up, above), max(down, below)
        # The moves of each context, and the slopes from it on; in the end those of the others.
        plan: list[tuple[list[Point], int | None, int]] = [([], up, down)]
        for context, above, below in reversed(found.values()):
            up, down = lesser(up, above), max(down, below)
            plan.append((context, up, down))
        states = [(due - lost, paid - aim + 1)]  # what is missing, and what is paid above aim - 1
        moves = [(0, 0)]
        for following, up, down in reversed(plan):
            self.count(len(states) * len(moves), step)
            made = []
            for x, y in moves:
                for missing, over in states:
                    m, o = missing + x, over + y
                    slope = up if m > 0 else down
                    if slope is not None and (o << bits) + slope * m <= 0:
                        made.append((m, o))
            made.sort()
            states, best = [], None
            for state in made:
                if best is None or state[1] < best:  # else another one is no worse
                    best = state[1]
                    states.append(state)
            moves = following
        if states:
            cost = Fraction(states[0][1] + aim - 1)
            raise refusal(cost, "at least", Fraction(aim), step, "bandit.3", "cost of a choice")


def check_bandit(
    value: object,
    evidence: object,
    level: Fraction,
    aim: tuple[str, Fraction] | None,
    high: Fraction | None,
) -> None:
    """Verify that every choice costs `aim`, and that the one in the evidence costs up to `high`."""
    body = record(value, ("actions", "initial", "reward", "data"), "problem")
    counts = integers(body["actions"], "problem.actions")
    initial = integers(body["initial"], "problem.initial", len(counts))
    reward, data = (integers(body[k], f"problem.{k}", sum(counts)) for k in ("reward", "data"))
    keys = (["choice"] if high is not None else []) + (["bits", "tree"] if aim is not None else [])
    proof = record(evidence, keys, "evidence")
    choice = [0] * len(counts)
    if high is not None:
        choice = integers(proof["choice"], "evidence.choice", len(counts))
    if min(counts) < 1 or min(*initial, *data, *choice) < 0:
        raise Rejected("problem", "problem", "expected actions, and nothing below 0 but rewards")
    if any(a >= count for a, count in zip(choice, counts, strict=True)):
        raise Malformed("evidence.choice", "expected an action of each context")
    choices = None if aim is None else Choices(proof["tree"], proof["bits"], len(counts))
    span = cost = lost = first = 0
    for s, (a, count, start) in enumerate(zip(choice, counts, initial, strict=True)):
        order = sorted(range(first, first + count), key=reward.__getitem__, reverse=True)
        masses, areas, mass, area = [], [], 0, 0  # of the data above each reward
        top = last = reward[order[0]]
        for p in order:
            area, last = area + mass * (last - reward[p]), reward[p]
            masses.append(mass)
            areas.append(area)
            mass += data[p]
        points = []
        for place, p in enumerate(order):
            i = min(bisect_right(masses, data[p]) - 1, place)
            price = areas[i] + data[p] * (reward[order[i]] - reward[p])
            if not start:
                price = 0  # a context that is never met costs nothing
            points.append((start * (top - reward[p]), price))
            if p == first + a:
                lost, cost = lost + points[-1][0], cost + price
        span += start * (top - last)
        if choices is not None:
            choices.add(s, points)
        first += count
    unit = sum(data) * (max(reward) - min(reward))
    need(Fraction(min(span, unit)), "more than", ZERO, "problem", "problem", "range")
    if high is not None:
        need(Fraction(lost), "at least", level * span, "evidence.choice", "bandit.1", "lost return")
        need(Fraction(cost), "at most", high * unit, "evidence.choice", "bandit.1", "cost")
    if choices is not None and aim is not None:
        relation, low = aim
        goal = floor(low * unit) + 1 if relation == "more than" else ceil(low * unit)
        need(Fraction(unit), "at least", Fraction(goal), "evidence.tree", "bandit.3", "all errors")
        choices.check(ceil(level * span), goal)


# == The document


def digest(problem: object) -> str:
    """Return the SHA-256 of a problem (a JSON value) written canonically."""
    text = json.dumps(problem, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def check(document: object) -> Result | Region:
    """Return what a certificate (a JSON value) proves; raise Rejected if that is not its claim."""
    keys = ("format", "version", "problem", "digest", "claim", "evidence")
    body = record(document, keys, "document")
    if body["format"] != "symsafe-certificate" or index(body["version"], 2, "version") != 1:
        raise Malformed("format", "expected a symsafe-certificate of version 1")
    kind = body["claim"].get("kind") if isinstance(body["claim"], dict) else None
    listed = isinstance(body["problem"], dict) and isinstance(body["problem"].get("actions"), str)
    problem = None
    if not listed:
        problem = Family(body["problem"]) if kind == "region" else Problem(body["problem"])
    fingerprint = digest(body["problem"])
    if body["digest"] != fingerprint:
        raise Rejected("digest", "digest", f"the problem in this document has {fingerprint}")
    if isinstance(problem, Family):
        return check_region(problem, body["claim"], body["evidence"], fingerprint)
    if not isinstance(kind, str) or kind not in CLAIMS:
        raise Malformed("claim", f"expected an object with a kind of {', '.join(CLAIMS)}")
    bounds, parts = CLAIMS[kind]
    many = kind in ABOUT
    named = [ABOUT[kind]] if many else []
    claim = record(body["claim"], ("kind", "regret", *bounds, *named), "claim")
    level = number(claim["regret"], "claim.regret")
    need(level, "at least", ZERO, "claim.regret", "claim", "regret")
    need(level, "at most", ONE, "claim.regret", "claim", "regret")
    values = {key: number(claim[key], f"claim.{key}") for key in bounds}
    epsilon, lower, upper = (values.get(key) for key in ("epsilon", "lower", "upper"))
    if epsilon is not None:
        need(epsilon, "more than", ZERO, "claim.epsilon", "claim", "epsilon")
    low = values[bounds[0]]  # what every policy costs, by the tree
    relation = "more than" if kind in ("safe", "fewest") else "at least"
    if problem is None:
        if many:
            raise Rejected("claim", "claim", "no claim about sets holds for lists of integers")
        upto = values[bounds[-1]] if "witness" in parts else None
        aim = (relation, low) if "tree" in parts else None
        check_bandit(body["problem"], body["evidence"], level, aim, upto)
        return Result(kind, level, epsilon, lower, upper, fingerprint, False, {})
    regular = problem.regularizer is not None
    if regular:  # numbers in lowest terms, which takes the square of their length
        problem.price = 1 + (longest_number(document) // 600) ** 2
    given = isinstance(problem.regularizer, dict) and "reference" in problem.regularizer
    extra = ["reference"] if given else []
    if problem.soft:
        leveled = problem.metric in ("mse", "preferences")
        extra = ["curves", "level"][: 1 + leveled] if "tree" in parts else []
        extra.append("bits")
    evidence = record(body["evidence"], ("returns", *extra, *parts), "evidence")
    best, worst = check_returns(problem, evidence["returns"])
    bad = best - level * (best - worst)
    spread = max(problem.reward) - min(problem.reward)
    if many:
        check_set(problem, claim, evidence, bad)
    tree: Tree
    if problem.soft:
        soft = Soft(problem, index(evidence["bits"], MAX_BITS + 1, "evidence.bits"))
        tree = CurveTree(soft, evidence, level, bad, relation, low)
        if "witness" in parts:
            soft.witness(evidence["witness"], values[bounds[-1]], bad)
    elif regular:
        omega = Regularizer(problem, evidence)
        tree = CaseTree(omega, bad, relation, low * spread)
        if "witness" in parts:
            budget = values[bounds[-1]] * spread
            check_regularised_witness(omega, evidence["witness"], budget, bad)
    else:
        tree = Tree(problem, bad, relation, low * spread)
        if "witness" in parts:
            errors = check_witness(problem, evidence["witness"], bad, "evidence.witness")
            check_cost(problem, errors, values[bounds[-1]] * spread)
    if "tree" in parts:
        tree.check(evidence["tree"])
    nodes = {node: tree.kinds.count(node) for node in (*tree.splits, *tree.leaves)}
    metric = f"error in {problem.metric}" if problem.metric else "error"
    made = ResultForMany if many else Result
    return made(kind, level, epsilon, lower, upper, fingerprint, regular, nodes, metric)


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


def unpacked(data: bytes) -> bytes:
    """Return what a gzip file holds, within the limits; anything else as it is."""
    if not data.startswith(GZIP):
        return data
    most = min(MAX_BYTES, max(MAX_PLAIN, MAX_RATIO * len(data)))
    reader = zlib.decompressobj(31)
    try:
        text = reader.decompress(data, most + 1)
    except zlib.error as error:
        raise Malformed("document", f"not gzip: {error}") from None
    if len(text) > most:
        raise Malformed("document", f"more than {most} bytes, unpacked")
    if not reader.eof or reader.unused_data:
        raise Malformed("document", "not gzip: it ends too early or too late")
    return text


def parse(text: str | bytes) -> object:
    """Read JSON text, or a gzip file of it, within the limits."""
    text = text if isinstance(text, str) else unpacked(text)
    if len(text) > MAX_BYTES:
        raise Malformed("document", f"more than {MAX_BYTES} bytes")
    try:
        text = text if isinstance(text, str) else text.decode("utf-8")
        if sum(map(text.count, "[]{}")) > MAX_TOKENS:  # before each takes memory
            raise Malformed("document", f"more than {MAX_TOKENS} brackets")
        brackets = NO_BRACKETS.sub("", text).replace("{", "[").replace("}", "]")
        if text.count('"') // 2 + len(brackets) > MAX_TOKENS:
            raise Malformed("document", f"more than {MAX_TOKENS} strings and brackets")
        for _ in range(MAX_DEPTH):
            brackets = brackets.replace("[]", "")
        if "[]" in brackets or len(brackets) > MAX_DEPTH:  # the reader below is not to go deeper
            raise Malformed("document", f"nested more than {MAX_DEPTH} deep, or brackets unmatched")
        hook = integer  # for each JSON number: floats and NaN never come to exist
        return json.loads(
            text, object_pairs_hook=unique, parse_int=hook, parse_float=hook, parse_constant=hook
        )
    except ValueError as error:  # not UTF-8, or not JSON
        raise Malformed("document", f"not JSON: {error}") from None


def check_text(text: str | bytes) -> Result | Region:
    """Check a certificate given as JSON text, or as gzip of it."""
    return check(parse(text))


def check_file(path: str) -> Result | Region:
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
