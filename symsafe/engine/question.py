"""What every engine starts from: the problem and the exact facts that fix its scale."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from symsafe.analysis.values import Returns, returns
from symsafe.errors import UnsupportedError
from symsafe.exact import exact
from symsafe.model import MDP, SafetyProblem
from symsafe.model.problem import require_problem

__all__ = ["Question"]


@dataclass(frozen=True, slots=True)
class Question:
    """A ground safety problem in the units in which engines work.

    Attributes
    ----------
    problem : SafetyProblem
        The problem, without parameters.
    returns : Returns
        Exact optimal and worst returns with their value functions.
    weights, rewards : tuple of Fraction, one per state-action pair
        Data distribution D and true reward R, in reward units.
    successors : tuple, one per pair, of (state index, probability)
    initial : tuple of Fraction, one per state
    discount : Fraction
    reward_range : Fraction
        max R - min R, in reward units. Costs divided by it are expected errors.
    bad_return : Fraction
        b = max J - L (max J - min J): a policy is bad when its return is at most b.
    """

    problem: SafetyProblem
    returns: Returns
    weights: tuple[Fraction, ...]
    rewards: tuple[Fraction, ...]
    successors: tuple[tuple[tuple[int, Fraction], ...], ...]
    initial: tuple[Fraction, ...]
    discount: Fraction
    reward_range: Fraction
    bad_return: Fraction

    @classmethod
    def of(cls, problem: SafetyProblem) -> Question:
        """Return the question that `problem` asks.

        Raises
        ------
        InputError
            If it is no problem, a parameter has no value, or the reward or the return is constant.
        """
        require_problem(problem)
        problem.require_ground()
        facts = returns(problem.mdp)
        rewards = tuple(exact(reward) for reward in problem.mdp.rewards)
        regret = exact(problem.regret)
        return cls(
            problem=problem,
            returns=facts,
            weights=tuple(exact(weight) for weight in problem.data.weights),
            rewards=rewards,
            successors=tuple(
                tuple((t, exact(p)) for t, p in row) for row in problem.mdp.successors
            ),
            initial=tuple(exact(p) for p in problem.mdp.initial),
            discount=exact(problem.mdp.discount),
            reward_range=max(rewards) - min(rewards),
            bad_return=facts.maximum - regret * (facts.maximum - facts.minimum),
        )

    def require_unregularised(self) -> None:
        """Refuse a regularised problem, where what follows would be an answer to another question.

        Raises
        ------
        UnsupportedError
        """
        if self.problem.regularizer is not None:
            raise UnsupportedError(
                "regularizer: this is about optimisation without a regularizer; leave the table out"
            )

    @property
    def mdp(self) -> MDP:
        """The MDP of the problem."""
        return self.problem.mdp
