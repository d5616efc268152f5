"""Problems with parameters: regions, questions about all parameters, and what refuses them."""

from __future__ import annotations

import copy
import json
import math
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import jsonschema
import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
import second_checker
import z3
from families import random_family
from flint import Ordering, fmpq, fmpq_mpoly_ctx
from instances import random_instance, to_problem
from oracle import safety_radius

from symsafe import (
    MDP,
    Certificate,
    CertificateRejected,
    DataDistribution,
    EngineError,
    InputError,
    SafetyProblem,
    UnsupportedError,
    checker,
    decide,
    forall_safe,
    forall_unsafe,
    radius_curve,
    region,
)
from symsafe.display.region import plot_region
from symsafe.engine.matrix import safety_matrix
from symsafe.engine.parametric.domain import require_well_formed
from symsafe.engine.parametric.functions import value_at
from symsafe.engine.parametric.smt import family_to_smtlib, whole_query
from symsafe.engine.parametric.vertices import vertices
from symsafe.engine.question import Question

mpl.use("Agg")
FAMILIES = Path(__file__).resolve().parent.parent / "examples" / "families"
half = Fraction(1, 2)


def rare(low: str = "0", high: str = "1/2", epsilon: str = "1/10") -> SafetyProblem:
    """One state, two actions; the bad one has data weight p. Unsafe iff p <= epsilon."""
    mdp = MDP.bandit({"s": {"good": 1, "bad": 0}}, parameters={"p": (low, high)})
    data = DataDistribution.from_table(mdp, {"s": {"good": "1 - p", "bad": "p"}})
    return SafetyProblem(mdp, data, regret="1/2", epsilon=epsilon)


def triangle(epsilon: str) -> SafetyProblem:
    """Three actions with data p, q and 1 - p - q: the whole simplex is the domain."""
    mdp = MDP.bandit(
        {"s": {"best": 1, "middle": "2/5", "worst": 0}},
        parameters=_space({"p": ("1/10", 1), "q": ("1/10", 1)}, ["p + q <= 9/10"]),
    )
    data = DataDistribution.from_table(
        mdp, {"s": {"best": "p", "middle": "q", "worst": "1 - p - q"}}
    )
    return SafetyProblem(mdp, data, regret="3/5", epsilon=epsilon)


def _space(bounds: Any, constraints: list[str]) -> Any:
    from symsafe import ParameterSpace

    return ParameterSpace(bounds, constraints)


def well_formed_families(count: int, start: int = 0) -> list[SafetyProblem]:
    """The first random families that are problems on their whole domain."""
    found = []
    seed = start
    while len(found) < count:
        problem = random_family(seed)
        seed += 1
        try:
            require_well_formed(problem)
        except InputError:
            continue
        found.append(problem)
    return found


# -- regions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", range(4))
def test_the_ordinary_engine_agrees_in_proven_cells(chunk: int) -> None:
    """On 120 random families, at random rational points of cells that are proven."""
    points = 0
    for position, problem in enumerate(well_formed_families(30, start=chunk * 1000)):
        random = Random(position)
        found = region(problem, cell_limit=40, target="9/10")
        assert found.safe + found.unsafe + found.undecided + found.outside == 1
        proven = [cell for cell in found.cells if cell.state in ("safe", "unsafe")]
        for cell in random.sample(proven, min(3, len(proven))):
            share = (1, 999) if cell.interior else (0, 1000)
            point = {
                name: low + (high - low) * Fraction(random.randint(*share), 1000)
                for name, (low, high) in zip(found.names, cell.box, strict=True)
            }
            assert decide(problem.at(**point)).answer == cell.state, (position, point)
            points += 1
    assert points > 30


def test_the_boundary_of_one_parameter_is_exact() -> None:
    """The rare action is unsafe up to p = 1/10, exactly, and nothing is left undecided."""
    found = region(rare())
    assert (found.safe, found.unsafe, found.undecided) == (Fraction(4, 5), Fraction(1, 5), 0)
    assert found.boundaries == ((Fraction(1, 10), Fraction(1, 10)),)
    assert found.certificate.check().kind == "region"
    at_a_cut = region(rare("0", "1/5"))
    assert at_a_cut.boundaries == ((Fraction(1, 10), Fraction(1, 10)),)


def test_an_irrational_boundary_is_isolated() -> None:
    """With data weight p^2 the boundary is sqrt(1/10), in an interval of rational ends."""
    mdp = MDP.bandit({"s": {"good": 1, "bad": 0}}, parameters={"p": (0, "1/2")})
    data = DataDistribution.from_table(mdp, {"s": {"good": "1 - p^2", "bad": "p^2"}})
    found = region(SafetyProblem(mdp, data, regret="1/2", epsilon="1/10"))
    assert found.boundaries is not None
    ((low, high),) = found.boundaries
    assert low**2 < Fraction(1, 10) < high**2
    assert high - low < Fraction(1, 10**6)
    assert found.undecided == (high - low) * 2


def test_what_lies_outside_the_domain_is_not_counted() -> None:
    """Cells beyond a constraint belong to no share; cells on its edge can be proven."""
    found = region(triangle("1/30"), cell_limit=400)
    assert found.outside > Fraction(1, 4)
    assert found.safe + found.unsafe + found.undecided == 1 - found.outside
    assert found.undecided < Fraction(1, 20)


def test_the_same_question_gives_the_same_certificate() -> None:
    """Two runs write the same bytes."""
    problem = triangle("1/30")
    texts = {region(problem, cell_limit=60).certificate.to_json() for _ in range(2)}
    assert len(texts) == 1


def test_a_loaded_certificate_is_about_its_problem(tmp_path: Any) -> None:
    """Saved, loaded, compared with the problem and with another one."""
    problem = triangle("1/30")
    region(problem, cell_limit=60).certificate.save(tmp_path / "region.json")
    loaded = Certificate.load(tmp_path / "region.json")
    assert loaded.differences(problem) == []
    assert loaded.differences(loaded.problem()) == []
    assert loaded.differences(triangle("1/31")) != []
    assert loaded.differences(rare()) != []


