"""Best-first search for the cheapest bad policy of a KL-regularised contextual bandit.

The cost is a sum of one curve per state, and what binds the states together is the mean of their
means. A node restricts the mean of some states to an interval; a multiplier bounds its cost from
below by the lines under the curves. Floats search; the bounds are made exact at the end. Inside,
the unit is the reward range, and rewards and means are measured from an end of those of their
state: what is close to that end keeps its digits.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from symsafe.engine.curves import Context, Curve
from symsafe.engine.limits import Limits
from symsafe.engine.question import Question
from symsafe.engine.soft import Softness, SoftWitness, soft_witness
from symsafe.engine.tree import Progress
from symsafe.exact import exact

__all__ = ["CurveNode", "CurveOutcome", "proven", "search_curves", "walk_curves"]

Floats = NDArray[np.float64]
PRECISION = Fraction(9, 10**10)
"""The bounds of a finished search are at most so far apart, in units of the reward range."""

_FINEST = Fraction(1, 10**12)
_DIGITS = 15
_NEAR, _LEVEL = 1e-10, 1e-13


@dataclass(slots=True, eq=False)
class CurveNode:
    """The bad policies whose mean in some states is in an interval.

    Attributes
    ----------
    ranges : dict
        By state: the least and the greatest mean, both points of its curve.
    kappa : Fraction
        The multiplier that bounds the cost.
    bound : float
    split : tuple or None
        State, mean, and the nodes below and above it.
    full : bool
        Whether there are no bad policies, as they take every action and the regret is 1.
    """

    ranges: dict[int, tuple[Fraction, Fraction]]
    kappa: Fraction = Fraction(0)
    bound: float = 0.0
    split: tuple[int, Fraction, CurveNode, CurveNode] | None = None
    full: bool = False


@dataclass(frozen=True, slots=True)
class CurveOutcome:
    """What a search ends with.

    Attributes
    ----------
    root : CurveNode
    curves : dict
        By state with an initial probability above 0.
    lower : Fraction
        Every bad policy costs at least this, in reward units.
    witness : SoftWitness or None
        None if no reward model was found, or there is none.
    nodes : int
    stopped : str or None
    """

    root: CurveNode
    curves: dict[int, Curve]
    lower: Fraction
    witness: SoftWitness | None
    nodes: int
    stopped: str | None

    def cautious(self, question: Question) -> CurveOutcome:
        """Return the same with lines that keep further away from what floats say."""
        for curve in self.curves.values():
            curve.margin *= 1000
            curve.settle()
        lower = max(proven(question, self.root, self.curves), Fraction(0))
        return replace(self, lower=lower)


def walk_curves(root: CurveNode) -> Iterator[CurveNode]:
    """Yield the nodes, parents first, in the order in which certificates list them."""
    todo = [root]
    while todo:
        node = todo.pop()
        yield node
        if node.split is not None:
            todo += [node.split[3], node.split[2]]


def proven(question: Question, root: CurveNode, curves: Mapping[int, Curve]) -> Fraction:
    """Return what the leaves of a tree prove, in exact arithmetic and reward units."""
    points = {
        s: [(v, question.initial[s] * t) for t, v in curve.proven()] for s, curve in curves.items()
    }
    found = []
    for node in walk_curves(root):
        if node.split is None:
            bound = -node.kappa * question.bad_return
            for s, chosen in points.items():
                low, high = 0, len(chosen) - 1
                if s in node.ranges:
                    low, high = (curves[s].points.index(t) for t in node.ranges[s])
                bound += min(v + node.kappa * load for v, load in chosen[low : high + 1])
            found.append(bound)
    return min(found)


def search_curves(
    question: Question,
    limits: Limits,
    *,
    enough: Fraction | None = None,
    report: Callable[[Progress], None] | None = None,
) -> CurveOutcome:
    """Bound the least cost of a bad policy, sum D |R_hat - R|, from both sides.

    Parameters
    ----------
    question : Question
        With a KL regularizer and discount 0.
    limits : Limits
    enough : Fraction, optional
        A cost, in reward units: stop as soon as it is known whether some bad policy costs no more.
    report : callable, optional

    Returns
    -------
    CurveOutcome
    """
    return _Search(question, limits, enough, report).run()


@dataclass(slots=True)
class _Best:
    cost: float = np.inf
    means: dict[int, float] = field(default_factory=dict)
    witness: SoftWitness | None = None


def _rounded(x: float, digits: int = _DIGITS) -> Fraction:
    return Fraction(f"{x:.{digits}g}")


class _Search:
    def __init__(
        self,
        question: Question,
        limits: Limits,
        enough: Fraction | None,
        report: Callable[[Progress], None] | None,
    ) -> None:
        self.question, self.limits, self.report = question, limits, report
        self.enough = None if enough is None else enough / question.reward_range
        softness, unit = Softness.of(question), question.reward_range
        self.curves: dict[int, Curve] = {}
        bad = question.bad_return
        end = max if 2 * exact(question.problem.regret) < 1 else min
        for s, pairs in enumerate(question.mdp.pair_ranges):
            if question.initial[s]:
                rewards = [question.rewards[p] for p in pairs]
                zero = end(rewards)
                bad -= question.initial[s] * zero
                reference = np.array([float(softness.reference[p]) for p in pairs])
                gaps = [float((r - max(rewards)) / softness.scale) for r in rewards]
                context = Context(
                    float(question.initial[s]),
                    float(softness.scale / unit),
                    tuple((r - zero) / unit for r in rewards),
                    np.array([float(question.weights[p]) for p in pairs]),
                    np.log(reference) + np.array(gaps),
                    zero,
                    unit,
                )
                self.curves[s] = Curve.of(context)
        self.states = list(self.curves)
        self.shares = np.array([c.context.share for c in self.curves.values()])
        self.target = bad / unit
        self.bad = float(self.target)
        self.precision = float(_FINEST if enough is not None else PRECISION)
        self.best = _Best()
        self.nodes = 0
        self.edges = np.array([c.context.edge() for c in self.curves.values()])
        self.ends = np.array([float(c.points[-1]) for c in self.curves.values()])
        self.free = np.array([c.context.free_mean()[1] for c in self.curves.values()])
        self.flatten()

    def run(self) -> CurveOutcome:
        root, question = CurveNode({}), self.question
        order = itertools.count()
        heap = [(0.0, next(order), root)]
        stopped = None
        while heap:
            stopped = self.limits.reached(self.nodes)
            if stopped:
                break
            _, _, node = heapq.heappop(heap)
            self.nodes += 1
            children = self.visit(node)
            if self.settled():
                break
            for child in children:
                heapq.heappush(heap, (child.bound, next(order), child))
            if self.report is not None:
                self.show(min((entry[0] for entry in heap), default=node.bound), len(heap))
        if self.best.witness is None:
            self.make_witness()
        lower = proven(question, root, self.curves)
        if lower <= 0:
            root, self.curves, lower = CurveNode({}), {}, Fraction(0)
        return CurveOutcome(root, self.curves, lower, self.best.witness, self.nodes, stopped)

    def settled(self) -> bool:
        """Whether a witness answers the question."""
        other = self.question.problem.metric in ("mse", "preferences")
        if self.enough is None or other or self.best.cost > float(self.enough):
            return False
        if self.best.witness is None:
            self.make_witness()
        return self.best.witness is not None and self.best.witness.error <= self.enough

    def show(self, bound: float, open_nodes: int) -> None:
        if self.report is not None:
            best = self.best.cost
            self.report(Progress(self.nodes, open_nodes, min(bound, best), best))

    # -- bounds -----------------------------------------------------------------------------------

    def flatten(self) -> None:
        """Lay the points of all curves side by side, with their loads from the anchors."""
        curves = list(self.curves.values())
        counts = [len(curve.points) for curve in curves]
        self.offsets = np.concatenate(([0], np.cumsum(counts)[:-1])).astype(np.int64)
        self.owners = np.repeat(np.arange(len(curves)), counts)
        self.means = np.concatenate([curve.means for curve in curves])
        self.values = np.concatenate([curve.values for curve in curves])
        distances = np.concatenate([curve.distances for curve in curves])
        self.loads = distances * self.shares[self.owners]
        anchored = (self.question.initial[s] * curve.anchor for s, curve in self.curves.items())
        self.room = float(self.target - sum(anchored, Fraction(0)))

    def within(self, node: CurveNode) -> Floats:
        """Return the values of the points in the ranges of a node, and inf elsewhere."""
        values = self.values.copy()
        for i, s in enumerate(self.states):
            if s in node.ranges:
                points, first = self.curves[s].points, self.offsets[i]
                low, high = (points.index(t) for t in node.ranges[s])
                values[first : first + low] = np.inf
                values[first + high + 1 : first + len(points)] = np.inf
        return values

    def least(
        self, values: Floats, kappa: float, *, last: bool = False
    ) -> tuple[Floats, NDArray[np.int64]]:
        """Return the least v + kappa mu0 (T - anchor) of each state, and a point with it.

        The first one or the last.
        """
        totals = values + kappa * self.loads
        minima = np.minimum.reduceat(totals, self.offsets)
        hits = np.flatnonzero(totals == minima[self.owners])
        if last:
            hits = hits[::-1]
        _, chosen = np.unique(self.owners[hits], return_index=True)
        return minima, hits[chosen]

    def dual(self, values: Floats) -> tuple[float, float, Floats, Floats]:
        """Return the best multiplier, the bound, and the means on either side of it."""

        def line(kappa: float, last: bool = False) -> tuple[float, float, NDArray[np.int64]]:
            _, chosen = self.least(values, kappa, last=last)
            return float(values[chosen].sum()), float(self.loads[chosen].sum()) - self.room, chosen

        level = _LEVEL * abs(self.bad)
        left, right = line(0.0, last=True), line(0.0)
        if left[1] <= level:
            right = left
        if right[1] <= level:
            return 0.0, left[0], self.means[left[2]], self.means[right[2]]
        left = right
        kappa = max(1e-9, float(self.values.max()) / max(float(np.ptp(self.means)), 1e-9))
        while True:
            right = line(kappa)
            if right[1] <= level:
                break
            left = right
            kappa *= 4
            if kappa > 1e30 or right[0] + kappa * right[1] > 1e6 * (1 + self.best_or_enough()):
                means = self.means[right[2]]
                return kappa, right[0] + kappa * right[1], means, means
        for _ in range(200):
            kappa = (right[0] - left[0]) / (left[1] - right[1])
            bound = left[0] + kappa * left[1]
            found = line(kappa)
            if found[0] + kappa * found[1] >= bound - 1e-15 * (1 + abs(bound)):
                break
            if found[1] > 0:
                left = found
            else:
                right = found
        return kappa, bound, self.means[left[2]], self.means[right[2]]

    def best_or_enough(self) -> float:
        cost = self.best.cost
        if self.enough is not None:
            cost = min(cost, float(self.enough))
        return cost if np.isfinite(cost) else float(self.values.sum())

    def passes(self, bound: float) -> bool:
        """Whether a node with this bound need not be looked at again."""
        if self.enough is not None and bound > float(self.enough) * (1 + 1e-13) + 1e-15:
            return True
        return bound >= self.best.cost - self.precision

    # -- search -----------------------------------------------------------------------------------

    def visit(self, node: CurveNode) -> tuple[CurveNode, ...]:
        """Bound a node as well as the lines allow, refining them; return its children."""
        while True:
            values = self.within(node)
            kappa, bound, left, right = self.dual(values)
            node.kappa, node.bound = Fraction(f"{kappa:.12g}"), max(bound, node.bound)
            if self.passes(bound):
                return ()
            means = self.fill(left, right)
            costs = self.costs(means)
            if costs.sum() < self.best.cost:
                self.best = _Best(
                    float(costs.sum()), dict(zip(self.states, means.tolist(), strict=True))
                )
                for curve, mean in zip(self.curves.values(), means.tolist(), strict=True):
                    curve.anchor = Fraction(mean)
                    curve.settle()
                self.flatten()
                if self.settled():
                    return ()
            if self.passes(bound):
                return ()
            minima, lowest = self.least(values, kappa)
            anchors = np.array([float(curve.anchor) for curve in self.curves.values()])
            gaps = costs + kappa * self.shares * (means - anchors) - minima
            if not self.refine(means, costs, gaps):
                children = self.branch(node, means, gaps)
                if children:
                    return children
                rests = self.means[lowest]  # at these the lines may claim too little instead
                if not self.refine(rests, self.costs(rests), gaps):
                    return ()
            if self.limits.reached(self.nodes):
                return (node,)

    def costs(self, means: Floats) -> Floats:
        """Return what the means of the states cost."""
        curves = self.curves.values()
        return np.array([c.cost(t) for c, t in zip(curves, means.tolist(), strict=True)])

    def fill(self, left: Floats, right: Floats) -> Floats:
        """Return means that meet the bad return, between those on both sides of a multiplier."""
        left, means = self.reachable(left), self.reachable(right)
        room = self.bad - float((means * self.shares).sum())
        jumps = (left - means) * self.shares
        waiting = list(range(len(means))) if room < 0 else []
        for i in np.argsort(-jumps, kind="stable").tolist() if room > 0 else []:
            if 0 < jumps[i] <= room:
                means[i], room = left[i], room - jumps[i]
            elif jumps[i] > 0:
                waiting.append(i)
        curves = list(self.curves.values())
        options = []
        for i in waiting:
            moved = curves[i].cost(means[i] + room / self.shares[i])
            if np.isfinite(moved):
                options.append((moved - curves[i].cost(means[i]), i))
        if options and room:
            _, i = min(options)
            means[i] += room / self.shares[i]
        return means

    def reachable(self, means: Floats) -> Floats:
        """Return means moved off those that cannot be reached, but nearly so for nothing."""
        near = _NEAR * abs(self.bad)
        beyond = np.maximum(self.edges + near, np.nextafter(self.edges, np.inf))
        moved = np.where(np.abs(means - self.edges) <= near, beyond, means)
        return np.where(means >= self.ends - near, np.maximum(moved, self.free), moved)

    def refine(self, means: Floats, costs: Floats, gaps: Floats) -> bool:
        """Add points where lines lie far below the curve at these means; return whether any was.

        Only in states that matter for the bound as it is: the others may never do.
        """
        changed = False
        enough = self.precision / (4 * len(means))
        matters = max(enough, 0.2 * float(gaps.max()))
        for curve, mean, cost, gap in zip(
            self.curves.values(), means.tolist(), costs.tolist(), gaps.tolist(), strict=True
        ):
            missed = cost - curve.line(mean)
            if gap < matters or (missed <= 0.3 * gap and np.isfinite(cost)):
                continue
            fresh = curve.insert(_rounded(mean), enough)
            if not fresh:
                around = curve.around(_rounded(mean))
                if not around:
                    continue
                worst = max(around, key=curve.missed)
                middle = (curve.points[worst] + curve.points[worst + 1]) / 2
                fresh = curve.insert(_rounded(float(middle)), enough)
            if fresh:
                curve.settle()
                changed = True
        if changed:
            self.flatten()
        return changed

    def branch(self, node: CurveNode, means: Floats, gaps: Floats) -> tuple[CurveNode, ...]:
        """Split the range of the state whose curve is farthest above its hull."""
        for i in np.argsort(-gaps, kind="stable").tolist():
            s = self.states[i]
            curve = self.curves[s]
            low, high = node.ranges.get(s, (curve.points[0], curve.points[-1]))
            mean = _rounded(means[i])
            if not low < mean < high:
                continue
            if curve.insert(mean, self.precision / (4 * len(means))):
                curve.settle()
                self.flatten()
            mean = min(curve.points, key=lambda t: abs(t - mean))
            if not low < mean < high:
                continue
            below, above = (
                CurveNode({**node.ranges, s: ends}, node.kappa, node.bound)
                for ends in ((low, mean), (mean, high))
            )
            node.split = (s, mean, below, above)
            return below, above
        return ()

    def make_witness(self) -> None:
        """Find a rational reward model close to the best means, and prove its policy bad."""
        if not np.isfinite(self.best.cost):
            return
        question = self.question
        unit, errors = question.reward_range, [0.0] * len(question.rewards)
        for s, mean in self.best.means.items():
            context = self.curves[s].context
            found = context.cheapest(mean)[1]
            far = (
                context.scale * 60
                + float(max(context.rewards) - min(context.rewards))
                + float(np.ptp(context.weight)) * context.scale
            )
            found = np.where(np.isposinf(found), far, np.where(np.isneginf(found), -far, found))
            for p, error in zip(question.mdp.pair_ranges[s], found.tolist(), strict=True):
                errors[p] = error * float(unit)
        # Few digits first: where the best model is a simple one, its tie is exact.
        for digits, stretch in ((4, 0.0), *((_DIGITS, 1e-15 * 4.0**k) for k in range(16))):
            reward = [
                r + _rounded(error * (1 + stretch), digits)
                for r, error in zip(question.rewards, errors, strict=True)
            ]
            total = sum(
                float(w) * abs(float((x - r) / unit))
                for w, x, r in zip(question.weights, reward, question.rewards, strict=True)
            )
            if digits == _DIGITS or total <= self.best.cost * (1 + 1e-12):
                self.best.witness = soft_witness(question, reward)
                if self.best.witness is not None:
                    return
