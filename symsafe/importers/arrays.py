"""MDPs held in arrays: of numpy, shape (S, A, S), and of MDPtoolbox, shape (A, S, S).

Floats need a rounding rule that the caller chooses; a row that does not sum to exactly 1 under it
is refused with its name. Rewards of transitions become expected rewards.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from symsafe.errors import InputError
from symsafe.exact import exact
from symsafe.importers.rounding import Rounding, read_row, rounded
from symsafe.model import MDP
from symsafe.model.tables import path, read_names, require_length

__all__ = ["from_mdptoolbox", "from_numpy"]

Array = npt.NDArray[Any]
_MAX_ENTRIES = 50_000_000


def from_numpy(
    transitions: object,
    reward: object,
    *,
    initial: object,
    discount: object,
    rounding: Rounding | str | None = None,
    states: Sequence[str] | None = None,
    actions: Sequence[str] | None = None,
) -> MDP:
    """Return the exact MDP of arrays, with a rounding rule for floats.

    Parameters
    ----------
    transitions : array, shape (S, A, S)
        ``transitions[s, a, t]`` is the probability of t after a in s.
    reward : array, shape (S,), (S, A) or (S, A, S)
        Of a state, of a pair, or of a transition; see Notes.
    initial : int, or array, shape (S,)
        The start state, or the probability of each state.
    discount : number
        Exact, in [0, 1), such as ``"9/10"``; never rounded.
    rounding : Rounding or str, optional
        What floats mean: ``"decimal"``, ``"binary"``, ``"nearest:1000"``, each perhaps with
        ``"+repair"`` (see `Rounding`). Without it floats are refused; arrays of integers, or of
        objects such as `Fraction` and ``"1/3"``, need none.
    states, actions : sequence of str, optional
        Names; ``s0, s1, ...`` and ``a0, a1, ...`` by default.

    Returns
    -------
    MDP
        In which every state has all A actions.

    Raises
    ------
    InputError
        For shapes that do not fit, floats without a rule, a row that does not sum to exactly 1.

    Notes
    -----
    *Rewards of transitions* are replaced by their expectation R(s, a), computed exactly after
    rounding. This changes no policy's return, but the range of R, by which the expected error is
    measured, is then that of the expectations, which may be smaller than the range of the rewards
    of transitions: an epsilon relative to the latter has to be scaled.

    Examples
    --------
    >>> import numpy as np
    >>> P = np.array([[[0.9, 0.1], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]])
    >>> R = np.array([[0.5, 0.0], [1.0, 0.0]])
    >>> mdp = from_numpy(P, R, initial=0, discount="9/10", rounding="decimal")
    >>> mdp.successors[0], mdp.rewards[0]
    (((0, Fraction(9, 10)), (1, Fraction(1, 10))), Fraction(1, 2))
    >>> from_numpy(P, R, initial=0, discount="9/10")
    Traceback (most recent call last):
    ...
    symsafe.errors.InputError: transitions.s0.a0[0]: found 0.9 (a binary float); expected a \
