"""The shipped example problems: which there are, what each is, and its text.

The files are package data and are read through `importlib.resources`. Nothing here parses them;
that is the work of `symsafe.loads_problem`.
"""

from __future__ import annotations

from difflib import get_close_matches
from importlib.resources import files

from symsafe.errors import InputError

__all__ = ["describe", "names", "text"]

_SUFFIX = ".toml"


def names() -> tuple[str, ...]:
    """Return the names of the shipped problems in alphabetical order.

    Examples
    --------
    >>> "chatbot" in names()
    True
    """
    found = (entry.name for entry in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in found if name.endswith(_SUFFIX)))


def text(name: str) -> str:
    """Return the TOML text of a shipped problem.

    Raises
    ------
    InputError
        If there is no problem of that name.

    Examples
    --------
    >>> from symsafe import loads_problem
    >>> loads_problem(text("chatbot")).mdp.states
    ('explosives', 'malware', 'fraud')
    >>> text("chatbott")
    Traceback (most recent call last):
        ...
    symsafe.errors.InputError: example: found chatbott; expected a shipped problem (chatbot?)
    """
    known = names()
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"{near[0]}?" if near else ", ".join(known)
        raise InputError("example", name, f"a shipped problem ({hint})")
    return files(__name__).joinpath(f"{name}{_SUFFIX}").read_text(encoding="utf-8")


def describe(name: str) -> str:
    """Return the first line of a shipped problem: what it is, and the answer if it is known.

    Raises
    ------
    InputError
        If there is no problem of that name.

    Examples
    --------
    >>> describe("tight-bandit").split(":")[0]
    'Tight bandit'
    """
    return text(name).splitlines()[0].removeprefix("#").strip()
