"""Seeded instance families: the same name gives the same problem on every machine."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import combinations
from random import Random

from symsafe import MDP, DataDistribution, SafetyProblem, loads_problem, problems

__all__ = ["LEVELS", "bandit", "grid", "instance", "random_sparse", "vertex_cover"]

LEVELS = (Fraction(1, 10), Fraction(1, 2), Fraction(9, 10))
_MOVES = ((0, -1), (1, 0), (0, 1), (-1, 0))


def _shares(random: Random, count: int) -> list[Fraction]:
    parts = [random.randint(1, 9) for _ in range(count)]
    return [Fraction(part, sum(parts)) for part in parts]


def random_sparse(states: int, actions: int, seed: int, regret: Fraction) -> SafetyProblem:
    """A random MDP: three successors per pair, discount 9/10, full-support data."""
    random = Random(seed)
    pairs = range(states * actions)
    mdp = MDP(
        states=tuple(f"s{s}" for s in range(states)),
        actions=(tuple(f"a{a}" for a in range(actions)),) * states,
        successors=tuple(
            tuple(zip(sorted(random.sample(range(states), 3)), _shares(random, 3), strict=True))
            for _ in pairs
        ),
        rewards=tuple(Fraction(random.randint(-10, 10), 10) for _ in pairs),
        initial=tuple(_shares(random, states)),
        discount=Fraction(9, 10),
    )
    return SafetyProblem(mdp, DataDistribution(mdp, tuple(_shares(random, len(pairs)))), regret)


def zeros(states: int, actions: int, seed: int, regret: Fraction) -> SafetyProblem:
    """The same with data on about three quarters of the pairs only."""
    problem = random_sparse(states, actions, seed, regret)
    random = Random(-1 - seed)
    kept = [w if random.random() < 0.75 else Fraction(0) for w in problem.data.weights]
    total = sum(map(Fraction, kept))
    data = DataDistribution(problem.mdp, tuple(w / total for w in kept))
    return SafetyProblem(problem.mdp, data, regret)


def grid(side: int, seed: int, regret: Fraction) -> SafetyProblem:
    """A slippery grid: goal in the last corner, random rewards of visits, uniform start.

    A move goes where it is meant to with probability 4/5 and to either side with 1/10; at a wall
    one stays. The data distribution has full support, with weights from 1 to 9.
    """
    random = Random(seed)
    cells = [(x, y) for y in range(side) for x in range(side)]
    index = {cell: i for i, cell in enumerate(cells)}
    gains = {cell: Fraction(random.randint(-5, 0), 10) for cell in cells}
    gains[cells[-1]] = Fraction(1)
    rows, rewards = [], []
    for x, y in cells:
        for k in range(4):
            row: dict[int, Fraction] = {}
            for turn, chance in ((0, Fraction(4, 5)), (1, Fraction(1, 10)), (3, Fraction(1, 10))):
                dx, dy = _MOVES[(k + turn) % 4]
                target = index.get((x + dx, y + dy), index[x, y])
                row[target] = row.get(target, Fraction(0)) + chance
            rows.append(tuple(sorted(row.items())))
            rewards.append(sum((p * gains[cells[t]] for t, p in row.items()), Fraction(0)))
    mdp = MDP(
        states=tuple(f"{x}.{y}" for x, y in cells),
        actions=(("left", "down", "right", "up"),) * len(cells),
        successors=tuple(rows),
        rewards=tuple(rewards),
        initial=(Fraction(1, len(cells)),) * len(cells),
        discount=Fraction(9, 10),
    )
    return SafetyProblem(mdp, DataDistribution(mdp, tuple(_shares(random, len(rows)))), regret)


def frozenlake(side: int, regret: Fraction) -> SafetyProblem:
    """Gymnasium's FrozenLake with uniform data; 4x4 is shipped, 8x8 needs gymnasium."""
    if side == 4:
        problem = loads_problem(problems.text("frozenlake-uniform"))
        return SafetyProblem(problem.mdp, problem.data, regret)
    import gymnasium

    from symsafe.importers.gymnasium import from_gymnasium

    environment = gymnasium.make("FrozenLake-v1", map_name="8x8", is_slippery=True)
    mdp = from_gymnasium(environment, discount="9/10")
    return SafetyProblem(mdp, DataDistribution.uniform(mdp), regret)


