"""A second checker of certificates, written from CERTIFICATE.md, on FLINT.

It shares no code and no data structure with `symsafe/checker.py`: problems are matrices, functions
of parameters are FLINT's polynomials, exp and log its balls. Exact kinds of claims are accepted or
refused as the page says. Where the page leaves room (enclosures of exp and log; the form of a
quotient of polynomials, in which its numerator is tested), the verdict may be `open`.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from second_checker.families import examine_family
from second_checker.lists import Lists
from second_checker.plain import returns, tree, witness
from second_checker.problem import Model
from second_checker.reading import ONE, No, dot, fields, rational, that
from second_checker.regularised import Cases
from second_checker.sets import claim_about_set, fewest
from second_checker.soft import Soft

KINDS = {
    "unsafe": "epsilon | returns witness",
    "safe": "epsilon | returns tree",
    "radius": "lower upper | returns witness tree",
    "critical": "lower upper set | returns cover distribution tree",
    "all-unsafe": "epsilon set | returns cover",
    "nearest": "epsilon lower upper set | returns cover distribution tree",
    "all-safe": "epsilon set | returns cells",
    "some-unsafe": "epsilon set | returns distribution witness",
    "fewest": "epsilon lower upper counts | returns cuts samples tree",
    "region": "epsilon safe unsafe undecided | proofs cells",
}


def verdict(document: Any) -> tuple[str, str]:
    """Return `accepted`, `refused` or `open`, and why."""
    try:
        doubt = examine(document)
    except No as refusal:
        return "refused", str(refusal)
    return ("open", doubt) if doubt else ("accepted", "")


def examine(document: Any) -> str:
    """Raise No unless the evidence proves the claim; return what is open."""
    names = "format version problem digest claim evidence"
    form, version, problem, digest, claim, evidence = fields(document, names)
    that(form == "symsafe-certificate", "the format")
    that(isinstance(version, int) and not isinstance(version, bool) and version == 1, "version 1")
    that(isinstance(claim, dict) and isinstance(claim.get("kind"), str), "a claim")
    kind = claim["kind"]
    that(kind in KINDS, "a known kind")
    written = json.dumps(problem, sort_keys=True, separators=(",", ":"))
    that(hashlib.sha256(written.encode()).hexdigest() == digest, "the digest of the problem")
    bounds, parts = (half.split() for half in KINDS[kind].split(" | "))
    values = dict(zip(bounds, fields(claim, " ".join(("kind regret", *bounds)))[2:], strict=True))
    if kind == "region":
        return examine_family(problem, claim["regret"], values, evidence)
    level = rational(claim["regret"])
    that(0 <= level <= 1, "a regret in [0, 1]")
    numbers = {k: rational(v) for k, v in values.items() if k not in ("set", "counts")}
    that(numbers.get("epsilon", ONE) > 0, "epsilon above 0")
    single = kind in ("unsafe", "safe", "radius")
    if isinstance(problem, dict) and isinstance(problem.get("actions"), str):
        that(single, "a claim about one distribution")
        Lists(problem).examine(kind, level, numbers, evidence)
        return ""
    model = Model(problem)
    if model.penalty is not None:
        that(single, "a claim about one distribution")
        judge = Soft if model.soft else Cases
        return judge(model, level, numbers, parts, evidence).examine(kind)
    given = dict(zip(parts, fields(evidence, " ".join(parts)), strict=True))
    bad = returns(model, given["returns"], level)
    due = {k: v * model.spread for k, v in numbers.items()}
    if kind == "fewest":
        fewest(model, bad, values["counts"], numbers, given)
    elif "set" in values:
        claim_about_set(model, bad, kind, values["set"], numbers, given)
    if "witness" in given:
        errors = witness(model, given["witness"], bad)
        that(dot(model.data, errors) <= due.get("epsilon", due.get("upper")), "witness.1")
    if "tree" in given:
        strict = kind in ("safe", "fewest")
        least = due["epsilon"] if "epsilon" in due else due["lower"]
        tree(model, given["tree"], bad, least, strict)
    return ""
