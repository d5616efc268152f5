"""Best-first search over partial policies for the cheapest bad policy.

Guided by floats, decided exactly: floating point orders the work and proposes evidence; a node is
closed only by exact evidence, so the tree that remains is a proof whatever the guide believed.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property

import numpy as np

from symsafe.engine.leaves import (
    Allowed,
    CirculationLeaf,
    DuplicateLeaf,
    LeafMaker,
    Potentials,
    ValueLeaf,
)
from symsafe.engine.limits import Limits
from symsafe.engine.local_search import local_optima
from symsafe.engine.question import Question
from symsafe.engine.relaxation import Guess, Guide, Mask
from symsafe.engine.witness import Witness, cheapest_witness, faithful_witness
from symsafe.errors import EngineError
from symsafe.model import Policy

__all__ = [
    "Node",
    "Outcome",
    "Progress",
    "Search",
    "Split",
    "Start",
    "least_cost",
    "search",
    "trivial_root",
    "walk",
]

_RETURN_TOLERANCE = 1e-9
_BOUND_TOLERANCE = 1e-9
# Writing and checking a leaf takes about half as long as making it exact.
_CLOSING = 1.5


@dataclass(frozen=True, slots=True)
class Split:
    """The node's policies are those of its children, which partition the pairs of `state`."""

    state: int
    children: tuple[Node, ...]


@dataclass(slots=True, eq=False)
class Node:
    """A set of deterministic policies, and once it is closed the evidence about them."""

    allowed: Allowed
    hitting: Potentials = field(default_factory=dict)
    content: Split | ValueLeaf | CirculationLeaf | DuplicateLeaf | None = None
    guess: Guess | None = None
    coupled: bool = True


