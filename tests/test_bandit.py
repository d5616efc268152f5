"""Contextual bandits given by arrays: the multiplier against the exact engine, and the checker."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from random import Random

import numpy as np
import pytest

from symsafe import BanditArrays, Certificate, InputError, checker, decide, radius
from symsafe.certificate import bandit_certificate
from symsafe.engine import bandit_core
from symsafe.engine.bandit import solve_bandit
from symsafe.model.arrays import load_arrays


def random_bandit(seed: int, contexts: int = 4, largest: int = 6) -> BanditArrays:
    """Ties, zeros in the data, contexts that are never met, single actions."""
    random = Random(seed)
    while True:
        actions = [random.randint(1, 4) for _ in range(contexts)]
        try:
            return BanditArrays(
                actions=np.array(actions),
                initial=np.array([random.choice([0, 1, 2, 5]) for _ in actions]),
                reward=np.array([random.randint(-3, largest) for _ in range(sum(actions))]),
                data=np.array([random.choice([0, 1, 1, 2, 7]) for _ in range(sum(actions))]),
                regret=random.choice([Fraction(1, 10), Fraction(1, 2), Fraction(1)]),
            )
        except InputError:
            continue


@pytest.mark.parametrize("chunk", range(4))
def test_the_radius_is_that_of_the_tree_engine(chunk: int) -> None:
    """Exact and certified on 200 random instances."""
    for seed in range(50 * chunk, 50 * chunk + 50):
        bandit = random_bandit(seed)
        outcome = solve_bandit(bandit)
        found = radius(bandit.problem()).lower
        assert outcome.lower == found == outcome.upper, seed
        claim = {"kind": "radius", "lower": str(outcome.lower), "upper": str(outcome.upper)}
        made = bandit_certificate(bandit, claim, outcome)
        assert checker.check_text(made.to_json()).kind == "radius"
        assert radius(made.problem()).lower == found
        plain = outcome.without_core()
        assert plain.lower <= found
        claim["lower"] = str(plain.lower)
        assert bandit_certificate(bandit, claim, plain).check().upper == found


def large(contexts: int = 300) -> BanditArrays:
    random = Random(1)
    return BanditArrays(
        actions=np.array(5),
        initial=np.array([10**6 // (s + 1) for s in range(contexts)]),
        reward=np.array([random.randint(0, 100) for _ in range(5 * contexts)]),
        data=np.array([random.randint(1, 1000) for _ in range(5 * contexts)]),
        regret=Fraction(1, 2),
    )


def at(bandit: BanditArrays, epsilon: Fraction) -> BanditArrays:
    return BanditArrays(
        bandit.actions, bandit.initial, bandit.reward, bandit.data, bandit.regret, epsilon
    )


def test_decisions_around_the_radius_are_certified() -> None:
    """Unsafe from the radius on, safe below it, however near."""
    bandit = large()
    bounds = radius(bandit)
    assert bounds.statistics.engine == "multiplier"
    assert 0 < bounds.lower == bounds.upper
    for factor, expected in ((0, "unsafe"), (-1, "safe"), (1, "unsafe")):
        verdict = decide(at(bandit, bounds.lower + Fraction(factor, 10**30)))
        assert verdict.answer == expected
        assert verdict.certificate is not None
        assert verdict.certificate.kind == expected


def test_where_too_many_contexts_are_in_doubt_bounds_remain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Certified by the multiplier alone; a tolerance between them is undecided."""
    bandit = large()
    exact = radius(bandit).lower
    monkeypatch.setattr(bandit_core, "_STATES", 0)
    bounds = radius(bandit)
    assert bounds.lower < exact <= bounds.upper < bounds.lower * Fraction(101, 100)
    verdict = decide(at(bandit, (bounds.lower + exact) / 2))
    assert verdict.answer == "unknown"
    assert verdict.certificate is not None
    assert verdict.certificate.kind == "radius"


def test_what_floats_dropped_by_mistake_costs_the_exactness_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The checker refuses the proof, and the multiplier's bounds are returned."""
    bandit = large()
    exact = radius(bandit).lower
    none = np.zeros(0, dtype=np.int64)
    monkeypatch.setattr(bandit_core._Near, "_kept", lambda *_: none.astype(bool))
    found = radius(bandit)
    assert found.lower < exact <= found.upper


def test_numbers_beyond_64_bits_in_products_stay_exact() -> None:
    """Scaling every list changes nothing."""
    small = random_bandit(5)
    scaled = BanditArrays(
        small.actions, small.initial * 10**14, small.reward * 10**15, small.data * 10**14, 1
    )
    plain = BanditArrays(small.actions, small.initial, small.reward, small.data, 1)
    assert solve_bandit(scaled).upper == solve_bandit(plain).upper


def document(bandit: BanditArrays) -> dict[str, object]:
    outcome = solve_bandit(bandit)
    claim = {"kind": "radius", "lower": str(outcome.lower), "upper": str(outcome.upper)}
    made = bandit_certificate(bandit, claim, outcome)
    result: dict[str, object] = json.loads(made.to_json())
    return result


