"""Certificates for KL-regularised problems: each rule refuses, and two checkers agree."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from itertools import accumulate, product
from pathlib import Path
from random import Random
from typing import Any

import jsonschema
import pytest
import second_checker
from instances import shares
from test_checker import certificate
from test_enclosures import boundary, widen
from test_kl import arms, lasting, random_problem

from symsafe import MDP, DataDistribution, Regularizer, SafetyProblem, checker, decide, radius

ZERO = Fraction(0)


@cache
def documents() -> dict[str, dict[str, Any]]:
    """A radius certificate of each sort."""
    reference = {"a": "43/100", "b": "42/100", "c": "15/100"}
    rewards: dict[str, object] = {"a": 0, "b": 2, "c": 3}
    found = {
        str(metric): radius(arms(rewards, reference, regret="3/5", metric=metric))
        for metric in (None, "mse", "preferences")
    }
    found["lasting"] = radius(lasting(1), time_limit=1)
    return {
        name: json.loads(verdict.certificate.to_json())
        for name, verdict in found.items()
        if verdict.certificate is not None
    }


def steep(document: dict[str, Any]) -> dict[str, Any]:
    """The first piece of the curve with raises."""
    pieces = document["evidence"]["curves"][0]["pieces"]
    return next(piece for piece in pieces if piece["raises"])


def longer(document: dict[str, Any]) -> None:
    raised = steep(document)["raises"][0]
    raised["ends"][-1] = "1/1000000"
    raised["ends"][:-1] = []
    raised["prices"][:-1] = []


def second_cut(document: dict[str, Any]) -> None:
    tree = document["evidence"]["tree"]
    tree[0]["cut"]["point"] = 0


def raised(values: list[str]) -> list[str]:
    return [str(Fraction(x) + 9) for x in values]


Change = Callable[[dict[str, Any]], object]


def put(*path: Any) -> Change:
    """Return a change that replaces what is at a path by the last entry."""

    def change(document: dict[str, Any]) -> None:
        place: Any = document
        *keys, last, value = path
        for key in keys:
            place = place[key]
        place[last] = value(place[last]) if callable(value) else value

    return change


def more(text: str) -> str:
    return str(Fraction(text) + Fraction(1, 100))


CURVE = ("evidence", "curves", 0)
CUT = {"state": 0, "point": 0, "below": 1, "above": 1}
BOX = {"ends": ["9"], "prices": ["1"], "tilted": []}
CORRUPTIONS: list[tuple[str, Change, str]] = [
    ("None", put(*CURVE, "points", 0, 0, "1"), "curves.1"),
    ("None", put(*CURVE, "points", -1, 1, "1/100"), "curves.1"),
    ("None", put(*CURVE, "points", lambda points: [points[1], *points[1:]]), "curves.1"),
    ("None", put(*CURVE, "points", lambda p: [p[0], *[q for q in p[1:] if q[0] != "2"]]), "format"),
    ("None", lambda d: steep(d)["raises"].clear(), "curves.2"),
    ("None", lambda d: [r.update(lowered=[]) for r in steep(d)["raises"]], "curves.3"),
    ("None", longer, "curves.4"),
    ("None", lambda d: steep(d)["raises"][0]["prices"].__setitem__(0, "0"), "curves.4"),
    ("None", lambda d: steep(d)["raises"][0]["ends"].reverse(), "curves.4"),
    (
        "None",
        put(*CURVE, "points", 1, 1, lambda v: str(Fraction(v) * Fraction(1001, 1000))),
        "curves.4",
    ),
    ("None", put(*CURVE, {"points": [], "pieces": []}), "curves.1"),
    ("None", lambda d: steep(d)["raises"][0].update(ends=[], prices=[], tilted=[]), "curves.4"),
    ("None", lambda d: steep(d).update(price="1000"), "curves.6"),
    ("None", lambda d: steep(d).update(price="-1"), "curves.6"),
    ("None", lambda d: steep(d)["raises"][0].update(action=2), "curves.2"),
    ("None", second_cut, "cut"),
    ("None", put("evidence", "tree", 0, "cut", "point", 4), "format"),
    ("None", put("evidence", "tree", -1, "multiplier", "-1"), "multiplier"),
    ("None", put("claim", "lower", more), "multiplier"),
    ("None", put("claim", "upper", "1/100"), "witness.1"),
    ("None", put("claim", "regret", "61/100"), "witness.4"),
    ("None", put("evidence", "witness", "policy_value", 0, "1"), "witness.3"),
    ("None", put("evidence", "witness", "reward", 0, 0, "0"), "witness.3"),
    ("None", put("evidence", "bits", 4097), "format"),
    ("None", put("evidence", "bits", 15), "format"),
    ("None", put("evidence", "level", "1"), "format"),
    ("mse", put("evidence", "level", "1/100"), "level"),
    ("mse", put("evidence", "level", "-1"), "level"),
    ("mse", put("evidence", "level", more), "multiplier"),
    ("mse", put("claim", "upper", "1/100"), "witness.1"),
    ("preferences", put("evidence", "level", "1/1000"), "level"),
    ("preferences", put("claim", "upper", "1/1000"), "witness.1"),
    ("lasting", put("evidence", "tree", 0, "gap", "kappa", more), "gap.1"),
    ("lasting", put("evidence", "tree", 0, "gap", "price", "-1"), "gap"),
    (
        "lasting",
        put("evidence", "tree", 0, "gap", "value", 0, lambda x: str(Fraction(x) - 1)),
        "gap.3",
    ),
    (
        "lasting",
        put("evidence", "tree", 0, "gap", "value", raised),
        "gap.4",
    ),
    ("lasting", put("evidence", "witness", "value", 0, more), "witness.3"),
    ("lasting", put("evidence", "tree", 0, "gap", "flow", []), "gap.1"),
    ("lasting", put("evidence", "tree", [{"multiplier": "1"}]), "multiplier"),
    ("lasting", put("evidence", "tree", 0, {"cut": CUT}), "format"),
    ("lasting", put(*CURVE, "points", [["0", "0"]]), "format"),
    ("lasting", put(*CURVE, "pieces", [[]]), "format"),
]


def test_the_schema_describes_the_certificates() -> None:
    """Those that the checker accepts conform; one with a key too many does not."""
    text = Path(checker.__file__).with_name("certificate.schema.json").read_text()
    schema = jsonschema.Draft202012Validator(json.loads(text))
    safe = arms({"a": 1, "b": 0}, {"a": "1/2", "b": "1/2"}, regret=1, epsilon=1)
    certain = decide(safe).certificate
    assert certain is not None
    for document in (*documents().values(), json.loads(certain.to_json())):
        schema.validate(document)
        wrong = copy.deepcopy(document)
        wrong["evidence"]["more"] = []
        assert not schema.is_valid(wrong)


@pytest.mark.parametrize("number", range(len(CORRUPTIONS)))
def test_corrupted_evidence_is_refused(number: int) -> None:
    """By the rule that it breaks."""
    name, change, rule = CORRUPTIONS[number]
    document = copy.deepcopy(documents()[name])
    checker.check(document)
    change(document)
    assert refusal(document)[1] == rule


def weakened(document: dict[str, Any]) -> dict[str, Any]:
    """Claim half the regret of a policy that is a little better, and no lower bound."""
    claim, evidence = document["claim"], document["evidence"]
    claim |= {"regret": str(Fraction(claim["regret"]) / 2), "lower": "0"}
    best, worst = (map(Fraction, evidence["returns"][key]) for key in ("optimal", "worst"))
    initial = map(Fraction, document["problem"]["initial"])
    spread = sum(m * (v - u) for m, v, u in zip(initial, best, worst, strict=True))
    values = evidence["witness"]["policy_value"]
    values[:] = [str(Fraction(x) + spread / 50) for x in values]
    return document


def said(document: dict[str, Any], place: Any, key: Any, value: Fraction) -> str:
    """Return what the second checker says with this number in its place."""
    place[key] = str(value)
    return second_checker.verdict(document)[0]


def accepted(document: dict[str, Any], place: Any, key: Any, value: Fraction) -> bool:
    """Put this number in its place, and ask the first checker."""
    place[key] = str(value)
    try:
        checker.check(document)
    except checker.Rejected:
        return False
    return True


def limit(
    document: dict[str, Any], place: Any, key: Any, weak: Fraction, strong: Fraction
) -> tuple[Fraction, Fraction]:
    """Return neighbouring values, one accepted and one refused, between two such values."""
    return boundary(lambda x: accepted(document, place, key, x), weak, strong)


def at_regret_1(
    reward: list[list[Any]],
    data: list[list[Any]],
    reference: list[list[Any]],
    weight: object = 1,
    discount: object = 0,
) -> dict[str, Any]:
    """A claim that is proven by its regret alone; states are equally likely, and stay."""
    states, horizon = len(reward), 1 / (1 - Fraction(discount))
    lasts = horizon > 1
    problem: dict[str, Any] = {
        "states": [str(s) for s in range(states)],
        "actions": [[str(a) for a in range(len(row))] for row in reward],
        "initial": [str(Fraction(1, states))] * states,
        "discount": str(discount),
        "transitions": [[[[s, "1"]] for _ in row] for s, row in enumerate(reward)],
    }
    tables = {"reward": reward, "data": data, "reference": reference}
    written = {name: [list(map(str, row)) for row in table] for name, table in tables.items()}
    penalty = {"kind": "kl", "weight": str(weight), "reference": written.pop("reference")}
    problem |= written | {"regularizer": penalty}
    evidence = {
        "returns": {
            name: [str(best(row) * horizon) for row in reward]
            for name, best in (("optimal", max), ("worst", min))
        },
        "curves": [
            {"points": [] if lasts else [[str(min(row)), "0"]], "pieces": []} for row in reward
        ],
        "tree": [{"full": []}],
        "bits": 16,
    }
    return {
        "format": "symsafe-certificate",
        "version": 1,
        "problem": problem,
        "digest": checker.digest(problem),
        "claim": {"kind": "safe", "regret": "1", "epsilon": "1/10"},
        "evidence": evidence,
    }


def with_metric(document: dict[str, Any], metric: str) -> dict[str, Any]:
    document["problem"]["metric"] = metric
    document["digest"] = checker.digest(document["problem"])
    return document


def with_boxes(random: Random) -> tuple[dict[str, Any], list[str]]:
    """A state with random boxes, in a claim whose tree says nothing; its only point with a cost."""
    rewards = [0, random.choice([0, 1]), random.choice([1, 2]), 3][: random.randint(3, 4)]
    random.shuffle(rewards)
    count, goals = len(rewards), sorted(set(rewards))
    data, reference = (shares(random, count) for _ in range(2))
    points = [[str(t), "0"] for t in goals]
    chosen = random.randrange(len(goals) - 1)

    def amount() -> Fraction:
        return Fraction(round(2 ** random.uniform(5, 11)), 2**8)

    def raise_of(a: int, start: int) -> dict[str, Any]:
        boxes = random.randint(1, 3)
        return {
            "action": a,
            "lowered": [b for b in range(count) if rewards[b] > start or random.random() < 0.2],
            "ends": [str(x) for x in accumulate(amount() for _ in range(boxes))],
            "prices": [str(amount()) for _ in range(boxes)],
            "tilted": [j for j in range(boxes) if random.random() < 0.5],
        }

    pieces = [
        {
            "price": str(amount() / 4),
            "raises": [raise_of(a, t) for a, r in enumerate(rewards) if r <= t],
        }
        if i in (chosen - 1, chosen)
        else {"price": "0", "raises": []}
        for i, t in enumerate(goals[:-1])
    ]
    document = at_regret_1([rewards], [data], [reference], amount())
    document["evidence"]["curves"] = [{"points": points, "pieces": pieces}]
    return document, points[chosen]


@pytest.mark.parametrize("block", range(4))
def test_both_checkers_agree_on_what_random_boxes_prove(block: int) -> None:
    """The greatest cost of a point with few digits; more digits prove little more."""
    random, proofs = Random(block), 0
    while proofs < 12:
        document, point = with_boxes(random)
        if accepted(document, point, 1, Fraction(1, 1000)):
            proven, refused = limit(document, point, 1, Fraction(1, 1000), Fraction(100))
            document["evidence"]["bits"] = 96
            assert said(document, point, 1, proven) != "refused"
            assert said(document, point, 1, refused + Fraction(1, 2**12)) == "refused"
            proofs += 1


def with_one_box(bad: str, box: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Two actions, rewards 0 and 1, D of the bad one; a curve with one piece, and its first point.

    The box raises the bad action, and is tilted.
    """
    document = at_regret_1([[0, 1]], [[bad, 1 - Fraction(bad)]], [["1/2", "1/2"]])
    point = ["0", "0"]
    pieces = [{"price": "4/5", "raises": [{"action": 0, "tilted": [0]} | box]}]
    document["evidence"]["curves"] = [{"points": [point, ["1", "-2"]], "pieces": pieces}]
    return document, point


