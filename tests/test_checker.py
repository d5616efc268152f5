"""The independent checker: hand-made certificates that it accepts, and traps that it refuses."""

from __future__ import annotations

import ast
import copy
import gzip
import hashlib
import json
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from symsafe import Certificate, checker

Json = Any
BELOW = "999999999999999999999999999999/1000000000000000000000000000000"  # 1 - 10^-30


def certificate(problem: Json, claim: Json, **evidence: Json) -> Json:
    """Put a document together."""
    return {
        "format": "symsafe-certificate",
        "version": 1,
        "problem": problem,
        "digest": checker.digest(problem),
        "claim": claim,
        "evidence": evidence,
    }


def bandit() -> Json:
    """One state, R = (1, 2/5, 0), L = 3/5: radius 3/50, max J = 2, and b = 4/5 is attained."""
    problem = {
        "states": ["s"],
        "actions": [["good", "middle", "bad"]],
        "initial": ["1"],
        "discount": "1/2",
        "transitions": [[[[0, "1"]], [[0, "1"]], [[0, "1"]]]],
        "reward": [["1", "2/5", "0"]],
        "data": [["1/10", "9/20", "9/20"]],
    }
    return certificate(
        problem,
        {"kind": "radius", "regret": "3/5", "lower": "3/50", "upper": "3/50"},
        returns={"optimal": ["2"], "worst": ["0"]},
        witness={
            "reward": [["2/5", "2/5", "0"]],
            "policy": [["0", "1", "0"]],
            "value": ["4/5"],
            "policy_value": ["4/5"],
        },
        tree=[
            {"split": {"state": 0, "children": [[1, [0]], [2, [1, 2]]]}},
            {"value": ["2"]},
            {"split": {"state": 0, "children": [[4, [2]], [3, [1]]]}},
            {"circulation": {"kappa": "0", "flow": [[0, 0, "1/10"], [0, 1, "-1/10"]]}},
            {
                "circulation": {
                    "kappa": "0",
                    "flow": [[0, 0, "1/10"], [0, 1, "7/20"], [0, 2, "-9/20"]],
                }
            },
        ],
    )


def coupled_bandit() -> Json:
    """The radius of `bandit` by a single leaf that uses the regret constraint (kappa > 0)."""
    document = bandit()
    leaf = {"circulation": {"kappa": "1/20", "flow": [[0, 0, "1/10"]]}}
    document["evidence"]["tree"] = [leaf]
    return document


def unsafe_bandit() -> Json:
    """The claim that the error 3/50, exactly the radius, is unsafe."""
    document = bandit()
    document["claim"] = {"kind": "unsafe", "regret": "3/5", "epsilon": "3/50"}
    del document["evidence"]["tree"]
    return document


def safe_bandit() -> Json:
    """The claim that an error just below the radius is safe."""
    document = bandit()
    document["claim"] = {"kind": "safe", "regret": "3/5", "epsilon": "59/1000"}
    del document["evidence"]["witness"]
    return document


def two_states() -> Json:
    """Two equal states, R = (1, 0) in both, next state uniform, L = 1: radius 1/2 by one leaf.

    The leaf needs that a state has occupancy 1 under every policy, which hitting bounds prove.
    """
    row = [[0, "1/2"], [1, "1/2"]]
    problem = {
        "states": ["p", "q"],
        "actions": [["good", "bad"], ["good", "bad"]],
        "initial": ["1/2", "1/2"],
        "discount": "1/2",
        "transitions": [[row, row], [row, row]],
        "reward": [["1", "0"], ["1", "0"]],
        "data": [["1/4", "1/4"], ["1/4", "1/4"]],
    }
    return certificate(
        problem,
        {"kind": "radius", "regret": "1", "lower": "1/2", "upper": "1/2"},
        returns={"optimal": ["2", "2"], "worst": ["0", "0"]},
        witness={
            "reward": [["0", "0"], ["0", "0"]],
            "policy": [["0", "1"], ["0", "1"]],
            "value": ["0", "0"],
            "policy_value": ["0", "0"],
        },
        tree=[
            {
                "hitting": [[0, "upper", ["1", "1/3"]], [1, "upper", ["1/3", "1"]]],
                "circulation": {"kappa": "1/4", "flow": [[0, 0, "1/4"], [1, 0, "1/4"]]},
            }
        ],
    )


def lower_bounds() -> Json:
    """The radius of `two_states`, with a leaf that needs occupancy bounds from below as well."""
    document = two_states()
    both = [[0, [0]], [1, [0]], [0, [1]], [1, [1]]]
    document["evidence"]["tree"] = [
        {
            "hitting": [[0, "upper", ["1", "1"]], [1, "upper", ["1/3", "1"]]],
            "split": {"state": 0, "children": [[1, both[0][1]], [2, both[2][1]]]},
        },
        {"value": ["1", "0"]},
        {
            "hitting": [
                [0, "upper", ["1", "1/3"]],
                [0, "lower", ["1", "1/3"]],
                [1, "lower", ["1/3", "1"]],
            ],
            "split": {"state": 1, "children": [[3, [0]], [4, [1]]]},
        },
        {"value": ["0", "1"]},
        {
            "circulation": {
                "kappa": "1",
                "flow": [[0, 0, "1/4"], [0, 1, "3/4"], [1, 0, "1/4"], [1, 1, "3/4"]],
            }
        },
    ]
    return document


def priced() -> Json:
    """R = (1, 0, 1), little data on the last action, L = 1: radius 9/20 by one leaf.

    The leaf needs that bad policies seldom take the last action, which a priced bound proves.
    """
    problem = {
        "states": ["s"],
        "actions": [["good", "bad", "unseen"]],
        "initial": ["1"],
        "discount": "1/2",
        "transitions": [[[[0, "1"]], [[0, "1"]], [[0, "1"]]]],
        "reward": [["1", "0", "1"]],
        "data": [["9/20", "9/20", "1/10"]],
    }
    return certificate(
        problem,
        {"kind": "radius", "regret": "1", "lower": "9/20", "upper": "9/20"},
        returns={"optimal": ["2"], "worst": ["0"]},
        witness={
            "reward": [["1", "1", "1"]],
            "policy": [["0", "1", "0"]],
            "value": ["2"],
            "policy_value": ["0"],
        },
        tree=[
            {
                "hitting": [[0, "upper", ["1"], "1"]],
                "circulation": {"kappa": "9/40", "flow": [[0, 0, "7/20"], [0, 2, "1/10"]]},
            }
        ],
    )


def twins() -> Json:
    """R = (1, 0, 0) with two interchangeable bad actions, L = 1, radius 1/3, safe at 1/4."""
    problem = {
        "states": ["s"],
        "actions": [["good", "bad", "worse seen"]],
        "initial": ["1"],
        "discount": "1/2",
        "transitions": [[[[0, "1"]], [[0, "1"]], [[0, "1"]]]],
        "reward": [["1", "0", "0"]],
        "data": [["1/3", "1/3", "1/3"]],
    }
    return certificate(
        problem,
        {"kind": "safe", "regret": "1", "epsilon": "1/4"},
        returns={"optimal": ["2"], "worst": ["0"]},
        tree=[
            {"split": {"state": 0, "children": [[1, [0]], [2, [1]], [3, [2]]]}},
            {"value": ["2"]},
            {"circulation": {"kappa": "0", "flow": [[0, 0, "1/3"], [0, 1, "-1/3"]]}},
            {"duplicate": {"state": 0, "action": 1}},
        ],
    )


def detour() -> Json:
    """Staying is bad and never reaches state 1, where the witness needs no equality (L = 1)."""
    problem = {
        "states": ["start", "away"],
        "actions": [["stay", "go"], ["x", "y"]],
        "initial": ["1", "0"],
        "discount": "1/2",
        "transitions": [[[[0, "1"]], [[1, "1"]]], [[[1, "1"]], [[1, "1"]]]],
        "reward": [["0", "1"], ["1", "0"]],
        "data": [["1/2", "1/10"], ["1/5", "1/5"]],
    }
    return certificate(
        problem,
        {"kind": "unsafe", "regret": "1", "epsilon": "3/10"},
        returns={"optimal": ["2", "2"], "worst": ["0", "0"]},
        witness={
            "reward": [["0", "-2"], ["1", "0"]],
            "policy": [["1", "0"], ["1", "0"]],
            "value": ["0", "4"],
            "policy_value": ["0", "2"],
        },
    )


def edited(build: Callable[[], Json], *changes: tuple[str, Json]) -> Json:
    """Return the document with values replaced; a path names keys and indices.

    A change of the problem renews the digest, so that only the intended rule is broken.
    """
    document = copy.deepcopy(build())
    for path, value in changes:
        *parents, last = [int(key) if key.lstrip("-").isdigit() else key for key in path.split(".")]
        place = document
        for key in parents:
            place = place[key]
        if isinstance(place, list) and last == len(place):
            place.append(value)
        else:
            place[last] = value
    if any(path.startswith("problem") for path, _ in changes):
        document["digest"] = checker.digest(document["problem"])
    return document


