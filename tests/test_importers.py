"""Importers other than Gymnasium's: each reads real files, and refuses what it cannot trust."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import networkx as nx
import numpy as np
import pytest
from instances import random_instance, to_problem

from symsafe import MDP, DataDistribution, InputError, SymsafeError, UnsupportedError
from symsafe.importers import lines
from symsafe.importers.arrays import from_mdptoolbox, from_numpy
from symsafe.importers.data import data_family, from_counts, noisy_expert
from symsafe.importers.drn import from_drn
from symsafe.importers.networkx import from_networkx, to_networkx
from symsafe.importers.prism import from_prism
from symsafe.importers.rounding import Rounding
from symsafe.importers.sources import imported_text, read_source
from symsafe.model import SafetyProblem, loads_problem

MODELS = Path(__file__).parent / "models"
F = Fraction
HALF, THIRD = F(1, 2), F(1, 3)

try:
    import stormpy
except ImportError:
    stormpy = None


def robot(names: tuple[str, str]) -> MDP:
    """The recycling robot of the files in models/."""
    return MDP(
        states=names,
        actions=(("wait", "search"), ("wait", "search", "recharge")),
        successors=(
            ((0, F(1)),),
            ((0, F(3, 4)), (1, F(1, 4))),
            ((1, F(1)),),
            ((0, THIRD), (1, 2 * THIRD)),
            ((0, F(1)),),
        ),
        rewards=(HALF, F(2), F(0), THIRD, F(0)),
        initial=(F(1), F(0)),
        discount=F(9, 10),
    )


# -- rounding -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "value", "expected"),
    [
        ("binary", 0.1, F(0.1)),
        ("decimal", 0.1, F(1, 10)),
        ("decimal", np.float32(0.1), F(1, 10)),
        ("binary", np.float32(0.1), F(13421773, 134217728)),
        ("nearest:10", 0.3333333333333333, THIRD),
        ("nearest:10", "0.3333333333", THIRD),
        ("decimal", "0.3333333333", F(3333333333, 10**10)),
        ("nearest:10", "1/3001", F(1, 3001)),
        ("nearest:10", 7, F(7)),
        ("binary", F(1, 3), THIRD),
    ],
)
def test_a_rule_says_what_a_number_means(rule: str, value: object, expected: Fraction) -> None:
    """Floats become what the rule says; exact numbers stay."""
    assert Rounding.parse(rule).number(value, "x") == expected


@pytest.mark.parametrize(
    "text", ["", "exact", "nearest", "nearest:0", "nearest:1.5", "decimal+", "+repair", "DECIMAL"]
)
def test_unknown_rules_are_refused(text: str) -> None:
    """A rule that is not understood is not guessed."""
    with pytest.raises(InputError):
        Rounding.parse(text)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), True, None, "1e"])
@pytest.mark.parametrize("rule", ["binary", "decimal", "nearest:5"])
def test_what_is_no_number_is_refused_by_every_rule(rule: str, value: object) -> None:
    """Not a number, infinite, or something else."""
    with pytest.raises(InputError):
        Rounding.parse(rule).number(value, "x")


def test_a_rule_is_written_as_it_is_read() -> None:
    """`str` of a rule is the text that `parse` takes."""
    for text in ("binary", "decimal+repair", "nearest:1000", "nearest:7+repair"):
        assert str(Rounding.parse(text)) == text


def test_repair_changes_the_largest_entry_alone() -> None:
    """The first of the largest absorbs what is missing, and the row sums to exactly 1."""
    row = Rounding("decimal", repair=True).row([0.2, 0.4, 0.4000001], "r")
    assert row == (F(1, 5), F(2, 5), F(2, 5))
    softmax = np.exp([0.3, -1.2, 2.5])
    row = Rounding("binary", repair=True).row((softmax / softmax.sum()).tolist(), "r")
    assert sum(row) == 1


def test_repair_has_a_limit() -> None:
    """A third that is missing is an error of the file, not of rounding (PRISM issue 6)."""
    with pytest.raises(InputError) as caught:
        Rounding("decimal", repair=True).row([THIRD, THIRD], "transitions.s0.a0")
    assert caught.value.field == "transitions.s0.a0"


# -- arrays -------------------------------------------------------------------------------------

P = np.array([[[0.5, 0.5], [0.1, 0.9]], [[1.0, 0.0], [0.0, 1.0]]])
R = np.array([[0.0, 1.5], [-2.0, 0.1]])


def test_numpy_arrays_become_exact_by_the_rule_chosen() -> None:
    """By decimals 0.1 is a tenth; by binary values the rows do not sum to 1 and are refused."""
    mdp = from_numpy(P, R, initial=[0.25, 0.75], discount="1/2", rounding="decimal")
    assert mdp.successors[1] == ((0, F(1, 10)), (1, F(9, 10)))
    assert mdp.rewards == (F(0), F(3, 2), F(-2), F(1, 10))
    assert mdp.initial == (F(1, 4), F(3, 4))
    assert F(0.1) + F(0.9) != 1
    with pytest.raises(InputError) as caught:
        from_numpy(P, R, initial=0, discount="1/2", rounding="binary")
    assert caught.value.field == "transitions.s0.a1"
    repaired = from_numpy(P, R, initial=0, discount="1/2", rounding="binary+repair")
    assert repaired.successors[1] == ((0, F(0.1)), (1, 1 - F(0.1)))


def test_floats_never_become_exact_without_a_rule() -> None:
    """In transitions, rewards and the initial distribution alike."""
    whole = np.array([[[1, 0], [0, 1]], [[1, 0], [0, 1]]])
    for arguments in ((P, R, 0), (whole, R, 0), (whole, R.astype(int), [0.5, 0.5])):
        with pytest.raises(InputError, match="rounding rule"):
            from_numpy(arguments[0], arguments[1], initial=arguments[2], discount=0)
    mdp = from_numpy(whole, R.astype(int), initial=["1/3", "2/3"], discount=0)
    assert mdp.initial == (THIRD, 2 * THIRD)


def test_a_float_discount_is_refused_by_every_rule() -> None:
    """The discount is chosen by hand, so it is written exactly."""
    with pytest.raises(InputError, match="discount"):
        from_numpy(P, R, initial=0, discount=0.9, rounding="decimal")


def test_rewards_of_states_and_of_transitions_are_reduced_to_pairs() -> None:
    """R(s), and the expectation of R(s, a, t): the return of no policy changes."""
    held = from_numpy(P, [3, "1/2"], initial=0, discount=0, rounding="decimal")
    assert held.rewards == (F(3), F(3), HALF, HALF)
    gains = np.array([[[1, 3], [10, 0]], [[2, 100], [0, -1]]])
    moved = from_numpy(P, gains, initial=0, discount=0, rounding="decimal")
    assert moved.rewards == (F(2), F(1), F(2), F(-1))


def test_mdptoolbox_arrays_are_the_same_with_the_action_first() -> None:
    """(A, S, S) arrays, lists of matrices, and sparse ones."""
    expected = from_numpy(P, R, initial=0, discount="1/2", rounding="decimal")
    turned = np.swapaxes(P, 0, 1)
    options: dict[str, Any] = {"initial": 0, "discount": "1/2", "rounding": "decimal"}
    assert from_mdptoolbox(turned, R, **options) == expected
    assert from_mdptoolbox([turned[0], turned[1]], R, **options) == expected
    import scipy.sparse

    sparse = [scipy.sparse.csr_matrix(matrix) for matrix in turned]
    assert from_mdptoolbox(sparse, R, **options) == expected
    gains = np.array([[[1, 3], [10, 0]], [[2, 100], [0, -1]]])
    by_pair = from_numpy(P, gains, **options)
    assert from_mdptoolbox(turned, np.swapaxes(gains, 0, 1), **options) == by_pair
    gains_sparse = [scipy.sparse.csr_matrix(m) for m in np.swapaxes(gains, 0, 1)]
    assert from_mdptoolbox(sparse, gains_sparse, **options) == by_pair


@pytest.mark.parametrize(
    ("transitions", "reward", "initial", "field"),
    [
        (P[0], R, 0, "transitions"),
        (P[:, :, :1], R, 0, "transitions"),
        (P, R[:, :1], 0, "reward"),
        (P, R, 2, "initial"),
        (P, R, True, "initial"),
        (P, R, None, "initial"),
        (P, R, [0.5, 0.4], "initial"),
        (P, R, [1.5, -0.5], "initial"),
        (P.astype(str), R, 0, "transitions"),
        (P.astype(complex), R, 0, "transitions"),
        ([[[1], [1, 0]]], R, 0, "transitions"),
        (np.zeros((0, 0, 0)), R, 0, "transitions"),
        (P, R * np.nan, 0, "reward.s0.a0"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    transitions: Any, reward: Any, initial: Any, field: str
) -> None:
    """One error with the name of the array."""
    with pytest.raises(InputError) as caught:
        from_numpy(transitions, reward, initial=initial, discount=0, rounding="decimal")
    assert caught.value.field == field


# -- PRISM and Storm ----------------------------------------------------------------------------


def test_prism_files_become_the_expected_mdp() -> None:
    """Transitions, labels, states and both kinds of rewards, which lie beside the first file."""
    assert from_prism(MODELS / "robot.tra", discount="9/10") == robot(("(2,false)", "(1,false)"))


def test_drn_file_becomes_the_expected_mdp() -> None:
    """The same robot, with rewards of states and actions."""
    assert from_drn(MODELS / "robot.drn", discount="9/10", reward="cans") == robot(("s0", "s1"))
    falls = from_drn(MODELS / "robot.drn", discount="9/10", reward="falls")
    assert falls.rewards == (F(0), F(0), F(0), THIRD, F(0))


def test_storm_reads_the_same_from_the_same_file() -> None:
    """stormpy in its rational mode is the second reader: transitions, rewards, initial state."""
    if stormpy is None:
        pytest.skip("stormpy is not installed: no second reader has read the DRN file")
    ours = from_drn(MODELS / "robot.drn", discount="9/10", reward="cans")
    model = stormpy.build_model_from_drn[stormpy.Rational](str(MODELS / "robot.drn"))
    successors = tuple(
        tuple((move.column, F(str(move.value))) for move in action.transitions)
        for state in model.states
        for action in state.actions
    )
    assert successors == ours.successors
    rewards = model.reward_models["cans"]
    held = [F(str(x)) for x in rewards.state_rewards]
    gained = [F(str(x)) for x in rewards.state_action_rewards]
    assert tuple(held[s] + x for s, x in zip(ours.pair_states, gained, strict=True)) == ours.rewards
    assert [ours.initial[state] for state in model.initial_states] == [1]


def test_decimals_of_a_file_mean_what_is_written() -> None:
    """Storm writes thirds with sixteen digits, so their row is refused unless a rule reads them."""
    with pytest.raises(InputError) as caught:
        from_drn(MODELS / "thirds.drn", discount=0)
    assert caught.value.field == "thirds.drn, line 12"
    mdp = from_drn(MODELS / "thirds.drn", discount=0, rounding="nearest:1000")
    assert mdp.successors[0] == ((0, THIRD), (1, 2 * THIRD))
    assert mdp.actions == (("a0", "a1"), ("a0",))
    repaired = from_drn(MODELS / "thirds.drn", discount=0, rounding="decimal+repair")
    assert repaired.successors[0][0] == (0, F(3333333333333333, 10**16))


PRISM_FAULTS = [
    ("tra", "2 5 7", "2 5 8", "robot.tra, line 1"),
    ("tra", "2 5 7", "2 7", "robot.tra, line 1"),
    ("tra", "2 5 7", "9999999999 5 7", "robot.tra, line 1"),
    ("tra", "2 5 7", "900000 5 7", "robot.tra, line 1"),
    ("tra", "0 1 1 0.25", "0 1 1 0.24", "robot.tra, line 3"),
    ("tra", "0 1 1 0.25", "0 1 1 -0.25", "robot.tra, line 4"),
    ("tra", "0 1 1 0.25 search", "0 1 1 0.25 find", "robot.tra, line 4"),
    ("tra", "0 1 1 0.25", "0 1 2 0.25", "robot.tra, line 4"),
    ("tra", "0 1 1 0.25", "0 1 0 0.25", "robot.tra, line 4"),
    ("tra", "0 1 1 0.25", "0 1 1 0.25x", "robot.tra, line 4: probability"),
    ("tra", "0 1 1 0.25", "0 1 1 1e-401", "robot.tra, line 4: probability"),
    ("tra", "0 1 1 0.25", "0 1 1 1E+000999", "robot.tra, line 4: probability"),
    ("tra", "0 1 1 0.25", "0 1 1 1e-9999", "robot.tra, line 4: probability"),
    ("tra", "1 2 0 1", "1 3 0 1", "robot.tra, state 1"),
    ("lab", "0: 0", "0: 1", "initial"),
    ("lab", "1: 2", "1: 0 2", "initial"),
    ("lab", "1: 2", "7: 2", "robot.lab, line 3"),
    ("lab", '0="init"', "0=init", "robot.lab, line 1"),
    ("sta", "1:(1,false)", "0:(1,false)", "robot.sta, line 3"),
    ("sta", "1:(1,false)", "1 (1,false)", "robot.sta, line 3"),
    ("sta", "1:(1,false)", "1:(2,false)", "states"),
    ("srew", "2 1", "3 1", "robot.srew, line 3"),
    ("srew", "2 1", "2 2", "robot.srew, line 3"),
    ("srew", "0 0.5", "2 0.5", "robot.srew, line 4"),
    ("srew", "0 0.5", "0 nan", "robot.srew, line 4: reward"),
    ("trew", "0 1 0 2", "0 0 1 2", "robot.trew, line 4"),
    ("trew", "0 1 0 2", "0 5 0 2", "robot.trew, line 4"),
    ("trew", "2 5 3", "2 5 4", "robot.trew, line 3"),
]


@pytest.mark.parametrize(("ending", "old", "new", "field"), PRISM_FAULTS)
def test_a_fault_in_prism_files_is_refused_with_its_line(
    ending: str, old: str, new: str, field: str, tmp_path: Path
) -> None:
    """One change, one error that says where."""
    for file in MODELS.glob("robot.*"):
        shutil.copy(file, tmp_path)
    file = tmp_path / f"robot.{ending}"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        from_prism(tmp_path / "robot.tra", discount="9/10")
    assert caught.value.field.endswith(field)


DRN_FAULTS = [
    ("@type: MDP", "@type: DTMC", UnsupportedError),
    ("@parameters\n", "@parameters\np q\n", UnsupportedError),
    ("0 : 1/3", "0 : [1/4,1/2]", UnsupportedError),
    ("@nr_states\n2", "@nr_states\n3", InputError),
    ("@nr_states\n2", "@nr_states\n99999999999", InputError),
    ("@nr_choices\n5", "@nr_choices\n4", InputError),
    ("@model", "@modell", InputError),
    ("@value_type: rational", "@type: MDP", InputError),
    ("state 1", "state 2", InputError),
    ("state 1", "state 00000000001", InputError),
    ("0 : 1/3", "5 : 1/3", InputError),
    ("0 : 1/3", "1 : 1/3", InputError),
    ("0 : 1/3", "0 : 1/0", InputError),
    ("0 : 1/3", "0 : -1/3", InputError),
    ("0 : 1/3", "0 : p", InputError),
    ("[3/2, 0]", "[3/2]", InputError),
    ("[3/2, 0]", "[x, 0]", InputError),
    ("init full", "full", InputError),
    ("low", "low init", InputError),
]


@pytest.mark.parametrize(("old", "new", "error"), DRN_FAULTS)
def test_a_fault_in_a_drn_file_is_refused(
    old: str, new: str, error: type[Exception], tmp_path: Path
) -> None:
    """One change, one documented error that names the file."""
    text = (MODELS / "robot.drn").read_text()
    assert old in text
    file = tmp_path / "bad.drn"
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(error, match=r"bad\.drn"):
        from_drn(file, discount="9/10", reward="cans")


def test_exponents_of_floats_are_read(tmp_path: Path) -> None:
    """The least double among them: exactly what is written."""
    text = (MODELS / "robot.drn").read_text().replace("[3/2, 0]", "[5E-324, 0]")
    file = tmp_path / "x.drn"
    file.write_text(text)
    mdp = from_drn(file, discount=0, reward="cans")
    assert mdp.rewards[1] == HALF + F(5, 10**324)


def test_a_long_line_takes_no_long_time(tmp_path: Path) -> None:
    """Digits, equal actions: what could take quadratic time is linear, so this test ends."""
    for file in MODELS.glob("robot.*"):
        shutil.copy(file, tmp_path)
    (tmp_path / "robot.lab").write_text("1" * 99_000 + "\n")
    with pytest.raises(InputError, match="line 1"):
        from_prism(tmp_path / "robot.tra", discount=0)
    assert len(set(lines.unique(["go"] * 50_000))) == 50_000


def test_the_reward_model_has_to_be_named() -> None:
    """Of several, one; a name that is nearly right gets the right one as hint."""
    with pytest.raises(InputError, match="cans, falls"):
        from_drn(MODELS / "robot.drn", discount=0)
    with pytest.raises(InputError, match="did you mean cans"):
        from_drn(MODELS / "robot.drn", discount=0, reward="can")


def test_equal_actions_of_a_state_are_told_apart() -> None:
    """PRISM and Storm allow them; names are unique here, and no name is taken twice."""
    assert lines.unique(["go", "go", "go#2", "go"]) == ("go", "go#3", "go#2", "go#4")


@pytest.mark.parametrize("ending", ["tra", "lab", "sta", "srew", "trew", "drn"])
def test_hostile_files_end_in_one_documented_error(ending: str, tmp_path: Path) -> None:
    """Whatever is cut out, doubled or overwritten: an MDP, or an error of symsafe."""
    for file in MODELS.glob("robot.*"):
        shutil.copy(file, tmp_path)
    file = tmp_path / f"robot.{ending}"
    original = file.read_bytes()
    random = Random(ending)
    read: Callable[[], MDP] = (
        (lambda: from_drn(file, discount=0, reward="cans"))
        if ending == "drn"
        else (lambda: from_prism(tmp_path / "robot.tra", discount=0))
    )
    refused = 0
    for _ in range(200):
        content = bytearray(original)
        for _ in range(random.randint(1, 3)):
            start = random.randrange(len(content))
            stop = min(len(content), start + random.randint(0, 6))
            piece = random.choice(
                [b"", b"\0", b"\xff", b"9" * 30, b"-1", b"@", b"1e999", b"\n[", b"/0"]
            )
            content[start:stop] = piece
        file.write_bytes(content)
        try:
            assert isinstance(read(), MDP)
        except SymsafeError:
            refused += 1
    assert refused > 100


def test_files_beyond_the_limits_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too long, a line too long, not there, a folder, no text."""
    file = tmp_path / "x.drn"
    file.write_text("@type: " + "M" * lines.MAX_LINE)
    with pytest.raises(InputError, match="line 1"):
        from_drn(file, discount=0)
    monkeypatch.setattr(lines, "MAX_BYTES", 10)
    with pytest.raises(InputError, match="at most 10 bytes"):
        from_drn(file, discount=0)
    file.write_bytes(b"\xff\xfe")
    for name in (file, tmp_path, tmp_path / "missing", "a\0b"):
        with pytest.raises(InputError):
            from_drn(name, discount=0)