def test_a_tilted_box_takes_the_lesser_slope() -> None:
    """Where an action is lowered at the start of the box, but not in its middle.

    The box proves 2u with u = 2/5 exp(-1) = 0.1471..., which is below D = 1/5; it would prove
    u + D with the other slope, more than the least cost, 1/5 (1 + log 2) = 0.338...
    """
    document, point = with_one_box("4/5", {"lowered": [1], "ends": ["2"], "prices": ["4/5"]})
    proven, _ = limit(document, point, 1, ZERO, Fraction(1))
    assert 4 / 5 * math.exp(-1) == pytest.approx(float(proven))
    assert said(document, point, 1, proven) != "refused"


@pytest.mark.parametrize(("end", "price"), [(6, "28/5"), (3, "2"), (2, "2")])
def test_a_tangent_below_0_is_bounded_from_above(end: int, price: str) -> None:
    """At the far end x of a wide box: x D + (1 - x/2) u with u = price exp(-x/2) / 2."""
    box = {"lowered": [], "ends": [str(end)], "prices": [price]}
    document, point = with_one_box("1/20", box)
    proven, _ = limit(document, point, 1, ZERO, Fraction(1))
    eased = float(Fraction(price)) / 2 * math.exp(-end / 2)
    assert end / 20 + (1 - end / 2) * eased == pytest.approx(float(proven))
    assert said(document, point, 1, proven) != "refused"


