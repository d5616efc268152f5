"""Regenerate the shipped FrozenLake problems, and the copies of all problems in this folder.

python examples/make_problems.py    (needs pip install "symsafe[gym]")
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from symsafe import DataDistribution, Policy, SafetyProblem
from symsafe.analysis.occupancy import occupancy_distribution
from symsafe.importers.gymnasium import from_gymnasium
from symsafe.model import dumps_problem


def frozen_lake(data: DataDistribution, comment: str) -> str:
    """Return the problem file for one data distribution; the regret threshold is 1/2."""
    return f"# {comment}\n" + dumps_problem(SafetyProblem(data.mdp, data, Fraction(1, 2)), "toml")


def generate() -> dict[str, str]:
    """Return the text of every generated problem, by name."""
    mdp = from_gymnasium("FrozenLake-v1", discount="9/10")
    random_play = occupancy_distribution(Policy.uniform(mdp))
    uniform = DataDistribution.uniform(mdp)
    lake = "FrozenLake 4x4 (Gymnasium's FrozenLake-v1, slippery), discount 9/10,"
    play = "radius 176571625209751293669/539984094624455102962885"
    return {
        "frozenlake-uniform": frozen_lake(uniform, f"{lake} uniform data; radius 21627/62384405"),
        "frozenlake-policy": frozen_lake(random_play, f"{lake} data of uniform play; {play}"),
    }


def main() -> None:
    """Write the generated files, and put a copy of every shipped problem beside this script."""
    here = Path(__file__).resolve().parent
    shipped = here.parent / "symsafe" / "problems"
    for name, text in generate().items():
        (shipped / f"{name}.toml").write_text(text, encoding="utf-8")
    for path in sorted(shipped.glob("*.toml")):
        (here / path.name).write_bytes(path.read_bytes())


if __name__ == "__main__":
    main()
