"""Exact evidence for the leaves of a policy tree (the rules of CERTIFICATE.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, lcm

from symsafe.analysis.linear_program import maximise
from symsafe.analysis.values import optimal_values
from symsafe.engine.question import Question
from symsafe.engine.relaxation import Floats
from symsafe.engine.witness import bellman_rows
from symsafe.errors import EngineError

__all__ = ["Allowed", "CirculationLeaf", "DuplicateLeaf", "LeafMaker", "ValueLeaf"]

Allowed = tuple[tuple[int, ...], ...]
"""Per state, the pairs that the policies of a node may take."""

Potentials = Mapping[tuple[int, Fraction], tuple[Fraction, ...]]
"""By state s and price, a potential h that bounds the occupancy of s (rule `hitting`).

With price 0 it is an upper bound of E_t[gamma^(first visit of s)] for every state t.
"""

_KAPPA_DIGITS = 6
# Occupancy bounds are rounded up, so the proposed multiplier may be just too large for any flow.
# A slightly smaller one then works (flows scale); 0 always does.
_KAPPA_SHARES = (
    Fraction(1),
    Fraction(999_999, 10**6),
    Fraction(999, 1000),
    Fraction(9, 10),
    Fraction(0),
)


@dataclass(frozen=True, slots=True)
class ValueLeaf:
    """`values` is a value function below that of every policy of the node; none of them is bad."""

    values: tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class CirculationLeaf:
    """Every bad policy of the node costs at least `cost` (reward units).

    The flow is given by its pairs, as integers over one denominator `scale`.
    """

    cost: Fraction
    kappa: Fraction = Fraction(0)
    flow: Mapping[int, int] = field(default_factory=dict)
    scale: int = 1
    hitting: Potentials = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        cost: Fraction,
        kappa: Fraction,
        flow: Sequence[Fraction],
        hitting: Potentials | None = None,
    ) -> CirculationLeaf:
        """Return the leaf with a flow given as fractions, one per pair."""
        scale = lcm(*(y.denominator for y in flow))
        entries = {p: y.numerator * (scale // y.denominator) for p, y in enumerate(flow) if y}
        return cls(cost, kappa, entries, scale, hitting or {})


@dataclass(frozen=True, slots=True)
class DuplicateLeaf:
    """The node's only pair of a state may be exchanged for the pair `twin` of a sibling."""

    twin: int


