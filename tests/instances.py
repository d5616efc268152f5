"""Random and structured instances, small enough for the oracle; one seed, one instance."""

from __future__ import annotations

import itertools
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
