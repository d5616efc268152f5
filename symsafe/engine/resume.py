"""Go on from a policy tree: its leaves that do not prove enough are searched again."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from symsafe.engine.leaves import CirculationLeaf
from symsafe.engine.limits import Limits
from symsafe.engine.question import Question
from symsafe.engine.search import search
from symsafe.engine.tree import Node, Outcome, Progress, trivial_root, walk
from symsafe.engine.witness import Witness

__all__ = ["resumed"]


def resumed(
    question: Question,
    root: Node,
    witness: Witness,
    limits: Limits,
    *,
    enough: Fraction | None = None,
    report: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Search for the cheapest bad policy below the leaves of a closed policy tree.

    Parameters
    ----------
    question : Question
    root : Node
        Its weakest leaves are replaced.
    witness : Witness
        A bad policy that is known.
    limits, enough, report
        As for `symsafe.engine.search.search`.

    Returns
    -------
    Outcome
        Never with wider bounds than those of `root` and `witness`.
    """
    leaves = sorted(_circulations(root), key=lambda entry: entry[0])
    nodes, stopped = sum(1 for _ in walk(root)), None
    for place, (cost, _, node) in enumerate(leaves):
        target = witness.cost if enough is None else enough
        if cost > target or (cost == target and enough is None):
            break
        stopped = limits.reached(nodes)
        if stopped or (enough is not None and witness.cost <= enough):
            break
        if report is not None:
            scale = question.reward_range
            low, high = float(cost / scale), float(witness.cost / scale)
            report(Progress(nodes, len(leaves) - place, low, high))
        below = search(question, limits, enough=enough, start=(node.allowed, witness))
        nodes += below.nodes
        if below.witness.cost < witness.cost:
            witness = below.witness
        if below.lower > cost:
            node.content, node.hitting = below.root.content, below.root.hitting
        stopped = below.stopped
    if witness.cost <= (0 if enough is None else enough):
        root = trivial_root(question)
    lower = min(cost for cost, _, _ in _circulations(root))
    return Outcome(root, min(lower, witness.cost), witness, stopped, nodes)


def _circulations(root: Node) -> list[tuple[Fraction, int, Node]]:
    return [
        (node.content.cost, place, node)
        for place, node in enumerate(walk(root))
        if isinstance(node.content, CirculationLeaf)
    ]
