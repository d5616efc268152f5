"""The safest data distribution of a set, and the nearest safe one: exact cutting planes.

The safety radius is the least of linear functions of D, one per witness. A linear programme over
the witnesses found so far proposes a distribution, the search for its cheapest bad policy adds a
witness, until the two meet. Floating point only chooses where to look; the programme and the last
search are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from symsafe.analysis.linear_program import Bound, LinearOptimum, Row, maximise
from symsafe.engine.limits import Limits
from symsafe.engine.local_search import local_optima
from symsafe.engine.question import Question
from symsafe.engine.relaxation import Guide
from symsafe.engine.scout import Scout
from symsafe.engine.search import search
from symsafe.engine.tree import Outcome, Progress
from symsafe.engine.witness import Witness, cheapest_witness
from symsafe.errors import EngineError, InputError
from symsafe.exact import exact
from symsafe.model import DataDistribution, Policy
from symsafe.model.data_set import DataSet

__all__ = ["Cover", "Coverage", "highest_radius", "nearest_safe"]

Numbers = tuple[Fraction, ...]
_ZERO, _ONE = Fraction(0), Fraction(1)
_ROUNDS = 100_000
# A cut found in floating point has to be below the target by more than this share.
_VIOLATION = 1e-9
_SCOUTED = 1e-6
_EXACT_SHARE = 0.4  # of the time is kept for the exact part


@dataclass(frozen=True, slots=True)
class Cover:
    """Witnesses with multipliers that bound what any distribution of the set achieves.

    Attributes
    ----------
    weights : tuple of Fraction, one per witness
    witnesses : tuple of Witness
    signs : tuple of Fraction, one per pair
        Slopes of the total variation distance; 0 where distance plays no part.
    total : Fraction
        Multiplier of "the weights of the distribution sum to 1".
    rows : tuple of Fraction, one per row of the set
    """

    weights: Numbers
    witnesses: tuple[Witness, ...]
    signs: Numbers
    total: Fraction
    rows: Numbers


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a search over a set of distributions ends with.

    Attributes
    ----------
    lower, upper : Fraction
        Bounds of the greatest radius times range R, or of the distance; equal unless stopped.
    cover : Cover or None
        Proves the bound that holds for all distributions of the set. None before a first one.
    distribution : DataDistribution or None
        Attains the other bound, by `outcome`. For the nearest safe distribution None if no safe
        one was found.
    mixture : tuple of Fraction or None
        Its weights as a mixture of the members of the set, if the set has members.
    outcome : Outcome or None
        The search that proves what the distribution achieves.
    witnesses : tuple of Witness
        All that were collected.
    searches : int
        Exact searches made.
    stopped : str or None
    """

    lower: Fraction
    upper: Fraction
    cover: Cover | None
    distribution: DataDistribution | None
    mixture: Numbers | None
    outcome: Outcome | None
    witnesses: tuple[Witness, ...]
    searches: int
    stopped: str | None


def highest_radius(
    question: Question,
    among: DataSet,
    limits: Limits,
    report: Callable[[Progress], None] | None = None,
) -> Coverage:
    """Maximise the safety radius over a set of data distributions.

    Parameters
    ----------
    question : Question
        Its data distribution plays no part.
    among : DataSet
    limits : Limits
    report : callable, optional
        Receives a `Progress`: cuts, and the bounds of the greatest radius.

    Raises
    ------
    InputError
        If the set is empty.
    """
    planes = _Planes(question, among, limits, report, None)
    planes.scout()
    return planes.run()


def nearest_safe(
    question: Question,
    among: DataSet,
    epsilon: Fraction,
    limits: Limits,
    report: Callable[[Progress], None] | None = None,
    start: Sequence[Witness] = (),
) -> Coverage:
    """Minimise the total variation distance to the question's data over radius >= epsilon.

    `start` are witnesses known from elsewhere, such as those of `highest_radius`.

    Raises
    ------
    InputError
        If the set is empty, or no distribution of it has a safety radius of at least epsilon.
    """
    target = epsilon * question.reward_range
    return _Planes(question, among, limits, report, target, start).run()


