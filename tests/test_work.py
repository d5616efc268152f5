"""Short texts that ask for much arithmetic: with long numbers the checker counts more steps."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from typing import Any

import pytest
from test_bandit import alike, claimed, large
from test_bandit import document as bandit_document
from test_checker import bandit, edited, one_state, safe_bandit, two_states
from test_conformance import CASES
from test_family import small_certificate
from test_kl_certificates import documents

from symsafe import checker

Json = Any


def share(digits: int, i: int = 0) -> str:
    """A small number with so many digits."""
    return f"1/{10**digits + i}"


def unlikely(digits: int) -> Json:
    """The initial distribution has a long denominator, which each value leaf meets again."""
    first = Fraction(10**digits + 1, 3 * 10**digits)
    return edited(two_states, ("problem.initial", [str(first), str(1 - first)]))


def long_rewards(digits: int) -> Json:
    """One reward; circulation leaves sum over its denominator."""
    middle = Fraction(4 * 10**digits + 1, 10 ** (digits + 1))
    return edited(safe_bandit, ("problem.reward.0.1", str(middle)))


def long_heights(digits: int) -> Json:
    """A hitting bound."""
    height = Fraction(10**digits, 3 * 10**digits - 1)
    return edited(two_states, ("evidence.tree.0.hitting.0.2.1", str(height)))


def long_model(digits: int) -> Json:
    """The reward model of a witness."""
    return edited(bandit, ("evidence.witness.reward.0.2", share(digits)))


def many(actions: int, claim: Json, **evidence: Json) -> Json:
    """A claim about a bandit of one context, where the first action alone has a return, 1."""
    first = ["1"] + ["0"] * (actions - 1)
    return one_state(first, [*first], claim, **evidence)


WITNESS = {
    "reward": [["1"] * 8],
    "policy": [["0", "1"] + ["0"] * 6],
    "value": ["1"],
    "policy_value": ["0"],
}


def long_weights(digits: int) -> list[str]:
    """Six positive numbers with a sum below 1."""
    return [share(digits), share(digits, 1), *["1/8"] * 4]


def cover(digits: int) -> Json:
    """Weights of witnesses."""
    claim = {"kind": "all-unsafe", "regret": "1", "epsilon": "1", "set": {"rows": []}}
    weights = {"weights": long_weights(digits), "witnesses": [WITNESS] * 6}
    return many(8, claim, cover=weights | {"signs": [], "total": "1", "rows": []})


def mixture(digits: int) -> Json:
    """Weights of members."""
    member = [["1/8"] * 8]
    claim: Json = {"kind": "critical", "regret": "1", "lower": "0", "upper": "1"}
    evidence = {"weights": ["1"], "witnesses": [WITNESS], "signs": [], "total": "0", "rows": []}
    weights = long_weights(digits // 3)
    weights.append(str(1 - sum(map(Fraction, weights))))
    claim["set"] = {"mixture": [member] * 7}
    return many(8, claim, cover=evidence, distribution=weights, tree=[])


def rows(digits: int) -> Json:
    """A row of a set, by which bounds are tightened."""
    flow = [[0, a, f"-{share(digits, a)}"] for a in range(8)]
    row = {"flow": flow, "relation": "exactly", "bound": "0"}
    claim = {"kind": "all-safe", "regret": "1", "epsilon": "1", "set": {"rows": [row]}}
    return many(8, claim, cells=[{"empty": []}])


def added_samples(digits: int) -> Json:
    """Multipliers of cuts."""
    counts = [["1"] + ["0"] * 7]
    claim = {"kind": "fewest", "regret": "1", "epsilon": "1/2", "lower": "1", "upper": "0"}
    nodes = [{"weights": [[k, share(digits, k)] for k in range(4)]}]
    evidence = {"witnesses": [WITNESS] * 4, "nodes": nodes}
    return many(8, claim | {"counts": counts}, cuts=evidence, samples=[["0"] * 8], tree=[])


def long_cuts(digits: int) -> Json:
    """Shares of cells of a box."""
    document = small_certificate()
    cuts = [[0, str(Fraction(10**digits + i, 9 * 10**digits))] for i in range(20, 0, -1)]
    document["evidence"]["cells"] = [*cuts, *["undecided"] * 21]
    return document


def long_ends(digits: int) -> Json:
    """The ends of a cell on which a condition of degree 8 is tested."""
    document = small_certificate()
    document["problem"]["parameters"]["constraints"] = [[["-1", e] for e in range(9)]]
    document["digest"] = checker.digest(document["problem"])
    outside = {"outside": 0}
    cut = str(Fraction(10**digits + 1, 9 * 10**digits))
    document["evidence"]["cells"] = [[0, cut], outside, outside]
    return document


def long_terms(digits: int) -> Json:
    """The terms of a condition."""
    document = small_certificate()
    constraint = [[share(digits, e), e] for e in range(5)]
    document["problem"]["parameters"]["constraints"] = [constraint]
    document["digest"] = checker.digest(document["problem"])
    return document


def penalised(digits: int) -> Json:
    """Any number of a regularised problem."""
    intact = (x["document"] for x in CASES if not x["refused"] and "chi2" in x["sort"])
    document = next(x for x in intact if x["claim"]["kind"] == "radius")
    return edited(lambda: document, ("claim.lower", share(digits)))


def long_errors(digits: int) -> Json:
    """The reward of an action whose samples are counted."""
    return edited(lambda: added_samples(1), ("problem.reward.0.2", share(digits)))


def long_data(digits: int) -> Json:
    """The data of a KL curve, moved by next to nothing."""
    document = documents()["None"]
    if digits < 1_000:
        return document
    first, second, *others = map(Fraction, document["problem"]["data"][0])
    moved = [first + Fraction(share(digits)), second - Fraction(share(digits)), *others]
    return edited(lambda: document, ("problem.data.0", [str(x) for x in moved]))


def circulation(
    kappa: str, flow: Json, worst: str = "0", discount: str = "0", data: str = "1"
) -> Json:
    """A leaf of a state with two actions, which earn 1 and `worst` for ever."""
    claim = {"kind": "safe", "regret": "1", "epsilon": "1/2"}
    tree = [{"circulation": {"kappa": kappa, "flow": flow}}]
    factor, share = 1 / (1 - Fraction(discount)), Fraction(data)
    returns = {"optimal": [str(factor)], "worst": [str(Fraction(worst) * factor)]}
    return edited(
        lambda: many(2, claim, tree=tree),
        ("problem.reward", [["1", worst]]),
        ("problem.discount", discount),
        ("problem.data", [[str(share), str(1 - share)]]),
        ("evidence.returns", returns),
    )


def long_flow(digits: int) -> Json:
    """What enters the state by one action leaves it by the other; a long discount."""
    return circulation("0", [[0, 0, "1"], [0, 1, "-1"]], discount=share(digits))


def long_scale(digits: int) -> Json:
    """A flow that is written over a long number, beside a long reward."""
    document = circulation("0", [[0, 0, "-1"], [0, 1, "1"]], share(digits))
    return edited(lambda: document, ("evidence.tree.0.circulation.scale", str(10**digits)))


def long_horizon(digits: int) -> Json:
    """Each pair has the bound 1 / (1 - discount) of its occupancy."""
    kappa = str(Fraction(10**digits - 1, 2 * 10**digits))
    return circulation(kappa, [[0, 0, "1/2"]], discount=share(digits), data="1/2")


def long_shares(digits: int) -> Json:
    """The data, which each node of a tree meets again."""
    return circulation("0", [], data=share(digits))


def long_values(digits: int) -> Json:
    """A value leaf, where a reward is long as well."""
    return edited(lambda: long_rewards(digits), ("evidence.tree.1.value.0", share(digits)))


def long_price(digits: int) -> Json:
    """A hitting bound with a price, of which the first condition does not hold."""
    hitting = [0, "upper", [share(digits), "0"], share(digits)]
    return edited(lambda: long_heights(3), ("evidence.tree.0.hitting.0", hitting))


def long_preferences(digits: int) -> Json:
    """The reward model of a witness, where errors are those of preferences."""
    intact = (x["document"] for x in CASES if not x["refused"] and "preferences" in x["sort"])
    document = next(x for x in intact if x["claim"]["kind"] == "unsafe")
    return edited(lambda: document, ("evidence.witness.reward.0.0", share(digits)))


def long_potential(digits: int) -> Json:
    """A hitting bound of a state with eight actions."""
    node = {"hitting": [[0, "upper", [str(10**digits)]]], "value": ["0"]}
    return many(8, {"kind": "safe", "regret": "1", "epsilon": "1/2"}, tree=[node])


def long_row(digits: int) -> Json:
    """A row whose bound is subtracted from each weighted bound."""
    document = rows(1)
    row = document["claim"]["set"]["rows"][0]
    row["relation"], row["bound"] = "at most", str(-(10**digits))
    return document


def loose_row(digits: int) -> Json:
    """The same with a bound that tightens nothing."""
    bound = ("claim.set.rows.0.bound", str(10**digits))
    return edited(lambda: long_row(1), bound)


def long_integers(digits: int) -> Json:
    """A row whose coefficients are long, but have no denominators."""
    flow = [[0, a, str(10**digits + a)] for a in range(8)]
    row = {"flow": flow, "relation": "at most", "bound": "-1"}
    claim = {"kind": "all-safe", "regret": "1", "epsilon": "1", "set": {"rows": [row]}}
    return many(8, claim, cells=[{"empty": []}])


def high_flow(digits: int) -> Json:
    """A flow that is long, but has no denominator."""
    return circulation("0", [[0, 0, str(-(10**digits))], [0, 1, str(10**digits)]])


def long_models(digits: int) -> Json:
    """The reward models of a cover."""
    model = ["1", "1", share(digits), *["1"] * 5]
    witness = WITNESS | {"reward": [model]}
    return edited(lambda: cover(1), ("evidence.cover.witnesses", [witness] * 6))


def long_gains(digits: int) -> Json:
    """The reference of a KL penalty, moved by next to nothing: long denominators of gains."""
    document = documents()["None"]
    if digits < 1_000:
        return document
    first, second, *others = map(Fraction, document["problem"]["regularizer"]["reference"][0])
    moved = [first + Fraction(share(digits)), second - Fraction(share(digits)), *others]
    step = ("problem.regularizer.reference.0", [str(x) for x in moved])
    return edited(lambda: document, step)


def lengthened(digits: int, *keys: str | int) -> Json:
    """A number of the first piece of a KL curve that has a raise, moved by next to nothing."""
    document = documents()["None"]
    pieces = enumerate(document["evidence"]["curves"][0]["pieces"])
    k, place = next((k, x) for k, x in pieces if x["raises"] and x["raises"][0]["ends"])
    for key in keys:
        place = place[key]
    path = ".".join(map(str, ("evidence.curves.0.pieces", k, *keys)))
    return edited(lambda: document, (path, str(Fraction(place) + Fraction(share(digits)))))


def long_end(digits: int) -> Json:
    """How far a box of a KL curve goes."""
    return lengthened(digits, "raises", 0, "ends", 0)


def long_raise(digits: int) -> Json:
    """The price of a box."""
    return lengthened(digits, "raises", 0, "prices", 0)


def long_piece(digits: int) -> Json:
    """The price where nothing is raised."""
    return lengthened(digits, "price")


# What is built, and where its steps are counted: with the length, its square or more than its cube.
# A penalty multiplies all steps by the square of the longest number already.
LENGTH, SQUARE, CUBE = 1.5, 2.5, 4.5
LONGER: list[tuple[Callable[[int], Json], str, float]] = [
    (unlikely, "Problem.mean", SQUARE),
    (long_rewards, "Tree.circulation", SQUARE),
    (long_heights, "Tree.hitting", SQUARE),
    (long_model, "check_witness", SQUARE),
    (long_model, "Work.added", SQUARE),
    (cover, "Work.added", SQUARE),
    (mixture, "Work.added", SQUARE),
    (rows, "tighten", SQUARE),
    (added_samples, "check_fewest", LENGTH),
    (long_errors, "check_fewest", SQUARE),
    (long_cuts, "check_region", SQUARE),
    (long_ends, "check_region", SQUARE),
    (long_terms, "Conditions.integral", SQUARE),
    (penalised, "Problem.vector", SQUARE),
    (long_data, "CurveTree.points", CUBE),
    (long_flow, "Problem.balance", SQUARE),
    (long_scale, "Tree.circulation", SQUARE),
    (long_horizon, "Tree.circulation", SQUARE),
    (long_horizon, "Tree.factor", LENGTH),
    (long_shares, "Tree.check", LENGTH),
    (long_rewards, "Tree.check", LENGTH),
    (long_values, "Tree.value", SQUARE),
    (long_price, "Tree.hitting", SQUARE),
    (long_preferences, "Soft.cost", SQUARE),
    (long_potential, "Problem.vector", LENGTH),
    (long_potential, "Tree.hitting", LENGTH),
    (long_integers, "tighten", SQUARE),
    (long_row, "tighten", SQUARE),
    (loose_row, "tighten", SQUARE),
    (high_flow, "Problem.balance", LENGTH),
    (long_gains, "CurveTree.box", CUBE),
    (long_gains, "CurveTree.unraised", CUBE),
    (long_end, "CurveTree.box", CUBE),
    (long_raise, "CurveTree.box", CUBE),
    (long_piece, "CurveTree.unraised", CUBE),
]


def examine(document: Json) -> None:
    """Check a document, which may prove its claim or not, but is within the limits."""
    try:
        checker.check(document)
    except checker.Malformed as refusal:
        pytest.fail(str(refusal))
    except checker.Rejected:
        pass


def spent(document: Json, where: str, patch: pytest.MonkeyPatch) -> int:
    """The steps that a function counts in a check, however it ends."""
    steps, spend = [0], checker.Work.spend

    def counted(self: checker.Work, more: int, step: str) -> None:
        if sys._getframe(1).f_code.co_qualname == where:
            steps.append(self.price * more)
        spend(self, more, step)

    with patch.context() as within:
        within.setattr(checker.Work, "spend", counted)
        examine(document)
    return sum(steps)


@pytest.mark.parametrize(
    ("build", "where", "growth"), LONGER, ids=[f"{x.__name__}-{where}" for x, where, _ in LONGER]
)
def test_long_numbers_cost_more(
    build: Callable[[int], Json], where: str, growth: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where numbers of 1,500 and of 3,000 digits meet, the steps grow as the time does."""
    short, middle, long = (spent(build(x), where, monkeypatch) for x in (3, 1_500, 3_000))
    assert middle > short, (short, middle, long)
    assert long - short > growth * (middle - short), (short, middle, long)


