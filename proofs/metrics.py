"""Error metrics beside the expected error: mean squared error and returns of trajectories."""

from __future__ import annotations

import z3

from symsafe.proof import Proof


def squared() -> Proof:
    """MSE <= |e|_max E|e|, and (E|e|)^2 <= MSE."""
    proof = Proof("mean squared error", "Fluri et al., section 5; THEORY, section 6")
    (bound,) = proof.scalars("bound")
    pairs = proof.family("pair", "D e")
    data, error = pairs.quantities
    size = z3.If(error >= 0, error, -error)
    weights = proof.axiom("weights", data >= 0, pairs, "D >= 0")
    largest = proof.axiom("largest", size <= bound, pairs, "|e| <= |e|_max")
    total = proof.sum("total", pairs, data)
    mean, square = (
        proof.sum("mean", pairs, data * size),
        proof.sum("square", pairs, data * error * error),
    )
    one = proof.axiom("one", total == 1, text="D sums to 1")
    each = proof.z3(
        "each pair",
        data * error * error <= bound * data * size,
        [weights, largest],
        pairs,
        "D e^2 <= |e|_max D |e|",
    )
    proof.induction(
        "upper", pairs, lambda s: s(square) <= bound * s(mean), [each], "E e^2 <= |e|_max E|e|"
    )
    jensen = proof.induction(
        "Cauchy-Schwarz",
        pairs,
        lambda s: z3.And(s(mean) * s(mean) <= s(square) * s(total), s(square) >= 0, s(total) >= 0),
        [weights],
        "(sum D|e|)^2 <= (sum D e^2)(sum D)",
    )
    proof.z3("lower", mean * mean <= square, [one, jensen], text="(E|e|)^2 <= E e^2")
    return proof


def returns() -> Proof:
    """With D = (1 - gamma) eta the mean difference of returns is at most E_D|e|/(1 - gamma)."""
    proof = Proof("returns of trajectories", "THEORY, section 6")
    (gamma,) = proof.scalars("gamma")
    pairs = proof.family("pair", "eta e D")
    eta, error, data = pairs.quantities
    size = z3.If(error >= 0, error, -error)
    given = proof.axiom(
        "data",
        z3.And(data == (1 - gamma) * eta, eta >= 0),
        pairs,
        "D = (1 - gamma) eta and eta >= 0",
    )
    discount = proof.axiom("discount", gamma < 1, text="gamma < 1")
    difference, mean = proof.sum("dG", pairs, eta * error), proof.sum("mean", pairs, data * size)
    each = proof.z3(
        "each pair",
        z3.And((1 - gamma) * eta * error <= data * size, -(1 - gamma) * eta * error <= data * size),
        [given, discount],
        pairs,
        "(1 - gamma) eta |e| = D |e|",
    )
    proof.induction(
        "conclusion",
        pairs,
        lambda s: z3.And(
            (1 - gamma) * s(difference) <= s(mean), -(1 - gamma) * s(difference) <= s(mean)
        ),
        [each],
        "|E dG| <= E_D|e|/(1 - gamma)",
    )
    return proof


PROOFS = (squared, returns)

if __name__ == "__main__":
    for build in PROOFS:
        built = build()
        print(built)
        print(built.check())
