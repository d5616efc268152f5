"""Coverage-guided fuzzing of everything that reads untrusted input, with atheris (extra `fuzz`).

    python benchmarks/fuzz.py problem -max_total_time=600      TOML and JSON problem files
    python benchmarks/fuzz.py expression -max_total_time=600   expressions of parameters
    python benchmarks/fuzz.py certificate -max_total_time=600  certificates, checker alone
    python benchmarks/fuzz.py checkers -max_total_time=600     certificates, two checkers agree
    python benchmarks/fuzz.py drn -max_total_time=600          DRN files of Storm
    python benchmarks/fuzz.py prism -max_total_time=600        PRISM's five explicit files
    python benchmarks/fuzz.py counts -max_total_time=600       counts in CSV
    python benchmarks/fuzz.py npz -max_total_time=600          archives of numpy
    python benchmarks/fuzz.py bandit -max_total_time=600       bandits given by arrays, in JSON
    python benchmarks/fuzz.py gymnasium -max_total_time=600    transition tables of Gymnasium
    python benchmarks/fuzz.py toolbox -max_total_time=600      arrays of MDPtoolbox
    python benchmarks/fuzz.py networkx -max_total_time=600     graphs of networkx

Options after the target go to libFuzzer. Only the documented errors may come out: `InputError`,
`UnsupportedError`, `checker.Rejected`. Anything else, an input that takes more than ten seconds, or
one that needs more than 2 GB ends the run with a file that reproduces it. What is read is written
and read again, and must be equal. `checkers` starts from a certificate of each sort, changes it as
benchmarks/mutants.py does or as libFuzzer does, and lets coverage say which change to go on from.
"""

from __future__ import annotations

import gzip
import io
import json
import signal
import sys
from collections.abc import Callable, Hashable
from fractions import Fraction
from functools import cache
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any

import atheris
import networkx as nx
import numpy as np
from scipy.sparse import csr_matrix

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

with atheris.instrument_imports(include=["symsafe", "second_checker"]):
    import second_checker

    from symsafe import MDP, DataDistribution, SafetyProblem, checker, loads_problem
    from symsafe.errors import InputError, UnsupportedError
    from symsafe.exact import MAX_EXPRESSION, entry
    from symsafe.importers.arrays import from_mdptoolbox
    from symsafe.importers.data import from_counts
    from symsafe.importers.gymnasium import from_gymnasium
    from symsafe.importers.networkx import from_networkx
    from symsafe.importers.sources import read_source
    from symsafe.model import dumps_problem
    from symsafe.model.files import load_any

from mutants import mutant

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("p", "q", "rate")
EXPRESSIONS = ("1/2", "0.25", "p*(1-q)^3/(1+rate)", "-(p+2)*1e-3", "((q))", "p**2 - 3/4*q")


def problem(data: bytes) -> None:
    """A problem file; the first byte chooses the format."""
    text, style = data[1:].decode("utf-8", "replace"), ("toml", "json")[data[:1] < b"\x80"]
    try:
        found = loads_problem(text, style)
        written = dumps_problem(found, style)  # refuses what is too long to be read again
    except (InputError, UnsupportedError):
        return
    if loads_problem(written, style) != found:
        raise ValueError("a problem changed when written and read")


def expression(data: bytes) -> None:
    """An expression."""
    try:
        found = entry(data.decode("utf-8", "replace"), "fuzz", NAMES)
    except InputError:
        return
    written = str(found)
    if len(written) <= MAX_EXPRESSION and entry(written, "fuzz", NAMES) != found:
        raise ValueError("an expression changed when written and read")


def certificate(data: bytes) -> None:
    """A certificate."""
    try:
        checker.check_text(data)
    except checker.Rejected:
        return


