"""The safety radius as a function of a single parameter: exact pieces, proven from both sides.

At a point the exact engine finds a cheapest bad policy and its basis, which give the radius near
that point as a rational function f. On an interval, "unsafe at f" is proven as for any cell; and
"safe at t f for all t in (1/2, 1)", with t as a second parameter, proves that nothing is cheaper.
"""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from flint import fmpq_poly

from symsafe.analysis.linear import from_flint, to_flint
from symsafe.engine.limits import Limits, Within
from symsafe.engine.parametric.cells import CellProver
from symsafe.engine.parametric.functions import value_at
from symsafe.engine.parametric.subdivision import Subdivision
from symsafe.engine.question import Question
from symsafe.engine.search import search
from symsafe.errors import InputError
from symsafe.exact import Number, RationalFunction, entry
from symsafe.model import DataDistribution, ParameterSpace, SafetyProblem

__all__ = ["Piece", "trace_radius"]

_FINEST = Fraction(1, 2**20)
_INSIDE = (Fraction(1, 2), Fraction(4, 11))
_NEAR = Fraction(1, 64)


@dataclass(frozen=True, slots=True)
class Piece:
    """An open interval on which the radius is one function, or not known (None).

    `upper` and `lower` are subdivisions of a single cell that prove it from the two sides; where
    the radius is 0 nothing is below.
    """

    low: Fraction
    high: Fraction
    radius: Number | None
    upper: Subdivision | None = None
    lower: Subdivision | None = None


def trace_radius(problem: SafetyProblem, limits: Limits) -> list[Piece]:
    """Return the pieces of the radius of a problem with one parameter, in increasing order."""
    tracer = _Tracer(problem, Within(limits))
    ((low, high),) = problem.mdp.parameters.bounds.values()
    finest = (high - low) * _FINEST
    waiting = [(low - high, low, high)]
    found: list[Piece] = []
    while waiting:
        _, a, b = heapq.heappop(waiting)  # the widest interval
        stopped = limits.reached() is not None
        piece = None if stopped else tracer.piece(a, b)
        if piece is not None or stopped or b - a <= finest:
            found.append(piece or Piece(a, b, None))
            continue
        cut = tracer.cut(a, b)
        heapq.heappush(waiting, (a - cut, a, cut))
        heapq.heappush(waiting, (cut - b, cut, b))
    joined: list[Piece] = []
    for piece in sorted(found, key=lambda piece: piece.low):
        if joined and joined[-1].radius == piece.radius:
            start = joined[-1].low
            joint = tracer.piece(start, piece.high) if piece.radius is not None else None
            if joint is not None or piece.radius is None:
                joined[-1] = joint or Piece(start, piece.high, None)
                continue
        joined.append(piece)
    return joined


class _Tracer:
    def __init__(self, problem: SafetyProblem, limits: Limits) -> None:
        self.problem, self.limits = problem, limits
        (self.name,) = problem.mdp.parameters.names
        self.share = "t" if self.name != "t" else "u"
        # Its symbolic values serve all pieces; the tolerance plays no part in them.
        middle = sum(problem.mdp.parameters.lower + problem.mdp.parameters.upper) / 2
        inside = {self.name: Fraction(middle)}
        self.prover = CellProver(dataclasses.replace(problem, epsilon=Fraction(1)), inside)

    def piece(self, low: Fraction, high: Fraction) -> Piece | None:
        """Return the piece that the whole interval is, if it is proven to be one."""
        for share in _INSIDE:
            point = low + (high - low) * share
            radius = self.formula(point)
            if radius is None:
                continue
            upper = self.proven(low, high, point, radius, "unsafe")
            if upper is not None and radius == 0:
                return Piece(low, high, radius, upper)
            lower = None if upper is None else self.proven(low, high, point, radius, "safe")
            if lower is not None:
                return Piece(low, high, radius, upper, lower)
        return None

    def formula(self, point: Fraction) -> Number | None:
        """Return the function that the radius is near a point, if it is that at the point."""
        question = self.question(point)
        outcome = search(question, self.limits)
        if outcome.stopped:
            return None
        cost = self.prover.price(question, outcome.witness, {self.name: point})
        if cost is None:
            return None
        rewards = question.rewards
        high, low = (rewards.index(end(rewards)) for end in (max, min))
        radius = cost / (self.problem.mdp.rewards[high] - self.problem.mdp.rewards[low])
        exact = outcome.witness.cost / question.reward_range
        return radius if value_at(radius, {self.name: point}) == exact else None

    def question(self, point: Fraction) -> Question:
        return Question.of(self.problem.at(**{self.name: point}))

    def proven(
        self, low: Fraction, high: Fraction, point: Fraction, radius: Number, kind: str
    ) -> Subdivision | None:
        """Return the proof on an interval: unsafe at the radius, or safe at a share t of it.

        Where the radius is 0 it is not a tolerance: unsafe at t, for all t in (0, 1).
        """
        bounds: dict[str, tuple[object, object]] = {self.name: (low, high)}
        inside = {self.name: point}
        if kind == "safe" or radius == 0:
            share = entry(self.share, self.share, [self.share])
            radius = share if radius == 0 else radius * share
            bounds[self.share] = (Fraction(int(kind == "safe"), 2), Fraction(1))
            inside[self.share] = Fraction(3, 4)
        mdp = dataclasses.replace(self.problem.mdp, parameters=ParameterSpace(bounds))
        data = DataDistribution(mdp, self.problem.data.weights)
        family = SafetyProblem(mdp, data, self.problem.regret, radius)
        try:
            subdivision = Subdivision(family, inside)
            subdivision.prover.limits = self.limits
            evidence = subdivision.prover.prove(subdivision.root.box, inside, interior=True)
        except InputError:  # the function leaves the range of tolerances, or grows too large
            return None
        if evidence is None or evidence.kind != kind:
            return None
        subdivision.settle_root(evidence)
        return subdivision

    def cut(self, low: Fraction, high: Fraction) -> Fraction:
        """Return where to cut an interval: where two formulas meet, if that point is rational."""
        ends = (low + (high - low) * _NEAR, high - (high - low) * _NEAR)
        formulas = [formula for point in ends if (formula := self.formula(point)) is not None]
        candidates = list[Number]()
        if len(formulas) == 2:
            candidates.append(formulas[0] - formulas[1])
        for point in ends:
            candidates += self.prover.margins(self.question(point))
        middle = (low + high) / 2
        for candidate in candidates:
            for root in _roots(candidate):
                if low < root < high:
                    return root
        return middle


def _roots(number: Number) -> Iterator[Fraction]:
    """Yield the rational roots of a function of one parameter."""
    if isinstance(number, RationalFunction):
        terms = number.numerator
        degree = max(e for (e,) in terms)
        entries = [to_flint(terms.get((e,), Fraction(0))) for e in range(degree + 1)]
        for factor, _ in fmpq_poly(entries).factor()[1]:
            if factor.degree() == 1:
                yield -from_flint(factor[0]) / from_flint(factor[1])
