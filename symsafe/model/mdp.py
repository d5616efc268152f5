"""What a finite Markov decision process is, exactly and validated.

Entries are exact rationals, or rational functions of declared parameters. Follows the setting of
the paper; never solves anything.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import chain, pairwise
from numbers import Integral
from typing import Any

from symsafe.errors import InputError
from symsafe.exact import Number
from symsafe.model.parameters import ParameterSpace
from symsafe.model.tables import (
    pair_values,
    path,
    read_index,
    read_list,
    read_names,
    read_number,
    read_table,
    require_distribution,
    require_instance,
    require_known,
    require_length,
    shown,
    substituted,
)

__all__ = ["MDP", "require_mdp"]

_ROW = "a list of (successor index, probability)"
_DENSE = "a list with the probability of each successor"
_SPARSE = "a list [state, action, successor, probability], the first three indices from 0"


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class MDP:
    """A finite Markov decision process with named states and actions.

    Everything is stored flat, one entry a *pair* (a state with one of its actions), state by state
    and action by action. Action sets may differ by state. The generated constructor takes these
    canonical fields; `from_tables`, `from_arrays` and `bandit` read what is natural to write. A
    contextual bandit is an MDP whose discount is 0.

    Parameters
    ----------
    states : tuple of str
        Distinct names, at least one.
    actions : tuple of tuples of str, one a state
        Distinct names, at least one a state.
    successors : tuple of tuples of (int, Number), one a pair
        Indices of the states that may follow, with their probabilities; stored in increasing order,
        without zeros. Each row sums to exactly 1.
    rewards : tuple of Number, one a pair
        R(s, a), in reward units.
    initial : tuple of Number, one a state
        Sums to exactly 1.
    discount : Number
        In [0, 1).
    parameters : ParameterSpace, optional
        The parameters that may occur in the numbers.

    Attributes
    ----------
    pairs : tuple of (str, str)
        State and action of each pair, by name.
    pair_states : tuple of int
        The state of each pair, by index.
    pair_ranges : tuple of range, one a state
        The pairs of each state.
    is_ground : bool
        Whether every number is a Fraction, so that no parameter occurs.

    Raises
    ------
    InputError
        For an empty or doubled name, a row that does not sum to exactly 1 (it is never normalised),
        a negative probability, a discount outside [0, 1), lengths that do not fit. Sums of entries
        with parameters must be identically 1; their signs are checked when values are given (`at`).

    Examples
    --------
    >>> mdp = MDP.from_tables(
    ...     transitions={"s0": {"stay": {"s0": 1}, "go": {"s1": "4/5", "s0": "1/5"}},
    ...                  "s1": {"stay": {"s1": 1}, "go": {"s0": 1}}},
    ...     reward={"s0": {"stay": 0, "go": "1/2"}, "s1": {"stay": 1, "go": 0}},
    ...     initial="s0", discount="9/10")
    >>> mdp
    MDP(2 states, 4 state-action pairs, discount 9/10)
    >>> mdp.pairs[1], mdp.rewards[1], mdp.successors[1]
    (('s0', 'go'), Fraction(1, 2), ((0, Fraction(1, 5)), (1, Fraction(4, 5))))
    >>> MDP.from_tables(transitions={"s": {"a": {"s": "2/3"}}}, reward={"s": {"a": 1}},
    ...                 initial="s", discount=0)
    Traceback (most recent call last):
    ...
    symsafe.errors.InputError: transitions.s.a: found entries whose sum is 2/3; expected a sum of \