def vertex_cover(vertices: int, seed: int) -> tuple[SafetyProblem, Fraction]:
    """The reduction from vertex cover on a random graph, and the radius that it must have."""
    random = Random(seed)
    edges = [e for e in combinations(range(vertices), 2) if random.random() < 0.4] or [(0, 1)]
    share, size = Fraction(1, 2), len(edges) + vertices
    rows = [(((len(edges) + end), Fraction(1)),) for edge in edges for end in edge]
    rows += [((len(edges) + v, Fraction(1)),) for v in range(vertices) for _ in range(2)]
    weights = [share / (2 * len(edges))] * (2 * len(edges))
    weights += [(1 - share) / (2 * vertices)] * (2 * vertices)
    mdp = MDP(
        states=tuple(f"s{s}" for s in range(size)),
        actions=(("a", "b"),) * size,
        successors=tuple(rows),
        rewards=(Fraction(0),) * (2 * len(edges)) + (Fraction(1), Fraction(0)) * vertices,
        initial=(Fraction(1, len(edges)),) * len(edges) + (Fraction(0),) * vertices,
        discount=Fraction(1, 2),
    )
    cover = next(
        k
        for k in range(vertices + 1)
        if any(
            all(set(edge) & set(chosen) for edge in edges)
            for chosen in combinations(range(vertices), k)
        )
    )
    radius = cover * (1 - share) / (2 * vertices)
    return SafetyProblem(mdp, DataDistribution(mdp, tuple(weights)), Fraction(1)), radius


def bandit(states: int, actions: int, seed: int, regret: Fraction) -> SafetyProblem:
    """A contextual bandit whose contexts are met with Zipf-like frequencies, as are the data."""
    random = Random(seed)
    frequencies = [Fraction(1, s + 1) for s in range(states)]
    total = sum(frequencies)
    initial = tuple(f / total for f in frequencies)
    rewards = tuple(Fraction(random.randint(0, 100), 100) for _ in range(states * actions))
    weights = []
    for s in range(states):
        ranks = random.sample(range(1, actions + 1), actions)
        shares = [Fraction(1, rank) for rank in ranks]
        weights += [initial[s] * share / sum(shares) for share in shares]
    mdp = MDP(
        states=tuple(f"s{s}" for s in range(states)),
        actions=(tuple(f"a{a}" for a in range(actions)),) * states,
        successors=(tuple(enumerate(initial)),) * len(rewards),
        rewards=rewards,
        initial=initial,
        discount=Fraction(0),
    )
    return SafetyProblem(mdp, DataDistribution(mdp, tuple(weights)), regret)


def instance(cell: str, regret: Fraction, seed: int) -> SafetyProblem:
    """Build the instance of a cell such as ``13x4``, ``zeros-10x4``, ``grid-5x5``, ``lake-4x4``.

    Raises
    ------
    KeyError
        If there is no such family.
    """
    kind, _, shape = cell.rpartition("-")
    first, second = map(int, shape.split("x"))
    families: dict[str, Callable[[], SafetyProblem]] = {
        "": lambda: random_sparse(first, second, seed, regret),
        "zeros": lambda: zeros(first, second, seed, regret),
        "grid": lambda: grid(first, seed, regret),
        "lake": lambda: frozenlake(first, regret),
        "cover": lambda: vertex_cover(first, seed)[0],
        "bandit": lambda: bandit(first, second, seed, regret),
    }
    return families[kind]()
