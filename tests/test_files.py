"""Problem files: what they may say, what is refused and where, and the round trip."""

from __future__ import annotations

import io
import json
import os
import random
import stat
import sys
import tomllib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

import symsafe.model.files as files_module
from symsafe.errors import InputError
from symsafe.model import (
    MDP,
    DataDistribution,
    ParameterSpace,
    SafetyProblem,
    dumps_problem,
    load_problem,
    loads_problem,
    save_problem,
)
from symsafe.model.data_set import DataSet
from symsafe.model.files import load_any, write_atomically

DESIGN = """
[mdp]
states  = ["s0", "s1"]
actions = ["stay", "go"]
discount = "9/10"
initial = { s0 = 1 }

[mdp.transitions.s0]
stay = { s0 = 1 }
go   = { s1 = "4/5", s0 = "1/5" }
[mdp.transitions.s1]
stay = { s1 = 1 }
go   = { s0 = 1 }

[mdp.reward]
s0 = { stay = 0, go = "1/2" }
s1 = { stay = "r", go = 0 }

[data]
s0 = { stay = "1/2", go = "1/4" }
s1 = { stay = "1/8", go = "1/8" }

[safety]
epsilon = "1/10"
regret  = "1/2"

[parameters]
r = { min = "1/2", max = 2 }
constraints = ["r*r < 3"]
"""

BANDIT = """
data = "uniform"
safety = { regret = "1/2" }
[bandit.reward]
s = { a = 1, b = 0 }
"""


def document(**changes: object) -> dict[str, object]:
    """A small valid file as tables; a top-level key can be changed or, with None, dropped."""
    tables: dict[str, object] = {
        "mdp": {
            "states": ["s0", "s1"],
            "discount": "1/2",
            "initial": {"s0": 1},
            "transitions": {"s0": {"stay": {"s0": 1}, "go": {"s1": 1}}, "s1": {"stay": {"s1": 1}}},
            "reward": {"s0": {"stay": 0, "go": 1}, "s1": {"stay": 2}},
        },
        "data": "uniform",
        "safety": {"regret": "1/2", "epsilon": "1/10"},
    }
    return {key: value for key, value in (tables | changes).items() if value is not None}


def mdp_with(**changes: object) -> dict[str, object]:
    """The small file with changed or dropped keys of its mdp."""
    table = document()["mdp"]
    assert isinstance(table, dict)
    changed = {key: value for key, value in (table | changes).items() if value is not None}
    return document(mdp=changed)


def arrays(**changes: object) -> dict[str, object]:
    """A small valid file of arrays, with changed or dropped keys of its mdp."""
    table: dict[str, object] = {
        "transitions": [[[1, 0], ["1/2", "1/2"]], [[0, 1], [1, 0]]],
        "reward": [[0, 1], [2, 3]],
        "initial": [1, 0],
        "discount": "1/2",
    }
    changed = {key: value for key, value in (table | changes).items() if value is not None}
    return document(format="arrays", mdp=changed)


def read(tables: object) -> SafetyProblem:
    return loads_problem(json.dumps(tables), "json")


def refusal(text: str, format: str = "toml") -> InputError:
    """Return the InputError with which `text` must be refused."""
    with pytest.raises(InputError) as caught:
        loads_problem(text, format, "a.file")
    return caught.value


def random_problem(seed: int) -> SafetyProblem:
    """A problem with awkward names, ragged actions, long numbers, zeros, sometimes parameters."""
    choose = random.Random(seed)
    names = [
        "s",
        "a.b",
        'say "x"',
        "größe",
        "back\\slash",
        "#",
        "=",
        "[t]",
        " ",
        "1",
        "'",
        "x" * 200,
    ]
    states = choose.sample(names, choose.randint(1, 4))
    actions = {state: choose.sample(names, choose.randint(1, 3)) for state in states}
    actions[states[0]] = choose.sample(names, 2)
    parametric = choose.random() < 0.5

    def shares(keys: list[str]) -> dict[str, object]:
        weights = [choose.choice([0, 1, 3, 10**20 + 7]) for _ in keys]
        weights[0] += 1
        found: dict[str, object] = {
            key: Fraction(weight, sum(weights)) for key, weight in zip(keys, weights, strict=True)
        }
        if parametric and len(keys) > 1 and choose.random() < 0.5:
            found = dict.fromkeys(keys, 0) | {keys[0]: "p/(q+1)", keys[1]: "(q + 1 - p)/(q + 1)"}
        return found

    def number() -> object:
        plain = Fraction(choose.randint(-(10**30), 10**30), choose.choice([1, 7, 10**40 + 1]))
        return (
            choose.choice(["p*q - 1/3", "p^3"]) if parametric and choose.random() < 0.5 else plain
        )

    stays = choose.random() < 0.3
    transitions = {s: {a: {s: 1} if stays else shares(states) for a in actions[s]} for s in states}
    reward = {s: {a: number() for a in actions[s]} for s in states}
    reward[states[0]][actions[states[0]][0]] = 12345
    space = ParameterSpace({"p": (0, 1), "q": ("1/3", "0.5")}, ["p < q", "p*q^2 >= 0.1"])
    mdp = MDP.from_tables(
        states=states,
        actions=actions,
        transitions=transitions,
        reward=reward,
        initial=shares(states),
        discount=0 if stays else "9/10",
        parameters=space if parametric else None,
    )
    weights = shares([str(i) for i in range(len(mdp.pairs))])
    data = DataDistribution(mdp, tuple(weights.values()))  # type: ignore[arg-type]
    epsilon = choose.choice([None, Fraction(1, 10), "p" if parametric else "1/3"])
    return SafetyProblem(mdp, data, choose.choice([0, 1, "1/2"]), epsilon)  # type: ignore[arg-type]


