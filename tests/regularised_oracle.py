"""The regularised safety radius by brute force: one LP for each support and side of each kink.

Shares no code with the package, and uses the primal where the package uses the dual: over the
occupancy eta of the policy, V, and the errors e,

    min sum D e   with   e >= R - EV - lambda' h,   e >= EV + lambda' h - R on the support,
    eta >= 0, 0 off the support, E^T eta = mu0, <eta, R> <= b,

where h is the slope of omega, affine in eta once the side of each kink is fixed. In floating point.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from oracle import Instance, eliminate, policy_return
from scipy.optimize import linprog

Numbers = tuple[Fraction, ...]


@dataclass(frozen=True)
class Penalty:
    """lambda, and omega = sum c x + q (x - rho)^2 + m |x - rho|."""

    weight: Fraction
    c: Numbers
    q: Numbers
    m: Numbers
    rho: Numbers


def reference_occupancy(instance: Instance, reference: Numbers) -> Numbers:
    """The normalised occupancy measure of a policy, by solving for its visits."""
    states = range(len(instance.initial))
    rows = [[Fraction(int(s == t)) for s in states] for t in states]
    for pair, state in enumerate(instance.pair_states):
        for successor, probability in instance.successors[pair]:
            rows[successor][state] -= instance.discount * reference[pair] * probability
    visits = eliminate(rows, list(instance.initial))
    assert visits is not None
    return tuple(
        (1 - instance.discount) * visits[s] * x
        for s, x in zip(instance.pair_states, reference, strict=True)
    )


def patterns(count: int, penalty: Penalty) -> list[tuple[tuple[bool, ...], tuple[int, ...]]]:
    """Every support with every side of the kinks on it: -1 below, 0 at, 1 above the reference."""
    options = []
    for p in range(count):
        if not penalty.m[p]:
            options.append([(False, 0), (True, 0)])
        else:
            off = (False, 0 if penalty.rho[p] == 0 else -1)
            options.append([off, (True, -1), (True, 0), (True, 1)])
    return [
        (tuple(u for u, _ in choice), tuple(s for _, s in choice))
        for choice in itertools.product(*options)
    ]


def regularised_radius(instance: Instance, penalty: Penalty) -> float:
    """The least expected error of a reward model with a bad regularised-optimal policy."""
    returns = [policy_return(instance, policy) for policy in instance.policies()]
    bad = max(returns) - instance.regret * (max(returns) - min(returns))
    count, states = len(instance.rewards), len(instance.initial)
    shaping = np.array([[float(x) for x in instance.shaping_row(p)] for p in range(count)])
    rewards = np.array([float(r) for r in instance.rewards])
    c, q, m, rho = (
        np.array([float(x) for x in v]) for v in (penalty.c, penalty.q, penalty.m, penalty.rho)
    )
    share = float(1 - instance.discount)
    scale = float(penalty.weight) * share
    best = np.inf
    for used, sides in patterns(count, penalty):
        # Columns: eta, V, e, and the free part of the slope at kinks.
        columns = 3 * count + states
        above, bounds = [], []
        limits: list[tuple[float | None, float | None]] = []
        for p in range(count):
            edge = rho[p] / share
            low, high = 0.0, None
            if not used[p]:
                high = 0.0
            if m[p] and sides[p] <= 0:
                high = edge if high is None else min(high, edge)
            if m[p] and sides[p] >= 0:
                low = edge
            limits.append((low, high))
        if any(high is not None and low > high for low, high in limits):
            continue
        limits += [(None, None)] * states + [(0, None)] * count
        limits += [(-m[p], m[p]) if sides[p] == 0 else (m[p] * sides[p],) * 2 for p in range(count)]
        for p in range(count):
            # EV + lambda' (c + 2 q (share eta - rho) + kink)
            row = np.zeros(columns)
            row[p] = scale * 2 * q[p] * share
            row[count : count + states] = shaping[p]
            row[2 * count + states + p] = scale
            constant = scale * (c[p] - 2 * q[p] * rho[p])
            for sign in (1, -1) if used[p] else (1,):
                line = -sign * row
                line[count + states + p] = -1
                above.append(line)
                bounds.append(-sign * (rewards[p] - constant))
        worth = np.zeros(columns)
        worth[:count] = rewards
        flow = np.zeros((states, columns))
        flow[:, :count] = shaping.T
        cost = np.zeros(columns)
        cost[count + states : 2 * count + states] = [float(w) for w in instance.weights]
        found = linprog(
            cost,
            A_ub=np.vstack([*above, worth]),
            b_ub=[*bounds, float(bad)],
            A_eq=flow,
            b_eq=[float(x) for x in instance.initial],
            bounds=limits,
        )
        if found.status == 0:
            best = min(best, found.fun)
    return best / float(max(instance.rewards) - min(instance.rewards))
