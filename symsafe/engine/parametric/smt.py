"""The question of a whole domain in nonlinear real arithmetic: one query to z3 per policy.

Each query asks for values of the parameters, and a reward model, for which one policy is bad and
cheap. A model becomes a rational point, which the exact engine then decides; ``unsat`` for all
policies is z3's word that the domain is safe, and cvc5's as well where it is installed.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from symsafe import checker
from symsafe.analysis.policies import count_deterministic_policies, deterministic_policies
from symsafe.analysis.values import expected_return, returns
from symsafe.engine.limits import Limits
from symsafe.engine.parametric.domain import scribe_of
from symsafe.engine.smt import allow, patiently
from symsafe.errors import UnsupportedError
from symsafe.exact import Number, RationalFunction, exact
from symsafe.model import Policy, SafetyProblem

__all__ = ["FamilyOutcome", "decide_family_by_smt", "family_to_smtlib", "whole_query"]

_MAX_POLICIES = 4_096
_MAX_ROUNDS = 40


@dataclass(frozen=True, slots=True)
class FamilyOutcome:
    """What the solvers said.

    Attributes
    ----------
    candidates : list of mappings
        Rational points near the models, for the exact engine to decide.
    algebraic : str or None
        A model that is not rational, as z3 writes it.
    excluded : bool
        Whether every policy was answered ``unsat``.
    solvers : tuple of str
        Which solvers said so.
    stopped : str or None
    queries : int
    """

    candidates: list[dict[str, Fraction]]
    algebraic: str | None
    excluded: bool
    solvers: tuple[str, ...]
    stopped: str | None
    queries: int


def decide_family_by_smt(problem: SafetyProblem, limits: Limits) -> FamilyOutcome:
    """Ask for each policy whether it is bad and cheap somewhere in the domain.

    Raises
    ------
    UnsupportedError
        Beyond 4,096 policies.
    """
    queries, stopped, texts = 0, None, []
    for choices in _policies(problem):
        stopped = limits.reached()
        if stopped:
            break
        query = _Query(problem, choices)
        queries += 1
        answer = query.check(limits)
        if answer == "sat":
            candidates, algebraic = query.points()
            return FamilyOutcome(candidates, algebraic, False, ("z3",), None, queries)
        if answer != "unsat":
            stopped = limits.reached() or answer
            break
        texts.append(query.text())
    solvers = ["z3"]
    if stopped is None and all(_cvc5_agrees(text, limits) for text in texts):
        solvers.append("cvc5")
    return FamilyOutcome([], None, stopped is None, tuple(solvers), stopped, queries)


def family_to_smtlib(problem: SafetyProblem) -> list[str]:
    """Return the queries of `decide_family_by_smt` as SMT-LIB 2, one per policy."""
    return [_Query(problem, choices).text() for choices in _policies(problem)]


def whole_query(problem: SafetyProblem) -> str:
    """Return the question as one query in which the policy is chosen, as SMT-LIB 2."""
    return _Query(problem, None).text()


def _policies(problem: SafetyProblem) -> Iterator[tuple[int, ...]]:
    """Yield the policies that may be the only bad and cheap ones."""
    mdp = problem.mdp
    count = count_deterministic_policies(mdp)
    if count > _MAX_POLICIES:
        raise UnsupportedError(
            f"one query for each of {count} policies; the limit is {_MAX_POLICIES}"
        )
    dropped = _replaceable(problem)
    bad = None
    if mdp.is_ground and isinstance(problem.regret, Fraction):
        facts = returns(mdp)
        bad = facts.maximum - problem.regret * (facts.maximum - facts.minimum)
    for choices in deterministic_policies(mdp):
        taken = tuple(p.start + a for p, a in zip(mdp.pair_ranges, choices, strict=True))
        if dropped.intersection(taken):
            continue
        if bad is None or expected_return(mdp, Policy.deterministic(mdp, choices)) <= bad:
            yield taken


def _replaceable(problem: SafetyProblem) -> set[int]:
    """Return pairs that another action of the state equals, with no more data anywhere."""
    mdp, scribe = problem.mdp, scribe_of(problem)
    box = list(mdp.parameters.bounds.values())
    dropped: set[int] = set()
    for pairs in mdp.pair_ranges:
        for pair in pairs:
            for other in pairs:
                if (
                    other == pair
                    or other in dropped
                    or mdp.successors[pair] != mdp.successors[other]
                ):
                    continue
                more = problem.data.weights[pair] - problem.data.weights[other]
                reader = checker.Conditions(len(box), checker.Work())
                read = reader.read(scribe.number(more), "data")
                if mdp.rewards[pair] == mdp.rewards[other] and checker.proven(
                    read.top, False, box, []
                ):
                    dropped.add(pair)
                    break
    return dropped


def _cvc5_agrees(text: str, limits: Limits) -> bool:
    """Whether cvc5, if it is installed, says ``unsat`` as well."""
    if importlib.util.find_spec("cvc5") is None:
        return False
    import cvc5

    solver = cvc5.Solver(cvc5.TermManager())
    remaining = limits.remaining()
    milliseconds = 10_000 if remaining is None else max(1, int(min(10.0, remaining) * 1000))
    solver.setOption("tlimit-per", str(milliseconds))
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "query")
    symbols, answer = parser.getSymbolManager(), ""
    while not (command := parser.nextCommand()).isNull():
        answer = command.invoke(solver, symbols).strip() or answer
    return answer == "unsat"


class _Query:
    """Is this policy (any, if None) bad, and cheap, somewhere in the domain?"""

    def __init__(self, problem: SafetyProblem, taken: tuple[int, ...] | None) -> None:
        import z3

        self.z3, self.problem = z3, problem
        self.context = z3.Context()
        self.solver = z3.SolverFor("QF_NRA", ctx=self.context)
        space, mdp = problem.mdp.parameters, problem.mdp
        self.theta = {name: self.real(f"parameter.{name}") for name in space.names}
        self.divisors: dict[str, Any] = {}
        add = self.solver.add
        for name, (low, high) in space.bounds.items():
            add(self.theta[name] >= self.rational(low), self.theta[name] <= self.rational(high))
        relations = {
            "<": lambda x: x < 0,
            "<=": lambda x: x <= 0,
            ">": lambda x: x > 0,
            ">=": lambda x: x >= 0,
            "==": lambda x: x == 0,
        }
        for constraint in space.constraints:
            add(relations[constraint.relation](self.number(constraint.difference)))
        states = range(len(mdp.states))
        pairs = range(len(mdp.pairs))
        price = [self.real(f"V{s}") for s in states]
        cost = [self.real(f"c{p}") for p in pairs]
        value = [self.real(f"U{s}") for s in states]
        for pair in pairs:
            gap = self.gap(pair, price)
            add(cost[pair] >= gap, cost[pair] >= 0)
        for row in mdp.pair_ranges:
            options = [p for p in row if taken is None or p in taken]
            parts = [
                z3.And(cost[p] >= -self.gap(p, price), self.gap(p, value) == 0) for p in options
            ]
            add(z3.Or(parts) if len(parts) > 1 else parts[0])
        add(self.mean(value) <= self.bad_return())
        high, low = self.real("high"), self.real("low")
        for end in (high, low):
            add(z3.Or([end == self.number(r) for r in dict.fromkeys(mdp.rewards)]))
        epsilon = problem.epsilon if problem.epsilon is not None else Fraction(0)
        total = self.total(
            self.number(w) * c for w, c in zip(problem.data.weights, cost, strict=True)
        )
        add(total <= self.number(epsilon) * (high - low))

    def bad_return(self) -> Any:
        """Return an expression that is at most b for every model, and b for some."""
        problem, mdp, z3 = self.problem, self.problem.mdp, self.z3
        if mdp.is_ground:
            facts = returns(mdp)
            best, worst = self.rational(facts.maximum), self.rational(facts.minimum)
        else:
            above = [self.real(f"B{s}") for s in range(len(mdp.states))]
            below = [self.real(f"W{s}") for s in range(len(mdp.states))]
            for row in mdp.pair_ranges:
                self.solver.add(z3.Or([self.gap(p, above) == 0 for p in row]))
            for pair in range(len(mdp.pairs)):
                self.solver.add(self.gap(pair, below) >= 0)
            best, worst = self.mean(above), self.mean(below)
        level = self.number(problem.regret)
        return best - level * (best - worst)

    def real(self, name: str) -> Any:
        return self.z3.Real(name, self.context)

    def rational(self, number: Fraction) -> Any:
        return self.z3.Q(number.numerator, number.denominator, self.context)

    def total(self, terms: Any) -> Any:
        return self.z3.Sum([self.rational(Fraction(0)), *terms])

    def number(self, number: Number) -> Any:
        """Return a function of the parameters; a quotient is a new variable."""
        if isinstance(number, Fraction):
            return self.rational(number)
        top, bottom = (
            self.total(self.term(number, powers, x) for powers, x in part.items())
            for part in (number.numerator, number.denominator)
        )
        if not any(any(powers) for powers in number.denominator):
            return top / bottom
        key = str(number)
        if key not in self.divisors:
            quotient = self.real(f"q{len(self.divisors)}")
            self.solver.add(quotient * bottom == top)
            self.divisors[key] = quotient
        return self.divisors[key]

    def term(self, number: RationalFunction, powers: tuple[int, ...], x: Fraction) -> Any:
        product = self.rational(x)
        for name, e in zip(number.parameters, powers, strict=True):
            for _ in range(e):
                product = product * self.theta[name]
        return product

    def gap(self, pair: int, values: list[Any]) -> Any:
        """Return R - EV at a pair."""
        mdp = self.problem.mdp
        ahead = self.total(
            self.number(mdp.discount * p) * values[t] for t, p in mdp.successors[pair]
        )
        return self.number(mdp.rewards[pair]) + ahead - values[mdp.pair_states[pair]]

    def mean(self, values: list[Any]) -> Any:
        initial = self.problem.mdp.initial
        return self.total(self.number(m) * v for m, v in zip(initial, values, strict=True))

    def text(self) -> str:
        return f"(set-logic QF_NRA)\n{self.solver.to_smt2()}"

    def check(self, limits: Limits) -> str:
        allow(self.solver, limits)
        answer = patiently(self.solver.check)
        if answer == self.z3.unknown:
            reason = str(self.solver.reason_unknown())
            return "interrupted" if "interrupt" in reason else f"z3: {reason}"
        return "sat" if answer == self.z3.sat else "unsat"

    def points(self) -> tuple[list[dict[str, Fraction]], str | None]:
        """Return rational points at or near the model."""
        model = self.solver.model()
        values = {x: model.eval(v, model_completion=True) for x, v in self.theta.items()}
        algebraic = None
        if not all(self.z3.is_rational_value(x) for x in values.values()):
            algebraic = ", ".join(f"{name} = {x}" for name, x in values.items())
        found: dict[tuple[Fraction, ...], None] = {}
        for digits in range(1, _MAX_ROUNDS):
            point = []
            for x in values.values():
                if self.z3.is_rational_value(x):
                    point.append(exact(x.as_fraction()))
                else:
                    point.append(exact(x.approx(40).as_fraction()).limit_denominator(2**digits))
            found[tuple(point)] = None
        return [dict(zip(values, point, strict=True)) for point in found], algebraic