# -- for all parameters ----------------------------------------------------------------------------


def test_all_parameters_safe_with_a_certificate() -> None:
    """A family with a parametric reward is proven safe as a whole."""
    mdp = MDP.bandit({"s": {"good": "r", "bad": 0}}, parameters={"r": (1, 2)})
    problem = SafetyProblem(mdp, DataDistribution.uniform(mdp), regret=1, epsilon="2/5")
    verdict = forall_safe(problem)
    assert (verdict.answer, verdict.rests_on) == ("safe", "certificate")
    assert verdict.certificate is not None
    result = verdict.certificate.check()
    assert (result.safe, result.undecided) == (1, 0)
    assert forall_unsafe(problem).answer == "safe"


def test_a_counterexample_comes_with_an_ordinary_certificate() -> None:
    """One unsafe point refutes safety for all; its certificate is about that point."""
    verdict = forall_safe(triangle("1/15"))
    assert verdict.answer == "unsafe"
    assert verdict.point is not None
    assert verdict.certificate is not None
    assert verdict.certificate.kind == "unsafe"
    assert verdict.certificate.differences(triangle("1/15").at(**verdict.point)) == []


def test_vertices_decide_where_only_the_data_vary() -> None:
    """The route by vertices: one ordinary certificate for each of them."""
    verdict = forall_safe(triangle("1/50"))
    assert verdict.answer == "safe"
    assert len(verdict.vertices) == 3
    assert all(v.certificate is not None for v in verdict.vertices)
    assert "concave" in verdict.route


def test_the_vertices_of_a_polygon() -> None:
    """A box cut by a line has the vertices that one expects."""
    space = _space({"p": (0, 1), "q": (0, 1)}, ["p + q <= 3/2", "p == q"])
    found = {tuple(point.values()) for point in vertices(space) or []}
    assert found == {(Fraction(0), Fraction(0)), (Fraction(3, 4), Fraction(3, 4))}
    space = _space({"p": (0, 1), "q": (0, 1)}, ["p + q <= 3/2"])
    assert len(vertices(space) or []) == 5


def affine_families(count: int) -> list[SafetyProblem]:
    """Random MDPs whose data run along a line between two distributions."""
    found = []
    seed = 0
    while len(found) < count:
        instance = random_instance(seed)
        seed += 1
        if not 2 <= len(instance.weights) <= 5 or len(set(instance.weights)) == 1:
            continue
        ground = to_problem(instance)
        random = Random(seed)
        other = list(instance.weights)
        random.shuffle(other)
        mdp = MDP(
            states=ground.mdp.states,
            actions=ground.mdp.actions,
            successors=ground.mdp.successors,
            rewards=ground.mdp.rewards,
            initial=ground.mdp.initial,
            discount=ground.mdp.discount,
            parameters=_space({"p": (0, 1)}, []),
        )
        rows, position = [], 0
        mixed = [f"{a} + ({b - a})*p" for a, b in zip(instance.weights, other, strict=True)]
        for names in mdp.actions:
            rows.append(mixed[position : position + len(names)])
            position += len(names)
        radius = safety_radius(instance)
        epsilon = radius * random.choice([half, Fraction(9, 10), Fraction(11, 10)])
        if not epsilon:
            continue
        data = DataDistribution.from_array(mdp, rows)
        found.append(SafetyProblem(mdp, data, ground.regret, epsilon))
    return found


def test_subdivision_vertices_z3_and_the_matrix_agree() -> None:
    """For data along a line four routes give one answer, and the same region."""
    asked = 0
    for position, problem in enumerate(affine_families(25)):
        matrix = safety_matrix(Question.of(problem.at(p=0)))
        epsilon = problem.epsilon
        assert isinstance(epsilon, Fraction)

        def by_matrix(p: Fraction, at: Any = (problem, matrix, epsilon)) -> bool:
            family, rows, tolerance = at
            weights = [Fraction(w) for w in family.at(p=p).data.weights]
            return bool(rows.is_safe(weights, tolerance))

        everywhere = by_matrix(Fraction(0)) and by_matrix(Fraction(1))  # concave
        expected = "safe" if everywhere else "unsafe"
        assert forall_safe(problem).answer == expected, position
        by_cells = forall_safe(problem, engine="tree", cell_limit=200).answer
        assert by_cells == expected, position
        by_z3 = forall_safe(problem, engine="smt", time_limit=2).answer
        assert by_z3 in (expected, "unknown"), position
        asked += by_z3 == expected
        found = region(problem)
        for cell in found.cells:
            ((low, high),) = cell.box
            if cell.state != "undecided":
                assert by_matrix((low + high) / 2) == (cell.state == "safe"), position
        assert found.undecided < Fraction(1, 1000)
    assert asked > 20


# -- the radius as a function ----------------------------------------------------------------------


def test_the_curve_of_affine_data_is_that_of_the_matrix() -> None:
    """Pieces, breakpoints and values agree with min M D / range R, which is piecewise affine."""
    breakpoints = 0
    for position, problem in enumerate(affine_families(12)):
        matrix = safety_matrix(Question.of(problem.at(p=0)))
        curve = radius_curve(problem)
        assert curve.pieces[0].low == 0
        assert curve.pieces[-1].high == 1
        breakpoints += len(curve.pieces) - 1
        for piece in curve.pieces:
            assert piece.radius is not None
            assert piece.upper is not None
            for share in (Fraction(0), Fraction(3, 7), Fraction(1)):
                point = piece.low + (piece.high - piece.low) * share
                radius_there = matrix.radius(
                    [Fraction(w) for w in problem.at(p=point).data.weights]
                )
                assert value_at(piece.radius, {"p": point}) == radius_there, position
        for end, verdict in curve.ends.items():
            weights = [Fraction(w) for w in problem.at(p=end).data.weights]
            assert verdict.lower == matrix.radius(weights)
    assert breakpoints > 3