@dataclass(frozen=True, slots=True)
class Progress:
    """A snapshot of a running search; bounds are fractions of the reward range, not yet proven."""

    nodes: int
    open_nodes: int
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a search ends with.

    Attributes
    ----------
    root : Node
        A closed policy tree.
    lower : Fraction
        Every bad policy costs at least this, by the tree; in reward units.
    witness : Witness
        The cheapest bad policy found, with its reward model.
    stopped : str or None
        The limit that ended the search before it was complete.
    nodes : int
        Nodes created.
    """

    root: Node
    lower: Fraction
    witness: Witness
    stopped: str | None
    nodes: int


Start = tuple[Allowed, Witness]
"""The pairs that policies may take, per state, and a bad policy that is known."""


def search(
    question: Question,
    limits: Limits,
    *,
    enough: Fraction | None = None,
    report: Callable[[Progress], None] | None = None,
    start: Start | None = None,
) -> Outcome:
    """Search for the cheapest bad policy and the proof that none is cheaper.

    Parameters
    ----------
    question : Question
    limits : Limits
    enough : Fraction, optional
        Decide only whether some bad policy costs at most this (reward units): the search ends at
        the first such policy, and closes nodes that cost more. Without it, the exact least cost
        is found.
    report : callable, optional
        Receives a `Progress` now and then.
    start : Start, optional
        By default all pairs, and the policy of least return.

    Returns
    -------
    Outcome
        If nothing stopped it: with `enough`, either the witness costs at most `enough` or `lower`
        is more; without, `lower` equals the cost of the witness.
    """
    return Search(question, limits, enough, report, start).run()


class Search:
    """A running search; `symsafe.engine.fast` uses its parts where floats do not suffice."""

    def __init__(
        self,
        question: Question,
        limits: Limits,
        enough: Fraction | None,
        report: Callable[[Progress], None] | None,
        start: Start | None = None,
    ) -> None:
        self.question = question
        self.limits = limits
        self.enough = enough
        self.report = report
        self.guide = Guide(question)
        self.leaves = LeafMaker(question)
        self.known = start is not None
        if start is not None:
            self.root, self.witness = Node(start[0]), start[1]
        else:
            self.root = Node(_everything(question))
            if question.problem.regret == 0:
                self.witness = faithful_witness(question)
        self.open: list[tuple[float, int, Node]] = []
        self.order = itertools.count()
        self.nodes = 1
        self.exact_seconds = 0.0

    @cached_property
    def witness(self) -> Witness:
        """The cheapest bad policy known; that of least return, as long as none was offered."""
        return cheapest_witness(self.question, self.question.returns.worst)

    # -- the search ------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Search from the root."""
        self._improve_witness()
        if not self.settled():
            self._open_root()
        stopped = self._explore()
        if self.settled():
            # Either the question is decided by the witness, or the least cost is 0.
            self.root = trivial_root(self.question)
        lower = least_cost(self.root, self.witness)
        return Outcome(self.root, lower, self.witness, stopped, self.nodes)

    def close(self, node: Node) -> None:
        """Close an open node: by a search below it, or if a limit is reached by any bound."""
        self.nodes += 1
        self._push(node, 0.0)
        self._explore()

    def _explore(self) -> str | None:
        """Expand open nodes until there are none or a limit is reached, and close what is left."""
        stopped = None
        while self.open and not self.settled():
            reserve = _CLOSING * self.exact_seconds * len(self.open)
            stopped = self.limits.reached(self.nodes, reserve)
            if stopped:
                break
            bound, _, node = heapq.heappop(self.open)
            self._expand(node, bound)
            if self.report:
                self.report(Progress(self.nodes, len(self.open), bound, self._threshold()))
        if not self.settled():
            for _, _, node in self.open:
                node.content = self._circulation(node)
            self.open.clear()
        return stopped

    def settled(self) -> bool:
        """Return whether the witness alone answers the question."""
        return self.witness.cost <= (0 if self.enough is None else self.enough)

    def passes(self, cost: Fraction) -> bool:
        """Return whether bad policies of at least this cost need no further search."""
        return cost >= self.witness.cost if self.enough is None else cost > self.enough

    def _threshold(self) -> float:
        """Return what a node's bound has to reach, as a fraction of the reward range."""
        target = self.witness.cost if self.enough is None else self.enough
        return float(target / self.question.reward_range)

    # -- good policies -----------------------------------------------------------------------

    def _improve_witness(self) -> None:
        def stop() -> bool:
            return self.settled() or self.limits.reached() is not None

        if self.known or stop():
            return
        ranges = self.question.mdp.pair_ranges
        worst = self.question.returns.worst.choices
        start = np.array([pairs.start + a for pairs, a in zip(ranges, worst, strict=True)])
        best = float(self.witness.cost / self.question.reward_range)
        for cost, choice in local_optima(self.guide, start, stop):
            if cost < best * (1 - _BOUND_TOLERANCE):
                self.offer(choice)
                best = min(best, cost)

    def offer(self, choice: Iterable[int]) -> Witness:
        """Evaluate a policy exactly; it becomes the witness if it is bad and cheaper."""
        ranges = self.question.mdp.pair_ranges
        actions = tuple(int(pair) - pairs.start for pairs, pair in zip(ranges, choice, strict=True))
        policy = Policy.deterministic(self.question.mdp, actions)
        candidate = cheapest_witness(self.question, policy)
        bad = candidate.policy_return <= self.question.bad_return
        if bad and ("witness" not in vars(self) or candidate.cost < self.witness.cost):
            self.witness = candidate
        return candidate

    # -- nodes -------------------------------------------------------------------------------

    def _open_root(self) -> None:
        """Declare occupancy bounds, drop duplicate and hopeless pairs, open what remains."""
        reach = self.guide.hitting(self._mask(self.root.allowed))
        self.root.hitting = dict(self.leaves.potentials(self.root.allowed, reach))
        node = self.without_duplicates(self.root)
        if not self._try_close(node):
            self._circulation(node)  # to know what closing the open nodes will take
            rest = self._without_hopeless(node)
            if rest is not None and (rest is node or not self._try_close(rest)):
                self._push(rest, -np.inf)

    def without_duplicates(self, node: Node) -> Node:
        """Split off pairs that repeat another one; return the node of the others."""
        mdp, weights = self.question.mdp, self.question.weights
        for state, pairs in enumerate(node.allowed):
            kinds: dict[object, list[int]] = {}
            for pair in pairs:
                kinds.setdefault((mdp.successors[pair], mdp.rewards[pair]), []).append(pair)
            twins = {
                pair: min(kind, key=lambda p: (weights[p], p))
                for kind in kinds.values()
                for pair in kind
            }
            kept = tuple(pair for pair in pairs if twins[pair] == pair)
            if len(kept) < len(pairs):
                rest = self._child(node, state, kept)
                dropped = [pair for pair in pairs if twins[pair] != pair]
                duplicates = [self._child(node, state, (pair,)) for pair in dropped]
                for duplicate, pair in zip(duplicates, dropped, strict=True):
                    duplicate.content = DuplicateLeaf(twins[pair])
                node.content = Split(state, (*duplicates, rest))
                node = rest
        return node

    def _without_hopeless(self, node: Node) -> Node | None:
        """Split off the pairs that can be closed at once; return what remains, if anything."""
        for state, pairs in enumerate(node.allowed):
            if len(pairs) == 1:
                continue
            if self.limits.reached(self.nodes):
                return node
            children = [self._child(node, state, (pair,)) for pair in pairs]
            closed = [
                child for child in children if not self.limits.overdue() and self._try_close(child)
            ]
            kept = tuple(
                pair for child, pair in zip(children, pairs, strict=True) if child.content is None
            )
            if not closed:
                continue
            if not kept:
                node.content = Split(state, tuple(closed))
                return None
            rest = self._child(node, state, kept)
            node.content = Split(state, (*closed, rest))
            node = rest
        return node

    def _child(self, node: Node, state: int, pairs: tuple[int, ...]) -> Node:
        self.nodes += 1
        allowed = (*node.allowed[:state], pairs, *node.allowed[state + 1 :])
        return Node(allowed, coupled=node.coupled)

    def _push(self, node: Node, floor: float) -> None:
        bound = max(floor, node.guess.bound if node.guess else 0.0)
        heapq.heappush(self.open, (bound, next(self.order), node))

    def _expand(self, node: Node, bound: float) -> None:
        # The witness may have improved since the node was opened, or by its only policy.
        if self._try_close(node) or self.settled():
            return
        state = self._branching_state(node)
        children = tuple(self._child(node, state, (pair,)) for pair in node.allowed[state])
        waiting = []
        for child in children:
            if self.limits.overdue():  # to close the node alone is quicker than all that is below
                self._push(node, bound)
                return
            if not self._try_close(child):
                waiting.append(child)
        node.content = Split(state, children)
        for child in waiting:
            self._push(child, bound)

    def _branching_state(self, node: Node) -> int:
        """Return the state whose least promising pair would raise the bound most."""

        def score(state: int) -> tuple[float, int]:
            gains = sorted(float(scores[pair]) for pair in node.allowed[state])
            return gains[0] + 1e-3 * gains[1] + 1e-6 * sum(gains), -state

        scores = node.guess.scores if node.guess else self.guide.weights
        open_states = [s for s, pairs in enumerate(node.allowed) if len(pairs) > 1]
        if not open_states:
            raise EngineError("the cost of a single policy contradicts the witness made of it")
        return max(open_states, key=score)

    def _mask(self, allowed: Allowed) -> Mask:
        mask = np.zeros(self.guide.pairs, dtype=bool)
        mask[list(itertools.chain.from_iterable(allowed))] = True
        return mask

    # -- closing -----------------------------------------------------------------------------

    def _try_close(self, node: Node) -> bool:
        """Close the node if exact evidence can be had, else leave it with the guide's guess."""
        threshold = self._threshold()
        single = all(len(pairs) == 1 for pairs in node.allowed)
        if node.guess is None:
            mask = self._mask(node.allowed)
            least = self.guide.least_return(mask)
            if single or least > self.guide.bad_return - _RETURN_TOLERANCE:
                node.content = self.leaves.value(node.allowed)
                if node.content is not None:
                    return True
            forced = np.zeros_like(mask)
            forced[[pairs[0] for pairs in node.allowed if len(pairs) == 1]] = True
            node.guess, node.coupled = self.guide.bound(
                mask, forced, threshold, coupled=node.coupled
            )
        if single:
            # The value leaf failed, so the policy is bad. Its exact cost, without coupling, is at
            # least that of the witness, or in a decision answers the question.
            self.offer(pairs[0] for pairs in node.allowed)
            node.guess = replace(node.guess, kappa=0.0)
        if single or node.guess.bound >= threshold * (1 - _BOUND_TOLERANCE):
            leaf = self._circulation(node)
            if self.passes(leaf.cost):
                node.content = leaf
                return True
        return False

    def _circulation(self, node: Node) -> CirculationLeaf:
        started = self.limits.elapsed
        kappa = node.guess.kappa if node.guess else 0.0
        reach = self.guide.hitting(self._mask(node.allowed)) if kappa > 0 else None
        leaf = self.leaves.circulation(node.allowed, kappa, reach, self.root.hitting)
        self.exact_seconds = max(0.9 * self.exact_seconds, self.limits.elapsed - started)
        return leaf


def least_cost(root: Node, witness: Witness) -> Fraction:
    """Return what the leaves of a closed tree prove; below a node there may be no bad policy."""
    costs = (n.content.cost for n in walk(root) if isinstance(n.content, CirculationLeaf))
    return min(costs, default=witness.cost)


def trivial_root(question: Question) -> Node:
    """Return the tree that proves the lower bound 0."""
    return Node(_everything(question), content=CirculationLeaf(Fraction(0)))


def _everything(question: Question) -> Allowed:
    return tuple(tuple(pairs) for pairs in question.mdp.pair_ranges)


def walk(root: Node) -> Iterator[Node]:
    """Yield the nodes of a tree, each before its children."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node.content, Split):
            waiting.extend(reversed(node.content.children))
