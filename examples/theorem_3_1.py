"""Theorem 3.1: full coverage makes some tolerance safe; here it is, with its proof."""

from symsafe import MDP, DataDistribution, SafetyProblem
from symsafe.theorems import theorem_3_1

mdp = MDP.bandit({"prompt": {"refuse": 1, "comply": "2/5", "ramble": 0}})
report = theorem_3_1.verify(SafetyProblem(mdp, DataDistribution.uniform(mdp), regret="3/5"))
print(report)
assert report.certificate is not None
print(report.certificate.check().sentence)
