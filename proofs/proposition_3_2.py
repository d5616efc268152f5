"""Proposition 3.2: a small error keeps the regret below L. Sharp form, the paper's form, tightness.

``proof()`` shows that epsilon < (1 - gamma) (range J / range R) min D L is safe; ``paper()`` pairs
2-norms instead and loses the factor sqrt(2); ``tightness()`` derives the radius of a one-state
family symbolically and finds the sharp bound attained.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import sympy
import z3

from symsafe import MDP, DataDistribution, SafetyProblem, radius
from symsafe.proof import Family, Proof, ProofFailed, Step


def _setting(proof: Proof) -> tuple[Family, dict[str, Any], dict[str, Step]]:
    """Two occupancy measures, two rewards, the data; regret at least L is assumed."""
    gamma, level, epsilon, reward_range, return_range, least = proof.scalars("gamma L eps rR rJ m")
    pairs = proof.family("pair", "best chosen r q D")
    best, chosen, reward, model, data = pairs.quantities
    steps = {
        "ranges": proof.axiom(
            "ranges",
            z3.And(gamma >= 0, gamma < 1, level > 0, reward_range > 0, return_range > 0, least > 0),
            text="0 <= gamma < 1, L > 0, range R > 0, range J > 0, min D > 0",
        ),
        "data": proof.axiom("data", data >= least, pairs, "D(s,a) >= min D"),
        "occupancy": proof.axiom(
            "occupancy",
            z3.And(
                best >= 0,
                chosen >= 0,
                best * (1 - gamma) <= 1,
                chosen * (1 - gamma) <= 1,
            ),
            pairs,
            "entries of eta* and eta^ are in [0, 1/(1 - gamma)] (proofs/occupancy.py)",
        ),
    }
    size = z3.If(model >= reward, model - reward, reward - model)
    sums = {
        "weighted": proof.sum("DerrR", pairs, data * size),
        "norm": proof.sum("norm1", pairs, size),
        "true": proof.sum("gainR", pairs, (best - chosen) * reward),
        "learned": proof.sum("gainQ", pairs, (best - chosen) * model),
        "mixed": proof.sum("gainRQ", pairs, (best - chosen) * (reward - model)),
    }
    steps["error"] = proof.axiom(
        "error",
        sums["weighted"] <= epsilon * reward_range,
        text="the expected error is at most eps",
    )
    steps["optimal"] = proof.axiom(
        "optimal", sums["learned"] <= 0, text="the policy of eta^ is optimal for R^"
    )
    steps["regret"] = proof.axiom(
        "regret", sums["true"] >= level * return_range, text="suppose its regret is at least L"
    )
    steps["linear"] = proof.induction(
        "linear",
        pairs,
        lambda s: s(sums["mixed"]) == s(sums["true"]) - s(sums["learned"]),
        text="<eta* - eta^, R - R^> = <eta* - eta^, R> - <eta* - eta^, R^>",
    )
    steps["weight"] = proof.induction(
        "weight",
        pairs,
        lambda s: least * s(sums["norm"]) <= s(sums["weighted"]),
        [steps["data"]],
        "min D |R^ - R|_1 <= sum D |R^ - R|",
    )
    scalars = {
        "gamma": gamma,
        "L": level,
        "eps": epsilon,
        "rR": reward_range,
        "rJ": return_range,
        "m": least,
    }
    return pairs, {**scalars, **sums}, steps


def proof() -> Proof:
    """The sharp form: epsilon < (1 - gamma) (rJ/rR) min D L is safe."""
    proof = Proof("Proposition 3.2 without the factor 1/sqrt(2)", "THEORY, section 4; ours")
    pairs, v, steps = _setting(proof)
    hoelder = proof.induction(
        "Hoelder",
        pairs,
        lambda s: (1 - v["gamma"]) * s(v["mixed"]) <= s(v["norm"]),
        [steps["ranges"], steps["occupancy"]],
        "(1 - gamma) <eta* - eta^, R - R^> <= |R^ - R|_1, as |eta* - eta^| <= 1/(1 - gamma)",
    )
    enough = (1 - v["gamma"]) * v["rJ"] * v["m"] * v["L"]
    chain = proof.z3(
        "chain",
        (1 - v["gamma"]) * v["L"] * v["rJ"] <= v["norm"],
        [steps["ranges"], steps["optimal"], steps["regret"], steps["linear"], hoelder],
        text="(1 - gamma) L rJ <= |R^ - R|_1",
    )
    proof.z3(
        "conclusion",
        v["eps"] * v["rR"] >= enough,
        [steps["ranges"], steps["error"], steps["weight"], chain],
        text="so eps >= (1 - gamma) (rJ/rR) min D L: below that, D is safe",
    )
    return proof


def paper() -> Proof:
    """The paper's form, by Cauchy and Schwarz: safe below (1 - gamma)/sqrt(2) (rJ/rR) min D L."""
    proof = Proof("Proposition 3.2", "Fluri et al., ICML 2025, Proposition 3.2")
    pairs, v, steps = _setting(proof)
    best, chosen, reward, model, _ = pairs.quantities
    moved = best - chosen
    distance = proof.sum("eta2", pairs, moved * moved)
    norm2 = proof.sum("R2", pairs, (reward - model) * (reward - model))
    mass_best, mass_chosen = proof.sum("mass1", pairs, best), proof.sum("mass2", pairs, chosen)
    mass = proof.axiom(
        "mass",
        z3.And(mass_best * (1 - v["gamma"]) == 1, mass_chosen * (1 - v["gamma"]) == 1),
        text="occupancy measures sum to 1/(1 - gamma) (proofs/occupancy.py)",
    )
    each = proof.z3(
        "each pair",
        moved * moved * (1 - v["gamma"]) <= best + chosen,
        [steps["ranges"], steps["occupancy"]],
        pairs,
        "(eta* - eta^)^2 <= (eta* + eta^)/(1 - gamma)",
    )
    close = proof.induction(
        "distance",
        pairs,
        lambda s: s(distance) * (1 - v["gamma"]) <= s(mass_best) + s(mass_chosen),
        [each],
        "(1 - gamma) |eta* - eta^|_2^2 <= 2/(1 - gamma): here sqrt(2) enters",
    )
    schwarz = proof.induction(
        "Cauchy-Schwarz",
        pairs,
        lambda s: z3.And(
            s(v["mixed"]) * s(v["mixed"]) <= s(distance) * s(norm2),
            s(distance) >= 0,
            s(norm2) >= 0,
        ),
        text="<eta* - eta^, R - R^>^2 <= |eta* - eta^|_2^2 |R^ - R|_2^2",
    )
    norms = proof.induction(
        "norms",
        pairs,
        lambda s: z3.And(s(norm2) <= s(v["norm"]) * s(v["norm"]), s(v["norm"]) >= 0),
        text="|R^ - R|_2 <= |R^ - R|_1",
    )
    gain = v["L"] * v["rJ"]
    lost = proof.z3(
        "gain",
        z3.And(v["mixed"] >= gain, gain > 0),
        [steps["ranges"], steps["optimal"], steps["regret"], steps["linear"]],
        text="L rJ <= <eta* - eta^, R - R^>",
    )
    square = proof.z3(
        "square",
        gain * gain <= v["mixed"] * v["mixed"],
        [lost],
        text="(L rJ)^2 <= <eta* - eta^, R - R^>^2",
    )
    factor = proof.z3(
        "factor",
        distance * (1 - v["gamma"]) * (1 - v["gamma"]) <= 2,
        [steps["ranges"], mass, close],
        text="(1 - gamma)^2 |eta* - eta^|_2^2 <= 2",
    )
    bound = proof.z3(
        "bound",
        gain * gain * (1 - v["gamma"]) * (1 - v["gamma"]) <= 2 * norm2,
        [steps["ranges"], square, schwarz, factor],
        text="((1 - gamma) L rJ)^2 <= 2 |R^ - R|_2^2",
    )
    ell1 = proof.z3(
        "1-norm",
        gain * gain * (1 - v["gamma"]) * (1 - v["gamma"]) <= 2 * v["norm"] * v["norm"],
        [bound, norms],
        text="((1 - gamma) L rJ)^2 <= 2 |R^ - R|_1^2",
    )
    weighed = proof.z3(
        "weighed",
        v["m"] * v["m"] * v["norm"] * v["norm"] <= v["eps"] * v["eps"] * v["rR"] * v["rR"],
        [steps["ranges"], steps["error"], steps["weight"], norms],
        text="(min D |R^ - R|_1)^2 <= (eps rR)^2",
    )
    proof.z3(
        "conclusion",
        v["m"] * v["m"] * gain * gain * (1 - v["gamma"]) * (1 - v["gamma"])
        <= 2 * v["eps"] * v["eps"] * v["rR"] * v["rR"],
        [steps["ranges"], ell1, weighed],
        text="so eps >= (1 - gamma)/sqrt(2) (rJ/rR) min D L: below that, D is safe",
    )
    return proof