def checkers(data: bytes) -> None:
    """A certificate, with a digest that fits: the second checker agrees, or leaves it open."""
    try:
        document = checker.parse(data)
    except checker.Rejected:
        return
    if isinstance(document, dict) and "problem" in document:
        document["digest"] = checker.digest(document["problem"])
    expected = "accepted"
    try:
        checker.check(document)
    except checker.Rejected:
        expected = "refused"
    found, why = second_checker.verdict(document)
    if found not in ("open", expected):
        raise ValueError(f"{expected} by the first checker, but {found} by the second: {why}")


def spoilt(data: bytes, size: int, seed: int) -> bytes:
    """Change a certificate: its values, or its text."""
    random = Random(seed)
    if random.random() < 0.8:
        try:
            changed = mutant(random, json.loads(data), certificates())[0]
        except (ValueError, LookupError, TypeError, AttributeError):  # it is none any more
            return bytes(atheris.Mutate(data, size))
        text = json.dumps(changed, separators=(",", ":")).encode()
        if len(text) <= size:
            return text
    return bytes(atheris.Mutate(data, size))


@cache
def certificates() -> list[Any]:
    """Return a short certificate of each sort."""
    cases = json.loads(gzip.decompress((ROOT / "tests" / "conformance.json.gz").read_bytes()))
    found = {}
    for case in sorted(cases, key=lambda case: len(json.dumps(case["document"])), reverse=True):
        if not case["refused"]:
            found[case["sort"]] = case["document"]
    return list(found.values())


FOLDER = Path(mkdtemp(prefix="fuzz-files-", dir="/dev/shm" if Path("/dev/shm").exists() else None))
RULES = (None, "decimal", "nearest:1000", "nearest:1000+repair")


def drn(data: bytes) -> None:
    """A DRN file; the first byte chooses the rounding."""
    path = FOLDER / "fuzz.drn"
    path.write_bytes(data[1:])
    _imported(f"drn:{path}", data)


def prism(data: bytes) -> None:
    """The files of an explicit PRISM model, with a line of dashes between them."""
    for suffix in PARTS:
        (FOLDER / f"fuzz{suffix}").unlink(missing_ok=True)
    for suffix, part in zip(PARTS, data[1:].split(b"\n----\n"), strict=False):
        (FOLDER / f"fuzz{suffix}").write_bytes(part)
    if (FOLDER / "fuzz.tra").exists():
        _imported(f"prism:{FOLDER / 'fuzz.tra'}", data)


def npz(data: bytes) -> None:
    """An archive of arrays."""
    path = FOLDER / "fuzz.npz"
    path.write_bytes(data[1:])
    _imported(f"npz:{path}", data)


def _imported(source: str, data: bytes) -> None:
    rule = RULES[data[0] % len(RULES)] if data else None
    _read(lambda: read_source(source, discount="9/10", rounding=rule))


def _read(build: Callable[[], MDP]) -> None:
    try:
        mdp = build()
        asked = SafetyProblem(mdp, DataDistribution.uniform(mdp), 1)
        written = dumps_problem(asked)
    except (InputError, UnsupportedError):
        return
    if loads_problem(written) != asked:
        raise ValueError("a model changed when written and read")


def counts(data: bytes) -> None:
    """Counts of the pairs of a small MDP."""
    path = FOLDER / "fuzz.csv"
    path.write_bytes(data)
    try:
        found = from_counts(BANDIT, path)
    except InputError:
        return
    if sum(found.weights) != 1:
        raise ValueError("counts that are no distribution")


def bandit(data: bytes) -> None:
    """A bandit given by arrays; a small one is a problem like any other."""
    path = FOLDER / "fuzz.json"
    path.write_bytes(data)
    try:
        found = load_any(path)
        if isinstance(found, SafetyProblem) or len(found.reward) > 100:
            return
        asked = found.problem()
        written = dumps_problem(asked)
    except InputError:
        return
    if loads_problem(written) != asked:
        raise ValueError("a bandit changed when written and read")


# -- objects of other libraries: the bytes are decisions of what to build ------------------------