def refusal(document: Json) -> checker.Rejected:
    """Return the refusal, after checking that text and value are refused alike."""
    with pytest.raises(checker.Rejected) as caught:
        checker.check(document)
    with pytest.raises(checker.Rejected) as from_text:
        checker.check_text(json.dumps(document))
    assert str(from_text.value) == str(caught.value)
    return caught.value


BUILDERS = [
    bandit,
    coupled_bandit,
    unsafe_bandit,
    safe_bandit,
    two_states,
    lower_bounds,
    priced,
    twins,
    detour,
]


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_hand_made_certificate_is_accepted(build: Callable[[], Json]) -> None:
    """Each certificate made by hand is valid, as a value and as text."""
    document = build()
    result = checker.check(document)
    assert result.kind == document["claim"]["kind"]
    assert result.digest == document["digest"]
    assert checker.check_text(json.dumps(document)) == result
    assert checker.check_text(json.dumps(document, indent=1).encode()) == result


def test_result_reports_claim_and_counts() -> None:
    """The result repeats the claim exactly and counts nodes and leaves."""
    result = checker.check(bandit())
    assert (result.kind, result.regret) == ("radius", Fraction(3, 5))
    assert (result.epsilon, result.lower, result.upper) == (None, Fraction(3, 50), Fraction(3, 50))
    assert tuple(result.nodes.values()) == (2, 1, 2, 0)
    assert result.sentence == "3/50 <= safety radius <= 3/50, for regret >= 3/5"
    result = checker.check(twins())
    assert (result.epsilon, result.lower, result.upper) == (Fraction(1, 4), None, None)
    assert tuple(result.nodes.values()) == (1, 1, 1, 1)
    assert result.sentence == (
        "D is safe: no reward with error <= 1/4 has an optimal policy with regret >= 1"
    )
    assert checker.check(detour()).sentence == (
        "D is unsafe: some reward with error <= 3/10 has an optimal policy with regret >= 1"
    )
    assert not any(checker.check(detour()).nodes.values())


TREE = "evidence.tree"
ACCEPTED = {
    "lower bound below the radius": (bandit, ("claim.lower", "1/50")),
    "upper bound above the radius": (bandit, ("claim.upper", "1/2")),
    "policy worse than bad": (unsafe_bandit, ("claim.regret", "1/2")),
    "rewards below 0": (
        unsafe_bandit,
        ("problem.reward", [["0", "-3/5", "-1"]]),
        ("evidence.returns", {"optimal": ["0"], "worst": ["-2"]}),
        ("evidence.witness.reward", [["-3/5", "-3/5", "-1"]]),
        ("evidence.witness.value", ["-6/5"]),
        ("evidence.witness.policy_value", ["-6/5"]),
    ),
    "duplicate with less data": (
        twins,
        ("problem.data", [["1/3", "7/24", "3/8"]]),
        (f"{TREE}.2.circulation.flow", [[0, 0, "7/24"], [0, 1, "-7/24"]]),
    ),
    "order of the keys and of the children": (
        bandit,
        ("evidence.tree.0.split.children", [[2, [2, 1]], [1, [0]]]),
    ),
    "a flow over a scale": (
        coupled_bandit,
        (f"{TREE}.0.circulation", {"kappa": "1/20", "scale": "10", "flow": [[0, 0, "1"]]}),
    ),
    "a flow of fractions over a fraction": (
        coupled_bandit,
        (f"{TREE}.0.circulation", {"kappa": "1/20", "scale": "2/3", "flow": [[0, 0, "1/15"]]}),
    ),
    "a zero written out": (coupled_bandit, ("evidence.tree.0.circulation.flow.1", [0, 2, "0"])),
    "a split that does not divide": (
        safe_bandit,
        (
            "evidence.tree",
            [
                {"split": {"state": 0, "children": [[1, [2, 0, 1]]]}},
                {"circulation": {"kappa": "1/20", "flow": [[0, 0, "1/10"]]}},
            ],
        ),
    ),
    "regret 0, where the true reward is a witness": (
        unsafe_bandit,
        ("claim.regret", "0"),
        ("evidence.witness.reward", [["1", "2/5", "0"]]),
        ("evidence.witness.policy", [["1", "0", "0"]]),
        ("evidence.witness.value", ["2"]),
        ("evidence.witness.policy_value", ["2"]),
    ),
    "a policy that mixes": (
        unsafe_bandit,
        ("evidence.witness.policy", [["1/2", "1/2", "0"]]),
        ("claim.regret", "3/10"),
        ("evidence.witness.policy_value", ["7/5"]),
    ),
    "any numbers where the witness does not come": (detour, ("evidence.witness.policy.1.0", "1")),
    "discount 0, where a later state does not count": (
        detour,
        ("problem.discount", "0"),
        ("evidence.returns", {"optimal": ["1", "1"], "worst": ["0", "0"]}),
        ("evidence.witness.policy.0", ["1/2", "1/2"]),
        ("claim.regret", "1/2"),
        ("evidence.witness.reward.0", ["1", "1"]),
        ("evidence.witness.value", ["1", "4"]),
        ("evidence.witness.policy_value", ["1/2", "1"]),
        ("claim.epsilon", "1/2"),
    ),
    "the same hitting bound twice": (
        two_states,
        ("evidence.tree.0.hitting.2", [0, "upper", ["1", "1/3"]]),
    ),
    "a hitting bound in another scale": (
        two_states,
        ("evidence.tree.0.hitting.0.2", ["3", "1"]),
    ),
    "a bound of occupancy beyond 1/(1 - discount)": (
        coupled_bandit,
        ("evidence.tree.0.hitting", [[0, "upper", ["1"], "100"]]),
    ),
    "a price of 0": (
        two_states,
        ("evidence.tree.0.hitting.0", [0, "upper", ["1", "1/3"], "0"]),
    ),
    "a price of rewards below 0": (
        priced,
        ("problem.reward", [["0", "-1", "0"]]),
        ("evidence.returns", {"optimal": ["0"], "worst": ["-2"]}),
        ("evidence.witness.reward", [["0", "0", "0"]]),
        ("evidence.witness.value", ["0"]),
        ("evidence.witness.policy_value", ["-2"]),
        ("evidence.tree.0.hitting.0.2", ["3"]),
    ),
    "a slack hitting bound": (two_states, ("evidence.tree.0.hitting.2", [0, "lower", ["1", "-3"]])),
    "names outside ASCII": (
        unsafe_bandit,
        ("problem.actions", [["gut", "\u00fcbel \U0001f600", "\ud800"]]),
    ),
    "discount 0": (
        unsafe_bandit,
        ("problem.discount", "0"),
        ("evidence.returns", {"optimal": ["1"], "worst": ["0"]}),
        ("evidence.witness.value", ["2/5"]),
        ("evidence.witness.policy_value", ["2/5"]),
    ),
}


@pytest.mark.parametrize("case", ACCEPTED.values(), ids=ACCEPTED)
def test_variation_is_accepted(case: tuple[Any, ...]) -> None:
    """What the specification leaves free is not refused."""
    build, *changes = case
    result = checker.check(edited(build, *changes))
    assert result == checker.check_text(json.dumps(edited(build, *changes)))


def test_the_best_of_the_declared_occupancy_bounds_counts() -> None:
    """A looser bound declared again below does not replace the sharper one from above."""
    document = lower_bounds()
    for side, heights in (("upper", ["1", "1"]), ("lower", ["1", "0"]), ("lower", ["1", "-3"])):
        document["evidence"]["tree"][4]["hitting"] = [[0, side, heights]]
        assert sum(checker.check(document).nodes.values()) == 5
    document["evidence"]["tree"][2]["hitting"][0] = [0, "upper", ["1", "1"]]
    error = refusal(document)
    assert (error.step, error.rule) == ("evidence.tree[4].circulation", "circulation.3")


