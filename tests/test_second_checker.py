"""Two checkers that share nothing agree, on what is right and on what has been spoilt."""

from __future__ import annotations

from random import Random

import pytest
import second_checker
from mutants import ODD, certificates, is_true, mutant

from symsafe import checker

KINDS = set(second_checker.KINDS)


def refusal(document: object) -> str | None:
    try:
        checker.check(document)
    except checker.Rejected as found:
        return str(found)
    return None


@pytest.mark.parametrize("seed", range(8))
def test_both_accept_what_the_package_certifies(seed: int) -> None:
    """For a random instance, every kind of claim that it has, and a bandit as lists."""
    for document in certificates(seed):
        assert refusal(document) is None
        assert second_checker.reason(document) is None


def test_all_kinds_occur() -> None:
    """Among the first instances."""
    assert {d["claim"]["kind"] for seed in range(8) for d in certificates(seed)} == KINDS


@pytest.mark.parametrize("batch", range(6))
def test_both_judge_spoilt_certificates_alike(batch: int) -> None:
    """2,400 mutants in all; what is accepted is true by enumeration, or too large for that."""
    random = Random(batch)
    pool = [d for seed in range(3 * batch, 3 * batch + 3) for d in certificates(100 + seed)]
    accepted = decided = 0
    for _ in range(400):
        changed, what = mutant(random, random.choice(pool), pool)
        first = refusal(changed)
        if second_checker.supports(changed):
            assert (first is None) == (second_checker.reason(changed) is None), (what, first)
        if first is None:
            accepted += 1
            if accepted % 5 == 0:
                truth = is_true(changed)
                decided += truth is not None
                assert truth is not False, what
    assert 0 < accepted < 200
    assert decided


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_neither_reads_what_is_no_document(value: object) -> None:
    """Nor breaks on it."""
    assert refusal(value) is not None
    assert second_checker.reason(value) is not None