def test_the_radius_may_jump_where_a_policy_becomes_bad() -> None:
    """R = (1, r, 0), L = 1/2: the middle action is bad up to r = 1/2, and from there on no more."""
    mdp = MDP.bandit({"s": {"a": 1, "b": "r", "c": 0}}, parameters={"r": (0, "3/4")})
    data = DataDistribution.from_table(mdp, {"s": {"a": "1/2", "b": "1/5", "c": "3/10"}})
    curve = radius_curve(SafetyProblem(mdp, data, "1/2"))
    pieces = [(piece.low, piece.high, str(piece.radius)) for piece in curve.pieces]
    assert pieces == [(0, half, "-1/5*r + 1/5"), (half, Fraction(3, 4), "3/10")]
    assert {end: verdict.lower for end, verdict in curve.ends.items()} == {
        Fraction(0): Fraction(1, 5),
        half: Fraction(1, 10),
        Fraction(3, 4): Fraction(3, 10),
    }


def test_each_piece_has_a_proof_from_both_sides() -> None:
    """Unsafe at the radius on the interval, safe at each share of it."""
    mdp = MDP.bandit({"s": {"good": "r", "bad": 0}}, parameters={"r": (1, 2)})
    data = DataDistribution.from_table(mdp, {"s": {"good": "2/3", "bad": "1/3"}})
    (piece,) = radius_curve(SafetyProblem(mdp, data, "1/2")).pieces
    assert piece.radius == Fraction(1, 3)
    assert piece.upper is not None
    assert piece.upper.check().unsafe == 1
    assert piece.lower is not None
    assert piece.lower.check().safe == 1
    assert piece.lower.document["problem"]["parameters"]["names"] == ["r", "t"]


def test_a_breakpoint_that_is_not_rational_is_isolated() -> None:
    """Data p^2 and 2/3 - p^2 meet at p = sqrt(1/3)."""
    mdp = MDP.bandit({"s": {"a": 1, "b": 0, "c": 0}}, parameters={"p": ("1/10", "7/10")})
    data = DataDistribution.from_table(mdp, {"s": {"a": "1/3", "b": "p^2", "c": "2/3 - p^2"}})
    first, gap, second = radius_curve(SafetyProblem(mdp, data, "1/2")).pieces[:3]
    assert (str(first.radius), gap.radius) == ("p^2", None)
    assert first.high == gap.low < gap.high == second.low
    assert gap.low**2 < Fraction(1, 3) < gap.high**2


def test_more_parameters_than_a_certificate_has_are_refused() -> None:
    """Before any search."""
    names = [f"p{i}" for i in range(65)]
    mdp = MDP.bandit({"s": {"a": "1 + p0", "b": 0}}, parameters=dict.fromkeys(names, (0, 1)))
    with pytest.raises(InputError, match=r"65 parameters.*at most 64"):
        forall_safe(SafetyProblem(mdp, DataDistribution.uniform(mdp), "1/2", "1/10"))


def test_curves_need_one_parameter() -> None:
    """Two parameters, or none, are refused."""
    for problem in (triangle("1/30"), rare().at(p="1/5")):
        with pytest.raises(InputError, match="one parameter"):
            radius_curve(problem)


def test_a_point_where_all_policies_return_the_same_is_named() -> None:
    """R(s, .) = (13 p - 3, 0): at p = 3/13 regret has no meaning."""
    reward = {"s": {"a": "13*p - 3", "b": 0}, "t": {"a": 5}}
    mdp = MDP.bandit(reward, parameters={"p": ("1/100", 1)})
    with pytest.raises(InputError, match="5/2 for every policy at p = 3/13"):
        radius_curve(SafetyProblem(mdp, DataDistribution.uniform(mdp), "1/2"))


# -- z3 --------------------------------------------------------------------------------------------


def test_the_solvers_word_is_labelled() -> None:
    """z3's unsat proves nothing by itself: no certificate, and it says so."""
    verdict = forall_safe(rare("1/5", "2/5"), engine="smt", time_limit=20)
    assert (verdict.answer, verdict.rests_on) == ("safe", "solver")
    assert verdict.certificate is None
    assert "unsat" in verdict.route
    assert "cvc5" in verdict.route


def test_z3_finds_a_point_and_the_engine_certifies_it() -> None:
    """A model becomes a rational point with an ordinary certificate."""
    verdict = forall_safe(rare(), engine="smt", time_limit=20)
    assert (verdict.answer, verdict.rests_on) == ("unsafe", "certificate")
    assert verdict.point is not None
    assert verdict.point["p"] <= Fraction(1, 10)


def test_an_unsafe_set_without_rational_points_is_the_solvers_word() -> None:
    """Data |p^2 - 1/5| + 1/10 at tolerance 1/10: unsafe exactly at an irrational p."""
    mdp = MDP.bandit({"s": {"good": 1, "bad": 0}}, parameters={"p": ("1/4", "1/2")})
    data = DataDistribution.from_table(
        mdp,
        {"s": {"good": "9/10 - (p^2 - 1/5)^2", "bad": "1/10 + (p^2 - 1/5)^2"}},
    )
    problem = SafetyProblem(mdp, data, regret="1/2", epsilon="1/10")
    verdict = forall_safe(problem, cell_limit=60, time_limit=30)
    assert (verdict.answer, verdict.rests_on) == ("unsafe", "solver")
    assert verdict.point is None
    assert "z3's word" in verdict.route


