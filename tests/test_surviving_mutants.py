"""The list of changes of the checker that no test notices speaks about the checker as it is."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

from symsafe import checker

LIST = Path(__file__).parent / "surviving_mutants.toml"


def functions() -> dict[str, str]:
    """Return the source of each function, on one line; "constants" is the whole file."""
    source = Path(checker.__file__).read_text()
    found = {"constants": source}
    for node in ast.parse(source).body:
        prefix = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        for part in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(part, ast.FunctionDef):
                found[prefix + part.name] = ast.get_source_segment(source, part) or ""
    return {
        name: " ".join(line.strip() for line in text.splitlines()) for name, text in found.items()
    }


def test_every_listed_line_is_in_its_function() -> None:
    """Each group has a reason."""
    sources = functions()
    for group in tomllib.loads(LIST.read_text()).values():
        assert group.keys() == {"reason", "mutants"}
        for function, entries in group["mutants"].items():
            for old, new in entries:
                assert old in sources[function]
                assert old != new
