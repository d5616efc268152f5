"""SHARP <= B0 <= B1 <= B2 <= radius: w = t (eta* - eta) is a feasible circulation."""

from __future__ import annotations

import z3

from symsafe.proof import Proof


def feasible() -> Proof:
    """If t |eta* - eta| <= D everywhere, the policy of eta costs at least t (max J - J)."""
    proof = Proof("cost >= t (max J - J)", "THEORY, section 4; ours")
    step, best, returned = proof.scalars("t maxJ J")
    pairs = proof.family("pair", "D star eta r taken")
    data, star, eta, reward, taken = pairs.quantities
    moved = step * (star - eta)
    scale = proof.axiom("scale", step >= 0, text="t >= 0")
    policy = proof.axiom(
        "policy",
        z3.And(star >= 0, z3.Implies(taken != 1, eta == 0)),
        pairs,
        "eta* >= 0, and eta is 0 off the support",
    )
    small = proof.axiom(
        "small", z3.And(moved <= data, moved >= -data), pairs, "t |eta* - eta| <= D"
    )
    proof.z3(
        "circulation",
        z3.And(moved <= data, z3.If(taken == 1, moved >= -data, moved >= 0)),
        [scale, policy, small],
        pairs,
        "w = t (eta* - eta) meets the capacities; E^T w = t (mu0 - mu0) = 0",
    )
    worth = proof.sum("wR", pairs, moved * reward)
    first, second = proof.sum("starR", pairs, star * reward), proof.sum("etaR", pairs, eta * reward)
    returns = proof.axiom(
        "returns", z3.And(first == best, second == returned), text="J = <eta, R>, max J = <eta*, R>"
    )
    linear = proof.induction(
        "linear",
        pairs,
        lambda s: s(worth) == step * (s(first) - s(second)),
        text="<w, R> = t (<eta*, R> - <eta, R>)",
    )
    proof.z3(
        "conclusion",
        worth == step * (best - returned),
        [returns, linear],
        text="<w, R> = t (max J - J): the cost is at least that (proofs/dual_cost.py)",
    )
    return proof


def chain() -> Proof:
    """With t = min D/|eta* - eta|: the bounds B2, B1, B0 and SHARP, each below the one before."""
    proof = Proof("SHARP <= B0 <= B1 <= B2", "THEORY, section 4; ours")
    lost, least_lost, data, change, most, visits, horizon = proof.scalars(
        "lost L_rJ D change most u horizon"
    )
    given = proof.axiom(
        "given",
        z3.And(data >= 0, change > 0, least_lost >= 0, lost >= least_lost),
        text="D >= 0, |eta* - eta| > 0, and a bad policy loses max J - J >= L rJ >= 0",
    )
    limits = proof.axiom(
        "limits",
        z3.And(change <= most, most <= visits, visits <= horizon),
        text="|eta* - eta| <= its maximum over bad occupancies <= u(s) <= 1/(1 - gamma)",
    )
    proof.z3(
        "B1 <= B2",
        data * lost / change >= data * least_lost / most,
        [given, limits],
        text="D (max J - J)/|eta* - eta| >= L rJ D/max|eta* - eta|",
    )
    proof.z3(
        "B0 <= B1",
        data * least_lost / most >= data * least_lost / visits,
        [given, limits],
        text="max|eta* - eta| <= u(s)",
    )
    proof.z3(
        "SHARP <= B0",
        data * least_lost / visits >= data * least_lost / horizon,
        [given, limits],
        text="u(s) <= 1/(1 - gamma)",
    )
    return proof


PROOFS = (feasible, chain)

if __name__ == "__main__":
    for build in PROOFS:
        built = build()
        print(built)
        print(built.check())