# What is read


def test_the_file_of_the_design_is_read() -> None:
    """Every table of a parametric problem file arrives in the model."""
    problem = loads_problem(DESIGN)
    mdp = problem.mdp
    assert mdp.pairs == (("s0", "stay"), ("s0", "go"), ("s1", "stay"), ("s1", "go"))
    assert mdp.discount == Fraction(9, 10)
    assert mdp.initial == (1, 0)
    assert mdp.successors[1] == ((0, Fraction(1, 5)), (1, Fraction(4, 5)))
    assert mdp.parameters == ParameterSpace({"r": ("1/2", 2)}, ["r*r < 3"])
    assert problem.data.weights == (Fraction(1, 2), Fraction(1, 4), Fraction(1, 8), Fraction(1, 8))
    assert (problem.epsilon, problem.regret) == (Fraction(1, 10), Fraction(1, 2))
    assert problem.at(r="3/2").mdp.rewards == (0, Fraction(1, 2), Fraction(3, 2), 0)


def test_json_of_the_same_structure_is_read() -> None:
    """TOML and JSON differ in nothing but syntax."""
    assert loads_problem(json.dumps(tomllib.loads(DESIGN)), "json") == loads_problem(DESIGN)


@pytest.mark.parametrize("literal", ["0.1", "1e-1", "0.1000", "1_0.0e-2", '"1/10"', '"0.1"'])
def test_a_float_is_the_decimal_that_is_written(literal: str) -> None:
    """One tenth stays one tenth, however it is written."""
    problem = loads_problem(BANDIT.replace("a = 1", f"a = {literal}"))
    assert problem.mdp.rewards[0] == Fraction(1, 10)


def test_json_floats_are_exact_too() -> None:
    """JSON numbers never become binary."""
    text = json.dumps(document()).replace('"1/10"', "0.30000000000000004")
    assert loads_problem(text, "json").epsilon == Fraction(30000000000000004, 10**17)


def test_a_bandit_file_needs_its_reward_alone() -> None:
    """States, actions and initial are optional; discount 0, nothing moves."""
    problem = loads_problem(BANDIT)
    assert problem.mdp == MDP.bandit({"s": {"a": 1, "b": 0}})
    assert problem.epsilon is None
    full = loads_problem(
        BANDIT
        + 't = { b = 2 }\n[bandit]\nstates = ["t", "s"]\nactions = ["b", "a"]\ninitial = "s"\n'
    )
    assert full.mdp.pairs == (("t", "b"), ("s", "b"), ("s", "a"))
    assert full.mdp.initial == (0, 1)
    table = loads_problem(BANDIT.replace("[bandit", "bandit.initial = { s = 1 }\n[bandit"))
    assert table.mdp.initial == (1,)


def test_actions_may_be_listed_once_by_state_or_not_at_all() -> None:
    """All three ways are read; the transitions say which pairs exist."""
    assert read(document()).mdp.actions == (("stay", "go"), ("stay",))
    assert read(mdp_with(actions=["go", "stay"])).mdp.actions == (("go", "stay"), ("stay",))
    by_state = {"s0": ["go", "stay"], "s1": ["stay"]}
    assert read(mdp_with(actions=by_state)).mdp.actions == (("go", "stay"), ("stay",))
    assert read(mdp_with(states=None)) == read(document())


def test_initial_may_be_one_state() -> None:
    """A name stands for certainty."""
    assert read(mdp_with(initial="s1")).mdp.initial == (0, 1)


