"""Occupancy measures have entries in [0, 1/(1 - gamma)] and sum to 1/(1 - gamma)."""

from __future__ import annotations

import z3

from symsafe.proof import Proof


def proof() -> Proof:
    """From eta >= 0 and E^T eta = mu0."""
    proof = Proof("0 <= eta <= 1/(1 - gamma)", "folklore; Puterman, Markov Decision Processes")
    (gamma,) = proof.scalars("gamma")
    pairs, states = proof.family("pair", "eta"), proof.family("state", "one mu0")
    (eta,), (one, initial) = pairs.quantities, states.quantities
    shaping = proof.matrix("E", pairs, states)
    row = proof.product("rowsum", shaping, states, one)
    visits = proof.product("eteta", shaping, pairs, eta)
    sign = proof.axiom("sign", eta >= 0, pairs, "eta >= 0")
    flow = proof.axiom(
        "flow", z3.And(one == 1, visits == initial), states, "E^T eta = mu0 in every state"
    )
    rows = proof.axiom(
        "rows", row == 1 - gamma, pairs, "transition probabilities sum to 1: E 1 = 1 - gamma"
    )
    begin = proof.sum("begin", states, initial)
    begins = proof.axiom("begins", begin == 1, text="mu0 sums to 1")
    total = proof.sum("total", pairs, eta)
    drained = proof.sum("drained", pairs, eta * row)
    collected = proof.sum("collected", states, one * visits)
    adjoint = proof.exchange("adjoint", drained, collected, "<eta, E 1> = <E^T eta, 1>")
    same = proof.induction(
        "start", states, lambda s: s(collected) == s(begin), [flow], "<E^T eta, 1> = sum mu0"
    )
    factor = proof.induction(
        "factor",
        pairs,
        lambda s: s(drained) == (1 - gamma) * s(total),
        [rows],
        "<eta, E 1> = (1 - gamma) sum eta",
    )
    mass = proof.z3(
        "mass",
        total * (1 - gamma) == 1,
        [begins, adjoint, same, factor],
        text="sum eta = 1/(1 - gamma)",
    )
    entry = proof.term("entry", total, [sign], "eta(s,a) <= sum eta")
    proof.z3(
        "conclusion",
        z3.And(eta >= 0, eta * (1 - gamma) <= 1),
        [sign, mass, entry],
        pairs,
        "0 <= eta(s,a) <= 1/(1 - gamma)",
    )
    return proof


PROOFS = (proof,)

if __name__ == "__main__":
    built = proof()
    print(built)
    print(built.check())
