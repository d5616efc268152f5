"""What one would use instead of symsafe. In floating point, and without a certificate.

All of them get the strongest form of the question: the adversarial reward is eliminated, so that
pair (s, a) costs ``D (R - EV)+`` and, where the policy takes it, ``D |R - EV|``.

The wheel of PySCIPOpt has no exact mode, so SCIP here is SCIP in floating point; a certificate of
its own (VIPR, by exact SCIP) would take longer.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from symsafe import Policy, SafetyProblem
from symsafe.engine.question import Question
from symsafe.engine.relaxation import Guide
from symsafe.engine.witness import cheapest_witness

__all__ = ["BASELINES"]


def by_enumeration(problem: SafetyProblem, seconds: float) -> float | None:
    """The paper's own way: one linear programme (HiGHS, warm) for each deterministic bad policy."""
    import numpy as np

    question = Question.of(problem)
    guide = Guide(question)
    end, best = time.monotonic() + seconds, np.inf
    for choice in itertools.product(*question.mdp.pair_ranges):
        if time.monotonic() > end:
            return None
        pairs = np.array(choice)
        if guide.policy_return(pairs) <= guide.bad_return + 1e-9:
            best = min(best, guide.policy_cost(pairs))
    return float(best)


def by_scip(problem: SafetyProblem, seconds: float) -> float | None:
    """A mixed-integer programme with an indicator constraint for each pair that may be taken."""
    from pyscipopt import Model, quicksum

    question = Question.of(problem)
    mdp, least, scale = question.mdp, min(question.rewards), question.reward_range
    rewards = [float((r - least) / scale) for r in question.rewards]
    horizon = 1 / (1 - question.discount)
    bad = float((question.bad_return - least * horizon) / scale)
    model = Model()
    model.hideOutput()
    model.setParam("limits/time", seconds)
    model.setParam("limits/gap", 0.0)
    model.setParam("parallel/maxnthreads", 1)
    price = [model.addVar(lb=None) for _ in mdp.states]
    value = [model.addVar(lb=0.0, ub=float(horizon)) for _ in mdp.states]
    take = [model.addVar(vtype="B") for _ in rewards]
    error = [model.addVar(lb=0.0) for _ in rewards]
    for row in mdp.pair_ranges:
        model.addCons(quicksum(take[p] for p in row) == 1)
    for p, s in enumerate(mdp.pair_states):
        row = [(float(question.discount * x), t) for t, x in question.successors[p]]
        shaped = price[s] - quicksum(x * price[t] for x, t in row)
        model.addCons(error[p] >= rewards[p] - shaped)
        model.addConsIndicator(shaped - error[p] <= rewards[p], binvar=take[p])
        ahead = quicksum(x * value[t] for x, t in row)
        model.addConsIndicator(ahead - value[s] <= -rewards[p], binvar=take[p])
    start = quicksum(float(p) * value[s] for s, p in enumerate(question.initial) if p)
    model.addCons(start <= bad)
    model.setObjective(quicksum(float(w) * e for w, e in zip(question.weights, error, strict=True)))
    model.optimize()
    return float(model.getObjVal()) if model.getStatus() == "optimal" else None


def by_z3(problem: SafetyProblem, seconds: float) -> float | None:
    """z3's optimiser on the direct encoding; exact, but only z3's word."""
    import z3

    question = Question.of(problem)
    solver = z3.Optimize()
    solver.set("timeout", int(seconds * 1000))
    objective = solver.minimize(_encoded(z3, question, solver))
    if solver.check() != z3.sat:
        return None
    return float(objective.value().as_fraction() / question.reward_range)


def by_cvc5(problem: SafetyProblem, seconds: float) -> float | None:
    """cvc5 on the same encoding: asked for a cheaper policy until there is none."""
    from cvc5 import pythonic

    question = Question.of(problem)
    end, best = time.monotonic() + seconds, None
    solver = pythonic.Solver()
    cost = _encoded(pythonic, question, solver)
    take = [pythonic.Bool(f"take{p}") for p in range(len(question.rewards))]
    while (left := end - time.monotonic()) > 0:
        solver.setOption("tlimit-per", str(int(left * 1000) + 1))
        answer = solver.check()
        if answer == pythonic.unsat:
            return best
        if answer != pythonic.sat:
            return None
        model = solver.model()
        taken = [pythonic.is_true(model.evaluate(x, model_completion=True)) for x in take]
        actions = [taken[row.start : row.stop].index(True) for row in question.mdp.pair_ranges]
        policy = Policy.deterministic(question.mdp, tuple(actions))
        found = cheapest_witness(question, policy).cost
        best = float(found / question.reward_range)
        solver.add(cost < pythonic.Q(found.numerator, found.denominator))
    return None


def _encoded(smt: Any, question: Question, solver: Any) -> Any:
    """Add the direct encoding to a solver of z3 or of a library like it; return the cost."""
    mdp = question.mdp
    price = [smt.Real(f"V{s}") for s in range(len(mdp.states))]
    value = [smt.Real(f"U{s}") for s in range(len(mdp.states))]
    error = [smt.Real(f"e{p}") for p in range(len(mdp.pair_states))]
    take = [smt.Bool(f"take{p}") for p in range(len(mdp.pair_states))]

    def number(x: Fraction) -> Any:
        return smt.Q(x.numerator, x.denominator)

    def shaped(p: int, s: int, potential: list[Any]) -> Any:
        ahead = [number(question.discount * x) * potential[t] for t, x in question.successors[p]]
        return potential[s] - smt.Sum(ahead)

    for row in mdp.pair_ranges:
        solver.add(smt.Or([take[p] for p in row]))
    for p, s in enumerate(mdp.pair_states):
        gap = number(question.rewards[p]) - shaped(p, s, price)
        solver.add(error[p] >= gap, error[p] >= 0, smt.Implies(take[p], error[p] >= -gap))
        back = number(question.rewards[p]) - shaped(p, s, value)
        solver.add(smt.Implies(take[p], back == 0))
    start = [number(p) * u for p, u in zip(question.initial, value, strict=True)]
    solver.add(smt.Sum(start) <= number(question.bad_return))
    return smt.Sum([number(w) * e for w, e in zip(question.weights, error, strict=True)])


BASELINES: dict[str, Callable[[SafetyProblem, float], float | None]] = {
    "scip": by_scip,
    "z3": by_z3,
    "cvc5": by_cvc5,
    "enumeration": by_enumeration,
}
