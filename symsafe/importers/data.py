"""Where the data come from: named families of data distributions, none of which an MDP file holds.

Each is exact. The occupancy measure of a policy is that of `symsafe.analysis.occupancy`.
"""

from __future__ import annotations

import csv
import io
import os
from os import PathLike

from symsafe.analysis.occupancy import occupancy_distribution
from symsafe.analysis.values import optimal_values
from symsafe.errors import InputError
from symsafe.exact import exact
from symsafe.importers.lines import read_lines
from symsafe.model import MDP, DataDistribution, Policy
from symsafe.model.mdp import require_mdp
from symsafe.model.tables import require_instance, require_known, shown

__all__ = ["FAMILIES", "data_family", "from_counts", "noisy_expert"]

FAMILIES = ("uniform", "policy", "expert:NOISE", "counts:FILE.csv")
_HEADER = ["state", "action", "count"]
_MAX_DIGITS = 15


def noisy_expert(mdp: MDP, noise: object) -> DataDistribution:
    """Return the data of an expert who errs: the normalised occupancy measure of a policy.

    Parameters
    ----------
    mdp : MDP
        Without open parameters.
    noise : number
        In [0, 1]: in every state the policy takes a uniformly random action with this probability,
        and otherwise the optimal one (of several, that which `optimal_values` returns).

    Raises
    ------
    InputError
        If the noise is out of range.

    Examples
    --------
    >>> noisy_expert(MDP.bandit({"s": {"a": 1, "b": 0}}), "1/10").weights
    (Fraction(19, 20), Fraction(1, 20))
    """
    require_mdp(mdp)
    share = exact(noise, "noise")
    if not 0 <= share <= 1:
        raise InputError("noise", shown(share), "a number in [0, 1]")
    _require_ground(mdp)
    _, best = optimal_values(mdp)
    probabilities = [
        share / len(pairs) + (1 - share) * (pair == best[state])
        for state, pairs in enumerate(mdp.pair_ranges)
        for pair in pairs
    ]
    return occupancy_distribution(Policy(mdp, tuple(probabilities)))


def from_counts(mdp: MDP, path: str | PathLike[str]) -> DataDistribution:
    """Return the relative frequencies of a CSV file of counts.

    Parameters
    ----------
    mdp : MDP
    path : path
        With the header ``state,action,count`` and a line for each pair that was seen; pairs that
        are left out have count 0. Counts are whole numbers of at most 15 digits.

    Raises
    ------
    InputError
        With file and line: for an unknown name (the nearest known one is suggested), a pair twice,
        a number that is no count. Also if nothing was counted.

    Notes
    -----
    Exact. Zeros are kept: a pair that was never seen costs nothing, so a reward model may be wrong
    there at will. Whoever wants pseudo-counts adds them to the file.
    """
    require_mdp(mdp)
    counts = dict.fromkeys(mdp.pairs, 0)
    seen = set()
    lines = read_lines(path)
    head = next(lines, None)
    if head is None or [cell.strip() for cell in head.text.split(",")] != _HEADER:
        found = "an empty file" if head is None else repr(head.text[:60])
        raise InputError(os.fspath(path), found, f"the header {','.join(_HEADER)}")
    actions = dict(zip(mdp.states, mdp.actions, strict=True))
    for line in lines:
        try:
            cells = next(csv.reader(io.StringIO(line.text), strict=True))
        except csv.Error as error:
            line.refuse(f"no CSV ({error})", "state,action,count")
        if len(cells) != 3:
            line.refuse(f"{len(cells)} cells", "state,action,count")
        state, action, count = (cell.strip() for cell in cells)
        place = f"{line.file}, line {line.number}"
        require_known(state, actions, place, "a state")
        require_known(action, actions[state], place, "an action of this state")
        if not (count.isascii() and count.isdigit() and len(count) <= _MAX_DIGITS):
            line.refuse(repr(count[:60]), f"a whole number of at most {_MAX_DIGITS} digits")
        if (state, action) in seen:
            line.refuse(f"{state},{action} again", "each pair once")
        seen.add((state, action))
        counts[state, action] = int(count)
    if not any(counts.values()):
        raise InputError(os.fspath(path), "no counts", "at least one observation")
    table: dict[str, dict[str, int]] = {state: {} for state in mdp.states}
    for (name, choice), number in counts.items():
        table[name][choice] = number
    return DataDistribution.from_counts(mdp, table)


def data_family(mdp: MDP, name: str) -> DataDistribution:
    """Return a data distribution by the name of its family, as the command line gives it.

    Parameters
    ----------
    mdp : MDP
    name : str
        ``uniform``: the same weight on every pair. ``policy``: the occupancy measure of the policy
        that plays uniformly at random. ``expert:NOISE``: see `noisy_expert`. ``counts:FILE.csv``:
        see `from_counts`.

    Raises
    ------
    InputError
        For another name, and for what the family refuses.
    """
    require_mdp(mdp)
    require_instance(name, str, "data", f"one of {', '.join(FAMILIES)}")
    family, _, argument = name.partition(":")
    if name == "uniform":
        return DataDistribution.uniform(mdp)
    if name == "policy":
        _require_ground(mdp)
        return occupancy_distribution(Policy.uniform(mdp))
    if family == "expert" and argument:
        return noisy_expert(mdp, argument)
    if family == "counts" and argument:
        return from_counts(mdp, argument)
    raise InputError("data", name, f"one of {', '.join(FAMILIES)}")


def _require_ground(mdp: MDP) -> None:
    if not mdp.is_ground:
        raise InputError("parameters", "open parameters", "values for them, by `at`")
