"""The machine-checked proofs hold, and break when a hypothesis or a constant is changed."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cvc5
import pytest
import sympy
import z3

from symsafe import MDP, DataDistribution, SafetyProblem, radius
from symsafe.proof import Proof, ProofFailed

SCRIPTS = sorted((Path(__file__).parent.parent / "proofs").glob("*.py"))


def builders() -> Iterator[tuple[str, Callable[[], Proof]]]:
    for path in SCRIPTS:
        spec = importlib.util.spec_from_file_location(f"proof_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        for build in module.PROOFS:
            yield f"{path.stem}.{build.__name__}", build


BUILDERS = dict(builders())


@pytest.mark.parametrize("name", BUILDERS)
def test_every_step_is_discharged(name: str) -> None:
    """Each proof checks, prints, and exports its queries."""
    proof = BUILDERS[name]()
    report = proof.check()
    assert sum(report.steps.values()) == len(proof.steps)
    assert all(step.name in str(proof) for step in proof.steps)
    assert proof.to_latex().count("\\item") == len(proof.steps)
    assert len(report.axioms) == report.steps.get("axiom", 0)


@pytest.mark.parametrize("name", BUILDERS)
def test_exported_queries_are_unsatisfiable(name: str) -> None:
    """Each exported query, parsed from its text in a new context, is refuted again."""
    for step, text in BUILDERS[name]().to_smtlib().items():
        solver = z3.Solver(ctx=z3.Context())
        solver.from_string(text)
        assert solver.check() == z3.unsat, step


def by_cvc5(text: str) -> str:
    """The answer of a second solver to an SMT-LIB 2 script."""
    solver = cvc5.Solver(cvc5.TermManager())
    solver.setOption("tlimit-per", "60000")
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "query")
    symbols, answers = parser.getSymbolManager(), []
    while not (command := parser.nextCommand()).isNull():
        answers.append(command.invoke(solver, symbols).strip())
    return "".join(answers)


@pytest.mark.parametrize("name", BUILDERS)
def test_a_second_solver_refutes_every_query(name: str) -> None:
    """cvc5 confirms each step that z3 discharged."""
    for step, text in BUILDERS[name]().to_smtlib().items():
        assert by_cvc5(text) == "unsat", step


@pytest.mark.parametrize("name", BUILDERS)
def test_every_hypothesis_is_needed(name: str) -> None:
    """Without any one of the axioms that it uses, a proof fails."""
    proof = BUILDERS[name]()
    used = {premise for step in proof.steps for premise in step.premises}
    for axiom in proof.steps:
        if axiom.rule != "axiom" or axiom.name not in used:
            continue
        broken = BUILDERS[name]()
        broken.steps = [
            replace(
                step,
                queries=tuple(
                    (part, z3.And([c for c in query.children() if not c.eq(axiom.claim)]))
                    for part, query in step.queries
                ),
            )
            for step in proof.steps
        ]
        with pytest.raises(ProofFailed):
            broken.check()


def on_atoms(change: Callable[[z3.BoolRef], z3.BoolRef], claim: z3.BoolRef) -> z3.BoolRef:
    """A claim with each comparison changed, that of an implication only in its conclusion."""
    if z3.is_and(claim) or z3.is_or(claim):
        join = z3.And if z3.is_and(claim) else z3.Or
        return join([on_atoms(change, part) for part in claim.children()])
    if z3.is_implies(claim):
        return z3.Implies(claim.arg(0), on_atoms(change, claim.arg(1)))
    return change(claim)


def strict(claim: z3.BoolRef) -> z3.BoolRef:
    """< for <=."""
    if z3.is_le(claim) or z3.is_ge(claim):
        left, right = claim.children()
        return left < right if z3.is_le(claim) else left > right
    return claim


def one_percent_better(claim: z3.BoolRef) -> z3.BoolRef:
    """The smaller side of a comparison, or the left of an equation, times 1.01."""
    if not (z3.is_app(claim) and claim.num_args() == 2 and z3.is_arith(claim.arg(0))):
        return claim
    left, right = claim.children()
    factor = z3.Q(101, 100)
    if z3.is_le(claim):
        return factor * left <= right
    if z3.is_ge(claim):
        return left >= factor * right
    return factor * left == right if z3.is_eq(claim) else claim


def not_strict(claim: z3.BoolRef) -> z3.BoolRef:
    """<= for <."""
    if z3.is_lt(claim) or z3.is_gt(claim):
        left, right = claim.children()
        return left <= right if z3.is_lt(claim) else left >= right
    return claim


def break_last(proof: Proof, change: Callable[[z3.BoolRef], z3.BoolRef]) -> str | None:
    """Change the last claim that the change applies to; return the name of its step."""
    for position in reversed(range(len(proof.steps))):
        step = proof.steps[position]
        if step.rule not in ("z3", "induction"):
            continue
        part, query = step.queries[-1]
        *given, negated = query.children()
        claim = negated.arg(0)
        changed = on_atoms(change, claim)
        if not changed.eq(claim):
            wrong = z3.And(*given, z3.Not(changed))
            proof.steps[position] = replace(step, queries=(*step.queries[:-1], (part, wrong)))
            return step.name
    return None


# Theorem 3.1 speaks of no constant ("some epsilon"); equations have no strict form.
# The instance of strong duality is a certificate; those have tests of their own.
WITHOUT_CONSTANT = {"theorem_3_1.proof", "dual_cost.strong", "dual_cost.adjoint"}
EQUATIONS = {"certificates.split", *WITHOUT_CONSTANT}
CONSTANTS = [name for name in BUILDERS if name not in WITHOUT_CONSTANT]


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_constant_better_by_one_percent_is_refused(name: str) -> None:
    """In the last step of each proof, with a countermodel."""
    proof = BUILDERS[name]()
    changed = break_last(proof, one_percent_better)
    with pytest.raises(ProofFailed, match="countermodel") as caught:
        proof.check()
    assert caught.value.step == changed


@pytest.mark.parametrize("name", [name for name in BUILDERS if name not in EQUATIONS])
def test_strict_for_non_strict_is_refused(name: str) -> None:
    """Equality is possible in every claim that allows it."""
    proof = BUILDERS[name]()
    changed = break_last(proof, strict)
    with pytest.raises(ProofFailed, match="countermodel") as caught:
        proof.check()
    assert caught.value.step == changed


def test_theorem_3_1_needs_its_strict_hypotheses() -> None:
    """With D >= 0 or L >= 0 no positive tolerance follows."""
    (build,) = (BUILDERS[name] for name in BUILDERS if name == "theorem_3_1.proof")
    for axiom in [step for step in build().steps if step.rule == "axiom"]:
        weaker = on_atoms(not_strict, axiom.claim)
        if weaker.eq(axiom.claim):
            continue
        broken = build()
        broken.steps = [
            replace(
                step,
                queries=tuple(
                    (part, z3.And([weaker if c.eq(axiom.claim) else c for c in query.children()]))
                    for part, query in step.queries
                ),
            )
            for step in broken.steps
        ]
        with pytest.raises(ProofFailed, match="countermodel"):
            broken.check()


def test_a_wrong_constant_is_refused_with_a_countermodel() -> None:
    """Half a sum is not a bound of the sum of absolute values."""
    proof = Proof("wrong", "test")
    family = proof.family("i", "x")
    (x,) = family.quantities
    total = proof.sum("S", family, x)
    absolute = proof.sum("A", family, z3.If(x >= 0, x, -x))
    proof.induction("bound", family, lambda s: 2 * s(total) <= s(absolute))
    with pytest.raises(ProofFailed) as caught:
        proof.check()
    assert caught.value.step == "bound"
    assert "countermodel" in caught.value.reason


def test_a_strict_claim_fails_in_its_base() -> None:
    """An empty sum refutes a strict inequality."""
    proof = Proof("strict", "test")
    family = proof.family("i", "x")
    (x,) = family.quantities
    total = proof.sum("S", family, x * x)
    proof.induction("positive", family, lambda s: s(total) > 0)
    with pytest.raises(ProofFailed) as caught:
        proof.check()
    assert caught.value.reason.startswith("base")


def test_facts_about_whole_sums_do_not_leak_into_partial_sums() -> None:
    """That a whole sum is 0 says nothing about its parts."""
    proof = Proof("leak", "test")
    family = proof.family("i", "x")
    (x,) = family.quantities
    total, square = proof.sum("S", family, x), proof.sum("Q", family, x * x)
    zero = proof.axiom("zero", total == 0)
    proof.induction("wrong", family, lambda s: s(square) <= s(total), [zero])
    with pytest.raises(ProofFailed):
        proof.check()


def test_terms_are_bounded_by_their_sum_only_if_no_term_is_negative() -> None:
    """The rule `term` needs the sign."""
    for sign, holds in ((True, True), (False, False)):
        proof = Proof("term", "test")
        family = proof.family("i", "x")
        (x,) = family.quantities
        total = proof.sum("S", family, x)
        premises = [proof.axiom("sign", x >= 0, family)] if sign else []
        proof.term("entry", total, premises)
        if holds:
            assert proof.check().steps["term"] == 1
        else:
            with pytest.raises(ProofFailed):
                proof.check()


def test_only_one_double_sum_in_two_orders_is_exchanged() -> None:
    """Another weight, another matrix or the same order twice is refused."""
    proof = Proof("exchange", "test")
    rows, columns = proof.family("i", "a x"), proof.family("j", "b")
    (a, x), (b,) = rows.quantities, columns.quantities
    matrix, other = proof.matrix("M", rows, columns), proof.matrix("N", rows, columns)
    by_row, by_column = (
        proof.product("Mb", matrix, columns, b),
        proof.product("MTa", matrix, rows, a),
    )
    left, right = proof.sum("aMb", rows, a * by_row), proof.sum("bMTa", columns, b * by_column)
    proof.exchange("right", left, right)
    assert proof.check().steps == {"exchange": 1}
    wrong = [
        (proof.sum("xMb", rows, x * by_row), right),
        (left, proof.sum("bNTa", columns, b * proof.product("NTa", other, rows, a))),
        (right, left),
        (left, left),
    ]
    for number, sums in enumerate(wrong):
        with pytest.raises(ProofFailed, match="one double sum"):
            proof.exchange(f"wrong {number}", *sums)
    for attempt in (
        lambda: proof.product("along", matrix, proof.family("k", "c"), a),
        lambda: proof.product("foreign", matrix, columns, a),
        lambda: proof.axiom("escape", by_row >= 0),
        lambda: proof.axiom("elsewhere", by_row >= 0, columns),
    ):
        with pytest.raises(ProofFailed):
            attempt()


def test_indexed_quantities_stay_in_their_family() -> None:
    """A scalar step cannot use an indexed quantity, nor one family another's."""
    proof = Proof("scope", "test")
    first, second = proof.family("i", "x"), proof.family("j", "y")
    (x,), (y,) = first.quantities, second.quantities
    local = proof.axiom("local", x >= 0, first)
    for attempt in (
        lambda: proof.axiom("escape", x >= 0),
        lambda: proof.z3("mixed", x >= y, [], first),
        lambda: proof.sum("S", second, x),
        lambda: proof.z3("borrowed", y >= 0, [local], second),
        lambda: proof.z3("scalar", z3.BoolVal(True), [local]),
    ):
        with pytest.raises(ProofFailed):
            attempt()


