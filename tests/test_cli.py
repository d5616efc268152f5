"""The command line: first word, exit status, JSON, errors in one line."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import cast

import pytest
from instances import random_sparse, to_problem
from processes import status_of_main, until_at_work
from typer.testing import CliRunner

from symsafe import InputError, UnsupportedError, checker, cli, problems, save_problem
from symsafe.display.streams import Stream

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
    assert status_of_main() == 3
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


def in_shell(line: str, folder: Path, **environment: str) -> tuple[int, str, str]:
    """Run a line of bash in which $symsafe is the command."""
    run = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env={**os.environ, **environment, "symsafe": " ".join(COMMAND)},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stdout, run.stderr


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("$symsafe decide safe.toml > /dev/full", 2, "standard output: No space left"),
        ("$symsafe decide safe.toml 2> /dev/full", 0, ""),
        ("$symsafe decide missing.toml 2> /dev/full", 2, ""),
        ("($symsafe decide safe.toml; echo $? >&2) | true", 0, "2\n"),
        ("$symsafe decide - <&-", 2, "file: found -"),
        ("$symsafe check - <&-", 2, "certificate: found -"),
    ],
)
def test_streams_that_fail_never_look_like_a_verdict(
    line: str, status: int, said: str, tmp_path: Path
) -> None:
    """1 would be unsafe: an answer that cannot be printed is 2, notes that cannot are dropped."""
    (tmp_path / "safe.toml").write_text(problems.text("tight-bandit-safe"))
    code, _, notes = in_shell(line, tmp_path)
    assert (code, said in notes) == (status, True), notes


def test_a_problem_may_come_through_a_pipe(tmp_path: Path) -> None:
    """It is read once: also where its beginning, here a penalty, is long gone at the end."""
    text = "# " + "x" * 70_000 + "\n" + problems.text("chatbot-penalised")
    (tmp_path / "long.toml").write_text(text)
    code, answer, _ = in_shell("$symsafe decide long.toml", tmp_path)
    assert in_shell("cat long.toml | $symsafe decide /dev/stdin", tmp_path)[:2] == (code, answer)
    assert in_shell("$symsafe decide <(cat long.toml)", tmp_path)[:2] == (code, answer)


def test_names_are_shown_in_any_encoding(tmp_path: Path) -> None:
    """Escaped on a screen that lacks their letters, and as UTF-8 where a file is written."""
    text = problems.text("tight-bandit").replace('"s"', '"\u65e5"')
    text = text.replace("\ns = {", '\n"\u65e5" = {').replace("{ s =", '{ "\u65e5" =')
    (tmp_path / "day.toml").write_text(text, encoding="utf-8")
    shown = in_shell("$symsafe coverage day.toml", tmp_path, PYTHONIOENCODING="ascii")
    assert shown[0] == 0
    assert "safest \\u65e5: best" in shown[1]
    line = "cp day.toml $'caf\\xe9.toml'; $symsafe sweep $'caf\\xe9.toml'"
    code, table, _ = in_shell(line, tmp_path)
    assert (code, "caf\\udce9.toml,radius,3/5" in table) == (0, True)


def test_what_a_file_says_cannot_steer_a_terminal(tmp_path: Path) -> None:
    """Control characters are escaped, and an error stays one line."""
    text = '[bandit]\nreward = "\\u001b]0;x\\u0007\\nsafe"\n[data]\n[safety]'
    (tmp_path / "p.toml").write_text(text)
    code, _, notes = in_shell("$symsafe decide p.toml", tmp_path)
    assert code == 2
    assert notes.count("\n") == 1
    assert notes.removesuffix("\n").isprintable()


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("decide tight.toml --certificate tight.toml", "--certificate"),
        ("export tight.toml --to smtlib -o ./tight.toml", "--output"),
        ("report tight.toml -o tight.toml", "--output"),
        ("import npz:tight.toml -o tight.toml", "--output"),
        ("sweep tight.toml -o tight.toml", "--output"),
        ("sweep tight.toml --results r.jsonl -o r.jsonl", "--output"),
        ("sweep tight.toml -o .", "file"),
        ("sweep tight.toml --results /dev/full", "results"),
        ("decide tight.toml --at r=1 --at r=2", "--at"),
        ("matrix tight.toml --csv --json", "--json"),
        ("coverage tight.toml --margin 1/2", "--margin"),
        ("check c.json --at r=1", "--at"),
        ("check c.json --confidence 1/2", "--confidence"),
        ("check c.json --against arrays.json --confidence 1/2", "--confidence"),
        ("decide arrays.json --at r=1", "--at"),
    ],
)
def test_options_that_contradict_are_refused_before_the_work(
    line: str, option: str, tight: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No option is ignored, and no input is written over."""
    lists = {"actions": 2, "initial": [1], "reward": [1, 0], "data": [1, 1], "regret": 1}
    (tmp_path / "arrays.json").write_text(json.dumps({"format": "arrays", **lists}))
    before = Path(tight).read_text()
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli.app, line.split())
    assert isinstance(result.exception, InputError)
    assert (result.exception.field, result.output) == (option, "")
    assert Path(tight).read_text() == before


def test_coverage_is_not_answered_for_another_problem(tmp_path: Path) -> None:
    """A penalty is refused, as its critical epsilon is another."""
    (tmp_path / "p.toml").write_text(problems.text("chatbot-penalised"))
    result = CliRunner().invoke(cli.app, ["coverage", str(tmp_path / "p.toml")])
    assert isinstance(result.exception, UnsupportedError)
    assert result.output == ""


