"""The compiled search, made exact: for questions with many policies.

The kernel searches in floating point to the end. What it leaves is a tree of beliefs; this file
turns each leaf into exact evidence, and where that fails hands the leaf to the exact search of
`symsafe.engine.tree`, which needs no belief.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from fractions import Fraction
from functools import partial
from math import ceil
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from symsafe.engine import kernel
from symsafe.engine.forest import Crew, Leaf, Maker, Place
from symsafe.engine.kernel import Ints
from symsafe.engine.limits import Limits
from symsafe.engine.question import Question
from symsafe.engine.relaxation import Guide
from symsafe.engine.tree import (
    Node,
    Outcome,
    Progress,
    Search,
    Split,
    Start,
    least_cost,
    trivial_root,
    walk,
)

__all__ = ["fast_search"]

_KICKS = 10
_CLIMBS = 4
_ALONE = 128
_PARTS = 16
_CHAINS = 8
_SHARE = 400
_ROOM = 4096
_TIE = 1e-9
_MARGIN = 1e-5
_GRID_DIGITS = 7
# From so many pairs on, a bandit's policies are priced without a programme for each.
_PRICED = 1000
_LOOK = 0.05  # seconds between looks at the limits while the kernel works
# Seconds per node and pair that exact evidence takes, and that writing and checking it take.
_CLOSING, _CHECKING = 1e-5, 7e-6


T = TypeVar("T")
_Room = tuple[kernel.Linear, kernel.Linear, kernel.Steps]


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
        first=np.array(first, np.uint64),
        column=np.array(index, np.uint64),
        entry=np.array(entry, np.float64),
        reward=guide.rewards,
        weight=guide.weights * pairs,
        initial=guide.initial,
        worst=np.array(worst, np.int64),
        reach=np.ones((states, states)),
        bad=guide.bad_return,
        coarse=coarse,
        price=prices(guide) if not question.discount and pairs >= _PRICED else np.zeros(0),
        halt=np.zeros(1, np.bool_),
    )
    kernel.hitting(model, np.ones(pairs, np.bool_), model.reach, 500)
    return model


def prices(guide: Guide) -> NDArray[np.float64]:
    """Return what each pair of a bandit costs if a policy takes it, as the kernel counts.

    As in `symsafe.engine.bandit`: the value of a context that is best for a pair is the least
    reward with no more data above it than the pair has, and not below the pair's own.
    """
    found = np.zeros(guide.pairs)
    for pairs in guide.pair_ranges:
        order = pairs.start + np.argsort(-guide.rewards[pairs], kind="stable")
        reward, weight = guide.rewards[order], guide.weights[order] * guide.pairs
        above = np.append(0.0, np.cumsum(weight)[:-1])
        # What lowering all that is above to a reward costs.
        lowered = np.append(0.0, np.cumsum(above[1:] * -np.diff(reward)))
        place = np.searchsorted(above, weight, side="right") - 1
        place = np.minimum(place, np.arange(len(order)))
        found[order] = lowered[place] + weight * (reward[place] - reward)
    return found


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


def new_room(states: int, pairs: int) -> _Room:
    """Return what the kernel needs to expand nodes."""
    return kernel.linear(states, pairs), kernel.linear(states, pairs), kernel.no_steps(pairs)


def larger(pool: kernel.Pool) -> kernel.Pool:
    """Return the pool with twice the room.

    Raises
    ------
    MemoryError
        If memory does not suffice, before the system takes it from others.
    """
    room = len(pool.parent)
    if 2 * sum(array.nbytes for array in pool) > memory_left():
        raise MemoryError

    def grown(array: NDArray[Any]) -> NDArray[Any]:
        result = np.zeros((2 * room, *array.shape[1:]), array.dtype)
        result[:room] = array
        return result

    return kernel.Pool(*map(grown, pool[:-1]), pool.counts)  # type: ignore[call-arg]


def memory_left() -> float:
    """Return how many bytes the system can still give away; infinity where it does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            lines = (line.split() for line in file)
            return next(1024.0 * int(x[1]) for x in lines if x[0] == "MemAvailable:")
    except (OSError, StopIteration, ValueError):
        return float("inf")


def fast_search(
    question: Question,
    limits: Limits,
    *,
    enough: Fraction | None = None,
    report: Callable[[Progress], None] | None = None,
    start: Start | None = None,
) -> Outcome:
    """Do what `symsafe.engine.tree.search` does, with the compiled kernel."""
    return _Fast(question, limits, enough, report, start).run()


class _Late(Exception):  # noqa: N818
    """To make a tree exact takes much longer than was expected."""


