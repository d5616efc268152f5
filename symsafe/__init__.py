"""symsafe: exact, certified answers about optimising learned reward functions.

A reward model was trained until its expected error under the data distribution D is at most
epsilon; a policy is then optimised against it. `decide` says, with a certificate, whether that
policy can still have regret L or more under the true reward, and `radius` for which epsilon.
"""

from symsafe.analysis.confidence import confidence_set
from symsafe.certificate import Certificate
from symsafe.coverage import (
    CriticalEpsilon,
    MoreSamples,
    Repair,
    critical_epsilon,
    fewest_samples,
    repair,
)
from symsafe.display import notebook
from symsafe.errors import (
    CertificateRejected,
    EngineError,
    InputError,
    SymsafeError,
    UnsupportedError,
)
from symsafe.family import (
    FamilyVerdict,
    RadiusCurve,
    Region,
    forall_safe,
    forall_unsafe,
    radius_curve,
    region,
)
from symsafe.model import (
    MDP,
    BanditArrays,
    DataDistribution,
    ParameterSpace,
    Policy,
    Regularizer,
    SafetyProblem,
    load_problem,
    loads_problem,
    save_problem,
)
from symsafe.model.data_set import DataSet
from symsafe.profile import RadiusProfile, radius_profile
from symsafe.robust import RobustVerdict, decide_all
from symsafe.sweeps import SweepTable, sweep
from symsafe.verdict import Statistics, Verdict, decide, radius

__all__ = [
    "MDP",
    "BanditArrays",
    "Certificate",
    "CertificateRejected",
    "CriticalEpsilon",
    "DataDistribution",
    "DataSet",
    "EngineError",
    "FamilyVerdict",
    "InputError",
    "MoreSamples",
    "ParameterSpace",
    "Policy",
    "RadiusCurve",
    "RadiusProfile",
    "Region",
    "Regularizer",
    "Repair",
    "RobustVerdict",
    "SafetyProblem",
    "Statistics",
    "SweepTable",
    "SymsafeError",
    "UnsupportedError",
    "Verdict",
    "confidence_set",
    "critical_epsilon",
    "decide",
    "decide_all",
    "fewest_samples",
    "forall_safe",
    "forall_unsafe",
    "load_problem",
    "loads_problem",
    "radius",
    "radius_curve",
    "radius_profile",
    "region",
    "repair",
    "save_problem",
    "sweep",
]

notebook.attach(globals()[name] for name in __all__)
