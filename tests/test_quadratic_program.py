"""Exact concave quadratic programmes: optimal by their own multipliers, and against z3."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import pytest
import z3

from symsafe.analysis.quadratic_program import maximise_quadratic

Numbers = list[Fraction]


def random_programme(
    seed: int,
) -> tuple[Numbers, Numbers, list[dict[int, Fraction]], Numbers, int]:
    """Shares that sum to one, with one more equation that a known point meets."""
    random = Random(seed)
    count = random.randint(2, 6)
    parts = [random.randint(0, 3) for _ in range(count - 1)] + [1]
    inside = [Fraction(part, sum(parts)) for part in parts]
    second = [Fraction(random.randint(-2, 2)) for _ in range(count)]
    rows = [dict.fromkeys(range(count), Fraction(1)), dict(enumerate(second))]
    right = [Fraction(1), sum((x * y for x, y in zip(second, inside, strict=True)), Fraction(0))]
    objective = [Fraction(random.randint(-4, 4), random.randint(1, 3)) for _ in range(count)]
    squares = [Fraction(random.choice([0, 0, 1, 2, 5]), 2) for _ in range(count)]
    return objective, squares, rows, right, count


@pytest.mark.parametrize("block", range(4))
def test_the_multipliers_prove_the_optimum(block: int) -> None:
    """No feasible point has a better value: concavity, and weak duality at the gradient."""
    for seed in range(100 * block, 100 * (block + 1)):
        objective, squares, rows, right, count = random_programme(seed)
        found = maximise_quadratic(
            objective, squares, rows, right, [Fraction(0)] * count, [None] * count
        )
        assert found.status == "optimal"
        point, multipliers = found.point, found.multipliers
        assert min(point) >= 0
        for row, r in zip(rows, right, strict=True):
            assert sum(x * point[j] for j, x in row.items()) == r
        gradient = [c - 2 * q * x for c, q, x in zip(objective, squares, point, strict=True)]
        for j in range(count):
            slack = gradient[j] - sum(
                row.get(j, 0) * y for row, y in zip(rows, multipliers, strict=True)
            )
            assert slack <= 0
            assert slack * point[j] == 0


@pytest.mark.parametrize("seed", range(25))
def test_z3_finds_nothing_better(seed: int) -> None:
    """Its nonlinear arithmetic refutes a better feasible point."""
    objective, squares, rows, right, count = random_programme(seed)
    found = maximise_quadratic(
        objective, squares, rows, right, [Fraction(0)] * count, [None] * count
    )
    xs = z3.Reals(" ".join(f"x{j}" for j in range(count)))
    solver = z3.Solver()
    solver.add(*(x >= 0 for x in xs))
    for row, r in zip(rows, right, strict=True):
        solver.add(
            z3.Sum([z3.Q(*c.as_integer_ratio()) * xs[j] for j, c in row.items()])
            == z3.Q(*r.as_integer_ratio())
        )
    value = z3.Sum(
        [
            z3.Q(*c.as_integer_ratio()) * x - z3.Q(*q.as_integer_ratio()) * x * x
            for c, q, x in zip(objective, squares, xs, strict=True)
        ]
    )
    solver.add(value > z3.Q(*found.value.as_integer_ratio()))
    assert solver.check() == z3.unsat


def test_without_squares_it_is_linear() -> None:
    """And an infeasible programme is called so."""
    one, zero = Fraction(1), Fraction(0)
    rows = [{0: one, 1: one}]
    linear = maximise_quadratic([one, zero], [zero, zero], rows, [one], [zero] * 2, [None] * 2)
    assert (linear.value, linear.point) == (1, (1, 0))
    nothing = maximise_quadratic([one, zero], [one, one], rows, [-one], [zero] * 2, [None] * 2)
    assert nothing.status == "infeasible"
