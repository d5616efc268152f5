"""Error metrics beside the expected error: squares, returns of trajectories, preferences."""

from __future__ import annotations

import sympy
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


def logistic() -> Proof:
    """The logistic function s = 1/(1 + exp(-x)): softplus' = s, s' = s (1 - s) <= 1/4."""
    proof = Proof("facts about the logistic function", "calculus")
    # With t = exp(x): dt/dx = t, and softplus(x) = log(1 + t).
    t = sympy.Symbol("t", positive=True)
    logistic = t / (1 + t)
    proof.identity(
        "softplus", t * sympy.diff(sympy.log(1 + t), t), logistic, "the derivative of softplus is s"
    )
    proof.identity(
        "derivative", t * sympy.diff(logistic, t), logistic * (1 - logistic), "s' = s (1 - s)"
    )
    proof.identity("mirror", logistic.subs(t, 1 / t), 1 - logistic, "s(-x) = 1 - s(x)")
    value, end = proof.scalars("s send")
    proof.z3("quarter", 4 * value * (1 - value) <= 1, text="s (1 - s) <= 1/4")
    inside = proof.axiom(
        "inside",
        z3.And(1 - end <= value, value <= end),
        text="s increases and s(-r) = 1 - s(r): |x| <= r puts s(x) between 1 - s(r) and s(r)",
    )
    proof.z3(
        "least",
        value * (1 - value) >= end * (1 - end),
        [inside],
        text="so s'(x) >= s'(r) for |x| <= r",
    )
    return proof


def preferences() -> Proof:
    """X = E KL of Bradley-Terry preferences between two independent transitions.

    With x, y the differences of R and of R^ between the two, KL is the Bregman divergence
    softplus(y) - softplus(x) - s(x) (y - x); proofs of its calculus facts are in `logistic`.
    """
    proof = Proof(
        "preferences: X <= 2 s(rR) E|e|, and s'(r) Var(e) <= X <= Var(e)/4",
        "Fluri et al., section 5; THEORY, section 6; the constants are ours",
    )
    slope, floor, mean, first, second = proof.scalars("srR sdr meanabs m1 m2")
    couples = proof.family("pair of transitions", "w e1 e2 kl slopex curvature")
    weight, one, two, divergence, at_x, curvature = couples.quantities
    gap = one - two
    size = z3.If(gap >= 0, gap, -gap)
    weights = proof.axiom("weights", weight >= 0, couples, "w = D(first) D(second) >= 0")
    tangent = proof.axiom(
        "tangent",
        z3.And(
            1 - slope <= at_x,
            at_x <= slope,
            divergence <= z3.If(gap >= 0, (1 - at_x) * gap, -at_x * gap),
        ),
        couples,
        "softplus increases with slopes between 0 and 1, and |R difference| <= range R puts its "
        "slope at x between 1 - s(rR) and s(rR)",
    )
    taylor = proof.axiom(
        "Taylor",
        z3.And(
            2 * divergence == curvature * gap * gap,
            curvature >= floor,
            4 * curvature <= 1,
        ),
        couples,
        "Taylor's theorem: 2 KL = s'(xi) (e1 - e2)^2 with xi between x and y, so |xi| <= r",
    )
    total = proof.sum("X", couples, weight * divergence)
    absolute = proof.sum("absgap", couples, weight * size)
    singles = proof.sum(
        "singles",
        couples,
        weight * (z3.If(one >= 0, one, -one) + z3.If(two >= 0, two, -two)),
    )
    spread = proof.sum("spread", couples, weight * gap * gap)
    squares = proof.sum("squares", couples, weight * (one * one + two * two))
    cross = proof.sum("cross", couples, weight * one * two)
    positive = proof.axiom(
        "slope", z3.And(slope >= 0, floor >= 0), text="s(rR) >= 0 and s'(r) >= 0"
    )
    marginals = proof.axiom(
        "marginals",
        z3.And(singles == 2 * mean, squares == 2 * second, cross == first * first),
        text="the two are independent with distribution D: means of |e|, e^2 and of the product",
    )
    each = proof.z3(
        "each pair",
        weight * divergence <= slope * (weight * size),
        [weights, tangent],
        couples,
        "w KL <= s(rR) w |e1 - e2|",
    )
    below = proof.induction(
        "linear",
        couples,
        lambda s: s(total) <= slope * s(absolute),
        [each],
        "X <= s(rR) E|e1 - e2|",
    )
    apart = proof.z3(
        "triangle",
        weight * size <= weight * (z3.If(one >= 0, one, -one) + z3.If(two >= 0, two, -two)),
        [weights],
        couples,
        "|e1 - e2| <= |e1| + |e2|",
    )
    triangle = proof.induction(
        "triangles", couples, lambda s: s(absolute) <= s(singles), [apart], "E|e1 - e2| <= 2 E|e|"
    )
    proof.z3(
        "by expected error",
        total <= 2 * slope * mean,
        [below, triangle, marginals, positive],
        text="X <= 2 s(rR) E|e|",
    )
    expanded = proof.induction(
        "expanded",
        couples,
        lambda s: s(spread) == s(squares) - 2 * s(cross),
        text="(e1 - e2)^2 = e1^2 + e2^2 - 2 e1 e2",
    )
    curved = proof.z3(
        "curved",
        z3.And(
            8 * weight * divergence <= weight * gap * gap,
            2 * weight * divergence >= floor * (weight * gap * gap),
        ),
        [weights, taylor],
        couples,
        "s'(r) w (e1 - e2)^2/2 <= w KL <= w (e1 - e2)^2/8",
    )
    between = proof.induction(
        "squared",
        couples,
        lambda s: z3.And(8 * s(total) <= s(spread), 2 * s(total) >= floor * s(spread)),
        [curved],
        "s'(r) E(e1 - e2)^2/2 <= X <= E(e1 - e2)^2/8",
    )
    proof.z3(
        "by variance",
        z3.And(4 * total <= second - first * first, total >= floor * (second - first * first)),
        [between, expanded, marginals],
        text="E(e1 - e2)^2 = 2 Var(e), so s'(r) Var(e) <= X <= Var(e)/4",
    )
    return proof


PROOFS = (squared, returns, logistic, preferences)

if __name__ == "__main__":
    for build in PROOFS:
        built = build()
        print(built)
        print(built.check())
