"""Claims about many data distributions: the rules of CERTIFICATE.md prove what they say."""

from __future__ import annotations

import z3

from symsafe.proof import Proof

SOURCE = "CERTIFICATE.md, claims about many data distributions"


def rows() -> Proof:
    """c <= t + sum y_i c_i: no D of a set of rows has <c, D> > t + <y, g>."""
    proof = Proof("cover.1: <c, D> <= m for every D of the set", SOURCE)
    (total,) = proof.scalars("t")
    pairs, conditions = proof.family("pair", "D c"), proof.family("row", "y g")
    (data, c), (price, bound) = pairs.quantities, conditions.quantities
    matrix = proof.matrix("rows", conditions, pairs)
    left = proof.product("left", matrix, pairs, data)
    priced = proof.product("priced", matrix, conditions, price)
    member = proof.axiom(
        "member",
        z3.Or(z3.And(price >= 0, left <= bound), left == bound),
        conditions,
        "D meets every row; y >= 0 where the row is an inequality",
    )
    sign = proof.axiom("sign", data >= 0, pairs, "D >= 0")
    below = proof.axiom("cover.1", c <= total + priced, pairs, "c <= t + sum_i y_i c_i")
    mean, weights = proof.sum("cD", pairs, data * c), proof.sum("sumD", pairs, data)
    by_pair = proof.sum("by_pair", pairs, data * priced)
    by_row = proof.sum("by_row", conditions, price * left)
    bounds = proof.sum("yg", conditions, price * bound)
    one = proof.axiom("one", weights == 1, text="D sums to 1")
    same = proof.exchange("adjoint", by_row, by_pair, "the priced rows, by row and by pair")
    pointwise = proof.induction(
        "pairs",
        pairs,
        lambda s: s(mean) <= total * s(weights) + s(by_pair),
        [sign, below],
        "<c, D> <= t + the priced rows",
    )
    kept = proof.induction(
        "rows met", conditions, lambda s: s(by_row) <= s(bounds), [member], "which are <= <y, g>"
    )
    proof.z3("conclusion", mean <= total + bounds, [one, same, pointwise, kept], text="<c, D> <= m")
    return proof


def critical() -> Proof:
    """Weights that sum to 1: no D of the set has a radius greater than m / rR."""
    proof = Proof("cover.2: no D of the set has a greater radius", SOURCE)
    radius, most = proof.scalars("rho m")
    pairs, witnesses = proof.family("pair", "D"), proof.family("witness", "lambda")
    (data,), (weight,) = pairs.quantities, witnesses.quantities
    errors = proof.matrix("errors", witnesses, pairs)
    cost = proof.product("cost", errors, pairs, data)
    c = proof.product("c", errors, witnesses, weight)
    cheapest = proof.axiom(
        "cheapest",
        z3.And(weight >= 0, radius <= cost),
        witnesses,
        "lambda >= 0; no witness costs less than the radius times rR",
    )
    weights = proof.sum("weights", witnesses, weight)
    by_witness = proof.sum("by_witness", witnesses, weight * cost)
    by_pair = proof.sum("by_pair", pairs, data * c)
    bound = proof.axiom("cover.1", by_pair <= most, text="<c, D> <= m, proven for sets of rows")
    unit = proof.axiom("cover.2", weights == 1, text="the weights sum to 1")
    same = proof.exchange("costs", by_witness, by_pair, "sum lambda_k <e_k, D> = <c, D>")
    mean = proof.induction(
        "mean",
        witnesses,
        lambda s: radius * s(weights) <= s(by_witness),
        [cheapest],
        "the radius is at most a mean of costs",
    )
    proof.z3("conclusion", radius <= most, [bound, unit, same, mean], text="rho rR <= m")
    return proof


def nearest() -> Proof:
    """If D is safe, its distance from the data is at least what cover.2 says."""
    proof = Proof("cover.2: no safe D of the set is nearer", SOURCE)
    due, most = proof.scalars("due m")
    pairs, witnesses = proof.family("pair", "D d sigma"), proof.family("witness", "lambda")
    (data, given, sign), (weight,) = pairs.quantities, witnesses.quantities
    errors = proof.matrix("errors", witnesses, pairs)
    cost = proof.product("cost", errors, pairs, data)
    priced = proof.product("priced", errors, witnesses, weight)
    safe = proof.axiom(
        "safe",
        z3.And(weight >= 0, cost >= due),
        witnesses,
        "lambda >= 0; each witness costs eps rR",
    )
    bounded = proof.axiom("signs", z3.And(sign <= 1, sign >= -1), pairs, "sigma is in [-1, 1]")
    weights = proof.sum("weights", witnesses, weight)
    by_witness = proof.sum("by_witness", witnesses, weight * cost)
    by_pair = proof.sum("by_pair", pairs, data * priced)
    far = proof.sum("far", pairs, z3.If(data >= given, data - given, given - data))
    pull, held = proof.sum("pull", pairs, sign * data), proof.sum("held", pairs, sign * given)
    bound = proof.axiom(
        "cover.1",
        by_pair - pull / 2 <= most,
        text="<c, D> <= m with c = sum lambda_k e_k - sigma/2",
    )
    same = proof.exchange("costs", by_witness, by_pair, "sum lambda_k <e_k, D>, by pair")
    mean = proof.induction(
        "mean", witnesses, lambda s: due * s(weights) <= s(by_witness), [safe], "the costs together"
    )
    slope = proof.induction(
        "slope",
        pairs,
        lambda s: s(pull) - s(held) <= s(far),
        [bounded],
        "<sigma, D - d> <= sum |D - d|",
    )
    proof.z3(
        "conclusion",
        far / 2 >= due * weights - most - held / 2,
        [bound, same, mean, slope],
        text="the total variation distance is at least eps rR sum lambda - m - <sigma, d>/2",
    )
    return proof