def gymnasium(data: bytes) -> None:
    """A transition table, most of it right."""
    said = Decisions(data)
    count = said.number(0, 3)
    table: dict[Any, Any] = {}
    for state in range(count):
        table[said.key(state)] = {
            said.key(action): [
                (said.share(), said.perhaps(said.number(0, count)), said.perhaps(1), bool(more))
                for more in range(said.number(0, 2))
            ]
            for action in range(said.number(0, 2))
        }
    start, discount, bound = said.perhaps(0), said.perhaps("9/10"), said.perhaps(1000)
    _read(lambda: from_gymnasium(table, discount=discount, initial=start, max_denominator=bound))


def toolbox(data: bytes) -> None:
    """Arrays of MDPtoolbox: lists, arrays of some type, sparse matrices; names or none."""
    said = Decisions(data)
    width, count = said.number(0, 2), said.number(0, 3)
    square = [[[said.share() for _ in range(count)] for _ in range(count)] for _ in range(width)]
    gains = [[said.perhaps(1) for _ in range(width)] for _ in range(count)]
    try:
        moves, reward = said.array(square), said.array(gains)
    except (TypeError, ValueError, OverflowError):  # numpy builds no such array
        return
    names = said.perhaps(None) if said.number(0, 3) == 0 else None
    options: Any = {"initial": said.perhaps(0), "discount": said.perhaps("9/10"), "states": names}
    rule = said.one(RULES)
    _read(lambda: from_mdptoolbox(moves, reward, rounding=rule, **options))


def networkx(data: bytes) -> None:
    """A graph whose nodes and attributes are of any kind."""
    said = Decisions(data)
    graph = said.one([nx.MultiDiGraph, nx.MultiDiGraph, nx.MultiDiGraph, nx.DiGraph])()
    graph.graph["discount"] = said.perhaps("1/2")
    nodes = [said.one(["s", "t", 0, (1, "x"), 2.5, frozenset()]) for _ in range(said.number(0, 3))]
    for place, node in enumerate(nodes):
        graph.add_node(node, initial=said.perhaps(int(place == 0)))
        if said.number(0, 3) == 0:
            graph.nodes[node]["actions"] = said.perhaps(["a"])
    for _ in range(said.number(0, 6) if nodes else 0):
        kept = {
            "action": said.perhaps(said.one(["a", "b"])),
            "probability": said.share(),
            "reward": said.perhaps(1),
        }
        if said.number(0, 9) == 0:
            del kept[said.one(list(kept))]
        graph.add_edge(said.one(nodes), said.one(nodes), **kept)
    rule, start = said.one(RULES), said.perhaps(None)
    _read(lambda: from_networkx(graph, initial=start, rounding=rule))


class Decisions:
    """Turns the bytes of the fuzzer into choices, numbers, and values that nobody expects."""

    def __init__(self, data: bytes) -> None:
        self.source = atheris.FuzzedDataProvider(data)

    def number(self, low: int, high: int) -> int:
        """Return a whole number between two, both included."""
        return int(self.source.ConsumeIntInRange(low, high))

    def one(self, among: Any) -> Any:
        """Return one of several."""
        return among[self.number(0, len(among) - 1)]

    def share(self) -> Any:
        """Return a probability, or something else."""
        return self.perhaps(self.one([1, 1, 0, 0, 0.5, "1/2", 1 / 3, Fraction(2, 3), 0.1, 0.9]))

    def perhaps(self, expected: Any) -> Any:
        """Return what is expected, or sometimes what is not."""
        if self.number(0, 7):
            return expected
        return self.one(
            [
                *(
                    None,
                    True,
                    "",
                    "x",
                    [],
                    {},
                    (),
                    -1,
                    -0.0,
                    2**63,
                    -(2**64),
                    10**500,
                    1j,
                    "1e4000",
                ),
                *(float("nan"), float("inf"), 5e-324, 1.7e308, Fraction(10**30, 7), "1/0"),
                *("1e3999", b"1"),
                *(np.float32(0.1), np.int8(-3), np.float64("nan"), np.array(1), np.array([1, 2])),
                self.number(-(2**70), 2**70),
                self.source.ConsumeFloat(),
                self.source.ConsumeUnicodeNoSurrogates(12),
                self.source.ConsumeUnicode(12),
                [[expected]],
            ]
        )

    def key(self, expected: int) -> Any:
        """Return what is expected, or something else that a mapping can hold."""
        found = self.perhaps(expected)
        return found if isinstance(found, Hashable) else expected

    def array(self, listed: list[Any]) -> Any:
        """Return nested lists as they are, or in another form."""
        form = self.number(0, 5)
        if form == 0 and listed:
            return [csr_matrix(np.array(matrix, float)) for matrix in listed]
        if form > 4:
            return listed
        kinds = ("float64", "float64", "int64", "float32", "object")
        with np.errstate(over="ignore"):
            return np.array(listed, dtype=kinds[form])