# -- networkx -----------------------------------------------------------------------------------


def test_a_graph_is_the_mdp_and_back() -> None:
    """Every random instance survives the way there and back, with its data as attribute."""
    for seed in range(40):
        problem = to_problem(random_instance(seed))
        graph = to_networkx(problem.mdp, problem.data)
        assert from_networkx(graph) == problem.mdp
        weights = {(u, key): data["data"] for u, _, key, data in graph.edges(keys=True, data=True)}
        assert tuple(weights[pair] for pair in problem.mdp.pairs) == problem.data.weights


def test_a_graph_with_rewards_of_transitions_and_floats() -> None:
    """Outcomes may differ in reward; the expectation is taken after rounding."""
    graph = nx.MultiDiGraph()
    graph.add_edge(0, 1, action="go", probability=0.25, reward=4.0)
    graph.add_edge(0, 0, action="go", probability=0.75, reward=0.0)
    graph.add_edge(1, 1, action="stay", probability=1, reward=0)
    mdp = from_networkx(graph, discount="1/2", initial=0, rounding="decimal")
    assert (mdp.states, mdp.rewards) == (("0", "1"), (F(1), F(0)))
    assert mdp.successors[0] == ((0, F(3, 4)), (1, F(1, 4)))
    mdp = from_networkx(graph, discount=0, initial={0: 0.5, 1: "1/2"}, rounding="decimal")
    assert mdp.initial == (HALF, HALF)


