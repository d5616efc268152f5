"""Bounds of exp and log, and of what the checker makes of them, against FLINT's balls."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import product
from random import Random

import pytest
from flint import arb, ctx, fmpq
from instances import shares

from symsafe import checker

ZERO = Fraction(0)


def ball(x: Fraction) -> arb:
    return arb(fmpq(x.numerator, x.denominator))


def fraction(x: arb) -> Fraction:
    """The midpoint of a ball."""
    mantissa, exponent = (int(part) for part in x.mid().man_exp())
    return Fraction(mantissa) * Fraction(2) ** exponent


@contextmanager
def digits(count: int) -> Iterator[None]:
    """FLINT's balls with so many binary digits."""
    saved, ctx.prec = ctx.prec, count
    try:
        yield
    finally:
        ctx.prec = saved


def widen(monkeypatch: pytest.MonkeyPatch, name: str, random: Random) -> None:
    """Let half of the bounds of a kind be off by a 4096th, on their safe side.

    Then what is taken from the wrong side shows: there are no more digits to hide it.
    """
    honest, wide = getattr(checker, name), dict[Fraction, bool]()

    def bound(x: Fraction, bits: int, up: bool) -> Fraction:
        found: Fraction = honest(x, bits, up)
        if x and wide.setdefault(x, random.random() < 1 / 2):
            return found + (1 if up else -1) * abs(found) / 4096
        return found

    monkeypatch.setattr(checker, name, bound)


def test_enclosures_of_the_checker_contain_the_functions() -> None:
    """exp and log at 2,000 rational points, and are narrow."""
    random = Random(1)
    with digits(600):
        for _ in range(2000):
            bits = random.choice([16, 53, 100, 300])
            x = Fraction(random.randint(-(10**6), 10**6), random.choice([10, 997, 10**5, 10**9]))
            if abs(x) < 2000:
                low, high = (checker.exp_bound(x, bits, up) for up in (False, True))
                assert not ball(x).exp() < ball(low)
                assert not ball(x).exp() > ball(high)
                assert high - low <= low / 2**bits
            y = abs(x) + Fraction(1, 10 ** random.randint(1, 20))
            low, high = (checker.log_bound(y, bits, up) for up in (False, True))
            assert not ball(y).log() < ball(low)
            assert not ball(y).log() > ball(high)
            assert high - low <= Fraction(8, 2**bits)


@pytest.mark.parametrize("bits", range(-11, 5))
def test_a_bound_with_few_digits_is_a_bound(bits: int) -> None:
    """exp and log at small fractions: 2^-(16 + bits) is the unit of what they add."""
    with digits(200):
        for x in {Fraction(i, j) for i in range(1, 40) for j in range(1, 14)}:
            for bound, at, value in (
                (checker.exp_bound, x, ball(x).exp()),
                (checker.exp_bound, -x, (-ball(x)).exp()),
                (checker.log_bound, x, ball(x).log()),
            ):
                assert not ball(bound(at, bits, False)) > value, (bound, at)
                assert not ball(bound(at, bits, True)) < value, (bound, at)


