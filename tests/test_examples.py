"""The shipped problems and the scripts that use them."""

from __future__ import annotations

import runpy
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from instances import cover_number, vertex_cover
from oracle import Instance, safety_radius

from symsafe import InputError, SafetyProblem, decide, load_problem, loads_problem, problems, radius
from symsafe.model import dumps_problem

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"

# Name: exact radius, and the verdict at the epsilon of the file. Sources: the sharp form of
# Proposition 3.2 (bandit), the two cheapest of three prompts (chatbot), the vertex-cover
# reduction, and certificates (FrozenLake).
KNOWN = {
    "annotation": ("1/240", "unsafe"),
    "tight-bandit": ("3/50", "unsafe"),
    "tight-bandit-safe": ("3/50", "safe"),
    "chatbot": ("1/240", "unsafe"),
    "chatbot-penalised": ("7/1200", "safe"),
    "vertex-cover": ("3/20", "safe"),
    "frozenlake-uniform": ("21627/62384405", None),
    "frozenlake-policy": ("176571625209751293669/539984094624455102962885", None),
}
BOUNDED = {"chatbot-rlhf": "unsafe"}  # by preferences: bounds alone, see the test of its own
SMALL = [name for name, (_, answer) in KNOWN.items() if answer is not None]


def problem(name: str) -> SafetyProblem:
    return loads_problem(problems.text(name))


def test_every_shipped_problem_is_known_here() -> None:
    """No example without a known answer."""
    assert problems.names() == tuple(sorted(KNOWN | BOUNDED))


@pytest.mark.parametrize("name", KNOWN | BOUNDED)
def test_shipped_problem_begins_with_what_it_is(name: str) -> None:
    """The first line is a comment, which `describe` returns without the sign."""
    first = problems.text(name).splitlines()[0]
    assert first == f"# {problems.describe(name)}"
    assert len(problems.describe(name)) > 20


@pytest.mark.parametrize("name", KNOWN | BOUNDED)
def test_shipped_problem_survives_a_round_trip(name: str) -> None:
    """Written as TOML or JSON and read again, the problem is equal."""
    shipped = problem(name)
    assert loads_problem(dumps_problem(shipped, "toml")) == shipped
    assert loads_problem(dumps_problem(shipped, "json"), "json") == shipped


@pytest.mark.parametrize("name", KNOWN)
def test_shipped_problem_has_its_known_radius(name: str) -> None:
    """The radius is exact, certified, and the one that is written down."""
    verdict = radius(problem(name))
    assert verdict.lower == verdict.upper == Fraction(KNOWN[name][0])
    assert verdict.rests_on == "certificate"
    assert verdict.certificate is not None
    assert verdict.certificate.check().kind == "radius"


@pytest.mark.parametrize("name", SMALL)
def test_shipped_problem_has_its_known_verdict(name: str) -> None:
    """At the epsilon of the file; the tight bandit's is exactly the radius, hence unsafe."""
    assert decide(problem(name)).answer == KNOWN[name][1]


@pytest.mark.parametrize("name", KNOWN | BOUNDED)
def test_example_folder_holds_the_same_file(name: str) -> None:
    """The files in examples/ are what `symsafe example` prints."""
    assert (EXAMPLES / f"{name}.toml").read_text(encoding="utf-8") == problems.text(name)


def test_the_rlhf_problem_is_unsafe_and_its_penalty_helps() -> None:
    """At its epsilon in preferences; in mean error the penalty multiplies the radius by four."""
    asked = problem("chatbot-rlhf")
    assert decide(asked).answer == BOUNDED["chatbot-rlhf"]
    with_penalty = radius(replace(asked, metric=None))
    without = radius(replace(asked, metric=None, regularizer=None))
    assert with_penalty.is_tight
    assert 4 * without.lower < with_penalty.lower < 5 * without.lower


