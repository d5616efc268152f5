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
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

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
_BATCH = 32
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
_CLOSING = 1e-5
_KAPPA_SHARES = (1.0, 0.999999, 0.9999)
_ZERO = Fraction(0)


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
        column=np.array(index, np.int64),
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
        counts=np.zeros(4, np.int64),
    )


def larger(pool: kernel.Pool) -> kernel.Pool:
    """Return the pool with twice the room."""
    room = len(pool.parent)

    def grown(array: NDArray[Any]) -> NDArray[Any]:
        result = np.zeros((2 * room, *array.shape[1:]), array.dtype)
        result[:room] = array
        return result

    return kernel.Pool(*map(grown, pool[:-1]), pool.counts)  # type: ignore[call-arg]


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
        self.room = (
            kernel.linear(self.states, self.pairs),
            kernel.linear(self.states, self.pairs),
            kernel.no_steps(self.pairs),
        )
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
        if not slow.settled():
            self._close(stopped)
        if slow.settled():
            slow.root = trivial_root(self.question)
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
        pool.counts[0] = pool.counts[1] = 1

    def _search(self) -> str | None:
        batch = 1
        while True:
            pool = self.pool
            reserve = float(pool.counts[0]) * self.pairs * _CLOSING
            stopped = self.limits.reached(int(pool.counts[0]), reserve)
            if stopped:
                return stopped
            level, tight = self._threshold()
            outcome, node = kernel.search(self.model, pool, *self.room, level, tight, batch)
            batch = min(2 * batch, _BATCH)
            if outcome == kernel.READY:
                return None
            if outcome == kernel.FULL:
                self.pool = larger(pool)
            elif outcome == kernel.CLIMBED:
                self._judge(node)
                if self.slow.settled():
                    return None
            if self.report and pool.counts[1]:
                self.report(self._progress())

    def _progress(self) -> Progress:
        pool = self.pool
        lower = float(pool.bound[pool.heap[0]]) / self.pairs
        upper = float(self.slow.witness.cost / self.question.reward_range)
        return Progress(int(pool.counts[0]), int(pool.counts[1]), lower, upper)

    def _judge(self, node: int) -> None:
        """Evaluate the only policy of a node exactly."""
        returned = self.slow.offer(np.flatnonzero(self.pool.allowed[node]).tolist())
        bad = returned <= self.question.bad_return
        self.pool.kind[node] = kernel.CIRCULATION if bad else kernel.VALUE
        self.pool.kappa[node] = 0.0

    # -- the tree made exact -----------------------------------------------------------------

    def _close(self, stopped: str | None) -> None:
        """Build the tree that the pool describes, with exact evidence in each leaf."""
        pool, count = self.pool, int(self.pool.counts[0])
        level = self._threshold()[0]
        if stopped:
            # Nothing has to be proven beyond the weakest open node.
            level = min(level, float(pool.bound[pool.heap[: pool.counts[1]]].min(initial=level)))
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
                leaf = maker.circulation(
                    place, source, kappa, pool.basis[i], level * (1 + _MARGIN / 2)
                )
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

    def known(self, pairs: int, horizon: fmpq) -> Floats:
        """Return the occupancy bounds that are declared so far, in floats."""
        visits = np.full(pairs, float(horizon.p) / float(horizon.q))
        chain: list[Place] = []
        place: Place | None = self
        while place is not None:
            chain.append(place)
            place = place.parent
        for above in reversed(chain):
            for bounds in above.proven.values():
                for pair, bound in bounds.items():
                    visits[pair] = float(bound.p) / float(bound.q) * (1 + 1e-12)
        return visits


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
        self.least = min(question.rewards) * leaves.horizon
        self.scale = float(self.pairs)

    # -- value leaves ------------------------------------------------------------------------

    def value(self, place: Place, choice: Ints) -> ValueLeaf | None:
        """Return a value leaf with rounded numbers, or None if they do not suffice."""
        values, choice = np.zeros(self.states), choice.copy()
        visits = np.zeros((self.states, self.states))
        kernel.worst(self.model, place.mask, choice, visits, values)
        # Lower by a constant that makes up for what rounding down takes.
        grid = 10.0**_VALUE_DIGITS
        rounded = np.floor(values * grid) - ceil(self.leaves.horizon) - 1
        model, floats = self.model, rounded / grid
        outlook = model.reward - np.add.reduceat(
            model.entry * floats[model.column], model.first[:-1]
        )
        slack = 1e-13 * float(self.leaves.horizon)
        if outlook[place.mask].min() < slack or model.initial @ floats <= model.bad + slack:
            return None
        scale, least = self.question.reward_range, self.least
        return ValueLeaf(
            tuple(Fraction(int(u), 10**_VALUE_DIGITS) * scale + least for u in rounded)
        )

    # -- circulation leaves ------------------------------------------------------------------

    def circulation(
        self, place: Place, source: Place, kappa: float, basis: Ints, level: float
    ) -> CirculationLeaf | None:
        """Return the circulation leaf that the kernel believes in, or None if it is none."""
        tight, visits = np.zeros(self.pairs), np.zeros(self.pairs)
        if kappa > 0:
            # The fewer hitting bounds are declared, the quicker the check.
            known = place.known(self.pairs, self.horizon)
            guess = kernel.couple(
                self.model, self.room, basis, place.mask, known, kappa * self.pairs, level
            )
            visits = known if guess >= 0 else self._visits(source)
            kappa = guess / self.pairs if guess >= 0 else kappa
        # Rounding may make the greatest feasible multiplier infeasible: then a smaller one.
        for share in _KAPPA_SHARES if kappa > 0 else (0.0,):
            proposed = f"{kappa * share:.{_KAPPA_DIGITS}g}" if share else "0"
            multiplier = to_flint(Fraction(proposed))
            times = float(multiplier.p) / float(multiplier.q) * self.pairs
            if self._bound(place, basis, visits, times, tight) > -np.inf:
                break
        else:
            return None
        for _ in range(_ATTEMPTS):
            flow = self._rounded(multiplier)
            if flow is None:
                return None
            broken = self._broken(place, flow, multiplier, visits)
            if not broken:
                return self._leaf(place, source, flow, multiplier)
            tight[broken] += _DRAWN_IN
            if self._bound(place, basis, visits, times, tight) == -np.inf:
                return None
        return None

    def _bound(
        self, place: Place, basis: Ints, visits: Floats, times: float, tight: Floats
    ) -> float:
        return kernel.flow(self.model, self.room, basis, place.mask, visits, times, tight)

    def _visits(self, source: Place) -> Floats:
        """Return the occupancy bounds that the allowed pairs of a node give."""
        if source.visits is None:
            source.reach, source.visits = self.model.reach.copy(), np.zeros(self.pairs)
            kernel.hitting(self.model, source.mask, source.reach, _SWEEPS)
            kernel.visited(self.model, source.mask, source.reach, source.visits)
        return source.visits

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
                y = min(fmpq(ceil(at / self.scale * grid), grid), self.weights[p])
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
        kappa = float(multiplier.p) / float(multiplier.q)
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
                heights = self._heights(source, state)
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
            from_flint(cost),
            from_flint(multiplier),
            tuple(from_flint(y) if y else _ZERO for y in flow),
        )

    def _heights(self, source: Place, state: int) -> tuple[Fraction, ...] | None:
        """Return exact hitting bounds at a node, nowhere above those that are declared there."""
        self._visits(source)
        if source.reach is None:
            return None
        for _, heights in self.leaves.potentials(source.node.allowed, source.reach.T, [state]):
            place: Place | None = source
            while place is not None and state not in place.node.hitting:
                place = place.parent
            if place is None:
                return heights
            return tuple(map(min, heights, place.node.hitting[state]))
        return None

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
