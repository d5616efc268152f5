"""Every kind of evidence in a certificate proves what CERTIFICATE.md says it proves."""

from __future__ import annotations

import z3

from symsafe.proof import Proof


def witness() -> Proof:
    """R^ <= EV with equality on the support of pi^: pi^ is optimal for R^."""
    proof = Proof("witness: pi^ is optimal for R^", "CERTIFICATE.md, rule witness")
    pairs, states = proof.family("pair", "eta etahat q"), proof.family("state", "V mu0")
    eta, chosen, model = pairs.quantities
    potential, initial = states.quantities
    shaping = proof.matrix("E", pairs, states)
    level = proof.product("ev", shaping, states, potential)
    visits = proof.product("eteta", shaping, pairs, eta)
    own_visits = proof.product("etetahat", shaping, pairs, chosen)
    sign = proof.axiom("sign", z3.And(eta >= 0, chosen >= 0), pairs, "eta, eta^ >= 0")
    below = proof.axiom("below", model <= level, pairs, "R^ <= EV")
    equal = proof.axiom(
        "equal", z3.Implies(chosen > 0, model == level), pairs, "R^ = EV where eta^ > 0"
    )
    other, other_level = (
        proof.sum("etaR", pairs, eta * model),
        proof.sum("etaEV", pairs, eta * level),
    )
    own, own_level = (
        proof.sum("etahatR", pairs, chosen * model),
        proof.sum("etahatEV", pairs, chosen * level),
    )
    flow = proof.axiom(
        "flow",
        z3.And(visits == initial, own_visits == initial),
        states,
        "E^T eta = mu0 for every occupancy measure",
    )
    start = proof.sum("muV", states, potential * initial)
    collected = (
        proof.sum("etaEtV", states, potential * visits),
        proof.sum("etahatEtV", states, potential * own_visits),
    )
    adjoint = (
        proof.exchange("adjoint", other_level, collected[0], "<eta, EV> = <E^T eta, V>"),
        proof.exchange("adjoint^", own_level, collected[1], "<eta^, EV> = <E^T eta^, V>"),
    )
    same = proof.induction(
        "start",
        states,
        lambda s: z3.And(s(collected[0]) == s(start), s(collected[1]) == s(start)),
        [flow],
        "both are mu0 V",
    )
    first = proof.induction(
        "any policy",
        pairs,
        lambda s: s(other) <= s(other_level),
        [sign, below],
        "<eta, R^> <= <eta, EV>",
    )
    second = proof.induction(
        "this policy",
        pairs,
        lambda s: s(own) == s(own_level),
        [sign, equal],
        "<eta^, R^> = <eta^, EV>",
    )
    proof.z3(
        "conclusion", other <= own, [*adjoint, same, first, second], text="J_R^(pi) <= J_R^(pi^)"
    )
    return proof


def value_leaf() -> Proof:
    """U <= R + gamma tau U on the allowed pairs: no policy of the node returns less than mu0 U."""
    proof = Proof("value leaf: J >= mu0 U", "CERTIFICATE.md, rule tree")
    (bad,) = proof.scalars("b")
    pairs, states = proof.family("pair", "eta r allowed"), proof.family("state", "U mu0")
    eta, reward, allowed = pairs.quantities
    potential, initial = states.quantities
    shaping = proof.matrix("E", pairs, states)
    level = proof.product("eu", shaping, states, potential)
    visits = proof.product("eteta", shaping, pairs, eta)
    policy = proof.axiom(
        "policy",
        z3.And(eta >= 0, z3.Implies(allowed != 1, eta == 0)),
        pairs,
        "eta >= 0, and 0 where an action is not allowed",
    )
    below = proof.axiom(
        "below", z3.Implies(allowed == 1, level <= reward), pairs, "EU <= R if allowed"
    )
    returned, shaped = proof.sum("J", pairs, eta * reward), proof.sum("etaEU", pairs, eta * level)
    flow = proof.axiom("flow", visits == initial, states, "E^T eta = mu0")
    start = proof.sum("muU", states, potential * initial)
    collected = proof.sum("etaEtU", states, potential * visits)
    adjoint = proof.exchange("adjoint", shaped, collected, "<eta, EU> = <E^T eta, U>")
    same = proof.induction(
        "start", states, lambda s: s(collected) == s(start), [flow], "<E^T eta, U> = mu0 U"
    )
    more = proof.axiom("more", start > bad, text="mu0 U > b")
    bound = proof.induction(
        "bound", pairs, lambda s: s(returned) >= s(shaped), [policy, below], "<eta, R> >= <eta, EU>"
    )
    proof.z3(
        "conclusion", returned > bad, [bound, adjoint, same, more], text="no policy here is bad"
    )
    return proof