def test_generated_problems_are_up_to_date() -> None:
    """The shipped FrozenLake files are what the importer gives today."""
    generated = runpy.run_path(str(EXAMPLES / "make_problems.py"))["generate"]()
    assert sorted(generated) == ["frozenlake-policy", "frozenlake-uniform"]
    for name, text in generated.items():
        assert text == problems.text(name)


def test_frozen_lake_problems_ask_what_they_say() -> None:
    """Discount 9/10, L = 1/2, uniform data, and the discounted visits of uniformly random play."""
    uniform, policy = problem("frozenlake-uniform"), problem("frozenlake-policy")
    assert uniform.mdp == policy.mdp
    assert (len(uniform.mdp.states), uniform.mdp.discount) == (16, Fraction(9, 10))
    assert uniform.regret == policy.regret == Fraction(1, 2)
    assert set(uniform.data.weights) == {Fraction(1, 64)}
    mdp, weights = policy.mdp, policy.data.weights
    assert all(len({weights[k] for k in pairs}) == 1 for pairs in mdp.pair_ranges)
    for state, pairs in enumerate(mdp.pair_ranges):
        arriving = sum(
            weights[k] * p
            for k, row in enumerate(mdp.successors)
            for target, p in row
            if target == state
        )
        balance = mdp.initial[state] * Fraction(1, 10) + mdp.discount * arriving
        assert sum(weights[k] for k in pairs) == balance


def to_instance(shipped: SafetyProblem) -> Instance:
    """The numbers of a problem, in the form that the oracle takes."""
    mdp: Any = shipped.mdp  # ground: every number is a Fraction
    data: Any = shipped.data
    regret: Any = shipped.regret
    return Instance(
        successors=mdp.successors,
        rewards=mdp.rewards,
        pair_states=mdp.pair_states,
        initial=mdp.initial,
        discount=mdp.discount,
        weights=data.weights,
        regret=regret,
    )


@pytest.mark.parametrize("name", ["tight-bandit", "tight-bandit-safe", "chatbot"])
def test_known_radius_equals_brute_force(name: str) -> None:
    """Every bad policy and every basis, where these are few."""
    assert safety_radius(to_instance(problem(name))) == Fraction(KNOWN[name][0])


def test_vertex_cover_file_is_the_reduction_of_its_graph() -> None:
    """The house with vertices a to e, whose least cover has 3 vertices, each worth 1/20."""
    edges = [(0, 1), (1, 2), (2, 3), (3, 0), (0, 4), (1, 4)]
    expected = vertex_cover(edges, 5, Fraction(1, 2))
    assert to_instance(problem("vertex-cover")) == expected
    assert cover_number(edges, 5) == 3 == Fraction(KNOWN["vertex-cover"][0]) * 20


