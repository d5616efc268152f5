"""Read the size of a least vertex cover off a safety radius: each vertex costs 1/20."""

from pathlib import Path

from symsafe import load_problem, radius

verdict = radius(load_problem(Path(__file__).parent / "vertex-cover.toml"))
print(f"radius {verdict.lower}: a least cover has {verdict.lower * 20} vertices")
