"""Contextual bandits of any size: four arrays of integers, and no object for each pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symsafe.errors import InputError
from symsafe.exact import exact
from symsafe.model.data import DataDistribution
from symsafe.model.mdp import MDP
from symsafe.model.problem import SafetyProblem
from symsafe.model.tables import read_table, require_instance, shown

__all__ = ["BanditArrays", "require_either"]

Ints = NDArray[np.int64]

_LARGEST = 2**62
_FIELDS = ("format", "actions", "initial", "reward", "data", "regret", "epsilon")


@dataclass(frozen=True, eq=False)
class BanditArrays:
    """A safety problem about a contextual bandit with S contexts and n pairs.

    Only ratios matter: contexts are met in proportion to `initial`, pairs are seen in the data in
    proportion to `data` (counts will do), and rewards may be in any unit.

    Parameters
    ----------
    actions : array of int, shape (S,)
        Number of actions of each context, at least 1; or one number for all contexts.
    initial : array of int, shape (S,)
    reward, data : array of int, shape (n,)
        Context by context, action by action.
    regret, epsilon : Number
        As in `SafetyProblem`; the tolerance is optional.

    Raises
    ------
    InputError
        For anything that is not a whole number, a negative weight, lengths that do not fit, a
        constant reward or return, or numbers whose sum exceeds 2**62.
    """

    actions: Ints
    initial: Ints
    reward: Ints
    data: Ints
    regret: Fraction
    epsilon: Fraction | None = None

    def __post_init__(self) -> None:
        initial = _integers(self.initial, "initial")
        if not initial.ndim:
            raise InputError("initial", self.initial, "a list of whole numbers")
        actions = _integers(self.actions, "actions")
        if actions.ndim == 0:
            actions = np.full(len(initial), actions)
        if actions.shape != initial.shape or not len(initial):
            raise InputError("actions", actions.shape, "one number for each context")
        if actions.min() < 1:
            raise InputError("actions", int(actions.min()), "at least one action a context")
        found = {"initial": initial, "actions": actions}
        for field in ("reward", "data"):
            found[field] = _integers(getattr(self, field), field)
            if found[field].shape != (int(actions.sum()),):
                raise InputError(field, found[field].shape, f"{int(actions.sum())} integers")
        for field in ("initial", "data"):
            if found[field].min() < 0 or not found[field].any():
                raise InputError(field, int(found[field].min()), "weights of 0 or more, not all 0")
        for field, array in found.items():
            if float(np.abs(array.astype(float)).sum()) >= _LARGEST:
                raise InputError(field, "numbers that large", "a sum below 2**62")
            object.__setattr__(self, field, array)
        regret = exact(self.regret, "regret")
        if not 0 <= regret <= 1:
            raise InputError("regret", shown(regret), "a number from 0 to 1")
        object.__setattr__(self, "regret", regret)
        if self.epsilon is not None:
            epsilon = exact(self.epsilon, "epsilon")
            if epsilon <= 0:
                raise InputError("epsilon", shown(epsilon), "a positive number")
            object.__setattr__(self, "epsilon", epsilon)
        starts = np.append(0, np.cumsum(self.actions)[:-1])
        best = np.maximum.reduceat(self.reward, starts)
        worst = np.minimum.reduceat(self.reward, starts)
        if not ((best > worst) & (self.initial > 0)).any():
            raise InputError("reward", "the same return for every policy", "policies that differ")

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> BanditArrays:
        """Return the bandit that a document with ``"format": "arrays"`` and no ``mdp`` describes.

        Raises
        ------
        InputError
            For an unknown or missing key, and as the constructor does.
        """
        for key in sorted(set(read_table(document, "document")) - set(_FIELDS)):
            raise InputError(key, document[key], f"one of {', '.join(_FIELDS)}")
        for key in _FIELDS[1:-1]:
            if key not in document:
                raise InputError(key, None, "this key, as the problem is given by arrays")
        given: dict[str, Any] = {key: document.get(key) for key in _FIELDS[1:]}
        return cls(**given)

    def problem(self) -> SafetyProblem:
        """Return the same as a `SafetyProblem` with named states; for small ones."""
        total, mass = int(self.initial.sum()), int(self.data.sum())
        contexts = range(len(self.initial))
        initial = tuple(Fraction(int(w), total) for w in self.initial)
        row = tuple((s, p) for s, p in enumerate(initial) if p)
        mdp = MDP(
            states=tuple(f"s{s}" for s in contexts),
            actions=tuple(tuple(f"a{a}" for a in range(int(self.actions[s]))) for s in contexts),
            successors=(row,) * len(self.reward),
            rewards=tuple(Fraction(int(r)) for r in self.reward),
            initial=initial,
            discount=Fraction(0),
        )
        data = DataDistribution(mdp, tuple(Fraction(int(w), mass) for w in self.data))
        return SafetyProblem(mdp, data, self.regret, self.epsilon)


def require_either(value: object) -> None:
    """Refuse anything but a problem, with names or by arrays."""
    kinds = SafetyProblem | BanditArrays
    require_instance(value, kinds, "problem", "a SafetyProblem or BanditArrays")


def _integers(value: Sequence[int] | Ints, field: str) -> Ints:
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError):
        array = np.empty(0)
    if isinstance(value, list | tuple) and bool in set(map(type, value)):
        array = np.empty(0)  # which numpy would take for 0 and 1
    if array.dtype.kind not in "iu" or array.ndim > 1:
        raise InputError(field, value, "a list of whole numbers below 2**62")
    if array.size and int(array.max()) >= _LARGEST:
        raise InputError(field, int(array.max()), "whole numbers below 2**62")
    return array.astype(np.int64)
