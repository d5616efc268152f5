"""Corrupted certificates: each mutant is refused, or its claim is true by brute force."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import lru_cache
from typing import Any

import pytest
from instances import random_instance, to_problem
from oracle import Instance, safety_radius

from symsafe import (
    Certificate,
    CertificateRejected,
    InputError,
    SafetyProblem,
    checker,
    decide,
    radius,
)

TINY = Fraction(1, 10**30)
SEEDS = range(12)
Path = tuple[str | int, ...]


def certificates(seed: int) -> Iterator[dict[str, Any]]:
    """One certificate of each kind for a random instance."""
    instance = random_instance(seed)
    exact_radius = safety_radius(instance)
    verdicts = [radius(to_problem(instance))]
    if exact_radius > 0:
        verdicts.append(decide(to_problem(instance, exact_radius)))
        verdicts.append(decide(to_problem(instance, exact_radius * Fraction(2, 3))))
    for verdict in verdicts:
        assert verdict.certificate is not None
        yield json.loads(verdict.certificate.to_json())


def numbers(value: object, path: Path = ()) -> Iterator[Path]:
    """Yield the places of all numbers of a document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from numbers(inner, (*path, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from numbers(inner, (*path, i))
    elif isinstance(value, str) and path[:2] not in (("problem", "states"), ("problem", "actions")):
        try:
            Fraction(value)
        except ValueError:
            return
        if path != ("digest",):
            yield path


def get(document: Any, path: Path) -> Any:
    for key in path:
        document = document[key]
    return document


def put(document: Any, path: Path, value: object) -> None:
    get(document, path[:-1])[path[-1]] = value


def accepted(document: dict[str, Any]) -> bool:
    try:
        checker.check(document)
    except checker.Rejected:
        return False
    return True


def claim_is_true(document: dict[str, Any]) -> bool:
    """Decide the claim by enumeration, without the evidence."""
    truth, claim = true_radius(Certificate(document).problem()), document["claim"]
    if claim["kind"] == "radius":
        return Fraction(claim["lower"]) <= truth <= Fraction(claim["upper"])
    return (truth <= Fraction(claim["epsilon"])) == (claim["kind"] == "unsafe")


@lru_cache(maxsize=1000)
def true_radius(problem: SafetyProblem) -> Fraction:
    mdp = problem.mdp
    return safety_radius(
        Instance(
            successors=mdp.successors,
            rewards=mdp.rewards,
            pair_states=mdp.pair_states,
            initial=mdp.initial,
            discount=mdp.discount,
            weights=problem.data.weights,
            regret=problem.regret,
        )
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_every_number_perturbed_by_little_is_refused_or_harmless(seed: int) -> None:
    """Each number of each certificate, moved both ways, with the digest made to fit again."""
    refused = kept = 0
    for document in certificates(seed):
        for path in numbers(document):
            for step in (TINY, -TINY, Fraction(1), Fraction(-1)):
                mutant = copy.deepcopy(document)
                put(mutant, path, str(Fraction(get(document, path)) + step))
                mutant["digest"] = checker.digest(mutant["problem"])
                if accepted(mutant):
                    kept += 1
                    assert claim_is_true(mutant), (seed, path, step)
                else:
                    refused += 1
    assert refused > kept


@pytest.mark.parametrize("seed", SEEDS)
def test_a_changed_problem_does_not_fit_its_digest(seed: int) -> None:
    """Without a new digest, every change of the problem is refused for that very reason."""
    for document in certificates(seed):
        for path in numbers(document["problem"], ("problem",)):
            mutant = copy.deepcopy(document)
            put(mutant, path, str(Fraction(get(document, path)) + 1))
            with pytest.raises(checker.Rejected):
                checker.check(mutant)


def structural(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield certificates with the structure of their tree or their evidence changed."""

    def changed(edit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        mutant = copy.deepcopy(document)
        edit(mutant)
        return mutant

    tree = document["evidence"].get("tree", [])
    for i, node in enumerate(tree):
        yield changed(lambda m, i=i: m["evidence"]["tree"].pop(i))
        if i:
            yield changed(lambda m, i=i: put(m, ("evidence", "tree", i), m["evidence"]["tree"][0]))
        if "hitting" in node:
            yield changed(lambda m, i=i: m["evidence"]["tree"][i].pop("hitting"))
        if "split" in node:
            for c, (_, actions) in enumerate(node["split"]["children"]):
                path = ("evidence", "tree", i, "split", "children")
                yield changed(lambda m, c=c, path=path: get(m, path).pop(c))
                yield changed(
                    lambda m, c=c, path=path: put(m, (*path, c, 0), get(m, path)[c - 1][0])
                )
                if len(actions) > 1:
                    yield changed(lambda m, c=c, path=path: get(m, path)[c][1].pop())
        for j in range(len(tree)):
            if i < j and set(node) != set(tree[j]) | {"split"}:

                def swap(m: dict[str, Any], i: int = i, j: int = j) -> None:
                    nodes = m["evidence"]["tree"]
                    nodes[i], nodes[j] = nodes[j], nodes[i]

                yield changed(swap)
    for part in list(document["evidence"]):
        yield changed(lambda m, part=part: m["evidence"].pop(part))
    if tree:
        yield changed(lambda m: m["evidence"]["tree"].append(m["evidence"]["tree"][-1]))
        yield changed(lambda m: put(m, ("evidence", "tree"), []))


@pytest.mark.parametrize("seed", SEEDS)
def test_structural_changes_are_refused_or_harmless(seed: int) -> None:
    """Dropped leaves, swapped nodes, missing children, lost parts."""
    refused = 0
    for document in certificates(seed):
        for mutant in structural(document):
            if accepted(mutant):
                assert claim_is_true(mutant)
            else:
                refused += 1
    assert refused


@pytest.mark.parametrize("seed", SEEDS)
def test_stronger_claims_are_refused(seed: int) -> None:
    """The evidence of an exact radius proves nothing tighter, and no other kind of claim."""
    for document in certificates(seed):
        claim = document["claim"]
        if claim["kind"] == "radius":
            exact_radius = Fraction(claim["lower"])
            stronger = [{**claim, "lower": str(exact_radius + TINY)}]
            if exact_radius > 0:
                stronger.append({**claim, "upper": str(exact_radius - TINY)})
        elif claim["kind"] == "unsafe":
            stronger = [
                {**claim, "epsilon": str(Fraction(claim["epsilon"]) - TINY)},
                {**claim, "kind": "safe"},
            ]
        else:
            stronger = [
                {**claim, "epsilon": str(Fraction(claim["epsilon"]) * Fraction(3, 2))},
                {**claim, "kind": "unsafe"},
            ]
        for other in stronger:
            assert not accepted({**document, "claim": other}), other


def test_the_evidence_of_one_problem_does_not_serve_another() -> None:
    """Certificates with their problems exchanged are refused, or the claim happens to hold."""
    documents = [next(certificates(seed)) for seed in range(20)]
    refused = 0
    for first in documents:
        for second in documents:
            if first["problem"] == second["problem"]:
                continue
            mutant = {**first, "problem": second["problem"], "digest": second["digest"]}
            if accepted(mutant):
                assert claim_is_true(mutant)
            else:
                refused += 1
    assert refused > 300


def test_certificates_round_trip_through_files(tmp_path: Any) -> None:
    """Saved, loaded and checked, a certificate says the same about the same problem."""
    problem = to_problem(random_instance(1))
    certificate = radius(problem).certificate
    assert certificate is not None
    certificate.save(tmp_path / "radius.json")
    loaded = Certificate.load(tmp_path / "radius.json")
    assert loaded == certificate
    assert loaded.differences(problem) == []
    assert loaded.problem() == problem
    assert loaded.differences(to_problem(random_instance(2))) != []


def test_loading_a_corrupted_file_is_refused(tmp_path: Any) -> None:
    """A broken claim raises CertificateRejected, a missing file InputError."""
    certificate = radius(to_problem(random_instance(1))).certificate
    assert certificate is not None
    path = tmp_path / "radius.json"
    path.write_text(certificate.to_json().replace('"lower":"', '"lower":"1'))
    with pytest.raises(CertificateRejected) as caught:
        Certificate.load(path)
    assert caught.value.step
    with pytest.raises(InputError):
        Certificate.load(tmp_path / "missing.json")
