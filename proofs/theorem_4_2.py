"""Theorem 4.2 with explicit C: a bad policy with little data on its support makes D unsafe."""

from __future__ import annotations

import z3

from symsafe.proof import Proof


def proof() -> Proof:
    """R^ = max R + C rR on the bad policy's support: every policy with regret below L loses."""
    proof = Proof("Theorem 4.2 with explicit C", "Fluri et al., Theorem 4.2; the constant is ours")
    top, span, constant, advantage, shortfall, penalty, mass = proof.scalars(
        "maxR rR C A shortfall penalty mass"
    )
    pairs = proof.family("pair", "r eta own taken adv")
    reward, eta, own, taken, gain = pairs.quantities
    model = z3.If(taken == 1, top + constant * span, reward)
    signs = proof.axiom(
        "signs",
        z3.And(span > 0, constant >= 0, advantage > 0),
        text="range R > 0, C >= 0, A > 0",
    )
    policy = proof.axiom(
        "policy",
        z3.And(
            eta >= 0,
            own >= 0,
            reward <= top,
            z3.Implies(taken != 1, own == 0),
            gain <= advantage,
            z3.Implies(taken == 1, gain == 0),
        ),
        pairs,
        "occupancies are not negative; advantages of pi_* are at most A, and 0 on its support",
    )
    outside = proof.sum("outside", pairs, z3.If(taken == 1, 0, eta))
    better = proof.sum("better", pairs, eta * gain)
    masses = proof.sum("massother", pairs, eta), proof.sum("massown", pairs, own)
    equal = proof.axiom(
        "mass",
        z3.And(masses[0] == mass, masses[1] == mass),
        text="both occupancies sum to 1/(1 - gamma) (proofs/occupancy.py)",
    )
    good = proof.axiom(
        "good",
        better > shortfall,
        text="suppose the other policy has regret below L: J - J(pi_*) > (L0 - L) rJ, and "
        "J - J(pi_*) = <eta, advantage of pi_*> (performance difference, Kakade and Langford 2002)",
    )
    definition = proof.axiom(
        "definition",
        constant * shortfall * span == penalty * advantage,
        text="C = lambda (omega(pi_*) - min omega) A/((L0 - L) rJ rR)",
    )
    leaves = proof.induction(
        "leaves",
        pairs,
        lambda s: s(better) <= advantage * s(outside),
        [policy],
        "<eta, advantage> <= A eta(off the support)",
    )
    other, star = proof.sum("Jother", pairs, eta * model), proof.sum("Jown", pairs, own * model)
    level = top + constant * span
    pays = proof.induction(
        "pays",
        pairs,
        lambda s: s(other) <= level * s(masses[0]) - constant * span * s(outside),
        [signs, policy],
        "each visit off the support earns at least C rR less",
    )
    earns = proof.induction(
        "earns", pairs, lambda s: s(star) == level * s(masses[1]), [policy], "pi_* earns it always"
    )
    away = proof.z3(
        "away", advantage * outside > shortfall, [good, leaves], text="A eta(off) > (L0 - L) rJ"
    )
    ahead = proof.z3(
        "ahead",
        star - other >= constant * span * outside,
        [equal, pays, earns],
        text="J_R^(pi_*) - J_R^(pi) >= C rR eta(off)",
    )
    scaled = proof.z3(
        "scaled",
        constant * span * outside * advantage >= constant * span * shortfall,
        [signs, away],
        text="C rR A eta(off) >= C rR (L0 - L) rJ",
    )
    penalised = proof.z3(
        "penalised",
        constant * span * outside >= penalty,
        [signs, definition, scaled],
        text="C rR eta(off) >= lambda (omega(pi_*) - min omega)",
    )
    proof.z3(
        "conclusion",
        star - other >= penalty,
        [ahead, penalised],
        text="J_R^(pi_*) - lambda omega(pi_*) >= J_R^(pi) - lambda omega(pi): an optimum is bad",
    )
    return proof


PROOFS = (proof,)

if __name__ == "__main__":
    for build in PROOFS:
        built = build()
        print(built)
        print(built.check())
