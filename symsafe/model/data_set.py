"""Which data distributions are possible: a rational polytope of them, exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, cast

from symsafe.errors import InputError
from symsafe.exact import exact
from symsafe.model.data import DataDistribution
from symsafe.model.mdp import MDP, require_mdp
from symsafe.model.tables import (
    pair_values,
    path,
    read_list,
    read_table,
    renamed,
    require_instance,
    require_known,
)

__all__ = ["DataRow", "DataSet", "require_set"]

_RELATIONS = ("at most", "exactly")


@dataclass(frozen=True, slots=True)
class DataRow:
    """A linear condition on a data distribution: <coefficients, D> is at most, or exactly, `bound`.

    Parameters
    ----------
    coefficients : mapping pair index -> Fraction
    relation : {"at most", "exactly"}
    bound : Fraction
    """

    coefficients: Mapping[int, Fraction]
    relation: Literal["at most", "exactly"]
    bound: Fraction


@dataclass(frozen=True, slots=True, repr=False)
class DataSet:
    """A polytope of data distributions of an MDP.

    Either all distributions that meet some rows, or all mixtures of some members.

    Parameters
    ----------
    mdp : MDP
    rows : tuple of DataRow
        Without any: every distribution.
    members : tuple of DataDistribution, optional
        Then the set is their convex hull, and there are no rows.

    Raises
    ------
    InputError
        For parameters in a member, members of another MDP, rows together with members.

    Examples
    --------
    Half of the prompts are of each kind, whatever the answers that are labelled:

    >>> mdp = MDP.bandit({"x": {"a": 1, "b": 0}, "y": {"a": 1, "b": 0}})
    >>> DataSet.bounded(mdp, states={"x": "1/2", "y": "1/2"})
    DataSet(2 rows)
    """

    mdp: MDP
    rows: tuple[DataRow, ...] = ()
    members: tuple[DataDistribution, ...] | None = None

    def __post_init__(self) -> None:
        require_mdp(self.mdp)
        for row in read_list(self.rows, "set", "a list of DataRow"):
            require_instance(row, DataRow, "set", "a list of DataRow")
        for row in self.rows:
            if row.relation not in _RELATIONS:
                raise InputError("set", row.relation, '"at most" or "exactly"')
        if self.members is None:
            return
        if self.rows or not self.members:
            raise InputError("set", "no members, or rows as well", "members alone, at least one")
        for member in read_list(self.members, "set", "data distributions of this MDP"):
            if not isinstance(member, DataDistribution) or member.mdp != self.mdp:
                raise InputError("set", member, "data distributions of this MDP")
            if not member.is_ground:
                raise InputError("set", "open parameters", "distributions without parameters")

    @classmethod
    def bounded(
        cls,
        mdp: MDP,
        *,
        minimum: Mapping[str, Mapping[str, object]] | None = None,
        maximum: Mapping[str, Mapping[str, object]] | None = None,
        states: Mapping[str, object] | None = None,
    ) -> DataSet:
        """Return the distributions within bounds.

        Parameters
        ----------
        mdp : MDP
        minimum, maximum : table state -> action -> number, optional
            Of single pairs; pairs that are left out are free.
        states : table state -> number, optional
            The total weight of the state's pairs, exactly: prompts come as they come, only which
            answers are labelled can be chosen.

        Raises
        ------
        InputError
            For an unknown name, or something that is not a number.
        """
        require_mdp(mdp)
        rows = []
        for field, table, sign in (("minimum", minimum, -1), ("maximum", maximum, 1)):
            for state, entries in read_table({} if table is None else table, field).items():
                require_known(state, mdp.states, field, "a known state")
                names = mdp.actions[mdp.state_index(state)]
                for action, value in read_table(entries, path(field, state)).items():
                    require_known(action, names, path(field, state), "an action of this state")
                    bound = exact(value, path(field, state, action))
                    pair = {mdp.index(state, action): Fraction(sign)}
                    rows.append(DataRow(pair, "at most", sign * bound))
        for state, value in read_table({} if states is None else states, "states").items():
            require_known(state, mdp.states, "states", "a known state")
            pairs = mdp.pair_ranges[mdp.state_index(state)]
            weights = {p: Fraction(1) for p in pairs}
            rows.append(DataRow(weights, "exactly", exact(value, path("states", state))))
        return cls(mdp, tuple(rows))

    @classmethod
    def mixture(cls, members: Sequence[DataDistribution]) -> DataSet:
        """Return the mixtures of some distributions, such as those of behaviour policies."""
        what = "data distributions, at least one"
        listed = read_list(members, "members", f"a list of {what}")
        if not listed:
            raise InputError("members", "none", what)
        require_instance(listed[0], DataDistribution, "members", what)
        return cls(members[0].mdp, (), tuple(members))

    @classmethod
    def from_table(cls, mdp: MDP, table: Mapping[str, object], data: DataDistribution) -> DataSet:
        """Return the set of a table, as problem files write it.

        Parameters
        ----------
        mdp : MDP
        table : mapping
            Either ``mixture``, a list of tables state -> action -> weight (or ``"uniform"``), or
            any of ``minimum``, ``maximum`` and ``states`` as for `bounded`, and ``rows``, a list of
            ``{ weights = {state: {action: number}}, at_most = number }`` (or ``exactly``).
            ``states = "data"`` keeps the totals that `data` gives the states.
        data : DataDistribution

        Raises
        ------
        InputError
            For an unknown key or name, or something that is not a number.
        """
        require_mdp(mdp)
        known = ("mixture", "minimum", "maximum", "states", "rows")
        for key in read_table(table, "coverage"):
            require_known(key, known, path("coverage", key), "a known key")
        if "mixture" in table:
            if len(table) > 1:
                raise InputError("coverage", "a mixture and other keys", "a mixture alone")
            field = "coverage.mixture"
            listed = read_list(table["mixture"], field, "a list of distributions")
            members = [_read_member(mdp, x, f"{field}[{i}]") for i, x in enumerate(listed)]
            with renamed("members", field):
                return cls.mixture(members)
        given = {key: table[key] for key in ("minimum", "maximum", "states") if key in table}
        if given.get("states") == "data":
            require_instance(data, DataDistribution, "data", "a DataDistribution")
            states = dict.fromkeys(mdp.states, Fraction(0))
            for (state, _), weight in zip(mdp.pairs, data.weights, strict=True):
                states[state] += exact(weight, "data")
            given["states"] = states
        with renamed("", "coverage."):
            tables: Any = {key: read_table(value, key) for key, value in given.items()}
            bounds = cls.bounded(mdp, **tables)
        given_rows = read_list(table.get("rows", []), "coverage.rows")
        rows = [_read_row(mdp, row, f"coverage.rows[{i}]") for i, row in enumerate(given_rows)]
        return cls(mdp, bounds.rows + tuple(rows))

    def on(self, mdp: MDP) -> DataSet:
        """Return the same set for an MDP with the same pairs."""
        if self.members is None:
            return DataSet(mdp, self.rows)
        return DataSet.mixture([DataDistribution(mdp, m.weights) for m in self.members])

    def __repr__(self) -> str:
        if self.members is not None:
            return f"DataSet(mixtures of {len(self.members)})"
        return f"DataSet({len(self.rows)} rows)" if self.rows else "DataSet(all distributions)"


def require_set(value: object, mdp: MDP, field: str = "among") -> None:
    """Refuse anything but a set of distributions of this MDP."""
    expected = "a DataSet of this MDP"
    require_instance(value, DataSet, field, expected)
    if cast(DataSet, value).mdp != mdp:
        raise InputError(field, "one of another MDP", expected)


def _read_member(mdp: MDP, member: object, field: str) -> DataDistribution:
    if member == "uniform":
        return DataDistribution.uniform(mdp)
    with renamed("data", field):
        return DataDistribution.from_table(mdp, cast(Any, member))


def _read_row(mdp: MDP, value: object, field: str) -> DataRow:
    row = read_table(value, field)
    relations: dict[str, Literal["at most", "exactly"]] = {"at_most": "at most"}
    relations["exactly"] = "exactly"
    bounds = [key for key in row if key != "weights"]
    if "weights" not in row or len(bounds) != 1 or bounds[0] not in relations:
        raise InputError(field, list(row), "weights, and one of at_most and exactly")
    place = f"{field}.weights"
    given = pair_values(row["weights"], place, mdp.states, mdp.actions, missing=Fraction(0))
    pairs = zip(mdp.pairs, given, strict=True)
    values = [exact(value, f"{place}.{path(*pair)}") for pair, value in pairs]
    weights = {p: value for p, value in enumerate(values) if value}
    return DataRow(weights, relations[bounds[0]], exact(row[bounds[0]], f"{field}.{bounds[0]}"))
