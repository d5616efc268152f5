"""The compiled search against the plain one and against brute force."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from instances import random_instance, random_sparse, to_problem, vertex_cover
from oracle import safety_radius

from symsafe import SafetyProblem
from symsafe.certificate import radius_certificate, safe_certificate
from symsafe.engine import kernel, tree
from symsafe.engine.fast import fast_search
from symsafe.engine.limits import Limits
from symsafe.engine.question import Question
from symsafe.engine.tree import Outcome


def solve(problem: SafetyProblem, enough: Fraction | None = None) -> tuple[Question, Outcome]:
    question = Question.of(problem)
    target = None if enough is None else enough * question.reward_range
    return question, fast_search(question, Limits(), enough=target)


def check(question: Question, outcome: Outcome) -> Fraction:
    scale = question.reward_range
    lower, upper = outcome.lower / scale, outcome.witness.cost / scale
    radius_certificate(question, lower, upper, outcome.root, outcome.witness).check()
    assert lower == upper
    return lower


@pytest.mark.parametrize("chunk", range(6))
def test_the_compiled_radius_equals_brute_force(chunk: int) -> None:
    """Ties, zeros in D, unreachable and absorbing states, single actions, discount 0."""
    for seed in range(chunk * 50, (chunk + 1) * 50):
        instance = random_instance(seed)
        assert check(*solve(to_problem(instance))) == safety_radius(instance), seed


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("level", ["1/10", "1/2", "9/10"])
def test_the_compiled_radius_equals_that_of_the_plain_search(level: str, seed: int) -> None:
    """Two searches that share only the exact leaves."""
    problem = to_problem(random_sparse(7, 3, seed=seed, regret=Fraction(level)))
    plain = tree.search(Question.of(problem), Limits())
    question, outcome = solve(problem)
    assert check(question, outcome) == plain.lower / question.reward_range


def test_a_known_answer_that_is_hard_by_construction() -> None:
    """Vertex cover of the cycle of five: three vertices."""
    edges = [(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)]
    share = Fraction(1, 2)
    assert check(*solve(to_problem(vertex_cover(edges, 5, share)))) == 3 * (1 - share) / 10


@pytest.mark.parametrize("seed", range(40))
def test_the_compiled_decision_is_safe_exactly_below_the_radius(seed: int) -> None:
    """At the radius a witness is found; just below it there is a tree that the checker accepts."""
    instance = random_instance(seed)
    exact_radius = safety_radius(instance)
    question, outcome = solve(to_problem(instance), exact_radius)
    assert outcome.witness.cost <= exact_radius * question.reward_range
    for share in (1 - Fraction(1, 10**12), Fraction(1, 2)):
        if exact_radius:
            question, outcome = solve(to_problem(instance), exact_radius * share)
            assert outcome.lower > exact_radius * share * question.reward_range
            safe_certificate(question, exact_radius * share, outcome.root).check()


@pytest.mark.parametrize("nodes", [1, 40, 400])
def test_a_stopped_compiled_search_leaves_certified_bounds(nodes: int) -> None:
    """What is open is closed with the bound that it has."""
    problem = to_problem(random_sparse(11, 4, seed=3, regret=Fraction(1, 2)))
    exact_radius = check(*solve(problem))
    question = Question.of(problem)
    outcome = fast_search(question, Limits(nodes=nodes))
    assert outcome.stopped == "node limit"
    lower, upper = (x / question.reward_range for x in (outcome.lower, outcome.witness.cost))
    assert lower <= exact_radius <= upper
    radius_certificate(question, lower, upper, outcome.root, outcome.witness).check()


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.5, float("nan")])
def test_a_lying_kernel_costs_time_but_never_the_answer(
    monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    """Wrong multipliers, bounds and leaves without a flow leave the radius exact."""
    honest = kernel.search

    def lie(model: kernel.Model, pool: kernel.Pool, *rest: object) -> tuple[int, int]:
        found = honest(model, pool, *rest)  # type: ignore[arg-type]
        leaves = pool.kind == kernel.CIRCULATION
        pool.kappa[leaves] *= factor
        return found

    monkeypatch.setattr(kernel, "search", lie)
    for seed in range(15):
        instance = random_instance(seed)
        assert check(*solve(to_problem(instance))) == safety_radius(instance), seed


def test_leaves_of_the_wrong_kind_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that is no leaf is searched exactly."""
    honest = kernel.search

    def lie(model: kernel.Model, pool: kernel.Pool, *rest: object) -> tuple[int, int]:
        found = honest(model, pool, *rest)  # type: ignore[arg-type]
        pool.kind[pool.kind == kernel.CIRCULATION] = kernel.VALUE
        return found

    monkeypatch.setattr(kernel, "search", lie)
    for seed in range(15):
        instance = random_instance(seed)
        assert check(*solve(to_problem(instance))) == safety_radius(instance), seed


def test_the_same_question_gives_the_same_tree() -> None:
    """The compiled search is deterministic."""
    problem = to_problem(random_sparse(9, 4, seed=5, regret=Fraction(1, 2)))
    texts = []
    for _ in range(2):
        question, outcome = solve(problem)
        scale = question.reward_range
        lower, upper = outcome.lower / scale, outcome.witness.cost / scale
        made = radius_certificate(question, lower, upper, outcome.root, outcome.witness)
        texts.append(made.to_json())
    assert texts[0] == texts[1]


def test_hitting_bounds_are_those_of_the_plain_guide() -> None:
    """Compiled sweeps and numpy sweeps agree."""
    from symsafe.engine.fast import model_of
    from symsafe.engine.relaxation import Guide

    question = Question.of(to_problem(random_sparse(8, 3, seed=4, regret=Fraction(1, 2))))
    guide = Guide(question)
    allowed = np.arange(guide.pairs) % 3 != 1
    reach = np.ones((guide.states, guide.states))
    kernel.hitting(model_of(question, guide, 0.0), allowed, reach, 500)
    np.testing.assert_allclose(reach.T, guide.hitting(allowed), atol=1e-7)
