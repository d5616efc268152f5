"""Is a problem with parameters one at every point of its domain? A proof, or a point where not.

Signs of polynomials on boxes by Bernstein coefficients in exact arithmetic, with subdivision; parts
that a constraint excludes are dropped.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from math import lcm, prod

from symsafe import checker
from symsafe.analysis.values import returns
from symsafe.engine.limits import Limits
from symsafe.engine.parametric.functions import Box, Point, Scribe, centre, corners, solve_functions
from symsafe.errors import EngineError, InputError, UnsupportedError
from symsafe.exact import Number, RationalFunction, format_fraction
from symsafe.model import MDP, ParameterSpace, SafetyProblem
from symsafe.model.tables import path

__all__ = [
    "at_point",
    "find_point",
    "points_inside",
    "require_well_formed",
    "scribe_of",
    "show_point",
]

_MAX_BOXES = 2_000
_TRIED = 8
_MAX_TABLE = 2_000


@dataclass(frozen=True, slots=True)
class _Demand:
    """An entry of the problem that has to be >= 0, or > 0 (strict), or only to exist (None)."""

    field: str
    number: Number
    strict: bool | None
    expected: str


@contextmanager
def at_point(point: Point) -> Iterator[None]:
    """Name the point in errors about a problem there."""
    try:
        yield
    except InputError as error:
        found = f"{error.value} at {show_point(point)}"
        raise InputError(error.field, found, error.expected) from None


def show_point(point: Point) -> str:
    """Return ``p = 1/3, q = 2``."""
    return ", ".join(f"{name} = {format_fraction(value)}" for name, value in point.items())


def points_inside(space: ParameterSpace, box: Box) -> Iterator[dict[str, Fraction]]:
    """Yield points of a box that lie in the domain: its middle, its corners, a coarse grid."""
    quarters = [((3 * low + high) / 4, (low + 3 * high) / 4) for low, high in box]
    for point in itertools.chain([centre(box)], corners(box), itertools.product(*quarters)):
        named = dict(zip(space.names, point, strict=True))
        if space.contains(named):
            yield named


def find_point(space: ParameterSpace) -> dict[str, Fraction]:
    """Return a rational point of the domain.

    Raises
    ------
    InputError
        If subdivision finds none.
    """
    box = tuple(space.bounds.values())
    waiting, seen = [box], 0
    while waiting and seen < _MAX_BOXES:
        seen += 1
        box = waiting.pop(0)
        for point in points_inside(space, box):
            return point
        if not _is_outside(space, box):
            waiting.extend(_halves(box))
    found = "no point" if not waiting else "no point after a long search"
    raise InputError("parameters.constraints", found, "a domain that contains a rational point")


def scribe_of(problem: SafetyProblem) -> Scribe:
    """Return the scribe of a problem with parameters."""
    space = problem.mdp.parameters
    return Scribe(space.names, find_point(space))


def require_well_formed(
    problem: SafetyProblem, limits: Limits | None = None
) -> dict[str, Fraction]:
    """Prove that the problem is one at every point of its domain; return a point of the domain.

    Rows sum to 1 identically (the model sees to that), probabilities are never negative, divisors
    never vanish, thresholds lie in their ranges. That neither reward nor return is constant is
    proven here or with each cell.

    Raises
    ------
    InputError
        With a rational point at which a condition fails; if a condition could neither be proven
        nor refuted; for functions of too high a degree.
    EngineError
        If the time limit is reached first.
    UnsupportedError
        If the problem has a regularizer.
    """
    if problem.regularizer is not None:
        raise UnsupportedError("regularizer: problems with parameters are answered without one")
    space = problem.mdp.parameters
    limits = Limits() if limits is None else limits
    if len(space.names) > checker.MAX_PARAMETERS:
        expected = f"at most {checker.MAX_PARAMETERS}, as in a certificate"
        raise InputError("parameters", f"{len(space.names)} parameters", expected)
    _require_size(problem)
    inside = find_point(space)
    names = space.names
    scribe = Scribe(names, inside)
    reader = checker.Conditions(len(names), checker.Work())
    for demand in _demands(problem):
        number = demand.number
        if isinstance(number, RationalFunction):
            found = reader.read(scribe.number(number), "entry")
            divisor = "a divisor that never vanishes in the domain"
            _prove(space, found.bottom, True, demand.field, divisor, limits)
            if demand.strict is not None:
                _prove(space, found.top, demand.strict, demand.field, demand.expected, limits)
    _prove_returns(problem, inside, limits)
    return inside


def _demands(problem: SafetyProblem) -> Iterator[_Demand]:
    mdp = problem.mdp
    probability = "a probability that is at least 0 everywhere in the domain"
    for pair, row in zip(mdp.pairs, mdp.successors, strict=True):
        for t, p in row:
            yield _Demand(path("transitions", *pair, mdp.states[t]), p, False, probability)
    for state, p in zip(mdp.states, mdp.initial, strict=True):
        yield _Demand(path("initial", state), p, False, probability)
    for pair, p in zip(mdp.pairs, problem.data.weights, strict=True):
        yield _Demand(path("data", *pair), p, False, probability)
    for pair, r in zip(mdp.pairs, mdp.rewards, strict=True):
        yield _Demand(path("reward", *pair), r, None, "")
    ranges = "a number in [0, 1) everywhere in the domain"
    yield _Demand("discount", mdp.discount, False, ranges)
    yield _Demand("discount", 1 - mdp.discount, True, ranges)
    yield _Demand("regret", problem.regret, False, "a number in [0, 1] everywhere in the domain")
    yield _Demand("regret", 1 - problem.regret, False, "a number in [0, 1] everywhere")
    if problem.epsilon is not None:
        yield _Demand("epsilon", problem.epsilon, True, "a number above 0 everywhere in the domain")


def _require_time(limits: Limits) -> None:
    reached = limits.reached()
    if reached == "interrupted":
        raise KeyboardInterrupt
    if reached:
        raise EngineError(f"{reached} before the problem was proven to be one in its whole domain")


def _require_size(problem: SafetyProblem) -> None:
    """Refuse functions whose tables of coefficients would be too large to work with."""
    for demand in _demands(problem):
        number = demand.number
        if isinstance(number, RationalFunction):
            for part in (number.numerator, number.denominator):
                size = 1
                for powers in zip(*part, strict=True):
                    size *= 1 + max(powers)
                if size > _MAX_TABLE:
                    raise InputError(
                        demand.field,
                        f"a polynomial whose table of coefficients has {size} places",
                        f"at most {_MAX_TABLE}: a lower degree, or fewer parameters",
                    )


def _prove(
    space: ParameterSpace,
    polynomial: checker.Polynomial,
    strict: bool,
    field: str,
    expected: str,
    limits: Limits,
) -> None:
    """Prove a sign on the domain, or refuse the problem with a point."""
    reader = checker.Conditions(len(space.names), checker.Work())
    scribe = Scribe(space.names, dict.fromkeys(space.names, Fraction(0)))
    bounds = [reader.polynomial(x, "constraint") for x in scribe.bounds(space)]
    waiting: list[Box] = [tuple(space.bounds.values())]
    for _ in range(_MAX_BOXES):
        if not waiting:
            return
        _require_time(limits)
        box = waiting.pop(0)
        if checker.proven(polynomial, strict, list(box), bounds):
            continue
        for point in points_inside(space, box):
            value = _value(polynomial, tuple(point.values()))
            if value < 0 or (strict and value == 0):
                raise InputError(field, f"a violation at {show_point(point)}", expected)
        if not _is_outside(space, box):
            waiting.extend(_halves(box))
    near = dict(zip(space.names, centre(waiting[0]), strict=True))
    raise InputError(field, f"no proof near {show_point(near)}", f"{expected}, provably")


def _prove_returns(problem: SafetyProblem, inside: Point, limits: Limits) -> None:
    """Look for a point at which the return does not depend on the policy, and refuse it.

    Where none is found and there is no proof either, the answer is left to the cells: each proof
    of a cell shows that the return varies there, and what cannot be proven stays undecided.
    """
    mdp = problem.mdp
    space = mdp.parameters
    scribe = Scribe(space.names, inside)
    reader = checker.Conditions(len(space.names), checker.Work())
    bounds = [reader.polynomial(x, "constraint") for x in scribe.bounds(space)]
    known: list[checker.Polynomial] = []
    waiting: list[Box] = [tuple(space.bounds.values())]
    for _ in range(_MAX_BOXES):
        if not waiting:
            return
        box = waiting.pop(0)
        if any(checker.proven(p, True, list(box), bounds) for p in known[:_TRIED]):
            continue
        for point in points_inside(space, box):
            if any(_value(p, tuple(point.values())) > 0 for p in known[:_TRIED]):
                continue
            with at_point(point):
                facts = returns(mdp.at(**point))
            ends = [_return_of(mdp, policy.choices) for policy in (facts.optimal, facts.worst)]
            known.insert(0, reader.read(scribe.number(ends[0] - ends[1]), "return").top)
        if not _is_outside(space, box):
            _require_time(limits)
            waiting.extend(_halves(box))


def _return_of(mdp: MDP, choices: tuple[int, ...]) -> Number:
    pairs = [options.start + a for options, a in zip(mdp.pair_ranges, choices, strict=True)]
    rows = []
    for state, pair in enumerate(pairs):
        row: list[Number] = [Fraction(0)] * len(mdp.states)
        row[state] = Fraction(1)
        for t, p in mdp.successors[pair]:
            row[t] = row[t] - mdp.discount * p
        rows.append(row)
    values = solve_functions(rows, [mdp.rewards[pair] for pair in pairs])
    total: Number = Fraction(0)
    for m, v in zip(mdp.initial, values or [], strict=True):
        total = total + m * v
    return total


def _value(polynomial: checker.Polynomial, point: tuple[Fraction, ...]) -> int:
    """Return the value at a point, times a positive number that clears all denominators."""
    powers = []
    for k, x in enumerate(point):
        degree = max((exponents[k] for exponents in polynomial), default=0)
        powers.append([x.numerator**e * x.denominator ** (degree - e) for e in range(degree + 1)])
    scale = lcm(*(x.denominator for x in polynomial.values()))
    return sum(
        x.numerator * (scale // x.denominator) * prod(map(list.__getitem__, powers, exponents))
        for exponents, x in polynomial.items()
    )


def _is_outside(space: ParameterSpace, box: Box) -> bool:
    """Whether a constraint is proven false on the whole box."""
    reader = checker.Conditions(len(space.names), checker.Work())
    scribe = Scribe(space.names, dict.fromkeys(space.names, Fraction(0)))
    for written in scribe.bounds(space):
        opposite = {powers: -x for powers, x in reader.polynomial(written, "constraint").items()}
        if checker.proven(opposite, True, list(box), []):
            return True
    return False


def _halves(box: Box) -> list[Box]:
    axis = max(range(len(box)), key=lambda k: box[k][1] - box[k][0])
    low, high = box[axis]
    if low == high:
        return []
    cut = (low + high) / 2
    return [(*box[:axis], ends, *box[axis + 1 :]) for ends in ((low, cut), (cut, high))]
