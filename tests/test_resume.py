"""A search that was stopped goes on from its own certificate."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from instances import random_instance, random_sparse, to_problem
from oracle import safety_radius
from typer.testing import CliRunner

from symsafe import (
    MDP,
    BanditArrays,
    Certificate,
    DataDistribution,
    InputError,
    Regularizer,
    SafetyProblem,
    UnsupportedError,
    decide,
    radius,
    save_problem,
)
from symsafe.cli import app
from symsafe.engine import copies, fast, tree
from symsafe.engine.limits import Limits
from symsafe.engine.question import Question
from symsafe.engine.tree import Outcome


def stopped(problem: SafetyProblem, nodes: int) -> Certificate:
    verdict = radius(problem, node_limit=nodes)
    assert verdict.certificate is not None
    return verdict.certificate


@pytest.mark.parametrize("block", range(4))
def test_going_on_ends_with_the_exact_radius(block: int) -> None:
    """On random instances, from wherever the first run was stopped; bounds never get wider."""
    wide = 0
    for seed in range(25 * block, 25 * (block + 1)):
        instance = random_instance(seed)
        problem = to_problem(instance)
        first = stopped(problem, 1 + seed % 4)
        before = first.check()
        wide += before.lower != before.upper
        found = radius(problem, resume=first)
        assert found.lower == found.upper == safety_radius(instance), seed
        assert found.certificate is not None
        assert found.certificate.check().kind == "radius"
        again = radius(problem, resume=found.certificate)
        assert (again.lower, again.upper) == (found.lower, found.upper)
    assert wide > 5


def test_a_compiled_search_goes_on_as_well() -> None:
    """With more policies than the exact search takes; a decision from there is the same, too."""
    problem = to_problem(random_sparse(8, 4, seed=3, regret=Fraction(1, 2)))
    exact = radius(problem).lower
    first = stopped(problem, 40)
    before = first.check()
    assert before.lower is not None
    assert before.lower < exact
    middle = radius(problem, resume=first, node_limit=400)
    assert before.lower <= middle.lower <= exact
    assert radius(problem, resume=middle.certificate).lower == exact
    for factor, answer in ((Fraction(99, 100), "safe"), (Fraction(1), "unsafe")):
        asked = replace(problem, epsilon=exact * factor)
        assert decide(asked, resume=first).answer == answer


@pytest.mark.parametrize("find", [tree.search, fast.fast_search])
def test_below_a_leaf_there_may_be_no_bad_policy(find: Callable[..., Outcome]) -> None:
    """The search from there proves whatever is asked: problem 1,058 of the campaign."""
    mdp = MDP.bandit({"s": {"good": 2, "fair": 1, "bad": 0}, "t": {"a": 1}})
    data = DataDistribution.from_table(mdp, {"s": {"good": "1/2", "fair": "1/8", "bad": "3/8"}})
    question = Question.of(SafetyProblem(mdp, data, "1"))
    witness = find(question, Limits()).witness
    found = find(question, Limits(), start=(((0, 1), (3,)), witness))
    assert found.lower == witness.cost
    assert found.stopped is None


def test_what_is_no_certificate_of_this_radius_is_refused() -> None:
    """Another kind, another problem, another regret; a bandit or a penalty."""
    problem, other = (to_problem(random_instance(seed)) for seed in (3, 4))
    first = stopped(problem, 1)
    unsafe = decide(replace(problem, epsilon=1)).certificate
    level = Fraction(99, 100) * Fraction(str(problem.regret))
    for asked, resume in (
        (problem, unsafe),
        (other, first),
        (replace(problem, regret=level), first),
    ):
        with pytest.raises(InputError) as caught:
            radius(asked, resume=resume)
        assert caught.value.field == "resume"
    mdp = MDP.bandit({"s": {"a": 1, "b": 0}})
    penalised = SafetyProblem(
        mdp, DataDistribution.uniform(mdp), 1, None, Regularizer(mdp, "tv", Fraction(1))
    )
    with pytest.raises(UnsupportedError):
        radius(penalised, resume=first)
    large = BanditArrays(
        np.full(2000, 2), np.ones(2000, int), np.arange(4000), np.ones(4000, int), Fraction(1, 2)
    )
    with pytest.raises(UnsupportedError):
        radius(large, resume=first)


def test_command_goes_on_from_a_file(tmp_path: Path) -> None:
    """Packed or not."""
    path, cert = tmp_path / "p.toml", tmp_path / "c.json.gz"
    problem = to_problem(random_sparse(8, 4, seed=3, regret=Fraction(1, 2)))
    save_problem(problem, path)
    arguments = ["radius", str(path), "--certificate", str(cert)]
    assert CliRunner().invoke(app, [*arguments, "--node-limit", "40"]).exit_code == 3
    result = CliRunner().invoke(app, [*arguments, "--resume", str(cert)])
    assert result.exit_code == 0
    assert Certificate.load(cert).check().lower == radius(problem).lower


# -- bounds that outlive a kill -----------------------------------------------------------------

linux = pytest.mark.skipif(sys.platform != "linux", reason="copies of a process need Linux")


@linux
@pytest.mark.parametrize("workers", ["1", "2"])
def test_after_a_kill_the_search_goes_on_from_what_it_had_kept(
    workers: str, tmp_path: Path
) -> None:
    """SIGKILL as soon as bounds are there; with threads as well."""
    path, cert = tmp_path / "p.json", tmp_path / "c.json.gz"
    problem = to_problem(random_sparse(12, 4, seed=0, regret=Fraction(9, 10)))
    save_problem(problem, path)
    code = "from symsafe import cli; from symsafe.engine import copies; copies.SECONDS = 0; "
    arguments = ["radius", str(path), "--certificate", str(cert), "--workers", workers]
    command = [sys.executable, "-c", f"{code} cli.main()", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    while process.poll() is None and not cert.exists():
        time.sleep(0.002)
    process.kill()
    process.communicate()
    kept = Certificate.load(cert)
    before, exact = kept.check(), radius(problem).lower
    assert before.lower is not None
    assert before.upper is not None
    assert before.lower <= exact <= before.upper
    assert radius(problem, resume=kept).lower == exact


@linux
def test_what_is_kept_does_not_change_the_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One copy after the other: each writes true bounds, and none of them is left behind."""
    problem = to_problem(random_sparse(10, 4, seed=3, regret=Fraction(1, 2)))
    alone = radius(problem).certificate
    monkeypatch.setattr(copies, "SECONDS", 0.0)
    monkeypatch.setattr(copies, "SHARE", 0)
    cert, kept = tmp_path / "c.json", []
    made: list[int] = []
    fork = os.fork

    def counted() -> int:
        made.append(fork())
        return made[-1]

    monkeypatch.setattr(os, "fork", counted)

    def look(_: object) -> None:
        if made and made[-1] == 0:
            return  # this is the copy
        late = time.monotonic() + 60
        while len(kept) < min(2, len(made)) and not cert.exists() and time.monotonic() < late:
            time.sleep(0.01)
        if cert.exists():
            kept.append(Certificate.load(cert).check())
            cert.unlink()

    found = radius(problem, checkpoint=cert, report=look)
    assert found.certificate == alone
    assert kept
    assert all(k.lower <= found.lower <= k.upper for k in kept)  # type: ignore[operator]
    assert {entry.name for entry in tmp_path.iterdir()} <= {"c.json"}
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@linux
def test_a_copy_that_cannot_be_made_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Short of memory, and in a thread, where no copy is tried."""
    problem = to_problem(random_sparse(8, 4, seed=3, regret=Fraction(1, 2)))
    exact = radius(problem)
    tried = []

    def fail() -> int:
        tried.append(1)
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(copies, "SECONDS", 0.0)
    monkeypatch.setattr(os, "fork", fail)
    assert radius(problem, checkpoint=tmp_path / "c.json").lower == exact.lower
    assert tried
    tried.clear()
    with ThreadPoolExecutor(2) as pool:
        again = [pool.submit(radius, problem, checkpoint=tmp_path / "c.json") for _ in range(2)]
        assert all(x.result().certificate == exact.certificate for x in again)
    assert not tried


def test_where_nothing_can_be_kept_is_said_at_once(tmp_path: Path) -> None:
    """Before the search, not after it; a file that nobody may write to stays."""
    problem = to_problem(random_instance(3))
    kept = tmp_path / "kept.json"
    kept.write_text("as before")
    kept.chmod(0o444)
    for path in (tmp_path, tmp_path / "no" / "c.json", kept, kept / "c.json"):
        with pytest.raises(InputError) as caught:
            radius(problem, checkpoint=path)
        assert caught.value.field == "file"
    assert kept.read_text() == "as before"
