"""Verdicts about all data distributions of a set, against programmes over the safety matrix."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import pytest
from instances import random_instance, to_problem
from scipy.stats import binom
from test_checker import GOOD_OR_BAD, SCHEMA, one_state
from test_coverage import optimum, random_set, set_constraints
from typer.testing import CliRunner

from symsafe import (
    MDP,
    DataDistribution,
    DataSet,
    InputError,
    SafetyProblem,
    checker,
    confidence_set,
    decide,
    decide_all,
    save_problem,
)
from symsafe.cli import app
from symsafe.engine.matrix import safety_matrix
from symsafe.engine.question import Question
from symsafe.model.data_set import DataRow

ZERO = Fraction(0)


def with_counts(mdp: MDP, counts: list[int]) -> DataDistribution:
    weights = tuple(Fraction(n, sum(counts)) for n in counts)
    return DataDistribution(mdp, weights, tuple(counts))


def least_radius(problem: SafetyProblem, among: DataSet) -> Fraction | None:
    """min over the set of the least row of M D / range R: one programme a row."""
    matrix = safety_matrix(Question.of(problem))
    count = len(problem.mdp.pairs)
    width = count + len(among.members or ())
    values = []
    for row in matrix.rows:
        objective = {p: -x for p, x in enumerate(row.entries) if x} or {0: ZERO}
        value = optimum(width, set_constraints(among, count), objective)
        if value is None:
            return None
        values.append(-value)
    return min(values) / matrix.reward_range


def asked_set(seed: int, problem: SafetyProblem) -> DataSet:
    """A set of any kind, or what some counts leave possible."""
    if seed % 2 == 0:
        return random_set(seed // 2, problem.mdp)
    random = Random(seed)
    counts = [random.choice([0, 3, 10, 30, 100, 200]) for _ in problem.mdp.pairs]
    counts[0] += 1
    return confidence_set(with_counts(problem.mdp, counts), random.choice(["1/2", "9/10"]))


@pytest.mark.parametrize("block", range(6))
def test_verdicts_about_sets_are_those_of_the_matrix(block: int) -> None:
    """On random instances, ties included: a least radius of exactly epsilon is unsafe."""
    for seed in range(12 * block, 12 * (block + 1)):
        problem = to_problem(random_instance(seed))
        among = asked_set(seed, problem)
        least = least_radius(problem, among)
        if least is None:
            with pytest.raises(InputError):
                decide_all(replace(problem, epsilon="1/10"), among)
            continue
        for factor in (Fraction(1, 2), Fraction(9, 10), Fraction(1), Fraction(11, 10)):
            epsilon = least * factor or Fraction(1, 1000)
            found = decide_all(replace(problem, epsilon=epsilon), among)
            assert found.answer == ("unsafe" if least <= epsilon else "safe"), (seed, factor)
            assert found.certificate is not None
            kind = found.certificate.check().kind
            assert kind == ("some-unsafe" if found.answer == "unsafe" else "all-safe")
            if found.distribution is not None:
                there = replace(problem, data=found.distribution, epsilon=epsilon)
                assert decide(there).answer == "unsafe"


@pytest.mark.parametrize(
    "counts", [(0, 10), (3, 7), (5, 995), (500, 500), (1, 99_999), (12, 30, 400)]
)
@pytest.mark.parametrize("level", ["1/2", "95/100"])
def test_confidence_limits_are_those_of_clopper_and_pearson(
    counts: tuple[int, ...], level: str
) -> None:
    """Beyond each limit the count, or a more extreme one, is rarer than its share of the level."""
    mdp = MDP.bandit({"s": {f"a{i}": int(i == 0) for i in range(len(counts))}})
    total = sum(counts)
    step = 1.1e-4 / total  # to which the limits are rounded
    tail = float(1 - Fraction(level)) / (2 * len(counts))
    rows = confidence_set(with_counts(mdp, list(counts)), level).rows
    limits = {(p, c > 0): abs(row.bound) for row in rows for p, c in row.coefficients.items()}
    for p, count in enumerate(counts):
        if count:
            low = float(limits[p, False])
            assert binom.sf(count - 1, total, low) <= tail * (1 + 1e-9)
            assert binom.sf(count - 1, total, low + step) >= tail * (1 - 1e-9)
        if count < total:
            high = float(limits[p, True])
            assert binom.cdf(count, total, high) <= tail * (1 + 1e-9)
            assert binom.cdf(count, total, high - step) >= tail * (1 - 1e-9)
    assert (0, False) in limits or not counts[0]


def test_a_pair_that_was_never_seen_may_be_seen_never() -> None:
    """It has no lower limit, so nothing that rests on it is certain."""
    mdp = MDP.bandit({"s": {"a": 1, "b": 0}})
    rows = confidence_set(with_counts(mdp, [10, 0]), "1/2").rows
    assert not any(c < 0 for row in rows for p, c in row.coefficients.items() if p == 1)


def bandit() -> tuple[SafetyProblem, DataSet]:
    mdp = MDP.bandit({"s": {"a": 1, "b": 0}, "t": {"a": 1, "b": 0}})
    data = with_counts(mdp, [30, 30, 20, 20])
    return SafetyProblem(mdp, data, 1, "3/10"), confidence_set(data, "1/2")


def certificates() -> dict[str, dict[str, Any]]:
    """One of each kind, over a polytope in several cells and over mixtures."""
    problem, among = bandit()
    other = DataDistribution.from_table(problem.mdp, {"s": {"a": "1/2"}, "t": {"b": "1/2"}})
    mixed = DataSet.mixture([problem.data, DataDistribution.uniform(problem.mdp)])
    worse = DataSet.mixture([problem.data, other])
    mdp = MDP.bandit({"s": {"a": 1, "b": 0}})
    tight = DataSet.bounded(mdp, minimum={"s": {"a": "1/4"}}, maximum={"s": {"a": "3/4"}})
    alone = SafetyProblem(mdp, DataDistribution.uniform(mdp), 1, "1/5")
    double = MDP.bandit({"s": {"a": 2, "b": 0}})
    twice = SafetyProblem(double, DataDistribution.uniform(double), 1, "1/5")
    rows = (
        DataRow({0: Fraction(1), 1: Fraction(-2)}, "at most", Fraction(1, 4)),
        DataRow({0: Fraction(-2), 1: Fraction(1)}, "at most", Fraction(1, 4)),
    )
    found = {
        "all-safe": decide_all(problem, among),
        "tight": decide_all(alone, tight),
        "range 2": decide_all(twice, replace(tight, mdp=twice.mdp)),
        "rows": decide_all(replace(alone, epsilon="1/10"), DataSet(mdp, rows)),
        "mixture": decide_all(problem, mixed),
        "some-unsafe": decide_all(replace(problem, epsilon="2/5"), among),
        "some member": decide_all(problem, worse),
    }
    return {name: json.loads(v.certificate.to_json()) for name, v in found.items()}  # type: ignore[union-attr]


CERTIFICATES = certificates()


@pytest.mark.parametrize("name", CERTIFICATES)
def test_the_schema_describes_the_certificates(name: str) -> None:
    """And the checker accepts them."""
    SCHEMA.validate(CERTIFICATES[name])
    checker.check(CERTIFICATES[name])


def cut(document: dict[str, Any], at: str, ends: tuple[int, int] = (1, 2)) -> None:
    """Put the only cell on both sides of a cut."""
    cells = document["evidence"]["cells"]
    (cell,) = cells
    cells[:] = [{"cut": [0, 0, at, *ends]}, copy.deepcopy(cell), copy.deepcopy(cell)]


def test_a_cell_may_be_cut_and_an_empty_side_need_not_be_proven() -> None:
    """Nothing has a weight of more than 3/4."""
    document = copy.deepcopy(CERTIFICATES["tight"])
    cut(document, "4/5")
    document["evidence"]["cells"][2] = {"empty": []}
    SCHEMA.validate(document)
    checker.check(document)


Edit = Callable[[dict[str, Any]], object]
FORGERIES: dict[str, tuple[str, Edit, str]] = {
    "a greater tolerance": (
        "all-safe",
        lambda d: d["claim"].update(epsilon="3/8"),
        "circulation.4",
    ),
    "a tolerance that the range doubles": (
        "range 2",
        lambda d: d["claim"].update(epsilon="1/4"),
        "circulation.4",
    ),
    "a larger set": ("tight", lambda d: d["claim"]["set"].update(rows=[]), "circulation.2"),
    "a wider bound": (
        "tight",
        lambda d: d["claim"]["set"]["rows"][0].update(bound="-1/100"),
        "circulation.2",
    ),
    "a side that is not empty": (
        "tight",
        lambda d: (cut(d, "1/2"), d["evidence"]["cells"].__setitem__(1, {"empty": []})),
        "empty",
    ),
    "an empty cell with content": (
        "tight",
        lambda d: (cut(d, "4/5"), d["evidence"]["cells"].__setitem__(2, {"empty": [0]})),
        "format",
    ),
    "no root": ("tight", lambda d: d["evidence"].update(cells=[]), "cut"),
    "a cell that no cut names": (
        "tight",
        lambda d: d["evidence"]["cells"].append(d["evidence"]["cells"][0]),
        "cut",
    ),
    "both sides the same cell": ("tight", lambda d: cut(d, "1/2", (1, 1)), "cut"),
    "a side that comes earlier": ("tight", lambda d: cut(d, "1/2", (0, 2)), "cut"),
    "a side that is not there": ("tight", lambda d: cut(d, "1/2", (1, 3)), "format"),
    "no members": (
        "mixture",
        lambda d: (d["claim"]["set"].update(mixture=[]), d["evidence"].update(cells=[])),
        "set",
    ),
    "a member without proof": ("mixture", lambda d: d["evidence"]["cells"].pop(), "format"),
    "another member": (
        "mixture",
        lambda d: d["claim"]["set"]["mixture"].__setitem__(1, [["1/2", "0"], ["0", "1/2"]]),
        "circulation.2",
    ),
    "a cut between members": (
        "mixture",
        lambda d: d["evidence"]["cells"].__setitem__(0, {"cut": [0, 0, "1/2", 1, 2]}),
        "format",
    ),
    "a smaller tolerance": (
        "some-unsafe",
        lambda d: d["claim"].update(epsilon="1/9"),
        "witness.1",
    ),
    "a distribution outside": (
        "some-unsafe",
        lambda d: d["evidence"].update(distribution=[["0", "1/2"], ["0", "1/2"]]),
        "distribution",
    ),
    "a mixture of other shares": (
        "some member",
        lambda d: d["evidence"].update(distribution=["1", "0"]),
        "witness.1",
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_each_forgery_is_refused_by_its_rule(name: str) -> None:
    """Step by step."""
    kind, edit, rule = FORGERIES[name]
    document = copy.deepcopy(CERTIFICATES[kind])
    edit(document)
    with pytest.raises(checker.Rejected) as caught:
        checker.check(document)
    assert caught.value.rule == rule, caught.value


@pytest.mark.parametrize("factor", ["2", "1/3"])
@pytest.mark.parametrize("name", ["tight", "rows", "all-safe"])
def test_a_row_and_its_multiple_are_the_same(name: str, factor: str) -> None:
    """The same cells prove the claim."""
    document = copy.deepcopy(CERTIFICATES[name])
    for row in document["claim"]["set"]["rows"]:
        row["bound"] = str(Fraction(row["bound"]) * Fraction(factor))
        for entry in row["flow"]:
            entry[2] = str(Fraction(entry[2]) * Fraction(factor))
    checker.check(document)


def test_a_limit_on_cells_or_time_leaves_the_answer_unknown() -> None:
    """And the reason."""
    problem, among = bandit()
    found = decide_all(problem, among, time_limit=1e-9)
    assert (found.answer, found.certificate, found.stopped) == ("unknown", None, "time limit")


def test_sets_say_what_they_are() -> None:
    """How many rows or members they have."""
    problem, among = bandit()
    assert repr(among) == f"DataSet({len(among.rows)} rows)"
    assert repr(DataSet.mixture([problem.data])) == "DataSet(mixtures of 1)"
    assert repr(DataSet(problem.mdp)) == "DataSet(all distributions)"


def test_bad_levels_sets_and_data_are_refused() -> None:
    """With the field."""
    problem, among = bandit()
    other = MDP.bandit({"s": {"a": 1, "b": 0}})
    attempts: list[tuple[Callable[[], object], str]] = [
        (lambda: confidence_set(problem.data, 1), "confidence"),
        (lambda: confidence_set(problem.data, 0.95), "confidence"),
        (lambda: confidence_set(DataDistribution.uniform(other), "1/2"), "data"),
        (lambda: decide_all(replace(problem, epsilon=None), among), "epsilon"),
        (lambda: decide_all(problem, DataSet(other)), "among"),
        (lambda: decide_all(problem, among, cell_limit=0), "cell_limit"),
    ]
    for attempt, field in attempts:
        with pytest.raises(InputError) as caught:
            attempt()
        assert caught.value.field == field


def test_command_decides_for_all_data_compatible_with_counts(tmp_path: Path) -> None:
    """Exit status 0 or 1, a certificate, and the unsafe distribution."""
    path, out = tmp_path / "p.toml", tmp_path / "c.json"
    problem, _ = bandit()
    save_problem(problem, path)
    arguments = ["decide", str(path), "--confidence", "1/2", "--certificate", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "safe")
    assert checker.check_file(str(out)).kind == "all-safe"
    result = CliRunner().invoke(app, [*arguments[:3], "0.999999", "--json"])
    record = json.loads(result.stdout)
    assert (result.exit_code, record["verdict"], record["confidence"]) == (1, "unsafe", "0.999999")
    assert sum(Fraction(x) for row in record["distribution"].values() for x in row.values()) == 1
    printed = CliRunner().invoke(app, [*arguments[:3], "0.999999"]).stdout
    assert "some D of the set is unsafe" in printed


def asked(reward: list[str], rows: list[Any], claim: dict[str, str], *tree: Any) -> Any:
    """A claim about all distributions that meet the rows, in one cell."""
    data = [f"1/{len(reward)}"] * len(reward)
    claims = {"kind": "all-safe", **claim, "set": {"rows": rows}}
    return one_state(reward, data, claims, cells=[{"tree": list(tree)}])


def half(*rows: Any) -> Any:
    """Half of the data are on the bad action."""
    return asked(
        ["1", "0"],
        [*rows, {"flow": [[0, 1, "1"]], "relation": "exactly", "bound": "1/2"}],
        {"regret": "1/2", "epsilon": "1/10"},
        GOOD_OR_BAD,
        {"value": ["1"]},
        {"circulation": {"kappa": "0", "flow": [[0, 0, "1/2"], [0, 1, "-1/2"]]}},
    )


def test_rows_that_say_nothing_cost_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """They may be there, even without a pair, but are read for every cell."""
    empty = {"flow": [], "relation": "at most", "bound": "0"}
    assert checker.check(half(empty)).kind == "all-safe"
    zero = {"flow": [[0, 0, "0"], [0, 1, "0"]], "relation": "at most", "bound": "0"}
    monkeypatch.setattr(checker, "MAX_WORK", 20_000)
    with pytest.raises(checker.Malformed, match="steps of work") as caught:
        checker.check(half(*[zero] * 400))
    assert caught.value.step.startswith("evidence.cells")


def test_no_pair_has_more_than_all_data() -> None:
    """So c, of at most 1, leaves b at most 1/8, and a at least 3/8."""
    flows = ([[0, 0, "-1"], [0, 1, "-1"]], [[0, 1, "8"], [0, 2, "-1"]], [[0, 2, "-1"]])
    bounds = ("-1/2", "0", "-2/5")
    rows = [
        {"flow": flow, "relation": "at most", "bound": bound}
        for flow, bound in zip(flows, bounds, strict=True)
    ]
    document = asked(
        ["0", "1", "1"],
        rows,
        {"regret": "1", "epsilon": "37/100"},
        {"split": {"state": 0, "children": [[1, [1, 2]], [2, [0]]]}},
        {"value": ["1"]},
        {"circulation": {"kappa": "0", "flow": [[0, 0, "-3/8"], [0, 2, "3/8"]]}},
    )
    assert checker.check(document).kind == "all-safe"