def test_uniform_data_weigh_every_existing_pair_equally() -> None:
    """Pairs that do not exist get nothing."""
    assert read(document()).data.weights == (Fraction(1, 3),) * 3


def test_arrays_are_read_dense_and_sparse() -> None:
    """Both forms of transitions, with and without names, with data by row."""
    dense = read(arrays())
    sparse = [[0, 0, 0, 1], [0, 1, 1, 0.5], [0, 1, 0, "1/2"], [1, 0, 1, 1], [1, 1, 0, 1]]
    assert read(arrays(transitions=sparse, initial="s0")) == dense
    assert dense.mdp.pairs[3] == ("s1", "a1")
    named = arrays(states=["x", "y"], actions=["l", "r"])
    named["data"] = [["1/2", 0], [0.25, 0.25]]
    problem = read(named)
    assert problem.mdp.pairs[0] == ("x", "l")
    assert problem.data.weights == (Fraction(1, 2), 0, Fraction(1, 4), Fraction(1, 4))
    assert read(arrays() | {"data": [["1/4", "1/4"], ["1/4", "1/4"]]}) == dense


def test_arrays_may_hold_parameters() -> None:
    """Entries of arrays are numbers like all others."""
    tables = arrays(discount="g") | {"parameters": {"g": {"min": 0, "max": "9/10"}}}
    assert read(tables).at(g="1/2") == read(arrays())


def test_tables_is_the_other_format() -> None:
    """The default format can be named."""
    assert read(document(format="tables")) == read(document())


# Refused structure

REFUSED = {
    "unknown key": (document(safty={}), "safty", "the unknown name 'safty'"),
    "unknown key of mdp": (mdp_with(gamma="1/2"), "mdp.gamma", "the unknown name 'gamma'"),
    "unknown key of safety": (
        document(safety={"regret": 1, "eps": 1}),
        "safety.eps",
        "the unknown name 'eps'",
    ),
    "unknown key of bandit": (
        document(mdp=None, bandit={"reward": {"s": {"a": 1}}, "discount": 0}),
        "bandit.discount",
        "the unknown name 'discount'",
    ),
    "no data": (document(data=None), "data", "nothing"),
    "no safety": (document(safety=None), "safety", "nothing"),
    "no regret": (document(safety={"epsilon": 1}), "safety.regret", "nothing"),
    "no mdp": (document(mdp=None), "mdp", "nothing"),
    "mdp and bandit": (
        document(bandit={"reward": {"s": {"a": 1}}}),
        "mdp",
        "both [mdp] and [bandit]",
    ),
    "no transitions": (mdp_with(transitions=None), "mdp.transitions", "nothing"),
    "no reward": (mdp_with(reward=None), "mdp.reward", "nothing"),
    "no initial": (mdp_with(initial=None), "mdp.initial", "nothing"),
    "no discount": (mdp_with(discount=None), "mdp.discount", "nothing"),
    "bandit without reward": (document(mdp=None, bandit={}), "bandit.reward", "nothing"),
    "unknown format": (document(format="sparse"), "format", "sparse"),
    "format as a list": (document(format=[1]), "format", [1]),
    "bandit of arrays": (
        document(format="arrays", mdp=None, bandit={"reward": [[1, 0]]}),
        "format",
        "arrays",
    ),
    "mdp as a list": (document(mdp=[]), "mdp", []),
    "bandit as text": (document(mdp=None, bandit="x"), "bandit", "x"),
    "safety as text": (document(safety="x"), "safety", "x"),
    "data as a number": (document(data=1), "data", 1),
    "data as other text": (document(data="unifrom"), "data", "unifrom"),
    "data as a list": (document(data=[[1, 0], [0]]), "data", [[1, 0], [0]]),
    "initial as a list": (mdp_with(initial=[1, 0]), "initial", [1, 0]),
    "initial as a number": (mdp_with(initial=1), "initial", 1),
    "states as a table": (mdp_with(states={"s0": 1}), "states", {"s0": 1}),
    "states as truth values": (mdp_with(states=[True]), "states", "the name True"),
    "state as a decimal": (mdp_with(states=[0.5]), "states", "the name Fraction(1, 2)"),
    "actions as text": (mdp_with(actions="stay"), "actions", "stay"),
    "actions of a state as text": (
        mdp_with(actions={"s0": "stay", "s1": ["stay"]}),
        "actions.s0",
        "stay",
    ),
    "transitions as a list": (mdp_with(transitions=[]), "transitions", []),
    "null discount": (mdp_with(discount=[None]), "discount", [None]),
    "discount as a table": (mdp_with(discount={}), "discount", {}),
    "reward as a list": (
        mdp_with(reward={"s0": [0, 1], "s1": {"stay": 2}}),
        "reward.s0",
        [0, 1],
    ),
    "third and third": (
        mdp_with(initial={"s0": "1/3", "s1": "1/3"}),
        "initial",
        "entries whose sum is 2/3",
    ),
    "data below 1": (
        document(data={"s0": {"stay": 0.5}, "s1": {"stay": 0.4}}),
        "data",
        "entries whose sum is 9/10",
    ),
    "epsilon 0": (document(safety={"regret": 1, "epsilon": 0}), "epsilon", "0"),
    "regret above 1": (document(safety={"regret": 2}), "regret", "2"),
    "truth value": (document(safety={"regret": True}), "regret", "True (a truth value)"),
    "parameters as a list": (document(parameters=[]), "parameters", []),
    "parameter as a number": (document(parameters={"r": 1}), "parameters.r", 1),
    "parameter without max": (
        document(parameters={"r": {"min": 0}}),
        "parameters.r.max",
        "nothing",
    ),
    "parameter with step": (
        document(parameters={"r": {"min": 0, "max": 1, "step": 1}}),
        "parameters.r.step",
        "the unknown name 'step'",
    ),
    "parameter bound in words": (
        document(parameters={"r": {"min": 0, "max": "one"}}),
        "parameters.r.max",
        '"one"',
    ),
    "constraints as text": (
        document(parameters={"constraints": "r < 1"}),
        "parameters.constraints",
        "r < 1",
    ),
    "constraint of an undeclared parameter": (
        document(parameters={"constraints": ["1 < 2", "r < 1"]}),
        "parameters.constraints[1]",
        '"r "',
    ),
    "arrays with tables": (
        arrays(transitions={"s0": {}}),
        "transitions",
        {"s0": {}},
    ),
    "arrays with a table of initial": (arrays(initial={"s0": 1}), "initial", {"s0": 1}),
    "arrays with a table of data": (arrays() | {"data": {"s0": {}}}, "data", {"s0": {}}),
    "arrays with other text as data": (arrays() | {"data": "even"}, "data", "even"),
    "arrays of other shape": (arrays(initial=[1]), "initial", "a list of 1"),
    "a list": ([], "a.file", []),
    "a number": (1, "a.file", 1),
    "nothing": (None, "a.file", None),
}