BANDIT = MDP.bandit({"left": {"a": 1, "b": 0}, "right, far": {"a": 1, "c": 2}})
PARTS = (".tra", ".sta", ".lab", ".srew", ".trew")
TARGETS = {
    "problem": problem,
    "expression": expression,
    "certificate": certificate,
    "checkers": checkers,
    "drn": drn,
    "prism": prism,
    "counts": counts,
    "npz": npz,
    "bandit": bandit,
    "gymnasium": gymnasium,
    "toolbox": toolbox,
    "networkx": networkx,
}


def seeds(target: str) -> list[bytes]:
    """Inputs from which the fuzzer starts."""
    if target == "expression":
        return [text.encode() for text in EXPRESSIONS]
    models = ROOT / "tests" / "models"
    if target == "drn":
        return [b"\0" + path.read_bytes() for path in sorted(models.glob("*.drn"))]
    if target == "prism":
        texts = [(models / f"robot{suffix}").read_bytes() for suffix in PARTS]
        return [b"\0" + b"\n----\n".join(texts)]
    if target == "counts":
        return [b'state,action,count\nleft,a,3\n"right, far",c,10\n', b"state,action,count\n"]
    if target == "npz":
        file = io.BytesIO()
        moves = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]]])
        np.savez(file, transitions=moves, reward=np.array([[0, 1], [1, 0]]), initial=np.array(0))
        return [b"\0" + file.getvalue()]
    if target == "bandit":
        given = {
            "format": "arrays",
            "actions": [2, 3],
            "initial": [1, 2],
            "reward": [1, 0, 2, 0, 1],
        }
        asked = {**given, "data": [1, 2, 3, 4, 5], "regret": "1/2", "epsilon": "1/100"}
        return [json.dumps(asked).encode(), json.dumps(asked | {"actions": 2}).encode()]
    if target in ("gymnasium", "toolbox", "networkx"):
        return [bytes(range(200)), b"\x01" * 200, b"\xff" * 200]
    if target in ("certificate", "checkers"):
        return [json.dumps(document).encode() for document in certificates()]
    files = sorted((ROOT / "examples").rglob("*.toml"))
    texts = [text for path in files if len(text := path.read_bytes()) < 4_000]
    shipped = [loads_problem(text.decode()) for text in texts]
    return [b"\xff" + text for text in texts] + [
        b"\x00" + dumps_problem(found, "json").encode() for found in shipped
    ]


def main() -> None:
    """Run one target."""
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: fuzz.py {'|'.join(TARGETS)} [options of libFuzzer]")
    target = sys.argv.pop(1)
    corpus = Path(mkdtemp(prefix=f"fuzz-{target}-"))
    for number, text in enumerate(seeds(target)):
        (corpus / f"seed{number}").write_bytes(text)
    limits = ["-timeout=10", "-rss_limit_mb=2048", "-max_len=20000"]
    mutator = {"custom_mutator": spoilt} if target == "checkers" else {}
    arguments = [sys.argv[0], *limits, *sys.argv[1:], str(corpus)]
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # some library catches it, libFuzzer needs it
    atheris.Setup(arguments, TARGETS[target], **mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