class _Planes:
    """The loop; `target` is the radius times range R to reach, or None to maximise it."""

    def __init__(
        self,
        question: Question,
        among: DataSet,
        limits: Limits,
        report: Callable[[Progress], None] | None,
        target: Fraction | None,
        start: Sequence[Witness] = (),
    ) -> None:
        question.require_unregularised()
        self.question, self.among, self.limits = question, among, limits
        self.report, self.target = report, target
        self.members = (
            None
            if among.members is None
            else [tuple(exact(x) for x in member.weights) for member in among.members]
        )
        self.witnesses: list[Witness] = []
        self.known: set[Numbers] = set()
        self.searches = 0
        self.best: tuple[Fraction, DataDistribution, Numbers | None, Outcome] | None = None
        self.add(cheapest_witness(question, question.returns.worst))
        for witness in start:
            self.add(witness)

    def scout(self) -> None:
        """Collect witnesses near the best distribution, by a search in floating point."""
        scout = Scout(self.question, self.among, self.at)
        left = self.limits.remaining()
        reserve = 0.0 if left is None else left * _EXACT_SHARE

        def stop() -> bool:
            return self.limits.reached(reserve=reserve) is not None

        while (shares := scout.search(stop)) is not None:
            weights = shares if self.members is None else self.mixed(shares)
            # The local search may have missed policies: ask for one that is clearly cheaper.
            aim = Fraction(scout.model.height * (1 - _SCOUTED)) * self.question.reward_range
            outcome = self.search(weights, None if stop() else aim)
            self.offer(outcome, weights, shares)
            pairs = self.question.mdp.pair_ranges
            taken = outcome.witness.policy.probabilities
            missed = np.array([next(p for p in own if taken[p]) for own in pairs])
            if outcome.witness.cost > aim or stop() or not scout.remember(missed):
                question = self.at(weights)
                for choice in scout.active():
                    if self.limits.reached() is None:
                        witness = cheapest_witness(question, self.policy(choice))
                        if witness.policy_return <= question.bad_return:  # as floats believe
                            self.add(witness)
                return

    def offer(self, outcome: Outcome, weights: Numbers, mixture: Numbers | None) -> None:
        """Keep a distribution whose radius is proven to be greater than that of the best one.

        One that was rounded may lie just outside the set; it is not kept then.
        """
        if (self.best is None or outcome.lower > self.best[0]) and self.contains(weights):
            data = DataDistribution(self.question.mdp, weights)
            shares = None if self.members is None else mixture
            self.best = (outcome.lower, data, shares, outcome)

    def contains(self, weights: Numbers) -> bool:
        for row in self.among.rows:
            found = sum((x * weights[p] for p, x in row.coefficients.items()), _ZERO)
            if found > row.bound or (row.relation == "exactly" and found != row.bound):
                return False
        return True

    def policy(self, choice: NDArray[np.int64]) -> Policy:
        taken = set(choice.tolist())
        count = len(self.question.rewards)
        return Policy(self.question.mdp, tuple(Fraction(p in taken) for p in range(count)))

    def mixed(self, shares: Numbers) -> Numbers:
        """Return the mixture of the members of the set."""
        columns = zip(*(self.members or []), strict=True)
        return tuple(
            sum((w * x for w, x in zip(shares, column, strict=True)), _ZERO) for column in columns
        )

    # -- the loop ------------------------------------------------------------------------------

    def run(self) -> Coverage:
        bound, cover, stopped = _ONE * self.question.reward_range, None, None
        center: Numbers | None = None
        for _ in range(_ROUNDS):
            found = self.solve()
            if found.status == "infeasible":
                self.refuse()
            bound, cover = self.bound(found), self.cover(found)
            weights, mixture = self.distribution(found)
            goal = bound if self.target is None else self.target
            stopped = self.limits.reached(len(self.witnesses))
            if stopped:
                break
            self.show(bound)
            # Looking between the proposal and the best distribution known keeps proposals from
            # jumping between corners.
            if center is not None:
                middle = tuple((x + y) / 2 for x, y in zip(weights, center, strict=True))
                if self.look(middle, goal):
                    continue
                center = middle
            if self.look(weights, goal):
                center = weights if center is None else center
                continue
            outcome = self.search(weights, None)
            self.offer(outcome, weights, mixture)
            if outcome.lower >= goal:
                break
            if outcome.stopped is not None:
                stopped = outcome.stopped
                break
            center = weights
            if not self.add(outcome.witness):
                raise EngineError("a witness came twice in the search for a distribution")
        return self.coverage(bound, cover, stopped)

    def show(self, bound: Fraction) -> None:
        if self.report is not None:
            lower = self.best[0] if self.best is not None and self.target is None else _ZERO
            scale = self.question.reward_range
            self.report(
                Progress(len(self.witnesses), 0, float(lower / scale), float(bound / scale))
            )

    def refuse(self) -> None:
        if self.target is None:
            raise InputError("set", "no distribution", "a set with at least one")
        raise InputError(
            "epsilon",
            self.target / self.question.reward_range,
            "a tolerance at which some distribution of the set is safe",
        )

    def coverage(
        self,
        bound: Fraction,
        cover: Cover | None,
        stopped: str | None,
    ) -> Coverage:
        best = self.best
        counts = (tuple(self.witnesses), self.searches, stopped)
        if self.target is None:
            if best is None:
                return Coverage(_ZERO, bound, cover, None, None, None, *counts)
            return Coverage(best[0], bound, cover, best[1], best[2], best[3], *counts)
        if best is None or best[0] < self.target:
            return Coverage(bound, _ONE, cover, None, None, None, *counts)
        far = sum(
            (
                abs(exact(x) - y)
                for x, y in zip(best[1].weights, self.question.weights, strict=True)
            ),
            _ZERO,
        )
        return Coverage(bound, far / 2, cover, best[1], best[2], best[3], *counts)

    # -- the programme over the witnesses --------------------------------------------------------

    def solve(self) -> LinearOptimum:
        """Solve the linear programme over the witnesses found so far.

        Columns: the distribution or the weights of the mixture; the height z, or the distances of
        the pairs above and below the data; one slack per witness, one per row of the set.
        """
        count = len(self.question.rewards)
        width = count if self.members is None else len(self.members)
        middle = 1 if self.target is None else 2 * count
        set_rows = self.among.rows if self.members is None else ()
        columns = width + middle + len(self.witnesses) + len(set_rows)
        objective = [_ZERO] * columns
        rows: list[Row] = [dict.fromkeys(range(width), _ONE)]
        right = [_ONE]
        slack = width + middle
        for k, witness in enumerate(self.witnesses):
            row = self.across(self.errors(witness))
            row[slack + k] = -_ONE
            if self.target is None:
                row[width] = -_ONE
            rows.append(row)
            right.append(_ZERO if self.target is None else self.target)
        slack += len(self.witnesses)
        for i, given in enumerate(set_rows):
            row = dict(given.coefficients)
            if given.relation == "at most":
                row[slack + i] = _ONE
            rows.append(row)
            right.append(given.bound)
        if self.target is None:
            objective[width] = _ONE
        else:
            for p in range(count):
                unit = tuple(_ONE if q == p else _ZERO for q in range(count))
                row = self.across(unit)
                row[width + 2 * p], row[width + 2 * p + 1] = -_ONE, _ONE
                objective[width + 2 * p] = objective[width + 2 * p + 1] = Fraction(-1, 2)
                rows.append(row)
                right.append(self.question.weights[p])
        lower: list[Bound] = [_ZERO] * columns
        if self.target is None:
            lower[width] = None
        return maximise(objective, rows, right, lower, [None] * columns)

    def across(self, values: Sequence[Fraction]) -> dict[int, Fraction]:
        """Return <values, D> in terms of the first columns."""
        if self.members is None:
            return {p: x for p, x in enumerate(values) if x}
        return {
            i: sum((x * d for x, d in zip(values, member, strict=True)), _ZERO)
            for i, member in enumerate(self.members)
        }

    def bound(self, found: LinearOptimum) -> Fraction:
        if found.value is None:
            raise EngineError(f"the programme over the witnesses is {found.status}")
        return found.value if self.target is None else -found.value

    def distribution(self, found: LinearOptimum) -> tuple[Numbers, Numbers | None]:
        if found.point is None:
            raise EngineError(f"the programme over the witnesses is {found.status}")
        if self.members is None:
            return found.point[: len(self.question.rewards)], None
        shares = found.point[: len(self.members)]
        return self.mixed(shares), shares

    def cover(self, found: LinearOptimum) -> Cover:
        """Return the multipliers of the programme as the proof of its bound."""
        if found.multipliers is None:
            raise EngineError(f"the programme over the witnesses is {found.status}")
        total, rest = found.multipliers[0], found.multipliers[1:]
        count = len(self.witnesses)
        prices, rest = rest[:count], rest[count:]
        rows = rest[: len(self.among.rows)] if self.members is None else ()
        signs = (_ZERO,) * len(self.question.rewards)
        if self.target is not None:
            signs = tuple(2 * y for y in rest[len(rows) :])
        kept = [k for k, price in enumerate(prices) if price]
        kept = kept or [0]
        return Cover(
            weights=tuple(-prices[k] for k in kept),
            witnesses=tuple(self.witnesses[k] for k in kept),
            signs=signs,
            total=total if self.members is None else _ZERO,
            rows=rows,
        )

    # -- witnesses -------------------------------------------------------------------------------

    def errors(self, witness: Witness) -> Numbers:
        return tuple(abs(x - r) for x, r in zip(witness.reward, self.question.rewards, strict=True))

    def add(self, witness: Witness) -> bool:
        """Take up a witness; return False if its errors are known."""
        errors = self.errors(witness)
        if errors in self.known:
            return False
        self.known.add(errors)
        self.witnesses.append(witness)
        return True

    def at(self, weights: Numbers) -> Question:
        """Return the same question about another data distribution."""
        data = DataDistribution(self.question.mdp, weights)
        return replace(
            self.question, problem=replace(self.question.problem, data=data), weights=weights
        )

    def look(self, weights: Numbers, goal: Fraction) -> bool:
        """Add witnesses below the goal that a local search finds; return whether there are any."""
        question = self.at(weights)
        mdp, guide = question.mdp, Guide(question)
        aim = float(goal / question.reward_range)
        worst = [
            next(p for p in pairs if question.returns.worst.probabilities[p])
            for pairs in mdp.pair_ranges
        ]
        added = False
        for cost, choice in local_optima(
            guide, np.array(worst), lambda: self.limits.reached() is not None
        ):
            if cost >= aim - _VIOLATION * max(aim, 1e-6):
                continue
            witness = cheapest_witness(question, self.policy(choice))
            if witness.policy_return <= question.bad_return and witness.cost < goal:
                added |= self.add(witness)
        return added

    def search(self, weights: Numbers, enough: Fraction | None) -> Outcome:
        self.searches += 1
        return search(self.at(weights), self.limits, enough=enough)
