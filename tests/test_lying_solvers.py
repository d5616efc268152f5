"""Solvers and searches lie: bounds get wider or an error comes, never a wrong answer.

HiGHS, z3, cvc5, the search under KL curves and the tree of contextual bandits.

Lies that aim at one engine are in test_linear_program, test_radius, test_fast and test_smt.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from types import SimpleNamespace
from typing import Any

import highspy
import numpy as np
import pytest
from bandit_oracle import bandit_radius
from instances import random_instance, random_sparse, to_problem
from oracle import safety_radius
from test_bandit import random_bandit
from test_kl import arms

from symsafe import (
    CertificateRejected,
    EngineError,
    Regularizer,
    SafetyProblem,
    critical_epsilon,
    decide,
    forall_safe,
    loads_problem,
    problems,
    radius,
    repair,
)
from symsafe.analysis import highs
from symsafe.engine import bandit, curve_kernel, kl, soft_answers
from symsafe.engine.matrix import safety_matrix
from symsafe.engine.parametric import smt
from symsafe.engine.question import Question

F = Fraction
HONEST = highs._Silent
LIES: dict[str, Callable[[float, float], float]] = {
    "nan": lambda x, _noise: float("nan") * x,
    "infinite": lambda x, _noise: x + float("inf"),
    "zero": lambda x, _noise: 0.0 * x,
    "negated": lambda x, _noise: -x,
    "too large": lambda x, _noise: 1.5 * x + 1e-3,
    "noise": lambda _x, noise: noise,
}


def lying(lie: str) -> type[highspy.Highs]:
    """A class of solvers that tell lies of one kind about all that they are asked."""
    source, twist = random.Random(lie), LIES.get(lie)

    def twisted(numbers: list[float]) -> list[float]:
        return (
            list(numbers) if twist is None else [twist(x, source.uniform(-2, 2)) for x in numbers]
        )

    class Liar(HONEST):
        def getSolution(self) -> Any:  # noqa: N802
            true = super().getSolution()
            names = ("col_value", "col_dual", "row_value", "row_dual")
            return SimpleNamespace(**{name: twisted(getattr(true, name)) for name in names})

        def getInfo(self) -> Any:  # noqa: N802
            (value,) = twisted([super().getInfo().objective_function_value])
            return SimpleNamespace(objective_function_value=value)

        def getBasis(self) -> Any:  # noqa: N802
            true = super().getBasis()
            columns, rows = list(true.col_status), list(true.row_status)
            if lie == "wrong basis":
                source.shuffle(columns)
                source.shuffle(rows)
            return SimpleNamespace(col_status=columns, row_status=rows, valid=True)

        def getModelStatus(self) -> Any:  # noqa: N802
            if lie == "never optimal":
                return highspy.HighsModelStatus.kInfeasible
            true = super().getModelStatus()
            return highspy.HighsModelStatus.kOptimal if lie == "always optimal" else true

        def run(self) -> Any:
            if lie == "raises":
                raise RuntimeError("HiGHS broke")
            return super().run()

    return Liar


KINDS = [*LIES, "wrong basis", "never optimal", "always optimal", "raises"]


def small(seed: int) -> SafetyProblem:
    return to_problem(random_sparse(3, 3, seed=seed, regret=F(1, 2)))


@pytest.mark.parametrize("lie", KINDS)
def test_no_lie_moves_the_radius(lie: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The radius with and without penalty, against brute force and against the truth."""
    monkeypatch.setattr(highs, "_Silent", lying(lie))
    for seed in range(12):
        instance = random_instance(seed)
        found = answered(partial(radius, to_problem(instance), time_limit=10), lie)
        if found is not None:
            assert found.lower <= safety_radius(instance) <= found.upper, seed
    problem = small(1)
    penalised = SafetyProblem(
        problem.mdp, problem.data, F(1, 2), None, Regularizer(problem.mdp, "tv", F(1, 10))
    )
    found = answered(partial(radius, penalised, time_limit=10), lie)
    monkeypatch.setattr(highs, "_Silent", HONEST)
    if found is not None:
        truth = radius(penalised)
        assert truth.is_exact
        assert found.lower <= truth.lower <= found.upper


