"""The bounds of contextual bandits: the rules `bandit.2` and `bandit.3` of CERTIFICATE.md."""

from __future__ import annotations

import z3

from symsafe.proof import Proof

SOURCE = "CERTIFICATE.md, rule bandit"


def multiplier() -> Proof:
    """Lagrange: a choice that loses enough costs the least k - lambda gap and lambda due."""
    proof = Proof("bandit.2: the bound by a multiplier", SOURCE)
    price, due = proof.scalars("lambda due")
    contexts = proof.family("context", "k gap least")
    cost, gap, least = contexts.quantities
    sign = proof.axiom("sign", price >= 0, text="lambda >= 0")
    each = proof.axiom(
        "least", least <= cost - price * gap, contexts, "the least k - lambda gap of its actions"
    )
    costs, gaps = proof.sum("costs", contexts, cost), proof.sum("gaps", contexts, gap)
    bound = proof.sum("bound", contexts, least)
    enough = proof.axiom("enough", gaps >= due, text="the choice loses enough: it is bad")
    together = proof.induction(
        "together",
        contexts,
        lambda s: s(bound) <= s(costs) - price * s(gaps),
        [each],
        "the least values sum to at most the cost less lambda times the loss",
    )
    proof.z3(
        "conclusion",
        costs >= bound + price * due,
        [sign, enough, together],
        text="the cost is at least the sum of the least values plus lambda due",
    )
    return proof


def core() -> Proof:
    """What contexts that follow can still change is bounded by two slopes."""
    proof = Proof("bandit.3: what follows a state", SOURCE)
    up, down, lost, paid, due = proof.scalars("u d x y due")
    contexts = proof.family("context", "g k")
    change, cost = contexts.quantities
    slopes = proof.axiom(
        "slopes",
        z3.And(up >= down, down >= 0),
        text="u >= lambda >= d >= 0, as b is best at lambda",
    )
    each = proof.axiom(
        "moves",
        z3.And(
            z3.Implies(change > 0, cost >= up * change),
            z3.Implies(change < 0, cost >= down * change),
            z3.Implies(change == 0, cost >= 0),
        ),
        contexts,
        "what an action costs more than b, where it loses more, less, or the same",
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


PROOFS = (multiplier, core)

if __name__ == "__main__":
    for build in PROOFS:
        built = build()
        print(built)
        print(built.check())
