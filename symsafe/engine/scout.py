"""Where the safety radius is greatest, in floating point: which witnesses and where to look.

A trust-region cutting-plane method over the data distributions of a set. Nothing here decides: its
cuts are made exact, and the exact programme over them is checked by an exact search.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import highspy
import numpy as np
from numpy.typing import NDArray

from symsafe.analysis.highs import quiet_solver
from symsafe.engine.local_search import local_optima
from symsafe.engine.question import Question
from symsafe.engine.relaxation import Guide
from symsafe.model.data_set import DataSet

__all__ = ["Scout"]

Floats = NDArray[np.float64]
Choice = NDArray[np.int64]

_RESOLUTION = 1 << 40
_DESCENTS = 4
_PATIENCE = 5
_GAIN = 1e-10
_CONVERGED = 1e-7
_WIDEST = 1e3
_ROUNDS = 5_000


class Scout:
    """Cuts and policies that are known, and the best distribution so far.

    Parameters
    ----------
    question : Question
    among : DataSet
    at : callable
        Returns the question about another data distribution, given as fractions.
    """

    def __init__(
        self,
        question: Question,
        among: DataSet,
        at: Callable[[tuple[Fraction, ...]], Question],
    ) -> None:
        self.at = at
        self.ranges = question.mdp.pair_ranges
        self.worst = np.array(
            [
                next(p for p in pairs if question.returns.worst.probabilities[p])
                for pairs in self.ranges
            ]
        )
        self.policies: dict[bytes, Choice] = {}
        self.cuts: list[tuple[Floats, Choice]] = []
        self.basis = (
            np.eye(len(question.rewards))
            if among.members is None
            else np.array([[float(x) for x in m.weights] for m in among.members])  # type: ignore[arg-type]
        )
        self.model = _Model(self.basis, among)
        self.remember(self.worst)

    def remember(self, choice: Choice) -> bool:
        """Keep a policy as a start of descents; return whether it is new."""
        new = choice.tobytes() not in self.policies
        self.policies[choice.tobytes()] = choice
        return new

    def search(self, stop: Callable[[], bool]) -> tuple[Fraction, ...] | None:
        """Return the best distribution found, as fractions, or None if the set seems empty."""
        center = self.model.propose(None, 0.0)
        if center is None:
            return None
        value, width, idle = self.probe(center, thorough=True), 0.5, 0
        for _ in range(_ROUNDS):
            if stop():
                break
            shares = self.model.propose(center, width)
            if shares is None:
                return None
            bound = self.model.height
            if bound - value <= _CONVERGED * max(bound, 1e-9):
                if width >= _WIDEST:
                    break
                width *= 10
                continue
            found = self.probe(shares, thorough=idle == _PATIENCE)
            if found >= bound * (1 - _CONVERGED):
                # Nothing cuts the proposal off: rounding hides what is left.
                center, value = shares, found
                width *= 10
                if width >= _WIDEST:
                    break
            elif found > value + 0.1 * (bound - value):
                center, value, idle = shares, found, 0
                width = min(width * 2, _WIDEST)
            else:
                idle += 1
                if idle > _PATIENCE:
                    width, idle = max(width / 2, 1e-6), 0
        return self.exact(center)

    def exact(self, shares: Floats) -> tuple[Fraction, ...]:
        """Round the columns of the model to fractions that sum to one."""
        numbers = [max(0, round(float(x) * _RESOLUTION)) for x in shares]
        total = sum(numbers)
        return tuple(Fraction(x, total) for x in numbers)

    def probe(self, shares: Floats, *, thorough: bool) -> float:
        """Add cuts at a distribution; return the least cost of a bad policy that was found."""
        weights = shares @ self.basis
        guide = Guide(self.at(self.exact(np.maximum(weights, 0.0))))
        costs = {key: guide.policy_cost(choice) for key, choice in self.policies.items()}
        starts = sorted(costs, key=lambda key: costs[key])[:_DESCENTS]
        ends = [descend(guide, self.policies[key], self.ranges) for key in starts]
        if thorough:
            ends += [choice for _, choice in local_optima(guide, self.worst, lambda: False)]
        least = np.inf
        seen: set[bytes] = set()
        for choice in ends:
            self.remember(choice)
            if choice.tobytes() in seen:
                continue
            seen.add(choice.tobytes())
            errors = guide.policy_errors(choice)
            least = min(least, float(weights @ errors))
            self.cuts.append((errors, choice))
            self.model.add(errors)
        return least

    def active(self) -> list[Choice]:
        """Return the policies whose cuts hold the model down at its last proposal."""
        return [self.cuts[k][1] for k in self.model.active()]


def descend(guide: Guide, choice: Choice, ranges: Sequence[range]) -> Choice:
    """Change one state at a time while the policy stays bad and becomes cheaper."""
    current, improved = guide.policy_cost(choice), True
    while improved:
        improved = False
        for state, pairs in enumerate(ranges):
            for pair in pairs:
                if pair == choice[state]:
                    continue
                changed = choice.copy()
                changed[state] = pair
                if guide.policy_return(changed) > guide.bad_return + 1e-9:
                    continue
                cost = guide.policy_cost(changed)
                if cost < current - _GAIN:
                    current, choice, improved = cost, changed, True
    return choice


class _Model:
    """Maximise z under z <= <errors, D> for each cut, D in the set, in HiGHS.

    Columns: shares of the basis (the pairs, or the members of the set), then z.
    """

    def __init__(self, basis: Floats, among: DataSet) -> None:
        self.basis, self.size = basis, len(basis)
        self.height = 0.0
        infinity = highspy.kHighsInf
        self.solver = quiet_solver(1e-9)
        for _ in range(self.size):
            self.solver.addVar(0.0, 1.0)
        self.solver.addVar(0.0, 1.0)
        self.solver.changeColCost(self.size, -1.0)
        every = np.arange(self.size, dtype=np.int32)
        self.solver.addRow(1.0, 1.0, self.size, every, np.ones(self.size))
        self.first = 1
        for row in among.rows if among.members is None else ():
            places = np.array(list(row.coefficients), dtype=np.int32)
            entries = np.array([float(x) for x in row.coefficients.values()])
            low = float(row.bound) if row.relation == "exactly" else -infinity
            self.solver.addRow(low, float(row.bound), len(places), places, entries)
            self.first += 1
        self.columns = np.arange(self.size, dtype=np.int32)

    def add(self, errors: Floats) -> None:
        """Add a cut."""
        entries = np.append(self.basis @ errors, -1.0)
        places = np.arange(self.size + 1, dtype=np.int32)
        self.solver.addRow(0.0, highspy.kHighsInf, len(entries), places, entries)

    def propose(self, center: Floats | None, width: float) -> Floats | None:
        """Return the best shares within a relative distance of a center, or of all."""
        low, high = np.zeros(self.size), np.ones(self.size)
        if center is not None and width < _WIDEST:
            reach = width * (center + 0.1 / self.size)
            low, high = np.maximum(center - reach, 0.0), np.minimum(center + reach, 1.0)
        self.solver.changeColsBounds(self.size, self.columns, low, high)
        self.solver.run()
        if self.solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        values = np.array(self.solver.getSolution().col_value)
        if not np.isfinite(values).all() or values[: self.size].max() * _RESOLUTION < 1:
            return None  # no distribution
        self.height = float(values[self.size])
        return np.asarray(values[: self.size])

    def active(self) -> list[int]:
        """Return the cuts with a multiplier."""
        duals = np.array(self.solver.getSolution().row_dual)[self.first :]
        return [int(k) for k in np.flatnonzero(np.abs(duals) > 1e-9)]
