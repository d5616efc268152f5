"""Questions about problems with parameters: safe for all of them? Where in their domain?

Every answer says what it rests on: a certificate that the checker has verified, or a solver's word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from symsafe.analysis.policies import count_deterministic_policies
from symsafe.certificate import Certificate, region_certificate
from symsafe.engine.limits import Limits
from symsafe.engine.parametric.curve import trace_radius
from symsafe.engine.parametric.domain import at_point, require_well_formed, show_point
from symsafe.engine.parametric.functions import Box
from symsafe.engine.parametric.smt import decide_family_by_smt
from symsafe.engine.parametric.subdivision import RegionProgress, Subdivision
from symsafe.engine.parametric.vertices import is_affine_in_data, vertices
from symsafe.errors import InputError
from symsafe.exact import Number, exact, format_fraction
from symsafe.model import SafetyProblem
from symsafe.model.problem import require_problem, require_tolerance
from symsafe.verdict import Verdict, decide, radius

__all__ = [
    "FamilyVerdict",
    "RadiusCurve",
    "RadiusPiece",
    "Region",
    "RegionCell",
    "forall_safe",
    "forall_unsafe",
    "radius_curve",
    "region",
]

Answer = Literal["safe", "unsafe", "unknown"]
Point = Mapping[str, Fraction]

_CELLS = 20_000
_FINE = Fraction(1, 2**24)
_TARGET = Fraction(19, 20)
_ASKED = 256  # policies that are put to z3 without being asked to
_SOLVER_SECONDS = 60.0
_CLOSING = 1.0  # seconds for what remains to be written when the time is up


@dataclass(frozen=True, slots=True)
class RegionCell:
    """A box of parameter values and what is proven about it.

    Attributes
    ----------
    box : tuple of (Fraction, Fraction), one per parameter
    state : {"safe", "unsafe", "outside", "undecided"}
    interior : bool
        Whether the proof leaves out the edge of the box.
    """

    box: Box
    state: str
    interior: bool = False


@dataclass(frozen=True, slots=True)
class Region:
    """Where in the domain of its parameters a problem is safe, and where unsafe.

    Attributes
    ----------
    names : tuple of str
        The parameters.
    safe, unsafe, undecided, outside : Fraction
        Shares of the box, with sum 1. `outside` is proven to lie outside the domain; a cell that
        the edge of the domain crosses counts as a whole, and so does one that is proven without its
        edge (`RegionCell.interior`): a share of 1 does not speak of all points, `forall_safe` does.
    cells : tuple of RegionCell
        Their union is the box.
    boundaries : tuple of (Fraction, Fraction), or None
        For one parameter: between them nothing changes. Intervals in which the answer may change;
        where the two ends are equal, a point at which it does change, or at which alone it is not
        decided. None for more parameters.
    points : mapping
        A point that is ``"safe"`` and one that is ``"unsafe"``, where one was found.
    certificate : Certificate
        Verified by the checker.
    route : str
        How the answer was obtained, in words.
    seconds : float
    stopped : str or None
        The limit that ended the search before its target.
    """

    names: tuple[str, ...]
    safe: Fraction
    unsafe: Fraction
    undecided: Fraction
    outside: Fraction
    cells: tuple[RegionCell, ...]
    boundaries: tuple[tuple[Fraction, Fraction], ...] | None
    points: Mapping[str, Point]
    certificate: Certificate
    route: str
    seconds: float
    stopped: str | None

    def __repr__(self) -> str:
        shares = (self.safe, self.unsafe, self.undecided)
        safe, unsafe, undecided = (f"{float(x):.4g}" for x in shares)
        names = ", ".join(self.names)
        return f"Region({names}: {safe} safe, {unsafe} unsafe, {undecided} undecided)"


@dataclass(frozen=True, slots=True)
class FamilyVerdict:
    """The answer to whether a problem is safe (or unsafe) for all values of its parameters.

    Attributes
    ----------
    answer : {"safe", "unsafe", "unknown"}
    point : mapping or None
        The values of the parameters at which a counterexample was found.
    verdict : Verdict or None
        The ordinary verdict at `point`, with its certificate.
    certificate : Certificate or None
        The certificate at `point`; or the one about the whole domain, as far as it is decided.
    vertices : tuple of Verdict
        By the route of the vertices: the ordinary verdicts whose certificates prove the answer.
    route : str
        How the answer was obtained, in words.
    rests_on : {"certificate", "solver"}
    region : Region or None
        What is known about the domain, by subdivision.
    seconds : float
    stopped : str or None
    """

    answer: Answer
    point: Point | None
    verdict: Verdict | None
    certificate: Certificate | None
    vertices: tuple[Verdict, ...]
    route: str
    rests_on: Literal["certificate", "solver"]
    region: Region | None
    seconds: float
    stopped: str | None

    def __repr__(self) -> str:
        return f"FamilyVerdict({self.answer}, rests on {self.rests_on})"


def region(
    problem: SafetyProblem,
    *,
    target: object = None,
    time_limit: float | None = None,
    cell_limit: int = _CELLS,
    report: Callable[[RegionProgress], None] | None = None,
) -> Region:
    """Find the shares of the parameters' domain that are safe and unsafe, with a certificate.

    The box is split until each cell is proven: unsafe by one adversarial reward model whose values
    are functions of the parameters, safe by one policy tree whose leaves are.

    Parameters
    ----------
    problem : SafetyProblem
        With parameters and an epsilon.
    target : number, optional
        Share of the domain that is to be decided; 19/20 by default. With a single parameter the
        default goes on until the boundaries are exact, or isolated to a 2^-24 of the interval.
    time_limit : float, optional
        Seconds.
    cell_limit : int, optional
        Limit on the number of cells.
    report : callable, optional
        Receives a `RegionProgress` now and then.

    Raises
    ------
    InputError
        If the problem has no epsilon or no parameter, or is no problem somewhere in its domain
        (with a rational point of it).

    Examples
    --------
    >>> from symsafe import MDP, DataDistribution, SafetyProblem
    >>> mdp = MDP.bandit({"s": {"good": 1, "bad": 0}}, parameters={"rare": (0, "1/2")})
    >>> data = DataDistribution.from_table(mdp, {"s": {"good": "1 - rare", "bad": "rare"}})
    >>> found = region(SafetyProblem(mdp, data, regret="1/2", epsilon="1/10"))
    >>> found.safe, found.unsafe, found.boundaries
    (Fraction(4, 5), Fraction(1, 5), ((Fraction(1, 10), Fraction(1, 10)),))
    """
    share = _TARGET if target is None else exact(target, "target")
    if not 0 < share <= 1:
        raise InputError("target", format_fraction(share), "a share in (0, 1]")
    with Limits(time_limit, cell_limit, counted="cell_limit") as limits:
        subdivision = _subdivision(problem, limits, half_open=True)
        if target is None and len(subdivision.root.box) == 1:
            share = Fraction(1)
        stopped = subdivision.run(limits, target=share, smallest=_FINE, report=report)
        return _region(subdivision, limits, stopped)


def forall_safe(
    problem: SafetyProblem,
    *,
    engine: str = "auto",
    time_limit: float | None = None,
    cell_limit: int = _CELLS,
    report: Callable[[RegionProgress], None] | None = None,
) -> FamilyVerdict:
    """Decide whether the data distribution is safe for all values of the parameters.

    Parameters
    ----------
    problem, time_limit, cell_limit, report
        As for `region`.
    engine : {"auto", "tree", "smt"}
        ``"tree"`` is certified subdivision. ``"smt"`` asks z3 in nonlinear arithmetic, policy by
        policy; its ``safe`` rests on the solvers' word, its points are certified. ``"auto"`` takes
        the vertices where these decide, else subdivision, and asks z3 where that ended without an
        answer and without reaching a limit of time.

    Returns
    -------
    FamilyVerdict
        ``safe`` for all, or ``unsafe`` at the rational `point`, or unknown.

    Notes
    -----
    Where nothing but D has parameters, affinely, the radius is concave in them, so that the
    vertices of the domain decide. Otherwise by certified subdivision.

    Examples
    --------
    >>> from symsafe import MDP, DataDistribution, SafetyProblem
    >>> mdp = MDP.bandit({"s": {"good": "r", "bad": 0}}, parameters={"r": (1, 2)})
    >>> problem = SafetyProblem(mdp, DataDistribution.uniform(mdp), regret=1, epsilon="2/5")
    >>> forall_safe(problem).answer
    'safe'
    """
    if engine not in ("auto", "tree", "smt"):
        raise InputError("engine", engine, "one of auto, tree, smt")
    if engine == "smt":
        with Limits(time_limit, cell_limit, counted="cell_limit") as limits:
            _require_family(problem)
            require_well_formed(problem, limits)
            return _by_smt(problem, limits, None)
    found = _for_all(problem, "safe", engine, time_limit, cell_limit, report)
    if engine == "auto" and found.answer == "unknown" and found.stopped in (None, "node limit"):
        left = None if time_limit is None else time_limit - found.seconds
        if (left is None or left > 0) and count_deterministic_policies(problem.mdp) <= _ASKED:
            with Limits(_SOLVER_SECONDS if left is None else left) as limits:
                return _by_smt(problem, limits, found)
    return found


def forall_unsafe(
    problem: SafetyProblem,
    *,
    time_limit: float | None = None,
    cell_limit: int = _CELLS,
    report: Callable[[RegionProgress], None] | None = None,
) -> FamilyVerdict:
    """Decide whether the data distribution is unsafe for all values of the parameters.

    As `forall_safe`: ``unsafe`` for all, or ``safe`` at the rational `point`, or unknown.
    """
    return _for_all(problem, "unsafe", "tree", time_limit, cell_limit, report)


def _for_all(
    problem: SafetyProblem,
    hoped: Literal["safe", "unsafe"],
    engine: str,
    time_limit: float | None,
    cell_limit: int,
    report: Callable[[RegionProgress], None] | None,
) -> FamilyVerdict:
    other: Literal["safe", "unsafe"] = "unsafe" if hoped == "safe" else "safe"
    with Limits(time_limit, cell_limit, counted="cell_limit") as limits:
        subdivision = _subdivision(problem, limits)
        if engine == "auto" and is_affine_in_data(problem):
            found = _by_vertices(problem, limits)
            if found is not None:
                return found
        points = subdivision.prover.points
        stopped = subdivision.run(limits, enough=lambda: other in points, report=report)
        point = points.get(other)
        known = _region(subdivision, limits, stopped)
        verdict = None if point is None else decide(problem.at(**point))
        answer: Answer = "unknown"
        if point is not None:
            answer = other
        elif known.undecided == 0:
            answer = hoped
        return FamilyVerdict(
            answer=answer,
            point=point,
            verdict=verdict,
            certificate=known.certificate if verdict is None else verdict.certificate,
            vertices=(),
            route=known.route if verdict is None else "the exact engine at a point of the domain",
            rests_on="certificate",
            region=known,
            seconds=limits.elapsed,
            stopped=stopped,
        )


@dataclass(frozen=True, slots=True)
class RadiusPiece:
    """An open interval of the parameter on which the safety radius is one function of it.

    Attributes
    ----------
    low, high : Fraction
    radius : Fraction or RationalFunction, or None
        None if the search ended before the interval was resolved.
    upper, lower : Certificate or None
        Of kind region: unsafe at `radius` on the interval, and safe at every smaller tolerance
        (a second parameter is the share of it). Where `radius` is 0, `upper` is about every
        tolerance, a second parameter, and there is no `lower`.
    """

    low: Fraction
    high: Fraction
    radius: Number | None
    upper: Certificate | None
    lower: Certificate | None


@dataclass(frozen=True, slots=True)
class RadiusCurve:
    """The safety radius as a function of a single parameter.

    Attributes
    ----------
    name : str
        The parameter.
    pieces : tuple of RadiusPiece
        From its least to its greatest value.
    ends : mapping of Fraction to Verdict
        The radius at the ends of the pieces, each with its ordinary certificate.
    seconds : float
    stopped : str or None
    """

    name: str
    pieces: tuple[RadiusPiece, ...]
    ends: Mapping[Fraction, Verdict]
    seconds: float
    stopped: str | None

    def __repr__(self) -> str:
        return f"RadiusCurve({self.name}, {len(self.pieces)} pieces)"


def radius_curve(problem: SafetyProblem, *, time_limit: float | None = None) -> RadiusCurve:
    """Return the safety radius as an exact, piecewise rational function of a single parameter.

    Parameters
    ----------
    problem : SafetyProblem
        With one parameter and no constraints; its epsilon plays no part.
    time_limit : float, optional
        Seconds.

    Raises
    ------
    InputError
        If there is not exactly one parameter, or the problem is none somewhere in its domain.

    Notes
    -----
    Every piece is proven from both sides. Breakpoints that are no rational numbers remain in
    unresolved intervals of about a millionth of the domain.

    Examples
    --------
    >>> from symsafe import MDP, DataDistribution, SafetyProblem
    >>> mdp = MDP.bandit({"s": {"good": 1, "bad": 0}}, parameters={"p": ("1/10", "9/10")})
    >>> data = DataDistribution.from_table(mdp, {"s": {"good": "1 - p", "bad": "p"}})
    >>> for piece in radius_curve(SafetyProblem(mdp, data, regret="1/2")).pieces:
    ...     print(piece.low, piece.high, piece.radius)
    1/10 1/2 p
    1/2 9/10 -p + 1
    """
    require_problem(problem)
    space = problem.mdp.parameters
    if len(space.names) != 1 or space.constraints:
        raise InputError("parameters", repr(space), "one parameter, without constraints")
    with Limits(time_limit) as limits:
        require_well_formed(problem, limits)
        pieces = []
        for piece in trace_radius(problem, limits):
            upper, lower = (
                None if proof is None else region_certificate(proof)
                for proof in (piece.upper, piece.lower)
            )
            pieces.append(RadiusPiece(piece.low, piece.high, piece.radius, upper, lower))
        places = dict.fromkeys(end for piece in pieces for end in (piece.low, piece.high))
        left = limits.remaining()
        share = None if left is None else max(left, _CLOSING) / max(1, len(places))
        ends = dict[Fraction, Verdict]()
        for end in places:
            point = {space.names[0]: end}
            with at_point(point):
                ends[end] = radius(problem.at(**point), time_limit=share)
        return RadiusCurve(space.names[0], tuple(pieces), ends, limits.elapsed, limits.reached())


def _by_smt(problem: SafetyProblem, limits: Limits, before: FamilyVerdict | None) -> FamilyVerdict:
    """Ask z3; `before` is what subdivision found."""
    outcome = decide_family_by_smt(problem, limits)
    region = None if before is None else before.region
    for point in outcome.candidates:
        if problem.mdp.parameters.contains(point):
            verdict = decide(problem.at(**point))
            if verdict.answer == "unsafe":
                return FamilyVerdict(
                    answer="unsafe",
                    point=point,
                    verdict=verdict,
                    certificate=verdict.certificate,
                    vertices=(),
                    route="z3 proposed a point, which the exact engine decided",
                    rests_on="certificate",
                    region=region,
                    seconds=limits.elapsed,
                    stopped=None,
                )
    answer: Answer = "unknown"
    route = f"z3 gave no answer ({outcome.stopped})"
    if outcome.excluded:
        answer = "safe"
        route = f"{outcome.queries} queries in nonlinear real arithmetic, all of them unsat"
        route += f" by {' and '.join(outcome.solvers)}: no certificate proves it"
    elif outcome.stopped is None:
        answer = "unsafe"
        route = "z3's word for a model near which no rational point was found unsafe"
        route += f": {outcome.algebraic}" if outcome.algebraic else ""
    return FamilyVerdict(
        answer=answer,
        point=None,
        verdict=None,
        certificate=None if region is None else region.certificate,
        vertices=(),
        route=route,
        rests_on="certificate" if answer == "unknown" else "solver",
        region=region,
        seconds=limits.elapsed,
        stopped=outcome.stopped,
    )


def _subdivision(problem: SafetyProblem, limits: Limits, *, half_open: bool = False) -> Subdivision:
    _require_family(problem)
    return Subdivision(problem, require_well_formed(problem, limits), half_open)


def _require_family(problem: SafetyProblem) -> None:
    require_problem(problem)
    if not problem.mdp.parameters.names:
        raise InputError("parameters", "none", "a problem with parameters")
    require_tolerance(problem, "to decide")


def _by_vertices(problem: SafetyProblem, limits: Limits) -> FamilyVerdict | None:
    """Decide by the vertices of the domain, unless they are too many or outside of it."""
    points = vertices(problem.mdp.parameters)
    if points is None:
        return None
    verdicts: list[Verdict] = []
    for point in points:
        if limits.reached() or not problem.mdp.parameters.contains(point):
            return None
        verdict = decide(problem.at(**point), time_limit=limits.remaining() or None)
        verdicts.append(verdict)
        if verdict.answer != "safe":
            break
    last = verdicts[-1]
    unsafe = last.answer == "unsafe"
    if last.answer == "unknown":
        return None
    return FamilyVerdict(
        answer=last.answer,
        point=points[len(verdicts) - 1] if unsafe else None,
        verdict=last if unsafe else None,
        certificate=last.certificate if unsafe else None,
        vertices=tuple(verdicts),
        route="D is affine in the parameters and the rest is fixed, so the radius is concave: "
        + (
            f"the vertex {show_point(points[len(verdicts) - 1])} is unsafe"
            if unsafe
            else f"all {len(points)} vertices of the domain are safe"
        ),
        rests_on="certificate",
        region=None,
        seconds=limits.elapsed,
        stopped=None,
    )


def _region(subdivision: Subdivision, limits: Limits, stopped: str | None) -> Region:
    space = subdivision.problem.mdp.parameters
    shares = subdivision.shares
    leaves = tuple(RegionCell(cell.box, cell.state, cell.interior) for cell in subdivision.leaves())
    certificate = region_certificate(subdivision)
    return Region(
        names=space.names,
        safe=shares["safe"],
        unsafe=shares["unsafe"],
        undecided=shares["undecided"],
        outside=shares["outside"],
        cells=leaves,
        boundaries=_boundaries(leaves) if len(space.names) == 1 else None,
        points=subdivision.prover.points,
        certificate=certificate,
        route=f"certified subdivision into {len(leaves)} cells",
        seconds=limits.elapsed,
        stopped=stopped,
    )


def _boundaries(cells: tuple[RegionCell, ...]) -> tuple[tuple[Fraction, Fraction], ...]:
    """Return the places that separate proven cells: undecided intervals, or single points."""
    found = []
    start = None
    for before, cell in zip((None, *cells), cells, strict=False):
        low = cell.box[0][0]
        if cell.state == "undecided":
            start = low if start is None else start
            continue
        if start is not None:
            found.append((start, low))
        elif before is not None:
            changes = {before.state, cell.state} == {"safe", "unsafe"}
            if changes or (before.interior and cell.interior):
                found.append((low, low))
        start = None
    if start is not None:
        found.append((start, cells[-1].box[0][1]))
    return tuple(found)
