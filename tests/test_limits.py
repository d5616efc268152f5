"""The page about limits says what the code does."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parent.parent / "docs" / "limits.md"
ROWS = re.findall(r"\| (\d+) \| `(symsafe[\w.]*)\.([A-Z_]+)` \|", PAGE.read_text())


def test_the_table_is_read() -> None:
    """Every line of it."""
    assert len(ROWS) == PAGE.read_text().count("`symsafe.") > 10


@pytest.mark.parametrize(("limit", "module", "name"), ROWS, ids=[f"{m}.{n}" for _, m, n in ROWS])
def test_each_limit_is_that_of_the_code(limit: str, module: str, name: str) -> None:
    """Each is a constant of a module."""
    assert getattr(import_module(module), name) == int(limit)
