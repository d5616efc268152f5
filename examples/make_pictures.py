"""Draw the pictures that README shows, into docs/pictures (needs the extra ``plot``)."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt

from symsafe import (
    MDP,
    DataDistribution,
    SafetyProblem,
    load_problem,
    loads_problem,
    problems,
    radius,
    radius_profile,
    region,
)
from symsafe.display.pictures import plot_profile, plot_rewards, save_svg
from symsafe.display.polytope import plot_safe_polytope
from symsafe.display.region import plot_region
from symsafe.engine.matrix import safety_matrix
from symsafe.engine.question import Question

mpl.use("Agg")
FAMILIES = Path(__file__).parent / "families"
PICTURES = Path(__file__).parent.parent / "docs" / "pictures"


def two_states() -> SafetyProblem:
    """Two states with two actions each."""
    mdp = MDP.from_arrays(
        [[["2/3", "1/3"], ["1/3", "2/3"]], [["1/2", "1/2"], [0, 1]]],
        [[3, 0], [1, -2]],
        ["1/3", "2/3"],
        "3/4",
    )
    return SafetyProblem(mdp, DataDistribution.uniform(mdp), "2/3")


def regions() -> None:
    """Write regions.svg: where two shipped families are safe."""
    _, axes = plt.subplots(1, 2, figsize=(9, 4.2))
    for name, ax in zip(("discount", "two-rewards"), axes, strict=True):
        problem = load_problem(FAMILIES / f"{name}.toml")
        plot_region(region(problem), ax=ax)
        ax.set_title(name)
    save("regions.svg")


def polytopes() -> None:
    """Write polytopes.svg: one state with three actions, and two states with two actions each."""
    figure = plt.figure(figsize=(9, 4.2))
    bandit = loads_problem(problems.text("tight-bandit"))
    for place, problem, epsilon, projection in (
        (121, bandit, Fraction(1, 10), None),
        (122, two_states(), Fraction(1, 10), "3d"),
    ):
        names = [".".join(pair) for pair in problem.mdp.pairs]
        ax = figure.add_subplot(place, projection=projection)
        plot_safe_polytope(safety_matrix(Question.of(problem)), epsilon, names, ax=ax)
    save("polytopes.svg")


def answers() -> None:
    """Write answers.svg: the chatbot's reward model, and FrozenLake's radius over L."""
    _, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    chatbot = radius(loads_problem(problems.text("chatbot"))).certificate
    plot_rewards(chatbot, ax=left)
    lake = loads_problem(problems.text("frozenlake-uniform"))
    plot_profile(radius_profile(lake), mark=lake.regret, ax=right)
    save("answers.svg")


def save(name: str) -> None:
    """Write the current figure; the same figure gives the same bytes."""
    save_svg(plt.gcf(), PICTURES / name)


if __name__ == "__main__":
    polytopes()
    regions()
    answers()
