"""What a stationary policy is: for each state a distribution over its actions, exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

from symsafe.errors import InputError
from symsafe.exact import exact
from symsafe.model.mdp import MDP, require_mdp
from symsafe.model.tables import (
    pair_values,
    path,
    read_index,
    read_list,
    read_table,
    require_distribution,
    require_known,
    require_length,
)

__all__ = ["Policy"]

# A longer deterministic policy is summarised in `repr`.
_SHOWN_STATES = 8


@dataclass(frozen=True, slots=True, repr=False)
class Policy:
    """A stationary policy of an MDP.

    Parameters
    ----------
    mdp : MDP
        The process that it acts in.
    probabilities : tuple of Fraction, one a pair of `mdp`
        The probability of the action in the state; sums to exactly 1 in each state.

    Raises
    ------
    InputError
        For a wrong length, a negative probability, a state whose sum is not exactly 1.

    Examples
    --------
    >>> mdp = MDP.bandit({"s": {"a": 1, "b": 0}})
    >>> Policy.deterministic(mdp, {"s": "b"})
    Policy(s: b)
    >>> Policy.from_table(mdp, {"s": {"a": "1/3", "b": "2/3"}}).probabilities
    (Fraction(1, 3), Fraction(2, 3))
    """

    mdp: MDP
    probabilities: tuple[Fraction, ...]

    def __post_init__(self) -> None:
        require_mdp(self.mdp)
        given = read_list(self.probabilities, "policy", "one probability for each pair")
        require_length(given, len(self.mdp.pairs), "policy", "one probability for each pair")
        probabilities = tuple(
            value if type(value) is Fraction else exact(value, path("policy", *pair))
            for value, pair in zip(given, self.mdp.pairs, strict=True)
        )
        for state, pairs in zip(self.mdp.states, self.mdp.pair_ranges, strict=True):
            require_distribution(
                [probabilities[pair] for pair in pairs],
                path("policy", state),
                partial(self._place, pairs),
            )
        object.__setattr__(self, "probabilities", probabilities)

    def _place(self, pairs: range, position: int) -> str:
        return path("policy", *self.mdp.pairs[pairs[position]])

    @classmethod
    def deterministic(cls, mdp: MDP, choices: Mapping[str, str] | Sequence[int]) -> Policy:
        """Return the policy that always takes one action in each state.

        Parameters
        ----------
        mdp : MDP
        choices : mapping state -> action, or sequence of int
            Names, or for each state the position of the action among the actions of the state.

        Raises
        ------
        InputError
            For a missing state, an unknown name, an index out of range.
        """
        require_mdp(mdp)
        if isinstance(choices, Mapping):
            table = read_table(choices, "policy")
            known = dict.fromkeys(mdp.states)
            for state in table:
                require_known(state, known, "policy", "a known state")
            for state in mdp.states:
                if state not in table:
                    raise InputError(path("policy", state), "nothing", "the name of an action")
                require_known(
                    table[state],
                    mdp.actions[mdp.state_index(state)],
                    path("policy", state),
                    "an action of this state",
                )
            taken = {mdp.index(state, choices[state]) for state in mdp.states}
        else:
            indices = read_list(choices, "policy", "one action for each state")
            require_length(indices, len(mdp.states), "policy", "one action for each state")
            taken = set()
            for state, index, pairs in zip(mdp.states, indices, mdp.pair_ranges, strict=True):
                action = read_index(index, len(pairs), path("policy", state))
                taken.add(pairs[action])
        return cls(mdp, tuple(Fraction(pair in taken) for pair in range(len(mdp.pairs))))

    @classmethod
    def from_table(cls, mdp: MDP, table: Mapping[str, Mapping[str, object]]) -> Policy:
        """Return the policy of a table state -> action -> probability; missing actions have 0."""
        require_mdp(mdp)
        values = pair_values(table, "policy", mdp.states, mdp.actions, missing=Fraction(0))
        numbers = (
            exact(value, path("policy", *pair))
            for value, pair in zip(values, mdp.pairs, strict=True)
        )
        return cls(mdp, tuple(numbers))

    @classmethod
    def uniform(cls, mdp: MDP) -> Policy:
        """Return the policy that takes every action of a state equally often."""
        require_mdp(mdp)
        return cls(mdp, tuple(Fraction(1, len(names)) for names in mdp.actions for _ in names))

    @property
    def is_deterministic(self) -> bool:
        """Whether one action has probability 1 in every state."""
        return all(probability in (0, 1) for probability in self.probabilities)

    @property
    def choices(self) -> tuple[int, ...]:
        """For each state, the position of its action among the actions of the state.

        Raises
        ------
        InputError
            If the policy is not deterministic.
        """
        if not self.is_deterministic:
            raise InputError("policy", "a stochastic policy", "a deterministic one")
        return tuple(
            self.probabilities.index(Fraction(1), pairs.start, pairs.stop) - pairs.start
            for pairs in self.mdp.pair_ranges
        )

    def __repr__(self) -> str:
        states = self.mdp.states
        if not self.is_deterministic or len(states) > _SHOWN_STATES:
            kind = "deterministic" if self.is_deterministic else "stochastic"
            return f"Policy({kind}, {len(states)} state{'s' * (len(states) != 1)})"
        taken = zip(states, self.mdp.actions, self.choices, strict=True)
        return f"Policy({', '.join(f'{state}: {names[a]}' for state, names, a in taken)})"
