"""Write tests/conformance.json.gz: certificates that a checker has to accept, and to refuse.

    python benchmarks/conformance.py

A JSON list of cases. Each has `sort` (kind of claim, regularizer, metric), `document`, and
`refused`: null, or the step and the rule at which `symsafe/checker.py` refuses. What is spoilt
comes from the mutations of tests/mutants.py; two cases are kept for each rule and place at which a
sort of document is refused, and some that are accepted although they were changed. The second
checker (tests/second_checker) agrees on every case.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import second_checker
from mutants import certificates, mutant, title

from symsafe import checker

_FILE = Path(__file__).resolve().parent.parent / "tests" / "conformance.json.gz"
_SEEDS = range(24)
_MUTANTS = 4_000  # tried for each sort of document
_CHARACTERS = 6_000  # of a document, at most
_INTACT, _CHANGED = 3, 6  # accepted cases of each sort
_ALIKE = 2  # refused at the same place by the same rule


def refusal(document: Any) -> list[str] | None:
    """The step and the rule that refuse a document."""
    try:
        checker.check(document)
    except checker.Rejected as found:
        return [found.step, found.rule]
    return None


def cases() -> list[dict[str, Any]]:
    """Collect the cases, sort by sort."""
    random, sorts = Random(0), dict[str, list[Any]]()
    for seed in _SEEDS:
        for document in certificates(seed):
            if len(json.dumps(document)) <= _CHARACTERS:
                sorts.setdefault(title(document), []).append(document)
    pool = [document for group in sorts.values() for document in group]
    found = []
    for sort, group in sorted(sorts.items()):
        clear = [x for x in group if second_checker.verdict(x)[0] == "accepted"]
        picked = [{"sort": sort, "document": x, "refused": None} for x in clear[:_INTACT]]
        seen: Counter[tuple[str, ...]] = Counter()
        for _ in range(_MUTANTS):
            changed, what = mutant(random, random.choice(group), pool)
            refused = refusal(changed)
            second, why = second_checker.verdict(changed)
            if second not in ("open", "refused" if refused else "accepted"):
                sys.exit(f"the checkers disagree on {sort}, {what}: {refused}, {second} {why}")
            place = re.sub(r"\d+", "*", refused[0]) if refused else ""
            key = (place, refused[1]) if refused else ("",)
            seen[key] += 1
            if second != "open" and seen[key] <= (_ALIKE if refused else _CHANGED):
                picked.append({"sort": sort, "document": changed, "refused": refused})
        found += picked
    return found


def main() -> None:
    """Write the file and print what it holds."""
    found = cases()
    text = json.dumps(found, sort_keys=True, separators=(",", ":"))
    _FILE.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    refused = sum(case["refused"] is not None for case in found)
    rules = {case["refused"][1] for case in found if case["refused"]}
    print(f"{len(found) - refused} accepted, {refused} refused by {len(rules)} rules, ", end="")
    print(f"{_FILE.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
