"""Which exact MDP does a Gymnasium toy-text environment, or its transition table, describe?

The tables hold binary floats; this module turns them into rationals by one documented rule and
refuses what the rule does not fit. It never samples an environment and never normalises a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import index
from typing import Any

import numpy as np
import numpy.typing as npt

from symsafe.errors import InputError, UnsupportedError
from symsafe.exact import exact, format_fraction
from symsafe.importers.rounding import round_float
from symsafe.model import MDP

__all__ = ["from_gymnasium", "round_float"]

# The order of the action numbers is fixed in each environment's source file.
_ACTION_NAMES = {
    "FrozenLakeEnv": ("left", "down", "right", "up"),
    "CliffWalkingEnv": ("up", "right", "down", "left"),
}

_OUTCOME = "(probability, next state, reward, terminated)"

Table = Mapping[int, Mapping[int, Sequence[Sequence[Any]]]]
Start = int | Sequence[object] | npt.NDArray[Any]


def from_gymnasium(
    source: str | Table | object,
    *,
    discount: object,
    initial: Start | None = None,
    max_denominator: int = 1000,
    **options: Any,
) -> MDP:
    """Return the exact MDP of a Gymnasium toy-text environment or of a transition table.

    Parameters
    ----------
    source : str, environment, or mapping
        An environment id such as ``"FrozenLake-v1"``, which needs the optional package Gymnasium;
        an environment object with a table ``P``; or such a table itself,
        ``{state: {action: [(probability, next state, reward, terminated), ...]}}`` with states
        numbered from 0, which needs no Gymnasium.
    discount : number
        Exact discount in [0, 1), for example ``"9/10"``. It is never rounded.
    initial : int or sequence, optional
        Start state, or the probability of each state. By default the environment's
        ``initial_state_distrib``; a bare table has none, so there it must be given.
    max_denominator : int, default 1000
        Largest denominator that a rounded float may have, see Notes.
    **options
        Passed to ``gymnasium.make``, for an environment id only, such as ``map_name="8x8"``.

    Returns
    -------
    MDP
        States ``s0``, ``s1``, ... in the table's order, and possibly ``terminal`` behind them.
        Actions have their usual names in FrozenLake (left, down, right, up) and CliffWalking (up,
        right, down, left), otherwise ``a0``, ``a1``, ... Action sets may differ by state.

    Raises
    ------
    InputError
        If the source is not one of the three kinds, a number does not fit the rounding rule, or a
        row does not sum to exactly 1. The error names state and action.
    UnsupportedError
        If an environment id is given and Gymnasium is not installed.

    See Also
    --------
    round_float : the rounding rule for one number.

    Notes
    -----
    *Rounding.* Each float, be it a probability or a reward, is replaced by the nearest fraction
    with denominator at most `max_denominator`. That fraction must lie within 1e-9 of the float and
    may be 0 only if the float is. Each row, and the initial distribution, must then sum to exactly
    1; nothing is rescaled. Integers, fractions and strings such as ``"1/3"`` are kept as they are.

    *Successors.* Outcomes of probability 0 are dropped, outcomes with the same successor merged.

    *Rewards.* The reward of a pair is the expected reward of its outcomes, computed exactly after
    rounding.

    *Termination.* An episode that terminates collects no further reward. If the state in which it
    terminates already loops in the table (each of its actions leads back to it with expected
    reward 0, as the holes and the goal of FrozenLake do), that state is kept as it is. Otherwise
    (the goal of CliffWalking, whose table goes on walking) the terminated transition leads to one
    extra state ``terminal`` with the single action ``stay`` and reward 0. States that are no longer
    reachable are kept, with all their pairs. Step limits (truncation) are no part of the MDP.

    Exact after the rounding. Time and memory are linear in the size of the table.

    Examples
    --------
    One step, which slips a third of the time, and ends the episode with reward 1 otherwise:

    >>> slip = [(0.33333333333333337, 0, 0, False), (0.6666666666666666, 1, 1, True)]
    >>> table = {0: {0: slip}, 1: {0: [(1.0, 0, 0, False)]}}
    >>> mdp = from_gymnasium(table, discount="9/10", initial=0)
    >>> mdp.states
    ('s0', 's1', 'terminal')
    >>> mdp.successors[0], mdp.rewards[0]
    (((0, Fraction(1, 3)), (2, Fraction(2, 3))), Fraction(2, 3))

    A row that does not add up is refused:

    >>> from_gymnasium({0: {0: [(0.3, 0, 0, False)]}}, discount=0, initial=0)
    Traceback (most recent call last):
        ...
    symsafe.errors.InputError: transitions.s0.a0: found sum 3/10 of 3/10 to s0; expected a sum of 1
    """
    if isinstance(max_denominator, bool) or not isinstance(max_denominator, int):
        raise InputError("max_denominator", max_denominator, "an integer")
    if max_denominator < 1:
        raise InputError("max_denominator", max_denominator, "an integer of at least 1")
    table, start, labels = _open(source, options)
    rows = _read_rows(table, labels, max_denominator)
    return _build(
        rows,
        _initial(start if initial is None else initial, len(rows), max_denominator),
        exact(discount, "discount"),
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """One state-action pair: its outcomes of positive probability and its expected reward."""

    action: str
    outcomes: tuple[tuple[Fraction, int, bool], ...]  # probability, next state, terminated
    reward: Fraction

    def loops_at(self, state: int) -> bool:
        return not self.reward and all(target == state for _, target, _ in self.outcomes)


def _open(source: object, options: dict[str, Any]) -> tuple[Table, Start | None, tuple[str, ...]]:
    """Return the table, the initial distribution if there is one, and the action names."""
    if isinstance(source, str):
        environment = _make(source, options)
    else:
        if options:
            name, value = next(iter(options.items()))
            raise InputError(name, value, "options only beside an environment id")
        if isinstance(source, Mapping):
            return source, None, ()
        environment = source
    base = getattr(environment, "unwrapped", environment)
    table = getattr(base, "P", None)
    if not isinstance(table, Mapping):
        raise InputError(
            "source",
            source if isinstance(source, str) else type(source).__name__,
            "an environment with a transition table P, its id, or a table",
        )
    names = _ACTION_NAMES.get(type(base).__name__, ())
    return table, getattr(base, "initial_state_distrib", None), names


def _make(name: str, options: dict[str, Any]) -> Any:
    try:
        import gymnasium
    except ImportError:
        raise UnsupportedError(
            f'reading {name} needs Gymnasium: pip install "symsafe[gym]"'
        ) from None
    try:
        environment = gymnasium.make(name, **options)
    except (gymnasium.error.Error, ImportError, LookupError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError("source", name, f"an environment that can be made ({reason})") from None
    environment.close()
    return environment


def _integer(value: object, field: str, expected: str) -> int:
    if isinstance(value, bool | np.bool_):
        raise InputError(field, value, expected)
    try:
        return index(value)  # type: ignore[arg-type]
    except TypeError:
        raise InputError(field, value, expected) from None


def _read_rows(
    table: Table, labels: tuple[str, ...], max_denominator: int
) -> tuple[tuple[_Row, ...], ...]:
    count = len(table)
    if not count:
        raise InputError("transitions", "an empty table", "at least one state")
    for state in range(count):
        if state not in table:
            raise InputError("transitions", f"no state {state}", f"the states 0 to {count - 1}")
    return tuple(
        _read_state(table[state], f"transitions.s{state}", count, labels, max_denominator)
        for state in range(count)
    )


def _read_state(
    choices: Mapping[int, Sequence[Sequence[Any]]],
    field: str,
    count: int,
    labels: tuple[str, ...],
    max_denominator: int,
) -> tuple[_Row, ...]:
    if not isinstance(choices, Mapping) or not choices:
        raise InputError(field, choices, "a mapping from at least one action to its outcomes")
    rows = []
    expected = "actions that are integers of at least 0"
    numbered = {_integer(key, field, expected): key for key in choices}
    for action in sorted(numbered):
        if action < 0:
            raise InputError(field, action, expected)
        name = labels[action] if action < len(labels) else f"a{action}"
        outcomes = choices[numbered[action]]
        rows.append(_read_row(outcomes, name, f"{field}.{name}", count, max_denominator))
    return tuple(rows)


def _read_row(
    outcomes: Sequence[Sequence[Any]], name: str, field: str, count: int, max_denominator: int
) -> _Row:
    if not isinstance(outcomes, Sequence) or not outcomes:
        raise InputError(field, outcomes, f"at least one outcome {_OUTCOME}")
    kept: list[tuple[Fraction, int, bool]] = []
    reward = Fraction(0)
    for position, outcome in enumerate(outcomes):
        place = f"{field}[{position}]"
        if not isinstance(outcome, Sequence) or len(outcome) != 4:
            raise InputError(place, outcome, _OUTCOME)
        given, successor, gain, terminated = outcome
        probability = round_float(given, max_denominator, f"{place}.probability")
        if probability < 0:
            raise InputError(f"{place}.probability", given, "a number of at least 0")
        target = _integer(successor, f"{place}.next", f"a state from 0 to {count - 1}")
        if not 0 <= target < count:
            raise InputError(f"{place}.next", successor, f"a state from 0 to {count - 1}")
        if not isinstance(terminated, bool | np.bool_):
            raise InputError(f"{place}.terminated", terminated, "True or False")
        reward += probability * round_float(gain, max_denominator, f"{place}.reward")
        if probability:
            kept.append((probability, target, bool(terminated)))
    total = sum((probability for probability, _, _ in kept), Fraction(0))
    if total != 1:
        row = ", ".join(f"{format_fraction(p)} to s{target}" for p, target, _ in kept)
        raise InputError(field, f"sum {format_fraction(total)} of {row}", "a sum of 1")
    return _Row(name, tuple(kept), reward)


def _initial(given: Start | None, count: int, max_denominator: int) -> tuple[Fraction, ...]:
    expected = f"a state from 0 to {count - 1}, or one probability for each of {count} states"
    if given is None:
        raise InputError("initial", "nothing", expected)
    if isinstance(given, np.ndarray) and given.ndim == 0:
        given = given.item()
    if not isinstance(given, Sequence | np.ndarray):
        start = _integer(given, "initial", expected)
        if not 0 <= start < count:
            raise InputError("initial", given, expected)
        return tuple(Fraction(int(state == start)) for state in range(count))
    if len(given) != count:
        raise InputError("initial", f"{len(given)} entries", expected)
    weights = tuple(
        round_float(weight, max_denominator, f"initial.s{state}")
        for state, weight in enumerate(given)
    )
    total = sum(weights, Fraction(0))
    if total != 1:
        raise InputError("initial", f"sum {format_fraction(total)}", "a sum of 1")
    return weights


def _build(
    rows: tuple[tuple[_Row, ...], ...], initial: tuple[Fraction, ...], discount: Fraction
) -> MDP:
    """Send what terminates to its absorbing state, merge successors, and build the MDP."""
    count = len(rows)
    loops = [all(row.loops_at(state) for row in choices) for state, choices in enumerate(rows)]
    names = [f"s{state}" for state in range(count)]
    actions = [tuple(row.action for row in choices) for choices in rows]
    rewards = [row.reward for choices in rows for row in choices]
    successors = []
    needs_terminal = False
    for row in (row for choices in rows for row in choices):
        merged: dict[int, Fraction] = {}
        for probability, target, terminated in row.outcomes:
            place = count if terminated and not loops[target] else target
            merged[place] = merged.get(place, Fraction(0)) + probability
        needs_terminal |= count in merged
        successors.append(tuple(sorted(merged.items())))
    if needs_terminal:
        names.append("terminal")
        actions.append(("stay",))
        rewards.append(Fraction(0))
        successors.append(((count, Fraction(1)),))
        initial = (*initial, Fraction(0))
    return MDP(
        states=tuple(names),
        actions=tuple(actions),
        successors=tuple(successors),
        rewards=tuple(rewards),
        initial=initial,
        discount=discount,
    )