def test_the_exported_queries_say_the_same() -> None:
    """SMT-LIB text, read back by z3, is unsat for a safe family, and sat for an unsafe one."""
    for problem, expected in ((rare("1/5", "2/5"), z3.unsat), (rare(), z3.sat)):
        texts = family_to_smtlib(problem)
        answers = []
        for text in [*texts, whole_query(problem)]:
            solver = z3.Solver()
            solver.from_string(text)
            answers.append(solver.check())
        assert answers[-1] == expected
        assert (z3.sat in answers[:-1]) == (expected == z3.sat)


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "field", "where"),
    [
        ({"good": "1 - p", "bad": "p"}, "data.s.bad", "p = -1"),
        ({"good": "1 - 1/(p + 1)", "bad": "1/(p + 1)"}, "data.s.good", "p = "),
        ({"good": "1 - 1/p^2", "bad": "1/p^2"}, "data.s.good", "p = "),
        ({"good": "1/4 - p^2", "bad": "3/4 + p^2"}, "data.s.good", "p = "),
    ],
)
def test_ill_formed_data_are_refused_with_a_point(
    data: dict[str, str], field: str, where: str
) -> None:
    """Negative probabilities and vanishing divisors somewhere in the domain."""
    mdp = MDP.bandit({"s": {"good": 1, "bad": 0}}, parameters={"p": (-1, 1)})
    problem = SafetyProblem(mdp, DataDistribution.from_table(mdp, {"s": data}), "1/2", "1/10")
    with pytest.raises(InputError) as refused:
        region(problem)
    assert refused.value.field == field
    assert where in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"discount": "p"}, "discount"),
        ({"regret": "2*p"}, "regret"),
        ({"epsilon": "p - 1/2"}, "epsilon"),
        ({"reward": "1 - 2*p"}, "reward"),
    ],
)
def test_thresholds_out_of_range_are_refused(changes: dict[str, str], field: str) -> None:
    """Also a reward that is constant at one point of the domain, p = 1/2."""
    mdp = MDP.from_tables(
        transitions={"s": {"a": {"s": 1}, "b": {"s": 1}}},
        reward={"s": {"a": changes.get("reward", "1"), "b": 0}},
        initial="s",
        discount=changes.get("discount", "1/2"),
        parameters={"p": (0, 1)},
    )
    data = DataDistribution.from_table(mdp, {"s": {"a": "1/2", "b": "1/2"}})
    problem = SafetyProblem(mdp, data, changes.get("regret", "1/2"), changes.get("epsilon", "1/10"))
    with pytest.raises(InputError) as refused:
        forall_safe(problem)
    assert refused.value.field == field
    assert "p = " in str(refused.value)


def test_a_constant_return_at_one_point_stays_undecided() -> None:
    """R = ((p^2 - 1/3)^2, 0): constant at an irrational p, which belongs to no proven cell."""
    mdp = MDP.bandit({"s": {"a": "(p^2 - 1/3)^2", "b": 0}}, parameters={"p": (0, 1)})
    found = region(SafetyProblem(mdp, DataDistribution.uniform(mdp), "1/2", "1/10"))
    (gap,) = found.boundaries or ()
    assert gap[0] ** 2 < Fraction(1, 3) < gap[1] ** 2
    assert found.safe == 1 - (gap[1] - gap[0])


def test_a_domain_without_points_is_refused() -> None:
    """Constraints that exclude each other."""
    mdp = MDP.bandit(
        {"s": {"good": 1, "bad": "p"}}, parameters=_space({"p": (0, "1/2")}, ["p*p > 1/2"])
    )
    problem = SafetyProblem(mdp, DataDistribution.uniform(mdp), "1/2", "1/10")
    with pytest.raises(InputError, match="no point"):
        region(problem)


@pytest.mark.parametrize(
    "expression",
    [
        "p^99999999999",
        "p^129",
        "2^9999999",
        "(" * 200 + "p" + ")" * 200,
        "1/(p - p)",
        "p/0",
        "p + undeclared",
        "__import__('os')",
        "(1 + p + q)^64*(1 + p - q)^64",
        "+".join(["p"] * 5000),
        "p**p",
        "p.real",
        "-" * 1999 + "x",
    ],
)
def test_hostile_expressions_are_refused(expression: str) -> None:
    """One clear error for each; the parser's limits keep it quick."""
    with pytest.raises(InputError):
        MDP.bandit({"s": {"a": expression, "b": 0}}, parameters={"p": (0, 1), "q": (0, 1)})


@pytest.mark.parametrize(
    ("expression", "where"), [("(2 + p + q)^60", "degree"), ("1/(p - 1/3)^2", "divisor")]
)
def test_functions_that_are_too_much_for_subdivision_are_refused(
    expression: str, where: str
) -> None:
    """A table of 61 x 61 coefficients; a divisor with a root that no bisection meets."""
    mdp = MDP.bandit({"s": {"a": expression, "b": 0}}, parameters={"p": (0, 1), "q": (0, 1)})
    problem = SafetyProblem(mdp, DataDistribution.uniform(mdp), "1/2", "1/10")
    with pytest.raises(InputError, match=where) as refused:
        region(problem)
    assert refused.value.field == "reward.s.a"


def test_limits_end_a_search_with_what_is_proven() -> None:
    """Shares so far with their certificate, an answer that is unknown, or a word about it."""
    found = region(triangle("1/30"), target=1, cell_limit=30)
    assert found.stopped == "node limit"
    assert 0 < found.undecided < 1
    assert found.certificate.check().undecided == found.undecided
    mdp = MDP.bandit({"s": {"good": 1, "bad": "p/2"}}, parameters={"p": (0, 1)})
    data = DataDistribution.from_table(mdp, {"s": {"good": "9/10", "bad": "1/10"}})
    tight = SafetyProblem(mdp, data, "1/2", "999/10000")
    verdict = forall_safe(tight, engine="tree", cell_limit=1)
    assert verdict.answer in ("safe", "unknown")
    with pytest.raises(EngineError, match="time limit"):
        region(triangle("1/30"), time_limit=1e-9)


def test_ground_problems_and_missing_tolerances_are_refused() -> None:
    """These questions need parameters and an epsilon."""
    with pytest.raises(InputError, match="parameters"):
        region(rare().at(p="1/5"))
    problem = rare()
    with pytest.raises(InputError, match="epsilon"):
        region(SafetyProblem(problem.mdp, problem.data, problem.regret))
    with pytest.raises(InputError, match="target"):
        region(problem, target=2)
    with pytest.raises(InputError, match="engine"):
        forall_safe(problem, engine="magic")


# -- corrupted certificates ------------------------------------------------------------------------


def small_certificate() -> Any:
    """The region of `rare`, with an unsafe, a safe and a half-open cell."""
    return json.loads(region(rare()).certificate.to_json())