def edge(**attributes: object) -> nx.MultiDiGraph:
    graph = nx.MultiDiGraph(discount=0)
    graph.add_node("s", initial=1)
    graph.add_edge("s", "s", **attributes)
    return graph


def test_graphs_that_are_no_mdp_are_refused() -> None:
    """Another kind of graph, missing attributes, doubled outcomes, sums, ends, unknown nodes."""
    good = {"action": "a", "probability": 1, "reward": 0}
    assert from_networkx(edge(**good)).states == ("s",)
    double = edge(action="a", probability="1/2", reward=0)
    double.add_edge("s", "s", action="a", probability="1/2", reward=0)
    end = edge(**good)
    end.add_edge("s", "t", action="b", probability=1, reward=0)
    for graph in (
        nx.DiGraph(),
        nx.MultiGraph(),
        "graph",
        edge(action="a", probability=1),
        edge(action="a", probability="1/2", reward=0),
        edge(action="a", probability=1.0, reward=0),
        double,
        end,
    ):
        with pytest.raises(InputError):
            from_networkx(graph)
    with pytest.raises(InputError):
        from_networkx(edge(**good), initial="t")


def test_attributes_of_graphs_that_are_no_lists_and_no_nodes_are_refused() -> None:
    """An order of actions that is none (found by fuzzing), a start that cannot be a node."""
    graph = edge(action="a", probability=1, reward=0)
    with pytest.raises(InputError):
        from_networkx(graph, initial=["s"])
    graph.nodes["s"]["actions"] = True
    with pytest.raises(InputError):
        from_networkx(graph)


