"""Problem files: the text of a safety problem, read exactly and written back exactly.

TOML, or JSON of the same structure::

    [mdp]
    states = ["s0", "s1"]            # optional; else the order of the transitions
    actions = ["stay", "go"]         # optional; or a list for each state
    discount = "9/10"
    initial = { s0 = 1 }             # or the name of a single state
    [mdp.transitions.s0]             # omitted state-action pairs do not exist
    stay = { s0 = 1 }
    go = { s1 = "4/5", s0 = 0.2 }    # a float is the decimal that is written
    [mdp.transitions.s1]
    stay = { s1 = 1 }
    [mdp.reward]
    s0 = { stay = 0, go = "1/2" }
    s1 = { stay = "r" }              # a parameter
    [data]                           # missing pairs have weight 0; or  data = "uniform", or, for
                                     # a bandit with a reference policy,  data = "reference"
    s0 = { stay = "1/2", go = "1/4" }
    s1 = { stay = "1/4" }
    [counts]                         # in place of [data]: labelled samples; missing pairs have 0
    s0 = { stay = 20, go = 10 }
    [safety]
    regret = "1/2"                   # L
    epsilon = "1/10"                 # optional
    [parameters]                     # optional
    r = { min = "1/2", max = 2 }
    constraints = ["r*r < 3"]        # optional
    [coverage]                       # optional: which data could be collected; all by default
    states = "data"                  # the totals of the states, or a table state -> total
    minimum = { s0 = { go = "1/10" } }
    maximum = { s1 = { stay = "1/2" } }
    rows = [{ weights = { s0 = { go = 3 }, s1 = { stay = 1 } }, at_most = 2 }]  # or exactly

A coverage may be a ``mixture`` instead: a list of data distributions, to be mixed.

A contextual bandit has ``[bandit]`` with ``reward`` and optionally ``states``, ``actions`` and
``initial`` in place of ``[mdp]``.

With ``format = "arrays"`` at the top, the table ``mdp`` holds ``transitions`` (nested lists of
shape S×A×S, or a list of ``[state, action, successor, probability]`` with indices from 0),
``reward`` (S×A), ``initial`` (a list of S numbers or the name of a state), ``discount``, and
optionally ``states`` and ``actions``; ``data`` is a list of shape S×A or ``"uniform"``.

With the same ``format`` and no table ``mdp`` the file is a contextual bandit of any size, as
`BanditArrays` reads it: lists of whole numbers ``actions``, ``initial``, ``reward`` and ``data``,
with ``regret`` and optionally ``epsilon``.

A file is at most 64 MiB (256 MiB if it is JSON that begins with ``"format": "arrays"``), nested at
most 32 deep. Unknown and repeated keys are refused.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import secrets
import shutil
import stat
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import Any, cast

import tomli_w

from symsafe.errors import InputError
from symsafe.exact import Number, entry, exact, format_fraction
from symsafe.model.arrays import BanditArrays
from symsafe.model.data import DataDistribution
from symsafe.model.data_set import DataSet
from symsafe.model.mdp import MDP
from symsafe.model.parameters import ParameterSpace
from symsafe.model.problem import METRICS, SafetyProblem, require_problem
from symsafe.model.regularizer import Regularizer
from symsafe.model.tables import path as place
from symsafe.model.tables import read_list, read_path, read_table, require_known, shown

__all__ = [
    "csv_text",
    "dumps_problem",
    "load_any",
    "load_problem",
    "loads_problem",
    "make_folder",
    "read_bytes",
    "require_writable",
    "save_problem",
    "write_atomically",
]

MAX_BYTES = 64 * 2**20
_MAX_ARRAY_BYTES = 256 * 2**20
_OPENING = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"format"\s*:\s*"arrays"')
MAX_NESTING = 32
_ANYBODY_WRITES = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
# The time that tomllib takes for a dotted key grows with the square of its dots.
_MAX_DOTS = 1_000
# A little less than the 4,300 digits that Python prints, so that a message can show the number.
_MAX_BITS = 14_000
# What a spreadsheet would take for a formula, unless it is a number.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NEGATIVE = re.compile(r"-\d+(/\d+)?", re.ASCII)
_KEY_RUN = re.compile(r"[^=\[\]{},\n]+")
# Integers that every reader of JSON keeps; larger ones are written as strings.
_PLAIN_INTEGER = 2**53
_FORMATS = ("toml", "json")
_FILE_KEYS = (
    "format",
    "mdp",
    "bandit",
    "data",
    "counts",
    "safety",
    "regularizer",
    "parameters",
    "coverage",
)
_MDP_KEYS = ("states", "actions", "discount", "initial", "transitions", "reward")
_BANDIT_KEYS = ("states", "actions", "initial", "reward")


class _Refused:
    """A number that was written but cannot be read; the reader of its field says so."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def load_problem(path: str | PathLike[str]) -> SafetyProblem:
    """Read a problem file; ``"-"`` is standard input.

    A name that ends in ``.toml`` or ``.json`` says what the text is; otherwise its first character
    does.

    Raises
    ------
    InputError
        If the file cannot be read, is no TOML or JSON, or does not hold a valid problem.
    """
    source, document = _load_document(path)
    if _is_bandit_of_arrays(document):
        what = "a problem with names; arrays of integers are for `decide` and `radius` alone"
        raise InputError(source, "a bandit given by arrays", what)
    return _read_problem(document, source)