def refused(document: Any) -> tuple[str, str]:
    """The step and the rule at which a document is refused."""
    with pytest.raises(checker.Rejected) as refusal:
        checker.check(document)
    return refusal.value.step, refusal.value.rule


def test_the_small_certificate_is_valid() -> None:
    """And names its shares, and that one of its cells is proven without its edges."""
    result = checker.check(small_certificate())
    shares = "shares of the parameters' box: 4/5 safe, 1/5 unsafe, 0 undecided"
    assert result.sentence == f"{shares}; cells without their edges: 1"
    assert replace(result, interiors=0).sentence == shares


def test_a_domain_on_the_edge_of_a_cell_is_not_said_to_be_safe() -> None:
    """Where p <= 1/10 leaves an end of [1/10, 1/5], which is unsafe, the share of 1 says so."""
    document = json.loads(region(rare("1/10", "1/5")).certificate.to_json())
    document["problem"]["parameters"]["constraints"] = [[["1/10", 0], ["-1", 1]]]
    document["digest"] = checker.digest(document["problem"])
    assert decide(rare().at(p="1/10")).answer == "unsafe"
    result = checker.check(document)
    assert (result.safe, result.interiors) == (1, 1)
    whole = forall_safe(rare("3/20", "1/5"), engine="tree").certificate
    assert whole is not None
    assert checker.check(whole.document).interiors == 0


def proof_of(document: Any, key: str) -> int:
    return next(i for i, p in enumerate(document["evidence"]["proofs"]) if key in p)


def cell_with(document: Any, key: str) -> int:
    cells = document["evidence"]["cells"]
    return next(i for i, c in enumerate(cells) if isinstance(c, dict) and key in c)


def test_false_shares_are_refused() -> None:
    """The checker adds the cells up itself."""
    document = small_certificate()
    document["claim"]["safe"] = "1"
    assert refused(document) == ("claim.safe", "cells")


def test_cells_must_cover_the_box() -> None:
    """Neither too few nor too many, and cuts lie strictly inside."""
    document = small_certificate()
    document["evidence"]["cells"].pop()
    assert refused(document) == ("evidence.cells", "cells")
    document = small_certificate()
    document["evidence"]["cells"].append("undecided")
    assert refused(document)[1] == "cells"
    document = small_certificate()
    cut = next(i for i, c in enumerate(document["evidence"]["cells"]) if isinstance(c, list))
    document["evidence"]["cells"][cut][1] = "1/2"
    assert refused(document) == (f"evidence.cells[{cut}]", "cells")


def test_an_open_cell_is_not_a_closed_one() -> None:
    """At p = 1/10 itself the problem is unsafe: the cell that starts there is open."""
    document = small_certificate()
    cells = document["evidence"]["cells"]
    place = cell_with(document, "interior")
    cells[place] = {"proof": cells[place]["interior"]}
    assert refused(document) == (f"evidence.cells[{place}]", "circulation.4")


def test_a_proof_of_one_cell_does_not_serve_another() -> None:
    """The safe and the unsafe proof exchanged, or used for the whole box."""
    document = small_certificate()
    for key, rule in (("tree", "circulation.4"), ("witness", "witness.1")):
        place = proof_of(document, key)
        whole = copy.deepcopy(document)
        whole["evidence"]["cells"] = [{"proof": place}]
        assert refused(whole) == ("evidence.cells[0]", rule)


def changed(*path: Any, value: Any) -> tuple[str, str]:
    """Where the small certificate is refused after one change in a proof."""
    document = small_certificate()
    key = "witness" if path[0] == "witness" else "tree"
    at = document["evidence"]["proofs"][proof_of(document, key)]
    for step in path[:-1]:
        at = at[step]
    assert at[path[-1]] != value
    at[path[-1]] = value
    return refused(document)


def leaf_path(kind: str) -> list[Any]:
    document = small_certificate()
    tree = document["evidence"]["proofs"][proof_of(document, "tree")]["tree"]
    return ["tree", next(i for i, node in enumerate(tree) if kind in node), kind]


def test_each_rule_of_a_proof_is_checked() -> None:
    """One change for each rule; all are caught by the rule that they break."""
    assert changed("witness", "errors", 0, 1, value="0")[1] == "witness.2"
    assert changed("witness", "errors", 0, 1, value="2")[1] == "witness.1"
    assert changed("witness", "policy_value", value=["2"])[1] == "witness.3"
    assert changed("witness", "policy_value", value=["-1"])[1] == "witness.3"
    assert changed("witness", "policy", value=[0])[1] == "witness.3"
    assert changed("best", value=["1/2"])[1] == "returns"
    assert changed("worst", value=["-1"])[1] == "returns"
    assert changed("range", value=["1/2", "0"])[1] == "range"
    assert changed("range", value=["1", "1/2"])[1] == "range"
    assert changed("policy", value=[0])[1] == "returns"
    assert changed(*leaf_path("value"), value=["2"])[1] == "value"
    for at_most_the_threshold in ("1/3", "1/2"):
        assert changed(*leaf_path("value"), value=[at_most_the_threshold])[1] == "value"
    flow = leaf_path("circulation")
    assert changed(*flow, value=[[0, 0, "1/2"]])[1] == "circulation.1"
    assert changed(*flow, value=[[0, 0, "1"], [0, 1, "-1"]])[1].startswith("circulation")
    assert changed(*flow, value=[[0, 0, "0"], [0, 0, "0"]])[1] == "circulation"
    assert changed(*flow, value=[])[1] == "circulation.4"
    assert changed(*flow[:-1], value={"duplicate": {}})[1] == "format"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("problem", "parameters", "box"), [["0", "1/2"], ["0", "1"]]),
        (("problem", "parameters", "box"), [["0", "1/2", "1"]]),
        (("problem", "transitions", 0, 0), [[0, "1", "1"]]),
        (("evidence", "proofs", 0, "range"), [[0, 0], [0, 1], [0, 1]]),
        (("evidence", "proofs", 1, "range"), ["1", "0", "0"]),
    ],
)
def test_lists_of_a_wrong_length_are_refused(path: tuple[Any, ...], value: object) -> None:
    """One entry too many, though the first ones would do."""
    document = small_certificate()
    at = document
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    document["digest"] = checker.digest(document["problem"])
    assert refused(document)[1] == "format"


