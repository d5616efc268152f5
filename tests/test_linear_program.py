"""The exact linear programme against z3's optimiser, with honest and with lying proposals."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import pytest
import z3

import symsafe.analysis.linear_program as linear_program
from symsafe.analysis.linear import from_flint, solve, to_flint
from symsafe.analysis.linear_program import LinearOptimum, maximise

Programme = tuple[
    list[Fraction],
    list[dict[int, Fraction]],
    list[Fraction],
    list[Fraction | None],
    list[Fraction | None],
]


def random_programme(seed: int, spread: int = 0) -> Programme:
    """Small and degenerate: few distinct numbers, redundant rows, free and fixed variables."""
    source = random.Random(seed)

    def number() -> Fraction:
        scale = Fraction(10) ** source.randint(-spread, spread)
        return Fraction(source.randint(-2, 2), source.choice([1, 1, 2, 3])) * scale

    columns, rows = source.randint(1, 6), source.randint(1, 4)
    matrix = [
        {j: x for j in range(columns) if source.random() < 0.7 and (x := number())}
        for _ in range(rows)
    ]
    inside = [number() for _ in range(columns)]
    right = [sum((x * inside[j] for j, x in row.items()), Fraction(0)) for row in matrix]
    if source.random() < 0.2:
        right[0] += 1
    if rows > 1 and source.random() < 0.3:
        matrix[-1], right[-1] = dict(matrix[0]), right[0]
    lower: list[Fraction | None] = []
    upper: list[Fraction | None] = []
    for x in inside:
        kind = source.random()
        lower.append(None if kind < 0.15 else x - abs(number()))
        upper.append(None if 0.1 < kind < 0.3 else x + abs(number()))
    return [number() for _ in range(columns)], matrix, right, lower, upper


def by_z3(programme: Programme) -> tuple[str, Fraction | None]:
    """Status and optimum by an independent exact solver."""
    objective, rows, right, lower, upper = programme
    solver = z3.Optimize()
    x = [z3.Real(f"x{j}") for j in range(len(objective))]

    def q(number: Fraction) -> Any:
        return z3.Q(number.numerator, number.denominator)

    for row, bound in zip(rows, right, strict=True):
        solver.add(z3.Sum([q(Fraction(0)), *(q(a) * x[j] for j, a in row.items())]) == q(bound))
    for variable, lo, up in zip(x, lower, upper, strict=True):
        if lo is not None:
            solver.add(variable >= q(lo))
        if up is not None:
            solver.add(variable <= q(up))
    goal = solver.maximize(
        z3.Sum([q(Fraction(0)), *(q(c) * v for c, v in zip(objective, x, strict=True))])
    )
    if solver.check() == z3.unsat:
        return "infeasible", None
    best = solver.upper(goal)
    if not (z3.is_rational_value(best) or z3.is_int_value(best)):
        return "unbounded", None
    return "optimal", Fraction(best.as_fraction() if z3.is_rational_value(best) else best.as_long())


def verify(programme: Programme, found: LinearOptimum) -> None:
    """Feasible, of the value stated, and optimal by the signs of the reduced costs."""
    objective, rows, right, lower, upper = programme
    x, y = found.point, found.multipliers
    assert x is not None
    assert y is not None
    assert sum((c * v for c, v in zip(objective, x, strict=True)), Fraction(0)) == found.value
    for row, bound in zip(rows, right, strict=True):
        assert sum((a * x[j] for j, a in row.items()), Fraction(0)) == bound
    for j, (value, lo, up) in enumerate(zip(x, lower, upper, strict=True)):
        assert lo is None or value >= lo
        assert up is None or value <= up
        reduced = objective[j] - sum(
            (r.get(j, Fraction(0)) * m for r, m in zip(rows, y, strict=True))
        )
        assert reduced <= 0 or value == up
        assert reduced >= 0 or value == lo


@pytest.mark.parametrize("chunk", range(4))
def test_status_and_optimum_agree_with_z3(chunk: int) -> None:
    """600 degenerate programmes, a third of them badly scaled; every optimum is verified."""
    statuses = set()
    for seed in range(chunk * 150, (chunk + 1) * 150):
        programme = random_programme(seed, spread=13 if seed % 3 == 0 else 0)
        found = maximise(*programme)
        statuses.add(found.status)
        assert (found.status, found.value) == by_z3(programme), seed
        if found.status == "optimal":
            verify(programme, found)
    assert statuses == {"optimal", "infeasible", "unbounded"}


@pytest.mark.parametrize("lie", ["random", "singular", "short", "artificial"])
def test_a_lying_proposal_changes_nothing(monkeypatch: pytest.MonkeyPatch, lie: str) -> None:
    """Whatever basis is proposed, the exact simplex ends with the same optimum."""
    for seed in range(150):
        programme = random_programme(seed)
        columns, rows = len(programme[0]), len(programme[1])
        source = random.Random(seed)
        proposals = {
            "random": (source.sample(range(columns + rows), rows), {source.randrange(columns)}),
            "singular": ([0] * rows, set()),
            "short": ([], {0}),
            "artificial": ([columns + i for i in range(rows)], set(range(columns))),
        }
        monkeypatch.setattr(linear_program, "propose", lambda *_given, found=proposals[lie]: found)
        found = maximise(*programme)
        assert (found.status, found.value) == by_z3(programme), seed
        if found.status == "optimal":
            verify(programme, found)


def test_crossed_bounds_are_infeasible() -> None:
    """A lower bound above the upper one leaves nothing."""
    one = Fraction(1)
    assert maximise([one], [], [], [one], [Fraction(0)]).status == "infeasible"


def test_no_rows_at_all() -> None:
    """Without equations each variable goes to its better bound."""
    one, zero = Fraction(1), Fraction(0)
    found = maximise([one, -one], [], [], [zero, zero], [one, one])
    assert (found.value, found.point) == (one, (one, zero))
    assert maximise([one], [], [], [zero], [None]).status == "unbounded"


def test_linear_systems_are_solved_exactly() -> None:
    """Rationals pass FLINT and back unchanged; singular systems are recognised."""
    third = Fraction(-1, 3)
    assert from_flint(to_flint(third)) == third
    assert solve(
        [[third, Fraction(1)], [Fraction(2), Fraction(0)]], [Fraction(1), Fraction(4)]
    ) == (
        Fraction(2),
        Fraction(5, 3),
    )
    assert solve([[third, third], [third, third]], [third, third]) is None
