"""The tree engine against brute force: exact radius, verdicts at and around it, limits."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from instances import random_instance, random_sparse, to_problem
from oracle import safety_radius

import symsafe.engine.leaves as leaves_module
import symsafe.engine.relaxation as relaxation_module
from symsafe import (
    MDP,
    CertificateRejected,
    DataDistribution,
    EngineError,
    InputError,
    SafetyProblem,
    decide,
    radius,
)
from symsafe.analysis.linear_program import LinearOptimum
from symsafe.certificate import radius_certificate
from symsafe.engine import tree
from symsafe.engine.limits import Limits
from symsafe.engine.question import Question
from symsafe.engine.relaxation import Guess

CHUNK = 50
CHUNKS = range(20)


@pytest.mark.parametrize("chunk", CHUNKS)
def test_radius_equals_brute_force_and_its_certificate_is_accepted(chunk: int) -> None:
    """The exact radius agrees with enumeration on 1,000 random instances with awkward features."""
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        instance = random_instance(seed)
        verdict = radius(to_problem(instance))
        assert (verdict.lower, verdict.upper) == (safety_radius(instance),) * 2, seed
        assert verdict.certificate is not None
        assert verdict.certificate.check().kind == "radius"


@pytest.mark.parametrize("chunk", range(4))
def test_decide_is_unsafe_exactly_from_the_radius_on(chunk: int) -> None:
    """Error exactly equal to the radius is unsafe; anything below it is safe, and certified so."""
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        instance = random_instance(seed)
        exact_radius = safety_radius(instance)
        if exact_radius == 0:
            tolerances = [(Fraction(1, 10**9), "unsafe")]
        else:
            tolerances = [
                (exact_radius, "unsafe"),
                (exact_radius + Fraction(1, 10**9), "unsafe"),
                (exact_radius * (1 - Fraction(1, 10**12)), "safe"),
                (exact_radius / 2, "safe"),
            ]
        for epsilon, expected in tolerances:
            verdict = decide(to_problem(instance, epsilon))
            assert verdict.answer == expected, (seed, epsilon)
            assert verdict.rests_on == "certificate"
            assert verdict.certificate is not None
            assert verdict.certificate.kind == expected


@pytest.mark.parametrize("discount", ["0", "9/10", str(1 - Fraction(1, 10**400))])
@pytest.mark.parametrize("shift", [0, 10**400, -(10**400)])
@pytest.mark.parametrize("scale", [Fraction(1, 10**400), Fraction(1), Fraction(10**400)])
def test_magnitudes_beyond_floats_change_nothing(
    discount: str, shift: int, scale: Fraction
) -> None:
    """Rewards and discounts that no float holds ended in a crash once; regret is scale-free."""

    def problem(shift: int, scale: Fraction) -> SafetyProblem:
        step = {"mix": {"s": "1/2", "t": "1/2"}, "home": {"s": 1}}
        mdp = MDP.from_tables(
            transitions={"s": step, "t": step},
            reward={
                "s": {"mix": shift + scale, "home": shift},
                "t": {"mix": shift - 2 * scale, "home": shift + scale / 3},
            },
            initial={"s": "1/3", "t": "2/3"},
            discount=discount,
        )
        return SafetyProblem(mdp, DataDistribution.uniform(mdp), "1/2")

    verdict = radius(problem(shift, scale))
    assert verdict.is_exact
    assert verdict.lower == radius(problem(0, Fraction(1))).lower


KNOWN = {
    "V1": (
        MDP.bandit({"s": {"a": 1, "b": "2/5", "c": 0}}),
        ("1/10", "9/20", "9/20"),
        "3/5",
        "3/50",
    ),
    "V6": (
        MDP.bandit(
            {s: {"a": 1, "b": 0} for s in ("x", "y", "z")},
            {"x": "1/6", "y": "1/3", "z": "1/2"},
        ),
        ("1/12", "1/12", "1/6", "1/6", "1/4", "1/4"),
        "1/2",
        "1/4",
    ),
    "V8": (MDP.bandit({"s": {"a": 1, "b": 0, "c": 0, "d": 0, "e": 0}}), ("1/5",) * 5, 1, "1/5"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_radii(name: str) -> None:
    """Test vectors with known exact radii are reproduced."""
    mdp, weights, regret, expected = KNOWN[name]
    data = DataDistribution(mdp, tuple(Fraction(w) for w in weights))
    assert radius(SafetyProblem(mdp, data, regret)).lower == Fraction(expected)


def small_problem(**changes: object) -> SafetyProblem:
    mdp = MDP.bandit({"s": {"a": 1, "b": "2/5", "c": 0}})
    data = DataDistribution.from_table(mdp, {"s": {"a": "1/10", "b": "9/20", "c": "9/20"}})
    return replace(SafetyProblem(mdp, data, regret=Fraction(3, 5)), **changes)


def test_no_regret_asked_is_unsafe_with_the_true_reward() -> None:
    """With L = 0 the true reward itself is the counterexample, at any tolerance."""
    verdict = decide(small_problem(regret=Fraction(0), epsilon=Fraction(1, 10**6)))
    assert verdict.answer == "unsafe"
    assert verdict.upper == 0
    assert verdict.certificate is not None
    inside = verdict.certificate.document
    assert inside["evidence"]["witness"]["reward"] == inside["problem"]["reward"]


def test_regret_exactly_the_threshold_is_bad() -> None:
    """Action b has regret exactly 3/5; asking for slightly more changes the radius."""
    assert radius(small_problem()).lower == Fraction(3, 50)
    assert radius(small_problem(regret=Fraction(3, 5) + Fraction(1, 10**9))).lower > Fraction(3, 50)


def test_decide_needs_a_tolerance() -> None:
    """Without an epsilon there is nothing to decide, and the error says so."""
    with pytest.raises(InputError) as caught:
        decide(small_problem())
    assert caught.value.field == "epsilon"


def test_unknown_engine_is_refused() -> None:
    """The name of the engine is checked."""
    with pytest.raises(InputError) as caught:
        radius(small_problem(), engine="magic")  # type: ignore[arg-type]
    assert caught.value.field == "engine"


def test_constant_return_is_refused() -> None:
    """If all policies have the same return, regret is undefined."""
    mdp = MDP.bandit({"s": {"a": 1, "b": 1}, "t": {"a": 0}}, {"s": "1/2", "t": "1/2"})
    with pytest.raises(InputError):
        radius(SafetyProblem(mdp, DataDistribution.uniform(mdp), "1/2"))


@pytest.mark.parametrize("nodes", [1, 8, 40])
def test_a_node_limit_leaves_certified_bounds(nodes: int) -> None:
    """A stopped search answers unknown, with a certificate for bounds that enclose the radius."""
    problem = to_problem(random_sparse(8, 3, seed=1, regret=Fraction(1, 2)))
    exact_radius = radius(problem).lower
    verdict = radius(problem, node_limit=nodes)
    assert verdict.statistics.stopped == "node limit"
    assert verdict.lower <= exact_radius <= verdict.upper
    assert verdict.lower < verdict.upper
    assert verdict.certificate is not None
    claim = verdict.certificate.document["claim"]
    assert (claim["lower"], claim["upper"]) == (str(verdict.lower), str(verdict.upper))


class After(Limits):
    """Reached when it was asked so often."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    def overdue(self) -> bool:
        self.looks -= 1
        return self.looks < 0

    def reached(self, nodes: int = 0, reserve: float = 0.0) -> str | None:  # noqa: ARG002
        return "time limit" if self.overdue() else None


