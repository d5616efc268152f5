"""Proposition 3.3: a harmful answer that the data rarely shows makes the data unsafe."""

from symsafe import MDP, DataDistribution, SafetyProblem
from symsafe.theorems import proposition_3_3

mdp = MDP.bandit({"prompt": {"refuse": 1, "direct": 0, "cipher": 0}})
data = DataDistribution.from_table(
    mdp, {"prompt": {"refuse": "3/4", "direct": "24/100", "cipher": "1/100"}}
)
print(proposition_3_3.verify(SafetyProblem(mdp, data, regret=1, epsilon="1/100")))
