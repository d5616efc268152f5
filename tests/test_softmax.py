"""Policies from logits."""

from __future__ import annotations

from fractions import Fraction

import pytest
from flint import arb, ctx, fmpq

from symsafe import MDP, InputError, Policy, loads_problem

MDP_OF_FOUR = MDP.bandit({"s": {"a": 1, "b": 0, "c": 2}, "t": {"a": 0}})
FILE = """
data = "reference"
[bandit]
reward = {{ s = {{ a = 1, b = 0 }} }}
[safety]
regret = "1/2"
[regularizer]
kind = "{kind}"
weight = 1
reference = {{ logits = {{ s = {{ a = 0, b = "-0.5" }} }} }}
"""


@pytest.mark.parametrize("digits", [1, 6, 12, 40])
@pytest.mark.parametrize("temperature", [1, "1/3", 20])
def test_probabilities_are_those_of_the_softmax_to_the_digits(
    digits: int, temperature: object
) -> None:
    """Against flint's balls; they sum to exactly 1."""
    logits = {"s": {"a": "1.25", "b": "-7/2", "c": 0}, "t": {"a": 3}}
    found = Policy.softmax(MDP_OF_FOUR, logits, temperature=temperature, digits=digits)
    assert sum(found.probabilities[:3]) == found.probabilities[3] == 1
    saved = ctx.prec
    ctx.prec = 300
    try:
        heat = Fraction(str(temperature))
        heights = [Fraction(x) / heat for x in ("1.25", "-7/2", "0")]
        weights = [arb(fmpq(x.numerator, x.denominator)).exp() for x in heights]
        for p, weight in zip(found.probabilities, weights, strict=False):
            ratio = arb(fmpq(p.numerator, p.denominator)) * sum(weights, arb(0)) / weight
            assert abs(ratio - 1) < arb(10) ** (2 - digits)
    finally:
        ctx.prec = saved


def test_the_reference_of_a_file_may_be_given_by_logits_and_so_may_the_data() -> None:
    """D is then what the reference policy collects."""
    problem = loads_problem(FILE.format(kind="kl"))
    assert problem.regularizer is not None
    assert problem.regularizer.reference is not None
    assert problem.data.weights == problem.regularizer.reference.probabilities
    assert problem.data.weights[0] > problem.data.weights[1] > 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"logits": {"s": {"a": 1, "b": 0, "c": 1}}}, "logits.t"),
        ({"temperature": 0}, "temperature"),
        ({"digits": 0}, "digits"),
        ({"logits": {"s": {"a": 1, "b": 0, "c": 2000}, "t": {"a": 0}}}, "logits.s"),
    ],
)
def test_what_makes_no_softmax_is_named(change: dict[str, object], field: str) -> None:
    """With the field, the value and what was expected."""
    given = {"logits": {"s": {"a": 1, "b": 0, "c": 2}, "t": {"a": 0}}} | change
    logits = given.pop("logits")
    with pytest.raises(InputError) as caught:
        Policy.softmax(MDP_OF_FOUR, logits, **given)  # type: ignore[arg-type]
    assert caught.value.field.startswith(field)


def test_reference_data_need_a_reference() -> None:
    """Not without a regularizer that has one."""
    text = FILE.split("[regularizer]")[0].format(kind="kl")
    with pytest.raises(InputError) as caught:
        loads_problem(text)
    assert caught.value.field == "data"