@pytest.mark.parametrize("name", REFUSED)
def test_malformed_files_are_refused(name: str) -> None:
    """Unknown, missing and mistyped parts are refused with the path of the field."""
    tables, field, found = REFUSED[name]
    error = refusal(json.dumps(tables), "json")
    assert (error.field, error.value) == (field, found)


def test_a_misspelt_key_gets_a_proposal() -> None:
    """The nearest key is named."""
    error = refusal(json.dumps(document(safty={})), "json")
    assert error.expected.endswith("did you mean safety?")


@pytest.mark.parametrize("wrong", [None, True, 7, 0.5, "x", [], [[]], {}, {"x": {}}, [{"x": 1}]])
@pytest.mark.parametrize("base", [document(), arrays(), json.loads(json.dumps(document()))])
def test_a_wrong_type_anywhere_is_an_input_error(base: dict[str, object], wrong: object) -> None:
    """Each node of the file in turn is replaced; either it still makes sense or it is refused."""
    text = json.dumps(base)

    def places(node: object) -> list[list[object]]:
        keys = node.keys() if isinstance(node, dict) else range(len(node))  # type: ignore[arg-type]
        found: list[list[object]] = []
        for key in keys:
            child = node[key]  # type: ignore[index]
            found.append([key])
            if isinstance(child, (dict, list)):
                found.extend([key, *below] for below in places(child))
        return found

    refused = 0
    for place in places(base):
        changed = node = json.loads(text)
        for key in place[:-1]:
            node = node[key]
        node[place[-1]] = wrong
        try:
            assert isinstance(read(changed), SafetyProblem)
        except InputError:
            refused += 1
    assert refused > 10


# Refused text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[mdp]\nstates = [", "Invalid value (at line 2, the end of the text)"),
        ("[mdp]\nstates = x\n", "Invalid value (at line 2, column 10)"),
        ("a = 1\na = 2\n", "Cannot overwrite a value (at line 2, column 6)"),
        ("[mdp]\n[mdp]\n", "Cannot declare ('mdp',) twice (at line 2, column 5)"),
        ("\x00", "Invalid statement (at line 1, column 1)"),
    ],
)
def test_toml_syntax_errors_name_the_line(text: str, found: str) -> None:
    """The source and the line are in the error."""
    error = refusal(text)
    assert (error.field, error.value, error.expected) == ("a.file", found, "valid TOML")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "Expecting value (at line 1, column 1)"),
        ('{"mdp":\n 1 2}', "Expecting ',' delimiter (at line 2, column 4)"),
        ("{} {}", "Extra data (at line 1, column 4)"),
    ],
)
def test_json_syntax_errors_name_the_line(text: str, found: str) -> None:
    """The source and the line are in the error."""
    error = refusal(text, "json")
    assert (error.field, error.value, error.expected) == ("a.file", found, "valid JSON")


