"""FrozenLake 4x4: how well must a learned reward fit before its optimal policies are any good?"""

from pathlib import Path

from symsafe import load_problem, radius

HERE = Path(__file__).parent
for data in ("uniform", "policy"):
    verdict = radius(load_problem(HERE / f"frozenlake-{data}.toml"))
    share = 100 * float(verdict.lower)
    print(f"{data} data: unsafe from an error of {share:.4f} % of the reward range on")
