"""Evidence about regularised problems and about sets of distributions proves what it is for."""

from __future__ import annotations

import z3

from symsafe.proof import Proof


def gap_leaf() -> Proof:
    """Rules 1 to 4 of `gap`: every bad policy of the node costs at least kappa (f(y/kappa) - F)."""
    proof = Proof("gap leaf: cost >= kappa (f(y/kappa) - F)", "CERTIFICATE.md, rule gap; ours")
    kappa, bad, price, returned = proof.scalars("kappa b theta J")
    # Each omega with lambda as a factor; s = lambda (1 - gamma); tangent = lambda <h, z>.
    scale, at_policy, at_flow, at_point, tangent = proof.scalars("s omegaeta omegay omegaz tangent")
    pairs = proof.family("pair", "D y eta high r q h hz allowed")
    states = proof.family("state", "V U mu0")
    data, flow, eta, high, reward, model, slope, other, allowed = pairs.quantities
    potential, bound, initial = states.quantities
    shaping = proof.matrix("E", pairs, states)
    level = proof.product("ev", shaping, states, potential)
    ceiling = proof.product("eu", shaping, states, bound)
    change = flow - kappa * eta
    left_over = proof.product("etw", shaping, pairs, change)
    visits = proof.product("eteta", shaping, pairs, eta)
    multipliers = proof.axiom(
        "multipliers", z3.And(kappa > 0, price >= 0), text="kappa > 0, theta >= 0"
    )
    policy = proof.axiom(
        "policy",
        z3.And(eta >= 0, z3.Implies(eta > 0, z3.And(allowed == 1, eta <= high))),
        pairs,
        "eta >= 0; where it is positive the pair is allowed and eta is within its bound",
    )
    rules = proof.axiom(
        "rule 2",
        z3.And(flow >= 0, flow <= data, z3.Implies(allowed == 1, flow >= kappa * high - data)),
        pairs,
        "0 <= y <= D, and y >= kappa eta_max - D where allowed",
    )
    optimal = proof.axiom(
        "optimality",
        z3.And(
            model - scale * slope <= level,
            z3.Implies(eta > 0, model - scale * slope == level),
        ),
        pairs,
        "R^ - s h <= EV with equality where eta > 0, with a slope h of omega at the policy",
    )
    error = z3.If(model >= reward, model - reward, reward - model)
    capacity = proof.z3(
        "capacity",
        z3.And(change <= data, change >= -data, z3.Implies(change < 0, eta > 0)),
        [multipliers, policy, rules],
        pairs,
        "w = y - kappa eta is within -D <= w <= D, and negative only where eta > 0",
    )
    each = proof.z3(
        "each pair",
        data * error >= change * (reward - scale * slope) - change * level,
        [capacity, optimal],
        pairs,
        "D |R^ - R| >= w (R - R^) >= w (R - s h - EV)",
    )
    cost = proof.sum("cost", pairs, data * error)
    shaped = proof.sum("wEV", pairs, change * level)
    worth = proof.sum("yR", pairs, flow * reward)
    own = proof.sum("etaR", pairs, eta * reward)
    flow_slope = proof.sum("yh", pairs, flow * slope)
    own_slope = proof.sum("etah", pairs, eta * slope)
    summed = proof.induction(
        "all pairs",
        pairs,
        lambda s: (
            s(cost)
            >= s(worth)
            - kappa * s(own)
            - scale * (s(flow_slope) - kappa * s(own_slope))
            - s(shaped)
        ),
        [each],
        "cost >= <y - kappa eta, R - s h> - <w, EV>",
    )
    balance = proof.axiom("rule 1", left_over == 0, states, "E^T w = kappa mu0 - kappa mu0 = 0")
    collected = proof.sum("etwV", states, potential * left_over)
    adjoint = proof.exchange("adjoint", shaped, collected, "<w, EV> = <E^T w, V>")
    nothing = proof.induction(
        "nothing", states, lambda s: s(collected) == 0, [balance], "<E^T w, V> = 0"
    )
    convex = proof.axiom(
        "convexity",
        kappa * (at_flow - at_policy) >= scale * (flow_slope - kappa * own_slope),
        text="h is a slope at eta: lambda (omega(y/kappa) - omega(eta)) >= s <h, y/kappa - eta>",
    )
    other_slope = proof.sum("etahz", pairs, eta * other)
    below = proof.axiom(
        "tangent",
        at_policy >= at_point + scale * other_slope - tangent,
        text="h_z is a slope of omega at z: its tangent there is below lambda omega(eta)",
    )
    ceilings = proof.axiom(
        "rule 3",
        z3.Implies(allowed == 1, (1 - price) * reward - scale * other <= ceiling),
        pairs,
        "R - s h_z - theta R <= EU where allowed",
    )
    limited = proof.sum("etaEU", pairs, eta * ceiling)
    peak = proof.induction(
        "peak",
        pairs,
        lambda s: (1 - price) * s(own) - scale * s(other_slope) <= s(limited),
        [policy, ceilings],
        "<eta, R - s h_z> <= theta J + <eta, EU>",
    )
    flows = proof.axiom("flow", visits == initial, states, "E^T eta = mu0")
    start = proof.sum("muU", states, bound * initial)
    gathered = proof.sum("etaEtU", states, bound * visits)
    second = proof.exchange("adjoint U", limited, gathered, "<eta, EU> = <E^T eta, U>")
    same = proof.induction(
        "start", states, lambda s: s(gathered) == s(start), [flows], "<E^T eta, U> = mu0 U"
    )
    worst = proof.axiom(
        "return", z3.And(own == returned, returned <= bad), text="the policy is bad"
    )
    fraction = proof.z3(
        "price",
        price * own <= price * bad,
        [multipliers, worst],
        text="theta J <= theta b",
    )
    value = proof.z3(
        "value",
        own - at_policy <= tangent - at_point + price * bad + start,
        [below, peak, second, same, fraction],
        text="f(eta) <= F = lambda <h_z, z> - lambda omega(z) + theta b + mu0 U",
    )
    difference = proof.z3(
        "difference",
        cost >= worth - kappa * own - kappa * (at_flow - at_policy),
        [summed, adjoint, nothing, convex],
        text="cost >= <y, R> - kappa lambda omega(y/kappa) - kappa f(eta)",
    )
    proof.z3(
        "conclusion",
        cost >= worth - kappa * at_flow - kappa * (tangent - at_point + price * bad + start),
        [multipliers, value, difference],
        text="cost >= <y, R> - kappa lambda omega(y/kappa) - kappa F",
    )
    return proof


