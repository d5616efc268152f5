"""Metamorphic relations: how the safety radius has to change when the instance is changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from random import Random

from instances import random_instance, shares
from oracle import Instance

Numbers = tuple[Fraction, ...]
Radius = Callable[[Instance], Fraction]


def renamed(instance: Instance, random: Random) -> Instance:
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
    )


def rescaled(instance: Instance, random: Random) -> Instance:
    """Rewards times a positive number, plus a constant."""
    factor, constant = Fraction(random.randint(1, 9), 4), Fraction(random.randint(-9, 9), 3)
    return replace(instance, rewards=tuple(factor * r + constant for r in instance.rewards))


def shaped(instance: Instance, random: Random) -> Instance:
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


def split(instance: Instance, random: Random) -> Instance:
    """One action in two copies, which share its data."""
    pair = random.randrange(len(instance.rewards))
    share = Fraction(random.randint(0, 4), 4)

    def doubled(values: Sequence[object]) -> tuple[object, ...]:
        return (*values[: pair + 1], *values[pair:])

    weights = list(doubled(instance.weights))
    weights[pair : pair + 2] = [
        share * instance.weights[pair],
        (1 - share) * instance.weights[pair],
    ]
    return replace(
        instance,
        successors=doubled(instance.successors),
        rewards=doubled(instance.rewards),
        pair_states=doubled(instance.pair_states),
        weights=tuple(weights),
    )


def with_unreachable_state(instance: Instance, random: Random) -> Instance:
    """A state that nothing leads to, without data, whose rewards change no range."""
    new = len(instance.initial)
    return replace(
        instance,
        successors=(*instance.successors, ((random.randrange(new), Fraction(1)),)),
        rewards=(*instance.rewards, random.choice(instance.rewards)),
        pair_states=(*instance.pair_states, new),
        initial=(*instance.initial, Fraction(0)),
        weights=(*instance.weights, Fraction(0)),
    )


def spread(instance: Instance) -> Fraction:
    return max(instance.rewards) - min(instance.rewards)


def check_relations(seed: int, radius: Radius) -> list[str]:
    """Return the names of the relations that fail on the instance of a seed; best none.

    `radius` is asked about the instance and its relatives. The order of states and actions, the
    scale of R and unreachable states change nothing; shaping keeps radius * range R; a split action
    can only lower the radius; the radius grows with L and is concave in D.
    """
    instance, random = random_instance(seed), Random(seed)
    own, failed = radius(instance), []
    other = replace(
        instance, weights=shares(random, len(instance.weights), zeros=random.choice([0, 0.3]))
    )
    middle = replace(
        instance,
        weights=tuple((x + y) / 2 for x, y in zip(instance.weights, other.weights, strict=True)),
    )
    shaping = shaped(instance, random)
    holds = {
        "renaming": radius(renamed(instance, random)) == own,
        "scale": radius(rescaled(instance, random)) == own,
        "unreachable": radius(with_unreachable_state(instance, random)) == own,
        "shaping": spread(shaping) == 0
        or radius(shaping) * spread(shaping) == own * spread(instance),
        "split": radius(split(instance, random)) <= own,
        "regret": radius(replace(instance, regret=instance.regret / 2)) <= own,
        "concave": 2 * radius(middle) >= own + radius(other),
        "half": own <= Fraction(1, 2),
    }
    failed += [name for name, true in holds.items() if not true]
    return failed
