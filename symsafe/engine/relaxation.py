"""Floating-point guidance for the policy tree: bounds, branching scores, promising policies.

Nothing here decides anything. Every number that this file proposes is made exact, or discarded,
by `symsafe.engine.leaves` before it counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import highspy
import numpy as np
from numpy.typing import NDArray

from symsafe.analysis.highs import quiet_solver
from symsafe.analysis.values import MAX_GUIDED_DISCOUNT
from symsafe.engine.question import Question

__all__ = ["Guess", "Guide"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_HITTING_SWEEPS = 500
_HITTING_PRECISION = 1e-9
# Coupling that raises the bound by less than this share of what is needed is not tried below.
_WORTHWHILE = 0.02


@dataclass(frozen=True, slots=True)
class Guess:
    """What floating point believes about a node.

    `bound` is the least cost as a fraction of the reward range, `kappa` the (dimensionless)
    multiplier of the return constraint, and `scores` says per pair how much the bound would rise
    if the pair were taken.
    """

    bound: float
    kappa: float
    scores: Floats


class Guide:
    """Floating-point picture of a question, with rewards shifted and scaled into [0, 1].

    Parameters
    ----------
    question : Question
    """

    def __init__(self, question: Question) -> None:
        mdp = question.mdp
        self.states = len(mdp.states)
        self.pairs = len(mdp.pair_states)
        self.pair_states = np.array(mdp.pair_states)
        self.pair_ranges = mdp.pair_ranges
        self.starts = np.array([pairs.start for pairs in mdp.pair_ranges])
        discount = min(question.discount, MAX_GUIDED_DISCOUNT)
        self.discounted = np.zeros((self.pairs, self.states))
        for pair, successors in enumerate(question.successors):
            for successor, probability in successors:
                self.discounted[pair, successor] = float(discount * probability)
        # A constant added to the reward moves every return alike and changes no bound.
        scale, least = question.reward_range, min(question.rewards)
        self.rewards = np.array([float((r - least) / scale) for r in question.rewards])
        self.weights = np.array([float(w) for w in question.weights])
        self.initial = np.array([float(p) for p in question.initial])
        horizon = 1 / (1 - question.discount)
        worst = (question.bad_return - least * horizon) / scale
        self.bad_return = float(min(worst, Fraction(10**9)))
        self.horizon = float(1 / (1 - discount))
        self.bellman = -self.discounted.copy()
        self.bellman[np.arange(self.pairs), self.pair_states] += 1.0
        self._plain = _CirculationProgramme(self)
        self._coupled = _CirculationProgramme(self)

    def least_return(self, allowed: Mask) -> float:
        """Return the least return of the policies in `allowed`, by policy iteration."""
        penalty = np.where(allowed, 0.0, np.inf)
        choice = np.array(
            [pairs.start + int(np.argmax(allowed[pairs])) for pairs in self.pair_ranges]
        )
        identity = np.eye(self.states)
        while True:
            values = np.linalg.solve(identity - self.discounted[choice], self.rewards[choice])
            outlook = self.rewards + self.discounted @ values + penalty
            best = np.minimum.reduceat(outlook, self.starts)
            better = best < outlook[choice] - 1e-12 * (1 + np.abs(best))
            if not better.any():
                return float(self.initial @ values)
            for state in np.flatnonzero(better):
                pairs = self.pair_ranges[state]
                choice[state] = pairs.start + int(np.argmin(outlook[pairs.start : pairs.stop]))

    def policy_return(self, choice: NDArray[np.int64]) -> float:
        """Return the return of the deterministic policy that takes the pairs `choice`."""
        system = np.eye(self.states) - self.discounted[choice]
        return float(self.initial @ np.linalg.solve(system, self.rewards[choice]))

    def policy_cost(self, choice: NDArray[np.int64]) -> float:
        """Return the cost of a deterministic policy as a fraction of the reward range."""
        reached = np.linalg.solve((np.eye(self.states) - self.discounted[choice]).T, self.initial)
        taken = np.zeros(self.pairs, dtype=bool)
        taken[choice[reached > 1e-12]] = True
        return self._plain.solve(taken).bound

    def policy_errors(self, choice: NDArray[np.int64]) -> Floats:
        """Return |R^ - R| per pair of the cheapest witness, as fractions of the reward range."""
        self.policy_cost(choice)
        reached = np.linalg.solve((np.eye(self.states) - self.discounted[choice]).T, self.initial)
        gaps = self.rewards - self.bellman @ self._plain.potential()
        errors = np.maximum(gaps, 0.0)
        taken = choice[reached > 1e-12]
        errors[taken] = np.abs(gaps[taken])
        return errors

    def hitting(self, allowed: Mask) -> Floats:
        """Return upper bounds of E_t[gamma^(first visit of s)] as an array indexed [t, s]."""
        diagonal = np.arange(self.states)
        penalty = np.where(allowed, 0.0, -np.inf)[:, None]
        reach = np.eye(self.states)
        for _ in range(_HITTING_SWEEPS):
            swept = np.maximum.reduceat(self.discounted @ reach + penalty, self.starts, axis=0)
            swept[diagonal, diagonal] = 1.0
            change = float(np.abs(swept - reach).max())
            reach = swept
            if change < _HITTING_PRECISION:
                break
        return reach

    def visits(self, reach: Floats) -> Floats:
        """Return per pair the bound of its occupancy that `reach` gives if the pair is taken."""
        back = np.einsum("pt,tp->p", self.discounted, reach[:, self.pair_states])
        return np.asarray((self.initial @ reach)[self.pair_states] / (1.0 - back))

    def bound(
        self, allowed: Mask, forced: Mask, enough: float, *, coupled: bool
    ) -> tuple[Guess, bool]:
        """Return the circulation bound of a node, and whether coupling is worth trying below it.

        The bound is coupled with the return constraint unless the plain one is `enough`.
        """
        plain = self._plain.solve(forced)
        if not coupled or plain.bound >= enough:
            return plain, coupled
        visits = np.where(allowed, self.visits(self.hitting(allowed)), 0.0)
        joint = self._coupled.solve(forced, visits)
        worthwhile = joint.bound - plain.bound > _WORTHWHILE * enough
        return (joint if joint.bound > plain.bound else plain), worthwhile


class _CirculationProgramme:
    """max <y, R> - kappa b over the rules of a circulation leaf, warm-started in HiGHS.

    Flows are in units of 1/pairs so that the capacities are of order 1.
    """

    def __init__(self, guide: Guide) -> None:
        self.guide = guide
        pairs, states = guide.pairs, guide.states
        self.capacity = guide.weights * pairs
        infinity = highspy.kHighsInf
        model = highspy.HighsLp()
        model.num_col_ = pairs + 1
        model.num_row_ = states + pairs
        model.col_cost_ = np.append(-guide.rewards, guide.bad_return)
        model.col_lower_ = np.zeros(pairs + 1)
        model.col_upper_ = np.append(self.capacity, 0.0)
        model.row_lower_ = np.append(np.zeros(states), -self.capacity)
        model.row_upper_ = np.append(np.zeros(states), np.full(pairs, infinity))
        starts, indices, entries = [0], [], []
        for pair in range(pairs):
            column = np.flatnonzero(guide.bellman[pair])
            indices += [*column.tolist(), states + pair]
            entries += [*guide.bellman[pair, column].tolist(), 1.0]
            starts.append(len(indices))
        self.visits = np.full(pairs, guide.horizon)
        started = np.flatnonzero(guide.initial)
        indices += [*started.tolist(), *range(states, states + pairs)]
        entries += [*(-guide.initial[started]).tolist(), *(-self.visits).tolist()]
        starts.append(len(indices))
        model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        model.a_matrix_.start_ = starts
        model.a_matrix_.index_ = indices
        model.a_matrix_.value_ = entries
        self.solver = quiet_solver(1e-9)
        self.solver.passModel(model)
        self.columns = np.arange(pairs + 1, dtype=np.int32)
        self.infinity = infinity

    def solve(self, forced: Mask, visits: Floats | None = None) -> Guess:
        guide, solver = self.guide, self.solver
        lower = np.append(np.where(forced, -self.capacity, 0.0), 0.0)
        upper = np.append(self.capacity, 0.0 if visits is None else self.infinity)
        solver.changeColsBounds(guide.pairs + 1, self.columns, lower, upper)
        if visits is not None:
            for pair in np.flatnonzero(np.abs(visits - self.visits) > 1e-9):
                solver.changeCoeff(guide.states + int(pair), guide.pairs, -float(visits[pair]))
            self.visits = visits
        solver.run()
        if solver.getModelStatus() == highspy.HighsModelStatus.kOptimal:
            bound = -solver.getInfo().objective_function_value / guide.pairs
            kappa = float(solver.getSolution().col_value[guide.pairs]) / guide.pairs
            if np.isfinite([bound, kappa]).all():
                gap = np.maximum(guide.bellman @ self.potential() - guide.rewards, 0.0)
                return Guess(bound, max(0.0, kappa), gap * guide.weights)
        # y = 0 is always feasible: without an optimum, claim nothing.
        return Guess(0.0, 0.0, np.zeros(guide.pairs))

    def potential(self) -> Floats:
        """Return the multipliers V of the balance rows, after `solve`."""
        return -np.array(self.solver.getSolution().row_dual[: self.guide.states])
