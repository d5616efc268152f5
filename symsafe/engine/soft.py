"""Reward models and what is optimal for them under a KL penalty, by rigorous ball arithmetic.

The optimum of J - lambda KL is the softmax policy of the soft Bellman equation (CERTIFICATE.md,
KL-regularised problems). Its return has no rational value, so that it is enclosed: with as many
bits as it takes, up to a limit.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb, arb_mat, ctx, fmpq
from numpy.typing import NDArray

from symsafe.analysis.occupancy import occupancy
from symsafe.engine.question import Question
from symsafe.errors import InputError
from symsafe.exact import exact
from symsafe.model import Policy

__all__ = [
    "SoftModel",
    "SoftSolution",
    "SoftWitness",
    "Softness",
    "above",
    "ball",
    "error_of",
    "kl_penalty_above",
    "soft_witness",
]

Floats = NDArray[np.float64]
Numbers = tuple[Fraction, ...]
_BITS = (96, 192, 384, 768, 1536)
_ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Softness:
    """The KL penalty of a question.

    Attributes
    ----------
    scale : Fraction
        lambda (1 - gamma), in reward units.
    reference : tuple of Fraction, one per pair
    """

    scale: Fraction
    reference: Numbers

    @classmethod
    def of(cls, question: Question) -> Softness:
        """Return the penalty of a question with a KL regularizer."""
        given = question.problem.regularizer
        if given is None or given.kind != "kl" or given.reference is None:
            raise InputError("regularizer", given, "a kl regularizer")
        scale = given.weight * (1 - question.discount)
        return cls(scale, tuple(exact(q) for q in given.reference.probabilities))


@dataclass(frozen=True, slots=True)
class SoftWitness:
    """A reward model whose optimal policy under the KL penalty is bad.

    Attributes
    ----------
    reward : tuple of Fraction, one per pair
    value : tuple of Fraction, one per state
        Close to the soft values.
    policy_value : tuple of Fraction, one per state
        At least the values of the policy under the true reward.
    error : Fraction
        Its error in the metric of the problem, or a bit more where that has no rational value.
    bits : int
        Precision with which the proof goes through.
    """

    reward: Numbers
    value: Numbers
    policy_value: Numbers
    error: Fraction
    bits: int


def soft_witness(question: Question, reward: Sequence[Fraction]) -> SoftWitness | None:
    """Return the witness that a reward model makes, or None if its policy is not proven bad.

    Where the return of its policy is so close to the bound that its enclosure contains it, the
    precision is raised, up to a limit.
    """
    softness, saved = Softness.of(question), ctx.prec
    try:
        for bits in _BITS:
            ctx.prec = bits + 64
            proven = (_myopic if question.discount == 0 else _lasting)(question, softness, reward)
            if isinstance(proven, tuple):
                room, value, policy_value = proven
                enough = 64 if not room else 32 + _magnitude(question.reward_range / room)
                error, more = error_of(question, reward)
                return SoftWitness(tuple(reward), value, policy_value, error, max(enough, more))
            if proven:
                return None
    finally:
        ctx.prec = saved
    return None


def _magnitude(x: Fraction) -> int:
    return x.numerator.bit_length() - x.denominator.bit_length()


def error_of(question: Question, reward: Sequence[Fraction]) -> tuple[Fraction, int]:
    """Return the error of a reward model in the metric of the problem, and bits that show it.

    It is exact but for ``preferences``, which have no rational value: that is rounded up.
    """
    problem, span = question.problem, question.reward_range
    errors = [x - r for x, r in zip(reward, question.rewards, strict=True)]
    if problem.metric == "preferences":
        total = arb(0)
        reference = Softness.of(question).reference
        for m, pairs in zip(question.initial, problem.mdp.pair_ranges, strict=True):
            for p, q in itertools.product(pairs, pairs if m else ()):
                gap, more = question.rewards[p] - question.rewards[q], errors[p] - errors[q]
                if more:
                    x, y = ball(gap), ball(gap + more)
                    found = (1 + y.exp()).log() - (1 + x.exp()).log()
                    found -= ball(more) / (1 + (-x).exp())
                    total += ball(m * reference[p] * reference[q]) * found
        digits = span / 10**18
        return (above(total, digits) + digits) / span, 96
    if problem.metric == "mse":
        squares = zip(question.weights, errors, strict=True)
        return sum((w * e * e for w, e in squares), _ZERO) / span**2, 0
    sizes = zip(question.weights, errors, strict=True)
    return sum((w * abs(e) for w, e in sizes), _ZERO) / span, 0


def kl_penalty_above(question: Question, policy: Policy) -> Fraction:
    """Return a number at least lambda KL of a policy, closely."""
    softness, eta, total = Softness.of(question), occupancy(question.mdp, policy), arb(0)
    for p, visits in enumerate(eta):
        if visits:
            share = exact(policy.probabilities[p])
            total += ball(visits * softness.scale) * ball(share / softness.reference[p]).log()
    unit = question.reward_range / 10**12
    return above(total, unit) + unit


def ball(x: Fraction) -> arb:
    return arb(fmpq(x.numerator, x.denominator))


def above(x: arb, unit: Fraction) -> Fraction:
    """Return a multiple of `unit` at least as great as a ball."""
    top = (x / ball(unit)).upper().ceil().unique_fmpz()
    return (int(top) if top is not None else 0) * unit


def _myopic(
    question: Question, softness: Softness, reward: Sequence[Fraction]
) -> tuple[Fraction, Numbers, Numbers] | bool:
    """Return slack and values for gamma = 0, False if more bits are needed, True if hopeless."""
    means: list[Fraction | arb] = []
    for pairs in question.mdp.pair_ranges:
        gains = [reward[p] for p in pairs]
        worth = [question.rewards[p] for p in pairs]
        shares = [softness.reference[p] for p in pairs]
        top = max(gains)
        if min(gains) == top:
            means.append(sum((q * r for q, r in zip(shares, worth, strict=True)), _ZERO))
            continue
        weights = [
            ball(q) * ball((x - top) / softness.scale).exp()
            for q, x in zip(shares, gains, strict=True)
        ]
        total = sum(weights, arb(0))
        tops = (w * ball(r) for w, r in zip(weights, worth, strict=True))
        means.append(sum(tops, arb(0)) / total)
    known = sum(
        (m * x for m, x in zip(question.initial, means, strict=True) if isinstance(x, Fraction)),
        _ZERO,
    )
    rest = [
        (m, x) for m, x in zip(question.initial, means, strict=True) if m and isinstance(x, arb)
    ]
    value = (_ZERO,) * len(means)
    room = question.bad_return - known
    if not rest:
        if room < 0:
            return True
        # States that are never met need a value too.
        unit = question.reward_range / 2**64
        exactly = tuple(x if isinstance(x, Fraction) else above(x, unit) for x in means)
        return _ZERO, value, exactly
    gap = ball(room) - sum((ball(m) * x for m, x in rest), arb(0))
    if gap < 0:
        return True
    if not gap > 0:
        return False
    slack = question.reward_range / 2**8
    while not gap > ball(slack):
        slack /= 2
    unit = slack / 4
    return (
        slack,
        value,
        tuple(x if isinstance(x, Fraction) else above(x + ball(slack / 2), unit) for x in means),
    )


def _lasting(
    question: Question, softness: Softness, reward: Sequence[Fraction]
) -> tuple[Fraction, Numbers, Numbers] | bool:
    """Return the same for gamma > 0."""
    found = SoftModel.of(question).solve([float(r) for r in reward])
    gamma, scale, states = question.discount, softness.scale, range(len(question.initial))
    values = [arb(v) for v in found.values.tolist()]
    residual, worth = _newton(question, softness, reward, values)
    for _ in range(8):
        if residual < arb(2) ** (16 - ctx.prec):
            break
        values = [arb(v.mid()) for v in values]
        residual, worth = _newton(question, softness, reward, values)
    gap = ball(question.bad_return) - sum(
        (ball(m) * x for m, x in zip(question.initial, worth, strict=True)), arb(0)
    )
    if gap.mid() <= 0:
        return bool(gap < 0)
    slack = question.reward_range
    while not gap.mid() > 2 * ball(slack):
        slack /= 2
    unit = slack * (1 - gamma) / 2**12
    raised = tuple(above(arb(x.mid()) + ball(slack), unit) for x in worth)
    digits = Fraction(1, 2 ** (ctx.prec - 8))
    value = tuple(above(arb(v.mid()), digits * question.reward_range) for v in values)
    # What the checker will verify, with these very numbers.
    residual = _newton(question, softness, reward, [ball(v) for v in value])[0]
    blur = ball(gamma / (1 - gamma) / scale) * arb(residual.upper())
    for s in states:
        pairs = question.mdp.pair_ranges[s]
        after = [sum((q * raised[t] for t, q in question.successors[p]), _ZERO) for p in pairs]
        gains = [
            reward[p] + gamma * sum((q * value[t] for t, q in question.successors[p]), _ZERO)
            for p in pairs
        ]
        totals = [question.rewards[p] + gamma * x for p, x in zip(pairs, after, strict=True)]
        least, top = min(totals), max(gains)
        weights = [
            ball(softness.reference[p]) * ball((x - top) / scale).exp()
            for p, x in zip(pairs, gains, strict=True)
        ]
        gained = sum((w * ball(x - least) for w, x in zip(weights, totals, strict=True)), arb(0))
        total = sum(weights, arb(0))
        if not ball(raised[s] - least) > gained / total * (2 * blur).exp():
            return False
    if sum((m * x for m, x in zip(question.initial, raised, strict=True)), _ZERO) > (
        question.bad_return
    ):
        return False
    return slack * (1 - gamma) / 4, value, raised


def _newton(
    question: Question, softness: Softness, reward: Sequence[Fraction], values: list[arb]
) -> tuple[arb, list[arb]]:
    """Improve soft values in place; return the former residual and the values of the policy."""
    mdp, gamma, n = question.mdp, ball(question.discount), len(question.initial)
    scale = ball(softness.scale)
    system, right = arb_mat(n, n), arb_mat(n, 2)
    residual = arb(0)
    for s, pairs in enumerate(mdp.pair_ranges):
        after = [
            sum((ball(q) * values[t] for t, q in question.successors[p]), arb(0)) for p in pairs
        ]
        gains = [ball(reward[p]) + gamma * x for p, x in zip(pairs, after, strict=True)]
        top = max(float(g) for g in gains)
        weights = [
            ball(softness.reference[p]) * ((g - top) / scale).exp()
            for p, g in zip(pairs, gains, strict=True)
        ]
        total = sum(weights, arb(0))
        missed = top + scale * total.log() - values[s]
        residual = residual.max(abs(missed))
        row = [arb(0)] * n
        row[s] += 1
        chosen = [w / total for w in weights]
        for p, share in zip(pairs, chosen, strict=True):
            for t, q in question.successors[p]:
                row[t] -= gamma * share * ball(q)
            right[s, 1] += share * ball(question.rewards[p])
        right[s, 0] = missed
        for t, x in enumerate(row):
            system[s, t] = x
    solved = system.solve(right)
    for s in range(n):
        values[s] += solved[s, 0]
    return residual, [solved[s, 1] for s in range(n)]


@dataclass(frozen=True, slots=True)
class SoftSolution:
    """What is optimal for a reward model, in floats."""

    values: Floats
    policy: Floats
    policy_return: float


@dataclass(frozen=True, slots=True)
class SoftModel:
    """A question with a KL penalty in floats.

    Attributes
    ----------
    owner : array, one per pair
        Its state.
    starts : array, one per state
        Its first pair.
    transitions : array (pairs, states)
    rewards, reference, data : array, one per pair
    initial : array, one per state
    discount, scale : float
    """

    owner: NDArray[np.int64]
    starts: NDArray[np.int64]
    transitions: Floats
    rewards: Floats
    reference: Floats
    data: Floats
    initial: Floats
    discount: float
    scale: float

    @classmethod
    def of(cls, question: Question) -> SoftModel:
        """Return the model of a question."""
        softness = Softness.of(question)
        mdp = question.mdp
        transitions = np.zeros((len(mdp.pairs), len(mdp.states)))
        for p, row in enumerate(question.successors):
            for t, q in row:
                transitions[p, t] = float(q)
        return cls(
            np.array(mdp.pair_states, dtype=np.int64),
            np.array([pairs.start for pairs in mdp.pair_ranges], dtype=np.int64),
            transitions,
            np.array([float(r) for r in question.rewards]),
            np.array([float(q) for q in softness.reference]),
            np.array([float(w) for w in question.weights]),
            np.array([float(m) for m in question.initial]),
            float(question.discount),
            float(softness.scale),
        )

    def solve(self, reward: Sequence[float] | Floats, values: Floats | float = 0.0) -> SoftSolution:
        """Return the soft values and policy of a reward, and the true return of the policy.

        Newton's method starts from `values`, one per state.
        """
        given = np.asarray(reward, dtype=np.float64)
        values = values + np.zeros(len(self.initial))
        if not self.discount:
            values, policy = self._backup(given, values)
            gains = np.add.reduceat(policy * self.rewards, self.starts)
            return SoftSolution(values, policy, float(self.initial @ gains))
        for _ in range(200):
            updated, policy = self._backup(given, values)
            step = np.linalg.solve(self._system(policy), updated - values)
            values = values + step
            if np.abs(step).max() <= 1e-14 * (1 + np.abs(values).max()):
                break
        _, policy = self._backup(given, values)
        gains = np.add.reduceat(policy * self.rewards, self.starts)
        worth = np.linalg.solve(self._system(policy), gains)
        return SoftSolution(values, policy, float(self.initial @ worth))

    def _backup(self, reward: Floats, values: Floats) -> tuple[Floats, Floats]:
        gains = reward + self.discount * (self.transitions @ values)
        top = np.maximum.reduceat(gains, self.starts)
        weights = self.reference * np.exp((gains - top[self.owner]) / self.scale)
        total = np.add.reduceat(weights, self.starts)
        return top + self.scale * np.log(total), weights / total[self.owner]

    def _system(self, policy: Floats) -> Floats:
        moved = np.add.reduceat(policy[:, None] * self.transitions, self.starts, axis=0)
        return np.eye(len(self.initial)) - self.discount * moved
