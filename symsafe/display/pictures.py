"""Pictures of a question and its answer: the MDP with its data, the rewards, the radius over L.

One function each; it draws into the axes given, or into new ones, and returns them. Only drawing
rounds. Names are drawn as they are, never read as formulas.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from os import PathLike
from typing import IO, TYPE_CHECKING, Any

from symsafe.certificate import Certificate
from symsafe.display.argument import Deception, facts_of
from symsafe.errors import InputError, UnsupportedError
from symsafe.exact import exact
from symsafe.model import SafetyProblem
from symsafe.model.problem import require_problem
from symsafe.model.tables import require_instance
from symsafe.profile import RadiusProfile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["MAX_PAIRS", "MAX_STATES", "plot_mdp", "plot_profile", "plot_rewards", "save_svg"]

MAX_STATES = 60
MAX_PAIRS = 120
_LABELLED_PAIRS = 40
_PLAIN, _BAD, _TRUE, _DATA, _SURE = "#8a8f98", "#c8372d", "#2b6cb0", "#d9a441", "#2f855a"

Place = tuple[float, float]


def plot_mdp(
    problem: SafetyProblem, *, certificate: Certificate | None = None, ax: Axes | None = None
) -> Any:
    """Draw the MDP: circles are states, dots are actions, the width of a stem is D(s, a).

    Parameters
    ----------
    problem : SafetyProblem
        Without open parameters. Stems of pairs that are never seen are dotted.
    certificate : Certificate, optional
        Of this problem and with a reward model: what its policy does is drawn in red.
    ax : Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    UnsupportedError
        For more than 60 states, or without matplotlib (extra ``plot``).
    InputError
        If the certificate is about another problem.
    """
    require_problem(problem)
    problem.require_ground()
    mdp = problem.mdp
    if len(mdp.states) > MAX_STATES:
        raise UnsupportedError(f"an MDP of {len(mdp.states)} states is not drawn, {MAX_STATES} are")
    bad = _visited_pairs(problem, certificate)
    ax = _axes(ax, (7, 5))
    places = _layout(problem)
    weights = [float(exact(w)) for w in problem.data.weights]
    heaviest = max(weights)
    for pair, (state, row) in enumerate(zip(mdp.pair_states, mdp.successors, strict=True)):
        number = pair - mdp.pair_ranges[state].start
        home = places[state]
        dot = _dot(places, state, number, len(mdp.pair_ranges[state]), [t for t, _ in row])
        colour = _BAD if pair in bad else _PLAIN
        order = 3 if pair in bad else 2
        ax.plot(
            *zip(home, dot, strict=True),
            color=colour,
            linewidth=0.5 + 6 * weights[pair] / heaviest,
            linestyle="-" if weights[pair] else ":",
            solid_capstyle="round",
            zorder=order,
        )
        ax.plot(*dot, "o", color=colour, markersize=4, zorder=order)
        for target, probability in row:
            if target != state:
                share = float(exact(probability))
                arrow = {
                    "arrowstyle": "-|>",
                    "color": colour,
                    "linewidth": 0.4 + share,
                    "alpha": 0.25 + 0.75 * share,
                    "shrinkB": 13,
                    "connectionstyle": "arc3,rad=0.08",
                }
                ax.annotate("", places[target], dot, arrowprops=arrow, zorder=order)
        if len(mdp.pairs) <= _LABELLED_PAIRS:
            outward = (1.32 * (dot[0] - home[0]) + home[0], 1.32 * (dot[1] - home[1]) + home[1])
            _text(ax, outward, mdp.pairs[pair][1], color=colour, fontsize=7, zorder=6)
    for name, place, start in zip(mdp.states, places, mdp.initial, strict=True):
        edge = "black" if start else _PLAIN
        ax.plot(*place, "o", color="white", markeredgecolor=edge, markersize=24, zorder=4)
        _text(ax, place, name, fontsize=8, zorder=5)
    ax.set_aspect("equal")
    ax.margins(0.12)
    ax.set_axis_off()
    return ax


def plot_rewards(certificate: Certificate, *, ax: Axes | None = None) -> Any:
    """Draw the true reward R, the reward model R^ and the data distribution D, one column a pair.

    Parameters
    ----------
    certificate : Certificate
        With a reward model: of the kinds unsafe and radius.
    ax : Axes, optional

    Returns
    -------
    matplotlib Axes
        That of the rewards; bars of D have an axis of their own, on the right. Columns are in the
        order of the pairs; what the policy of the certificate takes is named in red.

    Raises
    ------
    InputError
        If the certificate has no reward model.
    UnsupportedError
        For more than 120 pairs, or without matplotlib (extra ``plot``).
    """
    facts = facts_of(certificate)
    deception = _require_deception(facts.deception)
    mdp = facts.problem.mdp
    count = len(mdp.pairs)
    if count > MAX_PAIRS:
        raise UnsupportedError(f"rewards of {count} pairs are not drawn, {MAX_PAIRS} are")
    true = [float(exact(r)) for r in mdp.rewards]
    learned = [float(r) for r in deception.reward]
    ax = _axes(ax, (max(5.0, 0.28 * count), 4.2))
    columns = range(count)
    below = ax.twinx()
    weights = [float(exact(w)) for w in facts.problem.data.weights]
    below.bar(columns, weights, width=0.7, color=_DATA, alpha=0.45)
    below.set_ylim(0, 3 * max(weights))  # the lower third of the picture
    below.set_ylabel("D", color=_DATA)
    for column, first, second in zip(columns, true, learned, strict=True):
        if first != second:
            ax.plot([column] * 2, [first, second], color=_BAD, linewidth=1.2, zorder=3)
    ax.plot(columns, true, "o", color=_TRUE, label="true reward R", zorder=4)
    ax.plot(columns, learned, "x", color=_BAD, label=r"reward model $\hat R$", zorder=5)
    ax.set_zorder(below.get_zorder() + 1)
    ax.patch.set_visible(False)
    names = ["/".join(pair) for pair in mdp.pairs]
    ax.set_xticks(list(columns), names, rotation=90, fontsize=7, parse_math=False)
    for label, taken in zip(ax.get_xticklabels(), deception.policy, strict=True):
        label.set_color(_BAD if taken else "black")
    ax.set_ylabel("reward")
    ax.legend(loc="best", fontsize=8)
    return ax


def plot_profile(
    profile: RadiusProfile, *, mark: Fraction | None = None, ax: Axes | None = None
) -> Any:
    """Draw the safety radius as a function of the regret L: a certified step curve.

    Parameters
    ----------
    profile : RadiusProfile
    mark : Fraction, optional
        A regret L to mark on the curve.
    ax : Axes, optional

    Returns
    -------
    matplotlib Axes
        Above the curve D is unsafe, below it is safe. A step holds its right end (dot).

    Raises
    ------
    UnsupportedError
        Without matplotlib (extra ``plot``).
    """
    require_instance(profile, RadiusProfile, "profile", "a RadiusProfile")
    ax = _axes(ax, (6, 4))
    for step in profile.steps:
        ends, height = [float(step.above), float(step.upto)], float(step.radius)
        ax.fill_between(ends, 0, height, color=_SURE, alpha=0.2, linewidth=0)
        ax.plot(ends, [height] * 2, color=_SURE, linewidth=2)
        ax.plot(ends[1], height, "o", color=_SURE, markersize=4)
        ax.plot(ends[0], height, "o", color=_SURE, markerfacecolor="white", markersize=4)
    if mark is not None:
        ax.plot(float(mark), float(profile.at(mark)), "D", color="black", markersize=6)
    ax.set_xlim(0, 1.02)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("regret L")
    ax.set_ylabel("safety radius ε*")
    return ax


def save_svg(figure: Figure, file: str | PathLike[str] | IO[bytes]) -> None:
    """Write a figure as SVG: the same picture gives the same bytes, without date and random names.

    Parameters
    ----------
    figure : matplotlib Figure
        Such as that of the axes that a function here returns, ``ax.figure``.
    file : path or binary file
    """
    from matplotlib import rc_context

    with rc_context({"svg.hashsalt": "symsafe"}):
        figure.savefig(file, format="svg", metadata={"Date": None}, bbox_inches="tight")


def _axes(ax: Any, size: tuple[float, float]) -> Any:
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise UnsupportedError('drawing needs matplotlib: pip install "symsafe[plot]"') from None
    return plt.subplots(figsize=size)[1]


def _text(ax: Any, place: Place, text: str, **style: Any) -> None:
    shown = text if len(text) <= 24 else f"{text[:22]}…"
    ax.text(*place, shown, ha="center", va="center", parse_math=False, **style)


def _require_deception(deception: Deception | None) -> Deception:
    if deception is None:
        raise InputError("certificate", "no reward model", "a certificate with one: unsafe, radius")
    return deception


def _visited_pairs(problem: SafetyProblem, certificate: Certificate | None) -> set[int]:
    if certificate is None:
        return set()
    facts = facts_of(certificate)
    if facts.problem.mdp != problem.mdp or facts.problem.data != problem.data:
        raise InputError("certificate", "another problem", "a certificate of this problem")
    policy = _require_deception(facts.deception).policy
    return {pair for pair, taken in enumerate(policy) if taken}


def _layout(problem: SafetyProblem) -> list[Place]:
    """Return a place for each state: on a circle, or by springs if there are many."""
    import networkx as nx  # takes a while to load

    mdp = problem.mdp
    count = len(mdp.states)
    graph = nx.Graph()
    graph.add_nodes_from(range(count))
    graph.add_edges_from(
        (state, t)
        for state, row in zip(mdp.pair_states, mdp.successors, strict=True)
        for t, _ in row
        if t != state
    )
    found = (
        nx.spring_layout(graph, seed=0, iterations=200)
        if count > 12 and graph.number_of_edges()
        else nx.circular_layout(graph)
    )
    # States keep a distance of about 2, whatever their number.
    scale = max(1.0, count / math.pi if count <= 12 else math.sqrt(count))
    return [(scale * float(found[s][0]), scale * float(found[s][1])) for s in range(count)]


def _dot(
    places: Sequence[Place], state: int, number: int, count: int, targets: Sequence[int]
) -> Place:
    """Return where the dot of an action is: in a fan around its state, away from the middle."""
    x, y = places[state]
    middle = math.atan2(y, x) if (x, y) != (0.0, 0.0) else math.pi / 2
    turn = 2 * math.pi / count if all(t == state for t in targets) else 1.7 * math.pi / count
    angle = middle + turn * (number - (count - 1) / 2)
    return x + 0.5 * math.cos(angle), y + 0.5 * math.sin(angle)
