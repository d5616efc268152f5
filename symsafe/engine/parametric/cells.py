"""Evidence about a cell: a box of parameter values that is safe, or unsafe, as a whole.

The exact engine decides at one point of the cell; what it found there is written as functions of
the parameters, by keeping its policies and bases and solving them symbolically. Floats screen
whether the conditions hold on the cell; the checker's own code decides, in exact arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq_poly
from numpy.typing import NDArray

from symsafe import checker
from symsafe.analysis.linear import from_flint, to_flint
from symsafe.analysis.linear_program import LinearOptimum, maximise
from symsafe.analysis.occupancy import support
from symsafe.analysis.policies import count_deterministic_policies, deterministic_policies
from symsafe.analysis.values import optimal_values, shape
from symsafe.engine.limits import Limits
from symsafe.engine.parametric.bernstein import Screen, bounds_of
from symsafe.engine.parametric.domain import at_point
from symsafe.engine.parametric.functions import (
    Box,
    Scribe,
    corners,
    family_document,
    solve_functions,
    value_at,
)
from symsafe.engine.question import Question
from symsafe.engine.relaxation import Guide
from symsafe.engine.search import search
from symsafe.engine.witness import Witness, bellman_rows
from symsafe.errors import InputError
from symsafe.exact import Number, RationalFunction, entry
from symsafe.model import SafetyProblem
from symsafe.model.problem import require_tolerance

__all__ = ["CellProver", "Evidence"]

Allowed = tuple[tuple[int, ...], ...]
Numbers = list[Number]

_MAX_NODES = 400
_MAX_MARGINS = 256  # policies whose returns are compared with the threshold
_MAX_CORNERS = 4  # parameters whose corners are interpolated between
_DIGITS = 3
_ZERO = Fraction(0)


@dataclass(eq=False)
class Evidence:
    """A proof as the certificate writes it, with the conditions that are left to each cell."""

    kind: str  # "safe" or "unsafe"
    document: dict[str, Any]
    screen: Screen
    rest: list[tuple[checker.Polynomial, bool]]
    _roots: list[Fraction] | None = None

    def proves(self, family: checker.Family, box: Box, *, interior: bool = False) -> bool:
        """Whether the conditions hold on a cell, by the checker's own arithmetic."""
        if not self.screen.may_hold(box):
            return False
        return all(
            checker.proven(p, strict, list(box), family.bounds, interior) for p, strict in self.rest
        )

    def roots(self, low: Fraction, high: Fraction) -> Iterator[Fraction]:
        """Yield the rational roots of the conditions (of one parameter) inside an interval."""
        if self._roots is None:
            self._roots = list(self._rational_roots())
        return (root for root in self._roots if low < root < high)

    def _rational_roots(self) -> Iterator[Fraction]:
        for polynomial, _ in self.rest:
            degree = max((powers[0] for powers in polynomial), default=0)
            entries = [to_flint(polynomial.get((e,), _ZERO)) for e in range(degree + 1)]
            for factor, _ in fmpq_poly(entries).factor()[1]:
                if factor.degree() == 1:
                    yield -from_flint(factor[0]) / from_flint(factor[1])


class _Unproven(Exception):  # noqa: N818 (a finding)
    """No evidence of this form holds on the cell."""


