"""Arguments of a wrong kind: an InputError that names them, whatever function they are given to."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symsafe import (
    MDP,
    BanditArrays,
    Certificate,
    DataDistribution,
    DataSet,
    InputError,
    ParameterSpace,
    Regularizer,
    SafetyProblem,
    confidence_set,
    critical_epsilon,
    decide,
    decide_all,
    fewest_samples,
    forall_safe,
    forall_unsafe,
    load_problem,
    radius,
    radius_curve,
    radius_profile,
    region,
    repair,
    save_problem,
    sweep,
)
from symsafe.display.argument import facts_of
from symsafe.display.pictures import plot_mdp, plot_profile
from symsafe.display.region import plot_region
from symsafe.importers.data import data_family, from_counts, noisy_expert
from symsafe.importers.drn import from_drn
from symsafe.importers.networkx import to_networkx
from symsafe.importers.prism import from_prism
from symsafe.importers.sources import read_source
from symsafe.model.files import load_any
from symsafe.theorems import proposition_3_3
from symsafe.theorems.registry import THEOREMS

MODELS = Path(__file__).parent / "models"
F = Fraction
TOO_LONG = 10**5000  # more digits than Python prints


def wrong(value: object) -> Any:
    """What a type checker would refuse."""
    return value


def bandit(coverage: Any = None) -> SafetyProblem:
    """Two actions, with counts and a tolerance."""
    mdp = MDP.bandit({"s": {"good": 1, "bad": 0}})
    data = DataDistribution.from_counts(mdp, {"s": {"good": 60, "bad": 40}})
    return SafetyProblem(mdp, data, F(1), F(1, 4), coverage=coverage)


def arrays(regret: Any, epsilon: Any = None) -> BanditArrays:
    """One context with two actions."""
    actions, initial, reward, data = (np.array(x) for x in ([2], [1], [1, 0], [3, 1]))
    return BanditArrays(actions, initial, reward, data, regret, epsilon)


def family() -> SafetyProblem:
    """Safe where less than the tolerance is rare."""
    space = ParameterSpace({"rare": (0, "1/2")})
    mdp = MDP.bandit({"s": {"good": 1, "bad": 0}}, parameters=space)
    data = DataDistribution.from_table(mdp, {"s": {"good": "1 - rare", "bad": "rare"}})
    return SafetyProblem(mdp, data, F(1, 2), F(1, 10))


def refused(attempt: Callable[[], object], field: str) -> None:
    """An InputError with this field, whose message can be written."""
    with pytest.raises(InputError) as caught:
        attempt()
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field}: found ")


PROBLEM, FAMILY = bandit(), family()
PROVEN = radius(PROBLEM).certificate
assert PROVEN is not None

QUESTIONS: dict[str, Callable[[Any], object]] = {
    "decide": decide,
    "radius": radius,
    "radius_profile": radius_profile,
    "repair": repair,
    "fewest_samples": fewest_samples,
    "decide_all": lambda x: decide_all(x, DataSet(PROBLEM.mdp)),
    "forall_safe": forall_safe,
    "forall_safe by smt": lambda x: forall_safe(x, engine="smt"),
    "forall_unsafe": forall_unsafe,
    "region": region,
    "radius_curve": radius_curve,
    "save_problem": lambda x: save_problem(x, "never.toml"),
    "differences": PROVEN.differences,
    "plot_mdp": plot_mdp,
    **{name: theorem.verify for name, theorem in THEOREMS.items()},
}


@pytest.mark.parametrize("given", [None, PROBLEM.mdp, "problem.toml", TOO_LONG], ids=type)
@pytest.mark.parametrize("name", QUESTIONS)
def test_what_is_no_problem_is_refused_by_every_question(name: str, given: object) -> None:
    """Before an attribute is missed."""
    refused(lambda: QUESTIONS[name](given), "problem")


OBJECTS: dict[str, tuple[Callable[[], object], str]] = {
    "resume": (lambda: radius(PROBLEM, resume=wrong("c.json")), "resume"),
    "among of critical_epsilon": (
        lambda: critical_epsilon(PROBLEM.mdp, 1, among=wrong(5)),
        "among",
    ),
    "among of repair": (lambda: repair(PROBLEM, among=wrong(0)), "among"),
    "among of decide_all": (lambda: decide_all(PROBLEM, wrong(None)), "among"),
    "mdp of critical_epsilon": (lambda: critical_epsilon(wrong(None), 1), "mdp"),
    "data of confidence_set": (lambda: confidence_set(wrong("x"), "1/2"), "data"),
    "coverage": (lambda: bandit(coverage=5), "coverage"),
    "data of a problem": (lambda: SafetyProblem(PROBLEM.mdp, wrong(None), F(1)), "data"),
    "mdp of noisy_expert": (lambda: noisy_expert(wrong(None), 0), "mdp"),
    "mdp of from_counts": (lambda: from_counts(wrong(None), "x.csv"), "mdp"),
    "mdp of data_family": (lambda: data_family(wrong(None), "uniform"), "mdp"),
    "name of data_family": (lambda: data_family(PROBLEM.mdp, wrong(None)), "data"),
    "mdp of to_networkx": (lambda: to_networkx(wrong(None)), "mdp"),
    "data of to_networkx": (lambda: to_networkx(PROBLEM.mdp, wrong(5)), "data"),
    "source": (lambda: read_source(wrong(None), discount=0), "source"),
    "table of a regularizer": (
        lambda: Regularizer.from_table(PROBLEM.mdp, wrong(None)),
        "regularizer",
    ),
    "table of a set": (
        lambda: DataSet.from_table(PROBLEM.mdp, wrong(None), PROBLEM.data),
        "coverage",
    ),
    "mdp of a set": (lambda: DataSet.from_table(wrong(None), {}, PROBLEM.data), "mdp"),
    "data of a set": (
        lambda: DataSet.from_table(PROBLEM.mdp, {"states": "data"}, wrong(None)),
        "data",
    ),
    "members, a number": (lambda: DataSet.mixture(wrong(5)), "members"),
    "members, a table": (lambda: DataSet.mixture(wrong({"a": PROBLEM.data})), "members"),
    "members, of another kind": (lambda: DataSet.mixture([wrong(None)]), "members"),
    "rows of a set": (lambda: DataSet(PROBLEM.mdp, wrong(5)), "set"),
    "a row of a set": (lambda: DataSet(PROBLEM.mdp, (wrong(None),)), "set"),
    "bounds of a set": (lambda: DataSet.bounded(PROBLEM.mdp, minimum=wrong(0)), "minimum"),
    "policy of a theorem": (
        lambda: proposition_3_3.verify(PROBLEM, policy=wrong(5)),
        "policy",
    ),
    "certificate to be displayed": (lambda: facts_of(wrong(None)), "certificate"),
    "profile to be drawn": (lambda: plot_profile(wrong(None)), "profile"),
    "region to be drawn": (lambda: plot_region(wrong(None)), "region"),
    "document of arrays": (lambda: BanditArrays.from_document(wrong(None)), "document"),
    "contexts of arrays": (
        lambda: BanditArrays(np.array(2), wrong(5), np.array([1, 0]), np.array([1, 1]), F(1)),
        "initial",
    ),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_of_another_kind_is_refused_under_its_name(name: str) -> None:
    """Where it was given."""
    refused(*OBJECTS[name])


PATHS: dict[str, tuple[Callable[[Any], object], str]] = {
    "load_problem": (load_problem, "file"),
    "load_any": (load_any, "file"),
    "save_problem": (lambda path: save_problem(PROBLEM, path), "file"),
    "load of a certificate": (Certificate.load, "certificate"),
    "save of a certificate": (PROVEN.save, "file"),
    "save of a profile": (radius_profile(PROBLEM).save, "certificates"),
    "from_drn": (lambda path: from_drn(path, discount=0), "file"),
    "from_prism": (lambda path: from_prism(path, discount=0), "file"),
    "from_counts": (lambda path: from_counts(PROBLEM.mdp, path), "file"),
    "to_csv": (lambda path: sweep(PROBLEM).to_csv(path), "file"),
    "checkpoint": (lambda path: radius(PROBLEM, checkpoint=path), "checkpoint"),
    "results": (lambda path: sweep(PROBLEM, results=path), "results"),
    "certificates": (lambda path: sweep(PROBLEM, certificates=path), "certificates"),
}
OPTIONAL = ("to_csv", "checkpoint", "results", "certificates")


@pytest.mark.parametrize(
    ("name", "given"),
    [
        (name, given)
        for name in PATHS
        for given in (None, 1.5, 3, ["a.json"])
        if given is not None or name not in OPTIONAL
    ],
)
def test_what_is_no_path_is_refused(name: str, given: object) -> None:
    """An open file descriptor is none either."""
    attempt, field = PATHS[name]
    refused(lambda: attempt(given), field)


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("given", ["a\0b", "\ud800"], ids=ascii)
def test_a_name_that_no_file_can_have_is_refused(name: str, given: str) -> None:
    """As one that cannot be opened."""
    attempt, field = PATHS[name]
    refused(lambda: attempt(given), "file" if field == "checkpoint" else field)


@pytest.mark.parametrize("limit", ["time_limit", "node_limit", "workers"])
@pytest.mark.parametrize("given", ["5", 0, -1, float("nan"), True, [1], TOO_LONG * -1], ids=type)
def test_a_limit_that_is_no_positive_number_is_refused(limit: str, given: object) -> None:
    """By every question that takes it."""
    for ask in (decide, radius, sweep):
        refused(lambda ask=ask: ask(PROBLEM, **{limit: given}), limit)  # type: ignore[misc]


@pytest.mark.parametrize("given", ["5", 0, 1.5, True], ids=repr)
def test_a_limit_of_something_countable_is_a_whole_number(given: Any) -> None:
    """Under the name that the function has for it."""
    everything = DataSet(PROBLEM.mdp)
    refused(lambda: decide(PROBLEM, node_limit=given), "node_limit")
    refused(lambda: radius_profile(PROBLEM, max_steps=given), "max_steps")
    refused(lambda: decide_all(PROBLEM, everything, cell_limit=given), "cell_limit")
    refused(lambda: region(FAMILY, cell_limit=given), "cell_limit")
    refused(lambda: forall_safe(FAMILY, cell_limit=given), "cell_limit")
    refused(lambda: forall_safe(FAMILY, engine="smt", cell_limit=given), "cell_limit")
    refused(lambda: forall_unsafe(FAMILY, cell_limit=given), "cell_limit")


@pytest.mark.parametrize(
    "seconds", [float("inf"), 1e300, 10**400, F(10**9, 7), np.float64(1e9)], ids=type
)
def test_an_endless_time_limit_is_none(seconds: Any) -> None:
    """For z3 as well, which counts milliseconds in 32 bits."""
    assert decide(PROBLEM, time_limit=seconds).answer == "safe"
    assert decide(PROBLEM, engine="smt", time_limit=seconds).answer == "safe"
    assert radius(PROBLEM, time_limit=seconds).lower == F(2, 5)
    assert forall_safe(FAMILY, time_limit=seconds).answer == "unsafe"
    assert forall_safe(FAMILY, engine="smt", time_limit=seconds).answer == "unsafe"
    assert critical_epsilon(PROBLEM.mdp, 1, time_limit=seconds).is_exact
    assert sweep(PROBLEM, time_limit=seconds).is_complete


@pytest.mark.parametrize(
    ("attempt", "field"),
    [
        (
            lambda: BanditArrays(wrong(TOO_LONG), wrong([1]), wrong(None), wrong(None), F(1)),
            "actions",
        ),
        (
            lambda: BanditArrays(wrong(None), wrong([TOO_LONG]), wrong(None), wrong(None), F(1)),
            "initial",
        ),
        (lambda: Regularizer(PROBLEM.mdp, wrong(TOO_LONG), F(1)), "regularizer.kind"),
        (lambda: from_drn(MODELS / "robot.drn", discount=0, reward=wrong(TOO_LONG)), "reward"),
        (lambda: MDP.bandit(wrong({TOO_LONG: {"a": 1}})), "reward"),
        (lambda: MDP.bandit({"s": {"a": 1, "b": 0}}, states=[wrong(TOO_LONG)]), "states"),
        (lambda: region(FAMILY, target=F(TOO_LONG)), "target"),
        (lambda: noisy_expert(PROBLEM.mdp, F(TOO_LONG)), "noise"),
        (lambda: ParameterSpace({"r": (F(TOO_LONG), 0)}), "parameters.r"),
        (lambda: radius_profile(PROBLEM).at(F(TOO_LONG)), "regret"),
    ],
)
def test_a_number_that_is_too_long_to_print_is_refused(
    attempt: Callable[[], object], field: str
) -> None:
    """With a message all the same."""
    refused(attempt, field)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"epsilon": "12"}, "epsilon"),
        ({"epsilon": 5}, "epsilon"),
        ({"regret": "1"}, "regret"),
        ({"regret": {"1": 1}}, "regret"),
        ({"parameters": {"rare": "12"}}, "parameters.rare"),
        ({"parameters": 5}, "parameters"),
        ({"parameters": [("rare", [1])]}, "parameters"),
    ],
)
def test_one_number_is_no_grid(options: dict[str, Any], field: str) -> None:
    """The characters of a text are not asked about one by one."""
    refused(lambda: sweep(FAMILY, **options), field)


REFERENCE = {"kind": "kl", "weight": 1}


@pytest.mark.parametrize(
    ("attempt", "field"),
    [
        (
            lambda mdp: Regularizer.from_table(mdp, REFERENCE | {"reference": {"s": 3}}),
            "regularizer.reference.s",
        ),
        (
            lambda mdp: Regularizer.from_table(mdp, REFERENCE | {"reference": {"s": {"good": 2}}}),
            "regularizer.reference.s",
        ),
        (
            lambda mdp: Regularizer.from_table(
                mdp, REFERENCE | {"reference": {"s": {"good": "x"}}}
            ),
            "regularizer.reference.s.good",
        ),
        (
            lambda mdp: Regularizer.from_table(
                mdp, REFERENCE | {"reference": {"logits": {"s": 3}}}
            ),
            "regularizer.reference.logits.s",
        ),
        (
            lambda mdp: Regularizer.from_table(
                mdp, {"kind": "linear", "weight": 1, "coefficients": {"s": 3}}
            ),
            "regularizer.coefficients.s",
        ),
        (lambda _: arrays(wrong("x")), "regret"),
        (lambda _: arrays(F(1), wrong("x")), "epsilon"),
    ],
)
def test_a_part_is_named_as_the_whole_spells_it(
    attempt: Callable[[MDP], object], field: str
) -> None:
    """Not as the reader that parts of several things share."""
    refused(lambda: attempt(PROBLEM.mdp), field)
