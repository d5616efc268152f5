"""The command line: first word, exit status, JSON, errors in one line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from instances import random_sparse, to_problem
from processes import until_at_work

from symsafe import checker, cli, problems, save_problem

COMMAND = [sys.executable, "-m", "symsafe"]


def symsafe(*arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], input=given, capture_output=True, text=True, check=False
    )


@pytest.fixture
def tight(tmp_path: Path) -> str:
    """The tight bandit: radius 3/50, epsilon 3/50."""
    path = tmp_path / "tight.toml"
    path.write_text(problems.text("tight-bandit"))
    return str(path)


@pytest.mark.parametrize(
    ("name", "word", "status"), [("tight-bandit", "unsafe", 1), ("tight-bandit-safe", "safe", 0)]
)
@pytest.mark.parametrize("engine", ["auto", "tree"])
def test_decide_says_the_verdict_first(name: str, word: str, status: int, engine: str) -> None:
    """The verdict is the first word, the exit status agrees, diagnostics are elsewhere."""
    result = symsafe("decide", "-", "--engine", engine, given=problems.text(name))
    assert result.stdout.split()[0] == word
    assert result.returncode == status
    assert "checking" in result.stderr


@pytest.mark.parametrize(
    ("name", "word", "status"), [("tight-bandit", "unsafe", 1), ("tight-bandit-safe", "safe", 3)]
)
def test_a_safe_answer_on_z3s_word_never_exits_0(name: str, word: str, status: int) -> None:
    """The smt engine certifies unsafe; its safe is labelled and exits 3."""
    result = symsafe("decide", "-", "--engine", "smt", "--json", given=problems.text(name))
    record = json.loads(result.stdout)
    assert record["verdict"] == word
    assert record["rests_on"] == ("certificate" if status == 1 else "solver")
    assert result.returncode == status


def test_json_has_exact_numbers_and_the_certificate(tight: str, tmp_path: Path) -> None:
    """--json prints one object with fraction strings; the certificate is written and valid."""
    out = tmp_path / "cert.json"
    result = symsafe("radius", tight, "--json", "--certificate", str(out))
    assert result.returncode == 0
    record = json.loads(result.stdout)
    assert record["verdict"] == "unsafe"
    assert record["epsilon"] == record["radius_lower"] == record["radius_upper"] == "3/50"
    assert record["certificate"] == str(out)
    assert record["seconds"] >= 0
    assert checker.check_file(str(out)).kind == "radius"
    alone = subprocess.run(
        [sys.executable, "-I", "-S", checker.__file__, str(out)], capture_output=True, check=False
    )
    assert alone.returncode == 0


def test_check_binds_a_certificate_to_the_problem_meant(tight: str, tmp_path: Path) -> None:
    """--against accepts the very problem, and refuses another or another tolerance."""
    out, other = tmp_path / "cert.json", tmp_path / "other.toml"
    symsafe("decide", tight, "--certificate", str(out))
    result = symsafe("check", str(out), "--against", tight)
    assert (result.returncode, result.stdout.split()[0]) == (0, "valid")
    other.write_text(problems.text("chatbot"))
    result = symsafe("check", str(out), "--against", str(other))
    assert (result.returncode, result.stdout.split()[0]) == (1, "invalid")
    assert "reward" in result.stderr
    other.write_text(problems.text("tight-bandit-safe"))
    result = symsafe("check", str(out), "--against", str(other), "--json")
    assert result.returncode == 1
    assert "epsilon" in json.loads(result.stdout)["reason"]


def test_a_corrupted_certificate_is_invalid_and_a_broken_file_is_bad_input(
    tight: str, tmp_path: Path
) -> None:
    """A rule that is broken exits 1; what is no certificate at all exits 2."""
    out = tmp_path / "cert.json"
    symsafe("decide", tight, "--certificate", str(out))
    document = json.loads(out.read_text())
    document["claim"]["epsilon"] = "1/100"
    out.write_text(json.dumps(document))
    result = symsafe("check", str(out))
    assert (result.returncode, result.stdout.split()[0]) == (1, "invalid")
    assert "witness.1" in result.stderr
    out.write_text("{")
    assert symsafe("check", str(out)).returncode == 2
    assert symsafe("check", str(tmp_path / "missing.json")).returncode == 2


def test_bounds_and_matrix_print_the_known_values(tight: str) -> None:
    """For the tight bandit all lower bounds equal the radius, and M has three unit-like rows."""
    record = json.loads(symsafe("bounds", tight, "--json").stdout)
    assert record["sharp"] == record["b0"] == record["b1"] == record["b2"] == "3/50"
    assert record["radius_lower"] == record["radius_upper"] == "3/50"
    rows = json.loads(symsafe("matrix", tight, "--json").stdout)["rows"]
    assert sorted(rows) == [["0", "0", "1"], ["0", "3/5", "0"], ["3/5", "0", "0"]]


def test_example_lists_and_prints() -> None:
    """Without a name, a list; with one, a problem file; an unknown one is bad input."""
    assert "chatbot" in symsafe("example").stdout
    assert symsafe("example", "chatbot").stdout == problems.text("chatbot")
    assert symsafe("example", "chatbox").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("decide", "missing.toml"), "missing.toml"),
        (("decide", "-", "--time-limit", "0"), "time_limit"),
        (("decide", "-", "--at", "r"), "--at"),
        (("decide", "-", "--at", "r=1"), "r"),
        (("radius", "-", "--certificate", "no/such/folder/out.json"), "out.json"),
    ],
)
def test_bad_input_is_one_line_and_exits_2(arguments: tuple[str, ...], named: str) -> None:
    """No traceback: one line on standard error that names the place."""
    result = symsafe(*arguments, given=problems.text("tight-bandit"))
    assert result.returncode == 2
    assert named in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


def test_prove_checks_the_proofs_and_lists_their_axioms() -> None:
    """One script by name; an unknown name is bad input."""
    result = symsafe("prove", "occupancy")
    assert result.returncode == 0
    assert result.stdout.startswith("proven")
    assert "rests on sign" in result.stdout
    assert "did you mean occupancy?" in symsafe("prove", "ocupancy").stderr


def test_a_crash_never_looks_like_a_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unexpected error exits 3, not 1, which would mean unsafe."""

    def crash(**_options: object) -> None:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(cli, "app", crash)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 3
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_an_unknown_option_exits_2() -> None:
    """Bad usage exits 2 as well."""
    assert symsafe("decide", "-", "--loose").returncode == 2


