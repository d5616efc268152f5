"""The compiled search against the plain one and against brute force."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from fractions import Fraction
from itertools import product
from random import Random

import numpy as np
import pytest
from instances import random_instance, random_sparse, to_problem, vertex_cover
from oracle import safety_radius

from symsafe import MDP, DataDistribution, Policy, SafetyProblem, loads_problem, problems
from symsafe.analysis.occupancy import occupancy
from symsafe.analysis.policies import deterministic_policies
from symsafe.analysis.values import expected_return
from symsafe.certificate import radius_certificate, safe_certificate
from symsafe.engine import fast, forest, kernel, tree
from symsafe.engine.fast import fast_search, model_of
from symsafe.engine.leaves import LeafMaker
from symsafe.engine.limits import Limits, Within
from symsafe.engine.question import Question
from symsafe.engine.relaxation import Guide
from symsafe.engine.tree import Outcome
from symsafe.errors import InputError


def solve(problem: SafetyProblem, enough: Fraction | None = None) -> tuple[Question, Outcome]:
    question = Question.of(problem)
    target = None if enough is None else enough * question.reward_range
    return question, fast_search(question, Limits(), enough=target)


def check(question: Question, outcome: Outcome) -> Fraction:
    scale = question.reward_range
    lower, upper = outcome.lower / scale, outcome.witness.cost / scale
    radius_certificate(question, lower, upper, outcome.root, outcome.witness).check()
    assert lower == upper
    return lower


@pytest.mark.parametrize("chunk", range(6))
def test_the_compiled_radius_equals_brute_force(chunk: int) -> None:
    """Ties, zeros in D, unreachable and absorbing states, single actions, discount 0."""
    for seed in range(chunk * 50, (chunk + 1) * 50):
        instance = random_instance(seed)
        assert check(*solve(to_problem(instance))) == safety_radius(instance), seed


def test_a_node_whose_only_policy_answers_the_question_is_left_open() -> None:
    """Floats had missed that it costs exactly epsilon: instance 5,246 of the campaign."""
    mdp = MDP.bandit({"s": {"good": 2, "fair": 1, "bad": 0}})
    data = DataDistribution.from_table(mdp, {"s": {"good": "1/2", "fair": "1/8", "bad": "3/8"}})
    question, outcome = solve(SafetyProblem(mdp, data, "1/2"))
    exact = tree.Search(question, Limits(), outcome.witness.cost, None)
    assert exact.witness.cost > outcome.witness.cost
    exact.close(tree.Node(((1,),)))
    assert exact.settled()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("level", ["1/10", "1/2", "9/10"])
def test_the_compiled_radius_equals_that_of_the_plain_search(level: str, seed: int) -> None:
    """Two searches that share only the exact leaves."""
    problem = to_problem(random_sparse(7, 3, seed=seed, regret=Fraction(level)))
    plain = tree.search(Question.of(problem), Limits())
    question, outcome = solve(problem)
    assert check(question, outcome) == plain.lower / question.reward_range


def test_a_known_answer_that_is_hard_by_construction() -> None:
    """Vertex cover of the cycle of five: three vertices."""
    edges = [(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)]
    share = Fraction(1, 2)
    assert check(*solve(to_problem(vertex_cover(edges, 5, share)))) == 3 * (1 - share) / 10


@pytest.mark.parametrize("seed", range(40))
def test_the_compiled_decision_is_safe_exactly_below_the_radius(seed: int) -> None:
    """At the radius a witness is found; just below it there is a tree that the checker accepts."""
    instance = random_instance(seed)
    exact_radius = safety_radius(instance)
    question, outcome = solve(to_problem(instance), exact_radius)
    assert outcome.witness.cost <= exact_radius * question.reward_range
    for share in (1 - Fraction(1, 10**12), Fraction(1, 2)):
        if exact_radius:
            question, outcome = solve(to_problem(instance), exact_radius * share)
            assert outcome.lower > exact_radius * share * question.reward_range
            safe_certificate(question, exact_radius * share, outcome.root).check()


@pytest.mark.parametrize("nodes", [1, 40, 200])
def test_a_stopped_compiled_search_leaves_certified_bounds(nodes: int) -> None:
    """What is open is closed with the bound that it has."""
    problem = to_problem(random_sparse(11, 4, seed=3, regret=Fraction(1, 2)))
    exact_radius = check(*solve(problem))
    question = Question.of(problem)
    outcome = fast_search(question, Limits(nodes=nodes))
    assert outcome.stopped == "node limit"
    lower, upper = (x / question.reward_range for x in (outcome.lower, outcome.witness.cost))
    assert lower <= exact_radius <= upper
    radius_certificate(question, lower, upper, outcome.root, outcome.witness).check()


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.5, float("nan")])
def test_a_lying_kernel_costs_time_but_never_the_answer(
    monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    """Wrong multipliers, bounds and leaves without a flow leave the radius exact."""
    honest = kernel.search

    def lie(model: kernel.Model, pool: kernel.Pool, *rest: object) -> tuple[int, int]:
        found = honest(model, pool, *rest)  # type: ignore[arg-type]
        leaves = pool.kind == kernel.CIRCULATION
        pool.kappa[leaves] *= factor
        return found

    monkeypatch.setattr(kernel, "search", lie)
    for seed in range(15):
        instance = random_instance(seed)
        assert check(*solve(to_problem(instance))) == safety_radius(instance), seed


def test_leaves_of_the_wrong_kind_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that is no leaf is searched exactly."""
    honest = kernel.search

    def lie(model: kernel.Model, pool: kernel.Pool, *rest: object) -> tuple[int, int]:
        found = honest(model, pool, *rest)  # type: ignore[arg-type]
        pool.kind[pool.kind == kernel.CIRCULATION] = kernel.VALUE
        return found

    monkeypatch.setattr(kernel, "search", lie)
    for seed in range(15):
        instance = random_instance(seed)
        assert check(*solve(to_problem(instance))) == safety_radius(instance), seed