@pytest.mark.parametrize(
    ("part", "key", "value", "rule"),
    [
        ("claim", "upper", "1/1000000", "bandit.1"),
        ("claim", "lower", "1/397", "bandit.3"),  # the radius is 1/397.4
        ("evidence", "core", "0", "bandit.3"),
        ("evidence", "core", "0 0", "format"),
        ("evidence", "core", "300", "format"),
        ("evidence", "core", "-1", "format"),
        ("evidence", "multiplier", "-1", "problem"),
        ("evidence", "choice", "0 0", "format"),
        ("evidence", "choice", " ".join(["9"] * 300), "format"),
        ("evidence", "choice", " ".join(["-1"] * 300), "problem"),
        ("evidence", "choice", "0  0", "format"),
        ("problem", "data", "1 2 3", "format"),
        ("problem", "reward", " ".join(["1"] * 1500), "problem"),
        ("problem", "initial", " ".join(["0"] * 300), "problem"),
        ("problem", "actions", " ".join(["0"] * 300), "format"),
    ],
)
def test_a_changed_certificate_is_refused(part: str, key: str, value: str, rule: str) -> None:
    """Each change is pinned to the rule that it breaks."""
    changed = document(large())
    inside = changed[part]
    assert isinstance(inside, dict)
    inside[key] = value
    changed["digest"] = checker.digest(changed["problem"])
    with pytest.raises(checker.Rejected) as caught:
        checker.check(changed)
    assert caught.value.rule == rule


@pytest.mark.parametrize(("key", "value"), [("multiplier", "1000000"), ("multiplier", "0")])
def test_without_core_the_multiplier_has_to_prove_the_bound(key: str, value: str) -> None:
    """By itself."""
    bandit = large()
    plain = solve_bandit(bandit).without_core()
    claim = {"kind": "radius", "lower": str(plain.lower), "upper": str(plain.upper)}
    changed = json.loads(bandit_certificate(bandit, claim, plain).to_json())
    changed["evidence"][key] = value
    with pytest.raises(checker.Rejected) as caught:
        checker.check(changed)
    assert caught.value.rule == "bandit.2"


def test_a_core_with_too_many_states_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """It exceeds the limits of the checker."""
    made = document(large())
    monkeypatch.setattr(checker, "MAX_STATES", 10)
    with pytest.raises(checker.Malformed, match="states"):
        checker.check(made)


def test_a_choice_that_is_too_good_is_no_witness() -> None:
    """The best action everywhere loses nothing."""
    bandit = large()
    changed = document(bandit)
    rows = bandit.reward.reshape(-1, 5)
    evidence = changed["evidence"]
    assert isinstance(evidence, dict)
    evidence["choice"] = " ".join(map(str, rows.argmax(axis=1).tolist()))
    with pytest.raises(checker.Rejected) as caught:
        checker.check(changed)
    assert (caught.value.step, caught.value.rule) == ("evidence.choice", "bandit.1")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reward", [1.5] * 4),
        ("reward", [True] * 4),
        ("reward", [1, 1, 1, 1]),
        ("reward", [1, 2, 3]),
        ("data", [0, 0, 0, 0]),
        ("data", [1, -1, 1, 1]),
        ("data", [2**62, 0, 0, 0]),
        ("actions", [2, 0]),
        ("actions", [2, 2, 2]),
        ("initial", [[1, 1]]),
        ("regret", 2),
        ("epsilon", 0),
    ],
)
def test_bad_arrays_are_refused_by_name(field: str, value: object) -> None:
    """One clear error that names the field."""
    given: dict[str, object] = {
        "format": "arrays",
        "actions": 2,
        "initial": [1, 1],
        "reward": [0, 1, 2, 3],
        "data": [1, 1, 1, 1],
        "regret": "1/2",
        field: value,
    }
    with pytest.raises(InputError) as caught:
        BanditArrays.from_document(given)
    assert caught.value.field in (field, "data", "reward")


def test_a_file_of_arrays_is_decided_and_its_certificate_is_bound_to_it(tmp_path: Path) -> None:
    """The format comes first in the file; the certificate knows its problem from another."""
    bandit = large()
    lists = {k: getattr(bandit, k).tolist() for k in ("actions", "initial", "reward", "data")}
    path = tmp_path / "bandit.json"
    path.write_text(json.dumps({"format": "arrays", **lists, "regret": "1/2", "epsilon": "1/2"}))
    loaded = load_arrays(path)
    assert loaded is not None
    verdict = decide(loaded)
    assert verdict.answer == "unsafe"
    assert verdict.certificate is not None
    verdict.certificate.save(tmp_path / "c.json")
    found = Certificate.load(tmp_path / "c.json")
    assert found.differences(loaded) == []
    other = BanditArrays(loaded.actions, loaded.initial, loaded.reward, loaded.data + 1, "1/2")
    assert found.differences(other) == ["data"]
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())  # the mark that Windows puts there
    marked = load_arrays(path)
    assert marked is not None
    assert found.differences(marked) == []
    (tmp_path / "p.toml").write_text("[mdp]\n")
    assert load_arrays(tmp_path / "p.toml") is None
