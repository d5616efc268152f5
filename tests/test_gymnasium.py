"""The Gymnasium importer: hand-made tables, and the real toy-text environments."""

from __future__ import annotations

import copy
import sys
from fractions import Fraction
from typing import Any

import gymnasium
import numpy as np
import pytest

from symsafe import MDP, InputError, UnsupportedError
from symsafe.importers.gymnasium import from_gymnasium, round_float

THIRD = 0.33333333333333337  # what FrozenLake's table holds
# State 0 may slip; state 1 is an end that loops in the table, state 2 an end that walks on.
TABLE = {
    0: {
        0: [(THIRD, 0, 0, False), (0.3333333333333333, 0, 0.25, False), (THIRD, 1, 1, True)],
        1: [(0.5, 2, -1, True), (0.5, 2, -3, False)],
    },
    1: {0: [(1.0, 1, 0, True)], 1: [(1.0, 1, 0, False)]},
    2: {0: [(1.0, 0, 0, False)]},
}


def changed(state: int, action: int, outcomes: object) -> dict[int, dict[int, object]]:
    table: dict[int, dict[int, object]] = copy.deepcopy(TABLE)  # type: ignore[arg-type]
    table[state][action] = outcomes
    return table


def test_table_becomes_the_expected_mdp() -> None:
    """Floats are rounded, duplicates merged, rewards averaged, and endings absorbed."""
    mdp = from_gymnasium(TABLE, discount="9/10", initial=0)
    third, half = Fraction(1, 3), Fraction(1, 2)
    assert mdp == MDP(
        states=("s0", "s1", "s2", "terminal"),
        actions=(("a0", "a1"), ("a0", "a1"), ("a0",), ("stay",)),
        successors=(
            ((0, 2 * third), (1, third)),
            ((2, half), (3, half)),
            ((1, Fraction(1)),),
            ((1, Fraction(1)),),
            ((0, Fraction(1)),),
            ((3, Fraction(1)),),
        ),
        rewards=(Fraction(5, 12), Fraction(-2), *(Fraction(0),) * 4),
        initial=(Fraction(1), Fraction(0), Fraction(0), Fraction(0)),
        discount=Fraction(9, 10),
    )


def test_no_terminal_state_is_added_when_every_ending_loops() -> None:
    """The extra state exists only if some transition needs it."""
    mdp = from_gymnasium(changed(0, 1, [(1.0, 1, 0, True)]), discount=0, initial=0)
    assert mdp.states == ("s0", "s1", "s2")


@pytest.mark.parametrize(
    "loop",
    [
        {0: [(1.0, 1, 0, True)], 1: [(1.0, 1, 1, True)]},
        {0: [(1.0, 1, 0, True)], 1: [(1.0, 0, 0, False)]},
    ],
    ids=["one action still pays", "one action leaves"],
)
def test_an_ending_that_does_not_absorb_is_left_for_terminal(loop: object) -> None:
    """Terminating may not pay on, nor walk on, whatever the table says about the end state."""
    mdp = from_gymnasium({**TABLE, 1: loop}, discount=0, initial=0)
    assert mdp.successors[0] == ((0, Fraction(2, 3)), (3, Fraction(1, 3)))


def test_outcomes_of_probability_zero_are_dropped() -> None:
    """They neither make a successor nor stop a state from being absorbing."""
    loop = [(1.0, 1, 0, True), (0.0, 0, 5, False)]
    mdp = from_gymnasium(changed(1, 0, loop), discount=0, initial=0)
    assert mdp.successors[2] == ((1, Fraction(1)),)
    assert mdp.successors[0] == ((0, Fraction(2, 3)), (1, Fraction(1, 3)))


def test_exact_entries_are_kept_and_numpy_scalars_understood() -> None:
    """Fractions and strings are not rounded, and numpy's numbers are numbers."""
    row = [
        ("1/3001", np.int64(1), np.float64(0.5), np.bool_(True)),
        (Fraction(3000, 3001), np.int64(0), 0, False),
    ]
    mdp = from_gymnasium(changed(0, 0, row), discount=0, initial=np.array([0.5, 0.25, 0.25]))
    assert mdp.successors[0] == ((0, Fraction(3000, 3001)), (1, Fraction(1, 3001)))
    assert mdp.rewards[0] == Fraction(1, 6002)
    assert mdp.initial == (Fraction(1, 2), Fraction(1, 4), Fraction(1, 4), Fraction(0))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.33333333333333337, "1/3"),
        (0.1, "1/10"),
        (-13.0, "-13"),
        (0.0033333333333333335, "1/300"),
        (np.float64(0.7), "7/10"),
        (np.float32(0.5), "1/2"),
        (1 / 997, "1/997"),
        (0.5 + 9e-10, "1/2"),
        (0, "0"),
        ("22/7", "22/7"),
    ],
)
def test_rounding_rule(value: object, expected: str) -> None:
    """A float becomes the nearest fraction with a denominator of at most 1000."""
    assert round_float(value, 1000) == Fraction(expected)


