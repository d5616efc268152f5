"""Engines and public functions against independent oracles: one function for each subject.

Each takes a number, makes its own random problem of it, and yields what it compared and whether the
two agreed. `COMPARISONS` says how often the campaign (benchmarks/differential.py) runs each.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from math import inf
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import cvc5
import numpy as np
import z3
from bandit_oracle import bandit_radius
from instances import awkward_instance, random_instance, random_sparse, shares, to_problem
from kl_oracle import least_cost
from oracle import (
    Instance,
    bad_policies,
    corner_gaps,
    eliminate,
    from_flint,
    policy_return,
    safety_radius,
    support,
)
from regularised_oracle import regularised_radius
from relations import (
    Bounds,
    Flat,
    bandit_of,
    bandit_relations,
    contexts_of,
    flat,
    relations,
)
from scipy.optimize import linprog
from soft_oracle import Control, least_soft_cost
from test_bandit import random_bandit
from test_coverage import distance, greatest, random_set
from test_family import well_formed_families
from test_kl import lasting, random_problem, to_bandit
from test_profile import regrets
from test_regularised import EXACT, regularised
from test_robust import asked_set, least_radius
from test_samples import MOST, fewest_by_trying, random_counts
from test_theorems import FORMS, run, tolerance

from symsafe import (
    MDP,
    BanditArrays,
    DataDistribution,
    InputError,
    SafetyProblem,
    Verdict,
    critical_epsilon,
    decide,
    decide_all,
    fewest_samples,
    forall_safe,
    forall_unsafe,
    radius,
    radius_curve,
    region,
    repair,
)
from symsafe.certificate import radius_certificate
from symsafe.engine import fast, tree
from symsafe.engine.bounds import bounds
from symsafe.engine.fast import fast_search
from symsafe.engine.limits import Limits
from symsafe.engine.matrix import safety_matrix
from symsafe.engine.parametric.functions import value_at
from symsafe.engine.question import Question
from symsafe.engine.smt import to_smtlib
from symsafe.importers.arrays import from_mdptoolbox, from_numpy
from symsafe.importers.drn import from_drn
from symsafe.importers.networkx import from_networkx, to_networkx
from symsafe.model import dumps_problem, loads_problem
from symsafe.profile import radius_profile
from symsafe.theorems import theorem_4_1, theorem_4_2, theorem_6_1
from symsafe.theorems.corollary_3_4 import disjoint_bad_policies

Found = Iterator[tuple[str, bool]]

ZERO, ONE = Fraction(0), Fraction(1)
LITTLE = Fraction(1, 10**12)
NEAR = (Fraction(999, 1000), 1 - LITTLE, ONE, 1 + LITTLE, Fraction(1001, 1000))
NODES = 60


def drawn(number: int) -> Instance:
    """Half of the instances are awkward ones."""
    return random_instance(number) if number % 2 else awkward_instance(number)


def checked(verdict: Verdict) -> Verdict:
    """With its certificate checked once more, and compared with what the verdict says."""
    if verdict.certificate is not None:
        claim = verdict.certificate.check()
        kind = "radius" if verdict.answer == "unknown" or claim.kind == "radius" else verdict.answer
        if claim.kind != kind:
            raise ValueError(f"a certificate of {claim.kind} for {verdict.answer}")
        if kind == "radius" and (claim.lower, claim.upper) != (verdict.lower, verdict.upper):
            raise ValueError("other bounds in the certificate")
    return verdict


def exact_radius(problem: SafetyProblem | BanditArrays) -> Fraction:
    found = checked(radius(problem))
    if not found.is_exact or found.certificate is None:
        raise ValueError("no exact radius")
    return found.lower


def expected(truth: Fraction, epsilon: Fraction) -> str:
    return "unsafe" if truth <= epsilon else "safe"


def flattened(problem: SafetyProblem) -> Flat:
    """For the oracle, which reads the same fields."""
    return flat(problem)


# -- plain problems --------------------------------------------------------------------------------


def plain(number: int) -> Found:
    """Radius by enumeration; decisions at it, a little below and above."""
    yield from _plain(random_instance(number))


def awkward(number: int) -> Found:
    """The same for awkward instances."""
    yield from _plain(awkward_instance(number))


def _plain(instance: Instance) -> Found:
    truth = safety_radius(instance)
    yield "radius", exact_radius(to_problem(instance)) == truth
    for factor in NEAR:
        epsilon = truth * factor or LITTLE
        found = checked(decide(to_problem(instance, epsilon)))
        yield "decision", found.answer == expected(truth, epsilon)


def compiled(number: int) -> Found:
    """The compiled search: radius, and decisions at it and just below."""
    instance = drawn(number)
    truth, question = safety_radius(instance), Question.of(to_problem(instance))
    cost = truth * question.reward_range
    outcome = fast_search(question, Limits())
    yield "radius", outcome.lower == outcome.witness.cost == cost
    radius_certificate(question, truth, truth, outcome.root, outcome.witness).check()
    if truth:
        at = fast_search(question, Limits(), enough=cost)
        yield "decision", at.witness.cost <= cost
        below = fast_search(question, Limits(), enough=cost * (1 - LITTLE))
        yield "decision", below.lower > cost * (1 - LITTLE)


def by_solvers(number: int) -> Found:
    """z3: radius and decisions; z3 and cvc5: the exported query at the radius and just below."""
    instance = drawn(number)
    truth, problem = safety_radius(instance), to_problem(instance)
    yield "radius", radius(problem, engine="smt").lower == truth
    for factor in (1 - LITTLE, ONE):
        epsilon = truth * factor or LITTLE
        found = decide(replace(problem, epsilon=epsilon), engine="smt")
        yield "decision", found.answer == expected(truth, epsilon)
        question = Question.of(problem)
        text = to_smtlib(question, epsilon * question.reward_range)
        told = "sat" if truth <= epsilon else "unsat"
        solver = z3.Solver()
        solver.from_string(text)
        yield "exported query, z3", str(solver.check()) == told
        yield "exported query, cvc5", by_cvc5(text) == told


def by_cvc5(text: str) -> str:
    solver = cvc5.Solver(cvc5.TermManager())
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "query")
    symbols, answers = parser.getSymbolManager(), []
    while not (command := parser.nextCommand()).isNull():
        answers.append(command.invoke(solver, symbols).strip())
    return "".join(answers)


def stopped(number: int) -> Found:
    """Bounds of stopped searches contain the radius; going on from them ends with it."""
    instance = drawn(number)
    truth, problem = safety_radius(instance), to_problem(instance)
    part = checked(radius(problem, node_limit=1 + number % 5))
    yield "bounds", part.upper is not None and part.lower <= truth <= part.upper
    yield (
        "going on",
        exact_radius(problem) == checked(radius(problem, resume=part.certificate)).lower,
    )
    asked = replace(problem, epsilon=truth * Random(number).choice(NEAR) or LITTLE)
    told = (expected(truth, asked.epsilon), "unknown")
    for options in ({"node_limit": 1 + number % 3}, {"time_limit": 1e-6}):
        yield "stopped decision", checked(decide(asked, **options)).answer in told
    found = checked(decide(asked, resume=part.certificate))
    yield "decision, going on", found.answer == told[0]
    text = radius(problem).certificate.to_json()
    yield "workers", radius(problem, workers=2).certificate.to_json() == text


def larger(number: int) -> Found:
    """Thousands of policies: compiled and exact search, programmes of single policies, workers.

    The compiled search expands its nodes in packets as well, which only larger questions need.
    """
    random = Random(number)
    states, actions = random.choice([(7, 3), (8, 3), (6, 4), (8, 4)])
    level = random.choice([Fraction(1, 10), Fraction(1, 2), Fraction(9, 10), ONE])
    instance = random_sparse(states, actions, seed=number, regret=level)
    if number % 2:
        weights = shares(random, len(instance.weights), zeros=0.4)
        instance = replace(instance, weights=weights)
    problem = to_problem(instance)
    truth = exact_radius(problem)
    question = Question.of(problem)
    slow = tree.search(question, Limits())
    yield "exact search", slow.lower == slow.witness.cost == truth * question.reward_range
    texts = {radius(problem, workers=n).certificate.to_json() for n in (1, 2)}
    yield "workers", len(texts) == 1
    with patch.object(fast, "_ALONE", 8):
        texts = {radius(problem, workers=n).certificate.to_json() for n in (1, 2)}
        yield "packets, workers", len(texts) == 1
        yield "packets", exact_radius(problem) == truth
    part = checked(radius(problem, node_limit=30 * (1 + number % 4)))
    yield "bounds", part.upper is not None and part.lower <= truth <= part.upper
    yield "going on", checked(radius(problem, resume=part.certificate)).lower == truth
    for factor in NEAR:
        epsilon = truth * factor or LITTLE
        found = checked(decide(replace(problem, epsilon=epsilon)))
        yield "decision", found.answer == expected(truth, epsilon)
    cheapest = min(_costs_in_floats(instance, random, 300), default=inf)
    yield "policies drawn", cheapest / float(question.reward_range) >= float(truth) - 1e-9


def _costs_in_floats(instance: Instance, random: Random, count: int) -> Iterator[float]:
    """Costs of bad ones among random deterministic policies: one linear programme for each."""
    rows = np.array(
        [[float(x) for x in instance.shaping_row(p)] for p in range(len(instance.rewards))]
    )
    rewards, weights, initial = (
        np.array([float(x) for x in v])
        for v in (instance.rewards, instance.weights, instance.initial)
    )
    states = range(len(initial))
    choices = [[p for p, s in enumerate(instance.pair_states) if s == t] for t in states]
    drawn = np.array([[random.choice(own) for own in choices] for _ in range(2000)])
    returns = np.linalg.solve(rows[drawn], rewards[drawn][:, :, None])[:, :, 0] @ initial
    best, worst = _extremes(instance)
    bad = float(best - instance.regret * (best - worst)) - 1e-9
    for taken in drawn[returns <= bad][:count]:
        reached = sorted(support(instance, tuple(taken.tolist())))
        # V, then one error a pair: D e >= R - EV everywhere, >= EV - R on the support
        pairs = np.eye(len(rewards))
        above = np.vstack([np.hstack([-rows, -pairs]), np.hstack([rows, -pairs])[reached]])
        found = linprog(
            np.concatenate([np.zeros(len(initial)), weights]),
            A_ub=above,
            b_ub=np.concatenate([-rewards, rewards[reached]]),
            bounds=[(None, None)] * len(initial) + [(0, None)] * len(rewards),
        )
        yield found.fun


def _extremes(instance: Instance) -> tuple[Fraction, Fraction]:
    """The greatest and least return, by policy iteration."""
    ends = []
    for sign in (1, -1):
        states = range(len(instance.initial))
        policy = [instance.pair_states.index(s) for s in states]
        while True:
            values = eliminate(
                [instance.shaping_row(p) for p in policy], [instance.rewards[p] for p in policy]
            )
            assert values is not None
            gains = [
                sign
                * (
                    r
                    - sum(
                        (e * v for e, v in zip(instance.shaping_row(p), values, strict=True)), ZERO
                    )
                )
                for p, r in enumerate(instance.rewards)
            ]
            better = {s: p for p, s in enumerate(instance.pair_states) if gains[p] > 0}
            if not better:
                break
            policy = [better.get(s, p) for s, p in enumerate(policy)]
        ends.append(sum((m * v for m, v in zip(instance.initial, values, strict=True)), ZERO))
    return ends[0], ends[1]


def plain_relations(number: int) -> Found:
    """Metamorphic relations (tests/relations.py)."""
    yield from _relations(to_problem(drawn(number)), number)


def _relations(problem: SafetyProblem, number: int) -> Found:
    yield from relations(flat(problem), Random(number), proven).items()


def proven(problem: SafetyProblem) -> Bounds:
    """Bounds of the radius, exact but for KL; infinite where no optimum is as bad as asked."""
    kl = problem.regularizer is not None and problem.regularizer.kind == "kl"
    hard = kl and (problem.mdp.discount or problem.metric in ("mse", "preferences"))
    try:
        found = checked(radius(problem, node_limit=NODES if hard else None))
    except InputError as error:
        if kl and error.field == "safety.regret":
            return inf, inf
        raise
    if not kl and not found.is_exact:
        raise ValueError("no exact radius")
    return _bounds_of(found)


def _bounds_of(verdict: Verdict) -> Bounds:
    return verdict.lower, inf if verdict.upper is None else verdict.upper


# -- the matrix, bounds, profiles, theorems --------------------------------------------------------


def matrix(number: int) -> Found:
    """M of Theorem 3.5: the radius of three distributions; its rows are rows of the oracle."""
    instance, random = drawn(number), Random(number)
    question = Question.of(to_problem(instance))
    found = safety_matrix(question)
    for weights in (instance.weights, *(shares(random, len(instance.weights), 0.3) for _ in "ab")):
        truth = safety_radius(replace(instance, weights=weights))
        yield "radius", found.radius(weights) == truth
        if truth:
            yield "is safe", not found.is_safe(weights, truth)
            yield "is safe", found.is_safe(weights, truth * (1 - LITTLE))
    gaps = corner_gaps(instance)
    known = {
        tuple(abs(from_flint(x)) if x > 0 or p in taken else ZERO for p, x in enumerate(row))
        for taken in {support(instance, policy) for policy in bad_policies(instance)}
        for row in gaps
    }
    yield "rows", all(row.entries in known for row in found.rows)


def all_bounds(number: int) -> Found:
    """Every bound by enumeration of policies, and their order around the radius."""
    instance = drawn(number)
    question = Question.of(to_problem(instance))
    found, truth = bounds(question), safety_radius(instance)
    chain = [
        found.paper,
        found.sharp,
        found.b0,
        found.b1,
        found.b2,
        truth,
        found.family,
        found.proposition_3_3,
    ]
    yield "order", chain == sorted(chain)
    visits = {policy: _visits(instance, policy) for policy in instance.policies()}
    returns = {policy: _dot(x, instance.rewards) for policy, x in visits.items()}
    best, worst = max(returns.values()), min(returns.values())
    span, gain = max(instance.rewards) - min(instance.rewards), instance.regret * (best - worst)
    bad = [policy for policy, value in returns.items() if value <= best - gain]
    scale = gain / span
    weights = instance.weights
    yield "sharp", found.sharp == (1 - instance.discount) * scale * min(weights)
    most = [
        max(
            sum(x[p] for p, t in enumerate(instance.pair_states) if t == s) for x in visits.values()
        )
        for s in range(len(instance.initial))
    ]
    b0 = min(w / most[s] for w, s in zip(weights, instance.pair_states, strict=True) if most[s])
    yield "b0", found.b0 == scale * b0
    taken = [support(instance, policy) for policy in bad]
    yield "proposition 3.3", found.proposition_3_3 == min(sum(weights[p] for p in z) for z in taken)
    family = min(
        sum(
            w * (abs(c - r) if p in z else max(r - c, ZERO))
            for p, (w, r) in enumerate(zip(weights, instance.rewards, strict=True))
        )
        for z in taken
        for c in set(instance.rewards)
    )
    yield "family", found.family == family / span
    if len(visits) <= 40:
        chosen = question.returns.optimal.choices
        starts = [row.start for row in question.mdp.pair_ranges]
        optimal = visits[tuple(s + a for s, a in zip(starts, chosen, strict=True))]
        corners = list(_bad_corners(visits, returns, best - gain))
        apart = [max(abs(x[p] - y) for x, _ in corners) for p, y in enumerate(optimal)]
        yield "b1", found.b1 == scale * min(w / m for w, m in zip(weights, apart, strict=True) if m)
        ratios = [
            w * (best - value) / abs(x[p] - optimal[p])
            for p, w in enumerate(weights)
            for x, value in corners
            if x[p] != optimal[p]
        ]
        yield "b2", found.b2 == min(ratios) / span


def _dot(x: Sequence[Fraction], y: Sequence[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(x, y, strict=True)), ZERO)


def _visits(instance: Instance, policy: tuple[int, ...]) -> list[Fraction]:
    rows = [instance.shaping_row(p) for p in policy]
    met = eliminate([list(column) for column in zip(*rows, strict=True)], list(instance.initial))
    assert met is not None
    found = [ZERO] * len(instance.rewards)
    for p, x in zip(policy, met, strict=True):
        found[p] = x
    return found


def _bad_corners(
    visits: dict[Any, list[Fraction]], returns: dict[Any, Fraction], bad: Fraction
) -> Iterator[tuple[list[Fraction], Fraction]]:
    """Points whose hull is the set of bad occupancies: policies, and where segments cross b."""
    for policy, x in visits.items():
        if returns[policy] <= bad:
            yield x, returns[policy]
            for other, y in visits.items():
                if returns[other] > bad:
                    share = (bad - returns[policy]) / (returns[other] - returns[policy])
                    yield [a + share * (b - a) for a, b in zip(x, y, strict=True)], bad


def profile(number: int) -> Found:
    """The curve over L at every regret, in the middle between two, and at L = 1."""
    instance = drawn(number)
    found, levels = radius_profile(to_problem(instance)), regrets(instance)
    for below, level in itertools.islice(itertools.pairwise(levels), 12):
        truth = safety_radius(replace(instance, regret=level))
        yield "at a regret", found.at(level) == truth
        yield "between regrets", found.at((below + level) / 2) == truth
        yield "just above a regret", found.at(below + (level - below) / 10**6) == truth


def theorems(number: int) -> Found:
    """What the verifiers conclude on plain problems, and the packing of Corollary 3.4."""
    instance = drawn(number)
    truth = safety_radius(instance)
    problem = to_problem(instance, tolerance(number, truth))
    for name, sharp in FORMS:
        report = run(name, problem, sharp=sharp)
        if report.holds:
            claim = report.certificate.check()
            epsilon = claim.lower if claim.epsilon is None else claim.epsilon
            told = "all-unsafe" if name == "corollary-3.4" else "unsafe"
            yield name, claim.kind == (told if epsilon >= truth else "safe")
    report = run("error-metrics", replace(problem, epsilon=None))
    yield "error-metrics", report.holds and report.constructed["E|e| / range R"] == truth
    supports = sorted({support(instance, p) for p in bad_policies(instance)}, key=sorted)
    supports = [s for s in supports if not any(t < s for t in supports)]
    found, _ = disjoint_bad_policies(Question.of(problem))
    more = itertools.combinations(supports, len(found) + 1)
    apart = (not any(s & t for s, t in itertools.combinations(sets, 2)) for sets in more)
    yield "packing", not any(itertools.islice(apart, 20_000))


# -- sets of distributions -------------------------------------------------------------------------


def coverage(number: int) -> Found:
    """critical_epsilon and repair against programmes over M by another polyhedra library."""
    problem = to_problem(drawn(number))
    among = random_set(number // 2, problem.mdp)
    most = greatest(problem, among)
    if most is None:
        yield (
            "empty set",
            _refused(lambda: critical_epsilon(problem.mdp, problem.regret, among=among)),
        )
        return
    found = critical_epsilon(problem.mdp, problem.regret, among=among)
    yield "critical epsilon", found.lower == found.upper == most
    there = flattened(replace(problem, data=found.distribution))
    yield "radius where it is attained", safety_radius(there) == most
    if not most:
        return
    asked = replace(problem, epsilon=most * Fraction(1 + number % 4, 4))
    mended = repair(asked, among=among)
    if asked.epsilon == most:
        yield "nothing to repair", not mended.possible
        return
    yield "distance of the nearest", mended.distance == distance(asked, among)
    nearest = flattened(replace(problem, data=mended.nearest))
    yield "radius of the repaired", safety_radius(nearest) > asked.epsilon


def _refused(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except InputError:
        return True
    return False


def every_distribution(number: int) -> Found:
    """decide_all around the least radius of a set."""
    problem = to_problem(drawn(number))
    among = asked_set(number // 2, problem)
    least = least_radius(problem, among)
    if least is None:
        asked = replace(problem, epsilon="1/10")
        yield "empty set", _refused(lambda: decide_all(asked, among))
        return
    for factor in (Fraction(1, 2), 1 - LITTLE, ONE, Fraction(11, 10)):
        epsilon = least * factor or LITTLE
        found = decide_all(replace(problem, epsilon=epsilon), among, cell_limit=1000)
        if found.answer == "unknown":  # no number of cells may be enough this close
            yield "left open just below the least radius", factor == 1 - LITTLE
            continue
        yield "decision", found.answer == expected(least, epsilon)
        if found.distribution is not None:
            there = flattened(replace(problem, data=found.distribution))
            yield "radius of the distribution", safety_radius(there) <= epsilon


def samples(number: int) -> Found:
    """fewest_samples against all ways to add up to nine."""
    problem = random_counts(number)
    if problem is None:
        return
    found = fewest_samples(problem)
    if number % 4 == 3:
        yield "nothing to add", not found.possible
        return
    few = found.upper if found.upper is not None and found.upper <= MOST else None
    yield "fewest samples", found.is_exact and fewest_by_trying(problem) == few


# -- penalties -------------------------------------------------------------------------------------


def penalised(number: int) -> Found:
    """linear, l2, chi2 and tv: radius by supports and sides of kinks, decisions, theorems."""
    kind = EXACT[number % 4]
    problem, instance, penalty = regularised(number, kind)
    found = exact_radius(problem)
    truth = regularised_radius(instance, penalty)
    yield f"radius, {kind}", abs(float(found) - truth) <= 1e-6
    for factor in (1 - LITTLE, ONE, 1 + LITTLE):
        epsilon = found * factor or LITTLE
        answer = checked(decide(replace(problem, epsilon=epsilon))).answer
        yield f"decision, {kind}", answer == expected(found, epsilon)
    part = checked(radius(problem, node_limit=1 + number % 3))
    yield f"bounds, {kind}", part.upper is not None and part.lower <= found <= part.upper
    yield from _theorems_with_penalty(problem, (found, found), kind)


def _theorems_with_penalty(problem: SafetyProblem, own: Bounds, kind: str) -> Found:
    report = theorem_4_1.verify(problem)
    if report.holds:
        yield f"theorem 4.1, {kind}", report.constructed["bound"] <= own[1]
    if own[0] > 0 and theorem_4_2.verify(replace(problem, epsilon=own[0] * (1 - LITTLE))).holds:
        yield f"theorem 4.2, {kind}", False
    if own[1] not in (0, inf):
        report = theorem_4_2.verify(replace(problem, epsilon=own[1] * 3))
        yield f"theorem 4.2, {kind}", not report.holds or report.certificate is not None


def penalised_relations(number: int) -> Found:
    """Metamorphic relations with a penalty."""
    kind = EXACT[number % 4]
    for name, holds in _relations(regularised(number, kind)[0], number):
        yield f"{name}, {kind}", holds


def no_weight(number: int) -> Found:
    """lambda = 0 is the plain problem, by enumeration."""
    kind = EXACT[number % 4]
    problem, instance, _ = regularised(number, kind)
    light = replace(problem, regularizer=replace(problem.regularizer, weight=ZERO))
    yield kind, exact_radius(light) == safety_radius(instance)


def _errors(verdict: Verdict, rewards: Sequence[Fraction]) -> np.ndarray[Any, Any] | None:
    """The errors of the reward model in a certificate, in floats."""
    if verdict.certificate is None:
        return None
    witness = verdict.certificate.document["evidence"].get("witness")
    if witness is None:
        return None
    model = [Fraction(x) for row in witness["reward"] for x in row]
    return np.array([[float(m - r) for m, r in zip(model, rewards, strict=True)]])


def kl(number: int) -> Found:
    """KL without a discount: random search from above, the softmax policy of the witness."""
    yield from _kl(random_problem(number), number)


def kl_metrics(number: int) -> Found:
    """The same where the error is a mean square, between preferences, or in returns."""
    metric = ("mse", "preferences", "returns")[number % 3]
    yield from _kl(random_problem(number, metric), number)


def _kl(problem: SafetyProblem, number: int) -> Found:
    metric = problem.metric
    name, question = metric or "kl", Question.of(problem)
    try:
        verdict = checked(radius(problem, node_limit=NODES))
    except InputError as error:
        if error.field != "safety.regret":
            raise
        return
    own = _bounds_of(verdict)
    bandit, span = to_bandit(problem), float(question.reward_range)
    unit = span**2 if metric == "mse" else span
    found = least_cost(bandit, number, metric)
    yield f"random search, {name}", found / unit >= float(own[0]) - 1e-9
    if metric == "returns":  # of one step: the same as the mean error
        other = proven(replace(problem, metric=None))
        yield "returns of one step", own[0] <= other[1] and other[0] <= own[1]
    if own[1] < inf:
        errors = _errors(verdict, question.rewards)
        yield f"witness, {name}", bool(bandit.returns(errors)[0] <= bandit.bad + 1e-9)
        cost = float(bandit.costs(errors, metric)[0]) / unit
        yield f"cost of the witness, {name}", cost <= float(own[1]) * (1 + 1e-9) + 1e-12
        epsilon = own[1] * Fraction(1000001, 1000000) or LITTLE
        answer = checked(decide(replace(problem, epsilon=epsilon), node_limit=NODES)).answer
        yield f"decision above, {name}", answer in ("unsafe", "unknown")
    if metric is None:
        yield "tight, kl", own[1] - own[0] <= Fraction(1, 10**9)
        near = float(own[1]) * 1.02 + 1e-4
        # A search may end beside the least cost; not all of them do.
        again = (least_cost(bandit, number + 10**6 * i) for i in range(1, 6))
        costs = itertools.chain([found], again)
        yield "near random search, kl", any(cost / unit <= near for cost in costs)
        yield from _theorems_with_penalty(problem, own, "kl")
    if own[0]:
        epsilon = own[0] * Fraction(999999, 1000000)
        answer = checked(decide(replace(problem, epsilon=epsilon), node_limit=NODES)).answer
        yield f"decision below, {name}", answer in ("safe", "unknown")


def kl_relations(number: int) -> Found:
    """Metamorphic relations with KL, for the mean error and for returns of one step."""
    metric = (None, None, "returns")[number % 3]
    for relation, holds in _relations(random_problem(number, metric), number):
        yield f"{relation}, {metric or 'kl'}", holds


def slow_relations(number: int) -> Found:
    """The same where only bounds are known: other metrics, a discount."""
    name = ("mse", "preferences", "discount")[number % 3]
    problem = lasting(number) if name == "discount" else random_problem(number, name)
    for relation, holds in _relations(problem, number):
        yield f"{relation}, {name}", holds


def kl_discount(number: int) -> Found:
    """KL with a discount, and errors in returns: random search by soft policy iteration."""
    problem = lasting(number)
    name = "discount"
    if number % 2:
        name, problem = "returns", _about_returns(problem)
    verdict, control = checked(radius(problem, node_limit=NODES)), Control.of(problem)
    own, span = _bounds_of(verdict), float(Question.of(problem).reward_range)
    # The mean error over visits of the reference is at least the error in returns.
    found = least_soft_cost(control, number) / span
    yield f"random search, {name}", found >= float(own[0]) - 1e-9
    if own[1] < inf:
        errors = _errors(verdict, Question.of(problem).rewards)
        if errors is not None:
            yield f"witness, {name}", bool(control.returns(errors)[0] <= control.bad + 1e-9)
            if name == "discount":
                cost = float(control.cost(errors)[0]) / span
                yield f"cost of the witness, {name}", cost <= float(own[1]) * (1 + 1e-9)
    if name == "discount":
        yield from _theorems_with_penalty(problem, own, name)


def _about_returns(problem: SafetyProblem) -> SafetyProblem:
    """With the visits of the reference as data, and errors in returns."""
    instance, shares_ = flattened(problem), problem.regularizer.reference.probabilities
    states = range(len(instance.initial))
    rows = [[ONE if s == t else ZERO for s in states] for t in states]
    for pair, state in enumerate(instance.pair_states):
        for t, x in instance.successors[pair]:
            rows[t][state] -= instance.discount * shares_[pair] * x
    met = eliminate(rows, [(1 - instance.discount) * m for m in instance.initial])
    assert met is not None
    weights = tuple(met[s] * x for s, x in zip(instance.pair_states, shares_, strict=True))
    return replace(problem, data=DataDistribution(problem.mdp, weights), metric="returns")


def rlhf(number: int) -> Found:
    """Theorem 6.1: its raises mislead in floats, at the cost that it says; both forms conclude."""
    problem = random_problem(number, "preferences")
    question = Question.of(problem)
    cost = theorem_6_1.cost(question)
    if cost is None:
        report = theorem_6_1.verify(replace(problem, epsilon=1), sharp=True)
        yield "no raise", not report.holds
        return
    for epsilon in (cost or LITTLE, 20 * cost + 1):
        asked = replace(problem, epsilon=epsilon)
        report = theorem_6_1.verify(asked, sharp=True)
        yield "stronger form", report.holds and report.certificate.check().kind == "unsafe"
        paper = theorem_6_1.verify(asked)
        yield "paper's form", paper.holds == all(h.holds for h in paper.hypotheses)
        bandit = to_bandit(problem)
        model = report.constructed["reward model"]
        errors = np.array([[float(m - r) for m, r in zip(model, question.rewards, strict=True)]])
        yield "raised model", bool(bandit.returns(errors)[0] <= bandit.bad + 1e-9)
        spent = float(bandit.costs(errors, "preferences")[0]) / float(question.reward_range)
        yield "its cost", abs(spent - float(cost)) <= 1e-9 * (1 + float(cost))
    if number % 4 == 0:
        yield "bounds", proven(problem)[0] <= cost


# -- bandits as arrays -----------------------------------------------------------------------------


def padded(bandit: BanditArrays) -> BanditArrays:
    """With contexts that are never met, so that the engine for arrays has to answer."""
    unmet = [(0, [int(bandit.reward.min())] * 4, [0] * 4)] * 30
    return bandit_of([*contexts_of(bandit), *unmet], bandit.regret)


def at_tolerance(bandit: BanditArrays, epsilon: Fraction) -> BanditArrays:
    return BanditArrays(
        bandit.actions, bandit.initial, bandit.reward, bandit.data, bandit.regret, epsilon
    )


def bandits(number: int) -> Found:
    """Small bandits by the engine for arrays, as MDPs, by a table of losses, by enumeration."""
    bandit = random_bandit(number, contexts=3)
    truth = bandit_radius(bandit)
    yield "enumeration", safety_radius(flattened(bandit.problem())) == truth
    yield "as an MDP", exact_radius(bandit) == truth
    yield from _arrays(padded(bandit), truth)


def large_bandits(number: int) -> Found:
    """Sixty contexts, against the table of losses."""
    bandit = random_bandit(number, contexts=60, largest=Random(number).choice([1, 6, 40]))
    yield from _arrays(bandit, bandit_radius(bandit))


def _arrays(bandit: BanditArrays, truth: Fraction) -> Found:
    found = radius(bandit)
    yield "bounds", found.upper is not None and found.lower <= truth <= found.upper
    yield "radius", found.is_exact
    for factor in NEAR:
        epsilon = truth * factor or LITTLE
        answer = decide(at_tolerance(bandit, epsilon)).answer
        yield "decision", answer == expected(truth, epsilon)


def array_relations(number: int) -> Found:
    """Order, units, halves of contexts."""
    bandit = random_bandit(number, contexts=50)
    yield from bandit_relations(bandit, Random(number), lambda b: _bounds_of(radius(b))).items()


# -- families and files ----------------------------------------------------------------------------


def _points(problem: SafetyProblem, random: Random, count: int) -> Iterator[dict[str, Fraction]]:
    for _ in range(count):
        yield {name: Fraction(random.randint(0, 60), 60) for name in problem.mdp.parameters.names}


def _truth(problem: SafetyProblem, point: dict[str, Fraction]) -> str:
    there = problem.at(**point)
    return expected(safety_radius(flattened(there)), there.epsilon)


def families(number: int) -> Found:
    """Cells and answers for all parameters against enumeration at points; `at` against Python."""
    (problem,) = well_formed_families(1, start=7 * number)
    random = Random(number)
    found = region(problem, cell_limit=40, target="9/10")
    proven_cells = [cell for cell in found.cells if cell.state in ("safe", "unsafe")]
    for cell in random.sample(proven_cells, min(4, len(proven_cells))):
        share = (1, 999) if cell.interior else (0, 1000)
        point = {
            name: low + (high - low) * Fraction(random.randint(*share), 1000)
            for name, (low, high) in zip(found.names, cell.box, strict=True)
        }
        yield "cell", _truth(problem, point) == cell.state
        yield "substitution", _substituted(problem, point)
    for kind, point in found.points.items():
        yield "point of a region", _truth(problem, point) == kind
    for hoped, ask in (("safe", forall_safe), ("unsafe", forall_unsafe)):
        told = ask(problem, **({"engine": "tree"} if hoped == "safe" else {}), cell_limit=30)
        if told.answer == hoped:
            for point in _points(problem, random, 3):
                yield f"all {hoped}", _truth(problem, point) == hoped
        elif told.answer != "unknown":
            yield f"not all {hoped}", _truth(problem, dict(told.point)) == told.answer


def _substituted(problem: SafetyProblem, point: dict[str, Fraction]) -> bool:
    """Whether the printed entries, evaluated by Python, are those of the problem at a point."""
    there = problem.at(**point)

    def value(number: object) -> Fraction:
        text = re.sub(r"(?<!\^)\b(\d+)", r"Fraction(\1)", str(number)).replace("^", "**")
        return Fraction(eval(text, {"Fraction": Fraction, **point}))

    pairs = [
        *zip(problem.mdp.rewards, there.mdp.rewards, strict=True),
        *zip(problem.mdp.initial, there.mdp.initial, strict=True),
        *zip(problem.data.weights, there.data.weights, strict=True),
        (problem.mdp.discount, there.mdp.discount),
        (problem.regret, there.regret),
        (problem.epsilon, there.epsilon),
    ]
    for row, other in zip(problem.mdp.successors, there.mdp.successors, strict=True):
        named = dict(other)
        pairs += [(x, named.get(t, ZERO)) for t, x in row]
    return all(value(x) == y for x, y in pairs)


def family_relations(number: int) -> Found:
    """In another unit of R, and at twice the tolerance, no point contradicts."""
    (problem,) = well_formed_families(1, start=7 * number)
    mdp, random = problem.mdp, Random(number)
    moved = replace(mdp, rewards=tuple(3 * r + 1 for r in mdp.rewards))
    data = DataDistribution(moved, problem.data.weights)
    scaled = replace(problem, mdp=moved, data=data)
    loose = replace(problem, epsilon=2 * problem.epsilon)
    tables = [region(p, cell_limit=30, target="9/10").cells for p in (problem, scaled, loose)]
    for point in _points(problem, random, 6):
        here, unit, twice = (_states(cells, point) for cells in tables)
        yield "unit", len((here | unit) & {"safe", "unsafe"}) <= 1
        yield "tolerance", not ("unsafe" in here and "safe" in twice)


def _states(cells: Sequence[Any], point: dict[str, Fraction]) -> set[str]:
    """The states of the cells with a point inside."""
    at = tuple(point.values())
    return {
        cell.state
        for cell in cells
        if all(low < x < high for x, (low, high) in zip(at, cell.box, strict=True))
    }


def curves(number: int) -> Found:
    """radius_curve of a single parameter at points of its pieces, by enumeration.

    Refused where all policies return the same somewhere.
    """
    random = Random(number)
    start = 7 * number
    (problem,) = well_formed_families(1, start=start)
    while len(problem.mdp.parameters.names) != 1:
        start += 1_000_003
        (problem,) = well_formed_families(1, start=start)
    (name,) = problem.mdp.parameters.names
    try:
        found = radius_curve(problem, time_limit=5)
    except InputError as error:
        at = Fraction(error.value.rpartition(f" at {name} = ")[2])
        there = flattened(problem.at(**{name: at}))
        returns = {policy_return(there, policy) for policy in there.policies()}
        yield "refused", error.field == "reward" and len(returns) == 1
        return
    for piece in random.sample(found.pieces, min(4, len(found.pieces))):
        if piece.radius is not None:
            share = Fraction(random.randint(1, 99), 100)
            point = {name: piece.low + (piece.high - piece.low) * share}
            truth = safety_radius(flattened(problem.at(**point)))
            yield "piece", value_at(piece.radius, point) == truth
    for end, verdict in found.ends.items():
        if verdict.is_exact and random.random() < 0.3:
            truth = safety_radius(flattened(problem.at(**{name: end})))
            yield "end", verdict.lower == truth


def files(number: int) -> Found:
    """Problems written and read again: TOML, JSON, DRN, arrays, graphs."""
    which = number % 4
    problem = to_problem(drawn(number), Fraction(1, 7))
    if which == 1:
        problem = replace(regularised(number, EXACT[number // 4 % 4])[0], epsilon="1/7")
    elif which == 2:
        problem = replace(
            random_problem(number, (None, "mse", "preferences")[number % 3]), epsilon="1/7"
        )
    elif which == 3:
        (problem,) = well_formed_families(1, start=7 * number)
    for form in ("toml", "json"):
        yield form, loads_problem(dumps_problem(problem, form), form) == problem
    mdp = problem.mdp
    if which == 3:
        return
    if mdp.initial.count(ONE) == 1:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "model.drn"
            path.write_text(as_drn(mdp))
            yield "drn", from_drn(path, discount=mdp.discount) == mdp
    graph = to_networkx(mdp)
    yield "graph", from_networkx(graph) == mdp
    width = len(mdp.actions[0])
    if all(len(names) == width for names in mdp.actions):
        count = len(mdp.states)
        moves = np.full((count, width, count), ZERO, object)
        for p, row in enumerate(mdp.successors):
            for t, x in row:
                moves[p // width, p % width, t] = x
        rewards = np.array(mdp.rewards, object).reshape(count, width)
        given = {
            "initial": list(mdp.initial),
            "discount": mdp.discount,
            "states": mdp.states,
            "actions": mdp.actions[0],
        }
        yield "arrays", from_numpy(moves, rewards, **given) == mdp
        yield "mdptoolbox", from_mdptoolbox(moves.transpose(1, 0, 2), rewards, **given) == mdp


def as_drn(mdp: MDP) -> str:
    """An MDP with one initial state in Storm's explicit format."""
    lines = ["@type: MDP", "@parameters", "", "@reward_models", "r", "@nr_states"]
    lines += [str(len(mdp.states)), "@nr_choices", str(len(mdp.pairs)), "@model"]
    for s, pairs in enumerate(mdp.pair_ranges):
        lines.append(f"state {s} [0]{' init' if mdp.initial[s] else ''}")
        for a, p in enumerate(pairs):
            lines.append(f"\taction a{a} [{mdp.rewards[p]}]")
            lines += [f"\t\t{t} : {x}" for t, x in mdp.successors[p]]
    return "\n".join([*lines, ""])


COMPARISONS: dict[str, tuple[int, Callable[[int], Found]]] = {
    "plain": (1, plain),
    "awkward": (2, awkward),
    "compiled": (4, compiled),
    "solvers": (10, by_solvers),
    "stopped": (10, stopped),
    "larger": (20, larger),
    "relations": (5, plain_relations),
    "matrix": (5, matrix),
    "bounds": (5, all_bounds),
    "profile": (20, profile),
    "theorems": (5, theorems),
    "coverage": (10, coverage),
    "every distribution": (10, every_distribution),
    "samples": (10, samples),
    "penalty": (4, penalised),
    "penalty, relations": (10, penalised_relations),
    "penalty of weight 0": (20, no_weight),
    "kl": (20, kl),
    "kl, metrics": (200, kl_metrics),
    "kl, discount": (200, kl_discount),
    "kl, relations": (50, kl_relations),
    "kl, bounds, relations": (1000, slow_relations),
    "rlhf": (20, rlhf),
    "bandits": (5, bandits),
    "bandits, large": (20, large_bandits),
    "bandits, relations": (20, array_relations),
    "families": (20, families),
    "families, relations": (50, family_relations),
    "curves": (100, curves),
    "files": (10, files),
}
"""By name: every how many seeds, and the function."""
