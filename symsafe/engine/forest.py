"""Exact evidence for the nodes that the compiled search believes to be leaves.

Floats say which variables are basic and where the others are; FLINT solves for the basic ones. All
exact arithmetic is in integers over common denominators. What a leaf claims is verified here with
a margin that floating point cannot bridge, or exactly; the checker verifies it again.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor, gcd, lcm
from typing import Any, NamedTuple

import numpy as np
from flint import fmpz_mat
from numpy.typing import NDArray

from symsafe.engine import kernel
from symsafe.engine.kernel import Floats, Ints
from symsafe.engine.leaves import CirculationLeaf, LeafMaker, Potentials, ValueLeaf
from symsafe.engine.question import Question
from symsafe.engine.relaxation import Mask
from symsafe.engine.tree import Node

__all__ = ["SWEEPS", "Crew", "Leaf", "Maker", "Place"]

Leaf = ValueLeaf | CirculationLeaf

SWEEPS = 48
_PRICED_SWEEPS = 6
_ATTEMPTS = 4
_DRAWN_IN = 1e-7
_FLOW_DIGITS = 11
_VALUE_DIGITS = 8
_KAPPA_DIGITS = 6
_KAPPA_SHARES = (1.0, 0.999999, 0.9999)
# Floats this far apart are ordered as the numbers they stand for.
_CLEAR = 1e-9
# Leaves from which on more than one process pays, and jobs for each process.
_MANY, _JOBS = 400, 8


@dataclass(slots=True, eq=False)
class Place:
    """A node on its way from the root, with the hitting bounds that are declared there."""

    node: Node
    mask: Mask
    parent: Place | None
    seen: Seen | None = None
    bounds: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    declared: Floats | None = None


class Seen(NamedTuple):
    """What floats say of the occupancy of a node's pairs."""

    reach: Floats  # (S, S): hitting bounds [target, state]
    values: Floats  # (S): of a worst policy
    visits: Floats  # (n): bounds of occupancy
    price: Ints  # (n): which of the prices gave them, or -1


class Price(NamedTuple):
    """A price of return, as the bounds of occupancy need it."""

    amount: float  # in the unit of the kernel
    exact: Fraction
    shift: Fraction  # of the kernel's potentials, to those of the certificate
    paid: NDArray[Any]  # (n): for the reward of a pair, in units of its row of E on the grid
    largest: int
    due: int  # for the return of a bad policy, in units of the grid


