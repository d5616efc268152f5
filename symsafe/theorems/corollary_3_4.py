"""Corollary 3.4 on an instance: many disjoint bad policies make every distribution unsafe."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from symsafe.analysis.occupancy import support
from symsafe.analysis.policies import count_deterministic_policies
from symsafe.analysis.values import expected_return, optimal_values
from symsafe.certificate import all_unsafe_certificate
from symsafe.engine.coverage import Cover
from symsafe.engine.matrix import MAX_POLICIES, minimal_bad_supports
from symsafe.engine.question import Question
from symsafe.engine.witness import Witness, witness_of
from symsafe.exact import exact, format_fraction
from symsafe.model import Policy, SafetyProblem
from symsafe.model.data_set import DataSet
from symsafe.model.problem import require_tolerance
from symsafe.theorems.proposition_3_3 import raise_support
from symsafe.theorems.report import Hypothesis, TheoremReport

__all__ = ["disjoint_bad_policies", "verify"]

_MAX_STEPS = 200_000


def verify(problem: SafetyProblem, *, sharp: bool = False) -> TheoremReport:
    """Verify Corollary 3.4 at the tolerance of the problem.

    Finds k policies of regret at least L with pairwise disjoint supports; k >= 1/epsilon makes
    *every* data distribution unsafe at epsilon.

    Parameters
    ----------
    problem : SafetyProblem
        With an epsilon. Its data distribution plays no part in the hypothesis.
    sharp : bool
        k >= 1/epsilon - 1 suffices: ours, proven in proofs/corollary_3_4.py.

    Returns
    -------
    TheoremReport
        With the k policies; if there are enough, also with the reward model that shows it for the
        data distribution of the problem, and the certificate that every distribution is unsafe.

    Raises
    ------
    InputError
        If the problem has no epsilon or open parameters, or its reward or return is constant.

    Examples
    --------
    Three arms, two of them bad: safe distributions exist below 1/3 only.

    >>> from symsafe import MDP, DataDistribution
    >>> mdp = MDP.bandit({"s": {"a": 1, "b": 0, "c": 0}})
    >>> problem = SafetyProblem(mdp, DataDistribution.uniform(mdp), regret=1, epsilon="1/3")
    >>> verify(problem).holds, verify(problem, sharp=True).holds
    (False, True)
    """
    require_tolerance(problem, "to verify")
    question, epsilon = Question.of(problem), exact(problem.epsilon)
    question.require_unregularised()
    policies, most = disjoint_bad_policies(question)
    count, needed = Fraction(len(policies)), 1 / epsilon - (1 if sharp else 0)
    hypothesis = Hypothesis(
        f"k >= 1/epsilon{' - 1' if sharp else ''} bad policies with disjoint supports",
        count >= needed,
        count - needed,
        {"k": count, "needed": needed},
    )
    source = "the form k >= 1/epsilon - 1; ours" if sharp else "Fluri et al., ICML 2025"
    found = {"policies": policies, "k is": "the most possible" if most else "what was found"}
    if not hypothesis.holds:
        return TheoremReport("corollary-3.4", source, (hypothesis,), constructed=found)
    witnesses = [raise_support(question, policy) for policy in policies]
    if sharp:
        witnesses.append(_constant(question))
    witness = min(witnesses, key=lambda w: w.cost)
    errors = [
        [abs(x - r) for x, r in zip(w.reward, question.rewards, strict=True)] for w in witnesses
    ]
    share = Fraction(1, len(witnesses))
    # The supports are disjoint, so the mean of the errors is small at every pair.
    highest = max(map(sum, zip(*errors, strict=True))) * share
    weights, signs = (share,) * len(witnesses), (Fraction(0),) * len(question.rewards)
    cover = Cover(weights, tuple(witnesses), signs, highest, ())
    return TheoremReport(
        "corollary-3.4",
        source,
        (hypothesis,),
        f"every D is unsafe at epsilon = {format_fraction(epsilon)}",
        found | {"reward model": witness.reward, "its error": witness.cost / question.reward_range},
        all_unsafe_certificate(question, DataSet(problem.mdp), epsilon, cover),
    )


def disjoint_bad_policies(question: Question) -> tuple[tuple[Policy, ...], bool]:
    """Return bad policies with pairwise disjoint supports, and whether there cannot be more.

    Notes
    -----
    Exact by search over inclusion-minimal supports, up to 20,000 deterministic policies and 200,000
    steps. Else greedy: again and again a policy of least return that avoids all pairs used so far.
    In a state where episodes begin, each takes an action of its own that some bad policy takes;
    when there are no more such actions, there cannot be more policies.
    """
    usable = [
        [pair for pair in pairs if _is_bad_somewhere(question, state, pair)]
        for state, pairs in enumerate(question.mdp.pair_ranges)
        if question.initial[state]
    ]
    anchor = min(usable, key=len)
    best = _greedy(question)
    if len(best) == len(anchor) or count_deterministic_policies(question.mdp) > MAX_POLICIES:
        return best, len(best) == len(anchor)
    bad = minimal_bad_supports(question)
    packing = _Packing([[taken for taken in bad if pair in taken] for pair in anchor])
    return tuple(bad[taken] for taken in packing.best), packing.complete


def _is_bad_somewhere(question: Question, state: int, pair: int) -> bool:
    """Whether some bad policy takes this action of this state."""
    allowed = [
        (pair,) if s == state else tuple(pairs) for s, pairs in enumerate(question.mdp.pair_ranges)
    ]
    _, choices = optimal_values(question.mdp, maximise=False, allowed=allowed)
    return expected_return(question.mdp, _policy(question, choices)) <= question.bad_return


class _Packing:
    """A largest family of disjoint supports, at most one of each group; depth first."""

    def __init__(self, groups: list[list[frozenset[int]]]) -> None:
        self.groups = sorted(groups, key=len)
        self.best: tuple[frozenset[int], ...] = ()
        self.steps = 0
        self._extend(0, (), frozenset())

    @property
    def complete(self) -> bool:
        """Whether the search was not cut short."""
        return self.steps <= _MAX_STEPS

    def _extend(self, level: int, chosen: tuple[frozenset[int], ...], used: frozenset[int]) -> None:
        self.steps += 1
        if len(chosen) > len(self.best):
            self.best = chosen
        if len(chosen) + len(self.groups) - level <= len(self.best) or not self.complete:
            return
        for taken in self.groups[level]:
            if not taken & used:
                self._extend(level + 1, (*chosen, taken), used | taken)
        self._extend(level + 1, chosen, used)


def _greedy(question: Question) -> tuple[Policy, ...]:
    mdp = question.mdp
    used: set[int] = set()
    found: list[Policy] = []
    while True:
        # A high price keeps policies off used pairs; whether it did is seen on the support.
        height = question.reward_range / (1 - question.discount) + 1
        priced = [
            r + (height * 10**6 if pair in used else 0) for pair, r in enumerate(question.rewards)
        ]
        _, choices = optimal_values(mdp, priced, maximise=False)
        policy = _policy(question, choices)
        taken = support(mdp, policy)
        if taken & used or expected_return(mdp, policy) > question.bad_return:
            return tuple(found)
        used |= taken
        found.append(policy)


def _policy(question: Question, choices: Sequence[int]) -> Policy:
    taken = set(choices)
    return Policy(
        question.mdp, tuple(Fraction(pair in taken) for pair in range(len(question.rewards)))
    )


def _constant(question: Question) -> Witness:
    """Return the witness that pays min R everywhere, so that every policy is optimal."""
    low = min(question.rewards)
    value = (low / (1 - question.discount),) * len(question.initial)
    reward = (low,) * len(question.rewards)
    return witness_of(question, question.returns.worst, reward, value)
