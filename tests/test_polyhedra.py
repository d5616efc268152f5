"""The matrix M of Theorem 3.5 by another road: vertex enumeration with a polyhedra library.

For a bad policy with support Z the errors m >= |R^ - R| that make it optimal are the projection of
{(m, V): m >= R - EV; m >= EV - R on Z; m >= 0}. M has one row for each vertex of the convex hull of
these polyhedra over all bad policies.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm

import ppl
import pytest
from instances import random_instance, to_problem
from oracle import Instance, bad_policies, support

from symsafe.engine.matrix import safety_matrix
from symsafe.engine.question import Question


def at_least_zero(terms: dict[int, Fraction], constant: Fraction) -> ppl.Constraint:
    """terms + constant >= 0, scaled to integers."""
    scale = lcm(constant.denominator, *(x.denominator for x in terms.values()))
    expression = ppl.Linear_Expression(int(constant * scale))
    for place, x in terms.items():
        expression = expression + int(x * scale) * ppl.Variable(place)
    return expression >= 0


def errors(instance: Instance, taken: frozenset[int]) -> ppl.C_Polyhedron:
    """The errors for which a policy with this support can be optimal."""
    count = len(instance.rewards)
    constraints = ppl.Constraint_System()
    for pair, reward in enumerate(instance.rewards):
        row = {count + s: x for s, x in enumerate(instance.shaping_row(pair)) if x}
        below = {pair: Fraction(1), **row}
        above = {pair: Fraction(1), **{place: -x for place, x in row.items()}}
        constraints.insert(at_least_zero({pair: Fraction(1)}, Fraction(0)))
        constraints.insert(at_least_zero(below, -reward))
        if pair in taken:
            constraints.insert(at_least_zero(above, reward))
    polyhedron = ppl.C_Polyhedron(constraints)
    polyhedron.remove_higher_space_dimensions(count)
    return polyhedron


def vertices(instance: Instance) -> set[tuple[Fraction, ...]]:
    """The vertices of the hull over all bad policies."""
    supports = sorted({support(instance, p) for p in bad_policies(instance)}, key=sorted)
    hull = errors(instance, supports[0])
    for taken in supports[1:]:
        hull.poly_hull_assign(errors(instance, taken))
    return {
        tuple(Fraction(int(x), int(g.divisor())) for x in g.coefficients())
        for g in hull.minimized_generators()
        if g.is_point()
    }


@pytest.mark.parametrize("block", range(6))
def test_the_matrix_is_the_vertices_of_the_hull(block: int) -> None:
    """On 170 small random instances, with zeros, ties, unreachable states and discount 0."""
    for seed in range(30 * block, 30 * (block + 1)):
        instance = random_instance(seed)
        if len(instance.rewards) > 7:
            instance = random_instance(seed + 10_000)
        if len(instance.rewards) > 7:
            continue
        rows = {row.entries for row in safety_matrix(Question.of(to_problem(instance))).rows}
        assert rows == vertices(instance), seed
