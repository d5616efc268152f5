"""Certificates and matrices as tables: rows of text, CSV for a spreadsheet, LaTeX for a paper."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction

from symsafe.certificate import Certificate
from symsafe.display.argument import Facts, facts_of, number
from symsafe.engine.matrix import SafetyMatrix
from symsafe.exact import Number, exact, format_fraction
from symsafe.model import MDP
from symsafe.model.files import csv_text

__all__ = [
    "certificate_csv",
    "certificate_latex",
    "certificate_rows",
    "latex_number",
    "latex_text",
    "matrix_csv",
    "matrix_latex",
    "short_rows",
]

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    # In the default encoding these would be other signs, or form ligatures.
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
}
_SIGNS = re.compile("|".join(map(re.escape, _SPECIAL)))

Row = tuple[str, ...]


def certificate_rows(certificate: Certificate | Facts) -> tuple[Row, list[Row]]:
    """Return the head and the rows of the table of a certificate, one row a pair.

    Columns: state, action, D and R; if the certificate has a reward model R^ also R^, its error
    |R^ - R| and the probability of the action under the policy, empty in states that it never
    visits.
    """
    facts = facts_of(certificate)
    problem, deception = facts.problem, facts.deception
    head: Row = ("state", "action", "D", "R")
    columns: list[Sequence[Number | None]] = [problem.data.weights, problem.mdp.rewards]
    if deception is not None:
        head += ("R_hat", "error", "policy")
        columns += [deception.reward, deception.errors, deception.policy]
    rows = [
        (*pair, *(_cell(column[p]) for column in columns))
        for p, pair in enumerate(problem.mdp.pairs)
    ]
    return head, rows


def short_rows(certificate: Certificate | Facts) -> tuple[Row, list[Row]]:
    """Return the table of a certificate for a reader: long numbers with six digits."""
    head, rows = certificate_rows(certificate)
    return head, [(*row[:2], *(number(exact(x)) if x else "" for x in row[2:])) for row in rows]


def certificate_csv(certificate: Certificate) -> str:
    """Return the table of a certificate as comma-separated values, numbers as fractions.

    A name that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    return csv_text(*certificate_rows(certificate))


def certificate_latex(certificate: Certificate) -> str:
    """Return the table of a certificate as a LaTeX ``tabular``, with names escaped."""
    head, rows = certificate_rows(certificate)
    titles = {"D": "$D$", "R": "$R$", "R_hat": r"$\hat R$", "error": r"$|\hat R - R|$"}
    titles["policy"] = r"$\hat\pi$"
    body = [
        [latex_text(cell) for cell in row[:2]]
        + [f"${latex_number(exact(x))}$" if x else "" for x in row[2:]]
        for row in rows
    ]
    return _tabular("ll" + "r" * (len(head) - 2), [titles.get(name, name) for name in head], body)


def matrix_csv(matrix: SafetyMatrix, mdp: MDP) -> str:
    """Return M with a head of pairs ``state.action`` as comma-separated values."""
    rows = [tuple(format_fraction(x) for x in row.entries) for row in matrix.rows]
    return csv_text(tuple(".".join(pair) for pair in mdp.pairs), rows)


def matrix_latex(matrix: SafetyMatrix, mdp: MDP) -> str:
    r"""Return M as a LaTeX ``tabular`` with a column for each pair.

    Examples
    --------
    >>> latex_number(Fraction(-3, 5)), latex_text("50% & more_")
    ('-\\frac{3}{5}', '50\\% \\& more\\_')
    """
    titles = [latex_text(".".join(pair)) for pair in mdp.pairs]
    body = [[f"${latex_number(x)}$" for x in row.entries] for row in matrix.rows]
    return _tabular("r" * len(titles), titles, body)


def latex_number(number: Fraction) -> str:
    """Return a number for LaTeX's mathematics."""
    top, _, bottom = format_fraction(abs(number)).partition("/")
    sign = "-" if number < 0 else ""
    return f"{sign}\\frac{{{top}}}{{{bottom}}}" if bottom else f"{sign}{top}"


def latex_text(text: str) -> str:
    """Return text for LaTeX in which nothing is a command."""
    return _SIGNS.sub(lambda match: _SPECIAL[match[0]], text)


def _cell(x: Number | None) -> str:
    return "" if x is None else format_fraction(exact(x))


def _tabular(columns: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"\\begin{{tabular}}{{{columns}}}", r"\hline", " & ".join(head) + r" \\", r"\hline"]
    lines += [" & ".join(row) + r" \\" for row in rows]
    return "\n".join([*lines, r"\hline", r"\end{tabular}"]) + "\n"
