"""The bounds of contextual bandits: the rule `bandit.3` of CERTIFICATE.md."""

from __future__ import annotations

import z3

from symsafe.proof import Proof

SOURCE = "CERTIFICATE.md, rule bandit"


def slopes() -> Proof:
    """The slopes from the point that a multiplier chooses lie on either side of it."""
    proof = Proof("bandit.3: slopes, rounded", SOURCE)
    scale, times, up, down = proof.scalars("scale j u d")
    gap, cost, more, dear, less, cheap = proof.scalars("g k gmore kmore gless kless")
    above = proof.axiom(
        "above",
        z3.And(more > gap, scale * dear - times * more >= scale * cost - times * gap),
        text="(gmore, kmore) loses more, and is no better at j",
    )
    below = proof.axiom(
        "below",
        z3.And(less < gap, scale * cheap - times * less > scale * cost - times * gap),
        text="(gless, kless) loses less, and is worse at j, as the least g is chosen among equals",
    )
    floors = proof.axiom(
        "floors",
        z3.And(
            (up + 1) * (more - gap) > scale * (dear - cost),
            (down - 1) * (gap - less) <= scale * (cost - cheap),
        ),
        text="u and d - 1 are slopes rounded down",
    )
    whole = proof.axiom(
        "whole",
        z3.And(
            z3.Implies(up > times - 1, up >= times), z3.Implies(down < times + 1, down <= times)
        ),
        text="u, d and j are integers",
    )
    proof.z3("up", up >= times, [above, floors, whole], text="u >= j")
    proof.z3("down", down <= times, [below, floors, whole], text="d <= j")
    return proof


def core() -> Proof:
    """What contexts that follow can still change is bounded by two slopes; costs times 2^beta."""
    proof = Proof("bandit.3: what follows a state", SOURCE)
    up, down, lost, paid, due = proof.scalars("u d x y due")
    contexts = proof.family("context", "g k")
    change, cost = contexts.quantities
    slopes = proof.axiom(
        "slopes",
        z3.And(up >= down, down >= 0),
        text="u >= j >= d >= 0, by the proof above, or as no action loses more or less",
    )
    each = proof.axiom(
        "moves",
        z3.And(
            z3.Implies(change > 0, cost >= up * change),
            z3.Implies(change < 0, cost >= down * change),
            z3.Implies(change == 0, cost >= 0),
        ),
        contexts,
        "what a point costs more than (g, k), times 2^beta, where it loses more, less, or the same",
    )
    changes, costs = proof.sum("changes", contexts, change), proof.sum("costs", contexts, cost)
    rises = proof.sum("A", contexts, z3.If(change > 0, change, 0))
    falls = proof.sum("B", contexts, z3.If(change < 0, -change, 0))
    enough = proof.axiom("enough", lost + changes >= due, text="in the end enough is lost")
    split = proof.induction(
        "split",
        contexts,
        lambda s: z3.And(s(changes) == s(rises) - s(falls), s(rises) >= 0, s(falls) >= 0),
        [],
        "the changes are rises less falls",
    )
    bound = proof.induction(
        "bound",
        contexts,
        lambda s: s(costs) >= up * s(rises) - down * s(falls),
        [each],
        "what follows costs at least u A - d B",
    )
    proof.z3(
        "below",
        z3.Implies(lost < due, paid + costs >= paid + up * (due - lost)),
        [slopes, enough, split, bound],
        text="where x < due, the cost is at least y + u (due - x)",
    )
    proof.z3(
        "above",
        z3.Implies(lost >= due, paid + costs >= paid - down * (lost - due)),
        [slopes, enough, split, bound],
        text="where x >= due, it is at least y - d (x - due)",
    )
    return proof


PROOFS = (slopes, core)

if __name__ == "__main__":
    for build in PROOFS:
        built = build()
        print(built)
        print(built.check())
