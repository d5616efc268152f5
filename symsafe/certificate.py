"""Certificates: claim and evidence as one JSON document (CERTIFICATE.md), checked when built.

This file writes down what an engine found. It decides nothing: `symsafe.checker` does.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from os import PathLike
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from symsafe import checker
from symsafe.engine.leaves import CirculationLeaf, DuplicateLeaf, Potentials, ValueLeaf
from symsafe.engine.question import Question
from symsafe.engine.tree import Node, Split, walk
from symsafe.engine.witness import Witness
from symsafe.errors import CertificateRejected, InputError
from symsafe.exact import exact, format_fraction
from symsafe.model import MDP, BanditArrays, DataDistribution, SafetyProblem
from symsafe.model.files import write_atomically

__all__ = [
    "Certificate",
    "bandit_certificate",
    "radius_certificate",
    "safe_certificate",
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

    def check(self) -> checker.Result:
        """Verify the certificate with the independent checker.

        Returns
        -------
        symsafe.checker.Result
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
        """``"unsafe"``, ``"safe"`` or ``"radius"``."""
        return str(self.document["claim"]["kind"])

    def problem(self) -> SafetyProblem:
        """Return the problem inside, with the tolerance of the claim if it has one."""
        inside, claim = self.document["problem"], self.document["claim"]
        if isinstance(inside["actions"], str):
            lists: dict[str, Any] = {k: [int(x) for x in inside[k].split(" ")] for k in inside}
            asked: Any = {"regret": claim["regret"], "epsilon": claim.get("epsilon")}
            return BanditArrays(**lists, **asked).problem()
        mdp = MDP(
            states=tuple(inside["states"]),
            actions=tuple(tuple(names) for names in inside["actions"]),
            successors=tuple(
                tuple((t, exact(p)) for t, p in row)
                for table in inside["transitions"]
                for row in table
            ),
            rewards=tuple(exact(r) for row in inside["reward"] for r in row),
            initial=tuple(exact(p) for p in inside["initial"]),
            discount=exact(inside["discount"]),
        )
        weights = tuple(exact(w) for row in inside["data"] for w in row)
        epsilon = exact(claim["epsilon"]) if "epsilon" in claim else None
        return SafetyProblem(mdp, DataDistribution(mdp, weights), exact(claim["regret"]), epsilon)

    def differences(self, problem: SafetyProblem | BanditArrays) -> list[str]:
        """Return in which respects the certificate speaks of something else than `problem`.

        The tolerance is compared if both have one. An empty list means that the certificate is
        about this very problem.
        """
        found = self.document["problem"]
        if isinstance(problem, BanditArrays) and not isinstance(found["actions"], str):
            problem = problem.problem()
        meant = _lists(problem) if isinstance(problem, BanditArrays) else _problem(problem)
        keys = sorted(meant.keys() | found.keys())
        different = [key for key in keys if meant.get(key) != found.get(key)]
        claim = self.document["claim"]
        asked = {"regret": problem.regret, "epsilon": problem.epsilon}
        return different + [
            f"{key} ({claim[key]} in the certificate, {value} in the problem)"
            for key, value in asked.items()
            if value is not None and key in claim and claim[key] != _text(value)
        ]

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
        """Write the certificate to `path`, whole or not at all."""
        write_atomically(path, self.to_json())

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Certificate:
        """Read and verify a certificate; ``-`` is standard input.

        Raises
        ------
        InputError
            If the file cannot be read.
        CertificateRejected
            If the checker refuses it.
        """
        try:
            if os.fspath(path) == "-":
                text = sys.stdin.buffer.read(checker.MAX_BYTES + 1)
            else:
                with open(path, "rb") as file:
                    text = file.read(checker.MAX_BYTES + 1)
            certificate = cls(cast("Mapping[str, Any]", checker.parse(text)))
        except OSError as error:
            raise InputError(
                "certificate", os.fspath(path), f"a readable file ({error.strerror})"
            ) from None
        except checker.Rejected as refusal:
            raise CertificateRejected(refusal.step, refusal.rule, refusal.reason) from None
        certificate.check()
        return certificate


def unsafe_certificate(question: Question, epsilon: Fraction, witness: Witness) -> Certificate:
    """Return the checked certificate that the data distribution is unsafe at `epsilon`."""
    return _build(question, {"kind": "unsafe", "epsilon": _text(epsilon)}, witness, None)


