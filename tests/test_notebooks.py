"""The notebooks run from top to bottom and print what they show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted(ROOT.glob("proofs/*.ipynb")) + sorted(ROOT.glob("examples/*.ipynb"))


def printed(notebook: Any) -> list[str]:
    """What the cells print; warnings, such as those of missing fonts, are the machine's."""
    return [
        "".join(out.get("text", "") for out in cell.outputs if out.get("name") == "stdout")
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_prints_what_it_shows(path: Path) -> None:
    """Executed in its folder with a fresh kernel, every cell prints its stored output."""
    stored = nbformat.read(path, as_version=4)
    executed = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        executed, timeout=300, resources={"metadata": {"path": str(path.parent)}}
    )
    client.execute()
    assert printed(executed) == printed(stored)
    assert any(printed(stored))
