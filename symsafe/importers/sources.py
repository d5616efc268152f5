"""The sources that ``symsafe import`` names: one line of text stands for one importer."""

from __future__ import annotations

import json
import os
import zipfile
from os import PathLike
from typing import Any

import numpy as np

from symsafe.errors import InputError
from symsafe.importers.arrays import from_numpy
from symsafe.importers.drn import from_drn
from symsafe.importers.gymnasium import from_gymnasium
from symsafe.importers.prism import from_prism
from symsafe.importers.rounding import Rounding
from symsafe.model import MDP, SafetyProblem, dumps_problem
from symsafe.model.tables import read_path, require_instance, require_known

__all__ = ["KINDS", "imported_text", "read_source"]

KINDS = ("gymnasium:ID", "prism:FILE.tra", "drn:FILE", "npz:FILE")
EXPECTED_REWARDS = (
    "rewards of transitions, if any, became expected rewards R(s, a): epsilon is relative to the "
    "range of these, which may be smaller than the range of the rewards in the source"
)
_MAX_ARRAY_BYTES = 512 * 2**20
_ARRAYS = ("transitions", "reward", "initial")


def read_source(
    source: str,
    *,
    discount: object,
    initial: int | None = None,
    reward: str | None = None,
    rounding: str | None = None,
) -> MDP:
    """Return the exact MDP of a source ``KIND:NAME``.

    Parameters
    ----------
    source : str
        ``gymnasium:FrozenLake-v1``, ``prism:FILE.tra``, ``drn:FILE``, or ``npz:FILE``, an archive
        of numpy with the arrays ``transitions`` (S, A, S), ``reward`` and, unless it is given here,
        ``initial``.
    discount : number
    initial : int, optional
        The start state, by its number.
    reward : str, optional
        Which reward model of a DRN file.
    rounding : str, optional
        See `Rounding`. Gymnasium's tables are read by ``nearest:1000`` unless another ``nearest``
        is given; arrays of floats need a rule.

    Raises
    ------
    InputError
        For an unknown kind, an option that the kind does not have, and what the importer refuses.
    UnsupportedError
        If Gymnasium is needed and not installed.
    """
    require_instance(source, str, "source", f"one of {', '.join(KINDS)}")
    kind, colon, name = source.partition(":")
    require_known(kind, [known.partition(":")[0] for known in KINDS], "source", "a kind of source")
    if not colon or not name:
        raise InputError("source", source, f"one of {', '.join(KINDS)}")
    if reward is not None and kind != "drn":
        raise InputError("reward", reward, "a reward model of a DRN file only")
    if kind == "gymnasium":
        rule = Rounding("nearest", 1000) if rounding is None else Rounding.parse(rounding)
        if rule.max_denominator is None or rule.repair:
            raise InputError("rounding", rounding, '"nearest:N" for tables of Gymnasium')
        bound = rule.max_denominator
        return from_gymnasium(name, discount=discount, initial=initial, max_denominator=bound)
    if kind == "prism":
        return from_prism(name, discount=discount, initial=initial, rounding=rounding)
    if kind == "drn":
        return from_drn(name, discount=discount, reward=reward, initial=initial, rounding=rounding)
    arrays = _read_archive(name)
    if initial is None and "initial" not in arrays:
        raise InputError("initial", f"no array of that name in {name}", "a start state")
    return from_numpy(
        arrays["transitions"],
        arrays["reward"],
        initial=arrays["initial"] if initial is None else initial,
        discount=discount,
        rounding=rounding,
    )


def imported_text(problem: SafetyProblem, source: str, rounding: str | None) -> str:
    """Return a problem file in TOML whose first lines say where it comes from."""
    # A name may hold anything; as a JSON string it stays on its line of comment.
    lines = [
        f"Imported from {json.dumps(source)}, rounding: {rounding or 'the default of the source'}.",
        "Discount, data and thresholds were chosen at the import; change them here as you like.",
        f"{EXPECTED_REWARDS[0].upper()}{EXPECTED_REWARDS[1:]}.",
    ]
    return "".join(f"# {line}\n" for line in lines) + dumps_problem(problem)


def _read_archive(path: str | PathLike[str]) -> dict[str, Any]:
    """Return the arrays of an ``.npz`` file; objects, which only pickle can read, are refused."""
    name = read_path(path)
    if os.path.exists(name) and not os.path.isfile(name):  # zipfile would read a device for ever
        raise InputError("file", name, "a regular file, an archive of numpy")
    try:
        with zipfile.ZipFile(name) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > _MAX_ARRAY_BYTES:
            raise InputError("file", f"{name}, {size} bytes of arrays", "512 MiB at most")
        with np.load(name, allow_pickle=False) as arrays:
            found = {key: arrays[key] for key in _ARRAYS if key in arrays.files}
    except (InputError, MemoryError):
        raise
    except Exception as error:  # on a damaged archive zipfile and numpy raise errors of many kinds
        reason = getattr(error, "strerror", None) or str(error)
        expected = f"a .npz file of arrays of numbers ({reason[:200]})"
        raise InputError("file", name, expected) from None
    for key in ("transitions", "reward"):
        if key not in found:
            raise InputError(key, f"no array of that name in {name}", "an array of numbers")
    return found