def floor() -> Proof:
    """Under a floor of D every witness costs at most what it costs under D."""
    proof = Proof("cells: what is safe at the floor is safe in the cell", SOURCE)
    pairs = proof.family("pair", "D F e")
    data, least, error = pairs.quantities
    below = proof.axiom("floor", z3.And(least <= data, error >= 0), pairs, "F <= D; e = |R^ - R|")
    there, here = proof.sum("eF", pairs, error * least), proof.sum("eD", pairs, error * data)
    proof.induction("conclusion", pairs, lambda s: s(there) <= s(here), [below], "<e, F> <= <e, D>")
    return proof


def tightening() -> Proof:
    """A row and bounds of the other pairs bound a pair."""
    proof = Proof("cells: the bounds that rows give", SOURCE)
    coefficient, weight, bound, others, least = proof.scalars("c x g others rest")
    row = proof.axiom("row", coefficient * weight + others <= bound, text="<c, D> <= g")
    rest = proof.axiom("rest", others >= least, text="rest is the least sum of the other terms")
    proof.z3(
        "above",
        z3.Implies(coefficient > 0, weight <= (bound - least) / coefficient),
        [row, rest],
        text="an upper bound where c > 0",
    )
    proof.z3(
        "below",
        z3.Implies(coefficient < 0, weight >= (bound - least) / coefficient),
        [row, rest],
        text="a lower bound where c < 0",
    )
    return proof


def mixture() -> Proof:
    """If a policy costs more than t under every member, it does under their mixtures."""
    proof = Proof("cells: what is safe at the members is safe in between", SOURCE)
    (limit,) = proof.scalars("t")
    members = proof.family("member", "w cost")
    weight, cost = members.quantities
    shares = proof.axiom("shares", weight >= 0, members, "w >= 0")
    dear = proof.axiom("dear", cost > limit, members, "the cost under a member is more than t")
    weights, mean = proof.sum("weights", members, weight), proof.sum("mean", members, weight * cost)
    one = proof.axiom("one", weights == 1, text="the shares sum to 1")
    more = proof.induction(
        "more",
        members,
        lambda s: z3.And(
            s(weights) >= 0,
            s(mean) >= limit * s(weights),
            z3.Implies(s(weights) > 0, s(mean) > limit * s(weights)),
        ),
        [shares, dear],
        "the mean of the costs is more than t times the sum of the shares",
    )
    proof.z3("conclusion", mean > limit, [one, more], text="the cost of the mixture is more than t")
    return proof


def fewest() -> Proof:
    """Numbers of samples that meet the cuts, between bounds, are at least what fewest.3 says."""
    proof = Proof("fewest.3: fewer samples do not suffice", SOURCE)
    pairs, cuts = proof.family("pair", "n m l u"), proof.family("cut", "lambda")
    (counts, samples, low, high), (price,) = pairs.quantities, cuts.quantities
    matrix = proof.matrix("a", cuts, pairs)
    reached = proof.product("reached", matrix, pairs, counts + samples)
    c = proof.product("c", matrix, cuts, price)
    met = proof.axiom(
        "cuts", z3.And(price >= 0, reached >= 1), cuts, "lambda >= 0; <a_k, n + m> >= 1"
    )
    between = proof.axiom("box", z3.And(low <= samples, samples <= high), pairs, "l <= m <= u")
    prices = proof.sum("prices", cuts, price)
    by_cut = proof.sum("by_cut", cuts, price * reached)
    by_pair = proof.sum("by_pair", pairs, (counts + samples) * c)
    total, known = proof.sum("total", pairs, samples), proof.sum("cn", pairs, counts * c)
    ends = ((1 - c) * low, (1 - c) * high)
    least = proof.sum("least", pairs, z3.If(ends[0] <= ends[1], *ends))
    same = proof.exchange("adjoint", by_cut, by_pair, "sum lambda_k <a_k, n + m> = <c, n + m>")
    priced = proof.induction(
        "priced", cuts, lambda s: s(prices) <= s(by_cut), [met], "which is at least sum lambda"
    )
    boxed = proof.induction(
        "boxed",
        pairs,
        lambda s: s(total) - s(by_pair) + s(known) >= s(least),
        [between],
        "sum (1 - c) m is at least the sum of the lesser ends",
    )
    proof.z3(
        "conclusion",
        total >= prices - known + least,
        [same, priced, boxed],
        text="sum m >= sum lambda_k (1 - <a_k, n>) + sum min((1 - c) l, (1 - c) u)",
    )
    return proof


PROOFS = (rows, critical, nearest, floor, tightening, mixture, fewest)

if __name__ == "__main__":
    for build in PROOFS:
        built = build()
        print(built)
        print(built.check())
