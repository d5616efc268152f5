"""MDPs in the explicit files of PRISM: transitions, labels, states and rewards.

Format: appendix "Explicit Model Files" of the PRISM manual, as ``prism -exportmodel`` writes it.
Decimals mean what is written; nothing is normalised.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from fractions import Fraction
from os import PathLike

from symsafe.errors import InputError
from symsafe.exact import exact
from symsafe.importers.lines import (
    MAX_CHOICES,
    MAX_STATES,
    Line,
    distribution,
    read_lines,
    start,
    unique,
)
from symsafe.importers.rounding import Rounding
from symsafe.model import MDP
from symsafe.model.tables import read_path

__all__ = ["from_prism"]

Path = str | PathLike[str]
# Bounded repetition: a long line of digits must not take quadratic time.
_LABEL = re.compile(r'(\d{1,9})="([^"]{1,200})"', re.ASCII)
_MARKED = re.compile(r"(\d+):((?:\s+\d+)*)", re.ASCII)
_STATE = re.compile(r"(\d+):(.+)", re.ASCII)


def from_prism(
    transitions: Path,
    *,
    discount: object,
    initial: int | None = None,
    rounding: Rounding | str | None = None,
    labels: Path | None = None,
    states: Path | None = None,
    state_rewards: Path | None = None,
    transition_rewards: Path | None = None,
) -> MDP:
    """Return the exact MDP of PRISM's explicit files.

    Parameters
    ----------
    transitions : path
        The ``.tra`` file: ``states choices transitions``, then a line ``state choice successor
        probability [action]`` for each transition. Choices of a state count from 0.
    discount : number
        Exact, in [0, 1); PRISM's files have none.
    initial : int, optional
        Initial state, instead of the one with the label ``init``.
    rounding : Rounding or str, optional
        For decimals such as ``0.3333333333333333``. By default a decimal means what is written, so
        that a row of three of them does not sum to 1 and is refused; ``"nearest:1000"`` reads it
        as 1/3.
    labels, states, state_rewards, transition_rewards : path, optional
        By default the files beside `transitions` with the same name and the ending ``.lab``,
        ``.sta``, ``.srew`` and ``.trew``, if they exist.

    Returns
    -------
    MDP
        States are named ``s0``, ... or by the values in the ``.sta`` file, choices by their action,
        ``a0``, ... if they have none. Equal actions of a state get numbers: ``go``, ``go#2``.

    Raises
    ------
    InputError
        With file and line: for a wrong shape, a number out of range, a row that does not sum to
        exactly 1, a state without choices, several initial states.

    Notes
    -----
    R(s, a) is the reward of the state plus the expected reward of the transitions, computed
    exactly. The range of R is that of these expectations, which may be smaller than the range of
    the rewards in the files; epsilon is relative to it. At most 64 MiB a file, 100,000 states.
    """
    rule = Rounding.read(rounding)
    base = os.path.splitext(read_path(transitions))[0]
    rows, names = _read_transitions(transitions, rule)
    count = len(rows)
    counts = [len(choices) for choices in rows]
    gains = [[Fraction(0)] * number for number in counts]
    file = _beside(state_rewards, base, ".srew")
    if file is not None:
        for state, reward in _read_state_rewards(file, count, rule):
            gains[state] = [gain + reward for gain in gains[state]]
    file = _beside(transition_rewards, base, ".trew")
    if file is not None:
        for line, s, c, t, reward in _read_transition_rewards(file, counts, rule):
            if t not in rows[s][c]:
                line.refuse(f"a reward for {s} {c} {t}", "one of the transitions")
            gains[s][c] += rows[s][c][t] * reward
    file = _beside(labels, base, ".lab")
    marked = set() if file is None else _read_initial(file, count)
    begin = start(marked, initial, count, "the labels")
    file = _beside(states, base, ".sta")
    return MDP(
        states=tuple(f"s{s}" for s in range(count)) if file is None else _read_names(file, count),
        actions=tuple(names),
        successors=tuple(tuple(row.items()) for choices in rows for row in choices),
        rewards=tuple(gain for choices in gains for gain in choices),
        initial=tuple(Fraction(int(s == begin)) for s in range(count)),
        discount=exact(discount, "discount"),
    )


def _beside(given: Path | None, base: str, ending: str) -> str | None:
    if given is not None:
        return read_path(given)
    return base + ending if os.path.isfile(base + ending) else None


def _lines(path: Path) -> Iterator[Line]:
    """Yield the lines behind the comments and the line with sizes, which is read by the caller."""
    return read_lines(path, comment="#")


def _sizes(lines: Iterator[Line], path: Path, count: int, what: str) -> tuple[Line, list[int]]:
    line = next(lines, None)
    if line is None:
        raise InputError(os.fspath(path), "an empty file", what)
    words = line.text.split()
    if len(words) != count:
        line.refuse(repr(line.text[:60]), what)
    return line, [line.index(word, 100_000_000, "a size") for word in words]


def _read_transitions(
    path: Path, rule: Rounding | None
) -> tuple[list[list[dict[int, Fraction]]], list[tuple[str, ...]]]:
    lines = _lines(path)
    shape = "the sizes of an MDP: states choices transitions (Markov chains have no policies)"
    head, (count, choices, size) = _sizes(lines, path, 3, shape)
    if not 0 < count <= MAX_STATES or not 0 < choices <= MAX_CHOICES:
        head.refuse(head.text, f"1 to {MAX_STATES} states and 1 to {MAX_CHOICES} choices")
    rows: list[dict[int, dict[int, Fraction]]] = [{} for _ in range(count)]
    first: dict[tuple[int, int], Line] = {}
    labels: dict[tuple[int, int], str] = {}
    read = 0
    for line in lines:
        words = line.text.split()
        if len(words) not in (4, 5):
            line.refuse(repr(line.text[:60]), "state choice successor probability [action]")
        s, c = line.index(words[0], count, "a state"), line.index(words[1], choices, "a choice")
        t = line.index(words[2], count, "a state")
        row = rows[s].setdefault(c, {})
        if t in row:
            line.refuse(f"the transition {s} {c} {t} again", "each transition once")
        row[t] = line.number_of(words[3], "probability", rule)
        if row[t] < 0:
            line.refuse(words[3], "a probability of at least 0")
        label = words[4] if len(words) == 5 else ""
        if labels.setdefault((s, c), label) != label:
            line.refuse(f"the action {label!r}", f"the action of the choice, {labels[s, c]!r}")
        first.setdefault((s, c), line)
        read += 1
    if (found := sum(map(len, rows)), read) != (choices, size):
        head.refuse(f"{found} choices and {read} transitions in the file", head.text)
    for s, table in enumerate(rows):
        if not table or max(table) != len(table) - 1:
            numbers = ", ".join(map(str, sorted(table)[:8])) or "no choice"
            raise InputError(
                f"{head.file}, state {s}", numbers, "choices numbered from 0 without a gap"
            )
    exact_rows = [
        [dict(distribution(table[c], first[s, c], rule)) for c in range(len(table))]
        for s, table in enumerate(rows)
    ]
    names = [
        unique([labels[s, c] or f"a{c}" for c in range(len(table))]) for s, table in enumerate(rows)
    ]
    return exact_rows, names


def _read_state_rewards(
    path: Path, count: int, rule: Rounding | None
) -> Iterator[tuple[int, Fraction]]:
    lines = _lines(path)
    head, (states, size) = _sizes(lines, path, 2, "the sizes: states rewards")
    if states != count:
        head.refuse(f"{states} states", f"{count}, as in the transitions")
    seen = set()
    for line in lines:
        words = line.text.split()
        if len(words) != 2:
            line.refuse(repr(line.text[:60]), "state reward")
        state = line.index(words[0], count, "a state")
        if state in seen:
            line.refuse(f"state {state} again", "each state once")
        seen.add(state)
        yield state, line.number_of(words[1], "reward", rule)
    if len(seen) != size:
        head.refuse(f"{len(seen)} rewards in the file", str(size))


def _read_transition_rewards(
    path: Path, counts: list[int], rule: Rounding | None
) -> Iterator[tuple[Line, int, int, int, Fraction]]:
    lines = _lines(path)
    head, (states, choices, size) = _sizes(lines, path, 3, "the sizes: states choices rewards")
    if states != len(counts) or choices != sum(counts):
        head.refuse(
            f"{states} states and {choices} choices", f"{len(counts)} and {sum(counts)}, as in .tra"
        )
    seen = set()
    for line in lines:
        words = line.text.split()
        if len(words) not in (4, 5):
            line.refuse(repr(line.text[:60]), "state choice successor reward")
        s = line.index(words[0], states, "a state")
        c = line.index(words[1], counts[s], "a choice")
        t = line.index(words[2], states, "a state")
        if (s, c, t) in seen:
            line.refuse(f"the transition {s} {c} {t} again", "each transition once")
        seen.add((s, c, t))
        yield line, s, c, t, line.number_of(words[3], "reward", rule)
    if len(seen) != size:
        head.refuse(f"{len(seen)} rewards in the file", str(size))


def _read_initial(path: Path, count: int) -> set[int]:
    """Return the states with the label ``init``."""
    lines = _lines(path)
    head = next(lines, None)
    if head is None:
        raise InputError(os.fspath(path), "an empty file", 'labels such as 0="init"')
    labels = dict(_LABEL.findall(head.text))
    if _LABEL.sub("", head.text).strip():
        head.refuse(repr(head.text[:60]), 'labels such as 0="init" 1="deadlock"')
    wanted = {number for number, label in labels.items() if label == "init"}
    found = set()
    for line in lines:
        match = _MARKED.fullmatch(line.text)
        if match is None:
            line.refuse(repr(line.text[:60]), "a state and the numbers of its labels, as 3: 0 2")
        state = line.index(match[1], count, "a state")
        if wanted & set(match[2].split()):
            found.add(state)
    return found


def _read_names(path: Path, count: int) -> tuple[str, ...]:
    lines = _lines(path)
    next(lines, None)  # the names of the variables
    names: dict[int, str] = {}
    for line in lines:
        match = _STATE.fullmatch(line.text)
        if match is None:
            line.refuse(repr(line.text[:60]), "a state and its values, such as 0:(1,true)")
        state = line.index(match[1], count, "a state")
        if state in names:
            line.refuse(f"state {state} again", "each state once")
        names[state] = match[2]
    if len(names) != count:
        raise InputError(os.fspath(path), f"{len(names)} states", f"{count}, as in .tra")
    return tuple(names[state] for state in range(count))