@pytest.mark.parametrize("text", ['{"a": 1, "a": 1}', '{"mdp": {"x": {"a": 1, "b": 2, "a": 3}}}'])
def test_doubled_json_keys_are_refused(text: str) -> None:
    """JSON would silently keep the last one."""
    error = refusal(text, "json")
    assert (error.field, error.value) == ("a.file", "the key 'a' twice")


@pytest.mark.parametrize("literal", ["nan", "inf", "-inf", "1e999999999", "1e99999999999999999999"])
def test_toml_numbers_that_are_none_are_refused_at_their_field(literal: str) -> None:
    """What is not a finite number of moderate size is shown as it was written."""
    error = refusal(BANDIT.replace("a = 1", f"a = {literal}"))
    assert (error.field, repr(error.value)) == ("reward.s.a", literal)


@pytest.mark.parametrize(
    "literal", ["NaN", "Infinity", "-Infinity", "1e999999999", "9" * 5000, "9" * 3000 + "e3000"]
)
def test_json_numbers_that_are_none_are_refused_at_their_field(literal: str) -> None:
    """JSON's own NaN and Infinity, and numbers that are too long."""
    error = refusal(json.dumps(document()).replace('"1/10"', literal), "json")
    assert (error.field, repr(error.value)) == ("epsilon", literal)


@pytest.mark.parametrize("literal", ["9" * 5000, "0x" + "f" * 5000, "[" * 30 + "0x" + "f" * 5000])
def test_toml_integers_that_are_too_long_are_refused(literal: str) -> None:
    """No integer is so long that a message about it could not be printed."""
    error = refusal(f"x = {literal}" + "]" * literal.count("["))
    assert (error.field, error.value) == ("a.file", "an integer of more digits")


@pytest.mark.parametrize("literal", ["2024-01-01", "07:32:00", "2024-01-01T00:00:00Z"])
def test_toml_dates_are_no_numbers(literal: str) -> None:
    """A type that only TOML has is refused at its field."""
    assert refusal(BANDIT.replace("a = 1", f"a = {literal}")).field == "reward.s.a"


@pytest.mark.parametrize(
    ("text", "format"),
    [
        ("[" * 100_000, "json"),
        ('{"a":' * 100_000, "json"),
        ("[" * 40 + "]" * 40, "json"),
        ("x = " + "[" * 100_000, "toml"),
        ("x = " + "{a=" * 20_000, "toml"),
        ("x = " + "[" * 40 + "]" * 40, "toml"),
        (".".join("a" * 40) + " = 1", "toml"),
        (".".join("a" * 1_000_000) + " = 1", "toml"),
        ("[" + ".".join("a" * 1_000_000) + "]", "toml"),
    ],
)
def test_deep_nesting_is_refused(text: str, format: str) -> None:
    """However the depth is written, there is an error and no overflow."""
    error = refusal(text, format)
    assert (error.field, error.value) == ("a.file", "deeper nesting")
    assert error.expected == "at most 32 levels of nesting"


def test_nesting_is_limited_at_32() -> None:
    """32 levels are read (and here found wanting), 33 are not."""
    inside = "[" * 31 + "1" + "]" * 31
    assert refusal(f'{{"x": {inside}}}', "json").field == "x"
    assert refusal(f'{{"x": [{inside}]}}', "json").value == "deeper nesting"


