"""Corollary 3.4: with nine harmful styles, no data distribution whatever is safe at 1/10."""

from symsafe import MDP, DataDistribution, SafetyProblem
from symsafe.theorems import corollary_3_4

styles = {f"style {i}": 0 for i in range(1, 10)}
mdp = MDP.bandit({"prompt": {"refuse": 1, **styles}})
problem = SafetyProblem(mdp, DataDistribution.uniform(mdp), regret=1, epsilon="1/10")
print("the paper's form holds:", corollary_3_4.verify(problem).holds)
print("k >= 1/epsilon - 1 holds:", corollary_3_4.verify(problem, sharp=True).holds)
