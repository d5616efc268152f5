"""Proposition 3.3: a bad policy with little data on its support makes D unsafe; radius <= 1/2."""

from __future__ import annotations

import z3

from symsafe.proof import Proof


def proof() -> Proof:
    """R^ = max R on the support, R off it, costs at most D(support); then the policy is optimal."""
    proof = Proof("Proposition 3.3", "Fluri et al., ICML 2025, Proposition 3.3, non-strict form")
    top, bottom, epsilon, mass = proof.scalars("maxR minR eps mass")
    pairs = proof.family("pair", "D r eta own taken")
    data, reward, eta, own, taken = pairs.quantities
    ranges = proof.axiom(
        "ranges",
        z3.And(bottom <= reward, reward <= top, data >= 0, eta >= 0, own >= 0),
        pairs,
        "min R <= R <= max R, D >= 0, occupancies are not negative",
    )
    support = proof.axiom(
        "support",
        z3.Implies(taken != 1, own == 0),
        pairs,
        "the policy's occupancy is 0 off its support",
    )
    model = z3.If(taken == 1, top, reward)
    cost = proof.sum("cost", pairs, data * (model - reward))
    weight = proof.sum("weight", pairs, z3.If(taken == 1, data, 0))
    small = proof.axiom("small", weight <= epsilon, text="D(support) <= eps")
    masses = proof.sum("massother", pairs, eta), proof.sum("massown", pairs, own)
    equal = proof.axiom(
        "mass",
        z3.And(masses[0] == mass, masses[1] == mass),
        text="both occupancies sum to 1/(1 - gamma) (proofs/occupancy.py)",
    )
    span = proof.z3("span", top >= bottom, [ranges], pairs, "range R >= 0")
    each = proof.z3(
        "each pair",
        data * (model - reward) <= (top - bottom) * z3.If(taken == 1, data, 0),
        [ranges, span],
        pairs,
        "the error of a pair is at most range R on the support, and 0 off it",
    )
    summed = proof.induction(
        "summed",
        pairs,
        lambda s: s(cost) <= (top - bottom) * s(weight),
        [each],
        "sum D |R^ - R| <= range R D(support)",
    )
    wide = proof.axiom("range", top > bottom, text="range R > 0")
    proof.z3(
        "error",
        cost <= epsilon * (top - bottom),
        [summed, small, wide],
        text="the expected error is at most eps",
    )
    returned = proof.sum("Jother", pairs, eta * model)
    earned = proof.sum("Jown", pairs, own * model)
    most = proof.induction(
        "others",
        pairs,
        lambda s: s(returned) <= top * s(masses[0]),
        [ranges],
        "any policy earns at most max R in each step under R^",
    )
    exactly = proof.induction(
        "own",
        pairs,
        lambda s: s(earned) == top * s(masses[1]),
        [ranges, support],
        "this policy earns max R in each step under R^",
    )
    proof.z3(
        "optimal",
        returned <= earned,
        [most, exactly, equal],
        text="so the policy is optimal for R^",
    )
    return proof


def cap() -> Proof:
    """A constant R^ makes every policy optimal; one of max R and min R costs half or less."""
    proof = Proof("The radius is at most 1/2", "THEORY, section 2; ours")
    top, bottom = proof.scalars("maxR minR")
    pairs = proof.family("pair", "D r")
    data, reward = pairs.quantities
    ranges = proof.axiom(
        "ranges",
        z3.And(bottom <= reward, reward <= top, data >= 0),
        pairs,
        "min R <= R <= max R and D >= 0",
    )

    def error(model: z3.ArithRef) -> z3.ArithRef:
        return z3.If(model >= reward, model - reward, reward - model)

    raised = proof.sum("raised", pairs, data * error(top))
    lowered = proof.sum("lowered", pairs, data * error(bottom))
    total = proof.sum("total", pairs, data)
    one = proof.axiom("one", total == 1, text="D sums to 1")
    both = proof.induction(
        "both",
        pairs,
        lambda s: s(raised) + s(lowered) == (top - bottom) * s(total),
        [ranges],
        "the two costs add up to range R",
    )
    proof.z3(
        "conclusion",
        z3.Or(2 * raised <= top - bottom, 2 * lowered <= top - bottom),
        [one, both],
        text="one of them is at most range R / 2",
    )
    return proof


PROOFS = (proof, cap)

if __name__ == "__main__":
    for build in PROOFS:
        built = build()
        print(built)
        print(built.check())