def test_long_texts_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The limit holds for text, and for files before they are decoded."""
    monkeypatch.setattr(files_module, "MAX_BYTES", 100)
    error = refusal("#" * 101)
    assert (error.field, error.value) == ("a.file", "more than 100 bytes")
    path = tmp_path / "long.toml"
    path.write_text("#" * 101)
    with pytest.raises(InputError) as caught:
        load_problem(path)
    assert (caught.value.field, caught.value.value) == (str(path), "more than 100 bytes")


@pytest.mark.parametrize(
    ("text", "format", "field"), [(b"", "toml", "text"), ("", "yaml", "format")]
)
def test_misuse_of_loads_is_refused(text: str, format: str, field: str) -> None:
    """Bytes are no text, and there are two formats."""
    assert refusal(text, format).field == field


# Files


@pytest.mark.parametrize("name", ["p.toml", "p.TOML", "p.txt", "p"])
def test_load_reads_toml(tmp_path: Path, name: str) -> None:
    """By its name or, without a telling name, by its first character."""
    path = tmp_path / name
    path.write_text(DESIGN, encoding="utf-8")
    assert load_problem(path) == load_problem(str(path)) == loads_problem(DESIGN)


@pytest.mark.parametrize("name", ["p.json", "p.txt", "p"])
@pytest.mark.parametrize("before", ["", "\ufeff", "\n  "])
def test_load_reads_json(tmp_path: Path, name: str, before: str) -> None:
    """The same for JSON; a byte order mark does no harm."""
    path = tmp_path / name
    path.write_text(before + json.dumps(document()), encoding="utf-8")
    assert load_problem(path) == read(document())


@pytest.mark.parametrize("text", [DESIGN, json.dumps(tomllib.loads(DESIGN))])
def test_load_reads_standard_input(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A dash is standard input, in either format."""
    for load in (load_problem, load_any):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert load("-") == loads_problem(DESIGN)
    monkeypatch.setattr(sys, "stdin", None)  # as Python says that it is closed
    with pytest.raises(InputError, match="a readable file"):
        load_problem("-")


def test_syntax_errors_name_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The source of a broken text is its path, or standard input."""
    path = tmp_path / "broken.json"
    path.write_text("{")
    with pytest.raises(InputError) as caught:
        load_problem(path)
    assert caught.value.field == str(path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"[")))
    with pytest.raises(InputError) as caught:
        load_problem("-")
    assert caught.value.field == "standard input"


@pytest.mark.parametrize("name", ["missing.toml", ".", "x/y.toml", "nul\0.toml", "n" * 300])
def test_unreadable_files_are_refused(tmp_path: Path, name: str) -> None:
    """Missing files, directories and impossible names are the same kind of error."""
    path = os.path.join(tmp_path, name)
    with pytest.raises(InputError) as caught:
        load_problem(path)
    assert (caught.value.field, caught.value.value) == ("file", path)
    assert caught.value.expected.startswith("a readable file (")


def test_files_are_utf_8(tmp_path: Path) -> None:
    """Other bytes are refused with their place."""
    path = tmp_path / "latin.toml"
    path.write_bytes(b"# gr\xf6\xdfe")
    with pytest.raises(InputError) as caught:
        load_problem(path)
    assert (caught.value.field, caught.value.value) == (str(path), "byte 0xf6 at offset 4")


@pytest.mark.parametrize("name", ["p.toml", "p.json", "p"])
def test_save_writes_what_load_reads(tmp_path: Path, name: str) -> None:
    """The name says the format; nothing else is left behind."""
    problem = loads_problem(DESIGN)
    save_problem(problem, tmp_path / name)
    assert load_problem(tmp_path / name) == problem
    assert (tmp_path / name).read_text().startswith("{") == name.endswith("json")
    assert os.listdir(tmp_path) == [name]


def test_saving_replaces_a_file_and_keeps_its_mode(tmp_path: Path) -> None:
    """A private file stays private; a link keeps pointing at the file."""
    path, link = tmp_path / "p.toml", tmp_path / "link.toml"
    path.write_text("old")
    path.chmod(0o600)
    link.symlink_to(path)
    save_problem(loads_problem(BANDIT), link)
    assert link.is_symlink()
    assert load_problem(path) == loads_problem(BANDIT)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole or not at all: no half file, no temporary file."""
    path = tmp_path / "p.toml"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(InputError) as caught:
        write_atomically(path, "new")
    assert caught.value.expected == "a writable file (No space left on device)"
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["p.toml"]


@pytest.mark.parametrize("name", ["missing/p.toml", ".", "nul\0.toml", "n" * 300])
def test_unwritable_places_are_refused(tmp_path: Path, name: str) -> None:
    """Missing directories, directories and impossible names."""
    path = os.path.join(tmp_path, name)
    with pytest.raises(InputError) as caught:
        write_atomically(path, "text")
    assert (caught.value.field, caught.value.value) == ("file", path)


def test_a_device_is_written_to_and_not_replaced() -> None:
    """Output can be sent to a pipe or to nowhere."""
    write_atomically(os.devnull, "text")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


# Writing


@pytest.mark.parametrize("format", ["toml", "json"])
@pytest.mark.parametrize("chunk", range(4))
def test_problems_survive_the_round_trip(chunk: int, format: str) -> None:
    """What is written is read back as an equal problem, and written again as the same bytes."""
    for seed in range(25 * chunk, 25 * chunk + 25):
        problem = random_problem(seed)
        text = dumps_problem(problem, format)
        again = loads_problem(text, format)
        assert again == problem, seed
        assert dumps_problem(again, format) == text, seed


