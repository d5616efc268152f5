"""Contextual bandits given by arrays: the knapsack against the tree engine, and the checkers."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections import Counter
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import second_checker
from test_checker import certificate

from symsafe import BanditArrays, Certificate, InputError, checker, decide, load_problem, radius
from symsafe.certificate import bandit_certificate
from symsafe.engine import bandit_core, bandit_tree, copies
from symsafe.engine.bandit import solve_bandit
from symsafe.engine.limits import Limits
from symsafe.model.files import load_any


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
        plain = outcome.by_multiplier()
        assert plain.lower <= found
        claim["lower"] = str(plain.lower)
        assert bandit_certificate(bandit, claim, plain).check().upper == found


def test_trees_of_splits_prove_the_radius(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where cores may have few states, contexts are split; both checkers accept."""
    bandits = [random_bandit(seed, contexts=6, largest=9) for seed in range(80)]
    exact = [solve_bandit(bandit).upper for bandit in bandits]
    monkeypatch.setattr(bandit_tree, "_ROUNDS", ((0, 10_000),))
    splits = 0
    for bandit, found in zip(bandits, exact, strict=True):
        outcome = solve_bandit(bandit)
        assert outcome.lower == found == outcome.upper
        made = document(bandit)
        assert checker.check(made).kind == "radius"
        assert second_checker.verdict(made) == ("accepted", "")
        splits += sum(isinstance(node, tuple) for node in outcome.tree)
    assert splits > 5