FLOW = f"{TREE}.3.circulation.flow"
REJECTED: dict[str, tuple[Any, ...]] = {
    # numbers
    "a lower bound in the units of rewards": (
        bandit,
        ("problem.reward", [["2", "4/5", "0"]]),
        ("evidence.returns", {"optimal": ["4"], "worst": ["0"]}),
        ("evidence.witness.reward", [["4/5", "4/5", "0"]]),
        ("evidence.witness.value", ["8/5"]),
        ("evidence.witness.policy_value", ["8/5"]),
        ("evidence.tree.1.value", ["4"]),
        ("claim.lower", "1/10"),
        "evidence.tree[3].circulation",
        "circulation.4",
    ),
    "an occupancy bound missed by 10^-30": (
        lower_bounds,
        ("problem.data.0", [f"25{0:027}1/1{0:030}", f"24{BELOW[:28]}/1{0:030}"]),
        ("claim.upper", "1"),
        "evidence.tree[4].circulation",
        "circulation.3",
    ),
    # problem
    "state twice": (twins, ("problem.states", ["s", "s"]), "problem.states", "problem"),
    "no action": (twins, ("problem.actions.0", []), "problem.actions[0]", "problem"),
    "action twice": (twins, ("problem.actions.0.1", "good"), "problem.actions[0]", "problem"),
    "initial not normalised": (
        two_states,
        ("problem.initial.0", "1/3"),
        "problem.initial",
        "problem",
    ),
    "negative initial": (
        two_states,
        ("problem.initial", ["-1", "2"]),
        "problem.initial",
        "problem",
    ),
    "data not normalised": (twins, ("problem.data.0.0", "1/4"), "problem.data", "problem"),
    "negative data": (twins, ("problem.data.0", ["1", "-1", "1"]), "problem.data", "problem"),
    "discount 1": (twins, ("problem.discount", "1"), "problem.discount", "problem"),
    "negative discount": (twins, ("problem.discount", "-1/2"), "problem.discount", "problem"),
    "row not normalised": (
        detour,
        ("problem.transitions.1.0", [[1, BELOW]]),
        "problem.transitions[1]",
        "problem",
    ),
    "row empty": (detour, ("problem.transitions.1.0", []), "problem.transitions[1]", "problem"),
    "zero probability": (
        detour,
        ("problem.transitions.1.0", [[0, "0"], [1, "1"]]),
        "problem.transitions[1]",
        "problem",
    ),
    "negative probability": (
        detour,
        ("problem.transitions.1.0", [[0, "-1"], [1, "2"]]),
        "problem.transitions[1]",
        "problem",
    ),
    "successors decrease": (
        two_states,
        ("problem.transitions.1.0", [[1, "1/2"], [0, "1/2"]]),
        "problem.transitions[1]",
        "problem",
    ),
    "successor twice": (
        two_states,
        ("problem.transitions.1.0", [[1, "1"], [1, "1"]]),
        "problem.transitions[1]",
        "problem",
    ),
    # digest and claim
    "digest of another problem": (
        bandit,
        ("digest", checker.digest(twins()["problem"])),
        "digest",
        "digest",
    ),
    "digest in capitals": (bandit, ("digest", bandit()["digest"].upper()), "digest", "digest"),
    "digest no string": (bandit, ("digest", None), "digest", "digest"),
    "negative regret": (bandit, ("claim.regret", "-1/2"), "claim.regret", "claim"),
    "regret above 1": (bandit, ("claim.regret", "3/2"), "claim.regret", "claim"),
    "epsilon 0": (safe_bandit, ("claim.epsilon", "0"), "claim.epsilon", "claim"),
    # returns
    "optimal value too small": (
        bandit,
        ("evidence.returns.optimal.0", "1"),
        "evidence.returns.optimal[0]",
        "returns.1",
    ),
    "optimal value too large": (
        bandit,
        ("evidence.returns.optimal.0", "3"),
        "evidence.returns.optimal[0]",
        "returns.1",
    ),
    "optimal value off by 10^-30": (
        two_states,
        ("evidence.returns.optimal.1", f"1{BELOW}"),
        "evidence.returns.optimal[0]",
        "returns.1",
    ),
    "worst value of a policy that is not worst": (
        bandit,
        ("evidence.returns.worst.0", "4/5"),
        "evidence.returns.worst[0]",
        "returns.1",
    ),
    "worst value too small": (
        bandit,
        ("evidence.returns.worst.0", "-1"),
        "evidence.returns.worst[0]",
        "returns.1",
    ),
    "reward constant": (
        twins,
        ("problem.reward.0", ["1", "1", "1"]),
        ("evidence.returns.worst", ["2"]),
        "problem.reward",
        "returns.2",
    ),
    "return constant": (
        detour,
        ("problem.reward", [["1", "1"], ["1", "1"]]),
        ("problem.transitions.0.1", [[0, "1"]]),
        ("problem.reward.1.1", "0"),
        ("evidence.returns.optimal", ["2", "2"]),
        ("evidence.returns.worst", ["2", "0"]),
        "evidence.returns",
        "returns.2",
    ),
    # witness
    "error above epsilon": (
        unsafe_bandit,
        ("claim.epsilon", "59999/1000000"),
        "evidence.witness.reward",
        "witness.1",
    ),
    "error above the upper end": (
        bandit,
        ("claim.upper", "59999/1000000"),
        "evidence.witness.reward",
        "witness.1",
    ),
    "reward above EV": (
        unsafe_bandit,
        ("claim.epsilon", "1"),
        ("evidence.witness.reward.0.2", "1/2"),
        "evidence.witness.reward[0][2]",
        "witness.2",
    ),
    "reward above EV by one, in whole numbers": (
        bandit,
        ("problem.discount", "0"),
        ("evidence.returns.optimal", ["1"]),
        ("evidence.witness.value", ["0"]),
        ("evidence.witness.reward.0", ["0", "0", "1"]),
        "evidence.witness.reward[0][2]",
        "witness.2",
    ),
    "policy not optimal": (
        unsafe_bandit,
        ("evidence.witness.policy.0", ["0", "0", "1"]),
        ("evidence.witness.policy_value", ["0"]),
        "evidence.witness.reward[0][2]",
        "witness.2",
    ),
    "equality missing where the policy goes": (
        detour,
        ("evidence.witness.policy.0", ["1/2", "1/2"]),
        "evidence.witness.reward[1][0]",
        "witness.2",
    ),
    "equality missing off by 10^-30": (
        detour,
        ("evidence.witness.reward.0.0", "-1/1000000000000000000000000000000"),
        ("claim.epsilon", "1"),
        "evidence.witness.reward[0][0]",
        "witness.2",
    ),
    "policy sum below 1": (
        unsafe_bandit,
        ("evidence.witness.policy.0.1", BELOW),
        "evidence.witness.policy[0]",
        "witness",
    ),
    "negative policy": (
        unsafe_bandit,
        ("evidence.witness.policy.0", ["0", "2", "-1"]),
        "evidence.witness.policy[0]",
        "witness",
    ),
    "policy sum in a state not reached": (
        detour,
        ("evidence.witness.policy.1.1", "1"),
        "evidence.witness.policy[1]",
        "witness",
    ),
    "value of another policy": (
        unsafe_bandit,
        ("evidence.witness.policy_value", ["0"]),
        "evidence.witness.policy_value[0]",
        "witness.3",
    ),
    "policy value too large": (
        unsafe_bandit,
        ("evidence.witness.policy_value", ["9/10"]),
        "evidence.witness.policy_value[0]",
        "witness.3",
    ),
    "policy value wrong in a state not reached": (
        detour,
        ("evidence.witness.policy_value.1", "0"),
        "evidence.witness.policy_value[1]",
        "witness.3",
    ),
    "policy not bad enough": (
        unsafe_bandit,
        ("claim.regret", "600001/1000000"),
        "evidence.witness.policy_value",
        "witness.3",
    ),
    # tree and split
    "no root": (safe_bandit, (TREE, []), "evidence.tree", "tree"),
    "orphan node": (safe_bandit, (f"{TREE}.5", {"value": ["2"]}), "evidence.tree[5]", "tree"),
    "orphans that keep each other": (
        safe_bandit,
        (f"{TREE}.5", {"split": {"state": 0, "children": [[6, [0, 1, 2]]]}}),
        (f"{TREE}.6", {"value": ["2"]}),
        "evidence.tree[5]",
        "tree",
    ),
    "child is the node": (
        safe_bandit,
        (f"{TREE}.2.split.children.0.0", 2),
        "evidence.tree[2].split.children[0]",
        "split",
    ),
    "child is the root": (
        safe_bandit,
        (f"{TREE}.2.split.children.0.0", 0),
        "evidence.tree[2].split.children[0]",
        "split",
    ),
    "child shared by two nodes": (
        safe_bandit,
        (f"{TREE}.0.split.children", [[3, [0]], [2, [1, 2]]]),
        "evidence.tree[1]",
        "tree",
    ),
    "child of an open node": (
        safe_bandit,
        (f"{TREE}.0.split.children", [[1, [0]], [2, [1]], [3, [2]]]),
        (f"{TREE}.1", {"split": {"state": 0, "children": [[3, [0]]]}}),
        "evidence.tree[1].split.children[0]",
        "split",
    ),
    "child twice in one node": (
        safe_bandit,
        (f"{TREE}.2.split.children.1.0", 4),
        "evidence.tree[2].split.children[1]",
        "split",
    ),
    "action dropped": (
        safe_bandit,
        (f"{TREE}.2.split.children.0.1", [1]),
        (f"{TREE}.2.split.children", [[3, [1]]]),
        "evidence.tree[2].split",
        "split",
    ),
    "no children": (
        safe_bandit,
        (f"{TREE}.0.split.children", []),
        "evidence.tree[0].split",
        "split",
    ),
    "child without actions": (
        safe_bandit,
        (f"{TREE}.0.split.children", [[1, []], [2, [0, 1, 2]]]),
        "evidence.tree[0].split.children[0]",
        "split",
    ),
    "action in two children": (
        safe_bandit,
        (f"{TREE}.0.split.children.1.1", [0, 1, 2]),
        "evidence.tree[0].split.children[1]",
        "split",
    ),
    "action twice in a child": (
        safe_bandit,
        (f"{TREE}.0.split.children.1.1", [1, 2, 2]),
        "evidence.tree[0].split.children[1]",
        "split",
    ),
    "action that is no longer allowed": (
        safe_bandit,
        (f"{TREE}.2.split.children.0.1", [2, 0]),
        "evidence.tree[2].split.children[0]",
        "split",
    ),
    # value
    "value above one step ahead": (
        safe_bandit,
        (f"{TREE}.1.value", [f"1{BELOW}".replace("/", "1/")]),
        "evidence.tree[1].value[0]",
        "value",
    ),
    "value leaf of a node that allows more": (
        safe_bandit,
        (f"{TREE}.0.split.children", [[1, [0, 1]], [2, [2]]]),
        "evidence.tree[1].value[0]",
        "value",
    ),
    "return exactly bad": (
        safe_bandit,
        (f"{TREE}.1.value", ["4/5"]),
        "evidence.tree[1].value",
        "value",
    ),
    # circulation
    "kappa negative": (
        safe_bandit,
        (f"{TREE}.3.circulation.kappa", "-1/20"),
        "evidence.tree[3].circulation.kappa",
        "circulation",
    ),
    "scale negative": (
        coupled_bandit,
        (f"{TREE}.0.circulation", {"kappa": "1/20", "scale": "-10", "flow": [[0, 0, "-1"]]}),
        "evidence.tree[0].circulation.scale",
        "circulation",
    ),
    "scale zero": (
        coupled_bandit,
        (f"{TREE}.0.circulation", {"kappa": "1/20", "scale": "0", "flow": [[0, 0, "0"]]}),
        "evidence.tree[0].circulation.scale",
        "circulation",
    ),
    "scale off by one part in 10^9": (
        coupled_bandit,
        (
            f"{TREE}.0.circulation",
            {"kappa": "1/20", "scale": "10000000001", "flow": [[0, 0, "1000000000"]]},
        ),
        "evidence.tree[0].circulation",
        "circulation.1",
    ),
    "flow above the data, over a scale": (
        safe_bandit,
        (
            f"{TREE}.3.circulation",
            {"kappa": "0", "scale": "5", "flow": [[0, 0, "1"], [0, 1, "-1"]]},
        ),
        "evidence.tree[3].circulation",
        "circulation.2",
    ),
    "pairs decrease": (
        safe_bandit,
        (FLOW, [[0, 1, "-1/10"], [0, 0, "1/10"]]),
        "evidence.tree[3].circulation.flow[1]",
        "circulation",
    ),
    "pair twice": (
        safe_bandit,
        (FLOW, [[0, 0, "1/10"], [0, 0, "1/10"], [0, 1, "-1/5"]]),
        "evidence.tree[3].circulation.flow[1]",
        "circulation",
    ),
    "not balanced by 10^-30": (
        safe_bandit,
        (
            f"{FLOW}.0.2",
            "99999999999999999999999999999/1000000000000000000000000000000",
        ),
        "evidence.tree[3].circulation",
        "circulation.1",
    ),
    "kappa raised alone": (
        coupled_bandit,
        (f"{TREE}.0.circulation.kappa", "1/10"),
        "evidence.tree[0].circulation",
        "circulation.1",
    ),
    "kappa lowered alone": (
        coupled_bandit,
        (f"{TREE}.0.circulation.kappa", "1/40"),
        "evidence.tree[0].circulation",
        "circulation.1",
    ),
    "balance of a state without flow": (
        two_states,
        (f"{TREE}.0.circulation.flow", []),
        "evidence.tree[0].circulation",
        "circulation.1",
    ),
    "flow above the data": (
        safe_bandit,
        (FLOW, [[0, 0, "1/5"], [0, 1, "-1/5"]]),
        "evidence.tree[3].circulation",
        "circulation.2",
    ),
    "forced flow above the data without a lower bound": (
        lower_bounds,
        (f"{TREE}.2.hitting", [[0, "upper", ["1", "1/3"]], [1, "lower", ["1/3", "1"]]]),
        "evidence.tree[4].circulation",
        "circulation.2",
    ),
    "lower bound used where the state is not forced": (
        lower_bounds,
        (f"{TREE}.2", {**lower_bounds()["evidence"]["tree"][4]}),
        (f"{TREE}.2.hitting", lower_bounds()["evidence"]["tree"][2]["hitting"]),
        (f"{TREE}.3", {"value": ["0", "0"]}),
        "evidence.tree[2].circulation",
        "circulation.2",
    ),
    "negative flow where nothing is forced": (
        safe_bandit,
        (f"{TREE}.2.split.children", [[3, [1, 2]]]),
        "evidence.tree[3].circulation",
        "circulation.3",
    ),
    "negative flow on another action than the forced one": (
        safe_bandit,
        (f"{TREE}.2.split.children", [[3, [2]], [4, [1]]]),
        "evidence.tree[3].circulation",
        "circulation.3",
    ),
    "forced flow below minus the data": (
        safe_bandit,
        ("problem.data.0", ["9/20", "1/10", "9/20"]),
        (FLOW, [[0, 0, "1/5"], [0, 1, "-1/5"]]),
        "evidence.tree[3].circulation",
        "circulation.3",
    ),
    "omitted pair below its bound": (
        coupled_bandit,
        ("problem.data.0", ["1/10", "17/20", "1/20"]),
        "evidence.tree[0].circulation",
        "circulation.3",
    ),
    "occupancy bound missing": (
        two_states,
        (f"{TREE}.0.hitting", [[0, "upper", ["1", "1/3"]]]),
        "evidence.tree[0].circulation",
        "circulation.3",
    ),
    "hitting bound of a sibling": (
        two_states,
        (
            TREE,
            [
                {"split": {"state": 0, "children": [[1, [0]], [2, [1]]]}},
                two_states()["evidence"]["tree"][0],
                {"circulation": two_states()["evidence"]["tree"][0]["circulation"]},
            ],
        ),
        "evidence.tree[2].circulation",
        "circulation.3",
    ),
    "cost exactly epsilon is not safe": (
        safe_bandit,
        ("claim.epsilon", "3/50"),
        "evidence.tree[3].circulation",
        "circulation.4",
    ),
    "coupled cost exactly epsilon is not safe": (
        twins,
        ("claim.epsilon", "1/3"),
        "evidence.tree[2].circulation",
        "circulation.4",
    ),
    "lower end above the radius": (
        bandit,
        ("claim.lower", "60001/1000000"),
        "evidence.tree[3].circulation",
        "circulation.4",
    ),
    "lower end above the radius, coupled": (
        coupled_bandit,
        ("claim.lower", "60001/1000000"),
        "evidence.tree[0].circulation",
        "circulation.4",
    ),
    # duplicate
    "duplicate at the root": (
        twins,
        (TREE, [{"duplicate": {"state": 0, "action": 1}}]),
        "evidence.tree[0].duplicate",
        "duplicate",
    ),
    "duplicate in another state than the split": (
        two_states,
        (
            TREE,
            [
                {"split": {"state": 0, "children": [[1, [0]], [2, [1]]]}},
                {"duplicate": {"state": 1, "action": 1}},
                {"value": ["0", "0"]},
            ],
        ),
        "evidence.tree[1].duplicate",
        "duplicate",
    ),
    "duplicate of two actions at once": (
        twins,
        (
            "problem",
            {
                **twins()["problem"],
                "actions": [["good", "bad", "bad 2", "worse"]],
                "transitions": [[[[0, "1"]]] * 4],
                "reward": [["1", "0", "0", "-1"]],
                "data": [["1/4", "1/4", "1/4", "1/4"]],
            },
        ),
        ("claim.epsilon", "1/100"),
        ("evidence.returns.worst", ["-2"]),
        (f"{TREE}.0.split.children.2.1", [2, 3]),
        (f"{TREE}.2.circulation.flow", [[0, 0, "1/4"], [0, 1, "-1/4"]]),
        "evidence.tree[3].duplicate",
        "duplicate",
    ),
    "duplicate of itself": (
        twins,
        (f"{TREE}.3.duplicate.action", 2),
        "evidence.tree[3].duplicate",
        "duplicate",
    ),
    "duplicates of each other": (
        twins,
        (f"{TREE}.2", {"duplicate": {"state": 0, "action": 2}}),
        "evidence.tree[2].duplicate",
        "duplicate",
    ),
    "duplicate of a duplicate": (
        twins,
        (
            "problem",
            {
                **twins()["problem"],
                "actions": [["good", "bad", "bad 2", "bad 3"]],
                "transitions": [[[[0, "1"]]] * 4],
                "reward": [["1", "0", "0", "0"]],
                "data": [["1/4", "1/4", "1/4", "1/4"]],
            },
        ),
        ("claim.epsilon", "1/5"),
        (f"{TREE}.0.split.children.3", [4, [3]]),
        (f"{TREE}.2.circulation.flow", [[0, 0, "1/4"], [0, 1, "-1/4"]]),
        (f"{TREE}.4", {"duplicate": {"state": 0, "action": 2}}),
        "evidence.tree[4].duplicate",
        "duplicate",
    ),
    "duplicate of an action outside the split": (
        twins,
        (f"{TREE}.0.split.children", [[1, [0]], [2, [1, 2]]]),
        (f"{TREE}.2", {"split": {"state": 0, "children": [[3, [2]], [4, [1]]]}}),
        (f"{TREE}.3.duplicate.action", 0),
        (f"{TREE}.4", twins()["evidence"]["tree"][2]),
        "evidence.tree[3].duplicate",
        "duplicate",
    ),
    "duplicate with another reward": (
        twins,
        ("problem.reward.0.2", "1/2"),
        "evidence.tree[3].duplicate",
        "duplicate",
    ),
    "duplicate with a smaller reward": (
        twins,
        ("problem.reward.0.2", "-1"),
        ("claim.epsilon", "1/10"),
        ("evidence.returns.worst", ["-2"]),
        "evidence.tree[3].duplicate",
        "duplicate",
    ),
    "duplicate with more data": (
        twins,
        ("problem.data.0", ["1/3", "13/36", "11/36"]),
        "evidence.tree[3].duplicate",
        "duplicate",
    ),
    "duplicate with other transitions": (
        detour,
        ("problem.transitions.0.1", [[0, "1/2"], [1, "1/2"]]),
        ("problem.reward", [["0", "0"], ["1", "0"]]),
        ("claim", {"kind": "safe", "regret": "1", "epsilon": "1/10"}),
        ("evidence", {"returns": {"optimal": ["2/3", "2"], "worst": ["0", "0"]}}),
        (
            TREE,
            [
                {"split": {"state": 0, "children": [[1, [0]], [2, [1]]]}},
                {"duplicate": {"state": 0, "action": 1}},
                {"value": ["0", "0"]},
            ],
        ),
        "evidence.tree[1].duplicate",
        "duplicate",
    ),
    # hitting
    "hitting bound that is loose for its scale": (
        two_states,
        (f"{TREE}.0.hitting.0.2", ["1/2", "1/3"]),
        "evidence.tree[0].circulation",
        "circulation.3",
    ),
    "negative price": (
        priced,
        (f"{TREE}.0.hitting.0.3", "-1/10"),
        "evidence.tree[0].hitting[0]",
        "hitting",
    ),
    "price too small for the flow": (
        priced,
        (f"{TREE}.0.hitting.0.3", "1/10"),
        "evidence.tree[0].circulation",
        "circulation.3",
    ),
    "price of negative rewards": (
        two_states,
        ("problem.reward", [["1", "0"], ["1", "-1"]]),
        ("evidence.returns.worst", ["-1/2", "-3/2"]),
        ("evidence.witness.policy_value", ["-1/2", "-3/2"]),
        ("evidence.witness.reward", [["0", "0"], ["-1", "-1"]]),
        ("evidence.witness.value", ["-1/2", "-3/2"]),
        (f"{TREE}.0.hitting.0", [0, "upper", ["1", "1/3"], "1/100"]),
        "evidence.tree[0].hitting[0]",
        "hitting",
    ),
    "upper hitting bound too small": (
        two_states,
        (f"{TREE}.0.hitting.0.2", ["1", "33333/100000"]),
        "evidence.tree[0].hitting[0]",
        "hitting",
    ),
    "lower hitting bound too large": (
        lower_bounds,
        (f"{TREE}.2.hitting.1.2", ["1", "1001/3001"]),
        "evidence.tree[2].hitting[1]",
        "hitting",
    ),
    "hitting divisor not positive": (
        two_states,
        (f"{TREE}.0.hitting.0.2", ["1", "3"]),
        "evidence.tree[0].hitting[0]",
        "hitting",
    ),
    "wrong hitting bound in a node that does not use it": (
        lower_bounds,
        (f"{TREE}.1.hitting", [[1, "upper", ["0", "1"]]]),
        "evidence.tree[1].hitting[0]",
        "hitting",
    ),
}