def test_numbers_are_written_exactly() -> None:
    """Fractions as strings, small integers as integers, long integers as strings."""
    problem = read(mdp_with(reward={"s0": {"stay": "2/6", "go": 3}, "s1": {"stay": str(-(2**53))}}))
    written = json.loads(dumps_problem(problem, "json"))
    assert written["mdp"]["reward"] == {
        "s0": {"stay": "1/3", "go": 3},
        "s1": {"stay": "-9007199254740992"},
    }
    assert written["mdp"]["actions"] == {"s0": ["stay", "go"], "s1": ["stay"]}
    assert written["mdp"]["initial"] == {"s0": 1}
    assert written["data"]["s1"] == {"stay": "1/3"}
    assert written["safety"] == {"regret": "1/2", "epsilon": "1/10"}


def test_bandits_are_written_as_bandits() -> None:
    """An MDP with discount 0 that stays needs no transitions; with a discount it does."""
    stays = {"s": {"a": {"s": 1}, "b": {"s": 1}}}
    for discount, kind in ((0, "bandit"), ("1/2", "mdp")):
        mdp = MDP.from_tables(
            transitions=stays, reward={"s": {"a": 1, "b": 0}}, initial="s", discount=discount
        )
        problem = SafetyProblem(mdp, DataDistribution.uniform(mdp), Fraction(1, 2))
        assert kind in json.loads(dumps_problem(problem, "json"))
        assert loads_problem(dumps_problem(problem)) == problem


def test_parameters_are_written_with_their_domain() -> None:
    """Bounds and constraints are part of the problem."""
    written = tomllib.loads(dumps_problem(loads_problem(DESIGN)))
    assert written["parameters"] == {
        "r": {"min": "1/2", "max": 2},
        "constraints": ["r^2 - 3 < 0"],
    }
    assert written["mdp"]["actions"] == ["stay", "go"]


def test_parameters_without_constraints_are_written() -> None:
    """A box alone is a domain."""
    problem = loads_problem(DESIGN.replace('constraints = ["r*r < 3"]', ""))
    text = dumps_problem(problem)
    assert tomllib.loads(text)["parameters"] == {"r": {"min": "1/2", "max": 2}}
    assert loads_problem(text) == problem


def test_what_could_not_be_read_back_is_not_written() -> None:
    """A number longer than a file may hold is refused when writing."""
    long = Fraction(10**5000 + 1, 3)
    mdp = MDP.bandit({"s": {"a": long, "b": 0}})
    problem = SafetyProblem(mdp, DataDistribution.uniform(mdp), Fraction(1, 2))
    with pytest.raises(InputError) as caught:
        dumps_problem(problem)
    assert caught.value.field == "reward.s.a"
    with pytest.raises(InputError) as caught:
        dumps_problem(problem, "yaml")
    assert caught.value.field == "format"


COUNTED = """
[bandit.reward]
x = { a = 1, b = 0 }
y = { a = 1, b = 0 }
[counts]
x = { a = 30, b = 10 }
y = { a = 5 }
[safety]
regret = "1/2"
"""


def test_counts_are_data_by_their_relative_frequencies() -> None:
    """Pairs that are left out have none; they are kept and written back."""
    problem = loads_problem(COUNTED)
    assert problem.data.counts == (30, 10, 5, 0)
    assert problem.data.weights == (Fraction(2, 3), Fraction(2, 9), Fraction(1, 9), 0)
    for format in ("toml", "json"):
        assert loads_problem(dumps_problem(problem, format), format) == problem


def test_counts_may_be_arrays() -> None:
    """In a file of that format, with a count for each action of each state."""
    text = """
    format = "arrays"
    counts = [[3, 1]]
    safety = { regret = 1 }
    [mdp]
    states = ["s"]
    transitions = [[[1], [1]]]
    reward = [[1, 0]]
    initial = [1]
    discount = 0
    """
    assert loads_problem(text).data.counts == (3, 1)
    with pytest.raises(InputError) as caught:
        loads_problem(text.replace("[[3, 1]]", "[[3]]"))
    assert caught.value.field == "counts"


@pytest.mark.parametrize(
    ("edit", "field"),
    [
        (("y = { a = 5 }", "y = { a = -5 }"), "counts.y.a"),
        (("y = { a = 5 }", "y = { a = 0.5 }"), "counts.y.a"),
        (("y = { a = 5 }", "y = { a = 1000000000000000 }"), "counts.y.a"),
        (("y = { a = 5 }", "z = { a = 5 }"), "counts"),
        (("[safety]", "[data]\nx = { a = 1 }\n[safety]"), "data"),
    ],
)
def test_what_is_no_count_is_refused(edit: tuple[str, str], field: str) -> None:
    """With its place."""
    with pytest.raises(InputError) as caught:
        loads_problem(COUNTED.replace(*edit))
    assert caught.value.field == field


