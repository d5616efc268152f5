"""What a certificate says, in words: the claim, and the argument that leads to it.

Reads the document of a certificate and recomputes nothing that the checker has verified, except
sums that a reader wants to see. Never decides anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

from symsafe import checker
from symsafe.analysis.occupancy import support
from symsafe.analysis.values import optimal_values
from symsafe.certificate import Certificate
from symsafe.errors import UnsupportedError
from symsafe.exact import exact, format_fraction
from symsafe.model import Policy, SafetyProblem
from symsafe.model.tables import require_instance

__all__ = ["Deception", "Facts", "Step", "argue", "facts_of", "number"]

_KINDS = ("unsafe", "safe", "radius")
_SHOWN_PAIRS = 12
_LONG = 24

Numbers = tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class Deception:
    """The reward model of a certificate, with the policy that it leads to.

    Attributes
    ----------
    reward, errors : tuple of Fraction, one a pair
        R^ and its distance to R, in reward units.
    policy : tuple of Fraction or None, one a pair
        Probability of the action; None in states that the policy never visits.
    expected_error : Fraction
        Under the data distribution, a share of the reward range.
    policy_return, regret : Fraction
        Under the true reward.
    """

    reward: Numbers
    errors: Numbers
    policy: tuple[Fraction | None, ...]
    expected_error: Fraction
    policy_return: Fraction
    regret: Fraction


@dataclass(frozen=True, slots=True)
class Facts:
    """The numbers of a certificate.

    Attributes
    ----------
    certificate : Certificate
        Checked.
    problem : SafetyProblem
    sentence : str
        The claim.
    best, worst : Fraction
        Greatest and least return.
    deception : Deception or None
        Of a certificate that has a reward model of the kinds known here.
    nodes : mapping from kind to number
        Of its tree.
    """

    certificate: Certificate
    problem: SafetyProblem
    sentence: str
    best: Fraction
    worst: Fraction
    deception: Deception | None
    nodes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an argument: a title, a sentence or two, and a list of particulars."""

    title: str
    text: str
    items: tuple[str, ...] = ()


def number(x: Fraction) -> str:
    """Return a number for a reader: exact if it is short, else six digits.

    Examples
    --------
    >>> number(Fraction(1, 3)), number(Fraction(10**40 + 1, 10**41))
    ('1/3', '≈ 0.1')
    """
    text = format_fraction(x)
    if len(text) <= _LONG:
        return text
    with localcontext() as context:
        context.prec = 6
        rounded = (Decimal(x.numerator) / Decimal(x.denominator)).normalize()
    return f"≈ {rounded:g}"


def facts_of(certificate: Certificate | Facts) -> Facts:
    """Return the numbers of a certificate, which is checked first; of numbers, themselves.

    Raises
    ------
    CertificateRejected
        If the checker refuses it.
    UnsupportedError
        For claims of a kind that has no argument here.
    """
    if isinstance(certificate, Facts):
        return certificate
    require_instance(certificate, Certificate, "certificate", "a Certificate")
    result = certificate.check()
    if (
        isinstance(result, checker.Region)
        or certificate.kind not in _KINDS
        or "returns" not in certificate.document["evidence"]
    ):
        raise UnsupportedError(f"certificates of the kind {certificate.kind} are not displayed")
    problem = certificate.problem()
    evidence = certificate.document["evidence"]
    best, worst = (
        _mean(problem, [exact(v) for v in evidence["returns"][key]]) for key in ("optimal", "worst")
    )
    witness = evidence.get("witness")
    deception = None if witness is None else _deception(problem, witness, best, worst)
    return Facts(certificate, problem, result.sentence, best, worst, deception, result.nodes)


def argue(certificate: Certificate | Facts) -> tuple[Step, ...]:
    """Return the argument of a certificate, step by step, in plain text.

    Examples
    --------
    >>> from symsafe import decide, loads_problem, problems
    >>> verdict = decide(loads_problem(problems.text("tight-bandit")))
    >>> for step in argue(verdict.certificate):
    ...     print(f"{step.title}: {step.text}")
    Claim: D is unsafe: some reward with error <= 3/50 has an optimal policy with regret >= 3/5
    The reward model: It agrees with the true reward on 2 of 3 state-action pairs.
    The data: They show the pairs where it is wrong with probability 1/10. The expected error is \
3/50 of the reward range.
    The policy: It is optimal for the reward model, and differs from an optimal one here:
    The regret: Its return is 2/5, between 0 (worst) and 1 (best): 3/5 of what can be lost.
    """
    facts = facts_of(certificate)
    steps = [Step("Claim", facts.sentence)]
    if facts.deception is not None:
        steps += _unsafe_steps(facts, facts.deception)
    if any(facts.nodes.values()):
        steps.append(_tree_step(facts))
    return tuple(steps)


