"""The compiled search, made exact: for questions with many policies.

The kernel searches in floating point to the end. What it leaves is a tree of beliefs; this file
turns each leaf into exact evidence, and where that fails hands the leaf to the exact search of
`symsafe.engine.tree`, which needs no belief.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil

import numpy as np
from flint import fmpq, fmpq_mat

from symsafe.analysis.linear import from_flint, to_flint
from symsafe.engine import kernel
from symsafe.engine.kernel import Floats, Ints
from symsafe.engine.leaves import CirculationLeaf, LeafMaker, ValueLeaf
from symsafe.engine.limits import Limits
from symsafe.engine.question import Question
from symsafe.engine.relaxation import Guide, Mask
from symsafe.engine.tree import Node, Outcome, Progress, Search, Split, trivial_root, walk

__all__ = ["fast_search"]

_KICKS = 10
_CLIMBS = 4
_BATCH = 20
_ROOM = 4096
_TIE = 1e-9
_MARGIN = 1e-5
_SWEEPS = 48
_ATTEMPTS = 4
_DRAWN_IN = 1e-7
_GRID_DIGITS = 7
_FLOW_DIGITS = 11
_VALUE_DIGITS = 8
_KAPPA_DIGITS = 6
# Seconds per node and pair that exact evidence, writing and checking take, about.
_CLOSING = 2e-5


def model_of(question: Question, guide: Guide, coarse: float) -> kernel.Model:
    """Return the question as the kernel reads it."""
    states, pairs = guide.states, guide.pairs
    first, index, entry = [0], [], []
    for row in guide.bellman:
        columns = np.flatnonzero(row)
        index += columns.tolist()
        entry += row[columns].tolist()
        first.append(len(index))
    ranges = guide.pair_ranges
    choices = question.returns.worst.choices
    worst = [row.start + a for row, a in zip(ranges, choices, strict=True)]
    model = kernel.Model(
        starts=np.array([*(row.start for row in ranges), pairs], np.int64),
        owner=guide.pair_states.astype(np.int64),
        first=np.array(first, np.int64),
        index=np.array(index, np.int64),
        entry=np.array(entry, np.float64),
        reward=guide.rewards,
        weight=guide.weights * pairs,
        initial=guide.initial,
        worst=np.array(worst, np.int64),
        reach=np.ones((states, states)),
        bad=guide.bad_return,
        coarse=coarse,
    )
    kernel.hitting(model, np.ones(pairs, np.bool_), model.reach, 500)
    return model


def new_pool(room: int, states: int, pairs: int) -> kernel.Pool:
    """Return an empty pool for `room` nodes."""
    return kernel.Pool(
        parent=np.full(room, -1, np.int64),
        state=np.full(room, -1, np.int64),
        kind=np.zeros(room, np.int64),
        source=np.zeros(room, np.int64),
        kappa=np.zeros(room),
        bound=np.zeros(room),
        allowed=np.zeros((room, pairs), np.bool_),
        basis=np.zeros((room, states), np.int64),
        top=np.zeros((room, pairs), np.bool_),
        choice=np.zeros((room, states), np.int64),
        heap=np.zeros(room, np.int64),
        count=np.zeros(4, np.int64),
    )


def larger(pool: kernel.Pool) -> kernel.Pool:
    """Return the pool with twice the room."""
    room = len(pool.parent)

    def grown(array: np.ndarray) -> np.ndarray:
        result = np.zeros((2 * room, *array.shape[1:]), array.dtype)
        result[:room] = array
        return result

    return kernel.Pool(*(grown(array) for array in pool[:-1]), pool.count)


def fast_search(
    question: Question,
    limits: Limits,
    *,
    enough: Fraction | None = None,
    report: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Do what `symsafe.engine.tree.search` does, with the compiled kernel."""
    return _Fast(question, limits, enough, report).run()