@pytest.mark.parametrize("case", REJECTED.values(), ids=REJECTED)
def test_broken_rule_is_refused(case: tuple[Any, ...]) -> None:
    """A document of the right shape that breaks one rule is refused there, by that rule."""
    build, *changes, step, rule = case
    error = refusal(edited(build, *changes))
    assert (error.step, error.rule) == (step, rule)
    assert not isinstance(error, checker.Malformed)


WRONG_NUMBERS = [
    "2/4",
    "+1",
    "01",
    "1/1",
    "-0",
    "0/5",
    " 1",
    "1 ",
    "1\n",
    "\uff11",
    "",
    "-",
    "1/0",
    "1/-2",
    "1/02",
    "0.5",
    "1e3",
    "1_0",
    "nan",
    "1" * 20_001,
    "1/" + "3" * 20_001,
    1,
    0.5,
    True,
    None,
    ["1"],
    {"1": "2"},
]


@pytest.mark.parametrize("number", WRONG_NUMBERS, ids=lambda number: ascii(number)[:20])
def test_number_form_is_refused(number: Json) -> None:
    """A number has exactly one form."""
    with pytest.raises(checker.Malformed) as caught:
        checker.check(edited(bandit, ("evidence.returns.worst.0", number)))
    assert caught.value.step == "evidence.returns.worst[0]"
    assert caught.value.rule == "format"


