"""The cheapest reward model that makes a given policy optimal (THEORY: cost of a policy).

Exact throughout: the cost is the optimum of an exact linear programme, the circulation LP
``max <w, R>`` subject to ``E^T w = 0`` and ``-D [on the support] <= w <= D``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from symsafe.analysis.linear_program import maximise
from symsafe.analysis.occupancy import support
from symsafe.analysis.values import evaluate, shape
from symsafe.engine.question import Question
from symsafe.errors import EngineError
from symsafe.model import Policy

__all__ = ["Witness", "bellman_rows", "cheapest_witness", "faithful_witness", "witness_of"]


@dataclass(frozen=True, slots=True)
class Witness:
    """A reward model, a policy that is optimal for it, and what the two amount to.

    Attributes
    ----------
    reward : tuple of Fraction, one per pair
        The adversarial reward model, in reward units.
    policy : Policy
        Optimal for `reward`.
    value : tuple of Fraction, one per state
        V with reward <= EV everywhere and equality on the support of the policy.
    policy_value : tuple of Fraction, one per state
        Value function of the policy under the true reward.
    cost : Fraction
        sum D |reward - R|, in reward units; divided by the reward range it is the expected error.
    policy_return : Fraction
        Return of the policy under the true reward.
    """

    reward: tuple[Fraction, ...]
    policy: Policy
    value: tuple[Fraction, ...]
    policy_value: tuple[Fraction, ...]
    cost: Fraction
    policy_return: Fraction


def bellman_rows(question: Question) -> list[dict[int, Fraction]]:
    """Return the rows of E^T: per state, pair index -> coefficient."""
    rows: list[dict[int, Fraction]] = [{} for _ in question.initial]
    for pair, state in enumerate(question.mdp.pair_states):
        rows[state][pair] = Fraction(1)
        for successor, probability in question.successors[pair]:
            row = rows[successor]
            row[pair] = row.get(pair, Fraction(0)) - question.discount * probability
    return rows


def cheapest_witness(question: Question, policy: Policy) -> Witness:
    """Return the reward model of least cost for which `policy` (deterministic) is optimal.

    The policy need not be bad; the caller compares `policy_return` with the threshold.

    Raises
    ------
    EngineError
        If the linear programme has no optimum, which weak duality excludes.
    """
    mdp = question.mdp
    taken = support(mdp, policy)
    optimum = maximise(
        question.rewards,
        bellman_rows(question),
        [Fraction(0)] * len(question.initial),
        [-w if pair in taken else Fraction(0) for pair, w in enumerate(question.weights)],
        question.weights,
    )
    if optimum.multipliers is None:
        raise EngineError(f"the circulation programme of a policy is {optimum.status}")
    # R - EV is the reward shaped by V: the witness is EV where the policy goes, and lowered to EV
    # where EV < R elsewhere.
    reward = tuple(
        true - gap if pair in taken or gap > 0 else true
        for pair, (true, gap) in enumerate(
            zip(question.rewards, shape(mdp, optimum.multipliers), strict=True)
        )
    )
    return witness_of(question, policy, reward, optimum.multipliers)


def faithful_witness(question: Question) -> Witness:
    """Return the true reward with a worst optimal policy: the witness for L = 0."""
    return witness_of(
        question, question.returns.optimal, question.rewards, question.returns.optimal_values
    )


def witness_of(
    question: Question,
    policy: Policy,
    reward: tuple[Fraction, ...],
    value: tuple[Fraction, ...],
) -> Witness:
    """Return the witness with this reward model, and what it costs and its policy returns.

    Nothing is verified here: that `value` proves the policy optimal is for the checker to see.
    """
    cost = sum(
        (
            w * abs(r - t)
            for w, r, t in zip(question.weights, reward, question.rewards, strict=True)
        ),
        Fraction(0),
    )
    values = evaluate(question.mdp, policy)
    returned = sum((p * v for p, v in zip(question.initial, values, strict=True)), Fraction(0))
    return Witness(
        reward=reward,
        policy=policy,
        value=value,
        policy_value=values,
        cost=cost,
        policy_return=returned,
    )
