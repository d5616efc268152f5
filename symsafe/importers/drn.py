"""MDPs in the DRN files of the model checker Storm, read exactly and without Storm.

Format: https://www.stormchecker.org/documentation/background/drn.html. Decimals mean what is
written; nothing is normalised.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from os import PathLike

from symsafe.errors import InputError, UnsupportedError
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
from symsafe.model.tables import read_path, require_known

__all__ = ["from_drn"]

_STATE = re.compile(r"state\s+(\d+)\s*(?:\[([^\]]*)\])?\s*(.*)")
_ACTION = re.compile(r"action\s+([^\s\[]+)\s*(?:\[([^\]]*)\])?")
_MOVE = re.compile(r"(\d+)\s*:\s*(\S+)")
_SECTIONS = (
    "@type",
    "@value_type",
    "@parameters",
    "@reward_models",
    "@nr_states",
    "@nr_choices",
    "@model",
)
_NO_LABEL = "__NOLABEL__"


@dataclass(slots=True)
class _Choice:
    line: Line
    label: str
    rewards: list[str]
    row: dict[int, Fraction] = field(default_factory=dict)


@dataclass(slots=True)
class _State:
    line: Line
    rewards: list[str]
    is_initial: bool
    choices: list[_Choice] = field(default_factory=list)


def from_drn(
    path: str | PathLike[str],
    *,
    discount: object,
    reward: str | None = None,
    initial: int | None = None,
    rounding: Rounding | str | None = None,
) -> MDP:
    """Return the exact MDP of a DRN file.

    Parameters
    ----------
    path : path
    discount : number
        Exact, in [0, 1); the file has none.
    reward : str, optional
        Which reward model; needed if the file has several.
    initial : int, optional
        Initial state, instead of the one marked ``init``.
    rounding : Rounding or str, optional
        For decimals, as in `from_prism`; fractions such as ``1/3`` are exact.

    Returns
    -------
    MDP
        States ``s0``, ``s1``, ...; choices named by their action, ``a0``, ... where it is
        ``__NOLABEL__``. Equal actions of a state get numbers: ``go``, ``go#2``.

    Raises
    ------
    InputError
        With file and line: for a wrong shape, a number out of range, a row that does not sum to
        exactly 1, a state without choices, several initial states, an unknown reward model.
    UnsupportedError
        For models that are no MDP, with parameters, or with intervals.

    Notes
    -----
    R(s, a) is the reward of the state plus that of the action. At most 64 MiB, 100,000 states.
    """
    rule = Rounding.read(rounding)
    name = os.path.basename(read_path(path))
    lines = read_lines(path, comment="//")
    models, sizes = _read_header(lines, name)
    states = _read_states(lines, sizes[0], len(models), rule)
    count, choices = len(states), sum(len(state.choices) for state in states)
    if (count, choices) != sizes:
        raise InputError(
            name, f"{count} states and {choices} choices", f"{sizes[0]} and {sizes[1]}"
        )
    column = _column(models, reward, name)
    gains = []
    for state in states:
        if not state.choices:
            state.line.refuse("a state without choices", "at least one action")
        held = _reward(state.line, state.rewards, column, rule)
        gains += [held + _reward(c.line, c.rewards, column, rule) for c in state.choices]
    begin = start((s for s, x in enumerate(states) if x.is_initial), initial, count, name)
    return MDP(
        states=tuple(f"s{s}" for s in range(count)),
        actions=tuple(
            unique([c.label if c.label != _NO_LABEL else f"a{i}" for i, c in enumerate(s.choices)])
            for s in states
        ),
        successors=tuple(distribution(c.row, c.line, rule) for s in states for c in s.choices),
        rewards=tuple(gains),
        initial=tuple(Fraction(int(s == begin)) for s in range(count)),
        discount=exact(discount, "discount"),
    )


def _read_header(lines: Iterator[Line], name: str) -> tuple[list[str], tuple[int, int]]:
    """Return the reward models, and how many states and choices there are."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in lines:
        if not line.text.startswith("@"):
            if not section:
                line.refuse(repr(line.text[:60]), "a section such as @type: MDP")
            found[section] += line.text.split()
            continue
        section, _, rest = (part.strip() for part in line.text.partition(":"))
        if section not in _SECTIONS:
            line.refuse(section[:60], f"one of {', '.join(_SECTIONS)}")
        if section in found:
            line.refuse(f"{section} again", "each section once")
        found[section] = rest.split()
        if section in ("@nr_states", "@nr_choices"):
            found[section] += (following := next(lines, line)).text.split()
            bound = MAX_STATES if section == "@nr_states" else MAX_CHOICES
            if len(found[section]) != 1:
                following.refuse(repr(following.text[:60]), "one number")
            following.index(found[section][0], bound + 1, "a number")
        if section == "@model":
            break
    for needed in ("@type", "@nr_states", "@nr_choices", "@model"):
        if needed not in found:
            raise InputError(name, f"no section {needed}", "a DRN file")
    if [kind.upper() for kind in found["@type"]] != ["MDP"]:
        kind = " ".join(found["@type"])[:60]
        raise UnsupportedError(f"{name}: models of the type {kind} are not read, only MDP")
    if found.get("@parameters"):
        raise UnsupportedError(f"{name}: parametric models are not read from DRN")
    sizes = int(found["@nr_states"][0]), int(found["@nr_choices"][0])
    return found.get("@reward_models", []), sizes


