"""The house rules of the package: who may import whom, and what nobody may use."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import symsafe

PACKAGE = Path(symsafe.__file__).parent
MODULES = sorted(
    {"symsafe"}
    | {m.name for m in pkgutil.walk_packages([str(PACKAGE)], "symsafe.")} - {"symsafe.__main__"}
)
# A room imports only from rooms before it.
ROOMS = [
    "checker",
    "errors",
    "exact",
    "model",
    "analysis",
    "engine",
    "certificate",
    "verdict",
    "coverage",
    "robust",
    "family",
    "profile",
    "sweeps",
    "theorems",
    "proof",
    "display",
    "importers",
    "problems",
    "cli",
    "__main__",
]


def room_of(module: str) -> str:
    return module.split(".")[1]


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." * node.level + (node.module or ""))
            if node.module == "symsafe":
                found |= {f"symsafe.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_rooms_import_only_from_rooms_before_them(path: Path) -> None:
    """The order of the rooms is the direction of every import."""
    relative = path.relative_to(PACKAGE).with_suffix("")
    if str(relative) == "__init__":
        return
    room = relative.parts[0]
    assert room in ROOMS
    for name in imports_of(path):
        assert not name.startswith("."), f"{path}: relative import {name}"
        if name.startswith("symsafe."):
            assert ROOMS.index(room_of(name)) <= ROOMS.index(room), f"{path} imports {name}"


def test_the_checker_needs_the_standard_library_only() -> None:
    """The checker imports nothing of symsafe and nothing that has to be installed."""
    names = imports_of(PACKAGE / "checker.py")
    assert {name.split(".")[0] for name in names} <= set(sys.stdlib_module_names)


def checker_parts() -> list[list[ast.stmt]]:
    """Return the statements of the checker: the core, each part for a kind, the document."""
    text = (PACKAGE / "checker.py").read_text()
    ends = [n for n, line in enumerate(text.splitlines(), 1) if line.startswith("# == ")]
    parts: list[list[ast.stmt]] = [[] for _ in range(len(ends) + 1)]
    for node in ast.parse(text).body:
        parts[sum(end < node.lineno for end in ends)].append(node)
    return parts


def test_what_one_kind_of_certificate_needs_of_the_checker_can_be_read_in_one_sitting() -> None:
    """Core and document have at most 909 lines, every other part at most 412."""
    core, *others, document = [
        (part[-1].end_lineno or 0) - part[0].lineno for part in checker_parts()
    ]
    assert core + document <= 909
    assert max(others) <= 412


def test_the_checker_has_no_assert_which_would_vanish_under_optimisation() -> None:
    """Python leaves asserts out with -O."""
    nodes = [node for part in checker_parts() for top in part for node in ast.walk(top)]
    assert not any(isinstance(node, ast.Assert) for node in nodes)


def test_no_part_of_the_checker_uses_another() -> None:
    """A part uses the core and itself; only the document knows them all."""
    core, *others, _ = checker_parts()
    defined = [
        {node.name for node in part if isinstance(node, ast.ClassDef | ast.FunctionDef)}
        for part in others
    ]
    for i, part in enumerate([core, *others]):
        foreign = set().union(*(names for j, names in enumerate(defined) if j != i - 1))
        used = {node.id for top in part for node in ast.walk(top) if isinstance(node, ast.Name)}
        assert not used & foreign


ALONE = """
import importlib, os, sys
import flint, highspy, numba, numpy, rich, sympy, typer, z3  # once for all of them
import symsafe  # as each of them does first

for module in sys.argv[1:]:
    if not os.fork():
        importlib.import_module(module)
        os._exit(0)
    if os.wait()[1]:
        sys.exit(module)
"""


def test_each_module_imports_alone() -> None:
    """Every module can be the first one that a fresh process imports."""
    run = subprocess.run(
        [sys.executable, "-c", ALONE, *MODULES], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("word", ["eval", "exec", "sympify", "parse_expr", "nsimplify", "pickle"])
def test_nothing_evaluates_text(word: str) -> None:
    """No module calls or imports what could run or guess the meaning of a user's text."""
    pattern = re.compile(rf"(?<![\w.]){word}\s*\(|import {word}\b")
    offenders = [str(p) for p in PACKAGE.rglob("*.py") if pattern.search(p.read_text())]
    assert offenders == []


def test_campaigns_import_what_there_is() -> None:
    """Not all of them can run everywhere: the fuzzing needs a package of its own."""
    taken = set[str]()
    for path in (Path(__file__).parent.parent / "benchmarks").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("symsafe"):
                module = importlib.import_module(node.module or "")
                for name in node.names:
                    assert hasattr(module, name.name), f"{path.name}: {node.module}.{name.name}"
                    taken.add(path.stem)
    assert {"fuzz", "mutants", "mutation"} <= taken
