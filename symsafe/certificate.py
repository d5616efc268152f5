"""Certificates: claim and evidence as one JSON document (CERTIFICATE.md), checked when built.

This file writes down what an engine found. It decides nothing: `symsafe.checker` does.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from os import PathLike
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from symsafe import checker
from symsafe.engine.bandit import BanditOutcome
from symsafe.engine.coverage import Cover, Coverage
from symsafe.engine.curves import Curve
from symsafe.engine.every import Every
from symsafe.engine.kl import CurveOutcome, walk_curves
from symsafe.engine.leaves import CirculationLeaf, DuplicateLeaf, Potentials, ValueLeaf
from symsafe.engine.parametric.cells import Evidence
from symsafe.engine.parametric.domain import scribe_of
from symsafe.engine.parametric.functions import family_document, read_function, read_polynomial
from symsafe.engine.parametric.subdivision import Subdivision
from symsafe.engine.penalty import Penalty
from symsafe.engine.question import Question
from symsafe.engine.regularised import (
    Case,
    CaseNode,
    DualLeaf,
    GapLeaf,
    RegularisedWitness,
    Side,
    walk_cases,
)
from symsafe.engine.samples import Samples
from symsafe.engine.soft import SoftWitness
from symsafe.engine.soft_search import SoftGap
from symsafe.engine.tree import Node, Split, walk
from symsafe.engine.witness import Witness, cheapest_witness
from symsafe.errors import CertificateRejected, EngineError, InputError
from symsafe.exact import MAX_BITS, Number, exact, format_fraction
from symsafe.model import (
    MDP,
    BanditArrays,
    DataDistribution,
    ParameterSpace,
    Policy,
    Regularizer,
    SafetyProblem,
)
from symsafe.model.arrays import require_either
from symsafe.model.data_set import DataSet
from symsafe.model.files import read_bytes, write_atomically
from symsafe.model.parameters import Constraint
from symsafe.model.tables import read_path

__all__ = [
    "Certificate",
    "all_safe_certificate",
    "all_unsafe_certificate",
    "bandit_certificate",
    "critical_certificate",
    "fewest_certificate",
    "nearest_certificate",
    "radius_certificate",
    "region_certificate",
    "safe_certificate",
    "soft_certificate",
    "some_unsafe_certificate",
    "unsafe_certificate",
]


@dataclass(frozen=True, slots=True)
class Certificate:
    """A problem, a claim about it, and the evidence, as specified in CERTIFICATE.md.

    Attributes
    ----------
    document : mapping
        The JSON document. It is not meant to be changed; a changed one is rejected by `check`.
    check_seconds : float
        What the checker took when an engine built the certificate.
    """

    document: Mapping[str, Any]
    check_seconds: float = field(default=0.0, compare=False, repr=False)

    def check(self) -> checker.Result | checker.Region:
        """Verify the certificate with the independent checker.

        Returns
        -------
        symsafe.checker.Result or symsafe.checker.Region
            What is claimed, and how much evidence was looked at.

        Raises
        ------
        CertificateRejected
            With the step, the rule and the reason, if the claim does not follow.
        """
        try:
            return checker.check(self.document)
        except checker.Rejected as refusal:
            raise CertificateRejected(refusal.step, refusal.rule, refusal.reason) from None

    @property
    def kind(self) -> str:
        """The kind of its claim: ``"unsafe"``, ``"safe"``, ``"radius"``, ``"critical"``, ..."""
        return str(self.document["claim"]["kind"])

    def __repr__(self) -> str:
        claim = self.document["claim"]
        numbers = ((key, str(value)) for key, value in claim.items() if key != "kind")
        said = ", ".join(f"{key} {x if len(x) < 40 else f'{x[:36]}...'}" for key, x in numbers)
        return f"Certificate({claim['kind']}, {said})"

    def problem(self) -> SafetyProblem:
        """Return the problem inside, with the tolerance of the claim if it has one."""
        inside, claim = self.document["problem"], self.document["claim"]
        if isinstance(inside["actions"], str):
            lists: dict[str, Any] = {k: [int(x) for x in inside[k].split(" ")] for k in inside}
            asked: Any = {"regret": claim["regret"], "epsilon": claim.get("epsilon")}
            return BanditArrays(**lists, **asked).problem()
        space = inside.get("parameters", {"names": [], "box": [], "constraints": []})
        names = space["names"]

        def number(written: Any) -> Number:
            return read_function(written, names)

        mdp = MDP(
            states=tuple(inside["states"]),
            actions=tuple(tuple(names) for names in inside["actions"]),
            successors=tuple(
                tuple((t, number(p)) for t, p in row)
                for table in inside["transitions"]
                for row in table
            ),
            rewards=tuple(number(r) for row in inside["reward"] for r in row),
            initial=tuple(number(p) for p in inside["initial"]),
            discount=number(inside["discount"]),
            parameters=ParameterSpace(
                dict(zip(names, space["box"], strict=True)),
                [Constraint(read_polynomial(x, names), ">=") for x in space["constraints"]],
            ),
        )
        weights = tuple(number(w) for row in inside["data"] for w in row)
        epsilon = number(claim["epsilon"]) if "epsilon" in claim else None
        data = DataDistribution(mdp, weights)
        penalty = None
        if "regularizer" in inside:
            penalty = _regularizer(mdp, inside["regularizer"])
        regret, metric = number(claim["regret"]), inside.get("metric")
        return SafetyProblem(mdp, data, regret, epsilon, penalty, metric)

    def policy_tree(self, question: Question) -> tuple[Node, Witness]:
        """Return the policy tree and the witness of a claim about the radius of `question`.

        Raises
        ------
        InputError
            If the certificate has none, or is about another problem.
        """
        evidence, what = self.document["evidence"], "a certificate of the radius of this problem"
        if self.kind != "radius" or "policy" not in evidence.get("witness", {}):
            raise InputError("resume", f"one of kind {self.kind}", what)
        different = self.differences(question.problem)
        if different:
            raise InputError("resume", f"another problem: {'; '.join(different)}", what)
        mdp, witness = question.mdp, evidence["witness"]
        shares = tuple(exact(x) for row in witness["policy"] for x in row)
        taken = {next(p for p in row if shares[p]) for row in mdp.pair_ranges}
        policy = Policy(mdp, tuple(Fraction(p in taken) for p in range(len(shares))))
        known = cheapest_witness(question, policy)
        if any(x not in (0, 1) for x in shares) or known.policy_return > question.bad_return:
            raise InputError("resume", "a witness of another kind", what)
        return _read_tree(question, evidence["tree"]), known

    def differences(
        self, problem: SafetyProblem | BanditArrays, among: DataSet | None = None
    ) -> list[str]:
        """Return in which respects the certificate speaks of something else than `problem`.

        The tolerance is compared if both have one. A claim about a set of data distributions is
        compared with `among`, by default the coverage of the problem. An empty list means that the
        certificate is about this very problem.
        """
        require_either(problem)
        found = self.document["problem"]
        if isinstance(problem, BanditArrays) and not isinstance(found["actions"], str):
            problem = problem.problem()
        meant = _lists(problem) if isinstance(problem, BanditArrays) else _problem(problem)
        keys = sorted(meant.keys() | found.keys())
        different = [key for key in keys if meant.get(key) != found.get(key)]
        claim = self.document["claim"]
        if isinstance(problem, SafetyProblem):
            different = self._differences_of_data(different, problem, among)
        asked = {"regret": problem.regret, "epsilon": problem.epsilon}
        if isinstance(problem, BanditArrays) or problem.is_ground:
            written = {key: _text(value) for key, value in asked.items() if value is not None}
        else:
            scribe = scribe_of(problem)
            written = {key: scribe.number(x) for key, x in asked.items() if x is not None}
        return different + [
            f"{key} ({claim[key]} in the certificate, {asked[key]} in the problem)"
            for key, text in written.items()
            if key in claim and claim[key] != text
        ]

    def _differences_of_data(
        self, different: list[str], problem: SafetyProblem, among: DataSet | None
    ) -> list[str]:
        """Add what a claim says about other data than those of the problem."""
        claim = self.document["claim"]
        if "set" in claim:
            if claim["kind"] != "nearest":  # where the problem's own data play no part
                different = [key for key in different if key != "data"]
            meant = among or problem.coverage or DataSet(problem.mdp)
            if claim["set"] != _set(meant):
                different = [*different, "set"]
        elif among is not None:
            different = [*different, "set"]
        counts = problem.data.counts
        if "counts" in claim and (
            counts is None or claim["counts"] != _table(problem.mdp, [Fraction(n) for n in counts])
        ):
            different = [*different, "counts"]
        return different

    def to_json(self) -> str:
        """Return the document as text: the same certificate gives the same bytes."""
        parts = []
        for key, value in self.document.items():
            if key == "evidence":
                inner = ",\n".join(f"  {_dump(k)}:{_evidence(v)}" for k, v in value.items())
                parts.append(f"{_dump(key)}:{{\n{inner}\n}}")
            else:
                parts.append(f"{_dump(key)}:{_dump(value)}")
        return "{\n" + ",\n".join(parts) + "\n}\n"

    def save(self, path: str | PathLike[str]) -> None:
        """Write the certificate to `path`, whole or not at all; packed if it ends in ``.gz``.

        The same certificate gives the same bytes.
        """
        name, content = read_path(path), self.to_json().encode("utf-8")
        if name.endswith(".gz"):
            packed = gzip.compress(content, mtime=0)
            if len(content) > max(checker.MAX_PLAIN, checker.MAX_RATIO * len(packed)):
                # A checker may refuse what swells so much: a gzip file that is as long as the text.
                packed = gzip.compress(content, compresslevel=0, mtime=0)
            content = packed
        write_atomically(name, content)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Certificate:
        """Read and verify a certificate, packed or not; ``-`` is standard input.

        Raises
        ------
        InputError
            If the file cannot be read.
        CertificateRejected
            If the checker refuses it.
        """
        text = read_bytes(path, checker.MAX_BYTES, "certificate")
        try:
            certificate = cls(cast("Mapping[str, Any]", checker.parse(text)))
        except checker.Rejected as refusal:
            raise CertificateRejected(refusal.step, refusal.rule, refusal.reason) from None
        certificate.check()
        return certificate


def unsafe_certificate(
    question: Question, epsilon: Fraction, witness: Witness | RegularisedWitness
) -> Certificate:
    """Return the checked certificate that the data distribution is unsafe at `epsilon`."""
    return _build(question, {"kind": "unsafe", "epsilon": _text(epsilon)}, witness, None)


def safe_certificate(question: Question, epsilon: Fraction, root: Node | CaseNode) -> Certificate:
    """Return the checked certificate that the data distribution is safe at `epsilon`."""
    return _build(question, {"kind": "safe", "epsilon": _text(epsilon)}, None, root)


def radius_certificate(
    question: Question,
    lower: Fraction,
    upper: Fraction,
    root: Node | CaseNode,
    witness: Witness | RegularisedWitness,
) -> Certificate:
    """Return the checked certificate that the safety radius lies in [lower, upper]."""
    claim = {"kind": "radius", "lower": _text(lower), "upper": _text(upper)}
    return _build(question, claim, witness, root)


def critical_certificate(
    question: Question, among: DataSet, lower: Fraction, upper: Fraction, found: Coverage
) -> Certificate:
    """Return the checked certificate that the greatest radius of a set is in [lower, upper]."""
    claim = {"kind": "critical", "lower": _text(lower), "upper": _text(upper)}
    return _of_set(question, among, claim, found)


def all_unsafe_certificate(
    question: Question, among: DataSet, epsilon: Fraction, cover: Cover | None
) -> Certificate:
    """Return the checked certificate that every distribution of a set is unsafe at `epsilon`."""
    claim = {"kind": "all-unsafe", "epsilon": _text(epsilon), "set": _set(among)}
    return _assemble(question, claim, {"cover": _cover(question.mdp, cover)})


def nearest_certificate(
    question: Question,
    among: DataSet,
    epsilon: Fraction,
    found: Coverage,
) -> Certificate:
    """Return the checked certificate of how far the safe distributions of a set are."""
    claim = {
        "kind": "nearest",
        "epsilon": _text(epsilon),
        "lower": _text(found.lower),
        "upper": _text(found.upper),
    }
    return _of_set(question, among, claim, found)


def some_unsafe_certificate(
    question: Question, among: DataSet, epsilon: Fraction, found: Every
) -> Certificate:
    """Return the checked certificate that some distribution of a set is unsafe at `epsilon`."""
    if found.distribution is None or found.witness is None:
        raise EngineError("no unsafe distribution of the set was found")
    claim = {"kind": "some-unsafe", "epsilon": _text(epsilon), "set": _set(among)}
    evidence = {
        "distribution": _member(found.distribution, found.mixture),
        "witness": _witness(question.mdp, found.witness),
    }
    return _assemble(question, claim, evidence)


def all_safe_certificate(
    question: Question, among: DataSet, epsilon: Fraction, found: Every
) -> Certificate:
    """Return the checked certificate that every distribution of a set is safe at `epsilon`."""
    claim = {"kind": "all-safe", "epsilon": _text(epsilon), "set": _set(among)}
    cells = list(found.cells)
    entries: list[dict[str, Any]] = []
    for cell in cells:  # which grows
        if cell.cut is not None:
            pair, weight, *children = cell.cut
            ends = (len(cells), len(cells) + 1)
            entries.append({"cut": [*_names(question.mdp)[pair], _text(weight), *ends]})
            cells += children
        elif cell.tree is not None:
            entries.append({"tree": _tree(question.mdp, cell.tree)})
        else:
            entries.append({"empty": []})
    return _assemble(question, claim, {"cells": entries})


def fewest_certificate(
    question: Question, counts: Sequence[int], epsilon: Fraction, found: Samples
) -> Certificate:
    """Return the checked certificate of how many samples have to be added to some counts."""
    mdp, samples = question.mdp, found.samples
    if samples is None or found.outcome is None:
        raise EngineError("no samples were found after which the data are safe")
    used: set[int] = set()
    branches = [found.root]
    for branch in branches:
        branches += branch.cut[2:] if branch.cut is not None else ()
        if branch.cut is None:
            used |= {k for k, price in enumerate(branch.prices) if price}
    place = {k: i for i, k in enumerate(sorted(used))}
    nodes: list[dict[str, Any]] = []
    free = 1
    for branch in branches:
        if branch.cut is not None:
            pair, number = branch.cut[:2]
            nodes.append({"cut": [*_names(mdp)[pair], str(number), free, free + 1]})
            free += 2
        else:
            prices = enumerate(branch.prices)
            nodes.append({"weights": [[place[k], _text(x)] for k, x in prices if x]})
    claim = {
        "kind": "fewest",
        "epsilon": _text(epsilon),
        "lower": str(found.lower),
        "upper": str(sum(samples)),
        "counts": _table(mdp, [Fraction(n) for n in counts]),
    }
    evidence = {
        "cuts": {
            "witnesses": [_witness(mdp, found.witnesses[k]) for k in sorted(used)],
            "nodes": nodes,
        },
        "samples": _table(mdp, [Fraction(m) for m in samples]),
        "tree": _tree(mdp, found.outcome.root),
    }
    return _assemble(question, claim, evidence)


def _names(mdp: MDP) -> list[tuple[int, int]]:
    return [(s, p - mdp.pair_ranges[s].start) for p, s in enumerate(mdp.pair_states)]


def _sparse(mdp: MDP, values: Iterable[tuple[int, Fraction]]) -> list[list[Any]]:
    names = _names(mdp)
    return [[*names[p], _text(x)] for p, x in sorted(values) if x]


def _set(among: DataSet) -> dict[str, Any]:
    if among.members is not None:
        return {"mixture": [_table(among.mdp, m.weights) for m in among.members]}
    rows = [
        {
            "flow": _sparse(among.mdp, row.coefficients.items()),
            "relation": row.relation,
            "bound": _text(row.bound),
        }
        for row in among.rows
    ]
    return {"rows": rows}


def _member(data: DataDistribution, mixture: Sequence[Fraction] | None) -> list[Any]:
    return _table(data.mdp, data.weights) if mixture is None else _texts(mixture)


def _cover(mdp: MDP, cover: Cover | None) -> dict[str, Any]:
    if cover is None:
        raise EngineError("no bound was found for the set")
    return {
        "weights": _texts(cover.weights),
        "witnesses": [_witness(mdp, witness) for witness in cover.witnesses],
        "signs": _sparse(mdp, enumerate(cover.signs)),
        "total": _text(cover.total),
        "rows": _texts(cover.rows),
    }


def _of_set(
    question: Question, among: DataSet, claim: dict[str, Any], found: Coverage
) -> Certificate:
    if found.distribution is None or found.outcome is None:
        raise EngineError("no distribution of the set was found")
    evidence = {
        "cover": _cover(question.mdp, found.cover),
        "distribution": _member(found.distribution, found.mixture),
        "tree": _tree(question.mdp, found.outcome.root),
    }
    return _assemble(question, {**claim, "set": _set(among)}, evidence)


def _build(
    question: Question,
    claim: dict[str, str],
    witness: Witness | RegularisedWitness | None,
    root: Node | CaseNode | None,
) -> Certificate:
    mdp = question.mdp
    evidence: dict[str, Any] = {}
    if question.problem.regularizer is not None:
        visits = Penalty.of(question).visits
        if visits is not None:
            evidence["reference"] = _texts(visits)
    if isinstance(witness, RegularisedWitness):
        evidence["witness"] = {
            "reward": _table(mdp, witness.reward),
            "occupancy": _table(mdp, witness.occupancy),
            "slope": _table(mdp, witness.slope),
            "value": _texts(witness.value),
        }
    elif witness is not None:
        evidence["witness"] = _witness(mdp, witness)
    if isinstance(root, CaseNode):
        evidence["tree"] = _case_tree(mdp, root)
    elif root is not None:
        evidence["tree"] = _tree(mdp, root)
    return _assemble(question, claim, evidence)


def soft_certificate(
    question: Question,
    claim: dict[str, str],
    witness: SoftWitness | None,
    proof: CurveOutcome | SoftGap | None,
    level: Fraction | None = None,
) -> Certificate:
    """Return the checked certificate of a claim about a KL-regularised problem.

    Parameters
    ----------
    question : Question
    claim : dict
        Its kind, and its bounds as text.
    witness, proof
        As the claim needs them.
    level : Fraction, optional
        The mean absolute error that `proof` bounds, where the metric is ``mse`` or ``preferences``.
    """
    mdp = question.mdp
    evidence: dict[str, Any] = {}
    if proof is not None:
        curves = proof.curves if isinstance(proof, CurveOutcome) else {}
        evidence["curves"] = [_curve(question, s, curves.get(s)) for s in range(len(mdp.states))]
        evidence["tree"] = (
            _curve_tree(proof) if isinstance(proof, CurveOutcome) else [_soft_gap(mdp, proof)]
        )
        if question.problem.metric in ("mse", "preferences"):
            evidence["level"] = _text(level)
    if witness is not None:
        evidence["witness"] = {
            "reward": _table(mdp, witness.reward),
            "value": _texts(witness.value),
            "policy_value": _texts(witness.policy_value),
        }
    evidence["bits"] = 96 if witness is None else max(96, witness.bits)
    return _assemble(question, claim, evidence)


def _curve(question: Question, state: int, curve: Curve | None) -> dict[str, Any]:
    if curve is None:
        due = question.initial[state] and not question.discount
        least = min(question.rewards[p] for p in question.mdp.pair_ranges[state])
        return {"points": [[_text(least), "0"]] if due else [], "pieces": []}
    points, unit = curve.proven(), curve.context.unit
    pieces: list[dict[str, Any]] = []
    for piece, (_, low), (_, high) in zip(curve.pieces, points, points[1:], strict=False):
        raises = piece.raises if max(low, high) > 0 else ()
        pieces.append(
            {
                "price": _short(piece.price, unit),
                "raises": [
                    {
                        "action": raised.action,
                        "lowered": list(raised.lowered),
                        "ends": [_short(x) for x in raised.ends],
                        "prices": [_short(x, unit) for x in raised.prices],
                        "tilted": list(raised.tilted),
                    }
                    for raised in raises
                ],
            }
        )
    return {"points": [_texts(point) for point in points], "pieces": pieces}


def _short(x: float, unit: Fraction = Fraction(1)) -> str:
    """Write a float that is meant to be a decimal with few digits; per unit."""
    return _text(Fraction(repr(x)) / unit)


def _curve_tree(found: CurveOutcome) -> list[dict[str, Any]]:
    nodes = list(walk_curves(found.root))
    index = {node: i for i, node in enumerate(nodes)}
    tree: list[dict[str, Any]] = []
    for node in nodes:
        if node.full:
            tree.append({"full": []})
        elif node.split is None:
            tree.append({"multiplier": _text(node.kappa)})
        else:
            state, mean, below, above = node.split
            point = found.curves[state].points.index(mean)
            ends = {"below": index[below], "above": index[above]}
            tree.append({"cut": {"state": state, "point": point, **ends}})
    return tree


def _soft_gap(mdp: MDP, gap: SoftGap) -> dict[str, Any]:
    names = [(s, p - mdp.pair_ranges[s].start) for p, s in enumerate(mdp.pair_states)]
    flow = [[*names[p], _text(y)] for p, y in enumerate(gap.flow) if y]
    numbers = {"kappa": _text(gap.kappa), "price": _text(gap.price)}
    return {"gap": {"flow": flow, **numbers, "value": _texts(gap.value)}}


def bandit_certificate(
    bandit: BanditArrays, claim: dict[str, str], found: BanditOutcome
) -> Certificate:
    """Return the checked certificate of a claim about a contextual bandit given by arrays."""
    evidence: dict[str, Any] = {}
    if claim["kind"] != "safe":
        evidence["choice"] = _listed(found.choice)
    if claim["kind"] != "unsafe":
        if Fraction(claim.get("lower") or claim["epsilon"]) < found.plain:
            found = found.by_multiplier()
        # The multiplier has about 64 binary digits.
        steep = found.multiplier or Fraction(1)
        bits = max(0, 64 - steep.numerator.bit_length() + steep.denominator.bit_length())
        evidence["bits"] = bits
        evidence["tree"] = [
            list(node) if isinstance(node, tuple) else node.text(bits) for node in found.tree
        ]
    claim = {"kind": claim["kind"], "regret": _text(bandit.regret), **claim}
    return _checked(claim, _lists(bandit), evidence)


def _lists(bandit: BanditArrays) -> dict[str, str]:
    keys = ("actions", "initial", "reward", "data")
    return {key: _listed(getattr(bandit, key)) for key in keys}


def _listed(integers: NDArray[np.int64]) -> str:
    return " ".join(map(str, integers.tolist()))


def _assemble(question: Question, claim: dict[str, Any], evidence: dict[str, Any]) -> Certificate:
    """Return the checked certificate of a claim with what is particular to it."""
    returns = {
        "optimal": _texts(question.returns.optimal_values),
        "worst": _texts(question.returns.worst_values),
    }
    claim = {"kind": claim["kind"], "regret": _text(question.problem.regret), **claim}
    return _checked(claim, _problem(question.problem), {"returns": returns, **evidence})


def _checked(
    claim: dict[str, Any], problem: dict[str, Any], evidence: dict[str, Any]
) -> Certificate:
    certificate = Certificate(
        {
            "format": "symsafe-certificate",
            "version": 1,
            "claim": claim,
            "digest": checker.digest(problem),
            "problem": problem,
            "evidence": evidence,
        }
    )
    started = time.monotonic()
    certificate.check()
    return replace(certificate, check_seconds=time.monotonic() - started)


def _witness(mdp: MDP, witness: Witness) -> dict[str, Any]:
    return {
        "reward": _table(mdp, witness.reward),
        "policy": _table(mdp, witness.policy.probabilities),
        "value": _texts(witness.value),
        "policy_value": _texts(witness.policy_value),
    }


def region_certificate(subdivision: Subdivision) -> Certificate:
    """Return the checked certificate of which cells of a box of parameters are safe and unsafe."""
    prover = subdivision.prover
    index: dict[int, int] = {}
    proofs: list[Any] = []
    cells: list[Any] = []
    for cell in subdivision.cells():
        found = cell.found
        if cell.children is not None:
            cells.append([cell.axis, _text(cell.children[1].box[cell.axis][0])])
        elif isinstance(found, Evidence):
            if id(found) not in index:
                index[id(found)] = len(proofs)
                proofs.append(found.document)
            cells.append({"interior" if cell.interior else "proof": index[id(found)]})
        else:
            cells.append({"outside": found} if isinstance(found, int) else "undecided")
    shares = {key: subdivision.shares[key] for key in ("safe", "unsafe", "undecided")}
    claim = {
        "kind": "region",
        "regret": prover.regret_document,
        "epsilon": prover.epsilon_document,
        **{key: _text(share) for key, share in shares.items()},
    }
    return _checked(claim, prover.document, {"proofs": proofs, "cells": cells})


def _problem(problem: SafetyProblem) -> dict[str, Any]:
    if not problem.is_ground:
        return family_document(problem, scribe_of(problem))
    mdp = problem.mdp
    ranges = mdp.pair_ranges
    penalty: dict[str, Any] = {}
    if problem.regularizer is not None:
        given = problem.regularizer
        penalty = {"kind": given.kind, "weight": _text(given.weight)}
        if given.reference is not None:
            penalty["reference"] = _table(mdp, given.reference.probabilities)
        if given.coefficients is not None:
            penalty["coefficients"] = _table(mdp, given.coefficients)
        penalty = {"regularizer": penalty}
    if problem.metric is not None:
        penalty["metric"] = problem.metric
    return {
        "states": list(mdp.states),
        "actions": [list(names) for names in mdp.actions],
        "initial": _texts(mdp.initial),
        "discount": _text(mdp.discount),
        "transitions": [
            [[[t, _text(p)] for t, p in mdp.successors[pair]] for pair in pairs] for pairs in ranges
        ],
        "reward": _table(mdp, mdp.rewards),
        "data": _table(mdp, problem.data.weights),
        **penalty,
    }


def _tree(mdp: MDP, root: Node) -> list[dict[str, Any]]:
    coupled = any(
        isinstance(node.content, CirculationLeaf) and node.content.kappa for node in walk(root)
    )
    nodes = list(walk(root))
    index = {node: i for i, node in enumerate(nodes)}
    names = [(s, p - mdp.pair_ranges[s].start) for p, s in enumerate(mdp.pair_states)]
    return [_node(node, index, names, coupled) for node in nodes]


def _node(
    node: Node, index: Mapping[Node, int], names: Sequence[tuple[int, int]], coupled: bool
) -> dict[str, Any]:
    content, hitting = node.content, node.hitting
    entry: dict[str, Any] = {}
    if isinstance(content, Split):
        children = [
            [index[child], [names[pair][1] for pair in child.allowed[content.state]]]
            for child in content.children
        ]
        entry = {"split": {"state": content.state, "children": children}}
    elif isinstance(content, ValueLeaf):
        entry = {"value": _texts(content.values)}
    elif isinstance(content, DuplicateLeaf):
        state, action = names[content.twin]
        entry = {"duplicate": {"state": state, "action": action}}
    elif isinstance(content, CirculationLeaf):
        flow = [[*names[p], _integer(y)] for p, y in sorted(content.flow.items())]
        scale = _integer(content.scale)
        entry = {"circulation": {"kappa": _text(content.kappa), "scale": scale, "flow": flow}}
        hitting = {**hitting, **content.hitting}
    if coupled and hitting:
        entry["hitting"] = _hitting(hitting)
    return entry


def _read_tree(question: Question, entries: Sequence[Mapping[str, Any]]) -> Node:
    """Return the policy tree that is written in a checked certificate."""
    mdp = question.mdp
    starts = [row.start for row in mdp.pair_ranges]
    nodes = [Node(tuple(tuple(row) for row in mdp.pair_ranges)) for _ in entries]
    for node, entry in zip(nodes, entries, strict=True):
        hitting = {}
        for target, side, height, *price in entry.get("hitting", []):
            if side != "upper":
                raise InputError("resume", "bounds that symsafe does not write", "one of its own")
            key = target, exact(price[0]) if price else Fraction(0)
            hitting[key] = tuple(exact(x) for x in height)
        if "split" in entry:
            state = entry["split"]["state"]
            children = []
            for place, actions in entry["split"]["children"]:
                pairs = tuple(starts[state] + a for a in actions)
                allowed = (*node.allowed[:state], pairs, *node.allowed[state + 1 :])
                nodes[place].allowed = allowed
                children.append(nodes[place])
            node.content, node.hitting = Split(state, tuple(children)), hitting
        elif "value" in entry:
            node.content = ValueLeaf(tuple(exact(x) for x in entry["value"]))
        elif "duplicate" in entry:
            given = entry["duplicate"]
            node.content = DuplicateLeaf(starts[given["state"]] + given["action"])
        else:
            given = entry["circulation"]
            scale, kappa = exact(given.get("scale", 1)), exact(given["kappa"])
            flow = [Fraction(0)] * len(question.rewards)
            for state, action, y in given["flow"]:
                flow[starts[state] + action] = exact(y) / scale
            gained = sum((y * r for y, r in zip(flow, question.rewards, strict=True)), Fraction(0))
            cost = gained - kappa * question.bad_return
            node.content = CirculationLeaf.of(cost, kappa, flow, hitting)
    return nodes[0]


def _regularizer(mdp: MDP, given: Mapping[str, Any]) -> Regularizer:
    policy = numbers = None
    if "reference" in given:
        policy = Policy(mdp, tuple(exact(x) for row in given["reference"] for x in row))
    if "coefficients" in given:
        numbers = tuple(exact(x) for row in given["coefficients"] for x in row)
    return Regularizer(mdp, given["kind"], exact(given["weight"]), policy, numbers)


def _case_tree(mdp: MDP, root: CaseNode) -> list[dict[str, Any]]:
    nodes = list(walk_cases(root))
    index = {node: i for i, node in enumerate(nodes)}
    names = [(s, p - mdp.pair_ranges[s].start) for p, s in enumerate(mdp.pair_states)]

    def sparse(values: Mapping[int, Fraction]) -> list[list[Any]]:
        return [[*names[p], _text(x)] for p, x in sorted(values.items()) if x]

    tree: list[dict[str, Any]] = []
    for node in nodes:
        content = node.content
        if isinstance(content, Case):
            state, action = names[content.pair]
            ends = {"unused": index[content.unused], "used": index[content.used]}
            tree.append({"case": {"state": state, "action": action, **ends}})
        elif isinstance(content, Side):
            state, action = names[content.pair]
            ends = {key: index[getattr(content, key)] for key in ("below", "at", "above")}
            tree.append({"side": {"state": state, "action": action, **ends}})
        elif isinstance(content, GapLeaf):
            peak = content.peak
            tree.append(
                {
                    "gap": {
                        "flow": sparse(content.flow),
                        "kappa": _text(content.kappa),
                        "at": sparse(dict(enumerate(peak.normalised))),
                        "slope": sparse(dict(enumerate(peak.slope))),
                        "price": _text(peak.price),
                        "value": _texts(peak.potential),
                    }
                }
            )
        elif isinstance(content, DualLeaf):
            tree.append(
                {
                    "dual": {
                        "flow": sparse(content.flow),
                        "kappa": _text(content.kappa),
                        "value": _texts(content.values),
                        "bounds": sparse(content.bounds),
                    }
                }
            )
    return tree


def _table(mdp: MDP, values: Sequence[object]) -> list[list[str]]:
    """Write one list per state with one number per action."""
    return [_texts(values[pairs.start : pairs.stop]) for pairs in mdp.pair_ranges]


def _hitting(hitting: Potentials) -> list[list[Any]]:
    return [
        [state, "upper", _texts(height), *([_text(price)] if price else [])]
        for (state, price), height in sorted(hitting.items())
    ]


def _text(number: object) -> str:
    return format_fraction(number if isinstance(number, Fraction) else exact(number))


def _integer(number: int) -> str:
    return str(number) if number.bit_length() <= MAX_BITS else _text(Fraction(number))


def _texts(numbers: Sequence[object]) -> list[str]:
    return [_text(number) for number in numbers]


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _evidence(value: object) -> str:
    """One line an item of evidence; one line a node of a tree."""
    if not isinstance(value, list):
        return _dump(value)
    return "[\n" + ",\n".join(f"    {_dump(node)}" for node in value) + "\n  ]"