def _read_states(
    lines: Iterator[Line], count: int, models: int, rule: Rounding | None
) -> list[_State]:
    states: list[_State] = []
    for line in lines:
        word = line.text.split(None, 1)[0]
        if word == "state":
            match = _STATE.fullmatch(line.text)
            if match is None or line.index(match[1], count, "a state") != len(states):
                line.refuse(repr(line.text[:60]), f"state {len(states)}, as states come in order")
            rewards = _listed(line, match[2], models)
            states.append(_State(line, rewards, "init" in match[3].split()))
        elif word == "action":
            match = _ACTION.fullmatch(line.text)
            if match is None or not states:
                line.refuse(repr(line.text[:60]), "an action of a state, as: action go [1/2]")
            rewards = _listed(line, match[2], models)
            states[-1].choices.append(_Choice(line, match[1], rewards))
        else:
            match = _MOVE.fullmatch(line.text)
            if match is None or not states or not states[-1].choices:
                line.refuse(repr(line.text[:60]), "a successor and its probability, as 3 : 1/2")
            row = states[-1].choices[-1].row
            target = line.index(match[1], count, "a state")
            if target in row:
                line.refuse(f"the successor {target} again", "each successor once")
            if match[2].startswith("["):
                raise UnsupportedError(f"{line.file}: intervals are not read from DRN")
            row[target] = line.number_of(match[2], "probability", rule)
            if row[target] < 0:
                line.refuse(match[2], "a probability of at least 0")
    return states


def _listed(line: Line, rewards: str | None, models: int) -> list[str]:
    """Return the rewards in brackets: none, or one for each reward model."""
    listed = [] if rewards is None else [text.strip() for text in rewards.split(",")]
    if len(listed) not in (0, models):
        line.refuse(f"{len(listed)} rewards", f"{models}, one for each reward model")
    return listed


def _column(models: list[str], wanted: str | None, name: str) -> int:
    if not models:
        raise InputError("reward", f"no reward model in {name}", "a file with rewards")
    if wanted is None:
        if len(models) > 1:
            found = f"{len(models)} reward models in {name}"
            raise InputError("reward", found, f"the name of one: {', '.join(models[:8])}")
        return 0
    require_known(wanted, models, "reward", "a reward model")
    return models.index(wanted)


def _reward(line: Line, rewards: list[str], column: int, rule: Rounding | None) -> Fraction:
    return line.number_of(rewards[column], "reward", rule) if rewards else Fraction(0)