class CellProver:
    """Finds evidence for cells of one problem with parameters.

    Parameters
    ----------
    problem : SafetyProblem
        With an epsilon.
    inside : mapping
        A point of the domain.

    Attributes
    ----------
    points : dict
        The first points found ``"safe"`` and ``"unsafe"``, by the exact engine.
    """

    def __init__(self, problem: SafetyProblem, inside: dict[str, Fraction]) -> None:
        mdp = problem.mdp
        self.problem, self.mdp = problem, mdp
        self.names = mdp.parameters.names
        self.scribe = Scribe(self.names, inside)
        self.document = family_document(problem, self.scribe)
        self.family = checker.Family(self.document)
        self.epsilon: Number = require_tolerance(problem, "to decide")
        self.regret_document = self.scribe.number(problem.regret)
        self.epsilon_document = self.scribe.number(self.epsilon)
        reader = self.family.conditions
        self.levels = (
            reader.read(self.regret_document, "claim.regret"),
            reader.read(self.epsilon_document, "claim.epsilon"),
        )
        reader.need(self.levels[0], "more than", "claim.regret", "claim")
        reader.need(reader.one - self.levels[0], "at least", "claim.regret", "claim")
        reader.need(self.levels[1], "more than", "claim.epsilon", "claim")
        self.well_formed = self._left(reader)
        self.rows = [self._row(pair) for pair in range(len(mdp.pairs))]
        self._policy_values: dict[tuple[int, ...], Numbers] = {}
        self._flows: dict[Any, Numbers | None] = {}
        self.interior = False
        self.limits = Limits()
        self.points: dict[str, dict[str, Fraction]] = {}
        self._questions: dict[tuple[Fraction, ...], Question | None] = {}

    # -- functions ---------------------------------------------------------------------------

    def _row(self, pair: int) -> Numbers:
        """Return the row of E of a pair."""
        row: Numbers = [_ZERO] * len(self.mdp.states)
        row[self.mdp.pair_states[pair]] = Fraction(1)
        for successor, probability in self.mdp.successors[pair]:
            row[successor] = row[successor] - self.mdp.discount * probability
        return row

    def _values(self, choices: tuple[int, ...]) -> Numbers:
        """Return the value function of the policy that takes the pairs `choices`."""
        if choices not in self._policy_values:
            found = solve_functions(
                [self.rows[pair] for pair in choices], [self.mdp.rewards[p] for p in choices]
            )
            if found is None:
                raise _Unproven
            self._policy_values[choices] = found
        return self._policy_values[choices]

    def _gap(self, values: Numbers, pair: int) -> Number:
        """Return R - EV at a pair."""
        gap: Number = self.mdp.rewards[pair]
        for e, v in zip(self.rows[pair], values, strict=True):
            if e != 0 and v != 0:
                gap = gap - e * v
        return gap

    def _left(self, conditions: checker.Conditions) -> list[tuple[checker.Polynomial, bool]]:
        """Return the conditions that do not hold on the whole box."""
        family = self.family
        return [
            (polynomial, strict)
            for polynomial, strict, _, _ in conditions.found.values()
            if not checker.proven(polynomial, strict, family.box, family.bounds)
        ]

    def _range(self, number: Number, box: Box) -> tuple[Fraction, Fraction]:
        """Return rough, outward rounded bounds of a function on a cell."""
        return bounds_of(number, self.names, box)

    # -- the proof of a cell -------------------------------------------------------------------

    def prove(
        self, box: Box, point: dict[str, Fraction], *, interior: bool = False
    ) -> Evidence | None:
        """Return evidence that holds on the whole cell, guided by one of its points, if found.

        With `interior` it need not hold on the edge of the cell.
        """
        self.interior = interior
        self.family.spent = 0  # the checker's limit of work is for a certificate, not for a search
        with at_point(point):
            question = Question.of(self.problem.at(**point))
        budget = value_at(self.epsilon, point) * question.reward_range
        outcome = search(question, self.limits, enough=budget)
        if outcome.stopped:
            return None
        unsafe = outcome.witness.cost <= budget
        self.points.setdefault("unsafe" if unsafe else "safe", point)
        try:
            if unsafe:
                return self._unsafe(box, question, self._completed(question, outcome.witness))
            return self._safe(box, question, budget)
        except (_Unproven, InputError, checker.Malformed, ZeroDivisionError):
            # Beyond limits, or a divisor near 0.
            return None

    def _finish(self, box: Box, document: dict[str, Any]) -> Evidence:
        proof = checker.Proof(self.family, *self.levels, document, "proof")
        rest = self.well_formed + self._left(proof.conditions)
        evidence = Evidence(proof.kind, document, Screen(rest, len(self.names)), rest)
        if not evidence.proves(self.family, box, interior=self.interior):
            raise _Unproven
        return evidence

    # -- for the radius as a function ------------------------------------------------------------

    def price(
        self, question: Question, witness: Witness, point: Mapping[str, Fraction]
    ) -> Number | None:
        """Return what a cheapest reward model for a policy costs near a point, as a function."""
        taken = self._completed(question, witness)
        try:
            values, basis = self._prices(question, taken)
        except _Unproven:
            return None
        cost: Number = _ZERO
        for pair, weight in enumerate(self.problem.data.weights):
            gap = _ZERO if pair in basis else self._gap(values, pair)
            at = value_at(gap, point)
            if at > 0 or pair in taken:
                cost = cost + weight * (gap if at > 0 else -gap)
        return cost

    def margins(self, question: Question) -> list[Number]:
        """Return functions at whose roots other policies become bad, or other rewards extreme."""
        returns, mdp = question.returns, self.mdp
        best, worst = (
            self._mean(self._values(self._pairs(policy.choices)))
            for policy in (returns.optimal, returns.worst)
        )
        bad = best - self.problem.regret * (best - worst)
        found: list[Number] = []
        if count_deterministic_policies(mdp) <= _MAX_MARGINS:
            for policy in deterministic_policies(mdp):
                found.append(self._mean(self._values(self._pairs(policy))) - bad)
        for extreme in (max(question.rewards), min(question.rewards)):
            reward = mdp.rewards[question.rewards.index(extreme)]
            found += [reward - other for other in mdp.rewards]
        return found

    def _mean(self, values: Numbers) -> Number:
        total: Number = _ZERO
        for m, v in zip(self.mdp.initial, values, strict=True):
            total = total + m * v
        return total

    def _pairs(self, policy: Sequence[int]) -> tuple[int, ...]:
        return tuple(pairs.start + a for pairs, a in zip(self.mdp.pair_ranges, policy, strict=True))

    def _actions(self, choices: Sequence[int]) -> list[int]:
        return [p - pairs.start for pairs, p in zip(self.mdp.pair_ranges, choices, strict=True)]

    def _relaxed(self, values: Numbers, box: Box, pairs: Sequence[int], sign: int) -> Numbers:
        """Return the values, moved by a constant, so that sign * (R - EV) >= 0 at the pairs."""
        worst = _ZERO
        for pair in pairs:
            gap = self._gap(values, pair)
            if gap == 0:
                continue
            low, high = self._range(gap, box)
            worst = min(worst, low if sign > 0 else -high)
        if worst == 0:
            return values
        _, discount = self._range(self.mdp.discount, box)
        if discount >= 1:
            raise _Unproven
        shift = _rounded_up(-worst / (1 - discount))
        return [v - shift if sign > 0 else v + shift for v in values]

    # -- unsafe --------------------------------------------------------------------------------

    def _completed(self, question: Question, witness: Witness) -> tuple[int, ...]:
        """Return the pairs that the policy takes; where it never comes, as its reward model likes.

        There R^ = EV costs nothing at the pair where R - EV is greatest if that is not negative;
        if it is, V can be lowered at no cost to the values of the true reward.
        """
        mdp, reached = question.mdp, support(question.mdp, witness.policy)
        gaps = shape(mdp, witness.value)
        rewards = list(question.rewards)
        allowed: list[tuple[int, ...]] = []
        for pairs, taken in zip(mdp.pair_ranges, self._pairs(witness.policy.choices), strict=True):
            fixed = taken if taken in reached else max(pairs, key=lambda p: gaps[p])
            if taken in reached or gaps[fixed] >= 0:
                rewards[fixed] -= gaps[fixed]
                allowed.append((fixed,))
            else:
                allowed.append(tuple(pairs))
        return optimal_values(mdp, rewards, allowed=allowed)[1]

    def _unsafe(self, box: Box, question: Question, taken: tuple[int, ...]) -> Evidence:
        mdp, returns = self.mdp, question.returns
        best = self._pairs(returns.optimal.choices)
        worst = self._values(self._pairs(returns.worst.choices))
        rewards = question.rewards
        everything = range(len(mdp.pairs))
        values, basis = self._prices(question, taken)
        errors: Numbers = []
        for pair in everything:
            gap: Number = _ZERO if pair in basis else self._gap(values, pair)
            low, high = (gap, gap) if isinstance(gap, Fraction) else self._range(gap, box)
            if pair in taken and low < 0:
                gap = -gap if high <= 0 else _rounded_up(max(high, -low))
            elif low < 0:
                gap = _rounded_up(max(high, _ZERO))
            errors.append(gap)
        high_pair = max(everything, key=lambda p: rewards[p])
        low_pair = min(everything, key=lambda p: rewards[p])
        places = self.family.place
        return self._finish(
            box,
            {
                "policy": self._actions(best),
                "best": self.scribe.numbers(self._values(best)),
                "worst": self.scribe.numbers(self._relaxed(worst, box, everything, 1)),
                "range": [list(places[high_pair]), list(places[low_pair])],
                "witness": {
                    "policy": self._actions(taken),
                    "policy_value": self.scribe.numbers(self._values(taken)),
                    "value": self.scribe.numbers(values),
                    "errors": self._table(errors),
                },
            },
        )

    def _table(self, numbers: Numbers) -> list[Any]:
        written = self.scribe.numbers(numbers)
        return [written[pairs.start : pairs.stop] for pairs in self.mdp.pair_ranges]

    def _prices(self, question: Question, taken: tuple[int, ...]) -> tuple[Numbers, set[int]]:
        """Return V of a cheapest reward model for a policy, as functions, and where EV = R."""
        forced = set(taken)
        optimum = best_circulation(question, tuple((pair,) for pair in taken))
        if optimum.multipliers is None:
            raise _Unproven
        at = optimum.multipliers
        tight = [pair for pair in range(len(self.rows)) if _ground_gap(question, at, pair) == 0]
        # At a tie too few pairs are tight, and V is kept where it is in some states.
        count = len(self.rows)
        order = [*sorted(tight, key=lambda p: p not in forced), *range(count, count + len(at))]
        basis = _independent(question, order)
        rows, right = [], list[Number]()
        for place in basis:
            if place < count:
                rows.append(self.rows[place])
                right.append(self.mdp.rewards[place])
            else:
                rows.append([Fraction(int(s == place - count)) for s in range(len(at))])
                right.append(at[place - count])
        values = solve_functions(rows, right)
        if values is None:
            raise _Unproven
        return values, {place for place in basis if place < count}

    # -- safe ----------------------------------------------------------------------------------

    def _safe(self, box: Box, question: Question, budget: Fraction) -> Evidence:
        mdp, returns = self.mdp, question.returns
        everything = range(len(mdp.pairs))
        best = self._relaxed(
            self._values(self._pairs(returns.optimal.choices)), box, everything, -1
        )
        worst = self._pairs(returns.worst.choices)
        high, low = max(question.rewards), min(question.rewards)
        ends = []
        for extreme, sign in ((high, 1), (low, -1)):
            number = mdp.rewards[question.rewards.index(extreme)]
            over = _ZERO
            for reward in mdp.rewards:
                difference = reward - number
                if difference != 0:
                    least, most = self._range(difference, box)
                    over = max(over, most if sign > 0 else -least)
            ends.append(number + sign * _rounded_up(over))
        header = {
            "policy": self._actions(worst),
            "best": self.scribe.numbers(best),
            "worst": self.scribe.numbers(self._values(worst)),
            "range": self.scribe.numbers(ends),
        }
        tree = _TreeOfCell(self, box, question, budget, header).nodes
        return self._finish(box, {**header, "tree": tree})

    def flow(self, question: Question, allowed: Allowed, enough: Fraction) -> Numbers | None:
        """Return the best circulation of a node at the point, as functions, if it is enough."""
        weights = question.weights
        optimum = best_circulation(question, allowed)
        if optimum.point is None or optimum.value is None or optimum.value <= enough:
            return None
        point = optimum.point
        inner: list[int] = []
        flow: dict[int, Number] = {}
        for pair, y in enumerate(point):
            data = self.problem.data.weights[pair]
            if y == weights[pair] and y != 0:
                flow[pair] = data
            elif y == -weights[pair] and y != 0:
                flow[pair] = -data
            elif y != 0:
                inner.append(pair)
        rest = [p for p in range(len(point)) if p not in flow and p not in inner]
        # A basis holds the pairs between their bounds; others stay where they are.
        basis = _independent(question, [*inner, *rest, *flow])
        if len(basis) < len(question.initial):
            return None
        key = tuple(basis), tuple(sorted((p, point[p] > 0) for p in flow if p not in basis))
        if key not in self._flows:
            right: Numbers = [_ZERO] * len(question.initial)
            for pair, held in flow.items():
                if pair not in basis:
                    right = [
                        r - e * held if e != 0 else r
                        for r, e in zip(right, self.rows[pair], strict=True)
                    ]
            columns = [[self.rows[p][s] for p in basis] for s in range(len(right))]
            found = solve_functions(columns, right)
            result: Numbers | None = None
            if found is not None:
                result = [flow.get(p, _ZERO) for p in range(len(point))]
                for pair, solved in zip(basis, found, strict=True):
                    result[pair] = solved
            self._flows[key] = result
        return self._flows[key]

    def interpolated(self, box: Box, allowed: Allowed) -> Numbers | None:
        """Return the best circulations of the corners of a cell, interpolated between them.

        Where the best basis changes inside the cell, this stays close to the best circulation. The
        flows of some pairs are then solved for, so that the circulation is one everywhere.
        """
        if len(box) > _MAX_CORNERS:
            return None
        points, flows = corners(box), []
        for corner in points:
            question = self._question(corner)
            optimum = None if question is None else best_circulation(question, allowed)
            if optimum is None or question is None or optimum.point is None:
                return None
            flows.append((question, optimum.point))
        weights = [self._hat(box, corner) for corner in points]
        result: Numbers = []
        for pair in range(len(self.mdp.pairs)):
            total: Number = _ZERO
            for weight, (_, flow) in zip(weights, flows, strict=True):
                if flow[pair]:
                    total = total + flow[pair] * weight
            result.append(total)
        if any(is_function(e) for row in self.rows for e in row):
            return self._repaired(result, allowed, flows)
        return result

    def _repaired(
        self,
        flow: Numbers,
        allowed: Allowed,
        corner_flows: Sequence[tuple[Question, Sequence[Fraction]]],
    ) -> Numbers | None:
        """Solve for the flows of the pairs that are farthest from their bounds."""
        forced = {pairs[0] for pairs in allowed if len(pairs) == 1}

        def room(pair: int) -> Fraction:
            return min(
                min(
                    question.weights[pair] - y[pair],
                    y[pair] + (question.weights[pair] if pair in forced else 0),
                )
                for question, y in corner_flows
            )

        order = sorted(range(len(flow)), key=room, reverse=True)
        basis = _independent(corner_flows[0][0], order)
        right: Numbers = [_ZERO] * len(self.mdp.states)
        for pair, y in enumerate(flow):
            if pair not in basis and y != 0:
                right = [
                    r - e * y if e != 0 else r for r, e in zip(right, self.rows[pair], strict=True)
                ]
        columns = [[self.rows[p][s] for p in basis] for s in range(len(right))]
        found = solve_functions(columns, right) if len(basis) == len(right) else None
        if found is None:
            return None
        for pair, y in zip(basis, found, strict=True):
            flow[pair] = y
        return flow

    def _hat(self, box: Box, corner: Sequence[Fraction]) -> Number:
        """Return the multilinear function that is 1 at a corner of a cell and 0 at the others."""
        result: Number = Fraction(1)
        for name, (low, high), x in zip(self.names, box, corner, strict=True):
            if low < high:
                theta = entry(name, name, self.names)
                factor = theta - low if x == high else high - theta
                result = result * factor / (high - low)
        return result

    def _question(self, point: tuple[Fraction, ...]) -> Question | None:
        """Return the question at a point, or None if it is none."""
        if point not in self._questions:
            try:
                named = dict(zip(self.names, point, strict=True))
                self._questions[point] = Question.of(self.problem.at(**named))
            except InputError:
                self._questions[point] = None
        return self._questions[point]


