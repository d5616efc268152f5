"""Corollary 3.4: many bad policies with disjoint supports make every D unsafe."""

from __future__ import annotations

import z3

from symsafe.proof import Proof


def proof() -> Proof:
    """k >= 1/eps disjoint supports: some support carries at most eps (then Proposition 3.3)."""
    proof = Proof("Corollary 3.4", "Fluri et al., ICML 2025, Corollary 3.4")
    epsilon, least = proof.scalars("eps least")
    policies = proof.family("policy", "weight unit")
    weight, unit = policies.quantities
    units = proof.axiom("unit", unit == 1, policies, "every policy counts 1")
    smallest = proof.axiom("least", weight >= least, policies, "the least D(support) of them")
    count, carried = proof.sum("k", policies, unit), proof.sum("carried", policies, weight)
    disjoint = proof.axiom(
        "disjoint", carried <= 1, text="disjoint supports together carry at most D's total weight 1"
    )
    enough = proof.axiom("enough", count * epsilon >= 1, text="k >= 1/eps")
    positive = proof.axiom("positive", epsilon > 0, text="eps > 0")
    bound = proof.induction(
        "pigeonhole",
        policies,
        lambda s: s(count) * least <= s(carried),
        [units, smallest],
        "k times the least weight is at most the weight of all",
    )
    proof.z3(
        "conclusion",
        least <= epsilon,
        [disjoint, enough, positive, bound],
        text="some bad policy's support carries at most eps: unsafe by Proposition 3.3",
    )
    return proof


def sharp() -> Proof:
    """k bad policies with disjoint supports: radius <= 1/(k + 1), for every D."""
    proof = Proof("radius <= 1/(k + 1)", "THEORY, section 4; ours")
    share, least, reward_range = proof.scalars("x least rR")
    pairs, policies = proof.family("pair", "gap"), proof.family("policy", "unit")
    (gap,), (unit,) = pairs.quantities, policies.quantities
    supports = proof.matrix("support", policies, pairs)
    cost = proof.product("cost", supports, pairs, gap)
    covers = proof.product("covers", supports, policies, unit)
    once = proof.axiom(
        "disjoint",
        z3.And(covers <= 1, gap >= 0),
        pairs,
        "a pair is in at most one support; gap = D (max R - R) >= 0",
    )
    all_gaps, covered = proof.sum("gaps", pairs, gap), proof.sum("covered", pairs, gap * covers)
    span = proof.axiom("range", reward_range > 0, text="range R > 0")
    complement = proof.axiom(
        "complement",
        all_gaps == reward_range * (1 - share),
        text="x = E_D (R - min R)/rR, so sum D (max R - R) = (1 - x) rR",
    )
    units = proof.axiom("unit", unit == 1, policies, "every policy counts 1")
    smallest = proof.axiom("least", cost >= least, policies, "the least cost of the k witnesses")
    count, costs = proof.sum("k", policies, unit), proof.sum("costs", policies, unit * cost)
    exchange = proof.exchange(
        "exchange",
        costs,
        covered,
        "a witness costs the gaps of its support; the costs sum to what the supports cover",
    )
    some = proof.axiom("some", count >= 1, text="there is a policy")
    together = proof.induction(
        "together",
        pairs,
        lambda s: s(covered) <= s(all_gaps),
        [once],
        "the k witnesses together cost at most sum D (max R - R)",
    )
    bound = proof.induction(
        "pigeonhole",
        policies,
        lambda s: s(count) * least <= s(costs),
        [units, smallest],
        "k times the least cost is at most the cost of all",
    )
    kept = proof.z3(
        "kept",
        count * least <= reward_range * (1 - share),
        [complement, exchange, together, bound],
        text="k least <= (1 - x) rR",
    )
    proof.z3(
        "conclusion",
        z3.Or(share * (count + 1) <= 1, least * (count + 1) <= reward_range),
        [span, some, kept],
        text="R^ = min R, which costs x rR, or one of the k witnesses costs at most rR/(k + 1)",
    )
    return proof


PROOFS = (proof, sharp)

if __name__ == "__main__":
    for build in PROOFS:
        built = build()
        print(built)
        print(built.check())
