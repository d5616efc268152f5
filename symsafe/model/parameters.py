"""The named parameters of a problem and the domain from which their values come.

A domain is a box, cut down by polynomial constraints. Nothing is solved here.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from symsafe.errors import InputError
from symsafe.exact import Number, RationalFunction, entry, exact
from symsafe.model.tables import (
    path,
    read_list,
    read_names,
    read_table,
    require_known,
    shown,
    substituted,
)

__all__ = ["Constraint", "ParameterSpace"]

_RELATIONS: dict[str, Callable[[Fraction, Fraction], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}
_RELATION = re.compile("(<=|>=|==|<|>)")
_PARAMETER = re.compile(r"[^\W\d]\w*")
# In a problem file this key stands beside the parameters.
_RESERVED = "constraints"


@dataclass(frozen=True, slots=True, repr=False)
class Constraint:
    """A polynomial of parameters compared with 0.

    Attributes
    ----------
    difference : RationalFunction or Fraction
        Left side minus right side; a polynomial.
    relation : str
        One of ``< <= > >= ==``.

    Examples
    --------
    >>> Constraint.parse("r*r < 3", ["r"])
    Constraint('r^2 - 3 < 0')
    """

    difference: Number
    relation: str

    def __post_init__(self) -> None:
        if self.relation not in _RELATIONS:
            raise InputError("constraint", self.relation, f"one of {' '.join(_RELATIONS)}")
        if isinstance(self.difference, RationalFunction) and any(
            any(exponents) for exponents in self.difference.denominator
        ):
            raise InputError("constraint", str(self), "polynomials, with no parameter in a divisor")

    @classmethod
    def parse(
        cls, text: object, parameters: Sequence[str], field: str = "constraint"
    ) -> Constraint:
        """Read a constraint such as ``"p + q <= 1"``.

        Raises
        ------
        InputError
            If `text` is not two polynomials in the parameters with one relation between them.
        """
        sides = _RELATION.split(text) if isinstance(text, str) else []
        if len(sides) != 3:
            expected = f'two expressions with one of {" ".join(_RELATIONS)} between, "p + q <= 1"'
            raise InputError(field, text, expected)
        left, right = (entry(side, field, parameters) for side in sides[::2])
        try:
            return cls(left - right, sides[1])
        except InputError as error:
            raise InputError(field, error.value, error.expected) from None

    def at(self, point: Mapping[str, Fraction]) -> Constraint:
        """Return the constraint with some parameters replaced by their values."""
        return Constraint(substituted(self.difference, point, "constraint"), self.relation)

    def holds(self, point: Mapping[str, Fraction]) -> bool:
        """Return whether the constraint is true where every parameter in it has a value."""
        difference = self.at(point).difference
        if not isinstance(difference, Fraction):
            missing = ", ".join(difference.parameters)
            raise InputError("parameters", f"no value for {missing}", "a value for each parameter")
        return _RELATIONS[self.relation](difference, Fraction(0))

    def __str__(self) -> str:
        return f"{shown(self.difference)} {self.relation} 0"

    def __repr__(self) -> str:
        return f"Constraint({str(self)!r})"


@dataclass(frozen=True, slots=True, init=False, repr=False)
class ParameterSpace:
    """Named parameters, a closed interval for each, and polynomial constraints between them.

    Parameters
    ----------
    bounds : mapping of str to (min, max), optional
        Exact numbers, min <= max.
    constraints : sequence of Constraint or str, optional
        Strings such as ``"r*r < 3"``.

    Attributes
    ----------
    names : tuple of str
        Sorted.
    lower, upper : tuple of Fraction
        In the order of `names`.
    constraints : tuple of Constraint
        Those that speak of a parameter.

    Raises
    ------
    InputError
        For a name that is no identifier, an empty interval, a constraint that cannot be read or
        that is false for all values.

    Examples
    --------
    >>> space = ParameterSpace({"r": ("1/2", 2)}, ["r*r < 3"])
    >>> space
    ParameterSpace(1/2 <= r <= 2, r^2 - 3 < 0)
    >>> space.contains({"r": 1}), space.contains({"r": 2})
    (True, False)
    """

    names: tuple[str, ...]
    lower: tuple[Fraction, ...]
    upper: tuple[Fraction, ...]
    constraints: tuple[Constraint, ...]

    def __init__(
        self,
        bounds: Mapping[str, tuple[object, object]] | None = None,
        constraints: Sequence[Constraint | str] = (),
    ) -> None:
        table = read_table({} if bounds is None else bounds, "parameters")
        names = read_names(sorted(table), "parameters") if table else ()
        lower, upper = [], []
        for name in names:
            field = path("parameters", name)
            if not _PARAMETER.fullmatch(name) or name == _RESERVED:
                expected = "a name of letters, digits and _ that does not start with a digit"
                raise InputError("parameters", name, f"{expected}, other than {_RESERVED}")
            ends = read_list(table[name], field, "two numbers, the least and the largest value")
            if len(ends) != 2:
                raise InputError(field, f"{len(ends)} numbers", "two, the least and largest value")
            low, high = exact(ends[0], f"{field}.min"), exact(ends[1], f"{field}.max")
            if low > high:
                raise InputError(field, f"min {shown(low)} above max {shown(high)}", "min <= max")
            lower.append(low)
            upper.append(high)
        read: list[Constraint] = []
        listed = read_list(constraints, "parameters.constraints", "a list of constraints")
        for position, given in enumerate(listed):
            field = f"parameters.constraints[{position}]"
            if isinstance(given, Constraint):
                # Through the one door: refuses what was not declared.
                entry(given.difference, field, names)
                constraint = given
            else:
                constraint = Constraint.parse(given, names, field)
            if isinstance(constraint.difference, RationalFunction):
                read.append(constraint)
            elif not constraint.holds({}):
                raise InputError(field, f"the false {constraint}", "a constraint that can hold")
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "lower", tuple(lower))
        object.__setattr__(self, "upper", tuple(upper))
        object.__setattr__(self, "constraints", tuple(read))

    @property
    def bounds(self) -> dict[str, tuple[Fraction, Fraction]]:
        """The interval of each parameter."""
        return dict(
            zip(self.names, zip(self.lower, self.upper, strict=True), strict=True),
        )

    def contains(self, values: Mapping[str, object]) -> bool:
        """Return whether `values`, one for each parameter, lie in the domain.

        Raises
        ------
        InputError
            For an unknown or missing parameter, or a value that is no exact number.
        """
        point = self._exact(values)
        for name in self.names:
            if name not in point:
                raise InputError(path("parameters", name), "nothing", "a value")
        return all(low <= point[name] <= high for name, (low, high) in self.bounds.items()) and all(
            constraint.holds(point) for constraint in self.constraints
        )

    def point(self, values: Mapping[str, object]) -> dict[str, Fraction]:
        """Return exact values for some of the parameters, after checking them.

        Raises
        ------
        InputError
            For an unknown parameter, a value outside its interval, values that break a constraint.
        """
        point = self._exact(values)
        bounds = self.bounds
        for name, value in point.items():
            low, high = bounds[name]
            if not low <= value <= high:
                field = path("parameters", name)
                raise InputError(field, shown(value), f"a number in [{shown(low)}, {shown(high)}]")
        for constraint in self.constraints:
            left = constraint.at(point)
            if isinstance(left.difference, Fraction) and not left.holds({}):
                where = ", ".join(f"{name} = {shown(value)}" for name, value in point.items())
                raise InputError("parameters.constraints", where, f"values with {constraint}")
        return point

    def at(self, values: Mapping[str, object]) -> ParameterSpace:
        """Return the domain of the parameters that `values` leaves open."""
        point = self.point(values)
        bounds = {name: ends for name, ends in self.bounds.items() if name not in point}
        return ParameterSpace(bounds, [constraint.at(point) for constraint in self.constraints])

    def _exact(self, values: Mapping[str, object]) -> dict[str, Fraction]:
        table = read_table(values, "parameters")
        for name in table:
            require_known(name, self.names, "parameters", "a declared parameter")
        return {name: exact(value, path("parameters", name)) for name, value in table.items()}

    def __repr__(self) -> str:
        parts = [
            f"{shown(low)} <= {name} <= {shown(high)}" for name, (low, high) in self.bounds.items()
        ]
        return f"ParameterSpace({', '.join([*parts, *map(str, self.constraints)])})"
