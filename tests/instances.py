"""Random and structured instances, small enough for the oracle; one seed, one instance."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from random import Random

from oracle import Instance, policy_return

from symsafe import MDP, DataDistribution, SafetyProblem


def shares(random: Random, count: int, zeros: float = 0.0) -> tuple[Fraction, ...]:
    """A random distribution with small denominators, some entries 0."""
    while True:
        parts = [0 if random.random() < zeros else random.randint(1, 6) for _ in range(count)]
        if any(parts):
            return tuple(Fraction(part, sum(parts)) for part in parts)


def random_instance(seed: int) -> Instance:
    """A small instance; across seeds: ties at the threshold, zeros in D, unreachable and absorbing
    states, single and duplicate actions, discount 0, and L from tiny to 1.
    """
    random = Random(seed)
    while True:
        states = random.randint(1, 4)
        actions = [random.randint(1, 4 if states < 3 else 3) for _ in range(states)]
        pair_states = tuple(s for s, count in enumerate(actions) for _ in range(count))
        discount = random.choice([Fraction(0), Fraction(1, 2), Fraction(2, 3), Fraction(9, 10)])
        successors, rewards = [], []
        absorbing = {s for s in range(states) if random.random() < 0.15}
        for pair, state in enumerate(pair_states):
            duplicate = pair and pair_states[pair - 1] == state and random.random() < 0.15
            if duplicate:
                successors.append(successors[-1])
                rewards.append(rewards[-1])
                continue
            if state in absorbing:
                row = {state: Fraction(1)}
            else:
                targets = random.sample(range(states), random.randint(1, states))
                row = dict(zip(targets, shares(random, len(targets)), strict=True))
            successors.append(tuple(sorted(row.items())))
            rewards.append(Fraction(random.randint(-3, 3), random.choice([1, 1, 2])))
        instance = Instance(
            successors=tuple(successors),
            rewards=tuple(rewards),
            pair_states=pair_states,
            initial=shares(random, states, zeros=0.35),
            discount=discount,
            weights=shares(random, len(pair_states), zeros=random.choice([0, 0, 0.3])),
            regret=Fraction(1),
        )
        returns = sorted({policy_return(instance, policy) for policy in instance.policies()})
        if len(set(rewards)) > 1 and len(returns) > 1:
            break
    best, worst = returns[-1], returns[0]
    exactly = (best - random.choice(returns[:-1])) / (best - worst)
    nearby = random.choice([Fraction(1), Fraction(1, 2), Fraction(1, 10), Fraction(9, 10)])
    return replace_regret(instance, random.choice([exactly, exactly, nearby]))


def awkward_instance(seed: int) -> Instance:
    """A random instance made worse in one to three ways: see `AWKWARD`."""
    random = Random(seed)
    while True:
        instance = random_instance(random.randrange(10**9))
        for edit in random.sample(sorted(AWKWARD), random.randint(1, 3)):
            instance = AWKWARD[edit](instance, random)
        returns = sorted({policy_return(instance, policy) for policy in instance.policies()})
        if len(set(instance.rewards)) > 1 and len(returns) > 1:
            break
    best, worst = returns[-1], returns[0]
    exactly = (best - random.choice(returns[:-1])) / (best - worst)
    level = random.choice([exactly, exactly, Fraction(1), Fraction(1, 10**12)])
    return replace(instance, regret=level)


def _moved(instance: Instance, random: Random) -> Instance:
    """Every pair leads to one state: often periodic or absorbing."""
    count, step = len(instance.initial), random.choice([0, 1, None])
    targets = [
        random.randrange(count) if step is None else (s + step) % count
        for s in instance.pair_states
    ]
    return replace(instance, successors=tuple(((t, Fraction(1)),) for t in targets))


def _leaking(instance: Instance, random: Random) -> Instance:
    """Almost surely nothing happens."""
    tiny, count = Fraction(1, 10**9), len(instance.initial)
    rows = []
    for s in instance.pair_states:
        t = random.randrange(count)
        rows.append(((s, Fraction(1)),) if s == t else tuple(sorted([(s, 1 - tiny), (t, tiny)])))
    return replace(instance, successors=tuple(rows))


def _one(count: int, place: int) -> tuple[Fraction, ...]:
    return tuple(Fraction(int(i == place)) for i in range(count))


def _weighted(parts: list[Fraction]) -> tuple[Fraction, ...]:
    return tuple(x / sum(parts) for x in parts)


def _chosen(values: list[Fraction], instance: Instance, random: Random) -> Instance:
    return replace(instance, rewards=tuple(random.choice(values) for _ in instance.rewards))


AWKWARD: dict[str, Callable[[Instance, Random], Instance]] = {
    "data of one pair": lambda i, r: replace(
        i, weights=_one(len(i.weights), r.randrange(len(i.weights)))
    ),
    "data of very different size": lambda i, r: replace(
        i, weights=_weighted([Fraction(1, 10 ** r.choice([0, 3, 9, 15])) for _ in i.weights])
    ),
    "rewards 0 and 1": lambda i, r: _chosen([Fraction(0), Fraction(1)], i, r),
    "rewards of very different size": lambda i, r: _chosen(
        [Fraction(0), Fraction(1, 10**9), Fraction(1), Fraction(-(10**9))], i, r
    ),
    "almost equal rewards": lambda i, r: _chosen([Fraction(1), 1 + Fraction(1, 10**12)], i, r),
    "one start": lambda i, r: replace(i, initial=_one(len(i.initial), r.randrange(len(i.initial)))),
    "a start in almost one state": lambda i, r: replace(
        i, initial=_weighted([Fraction(1, 10 ** r.choice([0, 12])) for _ in i.initial])
    ),
    "one successor": _moved,
    "almost absorbing": _leaking,
    "a discount near an end": lambda i, r: replace(
        i, discount=r.choice([Fraction(1, 1000), Fraction(99, 100), Fraction(999, 1000)])
    ),
}


def replace_regret(instance: Instance, regret: Fraction) -> Instance:
    """The same instance with another regret level."""
    return Instance(**{**vars(instance), "regret": regret})


def random_sparse(states: int, actions: int, *, seed: int, regret: Fraction) -> Instance:
    """A random MDP with three successors per pair and discount 9/10."""
    random = Random(seed)
    pair_states = tuple(s for s in range(states) for _ in range(actions))
    successors = []
    for _ in pair_states:
        targets = sorted(random.sample(range(states), 3))
        successors.append(tuple(zip(targets, shares(random, 3), strict=True)))
    return Instance(
        successors=tuple(successors),
        rewards=tuple(Fraction(random.randint(-10, 10), 10) for _ in pair_states),
        pair_states=pair_states,
        initial=shares(random, states),
        discount=Fraction(9, 10),
        weights=shares(random, len(pair_states)),
        regret=regret,
    )


def to_problem(instance: Instance, epsilon: Fraction | None = None) -> SafetyProblem:
    """The instance as a problem of the package."""
    count = len(instance.initial)
    actions = tuple(
        tuple(f"a{i}" for i, _ in enumerate(s for s in instance.pair_states if s == state))
        for state in range(count)
    )
    mdp = MDP(
        states=tuple(f"s{i}" for i in range(count)),
        actions=actions,
        successors=instance.successors,
        rewards=instance.rewards,
        initial=instance.initial,
        discount=instance.discount,
    )
    return SafetyProblem(mdp, DataDistribution(mdp, instance.weights), instance.regret, epsilon)


def vertex_cover(edges: list[tuple[int, int]], count: int, share: Fraction) -> Instance:
    """The reduction from vertex cover; the radius is cover number * (1 - share) / (2 * count).

    States are the edges, then the vertices. In an edge state an action leads to an endpoint, for
    no reward; in a vertex state one action earns 1 and one earns 0, and both stay.
    """
    size = len(edges) + count
    successors, rewards, pair_states, weights = [], [], [], []
    for state, ends in enumerate(edges):
        for end in ends:
            successors.append(((len(edges) + end, Fraction(1)),))
            rewards.append(Fraction(0))
            pair_states.append(state)
            weights.append(share / (2 * len(edges)))
    for vertex in range(count):
        for reward in (1, 0):
            successors.append(((len(edges) + vertex, Fraction(1)),))
            rewards.append(Fraction(reward))
            pair_states.append(len(edges) + vertex)
            weights.append((1 - share) / (2 * count))
    return Instance(
        successors=tuple(successors),
        rewards=tuple(rewards),
        pair_states=tuple(pair_states),
        initial=tuple(Fraction(int(s < len(edges)), len(edges)) for s in range(size)),
        discount=Fraction(1, 2),
        weights=tuple(weights),
        regret=Fraction(1),
    )


def cover_number(edges: list[tuple[int, int]], count: int) -> int:
    """The size of a smallest vertex cover, by enumeration."""
    for size in range(count + 1):
        for chosen in itertools.combinations(range(count), size):
            if all(set(edge) & set(chosen) for edge in edges):
                return size
    raise ValueError("no cover")
