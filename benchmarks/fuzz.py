"""Coverage-guided fuzzing of everything that reads untrusted text, with atheris (extra `fuzz`).

    python benchmarks/fuzz.py problem -max_total_time=600      TOML and JSON problem files
    python benchmarks/fuzz.py expression -max_total_time=600   expressions of parameters
    python benchmarks/fuzz.py certificate -max_total_time=600  certificates, checker alone

Options after the target go to libFuzzer. Only the documented errors may come out: `InputError`,
`UnsupportedError`, `checker.Rejected`. Anything else, an input that takes more than ten seconds, or
one that needs more than 2 GB ends the run with a file that reproduces it. What is read is written
and read again, and must be equal.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import mkdtemp

import atheris

with atheris.instrument_imports(include=["symsafe"]):
    from symsafe import checker, loads_problem, problems
    from symsafe.errors import InputError, UnsupportedError
    from symsafe.exact import MAX_EXPRESSION, entry
    from symsafe.model import dumps_problem

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


TARGETS = {"problem": problem, "expression": expression, "certificate": certificate}


def seeds(target: str) -> list[bytes]:
    """Inputs from which the fuzzer starts."""
    if target == "expression":
        return [text.encode() for text in EXPRESSIONS]
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