class _Fast:
    def __init__(
        self,
        question: Question,
        limits: Limits,
        enough: Fraction | None,
        report: Callable[[Progress], None] | None,
    ) -> None:
        self.question, self.limits, self.enough, self.report = question, limits, enough, report
        # The exact search judges witnesses, and closes what floats cannot.
        self.slow = Search(question, limits, enough, None)
        guide, leaves = self.slow.guide, self.slow.leaves
        lift = ceil(leaves.horizon)
        leaves.grid = 10 ** (_GRID_DIGITS + len(str(lift)))
        self.states, self.pairs = guide.states, guide.pairs
        self.unit = question.reward_range / self.pairs
        self.model = model_of(question, guide, (lift + 1) / leaves.grid)
        self.room = (kernel.linear(self.states, self.pairs), kernel.linear(self.states, self.pairs))
        self.pool = new_pool(_ROOM, self.states, self.pairs)
        self.top = self.slow.root

    def run(self) -> Outcome:
        slow = self.slow
        if not slow.settled():
            self._climb()
        stopped = None
        if not slow.settled():
            self._plant()
            stopped = self._search()
        if slow.settled():
            slow.root = trivial_root(self.question)
        else:
            self._close(stopped)
        leaves = [node.content for node in walk(slow.root)]
        lower = min(leaf.cost for leaf in leaves if isinstance(leaf, CirculationLeaf))
        return Outcome(slow.root, lower, slow.witness, stopped, len(leaves))

    # -- the search in floats ----------------------------------------------------------------

    def _climb(self) -> None:
        start, best = self.model.worst.copy(), self.model.worst.copy()
        seed = np.array([1], np.int64)
        for _ in range(_CLIMBS):
            kernel.climb(self.model, self.room[0], start, seed, _KICKS, best)
            self.slow.offer(best.tolist())
            if self.slow.settled() or self.limits.reached():
                return
            start[:] = best

    def _threshold(self) -> tuple[float, float]:
        """Return the cost that nodes have to reach, and the same for bounds without a margin."""
        target = self.slow.witness.cost if self.enough is None else self.enough
        level = float(target / self.unit)
        return level, level * (1 - _TIE if self.enough is None else 1 + _TIE)

    def _plant(self) -> None:
        """Make the root of the pool."""
        self.top = self.slow.without_duplicates(self.slow.root)
        pool = self.pool
        for s, row in enumerate(self.top.allowed):
            pool.allowed[0, list(row)] = True
            worst = int(self.model.worst[s])
            pool.choice[0, s] = worst if worst in row else row[0]
        pool.basis[0] = pool.choice[0]
        pool.parent[0] = pool.state[0] = -1
        pool.count[0] = pool.count[1] = 1

    def _search(self) -> str | None:
        while True:
            level, tight = self._threshold()
            pool = self.pool
            outcome, node = kernel.search(self.model, pool, *self.room, level, tight, _BATCH)
            if outcome == kernel.READY:
                return None
            if outcome == kernel.FULL:
                self.pool = larger(pool)
            elif outcome == kernel.CLIMBED:
                self._judge(node)
                if self.slow.settled():
                    return None
            if self.report and pool.count[1]:
                self.report(self._progress())
            reserve = float(pool.count[0]) * self.pairs * _CLOSING
            stopped = self.limits.reached(int(pool.count[0]), reserve)
            if stopped:
                return stopped

    def _progress(self) -> Progress:
        pool = self.pool
        lower = float(pool.bound[pool.heap[0]]) / self.pairs
        upper = float(self.slow.witness.cost / self.question.reward_range)
        return Progress(int(pool.count[0]), int(pool.count[1]), lower, upper)

    def _judge(self, node: int) -> None:
        """Evaluate the only policy of a node exactly."""
        returned = self.slow.offer(np.flatnonzero(self.pool.allowed[node]).tolist())
        bad = returned <= self.question.bad_return
        self.pool.kind[node] = kernel.CIRCULATION if bad else kernel.VALUE
        self.pool.kappa[node] = 0.0

    # -- the tree made exact -----------------------------------------------------------------

    def _close(self, stopped: str | None) -> None:
        """Build the tree that the pool describes, with exact evidence in each leaf."""
        pool, count = self.pool, int(self.pool.count[0])
        level = self._threshold()[0]
        if stopped:
            # Nothing has to be proven beyond the weakest open node.
            level = min(level, float(pool.bound[pool.heap[: pool.count[1]]].min(initial=level)))
        children: list[list[int]] = [[] for _ in range(count)]
        for i in range(1, count):
            children[pool.parent[i]].append(i)
        maker = _Maker(self.question, self.slow.leaves, self.model, self.room[0])
        nodes = {0: self.top}
        places = {0: Place(self.top, pool.allowed[0], None)}
        waiting = [0]
        while waiting:
            i = waiting.pop()
            node, place, kind = nodes[i], places[i], int(pool.kind[i])
            closed = pool.source[i] == i and pool.bound[i] >= level * (1 + _MARGIN)
            if kind == kernel.BRANCHED and not closed:
                s = int(pool.state[i])
                row = range(self.model.starts[s], self.model.starts[s + 1])
                for child in children[i]:
                    pairs = tuple(p for p in row if pool.allowed[child, p])
                    nodes[child] = Node((*node.allowed[:s], pairs, *node.allowed[s + 1 :]))
                    places[child] = Place(nodes[child], pool.allowed[child], place)
                node.content = Split(s, tuple(nodes[child] for child in children[i]))
                waiting += reversed(children[i])
                continue
            if kind == kernel.VALUE:
                node.content = maker.value(place, pool.choice[i]) or self.slow.leaves.value(
                    node.allowed
                )
            else:
                kappa = float(pool.kappa[i]) / self.pairs
                source = places[int(pool.source[i])]
                leaf = maker.circulation(place, source, kappa, pool.choice[i])
                if leaf is not None and (stopped or self.slow.passes(leaf.cost)):
                    node.content = leaf
            if node.content is None:
                self.slow.close(node)