class _Fast:
    def __init__(
        self,
        question: Question,
        limits: Limits,
        enough: Fraction | None,
        report: Callable[[Progress], None] | None,
        start: Start | None,
    ) -> None:
        self.question, self.limits, self.enough, self.report = question, limits, enough, report
        # The exact search judges witnesses, and closes what floats cannot.
        self.slow = Search(question, limits, enough, None, start)
        guide, leaves = self.slow.guide, self.slow.leaves
        lift = ceil(leaves.horizon)
        leaves.grid = 10 ** (_GRID_DIGITS + len(str(lift)))
        self.states, self.pairs = guide.states, guide.pairs
        self.unit = question.reward_range / self.pairs
        self.model = model_of(question, guide, (lift + 2) / leaves.grid)
        self.room = new_room(self.states, self.pairs)
        self.pool = new_pool(_ROOM, self.states, self.pairs)
        self.top = self.slow.root
        optimal = question.returns.optimal.choices
        starts = self.model.starts[:-1].tolist()
        self.good = np.array([s + a for s, a in zip(starts, optimal, strict=True)], np.int64)
        self.best = self.model.worst.copy()
        if start is not None:
            taken = start[1].policy.probabilities
            chosen = [next(p for p in row if taken[p]) for row in question.mdp.pair_ranges]
            self.best = np.array(chosen, np.int64)
        self.returned: dict[bytes, Fraction] = {}  # of the policies that were offered

    def run(self) -> Outcome:
        slow = self.slow
        if not slow.known and self.question.problem.regret:
            self._climb()
        stopped = None
        if not slow.settled():
            self._plant()
            try:
                stopped = self._search()
            except MemoryError:  # when the pool should grow; what it holds is whole
                stopped = "memory limit"
        if not slow.settled():
            try:
                self._close(stopped)
            except (_Late, KeyboardInterrupt) as cause:
                if isinstance(cause, KeyboardInterrupt) and not self.limits.interrupted:
                    raise
                stopped = stopped or self.limits.reached() or "time limit"
                self._close_root(stopped)
        if slow.settled():
            slow.root = trivial_root(self.question)
        lower, count = least_cost(slow.root, slow.witness), sum(1 for _ in walk(slow.root))
        return Outcome(slow.root, lower, slow.witness, stopped, count)

    # -- the search in floats ----------------------------------------------------------------

    def _climb(self) -> None:
        seed, choice = np.array([1], np.int64), self.best
        # A decision is often made by a few nodes; then this would take longest.
        for _ in range(_CLIMBS if self.enough is None else 1):
            choice = self._alone(partial(self._climbed, self.room[0], seed, choice))
            if self.limits.reached():
                break
        self._offer(choice)

    def _climbed(self, room: kernel.Linear, seed: Ints, choice: Ints) -> Ints:
        """Return the best policy that a local search from a bad one finds."""
        best = choice.copy()
        kernel.climb(self.model, room, self.good, choice.copy(), seed, _KICKS, best)
        return best

    def _alone(self, work: Callable[[], T]) -> T:
        with ThreadPoolExecutor(1) as crew:
            return self._watched([crew.submit(work)])[0]

    def _watched(self, tasks: list[Future[T]]) -> list[T]:
        """Return the results of compiled work; once a limit is reached it halts, wherever it is.

        While the kernel works in the main thread, Python would not even see a signal.
        """
        halt = self.model.halt
        try:
            while wait(tasks, _LOOK).not_done:
                halt[0] = halt[0] or self.limits.overdue()
        except BaseException:  # a second Ctrl-C
            halt[0] = True
            raise
        halt[0] = False
        return [task.result() for task in tasks]

    def _offer(self, choice: Ints) -> Fraction:
        """Take the policy as the witness if it is bad and cheaper, exactly; return its return."""
        key = choice.tobytes()
        if key not in self.returned:
            offered = self.slow.offer(choice.tolist())
            self.returned[key] = offered.policy_return
            if self.slow.witness is offered:
                self.best = choice
        return self.returned[key]

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
        """Expand nodes until none is open: a few alone, then in packets for several threads.

        What is in a packet depends neither on their number nor on who is first, so that the same
        question always gets the same tree.
        """
        budget = 1
        while self.pool.counts[2] < _ALONE:
            stopped = self._stopped()
            if stopped or self._done():
                return stopped
            found = self._alone(
                partial(self._grow, self._threshold(), budget, self.pool, self.room)
            )
            budget = min(2 * budget, _ALONE // 4)
            if found[0] == kernel.FULL:
                self.pool = larger(self.pool)
            elif found[0] == kernel.CLIMBED:
                self._judge(found[1])
        return self._search_in_packets()

    def _search_in_packets(self) -> str | None:
        share = max(1, _SHARE // self.pairs)
        size = 4 * self.pairs * (share + 2)
        parts = [new_pool(size, self.states, self.pairs) for _ in range(_PARTS)]
        rooms = [new_room(self.states, self.pairs) for _ in parts]
        seeds = [np.array([2 + k], np.int64) for k in range(_CHAINS)]
        due = _ALONE
        with ThreadPoolExecutor(self.limits.workers) as crew:
            while True:
                stopped = self._stopped()
                if stopped or self._done():
                    return stopped
                if self.pool.counts[2] >= due:
                    # The longer the search, the more a cheaper policy is worth.
                    due *= 4
                    climb = partial(self._climbed, choice=self.best)
                    spaces = [room[0] for room in rooms[:_CHAINS]]
                    climbs = [crew.submit(climb, *x) for x in zip(spaces, seeds, strict=True)]
                    for choice in self._watched(climbs):
                        self._offer(choice)
                    continue
                while len(self.pool.parent) < self.pool.counts[0] + _PARTS * size:
                    self.pool = larger(self.pool)
                lent = [kernel.lend(self.pool, part) for part in parts[: self.pool.counts[1]]]
                grow = partial(self._grow, self._threshold(), share)
                grown = [
                    crew.submit(grow, *x) for x in zip(parts[: len(lent)], rooms, strict=False)
                ]
                results = self._watched(grown)
                for node, part, (outcome, single) in zip(lent, parts, results, strict=False):
                    offset = kernel.merge(self.pool, part, node)
                    if outcome == kernel.CLIMBED:
                        self._judge(node if single == 0 else offset + single)

    def _grow(
        self, level: tuple[float, float], share: int, part: kernel.Pool, room: _Room
    ) -> tuple[int, int]:
        return kernel.search(self.model, part, *room, *level, share)

    def _stopped(self) -> str | None:
        count = int(self.pool.counts[0])
        if self.report and self.pool.counts[1]:
            self.report(self._progress())
        each = _CLOSING / self.limits.workers + _CHECKING
        return self.limits.reached(count, count * self.pairs * each)

    def _done(self) -> bool:
        return self.pool.counts[1] == 0 or self.slow.settled()

    def _progress(self) -> Progress:
        pool = self.pool
        lower = float(pool.bound[pool.heap[0]]) / self.pairs
        upper = float(self.slow.witness.cost / self.question.reward_range)
        return Progress(int(pool.counts[0]), int(pool.counts[1]), lower, upper)

    def _judge(self, node: int) -> None:
        """Evaluate the only policy of a node exactly."""
        returned = self._offer(np.flatnonzero(self.pool.allowed[node]).astype(np.int64))
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
        maker = Maker(self.question, self.slow.leaves, self.model, self.room[0])
        places = {0: Place(self.top, pool.allowed[0], None)}
        leaves: list[int] = []
        waiting = [0]
        while waiting:
            i = waiting.pop()
            place, node = places[i], places[i].node
            closed = pool.source[i] == i and pool.bound[i] >= level * (1 + _MARGIN)
            if pool.kind[i] != kernel.BRANCHED or closed:
                if pool.kind[i] == kernel.OPEN:
                    pool.source[i] = i
                leaves.append(i)
                continue
            s = int(pool.state[i])
            row = range(self.model.starts[s], self.model.starts[s + 1])
            for child in children[i]:
                pairs = tuple(p for p in row if pool.allowed[child, p])
                inner = Node((*node.allowed[:s], pairs, *node.allowed[s + 1 :]))
                places[child] = Place(inner, pool.allowed[child], place)
            node.content = Split(s, tuple(places[child].node for child in children[i]))
            waiting += reversed(children[i])

        def close(leaf: int) -> Leaf | None:
            if count > 1 and self.limits.exhausted():
                raise _Late
            place = places[leaf]
            if pool.kind[leaf] == kernel.VALUE:
                return maker.value(place, pool.choice[leaf]) or self.slow.leaves.value(
                    place.node.allowed
                )
            found = maker.circulation(
                place,
                places[int(pool.source[leaf])],
                float(pool.kappa[leaf]) / self.pairs,
                pool.basis[leaf],
                level * (1 + _MARGIN / 2),
            )
            return found if found and (stopped or self.slow.passes(found.cost)) else None

        crew = Crew(places, close, self.limits.workers)
        sources = [
            leaf if pool.kind[leaf] == kernel.VALUE else int(pool.source[leaf]) for leaf in leaves
        ]
        crew.run(pool.parent[:count].tolist(), leaves, sources)
        for leaf in leaves:
            if places[leaf].node.content is None:
                self.slow.close(places[leaf].node)

    def _close_root(self, stopped: str) -> None:
        """Leave the tree, and make the bound of the root exact: that does not take long."""
        self.slow.root = Node(self.slow.root.allowed)
        self.pool = new_pool(1, self.states, self.pairs)
        self._plant()
        self._close(stopped)
