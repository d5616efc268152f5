"""Machine-checked proofs about finite sums: a list of steps, each discharged or refused.

A proof speaks of *scalars*, of *families* (finite index sets of any size) with indexed quantities,
of *sums* of expressions over a family, and of *products* of matrices with them. Because a family
has no fixed size, what is proven holds in every dimension. A step is discharged by z3 (its negation
is unsatisfiable), by sympy (both sides have the same normal form), by induction over partial sums
(z3 on base and step), by exchanging the order of a double sum (two inductions), or by a
certificate. What is neither proven nor defined is an axiom, and is listed as one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy
import z3

from symsafe.certificate import Certificate
from symsafe.errors import CertificateRejected, ProofFailed

__all__ = ["Family", "Proof", "ProofFailed", "ProofReport", "Step"]

_SECONDS = 60
"""Limit of one z3 query; a step that reaches it is refused, never accepted."""


@dataclass(frozen=True, slots=True)
class Family:
    """A finite index set of any size, with real quantities for each index.

    Within a formula the quantities stand for those of one arbitrary index.
    """

    name: str
    quantities: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Real entries, one for each pair of an index of `rows` and an index of `columns`."""

    name: str
    rows: Family
    columns: Family


@dataclass(frozen=True, slots=True)
class _Product:
    """An indexed quantity: the sum of matrix entries times `weight` along a family."""

    matrix: Matrix
    along: Family
    weight: Any
    quantity: Any


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a proof.

    Attributes
    ----------
    name : str
    rule : str
        ``axiom``, ``z3``, ``sympy``, ``induction``, ``term``, ``exchange`` or ``certificate``.
    claim : object
        A z3 formula, a pair of sympy expressions, or a certificate with its claim.
    family : Family or None
        Where the claim holds for every index of a family.
    premises : tuple of str
        Names of earlier steps.
    text : str
        The step in words.
    queries : tuple of (str, z3 formula)
        What has to be unsatisfiable.
    """

    name: str
    rule: str
    claim: Any
    family: Family | None = None
    premises: tuple[str, ...] = ()
    text: str = ""
    queries: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class ProofReport:
    """What `Proof.check` found: the number of steps by rule, and the axioms that remain."""

    title: str
    steps: dict[str, int]
    axioms: tuple[str, ...]


@dataclass(slots=True)
class Proof:
    """An ordered list of steps, each of which may use only earlier ones.

    Parameters
    ----------
    title : str
    source : str
        Where the statement is from.

    Examples
    --------
    The triangle inequality for sums of any length:

    >>> proof = Proof("triangle", "folklore")
    >>> pairs = proof.family("i", "x")
    >>> (x,) = pairs.quantities
    >>> total = proof.sum("S", pairs, x)
    >>> absolute = proof.sum("A", pairs, z3.If(x >= 0, x, -x))
    >>> step = proof.induction("bound", pairs, lambda s: s(total) <= s(absolute))
    >>> proof.check().steps
    {'induction': 1}
    """

    title: str
    source: str
    steps: list[Step] = field(default_factory=list)
    _names: set[str] = field(default_factory=set)
    _families: dict[str, Family] = field(default_factory=dict)  # of each indexed quantity
    _sums: dict[str, tuple[Any, Family, Any]] = field(default_factory=dict)
    _products: list[_Product] = field(default_factory=list)

    # -- what the proof speaks of --------------------------------------------------------------

    def scalars(self, names: str) -> tuple[Any, ...]:
        """Declare real scalars."""
        return tuple(z3.Real(self._fresh(name)) for name in names.split())

    def family(self, name: str, quantities: str) -> Family:
        """Declare a family with its indexed quantities."""
        members = tuple(z3.Real(self._fresh(quantity)) for quantity in quantities.split())
        family = Family(self._fresh(name), members)
        self._families |= {str(quantity): family for quantity in members}
        return family

    def matrix(self, name: str, rows: Family, columns: Family) -> Matrix:
        """Declare a matrix; it is spoken of by its products."""
        return Matrix(self._fresh(name), rows, columns)

    def product(self, name: str, matrix: Matrix, along: Family, weight: Any) -> Any:
        """Define the sum of matrix entries times `weight` along its rows or its columns.

        Returns
        -------
        A quantity of the other of the two families.
        """
        if along not in (matrix.rows, matrix.columns):
            raise ProofFailed(self.title, name, f"{matrix.name} does not run along {along.name}")
        self._only(along, weight, name)
        quantity = z3.Real(self._fresh(name))
        other = matrix.columns if along is matrix.rows else matrix.rows
        self._families[name] = other
        self._products.append(_Product(matrix, along, weight, quantity))
        return quantity

    def sum(self, name: str, family: Family, expression: Any) -> Any:
        """Define a scalar as the sum of an expression over a family.

        The expression may mention scalars, among them other sums, and quantities of the family.
        """
        self._only(family, expression, name)
        total = z3.Real(self._fresh(name))
        self._sums[name] = (total, family, expression)
        return total

    # -- steps ---------------------------------------------------------------------------------

    def axiom(self, name: str, claim: Any, family: Family | None = None, text: str = "") -> Step:
        """Assume a hypothesis, or a fact that the proof does not derive; it will be listed."""
        self._only(family, claim, name)
        return self._add(Step(name, "axiom", claim, family, text=text))

    def z3(
        self,
        name: str,
        claim: Any,
        premises: Sequence[Step] = (),
        family: Family | None = None,
        text: str = "",
    ) -> Step:
        """Prove a claim from premises: z3 has to refute its negation.

        With a family, the claim is about one arbitrary index, and so may the premises be.
        """
        self._only(family, claim, name)
        given = self._given(name, premises, family)
        query = z3.And(*given, z3.Not(claim))
        return self._add(
            Step(name, "z3", claim, family, self._used(premises), text, (("", query),))
        )

    def induction(
        self,
        name: str,
        family: Family,
        claim: Callable[[Callable[[Any], Any]], Any],
        premises: Sequence[Step] = (),
        text: str = "",
    ) -> Step:
        """Prove a claim about sums over a family by induction over the number of terms.

        Parameters
        ----------
        family : Family
        claim : callable
            Given a function `s`, returns the claim with ``s(total)`` for each sum that grows. Sums
            and scalars that are not wrapped stay fixed.
        premises : sequence of Step
            Scalar facts, and facts about every index of this family. Scalar facts about sums speak
            of the whole sums.
        """
        grown: dict[str, Any] = {}

        def partial(total: Any) -> Any:
            key = str(total)
            if key not in self._sums or self._sums[key][1] is not family:
                raise ProofFailed(self.title, name, f"{key} is no sum over {family.name}")
            return grown.setdefault(key, z3.Real(f"{key}.partial"))

        def after(total: Any) -> Any:
            partial(total)
            return grown[str(total)] + self._sums[str(total)][2]

        before = claim(partial)
        start = claim(lambda total: z3.RealVal(0) if partial(total) is not None else None)
        conclusion = claim(lambda total: self._sums[str(total)][0])
        self._only(None, conclusion, name)
        scalar = self._given(name, [p for p in premises if p.family is None], None)
        pointwise = self._given(name, premises, family)
        queries = (
            ("base", z3.And(*scalar, z3.Not(start))),
            ("step", z3.And(*pointwise, before, z3.Not(claim(after)))),
        )
        return self._add(
            Step(name, "induction", conclusion, None, self._used(premises), text, queries)
        )

    def term(self, name: str, total: Any, premises: Sequence[Step] = (), text: str = "") -> Step:
        """Prove that every term of a sum is at most the sum, if no term is negative.

        The claim is about every index of the family of the sum; z3 proves the sign.
        """
        known, family, expression = self._sums[str(total)]
        query = z3.And(*self._given(name, premises, family), z3.Not(expression >= 0))
        claim = expression <= known
        return self._add(
            Step(name, "term", claim, family, self._used(premises), text, (("sign", query),))
        )

    def exchange(self, name: str, left: Any, right: Any, text: str = "") -> Step:
        """Prove that a double sum is the same by rows and by columns.

        Parameters
        ----------
        left, right : sums
            For a matrix e, row weights a and column weights b: the sum over the rows of
            a * (product of e and b), and the sum over the columns of b * (product of e and a).
        """
        expressions = [self._sums[str(total)][2] for total in (left, right)]
        if not any(
            row.matrix is column.matrix
            and row.along is row.matrix.columns
            and column.along is column.matrix.rows
            and expressions[0].eq(column.weight * row.quantity)
            and expressions[1].eq(row.weight * column.quantity)
            for row in self._products
            for column in self._products
        ):
            raise ProofFailed(self.title, name, "the sums are not one double sum in two orders")
        return self._add(Step(name, "exchange", left == right, text=text, queries=_EXCHANGE))

    def identity(self, name: str, left: Any, right: Any, text: str = "") -> Step:
        """Prove that two rational expressions are equal: their difference has the normal form 0."""
        return self._add(Step(name, "sympy", (left, right), text=text))

    def certificate(
        self, name: str, certificate: Certificate, claim: Mapping[str, str], text: str = ""
    ) -> Step:
        """Prove an instance by a certificate of exactly this claim, verified at each check."""
        return self._add(Step(name, "certificate", (certificate, dict(claim)), text=text))

    # -- checking ------------------------------------------------------------------------------

    def check(self) -> ProofReport:
        """Discharge every step again.

        Raises
        ------
        ProofFailed
            At the first step that does not hold, with its countermodel.
        """
        counts: dict[str, int] = {}
        for step in self.steps:
            self._discharge(step)
            counts[step.rule] = counts.get(step.rule, 0) + 1
        axioms = tuple(f"{s.name}: {s.text or s.claim}" for s in self.steps if s.rule == "axiom")
        return ProofReport(self.title, counts, axioms)

    def _discharge(self, step: Step) -> None:
        for part, query in step.queries:
            solver = z3.Solver()
            solver.set("timeout", _SECONDS * 1000)
            solver.add(query)
            answer = solver.check()
            if answer != z3.unsat:
                shown = f"countermodel {solver.model()}" if answer == z3.sat else "z3 gave up"
                raise ProofFailed(self.title, step.name, f"{part} does not hold: {shown}".strip())
        if step.rule == "sympy":
            left, right = step.claim
            difference = sympy.cancel(sympy.together(left - right))
            if difference != 0:
                raise ProofFailed(self.title, step.name, f"the sides differ by {difference}")
        elif step.rule == "certificate":
            certificate, claim = step.claim
            if certificate.document["claim"] != claim:
                found = certificate.document["claim"]
                raise ProofFailed(self.title, step.name, f"the certificate claims {found}")
            try:
                certificate.check()
            except CertificateRejected as refusal:
                raise ProofFailed(self.title, step.name, str(refusal)) from None

    # -- showing -------------------------------------------------------------------------------

    def __str__(self) -> str:
        lines = [f"{self.title} ({self.source})"]
        for number, step in enumerate(self.steps, 1):
            scope = f" for every {step.family.name}" if step.family else ""
            by = f" from {', '.join(step.premises)}" if step.premises else ""
            lines.append(f"{number:>3}. {step.name} [{step.rule}{by}]{scope}")
            lines.append(f"     {step.text or step.claim}")
        return "\n".join(lines)

    def to_latex(self) -> str:
        """Return the proof as an enumerated LaTeX list."""
        items = []
        for step in self.steps:
            words = step.text or str(step.claim)
            reason = step.rule + (f" from {', '.join(step.premises)}" if step.premises else "")
            items.append(
                rf"\item \textbf{{{_plain(step.name)}}} ({_plain(reason)}): {_plain(words)}"
            )
        body = "\n".join(items)
        return f"% {self.title}\n\\begin{{enumerate}}\n{body}\n\\end{{enumerate}}\n"

    def to_smtlib(self) -> dict[str, str]:
        """Return every z3 query as SMT-LIB 2 text that has to be unsatisfiable, by step name."""
        texts = {}
        for step in self.steps:
            for part, query in step.queries:
                solver = z3.Solver()
                solver.add(query)
                name = f"{step.name}.{part}" if part else step.name
                texts[name] = f"(set-logic QF_NRA)\n{solver.to_smt2()}"
        return texts

    # -- bookkeeping ---------------------------------------------------------------------------

    def _fresh(self, name: str) -> str:
        if name in self._names or "." in name:  # partial sums are marked by a dot
            raise ProofFailed(self.title, name, "this name is taken")
        self._names.add(name)
        return name

    def _add(self, step: Step) -> Step:
        if any(step.name == other.name for other in self.steps):
            raise ProofFailed(self.title, step.name, "there is a step of this name already")
        self.steps.append(step)
        return step

    def _used(self, premises: Sequence[Step]) -> tuple[str, ...]:
        return tuple(step.name for step in premises)

    def _given(self, name: str, premises: Sequence[Step], family: Family | None) -> list[Any]:
        """Return the claims of earlier steps that may be used here."""
        for step in premises:
            if not any(step is earlier for earlier in self.steps):
                raise ProofFailed(self.title, name, f"{step.name} is no earlier step")
            if step.family is not None and step.family is not family:
                raise ProofFailed(self.title, name, f"{step.name} is about another family")
            if step.rule in ("sympy", "certificate"):
                raise ProofFailed(self.title, name, f"{step.name} is no formula of z3")
        return [step.claim for step in premises]

    def _only(self, family: Family | None, expression: Any, name: str) -> None:
        """Refuse indexed quantities of any family but the one given."""
        foreign = {
            quantity: other.name
            for quantity, other in self._families.items()
            if other is not family
        }
        waiting, seen = [expression], set()
        while waiting:
            part = waiting.pop()
            if part.get_id() in seen:
                continue
            seen.add(part.get_id())
            if z3.is_const(part) and str(part) in foreign:
                raise ProofFailed(
                    self.title, name, f"{part} belongs to the family {foreign[str(part)]}"
                )
            waiting += part.children()


def _exchange_queries() -> tuple[tuple[str, Any], ...]:
    """Return what `exchange` rests on: an induction over rows, with one over columns inside.

    Columns: adding a row with weight a turns the column sums c into c + a e; over partial sums,
    sum b (c + a e) = sum b c + a sum b e. Rows: so both orders grow by the same amount.
    """
    a, b, c, e = z3.Reals("a b c e")
    grown, old, row = z3.Reals("grown old row")
    inner = grown == old + a * row
    left, right = z3.Reals("left right")
    zero = z3.RealVal(0)
    return (
        ("columns base", z3.And(zero != zero + a * zero)),
        (
            "columns step",
            z3.And(inner, z3.Not(grown + b * (c + a * e) == old + b * c + a * (row + b * e))),
        ),
        ("rows base", z3.And(b * zero != zero)),
        (
            "rows step",
            z3.And(left == old, right == grown, inner, z3.Not(left + a * row == right)),
        ),
    )


_EXCHANGE = _exchange_queries()


def _plain(text: str) -> str:
    """Escape what LaTeX would read as a command."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    special |= {c: rf"\{c}" for c in "&%$#_{}"}
    return "".join(special.get(c, c) for c in text)
