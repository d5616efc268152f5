"""Pictures: what they draw is exact, and they are drawn only where they make sense."""

from __future__ import annotations

import builtins
from fractions import Fraction
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from instances import random_instance, to_problem

from symsafe import InputError, UnsupportedError, loads_problem, problems
from symsafe.display.polytope import plot_safe_polytope, safe_vertices
from symsafe.engine.matrix import SafetyMatrix, safety_matrix
from symsafe.engine.question import Question

mpl.use("Agg")
F = Fraction


def tight() -> SafetyMatrix:
    return safety_matrix(Question.of(loads_problem(problems.text("tight-bandit"))))


def test_vertices_of_the_tight_bandit() -> None:
    """D(1) and D(2) at least epsilon/L, D(3) at least epsilon: a triangle with exact corners."""
    assert set(safe_vertices(tight(), F(1, 10))) == {
        (F(1, 6), F(1, 6), F(2, 3)),
        (F(1, 6), F(11, 15), F(1, 10)),
        (F(11, 15), F(1, 6), F(1, 10)),
    }


def test_vertices_touch_the_boundary_and_their_middle_is_safe() -> None:
    """At a vertex the radius is at least epsilon, and inside the polytope it is more."""
    drawn = 0
    for seed in range(80):
        question = Question.of(to_problem(random_instance(seed)))
        if len(question.weights) > 5:
            continue
        matrix = safety_matrix(question)
        epsilon = matrix.radius((F(1, len(question.weights)),) * len(question.weights)) / 2
        if epsilon == 0:
            continue
        vertices = safe_vertices(matrix, epsilon)
        middle = tuple(sum(column) / len(vertices) for column in zip(*vertices, strict=True))
        assert matrix.radius(middle) >= epsilon
        assert all(matrix.radius(vertex) >= epsilon for vertex in vertices)
        drawn += 1
    assert drawn > 5


def test_nothing_is_safe_beyond_the_critical_tolerance() -> None:
    """At 1/2 no distribution is safe, and the picture says so."""
    assert safe_vertices(tight(), F(1, 2)) == {}
    ax = plot_safe_polytope(tight(), F(1, 2), ["a", "b", "c"])
    assert ax.get_title() == "nothing is safe at ε = 1/2"
    plt.close("all")


@pytest.mark.parametrize("width", [3, 4])
def test_three_and_four_pairs_are_drawn(width: int) -> None:
    """A filled polygon in a triangle, faces in a tetrahedron, and the marked distribution."""
    for seed in range(200):
        question = Question.of(to_problem(random_instance(seed)))
        if len(question.weights) == width and min(question.weights) > 0:
            break
    matrix = safety_matrix(question)
    epsilon = matrix.radius(question.weights) / 2
    names = [".".join(pair) for pair in question.mdp.pairs]
    ax = plot_safe_polytope(matrix, epsilon, names, mark=question.weights)
    assert ax.get_title() == f"safe at ε = {epsilon}"
    assert {text.get_text() for text in ax.texts} == set(names)
    assert len(ax.patches if width == 3 else ax.collections) == 1
    ax.figure.canvas.draw()
    plt.close("all")


def test_other_numbers_of_pairs_and_names_are_refused() -> None:
    """Only triangles and tetrahedra, with a name for each corner."""
    five = safety_matrix(Question.of(to_problem(random_instance(0))))
    for seed in range(100):
        question = Question.of(to_problem(random_instance(seed)))
        if len(question.weights) == 5:
            five = safety_matrix(question)
            break
    with pytest.raises(UnsupportedError, match="not for 5"):
        plot_safe_polytope(five, F(1, 10), list("abcde"))
    with pytest.raises(InputError):
        plot_safe_polytope(tight(), F(1, 10), ["a"])


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    honest = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return honest(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UnsupportedError, match=r"symsafe\[plot\]"):
        plot_safe_polytope(tight(), F(1, 10), ["a", "b", "c"])
