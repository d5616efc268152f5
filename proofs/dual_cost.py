"""The dual of cost(pi), weak direction: a circulation bounds what any reward model costs.

Let w satisfy E^T w = 0, w <= D everywhere, w >= -D on the support of pi and w >= 0 off it. If pi is
optimal for R^, that is R^ <= EV with equality on the support, then sum D |R^ - R| >= <w, R>.
"""

from __future__ import annotations

from fractions import Fraction

import z3

from symsafe import MDP, DataDistribution, SafetyProblem, radius
from symsafe.proof import Proof, ProofFailed


def adjoint() -> Proof:
    """<w, EV> = <E^T w, V>, for any number of pairs and states."""
    proof = Proof("E and its transpose are adjoint", "finite sums")
    pairs, states = proof.family("pair", "w"), proof.family("state", "V")
    (flow,), (potential,) = pairs.quantities, states.quantities
    shaping = proof.matrix("E", pairs, states)
    level = proof.product("EV", shaping, states, potential)
    balance = proof.product("ETw", shaping, pairs, flow)
    proof.exchange(
        "adjoint",
        proof.sum("wEV", pairs, flow * level),
        proof.sum("ETwV", states, potential * balance),
        "<w, EV> = <E^T w, V>",
    )
    return proof


def proof() -> Proof:
    """The weak direction of the dual."""
    proof = Proof("cost(pi) >= <w, R> for every feasible circulation w", "THEORY, section 2; ours")
    pairs, states = proof.family("pair", "D w r q taken"), proof.family("state", "V")
    data, flow, reward, model, taken = pairs.quantities
    (potential,) = states.quantities
    shaping = proof.matrix("E", pairs, states)
    level = proof.product("ev", shaping, states, potential)
    balance = proof.product("etw", shaping, pairs, flow)
    on_support = taken == 1
    error = z3.If(model >= reward, model - reward, reward - model)
    capacity = proof.axiom(
        "capacity",
        z3.And(flow <= data, data >= 0, z3.If(on_support, flow >= -data, flow >= 0)),
        pairs,
        "-D [on the support] <= w <= D",
    )
    optimal = proof.axiom(
        "optimality",
        z3.And(model <= level, z3.Implies(on_support, model == level)),
        pairs,
        "R^ <= EV, with equality on the support",
    )
    circulation = proof.axiom("circulation", balance == 0, states, "E^T w = 0")
    cost = proof.sum("cost", pairs, data * error)
    priced = proof.sum("wR", pairs, flow * reward)
    shaped = proof.sum("wEV", pairs, flow * level)
    collected = proof.sum("ETwV", states, potential * balance)
    adjoint = proof.exchange("adjoint", shaped, collected, "<w, EV> = <E^T w, V>")
    nothing = proof.induction(
        "nothing", states, lambda s: s(collected) == 0, [circulation], "<E^T w, V> = 0"
    )
    each = proof.z3(
        "each pair",
        data * error >= flow * reward - flow * level,
        [capacity, optimal],
        pairs,
        "D |R^ - R| >= w (R - R^) >= w (R - EV)",
    )
    added = proof.induction(
        "all pairs",
        pairs,
        lambda s: s(cost) >= s(priced) - s(shaped),
        [each],
        "sum D |R^ - R| >= <w, R> - <w, EV>",
    )
    proof.z3(
        "conclusion",
        cost >= priced,
        [added, adjoint, nothing],
        text="sum D |R^ - R| >= <w, R>",
    )
    return proof


def strong() -> Proof:
    """Strong duality at an instance: a reward model and a tree of circulations meet in one number.

    Every certificate of an exact radius is such an instance; here that of two states with two
    actions each and discount 3/4.
    """
    proof = Proof("the dual is attained: radius 9/70", "THEORY, section 10, instance V3")
    mdp = MDP.from_arrays(
        transitions=[[["2/3", "1/3"], ["1/3", "2/3"]], [["1/2", "1/2"], [0, 1]]],
        reward=[[3, 0], [1, -2]],
        initial=["1/3", "2/3"],
        discount="3/4",
    )
    weights = tuple(Fraction(x) for x in ("1/8", "3/8", "1/3", "1/6"))
    found = radius(SafetyProblem(mdp, DataDistribution(mdp, weights), regret="2/3"))
    if found.certificate is None:
        raise ProofFailed(proof.title, "radius", "no certificate was found")
    claim = {"kind": "radius", "regret": "2/3", "lower": "9/70", "upper": "9/70"}
    proof.certificate(
        "radius", found.certificate, claim, "no bad policy costs less than 9/70, and one costs it"
    )
    return proof


PROOFS = (adjoint, proof, strong)

if __name__ == "__main__":
    for build in PROOFS:
        built = build()
        print(built)
        print(built.check())
