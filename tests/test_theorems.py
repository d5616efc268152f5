"""Verifiers of theorem instances agree with the exact radius; their constants are best."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest
from instances import random_instance, shares, to_problem
from oracle import Instance, bad_policies, safety_radius, support
from typer.testing import CliRunner

from symsafe import MDP, DataDistribution, InputError, Policy, SafetyProblem, decide
from symsafe.analysis.occupancy import support as policy_support
from symsafe.analysis.values import regret
from symsafe.cli import app
from symsafe.engine.question import Question
from symsafe.theorems import (
    THEOREMS,
    Hypothesis,
    TheoremReport,
    corollary_3_4,
    find,
    proposition_3_3,
)
from symsafe.theorems.corollary_3_4 import disjoint_bad_policies
from symsafe.theorems.theorem_3_5 import verify as verify_matrix

EXAMPLES = Path(__file__).parent.parent / "examples"
FORMS = [
    (name, sharp)
    for name, theorem in THEOREMS.items()
    # Regularised ones: tests/test_regularised.py; error-metrics has a test of its own.
    if not name.startswith(("theorem-4", "theorem-6", "error-metrics"))
    for sharp in ([False, True] if theorem.sharp else [False])
]


def run(name: str, problem: SafetyProblem, *, sharp: bool = False) -> TheoremReport:
    theorem = THEOREMS[name]
    verify = theorem.sharp if sharp else theorem.verify
    assert verify is not None
    return verify(problem)


def bandit(
    rewards: list[object], data: list[object], level: object, epsilon: object
) -> SafetyProblem:
    names = [f"a{i}" for i in range(len(rewards))]
    mdp = MDP.bandit({"s": dict(zip(names, rewards, strict=True))})
    weights = DataDistribution.from_table(mdp, {"s": dict(zip(names, data, strict=True))})
    return SafetyProblem(mdp, weights, level, epsilon)


def claim(report: TheoremReport) -> tuple[str, Fraction]:
    """The kind of the certificate and the tolerance that it speaks about."""
    assert report.certificate is not None
    result = report.certificate.check()
    epsilon = result.lower if result.epsilon is None else result.epsilon
    assert epsilon is not None
    return result.kind, epsilon


def tolerance(seed: int, radius: Fraction) -> Fraction:
    """The radius itself, a little less, a little more, or far off."""
    choices = [Fraction(1), Fraction(99, 100), Fraction(101, 100), Fraction(1, 3), Fraction(3)]
    return (radius or Fraction(1, 50)) * choices[seed % len(choices)]


@pytest.mark.parametrize("block", range(10))
def test_verifiers_agree_with_brute_force(block: int) -> None:
    """Whatever a theorem concludes on 200 random instances is what enumeration finds."""
    concluded = 0
    for seed in range(20 * block, 20 * (block + 1)):
        instance = random_instance(seed)
        radius = safety_radius(instance)
        problem = to_problem(instance, tolerance(seed, radius))
        for name, sharp in FORMS:
            report = run(name, problem, sharp=sharp)
            assert report.holds == all(hypothesis.holds for hypothesis in report.hypotheses)
            if not report.holds:
                assert report.certificate is None
                assert not report.conclusion
                continue
            concluded += 1
            kind, epsilon = claim(report)
            unsafe = "all-unsafe" if name == "corollary-3.4" else "unsafe"
            assert kind == (unsafe if epsilon >= radius else "safe"), (seed, name, sharp)
    assert concluded > 30


@pytest.mark.parametrize("seed", range(40))
def test_errors_compare_as_section_5_says(seed: int) -> None:
    """On random instances every inequality holds, and the mean error is the safety radius."""
    instance = random_instance(seed)
    report = run("error-metrics", to_problem(instance), sharp=False)
    assert report.holds
    assert report.constructed["E|e| / range R"] == safety_radius(instance)


@pytest.mark.parametrize("gap", ["1/1000000000000", "1", "1000000000"])
@pytest.mark.parametrize("rare", ["2/5", "1/1000000000000000"])
def test_errors_compare_however_small_or_large_they_are(gap: str, rare: str) -> None:
    """Found by the differential campaign: rounding once broke inequalities that are true."""
    share = Fraction(rare)
    problem = bandit([1 + Fraction(gap), 1], [1 - share, share], 1, None)
    report = run("error-metrics", problem)
    assert [h.statement for h in report.hypotheses if not h.holds] == []


@pytest.mark.parametrize("block", range(4))
def test_the_largest_packing_equals_enumeration(block: int) -> None:
    """Over all families of pairwise disjoint supports of bad policies."""
    for seed in range(40 * block, 40 * (block + 1)):
        instance = random_instance(seed)
        supports = sorted({support(instance, p) for p in bad_policies(instance)}, key=sorted)
        supports = [s for s in supports if not any(t < s for t in supports)]
        found, exact = disjoint_bad_policies(Question.of(to_problem(instance)))
        assert exact
        taken = [policy_support(policy.mdp, policy) for policy in found]
        assert all(not s & t for s, t in itertools.combinations(taken, 2))
        assert not any(
            all(not s & t for s, t in itertools.combinations(family, 2))
            for family in itertools.combinations(supports, len(found) + 1)
        ), seed


@pytest.mark.parametrize(("good", "count", "exact"), [(1, 59, True), (4, 59, False)])
def test_a_greedy_packing_says_whether_it_is_the_largest(
    good: int, count: int, exact: bool
) -> None:
    """60 actions in each of four states are too many policies to enumerate.

    With one good action the other 59 of its state are used up. With a good action in each state
    there would be 60 policies, each with at most one of them.
    """
    rewards = {f"s{i}": {f"a{j}": int(j == i < good) for j in range(60)} for i in range(4)}
    mdp = MDP.bandit(rewards)
    level = "3/4" if good == 4 else 1
    problem = SafetyProblem(mdp, DataDistribution.uniform(mdp), regret=level, epsilon="1/59")
    policies, most = disjoint_bad_policies(Question.of(problem))
    assert (len(policies), most) == (count, exact)
    assert corollary_3_4.verify(problem).holds


def test_packing_policies_are_bad() -> None:
    """Each of them has the regret asked for."""
    for seed in range(40):
        problem = to_problem(random_instance(seed))
        for policy in disjoint_bad_policies(Question.of(problem))[0]:
            assert regret(problem.mdp, policy) >= Fraction(str(problem.regret))


@pytest.mark.parametrize("seed", range(25))
def test_sharp_proposition_3_2_is_best_possible(seed: int) -> None:
    """On the tight family a bound that is better by 1 % is refuted by a certified witness."""
    random = Random(seed)
    level, d = Fraction(random.randint(1, 9), random.choice([9, 10])), Fraction(1, 4)
    data = [d, (1 - d) / 2, (1 - d) / 2]
    gamma = random.choice(["0", "1/2", "9/10"])
    names = ["a", "b", "c"]
    mdp = MDP.from_tables(
        transitions={"s": {name: {"s": 1} for name in names}},
        reward={"s": dict(zip(names, [1, 1 - level, 0], strict=True))},
        initial="s",
        discount=gamma,
    )
    weights = DataDistribution.from_table(mdp, {"s": dict(zip(names, data, strict=True))})
    bound = d * level
    below = SafetyProblem(mdp, weights, level, bound * Fraction(999, 1000))
    assert run("proposition-3.2", below, sharp=True).holds
    above = replace(below, epsilon=bound * Fraction(101, 100))
    refuted = decide(above)
    assert refuted.answer == "unsafe"
    assert refuted.certificate is not None
    assert refuted.certificate.check().kind == "unsafe"
    assert not run("proposition-3.2", above, sharp=True).holds


def test_the_paper_form_of_proposition_3_2_is_compared_without_rounding() -> None:
    """The square root of two is irrational: tolerances next to the bound fall on the right side."""
    bound = Fraction(1, 4)  # SHARP of two arms with uniform data and L = 1/2
    digits = 10**40
    root = Fraction(707106781186547524400844362104849039284, digits // 10)
    for step, holds in ((-1, True), (0, True), (1, False)):
        epsilon = (root + Fraction(step, digits // 10)) * bound
        assert (2 * epsilon**2 < bound**2) is holds
        problem = bandit([1, 0], ["1/2", "1/2"], "1/2", epsilon)
        report = run("proposition-3.2", problem)
        assert report.holds is holds
        assert (report.hypotheses[0].margin > 0) is holds


@pytest.mark.parametrize("count", range(2, 7))
def test_sharp_corollary_3_4_is_best_possible(count: int) -> None:
    """k bad arms beside one good: 1/(k + 1) is unsafe for every D, 1 % less is safe for one."""
    uniform = [Fraction(1, count)] * count
    critical = Fraction(1, count)
    problem = bandit([1, *[0] * (count - 1)], list(uniform), 1, critical)
    assert run("corollary-3.4", problem, sharp=True).holds
    assert not run("corollary-3.4", problem).holds
    better = replace(problem, epsilon=critical * Fraction(99, 100))
    assert not run("corollary-3.4", better, sharp=True).holds
    assert decide(better).answer == "safe"


def test_corollary_3_4_holds_for_every_distribution() -> None:
    """One certificate says so; a reward model is found for each of many distributions as well."""
    random = Random(0)
    for _ in range(100):
        data = list(shares(random, 5, zeros=0.3))
        problem = bandit([1, 0, 0, "1/4", 0], data, "3/4", "1/5")
        report = run("corollary-3.4", problem, sharp=True)
        assert claim(report) == ("all-unsafe", Fraction(1, 5))
        assert report.constructed["its error"] <= Fraction(1, 5)


def test_proposition_3_3_takes_a_randomised_policy() -> None:
    """Its support is the union of what it does; equality in both hypotheses is enough."""
    problem = bandit([1, "1/2", 0], ["9/10", "1/20", "1/20"], "3/4", "1/10")
    policy = Policy.from_table(problem.mdp, {"s": {"a1": "1/2", "a2": "1/2"}})
    report = proposition_3_3.verify(problem, policy)
    assert [hypothesis.margin for hypothesis in report.hypotheses] == [0, 0]
    assert claim(report) == ("unsafe", Fraction(1, 10))
    less = proposition_3_3.verify(replace(problem, epsilon="99/1000"), policy)
    assert [hypothesis.holds for hypothesis in less.hypotheses] == [True, False]
    assert less.hypotheses[1].margin == Fraction(-1, 1000)


def test_theorem_3_1_names_the_missing_coverage() -> None:
    """A zero in D fails the first hypothesis, L = 0 the second."""
    assert [h.holds for h in run("theorem-3.1", bandit([1, 0], [1, 0], 1, None)).hypotheses] == [
        False,
        True,
    ]
    level = run("theorem-3.1", bandit([1, 0], ["1/2", "1/2"], 0, None))
    assert [h.holds for h in level.hypotheses] == [True, False]
    assert not level.holds


def test_theorem_3_5_gives_the_radius_without_a_tolerance() -> None:
    """M and the search over policies meet in the certificate."""
    report = verify_matrix(bandit([1, "2/5", 0], ["1/10", "9/20", "9/20"], "3/5", None))
    assert claim(report) == ("radius", Fraction(3, 50))
    assert report.constructed["M D"] == (Fraction(9, 20), Fraction(27, 100), Fraction(3, 50))


@pytest.mark.parametrize("name", ["proposition-3.2", "proposition-3.3", "corollary-3.4"])
def test_a_tolerance_is_asked_for_where_it_is_needed(name: str) -> None:
    """One clear error."""
    with pytest.raises(InputError) as caught:
        run(name, bandit([1, 0], ["1/2", "1/2"], 1, None))
    assert caught.value.field == "epsilon"


def test_a_policy_of_another_mdp_is_refused() -> None:
    """Also where the names agree."""
    problem = bandit([1, 0], ["1/2", "1/2"], 1, "1/2")
    other = bandit([2, 0], ["1/2", "1/2"], 1, "1/2")
    with pytest.raises(InputError, match="another MDP"):
        proposition_3_3.verify(problem, Policy.uniform(other.mdp))


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def test_command_exits_0_when_certified_and_1_when_a_hypothesis_fails() -> None:
    """And prints the report."""
    code, text = invoke("theorem", "theorem-3.1", str(EXAMPLES / "chatbot.toml"))
    assert code == 0
    assert "certified: D is safe" in text
    code, text = invoke("theorem", "proposition-3.3", str(EXAMPLES / "chatbot.toml"))
    assert code == 1
    assert "FAILS: D(supp policy) <= epsilon" in text


def test_command_prints_one_json_object(tmp_path: Path) -> None:
    """Exact fraction strings; the certificate is written where asked."""
    out = tmp_path / "c.json"
    code, text = invoke(
        "theorem",
        "proposition-3.2",
        str(EXAMPLES / "tight-bandit-safe.toml"),
        "--sharp",
        "--json",
        "--certificate",
        str(out),
    )
    record = json.loads(text)
    assert (code, record["holds"], record["certificate"]) == (0, True, str(out))
    assert record["hypotheses"][0]["values"] == {"epsilon": "59/1000", "SHARP": "3/50"}
    assert invoke("check", str(out), "--against", str(EXAMPLES / "tight-bandit-safe.toml"))[0] == 0


def test_command_lists_every_theorem() -> None:
    """With what each says."""
    code, text = invoke("theorem", "--list")
    assert code == 0
    assert [line.split()[0] for line in text.splitlines()] == list(THEOREMS)


def test_unknown_theorems_are_refused_with_the_nearest() -> None:
    """And a stronger form that does not exist."""
    with pytest.raises(InputError, match=r"theorem-3\.5\?"):
        find("theorem-3.55")
    for arguments in (
        ("theorem", "theorem-3.5", str(EXAMPLES / "chatbot.toml"), "--sharp"),
        ("theorem", "theorem-3.5"),
    ):
        with pytest.raises(InputError):
            invoke(*arguments)


def test_long_numbers_and_lists_are_shortened_in_print_and_exact_in_json() -> None:
    """A report stays readable; its record does not round."""
    number = Fraction(1, 3**90)
    hypothesis = Hypothesis("x > 0", holds=True, margin=number, values={"x": number})
    report = TheoremReport("t", "s", (hypothesis,), constructed={"list": (Fraction(1),) * 20})
    assert "about 1.14" in str(report)
    assert "1, 1, ...)" in str(report)
    record = report.to_record()
    assert record["hypotheses"][0]["margin"] == f"1/{3**90}"
    assert record["constructed"] == {"list": ["1"] * 20}


def test_instances_of_the_oracle_are_the_problems_verified() -> None:
    """The two spellings of an instance agree in their numbers."""
    instance: Instance = random_instance(3)
    problem = to_problem(instance)
    assert problem.mdp.rewards == instance.rewards
    assert problem.data.weights == instance.weights
