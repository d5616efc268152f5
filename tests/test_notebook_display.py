"""How objects look in a notebook: HTML and LaTeX of every public object, with nothing to run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from html.parser import HTMLParser

import pytest
from instances import random_instance, random_sparse, to_problem
from IPython.core.formatters import DisplayFormatter
from test_conformance import CASES

import symsafe
from symsafe import (
    MDP,
    Certificate,
    DataDistribution,
    DataSet,
    ParameterSpace,
    Policy,
    Regularizer,
    SafetyProblem,
    UnsupportedError,
    critical_epsilon,
    decide,
    forall_safe,
    loads_problem,
    problems,
    radius,
    radius_curve,
    radius_profile,
    region,
    repair,
)
from symsafe.display import argument
from symsafe.display.outline import MAX_NODES, Branch, outline
from symsafe.display.report import report_html
from symsafe.engine.matrix import safety_matrix
from symsafe.engine.question import Question
from symsafe.theorems import proposition_3_2

# The tags that are built; none of them runs or loads anything, and none has an attribute.
TAGS = {"div", "strong", "p", "pre", "details", "summary", "ul", "li", "table", "tr", "th", "td"}
EVIL = "<script>alert(1)</script>"


FAMILY = """
data = "uniform"
safety = { epsilon = "1/10", regret = 1 }
[bandit.reward]
"<script>alert(1)</script>" = { a = "r", b = 0 }
[parameters]
r = { min = "1/2", max = 1 }
"""


class Reader(HTMLParser):
    """Collects tags and text, and sees that tags are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not attrs
        self.tags.append(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    assert set(reader.tags) <= TAGS
    return reader


def evil_problem() -> SafetyProblem:
    mdp = MDP.bandit({EVIL: {"</td><img src=x onerror=alert(2)>": 1, "$\\input{x}$": 0}})
    return SafetyProblem(mdp, DataDistribution.uniform(mdp), 1, "1/3")


def everything() -> Iterator[object]:
    """At least one of each public kind, with hostile names."""
    for problem in (evil_problem(), loads_problem(problems.text("chatbot-penalised"))):
        yield from (problem, problem.mdp, problem.data, Policy.uniform(problem.mdp))
        verdict = radius(problem, node_limit=40)
        assert verdict.certificate is not None
        yield from (verdict, verdict.certificate, verdict.statistics)
    plain = evil_problem()
    yield radius_profile(plain)
    yield safety_matrix(Question.of(plain))
    family = loads_problem(FAMILY)
    yield region(family)
    yield forall_safe(family)
    yield radius_curve(family)
    yield critical_epsilon(plain.mdp, 1)
    yield repair(plain)
    yield DataSet(plain.mdp)
    yield Regularizer(plain.mdp, "l2", 1)
    yield ParameterSpace({"r": (0, 1)})
    yield proposition_3_2.verify(loads_problem(problems.text("tight-bandit-safe")), sharp=True)
    yield proposition_3_2.verify(loads_problem(problems.text("tight-bandit")), sharp=True)


@pytest.mark.parametrize("thing", list(everything()), ids=lambda thing: type(thing).__name__)
def test_every_object_has_html_and_latex(thing: object) -> None:
    """Well formed, of harmless tags without attributes; LaTeX between dollars without commands."""
    html, latex = thing._repr_html_(), thing._repr_latex_()  # type: ignore[attr-defined]
    read(html)
    assert EVIL not in html
    assert latex.startswith("$")
    assert latex.endswith("$")
    assert "\\input" not in latex
    assert "$" not in latex[1:-1].replace("\\$", "")


def test_jupyter_finds_the_displays() -> None:
    """What a kernel sends to the notebook holds text, HTML and LaTeX."""
    formatter = DisplayFormatter()
    formatter.active_types = ["text/plain", "text/html", "text/latex"]
    for thing in everything():
        data, _ = formatter.format(thing)
        assert set(data) == {"text/plain", "text/html", "text/latex"}


def test_all_public_classes_have_a_display() -> None:
    """No class of the package's front door is left out."""
    names = [name for name in symsafe.__all__ if isinstance(getattr(symsafe, name), type)]
    kinds = [getattr(symsafe, name) for name in names]
    kinds = [kind for kind in kinds if not issubclass(kind, Exception)]
    assert len(kinds) > 8
    assert [kind for kind in kinds if not hasattr(kind, "_repr_html_")] == []


def certificate_of(problem: SafetyProblem) -> Certificate:
    found = radius(problem).certificate
    assert found is not None
    return found


def test_a_certificate_reads_as_an_argument() -> None:
    """What the model says, how rarely the data show it, what the policy does, the regret."""
    text = read(certificate_of(loads_problem(problems.text("chatbot")))._repr_html_()).text
    for part in (
        "agrees with the true reward on 10 of 12",
        "malware/cipher: says 1, true is -2, seen with probability 1/300",
        "with probability 1/150",
        "expected error is 1/240",
        "in fraud it takes cipher instead of refuse",
        "5/9 of what can be lost",
    ):
        assert part in text


def size(branch: Branch) -> int:
    return 1 + branch.hidden + sum(size(child) for child in branch.below)


def test_the_outline_accounts_for_every_node() -> None:
    """Shown and counted nodes are all nodes, in small trees, in large ones, with regularizer."""
    asked = [to_problem(random_instance(seed)) for seed in range(30)]
    asked.append(loads_problem(problems.text("chatbot-penalised")))
    hidden = 0
    for problem in asked:
        certificate = certificate_of(problem)
        root = outline(certificate)
        assert root is not None
        assert size(root) == len(certificate.document["evidence"]["tree"])
        hidden += size(root) > MAX_NODES
        read(certificate._repr_html_())
    assert hidden == 1


def test_whatever_is_accepted_is_shown() -> None:
    """Certificates of all sorts, many of them changed: well-formed pages that name the kind."""
    for case in CASES:
        if not case["refused"]:
            certificate = Certificate(case["document"])
            assert read(certificate._repr_html_()).text
            assert certificate.kind in repr(certificate)


def test_a_tree_is_collapsed() -> None:
    """Nothing is open until the reader opens it."""
    verdict = decide(loads_problem(problems.text("vertex-cover")))
    assert verdict.certificate is not None
    html = verdict.certificate._repr_html_()
    assert "<details open" not in html
    text = read(html).text
    assert "what does the policy take in" in text
    assert "too expensive: an expected error of at least" in text


def test_large_objects_are_cut() -> None:
    """A page shows a hundred rows and says how many there are."""
    problem = to_problem(random_sparse(60, 3, seed=1, regret=Fraction(1)))
    html = problem.data._repr_html_()
    assert html.count("<tr>") == 101
    assert "and 80 more rows" in html
    assert problem.data._repr_latex_().count("\n") < 110


def test_without_display_libraries_everything_imports() -> None:
    """Neither matplotlib nor jinja2, pandas, dask or gymnasium is loaded by the package."""
    code = (
        "import sys, symsafe, symsafe.cli\n"
        "found = {'matplotlib', 'jinja2', 'pandas', 'dask', 'gymnasium'} & set(sys.modules)\n"
        "assert not found, found"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_texts_are_compact() -> None:
    """One line for each object, whatever it holds."""
    for thing in everything():
        if not isinstance(thing, (Regularizer, ParameterSpace)):
            assert len(repr(thing)) < 3_000
    certificate = certificate_of(loads_problem(problems.text("tight-bandit")))
    assert repr(certificate) == "Certificate(radius, regret 3/5, lower 3/50, upper 3/50)"


def test_certificates_of_another_kind_are_shown_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind that has no argument here still has a display, and no report."""
    certificate = certificate_of(loads_problem(problems.text("tight-bandit")))
    monkeypatch.setattr(argument, "_KINDS", ("unsafe",))
    assert certificate._repr_html_() == (  # type: ignore[attr-defined]
        "<div><pre>Certificate(radius, regret 3/5, lower 3/50, upper 3/50)</pre></div>"
    )
    assert certificate._repr_latex_().startswith("$")  # type: ignore[attr-defined]
    with pytest.raises(UnsupportedError):
        report_html(certificate)
