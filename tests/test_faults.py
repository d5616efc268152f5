"""What goes wrong around the package costs time or ends in bounds: nothing is lost or half-written.

Lying solvers are elsewhere, in test_lying_solvers.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest
from instances import random_sparse, to_problem
from processes import status_of_main, until_at_work

from symsafe import Certificate, checker, cli, problems, radius, save_problem
from symsafe.engine import fast
from symsafe.engine.limits import Limits
from symsafe.model import dumps_problem

COMMAND = [sys.executable, "-m", "symsafe"]


def started(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture
def chatbot(tmp_path: Path) -> Path:
    path = tmp_path / "chatbot.toml"
    path.write_text(problems.text("chatbot"))
    return path


@pytest.mark.parametrize("seed", range(3))
def test_a_kill_leaves_the_old_certificate_or_the_new_one(
    seed: int, chatbot: Path, tmp_path: Path
) -> None:
    """At a random moment of a run that takes about a second."""
    out = tmp_path / "out.json"
    out.write_text("as before")
    process = started("radius", str(chatbot), "--certificate", str(out))
    time.sleep(random.Random(seed).uniform(0.2, 1.4))
    process.kill()
    process.communicate()
    text = out.read_text()
    assert text == "as before" or checker.check_text(text).kind == "radius"


def test_a_report_is_whole_or_not_there(chatbot: Path, tmp_path: Path) -> None:
    """Killed at several moments."""
    cert, page = tmp_path / "c.json", tmp_path / "page.html"
    assert run("radius", str(chatbot), "--certificate", str(cert)).returncode in (0, 1)
    for delay in (0.4, 1.0):
        process = started("report", str(cert), "-o", str(page))
        time.sleep(delay)
        process.kill()
        process.communicate()
        assert not page.exists() or page.read_text().rstrip().endswith("</html>")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize(
    "arguments",
    [
        ["decide", "FILE", "--certificate", "/dev/full"],
        ["report", "CERT", "-o", "/dev/full"],
        ["sweep", "FILE", "-o", "/dev/full"],
    ],
)
def test_a_full_disk_is_one_clear_error(
    arguments: list[str], chatbot: Path, tmp_path: Path
) -> None:
    """Exit status 2, and the name of the file."""
    cert = tmp_path / "c.json"
    if "CERT" in arguments:
        run("decide", str(chatbot), "--certificate", str(cert))
    found = run(*({"FILE": str(chatbot), "CERT": str(cert)}.get(x, x) for x in arguments))
    assert found.returncode == 2
    assert "/dev/full" in found.stderr
    assert "Traceback" not in found.stderr
    if "decide" in arguments:  # the answer is not lost
        assert found.stdout.startswith("unsafe\n")


@pytest.mark.parametrize("failing", ["write_bytes", "replace"])
def test_where_writing_fails_the_old_file_stays(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no temporary file is left behind."""
    certificate = radius(to_problem(random_sparse(3, 2, seed=1, regret=Fraction(1, 2)))).certificate
    assert certificate is not None
    path = tmp_path / "c.json"
    path.write_text("as before")

    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path if failing == "write_bytes" else os, failing, fail)
    with pytest.raises(Exception, match="Permission denied"):
        certificate.save(path)
    assert os.listdir(tmp_path) == ["c.json"]
    assert path.read_text() == "as before"


def test_a_folder_in_the_place_of_a_file_is_one_clear_error(chatbot: Path, tmp_path: Path) -> None:
    """As is a file in the place of a folder."""
    for out in (tmp_path, chatbot / "c.json"):
        found = run("decide", str(chatbot), "--certificate", str(out))
        assert found.returncode == 2
        assert str(out)[:60] in found.stderr
        assert "Traceback" not in found.stderr


