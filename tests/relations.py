"""Metamorphic relations: how the safety radius has to change when a problem is changed.

The same relations serve all kinds of problems; where the radius is known by bounds alone, these
must not contradict them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from random import Random

import numpy as np
from instances import shares, to_problem
from oracle import Instance

from symsafe import BanditArrays, Policy, Regularizer, SafetyProblem

Numbers = tuple[Fraction, ...]
Bounds = tuple[Fraction | float, Fraction | float]


@dataclass(frozen=True)
class Flat(Instance):
    """An instance with its penalty, flat per pair: `own` are references or coefficients."""

    kind: str = ""
    weight: Fraction = Fraction(0)
    own: Numbers = ()
    metric: str | None = None

    @property
    def spread(self) -> Fraction:
        return max(self.rewards) - min(self.rewards)

    @property
    def data_follow_reference(self) -> bool:
        return self.metric in ("preferences", "returns")


def flat(problem: SafetyProblem) -> Flat:
    """A problem without parameters, flat."""
    mdp, penalty = problem.mdp, problem.regularizer
    own: Numbers = ()
    if penalty is not None:
        own = penalty.coefficients or ()
        if penalty.reference is not None:
            own = penalty.reference.probabilities
    return Flat(
        successors=mdp.successors,
        rewards=mdp.rewards,
        pair_states=mdp.pair_states,
        initial=mdp.initial,
        discount=mdp.discount,
        weights=problem.data.weights,
        regret=problem.regret,
        kind="" if penalty is None else penalty.kind,
        weight=Fraction(0) if penalty is None else penalty.weight,
        own=own,
        metric=problem.metric,
    )


def unflat(instance: Flat) -> SafetyProblem:
    """The problem again."""
    problem = to_problem(instance)
    if not instance.kind:
        return problem
    mdp, given = problem.mdp, {}
    if instance.kind == "linear":
        given = {"coefficients": instance.own}
    else:
        given = {"reference": Policy(mdp, instance.own)}
    penalty = Regularizer(mdp, instance.kind, instance.weight, **given)
    return replace(problem, regularizer=penalty, metric=instance.metric)


def renamed(instance: Flat, random: Random) -> Flat:
    """The same instance with its states, and the actions of each, in another order."""
    count = len(instance.initial)
    order = random.sample(range(count), count)  # new state -> old state
    place = {old: new for new, old in enumerate(order)}
    pairs: list[int] = []
    for old in order:
        own = [p for p, s in enumerate(instance.pair_states) if s == old]
        pairs += random.sample(own, len(own))
    return replace(
        instance,
        successors=tuple(
            tuple(sorted((place[t], x) for t, x in instance.successors[p])) for p in pairs
        ),
        rewards=tuple(instance.rewards[p] for p in pairs),
        pair_states=tuple(place[instance.pair_states[p]] for p in pairs),
        initial=tuple(instance.initial[old] for old in order),
        weights=tuple(instance.weights[p] for p in pairs),
        own=tuple(instance.own[p] for p in pairs) if instance.own else (),
    )


def rescaled(instance: Flat, random: Random) -> Flat:
    """Rewards and lambda times a positive number; a constant for rewards."""
    factor, constant = Fraction(random.randint(1, 9), 4), Fraction(random.randint(-9, 9), 3)
    if instance.metric == "preferences":  # the logistic function has a unit
        factor = Fraction(1)
    return replace(
        instance,
        rewards=tuple(factor * r + constant for r in instance.rewards),
        weight=factor * instance.weight,
    )


def shaped(instance: Flat, random: Random) -> Flat:
    """Rewards after potential shaping (Ng, Harada, Russell 1999)."""
    potential = [Fraction(random.randint(-3, 3), 2) for _ in instance.initial]
    rows = [instance.shaping_row(pair) for pair in range(len(instance.rewards))]
    return replace(
        instance,
        rewards=tuple(
            r - sum((e * v for e, v in zip(row, potential, strict=True)), Fraction(0))
            for r, row in zip(instance.rewards, rows, strict=True)
        ),
    )


def split(instance: Flat, random: Random) -> Flat:
    """One action in two copies, which share its data and its reference probability."""
    pair = random.randrange(len(instance.rewards))
    share, part = Fraction(random.randint(0, 4), 4), Fraction(random.randint(1, 3), 4)
    if instance.data_follow_reference:
        share = part

    def doubled(values: Sequence[object]) -> tuple[object, ...]:
        return (*values[: pair + 1], *values[pair:])

    def shared(values: Numbers, first: Fraction) -> Numbers:
        x = values[pair]
        return (*values[:pair], first * x, (1 - first) * x, *values[pair + 1 :])

    own = instance.own
    if own:
        own = doubled(own) if instance.kind == "linear" else shared(own, part)
    return replace(
        instance,
        successors=doubled(instance.successors),
        rewards=doubled(instance.rewards),
        pair_states=doubled(instance.pair_states),
        weights=shared(instance.weights, share),
        own=own,
    )


def with_unreachable_state(instance: Flat, random: Random) -> Flat:
    """A state that nothing leads to, without data, whose rewards change no range."""
    new = len(instance.initial)
    own = instance.own
    if own:
        own = (*own, Fraction(int(instance.kind != "linear")))
    return replace(
        instance,
        successors=(*instance.successors, ((random.randrange(new), Fraction(1)),)),
        rewards=(*instance.rewards, random.choice(instance.rewards)),
        pair_states=(*instance.pair_states, new),
        initial=(*instance.initial, Fraction(0)),
        weights=(*instance.weights, Fraction(0)),
        own=own,
    )


def at_most(one: Bounds, other: Bounds) -> bool:
    """Whether the first radius may be at most the second."""
    return one[0] <= other[1]


def same(one: Bounds, other: Bounds) -> bool:
    return at_most(one, other) and at_most(other, one)


def times(one: Bounds, factor: Fraction) -> Bounds:
    return one[0] * factor, one[1] * factor


def relations(
    instance: Flat, random: Random, bounds: Callable[[SafetyProblem], Bounds]
) -> dict[str, bool]:
    """Return by name which relations hold on an instance; `bounds` is asked about its relatives.

    The order of states and actions, the common unit of R and lambda, and unreachable states change
    nothing; shaping keeps the radius in reward units; a split action can only lower the radius
    (for l2 the copies differ from the action); the radius grows with L and is concave in D.
    """

    def of(relative: Flat) -> Bounds:
        return bounds(unflat(relative))

    own, power = of(instance), 2 if instance.metric == "mse" else 1
    holds = {
        "renaming": same(of(renamed(instance, random)), own),
        "scale": same(of(rescaled(instance, random)), own),
        "unreachable": same(of(with_unreachable_state(instance, random)), own),
        "regret": at_most(of(replace(instance, regret=instance.regret / 2)), own),
    }
    shaping = shaped(instance, random)
    if shaping.spread:
        holds["shaping"] = same(
            times(of(shaping), shaping.spread**power), times(own, instance.spread**power)
        )
    if instance.kind != "l2":
        holds["split"] = at_most(of(split(instance, random)), own)
    if not instance.data_follow_reference:
        count = len(instance.weights)
        weights = shares(random, count, zeros=random.choice([0, 0.3]))
        middle = tuple((x + y) / 2 for x, y in zip(instance.weights, weights, strict=True))
        other = of(replace(instance, weights=weights))
        both = (own[0] + other[0]) / 2, (own[1] + other[1]) / 2
        holds["concave"] = at_most(both, of(replace(instance, weights=middle)))
    if not instance.kind:
        holds["half"] = at_most(own, (Fraction(1, 2), Fraction(1, 2)))
    return holds


def check_relations(seed: int, problem: SafetyProblem, bounds: Callable[..., Bounds]) -> list[str]:
    """Return the names of the relations that fail; best none."""
    found = relations(flat(problem), Random(seed), bounds)
    return [name for name, true in found.items() if not true]


# -- contextual bandits as arrays ------------------------------------------------------------------


def contexts_of(bandit: BanditArrays) -> list[tuple[int, list[int], list[int]]]:
    """Initial weight, rewards and data of each context."""
    starts = np.append(0, np.cumsum(bandit.actions)).tolist()
    return [
        (int(w), bandit.reward[a:b].tolist(), bandit.data[a:b].tolist())
        for w, a, b in zip(bandit.initial, starts, starts[1:], strict=False)
    ]


def bandit_of(contexts: list[tuple[int, list[int], list[int]]], regret: Fraction) -> BanditArrays:
    return BanditArrays(
        actions=np.array([len(reward) for _, reward, _ in contexts]),
        initial=np.array([w for w, _, _ in contexts]),
        reward=np.array([r for _, reward, _ in contexts for r in reward]),
        data=np.array([d for _, _, data in contexts for d in data]),
        regret=regret,
    )


def bandit_relations(
    bandit: BanditArrays, random: Random, bounds: Callable[[BanditArrays], Bounds]
) -> dict[str, bool]:
    """The same for bandits: their order and units change nothing.

    The halves of a context can be misled apart, so the radius can only fall.
    """
    contexts, regret = contexts_of(bandit), bandit.regret

    def of(relative: list[tuple[int, list[int], list[int]]], level: Fraction = regret) -> Bounds:
        return bounds(bandit_of(relative, level))

    own, order = bounds(bandit), []
    for weight, reward, data in random.sample(contexts, len(contexts)):
        actions = random.sample(range(len(reward)), len(reward))
        order.append((weight, [reward[a] for a in actions], [data[a] for a in actions]))
    unit, shift = random.choice([3, 10**9]), random.randint(-9, 9)
    units = [
        (7 * w, [unit * r + shift for r in reward], [11 * d for d in data])
        for w, reward, data in contexts
    ]
    cut = random.randrange(len(contexts))
    halves = [(2 * w, reward, [2 * d for d in data]) for w, reward, data in contexts]
    halves[cut : cut + 1] = [contexts[cut]] * 2
    unmet = [*contexts, (0, [min(contexts[0][1])] * 2, [0, 0])]
    return {
        "order of contexts": same(of(order), own),
        "units": same(of(units), own),
        "a context in halves": at_most(of(halves), own),
        "an unmet context": same(of(unmet), own),
        "regret": at_most(of(contexts, regret / 2), own),
    }