def best_circulation(question: Question, allowed: Allowed) -> LinearOptimum:
    """Return the circulation of most worth for the policies of a node."""
    forced = {pairs[0] for pairs in allowed if len(pairs) == 1}
    return maximise(
        question.rewards,
        bellman_rows(question),
        [_ZERO] * len(question.initial),
        [-w if pair in forced else _ZERO for pair, w in enumerate(question.weights)],
        question.weights,
    )


class _TreeOfCell:
    """A policy tree whose leaves hold on a whole cell, grown until they do."""

    def __init__(
        self,
        prover: CellProver,
        box: Box,
        question: Question,
        budget: Fraction,
        header: dict[str, Any],
    ) -> None:
        self.prover, self.box, self.question, self.budget = prover, box, question, budget
        # The rules of the leaves, in the checker's own words; the empty leaf is not looked at.
        self.rules = checker.Proof(
            prover.family, *prover.levels, {**header, "tree": [{"circulation": []}]}, "proof"
        )
        self.guide = Guide(question)
        self.threshold = float(budget / question.reward_range)
        self.nodes: list[dict[str, Any]] = []
        waiting: list[tuple[int, Allowed]] = [(0, tuple(map(tuple, question.mdp.pair_ranges)))]
        self.nodes.append({})
        while waiting:
            if len(self.nodes) > _MAX_NODES:
                raise _Unproven
            place, allowed = waiting.pop()
            leaf = self._value(allowed) or self._circulation(allowed)
            if leaf is not None:
                self.nodes[place] = leaf
                continue
            state = self._branching_state(allowed)
            children = []
            start = question.mdp.pair_ranges[state].start
            for pair in allowed[state]:
                children.append([len(self.nodes), [pair - start]])
                waiting.append(
                    (len(self.nodes), (*allowed[:state], (pair,), *allowed[state + 1 :]))
                )
                self.nodes.append({})
            self.nodes[place] = {"split": {"state": state, "children": children}}

    def _holds(self, kind: str, allowed: Allowed, document: Any) -> bool:
        prover, rules = self.prover, self.rules
        rules.conditions = checker.Conditions(rules.conditions.count, prover.family)
        scope = checker.Scope(allowed, {}, {}, set())
        getattr(rules, kind)(scope, document, "leaf")
        left = [(p, strict) for p, strict, _, _ in rules.conditions.found.values()]
        if not Screen(left, len(prover.names)).may_hold(self.box):
            return False
        bounds = prover.family.bounds
        return all(
            checker.proven(p, strict, list(self.box), bounds, prover.interior) for p, strict in left
        )

    def _value(self, allowed: Allowed) -> dict[str, Any] | None:
        question, prover = self.question, self.prover
        values, choices = optimal_values(question.mdp, maximise=False, allowed=allowed)
        least = sum((p * v for p, v in zip(question.initial, values, strict=True)), _ZERO)
        if least <= question.bad_return:
            return None
        pairs = [p for options in allowed for p in options]
        moved = prover._relaxed(prover._values(choices), self.box, pairs, 1)
        document = prover.scribe.numbers(moved)
        return {"value": document} if self._holds("value", allowed, document) else None

    def _circulation(self, allowed: Allowed) -> dict[str, Any] | None:
        flow = self.prover.flow(self.question, allowed, self.budget)
        if flow is None:
            return None
        return self._if_it_holds(allowed, flow) or self._if_it_holds(
            allowed, self.prover.interpolated(self.box, allowed)
        )

    def _if_it_holds(self, allowed: Allowed, flow: Numbers | None) -> dict[str, Any] | None:
        if flow is None:
            return None
        written = self.prover.scribe.numbers(flow)
        places = self.prover.family.place
        document = [[*places[p], y] for p, y in enumerate(written) if y != "0"]
        if not self._holds("circulation", allowed, document):
            return None
        return {"circulation": document}

    def _branching_state(self, allowed: Allowed) -> int:
        """Return the state whose least promising pair would raise the bound most, or give up."""
        mask: NDArray[np.bool_] = np.zeros(self.guide.pairs, dtype=bool)
        mask[[p for pairs in allowed for p in pairs]] = True
        forced = np.zeros_like(mask)
        forced[[pairs[0] for pairs in allowed if len(pairs) == 1]] = True
        guess, _ = self.guide.bound(mask, forced, self.threshold, coupled=False)
        scores = guess.scores
        states = [s for s, pairs in enumerate(allowed) if len(pairs) > 1]
        if not states:
            raise _Unproven

        def score(state: int) -> tuple[float, float, int]:
            gains = sorted(float(scores[pair]) for pair in allowed[state])
            return gains[0] + 1e-3 * gains[1], sum(gains), -state

        return max(states, key=score)