@pytest.mark.parametrize("lie", KINDS)
def test_no_lie_moves_coverage_or_the_matrix(lie: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cutting planes and the rows of M."""
    problem = loads_problem(problems.text("tight-bandit"))
    critical, near = critical_epsilon(problem.mdp, problem.regret), repair(problem)
    rows = safety_matrix(Question.of(problem)).rows
    assert critical.is_exact
    assert near.distance is not None
    monkeypatch.setattr(highs, "_Silent", lying(lie))
    found = answered(lambda: critical_epsilon(problem.mdp, problem.regret, time_limit=5), lie)
    if found is not None:
        assert found.lower <= critical.lower <= found.upper
    nearer = answered(lambda: repair(problem, time_limit=5), lie)
    if nearer is not None and nearer.distance is not None:
        assert nearer.distance == near.distance
    matrix = answered(lambda: safety_matrix(Question.of(problem)), lie)
    if matrix is not None:
        assert {row.entries for row in matrix.rows} == {row.entries for row in rows}


def answered(ask: Callable[[], Any], lie: str) -> Any:
    """What is answered, or None for an error; other errors than ours only if the solver broke."""
    expected = (EngineError, CertificateRejected) if lie != "raises" else RuntimeError
    try:
        with np.errstate(all="ignore"):
            return ask()
    except expected:
        return None


FAMILY = """
[mdp]
states = ["s"]
actions = ["a", "b"]
discount = 0
initial = {s = 1}
transitions = {s = {a = {s = 1}, b = {s = 1}}}
reward = {s = {a = "r", b = 0}}
[data]
s = {a = "1/2", b = "1/2"}
[safety]
regret = 1
[parameters]
r = {min = 1, max = 2}
"""


CURVES: dict[str, tuple[str, Callable[..., Any]]] = {
    "costs too high": ("cheapest", lambda cost: 1.5 * cost + 1e-3),
    "costs too low": ("cheapest", lambda cost: cost / 2),
    "costs are nan": ("cheapest", lambda cost: float("nan") * cost),
    "costs are infinite": ("cheapest", lambda cost: float("inf") + cost),
    "costs are negative": ("cheapest", lambda cost: -cost),
    "lines are never missed": ("price", lambda found: (found[0], -1.0)),
    "prices too high": ("price", lambda found: (3 * found[0], found[1])),
    "prices are 1": ("price", lambda _found: (1.0, 0.0)),
    "prices are nan": ("price", lambda _found: (float("nan"), float("nan"))),
}


@pytest.mark.parametrize("lie", [*CURVES, "error of a model", "values of a model"])
def test_no_lie_about_kl_curves_moves_the_radius(lie: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the compiled kernel, and of what proves a reward model bad."""
    reference: dict[str, object] = {"a": "43/100", "b": "42/100", "c": "15/100"}
    problem = arms({"a": 0, "b": 2, "c": 3}, reference, regret="3/5")
    truth = radius(problem)
    assert truth.upper is not None
    if lie in CURVES:
        name, twist = CURVES[lie]
        honest = getattr(curve_kernel, name)
        monkeypatch.setattr(curve_kernel, name, lambda *given: twist(honest(*given)))
    else:
        change = (
            (lambda w: replace(w, error=w.error / 2))
            if lie == "error of a model"
            else (lambda w: replace(w, policy_value=tuple(x - 1 for x in w.policy_value)))
        )
        honest = kl.soft_witness

        def lying_witness(*given: Any) -> Any:
            found = honest(*given)
            return None if found is None else change(found)

        monkeypatch.setattr(kl, "soft_witness", lying_witness)
        monkeypatch.setattr(soft_answers, "soft_witness", lying_witness)
    found = answered(partial(radius, problem, time_limit=1), lie)
    if found is not None:
        assert found.lower <= truth.upper
        assert found.upper is None or truth.lower <= found.upper
    for factor, wrong in ((F(99, 100), "unsafe"), (F(101, 100), "safe")):
        asked = replace(problem, epsilon=truth.lower * factor)
        told = answered(partial(decide, asked, time_limit=1), lie)
        if told is not None:
            assert told.answer != wrong
            assert told.answer == "unknown" or told.certificate is not None


BANDITS: dict[str, Callable[[Any], None]] = {
    "bound too high": lambda search: setattr(search, "proven", 2 * search.proven + 1),
    "all bounds too high": lambda search: (
        setattr(search, "proven", 2 * search.proven + 1),
        setattr(search.root, "bound", 2 * search.root.bound + 1),
    ),
    "choice that loses nothing": lambda search: setattr(search, "choice", search.hull.starts),
    "multiplier too high": lambda search: setattr(search.root, "slope", 9 * search.root.slope + 1),
    "no leaves": lambda search: setattr(search, "leaves", list),
}


@pytest.mark.parametrize("lie", BANDITS)
def test_no_lie_of_the_bandit_search_moves_the_radius(
    lie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it says is proven, or chosen, is not believed."""

    class Liar(bandit.Branching):
        def solve(self) -> None:
            super().solve()
            BANDITS[lie](self)

    monkeypatch.setattr(bandit, "Branching", Liar)
    for seed in range(6):
        given = random_bandit(seed, contexts=60)
        truth = bandit_radius(given)
        found = answered(partial(radius, given), lie)
        if found is not None:
            assert found.lower <= truth <= found.upper, seed


@pytest.mark.parametrize("agrees", [True, False])
def test_a_lying_cvc5_makes_no_certificate_of_a_lie_of_z3(
    agrees: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two solvers' words are words."""
    problem = replace(loads_problem(FAMILY), epsilon="3/4")
    monkeypatch.setattr(smt._Query, "check", lambda *_: "unsat")
    monkeypatch.setattr(smt, "_cvc5_agrees", lambda *_: agrees)
    found = forall_safe(problem, engine="smt")
    assert ("cvc5" in found.route) == agrees
    assert found.rests_on == "solver"
    assert found.certificate is None


@pytest.mark.parametrize("lie", ["sat", "unsat", "unknown"])
def test_a_lying_z3_never_becomes_a_certificate_about_a_family(
    lie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong `unsat` is labelled as a solver's word; a wrong model is no counterexample."""
    problem = replace(loads_problem(FAMILY), epsilon="1/4" if lie != "unsat" else "3/4")
    monkeypatch.setattr(smt._Query, "check", lambda *_: lie)
    monkeypatch.setattr(smt._Query, "points", lambda *_: ([{"r": F(3, 2)}], None))
    try:
        found = forall_safe(problem, engine="smt")
    except EngineError:
        return
    wrong = "unsafe" if lie == "sat" else "safe"
    assert found.answer != wrong or found.rests_on == "solver"