exactly 1
    """

    states: tuple[str, ...]
    actions: tuple[tuple[str, ...], ...]
    successors: tuple[tuple[tuple[int, Number], ...], ...]
    rewards: tuple[Number, ...]
    initial: tuple[Number, ...]
    discount: Number
    parameters: ParameterSpace = dataclasses.field(default_factory=ParameterSpace)
    pairs: tuple[tuple[str, str], ...] = dataclasses.field(init=False, compare=False)
    pair_states: tuple[int, ...] = dataclasses.field(init=False, compare=False)
    pair_ranges: tuple[range, ...] = dataclasses.field(init=False, compare=False)
    is_ground: bool = dataclasses.field(init=False, compare=False)
    _state_indices: dict[str, int] = dataclasses.field(init=False, compare=False)
    _pair_indices: dict[tuple[str, str], int] = dataclasses.field(init=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.parameters, ParameterSpace):
            raise InputError("parameters", self.parameters, "a ParameterSpace")
        self._set(states=read_names(self.states, "states"))
        self._set(actions=_read_actions(self.actions, self.states))
        self._index()
        self._set(successors=self._read_successors())
        self._set(rewards=self._read_rewards())
        self._set(initial=self._read_initial())
        self._set(discount=self._read_discount())
        numbers = chain(
            (self.discount,),
            self.initial,
            self.rewards,
            (probability for row in self.successors for _, probability in row),
        )
        self._set(is_ground=all(isinstance(number, Fraction) for number in numbers))

    def _set(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _index(self) -> None:
        ends = [0]
        for names in self.actions:
            ends.append(ends[-1] + len(names))
        pairs = tuple(
            (state, action)
            for state, names in zip(self.states, self.actions, strict=True)
            for action in names
        )
        self._set(
            pairs=pairs,
            pair_ranges=tuple(range(start, stop) for start, stop in pairwise(ends)),
            pair_states=tuple(s for s, names in enumerate(self.actions) for _ in names),
            _state_indices={state: s for s, state in enumerate(self.states)},
            _pair_indices={pair: index for index, pair in enumerate(pairs)},
        )

    def _read_successors(self) -> tuple[tuple[tuple[int, Number], ...], ...]:
        rows = read_list(self.successors, "transitions", "a row of successors for each pair")
        require_length(rows, len(self.pairs), "transitions", "one row for each pair")
        return tuple(
            self._read_row(row, path("transitions", *pair))
            for row, pair in zip(rows, self.pairs, strict=True)
        )

    def _read_row(self, given: object, field: str) -> tuple[tuple[int, Number], ...]:
        parameters = self.parameters.names
        found: dict[int, Number] = {}
        for item in read_list(given, field, _ROW):
            successor = read_list(item, field, _ROW)
            if len(successor) != 2:
                raise InputError(field, item, _ROW)
            state = read_index(successor[0], len(self.states), field)
            if state in found:
                name = self.states[state]
                raise InputError(field, f"the successor {name!r} twice", "each successor once")
            probability = successor[1]
            if type(probability) is not Fraction:
                place = f"{field}.{path(self.states[state])}"
                probability = read_number(probability, place, parameters)
            found[state] = probability
        order = sorted(found)
        require_distribution(
            [found[state] for state in order],
            field,
            lambda position: f"{field}.{path(self.states[order[position]])}",
        )
        return tuple((state, found[state]) for state in order if found[state] != 0)

    def _read_rewards(self) -> tuple[Number, ...]:
        rewards = read_list(self.rewards, "reward", "one number for each pair")
        require_length(rewards, len(self.pairs), "reward", "one number for each pair")
        return tuple(
            read_number(reward, path("reward", *pair), self.parameters.names)
            for reward, pair in zip(rewards, self.pairs, strict=True)
        )

    def _read_initial(self) -> tuple[Number, ...]:
        given = read_list(self.initial, "initial", "one probability for each state")
        require_length(given, len(self.states), "initial", "one probability for each state")
        initial = tuple(
            read_number(probability, path("initial", state), self.parameters.names)
            for probability, state in zip(given, self.states, strict=True)
        )
        require_distribution(initial, "initial", lambda s: path("initial", self.states[s]))
        return initial

    def _read_discount(self) -> Number:
        discount = read_number(self.discount, "discount", self.parameters.names)
        if isinstance(discount, Fraction) and not 0 <= discount < 1:
            raise InputError("discount", shown(discount), "a number in [0, 1)")
        return discount

    @classmethod
    def from_tables(
        cls,
        *,
        transitions: Mapping[str, Mapping[str, Mapping[str, object]]],
        reward: Mapping[str, Mapping[str, object]],
        initial: str | Mapping[str, object],
        discount: object,
        states: Sequence[str] | None = None,
        actions: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
        parameters: ParameterSpace | Mapping[str, tuple[object, object]] | None = None,
    ) -> MDP:
        """Return the MDP that nested tables of names describe.

        Parameters
        ----------
        transitions : mapping state -> action -> successor -> probability
            State-action pairs that do not occur here do not exist; a successor that is left out has
            probability 0.
        reward : mapping state -> action -> number
            Exactly the pairs that exist.
        initial : str or mapping state -> probability
            A single state, or a distribution in which missing states have probability 0.
        discount : number
            In [0, 1).
        states : sequence of str, optional
            Their order; that of `transitions` by default.
        actions : sequence of str or mapping state -> sequence of str, optional
            One list for all states gives the order; a list a state says exactly what exists there.
            The order of `transitions` by default.
        parameters : ParameterSpace or mapping name -> (min, max), optional

        Raises
        ------
        InputError
            For unknown names (with the nearest known one), missing pairs, a state without actions,
            and all that the constructor refuses.

        Examples
        --------
        >>> from symsafe.model import MDP
        >>> MDP.from_tables(
        ...     transitions={"s": {"a": {"s": "1 - p", "t": "p"}}, "t": {"b": {"t": 1}}},
        ...     reward={"s": {"a": 0}, "t": {"b": 1}},
        ...     initial="s", discount="1/2", parameters={"p": (0, 1)})
        MDP(2 states, 2 state-action pairs, discount 1/2, parameters p)
        """
        state_names, action_names = _read_structure(transitions, "transitions", states, actions)
        known = {state: s for s, state in enumerate(state_names)}
        rows = pair_values(transitions, "transitions", state_names, action_names)
        pairs = [(s, a) for s, names in zip(state_names, action_names, strict=True) for a in names]
        return cls(
            states=state_names,
            actions=action_names,
            successors=tuple(
                _read_successor_table(row, path("transitions", *pair), known)
                for row, pair in zip(rows, pairs, strict=True)
            ),
            rewards=_raw(pair_values(reward, "reward", state_names, action_names)),
            initial=_read_initial_table(initial, state_names),
            discount=_raw(discount),
            parameters=_read_parameters(parameters),
        )

    @classmethod
    def from_arrays(
        cls,
        transitions: object,
        reward: object,
        initial: object,
        discount: object,
        states: Sequence[str] | None = None,
        actions: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
        parameters: ParameterSpace | Mapping[str, tuple[object, object]] | None = None,
    ) -> MDP:
        """Return the MDP of nested lists, or numpy arrays of integers or objects.

        Parameters
        ----------
        transitions : array, shape (S, A, S), or list of [state, action, successor, probability]
            The second, sparse form counts states and actions from 0. The number of actions may
            differ by state in nested lists.
        reward : array, shape (S, A)
            Fixes how many states and actions there are.
        initial : array, shape (S,), or the name of a state, or a mapping state -> probability
        discount : number
            In [0, 1).
        states : sequence of str, optional
            ``s0, s1, ...`` by default.
        actions : sequence of str or mapping state -> sequence of str, optional
            ``a0, a1, ...`` by default.
        parameters : ParameterSpace or mapping name -> (min, max), optional

        Raises
        ------
        InputError
            For shapes that do not fit, binary floats, and all that the constructor refuses.

        Examples
        --------
        >>> from symsafe.model import MDP
        >>> MDP.from_arrays([[[0, 1], ["1/2", "1/2"]], [[1, 0], [0, 1]]], [[0, 1], [2, 3]], [1, 0],
        ...                 "9/10").pairs
        (('s0', 'a0'), ('s0', 'a1'), ('s1', 'a0'), ('s1', 'a1'))
        """
        rewards = [
            read_list(row, f"reward[{s}]", "a list with one number for each action")
            for s, row in enumerate(read_list(reward, "reward", "a list of lists, shape (S, A)"))
        ]
        counts = [len(row) for row in rewards]
        default = [f"s{s}" for s in range(len(rewards))]
        state_names = read_names(default if states is None else states, "states")
        require_length(state_names, len(rewards), "states", "one name for each row of reward")
        action_names = _read_array_actions(actions, state_names, counts)
        return cls(
            states=state_names,
            actions=action_names,
            successors=_read_array_transitions(transitions, state_names, action_names),
            rewards=_raw([number for row in rewards for number in row]),
            initial=_read_initial_table(initial, state_names),
            discount=_raw(discount),
            parameters=_read_parameters(parameters),
        )

    @classmethod
    def bandit(
        cls,
        reward: Mapping[str, Mapping[str, object]],
        initial: str | Mapping[str, object] | None = None,
        states: Sequence[str] | None = None,
        actions: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
        parameters: ParameterSpace | Mapping[str, tuple[object, object]] | None = None,
    ) -> MDP:
        """Return a contextual bandit: discount 0, and every action stays in its state.

        Parameters
        ----------
        reward : mapping state -> action -> number
            A state is a context. The pairs that occur here are those that exist.
        initial : str or mapping state -> probability, optional
            How contexts arrive; uniform by default.
        states, actions, parameters
            As for `from_tables`.

        Examples
        --------
        >>> from symsafe.model import MDP
        >>> MDP.bandit({"s": {"a": 1, "b": "2/5", "c": 0}})
        MDP(1 state, 3 state-action pairs, discount 0)
        """
        state_names, action_names = _read_structure(reward, "reward", states, actions)
        share = Fraction(1, len(state_names))
        return cls(
            states=state_names,
            actions=action_names,
            successors=tuple(
                ((s, Fraction(1)),) for s, names in enumerate(action_names) for _ in names
            ),
            rewards=_raw(pair_values(reward, "reward", state_names, action_names)),
            initial=(
                (share,) * len(state_names)
                if initial is None
                else _read_initial_table(initial, state_names)
            ),
            discount=Fraction(0),
            parameters=_read_parameters(parameters),
        )

    def state_index(self, state: str) -> int:
        """Return the position of a state in `states`.

        Raises
        ------
        InputError
            If there is no such state.
        """
        require_known(state, self._state_indices, "state", "a known state")
        return self._state_indices[state]

    def index(self, state: str, action: str) -> int:
        """Return the position of a state-action pair in `pairs`.

        Raises
        ------
        InputError
            If there is no such pair.
        """
        names = self.actions[self.state_index(state)]
        require_known(action, names, path("action", state), "an action of this state")
        return self._pair_indices[state, action]

    def at(self, /, **values: object) -> MDP:
        """Return the MDP with some or all parameters replaced by exact values.

        Raises
        ------
        InputError
            For an unknown parameter, a value outside the parameter space, and entries that are no
            probabilities there.

        Examples
        --------
        >>> from symsafe.model import MDP
        >>> bandit = MDP.bandit({"s": {"a": "r^2", "b": 0}}, parameters={"r": (0, 2)})
        >>> bandit.at(r="3/2").rewards
        (Fraction(9, 4), Fraction(0, 1))
        >>> bandit.at(r=3)
        Traceback (most recent call last):
        ...
        symsafe.errors.InputError: parameters.r: found 3; expected a number in [0, 2]
        """
        point = self.parameters.point(values)
        return MDP(
            states=self.states,
            actions=self.actions,
            successors=tuple(
                tuple(
                    (t, substituted(p, point, path("transitions", *pair, self.states[t])))
                    for t, p in row
                )
                for row, pair in zip(self.successors, self.pairs, strict=True)
            ),
            rewards=tuple(
                substituted(reward, point, path("reward", *pair))
                for reward, pair in zip(self.rewards, self.pairs, strict=True)
            ),
            initial=tuple(
                substituted(p, point, path("initial", state))
                for p, state in zip(self.initial, self.states, strict=True)
            ),
            discount=substituted(self.discount, point, "discount"),
            parameters=self.parameters.at(point),
        )

    def __repr__(self) -> str:
        parts = [
            _counted(len(self.states), "state"),
            _counted(len(self.pairs), "state-action pair"),
            f"discount {shown(self.discount)}",
        ]
        if self.parameters.names:
            parts.append(f"parameters {' '.join(self.parameters.names)}")
        return f"MDP({', '.join(parts)})"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def require_mdp(value: object) -> None:
    """Refuse anything but an MDP."""
    require_instance(value, MDP, "mdp", "an MDP")


def _read_actions(value: object, states: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    lists = read_list(value, "actions", "a list of names for each state")
    require_length(lists, len(states), "actions", "one list of names for each state")
    return tuple(
        read_names(names, path("actions", state))
        for names, state in zip(lists, states, strict=True)
    )


def _raw(value: object) -> Any:
    """Pass on what the user gave: the constructor, whose types say what it stores, reads it."""
    return value


def _read_parameters(value: object) -> ParameterSpace:
    if isinstance(value, ParameterSpace):
        return value
    return ParameterSpace(_raw(value))


def _read_structure(
    table: object, field: str, states: object, actions: object
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return the names of states and actions; `table` (state -> action -> ...) says which exist."""
    rows = read_table(table, field)
    state_names = read_names(list(rows) if states is None else states, "states")
    known = dict.fromkeys(state_names)
    for state in rows:
        require_known(state, known, field, "a known state")
    everywhere = None
    if isinstance(actions, Mapping):
        for state in read_table(actions, "actions"):
            require_known(state, known, "actions", "a known state")
    elif actions is not None:
        everywhere = dict.fromkeys(read_names(actions, "actions"))
    action_names: list[tuple[str, ...]] = []
    for state in state_names:
        if state not in rows:
            raise InputError(path(field, state), "nothing", "a table of the actions of this state")
        row = read_table(rows[state], path(field, state))
        if not row:
            raise InputError(path(field, state), "no action", "at least one action")
        if everywhere is not None:
            for action in row:
                require_known(action, everywhere, path(field, state), "a listed action")
            action_names.append(tuple(action for action in everywhere if action in row))
        elif isinstance(actions, Mapping):
            if state not in actions:
                raise InputError(path("actions", state), "nothing", "a list of names")
            action_names.append(read_names(actions[state], path("actions", state)))
        else:
            action_names.append(read_names(list(row), path(field, state)))
    return state_names, tuple(action_names)


