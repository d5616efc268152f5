"""Compare the bytes of certificates between versions of Python.

python benchmarks/reproduce.py --python python3.11 --python python3.12 --python python3.13

For each interpreter a virtual environment is made in a temporary folder, this checkout is installed
into it, and shipped problems are certified; the table has the first digits of the SHA-256 of what
was written. Exit status 1 if some version wrote something else.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
QUESTIONS = (
    ("radius", "examples/vertex-cover.toml"),
    ("radius", "examples/frozenlake-uniform.toml"),
    ("radius", "examples/frozenlake-policy.toml"),
    ("radius", "examples/chatbot-penalised.toml"),
    ("decide", "examples/chatbot-rlhf.toml"),
    ("coverage", "examples/annotation.toml", "--samples"),
    ("decide", "examples/annotation.toml", "--confidence", "1/2"),
    ("decide", "examples/families/safe-family.toml"),
)


def digests(interpreter: str, folder: Path) -> list[str]:
    """Return the digests of the certificates that one version writes."""
    subprocess.run([interpreter, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "install", "-q", str(ROOT)], check=True)
    found = []
    for question in QUESTIONS:
        out = folder / "out.json"
        out.unlink(missing_ok=True)
        command = [str(python), "-m", "symsafe", question[0], str(ROOT / question[1])]
        command += [*question[2:], "--certificate", str(out)]
        subprocess.run(command, check=False, capture_output=True, cwd=folder)
        found.append(hashlib.sha256(out.read_bytes()).hexdigest()[:12])
    return found


def main() -> int:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", action="append", required=True, metavar="INTERPRETER")
    interpreters = parser.parse_args().python
    columns = []
    for interpreter in interpreters:
        with tempfile.TemporaryDirectory() as folder:
            columns.append(digests(interpreter, Path(folder)))
    versions = [
        subprocess.run([x, "--version"], check=True, capture_output=True, text=True).stdout.strip()
        for x in interpreters
    ]
    print("| certificate | " + " | ".join(versions) + " |")
    print("|---|" + "---|" * len(versions))
    same = True
    for question, row in zip(QUESTIONS, zip(*columns, strict=True), strict=True):
        print(f"| {' '.join(question)} | " + " | ".join(row) + " |")
        same = same and len(set(row)) == 1
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
