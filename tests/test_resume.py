"""A search that was stopped goes on from its own certificate."""

from __future__ import annotations

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
