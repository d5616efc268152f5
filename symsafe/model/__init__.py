"""What is asked, exact, immutable and validated: MDPs, data distributions, policies, problems."""

from symsafe.model.arrays import BanditArrays
from symsafe.model.data import DataDistribution
from symsafe.model.files import dumps_problem, load_problem, loads_problem, save_problem
from symsafe.model.mdp import MDP
from symsafe.model.parameters import Constraint, ParameterSpace
from symsafe.model.policy import Policy
from symsafe.model.problem import SafetyProblem
from symsafe.model.regularizer import Regularizer

__all__ = [
    "MDP",
    "BanditArrays",
    "Constraint",
    "DataDistribution",
    "ParameterSpace",
    "Policy",
    "Regularizer",
    "SafetyProblem",
    "dumps_problem",
    "load_problem",
    "loads_problem",
    "save_problem",
]
