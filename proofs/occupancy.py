"""Occupancy measures have entries in [0, 1/(1 - gamma)] and sum to 1/(1 - gamma)."""

from __future__ import annotations

import z3

from symsafe.proof import Proof


def proof() -> Proof:
    """From eta >= 0 and E^T eta = mu0."""
    proof = Proof("0 <= eta <= 1/(1 - gamma)", "folklore; Puterman, Markov Decision Processes")
    (gamma,) = proof.scalars("gamma")
    pairs = proof.family("pair", "eta")
    (eta,) = pairs.quantities
    sign = proof.axiom("sign", eta >= 0, pairs, "eta >= 0")
    total = proof.sum("total", pairs, eta)
    drained = proof.sum("drained", pairs, (1 - gamma) * eta)
    flow = proof.axiom(
        "flow",
        drained == 1,
        text="E^T eta = mu0 summed over the states: a row of E sums to 1 - gamma, mu0 to 1",
    )
    factor = proof.induction(
        "factor",
        pairs,
        lambda s: s(drained) == (1 - gamma) * s(total),
        text="sum (1 - gamma) eta = (1 - gamma) sum eta",
    )
    mass = proof.z3(
        "mass", total * (1 - gamma) == 1, [flow, factor], text="sum eta = 1/(1 - gamma)"
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
