"""Sweeps: every point of the grid, in processes and on a cluster, and on again after a kill."""

from __future__ import annotations

import builtins
import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from instances import random_instance, to_problem
from oracle import safety_radius

import symsafe.sweeps as module
from symsafe import (
    MDP,
    Certificate,
    DataDistribution,
    InputError,
    SafetyProblem,
    UnsupportedError,
    decide,
    loads_problem,
    problems,
    radius,
    sweep,
)

F = Fraction


def parametric() -> SafetyProblem:
    """The bandit with rewards r, 2/5 and 0; at r = 2/5 two actions are equally good."""
    mdp = MDP.bandit({"s": {"a": "r", "b": "2/5", "c": 0}}, parameters={"r": (0, 1)})
    data = DataDistribution.from_table(mdp, {"s": {"a": "1/10", "b": "9/20", "c": "9/20"}})
    return SafetyProblem(mdp, data, "3/5")


def test_radii_of_random_problems_are_those_of_brute_force() -> None:
    """One record a problem, in order, with exact bounds that meet."""
    instances = {f"seed {seed}": random_instance(seed) for seed in range(20)}
    table = sweep({name: to_problem(instance) for name, instance in instances.items()})
    assert table.is_complete
    assert [record["problem"] for record in table.records] == list(instances)
    for record, instance in zip(table.records, instances.values(), strict=True):
        assert F(record["radius_lower"]) == F(record["radius_upper"]) == safety_radius(instance)


def test_the_grid_is_all_combinations() -> None:
    """Problems, parameters, regrets, tolerances; each answer is that of `decide`."""
    problem = parametric()
    table = sweep(
        {"x": problem, "y": problem},
        epsilon=["1/20", "1/5"],
        regret=["1/2", 1],
        parameters={"r": ["1/2", "3/4", 1]},
    )
    assert len(table) == 24
    seen = set()
    for record in table.records:
        point = {"r": record["parameters"]["r"]}
        asked = problem.at(**point)
        alone = SafetyProblem(asked.mdp, asked.data, record["regret"], record["epsilon"])
        assert record["answer"] == decide(alone).answer
        seen.add((record["problem"], point["r"], record["regret"], record["epsilon"]))
    assert len(seen) == 24


def test_a_point_without_sense_has_an_error_and_the_others_their_answers() -> None:
    """Outside of the parameter space, or with a constant reward."""
    mdp = MDP.bandit({"s": {"a": "r", "b": 0}}, parameters={"r": (0, 1)})
    problem = SafetyProblem(mdp, DataDistribution.uniform(mdp), 1)
    table = sweep(problem, parameters={"r": ["1/2", 0, 2]})
    good, constant, outside = table.records
    assert (good["answer"], good["error"], good["radius_lower"]) == ("unknown", None, "1/2")
    assert constant["answer"] is None
    assert "not constant" in constant["error"]
    assert "r" in outside["error"]
    assert not table.is_complete


def test_limits_hold_for_each_question() -> None:
    """Bounds instead of an answer, and the table says that it is not complete."""
    vertex_cover = loads_problem(problems.text("vertex-cover"))
    table = sweep({"v": vertex_cover}, node_limit=3)
    (record,) = table.records
    assert record["stopped"] == "node limit"
    assert record["question"] == "radius"
    assert F(record["radius_lower"]) < F(record["radius_upper"])
    assert not table.is_complete


def test_tables_are_written_for_spreadsheet_and_pandas(tmp_path: Path) -> None:
    """Parameters have their own columns; names that look like formulas are disarmed."""
    table = sweep({"=HYPERLINK(1)": parametric()}, parameters={"r": ["1/2", 1]})
    path = tmp_path / "table.csv"
    text = table.to_csv(path)
    assert path.read_text() == text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["r"] for row in rows] == ["1/2", "1"]
    assert rows[0]["problem"] == "'=HYPERLINK(1)"
    frame = table.to_pandas()
    assert list(frame["radius_lower"]) == [row["radius_lower"] for row in rows]
    assert list(frame.columns) == list(rows[0])
    assert "SweepTable(2 answers)" in table._repr_html_()  # type: ignore[attr-defined]
    assert sweep({"p": parametric()}, parameters={"r": [2]}).to_csv().count("\n") == 2


@pytest.mark.parametrize("name", ["problem", "answer", "regret", "epsilon", "seconds", "r"])
def test_a_parameter_keeps_its_column_beside_those_of_the_table(name: str) -> None:
    """Whatever it is called."""
    mdp = MDP.bandit({"s": {"a": name, "b": 0}}, parameters={name: (0, 2)})
    problem = SafetyProblem(mdp, DataDistribution.uniform(mdp), F(1), F(1, 3))
    table = sweep({"bandit": problem}, parameters={name: ["1/2"]})
    (row,) = table.rows()
    column = name if name == "r" else f"parameters.{name}"
    assert (row["problem"], row[column], row["regret"]) == ("bandit", "1/2", "1")
    assert (row["question"], row["radius_lower"]) == ("radius", "1/2")
    assert column in table.to_csv().splitlines()[0].split(",")


