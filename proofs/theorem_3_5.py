"""Theorem 3.5: each row of M is |R^ - R| of a genuine witness, and no witness beats all rows."""

from __future__ import annotations

import z3

from symsafe.proof import Proof


def sound() -> Proof:
    """m = (R - EV)^+ + 1_Z (EV - R)^+ is |R^ - R| for R^ = EV on Z and min(R, EV) off it."""
    proof = Proof("Theorem 3.5: rows are witnesses", "THEORY, section 4; the paper's M, our rows")
    pairs = proof.family("pair", "r ev inZ")
    reward, level, inside = pairs.quantities
    lowered = z3.If(reward <= level, reward, level)
    model = z3.If(inside == 1, level, lowered)
    error = z3.If(model >= reward, model - reward, reward - model)
    over = z3.If(reward >= level, reward - level, 0)
    under = z3.If(z3.And(inside == 1, level >= reward), level - reward, 0)
    proof.z3(
        "optimal",
        z3.And(model <= level, z3.Implies(inside == 1, model == level)),
        [],
        pairs,
        "R^ <= EV with equality on Z: every policy with support Z is optimal for R^",
    )
    proof.z3("error", error == over + under, [], pairs, "|R^ - R| = (R - EV)^+ + 1_Z (EV - R)^+")
    return proof


def complete() -> Proof:
    """Whatever R^ and V make Z optimal, the row of (Z, V) costs no more, for every D >= 0."""
    proof = Proof("Theorem 3.5: no witness is cheaper than its row", "THEORY, section 4; ours")
    pairs = proof.family("pair", "D r q ev inZ")
    data, reward, model, level, inside = pairs.quantities
    optimal = proof.axiom(
        "optimality",
        z3.And(data >= 0, model <= level, z3.Implies(inside == 1, model == level)),
        pairs,
        "D >= 0 and R^ <= EV, with equality on Z",
    )
    error = z3.If(model >= reward, model - reward, reward - model)
    over = z3.If(reward >= level, reward - level, 0)
    under = z3.If(z3.And(inside == 1, level >= reward), level - reward, 0)
    each = proof.z3(
        "entry", error >= over + under, [optimal], pairs, "|R^ - R| is at least the row's entry"
    )
    weighted = proof.z3(
        "weighted", data * error >= data * (over + under), [optimal, each], pairs, "also times D"
    )
    cost, row = (
        proof.sum("cost", pairs, data * error),
        proof.sum("row", pairs, data * (over + under)),
    )
    proof.induction(
        "summed",
        pairs,
        lambda s: s(cost) >= s(row),
        [weighted],
        "sum D |R^ - R| >= (M D)(row of V)",
    )
    proof.axiom(
        "vertex",
        z3.BoolVal(True),
        text="for fixed Z the row's cost is convex and piecewise linear in V, bounded below, and "
        "its pieces contain no line as E has full column rank: its minimum is at a V that |S| "
        "pairs determine (Schrijver, Theory of Linear and Integer Programming, 8.5)",
    )
    return proof


PROOFS = (sound, complete)

if __name__ == "__main__":
    for build in PROOFS:
        built = build()
        print(built)
        print(built.check())
