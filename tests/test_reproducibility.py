"""The same question gets the same certificate, byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from instances import random_sparse, to_problem

from symsafe import load_problem, radius, save_problem

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def certified(arguments: list[str], out: Path, **environment: str) -> bytes:
    """The certificate that a process of its own writes."""
    command = [sys.executable, "-m", "symsafe", *arguments, "--certificate", str(out)]
    environment = {**os.environ, **environment}
    done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=300)
    assert done.returncode in (0, 1), done.stderr
    return out.read_bytes()


@pytest.mark.parametrize(
    "arguments",
    [
        ["radius", "vertex-cover.toml"],
        ["decide", "chatbot-penalised.toml"],
        ["decide", "chatbot-rlhf.toml"],
        ["coverage", "annotation.toml", "--samples"],
        ["decide", "annotation.toml", "--confidence", "1/2"],
        ["decide", "families/safe-family.toml"],
    ],
    ids=lambda arguments: "-".join(arguments[:2]).replace("/", "-"),
)
def test_hash_seeds_and_processes_change_nothing(arguments: list[str], tmp_path: Path) -> None:
    """Two processes that hash strings differently."""
    arguments = [arguments[0], str(EXAMPLES / arguments[1]), *arguments[2:]]
    texts = {
        certified(arguments, tmp_path / f"{seed}.json", PYTHONHASHSEED=seed) for seed in ("0", "99")
    }
    assert len(texts) == 1


def test_workers_and_the_process_of_the_caller_change_nothing(tmp_path: Path) -> None:
    """For a search large enough to be shared out."""
    problem = to_problem(random_sparse(13, 4, seed=1, regret=Fraction(1, 2)))
    path = tmp_path / "p.toml"
    save_problem(problem, path)
    certificate = radius(load_problem(path)).certificate
    assert certificate is not None
    texts = {certificate.to_json().encode()}
    for workers in ("1", "3"):
        out = tmp_path / f"{workers}.json"
        texts.add(certified(["radius", str(path), "--workers", workers], out))
    assert len(texts) == 1