def test_an_action_that_may_be_lowered_is_not_where_it_ties() -> None:
    """Its price is no more than its data, exactly these at the start of the box."""
    document, point = with_one_box("1/20", {"lowered": [1], "ends": ["3"], "prices": ["19/10"]})
    assert accepted(document, point, 1, Fraction(1, 25))
    assert said(document, point, 1, Fraction(1, 25)) == "open"


def witnessed(problem: dict[str, Any], regret: str, model: list[Any], u: list[str]) -> Any:
    """A reward model of a contextual bandit, with the returns of its penalised policy."""
    problem = problem | {"discount": "0", "transitions": [[[[0, "1"]]] * 2] * len(u)}
    problem |= {"states": ["s", "t"][: len(u)], "actions": [["good", "bad"]] * len(u)}
    returns = {"optimal": [x for x, _ in problem["reward"]]}
    returns["worst"] = [x for _, x in problem["reward"]]
    witness = {"reward": model, "value": ["0"] * len(u), "policy_value": u}
    claim = {"kind": "unsafe", "regret": regret, "epsilon": "1"}
    return certificate(problem, claim, bits=64, returns=returns, witness=witness)


def test_rewards_may_be_far_from_0() -> None:
    """The greatest gain is taken off before anything is exponentiated."""
    problem = {"initial": ["1"], "reward": [["1000001", "1000000"]], "data": [["1/2", "1/2"]]}
    problem["regularizer"] = {"kind": "kl", "weight": "1", "reference": [["1/2", "1/2"]]}
    document = witnessed(problem, "1/2", [["1000000", "1000001"]], ["10000003/10"])
    assert checker.check(document).kind == "unsafe"


