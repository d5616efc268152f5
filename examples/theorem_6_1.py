"""Theorem 6.1: RLHF with a KL penalty, and an answer that the reference hardly ever gives."""

from symsafe.model import loads_problem
from symsafe.problems import text
from symsafe.theorems import theorem_6_1

problem = loads_problem(text("chatbot-rlhf"))
print(theorem_6_1.verify(problem))
print(theorem_6_1.verify(problem, sharp=True))
