"""Bounds of a KL-regularised problem that hold for every discount and every metric.

From below by Theorem 4.1 with a constant: a bad policy falls short of the best one for the true
reward, so its reward model has an error. From above by local search for reward models. Floats
search; what they find is proven elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import ctx
from numpy.typing import NDArray

from symsafe.analysis.occupancy import occupancy
from symsafe.engine.limits import Limits
from symsafe.engine.question import Question
from symsafe.engine.soft import SoftModel, Softness, SoftWitness, ball, soft_witness
from symsafe.model import Policy

__all__ = ["SoftGap", "cheapest_found", "soft_gap"]

Floats = NDArray[np.float64]
Numbers = tuple[Fraction, ...]
_ZERO = Fraction(0)
_DIGITS = 10**12
_DIRECTIONS = (0.0, 0.5, 0.8, 0.9, 0.97, 0.99, 1.01, 1.03, 1.1, 1.3)
_SWEEPS = 5
_STARTS, _RANDOM, _IMPROVED, _POLISHING = 24, 200, 5, 1500


@dataclass(frozen=True, slots=True)
class SoftGap:
    """Every bad policy costs at least `cost`, as J - lambda KL falls short of its maximum.

    Attributes
    ----------
    flow : tuple of Fraction, one per pair
        kappa times the occupancy measure of a good policy.
    kappa, price : Fraction
    value : tuple of Fraction, one per state
        Not raised by the soft Bellman operator of the reward (1 - price) R.
    cost : Fraction
        In reward units.
    shortfall : Fraction
        What J - lambda KL loses at least.
    """

    flow: Numbers
    kappa: Fraction
    price: Fraction
    value: Numbers
    cost: Fraction
    shortfall: Fraction


def soft_gap(question: Question) -> SoftGap | None:
    """Return the bound of Theorem 4.1 with a constant, or None if it says nothing."""
    model, softness = SoftModel.of(question), Softness.of(question)
    mdp, discount = question.mdp, question.discount
    bad = float(question.bad_return)

    def highest(price: float) -> float:
        return float(model.initial @ model.solve((1 - price) * model.rewards).values) + price * bad

    high = 1.0
    while high < 1e9 and highest(2 * high) < highest(high):
        high *= 2
    low, high, ratio = 0.0, 2 * high, (5**0.5 - 1) / 2
    for _ in range(90):
        x, y = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, y) if highest(x) <= highest(y) else (x, high)
    price = Fraction(round(low * _DIGITS), _DIGITS)
    unit = question.reward_range / _DIGITS
    found = model.solve((1 - float(price)) * model.rewards).values
    size = 1 + Fraction(max(1, int(np.abs(found).max() / float(question.reward_range))))
    value = tuple(
        (round(Fraction(v) / unit) + 8 * size / (1 - discount)) * unit for v in found.tolist()
    )
    best = model.solve(model.rewards).policy
    shares: list[Fraction] = []
    for pairs in mdp.pair_ranges:
        row = [Fraction(round(x * 10**6), 10**6) for x in best[pairs.start : pairs.stop].tolist()]
        row[row.index(max(row))] += 1 - sum(row)
        shares += row
    eta = occupancy(mdp, Policy(mdp, tuple(shares)))
    horizon = 1 / (1 - discount)
    limits = [w / max(x, horizon - x) for w, x in zip(question.weights, eta, strict=True)]
    kappa = min(limits)
    saved = ctx.prec
    try:
        ctx.prec = 160
        worth = -ball(sum((m * u for m, u in zip(question.initial, value, strict=True)), _ZERO))
        worth -= ball(price * question.bad_return)
        for pairs in mdp.pair_ranges:
            mass = sum((eta[p] for p in pairs), _ZERO)
            for p in pairs:
                if eta[p]:
                    penalty = ball(eta[p] / (mass * softness.reference[p])).log()
                    worth += ball(eta[p]) * (
                        ball(question.rewards[p]) - ball(softness.scale) * penalty
                    )
        digits = question.reward_range / 10**15
        shortfall = (
            Fraction(int((worth / ball(digits)).lower().floor().unique_fmpz() or 0)) * digits
        )
    finally:
        ctx.prec = saved
    if shortfall <= 0 or not kappa:
        return None
    flow = tuple(kappa * x for x in eta)
    return SoftGap(flow, kappa, price, value, kappa * shortfall, shortfall)


def cheapest_found(
    question: Question, limits: Limits, starts: Sequence[Floats] = ()
) -> SoftWitness | None:
    """Return the best reward model with a bad policy that local search finds, proven.

    Parameters
    ----------
    question : Question
    limits : Limits
    starts : sequence of array, one per pair
        Errors to start from besides those that favour deterministic policies.
    """
    search = _Local(question, limits)
    usable: list[tuple[float, int, Floats]] = []
    for i, errors in enumerate((*starts, *search.favours())):
        found = search.cheaper(errors, usable[-1][0] if len(usable) == _IMPROVED else np.inf)
        if found is not None:
            usable = sorted([*usable, (found[1], i, found[0])])[:_IMPROVED]
    if not usable:
        return None
    best = min((search.improve(errors) for _, _, errors in usable), key=search.cost)
    best = search.polish(best)
    for stretch in (0.0, *(1e-14 * 4.0**k for k in range(16))):
        reward = [
            r + Fraction(f"{x * (1 + stretch):.12g}")
            for r, x in zip(question.rewards, best.tolist(), strict=True)
        ]
        witness = soft_witness(question, reward)
        if witness is not None:
            return witness
    return None


class _Local:
    def __init__(self, question: Question, limits: Limits) -> None:
        self.question, self.limits = question, limits
        self.model = SoftModel.of(question)
        self.bad = float(question.bad_return)
        self.metric = question.problem.metric
        self.span = float(question.reward_range)
        self.largest = 1e4 * (self.span + self.model.scale)  # error that is looked at
        self.values = np.zeros(len(self.model.initial))  # of the last reward: the next is near
        # Two actions of a state, the chance that they are compared, and the gap of their rewards.
        rows = question.mdp.pair_ranges
        asked = np.array([(p, q) for pairs in rows for p in pairs for q in pairs]).T
        self.first, self.second = asked
        model = self.model
        shares = model.initial[model.owner] * model.reference
        self.chance = shares[self.first] * model.reference[self.second]
        self.gap = model.rewards[self.first] - model.rewards[self.second]
        self.preferred = np.exp(-np.logaddexp(0, -self.gap))

    def cost(self, errors: Floats) -> float:
        """Return the error in the metric, up to a factor."""
        if self.metric == "mse":
            return float(self.model.data @ errors**2)
        if self.metric != "preferences":
            return float(self.model.data @ np.abs(errors))
        more = errors[self.first] - errors[self.second]
        found = np.logaddexp(0, self.gap + more) - np.logaddexp(0, self.gap)
        return float(self.chance @ (found - self.preferred * more))

    def affordable(self, errors: Floats, cost: float) -> float:
        """Return the multiple of errors that has this cost, to some digits; inf if beyond all."""
        one = self.cost(errors)
        if one <= 1e-30 * cost:
            return np.inf
        if self.metric == "mse":
            return float(np.sqrt(cost / one))
        if self.metric != "preferences":
            return cost / one
        more, factor = errors[self.first] - errors[self.second], 1.0
        for _ in range(20):  # Newton's method: the cost is convex in the factor
            learned = np.exp(-np.logaddexp(0, -self.gap - factor * more))
            slope = float(self.chance @ ((learned - self.preferred) * more))
            step = (self.cost(factor * errors) - cost) / slope if slope else 0.0
            factor -= step
            if abs(step) <= 1e-12 * factor:
                break
        return factor

    def cheaper(self, errors: Floats, cost: float) -> tuple[Floats, float] | None:
        """Return the least multiple of errors that is bad, if it costs less, and its cost."""
        if cost < np.inf:
            factor = self.affordable(errors, cost)
            size = factor * float(np.abs(errors).max())
            if size <= self.largest and self.excess(factor * errors) > 0:
                return None
        found = self.scaled(errors)
        if found is None or (new := self.cost(found)) >= cost * (1 - 1e-12):
            return None
        return found, new

    def excess(self, errors: Floats) -> float:
        """Return by how much the policy is too good to be bad."""
        found = self.model.solve(self.model.rewards + errors, self.values)
        self.values = found.values
        return found.policy_return - self.bad

    def favours(self) -> Iterator[Floats]:
        """Yield errors that raise the actions of deterministic policies, and random ones."""
        mdp, question = self.question.mdp, self.question
        worst = np.array([float(q) for q in question.returns.worst.probabilities])
        yield worst
        generator = np.random.default_rng(0)
        for _ in range(_STARTS):
            raised = np.zeros(len(worst))
            for pairs in mdp.pair_ranges:
                order = sorted(pairs, key=lambda p: self.model.rewards[p])
                place = min(int(generator.geometric(0.5)) - 1, len(order) - 1)
                raised[order[place]] = 1.0 if generator.random() < 0.8 else 0.0
            yield raised
        for _ in range(_RANDOM):
            errors = generator.normal(size=len(worst))
            yield errors * (generator.random(len(worst)) < 0.7)

    def scaled(self, errors: Floats) -> Floats | None:
        """Return the least multiple of errors that makes the policy bad."""
        low, high = 0.0, 1.0
        above, below = self.excess(low * errors), self.excess(errors)
        if above <= 0:
            return 0 * errors
        if not errors.any():
            return None
        while below > 0:
            low, high, above = high, 2 * high, below
            if high * float(np.abs(errors).max()) > self.largest:
                return None
            below = self.excess(high * errors)
        for _ in range(60):  # the Illinois method
            if high - low <= 1e-14 * high:
                break
            middle = high - below * (high - low) / (below - above)
            middle = middle if low < middle < high else (low + high) / 2
            found = self.excess(middle * errors)
            if found > 0:
                low, above, below = middle, found, below / 2
            else:
                high, below, above = middle, found, above / 2
            if abs(found) <= 1e-14 * self.span:
                high = middle if found <= 0 else high
                break
        return high * errors

    def improve(self, best: Floats) -> Floats:
        """Descend along single errors, scaled each time to what is just enough."""
        cost = self.cost(best)
        step = float(np.abs(best).max())
        for _ in range(_SWEEPS):
            before = cost
            for p in range(len(best)):
                if self.limits.reached():
                    return best
                options = [best[p] * x for x in _DIRECTIONS] if best[p] else []
                for option in (*options, best[p] + step / 4, best[p] - step / 4):
                    trial = best.copy()
                    trial[p] = option
                    best, cost = self.cheaper(trial, cost) or (best, cost)
            if cost > before * (1 - 1e-6):
                step /= 4
                if step < 1e-6 * float(np.abs(best).max()):
                    break
        return best

    def polish(self, best: Floats) -> Floats:
        """Descend in random directions, longer steps after a success, shorter ones after others."""
        cost, size, generator = self.cost(best), 0.1, np.random.default_rng(1)
        for _ in range(_POLISHING):
            if size < 1e-10 or self.limits.reached():
                break
            noise = size * float(np.abs(best).max()) * generator.normal(size=len(best))
            found = self.cheaper(best + noise * (generator.random(len(best)) < 0.6), cost)
            best, cost = found or (best, cost)
            size *= 1.4 if found else 0.96
        return best