def test_preferences_where_nobody_starts_cost_nothing() -> None:
    """They are not even bounded, however far apart the rewards are."""
    half = ["1/2", "1/2"]
    problem = {"initial": ["1", "0"], "reward": [["1", "0"], ["200001", "0"]]}
    problem |= {"data": [half, ["0", "0"]], "metric": "preferences"}
    problem["regularizer"] = {"kind": "kl", "weight": "10", "reference": [half, half]}
    document = witnessed(problem, "1/4", [["0", "1"], ["0", "0"]], ["1/2", "200001"])
    assert checker.check(document).kind == "unsafe"


def refusal(document: dict[str, Any]) -> tuple[str, str]:
    """The step and the rule."""
    with pytest.raises(checker.Rejected) as caught:
        checker.check(document)
    return caught.value.step, caught.value.rule


def test_a_price_below_0_is_none() -> None:
    """Though it would prove a cost, where the natural mean is below the end of the piece."""
    document = at_regret_1([[0, 1]], [["1/2", "1/2"]], [["9/10", "1/10"]])
    piece = {"price": "-10", "raises": [{"action": 0, "lowered": []} | BOX]}
    empty = {"price": "0", "raises": []}
    points = [["0", "-1000"], ["1/2", "1"], ["1", "0"]]
    document["evidence"]["curves"] = [{"points": points, "pieces": [piece, empty]}]
    assert refusal(document) == ("evidence.curves[0].pieces[0].price", "curves.6")


