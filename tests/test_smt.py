"""The z3 engine: agreement with brute force, and what happens when z3 lies or gives up."""

from __future__ import annotations

from fractions import Fraction

import pytest
import z3
from instances import random_instance, random_sparse, to_problem
from oracle import safety_radius

import symsafe.engine.smt as smt
from symsafe import EngineError, decide, radius
from symsafe.engine.question import Question


@pytest.mark.parametrize("chunk", range(4))
def test_both_questions_agree_with_brute_force(chunk: int) -> None:
    """On 120 random instances: the radius, unsafe exactly at it, safe just below it."""
    for seed in range(chunk * 30, (chunk + 1) * 30):
        instance = random_instance(seed)
        truth = safety_radius(instance)
        verdict = radius(to_problem(instance), engine="smt")
        assert (verdict.lower, verdict.upper) == (truth, truth), seed
        assert verdict.certificate is None
        assert verdict.rests_on == "solver"
        if truth == 0:
            continue
        at = decide(to_problem(instance, truth), engine="smt")
        assert (at.answer, at.rests_on) == ("unsafe", "certificate")
        assert at.certificate is not None
        assert at.certificate.check().kind == "unsafe"
        below = decide(to_problem(instance, truth * Fraction(10**9 - 1, 10**9)), engine="smt")
        assert (below.answer, below.rests_on) == ("safe", "solver")
        assert below.certificate is None


def test_the_query_as_smtlib_gives_the_same_answer() -> None:
    """The exported text, read back by z3, is satisfiable exactly from the least cost on."""
    for seed in range(20):
        instance = random_instance(seed)
        question = Question.of(to_problem(instance))
        cost = safety_radius(instance) * question.reward_range
        for enough, expected in ((cost, z3.sat), (cost - Fraction(1, 10**6), z3.unsat)):
            text = smt.to_smtlib(question, enough)
            assert text == smt.to_smtlib(question, enough)
            solver = z3.Solver()
            solver.from_string(text)
            assert solver.check() == expected, seed


def test_a_wrong_model_is_an_engine_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy that is not bad, offered as a model, never becomes a verdict."""
    instance = random_instance(3)
    question = Question.of(to_problem(instance))
    best = question.returns.optimal.choices
    monkeypatch.setattr(smt._Query, "solve", lambda *_arguments, **_options: best)
    with pytest.raises(EngineError):
        radius(to_problem(instance), engine="smt")
    with pytest.raises(EngineError):
        decide(to_problem(instance, Fraction(1, 10**6)), engine="smt")


def test_a_wrong_unsat_is_labelled_as_the_solvers_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """If z3 wrongly says unsat, no certificate exists and the answer says what it rests on."""
    instance = random_instance(3)
    truth = safety_radius(instance)
    monkeypatch.setattr(smt._Query, "solve", lambda *_arguments, **_options: None)
    verdict = decide(to_problem(instance, truth), engine="smt")
    assert verdict.rests_on == "solver"
    assert verdict.certificate is None


def test_a_time_limit_ends_in_unknown() -> None:
    """z3 stopped early gives bounds and no verdict."""
    problem = to_problem(random_sparse(12, 4, seed=1, regret=Fraction(1, 2)), Fraction(1, 1000))
    for verdict in (
        decide(problem, engine="smt", time_limit=0.5),
        radius(problem, engine="smt", time_limit=0.5),
    ):
        assert verdict.answer == "unknown"
        assert verdict.statistics.stopped == "time limit"
        assert verdict.lower == 0 < verdict.upper
        assert verdict.certificate is not None
        assert verdict.certificate.check().upper == verdict.upper