def test_steps_use_earlier_steps_of_the_same_proof_only() -> None:
    """A step of another proof is no premise; names are unique and leave partial sums alone."""
    other = Proof("other", "test")
    foreign = other.axiom("fact", z3.BoolVal(True))
    proof = Proof("this", "test")
    with pytest.raises(ProofFailed):
        proof.z3("step", z3.BoolVal(True), [foreign])
    proof.axiom("fact", z3.BoolVal(True))
    with pytest.raises(ProofFailed):
        proof.axiom("fact", z3.BoolVal(True))
    proof.scalars("a")
    for name in ("a", "S.partial"):
        with pytest.raises(ProofFailed):
            proof.scalars(name)


def test_identities_are_decided_by_normal_form() -> None:
    """Equal rational functions pass, different ones are shown with their difference."""
    x = sympy.Symbol("x")
    proof = Proof("identity", "test")
    proof.identity("equal", (x**2 - 1) / (x - 1), x + 1)
    assert proof.check().steps == {"sympy": 1}
    proof.identity("different", (x + 1) ** 2, x**2 + 1)
    with pytest.raises(ProofFailed, match="differ by 2"):
        proof.check()


def test_a_certificate_proves_its_own_claim_only() -> None:
    """Another claim than the certificate's is refused, and so is a corrupted certificate."""
    mdp = MDP.bandit({"s": {"a": 1, "b": 0}})
    certificate = radius(SafetyProblem(mdp, DataDistribution.uniform(mdp), 1)).certificate
    assert certificate is not None
    claim = {"kind": "radius", "regret": "1", "lower": "1/2", "upper": "1/2"}
    proof = Proof("instance", "test")
    step = proof.certificate("radius", certificate, claim)
    assert proof.check().steps == {"certificate": 1}
    with pytest.raises(ProofFailed):
        proof.z3("use", z3.BoolVal(True), [step])
    proof.certificate("stronger", certificate, {**claim, "lower": "2/3"})
    with pytest.raises(ProofFailed, match="claims"):
        proof.check()
    broken = Proof("broken", "test")
    stronger = {**certificate.document, "claim": {**claim, "lower": "2/3", "upper": "2/3"}}
    broken.certificate("forged", replace(certificate, document=stronger), stronger["claim"])
    with pytest.raises(ProofFailed):
        broken.check()
