"""The engine obeys the metamorphic relations of the safety radius."""

from __future__ import annotations

from fractions import Fraction

import pytest
from instances import to_problem
from oracle import Instance
from relations import check_relations

from symsafe import radius


def by_tree(instance: Instance) -> Fraction:
    verdict = radius(to_problem(instance))
    assert verdict.is_exact
    return verdict.lower


@pytest.mark.parametrize("block", range(6))
def test_radius_obeys_the_relations(block: int) -> None:
    """Renaming, scaling, shaping, splitting, unreachable states; growth with L; concavity in D."""
    for seed in range(10 * block, 10 * (block + 1)):
        assert check_relations(seed, by_tree) == [], seed