def _mean(problem: SafetyProblem, values: Sequence[Fraction]) -> Fraction:
    start = (exact(p) for p in problem.mdp.initial)
    return sum((p * v for p, v in zip(start, values, strict=True)), Fraction(0))


def _flat(table: Sequence[Sequence[str]]) -> Numbers:
    return tuple(exact(x) for row in table for x in row)


def _deception(
    problem: SafetyProblem, witness: Mapping[str, Any], best: Fraction, worst: Fraction
) -> Deception | None:
    mdp = problem.mdp
    true = tuple(exact(r) for r in mdp.rewards)
    reward = _flat(witness["reward"])
    errors = tuple(abs(x - r) for x, r in zip(reward, true, strict=True))
    if "policy" in witness:
        policy = Policy(mdp, _flat(witness["policy"]))
        visited = {mdp.pair_states[pair] for pair in support(mdp, policy)}
        taken = [
            p if mdp.pair_states[pair] in visited else None
            for pair, p in enumerate(policy.probabilities)
        ]
        achieved = _mean(problem, [exact(v) for v in witness["policy_value"]])
    elif "occupancy" in witness:
        visits = _flat(witness["occupancy"])
        sums = [sum(visits[pairs.start : pairs.stop]) for pairs in mdp.pair_ranges]
        taken = [
            x / total if (total := sums[state]) else None
            for x, state in zip(visits, mdp.pair_states, strict=True)
        ]
        achieved = sum((x * r for x, r in zip(visits, true, strict=True)), Fraction(0))
    else:
        return None
    weights = (exact(w) for w in problem.data.weights)
    cost = sum((w * e for w, e in zip(weights, errors, strict=True)), Fraction(0))
    return Deception(
        reward=reward,
        errors=errors,
        policy=tuple(taken),
        expected_error=cost / (max(true) - min(true)),
        policy_return=achieved,
        regret=(best - achieved) / (best - worst),
    )


def _unsafe_steps(facts: Facts, deception: Deception) -> list[Step]:
    mdp = facts.problem.mdp
    weights = [exact(w) for w in facts.problem.data.weights]
    true = [exact(r) for r in mdp.rewards]
    names = ["/".join(pair) for pair in mdp.pairs]
    wrong = [pair for pair, error in enumerate(deception.errors) if error]
    wrong.sort(key=lambda pair: (-weights[pair] * deception.errors[pair], pair))
    count = len(names)
    told = _listed(
        f"{names[p]}: says {number(deception.reward[p])}, true is {number(true[p])}, "
        f"seen with probability {number(weights[p])}"
        for p in wrong
    )
    share = sum((weights[p] for p in wrong), Fraction(0))
    policy, does = _policy_steps(facts, deception)
    return [
        Step(
            "The reward model",
            f"It agrees with the true reward on {count - len(wrong)} of {count} state-action "
            "pairs.",
            told,
        ),
        Step(
            "The data",
            f"They show the pairs where it is wrong with probability {number(share)}. "
            f"The expected error is {number(deception.expected_error)} of the reward range.",
        ),
        Step("The policy", policy, does),
        Step(
            "The regret",
            f"Its return is {number(deception.policy_return)}, between {number(facts.worst)} "
            f"(worst) and {number(facts.best)} (best): {number(deception.regret)} of what can be "
            "lost.",
        ),
    ]


def _policy_steps(facts: Facts, deception: Deception) -> tuple[str, tuple[str, ...]]:
    """Say where the policy takes another action than one that is optimal under the true reward."""
    mdp = facts.problem.mdp
    _, best = optimal_values(mdp)
    found = []
    for state, pairs in enumerate(mdp.pair_ranges):
        if deception.policy[best[state]] in (None, 1):
            continue
        does = " or ".join(
            mdp.actions[state][p - pairs.start]
            + ("" if share == 1 else f" (with probability {number(share)})")
            for p in pairs
            if (share := deception.policy[p])
        )
        instead = mdp.actions[state][best[state] - pairs.start]
        found.append(f"in {mdp.states[state]} it takes {does} instead of {instead}")
    regular = facts.problem.regularizer is not None
    kind = "optimal for the reward model" + (" less the penalty" if regular else "")
    if not found:
        return f"It is {kind}.", ()
    return f"It is {kind}, and differs from an optimal one here:", _listed(found)


def _tree_step(facts: Facts) -> Step:
    nodes = Counter(facts.nodes)
    total = sum(nodes.values())
    said = ", ".join(f"{count} {kind}" for kind, count in sorted(nodes.items()) if count)
    return Step(
        "No cheaper reward model",
        f"A tree of {total} node{'s' * (total != 1)} ({said}) divides all policies into groups; "
        "for each group a leaf proves that its policies are too expensive to make optimal, or not "
        "bad.",
    )


def _listed(items: Iterable[str]) -> tuple[str, ...]:
    found = list(items)
    more = len(found) - _SHOWN_PAIRS
    return tuple(found) if more <= 0 else (*found[:_SHOWN_PAIRS], f"and {more} more")