def text(problem: SafetyProblem, workers: int) -> str:
    question = Question.of(problem)
    outcome = fast_search(question, Limits(workers=workers))
    scale = question.reward_range
    lower, upper = outcome.lower / scale, outcome.witness.cost / scale
    return radius_certificate(question, lower, upper, outcome.root, outcome.witness).to_json()


def test_the_same_question_gives_the_same_tree_whatever_the_workers() -> None:
    """Threads expand nodes and processes close leaves; the certificate has the same bytes."""
    problem = to_problem(random_sparse(11, 4, seed=0, regret=Fraction(1, 2)))
    alone = text(problem, 1)
    assert alone.count("circulation") > 500  # enough for several processes
    assert text(problem, 1) == text(problem, 3) == alone


@pytest.mark.parametrize("name", ["frozenlake-uniform", "vertex-cover"])
def test_ties_are_broken_alike_whatever_the_workers(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """What a worker did before does not show where programmes have several solutions."""
    problem = loads_problem(problems.text(name))
    alone = text(problem, 1)
    monkeypatch.setattr(forest, "_MANY", 8)
    assert text(problem, 2) == alone


def test_a_programme_has_one_solution_whatever_was_solved_before() -> None:
    """FrozenLake has ties, and what was left of another leaf once decided between them."""
    question = Question.of(loads_problem(problems.text("frozenlake-uniform")))
    guide = Guide(question)
    model, nothing = model_of(question, guide, 0.0), np.zeros(guide.pairs)
    allowed = np.ones(guide.pairs, np.bool_)
    allowed[:12] = np.arange(12) % 4 == 0
    found = []
    for left in (False, True):
        room = kernel.linear(guide.states, guide.pairs)
        room.top[:] = left
        kernel.flow(model, room, model.worst, allowed, nothing, 0.0, nothing)
        found.append((room.basis.tolist(), room.value.tolist(), room.top[room.place < 0].tolist()))
    assert found[0] == found[1]


def test_leaves_are_closed_here_if_there_are_no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool that breaks costs time only."""

    def broken(*_: object) -> None:
        raise BrokenProcessPool

    problem = to_problem(random_sparse(11, 4, seed=0, regret=Fraction(1, 2)))
    alone = text(problem, 1)
    monkeypatch.setattr(forest, "ProcessPoolExecutor", broken)
    assert text(problem, 2) == alone


def test_workers_are_a_positive_whole_number() -> None:
    """Not 0, not True."""
    for workers in (0, -1, True, 1.0):
        with pytest.raises(InputError, match="workers"):
            Limits(workers=workers)  # type: ignore[arg-type]


def test_hitting_bounds_are_those_of_the_plain_guide() -> None:
    """Compiled sweeps and numpy sweeps agree."""
    question = Question.of(to_problem(random_sparse(8, 3, seed=4, regret=Fraction(1, 2))))
    guide = Guide(question)
    allowed = np.arange(guide.pairs) % 3 != 1
    reach = np.ones((guide.states, guide.states))
    kernel.hitting(model_of(question, guide, 0.0), allowed, reach, 500)
    np.testing.assert_allclose(reach.T, guide.hitting(allowed), atol=1e-7)


@pytest.mark.parametrize("seed", [105, 106, 107])
def test_a_bad_policy_that_data_never_see_costs_nothing(seed: int) -> None:
    """Local search ends although in floats its cost is just below 0."""
    instance, random = random_sparse(10, 4, seed=seed, regret=Fraction(1, 10)), Random(-1 - seed)
    weights = [w if random.random() < 0.75 else Fraction(0) for w in instance.weights]
    unseen = replace(instance, weights=tuple(w / sum(weights) for w in weights))
    question, outcome = solve(to_problem(unseen))
    assert check(question, outcome) == 0


def test_no_occupancy_bound_exceeds_the_horizon() -> None:
    """A price that is right for one action may say nothing of another."""
    question = Question.of(loads_problem(problems.text("tight-bandit")))
    leaves = LeafMaker(question)
    every = tuple(tuple(row) for row in question.mdp.pair_ranges)
    found = leaves.visits(every, {(0, Fraction(100)): (Fraction(1),) * len(every)})
    assert max(found.values()) == leaves.horizon
    assert min(found.values()) < leaves.horizon


@pytest.mark.parametrize("seed", range(6))
def test_priced_bounds_hold_for_the_occupancy_of_every_bad_policy(seed: int) -> None:
    """And not for that of all policies: they are sharper than hitting bounds."""
    question = Question.of(to_problem(random_sparse(5, 3, seed=seed, regret=Fraction(9, 10))))
    guide, mdp = Guide(question), question.mdp
    model, allowed = model_of(question, guide, 0.0), np.ones(guide.pairs, np.bool_)
    visits, values, price = (np.zeros(n) for n in (guide.pairs, guide.states, guide.pairs))
    kernel.visited(model, allowed, model.reach, visits)
    before = visits.copy()
    kernel.worst(model, allowed, model.worst.copy(), np.zeros((5, 5)), values)
    kernel.priced(model, allowed, model.reach, values, np.inf, 20, visits, price.astype(np.int64))
    most = np.zeros(guide.pairs)
    for choices in deterministic_policies(mdp):
        policy = Policy.deterministic(mdp, choices)
        measure = np.array([float(x) for x in occupancy(mdp, policy)])
        assert (measure <= before + 1e-9).all()
        if expected_return(mdp, policy) <= question.bad_return:
            most = np.maximum(most, measure)
    assert (most <= visits + 1e-9).all()
    assert (visits < before - 0.1).any()


def bandit(seed: int, states: int = 3) -> SafetyProblem:
    """Ties, zeros in the data, single actions; every context is met."""
    random = Random(seed)
    table = {
        f"s{s}": {f"a{a}": random.randint(0, 4) for a in range(random.randint(1, 5))}
        for s in range(states)
    }
    table["s0"] |= {"best": 5, "worst": -1}
    mdp = MDP.bandit(table)
    counts = {s: {a: random.choice([0, 1, 1, 2, 9]) for a in row} for s, row in table.items()}
    counts["s0"]["worst"] = 1
    return SafetyProblem(mdp, DataDistribution.from_counts(mdp, counts), "1/2")


def test_the_prices_of_a_bandit_sum_to_what_policies_cost() -> None:
    """Instead of a linear programme for each policy."""
    for seed in range(10):
        guide = Guide(Question.of(bandit(seed)))
        price = fast.prices(guide)
        for choices in product(*guide.pair_ranges):
            cost = guide.policy_cost(np.array(choices))
            assert price[list(choices)].sum() == pytest.approx(cost * guide.pairs, abs=1e-9)


def test_with_prices_the_radius_of_a_bandit_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The local search proposes, and no more."""
    for seed in range(20):
        exact = check(*solve(bandit(seed)))
        with monkeypatch.context() as patched:
            patched.setattr(fast, "_PRICED", 0)
            assert check(*solve(bandit(seed))) == exact


def test_a_kernel_that_has_to_halt_leaves_what_it_was_given() -> None:
    """The policy that was known, the node as it was: open."""
    question = Question.of(to_problem(random_sparse(11, 4, seed=3, regret=Fraction(1, 2))))
    search = fast._Fast(question, Limits(), None, None, None)
    search._plant()
    search.model.halt[0] = True
    before = search.best.copy()
    found = search._climbed(search.room[0], np.array([1]), before)
    assert (found == before).all()
    assert kernel.search(search.model, search.pool, *search.room, 1.0, 1.0, 9)[0] == kernel.PAUSED
    assert search.pool.counts[:3].tolist() == [1, 1, 0]
    search.model.halt[0] = False
    outcome = search.run()
    assert check(question, outcome) == check(*solve(question.problem))


def test_a_node_that_is_not_expanded_to_the_end_stays_open() -> None:
    """A state of many actions takes seconds, and is left in the middle."""
    count = 2000
    mdp = MDP.bandit({"s": {f"a{a}": a for a in range(count)}})
    question = Question.of(SafetyProblem(mdp, DataDistribution.uniform(mdp), "1/2"))
    search = fast._Fast(question, Limits(), None, None, None)
    search.pool = fast.new_pool(4 * count + 2, 1, count)
    search._plant()
    pool, halt = search.pool, search.model.halt
    with ThreadPoolExecutor(1) as crew:
        task = crew.submit(kernel.search, search.model, pool, *search.room, 1.0, 1.0, 1)
        while pool.counts[2] == 0 and not task.done():
            time.sleep(0.001)
        halt[0] = True
        assert task.result() == (kernel.PAUSED, -1)
    assert pool.counts[:3].tolist() == [1, 1, 1]
    assert (pool.heap[0], pool.kind[0], pool.source[0]) == (0, kernel.OPEN, 0)


@pytest.mark.parametrize("name", ["climb", "search"])
def test_ctrl_c_halts_the_kernel_wherever_it_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The main thread waits for it, and sees the signal."""
    question = Question.of(to_problem(random_sparse(8, 4, seed=3, regret=Fraction(1, 2))))
    real = getattr(kernel, name)
    halted = []

    def endless(model: kernel.Model, *given: object) -> object:
        if not halted:
            signal.raise_signal(signal.SIGINT)
            late = time.monotonic() + 60
            while not model.halt[0] and time.monotonic() < late:
                time.sleep(0.001)
            halted.append(bool(model.halt[0]))
        return real(model, *given)

    monkeypatch.setattr(kernel, name, endless)
    with Limits() as limits:
        outcome = fast_search(question, limits)
    assert halted == [True]
    assert outcome.stopped == "interrupted"
    lower, upper = (x / question.reward_range for x in (outcome.lower, outcome.witness.cost))
    assert lower < upper
    radius_certificate(question, lower, upper, outcome.root, outcome.witness).check()


def test_a_search_is_overdue_by_time_and_by_ctrl_c_but_not_by_nodes() -> None:
    """Nodes are counted where they are made."""
    assert not Limits(seconds=1000, nodes=1).overdue()
    short = Limits(seconds=1e-9)
    assert short.overdue()
    assert Within(short).overdue()
    with Limits() as limits:
        signal.raise_signal(signal.SIGINT)
        assert limits.overdue()
        assert Within(limits).overdue()


@pytest.mark.parametrize(
    ("seconds", "elapsed", "cut"),
    [(1, 3.0, False), (1, 3.01, True), (2, 4, False), (None, 9, False)],
)
def test_proofs_are_cut_short_a_second_after_twice_the_time_limit(
    seconds: float | None, elapsed: float, cut: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at the limit, and never without one."""
    monkeypatch.setattr(Limits, "elapsed", elapsed)
    assert Limits(seconds).exhausted() is cut
    assert Within(Limits(seconds)).exhausted() is cut


def closed_early(question: Question, limits: Limits) -> None:
    outcome = fast_search(question, limits)
    assert outcome.nodes == 1
    lower, upper = (x / question.reward_range for x in (outcome.lower, outcome.witness.cost))
    assert lower < upper
    assert outcome.stopped == ("interrupted" if limits.interrupted else "time limit")
    radius_certificate(question, lower, upper, outcome.root, outcome.witness).check()


@pytest.mark.parametrize("workers", [1, 2])
def test_long_after_a_time_limit_the_bound_of_the_root_has_to_do(workers: int) -> None:
    """Also if it is a process that finds it so late."""

    class Late(Limits):
        def exhausted(self) -> bool:
            return True

    problem = to_problem(random_sparse(11, 4, seed=0, regret=Fraction(1, 2)))
    closed_early(Question.of(problem), Late(workers=workers))


def test_a_second_ctrl_c_leaves_the_bound_of_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first one the tree is made exact, which may take long."""
    question = Question.of(to_problem(random_sparse(8, 4, seed=3, regret=Fraction(1, 2))))
    real, calls = forest.Maker.circulation, []

    def interrupted(*given: object) -> object:
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(forest.Maker, "circulation", interrupted)
    limits = Limits()
    with pytest.raises(KeyboardInterrupt):
        fast_search(question, limits)
    calls.clear()

    class Interrupted(Limits):
        interrupted = False

        def reached(self, nodes: int = 0, reserve: float = 0.0) -> str | None:  # noqa: ARG002
            self.interrupted = nodes > 20
            return "interrupted" if self.interrupted else None

        def overdue(self) -> bool:
            return False

    closed_early(question, Interrupted())