def long_rows(row: int, number: str, node: Json) -> Json:
    """A discount, which is in each row, a reward, and a node that multiplies by them."""
    discount = Fraction(share(row))
    returns = {"optimal": 1 / (1 - discount), "worst": -Fraction(number) / (1 - discount)}
    return edited(
        lambda: many(8, {"kind": "safe", "regret": "1/2", "epsilon": "1"}, tree=[node]),
        ("problem.discount", str(discount)),
        ("problem.reward.0.2", f"-{number}"),
        ("evidence.returns", {key: [str(x)] for key, x in returns.items()}),
    )


@pytest.mark.parametrize(
    ("where", "whole"), [("Tree.value", False), ("Tree.value", True), ("Tree.hitting", True)]
)
def test_long_rows_are_multiplied_by_long_numbers(
    where: str, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which costs the product of their lengths, at each pair; and so do two of the numbers."""
    due = 8 * checker.crossed(10**1_500, 10**1_500)

    def steps(row: int, digits: int) -> int:
        number = str(10**digits) if whole else share(digits)
        node = {"hitting": [[0, "upper", [number], number]], "value": ["1"]}
        node = {"value": [number]} if where == "Tree.value" else node
        return spent(long_rows(row, number, node), where, monkeypatch)

    assert steps(3, 1_500) >= due
    assert steps(1_500, 1_500) - steps(3, 1_500) - steps(1_500, 3) >= due


def test_the_entries_of_long_rows_cost_more_in_a_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside what it costs to divide their common denominator by each of theirs."""
    scale = 10**3_000
    entries, rows = 8 * checker.blocks(scale) ** 2, 8 * checker.crossed(scale, scale)
    leaf = {"circulation": {"kappa": "0", "flow": [[0, a, "0"] for a in range(8)]}}
    document = long_rows(3_000, "1", leaf)
    assert spent(document, "Problem.balance", monkeypatch) >= entries + rows


def test_a_flow_costs_what_it_enters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with short numbers."""
    flow = [[0, 0, "1/2"], [0, 1, "-1/2"]]
    short, long = (circulation("0", x) for x in (flow[:0], flow))
    steps = [spent(x, "Problem.balance", monkeypatch) for x in (short, long)]
    assert steps[1] >= steps[0] + 2 > 2


def test_a_bound_of_many_digits_is_said_shortly() -> None:
    """Integers of more than 4,300 digits cannot be written in decimals."""
    problem = {"actions": "2", "initial": "1", "reward": "1 0", "data": "1 1"}
    document = {
        "format": "symsafe-certificate",
        "version": 1,
        "problem": problem,
        "digest": checker.digest(problem),
        "claim": {"kind": "safe", "regret": "1", "epsilon": f"1{'0' * 5000}"},
        "evidence": {"bits": 0, "tree": ["0"]},
    }
    with pytest.raises(checker.Rejected, match=r"^evidence\.tree: bandit\.3: .* about \d+e"):
        checker.check(document)


@pytest.mark.parametrize(("epsilon", "step"), [("999999/1000000", "evidence.tree[0]"), ("1", "")])
def test_no_choice_costs_more_than_all_errors(epsilon: str, step: str) -> None:
    """So a bound above it is refused before any choice is looked at, however long it is."""
    document = claimed(alike(1), "1", epsilon, "0")
    with pytest.raises(checker.Rejected, match=r"bandit\.3") as caught:
        checker.check(document)
    assert caught.value.step == (step or "evidence.tree")


class Factor(int):
    """A coefficient that counts by what it is multiplied: the product of lengths."""

    used = 0

    def __rmul__(self, other: int) -> int:
        Factor.used += (1 + (other.bit_length() >> 10)) * (1 + (self.bit_length() >> 10))
        return int(other) * int(self)


@pytest.mark.parametrize("degrees", [(9,), (5, 5), (1,) * 8, (0, 7, 2)])
@pytest.mark.parametrize("digits", [0, 3_000])
def test_signs_on_a_box_cost_what_is_multiplied(
    degrees: tuple[int, ...], digits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table keeps the exponents of later parameters while it grows along the first."""
    moved = checker.moved
    monkeypatch.setattr(checker, "moved", lambda *args: [Factor(y) for y in moved(*args)])
    p = {powers: Fraction(10**digits) for powers in product(*(range(n + 1) for n in degrees))}
    box = [(Fraction(1, 10**digits + 1), Fraction(1))] * len(degrees)
    Factor.used = 0
    checker.bernstein(p, box, list(degrees))
    assert Factor.used >= len(p) * sum(n + 1 for n in degrees)
    assert 8 * Factor.used <= checker.effort(p, box, []) <= 200 * Factor.used + 1000


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("operation", [checker.plus, checker.times])
def test_polynomials_cost_their_terms_and_the_square_of_their_numbers(
    operation: Callable[..., Any], order: int
) -> None:
    def steps(terms: int, digits: int) -> int:
        work = checker.Work()
        long = {(k,): Fraction(10**digits) for k in range(terms)}
        operation(*[long, {(0,): Fraction(1)}][::order], work)
        return work.spent

    assert steps(20, 0) > 8 * steps(1, 0)
    assert steps(20, 1_500) > 8 * steps(1, 1_500)
    assert steps(1, 30_000) > 3 * steps(1, 15_000) > 100 * steps(1, 0)


def test_names_are_no_long_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A context may be named by its prompt."""
    document = documents()["None"]
    name = "why? " * 1_000
    named = edited(lambda: document, ("problem.states.0", name))
    assert checker.check(named).kind == checker.check(document).kind
    steps = [spent(x, "Soft.spend", monkeypatch) for x in (document, named)]
    assert steps[0] == steps[1] > 0


def test_enclosures_cost_the_square_of_their_digits() -> None:
    """The exponential of a large number has more of them."""
    problem = checker.Problem(documents()["None"]["problem"])

    def steps(bits: int, x: int) -> int:
        soft = checker.Soft(problem, bits)
        before = problem.spent
        soft.exp(Fraction(x), True)
        return problem.spent - before

    short, middle, long = (steps(bits, 0) for bits in (1_000, 2_000, 4_000))
    assert long - short > 4 * (middle - short) > 0
    assert steps(1_000, 500) > (short + middle) // 2
    assert steps(checker.MIN_BITS, 0) >= 100
    before = problem.spent
    checker.Soft(problem, 1_000).log(Fraction(3), True)
    assert problem.spent - before >= short


def test_each_two_actions_have_a_preference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its share of the error asks for several enclosures."""
    intact = (x["document"] for x in CASES if x["sort"] == "unsafe, kl, preferences")
    document = next(x for x in intact if len(x["problem"]["reward"][0]) > 2)
    due = sum(len(row) ** 2 for row in document["problem"]["reward"])
    assert spent(document, "Soft.cost", monkeypatch) >= 50 * due


@pytest.mark.parametrize("where", ["CurveTree.box", "CurveTree.unraised"])
def test_arithmetic_on_enclosures_costs_the_square_of_their_digits(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gains are added and multiplied, with many digits or few."""

    def steps(bits: int) -> int:
        return spent(
            edited(lambda: documents()["None"], ("evidence.bits", bits)), where, monkeypatch
        )

    short, middle, long = map(steps, (64, 1_024, 2_048))
    assert short > 0
    assert long > 3 * middle > 12 * short


@pytest.mark.parametrize(
    ("key", "where", "each"),
    [("'dual'", "CaseTree.dual", 50), ("'gap'", "CaseTree.gap", 100), ("'", "Tree.__init__", 8)],
)
def test_leaves_of_regularised_problems_cost_their_fractions(
    key: str, where: str, each: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of each pair, however short the leaf is; and a tree reads the data once."""
    safe = (x["document"] for x in CASES if x["sort"] == "safe, chi2" and not x["refused"])
    document = next(x for x in safe if key in str(x["evidence"]["tree"]))
    pairs = sum(map(len, document["problem"]["reward"]))
    count = 1 if key == "'" else str(document["evidence"]["tree"]).count(key)
    assert spent(document, where, monkeypatch) >= each * pairs * count


def test_a_multiplier_costs_the_points_of_its_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """At each there are two operations on fractions; cuts share the points out."""
    document = documents()["None"]
    points = len(document["evidence"]["curves"][0]["points"])
    assert spent(document, "CurveTree.multiplier", monkeypatch) >= 8 * (points - 1) > 0


def test_cells_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has ends for every parameter."""
    document = small_certificate()
    document["evidence"]["cells"] = [[0, "1/4"], [0, "1/8"], [0, "1/16"], *["undecided"] * 4]
    monkeypatch.setattr(checker, "MAX_WAITING", 17)
    with pytest.raises(checker.Malformed, match=r"^evidence\.cells\[2\]: .* 17 ends of cells"):
        checker.check(document)
    monkeypatch.setattr(checker, "MAX_WAITING", 18)  # one parameter; a cell needs eight more
    with pytest.raises(checker.Rejected, match=r"claim\.safe"):
        checker.check(document)


def test_few_enclosures_are_remembered() -> None:
    """Fractions can be chosen whose hashes are all equal: each is compared with those kept."""
    for bound in (checker.exp_bound, checker.log_bound):
        assert bound.cache_info().maxsize <= 8


def long_circulation(digits: int) -> Json:
    """A flow over a long number that is divided by."""
    flow = [[0, a, "1"] for a in range(8)]
    leaf = {"kappa": "0", "flow": flow, "scale": share(digits)}
    claim = {"kind": "safe", "regret": "1", "epsilon": "1/2"}
    return many(8, claim, tree=[{"circulation": leaf}])


def long_start(digits: int) -> Json:
    """The same, where the bad return has a price: each bound is long, the divisors are not."""
    node = {"hitting": [[0, "upper", ["1"], "1"]], "value": ["0"]}
    level = f"{10**digits - 1}/{10**digits}"
    return many(8, {"kind": "safe", "regret": level, "epsilon": "1/2"}, tree=[node])


def long_tolerance(digits: int) -> Json:
    """What each error is less."""
    return edited(lambda: added_samples(1), ("claim.epsilon", share(digits)))


def many_samples(digits: int) -> Json:
    """The data are the samples over their sum."""
    number = 10**digits
    samples = [["0", str(number + 1), *["1"] * 6]]
    sizes = ("evidence.samples", samples), ("claim.upper", str(number + 7))
    document = edited(lambda: added_samples(1), *sizes)
    return edited(lambda: document, ("claim.lower", "0"), ("evidence.cuts.nodes.0.weights", []))


def long_reference(digits: int) -> Json:
    """The visits of the state under the reference, which are shared by its actions."""
    document = penalised(1)
    step = ("evidence.reference", [share(digits)] * len(document["evidence"]["reference"]))
    return edited(lambda: document, step)


def long_discount(digits: int) -> Json:
    """Each row of E holds it."""
    return edited(two_states, ("problem.discount", share(digits)))


# What is built, where its numbers are kept, and about how many of them are long.
KEPT: list[tuple[Callable[[int], Json], str, int]] = [
    (cover, "check_cover", 7),
    (mixture, "DataSet.member", 2),
    (added_samples, "check_fewest", 7),
    (long_tolerance, "check_fewest", 30),
    (many_samples, "check_fewest", 8),
    (rows, "tighten", 8),
    (long_row, "tighten", 8),
    (long_circulation, "Tree.circulation", 8),
    (long_potential, "Tree.hitting", 8),
    (long_models, "check_cover", 6),
    (high_flow, "Problem.balance", 1),
    (long_start, "Tree.hitting", 8),
    (long_reference, "Regularizer.__init__", 3),
    (long_discount, "Problem.__init__", 7),
]
HELPERS = {"kept", "Work.added", "Vector.of", "Vector.__init__", "Work.distribution"}


def held(document: Json, where: str, patch: pytest.MonkeyPatch) -> int:
    """The most bits that a function keeps in a list, however the check ends."""
    most, room = [0], checker.room

    def seen(bits: int, step: str) -> None:
        frame = sys._getframe(1)
        while frame.f_code.co_qualname in HELPERS and frame.f_back:
            frame = frame.f_back
        if frame.f_code.co_qualname == where:
            most.append(bits)
        room(bits, step)

    with patch.context() as within:
        within.setattr(checker, "room", seen)
        examine(document)
    return max(most)


@pytest.mark.parametrize(
    ("build", "where", "count"), KEPT, ids=[f"{x.__name__}-{where}" for x, where, _ in KEPT]
)
def test_lists_of_long_numbers_are_counted(
    build: Callable[[int], Json], where: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number of 3,000 digits has 10,000 bits, in each product with it as well."""
    short, long = (held(build(digits), where, monkeypatch) for digits in (3, 3_000))
    assert long > 9_000 * count > short


def test_a_list_that_is_too_long_is_refused_where_it_is_made() -> None:
    """Not after it has been made."""
    bits = checker.MAX_LIST_BITS // 4
    numbers = iter([Fraction(1 << bits)] * 6)
    with pytest.raises(checker.Malformed, match=r"^list: .* bits in one list$"):
        checker.kept(numbers, "list")
    assert len(list(numbers)) == 2
    assert checker.kept([Fraction(2, 3)], "list") == [Fraction(2, 3)]


def test_trees_of_the_members_of_a_mixture_are_freed_one_by_one() -> None:
    """Nothing in a tree refers to the tree."""
    problem = checker.Problem(two_states()["problem"])
    tree = checker.Tree(problem, Fraction(0), "at least", Fraction(0))
    gone = weakref.ref(tree)
    gc.disable()
    try:
        del tree
        assert gone() is None
    finally:
        gc.enable()


def test_bounds_that_wait_count_with_their_digits() -> None:
    """Each node may have bounds of its own."""
    scope = checker.Scope(((0, 1), (2, 3)), {}, {}, set())
    problem = checker.Problem(two_states()["problem"])
    tree = checker.Tree(problem, Fraction(0), "at least", Fraction(0))
    plain = tree.hitting(scope, [[0, "upper", ["1", "1/3"]]], "hitting")
    assert plain.bounds == 2 * 3
    tree.bad = Fraction(1, 2**5_120)
    priced = tree.hitting(scope, [[0, "upper", ["1", "1/3"], "1"]], "hitting")
    assert priced.bounds >= plain.bounds + 2 * 10
    both = tree.hitting(priced, [[1, "lower", ["1/3", "1"]]], "hitting")
    assert both.bounds == priced.bounds + 2 * 3


def split_three() -> tuple[checker.Tree, checker.Scope]:
    """A tree that waits for three nodes, of which the last keeps ten entries of bounds."""
    problem = checker.Problem(many(4, {"kind": "safe", "regret": "1", "epsilon": "1"})["problem"])
    tree = checker.Tree(problem, Fraction(0), "at least", Fraction(0))
    tree.kinds = ["split", "value", "value", "value"]
    scope = checker.Scope(((0, 1, 2, 3),), {}, {}, set(), bounds=10)
    children = [[1, [0]], [3, [1, 2]], [2, [3]]]
    tree.split(0, scope, {"state": 0, "children": children}, "split")
    return tree, scope


def test_what_waits_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child of a split keeps its actions and the states; the last one what all of them share."""
    tree, _ = split_three()
    assert [tree.pending[i].entries for i in (1, 2, 3)] == [2, 2, 3 + 10 + 4 * 4]
    assert tree.waiting == 33
    monkeypatch.setattr(checker, "MAX_WAITING", 33)
    split_three()
    monkeypatch.setattr(checker, "MAX_WAITING", 32)
    with pytest.raises(
        checker.Malformed, match=r"^split: .* more than 32 entries at nodes that wait"
    ):
        split_three()


def test_what_no_longer_waits_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree whose nodes are checked one after the other may have any number of them."""
    trees, wait = list[checker.Tree](), checker.Tree.wait

    def waits(self: checker.Tree, *given: Any) -> None:
        wait(self, *given)
        trees.append(self)

    monkeypatch.setattr(checker.Tree, "wait", waits)
    deep = [
        {"split": {"state": 0, "children": [[1, [0]], [2, [1, 2]]]}},
        {"value": ["1"]},
        {"split": {"state": 0, "children": [[3, [1]], [4, [2]]]}},
        *[{"circulation": {"kappa": "1/4", "flow": [[0, 0, "1/4"]]}}] * 2,
    ]
    document = one_state(
        ["1", "0", "0"],
        ["1/2", "1/4", "1/4"],
        {"kind": "safe", "regret": "1", "epsilon": "1/8"},
        tree=deep,
    )
    checker.check(document)
    assert len(trees) == 4
    assert trees[-1].waiting == 0


def test_rows_without_entries_cost_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is looked at for every cell."""
    document = rows(1)
    first = spent(document, "tighten", monkeypatch)
    document["claim"]["set"]["rows"] += [{"flow": [], "relation": "at most", "bound": "0"}] * 10
    assert spent(document, "tighten", monkeypatch) >= first + 2 * 10 * 30


@pytest.mark.parametrize("key", ["case", "side"])
def test_nodes_of_cases_and_sides_wait_with_all_they_know(key: str) -> None:
    """One may outlive all others that share it: states, actions, the cases and sides so far."""
    document = next(x["document"] for x in CASES if x["sort"] == "safe, tv" and not x["refused"])
    problem = checker.Problem(document["problem"])
    omega = checker.Regularizer(problem, document["evidence"])
    tree = checker.CaseTree(omega, Fraction(0), "at least", Fraction(0))
    tree.kinds = [key, "dual", "dual", "dual"]
    allowed = tuple(tuple(pairs) for pairs in problem.pairs)
    used, sides = frozenset(allowed[0][:1]), dict.fromkeys(allowed[-1][:1], 0)
    scope = checker.Scope(allowed, {}, {}, set(), used, sides, bounds=7)
    known = 7 + len(allowed) + sum(map(len, allowed)) + 1 + 1
    if key == "case":
        tree.case(0, scope, {"state": 0, "action": 1, "unused": 1, "used": 2}, key)
        expected = [known - 1, known + 1]
    else:
        body = {"state": 0, "action": 1, "below": 1, "at": 2, "above": 3}
        tree.side(0, scope, body, key)
        expected = [known + 1] * 3
    assert [tree.pending[i + 1].entries for i in range(len(expected))] == expected
    assert tree.waiting == sum(expected)


def test_ranges_that_wait_are_counted() -> None:
    """One for each state that was cut."""
    problem = checker.Problem(documents()["None"]["problem"])
    soft = checker.Soft(problem, 64)
    tree = checker.CurveTree(soft, {}, Fraction(1), Fraction(0), "at least", Fraction(0))
    tree.curves = {0: [(Fraction(t), Fraction(0)) for t in range(3)]}
    tree.kinds = ["cut", "multiplier", "multiplier"]
    scope = checker.Scope(((0,),), {}, {}, set(), bounds=7)
    tree.cut(0, scope, {"state": 0, "point": 1, "below": 1, "above": 2}, "cut")
    assert [tree.pending[i].entries for i in (1, 2)] == [7 + 1, 7 + 1]


def test_exponents_of_many_parameters_are_told_apart_at_a_price() -> None:
    """Those of few have too few values for many equal hashes."""

    def steps(parameters: int, terms: int, operation: Callable[..., Any]) -> int:
        work, zeros = checker.Work(), (0,) * (parameters - 1)
        one = {(0, *zeros): Fraction(1)}
        operation({(k, *zeros): Fraction(1) for k in range(terms)}, one, work)
        return work.spent

    for operation in (checker.plus, checker.times):
        assert steps(16, 800, operation) == steps(1, 800, operation)
        assert steps(17, 800, operation) >= steps(16, 800, operation) + 800**2 // 8
    few, many = (checker.Conditions(count, checker.Work()) for count in (16, 17))
    for reader in (few, many):
        reader.polynomial([["1", k, *[0] * (reader.count - 1)] for k in range(100)], "terms")
    assert many.work.spent >= few.work.spent + 100 * 99 // 2


def test_a_discount_is_not_copied_into_too_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row of E holds it again."""
    monkeypatch.setattr(checker, "MAX_LIST_BITS", 30_000)
    document = edited(two_states, ("problem.discount", share(2_000)))
    with pytest.raises(checker.Malformed, match="bits in one list"):
        checker.check(document)


def test_parameters_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is an exponent of every term."""
    document = small_certificate()
    monkeypatch.setattr(checker, "MAX_PARAMETERS", 0)
    with pytest.raises(checker.Malformed, match="more than 0 parameters"):
        checker.check(document)
    monkeypatch.setattr(checker, "MAX_PARAMETERS", 3)
    checker.check(document)


def test_coefficients_on_a_box_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A term of high degree in each parameter has a large table of them."""
    document = long_ends(1)
    monkeypatch.setattr(checker, "MAX_TERMS", 8)
    with pytest.raises(checker.Malformed, match="more than 8 coefficients of a condition"):
        checker.check(document)


def test_lists_of_integers_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are no strings that are counted."""
    document = bandit_document(large())
    monkeypatch.setattr(checker, "MAX_INTEGERS", 3)
    with pytest.raises(checker.Malformed, match="more than 3 integers"):
        checker.check(document)
    assert checker.integers("5 -6 7", "row") == [5, -6, 7]
    with pytest.raises(checker.Malformed, match=r"row: .*more than 3 integers"):
        checker.integers("5 -6 7 8", "row")
