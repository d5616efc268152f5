"""Random problems with one or two parameters, small enough for the exact engine at many points."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from instances import shares

from symsafe import MDP, DataDistribution, InputError, SafetyProblem

KINDS = ("reward", "data", "transitions", "discount", "epsilon", "regret", "initial")


def random_family(seed: int) -> SafetyProblem:
    """A problem whose numbers depend on p, or on p and q, in one or two of the ways of `KINDS`."""
    random = Random(seed)
    while True:
        try:
            return _draw(random)
        except InputError:  # a constant reward, for example
            continue


def _draw(random: Random) -> SafetyProblem:
    names = random.choice([["p"], ["p", "q"]])
    kinds = set(random.sample(KINDS, random.choice([1, 1, 2])))
    states = random.randint(1, 3)
    actions = [random.randint(1, 3 if states < 3 else 2) for _ in range(states)]
    pairs = sum(actions)

    def weight() -> str:
        """A function that grows from 0 to 1 on the box."""
        name = random.choice(names)
        return random.choice([name, f"{name}^2", f"(1 - {name})", f"2*{name}/(1 + {name})"])

    def moved(numbers: tuple[Fraction, ...]) -> list[str]:
        """Shift probability between two entries of a distribution."""
        if len(numbers) == 1:
            return ["1"]
        first, second = random.sample(range(len(numbers)), 2)
        shift = f"({weight()})*{numbers[first]}"
        return [
            f"{x} - {shift}" if i == first else f"{x} + {shift}" if i == second else str(x)
            for i, x in enumerate(numbers)
        ]

    reward: list[list[object]] = []
    for count in actions:
        row: list[object] = []
        for _ in range(count):
            base = Fraction(random.randint(-3, 3), random.choice([1, 2]))
            vary = "reward" in kinds and random.random() < 0.6
            row.append(f"{base} + {random.choice([1, 2, -1])}*{weight()}" if vary else str(base))
        reward.append(row)
    transitions = []
    for count in actions:
        rows = []
        for _ in range(count):
            row_shares = shares(random, states, zeros=0.4)
            vary = "transitions" in kinds and random.random() < 0.6
            rows.append(moved(row_shares) if vary else [str(x) for x in row_shares])
        transitions.append(rows)
    start = shares(random, states, zeros=0.3)
    data = shares(random, pairs, zeros=random.choice([0, 0, 0.3]))
    flat = moved(data) if "data" in kinds else [str(x) for x in data]
    table, position = [], 0
    for count in actions:
        table.append(flat[position : position + count])
        position += count
    discount = random.choice(["0", "1/2", "9/10"])
    mdp = MDP.from_arrays(
        transitions,
        reward,
        moved(start) if "initial" in kinds else [str(x) for x in start],
        f"9/10*({weight()})" if "discount" in kinds else discount,
        parameters=dict.fromkeys(names, (0, 1)),
    )
    regret = random.choice(["1/2", "9/10", "1", "1/3"])
    epsilon = random.choice(["1/20", "1/10", "1/5", "1/3"])
    return SafetyProblem(
        mdp,
        DataDistribution.from_array(mdp, table),
        f"1/10 + 9/10*({weight()})" if "regret" in kinds else regret,
        f"1/50 + 1/4*({weight()})" if "epsilon" in kinds else epsilon,
    )
