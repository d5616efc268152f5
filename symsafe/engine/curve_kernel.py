"""The compiled inner loops of `symsafe.engine.curves`: one context, in floats.

Loading this module loads numba. Floats only propose; see CERTIFICATE.md for what is proven of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["cheapest", "price"]

Floats = NDArray[np.float64]
_FAR = 600.0
Flags = NDArray[np.bool_]
F = TypeVar("F", bound=Callable[..., Any])


def _compiled(function: F) -> F:
    jit: Any = numba.njit
    try:
        return cast(F, jit(cache=True, error_model="numpy")(function))
    except RuntimeError:  # nowhere to write to
        return cast(F, jit(error_model="numpy")(function))


@_compiled
def cheapest(weight: Floats, gaps: Floats, data: Floats, errors: Floats) -> float:
    """Return the least sum of data |error| for a mean of at most T; fill in the errors.

    `gaps` are the rewards less T. Errors and cost are in units of lambda; errors are infinite where
    no data see the action, and the cost is where no errors give such a mean.
    """
    n = len(gaps)
    size = np.exp(weight) * np.abs(gaps)
    errors[:] = 0.0
    below, above, bad = 0.0, 0.0, 0
    for a in range(n):
        if gaps[a] < 0:
            below += size[a]
            bad += 1
        elif data[a] > 0:
            above += size[a]
        else:
            errors[a] = -np.inf
    if bad == 0:
        return np.inf if np.max(gaps) > 0 else 0.0
    if above <= below:
        return 0.0
    for a in range(n):
        if gaps[a] < 0 and data[a] == 0:
            errors[a] = np.inf
            return 0.0
    ratio = np.zeros(n)
    for a in range(n):
        if gaps[a] >= 0 and data[a] > 0:
            ratio[a] = size[a] / data[a]
    order = np.argsort(-ratio)
    left = np.zeros(n + 1)  # of what is not lowered; sums, as differences would cancel
    for k in range(n - 1, -1, -1):
        left[k] = left[k + 1] + (size[order[k]] if ratio[order[k]] > 0 else 0.0)
    best, raised, prefix, level = np.inf, -1, 0, 1.0
    for b in range(-1, n):
        mass, rest, lift = 0.0, 0.0, 0.0
        for a in range(n):
            if gaps[a] < 0 and a != b:
                rest += size[a]
        if b >= 0:
            if gaps[b] >= 0:
                continue
            mass = data[b]
            lift = weight[b] + np.log(-gaps[b])
            alone = mass * (np.log(above - rest) - lift)
            if alone < best:
                best, raised, prefix = alone, b, 0
        heavy, lowered = 0.0, 0.0
        for k in range(n):
            g = order[k]
            if ratio[g] <= 0:
                break
            heavy += data[g]
            lowered += data[g] * np.log(ratio[g])
            following = ratio[order[k + 1]] if k + 1 < n else 0.0
            if heavy == mass:
                continue
            theta = (rest - left[k + 1]) / (heavy - mass)
            if not following * (1 - 1e-12) <= theta < ratio[g] * (1 + 1e-12) or theta <= 0:
                continue
            cost = lowered - heavy * np.log(theta)
            if b >= 0:
                more = np.log(mass * theta) - lift
                if more <= 0:
                    continue
                cost += mass * more
            if cost < best:
                best, raised, prefix, level = cost, b, k + 1, theta
    for k in range(prefix):
        errors[order[k]] = np.log(level) - np.log(ratio[order[k]])
    if raised >= 0:
        lift = weight[raised] + np.log(-gaps[raised])
        if prefix:
            errors[raised] = np.log(data[raised] * level) - lift
        else:
            errors[raised] = np.log(above - below + size[raised]) - lift
    return max(best, 0.0)


@_compiled
def _missing(
    weight: Floats,
    gaps: Floats,
    data: Floats,
    lowered: Flags,
    b: int,
    values: Floats,
    ends: Floats,
    tilted: bool,
    nu: float,
    first: int,
    last: int,
) -> float:
    """Return by how much a price misses the line at the corners of these of the two means."""
    worst = -np.inf
    middle = 0.5 * (ends[0] + ends[1])
    for i in range(first, last):
        for j in range(2 if b >= 0 else 1):
            x = ends[j]
            found, noise = 0.0, 0.0
            for a in range(len(weight)):
                gap, size = gaps[i, a], nu * np.exp(weight[a])
                if a == b:
                    term = size * gap if tilted else nu * np.exp(weight[b] + x) * gap
                    found += data[b] * x
                elif gaps[0, a] <= 0:
                    term = size * gap * (np.exp(-x) if tilted else 1.0)
                else:
                    u = size * gap * (np.exp(-middle) if tilted else 1.0)
                    most = size * gaps[0, a] * np.exp(-ends[0])
                    steep = lowered[a] and (most > data[a] or not tilted)
                    term = u
                    if steep and u > data[a]:
                        term = data[a] * (1 + np.log(u / data[a])) if data[a] > 0 else 0.0
                    tilt = 0.0
                    if tilted and steep:
                        tilt = min(u, data[a]) if j == 0 else data[a]
                    elif tilted:
                        tilt = u
                    term += tilt * (middle - x)
                found += term
                noise += abs(term) * (10.0 + abs(weight[a]))
            found -= 2e-16 * noise  # high prices are differences of large numbers
            if first == 1:  # leave room for rounding
                found -= 1e-15 * nu + (1e-13 * data[b] * x if b >= 0 else 0.0)
            worst = max(worst, values[i] - found)
    return worst


@_compiled
def price(
    weight: Floats,
    gaps: Floats,
    data: Floats,
    lowered: Flags,
    b: int,
    values: Floats,
    ends: Floats,
    pinned: bool,
    tilted: bool,
    digits: float,
) -> tuple[float, float]:
    """Return the best price of a box of raises, rounded, and by how much it misses the line.

    `gaps` are the rewards less either mean, `values` the line there, `ends` the box of raises of
    action b (none if it is negative) while only those `lowered` may be lowered; all but the gaps in
    units of lambda. What is missed is the greatest over the corners, a convex function of the
    price. Where the second value is `pinned`, at 0, it is not missed at all: low enough prices see
    to that.
    """
    if b >= 0:
        middle = max(-0.5 * (gaps[0, b] + gaps[1, b]), 1e-300)
        centre = np.log(data[b] / middle) - weight[b]
        centre -= 0.0 if tilted else 0.5 * (ends[0] + ends[1])
    else:
        centre = 0.0
        for a in range(len(weight)):
            if gaps[0, a] > 0 and data[a] > 0:
                gap = 0.5 * (gaps[0, a] + gaps[1, a])
                centre = max(centre, np.log(data[a] / gap) - weight[a])
    middles = np.abs(gaps[0] + gaps[1])
    spread = np.log(np.max(middles) / np.min(middles[middles > 0]))
    span = 4.0 if tilted else 20.0 + np.max(weight) - np.min(weight) + ends[1] + spread
    low, high = max(centre - span, -_FAR), min(centre + span, _FAR)
    rows = 2
    if pinned:
        rows = 1
        below, above = max(low - 40.0, -_FAR), high
        for _ in range(60):
            x = 0.5 * (below + above)
            if _missing(weight, gaps, data, lowered, b, values, ends, tilted, np.exp(x), 1, 2) > 0:
                above = x
            else:
                below = x
        high, low = below, min(low, below - 1.0)
    golden = 0.6180339887498949
    x, y = high - golden * (high - low), low + golden * (high - low)
    at_x = _missing(weight, gaps, data, lowered, b, values, ends, tilted, np.exp(x), 0, rows)
    at_y = _missing(weight, gaps, data, lowered, b, values, ends, tilted, np.exp(y), 0, rows)
    for _ in range(60):
        if at_x < at_y:  # equal where the price is too low to matter
            high, y, at_y = y, x, at_x
            x = high - golden * (high - low)
            at_x = _missing(
                weight, gaps, data, lowered, b, values, ends, tilted, np.exp(x), 0, rows
            )
        else:
            low, x, at_x = x, y, at_y
            y = low + golden * (high - low)
            at_y = _missing(
                weight, gaps, data, lowered, b, values, ends, tilted, np.exp(y), 0, rows
            )
    best = x if at_x <= at_y else y
    # A whole range of prices is as good, but for very little: low ones suffer less from rounding.
    enough = max(min(at_x, at_y), 0.0) + 1e-13 * (1e-3 + max(values[0], values[1]))
    below, above = max(best - 40.0, -_FAR), best
    for _ in range(60):
        x = 0.5 * (below + above)
        nu = np.exp(x)
        if _missing(weight, gaps, data, lowered, b, values, ends, tilted, nu, 0, rows) > enough:
            below = x
        else:
            above = x
    best = min(best, 0.5 * (above + min(best, above + 2.0)))
    nu = np.exp(best)
    unit = 10.0 ** (np.floor(np.log10(nu)) - digits)
    nu = np.floor(nu / unit) * unit
    return nu, _missing(weight, gaps, data, lowered, b, values, ends, tilted, nu, 0, rows)
