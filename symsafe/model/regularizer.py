"""What a policy is penalised for besides a low return: lambda times a convex function, exact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from symsafe.errors import InputError
from symsafe.exact import exact, format_fraction
from symsafe.model.mdp import MDP, require_mdp
from symsafe.model.policy import Policy, require_policy
from symsafe.model.tables import (
    pair_values,
    path,
    read_list,
    read_table,
    renamed,
    require_known,
    require_length,
)

__all__ = ["KINDS", "Regularizer"]

KINDS = ("linear", "l2", "chi2", "tv", "kl")


@dataclass(frozen=True, slots=True, repr=False)
class Regularizer:
    """A penalty lambda * omega of policies: the objective is J(policy) - lambda * omega(policy).

    omega is a function of the normalised occupancy measure x = (1 - gamma) eta of the policy, and
    of rho, that of the reference policy:

    ``linear``
        the sum of ``c x``, with coefficients c
    ``l2``
        the sum of ``(x - rho)^2``
    ``chi2``
        the sum of ``(x - rho)^2 / rho``
    ``tv``
        half the sum of ``|x - rho|``
    ``kl``
        the mean of KL(policy in s, reference in s), over the initial states if gamma = 0 and over
        the normalised visits of the policy else

    Parameters
    ----------
    mdp : MDP
    kind : str
        One of the above.
    weight : Fraction
        lambda, at least 0; in reward units per unit of omega.
    reference : Policy, optional
        Needed by all kinds but ``linear``; by default the uniform policy.
    coefficients : tuple of Fraction, one a pair, optional
        Needed by ``linear``.

    Raises
    ------
    InputError
        For an unknown kind, a negative weight, what the kind needs and is missing or does not need
        and is given, a reference of another MDP, a KL reference with a probability of 0.

    Examples
    --------
    >>> mdp = MDP.bandit({"s": {"a": 1, "b": 0}})
    >>> Regularizer(mdp, "l2", "1/2")
    Regularizer(l2, weight 1/2)
    """

    mdp: MDP
    kind: str
    weight: Fraction
    reference: Policy | None = None
    coefficients: tuple[Fraction, ...] | None = None

    def __post_init__(self) -> None:
        require_mdp(self.mdp)
        require_known(self.kind, KINDS, "regularizer.kind", "a kind of regularizer")
        weight = exact(self.weight, "regularizer.weight")
        if weight < 0:
            raise InputError("regularizer.weight", format_fraction(weight), "a number from 0")
        if self.kind == "kl" and not weight:
            raise InputError("regularizer.weight", "0", "a number above 0 for the kind kl")
        object.__setattr__(self, "weight", weight)
        if self.kind == "linear":
            self._require_absent("reference", self.reference)
            object.__setattr__(self, "coefficients", self._read_coefficients())
        else:
            self._require_absent("coefficients", self.coefficients)
            object.__setattr__(self, "reference", self._read_reference())

    def _require_absent(self, name: str, value: object) -> None:
        if value is not None:
            raise InputError(f"regularizer.{name}", "a value", f"none for the kind {self.kind}")

    def _read_coefficients(self) -> tuple[Fraction, ...]:
        field, what = "regularizer.coefficients", "one number for each pair"
        given = read_list(self.coefficients, field, what)
        require_length(given, len(self.mdp.pairs), field, what)
        pairs = zip(given, self.mdp.pairs, strict=True)
        return tuple(
            exact(value, path("regularizer", "coefficients", *pair)) for value, pair in pairs
        )

    def _read_reference(self) -> Policy:
        if self.reference is None:
            return Policy.uniform(self.mdp)
        field = "regularizer.reference"
        require_policy(self.reference, self.mdp, field)
        if self.kind == "kl":
            for pair, probability in zip(self.mdp.pairs, self.reference.probabilities, strict=True):
                if not probability:
                    place = path("regularizer", "reference", *pair)
                    raise InputError(place, "0", "a positive probability, as KL is infinite else")
        return self.reference

    @classmethod
    def from_table(cls, mdp: MDP, table: Mapping[str, object]) -> Regularizer:
        """Return the regularizer of a table ``kind, weight, reference | coefficients``.

        The reference is ``"uniform"``, a table state -> action -> probability, or ``{"logits":
        table}`` with a table state -> action -> logit (see `Policy.softmax`); coefficients are a
        table state -> action -> number, missing pairs have 0.
        """
        require_mdp(mdp)
        for key in read_table(table, "regularizer"):
            known = ("kind", "weight", "reference", "coefficients")
            require_known(key, known, path("regularizer", key), "a known key")
        for key in ("kind", "weight"):
            if key not in table:
                raise InputError(path("regularizer", key), "nothing", "a value, which is needed")
        reference, coefficients = table.get("reference"), table.get("coefficients")
        policy = numbers = None
        if reference == "uniform":
            policy = Policy.uniform(mdp)
        elif isinstance(reference, Mapping) and set(reference) == {"logits"} - set(mdp.states):
            with renamed("logits", "regularizer.reference.logits"):
                policy = Policy.softmax(mdp, read_table(reference["logits"], "logits"))
        elif reference is not None:
            values = pair_values(
                reference, "regularizer.reference", mdp.states, mdp.actions, missing=Fraction(0)
            )
            with renamed("policy", "regularizer.reference"):
                policy = Policy(mdp, _exact(mdp, values, "reference"))
        if coefficients is not None:
            values = pair_values(
                coefficients, "regularizer.coefficients", mdp.states, mdp.actions, Fraction(0)
            )
            numbers = _exact(mdp, values, "coefficients")
        weight = exact(table["weight"], "regularizer.weight")
        kind = table["kind"]
        if not isinstance(kind, str):
            raise InputError("regularizer.kind", kind, f"one of {', '.join(KINDS)}")
        return cls(mdp, kind, weight, policy, numbers)

    def on(self, mdp: MDP) -> Regularizer:
        """Return the same regularizer for an MDP with the same pairs."""
        policy = None if self.reference is None else Policy(mdp, self.reference.probabilities)
        return Regularizer(mdp, self.kind, self.weight, policy, self.coefficients)

    def __repr__(self) -> str:
        return f"Regularizer({self.kind}, weight {format_fraction(self.weight)})"


def _exact(mdp: MDP, values: list[object], name: str) -> tuple[Fraction, ...]:
    pairs = zip(values, mdp.pairs, strict=True)
    return tuple(exact(value, path("regularizer", name, *pair)) for value, pair in pairs)
