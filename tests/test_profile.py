"""The radius as a function of L, against brute force at every regret and between."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from instances import random_instance, replace_regret, to_problem
from oracle import Instance, policy_return, safety_radius

from symsafe import (
    Certificate,
    CertificateRejected,
    InputError,
    UnsupportedError,
    loads_problem,
    problems,
    radius,
)
from symsafe.engine.question import Question
from symsafe.profile import ProfileStep, RadiusProfile, radius_profile, regret_gap

F = Fraction


def regrets(instance: Instance) -> list[Fraction]:
    """The regrets of all deterministic policies, in order."""
    returns = [policy_return(instance, policy) for policy in instance.policies()]
    best, worst = max(returns), min(returns)
    return sorted({(best - x) / (best - worst) for x in returns})


SMALL = [seed for seed in range(40) if len(regrets(random_instance(seed))) <= 12]


@pytest.mark.parametrize("seed", SMALL)
def test_the_curve_is_the_radius_everywhere(seed: int) -> None:
    """At each regret, and in the middle between two, by enumeration of bad policies."""
    instance = random_instance(seed)
    profile = radius_profile(to_problem(instance))
    assert profile.stopped is None
    assert profile.steps[-1].upto == 1
    found = regrets(instance)
    for below, g in pairwise(found):
        expected = safety_radius(replace_regret(instance, g))
        assert profile.at(g) == profile.at((below + g) / 2) == expected
    ends = [step.upto for step in profile.steps]
    assert set(ends) <= set(found)
    assert [step.radius for step in profile.steps] == sorted({profile.at(g) for g in found[1:]})


def test_the_gap_is_no_more_than_the_distance_of_regrets() -> None:
    """By enumeration; also with loops, for which the determinant bound is nearly attained."""
    for seed in range(200):
        instance = random_instance(seed)
        gap = regret_gap(Question.of(to_problem(instance)))
        assert 0 < gap <= min(b - a for a, b in pairwise(regrets(instance)))


def test_every_step_is_certified_at_both_ends() -> None:
    """The certificates say what the step says; the last regret below a step is not in it."""
    profile = radius_profile(loads_problem(problems.text("chatbot")))
    assert len(profile.steps) > 3
    for step in profile.steps:
        lower, upper = step.lower.check(), step.upper.check()
        assert lower.lower == step.radius == upper.upper
        assert step.above < lower.regret <= step.above + profile.gap
        assert upper.regret == step.upto
    assert profile.at("1/2") == F(1, 240)


def corrupted(profile: RadiusProfile, number: int, **changes: object) -> RadiusProfile:
    step = profile.steps[number]
    fields = {name: getattr(step, name) for name in ProfileStep.__slots__}
    changed = ProfileStep(**{**fields, **changes})
    steps = (*profile.steps[:number], changed, *profile.steps[number + 1 :])
    return RadiusProfile(profile.problem, profile.gap, steps, None)


def test_corrupted_profiles_are_rejected() -> None:
    """Another radius, another end, a gap in between, exchanged or foreign certificates."""
    profile = radius_profile(loads_problem(problems.text("vertex-cover")))
    first, second = profile.steps[:2]
    foreign = radius(loads_problem(problems.text("chatbot"))).certificate
    assert isinstance(foreign, Certificate)
    for number, changes in [
        (0, {"radius": first.radius * F(99, 100)}),
        (0, {"radius": first.radius * F(101, 100)}),
        (0, {"upto": second.upto}),
        (1, {"above": F(0)}),
        (1, {"above": (first.upto + second.upto) / 2}),
        (1, {"lower": second.upper}),
        (1, {"upper": second.lower}),
        (1, {"lower": first.lower}),
        (0, {"lower": foreign}),
    ]:
        with pytest.raises(CertificateRejected) as caught:
            corrupted(profile, number, **changes).check()
        assert caught.value.rule == "profile"
    missing = RadiusProfile(profile.problem, profile.gap, profile.steps[1:], None)
    with pytest.raises(CertificateRejected):
        missing.check()


def test_limits_leave_a_proven_part() -> None:
    """After some steps the curve ends; what is there is the beginning of the whole."""
    problem = loads_problem(problems.text("chatbot"))
    whole = radius_profile(problem)
    part = radius_profile(problem, max_steps=2)
    assert part.stopped == "step limit"
    assert repr(part.steps) == repr(whole.steps[:2])
    none = radius_profile(problem, time_limit=1e-9)
    assert (none.stopped, none.steps) == ("time limit", ())
    with pytest.raises(InputError):
        none.at("1/2")


def test_what_has_no_profile_is_refused() -> None:
    """Regularised problems, limits that are none, and L outside of (0, 1]."""
    with pytest.raises(UnsupportedError):
        radius_profile(loads_problem(problems.text("chatbot-penalised")))
    problem = loads_problem(problems.text("tight-bandit"))
    for limits in ({"time_limit": 0}, {"max_steps": 0}):
        with pytest.raises(InputError):
            radius_profile(problem, **limits)  # type: ignore[arg-type]
    profile = radius_profile(problem)
    for regret in (0, "11/10", -1):
        with pytest.raises(InputError):
            profile.at(regret)


def test_the_command_prints_the_curve(tmp_path: Path) -> None:
    """One line a step; status 3 if a limit ended it."""
    file = tmp_path / "p.toml"
    file.write_text(problems.text("tight-bandit"))
    command = [sys.executable, "-m", "symsafe", "profile", str(file)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.stdout == "0 < L <= 3/5: radius 3/50\n3/5 < L <= 1: radius 6/25\n"
    assert run.returncode == 0
    folder = tmp_path / "kept"
    kept = [*command, "--json", "--certificates", str(folder)]
    run = subprocess.run(kept, capture_output=True, text=True, check=False)
    assert sorted(path.name for path in folder.iterdir()) == [
        f"step-{number}-{end}.json" for number in (1, 2) for end in ("lower", "upper")
    ]
    assert Certificate.load(folder / "step-2-lower.json").check().lower == F(6, 25)
    assert json.loads(run.stdout)["steps"][0] == ["0", "3/5", "3/50"]
    run = subprocess.run(
        [*command, "--time-limit", "1e-9"], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout) == (3, "")