def test_a_piece_without_bad_actions_asks_for_nothing_but_its_form() -> None:
    """No policy has such a mean, and yet its price is a number and it has no raises."""
    document = copy.deepcopy(documents()["None"])
    curve = document["evidence"]["curves"][0]
    first, piece = curve["points"][0], {"price": "-1", "raises": []}
    curve["points"].insert(0, [str(Fraction(first[0]) - 1), "1000"])
    curve["pieces"].insert(0, piece)
    for node in document["evidence"]["tree"]:
        if "cut" in node:
            node["cut"]["point"] += 1
    assert checker.check(document)
    assert second_checker.verdict(document)[0] == "accepted"
    for change in ({"price": None}, {"raises": [{"action": 0, "lowered": []} | BOX]}):
        curve["pieces"][0] = piece | change
        with pytest.raises(checker.Rejected):
            checker.check(document)
        assert second_checker.verdict(document)[0] == "refused"


@pytest.mark.parametrize(("side", "point"), [("below", 3), ("above", 1)])
def test_a_state_is_cut_within_its_range(side: str, point: int) -> None:
    """Which an earlier cut has made shorter."""
    document = copy.deepcopy(documents()["None"])
    children = {"below": 1, "above": 2} if side == "below" else {"below": 2, "above": 1}
    inner = {"state": 0, "point": 4 - point, "below": 3, "above": 4}
    tree = [{"cut": {"state": 0, "point": 2} | children}, {"cut": inner}]
    document["evidence"]["tree"] = [*tree, *[{"multiplier": "0"}] * 3]
    document["claim"]["lower"] = "-1000"
    checker.check(document)
    inner["point"] = point
    assert refusal(document)[0] == "evidence.tree[1].cut"


@pytest.mark.parametrize("metric", [None, "returns"])
def test_hitting_bounds_let_a_flow_be_less(metric: str | None) -> None:
    """Each of two states is met half of the time, which y >= kappa / 2 - D may use."""
    quarters, halves = ([[x, x]] * 2 for x in ("1/4", "1/2"))
    document = at_regret_1([[0, 1]] * 2, quarters, halves)
    if metric is not None:
        with_metric(document, metric)
    flow = [[s, a, "1/10"] for s in range(2) for a in range(2)]
    gap = {"flow": flow, "kappa": "2/5", "price": "1", "value": ["0", "0"]}
    hitting = [[0, "upper", ["1", "0"]], [1, "upper", ["0", "1"]]]
    document["evidence"]["tree"] = [{"gap": gap, "hitting": hitting}]
    checker.check(document)
    document["evidence"]["tree"] = [{"gap": gap}]
    assert refusal(document)[1] == "gap.2"


def test_only_the_greatest_regret_proves_all() -> None:
    """At a regret of 1 the leaf `full` is an empty list."""
    document = at_regret_1([[0, 1]], [["1/3", "2/3"]], [["1/3", "2/3"]])
    checker.check(document)
    document["claim"]["regret"] = "99/100"
    assert refusal(document)[1] == "full"
    document["claim"]["regret"], document["evidence"]["tree"] = "1", [{"full": ["1"]}]
    assert refusal(document)[1] == "format"


def test_metrics_have_their_problems() -> None:
    """Gaps are not for returns that are discounted, preferences not for problems that last."""
    shares = [["1/3", "2/3"]]
    document = with_metric(at_regret_1([[0, 1]], shares, shares, discount="1/2"), "returns")
    checker.check(document)
    gap = {"flow": [], "kappa": "1", "price": "0", "value": ["0"]}
    document["evidence"]["tree"] = [{"gap": gap}]
    assert refusal(document) == ("evidence.tree[0].gap", "gap")
    document["evidence"] |= {"tree": [{"full": []}], "level": "1"}
    assert refusal(with_metric(document, "preferences")) == ("problem.metric", "metric")