@pytest.mark.parametrize(
    ("script", "printed"),
    [
        ("tight_bandit", "epsilon 3/50: unsafe\nepsilon 59/1000: safe\nradius: 3/50\n"),
        ("chatbot", "epsilon 1/200: unsafe\ncertificate written to OUT\n"),
        ("vertex_cover", "radius 3/20: a least cover has 3 vertices\n"),
        (
            "frozenlake",
            "uniform data: unsafe from an error of 0.0347 % of the reward range on\n"
            "policy data: unsafe from an error of 0.0327 % of the reward range on\n",
        ),
    ],
)
def test_example_script_prints_what_is_expected(script: str, printed: str, tmp_path: Path) -> None:
    """Each script runs from any folder; what a script saves is a certificate file."""
    out = tmp_path / "certificate.json"
    command = [sys.executable, str(EXAMPLES / f"{script}.py"), str(out)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout == printed.replace("OUT", str(out))
    assert out.exists() == (script == "chatbot")


REPORTS = {
    "theorem_3_1": (
        "theorem-3.1 (Fluri et al., ICML 2025; the epsilon is ours)\n"
        "  holds: D(s,a) > 0 for every pair (min D = 1/3; margin 1/3)\n"
        "  holds: L > 0 (L = 3/5; margin 3/5)\n"
        "  epsilon: 1/10\n"
        "  therefore: D is safe at epsilon = 1/10\n"
        "D is safe: no reward with error <= 1/10 has an optimal policy with regret >= 3/5\n"
    ),
    "proposition_3_2": (
        "the paper's form holds: False\nthe sharp form holds: True\nat SHARP itself: unsafe\n"
    ),
    "proposition_3_3": (
        "proposition-3.3 (Fluri et al., ICML 2025, in the non-strict form)\n"
        "  holds: Reg(policy) >= L (Reg = 1; margin 0)\n"
        "  holds: D(supp policy) <= epsilon (D(supp) = 1/100, epsilon = 1/100; margin 0)\n"
        "  policy: Policy(prompt: cipher)\n"
        "  policy is: the lightest bad one\n"
        "  reward model: (1, 0, 1)\n"
        "  its error: 1/100\n"
        "  therefore: D is unsafe at epsilon = 1/100\n"
    ),
    "corollary_3_4": ("the paper's form holds: False\nk >= 1/epsilon - 1 holds: True\n"),
    "theorem_3_5": (
        "theorem-3.5 (Fluri et al., ICML 2025; the rows are ours)\n"
        "  holds: range R > 0 (range R = 2; margin 2)\n"
        "  holds: range J > 0 (range J = 3/2; margin 3/2)\n"
        "  M: ((0, 0, 0, 2), (0, 0, 2, 0))\n"
        "  M D: (1/2, 1/2)\n"
        "  therefore: the safety radius of D is min M D / range R = 1/4\n"
    ),
    "theorem_4_1": (
        "theorem-4.1 (Fluri et al., ICML 2025; for every L and with a constant, ours)\n"
        "  holds: D(s,a) > 0 for every pair (min D = 1/2; margin 1/2)\n"
        "  holds: lambda > 0 (lambda = 1/2; margin 1/2)\n"
        "  holds: G_L = max f - max of f over policies with regret >= L is positive (max "
        "f = 7/8, max of f over bad policies = 3/8; margin 1/2)\n"
        "  G_L: 1/2\n"
        "  bound: 1/4\n"
        "  epsilon: 1/8\n"
        "  therefore: D is safe at epsilon = 1/8\n"
    ),
    "theorem_4_2": (
        "theorem-4.2 (Fluri et al., ICML 2025; the constant C and regrets below 1 are ours)\n"
        "  holds: Reg(pi_*) > L (Reg = 1; margin 1/2)\n"
        "  holds: D(supp pi_*) <= epsilon / (1 + C) (D(supp) = 1/20, epsilon / (1 + C) = "
        "1/20; margin 0)\n"
        "  pi_*: Policy(prompt: comply)\n"
        "  C: 1\n"
        "  reward model: (1, 2)\n"
        "  its error: 1/10\n"
        "  therefore: D is unsafe at epsilon = 1/10\n"
    ),
}


@pytest.mark.parametrize("script", REPORTS)
def test_theorem_script_prints_its_report(script: str, tmp_path: Path) -> None:
    """One script a result of the paper, of ten lines of code at most."""
    path = EXAMPLES / f"{script}.py"
    run = subprocess.run(
        [sys.executable, str(path)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == REPORTS[script]
    code = [line for line in path.read_text().splitlines()[1:] if line]
    assert len(code) <= 10


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    """Also a name that would be a path elsewhere."""
    for name, hint in (("chatbott", "chatbot?"), ("../problems/chatbot", "")):
        with pytest.raises(InputError) as caught:
            problems.text(name)
        assert caught.value.field == "example"
        assert hint in caught.value.expected


def test_example_files_load_from_disk() -> None:
    """`load_problem` reads the file as `loads_problem` reads its text."""
    assert load_problem(EXAMPLES / "chatbot.toml") == problem("chatbot")
