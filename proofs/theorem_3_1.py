"""Theorem 3.1: if D > 0 everywhere and L > 0, some epsilon > 0 makes D safe."""

from __future__ import annotations

import z3

from symsafe.proof import Proof


def proof() -> Proof:
    """Half of the sharp bound of Proposition 3.2 is such an epsilon."""
    proof = Proof("Theorem 3.1", "Fluri et al., ICML 2025, Theorem 3.1; constructive here")
    gamma, level, reward_range, return_range, least, epsilon = proof.scalars("gamma L rR rJ m eps")
    given = proof.axiom(
        "given",
        z3.And(gamma >= 0, gamma < 1, level > 0, reward_range > 0, return_range > 0, least > 0),
        text="0 <= gamma < 1, L > 0, range R > 0, range J > 0, min D > 0",
    )
    chosen = proof.axiom(
        "chosen",
        2 * epsilon * reward_range == (1 - gamma) * return_range * least * level,
        text="definition: eps = (1 - gamma) (rJ/rR) min D L / 2",
    )
    product = proof.z3(
        "product",
        (1 - gamma) * return_range > 0,
        [given],
        text="(1 - gamma) rJ > 0",
    )
    weighted = proof.z3("weighted", least * level > 0, [given], text="min D L > 0")
    bound = proof.z3(
        "bound",
        ((1 - gamma) * return_range) * (least * level) > 0,
        [product, weighted],
        text="their product is positive",
    )
    proof.z3(
        "conclusion",
        z3.And(epsilon > 0, epsilon * reward_range < (1 - gamma) * return_range * least * level),
        [given, chosen, bound],
        text="0 < eps < (1 - gamma) (rJ/rR) min D L, so D is safe (proofs/proposition_3_2.py)",
    )
    return proof


PROOFS = (proof,)

if __name__ == "__main__":
    for build in PROOFS:
        built = build()
        print(built)
        print(built.check())
