"""The tree of a safe certificate as an outline: what each node says, for a reader to unfold.

Only the upper part of a large tree is written out; the rest is counted. Kinds of nodes that are not
known here are named and not explained.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from symsafe.certificate import Certificate
from symsafe.display.argument import Facts, facts_of, number
from symsafe.exact import exact

__all__ = ["Branch", "outline"]

MAX_NODES = 300
MAX_DEPTH = 24
_LEAVES = {
    "duplicate": "an action that is as good is tried elsewhere",
    "dual": "too expensive: a linear programme over its policies bounds their cost",
    "gap": "too expensive: the best bad policy falls short of the best one by a gap",
}


@dataclass(frozen=True, slots=True)
class Branch:
    """A node of the tree with what lies below it.

    Attributes
    ----------
    choice : str
        How one comes here from the node above; empty at the root.
    text : str
        What the node says.
    below : tuple of Branch
    hidden : int
        How many nodes below are not written out.
    """

    choice: str
    text: str
    below: tuple[Branch, ...]
    hidden: int


def outline(certificate: Certificate | Facts) -> Branch | None:
    """Return the tree of a certificate, at most 300 nodes and 24 levels of it; None without a tree.

    Examples
    --------
    >>> from symsafe import decide, loads_problem, problems
    >>> verdict = decide(loads_problem(problems.text("vertex-cover")))
    >>> root = outline(verdict.certificate)
    >>> root.text.split(":")[0], len(root.below) > 1
    ('split', True)
    """
    facts = facts_of(certificate)
    nodes = facts.certificate.document["evidence"].get("tree")
    if not nodes:
        return None
    reader = _Reader(facts, nodes)
    depth = {0: 0}
    waiting = deque([0])
    while waiting:
        here = waiting.popleft()
        for _, child in reader.children(here):
            if depth[here] < MAX_DEPTH and len(depth) < MAX_NODES:
                depth[child] = depth[here] + 1
                waiting.append(child)
    sizes = [1] * len(nodes)
    for here in reversed(range(len(nodes))):  # children come behind their parent
        sizes[here] += sum(sizes[child] for _, child in reader.children(here))
    return reader.branch("", 0, depth.keys(), sizes)


class _Reader:
    def __init__(self, facts: Facts, nodes: Sequence[Mapping[str, Any]]) -> None:
        self.nodes = nodes
        self.mdp = facts.problem.mdp
        self.rewards = [exact(r) for r in self.mdp.rewards]
        self.initial = [exact(p) for p in self.mdp.initial]
        self.scale = max(self.rewards) - min(self.rewards)
        self.bad = facts.best - exact(facts.problem.regret) * (facts.best - facts.worst)

    def kind(self, here: int) -> str:
        return next(key for key in self.nodes[here] if key != "hitting")

    def children(self, here: int) -> list[tuple[str, int]]:
        """Return how one goes on from a node, and where to."""
        kind = self.kind(here)
        body = self.nodes[here][kind]
        if kind == "split":
            names = self.mdp.actions[body["state"]]
            return [
                (" or ".join(names[action] for action in actions), child)
                for child, actions in body["children"]
            ]
        if kind in ("case", "side"):
            return [(key, child) for key, child in body.items() if key not in ("state", "action")]
        return []

    def branch(self, choice: str, here: int, shown: Any, sizes: Sequence[int]) -> Branch:
        below = [
            self.branch(text, child, shown, sizes)
            for text, child in self.children(here)
            if child in shown
        ]
        hidden = sum(sizes[child] for _, child in self.children(here) if child not in shown)
        return Branch(choice, self.text(here), tuple(below), hidden)

    def text(self, here: int) -> str:
        kind = self.kind(here)
        body = self.nodes[here][kind]
        if kind == "split":
            return f"split: what does the policy take in {self.mdp.states[body['state']]}?"
        if kind in ("case", "side"):
            state = self.mdp.states[body["state"]]
            name = f"{state}/{self.mdp.actions[body['state']][body['action']]}"
            asked = "is it taken?" if kind == "case" else "more or less than the reference?"
            return f"{kind}: {name}, {asked}"
        if kind == "value":
            reached = sum(
                (p * exact(u) for p, u in zip(self.initial, body, strict=True)), Fraction(0)
            )
            return f"not bad: every policy returns at least {number(reached)}"
        if kind == "circulation":
            return f"too expensive: an expected error of at least {number(self._price(body))}"
        return f"{kind}: {_LEAVES[kind]}" if kind in _LEAVES else kind

    def _price(self, body: Mapping[str, Any]) -> Fraction:
        total = -exact(body["kappa"]) * self.bad
        for state, action, flow in body["flow"]:
            total += (
                exact(flow)
                / exact(body.get("scale", 1))
                * self.rewards[self.mdp.pair_ranges[state][action]]
            )
        return total / self.scale