MALFORMED: dict[str, tuple[Any, ...]] = {
    "another format": (bandit, ("format", "other"), "format"),
    "another version": (bandit, ("version", 2), "version"),
    "version 0": (bandit, ("version", 0), "format"),
    "version true": (bandit, ("version", True), "version"),
    "version as string": (bandit, ("version", "1"), "version"),
    "unknown key": (bandit, ("comment", "hello"), "document"),
    "problem is a list": (bandit, ("problem", []), "problem"),
    "unknown key of the problem": (bandit, ("problem.note", ""), "problem"),
    "states are no list": (bandit, ("problem.states", "s"), "problem.states"),
    "state name is a number": (bandit, ("problem.states", [1]), "problem.states"),
    "action names of too few states": (bandit, ("problem.actions", []), "problem.actions"),
    "initial too long": (bandit, ("problem.initial", ["1", "0"]), "problem.initial"),
    "reward too short": (bandit, ("problem.reward.0", ["1"]), "problem.reward[0]"),
    "row too short": (bandit, ("problem.transitions.0", []), "problem.transitions[0]"),
    "successor out of range": (
        bandit,
        ("problem.transitions.0.0", [[1, "1"]]),
        "problem.transitions[0]",
    ),
    "successor with three entries": (
        bandit,
        ("problem.transitions.0.0", [[0, "1", "1"]]),
        "problem.transitions[0]",
    ),
    "regularizer null": (bandit, ("problem.regularizer", None), "problem.regularizer"),
    "claim no object": (bandit, ("claim", "safe"), "claim"),
    "claim of another kind": (bandit, ("claim.kind", "fine"), "claim"),
    "kind no string": (bandit, ("claim.kind", ["safe"]), "claim"),
    "claim with the keys of another kind": (bandit, ("claim.kind", "safe"), "claim"),
    "evidence of another kind": (
        bandit,
        ("claim", {"kind": "safe", "regret": "3/5", "epsilon": "1/50"}),
        "evidence",
    ),
    "witness without value": (
        unsafe_bandit,
        ("evidence.witness", {"reward": [], "policy": [], "policy_value": []}),
        "evidence.witness",
    ),
    "tree no list": (safe_bandit, (TREE, {}), "evidence.tree"),
    "node no object": (safe_bandit, (f"{TREE}.1", [["value", ["2"]]]), "evidence.tree[1]"),
    "node empty": (safe_bandit, (f"{TREE}.1", {}), "evidence.tree[1]"),
    "node with hitting only": (safe_bandit, (f"{TREE}.1", {"hitting": []}), "evidence.tree[1]"),
    "node of two kinds": (
        safe_bandit,
        (f"{TREE}.1.duplicate", {"state": 0, "action": 1}),
        "evidence.tree[1]",
    ),
    "node with unknown key": (safe_bandit, (f"{TREE}.1.why", ""), "evidence.tree[1]"),
    "split of an unknown state": (
        safe_bandit,
        (f"{TREE}.0.split.state", 1),
        "evidence.tree[0].split",
    ),
    "true as a state": (safe_bandit, (f"{TREE}.0.split.state", False), "evidence.tree[0].split"),
    "child out of range": (
        safe_bandit,
        (f"{TREE}.0.split.children.0.0", 5),
        "evidence.tree[0].split.children[0]",
    ),
    "true as a child": (
        safe_bandit,
        (f"{TREE}.0.split.children.0.0", True),
        "evidence.tree[0].split.children[0]",
    ),
    "true as an action": (
        safe_bandit,
        (f"{TREE}.0.split.children.1.1", [True, 2]),
        "evidence.tree[0].split.children[1]",
    ),
    "action out of range": (
        safe_bandit,
        (f"{TREE}.0.split.children.1.1", [1, 3]),
        "evidence.tree[0].split.children[1]",
    ),
    "value too long": (safe_bandit, (f"{TREE}.1.value", ["2", "2"]), "evidence.tree[1].value"),
    "flow of a pair out of range": (
        safe_bandit,
        (f"{FLOW}.1", [0, 3, "1"]),
        "evidence.tree[3].circulation.flow[1]",
    ),
    "flow of a state out of range": (
        safe_bandit,
        (f"{FLOW}.1", [1, 0, "1"]),
        "evidence.tree[3].circulation.flow[1]",
    ),
    "flow without amount": (
        safe_bandit,
        (f"{FLOW}.1", [0, 1]),
        "evidence.tree[3].circulation.flow[1]",
    ),
    "kappa as a JSON number": (
        safe_bandit,
        (f"{TREE}.3.circulation.kappa", 0),
        "evidence.tree[3].circulation.kappa",
    ),
    "duplicate action out of range": (
        twins,
        (f"{TREE}.3.duplicate.action", 3),
        "evidence.tree[3].duplicate",
    ),
    "price of a bound from below": (
        lower_bounds,
        (f"{TREE}.2.hitting.1", [0, "lower", ["1", "1/3"], "0"]),
        "evidence.tree[2].hitting[1]",
    ),
    "hitting bound with two prices": (
        priced,
        (f"{TREE}.0.hitting.0", [0, "upper", ["1"], "1", "1"]),
        "evidence.tree[0].hitting[0]",
    ),
    "unknown side": (
        two_states,
        (f"{TREE}.0.hitting.0.1", "both"),
        "evidence.tree[0].hitting[0]",
    ),
    "side no string": (
        two_states,
        (f"{TREE}.0.hitting.0.1", ["upper"]),
        "evidence.tree[0].hitting[0]",
    ),
    "hitting no list": (two_states, (f"{TREE}.0.hitting", None), "evidence.tree[0].hitting"),
}


