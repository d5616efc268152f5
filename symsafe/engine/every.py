"""Whether every data distribution of a set is safe: witnesses at corners, floors of cells.

The safety radius is concave in D, so an unsafe distribution is looked for where a linear programme
makes a known witness cheapest. That there is none is proven cell by cell: no distribution of a cell
is below its floor, so if no bad policy is cheap under the floor, the whole cell is safe. Where the
floor is too low the cell is cut in two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from symsafe.analysis.linear_program import Bound, Row, maximise
from symsafe.engine.limits import Limits
from symsafe.engine.question import Question
from symsafe.engine.search import search
from symsafe.engine.tree import Node, Outcome, Progress
from symsafe.engine.witness import Witness, cheapest_witness
from symsafe.errors import InputError
from symsafe.exact import exact
from symsafe.model import DataDistribution
from symsafe.model.data_set import DataSet

__all__ = ["Cell", "Every", "decide_every", "tightened"]

Numbers = tuple[Fraction, ...]
_ZERO, _ONE = Fraction(0), Fraction(1)


@dataclass(slots=True, eq=False)
class Cell:
    """The distributions of a set between two bounds, and once it is closed what proves them safe.

    Attributes
    ----------
    lower, upper : tuple of Fraction, one per pair
        As they come from the cuts.
    cut : tuple (pair, weight, below, above) or None
    tree : Node or None
        A policy tree that is valid for the floor of the cell.
    empty : bool
    """

    lower: Numbers
    upper: Numbers
    cut: tuple[int, Fraction, Cell, Cell] | None = None
    tree: Node | None = None
    empty: bool = False


@dataclass(frozen=True, slots=True)
class Every:
    """What the search ends with: an unsafe distribution, or cells, or neither.

    Attributes
    ----------
    distribution : DataDistribution or None
        Unsafe, by `witness`.
    mixture : tuple of Fraction or None
        Its weights as a mixture of the members of the set, if the set has members.
    witness : Witness or None
    cells : tuple of Cell
        The root, or one cell per member; all closed if every distribution is safe.
    count : int
        Cells made.
    stopped : str or None
    """

    distribution: DataDistribution | None
    mixture: Numbers | None
    witness: Witness | None
    cells: tuple[Cell, ...]
    count: int
    stopped: str | None


def decide_every(
    question: Question,
    among: DataSet,
    epsilon: Fraction,
    limits: Limits,
    report: Callable[[Progress], None] | None = None,
) -> Every:
    """Search for an unsafe distribution of a set, and for the proof that there is none.

    Parameters
    ----------
    question : Question
        Its data distribution is looked at first, if the set contains it.
    among : DataSet
    epsilon : Fraction
    limits : Limits
    report : callable, optional
        Receives a `Progress`: cells, and those that are open.

    Raises
    ------
    InputError
        If the set is empty.

    Notes
    -----
    Exact. It ends unless the least radius of the set is epsilon to within what cells can tell;
    the number of cells is exponential in the number of pairs in the worst case.
    """
    question.require_unregularised()
    return _Every(question, among, epsilon, limits, report).run()


class _Every:
    def __init__(
        self,
        question: Question,
        among: DataSet,
        epsilon: Fraction,
        limits: Limits,
        report: Callable[[Progress], None] | None,
    ) -> None:
        self.question, self.among, self.limits, self.report = question, among, limits, report
        self.due = epsilon * question.reward_range
        self.epsilon = epsilon
        self.count = len(question.rewards)

    def run(self) -> Every:
        return self.members() if self.among.members is not None else self.cells()

    def search(self, weights: Numbers) -> Outcome:
        return search(replace(self.question, weights=weights), self.limits, enough=self.due)

    # -- mixtures --------------------------------------------------------------------------------

    def members(self) -> Every:
        """Look at each member: the radius is concave, so least at one of them."""
        members, cells = self.among.members or (), []
        for i, member in enumerate(members):
            weights = tuple(exact(x) for x in member.weights)
            outcome = self.search(weights)
            if outcome.witness.cost <= self.due:
                mixture = tuple(Fraction(i == k) for k in range(len(members)))
                return Every(member, mixture, outcome.witness, (), i + 1, None)
            if outcome.lower <= self.due:
                return Every(None, None, None, (), i + 1, outcome.stopped)
            cells.append(Cell(weights, weights, tree=outcome.root))
        return Every(None, None, None, tuple(cells), len(cells), None)

    # -- polytopes -------------------------------------------------------------------------------

    def cells(self) -> Every:
        root = Cell((_ZERO,) * self.count, (_ONE,) * self.count)
        start = cheapest_witness(self.question, self.question.returns.worst)
        if self.cheapest(start, root) is None:
            raise InputError("set", "no distribution", "a set with at least one")
        waiting, made = [root], 1
        while waiting:
            stopped = self.limits.reached(made)
            if stopped:
                return Every(None, None, None, (root,), made, stopped)
            if self.report is not None:
                bound = float(self.epsilon)
                self.report(Progress(made, len(waiting), bound, bound))
            cell = waiting.pop()
            floor, ceiling = tightened(self.among, cell.lower, cell.upper)
            if any(low > high for low, high in zip(floor, ceiling, strict=True)):
                cell.empty = True
                continue
            outcome = self.search(floor)
            if outcome.lower > self.due:
                cell.tree = outcome.root
                continue
            if outcome.stopped is not None:
                return Every(None, None, None, (root,), made, outcome.stopped)
            found = self.attack(outcome.witness, cell)
            if isinstance(found, Every):
                return replace(found, count=made)
            pair, weight = self.cut(outcome.witness, found, floor, ceiling)
            below = replace(cell, upper=_with(cell.upper, pair, weight))
            above = replace(cell, lower=_with(cell.lower, pair, weight))
            cell.cut = (pair, weight, below, above)
            waiting += (below, above)
            made += 2
        return Every(None, None, None, (root,), made, None)

    def attack(self, witness: Witness, cell: Cell) -> Every | Numbers | None:
        """Look for an unsafe distribution of a cell, from a witness that is cheap at its floor.

        Return it, or the distribution of the cell at which the witness is cheapest.
        """
        weights = self.cheapest(witness, cell)
        if weights is None:
            return None
        # Either the witness itself is cheap there, or another one is.
        outcome = self.search(weights)
        if outcome.witness.cost > self.due:
            return weights
        data = DataDistribution(self.question.mdp, weights)
        return Every(data, None, outcome.witness, (), 0, None)

    def cheapest(self, witness: Witness, cell: Cell) -> Numbers | None:
        """Return the distribution of a cell under which a witness costs least, if there is one."""
        rows: list[Row] = [dict.fromkeys(range(self.count), _ONE)]
        right = [_ONE]
        lower: list[Bound] = [*cell.lower]
        upper: list[Bound] = [*cell.upper]
        for given in self.among.rows:
            row = dict(given.coefficients)
            if given.relation == "at most":
                row[len(lower)] = _ONE
                lower.append(_ZERO)
                upper.append(None)
            rows.append(row)
            right.append(given.bound)
        objective = [-x for x in self.errors(witness)]
        objective += [_ZERO] * (len(lower) - self.count)
        found = maximise(objective, rows, right, lower, upper)
        return None if found.point is None else found.point[: self.count]

    def errors(self, witness: Witness) -> Numbers:
        return tuple(abs(x - r) for x, r in zip(witness.reward, self.question.rewards, strict=True))

    def cut(
        self, witness: Witness, weights: Numbers | None, floor: Numbers, ceiling: Numbers
    ) -> tuple[int, Fraction]:
        """Return where to cut a cell: at the pair where the floor takes most from the witness."""
        top = ceiling if weights is None else weights
        lost = [
            (e * (x - y), p)
            for p, (e, x, y) in enumerate(zip(self.errors(witness), top, floor, strict=True))
        ]
        most, pair = max(lost)
        if most <= 0:  # nothing of the set is in the cell, though the bounds do not show it
            pair = max(range(self.count), key=lambda p: ceiling[p] - floor[p])
        low, high = floor[pair], ceiling[pair]
        middle = (low + high) / 2
        short = Fraction(f"{float(middle):.3g}")
        return pair, short if low < short < high else middle


def _with(numbers: Numbers, place: int, number: Fraction) -> Numbers:
    return (*numbers[:place], number, *numbers[place + 1 :])


def tightened(
    among: DataSet, lower: Sequence[Fraction], upper: Sequence[Fraction]
) -> tuple[Numbers, Numbers]:
    """Return the bounds of a cell of a set of rows after two passes over the rows and the sum.

    The lower bounds are the floor of the cell: no distribution of the set in it is below. If some
    lower bound is above the upper one, there is none in it.
    """
    low, high = [*lower], [*upper]

    def pass_over(row: Row, bound: Fraction) -> None:
        """Draw the bounds from <row, D> <= bound."""
        least = {p: min(c * low[p], c * high[p]) for p, c in row.items()}
        room = bound - sum(least.values(), _ZERO)
        for p, c in row.items():
            if c > 0:
                high[p] = min(high[p], (room + least[p]) / c)
            elif c < 0:
                low[p] = max(low[p], (room + least[p]) / c)

    total: tuple[Row, Literal["exactly"], Fraction] = (
        dict.fromkeys(range(len(low)), _ONE),
        "exactly",
        _ONE,
    )
    for row, relation, bound in (
        *((r.coefficients, r.relation, r.bound) for r in among.rows),
        total,
    ) * 2:
        pass_over(row, bound)
        if relation == "exactly":
            pass_over({p: -c for p, c in row.items()}, -bound)
    return tuple(low), tuple(high)
