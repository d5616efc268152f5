"""A chatbot whose rare harmful style costs little training error; the certificate is saved."""

import sys
from pathlib import Path

from symsafe import decide, load_problem

problem = load_problem(Path(__file__).parent / "chatbot.toml")
verdict = decide(problem)
print(f"epsilon {problem.epsilon}: {verdict.answer}")
if verdict.certificate is not None and len(sys.argv) > 1:
    verdict.certificate.save(sys.argv[1])
    print(f"certificate written to {sys.argv[1]}")
