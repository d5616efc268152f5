"""Coverage-guided fuzzing of everything that reads untrusted text, with atheris (extra `fuzz`).

    python benchmarks/fuzz.py problem -max_total_time=600      TOML and JSON problem files
    python benchmarks/fuzz.py expression -max_total_time=600   expressions of parameters
    python benchmarks/fuzz.py certificate -max_total_time=600  certificates, checker alone
    python benchmarks/fuzz.py drn -max_total_time=600          DRN files of Storm
    python benchmarks/fuzz.py prism -max_total_time=600        PRISM's five explicit files
    python benchmarks/fuzz.py counts -max_total_time=600       counts in CSV
    python benchmarks/fuzz.py npz -max_total_time=600          archives of numpy

Options after the target go to libFuzzer. Only the documented errors may come out: `InputError`,
`UnsupportedError`, `checker.Rejected`. Anything else, an input that takes more than ten seconds, or
one that needs more than 2 GB ends the run with a file that reproduces it. What is read is written
and read again, and must be equal.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from tempfile import mkdtemp

import atheris
import numpy as np

with atheris.instrument_imports(include=["symsafe"]):
    from symsafe import MDP, DataDistribution, SafetyProblem, checker, loads_problem, problems
    from symsafe.errors import InputError, UnsupportedError
    from symsafe.exact import MAX_EXPRESSION, entry
    from symsafe.importers.data import from_counts
    from symsafe.importers.sources import read_source
    from symsafe.model import dumps_problem

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
    """A certificate; what is accepted is accepted again from its canonical text."""
    try:
        checker.check_text(data)
    except checker.Rejected:
        return


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
    try:
        mdp = read_source(source, discount="9/10", rounding=rule)
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


BANDIT = MDP.bandit({"left": {"a": 1, "b": 0}, "right, far": {"a": 1, "c": 2}})
PARTS = (".tra", ".sta", ".lab", ".srew", ".trew")
TARGETS = {
    "problem": problem,
    "expression": expression,
    "certificate": certificate,
    "drn": drn,
    "prism": prism,
    "counts": counts,
    "npz": npz,
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
    shipped = [loads_problem(problems.text(name)) for name in ("tight-bandit", "vertex-cover")]
    if target == "problem":
        return [
            mark + dumps_problem(found, style).encode()
            for found in shipped
            for mark, style in ((b"\xff", "toml"), (b"\x00", "json"))
        ]
    from symsafe import radius

    return [radius(found).certificate.to_json().encode() for found in shipped]


def main() -> None:
    """Run one target."""
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: fuzz.py {'|'.join(TARGETS)} [options of libFuzzer]")
    target = sys.argv.pop(1)
    corpus = Path(mkdtemp(prefix=f"fuzz-{target}-"))
    for number, text in enumerate(seeds(target)):
        (corpus / f"seed{number}").write_bytes(text)
    limits = ["-timeout=10", "-rss_limit_mb=2048", "-max_len=20000"]
    atheris.Setup([sys.argv[0], *limits, *sys.argv[1:], str(corpus)], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
