"""README and docs are executed: Python, commands with their printed output, problem files."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from itertools import pairwise
from pathlib import Path

import pytest

from symsafe import loads_problem

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# What a reader is told to type, and what the page says that it prints.
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
MARK = "-- next block --"


def blocks(page: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    scripts = sysconfig.get_path("scripts")
    environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_prints_what_it_says(page: Path, tmp_path: Path) -> None:
    """Its Python blocks in one session, then its commands, in one folder with the examples."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    found = blocks(page)
    codes = [text for language, text in found if language == "python"]
    expected = [
        following[1] if following[0] == "text" else ""
        for (language, _), following in pairwise([*found, ("", "")])
        if language == "python"
    ]
    result = run([sys.executable, "-c", f"print({MARK!r})\n".join(codes)], tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{MARK}\n".join(expected)
    for session in (text for language, text in found if language == "console"):
        steps = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", session, re.MULTILINE)
        assert steps
        for command, printed in steps:
            result = run(shlex.split(command), tmp_path)
            assert result.stdout == printed, f"{command}\n{result.stdout}\n{result.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_shows_valid_problem_files(page: Path) -> None:
    """Each block of TOML is a problem file."""
    for language, text in blocks(page):
        if language == "toml":
            assert loads_problem(text).mdp.states


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_files_named_exist(page: Path) -> None:
    """Files that a page links to or runs are in the repository."""
    text = page.read_text(encoding="utf-8")
    for link, script in re.findall(
        r"\]\((?!https?:)([^)#]+)\)|python ((?:benchmarks|examples)/\S+\.py)", text
    ):
        assert (page.parent / link if link else ROOT / script).exists(), link or script


def test_the_documentation_builds_without_warnings(tmp_path: Path) -> None:
    """Every docstring that the reference shows is well formed, every link leads somewhere."""
    command = [sys.executable, "-m", "sphinx", "-W", "-q", str(ROOT / "docs"), str(tmp_path)]
    result = run(command, ROOT)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "api.html").exists()