def hitting() -> Proof:
    """c = Eh + theta R >= 0 bounds the occupancy of bad policies by (mu0 h + theta b) / c."""
    proof = Proof("occupancy bounds: eta <= (mu0 h + theta b) / c", "CERTIFICATE.md, rule tree")
    price, bad, returned = proof.scalars("theta b J")
    pairs, states = proof.family("pair", "eta r"), proof.family("state", "h mu0")
    eta, reward = pairs.quantities
    potential, initial = states.quantities
    shaping = proof.matrix("E", pairs, states)
    level = proof.product("eh", shaping, states, potential)
    visits = proof.product("eteta", shaping, pairs, eta)
    cost = level + price * reward
    policy = proof.axiom(
        "policy",
        z3.And(eta >= 0, z3.Implies(eta > 0, cost >= 0)),
        pairs,
        "eta >= 0, c >= 0 where an action is allowed, and eta = 0 elsewhere",
    )
    paid = proof.sum("etac", pairs, eta * cost)
    shaped, own = proof.sum("etaEh", pairs, eta * level), proof.sum("etaR", pairs, eta * reward)
    parts = proof.induction(
        "parts",
        pairs,
        lambda s: s(paid) == s(shaped) + price * s(own),
        text="<eta, c> = <eta, Eh> + theta <eta, R>",
    )
    flow = proof.axiom("flow", visits == initial, states, "E^T eta = mu0")
    start = proof.sum("muh", states, potential * initial)
    collected = proof.sum("etaEth", states, potential * visits)
    adjoint = proof.exchange("adjoint", shaped, collected, "<eta, Eh> = <E^T eta, h>")
    same = proof.induction(
        "start", states, lambda s: s(collected) == s(start), [flow], "<E^T eta, h> = mu0 h"
    )
    return_ = proof.axiom(
        "return",
        z3.And(own == returned, returned <= bad, price >= 0),
        text="the policy is bad, theta >= 0",
    )
    entry = proof.term("entry", paid, [policy], "eta(s,a) c(s,a) <= <eta, c>")
    proof.z3(
        "conclusion",
        eta * cost <= start + price * bad,
        [entry, parts, adjoint, same, return_],
        pairs,
        "eta(s,a) c(s,a) <= mu0 h + theta b",
    )
    return proof


def hitting_from_below() -> Proof:
    """Eh <= 0 outside of a state: the visits of that state, times Eh, are at least mu0 h."""
    proof = Proof("occupancy bounds: eta >= mu0 h / Eh", "CERTIFICATE.md, rule tree")
    pairs, states = proof.family("pair", "eta here"), proof.family("state", "h mu0")
    eta, here = pairs.quantities
    potential, initial = states.quantities
    shaping = proof.matrix("E", pairs, states)
    level = proof.product("eh", shaping, states, potential)
    visits = proof.product("eteta", shaping, pairs, eta)
    policy = proof.axiom(
        "policy",
        z3.And(eta >= 0, z3.Implies(z3.And(eta > 0, here != 1), level <= 0)),
        pairs,
        "eta >= 0; Eh <= 0 where an action of another state is allowed, and eta = 0 elsewhere",
    )
    shaped = proof.sum("etaEh", pairs, eta * level)
    own = proof.sum("own", pairs, z3.If(here == 1, eta * level, 0))
    less = proof.induction(
        "less", pairs, lambda s: s(shaped) <= s(own), [policy], "what is elsewhere is not positive"
    )
    flow = proof.axiom("flow", visits == initial, states, "E^T eta = mu0")
    start = proof.sum("muh", states, potential * initial)
    collected = proof.sum("etaEth", states, potential * visits)
    adjoint = proof.exchange("adjoint", shaped, collected, "<eta, Eh> = <E^T eta, h>")
    same = proof.induction(
        "start", states, lambda s: s(collected) == s(start), [flow], "<E^T eta, h> = mu0 h"
    )
    proof.z3(
        "conclusion",
        own >= start,
        [less, adjoint, same],
        text="the one pair of a state that a deterministic policy takes: eta Eh >= mu0 h",
    )
    return proof


