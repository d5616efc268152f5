"""Time the critical epsilon of shipped problems, and write down the certificates.

python benchmarks/remedy.py [--problems chatbot frozenlake-uniform] [--certificates DIR]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from symsafe import critical_epsilon, loads_problem, problems


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", nargs="+", default=["chatbot", "frozenlake-uniform"])
    parser.add_argument("--certificates", type=Path, help="folder to keep the certificates in")
    parser.add_argument("--time-limit", type=float)
    arguments = parser.parse_args()
    print(
        "| problem | critical ε | solve s | check s | cuts | searches | certificate kB (packed) |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name in arguments.problems:
        problem = loads_problem(problems.text(name))
        found = critical_epsilon(problem.mdp, problem.regret, time_limit=arguments.time_limit)
        height = f"{float(found.lower):.6g}"
        if not found.is_exact:
            height += f" to {float(found.upper):.6g}"
        check = size = "-"
        if found.certificate is not None:
            check = f"{found.certificate.check_seconds:.2f}"
            folder = arguments.certificates or Path()
            path = folder / f"{name}.critical.json.gz"
            found.certificate.save(path)
            size = f"{path.stat().st_size / 1000:.0f}"
            if arguments.certificates is None:
                path.unlink()
        print(
            f"| {name} | {height} | {found.seconds:.1f} | {check} | {found.cuts} | "
            f"{found.searches} | {size} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