def test_a_search_can_stop_between_the_actions_of_a_state() -> None:
    """Whenever it does, its bounds are certified."""
    question = Question.of(to_problem(random_sparse(3, 12, seed=1, regret=Fraction(1, 2))))
    exact = tree.search(question, Limits()).lower
    scale, met = question.reward_range, set()
    for looks in [*range(80), 10**9]:
        limits = After(looks)
        found = tree.search(question, limits)
        met.add(found.stopped)
        assert (limits.looks >= 0) == (found.stopped is None)
        assert found.lower <= exact <= found.witness.cost
        lower, upper = found.lower / scale, found.witness.cost / scale
        radius_certificate(question, lower, upper, found.root, found.witness).check()
    assert met == {None, "time limit"}


def test_a_time_limit_ends_in_unknown_with_bounds() -> None:
    """A time limit that is over at once still gives a certified enclosure."""
    problem = to_problem(random_sparse(8, 3, seed=1, regret=Fraction(1, 2)), Fraction(1, 1000))
    verdict = decide(problem, time_limit=1e-6)
    assert verdict.answer in ("unknown", "unsafe", "safe")
    assert verdict.lower <= radius(problem).lower <= verdict.upper
    assert verdict.certificate is not None


def test_the_same_question_gives_the_same_bytes() -> None:
    """Certificates are deterministic."""
    problem = to_problem(random_sparse(6, 3, seed=2, regret=Fraction(1, 2)))
    first, second = (radius(problem).certificate for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.to_json() == second.to_json()


@pytest.mark.parametrize("factor", [0.0, 0.5, 2.0, float("nan"), -1.0])
def test_a_lying_guide_costs_time_but_never_the_answer(
    monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    """Wrong floating-point bounds, multipliers and scores leave the radius exact."""
    honest = relaxation_module._CirculationProgramme.solve

    def lie(self: object, *arguments: object) -> Guess:
        guess = honest(self, *arguments)  # type: ignore[arg-type]
        return Guess(guess.bound * factor, guess.kappa * factor, guess.scores * factor)

    monkeypatch.setattr(relaxation_module._CirculationProgramme, "solve", lie)
    for seed in range(25):
        instance = random_instance(seed)
        verdict = radius(to_problem(instance))
        assert verdict.lower == verdict.upper == safety_radius(instance), seed


def test_a_lying_leaf_programme_never_yields_a_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the linear programme claims too much, the checker refuses what is built from it."""
    honest = leaves_module.maximise

    def lie(*arguments: object) -> LinearOptimum:
        found = honest(*arguments)  # type: ignore[arg-type]
        if found.point is None:
            return found
        return replace(found, point=tuple(2 * y + 1 for y in found.point))

    monkeypatch.setattr(leaves_module, "maximise", lie)
    refused = 0
    for seed in range(25):
        instance = random_instance(seed)
        try:
            verdict = radius(to_problem(instance))
        except (CertificateRejected, EngineError):
            refused += 1
        else:
            assert verdict.lower == safety_radius(instance)
    assert refused
