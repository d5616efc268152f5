"""Two checkers that share nothing agree, on what is right and on what has been spoilt."""

from __future__ import annotations

from random import Random

import pytest
import second_checker
from mutants import ODD, certificates, is_true, mutant
from test_conformance import CASES

from symsafe import checker


def refusal(document: object) -> str | None:
    try:
        checker.check(document)
    except checker.Rejected as found:
        return str(found)
    return None


@pytest.mark.parametrize("seed", range(4))
def test_both_accept_what_the_package_certifies(seed: int) -> None:
    """For a random instance, every kind of claim that it has, and a bandit as lists."""
    for document in certificates(seed):
        assert refusal(document) is None
        assert second_checker.verdict(document)[0] != "refused"


@pytest.mark.parametrize("batch", range(6))
def test_both_judge_spoilt_certificates_alike(batch: int) -> None:
    """2,400 mutants of the cases; what both accept is true by an oracle, or too large for it."""
    random = Random(batch)
    pool = [case["document"] for case in CASES if not case["refused"]]
    accepted = decided = left_open = 0
    for _ in range(400):
        changed, what = mutant(random, random.choice(pool), pool)
        first = refusal(changed)
        second, why = second_checker.verdict(changed)
        left_open += second == "open"
        assert second in ("open", "refused" if first else "accepted"), (what, first, why)
        if first is None:
            accepted += 1
            if accepted % 5 == 0:
                truth = is_true(changed)
                decided += truth is not None
                assert truth is not False, what
    assert 0 < accepted < 200
    assert decided
    assert left_open < 10


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_neither_reads_what_is_no_document(value: object) -> None:
    """Nor breaks on it."""
    assert refusal(value) is not None
    assert second_checker.verdict(value)[0] == "refused"
