"""Every comparison of the differential campaign, on a few problems; relations on more of them."""

from __future__ import annotations

import pytest
from comparisons import COMPARISONS, proven
from instances import random_instance, to_problem
from relations import check_relations

SLOW = ("kl, metrics", "kl, discount", "kl, bounds, relations", "larger", "curves")


@pytest.mark.parametrize("block", range(6))
def test_radius_obeys_the_relations(block: int) -> None:
    """Renaming, scaling, shaping, splitting, unreachable states; growth with L; concavity in D."""
    for seed in range(10 * block, 10 * (block + 1)):
        assert check_relations(seed, to_problem(random_instance(seed)), proven) == [], seed


@pytest.mark.parametrize("name", [name for name in COMPARISONS if name not in SLOW])
def test_engines_agree_with_their_oracles(name: str) -> None:
    """Four problems of each kind; benchmarks/differential.py takes thousands."""
    every, compare = COMPARISONS[name]
    assert every > 0
    for number in range(1, 5):
        assert [what for what, agreed in compare(number) if not agreed] == [], number
