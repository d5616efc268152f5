"""Certificates of all kinds that the second checker knows, and random ways to spoil them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from math import inf, isfinite
from random import Random
from typing import Any

from instances import random_instance, to_problem
from kl_oracle import least_cost
from oracle import Instance, safety_radius
from regularised_oracle import Penalty as OraclePenalty
from regularised_oracle import reference_occupancy, regularised_radius
from test_bandit import random_bandit
from test_coverage import distance, greatest
from test_family import decided_boxes, well_formed_families
from test_kl import lasting, random_problem, to_bandit
from test_regularised import EXACT, regularised
from test_robust import least_radius
from test_samples import MOST, fewest_by_trying

from symsafe import (
    Certificate,
    DataDistribution,
    DataSet,
    InputError,
    checker,
    critical_epsilon,
    decide,
    decide_all,
    fewest_samples,
    radius,
    region,
    repair,
)
from symsafe.certificate import bandit_certificate
from symsafe.engine.bandit import solve_bandit
from symsafe.engine.question import Question
from symsafe.model import SafetyProblem
from symsafe.model.data_set import DataRow

Json = Any
Path = tuple[str | int, ...]

NUMBERS = ("0", "1", "-1", "1/2", "2", "-1/3", "7/5", "1000000007", "1/1000000007", "9" * 40)
ODD: tuple[Json, ...] = (
    None, True, 0, 1, 2, -1, 10**9, "", "x", "-0", "01", "2/4", "1/0", "1/1", "0.5", "1e3",
    " 1", "+1", [], {}, [[]], "٣", "1/-2", "-1/2/3",
)  # fmt: skip


def certificates(seed: int) -> Iterator[Json]:
    """Yield certificates about a random instance: as many kinds as it has."""
    random, problem = Random(seed), to_problem(random_instance(seed))
    found: list[Certificate | None] = [radius(problem).certificate]
    exact = radius(problem).lower
    if exact > 0:
        found.append(decide(at(problem, exact)).certificate)
        found.append(decide(at(problem, exact * Fraction(2, 3))).certificate)
    found += about_sets(random, problem)
    bandit = random_bandit(seed)
    outcome = solve_bandit(bandit)
    claim = {"kind": "radius", "lower": str(outcome.lower), "upper": str(outcome.upper)}
    found.append(bandit_certificate(bandit, claim, outcome))
    found += about_penalties(seed)
    (family,) = well_formed_families(1, start=7 * seed)
    found.append(region(family, cell_limit=20, target="9/10").certificate)
    for certificate in found:
        if certificate is not None:
            yield json.loads(certificate.to_json())


def at(problem: SafetyProblem, epsilon: Fraction) -> SafetyProblem:
    return SafetyProblem(problem.mdp, problem.data, problem.regret, epsilon)


def about_sets(random: Random, problem: SafetyProblem) -> Iterator[Certificate | None]:
    mdp = problem.mdp
    counts = [random.randint(0, 4) for _ in mdp.pairs]
    counts[0] += 1
    weights = tuple(Fraction(n, sum(counts)) for n in counts)
    counted = DataDistribution(mdp, weights, tuple(counts))
    pair = random.choice(mdp.pairs)
    for among in (
        DataSet.bounded(mdp, maximum={pair[0]: {pair[1]: "1/2"}}),
        DataSet.mixture([problem.data, DataDistribution.uniform(mdp)]),
    ):
        try:
            best = critical_epsilon(mdp, problem.regret, among=among)
        except InputError:  # an empty set
            continue
        yield best.certificate
        if best.lower:
            asked = SafetyProblem(mdp, counted, problem.regret, best.lower / 2)
            yield repair(asked, among=among).certificate
            yield repair(at(problem, best.lower), among=among).certificate
            for share in (Fraction(1, 50), Fraction(99, 100)):
                yield decide_all(at(problem, best.lower * share), among).certificate
            yield fewest_samples(asked).certificate


def about_penalties(seed: int) -> Iterator[Certificate | None]:
    """Radius and decisions with an exact regularizer, and with KL in one of five ways."""
    metric = ("returns", "mse", "preferences", None, None)[seed % 6 - 1]
    soft = random_problem(seed, metric) if seed % 6 else lasting(seed)
    for problem in (regularised(seed, EXACT[seed % 4])[0], soft):
        found = radius(problem)
        yield found.certificate
        if found.lower:
            yield decide(replace(problem, epsilon=found.lower * Fraction(2, 3))).certificate
        if found.upper:
            yield decide(replace(problem, epsilon=found.upper * 2)).certificate


def title(document: Json) -> str:
    """The kind of claim, with what is special about its problem."""
    problem, special = document["problem"], []
    if isinstance(problem["actions"], str):
        special.append("lists")
    if "regularizer" in problem:
        special += [problem["regularizer"]["kind"], problem.get("metric", "")]
    return ", ".join([document["claim"]["kind"], *filter(None, special)])


def places(value: Json, path: Path = ()) -> Iterator[Path]:
    """Yield the places of all values inside a document."""
    entries: Any = ()
    if isinstance(value, dict):
        entries = value.items()
    elif isinstance(value, list):
        entries = enumerate(value)
    for key, inner in entries:
        yield (*path, key)
        yield from places(inner, (*path, key))


def get(document: Json, path: Path) -> Json:
    for key in path:
        document = document[key]
    return document


def put(document: Json, path: Path, value: Json) -> None:
    get(document, path[:-1])[path[-1]] = value


def mutant(random: Random, document: Json, others: list[Json]) -> tuple[Json, str]:
    """Return a spoilt copy and what was done to it; most have a digest that fits again."""
    changed = copy.deepcopy(document)
    path = random.choice(list(places(changed)))
    value = get(changed, path)
    kind = random.randrange(10)
    if kind < 4 and isinstance(value, str):
        put(changed, path, nudged(random, value))
        what = f"a number at {path}"
    elif kind == 4:
        put(changed, path, random.choice(ODD))
        what = f"an odd value at {path}"
    elif kind == 5:
        parent = get(changed, path[:-1])
        if isinstance(parent, dict) and random.random() < 0.3:
            parent["extra"] = value
        else:
            del parent[path[-1]]
        what = f"a key or an entry gone or added at {path}"
    elif kind == 6 and isinstance(get(changed, path[:-1]), list):
        parent = get(changed, path[:-1])
        other = random.randrange(len(parent))
        if random.random() < 0.5:
            parent[path[-1]], parent[other] = parent[other], parent[path[-1]]
        else:
            parent.insert(other, copy.deepcopy(value))
        what = f"entries exchanged or repeated at {path}"
    elif kind == 7 and isinstance(value, int):
        put(changed, path, random.randrange(4))
        what = f"an index at {path}"
    elif kind == 8:
        other = random.choice(others)
        part = random.choice(("problem", "claim", "evidence"))
        changed[part] = copy.deepcopy(other[part])
        what = f"the {part} of another"
    else:
        claim = changed["claim"]
        named = ("epsilon", "lower", "upper", "regret", "safe", "unsafe", "undecided")
        key = random.choice([k for k in named if isinstance(claim.get(k), str)])
        claim[key] = nudged(random, claim[key])
        what = f"the claim's {key}"
    if random.random() < 0.97 and isinstance(changed.get("problem"), dict):
        changed["digest"] = checker.digest(changed["problem"])
    return changed, what


def nudged(random: Random, value: str) -> str:
    try:
        number = Fraction(value)
    except (ValueError, ZeroDivisionError):
        return random.choice(NUMBERS)
    step = random.choice([Fraction(1), Fraction(1, 2), Fraction(1, 10**30), number, number / 3])
    return str(number + random.choice([1, -1]) * step)


def is_true(document: Json) -> bool | None:
    """Decide a claim without its evidence, by enumeration; None where that would take too long."""
    claim = document["claim"]
    try:
        problem = Certificate(document).problem()
    except InputError:  # integers beyond those that arrays hold
        return None
    if claim["kind"] == "region":
        return _region_is(problem, document)
    if len(problem.mdp.pairs) > 8:
        return None
    if problem.regularizer is not None:
        return _regularised_is(problem, claim)
    bounds = {k: Fraction(v) for k, v in claim.items() if k in ("epsilon", "lower", "upper")}
    low, high = bounds.get("lower"), bounds.get("upper")
    kind, epsilon = claim["kind"], bounds.get("epsilon")
    if kind == "fewest":
        return _fewest_is(problem, claim["counts"], bounds)
    if "set" in claim:
        among = _set(problem, claim["set"])
        if kind in ("all-safe", "some-unsafe"):
            least = least_radius(problem, among)
            return (least is None or least > epsilon) == (kind == "all-safe")
        best = greatest(problem, among)
        if kind == "critical":
            return best is not None and low <= best <= high
        if kind == "all-unsafe":
            return best is None or best <= epsilon
        far = distance(at(problem, epsilon), among)
        return (far is None or low <= far) and far is not None and far <= high
    truth = safety_radius(
        Instance(
            successors=problem.mdp.successors,
            rewards=problem.mdp.rewards,
            pair_states=problem.mdp.pair_states,
            initial=problem.mdp.initial,
            discount=problem.mdp.discount,
            weights=problem.data.weights,
            regret=problem.regret,
        )
    )
    if kind == "radius":
        return low <= truth <= high
    return (truth <= epsilon) == (kind == "unsafe")


def _region_is(problem: SafetyProblem, document: Json) -> bool | None:
    """Decide one random point of some cells."""
    random, found = Random(document["digest"]), None
    for box, kind in decided_boxes(document):
        point = {
            name: low + (high - low) * Fraction(random.randint(1, 99), 100)
            for name, (low, high) in zip(problem.mdp.parameters.names, box, strict=True)
        }
        if problem.mdp.parameters.contains(point):
            found = True
            try:
                if decide(problem.at(**point)).answer != kind:
                    return False
            except InputError:  # no problem there
                return False
    return found


def _regularised_is(problem: SafetyProblem, claim: Json) -> bool | None:
    """Compare with what another method finds, as near as it comes; None if that leaves it open."""
    asked = {key: Fraction(x) for key, x in claim.items() if key not in ("kind", "regret")}
    least = asked.get("lower", asked.get("epsilon") if claim["kind"] == "safe" else None)
    most = asked.get("upper", asked.get("epsilon") if claim["kind"] == "unsafe" else None)
    try:
        low, high = _bounds(replace(problem, epsilon=None))
    except InputError:  # a regret that no optimum has
        return None
    if (least is not None and least > high) or (most is not None and most < low):
        return False
    return None if (least and high == inf) or (most is not None and low == 0) else True


@lru_cache(maxsize=1000)
def _bounds(problem: SafetyProblem) -> tuple[float, float]:
    """Between which the radius lies: by brute force or random search in floats.

    For KL with a discount, and in returns, by the package, in half a second.
    """
    penalty, mdp = problem.regularizer, problem.mdp
    assert penalty is not None
    if penalty.kind == "kl":
        if mdp.discount == 0 and problem.metric != "returns":
            span = float(Question.of(problem).reward_range)
            found = least_cost(to_bandit(problem), 0, problem.metric)
            found /= span**2 if problem.metric == "mse" else span
            return (found / 1.1 - 1e-4, found + 1e-9) if isfinite(found) else (0.0, inf)
        bounds = radius(problem, time_limit=0.5)
        return float(bounds.lower), inf if bounds.upper is None else float(bounds.upper)
    instance = Instance(
        successors=mdp.successors,
        rewards=mdp.rewards,
        pair_states=mdp.pair_states,
        initial=mdp.initial,
        discount=mdp.discount,
        weights=problem.data.weights,
        regret=problem.regret,
    )
    if len(mdp.pairs) > (4 if penalty.kind == "tv" else 5):
        return 0.0, inf
    nothing = (Fraction(0),) * len(mdp.pairs)
    if penalty.kind == "linear":
        given = OraclePenalty(penalty.weight, penalty.coefficients, nothing, nothing, nothing)
    else:
        rho = reference_occupancy(instance, penalty.reference.probabilities)
        q = {
            "l2": (Fraction(1),) * len(rho),
            "chi2": tuple(1 / x if x else Fraction(0) for x in rho),
            "tv": nothing,
        }[penalty.kind]
        m = (Fraction(1, 2),) * len(rho) if penalty.kind == "tv" else nothing
        given = OraclePenalty(penalty.weight, nothing, q, m, rho)
    truth = regularised_radius(instance, given)
    return truth - 1e-6, truth + 1e-6


def _set(problem: SafetyProblem, value: Json) -> DataSet:
    mdp = problem.mdp
    if "mixture" in value:
        tables = [[Fraction(x) for row in table for x in row] for table in value["mixture"]]
        return DataSet.mixture([DataDistribution(mdp, tuple(table)) for table in tables])
    starts = [row.start for row in mdp.pair_ranges]
    rows = [
        DataRow(
            {starts[s] + a: Fraction(x) for s, a, x in row["flow"]},
            row["relation"],
            Fraction(row["bound"]),
        )
        for row in value["rows"]
    ]
    return DataSet(mdp, tuple(rows))


def _fewest_is(problem: SafetyProblem, table: Json, bounds: dict[str, Fraction]) -> bool | None:
    counts = tuple(int(n) for row in table for n in row)
    data = DataDistribution(problem.mdp, problem.data.weights, counts)
    asked = SafetyProblem(problem.mdp, data, problem.regret, bounds["epsilon"])
    fewest = fewest_by_trying(asked)
    if fewest is None:  # more than were tried
        return None if bounds["upper"] > MOST else False
    return bounds["lower"] <= fewest <= bounds["upper"]