def safe_certificate(question: Question, epsilon: Fraction, root: Node) -> Certificate:
    """Return the checked certificate that the data distribution is safe at `epsilon`."""
    return _build(question, {"kind": "safe", "epsilon": _text(epsilon)}, None, root)


def radius_certificate(
    question: Question, lower: Fraction, upper: Fraction, root: Node, witness: Witness
) -> Certificate:
    """Return the checked certificate that the safety radius lies in [lower, upper]."""
    claim = {"kind": "radius", "lower": _text(lower), "upper": _text(upper)}
    return _build(question, claim, witness, root)


def _build(
    question: Question, claim: dict[str, str], witness: Witness | None, root: Node | None
) -> Certificate:
    evidence: dict[str, Any] = {
        "returns": {
            "optimal": _texts(question.returns.optimal_values),
            "worst": _texts(question.returns.worst_values),
        }
    }
    if witness is not None:
        ranges = question.mdp.pair_ranges
        evidence["witness"] = {
            "reward": [_texts(witness.reward[pairs.start : pairs.stop]) for pairs in ranges],
            "policy": [
                _texts(witness.policy.probabilities[pairs.start : pairs.stop]) for pairs in ranges
            ],
            "value": _texts(witness.value),
            "policy_value": _texts(witness.policy_value),
        }
    if root is not None:
        evidence["tree"] = _tree(question.mdp, root)
    return _checked(claim, question.problem.regret, _problem(question.problem), evidence)


def bandit_certificate(
    bandit: BanditArrays, claim: dict[str, str], multiplier: Fraction, choice: NDArray[np.int64]
) -> Certificate:
    """Return the checked certificate of a claim about a contextual bandit given by arrays."""
    evidence = {"multiplier": _text(multiplier), "choice": _listed(choice)}
    return _checked(claim, bandit.regret, _lists(bandit), evidence)


def _lists(bandit: BanditArrays) -> dict[str, str]:
    keys = ("actions", "initial", "reward", "data")
    return {key: _listed(getattr(bandit, key)) for key in keys}


def _listed(integers: NDArray[np.int64]) -> str:
    return " ".join(map(str, integers.tolist()))


def _checked(
    claim: dict[str, str], regret: object, problem: dict[str, Any], evidence: dict[str, Any]
) -> Certificate:
    certificate = Certificate(
        {
            "format": "symsafe-certificate",
            "version": 1,
            "claim": {"kind": claim["kind"], "regret": _text(regret), **claim},
            "digest": checker.digest(problem),
            "problem": problem,
            "evidence": evidence,
        }
    )
    started = time.monotonic()
    certificate.check()
    return replace(certificate, check_seconds=time.monotonic() - started)


def _problem(problem: SafetyProblem) -> dict[str, Any]:
    mdp = problem.mdp
    ranges = mdp.pair_ranges
    return {
        "states": list(mdp.states),
        "actions": [list(names) for names in mdp.actions],
        "initial": _texts(mdp.initial),
        "discount": _text(mdp.discount),
        "transitions": [
            [[[t, _text(p)] for t, p in mdp.successors[pair]] for pair in pairs] for pairs in ranges
        ],
        "reward": [_texts(mdp.rewards[pairs.start : pairs.stop]) for pairs in ranges],
        "data": [_texts(problem.data.weights[pairs.start : pairs.stop]) for pairs in ranges],
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
        flow = [[*names[pair], _text(y)] for pair, y in enumerate(content.flow) if y]
        entry = {"circulation": {"kappa": _text(content.kappa), "flow": flow}}
        hitting = {**hitting, **content.hitting}
    if coupled and hitting:
        entry["hitting"] = _hitting(hitting)
    return entry


def _hitting(hitting: Potentials) -> list[list[Any]]:
    return [[target, "upper", _texts(height)] for target, height in sorted(hitting.items())]


def _text(number: object) -> str:
    return format_fraction(exact(number))


def _texts(numbers: Sequence[object]) -> list[str]:
    return [_text(number) for number in numbers]


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _evidence(value: object) -> str:
    """One line an item of evidence; one line a node of a tree."""
    if not isinstance(value, list):
        return _dump(value)
    return "[\n" + ",\n".join(f"    {_dump(node)}" for node in value) + "\n  ]"
