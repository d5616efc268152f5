"""The compiled float search over partial policies; it proposes a tree, `forest` makes it exact.

Loading this module loads numba, so it is imported only where a search is long enough to gain from
it. Everything here is floating point and decides nothing.

Units: rewards in [0, 1], data weights times the number of pairs, so that costs, flows and
multipliers are those of CERTIFICATE.md times the number of pairs. `E` is stored by rows; row p is
the column of the linear programme that belongs to pair p.

The linear programme of a node, for a multiplier kappa, is that of a circulation leaf: maximise
<y, R> - kappa b over the flows y of rules 1 to 3. All its variables are boxed, so any basis can be
made dual feasible by moving variables to their other bound, and a bounded dual simplex with bound
flips continues from the basis of another node. Its optimum is concave in kappa; the dual gives
the slope.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BRANCHED",
    "CIRCULATION",
    "CLIMBED",
    "FULL",
    "OPEN",
    "PAUSED",
    "PRICES",
    "READY",
    "SINGLE",
    "VALUE",
    "Linear",
    "Model",
    "Pool",
    "Steps",
    "charge",
    "climb",
    "couple",
    "flow",
    "hitting",
    "lend",
    "linear",
    "merge",
    "no_steps",
    "priced",
    "returned",
    "search",
    "visited",
    "worst",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Places = NDArray[np.uint64]  # no sign, so that indexing need not ask for it
F = TypeVar("F", bound=Callable[..., object])

OPEN, BRANCHED, VALUE, CIRCULATION, SINGLE = range(5)
"""What a node of the pool is: waiting, split, a leaf of one of two kinds, or a policy below the
threshold that waits for its exact evaluation."""

READY, PAUSED, FULL, CLIMBED = range(4)
"""Why `search` returned: nothing is open, its budget is spent, the pool is too small, or a policy
was found that looks cheaper than the threshold."""

PRICES = (0.001, 0.0025, 0.0063, 0.016, 0.04, 0.1, 0.25, 0.63, 1.6, 4.0, 10.0, 25.0, 63.0, 160.0)
"""Prices of return that are tried for occupancy bounds of bad policies."""

_TINY = 1e-9
_MARGIN = 1e-5
_RETURN = 2e-6
# From arrays, as numba compiles a function anew for each literal that it is called with.
_SWEEPS, _FEW_SWEEPS, _FEWEST_SWEEPS = np.array([24, 4, 3])
_TRIES, _OUTER_TRIES, _FEW_TRIES, _FEWEST_TRIES = np.array([8, 6, 4, 3])
_NOWHERE: Any = np.int64(-1)
_PATIENCE = 24
_STEEP = 6.0


def _compiled(function: F) -> F:
    # Only what Python calls gets the wrapper for it; that halves the time to compile.
    inner = function.__name__.startswith("_")
    jit: Any = numba.njit
    options = {"nogil": True, "error_model": "numpy", "no_cpython_wrapper": inner}
    try:
        return cast(F, jit(cache=True, **options)(function))
    except RuntimeError:  # nowhere to write to
        return cast(F, jit(**options)(function))


class Model(NamedTuple):
    """A question in floats: S states, n pairs."""

    starts: Ints  # (S + 1): the first pair of each state
    owner: Ints  # (n): the state of each pair
    first: Places  # (n + 1): where row p of E begins in `column` and `entry`
    column: Places
    entry: Floats
    reward: Floats  # (n)
    weight: Floats  # (n)
    initial: Floats  # (S)
    worst: Ints  # (S): the pairs of a policy of least return
    reach: Floats  # (S, S): hitting bounds [target, state] for all policies
    bad: float
    coarse: float  # what rounding a hitting bound may add
    price: Floats  # (n) of a large bandit: what a pair costs; a policy costs the sum. Else empty
    halt: Flags  # (1): whether to return as soon as possible, with what there is


class Linear(NamedTuple):
    """The state of one linear programme."""

    basis: Ints  # (S)
    place: Ints  # (n): position in the basis, or -1
    top: Flags  # (n): whether a non-basic variable is at its upper bound
    inverse: Floats  # (S, S): [state, position in the basis]
    value: Floats  # (S): of the basic variables
    gain: Floats  # (n): reduced costs
    price: Floats  # (S)
    low: Floats  # (n)
    high: Floats  # (n)
    right: Floats  # (S)
    rest: Floats  # (S): the right side less what the non-basic variables take
    row: Floats  # (n): of the tableau, where a variable leaves


class Pool(NamedTuple):
    """The nodes found so far; node 0 is the root, children come after their parent."""

    parent: Ints
    state: Ints  # at which it is split
    kind: Ints
    source: Ints  # the node whose allowed pairs gave the hitting bounds in use
    kappa: Floats
    bound: Floats
    allowed: Flags  # (capacity, n)
    basis: Ints  # (capacity, S)
    top: Flags  # (capacity, n)
    choice: Ints  # (capacity, S): a policy of least return
    heap: Ints
    counts: Ints  # (4): nodes, size of the heap, expanded, seed


class Steps(NamedTuple):
    """Eliminations at one node, in the order in which they were found."""

    state: Ints
    kind: Ints
    phase: Ints
    kept: Flags
    gone: Flags  # (steps, n): the pairs eliminated
    kappa: Floats  # (n)
    bound: Floats  # (n)
    last: Floats  # (1): the multiplier at the end


def no_steps(pairs: int) -> Steps:
    """Return room for eliminations; each takes a pair at least."""
    return Steps(
        np.zeros(pairs, np.int64),
        np.zeros(pairs, np.int64),
        np.zeros(pairs, np.int64),
        np.zeros(pairs, np.bool_),
        np.zeros((pairs, pairs), np.bool_),
        np.zeros(pairs),
        np.zeros(pairs),
        np.zeros(1),
    )


def linear(states: int, pairs: int) -> Linear:
    """Return room for a linear programme."""
    return Linear(
        np.zeros(states, np.int64),
        np.zeros(pairs, np.int64),
        np.zeros(pairs, np.bool_),
        np.zeros((states, states)),
        np.zeros(states),
        np.zeros(pairs),
        np.zeros(states),
        np.zeros(pairs),
        np.zeros(pairs),
        np.zeros(states),
        np.zeros(states),
        np.zeros(pairs),
    )


# Slices, `any` and `sum` of arrays take numba seconds to compile; loops take none.


@_compiled
def _copy(source: NDArray[Any], to: NDArray[Any]) -> None:
    for i in range(len(source)):
        to[i] = source[i]


@_compiled
def _fill(flags: Flags, start: int, stop: int) -> None:
    for i in range(start, stop):
        flags[i] = False


@_compiled
def _some(flags: Flags, start: int, stop: int) -> bool:
    for i in range(start, stop):  # noqa: SIM110
        if flags[i]:
            return True
    return False


# -- linear algebra -----------------------------------------------------------------------------


@_compiled
def _invert(matrix: Floats, inverse: Floats) -> bool:
    """Invert in place by Gauss and Jordan with row exchanges; false if it looks singular."""
    size = len(matrix)
    for i in range(size):
        for j in range(size):
            inverse[i, j] = 1.0 if i == j else 0.0
    for k in range(size):
        best, pivot = 0.0, k
        for i in range(k, size):
            if abs(matrix[i, k]) > best:
                best, pivot = abs(matrix[i, k]), i
        if best < 1e-11:
            return False
        if pivot != k:
            for j in range(size):
                matrix[k, j], matrix[pivot, j] = matrix[pivot, j], matrix[k, j]
                inverse[k, j], inverse[pivot, j] = inverse[pivot, j], inverse[k, j]
        scale = 1.0 / matrix[k, k]
        for j in range(size):
            matrix[k, j] *= scale
            inverse[k, j] *= scale
        for i in range(size):
            factor = matrix[i, k]
            if i != k and factor != 0.0:
                # To the left of its diagonal row k of the matrix is 0 already.
                for j in range(k, size):
                    matrix[i, j] -= factor * matrix[k, j]
                for j in range(size):
                    inverse[i, j] -= factor * inverse[k, j]
    return True


@_compiled
def _apply(m: Model, pair: int, potential: Floats) -> float:
    """Return (E potential)(pair)."""
    total = 0.0
    for k in range(m.first[pair], m.first[pair + 1]):
        total += m.entry[k] * potential[m.column[k]]
    return total


# -- policies -----------------------------------------------------------------------------------


@_compiled
def returned(m: Model, choice: Ints, visits: Floats, value: Floats) -> float:
    """Fill in the inverse of I - gamma P and the values of a policy; return its return."""
    states = len(choice)
    matrix = np.zeros((states, states))
    for s in range(states):
        for k in range(m.first[choice[s]], m.first[choice[s] + 1]):
            matrix[s, m.column[k]] = m.entry[k]
    _invert(matrix, visits)
    total = 0.0
    for s in range(states):
        value[s] = 0.0
        for t in range(states):
            value[s] += visits[s, t] * m.reward[choice[t]]
        total += m.initial[s] * value[s]
    return total


@_compiled
def worst(m: Model, allowed: Flags, choice: Ints, visits: Floats, value: Floats) -> float:
    """Improve `choice` to a policy of least return among those allowed; return that return."""
    states = len(choice)
    for s in range(states):
        if not allowed[choice[s]]:
            for p in range(m.starts[s], m.starts[s + 1]):
                if allowed[p]:
                    choice[s] = p
    while True:
        total = returned(m, choice, visits, value)
        changed = False
        for s in range(states):
            least = -_TINY
            for p in range(m.starts[s], m.starts[s + 1]):
                if allowed[p]:
                    outlook = m.reward[p] - _apply(m, p, value)
                    if outlook < least:
                        least, choice[s], changed = outlook, p, True
        if not changed:
            return total


@_compiled
def _changed_return(m: Model, pair: int, total: float, visits: Floats, value: Floats) -> float:
    """Return the return of the policy evaluated last, with `pair` taken in its state instead."""
    s = m.owner[pair]
    below, reached = 0.0, 0.0
    for k in range(m.first[pair], m.first[pair + 1]):
        below += m.entry[k] * visits[m.column[k], s]
    for t in range(len(value)):
        reached += m.initial[t] * visits[t, s]
    return float(total + reached * (m.reward[pair] - _apply(m, pair, value)) / below)


@_compiled
def hitting(m: Model, allowed: Flags, reach: Floats, sweeps: int) -> None:
    """Lower the hitting bounds `reach` [target, state] to those of the allowed pairs.

    Monotone sweeps from above: stopping at any time leaves upper bounds.
    """
    states = len(m.initial)
    for target in range(states):
        height = reach[target]
        for _ in range(sweeps):
            moved = 0.0
            for t in range(states):
                if t == target:
                    continue
                best = 0.0
                for p in range(m.starts[t], m.starts[t + 1]):
                    if allowed[p]:
                        # Row p of E has 1 - gamma tau(t|t,a) at t.
                        ahead = height[t] - _apply(m, p, height)
                        best = max(best, ahead)
                if best < height[t]:
                    moved = max(moved, height[t] - best)
                    height[t] = best
            if moved < 1e-9:
                break


@_compiled
def visited(m: Model, allowed: Flags, reach: Floats, visits: Floats) -> None:
    """Fill in the occupancy bounds that the hitting bounds, rounded up, give."""
    height = np.empty(len(m.initial))
    for s in range(len(m.initial)):
        start = 0.0
        for t in range(len(height)):
            height[t] = 1.0 if t == s else min(1.0, reach[s, t] + m.coarse)
            start += m.initial[t] * height[t]
        for p in range(m.starts[s], m.starts[s + 1]):
            visits[p] = start / _apply(m, p, height) if allowed[p] else 0.0


@_compiled
def priced(
    m: Model,
    allowed: Flags,
    reach: Floats,
    value: Floats,
    kappa: float,
    sweeps: int,
    visits: Floats,
    price: Ints,
) -> None:
    """Lower the occupancy bounds `visits` to those of bad policies.

    A price on what an action gains over a worst policy, whose values are `value`, lowers the
    hitting bounds; the price of what a bad policy can gain is added. `price` receives which of
    `PRICES` gave the bound of a pair. States where no bound can matter at `kappa` are left out.
    """
    states, pairs = len(value), len(visits)
    gain, height = np.zeros(pairs), np.zeros(states)
    spare = m.bad
    for t in range(states):
        spare -= m.initial[t] * value[t]
    for p in range(pairs):
        if allowed[p]:
            gain[p] = max(0.0, m.reward[p] - _apply(m, p, value))
    for s in range(states):
        idle, start = True, 0.0
        for p in range(m.starts[s], m.starts[s + 1]):
            idle = idle and (not allowed[p] or 2.0 * kappa * visits[p] <= m.weight[p])
        if idle:
            continue
        for t in range(states):
            height[t] = reach[s, t]
            start += m.initial[t] * reach[s, t]
        last = 0
        while last < len(PRICES) - 1 and PRICES[last + 1] * max(spare, 1e-2) <= start:
            last += 1
        for k in range(max(0, last - 2), min(len(PRICES), last + 2)):
            charge(m, allowed, gain, s, PRICES[k], sweeps, height)
            start = PRICES[k] * max(spare, 0.0)
            for t in range(states):
                start += m.initial[t] * height[t]
            # What rounding may add.
            start = max(0.0, start) + m.coarse
            for p in range(m.starts[s], m.starts[s + 1]):
                if allowed[p]:
                    bound = start / (_apply(m, p, height) - m.coarse + PRICES[k] * gain[p])
                    if bound < visits[p]:
                        visits[p], price[p] = bound, k


@_compiled
def charge(
    m: Model,
    allowed: Flags,
    gain: Floats,
    target: int,
    price: float,
    sweeps: int,
    height: Floats,
) -> None:
    """Lower the hitting bounds `height` of a state to those less the price of what is gained.

    As with `hitting`, stopping at any time leaves bounds.
    """
    for _ in range(sweeps):
        for t in range(len(height)):
            if t == target:
                continue
            best = -np.inf
            for p in range(m.starts[t], m.starts[t + 1]):
                if allowed[p]:
                    best = max(best, height[t] - _apply(m, p, height) - price * gain[p])
            height[t] = min(height[t], best)


# -- the linear programme -----------------------------------------------------------------------


@_compiled
def _factor(m: Model, lp: Linear) -> bool:
    """Invert the basis and price it."""
    states, pairs = len(lp.basis), len(lp.place)
    matrix = np.zeros((states, states))
    for p in range(pairs):
        lp.place[p] = -1
    for k in range(states):
        p = lp.basis[k]
        lp.place[p] = k
        for e in range(m.first[p], m.first[p + 1]):
            matrix[k, m.column[e]] = m.entry[e]
    if not _invert(matrix, lp.inverse):
        return False
    for t in range(states):
        lp.price[t] = 0.0
        for k in range(states):
            lp.price[t] += m.reward[lp.basis[k]] * lp.inverse[t, k]
    for p in range(pairs):
        lp.gain[p] = 0.0 if lp.place[p] >= 0 else m.reward[p] - _apply(m, p, lp.price)
    return True


@_compiled
def _start(m: Model, lp: Linear, choice: Ints) -> None:
    """Take the pairs of a policy as the basis, which is never singular."""
    _copy(choice, lp.basis)
    _factor(m, lp)


@_compiled
def _resume(m: Model, lp: Linear, basis: Ints) -> None:
    """Take a basis, whatever was solved before: the same basis gives the same solution."""
    _copy(basis, lp.basis)
    _fill(lp.top, 0, len(lp.top))
    if not _factor(m, lp):
        _start(m, lp, m.worst)


@_compiled
def _settle(lp: Linear) -> None:
    """Move non-basic variables to the bound at which the basis is dual feasible."""
    for p in range(len(lp.place)):
        if lp.place[p] < 0:
            if lp.gain[p] > 1e-12:
                lp.top[p] = True
            elif lp.gain[p] < -1e-12:
                lp.top[p] = False


@_compiled
def _take(m: Model, lp: Linear, pair: int, amount: float) -> None:
    """Take an amount of a variable out of what is left for the basic ones."""
    for e in range(m.first[pair], m.first[pair + 1]):
        lp.rest[m.column[e]] -= m.entry[e] * amount


@_compiled
def _leave(m: Model, lp: Linear) -> None:
    """Fill in what the non-basic variables leave for the basic ones."""
    _copy(lp.right, lp.rest)
    for p in range(len(lp.place)):
        if lp.place[p] < 0:
            at = lp.high[p] if lp.top[p] else lp.low[p]
            if at != 0.0:
                _take(m, lp, p, at)


@_compiled
def _dual(m: Model, lp: Linear) -> int:
    """Run the dual simplex; return 0 at an optimum, 1 if infeasible, 2 if it gave up.

    Inner loops run along rows of arrays, without sums over them, so that they are vectorised in an
    order that does not depend on the machine.
    """
    states, pairs = len(lp.basis), len(lp.place)
    column, norm = np.zeros(states), np.zeros(states)
    ratio, able = np.zeros(pairs), np.zeros(pairs + 1, np.int64)
    wide = np.zeros(pairs, np.bool_)
    for p in range(pairs):
        wide[p] = lp.high[p] > lp.low[p]
    _settle(lp)
    _leave(m, lp)
    pivots = 0
    for _ in range(200 + 20 * states):
        if m.halt[0]:
            return 2
        for k in range(states):
            lp.value[k] = norm[k] = 0.0
        for t in range(0, states - 1, 2):  # two at once, as adding waits for the last sum
            left, next_left = lp.rest[t], lp.rest[t + 1]
            for k in range(states):
                x, y = lp.inverse[t, k], lp.inverse[t + 1, k]
                lp.value[k] += x * left + y * next_left
                norm[k] += x * x + y * y
        if states % 2:
            for k in range(states):
                x = lp.inverse[states - 1, k]
                lp.value[k] += x * lp.rest[states - 1]
                norm[k] += x * x
        leaving, most, excess = -1, 0.0, 0.0
        for k in range(states):
            p = lp.basis[k]
            off = lp.value[k] - lp.high[p]
            if off < 0.0:
                off = min(0.0, lp.value[k] - lp.low[p])
            if abs(off) > _TINY and off * off > most * norm[k]:
                leaving, most, excess = k, off * off / norm[k], off
        if leaving < 0:
            return 0
        for t in range(states):
            column[t] = lp.inverse[t, leaving]
        sign = 1.0 if excess > 0.0 else -1.0
        for p in range(pairs):
            alpha = 0.0
            for e in range(m.first[p], m.first[p + 1]):
                alpha += column[m.column[e]] * m.entry[e]
            lp.row[p] = alpha
        for k in range(states):
            lp.row[lp.basis[k]] = 0.0
        count = 0
        for p in range(pairs):
            # Above its bound the basic variable falls when a variable with alpha > 0 rises.
            helps = -sign * lp.row[p] if lp.top[p] else sign * lp.row[p]
            able[count] = p
            count += 1 if wide[p] & (helps > _TINY) else 0
        for i in range(count):
            ratio[able[i]] = abs(lp.gain[able[i]] / lp.row[able[i]])
        slope, entering = abs(excess), -1
        while entering < 0:
            if count == 0:
                return 1
            if m.halt[0]:
                return 2
            at, best = 0, able[0]
            for i in range(1, count):
                p = able[i]
                if ratio[p] < ratio[best] - 1e-12 or (
                    ratio[p] < ratio[best] + 1e-12 and abs(lp.row[p]) > abs(lp.row[best])
                ):
                    at, best = i, p
            width = lp.high[best] - lp.low[best]
            slope -= abs(lp.row[best]) * width
            if slope <= 0.0:
                entering = best
            else:
                _take(m, lp, best, -width if lp.top[best] else width)
                lp.top[best] = not lp.top[best]
                count -= 1
                able[at] = able[count]
        out = lp.basis[leaving]
        for k in range(states):
            column[k] = 0.0
        for e in range(m.first[entering], m.first[entering + 1]):
            t, x = m.column[e], m.entry[e]
            for k in range(states):
                column[k] += lp.inverse[t, k] * x
        pivots += 1
        lp.top[out] = excess > 0.0
        lp.basis[leaving] = entering
        if pivots % 50 == 0 or abs(column[leaving]) < 1e-7:
            if not _factor(m, lp):
                return 2
            _settle(lp)
            _leave(m, lp)
            continue
        _take(m, lp, entering, -lp.high[entering] if lp.top[entering] else -lp.low[entering])
        _take(m, lp, out, lp.high[out] if lp.top[out] else lp.low[out])
        step = lp.gain[entering] / lp.row[entering]
        for p in range(pairs):
            lp.gain[p] -= step * lp.row[p]
        lp.gain[out], lp.gain[entering] = -step, 0.0
        lp.place[out], lp.place[entering] = -1, leaving
        scale = 1.0 / column[leaving]
        column[leaving] = 0.0
        for t in range(states):
            x = lp.inverse[t, leaving] * scale
            for k in range(states):
                lp.inverse[t, k] -= column[k] * x
            lp.inverse[t, leaving] = x
    return 2


@_compiled
def _worth(m: Model, lp: Linear) -> float:
    total = 0.0
    for p in range(len(lp.place)):
        if lp.place[p] < 0:
            total += m.reward[p] * (lp.high[p] if lp.top[p] else lp.low[p])
        else:
            total += m.reward[p] * lp.value[lp.place[p]]
    return total


@_compiled
def _box(m: Model, lp: Linear, allowed: Flags, forced: Flags, visits: Floats, kappa: float) -> bool:
    """Set the bounds of the variables; false if they contradict each other."""
    for p in range(len(lp.place)):
        low = kappa * visits[p] - m.weight[p] if allowed[p] else 0.0
        if not forced[p]:
            low = max(low, 0.0)
        if low > m.weight[p]:
            return False
        lp.low[p], lp.high[p] = low, m.weight[p]
    for t in range(len(lp.right)):
        lp.right[t] = kappa * m.initial[t]
    return True


@_compiled
def _slope(m: Model, lp: Linear, forced: Flags, visits: Floats) -> float:
    """Return how the optimum changes with kappa."""
    total = -m.bad
    for t in range(len(lp.price)):
        total += m.initial[t] * lp.price[t]
    for p in range(len(lp.place)):
        if lp.place[p] < 0 and not lp.top[p] and (forced[p] or lp.low[p] > 0.0):
            total += lp.gain[p] * visits[p]
    return total


@_compiled
def _couple(
    m: Model,
    lp: Linear,
    allowed: Flags,
    forced: Flags,
    visits: Floats,
    guess: float,
    enough: float,
    tries: int,
) -> tuple[float, float]:
    """Maximise the bound over kappa, by tangents; stop once it is `enough`.

    Returns the best bound with its kappa. The basis left behind is that of the last kappa tried.
    """
    most = np.inf
    for p in range(len(lp.place)):
        if allowed[p] and visits[p] > 0.0:
            most = min(most, 2.0 * m.weight[p] / visits[p])
    left, left_bound, left_slope = -1.0, 0.0, 0.0
    right, right_bound, right_slope = most, -np.inf, 0.0
    best, best_kappa = -np.inf, 0.0
    kappa = min(guess, most)
    for attempt in range(tries):
        bound = -np.inf
        slope = -1.0
        if _box(m, lp, allowed, forced, visits, kappa) and _dual(m, lp) == 0:
            bound = _worth(m, lp) - kappa * m.bad
            slope = _slope(m, lp, forced, visits)
        if bound > best:
            best, best_kappa = bound, kappa
        if best >= enough:
            break
        if slope > 0.0:
            left, left_bound, left_slope = kappa, bound, slope
            if kappa >= most:
                break
        else:
            right, right_bound, right_slope = kappa, bound, slope
            if kappa <= 0.0:
                break
        if left < 0.0:
            # Nothing is known to the left yet: 0 is always feasible.
            kappa = 0.0 if attempt > 0 or bound == -np.inf else kappa * 0.5
            if right_bound > -np.inf and attempt == 0:
                kappa = right * 0.5
        elif right_bound == -np.inf:
            kappa = most if right == most and attempt == 0 else 0.5 * (left + right)
            if right == most:
                kappa = min(most, max(2.0 * left, 0.25 * most))
                if kappa <= left * 1.001:
                    break
        else:
            # Where the two tangents meet.
            steep = left_slope - right_slope
            if steep <= 0.0:
                break
            meet = (right_bound - left_bound + left_slope * left - right_slope * right) / steep
            peak = left_bound + left_slope * (meet - left)
            if peak < best + 2e-3 * enough or peak < enough * 0.3 or not left < meet < right:
                break
            kappa = min(max(meet, left + 0.02 * (right - left)), right - 0.02 * (right - left))
    return best, best_kappa


@_compiled
def _save(lp: Linear, to: Linear) -> None:
    _copy(lp.basis, to.basis)
    _copy(lp.place, to.place)
    _copy(lp.top, to.top)
    for k in range(len(lp.basis)):
        _copy(lp.inverse[k], to.inverse[k])
    _copy(lp.gain, to.gain)
    _copy(lp.price, to.price)


@_compiled
def flow(
    m: Model,
    lp: Linear,
    basis: Ints,
    allowed: Flags,
    visits: Floats,
    kappa: float,
    tight: Floats,
) -> float:
    """Solve the programme of one leaf, with bounds drawn in by `tight`; return its bound."""
    forced = _forced(m, allowed)
    if not _box(m, lp, allowed, forced, visits, kappa):
        return -np.inf
    for p in range(len(lp.place)):
        if lp.high[p] - lp.low[p] > 2.0 * tight[p]:
            lp.low[p] += tight[p]
            lp.high[p] -= tight[p]
    _resume(m, lp, basis)
    return _worth(m, lp) - kappa * m.bad if _dual(m, lp) == 0 else -np.inf


@_compiled
def couple(
    m: Model, lp: Linear, basis: Ints, allowed: Flags, visits: Floats, guess: float, enough: float
) -> float:
    """Return the multiplier that makes the bound of a leaf `enough`, or -1 if none was found."""
    _resume(m, lp, basis)
    bound, kappa = _couple(m, lp, allowed, _forced(m, allowed), visits, guess, enough, _OUTER_TRIES)
    return kappa if bound >= enough else -1.0


@_compiled
def _forced(m: Model, allowed: Flags) -> Flags:
    forced = np.zeros(len(allowed), np.bool_)
    for s in range(len(m.initial)):
        count, last = 0, 0
        for p in range(m.starts[s], m.starts[s + 1]):
            if allowed[p]:
                count += 1
                last = p
        if count == 1:
            forced[last] = True
    return forced


# -- the heap -----------------------------------------------------------------------------------


@_compiled
def _push(pool: Pool, node: int) -> None:
    heap, k = pool.heap, pool.counts[1]
    pool.counts[1] += 1
    while k > 0:
        up = (k - 1) // 2
        if pool.bound[heap[up]] <= pool.bound[node]:
            break
        heap[k] = heap[up]
        k = up
    heap[k] = node


@_compiled
def _pop(pool: Pool) -> int:
    heap = pool.heap
    result = heap[0]
    pool.counts[1] -= 1
    size = pool.counts[1]
    node = heap[size]
    k = 0
    while True:
        down = 2 * k + 1
        if down >= size:
            break
        if down + 1 < size and pool.bound[heap[down + 1]] < pool.bound[heap[down]]:
            down += 1
        if pool.bound[heap[down]] >= pool.bound[node]:
            break
        heap[k] = heap[down]
        k = down
    heap[k] = node
    return int(result)


# -- the tree -----------------------------------------------------------------------------------


@_compiled
def _child(pool: Pool, parent: int, starts: Ints, state: int, allowed: Flags) -> int:
    """Add a node that allows in `state` what `allowed` says, and elsewhere what its parent does."""
    node = pool.counts[0]
    pool.counts[0] += 1
    pool.parent[node] = parent
    pool.state[node] = -1
    pool.kind[node] = OPEN
    pool.source[node] = pool.source[parent]
    pool.kappa[node] = pool.kappa[parent]
    pool.bound[node] = pool.bound[parent]
    _copy(pool.allowed[parent], pool.allowed[node])
    for p in range(starts[state], starts[state + 1]):
        pool.allowed[node, p] = allowed[p]
    _copy(pool.basis[parent], pool.basis[node])
    _copy(pool.top[parent], pool.top[node])
    _copy(pool.choice[parent], pool.choice[node])
    pool.kind[parent] = BRANCHED
    pool.state[parent] = state
    return int(node)


@_compiled
def _only(pairs: int, pair: int) -> Flags:
    flags = np.zeros(pairs, np.bool_)
    flags[pair] = True
    return flags


@_compiled
def _closes(bound: float, kappa: float, enough: float, tight: float) -> bool:
    """Whether a bound suffices: with a margin for rounding, or at kappa = 0, where it is exact."""
    return bound >= enough * (1.0 + _MARGIN) or (kappa == 0.0 and bound >= tight)


@_compiled
def _inside(m: Model, allowed: Flags, pairs: Flags, state: int, result: Flags) -> None:
    """Fill in what is allowed once `state` is left with `pairs`."""
    _copy(allowed, result)
    for p in range(m.starts[state], m.starts[state + 1]):
        result[p] = pairs[p]


@_compiled
def _hopes(
    m: Model,
    lp: Linear,
    allowed: Flags,
    forced: Flags,
    visits: Floats,
    kappa: float,
    hopes: Floats,
) -> None:
    """Fill in by how much the bound could rise at most if a pair were taken, by reduced costs."""
    for s in range(len(m.initial)):
        for p in range(m.starts[s], m.starts[s + 1]):
            if not allowed[p] or forced[p]:
                continue
            if m.halt[0]:
                return
            hopes[p] = 0.0
            for q in range(m.starts[s], m.starts[s + 1]):
                if allowed[q] and lp.place[q] < 0 and not lp.top[q]:
                    low = kappa * visits[q] - m.weight[q] if q == p else 0.0
                    hopes[p] -= lp.gain[q] * max(0.0, lp.low[q] - low)


@_compiled
def _hopeless(
    m: Model,
    lp: Linear,
    steps: Steps,
    step: int,
    allowed: Flags,
    visits: Floats,
    enough: float,
    tight: float,
) -> bool:
    """Whether a step of eliminations still holds where `allowed` is."""
    pairs = len(m.owner)
    inside = np.empty(pairs, np.bool_)
    s = steps.state[step]
    if steps.kind[step] == VALUE:
        _inside(m, allowed, steps.gone[step], s, inside)
        return _least(m, inside, m.worst) > m.bad + _RETURN
    for p in range(m.starts[s], m.starts[s + 1]):
        if steps.gone[step, p]:
            if m.halt[0]:
                return False
            _inside(m, allowed, _only(pairs, p), s, inside)
            bound, kappa = _couple(
                m,
                lp,
                inside,
                _forced(m, inside),
                visits,
                steps.kappa[p],
                enough * (1 + _MARGIN),
                _FEWEST_TRIES,
            )
            if not _closes(bound, kappa, enough, tight):
                return False
            steps.kappa[p] = kappa
    return True


@_compiled
def _least(m: Model, allowed: Flags, choice: Ints) -> float:
    """Return the least return of the allowed policies."""
    states = len(m.initial)
    start = np.empty(states, np.int64)
    _copy(choice, start)
    return worst(m, allowed, start, np.empty((states, states)), np.empty(states))


@_compiled
def _bounded(m: Model, base: Floats, allowed: Flags, kappa: float, visits: Floats) -> None:
    """Fill in the occupancy bounds of what is allowed, from the hitting bounds of more."""
    states = len(m.initial)
    reach, value = np.empty((states, states)), np.empty(states)
    choice = np.empty(states, np.int64)
    for s in range(states):
        _copy(base[s], reach[s])
    hitting(m, allowed, reach, _FEW_SWEEPS)
    visited(m, allowed, reach, visits)
    _copy(m.worst, choice)
    worst(m, allowed, choice, np.empty((states, states)), value)
    paid = np.empty(len(visits), np.int64)
    priced(m, allowed, reach, value, kappa, _FEWEST_SWEEPS, visits, paid)


@_compiled
def _replay(
    m: Model,
    lp: Linear,
    steps: Steps,
    root: Flags,
    base: Floats,
    first: int,
    end: int,
    ended: int,
    enough: float,
    tight: float,
) -> tuple[bool, float, float]:
    """Whether the steps kept, from the phase `first` on, and what follows them still hold.

    Returns the bound and the multiplier at the end as well.
    """
    pairs = len(m.owner)
    allowed, after = np.empty(pairs, np.bool_), np.empty(pairs, np.bool_)
    visits = np.empty(pairs)
    _copy(root, allowed)
    _copy(root, after)
    phase, fresh = -1, False
    for step in range(end):
        if steps.phase[step] != phase:
            phase, fresh = steps.phase[step], False
            _copy(after, allowed)
        if not steps.kept[step]:
            continue
        if phase > first:
            if steps.kind[step] == CIRCULATION and not fresh:
                _bounded(m, base, allowed, steps.last[0], visits)
                fresh = True
            if not _hopeless(m, lp, steps, step, allowed, visits, enough, tight):
                return False, 0.0, 0.0
        for p in range(pairs):
            if steps.gone[step, p]:
                after[p] = False
    if ended == BRANCHED:  # a state has no pair left
        s = steps.state[end - 1]
        return not _some(after, m.starts[s], m.starts[s + 1]), 0.0, 0.0
    if ended == VALUE:
        return _least(m, after, m.worst) > m.bad + _RETURN, 0.0, 0.0
    _bounded(m, base, after, steps.last[0], visits)
    bound, kappa = _couple(
        m,
        lp,
        after,
        _forced(m, after),
        visits,
        steps.last[0],
        enough * (1 + _MARGIN),
        _FEW_TRIES,
    )
    return _closes(bound, kappa, enough, tight), bound, kappa


@_compiled
def _expand(
    m: Model,
    pool: Pool,
    node: int,
    lp: Linear,
    kept: Linear,
    steps: Steps,
    enough: float,
    tight: float,
) -> int:
    """Close a node, or eliminate pairs and split what remains.

    Eliminations come in phases; within one they do not depend on each other. Once the node is
    closed, those that were not needed are dropped. Returns the node of a policy that looks bad and
    too cheap, else -1. If it has to halt before, the node is open as it was.
    """
    states, pairs = len(m.initial), len(m.owner)
    visits, value = np.zeros((states, states)), np.zeros(states)
    scores, multiplier, bounded = np.zeros(pairs), np.zeros(pairs), np.zeros(pairs)
    paid = np.zeros(pairs, np.int64)
    hopes, promise = np.zeros(pairs), np.zeros(states)
    forced, gone = np.zeros(pairs, np.bool_), np.zeros(pairs, np.bool_)
    root, allowed = np.zeros(pairs, np.bool_), np.zeros(pairs, np.bool_)
    inside, taken = np.zeros(pairs, np.bool_), np.zeros(pairs, np.bool_)
    reach, base = np.empty((states, states)), np.empty((states, states))
    for s in range(states):
        _copy(m.reach[s], reach[s])
        _copy(m.reach[s], base[s])
    choice = np.zeros(states, np.int64)
    _copy(pool.choice[node], choice)
    _copy(pool.allowed[node], root)
    _copy(pool.allowed[node], allowed)
    _copy(pool.basis[node], lp.basis)
    _copy(pool.top[node], lp.top)
    if not _factor(m, lp):
        _start(m, lp, m.worst)
    count, phase, ended, chosen = 0, 0, OPEN, _NOWHERE
    bound, kappa = pool.bound[node], pool.kappa[node]
    while ended == OPEN and not m.halt[0]:
        # No policy is bad.
        total = worst(m, allowed, choice, visits, value)
        if total > m.bad + _RETURN:
            ended = VALUE
            break
        # All policies cost enough.
        forced = _forced(m, allowed)
        hitting(m, allowed, reach, _SWEEPS if phase == 0 else _FEW_SWEEPS)
        if phase == 0:
            for s in range(states):
                _copy(reach[s], base[s])
        visited(m, allowed, reach, bounded)
        priced(m, allowed, reach, value, kappa, _FEWEST_SWEEPS, bounded, paid)
        bound, kappa = _couple(
            m, lp, allowed, forced, bounded, kappa, enough * (1 + _MARGIN), _TRIES
        )
        if kappa > 0.0 and 0.999 * tight < bound < enough * (1 + _MARGIN):
            # At kappa = 0 the bound is exact, so it may close what no margin can.
            _box(m, lp, allowed, forced, bounded, 0.0)
            if _dual(m, lp) == 0 and _worth(m, lp) >= tight:
                bound, kappa = _worth(m, lp), 0.0
        if _closes(bound, kappa, enough, tight):
            ended = CIRCULATION
            break
        alone = 0
        for p in range(pairs):
            alone += forced[p]
        if alone == states:
            ended = SINGLE
            break
        # Pairs that no bad policy takes.
        before = count
        for s in range(states):
            _fill(gone, 0, pairs)
            for p in range(m.starts[s], m.starts[s + 1]):
                if not allowed[p] or p == choice[s] or forced[p] or m.halt[0]:
                    continue
                if _changed_return(m, p, total, visits, value) > m.bad + _RETURN:
                    _inside(m, allowed, _only(pairs, p), s, inside)
                    gone[p] = _least(m, inside, choice) > m.bad + _RETURN
            if _some(gone, 0, pairs):
                steps.state[count], steps.kind[count], steps.phase[count] = s, VALUE, phase
                _copy(gone, steps.gone[count])
                count += 1
        if count > before:
            for step in range(before, count):
                for p in range(pairs):
                    if steps.gone[step, p]:
                        allowed[p] = False
            phase += 1
            continue
        # What each pair would cost if it were taken.
        _box(m, lp, allowed, forced, bounded, kappa)
        _dual(m, lp)
        _save(lp, kept)
        lightest, chosen = np.inf, _NOWHERE
        gap = max(enough - bound, 1e-9 * enough)
        _hopes(m, lp, allowed, forced, bounded, kappa, hopes)
        for s in range(states):
            promise[s] = np.inf
            if not _some(forced, m.starts[s], m.starts[s + 1]):
                promise[s] = 0.0
                for p in range(m.starts[s], m.starts[s + 1]):
                    if allowed[p]:
                        promise[s] += np.exp(-_STEEP * min(1.0, hopes[p] / gap))
        for _ in range(states):
            s = 0
            for t in range(states):
                if promise[t] < promise[s]:
                    s = t
            if promise[s] == np.inf:
                break
            # In the order of promise, and no further than can matter.
            beaten = promise[s] >= lightest
            promise[s] = np.inf
            _fill(gone, 0, pairs)
            weight, left = 0.0, 0
            for p in range(m.starts[s], m.starts[s + 1]):
                if not allowed[p] or m.halt[0]:
                    continue
                scores[p], multiplier[p] = bound, kappa
                if hopes[p] > (0.9 if beaten else 1e-3) * gap:
                    _inside(m, allowed, _only(pairs, p), s, inside)
                    _copy(forced, taken)
                    taken[p] = True
                    found, at = _couple(
                        m,
                        lp,
                        inside,
                        taken,
                        bounded,
                        kappa,
                        enough * (1 + _MARGIN),
                        _FEWEST_TRIES,
                    )
                    _save(kept, lp)
                    if found > bound:
                        scores[p], multiplier[p] = found, at
                    if _closes(found, at, enough, tight):
                        gone[p] = True
                        steps.kappa[p], steps.bound[p] = at, found
                        continue
                left += 1
                weight += np.exp(-_STEEP * min(1.0, (scores[p] - bound) / gap))
            if _some(gone, 0, pairs):
                if left == 0:
                    # This state alone closes the node: the rest of the phase is not needed.
                    count, ended = before, BRANCHED
                steps.state[count], steps.kind[count], steps.phase[count] = s, CIRCULATION, phase
                _copy(gone, steps.gone[count])
                count += 1
                if left == 0:
                    break
            if left > 1 and weight < lightest and not beaten:
                chosen, lightest = s, weight
        if ended == OPEN:
            if count == before:
                break
            for step in range(before, count):
                for p in range(pairs):
                    if steps.gone[step, p]:
                        allowed[p] = False
            phase += 1
    if m.halt[0]:
        _push(pool, node)
        return -1
    # Drop, from the last on, the steps without which the node is closed as well.
    for step in range(count):
        steps.kept[step] = True
    if ended in (VALUE, CIRCULATION, BRANCHED):
        steps.last[0] = kappa
        spare = _PATIENCE
        for step in range(count - 1, -1, -1):
            if (ended == BRANCHED and step == count - 1) or spare == 0 or m.halt[0]:
                continue
            steps.kept[step] = False
            spare -= 1
            fine, better, at = _replay(
                m, lp, steps, root, base, steps.phase[step], count, ended, enough, tight
            )
            if not fine:
                steps.kept[step] = True
            elif ended == CIRCULATION:
                bound, kappa, steps.last[0] = better, at, at
    # Write the steps down.
    source, phase = node, -1
    for step in range(count):
        if not steps.kept[step]:
            continue
        if steps.phase[step] != phase:
            source, phase = node, steps.phase[step]
        pool.source[node] = source
        s = steps.state[step]
        if steps.kind[step] == VALUE:
            leaf = _child(pool, node, m.starts, s, steps.gone[step])
            pool.kind[leaf] = VALUE
        else:
            for p in range(m.starts[s], m.starts[s + 1]):
                if steps.gone[step, p]:
                    leaf = _child(pool, node, m.starts, s, _only(pairs, p))
                    pool.kind[leaf] = CIRCULATION
                    pool.source[leaf] = source
                    pool.kappa[leaf] = steps.kappa[p]
                    pool.bound[leaf] = steps.bound[p]
        if ended == BRANCHED and step == count - 1:
            return -1
        _copy(pool.allowed[node], inside)
        for p in range(pairs):
            if steps.gone[step, p]:
                inside[p] = False
        node = _child(pool, node, m.starts, s, inside)
    pool.source[node] = node
    pool.kappa[node] = kappa
    pool.bound[node] = max(bound, pool.bound[node])
    _copy(kept.basis, pool.basis[node])
    _copy(kept.top, pool.top[node])
    _copy(choice, pool.choice[node])
    if ended != OPEN:
        pool.kind[node] = ended
        return node if ended == SINGLE else -1
    for p in range(m.starts[chosen], m.starts[chosen + 1]):
        if allowed[p]:
            branch = _child(pool, node, m.starts, chosen, _only(pairs, p))
            pool.bound[branch] = max(scores[p], pool.bound[node])
            pool.kappa[branch] = multiplier[p]
            _push(pool, branch)
    return -1


@_compiled
def search(
    m: Model,
    pool: Pool,
    lp: Linear,
    kept: Linear,
    steps: Steps,
    enough: float,
    tight: float,
    budget: int,
) -> tuple[int, int]:
    """Expand the most promising open nodes, up to `budget` of them.

    Returns why it stopped (READY, PAUSED, FULL or CLIMBED) and the node of the policy found.
    """
    room = len(pool.parent) - 4 * len(m.owner)
    for _ in range(budget):
        if pool.counts[1] == 0:
            return READY, -1
        if m.halt[0]:
            return PAUSED, -1
        if pool.counts[0] > room:
            return FULL, -1
        pool.counts[2] += 1
        single = _expand(m, pool, _pop(pool), lp, kept, steps, enough, tight)
        if single >= 0:
            return CLIMBED, single
    return PAUSED, -1


@_compiled
def lend(pool: Pool, part: Pool) -> int:
    """Take the most promising open node of a pool as the root of another, empty one."""
    node = _pop(pool)
    _transfer(pool, node, part, 0)
    part.parent[0], part.source[0] = -1, 0
    part.heap[0] = 0
    part.counts[0] = part.counts[1] = 1
    return node


@_compiled
def merge(pool: Pool, part: Pool, node: int) -> int:
    """Put the tree that has grown from a lent node back under it.

    Node i > 0 of the part becomes node i plus what is returned.
    """
    offset = pool.counts[0] - 1
    for i in range(part.counts[0]):
        to = node if i == 0 else offset + i
        parent, source = pool.parent[node], pool.source[node]
        _transfer(part, i, pool, to)
        pool.source[to] = node if part.source[i] == 0 else offset + part.source[i]
        if i == 0:
            pool.parent[to] = parent
            if part.kind[0] == OPEN:
                pool.source[to] = source
        else:
            pool.parent[to] = node if part.parent[i] == 0 else offset + part.parent[i]
    pool.counts[0] += part.counts[0] - 1
    pool.counts[2] += part.counts[2]
    part.counts[2] = 0
    for k in range(part.counts[1]):
        i = part.heap[k]
        _push(pool, node if i == 0 else offset + i)
    return int(offset)


@_compiled
def _transfer(pool: Pool, node: int, to: Pool, place: int) -> None:
    to.state[place], to.kind[place] = pool.state[node], pool.kind[node]
    to.kappa[place], to.bound[place] = pool.kappa[node], pool.bound[node]
    _copy(pool.allowed[node], to.allowed[place])
    _copy(pool.basis[node], to.basis[place])
    _copy(pool.top[node], to.top[place])
    _copy(pool.choice[node], to.choice[place])


# -- local search ---------------------------------------------------------------------------------


@_compiled
def _random(pool: Ints, below: int) -> int:
    # A linear congruence with Knuth's multiplier: the same on every machine.
    pool[0] = pool[0] * 6364136223846793005 + 1442695040888963407
    return int((pool[0] >> 33) & 0x7FFFFFFF) % below


@_compiled
def _cost(m: Model, lp: Linear, choice: Ints) -> float:
    """Return the cost of a policy, in all states."""
    if len(m.price) > 0:
        total = 0.0
        for s in range(len(choice)):
            total += m.price[choice[s]]
        return total
    for p in range(len(lp.place)):
        lp.low[p], lp.high[p] = 0.0, m.weight[p]
    for s in range(len(choice)):
        lp.low[choice[s]] = -m.weight[choice[s]]
    for t in range(len(choice)):
        lp.right[t] = 0.0
    if _dual(m, lp) == 0:
        return _worth(m, lp)
    _start(m, lp, choice)
    return np.inf


@_compiled
def _recreate(m: Model, lp: Linear, choice: Ints, seed: Ints) -> bool:
    """Change single states, each time what loses most return for its cost, until it is bad."""
    states = len(choice)
    visits, value = np.zeros((states, states)), np.zeros(states)
    current, spread = _cost(m, lp, choice), _random(seed, 4)
    while True:
        total = returned(m, choice, visits, value)
        if total <= m.bad + _TINY:
            return True
        best, chosen = np.inf, -1
        for s in range(states):
            old = choice[s]
            for p in range(m.starts[s], m.starts[s + 1]):
                lost = total - _changed_return(m, p, total, visits, value)
                if p == old or lost <= _TINY or m.halt[0]:
                    continue
                choice[s] = p
                rise = max(0.0, _cost(m, lp, choice) - current)
                noise = 1.0 + spread * _random(seed, 1024) / 1024
                rate = rise * noise / min(lost, total - m.bad)
                if rate < best:
                    best, chosen = rate, p
            choice[s] = old
        if chosen < 0 or m.halt[0]:
            return False
        choice[m.owner[chosen]] = chosen
        current = _cost(m, lp, choice)


@_compiled
def _descend(m: Model, lp: Linear, choice: Ints, seed: Ints, order: Ints) -> float:
    """Change single states of a bad policy as long as that is cheaper; return the cost."""
    states = len(choice)
    visits, value = np.zeros((states, states)), np.zeros(states)
    current = _cost(m, lp, choice)
    total = returned(m, choice, visits, value)
    improved = True
    while improved:
        improved = False
        for k in range(states - 1, 0, -1):
            j = _random(seed, k + 1)
            order[k], order[j] = order[j], order[k]
        for k in range(states):
            s = order[k]
            for p in range(m.starts[s], m.starts[s + 1]):
                if p == choice[s] or m.halt[0]:
                    continue
                if _changed_return(m, p, total, visits, value) > m.bad + _TINY:
                    continue
                old = choice[s]
                choice[s] = p
                cost = _cost(m, lp, choice)
                if cost < current - 1e-9 * max(current, 1e-6):
                    current, improved = cost, True
                    total = returned(m, choice, visits, value)
                else:
                    choice[s] = old
    return current


@_compiled
def climb(
    m: Model, lp: Linear, good: Ints, choice: Ints, seed: Ints, kicks: int, best: Ints
) -> float:
    """Improve a bad policy by changes in single states; return the best cost.

    Between descents some states go back to the pairs of an optimal policy `good`, and the policy
    is made bad again at little cost. `choice` is a bad policy to start from; `best` receives the
    cheapest one.
    """
    states = len(choice)
    order = np.arange(states)
    _start(m, lp, choice)
    _copy(choice, best)
    least = _descend(m, lp, choice, seed, order)
    _copy(choice, best)
    for kick in range(kicks):
        if m.halt[0]:
            break
        _copy(best if kick % 8 else good, choice)
        s = _random(seed, states)
        for _ in range(1 + _random(seed, max(2, states // 2)) if kick % 8 else 0):
            count = m.starts[s + 1] - m.starts[s]
            choice[s] = good[s] if _random(seed, 3) else m.starts[s] + _random(seed, count)
            # On to a state that comes next, or to any.
            p = m.starts[s] + _random(seed, count)
            # By way of int64, as numba takes the int of an unsigned number for unsigned.
            first, last = int(np.int64(m.first[p])), int(np.int64(m.first[p + 1]))
            s = int(np.int64(m.column[first + _random(seed, last - first)]))
            if _random(seed, 4) == 0:
                s = _random(seed, states)
        if not _recreate(m, lp, choice, seed):
            continue
        current = _descend(m, lp, choice, seed, order)
        if current < least:
            least = current
            _copy(choice, best)
    return least