def test_a_search_that_was_stopped_proves_what_its_open_nodes_prove(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The more nodes, the better the bound; it never exceeds the radius."""
    bandit = large()
    exact = radius(bandit).lower
    found = []
    for nodes in (1, 20, 200):
        monkeypatch.setattr(bandit_tree, "_ROUNDS", ((0, nodes),))
        found.append(radius(bandit).lower)
    assert found[0] < found[1] < found[2] <= exact


class After(Limits):
    """Reached when it was asked so often."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    def reached(self, nodes: int = 0, reserve: float = 0.0) -> str | None:  # noqa: ARG002
        self.looks -= 1
        return "time limit" if self.looks < 0 else None


def test_whenever_a_limit_is_reached_the_bounds_are_certified(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before the search, before a node, inside of a core; then no context is looked at any more."""
    bandit = large()
    exact = radius(bandit).lower
    monkeypatch.setattr(bandit_tree, "_ROUNDS", ((500, 9), (20_000, 60)))
    for looks in (0, 1, 2, 3, 10, 30, 100):
        limits = After(looks)
        outcome = solve_bandit(bandit, limits)
        assert outcome.stopped == "time limit"
        assert limits.looks == -1
        assert outcome.lower <= exact <= outcome.upper < outcome.lower * Fraction(6, 5)
        claim = {"kind": "radius", "lower": str(outcome.lower), "upper": str(outcome.upper)}
        assert bandit_certificate(bandit, claim, outcome).check().lower == outcome.lower
    outcome = solve_bandit(bandit, After(10**9))
    assert (outcome.lower, outcome.upper, outcome.stopped) == (exact, exact, None)


def test_a_node_limit_ends_the_search_with_bounds() -> None:
    """This bandit needs some dozens of nodes."""
    bandit = random_bandit(28, contexts=12, largest=50)
    exact = radius(bandit)
    found = radius(bandit, node_limit=1)
    assert found.statistics.stopped == "node limit"
    assert found.lower < exact.lower
    assert found.upper is not None
    assert found.upper >= exact.lower


def test_a_time_limit_ends_the_search_with_bounds() -> None:
    """However short: what one multiplier proves is known before."""
    found = radius(large(), time_limit=1e-9)
    assert found.statistics.stopped == "time limit"
    assert found.lower < found.upper
    assert found.certificate is not None


def test_ctrl_c_ends_the_search_with_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if it comes before the search, while numbers are sorted."""
    before = bandit_tree.Hull.__init__

    def interrupted(self: bandit_tree.Hull, *given: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        before(self, *given)

    monkeypatch.setattr(bandit_tree.Hull, "__init__", interrupted)
    found = radius(large())
    assert found.statistics.stopped == "interrupted"
    assert found.lower < found.upper
    assert found.certificate is not None


@pytest.mark.skipif(sys.platform != "linux", reason="bounds are kept by fork")
def test_bounds_are_kept_while_the_search_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of other problems."""
    bandit, kept = large(), tmp_path / "c.json"
    exact = radius(bandit)
    monkeypatch.setattr(copies, "SECONDS", 0.0)
    decide_core = bandit_core.Core.decide

    def patient(self: bandit_core.Core, *given: Any) -> Any:
        late = time.monotonic() + 60
        while not kept.exists() and time.monotonic() < late:
            time.sleep(0.01)
        return decide_core(self, *given)

    monkeypatch.setattr(bandit_core.Core, "decide", patient)
    found = radius(bandit, checkpoint=kept)
    assert found.certificate == exact.certificate
    before = Certificate.load(kept).check()
    assert before.lower is not None
    assert before.upper is not None
    assert before.lower <= exact.lower <= before.upper


def test_a_tree_that_is_too_large_to_check_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound of the root remains."""
    bandit = large()
    monkeypatch.setattr(bandit_tree, "_STATES", 0)
    outcome = solve_bandit(bandit)
    assert outcome.lower == outcome.plain < outcome.upper


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
    """Certified by a multiplier for each node so far; a tolerance between them is undecided."""
    bandit = large()
    exact = radius(bandit).lower
    monkeypatch.setattr(bandit_tree, "_ROUNDS", ((1, 1),))
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
    monkeypatch.setattr(bandit_core.Core, "_kept", lambda *_: none.astype(bool))
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


def document(bandit: BanditArrays) -> Any:
    outcome = solve_bandit(bandit)
    claim = {"kind": "radius", "lower": str(outcome.lower), "upper": str(outcome.upper)}
    made = bandit_certificate(bandit, claim, outcome)
    return json.loads(made.to_json())


@pytest.mark.parametrize(
    ("part", "key", "value", "rule"),
    [
        ("claim", "upper", "1/1000000", "bandit.1"),
        ("claim", "lower", "1/397", "bandit.3"),  # the radius is 1/397.4
        ("evidence", "choice", "0 0", "format"),
        ("evidence", "choice", " ".join(["9"] * 300), "format"),
        ("evidence", "choice", " ".join(["-1"] * 300), "problem"),
        ("evidence", "choice", "0  0", "format"),
        ("evidence", "bits", -1, "format"),
        ("evidence", "bits", 4097, "format"),
        ("evidence", "bits", "64", "format"),
        ("evidence", "tree", "0", "format"),
        ("evidence", "tree", [], "bandit.2"),
        ("evidence", "tree", [0], "format"),
        ("evidence", "tree", ["-1"], "format"),
        ("evidence", "tree", ["0"], "bandit.3"),
        ("evidence", "tree", ["9" * 30], "bandit.3"),
        ("evidence", "tree", ["0 5 5"], "format"),
        ("evidence", "tree", ["0 300"], "format"),
        ("evidence", "tree", ["0 -1"], "format"),
        ("evidence", "tree", [[0, 1, 2], "0", "0"], "format"),
        ("evidence", "tree", [[300, 1], "0", "0"], "format"),
        ("evidence", "tree", [[0, -1], "0", "0"], "format"),
        ("evidence", "tree", [[0, 0], "0", "0"], "bandit.2"),
        ("evidence", "tree", [[0, 5], "0", "0"], "bandit.2"),
        ("problem", "data", "1 2 3", "format"),
        ("problem", "reward", " ".join(["1"] * 1500), "problem"),
        ("problem", "initial", " ".join(["0"] * 300), "problem"),
        ("problem", "actions", " ".join(["0"] * 300), "format"),
    ],
)
def test_a_changed_certificate_is_refused(part: str, key: str, value: object, rule: str) -> None:
    """Each change is pinned to the rule that it breaks; the second checker refuses as well."""
    changed = document(large())
    changed[part][key] = value
    assert refused(changed) == rule


def refused(changed: Any) -> str:
    changed["digest"] = checker.digest(changed["problem"])
    with pytest.raises(checker.Rejected) as caught:
        checker.check(changed)
    assert second_checker.verdict(changed)[0] == "refused"
    return caught.value.rule


def small(seed: int) -> Any:
    return document(random_bandit(seed, contexts=5, largest=9))


@pytest.mark.parametrize("seed", range(40))
def test_nothing_stronger_than_the_radius_is_proven(seed: int) -> None:
    """Not a little more from below or less from above, and not that the radius itself is safe."""
    claim = small(seed)["claim"]
    for change, rule in ((1, "bandit.3"), (-1, "bandit.1")):
        changed = small(seed)
        bound = str(Fraction(claim["upper"]) + Fraction(change, 10**12))
        changed["claim"].update(lower=bound, upper=bound)
        if change > 0 or Fraction(claim["upper"]):
            assert refused(changed) == rule
    epsilon = Fraction(claim["lower"])
    if epsilon:
        changed = small(seed)
        del changed["evidence"]["choice"]
        for at, rule in ((epsilon, "bandit.3"), (epsilon * Fraction(999, 1000), None)):
            changed["claim"] = {"kind": "safe", "regret": claim["regret"], "epsilon": str(at)}
            if rule:
                assert refused(changed) == rule
            else:
                found = checker.check(changed)
                assert (found.kind, found.epsilon) == ("safe", at)


def alike(contexts: int, **parts: str) -> dict[str, str]:
    """A bandit of integers in which all contexts are the same."""
    parts = {"actions": "2", "initial": "1", "reward": "1 0", "data": "1 1"} | parts
    return {key: " ".join([part] * contexts) for key, part in parts.items()}


def claimed(problem: dict[str, str], regret: str, epsilon: str, *tree: Any) -> Any:
    """A claim that a bandit of integers is safe."""
    return certificate(
        problem,
        {"kind": "safe", "regret": regret, "epsilon": epsilon},
        bits=0,
        tree=list(tree),
    )


@pytest.mark.parametrize(("contexts", "leaf"), [(1, "0 0"), (2, "5")])
def test_a_choice_that_loses_no_more_than_it_has_to_is_bad(contexts: int, leaf: str) -> None:
    """The worst choice has a regret of exactly 1, and costs half of the range."""
    assert refused(claimed(alike(contexts), "1", "3/4", leaf)) == "bandit.3"


def test_choices_that_lose_and_cost_the_same_are_counted_once() -> None:
    """Fourteen contexts with two bad actions each have 16,384 choices, and one state."""
    problem = alike(14, actions="3", initial="1000", reward="1 0 0", data="1 1 1")
    leaf = " ".join(map(str, [0, *range(14)]))
    assert checker.check(claimed(problem, "1", "1/4", leaf)).kind == "safe"


def test_both_checkers_agree_about_random_claims() -> None:
    """Ranges of few numbers, so that ties are frequent."""
    random, verdicts = Random(1), Counter[str]()
    for _ in range(600):
        actions = [random.randint(1, 4) for _ in range(random.randint(1, 4))]
        contexts, pairs = range(len(actions)), range(sum(actions))
        numbers = {
            "actions": actions,
            "initial": [random.choice([0, 1, 2, 5]) for _ in contexts],
            "reward": [random.randint(-3, 5) for _ in pairs],
            "data": [random.choice([0, 1, 1, 2, 7]) for _ in pairs],
        }
        problem = {key: " ".join(map(str, values)) for key, values in numbers.items()}
        regret = random.choice(["1", "1/2", "1/4", "3/4"])
        core = random.sample(contexts, random.randint(0, len(actions)))
        leaf = " ".join(map(str, [random.randint(0, 12), *core]))
        made = claimed(problem, regret, str(Fraction(random.randint(1, 20), 40)), leaf)
        verdict, _ = second_checker.verdict(made)
        verdicts[verdict] += 1
        try:
            checker.check(made)
        except checker.Rejected:
            assert verdict == "refused", made
        else:
            assert verdict == "accepted", made
    assert verdicts["accepted"] > 40


@pytest.mark.parametrize("core", [0, 2])
@pytest.mark.parametrize("seed", range(25))
def test_trees_with_several_multipliers_prove_no_more(
    seed: int, core: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each leaf decides but a few contexts, and bounds the others by its multiplier."""
    monkeypatch.setattr(bandit_tree, "_ROUNDS", ((core, 10_000),))
    made = document(random_bandit(seed, contexts=14, largest=9))
    assert checker.check(made).kind == "radius"
    bound = str(Fraction(made["claim"]["upper"]) + Fraction(1, 10**12))
    made["claim"].update(lower=bound, upper=bound)
    assert refused(made) == "bandit.3"


def random_tree(random: Random, actions: list[int]) -> list[object]:
    """Splits, and leaves with any multiplier and any core, of half of the contexts or so."""
    tree: list[object] = []
    named = [s for s in range(len(actions)) if random.random() < 1 / 2]
    pending: list[dict[int, tuple[int, int]]] = [{}]
    while pending:
        allowed = pending.pop()
        ranges = {s: allowed.get(s, (0, actions[s])) for s in named}
        wide = [s for s, (first, last) in ranges.items() if last - first > 1]
        if wide and len(tree) < 8 and random.random() < 1 / 3:
            s = random.choice(wide)
            first, last = ranges[s]
            place = random.randrange(first + 1, last)
            tree.append([s, place])
            pending += [{**allowed, s: (place, last)}, {**allowed, s: (first, place)}]
        else:
            core = random.sample(named, random.randint(0, len(named)))
            kappa = random.choice([0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 40])
            tree.append(" ".join(map(str, [kappa, *core])))
    return tree


def judge(seed: int) -> None:
    """Both checkers find the same greatest bound that a random tree proves."""
    random = Random(seed)
    made = document(random_bandit(seed, contexts=random.randint(1, 8), largest=9))
    problem = {key: [int(x) for x in value.split()] for key, value in made["problem"].items()}
    tree = random_tree(random, problem["actions"])
    made["evidence"].update(bits=random.choice([0, 0, 1, 3]), tree=tree)
    unit = sum(problem["data"]) * (max(problem["reward"]) - min(problem["reward"]))
    radius = int(Fraction(made["claim"]["upper"]) * unit)
    proven, beyond = -1, radius + 1
    while beyond - proven > 1:
        middle = (proven + beyond) // 2
        made["claim"]["lower"] = str(Fraction(middle, unit))
        if second_checker.verdict(made)[0] == "accepted":
            proven = middle
        else:
            beyond = middle
    if proven >= 0:  # else the multipliers prove nothing at all
        made["claim"]["lower"] = str(Fraction(proven, unit))
        checker.check(made)
    if beyond <= radius:
        made["claim"]["lower"] = str(Fraction(beyond, unit))
        assert refused(made) == "bandit.3", seed


@pytest.mark.parametrize("block", range(60))
def test_both_checkers_agree_on_what_a_tree_proves(block: int) -> None:
    """Of 600 trees that no search made."""
    for seed in range(10 * block, 10 * (block + 1)):
        judge(seed)


@pytest.mark.parametrize("seed", [867, 3947])
def test_contexts_outside_of_a_tree_move_in_the_order_of_their_slopes(seed: int) -> None:
    """One that comes late moves early; one moves twice within a unit of the multiplier."""
    judge(seed)


@pytest.mark.parametrize("key", ["initial", "data"])
def test_weights_below_0_are_refused(key: str) -> None:
    """Wherever they stand."""
    changed = small(0)
    weights = changed["problem"][key].split()
    changed["problem"][key] = " ".join([*weights[:-1], "-1"])
    assert refused(changed) == "problem"


def split_in_two() -> Any:
    """Context 0 loses 4 for 4 or 9 for 9, context 1 loses 5 for 6, context 2 loses 5 for 7.

    Of 19, 10 are due: contexts 1 and 2 do it for 13, 0 and 1 for 15. Multipliers are 16ths.
    """
    document = {
        "format": "symsafe-certificate",
        "version": 1,
        "problem": {
            "actions": "3 2 2",
            "initial": "1 5 5",
            "reward": "9 5 0 1 0 1 0",
            "data": "9 1 1 6 6 7 7",
        },
        "claim": {"kind": "radius", "regret": "10/19", "lower": "13/333", "upper": "13/333"},
        "evidence": {
            "choice": "0 1 1",
            "bits": 4,
            # Without 1 and 2; with 2 alone; with 1.
            "tree": [[1, 1], [2, 1], "160", "16 0", "16 0 2"],
        },
    }
    document["digest"] = checker.digest(document["problem"])
    return document


def test_a_small_tree_can_be_followed_by_hand() -> None:
    """Two splits, a leaf without core and two with one; or a single leaf that decides all."""
    made = split_in_two()
    assert checker.check(made).kind == "radius"
    assert second_checker.verdict(made)[0] == "accepted"
    made["evidence"]["tree"] = ["16 0 1 2"]
    assert checker.check(made).kind == "radius"
    assert second_checker.verdict(made)[0] == "accepted"


@pytest.mark.parametrize(
    ("tree", "rule"),
    [
        (["16 0 1 2", "16"], "bandit.2"),
        ([[1, 1], [2, 1], "160", "16 0"], "bandit.2"),
        ([[1, 1], [2, 1], "160", "16 0", "16 0 2", "160"], "bandit.2"),
        ([[1, 1], [1, 1], "160", "160", "16 0 2"], "bandit.2"),
        ([[1, 2], "16 0 1 2", "16 0 1 2"], "bandit.2"),
        ([[0, 1], "16 1 2", [0, 1], "16 0 1 2", "16 0 1 2"], "bandit.2"),
        (["16"], "bandit.3"),
        (["16 0 1"], "bandit.3"),
        ([[1, 1], [2, 1], "0", "16 0", "16 0 2"], "bandit.3"),
        ([[1, 1], [2, 1], "160", "16", "16 0 2"], "bandit.3"),
        ([[1, 1], [2, 1], "160", "16 0", "16 0"], "bandit.3"),
    ],
)
def test_every_choice_belongs_to_a_leaf_that_is_closed(tree: list[object], rule: str) -> None:
    """No node is missing, none is left over, no child is empty, each leaf proves the bound."""
    changed = split_in_two()
    changed["evidence"]["tree"] = tree
    assert refused(changed) == rule


@pytest.mark.parametrize(
    ("kind", "missing"), [("safe", "tree"), ("safe", "bits"), ("radius", "choice")]
)
def test_each_claim_has_its_own_evidence(kind: str, missing: str) -> None:
    """And no other."""
    changed = split_in_two()
    if kind == "safe":
        changed["claim"] = {"kind": "safe", "regret": "10/19", "epsilon": "1/26"}
        assert refused(changed) == "format"  # a choice proves nothing here
        del changed["evidence"]["choice"]
        assert checker.check(changed).kind == "safe"
    del changed["evidence"][missing]
    assert refused(changed) == "format"


def test_a_choice_has_an_action_of_each_context() -> None:
    """One beyond the last is refused."""
    changed = split_in_two()
    changed["evidence"]["choice"] = "3 1 1"
    assert refused(changed) == "format"


def test_a_core_with_too_many_states_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """It exceeds the limits of the checker, as do too many nodes."""
    made = document(large())
    monkeypatch.setattr(checker, "MAX_STATES", 10)
    with pytest.raises(checker.Malformed, match="states"):
        checker.check(made)


def test_a_choice_that_is_too_good_is_no_witness() -> None:
    """The best action everywhere loses nothing."""
    bandit = large()
    changed = document(bandit)
    rows = bandit.reward.reshape(-1, 5)
    changed["evidence"]["choice"] = " ".join(map(str, rows.argmax(axis=1).tolist()))
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
    loaded = load_any(path)
    verdict = decide(loaded)
    assert verdict.answer == "unsafe"
    assert verdict.certificate is not None
    verdict.certificate.save(tmp_path / "c.json")
    found = Certificate.load(tmp_path / "c.json")
    assert found.differences(loaded) == []
    other = BanditArrays(loaded.actions, loaded.initial, loaded.reward, loaded.data + 1, "1/2")
    assert found.differences(other) == ["data"]
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())  # the mark that Windows puts there
    assert found.differences(load_any(path)) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('"initial": [1], "actions": 2, "reward": [1, 0], "data": [1, 1]', None),
        ('"initial": [1], "initial": [1]', "twice"),
        ('"initial": [true]', "whole numbers"),
        ('"initial": 1', "a list of whole numbers"),
    ],
)
def test_arrays_are_read_as_strictly_as_other_files(
    text: str, found: str | None, tmp_path: Path
) -> None:
    """Keys once, in any order; no truth values for numbers; no number for a list."""
    path = tmp_path / "bandit.json"
    rest = "" if "actions" in text else ', "actions": 2, "reward": [1, 0], "data": [1, 1]'
    path.write_text(f'{{{text}{rest}, "regret": 1, "format": "arrays"}}')
    if found is None:
        assert isinstance(load_any(path), BanditArrays)
    else:
        with pytest.raises(InputError, match=found):
            load_any(path)
    with pytest.raises(InputError, match="twice" if found == "twice" else "given by arrays"):
        load_problem(path)


def test_states_of_a_core_are_bounded_while_they_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A core of 17 contexts, of which each can lose twice what the one before can."""
    monkeypatch.setattr(checker, "MAX_STATES", 140_000)
    leaf = " ".join(map(str, [16, *range(17)]))
    problem = alike(17) | {"reward": " ".join(f"{2**s} 0" for s in range(17))}
    made = claimed(problem, "1", "1/2", leaf)
    made["evidence"]["bits"] = 4
    with pytest.raises(checker.Malformed, match="more than 140000 states"):
        checker.check(made)


def test_splits_are_bounded_as_they_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain of 200 splits holds 200 ranges in each of its nodes."""
    monkeypatch.setattr(checker, "MAX_STATES", 10_000)
    tree = [[s, 1] for s in range(200)] + ["0"] * 201
    with pytest.raises(checker.Malformed, match="more than 10000 states"):
        checker.check(claimed(alike(200), "1/2", "1/1000", *tree))


def test_any_context_may_be_split() -> None:
    """Also the 94th."""
    made = claimed(alike(95), "1/2", "1/1000", [93, 1], "16", "16")
    made["evidence"]["bits"] = 4
    assert checker.check(made).kind == "safe"


def test_slopes_of_a_context_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all 3,000 actions lie on the convex hull, that is the square of their number."""
    monkeypatch.setattr(checker, "MAX_WORK", 1_000_000)
    problem = {"actions": "3000", "initial": "1"}
    problem["reward"] = " ".join(str(-a) for a in range(3000))
    problem["data"] = " ".join(map(str, [3000, *range(1, 3000)]))
    with pytest.raises(checker.Malformed, match="steps of work") as caught:
        checker.check(claimed(problem, "1/2", "1/1000000", "0", str(10**9)))
    assert caught.value.step == "problem"


def test_multipliers_have_few_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as are allowed, and no more."""
    monkeypatch.setattr(checker, "MAX_BITS", 4)
    made = split_in_two()
    assert checker.check(made).kind == "radius"
    made["evidence"]["bits"] = 5
    with pytest.raises(checker.Malformed):
        checker.check(made)
