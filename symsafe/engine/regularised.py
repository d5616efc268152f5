"""Best-first search over cases for the cheapest bad policy of a regularised problem.

A node is a set of bad occupancy measures: which pairs are visited, and where omega has a kink, on
which side of the reference. Its linear relaxation bounds the cost from below and proposes a policy.
Exact throughout: every bound is the optimum of an exact programme (CERTIFICATE.md, regularised
problems).
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from symsafe.analysis.linear_program import Bound, maximise
from symsafe.analysis.occupancy import occupancy
from symsafe.analysis.values import shape
from symsafe.engine.limits import Limits
from symsafe.engine.penalty import Peak, Penalty, highest
from symsafe.engine.question import Question
from symsafe.engine.tree import Progress
from symsafe.engine.witness import bellman_rows
from symsafe.errors import EngineError

__all__ = [
    "Case",
    "CaseNode",
    "CaseOutcome",
    "DualLeaf",
    "GapLeaf",
    "RegularisedWitness",
    "Side",
    "comparison",
    "regularised_witness",
    "search_cases",
    "walk_cases",
]

Numbers = tuple[Fraction, ...]
Sparse = Mapping[int, Fraction]
_ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class RegularisedWitness:
    """A reward model and a policy that is optimal for it under the penalty.

    Attributes
    ----------
    reward : tuple of Fraction, one per pair
    occupancy : tuple of Fraction, one per pair
        Of the policy, unnormalised.
    slope : tuple of Fraction, one per pair
        Of omega at the policy.
    value : tuple of Fraction, one per state
        V with reward - lambda (1 - gamma) slope <= EV, and equality where the policy goes.
    cost : Fraction
        sum D |reward - R|, in reward units.
    policy_return : Fraction
        Under the true reward.
    """

    reward: Numbers
    occupancy: Numbers
    slope: Numbers
    value: Numbers
    cost: Fraction
    policy_return: Fraction


@dataclass(frozen=True, slots=True)
class DualLeaf:
    """Multipliers of the relaxation: every policy of the node costs at least `cost`."""

    cost: Fraction
    flow: Sparse = field(default_factory=dict)
    kappa: Fraction = _ZERO
    values: Numbers = ()
    bounds: Sparse = field(default_factory=dict)

    def scaled(self, cost: Fraction) -> DualLeaf:
        """Return the evidence that a node without policies costs as much as one likes."""
        factor = cost / self.cost
        return DualLeaf(
            cost,
            {},
            self.kappa * factor,
            tuple(x * factor for x in self.values),
            {p: x * factor for p, x in self.bounds.items()},
        )


@dataclass(frozen=True, slots=True)
class GapLeaf:
    """A bad policy falls short of the best one by f, so it costs at least kappa times the gap."""

    cost: Fraction
    flow: Sparse
    kappa: Fraction
    peak: Peak


@dataclass(frozen=True, slots=True)
class Case:
    """The pair is not visited, or it is."""

    pair: int
    unused: CaseNode
    used: CaseNode


@dataclass(frozen=True, slots=True)
class Side:
    """The occupancy of the pair is below the reference, at it, or above."""

    pair: int
    below: CaseNode
    at: CaseNode
    above: CaseNode


@dataclass(slots=True, eq=False)
class CaseNode:
    """A set of bad occupancy measures, and once it is closed the evidence about them."""

    used: frozenset[int] = frozenset()
    unused: frozenset[int] = frozenset()
    sides: Mapping[int, int] = field(default_factory=dict)
    content: Case | Side | DualLeaf | GapLeaf | None = None
    lower: Fraction = _ZERO
    empty: bool = False
    next_split: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class CaseOutcome:
    """What a search ends with; as `symsafe.engine.tree.Outcome`."""

    root: CaseNode
    lower: Fraction
    witness: RegularisedWitness
    stopped: str | None
    nodes: int


def search_cases(
    question: Question,
    limits: Limits,
    *,
    enough: Fraction | None = None,
    report: Callable[[Progress], None] | None = None,
) -> CaseOutcome:
    """Search for the cheapest reward model with a bad regularised-optimal policy.

    Parameters
    ----------
    question, limits, enough, report
        As for `symsafe.engine.tree.search`; the problem has a regularizer other than ``kl``.

    Returns
    -------
    CaseOutcome
        With bounds that hold however the search ended.
    """
    return _Search(question, limits, enough, report).run()


class _Search:
    def __init__(
        self,
        question: Question,
        limits: Limits,
        enough: Fraction | None,
        report: Callable[[Progress], None] | None,
    ) -> None:
        self.question, self.limits = question, limits
        self.enough, self.report = enough, report
        self.penalty = Penalty.of(question)
        best = highest(question, self.penalty)
        worst = occupancy(question.mdp, question.returns.worst)
        if best is None:
            raise EngineError("there are no occupancy measures")
        self.best = best
        self.witness = regularised_witness(question, self.penalty, worst)
        self.offer(best.occupancy)
        self.root = CaseNode()
        self.nodes = 0
        self.order = itertools.count()
        self.open: list[tuple[Fraction, int, CaseNode]] = []

    def run(self) -> CaseOutcome:
        self.visit(self.root)
        stopped = None
        while self.open and not self.settled():
            stopped = self.limits.reached(self.nodes)
            if stopped:
                break
            self.branch(heapq.heappop(self.open)[2])
            self.show()
        leaves = [n for n in walk_cases(self.root) if not isinstance(n.content, Case | Side)]
        lower = min((n.lower for n in leaves if not n.empty), default=self.witness.cost)
        lower = min(lower, self.witness.cost)
        reach = max(lower, self.enough or _ZERO) + self.question.reward_range
        for node in leaves:
            if node.empty and isinstance(node.content, DualLeaf):
                node.content = node.content.scaled(reach)
        return CaseOutcome(self.root, lower, self.witness, stopped, self.nodes)

    def settled(self) -> bool:
        """Whether the witness alone answers the question."""
        return self.witness.cost <= (_ZERO if self.enough is None else self.enough)

    def passes(self, cost: Fraction) -> bool:
        return cost >= self.witness.cost if self.enough is None else cost > self.enough

    def show(self) -> None:
        if self.report is not None:
            scale = self.question.reward_range
            lower = min((entry[0] for entry in self.open), default=self.witness.cost)
            self.report(
                Progress(
                    self.nodes,
                    len(self.open),
                    float(lower / scale),
                    float(self.witness.cost / scale),
                )
            )

    def offer(self, eta: Numbers) -> None:
        """Price a policy, and keep it if it is bad and cheaper than the one known."""
        returned = sum((x * r for x, r in zip(eta, self.question.rewards, strict=True)), _ZERO)
        if returned <= self.question.bad_return:
            found = regularised_witness(self.question, self.penalty, eta)
            if found.cost < self.witness.cost:
                self.witness = found

    def branch(self, node: CaseNode) -> None:
        if self.passes(node.lower):
            return
        if node.next_split is None:
            raise EngineError("a node without open cases is not settled")
        kind, pair = node.next_split
        if kind == "case":
            unused = CaseNode(node.used, node.unused | {pair}, node.sides, lower=node.lower)
            used = CaseNode(node.used | {pair}, node.unused, node.sides, lower=node.lower)
            node.content = Case(pair, unused, used)
            children = [unused, used]
        else:
            below, at, above = (
                CaseNode(node.used, node.unused, {**node.sides, pair: sign}, lower=node.lower)
                for sign in (-1, 0, 1)
            )
            node.content = Side(pair, below, at, above)
            children = [below, at, above]
        for child in children:
            self.visit(child)

    def visit(self, node: CaseNode) -> None:
        """Bound a node, take up the policy that its relaxation proposes, and queue it."""
        self.nodes += 1
        empty = _emptiness(self.question, self.penalty, node)
        if empty is not None:
            node.content, node.empty = empty, True
            return
        leaf, eta, potential = _relaxation(self.question, self.penalty, node)
        self.offer(eta)
        node.content, node.lower = leaf, leaf.cost
        if not self.passes(node.lower):
            gap = comparison(self.question, self.penalty, self.best, node.unused)
            if gap is not None and gap.cost > node.lower:
                node.content, node.lower = gap, gap.cost
        node.next_split = self.choose(node, eta, potential)
        if not self.passes(node.lower) and node.next_split is not None:
            heapq.heappush(self.open, (node.lower, next(self.order), node))

    def choose(self, node: CaseNode, eta: Numbers, potential: Numbers) -> tuple[str, int] | None:
        """Return the case that the proposal violates most, else any open one."""
        question, penalty = self.question, self.penalty
        gaps = shape(question.mdp, potential)  # R - EV
        scores: list[tuple[Fraction, str, int]] = []
        for p, weight in enumerate(question.weights):
            low, high = penalty.slope_range(p, eta[p])
            if p not in node.used | node.unused:
                over = penalty.scale * high - gaps[p]
                scores.append((weight * over if eta[p] else Fraction(-1), "case", p))
            if penalty.kink[p] and penalty.weight and p not in node.sides:
                amount = weight * penalty.scale * penalty.kink[p]
                scores.append((amount if low == high else _ZERO, "side", p))
        if not scores:
            return None
        _, kind, pair = max(scores, key=lambda entry: (entry[0], entry[1], -entry[2]))
        return kind, pair


def regularised_witness(question: Question, penalty: Penalty, eta: Numbers) -> RegularisedWitness:
    """Return the reward model of least cost for which a policy is regularised-optimal.

    Parameters
    ----------
    eta : tuple of Fraction, one per pair
        Unnormalised occupancy measure of the policy, which may be randomised.
    """
    count = len(eta)
    ranges = [penalty.slope_range(p, x) for p, x in enumerate(eta)]
    # Columns: what the flow gains and loses per pair; a slope is chosen to the flow's disadvantage.
    objective = [
        *(r - penalty.scale * high for r, (_, high) in zip(question.rewards, ranges, strict=True)),
        *(penalty.scale * low - r for r, (low, _) in zip(question.rewards, ranges, strict=True)),
    ]
    rows = [{**row, **{count + p: -x for p, x in row.items()}} for row in bellman_rows(question)]
    upper: list[Bound] = [
        *question.weights,
        *(w if x else _ZERO for w, x in zip(question.weights, eta, strict=True)),
    ]
    found = maximise(objective, rows, [_ZERO] * len(rows), [_ZERO] * (2 * count), upper)
    if found.multipliers is None:
        raise EngineError(f"the programme of a policy's cost is {found.status}")
    gaps = shape(question.mdp, found.multipliers)
    reward, slope = [], []
    for p, (low, high) in enumerate(ranges):
        # R - EV, less the price of the slope that fits best.
        wanted = gaps[p] / penalty.scale if penalty.scale else low
        chosen = min(max(wanted, low), high)
        paid = question.rewards[p] - gaps[p] + penalty.scale * chosen
        reward.append(paid if eta[p] else min(paid, question.rewards[p]))
        slope.append(chosen)
    cost = sum(
        (
            w * abs(x - r)
            for w, x, r in zip(question.weights, reward, question.rewards, strict=True)
        ),
        _ZERO,
    )
    returned = sum((x * r for x, r in zip(eta, question.rewards, strict=True)), _ZERO)
    return RegularisedWitness(tuple(reward), eta, tuple(slope), found.multipliers, cost, returned)


def comparison(
    question: Question, penalty: Penalty, best: Peak, unused: frozenset[int] = frozenset()
) -> GapLeaf | None:
    """Return the bound by the gap between the best policy and the best bad one, if it is positive.

    With `unused` empty this is Theorem 4.1 with a constant, sharpened per pair.
    """
    peak = highest(question, penalty, bad=True, unused=unused)
    if peak is None or peak.value >= best.value:
        return None
    horizon = 1 / (1 - question.discount)
    limits = []
    for p, (weight, x) in enumerate(zip(question.weights, best.occupancy, strict=True)):
        if x:
            limits.append(weight / x)
        if p not in unused and horizon > x:
            limits.append(weight / (horizon - x))
    kappa = min(limits)
    if not kappa:
        return None
    flow = {p: kappa * x for p, x in enumerate(best.occupancy) if x}
    return GapLeaf(kappa * (best.value - peak.value), flow, kappa, peak)


def _bound_signs(node: CaseNode, pair: int) -> tuple[Bound, Bound]:
    """Return the range of the multiplier of a bound on the occupancy of a pair."""
    side = node.sides.get(pair)
    if side is None:
        return _ZERO, _ZERO
    return (None if side <= 0 else _ZERO), (None if side >= 0 else _ZERO)


def _emptiness(question: Question, penalty: Penalty, node: CaseNode) -> DualLeaf | None:
    """Return the proof that a node holds no bad occupancy measure, if so."""
    if not node.unused and not node.sides:
        return None
    count, states = len(question.rewards), len(question.initial)
    allowed = [p for p in range(count) if p not in node.unused]
    # Columns: U in [-1, 1], kappa in [0, 1], beta of each pair with a side, a slack per row.
    sided = sorted(node.sides)
    columns = states + 1 + len(sided) + len(allowed)
    objective = [_ZERO] * columns
    objective[:states] = question.initial
    objective[states] = -question.bad_return
    lower: list[Bound] = [*[Fraction(-1)] * states, _ZERO]
    upper: list[Bound] = [*[Fraction(1)] * states, Fraction(1)]
    for k, p in enumerate(sided):
        objective[states + 1 + k] = penalty.reference[p] / penalty.share
        low, high = _bound_signs(node, p)
        if p in node.unused:  # no row limits its multiplier
            low, high = Fraction(-1) if low is None else low, Fraction(1) if high is None else high
        lower.append(low)
        upper.append(high)
    lower += [_ZERO] * len(allowed)
    upper += [None] * len(allowed)
    rows = _price_rows(question, allowed, sided, 0)
    found = maximise(objective, rows, [_ZERO] * len(rows), lower, upper)
    if found.value is None or found.point is None:
        raise EngineError(f"the programme of an empty node is {found.status}")
    if found.value <= 0:
        return None
    point = found.point
    bounds = {p: point[states + 1 + k] for k, p in enumerate(sided) if point[states + 1 + k]}
    return DualLeaf(found.value, {}, point[states], point[:states], bounds)


def _price_rows(
    question: Question, allowed: list[int], sided: list[int], start: int
) -> list[dict[int, Fraction]]:
    """Return the rows kappa R - beta - EU - slack of the allowed pairs.

    Columns from `start`: U, kappa, beta, slack.
    """
    states = len(question.initial)
    place = {p: start + states + 1 + k for k, p in enumerate(sided)}
    first = start + states + 1 + len(sided)
    rows = []
    for i, p in enumerate(allowed):
        row = {start + question.mdp.pair_states[p]: Fraction(-1)}
        for t, probability in question.successors[p]:
            row[start + t] = row.get(start + t, _ZERO) + question.discount * probability
        row[start + states] = question.rewards[p]
        if p in place:
            row[place[p]] = Fraction(-1)
        row[first + i] = Fraction(-1)
        rows.append(row)
    return rows


def _relaxation(
    question: Question, penalty: Penalty, node: CaseNode
) -> tuple[DualLeaf, Numbers, Numbers]:
    """Solve the dual of a node's linear relaxation.

    Returns
    -------
    leaf : DualLeaf
    occupancy : one number per pair
        Of the bad policy that the relaxation proposes.
    potential : one number per state
        V of its reward model.
    """
    count, states = len(question.rewards), len(question.initial)
    allowed = [p for p in range(count) if p not in node.unused]
    sided = sorted(node.sides)
    # Columns: flow gained, flow lost, U, kappa, beta, slack.
    start = 2 * count
    columns = start + states + 1 + len(sided) + len(allowed)
    objective = [_ZERO] * columns
    lower: list[Bound] = [_ZERO] * columns
    upper: list[Bound] = [None] * columns
    for p, weight in enumerate(question.weights):
        fixed = penalty.linear[p] - 2 * penalty.square[p] * penalty.reference[p]
        side = node.sides.get(p, 0)
        high = fixed + penalty.kink[p] * (side or 1)
        low = fixed + penalty.kink[p] * (side or -1)
        objective[p] = question.rewards[p] - penalty.scale * high
        objective[count + p] = penalty.scale * low - question.rewards[p]
        upper[p] = weight
        upper[count + p] = weight if p in node.used else _ZERO
    objective[start : start + states] = question.initial
    lower[start : start + states] = [None] * states
    objective[start + states] = -question.bad_return
    for k, p in enumerate(sided):
        column = start + states + 1 + k
        objective[column] = penalty.reference[p] / penalty.share
        lower[column], upper[column] = _bound_signs(node, p)
    rows = [{**row, **{count + p: -x for p, x in row.items()}} for row in bellman_rows(question)]
    for p, row in zip(allowed, _price_rows(question, allowed, sided, start), strict=True):
        bend = 2 * penalty.scale * penalty.share * penalty.square[p]
        rows.append({**row, p: -bend, count + p: bend} if bend else row)
    found = maximise(objective, rows, [_ZERO] * len(rows), lower, upper)
    if found.value is None or found.point is None or found.multipliers is None:
        raise EngineError(f"the relaxation of a node is {found.status}")
    point = found.point
    flow = {p: point[p] - point[count + p] for p in range(count) if point[p] != point[count + p]}
    bounds = {
        p: point[start + states + 1 + k]
        for k, p in enumerate(sided)
        if point[start + states + 1 + k]
    }
    leaf = DualLeaf(found.value, flow, point[start + states], point[start : start + states], bounds)
    eta = [_ZERO] * count
    for p, multiplier in zip(allowed, found.multipliers[states:], strict=True):
        eta[p] = -multiplier
    return leaf, tuple(eta), found.multipliers[:states]


def walk_cases(root: CaseNode) -> Iterator[CaseNode]:
    """Yield the nodes of a tree, each before its children."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        content = node.content
        if isinstance(content, Case):
            waiting += [content.used, content.unused]
        elif isinstance(content, Side):
            waiting += [content.above, content.at, content.below]