def circulation_leaf() -> Proof:
    """Rules 1 to 4: every bad policy of the node costs at least <y, R> - kappa b."""
    proof = Proof("circulation leaf: cost >= <y, R> - kappa b", "CERTIFICATE.md, rule tree")
    kappa, bad, returned = proof.scalars("kappa b J")
    pairs = proof.family("pair", "D y eta low high r q taken forced w")
    data, flow, eta, low, high, reward, model, taken, forced, change = pairs.quantities
    states = proof.family("state", "V")
    (potential,) = states.quantities
    shaping = proof.matrix("E", pairs, states)
    level = proof.product("ev", shaping, states, potential)
    left_over = proof.product("etw", shaping, pairs, change)
    multiplier = proof.axiom("multiplier", kappa >= 0, text="kappa >= 0")
    policy = proof.axiom(
        "policy",
        z3.And(
            z3.Implies(taken == 1, z3.And(low <= eta, eta <= high)),
            z3.Implies(taken != 1, eta == 0),
            z3.Implies(forced == 1, taken == 1),
            eta >= 0,
            data >= 0,
        ),
        pairs,
        "the policy takes forced pairs; where it takes a pair, its occupancy is within the bounds",
    )
    rules = proof.axiom(
        "rules",
        z3.And(
            z3.If(forced == 1, flow <= data + kappa * low, flow <= data),
            z3.Implies(forced != 1, flow >= 0),
            z3.Implies(taken == 1, flow >= kappa * high - data),
        ),
        pairs,
        "rules 2 and 3",
    )
    optimal = proof.axiom(
        "optimality",
        z3.And(model <= level, z3.Implies(taken == 1, model == level)),
        pairs,
        "R^ <= EV, with equality where the policy goes",
    )
    error = z3.If(model >= reward, model - reward, reward - model)
    moved = flow - kappa * eta
    feasible = proof.z3(
        "feasible",
        z3.And(moved <= data, z3.If(taken == 1, moved >= -data, moved >= 0)),
        [multiplier, policy, rules],
        pairs,
        "w = y - kappa eta is within -D [taken] <= w <= D",
    )
    named = proof.axiom("w", change == moved, pairs, "definition: w = y - kappa eta")
    capacity = proof.z3(
        "capacity",
        z3.And(change <= data, z3.If(taken == 1, change >= -data, change >= 0)),
        [feasible, named],
        pairs,
        "the same, for w",
    )
    each = proof.z3(
        "each pair",
        data * error >= change * reward - change * level,
        [capacity, optimal],
        pairs,
        "D |R^ - R| >= w (R - R^) >= w (R - EV)",
    )
    cost = proof.sum("cost", pairs, data * error)
    priced = proof.sum("wR", pairs, change * reward)
    shaped = proof.sum("wEV", pairs, change * level)
    flow_reward = proof.sum("yR", pairs, flow * reward)
    own = proof.sum("etaR", pairs, eta * reward)
    balance = proof.axiom(
        "balance",
        left_over == 0,
        states,
        "rule 1: E^T w = E^T y - kappa E^T eta = kappa mu0 - kappa mu0 = 0",
    )
    collected = proof.sum("etwV", states, potential * left_over)
    adjoint = proof.exchange("adjoint", shaped, collected, "<w, EV> = <E^T w, V>")
    nothing = proof.induction(
        "nothing", states, lambda s: s(collected) == 0, [balance], "<E^T w, V> = 0"
    )
    summed = proof.induction(
        "all pairs",
        pairs,
        lambda s: s(cost) >= s(priced) - s(shaped),
        [each],
        "summed over the pairs",
    )
    parts = proof.induction(
        "parts",
        pairs,
        lambda s: s(priced) == s(flow_reward) - kappa * s(own),
        [named],
        text="<w, R> = <y, R> - kappa <eta, R>",
    )
    return_ = proof.axiom(
        "return", z3.And(own == returned, returned <= bad), text="the policy is bad"
    )
    proof.z3(
        "conclusion",
        cost >= flow_reward - kappa * bad,
        [multiplier, adjoint, nothing, summed, parts, return_],
        text="cost >= <y, R> - kappa b",
    )
    return proof


def split() -> Proof:
    """If the children's actions cover the allowed set, every policy of a node is in some child."""
    proof = Proof("split: the children cover the node", "CERTIFICATE.md, rule tree")
    actions = proof.family("action", "allowed chosen inchild")
    allowed, chosen, inside = actions.quantities
    cover = proof.axiom(
        "cover", z3.Implies(allowed == 1, inside == 1), actions, "allowed actions are in some child"
    )
    policy = proof.axiom(
        "policy", z3.Implies(chosen == 1, allowed == 1), actions, "the action taken is allowed"
    )
    proof.z3(
        "conclusion",
        z3.Implies(chosen == 1, inside == 1),
        [cover, policy],
        actions,
        "the action taken is in some child, and elsewhere the child allows what the node allows",
    )
    return proof


def duplicate() -> Proof:
    """Exchanging an action for a copy with no more data does not raise the cost."""
    proof = Proof("duplicate: the copy with less data costs no more", "CERTIFICATE.md, rule tree")
    weight, less, reward, level, other = proof.scalars("Dtaken Dcopy r ev qcopy")

    def error(model: z3.ArithRef) -> z3.ArithRef:
        return z3.If(model >= reward, model - reward, reward - model)

    given = proof.axiom(
        "given",
        z3.And(less >= 0, less <= weight, other <= level),
        text="D(copy) <= D(taken); before the exchange R^(taken) = EV and R^(copy) <= EV",
    )
    lowered = z3.If(reward <= level, reward, level)
    proof.z3(
        "conclusion",
        less * error(level) + weight * error(lowered)
        <= weight * error(level) + less * error(other),
        [given],
        text="after it R^(copy) = EV and R^(taken) = min(R, EV): both errors add up to no more",
    )
    return proof


PROOFS = (witness, value_leaf, hitting, hitting_from_below, circulation_leaf, split, duplicate)

if __name__ == "__main__":
    for build in PROOFS:
        built = build()
        print(built)
        print(built.check())