@pytest.mark.parametrize(
    "value",
    [0.5 + 1.1e-9, 1 / 1009, 2**0.5, 1e-10, np.float32(0.1), float("nan"), float("inf"), True],
)
def test_rounding_refuses_what_the_rule_does_not_fit(value: object) -> None:
    """No fraction near enough, a positive number that would vanish, and what is no number."""
    with pytest.raises(InputError) as caught:
        round_float(value, 1000, "here")
    assert caught.value.field == "here"


def test_a_larger_denominator_admits_more_floats() -> None:
    """The limit is the caller's, and it reaches the rows."""
    table = {0: {0: [(1 / 1009, 0, 1, False), (1008 / 1009, 0, 0, False)]}}
    with pytest.raises(InputError):
        from_gymnasium(table, discount=0, initial=0)
    mdp = from_gymnasium(table, discount=0, initial=0, max_denominator=1009)
    assert mdp.rewards == (Fraction(1, 1009),)


def test_a_row_that_does_not_sum_to_one_names_the_place_the_row_and_the_sum() -> None:
    """Nothing is rescaled: 1/3 + 1/3 + 1/4 is refused."""
    row = [(THIRD, 0, 0, False), (THIRD, 1, 0, False), (0.25, 2, 0, False)]
    with pytest.raises(InputError) as caught:
        from_gymnasium(changed(0, 1, row), discount=0, initial=0)
    assert caught.value.field == "transitions.s0.a1"
    assert caught.value.value == "sum 11/12 of 1/3 to s0, 1/3 to s1, 1/4 to s2"


@pytest.mark.parametrize(
    ("outcomes", "field"),
    [
        ([(1.0, 3, 0, False)], "transitions.s0.a0[0].next"),
        ([(1.0, -1, 0, False)], "transitions.s0.a0[0].next"),
        ([(1.0, "s1", 0, False)], "transitions.s0.a0[0].next"),
        ([(1.0, True, 0, False)], "transitions.s0.a0[0].next"),
        ([(1.0, 0, 0, 1)], "transitions.s0.a0[0].terminated"),
        ([(1.5, 0, 0, False), (-0.5, 1, 0, False)], "transitions.s0.a0[1].probability"),
        ([(1.0, 0, None, False)], "transitions.s0.a0[0].reward"),
        ([(1.0, 0, 0)], "transitions.s0.a0[0]"),
        ([], "transitions.s0.a0"),
        (7, "transitions.s0.a0"),
        ([7], "transitions.s0.a0[0]"),
    ],
)
def test_malformed_outcomes_are_refused_with_their_place(outcomes: object, field: str) -> None:
    """Each entry of an outcome is validated."""
    with pytest.raises(InputError) as caught:
        from_gymnasium(changed(0, 0, outcomes), discount=0, initial=0)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("table", "field"),
    [
        ({}, "transitions"),
        ({1: TABLE[1]}, "transitions"),
        ({0: {}}, "transitions.s0"),
        ({0: [(1.0, 0, 0, False)]}, "transitions.s0"),
        ({0: {"left": [(1.0, 0, 0, False)]}}, "transitions.s0"),
        ({0: {-1: [(1.0, 0, 0, False)]}}, "transitions.s0"),
        (object(), "source"),
        (3, "source"),
    ],
)
def test_malformed_tables_are_refused(table: object, field: str) -> None:
    """States are numbered from 0 without gaps; every state has numbered actions."""
    with pytest.raises(InputError) as caught:
        from_gymnasium(table, discount=0, initial=0)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"initial": None}, "initial"),
        ({"initial": 3}, "initial"),
        ({"initial": -1}, "initial"),
        ({"initial": 0.0}, "initial"),
        ({"initial": [1, 0]}, "initial"),
        ({"initial": [THIRD, THIRD, 0.25]}, "initial"),
        ({"initial": [0.5, 0.123456789, 0.5]}, "initial.s1"),
        ({"discount": 0.9}, "discount"),
        ({"discount": 1}, "discount"),
        ({"max_denominator": 0}, "max_denominator"),
        ({"max_denominator": 10.0}, "max_denominator"),
        ({"max_denominator": True}, "max_denominator"),
        ({"map_name": "8x8"}, "map_name"),
    ],
)
def test_malformed_arguments_are_refused(arguments: dict[str, object], field: str) -> None:
    """The initial distribution follows the same rule; the discount is exact; options need an id."""
    with pytest.raises(InputError) as caught:
        from_gymnasium(TABLE, **{"discount": 0, "initial": 0} | arguments)  # type: ignore[arg-type]
    assert caught.value.field == field


