"""Deciding unsafe is NP-hard already for contextual bandits: the value identity of PARTITION."""

from __future__ import annotations

import z3

from symsafe.proof import Proof


def proof() -> Proof:
    """R = (1, 0), mu0(i) = a_i/T, D(i, .) = a_i/(2T), L = 1/2: radius 1/4 iff a splits evenly."""
    proof = Proof("PARTITION", "THEORY, section 4; ours")
    contexts = proof.family("context", "share bad v")
    share, bad, value = contexts.quantities
    given = proof.axiom(
        "given",
        z3.And(share >= 0, z3.Or(bad == 0, bad == 1)),
        contexts,
        "share = a_i/T; a policy takes the action with reward 0 in the contexts with bad = 1",
    )
    over = z3.If(value < 1, 1 - value, 0)
    under = z3.If(value > 0, value, -value)
    proof.z3(
        "context",
        share / 2 * over + share / 2 * under >= share / 2,
        [given],
        contexts,
        "making the worse action optimal at any value v costs at least a_i/(2T)",
    )
    proof.z3(
        "attained",
        z3.Implies(
            z3.And(value >= 0, value <= 1), share / 2 * over + share / 2 * under == share / 2
        ),
        [],
        contexts,
        "and exactly that for v in [0, 1]; a context with the better action costs nothing",
    )
    cost, lost = (
        proof.sum("cost", contexts, bad * share / 2),
        proof.sum("lost", contexts, bad * share),
    )
    identity = proof.induction(
        "identity",
        contexts,
        lambda s: 2 * s(cost) == s(lost),
        text="2 cost = regret, for any number",
    )
    bad_enough = proof.axiom(
        "bad", 2 * lost >= 1, text="the policy is bad: its regret is at least 1/2"
    )
    proof.z3(
        "conclusion",
        z3.And(cost >= z3.Q(1, 4), (cost <= z3.Q(1, 4)) == (2 * lost == 1)),
        [identity, bad_enough],
        text="the radius is at least 1/4, and 1/4 iff some contexts have just half of the weight",
    )
    return proof


PROOFS = (proof,)

if __name__ == "__main__":
    for build in PROOFS:
        built = build()
        print(built)
        print(built.check())