def test_what_cannot_be_written_is_dropped_and_told() -> None:
    """At once where lines are written out, else at the end."""
    for waits in (True, False):
        with open("/dev/full", "w", encoding="ascii", buffering=1) as full:
            stream = Stream.of(full)
            stream.reconfigure(line_buffering=not waits)
            assert stream.write("\u65e5\n") == 2
            assert (stream.failure is None) == waits
            stream.flush()
            assert stream.failure is not None
            assert stream.failure.errno == errno.ENOSPC
            stream.write("goes nowhere\n")
            stream.flush()
            stream.detach()
    nowhere = Stream.of(None)
    print("to nobody", file=nowhere, flush=True)
    nowhere.close()
    assert nowhere.failure is None


@pytest.mark.parametrize(("code", "told"), [(errno.ENOSPC, True), (errno.EPIPE, False)])
def test_an_answer_that_was_not_printed_has_no_verdict(
    code: int, told: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A reader that has closed the pipe has read enough, and is told nothing."""

    def answer(standalone_mode: bool) -> None:
        assert standalone_mode
        cast(Stream, sys.stdout).failure = OSError(code, os.strerror(code))
        raise SystemExit(1)

    monkeypatch.setattr(cli, "app", answer)
    assert status_of_main() == 2
    assert ("symsafe: standard output" in capsys.readouterr().err) == told


def test_a_table_that_cannot_be_written_is_printed(
    tight: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As its answers took long."""
    write = cli.write_atomically

    def full(path: str, _: str) -> None:
        raise InputError("file", path, "a writable file (No space left on device)")

    monkeypatch.setattr(cli, "write_atomically", full)
    result = CliRunner().invoke(cli.app, ["sweep", tight, "-o", str(tmp_path / "t.csv")])
    assert isinstance(result.exception, InputError)
    assert "radius,3/5,3/50,unsafe" in result.stdout
    monkeypatch.setattr(cli, "write_atomically", write)
    result = CliRunner().invoke(cli.app, ["sweep", tight, "-o", str(tmp_path / "t.csv")])
    assert (result.exit_code, result.stdout) == (0, "")


def test_a_claim_about_a_set_is_bound_to_the_set_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The coverage of the file, all distributions, or those compatible with its counts."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.toml").write_text(problems.text("annotation"))
    (tmp_path / "wide.toml").write_text(problems.text("annotation").partition("[coverage]")[0])
    for line, status in (
        ("coverage a.toml --certificate c.json", 0),
        ("check c.json --against a.toml", 0),
        ("check c.json --against wide.toml", 1),
        ("check c.json --against a.toml --confidence 1/2", 1),
        ("coverage a.toml --samples --certificate n.json", 0),
        ("check n.json --against a.toml", 0),
        ("decide a.toml --confidence 1/2 --certificate d.json", 1),
        ("check d.json --against a.toml --confidence 1/2", 0),
        ("check d.json --against a.toml --confidence 1/3", 1),
        ("check d.json --against a.toml", 1),
    ):
        assert CliRunner().invoke(cli.app, line.split()).exit_code == status, line
    more = (tmp_path / "a.toml").read_text().replace("refuse = 2100", "refuse = 2101", 1)
    (tmp_path / "more.toml").write_text(more)
    result = CliRunner().invoke(cli.app, ["check", "n.json", "--against", "more.toml"])
    assert result.exit_code == 1
    assert "counts" in result.stderr


EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.parametrize(
    ("line", "status", "first"),
    [
        ("decide tight-bandit.toml", 1, "unsafe"),
        ("decide tight-bandit-safe.toml", 0, "safe"),
        ("decide families/safe-family.toml", 0, "safe"),
        ("decide annotation.toml --confidence 1/2", 1, "unsafe"),
        ("radius chatbot.toml", 0, "1/240"),
        ("profile chatbot.toml", 0, "0"),
        ("bounds tight-bandit.toml", 0, "paper"),
        ("matrix tight-bandit.toml", 0, "s.best"),
        ("theorem proposition-3.3 chatbot.toml", 1, None),
        ("coverage annotation.toml --repair --samples", 0, None),
        ("region families/rare-style.toml", 0, "safe"),
        ("radius families/rare-style.toml", 0, None),
    ],
)
def test_text_and_json_say_the_same(
    line: str, status: int, first: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same exit status, and one JSON object."""
    monkeypatch.chdir(EXAMPLES)
    plain = CliRunner().invoke(cli.app, line.split())
    assert plain.exit_code == status
    assert first is None or plain.stdout.split()[0] == first
    record = CliRunner().invoke(cli.app, [*line.split(), "--json"])
    assert record.exit_code == status
    assert isinstance(json.loads(record.stdout), dict)


@pytest.mark.parametrize(
    ("line", "begins"),
    [
        ("example", "annotation"),
        ("theorem --list", "theorem-3.1"),
        ("matrix tight-bandit.toml --csv", "s.best,"),
        ("matrix tight-bandit.toml --latex", "\\begin"),
        ("export tight-bandit.toml --to smtlib", "(set-logic"),
        ("prove occupancy", "proven"),
        ("import gymnasium:FrozenLake-v1", "# Imported"),
    ],
)
def test_texts_go_to_standard_output(
    line: str, begins: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no file is named."""
    monkeypatch.chdir(EXAMPLES)
    result = CliRunner().invoke(cli.app, line.split())
    assert result.exit_code == 0
    assert result.stdout.startswith(begins)
