"""Problems as objects: what is accepted, what it means, and what is refused with which words."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from fractions import Fraction

import flint
import numpy as np
import pytest
import sympy

from symsafe.errors import CertificateRejected, InputError
from symsafe.exact import RationalFunction
from symsafe.model import (
    MDP,
    Constraint,
    DataDistribution,
    ParameterSpace,
    Policy,
    SafetyProblem,
)
from symsafe.model.tables import path, read_names, require_known, shown

TRANSITIONS = {
    "s0": {"stay": {"s0": 1}, "go": {"s1": "4/5", "s0": "1/5"}},
    "s1": {"stay": {"s1": 1}},
}
REWARD = {"s0": {"stay": 0, "go": "1/2"}, "s1": {"stay": 2}}


def small(**changes: object) -> MDP:
    """Two states, three pairs; any argument of `from_tables` can be changed."""
    arguments: dict[str, object] = {
        "transitions": TRANSITIONS,
        "reward": REWARD,
        "initial": "s0",
        "discount": "9/10",
    }
    return MDP.from_tables(**(arguments | changes))  # type: ignore[arg-type]


def parametric() -> MDP:
    """The same with a slip probability p and a reward r."""
    return small(
        transitions={
            "s0": {"stay": {"s0": 1}, "go": {"s1": "1 - p", "s0": "p"}},
            "s1": {"stay": {"s1": 1}},
        },
        reward={"s0": {"stay": 0, "go": "r/(1 + p)"}, "s1": {"stay": 2}},
        parameters=ParameterSpace({"r": ("1/2", 2), "p": (0, 1)}, ["r*r + p < 3"]),
    )


def canonical(**changes: object) -> MDP:
    """The canonical constructor for one state with two actions."""
    arguments: dict[str, object] = {
        "states": ("s",),
        "actions": (("a", "b"),),
        "successors": (((0, Fraction(1)),), ((0, Fraction(1)),)),
        "rewards": (Fraction(1), Fraction(0)),
        "initial": (Fraction(1),),
        "discount": Fraction(0),
    }
    return MDP(**(arguments | changes))  # type: ignore[arg-type]


def refusal(build: Callable[[], object]) -> InputError:
    """Return the InputError that `build` must raise."""
    with pytest.raises(InputError) as caught:
        build()
    return caught.value


# What is accepted


def test_tables_are_stored_flat_per_pair() -> None:
    """Pairs run state by state; successors are sorted by state."""
    mdp = small()
    assert mdp.states == ("s0", "s1")
    assert mdp.actions == (("stay", "go"), ("stay",))
    assert mdp.pairs == (("s0", "stay"), ("s0", "go"), ("s1", "stay"))
    assert mdp.pair_states == (0, 0, 1)
    assert mdp.pair_ranges == (range(2), range(2, 3))
    assert mdp.successors[1] == ((0, Fraction(1, 5)), (1, Fraction(4, 5)))
    assert mdp.rewards == (0, Fraction(1, 2), 2)
    assert mdp.initial == (1, 0)
    assert mdp.discount == Fraction(9, 10)
    assert mdp.is_ground


def test_names_find_indices() -> None:
    """States and pairs are found by name."""
    mdp = small()
    assert (mdp.state_index("s1"), mdp.index("s0", "go"), mdp.index("s1", "stay")) == (1, 1, 2)


def test_arrays_tables_and_canonical_fields_agree() -> None:
    """The three ways to write an MDP give equal objects with equal hashes."""
    tables = small(
        transitions={
            "s0": {"a0": {"s0": 1}, "a1": {"s0": "1/2", "s1": "1/2"}},
            "s1": {"a0": {"s0": 1}, "a1": {"s1": 1}},
        },
        reward={"s0": {"a0": 0, "a1": 1}, "s1": {"a0": 2, "a1": 3}},
    )
    dense = MDP.from_arrays(
        [[[1, 0], ["1/2", "1/2"]], [[1, 0], [0, 1]]], [[0, 1], [2, 3]], [1, 0], "9/10"
    )
    sparse = MDP.from_arrays(
        [[0, 0, 0, 1], [0, 1, 1, "1/2"], [0, 1, 0, "1/2"], [1, 0, 0, 1], [1, 1, 1, 1]],
        [[0, 1], [2, 3]],
        "s0",
        "9/10",
    )
    fields = MDP(
        dense.states, dense.actions, dense.successors, dense.rewards, dense.initial, dense.discount
    )
    assert tables == dense == sparse == fields
    assert len({tables, dense, sparse, fields}) == 1


def test_numpy_arrays_of_integers_and_objects_are_read() -> None:
    """Integer arrays and object arrays of fractions are exact, in both forms of transitions."""
    half = Fraction(1, 2)
    dense = np.array([[[1, 0], [half, half]], [[0, 1], [1, 0]]], dtype=object)
    mdp = MDP.from_arrays(dense, np.array([[0, 1], [2, 3]]), np.array([1, 0]), half)
    assert mdp.successors[1] == ((0, half), (1, half))
    sparse = np.array([[0, 0, 1, 1], [1, 0, 0, 1]])
    mdp = MDP.from_arrays(sparse, np.array([[0], [1]]), [np.int64(1), 0], "1/2", actions=["only"])
    assert mdp.successors == (((1, 1),), ((0, 1),))
    indices = [[np.int64(0), np.int64(0), np.int64(0), 1]]
    assert MDP.from_arrays(indices, [[5]], [1], 0).successors == (((0, 1),),)


def test_numbers_of_sympy_flint_and_decimal_text_are_read() -> None:
    """Every exact kind of number can stand in a table."""
    mdp = small(
        reward={
            "s0": {"stay": sympy.Rational(1, 3), "go": flint.fmpq(2, 3)},
            "s1": {"stay": "0.1"},
        }
    )
    assert mdp.rewards == (Fraction(1, 3), Fraction(2, 3), Fraction(1, 10))


def test_names_may_be_given_for_arrays() -> None:
    """One list of actions for all states, or a list for each state."""
    arrays = ([[[1, 0]], [[0, 1]]], [[0], [1]], [1, 0], 0)
    assert MDP.from_arrays(*arrays, ["x", "y"], ["go"]).pairs == (("x", "go"), ("y", "go"))
    ragged = MDP.from_arrays(*arrays, actions={"s0": ["up"], "s1": ["down"]})
    assert ragged.pairs == (("s0", "up"), ("s1", "down"))


def test_ragged_arrays_are_read() -> None:
    """The number of actions may differ by state."""
    mdp = MDP.from_arrays([[[1, 0], [0, 1]], [[0, 1]]], [[0, 1], [2]], [1, 0], 0)
    assert mdp.actions == (("a0", "a1"), ("a0",))


def test_actions_for_all_states_fix_the_order_and_pairs_may_be_missing() -> None:
    """A common list says the order; which pairs exist is said by the transitions."""
    assert small(actions=["go", "stay"]).actions == (("go", "stay"), ("stay",))


def test_actions_by_state_fix_what_exists() -> None:
    """A list for each state is complete."""
    mdp = small(actions={"s1": ["stay"], "s0": ["go", "stay"]}, states=["s1", "s0"])
    assert mdp.pairs == (("s1", "stay"), ("s0", "go"), ("s0", "stay"))


def test_zero_probabilities_are_dropped_and_initial_may_be_partial() -> None:
    """A successor of probability 0 is no successor; a state left out of `initial` has 0."""
    mdp = canonical(
        states=("s", "t"),
        actions=(("a", "b"), ("c",)),
        successors=([(1, "1"), (0, 0)], [[0, 1]], ((1, 1),)),
        rewards=(1, 0, 0),
        initial=(1, 0),
    )
    assert mdp.successors == (((1, 1),), ((0, 1),), ((1, 1),))
    assert small(initial={"s1": 1}).initial == (0, 1)


def test_a_bandit_is_an_mdp_with_discount_0_that_stays() -> None:
    """Its initial distribution is uniform unless given."""
    bandit = MDP.bandit({"x": {"a": 1, "b": 0}, "y": {"a": 0}})
    assert bandit.discount == 0
    assert bandit.successors == (((0, 1),), ((0, 1),), ((1, 1),))
    assert bandit.initial == (Fraction(1, 2), Fraction(1, 2))
    named = MDP.bandit({"x": {"a": 1, "b": 0}, "y": {"a": 0}}, "y", ["y", "x"], ["b", "a"])
    assert named.pairs == (("y", "a"), ("x", "b"), ("x", "a"))
    assert named.initial == (1, 0)


def test_objects_are_immutable_and_survive_copy_and_pickle() -> None:
    """Problems travel to worker processes unchanged."""
    mdp = parametric().at(p="1/3", r=1)
    problem = SafetyProblem(mdp, DataDistribution.uniform(mdp), Fraction(1, 2), Fraction(1, 4))
    with pytest.raises(FrozenInstanceError):
        mdp.discount = Fraction(0)  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(problem)) == problem
    assert copy.deepcopy(problem) == problem
    assert hash(copy.deepcopy(problem)) == hash(problem)


def test_replace_reads_and_checks_again() -> None:
    """A changed copy passes through the same validation."""
    assert replace(small(), discount="1/2").discount == Fraction(1, 2)  # type: ignore[arg-type]
    assert refusal(lambda: replace(small(), discount=Fraction(1))).field == "discount"


@pytest.mark.parametrize(
    ("thing", "text"),
    [
        (small(), "MDP(2 states, 3 state-action pairs, discount 9/10)"),
        (
            parametric(),
            "MDP(2 states, 3 state-action pairs, discount 9/10, parameters p r)",
        ),
        (MDP.bandit({"s": {"a": 1}}), "MDP(1 state, 1 state-action pair, discount 0)"),
        (Policy.deterministic(small(), [1, 0]), "Policy(s0: go, s1: stay)"),
        (Policy.uniform(small()), "Policy(stochastic, 2 states)"),
        (
            Policy.uniform(MDP.bandit({f"s{i}": {"a": 1} for i in range(9)})),
            "Policy(deterministic, 9 states)",
        ),
        (Policy.uniform(MDP.bandit({"s": {"a": 1, "b": 0}})), "Policy(stochastic, 1 state)"),
        (DataDistribution.uniform(small()), "DataDistribution(3 pairs, 3 seen)"),
        (
            SafetyProblem(small(), DataDistribution.uniform(small()), Fraction(1, 2)),
            "SafetyProblem(MDP(2 states, 3 state-action pairs, discount 9/10), regret 1/2)",
        ),
        (parametric().parameters, "ParameterSpace(0 <= p <= 1, 1/2 <= r <= 2, r^2 + p - 3 < 0)"),
    ],
)
def test_repr_is_one_short_line(thing: object, text: str) -> None:
    """What a notebook shows is compact and exact."""
    shown_text = repr(thing)
    if isinstance(thing, ParameterSpace):
        # The order of the terms of a polynomial is not ours.
        assert shown_text.startswith("ParameterSpace(0 <= p <= 1, 1/2 <= r <= 2, ")
        assert shown_text.endswith(" < 0)")
    else:
        assert shown_text == text


def test_large_dense_tables_are_read() -> None:
    """100 states with 4 actions, all successors possible."""
    row = ["1/100"] * 100
    mdp = MDP.from_arrays([[row] * 4] * 100, [[0, 1, 2, 3]] * 100, row, "9/10")
    assert len(mdp.pairs) == 400
    assert all(len(successors) == 100 for successors in mdp.successors)


# What is refused: MDPs

REFUSED_TABLES = {
    "row below 1": (
        {"transitions": {**TRANSITIONS, "s1": {"stay": {"s0": "1/3", "s1": "1/3"}}}},
        "transitions.s1.stay",
        "entries whose sum is 2/3",
    ),
    "row above 1": (
        {"transitions": {**TRANSITIONS, "s1": {"stay": {"s1": 1, "s0": "1/10000000000"}}}},
        "transitions.s1.stay",
        "entries whose sum is 10000000001/10000000000",
    ),
    "empty row": (
        {"transitions": {**TRANSITIONS, "s1": {"stay": {}}}},
        "transitions.s1.stay",
        "entries whose sum is 0",
    ),
    "negative probability": (
        {"transitions": {**TRANSITIONS, "s1": {"stay": {"s1": "3/2", "s0": "-1/2"}}}},
        "transitions.s1.stay.s0",
        "-1/2",
    ),
    "float probability": (
        {"transitions": {**TRANSITIONS, "s1": {"stay": {"s1": 1.0}}}},
        "transitions.s1.stay.s1",
        "1.0 (a binary float)",
    ),
    "unknown successor": (
        {"transitions": {**TRANSITIONS, "s1": {"stay": {"S1": 1}}}},
        "transitions.s1.stay",
        "the unknown name 'S1'",
    ),
    "state without actions": (
        {"transitions": {**TRANSITIONS, "s1": {}}},
        "transitions.s1",
        "no action",
    ),
    "state without table": ({"states": ["s0", "s1", "s2"]}, "transitions.s2", "nothing"),
    "state not listed": ({"states": ["s0"]}, "transitions", "the unknown name 's1'"),
    "no states": ({"transitions": {}, "reward": {}}, "states", "no name"),
    "empty list of states": ({"states": []}, "states", "no name"),
    "doubled state": ({"states": ["s0", "s0", "s1"]}, "states", "'s0' twice"),
    "states as text": ({"states": "s0"}, "states", "s0"),
    "states as a set": ({"states": {"s0"}}, "states", {"s0"}),
    "number as state": ({"states": ["s0", 1]}, "states", "the name 1"),
    "number as key": ({"transitions": {0: {}}}, "transitions", "the name 0"),
    "transitions as a list": ({"transitions": []}, "transitions", []),
    "row as a list": (
        {"transitions": {**TRANSITIONS, "s1": {"stay": ["s1"]}}},
        "transitions.s1.stay",
        ["s1"],
    ),
    "actions of a state as text": (
        {"transitions": {**TRANSITIONS, "s1": "stay"}},
        "transitions.s1",
        "stay",
    ),
    "action not listed": ({"actions": ["stay"]}, "transitions.s0", "the unknown name 'go'"),
    "doubled action": ({"actions": ["stay", "go", "go"]}, "actions", "'go' twice"),
    "actions of an unknown state": (
        {"actions": {"s0": ["stay", "go"], "s1": ["stay"], "s2": ["stay"]}},
        "actions",
        "the unknown name 's2'",
    ),
    "actions of a state missing": ({"actions": {"s0": ["stay", "go"]}}, "actions.s1", "nothing"),
    "no actions listed": ({"actions": {"s0": ["stay", "go"], "s1": []}}, "actions.s1", "no name"),
    "listed pair without transitions": (
        {"actions": {"s0": ["stay", "go"], "s1": ["stay", "go"]}},
        "transitions.s1.go",
        "nothing",
    ),
    "pair that is not listed": (
        {"actions": {"s0": ["stay"], "s1": ["stay"]}},
        "transitions.s0",
        "the unknown name 'go'",
    ),
    "reward missing": (
        {"reward": {"s0": {"stay": 0}, "s1": {"stay": 0}}},
        "reward.s0.go",
        "nothing",
    ),
    "reward of a state missing": ({"reward": {"s0": {"stay": 0, "go": 1}}}, "reward.s1", "nothing"),
    "reward of no pair": (
        {"reward": {**REWARD, "s1": {"stay": 0, "go": 1}}},
        "reward.s1",
        "the unknown name 'go'",
    ),
    "reward of no state": (
        {"reward": {**REWARD, "t": {"stay": 0}}},
        "reward",
        "the unknown name 't'",
    ),
    "float reward": (
        {"reward": {**REWARD, "s1": {"stay": 0.1}}},
        "reward.s1.stay",
        "0.1 (a binary float)",
    ),
    "truth value as reward": (
        {"reward": {**REWARD, "s1": {"stay": True}}},
        "reward.s1.stay",
        "True (a truth value)",
    ),
    "undeclared parameter": ({"reward": {**REWARD, "s1": {"stay": "r"}}}, "reward.s1.stay", '"r"'),
    "unknown initial state": ({"initial": "s9"}, "initial", "the unknown name 's9'"),
    "unknown state in initial": ({"initial": {"s9": 1}}, "initial", "the unknown name 's9'"),
    "initial below 1": (
        {"initial": {"s0": "1/3", "s1": "1/3"}},
        "initial",
        "entries whose sum is 2/3",
    ),
    "negative initial": ({"initial": {"s0": 2, "s1": -1}}, "initial.s1", "-1"),
    "initial too short": ({"initial": [1]}, "initial", "a list of 1"),
    "initial missing": ({"initial": None}, "initial", None),
    "discount 1": ({"discount": 1}, "discount", "1"),
    "negative discount": ({"discount": "-1/10"}, "discount", "-1/10"),
    "float discount": ({"discount": 0.9}, "discount", "0.9 (a binary float)"),
    "no discount": ({"discount": None}, "discount", None),
    "parameters as a list": ({"parameters": ["r"]}, "parameters", ["r"]),
}


@pytest.mark.parametrize("name", REFUSED_TABLES)
def test_malformed_tables_are_refused(name: str) -> None:
    """Each mistake is an InputError that names the place and what was found."""
    changes, field, found = REFUSED_TABLES[name]
    error = refusal(lambda: small(**changes))
    assert (error.field, error.value) == (field, found)
    assert str(error).startswith(f"{field}: found ")


def test_rows_are_never_normalised() -> None:
    """One third and one third is a mistake, not one half and one half."""
    error = refusal(
        lambda: MDP.from_arrays([[["1/3", "1/3"]], [[0, 1]]], [[0], [1]], [1, 0], "1/2")
    )
    assert (error.field, error.value) == ("transitions.s0.a0", "entries whose sum is 2/3")
    assert error.expected == "a sum of exactly 1"


def test_the_nearest_known_name_is_suggested() -> None:
    """A misspelt name gets a proposal; one that resembles nothing gets the list."""
    error = refusal(lambda: small(initial={"s00": 1}))
    assert error.expected == "a known state (s0, s1); did you mean s0?"
    error = refusal(lambda: small().index("s0", "jump"))
    assert (error.field, error.expected) == ("action.s0", "an action of this state (stay, go)")
    error = refusal(lambda: small().state_index("t"))
    assert (error.field, error.value) == ("state", "the unknown name 't'")
    error = refusal(lambda: require_known("x", tuple("abcdefghijk"), "f", "a letter"))
    assert error.expected == "a letter (a, b, c, d, e, f, g, h, ...)"


@pytest.mark.parametrize("name", [["s0"], None, 3, ("s0",)])
def test_a_name_that_is_no_text_is_unknown(name: object) -> None:
    """Looking up something unhashable or a number is refused like any unknown name."""
    assert refusal(lambda: small().state_index(name)).field == "state"  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "x" * 201, "a\nb", "\x00", "\x7f", "\ud800", "a\u2028b"])
def test_names_are_short_and_printable(name: str) -> None:
    """Empty, long and unprintable names are refused for states and actions."""
    assert refusal(lambda: MDP.bandit({name: {"a": 1}})).field == "states"
    assert refusal(lambda: MDP.bandit({"s": {name: 1}})).field == "reward.s"


@pytest.mark.parametrize(
    "name", [" ", "a\u00a0b", "x" * 200, "größe", "a.b", 'the "left" one', "左"]
)
def test_other_names_are_free(name: str) -> None:
    """Any printable text of up to 200 characters is a name."""
    assert MDP.bandit({name: {name: 1}}).pairs == ((name, name),)


def test_places_are_quoted_where_a_dot_would_mislead() -> None:
    """A path stays readable and short whatever the names are."""
    assert path("reward", "s0", "go-left_2") == "reward.s0.go-left_2"
    assert path("reward", "a.b", "") == 'reward."a.b".""'
    assert path("x" * 500) == '"' + "x" * 200 + '..."'


REFUSED_ARRAYS = {
    "float transitions": ({0: np.ones((1, 2, 1))}, "transitions.s0.a0.s0", "1.0 (a binary float)"),
    "float rewards": ({1: np.array([[0.5, 0.0]])}, "reward.s0.a0", "0.5 (a binary float)"),
    "truth values": ({1: np.array([[True, False]])}, "reward.s0.a0", "True (a truth value)"),
    "scalar array": ({2: np.array(1)}, "initial", np.array(1)),
    "reward of other shape": ({1: [1, 0]}, "reward[0]", 1),
    "no reward": ({1: []}, "states", "no name"),
    "state without actions": ({1: [[]]}, "actions.s0", "no name"),
    "no transitions": ({0: []}, "transitions", "a list of 0"),
    "too few actions": ({0: [[[1]]]}, "transitions.s0", "a list of 1"),
    "too many successors": ({0: [[[1, 0], [1]]]}, "transitions.s0.a0", "a list of 2"),
    "a number for a row": ({0: [[[1], 1]]}, "transitions.s0.a1", 1),
    "a number for a state": ({0: [1]}, "transitions[0]", 1),
    "transitions as text": ({0: "s0"}, "transitions", "s0"),
    "sparse entry too short": ({0: [[0, 0, 0]]}, "transitions[0]", [0, 0, 0]),
    "sparse entry as a number": ({0: [[0, 0, 0, 1], 7]}, "transitions[1]", 7),
    "sparse state out of range": ({0: [[1, 0, 0, 1]]}, "transitions[0][0]", 1),
    "sparse action out of range": ({0: [[0, 2, 0, 1]]}, "transitions[0][1]", 2),
    "sparse successor negative": ({0: [[0, 0, -1, 1]]}, "transitions[0][2]", -1),
    "sparse state as truth value": ({0: [[False, 0, 0, 1]]}, "transitions[0][0]", False),
    "sparse successor twice": (
        {0: [[0, 0, 0, "1/2"], [0, 0, 0, "1/2"], [0, 1, 0, 1]]},
        "transitions.s0.a0",
        "the successor 's0' twice",
    ),
    "sparse pair missing": ({0: [[0, 0, 0, 1]]}, "transitions.s0.a1", "entries whose sum is 0"),
    "too many states named": ({4: ["x", "y"]}, "states", "a list of 2"),
    "too few actions named": ({5: ["x"]}, "actions.s0", "a list of 1"),
    "actions of an unknown state": (
        {5: {"s1": ["x", "y"]}},
        "actions",
        "the unknown name 's1'",
    ),
    "actions of a state missing": ({5: {}}, "actions.s0", "no name"),
    "actions as text": ({5: "xy"}, "actions.s0", "xy"),
}


@pytest.mark.parametrize("name", REFUSED_ARRAYS)
def test_malformed_arrays_are_refused(name: str) -> None:
    """Shapes and kinds that do not fit are refused with their place."""
    changes, field, found = REFUSED_ARRAYS[name]
    arguments = [[[[1], [1]]], [[0, 1]], [1], 0, None, None]
    for position, value in changes.items():
        arguments[position] = value
    error = refusal(lambda: MDP.from_arrays(*arguments))  # type: ignore[arg-type]
    assert (error.field, error.value) == (field, found)


REFUSED_FIELDS = {
    "successors too few": ({"successors": (((0, 1),),)}, "transitions", "a list of 1"),
    "successor without probability": (
        {"successors": (((0,),), ((0, 1),))},
        "transitions.s.a",
        (0,),
    ),
    "successor out of range": ({"successors": (((1, 1),), ((0, 1),))}, "transitions.s.a", 1),
    "successor by name": ({"successors": ((("s", 1),), ((0, 1),))}, "transitions.s.a", "s"),
    "successor twice": (
        {"successors": (((0, "1/2"), (0, "1/2")), ((0, 1),))},
        "transitions.s.a",
        "the successor 's' twice",
    ),
    "successors as a number": ({"successors": (1, 2)}, "transitions.s.a", 1),
    "rewards too many": ({"rewards": (1, 2, 3)}, "reward", "a list of 3"),
    "rewards as a table": ({"rewards": {}}, "reward", {}),
    "actions too few": ({"actions": ()}, "actions", "a list of 0"),
    "actions empty": ({"actions": ((),)}, "actions.s", "no name"),
    "parameters as a table": ({"parameters": {"r": (0, 1)}}, "parameters", {"r": (0, 1)}),
}


@pytest.mark.parametrize("name", REFUSED_FIELDS)
def test_malformed_canonical_fields_are_refused(name: str) -> None:
    """The generated constructor validates like the natural ones."""
    changes, field, found = REFUSED_FIELDS[name]
    error = refusal(lambda: canonical(**changes))
    assert (error.field, error.value) == (field, found)


def test_bandits_name_the_reward_table_in_refusals() -> None:
    """There is no transitions table that an error could speak of."""
    error = refusal(lambda: MDP.bandit({"s": {"a": 1}}, actions={"s": ["a", "b"]}))
    assert (error.field, error.value) == ("reward.s.b", "nothing")
    assert refusal(lambda: MDP.bandit({"s": {}})).field == "reward.s"
    assert refusal(lambda: MDP.bandit({"s": {"a": 1}}, {"s": "1/2"})).field == "initial"


# Parameters


def test_entries_with_parameters_become_rational_functions() -> None:
    """Rows that sum to 1 identically are accepted; the MDP is then not ground."""
    mdp = parametric()
    assert isinstance(mdp.rewards[1], RationalFunction)
    assert not mdp.is_ground
    assert mdp.parameters.names == ("p", "r")


def test_row_sums_must_be_1_identically() -> None:
    """p + p is 1 for one value of p only; p/(1+p) + 1/(1+p) is 1 for all."""
    error = refusal(
        lambda: small(
            transitions={**TRANSITIONS, "s1": {"stay": {"s1": "p", "s0": "p"}}},
            parameters={"p": (0, 1)},
        )
    )
    assert (error.field, error.value) == ("transitions.s1.stay", "entries whose sum is 2*p")
    mdp = small(
        transitions={**TRANSITIONS, "s1": {"stay": {"s1": "p/(1+p)", "s0": "1/(1+p)"}}},
        parameters={"p": (0, 1)},
    )
    assert mdp.at(p=1).successors[2] == ((0, Fraction(1, 2)), (1, Fraction(1, 2)))


def test_signs_are_checked_on_ground_entries_and_on_values() -> None:
    """-p + 1 may be negative for some p: known only when p has its value."""
    mdp = small(
        transitions={**TRANSITIONS, "s1": {"stay": {"s1": "p", "s0": "1 - p"}}},
        parameters={"p": (0, 2)},
    )
    error = refusal(lambda: mdp.at(p="3/2"))
    assert (error.field, error.value) == ("transitions.s1.stay.s0", "-1/2")
    error = refusal(
        lambda: small(
            transitions={**TRANSITIONS, "s1": {"stay": {"s1": "2 - p", "s0": "p - 1"}}},
            initial={"s0": "-1", "s1": 2},
            parameters={"p": (1, 2)},
        )
    )
    assert (error.field, error.value) == ("initial.s0", "-1")


def test_at_substitutes_everywhere_and_checks_again() -> None:
    """Some or all parameters get values; zero entries disappear."""
    mdp = parametric()
    ground = mdp.at(p=0, r="3/2")
    assert ground.is_ground
    assert ground.parameters == ParameterSpace()
    assert ground.successors[1] == ((1, 1),)
    assert ground.rewards[1] == Fraction(3, 2)
    partly = mdp.at(r=1)
    assert partly.parameters.names == ("p",)
    assert partly.at(p=1) == mdp.at(r=1, p=1)
    assert mdp.at() == mdp


@pytest.mark.parametrize(
    ("values", "field", "found"),
    [
        ({"q": 1}, "parameters", "the unknown name 'q'"),
        ({"p": "3/2"}, "parameters.p", "3/2"),
        ({"p": -1}, "parameters.p", "-1"),
        ({"p": 0.5}, "parameters.p", "0.5 (a binary float)"),
        ({"r": "x"}, "parameters.r", '"x"'),
        ({"p": 1, "r": "3/2"}, "parameters.constraints", "p = 1, r = 3/2"),
    ],
)
def test_values_outside_the_parameter_space_are_refused(
    values: dict[str, object], field: str, found: str
) -> None:
    """Names, exactness, bounds and constraints are checked."""
    error = refusal(lambda: parametric().at(**values))
    assert (error.field, error.value) == (field, found)


def test_a_pole_is_an_input_error_with_its_place() -> None:
    """Values at which an entry is undefined are refused."""
    mdp = small(reward={**REWARD, "s1": {"stay": "1/q"}}, parameters={"q": (0, 1)})
    error = refusal(lambda: mdp.at(q=0))
    assert error.field == "reward.s1.stay"
    assert "q=0" in str(error.value)


def test_discount_and_initial_may_have_parameters() -> None:
    """Their ranges are checked when the values are known."""
    mdp = small(discount="g", initial={"s0": "g", "s1": "1-g"}, parameters={"g": (0, 1)})
    assert mdp.at(g="1/2").initial == (Fraction(1, 2), Fraction(1, 2))
    assert refusal(lambda: mdp.at(g=1)).field == "discount"


def test_an_unused_parameter_leaves_the_mdp_ground() -> None:
    """Whether an MDP is ground is decided by its numbers."""
    assert small(parameters={"r": (0, 1)}).is_ground


def test_sums_with_parameters_are_bounded() -> None:
    """A sum that would grow without bound is refused at its place instead of computed."""
    names = [f"x{i}" for i in range(12)]
    row = {f"s{i}": f"1/(1 + {name}^20)" for i, name in enumerate(names)}
    error = refusal(
        lambda: MDP.from_tables(
            transitions={f"s{i}": {"a": row} for i in range(12)},
            reward={f"s{i}": {"a": 0} for i in range(12)},
            initial="s0",
            discount=0,
            parameters=dict.fromkeys(names, (0, 1)),
        )
    )
    assert error.field == "transitions.s0.a"


def test_a_parameter_space_knows_what_it_contains() -> None:
    """Bounds are closed; constraints are exact."""
    space = ParameterSpace({"r": ("1/2", 2), "p": (0, 1)}, ["r*r + p <= 3", "p >= 0"])
    assert space.names == ("p", "r")
    assert space.lower == (0, Fraction(1, 2))
    assert space.upper == (1, 2)
    assert space.bounds == {"p": (0, 1), "r": (Fraction(1, 2), 2)}
    assert space.contains({"p": 0, "r": "1/2"})
    assert not space.contains({"p": 0, "r": "1/4"})
    assert not space.contains({"p": 0, "r": 2})
    error = refusal(lambda: space.contains({"p": 0}))
    assert (error.field, error.value) == ("parameters.r", "nothing")
    assert refusal(lambda: space.contains({"q": 0})).field == "parameters"


@pytest.mark.parametrize(
    ("relation", "inside"),
    [("<", "low"), ("<=", "low equal"), ("==", "equal"), (">=", "equal high"), (">", "high")],
)
def test_every_relation_is_understood(relation: str, inside: str) -> None:
    """The five relations at, below and above equality."""
    space = ParameterSpace({"p": (0, 1)}, [f"2*p {relation} 1"])
    for word, value in (("low", "1/4"), ("equal", "1/2"), ("high", "3/4")):
        assert space.contains({"p": value}) == (word in inside.split())


@pytest.mark.parametrize(
    ("arguments", "field", "found"),
    [
        (({"1x": (0, 1)},), "parameters", "1x"),
        (({"a b": (0, 1)},), "parameters", "a b"),
        (({"constraints": (0, 1)},), "parameters", "constraints"),
        (({"p": (1, 0)},), "parameters.p", "min 1 above max 0"),
        (({"p": (0,)},), "parameters.p", "1 numbers"),
        (({"p": 1},), "parameters.p", 1),
        (({"p": (0, 0.5)},), "parameters.p.max", "0.5 (a binary float)"),
        (({1: (0, 1)},), "parameters", "the name 1"),
        ((5,), "parameters", 5),
        (({"p": (0, 1)}, "p < 1"), "parameters.constraints", "p < 1"),
        (({"p": (0, 1)}, ["p"]), "parameters.constraints[0]", "p"),
        (({"p": (0, 1)}, ["0 < p < 1"]), "parameters.constraints[0]", "0 < p < 1"),
        (({"p": (0, 1)}, [3]), "parameters.constraints[0]", 3),
        (({"p": (0, 1)}, ["p < 1", "q < 1"]), "parameters.constraints[1]", "q"),
        (({"p": (0, 1)}, ["1/p < 1"]), "parameters.constraints[0]", "(-p + 1)/(p) < 0"),
        (({"p": (0, 1)}, ["p - p > 1"]), "parameters.constraints[0]", "the false -1 > 0"),
        (({}, [Constraint.parse("p < 1", ["p"])]), "parameters.constraints[0]", "p"),
    ],
)
def test_malformed_parameter_spaces_are_refused(
    arguments: tuple[object, ...], field: str, found: object
) -> None:
    """Names, intervals and constraints are validated."""
    error = refusal(lambda: ParameterSpace(*arguments))  # type: ignore[arg-type]
    assert error.field == field
    if "/" not in str(found):
        assert error.value == found


def test_constraints_that_always_hold_are_dropped() -> None:
    """Two spaces that say the same about parameters are equal."""
    assert ParameterSpace({"p": (0, 1)}, ["0 < 1"]) == ParameterSpace({"p": (0, 1)})


def test_constraints_stand_alone() -> None:
    """A constraint can be read, evaluated and refused by itself."""
    constraint = Constraint.parse("p < q", ["p", "q"])
    assert constraint.holds({"p": Fraction(0), "q": Fraction(1)})
    error = refusal(lambda: constraint.holds({"p": Fraction(0)}))
    assert (error.field, error.value) == ("parameters", "no value for q")
    assert refusal(lambda: Constraint(Fraction(1), "!=")).value == "!="
    assert Constraint.parse(str(constraint), ["p", "q"]) == constraint
    assert repr(Constraint.parse("p < 1", ["p"])) == "Constraint('p - 1 < 0')"


# Policies


def test_policies_are_read_from_names_indices_and_tables() -> None:
    """The three ways agree; missing actions of a table have probability 0."""
    mdp = small()
    by_name = Policy.deterministic(mdp, {"s0": "go", "s1": "stay"})
    assert by_name == Policy.deterministic(mdp, (1, 0))
    assert by_name == Policy.deterministic(mdp, np.array([1, 0]))  # type: ignore[arg-type]
    assert by_name == Policy.from_table(mdp, {"s0": {"go": 1}, "s1": {"stay": 1}})
    assert by_name.probabilities == (0, 1, 1)
    assert by_name.choices == (1, 0)
    assert by_name.is_deterministic


def test_a_stochastic_policy_has_no_choices() -> None:
    """The uniform policy of a state with two actions is stochastic."""
    policy = Policy.uniform(small())
    assert policy.probabilities == (Fraction(1, 2), Fraction(1, 2), 1)
    assert not policy.is_deterministic
    assert refusal(lambda: policy.choices).field == "policy"


@pytest.mark.parametrize(
    ("build", "field", "found"),
    [
        (lambda m: Policy(m, (1, 1)), "policy", "a list of 2"),
        (lambda m: Policy(m, ("1/2", "1/3", 1)), "policy.s0", "entries whose sum is 5/6"),
        (lambda m: Policy(m, (2, -1, 1)), "policy.s0.go", "-1"),
        (lambda m: Policy(m, (0.5, 0.5, 1)), "policy.s0.stay", "0.5 (a binary float)"),
        (lambda m: Policy(m, 1), "policy", 1),
        (lambda m: Policy.deterministic(m, {"s0": "go"}), "policy.s1", "nothing"),
        (
            lambda m: Policy.deterministic(m, {"s0": "og", "s1": "stay"}),
            "policy.s0",
            "the unknown name 'og'",
        ),
        (lambda m: Policy.deterministic(m, {"x": "go"}), "policy", "the unknown name 'x'"),
        (
            lambda m: Policy.deterministic(m, {"s0": ["go"], "s1": "stay"}),
            "policy.s0",
            "the unknown name ['go']",
        ),
        (lambda m: Policy.deterministic(m, [0]), "policy", "a list of 1"),
        (lambda m: Policy.deterministic(m, [0, 1]), "policy.s1", 1),
        (lambda m: Policy.deterministic(m, [True, 0]), "policy.s0", True),
        (lambda m: Policy.deterministic(m, "go"), "policy", "go"),
        (
            lambda m: Policy.from_table(m, {"s0": {"go": 1}}),
            "policy.s1",
            "entries whose sum is 0",
        ),
        (lambda m: Policy.from_table(m, {"s0": {"fly": 1}}), "policy.s0", "the unknown name 'fly'"),
        (lambda m: Policy.from_table(m, {"s0": {"go": None}}), "policy.s0.go", None),
        (lambda m: Policy("m", ()), "mdp", "m"),  # noqa: ARG005
        (lambda m: Policy.uniform([m][1:]), "mdp", []),
    ],
)
def test_malformed_policies_are_refused(
    build: Callable[[MDP], Policy], field: str, found: object
) -> None:
    """Each state needs exact probabilities that sum to 1 over actions that exist."""
    error = refusal(lambda: build(small()))
    assert (error.field, error.value) == (field, found)


# Data distributions


def test_data_distributions_are_read_from_tables_and_arrays() -> None:
    """Pairs that a table leaves out have weight 0."""
    mdp = small()
    table = DataDistribution.from_table(mdp, {"s0": {"go": "1/4"}, "s1": {"stay": "3/4"}})
    assert table.weights == (0, Fraction(1, 4), Fraction(3, 4))
    assert table == DataDistribution.from_array(mdp, [[0, "1/4"], ["3/4"]])
    assert table == DataDistribution(mdp, (0, "0.25", "0.75"))  # type: ignore[arg-type]
    assert table.is_ground
    assert DataDistribution.uniform(mdp).weights == (Fraction(1, 3),) * 3


@pytest.mark.parametrize(
    ("build", "field", "found"),
    [
        (lambda m: DataDistribution(m, (1,)), "data", "a list of 1"),
        (lambda m: DataDistribution(m, ("1/3", "1/3", 0)), "data", "entries whose sum is 2/3"),
        (lambda m: DataDistribution(m, (2, -1, 0)), "data.s0.go", "-1"),
        (lambda m: DataDistribution(m, (1.0, 0, 0)), "data.s0.stay", "1.0 (a binary float)"),
        (
            lambda m: DataDistribution.from_table(m, {"s": {"go": 1}}),
            "data",
            "the unknown name 's'",
        ),
        (
            lambda m: DataDistribution.from_table(m, {"s1": {"go": 1}}),
            "data.s1",
            "the unknown name 'go'",
        ),
        (lambda m: DataDistribution.from_table(m, [1, 0, 0]), "data", [1, 0, 0]),
        (lambda m: DataDistribution.from_table(m, {"s0": 1}), "data.s0", 1),
        (lambda m: DataDistribution.from_array(m, [[1, 0]]), "data", "a list of 1"),
        (lambda m: DataDistribution.from_array(m, [[1], [0]]), "data.s0", "a list of 1"),
        (lambda m: DataDistribution.from_array(m, [1, 0]), "data.s0", 1),
        (lambda m: DataDistribution.from_array(m, {"s0": 1}), "data", {"s0": 1}),
        (lambda m: DataDistribution.uniform(m.states[0]), "mdp", "s0"),
    ],
)
def test_malformed_data_is_refused(
    build: Callable[[MDP], DataDistribution], field: str, found: object
) -> None:
    """D is over existing pairs, non-negative, and sums to exactly 1."""
    error = refusal(lambda: build(small()))
    assert (error.field, error.value) == (field, found)


# Safety problems


def test_a_problem_reads_its_numbers() -> None:
    """Text is fine for the thresholds, and the ends of [0, 1] are allowed for the regret."""
    mdp = small()
    data = DataDistribution.uniform(mdp)
    problem = SafetyProblem(mdp, data, regret="1/2", epsilon="0.1")  # type: ignore[arg-type]
    assert (problem.regret, problem.epsilon) == (Fraction(1, 2), Fraction(1, 10))
    assert problem.is_ground
    problem.require_ground()
    for regret in (0, 1):
        assert SafetyProblem(mdp, data, regret).epsilon is None  # type: ignore[arg-type]
    equal = small()
    assert SafetyProblem(equal, data, regret=Fraction(0)).data.mdp == equal


@pytest.mark.parametrize(
    ("changes", "field", "found"),
    [
        ({"epsilon": 0}, "epsilon", "0"),
        ({"epsilon": "-1/10"}, "epsilon", "-1/10"),
        ({"epsilon": 0.1}, "epsilon", "0.1 (a binary float)"),
        ({"regret": "11/10"}, "regret", "11/10"),
        ({"regret": -1}, "regret", "-1"),
        ({"regret": None}, "regret", None),
        ({"mdp": "mdp"}, "mdp", "mdp"),
        ({"data": "uniform"}, "data", "uniform"),
        (
            {"data": DataDistribution.uniform(MDP.bandit({"s": {"a": 1}}))},
            "data",
            "pairs of another MDP",
        ),
    ],
)
def test_malformed_problems_are_refused(
    changes: dict[str, object], field: str, found: object
) -> None:
    """Thresholds out of range and parts that do not fit together are refused."""
    mdp = small()
    arguments = {"mdp": mdp, "data": DataDistribution.uniform(mdp), "regret": "1/2"} | changes
    error = refusal(lambda: SafetyProblem(**arguments))  # type: ignore[arg-type]
    assert (error.field, error.value) == (field, found)


@pytest.mark.parametrize("constant", [5, "r"])
def test_a_constant_reward_is_refused(constant: object) -> None:
    """Its range is 0, so that the expected error is undefined; identically so with a parameter."""
    mdp = MDP.bandit({"s": {"a": constant, "b": constant}}, parameters={"r": (0, 1)})
    error = refusal(lambda: SafetyProblem(mdp, DataDistribution.uniform(mdp), Fraction(1, 2)))
    assert (error.field, error.value) == ("reward", f"{constant} for every pair")


def test_problems_with_parameters_substitute_everywhere() -> None:
    """Weights and thresholds may hold parameters; `at` checks their ranges."""
    mdp = MDP.bandit({"s": {"a": "r", "b": 0}}, parameters={"r": (0, 2), "d": (0, 1), "e": (-1, 1)})
    data = DataDistribution.from_table(mdp, {"s": {"a": "d", "b": "1 - d"}})
    problem = SafetyProblem(mdp, data, regret="d", epsilon="e")  # type: ignore[arg-type]
    assert not data.is_ground
    assert not problem.is_ground
    ground = problem.at(r=1, d="1/4", e="1/10")
    assert ground.is_ground
    assert ground.data.weights == (Fraction(1, 4), Fraction(3, 4))
    assert (ground.regret, ground.epsilon) == (Fraction(1, 4), Fraction(1, 10))
    assert refusal(lambda: problem.at(e=-1)).field == "epsilon"
    assert refusal(lambda: problem.at(r=0)).field == "reward"
    assert refusal(lambda: problem.at(r=3)).field == "parameters.r"
    assert replace(problem, epsilon=None).at(r=1).epsilon is None


@pytest.mark.parametrize(
    "values", [{"r": 1, "d": 0}, {"r": 1, "e": 1}, {"d": 0, "e": 1}, {"r": 1, "d": 0, "e": 1}]
)
def test_open_parameters_are_refused_where_a_ground_problem_is_needed(
    values: dict[str, object],
) -> None:
    """Rewards, weights or thresholds with a parameter each keep a problem from being ground."""
    mdp = MDP.bandit({"s": {"a": "r", "b": 0}}, parameters={"r": (0, 2), "d": (0, 1), "e": (0, 1)})
    data = DataDistribution.from_table(mdp, {"s": {"a": "d", "b": "1 - d"}})
    problem = SafetyProblem(mdp, data, Fraction(1, 2), "e").at(**values)  # type: ignore[arg-type]
    if len(values) == 3:
        problem.require_ground()
        assert problem.is_ground
    else:
        error = refusal(problem.require_ground)
        (missing,) = {"r", "d", "e"} - values.keys()
        assert (error.field, error.value) == ("parameters", f"open parameters {missing}")


# Helpers


def test_messages_show_numbers_of_any_length() -> None:
    """Python refuses to print very long integers; a message must not fail for that."""
    mdp = small()
    long = Fraction(10**6000 + 1, 10**6000)
    error = refusal(lambda: replace(mdp, discount=long))
    assert error.field == "discount"
    assert str(error.value).startswith("1000")
    assert shown(Fraction(1, 3)) == "1/3"


def test_names_are_read_from_any_list() -> None:
    """Tuples, lists and numpy arrays of text all name states."""
    assert read_names(np.array(["a", "b"]), "states") == ("a", "b")
    assert read_names(("a", "b"), "states") == read_names(["a", "b"], "states")


@pytest.mark.parametrize(
    "error",
    [
        InputError("regret", 2, "a number in [0, 1]"),
        CertificateRejected("evidence.tree[0]", "value", "found 1"),
    ],
)
def test_errors_can_be_sent_between_processes(error: Exception) -> None:
    """A worker that refuses its input does not leave the others waiting."""
    received = pickle.loads(pickle.dumps(error))
    assert str(received) == str(error)
    assert type(received) is type(error)