def test_samples_of_nothing_are_no_data() -> None:
    """At least one has to be there."""
    mdp = MDP.bandit({"s": {"a": 1, "b": 0}})
    with pytest.raises(InputError, match="at least one sample"):
        DataDistribution.from_counts(mdp, {})
    with pytest.raises(InputError, match="counts of these weights"):
        DataDistribution(mdp, (Fraction(1, 2), Fraction(1, 2)), (1, 2))


COVERED = (
    COUNTED
    + """
[coverage]
states = "data"
minimum.x.a = "1/10"
maximum = { y = { b = "1/20" } }
rows = [
    { weights = { x = { a = 3 }, y = { a = 1 } }, at_most = 2 },
    { weights = { x = { b = 1 } }, exactly = "1/5" },
]
"""
)


def test_a_coverage_says_which_data_could_be_collected() -> None:
    """Bounds first, then the totals of the states, then rows; written back as rows."""
    problem = loads_problem(COVERED)
    assert problem.coverage is not None
    rows = [(dict(r.coefficients), r.relation, r.bound) for r in problem.coverage.rows]
    assert rows == [
        ({0: -1}, "at most", Fraction(-1, 10)),
        ({3: 1}, "at most", Fraction(1, 20)),
        ({0: 1, 1: 1}, "exactly", Fraction(8, 9)),
        ({2: 1, 3: 1}, "exactly", Fraction(1, 9)),
        ({0: 3, 2: 1}, "at most", 2),
        ({1: 1}, "exactly", Fraction(1, 5)),
    ]
    for format in ("toml", "json"):
        assert loads_problem(dumps_problem(problem, format), format) == problem
    assert problem.at().coverage == problem.coverage


def test_a_coverage_may_be_a_mixture() -> None:
    """Of data distributions, of which one may be uniform."""
    members = 'mixture = ["uniform", { x = { a = 1 } }]'
    problem = loads_problem(COUNTED + "[coverage]\n" + members)
    assert problem.coverage is not None
    assert problem.coverage.members is not None
    quarter = Fraction(1, 4)
    assert [m.weights for m in problem.coverage.members] == [(quarter,) * 4, (1, 0, 0, 0)]
    assert loads_problem(dumps_problem(problem)) == problem
    assert problem.at().coverage == problem.coverage


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("total = 1", "coverage.total"),
        ("mixture = []", "coverage.mixture"),
        ("mixture = 3", "coverage.mixture"),
        ("mixture = [3]", "coverage.mixture[0]"),
        ('mixture = ["uniform", { x = { z = 1 } }]', "coverage.mixture[1].x"),
        ('mixture = ["uniform"]\nstates = "data"', "coverage"),
        ("minimum = { z = {} }", "coverage.minimum"),
        ('minimum = { x = { a = "y" } }', "coverage.minimum.x.a"),
        ("maximum = { x = 3 }", "coverage.maximum.x"),
        ("states = { x = true }", "coverage.states.x"),
        ('states = "all"', "coverage.states"),
        ("rows = [{ weights = { x = { a = 1 } } }]", "coverage.rows[0]"),
        ("rows = [{ at_most = 1 }]", "coverage.rows[0]"),
        ("rows = [{ weights = { x = { c = 1 } }, exactly = 1 }]", "coverage.rows[0].weights.x"),
        ('rows = [{ weights = { x = { a = "y" } }, exactly = 1 }]', "coverage.rows[0].weights.x.a"),
        ("rows = [{ weights = {}, exactly = 0.5e }]", "<text>"),
        ('rows = [{ weights = {}, exactly = "y" }]', "coverage.rows[0].exactly"),
        ('rows = [{ weights = { x = { a = 1 } }, at_least = "1/2" }]', "coverage.rows[0]"),
    ],
)
def test_what_is_no_coverage_is_refused(text: str, field: str) -> None:
    """With its place."""
    with pytest.raises(InputError) as caught:
        loads_problem(f"{COUNTED}[coverage]\n{text}\n")
    assert caught.value.field == field


def test_a_coverage_of_another_mdp_is_refused() -> None:
    """As its pairs are not those of the problem."""
    problem = loads_problem(COVERED)
    with pytest.raises(InputError) as caught:
        replace(problem, coverage=DataSet(MDP.bandit({"s": {"a": 1, "b": 0}})))
    assert caught.value.field == "coverage"
