"""Proposition 3.2: between the paper's bound and the sharp one, which is attained."""

from dataclasses import replace

from symsafe import decide, loads_problem, problems
from symsafe.theorems import proposition_3_2

below = loads_problem(problems.text("tight-bandit-safe"))  # 59/1000, just below SHARP = 3/50
print("the paper's form holds:", proposition_3_2.verify(below).holds)
print("the sharp form holds:", proposition_3_2.verify(below, sharp=True).holds)
print("at SHARP itself:", decide(replace(below, epsilon="3/50")).answer)
