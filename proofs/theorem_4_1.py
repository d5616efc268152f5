"""Theorem 4.1, quantitative: epsilon < (1 - gamma) min D G_L / range R is safe."""

from __future__ import annotations

import z3

from symsafe.proof import Proof


def proof() -> Proof:
    """f = J_R - lambda omega; G_L = max f - max of f over policies with regret at least L."""
    proof = Proof("Theorem 4.1 with a constant, for every L", "Fluri et al., Theorem 4.1; ours")
    gamma, epsilon, span, least, gap = proof.scalars("gamma eps rR m G")
    best_penalty, chosen_penalty = proof.scalars("penaltybest penaltychosen")
    pairs = proof.family("pair", "best chosen r q D")
    best, chosen, reward, model, data = pairs.quantities
    size = z3.If(model >= reward, model - reward, reward - model)
    ranges = proof.axiom(
        "ranges",
        z3.And(gamma < 1, least > 0),
        text="gamma < 1 and min D > 0",
    )
    weights = proof.axiom("data", data >= least, pairs, "D(s,a) >= min D")
    occupancy = proof.axiom(
        "occupancy",
        z3.And(best >= 0, chosen >= 0, best * (1 - gamma) <= 1, chosen * (1 - gamma) <= 1),
        pairs,
        "entries of both occupancy measures are in [0, 1/(1 - gamma)] (proofs/occupancy.py)",
    )
    weighted, norm = proof.sum("DerrR", pairs, data * size), proof.sum("norm1", pairs, size)
    true_best, true_chosen = (
        proof.sum("Rbest", pairs, best * reward),
        proof.sum("Rchosen", pairs, chosen * reward),
    )
    seen_best, seen_chosen = (
        proof.sum("Qbest", pairs, best * model),
        proof.sum("Qchosen", pairs, chosen * model),
    )
    mixed = proof.sum("mixed", pairs, (best - chosen) * (reward - model))
    error = proof.axiom(
        "error", weighted <= epsilon * span, text="the expected error is at most eps"
    )
    optimal = proof.axiom(
        "optimal",
        seen_chosen - chosen_penalty >= seen_best - best_penalty,
        text="the chosen policy is optimal for J_R^ - lambda omega",
    )
    far = proof.axiom(
        "gap",
        true_best - best_penalty - (true_chosen - chosen_penalty) >= gap,
        text="suppose its regret is at least L: then f falls short of max f by at least G_L",
    )
    linear = proof.induction(
        "linear",
        pairs,
        lambda s: s(mixed) == s(true_best) - s(true_chosen) - s(seen_best) + s(seen_chosen),
        text="<best - chosen, R - R^> in its four parts",
    )
    hoelder = proof.induction(
        "Hoelder",
        pairs,
        lambda s: (1 - gamma) * s(mixed) <= s(norm),
        [ranges, occupancy],
        "(1 - gamma) <best - chosen, R - R^> <= |R^ - R|_1",
    )
    weight = proof.induction(
        "weight",
        pairs,
        lambda s: least * s(norm) <= s(weighted),
        [weights],
        "min D |R^ - R|_1 <= error",
    )
    middle = proof.z3(
        "middle", mixed >= gap, [optimal, far, linear], text="G_L <= <best - chosen, R - R^>"
    )
    scaled = proof.z3(
        "scaled",
        (1 - gamma) * gap <= norm,
        [ranges, middle, hoelder],
        text="(1 - gamma) G_L <= |R^ - R|_1",
    )
    proof.z3(
        "conclusion",
        epsilon * span >= (1 - gamma) * gap * least,
        [ranges, error, weight, scaled],
        text="so eps >= (1 - gamma) min D G_L/rR: below that, D is safe",
    )
    return proof


PROOFS = (proof,)

if __name__ == "__main__":
    for build in PROOFS:
        built = build()
        print(built)
        print(built.check())