def cover() -> Proof:
    """Rules 1 and 2 of `cover`: no distribution of the set has a radius above the bound."""
    proof = Proof("cover: radius range R <= m on the whole set", "CERTIFICATE.md, cover; ours")
    least, total = proof.scalars("radius total")
    pairs, rows = proof.family("pair", "D one"), proof.family("row", "price held bound")
    witnesses = proof.family("witness", "weight cost unit")
    data, one = pairs.quantities
    row_price, row_held, row_bound = rows.quantities
    weight, cost, unit = witnesses.quantities
    errors = proof.matrix("errors", witnesses, pairs)
    coefficients = proof.matrix("coefficients", rows, pairs)
    priced = proof.product("prices", coefficients, rows, row_price)
    held = proof.product("holds", coefficients, pairs, data)
    mixed = proof.product("mixed", errors, witnesses, weight)
    paid = proof.product("paid", errors, pairs, data)
    sign = proof.axiom("data", z3.And(data >= 0, one == 1), pairs, "D >= 0")
    below = proof.axiom(
        "witnesses",
        z3.And(weight >= 0, unit == 1, cost == paid, least <= cost),
        witnesses,
        "the radius times range R is at most what each witness costs, <e_k, D>; lambda >= 0",
    )
    rule = proof.axiom(
        "rule 1", mixed <= total + priced, pairs, "sum lambda_k e_k <= t + sum y_i c_i"
    )
    kept = proof.axiom(
        "rows",
        z3.And(row_held == held, row_price * held <= row_price * row_bound),
        rows,
        "D meets the rows: y <c, D> <= y g, as y >= 0 where it is at most, or it is exactly",
    )
    mass = proof.sum("mass", pairs, one * data)
    whole = proof.axiom("whole", mass == 1, text="D sums to 1")
    weights = proof.sum("weights", witnesses, weight)
    normal = proof.axiom("rule 2", weights == 1, text="the weights sum to 1")
    average = proof.sum("average", witnesses, weight * paid)
    across = proof.sum("across", pairs, data * mixed)
    first = proof.exchange(
        "by pairs", average, across, "sum lambda_k <e_k, D> = <sum lambda_k e_k, D>"
    )
    lowest = proof.induction(
        "mean",
        witnesses,
        lambda s: least * s(weights) <= s(average),
        [below],
        "the radius is at most the mean of the costs",
    )
    used = proof.sum("used", pairs, data * priced)
    upper = proof.induction(
        "upper",
        pairs,
        lambda s: s(across) <= total * s(mass) + s(used),
        [sign, rule],
        "<c, D> <= t + sum y_i <c_i, D>",
    )
    spent = proof.sum("spent", rows, row_price * held)
    second = proof.exchange("by rows", spent, used, "the rows' prices, summed by rows or by pairs")
    limit = proof.sum("limit", rows, row_price * row_bound)
    cheap = proof.induction(
        "rows together",
        rows,
        lambda s: s(spent) <= s(limit),
        [kept],
        "sum y_i <c_i, D> <= sum y_i g_i",
    )
    proof.z3(
        "conclusion",
        least <= total + limit,
        [whole, normal, first, lowest, upper, second, cheap],
        text="radius range R <= m = t + sum y_i g_i",
    )
    return proof


PROOFS = (gap_leaf, cover)

if __name__ == "__main__":
    for build in PROOFS:
        built = build()
        print(built)
        print(built.check())
