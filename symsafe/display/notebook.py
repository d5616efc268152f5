"""How the public objects look in a notebook: `_repr_html_` and `_repr_latex_`, attached by room.

The classes live in rooms that know nothing of display, so their methods are given to them here.
Pages are built as trees of elements, never as text: whatever a name contains stays text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from fractions import Fraction
from typing import Any
from xml.etree import ElementTree

from symsafe.certificate import Certificate
from symsafe.display.argument import argue, facts_of, number
from symsafe.display.outline import Branch, outline
from symsafe.display.tables import latex_number, latex_text, short_rows
from symsafe.engine.matrix import SafetyMatrix
from symsafe.errors import UnsupportedError
from symsafe.exact import Number, RationalFunction, exact
from symsafe.model import MDP, DataDistribution, Policy, SafetyProblem
from symsafe.model.tables import shown
from symsafe.profile import RadiusProfile
from symsafe.sweeps import SweepTable
from symsafe.theorems.report import TheoremReport
from symsafe.verdict import Statistics, Verdict

__all__ = ["attach"]

MAX_ROWS = 100
_MAX_ITEMS = 8
_MAX_CELL = 100
Element = ElementTree.Element


def attach(public: Iterable[object]) -> None:
    """Give the classes among `public`, and those that have a display here, their methods.

    A class without a display of its own shows its fields.
    """
    classes = {kind for kind in public if isinstance(kind, type)}
    shown_as_text = {kind for kind in classes if not issubclass(kind, Exception)}
    for kind in _DISPLAYS.keys() | shown_as_text:
        html, latex = _DISPLAYS.get(kind, (_record, _plain_latex))
        for name, build in (("_repr_html_", html), ("_repr_latex_", latex)):
            setattr(kind, name, _method(build, name))


def _method(build: Callable[[Any], Any], name: str) -> Callable[[Any], str]:
    if name == "_repr_latex_":
        return lambda self: str(build(self))
    return lambda self: _written(build(self))


def _written(parts: Iterable[Element]) -> str:
    root = ElementTree.Element("div")
    root.extend(parts)
    return ElementTree.tostring(root, encoding="unicode", method="html")


def _element(tag: str, text: str = "", children: Iterable[Element] = ()) -> Element:
    made = ElementTree.Element(tag)
    made.text = text
    made.extend(children)
    return made


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[Element]:
    """Return a table, of which the first hundred rows are written out."""
    lines = [_element("tr", "", [_element("th", cell) for cell in head])]
    lines += [_element("tr", "", [_element("td", cell) for cell in row]) for row in rows[:MAX_ROWS]]
    found = [_element("table", "", lines)]
    if len(rows) > MAX_ROWS:
        found.append(_element("p", f"and {len(rows) - MAX_ROWS} more rows"))
    return found


def _details(summary: str, children: Iterable[Element]) -> Element:
    return _element("details", "", [_element("summary", summary), *children])


def _number(x: Number) -> str:
    return shown(x) if isinstance(x, RationalFunction) else number(x)


def _row(mdp: MDP, row: Sequence[tuple[int, Number]]) -> str:
    return ", ".join(f"{_number(p)} to {mdp.states[t]}" for t, p in row)


def _mdp(mdp: MDP) -> list[Element]:
    rows = [
        (*mdp.pairs[pair], _number(mdp.rewards[pair]), _row(mdp, mdp.successors[pair]))
        for pair in range(min(len(mdp.pairs), MAX_ROWS + 1))
    ]
    start = ", ".join(
        f"{state} ({_number(p)})"
        for state, p in zip(mdp.states, mdp.initial, strict=True)
        if p != 0
    )
    return [
        _element("strong", repr(mdp)),
        _element("p", f"initial: {start if len(start) < 500 else 'many states'}"),
        _details("pairs", _table(("state", "action", "R", "leads to"), rows)),
    ]


def _mdp_latex(mdp: MDP) -> str:
    states, pairs = len(mdp.states), len(mdp.pairs)
    return f"$|S| = {states},\\ |SA| = {pairs},\\ \\gamma = {_latex(mdp.discount)}$"


def _weights(mdp: MDP, weights: Sequence[Number], name: str, title: str) -> list[Element]:
    rows = [(*pair, _number(w)) for pair, w in zip(mdp.pairs, weights, strict=True)]
    return [_element("strong", title), *_table(("state", "action", name), rows)]


def _weights_latex(mdp: MDP, weights: Sequence[Number], name: str) -> str:
    rows = [
        rf"\text{{{latex_text(state)}}} & \text{{{latex_text(action)}}} & {_latex(weight)} \\"
        for (state, action), weight in zip(mdp.pairs[:MAX_ROWS], weights, strict=False)
    ]
    more = [r"\vdots & \vdots & \vdots \\"] if len(weights) > MAX_ROWS else []
    body = "\n".join(rows + more)
    head = rf"s & a & {name} \\ \hline"
    return f"$\\begin{{array}}{{llr}}\n{head}\n{body}\n\\end{{array}}$"


def _problem(problem: SafetyProblem) -> list[Element]:
    mdp, data = problem.mdp, problem.data
    rows = [
        (*pair, _number(data.weights[p]), _number(mdp.rewards[p]), _row(mdp, mdp.successors[p]))
        for p, pair in enumerate(mdp.pairs[: MAX_ROWS + 1])
    ]
    tolerance = (
        "for which ε is D safe?"
        if problem.epsilon is None
        else f"is D safe at ε = {_number(problem.epsilon)}?"
    )
    return [
        _element("strong", f"Regret {_number(problem.regret)} is bad: {tolerance}"),
        _element("p", repr(problem)),
        _details("pairs", _table(("state", "action", "D", "R", "leads to"), rows)),
    ]


def _problem_latex(problem: SafetyProblem) -> str:
    epsilon = "" if problem.epsilon is None else f",\\ \\varepsilon = {_latex(problem.epsilon)}"
    return f"$L = {_latex(problem.regret)}{epsilon}$"


def _certificate(certificate: Certificate) -> list[Element]:
    """Return the argument, with the table and the tree folded."""
    try:
        facts = facts_of(certificate)
    except UnsupportedError:
        return _plain(certificate)
    found = []
    for step in argue(facts):
        bold = _element("strong", f"{step.title}. ")
        bold.tail = step.text
        found.append(_element("p", "", [bold]))
        if step.items:
            found.append(_element("ul", "", [_element("li", item) for item in step.items]))
    found.append(_details("all pairs", _table(*short_rows(facts))))
    root = outline(facts)
    if root is not None:
        found.append(_details("the tree", [_branch(root)]))
    return found


def _branch(branch: Branch) -> Element:
    text = f"{branch.choice}: {branch.text}" if branch.choice else branch.text
    if not branch.below and not branch.hidden:
        return _element("div", text)
    below = [_element("li", "", [_branch(child)]) for child in branch.below]
    if branch.hidden:
        below.append(_element("li", f"and {branch.hidden} more nodes"))
    return _details(text, [_element("ul", "", below)])


def _certificate_latex(certificate: Certificate) -> str:
    try:
        facts = facts_of(certificate)
    except UnsupportedError:
        return _plain_latex(certificate)
    claim = certificate.document["claim"]
    regret = f"L = {_latex(exact(claim['regret']))}"
    if "epsilon" in claim:
        belongs = r"\in" if claim["kind"] == "safe" else r"\notin"
        epsilon = _latex(exact(claim["epsilon"]))
        said = f"D {belongs} \\mathrm{{safe}}(R, \\varepsilon, L),\\ \\varepsilon = {epsilon}"
    else:
        lower, upper = (_latex(exact(claim[key])) for key in ("lower", "upper"))
        said = (
            f"\\varepsilon^* = {lower}"
            if lower == upper
            else f"{lower} \\le \\varepsilon^* \\le {upper}"
        )
    deception = facts.deception
    if deception is None:
        return f"${said},\\ {regret}$"
    error, lost = _latex(deception.expected_error), _latex(deception.regret)
    return (
        f"${said},\\ {regret};\\quad "
        f"\\mathbb{{E}}_D|\\hat R - R| / \\mathrm{{range}}\\,R = {error},\\ "
        f"\\mathrm{{Reg}}(\\hat\\pi) = {lost}$"
    )


def _verdict(verdict: Verdict) -> list[Element]:
    found = [_element("strong", repr(verdict)), *_statistics(verdict.statistics)]
    if verdict.certificate is not None:
        found.append(_details("why", _certificate(verdict.certificate)))
    return found


def _verdict_latex(verdict: Verdict) -> str:
    lower = _latex(verdict.lower)
    if verdict.is_exact:
        return f"$\\varepsilon^* = {lower}$"
    upper = "" if verdict.upper is None else f" \\le {_latex(verdict.upper)}"
    return f"${lower} \\le \\varepsilon^*{upper}$"


def _statistics(statistics: Statistics) -> list[Element]:
    stopped = f"; stopped: {statistics.stopped}" if statistics.stopped else ""
    return [
        _element(
            "p",
            f"{statistics.engine}, {statistics.nodes} nodes, {statistics.seconds:.2f} s, of which "
            f"checking {statistics.check_seconds:.2f} s{stopped}",
        )
    ]


def _statistics_latex(statistics: Statistics) -> str:
    return f"$\\text{{{statistics.nodes} nodes, {statistics.seconds:.2f} s}}$"


def _plain(thing: object) -> list[Element]:
    return [_element("pre", repr(thing))]


def _record(thing: Any) -> list[Element]:
    """Return a table of the fields of a dataclass; what is large is folded."""
    if not is_dataclass(thing):
        return _plain(thing)
    rows, folded = [], []
    for field in fields(thing):
        value = getattr(thing, field.name)
        if value is None or value == ():
            continue
        display = _DISPLAYS.get(type(value))
        if display is not None:
            folded.append(_details(field.name, display[0](value)))
        elif isinstance(value, tuple) and all(is_dataclass(item) for item in value):
            head = [f.name for f in fields(value[0])]
            body = [[_cell(getattr(item, name)) for name in head] for item in value[: MAX_ROWS + 1]]
            folded.append(_details(f"{field.name} ({len(value)})", _table(head, body)))
        else:
            rows.append((field.name, _cell(value)))
    return [_element("strong", type(thing).__name__), *_table(("field", "value"), rows), *folded]


def _cell(value: object) -> str:
    """Return a value for a cell of a table, in at most about a hundred characters."""
    if isinstance(value, (Fraction, RationalFunction)):
        return _number(value)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_cell(k)}: {_cell(x)}" for k, x in list(value.items())[:_MAX_ITEMS])
        return f"{inner}, ..." if len(value) > _MAX_ITEMS else inner
    if isinstance(value, tuple):
        inner = ", ".join(_cell(x) for x in value[:_MAX_ITEMS])
        return f"({inner}, ...)" if len(value) > _MAX_ITEMS else f"({inner})"
    text = str(value)
    return text if len(text) <= _MAX_CELL else f"{text[:_MAX_CELL]}..."


def _plain_latex(thing: object) -> str:
    return f"$\\text{{{latex_text(repr(thing))}}}$"


def _profile(profile: RadiusProfile) -> list[Element]:
    rows = [tuple(number(x) for x in (s.above, s.upto, s.radius)) for s in profile.steps]
    return [_element("strong", repr(profile)), *_table(("L above", "L up to", "radius"), rows)]


def _profile_latex(profile: RadiusProfile) -> str:
    rows = [
        f"{_latex(s.radius)} & {_latex(s.above)} < L \\le {_latex(s.upto)} \\\\"
        for s in profile.steps[:MAX_ROWS]
    ]
    body = "\n".join(rows)
    return f"$\\varepsilon^*(L) = \\begin{{cases}}\n{body}\n\\end{{cases}}$"


def _sweep(table: SweepTable) -> list[Element]:
    rows = table.rows()
    head = list(rows[0]) if rows else []
    return [_element("strong", repr(table)), *_table(head, [list(row.values()) for row in rows])]


def _matrix(matrix: SafetyMatrix) -> list[Element]:
    rows = [tuple(number(x) for x in row.entries) for row in matrix.rows]
    head = [str(i) for i in range(len(rows[0]))]
    title = f"M D > ε · {number(matrix.reward_range)} in every row"
    return [_element("strong", title), *_table(head, rows)]


def _matrix_latex(matrix: SafetyMatrix) -> str:
    rows = "\n".join(
        " & ".join(_latex(x) for x in row.entries) + r" \\" for row in matrix.rows[:MAX_ROWS]
    )
    scale = _latex(matrix.reward_range)
    return f"$\\begin{{pmatrix}}\n{rows}\n\\end{{pmatrix}} D > \\varepsilon \\cdot {scale}$"


def _report(report: TheoremReport) -> list[Element]:
    rows = [
        (h.statement, "holds" if h.holds else "FAILS", number(h.margin)) for h in report.hypotheses
    ]
    found = [
        _element("strong", f"{report.name} ({report.source})"),
        *_table(("hypothesis", "", "margin"), rows),
        _element(
            "p", f"Therefore: {report.conclusion}" if report.conclusion else "Not applicable."
        ),
    ]
    if report.certificate is not None:
        found.append(_details("why", _certificate(report.certificate)))
    return found


def _latex(x: Number) -> str:
    if isinstance(x, RationalFunction):
        return f"\\text{{{latex_text(str(x))}}}"
    text = number(x)
    return f"\\approx {text[2:]}" if text.startswith("≈") else latex_number(x)


_DISPLAYS: dict[type, tuple[Callable[[Any], list[Element]], Callable[[Any], str]]] = {
    MDP: (_mdp, _mdp_latex),
    DataDistribution: (
        lambda data: _weights(data.mdp, data.weights, "D", repr(data)),
        lambda data: _weights_latex(data.mdp, data.weights, "D"),
    ),
    Policy: (
        lambda policy: _weights(policy.mdp, policy.probabilities, "π", repr(policy)),
        lambda policy: _weights_latex(policy.mdp, policy.probabilities, "\\pi"),
    ),
    SafetyProblem: (_problem, _problem_latex),
    Certificate: (_certificate, _certificate_latex),
    Verdict: (_verdict, _verdict_latex),
    Statistics: (_statistics, _statistics_latex),
    RadiusProfile: (_profile, _profile_latex),
    SafetyMatrix: (_matrix, _matrix_latex),
    SweepTable: (_sweep, _plain_latex),
    TheoremReport: (_report, _plain_latex),
}