def test_numbers_beyond_all_floats_are_refused() -> None:
    """In a sum that is shown (found by fuzzing), and in a text that stands for a float."""
    with pytest.raises(InputError, match="sum"):
        from_networkx(edge(action="a", probability=10**500, reward=0))
    with pytest.raises(InputError, match="float"):
        Rounding("binary").number(f"1{'0' * 400}.5", "p")


# -- data ---------------------------------------------------------------------------------------

BANDIT = MDP.bandit({"left": {"a": 1, "b": 0}, "right": {"a": 0, "b": 2, "c": 0}})


def test_named_families_are_what_they_say() -> None:
    """Uniform over pairs; uniform play; an expert who errs a fifth of the time."""
    assert data_family(BANDIT, "uniform").weights == (F(1, 5),) * 5
    play = data_family(BANDIT, "policy").weights
    assert play == (F(1, 4), F(1, 4), F(1, 6), F(1, 6), F(1, 6))
    expert = data_family(BANDIT, "expert:1/5").weights
    assert expert == (F(9, 20), F(1, 20), F(1, 30), F(13, 30), F(1, 30))
    assert noisy_expert(BANDIT, 1).weights == play
    for name in ("unifrom", "expert", "expert:", "expert:2", "expert:0.1x", "counts:", ""):
        with pytest.raises(InputError):
            data_family(BANDIT, name)


