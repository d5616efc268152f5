"""The bandit for which the sharp form of Proposition 3.2 holds with equality."""

from pathlib import Path

from symsafe import decide, load_problem, radius

HERE = Path(__file__).parent
for name in ("tight-bandit", "tight-bandit-safe"):
    problem = load_problem(HERE / f"{name}.toml")
    print(f"epsilon {problem.epsilon}: {decide(problem).answer}")
print(f"radius: {radius(problem).lower}")