def load_any(path: str | PathLike[str]) -> SafetyProblem | BanditArrays:
    """Read a problem file as `load_problem` does, or a bandit that is given by arrays.

    Raises
    ------
    InputError
        As `load_problem` and `BanditArrays` do.
    """
    source, document = _load_document(path)
    if _is_bandit_of_arrays(document):
        return BanditArrays.from_document(read_table(document, source))
    return _read_problem(document, source)


def _is_bandit_of_arrays(document: object) -> bool:
    if not isinstance(document, dict) or document.get("format") != "arrays":
        return False
    return "mdp" not in document and "bandit" not in document


def _load_document(path: str | PathLike[str]) -> tuple[str, object]:
    """Return what a file is called in messages, and what it holds."""
    source = read_path(path)
    content = read_bytes(source, _MAX_ARRAY_BYTES, "file")
    source = "standard input" if source == "-" else source
    limit = _MAX_ARRAY_BYTES if _OPENING.match(content) else MAX_BYTES
    if len(content) > limit:
        raise _too_long(source, limit)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"byte 0x{content[error.start]:02x} at offset {error.start}"
        raise InputError(source, found, "UTF-8 text") from None
    suffix = os.path.splitext(source)[1].lower().removeprefix(".")
    if suffix not in _FORMATS:
        suffix = "json" if text.lstrip().startswith("{") else "toml"
    return source, _parse(text, suffix, source)


def _parse(text: str, format: str, source: str) -> object:
    try:
        return _parse_json(text, source) if format == "json" else _parse_toml(text, source)
    except RecursionError:
        raise _too_deep(source) from None