@pytest.mark.parametrize(
    ("value", "errors"), [("1/2", ["0", "1/2"]), ("2", ["-1", "2"]), ("1/2", ["1/2", "0"])]
)
def test_errors_of_a_witness_are_those_of_its_values(value: str, errors: list[str]) -> None:
    """Cheap would be: a good action that stays better, an error below 0, a bad one that stays."""
    document = small_certificate()
    witness = document["evidence"]["proofs"][proof_of(document, "witness")]["witness"]
    witness |= {"value": [value], "errors": [errors]}
    assert refused(document)[1] == "witness.2"


def test_a_family_in_which_nothing_matters_is_not_unsafe() -> None:
    """All returns are the best one, and no reward model costs anything."""
    document = small_certificate()
    proof = document["evidence"]["proofs"][proof_of(document, "witness")]
    proof |= {"worst": ["1"], "witness": proof["witness"] | {"policy_value": ["1"]}}
    proof["witness"]["errors"] = [["0", "0"]]
    document["problem"]["reward"] = [["1", "1"]]
    document["digest"] = checker.digest(document["problem"])
    document["evidence"] = {"proofs": [proof], "cells": [{"proof": 0}]}
    document["claim"] |= {"safe": "0", "unsafe": "1"}
    assert refused(document) == ("evidence.cells[0]", "returns")


def test_a_circulation_may_take_from_forced_pairs_alone() -> None:
    """A negative flow at the root, where nothing is forced, breaks rule 3."""
    document = small_certificate()
    tree = [{"circulation": [[0, 0, "1/4"], [0, 1, "-1/4"]]}]
    place = proof_of(document, "tree")
    document["evidence"]["proofs"][place]["tree"] = tree
    assert refused(document)[1] == "circulation.3"


def test_the_problem_itself_must_be_well_formed() -> None:
    """Negative data, rows that do not sum to 1, divisors that vanish, thresholds out of range."""

    def with_problem(**changes: Any) -> tuple[str, str]:
        document = small_certificate()
        document["problem"].update(changes)
        document["digest"] = checker.digest(document["problem"])
        return refused(document)

    one_minus_p = [[["1", 0], ["-1", 1]], [["1", 0]]]
    p = [[["1", 1]], [["1", 0]]]
    assert with_problem(data=[[one_minus_p, one_minus_p]]) == ("problem.data", "problem")
    assert with_problem(data=[["2", "-1"]])[1] == "problem"
    assert with_problem(discount="1")[1] == "problem"
    assert with_problem(initial=["2"]) == ("problem.initial", "problem")
    assert with_problem(discount=[[["1", 1]], []])[1] == "divisor"
    assert with_problem(discount=[[["1", 1]], [["1", 1]]])[1] == "divisor"
    assert with_problem(reward=[[p, one_minus_p]])[1] != "format"
    twice = [[[[0, "1/2"], [0, "1/2"]], [[0, "1"]]]]
    assert with_problem(transitions=twice) == ("problem.transitions[0][0]", "problem")


LONG = 10**3000
LABORIOUS: dict[str, tuple[list[Any], str]] = {
    "sums of quotients": (
        [[[["1", 0]], [[str(i), 0], ["1", 1]]] for i in range(2, 30)],
        "evidence",
    ),
    "sums of long numbers": (
        [[[[f"1/{LONG + i}", i]], [["1", 0]]] for i in range(30)],
        "problem.data",
    ),
    "a monomial in pieces": (
        [[[[f"1/{LONG + i}", 0] for i in range(9)], [["1", 0]]]],
        "problem.data[0][0]",
    ),
}