def test_parameters_get_values_on_the_command_line() -> None:
    """--at substitutes; without it the error says what is missing."""
    text = problems.text("tight-bandit") + "\n[parameters]\np = { min = 0, max = 1 }\n"
    text = text.replace('"3/50"', '"p"')
    assert symsafe("decide", "-", given=text).returncode == 2
    assert symsafe("decide", "-", "--at", "p=3/50", given=text).returncode == 1
    assert symsafe("decide", "-", "--at", "p=1/20", given=text).returncode == 0


@pytest.fixture
def hard(tmp_path: Path) -> Path:
    """A problem that takes minutes."""
    path = tmp_path / "hard.json"
    save_problem(to_problem(random_sparse(25, 4, seed=0, regret=Fraction(9, 10))), path)
    return path


def test_a_time_limit_exits_3_with_proven_bounds(hard: Path, tmp_path: Path) -> None:
    """The bounds printed are those of a certificate that checks."""
    out = tmp_path / "bounds.json"
    result = symsafe("radius", str(hard), "--time-limit", "2", "--json", "--certificate", str(out))
    assert result.returncode == 3
    record = json.loads(result.stdout)
    assert record["stopped"] == "time limit"
    found = checker.check_file(str(out))
    assert str(found.lower) == record["radius_lower"]
    assert str(found.upper) == record["radius_upper"]


def test_ctrl_c_leaves_bounds_and_exits_130(hard: Path) -> None:
    """An interrupted search prints what is proven so far."""
    process = subprocess.Popen(
        [*COMMAND, "radius", str(hard), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until_at_work(process)
    os.kill(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    record = json.loads(output)
    assert Fraction(record["radius_lower"]) < Fraction(record["radius_upper"])
