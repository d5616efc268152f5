"""Theorem 4.1: kept near a good reference by total variation, some tolerance is safe."""

from symsafe import MDP, DataDistribution, Policy, Regularizer, SafetyProblem
from symsafe.theorems import theorem_4_1

mdp = MDP.bandit({"prompt": {"refuse": 1, "comply": 0}})
reference = Policy.from_table(mdp, {"prompt": {"refuse": "3/4", "comply": "1/4"}})
penalty = Regularizer(mdp, "tv", "1/2", reference)
problem = SafetyProblem(mdp, DataDistribution.uniform(mdp), regret="1/2", regularizer=penalty)
print(theorem_4_1.verify(problem))
