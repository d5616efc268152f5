"""Certified subdivision: split the box of parameters until each cell is proven, or small enough."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from symsafe import checker
from symsafe.engine.limits import Limits, Within
from symsafe.engine.parametric.cells import CellProver, Evidence
from symsafe.engine.parametric.domain import points_inside
from symsafe.engine.parametric.functions import Box, corners
from symsafe.model import SafetyProblem

__all__ = ["Cell", "RegionProgress", "Subdivision"]

_TRIED = 12
_SMALLEST = Fraction(1, 2**60)

Found = Evidence | Literal["undecided"] | int


@dataclass(eq=False)
class Cell:
    """A part of the box: split, proven, outside the domain (by which constraint), or open."""

    box: Box
    share: Fraction
    found: Found = "undecided"
    children: tuple[Cell, Cell] | None = None
    axis: int = 0
    interior: bool = False  # proven for the interior only

    @property
    def state(self) -> str:
        """``"safe"``, ``"unsafe"``, ``"outside"`` or ``"undecided"``."""
        if isinstance(self.found, Evidence):
            return self.found.kind
        return "outside" if isinstance(self.found, int) else self.found


@dataclass(frozen=True, slots=True)
class RegionProgress:
    """A snapshot of a running subdivision: shares of the box, and cells."""

    safe: float
    unsafe: float
    undecided: float
    cells: int


@dataclass
class Subdivision:
    """The growing tree of cells of one problem.

    Parameters
    ----------
    problem : SafetyProblem
        With parameters and an epsilon.
    inside : mapping
        A point of the domain.
    half_open : bool
        With a single parameter: whether cells may be proven without their ends. Cut at a rational
        root of a condition, such cells end exactly where safe changes to unsafe.
    """

    problem: SafetyProblem
    inside: dict[str, Fraction]
    prover: CellProver = field(init=False)
    root: Cell = field(init=False)
    shares: dict[str, Fraction] = field(init=False)
    half_open: bool = False
    count: int = 1

    def __post_init__(self) -> None:
        self.prover = CellProver(self.problem, self.inside)
        box = tuple(self.problem.mdp.parameters.bounds.values())
        self.root = Cell(box, Fraction(1))
        self.shares = dict.fromkeys(("safe", "unsafe", "outside"), Fraction(0))
        self.shares["undecided"] = Fraction(1)
        self._sharp = self.half_open and len(box) == 1
        self._widths = [high - low for low, high in box]
        self._pool: list[Evidence] = []
        self._order = itertools.count()
        self._open: list[tuple[Fraction, int, Cell]] = []
        self._push(self.root)

    def run(
        self,
        limits: Limits,
        *,
        target: Fraction = Fraction(1),
        smallest: Fraction = _SMALLEST,
        enough: Callable[[], bool] = lambda: False,
        report: Callable[[RegionProgress], None] | None = None,
    ) -> str | None:
        """Go on until a share of the domain is decided, nothing is left to split, or a limit.

        Parameters
        ----------
        limits : Limits
        target : Fraction
            Share of the domain that is to be decided.
        smallest : Fraction
            Cells of at most this share are not split.
        enough : callable
            Asked before each cell; ends the run when true.
        report : callable, optional

        Returns
        -------
        str or None
            The limit that ended the run.
        """
        self.prover.limits = Within(limits)
        while self._open and not enough():
            domain = 1 - self.shares["outside"]
            if self.shares["undecided"] <= (1 - target) * domain and target < 1:
                return None
            stopped = limits.reached(self.count)
            if stopped:
                return stopped
            _, _, cell = heapq.heappop(self._open)
            if not self._settle(cell) and cell.share > smallest:
                self._split(cell)
            if report:
                safe, unsafe, undecided = (
                    float(self.shares[key]) for key in ("safe", "unsafe", "undecided")
                )
                report(RegionProgress(safe, unsafe, undecided, self.count))
        return None

    def settle_root(self, evidence: Evidence) -> None:
        """Take evidence about the interior of the whole box, found elsewhere."""
        self.root.interior = True
        self._mark(self.root, evidence)

    def cells(self) -> Iterator[Cell]:
        """Yield all cells in preorder, the lower part of a split first."""
        waiting = [self.root]
        while waiting:
            cell = waiting.pop()
            yield cell
            if cell.children is not None:
                waiting.extend(reversed(cell.children))

    def leaves(self) -> Iterator[Cell]:
        """Yield the cells that are not split."""
        return (cell for cell in self.cells() if cell.children is None)

    def _push(self, cell: Cell) -> None:
        heapq.heappush(self._open, (-cell.share, next(self._order), cell))

    def _mark(self, cell: Cell, found: Found) -> bool:
        cell.found = found
        self.shares["undecided"] -= cell.share
        self.shares[cell.state] += cell.share
        return True

    def _settle(self, cell: Cell) -> bool:
        family = self.prover.family
        for k, bound in enumerate(family.bounds):
            opposite = {powers: -x for powers, x in bound.items()}
            if checker.proven(opposite, True, list(cell.box), []):
                return self._mark(cell, k)
        for position, evidence in enumerate(self._pool[:_TRIED]):
            if evidence.proves(family, cell.box):
                self._pool.insert(0, self._pool.pop(position))
                return self._mark(cell, evidence)
        for evidence in self._pool[:_TRIED] if self._sharp else []:
            if evidence.proves(family, cell.box, interior=True):
                cell.interior = True
                return self._mark(cell, evidence)
        if self._is_mixed(cell.box):
            return False
        point = next(points_inside(self.problem.mdp.parameters, cell.box), None)
        if point is None:
            return False
        found = self.prover.prove(cell.box, point)
        if found is None:
            return False
        self._pool.insert(0, found)
        return self._mark(cell, found)

    def _is_mixed(self, box: Box) -> bool:
        """Whether some corner looks safe and another unsafe, so that no proof can be had."""
        kinds = set()
        for corner in corners(box)[:_TRIED]:
            point = tuple((x, x) for x in corner)
            kinds |= {
                evidence.kind
                for evidence in self._pool[:_TRIED]
                if evidence.kind not in kinds and evidence.screen.may_hold(point)
            }
        return len(kinds) == 2

    def _split(self, cell: Cell) -> None:
        def width(axis: int) -> Fraction:
            low, high = cell.box[axis]
            return (high - low) / self._widths[axis] if self._widths[axis] else Fraction(0)

        axis = max(range(len(cell.box)), key=width)
        low, high = cell.box[axis]
        if low == high:
            return
        cut = (low + high) / 2
        for evidence in self._pool[:_TRIED] if self._sharp else []:
            cut = next(evidence.roots(low, high), cut)
        parts = []
        for ends in ((low, cut), (cut, high)):
            box = (*cell.box[:axis], ends, *cell.box[axis + 1 :])
            parts.append(Cell(box, cell.share * (ends[1] - ends[0]) / (high - low)))
        cell.axis, cell.children = axis, (parts[0], parts[1])
        self.count += 2
        for part in parts:
            self._push(part)
