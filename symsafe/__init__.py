"""symsafe: exact, certified answers about optimising learned reward functions.

A reward model was trained until its expected error under the data distribution D is at most
epsilon; a policy is then optimised against it. `decide` says, with a certificate, whether that
policy can still have regret L or more under the true reward, and `radius` for which epsilon.
"""

from symsafe.certificate import Certificate
from symsafe.errors import (
    CertificateRejected,
    EngineError,
    InputError,
    SymsafeError,
    UnsupportedError,
)
from symsafe.model import (
    MDP,
    BanditArrays,
    DataDistribution,
    ParameterSpace,
    Policy,
    SafetyProblem,
    load_problem,
    loads_problem,
    save_problem,
)
from symsafe.verdict import Statistics, Verdict, decide, radius

__all__ = [
    "MDP",
    "BanditArrays",
    "Certificate",
    "CertificateRejected",
    "DataDistribution",
    "EngineError",
    "InputError",
    "ParameterSpace",
    "Policy",
    "SafetyProblem",
    "Statistics",
    "SymsafeError",
    "UnsupportedError",
    "Verdict",
    "decide",
    "load_problem",
    "loads_problem",
    "radius",
    "save_problem",
]
