"""Refusals of the checker and of the model that no other test meets: every branch has its case."""

from __future__ import annotations

import copy
import json
import runpy
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_bandit import document as bandit_document
from test_bandit import large
from test_conformance import CASES
from test_kl_certificates import documents

from symsafe import (
    MDP,
    BanditArrays,
    Certificate,
    DataDistribution,
    DataSet,
    InputError,
    Policy,
    Regularizer,
    SafetyProblem,
    checker,
    critical_epsilon,
    loads_problem,
    radius,
    repair,
)
from symsafe.analysis.occupancy import occupancy_distribution
from symsafe.model.data_set import DataRow
from symsafe.model.files import load_any, make_folder

Document = dict[str, Any]


@pytest.fixture(scope="module", name="valid")
def fixture_valid() -> dict[str, Document]:
    return documents()


def refused(document: Document) -> checker.Rejected:
    document["digest"] = checker.digest(document["problem"])
    with pytest.raises(checker.Rejected) as caught:
        checker.check(document)
    return caught.value


def without_points(document: Document) -> None:
    document["evidence"]["curves"][0].update(points=[], pieces=[])


def reward_inside(document: Document) -> None:
    """Leave out the points at a reward, so that two pieces become one."""
    curve = document["evidence"]["curves"][0]
    rewards = {x for row in document["problem"]["reward"] for x in row}
    inner = next(i for i, (t, _) in enumerate(curve["points"]) if i and t in rewards)
    del curve["points"][inner], curve["pieces"][inner]


def test_a_curve_needs_points(valid: dict[str, Document]) -> None:
    """Where one is due."""
    document = copy.deepcopy(valid["None"])
    without_points(document)
    assert refused(document).rule == "curves.1"


def test_no_reward_is_inside_a_piece(valid: dict[str, Document]) -> None:
    """There the curve has a corner."""
    document = copy.deepcopy(valid["None"])
    reward_inside(document)
    assert refused(document).rule == "curves.2"


def test_no_curve_is_due_where_the_discount_is_not_zero(valid: dict[str, Document]) -> None:
    """The soft control rules have none."""
    document = copy.deepcopy(valid["lasting"])
    document["evidence"]["curves"][0]["points"] = [["0", "0"]]
    assert refused(document).step == "evidence.curves[0].points"


def test_trajectory_returns_have_a_gap_bound_for_bandits_alone(valid: dict[str, Document]) -> None:
    """With a discount the bound is one of another metric."""
    document = copy.deepcopy(valid["lasting"])
    penalty = Certificate(document).problem().regularizer
    assert penalty is not None
    assert penalty.reference is not None
    weights = occupancy_distribution(penalty.reference).weights
    rows = penalty.mdp.pair_ranges
    document["problem"]["data"] = [[str(weights[p]) for p in row] for row in rows]
    document["problem"]["metric"] = "returns"
    document["claim"] = {"kind": "safe", "regret": "4/5", "epsilon": "1/1000"}
    del document["evidence"]["witness"]
    found = refused(document)
    assert (found.rule, "discount" in str(found)) == ("gap", True)