def test_without_pandas_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing else needs it."""
    honest = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "pandas":
            raise ImportError(name)
        return honest(name, *arguments, **options)

    table = sweep(parametric().at(r=1))
    monkeypatch.setattr(builtins, "__import__", without)
    assert table.to_csv()
    with pytest.raises(UnsupportedError, match="pip install"):
        table.to_pandas()


def test_certificates_are_kept(tmp_path: Path) -> None:
    """One file a question, about that question."""
    table = sweep(
        parametric(), parameters={"r": ["1/2", 1]}, certificates=tmp_path / "new" / "kept"
    )
    for record in table.records:
        certificate = Certificate.load(record["certificate"])
        asked = parametric().at(**record["parameters"])
        assert certificate.differences(asked) == []
        assert certificate.check().lower == F(record["radius_lower"])


# -- results file -------------------------------------------------------------------------------


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the problems that are really solved from now on."""
    solved: list[str] = []
    honest = module._solve

    def solve(task: Any, key: str) -> Any:
        solved.append(task.regret)
        return honest(task, key)

    monkeypatch.setattr(module, "_solve", solve)
    return solved


def test_answers_are_taken_over_from_the_results_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is computed twice; a larger grid computes only what is new; a change is new."""
    file = tmp_path / "r.jsonl"
    problem = parametric().at(r=1)
    solved = counted(monkeypatch)
    first = sweep(problem, regret=["1/2", 1], results=file)
    assert solved == ["1/2", "1"]
    again = sweep(problem, regret=["1/2", 1], results=file)
    assert (again, solved) == (first, ["1/2", "1"])
    sweep({"other name": problem}, regret=["1/2", "3/4", 1], results=file)
    assert solved == ["1/2", "1", "3/4"]
    sweep(problem, regret=[1], epsilon=["1/5"], results=file)
    sweep(parametric().at(r="3/4"), regret=[1], results=file)
    sweep(problem, regret=[1], node_limit=5, results=file)
    assert solved[3:] == ["1", "1", "1"]
    assert len(file.read_text().splitlines()) == 6


@pytest.mark.parametrize("cut", [1, 5, 200])
def test_a_line_that_a_kill_cut_off_is_computed_again(cut: int, tmp_path: Path) -> None:
    """The file is whole afterwards."""
    file = tmp_path / "r.jsonl"
    problem = parametric().at(r=1)
    first = sweep(problem, regret=["1/2", 1], results=file)
    content = file.read_text()
    file.write_text(content[:-cut])
    again = sweep(problem, regret=["1/2", 1], results=file)
    assert [r["radius_lower"] for r in again.records] == [r["radius_lower"] for r in first.records]
    lines = file.read_text().splitlines()
    assert len(lines) == 2
    assert all(json.loads(line)["key"] for line in lines)


@pytest.mark.parametrize(
    "content", ["nonsense\n", "{}\n", "[" * 5000 + "\n", '{"key": 1}\n', "no json", "\xff\n"]
)
def test_a_file_of_something_else_is_refused_and_kept(content: str, tmp_path: Path) -> None:
    """A results file is never overwritten by mistake."""
    file = tmp_path / "thesis.txt"
    file.write_text(content, encoding="latin-1")
    before = file.read_bytes()
    with pytest.raises(InputError):
        sweep(parametric().at(r=1), results=file)
    assert file.read_bytes() == before


def test_a_killed_sweep_goes_on(tmp_path: Path) -> None:
    """SIGKILL in the middle: what was answered is there, and is not computed again."""
    file, problem_file = tmp_path / "r.jsonl", tmp_path / "p.toml"
    problem_file.write_text(problems.text("chatbot"))
    levels = [str(F(k, 40)) for k in range(1, 40)]
    options = [part for level in levels for part in ("--regret", level)]
    command = [sys.executable, "-m", "symsafe", "sweep", str(problem_file), *options]
    command += ["--results", str(file)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None and (not file.exists() or file.read_text().count("\n") < 2):
        time.sleep(0.005)
    process.kill()
    process.wait()
    kept = file.read_text().rpartition("\n")[0]
    assert kept
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert file.read_text().startswith(kept)
    rows = list(csv.DictReader(io.StringIO(run.stdout)))
    assert [row["regret"] for row in rows] == levels
    radii = [F(row["radius_lower"]) for row in rows]
    assert radii == sorted(radii)
    assert radii[19] == F(1, 240)


def test_ctrl_c_keeps_what_is_answered(tmp_path: Path) -> None:
    """Exit status 130, the table so far, and no unfinished answer in the file."""
    file = tmp_path / "r.jsonl"
    code = (
        "from symsafe import cli, problems\n"
        "from pathlib import Path\n"
        f"Path({str(tmp_path / 'a.toml')!r}).write_text(problems.text('tight-bandit'))\n"
        f"Path({str(tmp_path / 'b.toml')!r}).write_text(problems.text('frozenlake-policy'))\n"
        "import sys\n"
        f"sys.argv = ['symsafe', 'sweep', {str(tmp_path / 'a.toml')!r}, "
        f"{str(tmp_path / 'b.toml')!r}, '--results', {str(file)!r}]\n"
        "cli.main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while process.poll() is None and not file.exists():
        time.sleep(0.005)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert "interrupted" in error
    assert [row["radius_lower"] for row in csv.DictReader(io.StringIO(out))] == ["3/50"]
    assert file.read_text().count("\n") == 1


# -- processes and clusters ---------------------------------------------------------------------


def asked() -> dict[str, SafetyProblem]:
    return {f"seed {seed}": to_problem(random_instance(seed)) for seed in range(12)}


def answers(table: module.SweepTable) -> list[tuple[str, str]]:
    return [(record["problem"], record["radius_lower"]) for record in table.records]


def test_processes_give_the_same_table(tmp_path: Path) -> None:
    """In the order of the grid, with every answer in the results file, and progress to the end."""
    reported: list[tuple[int, int]] = []
    table = sweep(
        asked(),
        workers=2,
        results=tmp_path / "r.jsonl",
        report=lambda done, total: reported.append((done, total)),
    )
    assert answers(table) == answers(sweep(asked()))
    assert reported[-1] == (12, 12)
    assert len(reported) == 12
    assert table == sweep(asked(), results=tmp_path / "r.jsonl")


def test_any_executor_will_do() -> None:
    """Threads here; what counts is the interface."""
    with ThreadPoolExecutor(2) as pool:
        assert answers(sweep(asked(), executor=pool)) == answers(sweep(asked()))


def test_a_dask_cluster_will_do() -> None:
    """A cluster with one process on this machine, by one argument."""
    distributed = pytest.importorskip("distributed", reason="Dask is not installed: not tested")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        table = sweep(asked(), executor=client.get_executor())
    assert answers(table) == answers(sweep(asked()))


def test_bad_grids_are_refused(tmp_path: Path) -> None:
    """Nothing to ask, floats, things that are no problem, no workers, a folder as file."""
    good = parametric().at(r=1)
    for arguments, options in [
        ({}, {}),
        ([good], {}),
        ({"x": 1}, {}),
        (good, {"epsilon": [0.1]}),
        (good, {"regret": ["x"]}),
        (parametric(), {"parameters": {"r": []}}),
        (good, {"workers": 0}),
        (good, {"workers": True}),
        (good, {"results": tmp_path}),
        (good, {"certificates": os.devnull}),
        (good, {"results": tmp_path / "no" / "folder"}),
    ]:
        with pytest.raises(InputError):
            sweep(arguments, **options)  # type: ignore[arg-type]


def test_the_command_prints_the_table(tmp_path: Path) -> None:
    """Status 0 if all is answered, 3 if something is open, 2 for what makes no sense at all."""
    file = tmp_path / "p.toml"
    file.write_text(problems.text("tight-bandit"))
    command = [sys.executable, "-m", "symsafe", "sweep", str(file)]

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *options], capture_output=True, text=True, check=False)

    found = run("--regret", "3/5", "--epsilon", "3/50", "--epsilon", "59/1000")
    assert found.returncode == 0
    rows = list(csv.DictReader(io.StringIO(found.stdout)))
    assert [row["answer"] for row in rows] == ["unsafe", "safe"]
    assert run("--regret", "2").returncode == 3
    assert run("--vary", "r").returncode == 2
    assert run("--epsilon", "x").returncode == 2
    alone = radius(loads_problem(problems.text("tight-bandit")))
    assert str(alone.lower) in run().stdout


def test_the_metric_of_a_problem_is_kept() -> None:
    """At other regrets and tolerances, errors are measured as before."""
    problem = loads_problem(problems.text("chatbot-rlhf"))
    table = sweep(problem, regret=[problem.regret], epsilon=["1/20"], node_limit=1)
    alone = decide(replace(problem, epsilon="1/20"), node_limit=1)
    assert table.records[0]["radius_upper"] == str(alone.upper)


def test_an_answer_is_kept_where_its_certificate_cannot_be_written(tmp_path: Path) -> None:
    """With the reason as its error; the sweep goes on."""
    folder = tmp_path / "c"
    folder.mkdir()
    problem = loads_problem(problems.text("tight-bandit"))
    for record in sweep(problem, certificates=folder).records:
        Path(record["certificate"]).unlink()
        Path(record["certificate"]).mkdir()
    (record,) = sweep(problem, certificates=folder).records
    assert record["radius_lower"] == "3/50"
    assert record["certificate"] is None
    assert "a writable file" in record["error"]