def test_counts_become_relative_frequencies(tmp_path: Path) -> None:
    """Pairs left out were never seen; quoting is that of CSV."""
    file = tmp_path / "seen.csv"
    file.write_text('state,action,count\n"left",a,3\nright,c,9\nleft,b,0\n')
    expected = (F(1, 4), F(0), F(0), F(0), F(3, 4))
    assert from_counts(BANDIT, file).weights == expected
    assert data_family(BANDIT, f"counts:{file}").weights == expected


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "seen.csv"),
        ("s,a,n\n", "seen.csv"),
        ("state,action,count\n", "seen.csv"),
        ("state,action,count\nleft,a,0\n", "seen.csv"),
        ("state,action,count\nleft,a\n", "line 2"),
        ("state,action,count\nlefd,a,1\n", "line 2"),
        ("state,action,count\nleft,c,1\n", "line 2"),
        ("state,action,count\n\nleft,a,1\nleft,a,1\n", "line 4"),
        ("state,action,count\nleft,a,-1\n", "line 2"),
        ("state,action,count\nleft,a,1.5\n", "line 2"),
        ("state,action,count\nleft,a," + "9" * 30 + "\n", "line 2"),
        ('state,action,count\nleft,"a,1\n', "line 2"),
    ],
)
def test_faulty_counts_are_refused_with_their_line(text: str, where: str, tmp_path: Path) -> None:
    """The error says where, and what was expected."""
    file = tmp_path / "seen.csv"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        from_counts(BANDIT, file)
    assert where in caught.value.field


