"""Cases for any checker (benchmarks/conformance.py writes them): right ones and spoilt ones."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import second_checker

from symsafe import checker

CASES: list[dict[str, Any]] = json.loads(
    gzip.decompress((Path(__file__).parent / "conformance.json.gz").read_bytes())
)
SORTS = sorted({case["sort"] for case in CASES})


def test_more_cases_are_refused_than_accepted() -> None:
    """Of every sort there are both, and of every rule of the checker a refusal."""
    refused = [case for case in CASES if case["refused"]]
    assert len(refused) > len(CASES) / 2
    assert {case["sort"] for case in refused} == set(SORTS)
    assert {case["sort"] for case in CASES if not case["refused"]} == set(SORTS)
    assert {case["document"]["claim"]["kind"] for case in CASES if not case["refused"]} == set(
        second_checker.KINDS
    )


@pytest.mark.parametrize("sort", SORTS)
def test_the_checker_accepts_and_refuses_as_it_should(sort: str) -> None:
    """Refusals name the step and the rule."""
    for case in (case for case in CASES if case["sort"] == sort):
        found = None
        try:
            checker.check(case["document"])
        except checker.Rejected as refusal:
            found = [refusal.step, refusal.rule]
        assert found == case["refused"]


def test_a_claim_about_a_set_says_so() -> None:
    """In the sentence that is printed; one about D alone does not."""
    for case in (case for case in CASES if not case["refused"]):
        claim = case["document"]["claim"]
        if claim["kind"] != "region":
            sentence = checker.check(case["document"]).sentence
            assert ("of the set" in sentence) == ("set" in claim), sentence


@pytest.mark.parametrize("sort", SORTS)
def test_the_checker_counts_its_work(sort: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every kind of problem and claim, where a text may ask for more than it is long."""
    monkeypatch.setattr(checker, "MAX_WORK", 0)

    def refused(document: Any) -> bool:
        try:
            checker.check(document)
        except checker.Malformed as refusal:
            return "steps of work" in str(refusal)
        return False

    accepted = (x["document"] for x in CASES if x["sort"] == sort and not x["refused"])
    assert any(map(refused, accepted))


@pytest.mark.parametrize("sort", SORTS)
def test_the_second_checker_does_likewise(sort: str) -> None:
    """It has no steps; no case leaves it in doubt."""
    for case in (case for case in CASES if case["sort"] == sort):
        expected = "refused" if case["refused"] else "accepted"
        assert second_checker.verdict(case["document"])[0] == expected


def test_no_step_of_work_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one part of a certificate counts, no other can take off."""
    steps, spend = list[int](), checker.Work.spend

    def counted(self: checker.Work, more: int, step: str) -> None:
        steps.append(more)
        spend(self, more, step)

    monkeypatch.setattr(checker.Work, "spend", counted)
    for case in CASES:
        if not case["refused"]:
            checker.check(case["document"])
    assert min(steps) == 0


@pytest.mark.parametrize(
    ("sort", "words"),
    [
        ("radius, lists", " <= safety radius <= "),
        ("radius, l2", " <= regularised safety radius <= "),
        ("radius, kl, mse", " <= regularised safety radius in mse <= "),
        ("unsafe, l2", "some reward with error <= "),
        ("unsafe, kl, mse", "some reward with error in mse <= "),
    ],
)
def test_a_claim_says_what_it_is_about(sort: str, words: str) -> None:
    """Whether optima are penalised, and how errors are measured."""
    intact = (x["document"] for x in CASES if x["sort"] == sort and not x["refused"])
    found = checker.check(next(intact))
    assert words in found.sentence
    assert found.regularised == ("lists" not in sort)
    assert ("regularised-optimal" in found.sentence) == sort.startswith("unsafe")
