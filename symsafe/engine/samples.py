"""The fewest labelled samples that make data safe: an integer programme over witnesses.

If the relative frequencies of counts n + m are safe, every witness costs more than epsilon under
them: one linear condition on m per witness. Branch and bound over exact linear programmes finds the
fewest samples that meet those known; the search for the cheapest bad policy under them finds one
more witness, or shows that they suffice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor, gcd, lcm
from operator import mul

from symsafe.analysis.linear_program import Bound, maximise
from symsafe.engine.limits import Limits
from symsafe.engine.question import Question
from symsafe.engine.search import search
from symsafe.engine.tree import Outcome, Progress
from symsafe.engine.witness import Witness, cheapest_witness
from symsafe.errors import EngineError

__all__ = ["Branch", "Samples", "fewest"]

Integers = tuple[int, ...]
_ZERO, _ONE = Fraction(0), Fraction(1)
_BRANCHES = 400  # in one integer programme; where it is reached the answer has a gap
_ROUNDS = 100_000


@dataclass(slots=True, eq=False)
class Branch:
    """The numbers of samples between two bounds, and what they need at least.

    Attributes
    ----------
    lower : tuple of int, one per pair
    upper : tuple of int, one per pair
    bound : Fraction
        No numbers here that meet the cuts have a smaller sum.
    prices : tuple of Fraction, one per cut
        Multipliers that prove it.
    cut : tuple (pair, number, below, above) or None
        Below have at most this number of samples of the pair, above more.
    """

    lower: Integers
    upper: Integers
    bound: Fraction
    prices: tuple[Fraction, ...]
    cut: tuple[int, int, Branch, Branch] | None = None

    def least(self) -> int:
        """Return a number that no sum here is below, by the bounds of the leaves."""
        least, waiting = None, [self]
        while waiting:
            node = waiting.pop()
            if node.cut is not None:
                waiting += node.cut[2:]
            else:
                own = ceil(node.bound)
                least = own if least is None else min(least, own)
        return least or 0


@dataclass(frozen=True, slots=True)
class Samples:
    """What the search ends with.

    Attributes
    ----------
    lower : int
        Fewer samples do not suffice, by the leaves of `root` and the witnesses.
    samples : tuple of int, one per pair, or None
        After adding these the data are safe, by `outcome`. None if a limit was reached before.
    root : Branch
    witnesses : tuple of Witness
    outcome : Outcome or None
    stopped : str or None
    """

    lower: int
    samples: Integers | None
    root: Branch
    witnesses: tuple[Witness, ...]
    outcome: Outcome | None
    stopped: str | None


def fewest(
    question: Question,
    counts: Integers,
    epsilon: Fraction,
    limits: Limits,
    report: Callable[[Progress], None] | None = None,
    start: Sequence[Witness] = (),
) -> Samples:
    """Search for the fewest samples that make counts safe at a tolerance.

    Parameters
    ----------
    question : Question
    counts : tuple of int, one per pair
    epsilon : Fraction
        Below the critical one, else there are no such samples.
    limits : Limits
    report : callable, optional
        Receives a `Progress`: cuts, and the bounds of the number of samples.
    start : sequence of Witness
        Known from elsewhere, such as those of `highest_radius`.
    """
    question.require_unregularised()
    return _Programme(question, counts, epsilon, limits, report, start).run()


class _Programme:
    def __init__(
        self,
        question: Question,
        counts: Integers,
        epsilon: Fraction,
        limits: Limits,
        report: Callable[[Progress], None] | None,
        start: Sequence[Witness],
    ) -> None:
        self.question, self.counts, self.limits, self.report = question, counts, limits, report
        self.due = epsilon * question.reward_range
        self.witnesses: list[Witness] = []
        self.cuts: list[Integers] = []
        self.best: tuple[int, Integers, Outcome] | None = None
        self.add(cheapest_witness(question, question.returns.worst))
        for witness in start:
            self.add(witness)

    def add(self, witness: Witness) -> bool:
        """Take up a witness; return False if it says nothing new."""
        excess = [
            abs(x - r) - self.due
            for x, r in zip(witness.reward, self.question.rewards, strict=True)
        ]
        scale = lcm(*(x.denominator for x in excess))
        entries = [int(x * scale) for x in excess]
        divisor = gcd(*entries) or 1
        cut = tuple(x // divisor for x in entries)
        if cut in self.cuts:
            return False
        self.cuts.append(cut)
        self.witnesses.append(witness)
        return True

    def run(self) -> Samples:
        zeros = (0,) * len(self.counts)
        least, proof = 0, Branch(zeros, zeros, _ZERO, ())
        for _ in range(_ROUNDS):
            root, samples = self.solve()
            # A branch says nothing about numbers beyond those that were of interest.
            found = min(root.least(), sum(samples))
            least, proof = max((least, proof), (found, root), key=lambda entry: entry[0])
            outcome = self.search(samples)
            stopped = outcome.stopped or self.limits.reached(len(self.cuts))
            if outcome.lower > self.due:
                if least < sum(samples):
                    stopped = stopped or "node limit"
                return Samples(least, samples, proof, tuple(self.witnesses), outcome, stopped)
            if stopped is not None:
                return Samples(least, None, proof, tuple(self.witnesses), None, stopped)
            if not self.add(outcome.witness):
                raise EngineError("a witness came twice in the search for samples")
            if self.report is not None:
                self.report(Progress(len(self.cuts), 0, float(least), float("inf")))
        raise EngineError("the search for samples does not end")

    def search(self, samples: Integers) -> Outcome:
        """Decide whether the data with some samples added are safe."""
        total = sum(self.counts) + sum(samples)
        weights = tuple(Fraction(n + m, total) for n, m in zip(self.counts, samples, strict=True))
        return search(replace(self.question, weights=weights), self.limits, enough=self.due)

    # -- the integer programme -------------------------------------------------------------------

    def solve(self) -> tuple[Branch, Integers]:
        """Return a tree that bounds the number of samples which meet the cuts, and few that do."""
        size = len(self.counts)
        samples = self.trimmed(self.enough())
        root, point = self.branch((0,) * size, (max(0, sum(samples) - 1),) * size)
        waiting, made = [(root, point)], 1
        while made < _BRANCHES and self.limits.reached() is None:
            node, point = min(waiting, key=lambda entry: entry[0].bound)
            if ceil(node.bound) >= sum(samples):
                break
            waiting.remove((node, point))
            rounded = self.trimmed(tuple(map(ceil, point)))
            if self.meets(rounded) and sum(rounded) < sum(samples):
                samples = rounded
            pair = max(range(size), key=lambda p: min(point[p] % 1, -point[p] % 1))
            number = floor(point[pair])
            if not point[pair] % 1:  # whole numbers: they meet the cuts
                break
            upper = (*node.upper[:pair], number, *node.upper[pair + 1 :])
            lower = (*node.lower[:pair], number + 1, *node.lower[pair + 1 :])
            below, above = self.branch(node.lower, upper), self.branch(lower, node.upper)
            node.cut = (pair, number, below[0], above[0])
            waiting += (below, above)
            made += 2
        return root, samples

    def meets(self, samples: Integers) -> bool:
        totals = [n + m for n, m in zip(self.counts, samples, strict=True)]
        return all(sum(map(mul, cut, totals)) >= 1 for cut in self.cuts)

    def trimmed(self, samples: Integers) -> Integers:
        """Leave out single samples as long as the cuts stay met."""
        if not self.meets(samples):
            return samples
        for p in range(len(samples)):
            while samples[p]:
                fewer = (*samples[:p], samples[p] - 1, *samples[p + 1 :])
                if not self.meets(fewer):
                    break
                samples = fewer
        return samples

    def enough(self) -> Integers:
        """Return numbers of samples that meet the cuts: those of a programme with some reserve."""
        size = len(self.counts)
        rows, right = [], []
        for k, cut in enumerate(self.cuts):
            unit = max(map(abs, cut))
            # Rounding up adds less than 1 to each number.
            reserve = -sum(min(0, a) for a in cut)
            rows.append({**self.row(cut, unit), size + k: -_ONE})
            right.append(Fraction(1 + reserve - sum(map(mul, cut, self.counts)), unit))
        count = len(self.cuts)
        objective = [-_ONE] * size + [_ZERO] * count
        lower: list[Bound] = [_ZERO] * (size + count)
        found = maximise(objective, rows, right, lower, [None] * (size + count))
        if found.point is None:
            raise EngineError(f"the programme over the witnesses is {found.status}")
        return tuple(map(ceil, found.point[:size]))

    def row(self, cut: Integers, unit: int) -> dict[int, Fraction]:
        return {p: Fraction(a, unit) for p, a in enumerate(cut) if a}

    def branch(self, lower: Integers, upper: Integers) -> tuple[Branch, tuple[Fraction, ...]]:
        """Return the branch of some bounds, and fractions of samples that attain its bound.

        What is missing in a cut may be bought, at a price that is raised until nothing is, or the
        bounds are shown to be too tight for the samples that are of interest.
        """
        size, count = len(self.counts), len(self.cuts)
        units = [max(map(abs, cut)) for cut in self.cuts]
        rows, right = [], []
        for k, (cut, unit) in enumerate(zip(self.cuts, units, strict=True)):
            rows.append({**self.row(cut, unit), size: _ONE, size + 1 + k: -_ONE})
            right.append(Fraction(1 - sum(map(mul, cut, self.counts)), unit))
        low: list[Bound] = [*map(Fraction, lower), *[_ZERO] * (count + 1)]
        high: list[Bound] = [*map(Fraction, upper), *[None] * (count + 1)]
        most, price = sum(upper), Fraction(1000 * (1 + sum(upper)))
        while True:
            objective = [*[-_ONE] * size, -price, *[_ZERO] * count]
            found = maximise(objective, rows, right, low, high)
            if found.value is None or found.point is None or found.multipliers is None:
                raise EngineError(f"the programme over the witnesses is {found.status}")
            if not found.point[size] or -found.value > most:
                scaled = zip(found.multipliers, units, strict=True)
                prices = tuple(-y / unit for y, unit in scaled)
                return Branch(lower, upper, -found.value, prices), found.point[:size]
            price *= 1000
