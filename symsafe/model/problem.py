"""What a safety problem asks: is the data distribution D safe for tolerance epsilon and regret L?

Follows Definition 2.1 of the paper. Never solves anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from symsafe.errors import InputError
from symsafe.exact import Number, RationalFunction, exact
from symsafe.model.data import DataDistribution
from symsafe.model.data_set import DataSet, require_set
from symsafe.model.mdp import MDP, require_mdp
from symsafe.model.regularizer import Regularizer
from symsafe.model.tables import path, read_number, require_instance, shown, substituted

__all__ = ["METRICS", "SafetyProblem", "require_problem", "require_tolerance"]

METRICS = ("mse", "returns", "preferences")
"""Errors of reward models besides the mean absolute one, with e = R_hat - R (paper, Section 5).

``mse``
    the mean of ``e**2`` under the data, as a share of the squared range of R
``returns``
    ``(1 - gamma) E|sum gamma^t e|`` over trajectories of the reference policy, as a share of the
    range of R
``preferences``
    the mean KL divergence between the Bradley-Terry preferences of R and of the model, over two
    actions of the reference policy in an initial state, divided by the range of R
"""


@dataclass(frozen=True, slots=True, repr=False)
class SafetyProblem:
    """An MDP, a data distribution, the regret L that counts as bad, and the tolerance epsilon.

    The distribution is *unsafe* if some reward model whose expected error is at most epsilon has an
    optimal policy of regret at least L.

    Parameters
    ----------
    mdp : MDP
        With the true reward.
    data : DataDistribution
        Over the pairs of `mdp`.
    regret : Number
        L, a share of the range of the return, in [0, 1].
    epsilon : Number, optional
        Expected error, a share of the range of the reward; above 0. Not needed for the radius.
    regularizer : Regularizer, optional
        What the policy is penalised for when it is optimised against the reward model.
    metric : str, optional
        How the error of a reward model is measured, with a ``kl`` regularizer: see `METRICS`. By
        default the mean of ``|R_hat - R|`` under `data`, as a share of the range of R.
    coverage : DataSet, optional
        Which data distributions could be collected: where `critical_epsilon` and `repair` look for
        a safe one. By default all of them.

    Raises
    ------
    InputError
        For values out of range (of ground numbers), a distribution over another MDP, a constant
        reward: its range of 0 cannot be divided by; for a metric without a ``kl`` regularizer, or
        whose data are not those of the reference policy.

    Examples
    --------
    >>> mdp = MDP.bandit({"s": {"a": 1, "b": "2/5", "c": 0}})
    >>> SafetyProblem(mdp, DataDistribution.uniform(mdp), regret="3/5", epsilon="1/10")
    SafetyProblem(MDP(1 state, 3 state-action pairs, discount 0), regret 3/5, epsilon 1/10)
    """

    mdp: MDP
    data: DataDistribution
    regret: Number
    epsilon: Number | None = None
    regularizer: Regularizer | None = None
    metric: str | None = None
    coverage: DataSet | None = None

    def __post_init__(self) -> None:
        require_mdp(self.mdp)
        require_instance(self.data, DataDistribution, "data", "a DataDistribution")
        if self.data.mdp is not self.mdp and self.data.mdp != self.mdp:
            raise InputError("data", "pairs of another MDP", "a distribution over this MDP's pairs")
        names = self.mdp.parameters.names
        regret = read_number(self.regret, "regret", names)
        if isinstance(regret, Fraction) and not 0 <= regret <= 1:
            raise InputError("regret", shown(regret), "a number in [0, 1]")
        object.__setattr__(self, "regret", regret)
        if self.epsilon is not None:
            epsilon = read_number(self.epsilon, "epsilon", names)
            if isinstance(epsilon, Fraction) and epsilon <= 0:
                raise InputError("epsilon", shown(epsilon), "a number above 0")
            object.__setattr__(self, "epsilon", epsilon)
        if self.regularizer is not None:
            require_instance(self.regularizer, Regularizer, "regularizer", "a Regularizer")
            if self.regularizer.mdp is not self.mdp and self.regularizer.mdp != self.mdp:
                raise InputError("regularizer", "one of another MDP", "a regularizer of this MDP")
        if self.metric is not None:
            self._require_metric()
        if self.coverage is not None:
            require_set(self.coverage, self.mdp, "coverage")
        first = self.mdp.rewards[0]
        if all(reward == first for reward in self.mdp.rewards):
            raise InputError(
                "reward", f"{shown(first)} for every pair", "a reward that is not constant"
            )

    def _require_metric(self) -> None:
        metric, given = self.metric, self.regularizer
        if metric not in METRICS:
            raise InputError("metric", metric, f"one of {', '.join(METRICS)}")
        if given is None or given.kind != "kl" or given.reference is None or not self.is_ground:
            raise InputError("metric", metric, "none without a regularizer of kind kl")
        if metric == "mse":
            return
        discount = exact(self.mdp.discount)
        if metric == "preferences" and discount:
            raise InputError("metric", metric, "a discount of 0: preferences between actions")
        weights = [exact(w) for w in self.data.weights]
        flow = [(1 - discount) * exact(m) for m in self.mdp.initial]
        for weight, row in zip(weights, self.mdp.successors, strict=True):
            for t, probability in row:
                flow[t] += discount * weight * exact(probability)
        shares = given.reference.probabilities
        for p, s in enumerate(self.mdp.pair_states):
            due = flow[s] * exact(shares[p])
            if weights[p] != due:
                field = path("data", *self.mdp.pairs[p])
                what = f"{shown(due)}, as in data of the reference policy ({metric})"
                raise InputError(field, shown(weights[p]), what)

    @property
    def is_ground(self) -> bool:
        """Whether every number is a Fraction, so that no parameter occurs."""
        thresholds = (self.regret, self.epsilon)
        return (
            self.mdp.is_ground
            and self.data.is_ground
            and not any(isinstance(number, RationalFunction) for number in thresholds)
        )

    def require_ground(self) -> None:
        """Refuse a problem in which parameters occur.

        Raises
        ------
        InputError
            With the parameters that need values.
        """
        if not self.is_ground:
            names = ", ".join(self.mdp.parameters.names)
            raise InputError("parameters", f"open parameters {names}", "values for them, by `at`")

    def at(self, /, **values: object) -> SafetyProblem:
        """Return the problem with some or all parameters replaced by exact values.

        Raises
        ------
        InputError
            For an unknown parameter, a value outside the parameter space, and for all that is
            refused in a problem without parameters.

        Examples
        --------
        >>> mdp = MDP.bandit({"s": {"a": "r", "b": 0}}, parameters={"r": (0, 2)})
        >>> data = DataDistribution.uniform(mdp)
        >>> problem = SafetyProblem(mdp, data, regret="1/2", epsilon="r/10")
        >>> problem.at(r="1/2").epsilon
        Fraction(1, 20)
        >>> problem.at(r=0)
        Traceback (most recent call last):
        ...
        symsafe.errors.InputError: epsilon: found 0; expected a number above 0
        """
        point = self.mdp.parameters.point(values)
        mdp = self.mdp.at(**values)
        weights = tuple(
            substituted(weight, point, path("data", *pair))
            for weight, pair in zip(self.data.weights, mdp.pairs, strict=True)
        )
        return SafetyProblem(
            mdp,
            DataDistribution(mdp, weights, self.data.counts),
            substituted(self.regret, point, "regret"),
            None if self.epsilon is None else substituted(self.epsilon, point, "epsilon"),
            None if self.regularizer is None else self.regularizer.on(mdp),
            self.metric,
            None if self.coverage is None else self.coverage.on(mdp),
        )

    def __repr__(self) -> str:
        epsilon = "" if self.epsilon is None else f", epsilon {shown(self.epsilon)}"
        penalty = "" if self.regularizer is None else f", {self.regularizer!r}"
        metric = "" if self.metric is None else f", metric {self.metric}"
        return f"SafetyProblem({self.mdp!r}, regret {shown(self.regret)}{epsilon}{penalty}{metric})"


def require_problem(value: object) -> None:
    """Refuse anything but a SafetyProblem."""
    require_instance(value, SafetyProblem, "problem", "a SafetyProblem")


def require_tolerance(problem: SafetyProblem, purpose: str) -> Number:
    """Return the epsilon of a problem, where one is needed to say what is asked."""
    require_problem(problem)
    if problem.epsilon is None:
        raise InputError("epsilon", None, f"the tolerance at which {purpose}, such as 1/10")
    return problem.epsilon