def _read_successor_table(value: object, field: str, known: Mapping[str, int]) -> Any:
    row = read_table(value, field)
    for state in row:
        require_known(state, known, field, "a known state")
    return [(known[state], probability) for state, probability in row.items()]


def _read_initial_table(value: object, states: Sequence[str]) -> Any:
    """Return one entry for each state, from a list, a table or the name of a single state."""
    if isinstance(value, str):
        value = {value: 1}
    if not isinstance(value, Mapping):
        return value
    table = read_table(value, "initial")
    known = dict.fromkeys(states)
    for state in table:
        require_known(state, known, "initial", "a known state")
    return [table.get(state, Fraction(0)) for state in states]


def _read_array_actions(
    value: object, states: Sequence[str], counts: Sequence[int]
) -> tuple[tuple[str, ...], ...]:
    if value is None:
        lists: Sequence[object] = [[f"a{a}" for a in range(count)] for count in counts]
    elif isinstance(value, Mapping):
        table = read_table(value, "actions")
        known = dict.fromkeys(states)
        for state in table:
            require_known(state, known, "actions", "a known state")
        lists = [table.get(state, ()) for state in states]
    else:
        lists = [value] * len(states)
    names = _read_actions(lists, states)
    for state, listed, count in zip(states, names, counts, strict=True):
        require_length(listed, count, path("actions", state), "one name for each entry of reward")
    return names