# -- sources of the command line ----------------------------------------------------------------


def test_every_kind_of_source_is_read(tmp_path: Path) -> None:
    """One line of text for each importer."""
    path = tmp_path / "mine.npz"
    np.savez(path, transitions=P, reward=R, initial=np.array([1.0, 0.0]))
    by_hand = from_numpy(P, R, initial=0, discount="9/10", rounding="decimal")
    assert read_source(f"npz:{path}", discount="9/10", rounding="decimal") == by_hand
    assert read_source(f"npz:{path}", discount=0, initial=1, rounding="decimal").initial[1] == 1
    robot_file = f"drn:{MODELS / 'robot.drn'}"
    assert read_source(robot_file, discount="9/10", reward="cans") == robot(("s0", "s1"))
    prism = read_source(f"prism:{MODELS / 'robot.tra'}", discount="9/10")
    assert prism.rewards == robot(("s0", "s1")).rewards
    lake = read_source("gymnasium:FrozenLake-v1", discount="9/10")
    assert (len(lake.states), len(lake.pairs)) == (16, 64)


@pytest.mark.parametrize(
    ("name", "states", "pairs"),
    [
        ("FrozenLake8x8-v1", 64, 256),
        ("CliffWalking-v1", 49, 193),
        ("Taxi-v4", 501, 3001),
    ],
)
def test_toy_text_environments_are_imported(name: str, states: int, pairs: int) -> None:
    """With one more absorbing state where the table walks on behind its end."""
    mdp = read_source(f"gymnasium:{name}", discount="9/10")
    assert (len(mdp.states), len(mdp.pairs)) == (states, pairs)