def test_without_gymnasium_tables_work_and_ids_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Gymnasium is an optional extra."""
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    assert from_gymnasium(TABLE, discount=0, initial=0).states[-1] == "terminal"
    with pytest.raises(UnsupportedError) as caught:
        from_gymnasium("FrozenLake-v1", discount=0)
    assert 'pip install "symsafe[gym]"' in str(caught.value)


def slippery_lake() -> MDP:
    """FrozenLake from its map and its rules, not from its table."""
    lake = "SFFFFHFHFFFHHFFG"
    moves = {"left": (0, -1), "down": (1, 0), "right": (0, 1), "up": (-1, 0)}
    names = list(moves)
    transitions: dict[str, dict[str, dict[str, Fraction]]] = {}
    reward: dict[str, dict[str, Fraction]] = {}
    for cell, letter in enumerate(lake):
        transitions[f"s{cell}"], reward[f"s{cell}"] = {}, {}
        for number, action in enumerate(names):
            row: dict[str, Fraction] = {}
            for turn in (-1, 0, 1):
                down, right = moves[names[(number + turn) % 4]]
                line = min(max(cell // 4 + down, 0), 3)
                column = min(max(cell % 4 + right, 0), 3)
                target = f"s{cell}" if letter in "HG" else f"s{4 * line + column}"
                row[target] = row.get(target, Fraction(0)) + Fraction(1, 3)
            transitions[f"s{cell}"][action] = row
            won = row.get("s15", Fraction(0)) if letter != "G" else Fraction(0)
            reward[f"s{cell}"][action] = won
    return MDP.from_tables(
        transitions=transitions, reward=reward, initial={"s0": 1}, discount="9/10"
    )


def test_frozen_lake_equals_its_rules() -> None:
    """Sixteen states, exact thirds, holes and goal loop, reward on reaching the goal."""
    mdp = from_gymnasium("FrozenLake-v1", discount="9/10")
    assert mdp == slippery_lake()
    assert len(mdp.states) == 16
    assert mdp.actions[0] == ("left", "down", "right", "up")


def test_environment_objects_and_options_are_accepted() -> None:
    """A wrapped environment, a bare one, and an id with options describe the same lake."""
    wrapped = gymnasium.make("FrozenLake-v1", is_slippery=False)
    by_id = from_gymnasium("FrozenLake-v1", discount=0, is_slippery=False)
    assert from_gymnasium(wrapped, discount=0) == by_id
    assert from_gymnasium(wrapped.unwrapped, discount=0) == by_id
    assert by_id.successors[1] == ((4, Fraction(1)),)
    wrapped.close()


def test_cliff_walking_ends_in_terminal() -> None:
    """Its table goes on walking at the goal, so the step into the goal is led to `terminal`."""
    mdp = from_gymnasium("CliffWalking-v1", discount="9/10")
    assert len(mdp.states) == 49
    assert mdp.actions[0] == ("up", "right", "down", "left")
    above_goal = mdp.index("s35", "down")
    assert mdp.successors[above_goal] == ((48, Fraction(1)),)
    assert mdp.rewards[above_goal] == -1
    assert mdp.initial[36] == 1
    assert mdp.rewards[mdp.index("s36", "right")] == -100


def test_taxi_start_is_exactly_uniform_on_its_300_states() -> None:
    """The initial distribution of 0.0033333333333333335 is rounded by the same rule."""
    mdp = from_gymnasium("Taxi-v4", discount="9/10")
    assert len(mdp.states) == 501
    assert set(mdp.initial) == {Fraction(0), Fraction(1, 300)}
    assert mdp.actions[0] == ("a0", "a1", "a2", "a3", "a4", "a5")


@pytest.mark.parametrize("name", ["NoSuchLake-v1", "CartPole-v1", "no_such_module:Lake-v1"])
def test_environments_that_cannot_be_read_are_refused(name: str) -> None:
    """An id that Gymnasium does not know, and one whose environment has no table."""
    with pytest.raises(InputError) as caught:
        from_gymnasium(name, discount=0)
    assert caught.value.field == "source"


@pytest.mark.parametrize("options", [{"map_name": "9x9"}, {"no_such_option": 1}])
def test_options_that_the_environment_does_not_know_are_refused(options: dict[str, Any]) -> None:
    """What the environment's constructor raises becomes one documented error."""
    with pytest.raises(InputError) as caught:
        from_gymnasium("FrozenLake-v1", discount=0, **options)
    assert caught.value.field == "source"


def test_a_start_may_be_an_array_without_dimensions() -> None:
    """Found by fuzzing."""
    at_one = from_gymnasium(TABLE, discount=0, initial=np.array(1))
    assert at_one == from_gymnasium(TABLE, discount=0, initial=1)
