"""Regularised problems: exact radius, certificates, and what the theory says of them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from random import Random
from typing import Any

import pytest
import second_checker
from instances import random_instance, shares, to_problem
from oracle import Instance
from regularised_oracle import Penalty as OraclePenalty
from regularised_oracle import reference_occupancy, regularised_radius
from test_checker import SCHEMA
from test_mutations import get, numbers, put

from symsafe import (
    MDP,
    DataDistribution,
    InputError,
    Policy,
    Regularizer,
    SafetyProblem,
    UnsupportedError,
    checker,
    decide,
    forall_safe,
    forall_unsafe,
    load_problem,
    radius,
    radius_curve,
    region,
    save_problem,
)
from symsafe.engine.bounds import bounds
from symsafe.engine.limits import Limits
from symsafe.engine.matrix import safety_matrix
from symsafe.engine.penalty import Penalty, highest
from symsafe.engine.question import Question
from symsafe.engine.search import search
from symsafe.theorems import THEOREMS, theorem_4_1, theorem_4_2

EXACT = ("linear", "l2", "chi2", "tv")
ZERO = Fraction(0)


def small_instance(seed: int, pairs: int) -> Instance:
    """A random instance with few pairs."""
    while len(random_instance(seed).rewards) > pairs:
        seed += 10_000
    return random_instance(seed)


def regularised(seed: int, kind: str) -> tuple[SafetyProblem, Instance, OraclePenalty]:
    """A random problem with a regularizer, in the forms of the package and of the oracle."""
    random = Random(seed)
    instance = small_instance(seed, 4 if kind == "tv" else 5)
    problem = to_problem(instance)
    count = len(instance.rewards)
    weight = random.choice([Fraction(1, 10), Fraction(1, 2), Fraction(1), Fraction(4)])
    nothing = (ZERO,) * count
    if kind == "linear":
        given = tuple(Fraction(random.randint(0, 4), 2) for _ in range(count))
        penalty = Regularizer(problem.mdp, kind, weight, coefficients=given)
        other = OraclePenalty(weight, given, nothing, nothing, nothing)
    else:
        probabilities = tuple(
            x
            for pairs in problem.mdp.pair_ranges
            for x in shares(random, len(pairs), zeros=0 if kind == "chi2" else 0.3)
        )
        penalty = Regularizer(problem.mdp, kind, weight, Policy(problem.mdp, probabilities))
        rho = reference_occupancy(instance, probabilities)
        q = {
            "l2": (Fraction(1),) * count,
            "chi2": tuple(1 / x if x else ZERO for x in rho),
            "tv": nothing,
        }[kind]
        m = (Fraction(1, 2),) * count if kind == "tv" else nothing
        other = OraclePenalty(weight, nothing, q, m, rho)
    return replace(problem, regularizer=penalty), instance, other


@pytest.mark.parametrize("block", range(5))
@pytest.mark.parametrize("kind", EXACT)
def test_radius_equals_brute_force_over_supports(kind: str, block: int) -> None:
    """On 60 random problems of each kind, in floating point."""
    for seed in range(12 * block, 12 * (block + 1)):
        problem, instance, penalty = regularised(seed, kind)
        verdict = radius(problem)
        assert verdict.is_exact
        assert float(verdict.lower) == pytest.approx(
            regularised_radius(instance, penalty), abs=1e-6
        ), seed


@pytest.mark.parametrize("block", range(6))
@pytest.mark.parametrize("kind", EXACT)
def test_nothing_cheaper_than_the_radius_misleads(kind: str, block: int) -> None:
    """180 problems of each kind: random reward models with less error have good optima.

    Among them those between the true reward and the witness, as near as one thousandth.
    """
    for seed in range(30 * block, 30 * (block + 1)):
        problem, _, _ = regularised(1000 + seed, kind)
        question, random = Question.of(problem), Random(seed)
        penalty, verdict = Penalty.of(question), radius(problem)
        if not verdict.lower:
            continue
        evidence = verdict.certificate.document["evidence"]
        witness = [Fraction(x) for row in evidence["witness"]["reward"] for x in row]
        noise = [Fraction(random.randint(-9, 9), 9) for _ in witness]
        budget = verdict.lower * question.reward_range * Fraction(999, 1000)
        for error in (
            [w - r for w, r in zip(witness, question.rewards, strict=True)],
            noise,
        ):
            cost = sum((d * abs(e) for d, e in zip(question.weights, error, strict=True)), ZERO)
            if cost == 0:
                continue
            model = [r + e * budget / cost for r, e in zip(question.rewards, error, strict=True)]
            peak = highest(question, penalty, reward=model)
            assert peak is not None
            returned = sum(
                (x * r for x, r in zip(peak.occupancy, question.rewards, strict=True)), ZERO
            )
            assert returned > question.bad_return, seed


def one_state(kind: str, weight: object, regret: object, **given: Any) -> SafetyProblem:
    """R = (1, 0), D = (1/4, 3/4): the vectors of THEORY section 10."""
    mdp = MDP.bandit({"s": {"good": 1, "bad": 0}})
    if "reference" in given:
        given["reference"] = Policy.deterministic(mdp, {"s": given["reference"]})
    if "coefficients" in given:
        given["coefficients"] = tuple(map(Fraction, given["coefficients"]))
    data = DataDistribution(mdp, (Fraction(1, 4), Fraction(3, 4)))
    return SafetyProblem(mdp, data, regret, None, Regularizer(mdp, kind, Fraction(weight), **given))


# omega = pi(1)^2 is half of l2 to the other action, so its weight is lambda/2.
VECTORS = [
    (one_state("linear", 1, 1, coefficients=("1/3", 0)), "1/6"),
    (one_state("l2", "1/2", 1, reference="bad"), "1/4"),
    (one_state("l2", "1/8", "1/2", reference="bad"), "3/16"),
    (one_state("l2", "1/4", "1/2", reference="good"), "3/8"),
    (one_state("l2", "1/4", "3/4", reference="good"), "7/16"),
]


@pytest.mark.parametrize(("problem", "known"), VECTORS)
def test_known_thresholds(problem: SafetyProblem, known: str) -> None:
    """The vectors of THEORY section 10; unsafe exactly from the threshold on."""
    threshold = Fraction(known)
    assert radius(problem).lower == threshold
    assert decide(replace(problem, epsilon=threshold)).answer == "unsafe"
    assert decide(replace(problem, epsilon=threshold * Fraction(999, 1000))).answer == "safe"


@pytest.mark.parametrize(
    ("problem", "bound"),
    [(VECTORS[0][0], "1/6"), (VECTORS[1][0], "1/16"), (VECTORS[2][0], "5/64")],
)
def test_theorem_4_1_gives_the_known_bounds(problem: SafetyProblem, bound: str) -> None:
    """The vectors of THEORY section 10; for the linear one the bound is the threshold itself."""
    report = theorem_4_1.verify(problem)
    assert report.constructed["bound"] == Fraction(bound)
    assert report.certificate.check().kind == "safe"


def test_a_constant_better_than_that_of_theorem_4_1_is_refuted() -> None:
    """Linear omega, 1 % above the bound: unsafe, certified."""
    problem = VECTORS[0][0]
    bound = theorem_4_1.verify(problem).constructed["bound"]
    refuted = decide(replace(problem, epsilon=bound * Fraction(101, 100)))
    assert refuted.certificate.check().kind == "unsafe"


@pytest.mark.parametrize(("problem", "constant"), [(VECTORS[3][0], 1), (VECTORS[4][0], 2)])
def test_theorem_4_2_gives_the_known_constants(problem: SafetyProblem, constant: int) -> None:
    """The vectors of THEORY section 10: pi_* is the bad action, with 3/4 of the data here."""
    light = replace(problem, data=DataDistribution(problem.mdp, (Fraction(3, 4), Fraction(1, 4))))
    enough = Fraction(1 + constant, 4)
    report = theorem_4_2.verify(replace(light, epsilon=enough))
    assert report.constructed["C"] == constant
    assert report.certificate.check().kind == "unsafe"
    less = theorem_4_2.verify(replace(light, epsilon=enough * Fraction(99, 100)))
    assert [hypothesis.holds for hypothesis in less.hypotheses] == [True, False]


@pytest.mark.parametrize("kind", EXACT)
def test_theorems_agree_with_the_radius(kind: str) -> None:
    """On 50 random problems of each kind: what 4.1 calls safe and 4.2 unsafe is that."""
    held = [0, 0]
    for seed in range(50):
        problem, _, _ = regularised(seed, kind)
        exact = radius(problem).lower
        safe = theorem_4_1.verify(problem)
        if safe.holds:
            held[0] += 1
            assert safe.constructed["bound"] <= exact
        for epsilon in (exact, 3 * exact) if exact else ():
            held[1] += theorem_4_2.verify(replace(problem, epsilon=epsilon)).holds
    assert min(held) > 0


def test_advantages_count_in_states_that_only_other_policies_reach() -> None:
    """With the states of pi_* alone the constant would be too small: THEORY section 5."""
    mdp = MDP.from_tables(
        transitions={
            "s0": {"a": {"T": 1}, "b": {"s1": 1}},
            "s1": {"x": {"T": 1}, "y": {"T": 1}},
            "T": {"stay": {"T": 1}},
        },
        reward={"s0": {"a": 0, "b": 0}, "s1": {"x": 0, "y": 1}, "T": {"stay": 0}},
        initial="s0",
        discount="1/2",
    )
    penalty = Regularizer(mdp, "linear", Fraction(2), coefficients=(1, 0, 1, 0, 0))
    data = DataDistribution.from_table(mdp, {"s1": {"y": 1}})
    problem = SafetyProblem(mdp, data, "1/2", 5, penalty)
    policy = Policy.deterministic(mdp, {"s0": "a", "s1": "x", "T": "stay"})
    report = theorem_4_2.verify(problem, policy)
    assert report.holds
    assert report.constructed["C"] == 4


def test_theorems_of_the_regularised_half_need_a_regularizer() -> None:
    """And a deterministic policy of the same MDP."""
    problem = VECTORS[3][0]
    with pytest.raises(InputError, match="regularizer"):
        theorem_4_1.verify(replace(problem, regularizer=None))
    with pytest.raises(InputError, match="epsilon"):
        theorem_4_2.verify(problem)
    asked = replace(problem, epsilon="1/2")
    with pytest.raises(InputError, match="deterministic"):
        theorem_4_2.verify(asked, Policy.uniform(problem.mdp))
    with pytest.raises(InputError, match="another MDP"):
        theorem_4_2.verify(asked, Policy.uniform(MDP.bandit({"s": {"good": 2, "bad": 0}})))


def test_without_the_weight_the_answer_is_the_unregularised_one() -> None:
    """lambda = 0, for each kind, on 60 random instances."""
    for seed in range(60):
        problem, _, _ = regularised(seed, EXACT[seed % 4])
        light = replace(problem.regularizer, weight=ZERO)
        plain = radius(replace(problem, regularizer=None))
        assert radius(replace(problem, regularizer=light)).lower == plain.lower, seed


def test_a_small_weight_moves_the_radius_little() -> None:
    """lambda -> 0 converges to the unregularised radius."""
    problem = one_state("tv", "1/1000000", 1, reference="bad")
    plain = radius(replace(problem, regularizer=None)).lower
    assert abs(radius(problem).lower - plain) < Fraction(1, 100_000)


def test_a_witness_may_have_to_be_randomised() -> None:
    """At a kink of total variation the cheapest policy copies half of the reference."""
    mdp = MDP.bandit({"s": {"good": 1, "bad": 0}})
    reference = Policy.from_table(mdp, {"s": {"good": "1/2", "bad": "1/2"}})
    problem = SafetyProblem(
        mdp,
        DataDistribution(mdp, (Fraction(1, 2), Fraction(1, 2))),
        regret="1/2",
        regularizer=Regularizer(mdp, "tv", Fraction(1, 2), reference),
    )
    verdict = radius(problem)
    occupancy = verdict.certificate.document["evidence"]["witness"]["occupancy"]
    assert occupancy == [["1/2", "1/2"]]
    deterministic = replace(problem, regret=1)
    assert verdict.lower < radius(deterministic).lower


@pytest.mark.parametrize("kind", EXACT)
def test_corrupted_certificates_are_refused(kind: str) -> None:
    """Each number moved by little, both ways: refused, unless the claim stays true."""
    refused = kept = 0
    for seed in (3, 8, 21):
        problem, _, _ = regularised(seed, kind)
        exact = radius(problem)
        for verdict in (
            exact,
            decide(replace(problem, epsilon=exact.lower or Fraction(1, 9))),
            decide(replace(problem, epsilon=exact.lower / 2)) if exact.lower else exact,
        ):
            document = copy.deepcopy(dict(verdict.certificate.document))
            for path in numbers(document):
                if path[0] == "problem":
                    continue
                for step in (Fraction(1, 10**30), -Fraction(1, 10**30)):
                    mutant = copy.deepcopy(document)
                    put(mutant, path, str(Fraction(get(document, path)) + step))
                    try:
                        checker.check(mutant)
                    except checker.Rejected:
                        refused += 1
                        continue
                    kept += 1
                    claim = mutant["claim"]
                    if claim["regret"] != document["claim"]["regret"]:
                        truth = radius(replace(problem, regret=claim["regret"])).lower
                    else:
                        truth = exact.lower
                    if claim["kind"] == "radius":
                        assert Fraction(claim["lower"]) <= truth <= Fraction(claim["upper"])
                    elif claim["kind"] == "safe":
                        assert truth > Fraction(claim["epsilon"])
                    else:
                        assert truth <= Fraction(claim["epsilon"])
    assert refused > kept


Edit = Callable[[dict[str, Any]], None]


def nodes(document: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [node[kind] for node in document["evidence"]["tree"] if kind in node]


def add(entries: list[list[Any]], amount: str) -> None:
    entries[0][2] = str(Fraction(entries[0][2]) + Fraction(amount))


# Each edit of a valid radius certificate, and the rule that refuses it.
FORGERIES: dict[str, tuple[str, Edit, str]] = {
    "a negative weight": (
        "tv",
        lambda d: put(d, ("problem", "regularizer", "weight"), "-1"),
        "problem",
    ),
    "a reference that is no policy": (
        "tv",
        lambda d: put(d, ("problem", "regularizer", "reference", 0), ["1/2", "1/3"]),
        "problem",
    ),
    "wrong visits of the reference": (
        "tv",
        lambda d: put(d, ("evidence", "reference", 0), "2"),
        "reference",
    ),
    "a dearer reward model": (
        "tv",
        lambda d: put(d, ("evidence", "witness", "reward", 0, 0), "-9"),
        "witness.1",
    ),
    "an occupancy that does not flow": (
        "tv",
        lambda d: put(d, ("evidence", "witness", "occupancy", 0, 0), "9"),
        "witness.2",
    ),
    "a negative occupancy": (
        "tv",
        lambda d: put(d, ("evidence", "witness", "occupancy", 0), ["-1", "2"]),
        "witness.2",
    ),
    "a slope that is none": (
        "tv",
        lambda d: put(d, ("evidence", "witness", "slope", 0, 0), "3/4"),
        "witness.2",
    ),
    "a policy that is not optimal": (
        "tv",
        lambda d: put(d, ("evidence", "witness", "value", 0), "7"),
        "witness.3",
    ),
    "a policy that is not bad": (
        "tv",
        lambda d: put(d, ("claim", "regret"), "1"),
        "witness.4",
    ),
    "the same case twice": (
        "tv",
        lambda d: put(
            d,
            ("evidence", "tree"),
            [
                {"case": {"state": 0, "action": 0, "unused": 4, "used": 1}},
                {"case": {"state": 0, "action": 0, "unused": 2, "used": 3}},
                *[next(node for node in d["evidence"]["tree"] if "dual" in node)] * 3,
            ],
        ),
        "case",
    ),
    "a child with two parents": (
        "tv",
        lambda d: nodes(d, "case")[0].update(unused=nodes(d, "case")[0]["used"]),
        "case",
    ),
    "a side where omega is smooth": (
        "l2",
        lambda d: put(
            d,
            ("evidence", "tree"),
            [
                {"side": {"state": 0, "action": 0, "below": 1, "at": 2, "above": 3}},
                *[node for node in d["evidence"]["tree"] if "dual" in node][:1] * 3,
            ],
        ),
        "side",
    ),
    "a flow that is no circulation": (
        "tv",
        lambda d: add(next(n["flow"] for n in nodes(d, "dual") if n["flow"]), "1/100"),
        "dual.1",
    ),
    "a flow beyond the data": (
        "tv",
        lambda d: nodes(d, "dual")[-1].update(flow=[[0, 0, "1"], [0, 1, "-1"]]),
        "dual.2",
    ),
    "a bound without a side": (
        "l2",
        lambda d: nodes(d, "dual")[-1].update(bounds=[[0, 0, "1"]]),
        "dual.3",
    ),
    "a potential that is too high": (
        "tv",
        lambda d: nodes(d, "dual")[-1].update(value=["1000"]),
        "dual.3",
    ),
    "a negative kappa": ("tv", lambda d: nodes(d, "dual")[-1].update(kappa="-1"), "dual"),
    "a leaf that proves less": (
        "tv",
        lambda d: nodes(d, "dual")[-1].update(flow=[], kappa="0", value=["0"], bounds=[]),
        "dual.4",
    ),
    "a claim that is too strong": (
        "tv",
        lambda d: d["claim"].update(lower="1/2", upper="1/2"),
        "dual.4",
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_each_forgery_is_refused_by_its_rule(name: str) -> None:
    """Of a certificate of two actions, half of the reference each way."""
    kind, edit, rule = FORGERIES[name]
    mdp = MDP.bandit({"s": {"good": 1, "bad": 0}})
    problem = SafetyProblem(
        mdp,
        DataDistribution(mdp, (Fraction(1, 2), Fraction(1, 2))),
        regret="1/2",
        regularizer=Regularizer(mdp, kind, Fraction(1, 2)),
    )
    document = copy.deepcopy(json.loads(radius(problem).certificate.to_json()))
    edit(document)
    document["digest"] = checker.digest(document["problem"])
    with pytest.raises(checker.Rejected) as caught:
        checker.check(document)
    assert caught.value.rule == rule, caught.value


@pytest.mark.parametrize("kind", EXACT)
def test_no_certificate_proves_a_billionth_more(kind: str) -> None:
    """The leaf that attains the radius is refused: its cost has no slack."""
    for seed in range(12):
        document = json.loads(radius(regularised(seed, kind)[0]).certificate.to_json())
        claim = document["claim"]
        more = str(Fraction(claim["upper"]) + Fraction(1, 10**9))
        claim["lower"] = claim["upper"] = more
        with pytest.raises(checker.Rejected) as caught:
            checker.check(document)
        assert caught.value.rule in ("dual.4", "gap.4"), seed


@pytest.mark.parametrize("kind", EXACT)
def test_an_occupancy_below_0_is_refused_where_it_stands(kind: str) -> None:
    """Also where it flows in and out as it should."""
    document = json.loads(radius(regularised(1, kind)[0]).certificate.to_json())
    visits = document["evidence"]["witness"]["occupancy"]
    state = next(s for s, row in enumerate(visits) if len(row) > 1)
    visits[state][0] = "-1/1000000"
    with pytest.raises(checker.Rejected) as caught:
        checker.check(document)
    assert caught.value.step == "evidence.witness.occupancy"
    assert "least occupancy" in caught.value.reason


def test_chi2_needs_a_reference_that_meets_whatever_is_reached() -> None:
    """An action that the reference never takes is refused; a state that nobody meets is not."""
    mdp = MDP.bandit({"s": {"good": 1, "bad": 0}, "t": {"good": 1, "bad": 0}}, initial={"s": 1})
    data = DataDistribution.uniform(mdp)
    problem = SafetyProblem(mdp, data, "1/2", None, Regularizer(mdp, "chi2", Fraction(1, 2)))
    document = json.loads(radius(problem).certificate.to_json())
    assert checker.check(document).regularised
    document["problem"]["regularizer"]["reference"][0] = ["1", "0"]
    document["digest"] = checker.digest(document["problem"])
    with pytest.raises(checker.Rejected) as caught:
        checker.check(document)
    assert "reference occupancy" in caught.value.reason


GAP_FORGERIES: dict[str, tuple[Edit, str]] = {
    "kappa 0": (lambda g: g.update(kappa="0"), "gap"),
    "a negative price": (lambda g: g.update(price="-1"), "gap"),
    "a flow that is too small": (lambda g: add(g["flow"], "-1/100"), "gap.1"),
    "a flow beyond the data": (
        lambda g: g.update(kappa="1", flow=[[0, 0, "1"]]),
        "gap.2",
    ),
    "no room for other policies": (
        lambda g: g.update(kappa="3/4", flow=[[0, 1, "3/4"]]),
        "gap.2",
    ),
    "a slope that is none": (lambda g: g.update(slope=[[0, 0, "5"]]), "gap.3"),
    "a potential that is too low": (lambda g: g.update(value=["-9"]), "gap.3"),
    "a potential that is too high": (lambda g: g.update(value=["9"]), "gap.4"),
}


@pytest.mark.parametrize("name", GAP_FORGERIES)
def test_each_forged_gap_is_refused_by_its_rule(name: str) -> None:
    """Of the certificate that proves Theorem 4.1 at an instance."""
    edit, rule = GAP_FORGERIES[name]
    document = json.loads(theorem_4_1.verify(VECTORS[1][0]).certificate.to_json())
    (gap,) = nodes(document, "gap")
    edit(gap)
    with pytest.raises(checker.Rejected) as caught:
        checker.check(document)
    assert caught.value.rule == rule, caught.value


def visited_once(flow: list[Any], kappa: str, data: list[Any]) -> dict[str, Any]:
    """From a state with two actions, met once, all that follows earns 0; penalties are small."""
    document = json.loads(theorem_4_1.verify(VECTORS[1][0]).certificate.to_json())
    problem = document["problem"]
    problem |= {"states": ["s", "t"], "actions": [["good", "bad"], ["stay"]], "initial": ["1", "0"]}
    problem |= {"transitions": [[[[1, "1"]]] * 2, [[[1, "1"]]]], "reward": [["1", "0"], ["0"]]}
    problem |= {"discount": "1/2", "data": data}
    problem["regularizer"] |= {"weight": "1/100", "reference": [["1/2", "1/2"], ["1"]]}
    document["digest"] = checker.digest(problem)
    document["claim"]["epsilon"] = "1/10"
    at = [[0, 0, "1/4"], [0, 1, "1/4"], [1, 0, "1/2"]]
    gap = {"flow": flow, "kappa": kappa, "at": at, "slope": [], "price": "1", "value": ["0", "0"]}
    leaf = {"hitting": [[0, "upper", ["1", "0"]]], "gap": gap}
    returns = {"optimal": ["1", "0"], "worst": ["0", "0"]}
    document["evidence"] = {"returns": returns, "reference": ["1", "1"], "tree": [leaf]}
    return document


def test_a_gap_may_use_occupancy_bounds() -> None:
    """Without the bound, `bad` might be taken twice, and need a third of the flow."""
    third = "1/3"
    document = visited_once([[0, 0, third], [1, 0, third]], third, [[third, third], [third]])
    assert checker.check(document).kind == "safe"
    assert second_checker.verdict(document)[0] == "accepted"
    del document["evidence"]["tree"][0]["hitting"]
    with pytest.raises(checker.Rejected, match=r"flow of \(0, 1\): found 0; expected at least 1/3"):
        checker.check(document)


@pytest.mark.parametrize(
    ("flow", "data", "reason"),
    [
        (
            [[0, 0, "7/24"], [0, 1, "-1/24"]],
            [["7/24", "7/24"], ["5/12"]],
            "-1/24; expected at least 0",
        ),
        ([[0, 0, "1/4"]], [["1/5", "2/5"], ["2/5"]], "1/4; expected at most 1/5"),
    ],
)
def test_the_flow_of_a_gap_has_bounds_where_all_else_holds(
    flow: list[Any], data: list[Any], reason: str
) -> None:
    document = visited_once([*flow, [1, 0, "1/4"]], "1/4", data)
    with pytest.raises(checker.Rejected, match=reason) as caught:
        checker.check(document)
    assert caught.value.rule == "gap.2"
    assert second_checker.verdict(document)[0] == "refused"


@pytest.mark.parametrize("kind", EXACT)
def test_the_schema_describes_regularised_certificates(kind: str) -> None:
    """Of radius, decision and Theorem 4.1."""
    for seed in range(8):
        problem, _, _ = regularised(seed, kind)
        exact = radius(problem)
        found = [exact.certificate, theorem_4_1.verify(problem).certificate]
        found.append(decide(replace(problem, epsilon=exact.lower or Fraction(1, 5))).certificate)
        for certificate in found:
            if certificate is not None:
                SCHEMA.validate(json.loads(certificate.to_json()))


def test_a_limit_leaves_certified_bounds() -> None:
    """One node: unknown, with bounds that hold."""
    for seed in range(20):
        problem, _, _ = regularised(seed, "l2")
        stopped, exact = radius(problem, node_limit=1), radius(problem)
        assert stopped.certificate.kind == "radius"
        assert stopped.lower <= exact.lower <= stopped.upper


@pytest.mark.parametrize("kind", EXACT)
def test_regularised_problems_survive_a_file(kind: str, tmp_path: Any) -> None:
    """Written and read again, the problem is equal, and so is the one inside its certificate."""
    problem, _, _ = regularised(5, kind)
    for suffix in ("toml", "json"):
        path = tmp_path / f"problem.{suffix}"
        save_problem(problem, path)
        assert load_problem(path) == problem
    assert radius(problem).certificate.problem() == problem
    assert radius(problem).certificate.differences(problem) == []
    plain = replace(problem, regularizer=None)
    assert radius(problem).certificate.differences(plain) == ["regularizer"]


MDP_TWO = MDP.bandit({"s": {"a": 1, "b": 0}})


@pytest.mark.parametrize(
    ("table", "field"),
    [
        ({"kind": "l3", "weight": 1}, "regularizer.kind"),
        ({"kind": 3, "weight": 1}, "regularizer.kind"),
        ({"weight": 1}, "regularizer.kind"),
        ({"kind": "l2"}, "regularizer.weight"),
        ({"kind": "l2", "weight": -1}, "regularizer.weight"),
        ({"kind": "l2", "weight": 0.5}, "regularizer.weight"),
        ({"kind": "l2", "weight": 1, "refrence": "uniform"}, "regularizer.refrence"),
        (
            {"kind": "l2", "weight": 1, "reference": {"s": {"a": 1, "b": 1}}},
            "regularizer.reference.s",
        ),
        ({"kind": "l2", "weight": 1, "coefficients": {}}, "regularizer.coefficients"),
        ({"kind": "linear", "weight": 1}, "regularizer.coefficients"),
        ({"kind": "linear", "weight": 1, "reference": "uniform"}, "regularizer.reference"),
        ({"kind": "kl", "weight": 1, "reference": {"s": {"a": 1}}}, "regularizer.reference.s.b"),
    ],
)
def test_bad_regularizers_are_refused(table: dict[str, object], field: str) -> None:
    """With the field, and what was expected."""
    with pytest.raises(InputError) as caught:
        Regularizer.from_table(MDP_TWO, table)
    assert caught.value.field == field


def test_chi2_needs_a_reference_that_visits_what_can_be_visited() -> None:
    """Else omega is infinite."""
    reference = Policy.deterministic(MDP_TWO, {"s": "a"})
    problem = SafetyProblem(
        MDP_TWO,
        DataDistribution.uniform(MDP_TWO),
        1,
        regularizer=Regularizer(MDP_TWO, "chi2", Fraction(1), reference),
    )
    with pytest.raises(InputError) as caught:
        radius(problem)
    assert caught.value.field == "regularizer.reference.s.b"


REGULARISED = ("theorem-4", "theorem-6", "error-met")
REFUSALS: dict[str, Callable[[SafetyProblem], object]] = {
    "smt": lambda problem: radius(problem, engine="smt"),
    "tree": lambda problem: search(Question.of(problem), Limits()),
    "bounds": lambda problem: bounds(Question.of(problem)),
    "matrix": lambda problem: safety_matrix(Question.of(problem)),
} | {name: t.verify for name, t in THEOREMS.items() if name[:9] not in REGULARISED}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_about_unregularised_problems_refuses_others(name: str) -> None:
    """Rather than forgetting the regularizer."""
    problem = replace(one_state("l2", 1, 1, reference="bad"), epsilon="1/2")
    with pytest.raises(UnsupportedError, match="regularizer"):
        REFUSALS[name](problem)


@pytest.mark.parametrize("ask", [region, forall_safe, forall_unsafe, radius_curve])
def test_questions_about_families_refuse_a_regularizer(
    ask: Callable[[SafetyProblem], object],
) -> None:
    """Rather than forgetting it."""
    mdp = MDP.bandit({"s": {"good": "r", "bad": 0}}, parameters={"r": (1, 2)})
    penalty = Regularizer(mdp, "l2", Fraction(1), Policy.uniform(mdp))
    problem = SafetyProblem(mdp, DataDistribution.uniform(mdp), 1, "1/4", penalty)
    with pytest.raises(UnsupportedError, match="regularizer"):
        ask(problem)