class LeafMaker:
    """Turns guesses about a node into evidence, or into nothing when they were wrong."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.rows = bellman_rows(question)
        self.horizon = 1 / (1 - question.discount)
        self.steps = [_integral(question, pair) for pair in range(len(question.weights))]
        # A coarse grid keeps the certificate small; the step is small against 1 - gamma.
        self.grid = 10 ** (4 + len(str(int(self.horizon))))

    def value(self, allowed: Allowed) -> ValueLeaf | None:
        """Return the proof that no policy of the node is bad, or None if some policy is."""
        question = self.question
        values, _ = optimal_values(question.mdp, maximise=False, allowed=allowed)
        least = sum((p * v for p, v in zip(question.initial, values, strict=True)), Fraction(0))
        return ValueLeaf(values) if least > question.bad_return else None

    def circulation(
        self, allowed: Allowed, kappa: float, reach: Floats | None, inherited: Potentials
    ) -> CirculationLeaf:
        """Return the best circulation at (about) the multiplier `kappa`.

        Parameters
        ----------
        allowed : Allowed
        kappa : float
            Proposed multiplier of the return constraint; not positive means 0.
        reach : array, shape (S, S), or None
            Proposed upper hitting bounds, indexed [from, target].
        inherited : mapping
            Hitting bounds that the nodes above declare.
        """
        proposed = Fraction(f"{kappa:.{_KAPPA_DIGITS}g}") if kappa > 0 else Fraction(0)
        declared: Potentials = {}
        visits: dict[int, Fraction] = {}
        if proposed and reach is not None:
            declared = dict(self.potentials(allowed, reach))
            visits = self.visits(allowed, {**inherited, **declared})
        for share in _KAPPA_SHARES:
            multiplier = proposed * share
            flow = self._flow(allowed, multiplier, visits)
            if flow is not None:
                break
        else:
            raise EngineError("a circulation leaf has no flow, not even the empty one")
        question = self.question
        cost = -multiplier * question.bad_return + sum(
            (y * r for y, r in zip(flow, question.rewards, strict=True) if y), Fraction(0)
        )
        needed = self._needed(allowed, multiplier, flow, inherited, declared)
        return CirculationLeaf.of(cost, multiplier, flow, needed)

    def _flow(
        self, allowed: Allowed, multiplier: Fraction, visits: Mapping[int, Fraction]
    ) -> tuple[Fraction, ...] | None:
        """Return the best flow for a multiplier, or None if there is none."""
        question = self.question
        weights = question.weights
        lower = [Fraction(0)] * len(weights)
        for pairs in allowed:
            for pair in pairs:
                floor = multiplier * visits.get(pair, self.horizon) - weights[pair]
                if floor > weights[pair]:
                    return None
                lower[pair] = floor if len(pairs) == 1 else max(floor, Fraction(0))
        initial = [multiplier * p for p in question.initial]
        return maximise(question.rewards, self.rows, initial, lower, weights).point

    def potentials(
        self, allowed: Allowed, reach: Floats
    ) -> Iterator[tuple[tuple[int, Fraction], tuple[Fraction, ...]]]:
        """Yield the proposed hitting bounds, rounded up, that hold exactly on `allowed`.

        Rounding up to a grid may break the Bellman inequality by a step; adding step/(1 - gamma)
        elsewhere restores it, so a proposal is dropped only if floating point was far off.
        """
        grid, states = self.grid, range(len(allowed))
        lift = ceil(self.horizon)
        for target in states:
            heights = [
                grid
                if state == target
                else min(grid, ceil(Fraction(reach[state, target]) * grid) + lift)
                for state in states
            ]
            if all(
                scale * heights[state] >= sum(step * heights[t] for t, step in steps)
                for state, pairs in enumerate(allowed)
                if state != target
                for scale, steps in (self.steps[pair] for pair in pairs)
            ):
                yield (target, Fraction(0)), tuple(Fraction(height, grid) for height in heights)

    def visits(self, allowed: Allowed, hitting: Potentials) -> dict[int, Fraction]:
        """Return for allowed pairs the occupancy bounds that the hitting bounds prove."""
        question, known = self.question, dict[int, Fraction]()
        for (target, price), height in hitting.items():
            first = sum((p * h for p, h in zip(question.initial, height, strict=True)), Fraction(0))
            for pair in allowed[target]:
                back = sum((p * height[t] for t, p in question.successors[pair]), Fraction(0))
                divisor = height[target] - question.discount * back + price * question.rewards[pair]
                bound = (first + price * question.bad_return) / divisor
                known[pair] = min(bound, known.get(pair, self.horizon))
        return known

    def _needed(
        self,
        allowed: Allowed,
        multiplier: Fraction,
        flow: tuple[Fraction, ...],
        inherited: Potentials,
        declared: Potentials,
    ) -> Potentials:
        """Return the declared bounds without which the flow would break rule 3."""
        above = self.visits(allowed, inherited) if multiplier else {}
        weights = self.question.weights
        return {
            (target, price): height
            for (target, price), height in declared.items()
            if any(
                flow[pair] < multiplier * above.get(pair, self.horizon) - weights[pair]
                for pair in allowed[target]
            )
        }


def _integral(question: Question, pair: int) -> tuple[int, list[tuple[int, int]]]:
    """Return the discounted transition row of a pair as integers over one denominator."""
    row = [(t, question.discount * p) for t, p in question.successors[pair]]
    scale = lcm(*(p.denominator for _, p in row))
    return scale, [(t, p.numerator * (scale // p.denominator)) for t, p in row]