@pytest.mark.parametrize("up", [False, True])
def test_every_step_of_a_bound_is_rounded_to_one_side(
    up: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """exp(x) upwards needs all upwards; exp(-x) = 1 / exp(x) all downwards but the quotient."""
    sides: list[object] = []
    honest = checker.rounded

    def recorded(top: int, bottom: int, side: bool) -> int:
        sides.append(side)
        return honest(top, bottom, side)

    monkeypatch.setattr(checker, "rounded", recorded)
    for bound, at, first, last in (
        (checker.exp_bound, Fraction(171, 50), up, up),
        (checker.exp_bound, Fraction(-171, 50), not up, up),
        (checker.log_bound, Fraction(171, 50), up, up),
        (checker.log_bound, Fraction(50, 171), not up, not up),
    ):
        sides.clear()
        bound.cache_clear()
        bound(at, 41, up)
        assert sides == [first] * (len(sides) - 1) + [last], at


def small_problem(seed: int) -> checker.Soft:
    """Two states, the second of which is never met for odd seeds; preferences as the metric."""
    random = Random(seed)
    actions = [random.randint(2, 4), 2]
    initial = [Fraction(1), ZERO] if seed % 2 else [Fraction(2, 3), Fraction(1, 3)]
    reference = [shares(random, count) for count in actions]
    data = [[x * q for q in row] for x, row in zip(initial, reference, strict=True)]
    reward = [[Fraction(random.randint(-9, 9), 4) for _ in range(count)] for count in actions]
    reward[0][:2] = [Fraction(2), Fraction(-1)]
    regularizer = {"kind": "kl", "weight": str(Fraction(1, random.randint(1, 3)))}
    problem = {
        "states": ["s", "t"],
        "actions": [[str(a) for a in range(count)] for count in actions],
        "initial": initial,
        "discount": ZERO,
        "transitions": [[[[0, "1"]]] * count for count in actions],
        "reward": reward,
        "data": data,
        "regularizer": regularizer | {"reference": reference},
        "metric": "preferences",
    }
    return checker.Soft(checker.Problem(json.loads(json.dumps(problem, default=str))), 16)


def relative(x: arb, u: arb) -> arb:
    """KL of Bernoulli(sigma(x)) and Bernoulli(sigma(x + u)), by its definition."""
    p, q = 1 / (1 + (-x).exp()), 1 / (1 + (-x - u).exp())
    return p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()


def accepted(call: Callable[[], object]) -> bool:
    try:
        call()
    except checker.Rejected:
        return False
    return True


def boundary(
    passes: Callable[[Fraction], bool], weak: Fraction, strong: Fraction
) -> tuple[Fraction, Fraction]:
    """Return neighbours between a number that passes and one that does not, one of each."""
    unit = abs(strong - weak) / 2**38
    while abs(strong - weak) > unit:
        middle = (weak + strong) / 2
        weak, strong = (middle, strong) if passes(middle) else (weak, middle)
    return weak, strong


def test_the_digits_of_an_argument_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only its size does: no number grows with them but the argument itself, once."""
    longest, rounded = [0], checker.rounded

    def counted(top: int, bottom: int, up: bool) -> int:
        found = rounded(top, bottom, up)
        longest.append(found.bit_length())
        return found

    monkeypatch.setattr(checker, "rounded", counted)
    checker.exp_bound(Fraction(10**1000 + 1, 10**1000 + 3), 64, True)
    assert 64 < max(longest) < 300


@pytest.mark.parametrize("wide", [None, "exp_bound", "log_bound"])
@pytest.mark.parametrize("seed", range(40))
def test_what_is_made_of_exp_and_log_is_on_the_safe_side(
    seed: int, wide: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Softplus, divergences, partition functions, the price of lowering; within 2^-20 if exact."""
    random, soft, room = Random(seed), small_problem(seed), Fraction(1, 2**20)
    x, u = (Fraction(random.randint(-40, 40), random.randint(1, 9)) for _ in range(2))
    pairs, data = soft.problem.pairs[0], soft.problem.data[0]
    values = [Fraction(random.randint(-20, 20), 7) for _ in pairs]
    price = data * Fraction(random.randint(1, 40), 10)
    if wide is not None:
        widen(monkeypatch, wide, random)
    saved = checker.CurveTree(soft, {}, ZERO, ZERO, "at least", ZERO).saved(0, price)
    with digits(300):
        partition = sum(
            ball(soft.reference[p]) * (ball(y) / ball(soft.scale)).exp()
            for p, y in zip(pairs, values, strict=True)
        )
        kept = ball(data) * (1 + (ball(price) / ball(data)).log()) if price > data else ball(price)
        for value, low, high in (
            ((1 + ball(x).exp()).log(), soft.softplus(x, False), soft.softplus(x, True)),
            *(
                (relative(ball(y), ball(z)), *(soft.divergence(y, z, up) for up in (False, True)))
                for y, z in product((x, -x, x / 10, -x / 10), (u, u / 10, -u / 10))
            ),
            (ball(soft.scale) * partition.log(), *soft.partition(values, pairs)),
            (kept, saved, price if wide else saved + room),
        ):
            assert not ball(low) > value
            assert not ball(high) < value
            assert wide or high - low <= room


@pytest.mark.parametrize("seed", range(40))
def test_preferences_cost_no_less_than_they_do(seed: int) -> None:
    """The mean divergence of a model is bounded from above, that at a level from below."""
    random, soft = Random(seed), small_problem(seed)
    problem, room = soft.problem, Fraction(1, 2**20)
    errors = [Fraction(random.randint(-30, 30), 8) for _ in problem.reward]
    level = Fraction(random.randint(1, 30), 10)
    rows = [[problem.reward[p] for p in pairs] for pairs in problem.pairs]
    most = ball(max(max(row) - min(row) for row in rows))
    with digits(300):
        mean = sum(
            ball(problem.initial.values[s] * soft.reference[p] * soft.reference[q])
            * relative(ball(problem.reward[p] - problem.reward[q]), ball(errors[p] - errors[q]))
            for s, pairs in enumerate(problem.pairs)
            for p in pairs
            for q in pairs
        )
        spread = ball(soft.spread)
        below, above = (fraction(x / spread) for x in (mean, relative(most, ball(level) * spread)))
    assert not accepted(lambda: soft.cost(errors, below, ""))
    assert accepted(lambda: soft.cost(errors, below + room, ""))
    assert not accepted(lambda: soft.limit(above, {"level": str(level)}))
    assert soft.limit(above - room, {"level": str(level)}) == level * soft.spread


class Box:
    """A random box of raises, or no raise at all, and gains w (R - T) that are known but roughly.

    The last pairs are good; of the bad ones the first is raised.
    """

    def __init__(self, random: Random, problem: checker.Problem, rough: Fraction) -> None:
        pairs = list(problem.pairs[0])
        first = random.randrange(1, len(pairs))
        self.bad, self.good = pairs[:first], pairs[first:]
        self.lowered = {p for p in self.good if random.random() < 2 / 3}
        self.data, self.tilted = problem.data, random.random() < 2 / 3
        low = Fraction(random.randint(0, 8), 8)
        self.ends = low, low + Fraction(random.randint(1, 24), 8)
        self.price = Fraction(random.randint(1, 32), 8)
        exact = {p: Fraction(random.randint(1, 32), -64 if p in self.bad else 64) for p in pairs}
        if self.lowered and random.random() < 1 / 3:  # near where the form of a term changes
            g = random.choice(sorted(self.lowered))
            price = float(self.data[g] / exact[g]) * math.exp(low)
            self.price = Fraction(round(2**16 * price), 2**16)
        self.gains = {  # by bounds of the weight
            (p, up): gain * (1 + (rough if up else -rough))
            for p, gain in exact.items()
            for up in (False, True)
        }

    def given(self, cost: Fraction) -> checker.Cut:
        """What the checker knows; the far end of the piece costs nothing."""
        far = {key: 2 * gain if gain < 0 else gain / 2 for key, gain in self.gains.items()}
        return checker.Cut([cost, Fraction(-1000)], [self.gains, far], self.bad, 1)

    def kept(self, p: int, u: float) -> float:
        data = float(self.data[p])
        return u if u <= data else data * (1 + math.log(u / data))

    def without_raise(self, gains: dict[int, float]) -> float:
        """The sum of curves.6 (CERTIFICATE.md)."""
        moved = {p: float(self.price) * gain for p, gain in gains.items()}
        return sum(moved[p] for p in self.bad) + sum(self.kept(p, moved[p]) for p in self.good)

    def with_raise(self, gains: dict[int, float]) -> float:
        """The sum of curves.5, at the end of the box where it is less."""
        low, high = map(float, self.ends)
        raised, others = self.bad[0], self.bad[1:]
        price, middle, found = float(self.price), (low + high) / 2, []
        for x in (low, high):
            lift, fall = (1.0, math.exp(-x)) if self.tilted else (math.exp(x), 1.0)
            total = float(self.data[raised]) * x + price * lift * gains[raised]
            total += price * fall * sum(gains[p] for p in others)
            for p in self.good:
                data, gain = float(self.data[p]), price * gains[p]
                u = gain * math.exp(-middle) if self.tilted else gain
                if not self.tilted:
                    total += self.kept(p, u) if p in self.lowered else u
                elif p in self.lowered and gain * math.exp(-low) > data:
                    slope = min(u, data) if x <= middle else data
                    total += self.kept(p, u) + slope * (middle - x)
                else:
                    total += u * (1 + middle - x)
            found.append(total)
        return min(found)


def greatest(verify: Callable[[Fraction], object]) -> Fraction:
    """The greatest cost between -100 and 100 that is accepted."""
    return boundary(lambda cost: accepted(lambda: verify(cost)), Fraction(-100), Fraction(100))[0]


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("rough", [Fraction(0), Fraction(1, 16)])
def test_what_a_box_proves_holds_for_all_gains_within_their_bounds(
    wide: bool, rough: Fraction, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is given away where gains, exp and log are known well."""
    for seed in range(80):
        random, soft = Random(seed), small_problem(2 * seed + 1)
        tree = checker.CurveTree(soft, {}, ZERO, ZERO, "at least", ZERO)
        box = Box(random, soft.problem, rough)
        with monkeypatch.context() as patch:
            if wide:
                widen(patch, random.choice(["exp_bound", "log_bound"]), random)
            raised = greatest(
                lambda cost, tree=tree, box=box: tree.box(
                    box.given(cost), box.bad[0], box.lowered, box.ends, box.price, box.tilted, ""
                )
            )
            alone = greatest(
                lambda cost, tree=tree, box=box: tree.unraised(
                    box.given(cost), set(box.good), box.price, ""
                )
            )
        for _ in range(1 if not rough else 24):
            gains = {p: float(box.gains[p, random.random() < 1 / 2]) for p in box.bad + box.good}
            truths = [float(soft.scale) * f(gains) for f in (box.with_raise, box.without_raise)]
            for proven, truth in zip(map(float, (raised, alone)), truths, strict=True):
                assert proven <= truth + 1e-9, seed
                assert rough or wide or proven >= truth - 1e-8, seed