class Maker:
    """Makes leaves exact, or returns None where the belief was wrong."""

    def __init__(
        self, question: Question, leaves: LeafMaker, model: kernel.Model, room: kernel.Linear
    ) -> None:
        self.question, self.leaves, self.model, self.room = question, leaves, model, room
        self.pairs, self.states = len(question.weights), len(question.initial)
        self.weight, self.weight_scale = _integers(question.weights)
        self.reward, self.reward_scale = _integers(question.rewards)
        self.initial, self.initial_scale = _integers(question.initial)
        # Row p of E is `rows[p]` over `scales[p]`, an entry for each of `columns[p]`.
        self.columns: list[list[int]] = [[] for _ in question.weights]
        for t, row in enumerate(leaves.rows):
            for p, x in row.items():
                if x:
                    self.columns[p].append(t)
        found = [
            _integers(leaves.rows[t][p] for t in columns) for p, columns in enumerate(self.columns)
        ]
        self.rows, self.scales = [row for row, _ in found], [scale for _, scale in found]
        self.scale = lcm(*self.scales)
        self.largest = max(sum(map(abs, row)) for row in self.rows)
        exact = np.int64 if self.largest < 2**62 else object
        self.entries: NDArray[Any] = np.array([x for row in self.rows for x in row], exact)
        self.column = np.array([t for columns in self.columns for t in columns], np.int64)
        self.first = np.cumsum([0, *map(len, self.columns[:-1])])
        self.starting: NDArray[Any] = np.array(self.initial, object)
        self.horizon = leaves.horizon.numerator, leaves.horizon.denominator
        self.least = min(question.rewards) * leaves.horizon
        self.prices: dict[int, Price] = {}
        # Costs, flows and multipliers of the kernel are `pairs` times those of the certificate.
        self.weights = model.weight / self.pairs

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
        outlook = self._gained(floats)
        slack = 1e-13 * float(self.leaves.horizon)
        if outlook[place.mask].min() < slack or model.initial @ floats <= model.bad + slack:
            return None
        factor = self.question.reward_range / 10**_VALUE_DIGITS
        scale = lcm(factor.denominator, self.least.denominator)
        step = factor.numerator * (scale // factor.denominator)
        base = self.least.numerator * (scale // self.least.denominator)
        return ValueLeaf(tuple(Fraction(int(u) * step + base, scale) for u in rounded.tolist()))

    def _gained(self, values: Floats) -> Floats:
        """Return R - EU."""
        model = self.model
        shaped = np.add.reduceat(
            model.entry * values[model.column], model.first[:-1].astype(np.int64)
        )
        return np.asarray(model.reward - shaped)

    # -- circulation leaves ------------------------------------------------------------------

    def circulation(
        self, place: Place, source: Place, kappa: float, basis: Ints, level: float
    ) -> CirculationLeaf | None:
        """Return the circulation leaf that the kernel believes in, or None if it is none."""
        tight, visits = np.zeros(self.pairs), np.zeros(self.pairs)
        if kappa > 0:
            # The fewer hitting bounds are declared, the quicker the check.
            known = self._declared(source)
            guess = kernel.couple(
                self.model, self.room, basis, place.mask, known, kappa * self.pairs, level
            )
            visits = known if guess >= 0 else self._seen(source).visits
            kappa = guess / self.pairs if guess >= 0 else kappa
        # Rounding may make the greatest feasible multiplier infeasible: then a smaller one.
        for share in _KAPPA_SHARES if kappa > 0 else (0.0,):
            multiplier = Fraction(f"{kappa * share:.{_KAPPA_DIGITS}g}" if share else "0")
            if self._bound(place, basis, visits, multiplier, tight) > -np.inf:
                break
        else:
            return None
        for _ in range(_ATTEMPTS):
            flow = self._rounded(multiplier)
            if flow is None:
                return None
            broken = self._broken(place, *flow, multiplier, visits)
            if not broken:
                return self._leaf(place, source, *flow, multiplier)
            tight[broken] += _DRAWN_IN
            if self._bound(place, basis, visits, multiplier, tight) == -np.inf:
                return None
        return None

    def _bound(
        self, place: Place, basis: Ints, visits: Floats, multiplier: Fraction, tight: Floats
    ) -> float:
        times = float(multiplier) * self.pairs
        return kernel.flow(self.model, self.room, basis, place.mask, visits, times, tight)

    def _declared(self, source: Place) -> Floats:
        """Return the occupancy bounds that are declared on the way to a node, in floats."""
        chain: list[Place] = []
        place: Place | None = source
        while place is not None and place.declared is None:
            chain.append(place)
            place = place.parent
        known = np.full(self.pairs, self.horizon[0] / self.horizon[1])
        if place is not None and place.declared is not None:
            known = place.declared
        for above in reversed(chain):
            if above.bounds:
                known = known.copy()
                for pair, bounds in above.bounds.items():
                    least = min(top / bottom for top, bottom in bounds) * (1 + 1e-12)
                    known[pair] = min(known[pair], least)
            above.declared = known
        return known

    def _seen(self, source: Place) -> Seen:
        """Return the occupancy bounds that the allowed pairs of a node give."""
        if source.seen is None:
            model, mask, states = self.model, source.mask, self.states
            seen = Seen(
                model.reach.copy(),
                np.zeros(states),
                np.zeros(self.pairs),
                np.full(self.pairs, -1, np.int64),
            )
            kernel.hitting(model, mask, seen.reach, SWEEPS)
            kernel.visited(model, mask, seen.reach, seen.visits)
            kernel.worst(model, mask, model.worst.copy(), np.zeros((states, states)), seen.values)
            kernel.priced(model, mask, *seen[:2], np.inf, _PRICED_SWEEPS, *seen[2:])
            source.seen = seen
        return source.seen

    def _rounded(self, multiplier: Fraction) -> tuple[list[int], int] | None:
        """Put the non-basic variables on or just above their bounds; solve for the others.

        Returns the flow as integers over one denominator.
        """
        room = self.room
        grid = self.weight_scale * (10**_FLOW_DIGITS)
        if multiplier:  # then a bound needs no exact weight
            grid = 10**_FLOW_DIGITS
        unit = multiplier.denominator * self.initial_scale  # of flows: 1 / (grid unit)
        rest = [multiplier.numerator * m * grid * self.scale for m in self.initial]
        still: list[tuple[int, int]] = []
        outside = np.flatnonzero(room.place < 0)
        places = np.where(room.top[outside], room.high[outside], room.low[outside])
        for p, at in zip(outside[places != 0].tolist(), places[places != 0].tolist(), strict=True):
            most = self.weight[p] * grid // self.weight_scale
            if at == self.model.weight[p]:
                y = most
            elif at == -self.model.weight[p]:
                y = -most
            else:
                y = min(ceil(at / self.pairs * 10**_FLOW_DIGITS) * grid // 10**_FLOW_DIGITS, most)
            still.append((p, y))
            factor = y * unit * (self.scale // self.scales[p])
            for t, x in zip(self.columns[p], self.rows[p], strict=True):
                rest[t] -= x * factor
        basis, flat = room.basis.tolist(), [0] * self.states**2
        for k, p in enumerate(basis):
            for t, x in zip(self.columns[p], self.rows[p], strict=True):
                flat[t * self.states + k] = x
        try:
            matrix = fmpz_mat(self.states, self.states, flat)
            solved: Any = matrix.solve(fmpz_mat(self.states, 1, rest))  # an fmpq_mat
        except ZeroDivisionError:
            return None
        tops, bottom = solved.numer_denom()
        below = int(bottom)
        flow, scale = [0] * self.pairs, grid * unit * self.scale * below
        for p, y in still:
            flow[p] = y * unit * self.scale * below
        for p, y in zip(basis, tops.entries(), strict=True):
            flow[p] = self.scales[p] * int(y)
        shared = gcd(scale, *flow)
        return [y // shared for y in flow], scale // shared

    def _broken(
        self, place: Place, flow: list[int], scale: int, multiplier: Fraction, visits: Floats
    ) -> list[int]:
        """Return the basic pairs whose flow is outside its bounds."""
        broken, kappa = [], float(multiplier)
        forced = {row[0] for row in place.node.allowed if len(row) == 1}
        for p in self.room.basis.tolist():
            y = flow[p]
            most = self.weight[p] * scale
            if y * self.weight_scale > most or (y < 0 and p not in forced):
                broken.append(p)
            elif place.mask[p]:
                if kappa == 0:
                    if y * self.weight_scale < -most:
                        broken.append(p)
                elif y / scale < kappa * visits[p] - self.weights[p] - 1e-13:
                    broken.append(p)
        return broken

    def _leaf(
        self, place: Place, source: Place, flow: list[int], scale: int, multiplier: Fraction
    ) -> CirculationLeaf | None:
        """Declare the hitting bounds that the flow needs; return the leaf if they suffice."""
        if multiplier:
            floats = np.array([y / scale for y in flow]) + self.weights
            missing = self._missing(place, source, floats, flow, scale, multiplier)
            if missing:
                if not all(self._declare(source, p) for p in missing):
                    return None
                source.declared = None
                if self._missing(place, source, floats, flow, scale, multiplier):
                    return None
        worth = sum(y * r for y, r in zip(flow, self.reward, strict=True) if y)
        cost = Fraction(worth, scale * self.reward_scale) - multiplier * self.question.bad_return
        return CirculationLeaf(cost, multiplier, {p: y for p, y in enumerate(flow) if y}, scale)

    def _missing(
        self,
        place: Place,
        source: Place,
        floats: Floats,
        flow: list[int],
        scale: int,
        multiplier: Fraction,
    ) -> list[int]:
        """Return the pairs at which the flow breaks rule 3 with the bounds declared so far."""
        slack = floats - float(multiplier) * self._declared(source)
        missing = []
        for p in np.flatnonzero(place.mask & (slack < _CLEAR)).tolist():
            left = (flow[p] * self.weight_scale + self.weight[p] * scale) * multiplier.denominator
            right = multiplier.numerator * scale * self.weight_scale
            if all(left * bottom < right * top for top, bottom in self._bounds_of(source, p)):
                missing.append(p)
        return missing

    def _bounds_of(self, source: Place, pair: int) -> list[tuple[int, int]]:
        place: Place | None = source
        bounds = [self.horizon]
        while place is not None:
            bounds += place.bounds.get(pair, [])
            place = place.parent
        return bounds

    def _declare(self, source: Place, pair: int) -> bool:
        """Declare the exact bound that floats have found best for the occupancy of a pair."""
        model, seen, grid = self.model, self._seen(source), self.leaves.grid
        state, price = int(model.owner[pair]), self._price(int(seen.price[pair]))
        if (state, price.exact) in source.node.hitting:
            return True
        height = seen.reach[state].copy()
        if price.exact:
            gain = np.maximum(self._gained(seen.values), 0.0)
            kernel.charge(model, source.mask, gain, state, price.amount, SWEEPS, height)
        # Rounding up may break the inequality by a step; the lift of the others restores it.
        potential = np.ceil((height - price.amount * seen.values) * grid).astype(np.int64)
        potential[np.arange(self.states) != state] += ceil(self.leaves.horizon) + 1
        if not price.exact:  # no discount is above 1
            potential = np.minimum(potential, grid)
        large = int(abs(potential).max()) * self.largest + price.largest >= 2**62
        entries, paid = (x.astype(object) if large else x for x in (self.entries, price.paid))
        divisor = paid + np.add.reduceat(entries * potential[self.column], self.first)
        others = model.owner != state
        if divisor[source.mask & others].min(initial=0) < 0:
            return False
        start = int(self.starting @ potential.astype(object)) + price.due
        for p in source.node.allowed[state]:
            if divisor[p] <= 0:
                return False
            bound = start * self.scales[p], self.initial_scale * int(divisor[p])
            source.bounds.setdefault(p, []).append(bound)
        exact = tuple(Fraction(x, grid) - price.shift for x in potential.tolist())
        source.node.hitting = {**source.node.hitting, (state, price.exact): exact}
        return True

    def _price(self, kind: int) -> Price:
        """Return one of the prices of the kernel, or the price 0 for -1."""
        if kind not in self.prices:
            question, grid = self.question, self.leaves.grid
            amount = kernel.PRICES[kind] if kind >= 0 else 0.0
            # What the kernel calls the reward is (R - least) / range, in the unit of its prices.
            exact = Fraction(str(amount)) / question.reward_range
            least = min(question.rewards)
            paid = [
                floor(exact * (r - least) * grid * scale)
                for r, scale in zip(question.rewards, self.scales, strict=True)
            ]
            largest, shift = max(map(abs, paid)), exact * self.least
            due = ceil((exact * question.bad_return - shift) * grid * self.initial_scale)
            kept = np.array(paid, np.int64 if largest < 2**62 else object)
            self.prices[kind] = Price(amount, exact, shift, kept, largest, due)
        return self.prices[kind]


class Crew:
    """Closes the leaves of a tree, in several processes if it is large and the system can fork.

    A leaf uses the hitting bounds that are declared above it and may declare more at its source, so
    subtrees without a source above them do not depend on each other, and what comes out does not
    depend on the number of processes.

    Parameters
    ----------
    places : mapping
        The nodes, by number; a parent has a lower number than its children.
    close : callable
        Returns the evidence for a leaf, and may declare hitting bounds at the source of the leaf.
    workers : int
    """

    def __init__(
        self, places: Mapping[int, Place], close: Callable[[int], Leaf | None], workers: int
    ) -> None:
        self.places, self.close, self.workers = places, close, workers

    def run(self, parents: Sequence[int], leaves: Sequence[int], sources: Sequence[int]) -> None:
        """Put evidence into the nodes of leaves, given in preorder with the nodes of their sources.

        Where there is none, the content of the node remains None.
        """
        order = list(zip(leaves, sources, strict=True))
        if self.workers == 1 or len(leaves) < _MANY or sys.platform != "linux":
            self._alone(order)
            return
        most = max(_MANY // 4, len(leaves) // (_JOBS * self.workers))
        size, highest = [0] * len(parents), list(range(len(parents)))
        for leaf, source in order:
            size[leaf], highest[leaf] = 1, source
        for i in range(len(parents) - 1, 0, -1):
            size[parents[i]] += size[i]
            highest[parents[i]] = min(highest[parents[i]], highest[i])
        job = [-1] * len(parents)  # the top of the subtree that is done in one piece
        for i in range(1, len(parents)):
            job[i] = job[parents[i]]
            if job[i] < 0 and size[i] <= most and highest[i] >= i:
                job[i] = i
        jobs: dict[int, list[tuple[int, int]]] = {}
        for leaf, source in order:
            jobs.setdefault(job[leaf], []).append((leaf, source))
        self._alone(jobs.pop(-1, []))
        try:
            context = multiprocessing.get_context("fork")  # so that nothing is sent to begin with
            with ProcessPoolExecutor(self.workers, context, _begin, (self,)) as pool:
                for part in pool.map(_work, jobs.values()):
                    for i, content, hitting in part:
                        if content is not None:
                            self.places[i].node.content = content
                        if hitting:
                            self.places[i].node.hitting = hitting
        except (BrokenProcessPool, OSError):  # short of memory, say
            done = self.places
            self._alone([x for x in order if done[x[0]].node.content is None])

    def _alone(self, order: Iterable[tuple[int, int]]) -> None:
        for leaf, _ in order:
            self.places[leaf].node.content = self.close(leaf)


_crew: Crew | None = None  # in a process of its own


def _begin(crew: Crew) -> None:
    global _crew
    _crew = crew
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that waits for us decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _work(order: Sequence[tuple[int, int]]) -> list[tuple[int, Leaf | None, Potentials]]:
    """Close some leaves in a process of its own; return what is new of which node."""
    if _crew is None:
        raise BrokenProcessPool
    places = _crew.places
    contents = [(leaf, _crew.close(leaf)) for leaf, _ in order]
    found: list[tuple[int, Leaf | None, Potentials]] = [(i, leaf, {}) for i, leaf in contents]
    return found + [(i, None, places[i].node.hitting) for i in {i for _, i in order}]


def _integers(numbers: Iterable[Fraction]) -> tuple[list[int], int]:
    """Return fractions as integers over their common denominator."""
    numbers = list(numbers)
    scale = lcm(*(x.denominator for x in numbers))
    return [x.numerator * (scale // x.denominator) for x in numbers], scale