@pytest.mark.parametrize("case", MALFORMED.values(), ids=MALFORMED)
def test_wrong_shape_is_refused(case: tuple[Any, ...]) -> None:
    """A document of another shape is malformed, and the refusal says where."""
    build, *changes, step = case
    error = refusal(edited(build, *changes))
    assert (error.step, error.rule) == (step, "format")
    assert isinstance(error, checker.Malformed)


@pytest.mark.parametrize("path", ["problem", "claim.regret", "evidence.returns.worst", "digest"])
def test_missing_key_is_refused(path: str) -> None:
    """No key may be left out."""
    document = bandit()
    *parents, last = path.split(".")
    place = document
    for key in parents:
        place = place[key]
    del place[last]
    error = refusal(document)
    assert isinstance(error, checker.Malformed)
    assert last in error.reason


GOOD = json.dumps(bandit())
TEXTS: dict[str, str | bytes] = {
    "empty": "",
    "not JSON": "{",
    "two documents": GOOD + GOOD,
    "not UTF-8": GOOD.replace('"middle"', '"\u00e9"').encode("latin-1"),
    "byte order mark": b"\xef\xbb\xbf" + GOOD.encode(),
    "float as an index": GOOD.replace("[0, 2,", "[0, 2.0,"),
    "exponent as an index": GOOD.replace("[0, 2,", "[0, 2e0,"),
    "negative zero": GOOD.replace('"state": 0', '"state": -0'),
    "NaN": GOOD.replace('"state": 0', '"state": NaN'),
    "Infinity": GOOD.replace('"state": 0', '"state": -Infinity'),
    "huge integer": GOOD.replace('"state": 0', '"state": ' + "9" * 50_000),
    "repeated key": GOOD.replace('"state": 0', '"state": 0, "state": 0'),
    "repeated claim": GOOD[:-1] + ', "claim": {}}',
    "deep list": "[" * 100_000 + "]" * 100_000,
    "deep object": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "seventeen deep": "[" * 17 + "]" * 17,
    "string without end": '["' + '\\"[' * 50_000,
    "lone backslash": '"\\',
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_text_that_is_no_certificate_is_refused(text: str | bytes) -> None:
    """Text outside the format is malformed; nothing else is raised, whatever its depth or size."""
    with pytest.raises(checker.Malformed) as caught:
        checker.check_text(text)
    assert (caught.value.step, caught.value.rule) == ("document", "format")


@pytest.mark.parametrize("value", [None, True, 1, "x", [], {}, [[]], {"format": {}}])
def test_value_that_is_no_certificate_is_refused(value: Json) -> None:
    """Any JSON value at all is refused in an orderly way."""
    assert isinstance(refusal(value), checker.Malformed)


def test_every_single_replacement_is_refused_or_orderly() -> None:
    """Replacing any one value by any of a few others never raises anything but Rejected."""
    strange: list[Json] = [None, True, -1, 10**30, "0", "-1/3", "x", [], {}, [[]], 0.5]
    outcomes: set[type] = set()

    def visit(place: Json) -> None:
        for key in list(place) if isinstance(place, dict) else range(len(place)):
            kept = place[key]
            for value in strange:
                place[key] = value
                try:
                    outcomes.add(type(checker.check(document)))
                except checker.Rejected as error:
                    outcomes.add(type(error))
            place[key] = kept
            if isinstance(kept, dict | list):
                visit(kept)

    for build in (lower_bounds, twins):
        document = build()
        visit(document)
        assert checker.check(document) == checker.check(build())
    assert outcomes >= {checker.Rejected, checker.Malformed}


def test_nesting_limit_is_sixteen() -> None:
    """Sixteen levels are read (and then refused for their content), seventeen are not."""
    with pytest.raises(checker.Malformed) as caught:
        checker.check_text("[" * 16 + "]" * 16)
    assert "nested" not in caught.value.reason
    for text in ("[" * 17 + "]" * 17, "[" * 17):
        with pytest.raises(checker.Malformed) as caught:
            checker.check_text(text)
        assert "nested" in caught.value.reason
    with pytest.raises(checker.Malformed) as caught:
        checker.check_text("[" * 16)
    assert "not JSON" in caught.value.reason


def test_strings_and_brackets_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four in this text: two of each."""
    for limit, counted in ((4, False), (3, True)):
        monkeypatch.setattr(checker, "MAX_TOKENS", limit)
        with pytest.raises(checker.Malformed) as caught:
            checker.check_text('["a", "b"]')
        assert ("strings and brackets" in caught.value.reason) == counted


def test_brackets_inside_strings_are_no_nesting() -> None:
    """A name may contain brackets and quotation marks."""
    name = '[[[[[[[[[[[[[[[[[[[["{{{{{{{{{{{{{{{{{{\\'
    document = edited(bandit, ("problem.states", [name]))
    assert checker.check_text(json.dumps(document)).kind == "radius"


def test_long_numbers_are_read_and_shortened() -> None:
    """20,000 digits are exact, and messages stay short."""
    near = f"{'3' * 20_000}/{'5' * 19_999}{'6'}"
    document = edited(unsafe_bandit, ("claim.epsilon", near))
    assert checker.check(document).epsilon == Fraction(10**20_000 - 1, 3) / (
        Fraction(5 * (10**20_000 - 1), 9) + 1
    )
    assert len(checker.check(document).sentence) < 200
    half = f"{'4' * 19_999}5/{'8' * 19_999}9"
    error = refusal(edited(bandit, ("evidence.returns.worst.0", half)))
    assert error.rule == "returns.1"
    assert len(str(error)) < 300


def test_numbers_are_shown_exactly_or_rounded_towards_zero() -> None:
    """Short numbers are shown as they are, long ones by their first digits and a power of ten."""
    assert checker.show(Fraction(-3, 7)) == "-3/7"
    assert checker.show(None) == "None"
    for exact in (
        Fraction(-(10**200), 7),
        Fraction(10**200, 10**400 + 1),
        Fraction(3**200, 2**320),
    ):
        about, text = checker.show(exact).split()
        shown = Fraction(text)
        assert about == "about"
        assert 0 <= (exact - shown) / exact < Fraction(1, 10**11)


def test_values_that_look_alike_are_told_apart() -> None:
    """If shortening hides the difference of two values, the message states it."""
    document = edited(unsafe_bandit, ("claim.epsilon", f"{6 * 10**300 - 1}/{10**302}"))
    error = refusal(document)
    assert error.rule == "witness.1"
    assert "away" in error.reason


def test_unwieldy_denominators_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A common denominator beyond the limit stops the check instead of the machine."""
    monkeypatch.setattr(checker, "MAX_COMMON_BITS", 4)
    with pytest.raises(checker.Malformed) as caught:
        checker.check(bandit())
    assert caught.value.step == "problem.data"


@pytest.mark.parametrize(
    ("limit", "most", "build", "step"),
    [
        ("MAX_LIST_BITS", 14, bandit, "problem.data"),
        ("MAX_WORK", 60, bandit, "evidence.returns.optimal"),
        ("MAX_WORK", 175, bandit, "evidence.tree[3]"),
        ("MAX_WORK", 285, two_states, "evidence.tree[0].hitting[1]"),
        ("MAX_WAITING", 3, safe_bandit, "evidence.tree[0].split"),
        ("MAX_TOKENS", 9, bandit, "document"),
    ],
)
def test_what_takes_too_much_is_refused(
    limit: str,
    most: int,
    build: Callable[[], Json],
    step: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whether it is work or memory, the refusal names the place."""
    monkeypatch.setattr(checker, limit, most)
    with pytest.raises(checker.Malformed, match=f"more than {most} ") as caught:
        checker.check_text(json.dumps(build()))
    assert caught.value.step == step


def test_brackets_are_counted_before_the_text_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each empty list takes memory; those in strings count as well, as nothing is read yet."""
    monkeypatch.setattr(checker, "MAX_TOKENS", 4)
    assert checker.parse("[[]]") == [[]]
    assert checker.parse('["XX"]') == ["XX"]
    for text in ("[[],[]]", '["{}{}"]'):
        with pytest.raises(checker.Malformed, match=r"format: more than 4 brackets$"):
            checker.parse(text)


def test_denominators_with_equal_hashes_are_no_trap() -> None:
    """Python hashes an integer by its remainder modulo 2^61 - 1; a set of these takes hours."""
    alike = [f"1/{3 + k * (2**61 - 1)}" for k in range(1, 6_000)]
    with pytest.raises(checker.Malformed, match="bits in one list"):
        checker.Vector([checker.parts_of(x, "list") for x in alike], "list")


def test_large_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text beyond the size limit is not read."""
    monkeypatch.setattr(checker, "MAX_BYTES", 10)
    with pytest.raises(checker.Malformed) as caught:
        checker.check_text(GOOD)
    assert caught.value.step == "document"


def test_long_numbers_keep_their_digits_and_their_sign() -> None:
    """They are read in pieces."""
    digits = "123456789" * 200
    found = checker.number(f"-{digits}/{digits}1", "x")
    assert (found.numerator, found.denominator) == (-int(digits), int(f"{digits}1"))
    assert checker.number(digits, "x") == int(digits)


BOTH = "error <= 1/3 has an optimal policy with regret >= 1/2"
SENTENCES = {
    "critical": "1/4 <= critical epsilon of the set <= 1/5, for regret >= 1/2",
    "nearest": (
        "1/4 <= distance of D from those of the set with a safety radius of at least 1/3 <= 1/5, "
        "for regret >= 1/2"
    ),
    "fewest": "1/4 <= fewest samples to add for a safe D <= 1/5, error <= 1/3, regret >= 1/2",
    "all-unsafe": f"every D of the set is unsafe: some reward with {BOTH}",
    "all-safe": f"every D of the set is safe: no reward with {BOTH}",
    "some-unsafe": f"some D of the set is unsafe: some reward with {BOTH}",
}


@pytest.mark.parametrize("kind", SENTENCES)
def test_the_sentence_says_which_claim_it_is(kind: str) -> None:
    """Of each kind that is about many distributions."""
    numbers = (Fraction(1, n) for n in (2, 3, 4, 5))
    assert checker.ResultForMany(kind, *numbers, "", False, {}).sentence == SENTENCES[kind]


def test_the_sentence_says_that_a_problem_is_regularised() -> None:
    """And which error is meant."""
    numbers = [Fraction(1, n) for n in (2, 3, 4, 5)]
    assert checker.Result("unsafe", *numbers, "", True, {}, "error in mse").sentence == (
        "D is unsafe: some reward with error in mse <= 1/3 has a regularised-optimal policy "
        "with regret >= 1/2"
    )
    assert checker.Result("radius", *numbers, "", True, {}, "error in mse").sentence == (
        "1/4 <= regularised safety radius in mse <= 1/5, for regret >= 1/2"
    )


def test_every_state_on_the_way_is_reached() -> None:
    """From each of several states, where there are several to go on from."""
    ways = [[[2, "1"]], [[3, "1"]], [[2, "1"]], [[3, "1"]]]
    problem = {
        "states": ["a", "b", "c", "d"],
        "actions": [["go"]] * 4,
        "initial": ["1/2", "1/2", "0", "0"],
        "discount": "1/2",
        "transitions": [[way] for way in ways],
        "reward": [["0"]] * 4,
        "data": [["1/4"]] * 4,
    }
    assert checker.Problem(problem).reached({0, 1, 2, 3}) == {0, 1, 2, 3}


@pytest.mark.parametrize("factor", [Fraction(2, 3), Fraction(8), Fraction(144)])
def test_no_other_multiple_of_a_flow_is_balanced(factor: Fraction) -> None:
    """None that a confusion of the denominators would take for the right one."""
    problem = checker.Problem(two_states()["problem"])
    sizes = (1, 2, 3, 4, 6, 8, 9, 12, 16, 36, 48, 144)
    for multiple in {Fraction(x, y) for x in sizes for y in sizes}:
        flow = dict.fromkeys((0, 2), multiple * factor)
        if multiple == 1:
            problem.balance(flow, factor, "flow", "balance")
        else:
            with pytest.raises(checker.Rejected):
                problem.balance(flow, factor, "flow", "balance")


def test_digest_is_that_of_canonical_json() -> None:
    """The digest ignores key order, but no content."""
    problem = {"b": ["\u00e9"], "a": "1/2"}
    assert checker.digest(problem) == checker.digest({"a": "1/2", "b": ["\u00e9"]})
    canonical = b'{"a":"1/2","b":["\\u00e9"]}'
    assert checker.digest(problem) == hashlib.sha256(canonical).hexdigest()


def test_check_file_reads_a_path(tmp_path: Path) -> None:
    """A file is checked like its text; a missing one is an OSError."""
    path = tmp_path / "certificate.json"
    path.write_text(GOOD)
    assert checker.check_file(str(path)) == checker.check(bandit())
    with pytest.raises(FileNotFoundError):
        checker.check_file(str(tmp_path / "missing.json"))


def test_main_reports_verdict_and_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The verdict is the first word on standard output; 0, 1 and 2 are kept apart."""
    path = tmp_path / "certificate.json"
    path.write_text(GOOD)
    assert checker.main([str(path)]) == 0
    captured = capsys.readouterr()
    assert captured.out.split("\n")[:2] == ["valid", checker.check(bandit()).sentence]
    assert bandit()["digest"] in captured.out
    path.write_text(json.dumps(edited(bandit, ("claim.lower", "1"))))
    assert checker.main([str(path)]) == 1
    captured = capsys.readouterr()
    assert captured.out == "invalid\n"
    assert captured.err.startswith("evidence.tree[3].circulation: circulation.4: cost: found 3/50")
    path.write_text(GOOD[:-1])
    for arguments in ([str(path)], [str(tmp_path)], [], ["a", "b"], ["--strict"]):
        assert checker.main(arguments) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err != ""


def run(script: Path, *arguments: str, given: str = "") -> tuple[int, str]:
    """Run a copy of the checker as a sceptic would; return status and standard output."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", script.name, *arguments],
        cwd=script.parent,
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


def test_the_command_says_how_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has no options, also where there is such a file; what cannot be read has a reason."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "--strict").write_text(GOOD)
    for arguments in ([], ["--strict"], ["--strict", "--strict"]):
        assert checker.main(arguments) == 2
        usage = "usage: checker.py CERTIFICATE.json   (- reads standard input)\n"
        assert capsys.readouterr() == ("", usage)
    assert checker.main(["missing.json"]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("not read: ")
    assert "missing.json" in error


def test_file_copied_alone_works(tmp_path: Path) -> None:
    """The one file, on its own, checks certificates without site packages."""
    script = tmp_path / "checker.py"
    shutil.copy(checker.__file__, script)
    (tmp_path / "good.json").write_text(GOOD)
    status, output = run(script, "good.json")
    assert (status, output.split()[0]) == (0, "valid")
    assert run(script, "-", given=GOOD) == (0, output)
    bad = json.dumps(edited(safe_bandit, ("claim.epsilon", "3/50")))
    assert run(script, "-", given=bad) == (1, "invalid\n")
    assert run(script, "-", given="[") == (2, "")
    assert run(script, "missing.json") == (2, "")
    assert run(script) == (2, "")


def test_source_has_no_assert_and_imports_the_standard_library_only() -> None:
    """What the checker promises about itself holds."""
    tree = ast.parse(Path(checker.__file__).read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [str(node.module)]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= sys.stdlib_module_names
    assert not any(isinstance(node, ast.Assert) for node in ast.walk(tree))


SCHEMA = jsonschema.Draft202012Validator(
    json.loads(Path(checker.__file__).with_name("certificate.schema.json").read_text())
)


def test_schema_is_a_schema() -> None:
    """The schema itself conforms to JSON Schema 2020-12."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA.schema)
    assert SCHEMA.schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_schema_accepts_the_certificates(build: Callable[[], Json]) -> None:
    """The schema describes the documents that the checker accepts."""
    assert list(SCHEMA.iter_errors(build())) == []


BEYOND_SCHEMA = {  # what depends on the length of another list
    *("initial too long", "reward too short", "value too long", "successor out of range"),
    *("split of an unknown state", "child out of range", "action out of range"),
    *("flow of a pair out of range", "flow of a state out of range"),
    *("duplicate action out of range",),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_schema_refuses_wrong_shapes(name: str) -> None:
    """The schema refuses what is malformed, as far as a schema can."""
    build, *changes, _ = MALFORMED[name]
    assert SCHEMA.is_valid(edited(build, *changes)) == (name in BEYOND_SCHEMA)


@pytest.mark.parametrize("number", WRONG_NUMBERS, ids=lambda number: ascii(number)[:20])
def test_schema_refuses_number_forms(number: Json) -> None:
    """The schema refuses every wrong form of a number except that it cannot reduce fractions."""
    document = edited(bandit, ("evidence.returns.worst.0", number))
    lenient = ("2/4", "1\n")  # in Python, "$" matches before a final newline
    assert SCHEMA.is_valid(document) == (number in lenient)


def packed() -> bytes:
    return gzip.compress(json.dumps(bandit()).encode("ascii"), mtime=0)


def test_a_packed_certificate_is_read_as_it_is(tmp_path: Path) -> None:
    """By the checker and by the package; saving twice gives the same bytes."""
    found = Certificate(bandit())
    for name in ("a.json.gz", "b.json.gz"):
        found.save(tmp_path / name)
    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()
    assert checker.check_file(str(tmp_path / "a.json.gz")) == checker.check(bandit())
    assert Certificate.load(tmp_path / "a.json.gz").document == found.document


@pytest.mark.parametrize(
    "content",
    [packed()[:-1], packed() + b"x", packed() * 2, b"\x1f\x8b", b"\x1f\x8bnothing of the kind"],
)
def test_a_damaged_packing_is_malformed(content: bytes) -> None:
    """Nothing is judged."""
    with pytest.raises(checker.Malformed, match="not gzip"):
        checker.check_text(content)


def test_what_unpacks_to_too_much_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bomb stops at the limit."""
    monkeypatch.setattr(checker, "MAX_BYTES", 1000)
    with pytest.raises(checker.Malformed, match="not JSON"):
        checker.check_text(gzip.compress(bytes(1000)))
    bomb = gzip.compress(bytes(10**7))
    tracemalloc.start()
    with pytest.raises(checker.Malformed, match="more than 1000 bytes"):
        checker.check_text(bomb)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10**6


def test_what_swells_too_much_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file may hold up to MAX_PLAIN bytes, a larger one as many as its size allows."""
    monkeypatch.setattr(checker, "MAX_PLAIN", 1000)
    bomb = gzip.compress(bytes(10**6))
    with pytest.raises(checker.Malformed, match=f"more than {25 * len(bomb)} bytes"):
        checker.check_text(bomb)
    with pytest.raises(checker.Malformed, match="not JSON"):
        checker.check_text(gzip.compress(bytes(1000)))


def test_a_certificate_that_packs_too_well_is_packed_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is saved can be checked."""
    document = many_alike(200)
    path = tmp_path / "c.json.gz"
    monkeypatch.setattr(checker, "MAX_PLAIN", 1000)
    Certificate(document).save(path)
    assert path.stat().st_size > len(gzip.decompress(path.read_bytes())) > 5_000
    assert checker.check_file(str(path)) == checker.check(document)


def one_state(reward: list[str], data: list[str], claim: Json, **evidence: Json) -> Json:
    """A bandit with one context, and returns of 1 and 0."""
    count = len(reward)
    problem = {
        "states": ["s"],
        "actions": [[str(a) for a in range(count)]],
        "initial": ["1"],
        "discount": "0",
        "transitions": [[[[0, "1"]]] * count],
        "reward": [reward],
        "data": [data],
    }
    returns = {"optimal": ["1"], "worst": ["0"]}
    return certificate(problem, claim, returns=returns, **evidence)


def many_alike(actions: int) -> Json:
    """Actions that cannot be told apart, beside the best."""
    claim = {"kind": "unsafe", "regret": "1", "epsilon": "1"}
    first = ["1"] + ["0"] * (actions - 1)
    policy = [["0", "1"] + ["0"] * (actions - 2)]
    witness = {"reward": [["1"] * actions], "policy": policy, "value": ["1"], "policy_value": ["0"]}
    document = one_state(first, first, claim, witness=witness)
    document["problem"]["actions"] = [["a" * (i + 1) for i in range(actions)]]
    document["digest"] = checker.digest(document["problem"])
    return document


GOOD_OR_BAD = {"split": {"state": 0, "children": [[1, [0]], [2, [1]]]}}
LARGE = 10**20
NEAR = {
    "a flow that floats cannot tell from its bound": one_state(
        ["1", "0"],
        ["1", "0"],
        {"kind": "safe", "regret": "1", "epsilon": "1/2"},
        tree=[
            GOOD_OR_BAD,
            {"value": ["1"]},
            {
                "hitting": [[0, "lower", ["1"]]],
                "circulation": {
                    "kappa": str(LARGE),
                    "flow": [[0, 0, "1"], [0, 1, str(LARGE - 1)]],
                },
            },
        ],
    ),
    "a flow that floats cannot tell from the data": one_state(
        ["1", "1", "0"],
        [f"{LARGE - 1}/{LARGE}", "0", f"1/{LARGE}"],
        {"kind": "safe", "regret": "1", "epsilon": f"1/{2 * LARGE}"},
        tree=[
            {"split": {"state": 0, "children": [[1, [0, 1]], [2, [2]]]}},
            {
                "hitting": [[0, "upper", ["0"], "1"]],
                "circulation": {"kappa": "1", "flow": [[0, 0, "1"]]},
            },
            {"circulation": {"kappa": "0", "flow": [[0, 0, f"1/{LARGE}"], [0, 2, f"-1/{LARGE}"]]}},
        ],
    ),
    "a flow below a bound that is below 0": one_state(
        ["1", "0"],
        ["0", "1"],
        {"kind": "radius", "regret": "1/2", "lower": "-1", "upper": "1"},
        tree=[
            GOOD_OR_BAD,
            {
                "hitting": [[0, "upper", ["-2/3"], "1"]],
                "circulation": {"kappa": "1/10", "flow": [[0, 0, "-2/25"], [0, 1, "9/50"]]},
            },
            {"circulation": {"kappa": "0", "flow": []}},
        ],
        witness={
            "reward": [["0", "0"]],
            "policy": [["0", "1"]],
            "value": ["0"],
            "policy_value": ["0"],
        },
    ),
}


@pytest.mark.parametrize("name", NEAR)
def test_flows_are_compared_exactly(name: str) -> None:
    """Each of these breaks one rule, by a little or where little is due."""
    with pytest.raises(checker.Rejected) as caught:
        checker.check(NEAR[name])
    assert caught.value.rule == ("circulation.2" if "the data" in name else "circulation.3")


def test_data_beyond_all_floats_are_read() -> None:
    """With 400 digits."""
    share = Fraction(1, 10**400 + 1)
    data = [str(Fraction(1, 10) + share), str(Fraction(9, 20) - share), "9/20"]
    claim = (("claim.lower", "1/20"), ("claim.upper", "7/100"))
    assert checker.check(edited(bandit, ("problem.data.0", data), *claim)).kind == "radius"


@pytest.mark.parametrize(
    ("key", "value"),
    [("flow", [[0, 0, f"1/{10**200 + 1}"], [0, 1, "-1/10"]]), ("kappa", f"1/{10**200 + 1}")],
)
def test_long_flows_are_refused_by_their_rule(key: str, value: Json) -> None:
    """The difference of the two sides is said, as they are too long to be read."""
    with pytest.raises(checker.Rejected, match=r"circulation\.1: .*about") as caught:
        checker.check(edited(bandit, (f"evidence.tree.3.circulation.{key}", value)))
    assert caught.value.rule == "circulation.1"


def test_no_part_of_a_file_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate, blanks up to the limit, and something else."""
    path = tmp_path / "long.json"
    monkeypatch.setattr(checker, "MAX_BYTES", len(GOOD) + 50)
    path.write_text(GOOD.ljust(checker.MAX_BYTES))
    assert checker.check_file(str(path)) == checker.check(bandit())
    for blanks in (-1, 0):
        path.write_text(GOOD.ljust(checker.MAX_BYTES + blanks) + " } this is no JSON")
        with pytest.raises(checker.Malformed):
            checker.check_file(str(path))


def test_quotes_within_strings_are_no_strings(monkeypatch: pytest.MonkeyPatch) -> None:
    """An odd number of them is counted as one string less."""
    monkeypatch.setattr(checker, "MAX_TOKENS", 3)
    assert checker.parse(r'["a\"b"]') == ['a"b']
