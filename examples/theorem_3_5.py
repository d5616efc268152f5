"""Theorem 3.5: every data distribution of a small MDP at once, by its matrix M."""

from symsafe import MDP, DataDistribution, SafetyProblem
from symsafe.theorems import theorem_3_5

mdp = MDP.bandit({"left": {"a": 1, "b": 0}, "right": {"a": 2, "b": 0}})
report = theorem_3_5.verify(SafetyProblem(mdp, DataDistribution.uniform(mdp), regret="1/2"))
print(report)