@pytest.mark.parametrize(
    ("metric", "change", "rule"),
    [
        ("mse", {"metric": "cubes"}, "format"),
        ("preferences", {"data": [["1/5", "1/5", "3/5"]]}, "metric"),
        ("None", {"regularizer": {"weight": "0"}}, "problem"),
        ("None", {"regularizer": {"reference": [["1/2", "1/2", "0"]]}}, "problem"),
    ],
)
def test_problems_out_of_place_are_refused(metric: str, change: dict[str, Any], rule: str) -> None:
    """Though the digest is right."""
    document = copy.deepcopy(documents()[metric])
    for key, value in change.items():
        old = document["problem"].get(key)
        document["problem"][key] = old | value if isinstance(old, dict) else value
    document["digest"] = checker.digest(document["problem"])
    assert refusal(document)[1] == rule


def test_multipliers_are_not_for_problems_that_last() -> None:
    """Though a bad return below 0 would make any of them pass."""
    verdict = radius(lasting(2), time_limit=1)
    assert verdict.certificate is not None
    document = json.loads(verdict.certificate.to_json())
    document["claim"]["lower"] = "0"
    document["evidence"]["tree"] = [{"multiplier": "1"}]
    with pytest.raises(checker.Rejected, match="discount times kappa"):
        checker.check(document)


@pytest.mark.parametrize(
    ("factor", "bound"), [(Fraction(101, 100), "at least"), (Fraction(2), "at most")]
)
def test_a_flow_beyond_its_bounds_is_refused(factor: Fraction, bound: str) -> None:
    """A greater multiple proves more, and is balanced; half of it is accepted."""
    for multiple in (Fraction(1, 2), factor):
        document = copy.deepcopy(documents()["lasting"])
        document["claim"]["lower"] = "0"
        gap = document["evidence"]["tree"][0]["gap"]
        gap["kappa"] = str(Fraction(gap["kappa"]) * multiple)
        gap["flow"] = [[s, a, str(Fraction(y) * multiple)] for s, a, y in gap["flow"]]
        if multiple < 1:
            checker.check(document)
        else:
            with pytest.raises(checker.Rejected, match=rf"gap\.2: flow .* expected {bound}"):
                checker.check(document)


def test_flows_of_both_signs_in_a_state_that_is_never_met_are_refused() -> None:
    """Their sum is 0 there, and no share of it can be taken."""
    reference = {s: {"a": "1/2", "b": "1/2"} for s in ("s", "t")}
    mdp = MDP.bandit({"s": {"a": 0, "b": 1}, "t": {"a": 0, "b": 1}}, initial={"s": 1})
    data = {"s": {"a": "2/5", "b": "2/5"}, "t": {"a": "1/5"}}
    problem = SafetyProblem(
        mdp,
        DataDistribution.from_table(mdp, data),
        "1/2",
        "1/10",
        Regularizer.from_table(mdp, {"kind": "kl", "weight": 1, "reference": reference}),
    )
    document = json.loads(decide(problem).certificate.to_json())
    flow = [[0, 0, "2/5"], [1, 0, "1/5"], [1, 1, "-1/5"]]
    gap = {"flow": flow, "kappa": "2/5", "price": "0", "value": ["1", "1"]}
    document["claim"]["kind"] = "safe"
    curves = [{"points": [["0", "0"]], "pieces": []}, {"points": [], "pieces": []}]
    document["evidence"] |= {"tree": [{"gap": gap}], "curves": curves}
    document["evidence"].pop("witness", None)
    assert refusal(document)[1] == "gap.2"