def tightness() -> Proof:
    """One state, R = (1, 1 - L, 0), least data weight d on action 1: the radius is d L."""
    proof = Proof("The sharp bound is attained", "THEORY, section 4; ours")
    level, weight, second, third, value = proof.scalars("L d D2 D3 v")
    domain = proof.axiom(
        "domain",
        z3.And(
            level > 0,
            level <= 1,
            weight > 0,
            weight <= second,
            weight <= third,
            weight + second + third == 1,
        ),
        text="0 < L <= 1 and d = D(1) is the least weight, so d <= 1/3",
    )
    proof.z3("third", weight <= z3.Q(1, 3), [domain], text="d <= 1/3")
    # A reward model pays value v to the policy and at most v to the others: the cost of action 2
    # is D2 |v - (1 - L)| + d max(1 - v, 0) + D3 max(-v, 0), of action 3 alike.
    over = z3.If(value < 1, 1 - value, 0)
    under = z3.If(value < 0, -value, 0)
    gap = z3.If(value >= 1 - level, value - 1 + level, 1 - level - value)
    above = z3.If(1 - level > value, 1 - level - value, 0)
    distance = z3.If(value >= 0, value, -value)
    proof.z3(
        "action 2",
        weight * over + second * gap + third * under >= weight * level,
        [domain],
        text="making action 2 optimal costs at least d L",
    )
    proof.z3(
        "action 3",
        weight * over + second * above + third * distance >= weight * level,
        [domain],
        text="making action 3 optimal costs at least d L",
    )
    proof.z3(
        "attained",
        z3.Implies(
            value == 1 - level, weight * over + second * gap + third * under == weight * level
        ),
        [domain],
        text="R^ = (1 - L, 1 - L, 0) costs exactly d L",
    )
    symbol_l, symbol_d, gamma = sympy.symbols("L d gamma", positive=True)
    reward_range = sympy.Integer(1)
    return_range = 1 / (1 - gamma)  # the best policy earns 1 in every step, the worst 0
    sharp = (1 - gamma) * return_range / reward_range * symbol_d * symbol_l
    printed = (1 - gamma) / sympy.sqrt(2) * return_range / reward_range * symbol_d * symbol_l
    proof.identity("sharp", sharp, symbol_d * symbol_l, "SHARP is d L identically in gamma, d, L")
    proof.identity(
        "ratio",
        (symbol_d * symbol_l / printed) ** 2,
        sympy.Integer(2),
        "the radius is sqrt(2) times the paper's bound, identically",
    )
    for name, regret, middle, weights, expected in (
        ("an instance", "3/5", "2/5", ("1/10", "9/20", "9/20"), "3/50"),
        ("minimum on action 3", "1/2", "1/2", ("9/20", "9/20", "1/10"), "1/10"),
    ):
        mdp = MDP.bandit({"s": {"a": 1, "b": middle, "c": 0}})
        data = DataDistribution.from_table(mdp, {"s": dict(zip("abc", weights, strict=True))})
        verdict = radius(SafetyProblem(mdp, data, regret))
        if verdict.certificate is None:
            raise ProofFailed(proof.title, name, "the radius has no certificate")
        proof.certificate(
            name,
            verdict.certificate,
            {"kind": "radius", "regret": regret, "lower": expected, "upper": expected},
            f"D = ({', '.join(weights)}), L = {regret}: the radius is {expected}, where d L is "
            f"{Fraction(regret) * min(map(Fraction, weights))}",
        )
    return proof


PROOFS = (proof, paper, tightness)

if __name__ == "__main__":
    for build in PROOFS:
        built = build()
        print(built)
        print(built.check())
