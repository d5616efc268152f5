"""The second engine: "is there a bad policy of at most this cost?" as one query to z3.

Shares nothing with the policy tree. A model of z3 is made into an exact witness and verified; an
``unsat`` remains z3's word.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from symsafe.engine.limits import Limits
from symsafe.engine.question import Question
from symsafe.engine.tree import Progress
from symsafe.engine.witness import Witness, cheapest_witness
from symsafe.errors import EngineError
from symsafe.model import Policy

__all__ = ["SmtOutcome", "allow", "decide_by_smt", "patiently", "radius_by_smt", "to_smtlib"]

_LONGEST = 2**32 - 1  # which z3 takes for no limit


@dataclass(frozen=True, slots=True)
class SmtOutcome:
    """What z3 found.

    Attributes
    ----------
    witness : Witness or None
        The cheapest bad policy among the models, evaluated exactly.
    excluded : Fraction or None
        z3 says that no bad policy costs less (in `radius_by_smt`), or that much or less (in
        `decide_by_smt`); in reward units.
    stopped : str or None
        The limit that was reached.
    queries : int
    """

    witness: Witness | None
    excluded: Fraction | None
    stopped: str | None
    queries: int


def decide_by_smt(question: Question, limits: Limits, enough: Fraction) -> SmtOutcome:
    """Ask whether some bad policy costs at most `enough` (reward units)."""
    query = _Query(question)
    choices = query.solve(limits, enough, strict=False)
    if isinstance(choices, str):
        return SmtOutcome(None, None, choices, 1)
    if choices is None:
        return SmtOutcome(None, enough, None, 1)
    return SmtOutcome(_verified(question, choices, enough), None, None, 1)


def radius_by_smt(
    question: Question, limits: Limits, report: Callable[[Progress], None] | None = None
) -> SmtOutcome:
    """Find the least cost of a bad policy: ask for a cheaper one until z3 says there is none."""
    query = _Query(question)
    witness = cheapest_witness(question, question.returns.worst)
    queries = 0
    while True:
        queries += 1
        choices = query.solve(limits, witness.cost, strict=True)
        if isinstance(choices, str):
            return SmtOutcome(witness, None, choices, queries)
        if choices is None:
            return SmtOutcome(witness, witness.cost, None, queries)
        cheaper = _verified(question, choices, witness.cost)
        if cheaper.cost == witness.cost:
            raise EngineError("z3 gave a model that is no cheaper than asked")
        witness = cheaper
        if report:
            upper = float(witness.cost / question.reward_range)
            report(Progress(queries, 1, 0.0, upper))


def to_smtlib(question: Question, enough: Fraction) -> str:
    """Return the query of `decide_by_smt` as SMT-LIB 2, for another solver."""
    query = _Query(question)
    query.bound(enough, strict=False)
    return f"(set-logic QF_LRA)\n{query.solver.to_smt2()}"


def _verified(question: Question, choices: tuple[int, ...], enough: Fraction) -> Witness:
    witness = cheapest_witness(question, Policy.deterministic(question.mdp, choices))
    if witness.policy_return > question.bad_return or witness.cost > enough:
        raise EngineError("z3 gave a model that is none: its policy is not bad, or costs more")
    return witness


def patiently(ask: Callable[[], Any]) -> Any:
    """Let z3 work in a thread: while it works in the main thread Python sees no signal."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(ask).result()


def allow(solver: Any, limits: Limits) -> None:
    """Give a solver of z3 the time that is left; z3 counts milliseconds in 32 bits."""
    seconds = limits.remaining()
    if seconds is not None:
        solver.set("timeout", max(1, int(min(seconds * 1000, _LONGEST))))


class _Query:
    """Booleans choose a policy; V prices it, U values it; all else is linear arithmetic."""

    def __init__(self, question: Question) -> None:
        question.require_unregularised()
        import z3  # takes a while to load, and only this engine needs it

        self.z3 = z3
        self.context = z3.Context()
        self.solver = z3.Solver(ctx=self.context)
        self.solver.set("random_seed", 0)
        self.question = question
        mdp = question.mdp
        states, pairs = range(len(mdp.states)), range(len(mdp.pair_states))
        price = [z3.Real(f"V{s}", self.context) for s in states]
        value = [z3.Real(f"U{s}", self.context) for s in states]
        cost = [z3.Real(f"c{p}", self.context) for p in pairs]
        self.taken = [z3.Bool(f"take{p}", self.context) for p in pairs]
        add = self.solver.add
        for row in mdp.pair_ranges:
            # Where a model takes several actions, each of them alone satisfies it too.
            add(z3.Or([self.taken[p] for p in row]))
        for pair, state in enumerate(mdp.pair_states):
            gap = self.number(question.rewards[pair]) - self.shaping(pair, state, price)
            back = self.number(question.rewards[pair]) - self.shaping(pair, state, value)
            add(cost[pair] >= gap, cost[pair] >= 0)
            add(z3.Implies(self.taken[pair], cost[pair] >= -gap))
            add(z3.Implies(self.taken[pair], back == 0))
        start = (self.number(p) * u for p, u in zip(question.initial, value, strict=True))
        add(self.total(start) <= self.number(question.bad_return))
        self.cost = self.total(
            self.number(w) * c for w, c in zip(question.weights, cost, strict=True)
        )

    def number(self, number: Fraction) -> Any:
        return self.z3.Q(number.numerator, number.denominator, self.context)

    def total(self, terms: Any) -> Any:
        return self.z3.Sum([self.number(Fraction(0)), *terms])

    def shaping(self, pair: int, state: int, potential: list[Any]) -> Any:
        """Return (E potential)(pair)."""
        discount = self.question.discount
        ahead = (
            self.number(discount * p) * potential[t] for t, p in self.question.successors[pair]
        )
        return potential[state] - self.total(ahead)

    def bound(self, enough: Fraction, *, strict: bool) -> None:
        limit = self.number(enough)
        self.solver.add(self.cost < limit if strict else self.cost <= limit)

    def _reason(self) -> str:
        reason = str(self.solver.reason_unknown())
        if "interrupt" in reason:  # z3 catches Ctrl-C itself
            return "interrupted"
        return "time limit" if reason in ("timeout", "canceled") else f"z3: {reason}"

    def solve(
        self, limits: Limits, enough: Fraction, *, strict: bool
    ) -> tuple[int, ...] | str | None:
        """Return the actions of a bad policy of bounded cost, None if unsat, or why z3 stopped."""
        reached = limits.reached()
        if reached:
            return reached
        allow(self.solver, limits)
        self.bound(enough, strict=strict)
        answer = patiently(self.solver.check)
        if answer == self.z3.unsat:
            return None
        if answer == self.z3.unknown:
            return limits.reached() or self._reason()
        model = self.solver.model()
        chosen = [self.z3.is_true(model.eval(b, model_completion=True)) for b in self.taken]
        choices = []
        for row in self.question.mdp.pair_ranges:
            actions = [a for a, pair in enumerate(row) if chosen[pair]]
            if not actions:
                raise EngineError("z3 gave a model that takes no action in a state")
            choices.append(actions[0])
        return tuple(choices)
