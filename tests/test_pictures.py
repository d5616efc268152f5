"""Pictures of MDPs, rewards and profiles: what is in them, and what they refuse to draw."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from instances import random_instance, random_sparse, to_problem

from symsafe import (
    MDP,
    Certificate,
    DataDistribution,
    InputError,
    SafetyProblem,
    UnsupportedError,
    decide,
    loads_problem,
    problems,
    radius,
    radius_profile,
)
from symsafe.display.pictures import plot_mdp, plot_profile, plot_rewards, save_svg

mpl.use("Agg")
F = Fraction


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    plt.close("all")


def problem(name: str) -> SafetyProblem:
    return loads_problem(problems.text(name))


def certificate(asked: SafetyProblem) -> Certificate:
    found = radius(asked).certificate
    assert found is not None
    return found


def test_the_picture_of_an_mdp_has_every_state_and_action() -> None:
    """Names of both; the stems of the bad policy are red, and as wide as D."""
    chatbot = problem("chatbot")
    ax = plot_mdp(chatbot, certificate=certificate(chatbot))
    texts = [text.get_text() for text in ax.texts]
    assert set(texts) >= {*chatbot.mdp.states, "refuse", "direct", "roleplay", "cipher"}
    stems = [line for line in ax.lines if len(line.get_xdata()) == 2]
    assert len(stems) == len(chatbot.mdp.pairs)
    red = [line for line in stems if line.get_color() == "#c8372d"]
    assert len(red) == 3
    widths = {w: line.get_linewidth() for w, line in zip(chatbot.data.weights, stems, strict=True)}
    assert widths[F(7, 30)] > widths[F(1, 15)] > widths[F(1, 300)]
    ax.figure.canvas.draw()


def test_every_small_instance_can_be_drawn() -> None:
    """Loops, ends, unreachable states, zeros in D, single actions."""
    for seed in range(25):
        asked = to_problem(random_instance(seed))
        found = certificate(asked)
        for ax in (plot_mdp(asked, certificate=found), plot_mdp(asked), plot_rewards(found)):
            ax.figure.canvas.draw()
        plt.close("all")


def test_an_unseen_pair_has_a_dotted_stem() -> None:
    """D = 0 is not the same as a small D."""
    mdp = MDP.bandit({"s": {"a": 1, "b": 0}})
    data = DataDistribution.from_table(mdp, {"s": {"a": 1}})
    ax = plot_mdp(SafetyProblem(mdp, data, 1))
    assert [line.get_linestyle() for line in ax.lines if len(line.get_xdata()) == 2] == ["-", ":"]


def test_rewards_are_drawn_against_the_data() -> None:
    """Two markers a pair, a line where they differ, bars of D, names of pairs."""
    asked = problem("chatbot")
    ax = plot_rewards(certificate(asked))
    true, learned = ax.lines[-2], ax.lines[-1]
    assert list(true.get_ydata()) == [float(r) for r in asked.mdp.rewards]
    different = sum(a != b for a, b in zip(true.get_ydata(), learned.get_ydata(), strict=True))
    assert len(ax.lines) == 2 + different == 4
    bars = [p.get_height() for other in ax.figure.axes if other is not ax for p in other.patches]
    assert bars == [float(w) for w in asked.data.weights]
    labels = ax.get_xticklabels()
    assert labels[7].get_text() == "malware/cipher"
    assert [label.get_color() for label in labels].count("#c8372d") == 3


def test_the_profile_is_a_step_curve() -> None:
    """One segment a step, at the heights of the exact radii."""
    profile = radius_profile(problem("chatbot"))
    ax = plot_profile(profile, mark=F(1, 2))
    heights = [line.get_ydata()[0] for line in ax.lines if len(line.get_xdata()) == 2]
    assert heights == [float(step.radius) for step in profile.steps]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("regret L", "safety radius ε*")


def test_axes_that_are_given_are_drawn_into_and_returned() -> None:
    """One function, one axes."""
    _, (first, second, third) = plt.subplots(1, 3)
    asked = problem("tight-bandit")
    assert plot_mdp(asked, ax=first) is first
    assert plot_rewards(certificate(asked), ax=second) is second
    assert plot_profile(radius_profile(asked), ax=third) is third


def test_the_same_picture_gives_the_same_file(tmp_path: Path) -> None:
    """Whenever it is drawn; what is set for other pictures stays."""
    salt = mpl.rcParams["svg.hashsalt"]
    for name in ("1.svg", "2.svg"):
        save_svg(plot_rewards(certificate(problem("tight-bandit"))).figure, tmp_path / name)
    assert (tmp_path / "1.svg").read_bytes() == (tmp_path / "2.svg").read_bytes()
    assert mpl.rcParams["svg.hashsalt"] == salt


def test_names_are_never_read_as_formulas() -> None:
    """Dollar signs and backslashes are drawn as they are, and long names are cut."""
    names = ["$x$", "$\\frac{", "\\input{x}", "a" * 150]
    mdp = MDP.bandit({"$\\undefined$": {name: i for i, name in enumerate(names)}})
    asked = SafetyProblem(mdp, DataDistribution.uniform(mdp), 1)
    found = certificate(asked)
    for ax in (plot_mdp(asked, certificate=found), plot_rewards(found)):
        ax.figure.canvas.draw()
    assert "$x$" in [text.get_text() for text in plot_mdp(asked).texts]


def test_what_cannot_be_drawn_is_refused() -> None:
    """Too large; a certificate without a reward model, or about something else."""
    large = to_problem(random_sparse(61, 2, seed=0, regret=F(1, 2)))
    with pytest.raises(UnsupportedError, match="61 states"):
        plot_mdp(large)
    safe = decide(problem("tight-bandit-safe")).certificate
    assert safe is not None
    with pytest.raises(InputError, match="reward model"):
        plot_rewards(safe)
    with pytest.raises(InputError, match="another problem"):
        plot_mdp(problem("chatbot"), certificate=safe)
    wide = MDP.bandit({"s": {f"a{i}": i for i in range(121)}})
    with pytest.raises(UnsupportedError, match="121 pairs"):
        plot_rewards(certificate(SafetyProblem(wide, DataDistribution.uniform(wide), 1)))


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plot_mdp(problem("chatbot")),
        lambda: plot_rewards(certificate(problem("chatbot"))),
        lambda: plot_profile(radius_profile(problem("tight-bandit"))),
    ],
)
def test_without_matplotlib_the_extra_is_named(
    draw: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what to install."""
    honest = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return honest(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UnsupportedError, match=r"symsafe\[plot\]"):
        draw()