def _ground_gap(question: Question, values: Sequence[Fraction], pair: int) -> Fraction:
    ahead = sum((p * values[t] for t, p in question.successors[pair]), _ZERO)
    state = question.mdp.pair_states[pair]
    return question.rewards[pair] + question.discount * ahead - values[state]


def _independent(question: Question, pairs: Sequence[int]) -> list[int]:
    """Return the first pairs whose rows of E are independent, as many as there are states.

    Numbers from the count of pairs on stand for the rows that pick a single state.
    """
    size = len(question.initial)
    kept: list[int] = []
    reduced: list[tuple[int, list[Fraction]]] = []
    for pair in pairs:
        row = [_ZERO] * size
        if pair < len(question.weights):
            row[question.mdp.pair_states[pair]] += 1
            for t, p in question.successors[pair]:
                row[t] -= question.discount * p
        else:
            row[pair - len(question.weights)] += 1
        for column, other in reduced:
            if row[column]:
                factor = row[column] / other[column]
                row = [x - factor * y for x, y in zip(row, other, strict=True)]
        lead = next((i for i, x in enumerate(row) if x), None)
        if lead is not None:
            kept.append(pair)
            reduced.append((lead, row))
        if len(kept) == size:
            break
    return kept


def _rounded_up(number: Fraction) -> Fraction:
    """Return a number of few digits that is at least `number`, which is not negative."""
    if number == 0:
        return number
    grid = Fraction(10) ** (_DIGITS - len(str(number.numerator)) + len(str(number.denominator)))
    return -(-number * grid // 1) / grid


def is_function(number: Number) -> bool:
    """Whether a number depends on parameters."""
    return isinstance(number, RationalFunction)
