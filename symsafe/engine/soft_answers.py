"""Both bounds of a KL-regularised problem, in the metric of the problem."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from math import isqrt

import numpy as np
from flint import ctx

from symsafe.engine.kl import CurveNode, CurveOutcome, search_curves
from symsafe.engine.limits import Limits
from symsafe.engine.preferences import raised_rewards
from symsafe.engine.question import Question
from symsafe.engine.soft import SoftWitness, ball, soft_witness
from symsafe.engine.soft_search import SoftGap, cheapest_found, soft_gap
from symsafe.engine.tree import Progress
from symsafe.exact import exact

__all__ = ["SoftFinding", "root_above", "search_soft"]

_UNIT = Fraction(1, 10**13)


@dataclass(frozen=True, slots=True)
class SoftFinding:
    """What is known of the least error of a reward model with a bad optimum.

    Attributes
    ----------
    lower : Fraction
    lower_is_strict : bool
    upper : Fraction or None
        Bounds of it in the metric, and whether it is more than the lower one; the upper one is None
        if no such model was found.
    proof : CurveOutcome, SoftGap or None
        Of the lower bound.
    level : Fraction or None
        The mean absolute error that the proof bounds, where the metric is another one.
    witness : SoftWitness or None
    impossible : bool
        Whether there is no such model.
    nodes : int
    stopped : str or None
    """

    lower: Fraction
    lower_is_strict: bool
    upper: Fraction | None
    proof: CurveOutcome | SoftGap | None
    level: Fraction | None
    witness: SoftWitness | None
    impossible: bool
    nodes: int
    stopped: str | None

    def answer(self, asked: Fraction) -> str | None:
        """Return the answer at a tolerance, or None where the bounds leave it open."""
        if self.witness is not None and self.witness.error <= asked:
            return "unsafe"
        if self.lower > asked or (self.lower == asked and self.lower_is_strict):
            return "safe"
        return None

    def cautious(self, question: Question) -> SoftFinding:
        """Return the same with a lower bound that keeps further away from what floats say."""
        if not isinstance(self.proof, CurveOutcome):
            return self
        proof = self.proof.cautious(question)
        level, lower = _levels(question, proof.lower / question.reward_range, None)
        return replace(self, proof=proof, level=level, lower=lower, lower_is_strict=False)

    def without_proof(self, question: Question) -> SoftFinding:
        """Return the same without its lower bound, which could not be proven."""
        level, lower = _levels(question, Fraction(0), None)
        return replace(self, proof=_NOTHING, level=level, lower=lower, lower_is_strict=False)

    def without_witness(self) -> SoftFinding:
        """Return the same without its reward model, which could not be proven bad."""
        return replace(self, witness=None, upper=None)


_NOTHING = CurveOutcome(CurveNode({}), {}, Fraction(0), None, 1, None)
"""Proves no more than that no error is negative."""


def _levels(
    question: Question, bound: Fraction, level: Fraction | None
) -> tuple[Fraction | None, Fraction]:
    """Return the mean absolute error that a bound passes, if the metric needs it, and the error."""
    rounded = bound // _UNIT * _UNIT
    if question.problem.metric not in ("mse", "preferences"):
        return None, rounded
    level = rounded if level is None else level
    return level, _in_metric(question, level)


def search_soft(
    question: Question,
    limits: Limits,
    *,
    enough: Fraction | None = None,
    report: Callable[[Progress], None] | None = None,
) -> SoftFinding:
    """Bound the least error of a reward model whose KL-regularised optimum is bad.

    Parameters
    ----------
    question : Question
    limits : Limits
    enough : Fraction, optional
        An error in the metric: stop as soon as it is known whether some model has no more.
    report : callable, optional
    """
    span, metric = question.reward_range, question.problem.metric
    other = metric in ("mse", "preferences")
    level = None
    if enough is not None:
        level = _level_above(question, enough) if other else enough
    proof: CurveOutcome | SoftGap
    if exact(question.problem.regret) == 1:
        root = CurveNode({}, full=True)
        proof = CurveOutcome(root, {}, Fraction(0), None, 1, None)
        level = level if other else None
        return SoftFinding(enough or Fraction(0), True, None, proof, level, None, True, 1, None)
    if question.discount == 0:
        limit = None if level is None else level * span
        proof = search_curves(question, limits, enough=limit, report=report)
        bound, witness = proof.lower / span, proof.witness
        nodes, stopped = proof.nodes, proof.stopped
    else:
        gap = None if metric == "returns" else soft_gap(question)
        bound = Fraction(0) if gap is None else gap.cost / span
        proof, witness, nodes, stopped = gap or _NOTHING, None, 1, None
    strict = other and level is not None and bound > level
    level, lower = _levels(question, bound, level if strict else None)
    safe = enough is not None and (lower > enough or (strict and lower >= enough))
    if not safe and (other or question.discount):
        starts = [] if witness is None else [witness.reward]
        errors = [
            np.array([float(x - r) for x, r in zip(reward, question.rewards, strict=True)])
            for reward in starts
        ]
        if metric == "preferences":
            raised = raised_rewards(question)
            candidate = None if raised is None else soft_witness(question, raised)
            if candidate is not None and (witness is None or candidate.error < witness.error):
                witness = candidate
        if enough is None or witness is None or witness.error > enough:
            found = cheapest_found(question, limits, errors)
            if witness is None or (found is not None and found.error < witness.error):
                witness = found
        stopped = stopped or limits.reached()
    upper = None if witness is None else -(-witness.error // _UNIT) * _UNIT
    if enough is not None and witness is not None and witness.error <= enough:
        upper = min(upper or enough, enough)
    return SoftFinding(lower, strict, upper, proof, level, witness, False, nodes, stopped)


def root_above(x: Fraction) -> Fraction:
    """Return a rational number at least the square root, by 10^-13 at most."""
    scaled = x * 10**26
    root = isqrt(-(-scaled.numerator // scaled.denominator))
    return Fraction(root + (root * root < scaled), 10**13)


def _in_metric(question: Question, level: Fraction) -> Fraction:
    """Return an error in the metric that every model of this mean absolute error has at least."""
    if question.problem.metric == "mse":
        return level * level
    rewards = [[question.rewards[p] for p in pairs] for pairs in question.mdp.pair_ranges]
    gap = ball(max(max(row) - min(row) for row in rewards))
    more = ball(level * question.reward_range)
    saved = ctx.prec
    try:
        ctx.prec = 160
        found = (1 + (gap + more).exp()).log() - (1 + gap.exp()).log() - more / (1 + (-gap).exp())
        found = found / ball(question.reward_range * _UNIT)
        whole = found.lower().floor().unique_fmpz()
    finally:
        ctx.prec = saved
    return max(Fraction(0), (int(whole) if whole is not None else 0) * _UNIT)


def _level_above(question: Question, error: Fraction) -> Fraction:
    """Return a mean absolute error, such that no less of it is implied by more than `error`."""
    if question.problem.metric == "mse":
        return root_above(error)
    low, high = Fraction(0), Fraction(1)
    while _in_metric(question, high) < error:
        low, high = high, 2 * high
    while high - low > _UNIT:
        middle = (low + high) / 2 // _UNIT * _UNIT + _UNIT
        if middle >= high:
            break
        if _in_metric(question, middle) < error:
            low = middle
        else:
            high = middle
    return high