def test_too_many_sets_of_actions_are_not_judged(
    valid: dict[str, Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit of the checker."""
    monkeypatch.setattr(checker, "MAX_CHOICES", 0)
    found = refused(copy.deepcopy(valid["None"]))
    assert found.rule == "format"
    assert "sets of lowered actions" in str(found)


def test_exponents_beyond_the_limit_are_not_judged() -> None:
    """Nor computed."""
    with pytest.raises(checker.Malformed, match="exponent"):
        checker.exp_bound(Fraction(10**6), 64, up=True)


@pytest.mark.parametrize("value", [{"kind": "l7"}, {}, [], "tv", "reference alone"])
def test_a_regularizer_is_of_a_known_kind(value: object) -> None:
    """Anything else is malformed."""
    mdp = MDP.bandit({"s": {"a": 1, "b": 0}})
    penalty = Regularizer(mdp, "tv", Fraction(1, 5))
    problem = SafetyProblem(mdp, DataDistribution.uniform(mdp), "1/2", None, penalty)
    certificate = radius(problem).certificate
    assert certificate is not None
    document = json.loads(certificate.to_json())
    if value == "reference alone":
        value = document["problem"]["regularizer"] | {"kind": "l7"}
    document["problem"]["regularizer"] = value
    assert refused(document).rule == "format"


def test_claims_about_sets_are_not_about_lists() -> None:
    """A bandit as lists of integers has one distribution."""
    document = bandit_document(large())
    document["claim"] = {"kind": "all-unsafe", "regret": "1/2", "epsilon": "1", "set": {"rows": []}}
    assert refused(document).rule == "claim"


def test_the_claims_are_said_in_words() -> None:
    """Of critical epsilon and distance as well."""
    mdp = MDP.bandit({"s": {"a": 1, "b": 0}})
    best = critical_epsilon(mdp, 1).certificate
    fixed = repair(SafetyProblem(mdp, DataDistribution.uniform(mdp), 1, "1/4")).certificate
    assert best is not None
    assert fixed is not None
    assert "critical epsilon of the set" in best.check().sentence
    assert "distance of D from those of the set with a safety radius" in fixed.check().sentence


def test_the_checker_runs_as_a_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its exit status is that of its main."""
    monkeypatch.setattr(sys, "argv", ["checker.py", str(tmp_path / "missing.json")])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(checker.__file__), run_name="__main__")
    assert caught.value.code == 2
    assert "not read" in capsys.readouterr().err


TWO = MDP.bandit({"s": {"a": 1, "b": 0}})
THREE = MDP.bandit({"s": {"a": 1, "b": 0, "c": 0}})
UNIFORM = DataDistribution.uniform(TWO)
OPEN = MDP.bandit({"s": {"a": 1, "b": 0}}, parameters={"p": (0, 1)})
LASTING = MDP.from_arrays(transitions=[[[1], [1]]], reward=[[1, 0]], initial=[1], discount="1/2")


def kl(mdp: MDP) -> Regularizer:
    return Regularizer(mdp, "kl", Fraction(1))


BAD: dict[str, tuple[Callable[[], object], str]] = {
    "a relation that is none": (
        lambda: DataSet(TWO, (DataRow({0: Fraction(1)}, "at least", Fraction(1)),)),  # type: ignore[arg-type]
        "set",
    ),
    "a member with parameters": (
        lambda: DataSet.mixture([DataDistribution.from_table(OPEN, {"s": {"a": "p", "b": "1-p"}})]),
        "set",
    ),
    "a regularizer that is none": (
        lambda: SafetyProblem(TWO, UNIFORM, 1, None, "tv"),  # type: ignore[arg-type]
        "regularizer",
    ),
    "a regularizer of another MDP": (
        lambda: SafetyProblem(TWO, UNIFORM, 1, None, Regularizer(THREE, "tv", Fraction(1))),
        "regularizer",
    ),
    "a reference that is no policy": (
        lambda: Regularizer(TWO, "tv", Fraction(1), "uniform"),  # type: ignore[arg-type]
        "regularizer.reference",
    ),
    "a reference of another MDP": (
        lambda: Regularizer(TWO, "tv", Fraction(1), Policy.uniform(THREE)),
        "regularizer.reference",
    ),
    "preferences with a discount": (
        lambda: SafetyProblem(
            LASTING, DataDistribution.uniform(LASTING), 1, None, kl(LASTING), "preferences"
        ),
        "metric",
    ),
    "a metric that is no text": (
        lambda: loads_problem(
            'data = "uniform"\nsafety = { regret = 1, metric = 2 }\n'
            "[bandit.reward]\ns = { a = 1, b = 0 }"
        ),
        "safety.metric",
    ),
    "numbers of arrays that are too large together": (
        lambda: BanditArrays(
            np.array(2), np.array([1, 1]), np.array([0, 1, 2, 3]), np.array([2**61] * 4), 1
        ),
        "data",
    ),
    "lists of several lengths": (
        lambda: BanditArrays(np.array(2), np.array([1]), [[1], [1, 2]], np.array([1, 1]), 1),  # type: ignore[arg-type]
        "reward",
    ),
    "an unknown key of arrays": (lambda: BanditArrays.from_document({"extra": 1}), "extra"),
    "a missing key of arrays": (
        lambda: BanditArrays.from_document({"format": "arrays"}),
        "actions",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_values_are_named(name: str) -> None:
    """With their field."""
    attempt, field = BAD[name]
    with pytest.raises(InputError) as caught:
        attempt()
    assert caught.value.field == field


def test_a_problem_with_a_penalty_keeps_it_when_parameters_get_values() -> None:
    """On the MDP without parameters, reference and all."""
    data = DataDistribution.uniform(OPEN)
    problem = SafetyProblem(OPEN, data, 1, None, Regularizer(OPEN, "tv", Fraction(1)))
    found = problem.at(p=0)
    assert found.regularizer == replace(problem.regularizer, mdp=found.mdp, reference=None)  # type: ignore[type-var]
    assert repr(found.regularizer) == "Regularizer(tv, weight 1)"


@pytest.mark.parametrize(
    ("content", "found"),
    [(b'{"format": "arrays", ', "file"), (b'{"format": "arrays"}', "actions")],
)
def test_files_of_arrays_that_are_none_are_refused(
    content: bytes, found: str, tmp_path: Path
) -> None:
    """With the name of the file, or of what is missing."""
    path = tmp_path / "bandit.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_any(path)
    assert caught.value.field == (str(path) if found == "file" else found)


def test_files_of_arrays_that_are_too_long_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may be longer than other files, but not of any length."""
    path = tmp_path / "bandit.json"
    path.write_bytes(b'{"format": "arrays", "actions": 2}')
    monkeypatch.setattr("symsafe.model.files.MAX_BYTES", 10)
    with pytest.raises(InputError, match="initial"):
        load_any(path)
    monkeypatch.setattr("symsafe.model.files._MAX_ARRAY_BYTES", 10)
    with pytest.raises(InputError, match="more than 10 bytes"):
        load_any(path)


def test_a_folder_is_made_or_refused_by_name(tmp_path: Path) -> None:
    """Where a file is in the way."""
    assert make_folder(tmp_path / "new" / "one", "certificates").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError) as caught:
        make_folder(tmp_path / "file", "certificates")
    assert caught.value.field == "certificates"


def test_a_family_has_no_hitting_bounds() -> None:
    """They are about occupancies, which its proofs do not bound."""
    for case in CASES:
        document = copy.deepcopy(case["document"])
        if case["sort"] == "region" and not case["refused"]:
            for proof in (x for x in document["evidence"]["proofs"] if "tree" in x):
                proof["tree"][0]["hitting"] = []
                assert refused(document).rule == "format"
                return
    pytest.fail("no family is safe")


@pytest.mark.parametrize("sort", ["radius", "radius, l2", "radius, linear", "radius, tv"])
def test_a_lower_bound_is_not_divided_by_the_range(sort: str) -> None:
    """Of the rewards, by which costs are divided."""
    tried = 0
    for case in CASES:
        document = copy.deepcopy(case["document"])
        if case["sort"] != sort or case["refused"]:
            continue
        rewards = [Fraction(x) for row in document["problem"]["reward"] for x in row]
        spread, lower = max(rewards) - min(rewards), document["claim"].get("lower")
        if spread > 1 and lower != "0":
            higher = str(Fraction(lower) * spread**2)
            document["claim"].update(lower=higher, upper=higher)
            refused(document)
            tried += 1
    assert tried