@dataclass(slots=True, eq=False)
class Place:
    """A node on its way from the root, with the hitting bounds that are declared there."""

    node: Node
    mask: Mask
    parent: Place | None
    reach: Floats | None = None
    visits: Floats | None = None
    proven: dict[int, dict[int, fmpq]] = field(default_factory=dict)

    def declared(self, state: int) -> dict[int, fmpq] | None:
        """Return the occupancy bounds of the pairs of a state that count here."""
        place: Place | None = self
        while place is not None:
            if state in place.proven:
                return place.proven[state]
            place = place.parent
        return None


class _Maker:
    """Makes leaves exact: floats say which variables are basic, FLINT solves for them."""

    def __init__(
        self, question: Question, leaves: LeafMaker, model: kernel.Model, room: kernel.Linear
    ) -> None:
        self.question, self.leaves, self.model, self.room = question, leaves, model, room
        self.weights = [to_flint(w) for w in question.weights]
        self.rewards = [to_flint(r) for r in question.rewards]
        self.initial = [to_flint(p) for p in question.initial]
        self.bad = to_flint(question.bad_return)
        self.horizon = to_flint(leaves.horizon)
        self.rows: list[list[tuple[int, fmpq]]] = [[] for _ in self.weights]
        for t, row in enumerate(leaves.rows):
            for p, x in row.items():
                if x:
                    self.rows[p].append((t, to_flint(x)))
        self.pairs, self.states = len(self.weights), len(self.initial)
        self.scale = float(self.pairs)

    # -- value leaves ------------------------------------------------------------------------

    def value(self, place: Place, choice: Ints) -> ValueLeaf | None:
        """Return a value leaf with rounded numbers, or None if they do not suffice."""
        question = self.question
        values = np.zeros(self.states)
        kernel.returned(self.model, choice, np.zeros((self.states, self.states)), values)
        grid = 10**_VALUE_DIGITS
        # Lower by a constant that makes up for what rounding down takes.
        lift = ceil(self.leaves.horizon)
        least = min(question.rewards) * self.leaves.horizon
        scaled = [Fraction(int(np.floor(v * grid)) - lift, grid) for v in values]
        exact = tuple(question.reward_range * u + least for u in scaled)
        mean = sum((p * v for p, v in zip(question.initial, exact, strict=True)), Fraction(0))
        if mean <= question.bad_return:
            return None
        flint = [to_flint(u) for u in exact]
        for p in np.flatnonzero(place.mask).tolist():
            if sum((x * flint[t] for t, x in self.rows[p]), fmpq(0)) > self.rewards[p]:
                return None
        return ValueLeaf(exact)

    # -- circulation leaves ------------------------------------------------------------------

    def circulation(
        self, place: Place, source: Place, kappa: float, choice: Ints
    ) -> CirculationLeaf | None:
        """Return the circulation leaf that the kernel believes in, or None if it is none."""
        multiplier = fmpq(0)
        if kappa > 0:
            multiplier = to_flint(Fraction(f"{kappa:.{_KAPPA_DIGITS}g}"))
            if source.reach is None:
                source.reach = self.model.reach.copy()
                source.visits = np.zeros(self.pairs)
                kernel.hitting(self.model, source.mask, source.reach, _SWEEPS)
                kernel.visited(self.model, source.mask, source.reach, source.visits)
        visits = np.zeros(self.pairs) if source.visits is None else source.visits
        tight = np.zeros(self.pairs)
        level = float(Fraction(int(multiplier.p), int(multiplier.q)) * self.pairs)
        for _ in range(_ATTEMPTS):
            solved = kernel.flow(self.model, self.room, choice, place.mask, visits, level, tight)
            flow = self._rounded(multiplier) if solved else None
            if flow is None:
                return None
            broken = self._broken(place, flow, multiplier, visits)
            if not broken:
                return self._leaf(place, source, flow, multiplier)
            tight[broken] += _DRAWN_IN
        return None

    def _rounded(self, multiplier: fmpq) -> list[fmpq] | None:
        """Put the non-basic variables on or just above their bounds; solve for the others."""
        room, flow = self.room, [fmpq(0)] * self.pairs
        rest = [multiplier * p for p in self.initial]
        grid = 10**_FLOW_DIGITS
        for p in np.flatnonzero(room.place < 0).tolist():
            at = float(room.high[p] if room.top[p] else room.low[p])
            if at == 0.0:
                continue
            if at == self.model.weight[p]:
                y = self.weights[p]
            elif at == -self.model.weight[p]:
                y = -self.weights[p]
            else:
                y = fmpq(ceil(at / self.scale * grid), grid)
            flow[p] = y
            for t, x in self.rows[p]:
                rest[t] -= x * y
        matrix = fmpq_mat(self.states, self.states)
        basis = room.basis.tolist()
        for k, p in enumerate(basis):
            for t, x in self.rows[p]:
                matrix[t, k] = x
        try:
            found = matrix.solve(fmpq_mat(self.states, 1, rest)).entries()
        except ZeroDivisionError:
            return None
        for p, y in zip(basis, found, strict=True):
            flow[p] = y
        return flow

    def _broken(
        self, place: Place, flow: list[fmpq], multiplier: fmpq, visits: Floats
    ) -> list[int]:
        """Return the basic pairs whose flow is outside its bounds."""
        broken = []
        low, kappa = self.room.low, float(multiplier.p) / float(multiplier.q)
        forced = {row[0] for row in place.node.allowed if len(row) == 1}
        for p in self.room.basis.tolist():
            y = flow[p]
            if y > self.weights[p] or (y < 0 and p not in forced):
                broken.append(p)
            elif place.mask[p]:
                floor = kappa * visits[p] - self.model.weight[p] / self.scale
                if kappa == 0:
                    if y < -self.weights[p]:
                        broken.append(p)
                elif float(y.p) / float(y.q) < floor - 1e-13:
                    broken.append(p)
        return broken

    def _leaf(
        self, place: Place, source: Place, flow: list[fmpq], multiplier: fmpq
    ) -> CirculationLeaf | None:
        """Declare the hitting bounds that the flow needs; return the leaf if they suffice."""
        if multiplier:
            for state, row in enumerate(place.node.allowed):
                if self._covered(place.declared(state), row, flow, multiplier):
                    continue
                heights = dict(
                    self.leaves.potentials(source.node.allowed, source.reach.T, [state])
                ).get(state)
                if heights is None:
                    return None
                source.node.hitting = {**source.node.hitting, state: heights}
                source.proven[state] = {
                    pair: to_flint(bound)
                    for pair, bound in self.leaves.visits(source.node.allowed, {state: heights})
                }
                if not self._covered(source.proven[state], row, flow, multiplier):
                    return None
        cost = sum((y * self.rewards[p] for p, y in enumerate(flow) if y), -multiplier * self.bad)
        return CirculationLeaf(
            from_flint(cost), from_flint(multiplier), tuple(from_flint(y) for y in flow)
        )

    def _covered(
        self,
        bounds: dict[int, fmpq] | None,
        row: tuple[int, ...],
        flow: list[fmpq],
        multiplier: fmpq,
    ) -> bool:
        """Return whether the flow meets rule 3 in a state with these occupancy bounds."""
        return all(
            flow[p] + self.weights[p]
            >= multiplier * (self.horizon if bounds is None else bounds[p])
            for p in row
        )