def children(pid: int) -> set[int]:
    """The processes of the session that a process leads."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == pid and fields[0] != "Z":
            found.add(int(entry.name))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
def test_ctrl_c_ends_all_processes_and_leaves_bounds(tmp_path: Path) -> None:
    """With several workers, as the terminal does it: to the whole group."""
    path, out = tmp_path / "hard.json", tmp_path / "c.json.gz"
    save_problem(to_problem(random_sparse(25, 4, seed=0, regret=Fraction(9, 10))), path)
    process = started("radius", str(path), "--workers", "2", "--json", "--certificate", str(out))
    until_at_work(process)
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    record = json.loads(output)
    found = Certificate.load(out).check()
    assert (str(found.lower), str(found.upper)) == (record["radius_lower"], record["radius_upper"])
    assert children(process.pid) == set()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM there")
@pytest.mark.parametrize(
    ("command", "options", "answer"),
    [
        ("radius", ["--json"], "radius_lower"),
        ("radius", ["--engine", "smt", "--json"], "radius_lower"),
        ("profile", ["--json"], "steps"),
        ("bounds", ["--json"], "radius_lower"),
        ("sweep", ["--workers", "2"], "radius_lower"),
    ],
    ids=lambda x: x if isinstance(x, str) else "-".join(x).replace("--", ""),
)
def test_sigterm_means_the_same_as_ctrl_c(
    command: str, options: list[str], answer: str, tmp_path: Path
) -> None:
    """Exit status 130, and what is known so far; batch systems send it before they kill."""
    path = tmp_path / "hard.json"
    asked = random_sparse(20, 4, seed=0, regret=Fraction(9, 10))
    save_problem(to_problem(asked, Fraction(1, 100)), path)
    process = started(command, str(path), *options)
    until_at_work(process)
    process.terminate()
    output, errors = process.communicate(timeout=100)
    assert process.returncode == 130, errors
    assert answer in output
    assert "Traceback" not in errors


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM there")
@pytest.mark.parametrize(
    ("command", "answer"), [("region", "undecided"), ("radius", "pieces"), ("decide", "undecided")]
)
def test_sigterm_leaves_what_is_known_of_a_family(
    command: str, answer: str, tmp_path: Path
) -> None:
    """Of a subdivision, of a radius as a function of a parameter, of all values."""
    path = tmp_path / "family.json"
    document = json.loads(
        dumps_problem(
            to_problem(random_sparse(9, 3, seed=0, regret=Fraction(1, 2)), Fraction(1, 100)),
            "json",
        )
    )
    row = next(iter(document["mdp"]["reward"].values()))
    row[next(iter(row))] = "r"
    document["parameters"] = {"r": {"min": -1, "max": 1}}
    path.write_text(json.dumps(document))
    process = started(command, str(path), "--json")
    until_at_work(process)
    process.terminate()
    output, errors = process.communicate(timeout=100)
    assert process.returncode == 130, errors
    assert answer in json.loads(output)
    assert "Traceback" not in errors


def test_an_interruption_between_two_searches_is_not_lost() -> None:
    """An inner search that was complete hands it to the outer one."""
    with Limits() as outer:
        with Limits():
            signal.raise_signal(signal.SIGINT)
        assert outer.reached() == "interrupted"


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
def test_a_sweep_whose_process_is_killed_says_so(tmp_path: Path) -> None:
    """As the system does when memory runs out: exit status 3, and no answer is invented."""
    path = tmp_path / "hard.json"
    save_problem(to_problem(random_sparse(20, 4, seed=0, regret=Fraction(9, 10))), path)
    process = started("sweep", str(path), "--workers", "2")
    until_at_work(process)
    for child in children(process.pid) - {process.pid}:
        os.kill(child, signal.SIGKILL)
    output, errors = process.communicate(timeout=100)
    assert (process.returncode, output) == (3, "")
    assert "was killed" in errors


def test_standard_output_is_no_place_for_a_certificate(chatbot: Path) -> None:
    """The answer goes there."""
    found = run("decide", str(chatbot), "--certificate", "-")
    assert found.returncode == 2
    assert "--certificate" in found.stderr


@pytest.mark.parametrize("size", [2, 4, 8])
def test_a_limit_of_memory_gives_an_error_and_no_answer(size: int, tmp_path: Path) -> None:
    """Of the address space, in hundreds of MB; from some size on the answer is the right one."""
    path = tmp_path / "p.toml"
    path.write_text(problems.text("tight-bandit"))
    limited = [
        "bash",
        "-c",
        f'ulimit -v {size}00000; exec "$@"',
        "-",
        *COMMAND,
        "radius",
        str(path),
    ]
    found = subprocess.run(limited, capture_output=True, text=True, check=False, timeout=100)
    assert found.returncode == 0 or not found.stdout
    assert found.returncode != 0 or found.stdout.startswith("3/50")


def test_short_of_memory_a_search_ends_with_certified_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When its pool should grow and the system has nothing left."""
    problem = to_problem(random_sparse(12, 4, seed=1, regret=Fraction(1, 2)))
    exact = radius(problem)
    assert exact.is_exact
    monkeypatch.setattr(fast, "_ROOM", 256)
    monkeypatch.setattr(fast, "memory_left", lambda: 0.0)
    found = radius(problem)
    assert found.statistics.stopped == "memory limit"
    assert found.certificate is not None
    assert found.upper is not None
    assert found.lower <= exact.lower <= found.upper
    assert found.lower < found.upper


def test_without_any_memory_the_command_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 3: nothing is known, which is not unsafe."""

    def fail(**_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(cli, "app", fail)
    assert status_of_main() == 3
    assert "memory" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM there")
def test_sigterm_ends_a_command_that_ctrl_c_cannot_reach(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A shell that is no terminal lets what ends in `&` ignore Ctrl-C."""

    def work(**_: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(cli, "app", work)
    assert status_of_main() == 130
    assert "interrupted" in capsys.readouterr().err


def test_ctrl_c_before_a_search_is_answered_with_a_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], chatbot: Path
) -> None:
    """While the problem is read, nothing is known."""

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "load_any", interrupt)
    monkeypatch.setattr(sys, "argv", ["symsafe", "radius", str(chatbot)])
    assert status_of_main() == 130
    assert capsys.readouterr().err == "symsafe: interrupted\n"