@pytest.mark.parametrize(
    ("source", "options"),
    [
        ("lake", {}),
        ("prism:", {}),
        ("gymnasum:FrozenLake-v1", {}),
        ("gymnasium:FrozenLake-v1", {"rounding": "decimal"}),
        ("gymnasium:FrozenLake-v1", {"reward": "cans"}),
        ("gymnasium:NoSuchLake-v1", {}),
        ("npz:missing.npz", {}),
        ("npz:/dev/zero", {"initial": 0}),
    ],
)
def test_sources_that_make_no_sense_are_refused(source: str, options: dict[str, str]) -> None:
    """An unknown kind, nothing behind the colon, an option that the kind does not have."""
    with pytest.raises(InputError):
        read_source(source, discount=0, **options)


def test_archives_that_hold_objects_or_other_things_are_refused(tmp_path: Path) -> None:
    """Objects in an archive are pickles, which could run; they are never loaded."""
    objects, other, broken = (tmp_path / f"{name}.npz" for name in ("objects", "other", "broken"))
    np.savez(objects, transitions=np.array([object()]), reward=R)
    np.savez(other, transitions=P)
    broken.write_bytes(b"PK\x03\x04 nothing")
    for path in (objects, other, broken):
        with pytest.raises(InputError):
            read_source(f"npz:{path}", discount=0, initial=0, rounding="decimal")


def test_the_imported_file_says_where_it_comes_from() -> None:
    """In comments that no name can leave."""
    problem = SafetyProblem(BANDIT, DataDistribution.uniform(BANDIT), "1/2")
    text = imported_text(problem, 'drn:x\n[mdp]\nstates = ["evil"]', None)
    assert loads_problem(text) == problem
    assert text.startswith('# Imported from "drn:x\\n[mdp]')


def test_an_archive_of_a_version_that_python_does_not_know_is_refused(tmp_path: Path) -> None:
    """Found by fuzzing: zipfile raises NotImplementedError for it."""
    path = tmp_path / "new.npz"
    np.savez(path, transitions=np.ones((1, 1, 1), int), reward=np.ones((1, 1), int))
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + 6 : entry + 8] = (211).to_bytes(2, "little")
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_source(f"npz:{path}", discount=0, initial=0)
    assert caught.value.field == "file"
