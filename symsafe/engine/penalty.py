"""A regularizer in the units in which engines work: a separable convex function of occupancy.

omega sums c x + q (x - rho)^2 + m |x - rho| over the pairs, where x = (1 - gamma) eta; see
CERTIFICATE.md, regularised problems. Exact throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from symsafe.analysis.linear_program import LinearOptimum
from symsafe.analysis.occupancy import occupancy, reachable_states
from symsafe.analysis.quadratic_program import maximise_quadratic
from symsafe.engine.question import Question
from symsafe.engine.witness import bellman_rows
from symsafe.errors import EngineError, InputError, UnsupportedError
from symsafe.model.tables import path

__all__ = ["Peak", "Penalty", "highest"]

Numbers = tuple[Fraction, ...]
_ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Penalty:
    """lambda * omega of a question.

    Attributes
    ----------
    weight : Fraction
        lambda.
    scale : Fraction
        lambda (1 - gamma): the price of a slope per unnormalised visit.
    linear, square, kink, reference : tuple of Fraction, one per pair
        c, q, m and rho.
    visits : tuple of Fraction, one per state, or None
        Unnormalised visits of the reference policy, where there is one.
    """

    weight: Fraction
    scale: Fraction
    share: Fraction
    linear: Numbers
    square: Numbers
    kink: Numbers
    reference: Numbers
    visits: Numbers | None

    @classmethod
    def of(cls, question: Question) -> Penalty:
        """Return the penalty of a question whose problem has a regularizer.

        Raises
        ------
        InputError
            For ``chi2`` with a reference that never takes an action of a state which some policy
            visits: omega is infinite there.
        UnsupportedError
            For ``kl``, which is no piecewise quadratic function of the occupancy measure.
        """
        given = question.problem.regularizer
        if given is None:
            raise InputError("regularizer", None, "a problem with a regularizer")
        if given.kind == "kl":
            raise UnsupportedError("regularizer: kl is not answered by this engine")
        mdp, share = question.mdp, 1 - question.discount
        nothing = (_ZERO,) * len(mdp.pairs)
        linear = square = kink = reference = nothing
        visits = None
        if given.coefficients is not None:
            linear = given.coefficients
        if given.reference is not None:
            eta = occupancy(mdp, given.reference)
            reference = tuple(share * x for x in eta)
            visits = tuple(sum((eta[p] for p in pairs), _ZERO) for pairs in mdp.pair_ranges)
        if given.kind == "l2":
            square = (Fraction(1),) * len(nothing)
        elif given.kind == "tv":
            kink = (Fraction(1, 2),) * len(nothing)
        elif given.kind == "chi2":
            for state in reachable_states(mdp):
                for pair in mdp.pair_ranges[state]:
                    if not reference[pair]:
                        place = path("regularizer", "reference", *mdp.pairs[pair])
                        raise InputError(
                            place, "0", "a positive probability, as chi2 is infinite else"
                        )
            square = tuple(1 / x if x else _ZERO for x in reference)
        return cls(
            given.weight, given.weight * share, share, linear, square, kink, reference, visits
        )

    def omega(self, occupancies: Sequence[Fraction]) -> Fraction:
        """Return omega of an unnormalised occupancy measure."""
        total = _ZERO
        for p, eta in enumerate(occupancies):
            x = self.share * eta
            gap = x - self.reference[p]
            total += self.linear[p] * x + self.square[p] * gap * gap + self.kink[p] * abs(gap)
        return total

    def slope_range(self, pair: int, eta: Fraction) -> tuple[Fraction, Fraction]:
        """Return the least and the greatest slope of omega at an unnormalised occupancy."""
        gap = self.share * eta - self.reference[pair]
        smooth = self.linear[pair] + 2 * self.square[pair] * gap
        kink = self.kink[pair]
        return smooth + (kink if gap > 0 else -kink), smooth + (-kink if gap < 0 else kink)


@dataclass(frozen=True, slots=True)
class Peak:
    """The greatest value of f = J - lambda omega over some occupancy measures, with its proof.

    Attributes
    ----------
    value : Fraction
    occupancy : tuple of Fraction, one per pair
        Attains it, unnormalised; `normalised` is (1 - gamma) times that.
    slope : tuple of Fraction, one per pair
        Of omega there, such that `potential` and `price` prove that nothing is higher.
    price : Fraction
        Multiplier of the bound on the return, at least 0.
    potential : tuple of Fraction, one per state
        U with ``(1 - price) R - lambda (1 - gamma) slope <= EU`` where visits are allowed.
    """

    value: Fraction
    occupancy: Numbers
    normalised: Numbers
    slope: Numbers
    price: Fraction
    potential: Numbers


def highest(
    question: Question,
    penalty: Penalty,
    *,
    bad: bool = False,
    unused: frozenset[int] = frozenset(),
    reward: Sequence[Fraction] | None = None,
) -> Peak | None:
    """Maximise J - lambda omega over occupancy measures, or return None if there are none.

    Parameters
    ----------
    question : Question
    penalty : Penalty
    bad : bool
        Only over those whose return under the true reward is at most b.
    unused : set of pairs that are not visited
    reward : one number per pair, optional
        Instead of the true reward, in J; the return that `bad` speaks of is the true one.
    """
    paid = question.rewards if reward is None else reward
    count, states = len(question.rewards), len(question.initial)
    # Columns: eta; above and below the reference where omega has a kink; the slack of the return.
    kinks = [p for p in range(count) if penalty.kink[p]]
    columns = count + 2 * len(kinks) + 1
    objective, squares = [_ZERO] * columns, [_ZERO] * columns
    for p in range(count):
        square = penalty.weight * penalty.square[p]
        constant = penalty.linear[p] - 2 * penalty.square[p] * penalty.reference[p]
        objective[p] = paid[p] - penalty.scale * constant
        squares[p] = square * penalty.share**2
    rows = [dict(row) for row in bellman_rows(question)]
    right = list(question.initial)
    for k, p in enumerate(kinks):
        above, below = count + 2 * k, count + 2 * k + 1
        objective[above] = objective[below] = -penalty.weight * penalty.kink[p]
        rows.append({p: penalty.share, above: Fraction(-1), below: Fraction(1)})
        right.append(penalty.reference[p])
    if bad:
        rows.append({**dict(enumerate(question.rewards)), columns - 1: Fraction(1)})
        right.append(question.bad_return)
    upper = [_ZERO if p in unused else None for p in range(count)] + [None] * (columns - count)
    if not bad:
        upper[-1] = _ZERO
    found = maximise_quadratic(objective, squares, rows, right, [_ZERO] * columns, upper)
    if found.status == "infeasible":
        return None
    return _peak(penalty, found, paid, kinks, states, bad)


def _peak(
    penalty: Penalty,
    found: LinearOptimum,
    paid: Sequence[Fraction],
    kinks: Sequence[int],
    states: int,
    bad: bool,
) -> Peak:
    if found.point is None or found.multipliers is None:
        raise EngineError(f"the programme of a regularised optimum is {found.status}")
    eta = found.point[: len(paid)]
    slope = [penalty.slope_range(p, x)[0] for p, x in enumerate(eta)]
    for k, p in enumerate(kinks):
        # The multiplier of the row is the marginal worth of a visit, at most the kink on each side.
        marginal = found.multipliers[states + k]
        if penalty.weight:
            low, high = penalty.slope_range(p, eta[p])
            slope[p] = min(max(penalty.linear[p] + marginal / penalty.weight, low), high)
    value = sum((x * r for x, r in zip(eta, paid, strict=True)), _ZERO)
    value -= penalty.weight * penalty.omega(eta)
    price = found.multipliers[-1] if bad else _ZERO
    share = tuple(penalty.share * x for x in eta)
    return Peak(value, eta, share, tuple(slope), price, found.multipliers[:states])
