"""What a stationary policy is: for each state a distribution over its actions, exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import partial
from typing import cast

from symsafe.errors import InputError
from symsafe.exact import exact, format_fraction
from symsafe.model.mdp import MDP, require_mdp
from symsafe.model.tables import (
    pair_values,
    path,
    read_index,
    read_list,
    read_table,
    require_distribution,
    require_instance,
    require_known,
    require_length,
)

__all__ = ["Policy", "require_policy"]

# A longer deterministic policy is summarised in `repr`.
_SHOWN_STATES = 8
_FARTHEST = 1000


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
    def softmax(
        cls, mdp: MDP, logits: Mapping[str, object], *, temperature: object = 1, digits: int = 12
    ) -> Policy:
        """Return a rational policy close to the softmax of logits.

        Parameters
        ----------
        mdp : MDP
        logits : mapping state -> action -> number
            One for each pair; exact numbers, such as the decimals that a model printed.
        temperature : number
            By which logits are divided; above 0.
        digits : int
            Each probability is rounded to so many significant digits, 1 to 50; what is missing to
            a sum of 1 is added to the greatest of the state.

        Raises
        ------
        InputError
            For missing pairs, unknown names, a temperature or number of digits out of range,
            logits more than 1,000 temperatures apart in a state.

        Examples
        --------
        >>> mdp = MDP.bandit({"s": {"a": 1, "b": 0}})
        >>> Policy.softmax(mdp, {"s": {"a": "1.5", "b": 0}}, digits=3).probabilities
        (Fraction(409, 500), Fraction(91, 500))
        """
        require_mdp(mdp)
        heat = exact(temperature, "temperature")
        if heat <= 0:
            raise InputError("temperature", format_fraction(heat), "a number above 0")
        if isinstance(digits, bool) or not isinstance(digits, int) or not 1 <= digits <= 50:
            raise InputError("digits", digits, "a whole number from 1 to 50")
        values = pair_values(logits, "logits", mdp.states, mdp.actions)
        heights = [
            exact(value, path("logits", *pair)) / heat
            for value, pair in zip(values, mdp.pairs, strict=True)
        ]
        probabilities: list[Fraction] = []
        for state, pairs in zip(mdp.states, mdp.pair_ranges, strict=True):
            own = [heights[p] for p in pairs]
            if max(own) - min(own) > _FARTHEST:
                what = f"logits at most {_FARTHEST} temperatures apart"
                raise InputError(path("logits", state), "a wider range", what)
            probabilities += _softmax(own, digits)
        return cls(mdp, tuple(probabilities))

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


def require_policy(value: object, mdp: MDP, field: str = "policy") -> None:
    """Refuse anything but a policy of this MDP."""
    require_instance(value, Policy, field, "a Policy")
    other = cast(Policy, value).mdp
    if other is not mdp and other != mdp:
        raise InputError(field, "a policy of another MDP", "a policy of this MDP")


def _softmax(heights: Sequence[Fraction], digits: int) -> list[Fraction]:
    """Return the softmax, each entry rounded to significant digits, of sum 1."""
    with localcontext(prec=digits + 10) as context:
        context.Emin = -(10**6)
        top = max(heights)
        weights = [
            (Decimal((x - top).numerator) / Decimal((x - top).denominator)).exp() for x in heights
        ]
        total = sum(weights, Decimal(0))
        context.prec = digits
        shares = [Fraction(weight / total) for weight in weights]
    shares[shares.index(max(shares))] += 1 - sum(shares)
    return shares
