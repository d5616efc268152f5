"""Theorem 4.2: a penalty does not help where the data hardly shows what is bad."""

from symsafe import MDP, DataDistribution, Policy, Regularizer, SafetyProblem
from symsafe.theorems import theorem_4_2

mdp = MDP.bandit({"prompt": {"refuse": 1, "comply": 0}})
data = DataDistribution.from_table(mdp, {"prompt": {"refuse": "19/20", "comply": "1/20"}})
reference = Policy.deterministic(mdp, {"prompt": "refuse"})
penalty = Regularizer(mdp, "l2", "1/4", reference)
problem = SafetyProblem(mdp, data, regret="1/2", epsilon="1/10", regularizer=penalty)
print(theorem_4_2.verify(problem))
