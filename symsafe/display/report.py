"""A certificate as one page for a browser: verdict, argument, pictures, table and tree.

Self-contained: no script, no network (its policy forbids both). Everything that comes from the
certificate is escaped by the template engine; pictures are images, in which nothing runs.
"""

from __future__ import annotations

import base64
import io
import shlex
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import Any

from symsafe.certificate import Certificate
from symsafe.display.argument import Facts, argue, facts_of, number
from symsafe.display.outline import outline
from symsafe.display.pictures import MAX_PAIRS, MAX_STATES, plot_mdp, plot_rewards, save_svg
from symsafe.display.tables import short_rows
from symsafe.errors import UnsupportedError
from symsafe.exact import exact

__all__ = ["report_html"]

MAX_ROWS = 5_000
_SIZES = {"mdp": (8, 5.5), "rewards": (9, 4.5)}


@dataclass(frozen=True, slots=True)
class _Row:
    cells: tuple[str, ...]
    wrong: bool


@dataclass(frozen=True, slots=True)
class _Picture:
    caption: str
    data: str


def report_html(certificate: Certificate, source: str = "CERT.json") -> str:
    """Return the report of a certificate as one HTML page.

    Parameters
    ----------
    certificate : Certificate
        It is checked first; a certificate that is refused has no report.
    source : str
        The name of its file, which the page shows.

    Returns
    -------
    str
        The page. Pictures are on it if matplotlib (extra ``plot``) is installed and the MDP is
        small enough for them. Of the table at most 5,000 rows, of the tree the upper part.

    Raises
    ------
    CertificateRejected
        If the checker refuses the certificate.
    UnsupportedError
        Without Jinja2 (extra ``report``).

    Examples
    --------
    >>> from symsafe import decide, loads_problem, problems
    >>> page = report_html(decide(loads_problem(problems.text("chatbot"))).certificate)
    >>> "<script" in page, "malware/cipher" in page
    (False, True)
    """
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError:
        raise UnsupportedError('a report needs Jinja2: pip install "symsafe[report]"') from None
    facts = facts_of(certificate)
    head, rows = short_rows(facts)
    wrong = facts.deception.errors if facts.deception else (0,) * len(rows)
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    text = files("symsafe.display").joinpath("templates/report.html").read_text(encoding="utf-8")
    kind = certificate.kind
    return environment.from_string(text).render(
        kind=kind,
        verdict=_verdict(facts),
        sentence=facts.sentence,
        nodes=sum(facts.nodes.values()),
        pairs=len(rows),
        states=len(facts.problem.mdp.states),
        digest=certificate.document["digest"],
        steps=argue(facts)[1:],
        pictures=_pictures(facts),
        head=head,
        rows=[_Row(row, bool(error)) for row, error in zip(rows[:MAX_ROWS], wrong, strict=False)],
        more_rows=max(0, len(rows) - MAX_ROWS),
        tree=outline(facts),
        source=shlex.quote(source),
        version=_version(),
    )


def _verdict(facts: Facts) -> str:
    claim = facts.certificate.document["claim"]
    if claim["kind"] != "radius":
        return str(claim["kind"])
    if claim["lower"] != claim["upper"]:
        return "bounds of the safety radius"
    return f"safety radius {number(exact(claim['lower']))}"


def _version() -> str:
    try:
        return version("symsafe")
    except PackageNotFoundError:  # run from a source tree
        return "(not installed)"


def _pictures(facts: Facts) -> list[_Picture]:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return []
    mdp = facts.problem.mdp
    told = facts.deception is not None
    found = []
    if len(mdp.states) <= MAX_STATES:
        caption = (
            "The MDP: circles are states, dots are actions, wider stems are seen more often"
            + (". In red what the policy does that is optimal for the reward model" if told else "")
        )
        given = facts.certificate if told else None
        found.append(
            _picture(
                Figure(_SIZES["mdp"]),
                lambda ax: plot_mdp(facts.problem, certificate=given, ax=ax),
                caption,
            )
        )
    if told and len(mdp.pairs) <= MAX_PAIRS:
        caption = "True reward (dots), reward model (crosses) and data distribution (bars)"
        found.append(
            _picture(
                Figure(_SIZES["rewards"]),
                lambda ax: plot_rewards(facts.certificate, ax=ax),
                caption,
            )
        )
    return found


def _picture(figure: Any, draw: Callable[[Any], Any], caption: str) -> _Picture:
    draw(figure.subplots())
    file = io.BytesIO()
    with warnings.catch_warnings():
        # A name may use signs that the font lacks; they become boxes.
        warnings.simplefilter("ignore", UserWarning)
        save_svg(figure, file)
    return _Picture(caption, base64.b64encode(file.getvalue()).decode("ascii"))
