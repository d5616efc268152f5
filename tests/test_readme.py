"""README is executed: its Python, its commands with their printed output, its problem file."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from symsafe import loads_problem

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    scripts = sysconfig.get_path("scripts")
    environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_python_example_prints_what_readme_says(tmp_path: Path) -> None:
    """The first block of Python, run alone, prints the block of text after it."""
    languages = [language for language, _ in BLOCKS]
    at = languages.index("python")
    assert languages[at + 1] == "text"
    result = run([sys.executable, "-c", BLOCKS[at][1]], tmp_path)
    assert result.stdout == BLOCKS[at + 1][1], result.stderr


def console_sessions() -> list[str]:
    return [text for language, text in BLOCKS if language == "console"]


@pytest.mark.parametrize("session", console_sessions())
def test_the_commands_print_what_readme_says(session: str, tmp_path: Path) -> None:
    """Each command of a console block, in order in one folder, prints exactly what follows it."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    steps = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", session, re.MULTILINE)
    assert steps
    for command, expected in steps:
        result = run(shlex.split(command), tmp_path)
        assert result.stdout == expected, f"{command}\n{result.stdout}\n{result.stderr}"


def test_the_problem_file_loads() -> None:
    """The problem file shown is a valid one."""
    (text,) = (text for language, text in BLOCKS if language == "toml")
    assert loads_problem(text).mdp.states == ("s0", "s1")


def test_the_files_named_exist() -> None:
    """Files that README links to or runs are in the repository."""
    for name in re.findall(
        r"\]\((?!https?:)([^)#]+)\)|python ((?:benchmarks|examples)/\S+\.py)", README
    ):
        assert (ROOT / (name[0] or name[1])).exists(), name