def _read_array_transitions(
    value: object, states: Sequence[str], actions: Sequence[Sequence[str]]
) -> Any:
    """Return a row of (successor index, entry) for each pair, from the dense or the sparse form."""
    items = read_list(value, "transitions", "nested lists, shape (S, A, S), or sparse entries")
    first = read_list(items[0], "transitions[0]", _SPARSE) if items else ()
    sparse = bool(first) and isinstance(first[0], Integral)
    if sparse:
        return _read_sparse(items, states, actions)
    require_length(items, len(states), "transitions", "one for each state")
    rows = []
    for state, names, item in zip(states, actions, items, strict=True):
        field = path("transitions", state)
        table = read_list(item, field, "a list with a row for each action")
        require_length(table, len(names), field, "a row for each action")
        for action, given in zip(names, table, strict=True):
            place = path("transitions", state, action)
            row = read_list(given, place, _DENSE)
            require_length(row, len(states), place, "one probability for each state")
            rows.append(list(enumerate(row)))
    return rows


def _read_sparse(
    items: Sequence[object], states: Sequence[str], actions: Sequence[Sequence[str]]
) -> Any:
    rows: list[list[list[tuple[int, object]]]] = [[[] for _ in names] for names in actions]
    for position, item in enumerate(items):
        field = f"transitions[{position}]"
        entry = read_list(item, field, _SPARSE)
        if len(entry) != 4:
            raise InputError(field, item, _SPARSE)
        state = read_index(entry[0], len(states), f"{field}[0]")
        action = read_index(entry[1], len(actions[state]), f"{field}[1]")
        successor = read_index(entry[2], len(states), f"{field}[2]")
        rows[state][action].append((successor, entry[3]))
    return [row for table in rows for row in table]
