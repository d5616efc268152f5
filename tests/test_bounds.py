"""The bounds beside the radius, and the matrix of Theorem 3.5."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import pytest
from instances import random_instance, shares, to_problem
from oracle import Instance, safety_radius

from symsafe import (
    MDP,
    DataDistribution,
    SafetyProblem,
    UnsupportedError,
    loads_problem,
    problems,
    radius,
)
from symsafe.analysis.occupancy import support
from symsafe.analysis.values import expected_return, optimal_values
from symsafe.engine.bounds import bounds
from symsafe.engine.matrix import safety_matrix
from symsafe.engine.question import Question

F = Fraction


def bandit(rewards: str, weights: str, regret: str) -> SafetyProblem:
    mdp = MDP.bandit({"s": {f"a{i}": r for i, r in enumerate(rewards.split())}})
    return SafetyProblem(mdp, DataDistribution(mdp, tuple(map(F, weights.split()))), F(regret))


def two_states() -> SafetyProblem:
    mdp = MDP.from_arrays(
        [[["2/3", "1/3"], ["1/3", "2/3"]], [["1/2", "1/2"], [0, 1]]],
        [[3, 0], [1, -2]],
        ["1/3", "2/3"],
        "3/4",
    )
    return SafetyProblem(mdp, DataDistribution(mdp, (F(1, 8), F(3, 8), F(1, 3), F(1, 6))), F(2, 3))


def three_contexts() -> SafetyProblem:
    initial = {"x": "1/6", "y": "1/3", "z": "1/2"}
    rows = dict.fromkeys(initial, initial)
    mdp = MDP.from_tables(
        transitions={s: {"a": rows[s], "b": rows[s]} for s in initial},
        reward={s: {"a": 1, "b": 0} for s in initial},
        initial=initial,
        discount="2/3",
    )
    weights = (F(1, 12),) * 2 + (F(1, 6),) * 2 + (F(1, 4),) * 2
    return SafetyProblem(mdp, DataDistribution(mdp, weights), F(1, 2))


def ones(*places: int) -> list[str]:
    return ["1" if i in places else "0" for i in range(6)]


# problem; radius; sharp, b0, b1, b2; rows of M
KNOWN = {
    "one state, tight": (
        bandit("1 2/5 0", "1/10 9/20 9/20", "3/5"),
        "3/50",
        "3/50 3/50 3/50 3/50",
        [["0", "0", "1"], ["0", "3/5", "0"], ["3/5", "0", "0"]],
    ),
    "two states": (
        two_states(),
        "9/70",
        "241/3780 241/2520 241/2520 241/1980",
        [
            ["0", "0", "0", "27/7"],
            ["0", "0", "27/4", "0"],
            ["25/9", "0", "0", "8/3"],
            ["11/3", "0", "4", "0"],
            ["9", "8", "0", "0"],
        ],
    ),
    "contexts drawn anew": (
        three_contexts(),
        "1/4",
        "1/24 1/4 1/4 1/4",
        [ones(5), ones(4), ones(1, 3), ones(1, 2), ones(0, 3), ones(0, 2)],
    ),
    "five arms": (
        bandit("1 0 0 0 0", "1/5 1/5 1/5 1/5 1/5", "1"),
        "1/5",
        "1/5 1/5 1/5 1/5",
        [["1" if i == j else "0" for i in range(5)] for j in (4, 3, 2, 1, 0)],
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_bounds_and_matrices(name: str) -> None:
    """Test vectors: every bound and every row of M, to the letter."""
    problem, expected, lower, rows = KNOWN[name]
    assert radius(problem).lower == F(expected)
    question = Question.of(problem)
    found = bounds(question)
    assert [str(x) for x in (found.sharp, found.b0, found.b1, found.b2)] == lower.split()
    matrix = safety_matrix(question)
    assert [[str(x) for x in row.entries] for row in matrix.rows] == rows
    assert matrix.radius(question.weights) == F(expected)
    assert not matrix.is_safe(question.weights, F(expected))
    assert matrix.is_safe(question.weights, F(expected) - F(1, 10**9))


@pytest.mark.parametrize("chunk", range(4))
def test_bounds_enclose_the_radius(chunk: int) -> None:
    """paper <= sharp <= b0 <= b1 <= b2 <= radius <= family <= proposition 3.3, on 200 instances."""
    for seed in range(chunk * 50, (chunk + 1) * 50):
        instance = random_instance(seed)
        found = bounds(Question.of(to_problem(instance)))
        chain = [
            found.paper,
            found.sharp,
            found.b0,
            found.b1,
            found.b2,
            safety_radius(instance),
            found.family,
            found.proposition_3_3,
        ]
        assert chain == sorted(chain), seed
        assert found.upper_is_exact
        assert 2 * found.paper**2 <= found.sharp**2


def test_bounds_of_a_larger_problem_say_that_the_upper_ones_are_not_minima() -> None:
    """FrozenLake has too many policies to enumerate."""
    found = bounds(Question.of(loads_problem(problems.text("frozenlake-uniform"))))
    assert not found.upper_is_exact
    assert found.sharp < found.b0 <= found.b1 < found.b2 < found.family <= found.proposition_3_3


@pytest.mark.parametrize("chunk", range(4))
def test_the_matrix_gives_the_radius_of_every_distribution(chunk: int) -> None:
    """M does not depend on D: its minimum agrees with brute force for other D, zeros included."""
    for seed in range(chunk * 25, (chunk + 1) * 25):
        instance = random_instance(seed)
        matrix = safety_matrix(Question.of(to_problem(instance)))
        source = random.Random(seed)
        for _ in range(4):
            weights = shares(source, len(instance.weights), zeros=0.3)
            other = Instance(**{**vars(instance), "weights": weights})
            assert matrix.radius(weights) == safety_radius(other), seed


def test_rows_are_genuine_witnesses() -> None:
    """Each row is |R^ - R| for a reward model for which its bad policy is optimal."""
    for seed in range(40):
        question = Question.of(to_problem(random_instance(seed)))
        mdp = question.mdp
        for row in safety_matrix(question).rows:
            differences = zip(row.reward, question.rewards, strict=True)
            assert row.entries == tuple(abs(a - b) for a, b in differences)
            best, _ = optimal_values(mdp, row.reward)
            value = sum(p * v for p, v in zip(question.initial, best, strict=True))
            assert expected_return(mdp, row.policy, row.reward) == value
            assert expected_return(mdp, row.policy) <= question.bad_return
            assert support(mdp, row.policy)


def test_every_row_is_needed() -> None:
    """For each row some distribution has its radius there alone (a strict minimum exists)."""
    import numpy as np
    from scipy.optimize import linprog

    for seed in range(40):
        rows = [
            r.entries for r in safety_matrix(Question.of(to_problem(random_instance(seed)))).rows
        ]
        table = np.array([[float(x) for x in row] for row in rows])
        count, width = table.shape
        for i in range(count):
            others = np.delete(table, i, axis=0)
            if not len(others):
                continue
            # maximise z subject to others D - row D >= z, D in the simplex
            left = np.hstack([table[i] - others, np.ones((count - 1, 1))])
            result = linprog(
                [0.0] * width + [-1.0],
                A_ub=left,
                b_ub=[0.0] * (count - 1),
                A_eq=[[1.0] * width + [0.0]],
                b_eq=[1.0],
                bounds=[(0, None)] * width + [(None, None)],
            )
            assert -result.fun > 1e-9, (seed, i)


def test_a_problem_too_large_for_the_matrix_is_refused() -> None:
    """The enumeration has a limit, and the message says what would be enumerated."""
    question = Question.of(loads_problem(problems.text("frozenlake-uniform")))
    with pytest.raises(UnsupportedError, match="4294967296 policies"):
        safety_matrix(question)


def test_no_regret_asked_makes_every_lower_bound_zero() -> None:
    """With L = 0 everything is unsafe at every tolerance."""
    found = bounds(Question.of(replace(two_states(), regret=F(0))))
    assert found.sharp == found.b0 == found.b1 == found.b2 == 0