def read_bytes(path: str | PathLike[str], limit: int, field: str) -> bytes:
    """Return what is in a file, or ``"-"`` for standard input: one byte beyond the limit at most.

    It is opened and read once, as it may be a pipe.

    Raises
    ------
    InputError
        If it cannot be read; with this field.
    """
    source = read_path(path, field)
    try:
        if source != "-":
            with open(source, "rb") as file:
                return file.read(limit + 1)
        if sys.stdin is None:  # closed by the shell
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return sys.stdin.buffer.read(limit + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(field, source, f"a readable file ({reason})") from None


def loads_problem(text: str, format: str = "toml", source: str = "<text>") -> SafetyProblem:
    """Read a problem from text.

    Parameters
    ----------
    text : str
        A problem file.
    format : str
        ``"toml"`` or ``"json"``.
    source : str
        Named in syntax errors.

    Raises
    ------
    InputError
        If the text is no TOML or JSON (with the line), or does not hold a valid problem (with the
        field).

    Examples
    --------
    >>> loads_problem('''
    ... data = "uniform"
    ... safety = { regret = 0.6, epsilon = "1/10" }
    ... [bandit.reward]
    ... s = { a = 1, b = 0.4, c = 0 }
    ... ''')
    SafetyProblem(MDP(1 state, 3 state-action pairs, discount 0), regret 3/5, epsilon 1/10)
    """
    _require_format(format)
    if not isinstance(text, str):
        raise InputError("text", text, "a str")
    if len(text) > MAX_BYTES:
        raise _too_long(source, MAX_BYTES)
    return _read_problem(_parse(text, format, source), source)


def dumps_problem(problem: SafetyProblem, format: str = "toml") -> str:
    """Return the text of a problem file: the same problem gives the same bytes.

    Fractions are written as strings in lowest terms; `loads_problem` reads back an equal problem.

    Raises
    ------
    InputError
        If a number is longer than what a file may hold.

    Examples
    --------
    >>> mdp = MDP.bandit({"s": {"a": 1, "b": 0}})
    >>> problem = SafetyProblem(mdp, DataDistribution.uniform(mdp), regret="1/2")
    >>> print(dumps_problem(problem), end="")
    [bandit]
    states = [
        "s",
    ]
    actions = [
        "a",
        "b",
    ]
    <BLANKLINE>
    [bandit.initial]
    s = 1
    <BLANKLINE>
    [bandit.reward.s]
    a = 1
    b = 0
    <BLANKLINE>
    [data.s]
    a = "1/2"
    b = "1/2"
    <BLANKLINE>
    [safety]
    regret = "1/2"
    """
    _require_format(format)
    require_problem(problem)
    document = _document(problem)
    if format == "json":
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return tomli_w.dumps(document)


def save_problem(problem: SafetyProblem, path: str | PathLike[str]) -> None:
    """Write a problem file, whole or not at all: JSON if its name ends in ``.json``, else TOML.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    format = "json" if read_path(path).lower().endswith(".json") else "toml"
    write_atomically(path, dumps_problem(problem, format))


def csv_text(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table as comma-separated values.

    A cell that a spreadsheet would take for a formula gets an apostrophe in front.

    Examples
    --------
    >>> csv_text(["state", "reward"], [["=cmd()", "-1/2"]])
    "state,reward\\n'=cmd(),-1/2\\n"
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows([_no_formula(cell) for cell in row] for row in (head, *rows))
    return file.getvalue()


def _no_formula(cell: str) -> str:
    if cell.startswith(_FORMULA) and not _NEGATIVE.fullmatch(cell):
        return f"'{cell}"
    return cell


def make_folder(path: str | PathLike[str], field: str) -> Path:
    """Return a folder, which is made if it is not there yet.

    Raises
    ------
    InputError
        If it cannot be made.
    """
    folder = Path(read_path(path, field))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(field, os.fspath(path), f"a folder to write to ({reason})") from None
    return folder


def require_writable(path: str | PathLike[str]) -> Path:
    """Return where a path leads, if a file may be written there: before the work, not after it.

    A file that nobody has the permission to write to is meant to stay.

    Raises
    ------
    InputError
        For a folder, a file or folder without that permission, a folder that is not there.
    """
    source = read_path(path)
    try:
        target = Path(os.path.realpath(source))
        code = 0
        if target.is_dir():
            code = errno.EISDIR
        elif not target.parent.is_dir():
            code = errno.ENOENT
        elif target.exists() and not target.stat().st_mode & _ANYBODY_WRITES:
            code = errno.EACCES
        elif target.is_file() or not target.exists():  # what is complete is moved there
            code = 0 if os.access(target.parent, os.W_OK) else errno.EACCES
        if code:
            raise OSError(code, os.strerror(code))
    except (OSError, ValueError) as error:
        raise _not_writable(path, error) from None
    return target


def write_atomically(path: str | PathLike[str], text: str | bytes) -> None:
    """Write a file under a temporary name and move it to its place when it is complete.

    What is no regular file, such as a pipe or a terminal, is written to directly.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    # Python stands for a byte of a file's name that is no UTF-8 by half of a surrogate pair.
    content = text.encode("utf-8", "backslashreplace") if isinstance(text, str) else text
    target = require_writable(path)
    try:
        temporary = target.with_name(f".{target.name[:50]}.{secrets.token_hex(8)}.tmp")
        if target.exists() and not target.is_file():
            target.write_bytes(content)
            return
        try:
            temporary.write_bytes(content)
            if target.exists():
                shutil.copymode(target, temporary)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise _not_writable(path, error) from None


def _not_writable(path: str | PathLike[str], error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or str(error)
    return InputError("file", os.fspath(path), f"a writable file ({reason})")


def _require_format(format: object) -> None:
    if format not in _FORMATS:
        raise InputError("format", format, "toml or json")


def _too_long(source: str, limit: int) -> InputError:
    return InputError(source, f"more than {limit} bytes", f"at most {limit // 2**20} MiB")


def _too_deep(source: str) -> InputError:
    return InputError(source, "deeper nesting", f"at most {MAX_NESTING} levels of nesting")


def _too_many_digits(source: str) -> InputError:
    return InputError(source, "an integer of more digits", "numbers of at most 4000 digits")


def _read_decimal(text: str) -> object:
    """Return the decimal that is written, exactly."""
    try:
        number = exact(text.replace("_", ""))
    except ValueError:
        return _Refused(text)
    longest = max(number.numerator.bit_length(), number.denominator.bit_length())
    return number if longest <= _MAX_BITS else _Refused(text)


def _read_integer(text: str) -> object:
    try:
        return int(text)
    except ValueError:  # more digits than Python reads
        return _Refused(text)


def _parse_json(text: str, source: str) -> object:
    def table(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, value in pairs:
            if key in found:
                raise InputError(source, f"the key {key!r} twice", "each key of an object once")
            found[key] = value
        return found

    def read(parse_int: Callable[[str], object] | None) -> object:
        return json.loads(
            text,
            object_pairs_hook=table,
            parse_float=_read_decimal,
            parse_int=cast(Any, parse_int),
            parse_constant=_Refused,
        )

    try:
        try:
            return read(None)
        except (json.JSONDecodeError, InputError):
            raise
        except ValueError:  # an integer of more digits than Python reads; this is twice as slow
            return read(_read_integer)
    except json.JSONDecodeError as error:
        found = f"{error.msg} (at line {error.lineno}, column {error.colno})"
        raise InputError(source, found, "valid JSON") from None


def _parse_toml(text: str, source: str) -> object:
    if any(run[0].count(".") > _MAX_DOTS for run in _KEY_RUN.finditer(text)):
        raise _too_deep(source)
    try:
        return tomllib.loads(text, parse_float=cast(Any, _read_decimal))
    except tomllib.TOMLDecodeError as error:
        end = f"at line {text.count(chr(10)) + 1}, the end of the text"
        found = str(error).replace("at end of document", end)
        raise InputError(source, found, "valid TOML") from None
    except ValueError:  # Python's own limit
        raise _too_many_digits(source) from None


def _limit(document: object, source: str) -> None:
    """Refuse deep nesting and, level by level, integers that are too long."""
    level = [document]
    for _ in range(MAX_NESTING + 1):
        below: list[object] = []
        for value in level:
            if isinstance(value, dict):
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
            elif isinstance(value, int) and value.bit_length() > _MAX_BITS:
                raise _too_many_digits(source)
        level = below
    if level:
        raise _too_deep(source)


def _read_problem(document: object, source: str) -> SafetyProblem:
    _limit(document, source)
    file = read_table(document, source)
    _require_keys(file, (), _FILE_KEYS, ("safety",))
    if "counts" not in file:
        _require_keys(file, (), _FILE_KEYS, ("data",))
    elif "data" in file:
        raise InputError("data", "both data and counts", "one of the two")
    layout = file.get("format", "tables")
    if layout not in ("tables", "arrays"):
        raise InputError("format", layout, '"tables" or "arrays"')
    kinds = [kind for kind in ("mdp", "bandit") if kind in file]
    if len(kinds) != 1:
        found = "both [mdp] and [bandit]" if kinds else "nothing"
        raise InputError("mdp", found, "one table, [mdp] or [bandit]")
    parameters = _read_parameters(file.get("parameters", {}))
    mdp = _read_mdp(file, kinds[0], layout == "arrays", parameters)
    safety = read_table(file["safety"], "safety")
    _require_keys(safety, ("safety",), ("regret", "epsilon", "metric"), ("regret",))
    regularizer = None
    if "regularizer" in file:
        regularizer = Regularizer.from_table(mdp, read_table(file["regularizer"], "regularizer"))
    if "counts" in file:
        data = _read_counts(file["counts"], mdp, layout == "arrays")
    elif file["data"] == "reference":
        data = _reference_data(mdp, regularizer)
    else:
        data = _read_data(file["data"], mdp, layout == "arrays")
    epsilon = _raw(safety.get("epsilon"))
    metric = safety.get("metric")
    if metric is not None and not isinstance(metric, str):
        raise InputError("safety.metric", metric, f"one of {', '.join(METRICS)}")
    coverage = None
    if "coverage" in file:
        coverage = DataSet.from_table(mdp, read_table(file["coverage"], "coverage"), data)
    return SafetyProblem(mdp, data, _raw(safety["regret"]), epsilon, regularizer, metric, coverage)


def _reference_data(mdp: MDP, regularizer: Regularizer | None) -> DataDistribution:
    """Return the data that the reference policy of a contextual bandit collects."""
    if regularizer is None or regularizer.reference is None or mdp.discount != 0:
        what = "a table: this one is for a bandit with a [regularizer] that has a reference policy"
        raise InputError("data", "reference", what)
    shares = regularizer.reference.probabilities
    starts = (exact(mdp.initial[s]) for s in mdp.pair_states)
    return DataDistribution(mdp, tuple(m * q for m, q in zip(starts, shares, strict=True)))


def _require_keys(
    table: Mapping[str, object], where: Sequence[str], known: Sequence[str], needed: Sequence[str]
) -> None:
    for key in table:
        require_known(key, tuple(known), place(*where, key), "a known key")
    for key in needed:
        if key not in table:
            raise InputError(place(*where, key), "nothing", "a value, which is needed")


def _read_parameters(section: object) -> ParameterSpace:
    table = read_table(section, "parameters")
    bounds: dict[str, tuple[object, object]] = {}
    for name, value in table.items():
        if name == "constraints":
            continue
        interval = read_table(value, place("parameters", name))
        _require_keys(interval, ("parameters", name), ("min", "max"), ("min", "max"))
        bounds[name] = (interval["min"], interval["max"])
    return ParameterSpace(bounds, _raw(table.get("constraints", ())))


def _read_mdp(
    file: Mapping[str, object], kind: str, arrays: bool, parameters: ParameterSpace
) -> MDP:
    table = read_table(file[kind], kind)
    optional = {key: _raw(table[key]) for key in ("states", "actions") if key in table}
    if kind == "bandit":
        if arrays:
            raise InputError("format", "arrays", "[mdp] in a file of this format")
        _require_keys(table, ("bandit",), _BANDIT_KEYS, ("reward",))
        if "initial" in table:
            optional["initial"] = _read_initial(table["initial"], arrays)
        return MDP.bandit(_raw(table["reward"]), parameters=parameters, **optional)
    _require_keys(table, ("mdp",), _MDP_KEYS, ("discount", "initial", "transitions", "reward"))
    build = MDP.from_arrays if arrays else MDP.from_tables
    return build(
        transitions=_raw(table["transitions"]),
        reward=_raw(table["reward"]),
        initial=_read_initial(table["initial"], arrays),
        discount=table["discount"],
        parameters=parameters,
        **optional,
    )


def _read_initial(value: object, arrays: bool) -> Any:
    if isinstance(value, str):
        return value
    return read_list(value, "initial") if arrays else read_table(value, "initial")


def _read_data(value: object, mdp: MDP, arrays: bool) -> DataDistribution:
    if value == "uniform":
        return DataDistribution.uniform(mdp)
    if arrays:
        return DataDistribution.from_array(mdp, value)
    return DataDistribution.from_table(mdp, _raw(value))


def _read_counts(value: object, mdp: MDP, arrays: bool) -> DataDistribution:
    if not arrays:
        return DataDistribution.from_counts(mdp, _raw(value))
    rows = read_list(value, "counts", "a list of lists, shape (S, A)")
    if [len(read_list(row, "counts")) for row in rows] != [len(names) for names in mdp.actions]:
        raise InputError("counts", "another shape", "a count for each action of each state")
    table = {
        state: dict(zip(names, _raw(row), strict=True))
        for state, names, row in zip(mdp.states, mdp.actions, rows, strict=True)
    }
    return DataDistribution.from_counts(mdp, table)


def _raw(value: object) -> Any:
    """Pass on what the file holds to a constructor that reads and refuses."""
    return value


def _document(problem: SafetyProblem) -> dict[str, Any]:
    mdp, data = problem.mdp, problem.data
    names = mdp.parameters.names

    def number(value: Number, *where: str) -> int | str:
        if isinstance(value, Fraction) and value.denominator == 1 and abs(value) < _PLAIN_INTEGER:
            return int(value)
        text = shown(value)
        entry(text, place(*where), names)  # refuses what a reader would refuse
        return text

    def table(field: str, values: Sequence[Number]) -> dict[str, dict[str, int | str]]:
        return {
            state: {mdp.pairs[p][1]: number(values[p], field, *mdp.pairs[p]) for p in pairs}
            for state, pairs in zip(mdp.states, mdp.pair_ranges, strict=True)
        }

    actions: object = list(mdp.actions[0])
    if len(set(mdp.actions)) > 1:
        actions = {s: list(listed) for s, listed in zip(mdp.states, mdp.actions, strict=True)}
    initial = {
        state: number(probability, "initial", state)
        for state, probability in zip(mdp.states, mdp.initial, strict=True)
        if probability != 0
    }
    reward = table("reward", mdp.rewards)
    inside = {"states": list(mdp.states), "actions": actions}
    stays = all(
        row == ((s, Fraction(1)),) for s, row in zip(mdp.pair_states, mdp.successors, strict=True)
    )
    document: dict[str, Any]
    if stays and mdp.discount == 0:
        document = {"bandit": {**inside, "initial": initial, "reward": reward}}
    else:
        transitions: dict[str, dict[str, object]] = {state: {} for state in mdp.states}
        for (state, action), row in zip(mdp.pairs, mdp.successors, strict=True):
            transitions[state][action] = {
                mdp.states[t]: number(p, "transitions", state, action, mdp.states[t])
                for t, p in row
            }
        inside["discount"] = number(mdp.discount, "discount")
        document = {
            "mdp": {**inside, "initial": initial, "transitions": transitions, "reward": reward}
        }
    if data.counts is not None:
        document["counts"] = table("counts", [Fraction(count) for count in data.counts])
    else:
        document["data"] = table("data", data.weights)
    document["safety"] = {"regret": number(problem.regret, "regret")}
    if problem.epsilon is not None:
        document["safety"]["epsilon"] = number(problem.epsilon, "epsilon")
    if problem.metric is not None:
        document["safety"]["metric"] = problem.metric
    if problem.regularizer is not None:
        penalty = problem.regularizer
        document["regularizer"] = {"kind": penalty.kind, "weight": number(penalty.weight)}
        if penalty.reference is not None:
            values: Sequence[Number] = penalty.reference.probabilities
            document["regularizer"]["reference"] = table("reference", values)
        if penalty.coefficients is not None:
            document["regularizer"]["coefficients"] = table("coefficients", penalty.coefficients)
    if problem.coverage is not None:
        document["coverage"] = _coverage_document(problem.coverage, table)
    if names:
        document["parameters"] = _parameters_document(mdp.parameters, number)
    return document


def _coverage_document(among: DataSet, table: Callable[..., Any]) -> dict[str, object]:
    if among.members is not None:
        return {"mixture": [table("coverage", member.weights) for member in among.members]}
    pairs = range(len(among.mdp.pairs))
    rows = []
    for row in among.rows:
        weights = table("coverage", [row.coefficients.get(p, Fraction(0)) for p in pairs])
        bound = "at_most" if row.relation == "at most" else "exactly"
        rows.append({"weights": weights, bound: format_fraction(row.bound)})
    return {"rows": rows}


def _parameters_document(
    space: ParameterSpace, number: Callable[..., int | str]
) -> dict[str, object]:
    document: dict[str, object] = {}
    if space.constraints:
        document["constraints"] = [str(constraint) for constraint in space.constraints]
        ParameterSpace(space.bounds, _raw(document["constraints"]))  # can be read back
    for name, (low, high) in space.bounds.items():
        field = ("parameters", name)
        document[name] = {"min": number(low, *field, "min"), "max": number(high, *field, "max")}
    return document
