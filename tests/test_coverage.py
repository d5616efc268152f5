"""The safest data distribution, and the nearest safe one, against exact programmes over M."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import lcm
from pathlib import Path
from random import Random
from typing import Any

import ppl
import pytest
from instances import random_instance, shares, to_problem
from test_checker import SCHEMA
from typer.testing import CliRunner

from symsafe import (
    MDP,
    DataDistribution,
    InputError,
    SafetyProblem,
    checker,
    radius,
    save_problem,
)
from symsafe.cli import app
from symsafe.coverage import critical_epsilon, repair
from symsafe.engine.matrix import safety_matrix
from symsafe.engine.question import Question
from symsafe.model.data_set import DataRow, DataSet

ZERO, ONE = Fraction(0), Fraction(1)


def linear(terms: dict[int, Fraction], constant: Fraction = ZERO) -> Any:
    """terms + constant as an integer expression times a positive number."""
    scale = lcm(constant.denominator, *(x.denominator for x in terms.values()))
    expression = ppl.Linear_Expression(int(constant * scale))
    for place, x in terms.items():
        expression = expression + int(x * scale) * ppl.Variable(place)
    return expression


def optimum(
    columns: int, constraints: list[Any], objective: dict[int, Fraction]
) -> Fraction | None:
    """Maximise by the simplex of the polyhedra library, in exact arithmetic."""
    problem = ppl.MIP_Problem(columns)
    for constraint in constraints:
        problem.add_constraint(constraint)
    scale = lcm(*(x.denominator for x in objective.values()))
    problem.set_objective_function(linear(objective))
    problem.set_optimization_mode("maximization")
    if not problem.is_satisfiable():
        return None
    value = problem.optimal_value()
    return Fraction(int(value.numerator), int(value.denominator)) / scale


def set_constraints(among: DataSet, count: int) -> list[Any]:
    """The distributions of a set, by pair or, for mixtures, by their weights after the pairs."""
    found = [linear({p: ONE}) >= 0 for p in range(count)]
    found.append(linear(dict.fromkeys(range(count), ONE), -ONE) == 0)
    for row in among.rows:
        terms = {p: -x for p, x in row.coefficients.items()}
        expression = linear(terms, row.bound)
        found.append(expression == 0 if row.relation == "exactly" else expression >= 0)
    for i, _ in enumerate(among.members or ()):
        found.append(linear({count + i: ONE}) >= 0)
    if among.members is not None:
        width = len(among.members)
        found.append(linear({count + i: ONE for i in range(width)}, -ONE) == 0)
        for p in range(count):
            mixed = {count + i: Fraction(m.weights[p]) for i, m in enumerate(among.members)}
            found.append(linear({p: -ONE, **mixed}) == 0)
    return found


def greatest(problem: SafetyProblem, among: DataSet) -> Fraction | None:
    """max over the set of the least row of M D / range R."""
    matrix = safety_matrix(Question.of(problem))
    count = len(problem.mdp.pairs)
    z = count + len(among.members or ())
    constraints = set_constraints(among, count)
    for row in matrix.rows:
        terms = {p: x for p, x in enumerate(row.entries) if x}
        constraints.append(linear({**terms, z: -matrix.reward_range}) >= 0)
    return optimum(z + 1, constraints, {z: ONE})


def distance(problem: SafetyProblem, among: DataSet) -> Fraction | None:
    """The least total variation distance to M D >= epsilon range R."""
    matrix = safety_matrix(Question.of(problem))
    count = len(problem.mdp.pairs)
    first = count + len(among.members or ())
    constraints = set_constraints(among, count)
    epsilon = Fraction(str(problem.epsilon))
    for row in matrix.rows:
        terms = {p: x for p, x in enumerate(row.entries) if x}
        constraints.append(linear(terms, -epsilon * matrix.reward_range) >= 0)
    for p, weight in enumerate(problem.data.weights):
        constraints.append(linear({first + p: ONE, p: ONE}, -weight) >= 0)
        constraints.append(linear({first + p: ONE, p: -ONE}, weight) >= 0)
    objective = {first + p: Fraction(-1, 2) for p in range(count)}
    value = optimum(first + count, constraints, objective)
    return None if value is None else -value


def random_set(seed: int, mdp: MDP) -> DataSet:
    """All distributions, bounds, state totals, a linear budget, or mixtures."""
    random, kind = Random(seed), seed % 5
    count = len(mdp.pairs)
    if kind == 1:
        state, action = random.choice(mdp.pairs)
        return DataSet.bounded(
            mdp, minimum={state: {action: "1/7"}}, maximum={state: {action: "1/2"}}
        )
    if kind == 2:
        totals = shares(random, len(mdp.states))
        return DataSet.bounded(mdp, states=dict(zip(mdp.states, totals, strict=True)))
    if kind == 3:
        price = {p: Fraction(random.randint(0, 3)) for p in range(count)}
        return DataSet(mdp, (DataRow(price, "at most", Fraction(3, 2)),))
    if kind == 4:
        members = [DataDistribution(mdp, shares(random, count, zeros=0.3)) for _ in range(3)]
        return DataSet.mixture(members)
    return DataSet(mdp)


@pytest.mark.parametrize("block", range(8))
def test_critical_epsilon_equals_the_programme_over_the_matrix(block: int) -> None:
    """On 72 random instances, over sets of all kinds; zeros in the optimal D are allowed."""
    for seed in range(9 * block, 9 * (block + 1)):
        problem = to_problem(random_instance(seed))
        among = random_set(seed, problem.mdp)
        expected = greatest(problem, among)
        if expected is None:
            with pytest.raises(InputError):
                critical_epsilon(problem.mdp, problem.regret, among=among)
            continue
        found = critical_epsilon(problem.mdp, problem.regret, among=among)
        assert found.lower == found.upper == expected, seed
        assert found.certificate.check().kind == "critical"
        at = replace(problem, data=found.distribution)
        assert radius(at).lower == expected


def test_a_policy_that_is_almost_bad_is_no_witness() -> None:
    """Found by the differential campaign: floats took the best policy for one with regret L."""
    reward = {"a": 1, "b": 3, "c": 3, "d": "1/2"}
    mdp = MDP.from_tables(
        transitions={"s": {action: {"s": 1} for action in reward}},
        reward={"s": reward},
        initial="s",
        discount="2/3",
    )
    found = critical_epsilon(mdp, Fraction(1, 10**12))
    assert found.lower == found.upper == Fraction(2, 7)
    assert repair(
        SafetyProblem(mdp, DataDistribution.uniform(mdp), "1/1000000000000", "1/4")
    ).possible


@pytest.mark.parametrize("block", range(4))
def test_repair_finds_the_nearest_safe_distribution(block: int) -> None:
    """On 40 random instances; the distribution returned is safe, and hardly farther away."""
    for seed in range(10 * block, 10 * (block + 1)):
        problem = to_problem(random_instance(seed))
        among = random_set(seed, problem.mdp)
        critical = greatest(problem, among)
        if not critical:
            continue
        asked = replace(problem, epsilon=critical * Fraction(1 + seed % 4, 4))
        found = repair(asked, among=among)
        if asked.epsilon == critical:
            assert not found.possible
            assert found.certificate.check().kind == "all-unsafe"
            continue
        assert found.possible
        assert found.distance == distance(asked, among), seed
        assert found.certificate.check().kind == "nearest"
        assert found.safe_certificate.check().kind == "safe"
        assert radius(replace(problem, data=found.nearest)).lower > asked.epsilon


def bandit(arms: int) -> MDP:
    return MDP.bandit({"s": {f"a{i}": int(i == 0) for i in range(arms)}})


@pytest.mark.parametrize("arms", range(2, 7))
def test_with_k_bad_arms_the_critical_epsilon_is_one_over_k_plus_one(arms: int) -> None:
    """Which contains Corollary 3.4 in its sharp form; uniform data attain it."""
    found = critical_epsilon(bandit(arms), 1)
    assert found.lower == Fraction(1, arms)
    assert set(found.distribution.weights) == {Fraction(1, arms)}
    assert sum(found.shadow_prices) >= 1


def test_data_that_are_safe_already_are_nearest_themselves() -> None:
    """Distance 0."""
    mdp = bandit(3)
    found = repair(SafetyProblem(mdp, DataDistribution.uniform(mdp), 1, "1/4"))
    assert found.distance == 0


def test_a_time_limit_leaves_certified_bounds() -> None:
    """They contain the exact value."""
    problem = to_problem(random_instance(11))
    found = critical_epsilon(problem.mdp, problem.regret, time_limit=1e-6)
    exact = critical_epsilon(problem.mdp, problem.regret)
    assert found.stopped == "time limit"
    assert found.lower <= exact.lower <= found.upper


def certificates() -> dict[str, dict[str, Any]]:
    """One certificate of each kind, and one over mixtures."""
    mdp = MDP.bandit({"x": {"a": 1, "b": 0}, "y": {"a": 2, "b": 0}})
    data = DataDistribution.from_table(mdp, {"x": {"a": "1/2", "b": "1/4"}, "y": {"a": "1/4"}})
    among = DataSet.bounded(mdp, states={"x": "1/2"}, maximum={"y": {"b": "1/5"}})
    mixed = DataSet.mixture([data, DataDistribution.uniform(mdp)])
    problem = SafetyProblem(mdp, data, 1, "1/10")
    found = {
        "critical": critical_epsilon(mdp, 1, among=among).certificate,
        "mixture": critical_epsilon(mdp, 1, among=mixed).certificate,
        "nearest": repair(problem, among=among).certificate,
        "all-unsafe": repair(replace(problem, epsilon="1/2"), among=among).certificate,
    }
    return {name: json.loads(certificate.to_json()) for name, certificate in found.items()}


CERTIFICATES = certificates()


@pytest.mark.parametrize("name", CERTIFICATES)
def test_the_schema_describes_the_certificates(name: str) -> None:
    """And the checker accepts them."""
    SCHEMA.validate(CERTIFICATES[name])
    checker.check(CERTIFICATES[name])


Edit = Callable[[dict[str, Any]], object]


def cover(document: dict[str, Any]) -> dict[str, Any]:
    return document["evidence"]["cover"]


FORGERIES: dict[str, tuple[str, Edit, str]] = {
    "a stronger upper bound": ("critical", lambda d: d["claim"].update(upper="1/1000"), "cover.2"),
    "a stronger lower bound": (
        "critical",
        lambda d: d["claim"].update(lower="9/10"),
        "circulation.4",
    ),
    "a smaller tolerance": ("all-unsafe", lambda d: d["claim"].update(epsilon="1/1000"), "cover.2"),
    "a greater distance": ("nearest", lambda d: d["claim"].update(lower="9/10"), "cover.2"),
    "a distance that is not kept": (
        "nearest",
        lambda d: d["claim"].update(upper="0"),
        "distribution",
    ),
    "a distance a quarter less": (
        "nearest",
        lambda d: d["claim"].update(upper=str(Fraction(d["claim"]["upper"]) * Fraction(3, 4))),
        "distribution",
    ),
    "weights that do not sum to one": (
        "mixture",
        lambda d: cover(d).update(weights=["2"] * len(cover(d)["weights"])),
        "cover.2",
    ),
    "a negative weight": (
        "nearest",
        lambda d: cover(d)["weights"].__setitem__(0, "-1"),
        "cover",
    ),
    "no witness": ("critical", lambda d: cover(d).update(weights=[], witnesses=[]), "cover"),
    "a sign where distance plays no part": (
        "critical",
        lambda d: cover(d).update(signs=[[0, 0, "1/2"]]),
        "cover",
    ),
    "a sign above one": ("nearest", lambda d: cover(d).update(signs=[[0, 0, "3/2"]]), "cover"),
    "a smaller total": ("critical", lambda d: cover(d).update(total="-9"), "cover.1"),
    "a negative multiplier": (
        "critical",
        lambda d: cover(d)["rows"].__setitem__(0, "-1"),
        "cover.1",
    ),
    "a total for mixtures": ("mixture", lambda d: cover(d).update(total="1"), "cover.1"),
    "a witness that is not optimal": (
        "critical",
        lambda d: cover(d)["witnesses"][0]["value"].__setitem__(0, "-99"),
        "witness.2",
    ),
    "a larger set": ("critical", lambda d: d["claim"]["set"].update(rows=[]), "format"),
    "another set": (
        "critical",
        lambda d: d["claim"]["set"]["rows"][1].update(bound="3/4"),
        "cover.2",
    ),
    "a distribution outside": (
        "critical",
        lambda d: d["evidence"].update(distribution=[["1/4", "1/4"], ["0", "1/2"]]),
        "distribution",
    ),
    "no distribution": (
        "critical",
        lambda d: d["evidence"].update(distribution=[["1/2", "0"], ["1/4", "0"]]),
        "distribution",
    ),
    "shares that do not sum to one": (
        "mixture",
        lambda d: d["evidence"].update(distribution=["1", "1"]),
        "distribution",
    ),
    "a member that is no distribution": (
        "mixture",
        lambda d: d["claim"]["set"]["mixture"][0].__setitem__(0, ["1", "1"]),
        "set",
    ),
    "no members": ("mixture", lambda d: d["claim"]["set"].update(mixture=[]), "set"),
    "an unknown relation": (
        "critical",
        lambda d: d["claim"]["set"]["rows"][0].update(relation="at least"),
        "format",
    ),
    "a set for an ordinary claim": (
        "critical",
        lambda d: d["claim"].update(kind="radius"),
        "format",
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_each_forgery_is_refused_by_its_rule(name: str) -> None:
    """Step by step; the digest is that of the problem, which is unchanged."""
    kind, edit, rule = FORGERIES[name]
    document = copy.deepcopy(CERTIFICATES[kind])
    edit(document)
    with pytest.raises(checker.Rejected) as caught:
        checker.check(document)
    assert caught.value.rule == rule, caught.value


@pytest.mark.parametrize("factor", ["2", "1/3"])
def test_a_row_and_its_multiple_are_the_same(factor: str) -> None:
    """With multipliers that are smaller by as much."""
    document = copy.deepcopy(CERTIFICATES["critical"])
    for row in document["claim"]["set"]["rows"]:
        row["bound"] = str(Fraction(row["bound"]) * Fraction(factor))
        for entry in row["flow"]:
            entry[2] = str(Fraction(entry[2]) * Fraction(factor))
    cover(document)["rows"] = [str(Fraction(y) / Fraction(factor)) for y in cover(document)["rows"]]
    checker.check(document)


def test_claims_about_sets_have_no_regularizer() -> None:
    """The rules are for unregularised problems."""
    document = copy.deepcopy(CERTIFICATES["critical"])
    nothing = [["0", "0"], ["0", "0"]]
    document["problem"]["regularizer"] = {"kind": "linear", "weight": "0", "coefficients": nothing}
    document["digest"] = checker.digest(document["problem"])
    with pytest.raises(checker.Rejected) as caught:
        checker.check(document)
    assert caught.value.rule == "set"


def test_bad_sets_and_margins_are_refused() -> None:
    """With the field and what was expected."""
    mdp, other = bandit(2), bandit(3)
    problem = SafetyProblem(mdp, DataDistribution.uniform(mdp), 1, "1/4")
    attempts: list[tuple[Callable[[], object], str]] = [
        (lambda: DataSet.bounded(mdp, minimum={"t": {}}), "minimum"),
        (lambda: DataSet.bounded(mdp, maximum={"s": {"b9": 1}}), "maximum.s"),
        (lambda: DataSet.bounded(mdp, states={"s": 0.5}), "states.s"),
        (lambda: DataSet.mixture([]), "members"),
        (lambda: DataSet(mdp, (), ()), "set"),
        (lambda: DataSet(mdp, (), (DataDistribution.uniform(other),)), "set"),
        (lambda: critical_epsilon(mdp, 1, among=DataSet(other)), "among"),
        (lambda: critical_epsilon(mdp, "x"), "regret"),
        (lambda: repair(problem, margin=0), "margin"),
        (lambda: repair(replace(problem, epsilon=None)), "epsilon"),
        (
            lambda: critical_epsilon(mdp, 1, among=DataSet.bounded(mdp, minimum={"s": {"a0": 2}})),
            "set",
        ),
    ]
    for attempt, field in attempts:
        with pytest.raises(InputError) as caught:
            attempt()
        assert caught.value.field == field


def test_command_prints_the_critical_epsilon_and_the_repair(tmp_path: Path) -> None:
    """As JSON with exact fractions, and a certificate of the repair."""
    path, out = tmp_path / "p.toml", tmp_path / "c.json"
    mdp = bandit(3)
    data = DataDistribution.from_table(mdp, {"s": {"a0": "8/10", "a1": "1/10", "a2": "1/10"}})
    save_problem(SafetyProblem(mdp, data, 1, "1/4"), path)
    arguments = ["coverage", str(path), "--repair", "--json", "--certificate", str(out)]
    result = CliRunner().invoke(app, arguments)
    record = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (record["critical_lower"], record["critical_upper"]) == ("1/3", "1/3")
    assert record["distribution"] == {"s": {"a0": "1/3", "a1": "1/3", "a2": "1/3"}}
    assert record["distance"] == "3/10"
    assert sum(Fraction(x) for x in record["nearest"]["s"].values()) == 1
    assert checker.check_file(str(out)).kind == "nearest"


def test_command_exits_1_where_nothing_can_be_repaired(tmp_path: Path) -> None:
    """With the certificate that every distribution is unsafe."""
    path = tmp_path / "p.toml"
    mdp = bandit(3)
    save_problem(SafetyProblem(mdp, DataDistribution.uniform(mdp), 1, "1/3"), path)
    result = CliRunner().invoke(app, ["coverage", str(path), "--repair"])
    assert result.exit_code == 1
    assert "every D of the set is unsafe" in result.stdout