rounding rule: "decimal", "binary" or "nearest:N" with N at least 1, perhaps with "+repair" \
behind it
    """
    rule = Rounding.read(rounding)
    table = _array(transitions, "transitions")
    if table.ndim != 3 or table.shape[0] != table.shape[2]:
        raise InputError("transitions", f"shape {table.shape}", "shape (S, A, S)")
    count, width, _ = table.shape
    state_names = _names(states, "s", count, "states")
    action_names = _names(actions, "a", width, "actions")
    gains = _array(reward, "reward")
    if gains.shape not in ((count,), (count, width), table.shape):
        raise InputError(
            "reward",
            f"shape {gains.shape}",
            f"shape ({count},), ({count}, {width}) or {table.shape}",
        )
    successors, rewards = [], []
    for s, state in enumerate(state_names):
        for a, action in enumerate(action_names):
            field = path("transitions", state, action)
            row = read_row(table[s, a].tolist(), field, rule)
            successors.append(tuple((t, p) for t, p in enumerate(row) if p))
            rewards.append(_expected(gains, s, a, row, path("reward", state, action), rule))
    return MDP(
        states=state_names,
        actions=(action_names,) * count,
        successors=tuple(successors),
        rewards=tuple(rewards),
        initial=_initial(initial, count, rule),
        discount=exact(discount, "discount"),
    )


def from_mdptoolbox(
    transitions: object,
    reward: object,
    *,
    initial: object,
    discount: object,
    rounding: Rounding | str | None = None,
    states: Sequence[str] | None = None,
    actions: Sequence[str] | None = None,
) -> MDP:
    """Return the exact MDP of the arrays that MDPtoolbox uses.

    Parameters
    ----------
    transitions : array, shape (A, S, S), or one matrix of shape (S, S) for each action
        Matrices may be sparse ones of scipy.
    reward : array, shape (S,), (S, A) or (A, S, S), or one matrix of shape (S, S) for each action
    initial, discount, rounding, states, actions
        As for `from_numpy`. MDPtoolbox has no initial distribution, so it must be given.

    Raises
    ------
    InputError
        As `from_numpy`.

    Examples
    --------
    The forest of MDPtoolbox's manual, with three ages; wait or cut:

    >>> P = [[["1/10", "9/10", 0], ["1/10", 0, "9/10"], ["1/10", 0, "9/10"]],
    ...      [[1, 0, 0], [1, 0, 0], [1, 0, 0]]]
    >>> mdp = from_mdptoolbox(P, [[0, 0], [0, 1], [4, 2]], initial=0, discount="9/10",
    ...                       actions=["wait", "cut"])
    >>> mdp
    MDP(3 states, 6 state-action pairs, discount 9/10)
    """
    table = _matrices(transitions, "transitions")
    if table.ndim != 3 or table.shape[1] != table.shape[2]:
        raise InputError("transitions", f"shape {table.shape}", "shape (A, S, S)")
    gains = _matrices(reward, "reward")
    if gains.ndim == 3:
        if gains.shape != table.shape:
            raise InputError("reward", f"shape {gains.shape}", f"shape {table.shape}")
        gains = np.swapaxes(gains, 0, 1)
    return from_numpy(
        np.swapaxes(table, 0, 1),
        gains,
        initial=initial,
        discount=discount,
        rounding=rounding,
        states=states,
        actions=actions,
    )


def _initial(given: object, count: int, rule: Rounding | None) -> tuple[Fraction, ...]:
    """Return an initial distribution that is given as a state's index or by probabilities."""
    expected = f"a state from 0 to {count - 1}, or one probability for each of {count} states"
    if isinstance(given, bool | np.bool_) or given is None:
        raise InputError("initial", given, expected)
    if isinstance(given, int | np.integer):
        if not 0 <= given < count:
            raise InputError("initial", int(given), expected)
        return tuple(Fraction(int(state == given)) for state in range(count))
    weights = _array(given, "initial")
    if weights.shape != (count,):
        raise InputError("initial", f"shape {weights.shape}", expected)
    return read_row(weights.tolist(), "initial", rule)


def _expected(
    gains: Array, s: int, a: int, row: tuple[Fraction, ...], field: str, rule: Rounding | None
) -> Fraction:
    if gains.ndim < 3:
        return rounded(gains[s] if gains.ndim == 1 else gains[s, a], field, rule)
    listed = gains[s, a].tolist()
    return sum(
        (p * rounded(listed[t], f"{field}[{t}]", rule) for t, p in enumerate(row) if p),
        Fraction(0),
    )


def _matrices(given: object, field: str) -> Array:
    """Return an array, also of a list of sparse matrices."""
    if isinstance(given, list | tuple):
        given = [x.toarray() if hasattr(x, "toarray") else x for x in given]
    return _array(given, field)


def _array(given: object, field: str) -> Array:
    """Return an array of numbers; nested lists become arrays of objects, so that nothing rounds."""
    try:
        array = given if isinstance(given, np.ndarray) else np.array(given, dtype=object)
    except ValueError as error:
        raise InputError(field, f"no array ({error})", "numbers in a regular shape") from None
    if array.dtype.kind not in "iufO":
        raise InputError(field, f"an array of {array.dtype}", "an array of numbers")
    if array.ndim == 0 or 0 in array.shape or array.size > _MAX_ENTRIES:
        raise InputError(
            field, f"shape {array.shape}", f"1 to {_MAX_ENTRIES} entries in one to three dimensions"
        )
    if array.dtype.kind != "f" or array.dtype == np.float64:
        return array
    # Elements of float32 must keep their own precision for the rule ``decimal``.
    scalars = np.empty(array.size, dtype=object)
    scalars[:] = list(array.ravel())
    return scalars.reshape(array.shape)


def _names(given: Sequence[str] | None, letter: str, count: int, field: str) -> tuple[str, ...]:
    names = read_names([f"{letter}{i}" for i in range(count)] if given is None else given, field)
    require_length(names, count, field, "one name for each")
    return names
