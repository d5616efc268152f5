"""Which data distributions are compatible with a number of samples: exact binomial limits.

Every pair by itself gets the interval of Clopper and Pearson (Biometrika 26, 1934), and the levels
are shared out evenly (Bonferroni), so that all intervals hold together at the level asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from flint import arb, fmpq

from symsafe.errors import InputError
from symsafe.exact import exact, format_fraction
from symsafe.model import DataDistribution
from symsafe.model.data_set import DataRow, DataSet
from symsafe.model.tables import require_instance

__all__ = ["confidence_set"]


def confidence_set(data: DataDistribution, level: object) -> DataSet:
    """Return the data distributions that are compatible with counts of independent samples.

    Parameters
    ----------
    data : DataDistribution
        With counts.
    level : number
        Of confidence, in (0, 1), such as ``"95/100"``: before the samples are drawn, the set will
        contain the distribution that they are drawn from with at least this probability.

    Raises
    ------
    InputError
        If the data have no counts, or for a level out of range.

    Notes
    -----
    The limits are decimals, rounded outwards; that each is one is proven by ball arithmetic.

    Examples
    --------
    >>> from symsafe.model import MDP
    >>> mdp = MDP.bandit({"s": {"a": 1, "b": 0}})
    >>> data = DataDistribution.from_counts(mdp, {"s": {"a": 0, "b": 10}})
    >>> for row in confidence_set(data, "95/100").rows[:2]:
    ...     print(row.coefficients, row.bound)
    {0: Fraction(1, 1)} 70961/200000
    {1: Fraction(-1, 1)} -129039/200000
    """
    require_instance(data, DataDistribution, "data", "a DataDistribution")
    if data.counts is None:
        raise InputError("data", "no counts", "the number of samples at each pair, as counts")
    share = exact(level, "confidence")
    if not 0 < share < 1:
        raise InputError("confidence", format_fraction(share), "a number between 0 and 1")
    total = sum(data.counts)
    tail = arb(fmpq(share.denominator - share.numerator, share.denominator)) / (
        2 * len(data.counts)
    )
    rows = []
    for p, count in enumerate(data.counts):
        upper = _upper_limit(count, total, tail)
        lower = 1 - _upper_limit(total - count, total, tail)
        if lower > 0:
            rows.append(DataRow({p: Fraction(-1)}, "at most", -lower))
        if upper < 1:
            rows.append(DataRow({p: Fraction(1)}, "at most", upper))
    return DataSet(data.mdp, tuple(rows))


def _upper_limit(count: int, total: int, tail: arb) -> Fraction:
    """Return a share of which `count` samples or fewer of `total` have a probability below tail."""
    if count == total:
        return Fraction(1)

    def rare(share: Fraction) -> bool:
        rest = 1 - share
        ball = arb(fmpq(rest.numerator, rest.denominator))
        return bool(ball.beta_lower(total - count, count + 1, regularized=1) < tail)

    return _least(rare, 10 ** (len(str(total)) + 4))


def _least(holds: Callable[[Fraction], bool], unit: int) -> Fraction:
    """Return the least multiple of 1/unit in [0, 1] at which a monotone condition holds."""
    low, high = 0, unit
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(Fraction(middle, unit)) else (middle, high)
    return Fraction(high, unit)