def by_flow(document: dict[str, Any]) -> dict[str, Any]:
    """Claim a small tolerance safe by a gap, whose potentials leave room for few digits.

    For a bandit the flow is that of the reference, as great as D lets it be.
    """
    evidence, problem = document["evidence"], document["problem"]
    document["claim"] = {"kind": "safe", "regret": "99/100", "epsilon": "1/1000000000"}
    evidence |= {"level": "1/1000"} if "level" in evidence else {}
    del evidence["witness"]
    if "gap" in evidence["tree"][0]:
        values = evidence["tree"][0]["gap"]["value"]
        values[:] = [str(Fraction(x) + Fraction(1, 500)) for x in values]
        return document
    data, reward, reference = (
        [[Fraction(x) for x in row] for row in table]
        for table in (problem["data"], problem["reward"], problem["regularizer"]["reference"])
    )
    met = [(s, Fraction(x)) for s, x in enumerate(problem["initial"]) if x != "0"]
    shares = [(s, a, m * q) for s, m in met for a, q in enumerate(reference[s])]
    kappa = min(data[s][a] / max(x, 1 - x) for s, a, x in shares)
    weight = float(Fraction(problem["regularizer"]["weight"]))
    value = [
        weight * math.log(sum(float(q) * math.exp(float(r) / 2 / weight) for q, r in pairs))
        for pairs in (list(zip(*rows, strict=True)) for rows in zip(reference, reward, strict=True))
    ]
    gap = {
        "flow": [[s, a, str(kappa * x)] for s, a, x in shares],
        "kappa": str(kappa),
        "price": "1/2",
        "value": [str(Fraction(x).limit_denominator(1000) + Fraction(1, 500)) for x in value],
    }
    points = [[[str(min(row)), "-1"]] if s in dict(met) else [] for s, row in enumerate(reward)]
    evidence["curves"] = [{"points": x, "pieces": []} for x in points]
    evidence["tree"] = [{"gap": gap}]
    return document


def by_model(document: dict[str, Any]) -> dict[str, Any]:
    """Claim the model of the upper bound unsafe, with room; one of its values is a little off."""
    weakened(document)
    value = document["evidence"]["witness"]["value"]
    value[0] = str(Fraction(value[0]) + Fraction(1, 2000))
    for key in ("tree", "curves", "level"):
        document["evidence"].pop(key, None)
    claim = document["claim"]
    epsilon = str(Fraction(claim["upper"]) * Fraction(11, 10))
    document["claim"] = {"kind": "unsafe", "regret": claim["regret"], "epsilon": epsilon}
    return document


def numbers(value: Any) -> list[tuple[Any, Any]]:
    """The places of all numbers within a part of a document."""
    found = []
    for key, x in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(x, dict | list):
            found += numbers(x)
        elif isinstance(x, str) and key != "kind":
            found.append((value, key))
    return found


FLOWS = [(None, 0), ("mse", 2), ("preferences", 3), ("returns", 0), ("lasting", 0)]
MODELS = [(None, 0), ("mse", 0), ("preferences", 4), ("lasting", 1)]
WIDE = [
    (by_flow, "lasting", 3, "exp_bound"),
    (by_flow, "lasting", 3, "log_bound"),
    (by_flow, None, 1, "exp_bound"),
    (by_model, "lasting", 0, "exp_bound"),
    (by_model, "lasting", 0, "log_bound"),
    (by_model, "mse", 2, "exp_bound"),
]


@pytest.mark.parametrize(
    ("claim", "sort", "seed", "wide"),
    [
        *((by_flow, *given, None) for given in FLOWS),
        *((by_model, *given, None) for given in MODELS),
        *WIDE,
    ],
)
def test_both_checkers_agree_how_far_each_number_may_go(
    claim: Callable[[dict[str, Any]], dict[str, Any]],
    sort: str | None,
    seed: int,
    wide: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What few digits or wide bounds let pass, many do not refute; else little more is refused."""
    if sort == "lasting":
        verdict = radius(lasting(seed), time_limit=1)
    else:
        verdict = radius(random_problem(seed, sort))
    assert verdict.certificate is not None
    document = claim(json.loads(verdict.certificate.to_json()))
    if wide is not None:
        widen(monkeypatch, wide, Random(seed))
    evidence, moved = document["evidence"], 0
    parts = {key: x for key, x in evidence.items() if key != "returns"}
    for (place, key), sign in product(numbers([document["claim"], parts]), (1, -1)):
        evidence["bits"] = 16
        checker.check(document)
        start = place[key]
        for beyond in (Fraction(start) + sign * Fraction(4) ** k for k in range(-4, 4)):
            if not accepted(document, place, key, beyond):
                proven, refused = limit(document, place, key, Fraction(start), beyond)
                little = (beyond - Fraction(start)) / 2**14
                evidence["bits"] = 96
                assert said(document, place, key, proven) != "refused"
                if wide is None:
                    assert said(document, place, key, refused + little) == "refused"
                moved += 1
                break
        place[key] = start
    assert moved >= 10