@pytest.mark.parametrize(("data", "step"), LABORIOUS.values(), ids=LABORIOUS)
def test_arithmetic_of_functions_is_counted(
    data: list[Any], step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It refuses what would grow beyond the limit of work before it has grown."""
    document = small_certificate()
    monkeypatch.setattr(checker, "MAX_WORK", 10_000)
    document["problem"]["data"] = [data]
    document["problem"]["actions"] = [[str(i) for i in range(len(data))]]
    for key in ("reward", "transitions"):
        document["problem"][key] = [document["problem"][key][0][:1] * len(data)]
    document["digest"] = checker.digest(document["problem"])
    with pytest.raises(checker.Malformed) as caught:
        checker.check(document)
    assert "steps of work" in caught.value.reason
    assert caught.value.step == step


def test_claims_out_of_range_are_refused() -> None:
    """Also where only part of the box is affected."""
    for key, value in (("regret", "2"), ("epsilon", "0"), ("regret", "0")):
        document = small_certificate()
        document["claim"][key] = value
        assert refused(document)[1] == "claim"


def test_an_outside_cell_must_be_outside() -> None:
    """A constraint that holds somewhere on the cell excludes nothing."""
    document = json.loads(region(triangle("1/30"), cell_limit=20).certificate.to_json())
    assert checker.check(document).kind == "region"
    cells = document["evidence"]["cells"]
    place = cells.index("undecided")
    cells[place] = {"outside": 0}
    assert refused(document) == (f"evidence.cells[{place}]", "cells")
    cells[place] = {"outside": 5}
    assert refused(document)[1] == "format"


def test_a_point_where_a_constraint_is_tight_is_not_outside() -> None:
    """The cell begins at p = 1/10, where p <= 1/10 holds."""
    document = small_certificate()
    document["problem"]["parameters"]["constraints"] = [[["1/10", 0], ["-1", 1]]]
    document["digest"] = checker.digest(document["problem"])
    outside = {"outside": 0}
    document["evidence"]["cells"] = [[0, "1/4"], [0, "1/10"], {"proof": 0}, outside, outside]
    assert refused(document) == ("evidence.cells[3]", "cells")


def test_a_certificate_is_refused_as_a_whole() -> None:
    """`Certificate.check` reports the step and the rule."""
    document = small_certificate()
    document["claim"]["undecided"] = "1"
    with pytest.raises(CertificateRejected):
        Certificate(document).check()


def numbers_in(value: Any) -> list[tuple[Any, Any]]:
    """Every place of a JSON value where a number is written, as (container, key)."""
    found = []
    waiting = [value]
    while waiting:
        at = waiting.pop()
        entries = at.items() if isinstance(at, dict) else enumerate(at)
        for key, inner in entries:
            if isinstance(inner, (dict, list)):
                waiting.append(inner)
            elif isinstance(inner, (int, str)) and inner != "undecided":
                found.append((at, key))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_what_survives_a_random_change_is_still_true(seed: int) -> None:
    """Evidence with one changed number is refused, or proves something that the engine confirms."""
    random = Random(seed)
    problems = [rare(), triangle("1/30"), *well_formed_families(4, start=500 + 100 * seed)]
    accepted = 0
    for problem in problems:
        intact = json.loads(region(problem, cell_limit=20, target="9/10").certificate.to_json())
        for _ in range(40):
            document = copy.deepcopy(intact)
            at, key = random.choice(numbers_in(document["evidence"]))
            if isinstance(at[key], int):
                at[key] = max(0, at[key] + random.choice([-1, 1]))
            else:
                old = Fraction(at[key])
                new = random.choice([Fraction(0), -old, old / 2, old * 2, old + 1, old - 1])
                at[key] = str(new)
            try:
                checker.check(document)
            except checker.Rejected:
                continue
            accepted += 1
            for box, kind in decided_boxes(document):
                point = {
                    name: low + (high - low) * Fraction(random.randint(1, 99), 100)
                    for name, (low, high) in zip(problem.mdp.parameters.names, box, strict=True)
                }
                if problem.mdp.parameters.contains(point):
                    assert decide(problem.at(**point)).answer == kind
    assert accepted > 0


def decided_boxes(document: Any) -> list[tuple[Any, str]]:
    """Up to three decided cells of a certificate, and what it says of them."""
    space, evidence = document["problem"]["parameters"], document["evidence"]
    pending = [[(Fraction(low), Fraction(high)) for low, high in space["box"]]]
    found = []
    for cell in evidence["cells"]:
        box = pending.pop()
        if isinstance(cell, list):
            axis, cut = cell[0], Fraction(cell[1])
            low, high = box[axis]
            pending.append([*box[:axis], (cut, high), *box[axis + 1 :]])
            pending.append([*box[:axis], (low, cut), *box[axis + 1 :]])
        elif isinstance(cell, dict) and "outside" not in cell:
            (place,) = cell.values()
            found.append((box, "safe" if "tree" in evidence["proofs"][place] else "unsafe"))
    return found[:3]


# -- the command line ------------------------------------------------------------------------------


def symsafe(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "symsafe", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_region_prints_exact_shares() -> None:
    """As text and as JSON; exit status 0, and 3 when the target is not reached."""
    name = str(FAMILIES / "rare-style.toml")
    text = symsafe("region", name)
    assert text.returncode == 0
    assert text.stdout.split()[:3] == ["safe", "0.2", "1/5"]
    assert text.stdout.endswith("boundary    1/25\n")
    found = json.loads(symsafe("region", name, "--json").stdout)
    shares = [Fraction(found[key]) for key in ("safe", "unsafe", "undecided", "outside")]
    assert shares == [Fraction(1, 5), Fraction(4, 5), 0, 0]
    assert found["boundaries"] == [["1/25", "1/25"]]
    assert symsafe("region", name, "--cell-limit", "1").returncode == 3


def test_decide_and_radius_on_a_family(tmp_path: Path) -> None:
    """A point with an ordinary certificate; a proof for all; the radius as a function."""
    out = tmp_path / "certificate.json"
    unsafe = symsafe("decide", str(FAMILIES / "rare-style.toml"), "--certificate", str(out))
    assert unsafe.returncode == 1
    assert unsafe.stdout.splitlines()[:2] == ["unsafe", "at p = 0"]
    assert checker.check_file(str(out)).kind == "unsafe"
    safe = symsafe(
        "decide", str(FAMILIES / "safe-family.toml"), "--certificate", str(out), "--json"
    )
    assert safe.returncode == 0
    found = json.loads(safe.stdout)
    assert (found["verdict"], found["rests_on"], found["undecided"]) == ("safe", "certificate", "0")
    checked = symsafe("check", str(out), "--against", str(FAMILIES / "safe-family.toml"))
    assert checked.returncode == 0, checked.stderr
    curve = symsafe("radius", str(FAMILIES / "rare-style.toml"))
    assert (curve.returncode, curve.stdout) == (0, "0 < p < 1/20: radius p\n")


def test_the_checker_alone_verifies_a_region(tmp_path: Path) -> None:
    """Copied to a place without symsafe, run by a bare interpreter."""
    document = tmp_path / "region.json"
    region(rare()).certificate.save(document)
    copied = tmp_path / "checker.py"
    copied.write_bytes(Path(checker.__file__).read_bytes())
    run = subprocess.run(
        [sys.executable, "-I", "-S", str(copied), str(document)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("valid\nshares of the parameters' box: 4/5 safe")


def test_the_schema_describes_a_region() -> None:
    """The JSON Schema accepts what the engine writes, and refuses another shape."""
    schema = jsonschema.Draft202012Validator(
        json.loads((Path(checker.__file__).parent / "certificate.schema.json").read_text())
    )
    document = small_certificate()
    assert list(schema.iter_errors(document)) == []
    assert schema.is_valid(
        json.loads(region(triangle("1/30"), cell_limit=60).certificate.to_json())
    )
    document["evidence"]["cells"][-1] = {"proof": 0, "outside": 0}
    assert not schema.is_valid(document)


# -- pictures --------------------------------------------------------------------------------------


def test_regions_of_one_and_two_parameters_are_drawn() -> None:
    """One rectangle a cell, the boundary as a line, and a legend of what occurs."""
    ax = plot_region(region(rare()))
    assert len(ax.patches) == 4
    assert len(ax.lines) == 1
    assert ax.get_xlabel() == "p"
    flat = region(triangle("1/30"), cell_limit=60)
    ax = plot_region(flat)
    assert len(ax.patches) == len(flat.cells)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("p", "q")
    words = {text.get_text() for text in ax.get_legend().get_texts()}
    assert words == {cell.state for cell in flat.cells}
    plt.close("all")


def test_three_parameters_are_not_drawn() -> None:
    """The data are there all the same."""
    mdp = MDP.bandit({"s": {"a": "1 + p + q + r", "b": 0}}, parameters=dict.fromkeys("pqr", (0, 1)))
    found = region(SafetyProblem(mdp, DataDistribution.uniform(mdp), "1/2", "1/10"))
    assert found.safe == 1
    with pytest.raises(UnsupportedError, match="not for 3"):
        plot_region(found)


def test_products_of_polynomials_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """By their number of terms, which memory has to hold."""
    document = small_certificate()
    monkeypatch.setattr(checker, "MAX_TERMS", 0)
    with pytest.raises(checker.Malformed, match="product of polynomials"):
        checker.check(document)


CUBE, ONE = ["1", 999, 999, 999], ["1", 0, 0, 0]
LARGE_TABLES: dict[str, tuple[list[Any], Any, Any]] = {
    "a constraint that a cell is beyond": ([[["-1", 999, 999, 999], ["-1", 0, 0, 0]]], "1", 0),
    "a condition": ([], [[CUBE, ["-1", 0, 0, 0]], [ONE]], None),
    "a constraint that may prove one": ([[CUBE]], "2", None),
}


@pytest.mark.parametrize("name", LARGE_TABLES)
def test_a_table_on_a_box_is_refused_before_it_is_made(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousand millions of coefficients."""
    constraints, best, outside = LARGE_TABLES[name]
    document, bernstein = small_certificate(), checker.bernstein

    def small(p: checker.Polynomial, box: checker.Box, degrees: list[int]) -> list[int]:
        assert math.prod(n + 1 for n in degrees) <= checker.MAX_TERMS
        return bernstein(p, box, degrees)

    monkeypatch.setattr(checker, "bernstein", small)
    document["problem"]["parameters"] = {
        "names": ["p", "q", "r"],
        "box": [["0", "1/2"]] * 3,
        "constraints": constraints,
    }
    document["problem"]["data"] = [["1/2", "1/2"]]
    if best == "2":  # data with a condition of their own: p is at least 0
        rest, p = [ONE, ["-1", 1, 0, 0]], [["1", 1, 0, 0]]
        document["problem"]["data"] = [[[rest, [ONE]], [p, [ONE]]]]
    witness = {"policy": [1], "policy_value": ["0"], "value": ["1"], "errors": [["0", "1"]]}
    proof = {"policy": [0], "best": [best], "worst": ["0"], "range": [[0, 0], [0, 1]]}
    cell = {"proof": 0} if outside is None else {"outside": outside}
    document["evidence"] = {"proofs": [proof | {"witness": witness}], "cells": [cell]}
    document["claim"] |= {"safe": "0", "unsafe": "1", "undecided": "0"}
    document["digest"] = checker.digest(document["problem"])
    with pytest.raises(checker.Malformed, match="coefficients of a condition"):
        checker.check(document)


def random_polynomial(random: Random, count: int) -> dict[tuple[int, ...], Fraction]:
    """Return a polynomial with small powers and coefficients; 0 is one of them."""
    terms = {
        tuple(random.randint(0, 2) for _ in range(count)): Fraction(
            random.randint(-3, 3), random.choice([1, 1, 2])
        )
        for _ in range(random.randint(0, 4))
    }
    return {powers: x for powers, x in terms.items() if x}


@pytest.mark.parametrize("block", range(4))
def test_both_checkers_see_the_same_signs(block: int) -> None:
    """Of 4,000 random polynomials on boxes, with conditions or without, ties included."""
    random, counts = Random(block), dict.fromkeys((True, False), 0)
    for _ in range(1000):
        count = random.choice([1, 1, 2])
        ring = fmpq_mpoly_ctx.get([f"p{k}" for k in range(count)], Ordering.lex)
        box = []
        for _ in range(count):
            low = Fraction(random.randint(-2, 2), random.choice([1, 2, 3]))
            box.append((low, low + Fraction(random.randint(1, 4), random.choice([1, 2, 3]))))
        p, *bounds = (random_polynomial(random, count) for _ in range(random.choice([1, 2, 2, 3])))
        if bounds and random.random() < 1 / 2:  # a multiple of a condition, and perhaps more
            sum_of = {powers: random.randint(0, 2) * x for powers, x in bounds[-1].items()}
            for powers, x in random_polynomial(random, count).items():
                if random.random() < 1 / 3:
                    sum_of[powers] = sum_of.get(powers, Fraction(0)) + x
            p = {powers: x for powers, x in sum_of.items() if x}
        strict, interior = random.random() < 1 / 2, random.random() < 1 / 2
        found = checker.proven(p, strict, box, bounds, interior)
        first, *others = (
            ring.from_dict({powers: fmpq(str(x)) for powers, x in q.items()}) for q in (p, *bounds)
        )
        ends = [(fmpq(str(low)), fmpq(str(high))) for low, high in box]
        other = second_checker.families.proven(first, strict, ends, others, interior)
        assert found == other, (p, strict, box, bounds, interior)
        counts[found] += 1
    assert min(counts.values()) > 100


def test_looking_for_a_sign_is_counted() -> None:
    """At least a step for each Bernstein coefficient, and again for each condition."""
    random, box = Random(0), [(Fraction(1, 3), Fraction(5, 7))] * 2
    for _ in range(100):
        p, q = ({(0, 0): Fraction(1)} | random_polynomial(random, 2) for _ in range(2))

        def coefficients(*polynomials: dict[tuple[int, ...], Fraction]) -> int:
            first, second = (
                1 + max(powers[k] for x in polynomials for powers in x) for k in range(2)
            )
            return first * second

        alone, both = checker.effort(p, box, []), checker.effort(p, box, [q])
        assert alone > coefficients(p)
        assert both >= alone + coefficients(p, q)
