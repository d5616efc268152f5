"""What a data distribution is: how often training looked at each state-action pair, exact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

from symsafe.errors import InputError
from symsafe.exact import Number, exact, format_fraction
from symsafe.model.mdp import MDP, require_mdp
from symsafe.model.tables import (
    pair_values,
    path,
    read_list,
    read_number,
    require_distribution,
    require_length,
)

__all__ = ["DataDistribution"]

_MOST = 10**15 - 1  # samples at a pair; JSON readers keep every such integer


@dataclass(frozen=True, slots=True, repr=False)
class DataDistribution:
    """The data distribution D over the state-action pairs of an MDP.

    Parameters
    ----------
    mdp : MDP
        Whose pairs are meant.
    weights : tuple of Number, one a pair of `mdp`
        D(s, a); at least 0, sums to exactly 1 (never normalised). Where it is 0 the learned reward
        may be anything at no cost. May contain parameters that `mdp` declares.
    counts : tuple of int, optional
        Labelled samples at each pair, where the weights are their relative frequencies.

    Raises
    ------
    InputError
        For a wrong length, a negative weight, a sum that is not exactly 1, counts that are no
        whole numbers of at most 15 digits or whose relative frequencies are not the weights.

    Examples
    --------
    >>> mdp = MDP.bandit({"s": {"a": 1, "b": "2/5", "c": 0}})
    >>> DataDistribution.uniform(mdp).weights
    (Fraction(1, 3), Fraction(1, 3), Fraction(1, 3))
    >>> DataDistribution.from_table(mdp, {"s": {"a": "1/10", "c": "9/10"}})
    DataDistribution(3 pairs, 2 seen)
    >>> DataDistribution.from_table(mdp, {"s": {"a": "1/3", "b": "1/3"}})
    Traceback (most recent call last):
    ...
    symsafe.errors.InputError: data: found entries whose sum is 2/3; expected a sum of exactly 1
    """

    mdp: MDP
    weights: tuple[Number, ...]
    counts: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        require_mdp(self.mdp)
        given = read_list(self.weights, "data", "one weight for each pair")
        pairs = self.mdp.pairs
        require_length(given, len(pairs), "data", "one weight for each pair")
        weights = tuple(
            read_number(weight, path("data", *pair), self.mdp.parameters.names)
            for weight, pair in zip(given, pairs, strict=True)
        )
        require_distribution(weights, "data", lambda pair: path("data", *pairs[pair]))
        object.__setattr__(self, "weights", weights)
        if self.counts is not None:
            object.__setattr__(self, "counts", _read_counts(self.mdp, self.counts))
            if weights != _frequencies(self.counts):
                raise InputError("counts", "others than the weights", "counts of these weights")

    @classmethod
    def from_counts(cls, mdp: MDP, table: Mapping[str, Mapping[str, object]]) -> DataDistribution:
        """Return the relative frequencies of a table state -> action -> count of labelled samples.

        Pairs that are left out have count 0. Zeros are kept: a pair that was never seen costs
        nothing, so a reward model may be wrong there at will.

        Examples
        --------
        >>> mdp = MDP.bandit({"s": {"a": 1, "b": 0}})
        >>> data = DataDistribution.from_counts(mdp, {"s": {"a": 30, "b": 10}})
        >>> data.weights, data.counts
        ((Fraction(3, 4), Fraction(1, 4)), (30, 10))
        """
        require_mdp(mdp)
        values = pair_values(table, "counts", mdp.states, mdp.actions, missing=Fraction(0))
        counts = _read_counts(mdp, values)
        return cls(mdp, _frequencies(counts), counts)

    @classmethod
    def from_table(cls, mdp: MDP, table: Mapping[str, Mapping[str, object]]) -> DataDistribution:
        """Return the distribution of a table state -> action -> weight; missing pairs have 0."""
        require_mdp(mdp)
        values = pair_values(table, "data", mdp.states, mdp.actions, missing=Fraction(0))
        return cls(mdp, cast("tuple[Number, ...]", tuple(values)))

    @classmethod
    def from_array(cls, mdp: MDP, array: object) -> DataDistribution:
        """Return the distribution of an array of shape (S, A), or a list of weights for each state.

        Examples
        --------
        >>> mdp = MDP.bandit({"s": {"a": 1, "b": 0}})
        >>> DataDistribution.from_array(mdp, [["1/4", "3/4"]]).weights
        (Fraction(1, 4), Fraction(3, 4))
        """
        require_mdp(mdp)
        rows = read_list(array, "data", "a list of lists, shape (S, A)")
        require_length(rows, len(mdp.states), "data", "one list of weights for each state")
        weights: list[object] = []
        for row, state, names in zip(rows, mdp.states, mdp.actions, strict=True):
            listed = read_list(row, path("data", state), "a list of weights, one for each action")
            require_length(listed, len(names), path("data", state), "one weight for each action")
            weights.extend(listed)
        return cls(mdp, cast("tuple[Number, ...]", tuple(weights)))

    @classmethod
    def uniform(cls, mdp: MDP) -> DataDistribution:
        """Return the distribution with the same weight on every existing pair."""
        require_mdp(mdp)
        return cls(mdp, (Fraction(1, len(mdp.pairs)),) * len(mdp.pairs))

    @property
    def is_ground(self) -> bool:
        """Whether every weight is a Fraction."""
        return all(isinstance(weight, Fraction) for weight in self.weights)

    def __repr__(self) -> str:
        seen = sum(weight != 0 for weight in self.weights)
        return f"DataDistribution({len(self.weights)} pairs, {seen} seen)"


def _read_counts(mdp: MDP, given: object) -> tuple[int, ...]:
    values = read_list(given, "counts", "one count for each pair")
    require_length(values, len(mdp.pairs), "counts", "one count for each pair")
    counts = []
    for value, pair in zip(values, mdp.pairs, strict=True):
        count = exact(value, path("counts", *pair))
        if count.denominator != 1 or not 0 <= count <= _MOST:
            found = format_fraction(count)
            raise InputError(path("counts", *pair), found, "a whole number of at most 15 digits")
        counts.append(int(count))
    if not any(counts):
        raise InputError("counts", "nothing but zeros", "at least one sample")
    return tuple(counts)


def _frequencies(counts: tuple[int, ...]) -> tuple[Number, ...]:
    total = sum(counts)
    return tuple(Fraction(count, total) for count in counts)
